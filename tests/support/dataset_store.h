/* tests/support/dataset_store.h: a store that holds a dataset whose objects are computed, never
 * stored: millions of them in no memory. Knows LIST, HEAD and GET of what a dataset "ds" has.
 *
 * Token i (12 digits) of partition p=<i / 1000> has two objects of data: its data object and its
 * marker, or, for every dead_every-th, two data objects and no marker; and one ref. Commits are a
 * month old.
 */
#ifndef S3S_TESTS_SUPPORT_DATASET_STORE_H
#define S3S_TESTS_SUPPORT_DATASET_STORE_H

#include <stdatomic.h>

#include "objstore/objstore.h"

typedef struct dataset_store {
    s3s_env *env;
    uint64_t tokens;
    uint64_t dead_every; /* 0 = none */
    int64_t first_stamp_us;
    atomic_uint_fast64_t lists, heads;
    /* The most that was ever in use when a request came. */
    atomic_uint_fast64_t most_allocations, most_bytes;
} dataset_store;

/* The store borrows d, whose env, tokens and dead_every are set. */
s3store_object_store dataset_store_make(dataset_store *d);

#endif
