/* A large body as an upload in parts, which are sent side by side from where the body lies. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "objstore/layer/transfer.h"
#include "objstore/port.h"

#define ABORT_TIMEOUT_US 10000000
#define ABORT_AT_ONCE_TIMEOUT_US 50000

typedef struct upload {
    s3s_transfer *transfer;
    const s3store_call *call;
    const s3store_put_request *request;
    char id[S3STORE_UPLOAD_ID_MAX];
    size_t part_bytes;
    size_t part_count;
    s3store_put_reply *parts;
} upload;

/* ---- aborting -------------------------------------------------------------------------------- */

struct s3s_late_abort {
    s3s_late_abort *next;
    s3s_transfer *transfer;
    s3s_task *task;
    atomic_bool ended;
    char id[S3STORE_UPLOAD_ID_MAX];
    char key[];
};

/* With limits of its own: those of the upload's call may be what ended it. */
static void abort_within(s3s_transfer *t, const char *key, const char *id, int64_t timeout_us)
{
    s3store_error err = {0};
    s3store_call call = {.deadline_us = s3s_mono_us(t->env) + timeout_us};
    s3store_status status = s3s_abort_multipart(t->inner, &call, key, id, &err);
    if (status != S3STORE_OK)
        s3s_log(t->env, S3STORE_LOG_WARN, "an upload could not be aborted: its parts stay stored",
                "key", key, "upload_id", id, "err", err.message, NULL);
}

static void run_late_abort(void *ctx)
{
    s3s_late_abort *a = ctx;
    abort_within(a->transfer, a->key, a->id, ABORT_TIMEOUT_US);
    atomic_store(&a->ended, true);
}

void s3s_transfer_reap(s3s_transfer *t, bool all)
{
    s3s_late_abort *done = NULL;
    s3s_mutex_lock(&t->mutex);
    for (s3s_late_abort **at = &t->locked.aborts; *at != NULL;) {
        s3s_late_abort *a = *at;
        if (!all && !atomic_load(&a->ended)) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        a->next = done;
        done = a;
    }
    s3s_mutex_unlock(&t->mutex);
    while (done != NULL) {
        s3s_late_abort *a = done;
        done = a->next;
        s3s_task_join(a->task);
        s3s_free(t->env, a);
    }
}

static bool start_late_abort(s3s_transfer *t, const char *key, const char *id)
{
    size_t size = strlen(key) + 1;
    s3s_late_abort *a = s3s_calloc(t->env, 1, sizeof *a + size);
    if (a == NULL)
        return false;
    a->transfer = t;
    memcpy(a->id, id, sizeof a->id);
    memcpy(a->key, key, size);
    if (s3s_task_start(t->pool, run_late_abort, a, &a->task, NULL) != S3STORE_OK) {
        s3s_free(t->env, a);
        return false;
    }
    s3s_mutex_lock(&t->mutex);
    a->next = t->locked.aborts;
    t->locked.aborts = a;
    s3s_mutex_unlock(&t->mutex);
    return true;
}

/* A caller who gave up does not wait for it. */
static void abort_upload(upload *u, s3store_status why)
{
    s3s_transfer *t = u->transfer;
    bool gave_up =
        why == S3STORE_CANCELLED || s3s_call_check(t->env, u->call, NULL) != S3STORE_OK;
    if (!gave_up)
        abort_within(t, u->request->key, u->id, ABORT_TIMEOUT_US);
    else if (!start_late_abort(t, u->request->key, u->id))
        abort_within(t, u->request->key, u->id, ABORT_AT_ONCE_TIMEOUT_US);
}

/* ---- uploading ------------------------------------------------------------------------------- */

static s3store_status send_part(void *ctx, size_t item, s3store_error *err)
{
    upload *u = ctx;
    size_t offset = item * u->part_bytes;
    size_t left = u->request->body_size - offset;
    s3store_part_request part = {.size = sizeof part,
                                 .key = u->request->key,
                                 .upload_id = u->id,
                                 .number = (uint32_t)item + 1,
                                 .body = (const char *)u->request->body + offset,
                                 .body_size = left < u->part_bytes ? left : u->part_bytes};
    return s3s_put_part(u->transfer->inner, u->call, &part, &u->parts[item], err);
}

/* Nobody knows whether the last request was applied; the object can tell: an upload's ETag ends in
 * the number of its parts. */
static bool was_completed(const upload *u, s3store_put_reply *reply)
{
    s3store_object_info info;
    s3store_error err = {0};
    char end[24];
    if (s3s_head(u->transfer->inner, u->call, u->request->key, &info, &err) != S3STORE_OK)
        return false;
    snprintf(end, sizeof end, "-%zu", u->part_count);
    if (info.object_size != u->request->body_size || !s3s_ends_with(info.etag, end))
        return false;
    if (reply != NULL) {
        memcpy(reply->etag, info.etag, sizeof reply->etag);
        reply->date_us = info.date_us;
    }
    return true;
}

static s3store_status complete(upload *u, s3store_put_reply *reply, s3store_error *err)
{
    s3store_complete_request request = {.size = sizeof request,
                                        .key = u->request->key,
                                        .upload_id = u->id,
                                        .parts = u->parts,
                                        .part_count = u->part_count};
    s3store_error why = {0};
    s3store_status status =
        s3s_complete_multipart(u->transfer->inner, u->call, &request, reply, &why);
    if ((status == S3STORE_UNCERTAIN || status == S3STORE_NOT_FOUND) && was_completed(u, reply))
        return S3STORE_OK;
    if (status != S3STORE_OK && err != NULL)
        *err = why;
    return status;
}

/* ceil(body / parts) fits, also for bodies that would have too many parts of the usual size. */
static void divide(upload *u)
{
    size_t size = u->request->body_size;
    u->part_bytes = u->transfer->options.part_bytes;
    if ((size - 1) / u->part_bytes + 1 > S3STORE_PARTS_MAX)
        u->part_bytes = (size - 1) / S3STORE_PARTS_MAX + 1;
    u->part_count = (size - 1) / u->part_bytes + 1;
}

static s3store_status upload_parts(upload *u, s3store_put_reply *reply, s3store_error *err)
{
    s3s_transfer *t = u->transfer;
    u->parts = s3s_calloc(t->env, u->part_count, sizeof *u->parts);
    if (u->parts == NULL)
        return s3s_fail_memory(err, u->part_count * sizeof *u->parts);
    s3s_fan_options options = {.limit = t->options.parts_at_once, .call = u->call};
    s3store_status status = s3s_fan_out(t->pool, u->part_count, send_part, u, &options, err);
    if (status == S3STORE_OK)
        status = complete(u, reply, err);
    s3s_free(t->env, u->parts);
    return status;
}

s3store_status s3s_transfer_put(s3s_transfer *t, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err)
{
    upload u = {.transfer = t, .call = call, .request = request};
    s3s_put_reply_reset(reply);
    s3store_status status = s3s_port_check_put(request, err);
    if (status != S3STORE_OK)
        return status;
    s3s_transfer_reap(t, false);
    divide(&u);
    s3store_error why = {0};
    status = s3s_create_multipart(t->inner, call, request, u.id, &why);
    if (status == S3STORE_UNSUPPORTED)
        return s3s_put(t->inner, call, request, reply, err);
    if (status != S3STORE_OK) {
        if (err != NULL)
            *err = why;
        return status;
    }
    status = upload_parts(&u, reply, err);
    if (status != S3STORE_OK)
        abort_upload(&u, status);
    return status;
}
