/* Pattern grammar, matching, and the LIST prefix (docs/FORMAT.md "Patterns"). */
#include "dataset/pattern.h"
#include "support/test.h"

static s3store_error err;
static const char *const names[] = {"period", "customer"};

static s3s_slice slice(const char *text)
{
    return (s3s_slice){text, strlen(text)};
}

static bool matches(const char *text, const char *key)
{
    s3s_pattern pattern;
    assert_ok(s3s_pattern_parse(NULL, names, 2, text, -1, &pattern, &err));
    bool yes = s3s_pattern_matches(&pattern, slice(key));
    s3s_pattern_deinit(&pattern);
    return yes;
}

static void test_pattern__list_prefix(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *prefix, *start_after, *stop_at;
    } rows[] = {
        {"", "", NULL, NULL},                                             /* vector 49 */
        {"*", "", NULL, NULL},                                            /* vector 49 */
        {"period=2026-03-17/customer=abc", "period=2026-03-17/customer=abc/", NULL, NULL}, /* 50 */
        {"period=2026-03-*/customer=abc", "period=2026-03-", NULL, NULL}, /* vector 51 */
        {"*/customer=abc", "", NULL, NULL},                               /* vector 52 */
        {"period=X/*", "period=X/", NULL, NULL},                          /* vector 53 */
        {"period=2026-03-01..2026-04-01/*", "period=2026-0", "period=2026-03-01",
         "period=2026-040"}, /* vector 54; the value 2026-04 is in the range */
        {"period=2026-03-01..2026-04-01/customer=a*", "period=2026-0", "period=2026-03-01",
         "period=2026-040"},
        {"period=2026-03-01..2026-03-31/*", "period=2026-03-", "period=2026-03-01",
         "period=2026-03-31"},
        {"period=a..z/*", "", "period=a", "period=z"},                    /* vector 55 */
        {"period=2026-03-01../*", "", "period=2026-03-01", NULL},         /* vector 56 */
        {"period=..2026-03-01/*", "", NULL, "period=20260"},
        {"period=X/customer=abc..abz", "period=X/customer=ab", "period=X/customer=abc",
         "period=X/customer=abz"},                                        /* vector 57 */
        {"period=X/customer=a..m", "period=X/", "period=X/customer=a", "period=X/customer=m"},
        {"period=*/customer=x", "period=", NULL, NULL},
        {"period=*/*", "period=", NULL, NULL},
        {"*/*", "", NULL, NULL},
        {"*/customer=a..m", "", NULL, NULL},
        {"period=/customer=x", "period=/customer=x/", NULL, NULL},
        /* '-' sorts below the '/' that ends a value in a key */
        {"period=a..a-/*", "period=a", "period=a", "period=a0"},
        {"period=2026..2026-03/*", "period=2026", "period=2026", "period=20260"},
        {"period=2026-..2026-03/*", "period=2026-", "period=2026-", "period=2026-03"},
        {"period=..2026-03/*", "", NULL, "period=20260"},
        {"period=..-5/*", "", NULL, "period=0"},
        /* no half of a character */
        {"period=\xE6\x97\xA5..\xE6\x97\xA6/*", "", "period=\xE6\x97\xA5", "period=\xE6\x97\xA6"},
        {"period=a\xC3\xA4..a\xC3\xB6/*", "period=a", "period=a\xC3\xA4", "period=a\xC3\xB6"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_pattern p;
        assert_ok(s3s_pattern_parse(NULL, names, 2, rows[i].pattern, -1, &p, &err));
        assert_string_equal(p.list_prefix, rows[i].prefix);
        assert_int_equal(p.start_after == NULL, rows[i].start_after == NULL);
        assert_int_equal(p.stop_at == NULL, rows[i].stop_at == NULL);
        if (p.start_after != NULL)
            assert_string_equal(p.start_after, rows[i].start_after);
        if (p.stop_at != NULL)
            assert_string_equal(p.stop_at, rows[i].stop_at);
        s3s_pattern_deinit(&p);
    }
}

static void test_pattern__walks_skip_what_a_date_range_leaves_out(void **state)
{
    (void)state;
    s3s_pattern p;
    assert_ok(s3s_pattern_parse(NULL, names, 2, "period=2025-12-31..2026-01-02/*", -1, &p, &err));
    assert_string_equal(p.stop_at, "period=20260");
    assert_null(s3s_pattern_skip(&p, "period=2025-12-31/customer=x/t.commit"));
    assert_null(s3s_pattern_skip(&p, "period=2026-01-01/customer=x/t.commit"));
    assert_string_equal(s3s_pattern_skip(&p, "period=2026-01-02/customer=x/t.commit"),
                        "period=2026-01/");
    assert_null(s3s_pattern_skip(&p, "period=2026-01/customer=x/t.commit"));
    assert_string_equal(s3s_pattern_skip(&p, "period=2026-03-05/customer=x/t.commit"),
                        "period=2026/");
    assert_null(s3s_pattern_skip(&p, "period=2026/customer=x/t.commit"));
    s3s_pattern_deinit(&p);
}

static void test_pattern__segments(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        s3s_segment_kind kind;
        const char *from, *to;
    } rows[] = {
        {"abc", S3S_SEGMENT_EXACT, "abc", ""},   {"", S3S_SEGMENT_EXACT, "", ""},
        {"a=b", S3S_SEGMENT_EXACT, "a=b", ""},   {"a.b", S3S_SEGMENT_EXACT, "a.b", ""},
        {"abc*", S3S_SEGMENT_PREFIX, "abc", ""}, {"*", S3S_SEGMENT_PREFIX, "", ""},
        {"a..b", S3S_SEGMENT_RANGE, "a", "b"},   {"a..", S3S_SEGMENT_RANGE, "a", ""},
        {"..b", S3S_SEGMENT_RANGE, "", "b"},     {"a..a", S3S_SEGMENT_RANGE, "a", "a"},
        {"...", S3S_SEGMENT_RANGE, "", "."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        s3s_pattern p;
        snprintf(text, sizeof text, "*/customer=%s", rows[i].value);
        assert_ok(s3s_pattern_parse(NULL, names, 2, text, -1, &p, &err));
        assert_false(p.everything);
        assert_int_equal(p.count, 2);
        assert_int_equal(p.segments[0].kind, S3S_SEGMENT_ANY);
        assert_int_equal(p.segments[1].kind, rows[i].kind);
        assert_string_equal(p.segments[1].name, "customer");
        assert_string_equal(p.segments[1].from, rows[i].from);
        assert_string_equal(p.segments[1].to, rows[i].to);
        s3s_pattern_deinit(&p);
    }
}

static void test_pattern__three_dots(void **state)
{
    (void)state;
    /* "a...b" would be the range from "a" to ".b": here from > to, so give it a lower one */
    s3s_pattern p;
    assert_ok(s3s_pattern_parse(NULL, names, 2, "*/customer=-...b", -1, &p, &err));
    assert_string_equal(p.segments[1].from, "-");
    assert_string_equal(p.segments[1].to, ".b");
    s3s_pattern_deinit(&p);
    assert_fails(s3s_pattern_parse(NULL, names, 2, "*/customer=a...b", -1, &p, &err),
                 S3STORE_INVALID_ARGUMENT, "reversed");
}

static void test_pattern__matching(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *key;
        bool yes;
    } rows[] = {
        /* vectors 59, 60 */
        {"period=2026-03-01..2026-04-01/*", "period=2026-03-01/customer=x", true},
        {"period=2026-03-01..2026-04-01/*", "period=2026-03-31/customer=x", true},
        {"period=2026-03-01..2026-04-01/*", "period=2026-04-01/customer=x", false},
        {"period=2026-03-01..2026-04-01/*", "period=2026-02-28/customer=x", false},
        /* vector 61 */
        {"period=2026../*", "period=2030/customer=x", true},
        {"period=2026../*", "period=2025/customer=x", false},
        {"period=..2026/*", "period=2020/customer=x", true},
        {"period=..2026/*", "period=2026/customer=x", false},
        /* vector 62 */
        {"period=2026-03-01..2026-04-01/customer=ab*", "period=2026-03-05/customer=abc", true},
        {"period=2026-03-01..2026-04-01/customer=ab*", "period=2026-03-05/customer=xbc", false},
        {"period=2026-03-01..2026-04-01/customer=ab*", "period=2026-05-05/customer=abc", false},
        /* vector 63 */
        {"*", "anything/anything", true},
        {"", "a/b/c/d", true},
        {"*", "", true},
        /* vector 70 */
        {"period=a..a/*", "period=a/customer=x", false},
        /* a star's segment is not looked at; "name=*" looks at the name */
        {"*/customer=x", "nonsense/customer=x", true},
        {"period=*/customer=x", "nonsense/customer=x", false},
        {"period=*/customer=x", "period=/customer=x", true},
        {"*/*", "a/b", true},
        {"*/*", "a", false},
        {"*/*", "a/b/c", false},
        {"*/*", "", false},
        {"*/*", "/", true},
        {"period=X/customer=Y", "period=X/customer=Y", true},
        {"period=X/customer=Y", "period=X/customer=YZ", false},
        {"period=X/customer=Y", "period=X/customers=Y", false},
        {"period=X/customer=Y", "period=X/customer=", false},
        {"period=X/customer=Y", "period=X/customer", false},
        {"period=X/customer=Y*", "period=X/customer=YZ", true},
        {"period=X/customer=Y*", "period=X/customer=Y", true},
        {"period=X/customer=Y*", "period=X/customer=", false},
        {"period=X/customer=Y", "period=X/customer=Y/", false},
        /* bytes are unsigned */
        {"period=z../*", "period=\xE6\x97\xA5/customer=x", true},
        {"period=a..z/*", "period=\xE6\x97\xA5/customer=x", false},
        {"period=a..a-/*", "period=a/customer=x", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (matches(rows[i].pattern, rows[i].key) != rows[i].yes)
            fail_msg("%s against %s", rows[i].pattern, rows[i].key);
}

static void test_pattern__nine_forms_over_four_partitions(void **state)
{
    (void)state;
    /* in the manner of vector 77 */
    static const char *const keys[] = {
        "period=2026-03-01/customer=abc", "period=2026-03-02/customer=abc",
        "period=2026-03-02/customer=xyz", "period=2026-04-01/customer=abd"};
    static const struct {
        const char *pattern;
        int count;
    } rows[] = {{"period=2026-03-01/customer=abc", 1}, {"period=2026-03-*/*", 3},
                {"*/customer=abc", 2},                 {"period=2026-03-02/*", 2},
                {"*/customer=ab*", 3},                 {"period=2026-03-02../customer=*", 3},
                {"period=..2026-03-02/customer=a*", 1},
                {"period=2026-03-02..2026-04-01/*", 2}, {"*", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int count = 0;
        for (size_t k = 0; k < 4; k++)
            count += matches(rows[i].pattern, keys[k]);
        assert_int_equal(count, rows[i].count);
    }
}

static void test_pattern__bad_ones_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *why;
    } rows[] = {
        /* vector 64 */
        {"period=*a/*", "'*' may stand only once"},
        {"period=a*b/*", "'*' may stand only once"},
        {"period=a**/*", "'*' may stand only once"},
        {"period=*a*/*", "'*' may stand only once"},
        /* vector 65 */
        {"period=[0-9]/*", "'['"},
        {"period=a?b?/*", "'?'"},
        {"period={a,b}/*", "'{'"},
        {"period=a]/*", "']'"},
        {"period=a}/*", "'}'"},
        {"period=../*", "neither"},            /* vector 66 */
        {"period=b..a/*", "reversed"},         /* vector 67 */
        {"period=a..b..c/*", "more than one"}, /* vector 68 */
        {"period=a....b/*", "more than one"},
        {"period=..../*", "more than one"},
        {"period=a*..b/*", "contains '*'"}, /* vector 69 */
        {"period=a..b*/*", "contains '*'"}, /* vector 69 */
        {"period=a..*/*", "contains '*'"},
        /* vector 71 */
        {"x=1/*", "must be '*' or begin with \"period\""},
        {"period=X/x=1", "segment 2"},
        {"period/*", "segment 1"},
        {"**/*", "segment 1"},
        {"/*", "segment 1"},
        {"period=X", "1 segment;"},
        {"period=X/customer=Y/z=1", "3 segments"},
        {"period=X/customer=Y/", "3 segments"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_pattern p;
        assert_fails(s3s_pattern_parse(NULL, names, 2, rows[i].pattern, 3, &p, &err),
                     S3STORE_INVALID_ARGUMENT, rows[i].why);
        char where[80];
        snprintf(where, sizeof where, "pattern 3 \"%s\": ", rows[i].pattern);
        assert_memory_equal(err.message, where, strlen(where));
        assert_int_equal(p.count, 0);
    }
    s3s_pattern p;
    assert_fails(s3s_pattern_parse(NULL, names, 2, NULL, -1, &p, &err), S3STORE_INVALID_ARGUMENT,
                 "missing");
    assert_fails(s3s_pattern_parse(NULL, NULL, 0, "a=1", -1, &p, &err), S3STORE_INVALID_ARGUMENT,
                 "pattern \"a=1\": ");
}

static void test_pattern__good_ones(void **state)
{
    (void)state;
    /* vectors 70, 72, and the odd but legal */
    static const char *const rows[] = {"period=a..a/*", "*/*", "period=;/customer=%2F",
                                       "period= /customer=a b", "period=\x01/*"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        s3s_pattern p;
        assert_ok(s3s_pattern_parse(NULL, names, 2, rows[i], -1, &p, &err));
        s3s_pattern_deinit(&p);
    }
}

static void test_patterns__duplicates_leave_in_first_seen_order(void **state)
{
    (void)state;
    /* vector 76 */
    const char *const one[] = {"n"};
    const char *const texts[] = {"n=a", "n=b", "n=a", "n=c", "n=b"};
    s3s_patterns patterns;
    assert_ok(s3s_patterns_parse(NULL, one, 1, texts, 5, &patterns, &err));
    assert_int_equal(patterns.count, 3);
    assert_string_equal(patterns.items[0].list_prefix, "n=a/");
    assert_string_equal(patterns.items[1].list_prefix, "n=b/");
    assert_string_equal(patterns.items[2].list_prefix, "n=c/");
    s3s_patterns_deinit(&patterns);
    /* vector 80 */
    assert_ok(s3s_patterns_parse(NULL, one, 1, NULL, 0, &patterns, &err));
    assert_int_equal(patterns.count, 0);
    s3s_patterns_deinit(&patterns);
}

static void test_patterns__the_bad_one_is_numbered_after_removal(void **state)
{
    (void)state;
    const char *const texts[] = {"*/*", "*/*", "x=1/*", NULL};
    s3s_patterns patterns;
    /* vector 81 */
    assert_fails(s3s_patterns_parse(NULL, names, 2, texts, 3, &patterns, &err),
                 S3STORE_INVALID_ARGUMENT, "pattern 1 \"x=1/*\"");
    assert_int_equal(patterns.count, 0);
    assert_null(patterns.items);
    const char *const null[] = {"*", NULL};
    assert_fails(s3s_patterns_parse(NULL, names, 2, null, 2, &patterns, &err),
                 S3STORE_INVALID_ARGUMENT, "pattern 1");
}

static void test_patterns__many(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static char texts[COUNT][16];
    static const char *pointers[2 * COUNT];
    const char *const one[] = {"n"};
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "n=%d", i);
        pointers[i] = pointers[2 * COUNT - 1 - i] = texts[i];
    }
    s3s_patterns patterns;
    assert_ok(s3s_patterns_parse(NULL, one, 1, pointers, 2 * COUNT, &patterns, &err));
    assert_int_equal(patterns.count, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(patterns.items[i].segments[0].from, texts[i] + 2);
    s3s_patterns_deinit(&patterns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pattern__list_prefix),
        cmocka_unit_test(test_pattern__walks_skip_what_a_date_range_leaves_out),
        cmocka_unit_test(test_pattern__segments),
        cmocka_unit_test(test_pattern__three_dots),
        cmocka_unit_test(test_pattern__matching),
        cmocka_unit_test(test_pattern__nine_forms_over_four_partitions),
        cmocka_unit_test(test_pattern__bad_ones_say_why),
        cmocka_unit_test(test_pattern__good_ones),
        cmocka_unit_test(test_patterns__duplicates_leave_in_first_seen_order),
        cmocka_unit_test(test_patterns__the_bad_one_is_numbered_after_removal),
        cmocka_unit_test(test_patterns__many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
