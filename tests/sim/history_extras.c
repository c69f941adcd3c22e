/* Beside the protocol of a write: an operator who removes orphans, and the markers of a view. */
#include "sim/history_private.h"

#include <stdio.h>
#include <string.h>

#include "arrow/stream.h"
#include "base/error.h"
#include "maintain/maintain.h"
#include "view/view.h"

/* ---- a sweep for orphans --------------------------------------------------------------------- */

/* How long after an effect it begins, and how long each removal takes to arrive. */
static const struct sweep_moment {
    const char *name;
    int64_t after_us, remove_after_us;
} moments[] = {
    {.name = "at once"},
    {.name = "20 s after", .after_us = 20 * SECOND},
    {.name = "13 minutes after", .after_us = 13 * MINUTE},
    {.name = "an hour after", .after_us = 60 * MINUTE},
    {.name = "an hour after, slowly", .after_us = 60 * MINUTE, .remove_after_us = 20 * MINUTE},
};
#define MOMENT_COUNT (sizeof moments / sizeof moments[0])

void history_choose_sweep(history *h)
{
    static char texts[65][24] = {"no sweep"};
    const char *points[65], *names[MOMENT_COUNT];
    for (size_t i = 0; i < 65; i++) {
        if (i > 0)
            snprintf(texts[i], sizeof texts[i], "sweep, effect %zu", i);
        points[i] = texts[i];
    }
    for (size_t i = 0; i < MOMENT_COUNT; i++)
        names[i] = moments[i].name;
    h->sweep_at = (unsigned)history_choose(h, h->plan->sweeps + 1, points);
    if (h->sweep_at == 0)
        return;
    const struct sweep_moment *m = &moments[history_choose(h, MOMENT_COUNT, names)];
    h->sweep_after_us = m->after_us;
    h->remove_after_us = m->remove_after_us;
}

void history_run_sweeper(void *ctx)
{
    history *h = ctx;
    unsigned version = 0;
    s3store_error err = {0};
    s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_orphans_report report = {.size = sizeof report};
    options.older_than_us = 1; /* only the library's own bound protects */
    options.remove = true;
    while (h->effects < h->sweep_at && !h->writers_over && history_wait(h, &version, false))
        ;
    if (h->sweep_after_us > 0)
        (void)s3s_sleep_us(h->w.env, h->sweep_after_us, NULL, NULL);
    s3store_status status = s3s_orphans(h->w.targets[WORLD_CUTTER], &options, &report, &err);
    history_fail(h, status, &err, "a sweep");
    if (status == S3STORE_OK && report.failed > 0)
        history_break(h, "(i) a sweep could not remove %llu objects",
                      (unsigned long long)report.failed);
    h->run->sums.removed += report.removed;
    h->swept = true;
    history_changed(h);
}

/* ---- the markers of a view ------------------------------------------------------------------- */

void history_check_view(history *h, size_t group)
{
    static const char *const ids[GROUPS] = {"one", "two"};
    if (!h->plan->views)
        return;
    for (int row = 0; row < ROWS; row++) {
        char key[128];
        s3store_object_info info;
        s3store_error err = {0};
        snprintf(key, sizeof key, "ds/_matview/" WORLD_VIEW "/id=%s/v=%d/m.matview", ids[group],
                 VALUE + row);
        s3store_status status = s3s_head(&h->w.store, NULL, key, &info, &err);
        if (status == S3STORE_NOT_FOUND)
            history_break(h, "(h) a row is committed, and its marker is not there: %s", key);
        else
            history_fail(h, status, &err, "a marker of a view");
    }
}

static s3store_status count_tuples(history *h, s3store_view *view, size_t *count,
                                   s3store_error *err)
{
    static const char *const everything[] = {"*"};
    s3store_lookup_options options = S3STORE_LOOKUP_OPTIONS_INIT;
    struct ArrowArrayStream stream = {0};
    s3s_stream_reader *batches = NULL;
    options.patterns = everything;
    options.pattern_count = 1;
    s3store_status status = s3s_view_lookup(view, &options, &stream, NULL, err);
    if (status == S3STORE_OK)
        status = s3s_stream_reader_new(h->w.env, &stream, &batches, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_stream_reader_next(batches, &batch, err);
        *count += status == S3STORE_OK ? (size_t)batch.length : 0;
        s3s_array_release(&batch);
    }
    s3s_stream_reader_free(batches);
    return status == S3STORE_END ? S3STORE_OK : status;
}

void history_judge_view(history *h)
{
    s3store_error err = {0};
    s3store_view *view = NULL;
    size_t tuples = 0, markers = 0;
    if (!h->plan->views)
        return;
    s3store_status status =
        s3s_view_open(h->w.targets[WORLD_READER], &world_view_def, NULL, &view, &err);
    if (status == S3STORE_OK)
        status = count_tuples(h, view, &tuples, &err);
    s3s_view_free(view);
    if (status == S3STORE_OK)
        status = world_count_keys(&h->w, "/m.matview", &markers, &err);
    history_fail(h, status, &err, "a lookup");
    if (status == S3STORE_OK && tuples != markers)
        history_break(h, "(h) a lookup finds %zu rows of %zu markers", tuples, markers);
    h->run->sums.rows_viewed += tuples;
}
