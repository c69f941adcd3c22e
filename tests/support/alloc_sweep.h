/* tests/support/alloc_sweep.h: an operation again and again, each time with another allocation that
 * fails, until it has fewer. Those out of arenas count too.
 *
 * Of each run: OUT_OF_MEMORY with a message, or OK, where it can do without (a target does without each of
 * some 30 series of metrics). What it allocates of the test's own fails as well. One thread: allocations
 * have to come in the same order every time (max_inflight = 1). */
#ifndef S3S_TESTS_SUPPORT_ALLOC_SWEEP_H
#define S3S_TESTS_SUPPORT_ALLOC_SWEEP_H

#include "base/env.h"
#include "support/test.h"

/* Checks what it gets and frees all of it. */
typedef s3store_status (*alloc_sweep_fn)(void *ctx, s3store_error *err);
typedef s3store_status (*alloc_step)(void *ctx, s3s_env *env, s3store_error *err);

/* Every stride-th allocation fails in its turn (1: every one). How many
 * that were. What fn makes once is made before. That nothing is left behind the caller sees at the end
 * (fixture_close_clean): counters of errors may be there from now on. */
size_t alloc_sweep(s3s_env *env, size_t stride, alloc_sweep_fn fn, void *ctx);

/* In an env of its own: each run leaves nothing allocated there. */
void alloc_steps(alloc_step step, void *ctx);

/* In an env that is in use. Some runs must have failed; what is allocated is the caller's to check. kept:
 * step uses a handle that makes things once and keeps them, so that a second sweep finds the others. */
void alloc_steps_within(s3s_env *env, bool kept, alloc_step step, void *ctx);

#endif
