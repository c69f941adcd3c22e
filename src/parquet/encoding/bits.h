/* parquet/encoding/bits.h: bitmaps and packed integers, least significant bit first. */
#ifndef S3S_PARQUET_BITS_H
#define S3S_PARQUET_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool s3s_bit(const uint8_t *bits, size_t i)
{
    return ((bits[i >> 3] >> (i & 7)) & 1) != 0;
}
static inline size_t s3s_pq_bits_bytes(size_t count)
{
    return count / 8 + (count % 8 != 0);
}

void s3s_pq_bits_fill(uint8_t *bits, size_t at, size_t count, bool value);
void s3s_pq_bits_copy(uint8_t *to, size_t to_at, const uint8_t *from, size_t from_at, size_t count);
size_t s3s_pq_bits_count(const uint8_t *bits, size_t at, size_t count);

/* Number of bits that hold 0..max. */
static inline unsigned s3s_bit_width(uint64_t max)
{
    return max == 0 ? 0 : 64 - (unsigned)__builtin_clzll(max);
}

/* Values [first, first + count) of a packed sequence of `width` bits each (0..32), whose bytes
 * end at data + size. The caller has checked that they lie inside. */
void s3s_unpack32(const uint8_t *data, size_t size, unsigned width, size_t first, size_t count,
                  uint32_t *out);
/* The same up to 64 bits. */
void s3s_unpack64(const uint8_t *data, size_t size, unsigned width, size_t first, size_t count,
                  uint64_t *out);
/* Packs count values (the last byte padded with 0) into s3s_pq_bits_bytes(count * width) bytes. */
void s3s_pack32(const uint32_t *values, size_t count, unsigned width, uint8_t *out);

#endif
