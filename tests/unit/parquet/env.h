/* tests/unit/parquet/env.h: the env of a program's tests, made before them; nothing of it may be left
 * behind. */
#ifndef S3S_TESTS_PARQUET_ENV_H
#define S3S_TESTS_PARQUET_ENV_H

#include "support/test.h"

#include "base/env.h"

static s3s_env *env;

static int setup(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(s3s_env_new_real(&env, &err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
    return 0;
}

#endif
