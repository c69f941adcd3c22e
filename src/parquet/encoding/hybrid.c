/* parquet/encoding/hybrid.c: reading the RLE / bit-packing hybrid, and old BIT_PACKED levels. */
#include "parquet/encoding/hybrid.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/encoding/bits.h"

void s3s_hybrid_init(s3s_hybrid *h, const char *what, unsigned width, const uint8_t *data,
                     size_t size)
{
    *h = (s3s_hybrid){.p = data, .end = data + size, .what = what, .width = width};
}

static s3store_status ended(const s3s_hybrid *h, s3store_error *err)
{
    return s3s_fail(err, S3STORE_CORRUPT, "%s end before the last value", h->what);
}

static s3store_status read_header(s3s_hybrid *h, uint32_t *out, s3store_error *err)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (h->p == h->end)
            return ended(h, err);
        uint8_t byte = *h->p++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            if (value > UINT32_MAX)
                break;
            *out = (uint32_t)value;
            return S3STORE_OK;
        }
    }
    return s3s_fail(err, S3STORE_CORRUPT, "%s: a run header of more than 32 bits", h->what);
}

/* The next run with at least one value. Each header takes a byte, so this ends. */
static s3store_status next_run(s3s_hybrid *h, s3store_error *err)
{
    while (h->left == 0) {
        uint32_t header = 0;
        s3store_status status = read_header(h, &header, err);
        if (status != S3STORE_OK)
            return status;
        size_t remaining = (size_t)(h->end - h->p);
        h->at = 0;
        h->packed = (header & 1) != 0;
        if (h->packed) {
            size_t groups = header >> 1;
            size_t bytes = groups * h->width; /* below 2^31 * 32 */
            h->left = groups * 8;
            if (bytes > remaining) { /* some writers cut the padding of the last group */
                bytes = remaining;
                h->left = bytes * 8 / h->width;
            }
            h->bits = h->p;
            h->p += bytes;
        } else {
            size_t bytes = (h->width + 7) / 8;
            if (bytes > remaining)
                return ended(h, err);
            h->value = 0;
            memcpy(&h->value, h->p, bytes);
            h->p += bytes;
            h->left = header >> 1;
            if (s3s_bit_width(h->value) > h->width)
                return s3s_fail(err, S3STORE_CORRUPT, "%s: %u does not fit %u bits", h->what,
                                (unsigned)h->value, h->width);
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_hybrid_get(s3s_hybrid *h, uint32_t *out, size_t count, s3store_error *err)
{
    while (count > 0) {
        s3store_status status = next_run(h, err);
        if (status != S3STORE_OK)
            return status;
        size_t n = h->left < count ? h->left : count;
        if (h->packed) {
            s3s_unpack32(h->bits, (size_t)(h->end - h->bits), h->width, h->at, n, out);
        } else {
            for (size_t i = 0; i < n; i++)
                out[i] = h->value;
        }
        s3s_hybrid_skip_run(h, n);
        out += n;
        count -= n;
    }
    return S3STORE_OK;
}

s3store_status s3s_hybrid_get_bits(s3s_hybrid *h, uint8_t *bits, size_t at, size_t count,
                                   size_t *ones, s3store_error *err)
{
    *ones = 0;
    while (count > 0) {
        s3store_status status = next_run(h, err);
        if (status != S3STORE_OK)
            return status;
        size_t n = h->left < count ? h->left : count;
        if (h->packed) {
            s3s_bits_copy(bits, at, h->bits, h->at, n);
            *ones += s3s_bits_count(bits, at, n);
        } else {
            s3s_bits_fill(bits, at, n, h->value != 0);
            *ones += h->value != 0 ? n : 0;
        }
        s3s_hybrid_skip_run(h, n);
        at += n;
        count -= n;
    }
    return S3STORE_OK;
}

s3store_status s3s_hybrid_peek_run(s3s_hybrid *h, uint32_t *value, size_t *count,
                                   s3store_error *err)
{
    s3store_status status = next_run(h, err);
    if (status != S3STORE_OK)
        return status;
    *value = h->value;
    *count = h->packed ? 0 : h->left;
    return S3STORE_OK;
}

void s3s_hybrid_skip_run(s3s_hybrid *h, size_t count)
{
    h->at += count;
    h->left -= count;
}

s3store_status s3s_bit_packed_get(const uint8_t *data, size_t size, unsigned width, size_t first,
                                  size_t count, uint32_t *out, s3store_error *err)
{
    size_t bits;
    if (!s3s_mul(first + count, width, &bits) || s3s_bits_size(bits) > size)
        return s3s_fail(err, S3STORE_CORRUPT, "levels end before the last value");
    for (size_t i = 0; i < count; i++) {
        uint32_t value = 0;
        for (size_t bit = (first + i) * width; bit < (first + i + 1) * width; bit++)
            value = value << 1 | (data[bit >> 3] >> (7 - (bit & 7)) & 1);
        out[i] = value;
    }
    return S3STORE_OK;
}
