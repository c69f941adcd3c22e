#include "objstore/layer/resume.h"

#include <string.h>

#include "base/error.h"

static s3store_status begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    s3s_resume *r = sink->ctx;
    if (r->rest_only) {
        if (total >= 0 && (uint64_t)total != (uint64_t)r->total - r->delivered)
            return s3s_fail_key(err, S3STORE_CORRUPT, r->asked->key,
                                "get: the rest of the object has %lld bytes, not %llu",
                                (long long)total,
                                (unsigned long long)((uint64_t)r->total - r->delivered));
        return S3STORE_OK;
    }
    r->total = total;
    r->delivered = 0;
    s3store_status status = r->inner->begin(r->inner, total, err);
    r->sink_failed = status != S3STORE_OK;
    return status;
}

static s3store_status write(s3store_sink *sink, const void *data, size_t size, s3store_error *err)
{
    s3s_resume *r = sink->ctx;
    s3store_status status = r->inner->write(r->inner, data, size, err);
    r->sink_failed = status != S3STORE_OK;
    r->delivered += size;
    return status;
}

void s3s_resume_init(s3s_resume *resume, const s3store_get_request *asked, s3store_sink *inner)
{
    *resume = (s3s_resume){.sink = {.begin = begin, .write = write},
                           .inner = inner,
                           .asked = asked,
                           .request = *asked,
                           .total = -1};
    resume->sink.ctx = resume;
}

bool s3s_resume_can_restart(const s3s_resume *resume, s3store_status status)
{
    return resume->rest_only && resume->asked->if_match == NULL &&
           (status == S3STORE_ALREADY_EXISTS || status == S3STORE_INVALID_ARGUMENT);
}

static void restart(s3s_resume *r)
{
    r->request = *r->asked;
    r->rest_only = false;
    r->delivered = 0;
    r->total = -1;
}

void s3s_resume_prepare(s3s_resume *resume, s3store_status status,
                        const s3store_object_info *info)
{
    s3s_resume *r = resume;
    const s3store_get_request *asked = r->asked;
    if (s3s_resume_can_restart(r, status)) {
        restart(r);
        return;
    }
    if (!r->rest_only) { /* the first attempt that got some of it */
        memcpy(r->etag, info->etag, sizeof r->etag);
        if (r->etag[0] == '\0' || r->total < 0) {
            restart(r);
            return;
        }
        r->first = asked->offset;
        if (asked->suffix > 0)
            r->first = info->object_size > asked->suffix ? info->object_size - asked->suffix : 0;
        r->request.suffix = 0;
        r->request.if_match = r->etag;
    }
    /* Nothing yet, or all but the end of the answer: from the beginning. */
    if (r->delivered == 0 || r->delivered >= (uint64_t)r->total) {
        restart(r);
        return;
    }
    r->request.offset = r->first + r->delivered;
    r->request.length = (uint64_t)r->total - r->delivered;
    r->rest_only = true;
}
