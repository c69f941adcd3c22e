/* The keys of docs/FORMAT.md "Object layout". "vector N" are the numbers of its table of edge
 * cases. */
#include "base/bytes.h"
#include "dataset/layout.h"
#include "support/test.h"

#define HEX_A "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"
#define HEX_B "0190a8b4d3a87f4ab1c2d3e4f5a6b7c9"

static s3store_error err;
static s3s_layout layout;

static int setup(void **state)
{
    (void)state;
    return s3s_layout_init(&layout, NULL, "p", &err) != S3STORE_OK;
}

static int teardown(void **state)
{
    (void)state;
    s3s_layout_deinit(&layout);
    return 0;
}

static bool slice_is(s3s_slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.data, text, slice.size) == 0;
}

static void test_layout__prefix_is_verbatim(void **state)
{
    (void)state;
    s3s_layout l;
    assert_ok(s3s_layout_init(&l, NULL, "a/b/", &err));
    assert_string_equal(l.prefix, "a/b/");
    assert_string_equal(l.data_path, "a/b//data");
    assert_string_equal(l.ref_path, "a/b//_ref");
    assert_string_equal(l.view_path, "a/b//_matview");
    assert_string_equal(l.config_path, "a/b//_config");
    s3s_layout_deinit(&l);
    assert_null(l.prefix);
}

static void test_layout__empty_or_endless_prefix_is_refused(void **state)
{
    (void)state;
    s3s_layout l;
    char long_prefix[1100];
    memset(long_prefix, 'x', sizeof long_prefix);
    long_prefix[sizeof long_prefix - 1] = '\0';
    assert_fails(s3s_layout_init(&l, NULL, "", &err), S3STORE_INVALID_ARGUMENT, "prefix");
    assert_fails(s3s_layout_init(&l, NULL, NULL, &err), S3STORE_INVALID_ARGUMENT, "prefix");
    assert_fails(s3s_layout_init(&l, NULL, long_prefix, &err), S3STORE_INVALID_ARGUMENT, "1024");
    s3s_layout_deinit(&l);
}

static void test_layout__a_prefix_that_leaves_no_room_for_an_offset_says_so(void **state)
{
    (void)state;
    s3s_layout l;
    char prefix[1024], key[S3S_KEY_SIZE];
    memset(prefix, 'x', sizeof prefix);
    prefix[1024 - strlen("/_ref/0000000000000000")] = '\0';
    assert_ok(s3s_layout_init(&l, NULL, prefix, &err));
    assert_ok(s3s_offset_key(&l, 0, key, &err));
    assert_int_equal(strlen(key), 1024);
    s3s_layout_deinit(&l);
    prefix[1024 - strlen("/_ref/0000000000000000")] = 'x';
    prefix[1024 - strlen("/_ref/0000000000000000") + 1] = '\0';
    assert_ok(s3s_layout_init(&l, NULL, prefix, &err));
    assert_fails(s3s_offset_key(&l, 0, key, &err), S3STORE_INVALID_ARGUMENT,
                 "the offset key would have 1025 bytes");
    s3s_layout_deinit(&l);
}

/* The worked example of the format. */
static void test_layout__keys_of_one_write(void **state)
{
    (void)state;
    s3s_layout l;
    char key[S3S_KEY_SIZE];
    const char *partition = "charge_period=2026-03-17/customer=abc";
    assert_ok(s3s_layout_init(&l, NULL, "billing", &err));
    assert_ok(s3s_data_key(&l, partition, "job-1", HEX_A, key, &err));
    assert_string_equal(
        key, "billing/data/charge_period=2026-03-17/customer=abc/job-1-" HEX_A ".parquet");
    assert_ok(s3s_commit_key(&l, partition, "job-1", key, &err));
    assert_string_equal(key, "billing/data/charge_period=2026-03-17/customer=abc/job-1.commit");
    assert_ok(s3s_ref_key(&l, 1710684000123456, "job-1", HEX_A, partition, key, &err));
    assert_string_equal(key, "billing/_ref/1710684000123456-job-1-" HEX_A
                             ";charge_period=2026-03-17%2Fcustomer=abc.ref");
    assert_ok(s3s_config_key(&l, "commit-timeout", key, &err));
    assert_string_equal(key, "billing/_config/commit-timeout");
    s3s_layout_deinit(&l);
}

static void test_layout__commit_key(void **state)
{
    (void)state;
    char key[S3S_KEY_SIZE];
    /* vector 1 */
    assert_ok(s3s_commit_key(&layout, "period=A/customer=B", "tok42", key, &err));
    assert_string_equal(key, "p/data/period=A/customer=B/tok42.commit");
}

static void test_layout__too_long_keys_name_the_limit(void **state)
{
    (void)state;
    char key[S3S_KEY_SIZE];
    char partition[1100];

    /* exactly 1024 bytes fit, 1025 do not */
    size_t fixed = strlen("p/data//t-.parquet") + 32;
    memset(partition, 'v', sizeof partition);
    memcpy(partition, "a=", 2);
    partition[1024 - fixed] = '\0';
    assert_ok(s3s_data_key(&layout, partition, "t", HEX_A, key, &err));
    assert_int_equal(strlen(key), 1024);
    partition[1024 - fixed] = 'v';
    partition[1025 - fixed] = '\0';
    assert_fails(s3s_data_key(&layout, partition, "t", HEX_A, key, &err), S3STORE_INVALID_ARGUMENT,
                 "1025 bytes; keys have at most 1024");
    /* one byte of two escapes to six */
    fixed = strlen("p/_ref/-t-;a=.ref") + 16 + 32;
    size_t n = (1024 - fixed) / 3;
    memset(partition + 2, ' ', n);
    partition[2 + n] = '\0';
    assert_ok(s3s_ref_key(&layout, 1, "t", HEX_A, partition, key, &err));
    strcat(partition, " ");
    assert_fails(s3s_ref_key(&layout, 1, "t", HEX_A, partition, key, &err),
                 S3STORE_INVALID_ARGUMENT, "ref key");
    memset(partition, 'v', 1050);
    partition[1050] = '\0';
    assert_fails(s3s_commit_key(&layout, partition, "t", key, &err), S3STORE_INVALID_ARGUMENT,
                 "commit key");
    assert_fails(s3s_config_key(&layout, partition, key, &err), S3STORE_INVALID_ARGUMENT, "1024");
}

static void test_data_name__files(void **state)
{
    (void)state;
    static const struct {
        const char *base, *token; /* token NULL = foreign */
    } rows[] = {
        {"tok42-" HEX_A ".parquet", "tok42"}, /* vector 15 */
        {"2026-04-22T10:15:00Z-batch42-" HEX_A ".parquet", "2026-04-22T10:15:00Z-batch42"}, /* 19 */
        {HEX_A "-" HEX_A ".parquet", HEX_A}, /* vector 20 */
        {"--" HEX_A ".parquet", "-"},
        {"tok42.parquet", NULL},                                     /* vector 16 */
        {"tok42-0190a8b4d3a87f4ab1c2d3e4f5a6b7c.parquet", NULL},     /* vector 16: 31 */
        {"tok42-0190a8b4d3a87f4ab1c2d3e4f5a6b7cg.parquet", NULL},    /* vector 16: not hex */
        {"tok42-0190A8B4D3A87F4AB1C2D3E4F5A6B7C8.parquet", NULL},
        {"tok" HEX_A ".parquet", NULL}, /* vector 18 */
        {"-" HEX_A ".parquet", NULL},
        {HEX_A ".parquet", NULL},
        {".parquet", NULL},
        {"tok42-" HEX_A, NULL},
        {"tok42-" HEX_A ".parquet.tmp", NULL},
        {"tok42-" HEX_A ".PARQUET", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[256];
        snprintf(key, sizeof key, "p/data/period=A/customer=B/%s", rows[i].base);
        s3s_data_name name = s3s_data_name_parse(&layout, key);
        if (rows[i].token == NULL) {
            assert_int_equal(name.kind, S3S_DATA_FOREIGN);
            continue;
        }
        assert_int_equal(name.kind, S3S_DATA_FILE);
        assert_true(slice_is(name.token, rows[i].token));
        assert_true(slice_is(name.attempt, HEX_A));
        assert_true(slice_is(name.partition, "period=A/customer=B"));
    }
}

static void test_data_name__commits(void **state)
{
    (void)state;
    static const struct {
        const char *base, *token;
    } rows[] = {
        {"tok42.commit", "tok42"},
        {"2026-04-22T10:15:00Z-batch42.commit", "2026-04-22T10:15:00Z-batch42"}, /* vector 13 */
        {".commit.commit", ".commit"},
        {"tok42-" HEX_A ".commit", "tok42-" HEX_A}, /* vector 16: no data file */
        {".commit", NULL},                          /* vector 12 */
        {"tok42", NULL},                            /* vector 14 */
        {"", NULL},                                 /* vector 14 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[256];
        snprintf(key, sizeof key, "p/data/period=A/%s", rows[i].base);
        s3s_data_name name = s3s_data_name_parse(&layout, key);
        if (rows[i].token == NULL) {
            assert_int_equal(name.kind, S3S_DATA_FOREIGN);
            continue;
        }
        assert_int_equal(name.kind, S3S_DATA_COMMIT);
        assert_true(slice_is(name.token, rows[i].token));
        assert_true(slice_is(name.partition, "period=A"));
        assert_int_equal(name.attempt.size, 0);
    }
}

static void test_data_name__keys_elsewhere_are_foreign(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "p/data/tok-" HEX_A ".parquet",  /* vector 74: no partition */
        "p/data//tok-" HEX_A ".parquet", /* an empty one */
        "p/data/",
        "p/data",
        "p/datax/a=1/tok-" HEX_A ".parquet", /* vector 75 */
        "p/_ref/a=1/tok-" HEX_A ".parquet",
        "pre/data/a=1/tok-" HEX_A ".parquet",
        "p/data/a=1/notes.txt", /* vector 75 */
        "",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        assert_int_equal(s3s_data_name_parse(&layout, keys[i]).kind, S3S_DATA_FOREIGN);
}

static void test_ref__round_trips(void **state)
{
    (void)state;
    static const char *const partitions[] = {
        /* vector 22 */
        "period=2026-03-17/customer=a-b", "period=a;b/customer=x", "period=50%off/customer=x",
        "period=a/b/customer=c", "period=who?/customer=x", "period=\xE6\x97\xA5\xE6\x9C\xAC/c=x",
        "period=a b/customer=x",
        /* and what could be taken for the name's own marks */
        "a=x.ref", "a=;.ref", "a=%2F", "a=\x01\x7F\xFF", "a=b=c",
    };
    for (size_t i = 0; i < sizeof partitions / sizeof partitions[0]; i++) {
        char key[S3S_KEY_SIZE];
        s3s_ref ref;
        assert_ok(s3s_ref_key(&layout, 1710684000000000, "2026-04-22T10:15:00Z-b;no", HEX_A,
                              partitions[i], key, &err));
        /* a token with ';' is no token: it would cut the name too early */
        assert_fails(s3s_ref_parse(key, &ref, &err), S3STORE_INVALID_ARGUMENT, "ref");
        /* vector 23 */
        assert_ok(s3s_ref_key(&layout, 1710684000000000, "2026-04-22T10:15:00Z-batch42", HEX_A,
                              partitions[i], key, &err));
        assert_ok(s3s_ref_parse(key, &ref, &err));
        assert_int_equal(ref.micros, 1710684000000000);
        assert_string_equal(ref.token, "2026-04-22T10:15:00Z-batch42");
        assert_string_equal(ref.attempt, HEX_A);
        assert_string_equal(ref.partition, partitions[i]);
    }
}

static void test_ref__escaping_is_that_of_existing_refs(void **state)
{
    (void)state;
    static const struct {
        const char *partition, *escaped;
    } rows[] = {
        {"period=2026-03-17/customer=abc", "period=2026-03-17%2Fcustomer=abc"},
        {"a;b", "a%3Bb"},
        {"a,b", "a%2Cb"},
        {"a b", "a%20b"},
        {"50%off", "50%25off"},
        {"who?", "who%3F"},
        {"\xE6\x97\xA5\xE6\x9C\xAC", "%E6%97%A5%E6%9C%AC"},
        {"a+b", "a+b"},
        {"~$&@:", "~$&@:"},
        {"!'()*", "%21%27%28%29%2A"},
        {"x%2Fy", "x%252Fy"},
        {"tab\tnl\n", "tab%09nl%0A"},
        {"\x7F\xFF", "%7F%FF"},
        {"-._=", "-._="},
        {"\"#<>[]{}|\\^`", "%22%23%3C%3E%5B%5D%7B%7D%7C%5C%5E%60"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char key[S3S_KEY_SIZE], expected[S3S_KEY_SIZE];
        assert_ok(s3s_ref_key(&layout, 7, "t", HEX_A, rows[i].partition, key, &err));
        snprintf(expected, sizeof expected, "p/_ref/0000000000000007-t-" HEX_A ";%s.ref",
                 rows[i].escaped);
        assert_string_equal(key, expected);
    }
}

static void test_ref__exactly_72_bytes_stay_unescaped(void **state)
{
    (void)state;
    int kept = 0;
    for (int c = 1; c < 256; c++) {
        char partition[2] = {(char)c, '\0'};
        char key[S3S_KEY_SIZE];
        s3s_ref ref;
        assert_ok(s3s_ref_key(&layout, 7, "t", HEX_A, partition, key, &err));
        kept += strchr(key, '%') == NULL;
        assert_ok(s3s_ref_parse(key, &ref, &err));
        assert_string_equal(ref.partition, partition);
    }
    assert_int_equal(kept, 72);
}

static void test_ref__other_spellings_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *key, *partition;
    } rows[] = {
        {"1710684000000000-t-" HEX_A ";a=1.ref", "a=1"},     /* a bare name */
        {"x/y/1710684000000000-t-" HEX_A ";a=1.ref", "a=1"}, /* of any folder */
        {"1710684000000000-t-" HEX_A ";a=1", "a=1"},         /* no suffix */
        {"1710684000000000-t-" HEX_A ";a=1.ref.ref", "a=1.ref"}, /* one is cut */
        {"1710684000000000-t-" HEX_A ";a=%41%2f+", "a=A/+"}, /* lower case, needless escape, '+' */
        {"1710684000000000-t-" HEX_A ";a=1;b", "a=1;b"},     /* the first ';' cuts */
        {"1710684000000000-t-" HEX_A ";not a hive key", "not a hive key"},
        {"1710684000000000-t-" HEX_A ";%FF", "\xFF"},
        {"1710684000000000-t-" HEX_A ";.ref", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_ref ref;
        assert_ok(s3s_ref_parse(rows[i].key, &ref, &err));
        assert_string_equal(ref.partition, rows[i].partition);
        assert_string_equal(ref.token, "t");
    }
}

static void test_ref__auto_token_has_two_equal_halves(void **state)
{
    (void)state;
    s3s_ref ref;
    assert_ok(s3s_ref_parse("0000000000000000-" HEX_A "-" HEX_A ";a=1.ref", &ref, &err));
    assert_int_equal(ref.micros, 0);
    assert_string_equal(ref.token, HEX_A);
    assert_string_equal(ref.attempt, HEX_A);
}

static void test_ref__malformed_ones_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *key, *why;
    } rows[] = {
        {"not-a-ref-key", "';'"},                                     /* vector 26 */
        {"refs/1710684000000000.ref", "';'"},                         /* vector 27 */
        {"refs/1710684000000000;period=X.ref", "too short"},          /* vector 28 */
        {"1710684000000000-tok-0190a8b4d3a87f4ab1c2d3e4f5a6b7;p=X.ref", "hex"}, /* vector 29 */
        {"1710684000000000-tok-" HEX_A "Z;p=X.ref", "hex"},           /* vector 30 */
        {"notanumber000000-tok-" HEX_A ";p=X.ref", "16 digits"},      /* vector 31 */
        {"1710684000000000-" HEX_A ";p=X.ref", "too short"},          /* vector 32 */
        {"1710684000000000--" HEX_A ";p=X.ref", "too short"},
        {"1710684000000000-tok-" HEX_A ";period=X%ZZabc.ref", "escape"}, /* vector 33 */
        {"1710684000000000-tok-" HEX_A ";period=X%2", "escape"},
        {"1710684000000000-tok-" HEX_A ";a=%00b.ref", "NUL"},
        {"-000000000000001-tok-" HEX_A ";p=X.ref", "16 digits"},
        {"17106840000000000-tok-" HEX_A ";p=X.ref", "'-'"},
        {"1710684000000000-tok-0190A8B4D3A87F4AB1C2D3E4F5A6B7C8;p=X.ref", "hex"},
        {"1710684000000000-a/tok-" HEX_A ";p=X.ref", "too short"},
        {"", "';'"},
        {";", "too short"},
        {".ref", "';'"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_ref ref;
        assert_fails(s3s_ref_parse(rows[i].key, &ref, &err), S3STORE_INVALID_ARGUMENT,
                     rows[i].why);
        assert_string_equal(err.key, rows[i].key);
        assert_string_equal(ref.partition, "");
    }
    s3s_ref ref;
    assert_fails(s3s_ref_parse(NULL, &ref, &err), S3STORE_INVALID_ARGUMENT, "no key");
}

static void test_ref__oversized_names_are_refused(void **state)
{
    (void)state;
    static char key[4096];
    s3s_ref ref;
    memset(key, 'a', sizeof key);
    memcpy(key, "1710684000000000-", 17);
    strcpy(key + 2000, "-" HEX_A ";p=X.ref");
    assert_fails(s3s_ref_parse(key, &ref, &err), S3STORE_INVALID_ARGUMENT, "token");
    memset(key, 'a', sizeof key);
    memcpy(key, "1710684000000000-t-" HEX_A ";", 52);
    key[3000] = '\0';
    assert_fails(s3s_ref_parse(key, &ref, &err), S3STORE_INVALID_ARGUMENT, "too long");
}

static void test_ref__stamps_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    char key[S3S_KEY_SIZE];
    assert_fails(s3s_ref_key(&layout, -1, "t", HEX_A, "a=1", key, &err), S3STORE_INVALID_ARGUMENT,
                 "-1");
    assert_fails(s3s_ref_key(&layout, 10000000000000000, "t", HEX_A, "a=1", key, &err),
                 S3STORE_INVALID_ARGUMENT, "16 digits");
    assert_ok(s3s_ref_key(&layout, 9999999999999999, "t", HEX_A, "a=1", key, &err));
}

static void test_ref__order_is_time_order(void **state)
{
    (void)state;
    /* vectors 24, 25 */
    char a[S3S_KEY_SIZE], b[S3S_KEY_SIZE], c[S3S_KEY_SIZE], d[S3S_KEY_SIZE];
    assert_ok(s3s_ref_key(&layout, 1000000000000000, "z", HEX_A, "p=1", a, &err));
    assert_ok(s3s_ref_key(&layout, 1710684000000000, "m", HEX_A, "p=1", b, &err));
    assert_ok(s3s_ref_key(&layout, 9000000000000000, "a", HEX_A, "p=1", c, &err));
    assert_ok(s3s_ref_key(&layout, 1710684000000000, "m", HEX_B, "p=1", d, &err));
    assert_true(strcmp(a, b) < 0);
    assert_true(strcmp(b, c) < 0);
    assert_string_not_equal(b, d);
}

static void test_offset__stands_before_everything_at_or_after_its_time(void **state)
{
    (void)state;
    /* vectors 34, 35 */
    const int64_t t = 1710684000000000;
    static const struct {
        int64_t delta;
        bool above;
    } rows[] = {{-1000000, false}, {-1000, false}, {-1, false}, {0, true}, {1, true},
                {1000000, true}};
    char offset[S3S_KEY_SIZE], ref[S3S_KEY_SIZE];
    assert_ok(s3s_offset_key(&layout, t, offset, &err));
    assert_string_equal(offset, "p/_ref/1710684000000000");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_ok(s3s_ref_key(&layout, t + rows[i].delta, "!", HEX_A, "p=1", ref, &err));
        assert_int_equal(strcmp(ref, offset) > 0, rows[i].above);
    }
}

static void test_offset__far_times_keep_their_side(void **state)
{
    (void)state;
    char offset[S3S_KEY_SIZE], ref[S3S_KEY_SIZE];
    assert_ok(s3s_ref_key(&layout, 0, "t", HEX_A, "p=1", ref, &err));
    assert_ok(s3s_offset_key(&layout, -1, offset, &err));
    assert_string_equal(offset, "p/_ref/-000000000000001");
    assert_true(strcmp(offset, ref) < 0);
    assert_ok(s3s_offset_key(&layout, INT64_MIN, offset, &err));
    assert_true(strcmp(offset, ref) < 0);
    assert_ok(s3s_ref_key(&layout, 9999999999999998, "t", HEX_A, "p=1", ref, &err));
    assert_ok(s3s_offset_key(&layout, INT64_MAX, offset, &err));
    assert_true(strcmp(offset, ref) > 0);
}

static void test_slices__compare_as_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int order;
    } rows[] = {{"", "", 0}, {"", "a", -1}, {"a", "ab", -1}, {"a=1-2", "a=1", 1},
                {"a=1/", "a=1-", 1}, {"\xFF", "a", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_slice a = {rows[i].a, strlen(rows[i].a)}, b = {rows[i].b, strlen(rows[i].b)};
        int order = s3s_slice_compare(a, b);
        assert_int_equal((order > 0) - (order < 0), rows[i].order);
        order = s3s_slice_compare(b, a);
        assert_int_equal((order > 0) - (order < 0), -rows[i].order);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout__prefix_is_verbatim),
        cmocka_unit_test(test_layout__empty_or_endless_prefix_is_refused),
        cmocka_unit_test(test_layout__a_prefix_that_leaves_no_room_for_an_offset_says_so),
        cmocka_unit_test(test_layout__keys_of_one_write),
        cmocka_unit_test(test_layout__commit_key),
        cmocka_unit_test(test_layout__too_long_keys_name_the_limit),
        cmocka_unit_test(test_data_name__files),
        cmocka_unit_test(test_data_name__commits),
        cmocka_unit_test(test_data_name__keys_elsewhere_are_foreign),
        cmocka_unit_test(test_ref__round_trips),
        cmocka_unit_test(test_ref__escaping_is_that_of_existing_refs),
        cmocka_unit_test(test_ref__exactly_72_bytes_stay_unescaped),
        cmocka_unit_test(test_ref__other_spellings_are_read),
        cmocka_unit_test(test_ref__auto_token_has_two_equal_halves),
        cmocka_unit_test(test_ref__malformed_ones_say_what_is_wrong),
        cmocka_unit_test(test_ref__oversized_names_are_refused),
        cmocka_unit_test(test_ref__stamps_that_do_not_fit_are_refused),
        cmocka_unit_test(test_ref__order_is_time_order),
        cmocka_unit_test(test_offset__stands_before_everything_at_or_after_its_time),
        cmocka_unit_test(test_offset__far_times_keep_their_side),
        cmocka_unit_test(test_slices__compare_as_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
