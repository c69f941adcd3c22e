/* Backfills: which data objects, which markers, what is told. */
#include <stdlib.h>

#include "base/env_private.h"
#include "arrow/builder.h"
#include "base/cancel.h"
#include "dataset/fileset.h"
#include "unit/view/kit.h"

#define COLUMNS "p:string?;sku:string?;n:int64?"

static s3store_backfill_stats stats;

static s3store_status backfill(stage *s, const s3store_view_def *def,
                               const s3store_backfill_options *o, s3store_error *err)
{
    memset(&stats, 0xA5, sizeof stats);
    return s3s_view_backfill(s->target, def, o, &stats, err);
}

static void write_row(stage *s, const char *row)
{
    s3store_error err;
    const char *rows[] = {row};
    assert_ok(stage_write(s, COLUMNS, rows, 1, NULL, NULL, &err));
}

static void forget_markers(stage *s)
{
    s3store_error err;
    s3s_known_markers_free(s->target->known_markers);
    assert_ok(s3s_known_markers_new(s->env, 1000, &s->target->known_markers, &err));
}

/* Vectors 191, 194. */
static void test_backfill__completes_a_view_of_data_from_before_it(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const s3store_view_def *v = KIT_VIEW("v", "sku");
    stage_open(&s, NULL);
    write_row(&s, "a|s1|1");
    write_row(&s, "a|s2|1");
    write_row(&s, "b|s3|1");
    write_row(&s, "b|s4|1");
    write_row(&s, "b|s5|1");
    assert_string_equal(kit_lookup(&s, v, KIT_ALL, NULL), "");
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    faulty_reset(&s.faults);
    assert_ok(backfill(&s, v, &o, &err));
    assert_int_equal(stats.data_objects, 5);
    assert_int_equal(stats.done_objects, 5);
    assert_int_equal(stats.records, 5);
    assert_int_equal(stats.markers, 5);
    assert_int_equal(stats.puts, 5);
    /* The definition, one LIST, each object once, each marker once. */
    assert_int_equal(s.faults.counts[S3S_VERB_LIST][FAULTY_OTHER], 1);
    assert_int_equal(s.faults.counts[S3S_VERB_GET][FAULTY_OTHER], 1);
    assert_int_equal(s.faults.counts[S3S_VERB_GET][FAULTY_DATA], 5);
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER], 5);
    assert_int_equal(faulty_total(&s.faults), 12);
    assert_string_equal(kit_lookup(&s, v, KIT_ALL, NULL), "s1;s2;s3;s4;s5;");
    assert_ok(backfill(&s, v, &o, &err));
    assert_int_equal(stats.data_objects, 5);
    assert_int_equal(stats.markers, 5);
    assert_int_equal(stats.puts, 0);
    o = kit_backfill_options(KIT_PATTERNS("p=a"));
    assert_ok(backfill(&s, v, &o, &err));
    assert_int_equal(stats.data_objects, 2);
    o = kit_backfill_options(KIT_PATTERNS("p=a", "p=c", "p=b*", "p=a"));
    assert_ok(backfill(&s, v, &o, &err));
    assert_int_equal(stats.data_objects, 5);
    o = kit_backfill_options(KIT_PATTERNS(NULL));
    assert_ok(backfill(&s, v, &o, &err));
    assert_int_equal(stats.data_objects, 0);
    assert_int_equal(stats.records, 0);
    o = kit_backfill_options(KIT_PATTERNS("*", "sku=s1"));
    assert_fails(backfill(&s, v, &o, &err), S3STORE_INVALID_ARGUMENT, "pattern 1");
    assert_int_equal(stats.data_objects, 0);
    stage_close(&s);
}

/* Vector 192. */
static void test_backfill__until_is_strictly_before(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    stage_open(&s, NULL);
    write_row(&s, "a|s1|1");
    stage_wait(&s, 10 * SECOND);
    int64_t between = s3s_wall_us(s.env);
    write_row(&s, "a|s2|1");
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    o.until_us = between;
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.data_objects, 1);
    assert_string_equal(kit_markers(&s), "v/sku=s1 ");
    o.until_us = between + SECOND;
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.data_objects, 2);
    stage_close(&s);
}

/* Vector 193: an object that is gone between LIST and GET. */
static void test_backfill__an_object_that_is_gone_is_counted(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_rule gone = {.verb = S3S_VERB_GET,
                             .kind = FAULTY_DATA,
                             .from = 1,
                             .partition = "p=a",
                             .fate = {.refuse = S3STORE_NOT_FOUND}};
    stage_open(&s, NULL);
    write_row(&s, "a|s1|1");
    write_row(&s, "b|s2|1");
    stage_rules(&s, &gone, 1);
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.data_objects, 2);
    assert_int_equal(stats.done_objects, 2);
    assert_int_equal(stats.missing_objects, 1);
    assert_int_equal(stats.records, 1);
    assert_int_equal(stats.markers, 1);
    assert_non_null(strstr(s.log, "data file missing"));
    stage_close(&s);
}

/* Only what is committed; uncommitted data has no markers from a backfill. */
static void test_backfill__reads_what_is_committed(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_rule no_ref = {.verb = S3S_VERB_PUT,
                               .kind = FAULTY_REF,
                               .from = 1,
                               .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    stage_open(&s, NULL);
    write_row(&s, "a|s1|1");
    stage_rules(&s, &no_ref, 1);
    assert_fails(stage_write(&s, COLUMNS, ROWS("a|s2|1"), NULL, NULL, &err),
                 S3STORE_PERMISSION_DENIED, NULL);
    stage_rules(&s, NULL, 0);
    assert_int_equal(stage_count(&s, ".parquet"), 2);
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.data_objects, 1);
    assert_string_equal(kit_markers(&s), "v/sku=s1 ");
    stage_close(&s);
}

/* ---- columns --------------------------------------------------------------------------------- */

static void test_backfill__nulls_and_missing_columns_have_no_markers(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, "p:string?", ROWS("a", "a"), NULL, NULL, &err));
    assert_ok(stage_write(&s, "p:string?;sku:string?", ROWS("a|null", "a|x"), NULL, NULL, &err));
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|y|null", "a|null|1", "a|z|2"), NULL, NULL, &err));
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_ok(backfill(&s, KIT_VIEW("v", "sku", "again=sku"), &o, &err));
    assert_int_equal(stats.records, 7);
    assert_ok(backfill(&s, KIT_VIEW("w", "n", "sku"), &o, &err));
    assert_int_equal(stats.records, 7);
    assert_int_equal(stats.markers, 1);
    assert_ok(backfill(&s, KIT_VIEW("nowhere", "nix"), &o, &err));
    assert_int_equal(stats.records, 7);
    assert_int_equal(stats.markers, 0);
    assert_string_equal(kit_markers(&s),
                        "v/sku=x/again=x v/sku=y/again=y v/sku=z/again=z w/n=2/sku=z ");
    stage_close(&s);
}

typedef struct sale {
    const char *sku;
    int64_t n;
} sale;
static const s3store_field sale_fields[] = {
    {.name = "n", .kind = S3STORE_KIND_INT64, .offset = offsetof(sale, n), .null = S3STORE_NULL_ZERO},
    {.name = "sku", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(sale, sku),
     .null = S3STORE_NULL_ZERO},
};
static const s3store_record_type sale_type = S3STORE_RECORD_TYPE(sale, sale_fields);

static s3store_status size_of(void *ctx, const void *record, s3store_view_row *row,
                              s3store_error *err)
{
    const sale *r = record;
    (void)err;
    (void)ctx;
    if (r->sku[0] != '\0')
        s3store_view_row_add(row, r->n > 10 ? "large" : "small", 5);
    return S3STORE_OK;
}

static void test_backfill__by_a_function_agrees_with_the_writer(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const s3store_view_def f = {.size = sizeof f, .name = "f", KIT_COLUMNS("size"), .of = size_of,
                                .record_type = &sale_type};
    const stage_options o = {KIT_VIEWS(&f)};
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|x|1", "a|null|99"), NULL, NULL, &err));
    assert_string_equal(kit_markers(&s), "f/size=small ");
    assert_ok(s3s_remove(&s.memory, NULL, "ds/_matview/f/size=small/m.matview", &err));
    forget_markers(&s);
    s3store_backfill_options b = kit_backfill_options(KIT_ALL);
    assert_ok(backfill(&s, &f, &b, &err));
    assert_int_equal(stats.records, 2);
    assert_string_equal(kit_markers(&s), "f/size=small ");
    stage_close(&s);
}

/* ---- failures, and going on ------------------------------------------------------------------ */

static void test_backfill__stops_at_damage_and_says_where_to_go_on(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options options = {.max_inflight = 1};
    stage_open(&s, &options);
    char row[32];
    for (int i = 0; i < 6; i++) {
        snprintf(row, sizeof row, "p%d|s%d|1", i, i);
        write_row(&s, row);
    }
    /* The data object of p3 becomes something else. */
    s3s_file_set files;
    assert_ok(s3s_resolve_patterns(s.target, NULL, KIT_PATTERNS("p=p3"), 1, &files, &err));
    char bad[S3S_KEY_SIZE];
    strcpy(bad, files.partitions[0].files[0].key);
    s3s_file_set_deinit(&files);
    stage_put(&s, bad, NULL);
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_fails(backfill(&s, KIT_VIEW("v", "sku"), &o, &err), S3STORE_CORRUPT,
                 "backfill of view v");
    assert_string_equal(err.key, bad);
    assert_int_equal(stats.data_objects, 6);
    assert_int_equal(stats.done_objects, 3);
    assert_int_equal(stats.markers, 3);
    assert_non_null(strstr(stats.after, "ds/data/p=p2/"));
    /* Whoever passes it gets the rest. */
    o.after = bad;
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.data_objects, 2);
    assert_non_null(strstr(stats.after, "ds/data/p=p5/"));
    assert_string_equal(kit_markers(&s), "v/sku=s0 v/sku=s1 v/sku=s2 v/sku=s4 v/sku=s5 ");
    /* Nothing above it: its place stays. */
    char last[S3S_KEY_SIZE];
    strcpy(last, stats.after);
    o.after = last;
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.data_objects, 0);
    assert_string_equal(stats.after, last);
    stage_close(&s);
}

static void test_backfill__values_that_no_key_can_hold_name_object_and_row(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|good|1", "a|x*|1"), NULL, NULL, &err));
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_fails(backfill(&s, KIT_VIEW("v", "sku"), &o, &err), S3STORE_INVALID_ARGUMENT, "row 2");
    assert_non_null(strstr(err.key, "ds/data/p=a/"));
    o.allow_unaddressable = true;
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_string_equal(kit_markers(&s), "v/sku=good v/sku=x* ");
    stage_close(&s);
}

static void test_backfill__options_that_cannot_be_are_refused_before_any_request(void **state)
{
    (void)state;
    static char after[S3STORE_KEY_MAX_BYTES + 2];
    s3store_error err;
    stage s;
    stage_open(&s, NULL);
    write_row(&s, "a|s1|1");
    faulty_reset(&s.faults);
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    o.patterns = NULL;
    assert_fails(backfill(&s, KIT_VIEW("v", "sku"), &o, &err), S3STORE_INVALID_ARGUMENT,
                 "without patterns");
    o = kit_backfill_options(KIT_ALL);
    memset(after, 'x', sizeof after - 1);
    o.after = after;
    assert_fails(backfill(&s, KIT_VIEW("v", "sku"), &o, &err), S3STORE_INVALID_ARGUMENT,
                 "longer than a key");
    assert_int_equal(faulty_total(&s.faults), 0);
    assert_int_equal(stats.done_objects, 0);
    stage_close(&s);
}

/* One row whose sku has that many bytes. */
static void write_large(stage *s, const char *partition, size_t size)
{
    s3store_error err;
    struct ArrowSchema abi;
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    s3store_builder *b;
    s3s_schema *schema = kit_schema(s->env, COLUMNS);
    char *sku = malloc(size);
    assert_non_null(sku);
    memset(sku, 'x', size);
    assert_ok(s3s_builder_new(s->env, schema, &b, &err));
    assert_ok(s3store_builder_append_bytes(b, 0, partition, strlen(partition), &err));
    assert_ok(s3store_builder_append_bytes(b, 1, sku, size, &err));
    assert_ok(s3store_builder_append_int(b, 2, 1, &err));
    assert_ok(s3store_builder_finish(b, &batch, &err));
    s3store_builder_free(b);
    free(sku);
    assert_ok(s3s_schema_export(schema, &abi, &err));
    s3s_schema_release(schema);
    assert_ok(s3store_stream_from_batches(&abi, &batch, 1, &stream, &err));
    s3store_write_result *result;
    assert_ok(s3s_write(s->writer, &stream, NULL, &result, &err));
    s3store_write_result_free(result);
}

/* What does not fit into the share of one object among several is read with half of the budget, one
 * at a time; what does not fit there ends it, and is named. */
static void test_backfill__large_objects_are_read_one_at_a_time(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "b", "c", "d"};
    const s3store_view_def f = {.size = sizeof f, .name = "f", KIT_COLUMNS("size"), .of = size_of,
                                .record_type = &sale_type};
    s3store_error err;
    for (int real = 0; real < 2; real++) {
        stage s;
        const stage_options options = {.real = real == 1, .memory_bytes = 256u << 20};
        stage_open(&s, &options);
        for (size_t i = 0; i < 4; i++)
            write_large(&s, parts[i], 10u << 20);
        s.target->memory_bytes = 64u << 20; /* two at once, with 16 MiB each */
        s3store_backfill_options o = kit_backfill_options(KIT_ALL);
        assert_ok(backfill(&s, &f, &o, &err));
        assert_int_equal(stats.done_objects, 4);
        assert_int_equal(stats.records, 4);
        assert_int_equal(stats.markers, 4); /* the same one, of each object */
        assert_string_equal(kit_markers(&s), "f/size=small ");
        s.target->memory_bytes = 256u << 20;
        write_large(&s, "e", 60u << 20);
        s.target->memory_bytes = 64u << 20;
        assert_fails(backfill(&s, &f, &o, &err), S3STORE_LIMIT_EXCEEDED, "backfill of view f");
        assert_non_null(strstr(err.key, "ds/data/p=e/"));
        stage_close(&s);
    }
}

static void test_backfill__in_little_memory_reads_the_views_columns_by_ranges(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    stage_open(&s, NULL);
    write_row(&s, "a|s1|1");
    write_large(&s, "b", 300u << 10);
    s.target->memory_bytes = 2u << 20;
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_ok(backfill(&s, KIT_VIEW("v", "n"), &o, &err));
    assert_int_equal(stats.done_objects, 2);
    assert_string_equal(kit_markers(&s), "v/n=1 ");
    stage_close(&s);
}

/* A tuple of every batch of an object is put once, and counted once. */
static void test_backfill__a_tuple_of_several_batches_is_one_marker(void **state)
{
    (void)state;
    enum { ROWS_PER_OBJECT = 66000 };
    static const char *rows[ROWS_PER_OBJECT];
    s3store_error err;
    stage s;
    for (int i = 0; i < ROWS_PER_OBJECT; i++)
        rows[i] = "a|s|1";
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, COLUMNS, rows, ROWS_PER_OBJECT, NULL, NULL, &err));
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.records, ROWS_PER_OBJECT);
    assert_int_equal(stats.markers, 1);
    assert_int_equal(stats.puts, 1);
    stage_close(&s);
}

/* Who waits for its turn with a large object ends when the caller says so. */
static void test_backfill__cancelled_while_large_objects_take_turns(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const s3store_view_def f = {.size = sizeof f, .name = "f", KIT_COLUMNS("size"), .of = size_of,
                                .record_type = &sale_type};
    const stage_options options = {.memory_bytes = 256u << 20};
    s3store_cancel *cancel;
    assert_ok(s3store_cancel_new(&cancel, &err));
    stage_open(&s, &options);
    for (int i = 0; i < 4; i++)
        write_large(&s, (const char *const[]){"a", "b", "c", "d"}[i], 10u << 20);
    s.target->memory_bytes = 64u << 20; /* two at once */
    const stage_rule slow = {.verb = S3S_VERB_GET,
                             .kind = FAULTY_DATA,
                             .from = 1,
                             .fate = {.after_us = 20 * SECOND}};
    const stage_rule then = {.verb = S3S_VERB_GET,
                             .kind = FAULTY_DATA,
                             .from = 4,
                             .fate = {.after_us = 20 * SECOND},
                             .cancel = cancel};
    const stage_rule rules[] = {then, slow};
    stage_rules(&s, rules, 2);
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    o.cancel = cancel;
    assert_fails(backfill(&s, &f, &o, &err), S3STORE_CANCELLED, NULL);
    assert_true(stats.done_objects < 4);
    s3store_cancel_free(cancel);
    stage_rules(&s, NULL, 0);
    o.cancel = NULL;
    assert_ok(backfill(&s, &f, &o, &err));
    assert_int_equal(stats.done_objects, 4);
    stage_close(&s);
}

typedef struct progress {
    uint64_t calls, done;
    s3store_cancel *cancel;
    uint64_t cancel_at;
} progress;

static void note_progress(void *ctx, const s3store_backfill_stats *now)
{
    progress *p = ctx;
    p->calls++;
    assert_true(now->done_objects >= p->done && now->done_objects <= now->data_objects);
    p->done = now->done_objects;
    if (p->cancel != NULL && p->done >= p->cancel_at)
        s3store_cancel_trigger(p->cancel);
}

static void test_backfill__tells_its_progress_and_can_be_cancelled_and_resumed(void **state)
{
    (void)state;
    s3store_error err;
    for (int real = 0; real < 2; real++) {
        stage s;
        const stage_options options = {.real = real == 1};
        stage_open(&s, &options);
        enum { N = 60 };
        char row[32];
        for (int i = 0; i < N; i++) {
            snprintf(row, sizeof row, "p%d|s%02d|1", i % 5, i);
            write_row(&s, row);
        }
        progress p = {.cancel_at = 20};
        assert_ok(s3store_cancel_new(&p.cancel, &err));
        s3store_backfill_options o = kit_backfill_options(KIT_ALL);
        o.progress = note_progress;
        o.progress_ctx = &p;
        o.cancel = p.cancel;
        assert_fails(backfill(&s, KIT_VIEW("v", "sku"), &o, &err), S3STORE_CANCELLED, NULL);
        assert_true(p.done >= 20 && p.done < N);
        assert_true(p.calls > 0 && stats.done_objects >= p.done);
        /* A thread that was late with the first object leaves nothing to go on after. */
        bool is_some = stats.after[0] != '\0';
        assert_true(is_some || real == 1);
        s3store_cancel_free(p.cancel);
        p = (progress){0};
        char after[S3S_KEY_SIZE];
        strcpy(after, stats.after);
        o.after = after;
        o.cancel = NULL;
        assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
        assert_int_equal(p.done, stats.data_objects);
        assert_true(is_some ? stats.data_objects < N : stats.data_objects == N);
        assert_int_equal(stage_count(&s, "/m.matview"), N);
        stage_close(&s);
    }
}

static void test_backfill__marker_puts_that_fail_fail_it(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_rule denied = {.verb = S3S_VERB_PUT,
                               .kind = FAULTY_OTHER,
                               .from = 1,
                               .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    stage_open(&s, NULL);
    write_row(&s, "a|s1|1");
    stage_rules(&s, &denied, 1);
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    assert_fails(backfill(&s, KIT_VIEW("v", "sku"), &o, &err), S3STORE_PERMISSION_DENIED,
                 "storing a view marker");
    assert_int_equal(backfill(&s, KIT_VIEW("v", "sku"), &o, NULL), S3STORE_PERMISSION_DENIED);
    assert_int_equal(stats.markers, 0);
    assert_int_equal(stats.done_objects, 0);
    stage_rules(&s, NULL, 0);
    assert_ok(backfill(&s, KIT_VIEW("v", "sku"), &o, &err));
    assert_int_equal(stats.puts, 1);
    stage_close(&s);
}

static void test_backfill__every_allocation_may_fail(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options options = {.serial = true};
    stage_open(&s, &options);
    write_row(&s, "a|s1|1");
    write_row(&s, "b|s2|1");
    s3store_backfill_options o = kit_backfill_options(KIT_ALL);
    size_t failures = 0, successes = 0; /* one after the other: some failures are made good */
    for (uint64_t n = 0; successes < 40; n++) {
        assert_true(n < 5000);
        s3s_env_fail_any_alloc_at(s.env, n);
        s3store_status status = backfill(&s, KIT_VIEW("v", "sku", "n"), &o, &err);
        s3s_env_fail_alloc_at(s.env, UINT64_MAX);
        successes = status == S3STORE_OK ? successes + 1 : 0;
        failures += status != S3STORE_OK;
    }
    assert_true(failures > 20);
    assert_string_equal(kit_markers(&s), "v/sku=s1/n=1 v/sku=s2/n=1 ");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backfill__completes_a_view_of_data_from_before_it),
        cmocka_unit_test(test_backfill__until_is_strictly_before),
        cmocka_unit_test(test_backfill__an_object_that_is_gone_is_counted),
        cmocka_unit_test(test_backfill__reads_what_is_committed),
        cmocka_unit_test(test_backfill__nulls_and_missing_columns_have_no_markers),
        cmocka_unit_test(test_backfill__by_a_function_agrees_with_the_writer),
        cmocka_unit_test(test_backfill__stops_at_damage_and_says_where_to_go_on),
        cmocka_unit_test(test_backfill__values_that_no_key_can_hold_name_object_and_row),
        cmocka_unit_test(test_backfill__tells_its_progress_and_can_be_cancelled_and_resumed),
        cmocka_unit_test(test_backfill__marker_puts_that_fail_fail_it),
        cmocka_unit_test(test_backfill__large_objects_are_read_one_at_a_time),
        cmocka_unit_test(test_backfill__in_little_memory_reads_the_views_columns_by_ranges),
        cmocka_unit_test(test_backfill__a_tuple_of_several_batches_is_one_marker),
        cmocka_unit_test(test_backfill__cancelled_while_large_objects_take_turns),
        cmocka_unit_test(test_backfill__options_that_cannot_be_are_refused_before_any_request),
        cmocka_unit_test(test_backfill__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
