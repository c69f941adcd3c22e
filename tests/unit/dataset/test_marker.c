/* The commit marker's metadata (docs/FORMAT.md "Commit marker"). */
#include "dataset/marker.h"
#include "support/test.h"

#define HEX_A "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"
#define KEY "p/data/period=A/tok42.commit"

static s3store_error err;

/* The four entries, with one replaced (value NULL: left out). */
static s3store_metadata entries_with(const char *name, const char *value)
{
    static const char *const good[][2] = {{"attemptid", HEX_A},
                                          {"refmicrots", "1710684000000000"},
                                          {"insertedat", "1710683999500000"},
                                          {"rowcount", "42"}};
    s3store_metadata m = {0};
    bool replaced = false;
    for (size_t i = 0; i < 4; i++) {
        bool same = name != NULL && strcmp(good[i][0], name) == 0;
        const char *text = same ? value : good[i][1];
        replaced = replaced || same;
        if (text != NULL)
            assert_true(s3store_metadata_add(&m, good[i][0], text));
    }
    if (name != NULL && !replaced && value != NULL)
        assert_true(s3store_metadata_add(&m, name, value));
    return m;
}

static void test_marker__well_formed(void **state)
{
    (void)state;
    s3s_marker marker;
    /* vectors 2, 11 */
    s3store_metadata m = entries_with("other", "ignored");
    assert_ok(s3s_marker_parse(&m, KEY, &marker, &err));
    assert_string_equal(marker.attempt, HEX_A);
    assert_int_equal(marker.ref_micros, 1710684000000000);
    assert_int_equal(marker.inserted_at_us, 1710683999500000);
    assert_int_equal(marker.row_count, 42);
    assert_false(marker.has_content_hash);
}

static void test_marker__missing_entries_are_damage(void **state)
{
    (void)state;
    /* vectors 3 to 6 */
    static const char *const names[] = {"attemptid", "refmicrots", "insertedat", "rowcount"};
    for (size_t i = 0; i < 4; i++) {
        s3s_marker marker;
        s3store_metadata m = entries_with(names[i], NULL);
        assert_fails(s3s_marker_parse(&m, KEY, &marker, &err), S3STORE_DAMAGED_MARKER, names[i]);
        assert_non_null(strstr(err.message, KEY));
        assert_string_equal(err.key, KEY);
        assert_string_equal(marker.attempt, "");
    }
    s3s_marker marker;
    s3store_metadata none = {0};
    assert_fails(s3s_marker_parse(&none, KEY, &marker, &err), S3STORE_DAMAGED_MARKER, "attemptid");
}

static void test_marker__unreadable_values_are_damage(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7c"},   /* vector 7 */
        {"attemptid", "0190A8B4D3A87F4AB1C2D3E4F5A6B7C8"},  /* vector 8 */
        {"attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7cg"},  /* vector 9 */
        {"attemptid", HEX_A "0"},
        {"attemptid", ""},
        {"refmicrots", "soon"}, /* vector 10 */
        {"insertedat", "1.5"},  /* vector 10 */
        {"rowcount", "many"},   /* vector 10 */
        {"rowcount", ""},
        {"rowcount", "-"},
        {"rowcount", "+-1"},
        {"rowcount", "4 2"},
        {"rowcount", "1_000"},
        {"rowcount", "0x10"},
        {"rowcount", "9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_marker marker;
        s3store_metadata m = entries_with(rows[i].name, rows[i].value);
        assert_fails(s3s_marker_parse(&m, KEY, &marker, &err), S3STORE_DAMAGED_MARKER,
                     rows[i].name);
    }
}

static void test_marker__numbers_as_others_write_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } rows[] = {{"+7", 7},
                {"-3", -3},
                {"007", 7},
                {"0", 0},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_marker marker;
        s3store_metadata m = entries_with("rowcount", rows[i].text);
        assert_ok(s3s_marker_parse(&m, KEY, &marker, &err));
        assert_int_equal(marker.row_count, rows[i].value);
    }
}

static void test_marker__round_trips(void **state)
{
    (void)state;
    /* vector 17 */
    static const s3s_marker markers[] = {
        {.attempt = HEX_A, .ref_micros = 1710684000000000, .inserted_at_us = -1, .row_count = 0},
        {.attempt = HEX_A, .ref_micros = INT64_MAX, .inserted_at_us = INT64_MIN, .row_count = 1},
        {.attempt = HEX_A, .has_content_hash = true, .content_hash = 0xabc},
        {.attempt = HEX_A, .has_content_hash = true, .content_hash = UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof markers / sizeof markers[0]; i++) {
        s3store_metadata m;
        s3s_marker back;
        s3s_marker_metadata(&markers[i], &m);
        assert_int_equal(m.count, markers[i].has_content_hash ? 5 : 4);
        assert_ok(s3s_marker_parse(&m, KEY, &back, &err));
        assert_string_equal(back.attempt, markers[i].attempt);
        assert_int_equal(back.ref_micros, markers[i].ref_micros);
        assert_int_equal(back.inserted_at_us, markers[i].inserted_at_us);
        assert_int_equal(back.row_count, markers[i].row_count);
        assert_int_equal(back.has_content_hash, markers[i].has_content_hash);
        assert_true(back.content_hash == markers[i].content_hash);
    }
    s3store_metadata m;
    s3s_marker_metadata(&markers[2], &m);
    assert_string_equal(s3store_metadata_get(&m, "contenthash"), "0000000000000abc");
    assert_string_equal(s3store_metadata_get(&m, "insertedat"), "0");
}

static void test_marker__unreadable_content_hash_is_absent(void **state)
{
    (void)state;
    static const char *const rows[] = {"", "abc", "ABCDEF0123456789", "0123456789abcdef0",
                                       "0123456789abcdeg", "sha256:0123456789"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_marker marker;
        s3store_metadata m = entries_with("contenthash", rows[i]);
        assert_ok(s3s_marker_parse(&m, KEY, &marker, &err));
        assert_false(marker.has_content_hash);
    }
    s3s_marker marker;
    s3store_metadata m = entries_with("contenthash", "0123456789abcdef");
    assert_ok(s3s_marker_parse(&m, KEY, &marker, &err));
    assert_true(marker.has_content_hash);
    assert_true(marker.content_hash == 0x0123456789abcdef);
}

static void test_marker__chunks_round_trip_and_unreadable_ones_are_absent(void **state)
{
    static const char *const bad[] = {"", ",", "1", "1,", ",1", "0,1", "1,0", "-1,5", "1,2,3", "1 ,2",
                                      "1,9223372036854775808", "a,b"};
    s3s_marker marker = {.attempt = HEX_A, .chunk_rows = 1000000, .chunk_bytes = 134217728};
    s3store_metadata m;
    (void)state;
    s3s_marker_metadata(&marker, &m);
    assert_string_equal(s3store_metadata_get(&m, "chunk"), "1000000,134217728");
    assert_ok(s3s_marker_parse(&m, KEY, &marker, &err));
    assert_true(marker.chunk_rows == 1000000 && marker.chunk_bytes == 134217728);
    marker.chunk_rows = 0;
    s3s_marker_metadata(&marker, &m);
    assert_null(s3store_metadata_get(&m, "chunk"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        m = entries_with("chunk", bad[i]);
        assert_ok(s3s_marker_parse(&m, KEY, &marker, &err));
        assert_true(marker.chunk_rows == 0 && marker.chunk_bytes == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marker__well_formed),
        cmocka_unit_test(test_marker__missing_entries_are_damage),
        cmocka_unit_test(test_marker__unreadable_values_are_damage),
        cmocka_unit_test(test_marker__numbers_as_others_write_them),
        cmocka_unit_test(test_marker__round_trips),
        cmocka_unit_test(test_marker__unreadable_content_hash_is_absent),
        cmocka_unit_test(test_marker__chunks_round_trip_and_unreadable_ones_are_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
