/* base/env_private.h: the inside of s3s_env, for base/ alone.
 *
 * The real env is the code of env.c, sync.c and pool.c. A simulated env carries a table of
 * replacements, so that those files do not know the simulator and link without it.
 */
#ifndef S3S_BASE_ENV_PRIVATE_H
#define S3S_BASE_ENV_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/env.h"
#include "base/kept.h"
#include "base/pool.h"
#include "base/sync.h"

typedef enum s3s_clock {
    S3S_CLOCK_WALL,
    S3S_CLOCK_MONO,
    S3S_CLOCK_BOOT,
    S3S_CLOCK_SERVER,
} s3s_clock;

/* What makes stamps and attempt ids of one process ascend. */
typedef struct s3s_sequence {
    int64_t last_stamp_us;
    uint64_t last_id; /* (milliseconds << 12) + counter */
} s3s_sequence;

typedef struct s3s_env_ops {
    void *(*resize)(s3s_env *env, void *p, size_t size); /* p NULL: a new block */
    void (*release)(s3s_env *env, void *p);
    int64_t (*clock_us)(s3s_env *env, s3s_clock clock);
    s3store_status (*sleep)(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                            s3store_error *err);
    void (*random)(s3s_env *env, void *out, size_t size);
    void (*point)(s3s_env *env, s3s_point kind, const char *what);
    s3s_sequence *(*sequence)(s3s_env *env); /* of the process that runs now */
    void (*lock)(s3s_mutex *m);
    void (*unlock)(s3s_mutex *m);
    void (*wake)(s3s_cond *c, bool all);
    s3store_status (*wait)(s3s_cond *c, s3s_mutex *m, int64_t deadline_us,
                           s3store_cancel *cancel);
    /* n >= 2, limit >= 1 */
    s3store_status (*fan_out)(s3s_env *env, size_t n, size_t limit, s3s_item_fn fn, void *ctx,
                              const s3s_fan_options *options, s3store_error *err);
    s3store_status (*task_start)(s3s_env *env, void (*fn)(void *), void *ctx, void **actor,
                                 s3store_error *err);
    void (*task_join)(s3s_env *env, void *actor);
} s3s_env_ops;

struct s3s_env {
    const s3s_env_ops *ops; /* NULL: the real env */
    struct s3s_sim *sim;
    atomic_size_t refs;
    _Atomic uint64_t live_allocs;
    _Atomic uint64_t fail_alloc_at; /* UINT64_MAX: never */
    _Atomic bool fail_arenas;       /* they count as well */
    _Atomic uint64_t alloc_max;
    s3store_log_fn log_fn;
    void *log_ctx;
    s3store_log_level log_level;
    s3s_observer observer;
    s3s_kept kept;
    pthread_mutex_t mutex;
    struct {
        s3s_sequence sequence;
    } locked;
};

/* Initialises everything but ops and sim. */
s3store_status s3s_env_init(s3s_env *env, s3store_error *err);
void s3s_env_deinit(s3s_env *env);
/* Whether a test wants this allocation to fail. */
bool s3s_env_must_fail(s3s_env *env, size_t size);
/* Tests: as s3s_env_fail_alloc_at, where allocations out of arenas count as well, also those that the
 * arena has room for; and whether it came to that. */
void s3s_env_fail_any_alloc_at(s3s_env *env, uint64_t n);
bool s3s_env_alloc_has_failed(const s3s_env *env);

/* Takes the mutex and returns the sequence of the running process; give it back with unlock. */
s3s_sequence *s3s_env_sequence_lock(s3s_env *env);
void s3s_env_sequence_unlock(s3s_env *env);
/* Nanoseconds of the wall clock. */
int64_t s3s_env_wall_ns(s3s_env *env);

/* The result of a fan-out while it is made: the rule of pool.h on which error wins. */
typedef struct s3s_fan_result {
    bool failed;       /* some item failed, CANCELLED included */
    bool stopped;      /* call said stop before an item */
    bool has_real;     /* lowest holds a failure that is not CANCELLED */
    size_t lowest;     /* item of error */
    s3store_error error;
    s3store_error stop_error;
} s3s_fan_result;
void s3s_fan_result_init(s3s_fan_result *r);
void s3s_fan_result_add(s3s_fan_result *r, size_t item, s3store_status status,
                        const s3store_error *err);
s3store_status s3s_fan_result_take(const s3s_fan_result *r, s3store_error *err);

#endif
