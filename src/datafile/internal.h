/* datafile/internal.h: how the bytes of one object get here. Private to datafile/. */
#ifndef S3S_DATAFILE_INTERNAL_H
#define S3S_DATAFILE_INTERNAL_H

#include <stdatomic.h>

#include "base/sync.h"
#include "datafile/datafile.h"

/* A piece of the object in memory. */
typedef struct s3s_region {
    uint64_t offset;
    uint64_t size;
    uint8_t *data;
} s3s_region;

/* A range that will be read; those of one step are fetched together and live together. */
typedef struct s3s_planned {
    s3s_byte_range range;
    uint32_t step;
} s3s_planned;

/* Random access to one object: whole in memory, or its tail and whatever the plan fetched last. */
typedef struct s3s_fetch {
    s3s_env *env;
    const s3store_object_store *store;
    s3store_call call;
    s3s_pool *pool;
    char *key;
    char etag[72];
    uint64_t file_size;
    uint64_t memory_bytes;
    uint64_t admitted;

    atomic_uint_fast64_t fetched_bytes; /* of bodies, so far: ranges may come side by side */

    bool is_whole;
    s3s_buffer body; /* whole object, or its tail */
    s3s_parquet_memory memory;

    s3s_planned *plan;
    size_t plan_count, plan_capacity;
    s3s_region *regions; /* of the current step */
    size_t region_count;
    /* Several threads read: regions are found and changed under the mutex, and one thread at a time
     * fetches a step (is_loading). */
    bool is_shared, is_loading;
    s3s_mutex mutex;
    s3s_cond loaded;
    s3s_region held; /* page indexes, while predicates are looked at; size 0 = none */
} s3s_fetch;

/* Fetches the object whole or its tail, as the options and the size say. */
s3store_status s3s_fetch_open(s3s_env *env, const s3store_object_store *store,
                              const s3store_call *call, const s3s_datafile_options *options,
                              s3s_fetch *out, s3store_error *err);
void s3s_fetch_deinit(s3s_fetch *fetch);

s3s_parquet_source s3s_fetch_source(s3s_fetch *fetch);
/* From now on several threads may read. false: they may not, for want of memory. */
bool s3s_fetch_share(s3s_fetch *fetch);

/* Plans what a cursor over these columns will read. Does nothing for a whole object. */
s3store_status s3s_fetch_plan(s3s_fetch *fetch, const s3s_parquet_file *parquet,
                              const size_t *columns, size_t column_count, s3store_error *err);
/* Leaves those row groups out of the plan of which a cursor reads nothing. */
s3store_status s3s_fetch_replan(s3s_fetch *fetch, const s3s_parquet_file *parquet,
                                s3s_parquet_cursor *cursor, const size_t *columns,
                                size_t column_count, s3store_error *err);
/* Fetches a range and keeps it until it is dropped; nothing where it is held already, or too
 * large. */
s3store_status s3s_fetch_hold(s3s_fetch *fetch, s3s_byte_range range, s3store_error *err);
void s3s_fetch_drop(s3s_fetch *fetch);
void s3s_fetch_unplan(s3s_fetch *fetch);

/* Makes sure that the error names the object. Returns status. */
s3store_status s3s_fetch_blame(const char *key, s3store_status status, s3store_error *err);

#endif
