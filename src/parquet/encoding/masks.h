/* parquet/encoding/masks.h: what holds of 64 neighbours, a bit each (bit k: of the k-th). */
#ifndef S3S_PARQUET_MASKS_H
#define S3S_PARQUET_MASKS_H

#include <stddef.h>

#include "base/bytes.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define S3S_MASK_BITS 64

/* The first n bits, n 0..64. */
static inline uint64_t s3s_mask_first(size_t n)
{
    return n >= S3S_MASK_BITS ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static inline size_t s3s_mask_count(uint64_t mask)
{
    mask -= mask >> 1 & UINT64_C(0x5555555555555555);
    mask = (mask & UINT64_C(0x3333333333333333)) + (mask >> 2 & UINT64_C(0x3333333333333333));
    mask = (mask + (mask >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (size_t)(mask * UINT64_C(0x0101010101010101) >> 56);
}

/* Where the bit lies before which there are n others. */
static inline unsigned s3s_mask_nth(uint64_t mask, size_t n)
{
    while (n-- > 0)
        mask &= mask - 1;
    return (unsigned)__builtin_ctzll(mask);
}

/* Bytes that are 0 or 1 into bits. */
static inline uint64_t s3s_mask_of_flags(const uint8_t flags[S3S_MASK_BITS])
{
    uint64_t mask = 0;
    for (unsigned k = 0; k < S3S_MASK_BITS; k += 8)
        mask |= (s3s_le64(flags + k) * UINT64_C(0x0102040810204080) >> 56) << k;
    return mask;
}

/* The portable form, with which the other one is compared. */
static inline uint64_t s3s_mask_at_least_portable(const uint8_t *bytes, uint8_t least)
{
    uint8_t flags[S3S_MASK_BITS];
    for (unsigned k = 0; k < S3S_MASK_BITS; k++)
        flags[k] = bytes[k] >= least;
    return s3s_mask_of_flags(flags);
}

/* Which of 64 bytes are at least `least`? */
static inline uint64_t s3s_mask_at_least(const uint8_t *bytes, uint8_t least)
{
#ifdef __SSE2__
    const __m128i least16 = _mm_set1_epi8((char)least);
    uint64_t mask = 0;
    for (unsigned k = 0; k < S3S_MASK_BITS; k += 16) {
        __m128i v = _mm_loadu_si128((const void *)(bytes + k));
        __m128i is = _mm_cmpeq_epi8(_mm_max_epu8(v, least16), v);
        mask |= (uint64_t)(unsigned)_mm_movemask_epi8(is) << k;
    }
    return mask;
#else
    return s3s_mask_at_least_portable(bytes, least);
#endif
}

/* The same of n bytes, 0..64; behind them there need not be any. */
static inline uint64_t s3s_mask_at_least_of(const uint8_t *bytes, size_t n, uint8_t least)
{
    uint8_t copy[S3S_MASK_BITS] = {0};
    if (n == S3S_MASK_BITS)
        return s3s_mask_at_least(bytes, least);
    memcpy(copy, bytes, n);
    return s3s_mask_at_least(copy, least) & s3s_mask_first(n);
}

/* Bits of `from` that lie where `where` is 1, side by side from bit 0 on. */
static inline uint64_t s3s_mask_gather(uint64_t from, uint64_t where)
{
    uint64_t out = 0;
    unsigned n = 0;
    if (where == UINT64_MAX)
        return from;
    if ((from & where) == where)
        return s3s_mask_first(s3s_mask_count(where));
    for (; where != 0; where &= where - 1)
        out |= (from >> __builtin_ctzll(where) & 1) << n++;
    return out;
}

/* Into a bitmap from bit `at` on, where it is 0 up to nine bytes further; those are written to. */
static inline void s3s_mask_put(uint64_t mask, uint8_t *bits, size_t at)
{
    uint8_t *p = bits + (at >> 3);
    unsigned shift = at & 7;
    s3s_put_le64(p, s3s_le64(p) | mask << shift);
    if (shift > 0)
        p[8] = (uint8_t)(mask >> (64 - shift));
}

#endif
