/* Scenarios around the data: making and opening datasets, views, the operator's tools. */
#include "torture/torture.h"

#include <stdlib.h>

static const char *const everything[] = {"*"};

static void prepare_none(torture *t)
{
    (void)t;
}

/* ---- init and open ------------------------------------------------------------------------------------- */

/* A dataset beside the one that is there: "ds7". */
static s3store_target_config beside(torture *t, char *buffer, size_t size)
{
    s3store_target_config c = t->config;
    if (c.url != NULL) {
        snprintf(buffer, size, "file://%s/ds%u?fsync=0", t->dir, t->run);
        c.url = buffer;
    } else {
        snprintf(buffer, size, "ds%u", t->run);
        c.prefix = buffer;
    }
    return c;
}

static s3store_status init_beside(torture *t, bool *created, s3store_error *err)
{
    static const char *const columns[] = {"id"};
    char buffer[URL_SIZE];
    s3store_target_config c = beside(t, buffer, sizeof buffer);
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    s3store_view_def view = S3STORE_VIEW_DEF_INIT;
    const s3store_view_def *views[] = {&view};
    view.name = "by_id";
    view.columns = columns;
    view.column_count = 1;
    init.commit_timeout_us = FILE_TIMEOUT_US;
    init.max_clock_skew_us = 0;
    init.views = views;
    init.view_count = 1;
    return s3store_dataset_init(&c, &init, created, err);
}

static s3store_status run_init(torture *t, s3store_error *err)
{
    bool created;
    return init_beside(t, &created, err);
}

/* The same init completes what was begun, and then there is nothing left to do. */
static void check_init(torture *t, s3store_status status, const s3store_error *e, bool hit)
{
    s3store_error err;
    bool created;
    char buffer[URL_SIZE];
    s3store_target *target;
    (void)status;
    (void)e;
    (void)hit;
    assert_ok(init_beside(t, &created, &err));
    if (status == S3STORE_OK)
        assert_false(created);
    assert_ok(init_beside(t, &created, &err));
    assert_false(created);
    s3store_target_config c = beside(t, buffer, sizeof buffer);
    assert_ok(s3store_target_open(&c, &target, &err));
    assert_int_equal(s3store_target_commit_timeout_us(target), FILE_TIMEOUT_US);
    s3store_target_free(target);
}

static s3store_status run_open(torture *t, s3store_error *err)
{
    dataset d;
    s3store_status status = torture_open(t, &d, err);
    if (status == S3STORE_OK)
        dataset_close(&d);
    return status;
}

static void check_open(torture *t, s3store_status status, const s3store_error *e, bool hit)
{
    s3store_error err;
    dataset d;
    (void)status;
    (void)e;
    (void)hit;
    assert_ok(torture_open(t, &d, &err));
    assert_string_equal(torture_rows(&d, "*", false), ROWS_LATEST);
    dataset_close(&d);
}

static s3store_status run_schema(torture *t, s3store_error *err)
{
    struct ArrowSchema schema = {0};
    uint32_t version = 0;
    s3store_status status = s3store_target_schema(t->d.target, NULL, &version, &schema, err);
    assert_true((schema.release != NULL) == (status == S3STORE_OK));
    if (status == S3STORE_OK) {
        torture_add(t, "%u %lld", version, (long long)schema.n_children);
        schema.release(&schema);
    }
    return status;
}

static bool add_text(void *ctx, const char *text, size_t size)
{
    torture *t = ctx;
    (void)text;
    t->number += size;
    return true;
}

static s3store_status run_metrics(torture *t, s3store_error *err)
{
    t->number = 0;
    s3store_status status = s3store_target_metrics_text(
        t->d.target, t->run % 2 == 0 ? S3STORE_METRICS_PROMETHEUS : S3STORE_METRICS_OTLP_JSON,
        add_text, t, err);
    torture_add(t, status == S3STORE_OK && t->number > 1000 ? "text" : "");
    return status;
}

/* ---- views --------------------------------------------------------------------------------------------- */

static s3store_status open_view(torture *t, const char *name, s3store_error *err)
{
    s3store_view_def def = S3STORE_VIEW_DEF_INIT;
    def.name = name;
    return s3store_view_open(t->d.target, &def, NULL, &t->view, err);
}

static s3store_status run_lookup(torture *t, s3store_error *err)
{
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    struct ArrowArrayStream stream;
    o.patterns = everything;
    o.pattern_count = 1;
    s3store_status status = open_view(t, "by_id", err);
    assert_true((t->view != NULL) == (status == S3STORE_OK));
    if (status == S3STORE_OK)
        status = s3store_view_lookup(t->view, &o, &stream, NULL, err);
    if (status == S3STORE_OK)
        status = torture_drain(t, &stream, err);
    s3store_view_free(t->view);
    t->view = NULL;
    return status;
}

typedef struct tuple {
    const char *id;
} tuple;
static const s3store_record_type tuple_type = S3STORE_RECORD_TYPE(
    tuple, ((const s3store_field[]){{"id", S3STORE_KIND_CSTRING, offsetof(tuple, id)}}));

static void prepare_view(torture *t)
{
    s3store_error err;
    torture_fill(t);
    assert_ok(open_view(t, "by_id", &err));
}

static s3store_status run_lookup_records(torture *t, s3store_error *err)
{
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    s3store_records *records = NULL;
    o.patterns = everything;
    o.pattern_count = 1;
    s3store_status status =
        s3store_view_lookup_records(t->view, &tuple_type, &o, &records, NULL, err);
    assert_true((records != NULL) == (status == S3STORE_OK));
    const tuple *tuples = s3store_records_data(records);
    for (size_t i = 0; i < s3store_records_count(records); i++)
        torture_add(t, "%s;", tuples[i].id);
    s3store_records_free(records);
    return status;
}

/* A view of its own for each run: recorded, then filled from what is there. */
static s3store_status run_view_add(torture *t, s3store_error *err)
{
    static const char *const columns[] = {"id", "v"};
    char name[32];
    s3store_view_def def = S3STORE_VIEW_DEF_INIT;
    s3store_backfill_options o = S3STORE_BACKFILL_OPTIONS_INIT;
    s3store_backfill_stats stats = {.size = sizeof stats};
    bool created;
    int64_t since;
    snprintf(name, sizeof name, "view%u", t->run);
    def.name = name;
    def.columns = columns;
    def.column_count = 2;
    o.patterns = everything;
    o.pattern_count = 1;
    s3store_status status = s3store_view_add(t->d.target, &def, NULL, &created, &since, err);
    if (status == S3STORE_OK)
        status = s3store_view_backfill(t->d.target, &def, &o, &stats, err);
    t->number = stats.done_objects;
    return status;
}

static void check_view_add(torture *t, s3store_status status, const s3store_error *e, bool hit)
{
    s3store_error err;
    char name[32];
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    struct ArrowArrayStream stream;
    (void)e;
    (void)hit;
    if (status == S3STORE_OK)
        assert_int_equal(t->number, 5);
    assert_ok(run_view_add(t, &err));
    assert_int_equal(t->number, 5);
    snprintf(name, sizeof name, "view%u", t->run);
    assert_ok(open_view(t, name, &err));
    o.patterns = everything;
    o.pattern_count = 1;
    assert_ok(s3store_view_lookup(t->view, &o, &stream, NULL, &err));
    t->text[0] = '\0';
    assert_ok(torture_drain(t, &stream, &err));
    assert_string_equal(t->text, "q|1;x|1;x|2;y|1;z|3;");
    s3store_view_free(t->view);
    t->view = NULL;
}

static s3store_status run_views(torture *t, s3store_error *err)
{
    s3store_views *views = NULL;
    s3store_status status = s3store_target_views(t->d.target, NULL, &views, err);
    assert_true((views != NULL) == (status == S3STORE_OK));
    for (size_t i = 0; i < s3store_views_count(views); i++)
        torture_add(t, "%s;", s3store_views_get(views, i)->name);
    s3store_views_free(views);
    return status;
}

/* ---- the operator's tools ------------------------------------------------------------------------------ */

static void on_finding(void *ctx, const s3store_finding *finding)
{
    torture_add(ctx, "%s ", finding->kind);
}

static s3store_status run_verify(torture *t, s3store_error *err)
{
    s3store_verify_options o = S3STORE_VERIFY_OPTIONS_INIT;
    s3store_verify_report report = {.size = sizeof report};
    o.finding = on_finding;
    o.finding_ctx = t;
    s3store_status status = s3store_verify(t->d.target, &o, &report, err);
    if (status == S3STORE_OK)
        torture_add(t, "%llu commits %llu rows %llu damages", (unsigned long long)report.commits,
                    (unsigned long long)report.rows, (unsigned long long)report.damages);
    return status;
}

/* What a writer left that died before its ref. */
static void begin_orphan(torture *t)
{
    dataset_put(&t->d, "data/p=a/dead-0123456789abcdef0123456789abcdef.parquet", "PAR1", 4);
}

static void on_orphan(void *ctx, const s3store_orphan *orphan)
{
    torture *t = ctx;
    (void)orphan;
    t->number++;
}

static s3store_status run_orphans(torture *t, s3store_error *err)
{
    s3store_orphans_options o = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_orphans_report report = {.size = sizeof report};
    o.older_than_us = 1;
    o.remove = true;
    o.orphan = on_orphan;
    o.orphan_ctx = t;
    return s3store_orphans(t->d.target, &o, &report, err);
}

/* Whatever was removed, no row of it was visible. */
static void check_orphans(torture *t, s3store_status status, const s3store_error *e, bool hit)
{
    s3store_error err = {0};
    (void)status;
    (void)e;
    (void)hit;
    assert_string_equal(torture_rows(&t->d, "*", true), ROWS_ALL);
    assert_ok(run_orphans(t, &err));
    assert_string_equal(torture_rows(&t->d, "*", true), ROWS_ALL);
}

/* ---- checks -------------------------------------------------------------------------------------------- */

TORTURE_CHECK(schema, "1 4")
TORTURE_CHECK(metrics, "text")
TORTURE_CHECK(lookup, "q;x;y;z;")
TORTURE_CHECK(lookup_records, "q;x;y;z;")
TORTURE_CHECK(views, "by_id;")
TORTURE_CHECK(verify, "5 commits 6 rows 0 damages")

const scenario tool_scenarios[] = {
    {.name = "init", .writes = true, .prepare = prepare_none, .run = run_init,
     .check = check_init},
    {.name = "open", .prepare = torture_fill, .run = run_open, .check = check_open},
    {.name = "schema", .prepare = torture_fill, .run = run_schema, .check = check_schema},
    {.name = "metrics", .no_store = true, .prepare = torture_fill, .run = run_metrics,
     .check = check_metrics},
    {.name = "view-lookup", .prepare = torture_fill, .run = run_lookup, .check = check_lookup},
    {.name = "view-records", .prepare = prepare_view, .run = run_lookup_records,
     .check = check_lookup_records},
    {.name = "view-add", .writes = true, .prepare = torture_fill, .run = run_view_add,
     .check = check_view_add},
    {.name = "views", .prepare = torture_fill, .run = run_views, .check = check_views},
    {.name = "verify", .prepare = torture_fill, .run = run_verify, .check = check_verify},
    {.name = "orphans", .writes = true, .prepare = torture_fill, .begin = begin_orphan,
     .run = run_orphans, .check = check_orphans},
    {0},
};
