/* parquet/extract.c: Arrow values to dense physical values. */
#include "parquet/extract.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "parquet/format.h"

typedef s3store_status (*extract_fn)(const s3s_column *c, int64_t start, size_t count, void *out,
                                     size_t *found, s3store_error *err);

struct s3s_extractor {
    extract_fn fn;
    uint8_t width; /* 0: byte strings; 255: the field's */
};

#define FIELD_WIDTH 255

/* Each row's value, `FROM` wide in Arrow, `TO` in the file. */
#define COPY(name, FROM, TO)                                                                       \
    static s3store_status name(const s3s_column *c, int64_t start, size_t count, void *out,        \
                               size_t *found, s3store_error *err)                                  \
    {                                                                                              \
        (void)err;                                                                                 \
        const FROM *from = (const FROM *)c->values + c->offset + start;                            \
        TO *to = out;                                                                              \
        size_t k = 0;                                                                              \
        if (c->validity == NULL) {                                                                 \
            for (; k < count; k++)                                                                 \
                to[k] = (TO)from[k];                                                               \
        } else {                                                                                   \
            for (size_t i = 0; i < count; i++) {                                                   \
                to[k] = (TO)from[i];                                                               \
                k += !s3s_column_is_null(c, start + (int64_t)i);                                   \
            }                                                                                      \
        }                                                                                          \
        *found = k;                                                                                \
        return S3STORE_OK;                                                                         \
    }

COPY(copy_int8, int8_t, int32_t)
COPY(copy_int16, int16_t, int32_t)
COPY(copy_uint8, uint8_t, uint32_t)
COPY(copy_uint16, uint16_t, uint32_t)
COPY(copy_half, uint16_t, uint16_t)
COPY(copy_4, uint32_t, uint32_t)
COPY(copy_8, uint64_t, uint64_t)

static s3store_status extract_bool(const s3s_column *c, int64_t start, size_t count, void *out,
                                   size_t *found, s3store_error *err)
{
    (void)err;
    uint8_t *to = out;
    size_t k = 0;
    for (size_t i = 0; i < count; i++)
        if (!s3s_column_is_null(c, start + (int64_t)i))
            to[k++] = s3s_column_bool(c, start + (int64_t)i);
    *found = k;
    return S3STORE_OK;
}

static s3store_status extract_bytes(const s3s_column *c, int64_t start, size_t count, void *out,
                                    size_t *found, s3store_error *err)
{
    s3store_bytes *to = out;
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t row = start + (int64_t)i;
        if (s3s_column_is_null(c, row))
            continue;
        to[k] = s3s_column_bytes(c, row);
        if (to[k].size > INT32_MAX - 64)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "column \"%s\": a value of %zu bytes; a page holds less than 2 GiB",
                            c->field->name, to[k].size);
        k++;
    }
    *found = k;
    return S3STORE_OK;
}

/* Strings and binaries with offsets of 32 bits: below 2 GiB all together. */
static s3store_status extract_text(const s3s_column *c, int64_t start, size_t count, void *out,
                                   size_t *found, s3store_error *err)
{
    const int32_t *offsets = (const int32_t *)c->offsets + c->offset + start;
    const char *text = c->values;
    s3store_bytes *to = out;
    size_t k = 0;
    if (text == NULL)
        text = "";
    if (offsets[count] - offsets[0] > INT32_MAX - 64) /* one may be too long for a page */
        return extract_bytes(c, start, count, out, found, err);
    for (size_t i = 0; i < count; i++) {
        to[k] = (s3store_bytes){text + offsets[i], (size_t)(offsets[i + 1] - offsets[i])};
        k += c->validity == NULL || !s3s_column_is_null(c, start + (int64_t)i);
    }
    *found = k;
    return S3STORE_OK;
}

static s3store_status extract_fixed(const s3s_column *c, int64_t start, size_t count, void *out,
                                    size_t *found, s3store_error *err)
{
    (void)err;
    size_t width = (size_t)c->field->width;
    uint8_t *to = out;
    for (size_t i = 0; i < count; i++) {
        int64_t row = start + (int64_t)i;
        if (s3s_column_is_null(c, row))
            continue;
        memcpy(to, (const uint8_t *)c->values + (size_t)(c->offset + row) * width, width);
        to += width;
    }
    *found = (size_t)(to - (uint8_t *)out) / width;
    return S3STORE_OK;
}

/* Decimals lie in files with their most significant byte first. */
static s3store_status extract_decimal(const s3s_column *c, int64_t start, size_t count, void *out,
                                      size_t *found, s3store_error *err)
{
    s3store_status status = extract_fixed(c, start, count, out, found, err);
    size_t width = (size_t)c->field->width;
    uint8_t *value = out;
    for (size_t i = 0; i < *found; i++, value += width) {
        for (size_t k = 0; k < width / 2; k++) {
            uint8_t byte = value[k];
            value[k] = value[width - 1 - k];
            value[width - 1 - k] = byte;
        }
    }
    return status;
}

/* The value as an integer; false: its digits are more than its type says. */
static bool small_decimal(const uint8_t *value, size_t width, int64_t max, int64_t *out)
{
    int64_t low;
    memcpy(&low, value, sizeof low);
    bool fits = low >= -max && low <= max;
    for (size_t i = sizeof low; i < width; i++)
        fits &= value[i] == (low < 0 ? 0xff : 0);
    *out = low;
    return fits;
}

static s3store_status extract_small_decimal(const s3s_column *c, int64_t start, size_t count,
                                            void *out, size_t *found, s3store_error *err)
{
    const size_t width = (size_t)c->field->width;
    bool narrow = c->field->precision <= S3S_DECIMAL_INT32_DIGITS;
    int64_t max = 1;
    for (int32_t i = 0; i < c->field->precision; i++)
        max *= 10;
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t row = start + (int64_t)i, value;
        if (s3s_column_is_null(c, row))
            continue;
        const uint8_t *at = (const uint8_t *)c->values + (size_t)(c->offset + row) * width;
        if (!small_decimal(at, width, max - 1, &value))
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "column \"%s\": a decimal has more than %d digits", c->field->name,
                            (int)c->field->precision);
        if (narrow)
            ((int32_t *)out)[k++] = (int32_t)value;
        else
            ((int64_t *)out)[k++] = value;
    }
    *found = k;
    return S3STORE_OK;
}

static s3store_status too_large(const s3s_column *c, int64_t value, s3store_error *err)
{
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                    "column \"%s\": %lld does not fit the unit it is written in", c->field->name,
                    (long long)value);
}

/* The file has no seconds. */
static s3store_status extract_timestamp(const s3s_column *c, int64_t start, size_t count, void *out,
                                        size_t *found, s3store_error *err)
{
    s3store_status status = copy_8(c, start, count, out, found, err);
    int64_t *values = out;
    for (size_t i = 0; c->field->unit == S3S_SECOND && i < *found; i++) {
        int64_t seconds = values[i];
        if (__builtin_mul_overflow(seconds, INT64_C(1000), &values[i]))
            return too_large(c, seconds, err);
    }
    return status;
}

static s3store_status extract_time32(const s3s_column *c, int64_t start, size_t count, void *out,
                                     size_t *found, s3store_error *err)
{
    s3store_status status = copy_4(c, start, count, out, found, err);
    int32_t *values = out;
    for (size_t i = 0; c->field->unit == S3S_SECOND && i < *found; i++) {
        int32_t seconds = values[i];
        if (__builtin_mul_overflow(seconds, 1000, &values[i]))
            return too_large(c, seconds, err);
    }
    return status;
}

static s3store_status extract_date64(const s3s_column *c, int64_t start, size_t count, void *out,
                                     size_t *found, s3store_error *err)
{
    int32_t *to = out;
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t row = start + (int64_t)i;
        if (s3s_column_is_null(c, row))
            continue;
        int64_t ms = s3s_column_int(c, row);
        int64_t days = s3s_floor_div(ms, 86400000);
        if (days < INT32_MIN || days > INT32_MAX)
            return too_large(c, ms, err);
        to[k++] = (int32_t)days;
    }
    *found = k;
    return S3STORE_OK;
}

/* Months, days and nanoseconds; the file has unsigned milliseconds. */
static s3store_status extract_interval(const s3s_column *c, int64_t start, size_t count, void *out,
                                       size_t *found, s3store_error *err)
{
    uint8_t *to = out;
    size_t k = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t row = start + (int64_t)i, nanos;
        int32_t months, days;
        if (s3s_column_is_null(c, row))
            continue;
        const uint8_t *at = (const uint8_t *)c->values + (size_t)(c->offset + row) * 16;
        memcpy(&months, at, 4);
        memcpy(&days, at + 4, 4);
        memcpy(&nanos, at + 8, 8);
        if (months < 0 || days < 0 || nanos < 0 || nanos % 1000000 != 0 ||
            nanos / 1000000 > UINT32_MAX)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "column \"%s\": an interval of %d months, %d days, %lld ns; a file "
                            "holds none that is negative or finer than a millisecond",
                            c->field->name, (int)months, (int)days, (long long)nanos);
        uint32_t millis = (uint32_t)(nanos / 1000000);
        memcpy(to, at, 8);
        memcpy(to + 8, &millis, 4);
        to += 12;
        k++;
    }
    *found = k;
    return S3STORE_OK;
}

static s3store_status extract_nothing(const s3s_column *c, int64_t start, size_t count, void *out,
                                      size_t *found, s3store_error *err)
{
    (void)c;
    (void)start;
    (void)count;
    (void)out;
    (void)err;
    *found = 0;
    return S3STORE_OK;
}

static const s3s_extractor extractors[S3S_TYPE_COUNT] = {
    [S3S_TYPE_NULL] = {extract_nothing, 4},
    [S3S_TYPE_BOOL] = {extract_bool, 1},
    [S3S_TYPE_INT8] = {copy_int8, 4},
    [S3S_TYPE_INT16] = {copy_int16, 4},
    [S3S_TYPE_INT32] = {copy_4, 4},
    [S3S_TYPE_INT64] = {copy_8, 8},
    [S3S_TYPE_UINT8] = {copy_uint8, 4},
    [S3S_TYPE_UINT16] = {copy_uint16, 4},
    [S3S_TYPE_UINT32] = {copy_4, 4},
    [S3S_TYPE_UINT64] = {copy_8, 8},
    [S3S_TYPE_FLOAT16] = {copy_half, 2},
    [S3S_TYPE_FLOAT] = {copy_4, 4},
    [S3S_TYPE_DOUBLE] = {copy_8, 8},
    [S3S_TYPE_STRING] = {extract_text, 0},
    [S3S_TYPE_LARGE_STRING] = {extract_bytes, 0},
    [S3S_TYPE_BINARY] = {extract_text, 0},
    [S3S_TYPE_LARGE_BINARY] = {extract_bytes, 0},
    [S3S_TYPE_FIXED_BINARY] = {extract_fixed, FIELD_WIDTH},
    [S3S_TYPE_DATE32] = {copy_4, 4},
    [S3S_TYPE_DATE64] = {extract_date64, 4},
    [S3S_TYPE_TIME32] = {extract_time32, 4},
    [S3S_TYPE_TIME64] = {copy_8, 8},
    [S3S_TYPE_TIMESTAMP] = {extract_timestamp, 8},
    [S3S_TYPE_DECIMAL] = {extract_decimal, FIELD_WIDTH},
    [S3S_TYPE_INTERVAL] = {extract_interval, 12},
};

static const s3s_extractor small_decimals[] = {{extract_small_decimal, 4},
                                               {extract_small_decimal, 8}};

const s3s_extractor *s3s_extractor_for(const s3s_field *field)
{
    if (field->type == S3S_TYPE_DECIMAL && field->precision <= S3S_DECIMAL_INT64_DIGITS)
        return &small_decimals[field->precision > S3S_DECIMAL_INT32_DIGITS];
    return extractors[field->type].fn == NULL ? NULL : &extractors[field->type];
}

size_t s3s_extractor_width(const s3s_extractor *x, const s3s_field *field)
{
    return x->width == FIELD_WIDTH ? (size_t)field->width : x->width;
}

s3store_status s3s_extract(const s3s_extractor *x, const s3s_column *column, int64_t start,
                           size_t count, void *out, size_t *found, s3store_error *err)
{
    return x->fn(column, start, count, out, found, err);
}

const void *s3s_extract_in_place(const s3s_extractor *x, const s3s_column *column, int64_t start)
{
    if (column->validity != NULL || (x->fn != copy_4 && x->fn != copy_8))
        return NULL;
    return (const uint8_t *)column->values + (size_t)(column->offset + start) * x->width;
}
