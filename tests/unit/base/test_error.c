/* Errors, statuses, metadata. */
#include "support/test.h"

#include <errno.h>

#include "base/error.h"

static void test_status__every_entry_has_name_and_text(void **state)
{
    (void)state;
    assert_string_equal(s3store_status_name(S3STORE_OK), "OK");
    assert_string_equal(s3store_status_name(S3STORE_TOKEN_REUSED), "TOKEN_REUSED");
    for (int i = 0; i <= S3STORE_INTERNAL; i++) {
        assert_string_not_equal(s3store_status_name((s3store_status)i), "UNKNOWN");
        assert_true(strlen(s3store_status_text((s3store_status)i)) > 3);
    }
    assert_true(s3store_status_can_retry(S3STORE_UNAVAILABLE));
    assert_false(s3store_status_can_retry(S3STORE_CORRUPT));
}

static void test_status__unknown_values_are_named_not_read(void **state)
{
    (void)state;
    assert_string_equal(s3store_status_name((s3store_status)12345), "UNKNOWN");
    assert_string_equal(s3store_status_name((s3store_status)-1), "UNKNOWN");
    assert_non_null(s3store_status_text((s3store_status)-7));
    assert_false(s3store_status_can_retry((s3store_status)999));
}

static void test_version__is_the_header_s(void **state)
{
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", S3STORE_VERSION_MAJOR, S3STORE_VERSION_MINOR,
             S3STORE_VERSION_PATCH);
    assert_string_equal(s3store_version(), expected);
}

static void test_fail__fills_and_clears(void **state)
{
    (void)state;
    s3store_error err;
    memset(&err, 'x', sizeof err);
    assert_int_equal(s3s_fail(&err, S3STORE_CORRUPT, "page %d of %s", 7, "a.parquet"),
                     S3STORE_CORRUPT);
    assert_int_equal(err.status, S3STORE_CORRUPT);
    assert_string_equal(err.message, "page 7 of a.parquet");
    assert_string_equal(err.key, "");
    assert_string_equal(err.s3_code, "");
    assert_int_equal(err.http_status, 0);
    assert_int_equal(s3s_fail(NULL, S3STORE_IO, "nobody listens"), S3STORE_IO);
}

static void test_fail__message_is_one_line_and_cut_between_characters(void **state)
{
    (void)state;
    s3store_error err;
    s3s_fail(&err, S3STORE_IO, "a\r\nb\tc\x1b");
    assert_string_equal(err.message, "a  b c ");

    char text[sizeof err.message + 10];
    memset(text, 'a', sizeof text);
    memcpy(text + sizeof err.message - 2, "\xE2\x82\xAC", 3); /* a euro sign over the end */
    text[sizeof text - 1] = '\0';
    s3s_fail(&err, S3STORE_IO, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 2);
    assert_int_equal(err.message[sizeof err.message - 3], 'a');
}

static void test_fail__arguments_may_come_from_the_error_itself(void **state)
{
    (void)state;
    s3store_error err;
    s3s_fail_key(&err, S3STORE_IO, "k/1", "first");
    s3s_fail_key(&err, S3STORE_CORRUPT, err.key, "second after %s", err.message);
    assert_string_equal(err.message, "second after first");
    assert_string_equal(err.key, "k/1");
}

static void test_fail_errno__has_own_status_and_words(void **state)
{
    (void)state;
    s3store_error err;
    assert_fails(s3s_fail_errno(&err, ENOENT, "open", "/x/y"), S3STORE_NOT_FOUND, "open /x/y");
    assert_string_equal(err.key, "/x/y");
    assert_fails(s3s_fail_errno(&err, EACCES, "open", "/x"), S3STORE_PERMISSION_DENIED, "owner");
    assert_fails(s3s_fail_errno(&err, ENOSPC, "write", "/x"), S3STORE_IO, "no space");
    assert_fails(s3s_fail_errno(&err, ENOTDIR, "open", NULL), S3STORE_IO, "directory");
    assert_string_equal(err.key, "");
}

static void test_context__keeps_everything_else(void **state)
{
    (void)state;
    s3store_error err;
    s3s_fail_key(&err, S3STORE_NOT_FOUND, "k", "no such object");
    err.http_status = 404;
    s3s_context(&err, "reading %s", "config");
    assert_int_equal(err.status, S3STORE_NOT_FOUND);
    assert_string_equal(err.message, "reading config: no such object");
    assert_string_equal(err.key, "k");
    assert_int_equal(err.http_status, 404);
}

static void test_fail_as__hands_on_all_that_was_said(void **state)
{
    (void)state;
    s3store_error why, err = {0};
    s3s_fail_key(&why, S3STORE_CONFLICT, "the/key", "it was changed meanwhile");
    why.http_status = 409;
    assert_int_equal(s3s_fail_as(&err, S3STORE_CONFLICT, &why), S3STORE_CONFLICT);
    assert_memory_equal(&err, &why, sizeof err);
    assert_int_equal(s3s_fail_as(NULL, S3STORE_CONFLICT, &why), S3STORE_CONFLICT);
}

static void test_restate__without_an_error_to_fill_the_status_is_kept(void **state)
{
    (void)state;
    s3store_error err;
    s3s_fail_key(&err, S3STORE_UNCERTAIN, "k", "no answer");
    assert_int_equal(s3s_restate(&err, S3STORE_UNAVAILABLE), S3STORE_UNAVAILABLE);
    assert_int_equal(err.status, S3STORE_UNAVAILABLE);
    assert_string_equal(err.message, "no answer");
    assert_string_equal(err.key, "k");
    s3s_context(NULL, "nobody %s", "listens");
    assert_int_equal(s3s_restate(NULL, S3STORE_CORRUPT), S3STORE_CORRUPT);
}

static void test_metadata__add_and_get(void **state)
{
    (void)state;
    static s3store_metadata m;
    memset(&m, 0, sizeof m);
    assert_true(s3store_metadata_add(&m, "Attempt-ID", "0a"));
    assert_true(s3store_metadata_add(&m, "rows", ""));
    assert_string_equal(s3store_metadata_get(&m, "attempt-id"), "0a");
    assert_string_equal(s3store_metadata_get(&m, "ATTEMPT-id"), "0a");
    assert_string_equal(m.text + m.entries[0].name, "attempt-id");
    assert_string_equal(s3store_metadata_get(&m, "rows"), "");
    assert_null(s3store_metadata_get(&m, "row"));
    assert_null(s3store_metadata_get(NULL, "row"));
}

static void test_metadata__refuses_what_does_not_fit(void **state)
{
    (void)state;
    static s3store_metadata m;
    static char big[S3STORE_METADATA_MAX_TEXT + 1];
    memset(&m, 0, sizeof m);
    memset(big, 'v', sizeof big - 1);
    assert_false(s3store_metadata_add(&m, "n", big));
    big[S3STORE_METADATA_MAX_TEXT - 3] = '\0'; /* with "n" and two NULs: exactly full */
    assert_true(s3store_metadata_add(&m, "n", big));
    assert_false(s3store_metadata_add(&m, "", ""));
    memset(&m, 0, sizeof m);
    for (int i = 0; i < S3STORE_METADATA_MAX_ENTRIES; i++)
        assert_true(s3store_metadata_add(&m, "n", "v"));
    assert_false(s3store_metadata_add(&m, "n", "v"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status__every_entry_has_name_and_text),
        cmocka_unit_test(test_status__unknown_values_are_named_not_read),
        cmocka_unit_test(test_version__is_the_header_s),
        cmocka_unit_test(test_fail__fills_and_clears),
        cmocka_unit_test(test_fail__message_is_one_line_and_cut_between_characters),
        cmocka_unit_test(test_fail__arguments_may_come_from_the_error_itself),
        cmocka_unit_test(test_fail_errno__has_own_status_and_words),
        cmocka_unit_test(test_context__keeps_everything_else),
        cmocka_unit_test(test_fail_as__hands_on_all_that_was_said),
        cmocka_unit_test(test_restate__without_an_error_to_fill_the_status_is_kept),
        cmocka_unit_test(test_metadata__add_and_get),
        cmocka_unit_test(test_metadata__refuses_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
