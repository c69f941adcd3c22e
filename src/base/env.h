/* base/env.h: everything that comes from outside a computation: memory, clocks, sleep, randomness,
 * log, and scheduling. Handed down from the API; nothing below it uses globals. Two forms: the real
 * one (s3s_env_new_real) and the simulated one (sim.h), in which exactly one actor runs between
 * scheduling points, on virtual time.
 */
#ifndef S3S_BASE_ENV_H
#define S3S_BASE_ENV_H

#include "s3store.h"

typedef struct s3s_env s3s_env;

/* Where the simulator may switch actors. In the real env a point costs one branch. */
typedef enum s3s_point {
    S3S_POINT_STORE = 1, /* before a store operation takes effect, and before its answer returns */
    S3S_POINT_SLEEP,
    S3S_POINT_WAIT, /* a condition */
    S3S_POINT_LOCK,
} s3s_point;

/* The real env: malloc, CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, getrandom, threads. Retained
 * and released by count: what outlives the caller (Arrow batches) holds it. */
s3store_status s3s_env_new_real(s3s_env **out, s3store_error *err);
s3s_env *s3s_env_retain(s3s_env *env);
void s3s_env_release(s3s_env *env);
void s3s_env_set_log(s3s_env *env, s3store_log_fn fn, void *ctx, s3store_log_level level);

/* Memory. env NULL = plain malloc. Zero-size requests return a unique pointer. NULL = out of memory.
 * s3s_free(env, NULL) does nothing. Any thread. */
void *s3s_alloc(s3s_env *env, size_t size) __attribute__((malloc, warn_unused_result));
void *s3s_calloc(s3s_env *env, size_t count, size_t size) __attribute__((malloc, warn_unused_result));
void *s3s_realloc(s3s_env *env, void *p, size_t size) __attribute__((warn_unused_result));
void s3s_free(s3s_env *env, void *p);
char *s3s_strdup(s3s_env *env, const char *text) __attribute__((malloc, warn_unused_result));
char *s3s_strndup(s3s_env *env, const char *text, size_t size)
    __attribute__((malloc, warn_unused_result));
/* A large block that will be used all over, and in no order: the kernel may back it with large pages,
 * which saves faults and misses. A hint: nothing else changes. */
void s3s_expect_dense(void *p, size_t size);
/* Keeps freed blocks of 64 KiB to 8 MiB for later requests, so many bytes of them at most: they count
 * against nobody's budget. Set before threads run. Nothing is kept under the address sanitizer. */
#define S3S_KEEP_BYTES (UINT64_C(32) << 20)
void s3s_env_keep_blocks(s3s_env *env, uint64_t max_bytes);
/* Of a budget: an eighth, at most S3S_KEEP_BYTES. */
static inline uint64_t s3s_keep_bytes(uint64_t memory_bytes)
{
    return memory_bytes / 8 < S3S_KEEP_BYTES ? memory_bytes / 8 : S3S_KEEP_BYTES;
}
/* Overwrites, in a way the compiler keeps; for secrets. */
void s3s_wipe(void *p, size_t size);

/* Tests: fail the n-th allocation from now (0 = the next); UINT64_MAX = never. Count of live
 * allocations, for leak checks. */
void s3s_env_fail_alloc_at(s3s_env *env, uint64_t n);
/* Tests: no single allocation is larger (UINT64_MAX = any may be): what asks for more fails. */
void s3s_env_limit_alloc(s3s_env *env, uint64_t size_max);
uint64_t s3s_env_live_allocs(const s3s_env *env);

/* Clocks in microseconds: wall (since 1970), monotonic (deadlines), boot-time (runs on while the
 * machine is suspended). */
int64_t s3s_wall_us(s3s_env *env);
int64_t s3s_mono_us(s3s_env *env);
int64_t s3s_boot_us(s3s_env *env);
/* The clock of the simulated servers: the wall clock without the actor's offset. In the real env the
 * same as s3s_wall_us. For object stores that play the server themselves. */
int64_t s3s_server_wall_us(s3s_env *env);

/* The stamp for refs: wall clock, but never lower than or equal to an earlier stamp of this env. */
int64_t s3s_stamp_us(s3s_env *env);

/* Sleeps; CANCELLED as soon as cancel is triggered (NULL = never). */
s3store_status s3s_sleep_us(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                            s3store_error *err);

s3store_status s3s_random(s3s_env *env, void *out, size_t size, s3store_error *err);

/* A scheduling point; what: a static or caller-owned text for traces ("put data"). */
void s3s_env_point(s3s_env *env, s3s_point kind, const char *what);
bool s3s_env_is_simulated(const s3s_env *env);
/* How many threads can compute at once: at least 1; in the simulated env always the same. */
size_t s3s_env_core_count(const s3s_env *env);

/* Logs when the level is on; key/value pairs end with NULL:
 *   s3s_log(env, S3STORE_LOG_WARN, "skipping malformed ref", "key", key, NULL); */
void s3s_log(s3s_env *env, s3store_log_level level, const char *message, ...)
    __attribute__((sentinel));

/* What counts here, for those below and above that have the env at hand: base knows nothing of it. Set
 * before threads run. fan_out is told of every fan-out with more than no items. */
typedef struct s3s_observer {
    struct s3s_metrics *metrics;
    void (*fan_out)(struct s3s_metrics *metrics, size_t items, size_t workers);
} s3s_observer;
void s3s_env_observe(s3s_env *env, s3s_observer observer);
struct s3s_metrics *s3s_env_metrics(const s3s_env *env); /* NULL = nobody counts */

/* ---- call limits ----------------------------------------------------------------------------- */

/* OK, or CANCELLED / TIMEOUT with a message when the call's limits say stop. call may be NULL. */
s3store_status s3s_call_check(s3s_env *env, const s3store_call *call, s3store_error *err);
/* A call from an option struct's cancel and timeout_ms (0 = none). */
s3store_call s3s_call_make(s3s_env *env, s3store_cancel *cancel, int64_t timeout_ms);

#endif
