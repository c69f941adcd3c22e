/* timefmt.c: civil time in UTC and its text forms, outwards. The way back is timeparse.c. */
#include "base/timefmt.h"

#include <stdio.h>
#include <string.h>

int64_t s3s_floor_div(int64_t a, int64_t b)
{
    if (b == -1) /* INT64_MIN / -1 does not fit: wraps instead of trapping */
        return (int64_t)(0 - (uint64_t)a);
    int64_t q = a / b;
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

/* Years are counted from March, so that the leap day is the last of its year, in eras of 400 years
 * that all have 146097 days. */
int64_t s3s_days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = s3s_floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, s3s_civil *c)
{
    int64_t z = days + 719468;
    int64_t era = s3s_floor_div(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    c->day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    c->month = (int)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
    c->year = year_of_era + era * 400 + (c->month <= 2 ? 1 : 0);
    c->yearday = (int)(days - s3s_days_from_civil(c->year, 1, 1)) + 1;
    int64_t weekday = (days + 4) % 7; /* 1970-01-01 was a Thursday */
    c->weekday = (int)(weekday < 0 ? weekday + 7 : weekday);
}

s3s_civil s3s_civil_from_seconds(int64_t seconds)
{
    s3s_civil c;
    int64_t days = s3s_floor_div(seconds, 86400);
    int rest = (int)(seconds - days * 86400);
    civil_from_days(days, &c);
    c.hour = rest / 3600;
    c.minute = rest / 60 % 60;
    c.second = rest % 60;
    return c;
}

/* Four digits; a sign and as many as it takes beyond that. */
static int put_year(char *out, size_t out_size, int64_t year)
{
    if (year >= 0 && year <= 9999)
        return snprintf(out, out_size, "%04d", (int)year);
    return snprintf(out, out_size, "%c%04lld", year < 0 ? '-' : '+',
                    (long long)(year < 0 ? -year : year));
}

size_t s3s_rfc3339_format(int64_t seconds, int32_t nanos, int digits, char *buffer,
                          size_t buffer_size)
{
    s3s_civil c = s3s_civil_from_seconds(seconds);
    char year[24];
    char text[96];
    char fraction[16] = "";
    if (digits < 0)
        digits = nanos == 0 ? 0 : nanos % 1000000 == 0 ? 3 : nanos % 1000 == 0 ? 6 : 9;
    if (digits > 0)
        snprintf(fraction, sizeof fraction, ".%09u", (unsigned)nanos % 1000000000u);
    put_year(year, sizeof year, c.year);
    int n = snprintf(text, sizeof text, "%s-%02d-%02dT%02d:%02d:%02d%.*sZ", year, c.month, c.day,
                     c.hour, c.minute, c.second, digits > 0 ? digits + 1 : 0, fraction);
    if (buffer_size > 0)
        snprintf(buffer, buffer_size, "%s", text);
    return (size_t)n;
}

size_t s3s_date_format(int32_t days, char *buffer, size_t buffer_size)
{
    s3s_civil c = s3s_civil_from_seconds((int64_t)days * 86400);
    char year[24];
    put_year(year, sizeof year, c.year);
    return (size_t)snprintf(buffer, buffer_size, "%s-%02d-%02d", year, c.month, c.day);
}

void s3store_time_format(int64_t time_us, char *buffer, size_t buffer_size)
{
    if (time_us == S3STORE_TIME_NONE) {
        snprintf(buffer, buffer_size, "none");
        return;
    }
    int64_t seconds = s3s_floor_div(time_us, 1000000);
    int32_t nanos = (int32_t)(time_us - seconds * 1000000) * 1000;
    s3s_rfc3339_format(seconds, nanos, -1, buffer, buffer_size);
}

static void put_digits(char *out, int value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
}

/* By hand: every request to a server is stamped with it. */
void s3s_iso_basic(int64_t time_us, char *date_time, char *date)
{
    s3s_civil c = s3s_civil_from_seconds(s3s_floor_div(time_us, 1000000));
    memcpy(date_time, "00000000T000000Z", 17); /* years beyond 9999 have no such form */
    if (c.year >= 0 && c.year <= 9999) {
        put_digits(date_time, (int)c.year, 4);
        put_digits(date_time + 4, c.month, 2);
        put_digits(date_time + 6, c.day, 2);
        put_digits(date_time + 9, c.hour, 2);
        put_digits(date_time + 11, c.minute, 2);
        put_digits(date_time + 13, c.second, 2);
    }
    memcpy(date, date_time, 8);
    date[8] = '\0';
}
