/* base/sync.h: mutex and condition that the simulator can schedule.
 *
 * A mutex protects a few lines and is never held across a store call, a sleep or user code; waiting
 * for something is a condition. Structs put what a mutex protects into a sub-struct named `locked`.
 */
#ifndef S3S_BASE_SYNC_H
#define S3S_BASE_SYNC_H

#include <pthread.h>

#include "base/env.h"

typedef struct s3s_mutex {
    s3s_env *env;
    pthread_mutex_t real;
    void *owner; /* simulated: the actor that holds it */
} s3s_mutex;

typedef struct s3s_cond {
    s3s_env *env;
    pthread_cond_t real;
    void *waiters; /* simulated: actors that wait */
} s3s_cond;

s3store_status s3s_mutex_init(s3s_mutex *m, s3s_env *env, s3store_error *err);
void s3s_mutex_deinit(s3s_mutex *m);
void s3s_mutex_lock(s3s_mutex *m);
void s3s_mutex_unlock(s3s_mutex *m);

s3store_status s3s_cond_init(s3s_cond *c, s3s_env *env, s3store_error *err);
void s3s_cond_deinit(s3s_cond *c);
void s3s_cond_signal(s3s_cond *c);
void s3s_cond_broadcast(s3s_cond *c);
/* Waits with m held. Returns OK when woken (also spuriously: wait in a loop), TIMEOUT after
 * deadline_us (monotonic; S3STORE_TIME_NONE = none), CANCELLED within 100 ms of a trigger. */
s3store_status s3s_cond_wait(s3s_cond *c, s3s_mutex *m, int64_t deadline_us,
                             s3store_cancel *cancel);

#endif
