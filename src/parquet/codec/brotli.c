/* parquet/codec/brotli.c: reading brotli. */
#include "parquet/codec/internal.h"

#include <brotli/decode.h>

#include "base/error.h"

static void *take(void *env, size_t size)
{
    return s3s_alloc(env, size);
}

static void give(void *env, void *p)
{
    s3s_free(env, p);
}

s3store_status s3s_brotli_decompress(s3s_codec_state *state, const uint8_t *in, size_t in_size,
                                     uint8_t *out, size_t out_size, s3store_error *err)
{
    BrotliDecoderState *decoder = BrotliDecoderCreateInstance(take, give, state->env);
    if (decoder == NULL)
        return s3s_fail_memory(err, 0);
    size_t room = out_size;
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(decoder, &in_size, &in, &room, &out, NULL);
    BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(decoder);
    BrotliDecoderDestroyInstance(decoder);
    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
        code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
        return s3s_fail_memory(err, 0);
    if (result != BROTLI_DECODER_RESULT_SUCCESS || room != 0 || in_size != 0)
        return s3s_fail(err, S3STORE_CORRUPT, "brotli: the data is damaged");
    return S3STORE_OK;
}
