/* The transfer layer: large objects in parts and ranges, everything else as it is. */
#include "objstore/layer/transfer.h"

#include <string.h>

#include "base/error.h"
#include "objstore/port.h"

#define MIB (1024u * 1024)

static s3store_status transfer_put(void *impl, const s3store_call *call,
                                   const s3store_put_request *request, s3store_put_reply *reply,
                                   s3store_error *err)
{
    s3s_transfer *t = impl;
    bool in_parts = t->inner->create_multipart != NULL && !request->if_none_match &&
                    !request->fenced && request->body_size > t->options.parts_above_bytes;
    return in_parts ? s3s_transfer_put(t, call, request, reply, err)
                    : s3s_put(t->inner, call, request, reply, err);
}

static s3store_status transfer_get(void *impl, const s3store_call *call,
                                   const s3store_get_request *request, s3store_sink *sink,
                                   s3store_object_info *info, s3store_error *err)
{
    s3s_transfer *t = impl;
    bool whole =
        request->offset == 0 && request->length == S3STORE_LENGTH_ALL && request->suffix == 0;
    return whole && sink != NULL && t->options.ranges_above_bytes != UINT64_MAX
               ? s3s_transfer_get(t, call, request, sink, info, err)
               : s3s_get(t->inner, call, request, sink, info, err);
}

static s3store_status transfer_head(void *impl, const s3store_call *call, const char *key,
                                    s3store_object_info *info, s3store_error *err)
{
    s3s_transfer *t = impl;
    return s3s_head(t->inner, call, key, info, err);
}

static s3store_status transfer_list(void *impl, const s3store_call *call,
                                    const s3store_list_request *request, s3store_list_fn fn,
                                    void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    s3s_transfer *t = impl;
    return s3s_list(t->inner, call, request, fn, fn_ctx, reply, err);
}

static s3store_status transfer_remove(void *impl, const s3store_call *call, const char *key,
                                      s3store_error *err)
{
    s3s_transfer *t = impl;
    return s3s_remove(t->inner, call, key, err);
}

static void transfer_free(void *impl)
{
    s3s_transfer *t = impl;
    s3s_transfer_reap(t, true);
    s3s_mutex_deinit(&t->mutex);
    s3s_free(t->env, t);
}

static void set_options(s3s_transfer *t, const s3s_transfer_options *options)
{
    s3s_transfer_options o = {0};
    if (options != NULL)
        o = *options;
    if (o.parts_above_bytes == 0)
        o.parts_above_bytes = 64 * MIB;
    if (o.part_bytes == 0)
        o.part_bytes = 16 * MIB;
    if (o.parts_at_once == 0)
        o.parts_at_once = 8;
    if (o.ranges_above_bytes == 0)
        o.ranges_above_bytes = 16 * MIB;
    if (o.range_bytes == 0)
        o.range_bytes = 8 * MIB;
    if (o.ranges_at_once == 0)
        o.ranges_at_once = 4;
    t->options = o;
}

s3store_status s3s_layer_transfer_new(s3s_env *env, const s3store_object_store *inner,
                                      s3s_pool *pool, const s3s_transfer_options *options,
                                      s3store_object_store *out, s3store_error *err)
{
    memset(out, 0, sizeof *out);
    s3s_transfer *t = s3s_calloc(env, 1, sizeof *t);
    if (t == NULL)
        return s3s_fail_memory(err, sizeof *t);
    t->env = env;
    t->inner = inner;
    t->pool = pool;
    set_options(t, options);
    s3store_status status = s3s_mutex_init(&t->mutex, env, err);
    if (status != S3STORE_OK) {
        s3s_free(env, t);
        return status;
    }
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = t,
                                  .put = transfer_put,
                                  .get = transfer_get,
                                  .head = transfer_head,
                                  .list = transfer_list,
                                  .remove = transfer_remove,
                                  .free = transfer_free,
                                  .name = inner->name};
    return S3STORE_OK;
}
