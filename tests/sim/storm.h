/* tests/sim/storm.h: random histories, larger than those that can be enumerated: many writers, readers
 * and operators over several partitions, on virtual time, with the real code.
 *
 * A seed says what a storm is made of: elements, each with a number: writes, readers, snapshots, an
 * operator's restamps and sweeps, single faults, times of throttling, clocks, latency. A mask says
 * which of them are there. So the same seed and mask are the same storm on every machine, and what
 * fails can be made smaller, one element after the other.
 *
 * What must hold is what holds in every history (history.h, (a) to (i)).
 */
#ifndef S3S_TESTS_SIM_STORM_H
#define S3S_TESTS_SIM_STORM_H

#include "base/error.h"

#define STORM_ALL UINT64_MAX

/* Sums over storms, for figures. */
typedef struct storm_sums {
    uint64_t storms, writes, acknowledged, crashed, failed, commits, chunks, entries, polls;
    uint64_t snapshots, faults, throttled, removed, restamped;
} storm_sums;

/* OK, or what did not hold: a message that begins with its letter. sums may be NULL. */
s3store_status storm_run(uint64_t seed, uint64_t mask, storm_sums *sums, s3store_error *err);
/* How many elements there are: bits of a mask. */
size_t storm_element_count(uint64_t seed);
/* What an element is, as text. */
void storm_describe(uint64_t seed, size_t element, char *out, size_t size);
/* A mask with as few elements as can be found by leaving out one after the other, that still fails
 * with the same letter. *runs: how many storms that took. */
uint64_t storm_shrink(uint64_t seed, uint64_t mask, const s3store_error *failure, unsigned *runs);

#endif
