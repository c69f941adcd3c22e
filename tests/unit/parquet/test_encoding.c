/* tests/unit/parquet/test_encoding.c: packed integers, runs, deltas, dictionaries. */
#include "support/test.h"

#include <stdlib.h>

#include "parquet/codec/codec.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/delta.h"
#include "parquet/encoding/dictionary.h"
#include "parquet/encoding/hybrid.h"
#include "parquet/encoding/masks.h"
#include "parquet/encoding/values.h"

static uint64_t seed = 1;

static uint64_t next_random(void)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return seed >> 17 ^ seed << 40;
}

static void test_bits__copy_and_fill_at_every_offset(void **state)
{
    (void)state;
    uint8_t from[32], to[32], expected[32];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)next_random();
    for (size_t a = 0; a < 17; a++) {
        for (size_t b = 0; b < 17; b++) {
            for (size_t n = 0; n < 100; n += 7) {
                memset(to, 0x5a, sizeof to);
                memset(expected, 0x5a, sizeof expected);
                size_t ones = 0;
                for (size_t i = 0; i < n; i++) {
                    bool bit = s3s_bit(from, b + i);
                    ones += bit;
                    s3s_bits_fill(expected, a + i, 1, bit);
                }
                s3s_bits_copy(to, a, from, b, n);
                assert_memory_equal(to, expected, sizeof to);
                assert_int_equal(s3s_bits_count(to, a, n), ones);
                s3s_bits_fill(to, a, n, true);
                assert_int_equal(s3s_bits_count(to, a, n), n);
            }
        }
    }
}

static void test_bits__every_width_unpacks_what_was_packed(void **state)
{
    (void)state;
    enum { COUNT = 203 };
    uint32_t values[COUNT], got[COUNT];
    uint64_t wide[COUNT];
    for (unsigned width = 0; width <= 32; width++) {
        size_t size = s3s_bits_size(COUNT * width);
        uint8_t *packed = calloc(size + 1, 1); /* exact: a read past it is an error of ASan */
        for (size_t i = 0; i < COUNT; i++)
            values[i] = (uint32_t)(width == 0 ? 0 : next_random() >> (64 - width));
        s3s_pack32(values, COUNT, width, packed);
        for (size_t first = 0; first < 20; first++) {
            s3s_unpack32(packed, size, width, first, COUNT - first, got);
            assert_memory_equal(got, values + first, (COUNT - first) * 4);
            s3s_unpack64(packed, size, width, first, COUNT - first, wide);
            for (size_t i = first; i < COUNT; i++)
                assert_int_equal(wide[i - first], values[i]);
        }
        free(packed);
    }
}

static void test_bits__unpack_up_to_64_bits(void **state)
{
    (void)state;
    for (unsigned width = 33; width <= 64; width++) {
        uint8_t packed[64 * 8] = {0};
        uint64_t values[64], got[64];
        for (size_t i = 0; i < 64; i++) {
            values[i] = next_random() >> (64 - width);
            for (unsigned b = 0; b < width; b++)
                packed[(i * width + b) / 8] |=
                    (uint8_t)((values[i] >> b & 1) << (i * width + b) % 8);
        }
        s3s_unpack64(packed, 8 * width, width, 0, 64, got);
        assert_memory_equal(got, values, sizeof values);
    }
}

static void test_hybrid__reads_what_it_writes(void **state)
{
    (void)state;
    s3store_error err;
    enum { COUNT = 3000 };
    static uint32_t values[COUNT], got[COUNT];
    for (unsigned width = 0; width <= 32; width++) {
        for (unsigned run = 1; run <= 64; run *= 4) {
            s3s_buffer out;
            s3s_hybrid h;
            s3s_buffer_init(&out, NULL, SIZE_MAX);
            for (size_t i = 0; i < COUNT; i++)
                values[i] = i > 0 && next_random() % run != 0 ? values[i - 1]
                            : width == 0 ? 0
                                         : (uint32_t)(next_random() >> (64 - width));
            assert_ok(s3s_hybrid_encode(values, COUNT, width, &out, &err));
            s3s_hybrid_init(&h, "test", width, out.data, out.size);
            for (size_t at = 0, step = 1; at < COUNT; at += step, step = step * 3 % 257 + 1) {
                step = step < COUNT - at ? step : COUNT - at;
                assert_ok(s3s_hybrid_get(&h, got + at, step, &err));
            }
            assert_memory_equal(got, values, sizeof values);
            s3s_buffer_deinit(&out);
        }
    }
}

/* By a plain loop: a repetition of eight and more that begins a group is a run. */
static void encode_hybrid(const uint32_t *values, size_t count, unsigned width, s3s_buffer *out)
{
    s3store_error err;
    uint8_t *to;
    size_t packed = 0;
    for (size_t i = 0; i <= count;) {
        size_t run = 1, fill = (8 - (i - packed) % 8) % 8;
        while (i + run < count && values[i + run] == values[i])
            run++;
        if (i < count && run < 8 + fill) {
            i += run;
            continue;
        }
        size_t end = i < count ? i + fill : count, groups = (end - packed + 7) / 8;
        if (groups > 0) {
            uint8_t header[2] = {(uint8_t)(groups << 1 | 1), (uint8_t)(groups >> 6)};
            header[0] |= groups >= 64 ? 0x80 : 0;
            assert_ok(s3s_buffer_append(out, header, groups >= 64 ? 2 : 1, &err));
            to = s3s_buffer_reserve(out, groups * width, &err);
            assert_non_null(to);
            memset(to, 0, groups * width);
            for (size_t k = packed; k < end; k++)
                for (unsigned b = 0; b < width; b++)
                    to[((k - packed) * width + b) / 8] |=
                        (uint8_t)((values[k] >> b & 1) << ((k - packed) * width + b) % 8);
            out->size += groups * width;
        }
        if (i >= count)
            break;
        assert_ok(s3s_hybrid_encode_run(values[i], run - fill, width, out, &err));
        i += run;
        packed = i;
    }
}

/* Wherever values come from, the bytes are the same; and runs are where a plain loop finds them. */
static void test_hybrid__words_bytes_and_bits_are_written_alike(void **state)
{
    (void)state;
    s3store_error err;
    enum { COUNT = 2000 };
    static uint32_t words[COUNT];
    static uint8_t bytes[COUNT], bits[COUNT / 8 + 1];
    s3s_buffer expected, out;
    s3s_buffer_init(&expected, NULL, SIZE_MAX);
    s3s_buffer_init(&out, NULL, SIZE_MAX);
    for (unsigned width = 1; width <= 8; width++)
        for (size_t count = 1, round = 0; count <= COUNT; count += 1 + count / 7, round++) {
            unsigned often = 1u << round % 7; /* how often a value is that of the one before */
            memset(bits, 0, sizeof bits);
            for (size_t i = 0; i < count; i++) {
                words[i] = i > 0 && next_random() % often != 0
                               ? words[i - 1]
                               : (uint32_t)(next_random() >> (64 - width));
                bytes[i] = (uint8_t)words[i];
                bits[i / 8] |= (uint8_t)((words[i] & 1) << i % 8);
            }
            s3s_buffer_clear(&expected);
            s3s_buffer_clear(&out);
            encode_hybrid(words, count, width, &expected);
            assert_ok(s3s_hybrid_encode(words, count, width, &out, &err));
            assert_int_equal(out.size, expected.size);
            assert_memory_equal(out.data, expected.data, out.size);
            s3s_buffer_clear(&out);
            assert_ok(s3s_hybrid_encode_bytes(bytes, count, width, &out, &err));
            assert_int_equal(out.size, expected.size);
            assert_memory_equal(out.data, expected.data, out.size);
            if (width > 1)
                continue;
            s3s_buffer_clear(&out);
            assert_ok(s3s_hybrid_encode_bits(bits, count, &out, &err));
            assert_int_equal(out.size, expected.size);
            assert_memory_equal(out.data, expected.data, out.size);
        }
    s3s_buffer_deinit(&expected);
    s3s_buffer_deinit(&out);
}

static void test_masks__both_forms_say_what_a_loop_says(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        uint8_t values[S3S_MASK_BITS], least = (uint8_t)(next_random() % (round % 2 == 0 ? 4 : 256));
        uint64_t expected = 0, from = next_random(), where = 0, gathered = 0;
        size_t ones = 0;
        for (unsigned k = 0; k < S3S_MASK_BITS; k++) {
            values[k] = (uint8_t)(next_random() % (round % 2 == 0 ? 4 : 256));
            expected |= (uint64_t)(values[k] >= least) << k;
        }
        assert_true(s3s_mask_at_least(values, least) == expected);
        assert_true(s3s_mask_at_least_portable(values, least) == expected);
        where = round % 5 == 0 ? UINT64_MAX : round % 5 == 1 ? from & next_random() : next_random();
        for (unsigned k = 0; k < S3S_MASK_BITS; k++)
            if ((where >> k & 1) != 0)
                gathered |= (from >> k & 1) << ones++;
        assert_int_equal(s3s_mask_count(where), ones);
        assert_true(s3s_mask_gather(from, where) == gathered);
    }
    assert_true(s3s_mask_first(0) == 0 && s3s_mask_first(3) == 7);
    assert_true(s3s_mask_first(S3S_MASK_BITS) == UINT64_MAX);
}

static void test_hybrid__damage_is_an_error(void **state)
{
    (void)state;
    s3store_error err;
    uint32_t got[64];
    s3s_hybrid h;
    static const uint8_t empty_runs[] = {0, 0, 0}; /* runs of no value: 0, then a missing value */
    s3s_hybrid_init(&h, "levels", 1, empty_runs, sizeof empty_runs);
    assert_fails(s3s_hybrid_get(&h, got, 1, &err), S3STORE_CORRUPT, "levels");
    static const uint8_t wide[] = {4, 7}; /* two times 7, in 2 bits */
    s3s_hybrid_init(&h, "levels", 2, wide, sizeof wide);
    assert_fails(s3s_hybrid_get(&h, got, 1, &err), S3STORE_CORRUPT, "7 does not fit 2 bits");
    static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    s3s_hybrid_init(&h, "levels", 1, endless, sizeof endless);
    assert_fails(s3s_hybrid_get(&h, got, 1, &err), S3STORE_CORRUPT, "32 bits");
    static const uint8_t cut[] = {0x05, 0xaa}; /* two groups, one byte: 8 values are there */
    s3s_hybrid_init(&h, "levels", 1, cut, sizeof cut);
    assert_ok(s3s_hybrid_get(&h, got, 8, &err));
    assert_fails(s3s_hybrid_get(&h, got, 1, &err), S3STORE_CORRUPT, "end");
}

/* An encoder by the letter of the specification. */
static size_t encode_delta(const int64_t *values, size_t count, uint8_t *out)
{
    uint8_t *p = out;
#define VARINT(x)                                                                                  \
    do {                                                                                           \
        uint64_t v_ = (x);                                                                         \
        for (; v_ >= 0x80; v_ >>= 7)                                                               \
            *p++ = (uint8_t)(v_ | 0x80);                                                           \
        *p++ = (uint8_t)v_;                                                                        \
    } while (0)
#define ZIGZAG(x) VARINT(((uint64_t)(x) << 1) ^ (uint64_t)((int64_t)(x) >> 63))
    VARINT(128);
    VARINT(4);
    VARINT(count);
    ZIGZAG(count > 0 ? values[0] : 0);
    for (size_t at = 1; at < count; at += 128) {
        uint64_t deltas[128] = {0};
        size_t n = count - at < 128 ? count - at : 128;
        int64_t min = INT64_MAX;
        for (size_t i = 0; i < n; i++) {
            deltas[i] = (uint64_t)values[at + i] - (uint64_t)values[at + i - 1];
            min = (int64_t)deltas[i] < min ? (int64_t)deltas[i] : min;
        }
        ZIGZAG(min);
        uint8_t *widths = p;
        p += 4;
        for (size_t m = 0; m < 4; m++) {
            uint64_t all = 0;
            for (size_t i = m * 32; i < m * 32 + 32; i++) {
                deltas[i] = i < n ? deltas[i] - (uint64_t)min : 0;
                all |= deltas[i];
            }
            unsigned width = widths[m] = (uint8_t)(m * 32 < n ? s3s_bit_width(all) : 0);
            memset(p, 0, width * 4);
            for (size_t i = 0; i < 32; i++)
                for (unsigned b = 0; b < width; b++)
                    p[(i * width + b) / 8] |=
                        (uint8_t)((deltas[m * 32 + i] >> b & 1) << (i * width + b) % 8);
            p += width * 4;
        }
    }
    return (size_t)(p - out);
}

static void test_delta__reads_every_width(void **state)
{
    (void)state;
    s3store_error err;
    enum { MAX = 1000 };
    static int64_t values[MAX], got[MAX];
    static uint8_t bytes[MAX * 9 + 200];
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t count = 0; count < MAX; count = count * 2 + 1) {
            for (size_t i = 0; i < count; i++)
                values[i] = width == 0 ? 42 : (int64_t)(next_random() >> (64 - width));
            size_t size = encode_delta(values, count, bytes);
            uint8_t *exact = malloc(size);
            memcpy(exact, bytes, size);
            s3s_delta d;
            const uint8_t *end = NULL;
            assert_ok(s3s_delta_init(&d, exact, size, &err));
            assert_ok(s3s_delta_end(&d, &end, &err));
            assert_ptr_equal(end, exact + size);
            for (size_t at = 0; at < count;) {
                size_t step = 1 + next_random() % 200;
                step = step < count - at ? step : count - at;
                assert_ok(s3s_delta_get(&d, got + at, step, &err));
                at += step;
            }
            assert_memory_equal(got, values, count * 8);
            assert_fails(s3s_delta_get(&d, got, 1, &err), S3STORE_CORRUPT, "more values");
            free(exact);
        }
    }
}

static void test_delta__damage_is_an_error(void **state)
{
    (void)state;
    s3store_error err;
    s3s_delta d;
    static const uint8_t no_block[] = {0, 4, 1, 0};
    assert_fails(s3s_delta_init(&d, no_block, 4, &err), S3STORE_CORRUPT, "block of 0");
    static const uint8_t odd[] = {128, 1, 3, 1, 0};
    assert_fails(s3s_delta_init(&d, odd, 5, &err), S3STORE_CORRUPT, "3 miniblocks");
    static const uint8_t wide[] = {128, 1, 4, 9, 0, 0, 65, 0, 0, 0};
    int64_t got[9];
    assert_ok(s3s_delta_init(&d, wide, sizeof wide, &err));
    assert_fails(s3s_delta_get(&d, got, 9, &err), S3STORE_CORRUPT, "65 bits");
    /* 2^60 values in a few bytes: the end is found, or missing, without a walk over them. */
    static const uint8_t bomb[] = {128, 1, 4, 255, 255, 255, 255, 255, 255, 255, 255, 15, 0, 0, 0};
    const uint8_t *end = NULL;
    assert_ok(s3s_delta_init(&d, bomb, sizeof bomb, &err));
    assert_fails(s3s_delta_end(&d, &end, &err), S3STORE_CORRUPT, "ends");
}

/* The index of one value; UINT32_MAX when it was not taken. */
static uint32_t add_text(s3s_dictionary_builder *d, const char *text, size_t size)
{
    s3store_bytes span = {.data = (const void *)text, .size = size};
    uint32_t index = 0;
    return s3s_dictionary_add(d, &span, 1, &index) == 1 ? index : UINT32_MAX;
}

static uint32_t add_number(s3s_dictionary_builder *d, uint64_t number)
{
    uint32_t index = 0;
    return s3s_dictionary_add(d, &number, 1, &index) == 1 ? index : UINT32_MAX;
}

static void test_dictionary__finds_values_again(void **state)
{
    (void)state;
    s3s_dictionary_builder d;
    s3s_dictionary_init(&d, NULL, 0, 1 << 20);
    char text[64];
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 5000; i++) { /* of 0 to 40 bytes */
            static const char tail[] = "abcdefghijklmnopqrstuvwxyzabcdefghijkl";
            int size = i == 0 ? 0 : sprintf(text, "%u%.*s", i, (int)(i % 36), tail);
            assert_int_equal(add_text(&d, text, (size_t)size), i);
            s3store_bytes value = s3s_dictionary_value(&d, i);
            assert_int_equal(value.size, size);
            assert_memory_equal(value.data, text, size);
        }
    }
    size_t before = s3s_dictionary_bytes(&d, 100);
    s3s_dictionary_truncate(&d, 100);
    assert_int_equal(d.page.size, before);
    assert_int_equal(add_text(&d, "", 0), 0);
    assert_int_equal(add_text(&d, "new", 3), 100);
    s3s_dictionary_clear(&d);
    assert_int_equal(add_text(&d, "x", 1), 0);
    s3s_dictionary_deinit(&d);
}

/* Several texts in one call give what one call for each of them gives, also where it is full. */
static void test_dictionary__takes_texts_one_by_one_or_together(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    static char texts[COUNT][48];
    static s3store_bytes spans[COUNT];
    static uint32_t indexes[COUNT];
    for (unsigned i = 0; i < COUNT; i++) { /* each twice, of 0 to 43 bytes */
        int size = i == 0 ? 0 : sprintf(texts[i], "%0*u", (int)(i / 2 % 41) + 3, i / 2);
        spans[i] = (s3store_bytes){.data = texts[i], .size = (size_t)size};
    }
    for (size_t max = 0; max < 12000; max += 100) {
        s3s_dictionary_builder one, all;
        s3s_dictionary_init(&one, NULL, 0, max);
        s3s_dictionary_init(&all, NULL, 0, max);
        size_t taken = s3s_dictionary_add(&all, spans, COUNT, indexes);
        for (size_t i = 0; i < taken; i++)
            assert_int_equal(add_text(&one, spans[i].data, spans[i].size), indexes[i]);
        if (taken < COUNT)
            assert_int_equal(add_text(&one, spans[taken].data, spans[taken].size), UINT32_MAX);
        assert_int_equal(taken < COUNT, max < 9245);
        assert_int_equal(all.count, one.count);
        assert_int_equal(all.page.size, one.page.size);
        if (one.page.size > 0)
            assert_memory_equal(all.page.data, one.page.data, one.page.size);
        s3s_dictionary_deinit(&one);
        s3s_dictionary_deinit(&all);
    }
}

static void test_dictionary__says_when_it_is_full(void **state)
{
    (void)state;
    s3s_dictionary_builder d;
    s3s_dictionary_init(&d, NULL, 8, 80);
    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(add_number(&d, i), i);
    assert_int_equal(add_number(&d, 10), UINT32_MAX);
    assert_false(d.failed);
    assert_int_equal(add_number(&d, 3), 3);
    s3s_dictionary_deinit(&d);
}

static void test_values__an_encoding_must_fit_its_type(void **state)
{
    (void)state;
    s3store_error err;
    s3s_values v;
    s3s_values_init(&v, NULL, NULL, S3S_PQ_DOUBLE, 0);
    assert_fails(s3s_values_begin(&v, S3S_PQ_DELTA_BINARY_PACKED, NULL, 0, 0, NULL, &err),
                 S3STORE_CORRUPT, "DOUBLE");
    assert_fails(s3s_values_begin(&v, 77, NULL, 0, 0, NULL, &err), S3STORE_UNSUPPORTED, "77");
    assert_fails(s3s_values_begin(&v, S3S_PQ_BIT_PACKED, NULL, 0, 0, NULL, &err),
                 S3STORE_UNSUPPORTED, "4");
    s3s_values_deinit(&v);
}

static void test_values__plain_strings_do_not_leave_the_page(void **state)
{
    (void)state;
    s3store_error err;
    static const uint8_t page[] = {1, 0, 0, 0, 'a', 9, 0, 0, 0, 'b'};
    s3s_values v;
    s3store_bytes out[2];
    size_t got = 0;
    s3s_values_init(&v, NULL, NULL, S3S_PQ_BYTE_ARRAY, 0);
    assert_ok(s3s_values_begin(&v, S3S_PQ_PLAIN, page, sizeof page, 5, NULL, &err));
    assert_ok(s3s_values_get(&v, out, 1, &got, &err));
    assert_int_equal(out[0].size, 1);
    assert_fails(s3s_values_get(&v, out, 1, &got, &err), S3STORE_CORRUPT, "9 bytes where 1 remain");
    s3s_values_deinit(&v);
}

/* A page of several gzip members, one of them empty, is all of them; and neither more nor less. */
static void test_gzip__members_follow_each_other(void **state)
{
    enum { SIZE = 30000, PARTS = 4 };
    static const size_t ends[PARTS] = {1, 1, 20000, SIZE};
    static uint8_t values[SIZE], packed[2 * SIZE], out[SIZE];
    const s3s_codec *gzip = s3s_codec_by_id(S3S_PQ_GZIP);
    s3s_codec_state codec;
    s3store_error err;
    size_t size = 0, before_last = 0, begin = 0;
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        values[i] = (uint8_t)(next_random() % 7 + i / 5000);
    s3s_codec_init(&codec, NULL);
    for (size_t i = 0; i < PARTS; i++) {
        size_t room = sizeof packed - size;
        before_last = size;
        assert_ok(gzip->compress(&codec, values + begin, ends[i] - begin, packed + size, &room,
                                 &err));
        size += room;
        begin = ends[i];
    }
    assert_ok(gzip->decompress(&codec, packed, size, out, SIZE, &err));
    assert_memory_equal(out, values, SIZE);
    assert_fails(gzip->decompress(&codec, packed, before_last, out, SIZE, &err), S3STORE_CORRUPT,
                 "10000 bytes shorter");
    assert_int_equal(gzip->decompress(&codec, packed, size - 1, out, SIZE, &err), S3STORE_CORRUPT);
    assert_fails(gzip->decompress(&codec, packed, size, out, SIZE - 1, &err), S3STORE_CORRUPT,
                 "more than the page says");
    s3s_codec_deinit(&codec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits__copy_and_fill_at_every_offset),
        cmocka_unit_test(test_bits__every_width_unpacks_what_was_packed),
        cmocka_unit_test(test_bits__unpack_up_to_64_bits),
        cmocka_unit_test(test_hybrid__reads_what_it_writes),
        cmocka_unit_test(test_hybrid__words_bytes_and_bits_are_written_alike),
        cmocka_unit_test(test_masks__both_forms_say_what_a_loop_says),
        cmocka_unit_test(test_hybrid__damage_is_an_error),
        cmocka_unit_test(test_delta__reads_every_width),
        cmocka_unit_test(test_delta__damage_is_an_error),
        cmocka_unit_test(test_dictionary__finds_values_again),
        cmocka_unit_test(test_dictionary__takes_texts_one_by_one_or_together),
        cmocka_unit_test(test_dictionary__says_when_it_is_full),
        cmocka_unit_test(test_values__an_encoding_must_fit_its_type),
        cmocka_unit_test(test_values__plain_strings_do_not_leave_the_page),
        cmocka_unit_test(test_gzip__members_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
