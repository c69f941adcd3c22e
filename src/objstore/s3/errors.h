/* objstore/s3/errors.h: what an answer of S3 means. */
#ifndef S3S_OBJSTORE_S3_ERRORS_H
#define S3S_OBJSTORE_S3_ERRORS_H

#include "objstore/s3/xml.h"

typedef enum s3s_s3_verb {
    S3S_S3_PUT = 0,
    S3S_S3_GET = 1,
    S3S_S3_HEAD = 2,
    S3S_S3_LIST = 3,
    S3S_S3_REMOVE = 4,
    /* Of an upload in parts: begun, one part, completed, thrown away. */
    S3S_S3_CREATE = 5,
    S3S_S3_PART = 6,
    S3S_S3_COMPLETE = 7,
    S3S_S3_ABORT = 8,
    S3S_S3_UPLOADS = 9, /* listed */
} s3s_s3_verb;

const char *s3s_s3_verb_name(s3s_s3_verb verb); /* "PUT" ... "LIST", "DELETE" */
/* It makes an object visible: doing it once more, and not knowing, are another matter. */
bool s3s_s3_is_write(s3s_s3_verb verb);

#define S3S_S3_RETRY_AFTER_MAX_S 86400 /* longer waits are taken for a day */

/* What one answer said, from its status line, headers and (for an error) its body. */
typedef struct s3s_s3_answer {
    int http_status;          /* 0 = none came */
    int64_t date_us;          /* S3STORE_TIME_NONE = not said, as for all times */
    int64_t last_modified_us;
    int64_t retry_after_us;   /* how long to wait; -1 = not said */
    int64_t retry_at_us;      /* or until when, on the server's clock */
    bool chunked;             /* the body has an end of its own */
    int64_t content_length;   /* -1 = not said */
    bool has_range;           /* Content-Range: bytes first-last/total */
    bool range_unsatisfied;   /* Content-Range: bytes * / total */
    uint64_t range_first;
    uint64_t range_last;
    uint64_t range_total;
    char etag[72];            /* the first of the texts */
    char region[64];          /* x-amz-bucket-region, or the error's Region */
    char request_id[64];
    char code[64];            /* of the error; "" = none */
    char message[256];
} s3s_s3_answer;

/* For the message: what was being done, and to whom it matters. */
typedef struct s3s_s3_context {
    s3s_s3_verb verb;
    const char *bucket;
    const char *key;         /* for LIST the prefix */
    const char *host;        /* scheme and host */
    const char *credentials; /* where they are from; NULL = anonymous */
    bool conditional;        /* If-None-Match or If-Match was sent */
    bool fenced;
} s3s_s3_context;

/* How long the server asks to wait, 0 = it does not. now_us: our wall clock, for an answer without
 * a Date. */
int32_t s3s_s3_retry_after_ms(const s3s_s3_answer *answer, int64_t now_us);

/* The status that an answer other than success means; never OK. */
s3store_status s3s_s3_classify(s3s_s3_verb verb, int http_status, const char *code);

/* Fills err: status, http_status, s3_code, request_id, server_date_us, key, and a message with
 * what can be done. Returns the status. */
s3store_status s3s_s3_fail(const s3s_s3_context *context, const s3s_s3_answer *answer,
                           s3store_error *err);

#endif
