/* An object store in front of another one, whose n-th operation fails. */
#include "torture/torture.h"

#include <stdatomic.h>
#include <stdlib.h>

const char *torture_fault_name(torture_fault fault)
{
    static const char *const names[FAULT_COUNT] = {
        "denied", "busy-once", "busy", "lost-answer", "lost-request", "cut-once", "cut",
    };
    return names[fault];
}

/* Whether this operation is to fail. */
static bool strikes(torture_store *t)
{
    if (!atomic_load(&t->armed))
        return false;
    int64_t before = atomic_fetch_sub(&t->left, 1);
    bool on = t->fault == FAULT_BUSY || t->fault == FAULT_CUT;
    bool fails = before == 0 || (before < 0 && on);
    if (fails)
        atomic_fetch_add(&t->hit, 1);
    return fails;
}

static s3store_status say(s3store_error *err, s3store_status status, const char *key)
{
    if (err != NULL) {
        memset(err, 0, sizeof *err);
        err->status = status;
        snprintf(err->key, sizeof err->key, "%s", key);
        snprintf(err->message, sizeof err->message, "made up by the test");
    }
    return status;
}

/* What an operation is told when the fault strikes; a body that is cut has been seen to. */
static s3store_status told(const torture_store *t, bool changes, const char *key,
                           s3store_error *err)
{
    switch (t->fault) {
    case FAULT_DENIED:
        return say(err, S3STORE_PERMISSION_DENIED, key);
    case FAULT_LOST_ANSWER:
    case FAULT_LOST_REQUEST:
        return say(err, changes ? S3STORE_UNCERTAIN : S3STORE_TIMEOUT, key);
    default:
        return say(err, S3STORE_UNAVAILABLE, key);
    }
}

static s3store_status faulty_put(void *impl, const s3store_call *call,
                                 const s3store_put_request *request, s3store_put_reply *reply,
                                 s3store_error *err)
{
    torture_store *t = impl;
    if (!strikes(t))
        return t->inner->put(t->inner->impl, call, request, reply, err);
    if (t->fault == FAULT_LOST_ANSWER) {
        s3store_put_reply lost;
        (void)t->inner->put(t->inner->impl, call, request, &lost, NULL);
    }
    *reply = (s3store_put_reply){.date_us = S3STORE_TIME_NONE};
    return told(t, true, request->key, err);
}

/* A sink that takes half of what comes, and breaks. */
typedef struct half {
    s3store_sink sink;
    s3store_sink *outer;
    uint64_t left;
} half;

static s3store_status half_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    half *h = sink->ctx;
    h->left = total > 0 ? (uint64_t)total / 2 : 0;
    return h->outer->begin != NULL ? h->outer->begin(h->outer, total, err) : S3STORE_OK;
}

static s3store_status half_write(s3store_sink *sink, const void *data, size_t size,
                                 s3store_error *err)
{
    half *h = sink->ctx;
    size_t taken = size < h->left ? size : (size_t)h->left;
    s3store_status status =
        taken > 0 ? h->outer->write(h->outer, data, taken, err) : S3STORE_OK;
    h->left -= taken;
    return status == S3STORE_OK && h->left == 0 ? say(err, S3STORE_UNAVAILABLE, "") : status;
}

static s3store_status faulty_get(void *impl, const s3store_call *call,
                                 const s3store_get_request *request, s3store_sink *sink,
                                 s3store_object_info *info, s3store_error *err)
{
    torture_store *t = impl;
    if (!strikes(t))
        return t->inner->get(t->inner->impl, call, request, sink, info, err);
    bool cut = t->fault == FAULT_CUT || t->fault == FAULT_CUT_ONCE;
    if (cut && sink != NULL) {
        half h = {.sink = {half_begin, half_write, &h}, .outer = sink};
        s3store_status status =
            t->inner->get(t->inner->impl, call, request, &h.sink, info, err);
        if (status != S3STORE_OK)
            return status;
    }
    return told(t, false, request->key, err);
}

static s3store_status faulty_head(void *impl, const s3store_call *call, const char *key,
                                  s3store_object_info *info, s3store_error *err)
{
    torture_store *t = impl;
    return strikes(t) ? told(t, false, key, err)
                      : t->inner->head(t->inner->impl, call, key, info, err);
}

static s3store_status faulty_list(void *impl, const s3store_call *call,
                                  const s3store_list_request *request, s3store_list_fn fn,
                                  void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    torture_store *t = impl;
    return strikes(t) ? told(t, false, request->prefix, err)
                      : t->inner->list(t->inner->impl, call, request, fn, fn_ctx, reply, err);
}

static s3store_status faulty_remove(void *impl, const s3store_call *call, const char *key,
                                    s3store_error *err)
{
    torture_store *t = impl;
    if (!strikes(t))
        return t->inner->remove(t->inner->impl, call, key, err);
    if (t->fault == FAULT_LOST_ANSWER)
        (void)t->inner->remove(t->inner->impl, call, key, NULL);
    return told(t, true, key, err);
}

void torture_store_init(torture_store *t, const s3store_object_store *inner)
{
    memset(t, 0, sizeof *t);
    t->inner = inner;
    t->store = (s3store_object_store){.size = sizeof t->store,
                                      .impl = t,
                                      .put = faulty_put,
                                      .get = faulty_get,
                                      .head = faulty_head,
                                      .list = faulty_list,
                                      .remove = faulty_remove,
                                      .name = inner->name};
}

void torture_store_arm(torture_store *t, torture_fault fault, uint64_t n)
{
    t->fault = fault;
    atomic_store(&t->left, (int64_t)n);
    atomic_store(&t->hit, 0);
    atomic_store(&t->armed, true);
}

uint64_t torture_store_disarm(torture_store *t)
{
    atomic_store(&t->armed, false);
    return atomic_load(&t->hit);
}
