/* parquet/codec/gzip.c: gzip members by libdeflate, which allocates its two contexts by itself
 * (1.14 has no allocator per context; a global one would be a global). */
#include "parquet/codec/internal.h"

#include <libdeflate.h>

#include "base/error.h"

#define GZIP_LEVEL 6

s3store_status s3s_gzip_decompress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                   uint8_t *out, size_t out_size, s3store_error *err)
{
    if (state->deflate_in == NULL)
        state->deflate_in = libdeflate_alloc_decompressor();
    if (state->deflate_in == NULL)
        return s3s_fail_memory(err, 0);
    /* Members follow each other; their outputs are one stream. */
    while (in_size > 0) {
        size_t used = 0, made = 0;
        enum libdeflate_result result = libdeflate_gzip_decompress_ex(
            state->deflate_in, in, in_size, out, out_size, &used, &made);
        if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
            return s3s_fail(err, S3STORE_CORRUPT, "gzip: the data holds more than the page says");
        if (result != LIBDEFLATE_SUCCESS || used == 0)
            return s3s_fail(err, S3STORE_CORRUPT, "gzip: the data is damaged");
        in += used;
        in_size -= used;
        out += made;
        out_size -= made;
    }
    if (out_size != 0)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "gzip: the data is %zu bytes shorter than the page says", out_size);
    return S3STORE_OK;
}

size_t s3s_gzip_max_compressed(size_t size)
{
    return libdeflate_gzip_compress_bound(NULL, size);
}

s3store_status s3s_gzip_compress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                 uint8_t *out, size_t *out_size, s3store_error *err)
{
    if (state->deflate_out == NULL)
        state->deflate_out = libdeflate_alloc_compressor(GZIP_LEVEL);
    if (state->deflate_out == NULL)
        return s3s_fail_memory(err, 0);
    size_t made = libdeflate_gzip_compress(state->deflate_out, in, in_size, out, *out_size);
    if (made == 0)
        return s3s_fail(err, S3STORE_INTERNAL, "gzip could not compress %zu bytes", in_size);
    *out_size = made;
    return S3STORE_OK;
}

void s3s_gzip_deinit(s3s_codec_state *state)
{
    if (state->deflate_in != NULL)
        libdeflate_free_decompressor(state->deflate_in);
    if (state->deflate_out != NULL)
        libdeflate_free_compressor(state->deflate_out);
    state->deflate_in = state->deflate_out = NULL;
}
