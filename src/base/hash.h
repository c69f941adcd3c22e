/* base/hash.h: digests. libcrypto and libxxhash are used here and nowhere else. */
#ifndef S3S_BASE_HASH_H
#define S3S_BASE_HASH_H

#include "s3store.h"

#define S3S_SHA256_SIZE 32
#define S3S_MD5_SIZE 16

s3store_status s3s_sha256(const void *data, size_t size, uint8_t out[S3S_SHA256_SIZE],
                          s3store_error *err);
s3store_status s3s_hmac_sha256(const void *secret, size_t secret_size, const void *data,
                               size_t size, uint8_t out[S3S_SHA256_SIZE], s3store_error *err);
/* A key that is used again and again: the two blocks that it begins with are hashed once. Wipe it. */
typedef struct s3s_hmac_key {
    uint8_t inner_block[64], outer_block[64];
    uint32_t inner_state[8], outer_state[8]; /* behind the blocks; not where a policy hashes */
} s3s_hmac_key;
s3store_status s3s_hmac_key_init(s3s_hmac_key *key, const void *secret, size_t size,
                                 s3store_error *err);
s3store_status s3s_hmac_sha256_with(const s3s_hmac_key *key, const void *data, size_t size,
                                    uint8_t out[S3S_SHA256_SIZE], s3store_error *err);
s3store_status s3s_md5(const void *data, size_t size, uint8_t out[S3S_MD5_SIZE],
                       s3store_error *err);
/* CRC-32 of ISO 3309 (Parquet pages, gzip); continue with the previous value, begin with 0. */
uint32_t s3s_crc32(uint32_t crc, const void *data, size_t size);

uint64_t s3s_xxh64(const void *data, size_t size, uint64_t seed);
typedef struct s3s_xxh64_state { /* opaque; holds an XXH64_state_t */
    uint64_t opaque[12];
} s3s_xxh64_state;
void s3s_xxh64_begin(s3s_xxh64_state *state, uint64_t seed);
void s3s_xxh64_update(s3s_xxh64_state *state, const void *data, size_t size);
uint64_t s3s_xxh64_end(const s3s_xxh64_state *state);

#endif
