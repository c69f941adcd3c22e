/* scan/merge_private.h: what merge.c and merge_packed.c share: versions as numbers, and the table
 * that finds the winner of an entity. */
#ifndef S3S_SCAN_MERGE_PRIVATE_H
#define S3S_SCAN_MERGE_PRIVATE_H

#include "scan/internal.h"

#define S3S_MERGE_BLOCK 64 /* rows whose memory is asked for before it is needed */

/* versions[i] of row i of a batch, as numbers in order. */
void s3s_merge_versions(const scan_plan *plan, const struct ArrowArray *batch, uint64_t *versions);

typedef struct merge_slot {
    uint32_t hash; /* saves most key comparisons */
    uint32_t item; /* 0 = empty, else its index + 1 */
} merge_slot;

/* Open addressing, a power of two. */
typedef struct merge_table {
    merge_slot *slots;
    size_t capacity;
    uint64_t seed; /* nobody outside can know which keys collide */
} merge_table;

s3store_status s3s_merge_table_init(merge_table *table, s3s_env *env, size_t row_count,
                                    s3store_error *err);
/* Room for `more` items beside those that are there. */
s3store_status s3s_merge_table_reserve(merge_table *table, s3s_env *env, size_t item_count,
                                       size_t more, s3store_error *err);

/* The finalizer of MurmurHash3. */
static inline uint64_t merge_mix(uint64_t h)
{
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* LATEST of narrow keys without nulls that are close to one another. *done false: they are not, and
 * nothing was done. */
s3store_status s3s_merge_dense(s3s_env *env, const scan_plan *plan,
                               const struct ArrowArray **batches, size_t batch_count,
                               size_t row_count, size_t longest, merged_rows *out, bool *done,
                               s3store_error *err);

/* LATEST of narrow keys of many entities. *done false: they are few, or versions differ by more than
 * there are bits for, and nothing was done. */
s3store_status s3s_merge_narrow(s3s_env *env, const scan_plan *plan, bool nulls,
                                const struct ArrowArray **batches, size_t batch_count,
                                size_t row_count, size_t longest, merged_rows *out, bool *done,
                                s3store_error *err);

/* LATEST where all keys fit into S3S_PACKED_BYTES (narrow keys do; nulls: with a byte for null
 * each). */
#define S3S_PACKED_BYTES 15
s3store_status s3s_merge_packed(s3s_env *env, const scan_plan *plan, bool narrow, bool nulls,
                                const struct ArrowArray **batches, size_t batch_count,
                                size_t row_count, size_t longest, merged_rows *out,
                                s3store_error *err);

#endif
