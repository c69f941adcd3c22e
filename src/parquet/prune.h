/* parquet/prune.h: which rows of a row group cannot match predicates. Everything here may only ever
 * say "cannot" where that is certain: what is missing, odd or too large leaves all rows in.
 */
#ifndef S3S_PARQUET_PRUNE_H
#define S3S_PARQUET_PRUNE_H

#include "parquet/file.h"

/* Rows [begin, end) of a row group, ascending, apart. */
typedef struct s3s_row_range {
    int64_t begin, end;
} s3s_row_range;

/* A copy of a caller's predicate. */
typedef struct s3s_prune_term {
    const s3s_leaf *leaf;
    s3s_predicate_op op;
    bool ordered; /* the footer says by which order bounds were made */
    s3store_bytes *values;
    size_t value_count;
} s3s_prune_term;

typedef struct s3s_prune {
    s3s_arena arena;
    s3s_prune_term *terms;
    size_t term_count;
} s3s_prune;

s3store_status s3s_prune_init(s3s_prune *prune, const s3s_parquet_file *file,
                              const s3s_parquet_predicate *predicates, size_t count,
                              s3store_error *err);
void s3s_prune_deinit(s3s_prune *prune);
/* The rows of a group that may match, as ranges in `ranges` (s3s_row_range). Fails only for lack of
 * memory, or when the source does. */
s3store_status s3s_prune_group(const s3s_prune *prune, s3s_parquet_file *file, size_t group,
                               s3s_buffer *ranges, s3store_error *err);

/* The same by the footer's statistics alone: false = no row can match. */
bool s3s_prune_may_match_group(const s3s_prune *prune, const s3s_parquet_file *file, size_t group);

/* ---- bounds (prune_bounds.c) ----------------------------------------------------------------- */

/* What is known of some rows of a column. */
typedef struct s3s_bounds {
    const s3s_thrift_binary *min, *max; /* physical, NULL = unknown */
    int64_t rows, nulls;                /* nulls -1 = unknown */
} s3s_bounds;

/* The bounds that statistics of a chunk give, as far as they can be trusted. */
void s3s_bounds_of_statistics(const s3s_prune_term *term, const s3s_pq_statistics *statistics,
                              int64_t rows, s3s_bounds *out);
bool s3s_bounds_may_match(const s3s_prune_term *term, const s3s_bounds *bounds);

/* ---- bloom filters (prune_bloom.c) ----------------------------------------------------------- */

/* *may: could any of the term's values be in the chunk? */
s3store_status s3s_bloom_may_match(const s3s_prune_term *term, s3s_parquet_file *file,
                                   const s3s_pq_column *column, bool *may, s3store_error *err);

#endif
