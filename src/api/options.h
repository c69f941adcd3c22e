/* api/options.h: option structs that grow. A caller compiled against an older header passes a shorter
 * struct: what it lacks gets its default. One compiled against a newer header passes a longer one: it
 * is accepted as long as what we do not know is zero.
 */
#ifndef S3S_API_OPTIONS_H
#define S3S_API_OPTIONS_H

#include "s3store.h"

/* Copies *from (whose first member is its size) over *to, which holds the defaults. from NULL: all
 * defaults. what: the struct's name, for messages. */
s3store_status s3s_options_copy(void *to, size_t to_size, const void *from, const char *what,
                                s3store_error *err);

/* Declares `name`, a complete copy of the caller's options, and returns on a bad size. */
#define S3S_OPTIONS(type, init, name, from)                                                        \
    type name = init;                                                                              \
    do {                                                                                           \
        s3store_status options_status_ = s3s_options_copy(&name, sizeof name, from, #type, err);   \
        if (options_status_ != S3STORE_OK)                                                         \
            return options_status_;                                                                \
    } while (0)

#endif
