#include "support/alloc_sweep.h"

#include <inttypes.h>

#include "base/env_private.h"

#define POINTS_MAX 200000

size_t alloc_sweep(s3s_env *env, size_t stride, alloc_sweep_fn fn, void *ctx)
{
    s3store_error err;
    assert_ok(fn(ctx, &err)); /* what is made once is there now */
    for (uint64_t n = 0;; n += stride) {
        memset(&err, 0, sizeof err);
        s3s_env_fail_any_alloc_at(env, n);
        s3store_status status = fn(ctx, &err);
        bool failed = s3s_env_alloc_has_failed(env);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        if (!failed) {
            assert_int_equal(status, S3STORE_OK);
            return (size_t)(n / stride);
        }
        if (status != S3STORE_OK && (status != S3STORE_OUT_OF_MEMORY || err.status != status ||
                                     err.message[0] == '\0'))
            fail_msg("point %" PRIu64 ": %s: \"%s\"", n, s3store_status_name(status), err.message);
        assert_true(n < POINTS_MAX);
    }
}
