/* The retry layer: repeats what can be repeated (docs/FORMAT.md "Retry policy").
 *
 * An attempt that failed leaves nothing in the next one: replies are reset by the store at the
 * start of each call, sinks by their begin. A PUT is UNCERTAIN as soon as one of its attempts was,
 * unless a later one was answered. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "objstore/layer/record.h"
#include "objstore/layer/resume.h"
#include "objstore/port.h"

#define DEFAULT_ATTEMPTS 5
#define DEFAULT_BUDGET_US 60000000

typedef struct retry {
    s3s_env *env;
    const s3store_object_store *inner;
    int attempts;
    int64_t budget_us; /* no attempt begins after it */
    atomic_uint_fast64_t repeated;
} retry;

/* One call of the port, to be run several times. */
typedef struct op {
    s3s_fault_verb verb;
    const s3store_call *call;
    const char *key; /* for LIST the prefix */
    const s3store_put_request *put;
    s3store_put_reply *put_reply;
    s3s_resume *get; /* NULL for other verbs */
    s3store_object_info *info;
    const s3store_list_request *list;
    s3store_list_fn fn;
    void *fn_ctx;
    s3store_list_reply *list_reply;
    const s3store_part_request *part;
    const s3store_complete_request *complete;
    char *upload_id_out;
    const char *upload_id;
    const s3store_list_uploads_request *uploads;
    s3store_upload_fn upload_fn;
    s3store_list_uploads_reply *uploads_reply;
} op;

static s3store_status run_once(const retry *r, const op *o, s3store_error *err)
{
    const s3store_object_store *s = r->inner;
    switch (o->verb) {
    case S3S_VERB_PUT:
        s3s_put_reply_reset(o->put_reply);
        return s3s_put(s, o->call, o->put, o->put_reply, err);
    case S3S_VERB_GET:
        s3s_object_info_reset(o->info);
        return s3s_get(s, o->call, &o->get->request, /* NOLINTNEXTLINE: a GET has it */
                       o->get->inner != NULL ? &o->get->sink : NULL, o->info, err);
    case S3S_VERB_HEAD:
        s3s_object_info_reset(o->info);
        return s3s_head(s, o->call, o->key, o->info, err);
    case S3S_VERB_LIST:
        s3s_list_reply_reset(o->list_reply);
        return s3s_list(s, o->call, o->list, o->fn, o->fn_ctx, o->list_reply, err);
    case S3S_VERB_CREATE:
        return s3s_create_multipart(s, o->call, o->put, o->upload_id_out, err);
    case S3S_VERB_PART:
        s3s_put_reply_reset(o->put_reply);
        return s3s_put_part(s, o->call, o->part, o->put_reply, err);
    case S3S_VERB_COMPLETE:
        s3s_put_reply_reset(o->put_reply);
        return s3s_complete_multipart(s, o->call, o->complete, o->put_reply, err);
    case S3S_VERB_ABORT:
        return s3s_abort_multipart(s, o->call, o->key, o->upload_id, err);
    case S3S_VERB_UPLOADS:
        return s3s_list_multipart(s, o->call, o->uploads, o->upload_fn, o->fn_ctx,
                                  o->uploads_reply, err);
    case S3S_VERB_REMOVE:
        break;
    }
    return s3s_remove(s, o->call, o->key, err);
}

static int64_t time_left_us(s3s_env *env, const s3store_call *call)
{
    if (call == NULL || call->deadline_us == S3STORE_TIME_NONE)
        return INT64_MAX;
    return call->deadline_us - s3s_mono_us(env);
}

static bool makes_object(s3s_fault_verb verb)
{
    return verb == S3S_VERB_PUT || verb == S3S_VERB_COMPLETE;
}

static bool can_repeat(const retry *r, const op *o, s3store_status status)
{
    if (o->get != NULL && o->get->sink_failed)
        return false;
    if (o->get != NULL && s3s_resume_can_restart(o->get, status))
        return true;
    switch (status) {
    case S3STORE_UNAVAILABLE:
        return true;
    case S3STORE_CONFLICT:
    case S3STORE_UNCERTAIN:
        return makes_object(o->verb);
    case S3STORE_TIMEOUT: /* of the attempt, or of the caller? */
        return time_left_us(r->env, o->call) > 0;
    default:
        return false;
    }
}

/* Uniform in [100,300), [300,500), [500,800), [500,800) ... milliseconds; more where the server
 * asks for more. */
static s3store_status pause_us(const retry *r, int attempt, int32_t asked_ms, int64_t *out,
                               s3store_error *err)
{
    static const int64_t bounds_ms[][2] = {{100, 300}, {300, 500}, {500, 800}};
    const int last = (int)(sizeof bounds_ms / sizeof bounds_ms[0]) - 1;
    const int64_t *b = bounds_ms[attempt - 1 < last ? attempt - 1 : last];
    uint64_t random = 0;
    s3store_status status = s3s_random(r->env, &random, sizeof random, err);
    if (status == S3STORE_OK)
        *out = b[0] * 1000 + (int64_t)(random % (uint64_t)((b[1] - b[0]) * 1000));
    if (*out < (int64_t)asked_ms * 1000)
        *out = (int64_t)asked_ms * 1000;
    return status;
}

/* Whether a repeat that begins after the pause still makes sense. */
static bool worth_waiting(const retry *r, const op *o, int64_t begin_us, int64_t pause)
{
    if (s3s_mono_us(r->env) - begin_us + pause >= r->budget_us)
        return false;
    if (time_left_us(r->env, o->call) <= pause)
        return false;
    /* A fenced put is sent again while it is valid only: beyond, the server would refuse it. */
    if (o->verb == S3S_VERB_PUT && o->put->fenced &&
        s3s_wall_us(r->env) + pause > o->put->expires_at_us)
        return false;
    return true;
}

static void log_failure(const retry *r, const op *o, int attempt, const s3store_error *err)
{
    char number[16], most[16];
    snprintf(number, sizeof number, "%d", attempt);
    snprintf(most, sizeof most, "%d", r->attempts);
    s3s_log(r->env, S3STORE_LOG_WARN, "transient error, will retry", "op",
            s3s_port_verb_name(o->verb), "key", o->key != NULL ? o->key : "", "attempt", number,
            "max_attempts", most, "err", err->message, NULL);
}

/* The error of the last attempt, with what the attempts before it mean. */
static s3store_status give_up(const op *o, s3store_status status, int attempt, bool uncertain,
                              s3store_error *last, s3store_error *err)
{
    /* Whatever the last attempt of a PUT was told, an earlier one may still have been applied, or be on
     * its way; only "it exists already" is an answer for all of them. An upload that is gone may be gone
     * because an attempt completed it. */
    bool unknown = s3store_status_can_retry(status) ||
                   (o->verb == S3S_VERB_PUT && status != S3STORE_ALREADY_EXISTS) ||
                   (o->verb == S3S_VERB_COMPLETE && status == S3STORE_NOT_FOUND);
    if (uncertain && status != S3STORE_UNCERTAIN && unknown) {
        status = S3STORE_UNCERTAIN;
        last->status = status;
        s3s_context(last, "an earlier attempt may have been applied");
    }
    if (attempt > 1)
        s3s_context(last, "after %d attempts", attempt);
    if (err != NULL)
        *err = *last;
    return status;
}

/* *attempts: how many were begun. */
static s3store_status run_attempts(retry *r, const op *o, int64_t begin_us, int *attempts,
                                   s3store_error *err)
{
    s3store_error last;
    bool uncertain = false;
    for (int attempt = 1;; attempt++) {
        s3s_error_clear(&last);
        *attempts = attempt;
        s3store_status status = run_once(r, o, &last);
        if (status == S3STORE_OK)
            return status;
        if (status == S3STORE_UNCERTAIN)
            uncertain = true;
        if (can_repeat(r, o, status))
            s3s_record_transient(r->env, o->verb, attempt, status, &last);
        if (attempt >= r->attempts || !can_repeat(r, o, status))
            return give_up(o, status, attempt, uncertain, &last, err);
        int64_t pause = 0;
        s3store_status failed = pause_us(r, attempt, last.retry_after_ms, &pause, err);
        if (failed != S3STORE_OK)
            return failed;
        if (!worth_waiting(r, o, begin_us, pause)) {
            if (last.retry_after_ms > 0)
                s3s_context(&last, "the server asks to wait for %.1f s, which is too long here",
                            last.retry_after_ms / 1e3);
            return give_up(o, status, attempt, uncertain, &last, err);
        }
        log_failure(r, o, attempt, &last);
        failed = s3s_sleep_us(r->env, pause, o->call != NULL ? o->call->cancel : NULL, err);
        if (failed != S3STORE_OK) {
            s3s_context(err, "while waiting to repeat \"%s\" (%.300s)",
                        s3s_port_verb_name(o->verb), last.message);
            return failed;
        }
        if (o->get != NULL)
            s3s_resume_prepare(o->get, status, o->info);
        atomic_fetch_add_explicit(&r->repeated, 1, memory_order_relaxed);
    }
}

static s3store_status run(retry *r, const op *o, s3store_error *err)
{
    int attempts = 0;
    s3store_error own;
    s3store_error *e = err != NULL ? err : &own;
    int64_t begin_us = s3s_mono_us(r->env);
    if (err == NULL)
        s3s_error_clear(&own); /* what an error may say is too much to be zeroed each time */
    s3store_status status = run_attempts(r, o, begin_us, &attempts, e);
    uint64_t sent = o->verb == S3S_VERB_PUT    ? o->put->body_size
                    : o->verb == S3S_VERB_PART ? o->part->body_size
                                               : 0;
    uint64_t received = o->get != NULL && status == S3STORE_OK ? o->get->delivered : 0;
    s3s_record_request(r->env, o->verb, attempts, s3s_mono_us(r->env) - begin_us, sent, received,
                       status, e);
    return status;
}

static s3store_status retry_put(void *impl, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err)
{
    op o = {.verb = S3S_VERB_PUT,
            .call = call,
            .key = request->key,
            .put = request,
            .put_reply = reply};
    return run(impl, &o, err);
}

static s3store_status retry_get(void *impl, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    s3store_object_info own;
    s3s_resume resume;
    s3s_resume_init(&resume, request, sink);
    op o = {.verb = S3S_VERB_GET,
            .call = call,
            .key = request->key,
            .get = &resume,
            .info = info != NULL ? info : &own};
    return run(impl, &o, err);
}

static s3store_status retry_head(void *impl, const s3store_call *call, const char *key,
                                 s3store_object_info *info, s3store_error *err)
{
    op o = {.verb = S3S_VERB_HEAD, .call = call, .key = key, .info = info};
    return run(impl, &o, err);
}

static s3store_status retry_list(void *impl, const s3store_call *call,
                                 const s3store_list_request *request, s3store_list_fn fn,
                                 void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    /* The continuation may point into the reply, which every attempt resets. */
    char continuation[S3STORE_CONTINUATION_MAX];
    s3store_list_request own = *request;
    if (own.continuation != NULL) {
        size_t size = strnlen(own.continuation, sizeof continuation);
        if (size == sizeof continuation)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "list: the continuation has more than %d bytes",
                            S3STORE_CONTINUATION_MAX - 1);
        memcpy(continuation, own.continuation, size + 1);
        own.continuation = continuation;
    }
    op o = {.verb = S3S_VERB_LIST,
            .call = call,
            .key = request->prefix,
            .list = &own,
            .fn = fn,
            .fn_ctx = fn_ctx,
            .list_reply = reply};
    return run(impl, &o, err);
}

static s3store_status retry_remove(void *impl, const s3store_call *call, const char *key,
                                   s3store_error *err)
{
    op o = {.verb = S3S_VERB_REMOVE, .call = call, .key = key};
    return run(impl, &o, err);
}

static s3store_status retry_create(void *impl, const s3store_call *call,
                                   const s3store_put_request *request, char *upload_id,
                                   s3store_error *err)
{
    op o = {.verb = S3S_VERB_CREATE,
            .call = call,
            .key = request->key,
            .put = request,
            .upload_id_out = upload_id};
    return run(impl, &o, err);
}

static s3store_status retry_part(void *impl, const s3store_call *call,
                                 const s3store_part_request *request, s3store_put_reply *reply,
                                 s3store_error *err)
{
    op o = {.verb = S3S_VERB_PART,
            .call = call,
            .key = request->key,
            .part = request,
            .put_reply = reply};
    return run(impl, &o, err);
}

static s3store_status retry_complete(void *impl, const s3store_call *call,
                                     const s3store_complete_request *request,
                                     s3store_put_reply *reply, s3store_error *err)
{
    op o = {.verb = S3S_VERB_COMPLETE,
            .call = call,
            .key = request->key,
            .complete = request,
            .put_reply = reply};
    return run(impl, &o, err);
}

static s3store_status retry_abort(void *impl, const s3store_call *call, const char *key,
                                  const char *upload_id, s3store_error *err)
{
    op o = {.verb = S3S_VERB_ABORT, .call = call, .key = key, .upload_id = upload_id};
    return run(impl, &o, err);
}

static s3store_status retry_uploads(void *impl, const s3store_call *call,
                                    const s3store_list_uploads_request *request,
                                    s3store_upload_fn fn, void *fn_ctx,
                                    s3store_list_uploads_reply *reply, s3store_error *err)
{
    op o = {.verb = S3S_VERB_UPLOADS,
            .call = call,
            .key = request->prefix,
            .uploads = request,
            .upload_fn = fn,
            .fn_ctx = fn_ctx,
            .uploads_reply = reply};
    return run(impl, &o, err);
}

static void retry_free(void *impl)
{
    retry *r = impl;
    s3s_free(r->env, r);
}

s3store_status s3s_layer_retry_new(s3s_env *env, const s3store_object_store *inner,
                                   const s3s_retry_options *options, s3store_object_store *out,
                                   s3store_error *err)
{
    memset(out, 0, sizeof *out);
    retry *r = s3s_calloc(env, 1, sizeof *r);
    if (r == NULL)
        return s3s_fail_memory(err, sizeof *r);
    r->env = env;
    r->inner = inner;
    r->attempts = options != NULL && options->attempts > 0 ? options->attempts : DEFAULT_ATTEMPTS;
    r->budget_us = options != NULL && options->attempt_budget_us > 0 ? options->attempt_budget_us
                                                                     : DEFAULT_BUDGET_US;
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = r,
                                  .put = retry_put,
                                  .get = retry_get,
                                  .head = retry_head,
                                  .list = retry_list,
                                  .remove = retry_remove,
                                  .free = retry_free,
                                  .name = inner->name};
    if (inner->create_multipart != NULL) {
        out->create_multipart = retry_create;
        out->put_part = retry_part;
        out->complete_multipart = retry_complete;
        out->abort_multipart = retry_abort;
        out->list_multipart = inner->list_multipart != NULL ? retry_uploads : NULL;
    }
    return S3STORE_OK;
}

uint64_t s3s_retry_count(const s3store_object_store *store)
{
    if (store->put != retry_put)
        return 0;
    retry *r = store->impl;
    return atomic_load_explicit(&r->repeated, memory_order_relaxed);
}
