/* A writer with a view that crashes at any of its requests: what it leaves is harmless, and whoever
 * comes next makes it whole. The real write path on virtual time.
 */
#include "support/test.h"

#include <stdlib.h>

#include "base/error.h"
#include "sim/world.h"
#include "support/dataset_fixture.h"
#include "view/view.h"

static const char *const by_id[] = {"id"};
static const s3store_view_def view_def = {
    .size = sizeof view_def, .name = "v", .columns = by_id, .column_count = 1};

typedef struct history {
    world w;
    unsigned requests, crash_at; /* of the first writer; 0 = never */
    bool before;
    bool crashed;
    s3store_status status;
    s3store_error err;
} history;

static faulty_fate crash_somewhere(void *ctx, const faulty_request *r)
{
    history *h = ctx;
    (void)r;
    if (++h->requests != h->crash_at)
        return (faulty_fate){0};
    h->crashed = true;
    if (h->before)
        s3s_sim_crash(h->w.sim);
    return (faulty_fate){.crash = true};
}

static s3store_status open_writers(history *h)
{
    const s3store_view_def *views[] = {&view_def};
    s3store_writer_options o = S3STORE_WRITER_OPTIONS_INIT;
    o.views = views;
    o.view_count = 1;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < WORLD_WRITERS && status == S3STORE_OK; i++) {
        s3s_writer_free(h->w.writers[i]);
        status = s3s_writer_open(h->w.targets[i], &o, &h->w.writers[i], &h->err);
    }
    return status;
}

static void run_writer(void *ctx)
{
    history *h = ctx;
    s3store_write_result *result = NULL;
    h->status = open_writers(h);
    h->w.faults[0].fn = crash_somewhere;
    h->w.faults[0].ctx = h;
    if (h->status == S3STORE_OK)
        h->status = world_write(&h->w, 0, "2018-02-07", "x", 1, "t", &result, &h->err);
    s3store_write_result_free(result);
    h->w.faults[0].fn = NULL;
}

static s3store_status has_marker(history *h, const char *id, bool *has)
{
    char key[128];
    s3store_object_info info;
    snprintf(key, sizeof key, "ds/_matview/v/id=%s/m.matview", id);
    s3store_status status = s3s_head(&h->w.store, NULL, key, &info, &h->err);
    *has = status == S3STORE_OK;
    return status == S3STORE_NOT_FOUND ? S3STORE_OK : status;
}

/* Data implies its marker, whether it is committed or not; nothing else is there. */
static s3store_status check_left(history *h)
{
    size_t data = 0, markers = 0;
    bool has = false;
    s3store_status status = world_count_keys(&h->w, ".parquet", &data, &h->err);
    if (status == S3STORE_OK)
        status = world_count_keys(&h->w, "/m.matview", &markers, &h->err);
    if (status == S3STORE_OK)
        status = has_marker(h, "x", &has);
    if (status == S3STORE_OK && data > 1 && !has) /* one is of the setup */
        status = s3s_fail(&h->err, S3STORE_INTERNAL, "data without its marker");
    if (status == S3STORE_OK && markers != has)
        status = s3s_fail(&h->err, S3STORE_INTERNAL, "%zu markers", markers);
    return status;
}

static s3store_status look_up(history *h, char *text, size_t text_size)
{
    static const char *const all[] = {"*"};
    s3store_view *view = NULL;
    struct ArrowArrayStream stream;
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    o.patterns = all;
    o.pattern_count = 1;
    s3store_status status =
        s3s_view_open(h->w.targets[WORLD_READER], &view_def, NULL, &view, &h->err);
    if (status == S3STORE_OK)
        status = s3s_view_lookup(view, &o, &stream, NULL, &h->err);
    s3s_view_free(view);
    return status == S3STORE_OK ? fixture_drain(&stream, text, text_size, &h->err) : status;
}

/* Another process: it knows nothing of what the first one put. */
static void run_next(void *ctx)
{
    history *h = ctx;
    char text[256] = "";
    int64_t rows = 0;
    s3store_write_result *result = NULL;
    h->status = check_left(h);
    if (h->status == S3STORE_OK)
        h->status = look_up(h, text, sizeof text);
    if (h->status == S3STORE_OK && strcmp(text, "x;") != 0 && text[0] != '\0')
        h->status = s3s_fail(&h->err, S3STORE_INTERNAL, "the view says %s", text);
    if (h->status == S3STORE_OK)
        h->status = world_write(&h->w, 1, "2018-02-07", "x", 1, "t", &result, &h->err);
    s3store_write_result_free(result);
    result = NULL;
    if (h->status == S3STORE_OK)
        h->status = world_write(&h->w, 1, "2018-02-08", "y", 1, NULL, &result, &h->err);
    s3store_write_result_free(result);
    if (h->status == S3STORE_OK)
        h->status = look_up(h, text, sizeof text);
    if (h->status == S3STORE_OK && strcmp(text, "x;y;") != 0)
        h->status = s3s_fail(&h->err, S3STORE_INTERNAL, "the view says %s", text);
    if (h->status == S3STORE_OK)
        h->status = world_count_rows(&h->w, &rows, &h->err);
    if (h->status == S3STORE_OK && rows != 3) /* one is of the setup */
        h->status = s3s_fail(&h->err, S3STORE_INTERNAL, "%lld rows", (long long)rows);
}

/* true: the writer did not come as far as the crash. */
static bool crash_history(unsigned at, bool before)
{
    s3store_error err;
    history *h = calloc(1, sizeof *h);
    const world_options options = {.in_order = true};
    assert_non_null(h);
    h->crash_at = at;
    h->before = before;
    assert_ok(world_open(&h->w, NULL, &options, &err));
    assert_ok(s3s_sim_add(h->w.sim, "w1", 0, run_writer, h, &err));
    assert_ok(world_run(&h->w, &err));
    bool over = !h->crashed;
    if (over && h->status != S3STORE_OK)
        fail_msg("%s", h->err.message);
    assert_ok(s3s_sim_add(h->w.sim, "w2", 0, run_next, h, &err));
    assert_ok(world_run(&h->w, &err));
    if (h->status != S3STORE_OK)
        fail_msg("crash %s request %u: %s", before ? "before" : "after", at, h->err.message);
    world_close(&h->w);
    free(h);
    return over;
}

static void test_views__a_crash_at_any_request_leaves_only_harmless_markers(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        unsigned at = 1;
        while (!crash_history(at, before == 1)) {
            at++;
            assert_true(at < 50);
        }
        assert_int_equal(at, 6); /* HEAD, marker, data, ref, commit */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views__a_crash_at_any_request_leaves_only_harmless_markers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
