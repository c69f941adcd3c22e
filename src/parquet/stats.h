/* parquet/stats.h: the least and greatest value of a page or chunk, in the order of its type. */
#ifndef S3S_PARQUET_STATS_H
#define S3S_PARQUET_STATS_H

#include "arrow/types.h"
#include "parquet/metadata.h"

/* Longer bounds are left out of statistics, and cut in the page index. */
#define S3S_STATS_BYTES_MAX 64

struct s3s_stats;
typedef struct s3s_order {
    /* Values as the column writer has them: dense physical ones, or spans. */
    s3store_status (*update)(struct s3s_stats *stats, const void *values, size_t count,
                             s3store_error *err);
    size_t width; /* 0: byte strings */
} s3s_order;

typedef struct s3s_stats {
    const s3s_order *order; /* NULL: the type has no order, nothing is kept */
    bool any;               /* a value that counts was seen (NaN does not) */
    bool is_text;
    s3s_buffer min, max;
} s3s_stats;

void s3s_stats_init(s3s_stats *stats, s3s_env *env, const s3s_field *field);
void s3s_stats_deinit(s3s_stats *stats);
void s3s_stats_clear(s3s_stats *stats);
s3store_status s3s_stats_update(s3s_stats *stats, const void *values, size_t count,
                                s3store_error *err);
s3store_status s3s_stats_merge(s3s_stats *stats, const s3s_stats *page, s3store_error *err);
/* The thrift form; texts point into stats. */
void s3s_stats_describe(const s3s_stats *stats, int64_t null_count, s3s_pq_statistics *out);
/* Bounds for the page index: exact, or cut to S3S_STATS_BYTES_MAX so that they still bound.
 * Copied into arena. false when there are none, or no memory (then *failed). */
bool s3s_stats_bounds(const s3s_stats *stats, s3s_arena *arena, s3s_thrift_binary *min,
                      s3s_thrift_binary *max, bool *failed);

#endif
