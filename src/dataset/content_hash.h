/* dataset/content_hash.h: what the rows of a commit are, as a number (docs/FORMAT.md "Content
 * hash"), and the size of a row, by which inputs are cut into chunks. */
#ifndef S3S_DATASET_CONTENT_HASH_H
#define S3S_DATASET_CONTENT_HASH_H

#include "arrow/array.h"

/* skip[i]: column i is left out; NULL = none. schema outlives the hasher. */
typedef struct s3s_content_hasher s3s_content_hasher;
s3store_status s3s_content_hasher_new(s3s_env *env, const s3s_schema *schema, const bool *skip,
                                      s3s_content_hasher **out, s3store_error *err);
void s3s_content_hasher_add(s3s_content_hasher *h, const struct ArrowArray *batch);
uint64_t s3s_content_hasher_end(s3s_content_hasher *h);
void s3s_content_hasher_free(s3s_content_hasher *h); /* NULL allowed */
/* Of one batch. */
s3store_status s3s_content_hash(s3s_env *env, const s3s_schema *schema,
                                const struct ArrowArray *batch, const bool *skip, uint64_t *out,
                                s3store_error *err);
/* The size of every row of a batch (FORMAT "Chunks"); UINT32_MAX also for larger ones. */
void s3s_row_sizes(const s3s_schema *schema, const struct ArrowArray *batch, const bool *skip,
                   uint32_t *sizes);
/* What a row takes in memory besides, whatever is null. */
uint64_t s3s_row_width(const s3s_schema *schema);

#endif
