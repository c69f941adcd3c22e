/* parquet/cursor_private.h: a file that is being read, for the sources of its cursor. */
#ifndef S3S_PARQUET_CURSOR_PRIVATE_H
#define S3S_PARQUET_CURSOR_PRIVATE_H

#include "parquet/chains.h"
#include "parquet/file.h"
#include "parquet/leaf_reader.h"
#include "parquet/selection.h"

#define S3S_CURSOR_STEP_FIRST 1024 /* rows */

typedef struct s3s_cursor_column {
    size_t column; /* of the file */
    size_t first_reader, reader_count;
} s3s_cursor_column;

/* What a chain has cost so far, the latest most. */
typedef struct s3s_chain_cost {
    uint64_t us, pieces;
} s3s_chain_cost;

struct s3s_parquet_cursor {
    s3s_parquet_file *file;
    s3s_schema *schema;
    s3s_cursor_column *columns;
    size_t column_count;
    s3s_leaf_reader *readers; /* of the columns, one after the other */
    size_t reader_count;
    s3s_pool *pool; /* NULL = one thread */
    s3s_fan_options fan;
    bool nested;    /* any of them is: putting arrays together takes time */
    s3s_chain *chains;  /* of readers; NULL = they are too many */
    s3s_chain_cost *costs;  /* of those */
    s3s_queue *queue;   /* what reads pages ahead; NULL = nothing does */
    s3s_weighed *order; /* of readers then: the largest chunk first, so that threads end together */
    int64_t max_rows;
    size_t step_rows; /* what the rows so far let fit into a step */
    size_t group;      /* the next one to begin */
    int64_t rows_left; /* of the current one, or of the current range of it */
    s3s_prune prune;
    s3s_selection *selections; /* of each row group, as far as it was asked for; NULL = none */
    const s3s_leaf **leaves;   /* of the readers */
    s3s_selection current; /* of the current group; rows that are left out lie between its ranges */
    size_t range_at;       /* the next one */
    int64_t row_at;    /* in the group: where the readers are once rows_left is 0 */
    s3store_status failed; /* sticky */
    s3store_error error;
};

/* ---- cursor_rows.c: rows of the current row group ------------------------------------------ */

/* All readers go to row group c->group, which becomes the current one. */
s3store_status s3s_cursor_begin_group(s3s_parquet_cursor *c, s3store_error *err);
/* Around what is done for the caller: a source whose reads cost is read in calls alone. */
void s3s_cursor_allow_ahead(s3s_parquet_cursor *c, bool in_call);
/* Decodes rows until the batch is full: *rows of them are there in every column. */
s3store_status s3s_cursor_fill_batch(s3s_parquet_cursor *c, size_t *rows, s3store_error *err);
/* As many rows of one column, and of all. */
s3store_status s3s_cursor_take_column(s3s_parquet_cursor *c, const s3s_cursor_column *column,
                                      size_t rows, struct ArrowArray *out, s3store_error *err);
s3store_status s3s_cursor_take_batch(s3s_parquet_cursor *c, size_t rows, struct ArrowArray *out,
                                     s3store_error *err);
/* Adds file, column and page to the error. */
s3store_status s3s_cursor_fail(s3s_parquet_cursor *c, const s3s_leaf_reader *r,
                               s3store_status status, s3store_error *err);

#endif
