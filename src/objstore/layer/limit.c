/* The limit layer: at most max_inflight requests at once, granted in the order in which they came.
 *
 * A waiter stands in the queue with its own condition; whoever gives a slot back hands it to the
 * first in the queue, so nobody can overtake. */
#include <string.h>

#include "base/error.h"
#include "base/sync.h"
#include "metrics/metrics.h"
#include "objstore/port.h"

typedef struct waiter {
    struct waiter *next;
    s3s_cond wake;
    bool granted;
} waiter;

typedef struct limit {
    s3s_env *env;
    const s3store_object_store *inner;
    s3s_mutex mutex;
    struct {
        size_t free_slots;
        waiter *first;
        waiter *last;
    } locked;
} limit;

static void enqueue_locked(limit *l, waiter *w)
{
    if (l->locked.last != NULL)
        l->locked.last->next = w;
    else
        l->locked.first = w;
    l->locked.last = w;
}

static void dequeue_locked(limit *l, waiter *w)
{
    waiter *before = NULL;
    for (waiter *at = l->locked.first; at != NULL; before = at, at = at->next) {
        if (at != w)
            continue;
        if (before != NULL)
            before->next = w->next;
        else
            l->locked.first = w->next;
        if (l->locked.last == w)
            l->locked.last = before;
        return;
    }
}

static void give_locked(limit *l)
{
    waiter *w = l->locked.first;
    if (w == NULL) {
        l->locked.free_slots++;
        return;
    }
    dequeue_locked(l, w);
    w->granted = true;
    s3s_cond_signal(&w->wake);
}

/* Waits in the queue with the mutex held. */
static s3store_status wait_locked(limit *l, const s3store_call *call, s3store_error *err)
{
    waiter w = {0};
    s3store_status status = s3s_cond_init(&w.wake, l->env, err);
    if (status != S3STORE_OK)
        return status;
    enqueue_locked(l, &w);
    while (!w.granted && status == S3STORE_OK)
        status = s3s_cond_wait(&w.wake, &l->mutex,
                               call != NULL ? call->deadline_us : S3STORE_TIME_NONE,
                               call != NULL ? call->cancel : NULL);
    if (status != S3STORE_OK) {
        if (w.granted)
            give_locked(l); /* it came together with the end: pass it on */
        else
            dequeue_locked(l, &w);
    }
    s3s_cond_deinit(&w.wake);
    if (status == S3STORE_CANCELLED)
        return s3s_fail(err, status, "cancelled while waiting for a free request slot");
    if (status == S3STORE_TIMEOUT)
        return s3s_fail(err, status, "the deadline passed while waiting for a free request slot");
    if (status != S3STORE_OK)
        return s3s_fail(err, status, "waiting for a free request slot failed");
    return status;
}

/* Waits with the mutex held, counted. */
static s3store_status wait_counted_locked(limit *l, s3s_metrics *m, const s3store_call *call,
                                          s3store_error *err)
{
    int64_t begin_us = s3s_mono_us(l->env);
    s3s_metric(m, S3S_METRIC_TARGET_WAITING, (s3s_labels){0}, 1);
    s3store_status status = wait_locked(l, call, err);
    s3s_metric(m, S3S_METRIC_TARGET_WAITING, (s3s_labels){0}, -1);
    if (status == S3STORE_OK)
        s3s_metric(m, S3S_METRIC_SLOT_WAIT, (s3s_labels){0}, s3s_mono_us(l->env) - begin_us);
    return status;
}

static s3store_status take(limit *l, const s3store_call *call, s3store_error *err)
{
    s3s_metrics *m = s3s_env_metrics(l->env);
    s3s_labels labels = {0};
    s3store_status status = s3s_call_check(l->env, call, err);
    if (status == S3STORE_OK) {
        s3s_mutex_lock(&l->mutex);
        if (l->locked.free_slots > 0) /* then nobody waits */
            l->locked.free_slots--;
        else
            status = wait_counted_locked(l, m, call, err);
        s3s_mutex_unlock(&l->mutex);
    }
    labels.outcome = status == S3STORE_OK ? S3S_OUTCOME_SUCCESS : S3S_OUTCOME_CANCELED;
    s3s_metric(m, S3S_METRIC_SLOT_ACQUIRES, labels, 1);
    if (status == S3STORE_OK)
        s3s_metric(m, S3S_METRIC_TARGET_INFLIGHT, (s3s_labels){0}, 1);
    return status;
}

static void give(limit *l)
{
    s3s_metric(s3s_env_metrics(l->env), S3S_METRIC_TARGET_INFLIGHT, (s3s_labels){0}, -1);
    s3s_mutex_lock(&l->mutex);
    give_locked(l);
    s3s_mutex_unlock(&l->mutex);
}

static s3store_status limit_put(void *impl, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err)
{
    limit *l = impl;
    s3s_put_reply_reset(reply);
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_put(l->inner, call, request, reply, err);
    give(l);
    return status;
}

static s3store_status limit_get(void *impl, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    limit *l = impl;
    s3s_object_info_reset(info);
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_get(l->inner, call, request, sink, info, err);
    give(l);
    return status;
}

static s3store_status limit_head(void *impl, const s3store_call *call, const char *key,
                                 s3store_object_info *info, s3store_error *err)
{
    limit *l = impl;
    s3s_object_info_reset(info);
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_head(l->inner, call, key, info, err);
    give(l);
    return status;
}

/* fn is the caller's code, and may make requests of its own: the slot is given back before it is
 * called for the first time. The page has been received whole by then (s3store_list_fn). */
typedef struct passing {
    limit *l;
    s3store_list_fn fn;
    void *fn_ctx;
    bool given_back;
} passing;

static bool pass_entry(void *ctx, const s3store_list_entry *entry)
{
    passing *p = ctx;
    if (!p->given_back)
        give(p->l);
    p->given_back = true;
    return p->fn(p->fn_ctx, entry);
}

static s3store_status limit_list(void *impl, const s3store_call *call,
                                 const s3store_list_request *request, s3store_list_fn fn,
                                 void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    limit *l = impl;
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK) {
        s3s_list_reply_reset(reply);
        return status;
    }
    passing p = {.l = l, .fn = fn, .fn_ctx = fn_ctx};
    status = s3s_list(l->inner, call, request, pass_entry, &p, reply, err);
    if (!p.given_back)
        give(l);
    return status;
}

static s3store_status limit_remove(void *impl, const s3store_call *call, const char *key,
                                   s3store_error *err)
{
    limit *l = impl;
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_remove(l->inner, call, key, err);
    give(l);
    return status;
}

static s3store_status limit_create(void *impl, const s3store_call *call,
                                   const s3store_put_request *request, char *upload_id,
                                   s3store_error *err)
{
    limit *l = impl;
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_create_multipart(l->inner, call, request, upload_id, err);
    give(l);
    return status;
}

static s3store_status limit_part(void *impl, const s3store_call *call,
                                 const s3store_part_request *request, s3store_put_reply *reply,
                                 s3store_error *err)
{
    limit *l = impl;
    s3s_put_reply_reset(reply);
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_put_part(l->inner, call, request, reply, err);
    give(l);
    return status;
}

static s3store_status limit_complete(void *impl, const s3store_call *call,
                                     const s3store_complete_request *request,
                                     s3store_put_reply *reply, s3store_error *err)
{
    limit *l = impl;
    s3s_put_reply_reset(reply);
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_complete_multipart(l->inner, call, request, reply, err);
    give(l);
    return status;
}

static s3store_status limit_abort(void *impl, const s3store_call *call, const char *key,
                                  const char *upload_id, s3store_error *err)
{
    limit *l = impl;
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_abort_multipart(l->inner, call, key, upload_id, err);
    give(l);
    return status;
}

/* As in limit_list: the page is handed out after the slot is given back. */
typedef struct held_uploads {
    s3s_arena arena;
    s3store_upload *items;
    size_t count;
    size_t capacity;
    bool failed;
} held_uploads;

static bool hold_upload(void *ctx, const s3store_upload *upload)
{
    held_uploads *page = ctx;
    if (page->count == page->capacity) {
        size_t capacity = page->capacity == 0 ? 64 : page->capacity * 2;
        s3store_upload *more = s3s_realloc(page->arena.env, page->items, capacity * sizeof *more);
        if (more != NULL) {
            page->items = more;
            page->capacity = capacity;
        }
        page->failed = more == NULL;
    }
    if (page->failed)
        return false;
    s3store_upload *copy = &page->items[page->count++];
    *copy = *upload;
    copy->key = s3s_arena_strdup(&page->arena, upload->key);
    copy->upload_id = s3s_arena_strdup(&page->arena, upload->upload_id);
    page->failed = copy->key == NULL || copy->upload_id == NULL;
    return !page->failed;
}

static s3store_status limit_uploads(void *impl, const s3store_call *call,
                                    const s3store_list_uploads_request *request,
                                    s3store_upload_fn fn, void *fn_ctx,
                                    s3store_list_uploads_reply *reply, s3store_error *err)
{
    limit *l = impl;
    held_uploads page = {0};
    s3s_list_uploads_reply_reset(reply);
    s3store_status status = take(l, call, err);
    if (status != S3STORE_OK)
        return status;
    s3s_arena_init(&page.arena, l->env);
    status = s3s_list_multipart(l->inner, call, request, hold_upload, &page, reply, err);
    give(l);
    if (status == S3STORE_OK && page.failed)
        status = s3s_fail_memory(err, page.capacity * sizeof *page.items);
    for (size_t i = 0; status == S3STORE_OK && i < page.count; i++) {
        if (!fn(fn_ctx, &page.items[i]))
            break;
    }
    s3s_free(l->env, page.items);
    s3s_arena_deinit(&page.arena);
    return status;
}

static void limit_free(void *impl)
{
    limit *l = impl;
    s3s_mutex_deinit(&l->mutex);
    s3s_free(l->env, l);
}

s3store_status s3s_layer_limit_new(s3s_env *env, const s3store_object_store *inner,
                                   size_t max_inflight, s3store_object_store *out,
                                   s3store_error *err)
{
    memset(out, 0, sizeof *out);
    limit *l = s3s_calloc(env, 1, sizeof *l);
    if (l == NULL)
        return s3s_fail_memory(err, sizeof *l);
    l->env = env;
    l->inner = inner;
    l->locked.free_slots = max_inflight > 0 ? max_inflight : S3STORE_DEFAULT_MAX_INFLIGHT;
    s3store_status status = s3s_mutex_init(&l->mutex, env, err);
    if (status != S3STORE_OK) {
        s3s_free(env, l);
        return status;
    }
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = l,
                                  .put = limit_put,
                                  .get = limit_get,
                                  .head = limit_head,
                                  .list = limit_list,
                                  .remove = limit_remove,
                                  .free = limit_free,
                                  .name = inner->name};
    if (inner->create_multipart != NULL) {
        out->create_multipart = limit_create;
        out->put_part = limit_part;
        out->complete_multipart = limit_complete;
        out->abort_multipart = limit_abort;
        out->list_multipart = inner->list_multipart != NULL ? limit_uploads : NULL;
    }
    return S3STORE_OK;
}
