/* Rules for tokens, names, values and partition keys (docs/FORMAT.md "Naming rules"). */
#include "dataset/layout.h"
#include "dataset/quote.h"
#include "support/test.h"

static s3store_error err;

static void test_token__rule(void **state)
{
    (void)state;
    char token[202];
    memset(token, 'a', sizeof token);
    token[200] = '\0';
    /* vector 46 */
    assert_ok(s3s_token_check("batch42", &err));
    assert_ok(s3s_token_check("2026-04-22T10:15:00Z-batch42", &err));
    assert_ok(s3s_token_check("job.1234567890", &err));
    assert_ok(s3s_token_check(token, &err));
    assert_ok(s3s_token_check("!-.:=%*?~[]{}\"'<>&", &err));
    /* vector 47 */
    token[200] = 'a';
    token[201] = '\0';
    assert_fails(s3s_token_check(token, &err), S3STORE_INVALID_ARGUMENT, "201 bytes; at most 200");
    assert_fails(s3s_token_check("", &err), S3STORE_INVALID_ARGUMENT, "empty");
    assert_fails(s3s_token_check(NULL, &err), S3STORE_INVALID_ARGUMENT, "empty");
    /* vector 48 (a NUL ends the text) */
    assert_fails(s3s_token_check("a/b", &err), S3STORE_INVALID_ARGUMENT, "contains '/'");
    assert_fails(s3s_token_check("a;b", &err), S3STORE_INVALID_ARGUMENT, "contains ';'");
    assert_fails(s3s_token_check("a..b", &err), S3STORE_INVALID_ARGUMENT, "contains '..'");
    assert_fails(s3s_token_check("a b", &err), S3STORE_INVALID_ARGUMENT, "0x20");
    assert_fails(s3s_token_check("a\tb", &err), S3STORE_INVALID_ARGUMENT, "0x09");
    assert_fails(s3s_token_check("a\x7F", &err), S3STORE_INVALID_ARGUMENT, "0x7f");
    assert_fails(s3s_token_check("\xC3\xB6", &err), S3STORE_INVALID_ARGUMENT, "0xc3");
    /* the message shows what was given, escaped */
    assert_fails(s3s_token_check("a\nb", &err), S3STORE_INVALID_ARGUMENT, "\"a\\x0ab\"");
}

static void test_names__rule(void **state)
{
    (void)state;
    const char *const good[] = {"period", "customer id", "a;b", "*", "\xC3\xB6"};
    const char *const empty[] = {"a", ""};
    const char *const null[] = {NULL};
    const char *const equals[] = {"a=b"};
    const char *const slash[] = {"a", "b/c"};
    const char *const twice[] = {"a", "b", "a"};
    static const char *many[S3S_NAMES_MAX + 1];
    assert_ok(s3s_names_check(good, 5, "partition column", &err));
    /* vector 44 */
    assert_fails(s3s_names_check(NULL, 0, "partition column", &err), S3STORE_INVALID_ARGUMENT,
                 "at least one partition column is required");
    /* vector 45 */
    assert_fails(s3s_names_check(empty, 2, "view column", &err), S3STORE_INVALID_ARGUMENT,
                 "view column 2 is empty");
    assert_fails(s3s_names_check(null, 1, "view column", &err), S3STORE_INVALID_ARGUMENT, "empty");
    assert_fails(s3s_names_check(equals, 1, "view column", &err), S3STORE_INVALID_ARGUMENT,
                 "\"a=b\" contains '='");
    assert_fails(s3s_names_check(slash, 2, "partition column", &err), S3STORE_INVALID_ARGUMENT,
                 "\"b/c\" contains '/'");
    assert_fails(s3s_names_check(twice, 3, "partition column", &err), S3STORE_INVALID_ARGUMENT,
                 "\"a\" is named twice");
    assert_fails(s3s_names_check(many, S3S_NAMES_MAX + 1, "partition column", &err),
                 S3STORE_INVALID_ARGUMENT, "at most 256");
}

static void test_value__rule(void **state)
{
    (void)state;
    /* vector 42 */
    static const char *const good[] = {"abc", "a=b=c", "a-b-c", "a_b_c", "\xE6\x97\xA5", ".",
                                       "*",   "?",     "a;b",   " ",     "\x01",         "\xFF"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_ok(s3s_value_check("c", good[i], strlen(good[i]), &err));
    /* vector 43 */
    assert_fails(s3s_value_check("day", "", 0, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"day\" is empty");
    assert_fails(s3s_value_check("day", "a/b", 3, &err), S3STORE_INVALID_ARGUMENT, "contains '/'");
    assert_fails(s3s_value_check("day", "a..b", 4, &err), S3STORE_INVALID_ARGUMENT,
                 "\"a..b\" of column \"day\" contains '..'");
    assert_fails(s3s_value_check("day", "a\0b", 3, &err), S3STORE_INVALID_ARGUMENT, "NUL");
}

static void test_value__addressable(void **state)
{
    (void)state;
    static const char *const good[] = {"abc", "a=b", "2026-03-17", "\xE6\x97\xA5", "a b", "a.b",
                                       "%2F", "a;b", "\\\"'<>&",   "\xF0\x9F\x98\x80"};
    static const struct {
        const char *value, *why;
    } bad[] = {
        {"a*", "'*'"},          {"*", "'*'"},     {"a*b", "'*'"},      {"a?", "'?'"},
        {"[a", "'['"},          {"a]", "']'"},    {"{", "'{'"},        {"}", "'}'"},
        {"a\nb", "0x0a"},       {"\x7F", "0x7f"}, {"\xFF", "UTF-8"},   {"\xED\xA0\x80", "UTF-8"},
        {"\xEF\xBF\xBE", "UTF-8"}, {"\xEF\xBF\xBF", "UTF-8"}, {"\xC3", "UTF-8"},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_ok(s3s_value_addressable("c", good[i], strlen(good[i]), &err));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_fails(s3s_value_addressable("c", bad[i].value, strlen(bad[i].value), &err),
                     S3STORE_INVALID_ARGUMENT, bad[i].why);
}

static void test_partition_key__rule(void **state)
{
    (void)state;
    const char *const names[] = {"period", "customer"};
    static const struct {
        const char *key, *why; /* NULL = good */
    } rows[] = {
        {"period=X/customer=Y", NULL}, /* vector 36 */
        {"period=a=b/customer=*", NULL},
        {"period=X", "1 segment; the dataset has 2 partition columns"}, /* vector 37 */
        {"period=X/customer=Y/z=1", "3 segments"},                      /* vector 38 */
        {"x=X/customer=Y", "segment 1"},                                /* vector 39 */
        {"periodX/customer=Y", "segment 1"},
        {"period=X/customers=Y", "segment 2"},
        {"period=/customer=Y", "column \"period\" is empty"}, /* vector 40 */
        {"period=X/customer=", "column \"customer\" is empty"},
        {"period=a..b/customer=Y", "'..'"}, /* vector 41 */
        {"period=X/customer=..", "'..'"},   /* vector 41 */
        {"customer=Y/period=X", "segment 1"},
        {"", "1 segment"},
        {"/", "segment 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].why == NULL)
            assert_ok(s3s_partition_check(names, 2, rows[i].key, &err));
        else
            assert_fails(s3s_partition_check(names, 2, rows[i].key, &err),
                         S3STORE_INVALID_ARGUMENT, rows[i].why);
    }
    assert_fails(s3s_partition_check(names, 2, NULL, &err), S3STORE_INVALID_ARGUMENT, "key");
    assert_ok(s3s_partition_addressable(names, 2, "period=X/customer=Y", &err));
    assert_fails(s3s_partition_addressable(names, 2, "period=X/customer=Y*", &err),
                 S3STORE_INVALID_ARGUMENT, "'*'");
    assert_fails(s3s_partition_addressable(names, 2, "period=X", &err), S3STORE_INVALID_ARGUMENT,
                 "segment");
}

static void test_quote__shows_anything_in_one_line(void **state)
{
    (void)state;
    char text[600];
    assert_string_equal(s3s_quote_text("abc").text, "\"abc\"");
    assert_string_equal(s3s_quote_text(NULL).text, "(none)");
    assert_string_equal(s3s_quote("a\n\"\\\0", 5).text, "\"a\\x0a\\x22\\x5c\\x00\"");
    for (size_t n = 0; n < sizeof text; n++) {
        memset(text, n % 3 == 0 ? 'x' : n % 3 == 1 ? '\x01' : '\xBF', sizeof text);
        s3s_quoted q = s3s_quote(text, n);
        assert_true(strlen(q.text) < sizeof q.text);
    }
    /* a cut never leaves half a character */
    for (size_t i = 0; i + 3 <= sizeof text; i += 3)
        memcpy(text + i, "\xE6\x97\xA5", 3);
    for (size_t ascii = 0; ascii < 3; ascii++) {
        memset(text, 'x', 3 * ascii + ascii); /* shifts where the characters begin */
        memmove(text + ascii, text + 3 * ascii, 500);
        s3s_quoted q = s3s_quote(text, 400);
        size_t size = strlen(q.text);
        assert_string_equal(q.text + size - 4, "\"...");
        assert_int_equal((unsigned char)q.text[size - 5], 0xA5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token__rule),
        cmocka_unit_test(test_names__rule),
        cmocka_unit_test(test_value__rule),
        cmocka_unit_test(test_value__addressable),
        cmocka_unit_test(test_partition_key__rule),
        cmocka_unit_test(test_quote__shows_anything_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
