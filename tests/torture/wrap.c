/* What the linker puts in the place of malloc, clock_gettime and the library's sleep. */
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/env.h"
#include "torture/torture.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
int __real_clock_gettime(clockid_t id, struct timespec *out);
s3store_status __real_s3s_sleep_us(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                                   s3store_error *err);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);
s3store_status __wrap_s3s_sleep_us(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                                   s3store_error *err);

static atomic_bool armed, all_from_then_on;
static atomic_int_fast64_t left, live;
static atomic_uint_fast64_t hit;

void torture_alloc_arm(uint64_t n, bool from_then_on)
{
    atomic_store(&left, (int64_t)n);
    atomic_store(&all_from_then_on, from_then_on);
    atomic_store(&hit, 0);
    atomic_store(&armed, true);
}

uint64_t torture_alloc_disarm(void)
{
    atomic_store(&armed, false);
    return atomic_load(&hit);
}

int64_t torture_alloc_live(void)
{
    return atomic_load(&live);
}

static bool must_fail(void)
{
    if (!atomic_load_explicit(&armed, memory_order_relaxed))
        return false;
    int64_t before = atomic_fetch_sub(&left, 1);
    bool fails = before == 0 || (before < 0 && atomic_load(&all_from_then_on));
    if (fails)
        atomic_fetch_add(&hit, 1);
    return fails;
}

static void *count(void *p)
{
    if (p != NULL)
        atomic_fetch_add(&live, 1);
    return p;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : count(__real_malloc(size));
}

void *__wrap_calloc(size_t items, size_t size)
{
    return must_fail() ? NULL : count(__real_calloc(items, size));
}

void *__wrap_realloc(void *p, size_t size)
{
    if (must_fail())
        return NULL;
    return p == NULL ? count(__real_realloc(p, size)) : __real_realloc(p, size);
}

void __wrap_free(void *p)
{
    if (p != NULL)
        atomic_fetch_sub(&live, 1);
    __real_free(p);
}

/* ---- time -------------------------------------------------------------------------------------------- */

static atomic_bool is_virtual;
static atomic_int_fast64_t offset_us;

void torture_time_virtual(bool on)
{
    atomic_store(&is_virtual, on);
    if (!on)
        atomic_store(&offset_us, 0);
}

void torture_time_pass(int64_t duration_us)
{
    atomic_fetch_add(&offset_us, duration_us);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
    int status = __real_clock_gettime(id, out);
    int64_t us = out->tv_nsec / 1000 + atomic_load(&offset_us);
    out->tv_sec += us / 1000000;
    out->tv_nsec = us % 1000000 * 1000 + out->tv_nsec % 1000;
    return status;
}

s3store_status __wrap_s3s_sleep_us(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                                   s3store_error *err)
{
    if (!atomic_load(&is_virtual))
        return __real_s3s_sleep_us(env, duration_us, cancel, err);
    if (duration_us > 0)
        atomic_fetch_add(&offset_us, duration_us);
    return S3STORE_OK;
}
