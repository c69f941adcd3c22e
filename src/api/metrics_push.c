/* Metrics to an OpenTelemetry collector. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/options.h"
#include "base/buffer.h"
#include "base/error.h"
#include "dataset/target.h"
#include "metrics/metrics.h"
#include "net/http.h"

enum { HEADERS_MAX = 32, TIMEOUT_MS = 10000 };

/* The first variable that is set and not empty. */
static const char *variable(const char *first, const char *second)
{
    const char *value = getenv(first);
    if (value == NULL || value[0] == '\0')
        value = getenv(second);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *find_url(s3s_arena *a, const char *given)
{
    if (given != NULL)
        return given;
    const char *own = getenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT");
    if (own != NULL && own[0] != '\0')
        return own;
    const char *base = getenv("OTEL_EXPORTER_OTLP_ENDPOINT");
    if (base == NULL || base[0] == '\0')
        return NULL;
    size_t size = strlen(base);
    while (size > 0 && base[size - 1] == '/')
        size--;
    return s3s_arena_printf(a, "%.*s/v1/metrics", (int)size, base);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decodes in place; false for a bad escape, or for what no header may hold. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        char c = *from;
        if (c == '%') {
            if (hex(from[1]) < 0 || hex(from[2]) < 0)
                return false;
            c = (char)(hex(from[1]) * 16 + hex(from[2]));
            from += 2;
        }
        if (iscntrl((unsigned char)c))
            return false;
        *to++ = c;
    }
    *to = '\0';
    return true;
}

static char *trim(char *text)
{
    while (*text == ' ')
        text++;
    for (size_t size = strlen(text); size > 0 && text[size - 1] == ' '; size--)
        text[size - 1] = '\0';
    return text;
}

/* "name=value,name=value". What is wrong is not shown: values may be secret. */
static s3store_status parse_headers(char *text, s3s_http_header *headers, size_t *count,
                                    s3store_error *err)
{
    char *save;
    for (char *item = strtok_r(text, ",", &save); item != NULL;
         item = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(item, '=');
        if (equals == NULL || *count == HEADERS_MAX)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "metrics: the headers for the collector are not name=value,... (%d at "
                            "most)",
                            HEADERS_MAX);
        *equals = '\0';
        char *name = trim(item), *value = trim(equals + 1);
        if (name[0] == '\0' || strpbrk(name, " :\t\r\n") != NULL || !decode(value))
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "metrics: header %zu for the collector cannot be sent", *count + 1);
        headers[(*count)++] = (s3s_http_header){name, value};
    }
    return S3STORE_OK;
}

static s3store_call limits(s3s_env *env, const s3store_call *given)
{
    const char *text = variable("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    long ms = text != NULL ? strtol(text, NULL, 10) : 0;
    s3store_call call = s3s_call_make(env, given != NULL ? given->cancel : NULL,
                                      ms > 0 && ms < 3600000 ? ms : TIMEOUT_MS);
    if (given != NULL && given->deadline_us != S3STORE_TIME_NONE &&
        given->deadline_us < call.deadline_us)
        call.deadline_us = given->deadline_us;
    return call;
}

static s3store_status send(s3s_env *env, const char *url, const s3s_http_header *headers,
                           size_t header_count, const s3s_buffer *body, const s3store_call *given,
                           s3store_error *err)
{
    s3s_http_options options = {.max_idle = 1};
    s3s_http *http = NULL;
    s3s_http_result result;
    s3store_call call = limits(env, given);
    s3s_http_request request = {.method = "POST",
                                .url = url,
                                .headers = headers,
                                .header_count = header_count,
                                .body = body->data,
                                .body_size = body->size};
    s3store_status status = s3s_http_new(env, &options, &http, err);
    if (status == S3STORE_OK)
        status = s3s_http_perform(http, &call, &request, &result, err);
    s3s_http_free(http);
    if (status != S3STORE_OK) {
        s3s_context(err, "metrics");
        return status;
    }
    if (result.status >= 200 && result.status < 300)
        return status;
    return s3s_fail(err, S3STORE_UNAVAILABLE, "metrics: the collector answered HTTP %d",
                    result.status);
}

static s3store_status push(const s3store_target *t, const s3store_metrics_push_options *o,
                           s3s_arena *arena, s3s_buffer *body, s3store_error *err)
{
    s3s_http_header headers[HEADERS_MAX + 1] = {{"Content-Type", "application/json"}};
    size_t header_count = 1;
    const char *url = find_url(arena, o->url);
    const char *given = o->headers != NULL ? o->headers
                                           : variable("OTEL_EXPORTER_OTLP_METRICS_HEADERS",
                                                      "OTEL_EXPORTER_OTLP_HEADERS");
    const char *service = o->service_name != NULL ? o->service_name : getenv("OTEL_SERVICE_NAME");
    if (url == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "metrics: no collector is known: set OTEL_EXPORTER_OTLP_ENDPOINT");
    if (given != NULL) {
        char *copy = s3s_arena_strdup(arena, given);
        if (copy == NULL)
            return s3s_fail_memory(err, strlen(given));
        s3store_status status = parse_headers(copy, headers, &header_count, err);
        if (status != S3STORE_OK)
            return status;
    }
    s3store_status status = s3s_metrics_otlp(
        t->metrics, service != NULL && service[0] != '\0' ? service : "s3store", t->opened_us,
        s3s_wall_us(t->env), body, err);
    if (status == S3STORE_OK)
        status = send(t->env, url, headers, header_count, body, o->call, err);
    return status;
}

s3store_status s3store_target_metrics_push(const s3store_target *target,
                                           const s3store_metrics_push_options *options,
                                           s3store_error *err)
{
    S3S_OPTIONS(s3store_metrics_push_options, S3STORE_METRICS_PUSH_OPTIONS_INIT, o, options);
    s3s_arena arena;
    s3s_buffer body;
    if (target == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "metrics: the target is NULL");
    s3s_arena_init(&arena, target->env);
    s3s_buffer_init(&body, target->env, SIZE_MAX);
    s3store_status status = push(target, &o, &arena, &body, err);
    s3s_buffer_deinit(&body);
    s3s_arena_deinit(&arena);
    return status;
}
