/* objstore/s3/request.h: what goes to the server, as pure functions apart from sending.
 *
 * A message is built (s3s_s3_build_*), then signed (by headers, by query, or not at all), which
 * makes its URL; then it can be sent any number of times. It is reused: its buffers stay, its
 * content does not.
 *
 * Signed are all headers but Consistency-Control: a proxy of the storage system may consume or
 * change that one, and no server demands it.
 */
#ifndef S3S_OBJSTORE_S3_REQUEST_H
#define S3S_OBJSTORE_S3_REQUEST_H

#include "base/buffer.h"
#include "net/http.h"
#include "objstore/s3/credentials.h"
#include "objstore/s3/endpoint.h"
#include "objstore/s3/sign.h"

#define S3S_S3_HEADERS_MAX 48

typedef struct s3s_s3_message {
    s3s_env *env;
    const char *method;
    s3s_arena arena; /* texts of this message */
    s3s_buffer path; /* encoded, with its NUL after size once built */
    s3s_buffer query;
    s3s_buffer url;
    s3s_buffer scratch;
    s3s_buffer document; /* a body that is made here */
    s3s_http_header headers[S3S_S3_HEADERS_MAX]; /* the signed ones first */
    size_t header_count;
    size_t signed_count;
    s3s_query_pair pairs[S3S_SIGN_QUERY_MAX];
    size_t pair_count;
    const void *body; /* borrowed */
    size_t body_size;
} s3s_s3_message;

void s3s_s3_message_init(s3s_s3_message *m, s3s_env *env);
void s3s_s3_message_deinit(s3s_s3_message *m);

/* Each begins the message anew. Keys are checked: 1 to 1024 bytes. consistency: the header's value.
 * Requests are borrowed until the message is built anew. INVALID_ARGUMENT: what cannot be sent. */
s3store_status s3s_s3_build_put(s3s_s3_message *m, const s3s_s3_place *place,
                                const char *consistency, const s3store_put_request *request,
                                s3store_error *err);
s3store_status s3s_s3_build_get(s3s_s3_message *m, const s3s_s3_place *place,
                                const char *consistency, const s3store_get_request *request,
                                s3store_error *err);
s3store_status s3s_s3_build_head(s3s_s3_message *m, const s3s_s3_place *place,
                                 const char *consistency, const char *key, s3store_error *err);
s3store_status s3s_s3_build_list(s3s_s3_message *m, const s3s_s3_place *place,
                                 const char *consistency, const s3store_list_request *request,
                                 s3store_error *err);
s3store_status s3s_s3_build_remove(s3s_s3_message *m, const s3s_s3_place *place,
                                   const char *consistency, const char *key, s3store_error *err);
/* Of an upload in parts: POST ?uploads, PUT ?partNumber&uploadId, POST and DELETE ?uploadId. */
s3store_status s3s_s3_build_create(s3s_s3_message *m, const s3s_s3_place *place,
                                   const char *consistency, const s3store_put_request *request,
                                   s3store_error *err);
s3store_status s3s_s3_build_part(s3s_s3_message *m, const s3s_s3_place *place,
                                 const char *consistency, const s3store_part_request *request,
                                 s3store_error *err);
s3store_status s3s_s3_build_complete(s3s_s3_message *m, const s3s_s3_place *place,
                                     const char *consistency,
                                     const s3store_complete_request *request, s3store_error *err);
s3store_status s3s_s3_build_abort(s3s_s3_message *m, const s3s_s3_place *place,
                                  const char *consistency, const char *key, const char *upload_id,
                                  s3store_error *err);

/* GET ?uploads */
s3store_status s3s_s3_build_uploads(s3s_s3_message *m, const s3s_s3_place *place,
                                    const char *consistency,
                                    const s3store_list_uploads_request *request,
                                    s3store_error *err);

/* Makes m->url and the signature; once for each building. By headers: the hash of the payload is
 * always signed, so that the server verifies the body also on plain HTTP (docs/FORMAT.md
 * "Integrity"). */
s3store_status s3s_s3_sign_by_headers(s3s_s3_message *m, const s3s_s3_place *place,
                                      s3s_credentials *credentials, int64_t now_us,
                                      s3store_error *err);
/* By query, for a fenced PUT: valid from floor(valid_from_us) to floor(expires_at_us), whole
 * seconds, the server's clock. The payload is not in the signature: a body is covered by
 * Content-MD5. */
s3store_status s3s_s3_sign_by_query(s3s_s3_message *m, const s3s_s3_place *place,
                                    s3s_credentials *credentials, int64_t valid_from_us,
                                    int64_t expires_at_us, s3store_error *err);
s3store_status s3s_s3_sign_not(s3s_s3_message *m, const s3s_s3_place *place, s3store_error *err);

#endif
