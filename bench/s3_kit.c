#include "s3_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "objstore/s3/s3.h"

_Noreturn void kit_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

void kit_check(s3store_status status, const s3store_error *err)
{
    if (status != S3STORE_OK)
        kit_die(s3store_status_name(status), err->message);
}

/* Keys of the environment, else any: the responder does not look at them. */
static const char *lookup(void *ctx, const char *name)
{
    (void)ctx;
    const char *value = getenv(name);
    if (value == NULL && strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return "AKIDEXAMPLE";
    if (value == NULL && strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0)
        return "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    return value;
}

static const s3s_environment environment = {lookup, NULL};

void kit_stack_open(kit_stack *k, const char *endpoint, const char *bucket, size_t inflight)
{
    s3store_error err = {0};
    s3s_meter *meter = NULL;
    memset(k, 0, sizeof *k);
    kit_check(s3s_env_new_real(&k->env, &err), &err);
    s3s_s3_options options = {
        .bucket = bucket, .endpoint_url = endpoint, .max_connections = inflight};
    kit_check(s3s_s3_store_new_with(k->env, &options, &environment, NULL, &k->s3, &err), &err);
    kit_check(s3s_layer_limit_new(k->env, &k->s3, inflight, &k->limit, &err), &err);
    kit_check(s3s_layer_retry_new(k->env, &k->limit, NULL, &k->retry, &err), &err);
    kit_check(s3s_layer_meter_new(k->env, &k->retry, &k->meter, &meter, &err), &err);
}

void kit_stack_close(kit_stack *k)
{
    s3s_store_deinit(&k->meter);
    s3s_store_deinit(&k->retry);
    s3s_store_deinit(&k->limit);
    s3s_store_deinit(&k->s3);
    s3s_env_release(k->env);
}

/* ---- signed requests ------------------------------------------------------------------------- */

typedef struct signing {
    s3s_settings settings;
    s3s_s3_place place;
    s3s_credentials *credentials;
    s3s_s3_message message;
} signing;

static void begin_signing(signing *s, const char *endpoint, const char *bucket)
{
    s3store_error err = {0};
    kit_check(s3s_settings_init(&s->settings, NULL, &environment, NULL, &err), &err);
    s3s_s3_options options = {.bucket = bucket, .endpoint_url = endpoint};
    kit_check(s3s_s3_place_init(&s->place, &options, &s->settings, &err), &err);
    kit_check(s3s_credentials_new(NULL, lookup(NULL, "AWS_ACCESS_KEY_ID"),
                                  lookup(NULL, "AWS_SECRET_ACCESS_KEY"),
                                  lookup(NULL, "AWS_SESSION_TOKEN"), S3STORE_TIME_NONE, "bench",
                                  &s->credentials, &err),
              &err);
    s3s_s3_message_init(&s->message, NULL);
}

static void end_signing(signing *s, kit_signed *out)
{
    s3store_error err = {0};
    s3s_s3_message *m = &s->message;
    kit_check(s3s_s3_sign_by_headers(m, &s->place, s->credentials, s3s_wall_us(NULL), &err), &err);
    memset(out, 0, sizeof *out);
    snprintf(out->method, sizeof out->method, "%s", m->method);
    out->url = strdup((const char *)m->url.data);
    out->body = m->body;
    out->body_size = m->body_size;
    for (size_t i = 0; i < m->header_count; i++) {
        char line[4096];
        snprintf(line, sizeof line, "%s: %s", m->headers[i].name, m->headers[i].value);
        out->headers = curl_slist_append(out->headers, line);
    }
    out->headers = curl_slist_append(out->headers, "Expect:");
    out->headers = curl_slist_append(out->headers, "Content-Type:");
    s3s_s3_message_deinit(m);
    s3s_credentials_release(s->credentials);
    s3s_settings_deinit(&s->settings);
}

void kit_sign_head(kit_signed *out, const char *endpoint, const char *bucket, const char *key)
{
    signing s;
    s3store_error err = {0};
    begin_signing(&s, endpoint, bucket);
    kit_check(s3s_s3_build_head(&s.message, &s.place, "strong-global", key, &err), &err);
    end_signing(&s, out);
}

void kit_sign_get(kit_signed *out, const char *endpoint, const char *bucket, const char *key)
{
    signing s;
    s3store_error err = {0};
    s3store_get_request request = {
        .size = sizeof request, .key = key, .length = S3STORE_LENGTH_ALL};
    begin_signing(&s, endpoint, bucket);
    kit_check(s3s_s3_build_get(&s.message, &s.place, "strong-global", &request, &err), &err);
    end_signing(&s, out);
}

void kit_sign_put(kit_signed *out, const char *endpoint, const char *bucket, const char *key,
                  const void *body, size_t body_size)
{
    signing s;
    s3store_error err = {0};
    s3store_put_request request = {
        .size = sizeof request, .key = key, .body = body, .body_size = body_size};
    begin_signing(&s, endpoint, bucket);
    kit_check(s3s_s3_build_put(&s.message, &s.place, "strong-global", &request, &err), &err);
    end_signing(&s, out);
}

void kit_signed_free(kit_signed *s)
{
    free(s->url);
    curl_slist_free_all(s->headers);
}

/* ---- bare libcurl ---------------------------------------------------------------------------- */

static size_t throw_away(char *data, size_t size, size_t count, void *ctx)
{
    (void)data;
    (void)ctx;
    return size * count;
}

CURL *kit_curl_new(void)
{
    CURL *curl = curl_easy_init();
    if (curl == NULL)
        kit_die("libcurl", "no handle");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 128L * 1024);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, throw_away);
    return curl;
}

void kit_curl_send(CURL *curl, const kit_signed *s)
{
    bool put = strcmp(s->method, "PUT") == 0;
    if (put) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, s->body_size > 0 ? s->body : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)s->body_size);
    } else {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(s->method, "HEAD") == 0 ? 1L : 0L);
    }
    curl_easy_setopt(curl, CURLOPT_URL, s->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, s->headers);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK || status / 100 != 2)
        kit_die("bare libcurl", code != CURLE_OK ? curl_easy_strerror(code) : "not a 2xx answer");
}

/* ---- measuring ------------------------------------------------------------------------------- */

double kit_wall_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

double kit_cpu_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double kit_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
