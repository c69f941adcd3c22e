/* parquet/convert.c: dense physical values to dense Arrow values. Every value is checked: what does
 * not fit is CORRUPT, never cut.
 */
#include "parquet/convert.h"

#include "base/bytes.h"
#include "base/error.h"

#define JULIAN_EPOCH 2440588 /* the Julian day number of 1970-01-01 */
#define DAY_US UINT64_C(86400000000)
#define DAY_NS INT64_C(86400000000000)

static s3store_status out_of_range(int64_t value, int bits, s3store_error *err)
{
    return s3s_fail(err, S3STORE_CORRUPT, "value %lld in a column of %d-bit integers",
                    (long long)value, bits);
}

/* INT32 that hold narrower integers. Unsigned ones may come sign-extended. */
#define NARROW(name, type, bits)                                                                   \
    static s3store_status name(const s3s_leaf *leaf, const void *in, size_t count, void *out,      \
                               s3store_error *err)                                                 \
    {                                                                                              \
        (void)leaf;                                                                                \
        const int32_t *from = in;                                                                  \
        type *to = out;                                                                            \
        bool bad = false;                                                                          \
        for (size_t i = 0; i < count; i++) {                                                       \
            to[i] = (type)from[i];                                                                 \
            bad |= from[i] != (int32_t)to[i] && from[i] != (int##bits##_t)from[i];                 \
        }                                                                                          \
        for (size_t i = 0; bad &&      i < count; i++)                                             \
            if (from[i] != (int32_t)to[i] && from[i] != (int##bits##_t)from[i])                    \
                return out_of_range(from[i], bits, err);                                           \
        return S3STORE_OK;                                                                         \
    }

NARROW(to_int8, int8_t, 8)
NARROW(to_int16, int16_t, 16)
NARROW(to_uint8, uint8_t, 8)
NARROW(to_uint16, uint16_t, 16)

bool s3s_int96_nanos(const uint8_t *value, int64_t *out)
{
    int64_t nanos = (int64_t)s3s_le64(value);
    int64_t day = (int64_t)(int32_t)s3s_le32(value + 8) - JULIAN_EPOCH;
    /* The first day that nanoseconds reach begins before they do. */
    if (day < 0 && nanos >= 0) {
        day++;
        nanos -= DAY_NS;
    }
    return !__builtin_mul_overflow(day, DAY_NS, &day) && !__builtin_add_overflow(day, nanos, out);
}

static s3store_status int96_to_nanos(const s3s_leaf *leaf, const void *in, size_t count, void *out,
                                     s3store_error *err)
{
    (void)leaf;
    const uint8_t *from = in;
    int64_t *to = out;
    for (size_t i = 0; i < count; i++, from += 12)
        if (!s3s_int96_nanos(from, &to[i]))
            return s3s_fail(err, S3STORE_CORRUPT,
                            "an INT96 timestamp that nanoseconds do not reach");
    return S3STORE_OK;
}

/* Where nanoseconds since 1970 do not hold the years that a column has. Arithmetic wraps on
 * purpose: for years beyond 280000 Spark's own wraps when it writes, and only so they come back. */
static s3store_status int96_to_micros(const s3s_leaf *leaf, const void *in, size_t count, void *out,
                                      s3store_error *err)
{
    (void)leaf;
    const uint8_t *from = in;
    int64_t *to = out;
    for (size_t i = 0; i < count; i++, from += 12) {
        int64_t nanos = (int64_t)s3s_le64(from);
        if (nanos % 1000 != 0)
            return s3s_fail(err, S3STORE_UNSUPPORTED,
                            "an INT96 timestamp has nanoseconds, another is beyond the years 1677 "
                            "to 2262: no timestamp type holds both");
        int64_t day = (int64_t)(int32_t)s3s_le32(from + 8) - JULIAN_EPOCH;
        to[i] = (int64_t)((uint64_t)day * DAY_US + (uint64_t)(nanos / 1000));
    }
    return S3STORE_OK;
}

/* Two's complement, big-endian, any length, to little-endian of `width` bytes. */
static bool decimal_from_bytes(const uint8_t *in, size_t size, uint8_t *out, size_t width)
{
    uint8_t fill = size > 0 && (in[0] & 0x80) != 0 ? 0xff : 0;
    while (size > width) {
        if (*in != fill)
            return false;
        in++;
        size--;
    }
    for (size_t i = 0; i < size; i++)
        out[i] = in[size - 1 - i];
    memset(out + size, fill, width - size);
    return size < width || size == 0 || (in[0] & 0x80) == (fill & 0x80);
}

static s3store_status int_to_decimal(const s3s_leaf *leaf, const void *in, size_t count, void *out,
                                     s3store_error *err)
{
    (void)err;
    uint8_t *to = out;
    for (size_t i = 0; i < count; i++, to += leaf->out_width) {
        int64_t value = leaf->physical == S3S_PQ_INT32 ? ((const int32_t *)in)[i]
                                                       : ((const int64_t *)in)[i];
        memset(to, value < 0 ? 0xff : 0, leaf->out_width);
        memcpy(to, &value, sizeof value);
    }
    return S3STORE_OK;
}

static s3store_status bytes_to_decimal(const s3s_leaf *leaf, const void *in, size_t count,
                                       void *out, s3store_error *err)
{
    uint8_t *to = out;
    for (size_t i = 0; i < count; i++, to += leaf->out_width) {
        const uint8_t *data = (const uint8_t *)in + i * leaf->type_length;
        size_t size = leaf->type_length;
        if (leaf->physical == S3S_PQ_BYTE_ARRAY) {
            data = ((const s3store_bytes *)in)[i].data;
            size = ((const s3store_bytes *)in)[i].size;
        }
        if (!decimal_from_bytes(data, size, to, leaf->out_width))
            return s3s_fail(err, S3STORE_CORRUPT, "a decimal of %zu bytes does not fit %zu", size,
                            leaf->out_width);
    }
    return S3STORE_OK;
}

/* Months, days and milliseconds to months, days and nanoseconds. */
static s3store_status interval(const s3s_leaf *leaf, const void *in, size_t count, void *out,
                               s3store_error *err)
{
    (void)leaf;
    (void)err;
    const uint8_t *from = in;
    uint8_t *to = out;
    for (size_t i = 0; i < count; i++, from += 12, to += 16) {
        int64_t nanos = (int64_t)s3s_le32(from + 8) * 1000000;
        memcpy(to, from, 8);
        memcpy(to + 8, &nanos, 8);
    }
    return S3STORE_OK;
}

void s3s_choose_conversion(const s3s_field *field, s3s_leaf *leaf)
{
    leaf->convert = NULL;
    leaf->sink = S3S_SINK_FIXED;
    leaf->out_width = s3s_type_value_size(field);
    switch (field->type) {
    case S3S_TYPE_NULL:
        leaf->sink = S3S_SINK_NULL;
        break;
    case S3S_TYPE_BOOL:
        leaf->sink = S3S_SINK_BITS;
        break;
    case S3S_TYPE_STRING:
    case S3S_TYPE_BINARY:
        leaf->sink = S3S_SINK_BYTES;
        break;
    case S3S_TYPE_INT8:
        leaf->convert = to_int8;
        break;
    case S3S_TYPE_INT16:
        leaf->convert = to_int16;
        break;
    case S3S_TYPE_UINT8:
        leaf->convert = to_uint8;
        break;
    case S3S_TYPE_UINT16:
        leaf->convert = to_uint16;
        break;
    case S3S_TYPE_DECIMAL:
        leaf->convert = leaf->physical == S3S_PQ_INT32 || leaf->physical == S3S_PQ_INT64
                            ? int_to_decimal
                            : bytes_to_decimal;
        break;
    case S3S_TYPE_INTERVAL:
        leaf->convert = interval;
        break;
    case S3S_TYPE_TIMESTAMP:
        if (leaf->physical == S3S_PQ_INT96)
            leaf->convert = field->unit == S3S_NANO ? int96_to_nanos : int96_to_micros;
        break;
    default:
        break;
    }
}
