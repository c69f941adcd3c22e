#include "faults/virtual_env.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/env_private.h"
#include "base/error.h"

typedef struct virtual_env {
    s3s_env env; /* first: the one is found by the other */
    _Atomic int64_t slept_us;
    s3s_sequence sequence;
} virtual_env;

static void *env_resize(s3s_env *env, void *p, size_t size)
{
    (void)env;
    return realloc(p, size);
}

static void env_release(s3s_env *env, void *p)
{
    (void)env;
    free(p);
}

static int64_t env_clock_us(s3s_env *env, s3s_clock clock)
{
    static const clockid_t ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME,
                                    CLOCK_REALTIME};
    struct timespec t = {0};
    clock_gettime(ids[clock], &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000 + ((virtual_env *)env)->slept_us;
}

static s3store_status env_sleep(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                                s3store_error *err)
{
    if (s3store_cancel_is_triggered(cancel))
        return s3s_fail(err, S3STORE_CANCELLED, "cancelled by the caller during a pause");
    atomic_fetch_add(&((virtual_env *)env)->slept_us, duration_us);
    return S3STORE_OK;
}

static void env_random(s3s_env *env, void *out, size_t size)
{
    (void)env;
    if (getrandom(out, size, 0) != (ssize_t)size)
        abort();
}

static void env_point(s3s_env *env, s3s_point kind, const char *what)
{
    (void)env;
    (void)kind;
    (void)what;
}

static s3s_sequence *env_sequence(s3s_env *env)
{
    return &((virtual_env *)env)->sequence;
}

static void env_lock(s3s_mutex *m)
{
    pthread_mutex_lock(&m->env->mutex); /* one for all: few of them, briefly held */
}

static void env_unlock(s3s_mutex *m)
{
    pthread_mutex_unlock(&m->env->mutex);
}

static const s3s_env_ops ops = {
    .resize = env_resize,
    .release = env_release,
    .clock_us = env_clock_us,
    .sleep = env_sleep,
    .random = env_random,
    .point = env_point,
    .sequence = env_sequence,
    .lock = env_lock,
    .unlock = env_unlock,
};

s3s_env *virtual_env_new(void)
{
    virtual_env *v = calloc(1, sizeof *v);
    if (v == NULL || s3s_env_init(&v->env, NULL) != S3STORE_OK)
        abort();
    v->env.ops = &ops;
    return &v->env;
}

void virtual_env_free(s3s_env *env)
{
    s3s_env_deinit(env);
    free(env);
}

int64_t virtual_env_slept_us(const s3s_env *env)
{
    return ((const virtual_env *)env)->slept_us;
}
