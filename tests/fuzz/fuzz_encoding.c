/* The values section of a page, and levels: first byte what (physical type and encoding), second a
 * width, third and fourth how many values; the rest is the section. Codecs too: they stand before
 * every section. */
#include "fuzz/fuzz.h"
#include "parquet/codec/codec.h"
#include "parquet/encoding/values.h"

#define VALUES_MAX 512
#define OUT_BYTES (VALUES_MAX * 64)

static void decode_values(int32_t encoding, s3s_physical physical, size_t width,
                          const uint8_t *data, size_t size, size_t count)
{
    static uint8_t dictionary_values[4096];
    s3s_budget budget = {.max = 8u << 20};
    s3s_values v;
    s3s_values_init(&v, fuzz_env(), &budget, physical, width);
    s3s_dictionary dictionary = {.count = 5};
    s3s_block_init(&dictionary.values, fuzz_env(), NULL);
    if (physical == S3S_PQ_BYTE_ARRAY)
        for (size_t i = 0; i < 5; i++)
            ((s3store_bytes *)dictionary_values)[i] = (s3store_bytes){.data = "ab", .size = 2};
    else
        memset(dictionary_values, 0, sizeof dictionary_values);
    dictionary.values.data = dictionary_values;
    dictionary.values.size = 5 * (v.width > 0 ? v.width : 1);
    uint8_t *out = malloc(OUT_BYTES);
    FUZZ_CHECK(out != NULL);
    s3store_status status =
        s3s_values_begin(&v, encoding, data, size, count, count % 2 == 0 ? &dictionary : NULL,
                         NULL);
    for (size_t left = count; status == S3STORE_OK && left > 0;) {
        size_t got = 0;
        size_t room = v.width > 0 ? OUT_BYTES / v.width : VALUES_MAX;
        size_t ask = left < room ? left : room;
        status = s3s_values_get(&v, out, ask > VALUES_MAX ? VALUES_MAX : ask, &got, NULL);
        if (status != S3STORE_OK)
            break;
        FUZZ_CHECK(got > 0 && got <= left);
        if (physical == S3S_PQ_BYTE_ARRAY) {
            const s3store_bytes *bytes = (const s3store_bytes *)out;
            unsigned sum = 0;
            for (size_t i = 0; i < got; i++)
                for (size_t k = 0; k < bytes[i].size; k++)
                    sum += ((const uint8_t *)bytes[i].data)[k];
            (void)sum;
        }
        left -= got;
    }
    free(out);
    s3s_values_deinit(&v);
    FUZZ_CHECK(budget.used == 0);
}

static void decode_levels(unsigned width, const uint8_t *data, size_t size, size_t count)
{
    static uint32_t out[65536];
    s3s_hybrid h;
    s3s_hybrid_init(&h, "levels", width, data, size);
    if (s3s_hybrid_get(&h, out, count, NULL) == S3STORE_OK)
        for (size_t i = 0; i < count && width < 32; i++)
            FUZZ_CHECK(out[i] < (uint64_t)1 << width);
    static uint8_t bits[8192 + 8];
    size_t ones = 0;
    s3s_hybrid_init(&h, "levels", 1, data, size);
    if (s3s_hybrid_get_bits(&h, bits, 3, count, &ones, NULL) == S3STORE_OK)
        FUZZ_CHECK(ones <= count);
    (void)s3s_bit_packed_get(data, size, width, 0, count, out, NULL);
}

static void decompress(int32_t id, const uint8_t *data, size_t size, size_t out_size)
{
    const s3s_codec *codec = s3s_codec_by_id(id);
    if (codec == NULL)
        return;
    s3s_codec_state state;
    s3s_codec_init(&state, fuzz_env());
    uint8_t *out = malloc(out_size + 1);
    FUZZ_CHECK(out != NULL);
    s3store_status status = codec->decompress(&state, data, size, out, out_size, NULL);
    FUZZ_CHECK(status == S3STORE_OK || status == S3STORE_CORRUPT);
    free(out);
    s3s_codec_deinit(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    static const s3s_physical physicals[] = {
        S3S_PQ_BOOLEAN, S3S_PQ_INT32,  S3S_PQ_INT64,      S3S_PQ_INT96,
        S3S_PQ_FLOAT,   S3S_PQ_DOUBLE, S3S_PQ_BYTE_ARRAY, S3S_PQ_FIXED};
    size_t count = (size_t)data[2] + 256 * (data[3] & 15);
    unsigned what = data[0];
    unsigned width = data[1];
    uint8_t *exact = malloc(size - 4 + 1);
    FUZZ_CHECK(exact != NULL);
    memcpy(exact, data + 4, size - 4);
    decode_values((int32_t)(what / 16) % 11, physicals[what % 8], 1 + width % 40, exact, size - 4,
                  count);
    if (what % 16 == 15)
        decode_levels(width % 33, exact, size - 4, count);
    if (what % 16 == 14)
        decompress((int32_t)(width % 9), exact, size - 4, count * 4);
    free(exact);
    fuzz_check_leaks();
    return 0;
}
