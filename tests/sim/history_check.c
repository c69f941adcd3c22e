/* Who looks on in a history, and what must hold. */
#include "sim/history_private.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/layout.h"
#include "stream/stream.h"

/* A ref is sent this long after its data at most (docs/FORMAT.md "Fenced commit"): what a sweep for
 * orphans relies on. */
#define TRY_BOUND_US (15 * MINUTE)

/* ---- the reader of the stream ---------------------------------------------------------------- */

/* One poll from list->next on; entries are appended. */
static s3store_status poll_once(history *h, seen_list *list, s3store_error *err)
{
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    s3store_entries *entries = NULL;
    options.since = list->next;
    s3store_status status = s3s_poll(h->w.targets[WORLD_READER], &options, &entries, err);
    for (size_t i = 0; i < s3store_entries_count(entries) && status == S3STORE_OK; i++) {
        const s3store_entry *e = s3store_entries_get(entries, i);
        if (list->count == SEEN_MAX)
            return s3s_fail(err, S3STORE_INTERNAL, "more than %d entries", SEEN_MAX);
        if (strcmp(e->offset, e->ref_path) != 0)
            return s3s_fail(err, S3STORE_INTERNAL, "offset and ref differ: %s", e->offset);
        snprintf(list->items[list->count].offset, TEXT_SIZE, "%s", e->offset);
        snprintf(list->items[list->count++].path, TEXT_SIZE, "%s", e->data_path);
    }
    if (status == S3STORE_OK)
        snprintf(list->next, sizeof list->next, "%s", s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
    h->run->sums.polls++;
    return status;
}

void history_run_reader(void *ctx)
{
    history *h = ctx;
    unsigned version = 0;
    for (bool more = true;;) {
        s3store_error err = {0};
        history_fail(h, poll_once(h, &h->seen, &err), &err, "a poll");
        if (!more || h->broken != S3STORE_OK)
            return;
        more = history_wait(h, &version, true);
    }
}

/* When the reader may pass the ref of this stamp: just then it polls. And when one that leaves out the
 * skew, or counts it the wrong way, would. */
static void add_criticals(history *h, int64_t ref_micros)
{
    int64_t timeout_us = h->w.targets[WORLD_READER]->commit_timeout_us;
    for (int64_t skew_us = -WORLD_SKEW_US; skew_us <= WORLD_SKEW_US; skew_us += WORLD_SKEW_US) {
        int64_t wall_us = ref_micros + 1 + timeout_us + skew_us;
        if (h->critical_count < CRITICALS_MAX)
            h->criticals_us[h->critical_count++] =
                wall_us - h->clock_us[WORLD_READER] - WORLD_START_US;
    }
}

void history_note_ref(history *h, const char *key)
{
    s3s_ref ref;
    if (s3s_ref_parse(key, &ref, NULL) != S3STORE_OK)
        return;
    add_criticals(h, ref.micros);
    for (size_t i = 0; i < h->note_count; i++) {
        const attempt_note *n = &h->notes[i];
        /* Then it may be a restamp. */
        bool committed = h->shown[0][0] != '\0' || h->shown[1][0] != '\0';
        if (strcmp(n->id, ref.attempt) == 0 && !committed &&
            ref.micros - n->sent_us > TRY_BOUND_US)
            history_break(h, "(g) a ref was sent %lld s after its data",
                          (long long)((ref.micros - n->sent_us) / SECOND));
    }
}

/* ---- the reader of snapshots ----------------------------------------------------------------- */

static void show(history *h, const char *path, unsigned *mask)
{
    size_t g = history_group(path);
    if (g == GROUPS)
        return;
    if ((*mask >> g & 1) != 0)
        history_break(h, "(a) a snapshot has two data objects of one token: %s", path);
    *mask |= 1u << g;
    history_check_view(h, g);
    if (h->shown[g][0] == '\0')
        snprintf(h->shown[g], TEXT_SIZE, "%s", path);
    else if (strcmp(h->shown[g], path) != 0)
        history_break(h, "(a) snapshots differ: %s, later %s", h->shown[g], path);
}

static void keep_cut(history *h, const cut *c)
{
    for (size_t i = 0; i < h->cut_count; i++)
        if (h->cuts[i].mask == c->mask && strcmp(h->cuts[i].offset, c->offset) == 0)
            return;
    if (h->cut_count < CUTS_MAX)
        h->cuts[h->cut_count++] = *c;
}

/* The offset is taken before the first LIST. */
static void take_cut(history *h)
{
    static const char *const everything[] = {"*"};
    s3store_target *target = h->w.targets[WORLD_CUTTER];
    s3store_error err = {0};
    s3store_listing *listing = NULL;
    char offset[S3S_KEY_SIZE];
    bool acknowledged[GROUPS], shown[GROUPS];
    cut c = {0};
    for (size_t g = 0; g < GROUPS; g++) {
        acknowledged[g] = h->acknowledged[g];
        shown[g] = h->shown[g][0] != '\0';
    }
    s3store_status status = s3s_settled_offset(target, offset, &err);
    if (status == S3STORE_OK)
        status = s3s_list_files(target, everything, 1, NULL, &listing, &err);
    history_fail(h, status, &err, "a snapshot");
    for (size_t i = 0; i < s3store_listing_count(listing); i++)
        show(h, s3store_listing_get(listing, i)->data_path, &c.mask);
    s3store_listing_free(listing);
    for (size_t g = 0; g < GROUPS && status == S3STORE_OK; g++) {
        if ((c.mask >> g & 1) == 0 && acknowledged[g])
            history_break(h, "(b) acknowledged, and not in a later snapshot: %s",
                          h->acknowledged_path[g]);
        if ((c.mask >> g & 1) == 0 && shown[g])
            history_break(h, "(b) a snapshot lost what an earlier one had: %s", h->shown[g]);
    }
    snprintf(c.offset, sizeof c.offset, "%.*s", TEXT_SIZE - 1, offset);
    keep_cut(h, &c);
}

void history_run_cutter(void *ctx)
{
    history *h = ctx;
    unsigned version = 0;
    if (h->plan->torn_lists) { /* one: its steps are choices */
        take_cut(h);
        return;
    }
    for (bool more = true; h->broken == S3STORE_OK;) {
        take_cut(h);
        if (!more)
            return;
        more = history_wait(h, &version, true);
    }
}

/* ---- what must hold at the end --------------------------------------------------------------- */

typedef struct verdict {
    bool committed[GROUPS];
    s3s_marker markers[GROUPS];
    size_t refs, data;
} verdict;

/* Markers say what is committed; a snapshot and its rows must say the same. */
static void judge_snapshot(history *h, verdict *v)
{
    static const char *const tokens[GROUPS] = {"first", "second"};
    s3store_error err = {0};
    int64_t rows = 0, expected = 1;
    for (size_t g = 0; g < GROUPS; g++) {
        v->committed[g] = h->shown[g][0] != '\0';
        expected += v->committed[g] ? ROWS : 0;
        if (g == 0 && h->plan->generated)
            continue;
        s3store_status status = s3s_commit_head(h->w.targets[WORLD_READER], NULL, PARTITION,
                                                tokens[g], &v->markers[g], NULL, &err);
        if (status != S3STORE_NOT_FOUND)
            history_fail(h, status, &err, "a marker");
        if ((status == S3STORE_OK) != v->committed[g] ||
            (v->committed[g] && strstr(h->shown[g], v->markers[g].attempt) == NULL))
            history_break(h, "(a) the marker of %s names \"%s\", a snapshot shows \"%s\"", tokens[g],
                          v->markers[g].attempt, h->shown[g]);
    }
    history_fail(h, world_count_rows(&h->w, &rows, &err), &err, "a read");
    if (rows != expected)
        history_break(h, "(a) %lld rows are visible, not %lld", (long long)rows,
                      (long long)expected);
    size_t markers = 0;
    history_fail(h, world_count_keys(&h->w, ".commit", &markers, &err), &err, "a list");
    if ((int64_t)markers != 1 + (expected - 1) / ROWS)
        history_break(h, "(a) %zu markers", markers);
    history_fail(h, world_count_keys(&h->w, ".ref", &v->refs, &err), &err, "a list");
    history_fail(h, world_count_keys(&h->w, ".parquet", &v->data, &err), &err, "a list");
    h->run->refs = v->refs - 1;
    h->run->data = v->data - 1;
}

static void judge_stream(history *h, const verdict *v)
{
    seen_list again = {0};
    s3store_error err = {0};
    history_fail(h, poll_once(h, &again, &err), &err, "a replay");
    for (size_t i = 0; i < h->seen.count; i++) {
        size_t g = history_group(h->seen.items[i].path);
        if (g < GROUPS && strcmp(h->seen.items[i].path, h->shown[g]) != 0)
            history_break(h, "(a) the stream had %s, committed is \"%s\"", h->seen.items[i].path,
                          h->shown[g]);
    }
    for (size_t g = 0; g < GROUPS; g++) {
        bool found = false;
        for (size_t i = 0; i < h->seen.count; i++)
            found = found || strcmp(h->seen.items[i].path, h->shown[g]) == 0;
        if (v->committed[g] && !found)
            history_break(h, "(e) committed, and the stream never had it: %s", h->shown[g]);
    }
    bool same = again.count == h->seen.count;
    for (size_t i = 0; same && i < again.count; i++)
        same = strcmp(again.items[i].offset, h->seen.items[i].offset) == 0 &&
               strcmp(again.items[i].path, h->seen.items[i].path) == 0;
    if (!same)
        history_break(h, "(d) %zu entries were seen, a replay gives %zu%s", h->seen.count,
                      again.count, again.count == h->seen.count ? " others" : "");
}

static void judge_cuts(history *h, const verdict *v)
{
    for (size_t i = 0; i < h->cut_count && h->broken == S3STORE_OK; i++) {
        seen_list rest = {0};
        s3store_error err = {0};
        unsigned mask = h->cuts[i].mask;
        snprintf(rest.next, sizeof rest.next, "%s", h->cuts[i].offset);
        history_fail(h, poll_once(h, &rest, &err), &err, "a poll");
        for (size_t e = 0; e < rest.count; e++) {
            size_t g = history_group(rest.items[e].path);
            mask |= g < GROUPS ? 1u << g : 0;
        }
        for (size_t g = 0; g < GROUPS; g++)
            if (v->committed[g] && (mask >> g & 1) == 0)
                history_break(h, "(f) neither in a snapshot nor in the stream from its offset %s: "
                                 "%s",
                              h->cuts[i].offset, h->shown[g]);
    }
}

static bool same_commit(const s3store_commit *a, const s3store_commit *b)
{
    return strcmp(a->data_path, b->data_path) == 0 && strcmp(a->ref_path, b->ref_path) == 0 &&
           a->inserted_at_us == b->inserted_at_us && a->row_count == b->row_count;
}

/* Two results of one token, and what is visible. */
static void judge_results(history *h)
{
    const history_writer *w = h->writers;
    bool reached[WORLD_WRITERS];
    for (size_t i = 0; i < WORLD_WRITERS; i++) {
        reached[i] = !w[i].crashed && history_reached(w[i].status);
        const s3store_commit *c = s3store_write_result_get(reached[i] ? w[i].result : NULL, 0);
        if (reached[i] && strcmp(c->data_path, h->shown[w[i].group]) != 0)
            history_break(h, "(b) writer %zu was told %s, visible is \"%s\"", i, c->data_path,
                          h->shown[w[i].group]);
    }
    if (h->plan->second == SECOND_RESTAMPS || w[0].group != w[1].group || !reached[0] ||
        !reached[1])
        return;
    if (w[0].v != w[1].v)
        history_break(h, "(c) two writers of other data under one token both succeeded");
    const s3store_commit *a = s3store_write_result_get(w[0].result, 0);
    const s3store_commit *b = s3store_write_result_get(w[1].result, 0);
    if (!same_commit(a, b))
        history_break(h, "(c) two writers of one token have other results");
    if (a->state != S3STORE_COMMIT_EXISTING && b->state != S3STORE_COMMIT_EXISTING)
        history_break(h, "(c) two writers of one token both say that they committed");
}

static bool is_told(s3store_status status)
{
    switch (status) {
    case S3STORE_OK:
    case S3STORE_COMMIT_AFTER_TIMEOUT:
    case S3STORE_UNCERTAIN:
    case S3STORE_UNAVAILABLE:
    case S3STORE_TIMEOUT:
    case S3STORE_CANCELLED:
    case S3STORE_PERMISSION_DENIED:
    case S3STORE_CLOCK_SKEW:
        return true;
    default:
        return false;
    }
}

/* What a writer said of its own attempts. */
static void judge_words(history *h, const history_writer *w)
{
    bool second = w->index == 1;
    bool reused = second && w->status == S3STORE_TOKEN_REUSED && w->v != h->writers[0].v;
    if (w->crashed || (second && (h->plan->second == SECOND_NONE ||
                                  h->plan->second == SECOND_RESTAMPS)))
        return;
    if (!is_told(w->status) && !reused)
        history_break(h, "(i) writer %zu: %s: %.200s", w->index, s3store_status_name(w->status),
                      w->err.message);
    if (w->status != S3STORE_OK && (w->err.status != w->status || w->err.message[0] == '\0'))
        history_break(h, "(i) writer %zu: %s without an error", w->index,
                      s3store_status_name(w->status));
    if (h->faults_met == 0 && h->clocks_agree && w->status != S3STORE_OK && !reused)
        history_break(h, "(i) nothing was wrong, and writer %zu failed: %s: %.200s", w->index,
                      s3store_status_name(w->status), w->err.message);
    /* When a fence closes for certain is a matter of clocks that agree. */
    if (history_reached(w->status) || w->status == S3STORE_UNCERTAIN || !h->clocks_agree)
        return;
    for (size_t i = 0; i < h->note_count; i++)
        if (h->notes[i].writer == w->index && strstr(h->shown[w->group], h->notes[i].id) != NULL)
            history_break(h, "(i) writer %zu said %s, and its attempt %s is committed", w->index,
                          s3store_status_name(w->status), h->notes[i].id);
}

/* The second writer of a token, with nothing in its own way, gets the result. */
static void judge_retry(history *h)
{
    const history_writer *w = &h->writers[1];
    bool undisturbed = (h->plan->faulty & 2) == 0 && h->plan->rules == NULL && h->clocks_agree;
    if (h->plan->second == SECOND_LATER && undisturbed && w->status != S3STORE_OK)
        history_break(h, "(c) the retry failed: %s: %.300s", s3store_status_name(w->status),
                      w->err.message);
}

void history_run_judge(void *ctx)
{
    history *h = ctx;
    verdict v = {0};
    if (h->broken == S3STORE_OK)
        take_cut(h);
    if (h->broken == S3STORE_OK)
        judge_snapshot(h, &v);
    if (h->broken == S3STORE_OK)
        judge_stream(h, &v);
    if (h->broken == S3STORE_OK)
        judge_cuts(h, &v);
    if (h->broken == S3STORE_OK)
        judge_results(h);
    for (size_t i = 0; i < WORLD_WRITERS && h->broken == S3STORE_OK; i++)
        judge_words(h, &h->writers[i]);
    if (h->broken == S3STORE_OK)
        judge_retry(h);
    if (h->broken == S3STORE_OK)
        history_judge_view(h);
}
