/* Compression: first byte the codec, two bytes the size that is declared, then bytes that are
 * decompressed; and compressed, which must come back equal. */
#include "fuzz/fuzz.h"
#include "parquet/codec/codec.h"

static void decompress(const s3s_codec *codec, const uint8_t *data, size_t size, size_t declared)
{
    s3s_codec_state state;
    s3s_codec_init(&state, fuzz_env());
    uint8_t *out = malloc(declared + (declared == 0)); /* exact, so that ASan sees a byte more */
    s3store_error err = {0};
    FUZZ_CHECK(out != NULL);
    s3store_status status = codec->decompress(&state, data, size, out, declared, &err);
    FUZZ_CHECK(status == S3STORE_OK || (status == S3STORE_CORRUPT && err.message[0] != '\0'));
    free(out);
    s3s_codec_deinit(&state);
}

static void round_trip(const s3s_codec *codec, const uint8_t *data, size_t size)
{
    if (codec->compress == NULL)
        return;
    s3s_codec_state state;
    s3s_codec_init(&state, fuzz_env());
    size_t packed = codec->max_compressed(size);
    uint8_t *to = malloc(packed + (packed == 0)), *back = malloc(size + (size == 0));
    FUZZ_CHECK(to != NULL && back != NULL);
    FUZZ_CHECK(codec->compress(&state, data, size, to, &packed, NULL) == S3STORE_OK);
    FUZZ_CHECK(codec->decompress(&state, to, packed, back, size, NULL) == S3STORE_OK);
    FUZZ_CHECK(size == 0 || memcmp(back, data, size) == 0);
    /* One byte more or less than there is must not pass. */
    if (codec->id != S3S_PQ_UNCOMPRESSED && size > 0)
        FUZZ_CHECK(codec->decompress(&state, to, packed, back, size - 1, NULL) ==
                   S3STORE_CORRUPT);
    free(to);
    free(back);
    s3s_codec_deinit(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    const s3s_codec *codec = s3s_codec_by_id(data[0] % 8);
    if (codec == NULL)
        return 0;
    decompress(codec, data + 3, size - 3, data[1] + 256u * data[2]);
    round_trip(codec, data + 3, size - 3);
    fuzz_check_leaks();
    return 0;
}
