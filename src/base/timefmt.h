/* base/timefmt.h: civil time in UTC, RFC 3339, HTTP and ISO basic dates, Go durations. */
#ifndef S3S_BASE_TIMEFMT_H
#define S3S_BASE_TIMEFMT_H

#include "s3store.h"

typedef struct s3s_civil {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
    int weekday;                          /* 0 = Sunday */
    int yearday;                          /* from 1 */
} s3s_civil;

int64_t s3s_days_from_civil(int64_t year, int month, int day); /* days since 1970-01-01 */
s3s_civil s3s_civil_from_seconds(int64_t seconds);             /* floor semantics before 1970 */

/* Floor division, for units. */
int64_t s3s_floor_div(int64_t a, int64_t b);

/* RFC 3339 with zone ("2018-02-07T01:26:13.840Z", "+01:00"; 'T' or ' ' between) to nanoseconds
 * since the epoch as seconds + nanos. digits: fraction digits seen (NULL = not wanted). false when
 * it is not one. */
bool s3s_rfc3339_parse(const char *text, size_t size, int64_t *seconds, int32_t *nanos,
                       int *digits);
/* UTC "...Z" with exactly `digits` fraction digits (0, 3, 6 or 9), or the fewest of those that are
 * exact for digits < 0. Years outside 0..9999 are written with sign and more digits. Returns the
 * length; buffer >= S3STORE_TIME_TEXT_SIZE. */
size_t s3s_rfc3339_format(int64_t seconds, int32_t nanos, int digits, char *buffer,
                          size_t buffer_size);
/* "YYYY-MM-DD" and back; false when it is not exactly that. */
bool s3s_date_parse(const char *text, size_t size, int32_t *days);
size_t s3s_date_format(int32_t days, char *buffer, size_t buffer_size);

/* A pattern of strftime elements, in UTC and English, for partition and view formats (timepattern.c;
 * docs/FORMAT.md "Part specifications"):
 *
 *   %Y %y %m %d %j %H %I %M %S   digits with leading zeros; %-m without; %_m with blanks, %e = %_d
 *   %b %B %a %A %p %P            Mar, March, Tue, Tuesday, AM, am
 *   %N %1N..%9N %f %L            digits of the second's fraction (9, n, 6, 3), cut
 *   %.9N %,9N                    the same without trailing zeros, after a separator
 *   %%
 *
 * false on an unknown element or too little room. */
bool s3s_time_strftime(int64_t seconds, int32_t nanos, const char *format, char *buffer,
                       size_t buffer_size);
/* Seconds that a pattern leaves undistinguished, at most a day; 0 = it shows fractions. */
int64_t s3s_time_strftime_grain(const char *format);
/* The way back: the first time that has this text (of a year its first day). false when it has
 * none. */
bool s3s_time_strptime(const char *format, const char *text, size_t size, int64_t *seconds,
                       int32_t *nanos);

/* "Wed, 07 Feb 2018 01:26:13 GMT" (HTTP-date, all three forms) to microseconds. */
bool s3s_http_date_parse(const char *text, int64_t *time_us);
/* "20180207T012613Z" (buffer >= 17) and "20180207" (buffer >= 9). */
void s3s_iso_basic(int64_t time_us, char *date_time, char *date);
/* "2018-02-07T01:26:13.000Z" of LIST. Wrapper of rfc3339. */
bool s3s_iso_parse_us(const char *text, size_t size, int64_t *time_us);

/* Go's time.ParseDuration, exactly (PROTOCOL: see docs/FORMAT.md "Durations"). */
bool s3s_go_duration_parse(const char *text, size_t size, int64_t *ns, char *why,
                           size_t why_size);
/* Go's Duration.String(): "15s", "1m30s", "1.5s", "0s". buffer >= 40. */
void s3s_go_duration_format(int64_t ns, char *buffer, size_t buffer_size);

#endif
