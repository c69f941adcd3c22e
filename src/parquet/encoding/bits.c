/* parquet/encoding/bits.c: packed integers. */
#include "parquet/encoding/bits.h"

#include "base/bytes.h"
#include "parquet/encoding/kernels.h"

static uint64_t load_partial(const uint8_t *p, const uint8_t *end)
{
    uint64_t v = 0;
    size_t n = (size_t)(end - p) < 8 ? (size_t)(end - p) : 8;
    memcpy(&v, p, n);
    return v;
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
    i += 8 * s3s_kernels_now()->unpack(p, end, width, (count - i) / 8, out + i);
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
        if (held >= 32) {
            uint32_t low = (uint32_t)hold;
            memcpy(out, &low, sizeof low);
            out += sizeof low;
            hold >>= 32;
            held -= 32;
        }
    }
    for (; held > 0; held = held > 8 ? held - 8 : 0, hold >>= 8)
        *out++ = (uint8_t)hold;
}

void s3s_pack64(const uint64_t *values, size_t count, unsigned width, uint8_t *out)
{
    uint64_t hold = 0;
    unsigned held = 0;
    for (size_t i = 0; i < count; i++) {
        hold |= values[i] << held;
        if (held + width < 64) {
            held += width;
            continue;
        }
        memcpy(out, &hold, sizeof hold);
        out += sizeof hold;
        hold = held == 0 ? 0 : values[i] >> (64 - held);
        held = held + width - 64;
    }
    memcpy(out, &hold, (held + 7) / 8); /* 32 values end with a whole 32 bits */
}
