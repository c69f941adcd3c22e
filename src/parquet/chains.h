/* parquet/chains.h: work for several threads that has an order in itself: a chain is a row of pieces
 * that run one after the other, and chains do not know each other.
 */
#ifndef S3S_PARQUET_CHAINS_H
#define S3S_PARQUET_CHAINS_H

#include "base/pool.h"

/* More of them than this would take longer to choose from than to run. */
#define S3S_CHAINS_MAX 256

typedef struct s3s_chain {
    size_t pieces;
    uint64_t weight; /* what a piece costs, beside those of other chains */
    size_t done;     /* of the pieces; set to 0 by the caller, as are the next */
    uint64_t us;     /* that they took */
    bool busy;
} s3s_chain;

typedef s3store_status (*s3s_piece_fn)(void *ctx, size_t chain, size_t piece, s3store_error *err);

/* Runs all pieces of `count` chains. A thread that is free takes the next piece of the chain that has
 * the most left, so that threads end together unless one chain is longer than all others. No piece
 * begins after a failure; of several failures that of the lowest chain is returned. */
s3store_status s3s_chains_run(s3s_env *env, s3s_pool *pool, const s3s_fan_options *options,
                              s3s_chain *chains, size_t count, s3s_piece_fn fn, void *ctx,
                              s3store_error *err);

/* ---- order ----------------------------------------------------------------------------------- */

typedef struct s3s_weighed {
    uint64_t weight;
    size_t item;
} s3s_weighed;

/* The heaviest first; equal ones by item. */
void s3s_weighed_sort(s3s_weighed *items, size_t count);

#endif
