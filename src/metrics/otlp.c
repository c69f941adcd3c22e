/* ExportMetricsServiceRequest of OTLP/HTTP, in JSON: one resource, one scope, cumulative sums. 64-bit
 * integers are strings there. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "metrics/internal.h"

typedef struct request {
    s3s_buffer *out;
    s3store_error *err;
    s3store_status status;
    const char *last; /* the instrument that is open */
    s3store_metric_kind kind;
    int64_t start_us, now_us;
    bool comma; /* before the next data point */
} request;

static void put(request *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(request *r, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->status == S3STORE_OK)
        r->status = s3s_buffer_append_text(r->out, text, r->err);
}

/* Text of labels is not ours: prefixes may hold anything. */
static void put_text(request *r, const char *text)
{
    put(r, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            put(r, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            put(r, "\\%c", c);
        else if (r->status == S3STORE_OK)
            r->status = s3s_buffer_append(r->out, text, 1, r->err);
    }
    put(r, "\"");
}

static void put_attribute(request *r, const char *name, const char *value, bool comma)
{
    put(r, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", comma ? "," : "", name);
    put_text(r, value);
    put(r, "}}");
}

static void close_metric(request *r)
{
    if (r->last == NULL)
        return;
    put(r, "],\"aggregationTemporality\":2%s}}",
        r->kind == S3STORE_METRIC_COUNTER          ? ",\"isMonotonic\":true"
        : r->kind == S3STORE_METRIC_UP_DOWN_COUNTER ? ",\"isMonotonic\":false"
                                                   : "");
}

static void open_metric(request *r, const s3store_metric *m)
{
    close_metric(r);
    put(r, "%s{\"name\":\"%s\",\"description\":\"%s\",\"unit\":\"%s\",\"%s\":{\"dataPoints\":[",
        r->last != NULL ? "," : "", m->name, m->description, m->unit,
        m->kind == S3STORE_METRIC_HISTOGRAM ? "histogram" : "sum");
    r->last = m->name;
    r->kind = m->kind;
    r->comma = false;
}

static bool put_metric(void *ctx, const s3store_metric *m)
{
    request *r = ctx;
    if (r->last == NULL || strcmp(r->last, m->name) != 0)
        open_metric(r, m);
    put(r, "%s{\"attributes\":[", r->comma ? "," : "");
    r->comma = true;
    for (size_t i = 0; i < m->label_count; i++)
        put_attribute(r, m->labels[i].name, m->labels[i].value, i > 0);
    put(r, "],\"startTimeUnixNano\":\"%lld000\",\"timeUnixNano\":\"%lld000\",",
        (long long)r->start_us, (long long)r->now_us);
    if (m->kind != S3STORE_METRIC_HISTOGRAM) {
        put(r, "\"asInt\":\"%lld\"}", (long long)m->value);
        return r->status == S3STORE_OK;
    }
    put(r, "\"count\":\"%llu\",\"sum\":%.17g,\"bucketCounts\":[", (unsigned long long)m->count,
        m->sum);
    for (size_t i = 0; i <= m->bound_count; i++)
        put(r, "%s\"%llu\"", i > 0 ? "," : "", (unsigned long long)m->bucket_counts[i]);
    put(r, "],\"explicitBounds\":[");
    for (size_t i = 0; i < m->bound_count; i++)
        put(r, "%s%.10g", i > 0 ? "," : "", m->bounds[i]);
    put(r, "]}");
    return r->status == S3STORE_OK;
}

s3store_status s3s_metrics_otlp(const s3s_metrics *m, const char *service_name, int64_t start_us,
                                int64_t now_us, s3s_buffer *out, s3store_error *err)
{
    request r = {.out = out, .err = err, .status = S3STORE_OK, .start_us = start_us,
                 .now_us = now_us};
    put(&r, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[");
    put_attribute(&r, "service.name", service_name, false);
    put(&r, "]},\"scopeMetrics\":[{\"scope\":{\"name\":\"github.com/ueisele/s3store\",\"version\":\"%s\"},"
            "\"metrics\":[",
        s3store_version());
    s3s_metrics_snapshot(m, put_metric, &r);
    close_metric(&r);
    put(&r, "]}]}]}\n");
    return r.status;
}
