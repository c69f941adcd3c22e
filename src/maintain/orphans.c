/* What no commit names. The data tree first: a token without a marker, and the attempts beside the
 * one that a marker names; the attempts that are named are kept as digests (attempt_set). Then the
 * refs: one whose attempt is not among them is asked about. Then uploads that never ended.
 * Suspects wait in a window and are judged side by side, so memory does not grow with the dataset.
 *
 * Ages are the server's: from the Date of its answers and Last-Modified of the object, so that
 * this machine's clock cannot make anything older than it is.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "maintain/orphans_private.h"
#include "maintain/refs.h"

const char *s3store_orphan_kind_name(s3store_orphan_kind kind)
{
    static const char *const names[] = {"unknown", "data", "ref", "upload"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : names[0];
}

/* ---- the window ------------------------------------------------------------------------------ */

static void count_orphan(s3store_orphans_report *r, const s3s_suspect *x)
{
    r->data += x->kind == S3STORE_ORPHAN_DATA;
    r->refs += x->kind == S3STORE_ORPHAN_REF;
    r->uploads += x->kind == S3STORE_ORPHAN_UPLOAD;
    r->bytes += x->size;
    if (x->removable) {
        r->removable++;
        r->removable_bytes += x->size;
    }
    if (x->removed) {
        r->removed++;
        r->removed_bytes += x->size;
    }
    r->failed += x->failed;
}

static void tell(s3s_orphan_search *s, const s3s_suspect *x)
{
    s3store_orphan orphan = {.kind = x->kind,
                             .key = x->key,
                             .upload_id = x->upload_id,
                             .size_bytes = x->size,
                             .last_modified_us = x->last_modified_us,
                             .age_us = s3s_orphan_age_us(s, x->last_modified_us),
                             .removable = x->removable,
                             .removed = x->removed,
                             .reason = x->reason};
    if (s->options->orphan != NULL)
        s->options->orphan(s->options->orphan_ctx, &orphan);
}

static s3store_status judge_item(void *ctx, size_t i, s3store_error *err)
{
    s3s_orphan_search *s = ctx;
    return s3s_orphan_judge(s, &s->suspects[i], err);
}

static s3store_status flush(s3s_orphan_search *s, s3store_error *err)
{
    s3s_fan_options options = {.call = s->call};
    s3store_status status =
        s3s_fan_out(s->target->pool, s->count, judge_item, s, &options, err);
    for (size_t i = 0; i < s->count; i++) {
        const s3s_suspect *x = &s->suspects[i];
        /* After a failure: what was not judged has no reason. What was removed is always told. */
        if (x->named || x->reason[0] == '\0')
            continue;
        count_orphan(s->report, x);
        tell(s, x);
    }
    s->count = 0;
    s3s_arena_reset(&s->arena);
    return status;
}

/* Adds a suspect that is old enough to be told of. Texts are copied. */
static s3store_status suspect(s3s_orphan_search *s, const s3s_suspect *from, s3store_error *err)
{
    s3s_suspect *x = &s->suspects[s->count];
    if (s3s_orphan_age_us(s, from->last_modified_us) < s->older_than_us) {
        s->report->younger++;
        return S3STORE_OK;
    }
    *x = *from;
    x->key = s3s_arena_strdup(&s->arena, from->key);
    x->partition = s3s_arena_strdup(&s->arena, from->partition != NULL ? from->partition : "");
    x->token = s3s_arena_strdup(&s->arena, from->token != NULL ? from->token : "");
    if (from->upload_id != NULL)
        x->upload_id = s3s_arena_strdup(&s->arena, from->upload_id);
    if (x->key == NULL || x->partition == NULL || x->token == NULL ||
        (from->upload_id != NULL && x->upload_id == NULL))
        return s3s_fail_memory(err, S3S_KEY_SIZE);
    s->count++;
    return s->count == S3S_ORPHANS_WINDOW ? flush(s, err) : S3STORE_OK;
}

/* ---- data objects ---------------------------------------------------------------------------- */

static s3s_slice slice_of(const char *text)
{
    return (s3s_slice){.data = text, .size = strlen(text)};
}

static s3store_status suspect_attempt(s3s_orphan_search *s, const s3s_token *t,
                                      const s3s_attempt *a, bool ask, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_suspect x = {.kind = S3STORE_ORPHAN_DATA,
                     .key = key,
                     .partition = t->partition,
                     .token = t->token,
                     .size = a->size,
                     .last_modified_us = a->last_modified_us,
                     .ask = ask};
    memcpy(x.attempt, a->id, sizeof x.attempt);
    s3store_status status =
        s3s_data_key(&s->target->layout, t->partition, t->token, a->id, key, err);
    return status == S3STORE_OK ? suspect(s, &x, err) : status;
}

/* The attempt that the marker of a token with several names; "" = none that is known. */
static s3store_status find_canonical(s3s_orphan_search *s, const s3s_token *t,
                                     char attempt[S3S_ATTEMPT_ID_SIZE + 1], s3store_error *err)
{
    s3s_marker marker;
    s3store_error why = {0};
    attempt[0] = '\0';
    s3store_status status =
        s3s_commit_head(s->target, s->call, t->partition, t->token, &marker, NULL, &why);
    if (status == S3STORE_OK)
        memcpy(attempt, marker.attempt, S3S_ATTEMPT_ID_SIZE + 1);
    else if (status != S3STORE_NOT_FOUND && status != S3STORE_DAMAGED_MARKER)
        return s3s_fail_as(err, status, &why);
    return S3STORE_OK;
}

static s3store_status take_token(void *ctx, const s3s_token *t, s3store_error *err)
{
    s3s_orphan_search *s = ctx;
    char attempt[S3S_ATTEMPT_ID_SIZE + 1] = "";
    s3store_status status = S3STORE_OK;
    if (t->attempt_count == 0)
        return S3STORE_OK; /* a marker without data: verify's matter */
    if (t->committed && t->attempt_count == 1)
        memcpy(attempt, t->attempts[0].id, sizeof attempt);
    else if (t->committed)
        status = find_canonical(s, t, attempt, err);
    if (status == S3STORE_OK && attempt[0] != '\0')
        status = s3s_attempt_set_add(s->canonical, slice_of(t->partition), slice_of(t->token),
                                     attempt, 0, err);
    for (size_t i = 0; i < t->attempt_count && status == S3STORE_OK; i++)
        if (strcmp(t->attempts[i].id, attempt) != 0)
            status = suspect_attempt(s, t, &t->attempts[i], t->committed, err);
    return status;
}

/* ---- refs ------------------------------------------------------------------------------------ */

static s3store_status take_ref(void *ctx, const s3s_ref *ref, const char *why,
                               const s3store_list_entry *entry, s3store_error *err)
{
    s3s_orphan_search *s = ctx;
    (void)why;
    /* What is no ref belongs to nobody that we know. */
    if (ref == NULL || s3s_attempt_set_has(s->canonical, slice_of(ref->partition),
                                           slice_of(ref->token), ref->attempt, NULL))
        return S3STORE_OK;
    s3s_suspect x = {.kind = S3STORE_ORPHAN_REF,
                     .key = entry->key,
                     .partition = ref->partition,
                     .token = ref->token,
                     .size = entry->object_size,
                     .last_modified_us = entry->last_modified_us,
                     .ask = true};
    memcpy(x.attempt, ref->attempt, sizeof x.attempt);
    return suspect(s, &x, err);
}

/* ---- uploads --------------------------------------------------------------------------------- */

typedef struct upload_scan {
    s3s_orphan_search *search;
    s3store_status status;
    s3store_error error;
} upload_scan;

static bool take_upload(void *ctx, const s3store_upload *upload)
{
    upload_scan *u = ctx;
    s3s_suspect x = {.kind = S3STORE_ORPHAN_UPLOAD,
                     .key = upload->key,
                     .upload_id = upload->upload_id,
                     .last_modified_us = upload->initiated_us};
    u->status = suspect(u->search, &x, &u->error);
    return u->status == S3STORE_OK;
}

static s3store_status search_uploads(s3s_orphan_search *s, s3store_error *err)
{
    char prefix[S3S_KEY_SIZE];
    upload_scan u = {.search = s};
    s3store_error why = {0};
    if (s->target->meter_layer.list_multipart == NULL)
        return S3STORE_OK;
    snprintf(prefix, sizeof prefix, "%.*s/", (int)(sizeof prefix - 2),
             s->target->layout.data_path);
    s3store_status status = s3s_list_uploads_all(&s->target->meter_layer, s->call, prefix,
                                                 take_upload, &u, &why);
    if (status == S3STORE_OK && u.status != S3STORE_OK)
        return s3s_fail_as(err, u.status, &u.error);
    /* It is a right of its own, which many do not have, and not every server knows the request. */
    if (status == S3STORE_PERMISSION_DENIED || status == S3STORE_UNSUPPORTED)
        return S3STORE_OK;
    if (status != S3STORE_OK)
        return s3s_fail_as(err, status, &why);
    s->report->uploads_listed = true;
    return S3STORE_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* How far the server's clock is behind ours at most: ages are measured by it. */
static s3store_status find_clock(s3s_orphan_search *s, s3store_error *err)
{
    s3store_object_info info = {.date_us = S3STORE_TIME_NONE};
    char key[S3S_KEY_SIZE];
    s3store_status status =
        s3s_config_key(&s->target->layout, S3S_CONFIG_COMMIT_TIMEOUT, key, err);
    if (status == S3STORE_OK)
        status = s3s_head(s->target->store, s->call, key, &info, err);
    if (status != S3STORE_OK)
        return status;
    if (info.date_us > 0) /* else it does not say */
        s->clock_offset_us = info.date_us - s3s_wall_us(s->target->env);
    else
        s->clock_offset_us = -s->target->max_clock_skew_us;
    return S3STORE_OK;
}

/* What may be removed below a week depends on whether commits expire here. Above it nobody needs to
 * know, and a key that may only read is enough. */
static s3store_status find_bound(s3s_orphan_search *s, s3store_error *err)
{
    bool conditional, fenced = false;
    s3store_status status = S3STORE_OK;
    if (s->older_than_us < S3STORE_DEFAULT_ORPHAN_AGE_US) {
        status = s3s_target_probe(s->target, s->call, &conditional, &fenced, err);
        if (status == S3STORE_PERMISSION_DENIED) {
            s3s_error_clear(err);
            status = S3STORE_OK;
        }
    }
    s->report->bound_proven = fenced;
    s->bound_us = s3s_orphan_bound_us(s->target, fenced);
    s->report->bound_us = s->bound_us;
    return status;
}

static s3store_status run(s3s_orphan_search *s, s3store_error *err)
{
    static const char *const everything[] = {"*"};
    s3s_patterns patterns = {0};
    s3s_inventory_counts counts;
    uint64_t lists;
    s3store_status status = find_clock(s, err);
    if (status == S3STORE_OK)
        status = find_bound(s, err);
    if (status == S3STORE_OK)
        status = s3s_attempt_set_new(s->target->env, s->target->spill_dir, 0, &s->canonical, err);
    if (status == S3STORE_OK)
        status = s3s_target_patterns(s->target, everything, 1, &patterns, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_inventory(s->target, s->call, &patterns, take_token, s, &counts, err);
    if (status == S3STORE_OK)
        status = s3s_refs_walk(s->target, s->call, 1, take_ref, s, &lists, err);
    if (status == S3STORE_OK)
        status = search_uploads(s, err);
    s3s_patterns_deinit(&patterns);
    return status == S3STORE_OK ? flush(s, err) : status;
}

s3store_status s3s_orphans(s3store_target *target, const s3store_orphans_options *options,
                           s3store_orphans_report *report, s3store_error *err)
{
    s3store_call call = s3s_call_make(target->env, options->cancel, options->timeout_ms);
    if (options->older_than_us < 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "an age is not negative");
    s3s_orphan_search *s = s3s_calloc(target->env, 1, sizeof *s);
    if (s == NULL)
        return s3s_fail_memory(err, sizeof *s);
    s->target = target;
    s->call = &call;
    s->options = options;
    s->report = report;
    s->older_than_us =
        options->older_than_us > 0 ? options->older_than_us : S3STORE_DEFAULT_ORPHAN_AGE_US;
    s3s_arena_init(&s->arena, target->env);
    s3store_status status = run(s, err);
    s3s_attempt_set_free(s->canonical);
    s3s_arena_deinit(&s->arena);
    s3s_free(target->env, s);
    return status;
}
