/* One task decodes, one consumer takes; between them is room for one batch. */
#include "api/parquet_ahead.h"

#include "base/error.h"
#include "base/sync.h"

struct s3s_parquet_ahead {
    s3s_env *env;
    s3s_parquet_cursor *cursor; /* the task's */
    uint64_t max_bytes;
    s3s_task *task;
    s3s_mutex mutex;
    s3s_cond changed;
    struct {
        bool is_wanted; /* a batch is to be decoded, or is being decoded */
        bool is_ready;  /* what became of it waits for the consumer */
        bool ends;
        s3store_status status;
        struct ArrowArray batch;
        s3store_error error;
    } locked;
};

static void decode_one_unlocked(s3s_parquet_ahead *a)
{
    struct ArrowArray batch = {0};
    s3store_error error = {0};
    s3s_mutex_unlock(&a->mutex);
    s3store_status status = s3s_parquet_cursor_next(a->cursor, &batch, &error);
    s3s_mutex_lock(&a->mutex);
    a->locked.status = status;
    a->locked.batch = batch;
    if (status != S3STORE_OK && status != S3STORE_END)
        a->locked.error = error;
    a->locked.is_wanted = false;
    a->locked.is_ready = true;
    s3s_cond_broadcast(&a->changed);
}

static void decode(void *ctx)
{
    s3s_parquet_ahead *a = ctx;
    s3s_mutex_lock(&a->mutex);
    while (!a->locked.ends) {
        if (a->locked.is_wanted)
            decode_one_unlocked(a);
        else
            (void)s3s_cond_wait(&a->changed, &a->mutex, S3STORE_TIME_NONE, NULL);
    }
    s3s_mutex_unlock(&a->mutex);
}

static void want_locked(s3s_parquet_ahead *a)
{
    a->locked.is_wanted = true;
    s3s_cond_broadcast(&a->changed);
}

s3store_status s3s_parquet_ahead_next(s3s_parquet_ahead *a, struct ArrowArray *out,
                                      s3store_error *err)
{
    s3s_mutex_lock(&a->mutex);
    if (!a->locked.is_ready && !a->locked.is_wanted)
        want_locked(a);
    while (!a->locked.is_ready)
        (void)s3s_cond_wait(&a->changed, &a->mutex, S3STORE_TIME_NONE, NULL);
    s3store_status status = a->locked.status;
    *out = a->locked.batch;
    a->locked.batch.release = NULL;
    a->locked.is_ready = false;
    if (status != S3STORE_OK && status != S3STORE_END && err != NULL)
        *err = a->locked.error;
    if (status == S3STORE_OK &&
        s3s_batch_bytes(s3s_parquet_cursor_schema(a->cursor), out) <= a->max_bytes)
        want_locked(a);
    s3s_mutex_unlock(&a->mutex);
    return status;
}

static s3store_status start(s3s_parquet_ahead *a, s3s_pool *pool, s3store_error *err)
{
    s3store_status status = s3s_mutex_init(&a->mutex, a->env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_cond_init(&a->changed, a->env, err);
    if (status == S3STORE_OK) {
        status = s3s_task_start(pool, decode, a, &a->task, err);
        if (status == S3STORE_OK)
            return status;
        s3s_cond_deinit(&a->changed);
    }
    s3s_mutex_deinit(&a->mutex);
    return status;
}

s3store_status s3s_parquet_ahead_new(s3s_env *env, s3s_pool *pool, s3s_parquet_cursor *cursor,
                                     uint64_t max_bytes, s3s_parquet_ahead **out,
                                     s3store_error *err)
{
    *out = NULL;
    s3s_parquet_ahead *a = s3s_calloc(env, 1, sizeof *a);
    if (a == NULL)
        return s3s_fail_memory(err, sizeof *a);
    a->env = env;
    a->cursor = cursor;
    a->max_bytes = max_bytes;
    a->locked.is_wanted = true;
    s3store_status status = start(a, pool, err);
    if (status != S3STORE_OK)
        s3s_free(env, a);
    else
        *out = a;
    return status;
}

void s3s_parquet_ahead_free(s3s_parquet_ahead *a)
{
    if (a == NULL)
        return;
    s3s_mutex_lock(&a->mutex);
    a->locked.ends = true;
    s3s_cond_broadcast(&a->changed);
    s3s_mutex_unlock(&a->mutex);
    s3s_task_join(a->task);
    s3s_array_release(&a->locked.batch);
    s3s_cond_deinit(&a->changed);
    s3s_mutex_deinit(&a->mutex);
    s3s_free(a->env, a);
}
