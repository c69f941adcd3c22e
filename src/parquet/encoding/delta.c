/* parquet/encoding/delta.c: reading DELTA_BINARY_PACKED. */
#include "parquet/encoding/delta.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/encoding/bits.h"

#define BATCH 128

static s3store_status ended(s3store_error *err)
{
    return s3s_fail(err, S3STORE_CORRUPT, "delta encoding: the data ends before the last value");
}

static s3store_status read_varint(s3s_delta *d, uint64_t *out, s3store_error *err)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (d->p == d->end)
            return ended(err);
        uint8_t byte = *d->p++;
        value |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 63);
        if ((byte & 0x80) == 0) {
            *out = value;
            return S3STORE_OK;
        }
    }
    return s3s_fail(err, S3STORE_CORRUPT, "delta encoding: a number of more than 64 bits");
}

static s3store_status read_zigzag(s3s_delta *d, uint64_t *out, s3store_error *err)
{
    uint64_t raw = 0;
    s3store_status status = read_varint(d, &raw, err);
    *out = (raw >> 1) ^ (0 - (raw & 1));
    return status;
}

s3store_status s3s_delta_init(s3s_delta *d, const uint8_t *data, size_t size, s3store_error *err)
{
    *d = (s3s_delta){.p = data, .end = data + size, .first = true};
    uint64_t block = 0, minis = 0;
    s3store_status status = read_varint(d, &block, err);
    if (status == S3STORE_OK)
        status = read_varint(d, &minis, err);
    if (status == S3STORE_OK)
        status = read_varint(d, &d->left, err);
    if (status == S3STORE_OK)
        status = read_zigzag(d, &d->last, err);
    if (status != S3STORE_OK)
        return status;
    if (block == 0 || block > INT32_MAX || minis == 0 || minis > block || block % minis != 0 ||
        block / minis % 8 != 0)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "delta encoding: a block of %llu values in %llu miniblocks",
                        (unsigned long long)block, (unsigned long long)minis);
    d->mini_count = d->mini = (size_t)minis;
    d->mini_values = (size_t)(block / minis);
    return S3STORE_OK;
}

static s3store_status next_block(s3s_delta *d, s3store_error *err)
{
    s3store_status status = read_zigzag(d, &d->min_delta, err);
    if (status != S3STORE_OK)
        return status;
    if (d->mini_count > (size_t)(d->end - d->p))
        return ended(err);
    d->widths = d->p;
    d->p += d->mini_count;
    d->mini = 0;
    return S3STORE_OK;
}

/* Steps into the next miniblock. Only those that hold values have bytes; the last of them should be
 * padded, but only what its values need is asked for. */
static s3store_status next_mini(s3s_delta *d, s3store_error *err)
{
    if (d->mini == d->mini_count) {
        s3store_status status = next_block(d, err);
        if (status != S3STORE_OK)
            return status;
    }
    d->width = d->widths[d->mini++];
    if (d->width > 64)
        return s3s_fail(err, S3STORE_CORRUPT, "delta encoding: a width of %u bits", d->width);
    size_t needed = d->left < d->mini_values ? (size_t)d->left : d->mini_values;
    size_t remaining = (size_t)(d->end - d->p);
    size_t bytes = d->mini_values / 8 * d->width;
    if (s3s_bits_size(needed * d->width) > remaining)
        return ended(err);
    if (bytes > remaining)
        bytes = remaining;
    d->bits = d->p;
    d->p += bytes;
    d->at = 0;
    d->mini_left = needed;
    return S3STORE_OK;
}

/* The next n values of the miniblock; returns the last one. What lies behind the miniblock may be
 * read with it, so the whole page is named. */
static uint64_t sum_narrow(const s3s_delta *d, size_t n, int64_t *out)
{
    uint32_t deltas[BATCH];
    uint64_t last = d->last, min = d->min_delta;
    s3s_unpack32(d->bits, (size_t)(d->end - d->bits), d->width, d->at, n, deltas);
    for (size_t i = 0; i < n; i++) {
        last += min + deltas[i];
        out[i] = (int64_t)last;
    }
    return last;
}

static uint64_t sum_wide(const s3s_delta *d, size_t n, int64_t *out)
{
    uint64_t deltas[BATCH], last = d->last, min = d->min_delta;
    s3s_unpack64(d->bits, (size_t)(d->end - d->bits), d->width, d->at, n, deltas);
    for (size_t i = 0; i < n; i++) {
        last += min + deltas[i];
        out[i] = (int64_t)last;
    }
    return last;
}

s3store_status s3s_delta_get(s3s_delta *d, int64_t *out, size_t count, s3store_error *err)
{
    if (count > d->left)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "delta encoding: more values are expected than it holds");
    if (count > 0 && d->first) {
        d->first = false;
        d->left--;
        *out++ = (int64_t)d->last;
        count--;
    }
    while (count > 0) {
        if (d->mini_left == 0) {
            s3store_status status = next_mini(d, err);
            if (status != S3STORE_OK)
                return status;
        }
        size_t n = count < d->mini_left ? count : d->mini_left;
        n = n < BATCH ? n : BATCH;
        d->last = d->width <= 32 ? sum_narrow(d, n, out) : sum_wide(d, n, out);
        d->at += n;
        d->mini_left -= n;
        d->left -= n;
        out += n;
        count -= n;
    }
    return S3STORE_OK;
}

s3store_status s3s_delta_end(const s3s_delta *from, const uint8_t **end, s3store_error *err)
{
    s3s_delta d = *from;
    d.left -= d.left > 0 ? 1 : 0; /* the first value is in the header */
    while (d.left > 0) {
        s3store_status status = next_mini(&d, err);
        if (status != S3STORE_OK)
            return status;
        d.left -= d.mini_left;
    }
    *end = d.p;
    return S3STORE_OK;
}
