/* timepattern.c: times as the elements of a strftime pattern, in UTC and in English, both ways. */
#include <stdio.h>
#include <string.h>

#include "base/timefmt.h"

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

/* Numbers: how many digits, what is allowed, and the seconds that they leave undistinguished. */
static const struct number {
    char letter;
    int digits, least, most;
    int64_t grain;
} numbers[] = {
    {'Y', 4, 0, 9999, 86400}, {'y', 2, 0, 99, 86400}, {'m', 2, 1, 12, 86400},
    {'d', 2, 1, 31, 86400},   {'j', 3, 1, 366, 86400}, {'H', 2, 0, 23, 3600},
    {'I', 2, 1, 12, 3600},    {'M', 2, 0, 59, 60},     {'S', 2, 0, 59, 1},
};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

/* One piece of a pattern. */
typedef struct element {
    char letter; /* 0: the literal byte */
    char literal;
    char flag;   /* '-' no padding, '_' blanks; of fractions the separator '.' or ',' */
    int digits;  /* of fractions */
    const struct number *number;
} element;

static const struct number *find_number(char letter)
{
    for (size_t i = 0; i < NUMBER_COUNT; i++)
        if (numbers[i].letter == letter)
            return &numbers[i];
    return NULL;
}

/* "%N", "%3N", "%.9N", and what stands for some of them. */
static bool take_fraction(const char **at, element *e)
{
    const char *p = *at;
    if (*p == '.' || *p == ',')
        e->flag = *p++;
    e->digits = 9;
    if (*p >= '1' && *p <= '9')
        e->digits = *p++ - '0';
    else if (e->flag != 0)
        return false;
    e->letter = *p;
    if (*p == 'f' || *p == 'L') { /* no digits, no separator */
        if (p != *at)
            return false;
        e->digits = *p == 'f' ? 6 : 3;
        e->letter = 'N';
    }
    *at = p + 1;
    return e->letter == 'N';
}

/* The next piece; false at an element that is not known. *at does not stand on the end. */
static bool next_element(const char **at, element *e)
{
    const char *p = *at;
    memset(e, 0, sizeof *e);
    if (p[0] != '%' || p[1] == '%') {
        e->literal = *p;
        *at = p + (p[0] == '%' ? 2 : 1);
        return true;
    }
    p++;
    const char *fraction = p;
    if (take_fraction(&fraction, e)) {
        *at = fraction;
        return true;
    }
    memset(e, 0, sizeof *e);
    if (*p == '-' || *p == '_')
        e->flag = *p++;
    e->letter = *p;
    if (*p == 'e') {
        e->letter = 'd';
        e->flag = '_';
    }
    e->number = find_number(e->letter);
    *at = p + 1;
    return e->number != NULL ||
           (e->letter != '\0' && e->flag == 0 && strchr("bBaApP", e->letter) != NULL);
}

int64_t s3s_time_strftime_grain(const char *format)
{
    int64_t grain = 86400;
    while (*format != '\0') {
        element e;
        if (!next_element(&format, &e))
            return 0;
        int64_t shown = e.number != NULL                        ? e.number->grain
                        : e.letter == 'N'                       ? 0
                        : e.letter == 'p' || e.letter == 'P'    ? 3600
                                                                : 86400;
        grain = shown < grain ? shown : grain;
    }
    return grain;
}

/* ---- outwards -------------------------------------------------------------------------------- */

static void format_number(const element *e, const s3s_civil *c, char *out, size_t size)
{
    int64_t value;
    switch (e->letter) {
    case 'Y':
        value = c->year;
        break;
    case 'y':
        value = (c->year % 100 + 100) % 100;
        break;
    case 'm':
        value = c->month;
        break;
    case 'd':
        value = c->day;
        break;
    case 'j':
        value = c->yearday;
        break;
    case 'H':
        value = c->hour;
        break;
    case 'I':
        value = c->hour % 12 == 0 ? 12 : c->hour % 12;
        break;
    case 'M':
        value = c->minute;
        break;
    default:
        value = c->second;
        break;
    }
    int width = e->flag == '-' ? 1 : e->number->digits;
    if (e->letter == 'Y' && (value < 0 || value > 9999))
        snprintf(out, size, "%c%04lld", value < 0 ? '-' : '+',
                 (long long)(value < 0 ? -value : value));
    else
        snprintf(out, size, e->flag == '_' ? "%*lld" : "%0*lld", width, (long long)value);
}

/* Digits are cut, never rounded; with a separator trailing zeros are dropped, and it with all of
 * them. */
static void format_fraction(const element *e, int32_t nanos, char *out, size_t size)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%09u", (unsigned)nanos % 1000000000u);
    int count = e->digits;
    while (e->flag != 0 && count > 0 && digits[count - 1] == '0')
        count--;
    char separator[2] = {e->flag != 0 && count > 0 ? e->flag : '\0', '\0'};
    snprintf(out, size, "%s%.*s", separator, count, digits);
}

static void format_element(const element *e, const s3s_civil *c, int32_t nanos, char *out,
                           size_t size)
{
    char literal[2] = {e->literal, '\0'};
    if (e->number != NULL) {
        format_number(e, c, out, size);
        return;
    }
    switch (e->letter) {
    case 0:
        snprintf(out, size, "%s", literal);
        return;
    case 'N':
        format_fraction(e, nanos, out, size);
        return;
    case 'b':
        snprintf(out, size, "%.3s", months[c->month - 1]);
        return;
    case 'B':
        snprintf(out, size, "%s", months[c->month - 1]);
        return;
    case 'a':
        snprintf(out, size, "%.3s", weekdays[c->weekday]);
        return;
    case 'A':
        snprintf(out, size, "%s", weekdays[c->weekday]);
        return;
    case 'p':
        snprintf(out, size, "%s", c->hour < 12 ? "AM" : "PM");
        return;
    default:
        snprintf(out, size, "%s", c->hour < 12 ? "am" : "pm");
        return;
    }
}

bool s3s_time_strftime(int64_t seconds, int32_t nanos, const char *format, char *buffer,
                       size_t buffer_size)
{
    s3s_civil c = s3s_civil_from_seconds(seconds);
    size_t n = 0;
    if (buffer_size == 0)
        return false;
    while (*format != '\0') {
        element e;
        char part[32];
        if (!next_element(&format, &e))
            return false;
        format_element(&e, &c, nanos, part, sizeof part);
        size_t size = strlen(part);
        if (size >= buffer_size - n)
            return false;
        memcpy(buffer + n, part, size);
        n += size;
    }
    buffer[n] = '\0';
    return true;
}

/* ---- inwards --------------------------------------------------------------------------------- */

typedef struct parsing {
    const char *at, *end;
    int year, month, day, yearday, hour, hour12, minute, second; /* -1 = not seen */
    int afternoon;                                              /* -1 = not seen */
    int32_t nanos;
} parsing;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* least to most digits, as many as there are. */
static bool take_digits(parsing *p, int least, int most, int *out)
{
    int count = 0;
    *out = 0;
    for (; count < most && p->at < p->end && is_digit(*p->at); count++)
        *out = *out * 10 + (*p->at++ - '0');
    return count >= least;
}

static bool parse_number(parsing *p, const element *e)
{
    int value, digits = e->number->digits, blanks = 0;
    while (e->flag == '_' && blanks < digits - 1 && p->at < p->end && *p->at == ' ') {
        p->at++;
        blanks++;
    }
    if (!take_digits(p, e->flag == '-' ? 1 : digits - blanks, digits - blanks, &value) ||
        value < e->number->least || value > e->number->most)
        return false;
    switch (e->letter) {
    case 'Y':
        p->year = value;
        return true;
    case 'y':
        p->year = value + (value >= 69 ? 1900 : 2000);
        return true;
    case 'm':
        p->month = value;
        return true;
    case 'd':
        p->day = value;
        return true;
    case 'j':
        p->yearday = value;
        return true;
    case 'H':
        p->hour = value;
        return true;
    case 'I':
        p->hour12 = value % 12;
        return true;
    case 'M':
        p->minute = value;
        return true;
    default:
        p->second = value;
        return true;
    }
}

static bool parse_fraction(parsing *p, const element *e)
{
    int value;
    if (e->flag != 0) {
        if (p->at == p->end || *p->at != e->flag)
            return true; /* all its digits were zero */
        p->at++;
    }
    const char *first = p->at;
    if (!take_digits(p, e->flag != 0 ? 1 : e->digits, e->digits, &value))
        return false;
    for (int n = (int)(p->at - first); n < 9; n++)
        value *= 10;
    p->nanos = value;
    return true;
}

static bool take_name(parsing *p, const char *const *names, int count, bool whole, int *out)
{
    for (int i = 0; i < count; i++) {
        size_t size = whole ? strlen(names[i]) : 3;
        if ((size_t)(p->end - p->at) >= size && memcmp(p->at, names[i], size) == 0) {
            p->at += size;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool parse_element(parsing *p, const element *e)
{
    static const char *const halves[] = {"AM", "PM"}, *const small_halves[] = {"am", "pm"};
    int index;
    if (e->number != NULL)
        return parse_number(p, e);
    switch (e->letter) {
    case 0:
        return p->at < p->end && *p->at++ == e->literal;
    case 'N':
        return parse_fraction(p, e);
    case 'b':
    case 'B':
        if (!take_name(p, months, 12, e->letter == 'B', &index))
            return false;
        p->month = index + 1;
        return true;
    case 'a':
    case 'A':
        return take_name(p, weekdays, 7, e->letter == 'A', &index);
    default:
        return take_name(p, e->letter == 'p' ? halves : small_halves, 2, true, &p->afternoon);
    }
}

/* What the pattern does not show is the first of it: of a year January, of an hour minute 0. */
static bool put_together(parsing *p, int64_t *seconds)
{
    int year = p->year >= 0 ? p->year : 0;
    int month = p->month > 0 ? p->month : 1;
    int day = p->day > 0 ? p->day : 1;
    int hour = p->hour >= 0 ? p->hour : 0;
    if (p->hour12 >= 0 && p->hour < 0)
        hour = p->hour12 + (p->afternoon == 1 ? 12 : 0);
    int64_t days = s3s_days_from_civil(year, month, day);
    if (p->yearday > 0 && p->month < 0 && p->day < 0)
        days = s3s_days_from_civil(year, 1, 1) + p->yearday - 1;
    s3s_civil c = s3s_civil_from_seconds(days * 86400);
    if (c.year != year || (p->month > 0 && c.month != month) || (p->day > 0 && c.day != day) ||
        (p->yearday > 0 && c.yearday != p->yearday))
        return false; /* the 30th of February; a day of the year that is not this date */
    *seconds = days * 86400 + hour * 3600 + (p->minute > 0 ? p->minute : 0) * 60 +
               (p->second > 0 ? p->second : 0);
    return true;
}

bool s3s_time_strptime(const char *format, const char *text, size_t size, int64_t *seconds,
                       int32_t *nanos)
{
    parsing p = {.at = text, .end = text + size, .year = -1, .month = -1, .day = -1,
                 .yearday = -1, .hour = -1, .hour12 = -1, .minute = -1, .second = -1,
                 .afternoon = -1};
    while (*format != '\0') {
        element e;
        if (!next_element(&format, &e) || !parse_element(&p, &e))
            return false;
    }
    if (p.at != p.end || !put_together(&p, seconds))
        return false;
    *nanos = p.nanos;
    return true;
}
