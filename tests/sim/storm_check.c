/* Who looks on in a storm, and what must hold. */
#include "sim/storm_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/array.h"
#include "arrow/stream.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "maintain/maintain.h"
#include "stream/stream.h"

#define ROWS_MAX 1024

/* ---- the stream ------------------------------------------------------------------------------ */

static void take_skipped(storm *s, stream_seen *seen, const s3store_entries *entries)
{
    for (size_t i = 0; i < s3store_entries_skipped_count(entries); i++) {
        const char *key = s3store_entries_skipped_get(entries, i);
        size_t token = storm_damaged(s, key);
        s->sums.skipped++;
        if (token == SIZE_MAX)
            storm_break(s, "(e) a poll passed a marker that can be read: %s", key);
        else
            seen->told_of[token] = true;
    }
}

static void take_entries(storm *s, stream_seen *seen, const s3store_entries *entries)
{
    for (size_t i = 0; i < s3store_entries_count(entries); i++) {
        const s3store_entry *e = s3store_entries_get(entries, i);
        if (seen->count == SEEN_ENTRIES_MAX) {
            storm_break(s, "(i) more than %d entries", SEEN_ENTRIES_MAX);
            break;
        }
        snprintf(seen->entries[seen->count].offset, STORM_TEXT, "%s", e->offset);
        seen->entries[seen->count++].path = storm_path(s, e->data_path);
        s->sums.entries++;
    }
}

/* Where it stops before a damaged marker, it says so when asked from there; then it is told to pass
 * that one. */
s3store_status storm_poll(storm *s, process *p, stream_seen *seen, const reader_plan *how,
                          bool *more, s3store_error *err)
{
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    s3store_entries *entries = NULL;
    options.since = seen->next;
    options.max_entries = how->max_entries;
    options.skip_damaged = how->skips;
    s3store_status status = s3s_poll(p->target, &options, &entries, err);
    s->sums.polls++;
    if (!how->skips && storm_met_damage(s, status, err)) {
        s->sums.stopped++;
        seen->told_of[storm_damaged(s, err->key)] = true;
        options.skip_damaged = true;
        s3s_error_clear(err);
        status = s3s_poll(p->target, &options, &entries, err);
    }
    if (status != S3STORE_OK)
        return status;
    take_entries(s, seen, entries);
    take_skipped(s, seen, entries);
    const char *next = s3store_entries_next_offset(entries);
    *more = how->max_entries > 0 &&
            s3store_entries_count(entries) == (size_t)how->max_entries;
    if (s->damaged_count > 0 && strcmp(seen->next, next) != 0)
        *more = true; /* it may have stopped early */
    snprintf(seen->next, STORM_TEXT, "%s", next);
    s3store_entries_free(entries);
    return S3STORE_OK;
}

static path_set paths_of(const stream_seen *seen)
{
    path_set set = {0};
    for (size_t i = 0; i < seen->count; i++)
        path_set_add(&set, seen->entries[i].path);
    return set;
}

/* ---- snapshots ------------------------------------------------------------------------------- */

/* "<partition>/<token>-<attempt>.parquet": how much of it is the same for all attempts. */
static size_t token_size(const char *path)
{
    return strlen(path) - strlen(".parquet") - S3S_ATTEMPT_ID_SIZE;
}

/* What this snapshot could have: no damaged marker stood in its way. */
static bool is_listed(const storm *s, const storm_cut *c, size_t path)
{
    return storm_on_days(s->paths[path], c->days) && !storm_is_damaged(s, s->paths[path]);
}

static void check_snapshot(storm *s, const storm_cut *c, const path_set *before,
                           size_t acks_before)
{
    const path_set *shown = &c->shown;
    for (size_t i = 0; i < acks_before; i++)
        if (s->acks[i].reached && !path_set_has(shown, s->acks[i].path) &&
            is_listed(s, c, s->acks[i].path))
            storm_break(s, "(b) acknowledged, and not in a later snapshot: %s",
                        s->paths[s->acks[i].path]);
    for (size_t i = 0; i < s->path_count; i++) {
        if (!is_listed(s, c, i))
            continue;
        if (path_set_has(before, i) && !path_set_has(shown, i))
            storm_break(s, "(b) a snapshot lost what an earlier one had: %s", s->paths[i]);
        for (size_t j = 0; j < i && path_set_has(shown, i); j++)
            if (path_set_has(shown, j) && token_size(s->paths[i]) == token_size(s->paths[j]) &&
                memcmp(s->paths[i], s->paths[j], token_size(s->paths[i])) == 0)
                storm_break(s, "(a) a snapshot has two data objects of one token: %s, %s",
                            s->paths[j], s->paths[i]);
    }
}

static s3store_status list_pattern(storm *s, process *p, const char *pattern, path_set *shown,
                                   s3store_error *err)
{
    s3store_listing *listing = NULL;
    s3store_status status = s3s_list_files(p->target, &pattern, 1, NULL, &listing, err);
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < s3store_listing_count(listing); i++)
        path_set_add(shown, storm_path(s, s3store_listing_get(listing, i)->data_path));
    s3store_listing_free(listing);
    return S3STORE_OK;
}

/* Everything; where a damaged marker forbids that, the days that have none. */
static s3store_status list_all(storm *s, process *p, storm_cut *c, s3store_error *err)
{
    char day[32];
    c->days = ALL_DAYS;
    s3store_status status = list_pattern(s, p, "*", &c->shown, err);
    if (!storm_met_damage(s, status, err))
        return status;
    s->sums.refused++;
    for (size_t k = 0; k < PARTITIONS; k++) {
        s3s_error_clear(err);
        storm_day_name(k, day, sizeof day);
        status = list_pattern(s, p, day, &c->shown, err);
        if (storm_met_damage(s, status, err) && storm_on_days(err->key, 1u << k))
            c->days &= ~(1u << k);
        else if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

s3store_status storm_snapshot(storm *s, process *p, s3store_error *err)
{
    char offset[S3S_KEY_SIZE];
    storm_cut c = {0};
    path_set before = s->shown;
    size_t acks_before = s->ack_count;
    s3store_status status = s3s_settled_offset(p->target, offset, err);
    if (status == S3STORE_OK)
        status = list_all(s, p, &c, err);
    if (status != S3STORE_OK)
        return status;
    s->sums.snapshots++;
    s->listed_days = c.days;
    check_snapshot(s, &c, &before, acks_before);
    for (size_t i = 0; i < PATHS_MAX / 64; i++)
        s->shown.words[i] |= c.shown.words[i];
    snprintf(c.offset, sizeof c.offset, "%.*s", STORM_TEXT - 1, offset);
    if (s->cut_count < STORM_CUTS_MAX)
        s->cuts[s->cut_count++] = c;
    return S3STORE_OK;
}

/* ---- what writers were told ------------------------------------------------------------------ */

static void compare_acks(storm *s, const ack *a)
{
    for (size_t i = 0; i < s->ack_count; i++) {
        const ack *b = &s->acks[i];
        if (!b->reached || a->chunk != b->chunk || strcmp(a->token, b->token) != 0 ||
            strcmp(a->partition, b->partition) != 0)
            continue;
        if (s->plan.jobs[a->job].other_data != s->plan.jobs[b->job].other_data)
            storm_break(s, "(c) writes %zu and %zu of other data under token %s both succeeded",
                        b->job, a->job, a->token);
        if (a->path != b->path || strcmp(a->ref, b->ref) != 0 || a->rows != b->rows ||
            a->inserted_at_us != b->inserted_at_us)
            storm_break(s, "(c) writes %zu and %zu of token %s in %s have other results", b->job,
                        a->job, a->token, a->partition);
    }
}

static bool is_told(s3store_status status)
{
    switch (status) {
    case S3STORE_OK:
    case S3STORE_COMMIT_AFTER_TIMEOUT:
    case S3STORE_PARTIAL:
    case S3STORE_UNCERTAIN:
    case S3STORE_UNAVAILABLE:
    case S3STORE_TIMEOUT:
    case S3STORE_CANCELLED:
    case S3STORE_PERMISSION_DENIED:
    case S3STORE_TOKEN_REUSED:
        return true;
    default:
        return false;
    }
}

static bool is_reached(s3store_commit_state state)
{
    return state == S3STORE_COMMIT_DONE || state == S3STORE_COMMIT_EXISTING ||
           state == S3STORE_COMMIT_LATE;
}

static void note_commit(storm *s, const process *p, const s3store_commit *c)
{
    ack a = {.job = p->index,
             .state = c->state,
             .reached = is_reached(c->state),
             .error = c->error != NULL ? c->error->status : S3STORE_OK,
             .chunk = c->chunk,
             .path = SIZE_MAX,
             .inserted_at_us = c->inserted_at_us,
             .rows = c->row_count};
    snprintf(a.partition, sizeof a.partition, "%s", c->partition);
    snprintf(a.token, sizeof a.token, "%s", c->token != NULL ? c->token : "");
    if (a.reached && (c->data_path == NULL || c->ref_path == NULL)) {
        storm_break(s, "(i) write %zu: success without a result", p->index);
        return;
    }
    if (!a.reached && a.state == S3STORE_COMMIT_FAILED &&
        (c->error == NULL || c->error->message[0] == '\0' ||
         (!is_told(c->error->status) && !storm_met_damage(s, c->error->status, c->error))))
        storm_break(s, "(i) write %zu failed in %s with %s: %.200s", p->index, a.partition,
                    s3store_status_name(a.error), c->error != NULL ? c->error->message : "");
    if (a.reached) {
        a.path = storm_path(s, c->data_path);
        snprintf(a.ref, sizeof a.ref, "%s", c->ref_path);
        compare_acks(s, &a);
        s->sums.acknowledged++;
        s->sums.chunks += c->chunk > 1;
    }
    if (s->ack_count < ACKS_MAX)
        s->acks[s->ack_count++] = a;
}

static bool is_disturbed(const storm *s)
{
    for (size_t i = 0; i < FAULTS_MAX; i++)
        if (storm_has(s, ELEMENT_FAULT, i) || storm_has(s, ELEMENT_EPISODE, i))
            return true;
    return s->latency; /* which may pass a timeout */
}

void storm_note_result(storm *s, process *p, const s3store_write_result *result)
{
    bool reached = p->status == S3STORE_OK || p->status == S3STORE_COMMIT_AFTER_TIMEOUT;
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        note_commit(s, p, c);
        if (reached && !is_reached(c->state))
            storm_break(s, "(i) write %zu says %s, and %s is %s", p->index,
                        s3store_status_name(p->status), c->partition,
                        s3store_commit_state_name(c->state));
    }
    s->sums.failed += !reached;
    if (reached && s3store_write_result_count(result) == 0)
        storm_break(s, "(i) write %zu: success without a result", p->index);
    if (!is_told(p->status) && !storm_met_damage(s, p->status, &p->err))
        storm_break(s, "(i) write %zu: %s: %.200s", p->index, s3store_status_name(p->status),
                    p->err.message);
    if (p->status != S3STORE_OK && p->err.message[0] == '\0')
        storm_break(s, "(i) write %zu: %s without an error", p->index,
                    s3store_status_name(p->status));
    bool reused = p->status == S3STORE_TOKEN_REUSED || p->status == S3STORE_PARTIAL;
    if (!reached && !reused && !is_disturbed(s) && !storm_hits(s, p->index))
        storm_break(s, "(i) nothing was wrong, and write %zu failed: %s: %.200s", p->index,
                    s3store_status_name(p->status), p->err.message);
}

/* ---- what is committed ----------------------------------------------------------------------- */

typedef struct judgement {
    storm *s;
    process *p;
    path_set committed;
    path_set due; /* of them: what the stream must have had */
    size_t count, damaged;
    unsigned clean_days; /* no marker on them is damaged */
    size_t clean_count;
    int64_t rows; /* of those days */
    size_t left[DAMAGES_MAX]; /* by a sweep: data objects of a damaged token */
} judgement;

/* What the writer of this attempt was told of it. */
static void check_words(const judgement *v, const char *partition, const char *token,
                        const char *attempt)
{
    storm *s = v->s;
    size_t job = SIZE_MAX;
    for (size_t i = 0; i < s->attempt_count; i++)
        if (strcmp(s->attempts[i].id, attempt) == 0)
            job = s->attempts[i].job;
    if (job == SIZE_MAX) {
        storm_break(s, "(a) nobody wrote attempt %s of %s in %s", attempt, token, partition);
        return;
    }
    const process *p = NULL;
    for (size_t i = 0; i < s->process_count; i++)
        if (s->processes[i].kind == ELEMENT_JOB && s->processes[i].index == job)
            p = &s->processes[i];
    if (p == NULL || p->crashed)
        return;
    bool known = p->status == S3STORE_UNCERTAIN, listed = false;
    for (size_t i = 0; i < s->ack_count; i++) {
        const ack *a = &s->acks[i];
        if (a->job != job || strcmp(a->partition, partition) != 0 || strcmp(a->token, token) != 0)
            continue;
        listed = true;
        known = known || a->reached || a->error == S3STORE_UNCERTAIN;
    }
    if (!known)
        storm_break(s, "(i) write %zu said %s%s, and its attempt %s of %s is committed in %s", job,
                    s3store_status_name(p->status), listed ? "" : " without a word of it", attempt,
                    token, partition);
}

static bool take_marker(void *ctx, const s3store_list_entry *entry)
{
    judgement *v = ctx;
    storm *s = v->s;
    char partition[S3S_KEY_SIZE], token[S3S_KEY_SIZE], data[S3S_KEY_SIZE], ref[S3S_KEY_SIZE];
    s3s_marker marker;
    s3store_object_info info;
    s3store_error err = {0};
    const s3s_layout *layout = &v->p->target->layout;
    s3s_data_name name = s3s_data_name_parse(layout, entry->key);
    if (name.kind != S3S_DATA_COMMIT)
        return true;
    snprintf(partition, sizeof partition, "%.*s", (int)name.partition.size, name.partition.data);
    snprintf(token, sizeof token, "%.*s", (int)name.token.size, name.token.data);
    s3store_status status =
        s3s_commit_head(v->p->target, NULL, partition, token, &marker, NULL, &err);
    if (storm_met_damage(s, status, &err)) {
        v->damaged++;
        return true;
    }
    if (status == S3STORE_OK)
        status = s3s_data_key(layout, partition, token, marker.attempt, data, &err);
    if (status == S3STORE_OK)
        status =
            s3s_ref_key(layout, marker.ref_micros, token, marker.attempt, partition, ref, &err);
    storm_fail(s, status, &err, "a marker");
    if (status != S3STORE_OK)
        return false;
    if (s3s_head(&s->store, NULL, data, &info, NULL) != S3STORE_OK)
        storm_break(s, "(g) a commit without its data: %s", data);
    if (s3s_head(&s->store, NULL, ref, &info, NULL) != S3STORE_OK)
        storm_break(s, "(g) a commit without its ref: %s", ref);
    path_set_add(&v->committed, storm_path(s, data));
    v->count++;
    if (storm_on_days(data, v->clean_days)) {
        v->clean_count++;
        v->rows += marker.row_count;
    }
    check_words(v, partition, token, marker.attempt);
    return s->broken == S3STORE_OK;
}

/* ---- at the end ------------------------------------------------------------------------------ */

/* An entry from *at on whose marker is not damaged; false: there is none. */
static bool next_entry(const storm *s, const stream_seen *seen, size_t *at)
{
    while (*at < seen->count && storm_is_damaged(s, s->paths[seen->entries[*at].path]))
        ++*at;
    return *at < seen->count;
}

/* A replay gives what was seen; without the fence more may have come behind the reader. */
static bool is_replay(const storm *s, const stream_seen *again, const stream_seen *seen)
{
    size_t i = 0, j = 0;
    bool more = s->plan.world == STORM_UNFENCED;
    for (; next_entry(s, again, &i); i++) {
        bool same = next_entry(s, seen, &j) && again->entries[i].path == seen->entries[j].path &&
                    strcmp(again->entries[i].offset, seen->entries[j].offset) == 0;
        if (!same && !more)
            return false;
        j += same;
    }
    return !next_entry(s, seen, &j);
}

static void judge_stream(judgement *v, size_t r, const stream_seen *again)
{
    storm *s = v->s;
    const stream_seen *seen = &s->seen[r];
    path_set paths = paths_of(seen);
    for (size_t i = 0; i < s->path_count; i++) {
        if (path_set_has(&v->due, i) && !path_set_has(&paths, i))
            storm_break(s, "(e) committed, and reader %zu never had it: %s", r, s->paths[i]);
        if (!path_set_has(&v->committed, i) && path_set_has(&paths, i) &&
            !storm_is_damaged(s, s->paths[i]))
            storm_break(s, "(a) reader %zu had what is not committed: %s", r, s->paths[i]);
        if (path_set_has(&v->committed, i) && !path_set_has(&paths, i)) {
            path_set_add(&s->missed, i);
            s->sums.missed++;
        }
    }
    storm_check_told(s, r);
    if (!is_replay(s, again, seen))
        storm_break(s, "(d) reader %zu saw %zu entries, a replay gives %zu%s", r, seen->count,
                    again->count, again->count == seen->count ? " others" : "");
}

static void judge_streams(judgement *v)
{
    static const reader_plan all = {.skips = true};
    storm *s = v->s;
    stream_seen *again = calloc(1, sizeof *again);
    s3store_error err = {0};
    bool more = true;
    if (again == NULL)
        return;
    storm_fail(s, storm_poll(s, v->p, again, &all, &more, &err), &err, "a replay");
    for (size_t r = 0; r < READERS_MAX && s->broken == S3STORE_OK; r++)
        if (storm_has(s, ELEMENT_READER, r))
            judge_stream(v, r, again);
    free(again);
}

static void judge_cuts(judgement *v)
{
    static const reader_plan all = {.skips = true};
    storm *s = v->s;
    stream_seen *rest = calloc(1, sizeof *rest);
    for (size_t c = 0; rest != NULL && c < s->cut_count && s->broken == S3STORE_OK; c++) {
        s3store_error err = {0};
        bool more;
        memset(rest, 0, sizeof *rest);
        snprintf(rest->next, STORM_TEXT, "%s", s->cuts[c].offset);
        storm_fail(s, storm_poll(s, v->p, rest, &all, &more, &err), &err, "a poll");
        path_set paths = paths_of(rest);
        for (size_t i = 0; i < s->path_count; i++) {
            if (!is_listed(s, &s->cuts[c], i))
                continue;
            if (path_set_has(&v->due, i) && !path_set_has(&paths, i) &&
                !path_set_has(&s->cuts[c].shown, i))
                storm_break(s, "(f) neither in a snapshot nor in the stream from its offset: %s",
                            s->paths[i]);
            if (!path_set_has(&v->committed, i) && path_set_has(&s->cuts[c].shown, i))
                storm_break(s, "(a) a snapshot had what is not committed: %s", s->paths[i]);
        }
    }
    free(rest);
}

static void judge_row(judgement *v, uint64_t *ids, size_t *count, s3store_bytes id, int64_t value)
{
    storm *s = v->s;
    uint64_t hash = s3s_xxh64(id.data, id.size, 0);
    for (size_t i = 0; i < *count; i++)
        if (ids[i] == hash)
            storm_break(s, "(c) row %.*s is there twice", (int)id.size, (const char *)id.data);
    if (*count < ROWS_MAX)
        ids[(*count)++] = hash;
    char key[128];
    s3store_object_info info;
    snprintf(key, sizeof key, "ds/_matview/" WORLD_VIEW "/id=%.*s/v=%d/m.matview", (int)id.size,
             (const char *)id.data, (int)value);
    if (s->plan.views && s3s_head(&s->store, NULL, key, &info, NULL) != S3STORE_OK)
        storm_break(s, "(h) a row is committed, and its marker is not there: %s", key);
}

static s3store_status judge_batches(judgement *v, struct ArrowArrayStream *stream,
                                    s3store_error *err)
{
    static uint64_t ids[ROWS_MAX]; /* one storm at a time */
    size_t count = 0;
    s3s_stream_reader *batches = NULL;
    s3store_status status = s3s_stream_reader_new(v->s->env, stream, &batches, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_stream_reader_next(batches, &batch, err);
        if (status != S3STORE_OK)
            break;
        s3s_column id, value;
        const s3s_schema *schema = s3s_stream_reader_schema(batches);
        for (int64_t i = 0; i < batch.length; i++) {
            s3s_column_view(&schema->fields[1], batch.children[1], 0, batch.length, &id);
            s3s_column_view(&schema->fields[2], batch.children[2], 0, batch.length, &value);
            judge_row(v, ids, &count, s3s_column_bytes(&id, i), s3s_column_int(&value, i));
        }
        s3s_array_release(&batch);
    }
    s3s_stream_reader_free(batches);
    if (status == S3STORE_END && (int64_t)count != v->rows)
        storm_break(v->s, "(a) %zu rows are visible, the markers say %lld", count,
                    (long long)v->rows);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static void judge_rows(judgement *v)
{
    char days[PARTITIONS][32];
    const char *patterns[PARTITIONS];
    s3store_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    s3store_error err = {0};
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = patterns;
    options.history = true;
    for (size_t k = 0; k < PARTITIONS; k++) {
        storm_day_name(k, days[k], sizeof days[k]);
        if ((v->clean_days >> k & 1) != 0)
            patterns[options.pattern_count++] = days[k];
    }
    s3store_status status = s3s_reader_open(v->p->target, NULL, &reader, &err);
    if (status == S3STORE_OK && v->clean_count > 0)
        status = s3s_read_stream(reader, &options, &stream, &err);
    if (status == S3STORE_OK && v->clean_count > 0)
        status = judge_batches(v, &stream, &err);
    s3s_reader_free(reader);
    storm_fail(v->s, status, &err, "a read");
}

/* What a sweep leaves of what no commit names. */
static void take_orphan(void *ctx, const s3store_orphan *o)
{
    judgement *v = ctx;
    s3s_ref ref;
    char data[S3S_KEY_SIZE] = "";
    if (o->removed)
        return;
    if (o->kind == S3STORE_ORPHAN_DATA)
        snprintf(data, sizeof data, "%s", o->key);
    else if (s3s_ref_parse(o->key, &ref, NULL) == S3STORE_OK)
        (void)s3s_data_key(&v->p->target->layout, ref.partition, ref.token, ref.attempt, data,
                           NULL);
    size_t i = storm_damaged(v->s, data);
    if (i == SIZE_MAX)
        storm_break(v->s, "(g) the last sweep leaves %s: %s", o->key, o->reason);
    else
        v->left[i] += o->kind == S3STORE_ORPHAN_DATA;
}

/* verify counts all but one beside a marker. */
static size_t count_orphans(const judgement *v)
{
    size_t count = 0;
    for (size_t i = 0; i < DAMAGES_MAX; i++)
        count += v->left[i] > 0 ? v->left[i] - 1 : 0;
    return count;
}

/* Every tool says that all is well, also after everything dead has been removed. */
static void judge_tools(judgement *v)
{
    storm *s = v->s;
    s3store_error err = {0};
    s3store_orphans_options sweep = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_orphans_report orphans = {.size = sizeof orphans};
    sweep.older_than_us = 1;
    sweep.remove = true;
    sweep.orphan = take_orphan;
    sweep.orphan_ctx = v;
    storm_pause(s, s->plan.world == STORM_UNFENCED ? 8 * 24 * 60 * MINUTE : 61 * MINUTE);
    storm_fail(s, s3s_orphans(v->p->target, &sweep, &orphans, &err), &err, "the last sweep");
    storm_judge_verify(s, v->p, &v->committed, v->count, count_orphans(v));
}

static void judge_snapshots(judgement *v)
{
    storm *s = v->s;
    for (size_t i = 0; i < s->path_count && s->broken == S3STORE_OK; i++) {
        bool committed = path_set_has(&v->committed, i), shown = path_set_has(&s->shown, i);
        if (committed == shown || storm_is_damaged(s, s->paths[i]))
            continue;
        if (shown || storm_on_days(s->paths[i], s->listed_days))
            storm_break(s, "(a) %s: %s", s->paths[i],
                        shown ? "a snapshot had what is not committed"
                              : "committed, and not in a snapshot");
    }
}

/* What is committed; without the fence the stream owes only what was told as done in time. */
static void judge_markers(judgement *v)
{
    storm *s = v->s;
    s3store_error err = {0};
    v->clean_days = storm_clean_days(s);
    storm_fail(s, s3s_list_all(&s->store, NULL, "ds/data/", NULL, 0, take_marker, v, NULL, &err),
               &err, "a list");
    if (s->broken == S3STORE_OK && v->damaged != s->damaged_count)
        storm_break(s, "(i) of %zu damaged markers %zu are there", s->damaged_count, v->damaged);
    v->due = v->committed;
    path_set promised = storm_promised(s);
    for (size_t i = 0; i < PATHS_MAX / 64 && s->plan.world == STORM_UNFENCED; i++)
        v->due.words[i] &= promised.words[i];
}

void storm_judge(void *ctx)
{
    process *p = ctx;
    storm *s = p->s;
    judgement v = {.s = s, .p = p};
    s3store_error err = {0};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &p->fault.store;
    config.bucket = "sim";
    config.prefix = "ds";
    config.fence = s->plan.world == STORM_UNFENCED ? S3STORE_FENCE_OFF : S3STORE_FENCE_AUTO;
    storm_fail(s, s3s_target_open(s->env, &config, &p->target, &err), &err, "opening");
    if (s->broken == S3STORE_OK)
        storm_fail(s, storm_snapshot(s, p, &err), &err, "the last snapshot");
    if (s->broken == S3STORE_OK)
        judge_markers(&v);
    s->sums.commits += v.count;
    for (size_t i = 0; i < s->process_count; i++)
        s->sums.crashed += s->processes[i].crashed;
    static void (*const judges[])(judgement *) = {judge_streams, judge_cuts, judge_rows,
                                                  judge_tools, judge_snapshots};
    for (size_t i = 0; i < sizeof judges / sizeof judges[0] && s->broken == S3STORE_OK; i++)
        judges[i](&v);
    if (s->broken == S3STORE_OK)
        storm_judge_remedy(s, p, &v.committed);
}
