/* Parquet files by themselves, read: their rows, and what they are made of. */
#include "api/options.h"
#include "api/parquet_input.h"
#include "arrow/stream.h"

#define BATCH_ROWS 65536

static s3store_status next_batch(void *impl, struct ArrowArray *out, s3store_error *err)
{
    return s3s_parquet_input_next(impl, out, err);
}

static void free_source(void *impl)
{
    s3s_parquet_input_free(impl);
}

s3store_status s3store_parquet_read(const char *place, const s3store_parquet_options *options,
                                    struct ArrowArrayStream *out, s3store_error *err)
{
    S3S_REQUIRE(place);
    S3S_REQUIRE(out);
    *out = (struct ArrowArrayStream){0};
    S3S_OPTIONS(s3store_parquet_options, S3STORE_PARQUET_OPTIONS_INIT, o, options);
    s3s_parquet_input *in = NULL;
    size_t *columns = NULL;
    s3store_status status = s3s_parquet_input_open(place, &o, &in, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_parquet_input_columns(in, &o, &columns, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_input_begin(in, columns, o.column_count, BATCH_ROWS, err);
    s3s_free(in->env, columns);
    if (status != S3STORE_OK) {
        s3s_parquet_input_free(in);
        return status;
    }
    s3s_schema *schema = (s3s_schema *)s3s_parquet_input_schema(in);
    s3s_batch_source source = {.impl = in, .next = next_batch, .free = free_source, .valid = true};
    return s3s_stream_make(in->env, schema, source, out, err);
}

s3store_status s3store_parquet_read_file(const char *place, struct ArrowArrayStream *out,
                                         s3store_error *err)
{
    return s3store_parquet_read(place, NULL, out, err);
}

s3store_status s3store_parquet_describe(const char *place, s3store_parquet_part part, bool json,
                                        const s3store_parquet_options *options,
                                        s3store_text_fn write, void *ctx, s3store_error *err)
{
    S3S_REQUIRE(place);
    S3S_REQUIRE(write);
    if (part < S3STORE_PARQUET_SCHEMA || part > S3STORE_PARQUET_PAGES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: there is no part %d", __func__,
                        (int)part);
    S3S_OPTIONS(s3store_parquet_options, S3STORE_PARQUET_OPTIONS_INIT, o, options);
    s3s_parquet_input *in = NULL;
    size_t *columns = NULL;
    s3store_status status = s3s_parquet_input_open(place, &o, &in, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_parquet_input_columns(in, &o, &columns, err);
    s3s_parquet_line_sink sink = {.ctx = ctx, .line = write};
    if (status == S3STORE_OK)
        status = s3s_parquet_describe(s3s_parquet_input_file(in), (s3s_parquet_part)part, json,
                                      columns, o.column_count, sink, err);
    s3s_free(in->env, columns);
    s3s_parquet_input_free(in);
    return status;
}
