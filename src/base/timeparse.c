/* timeparse.c: RFC 3339, dates and HTTP dates, inwards. */
#include <string.h>

#include "base/error.h"
#include "base/timefmt.h"

typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

static bool take(cursor *c, char expected)
{
    if (c->at == c->end || *c->at != expected)
        return false;
    c->at++;
    return true;
}

static bool take_text(cursor *c, const char *expected)
{
    size_t size = strlen(expected);
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, expected, size) != 0)
        return false;
    c->at += size;
    return true;
}

/* Exactly `digits` decimal digits. */
static bool take_number(cursor *c, int digits, int *out)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (c->at == c->end || *c->at < '0' || *c->at > '9')
            return false;
        value = value * 10 + (*c->at++ - '0');
    }
    *out = value;
    return true;
}

static int days_in_month(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static bool is_date(int64_t year, int month, int day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= days_in_month(year, month);
}

/* Four digits, or a sign and 4 to 12: what s3s_rfc3339_format writes. */
static bool take_year(cursor *c, int64_t *year)
{
    bool negative = c->at < c->end && *c->at == '-';
    int value;
    if (!negative && !(c->at < c->end && *c->at == '+')) {
        if (!take_number(c, 4, &value))
            return false;
        *year = value;
        return true;
    }
    c->at++;
    int digits = 0;
    *year = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        if (++digits > 12)
            return false;
        *year = *year * 10 + (*c->at - '0');
    }
    if (negative)
        *year = -*year;
    return digits >= 4;
}

static bool take_date(cursor *c, int64_t *days)
{
    int64_t year;
    int month, day;
    if (!take_year(c, &year) || !take(c, '-') || !take_number(c, 2, &month) || !take(c, '-') ||
        !take_number(c, 2, &day) || !is_date(year, month, day))
        return false;
    *days = s3s_days_from_civil(year, month, day);
    return true;
}

/* "hh:mm:ss" as seconds of the day; last_second 60 lets a leap second pass. */
static bool take_clock(cursor *c, int last_second, int *out)
{
    int hour, minute, second;
    if (!take_number(c, 2, &hour) || !take(c, ':') || !take_number(c, 2, &minute) ||
        !take(c, ':') || !take_number(c, 2, &second) || hour > 23 || minute > 59 ||
        second > last_second)
        return false;
    *out = hour * 3600 + minute * 60 + second;
    return true;
}

/* ".123": at least one digit; those beyond nanoseconds are cut. */
static bool take_fraction(cursor *c, int32_t *nanos, int *digits)
{
    *nanos = 0;
    *digits = 0;
    if (!take(c, '.'))
        return true;
    int32_t weight = 100000000;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
        *nanos += weight * (*c->at - '0');
        weight /= 10;
        if (*digits < 1000)
            (*digits)++;
    }
    return *digits > 0;
}

/* "Z" or "+hh:mm", as seconds east of Greenwich. */
static bool take_zone(cursor *c, int *east)
{
    int hour, minute;
    *east = 0;
    if (take(c, 'Z'))
        return true;
    int sign = take(c, '-') ? -1 : take(c, '+') ? 1 : 0;
    if (sign == 0 || !take_number(c, 2, &hour) || !take(c, ':') || !take_number(c, 2, &minute) ||
        hour > 23 || minute > 59)
        return false;
    *east = sign * (hour * 3600 + minute * 60);
    return true;
}

bool s3s_rfc3339_parse(const char *text, size_t size, int64_t *seconds, int32_t *nanos, int *digits)
{
    cursor c = {text, text + size};
    int64_t days, total;
    int32_t fraction;
    int clock, east, seen;
    if (!take_date(&c, &days) || !(take(&c, 'T') || take(&c, ' ')) || !take_clock(&c, 59, &clock) ||
        !take_fraction(&c, &fraction, &seen) || !take_zone(&c, &east) || c.at != c.end)
        return false;
    if (__builtin_mul_overflow(days, 86400, &total) ||
        __builtin_add_overflow(total, clock - east, &total))
        return false;
    *seconds = total;
    *nanos = fraction;
    if (digits != NULL)
        *digits = seen;
    return true;
}

bool s3s_date_parse(const char *text, size_t size, int32_t *days)
{
    cursor c = {text, text + size};
    int64_t value;
    if (size != 10 || text[0] == '-' || text[0] == '+' || !take_date(&c, &value) || c.at != c.end)
        return false;
    *days = (int32_t)value;
    return true;
}

bool s3s_iso_parse_us(const char *text, size_t size, int64_t *time_us)
{
    int64_t seconds, us;
    int32_t nanos;
    if (!s3s_rfc3339_parse(text, size, &seconds, &nanos, NULL))
        return false;
    if (__builtin_mul_overflow(seconds, 1000000, &us) ||
        __builtin_add_overflow(us, nanos / 1000, &us) || us == S3STORE_TIME_NONE)
        return false;
    *time_us = us;
    return true;
}

s3store_status s3store_time_parse(const char *text, int64_t *time_us, s3store_error *err)
{
    *time_us = S3STORE_TIME_NONE;
    if (text == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "no time was given");
    if (!s3s_iso_parse_us(text, strlen(text), time_us))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "\"%.200s\" is not a time: RFC 3339 with a zone is expected, as in "
                        "2018-02-07T01:26:13Z or 2018-02-07T02:26:13.5+01:00",
                        text);
    return S3STORE_OK;
}

/* ---- HTTP dates (RFC 9110, 5.6.7) ------------------------------------------------------------ */

static bool take_month(cursor *c, int *month)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (c->end - c->at < 3)
        return false;
    for (int i = 0; i < 12; i++) {
        if (memcmp(c->at, names + (size_t)i * 3, 3) == 0) {
            *month = i + 1;
            c->at += 3;
            return true;
        }
    }
    return false;
}

/* The name of the day is passed over: servers get it wrong, and nothing depends on it. */
static bool skip_letters(cursor *c)
{
    const char *begin = c->at;
    while (c->at < c->end && ((*c->at >= 'A' && *c->at <= 'Z') || (*c->at >= 'a' && *c->at <= 'z')))
        c->at++;
    return c->at - begin >= 3;
}

typedef struct http_date {
    int year, month, day, clock;
} http_date;

/* "Wed, 07 Feb 2018 01:26:13 GMT" */
static bool take_imf(cursor c, http_date *d)
{
    return skip_letters(&c) && take_text(&c, ", ") && take_number(&c, 2, &d->day) &&
           take(&c, ' ') && take_month(&c, &d->month) && take(&c, ' ') &&
           take_number(&c, 4, &d->year) &&
           take(&c, ' ') && take_clock(&c, 60, &d->clock) && take_text(&c, " GMT") &&
           c.at == c.end;
}

/* "Wednesday, 07-Feb-18 01:26:13 GMT"; two digits of year mean 1970 to 2069. */
static bool take_rfc850(cursor c, http_date *d)
{
    if (!(skip_letters(&c) && take_text(&c, ", ") && take_number(&c, 2, &d->day) && take(&c, '-') &&
          take_month(&c, &d->month) && take(&c, '-') && take_number(&c, 2, &d->year) &&
          take(&c, ' ') && take_clock(&c, 60, &d->clock) && take_text(&c, " GMT") &&
          c.at == c.end))
        return false;
    d->year += d->year < 70 ? 2000 : 1900;
    return true;
}

/* "Wed Feb  7 01:26:13 2018" */
static bool take_asctime(cursor c, http_date *d)
{
    return skip_letters(&c) && take(&c, ' ') && take_month(&c, &d->month) && take(&c, ' ') &&
           (take(&c, ' ') ? take_number(&c, 1, &d->day) : take_number(&c, 2, &d->day)) &&
           take(&c, ' ') && take_clock(&c, 60, &d->clock) && take(&c, ' ') &&
           take_number(&c, 4, &d->year) && c.at == c.end;
}

bool s3s_http_date_parse(const char *text, int64_t *time_us)
{
    cursor c = {text, text + strlen(text)};
    http_date d;
    if (!take_imf(c, &d) && !take_rfc850(c, &d) && !take_asctime(c, &d))
        return false;
    if (!is_date(d.year, d.month, d.day))
        return false;
    *time_us = (s3s_days_from_civil(d.year, d.month, d.day) * 86400 + d.clock) * 1000000;
    return true;
}
