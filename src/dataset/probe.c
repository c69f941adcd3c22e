/* dataset/probe.c: what the server honours, found out once per target by putting an object that
 * exists once more with the same bytes (docs/FORMAT.md "Arbitrated commit", "Fenced commit").
 * Whatever the answer is, the dataset is unchanged.
 */
#include "dataset/target_private.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define SECOND_US 1000000
#define PROBE_WINDOW_US (60 * SECOND_US)
#define READING_US 10000 /* clocks that are disciplined do not run at exactly the same rate */

typedef struct findings {
    bool conditional;
    bool fenced;
} findings;

/* How far this machine's clock lies outside of what one answer of the server allows (its date has
 * whole seconds); 0 = inside, or the server did not say. */
static int64_t clock_error_us(const s3store_target *t, int64_t date_us, int64_t before_us,
                              int64_t after_us)
{
    int64_t slack = t->max_clock_skew_us + s3s_fence_granularity_us(t) + READING_US;

    if (date_us <= 0)
        return 0;
    if (date_us < before_us - slack)
        return date_us - before_us;
    if (date_us > after_us + slack)
        return date_us - after_us;
    return 0;
}

/* One PUT. skew: the clock error found with it. */
static s3store_status put_again(s3store_target *t, const s3store_call *call, const char *key,
                                bool fenced, int64_t *skew_us, s3store_error *err)
{
    s3store_put_request request = {
        .size = sizeof request,
        .key = key,
        .body = t->probe_body.data,
        .body_size = t->probe_body.size,
        .if_none_match = true,
        .fenced = fenced,
    };
    s3store_put_reply reply = {.date_us = S3STORE_TIME_NONE};
    int64_t before_us = s3s_wall_us(t->env), after_us, unused;
    int64_t begun_us = s3s_mono_us(t->env);
    s3store_status status;

    if (fenced) {
        s3s_fence_window(t, before_us, &request.valid_from_us, &unused);
        request.expires_at_us = before_us + PROBE_WINDOW_US;
        if (!t->local)
            request.expires_at_us -= request.expires_at_us % SECOND_US;
    }
    status = s3s_put(t->store, call, &request, &reply, err);
    after_us = before_us + (s3s_mono_us(t->env) - begun_us);
    *skew_us = clock_error_us(t, reply.date_us, before_us, after_us);
    return status;
}

static void warn_clock(const s3store_target *t, int64_t skew_us)
{
    char difference[32], allowed[32];

    if (skew_us == 0)
        return;
    snprintf(difference, sizeof difference, "%.3f", (double)skew_us / SECOND_US);
    snprintf(allowed, sizeof allowed, "%.3f", (double)t->max_clock_skew_us / SECOND_US);
    s3s_log(t->env, S3STORE_LOG_WARN,
            "the server's clock differs from this machine's by more than max-clock-skew", "url",
            t->url, "difference_s", difference, "max_clock_skew_s", allowed, NULL);
}

static void log_unfenced(const s3store_target *t, const char *why)
{
    if (t->fence != S3STORE_FENCE_OFF)
        s3s_log(t->env, S3STORE_LOG_INFO, "commits of this target do not expire", "url", t->url,
                "reason", why, NULL);
}

/* The answer to an unfenced probe. */
static s3store_status judge(const s3store_target *t, s3store_status status,
                            const s3store_error *answer, findings *out, s3store_error *err)
{
    bool ignored = status == S3STORE_OK;
    bool refused = status == S3STORE_UNSUPPORTED || answer->http_status == 501;

    if (status == S3STORE_ALREADY_EXISTS) {
        out->conditional = true;
        return S3STORE_OK;
    }
    if (ignored || refused) {
        s3s_log(t->env, S3STORE_LOG_WARN,
                "unconditional: the server does not honour If-None-Match, so that concurrent "
                "writers of one token are not arbitrated",
                "url", t->url, "answer", ignored ? "ignored" : "refused", NULL);
        return S3STORE_OK;
    }
    s3s_fail_as(err, status, answer);
    s3s_context(err, "probing whether the server honours conditional writes");
    return status;
}

/* The answer to a fenced probe that speaks against the fence, or against both: asked without it. */
static bool is_refusal(s3store_status status)
{
    return status != S3STORE_OK && status != S3STORE_ALREADY_EXISTS &&
           status != S3STORE_CANCELLED && status != S3STORE_CLOCK_SKEW &&
           !s3store_status_can_retry(status);
}

static s3store_status find_out(s3store_target *t, const s3store_call *call, findings *out,
                               s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_error answer = {0};
    bool try_fence = s3s_fence_possible(t);
    int64_t skew = 0;
    s3store_status status = s3s_config_key(&t->layout, t->probe_name, key, err);

    if (status != S3STORE_OK)
        return status;
    if (!try_fence)
        log_unfenced(t, "commit-timeout is too short for it");
    status = put_again(t, call, key, try_fence, &skew, &answer);
    if (try_fence && is_refusal(status)) {
        s3store_error plain = {0};
        int64_t fence_skew = skew;
        s3store_status plain_status = put_again(t, call, key, false, &skew, &plain);

        if (fence_skew == 0)
            fence_skew = skew;
        bool accepted = plain_status == S3STORE_ALREADY_EXISTS || plain_status == S3STORE_OK;
        if (accepted && fence_skew != 0) {
            warn_clock(t, fence_skew);
            return s3s_fail_key(err, S3STORE_CLOCK_SKEW, t->url,
                                "the server's clock differs by %.3f s from this machine's, "
                                "max-clock-skew of the dataset is %.3f s: correct the clocks",
                                (double)fence_skew / SECOND_US,
                                (double)t->max_clock_skew_us / SECOND_US);
        }
        if (accepted)
            log_unfenced(t, "the server refuses requests that expire");
        try_fence = false;
        status = plain_status;
        answer = plain;
    }
    warn_clock(t, skew);
    status = judge(t, status, &answer, out, err);
    /* An answer to the fenced request, whatever it says of the condition, accepted its
     * signature. */
    out->fenced = status == S3STORE_OK && try_fence;
    return status;
}

s3store_status s3s_target_probe(s3store_target *target, const s3store_call *call,
                                bool *conditional, bool *fenced, s3store_error *err)
{
    findings found = {0};
    s3store_status status = S3STORE_OK;

    *conditional = *fenced = false;
    s3s_mutex_lock(&target->locked.mutex);
    while (target->locked.probe_state == 1 && status == S3STORE_OK)
        status = s3s_cond_wait(&target->locked.changed, &target->locked.mutex,
                               call != NULL ? call->deadline_us : S3STORE_TIME_NONE,
                               call != NULL ? call->cancel : NULL);
    if (status == S3STORE_OK && target->locked.probe_state == 2) {
        *conditional = target->locked.conditional;
        *fenced = target->locked.fenced;
        s3s_mutex_unlock(&target->locked.mutex);
        return S3STORE_OK;
    }
    if (status == S3STORE_OK)
        target->locked.probe_state = 1;
    s3s_mutex_unlock(&target->locked.mutex);
    if (status != S3STORE_OK)
        return s3s_fail_key(err, status, target->url,
                            "%s while another call probed what the server of %.300s honours",
                            status == S3STORE_CANCELLED ? "cancelled" : "out of time",
                            target->url);

    status = find_out(target, call, &found, err);
    s3s_mutex_lock(&target->locked.mutex);
    /* After a failure the next caller tries again. */
    target->locked.probe_state = status == S3STORE_OK ? 2 : 0;
    target->locked.conditional = found.conditional;
    target->locked.fenced = found.fenced;
    s3s_cond_broadcast(&target->locked.changed);
    s3s_mutex_unlock(&target->locked.mutex);
    *conditional = found.conditional;
    *fenced = found.fenced;
    return status;
}
