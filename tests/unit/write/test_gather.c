/* The input: what is accepted, in which types, and that it is never changed. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/cancel.h"
#include "unit/write/stage.h"

#define PIV "p:string?;id:string?;v:int64?"

static const stage_options with_entity = {.entity = true};

/* Refused with this status and text, and nothing happened: no request, nothing stored. */
static void refused(stage *s, const char *columns, const char *const *rows, size_t count,
                    s3store_status status, const char *text)
{
    s3store_error err;
    s3store_write_result *result = NULL;
    faulty_reset(&s->faults);
    assert_fails(stage_write(s, columns, rows, count, NULL, &result, &err), status, text);
    assert_null(result);
    assert_int_equal(faulty_total(&s->faults), 0);
    assert_int_equal(stage_count(s, ".parquet") + stage_count(s, ".ref"), 0);
}

static void test_gather__missing_columns_are_named(void **state)
{
    static const char *const parts[] = {"day=time:day", "site", NULL};
    stage s;
    (void)state;
    stage_open(&s, &with_entity);
    refused(&s, "id:string?;v:int64?", ROWS("x|1"), S3STORE_INVALID_ARGUMENT,
            "no column p (or no value in it), which is the dataset's partition column");
    refused(&s, "p:string?;v:int64?", ROWS("a|1"), S3STORE_INVALID_ARGUMENT,
            "no column id (or no value in it), which is the dataset's entity column");
    refused(&s, "p:string?;id:string?", ROWS("a|x"), S3STORE_INVALID_ARGUMENT,
            "no column v (or no value in it), which is the dataset's version column");
    stage_close(&s);
    stage_open(&s, &(stage_options){.partition_by = parts});
    refused(&s, "site:string?;v:int64?", ROWS("a|1"), S3STORE_INVALID_ARGUMENT, "no column time");
    stage_close(&s);
}

static void test_gather__a_partition_that_the_caller_names_needs_no_columns(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.partition = "p=b";
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, "v:int64?", ROWS("7"), &options, NULL, &err));
    assert_string_equal(stage_rows(&s), "7;");
    stage_close(&s);
}

static void test_gather__wrong_types_are_named(void **state)
{
    stage s;
    (void)state;
    stage_open(&s, &with_entity);
    refused(&s, "p:double?;id:string?;v:int64?", ROWS("1|x|1"), S3STORE_SCHEMA_MISMATCH, "p");
    refused(&s, "p:string?;id:string?;v:double?", ROWS("a|x|1"), S3STORE_SCHEMA_MISMATCH,
            "version column v is double");
    refused(&s, "p:string?;id:string?;v:string?", ROWS("a|x|1"), S3STORE_SCHEMA_MISMATCH,
            "version column v is string");
    stage_close(&s);
}

static void test_gather__dates_and_timestamps_are_versions(void **state)
{
    stage s;
    s3store_error err;
    (void)state;
    static const char *const types[] = {"p:string?;id:string?;v:date?",
                                        "p:string?;id:string?;v:timestamp(us, UTC)?",
                                        "p:string?;id:string?;v:uint8?"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        stage_open(&s, &with_entity);
        assert_ok(stage_write(&s, types[i], ROWS("a|x|1"), NULL, NULL, &err));
        stage_close(&s);
    }
}

static void test_gather__nulls_in_key_columns_name_their_row(void **state)
{
    stage s;
    (void)state;
    stage_open(&s, &with_entity);
    refused(&s, PIV, ROWS("a|x|1", "a|null|1"), S3STORE_INVALID_ARGUMENT,
            "row 2: the entity column id is null");
    refused(&s, PIV, ROWS("a|x|1", "a|y|2", "a|y|null"), S3STORE_INVALID_ARGUMENT,
            "row 3: the version column v is null");
    refused(&s, PIV, ROWS("a|x|1", "null|y|2"), S3STORE_INVALID_ARGUMENT,
            "row 2: column \"p\" is null");
    stage_close(&s);
}

static void test_gather__rows_are_counted_over_batches(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    static const struct {
        const char *first, *second, *third, *text;
        s3store_status status;
    } cases[] = {
        {"a|x|1", "a|y|2", "a|null|3", "row 4: the entity column", S3STORE_INVALID_ARGUMENT},
        {"a|x|1", "a|y|2", "null|z|3", "row 4: column \"p\"", S3STORE_INVALID_ARGUMENT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage_batches b = {0};
        struct ArrowArrayStream stream;
        stage_open(&s, &with_entity);
        stage_batches_add(&s, &b, PIV, ROWS(cases[i].first, cases[i].second));
        stage_batches_add(&s, &b, PIV, NULL, 0);
        stage_batches_add(&s, &b, PIV, ROWS(cases[i].first, cases[i].third));
        stage_batches_stream(&b, &stream);
        assert_fails(s3s_write(s.writer, &stream, NULL, &result, &err), cases[i].status,
                     cases[i].text);
        assert_null(result);
        stage_close(&s);
    }
}

static void test_gather__many_batches_become_one_file_for_each_partition(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    stage_batches b = {0};
    struct ArrowArrayStream stream;
    (void)state;
    stage_open(&s, NULL);
    stage_batches_add(&s, &b, PIV, ROWS("b|1|1", "a|2|2"));
    stage_batches_add(&s, &b, PIV, ROWS("a|3|3"));
    stage_batches_add(&s, &b, PIV, ROWS("b|4|4", "b|5|5"));
    stage_batches_stream(&b, &stream);
    assert_ok(s3s_write(s.writer, &stream, NULL, &result, &err));
    assert_string_equal(stage_states(result), "p=a committed, p=b committed");
    assert_int_equal(s3store_write_result_get(result, 1)->row_count, 3);
    assert_string_equal(stage_rows(&s), "a|2|2;a|3|3;b|1|1;b|4|4;b|5|5;");
    s3store_write_result_free(result);
    stage_close(&s);
}

static uint32_t schema_versions(stage *s, char *types, size_t size)
{
    s3store_error err;
    uint32_t version;
    s3s_schema *schema;
    size_t used = 0;
    assert_ok(s3s_target_schema(s->target, NULL, true, &version, &schema, &err));
    types[0] = '\0';
    for (size_t i = 0; schema != NULL && i < schema->field_count; i++) {
        char text[64];
        used += (size_t)snprintf(types + used, size - used, "%s:%s;", schema->fields[i].name,
                                 s3s_field_type_text(&schema->fields[i], text, sizeof text));
    }
    s3s_schema_release(schema);
    return version;
}

static void test_gather__types_widen_and_the_dataset_records_it(void **state)
{
    stage s;
    s3store_error err;
    char types[256];
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, "p:string?;v:int32?", ROWS("a|1"), NULL, NULL, &err));
    assert_int_equal(schema_versions(&s, types, sizeof types), 1);
    assert_string_equal(types, "p:string;v:int32;");
    assert_ok(stage_write(&s, "v:int64?;p:string?;w:double?", ROWS("4294967296|a|0.5"), NULL, NULL,
                          &err));
    assert_int_equal(schema_versions(&s, types, sizeof types), 2);
    assert_string_equal(types, "p:string;v:int64;w:double;");
    assert_ok(stage_write(&s, "p:string?;v:int8?", ROWS("a|3"), NULL, NULL, &err));
    assert_int_equal(schema_versions(&s, types, sizeof types), 2);
    assert_string_equal(stage_rows(&s), "a|1|-;a|4294967296|0.5;a|3|-;");
    stage_close(&s);
}

static void test_gather__types_that_do_not_fit_are_refused_and_record_nothing(void **state)
{
    stage s;
    s3store_error err;
    char types[256];
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, "p:string?;v:uint64?", ROWS("a|1"), NULL, NULL, &err));
    assert_fails(stage_write(&s, "p:string?;v:string?;new:int8?", ROWS("a|1|1"), NULL, NULL, &err),
                 S3STORE_SCHEMA_MISMATCH, "\"v\" is recorded as uint64, but the data have string");
    assert_fails(stage_write(&s, "p:string?;v:int64?", ROWS("a|1", "a|-2"), NULL, NULL, &err),
                 S3STORE_SCHEMA_MISMATCH, "-2 of type int64 does not fit into uint64");
    assert_int_equal(schema_versions(&s, types, sizeof types), 1);
    stage_close(&s);
}

static void test_gather__a_column_of_unknown_type_is_left_out(void **state)
{
    stage s;
    s3store_error err;
    char types[256];
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, "p:string?;n:null?;v:int64?", ROWS("a|null|1"), NULL, NULL, &err));
    assert_int_equal(schema_versions(&s, types, sizeof types), 1);
    assert_string_equal(types, "p:string;v:int64;");
    assert_ok(stage_write(&s, "p:string?;n:int8?;v:null?", ROWS("a|5|null"), NULL, NULL, &err));
    assert_int_equal(schema_versions(&s, types, sizeof types), 2);
    assert_string_equal(types, "p:string;v:int64;n:int8;");
    assert_string_equal(stage_rows(&s), "a|1|-;a|-|5;");
    stage_close(&s);
}

static void test_gather__no_rows_is_nothing_to_write_whatever_the_columns(void **state)
{
    stage s;
    s3store_error err;
    char types[256];
    static const char *const columns[] = {PIV, "other:double?", "p:double?;v:string?"};
    (void)state;
    stage_open(&s, &with_entity);
    for (size_t i = 0; i < 3; i++) {
        s3store_write_result *result = NULL;
        faulty_reset(&s.faults);
        assert_ok(stage_write(&s, columns[i], NULL, 0, NULL, &result, &err));
        assert_non_null(result);
        assert_int_equal(s3store_write_result_count(result), 0);
        s3store_write_result_free(result);
        assert_int_equal(faulty_total(&s.faults), 0);
    }
    assert_int_equal(schema_versions(&s, types, sizeof types), 0);
    stage_close(&s);
}

static void test_gather__a_row_beyond_the_budget_is_refused_and_written_with_more(void **state)
{
    static char row[900];
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    stage_open(&s, &(stage_options){.memory_bytes = 800});
    memset(row, 'x', sizeof row);
    memcpy(row, "a|", 2);
    memcpy(row + sizeof row - 3, "|1", 3);
    assert_fails(stage_write(&s, PIV, ROWS("a|x|1", "b|y|2", row), NULL, &result, &err),
                 S3STORE_LIMIT_EXCEEDED, "--memory");
    assert_non_null(strstr(err.message, "row 3 "));
    assert_non_null(strstr(err.message, "of 800"));
    assert_null(result);
    assert_int_equal(faulty_total(&s.faults), 0);
    s.target->memory_bytes = 4096;
    assert_ok(stage_write(&s, PIV, ROWS("a|x|1", "b|y|2", row), NULL, NULL, &err));
    assert_int_equal(stage_count(&s, ".commit"), 2);
    stage_close(&s);
}

/* ---- streams of others ----------------------------------------------------------------------- */

typedef struct foreign {
    stage *s;
    s3s_schema *schema;
    int calls, fail_at, other_at, released;
} foreign;

static int foreign_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    foreign *f = stream->private_data;
    s3store_error err;
    assert_ok(s3s_schema_export(f->schema, out, &err));
    return 0;
}

static int foreign_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    foreign *f = stream->private_data;
    f->calls++;
    if (f->calls == f->fail_at)
        return EIO;
    if (f->calls == f->other_at) { /* fewer columns than the schema says */
        s3s_schema *less = kit_schema(f->s->env, "p:string?");
        kit_batch(less, ROWS("a"), out);
        s3s_schema_release(less);
        return 0;
    }
    if (f->calls > 3)
        memset(out, 0, sizeof *out);
    else
        kit_batch(f->schema, ROWS("a|x|1"), out);
    return 0;
}

static const char *foreign_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return "the disk is on fire";
}

static void foreign_release(struct ArrowArrayStream *stream)
{
    foreign *f = stream->private_data;
    f->released++;
    stream->release = NULL;
}

static void write_foreign(stage *s, foreign *f, s3store_status status, const char *text)
{
    s3store_error err;
    s3store_write_result *result = NULL;
    f->s = s;
    f->schema = kit_schema(s->env, PIV);
    struct ArrowArrayStream stream = {.get_schema = foreign_schema,
                                      .get_next = foreign_next,
                                      .get_last_error = foreign_error,
                                      .release = foreign_release,
                                      .private_data = f};
    if (status == S3STORE_OK)
        assert_ok(s3s_write(s->writer, &stream, NULL, &result, &err));
    else
        assert_fails(s3s_write(s->writer, &stream, NULL, &result, &err), status, text);
    s3store_write_result_free(result);
    s3s_schema_release(f->schema);
    assert_int_equal(f->released, 1);
    assert_null(stream.release);
}

static void test_gather__errors_of_foreign_streams_come_through(void **state)
{
    stage s;
    (void)state;
    stage_open(&s, NULL);
    write_foreign(&s, &(foreign){.fail_at = 1}, S3STORE_IO, "the disk is on fire");
    write_foreign(&s, &(foreign){.fail_at = 3}, S3STORE_IO, "the disk is on fire");
    assert_int_equal(faulty_total(&s.faults), 0);
    write_foreign(&s, &(foreign){0}, S3STORE_OK, NULL);
    stage_close(&s);
}

static void test_gather__a_stream_that_changes_its_columns_is_refused(void **state)
{
    stage s;
    (void)state;
    stage_open(&s, NULL);
    write_foreign(&s, &(foreign){.other_at = 2}, S3STORE_INVALID_ARGUMENT, "batch 1");
    assert_int_equal(faulty_total(&s.faults), 0);
    stage_close(&s);
}

static void test_gather__the_stream_is_released_when_options_are_refused(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, NULL);
    options.token = "";
    assert_fails(stage_write(&s, PIV, ROWS("a|x|1"), &options, NULL, &err),
                 S3STORE_INVALID_ARGUMENT, "token");
    options.token = NULL;
    options.timeout_ms = -1;
    assert_fails(stage_write(&s, PIV, ROWS("a|x|1"), &options, NULL, &err),
                 S3STORE_INVALID_ARGUMENT, "timeout_ms");
    options.timeout_ms = 0;
    options.compression = (s3store_compression)77;
    assert_fails(stage_write(&s, PIV, ROWS("a|x|1"), &options, NULL, &err),
                 S3STORE_INVALID_ARGUMENT, "77");
    stage_close(&s);
}

/* ---- the inserted-at column ------------------------------------------------------------------ */

static void test_gather__the_inserted_at_column_is_added_or_replaced(void **state)
{
    static const struct {
        const char *columns, *row, *types, *rows;
    } cases[] = {
        {"p:string?;v:int64?", "a|1", "p:string;v:int64;at:timestamp(us, UTC);",
         "a|1|1000000000123456;"},
        {"p:string?;at:timestamp(us, UTC)?;v:int64?", "a|5|1",
         "p:string;at:timestamp(us, UTC);v:int64;", "a|1000000000123456|1;"},
        {"p:string?;at:timestamp(s)?;v:int64?", "a|9223372036854775807|1",
         "p:string;at:timestamp(us, UTC);v:int64;", "a|1000000000123456|1;"},
        {"p:string?;at:timestamp(ns, UTC)?;v:int64?", "a|null|1",
         "p:string;at:timestamp(ns, UTC);v:int64;", "a|1000000000123456000|1;"},
        {"p:string?;at:null?;v:int64?", "a|null|1", "p:string;at:timestamp(us, UTC);v:int64;",
         "a|1000000000123456|1;"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        char types[256];
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.inserted_at_us = INT64_C(1000000000123456);
        stage_open(&s, &(stage_options){.inserted_at_column = "at"});
        assert_ok(stage_write(&s, cases[i].columns, &cases[i].row, 1, &options, &result, &err));
        schema_versions(&s, types, sizeof types);
        assert_string_equal(types, cases[i].types);
        assert_string_equal(stage_rows(&s), cases[i].rows);
        assert_int_equal(s3store_write_result_get(result, 0)->inserted_at_us,
                         options.inserted_at_us);
        s3store_write_result_free(result);
        stage_close(&s);
    }
}

static void test_gather__the_inserted_at_column_keeps_its_recorded_type(void **state)
{
    stage s;
    s3store_error err;
    char types[256];
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, &(stage_options){.inserted_at_column = "at"});
    options.inserted_at_us = -1;
    assert_ok(stage_write(&s, "p:string?;at:timestamp(us, UTC)?", ROWS("a|5"), &options, NULL,
                          &err));
    assert_ok(stage_write(&s, "p:string?;at:timestamp(ns)?", ROWS("a|5"), &options, NULL, &err));
    assert_int_equal(schema_versions(&s, types, sizeof types), 1);
    assert_string_equal(types, "p:string;at:timestamp(us, UTC);");
    assert_string_equal(stage_rows(&s), "a|-1;a|-1;");
    assert_fails(stage_write(&s, "p:string?;at:string?", ROWS("a|5"), &options, NULL, &err),
                 S3STORE_SCHEMA_MISMATCH, "inserted-at column at is string");
    stage_close(&s);
}

static void test_gather__the_time_of_the_call_is_the_insertion_time(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    char rows[64];
    (void)state;
    stage_open(&s, &(stage_options){.inserted_at_column = "at"});
    int64_t now_us = s3s_wall_us(s.env);
    assert_ok(stage_write(&s, "p:string?", ROWS("a"), NULL, &result, &err));
    assert_int_equal(s3store_write_result_get(result, 0)->inserted_at_us, now_us);
    snprintf(rows, sizeof rows, "a|%lld;", (long long)now_us);
    assert_string_equal(stage_rows(&s), rows);
    s3store_write_result_free(result);
    stage_close(&s);
}

static void test_gather__rows_can_be_partitioned_by_their_insertion_time(void **state)
{
    static const char *const by_day[] = {"day=at:day", NULL};
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    stage_open(&s, &(stage_options){.inserted_at_column = "at", .partition_by = by_day});
    assert_ok(stage_write(&s, "v:int64?", ROWS("1", "2"), NULL, &result, &err));
    assert_string_equal(stage_states(result), "day=2018-02-07 committed");
    s3store_write_result_free(result);
    stage_close(&s);
}

/* What another writer recorded decides; times from before 1970 go down, not towards zero. */
static void test_gather__the_insertion_time_is_rounded_down_to_the_recorded_unit(void **state)
{
    static const struct {
        const char *columns, *rows;
    } cases[] = {{"p:string?;at:timestamp(s, UTC)?", "a|-2000;"},
                 {"p:string?;at:timestamp(ms, UTC)?", "a|-1501;"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        stage s;
        s3store_error err;
        char types[256];
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.inserted_at_us = -1500001;
        stage_open(&s, NULL);
        /* Written as an ordinary column before it was declared as the inserted-at column. */
        assert_ok(stage_write(&s, cases[i].columns, ROWS("b|5"), NULL, NULL, &err));
        s.target->settings.inserted_at_column = "at";
        assert_ok(stage_write(&s, "p:string?", ROWS("a"), &options, NULL, &err));
        assert_int_equal(schema_versions(&s, types, sizeof types), 1);
        assert_non_null(strstr(stage_rows(&s), cases[i].rows));
        stage_close(&s);
    }
}

static void test_gather__an_insertion_time_beyond_the_column_is_refused(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    options.inserted_at_us = INT64_MAX / 100; /* in nanoseconds: more than there is */
    stage_open(&s, &(stage_options){.inserted_at_column = "at"});
    assert_fails(stage_write(&s, "p:string?;at:timestamp(ns, UTC)?", ROWS("a|null"), &options,
                             &result, &err),
                 S3STORE_INVALID_ARGUMENT, "does not fit column at");
    assert_null(result);
    assert_int_equal(stage_count(&s, ".parquet"), 0);
    stage_close(&s);
}

/* One batch of 6 MB: it is taken in pieces, and a null in a later one still names its row. */
static void cancel_first(void *ctx, const s3store_write_progress *progress)
{
    (void)progress;
    s3store_cancel_trigger(ctx);
}

static void test_gather__a_large_batch_is_taken_in_pieces(void **state)
{
    enum { COUNT = 6000, SIZE = 1000 };
    stage s;
    s3store_error err;
    s3store_write_result *result;
    static char *rows[COUNT];
    (void)state;
    stage_open(&s, &with_entity);
    for (int i = 0; i < COUNT; i++) {
        rows[i] = malloc(SIZE);
        assert_non_null(rows[i]);
        memset(rows[i], 'a' + i % 26, SIZE);
        memcpy(rows[i], i % 2 == 0 ? "a|" : "b|", 2);
        snprintf(rows[i] + SIZE - 8, 8, "|%d", i);
    }
    assert_ok(stage_write(&s, PIV, (const char *const *)rows, COUNT, NULL, &result, &err));
    assert_string_equal(stage_states(result), "p=a committed, p=b committed");
    assert_int_equal(s3store_write_result_get(result, 0)->row_count, COUNT / 2);
    assert_int_equal(s3store_write_result_get(result, 1)->row_count, COUNT / 2);
    s3store_write_result_free(result);
    snprintf(rows[5000] + SIZE - 8, 8, "|null");
    assert_fails(stage_write(&s, PIV, (const char *const *)rows, COUNT, NULL, &result, &err),
                 S3STORE_INVALID_ARGUMENT, "row 5001: the version column v is null");
    assert_null(result);
    /* It can be cancelled between two of them. */
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    assert_ok(s3s_cancel_new(NULL, NULL, &options.cancel, &err));
    snprintf(rows[5000] + SIZE - 8, 8, "|5000");
    options.progress = cancel_first;
    options.progress_ctx = options.cancel;
    assert_fails(stage_write(&s, PIV, (const char *const *)rows, COUNT, &options, &result, &err),
                 S3STORE_CANCELLED, NULL);
    assert_null(result);
    s3store_cancel_free(options.cancel);
    for (int i = 0; i < COUNT; i++)
        free(rows[i]);
    stage_close(&s);
}

/* What a writer is opened with is meant by each write; unless it is told, as the dataset says. */
static void test_gather__a_writer_has_options_of_its_own(void **state)
{
    stage s;
    s3store_error err;
    s3store_writer *writer;
    s3store_writer_options options = S3STORE_WRITER_OPTIONS_INIT;
    (void)state;
    stage_open(&s, NULL);
    s.target->settings.compression = S3STORE_COMPRESSION_GZIP;
    assert_ok(s3s_writer_open(s.target, &options, &writer, &err));
    assert_int_equal(writer->compression, S3STORE_COMPRESSION_GZIP);
    uint64_t most = writer->pool_max_bytes;
    s3s_writer_free(writer);
    options.compression = S3STORE_COMPRESSION_ZSTD;
    options.encode_pool_bytes = 4096;
    assert_ok(s3s_writer_open(s.target, &options, &writer, &err));
    assert_int_equal(writer->compression, S3STORE_COMPRESSION_ZSTD);
    assert_int_equal(writer->pool_max_bytes, 4096);
    s3s_writer_free(writer);
    options.encode_pool_bytes = UINT64_MAX; /* a part of the budget at most */
    assert_ok(s3s_writer_open(s.target, &options, &writer, &err));
    assert_int_equal(writer->pool_max_bytes, s.target->memory_bytes / S3S_MEMORY_SLACK);
    assert_true(writer->pool_max_bytes >= most);
    s3s_writer_free(writer);
    stage_close(&s);
}

static void test_gather__a_writer_of_unknown_columns_or_compression_is_refused(void **state)
{
    stage s;
    s3store_error err;
    s3store_writer *writer;
    s3store_writer_options options = S3STORE_WRITER_OPTIONS_INIT;
    (void)state;
    stage_open(&s, NULL);
    options.compression = (s3store_compression)77;
    assert_fails(s3s_writer_open(s.target, &options, &writer, &err), S3STORE_INVALID_ARGUMENT,
                 "unknown compression 77");
    assert_null(writer);
    assert_int_equal(s3s_writer_open(s.target, &options, &writer, NULL), S3STORE_INVALID_ARGUMENT);
    size_t count = s.target->settings.part_count;
    s.target->settings.part_count = 0; /* a dataset that nobody described */
    assert_fails(s3s_writer_open(s.target, NULL, &writer, &err), S3STORE_BAD_CONFIG,
                 "--partition-by");
    assert_null(writer);
    s.target->settings.part_count = count;
    stage_close(&s);
}

/* ---- the caller's memory --------------------------------------------------------------------- */

/* A sum over everything that the arrays of a batch consist of. */
static uint64_t fingerprint(const s3s_schema *schema, const struct ArrowArray *batch)
{
    uint64_t sum = 0;
    const char *text = kit_text(schema, batch);
    for (size_t i = 0; text[i] != '\0'; i++)
        sum = sum * 31 + (uint8_t)text[i];
    for (int64_t i = 0; i < batch->n_children; i++)
        sum = sum * 31 + (uint64_t)(uintptr_t)batch->children[i]->buffers[1];
    return sum;
}

typedef struct keeper {
    s3s_schema *schema;
    struct ArrowArray batch; /* stays the caller's */
    int given;
    int releases;
} keeper;

static int keeper_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    s3store_error err;
    assert_ok(s3s_schema_export(((keeper *)stream->private_data)->schema, out, &err));
    return 0;
}

static void lent_release(struct ArrowArray *array)
{
    ((keeper *)array->private_data)->releases++;
    array->release = NULL;
}

static int keeper_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    keeper *k = stream->private_data;
    memset(out, 0, sizeof *out);
    if (k->given++ > 0)
        return 0;
    *out = k->batch;
    out->release = lent_release;
    out->private_data = k;
    return 0;
}

static void keeper_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static void test_gather__the_callers_arrays_are_never_changed(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    keeper k = {0};
    (void)state;
    stage_open(&s, &(stage_options){.inserted_at_column = "at", .entity = true});
    k.schema = kit_schema(s.env, "p:string?;at:timestamp(us, UTC)?;id:string?;v:int64?");
    kit_batch(k.schema, ROWS("b|1|x|1", "a|2|y|2", "b|3|z|3"), &k.batch);
    uint64_t before = fingerprint(k.schema, &k.batch);
    struct ArrowArrayStream stream = {.get_schema = keeper_schema,
                                      .get_next = keeper_next,
                                      .get_last_error = foreign_error,
                                      .release = keeper_release,
                                      .private_data = &k};
    assert_ok(s3s_write(s.writer, &stream, NULL, &result, &err));
    assert_int_equal(k.releases, 1);
    assert_true(fingerprint(k.schema, &k.batch) == before);
    s3store_write_result_free(result);
    s3s_array_release(&k.batch);
    s3s_schema_release(k.schema);
    stage_close(&s);
}

static void test_gather__rows_cannot_be_sorted_by_a_nested_column(void **state)
{
    static const char *const by[] = {"l"}, *const unknown[] = {"nix"};
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, NULL);
    options.partition = "p=z";
    options.sorting_column_count = 1;
    for (int i = 0; i < 2; i++) {
        keeper k = {0};
        kit_nested(s.env, &k.schema, &k.batch);
        struct ArrowArrayStream stream = {.get_schema = keeper_schema,
                                          .get_next = keeper_next,
                                          .get_last_error = foreign_error,
                                          .release = keeper_release,
                                          .private_data = &k};
        options.sorting_columns = i == 0 ? by : unknown;
        assert_fails(s3s_write(s.writer, &stream, &options, &result, &err),
                     S3STORE_INVALID_ARGUMENT,
                     i == 0 ? "cannot be sorted by column l: it is nested" : "nix");
        assert_null(result);
        assert_int_equal(k.releases, 1);
        s3s_array_release(&k.batch);
        s3s_schema_release(k.schema);
    }
    assert_int_equal(faulty_total(&s.faults), 0);
    stage_close(&s);
}

/* ---- the schema while others write ----------------------------------------------------------- */

typedef struct meddler {
    stage *s;
    const char *columns, *row;
    bool done;
} meddler;

/* Another writer records its types just before ours are recorded. */
static faulty_fate meddle(void *ctx, const faulty_request *r)
{
    meddler *m = ctx;
    s3store_error err;
    if (m->done || r->verb != S3S_VERB_PUT || strstr(r->key, "_config/schema/") == NULL)
        return (faulty_fate){0};
    m->done = true;
    s3store_target *target;
    s3store_writer *writer;
    s3store_write_result *result;
    struct ArrowArrayStream stream;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &m->s->faults.store;
    config.prefix = "ds";
    assert_ok(s3s_target_open(m->s->env, &config, &target, &err));
    assert_ok(s3s_writer_open(target, NULL, &writer, &err));
    stage_stream(m->s, m->columns, &m->row, 1, &stream);
    assert_ok(s3s_write(writer, &stream, NULL, &result, &err));
    s3store_write_result_free(result);
    s3s_writer_free(writer);
    s3s_target_release(target);
    return (faulty_fate){0};
}

static void test_gather__types_that_another_writer_recorded_meanwhile_bind(void **state)
{
    static const struct {
        const char *theirs, *their_row, *ours, *our_row;
        s3store_status status;
        const char *rows;
    } cases[] = {
        {"p:string?;v:uint64?", "a|1", "p:string?;v:int64?", "a|2", S3STORE_OK, "a|1;a|2;"},
        {"p:string?;v:uint64?", "a|1", "p:string?;v:int64?", "a|-2", S3STORE_SCHEMA_MISMATCH,
         "a|1;"},
        {"p:string?;v:double?", "a|0.5", "p:string?;v:int64?", "a|2", S3STORE_OK, "a|0.5;a|2;"},
        {"p:string?;v:string?", "a|s", "p:string?;v:int64?", "a|2", S3STORE_SCHEMA_MISMATCH,
         "a|s;"},
        {"p:string?;w:string?", "a|s", "p:string?;v:int64?", "a|2", S3STORE_OK, "a|s|-;a|-|2;"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage s;
        s3store_error err;
        stage_open(&s, NULL);
        meddler m = {.s = &s, .columns = cases[i].theirs, .row = cases[i].their_row};
        s.faults.fn = meddle;
        s.faults.ctx = &m;
        if (cases[i].status == S3STORE_OK)
            assert_ok(stage_write(&s, cases[i].ours, &cases[i].our_row, 1, NULL, NULL, &err));
        else
            assert_fails(stage_write(&s, cases[i].ours, &cases[i].our_row, 1, NULL, NULL, &err),
                         cases[i].status, "v");
        assert_true(m.done);
        assert_string_equal(stage_rows(&s), cases[i].rows);
        stage_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gather__missing_columns_are_named),
        cmocka_unit_test(test_gather__a_partition_that_the_caller_names_needs_no_columns),
        cmocka_unit_test(test_gather__wrong_types_are_named),
        cmocka_unit_test(test_gather__dates_and_timestamps_are_versions),
        cmocka_unit_test(test_gather__nulls_in_key_columns_name_their_row),
        cmocka_unit_test(test_gather__rows_are_counted_over_batches),
        cmocka_unit_test(test_gather__many_batches_become_one_file_for_each_partition),
        cmocka_unit_test(test_gather__types_widen_and_the_dataset_records_it),
        cmocka_unit_test(test_gather__types_that_do_not_fit_are_refused_and_record_nothing),
        cmocka_unit_test(test_gather__a_column_of_unknown_type_is_left_out),
        cmocka_unit_test(test_gather__no_rows_is_nothing_to_write_whatever_the_columns),
        cmocka_unit_test(test_gather__a_row_beyond_the_budget_is_refused_and_written_with_more),
        cmocka_unit_test(test_gather__errors_of_foreign_streams_come_through),
        cmocka_unit_test(test_gather__a_stream_that_changes_its_columns_is_refused),
        cmocka_unit_test(test_gather__the_stream_is_released_when_options_are_refused),
        cmocka_unit_test(test_gather__the_inserted_at_column_is_added_or_replaced),
        cmocka_unit_test(test_gather__the_inserted_at_column_keeps_its_recorded_type),
        cmocka_unit_test(test_gather__the_time_of_the_call_is_the_insertion_time),
        cmocka_unit_test(test_gather__rows_can_be_partitioned_by_their_insertion_time),
        cmocka_unit_test(test_gather__the_insertion_time_is_rounded_down_to_the_recorded_unit),
        cmocka_unit_test(test_gather__an_insertion_time_beyond_the_column_is_refused),
        cmocka_unit_test(test_gather__rows_cannot_be_sorted_by_a_nested_column),
        cmocka_unit_test(test_gather__a_large_batch_is_taken_in_pieces),
        cmocka_unit_test(test_gather__a_writer_has_options_of_its_own),
        cmocka_unit_test(test_gather__a_writer_of_unknown_columns_or_compression_is_refused),
        cmocka_unit_test(test_gather__the_callers_arrays_are_never_changed),
        cmocka_unit_test(test_gather__types_that_another_writer_recorded_meanwhile_bind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
