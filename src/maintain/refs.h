/* maintain/refs.h: all refs of a dataset. */
#ifndef S3S_MAINTAIN_REFS_H
#define S3S_MAINTAIN_REFS_H

#include "dataset/target.h"

/* ref NULL: the key is none, why says what is wrong with it. Never two calls at once. Any status
 * but OK ends the walk with it. */
typedef s3store_status (*s3s_ref_fn)(void *ctx, const s3s_ref *ref, const char *why,
                                     const s3store_list_entry *entry, s3store_error *err);

/* slices > 1: after the first page the stream is listed in that many ranges of time side by side
 * at most, and refs come in no order; else one page after the other, in order. lists: pages asked
 * for. */
s3store_status s3s_refs_walk(s3store_target *target, const s3store_call *call, size_t slices,
                             s3s_ref_fn fn, void *ctx, uint64_t *lists, s3store_error *err);

#endif
