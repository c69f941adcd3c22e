/* dataset/pattern_walk.h: the keys that a pattern may match, by LISTs that leave out what it cannot.
 */
#ifndef S3S_DATASET_PATTERN_WALK_H
#define S3S_DATASET_PATTERN_WALK_H

#include "dataset/pattern.h"
#include "dataset/target.h"

/* Calls fn for each key under "<root>/" inside the bounds of the pattern, in key order, each once;
 * whether it matches is the callee's business. key: whole; relative: behind "<root>/". Any status
 * but OK ends the walk with it. CORRUPT: the server does not list in key order, and rows would be
 * lost silently. result may be NULL. */
typedef s3store_status (*s3s_pattern_key_fn)(void *ctx, const s3store_list_entry *entry,
                                             const char *relative, s3store_error *err);
s3store_status s3s_pattern_walk(s3store_target *target, const s3store_call *call, const char *root,
                                const s3s_pattern *pattern, s3s_pattern_key_fn fn, void *fn_ctx,
                                s3s_walk_result *result, s3store_error *err);

#endif
