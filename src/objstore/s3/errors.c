#include "objstore/s3/errors.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

const char *s3s_s3_verb_name(s3s_s3_verb verb)
{
    static const char *const names[] = {"PUT",          "GET",      "HEAD",
                                        "LIST",         "DELETE",   "begin the upload of",
                                        "PUT a part of", "complete the upload of",
                                        "abort the upload of", "list the uploads of"};
    return names[verb];
}

bool s3s_s3_is_write(s3s_s3_verb verb)
{
    return verb == S3S_S3_PUT || verb == S3S_S3_COMPLETE;
}

typedef struct meaning {
    const char *code; /* NULL = by HTTP status */
    int http_status;
    s3store_status status;
    const char *text; /* what happened, what can be done */
} meaning;

#define NOT_KNOWN "the server does not accept the credentials"

/* A code says more than an HTTP status: looked up first. */
static const meaning by_code[] = {
    {"NoSuchKey", 0, S3STORE_NOT_FOUND, "there is no such object"},
    {"NoSuchUpload", 0, S3STORE_NOT_FOUND, "there is no such upload: it was completed or aborted"},
    {"InvalidPart", 0, S3STORE_CORRUPT, "the server has lost a part of the upload"},
    {"EntityTooSmall", 0, S3STORE_LIMIT_EXCEEDED, "a part of the upload is too small"},
    {"NoSuchBucket", 0, S3STORE_NOT_FOUND,
     "there is no such bucket: correct the URL or the endpoint, or create the bucket"},
    {"PreconditionFailed", 0, S3STORE_ALREADY_EXISTS, "the condition does not hold"},
    {"ConditionalRequestConflict", 0, S3STORE_CONFLICT,
     "another conditional write of the same key is under way"},
    {"OperationAborted", 0, S3STORE_CONFLICT, "a conflicting operation is under way"},
    {"InvalidAccessKeyId", 0, S3STORE_NO_CREDENTIALS, NOT_KNOWN},
    {"SignatureDoesNotMatch", 0, S3STORE_NO_CREDENTIALS, NOT_KNOWN},
    {"InvalidToken", 0, S3STORE_NO_CREDENTIALS, NOT_KNOWN ": their session token is not valid"},
    {"InvalidClientTokenId", 0, S3STORE_NO_CREDENTIALS, NOT_KNOWN},
    {"InvalidSecurity", 0, S3STORE_NO_CREDENTIALS, NOT_KNOWN},
    {"NotSignedUp", 0, S3STORE_NO_CREDENTIALS, NOT_KNOWN},
    {"TokenRefreshRequired", 0, S3STORE_NO_CREDENTIALS, "the session token must be renewed"},
    {"ExpiredToken", 0, S3STORE_NO_CREDENTIALS,
     "the credentials have expired: renew the session token"},
    {"ExpiredTokenException", 0, S3STORE_NO_CREDENTIALS,
     "the credentials have expired: renew the session token"},
    {"RequestTimeTooSkewed", 0, S3STORE_CLOCK_SKEW,
     "this machine's clock differs too much from the server's: set it right"},
    {"RequestExpired", 0, S3STORE_PERMISSION_DENIED, "the request came after its end of validity"},
    {"RequestTimeout", 0, S3STORE_UNAVAILABLE, "the server waited too long for the request"},
    {"RequestTimeoutException", 0, S3STORE_UNAVAILABLE,
     "the server waited too long for the request"},
    {"SlowDown", 0, S3STORE_UNAVAILABLE, "the server asks for fewer requests"},
    {"Throttling", 0, S3STORE_UNAVAILABLE, "the server asks for fewer requests"},
    {"ThrottlingException", 0, S3STORE_UNAVAILABLE, "the server asks for fewer requests"},
    {"RequestLimitExceeded", 0, S3STORE_UNAVAILABLE, "the server asks for fewer requests"},
    {"BandwidthLimitExceeded", 0, S3STORE_UNAVAILABLE, "the server asks for fewer requests"},
    {"InternalError", 0, S3STORE_UNAVAILABLE, "the server failed inside"},
    {"ServiceUnavailable", 0, S3STORE_UNAVAILABLE, "the server is not available"},
    {"BadDigest", 0, S3STORE_UNAVAILABLE, "the body was damaged on its way"},
    {"XAmzContentSHA256Mismatch", 0, S3STORE_UNAVAILABLE, "the body was damaged on its way"},
    {"IncompleteBody", 0, S3STORE_UNAVAILABLE, "the body was cut on its way"},
    {"EntityTooLarge", 0, S3STORE_LIMIT_EXCEEDED,
     "the object is larger than the server takes in one PUT: write smaller chunks"},
    {"QuotaExceeded", 0, S3STORE_PERMISSION_DENIED, "the quota of the bucket or user is used up"},
    {"KeyTooLongError", 0, S3STORE_INVALID_ARGUMENT,
     "the server does not take keys of this length"},
    {"InvalidBucketName", 0, S3STORE_INVALID_ARGUMENT, "that is not a bucket name"},
    {"AuthorizationHeaderMalformed", 0, S3STORE_INVALID_ARGUMENT,
     "the server does not take the signature as it is: check the region"},
    {"PermanentRedirect", 0, S3STORE_INVALID_ARGUMENT,
     "the bucket is in another region or behind another endpoint: give its region or endpoint"},
    {"TemporaryRedirect", 0, S3STORE_UNAVAILABLE, "the server sends the request elsewhere for now"},
    {"NotImplemented", 0, S3STORE_UNSUPPORTED, "the server does not implement what was asked"},
    {"InvalidObjectState", 0, S3STORE_PERMISSION_DENIED,
     "the object is archived: restore it first"},
};

static const meaning by_status[] = {
    {NULL, 301, S3STORE_INVALID_ARGUMENT,
     "the bucket is in another region or behind another endpoint: give its region or endpoint"},
    {NULL, 307, S3STORE_UNAVAILABLE, "the server sends the request elsewhere for now"},
    {NULL, 400, S3STORE_INVALID_ARGUMENT,
     "the server does not take the request as it is: check region, endpoint and credentials"},
    {NULL, 401, S3STORE_NO_CREDENTIALS, NOT_KNOWN},
    {NULL, 403, S3STORE_PERMISSION_DENIED, "the server refuses it"},
    {NULL, 404, S3STORE_NOT_FOUND, "there is no such object, or no such bucket"},
    {NULL, 407, S3STORE_PERMISSION_DENIED, "the proxy asks for credentials"},
    {NULL, 408, S3STORE_UNAVAILABLE, "the server waited too long for the request"},
    {NULL, 409, S3STORE_CONFLICT, "a conflicting operation is under way"},
    {NULL, 411, S3STORE_UNSUPPORTED, "the server insists on a Content-Length"},
    {NULL, 412, S3STORE_ALREADY_EXISTS, "the condition does not hold"},
    {NULL, 413, S3STORE_LIMIT_EXCEEDED, "the object is larger than the server takes in one PUT"},
    {NULL, 416, S3STORE_INVALID_ARGUMENT, "the range lies behind the end of the object"},
    {NULL, 429, S3STORE_UNAVAILABLE, "the server asks for fewer requests"},
    {NULL, 500, S3STORE_UNAVAILABLE, "the server failed inside"},
    {NULL, 502, S3STORE_UNAVAILABLE, "a gateway got no good answer from the server behind it"},
    {NULL, 503, S3STORE_UNAVAILABLE, "the server is not available"},
    {NULL, 504, S3STORE_UNAVAILABLE, "a gateway got no answer from the server behind it in time"},
};

static const meaning *find_meaning(int http_status, const char *code)
{
    static const meaning server_error = {NULL, 0, S3STORE_UNAVAILABLE, "the server failed"};
    static const meaning refused = {NULL, 0, S3STORE_PERMISSION_DENIED, "the server refuses it"};
    static const meaning unknown = {NULL, 0, S3STORE_UNSUPPORTED,
                                    "the server gave an answer that means nothing here"};
    for (size_t i = 0; i < sizeof by_code / sizeof by_code[0]; i++)
        if (strcmp(by_code[i].code, code) == 0)
            return &by_code[i];
    for (size_t i = 0; i < sizeof by_status / sizeof by_status[0]; i++)
        if (by_status[i].http_status == http_status)
            return &by_status[i];
    if (http_status >= 500 && http_status <= 599)
        return &server_error;
    if (http_status >= 400 && http_status <= 499)
        return &refused;
    /* 200 with the body of an error whose code is not known: it was not done. */
    return http_status / 100 == 2 && code[0] != '\0' ? &server_error : &unknown;
}

int32_t s3s_s3_retry_after_ms(const s3s_s3_answer *answer, int64_t now_us)
{
    const s3s_s3_answer *a = answer;
    int64_t most_us = (int64_t)S3S_S3_RETRY_AFTER_MAX_S * 1000000;
    int64_t wait_us = a->retry_after_us;
    if (wait_us < 0 && a->retry_at_us != S3STORE_TIME_NONE &&
        __builtin_sub_overflow(a->retry_at_us, a->date_us != S3STORE_TIME_NONE ? a->date_us : now_us,
                               &wait_us))
        return 0;
    if (wait_us <= 0)
        return 0;
    return (int32_t)((wait_us < most_us ? wait_us : most_us) / 1000);
}

/* A server that failed while it handled a PUT, or a gateway that lost its answer, may have
 * stored it. One that says "busy" has not begun. A part that is sent again is the same part. */
static bool is_ambiguous(s3s_s3_verb verb, int http_status, const char *code)
{
    if (!s3s_s3_is_write(verb))
        return false;
    return http_status == 500 || http_status == 502 || http_status == 504 ||
           strcmp(code, "InternalError") == 0;
}

s3store_status s3s_s3_classify(s3s_s3_verb verb, int http_status, const char *code)
{
    s3store_status status = find_meaning(http_status, code)->status;
    return status == S3STORE_UNAVAILABLE && is_ambiguous(verb, http_status, code)
               ? S3STORE_UNCERTAIN
               : status;
}

static void copy_text(char *out, size_t out_size, const char *text)
{
    snprintf(out, out_size, "%s", text);
}

/* What only this case can add. */
static void describe_special(const s3s_s3_context *c, s3store_status status, char *out,
                             size_t out_size)
{
    out[0] = '\0';
    if (status == S3STORE_NO_CREDENTIALS)
        snprintf(out, out_size, " (they come from %.200s)",
                 c->credentials != NULL ? c->credentials : "nowhere: the request was not signed");
    else if (status == S3STORE_PERMISSION_DENIED && c->fenced)
        snprintf(out, out_size, ": its time may be over");
    else if (status == S3STORE_PERMISSION_DENIED && c->credentials == NULL)
        snprintf(out, out_size, " to anonymous requests");
    else if (status == S3STORE_UNCERTAIN)
        snprintf(out, out_size, ": the object may or may not have been stored");
    else if (status == S3STORE_ALREADY_EXISTS && c->verb == S3S_S3_PUT)
        snprintf(out, out_size, ": the object exists");
}

s3store_status s3s_s3_fail(const s3s_s3_context *context, const s3s_s3_answer *answer,
                           s3store_error *err)
{
    const s3s_s3_context *c = context;
    const meaning *m = find_meaning(answer->http_status, answer->code);
    s3store_status status = s3s_s3_classify(c->verb, answer->http_status, answer->code);
    if (err == NULL)
        return status;
    char special[300];
    describe_special(c, status, special, sizeof special);
    /* Long keys are whole in err->key; here what follows them must fit. */
    s3s_fail_key(err, status, c->key, "%s s3://%.80s/%.300s at %.100s: %s%s (HTTP %d%s%s%s%s)",
                 s3s_s3_verb_name(c->verb), c->bucket, c->key, c->host, m->text, special,
                 answer->http_status, answer->code[0] != '\0' ? " " : "", answer->code,
                 answer->message[0] != '\0' ? ": " : "", answer->message);
    err->http_status = answer->http_status;
    err->server_date_us = answer->date_us != S3STORE_TIME_NONE ? answer->date_us : 0;
    copy_text(err->s3_code, sizeof err->s3_code, answer->code);
    copy_text(err->request_id, sizeof err->request_id, answer->request_id);
    return status;
}
