/* parquet/memory.h: spans, and blocks of memory that count against the budget of one open file. */
#ifndef S3S_PARQUET_MEMORY_H
#define S3S_PARQUET_MEMORY_H

#include "base/env.h"

/* Bytes of somebody else. */
typedef struct s3s_span {
    const uint8_t *data;
    size_t size;
} s3s_span;

/* Shared by the cursors of a file, which may live in different threads. */
typedef struct s3s_budget {
    uint64_t max;
    uint64_t used; /* atomic */
} s3s_budget;

/* LIMIT_EXCEEDED naming the budget and --memory. */
s3store_status s3s_budget_take(s3s_budget *budget, uint64_t size, s3store_error *err);
void s3s_budget_give(s3s_budget *budget, uint64_t size);
uint64_t s3s_budget_free(const s3s_budget *budget);

/* A growable block. budget NULL = none. */
typedef struct s3s_block {
    s3s_env *env;
    s3s_budget *budget;
    uint8_t *data;
    size_t size;
    size_t capacity;
} s3s_block;

void s3s_block_init(s3s_block *block, s3s_env *env, s3s_budget *budget);
void s3s_block_deinit(s3s_block *block);
/* Room for `more` bytes after size. */
s3store_status s3s_block_reserve(s3s_block *block, size_t more, s3store_error *err);
/* Drops the content and takes exactly the room that size needs. */
s3store_status s3s_block_resize_empty(s3s_block *block, size_t size, s3store_error *err);
/* Hands the memory (from s3s_alloc) to the caller and leaves the block empty; NULL when it never
 * had any. */
void *s3s_block_detach(s3s_block *block);

/* A few blocks that many may use in turn, from any thread: what is used soon again is still in the
 * processor's cache. Their bytes count while they wait as well. */
#define S3S_BLOCK_CACHE 4

typedef struct s3s_block_cache {
    s3s_env *env;
    s3s_budget *budget;
    s3s_block *slots[S3S_BLOCK_CACHE]; /* atomic; NULL = empty */
} s3s_block_cache;

void s3s_block_cache_init(s3s_block_cache *cache, s3s_env *env, s3s_budget *budget);
void s3s_block_cache_deinit(s3s_block_cache *cache);
/* A block with room for size bytes, its content undefined. */
s3store_status s3s_block_borrow(s3s_block_cache *cache, size_t size, s3s_block **out,
                                s3store_error *err);
void s3s_block_return(s3s_block_cache *cache, s3s_block *block); /* NULL allowed */

#endif
