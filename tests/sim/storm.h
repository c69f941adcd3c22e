/* tests/sim/storm.h: random histories, larger than those that can be enumerated: many writers, readers
 * and operators over several partitions, on virtual time, with the real code.
 *
 * A seed says what a storm is made of: elements, each with a number: writes, readers, snapshots, an
 * operator's restamps and sweeps, single faults, times of throttling, clocks, latency, and in the
 * world of damage what a foreign hand puts there. A mask says which of them are there. So the same
 * world, seed and mask are the same storm on every machine, and what fails can be made smaller, one
 * element after the other.
 *
 * What must hold is what holds in every history (history.h, (a) to (i)), but for what a world takes
 * away.
 */
#ifndef S3S_TESTS_SIM_STORM_H
#define S3S_TESTS_SIM_STORM_H

#include "base/error.h"

#define STORM_ALL UINT64_MAX

typedef enum storm_world {
    /* The server honours conditions, commits expire. All of (a) to (i). */
    STORM_PLAIN,
    /* The server ignores If-None-Match, which writers have to notice. Of writers of one token one
     * begins when the others have ended or died: more is out of contract. All of (a) to (i). */
    STORM_UNCONDITIONAL,
    /* fence=off. A commit that was told as done in time is in the stream, and for it (d), (e) and (f)
     * hold; one that came late may be missed, and the stream may gain it behind its readers. What
     * they miss verify finds, and a restamp brings. The rest of (a) to (i). */
    STORM_UNFENCED,
    /* Somebody else puts commit markers that cannot be read, over good ones too, and refs that are
     * none. Of the tokens that were hit nothing is asked, but that nobody removes what the marker may
     * name; whoever meets one names its key, or passes it if asked to. For all others (a) to (i). */
    STORM_DAMAGED,
    STORM_WORLDS,
} storm_world;

extern const char *const storm_world_names[STORM_WORLDS];
storm_world storm_world_of(const char *name); /* STORM_WORLDS: there is none of that name */

typedef struct storm_id {
    storm_world world;
    uint64_t seed;
} storm_id;

/* Sums over storms, for figures. */
typedef struct storm_sums {
    uint64_t storms, writes, acknowledged, crashed, failed, commits, chunks, entries, polls;
    uint64_t snapshots, faults, throttled, removed, restamped;
    uint64_t missed;  /* commits that a reader of the stream did not get; the fence is off */
    uint64_t damaged; /* tokens with a marker that cannot be read */
    uint64_t stopped, skipped, refused; /* polls before such a marker, markers passed, snapshots */
} storm_sums;

/* OK, or what did not hold: a message that begins with its letter. sums may be NULL. */
s3store_status storm_run(storm_id id, uint64_t mask, storm_sums *sums, s3store_error *err);
/* How many elements there are: bits of a mask. */
size_t storm_element_count(storm_id id);
/* What an element is, as text. */
void storm_describe(storm_id id, size_t element, char *out, size_t size);
/* A mask with as few elements as can be found by leaving out one after the other, that still fails
 * with the same letter. *runs: how many storms that took. */
uint64_t storm_shrink(storm_id id, uint64_t mask, const s3store_error *failure, unsigned *runs);

#endif
