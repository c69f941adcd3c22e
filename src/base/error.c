/* error.c: filling s3store_error. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Copies text into a field. Control characters become spaces, so that a record stays one line
 * whatever a server or a file put into it; a cut never splits a UTF-8 sequence. */
static void put_line(char *out, size_t out_size, const char *text)
{
    size_t n = strlen(text);
    if (n >= out_size) {
        n = out_size - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    memcpy(out, text, n);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)out[i];
        if (c < 0x20 || c == 0x7F)
            out[i] = ' ';
    }
    out[n] = '\0';
}

static s3store_status fail(s3store_error *err, s3store_status status, const char *key,
                           const char *format, va_list args)
{
    if (err == NULL)
        return status;
    /* The arguments may point into *err: format and copy before anything is overwritten. */
    char message[sizeof err->message + 4];
    char key_copy[sizeof err->key] = "";
    int n = vsnprintf(message, sizeof message, format, args);
    if (n < 0)
        snprintf(message, sizeof message, "%s", s3store_status_text(status));
    if (key != NULL)
        put_line(key_copy, sizeof key_copy, key);
    memset(err, 0, sizeof *err);
    err->status = status;
    put_line(err->message, sizeof err->message, message);
    memcpy(err->key, key_copy, sizeof key_copy);
    return status;
}

s3store_status s3s_vfail(s3store_error *err, s3store_status status, const char *format,
                         va_list args)
{
    return fail(err, status, NULL, format, args);
}

s3store_status s3s_fail(s3store_error *err, s3store_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(err, status, NULL, format, args);
    va_end(args);
    return status;
}

s3store_status s3s_fail_key(s3store_error *err, s3store_status status, const char *key,
                            const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(err, status, key, format, args);
    va_end(args);
    return status;
}

s3store_status s3s_fail_errno(s3store_error *err, int errno_value, const char *what,
                              const char *path)
{
    static const struct {
        int number;
        s3store_status status;
        const char *words;
    } known[] = {
        {ENOENT, S3STORE_NOT_FOUND, "there is no such file or directory"},
        {EACCES, S3STORE_PERMISSION_DENIED, "permission denied: check owner and mode"},
        {EPERM, S3STORE_PERMISSION_DENIED, "the system does not permit it"},
        {EROFS, S3STORE_PERMISSION_DENIED, "the file system is mounted read-only"},
        {ENOSPC, S3STORE_IO, "no space is left on the device: free some and try again"},
        {EDQUOT, S3STORE_IO, "the disk quota is used up: free some space and try again"},
        {EMFILE, S3STORE_IO, "too many open files: raise the limit (ulimit -n)"},
        {ENOMEM, S3STORE_OUT_OF_MEMORY, "the system is out of memory"},
    };
    const char *shown = path != NULL ? path : "";
    const char *gap = path != NULL ? " " : "";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i].number == errno_value)
            return s3s_fail_key(err, known[i].status, shown, "cannot %s%s%s: %s", what, gap,
                                shown, known[i].words);
    }
    char text[128];
    const char *words = strerror_r(errno_value, text, sizeof text);
    return s3s_fail_key(err, S3STORE_IO, shown, "cannot %s%s%s: %s", what, gap, shown, words);
}

s3store_status s3s_fail_memory(s3store_error *err, size_t wanted)
{
    return s3s_fail(err, S3STORE_OUT_OF_MEMORY, "out of memory: %zu bytes could not be allocated",
                    wanted);
}

void s3s_context(s3store_error *err, const char *format, ...)
{
    if (err == NULL)
        return;
    char context[sizeof err->message];
    char joined[2 * sizeof err->message + 4];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(context, sizeof context, format, args);
    va_end(args);
    if (n < 0)
        return;
    snprintf(joined, sizeof joined, "%s: %s", context, err->message);
    put_line(err->message, sizeof err->message, joined);
}

s3store_status s3s_fail_as(s3store_error *err, s3store_status status, const s3store_error *why)
{
    if (err != NULL)
        *err = *why;
    return status;
}

s3store_status s3s_restate(s3store_error *err, s3store_status status)
{
    if (err != NULL)
        err->status = status;
    return status;
}

void s3s_error_clear(s3store_error *err)
{
    if (err == NULL)
        return;
    err->status = S3STORE_OK;
    err->http_status = 0;
    err->retry_after_ms = 0;
    err->server_date_us = 0;
    err->s3_code[0] = '\0';
    err->request_id[0] = '\0';
    err->key[0] = '\0';
    err->message[0] = '\0';
}
