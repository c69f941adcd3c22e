#include "datafile/datafile.h"

static s3store_status append_to_buffer(void *ctx, const void *data, size_t size,
                                       s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

s3store_status s3s_datafile_encode(s3s_env *env, s3s_schema *schema,
                                   const struct ArrowArray *const *batches, size_t batch_count,
                                   s3store_compression compression, s3s_buffer *out,
                                   s3store_error *err)
{
    s3s_parquet_write_options options = {.compression = compression};
    s3s_parquet_sink sink = {.ctx = out, .write = append_to_buffer};
    s3s_parquet_writer *writer = NULL;
    s3store_status status = s3s_parquet_writer_new(env, schema, &options, sink, &writer, err);
    for (size_t i = 0; status == S3STORE_OK && i < batch_count; i++)
        status = s3s_parquet_writer_add(writer, batches[i], err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_finish(writer, err);
    if (writer != NULL)
        s3s_parquet_writer_free(writer);
    return status;
}

s3store_status s3s_datafile_encoder_new(s3s_env *env, s3s_schema *schema,
                                        const s3s_parquet_write_options *options,
                                        s3s_parquet_sink sink, s3s_datafile_encoder **out,
                                        s3store_error *err)
{
    return s3s_parquet_writer_new(env, schema, options, sink, out, err);
}

s3store_status s3s_datafile_encoder_add(s3s_datafile_encoder *encoder,
                                        const struct ArrowArray *batch, s3store_error *err)
{
    return s3s_parquet_writer_add(encoder, batch, err);
}

s3store_status s3s_datafile_encoder_add_beside(s3s_datafile_encoder *encoder,
                                               const struct ArrowArray *batch, s3s_item_fn beside,
                                               void *ctx, s3store_error *err)
{
    return s3s_parquet_writer_add_beside(encoder, batch, beside, ctx, err);
}

s3store_status s3s_datafile_encoder_finish(s3s_datafile_encoder *encoder, s3store_error *err)
{
    return s3s_parquet_writer_finish(encoder, err);
}

bool s3s_datafile_encoder_restart(s3s_datafile_encoder *encoder, const s3s_schema *schema,
                                  const s3s_parquet_write_options *options, s3s_parquet_sink sink)
{
    return s3s_parquet_writer_restart(encoder, schema, options, sink);
}

size_t s3s_datafile_encoder_held_bytes(s3s_datafile_encoder *encoder)
{
    return s3s_parquet_writer_held_bytes(encoder);
}

void s3s_datafile_encoder_free(s3s_datafile_encoder *encoder)
{
    s3s_parquet_writer_free(encoder);
}
