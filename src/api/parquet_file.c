/* Parquet files of the local file system, by themselves. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/options.h"
#include "arrow/stream.h"
#include "parquet/parquet.h"

#define BATCH_ROWS 65536
#define READ_BYTES ((size_t)64 << 10) /* the page cache reads ahead by itself */

typedef struct file_source {
    s3s_env *env;
    char *path;
    int fd;
    s3s_parquet_file *file;
    s3s_parquet_cursor *cursor;
    int64_t rows_left; /* until the limit */
} file_source;

static s3store_status read_at(void *ctx, uint64_t offset, void *data, size_t size,
                              s3store_error *err)
{
    file_source *s = ctx;
    uint8_t *to = data;
    while (size > 0) {
        ssize_t n = pread(s->fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_fail_errno(err, errno, "read", s->path);
        if (n == 0)
            return s3s_fail_key(err, S3STORE_CORRUPT, s->path,
                                "%s: ends at byte %llu while it is read", s->path,
                                (unsigned long long)offset);
        to += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return S3STORE_OK;
}

static s3store_status next_batch(void *impl, struct ArrowArray *out, s3store_error *err)
{
    file_source *s = impl;
    if (s->rows_left == 0)
        return S3STORE_END;
    s3store_status status = s3s_parquet_cursor_next(s->cursor, out, err);
    if (status != S3STORE_OK || out->length <= s->rows_left) {
        s->rows_left -= status == S3STORE_OK ? out->length : 0;
        return status;
    }
    s3s_shared_batch *shared = NULL;
    status = s3s_batch_share(s->env, out, &shared, err);
    if (status == S3STORE_OK)
        status = s3s_batch_slice(shared, 0, s->rows_left, out, err);
    s3s_shared_batch_release(shared);
    s->rows_left = 0;
    return status;
}

static void free_source(void *impl)
{
    file_source *s = impl;
    s3s_env *env = s->env;
    s3s_parquet_cursor_free(s->cursor);
    s3s_parquet_free(s->file);
    if (s->fd >= 0)
        close(s->fd);
    s3s_free(env, s->path);
    s3s_free(env, s);
    s3s_env_release(env);
}

static s3store_status open_file(file_source *s, uint64_t memory_bytes, s3store_error *err)
{
    struct stat st;
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0)
        return s3s_fail_errno(err, errno, "open", s->path);
    if (fstat(s->fd, &st) != 0)
        return s3s_fail_errno(err, errno, "stat", s->path);
    if (!S_ISREG(st.st_mode))
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, s->path, "%s: not a regular file",
                            s->path);
    s3s_parquet_source source = {.ctx = s, .file_size = (uint64_t)st.st_size, .read = read_at,
                                 .read_bytes = READ_BYTES};
    s3s_parquet_limits limits = {.memory_bytes = memory_bytes};
    return s3s_parquet_open(s->env, source, s->path, &limits, &s->file, err);
}

/* *out: freed with free_source. */
static s3store_status new_source(const char *path, const s3store_parquet_options *options,
                                 file_source **out, s3store_error *err)
{
    s3s_env *env = NULL;
    s3store_status status = s3s_env_new_real(&env, err);
    if (status != S3STORE_OK)
        return status;
    file_source *s = s3s_calloc(env, 1, sizeof *s);
    if (s == NULL) {
        s3s_env_release(env);
        return s3s_fail_memory(err, sizeof *s);
    }
    s->env = env; /* the source owns the env from here */
    s->fd = -1;
    s->rows_left = options->limit > 0 ? options->limit : INT64_MAX;
    s->path = s3s_strdup(env, path);
    status = s->path == NULL ? s3s_fail_memory(err, strlen(path))
                             : open_file(s, options->memory_bytes, err);
    if (status == S3STORE_OK)
        *out = s;
    else
        free_source(s);
    return status;
}

/* Positions of the wanted columns; *positions NULL = all of them. */
static s3store_status find_columns(const file_source *s, const s3store_parquet_options *options,
                                   size_t **positions, s3store_error *err)
{
    const s3s_schema *schema = s3s_parquet_schema(s->file);
    *positions = NULL;
    if (options->columns == NULL)
        return S3STORE_OK;
    *positions = s3s_calloc(s->env, options->column_count + 1, sizeof **positions);
    if (*positions == NULL)
        return s3s_fail_memory(err, options->column_count * sizeof **positions);
    for (size_t i = 0; i < options->column_count; i++) {
        (*positions)[i] = s3s_schema_find(schema, options->columns[i]);
        if ((*positions)[i] == SIZE_MAX)
            return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, s->path,
                                "%s has no column \"%s\"", s->path, options->columns[i]);
    }
    return S3STORE_OK;
}

s3store_status s3store_parquet_read(const char *path, const s3store_parquet_options *options,
                                    struct ArrowArrayStream *out, s3store_error *err)
{
    S3S_REQUIRE(path);
    S3S_REQUIRE(out);
    *out = (struct ArrowArrayStream){0};
    S3S_OPTIONS(s3store_parquet_options, S3STORE_PARQUET_OPTIONS_INIT, o, options);
    file_source *s = NULL;
    size_t *columns = NULL;
    s3store_status status = new_source(path, &o, &s, err);
    if (status != S3STORE_OK)
        return status;
    status = find_columns(s, &o, &columns, err);
    int64_t rows = s->rows_left < BATCH_ROWS ? s->rows_left : BATCH_ROWS;
    if (status == S3STORE_OK)
        status = s3s_parquet_cursor_new(s->file, columns, o.column_count, rows, &s->cursor, err);
    s3s_free(s->env, columns);
    if (status != S3STORE_OK) {
        free_source(s);
        return status;
    }
    s3s_schema *schema = (s3s_schema *)s3s_parquet_cursor_schema(s->cursor);
    s3s_batch_source source = {.impl = s, .next = next_batch, .free = free_source};
    return s3s_stream_make(s->env, schema, source, out, err);
}

s3store_status s3store_parquet_read_file(const char *path, struct ArrowArrayStream *out,
                                         s3store_error *err)
{
    return s3store_parquet_read(path, NULL, out, err);
}

s3store_status s3store_parquet_describe(const char *path, s3store_parquet_part part, bool json,
                                        const s3store_parquet_options *options,
                                        s3store_text_fn write, void *ctx, s3store_error *err)
{
    S3S_REQUIRE(path);
    S3S_REQUIRE(write);
    if (part < S3STORE_PARQUET_SCHEMA || part > S3STORE_PARQUET_PAGES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: there is no part %d", __func__,
                        (int)part);
    S3S_OPTIONS(s3store_parquet_options, S3STORE_PARQUET_OPTIONS_INIT, o, options);
    file_source *s = NULL;
    size_t *columns = NULL;
    s3store_status status = new_source(path, &o, &s, err);
    if (status != S3STORE_OK)
        return status;
    status = find_columns(s, &o, &columns, err);
    s3s_parquet_line_sink sink = {.ctx = ctx, .line = write};
    if (status == S3STORE_OK)
        status = s3s_parquet_describe(s->file, (s3s_parquet_part)part, json, columns,
                                      o.column_count, sink, err);
    s3s_free(s->env, columns);
    free_source(s);
    return status;
}

/* ---- writing: to a temporary name beside the file, renamed when complete ------------------------------ */

static s3store_status write_all(void *ctx, const void *data, size_t size, s3store_error *err)
{
    file_source *s = ctx;
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t n = write(s->fd, from, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_fail_errno(err, errno, "write", s->path);
        from += n;
        size -= (size_t)n;
    }
    return S3STORE_OK;
}

static s3store_status copy_stream(s3s_env *env, s3s_stream_reader *reader,
                                  s3store_compression compression, file_source *to,
                                  s3store_error *err)
{
    s3s_parquet_writer *w = NULL;
    s3s_parquet_write_options options = {.compression = compression};
    s3s_parquet_sink sink = {.ctx = to, .write = write_all};
    s3s_schema *schema = (s3s_schema *)s3s_stream_reader_schema(reader);
    s3store_status status = s3s_parquet_writer_new(env, schema, &options, sink, &w, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_stream_reader_next(reader, &batch, err);
        if (status == S3STORE_OK)
            status = s3s_parquet_writer_add(w, &batch, err);
        s3s_array_release(&batch);
    }
    if (status == S3STORE_END)
        status = s3s_parquet_writer_finish(w, err);
    s3s_parquet_writer_free(w);
    return status;
}

static s3store_status write_file(s3s_env *env, const char *path, s3s_stream_reader *reader,
                                 s3store_compression compression, s3store_error *err)
{
    s3s_buffer name;
    s3s_buffer_init(&name, env, 8192);
    s3store_status status = s3s_buffer_printf(&name, err, "%s.XXXXXX", path);
    file_source to = {.env = env, .fd = -1};
    if (status == S3STORE_OK) {
        to.path = s3s_buffer_text(&name, err);
        to.fd = to.path != NULL ? mkostemp(to.path, O_CLOEXEC) : -1;
        if (to.fd < 0)
            status = to.path != NULL ? s3s_fail_errno(err, errno, "create", path)
                                     : S3STORE_OUT_OF_MEMORY;
    }
    bool created = to.fd >= 0;
    if (status == S3STORE_OK)
        status = copy_stream(env, reader, compression, &to, err);
    if (status == S3STORE_OK && (fchmod(to.fd, 0644) != 0 || fsync(to.fd) != 0))
        status = s3s_fail_errno(err, errno, "sync", path);
    if (created && close(to.fd) != 0 && status == S3STORE_OK)
        status = s3s_fail_errno(err, errno, "close", path);
    if (status == S3STORE_OK && rename(to.path, path) != 0)
        status = s3s_fail_errno(err, errno, "rename", path);
    if (created && status != S3STORE_OK)
        (void)unlink(to.path);
    s3s_buffer_deinit(&name);
    return status;
}

s3store_status s3store_parquet_write_file(const char *path, struct ArrowArrayStream *input,
                                          s3store_compression compression, s3store_error *err)
{
    S3S_REQUIRE(path);
    S3S_REQUIRE(input);
    s3s_env *env = NULL;
    s3s_stream_reader *reader = NULL;
    s3store_status status = s3s_env_new_real(&env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_stream_reader_new(env, input, &reader, err);
    if (status == S3STORE_OK)
        status = write_file(env, path, reader, compression, err);
    s3s_stream_reader_free(reader);
    s3s_env_release(env);
    return status;
}
