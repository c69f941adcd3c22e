/* parquet/bloom.c: split-block bloom filters, asked and made. */
#include "parquet/bloom.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

#define WRONG_WANTED 0.01
#define WRONG_USELESS 0.5

static const uint32_t salts[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                  0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

static size_t block_of(size_t size, uint64_t hash)
{
    return (size_t)((hash >> 32) * (size / S3S_BLOOM_BLOCK) >> 32) * S3S_BLOOM_BLOCK;
}

bool s3s_bloom_has(const uint8_t *filter, size_t size, uint64_t hash)
{
    const uint8_t *block = filter + block_of(size, hash);
    for (size_t i = 0; i < 8; i++)
        if ((s3s_le32(block + 4 * i) >> ((uint32_t)hash * salts[i] >> 27) & 1) == 0)
            return false;
    return true;
}

/* ---- making ---------------------------------------------------------------------------------- */

s3store_status s3s_bloom_init(s3s_bloom *bloom, s3s_env *env, size_t size_max, s3store_error *err)
{
    *bloom = (s3s_bloom){.env = env};
    if (size_max == 0)
        return S3STORE_OK;
    size_t size = S3S_BLOOM_BLOCK;
    while (size <= size_max / 2)
        size *= 2;
    bloom->data = s3s_calloc(env, 1, size);
    bloom->size_max = size;
    return bloom->data == NULL ? s3s_fail_memory(err, size) : S3STORE_OK;
}

void s3s_bloom_deinit(s3s_bloom *bloom)
{
    s3s_free(bloom->env, bloom->data);
    bloom->data = NULL;
}

void s3s_bloom_clear(s3s_bloom *bloom)
{
    if (bloom->any)
        memset(bloom->data, 0, bloom->size_max);
    bloom->any = false;
}

static void add_hash(s3s_bloom *bloom, uint64_t hash)
{
    uint8_t *block = bloom->data + block_of(bloom->size_max, hash);
    for (size_t i = 0; i < 8; i++) {
        uint32_t bit = (uint32_t)hash * salts[i] >> 27;
        block[4 * i + bit / 8] |= (uint8_t)(1u << bit % 8);
    }
}

/* +0 and -0 differ in their first bit alone. */
static bool is_zero(const uint8_t *value, size_t width)
{
    uint8_t any = value[width - 1] & 0x7f;
    for (size_t i = 0; i + 1 < width; i++)
        any |= value[i];
    return any == 0;
}

void s3s_bloom_add(s3s_bloom *bloom, s3s_physical physical, bool is_half, size_t width,
                   const void *values, size_t count)
{
    const uint8_t *at = values;
    bool real = physical == S3S_PQ_FLOAT || physical == S3S_PQ_DOUBLE || is_half;
    bloom->any |= count > 0;
    for (size_t i = 0; i < count; i++) {
        if (width == 0) {
            const s3store_bytes *span = (const s3store_bytes *)values + i;
            add_hash(bloom, s3s_xxh64(span->data, span->size, 0));
            continue;
        }
        add_hash(bloom, s3s_xxh64(at, width, 0));
        if (real && is_zero(at, width)) {
            uint8_t other[8];
            memcpy(other, at, width);
            other[width - 1] ^= 0x80;
            add_hash(bloom, s3s_xxh64(other, width, 0));
        }
        at += width;
    }
}

/* How often a value that was not added seems to be there: in its block, all eight of its bits. */
static double wrong_share(const uint8_t *filter, size_t size)
{
    double sum = 0;
    size_t blocks = size / S3S_BLOOM_BLOCK;
    for (size_t at = 0; at < size; at += S3S_BLOOM_BLOCK) {
        double all = 1;
        for (size_t i = 0; i < 8; i++)
            all *= __builtin_popcount(s3s_le32(filter + at + 4 * i)) / 32.0;
        sum += all;
    }
    return sum / (double)blocks;
}

/* Half as many blocks: a value's block is then the half of what it was. */
static void fold(uint8_t *to, const uint8_t *from, size_t size)
{
    for (size_t at = 0; at < size; at += S3S_BLOOM_BLOCK)
        for (size_t i = 0; i < S3S_BLOOM_BLOCK; i++)
            to[at + i] = from[2 * at + i] | from[2 * at + S3S_BLOOM_BLOCK + i];
}

/* The share of a filter of half the size, without making it. */
static double folded_share(const uint8_t *filter, size_t size)
{
    double sum = 0;
    size_t blocks = size / (2 * S3S_BLOOM_BLOCK);
    for (size_t at = 0; at < size; at += 2 * S3S_BLOOM_BLOCK) {
        double all = 1;
        for (size_t i = 0; i < 8; i++)
            all *= __builtin_popcount(s3s_le32(filter + at + 4 * i) |
                                      s3s_le32(filter + at + S3S_BLOOM_BLOCK + 4 * i)) /
                   32.0;
        sum += all;
    }
    return sum / (double)blocks;
}

size_t s3s_bloom_finish(s3s_bloom *bloom)
{
    size_t size = bloom->size_max;
    if (bloom->data == NULL || !bloom->any || wrong_share(bloom->data, size) > WRONG_USELESS)
        return 0;
    while (size > S3S_BLOOM_BLOCK && folded_share(bloom->data, size) <= WRONG_WANTED) {
        size /= 2;
        fold(bloom->data, bloom->data, size);
    }
    return size;
}
