/* sync.c: mutex and condition, real or simulated. */
#include "base/sync.h"

#include <errno.h>
#include <time.h>

#include "base/env_private.h"
#include "base/error.h"

/* How often a wait that can be cancelled looks at its token. A subscription would be quicker, but
 * subscribing takes the token's lock while the caller holds m, and subscribers run the other way
 * round: a lock order that could deadlock. Looking is free of that. */
#define CANCEL_SLICE_US 25000

s3store_status s3s_mutex_init(s3s_mutex *m, s3s_env *env, s3store_error *err)
{
    *m = (s3s_mutex){.env = env};
    if (s3s_env_is_simulated(env))
        return S3STORE_OK;
    int failed = pthread_mutex_init(&m->real, NULL);
    if (failed != 0)
        return s3s_fail_errno(err, failed, "create a mutex", NULL);
    return S3STORE_OK;
}

void s3s_mutex_deinit(s3s_mutex *m)
{
    if (!s3s_env_is_simulated(m->env))
        pthread_mutex_destroy(&m->real);
}

void s3s_mutex_lock(s3s_mutex *m)
{
    if (s3s_env_is_simulated(m->env))
        m->env->ops->lock(m);
    else
        pthread_mutex_lock(&m->real);
}

void s3s_mutex_unlock(s3s_mutex *m)
{
    if (s3s_env_is_simulated(m->env))
        m->env->ops->unlock(m);
    else
        pthread_mutex_unlock(&m->real);
}

s3store_status s3s_cond_init(s3s_cond *c, s3s_env *env, s3store_error *err)
{
    *c = (s3s_cond){.env = env};
    if (s3s_env_is_simulated(env))
        return S3STORE_OK;
    pthread_condattr_t attr;
    int failed = pthread_condattr_init(&attr);
    if (failed == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        failed = pthread_cond_init(&c->real, &attr);
        pthread_condattr_destroy(&attr);
    }
    if (failed != 0)
        return s3s_fail_errno(err, failed, "create a condition", NULL);
    return S3STORE_OK;
}

void s3s_cond_deinit(s3s_cond *c)
{
    if (!s3s_env_is_simulated(c->env))
        pthread_cond_destroy(&c->real);
}

void s3s_cond_signal(s3s_cond *c)
{
    if (s3s_env_is_simulated(c->env))
        c->env->ops->wake(c, false);
    else
        pthread_cond_signal(&c->real);
}

void s3s_cond_broadcast(s3s_cond *c)
{
    if (s3s_env_is_simulated(c->env))
        c->env->ops->wake(c, true);
    else
        pthread_cond_broadcast(&c->real);
}

/* One wait until an absolute time of CLOCK_MONOTONIC; false when that time came. */
static bool wait_until(s3s_cond *c, s3s_mutex *m, int64_t until_us)
{
    if (until_us < 0)
        until_us = 0;
    struct timespec t = {
        .tv_sec = (time_t)(until_us / 1000000),
        .tv_nsec = (long)(until_us % 1000000) * 1000,
    };
    return pthread_cond_timedwait(&c->real, &m->real, &t) != ETIMEDOUT;
}

s3store_status s3s_cond_wait(s3s_cond *c, s3s_mutex *m, int64_t deadline_us,
                             s3store_cancel *cancel)
{
    if (s3s_env_is_simulated(c->env))
        return c->env->ops->wait(c, m, deadline_us, cancel);
    if (cancel == NULL && deadline_us == S3STORE_TIME_NONE) {
        pthread_cond_wait(&c->real, &m->real);
        return S3STORE_OK;
    }
    if (s3store_cancel_is_triggered(cancel))
        return S3STORE_CANCELLED;
    int64_t now = s3s_mono_us(c->env);
    if (deadline_us != S3STORE_TIME_NONE && now >= deadline_us)
        return S3STORE_TIMEOUT;
    int64_t until = deadline_us;
    if (cancel != NULL && (until == S3STORE_TIME_NONE || until - now > CANCEL_SLICE_US))
        until = now + CANCEL_SLICE_US;
    if (wait_until(c, m, until))
        return S3STORE_OK;
    if (s3store_cancel_is_triggered(cancel))
        return S3STORE_CANCELLED;
    /* The slice is over. A broadcast may have fallen between its end and our having the mutex again, and
     * would be lost if we waited on: the caller looks at what it waits for. */
    bool late = deadline_us != S3STORE_TIME_NONE && s3s_mono_us(c->env) >= deadline_us;
    return late ? S3STORE_TIMEOUT : S3STORE_OK;
}
