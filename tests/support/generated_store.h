/* tests/support/generated_store.h: a store whose keys are computed, never stored: listings of
 * millions of them in no memory. Only LIST works.
 *
 *   <prefix>period=<%05u>/customer=<%05u>/<%07u>.parquet
 */
#ifndef S3S_TESTS_SUPPORT_GENERATED_STORE_H
#define S3S_TESTS_SUPPORT_GENERATED_STORE_H

#include "objstore/objstore.h"

typedef struct generated_store {
    s3s_env *env;
    const char *prefix;
    uint64_t periods, customers, files; /* files of each customer of each period */
    int64_t delay_us;                   /* of each LIST */
    _Atomic uint64_t lists;
    _Atomic uint64_t running, most_running;
} generated_store;

/* The store borrows g. */
s3store_object_store generated_store_make(generated_store *g);
uint64_t generated_store_count(const generated_store *g);
void generated_store_key(const generated_store *g, uint64_t i, char *out, size_t out_size);

#endif
