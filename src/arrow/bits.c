/* Bitmaps: least significant bit first, as Arrow numbers them. */
#include "arrow/internal.h"

int64_t s3s_bits_count(const uint8_t *bits, int64_t offset, int64_t count)
{
    int64_t ones = 0;
    int64_t at = offset;
    int64_t end = offset + count;
    for (; at < end && (at & 7) != 0; at++)
        ones += s3s_bit_get(bits, at);
    for (; at + 64 <= end; at += 64)
        ones += __builtin_popcountll(s3s_le64(bits + (at >> 3)));
    for (; at < end; at++)
        ones += s3s_bit_get(bits, at);
    return ones;
}

void s3s_bits_copy(uint8_t *to, int64_t to_offset, const uint8_t *from, int64_t from_offset,
                   int64_t count)
{
    int64_t i = 0;
    for (; i < count && ((to_offset + i) & 7) != 0; i++)
        if (s3s_bit_get(from, from_offset + i))
            s3s_bit_set(to, to_offset + i);
    int64_t bytes = (count - i) / 8;
    uint8_t *out = to + ((to_offset + i) >> 3);
    const uint8_t *in = from + ((from_offset + i) >> 3);
    unsigned shift = (unsigned)((from_offset + i) & 7);
    if (shift == 0 && bytes > 0) {
        memcpy(out, in, (size_t)bytes);
    } else {
        for (int64_t b = 0; b < bytes; b++)
            out[b] = (uint8_t)((in[b] >> shift) | (in[b + 1] << (8 - shift)));
    }
    for (i += bytes * 8; i < count; i++)
        if (s3s_bit_get(from, from_offset + i))
            s3s_bit_set(to, to_offset + i);
}

void s3s_bits_fill(uint8_t *to, int64_t to_offset, int64_t count)
{
    int64_t i = 0;
    for (; i < count && ((to_offset + i) & 7) != 0; i++)
        s3s_bit_set(to, to_offset + i);
    int64_t bytes = (count - i) / 8;
    if (bytes > 0)
        memset(to + ((to_offset + i) >> 3), 0xFF, (size_t)bytes);
    for (i += bytes * 8; i < count; i++)
        s3s_bit_set(to, to_offset + i);
}
