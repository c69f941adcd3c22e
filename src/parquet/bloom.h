/* parquet/bloom.h: split-block bloom filters: blocks of 256 bits, of which each value sets eight in
 * one block. https://github.com/apache/parquet-format/blob/master/BloomFilter.md
 */
#ifndef S3S_PARQUET_BLOOM_H
#define S3S_PARQUET_BLOOM_H

#include "base/env.h"
#include "parquet/format.h"

#define S3S_BLOOM_BLOCK 32 /* bytes */

/* size: a positive multiple of S3S_BLOOM_BLOCK. */
bool s3s_bloom_has(const uint8_t *filter, size_t size, uint64_t hash);

/* A filter being made. It begins as large as it may become and is folded at the end, so that nobody
 * has to know before how many distinct values there will be. */
typedef struct s3s_bloom {
    s3s_env *env;
    uint8_t *data; /* NULL = no filter is wanted */
    size_t size_max; /* a power of two */
    bool any;
} s3s_bloom;

/* size_max 0: none is wanted. */
s3store_status s3s_bloom_init(s3s_bloom *bloom, s3s_env *env, size_t size_max, s3store_error *err);
void s3s_bloom_deinit(s3s_bloom *bloom);
void s3s_bloom_clear(s3s_bloom *bloom);
/* Dense physical values: width bytes each, or (width 0) spans. Both zeros of a float are one value
 * to those who ask. */
void s3s_bloom_add(s3s_bloom *bloom, s3s_physical physical, bool is_half, size_t width,
                   const void *values, size_t count);
/* Folds it to the least size that is wrong about at most 1 % of the values that are not there.
 * Returns the size; 0: no value was added, or the largest one is wrong about half of them. */
size_t s3s_bloom_finish(s3s_bloom *bloom);

#endif
