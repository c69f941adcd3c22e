/* The fault layer, for tests: a function decides the fate of each request. */
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "objstore/port.h"

typedef struct fault {
    s3s_env *env;
    const s3store_object_store *inner;
    s3s_fault_fn fn;
    void *ctx;
    atomic_uint_fast64_t sequence;
} fault;

/* Asks for the decision, waits as it says; the status of `before`. */
static s3store_status begin(fault *f, s3s_fault_verb verb, const char *key,
                            const s3store_call *call, s3s_fault_decision *decision,
                            s3store_error *err)
{
    uint64_t sequence = atomic_fetch_add(&f->sequence, 1);
    *decision = f->fn != NULL ? f->fn(f->ctx, verb, key, sequence) : S3S_FAULT_NONE;
    if (decision->delay_us > 0) {
        s3store_status status = s3s_sleep_us(f->env, decision->delay_us,
                                             call != NULL ? call->cancel : NULL, err);
        if (status != S3STORE_OK)
            return status;
        status = s3s_call_check(f->env, call, err);
        if (status != S3STORE_OK)
            return status;
    }
    if (decision->before == S3STORE_OK)
        return S3STORE_OK;
    s3s_fail_key(err, decision->before, key, "%s: injected before request %llu",
                 s3s_port_verb_name(verb), (unsigned long long)sequence);
    if (err != NULL)
        err->retry_after_ms = decision->retry_after_ms;
    return decision->before;
}

static s3store_status end(const s3s_fault_decision *decision, s3s_fault_verb verb, const char *key,
                          s3store_status status, s3store_error *err)
{
    if (decision->after == S3STORE_OK)
        return status;
    return s3s_fail_key(err, decision->after, key, "%s: injected, the answer is lost",
                        s3s_port_verb_name(verb));
}

static s3store_status fault_put(void *impl, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3s_put_reply_reset(reply);
    s3store_status status = begin(f, S3S_VERB_PUT, request->key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_put(f->inner, call, request, reply, err);
    if (decision.after != S3STORE_OK)
        s3s_put_reply_reset(reply);
    return end(&decision, S3S_VERB_PUT, request->key, status, err);
}

/* Passes the first bytes on, then fails. */
typedef struct cutting_sink {
    s3store_sink sink;
    s3store_sink *inner;
    uint64_t left;
} cutting_sink;

static s3store_status cutting_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    cutting_sink *c = sink->ctx;
    return c->inner->begin(c->inner, total, err);
}

static s3store_status cutting_write(s3store_sink *sink, const void *data, size_t size,
                                    s3store_error *err)
{
    cutting_sink *c = sink->ctx;
    size_t n = size < c->left ? size : (size_t)c->left;
    s3store_status status = n > 0 ? c->inner->write(c->inner, data, n, err) : S3STORE_OK;
    c->left -= n;
    if (status == S3STORE_OK && n < size)
        return s3s_fail(err, S3STORE_UNAVAILABLE, "get: injected, the body broke off");
    return status;
}

static s3store_status fault_get(void *impl, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3s_object_info_reset(info);
    s3store_status status = begin(f, S3S_VERB_GET, request->key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    cutting_sink c = {.sink = {.begin = cutting_begin, .write = cutting_write},
                      .inner = sink,
                      .left = decision.cut_body_at};
    c.sink.ctx = &c;
    bool cut = sink != NULL && decision.cut_body_at != UINT64_MAX;
    status = s3s_get(f->inner, call, request, cut ? &c.sink : sink, info, err);
    return end(&decision, S3S_VERB_GET, request->key, status, err);
}

static s3store_status fault_head(void *impl, const s3store_call *call, const char *key,
                                 s3store_object_info *info, s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3s_object_info_reset(info);
    s3store_status status = begin(f, S3S_VERB_HEAD, key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_head(f->inner, call, key, info, err);
    if (decision.after != S3STORE_OK)
        s3s_object_info_reset(info);
    return end(&decision, S3S_VERB_HEAD, key, status, err);
}

/* A lost answer delivers nothing. */
static bool drop_entry(void *ctx, const s3store_list_entry *entry)
{
    (void)ctx;
    (void)entry;
    return true;
}

static s3store_status fault_list(void *impl, const s3store_call *call,
                                 const s3store_list_request *request, s3store_list_fn fn,
                                 void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3store_status status = begin(f, S3S_VERB_LIST, request->prefix, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    bool lost = decision.after != S3STORE_OK;
    status = s3s_list(f->inner, call, request, lost ? drop_entry : fn, fn_ctx, reply, err);
    if (lost)
        s3s_list_reply_reset(reply);
    return end(&decision, S3S_VERB_LIST, request->prefix, status, err);
}

static s3store_status fault_remove(void *impl, const s3store_call *call, const char *key,
                                   s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3store_status status = begin(f, S3S_VERB_REMOVE, key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_remove(f->inner, call, key, err);
    return end(&decision, S3S_VERB_REMOVE, key, status, err);
}

static s3store_status fault_create(void *impl, const s3store_call *call,
                                   const s3store_put_request *request, char *upload_id,
                                   s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3store_status status = begin(f, S3S_VERB_CREATE, request->key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_create_multipart(f->inner, call, request, upload_id, err);
    return end(&decision, S3S_VERB_CREATE, request->key, status, err);
}

static s3store_status fault_part(void *impl, const s3store_call *call,
                                 const s3store_part_request *request, s3store_put_reply *reply,
                                 s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3s_put_reply_reset(reply);
    s3store_status status = begin(f, S3S_VERB_PART, request->key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_put_part(f->inner, call, request, reply, err);
    if (decision.after != S3STORE_OK)
        s3s_put_reply_reset(reply);
    return end(&decision, S3S_VERB_PART, request->key, status, err);
}

static s3store_status fault_complete(void *impl, const s3store_call *call,
                                     const s3store_complete_request *request,
                                     s3store_put_reply *reply, s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3s_put_reply_reset(reply);
    s3store_status status = begin(f, S3S_VERB_COMPLETE, request->key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_complete_multipart(f->inner, call, request, reply, err);
    if (decision.after != S3STORE_OK)
        s3s_put_reply_reset(reply);
    return end(&decision, S3S_VERB_COMPLETE, request->key, status, err);
}

static s3store_status fault_abort(void *impl, const s3store_call *call, const char *key,
                                  const char *upload_id, s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3store_status status = begin(f, S3S_VERB_ABORT, key, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_abort_multipart(f->inner, call, key, upload_id, err);
    return end(&decision, S3S_VERB_ABORT, key, status, err);
}

static s3store_status fault_uploads(void *impl, const s3store_call *call,
                                    const s3store_list_uploads_request *request,
                                    s3store_upload_fn fn, void *fn_ctx,
                                    s3store_list_uploads_reply *reply, s3store_error *err)
{
    fault *f = impl;
    s3s_fault_decision decision;
    s3store_status status = begin(f, S3S_VERB_UPLOADS, request->prefix, call, &decision, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_list_multipart(f->inner, call, request, fn, fn_ctx, reply, err);
    return end(&decision, S3S_VERB_UPLOADS, request->prefix, status, err);
}

static void fault_free(void *impl)
{
    fault *f = impl;
    s3s_free(f->env, f);
}

s3store_status s3s_layer_fault_new(s3s_env *env, const s3store_object_store *inner,
                                   s3s_fault_fn fn, void *ctx, s3store_object_store *out,
                                   s3store_error *err)
{
    memset(out, 0, sizeof *out);
    fault *f = s3s_calloc(env, 1, sizeof *f);
    if (f == NULL)
        return s3s_fail_memory(err, sizeof *f);
    f->env = env;
    f->inner = inner;
    f->fn = fn;
    f->ctx = ctx;
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = f,
                                  .put = fault_put,
                                  .get = fault_get,
                                  .head = fault_head,
                                  .list = fault_list,
                                  .remove = fault_remove,
                                  .free = fault_free,
                                  .name = inner->name};
    if (inner->create_multipart != NULL) {
        out->create_multipart = fault_create;
        out->put_part = fault_part;
        out->complete_multipart = fault_complete;
        out->abort_multipart = fault_abort;
        out->list_multipart = inner->list_multipart != NULL ? fault_uploads : NULL;
    }
    return S3STORE_OK;
}
