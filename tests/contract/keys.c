/* Keys: every byte, every length, objects that are prefixes of others. */
#include <stdlib.h>

#include "contract/words.h"

static const char *const nasty[] = {
    "semi;colon", "percent%2Fescape", "per%cent", "plus+plus", "space between", " leading space",
    "trailing space ", "q?uery=1&x=y#frag", "quote\"double", "quote'single", "less<than>more",
    "amp&amp;&lt;", "back\\slash", "equals=sign", "at@comma,colon:", "star*bracket[1]{2}(3)",
    "pipe|caret^grave`", "tilde~dollar$bang!", "utf8-\xc3\xa4\xe6\x97\xa5\xf0\x9f\x90\xa6",
    "dots...many", ".hidden", "..two", "...", "a/./b", "a/../b", "./start", "../up", "a//b",
    "a///c", "trailing/", "trailing//", "/leading", "//two", ".", "..", "a/.", "a/..",
    ".s3store", ".s3store=e=x", ".s3store-tmp/x", ".s3store-lock", "day=2026-03-17/x.parquet",
    "con", "aux.txt", "CaseIsKept", "caseiskept", "100%", "%", "%%", "%25", "%2f", "+%20 ",
};

static void test_keys__nasty_ones_are_kept_byte_for_byte(void **state)
{
    (void)state;
    char **keys = put_names("nasty", nasty, COUNT(nasty));
    for (size_t i = 0; i < COUNT(nasty); i++)
        expect_text(key_of("nasty", nasty[i]), nasty[i]);
    listed *l = new_listed();
    list_pages(l, key_of("nasty", ""), NULL, NULL, 0);
    expect_keys(l, (const char *const *)keys, COUNT(nasty));
    for (size_t i = 0; i < l->count; i++)
        assert_int_equal(l->sizes[i], strlen(l->keys[i]) - strlen(key_of("nasty", "")));
    /* Each is found as a prefix of itself, and by start_after just before. */
    for (size_t i = 0; i < COUNT(nasty); i++) {
        list_pages(l, keys[i], NULL, NULL, 1);
        assert_true(l->count >= 1);
        assert_string_equal(l->keys[0], keys[i]);
        if (i > 0) {
            list_pages(l, key_of("nasty", ""), keys[i - 1], NULL, 7);
            expect_keys(l, (const char *const *)keys + i, COUNT(nasty) - i);
        }
    }
    s3store_error err;
    for (size_t i = 0; i < COUNT(nasty); i++)
        assert_ok(s3s_remove(the->store, NULL, keys[i], &err));
    list_pages(l, key_of("nasty", ""), NULL, NULL, 0);
    assert_int_equal(l->count, 0);
    free_listed(l);
    free_names(keys, COUNT(nasty));
}

/* A name of this many bytes: `head`, then a pattern. */
static char *long_name(const char *head, size_t size)
{
    char *out = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        out[i] = i < strlen(head) ? head[i] : (char)('a' + i % 26);
    out[size] = '\0';
    return out;
}

static void test_keys__long_ones(void **state)
{
    (void)state;
    size_t room = S3STORE_KEY_MAX_BYTES - strlen(key_of("long", ""));
    char *names[16];
    size_t n = 0;
    names[n++] = long_name("", 239);
    names[n++] = long_name("", 240);
    names[n++] = long_name("", 241);
    names[n++] = long_name("", 255);
    names[n++] = long_name("", 256);
    names[n++] = long_name("", 480);
    names[n++] = long_name("1710684000123456-token-;", 600);
    names[n++] = long_name("whole", room);
    /* Neighbours of a cut at 240 bytes, on both sides of '/' */
    names[n] = long_name("", 242);
    names[n++][240] = '-';
    names[n] = long_name("", 242);
    names[n++][240] = '/';
    names[n] = long_name("", 242);
    names[n++][240] = '0';
    names[n] = long_name("", 300);
    names[n++][240] = '.';
    names[n] = long_name("deep", room - 1);
    for (size_t i = 9; i < room - 1; i += 10)
        names[n][i] = '/';
    n++;
    names[n] = long_name("s", room - 1);
    for (size_t i = 1; i < room - 1; i += 2)
        names[n][i] = '/';
    n++;
    /* An object and a prefix of the same long name. */
    names[n] = long_name("", 602);
    names[n++][600] = '/';
    names[n++] = long_name("", 600);
    char **keys = put_names("long", (const char *const *)names, n);
    for (size_t i = 0; i < n; i++)
        expect_text(key_of("long", names[i]), names[i]);
    listed *l = new_listed();
    list_pages(l, key_of("long", ""), NULL, NULL, 0);
    expect_keys(l, (const char *const *)keys, n);
    list_pages(l, key_of("long", ""), NULL, NULL, 1);
    expect_keys(l, (const char *const *)keys, n);
    for (size_t i = 1; i < n; i++) {
        list_pages(l, key_of("long", ""), keys[i - 1], NULL, 0);
        expect_keys(l, (const char *const *)keys + i, n - i);
        list_pages(l, keys[i], NULL, NULL, 0);
        assert_string_equal(l->keys[0], keys[i]);
    }
    free_listed(l);
    free_names(keys, n);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
}

static void test_keys__object_and_prefix_of_others(void **state)
{
    (void)state;
    s3store_error err;
    static const char *const orders[][5] = {
        {"a", "a/b", "a/b/c", "a-b", "a0"},
        {"a/b/c", "a/b", "a", "a0", "a-b"},
        {"a/b", "a0", "a/b/c", "a-b", "a"},
    };
    static const char *const sorted[] = {"a", "a-b", "a/b", "a/b/c", "a0"};
    listed *l = new_listed();
    for (size_t k = 0; k < COUNT(orders); k++) {
        char folder[32];
        snprintf(folder, sizeof folder, "both-%zu", k);
        char **keys = put_names(folder, orders[k], 5);
        for (size_t i = 0; i < 5; i++)
            expect_text(key_of(folder, sorted[i]), sorted[i]);
        list_pages(l, key_of(folder, ""), NULL, NULL, 2);
        expect_keys(l, (const char *const *)keys, 5);
        list_pages(l, key_of(folder, "a/"), NULL, NULL, 0);
        expect_keys(l, (const char *const *)keys + 2, 2);
        /* Conditions see it wherever it lies; so do overwriting and removing. */
        s3store_put_request again = put_request(key_of(folder, "a"), "again", 5);
        again.if_none_match = true;
        assert_fails(s3s_put(the->store, NULL, &again, NULL, &err), S3STORE_ALREADY_EXISTS, NULL);
        put_text(key_of(folder, "a"), "other");
        expect_text(key_of(folder, "a"), "other");
        assert_ok(s3s_remove(the->store, NULL, key_of(folder, "a"), &err));
        expect_missing(key_of(folder, "a"));
        expect_text(key_of(folder, "a/b"), "a/b");
        assert_ok(s3s_put(the->store, NULL, &again, NULL, &err));
        expect_text(key_of(folder, "a"), "again");
        free_names(keys, 5);
    }
    free_listed(l);
}

int contract_keys(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys__nasty_ones_are_kept_byte_for_byte),
        cmocka_unit_test(test_keys__long_ones),
        cmocka_unit_test(test_keys__object_and_prefix_of_others),
    };
    return cmocka_run_group_tests_name(the->name, tests, NULL, NULL);
}
