/* objstore/s3/s3.h: what the S3 store offers beside the port, to those who know that it is one. */
#ifndef S3S_OBJSTORE_S3_S3_H
#define S3S_OBJSTORE_S3_S3_H

#include "net/http.h"
#include "objstore/objstore.h"
#include "objstore/s3/settings.h"

/* s3s_s3_store_new with the environment to read (NULL = the process's) and the limits of the
 * HTTP client (NULL = defaults; TLS settings and max_idle come from options). */
s3store_status s3s_s3_store_new_with(s3s_env *env, const s3s_s3_options *options,
                                     const s3s_environment *environment,
                                     const s3s_http_options *http_options,
                                     s3store_object_store *out, s3store_error *err);

/* Connections opened and reused so far. store must be an S3 store. */
void s3s_s3_connection_counts(const s3store_object_store *store, s3s_http_counts *out);

#endif
