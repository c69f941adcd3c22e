/* parquet/encoding/hybrid_encode.c: writing the RLE / bit-packing hybrid. */
#include "parquet/encoding/hybrid.h"

#include <string.h>

#include "base/error.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/masks.h"

#define RUN_MIN 8 /* a shorter repetition is packed with its neighbours */

static s3store_status put_header(uint64_t header, s3s_buffer *out, s3store_error *err)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; header >= 0x80; header >>= 7)
        bytes[n++] = (uint8_t)(header | 0x80);
    bytes[n++] = (uint8_t)header;
    return s3s_buffer_append(out, bytes, n, err);
}

s3store_status s3s_hybrid_encode_run(uint32_t value, size_t count, unsigned width, s3s_buffer *out,
                                     s3store_error *err)
{
    s3store_status status = put_header((uint64_t)count << 1, out, err);
    if (status != S3STORE_OK)
        return status;
    return s3s_buffer_append(out, &value, (width + 7) / 8, err);
}

/* ---- where values come from ------------------------------------------------------------------ */

typedef struct source source;
struct source {
    const void *values;
    size_t count;
    unsigned width;
    uint32_t (*at)(const source *s, size_t i);
    /* Which of the next n (up to 64) values are the same as the one behind them? There is one. */
    uint64_t (*same)(const source *s, size_t i, size_t n);
    /* Values into bytes that are 0. */
    void (*pack)(const source *s, size_t i, size_t count, uint8_t *out);
};

static uint32_t word_at(const source *s, size_t i)
{
    return ((const uint32_t *)s->values)[i];
}

#define SAME(name, type)                                                                           \
    static uint64_t name(const source *s, size_t i, size_t n)                                      \
    {                                                                                              \
        const type *v = (const type *)s->values + i;                                               \
        uint8_t flags[S3S_MASK_BITS] = {0};                                                        \
        if (n == S3S_MASK_BITS) /* a count that compilers see is done many at once */              \
            for (size_t k = 0; k < S3S_MASK_BITS; k++)                                             \
                flags[k] = v[k] == v[k + 1];                                                       \
        else                                                                                       \
            for (size_t k = 0; k < n; k++)                                                         \
                flags[k] = v[k] == v[k + 1];                                                       \
        return s3s_mask_of_flags(flags);                                                           \
    }

SAME(same_words, uint32_t)
SAME(same_bytes, uint8_t)

static void pack_words(const source *s, size_t i, size_t count, uint8_t *out)
{
    s3s_pack32((const uint32_t *)s->values + i, count, s->width, out);
}

static uint32_t byte_at(const source *s, size_t i)
{
    return ((const uint8_t *)s->values)[i];
}

/* Groups of eight: neighbours are moved together, then pairs, then fours. */
static void pack_bytes(const source *s, size_t i, size_t count, uint8_t *out)
{
    const uint8_t *v = (const uint8_t *)s->values + i;
    const unsigned w = s->width;
    for (; count > 0; v += 8, out += w) {
        size_t n = count < 8 ? count : 8;
        uint64_t x = 0;
        memcpy(&x, v, n);
        x = (x & UINT64_C(0x00ff00ff00ff00ff)) | (x >> 8 & UINT64_C(0x00ff00ff00ff00ff)) << w;
        x = (x & UINT64_C(0x0000ffff0000ffff)) | (x >> 16 & UINT64_C(0x0000ffff0000ffff)) << 2 * w;
        x = (x & UINT32_MAX) | x >> 32 << 4 * w;
        memcpy(out, &x, w);
        count -= n;
    }
}

static uint32_t bit_at(const source *s, size_t i)
{
    return s3s_bit(s->values, i);
}

static uint64_t same_bits(const source *s, size_t i, size_t n)
{
    return ~(s3s_bits_load(s->values, i, n) ^ s3s_bits_load(s->values, i + 1, n)) &
           s3s_mask_first(n);
}

static void pack_bits(const source *s, size_t i, size_t count, uint8_t *out)
{
    s3s_bits_copy(out, 0, s->values, i, count);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static s3store_status put_packed(const source *s, size_t i, size_t count, s3s_buffer *out,
                                 s3store_error *err)
{
    size_t groups = (count + 7) / 8, size = groups * s->width;
    s3store_status status = put_header((uint64_t)groups << 1 | 1, out, err);
    if (status != S3STORE_OK)
        return status;
    uint8_t *to = s3s_buffer_reserve(out, size, err);
    if (to == NULL)
        return err != NULL ? err->status : S3STORE_OUT_OF_MEMORY;
    memset(to, 0, size); /* padding of the last group */
    s->pack(s, i, count, to);
    out->size += size;
    return S3STORE_OK;
}

/* Where the next RUN_MIN values that are the same begin, from i on, where a run begins; the count
 * where there are none. 64 at a time: mostly none of them are. */
static size_t find_run(const source *s, size_t i)
{
    while (s->count - i >= RUN_MIN) {
        size_t left = s->count - 1 - i, n = left < S3S_MASK_BITS ? left : S3S_MASK_BITS;
        uint64_t same = s->same(s, i, n);
        same &= same >> 1;
        same &= same >> 2;
        same &= same >> 3; /* seven of them */
        if (same != 0)
            return i + (size_t)__builtin_ctzll(same);
        i += n - (RUN_MIN - 2); /* what was not seen to its end */
    }
    return s->count;
}

static size_t run_length(const source *s, size_t i)
{
    size_t run = 1;
    while (i + run < s->count) {
        size_t left = s->count - i - run, n = left < S3S_MASK_BITS ? left : S3S_MASK_BITS;
        uint64_t differ = ~s->same(s, i + run - 1, n);
        size_t more = differ != 0 ? (size_t)__builtin_ctzll(differ) : S3S_MASK_BITS;
        if (more < n)
            return run + more;
        run += n;
    }
    return run;
}

static s3store_status encode(const source *s, s3s_buffer *out, s3store_error *err)
{
    size_t packed = 0; /* values [packed, i) wait for a packed run */
    s3store_status status = S3STORE_OK;
    for (size_t i = find_run(s, 0); i < s->count && status == S3STORE_OK; i = find_run(s, i)) {
        size_t run = run_length(s, i);
        /* Only the last packed run may end inside a group: fill it from this repetition. */
        size_t fill = (8 - (i - packed) % 8) % 8;
        if (run < RUN_MIN + fill) {
            i += run;
            continue;
        }
        i += fill;
        if (i > packed)
            status = put_packed(s, packed, i - packed, out, err);
        if (status == S3STORE_OK)
            status = s3s_hybrid_encode_run(s->at(s, i), run - fill, s->width, out, err);
        i += run - fill;
        packed = i;
    }
    if (status == S3STORE_OK && s->count > packed)
        status = put_packed(s, packed, s->count - packed, out, err);
    return status;
}

s3store_status s3s_hybrid_encode(const uint32_t *values, size_t count, unsigned width,
                                 s3s_buffer *out, s3store_error *err)
{
    const source s = {values, count, width, word_at, same_words, pack_words};
    return encode(&s, out, err);
}

s3store_status s3s_hybrid_encode_bytes(const uint8_t *values, size_t count, unsigned width,
                                       s3s_buffer *out, s3store_error *err)
{
    const source s = {values, count, width, byte_at, same_bytes, pack_bytes};
    return encode(&s, out, err);
}

s3store_status s3s_hybrid_encode_bits(const uint8_t *bits, size_t count, s3s_buffer *out,
                                      s3store_error *err)
{
    const source s = {bits, count, 1, bit_at, same_bits, pack_bits};
    return encode(&s, out, err);
}
