/* duration.c: Go durations (docs/FORMAT.md "Durations"). */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"

#define TWO_63 (UINT64_C(1) << 63)

static const struct {
    const char *name;
    uint64_t ns;
} units[] = {
    {"ns", 1},
    {"us", 1000},
    {"\xC2\xB5s", 1000}, /* U+00B5, micro sign */
    {"\xCE\xBCs", 1000}, /* U+03BC, Greek mu */
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
};

typedef struct cursor {
    const char *at;
    const char *end;
    char *why;
    size_t why_size;
} cursor;

static bool refuse(cursor *c, const char *text, const char *unit, size_t unit_size)
{
    if (c->why_size > 0)
        snprintf(c->why, c->why_size, unit_size > 0 ? "%s \"%.*s\"" : "%s", text, (int)unit_size,
                 unit);
    return false;
}

static bool is_digit(const cursor *c)
{
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

static bool read_integer(cursor *c, uint64_t *value)
{
    uint64_t v = 0;
    for (; is_digit(c); c->at++) {
        if (v > TWO_63 / 10)
            return false;
        v = v * 10 + (uint64_t)(*c->at - '0');
        if (v > TWO_63)
            return false;
    }
    *value = v;
    return true;
}

/* Digits beyond the precision of 63 bits are passed over, as Go does. */
static void read_fraction(cursor *c, uint64_t *value, double *scale)
{
    bool full = false;
    *value = 0;
    *scale = 1;
    for (; is_digit(c); c->at++) {
        if (full || *value > (TWO_63 - 1) / 10) {
            full = true;
            continue;
        }
        uint64_t next = *value * 10 + (uint64_t)(*c->at - '0');
        if (next > TWO_63) {
            full = true;
            continue;
        }
        *value = next;
        *scale *= 10;
    }
}

static bool read_unit(cursor *c, uint64_t *ns)
{
    const char *begin = c->at;
    while (c->at < c->end && *c->at != '.' && !is_digit(c))
        c->at++;
    size_t size = (size_t)(c->at - begin);
    if (size == 0)
        return refuse(c, "a number lacks its unit (ns, us, ms, s, m or h)", NULL, 0);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) == size && memcmp(units[i].name, begin, size) == 0) {
            *ns = units[i].ns;
            return true;
        }
    }
    return refuse(c, "the units are ns, us, ms, s, m and h, not", begin, size > 16 ? 16 : size);
}

/* One number with its unit, in nanoseconds. */
static bool read_component(cursor *c, uint64_t *out)
{
    uint64_t whole, fraction = 0, unit;
    double scale = 1;
    const char *begin = c->at;
    if (!read_integer(c, &whole))
        return refuse(c, "it is too long to be counted in nanoseconds", NULL, 0);
    bool has_digits = c->at != begin;
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        begin = c->at;
        read_fraction(c, &fraction, &scale);
        has_digits = has_digits || c->at != begin;
    }
    if (!has_digits)
        return refuse(c, "a number is expected", NULL, 0);
    if (!read_unit(c, &unit))
        return false;
    if (whole > TWO_63 / unit)
        return refuse(c, "it is too long to be counted in nanoseconds", NULL, 0);
    uint64_t value = whole * unit;
    if (fraction > 0)
        value += (uint64_t)((double)fraction * ((double)unit / scale));
    if (value > TWO_63)
        return refuse(c, "it is too long to be counted in nanoseconds", NULL, 0);
    *out = value;
    return true;
}

bool s3s_go_duration_parse(const char *text, size_t size, int64_t *ns, char *why, size_t why_size)
{
    cursor c = {.at = text, .end = text + size, .why = why, .why_size = why != NULL ? why_size : 0};
    bool negative = false;
    if (size > 0 && (*c.at == '-' || *c.at == '+')) {
        negative = *c.at == '-';
        c.at++;
    }
    if (c.end - c.at == 1 && *c.at == '0') {
        *ns = 0;
        return true;
    }
    if (c.at == c.end)
        return refuse(&c, "a number with a unit is expected, as in 15s", NULL, 0);
    uint64_t total = 0;
    while (c.at < c.end) {
        uint64_t part;
        if (!read_component(&c, &part))
            return false;
        if (part > TWO_63 - total)
            return refuse(&c, "it is too long to be counted in nanoseconds", NULL, 0);
        total += part;
    }
    if (total == TWO_63 && !negative)
        return refuse(&c, "it is too long to be counted in nanoseconds", NULL, 0);
    *ns = negative ? (int64_t)(0 - total) : (int64_t)total;
    return true;
}

/* "1.5" of 1500 with 3 decimals; no trailing zeros. */
static int put_decimal(char *out, size_t out_size, uint64_t value, int decimals)
{
    uint64_t scale = 1;
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    uint64_t fraction = value % scale;
    while (decimals > 0 && fraction % 10 == 0) {
        fraction /= 10;
        decimals--;
    }
    if (decimals == 0)
        return snprintf(out, out_size, "%llu", (unsigned long long)(value / scale));
    return snprintf(out, out_size, "%llu.%0*llu", (unsigned long long)(value / scale), decimals,
                    (unsigned long long)fraction);
}

void s3s_go_duration_format(int64_t ns, char *buffer, size_t buffer_size)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    const char *sign = ns < 0 ? "-" : "";
    const uint64_t second = 1000000000;
    char number[48];
    if (u == 0) {
        snprintf(buffer, buffer_size, "0s");
    } else if (u < second) {
        const char *unit = u < 1000 ? "ns" : u < 1000000 ? "\xC2\xB5s" : "ms";
        put_decimal(number, sizeof number, u, u < 1000 ? 0 : u < 1000000 ? 3 : 6);
        snprintf(buffer, buffer_size, "%s%s%s", sign, number, unit);
    } else {
        uint64_t minutes = u / (60 * second);
        put_decimal(number, sizeof number, u % (60 * second), 9);
        if (minutes == 0)
            snprintf(buffer, buffer_size, "%s%ss", sign, number);
        else if (minutes < 60)
            snprintf(buffer, buffer_size, "%s%llum%ss", sign, (unsigned long long)minutes, number);
        else
            snprintf(buffer, buffer_size, "%s%lluh%llum%ss", sign,
                     (unsigned long long)(minutes / 60), (unsigned long long)(minutes % 60),
                     number);
    }
}

s3store_status s3store_duration_parse(const char *text, int64_t *ns, s3store_error *err)
{
    char why[160] = "";
    *ns = 0;
    if (text == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "no duration was given");
    if (!s3s_go_duration_parse(text, strlen(text), ns, why, sizeof why))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "\"%.200s\" is not a duration: %s", text,
                        why);
    return S3STORE_OK;
}
