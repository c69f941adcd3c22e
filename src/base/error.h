/* base/error.h: filling the caller's s3store_error. */
#ifndef S3S_BASE_ERROR_H
#define S3S_BASE_ERROR_H

#include <stdarg.h>

#include "s3store.h"

/* Sets status and message (cut at the buffer's end, line breaks become spaces), clears the rest, and
 * returns the status, so that a failing function ends with `return s3s_fail(err, S, "...")`.
 * err may be NULL. */
s3store_status s3s_fail(s3store_error *err, s3store_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
s3store_status s3s_vfail(s3store_error *err, s3store_status status, const char *format,
                         va_list args);

/* The same with the object key, file or URL that it is about. */
s3store_status s3s_fail_key(s3store_error *err, s3store_status status, const char *key,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

/* IO with strerror(errno_value); ENOSPC, EACCES and ENOENT get their own words and status
 * (PERMISSION_DENIED, NOT_FOUND). what: "write", "open"... */
s3store_status s3s_fail_errno(s3store_error *err, int errno_value, const char *what,
                              const char *path);

s3store_status s3s_fail_memory(s3store_error *err, size_t wanted);

/* Puts "<text>: " before the message, once at a boundary; keeps everything else. It returns nothing: err
 * may be NULL, and then only the caller knows the status. */
void s3s_context(s3store_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Fails as another call did that had an error of its own. Returns status; err may be NULL. */
s3store_status s3s_fail_as(s3store_error *err, s3store_status status, const s3store_error *why);

/* The same failure means another status here. Returns it; err may be NULL. */
s3store_status s3s_restate(s3store_error *err, s3store_status status);

/* All texts "". For every request: two kilobytes need not be written each time. */
void s3s_error_clear(s3store_error *err);

#endif
