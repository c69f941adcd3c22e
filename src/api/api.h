/* api/api.h: what the thin layer under the public header shares. */
#ifndef S3S_API_H
#define S3S_API_H

#include "base/error.h"
#include "dataset/target.h"

/* INVALID_ARGUMENT naming a required argument that is NULL. */
#define S3S_REQUIRE(argument)                                                                      \
    do {                                                                                           \
        if ((argument) == NULL)                                                                    \
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: %s is NULL", __func__,             \
                            #argument);                                                            \
    } while (0)

#endif
