/* parquet/codec/block.c: codecs that work on a block without a context: snappy and the LZ4 pair. */
#include "parquet/codec/internal.h"

#include <lz4.h>
#include <snappy-c.h>

#include "base/error.h"

s3store_status s3s_snappy_decompress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                     uint8_t *out, size_t out_size, s3store_error *err)
{
    (void)state;
    size_t length = 0;
    if (snappy_uncompressed_length((const char *)in, in_size, &length) != SNAPPY_OK)
        return s3s_fail(err, S3STORE_CORRUPT, "snappy: the data is damaged");
    if (length != out_size)
        return s3s_fail(err, S3STORE_CORRUPT, "snappy: the data holds %zu bytes, the page says %zu",
                        length, out_size);
    if (snappy_uncompress((const char *)in, in_size, (char *)out, &length) != SNAPPY_OK ||
        length != out_size)
        return s3s_fail(err, S3STORE_CORRUPT, "snappy: the data is damaged");
    return S3STORE_OK;
}

size_t s3s_snappy_max_compressed(size_t size)
{
    return snappy_max_compressed_length(size);
}

s3store_status s3s_snappy_compress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                   uint8_t *out, size_t *out_size, s3store_error *err)
{
    (void)state;
    if (snappy_compress((const char *)in, in_size, (char *)out, out_size) != SNAPPY_OK)
        return s3s_fail(err, S3STORE_INTERNAL, "snappy could not compress %zu bytes", in_size);
    return S3STORE_OK;
}

s3store_status s3s_lz4_raw_decompress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                      uint8_t *out, size_t out_size, s3store_error *err)
{
    (void)state;
    int got = -1;
    if (in_size <= INT32_MAX && out_size <= INT32_MAX)
        got = LZ4_decompress_safe((const char *)in, (char *)out, (int)in_size, (int)out_size);
    if (got < 0 || (size_t)got != out_size)
        return s3s_fail(err, S3STORE_CORRUPT, "lz4: the data is damaged");
    return S3STORE_OK;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Hadoop's framing: blocks of a big-endian uncompressed size and one or more pieces, each with its
 * big-endian compressed size. */
static bool hadoop_blocks(const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size)
{
    while (in_size > 0) {
        if (in_size < 8)
            return false;
        size_t block = be32(in);
        in += 4;
        in_size -= 4;
        if (block > out_size)
            return false;
        while (block > 0) {
            if (in_size < 4)
                return false;
            size_t piece = be32(in);
            in += 4;
            in_size -= 4;
            if (piece == 0 || piece > in_size || piece > INT32_MAX || block > INT32_MAX)
                return false;
            int got = LZ4_decompress_safe((const char *)in, (char *)out, (int)piece, (int)block);
            if (got <= 0)
                return false;
            in += piece;
            in_size -= piece;
            out += got;
            out_size -= (size_t)got;
            block -= (size_t)got;
        }
    }
    return out_size == 0;
}

/* The codec named LZ4: by the letter Hadoop's framing, but old parquet-cpp wrote bare blocks. */
s3store_status s3s_lz4_hadoop_decompress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                         uint8_t *out, size_t out_size, s3store_error *err)
{
    if (hadoop_blocks(in, in_size, out, out_size))
        return S3STORE_OK;
    return s3s_lz4_raw_decompress(state, in, in_size, out, out_size, err);
}
