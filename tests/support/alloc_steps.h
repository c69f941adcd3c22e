/* tests/support/alloc_steps.h: something again and again, each time with another allocation that
 * fails. */
#ifndef S3S_TESTS_SUPPORT_ALLOC_STEPS_H
#define S3S_TESTS_SUPPORT_ALLOC_STEPS_H

#include "base/env.h"
#include "support/test.h"

/* Gets an env of its own, in which it allocates and frees; what it makes besides is from elsewhere. */
typedef s3store_status (*alloc_step)(void *ctx, s3s_env *env, s3store_error *err);

/* Runs step with the n-th allocation failing, for n = 0, 1, ... until it passes. A failure must be
 * OUT_OF_MEMORY, told, and leave nothing allocated; so must success. */
void alloc_steps(alloc_step step, void *ctx);

/* The same in an env that is in use, where some failures are made good (a target does without each
 * of some 30 series of metrics): it ends when step has passed 50 times in a row. Some must have
 * failed; what is allocated is the caller's to check. kept: step uses a handle that makes things once
 * and keeps them, so that a second sweep finds the others. */
void alloc_steps_within(s3s_env *env, bool kept, alloc_step step, void *ctx);

#endif
