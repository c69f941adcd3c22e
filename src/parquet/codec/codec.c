/* parquet/codec/codec.c: the table. */
#include "parquet/codec/internal.h"

#include <string.h>

#include "base/error.h"

static s3store_status copy_decompress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                      uint8_t *out, size_t out_size, s3store_error *err)
{
    (void)state;
    if (in_size != out_size)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "an uncompressed page of %zu bytes claims to hold %zu", in_size, out_size);
    if (in_size > 0)
        memcpy(out, in, in_size);
    return S3STORE_OK;
}

static size_t copy_max(size_t size)
{
    return size;
}

static s3store_status copy_compress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                    uint8_t *out, size_t *out_size, s3store_error *err)
{
    (void)state;
    (void)err;
    if (in_size > 0)
        memcpy(out, in, in_size);
    *out_size = in_size;
    return S3STORE_OK;
}

/* Ratios: a snappy copy makes 64 bytes of 3 (22 is generous); deflate's best is 1032; an lz4 length
 * byte adds 255. */
static const s3s_codec codecs[] = {
    {S3S_PQ_UNCOMPRESSED, "UNCOMPRESSED", 1, copy_decompress, copy_max, copy_compress},
    {S3S_PQ_SNAPPY, "SNAPPY", 64, s3s_snappy_decompress, s3s_snappy_max_compressed,
     s3s_snappy_compress},
    {S3S_PQ_GZIP, "GZIP", 1040, s3s_gzip_decompress, s3s_gzip_max_compressed, s3s_gzip_compress},
    {S3S_PQ_LZO, "LZO", 0, NULL, NULL, NULL},
    {S3S_PQ_BROTLI, "BROTLI", 0, s3s_brotli_decompress, NULL, NULL},
    {S3S_PQ_LZ4, "LZ4", 256, s3s_lz4_hadoop_decompress, NULL, NULL},
    {S3S_PQ_ZSTD, "ZSTD", 0, s3s_zstd_decompress, s3s_zstd_max_compressed, s3s_zstd_compress},
    {S3S_PQ_LZ4_RAW, "LZ4_RAW", 256, s3s_lz4_raw_decompress, NULL, NULL},
};

const s3s_codec *s3s_codec_by_id(int32_t id)
{
    if (id < 0 || (size_t)id >= sizeof codecs / sizeof *codecs || codecs[id].decompress == NULL)
        return NULL;
    return &codecs[id];
}

const char *s3s_codec_name(int32_t id)
{
    if (id < 0 || (size_t)id >= sizeof codecs / sizeof *codecs)
        return "?";
    return codecs[id].name;
}

void s3s_codec_init(s3s_codec_state *state, s3s_env *env)
{
    memset(state, 0, sizeof *state);
    state->env = env;
}

void s3s_codec_deinit(s3s_codec_state *state)
{
    s3s_gzip_deinit(state);
    s3s_zstd_deinit(state);
}
