/* Views against the rows: on random datasets the markers of writers, those of a backfill, and the
 * distinct tuples of the rows (made here, with the C library's clock) are the same.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "unit/view/kit.h"

#define COLUMNS                                                                                    \
    "p:string?;sku:string?;n:int64?;small:int16?;ok:bool?;d:date?;at:timestamp(us, UTC)?;ns:timestamp(ns, UTC)?"
enum { ROWS_MAX = 400, TUPLE = 200 };

typedef struct row {
    char p[8], sku[24];
    int64_t n, small, ok, d, at, ns; /* INT64_MIN = null */
    bool sku_null;
} row;

typedef struct tuples {
    char (*items)[TUPLE];
    size_t count;
} tuples;

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static int64_t maybe(int64_t value)
{
    return draw(8) == 0 ? INT64_MIN : value;
}

static void random_row(row *r)
{
    static const char *const skus[] = {"s1", "s2", "a=b", "x;y", "two words", "\xc3\xa9t\xc3\xa9",
                                       "a-", "a", "%2F", "#1"};
    snprintf(r->p, sizeof r->p, "p%d", (int)draw(4));
    snprintf(r->sku, sizeof r->sku, "%s", skus[draw(10)]);
    r->sku_null = draw(6) == 0;
    r->n = maybe((int64_t)draw(50) - 25);
    r->small = maybe((int64_t)draw(3) - 1);
    r->ok = maybe((int64_t)draw(2));
    r->d = maybe((int64_t)draw(40000) - 10000);
    int64_t seconds = (int64_t)draw(UINT64_C(4000000000)) - 1000000000;
    r->at = maybe(seconds / 3600 * 3600 * 1000000 + (draw(3) == 0 ? (int64_t)draw(3600000000) : 0));
    r->ns = maybe(seconds * 1000000000 + (draw(2) == 0 ? (int64_t)draw(1000000000) : 0));
}

static void number(char *out, size_t size, int64_t value)
{
    if (value == INT64_MIN)
        snprintf(out, size, "null");
    else
        snprintf(out, size, "%" PRId64, value);
}

static void row_text(const row *r, char *out, size_t size)
{
    char n[24], small[24], d[24], at[24], ns[24];
    number(n, sizeof n, r->n);
    number(small, sizeof small, r->small);
    number(d, sizeof d, r->d);
    number(at, sizeof at, r->at);
    number(ns, sizeof ns, r->ns);
    snprintf(out, size, "%s|%s|%s|%s|%s|%s|%s|%s", r->p, r->sku_null ? "null" : r->sku, n, small,
             r->ok == INT64_MIN ? "null" : r->ok != 0 ? "true" : "false", d, at, ns);
}

/* ---- what the markers must be, said once more ------------------------------------------------- */

static void format_time(int64_t units, int64_t per_second, const char *format, char *out)
{
    int64_t rest = (units % per_second + per_second) % per_second;
    time_t seconds = (time_t)((units - rest) / per_second);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t n = strftime(out, 60, format, &tm);
    assert_true(n > 0);
    if (strcmp(format, "%Y-%m-%dT%H:%M:%S") != 0)
        return;
    int64_t nanos = rest * (1000000000 / per_second);
    if (nanos % 1000000000 == 0)
        strcpy(out + n, "Z");
    else if (nanos % 1000000 == 0)
        sprintf(out + n, ".%03" PRId64 "Z", nanos / 1000000);
    else if (nanos % 1000 == 0)
        sprintf(out + n, ".%06" PRId64 "Z", nanos / 1000);
    else
        sprintf(out + n, ".%09" PRId64 "Z", nanos);
}

static void add(tuples *t, const char *text)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->items[i], text) == 0)
            return;
    strcpy(t->items[t->count++], text);
}

static void expect(const row *r, tuples *out)
{
    char text[TUPLE], a[64], b[64];
    if (!r->sku_null && r->d != INT64_MIN) {
        format_time(r->d * 86400, 1, "%Y-%m-%d", a);
        snprintf(text, sizeof text, "one/sku=%s/d=%s", r->sku, a);
        add(out, text);
    }
    if (r->at != INT64_MIN && r->ok != INT64_MIN) {
        format_time(r->at, 1000000, "%Y-%m-%dT%H", a);
        snprintf(text, sizeof text, "two/h=%s/ok=%s", a, r->ok != 0 ? "true" : "false");
        add(out, text);
    }
    if (r->ns != INT64_MIN && r->small != INT64_MIN) {
        format_time(r->ns, 1000000000, "%Y-%m-%dT%H:%M:%S", a);
        snprintf(text, sizeof text, "three/ns=%s/small=%" PRId64, a, r->small);
        add(out, text);
    }
    if (r->at != INT64_MIN && r->n != INT64_MIN) {
        format_time(r->at, 1000000, "%d %b %y %I%p", a);
        format_time(r->at, 1000000, "%Y-%m-%dT%H:%M:%S", b);
        snprintf(text, sizeof text, "four/t=%s/at=%s/n=%" PRId64, a, b, r->n);
        add(out, text);
    }
}

static const s3store_view_def *const views[] = {
    KIT_VIEW("one", "sku", "d"),
    KIT_VIEW("two", "h=at:hour", "ok"),
    KIT_VIEW("three", "ns", "small"),
    KIT_VIEW("four", "t=at:%d %b %y %I%p", "at", "n"),
};

/* ---- against the store ------------------------------------------------------------------------ */

typedef struct comparing {
    const tuples *expected;
    bool *seen;
    size_t count;
} comparing;

static bool compare_marker(void *ctx, const s3store_list_entry *entry)
{
    comparing *c = ctx;
    char text[512];
    snprintf(text, sizeof text, "%s", entry->key + strlen("ds/_matview/"));
    *strrchr(text, '/') = '\0';
    c->count++;
    for (size_t i = 0; i < c->expected->count; i++)
        if (strcmp(c->expected->items[i], text) == 0) {
            c->seen[i] = true;
            return true;
        }
    fail_msg("seed: a marker of no row: %s", text);
    return false;
}

static void check_markers(stage *s, const tuples *expected, const char *when)
{
    s3store_error err;
    comparing c = {.expected = expected, .seen = calloc(expected->count + 1, sizeof(bool))};
    assert_ok(s3s_list_all(&s->memory, NULL, "ds/_matview/", NULL, 0, compare_marker, &c, NULL,
                           &err));
    for (size_t i = 0; i < expected->count; i++)
        if (!c.seen[i])
            fail_msg("%s: no marker for %s", when, expected->items[i]);
    assert_int_equal(c.count, expected->count);
    free(c.seen);
}

static bool remove_marker(void *ctx, const s3store_list_entry *entry)
{
    stage *s = ctx;
    s3store_error err;
    assert_ok(s3s_remove(&s->memory, NULL, entry->key, &err));
    return true;
}

/* One write of some rows. false: its data was refused, and so nothing is committed. */
static bool write_rows(stage *s, const row *rows, size_t count, bool refuse)
{
    s3store_error err;
    char(*text)[256] = calloc(count, sizeof *text);
    const char **lines = calloc(count, sizeof *lines);
    const stage_rule no_data = {.verb = S3S_VERB_PUT,
                                .kind = FAULTY_DATA,
                                .from = 1,
                                .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    for (size_t i = 0; i < count; i++) {
        row_text(&rows[i], text[i], sizeof text[i]);
        lines[i] = text[i];
    }
    stage_rules(s, &no_data, refuse);
    s3store_status status = stage_write(s, COLUMNS, lines, count, NULL, NULL, &err);
    if (refuse)
        assert_int_equal(status, S3STORE_PERMISSION_DENIED);
    else if (status != S3STORE_OK)
        fail_msg("%s", err.message);
    stage_rules(s, NULL, 0);
    free(lines);
    free(text);
    return !refuse;
}

static void run_dataset(uint64_t number, bool with_failures)
{
    s3store_error err;
    stage s;
    const stage_options options = {.views = views, .view_count = 4};
    row *rows = calloc(ROWS_MAX, sizeof *rows);
    tuples expected = {.items = calloc(4 * ROWS_MAX, TUPLE)};
    seed = number;
    stage_open(&s, &options);
    size_t total = 40 + draw(ROWS_MAX - 40), at = 0;
    while (at < total) {
        size_t n = 1 + draw(40);
        n = n < total - at ? n : total - at;
        for (size_t i = 0; i < n; i++)
            random_row(&rows[at + i]);
        bool committed = write_rows(&s, rows + at, n, with_failures && draw(3) == 0);
        for (size_t i = 0; i < n && committed; i++)
            expect(&rows[at + i], &expected);
        at += n;
    }
    if (!with_failures)
        check_markers(&s, &expected, "written");
    assert_ok(s3s_list_all(&s.memory, NULL, "ds/_matview/", NULL, 0, remove_marker, &s, NULL,
                           &err));
    s3s_known_markers_free(s.target->known_markers);
    assert_ok(s3s_known_markers_new(s.env, 1000, &s.target->known_markers, &err));
    for (size_t v = 0; v < 4; v++) {
        s3store_backfill_options o = kit_backfill_options(KIT_ALL);
        s3store_backfill_stats stats;
        assert_ok(s3s_view_backfill(s.target, views[v], &o, &stats, &err));
        assert_true(stats.done_objects == stats.data_objects);
    }
    check_markers(&s, &expected, "filled");
    stage_close(&s);
    free(expected.items);
    free(rows);
}

static void test_agreement__written_and_filled_markers_are_the_tuples_of_the_rows(void **state)
{
    (void)state;
    uint64_t count = getenv("S3S_FULL") != NULL ? 400 : 12;
    for (uint64_t i = 0; i < count; i++)
        run_dataset(1000 + i, false);
}

static void test_agreement__filled_markers_are_those_of_committed_rows(void **state)
{
    (void)state;
    uint64_t count = getenv("S3S_FULL") != NULL ? 200 : 6;
    for (uint64_t i = 0; i < count; i++)
        run_dataset(5000 + i, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement__written_and_filled_markers_are_the_tuples_of_the_rows),
        cmocka_unit_test(test_agreement__filled_markers_are_those_of_committed_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
