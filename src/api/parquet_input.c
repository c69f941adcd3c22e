/* Opening Parquet files for a look: a local one by its path, an object by ranges. */
#include "api/parquet_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/tempfile.h"

#define READ_BYTES ((size_t)64 << 10) /* the page cache reads ahead by itself */
#define AHEAD_SHARE 64 /* of the budget, for a batch that is decoded while one is used */

/* ---- local files ----------------------------------------------------------------------------- */

static s3store_status read_at(void *ctx, uint64_t offset, void *data, size_t size,
                              s3store_error *err)
{
    s3s_parquet_input *in = ctx;
    uint8_t *to = data;
    while (size > 0) {
        ssize_t n = pread(in->fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_fail_errno(err, errno, "read", in->place);
        if (n == 0)
            return s3s_fail_key(err, S3STORE_CORRUPT, in->place,
                                "%s: ends at byte %llu while it is read", in->place,
                                (unsigned long long)offset);
        to += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return S3STORE_OK;
}

static s3store_status open_local(s3s_parquet_input *in, uint64_t memory_bytes, s3store_error *err)
{
    struct stat st;
    in->fd = s3s_open_file(in->place, O_RDONLY);
    if (in->fd < 0)
        return s3s_fail_errno(err, errno, "open", in->place);
    if (fstat(in->fd, &st) != 0)
        return s3s_fail_errno(err, errno, "stat", in->place);
    if (!S_ISREG(st.st_mode))
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, in->place, "%s: not a regular file",
                            in->place);
    s3s_parquet_source source = {.ctx = in, .file_size = (uint64_t)st.st_size, .read = read_at,
                                 .read_bytes = READ_BYTES};
    s3s_parquet_limits limits = {.memory_bytes = memory_bytes};
    return s3s_parquet_open(in->env, source, in->place, &limits, &in->local, err);
}

/* ---- objects --------------------------------------------------------------------------------- */

/* The key is the prefix of a target that nobody asks for a dataset: its store, with all layers, is
 * what is wanted. */
static s3store_status open_object(s3s_parquet_input *in, const s3store_target_config *access,
                                  uint64_t memory_bytes, s3store_error *err)
{
    s3store_target_config config;
    s3store_target_config none = S3STORE_TARGET_CONFIG_INIT;
    s3store_status status =
        s3s_target_config_copy(access != NULL ? access : &none, &config, err);
    if (status != S3STORE_OK)
        return status;
    config.url = config.store == NULL ? in->place : NULL;
    config.prefix = config.store == NULL ? NULL : in->place;
    if (config.store != NULL && config.bucket == NULL)
        config.bucket = "";
    if (memory_bytes != 0)
        config.memory_bytes = memory_bytes;
    status = s3s_target_config_check(&config, true, err);
    if (status == S3STORE_OK)
        status = s3s_target_new(in->env, &config, &in->target, err);
    if (status != S3STORE_OK)
        return status;
    s3store_call call = s3s_call_make(in->env, config.cancel, config.timeout_ms);
    s3s_datafile_options options = {.key = in->target->layout.prefix,
                                    .memory_bytes = in->target->memory_bytes,
                                    .footer_only = true,
                                    .pool = in->target->pool};
    return s3s_datafile_open(in->env, in->target->store, &call, &options, &in->object, err);
}

/* ---- life ------------------------------------------------------------------------------------ */

void s3s_parquet_input_free(s3s_parquet_input *in)
{
    if (in == NULL)
        return;
    s3s_env *env = in->env;
    s3s_parquet_ahead_free(in->ahead);
    s3s_parquet_cursor_free(in->local_cursor);
    s3s_parquet_free(in->local);
    s3s_pool_free(in->pool);
    s3s_datafile_cursor_free(in->object_cursor);
    s3s_datafile_free(in->object);
    if (in->requests != NULL && in->target != NULL)
        s3store_target_request_counts(in->target, in->requests);
    s3s_target_release(in->target);
    if (in->fd >= 0)
        close(in->fd);
    s3s_free(env, in->place);
    s3s_free(env, in);
    s3s_env_release(env);
}

s3store_status s3s_parquet_input_open(const char *place, const s3store_parquet_options *options,
                                      s3s_parquet_input **out, s3store_error *err)
{
    s3s_env *env = NULL;
    bool injected = options->access != NULL && options->access->store != NULL;
    bool local = !injected && !s3s_starts_with(place, "s3://");
    if (local && s3s_starts_with(place, "file://"))
        place += strlen("file://");
    if (local && strstr(place, "://") != NULL)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, place,
                            "%.300s: give a path, file:///path or s3://bucket/key", place);
    s3store_status status = s3s_env_new_real(&env, err);
    if (status != S3STORE_OK)
        return status;
    s3s_parquet_input *in = s3s_calloc(env, 1, sizeof *in);
    if (in == NULL) {
        s3s_env_release(env);
        return s3s_fail_memory(err, sizeof *in);
    }
    in->env = env; /* the input owns it from here */
    uint64_t memory_bytes =
        options->memory_bytes != 0 ? options->memory_bytes : S3STORE_DEFAULT_MEMORY_BYTES;
    s3s_env_keep_blocks(env, s3s_keep_bytes(memory_bytes));
    in->ahead_bytes = memory_bytes / AHEAD_SHARE;
    in->fd = -1;
    in->requests = options->requests;
    in->rows_left = options->limit > 0 ? options->limit : INT64_MAX;
    in->place = s3s_strdup(env, place);
    if (in->place == NULL)
        status = s3s_fail_memory(err, strlen(place));
    else if (local)
        status = open_local(in, options->memory_bytes, err);
    else
        status = open_object(in, options->access, options->memory_bytes, err);
    if (status == S3STORE_OK)
        *out = in;
    else
        s3s_parquet_input_free(in);
    return status;
}

s3s_parquet_file *s3s_parquet_input_file(const s3s_parquet_input *in)
{
    return in->object != NULL ? s3s_datafile_parquet(in->object) : in->local;
}

/* ---- rows ------------------------------------------------------------------------------------ */

s3store_status s3s_parquet_input_columns(const s3s_parquet_input *in,
                                         const s3store_parquet_options *options,
                                         size_t **positions, s3store_error *err)
{
    const s3s_schema *schema = s3s_parquet_schema(s3s_parquet_input_file(in));
    *positions = NULL;
    if (options->columns == NULL)
        return S3STORE_OK;
    *positions = s3s_calloc(in->env, options->column_count + 1, sizeof **positions);
    if (*positions == NULL)
        return s3s_fail_memory(err, options->column_count * sizeof **positions);
    for (size_t i = 0; i < options->column_count; i++) {
        (*positions)[i] = s3s_schema_find(schema, options->columns[i]);
        if ((*positions)[i] == SIZE_MAX)
            return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, in->place,
                                "%s has no column \"%s\"", in->place, options->columns[i]);
    }
    return S3STORE_OK;
}

s3store_status s3s_parquet_input_begin(s3s_parquet_input *in, const size_t *columns,
                                       size_t column_count, int64_t max_rows, s3store_error *err)
{
    if (in->rows_left < max_rows)
        max_rows = in->rows_left;
    size_t cores = s3s_env_core_count(in->env);
    s3store_status status;
    if (in->object != NULL) {
        status = s3s_datafile_cursor_new(in->object, columns, column_count, max_rows,
                                         &in->object_cursor, err);
        if (status == S3STORE_OK)
            s3s_datafile_cursor_use_threads(in->object_cursor, cores);
        return status;
    }
    status = s3s_parquet_cursor_new(in->local, columns, column_count, max_rows, &in->local_cursor,
                                    err);
    if (status == S3STORE_OK && cores > 1 && in->pool == NULL &&
        s3s_pool_new(in->env, cores - 1, &in->pool, NULL) == S3STORE_OK)
        s3s_parquet_cursor_use_pool(in->local_cursor, in->pool, cores);
    return status;
}

const s3s_schema *s3s_parquet_input_schema(const s3s_parquet_input *in)
{
    return in->object_cursor != NULL ? s3s_datafile_cursor_schema(in->object_cursor)
                                     : s3s_parquet_cursor_schema(in->local_cursor);
}

static s3store_status next_batch(s3s_parquet_input *in, struct ArrowArray *out, s3store_error *err)
{
    if (in->object_cursor != NULL)
        return s3s_datafile_cursor_next(in->object_cursor, out, err);
    return in->ahead != NULL ? s3s_parquet_ahead_next(in->ahead, out, err)
                             : s3s_parquet_cursor_next(in->local_cursor, out, err);
}

/* After a batch that is not large, and not all. Without a thread for it all goes on as before. An
 * object is not read ahead: who ends early would wait for the network. */
static void read_ahead(s3s_parquet_input *in, const struct ArrowArray *batch)
{
    if (in->pool != NULL && in->ahead == NULL && batch->length < in->rows_left &&
        batch->length < s3s_parquet_row_count(in->local) &&
        s3s_batch_bytes(s3s_parquet_input_schema(in), batch) <= in->ahead_bytes)
        (void)s3s_parquet_ahead_new(in->env, in->pool, in->local_cursor, in->ahead_bytes,
                                    &in->ahead, NULL);
}

s3store_status s3s_parquet_input_next(s3s_parquet_input *in, struct ArrowArray *out,
                                      s3store_error *err)
{
    if (in->rows_left == 0)
        return S3STORE_END;
    s3store_status status = next_batch(in, out, err);
    if (status == S3STORE_OK)
        read_ahead(in, out);
    if (status != S3STORE_OK || out->length <= in->rows_left) {
        in->rows_left -= status == S3STORE_OK ? out->length : 0;
        return status;
    }
    s3s_shared_batch *shared = NULL;
    status = s3s_batch_share(in->env, out, &shared, err);
    if (status == S3STORE_OK)
        status = s3s_batch_slice(shared, 0, in->rows_left, out, err);
    s3s_shared_batch_release(shared);
    in->rows_left = 0;
    return status;
}
