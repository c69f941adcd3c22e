/* parquet/encoding/bits.c: bitmaps and packed integers. */
#include "parquet/encoding/bits.h"

#include "base/bytes.h"

void s3s_pq_bits_fill(uint8_t *bits, size_t at, size_t count, bool value)
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

void s3s_pq_bits_copy(uint8_t *to, size_t to_at, const uint8_t *from, size_t from_at, size_t count)
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

size_t s3s_pq_bits_count(const uint8_t *bits, size_t at, size_t count)
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

static uint64_t load_partial(const uint8_t *p, const uint8_t *end)
{
    uint64_t v = 0;
    size_t n = (size_t)(end - p) < 8 ? (size_t)(end - p) : 8;
    memcpy(&v, p, n);
    return v;
}

/* Eight values of a constant width: the compiler turns offsets and shifts into constants. Reads
 * up to 8 bytes past the last value's first byte. */
static inline __attribute__((always_inline)) void unpack8(const uint8_t *p, unsigned width,
                                                          uint32_t *out)
{
    uint64_t mask = (UINT64_C(1) << width) - 1;
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint32_t)(s3s_le64(p + (i * width >> 3)) >> (i * width & 7) & mask);
}

/* groups of 8 while at least slack bytes are readable; returns how many were done. */
#define UNPACK(width)                                                                              \
    case width:                                                                                    \
        for (; done < groups && (size_t)(end - p) >= width + 8; done++, p += width)                \
            unpack8(p, width, out + done * 8);                                                     \
        break;

static size_t unpack_groups(const uint8_t *p, const uint8_t *end, unsigned w, size_t groups,
                            uint32_t *out)
{
    size_t done = 0;
    switch (w) {
        UNPACK(1) UNPACK(2) UNPACK(3) UNPACK(4) UNPACK(5) UNPACK(6) UNPACK(7) UNPACK(8)
        UNPACK(9) UNPACK(10) UNPACK(11) UNPACK(12) UNPACK(13) UNPACK(14) UNPACK(15) UNPACK(16)
        UNPACK(17) UNPACK(18) UNPACK(19) UNPACK(20) UNPACK(21) UNPACK(22) UNPACK(23) UNPACK(24)
        UNPACK(25) UNPACK(26) UNPACK(27) UNPACK(28) UNPACK(29) UNPACK(30) UNPACK(31) UNPACK(32)
    default:
        break;
    }
    return done;
}

static uint64_t unpack_one(const uint8_t *data, const uint8_t *end, unsigned width, size_t i)
{
    size_t bit = i * width;
    const uint8_t *p = data + (bit >> 3);
    unsigned shift = bit & 7;
    uint64_t v = load_partial(p, end) >> shift;
    if (shift + width > 64)
        v |= (uint64_t)p[8] << (64 - shift);
    return width == 64 ? v : v & ((UINT64_C(1) << width) - 1);
}

void s3s_unpack32(const uint8_t *data, size_t size, unsigned width, size_t first, size_t count,
                  uint32_t *out)
{
    const uint8_t *end = data + size;
    if (width == 0) {
        memset(out, 0, count * sizeof *out);
        return;
    }
    size_t i = 0;
    for (; i < count && ((first + i) & 7) != 0; i++)
        out[i] = (uint32_t)unpack_one(data, end, width, first + i);
    const uint8_t *p = data + (first + i) / 8 * width;
    i += 8 * unpack_groups(p, end, width, (count - i) / 8, out + i);
    for (; i < count; i++)
        out[i] = (uint32_t)unpack_one(data, end, width, first + i);
}

void s3s_unpack64(const uint8_t *data, size_t size, unsigned width, size_t first, size_t count,
                  uint64_t *out)
{
    const uint8_t *end = data + size;
    if (width == 0) {
        memset(out, 0, count * sizeof *out);
        return;
    }
    size_t i = 0;
    if (width <= 56) { /* shift + width fits one load */
        uint64_t mask = (UINT64_C(1) << width) - 1;
        for (; i < count; i++) {
            size_t bit = (first + i) * width;
            if (size - (bit >> 3) < 8)
                break;
            out[i] = s3s_le64(data + (bit >> 3)) >> (bit & 7) & mask;
        }
    }
    for (; i < count; i++)
        out[i] = unpack_one(data, end, width, first + i);
}

void s3s_pack32(const uint32_t *values, size_t count, unsigned width, uint8_t *out)
{
    uint64_t hold = 0;
    unsigned held = 0;
    for (size_t i = 0; i < count; i++) {
        hold |= (uint64_t)values[i] << held;
        held += width;
        while (held >= 8) {
            *out++ = (uint8_t)hold;
            hold >>= 8;
            held -= 8;
        }
    }
    if (held > 0)
        *out = (uint8_t)hold;
}
