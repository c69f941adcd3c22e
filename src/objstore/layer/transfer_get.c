/* A whole large object as ranges that are fetched side by side and given to the sink in order.
 *
 * The first request asks for all of it. When the answer turns out to be large, it is given up
 * before its body, and ranges are asked for with the ETag that it had (If-Match). The range whose
 * turn it is goes straight to the sink; those ahead of it wait in buffers. */
#include <string.h>

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "objstore/layer/transfer.h"
#include "objstore/port.h"

#define RESTARTS_MAX 2 /* of an object that is replaced while it is read */

typedef struct fetch {
    s3s_transfer *transfer;
    s3store_call call; /* with a token of its own, so that one failure stops the others */
    const char *key;
    const char *etag;
    uint64_t total;
    s3store_sink *sink;
    s3s_mutex mutex;
    s3s_cond changed;
    struct {
        size_t turn; /* the range that goes to the sink */
        bool failed;
    } locked;
} fetch;

typedef struct range {
    s3store_sink sink;
    fetch *fetch;
    size_t number;
    uint64_t size;
    bool has_turn;
    uint64_t passed; /* bytes given to the sink */
    uint64_t again;  /* of those, bytes that come once more */
    s3s_buffer ahead;
} range;

/* ---- one range ------------------------------------------------------------------------------- */

/* If-Match holds: what comes again is the same, and is passed over as far as it was given on. */
static s3store_status range_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    range *r = sink->ctx;
    if (total < 0 || (uint64_t)total != r->size)
        return s3s_fail_key(err, S3STORE_CORRUPT, r->fetch->key,
                            "get: the store sends %lld bytes of a range of %llu",
                            (long long)total, (unsigned long long)r->size);
    r->again = r->passed;
    s3s_buffer_clear(&r->ahead);
    return S3STORE_OK;
}

static s3store_status pass(range *r, const void *data, size_t size, s3store_error *err)
{
    if (size == 0)
        return S3STORE_OK;
    r->passed += size;
    return r->fetch->sink->write(r->fetch->sink, data, size, err);
}

static s3store_status pass_ahead(range *r, s3store_error *err)
{
    s3store_status status = pass(r, r->ahead.data, r->ahead.size, err);
    s3s_buffer_deinit(&r->ahead);
    return status;
}

static s3store_status range_write(s3store_sink *sink, const void *data, size_t size,
                                  s3store_error *err)
{
    range *r = sink->ctx;
    fetch *f = r->fetch;
    size_t skipped = r->again < size ? (size_t)r->again : size;
    const char *bytes = (const char *)data + skipped;
    r->again -= skipped;
    size -= skipped;
    if (!r->has_turn) {
        s3s_mutex_lock(&f->mutex);
        r->has_turn = f->locked.turn == r->number;
        s3s_mutex_unlock(&f->mutex);
        s3store_status status = r->has_turn ? pass_ahead(r, err) : S3STORE_OK;
        if (status != S3STORE_OK)
            return status;
    }
    if (r->has_turn)
        return pass(r, bytes, size, err);
    if (r->ahead.size == 0 && s3s_buffer_reserve(&r->ahead, (size_t)r->size, err) == NULL)
        return S3STORE_OUT_OF_MEMORY;
    return s3s_buffer_append(&r->ahead, bytes, size, err);
}

static s3store_status wait_for_turn(range *r, s3store_error *err)
{
    fetch *f = r->fetch;
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&f->mutex);
    while (f->locked.turn != r->number && !f->locked.failed && status == S3STORE_OK)
        status = s3s_cond_wait(&f->changed, &f->mutex, f->call.deadline_us, f->call.cancel);
    if (status == S3STORE_OK && f->locked.turn != r->number)
        status = S3STORE_CANCELLED; /* another range failed, and says why */
    s3s_mutex_unlock(&f->mutex);
    return status == S3STORE_OK
               ? status
               : s3s_fail_key(err, status, f->key, "get: %s while ranges were put together",
                              status == S3STORE_CANCELLED ? "cancelled" : "out of time");
}

static void end_range(range *r, s3store_status status)
{
    fetch *f = r->fetch;
    s3s_mutex_lock(&f->mutex);
    if (status == S3STORE_OK)
        f->locked.turn++;
    else
        f->locked.failed = true;
    s3s_cond_broadcast(&f->changed);
    s3s_mutex_unlock(&f->mutex);
    if (status != S3STORE_OK)
        s3store_cancel_trigger(f->call.cancel);
}

static s3store_status fetch_range(void *ctx, size_t item, s3store_error *err)
{
    fetch *f = ctx;
    size_t range_bytes = f->transfer->options.range_bytes;
    uint64_t offset = (uint64_t)item * range_bytes;
    uint64_t left = f->total - offset;
    range r = {.sink = {.begin = range_begin, .write = range_write},
               .fetch = f,
               .number = item,
               .size = left < range_bytes ? left : range_bytes};
    r.sink.ctx = &r;
    s3s_buffer_init(&r.ahead, f->transfer->env, (size_t)r.size);
    s3store_get_request request = {.size = sizeof request,
                                   .key = f->key,
                                   .offset = offset,
                                   .length = r.size,
                                   .if_match = f->etag};
    s3store_object_info info;
    s3store_status status =
        s3s_get(f->transfer->inner, &f->call, &request, &r.sink, &info, err);
    if (status == S3STORE_OK && !r.has_turn) {
        status = wait_for_turn(&r, err);
        if (status == S3STORE_OK)
            status = pass_ahead(&r, err);
    }
    if (status == S3STORE_OK && r.passed != r.size)
        status = s3s_fail_key(err, S3STORE_CORRUPT, f->key,
                              "get: the store sent %llu of %llu bytes at offset %llu",
                              (unsigned long long)r.passed, (unsigned long long)r.size,
                              (unsigned long long)offset);
    s3s_buffer_deinit(&r.ahead);
    end_range(&r, status);
    return status;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static s3store_status fetch_all(fetch *f, s3store_error *err)
{
    s3s_transfer *t = f->transfer;
    s3s_fan_options options = {.limit = t->options.ranges_at_once, .call = &f->call};
    uint64_t count = (f->total - 1) / t->options.range_bytes + 1;
    if (count > SIZE_MAX / 2 || f->total > INT64_MAX)
        return s3s_fail_memory(err, SIZE_MAX);
    s3store_status status = f->sink->begin(f->sink, (int64_t)f->total, err);
    if (status != S3STORE_OK)
        return status;
    return s3s_fan_out(t->pool, (size_t)count, fetch_range, f, &options, err);
}

static s3store_status get_ranges(s3s_transfer *t, const s3store_call *call, const char *key,
                                 const char *etag, uint64_t total, s3store_sink *sink,
                                 s3store_error *err)
{
    fetch f = {.transfer = t, .key = key, .etag = etag, .total = total, .sink = sink};
    f.call.deadline_us = call != NULL ? call->deadline_us : S3STORE_TIME_NONE;
    s3store_status status = s3s_cancel_new(t->env, call != NULL ? call->cancel : NULL,
                                           &f.call.cancel, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_mutex_init(&f.mutex, t->env, err);
    if (status != S3STORE_OK)
        goto end_cancel;
    status = s3s_cond_init(&f.changed, t->env, err);
    if (status != S3STORE_OK)
        goto end_mutex;
    status = fetch_all(&f, err);
    s3s_cond_deinit(&f.changed);
end_mutex:
    s3s_mutex_deinit(&f.mutex);
end_cancel:
    s3store_cancel_free(f.call.cancel);
    return status;
}

/* ---- the first request ----------------------------------------------------------------------- */

/* Ends the GET before its body when that is a large one. */
typedef struct probe {
    s3store_sink sink;
    s3store_sink *inner;
    uint64_t above;
    uint64_t total;
    bool is_large;
} probe;

static s3store_status probe_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    probe *p = sink->ctx;
    p->is_large = total > 0 && (uint64_t)total > p->above;
    if (!p->is_large)
        return p->inner->begin(p->inner, total, err);
    p->total = (uint64_t)total;
    return S3STORE_END;
}

static s3store_status probe_write(s3store_sink *sink, const void *data, size_t size,
                                  s3store_error *err)
{
    probe *p = sink->ctx;
    return p->inner->write(p->inner, data, size, err);
}

/* Whether it was large; if so, info says of what kind it is. */
static s3store_status get_small(s3s_transfer *t, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, uint64_t *large_total,
                                s3store_error *err)
{
    probe p = {.sink = {.begin = probe_begin, .write = probe_write},
               .inner = sink,
               .above = t->options.ranges_above_bytes};
    p.sink.ctx = &p;
    s3store_status status = s3s_get(t->inner, call, request, &p.sink, info, err);
    *large_total = status == S3STORE_END && p.is_large ? p.total : 0;
    return status;
}

s3store_status s3s_transfer_get(s3s_transfer *t, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    s3store_object_info own;
    if (info == NULL)
        info = &own;
    for (int i = 0; i <= RESTARTS_MAX; i++) {
        s3store_error why = {0};
        uint64_t total = 0;
        s3store_status status = get_small(t, call, request, sink, info, &total, &why);
        if (total > 0 && info->etag[0] == '\0')
            break; /* nobody would notice that the object changed between two ranges */
        if (total > 0)
            status = get_ranges(t, call, request->key, info->etag, total, sink, &why);
        bool replaced = total > 0 && status == S3STORE_ALREADY_EXISTS && request->if_match == NULL;
        if (replaced)
            continue;
        if (status != S3STORE_OK && err != NULL)
            *err = why;
        return status;
    }
    return s3s_get(t->inner, call, request, sink, info, err);
}
