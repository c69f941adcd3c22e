/* base/bits.h: bitmaps, least significant bit first, as Arrow and Parquet number them. */
#ifndef S3S_BASE_BITS_H
#define S3S_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool s3s_bit(const uint8_t *bits, size_t i)
{
    return ((bits[i >> 3] >> (i & 7)) & 1) != 0;
}
static inline void s3s_bit_set(uint8_t *bits, size_t i)
{
    bits[i >> 3] |= (uint8_t)(1u << (i & 7));
}
/* Bytes that hold count bits. */
static inline size_t s3s_bits_size(size_t count)
{
    return count / 8 + (count % 8 != 0);
}
/* Number of bits that hold 0..max. */
static inline unsigned s3s_bit_width(uint64_t max)
{
    return max == 0 ? 0 : 64 - (unsigned)__builtin_clzll(max);
}

/* Bits [at, at + count); the others of their bytes stay as they are. */
void s3s_bits_fill(uint8_t *bits, size_t at, size_t count, bool value);
void s3s_bits_copy(uint8_t *to, size_t to_at, const uint8_t *from, size_t from_at, size_t count);
size_t s3s_bits_count(const uint8_t *bits, size_t at, size_t count);
/* Up to 64 bits from bit `at` on; reads no byte that holds none of them. */
uint64_t s3s_bits_load(const uint8_t *bits, size_t at, size_t count);

#endif
