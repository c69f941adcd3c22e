/* tests/support/alloc_sweep.h: an operation again and again, each time with another allocation that
 * fails, those out of arenas included, until it has fewer.
 *
 * Of each run: OUT_OF_MEMORY with a message, or OK, where it can do without. That nothing is left
 * behind the caller sees at the end (fixture_close_clean): counters of errors may be there from now on.
 * One thread: allocations have to come in the same order every time (max_inflight = 1). */
#ifndef S3S_TESTS_SUPPORT_ALLOC_SWEEP_H
#define S3S_TESTS_SUPPORT_ALLOC_SWEEP_H

#include "base/env.h"
#include "support/test.h"

/* Checks what it gets and frees all of it. What it allocates of the test's own fails as well. */
typedef s3store_status (*alloc_sweep_fn)(void *ctx, s3store_error *err);

/* Every stride-th allocation fails in its turn (1: every one). How many that were. */
size_t alloc_sweep(s3s_env *env, size_t stride, alloc_sweep_fn fn, void *ctx);

#endif
