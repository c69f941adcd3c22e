/* One suspect: what its commit marker says of it, whether it is old enough, and its removal. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "maintain/orphans_private.h"

#define DAY_US (24 * INT64_C(3600000000))
#define HOUR_US INT64_C(3600000000)
#define WEEK_US (7 * DAY_US)

int64_t s3s_orphan_bound_us(const s3store_target *target, bool fenced)
{
    int64_t bound_us = S3S_TRY_BOUND_US + s3s_settled_after_us(target);
    int64_t least_us = fenced ? HOUR_US : WEEK_US;
    return bound_us > least_us ? bound_us : least_us;
}

int64_t s3s_orphan_age_us(const s3s_orphan_search *s, int64_t last_modified_us)
{
    int64_t age_us;
    if (last_modified_us == S3STORE_TIME_NONE)
        return INT64_MIN;
    if (__builtin_sub_overflow(s3s_wall_us(s->target->env) + s->clock_offset_us, last_modified_us,
                               &age_us))
        return INT64_MIN;
    return age_us;
}

static void because(s3s_suspect *x, bool removable, const char *reason)
{
    x->removable = removable;
    snprintf(x->reason, sizeof x->reason, "%.*s", (int)(sizeof x->reason - 1), reason);
}

/* Of a bound: an hour at least. */
static void duration_text(int64_t us, char out[32])
{
    if (us >= 2 * DAY_US)
        snprintf(out, 32, "%.1f days", (double)us / (double)DAY_US);
    else
        snprintf(out, 32, "%.1f hours", (double)us / (double)HOUR_US);
}

/* Whether its marker names it; a marker that cannot be read may. */
static s3store_status ask_marker(s3s_orphan_search *s, s3s_suspect *x, s3store_error *err)
{
    s3s_marker marker;
    s3store_error why = {0};
    if (x->kind == S3STORE_ORPHAN_UPLOAD)
        return S3STORE_OK; /* what is not there is named by nobody */
    s3store_status status =
        s3s_commit_head(s->target, s->call, x->partition, x->token, &marker, NULL, &why);
    if (status == S3STORE_OK) {
        x->named = strcmp(marker.attempt, x->attempt) == 0;
        because(x, true, "its token is committed, with another attempt");
        return S3STORE_OK;
    }
    if (status == S3STORE_NOT_FOUND) {
        because(x, true, "its token is not committed");
        return S3STORE_OK;
    }
    if (status == S3STORE_DAMAGED_MARKER) {
        because(x, false, "the commit marker of its token cannot be read, and may name it");
        return S3STORE_OK;
    }
    return s3s_fail_as(err, status, &why);
}

/* Nothing that is younger than the bound is removable, whoever asks for it. */
static void judge_age(const s3s_orphan_search *s, s3s_suspect *x)
{
    int64_t age_us = s3s_orphan_age_us(s, x->last_modified_us);
    char bound[32], reason[sizeof x->reason];
    if (age_us >= s->bound_us && age_us >= s->older_than_us)
        return;
    x->removable = false;
    if (age_us == INT64_MIN) {
        snprintf(x->reason, sizeof x->reason, "the server does not say how old it is");
        return;
    }
    if (age_us >= s->bound_us) { /* what was listed was older */
        because(x, false, "it was stored again meanwhile, and is younger than was asked for");
        return;
    }
    duration_text(s->bound_us, bound);
    snprintf(reason, sizeof reason,
             s->report->bound_proven
                 ? "younger than %s: a write that is under way may still commit it"
                 : "younger than %s: commits do not expire here, so nothing younger is surely dead",
             bound);
    because(x, false, reason);
}

/* ---- removal --------------------------------------------------------------------------------- */

/* Right before: is it still the same object, as old, and is it still named by nobody? *go: yes. */
static s3store_status look_again(s3s_orphan_search *s, s3s_suspect *x, bool *go,
                                 s3store_error *err)
{
    s3store_object_info info;
    *go = false;
    if (x->kind != S3STORE_ORPHAN_UPLOAD) {
        s3store_status status = s3s_head(s->target->store, s->call, x->key, &info, err);
        if (status == S3STORE_NOT_FOUND) {
            because(x, false, "it is gone meanwhile");
            return S3STORE_OK;
        }
        if (status != S3STORE_OK)
            return status;
        x->last_modified_us = info.last_modified_us;
        judge_age(s, x);
        if (!x->removable)
            return S3STORE_OK;
    }
    s3store_status status = ask_marker(s, x, err);
    if (x->named)
        because(x, false, "its marker names it now");
    *go = status == S3STORE_OK && x->removable;
    return status;
}

static s3store_status remove_it(const s3s_orphan_search *s, const s3s_suspect *x,
                                s3store_error *err)
{
    if (x->kind == S3STORE_ORPHAN_UPLOAD)
        return s3s_abort_multipart(&s->target->meter_layer, s->call, x->key, x->upload_id, err);
    return s3s_remove(s->target->store, s->call, x->key, err);
}

/* What cannot be removed is told of, and does not keep the others. */
static s3store_status try_remove(s3s_orphan_search *s, s3s_suspect *x, s3store_error *err)
{
    s3store_error why = {0};
    bool go;
    s3store_status status = look_again(s, x, &go, &why);
    if (status == S3STORE_OK && !go)
        return S3STORE_OK;
    if (status == S3STORE_OK)
        status = remove_it(s, x, &why);
    if (status == S3STORE_OK) {
        x->removed = true;
    } else if (status == S3STORE_CANCELLED || status == S3STORE_OUT_OF_MEMORY ||
               (status == S3STORE_TIMEOUT && s3s_call_check(s->target->env, s->call, NULL) !=
                                                 S3STORE_OK)) {
        return s3s_fail_as(err, status, &why);
    } else {
        x->failed = true;
        because(x, true, why.message);
    }
    return S3STORE_OK;
}

s3store_status s3s_orphan_judge(s3s_orphan_search *s, s3s_suspect *x, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    because(x, true,
            x->kind == S3STORE_ORPHAN_UPLOAD ? "its upload was begun and never ended"
                                             : "its token is not committed");
    if (x->ask)
        status = ask_marker(s, x, err);
    if (status != S3STORE_OK || x->named)
        return status;
    if (x->removable)
        judge_age(s, x);
    return x->removable && s->options->remove ? try_remove(s, x, err) : S3STORE_OK;
}
