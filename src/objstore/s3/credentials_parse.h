/* objstore/s3/credentials_parse.h: the documents in which credentials come. Pure; what is parsed is
 * hostile, and full of secrets: no message quotes it.
 */
#ifndef S3S_OBJSTORE_S3_CREDENTIALS_PARSE_H
#define S3S_OBJSTORE_S3_CREDENTIALS_PARSE_H

#include "objstore/s3/credentials.h"

/* Of an answer, and of a process's output. */
#define S3S_CREDENTIALS_DOCUMENT_MAX (64u * 1024)

typedef enum s3s_credentials_kind {
    S3S_CREDENTIALS_OF_PROCESS = 0,   /* "Version": 1, SessionToken and Expiration may be missing */
    S3S_CREDENTIALS_OF_CONTAINER = 1, /* Token and Expiration may be missing */
    S3S_CREDENTIALS_OF_INSTANCE = 2,  /* "Code": "Success", all must be there */
} s3s_credentials_kind;

/* source: where they are from, for messages. NO_CREDENTIALS: the document is not of the kind. */
s3store_status s3s_credentials_parse_json(s3s_env *env, s3s_credentials_kind kind,
                                          const char *text, size_t size, const char *source,
                                          s3s_credentials **out, s3store_error *err);

/* What STS said when it gave no credentials; "" = absent. One line each. */
typedef struct s3s_sts_refusal {
    char code[64];
    char message[256];
} s3s_sts_refusal;

/* The answer to AssumeRole and AssumeRoleWithWebIdentity. *out stays NULL (with OK) when the
 * document is an error: then refusal is filled. NO_CREDENTIALS: it is neither. */
s3store_status s3s_sts_parse(s3s_env *env, const char *text, size_t size, const char *source,
                             s3s_credentials **out, s3s_sts_refusal *refusal, s3store_error *err);

#endif
