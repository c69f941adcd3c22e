/* Names of keys in directories, ranges, labels, pages. */
#include "objstore/local/names.h"
#include "objstore/port.h"
#include "support/test.h"

static void expect_path(const char *key, const char *const *names)
{
    s3s_key_path path;
    s3s_key_path_begin(&path, key, strlen(key));
    for (size_t i = 0; names[i] != NULL; i++) {
        s3s_key_path_next(&path);
        assert_string_equal(path.name, names[i]);
        assert_int_equal(path.last, names[i + 1] == NULL);
    }
}

static void test_names__ordinary_segments_are_their_own_names(void **state)
{
    (void)state;
    expect_path("ds/data/day=1/x.parquet",
                (const char *const[]){"ds", "data", "day=1", "x.parquet", NULL});
    expect_path("a;b%2Fc +\xc3\xa4", (const char *const[]){"a;b%2Fc +\xc3\xa4", NULL});
    expect_path(".hidden/...", (const char *const[]){".hidden", "...", NULL});
}

static void test_names__others_are_escaped(void **state)
{
    (void)state;
    expect_path("a//b", (const char *const[]){"a", ".s3store=e=", "b", NULL});
    expect_path("/a", (const char *const[]){".s3store=e=", "a", NULL});
    expect_path("a/", (const char *const[]){"a", ".s3store=e=", NULL});
    expect_path("./..", (const char *const[]){".s3store=e=.", ".s3store=e=..", NULL});
    expect_path(".s3store-tmp", (const char *const[]){".s3store=e=.s3store-tmp", NULL});
    char key[640], low[300], tail[300];
    memset(key, 'x', sizeof key);
    key[300] = '\0';
    snprintf(low, sizeof low, ".s3store=h=%.240s", key);
    snprintf(tail, sizeof tail, ".s3store=t=%.60s", key);
    expect_path(key, (const char *const[]){low, tail, NULL});
    key[240] = '-';
    snprintf(low, sizeof low, ".s3store=l=%.240s", key);
    snprintf(tail, sizeof tail, ".s3store=t=%s", key + 240);
    expect_path(key, (const char *const[]){low, tail, NULL});
    key[240] = '\0';
    expect_path(key, (const char *const[]){key, NULL});
}

static void test_names__decode_gives_back_every_name_and_nothing_else(void **state)
{
    (void)state;
    s3s_name_kind kind;
    const char *text;
    size_t size;
    char name[300];
    assert_true(s3s_name_decode("plain", 0, &kind, &text, &size));
    assert_int_equal(kind, S3S_NAME_WHOLE);
    assert_true(s3s_name_decode(".s3store=e=..", 0, &kind, &text, &size));
    assert_int_equal(kind, S3S_NAME_WHOLE);
    assert_string_equal(text, "..");
    assert_true(s3s_name_decode(".s3store=e=", 0, &kind, &text, &size));
    assert_int_equal(size, 0);
    assert_true(s3s_name_decode(".s3store=o=a", 0, &kind, &text, &size));
    assert_int_equal(kind, S3S_NAME_TWIN);
    assert_string_equal(text, "a");
    assert_true(s3s_name_decode(".s3store=t=tail", 'h', &kind, &text, &size));
    assert_true(s3s_name_decode(".s3store=u=tail", 'h', &kind, &text, &size));
    assert_int_equal(kind, S3S_NAME_TWIN);
    memset(name, 'y', sizeof name);
    memcpy(name, ".s3store=l=", 11);
    name[251] = '\0';
    assert_true(s3s_name_decode(name, 0, &kind, &text, &size));
    assert_int_equal(kind, S3S_NAME_LOW);
    static const char *const foreign[] = {
        ".", "..", ".s3store", ".s3store-tmp", ".s3store-lock", ".s3storex", ".s3store=e=plain",
        ".s3store=z=x", ".s3store=t=x", ".s3store=l=short", ".s3store=e", ".s3store=ee",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_false(s3s_name_decode(foreign[i], 0, &kind, &text, &size));
    assert_false(s3s_name_decode("plain", 'l', &kind, &text, &size));
    assert_false(s3s_name_decode(".s3store=e=..", 'l', &kind, &text, &size));
    assert_false(s3s_name_decode(".s3store=t=-x", 'h', &kind, &text, &size));
    assert_false(s3s_name_decode(".s3store=t=x", 'l', &kind, &text, &size));
    assert_false(s3s_name_decode(".s3store=t=", 'l', &kind, &text, &size));
    memset(name, 'z', sizeof name);
    name[241] = '\0';
    assert_false(s3s_name_decode(name, 0, &kind, &text, &size));
}

static void test_range__is_cut_at_the_end(void **state)
{
    (void)state;
    s3store_error err;
    static const struct {
        uint64_t offset, length, suffix, size, from, count;
    } good[] = {
        {0, S3STORE_LENGTH_ALL, 0, 0, 0, 0}, {0, 5, 0, 10, 0, 5}, {8, 5, 0, 10, 8, 2},
        {8, S3STORE_LENGTH_ALL, 0, 10, 8, 2}, {0, 0, 4, 10, 6, 4}, {9, 9, 40, 10, 0, 10},
        {0, 0, 4, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        s3store_get_request get = {.key = "k",
                                   .offset = good[i].offset,
                                   .length = good[i].length,
                                   .suffix = good[i].suffix};
        uint64_t from, count;
        assert_ok(s3s_port_range(&get, good[i].size, &from, &count, &err));
        assert_int_equal(from, good[i].from);
        assert_int_equal(count, good[i].count);
    }
    s3store_get_request get = {.key = "k", .offset = 10, .length = S3STORE_LENGTH_ALL};
    uint64_t from, count;
    assert_fails(s3s_port_range(&get, 10, &from, &count, &err), S3STORE_INVALID_ARGUMENT, "10");
    get.offset = UINT64_MAX;
    assert_fails(s3s_port_range(&get, 10, &from, &count, &err), S3STORE_INVALID_ARGUMENT, NULL);
}

static void test_label__says_verb_and_kind(void **state)
{
    (void)state;
    assert_string_equal(s3s_port_label(S3S_VERB_PUT, "p/data/a=1/t-x.parquet", false), "put data");
    assert_string_equal(s3s_port_label(S3S_VERB_PUT, "p/_ref/1-t-x;a=1.ref", false), "put ref");
    assert_string_equal(s3s_port_label(S3S_VERB_PUT, "p/data/a=1/t.commit", true),
                        "put commit done");
    assert_string_equal(s3s_port_label(S3S_VERB_HEAD, "p/data/a=1/t.commit", false),
                        "head commit");
    assert_string_equal(s3s_port_label(S3S_VERB_GET, "p/_config/commit-timeout", false),
                        "get config");
    assert_string_equal(s3s_port_label(S3S_VERB_LIST, "p/_ref/", false), "list ref");
    assert_string_equal(s3s_port_label(S3S_VERB_LIST, NULL, false), "list");
    assert_string_equal(s3s_port_label(S3S_VERB_REMOVE, "x", false), "remove");
}

static void test_page__refuses_what_it_did_not_give(void **state)
{
    (void)state;
    s3store_error err;
    s3s_page page;
    char big[S3STORE_KEY_MAX_BYTES + 10];
    memset(big, 'k', sizeof big);
    big[sizeof big - 1] = '\0';
    const s3store_list_request bad[] = {
        {.prefix = "", .continuation = "x"},   {.prefix = "", .continuation = "k"},
        {.prefix = "", .continuation = "zabc"}, {.prefix = "", .continuation = big},
        {.prefix = big},                        {.prefix = "", .start_after = big},
        {.prefix = "", .delimiter = big},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_fails(s3s_page_init(&page, NULL, &bad[i], &err), S3STORE_INVALID_ARGUMENT, "list");
        s3s_page_deinit(&page);
    }
    /* After the last possible prefix nothing follows. */
    s3store_list_request last = {.prefix = "", .continuation = "p\xff\xff"};
    assert_ok(s3s_page_init(&page, NULL, &last, &err));
    assert_int_equal(s3s_page_offer(&page, "\xff\xff\xff", 0, 0, &err), S3S_PAGE_FULL);
    assert_false(page.truncated);
    s3s_page_deinit(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names__ordinary_segments_are_their_own_names),
        cmocka_unit_test(test_names__others_are_escaped),
        cmocka_unit_test(test_names__decode_gives_back_every_name_and_nothing_else),
        cmocka_unit_test(test_range__is_cut_at_the_end),
        cmocka_unit_test(test_label__says_verb_and_kind),
        cmocka_unit_test(test_page__refuses_what_it_did_not_give),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
