#include "records/value.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/column.h"

/* ---- growing text ------------------------------------------------------------------------------------------ */

static bool reserve(cli_text *t, size_t more)
{
    if (t->failed)
        return false;
    if (t->capacity - t->size < more) {
        size_t capacity = (t->capacity + more + 64) * 2;
        char *data = realloc(t->data, capacity);
        if (data == NULL) {
            t->failed = true;
            return false;
        }
        t->data = data;
        t->capacity = capacity;
    }
    return true;
}

void cli_text_add(cli_text *t, const void *data, size_t size)
{
    if (!reserve(t, size))
        return;
    if (size > 0)
        memcpy(t->data + t->size, data, size);
    t->size += size;
}

void cli_text_add_string(cli_text *t, const char *text)
{
    cli_text_add(t, text, strlen(text));
}

void cli_text_printf(cli_text *t, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        cli_text_add(t, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void cli_text_json_string(cli_text *t, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    cli_text_add(t, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        size_t plain = i;
        while (plain < size && bytes[plain] >= 0x20 && bytes[plain] != '"' && bytes[plain] != '\\')
            plain++;
        cli_text_add(t, bytes + i, plain - i);
        i = plain;
        if (i == size)
            break;
        switch (bytes[i]) {
        case '"':
            cli_text_add(t, "\\\"", 2);
            break;
        case '\\':
            cli_text_add(t, "\\\\", 2);
            break;
        case '\n':
            cli_text_add(t, "\\n", 2);
            break;
        case '\r':
            cli_text_add(t, "\\r", 2);
            break;
        case '\t':
            cli_text_add(t, "\\t", 2);
            break;
        default:
            cli_text_printf(t, "\\u%04x", bytes[i]);
        }
    }
    cli_text_add(t, "\"", 1);
}

void cli_text_free(cli_text *t)
{
    free(t->data);
    *t = (cli_text){0};
}

/* ---- values --------------------------------------------------------------------------------------------------- */

bool cli_value_is_null(const struct ArrowArray *array, int64_t row)
{
    const uint8_t *validity = array->n_buffers > 0 ? array->buffers[0] : NULL;
    uint64_t at = (uint64_t)(array->offset + row);
    return validity != NULL && ((validity[at >> 3] >> (at & 7)) & 1) == 0;
}

void cli_write_string(cli_text *out, const void *data, size_t size, cli_style style)
{
    const char *text = data;
    if (style == CLI_STYLE_JSON) {
        cli_text_json_string(out, data, size);
        return;
    }
    bool quote = size == 0;
    for (size_t i = 0; i < size && !quote; i++)
        quote = text[i] == '"' || text[i] == ',' || text[i] == '\n' || text[i] == '\r';
    if (style == CLI_STYLE_PLAIN || !quote) {
        cli_text_add(out, data, size);
        return;
    }
    cli_text_add(out, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            cli_text_add(out, "\"", 1);
        cli_text_add(out, text + i, 1);
    }
    cli_text_add(out, "\"", 1);
}

static int64_t int_at(char format, const struct ArrowArray *array, int64_t row)
{
    int64_t at = array->offset + row;
    const void *v = array->buffers[1];
    switch (format) {
    case 'c':
        return ((const int8_t *)v)[at];
    case 's':
        return ((const int16_t *)v)[at];
    case 'i':
        return ((const int32_t *)v)[at];
    case 'C':
        return ((const uint8_t *)v)[at];
    case 'S':
        return ((const uint16_t *)v)[at];
    case 'I':
        return ((const uint32_t *)v)[at];
    default:
        return ((const int64_t *)v)[at];
    }
}

static void write_int(cli_text *out, const struct ArrowSchema *type, const struct ArrowArray *array,
                      int64_t row, cli_style style)
{
    (void)style;
    int64_t value = int_at(type->format[0], array, row);
    if (type->format[0] == 'L')
        cli_text_printf(out, "%llu", (unsigned long long)value);
    else
        cli_text_printf(out, "%lld", (long long)value);
}

static void write_bool(cli_text *out, const struct ArrowSchema *type,
                       const struct ArrowArray *array, int64_t row, cli_style style)
{
    (void)type;
    (void)style;
    uint64_t at = (uint64_t)(array->offset + row);
    const uint8_t *bits = array->buffers[1];
    cli_text_add_string(out, (bits[at >> 3] >> (at & 7)) & 1 ? "true" : "false");
}

/* The shortest form that reads back equal; whole numbers keep a ".0", so that they stay floats. */
void cli_write_float(cli_text *out, double value, bool single, cli_style style)
{
    char text[40];
    if (!isfinite(value)) {
        const char *word = isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
        cli_write_string(out, word, strlen(word), style);
        return;
    }
    /* Up to 6 (15) digits always come back; subnormal numbers have fewer. */
    int digits = fabs(value) < (single ? (double)FLT_MIN : DBL_MIN) ? 1 : single ? 6 : 15;
    for (; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    cli_text_add_string(out, text);
    if (strpbrk(text, ".e") == NULL)
        cli_text_add(out, ".0", 2);
}

static void write_double(cli_text *out, const struct ArrowSchema *type,
                         const struct ArrowArray *array, int64_t row, cli_style style)
{
    int64_t at = array->offset + row;
    if (type->format[0] == 'f')
        cli_write_float(out, (double)((const float *)array->buffers[1])[at], true, style);
    else
        cli_write_float(out, ((const double *)array->buffers[1])[at], false, style);
}

static const char *bytes_at(const struct ArrowSchema *type, const struct ArrowArray *array,
                            int64_t row, size_t *size)
{
    int64_t at = array->offset + row, start, end;
    if (type->format[0] == 'U' || type->format[0] == 'Z') {
        const int64_t *offsets = array->buffers[1];
        start = offsets[at];
        end = offsets[at + 1];
    } else {
        const int32_t *offsets = array->buffers[1];
        start = offsets[at];
        end = offsets[at + 1];
    }
    *size = (size_t)(end - start);
    return *size > 0 ? (const char *)array->buffers[2] + start : "";
}

static void write_text(cli_text *out, const struct ArrowSchema *type,
                       const struct ArrowArray *array, int64_t row, cli_style style)
{
    size_t size;
    const char *data = bytes_at(type, array, row, &size);
    cli_write_string(out, data, size, style);
}

/* JSON text is a value, not a string: it goes out as it is. */
static void write_json(cli_text *out, const struct ArrowSchema *type,
                       const struct ArrowArray *array, int64_t row, cli_style style)
{
    size_t size;
    const char *data = bytes_at(type, array, row, &size);
    if (style != CLI_STYLE_JSON)
        cli_write_string(out, data, size, style);
    else if (size > 0 && (data[0] == '{' || data[0] == '[') && memchr(data, '\n', size) == NULL)
        cli_text_add(out, data, size);
    else
        cli_text_json_string(out, data, size);
}

void cli_write_base64(cli_text *out, const void *data, size_t size, cli_style style)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *d = data;
    if (style == CLI_STYLE_JSON)
        cli_text_add(out, "\"", 1);
    for (size_t i = 0; i < size; i += 3) {
        uint32_t bits = (uint32_t)d[i] << 16;
        if (i + 1 < size)
            bits |= (uint32_t)d[i + 1] << 8;
        if (i + 2 < size)
            bits |= d[i + 2];
        char text[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        i + 1 < size ? digits[bits >> 6 & 63] : '=',
                        i + 2 < size ? digits[bits & 63] : '='};
        cli_text_add(out, text, 4);
    }
    if (style == CLI_STYLE_JSON)
        cli_text_add(out, "\"", 1);
}

static void write_binary(cli_text *out, const struct ArrowSchema *type,
                         const struct ArrowArray *array, int64_t row, cli_style style)
{
    size_t size;
    const char *data = bytes_at(type, array, row, &size);
    cli_write_base64(out, data, size, style);
}

/* ---- dates and times ------------------------------------------------------------------------------------------ */

static void civil(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t d = days - era * 146097;
    int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
    int64_t of_year = d - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (int)(of_year - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* What floor_div leaves; its product with the divisor may be less than an int64 can be. */
static int64_t floor_mod(int64_t a, int64_t b)
{
    return a % b < 0 ? a % b + b : a % b;
}

static void write_quoted(cli_text *out, const char *text, cli_style style)
{
    cli_write_string(out, text, strlen(text), style);
}

static void write_date(cli_text *out, const struct ArrowSchema *type,
                       const struct ArrowArray *array, int64_t row, cli_style style)
{
    int64_t at = array->offset + row, year;
    int month, day;
    char text[48];
    civil(type->format[2] == 'm' ? floor_div(((const int64_t *)array->buffers[1])[at], 86400000)
                                 : ((const int32_t *)array->buffers[1])[at],
          &year, &month, &day);
    snprintf(text, sizeof text, "%04lld-%02d-%02d", (long long)year, month, day);
    write_quoted(out, text, style);
}

/* Fraction digits: none, 3, 6 or 9, the fewest that are exact; nanosecond columns always show 9, so that
 * they are recognised again. */
static void add_fraction(char *text, size_t size, int64_t nanos, bool all)
{
    size_t n = strlen(text);
    if (all)
        snprintf(text + n, size - n, ".%09lld", (long long)nanos);
    else if (nanos % 1000000 == 0 && nanos != 0)
        snprintf(text + n, size - n, ".%03lld", (long long)nanos / 1000000);
    else if (nanos != 0)
        snprintf(text + n, size - n, ".%06lld", (long long)nanos / 1000);
}

static void write_timestamp(cli_text *out, const struct ArrowSchema *type,
                            const struct ArrowArray *array, int64_t row, cli_style style)
{
    int64_t value = ((const int64_t *)array->buffers[1])[array->offset + row], per_second = 1, year;
    int month, day;
    char text[80];
    for (const char *u = "smun"; *u != type->format[2] && *u != '\0'; u++)
        per_second *= 1000;
    int64_t seconds = floor_div(value, per_second), days = floor_div(seconds, 86400);
    int64_t nanos = floor_mod(value, per_second) * (1000000000 / per_second);
    int64_t clock = floor_mod(seconds, 86400);
    civil(days, &year, &month, &day);
    snprintf(text, sizeof text, "%04lld-%02d-%02dT%02d:%02d:%02d", (long long)year, month, day,
             (int)(clock / 3600), (int)(clock / 60 % 60), (int)(clock % 60));
    add_fraction(text, sizeof text, nanos, type->format[2] == 'n');
    if (type->format[3] == ':' && type->format[4] != '\0')
        strcat(text, "Z");
    write_quoted(out, text, style);
}

static void write_clock(cli_text *out, const struct ArrowSchema *type,
                        const struct ArrowArray *array, int64_t row, cli_style style)
{
    int64_t at = array->offset + row, per_second = 1;
    bool wide = type->format[2] == 'u' || type->format[2] == 'n';
    int64_t value = wide ? ((const int64_t *)array->buffers[1])[at]
                         : ((const int32_t *)array->buffers[1])[at];
    char text[80];
    for (const char *u = "smun"; *u != type->format[2] && *u != '\0'; u++)
        per_second *= 1000;
    int64_t seconds = floor_div(value, per_second);
    snprintf(text, sizeof text, "%02lld:%02d:%02d", (long long)(seconds / 3600),
             (int)(seconds / 60 % 60), (int)(seconds % 60));
    add_fraction(text, sizeof text, floor_mod(value, per_second) * (1000000000 / per_second),
                 type->format[2] == 'n');
    write_quoted(out, text, style);
}

static void write_null(cli_text *out, const struct ArrowSchema *type,
                       const struct ArrowArray *array, int64_t row, cli_style style)
{
    (void)type;
    (void)array;
    (void)row;
    if (style == CLI_STYLE_JSON)
        cli_text_add_string(out, "null");
}

bool cli_type_is_number(const struct ArrowSchema *type)
{
    return type->format[1] == '\0' && strchr("csilCSILfg", type->format[0]) != NULL;
}

cli_value_fn cli_value_writer(const struct ArrowSchema *type)
{
    const char *f = type->format;
    if (cli_schema_is_json(type))
        return write_json;
    if (strncmp(f, "ts", 2) == 0)
        return write_timestamp;
    if (strncmp(f, "tt", 2) == 0)
        return write_clock;
    if (strncmp(f, "td", 2) == 0)
        return write_date;
    if (f[0] == '\0')
        return NULL;
    if (f[1] != '\0' || f[0] == 'e')
        return cli_value_writer_more(type);
    if (strchr("csilCSIL", f[0]) != NULL)
        return write_int;
    switch (f[0]) {
    case 'n':
        return write_null;
    case 'b':
        return write_bool;
    case 'f':
    case 'g':
        return write_double;
    case 'u':
    case 'U':
        return write_text;
    case 'z':
    case 'Z':
        return write_binary;
    default:
        return NULL;
    }
}
