/* Snapshot reads: patterns, versions, projection, iterators, what is gone or damaged. */
#include "e2e/e2e.h"

#include <stdlib.h>

/* Three days, two regions, three versions of one entity in three writes. */
static dataset quakes;

static int make_quakes(void **state)
{
    (void)state;
    static const quake first[] = {
        {"a", T0, T0 + 10, "north", 1, false},          {"b", T0, T0 + 10, "north", 2, false},
        {"c", T0, T0 + 10, "south", 3, false},          {"d", T0 + DAY_US, T0 + 10, "north", 4, false},
        {"e", T0 + 2 * DAY_US, T0 + 10, "south", 0, true},
    };
    static const quake second[] = {{"a", T0, T0 + 30, "north", 1.5, false},
                                   {"d", T0 + DAY_US, T0 + 5, "north", 9, false}};
    static const quake third[] = {{"a", T0, T0 + 20, "north", 1.25, false},
                                  {"b", T0, T0 + 10, "north", 2.5, false}};
    s3store_error err;
    dataset_make(&quakes, "quakes", NULL);
    (void)write_quakes(&quakes, first, 5, NULL, NULL, &err);
    (void)write_quakes(&quakes, second, 2, NULL, NULL, &err);
    (void)write_quakes(&quakes, third, 2, NULL, NULL, &err);
    return 0;
}

static int close_quakes(void **state)
{
    (void)state;
    dataset_close(&quakes);
    return 0;
}

static void test_read__latest_is_the_highest_version_and_the_later_write_on_a_tie(void **state)
{
    (void)state;
    assert_string_equal(read_text(&quakes, "*", "id,mag", false),
                        "a|1.5;b|2.5;c|3;d|4;e|-;");
}

static void test_read__history_is_every_version_once_in_order(void **state)
{
    (void)state;
    assert_string_equal(read_text(&quakes, "*", "id,mag", true),
                        "a|1;a|1.25;a|1.5;b|2;c|3;d|9;d|4;e|-;");
}

static void test_read__without_dedup_rows_come_as_they_were_written(void **state)
{
    (void)state;
    s3store_error err;
    s3store_reader *reader;
    struct ArrowArrayStream stream;
    static const char *const north[] = {"day=2018-02-07/region=north"};
    static const char *const columns[] = {"id", "mag"};
    s3store_reader_options open = S3STORE_READER_OPTIONS_INIT;
    open.no_dedup = true;
    assert_ok(s3store_reader_open(quakes.target, &open, &reader, &err));
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = north;
    options.pattern_count = 1;
    options.columns = columns;
    options.column_count = 2;
    assert_ok(s3store_read(reader, &options, &stream, &err));
    s3store_reader_free(reader); /* the stream holds what it needs */
    assert_string_equal(stream_text(&stream), "a|1;b|2;a|1.5;a|1.25;b|2.5;");
}

static void test_read__patterns_select_partitions(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *ids;
    } cases[] = {
        {"", "a;b;c;d;e;"},
        {"*", "a;b;c;d;e;"},
        {"*/*", "a;b;c;d;e;"},
        {"day=2018-02-07/region=north", "a;b;"},
        {"day=2018-02-07/*", "a;b;c;"},
        {"*/region=south", "c;e;"},
        {"day=2018-02-07..2018-02-09/*", "a;b;c;d;"},
        {"day=2018-02-08../*", "d;e;"},
        {"day=..2018-02-08/*", "a;b;c;"},
        {"day=2018-02-0*/region=s*", "c;e;"},
        {"day=2018-02-0*/region=a..o", "a;b;d;"},
        {"day=2019*/*", ""},
        {"day=2018-02-08/region=south", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(read_text(&quakes, cases[i].pattern, "id", false), cases[i].ids);
}

static void test_read__bad_patterns_name_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *names;
    } cases[] = {
        {"month=2018-02/*", "month"},           {"day=2018-02-07", "day=2018-02-07"},
        {"day=2018-02-09..2018-02-07/*", "reversed"}, {"day=2018*02/*", "*"},
        {"region=north/day=2018-02-07", "region"}, {"day=a[bc]/*", "["},
        {"*/*/*", "*/*/*"},
    };
    s3store_error err;
    (void)dataset_requests(&quakes);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ArrowArrayStream stream = {0};
        s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
        options.patterns = &cases[i].pattern;
        options.pattern_count = 1;
        assert_fails(s3store_read(quakes.reader, &options, &stream, &err),
                     S3STORE_INVALID_ARGUMENT, cases[i].names);
        assert_null(stream.release);
    }
    assert_requests(&quakes, 0, 0, 0, 0);
}

static void test_read__an_empty_list_reads_nothing_and_asks_nothing(void **state)
{
    (void)state;
    s3store_error err;
    struct ArrowArrayStream stream;
    (void)dataset_requests(&quakes);
    assert_ok(s3store_read(quakes.reader, NULL, &stream, &err));
    assert_int_equal(stream_rows(&stream), 0);
    requests made = dataset_requests(&quakes);
    assert_int_equal(made.get + made.head, 0);
}

static void test_read__overlapping_patterns_give_each_row_once(void **state)
{
    (void)state;
    static const char *const patterns[] = {"day=2018-02-08/*", "*/region=north",
                                           "day=2018-02-08/*"};
    static const char *const columns[] = {"id"};
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = 3;
    options.columns = columns;
    options.column_count = 1;
    assert_ok(s3store_read(quakes.reader, &options, &stream, &err));
    assert_string_equal(stream_text(&stream), "a;b;d;");
}

static void test_read__projection_keeps_the_order_and_does_not_change_the_answer(void **state)
{
    (void)state;
    assert_string_equal(read_text(&quakes, "day=2018-02-07/*", "region,mag", false),
                        "north|1.5;north|2.5;south|3;");
    static const char *const everything[] = {"*"}, *const columns[] = {"id", "depth"};
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.columns = columns;
    options.column_count = 2;
    s3store_status status = s3store_read(quakes.reader, &options, &stream, &err);
    if (status == S3STORE_OK)
        status = stream_status(&stream, &err);
    assert_int_not_equal(status, S3STORE_OK);
    assert_non_null(strstr(err.message, "depth"));
}

static void test_read__limit_and_shards_divide_the_result(void **state)
{
    (void)state;
    static const char *const everything[] = {"*"};
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.limit = 2;
    assert_ok(s3store_read(quakes.reader, &options, &stream, &err));
    assert_int_equal(stream_rows(&stream), 2);
    options.limit = 0;
    options.shard_count = 3;
    int64_t rows = 0;
    for (options.shard_index = 0; options.shard_index < 3; options.shard_index++) {
        assert_ok(s3store_read(quakes.reader, &options, &stream, &err));
        rows += stream_rows(&stream);
    }
    assert_int_equal(rows, 5);
    assert_fails(s3store_read(quakes.reader, &options, &stream, &err), S3STORE_INVALID_ARGUMENT,
                 "shard");
}

static void test_read__partitions_come_one_by_one(void **state)
{
    (void)state;
    static const char *const everything[] = {"*"}, *const columns[] = {"id"};
    static const char *const want[][2] = {{"day=2018-02-07/region=north", "a;b;"},
                                          {"day=2018-02-07/region=south", "c;"},
                                          {"day=2018-02-08/region=north", "d;"},
                                          {"day=2018-02-09/region=south", "e;"}};
    s3store_error err = {0};
    s3store_partition_iter *iter;
    struct ArrowArrayStream stream;
    const char *partition;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.columns = columns;
    options.column_count = 1;
    assert_ok(s3store_read_partitions(quakes.reader, &options, &iter, &err));
    for (size_t i = 0; i < 4; i++) {
        assert_ok(s3store_partition_iter_next(iter, &partition, &stream, &err));
        assert_string_equal(partition, want[i][0]);
        if (i != 1)
            assert_string_equal(stream_text(&stream), want[i][1]);
        else
            stream.release(&stream); /* unread rows do not matter */
    }
    assert_int_equal(s3store_partition_iter_next(iter, &partition, &stream, &err), S3STORE_END);
    s3store_partition_iter_free(iter);
}

static void test_read__records_come_one_by_one_and_all_at_once(void **state)
{
    (void)state;
    static const char *const everything[] = {"*"};
    s3store_error err = {0};
    s3store_record_iter *iter;
    s3store_records *records;
    quake q;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    assert_ok(s3store_read_iter(quakes.reader, &quake_type, &options, &iter, &err));
    assert_ok(s3store_record_iter_next(iter, &q, &err));
    assert_string_equal(q.id, "a");
    assert_int_equal(q.updated, T0 + 30);
    assert_string_equal(q.region, "north");
    assert_true(q.mag == 1.5 && !q.mag_is_null);
    for (int i = 0; i < 4; i++)
        assert_ok(s3store_record_iter_next(iter, &q, &err));
    assert_true(q.mag_is_null);
    assert_int_equal(s3store_record_iter_next(iter, &q, &err), S3STORE_END);
    s3store_record_iter_free(iter);
    /* An iterator may be given up at any point. */
    assert_ok(s3store_read_iter(quakes.reader, &quake_type, &options, &iter, &err));
    assert_ok(s3store_record_iter_next(iter, &q, &err));
    s3store_record_iter_free(iter);
    options.history = true;
    assert_ok(s3store_read_records(quakes.reader, &quake_type, &options, &records, &err));
    assert_int_equal(s3store_records_count(records), 8);
    const quake *all = s3store_records_data(records);
    assert_string_equal(all[7].id, "e");
    assert_true(all[1].mag == 1.25);
    s3store_records_free(records);
}

static void test_list_files__names_what_is_committed(void **state)
{
    (void)state;
    static const char *const north[] = {"day=2018-02-07/region=north"};
    s3store_error err;
    s3store_listing *listing;
    assert_ok(s3store_list_files(quakes.target, north, 1, NULL, &listing, &err));
    assert_int_equal(s3store_listing_count(listing), 3);
    for (size_t i = 0; i < 3; i++) {
        const s3store_listed_file *f = s3store_listing_get(listing, i);
        assert_string_equal(f->partition, north[0]);
        assert_true(f->size_bytes > 0);
        assert_true(dataset_has(&quakes, f->data_path));
    }
    s3store_listing_free(listing);
}

/* ---- what is not whole ------------------------------------------------------------------------------- */

static const quake one = {"a", T0, T0, "north", 1, false};

/* A dataset with one committed object; its key. */
static void make_one(dataset *d, const char *name, char *data_key, char *ref_key)
{
    s3store_error err;
    s3store_write_result *result;
    dataset_make(d, name, NULL);
    assert_ok(write_quakes(d, &one, 1, "t", &result, &err));
    strcpy(data_key, s3store_write_result_get(result, 0)->data_path);
    strcpy(ref_key, s3store_write_result_get(result, 0)->ref_path);
    s3store_write_result_free(result);
}

static s3store_status read_missing(const dataset *d, s3store_missing missing, int64_t *rows,
                                   s3store_error *err)
{
    static const char *const everything[] = {"*"};
    struct ArrowArrayStream stream;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.missing = missing;
    s3store_status status = s3store_read(d->reader, &options, &stream, err);
    if (status != S3STORE_OK)
        return status;
    struct ArrowArray batch = {0};
    *rows = 0;
    while (stream.get_next(&stream, &batch) == 0 && batch.release != NULL) {
        *rows += batch.length;
        batch.release(&batch);
    }
    memset(err, 0, sizeof *err);
    (void)s3store_stream_error(&stream, err);
    stream.release(&stream);
    return err->status;
}

static void test_read__a_missing_object_is_an_error_unless_tolerated(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    char data_key[S3STORE_KEY_MAX_BYTES + 1], ref_key[S3STORE_KEY_MAX_BYTES + 1];
    int64_t rows;
    make_one(&d, "gone", data_key, ref_key);
    /* The name stays listed when the object goes between LIST and GET: read entries instead. */
    wait_settled(&d);
    s3store_entries *entries;
    assert_ok(s3store_poll(d.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    dataset_remove(&d, data_key);
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    struct ArrowArrayStream stream;
    options.entries = entries;
    options.missing = S3STORE_MISSING_STRICT;
    s3store_status status = s3store_read(d.reader, &options, &stream, &err);
    if (status == S3STORE_OK)
        status = stream_status(&stream, &err);
    assert_int_equal(status, S3STORE_NOT_FOUND);
    assert_non_null(strstr(err.message, data_key));
    options.missing = S3STORE_MISSING_DEFAULT;
    assert_ok(s3store_read(d.reader, &options, &stream, &err));
    assert_int_equal(stream_rows(&stream), 0);
    s3store_entries_free(entries);
    assert_ok(read_missing(&d, S3STORE_MISSING_TOLERANT, &rows, &err));
    assert_int_equal(rows, 0);
    dataset_close(&d);
}

static void test_read__truncated_and_empty_objects_are_named(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "PAR1", "PAR1garbage-garbage-PAR1"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        s3store_error err;
        dataset d;
        char data_key[S3STORE_KEY_MAX_BYTES + 1], ref_key[S3STORE_KEY_MAX_BYTES + 1];
        int64_t rows;
        make_one(&d, "damaged", data_key, ref_key);
        dataset_put(&d, data_key + strlen(d.prefix) + 1, bodies[i], strlen(bodies[i]));
        assert_fails(read_missing(&d, S3STORE_MISSING_DEFAULT, &rows, &err), S3STORE_CORRUPT,
                     data_key);
        assert_fails(read_missing(&d, S3STORE_MISSING_TOLERANT, &rows, &err), S3STORE_CORRUPT,
                     data_key);
        dataset_close(&d);
    }
}

static void test_read__uncommitted_objects_are_invisible_on_every_path(void **state)
{
    (void)state;
    static const char id[] = "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8";
    s3store_error err;
    dataset d;
    char name[512];
    dataset_make(&d, "orphan", NULL);
    (void)write_quakes(&d, &one, 1, NULL, NULL, &err);
    snprintf(name, sizeof name, "data/day=2018-02-07/region=north/job-%s.parquet", id);
    dataset_put(&d, name, "not even parquet", 16);
    snprintf(name, sizeof name, "_ref/1517961600000000-job-%s;day=2018-02-07%%2Fregion=north.ref",
             id);
    dataset_put(&d, name, NULL, 0);
    dataset_put(&d, "data/stray.txt", "x", 1);
    dataset_put(&d, "_ref/no-ref-at-all", NULL, 0);
    wait_settled(&d);
    assert_string_equal(read_text(&d, "*", "id", true), "a;");
    s3store_entries *entries;
    assert_ok(s3store_poll(d.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    s3store_entries_free(entries);
    struct ArrowArrayStream stream;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.range = true;
    assert_ok(s3store_read(d.reader, &options, &stream, &err));
    assert_int_equal(stream_rows(&stream), 1);
    dataset_close(&d);
}

static void test_read__cancellation_surfaces(void **state)
{
    (void)state;
    s3store_error err;
    s3store_cancel *cancel;
    struct ArrowArrayStream stream;
    static const char *const everything[] = {"*"};
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_cancel_trigger(cancel);
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.cancel = cancel;
    s3store_status status = s3store_read(quakes.reader, &options, &stream, &err);
    if (status == S3STORE_OK)
        status = stream_status(&stream, &err);
    assert_int_equal(status, S3STORE_CANCELLED);
    s3store_cancel_free(cancel);
}

int run_read_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read__latest_is_the_highest_version_and_the_later_write_on_a_tie),
        cmocka_unit_test(test_read__history_is_every_version_once_in_order),
        cmocka_unit_test(test_read__without_dedup_rows_come_as_they_were_written),
        cmocka_unit_test(test_read__patterns_select_partitions),
        cmocka_unit_test(test_read__bad_patterns_name_what_is_wrong),
        cmocka_unit_test(test_read__an_empty_list_reads_nothing_and_asks_nothing),
        cmocka_unit_test(test_read__overlapping_patterns_give_each_row_once),
        cmocka_unit_test(test_read__projection_keeps_the_order_and_does_not_change_the_answer),
        cmocka_unit_test(test_read__limit_and_shards_divide_the_result),
        cmocka_unit_test(test_read__partitions_come_one_by_one),
        cmocka_unit_test(test_read__records_come_one_by_one_and_all_at_once),
        cmocka_unit_test(test_list_files__names_what_is_committed),
        cmocka_unit_test(test_read__a_missing_object_is_an_error_unless_tolerated),
        cmocka_unit_test(test_read__truncated_and_empty_objects_are_named),
        cmocka_unit_test(test_read__uncommitted_objects_are_invisible_on_every_path),
        cmocka_unit_test(test_read__cancellation_surfaces),
    };
    return cmocka_run_group_tests_name("read", tests, make_quakes, close_quakes);
}
