/* env.c: memory, clocks, sleep, randomness, log and call limits; the real form, and the way to the
 * simulated one. */
#include "base/env.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/env_private.h"
#include "base/error.h"

#define LOG_FIELDS_MAX 16

s3store_status s3s_env_init(s3s_env *env, s3store_error *err)
{
    memset(env, 0, sizeof *env);
    int failed = pthread_mutex_init(&env->mutex, NULL);
    if (failed == 0 && (failed = pthread_mutex_init(&env->kept.mutex, NULL)) != 0)
        pthread_mutex_destroy(&env->mutex);
    if (failed != 0)
        return s3s_fail_errno(err, failed, "create a mutex", NULL);
    atomic_init(&env->refs, 1);
    atomic_init(&env->live_allocs, 0);
    atomic_init(&env->fail_alloc_at, UINT64_MAX);
    atomic_init(&env->fail_arenas, false);
    atomic_init(&env->alloc_max, UINT64_MAX);
    env->locked.sequence.last_stamp_us = S3STORE_TIME_NONE;
    return S3STORE_OK;
}

void s3s_env_deinit(s3s_env *env)
{
    s3s_kept_deinit(&env->kept);
    pthread_mutex_destroy(&env->mutex);
}

s3store_status s3s_env_new_real(s3s_env **out, s3store_error *err)
{
    *out = NULL;
    s3s_env *env = malloc(sizeof *env);
    if (env == NULL)
        return s3s_fail_memory(err, sizeof *env);
    s3store_status status = s3s_env_init(env, err);
    if (status != S3STORE_OK) {
        free(env);
        return status;
    }
    *out = env;
    return S3STORE_OK;
}

s3s_env *s3s_env_retain(s3s_env *env)
{
    if (env != NULL)
        atomic_fetch_add_explicit(&env->refs, 1, memory_order_relaxed);
    return env;
}

void s3s_env_release(s3s_env *env)
{
    if (env == NULL)
        return;
    if (atomic_fetch_sub_explicit(&env->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (env->ops != NULL)
        return; /* part of its simulator */
    s3s_env_deinit(env);
    free(env);
}

void s3s_env_observe(s3s_env *env, s3s_observer observer)
{
    env->observer = observer;
}

struct s3s_metrics *s3s_env_metrics(const s3s_env *env)
{
    return env->observer.metrics;
}

void s3s_env_set_log(s3s_env *env, s3store_log_fn fn, void *ctx, s3store_log_level level)
{
    env->log_fn = fn;
    env->log_ctx = ctx;
    env->log_level = level;
}

bool s3s_env_is_simulated(const s3s_env *env)
{
    return env != NULL && env->ops != NULL;
}

size_t s3s_env_core_count(const s3s_env *env)
{
    cpu_set_t set; /* what this process may use, not what the machine has */
    if (s3s_env_is_simulated(env) || sched_getaffinity(0, sizeof set, &set) != 0)
        return 4;
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

/* ---- memory ---------------------------------------------------------------------------------- */

bool s3s_env_must_fail(s3s_env *env, size_t size)
{
    if (size > atomic_load_explicit(&env->alloc_max, memory_order_relaxed))
        return true;
    if (atomic_load_explicit(&env->fail_alloc_at, memory_order_relaxed) == UINT64_MAX)
        return false;
    /* 0 wraps to "never": exactly one allocation fails. */
    return atomic_fetch_sub_explicit(&env->fail_alloc_at, 1, memory_order_relaxed) == 0;
}

void s3s_env_keep_blocks(s3s_env *env, uint64_t max_bytes)
{
#if !defined(__SANITIZE_ADDRESS__) /* who uses a block that was freed is to be found */
    env->kept.max_bytes = env->ops == NULL ? (size_t)max_bytes : 0;
#else
    (void)env;
    (void)max_bytes;
#endif
}

static void release_real(s3s_env *env, void *p)
{
    if (env->kept.max_bytes == 0 || !s3s_kept_give(&env->kept, p, malloc_usable_size(p)))
        free(p);
}

static void *resize_real(s3s_env *env, void *p, size_t size)
{
    if (env->kept.max_bytes == 0 || size < S3S_KEPT_MIN)
        return realloc(p, size);
    size_t has = p != NULL ? malloc_usable_size(p) : 0;
    if (has >= size)
        return realloc(p, size);
    void *q = s3s_kept_take(&env->kept, size);
    if (q == NULL)
        return realloc(p, s3s_kept_round(size));
    if (p != NULL) {
        memcpy(q, p, has);
        release_real(env, p);
    }
    return q;
}

static void *resize(s3s_env *env, void *p, size_t size)
{
    if (size == 0)
        size = 1;
    if (size > PTRDIFF_MAX)
        return NULL;
    if (env == NULL)
        return realloc(p, size);
    if (s3s_env_must_fail(env, size))
        return NULL;
    void *q = env->ops != NULL ? env->ops->resize(env, p, size) : resize_real(env, p, size);
    if (q != NULL && p == NULL)
        atomic_fetch_add_explicit(&env->live_allocs, 1, memory_order_relaxed);
    return q;
}

void *s3s_alloc(s3s_env *env, size_t size)
{
    return resize(env, NULL, size);
}

void *s3s_calloc(s3s_env *env, size_t count, size_t size)
{
    size_t total;
    if (!s3s_mul(count, size, &total))
        return NULL;
    if (env == NULL || env->ops == NULL) {
        /* calloc knows which pages are zero already. */
        if (env != NULL && s3s_env_must_fail(env, total))
            return NULL;
        void *p = total > PTRDIFF_MAX ? NULL : calloc(1, total == 0 ? 1 : total);
        if (p != NULL && env != NULL)
            atomic_fetch_add_explicit(&env->live_allocs, 1, memory_order_relaxed);
        return p;
    }
    void *p = resize(env, NULL, total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

void *s3s_realloc(s3s_env *env, void *p, size_t size)
{
    return resize(env, p, size);
}

void s3s_free(s3s_env *env, void *p)
{
    if (p == NULL)
        return;
    if (env == NULL) {
        free(p);
        return;
    }
    atomic_fetch_sub_explicit(&env->live_allocs, 1, memory_order_relaxed);
    if (env->ops != NULL)
        env->ops->release(env, p);
    else
        release_real(env, p);
}

char *s3s_strdup(s3s_env *env, const char *text)
{
    return s3s_strndup(env, text, strlen(text));
}

char *s3s_strndup(s3s_env *env, const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    char *copy = s3s_alloc(env, length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void s3s_expect_dense(void *p, size_t size)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t page = 2 << 20;
    uintptr_t first = ((uintptr_t)p + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)p + size) & ~(page - 1);
    if (first < end) {
        int saved = errno; /* a kernel without them says so, and nothing is lost */
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE);
        errno = saved;
    }
#else
    (void)p;
    (void)size;
#endif
}

void s3s_wipe(void *p, size_t size)
{
    if (p != NULL)
        explicit_bzero(p, size);
}

void s3s_env_fail_alloc_at(s3s_env *env, uint64_t n)
{
    atomic_store(&env->fail_arenas, false);
    atomic_store(&env->fail_alloc_at, n);
}

void s3s_env_fail_any_alloc_at(s3s_env *env, uint64_t n)
{
    atomic_store(&env->fail_arenas, true);
    atomic_store(&env->fail_alloc_at, n);
}

void s3s_env_limit_alloc(s3s_env *env, uint64_t size_max)
{
    atomic_store(&env->alloc_max, size_max);
}

bool s3s_env_alloc_has_failed(const s3s_env *env)
{
    return atomic_load(&env->fail_alloc_at) > UINT64_MAX / 2; /* it goes on counting down from the top */
}

uint64_t s3s_env_live_allocs(const s3s_env *env)
{
    return atomic_load(&env->live_allocs);
}

/* ---- clocks ---------------------------------------------------------------------------------- */

static int64_t read_clock_ns(clockid_t id)
{
    struct timespec t = {0};
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t clock_us(s3s_env *env, s3s_clock clock, clockid_t id)
{
    if (s3s_env_is_simulated(env))
        return env->ops->clock_us(env, clock);
    return read_clock_ns(id) / 1000;
}

int64_t s3s_wall_us(s3s_env *env)
{
    return clock_us(env, S3S_CLOCK_WALL, CLOCK_REALTIME);
}

int64_t s3s_mono_us(s3s_env *env)
{
    return clock_us(env, S3S_CLOCK_MONO, CLOCK_MONOTONIC);
}

int64_t s3s_boot_us(s3s_env *env)
{
    return clock_us(env, S3S_CLOCK_BOOT, CLOCK_BOOTTIME);
}

int64_t s3s_server_wall_us(s3s_env *env)
{
    return clock_us(env, S3S_CLOCK_SERVER, CLOCK_REALTIME);
}

int64_t s3s_env_wall_ns(s3s_env *env)
{
    if (s3s_env_is_simulated(env))
        return env->ops->clock_us(env, S3S_CLOCK_WALL) * 1000;
    return read_clock_ns(CLOCK_REALTIME);
}

s3s_sequence *s3s_env_sequence_lock(s3s_env *env)
{
    pthread_mutex_lock(&env->mutex);
    return env->ops != NULL ? env->ops->sequence(env) : &env->locked.sequence;
}

void s3s_env_sequence_unlock(s3s_env *env)
{
    pthread_mutex_unlock(&env->mutex);
}

int64_t s3s_stamp_us(s3s_env *env)
{
    /* Before the lock: whoever stands still at its clock must not keep the others from theirs. */
    int64_t now = s3s_wall_us(env);
    s3s_sequence *sequence = s3s_env_sequence_lock(env);
    if (now <= sequence->last_stamp_us)
        now = sequence->last_stamp_us + 1;
    sequence->last_stamp_us = now;
    s3s_env_sequence_unlock(env);
    return now;
}

/* ---- sleep ----------------------------------------------------------------------------------- */

struct sleeper {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool cancelled;
};

static void wake_sleeper(void *ctx)
{
    struct sleeper *s = ctx;
    pthread_mutex_lock(&s->mutex);
    s->cancelled = true;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

static struct timespec deadline_after(int64_t duration_us)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC, &t);
    /* Longer than a century is a century: keeps the arithmetic in range. */
    const int64_t century_us = INT64_C(36525) * 86400 * 1000000;
    if (duration_us > century_us)
        duration_us = century_us;
    t.tv_sec += (time_t)(duration_us / 1000000);
    t.tv_nsec += (long)(duration_us % 1000000) * 1000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* The trigger calls wake_sleeper with the token's lock held; the sleeper never asks for that lock
 * while it holds its own, so the order is always token, sleeper. */
static bool sleep_until_cancelled(const struct timespec *until, s3store_cancel *cancel)
{
    struct sleeper s = {.cancelled = false};
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s.mutex, NULL);
    pthread_cond_init(&s.cond, &attr);
    pthread_condattr_destroy(&attr);

    s3s_cancel_sub sub = {0};
    s3s_cancel_subscribe(cancel, &sub, wake_sleeper, &s);
    pthread_mutex_lock(&s.mutex);
    while (!s.cancelled) {
        if (pthread_cond_timedwait(&s.cond, &s.mutex, until) != 0)
            break;
    }
    bool cancelled = s.cancelled;
    pthread_mutex_unlock(&s.mutex);
    s3s_cancel_unsubscribe(cancel, &sub);
    pthread_cond_destroy(&s.cond);
    pthread_mutex_destroy(&s.mutex);
    return cancelled;
}

s3store_status s3s_sleep_us(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                            s3store_error *err)
{
    if (s3s_env_is_simulated(env))
        return env->ops->sleep(env, duration_us, cancel, err);
    bool cancelled = cancel != NULL && s3store_cancel_is_triggered(cancel);
    if (!cancelled && duration_us > 0) {
        struct timespec until = deadline_after(duration_us);
        if (cancel != NULL) {
            cancelled = sleep_until_cancelled(&until, cancel);
        } else {
            while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
                continue;
        }
    }
    if (cancelled)
        return s3s_fail(err, S3STORE_CANCELLED, "cancelled by the caller during a pause");
    return S3STORE_OK;
}

/* ---- randomness, points, log ----------------------------------------------------------------- */

s3store_status s3s_random(s3s_env *env, void *out, size_t size, s3store_error *err)
{
    if (s3s_env_is_simulated(env)) {
        env->ops->random(env, out, size);
        return S3STORE_OK;
    }
    uint8_t *at = out;
    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return s3s_fail_errno(err, errno, "read random bytes from the system", NULL);
        at += n;
        size -= (size_t)n;
    }
    return S3STORE_OK;
}

void s3s_env_point(s3s_env *env, s3s_point kind, const char *what)
{
    if (__builtin_expect(s3s_env_is_simulated(env), 0))
        env->ops->point(env, kind, what);
}

void s3s_log(s3s_env *env, s3store_log_level level, const char *message, ...)
{
    if (env == NULL || env->log_fn == NULL || level == S3STORE_LOG_OFF || level > env->log_level)
        return;
    s3store_log_field fields[LOG_FIELDS_MAX];
    size_t count = 0;
    va_list args;
    va_start(args, message);
    while (count < LOG_FIELDS_MAX) {
        const char *key = va_arg(args, const char *);
        if (key == NULL)
            break;
        const char *value = va_arg(args, const char *);
        fields[count].key = key;
        fields[count].value = value != NULL ? value : "";
        count++;
    }
    va_end(args);
    env->log_fn(env->log_ctx, level, message, fields, count);
}

/* ---- call limits ----------------------------------------------------------------------------- */

s3store_status s3s_call_check(s3s_env *env, const s3store_call *call, s3store_error *err)
{
    if (call == NULL)
        return S3STORE_OK;
    if (call->cancel != NULL && s3store_cancel_is_triggered(call->cancel))
        return s3s_fail(err, S3STORE_CANCELLED, "cancelled by the caller");
    if (call->deadline_us != S3STORE_TIME_NONE && s3s_mono_us(env) >= call->deadline_us)
        return s3s_fail(err, S3STORE_TIMEOUT, "the time limit of the call has passed");
    return S3STORE_OK;
}

s3store_call s3s_call_make(s3s_env *env, s3store_cancel *cancel, int64_t timeout_ms)
{
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    if (timeout_ms != 0) {
        int64_t us;
        if (__builtin_mul_overflow(timeout_ms, 1000, &us) ||
            __builtin_add_overflow(s3s_mono_us(env), us, &call.deadline_us))
            call.deadline_us = timeout_ms > 0 ? INT64_MAX : INT64_MIN + 1;
    }
    return call;
}
