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

s3store_status storm_poll(storm *s, process *p, stream_seen *seen, int32_t max_entries, bool *more,
                          s3store_error *err)
{
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    s3store_entries *entries = NULL;
    options.since = seen->next;
    options.max_entries = max_entries;
    s3store_status status = s3s_poll(p->target, &options, &entries, err);
    s->sums.polls++;
    if (status != S3STORE_OK)
        return status;
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
    *more = max_entries > 0 && s3store_entries_count(entries) == (size_t)max_entries;
    snprintf(seen->next, STORM_TEXT, "%s", s3store_entries_next_offset(entries));
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

static void check_snapshot(storm *s, const path_set *shown, const path_set *before,
                           size_t acks_before)
{
    for (size_t i = 0; i < acks_before; i++)
        if (s->acks[i].reached && !path_set_has(shown, s->acks[i].path))
            storm_break(s, "(b) acknowledged, and not in a later snapshot: %s",
                        s->paths[s->acks[i].path]);
    for (size_t i = 0; i < s->path_count; i++) {
        if (path_set_has(before, i) && !path_set_has(shown, i))
            storm_break(s, "(b) a snapshot lost what an earlier one had: %s", s->paths[i]);
        for (size_t j = 0; j < i && path_set_has(shown, i); j++)
            if (path_set_has(shown, j) && token_size(s->paths[i]) == token_size(s->paths[j]) &&
                memcmp(s->paths[i], s->paths[j], token_size(s->paths[i])) == 0)
                storm_break(s, "(a) a snapshot has two data objects of one token: %s, %s",
                            s->paths[j], s->paths[i]);
    }
}

s3store_status storm_snapshot(storm *s, process *p, s3store_error *err)
{
    static const char *const everything[] = {"*"};
    s3store_listing *listing = NULL;
    char offset[S3S_KEY_SIZE];
    storm_cut c = {0};
    path_set before = s->shown;
    size_t acks_before = s->ack_count;
    s3store_status status = s3s_settled_offset(p->target, offset, err);
    if (status == S3STORE_OK)
        status = s3s_list_files(p->target, everything, 1, NULL, &listing, err);
    if (status != S3STORE_OK)
        return status;
    s->sums.snapshots++;
    for (size_t i = 0; i < s3store_listing_count(listing); i++)
        path_set_add(&c.shown, storm_path(s, s3store_listing_get(listing, i)->data_path));
    s3store_listing_free(listing);
    check_snapshot(s, &c.shown, &before, acks_before);
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
        (c->error == NULL || c->error->message[0] == '\0' || !is_told(c->error->status)))
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
    if (!is_told(p->status))
        storm_break(s, "(i) write %zu: %s: %.200s", p->index, s3store_status_name(p->status),
                    p->err.message);
    if (p->status != S3STORE_OK && p->err.message[0] == '\0')
        storm_break(s, "(i) write %zu: %s without an error", p->index,
                    s3store_status_name(p->status));
    bool reused = p->status == S3STORE_TOKEN_REUSED || p->status == S3STORE_PARTIAL;
    if (!reached && !reused && !is_disturbed(s))
        storm_break(s, "(i) nothing was wrong, and write %zu failed: %s: %.200s", p->index,
                    s3store_status_name(p->status), p->err.message);
}

/* ---- what is committed ----------------------------------------------------------------------- */

typedef struct judgement {
    storm *s;
    process *p;
    path_set committed;
    size_t count;
    int64_t rows;
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
    v->rows += marker.row_count;
    check_words(v, partition, token, marker.attempt);
    return s->broken == S3STORE_OK;
}

/* ---- at the end ------------------------------------------------------------------------------ */

static void judge_streams(judgement *v)
{
    storm *s = v->s;
    stream_seen *again = calloc(1, sizeof *again);
    s3store_error err = {0};
    bool more = true;
    if (again == NULL)
        return;
    storm_fail(s, storm_poll(s, v->p, again, 0, &more, &err), &err, "a replay");
    for (size_t r = 0; r < READERS_MAX && s->broken == S3STORE_OK; r++) {
        const stream_seen *seen = &s->seen[r];
        if (!storm_has(s, ELEMENT_READER, r))
            continue;
        path_set paths = paths_of(seen);
        for (size_t i = 0; i < s->path_count; i++) {
            if (path_set_has(&v->committed, i) && !path_set_has(&paths, i))
                storm_break(s, "(e) committed, and reader %zu never had it: %s", r, s->paths[i]);
            if (!path_set_has(&v->committed, i) && path_set_has(&paths, i))
                storm_break(s, "(a) reader %zu had what is not committed: %s", r, s->paths[i]);
        }
        bool same = again->count == seen->count;
        for (size_t i = 0; same && i < seen->count; i++)
            same = again->entries[i].path == seen->entries[i].path &&
                   strcmp(again->entries[i].offset, seen->entries[i].offset) == 0;
        if (!same)
            storm_break(s, "(d) reader %zu saw %zu entries, a replay gives %zu%s", r, seen->count,
                        again->count, again->count == seen->count ? " others" : "");
    }
    free(again);
}

static void judge_cuts(judgement *v)
{
    storm *s = v->s;
    stream_seen *rest = calloc(1, sizeof *rest);
    for (size_t c = 0; rest != NULL && c < s->cut_count && s->broken == S3STORE_OK; c++) {
        s3store_error err = {0};
        bool more;
        memset(rest, 0, sizeof *rest);
        snprintf(rest->next, STORM_TEXT, "%s", s->cuts[c].offset);
        storm_fail(s, storm_poll(s, v->p, rest, 0, &more, &err), &err, "a poll");
        path_set paths = paths_of(rest);
        for (size_t i = 0; i < s->path_count; i++) {
            if (path_set_has(&v->committed, i) && !path_set_has(&paths, i) &&
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
    static const char *const everything[] = {"*"};
    s3store_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    s3store_error err = {0};
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.history = true;
    s3store_status status = s3s_reader_open(v->p->target, NULL, &reader, &err);
    if (status == S3STORE_OK && v->count > 0)
        status = s3s_read_stream(reader, &options, &stream, &err);
    if (status == S3STORE_OK && v->count > 0)
        status = judge_batches(v, &stream, &err);
    s3s_reader_free(reader);
    storm_fail(v->s, status, &err, "a read");
}

/* Every tool says that all is well, also after everything dead has been removed. */
static void judge_tools(judgement *v)
{
    storm *s = v->s;
    s3store_error err = {0};
    s3store_orphans_options sweep = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_orphans_report orphans = {.size = sizeof orphans};
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    s3store_verify_report report = {.size = sizeof report};
    sweep.older_than_us = 1;
    sweep.remove = true;
    (void)s3s_sleep_us(s->env, 61 * MINUTE, NULL, NULL);
    storm_fail(s, s3s_orphans(v->p->target, &sweep, &orphans, &err), &err, "the last sweep");
    storm_fail(s, s3s_verify_dataset(v->p->target, &options, &report, &err), &err, "verify");
    if (report.damages > 0)
        storm_break(s, "(a) verify finds %llu damages", (unsigned long long)report.damages);
    if (report.uncommitted > 0 || report.commits != v->count)
        storm_break(s, "(g) verify counts %llu commits of %zu, and %llu orphans",
                    (unsigned long long)report.commits, v->count,
                    (unsigned long long)report.uncommitted);
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
    storm_fail(s, s3s_target_open(s->env, &config, &p->target, &err), &err, "opening");
    if (s->broken == S3STORE_OK)
        storm_fail(s, storm_snapshot(s, p, &err), &err, "the last snapshot");
    if (s->broken == S3STORE_OK)
        storm_fail(s,
                   s3s_list_all(&s->store, NULL, "ds/data/", NULL, 0, take_marker, &v, NULL, &err),
                   &err, "a list");
    s->sums.commits += v.count;
    for (size_t i = 0; i < s->process_count; i++)
        s->sums.crashed += s->processes[i].crashed;
    if (s->broken == S3STORE_OK)
        judge_streams(&v);
    if (s->broken == S3STORE_OK)
        judge_cuts(&v);
    if (s->broken == S3STORE_OK)
        judge_rows(&v);
    if (s->broken == S3STORE_OK)
        judge_tools(&v);
    for (size_t i = 0; i < s->path_count && s->broken == S3STORE_OK; i++)
        if (path_set_has(&v.committed, i) != path_set_has(&s->shown, i))
            storm_break(s, "(a) %s: %s", s->paths[i],
                        path_set_has(&s->shown, i) ? "a snapshot had what is not committed"
                                                   : "committed, and not in a snapshot");
}
