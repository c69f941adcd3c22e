/* dataset/data_walk.h: the objects of the data tree that a pattern matches, as LIST shows them, one
 * at a time and in key order; nothing is kept.
 */
#ifndef S3S_DATASET_DATA_WALK_H
#define S3S_DATASET_DATA_WALK_H

#include "dataset/pattern.h"
#include "dataset/target.h"

/* The patterns of one call; BAD_CONFIG when they need partition columns that nobody named. */
s3store_status s3s_target_patterns(const s3store_target *target, const char *const *texts,
                                   size_t count, s3s_patterns *out, s3store_error *err);

/* One object. FOREIGN ones come only for a pattern that matches everything. Any status but OK ends
 * the walk with it. */
typedef s3store_status (*s3s_data_fn)(void *ctx, const s3s_data_name *name,
                                      const s3store_list_entry *entry, s3store_error *err);

/* fn is called from the calling thread. result may be NULL. CORRUPT when the server lists out of
 * key order: what relies on the order would lose objects silently. */
s3store_status s3s_data_walk(s3store_target *target, const s3store_call *call,
                             const s3s_pattern *pattern, s3s_data_fn fn, void *ctx,
                             s3s_walk_result *result, s3store_error *err);

#endif
