/* Is the dataset whole? Refs first: what they name is kept as digests (attempt_set). Then the data
 * tree, token by token as LIST shows it: what the listings alone can tell is told at once, and what
 * must be asked for, or looks wrong, waits in a window of commits that are asked for side by side.
 * Nothing is called damaged that was not asked for again after it was listed: a write that came
 * between the two listings has its ref after the refs were read.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "maintain/refs.h"
#include "maintain/verify_private.h"

#define REF_SLICES 16
#define ATTEMPTS_HELD_MAX 20000
#define FILES_AT_ONCE 4

/* ---- findings -------------------------------------------------------------------------------- */

s3store_status s3s_verify_note_add(s3s_verify *v, s3s_verify_item *item, const char *kind,
                                   bool damage, const char *key, s3store_error *err,
                                   const char *remedy, const char *format, ...)
{
    s3s_verify_note *note = s3s_calloc(v->target->env, 1, sizeof *note);
    if (note == NULL)
        return s3s_fail_memory(err, sizeof *note);
    note->kind = kind;
    note->damage = damage;
    snprintf(note->key, sizeof note->key, "%s", key);
    snprintf(note->remedy, sizeof note->remedy, "%s", remedy);
    va_list args;
    va_start(args, format);
    vsnprintf(note->detail, sizeof note->detail, format, args);
    va_end(args);
    if (item->last != NULL)
        item->last->next = note;
    else
        item->first = note;
    item->last = note;
    return S3STORE_OK;
}

void s3s_verify_tell(s3s_verify *v, const s3store_finding *finding)
{
    if (finding->damage)
        v->report->damages++;
    else
        v->report->remarks++;
    if (v->options->finding != NULL)
        v->options->finding(v->options->finding_ctx, finding);
}

static void tell_item(s3s_verify *v, s3s_verify_item *item)
{
    while (item->first != NULL) {
        s3s_verify_note *note = item->first;
        item->first = note->next;
        s3store_finding finding = {.kind = note->kind,
                                   .damage = note->damage,
                                   .key = note->key,
                                   .partition = item->partition,
                                   .token = item->token,
                                   .detail = note->detail,
                                   .remedy = note->remedy};
        s3s_verify_tell(v, &finding);
        s3s_free(v->target->env, note);
    }
    item->last = NULL;
}

/* ---- the window ------------------------------------------------------------------------------ */

static s3store_status run_item(void *ctx, size_t i, s3store_error *err)
{
    s3s_verify *v = ctx;
    return s3s_verify_commit(v, &v->items[i], err);
}

/* Asks for what waits, and tells what was found, in order. */
static s3store_status flush(s3s_verify *v, s3store_error *err)
{
    /* Rows are read for views: each file within an eighth of the budget, four at once. */
    s3s_fan_options options = {.call = v->call, .limit = v->views.count > 0 || v->options->contents ? FILES_AT_ONCE : 0};
    s3store_status status =
        s3s_fan_out(v->target->pool, v->item_count, run_item, v, &options, err);
    for (size_t i = 0; i < v->item_count; i++) {
        tell_item(v, &v->items[i]);
        v->report->checked += v->items[i].checked;
        v->report->rows += (uint64_t)v->items[i].rows;
        v->report->hashed += v->items[i].hashed;
    }
    v->item_count = 0;
    v->attempts_held = 0;
    s3s_arena_reset(&v->arena);
    if (status == S3STORE_OK && v->options->progress != NULL)
        v->options->progress(v->options->progress_ctx, v->report->commits,
                             s3s_attempt_set_count(v->refs));
    return status;
}

static s3store_status enqueue(s3s_verify *v, const s3s_token *t, bool deep, s3store_error *err)
{
    s3s_verify_item *item = &v->items[v->item_count];
    s3s_attempt *attempts =
        s3s_arena_alloc(&v->arena, (t->attempt_count + 1) * sizeof *attempts);
    *item = (s3s_verify_item){.partition = s3s_arena_strdup(&v->arena, t->partition),
                              .token = s3s_arena_strdup(&v->arena, t->token),
                              .attempts = attempts,
                              .attempt_count = t->attempt_count,
                              .deep = deep};
    if (attempts == NULL || item->partition == NULL || item->token == NULL)
        return s3s_fail_memory(err, S3S_KEY_SIZE);
    if (t->attempt_count > 0)
        memcpy(attempts, t->attempts, t->attempt_count * sizeof *attempts);
    v->item_count++;
    v->attempts_held += t->attempt_count;
    return v->item_count == S3S_VERIFY_WINDOW || v->attempts_held > ATTEMPTS_HELD_MAX
               ? flush(v, err)
               : S3STORE_OK;
}

/* ---- one token, as listed -------------------------------------------------------------------- */

static s3s_slice slice_of(const char *text)
{
    return (s3s_slice){.data = text, .size = strlen(text)};
}

/* Whether the listings alone leave no doubt that the commit is whole: one data object, with a ref
 * that readers cannot have passed before the marker was there. */
static bool is_clear(const s3s_verify *v, const s3s_token *t)
{
    int64_t stamp;
    if (t->attempt_count != 1 || !s3s_attempt_set_has(v->refs, slice_of(t->partition),
                                                      slice_of(t->token), t->attempts[0].id,
                                                      &stamp))
        return false;
    return t->marker_modified_us == S3STORE_TIME_NONE ||
           t->marker_modified_us - stamp <= v->target->commit_timeout_us;
}

/* A part of the commits, another one in each run. */
static bool is_sampled(const s3s_verify *v, const s3s_token *t)
{
    double sample = v->options->sample;
    if (sample <= 0 || sample >= 1)
        return true;
    uint64_t hash = s3s_xxh64(t->token, strlen(t->token),
                              s3s_xxh64(t->partition, strlen(t->partition), v->sample_seed));
    return (double)(hash >> 11) * 0x1p-53 < sample;
}

static s3store_status take_token(void *ctx, const s3s_token *t, s3store_error *err)
{
    s3s_verify *v = ctx;
    if (!t->committed) {
        v->report->uncommitted += t->attempt_count;
        return S3STORE_OK;
    }
    v->report->commits++;
    if (t->attempt_count > 1)
        v->report->uncommitted += t->attempt_count - 1;
    bool deep = !v->options->shallow && is_sampled(v, t);
    return deep || !is_clear(v, t) ? enqueue(v, t, deep, err) : S3STORE_OK;
}

/* ---- refs ------------------------------------------------------------------------------------ */

static void tell_bad_ref(s3s_verify *v, const char *key, const char *why)
{
    s3store_finding finding = {
        .kind = "ref_malformed",
        .damage = true,
        .key = key,
        .detail = why,
        .remedy = "stream readers skip it: find out who wrote it, and remove it; if it stands for "
                  "a "
                  "commit, restamp that one"};
    s3s_verify_tell(v, &finding);
}

static s3store_status take_ref(void *ctx, const s3s_ref *ref, const char *why,
                               const s3store_list_entry *entry, s3store_error *err)
{
    s3s_verify *v = ctx;
    s3store_error bad = {0};
    v->report->refs++;
    if (ref == NULL) {
        tell_bad_ref(v, entry->key, why);
        return S3STORE_OK;
    }
    if (v->target->settings.part_count > 0 &&
        s3s_partition_check(v->target->part_names, v->target->settings.part_count, ref->partition,
                            &bad) != S3STORE_OK) {
        tell_bad_ref(v, entry->key, bad.message);
        return S3STORE_OK;
    }
    /* One that came late (a restamp where nothing expires) is no place that readers see: it counts
     * as a ref, and its stamp makes nothing good. */
    bool late = entry->last_modified_us != S3STORE_TIME_NONE &&
                entry->last_modified_us - ref->micros > v->target->commit_timeout_us;
    return s3s_attempt_set_add(v->refs, slice_of(ref->partition), slice_of(ref->token),
                               ref->attempt, late ? 0 : ref->micros, err);
}

static void tell_plan(s3s_verify *v)
{
    const s3store_verify_options *o = v->options;
    double part = o->sample > 0 && o->sample < 1 ? o->sample : 1;
    s3store_verify_plan plan = {.commits = s3s_attempt_set_count(v->refs),
                                .lists = v->report->lists};
    if (!o->shallow) {
        plan.heads = (uint64_t)((double)plan.commits * part);
        plan.gets = plan.heads;
    }
    if (o->plan != NULL)
        o->plan(o->plan_ctx, &plan);
}

/* ---- all ------------------------------------------------------------------------------------- */

static s3store_status run(s3s_verify *v, const s3s_patterns *patterns, s3store_error *err)
{
    s3s_inventory_counts counts = {0};
    s3store_status status =
        s3s_refs_walk(v->target, v->call, REF_SLICES, take_ref, v, &v->report->lists, err);
    if (status != S3STORE_OK)
        return status;
    tell_plan(v);
    if (!v->options->shallow)
        status = s3s_verify_schema(v, err);
    if (status == S3STORE_OK && !v->options->shallow)
        status = s3s_verify_views_load(v, err);
    if (status == S3STORE_OK)
        status = s3s_inventory(v->target, v->call, patterns, take_token, v, &counts, err);
    if (status == S3STORE_OK)
        status = flush(v, err);
    v->report->data_objects = counts.data_objects;
    v->report->data_bytes = counts.data_bytes;
    v->report->foreign = counts.foreign;
    v->report->lists += counts.lists;
    return status;
}

s3store_status s3s_verify_dataset(s3store_target *target, const s3store_verify_options *options,
                                  s3store_verify_report *report, s3store_error *err)
{
    static const char *const everything[] = {"*"};
    s3s_patterns patterns = {0};
    s3store_call call = s3s_call_make(target->env, options->cancel, options->timeout_ms);
    s3s_verify *v = NULL;
    if (!(options->sample >= 0 && options->sample <= 1))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the sample is a part from 0 to 1");
    bool all = options->pattern_count == 0;
    s3store_status status =
        s3s_target_patterns(target, all ? everything : options->patterns,
                            all ? 1 : options->pattern_count, &patterns, err);
    if (status != S3STORE_OK)
        return status;
    v = s3s_calloc(target->env, 1, sizeof *v);
    if (v == NULL)
        status = s3s_fail_memory(err, sizeof *v);
    if (status == S3STORE_OK) {
        v->target = target;
        v->call = &call;
        v->options = options;
        v->report = report;
        s3s_arena_init(&v->arena, target->env);
        status = s3s_random(target->env, &v->sample_seed, sizeof v->sample_seed, err);
        if (status == S3STORE_OK)
            status = s3s_attempt_set_new(target->env, target->spill_dir, 0, &v->refs, err);
        if (status == S3STORE_OK)
            status = run(v, &patterns, err);
        s3s_attempt_set_free(v->refs);
        s3s_attempt_set_free(v->markers);
        s3s_free(target->env, v->columns);
        s3s_views_deinit(&v->views);
        s3s_schema_release(v->schema);
        s3s_arena_deinit(&v->arena);
    }
    s3s_free(target->env, v);
    s3s_patterns_deinit(&patterns);
    return status;
}
