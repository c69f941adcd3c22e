/* The fenced, arbitrated commit (docs/FORMAT.md "Commit").
 *
 * A commit PUT is conditional (the key must not exist), so that the server arbitrates between
 * writers of one token and between the tries of one writer; and it expires, so that the server
 * refuses it once stream readers may have passed the ref. What an answer does not tell, one HEAD
 * decides: the marker names the attempt that made it.
 */
#include <stdio.h>
#include <string.h>

#include "write/write_private.h"

#define RESEND_PAUSE_US 100000
#define VERDICT_BUDGET_US (30 * INT64_C(1000000))
#define UNFENCED_BUDGET_US (30 * INT64_C(1000000))

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static s3s_marker marker_of(const s3s_publication *p, const s3s_try *t)
{
    s3s_marker m = {.ref_micros = t->ref_micros,
                    .inserted_at_us = p->inserted_at_us,
                    .row_count = p->row_count,
                    .has_content_hash = p->has_content_hash,
                    .content_hash = p->content_hash,
                    .chunk_rows = p->chunk_rows,
                    .chunk_bytes = p->chunk_bytes};
    memcpy(m.attempt, t->attempt, sizeof m.attempt);
    return m;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* What a failed commit PUT leaves open. */
typedef enum refusal {
    REFUSED_EXISTS,    /* 412: somebody's marker is there */
    REFUSED_BUSY,      /* it did not happen; the next one may */
    REFUSED_UNKNOWN,   /* no answer, or one after which it may have happened, or may still happen */
    REFUSED_FORBIDDEN, /* 403: expired, a clock, or no permission */
    REFUSED_FINAL,     /* it did not happen, and would not the next time */
} refusal;

static refusal classify(s3store_status status)
{
    switch (status) {
    case S3STORE_ALREADY_EXISTS:
        return REFUSED_EXISTS;
    case S3STORE_PERMISSION_DENIED:
        return REFUSED_FORBIDDEN;
    case S3STORE_UNAVAILABLE:
    case S3STORE_CONFLICT:
        return REFUSED_BUSY;
    case S3STORE_UNCERTAIN:
    case S3STORE_TIMEOUT:
    case S3STORE_CANCELLED:
    case S3STORE_IO:
    case S3STORE_OUT_OF_MEMORY:
    case S3STORE_CORRUPT:
        return REFUSED_UNKNOWN;
    default:
        return REFUSED_FINAL;
    }
}

/* How the sending of a commit ended. */
typedef struct sending {
    s3store_status status;
    s3store_error error;
    int64_t expires_us;  /* of the fence */
    int64_t date_us;     /* the server's clock in the last answer; NONE = it did not say */
    int64_t sent_us, answered_us; /* this machine's, before and after it */
} sending;

/* A commit of try t is out and may appear until its time is over. */
static void doubt(s3s_publication *p, const s3s_try *t)
{
    p->in_doubt = true;
    p->doubt_ends_us =
        p->fenced ? t->stamp_mono_us + s3s_settled_after_us(p->target) : INT64_MAX;
}

/* A marker that is there may be that of an answer which the retries lost. */
static bool is_doubtful(s3store_status status)
{
    refusal why = classify(status);
    return why == REFUSED_UNKNOWN || why == REFUSED_EXISTS;
}

static bool send_again(s3store_status status)
{
    refusal why = classify(status);
    return why == REFUSED_UNKNOWN || why == REFUSED_BUSY;
}

/* Sends the commit PUT until it is answered or its time is over. */
static void send_commit(s3s_publication *p, const s3s_try *t, const char *key, sending *s)
{
    s3store_target *target = p->target;
    s3s_env *env = target->env;
    s3store_metadata metadata;
    s3store_metadata_entry entries[S3STORE_METADATA_MAX_ENTRIES];
    s3s_marker marker = marker_of(p, t);
    s3s_marker_metadata(&marker, &metadata);
    for (size_t i = 0; i < metadata.count; i++)
        entries[i] = (s3store_metadata_entry){metadata.text + metadata.entries[i].name,
                                              metadata.text + metadata.entries[i].value};
    s3store_put_request put = {.size = sizeof put,
                               .key = key,
                               .metadata = entries,
                               .metadata_count = metadata.count,
                               .if_none_match = true,
                               .fenced = p->fenced};
    int64_t budget_us = max64(target->commit_timeout_us, UNFENCED_BUDGET_US);
    if (p->fenced) {
        s3s_fence_window(target, t->ref_micros, &put.valid_from_us, &put.expires_at_us);
        budget_us = put.expires_at_us - t->ref_micros;
    }
    s3store_call call = {.deadline_us = t->stamp_mono_us + budget_us};
    s->expires_us = put.expires_at_us;
    s->date_us = S3STORE_TIME_NONE;
    s->sent_us = s->answered_us = s3s_wall_us(env);
    if (s3s_mono_us(env) >= call.deadline_us) {
        s->status = s3s_fail_key(&s->error, S3STORE_TIMEOUT, key,
                                 "the commit timeout passed before the commit could be sent");
        return;
    }
    do {
        s3store_put_reply reply = {.date_us = S3STORE_TIME_NONE};
        s->sent_us = s3s_wall_us(env);
        s->status = s3s_put(target->store, &call, &put, &reply, &s->error);
        s->date_us = reply.date_us;
        s->answered_us = s3s_wall_us(env);
        if (s->status == S3STORE_OK)
            return;
        if (is_doubtful(s->status))
            doubt(p, t);
        if (!send_again(s->status) || s3s_mono_us(env) + RESEND_PAUSE_US >= call.deadline_us)
            return;
        (void)s3s_sleep_us(env, RESEND_PAUSE_US, NULL, NULL);
    } while (s3s_mono_us(env) < call.deadline_us);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Not before this moment (monotonic). */
static void wait_until(s3s_env *env, int64_t time_us)
{
    int64_t rest_us = time_us - s3s_mono_us(env);
    if (rest_us > 0)
        (void)s3s_sleep_us(env, rest_us, NULL, NULL);
}

/* Whose marker is it? NOT_FOUND: nobody's. */
static s3store_status ask_marker(const s3s_publication *p, s3s_verdict *verdict,
                                 s3store_error *err)
{
    s3s_env *env = p->target->env;
    s3store_call call = {.deadline_us = s3s_mono_us(env) + VERDICT_BUDGET_US};
    s3store_status status = s3s_commit_confirm(p->target, &call, p->partition, p->token,
                                               &verdict->marker, err);
    verdict->seen_boot_us = s3s_boot_us(env);
    verdict->ours = false;
    for (size_t i = 0; status == S3STORE_OK && i < p->try_count; i++)
        if (strcmp(p->tries[i].attempt, verdict->marker.attempt) == 0)
            verdict->ours = true;
    return status;
}

/* A 403 without a marker: too late, clocks that disagree, or truly no permission. *again: too
 * late. */
static s3store_status explain_forbidden(s3s_publication *p, const sending *s, bool *again,
                                        s3store_error *err)
{
    const s3store_target *target = p->target;
    if (p->fenced && s->date_us != S3STORE_TIME_NONE) {
        int64_t granularity_us = s3s_fence_granularity_us(target); /* of the Date header too */
        if (s->date_us >= s->expires_us - granularity_us) {
            *again = true;
            return s3s_fail_key(err, S3STORE_TIMEOUT, s->error.key,
                                "the commit timeout passed before the commit was stored");
        }
        /* The server said it between the two: what the network took is no difference of clocks. */
        int64_t apart_us = max64(s->date_us - s->answered_us, s->sent_us - s->date_us);
        if (apart_us > target->max_clock_skew_us + granularity_us) {
            p->doubt_ends_us = INT64_MAX; /* no time of ours says when the fence closes there */
            char theirs[S3STORE_TIME_TEXT_SIZE], ours[S3STORE_TIME_TEXT_SIZE];
            s3store_time_format(s->date_us, theirs, sizeof theirs);
            s3store_time_format(s->answered_us, ours, sizeof ours);
            return s3s_fail_key(err, S3STORE_CLOCK_SKEW, s->error.key,
                                "the server's clock says %s, this machine's %s: that is more than "
                                "the dataset's max-clock-skew of %.3f s; correct the clock",
                                theirs, ours, (double)target->max_clock_skew_us / 1e6);
        }
    }
    *err = s->error;
    return s->status;
}

s3store_status s3s_commit_try(s3s_publication *p, s3s_verdict *verdict, bool *again,
                              s3store_error *err)
{
    s3s_env *env = p->target->env;
    const s3s_try *t = &p->tries[p->try_count - 1];
    char key[S3S_KEY_SIZE];
    sending s = {0};
    s3store_error head_error = {0};
    *again = false;
    s3store_status status = s3s_commit_key(&p->target->layout, p->partition, p->token, key, err);
    if (status != S3STORE_OK)
        return status;
    send_commit(p, t, key, &s);
    if (s.status == S3STORE_OK) {
        *verdict = (s3s_verdict){
            .ours = true, .marker = marker_of(p, t), .seen_boot_us = s3s_boot_us(env)};
        return S3STORE_OK;
    }
    refusal why = classify(s.status);
    /* A server that ignores the condition gives no order between a delayed commit and a HEAD: wait
     * until nothing can arrive any more. */
    if (!p->conditional)
        wait_until(env, t->stamp_mono_us + s3s_settled_after_us(p->target) + 1);
    s3store_status head = ask_marker(p, verdict, &head_error);
    if (head == S3STORE_OK)
        return S3STORE_OK;
    if (head == S3STORE_NOT_FOUND && why == REFUSED_FORBIDDEN)
        return explain_forbidden(p, &s, again, err);
    /* A damaged marker takes the key; whoever made it, it was not this call. */
    *err = head == S3STORE_DAMAGED_MARKER ? head_error : s.error;
    *again = why != REFUSED_FINAL && head != S3STORE_DAMAGED_MARKER;
    /* Where nothing arbitrates, a new try would replace a commit that could not be asked for. */
    if (!p->conditional && head != S3STORE_NOT_FOUND)
        *again = false;
    return err->status;
}

/* "a, b and c" of the attempt ids that were used. */
static void list_attempts(const s3s_publication *p, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < p->try_count; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "",
                                 p->tries[i].attempt);
}

/* It is certain now that nothing is committed: the failure says no less. */
static s3store_status without_doubt(s3s_publication *p, s3store_status failure, s3store_error *err)
{
    p->in_doubt = false;
    if (failure == S3STORE_UNCERTAIN || failure == S3STORE_ALREADY_EXISTS)
        failure = s3s_restate(err, S3STORE_UNAVAILABLE);
    s3s_context(err, "nothing is committed");
    return failure;
}

s3store_status s3s_commit_conclude(s3s_publication *p, s3store_status failure,
                                   s3s_verdict *verdict, s3store_error *err)
{
    char key[S3S_KEY_SIZE] = "", attempts[S3S_TRIES_MAX * (S3S_ATTEMPT_ID_SIZE + 2) + 1] = "";
    s3store_error head_error = {0};
    if (!p->in_doubt)
        return failure;
    bool ends = p->doubt_ends_us != INT64_MAX;
    if (ends)
        wait_until(p->target->env, p->doubt_ends_us + 1);
    s3store_status head = ask_marker(p, verdict, &head_error);
    if (head == S3STORE_OK)
        return S3STORE_OK;
    bool taken = head == S3STORE_DAMAGED_MARKER && p->conditional;
    if (taken || (head == S3STORE_NOT_FOUND && ends))
        return without_doubt(p, failure, err);
    s3store_error why = *err;
    (void)s3s_commit_key(&p->target->layout, p->partition, p->token, key, NULL);
    list_attempts(p, attempts, sizeof attempts);
    return s3s_fail_key(err, S3STORE_UNCERTAIN, key,
                        "it is not known whether the write of partition %.300s, token %s (attempt "
                        "%s) is committed: ask later, or repeat it with the same token; %.300s",
                        p->partition, p->token, attempts,
                        head == S3STORE_NOT_FOUND ? why.message : head_error.message);
}

/* ---- restamp --------------------------------------------------------------------------------- */

s3store_status s3s_restamp_ref(s3store_target *target, const char *partition, const char *token,
                               const s3s_marker *marker, bool fenced, int64_t *ref_micros,
                               s3store_error *err)
{
    s3s_env *env = target->env;
    char key[S3S_KEY_SIZE];
    int64_t mono_us = s3s_mono_us(env), boot_us = s3s_boot_us(env);
    int64_t stamp_us = max64(s3s_stamp_us(env), marker->ref_micros + 1);
    s3store_status status =
        s3s_ref_key(&target->layout, stamp_us, token, marker->attempt, partition, key, err);
    if (status != S3STORE_OK)
        return status;
    s3store_put_request put = {.size = sizeof put, .key = key, .fenced = fenced};
    if (fenced)
        s3s_fence_window(target, stamp_us, &put.valid_from_us, &put.expires_at_us);
    s3store_call call = {.deadline_us = mono_us + target->commit_timeout_us};
    s3store_put_reply reply = {0};
    status = s3s_put(target->store, &call, &put, &reply, err);
    *ref_micros = stamp_us;
    if (status == S3STORE_OK && s3s_boot_us(env) - boot_us > target->commit_timeout_us)
        return s3s_fail_key(err, S3STORE_COMMIT_AFTER_TIMEOUT, key,
                            "the fresh ref of partition %.300s, token %s was stored only after the "
                            "commit timeout: stream readers may have passed it",
                            partition, token);
    return status;
}
