/* parquet/encoding/delta_encode.c: writing DELTA_BINARY_PACKED: blocks of 128 differences in four
 * miniblocks, each packed with its own width. Miniblocks without values have no bytes.
 */
#include "parquet/encoding/delta.h"

#include <string.h>

#include "base/bits.h"
#include "parquet/encoding/bits.h"

#define BLOCK 128
#define MINI 32
#define MINIS (BLOCK / MINI)
#define HEADER_MAX 24 /* four numbers of at most 2, 1, 5 and 10 bytes */
#define BLOCK_MAX (10 + MINIS + BLOCK * 8)

/* A block: differences less the least of them, padded with zeros, and the width of each
 * miniblock. */
typedef struct block {
    uint64_t deltas[BLOCK];
    uint64_t min;
    uint8_t widths[MINIS];
    size_t minis; /* that have values */
} block;

static size_t varint_size(uint64_t value)
{
    return value == 0 ? 1 : (s3s_bit_width(value) + 6) / 7;
}

static uint64_t zigzag(uint64_t value)
{
    return value << 1 ^ (0 - (value >> 63));
}

static uint8_t *put_varint(uint8_t *to, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)(value | 0x80);
    *to++ = (uint8_t)value;
    return to;
}

/* Differences of v[0..n] to the value before each, modulo 2^32 or 2^64 as readers add them. */
#define MAKE_BLOCK(name, type, signed_type)                                                        \
    static void name(const void *values, size_t n, block *b)                                       \
    {                                                                                              \
        const type *v = values;                                                                    \
        signed_type min = (signed_type)(v[0] - v[-1]);                                             \
        type narrow[BLOCK];                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            narrow[i] = (type)(v[i] - v[(ptrdiff_t)i - 1]);                                        \
            min = (signed_type)narrow[i] < min ? (signed_type)narrow[i] : min;                     \
        }                                                                                          \
        b->minis = (n + MINI - 1) / MINI;                                                          \
        b->min = (uint64_t)(int64_t)min;                                                           \
        memset(b->widths, 0, sizeof b->widths);                                                    \
        for (size_t m = 0; m < b->minis; m++) {                                                    \
            size_t begin = m * MINI, end = n < begin + MINI ? n : begin + MINI;                    \
            type all = 0;                                                                          \
            for (size_t i = begin; i < end; i++) {                                                 \
                type delta = (type)(narrow[i] - (type)min);                                        \
                b->deltas[i] = delta;                                                              \
                all |= delta;                                                                      \
            }                                                                                      \
            for (size_t i = end; i < begin + MINI; i++)                                            \
                b->deltas[i] = 0;                                                                  \
            b->widths[m] = (uint8_t)s3s_bit_width(all);                                            \
        }                                                                                          \
    }

MAKE_BLOCK(make_block4, uint32_t, int32_t)
MAKE_BLOCK(make_block8, uint64_t, int64_t)

static void make_block(const void *values, size_t width, size_t first, size_t count, block *b)
{
    size_t n = count - first < BLOCK ? count - first : BLOCK;
    if (width == 4)
        make_block4((const uint32_t *)values + first, n, b);
    else
        make_block8((const uint64_t *)values + first, n, b);
}

static uint64_t first_of(const void *values, size_t width, size_t count)
{
    if (count == 0)
        return 0;
    return width == 4 ? (uint64_t)(int64_t) * (const int32_t *)values : *(const uint64_t *)values;
}

size_t s3s_delta_size(const void *values, size_t width, size_t count, size_t limit)
{
    block b;
    size_t size = 2 + 1 + varint_size(count) + varint_size(zigzag(first_of(values, width, count)));
    for (size_t i = 1; i < count && size < limit; i += BLOCK) {
        make_block(values, width, i, count, &b);
        size += varint_size(zigzag(b.min)) + MINIS;
        for (size_t m = 0; m < b.minis; m++)
            size += b.widths[m] * (size_t)MINI / 8;
    }
    return size < limit ? size : limit;
}

s3store_status s3s_delta_encode(const void *values, size_t width, size_t count, s3s_buffer *out,
                                s3store_error *err)
{
    block b;
    uint8_t *to = s3s_buffer_reserve(out, HEADER_MAX, err);
    if (to == NULL)
        return err != NULL ? err->status : S3STORE_OUT_OF_MEMORY;
    to = put_varint(to, BLOCK);
    to = put_varint(to, MINIS);
    to = put_varint(to, count);
    to = put_varint(to, zigzag(first_of(values, width, count)));
    out->size = (size_t)(to - out->data);
    for (size_t i = 1; i < count; i += BLOCK) {
        to = s3s_buffer_reserve(out, BLOCK_MAX, err);
        if (to == NULL)
            return err != NULL ? err->status : S3STORE_OUT_OF_MEMORY;
        make_block(values, width, i, count, &b);
        to = put_varint(to, zigzag(b.min));
        memcpy(to, b.widths, MINIS);
        to += MINIS;
        for (size_t m = 0; m < b.minis; m++) {
            s3s_pack64(b.deltas + m * MINI, MINI, b.widths[m], to);
            to += b.widths[m] * (size_t)MINI / 8;
        }
        out->size = (size_t)(to - out->data);
    }
    return S3STORE_OK;
}
