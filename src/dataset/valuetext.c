/* dataset/valuetext.c: see valuetext.h, and partition.h for the rules. */
#include "dataset/valuetext.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/timefmt.h"
#include "dataset/quote.h"

#define DAY_SECONDS INT64_C(86400)
/* 0000-01-01 and 10000-01-01: what four digits of year can show. */
#define FIRST_SECOND INT64_C(-62167219200)
#define END_SECOND INT64_C(253402300800)

static int64_t format_grain(const s3s_part_spec *spec)
{
    switch (spec->format) {
    case S3S_FORMAT_NONE:
        return 0;
    case S3S_FORMAT_HOUR:
        return 3600;
    case S3S_FORMAT_RFC3339:
        return 1;
    case S3S_FORMAT_STRFTIME:
        return s3s_time_strftime_grain(spec->strftime);
    default: /* years and months are told from the day: their length varies */
        return DAY_SECONDS;
    }
}

static void time_form(s3s_text_form *form, const s3s_field *field)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    int64_t unit = field->type == S3S_TYPE_DATE64 ? 1000 : per_second[field->unit];
    int64_t grain = format_grain(form->spec);

    form->kind = S3S_TEXT_TIME;
    form->is_date = field->type != S3S_TYPE_TIMESTAMP;
    if (field->type == S3S_TYPE_DATE32) {
        form->step = 1;
        form->seconds = DAY_SECONDS;
    } else if (form->is_date || grain > 0) {
        form->seconds = form->is_date ? DAY_SECONDS : grain;
        form->step = form->seconds * unit;
    } else {
        form->step = 1;
        form->fraction = unit;
    }
}

static s3store_status refuse_type(const s3s_field *field, const s3s_part_spec *spec,
                                  s3store_error *err)
{
    char type[128];
    s3s_field_type_text(field, type, sizeof type);
    if (spec->format != S3S_FORMAT_NONE)
        return s3s_fail(err, S3STORE_SCHEMA_MISMATCH,
                        "%s: column %s is %s; formats need date or timestamp",
                        s3s_quote_text(spec->text).text, s3s_quote_text(field->name).text, type);
    return s3s_fail(err, S3STORE_SCHEMA_MISMATCH,
                    "%s: column %s is %s, which has no text form for keys: use a string, integer, "
                    "bool, date or timestamp column",
                    s3s_quote_text(spec->text).text, s3s_quote_text(field->name).text, type);
}

s3store_status s3s_text_form_init(s3s_text_form *form, const s3s_field *field,
                                  const s3s_part_spec *spec, s3store_error *err)
{
    memset(form, 0, sizeof *form);
    form->spec = spec;
    form->step = 1;
    switch (field->type) {
    case S3S_TYPE_DATE32:
    case S3S_TYPE_DATE64:
    case S3S_TYPE_TIMESTAMP:
        time_form(form, field);
        return S3STORE_OK;
    case S3S_TYPE_NULL:
        form->kind = S3S_TEXT_NULL;
        return S3STORE_OK;
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
        form->kind = S3S_TEXT_BYTES;
        break;
    case S3S_TYPE_BOOL:
        form->kind = S3S_TEXT_BOOL;
        break;
    case S3S_TYPE_UINT64:
        form->kind = S3S_TEXT_UNSIGNED;
        break;
    default:
        if (!s3s_type_is_integer(field->type))
            return refuse_type(field, spec, err);
        form->kind = S3S_TEXT_SIGNED;
        break;
    }
    if (spec->format != S3S_FORMAT_NONE)
        return refuse_type(field, spec, err);
    return S3STORE_OK;
}

int64_t s3s_text_form_reduce(const s3s_text_form *form, const s3s_column *column, int64_t row)
{
    if (form->kind == S3S_TEXT_BOOL)
        return s3s_column_bool(column, row);
    int64_t value = s3s_column_int(column, row);
    return form->step == 1 ? value : s3s_floor_div(value, form->step);
}

static size_t write_format(const s3s_text_form *form, int64_t seconds, int32_t nanos, char *out)
{
    const size_t room = S3S_VALUE_TEXT_SIZE;
    int64_t days = s3s_floor_div(seconds, DAY_SECONDS);
    s3s_civil civil;
    switch (form->spec->format) {
    case S3S_FORMAT_NONE:
        return form->is_date ? s3s_date_format((int32_t)days, out, room)
                             : s3s_rfc3339_format(seconds, nanos, -1, out, room);
    case S3S_FORMAT_YEAR:
        civil = s3s_civil_from_seconds(seconds);
        return (size_t)snprintf(out, room, "%04" PRId64, civil.year);
    case S3S_FORMAT_MONTH:
        civil = s3s_civil_from_seconds(seconds);
        return (size_t)snprintf(out, room, "%04" PRId64 "-%02d", civil.year, civil.month);
    case S3S_FORMAT_DAY:
        return s3s_date_format((int32_t)days, out, room);
    case S3S_FORMAT_RFC3339:
        return s3s_rfc3339_format(seconds, 0, 0, out, room);
    case S3S_FORMAT_HOUR: {
        size_t size = s3s_date_format((int32_t)days, out, room);
        return size + (size_t)snprintf(out + size, room - size, "T%02d",
                                       (int)((seconds - days * DAY_SECONDS) / 3600));
    }
    default:
        return s3s_time_strftime(seconds, nanos, form->spec->strftime, out, room) ? strlen(out)
                                                                                  : 0;
    }
}

static s3store_status write_time(const s3s_text_form *form, int64_t reduced, char *out,
                                 size_t *size, s3store_error *err)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    bool fits = true;
    if (form->fraction > 0) {
        seconds = s3s_floor_div(reduced, form->fraction);
        int64_t rest = (reduced % form->fraction + form->fraction) % form->fraction;
        nanos = (int32_t)(rest * (1000000000 / form->fraction));
    } else {
        fits = !__builtin_mul_overflow(reduced, form->seconds, &seconds);
    }
    if (!fits || seconds < FIRST_SECOND || seconds >= END_SECOND)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "column %s holds a time outside the years 0000 to 9999, which keys cannot "
                        "show (is its unit right?)",
                        s3s_quote_text(form->spec->column).text);
    *size = write_format(form, seconds, nanos, out);
    if (*size == 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the format of %s gives no text",
                        s3s_quote_text(form->spec->text).text);
    return S3STORE_OK;
}

s3store_status s3s_text_form_write(const s3s_text_form *form, int64_t reduced, char *out,
                                   size_t *size, s3store_error *err)
{
    int written = 0;
    switch (form->kind) {
    case S3S_TEXT_TIME:
        return write_time(form, reduced, out, size, err);
    case S3S_TEXT_SIGNED:
        written = snprintf(out, S3S_VALUE_TEXT_SIZE, "%" PRId64, reduced);
        break;
    case S3S_TEXT_UNSIGNED:
        written = snprintf(out, S3S_VALUE_TEXT_SIZE, "%" PRIu64, (uint64_t)reduced);
        break;
    case S3S_TEXT_BOOL:
        written = snprintf(out, S3S_VALUE_TEXT_SIZE, "%s", reduced != 0 ? "true" : "false");
        break;
    default:
        return s3s_fail(err, S3STORE_INTERNAL, "text was asked for that is not made");
    }
    *size = (size_t)written;
    return S3STORE_OK;
}

static bool is_null(const s3s_text_form *form, const s3s_column *column, int64_t row)
{
    return form->kind == S3S_TEXT_NULL || s3s_column_is_null(column, row);
}

s3store_status s3s_value_text(const s3s_column *column, int64_t row, const s3s_part_spec *spec,
                              s3s_buffer *out, s3store_error *err)
{
    s3s_text_form form;
    s3store_status status = s3s_text_form_init(&form, column->field, spec, err);
    if (status != S3STORE_OK)
        return status;
    if (is_null(&form, column, row))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: column %s is null in row %" PRId64,
                        s3s_quote_text(spec->text).text, s3s_quote_text(column->field->name).text,
                        row + 1);
    if (form.kind == S3S_TEXT_BYTES) {
        s3store_bytes bytes = s3s_column_bytes(column, row);
        return s3s_buffer_append(out, bytes.data, bytes.size, err);
    }
    char text[S3S_VALUE_TEXT_SIZE];
    size_t size = 0;
    status = s3s_text_form_write(&form, s3s_text_form_reduce(&form, column, row), text, &size, err);
    if (status != S3STORE_OK)
        return status;
    return s3s_buffer_append(out, text, size, err);
}
