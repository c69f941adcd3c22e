/* s3_large ENDPOINT BUCKET: one object of 64 MiB, our stack against bare libcurl on the same server,
 * in pairs. PUT: against libcurl's time plus one SHA-256 of the body, which every signed PUT needs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "s3_kit.h"

#define PAIRS 9
#define AIM 1.10
#define OBJECT_BYTES (64u << 20)
#define KEY "bench/large"

static s3store_status begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    (void)total;
    (void)err;
    *(uint64_t *)sink->ctx = 0;
    return S3STORE_OK;
}

static s3store_status count(s3store_sink *sink, const void *data, size_t size, s3store_error *err)
{
    (void)data;
    (void)err;
    *(uint64_t *)sink->ctx += size;
    return S3STORE_OK;
}

static double ours_put(kit_stack *k, const uint8_t *body)
{
    s3store_error err = {0};
    s3store_put_request request = {
        .size = sizeof request, .key = KEY, .body = body, .body_size = OBJECT_BYTES};
    s3store_put_reply reply;
    double start = kit_wall_s();
    kit_check(s3s_put(&k->meter, NULL, &request, &reply, &err), &err);
    return kit_wall_s() - start;
}

static double ours_get(kit_stack *k)
{
    s3store_error err = {0};
    uint64_t got = 0;
    s3store_sink sink = {begin, count, &got};
    s3store_get_request request = {
        .size = sizeof request, .key = KEY, .length = S3STORE_LENGTH_ALL};
    s3store_object_info info;
    double start = kit_wall_s();
    kit_check(s3s_get(&k->meter, NULL, &request, &sink, &info, &err), &err);
    if (got != OBJECT_BYTES)
        kit_die("GET", "not all of it");
    return kit_wall_s() - start;
}

static double bare(CURL *curl, const kit_signed *request)
{
    double start = kit_wall_s();
    kit_curl_send(curl, request);
    return kit_wall_s() - start;
}

static double hash(const uint8_t *body)
{
    uint8_t digest[S3S_SHA256_SIZE];
    s3store_error err = {0};
    double start = kit_wall_s();
    kit_check(s3s_sha256(body, OBJECT_BYTES, digest, &err), &err);
    return kit_wall_s() - start;
}

/* Whether it holds. */
static bool report(const char *what, const char *against, double *ours, double *other)
{
    double ratio[PAIRS];
    for (size_t i = 0; i < PAIRS; i++)
        ratio[i] = ours[i] / other[i];
    double mib = OBJECT_BYTES / 1048576.0;
    double a = kit_median(ours, PAIRS), b = kit_median(other, PAIRS);
    double middle = kit_median(ratio, PAIRS);
    printf("  %s: ours %.3f s (%.0f MiB/s), %s %.3f s, ratio %.2f%s\n", what, a, mib / a, against,
           b, middle, middle <= AIM ? "" : "   MISSED");
    return middle <= AIM;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        kit_die("usage", "s3_large ENDPOINT BUCKET");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    uint8_t *body = malloc(OBJECT_BYTES);
    if (body == NULL)
        kit_die("memory", "64 MiB");
    for (size_t i = 0; i < OBJECT_BYTES; i++)
        body[i] = (uint8_t)(i * 2654435761u >> 24);
    kit_stack stack;
    kit_signed put, get;
    kit_stack_open(&stack, argv[1], argv[2], 32);
    kit_sign_put(&put, argv[1], argv[2], KEY, body, OBJECT_BYTES);
    kit_sign_get(&get, argv[1], argv[2], KEY);
    CURL *curl = kit_curl_new();
    double ours[PAIRS], other[PAIRS];
    printf("64 MiB object on %s, median of %d pairs (aim: ratio <= 1.10)\n", argv[1], PAIRS);
    (void)ours_put(&stack, body);
    (void)bare(curl, &put);
    for (size_t i = 0; i < PAIRS; i++) {
        if (i % 2 == 0)
            ours[i] = ours_put(&stack, body);
        other[i] = bare(curl, &put) + hash(body);
        if (i % 2 == 1)
            ours[i] = ours_put(&stack, body);
    }
    bool holds = report("PUT", "libcurl + SHA-256", ours, other);
    for (size_t i = 0; i < PAIRS; i++) {
        if (i % 2 == 0)
            ours[i] = ours_get(&stack);
        other[i] = bare(curl, &get);
        if (i % 2 == 1)
            ours[i] = ours_get(&stack);
    }
    holds &= report("GET", "libcurl", ours, other);
    curl_easy_cleanup(curl);
    kit_signed_free(&put);
    kit_signed_free(&get);
    kit_stack_close(&stack);
    free(body);
    return !holds;
}
