/* Batches that share memory. */
#include "arrow/internal.h"
#include "base/error.h"

struct s3s_shared_batch {
    s3s_env *env;
    int refs; /* atomic */
    struct ArrowArray batch;
};

s3store_status s3s_batch_share(s3s_env *env, struct ArrowArray *batch, s3s_shared_batch **out,
                               s3store_error *err)
{
    s3s_shared_batch *shared = s3s_calloc(env, 1, sizeof *shared);
    *out = NULL;
    if (shared == NULL) {
        s3s_array_release(batch);
        return s3s_fail_memory(err, sizeof *shared);
    }
    shared->env = s3s_env_hold(env);
    shared->refs = 1;
    shared->batch = *batch;
    memset(batch, 0, sizeof *batch);
    *out = shared;
    return S3STORE_OK;
}

const struct ArrowArray *s3s_shared_batch_get(const s3s_shared_batch *shared)
{
    return &shared->batch;
}

static s3s_shared_batch *retain(s3s_shared_batch *shared)
{
    __atomic_fetch_add(&shared->refs, 1, __ATOMIC_RELAXED);
    return shared;
}

void s3s_shared_batch_release(s3s_shared_batch *shared)
{
    if (shared == NULL || __atomic_sub_fetch(&shared->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    s3s_env *env = shared->env;
    s3s_array_release(&shared->batch);
    s3s_free(env, shared);
    s3s_env_drop(env);
}

static int64_t slice_null_count(const struct ArrowArray *source, int64_t offset, int64_t length)
{
    if (source->null_count == 0 || (offset == 0 && length == source->length))
        return source->null_count;
    if (source->n_buffers == 0)
        return length; /* null type */
    const uint8_t *validity = source->buffers[0];
    return validity == NULL ? 0
                            : length - (int64_t)s3s_bits_count(
                                           validity, source->offset + offset, length);
}

/* A stand-in for one array and those below it: a consumer may move any of them out of its
 * parent, so each needs its own release. */
static s3store_status proxy_make(s3s_shared_batch *shared, const struct ArrowArray *source,
                                 int64_t offset, int64_t length, struct ArrowArray *out,
                                 s3store_error *err)
{
    retain(shared);
    s3store_status status = s3s_array_reserve_shared(shared->env, shared,
                                                     (size_t)source->n_children, out, err);
    if (status != S3STORE_OK) {
        s3s_shared_batch_release(shared);
        return status;
    }
    out->length = length;
    out->null_count = slice_null_count(source, offset, length);
    out->offset = source->offset + offset;
    out->n_buffers = source->n_buffers;
    out->buffers = source->buffers;
    for (int64_t i = 0; i < source->n_children && status == S3STORE_OK; i++) {
        const struct ArrowArray *child = source->children[i];
        status = proxy_make(shared, child, 0, child->length, out->children[i], err);
    }
    if (status != S3STORE_OK)
        s3s_array_release(out);
    return status;
}

/* The columns themselves are cut, not the struct over them: not every consumer honours an offset
 * there. */
s3store_status s3s_batch_slice(s3s_shared_batch *shared, int64_t start, int64_t length,
                               struct ArrowArray *out, s3store_error *err)
{
    const struct ArrowArray *source = &shared->batch;
    memset(out, 0, sizeof *out);
    if (start < 0 || length < 0 || start > source->length || length > source->length - start)
        return s3s_fail(err, S3STORE_INTERNAL,
                        "rows %lld to %lld of a batch of %lld were asked for",
                        (long long)start, (long long)start + (long long)length,
                        (long long)source->length);
    s3store_status status =
        s3s_array_reserve(shared->env, 1, (size_t)source->n_children, out, err);
    if (status != S3STORE_OK)
        return status;
    out->length = length;
    for (int64_t i = 0; i < source->n_children && status == S3STORE_OK; i++)
        status = proxy_make(shared, source->children[i], source->offset + start, length,
                            out->children[i], err);
    if (status != S3STORE_OK)
        s3s_array_release(out);
    return status;
}
