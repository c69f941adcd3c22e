/* What operations cost: requests counted at the store interface. */
#include "e2e/e2e.h"

static const quake row = {"a", T0, T0, "north", 1, false};

static void test_budget__opening(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_target *target;
    s3store_writer *writer;
    s3store_reader *reader;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    dataset_make(&d, "opening", NULL);
    for (int with_schema = 0; with_schema < 2; with_schema++) {
        if (with_schema == 1)
            (void)write_quakes(&d, &row, 1, NULL, NULL, &err);
        config.url = d.url;
        assert_ok(s3store_target_open(&config, &target, &err));
        dataset at = {.target = target};
        assert_requests(&at, 0, 3, 0, 0);
        assert_ok(s3store_reader_open(target, NULL, &reader, &err));
        assert_requests(&at, 0, 0, 0, 0);
        assert_ok(s3store_writer_open(target, NULL, &writer, &err));
        assert_requests(&at, 1, (unsigned)with_schema, 0, 2);
        s3store_writer_free(writer);
        /* What the server honours, and the schema, are asked for once; views each time. */
        assert_ok(s3store_writer_open(target, NULL, &writer, &err));
        assert_requests(&at, 0, 0, 0, 1);
        s3store_writer_free(writer);
        s3store_reader_free(reader);
        s3store_target_free(target);
    }
    dataset_close(&d);
}

static void test_budget__writing(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    dataset_make(&d, "writing", NULL);
    (void)write_quakes(&d, &row, 1, "warm", NULL, &err); /* records the schema */
    (void)dataset_requests(&d);
    (void)write_quakes(&d, &row, 1, NULL, NULL, &err);
    assert_requests(&d, 3, 0, 0, 0);
    (void)write_quakes(&d, &row, 1, "t", NULL, &err);
    assert_requests(&d, 3, 0, 1, 0);
    (void)write_quakes(&d, &row, 1, "t", NULL, &err);
    assert_requests(&d, 0, 0, 1, 0);
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "u";
    options.optimistic = true;
    assert_ok(s3store_write_records(d.writer, &quake_type, &row, 1, &options, &result, &err));
    assert_requests(&d, 3, 0, 0, 0);
    s3store_write_result_free(result);
    assert_ok(s3store_lookup_commit(d.target, "day=2018-02-07/region=north", "u", NULL, &result,
                                    &err));
    assert_requests(&d, 0, 0, 1, 0);
    s3store_write_result_free(result);
    dataset_close(&d);
}

static void test_budget__the_first_write_records_its_schema_with_one_put(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    dataset_make(&d, "growing", NULL);
    (void)dataset_requests(&d);
    (void)write_quakes(&d, &row, 1, NULL, NULL, &err);
    assert_requests(&d, 4, 0, 0, 0);
    dataset_close(&d);
}

static void test_budget__snapshot(void **state)
{
    (void)state;
    enum { FILES = 12 };
    s3store_error err;
    dataset d;
    dataset_make(&d, "snapshot", NULL);
    for (int i = 0; i < FILES; i++) {
        quake q = row;
        q.time += i % 3 * DAY_US;
        (void)write_quakes(&d, &q, 1, NULL, NULL, &err);
    }
    (void)dataset_requests(&d);
    assert_int_equal(count_rows(&d, "*", false), 3);
    assert_requests(&d, 0, FILES, 0, 1);
    assert_int_equal(count_rows(&d, "day=2018-02-08/*", false), 1);
    assert_requests(&d, 0, FILES / 3, 0, 1);
    dataset_close(&d);
}

/* Tokens that were committed before the LIST need no HEAD, others one (PROTOCOL C.5). */
static void test_budget__snapshot_of_tokens(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    dataset_make(&d, "tokens", NULL);
    (void)write_quakes(&d, &row, 1, "a", NULL, &err);
    (void)write_quakes(&d, &row, 1, "b", NULL, &err);
    sleep_us(2500000);
    (void)dataset_requests(&d);
    assert_int_equal(count_rows(&d, "*", false), 1);
    assert_requests(&d, 0, 2, 0, 1);
    dataset_close(&d);
}

static void test_budget__poll(void **state)
{
    (void)state;
    s3store_error err;
    s3store_entries *entries;
    s3store_write_result *result;
    dataset d;
    dataset_make(&d, "poll", NULL);
    for (int i = 0; i < 3; i++)
        (void)write_quakes(&d, &row, 1, NULL, NULL, &err);
    (void)write_quakes(&d, &row, 1, "t", NULL, &err);
    assert_ok(s3store_restamp(d.target, "day=2018-02-07/region=north", "t", NULL, &result, &err));
    s3store_write_result_free(result);
    wait_settled(&d);
    (void)dataset_requests(&d);
    assert_ok(s3store_poll(d.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 5);
    assert_requests(&d, 0, 0, 4, 1); /* the restamped commit is asked for once */
    char since[S3STORE_KEY_MAX_BYTES + 1];
    strcpy(since, s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    options.since = since;
    assert_ok(s3store_poll(d.target, &options, &entries, &err));
    assert_requests(&d, 0, 0, 0, 1);
    s3store_entries_free(entries);
    dataset_close(&d);
}

int run_budget_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget__opening),
        cmocka_unit_test(test_budget__writing),
        cmocka_unit_test(test_budget__the_first_write_records_its_schema_with_one_put),
        cmocka_unit_test(test_budget__snapshot),
        cmocka_unit_test(test_budget__snapshot_of_tokens),
        cmocka_unit_test(test_budget__poll),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
