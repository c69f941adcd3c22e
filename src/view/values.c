/* The texts of keys as typed values. */
#include <string.h>

#include "arrow/builder.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "dataset/quote.h"
#include "view/internal.h"

bool s3s_view_can_be(const s3s_field *field)
{
    return field->type == S3S_TYPE_STRING || field->type == S3S_TYPE_BOOL ||
           field->type == S3S_TYPE_DATE32 || field->type == S3S_TYPE_TIMESTAMP ||
           s3s_type_is_integer(field->type);
}

/* The time that a text was made from, as far as it shows it. */
static bool parse_time(const s3s_part_spec *spec, s3s_slice text, int64_t *seconds, int32_t *nanos)
{
    static const char *const patterns[] = {
        [S3S_FORMAT_YEAR] = "%Y",
        [S3S_FORMAT_MONTH] = "%Y-%m",
        [S3S_FORMAT_DAY] = "%Y-%m-%d",
        [S3S_FORMAT_HOUR] = "%Y-%m-%dT%H",
    };
    int32_t days;
    switch (spec->format) {
    case S3S_FORMAT_NONE: /* of a timestamp, or of a date */
        if (s3s_date_parse(text.data, text.size, &days)) {
            *seconds = (int64_t)days * 86400;
            *nanos = 0;
            return true;
        }
        return s3s_rfc3339_parse(text.data, text.size, seconds, nanos, NULL);
    case S3S_FORMAT_RFC3339:
        return s3s_rfc3339_parse(text.data, text.size, seconds, nanos, NULL);
    case S3S_FORMAT_STRFTIME:
        return s3s_time_strptime(spec->strftime, text.data, text.size, seconds, nanos);
    default:
        return s3s_time_strptime(patterns[spec->format], text.data, text.size, seconds, nanos);
    }
}

/* In the column's unit; finer digits are cut. */
static bool to_unit(const s3s_field *field, int64_t seconds, int32_t nanos, int64_t *out)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    if (field->type == S3S_TYPE_DATE32) {
        *out = s3s_floor_div(seconds, 86400);
        return true;
    }
    int64_t factor = per_second[field->unit];
    return !__builtin_mul_overflow(seconds, factor, out) &&
           !__builtin_add_overflow(*out, nanos / (1000000000 / factor), out);
}

static s3store_status no_value(const s3s_field *field, s3s_slice text, s3store_error *err)
{
    char type[64];
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "column %s: the text %s is no %s",
                    s3s_quote_text(field->name).text, s3s_quote(text.data, text.size).text,
                    s3s_field_type_text(field, type, sizeof type));
}

/* Decimal digits alone; the builder checks smaller ranges. */
static bool parse_unsigned(s3s_slice text, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' ||
            __builtin_mul_overflow(*out, (uint64_t)10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(text.data[i] - '0'), out))
            return false;
    }
    return text.size > 0;
}

s3store_status s3s_view_append_value(s3store_builder *builder, size_t column,
                                     const s3s_field *field, const s3s_part_spec *spec,
                                     s3s_slice text, s3store_error *err)
{
    int64_t seconds, value;
    int32_t nanos;
    uint64_t number;
    switch (field->type) {
    case S3S_TYPE_STRING:
        return s3store_builder_append_bytes(builder, column, text.data, text.size, err);
    case S3S_TYPE_BOOL:
        if (text.size == 4 && memcmp(text.data, "true", 4) == 0)
            return s3store_builder_append_bool(builder, column, true, err);
        if (text.size == 5 && memcmp(text.data, "false", 5) == 0)
            return s3store_builder_append_bool(builder, column, false, err);
        return no_value(field, text, err);
    case S3S_TYPE_DATE32:
    case S3S_TYPE_TIMESTAMP:
        if (!parse_time(spec, text, &seconds, &nanos) ||
            !to_unit(field, seconds, nanos, &value))
            return no_value(field, text, err);
        return s3store_builder_append_int(builder, column, value, err);
    case S3S_TYPE_UINT64:
        return parse_unsigned(text, &number)
                   ? s3store_builder_append_uint(builder, column, number, err)
                   : no_value(field, text, err);
    default:
        return s3s_parse_i64(text.data, text.size, &value)
                   ? s3store_builder_append_int(builder, column, value, err)
                   : no_value(field, text, err);
    }
}
