/* api/parquet_ahead.h: the batches of a Parquet file, the next one decoded while one is used.
 * Private to api/. */
#ifndef S3S_API_PARQUET_AHEAD_H
#define S3S_API_PARQUET_AHEAD_H

#include "base/pool.h"
#include "parquet/parquet.h"

typedef struct s3s_parquet_ahead s3s_parquet_ahead;

/* Begins at once; the cursor is nobody else's until this is freed. One batch is ahead as long as
 * batches have at most max_bytes each: that much memory comes on top of what the consumer holds. */
s3store_status s3s_parquet_ahead_new(s3s_env *env, s3s_pool *pool, s3s_parquet_cursor *cursor,
                                     uint64_t max_bytes, s3s_parquet_ahead **out,
                                     s3store_error *err);
/* As s3s_parquet_cursor_next: the same batches, and the same failure after them. */
s3store_status s3s_parquet_ahead_next(s3s_parquet_ahead *ahead, struct ArrowArray *out,
                                      s3store_error *err);
/* Ends within the time of one batch. NULL allowed. */
void s3s_parquet_ahead_free(s3s_parquet_ahead *ahead);

#endif
