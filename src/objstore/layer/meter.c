/* The meter: what the calls of a target have cost. Counts when a call begins; bytes are those of
 * bodies. Repeated attempts are counted by the retry layer right below it. */
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "objstore/port.h"

struct s3s_meter {
    s3s_env *env;
    const s3store_object_store *inner;
    atomic_uint_fast64_t calls[S3S_VERB_REMOVE + 1];
    atomic_uint_fast64_t sent;
    atomic_uint_fast64_t received;
    atomic_uint_fast64_t listed;
    atomic_uint_fast64_t data_objects;
    atomic_uint_fast64_t rounds; /* of calls that are over */
};

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* A call belongs to the round after the last one that is over: so rounds are calls that waited for
 * each other, whatever went out side by side with them. */
static uint64_t begin_call(s3s_meter *m, s3s_fault_verb verb)
{
    count(&m->calls[verb], 1);
    return atomic_load_explicit(&m->rounds, memory_order_relaxed) + 1;
}

static s3store_status end_call(s3s_meter *m, uint64_t round, s3store_status status)
{
    uint_fast64_t known = atomic_load_explicit(&m->rounds, memory_order_relaxed);
    while (known < round && !atomic_compare_exchange_weak_explicit(
                                &m->rounds, &known, round, memory_order_relaxed,
                                memory_order_relaxed))
        continue;
    return status;
}

static s3store_status meter_put(void *impl, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_PUT);
    count(&m->sent, request->body_size);
    s3store_status status = s3s_put(m->inner, call, request, reply, err);
    return end_call(m, round, status);
}

/* The caller's sink, with a counter in front. */
typedef struct counting_sink {
    s3store_sink sink;
    s3store_sink *inner;
    s3s_meter *meter;
} counting_sink;

static s3store_status counting_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    counting_sink *c = sink->ctx;
    return c->inner->begin(c->inner, total, err);
}

static s3store_status counting_write(s3store_sink *sink, const void *data, size_t size,
                                     s3store_error *err)
{
    counting_sink *c = sink->ctx;
    count(&c->meter->received, size);
    return c->inner->write(c->inner, data, size, err);
}

static s3store_status meter_get(void *impl, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_GET);
    counting_sink c = {.sink = {.begin = counting_begin, .write = counting_write},
                       .inner = sink,
                       .meter = m};
    c.sink.ctx = &c;
    s3store_status status =
        s3s_get(m->inner, call, request, sink != NULL ? &c.sink : NULL, info, err);
    return end_call(m, round, status);
}

static s3store_status meter_head(void *impl, const s3store_call *call, const char *key,
                                 s3store_object_info *info, s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_HEAD);
    s3store_status status = s3s_head(m->inner, call, key, info, err);
    return end_call(m, round, status);
}

/* The caller's function, with a counter in front. */
typedef struct counting_list {
    s3store_list_fn fn;
    void *ctx;
    uint64_t listed;
} counting_list;

static bool count_entry(void *ctx, const s3store_list_entry *entry)
{
    counting_list *c = ctx;
    c->listed++;
    return c->fn(c->ctx, entry);
}

static s3store_status meter_list(void *impl, const s3store_call *call,
                                 const s3store_list_request *request, s3store_list_fn fn,
                                 void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    s3s_meter *m = impl;
    counting_list c = {.fn = fn, .ctx = fn_ctx};
    uint64_t round = begin_call(m, S3S_VERB_LIST);
    s3store_status status = s3s_list(m->inner, call, request, count_entry, &c, reply, err);
    count(&m->listed, c.listed);
    return end_call(m, round, status);
}

static s3store_status meter_remove(void *impl, const s3store_call *call, const char *key,
                                   s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_REMOVE);
    s3store_status status = s3s_remove(m->inner, call, key, err);
    return end_call(m, round, status);
}

/* What begins, carries or completes an upload is a PUT; what throws it away is a removal. */
static s3store_status meter_create(void *impl, const s3store_call *call,
                                   const s3store_put_request *request, char *upload_id,
                                   s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_PUT);
    s3store_status status = s3s_create_multipart(m->inner, call, request, upload_id, err);
    return end_call(m, round, status);
}

static s3store_status meter_part(void *impl, const s3store_call *call,
                                 const s3store_part_request *request, s3store_put_reply *reply,
                                 s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_PUT);
    count(&m->sent, request->body_size);
    s3store_status status = s3s_put_part(m->inner, call, request, reply, err);
    return end_call(m, round, status);
}

static s3store_status meter_complete(void *impl, const s3store_call *call,
                                     const s3store_complete_request *request,
                                     s3store_put_reply *reply, s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_PUT);
    s3store_status status = s3s_complete_multipart(m->inner, call, request, reply, err);
    return end_call(m, round, status);
}

static s3store_status meter_abort(void *impl, const s3store_call *call, const char *key,
                                  const char *upload_id, s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_REMOVE);
    s3store_status status = s3s_abort_multipart(m->inner, call, key, upload_id, err);
    return end_call(m, round, status);
}

static s3store_status meter_uploads(void *impl, const s3store_call *call,
                                    const s3store_list_uploads_request *request,
                                    s3store_upload_fn fn, void *fn_ctx,
                                    s3store_list_uploads_reply *reply, s3store_error *err)
{
    s3s_meter *m = impl;
    uint64_t round = begin_call(m, S3S_VERB_LIST);
    s3store_status status = s3s_list_multipart(m->inner, call, request, fn, fn_ctx, reply, err);
    return end_call(m, round, status);
}

static void meter_free(void *impl)
{
    s3s_meter *m = impl;
    s3s_free(m->env, m);
}

s3store_status s3s_layer_meter_new(s3s_env *env, const s3store_object_store *inner,
                                   s3store_object_store *out, s3s_meter **meter,
                                   s3store_error *err)
{
    memset(out, 0, sizeof *out);
    s3s_meter *m = s3s_calloc(env, 1, sizeof *m);
    if (m == NULL)
        return s3s_fail_memory(err, sizeof *m);
    m->env = env;
    m->inner = inner;
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = m,
                                  .put = meter_put,
                                  .get = meter_get,
                                  .head = meter_head,
                                  .list = meter_list,
                                  .remove = meter_remove,
                                  .free = meter_free,
                                  .name = inner->name};
    if (inner->create_multipart != NULL) {
        out->create_multipart = meter_create;
        out->put_part = meter_part;
        out->complete_multipart = meter_complete;
        out->abort_multipart = meter_abort;
        out->list_multipart = inner->list_multipart != NULL ? meter_uploads : NULL;
    }
    if (meter != NULL)
        *meter = m;
    return S3STORE_OK;
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void s3s_meter_plan(s3s_meter *meter, uint64_t data_objects)
{
    count(&meter->data_objects, data_objects);
}

void s3s_meter_read(const s3s_meter *meter, s3store_request_counts *out)
{
    size_t size = out->size;
    *out = (s3store_request_counts){.size = size,
                                    .put = load(&meter->calls[S3S_VERB_PUT]),
                                    .get = load(&meter->calls[S3S_VERB_GET]),
                                    .head = load(&meter->calls[S3S_VERB_HEAD]),
                                    .list = load(&meter->calls[S3S_VERB_LIST]),
                                    .remove = load(&meter->calls[S3S_VERB_REMOVE]),
                                    .retries = s3s_retry_count(meter->inner),
                                    .bytes_sent = load(&meter->sent),
                                    .bytes_received = load(&meter->received),
                                    .listed = load(&meter->listed),
                                    .data_objects = load(&meter->data_objects),
                                    .round_trips = load(&meter->rounds)};
}
