/* bench/s3_kit.h: what the benchmarks of the S3 client share: our stack, the same requests for bare
 * libcurl, clocks and medians. Errors end the program.
 */
#ifndef S3S_BENCH_S3_KIT_H
#define S3S_BENCH_S3_KIT_H

#include <curl/curl.h>

#include "base/env.h"
#include "objstore/objstore.h"
#include "objstore/s3/request.h"

#define KIT_RUNS_MAX 64

typedef struct kit_stack {
    s3s_env *env;
    s3store_object_store s3, limit, retry, meter;
} kit_stack;

/* meter > retry > limit > S3, as a target has it. endpoint NULL: from the environment. */
void kit_stack_open(kit_stack *k, const char *endpoint, const char *bucket, size_t inflight);
void kit_stack_close(kit_stack *k);

/* A signed request as text: made once, sent any number of times. */
typedef struct kit_signed {
    char method[8];
    char *url;
    struct curl_slist *headers;
    const void *body;
    size_t body_size;
} kit_signed;
void kit_sign_head(kit_signed *out, const char *endpoint, const char *bucket, const char *key);
void kit_sign_get(kit_signed *out, const char *endpoint, const char *bucket, const char *key);
void kit_sign_put(kit_signed *out, const char *endpoint, const char *bucket, const char *key,
                  const void *body, size_t body_size);
void kit_signed_free(kit_signed *s);

/* An easy handle that sends it; answers other than 2xx end the program. */
CURL *kit_curl_new(void);
void kit_curl_send(CURL *curl, const kit_signed *s);

void kit_check(s3store_status status, const s3store_error *err);
_Noreturn void kit_die(const char *what, const char *why);

double kit_wall_s(void);
double kit_cpu_s(void); /* of this process, all threads, user and system */
double kit_median(double *values, size_t count);

#endif
