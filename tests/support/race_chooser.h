/* tests/support/race_chooser.h: of a simulation, only the race is enumerated, not what comes before and
 * after it. */
#ifndef S3S_TESTS_SUPPORT_RACE_CHOOSER_H
#define S3S_TESTS_SUPPORT_RACE_CHOOSER_H

#include "base/sim.h"

typedef struct race_chooser {
    s3s_explorer *explorer;
    bool racing; /* else the first choice is taken */
} race_chooser;

/* For s3s_sim_options.choose, with a race_chooser as its context. */
static inline size_t race_choose(void *ctx, size_t count, const char *const *names)
{
    race_chooser *c = ctx;
    return c->racing ? s3s_explore_choose(c->explorer, count, names) : 0;
}

#endif
