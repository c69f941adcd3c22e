/* Checked arithmetic, hex, base64, UTF-8, numbers, percent-encoding. */
#include "support/test.h"

#include "base/bytes.h"

static void test_arithmetic__overflow_is_reported_and_leaves_the_output(void **state)
{
    (void)state;
    size_t out = 7;
    assert_true(s3s_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(s3s_add(SIZE_MAX, 1, &(size_t){0}));
    assert_true(s3s_mul(3, 5, &out));
    assert_int_equal(out, 15);
    assert_false(s3s_mul(SIZE_MAX / 2, 3, &(size_t){0}));
}

static void test_little_endian__reads_unaligned(void **state)
{
    (void)state;
    const uint8_t b[] = {0xFF, 1, 2, 3, 4, 5, 6, 7, 8};
    assert_int_equal(s3s_le16(b + 1), 0x0201);
    assert_int_equal(s3s_le32(b + 1), 0x04030201);
    assert_true(s3s_le64(b + 1) == UINT64_C(0x0807060504030201));
}

static void test_hex__there_and_back(void **state)
{
    (void)state;
    const uint8_t data[] = {0x00, 0x9f, 0xab};
    char text[7];
    uint8_t back[3];
    s3s_hex(data, 3, text);
    assert_string_equal(text, "009fab");
    assert_true(s3s_unhex("009FaB", 6, back, 3));
    assert_memory_equal(back, data, 3);
    assert_false(s3s_unhex("009fa", 5, back, 3));
    assert_false(s3s_unhex("009fab00", 8, back, 3));
    assert_false(s3s_unhex("009fag", 6, back, 3));
    assert_false(s3s_unhex("0x9fab", 6, back, 3));
    assert_true(s3s_unhex("", 0, back, 0));
    uint8_t every[256];
    char long_text[513], digits[3];
    for (size_t i = 0; i < sizeof every; i++)
        every[i] = (uint8_t)i;
    for (size_t size = 247; size <= sizeof every; size++) {
        s3s_hex(every, size, long_text);
        assert_int_equal(strlen(long_text), 2 * size);
        for (size_t i = 0; i < size; i++) {
            snprintf(digits, sizeof digits, "%02x", every[i]);
            assert_memory_equal(long_text + 2 * i, digits, 2);
        }
    }
}

static void test_base64__vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        {"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        char out[16];
        s3s_base64(vectors[i][0], strlen(vectors[i][0]), out);
        assert_string_equal(out, vectors[i][1]);
    }
    char out[8];
    s3s_base64("\xFB\xFF\xFE", 3, out);
    assert_string_equal(out, "+//+");
}

static void test_utf8__follows_rfc_3629(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain ascii that is longer than eight", true},
        {"gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x8C\x8D", true},
        {"\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF", true}, /* around surrogates; the last one */
        {"\x80", false},                                    /* continuation alone */
        {"\xC0\x80", false},                                /* overlong NUL */
        {"\xC1\xBF", false},
        {"\xE0\x9F\xBF", false}, /* overlong */
        {"\xED\xA0\x80", false}, /* surrogate */
        {"\xF0\x8F\xBF\xBF", false},
        {"\xF4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xF5\x80\x80\x80", false},
        {"\xE2\x82", false}, /* cut */
        {"12345678\xC3", false},
        {"\xE2\x82\x28", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (s3s_utf8_valid(cases[i].text, strlen(cases[i].text)) != cases[i].valid)
            fail_msg("case %zu", i);
    }
    assert_true(s3s_utf8_valid("a\0b", 3));
}

static void test_parse_i64__is_go_s(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},     {"-0", 0},  {"+7", 7},
        {"007", 7},   {"-12", -12}, {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const bad[] = {"",   "+",   "-",  " 1", "1 ", "1_000", "0x1",
                                      "1.", "--1", "+-1", "9223372036854775808",
                                      "-9223372036854775809", "99999999999999999999"};
    int64_t v;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(s3s_parse_i64(good[i].text, strlen(good[i].text), &v));
        assert_true(v == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (s3s_parse_i64(bad[i], strlen(bad[i]), &v))
            fail_msg("accepted \"%s\"", bad[i]);
    }
}

static void test_text__prefix_and_suffix(void **state)
{
    (void)state;
    assert_true(s3s_starts_with("abc", "ab"));
    assert_true(s3s_starts_with("abc", ""));
    assert_false(s3s_starts_with("ab", "abc"));
    assert_true(s3s_ends_with("a.parquet", ".parquet"));
    assert_true(s3s_ends_with("x", ""));
    assert_false(s3s_ends_with("t", ".parquet"));
}

static const s3s_byte_set keep_letters = {{['a' ... 'z'] = true}};

static void test_copy_short__copies_every_size_and_no_more(void **state)
{
    (void)state;
    uint8_t from[48], to[48];
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)(i + 1);
    for (size_t size = 0; size < 40; size++) {
        memset(to, 0, sizeof to);
        s3s_copy_short(to + 4, from, size);
        assert_memory_equal(to + 4, from, size);
        for (size_t i = 0; i < sizeof to; i++)
            assert_true(to[i] == 0 || (i >= 4 && i < 4 + size));
    }
}

static void test_percent__encode_stops_at_the_room(void **state)
{
    (void)state;
    char out[32];
    assert_true(s3s_percent_encode("a/b\xFF", 4, &keep_letters, out, sizeof out));
    assert_string_equal(out, "a%2Fb%FF");
    assert_true(s3s_percent_encode("a/b\xFF", 4, &keep_letters, out, 9));
    assert_false(s3s_percent_encode("a/b\xFF", 4, &keep_letters, out, 8));
    assert_false(s3s_percent_encode("abc", 3, &keep_letters, out, 3));
    assert_true(s3s_percent_encode("", 0, &keep_letters, out, 1));
    assert_false(s3s_percent_encode("", 0, &keep_letters, out, 0));
}

static void test_percent__decode_refuses_bad_escapes(void **state)
{
    (void)state;
    char out[8];
    size_t size;
    assert_true(s3s_percent_decode("a%2fb%00c", 9, out, sizeof out, &size));
    assert_int_equal(size, 5);
    assert_memory_equal(out, "a/b\0c", 6);
    assert_false(s3s_percent_decode("a%2", 3, out, sizeof out, &size));
    assert_false(s3s_percent_decode("%", 1, out, sizeof out, &size));
    assert_false(s3s_percent_decode("%zz", 3, out, sizeof out, &size));
    assert_false(s3s_percent_decode("12345678", 8, out, sizeof out, &size));
    assert_true(s3s_percent_decode("1234567", 7, out, sizeof out, &size));
    assert_true(s3s_percent_decode("+", 1, out, sizeof out, &size)); /* a plus is a plus */
    assert_string_equal(out, "+");
}

static void test_decimal__writes_every_int64(void **state)
{
    (void)state;
    char out[S3S_DECIMAL_SIZE];
    assert_string_equal(s3s_decimal(0, out), "0");
    assert_string_equal(s3s_decimal(-7, out), "-7");
    assert_string_equal(s3s_decimal(1700000000000000, out), "1700000000000000");
    assert_string_equal(s3s_decimal(INT64_MAX, out), "9223372036854775807");
    assert_string_equal(s3s_decimal(INT64_MIN, out), "-9223372036854775808");
}

static void test_ascii__one_high_byte_anywhere_is_seen(void **state)
{
    (void)state;
    char text[80];
    for (size_t size = 0; size <= sizeof text; size++) {
        memset(text, 0x7f, sizeof text);
        assert_true(s3s_is_ascii(text, size));
        for (size_t i = 0; i < size; i++) {
            text[i] = (char)0x80;
            assert_false(s3s_is_ascii(text, size));
            text[i] = 0;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decimal__writes_every_int64),
        cmocka_unit_test(test_ascii__one_high_byte_anywhere_is_seen),
        cmocka_unit_test(test_arithmetic__overflow_is_reported_and_leaves_the_output),
        cmocka_unit_test(test_little_endian__reads_unaligned),
        cmocka_unit_test(test_hex__there_and_back),
        cmocka_unit_test(test_copy_short__copies_every_size_and_no_more),
        cmocka_unit_test(test_base64__vectors_of_rfc_4648),
        cmocka_unit_test(test_utf8__follows_rfc_3629),
        cmocka_unit_test(test_parse_i64__is_go_s),
        cmocka_unit_test(test_text__prefix_and_suffix),
        cmocka_unit_test(test_percent__encode_stops_at_the_room),
        cmocka_unit_test(test_percent__decode_refuses_bad_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
