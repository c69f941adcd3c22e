/* cli/records/value_more.c: values of the rarer types as text: nested ones, decimals, float16, fixed-size
 * binaries, durations, intervals. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/value.h"

/* ---- nested: JSON whatever the style ------------------------------------------------------------------------ */

/* row counts from the array's offset. */
static void write_item(cli_text *out, const struct ArrowSchema *type, const struct ArrowArray *array,
                       int64_t row)
{
    cli_value_fn write = cli_value_writer(type);
    if (write == NULL || cli_value_is_null(array, row))
        cli_text_add_string(out, "null");
    else
        write(out, type, array, row, CLI_STYLE_JSON);
}

static void range_at(const struct ArrowSchema *type, const struct ArrowArray *array, int64_t row,
                     int64_t *start, int64_t *end)
{
    int64_t at = array->offset + row;
    if (type->format[1] == 'L') {
        *start = ((const int64_t *)array->buffers[1])[at];
        *end = ((const int64_t *)array->buffers[1])[at + 1];
    } else {
        *start = ((const int32_t *)array->buffers[1])[at];
        *end = ((const int32_t *)array->buffers[1])[at + 1];
    }
}

static void write_struct(cli_text *out, const struct ArrowSchema *type,
                         const struct ArrowArray *array, int64_t row)
{
    cli_text_add(out, "{", 1);
    for (int64_t i = 0; i < type->n_children; i++) {
        const char *name = type->children[i]->name;
        cli_text_add(out, ",", i > 0);
        cli_text_json_string(out, name, strlen(name));
        cli_text_add(out, ":", 1);
        write_item(out, type->children[i], array->children[i], array->offset + row);
    }
    cli_text_add(out, "}", 1);
}

static void write_list(cli_text *out, const struct ArrowSchema *type,
                       const struct ArrowArray *array, int64_t row)
{
    int64_t start, end;
    range_at(type, array, row, &start, &end);
    cli_text_add(out, "[", 1);
    for (int64_t i = start; i < end; i++) {
        cli_text_add(out, ",", i > start);
        write_item(out, type->children[0], array->children[0], i);
    }
    cli_text_add(out, "]", 1);
}

/* Text keys are members of an object; others need a list of entries. */
static void write_map(cli_text *out, const struct ArrowSchema *type,
                      const struct ArrowArray *array, int64_t row)
{
    const struct ArrowSchema *entry_type = type->children[0];
    const struct ArrowArray *entries = array->children[0];
    char key = entry_type->children[0]->format[0];
    int64_t start, end;
    if (key != 'u' && key != 'U') {
        write_list(out, type, array, row);
        return;
    }
    range_at(type, array, row, &start, &end);
    cli_text_add(out, "{", 1);
    for (int64_t i = start; i < end; i++) {
        cli_text_add(out, ",", i > start);
        write_item(out, entry_type->children[0], entries->children[0], entries->offset + i);
        cli_text_add(out, ":", 1);
        write_item(out, entry_type->children[1], entries->children[1], entries->offset + i);
    }
    cli_text_add(out, "}", 1);
}

static void write_nested(cli_text *out, const struct ArrowSchema *type,
                         const struct ArrowArray *array, int64_t row, cli_style style)
{
    cli_text inner = {0};
    cli_text *to = style == CLI_STYLE_JSON ? out : &inner;
    if (type->format[1] == 's')
        write_struct(to, type, array, row);
    else if (type->format[1] == 'm')
        write_map(to, type, array, row);
    else
        write_list(to, type, array, row);
    if (style == CLI_STYLE_JSON)
        return;
    cli_write_string(out, inner.data, inner.size, style);
    out->failed |= inner.failed;
    cli_text_free(&inner);
}

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

static void write_half(cli_text *out, const struct ArrowSchema *type,
                       const struct ArrowArray *array, int64_t row, cli_style style)
{
    (void)type;
    unsigned bits = ((const uint16_t *)array->buffers[1])[array->offset + row];
    int exponent = (int)(bits >> 10 & 31);
    double fraction = bits & 1023, value;
    if (exponent == 31)
        value = fraction == 0 ? HUGE_VAL : NAN;
    else
        value = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25);
    cli_write_float(out, (bits & 0x8000) != 0 ? -value : value, true, style);
}

/* Divides a number of little-endian 32-bit limbs by 10^9; the remainder. */
static uint32_t divide(uint32_t *limbs, size_t count)
{
    uint64_t rest = 0;
    while (count-- > 0) {
        rest = rest << 32 | limbs[count];
        limbs[count] = (uint32_t)(rest / 1000000000);
        rest %= 1000000000;
    }
    return (uint32_t)rest;
}

/* Absolute digits of a two's complement number, most significant first, no leading zeros. */
static size_t decimal_digits(const uint32_t *value, size_t count, bool negative, char *out,
                             size_t out_size)
{
    uint32_t limbs[8];
    uint64_t carry = 1;
    for (size_t i = 0; i < count; i++) {
        carry += negative ? (uint32_t)~value[i] : 0;
        limbs[i] = negative ? (uint32_t)carry : value[i];
        carry >>= 32;
    }
    size_t at = out_size;
    for (size_t block = 0; block < 9; block++) {
        uint32_t nine = divide(limbs, count);
        for (int k = 0; k < 9; k++, nine /= 10)
            out[--at] = (char)('0' + nine % 10);
    }
    while (at < out_size && out[at] == '0')
        at++;
    memmove(out, out + at, out_size - at);
    return out_size - at;
}

static void write_decimal(cli_text *out, const struct ArrowSchema *type,
                          const struct ArrowArray *array, int64_t row, cli_style style)
{
    int precision = 0, scale = 0, bits = 128;
    uint32_t value[8];
    char digits[81], text[200];
    sscanf(type->format, "d:%d,%d,%d", &precision, &scale, &bits);
    size_t width = bits == 32 || bits == 64 || bits == 256 ? (size_t)bits / 8 : 16;
    memcpy(value, (const char *)array->buffers[1] + (size_t)(array->offset + row) * width, width);
    bool negative = value[width / 4 - 1] >> 31;
    size_t count = decimal_digits(value, width / 4, negative, digits, sizeof digits);
    size_t n = 0;
    if (negative)
        text[n++] = '-';
    size_t point = scale > 0 ? (size_t)scale : 0;
    if (point > 80)
        point = 80;
    if (count <= point) {
        text[n++] = '0';
    } else {
        memcpy(text + n, digits, count - point);
        n += count - point;
    }
    if (point > 0) {
        text[n++] = '.';
        for (size_t i = count; i < point; i++)
            text[n++] = '0';
        size_t after = count < point ? count : point;
        memcpy(text + n, digits + count - after, after);
        n += after;
    }
    for (int i = 0; i > scale && i > -80 && count > 0; i--)
        text[n++] = '0';
    cli_write_string(out, text, n, style);
}

/* ---- fixed-size values ------------------------------------------------------------------------------------------ */

static void write_fixed(cli_text *out, const struct ArrowSchema *type,
                        const struct ArrowArray *array, int64_t row, cli_style style)
{
    size_t width = (size_t)strtoul(type->format + 2, NULL, 10);
    cli_write_base64(out, (const char *)array->buffers[1] + (size_t)(array->offset + row) * width,
                     width, style);
}

static void write_duration(cli_text *out, const struct ArrowSchema *type,
                           const struct ArrowArray *array, int64_t row, cli_style style)
{
    static const char *const units[] = {"s", "ms", "us", "ns"};
    char text[40];
    const char *unit = strchr("smun", type->format[2]);
    snprintf(text, sizeof text, "%lld%s",
             (long long)((const int64_t *)array->buffers[1])[array->offset + row],
             unit != NULL && *unit != '\0' ? units[unit - "smun"] : "");
    cli_write_string(out, text, strlen(text), style);
}

/* ISO 8601: P1M2DT3.000000004S. */
static void write_interval(cli_text *out, const struct ArrowSchema *type,
                           const struct ArrowArray *array, int64_t row, cli_style style)
{
    (void)type;
    struct {
        int32_t months, days;
        int64_t nanos;
    } value;
    char text[96];
    memcpy(&value, (const char *)array->buffers[1] + (size_t)(array->offset + row) * 16, 16);
    long long seconds = value.nanos / 1000000000, nanos = value.nanos % 1000000000;
    snprintf(text, sizeof text, "P%dM%dDT%s%lld.%09lldS", (int)value.months, (int)value.days,
             value.nanos < 0 ? "-" : "", llabs(seconds), llabs(nanos));
    cli_write_string(out, text, strlen(text), style);
}

cli_value_fn cli_value_writer_more(const struct ArrowSchema *type)
{
    const char *f = type->format;
    if (strcmp(f, "e") == 0)
        return write_half;
    if (strncmp(f, "d:", 2) == 0)
        return write_decimal;
    if (strncmp(f, "w:", 2) == 0)
        return write_fixed;
    if (strncmp(f, "tD", 2) == 0)
        return write_duration;
    if (strcmp(f, "tin") == 0)
        return write_interval;
    if (strcmp(f, "+l") == 0 || strcmp(f, "+L") == 0 || strcmp(f, "+s") == 0 ||
        strcmp(f, "+m") == 0)
        return write_nested;
    return NULL;
}
