/* Scenarios that read: through every door, the whole right answer or an error. */
#include "torture/torture.h"

#include <stdlib.h>

static const char *const everything[] = {"*"};

static s3store_read_options read_all(void)
{
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.patterns = everything;
    o.pattern_count = 1;
    return o;
}

static s3store_status read_into(torture *t, const s3store_read_options *o, s3store_error *err)
{
    struct ArrowArrayStream stream;
    s3store_status status = s3store_read(t->d.reader, o, &stream, err);
    return status == S3STORE_OK ? torture_drain(t, &stream, err) : status;
}

static s3store_status run_latest(torture *t, s3store_error *err)
{
    s3store_read_options o = read_all();
    return read_into(t, &o, err);
}

static s3store_status run_history(torture *t, s3store_error *err)
{
    s3store_read_options o = read_all();
    o.history = true;
    return read_into(t, &o, err);
}

static s3store_status run_where(torture *t, s3store_error *err)
{
    static const char *const columns[] = {"id", "value"};
    s3store_read_options o = read_all();
    o.columns = columns;
    o.column_count = 2;
    o.where = "value >= 11 and (id in ('x', 'y') or p = 'c')";
    return read_into(t, &o, err);
}

static s3store_status run_partitions(torture *t, s3store_error *err)
{
    s3store_read_options o = read_all();
    s3store_partition_iter *iter = NULL;
    s3store_status status = s3store_read_partitions(t->d.reader, &o, &iter, err);
    assert_true((iter != NULL) == (status == S3STORE_OK));
    while (status == S3STORE_OK) {
        const char *partition;
        struct ArrowArrayStream rows;
        status = s3store_partition_iter_next(iter, &partition, &rows, err);
        if (status != S3STORE_OK)
            break;
        torture_add(t, "%s: ", partition);
        status = torture_drain(t, &rows, err);
    }
    s3store_partition_iter_free(iter);
    return status == S3STORE_END ? S3STORE_OK : status;
}

typedef struct row {
    const char *p, *id;
    int64_t v, value;
} row;
static const s3store_record_type row_type = S3STORE_RECORD_TYPE(
    row, ((const s3store_field[]){
             {"p", S3STORE_KIND_CSTRING, offsetof(row, p)},
             {"id", S3STORE_KIND_CSTRING, offsetof(row, id)},
             {"v", S3STORE_KIND_INT64, offsetof(row, v)},
             {"value", S3STORE_KIND_INT64, offsetof(row, value), S3STORE_NULL_ZERO},
         }));

static void add_row(torture *t, const row *r)
{
    torture_add(t, "%s|%s|%lld|%lld;", r->p, r->id, (long long)r->v, (long long)r->value);
}

static s3store_status run_iter(torture *t, s3store_error *err)
{
    s3store_read_options o = read_all();
    s3store_record_iter *iter = NULL;
    s3store_status status = s3store_read_iter(t->d.reader, &row_type, &o, &iter, err);
    assert_true((iter != NULL) == (status == S3STORE_OK));
    while (status == S3STORE_OK) {
        row r;
        status = s3store_record_iter_next(iter, &r, err);
        if (status == S3STORE_OK)
            add_row(t, &r);
    }
    s3store_record_iter_free(iter);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status run_records(torture *t, s3store_error *err)
{
    s3store_read_options o = read_all();
    s3store_records *records = NULL;
    s3store_status status = s3store_read_records(t->d.reader, &row_type, &o, &records, err);
    assert_true((records != NULL) == (status == S3STORE_OK));
    const row *rows = s3store_records_data(records);
    for (size_t i = 0; i < s3store_records_count(records); i++)
        add_row(t, &rows[i]);
    s3store_records_free(records);
    return status;
}

static s3store_status run_list(torture *t, s3store_error *err)
{
    s3store_listing *listing = NULL;
    s3store_status status =
        s3store_list_files(t->d.target, everything, 1, NULL, &listing, err);
    assert_true((listing != NULL) == (status == S3STORE_OK));
    for (size_t i = 0; i < s3store_listing_count(listing); i++)
        torture_add(t, "%s ", s3store_listing_get(listing, i)->partition);
    s3store_listing_free(listing);
    return status;
}

/* ---- the stream --------------------------------------------------------------------------------------- */

static void add_entries(torture *t, const s3store_entries *entries)
{
    for (size_t i = 0; i < s3store_entries_count(entries); i++)
        torture_add(t, "%s %lld, ", s3store_entries_get(entries, i)->partition,
                    (long long)s3store_entries_get(entries, i)->row_count);
}

static s3store_status run_poll(torture *t, s3store_error *err)
{
    s3store_entries *entries = NULL;
    s3store_status status = s3store_poll(t->d.target, NULL, &entries, err);
    assert_true((entries != NULL) == (status == S3STORE_OK));
    add_entries(t, entries);
    s3store_entries_free(entries);
    return status;
}

/* Two at a time, each page from the offset of the one before. */
static s3store_status run_tail(torture *t, s3store_error *err)
{
    char since[S3STORE_KEY_MAX_BYTES + 1] = "";
    s3store_status status = S3STORE_OK;
    for (bool more = true; more && status == S3STORE_OK;) {
        s3store_entries *entries = NULL;
        struct ArrowArrayStream rows = {0};
        s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
        o.since = since;
        o.max_entries = 2;
        status = s3store_poll_records(t->d.reader, &o, NULL, &entries, &rows, err);
        assert_true((entries != NULL) == (status == S3STORE_OK));
        if (status != S3STORE_OK)
            break;
        more = s3store_entries_count(entries) > 0;
        add_entries(t, entries);
        snprintf(since, sizeof since, "%s", s3store_entries_next_offset(entries));
        status = torture_drain(t, &rows, err);
        s3store_entries_free(entries);
    }
    return status;
}

static s3store_status run_range(torture *t, s3store_error *err)
{
    s3store_entries *entries = NULL;
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    s3store_status status = s3store_poll_range(t->d.target, S3STORE_TIME_NONE, S3STORE_TIME_NONE,
                                               NULL, &entries, err);
    assert_true((entries != NULL) == (status == S3STORE_OK));
    if (status != S3STORE_OK)
        return status;
    o.entries = entries;
    o.history = true;
    status = read_into(t, &o, err);
    s3store_entries_free(entries);
    return status;
}

/* ---- merges in little memory --------------------------------------------------------------------------- */

/* A partition that does not fit into the budget goes through sorted runs on disk. */
static void prepare_large(torture *t)
{
    enum { ROWS = 300, WRITES = 3 };
    s3store_error err;
    for (int w = 0; w < WRITES; w++) {
        struct ArrowSchema schema;
        struct ArrowArray batch;
        struct ArrowArrayStream stream;
        s3store_builder *b;
        s3store_write_result *result;
        make_schema("p:u id:u v:l value:l", &schema);
        assert_ok(s3store_builder_new(&schema, &b, &err));
        for (int i = 0; i < ROWS; i++) {
            char id[32];
            snprintf(id, sizeof id, "entity-%06d", i * 7 % ROWS);
            assert_ok(s3store_builder_append_bytes(b, 0, "a", 1, &err));
            assert_ok(s3store_builder_append_bytes(b, 1, id, strlen(id), &err));
            assert_ok(s3store_builder_append_int(b, 2, w, &err));
            assert_ok(s3store_builder_append_int(b, 3, i, &err));
        }
        assert_ok(s3store_builder_finish(b, &batch, &err));
        s3store_builder_free(b);
        assert_ok(s3store_stream_from_batches(&schema, &batch, 1, &stream, &err));
        s3store_status status = s3store_write(t->d.writer, &stream, NULL, &result, &err);
        assert_true(status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT);
        s3store_write_result_free(result);
    }
    /* Written with plenty of memory, read with little. */
    dataset_close(&t->d);
    t->config.memory_bytes = 32768;
    assert_ok(torture_open(t, &t->d, &err));
}

static s3store_status run_merge(torture *t, s3store_error *err)
{
    struct ArrowArrayStream stream;
    s3store_read_options o = read_all();
    s3store_status status = s3store_read(t->d.reader, &o, &stream, err);
    int64_t rows = 0;
    if (status != S3STORE_OK)
        return status;
    status = stream_count(&stream, &rows, err);
    torture_add(t, "%lld", (long long)rows);
    return status;
}

/* ---- checks ------------------------------------------------------------------------------------------- */

TORTURE_CHECK(latest, ROWS_LATEST)
TORTURE_CHECK(history, ROWS_ALL)
TORTURE_CHECK(where, "x|11;y|12;q|15;")
TORTURE_CHECK(partitions, "p=a: a|x|2|11;a|y|1|12;p=b: b|x|1|-;b|z|3|14;p=c: c|q|1|15;")
TORTURE_CHECK(iter, "a|x|2|11;a|y|1|12;b|x|1|0;b|z|3|14;c|q|1|15;")
TORTURE_CHECK(records, "a|x|2|11;a|y|1|12;b|x|1|0;b|z|3|14;c|q|1|15;")
TORTURE_CHECK(list, "p=a p=a p=b p=b p=c ")
TORTURE_CHECK(range, ROWS_ALL)
TORTURE_CHECK(merge, "300")

static void prepare_stream(torture *t)
{
    s3store_error err;
    torture_fill(t);
    /* Partitions of one write come in no certain order. */
    assert_ok(s3store_poll(t->d.target, NULL, &t->entries, &err));
    assert_int_equal(s3store_entries_count(t->entries), 5);
}

static void check_poll(torture *t, s3store_status status, const s3store_error *err, bool hit)
{
    static char wanted[1024];
    (void)err;
    (void)hit;
    char *at = wanted;
    for (size_t i = 0; i < 5; i++)
        at += snprintf(at, 64, "%s %lld, ", s3store_entries_get(t->entries, i)->partition,
                       (long long)s3store_entries_get(t->entries, i)->row_count);
    torture_check_answer(t, status, run_poll, wanted);
}

/* Every row once, whatever the order of the partitions. */
static void check_rows_of(const char *text)
{
    static const char *const rows[] = {"a|x|1|10;", "a|x|2|11;", "a|y|1|12;",
                                       "b|x|1|-;",  "b|z|3|14;", "c|q|1|15;"};
    size_t found = 0;
    for (const char *c = text; *c != '\0'; c++)
        found += *c == ';';
    assert_int_equal(found, 6);
    for (size_t i = 0; i < 6; i++)
        assert_non_null(strstr(text, rows[i]));
}

static void check_tail(torture *t, s3store_status status, const s3store_error *err, bool hit)
{
    s3store_error own = {0};
    (void)err;
    (void)hit;
    if (status == S3STORE_OK)
        check_rows_of(t->text);
    t->text[0] = '\0';
    assert_int_equal(run_tail(t, &own), S3STORE_OK);
    check_rows_of(t->text);
}

#define READ(scenario_name, function)                                                              \
    {.name = scenario_name, .prepare = torture_fill, .run = run_##function,                        \
     .check = check_##function}

const scenario read_scenarios[] = {
    READ("read-latest", latest),
    READ("read-history", history),
    READ("read-where", where),
    READ("read-partitions", partitions),
    READ("read-iter", iter),
    READ("read-records", records),
    READ("list", list),
    {.name = "merge-spilled", .prepare = prepare_large, .run = run_merge, .check = check_merge},
    {.name = "poll", .polls = true, .prepare = prepare_stream, .run = run_poll,
     .check = check_poll},
    {.name = "poll-range", .polls = true, .prepare = torture_fill, .run = run_range,
     .check = check_range},
    {.name = "tail", .polls = true, .prepare = torture_fill, .run = run_tail,
     .check = check_tail},
    {0},
};
