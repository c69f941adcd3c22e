/* bits.c: bitmaps. */
#include "base/bits.h"

#include "base/bytes.h"

void s3s_bits_fill(uint8_t *bits, size_t at, size_t count, bool value)
{
    while (count > 0 && (at & 7) != 0) {
        uint8_t bit = (uint8_t)(1u << (at & 7));
        bits[at >> 3] = value ? bits[at >> 3] | bit : bits[at >> 3] & (uint8_t)~bit;
        at++;
        count--;
    }
    if (count == 0)
        return;
    memset(bits + (at >> 3), value ? 0xff : 0, count >> 3);
    at += count & ~(size_t)7;
    unsigned rest = count & 7;
    if (rest != 0) {
        uint8_t mask = (uint8_t)((1u << rest) - 1);
        uint8_t *last = &bits[at >> 3];
        *last = value ? *last | mask : *last & (uint8_t)~mask;
    }
}

void s3s_bits_copy(uint8_t *to, size_t to_at, const uint8_t *from, size_t from_at, size_t count)
{
    for (; count > 0 && (to_at & 7) != 0; count--, to_at++, from_at++) {
        uint8_t bit = (uint8_t)(1u << (to_at & 7));
        to[to_at >> 3] =
            s3s_bit(from, from_at) ? to[to_at >> 3] | bit : to[to_at >> 3] & (uint8_t)~bit;
    }
    to += to_at >> 3;
    from += from_at >> 3;
    unsigned shift = from_at & 7;
    size_t bytes = count >> 3;
    if (shift == 0) {
        memcpy(to, from, bytes);
    } else {
        for (size_t i = 0; i < bytes; i++)
            to[i] = (uint8_t)(from[i] >> shift | from[i + 1] << (8 - shift));
    }
    for (size_t i = bytes * 8; i < count; i++) {
        uint8_t bit = (uint8_t)(1u << (i & 7));
        to[i >> 3] = s3s_bit(from, i + shift) ? to[i >> 3] | bit : to[i >> 3] & (uint8_t)~bit;
    }
}

size_t s3s_bits_count(const uint8_t *bits, size_t at, size_t count)
{
    size_t ones = 0;
    for (; count > 0 && (at & 7) != 0; count--, at++)
        ones += s3s_bit(bits, at);
    bits += at >> 3;
    for (; count >= 64; count -= 64, bits += 8)
        ones += (size_t)__builtin_popcountll(s3s_le64(bits));
    for (size_t i = 0; i < count; i++)
        ones += s3s_bit(bits, i);
    return ones;
}

uint64_t s3s_bits_load(const uint8_t *bits, size_t at, size_t count)
{
    const uint8_t *p = bits + (at >> 3);
    unsigned shift = at & 7;
    size_t bytes = s3s_bits_size(shift + count);
    uint64_t low = 0;
    if (bytes >= 8)
        low = s3s_le64(p);
    else
        memcpy(&low, p, bytes);
    low >>= shift;
    if (bytes > 8)
        low |= (uint64_t)p[8] << (64 - shift);
    return count >= 64 ? low : low & ((UINT64_C(1) << count) - 1);
}
