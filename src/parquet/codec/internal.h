/* parquet/codec/internal.h: the functions behind the table. */
#ifndef S3S_PARQUET_CODEC_INTERNAL_H
#define S3S_PARQUET_CODEC_INTERNAL_H

#include "parquet/codec/codec.h"

#define S3S_DECOMPRESS(name)                                                                       \
    s3store_status s3s_##name##_decompress(s3s_codec_state *state, const uint8_t *in,              \
                                           size_t in_size, uint8_t *out, size_t out_size,          \
                                           s3store_error *err)
#define S3S_COMPRESS(name)                                                                         \
    size_t s3s_##name##_max_compressed(size_t size);                                               \
    s3store_status s3s_##name##_compress(s3s_codec_state *state, const uint8_t *in,                \
                                         size_t in_size, uint8_t *out, size_t *out_size,           \
                                         s3store_error *err)

S3S_DECOMPRESS(snappy);
S3S_COMPRESS(snappy);
S3S_DECOMPRESS(gzip);
S3S_COMPRESS(gzip);
S3S_DECOMPRESS(zstd);
S3S_COMPRESS(zstd);
S3S_DECOMPRESS(brotli);
S3S_DECOMPRESS(lz4_raw);
S3S_DECOMPRESS(lz4_hadoop);

void s3s_gzip_deinit(s3s_codec_state *state);
void s3s_zstd_deinit(s3s_codec_state *state);

#endif
