/* objstore/s3/sign.h: AWS Signature Version 4 for S3, by headers and by query, as pure
 * functions.
 *
 * A signature covers the *canonical request*: method, path, query, the signed headers, and the
 * hash of the payload. What goes on the wire is made from the same texts: the encoded path and
 * the sorted query of this file are both signed and sent, so that the two cannot differ. S3
 * signs the path encoded once, without removing "//", "./" or "../".
 */
#ifndef S3S_OBJSTORE_S3_SIGN_H
#define S3S_OBJSTORE_S3_SIGN_H

#include "base/buffer.h"
#include "base/hash.h"
#include "net/http.h"

#define S3S_SIGN_HEADERS_MAX 64
#define S3S_SIGN_QUERY_MAX 24
#define S3S_SIGN_REGION_SIZE 64
#define S3S_SIGN_EXPIRES_MAX_S 604800 /* of a query signature: seven days */

/* Appends texts up to NULL: plain copies, where a format would cost more than the signature. */
s3store_status s3s_sign_append(s3s_buffer *out, s3store_error *err, ...) __attribute__((sentinel));

#define S3S_SIGN_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define S3S_SIGN_EMPTY_PAYLOAD "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Appends data percent-encoded: A-Z a-z 0-9 - . _ ~ stay, '/' too when keep_slash, every other byte
 * becomes %XX. */
s3store_status s3s_sign_encode(const char *text, bool keep_slash, s3s_buffer *out,
                               s3store_error *err);

typedef struct s3s_query_pair {
    const char *name; /* raw: not encoded */
    const char *value;
} s3s_query_pair;

/* Appends the canonical query: every name and value encoded, pairs sorted by encoded name, then
 * value; "name=" where the value is empty. At most S3S_SIGN_QUERY_MAX pairs. scratch is
 * overwritten. */
s3store_status s3s_sign_query(const s3s_query_pair *pairs, size_t count, s3s_buffer *scratch,
                              s3s_buffer *out, s3store_error *err);

typedef struct s3s_sign_input {
    const char *method;
    const char *path;  /* encoded */
    const char *query; /* canonical; "" = none */
    const s3s_http_header *headers; /* those to be signed, in any order; names without case */
    size_t header_count;
    const char *payload_hash; /* hex of SHA-256, or UNSIGNED-PAYLOAD */
    const char *date_time;    /* "20130524T000000Z", as s3s_iso_basic makes it */
    const char *region;
    const char *service; /* "s3" */
} s3s_sign_input;

/* The key of one day, region and service. */
s3store_status s3s_sign_key(const char *secret, const char *date, const char *region,
                            const char *service, uint8_t key[S3S_SHA256_SIZE],
                            s3store_error *err);

/* "20130524/us-east-1/s3/aws4_request". */
#define S3S_SIGN_SCOPE_SIZE (8 + 1 + S3S_SIGN_REGION_SIZE + 1 + 16 + 1 + 13)
void s3s_sign_scope(const s3s_sign_input *input, char scope[S3S_SIGN_SCOPE_SIZE]);

/* Appends "host;range;x-amz-date": the names of the headers, sorted, in lower case. */
s3store_status s3s_sign_header_names(const s3s_sign_input *input, s3s_buffer *out,
                                     s3store_error *err);

/* Appends the canonical request. */
s3store_status s3s_sign_canonical_request(const s3s_sign_input *input, s3s_buffer *out,
                                          s3store_error *err);

/* The signature: 64 hex digits. scratch is overwritten. */
s3store_status s3s_sign(const s3s_sign_input *input, const s3s_hmac_key *key,
                        s3s_buffer *scratch, char signature[2 * S3S_SHA256_SIZE + 1],
                        s3store_error *err);

/* Appends the value of the Authorization header. scratch is overwritten. */
s3store_status s3s_sign_authorization(const s3s_sign_input *input, const char *access_key_id,
                                      const s3s_hmac_key *key, s3s_buffer *scratch,
                                      s3s_buffer *out, s3store_error *err);

#endif
