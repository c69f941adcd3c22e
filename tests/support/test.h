/* tests/support/test.h: cmocka with the includes it needs, and assertions on statuses. */
#ifndef S3S_TESTS_SUPPORT_TEST_H
#define S3S_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "s3store.h"

/* The call succeeds; prints the error otherwise. `err` must be an s3store_error in scope. */
#define assert_ok(call)                                                                            \
    do {                                                                                           \
        memset(&err, 0, sizeof err);                                                               \
        s3store_status assert_status_ = (call);                                                    \
        if (assert_status_ != S3STORE_OK)                                                          \
            fail_msg("%s: %s: %s (key %s)", #call, s3store_status_name(assert_status_),            \
                     err.message, err.key);                                                        \
    } while (0)

/* The call fails with exactly this status, and its message contains the text (NULL = any, but not
 * empty). */
#define assert_fails(call, expected, text)                                                         \
    do {                                                                                           \
        memset(&err, 0, sizeof err);                                                               \
        const char *assert_text_ = (text);                                                         \
        s3store_status assert_status_ = (call);                                                    \
        if (assert_status_ != (expected))                                                          \
            fail_msg("%s: got %s, expected %s: %s", #call, s3store_status_name(assert_status_),    \
                     s3store_status_name(expected), err.message);                                  \
        if (err.status != (expected))                                                              \
            fail_msg("%s: the error holds %s", #call, s3store_status_name(err.status));            \
        if (err.message[0] == '\0')                                                                \
            fail_msg("%s: no message", #call);                                                     \
        if (assert_text_ != NULL && strstr(err.message, assert_text_) == NULL)                     \
            fail_msg("%s: \"%s\" does not name \"%s\"", #call, err.message, assert_text_);         \
    } while (0)

#endif
