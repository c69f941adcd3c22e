#include "records/column.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/types.h"

/* ---- times -------------------------------------------------------------------------------------------- */

static bool digits_at(const char *text, size_t count, int *out)
{
    int value = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return true;
}

/* Days since 1970-01-01 of a proleptic Gregorian date (years counted from March). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
           719468;
}

bool cli_parse_date(const char *text, size_t size, int32_t *days)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int y, m, d;
    if (size != 10 || text[4] != '-' || text[7] != '-' || !digits_at(text, 4, &y) ||
        !digits_at(text + 5, 2, &m) || !digits_at(text + 8, 2, &d) || m < 1 || m > 12 || d < 1 ||
        d > lengths[m - 1])
        return false;
    bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
    if (m == 2 && d == 29 && !leap)
        return false;
    *days = (int32_t)days_of(y, m, d);
    return true;
}

static bool parse_zone(const char *text, size_t size, int *offset_seconds)
{
    int h, m;
    *offset_seconds = 0;
    if (size == 1 && (text[0] == 'Z' || text[0] == 'z'))
        return true;
    if (size != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
        !digits_at(text + 1, 2, &h) || !digits_at(text + 4, 2, &m) || h > 23 || m > 59)
        return false;
    *offset_seconds = (text[0] == '-' ? -1 : 1) * (h * 3600 + m * 60);
    return true;
}

bool cli_parse_timestamp(const char *text, size_t size, int64_t *seconds, int32_t *nanos,
                         int *digits)
{
    int32_t days;
    int h, m, s, offset;
    if (size < 20 || !cli_parse_date(text, 10, &days) || (text[10] != 'T' && text[10] != ' ') ||
        text[13] != ':' || text[16] != ':' || !digits_at(text + 11, 2, &h) ||
        !digits_at(text + 14, 2, &m) || !digits_at(text + 17, 2, &s) || h > 23 || m > 59 || s > 60)
        return false;
    size_t at = 19;
    *nanos = 0;
    *digits = 0;
    if (text[at] == '.') {
        int32_t scale = 100000000;
        for (at++; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
            *nanos += (text[at] - '0') * scale;
            scale /= 10;
            if (++*digits > 9)
                return false;
        }
        if (*digits == 0)
            return false;
    }
    if (at >= size || !parse_zone(text + at, size - at, &offset))
        return false;
    *seconds = (int64_t)days * 86400 + h * 3600 + m * 60 + s - offset;
    return true;
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* An integer in its usual form: no plus sign, no leading zero. */
static bool plain_integer(const char *text, size_t size, bool *negative)
{
    *negative = size > 0 && text[0] == '-';
    size_t at = *negative;
    if (at == size || (text[at] == '0' && size - at > 1) || (*negative && text[at] == '0'))
        return false;
    for (; at < size; at++)
        if (text[at] < '0' || text[at] > '9')
            return false;
    return true;
}

static bool parse_int(const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text;
}

static bool parse_uint(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    if (text[0] == '-')
        return false;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' && end != text;
}

/* A decimal number as JSON writes it (no hex, no leading zeros, no "nan"). */
static bool plain_number(const char *text, size_t size)
{
    size_t at = size > 0 && text[0] == '-', start = at;
    while (at < size && text[at] >= '0' && text[at] <= '9')
        at++;
    if (at == start || (text[start] == '0' && at - start > 1))
        return false;
    if (at < size && text[at] == '.') {
        size_t first = ++at;
        while (at < size && text[at] >= '0' && text[at] <= '9')
            at++;
        if (at == first)
            return false;
    }
    if (at < size && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < size && (text[at] == '+' || text[at] == '-'))
            at++;
        size_t first = at;
        while (at < size && text[at] >= '0' && text[at] <= '9')
            at++;
        if (at == first)
            return false;
    }
    return at == size;
}

static bool parse_double(const cli_value *v, double *out)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(v->text, words[i].text) == 0) {
            *out = words[i].value;
            return true;
        }
    if (!plain_number(v->text, v->size))
        return false;
    *out = strtod(v->text, NULL);
    return isfinite(*out);
}

/* ---- inference --------------------------------------------------------------------------------------------- */

static cli_type number_type(const char *text, size_t size, bool *negative)
{
    int64_t i;
    uint64_t u;
    if (plain_integer(text, size, negative)) {
        if (parse_int(text, &i))
            return CLI_TYPE_INT;
        if (parse_uint(text, &u))
            return CLI_TYPE_UINT;
        return CLI_TYPE_FLOAT;
    }
    *negative = false;
    return plain_number(text, size) ? CLI_TYPE_FLOAT : CLI_TYPE_STRING;
}

static cli_type string_type(const char *text, size_t size, bool *nanos)
{
    int64_t seconds;
    int32_t part;
    int digits;
    if (cli_parse_date(text, size, &part))
        return CLI_TYPE_DATE;
    if (cli_parse_timestamp(text, size, &seconds, &part, &digits)) {
        *nanos = digits > 6;
        return CLI_TYPE_TIMESTAMP;
    }
    return CLI_TYPE_STRING;
}

static cli_type combine(cli_type a, cli_type b)
{
    if (a == CLI_TYPE_NONE || a == b)
        return b;
    bool numbers = (a == CLI_TYPE_INT || a == CLI_TYPE_UINT || a == CLI_TYPE_FLOAT) &&
                   (b == CLI_TYPE_INT || b == CLI_TYPE_UINT || b == CLI_TYPE_FLOAT);
    if (!numbers)
        return CLI_TYPE_STRING;
    return a == CLI_TYPE_FLOAT || b == CLI_TYPE_FLOAT ? CLI_TYPE_FLOAT : CLI_TYPE_UINT;
}

void cli_infer(cli_inference *inference, const cli_value *v)
{
    bool negative = false, nanos = false;
    cli_type type;
    if (inference->type == CLI_TYPE_STRING)
        return;
    switch (v->token) {
    case CLI_TOKEN_NULL:
        return;
    case CLI_TOKEN_BOOL:
        type = CLI_TYPE_BOOL;
        break;
    case CLI_TOKEN_NUMBER:
        type = number_type(v->text, v->size, &negative);
        break;
    case CLI_TOKEN_NESTED:
        type = CLI_TYPE_JSON;
        break;
    case CLI_TOKEN_STRING:
        type = string_type(v->text, v->size, &nanos);
        break;
    default:
        if (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0)
            type = CLI_TYPE_BOOL;
        else
            type = number_type(v->text, v->size, &negative);
        if (type == CLI_TYPE_STRING)
            type = string_type(v->text, v->size, &nanos);
        break;
    }
    inference->type = combine(inference->type, type);
    inference->negative = inference->negative || negative;
    inference->nanos = inference->nanos || nanos;
    if (inference->type == CLI_TYPE_UINT && inference->negative)
        inference->type = CLI_TYPE_FLOAT;
}

const char *cli_inferred_format(const cli_inference *inference)
{
    static const char *const formats[] = {
        [CLI_TYPE_BOOL] = "b",   [CLI_TYPE_INT] = "l",    [CLI_TYPE_UINT] = "L",
        [CLI_TYPE_FLOAT] = "g",  [CLI_TYPE_STRING] = "u", [CLI_TYPE_JSON] = "u",
        [CLI_TYPE_DATE] = "tdD", [CLI_TYPE_OTHER] = NULL,
    };
    if (inference->type == CLI_TYPE_TIMESTAMP)
        return inference->nanos ? "tsn:UTC" : "tsu:UTC";
    return formats[inference->type];
}

/* ---- appending ------------------------------------------------------------------------------------------------ */

static s3store_status misfit(const cli_value *v, const struct ArrowSchema *type, s3store_error *err)
{
    char name[512];
    cli_type_name(type, name, sizeof name);
    memset(err, 0, sizeof *err);
    err->status = S3STORE_SCHEMA_MISMATCH;
    int shown = v->size > 40 ? 40 : (int)v->size;
    snprintf(err->message, sizeof err->message, "%s%.*s%s%s is not of type %s",
             v->token == CLI_TOKEN_STRING || v->token == CLI_TOKEN_TEXT ? "\"" : "", shown, v->text,
             v->size > 40 ? "..." : "",
             v->token == CLI_TOKEN_STRING || v->token == CLI_TOKEN_TEXT ? "\"" : "", name);
    return S3STORE_SCHEMA_MISMATCH;
}

/* A whole number that no float of the column's width equals: storing the nearest one would change it. */
static bool loses_digits(const char *text, size_t size, double d, bool single)
{
    char exact[400];
    bool negative;
    if (!plain_integer(text, size, &negative))
        return false;
    snprintf(exact, sizeof exact, "%.0f", single ? (double)(float)d : d);
    return strcmp(exact, text) != 0;
}

static s3store_status append_float(s3store_builder *b, size_t column,
                                   const struct ArrowSchema *type, const cli_value *v,
                                   s3store_error *err)
{
    double d;
    char name[64];
    if (!parse_double(v, &d))
        return misfit(v, type, err);
    if (!loses_digits(v->text, v->size, d, type->format[0] == 'f'))
        return s3store_builder_append_double(b, column, d, err);
    cli_type_name(type, name, sizeof name);
    memset(err, 0, sizeof *err);
    err->status = S3STORE_SCHEMA_MISMATCH;
    snprintf(err->message, sizeof err->message, "%.*s cannot be stored exactly as %s",
             v->size > 40 ? 40 : (int)v->size, v->text, name);
    return S3STORE_SCHEMA_MISMATCH;
}

static s3store_status append_timestamp(s3store_builder *b, size_t column,
                                       const struct ArrowSchema *type, const cli_value *v,
                                       s3store_error *err)
{
    int64_t seconds, value, per_second = 1;
    int32_t nanos;
    int digits;
    if ((v->token != CLI_TOKEN_STRING && v->token != CLI_TOKEN_TEXT) ||
        !cli_parse_timestamp(v->text, v->size, &seconds, &nanos, &digits))
        return misfit(v, type, err);
    for (const char *u = "smun"; *u != type->format[2]; u++)
        per_second *= 1000;
    int32_t step = (int32_t)(1000000000 / per_second);
    if (nanos % step != 0 || __builtin_mul_overflow(seconds, per_second, &value) ||
        __builtin_add_overflow(value, (int64_t)(nanos / step), &value))
        return misfit(v, type, err);
    return s3store_builder_append_int(b, column, value, err);
}

static s3store_status append_number(s3store_builder *b, size_t column,
                                    const struct ArrowSchema *type, cli_type kind,
                                    const cli_value *v, s3store_error *err)
{
    int64_t i;
    uint64_t u;
    bool number = v->token == CLI_TOKEN_NUMBER || v->token == CLI_TOKEN_TEXT ||
                  (kind == CLI_TYPE_FLOAT && v->token == CLI_TOKEN_STRING &&
                   !plain_number(v->text, v->size)); /* "NaN" */
    bool negative;
    if (!number)
        return misfit(v, type, err);
    if (kind == CLI_TYPE_FLOAT)
        return append_float(b, column, type, v, err);
    if (!plain_integer(v->text, v->size, &negative))
        return misfit(v, type, err);
    s3store_status status = S3STORE_INVALID_ARGUMENT;
    if (parse_int(v->text, &i))
        status = s3store_builder_append_int(b, column, i, err);
    else if (parse_uint(v->text, &u))
        status = s3store_builder_append_uint(b, column, u, err);
    return status == S3STORE_INVALID_ARGUMENT ? misfit(v, type, err) : status;
}

/* Binary values are base64 in text formats. */
static s3store_status append_binary(s3store_builder *b, size_t column,
                                    const struct ArrowSchema *type, const cli_value *v,
                                    s3store_error *err)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = 0, at = 0;
    uint32_t bits = 0;
    int count = 0;
    uint8_t *out = malloc(v->size / 4 * 3 + 3);
    if (out == NULL) {
        err->status = S3STORE_OUT_OF_MEMORY;
        return S3STORE_OUT_OF_MEMORY;
    }
    for (; at < v->size && v->text[at] != '='; at++) {
        const char *d = v->text[at] != '\0' ? strchr(digits, v->text[at]) : NULL;
        if (d == NULL)
            break;
        bits = bits << 6 | (uint32_t)(d - digits);
        if (++count == 4) {
            out[size++] = (uint8_t)(bits >> 16);
            out[size++] = (uint8_t)(bits >> 8);
            out[size++] = (uint8_t)bits;
            count = 0;
            bits = 0;
        }
    }
    size_t padding = v->size - at;
    bool ok = (count == 0 && padding == 0) || (count == 2 && padding == 2) ||
              (count == 3 && padding == 1);
    for (; at < v->size; at++)
        ok = ok && v->text[at] == '=';
    if (count == 2) {
        out[size++] = (uint8_t)(bits >> 4);
    } else if (count == 3) {
        out[size++] = (uint8_t)(bits >> 10);
        out[size++] = (uint8_t)(bits >> 2);
    }
    s3store_status status = ok ? s3store_builder_append_bytes(b, column, out, size, err)
                               : misfit(v, type, err);
    free(out);
    return status;
}

s3store_status cli_append_value(s3store_builder *b, size_t column, const struct ArrowSchema *type,
                                const cli_value *v, s3store_error *err)
{
    int32_t days;
    if (v->token == CLI_TOKEN_NULL)
        return s3store_builder_append_null(b, column, err);
    cli_type kind = cli_type_of(type);
    switch (kind) {
    case CLI_TYPE_BOOL:
        if ((v->token == CLI_TOKEN_BOOL || v->token == CLI_TOKEN_TEXT) &&
            (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0))
            return s3store_builder_append_bool(b, column, v->text[0] == 't', err);
        return misfit(v, type, err);
    case CLI_TYPE_INT:
    case CLI_TYPE_UINT:
    case CLI_TYPE_FLOAT:
        return append_number(b, column, type, kind, v, err);
    case CLI_TYPE_STRING:
    case CLI_TYPE_JSON:
        return s3store_builder_append_bytes(b, column, v->text, v->size, err);
    case CLI_TYPE_BINARY:
        return append_binary(b, column, type, v, err);
    case CLI_TYPE_DATE:
        if ((v->token == CLI_TOKEN_STRING || v->token == CLI_TOKEN_TEXT) &&
            cli_parse_date(v->text, v->size, &days))
            return s3store_builder_append_int(b, column, days, err);
        return misfit(v, type, err);
    case CLI_TYPE_TIMESTAMP:
        return append_timestamp(b, column, type, v, err);
    case CLI_TYPE_NESTED:
        if (v->token == CLI_TOKEN_NESTED || v->token == CLI_TOKEN_TEXT)
            return cli_append_nested(b, column, type, v, err);
        return misfit(v, type, err);
    default:
        return misfit(v, type, err);
    }
}
