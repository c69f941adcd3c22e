/* Parquet files to the local file system, by themselves: to a temporary name beside the file,
 * renamed when it is complete.
 */
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
#include "base/bytes.h"
#include "parquet/parquet.h"

typedef struct output {
    char *path; /* the temporary one */
    int fd;
} output;

static s3store_status write_all(void *ctx, const void *data, size_t size, s3store_error *err)
{
    output *to = ctx;
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t n = write(to->fd, from, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_fail_errno(err, errno, "write", to->path);
        from += n;
        size -= (size_t)n;
    }
    return S3STORE_OK;
}

static size_t to_size(uint64_t bytes)
{
    return bytes < SIZE_MAX ? (size_t)bytes : SIZE_MAX;
}

static s3store_status copy_batches(s3s_env *env, s3s_stream_reader *reader,
                                   const s3s_parquet_write_options *options, output *to,
                                   s3store_error *err)
{
    s3s_parquet_writer *w = NULL;
    s3s_parquet_sink sink = {.ctx = to, .write = write_all};
    s3s_schema *schema = (s3s_schema *)s3s_stream_reader_schema(reader);
    s3store_status status = s3s_parquet_writer_new(env, schema, options, sink, &w, err);
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

static s3store_status copy_stream(s3s_env *env, s3s_stream_reader *reader,
                                  const s3store_parquet_write_options *o, output *to,
                                  s3store_error *err)
{
    size_t *blooms = NULL, *sorting = NULL;
    const s3s_schema *schema = s3s_stream_reader_schema(reader);
    s3store_status status =
        s3s_schema_positions(env, schema, o->bloom_columns, o->bloom_column_count, &blooms, err);
    if (status == S3STORE_OK)
        status =
            s3s_schema_positions(env, schema, o->sorting_columns, o->sorting_column_count, &sorting,
                                 err);
    s3s_parquet_write_options options = {.compression = o->compression,
                                         .page_bytes = to_size(o->page_bytes),
                                         .row_group_bytes = to_size(o->row_group_bytes),
                                         .no_dictionary = o->no_dictionary,
                                         .bloom_columns = blooms,
                                         .bloom_column_count = o->bloom_column_count,
                                         .bloom_bytes_max = to_size(o->bloom_max_bytes),
                                         .sorting_columns = sorting,
                                         .sorting_column_count = o->sorting_column_count};
    size_t cores = s3s_env_core_count(env);
    if (status == S3STORE_OK && cores > 1)
        status = s3s_pool_new(env, cores - 1, &options.pool, err);
    if (status == S3STORE_OK)
        status = copy_batches(env, reader, &options, to, err);
    s3s_pool_free(options.pool);
    s3s_free(env, blooms);
    s3s_free(env, sorting);
    return status;
}

static s3store_status write_file(s3s_env *env, const char *path, s3s_stream_reader *reader,
                                 const s3store_parquet_write_options *options, s3store_error *err)
{
    s3s_buffer name;
    s3s_buffer_init(&name, env, 8192);
    s3store_status status = s3s_buffer_printf(&name, err, "%s.XXXXXX", path);
    output to = {.fd = -1};
    if (status == S3STORE_OK) {
        to.path = s3s_buffer_text(&name, err);
        to.fd = to.path != NULL ? mkostemp(to.path, O_CLOEXEC) : -1;
        if (to.fd < 0)
            status = to.path != NULL ? s3s_fail_errno(err, errno, "create", path)
                                     : S3STORE_OUT_OF_MEMORY;
    }
    bool created = to.fd >= 0;
    if (status == S3STORE_OK)
        status = copy_stream(env, reader, options, &to, err);
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

s3store_status s3store_parquet_write(const char *path, struct ArrowArrayStream *input,
                                     const s3store_parquet_write_options *options,
                                     s3store_error *err)
{
    S3S_REQUIRE(path);
    S3S_REQUIRE(input);
    s3store_parquet_write_options o = S3STORE_PARQUET_WRITE_OPTIONS_INIT;
    s3s_env *env = NULL;
    s3s_stream_reader *reader = NULL;
    s3store_status status =
        s3s_options_copy(&o, sizeof o, options, "s3store_parquet_write_options", err);
    if (status == S3STORE_OK)
        status = s3s_env_new_real(&env, err);
    if (status == S3STORE_OK) {
        s3s_env_keep_blocks(env, S3S_KEEP_BYTES);
        status = s3s_stream_reader_new(env, input, &reader, err);
    }
    if (status == S3STORE_OK)
        status = write_file(env, path, reader, &o, err);
    if (input->release != NULL) /* nobody came to take it over */
        input->release(input);
    s3s_stream_reader_free(reader);
    s3s_env_release(env);
    return status;
}

s3store_status s3store_parquet_write_file(const char *path, struct ArrowArrayStream *input,
                                          s3store_compression compression, s3store_error *err)
{
    s3store_parquet_write_options options = S3STORE_PARQUET_WRITE_OPTIONS_INIT;
    options.compression = compression;
    return s3store_parquet_write(path, input, &options, err);
}
