/* What the static analyzer is to know of functions that it sees one file at a time: a failure that was
 * reported is never S3STORE_OK. Included before every file by scripts/lint; never compiled.
 */
#ifndef S3S_ANALYZER_MODEL_H
#define S3S_ANALYZER_MODEL_H

#include "base/error.h"

static inline s3store_status model_failed(s3store_error *err, s3store_status status)
{
    if (status == S3STORE_OK)
        __builtin_unreachable();
    if (err != (void *)0)
        err->status = status;
    return status;
}

#define s3s_fail(err, status, ...) model_failed((err), (status))
#define s3s_fail_key(err, status, key, ...) model_failed((err), (status))
#define s3s_fail_errno(err, number, what, path) ((void)(path), model_failed((err), S3STORE_IO))
#define s3s_fail_memory(err, size) ((void)(size), model_failed((err), S3STORE_OUT_OF_MEMORY))
#define s3s_fail_as(err, status, why) ((void)(why), model_failed((err), (status)))

#endif
