#include "support/alloc_steps.h"

#define MOST_ALLOCATIONS 10000

void alloc_steps(alloc_step step, void *ctx)
{
    s3store_error err;
    s3s_env *env;
    s3store_status status = S3STORE_OUT_OF_MEMORY;
    uint64_t n;
    assert_ok(s3s_env_new_real(&env, &err));
    for (n = 0; n < MOST_ALLOCATIONS && status == S3STORE_OUT_OF_MEMORY; n++) {
        memset(&err, 0, sizeof err);
        s3s_env_fail_alloc_at(env, n);
        status = step(ctx, env, &err);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        assert_int_equal(s3s_env_live_allocs(env), 0);
        assert_int_equal(err.status, status);
        assert_true(status == S3STORE_OK || err.message[0] != '\0');
    }
    assert_int_equal(status, S3STORE_OK);
    assert_true(n > 1);
    s3s_env_release(env);
}

/* One sweep; how many of the runs failed. */
static size_t sweep_within(s3s_env *env, alloc_step step, void *ctx)
{
    size_t failures = 0, successes = 0;
    for (uint64_t n = 0; successes < 50; n++) {
        s3store_error err = {0};
        assert_true(n < MOST_ALLOCATIONS);
        s3s_env_fail_alloc_at(env, n);
        s3store_status status = step(ctx, env, &err);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        if (status != S3STORE_OK && status != S3STORE_OUT_OF_MEMORY)
            fail_msg("allocation %llu failed, then: %s: %s", (unsigned long long)n,
                     s3store_status_name(status), err.message);
        assert_int_equal(err.status, status);
        successes = status == S3STORE_OK ? successes + 1 : 0;
        failures += status != S3STORE_OK;
    }
    return failures;
}

void alloc_steps_within(s3s_env *env, bool kept, alloc_step step, void *ctx)
{
    size_t failures = sweep_within(env, step, ctx);
    if (kept)
        failures += sweep_within(env, step, ctx);
    assert_true(failures > 2);
}
