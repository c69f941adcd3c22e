/* parquet/encoders.c: encoders that threads share, and the work that waits for a thread. */
#include "parquet/encoders.h"

#include "base/error.h"

#define ENCODER_BUFFERS 4

static void encoder_buffers(s3s_page_encoder *encoder, s3s_buffer *out[ENCODER_BUFFERS])
{
    s3s_buffer *all[ENCODER_BUFFERS] = {&encoder->body, &encoder->header, &encoder->packed,
                                        &encoder->prefixes};
    memcpy(out, all, sizeof all);
}

s3store_status s3s_encoders_init(s3s_encoders *e, s3s_env *env, s3store_error *err)
{
    s3store_status status = s3s_mutex_init(&e->mutex, env, err);
    if (status == S3STORE_OK)
        e->env = env; /* there is something to undo */
    return status;
}

void s3s_encoders_deinit(s3s_encoders *e)
{
    if (e->env == NULL)
        return;
    s3s_encoders_stop(e);
    while (e->locked.spare != NULL) {
        s3s_page_encoder *encoder = e->locked.spare;
        s3s_buffer *buffers[ENCODER_BUFFERS];
        e->locked.spare = encoder->next;
        encoder_buffers(encoder, buffers);
        for (size_t i = 0; i < ENCODER_BUFFERS; i++)
            s3s_buffer_deinit(buffers[i]);
        s3s_codec_deinit(&encoder->codec_state);
        s3s_free(e->env, encoder);
    }
    s3s_mutex_deinit(&e->mutex);
}

void s3s_encoders_use_pool(s3s_encoders *e, s3s_pool *pool, size_t threads)
{
    e->pool = pool;
    e->threads = threads;
}

size_t s3s_encoders_held_bytes(s3s_encoders *e)
{
    size_t bytes = 0;
    for (s3s_page_encoder *encoder = e->locked.spare; encoder != NULL; encoder = encoder->next) {
        s3s_buffer *buffers[ENCODER_BUFFERS];
        encoder_buffers(encoder, buffers);
        bytes += sizeof *encoder;
        for (size_t i = 0; i < ENCODER_BUFFERS; i++)
            bytes += buffers[i]->capacity;
    }
    return bytes;
}

/* ---- encoders -------------------------------------------------------------------------------- */

void s3s_encoders_share(s3s_encoders *e)
{
    if (!e->shared) /* else others may be looking at it */
        e->shared = true;
}

/* Small files are written by one thread, and locks would be a good part of what they cost. */
static void lock(s3s_encoders *e)
{
    if (e->shared)
        s3s_mutex_lock(&e->mutex);
}

static void unlock(s3s_encoders *e)
{
    if (e->shared)
        s3s_mutex_unlock(&e->mutex);
}

s3s_page_encoder *s3s_encoders_take(s3s_encoders *e, s3store_error *err)
{
    lock(e);
    s3s_page_encoder *encoder = e->locked.spare;
    if (encoder != NULL)
        e->locked.spare = encoder->next;
    unlock(e);
    if (encoder != NULL)
        return encoder;
    encoder = s3s_calloc(e->env, 1, sizeof *encoder);
    if (encoder == NULL) {
        s3s_fail_memory(err, sizeof *encoder);
        return NULL;
    }
    s3s_codec_init(&encoder->codec_state, e->env);
    s3s_buffer *buffers[ENCODER_BUFFERS];
    encoder_buffers(encoder, buffers);
    for (size_t i = 0; i < ENCODER_BUFFERS; i++)
        s3s_buffer_init(buffers[i], e->env, SIZE_MAX);
    return encoder;
}

void s3s_encoders_give(s3s_encoders *e, s3s_page_encoder *encoder)
{
    lock(e);
    encoder->next = e->locked.spare;
    e->locked.spare = encoder;
    unlock(e);
}

/* ---- work that waits ------------------------------------------------------------------------- */

static s3store_status run_item(void *ctx, size_t item, s3store_error *err)
{
    s3s_encoders *e = ctx;
    size_t at = item % S3S_ENCODERS_RING;
    return e->ring[at].fn(e->ring[at].owner, e->ring[at].what, err);
}

s3store_status s3s_encoders_push(s3s_encoders *e, s3s_encoders_fn fn, void *owner, void *what,
                                 size_t *item, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    if (e->queue == NULL)
        status = s3s_queue_new(e->pool, e->threads, run_item, e, &e->queue, err);
    else if (e->pushed >= S3S_ENCODERS_RING)
        status = s3s_queue_wait(e->queue, e->pushed - S3S_ENCODERS_RING, err);
    if (status != S3STORE_OK)
        return status;
    s3s_encoders_share(e);
    *item = e->pushed++;
    size_t at = *item % S3S_ENCODERS_RING;
    e->ring[at].fn = fn;
    e->ring[at].owner = owner;
    e->ring[at].what = what;
    s3s_queue_push(e->queue);
    return S3STORE_OK;
}

s3store_status s3s_encoders_wait(s3s_encoders *e, size_t item, s3store_error *err)
{
    return s3s_queue_wait(e->queue, item, err);
}

s3store_status s3s_encoders_catch_up(s3s_encoders *e, size_t most, s3store_error *err)
{
    return e->queue == NULL ? S3STORE_OK : s3s_queue_catch_up(e->queue, most, err);
}

bool s3s_encoders_has_ended(s3s_encoders *e, size_t item)
{
    return s3s_queue_has_ended(e->queue, item);
}

void s3s_encoders_stop(s3s_encoders *e)
{
    s3s_queue_free(e->queue);
    e->queue = NULL;
    e->pushed = 0;
    e->shared = false;
}
