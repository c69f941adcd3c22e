/* The markers that a write leaves: which, when, how often. */
#include <stdlib.h>

#include "base/env_private.h"
#include "support/alloc_sweep.h"
#include "unit/view/kit.h"

#define COLUMNS "p:string?;sku:string?;customer:string?;n:int64?;at:timestamp(us, UTC)?"
#define NOON "1773748800000000" /* 2026-03-17T12:00:00Z */

/* Vectors 174, 178, 180: equal tuples leave one marker; UTC; RFC 3339. */
static void test_markers__one_for_each_distinct_tuple_before_the_data(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {KIT_VIEWS(KIT_VIEW("auto_idx", "sku", "customer"),
                                       KIT_VIEW("by_time", "at", "z=at:rfc3339", "h=at:hour"))};
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS,
                          ROWS("a|s1|abc|1|" NOON, "a|s1|abc|2|" NOON, "a|s2|abc|3|null"), NULL,
                          NULL, &err));
    assert_string_equal(kit_markers(&s),
                        "auto_idx/sku=s1/customer=abc auto_idx/sku=s2/customer=abc "
                        "by_time/at=2026-03-17T12:00:00Z/z=2026-03-17T12:00:00Z/h=2026-03-17T12 ");
    assert_string_equal(s.faults.trace,
                        "put other, put other, put other, put other, put data, put ref, put commit");
    stage_close(&s);
}

/* W21, and across the partitions of one write. */
static void test_markers__are_put_once_in_a_process(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {KIT_VIEWS(KIT_VIEW("v", "sku"))};
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS,
                          ROWS("a|s1|x|1|null", "b|s1|x|1|null", "c|s1|x|1|null", "c|s2|x|1|null"),
                          NULL, NULL, &err));
    /* The schema, and two markers. */
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER], 3);
    faulty_reset(&s.faults);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|s1|x|1|null", "d|s3|x|1|null"), NULL, NULL, &err));
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER], 1);
    /* Another writer of this target knows what this one knows. */
    const s3store_view_def *views[] = {KIT_VIEW("v", "sku")};
    kit_reopen(&s, views, 1);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|s3|x|1|null"), NULL, NULL, &err));
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER], 0);
    assert_string_equal(kit_markers(&s), "v/sku=s1 v/sku=s2 v/sku=s3 ");
    stage_close(&s);
}

/* Every partition's data comes after its markers, also where another partition puts them. */
static void test_markers__of_another_partition_are_waited_for(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {KIT_VIEWS(KIT_VIEW("v", "sku"))};
    const stage_rule slow = {.verb = S3S_VERB_PUT,
                             .kind = FAULTY_OTHER,
                             .from = 2, /* after the schema */
                             .partition = "_matview",
                             .fate = {.before_us = 5 * SECOND}};
    s3store_write_result *result;
    stage_open(&s, &o);
    int64_t began_us = s3s_wall_us(s.env);
    stage_rules(&s, &slow, 1);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|s1|x|1|null", "b|s1|x|1|null"), NULL, &result,
                          &err));
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER], 2);
    for (size_t i = 0; i < 2; i++) {
        s3s_ref ref;
        assert_ok(s3s_ref_parse(s3store_write_result_get(result, i)->ref_path, &ref, &err));
        assert_true(ref.micros >= began_us + 5 * SECOND);
    }
    s3store_write_result_free(result);
    stage_close(&s);
}

/* Whoever waited for a marker that failed puts it itself. */
static void test_markers__a_failure_of_one_partition_is_made_good_by_another(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    s3store_write_result *result = NULL;
    const stage_options o = {KIT_VIEWS(KIT_VIEW("v", "sku"))};
    const stage_rule first = {.verb = S3S_VERB_PUT,
                              .kind = FAULTY_OTHER,
                              .from = 1,
                              .to = 1,
                              .fate = {.before_us = SECOND, .refuse = S3STORE_PERMISSION_DENIED}};
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS, ROWS("z|null|x|1|null"), NULL, NULL, &err)); /* schema */
    stage_rules(&s, &first, 1);
    s3store_write_options w = S3STORE_WRITE_OPTIONS_INIT;
    w.keep_going = true;
    assert_fails(stage_write(&s, COLUMNS, ROWS("a|s1|x|1|null", "b|s1|x|1|null"), &w, &result,
                             &err),
                 S3STORE_PARTIAL, NULL);
    const s3store_write_result *r = result;
    size_t failed = s3store_write_result_get(r, 0)->state == S3STORE_COMMIT_FAILED ? 0 : 1;
    const s3store_commit *bad = s3store_write_result_get(r, failed);
    assert_int_equal(bad->state, S3STORE_COMMIT_FAILED);
    assert_int_equal(bad->error->status, S3STORE_PERMISSION_DENIED);
    assert_non_null(strstr(bad->error->message, "storing a view marker"));
    assert_int_equal(s3store_write_result_get(r, 1 - failed)->state, S3STORE_COMMIT_DONE);
    assert_string_equal(kit_markers(&s), "v/sku=s1 ");
    s3store_write_result_free(result);
    stage_close(&s);
}

/* Vector 94, and the other way round: markers fail, nothing else is there. */
static void test_markers__stay_when_the_data_fails_and_the_data_stays_away_when_they_do(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {KIT_VIEWS(KIT_VIEW("v", "sku"))};
    const stage_rule no_data = {.verb = S3S_VERB_PUT,
                                .kind = FAULTY_DATA,
                                .from = 1,
                                .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    const stage_rule no_marker = {.verb = S3S_VERB_PUT,
                                  .kind = FAULTY_OTHER,
                                  .from = 1,
                                  .partition = "_matview",
                                  .fate = {.refuse = S3STORE_UNCERTAIN}};
    stage_open(&s, &o);
    stage_rules(&s, &no_data, 1);
    assert_fails(stage_write(&s, COLUMNS, ROWS("a|s1|x|1|null"), NULL, NULL, &err),
                 S3STORE_PERMISSION_DENIED, "data");
    assert_string_equal(kit_markers(&s), "v/sku=s1 ");
    assert_int_equal(stage_count(&s, ".parquet"), 0);
    assert_string_equal(stage_rows(&s), "");
    stage_rules(&s, &no_marker, 1);
    /* Nobody knows whether the marker is there: that is no doubt about the write. */
    assert_fails(stage_write(&s, COLUMNS, ROWS("a|s2|x|1|null"), NULL, NULL, &err),
                 S3STORE_UNAVAILABLE, "view marker");
    assert_int_equal(stage_count(&s, ".parquet"), 0);
    assert_int_equal(stage_count(&s, ".ref"), 0);
    /* It is put once more: it was not taken for known. */
    stage_rules(&s, NULL, 0);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|s1|x|1|null", "a|s2|x|1|null"), NULL, NULL, &err));
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER], 1);
    assert_string_equal(kit_markers(&s), "v/sku=s1 v/sku=s2 ");
    stage_close(&s);
}

/* A token that is committed already leaves no markers: they are there. */
static void test_markers__none_for_a_write_that_was_committed_before(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {KIT_VIEWS(KIT_VIEW("v", "sku"))};
    s3store_write_options w = S3STORE_WRITE_OPTIONS_INIT;
    w.token = "t";
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|s1|x|1|null"), &w, NULL, &err));
    faulty_reset(&s.faults);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|s1|x|1|null"), &w, NULL, &err));
    assert_string_equal(s.faults.trace, "head commit");
    stage_close(&s);
}

/* Vectors 179, 181, 182: everything is found before the first request. */
static void test_markers__bad_values_and_columns_cost_no_request(void **state)
{
    (void)state;
    char long_value[560], row[1200];
    memset(long_value, 'x', 500);
    long_value[500] = '\0';
    snprintf(row, sizeof row, "a|%s|%s|1|null", long_value, long_value);
    const struct {
        const s3store_view_def *view;
        const char *row, *text;
        s3store_status status;
    } cases[] = {
        {KIT_VIEW("v", "sku", "customer"), row, "exceeds", S3STORE_INVALID_ARGUMENT},
        {KIT_VIEW("v", "sku"), "a|x/y|x|1|null", "row 1", S3STORE_INVALID_ARGUMENT},
        {KIT_VIEW("v", "sku"), "a|x..y|x|1|null", "\"sku\"", S3STORE_INVALID_ARGUMENT},
        {KIT_VIEW("v", "sku"), "a||x|1|null", "sku", S3STORE_INVALID_ARGUMENT},
        {KIT_VIEW("v", "sku"), "a|x*|x|1|null", "allow_unaddressable", S3STORE_INVALID_ARGUMENT},
        {KIT_VIEW("v", "sku", "nix"), "a|x|x|1|null", "\"nix\"", S3STORE_INVALID_ARGUMENT},
        {KIT_VIEW("v", "n=n:day"), "a|x|x|1|null", "view \"v\"", S3STORE_SCHEMA_MISMATCH},
        {KIT_VIEW("v", "f"), "a|x|x|1|null", "double", S3STORE_SCHEMA_MISMATCH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        stage s;
        const stage_options o = {.views = &cases[i].view, .view_count = 1};
        const char *rows[] = {cases[i].row};
        char with_f[1300];
        snprintf(with_f, sizeof with_f, "%s|1.5", cases[i].row);
        rows[0] = with_f;
        stage_open(&s, &o);
        assert_fails(stage_write(&s, COLUMNS ";f:double?", rows, 1, NULL, NULL, &err),
                     cases[i].status, cases[i].text);
        assert_non_null(strstr(err.message, "\"v\""));
        assert_int_equal(faulty_total(&s.faults), 0);
        stage_close(&s);
    }
    s3store_error err;
    stage s;
    const stage_options lax = {KIT_VIEWS(KIT_VIEW("v", "sku")), .allow_unaddressable = true};
    stage_open(&s, &lax);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|x*|x|1|null"), NULL, NULL, &err));
    assert_string_equal(kit_markers(&s), "v/sku=x* ");
    stage_close(&s);
}

/* What a recorded view is made from may be missing so far: no marker, no failure, a warning. */
static void test_markers__a_recorded_view_of_a_column_that_nobody_wrote_stops_no_write(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    stage_open(&s, NULL);
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "late"), NULL, &created, &from, &err));
    kit_reopen(&s, NULL, 0);
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|x|x|1|null"), NULL, NULL, &err));
    assert_non_null(strstr(s.log, "a view has no markers"));
    assert_ok(stage_write(&s, "p:string?;late:int64?", ROWS("a|7", "a|null"), NULL, NULL, &err));
    s.log[0] = '\0';
    assert_ok(stage_write(&s, COLUMNS, ROWS("a|x|x|1|null"), NULL, NULL, &err));
    assert_string_equal(kit_markers(&s), "v/late=7 ");
    assert_string_equal(s.log, "");
    stage_close(&s);
}

/* ---- by a function --------------------------------------------------------------------------- */

typedef struct sale {
    const char *sku;
    int64_t n;
    bool n_is_null;
} sale;
static const s3store_field sale_fields[] = {
    {.name = "sku", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(sale, sku),
     .null = S3STORE_NULL_ZERO},
    {.name = "n", .kind = S3STORE_KIND_INT64, .offset = offsetof(sale, n),
     .null = S3STORE_NULL_FLAG, .flag_offset = offsetof(sale, n_is_null)},
};
static const s3store_record_type sale_type = S3STORE_RECORD_TYPE(sale, sale_fields);

/* "first" and "size" of a sale; nothing for sku "skip"; what n says goes wrong. */
static s3store_status first_and_size(void *ctx, const void *record, s3store_view_row *row,
                                     s3store_error *err)
{
    const sale *r = record;
    (void)ctx;
    if (strcmp(r->sku, "skip") == 0)
        return S3STORE_OK;
    if (r->n == -1) {
        memset(err, 0, sizeof *err);
        err->status = S3STORE_INVALID_ARGUMENT;
        strcpy(err->message, "no sale");
        return err->status;
    }
    if (r->n == -2)
        return S3STORE_UNSUPPORTED; /* without saying why */
    s3store_view_row_add(row, r->sku, 1);
    if (r->n != -3)
        s3store_view_row_add(row, r->n > 10 ? "large" : "small", 5);
    if (r->n == -4)
        s3store_view_row_add(row, "third", 5);
    if (r->n == -5)
        s3store_view_row_add(row, NULL, 7);
    return S3STORE_OK;
}

#define BY_FUNCTION                                                                                \
    (&(const s3store_view_def){.size = sizeof(s3store_view_def), .name = "f",                      \
                               KIT_COLUMNS("first", "size"), .of = first_and_size,                 \
                               .record_type = &sale_type})

static void test_function__makes_the_values_and_may_leave_rows_out(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {KIT_VIEWS(BY_FUNCTION)};
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS,
                          ROWS("a|alpha|x|1|null", "a|apple|x|2|null", "b|beta|x|11|null",
                               "b|skip|x|12|null", "c|gamma|x|null|null"),
                          NULL, NULL, &err));
    assert_string_equal(kit_markers(&s),
                        "f/first=a/size=small f/first=b/size=large f/first=g/size=small ");
    stage_close(&s);
}

/* Values of the test's own: what a function may give. */
typedef struct given_values {
    const char *data[2];
    size_t size[2];
} given_values;

static s3store_status give_values(void *ctx, const void *record, s3store_view_row *row,
                                  s3store_error *err)
{
    const given_values *v = ctx;
    (void)record;
    (void)err;
    for (int i = 0; i < 2; i++)
        s3store_view_row_add(row, v->data[i], v->size[i]);
    return S3STORE_OK;
}

static s3store_status write_given(const char *first, size_t first_size, const char *second,
                                  size_t second_size, bool allow_unaddressable, char *markers,
                                  size_t markers_size, s3store_error *err)
{
    stage s;
    given_values v = {{first, second}, {first_size, second_size}};
    const s3store_view_def def = {.size = sizeof def,
                                  .name = "g",
                                  KIT_COLUMNS("one", "two"),
                                  .of = give_values,
                                  .of_ctx = &v,
                                  .record_type = &sale_type};
    const stage_options o = {KIT_VIEWS(&def), .allow_unaddressable = allow_unaddressable};
    stage_open(&s, &o);
    s3store_status status = stage_write(&s, COLUMNS, ROWS("a|x|x|1|null"), NULL, NULL, err);
    snprintf(markers, markers_size, "%s", kit_markers(&s));
    stage_close(&s);
    return status;
}

static void test_function__its_values_are_bounded_and_may_be_nothing(void **state)
{
    (void)state;
    static char large[2000];
    s3store_error err;
    char markers[2000];
    memset(large, 'v', sizeof large - 1);
    /* NULL is no text, whatever is said of its size: and no key holds that. */
    assert_fails(write_given("x", 1, NULL, 7, false, markers, sizeof markers, &err),
                 S3STORE_INVALID_ARGUMENT, "\"two\"");
    assert_string_equal(markers, "");
    assert_fails(write_given(large, 600, large, 600, false, markers, sizeof markers, &err),
                 S3STORE_INVALID_ARGUMENT, "exceed the 1024 bytes of a key");
    assert_fails(write_given("a*", 2, "b", 1, false, markers, sizeof markers, &err),
                 S3STORE_INVALID_ARGUMENT, "\"one\"");
    assert_ok(write_given("a*", 2, "b", 1, true, markers, sizeof markers, &err));
    assert_string_equal(markers, "g/one=a*/two=b ");
}

/* Vectors 176, 177. */
static void test_function__failures_stop_the_write_naming_the_row(void **state)
{
    (void)state;
    const struct {
        const char *row, *text;
        s3store_status status;
    } cases[] = {
        {"a|x|x|-1|null", "row 2: no sale", S3STORE_INVALID_ARGUMENT},
        {"a|x|x|-2|null", "function failed", S3STORE_UNSUPPORTED},
        {"a|x|x|-3|null", "1 values for 2 columns", S3STORE_INVALID_ARGUMENT},
        {"a|x|x|-4|null", "3 values for 2 columns", S3STORE_INVALID_ARGUMENT},
        {"a|x|x|-5|null", "3 values for 2 columns", S3STORE_INVALID_ARGUMENT},
        {"a|/|x|1|null", "first", S3STORE_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        stage s;
        const stage_options o = {KIT_VIEWS(BY_FUNCTION)};
        stage_open(&s, &o);
        const char *rows[] = {"a|good|x|1|null", cases[i].row};
        assert_fails(stage_write(&s, COLUMNS, rows, 2, NULL, NULL, &err), cases[i].status,
                     cases[i].text);
        assert_non_null(strstr(err.message, "view \"f\""));
        assert_int_equal(faulty_total(&s.faults), 0);
        stage_close(&s);
    }
}

static void test_function__needs_a_record_type_and_plain_names_and_cannot_be_recorded(void **state)
{
    (void)state;
    s3store_error err;
    s3s_view_def out;
    stage s;
    bool created;
    int64_t from;
    s3store_view_def def = *BY_FUNCTION;
    def.record_type = NULL;
    assert_fails(s3s_view_def_make(NULL, &def, &out, &err), S3STORE_INVALID_ARGUMENT,
                 "record_type");
    static const char *const with_format[] = {"first", "size=n:day"};
    def = *BY_FUNCTION;
    def.columns = with_format;
    assert_fails(s3s_view_def_make(NULL, &def, &out, &err), S3STORE_INVALID_ARGUMENT, "format");
    stage_open(&s, NULL);
    assert_fails(s3s_view_add(s.target, BY_FUNCTION, NULL, &created, &from, &err),
                 S3STORE_INVALID_ARGUMENT, "cannot be recorded");
    assert_ok(s3s_view_add(s.target, KIT_VIEW("f", "first", "size"), NULL, &created, &from, &err));
    s3store_writer *w;
    const s3store_view_def *views[] = {BY_FUNCTION};
    s3store_writer_options o = S3STORE_WRITER_OPTIONS_INIT;
    o.views = views;
    o.view_count = 1;
    assert_fails(s3s_writer_open(s.target, &o, &w, &err), S3STORE_BAD_CONFIG, "recorded by columns");
    stage_close(&s);
}

/* ---- many ------------------------------------------------------------------------------------ */

/* More markers than can be remembered: they are put again, none is forgotten before its data. */
static void test_markers__more_than_can_be_remembered_are_only_put_again(void **state)
{
    (void)state;
    enum { N = 300 };
    s3store_error err;
    stage s;
    const stage_options o = {.serial = true, KIT_VIEWS(KIT_VIEW("v", "n"))};
    char text[N][40];
    const char *rows[N];
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "p%d|s|c|%d|null", i % 7, i);
        rows[i] = text[i];
    }
    stage_open(&s, &o);
    s3s_known_markers_free(s.target->known_markers);
    assert_ok(s3s_known_markers_new(s.env, 1, &s.target->known_markers, &err));
    for (int round = 0; round < 3; round++)
        assert_ok(stage_write(&s, COLUMNS, rows, N, NULL, NULL, &err));
    unsigned puts = s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER];
    assert_true(puts > N + 1 && puts <= 3 * N + 1);
    assert_int_equal(stage_count(&s, "/m.matview"), N);
    stage_close(&s);
}

static void test_markers__putting_none_asks_nobody(void **state)
{
    (void)state;
    stage s;
    s3store_error err;
    uint64_t puts = 0;
    stage_open(&s, NULL);
    assert_ok(s3s_view_markers_put(s.target, NULL, NULL, 0, &puts, &err));
    assert_int_equal(puts, 0);
    assert_int_equal(faulty_total(&s.faults), 0);
    stage_close(&s);
}

/* Who waits for a marker that another puts ends when the caller says so, or its time is over; the
 * other one is not disturbed. */
typedef struct second_caller {
    stage *s;
    int64_t starts_us, budget_us;
    s3store_cancel *cancel;
    s3store_status status;
    s3store_error error;
} second_caller;

static const char *const one_key[] = {"ds/_matview/v/sku=s/m.matview"};

static void put_second(void *ctx)
{
    second_caller *c = ctx;
    s3store_error err;
    assert_ok(s3s_sleep_us(c->s->env, c->starts_us, NULL, &err));
    s3store_call call = {.deadline_us = c->budget_us == 0 ? S3STORE_TIME_NONE
                                                          : s3s_mono_us(c->s->env) + c->budget_us,
                         .cancel = c->cancel};
    c->status = s3s_view_markers_put(c->s->target, &call, one_key, 1, NULL, &c->error);
}

static void cancel_later(void *ctx)
{
    second_caller *c = ctx;
    s3store_error err;
    assert_ok(s3s_sleep_us(c->s->env, 2 * SECOND, NULL, &err));
    s3store_cancel_trigger(c->cancel);
}

static void wait_for_another(bool cancels, s3store_status expected, const char *text)
{
    s3store_error err;
    stage s;
    const stage_rule slow = {.verb = S3S_VERB_PUT,
                             .kind = FAULTY_OTHER,
                             .from = 1,
                             .fate = {.before_us = 30 * SECOND}};
    stage_open(&s, NULL);
    second_caller first = {.s = &s},
                  second = {.s = &s, .starts_us = SECOND, .budget_us = cancels ? 0 : 3 * SECOND};
    if (cancels)
        assert_ok(s3store_cancel_new(&second.cancel, &err));
    stage_rules(&s, &slow, 1);
    assert_ok(s3s_sim_add(s.sim, "first", 0, put_second, &first, &err));
    assert_ok(s3s_sim_add(s.sim, "second", 0, put_second, &second, &err));
    if (cancels)
        assert_ok(s3s_sim_add(s.sim, "cancel", 0, cancel_later, &second, &err));
    assert_ok(s3s_sim_run(s.sim, &err));
    assert_int_equal(first.status, S3STORE_OK);
    assert_int_equal(second.status, expected);
    assert_int_equal(second.error.status, expected);
    assert_non_null(strstr(second.error.message, text));
    assert_int_equal(s.faults.counts[S3S_VERB_PUT][FAULTY_OTHER], 1);
    s3store_cancel_free(second.cancel);
    stage_close(&s);
}

static void test_markers__who_waits_for_another_ends_in_time(void **state)
{
    (void)state;
    wait_for_another(false, S3STORE_TIMEOUT, "the deadline passed while view markers were stored");
    wait_for_another(true, S3STORE_CANCELLED, "cancelled by the caller while view markers");
}

static s3store_status put_as_the_first(void *ctx, s3s_env *env, s3store_error *err)
{
    stage *s = ctx;
    s3s_known_markers_free(s->target->known_markers);
    s3store_status status = s3s_known_markers_new(env, 100, &s->target->known_markers, err);
    if (status == S3STORE_OK)
        status = s3s_view_markers_put(s->target, NULL, one_key, 1, NULL, err);
    return status;
}

static void test_markers__of_a_target_that_knows_none_every_allocation_may_fail(void **state)
{
    (void)state;
    stage s;
    s3store_error err;
    const stage_options serial = {.serial = true};
    stage_open(&s, &serial);
    alloc_steps_within(s.env, true, put_as_the_first, &s);
    assert_ok(s3s_view_markers_put(s.target, NULL, one_key, 1, NULL, &err));
    assert_string_equal(kit_markers(&s), "v/sku=s ");
    stage_close(&s);
}

/* Real threads: markers of many writers at once (for TSan). */
typedef struct crowd {
    stage *s;
    int number;
} crowd;

static s3store_status write_some(void *ctx, size_t item, s3store_error *err)
{
    crowd *c = ctx;
    char row[64];
    snprintf(row, sizeof row, "p%zu|s%zu|c|%zu|null", item % 3, item % 5, item % 4);
    const char *rows[] = {row, "q|s1|c|1|null"};
    return stage_write(c->s, COLUMNS, rows, 2, NULL, NULL, err);
}

static void test_markers__of_many_threads_at_once(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {.real = true,
                             KIT_VIEWS(KIT_VIEW("v", "customer", "sku"), KIT_VIEW("w", "n"))};
    stage_open(&s, &o);
    crowd c = {.s = &s};
    assert_ok(stage_write(&s, COLUMNS, ROWS("z|z|z|9|null"), NULL, NULL, &err)); /* schema */
    assert_ok(s3s_fan_out(s.target->pool, 40, write_some, &c, NULL, &err));
    assert_string_equal(kit_markers(&s),
                        "v/customer=c/sku=s0 v/customer=c/sku=s1 v/customer=c/sku=s2 "
                        "v/customer=c/sku=s3 v/customer=c/sku=s4 v/customer=z/sku=z "
                        "w/n=0 w/n=1 w/n=2 w/n=3 w/n=9 ");
    stage_close(&s);
}

/* Every allocation fails once: an error, nothing leaks, and what is there is right. */
static void test_markers__every_allocation_may_fail(void **state)
{
    (void)state;
    stage s;
    const stage_options o = {.serial = true,
                             KIT_VIEWS(KIT_VIEW("v", "sku", "n"), BY_FUNCTION)};
    s3store_error err;
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS, ROWS("z|z|z|9|null"), NULL, NULL, &err)); /* schema */
    size_t failures = 0, successes = 0; /* one after the other: some failures are made good */
    for (uint64_t n = 0; successes < 40; n++) {
        assert_true(n < 5000);
        struct ArrowArrayStream stream;
        s3store_write_result *result = NULL;
        stage_stream(&s, COLUMNS, ROWS("a|s1|x|1|null", "a|s2|x|2|null"), &stream);
        s3s_env_fail_any_alloc_at(s.env, n);
        s3store_status status = s3s_write(s.writer, &stream, NULL, &result, &err);
        s3s_env_fail_alloc_at(s.env, UINT64_MAX);
        s3store_write_result_free(result);
        successes = status == S3STORE_OK ? successes + 1 : 0;
        failures += status != S3STORE_OK;
    }
    assert_true(failures > 20);
    assert_string_equal(kit_markers(&s), "f/first=s/size=small f/first=z/size=small "
                                         "v/sku=s1/n=1 v/sku=s2/n=2 v/sku=z/n=9 ");
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_markers__one_for_each_distinct_tuple_before_the_data),
        cmocka_unit_test(test_markers__are_put_once_in_a_process),
        cmocka_unit_test(test_markers__of_another_partition_are_waited_for),
        cmocka_unit_test(test_markers__a_failure_of_one_partition_is_made_good_by_another),
        cmocka_unit_test(
            test_markers__stay_when_the_data_fails_and_the_data_stays_away_when_they_do),
        cmocka_unit_test(test_markers__none_for_a_write_that_was_committed_before),
        cmocka_unit_test(test_markers__bad_values_and_columns_cost_no_request),
        cmocka_unit_test(
            test_markers__a_recorded_view_of_a_column_that_nobody_wrote_stops_no_write),
        cmocka_unit_test(test_function__makes_the_values_and_may_leave_rows_out),
        cmocka_unit_test(test_function__its_values_are_bounded_and_may_be_nothing),
        cmocka_unit_test(test_markers__putting_none_asks_nobody),
        cmocka_unit_test(test_markers__who_waits_for_another_ends_in_time),
        cmocka_unit_test(test_markers__of_a_target_that_knows_none_every_allocation_may_fail),
        cmocka_unit_test(test_function__failures_stop_the_write_naming_the_row),
        cmocka_unit_test(
            test_function__needs_a_record_type_and_plain_names_and_cannot_be_recorded),
        cmocka_unit_test(test_markers__more_than_can_be_remembered_are_only_put_again),
        cmocka_unit_test(test_markers__of_many_threads_at_once),
        cmocka_unit_test(test_markers__every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
