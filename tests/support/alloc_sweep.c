#include "support/alloc_sweep.h"

#include <inttypes.h>

#include "base/env_private.h"

#define POINTS_MAX 200000

/* What is swept: one of fn and step. */
typedef struct sweep {
    s3s_env *env;
    bool alone;  /* nothing else is allocated in env */
    alloc_sweep_fn fn;
    alloc_step step;
    void *ctx;
} sweep;

/* Whether there was an n-th allocation to fail. */
static bool run(const sweep *s, uint64_t n, s3store_status *status)
{
    s3store_error err = {0};
    assert_true(n < POINTS_MAX);
    s3s_env_fail_any_alloc_at(s->env, n);
    *status = s->fn != NULL ? s->fn(s->ctx, &err) : s->step(s->ctx, s->env, &err);
    bool failed = s3s_env_alloc_has_failed(s->env);
    s3s_env_fail_alloc_at(s->env, UINT64_MAX);
    bool told = *status == S3STORE_OUT_OF_MEMORY && err.status == *status && err.message[0] != '\0';
    if (*status != S3STORE_OK && !(failed && told))
        fail_msg("allocation %" PRIu64 ": %s: \"%s\"", n, s3store_status_name(*status),
                 err.message);
    if (s->alone)
        assert_int_equal(s3s_env_live_allocs(s->env), 0);
    return failed;
}

/* How many points there were, and how many of them made it fail. */
static size_t sweep_all(const sweep *s, size_t stride, size_t *failures)
{
    size_t points = 0;
    s3store_status status;
    for (uint64_t n = 0; run(s, n, &status); n += stride) {
        points++;
        *failures += status != S3STORE_OK;
    }
    return points;
}

size_t alloc_sweep(s3s_env *env, size_t stride, alloc_sweep_fn fn, void *ctx)
{
    s3store_error err;
    size_t failures = 0;
    const sweep s = {.env = env, .fn = fn, .ctx = ctx};
    assert_ok(fn(ctx, &err));
    return sweep_all(&s, stride, &failures);
}

void alloc_steps(alloc_step step, void *ctx)
{
    s3store_error err;
    size_t failures = 0;
    sweep s = {.alone = true, .step = step, .ctx = ctx};
    assert_ok(s3s_env_new_real(&s.env, &err));
    sweep_all(&s, 1, &failures);
    assert_true(failures > 0);
    s3s_env_release(s.env);
}

void alloc_steps_within(s3s_env *env, bool kept, alloc_step step, void *ctx)
{
    size_t failures = 0;
    const sweep s = {.env = env, .step = step, .ctx = ctx};
    sweep_all(&s, 1, &failures);
    if (kept)
        sweep_all(&s, 1, &failures);
    assert_true(failures > 2);
}
