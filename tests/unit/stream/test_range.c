/* poll_range: bounds, damage, the settled tip. */
#include "support/dataset_fixture.h"

#include "stream/stream.h"
#include "unit/stream/tests.h"

static fixture_written add_commit(fixture *fx)
{
    fixture_write write = {.partition = "p=1"};
    return fixture_write_bytes(fx, &write, "x", 1, 2);
}

static void test_range__covers_since_inclusive_to_until_exclusive(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    add_commit(&fx);
    fixture_written b = add_commit(&fx), c = add_commit(&fx), d = add_commit(&fx);
    assert_ok(s3s_poll_range(fx.target, b.stamp_us, d.stamp_us, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 2);
    assert_string_equal(s3store_entries_get(entries, 0)->offset, b.ref_key);
    assert_string_equal(s3store_entries_get(entries, 1)->offset, c.ref_key);
    assert_int_equal(s3store_entries_get(entries, 1)->row_count, 2);
    s3store_entries_free(entries);
    assert_ok(s3s_poll_range(fx.target, b.stamp_us, b.stamp_us, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_range__without_bounds_is_the_head_to_the_settled_tip(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    for (int i = 0; i < 5; i++)
        add_commit(&fx);
    fixture_write young = {.partition = "p=1", .stamp_us = s3s_wall_us(fx.env)};
    fixture_write_bytes(&fx, &young, "x", 1, 1);
    assert_ok(s3s_poll_range(fx.target, S3STORE_TIME_NONE, S3STORE_TIME_NONE, NULL, &entries,
                             &err));
    assert_int_equal(s3store_entries_count(entries), 5);
    s3store_entries_free(entries);
    /* an explicit bound in the future does not reach beyond what is settled */
    assert_ok(s3s_poll_range(fx.target, S3STORE_TIME_NONE, s3s_wall_us(fx.env) + 60000000, NULL,
                             &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 5);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_range__reversed_is_an_error_that_names_both_ends(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    assert_fails(s3s_poll_range(fx.target, 2000000, 1000000, NULL, &entries, &err),
                 S3STORE_INVALID_ARGUMENT, "1970-01-01T00:00:02Z");
    assert_null(entries);
    fixture_close_clean(&fx);
}

static void test_range__fails_at_a_damaged_marker(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    s3store_metadata none = {0};
    fixture_open(&fx, NULL, NULL);
    add_commit(&fx);
    fixture_written bad = add_commit(&fx);
    fixture_put(&fx, bad.commit_key, NULL, 0, &none);
    assert_fails(s3s_poll_range(fx.target, S3STORE_TIME_NONE, S3STORE_TIME_NONE, NULL, &entries,
                                &err),
                 S3STORE_DAMAGED_MARKER, bad.commit_key);
    assert_null(entries);
    fixture_close_clean(&fx);
}

int run_range_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range__covers_since_inclusive_to_until_exclusive),
        cmocka_unit_test(test_range__without_bounds_is_the_head_to_the_settled_tip),
        cmocka_unit_test(test_range__reversed_is_an_error_that_names_both_ends),
        cmocka_unit_test(test_range__fails_at_a_damaged_marker),
    };
    return cmocka_run_group_tests_name("range", tests, NULL, NULL);
}
