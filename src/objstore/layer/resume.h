/* objstore/layer/resume.h: a GET whose body broke off goes on where it was, as long as the object
 * is the same (If-Match). For the retry layer.
 *
 * It stands between the store and the caller's sink, which sees one begin and then all bytes once;
 * only when the object was replaced meanwhile does it see begin again.
 */
#ifndef S3S_OBJSTORE_LAYER_RESUME_H
#define S3S_OBJSTORE_LAYER_RESUME_H

#include "objstore/objstore.h"

typedef struct s3s_resume {
    s3store_sink sink; /* for the store */
    s3store_sink *inner;
    const s3store_get_request *asked;
    s3store_get_request request; /* of the next attempt */
    char etag[72];
    uint64_t first; /* where the bytes that were asked for begin */
    int64_t total; /* of all bytes that were asked for; -1 = unknown */
    uint64_t delivered;
    bool rest_only;   /* request asks for the rest */
    bool sink_failed; /* the status is the sink's: not to be repeated */
} s3s_resume;

/* Borrows all. inner may be NULL. */
void s3s_resume_init(s3s_resume *resume, const s3store_get_request *asked, s3store_sink *inner);

/* Whether a repeat can help where it would not for a plain request: our own condition failed, the
 * object is another one. */
bool s3s_resume_can_restart(const s3s_resume *resume, s3store_status status);

/* After a failed attempt, with what it said of the object: the next request. */
void s3s_resume_prepare(s3s_resume *resume, s3store_status status,
                        const s3store_object_info *info);

#endif
