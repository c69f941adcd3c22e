/* The change stream: poll, ranges, offsets, the settle window, damaged markers. */
#include "e2e/e2e.h"

#include <time.h>

/* Five commits in three writes, settled before the tests begin. */
static dataset stream;
static int64_t between_us; /* a time after the first write, before the second */
static char refs[5][S3STORE_KEY_MAX_BYTES + 1]; /* in order */

static int64_t wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int make_stream_dataset(void **state)
{
    (void)state;
    static const quake first[] = {{"a", T0, T0 + 1, "north", 1, false},
                                  {"b", T0, T0 + 1, "north", 2, false}};
    static const quake second[] = {{"a", T0, T0 + 2, "north", 1.5, false}};
    static const quake third[] = {{"c", T0, T0 + 1, "east", 3, false},
                                  {"d", T0, T0 + 1, "south", 4, false},
                                  {"e", T0 + DAY_US, T0 + 1, "west", 5, false}};
    s3store_error err;
    s3store_entries *entries;
    dataset_make(&stream, "stream", NULL);
    (void)write_quakes(&stream, first, 2, "one", NULL, &err);
    sleep_us(2000);
    between_us = wall_us();
    sleep_us(2000);
    (void)write_quakes(&stream, second, 1, "two", NULL, &err);
    (void)write_quakes(&stream, third, 3, "three", NULL, &err);
    wait_settled(&stream);
    assert_ok(s3store_poll(stream.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 5);
    for (size_t i = 0; i < 5; i++)
        strcpy(refs[i], s3store_entries_get(entries, i)->ref_path);
    s3store_entries_free(entries);
    return 0;
}

static int close_stream(void **state)
{
    (void)state;
    dataset_close(&stream);
    return 0;
}

static void test_poll__entries_are_in_order_and_complete(void **state)
{
    (void)state;
    s3store_error err;
    s3store_entries *entries;
    size_t count;
    assert_ok(s3store_poll(stream.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 5);
    assert_int_equal(s3store_entries_pending(entries), 0);
    assert_string_equal(s3store_entries_next_offset(entries), refs[4]);
    const s3store_entry *e = s3store_entries_get(entries, 0);
    assert_string_equal(e->partition, "day=2018-02-07/region=north");
    assert_int_equal(e->row_count, 2);
    assert_string_equal(e->offset, e->ref_path);
    assert_true(dataset_has(&stream, e->data_path));
    assert_true(e->inserted_at_us < between_us);
    for (size_t i = 1; i < 5; i++) {
        const s3store_entry *f = s3store_entries_get(entries, i);
        assert_true(strcmp(refs[i - 1], refs[i]) < 0);
        assert_true(f->inserted_at_us > between_us);
    }
    const char *const *keys = s3store_entries_partition_keys(entries, &count);
    assert_int_equal(count, 4);
    assert_string_equal(keys[0], "day=2018-02-07/region=east");
    assert_string_equal(keys[3], "day=2018-02-08/region=west");
    s3store_entries_free(entries);
}

static void test_poll__pages_by_maximum_without_gap_or_repetition(void **state)
{
    (void)state;
    s3store_error err;
    s3store_entries *entries;
    char since[S3STORE_KEY_MAX_BYTES + 1] = "";
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    options.max_entries = 2;
    options.since = since;
    for (size_t seen = 0; seen < 5;) {
        assert_ok(s3store_poll(stream.target, &options, &entries, &err));
        size_t n = s3store_entries_count(entries);
        assert_int_equal(n, seen == 4 ? 1 : 2);
        for (size_t i = 0; i < n; i++)
            assert_string_equal(s3store_entries_get(entries, i)->ref_path, refs[seen + i]);
        seen += n;
        strcpy(since, s3store_entries_next_offset(entries));
        s3store_entries_free(entries);
    }
    assert_ok(s3store_poll(stream.target, &options, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_string_equal(s3store_entries_next_offset(entries), refs[4]);
    s3store_entries_free(entries);
    options.max_entries = -1;
    assert_fails(s3store_poll(stream.target, &options, &entries, &err), S3STORE_INVALID_ARGUMENT,
                 "max_entries");
}

static void test_poll__bounds_exclude_what_they_name(void **state)
{
    (void)state;
    s3store_error err;
    s3store_entries *entries;
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    options.since = refs[0];
    options.until = refs[3];
    assert_ok(s3store_poll(stream.target, &options, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 2);
    assert_string_equal(s3store_entries_get(entries, 0)->ref_path, refs[1]);
    s3store_entries_free(entries);
    char at[S3STORE_KEY_MAX_BYTES + 1];
    assert_ok(s3store_offset_at(stream.target, between_us, at, sizeof at, &err));
    options.since = at;
    options.until = NULL;
    assert_ok(s3store_poll(stream.target, &options, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 4);
    s3store_entries_free(entries);
}

static void test_poll_range__is_everything_between_two_times(void **state)
{
    (void)state;
    s3store_error err;
    s3store_entries *entries;
    assert_ok(s3store_poll_range(stream.target, S3STORE_TIME_NONE, between_us, NULL, &entries,
                                 &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    s3store_entries_free(entries);
    assert_ok(s3store_poll_range(stream.target, between_us, S3STORE_TIME_NONE, NULL, &entries,
                                 &err));
    assert_int_equal(s3store_entries_count(entries), 4);
    s3store_entries_free(entries);
    assert_fails(s3store_poll_range(stream.target, between_us, between_us - 1, NULL, &entries,
                                    &err),
                 S3STORE_INVALID_ARGUMENT, NULL);
}

static void test_read__a_range_is_the_rows_of_its_commits(void **state)
{
    (void)state;
    static const char *const columns[] = {"id", "mag"};
    s3store_error err;
    struct ArrowArrayStream rows;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.range = true;
    options.columns = columns;
    options.column_count = 2;
    assert_ok(s3store_read(stream.reader, &options, &rows, &err));
    assert_string_equal(stream_text(&rows), "c|3;a|1.5;b|2;d|4;e|5;");
    options.until_us = between_us;
    assert_ok(s3store_read(stream.reader, &options, &rows, &err));
    assert_string_equal(stream_text(&rows), "a|1;b|2;");
    options.history = true;
    options.until_us = S3STORE_TIME_NONE;
    assert_ok(s3store_read(stream.reader, &options, &rows, &err));
    assert_string_equal(stream_text(&rows), "c|3;a|1;a|1.5;b|2;d|4;e|5;");
}

static void test_read__given_entries_are_read_as_they_are(void **state)
{
    (void)state;
    static const char *const columns[] = {"id", "mag"};
    s3store_error err;
    s3store_entries *entries;
    struct ArrowArrayStream rows;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    poll.max_entries = 2;
    assert_ok(s3store_poll(stream.target, &poll, &entries, &err));
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.entries = entries;
    options.columns = columns;
    options.column_count = 2;
    assert_ok(s3store_read(stream.reader, &options, &rows, &err));
    assert_string_equal(stream_text(&rows), "a|1.5;b|2;");
    s3store_entries_free(entries);
}

static void test_poll_records__keeps_versions_and_carries_the_offset(void **state)
{
    (void)state;
    s3store_error err;
    s3store_entries *entries;
    struct ArrowArrayStream rows;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    poll.max_entries = 3;
    static const char *const columns[] = {"id", "mag"};
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.columns = columns;
    options.column_count = 2;
    assert_ok(s3store_poll_records(stream.reader, &poll, &options, &entries, &rows, &err));
    const char *text = stream_text(&rows);
    assert_non_null(strstr(text, "a|1;a|1.5;b|2;"));
    assert_string_equal(s3store_entries_next_offset(entries), refs[2]);
    s3store_entries_free(entries);
    poll.since = refs[4];
    assert_ok(s3store_poll_records(stream.reader, &poll, &options, &entries, &rows, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_string_equal(s3store_entries_next_offset(entries), refs[4]);
    if (rows.release != NULL)
        assert_int_equal(stream_rows(&rows), 0);
    s3store_entries_free(entries);
}

static void test_poll__a_commit_waits_for_its_settle_window(void **state)
{
    (void)state;
    s3store_error err;
    s3store_entries *entries;
    dataset d;
    static const quake row = {"a", T0, T0, "north", 1, false};
    /* Long enough that this test cannot be slower. */
    dataset_options options = {.commit_timeout_us = 3600 * INT64_C(1000000)};
    dataset_make(&d, "window", &options);
    (void)write_quakes(&d, &row, 1, NULL, NULL, &err);
    assert_ok(s3store_poll(d.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_int_equal(s3store_entries_pending(entries), 1);
    assert_string_equal(s3store_entries_next_offset(entries), "");
    s3store_entries_free(entries);
    assert_int_equal(count_rows(&d, "*", false), 1); /* a snapshot does not wait */
    dataset_close(&d);
}

static void test_poll__stops_before_a_damaged_marker_or_passes_it(void **state)
{
    (void)state;
    static const quake row = {"a", T0, T0, "north", 1, false};
    s3store_error err;
    s3store_entries *entries;
    dataset d;
    dataset_make(&d, "marker", NULL);
    for (int i = 0; i < 3; i++)
        (void)write_quakes(&d, &row, 1, i == 0 ? "t0" : i == 1 ? "t1" : "t2", NULL, &err);
    dataset_put(&d, "data/day=2018-02-07/region=north/t1.commit", NULL, 0);
    wait_settled(&d);
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    char since[S3STORE_KEY_MAX_BYTES + 1];
    assert_ok(s3store_poll(d.target, &options, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    snprintf(since, sizeof since, "%s", s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
    options.since = since;
    assert_fails(s3store_poll(d.target, &options, &entries, &err), S3STORE_DAMAGED_MARKER,
                 "t1.commit");
    options.since = NULL;
    options.skip_damaged = true;
    assert_ok(s3store_poll(d.target, &options, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 2);
    assert_int_equal(s3store_entries_skipped_count(entries), 1);
    assert_non_null(strstr(s3store_entries_skipped_get(entries, 0), "t1.commit"));
    s3store_entries_free(entries);
    dataset_close(&d);
}

int run_stream_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poll__entries_are_in_order_and_complete),
        cmocka_unit_test(test_poll__pages_by_maximum_without_gap_or_repetition),
        cmocka_unit_test(test_poll__bounds_exclude_what_they_name),
        cmocka_unit_test(test_poll_range__is_everything_between_two_times),
        cmocka_unit_test(test_read__a_range_is_the_rows_of_its_commits),
        cmocka_unit_test(test_read__given_entries_are_read_as_they_are),
        cmocka_unit_test(test_poll_records__keeps_versions_and_carries_the_offset),
        cmocka_unit_test(test_poll__a_commit_waits_for_its_settle_window),
        cmocka_unit_test(test_poll__stops_before_a_damaged_marker_or_passes_it),
    };
    return cmocka_run_group_tests_name("stream", tests, make_stream_dataset, close_stream);
}
