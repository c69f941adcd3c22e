/* poll_records: one poll and its rows. */
#include "unit/read/kit.h"

static void test_poll_records__keeps_versions_and_collapses_replicas(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    struct ArrowArrayStream rows;
    s3store_entries *entries = NULL;
    kit_open(&k, NULL, NULL);
    kit_write(&k, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    kit_write(&k, "p=1", (fixture_row[]){{"a", 2, 2, false}}, 1);
    fixture_written last = kit_write(&k, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    for (int again = 0; again < 2; again++) {
        assert_ok(s3s_poll_records(k.reader, NULL, NULL, &entries, &rows, &err));
        assert_int_equal(s3store_entries_count(entries), 3);
        assert_string_equal(s3store_entries_next_offset(entries), last.ref_key);
        assert_ok(fixture_drain(&rows, k.text, KIT_TEXT, &err));
        assert_string_equal(k.text, "a|1|1;a|2|2;");
        s3store_entries_free(entries);
    }
    kit_close(&k);
}

static void test_poll_records__advances_also_when_nothing_came(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    struct ArrowArrayStream rows;
    s3store_entries *entries = NULL;
    kit_open(&k, NULL, NULL);
    fixture_write dead = {.partition = "p=1", .steps = FIXTURE_REF};
    fixture_written tail = fixture_write_bytes(&k.fx, &dead, NULL, 0, 0);
    assert_ok(s3s_poll_records(k.reader, NULL, NULL, &entries, &rows, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_string_equal(s3store_entries_next_offset(entries), tail.ref_key);
    assert_ok(fixture_drain(&rows, k.text, KIT_TEXT, &err));
    assert_string_equal(k.text, "");
    s3store_entries_free(entries);
    kit_close(&k);
}

static void test_poll_records__passes_data_that_is_gone(void **state)
{
    (void)state;
    static const char *const wanted[] = {"value"};
    kit k;
    s3store_error err;
    struct ArrowArrayStream rows;
    s3store_entries *entries = NULL;
    kit_open(&k, NULL, NULL);
    fixture_written gone = kit_write(&k, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    kit_write(&k, "p=2", (fixture_row[]){{"b", 1, 2, false}}, 1);
    fixture_remove(&k.fx, gone.data_key);
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.columns = wanted;
    o.column_count = 1;
    assert_ok(s3s_poll_records(k.reader, NULL, &o, &entries, &rows, &err));
    assert_int_equal(s3store_entries_count(entries), 2);
    assert_ok(fixture_drain(&rows, k.text, KIT_TEXT, &err));
    assert_string_equal(k.text, "2;");
    assert_non_null(strstr(k.fx.log, gone.data_key));
    assert_non_null(strstr(k.fx.log, "method=poll_records"));
    s3store_entries_free(entries);
    o.missing = S3STORE_MISSING_STRICT;
    s3store_status status = s3s_poll_records(k.reader, NULL, &o, &entries, &rows, &err);
    if (status == S3STORE_OK) {
        status = fixture_drain(&rows, k.text, KIT_TEXT, &err);
        s3store_entries_free(entries);
    }
    assert_int_equal(status, S3STORE_NOT_FOUND);
    kit_close(&k);
}

static void test_poll_records__takes_no_other_source(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    struct ArrowArrayStream rows;
    s3store_entries *entries = NULL;
    kit_open(&k, NULL, NULL);
    s3store_read_options o = kit_pattern(kit_all);
    assert_fails(s3s_poll_records(k.reader, NULL, &o, &entries, &rows, &err),
                 S3STORE_INVALID_ARGUMENT, "poll_records");
    o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    assert_fails(s3s_poll_records(k.reader, NULL, &o, &entries, &rows, &err),
                 S3STORE_INVALID_ARGUMENT, "poll_records");
    s3store_entries *given = NULL;
    assert_ok(s3s_poll(k.fx.target, NULL, &given, &err));
    o = kit_entries(given);
    assert_fails(s3s_poll_records(k.reader, NULL, &o, &entries, &rows, &err),
                 S3STORE_INVALID_ARGUMENT, "poll_records");
    s3store_entries_free(given);
    s3store_poll_options p = S3STORE_POLL_OPTIONS_INIT;
    p.since = "elsewhere";
    assert_fails(s3s_poll_records(k.reader, &p, NULL, &entries, &rows, &err),
                 S3STORE_INVALID_ARGUMENT, "elsewhere");
    assert_null(entries);
    assert_null(rows.release);
    kit_close(&k);
}

int run_poll_records_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poll_records__keeps_versions_and_collapses_replicas),
        cmocka_unit_test(test_poll_records__advances_also_when_nothing_came),
        cmocka_unit_test(test_poll_records__passes_data_that_is_gone),
        cmocka_unit_test(test_poll_records__takes_no_other_source),
    };
    return cmocka_run_group_tests_name("poll_records", tests, NULL, NULL);
}
