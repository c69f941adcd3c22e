/* objstore/s3/endpoint.h: where requests go: scheme, host, region, and how the bucket is
 * addressed.
 *
 * Endpoint: option, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, the profile; none = AWS by region.
 * The three last are passed over when AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true. Plain HTTP
 * only where an endpoint says http://. Region: option, AWS_REGION, AWS_DEFAULT_REGION, the
 * profile, us-east-1. Addressing: option, the profile's s3 / addressing_style, auto. auto = the
 * bucket in the host name on AWS names, unless the bucket cannot be a host name (dots, upper
 * case...), else in the path.
 */
#ifndef S3S_OBJSTORE_S3_ENDPOINT_H
#define S3S_OBJSTORE_S3_ENDPOINT_H

#include "objstore/objstore.h"
#include "objstore/s3/settings.h"
#include "objstore/s3/sign.h"

#define S3S_S3_BUCKET_SIZE 256
#define S3S_S3_AUTHORITY_SIZE 300

/* Self-contained: copied for each request. */
typedef struct s3s_s3_place {
    bool tls;
    bool aws_names;    /* the host is one of AWS's */
    bool by_region;    /* the host is made from the region, and changes with it */
    bool virtual_host; /* the bucket is the first label of the host */
    char region[S3S_SIGN_REGION_SIZE];
    char bucket[S3S_S3_BUCKET_SIZE];
    char authority[S3S_S3_AUTHORITY_SIZE]; /* host[:port] without the bucket, lower case */
    char base_path[128];                   /* of a gateway: "" or "/gateway" */
} s3s_s3_place;

/* INVALID_ARGUMENT: a setting cannot be used; the message says which and where it is from. */
s3store_status s3s_s3_place_init(s3s_s3_place *place, const s3s_s3_options *options,
                                 const s3s_settings *settings, s3store_error *err);

/* false: it is not a region name (an answer of a server is not trusted to be one). */
bool s3s_s3_place_set_region(s3s_s3_place *place, const char *region);

/* The Host header: with the bucket in front where it belongs there. */
void s3s_s3_place_host(const s3s_s3_place *place,
                       char host[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE]);

#endif
