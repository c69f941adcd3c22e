/* dataset/fence.c: until when a commit may be applied (docs/FORMAT.md "Fenced commit").
 * Arithmetic. */
#include "dataset/target.h"

#include "base/timefmt.h"

#define SECOND_US 1000000

static int64_t floor_second(int64_t time_us)
{
    return s3s_floor_div(time_us, SECOND_US) * SECOND_US;
}

int64_t s3s_fence_granularity_us(const s3store_target *target)
{
    return target->local ? 0 : SECOND_US;
}

int64_t s3s_fence_allowance_us(const s3store_target *target)
{
    int64_t quarter = target->commit_timeout_us / 4;

    if (target->local)
        return 0;
    if (quarter < SECOND_US / 4)
        return SECOND_US / 4;
    return quarter < 5 * SECOND_US ? quarter : 5 * SECOND_US;
}

int64_t s3s_settled_after_us(const s3store_target *target)
{
    return target->commit_timeout_us + target->max_clock_skew_us +
           s3s_fence_granularity_us(target) + s3s_fence_allowance_us(target);
}

bool s3s_fence_possible(const s3store_target *target)
{
    if (target->fence == S3STORE_FENCE_OFF)
        return false;
    if (target->local)
        return true;
    /* 1 s more for the floor of the stamp, and at least 1 s in which to send. */
    return target->commit_timeout_us - s3s_fence_granularity_us(target) -
               s3s_fence_allowance_us(target) - SECOND_US - target->max_clock_skew_us >=
           SECOND_US;
}

void s3s_fence_window(const s3store_target *target, int64_t stamp_us, int64_t *valid_from_us,
                      int64_t *expires_at_us)
{
    int64_t skew = target->max_clock_skew_us;

    if (target->local) {
        *valid_from_us = stamp_us - skew;
        *expires_at_us = stamp_us + target->commit_timeout_us;
        return;
    }
    *valid_from_us = floor_second(stamp_us) + floor_second(-skew);
    *expires_at_us = floor_second(stamp_us + target->commit_timeout_us -
                                  s3s_fence_granularity_us(target) -
                                  s3s_fence_allowance_us(target));
}
