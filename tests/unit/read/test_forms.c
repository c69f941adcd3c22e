/* Streams, partitions, records, listings: their own rules. */
#include "unit/read/kit.h"

#include "arrow/stream.h"
#include "support/alloc_sweep.h"

static void write_three_partitions(kit *k)
{
    kit_write(k, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"b", 1, 2, false}}, 2);
    kit_write(k, "p=2", (fixture_row[]){{"a", 1, 3, false}, {"b", 1, 4, true}}, 2);
    kit_write(k, "p=3", (fixture_row[]){{"a", 1, 5, false}, {"b", 1, 6, false}}, 2);
}

static void test_forms__a_stream_released_early_leaves_nothing(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    struct ArrowArrayStream stream;
    struct ArrowArray batch = {0};
    kit_open(&k, NULL, NULL);
    write_three_partitions(&k);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_stream(k.reader, &o, &stream, &err));
    stream.release(&stream);
    assert_ok(s3s_read_stream(k.reader, &o, &stream, &err));
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    s3s_reader_free(k.reader); /* a stream holds what it needs */
    k.reader = NULL;
    stream.release(&stream);
    batch.release(&batch);
    kit_close(&k);
}

static void test_forms__a_stream_gives_its_whole_error_at_its_end(void **state)
{
    (void)state;
    kit k;
    s3store_error err, whole;
    struct ArrowArrayStream stream;
    struct ArrowArray batch = {0};
    kit_open(&k, NULL, NULL);
    write_three_partitions(&k);
    fixture_written bad = kit_write(&k, "p=2", (fixture_row[]){{"c", 1, 1, false}}, 1);
    fixture_put(&k.fx, bad.data_key, "PAR1", 4, NULL);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_stream(k.reader, &o, &stream, &err));
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    batch.release(&batch);
    for (int again = 0; again < 2; again++) {
        assert_int_not_equal(stream.get_next(&stream, &batch), 0);
        assert_true(s3store_stream_error(&stream, &whole));
        assert_int_equal(whole.status, S3STORE_CORRUPT);
        assert_string_equal(whole.key, bad.data_key);
        assert_non_null(strstr(stream.get_last_error(&stream), bad.data_key));
    }
    stream.release(&stream);
    kit_close(&k);
}

static void test_forms__partitions_may_be_left_early_or_unread(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    write_three_partitions(&k);
    for (int read = 0; read < 2; read++) {
        s3store_partition_iter *iter = NULL;
        s3store_read_options o = kit_pattern(kit_all);
        const char *partition = NULL;
        struct ArrowArrayStream rows;
        assert_ok(s3s_read_partitions(k.reader, &o, &iter, &err));
        for (int p = 1; p <= 3; p++) {
            assert_ok(s3store_partition_iter_next(iter, &partition, &rows, &err));
            char expected[] = {'p', '=', (char)('0' + p), '\0'};
            assert_string_equal(partition, expected);
            if (read) {
                struct ArrowArray batch = {0};
                assert_int_equal(rows.get_next(&rows, &batch), 0);
                assert_int_equal(batch.length, 2);
                batch.release(&batch);
            }
            rows.release(&rows);
        }
        assert_int_equal(s3store_partition_iter_next(iter, &partition, &rows, &err), S3STORE_END);
        assert_int_equal(s3store_partition_iter_next(iter, &partition, &rows, &err), S3STORE_END);
        s3store_partition_iter_free(iter);
    }
    kit_close(&k);
}

static void test_forms__rows_of_a_partition_that_was_left_are_void_not_dangerous(void **state)
{
    (void)state;
    kit k;
    s3store_error err, whole;
    s3store_partition_iter *iter = NULL;
    const char *partition = NULL;
    struct ArrowArrayStream first, second;
    struct ArrowArray batch = {0};
    kit_open(&k, NULL, NULL);
    write_three_partitions(&k);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_partitions(k.reader, &o, &iter, &err));
    assert_ok(s3store_partition_iter_next(iter, &partition, &first, &err));
    assert_ok(s3store_partition_iter_next(iter, &partition, &second, &err));
    assert_int_not_equal(first.get_next(&first, &batch), 0);
    assert_true(s3store_stream_error(&first, &whole));
    assert_int_equal(whole.status, S3STORE_INVALID_ARGUMENT);
    s3store_partition_iter_free(iter);
    assert_int_not_equal(second.get_next(&second, &batch), 0);
    first.release(&first);
    second.release(&second);
    kit_close(&k);
}

static void test_forms__partition_errors_come_between_partitions(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    write_three_partitions(&k);
    fixture_written bad = kit_write(&k, "p=2", (fixture_row[]){{"c", 1, 1, false}}, 1);
    fixture_put(&k.fx, bad.data_key, NULL, 0, NULL);
    s3store_read_options o = kit_pattern(kit_all);
    assert_fails(kit_partitions(&k, &o, &err), S3STORE_CORRUPT, bad.data_key);
    assert_string_equal(k.text, "{p=1}a|1|1;b|1|2;"); /* whole, then the error */
    kit_close(&k);
}

/* ---- records --------------------------------------------------------------------------------- */

typedef struct strict_row {
    const char *entity;
    int64_t value;
} strict_row;
static const s3store_field strict_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(strict_row, entity)},
    {.name = "value", .kind = S3STORE_KIND_INT64, .offset = offsetof(strict_row, value)},
};
static const s3store_record_type strict_type = S3STORE_RECORD_TYPE(strict_row, strict_fields);

static void test_forms__a_record_iterator_goes_over_blocks_and_batches(void **state)
{
    (void)state;
    enum { ROWS = 1500 };
    kit k;
    s3store_error err;
    s3store_record_iter *iter = NULL;
    static fixture_row rows[ROWS];
    static char names[ROWS][8];
    kit_open(&k, NULL, NULL);
    for (int i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof names[i], "e%05d", i);
        rows[i] = (fixture_row){names[i], 1, i, i % 3 == 0};
    }
    kit_write(&k, "p=1", rows, ROWS);
    kit_write(&k, "p=2", rows, 1);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_iter(k.reader, &fixture_row_type, &o, &iter, &err));
    for (int i = 0; i <= ROWS; i++) {
        fixture_row row;
        assert_ok(s3store_record_iter_next(iter, &row, &err));
        assert_string_equal(row.entity, names[i % ROWS]);
        assert_int_equal(row.value_is_null, i % ROWS % 3 == 0);
        if (!row.value_is_null)
            assert_int_equal(row.value, i % ROWS);
    }
    fixture_row row;
    assert_int_equal(s3store_record_iter_next(iter, &row, &err), S3STORE_END);
    assert_int_equal(s3store_record_iter_next(iter, &row, &err), S3STORE_END);
    s3store_record_iter_free(iter);
    s3store_record_iter_free(NULL);
    kit_close(&k);
}

static void test_forms__a_null_that_a_record_refuses_fails_after_the_rows_before_it(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3store_record_iter *iter = NULL;
    s3store_records *records = NULL;
    strict_row row;
    kit_open(&k, NULL, NULL);
    kit_write(&k, "p=1", (fixture_row[]){{"a", 1, 1, false}, {"b", 1, 2, false}}, 2);
    kit_write(&k, "p=2", (fixture_row[]){{"c", 1, 3, true}}, 1);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_iter(k.reader, &strict_type, &o, &iter, &err));
    assert_ok(s3store_record_iter_next(iter, &row, &err));
    assert_ok(s3store_record_iter_next(iter, &row, &err));
    assert_string_equal(row.entity, "b");
    assert_fails(s3store_record_iter_next(iter, &row, &err), S3STORE_SCHEMA_MISMATCH, "value");
    s3store_record_iter_free(iter);
    assert_fails(s3s_read_records(k.reader, &strict_type, &o, &records, &err),
                 S3STORE_SCHEMA_MISMATCH, "value");
    assert_null(records);
    kit_close(&k);
}

typedef struct any_bytes {
    s3store_bytes entity;
    int64_t version, value;
} any_bytes;
static const s3store_field any_bytes_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_STRING, .offset = offsetof(any_bytes, entity)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = offsetof(any_bytes, version)},
    {.name = "value", .kind = S3STORE_KIND_INT64, .offset = offsetof(any_bytes, value)},
};
static const s3store_record_type any_bytes_type = S3STORE_RECORD_TYPE(any_bytes, any_bytes_fields);

/* A text with a NUL is none in C: rows before it come, one by one if need be, then the error, for good. */
static void test_forms__a_text_with_a_nul_fails_after_the_rows_before_it(void **state)
{
    (void)state;
    static const any_bytes rows[] = {{{"a", 1}, 1, 1}, {{"b", 1}, 1, 2}, {{"c\0d", 3}, 1, 3},
                                     {{"e", 1}, 1, 4}};
    kit k;
    s3store_error err;
    s3store_record_iter *iter = NULL;
    s3store_records *records = NULL;
    fixture_write write = {.partition = "p=1"};
    kit_open(&k, NULL, NULL);
    fixture_write_records(&k.fx, &write, &any_bytes_type, rows, 4);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_iter(k.reader, &fixture_row_type, &o, &iter, &err));
    for (int i = 0; i < 2; i++) {
        fixture_row row;
        assert_ok(s3store_record_iter_next(iter, &row, &err));
        assert_int_equal(row.value, i + 1);
    }
    fixture_row row;
    assert_fails(s3store_record_iter_next(iter, &row, &err), S3STORE_SCHEMA_MISMATCH, "entity");
    assert_int_equal(s3store_record_iter_next(iter, &row, NULL), S3STORE_SCHEMA_MISMATCH);
    s3store_record_iter_free(iter);
    assert_fails(s3s_read_records(k.reader, &fixture_row_type, &o, &records, &err),
                 S3STORE_SCHEMA_MISMATCH, "entity");
    assert_null(records);
    kit_close(&k);
}

static void test_forms__records_of_no_rows_are_an_empty_array(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3store_records *records = NULL;
    kit_open(&k, NULL, NULL);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_records(k.reader, &fixture_row_type, &o, &records, &err));
    assert_int_equal(s3store_records_count(records), 0);
    s3store_records_free(records);
    s3store_records_free(NULL);
    assert_int_equal(s3store_records_count(NULL), 0);
    assert_null(s3store_records_data(NULL));
    kit_close(&k);
}

/* ---- listing --------------------------------------------------------------------------------- */

static void test_forms__a_listing_names_committed_files_in_order(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3store_listing *listing = NULL;
    kit_open(&k, NULL, NULL);
    fixture_written b = kit_write(&k, "p=b", (fixture_row[]){{"a", 1, 1, false}}, 1);
    fixture_written a = kit_write(&k, "p=a", (fixture_row[]){{"a", 1, 1, false}}, 1);
    fixture_write orphan = {.partition = "p=a", .steps = FIXTURE_DATA};
    fixture_write_bytes(&k.fx, &orphan, "x", 1, 1);
    fixture_reset_counts(&k.fx);
    assert_ok(s3s_list_files(k.fx.target, kit_all, 1, NULL, &listing, &err));
    assert_int_equal(s3store_listing_count(listing), 2);
    const s3store_listed_file *first = s3store_listing_get(listing, 0);
    assert_string_equal(first->partition, "p=a");
    assert_string_equal(first->data_path, a.data_key);
    assert_string_equal(first->token, a.token);
    assert_true(first->size_bytes > 0);
    assert_true(first->last_modified_us > 0);
    assert_string_equal(s3store_listing_get(listing, 1)->data_path, b.data_key);
    assert_null(s3store_listing_get(listing, 2));
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_GET), 0);
    s3store_listing_free(listing);
    assert_ok(s3s_list_files(k.fx.target, NULL, 0, NULL, &listing, &err));
    assert_int_equal(s3store_listing_count(listing), 0);
    s3store_listing_free(listing);
    s3store_listing_free(NULL);
    assert_int_equal(s3store_listing_count(NULL), 0);
    assert_null(s3store_listing_get(NULL, 0));
    kit_close(&k);
}

/* ---- memory ------------------------------------------------------------------------------------ */

typedef struct sweep {
    kit k;
    s3store_status (*form)(kit *k, const s3store_read_options *o, s3store_error *err);
    s3store_read_options o;
} sweep;

static s3store_status read_once(void *ctx, s3store_error *err)
{
    sweep *s = ctx;
    s3store_entries *handover = NULL;
    s->o.handover = s->o.pattern_count > 0 ? &handover : NULL;
    s3store_status status = s->form(&s->k, &s->o, err);
    if (status == S3STORE_OK)
        assert_non_null(strstr(s->k.text, "a|1|1;b|1|2;"));
    if (s->o.handover != NULL && status == S3STORE_OK)
        assert_int_equal(s3store_entries_count(handover), 1);
    s3store_entries_free(handover); /* rows may fail after it was given; else there is none */
    return status;
}

static s3store_status list_once(void *ctx, s3store_error *err)
{
    sweep *s = ctx;
    s3store_listing *listing = (void *)s;
    s3store_status status = s3s_list_files(s->k.fx.target, kit_all, 1, NULL, &listing, err);
    if (status == S3STORE_OK)
        assert_int_equal(s3store_listing_count(listing), 1);
    else
        assert_null(listing);
    s3store_listing_free(listing);
    return status;
}

static s3store_status open_once(void *ctx, s3store_error *err)
{
    sweep *s = ctx;
    s3store_reader *reader = (void *)s;
    s3store_status status = s3s_reader_open(s->k.fx.target, NULL, &reader, err);
    if (status == S3STORE_OK)
        assert_string_equal(reader->entity[0], "entity");
    else
        assert_null(reader);
    s3s_reader_free(reader);
    return status;
}

static s3store_status poll_once(void *ctx, s3store_error *err)
{
    sweep *s = ctx;
    s3store_entries *entries = (void *)s;
    struct ArrowArrayStream rows;
    s3store_status status = s3s_poll_records(s->k.reader, NULL, NULL, &entries, &rows, err);
    if (status != S3STORE_OK) {
        assert_null(entries);
        assert_null(rows.release);
        return status;
    }
    status = fixture_drain(&rows, s->k.text, KIT_TEXT, err);
    if (status == S3STORE_OK)
        assert_string_equal(s->k.text, "a|1|1;b|1|2;");
    s3store_entries_free(entries);
    return status;
}

static void test_forms__every_failed_allocation_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    static s3store_status (*const forms[])(kit *, const s3store_read_options *, s3store_error *) = {
        kit_stream, kit_partitions, kit_iter, kit_records};
    static const alloc_sweep_fn others[] = {list_once, open_once, poll_once};
    static sweep s;
    fixture_options one = {.max_inflight = 1};
    kit_open(&s.k, &one, NULL);
    fixture_write write = {.partition = "p=1", .stamp_us = s3s_wall_us(s.k.fx.env) - 60000000};
    fixture_write_rows(&s.k.fx, &write, (fixture_row[]){{"a", 1, 1, false}, {"b", 1, 2, false}}, 2);
    for (size_t f = 0; f < 8; f++) {
        s.form = forms[f % 4];
        s.o = f < 4 ? kit_pattern(kit_all) : kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
        assert_true(alloc_sweep(s.k.fx.env, 1, read_once, &s) > 50);
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(alloc_sweep(s.k.fx.env, 1, others[i], &s) > 2);
    kit_close(&s.k);
}

int run_form_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms__a_stream_released_early_leaves_nothing),
        cmocka_unit_test(test_forms__a_stream_gives_its_whole_error_at_its_end),
        cmocka_unit_test(test_forms__partitions_may_be_left_early_or_unread),
        cmocka_unit_test(test_forms__rows_of_a_partition_that_was_left_are_void_not_dangerous),
        cmocka_unit_test(test_forms__partition_errors_come_between_partitions),
        cmocka_unit_test(test_forms__a_record_iterator_goes_over_blocks_and_batches),
        cmocka_unit_test(test_forms__a_null_that_a_record_refuses_fails_after_the_rows_before_it),
        cmocka_unit_test(test_forms__a_text_with_a_nul_fails_after_the_rows_before_it),
        cmocka_unit_test(test_forms__records_of_no_rows_are_an_empty_array),
        cmocka_unit_test(test_forms__a_listing_names_committed_files_in_order),
        cmocka_unit_test(test_forms__every_failed_allocation_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("forms", tests, NULL, NULL);
}
