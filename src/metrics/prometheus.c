/* The Prometheus text exposition format, version 0.0.4. Names follow the conventions of the
 * OpenTelemetry exporter: dots become underscores, counters end in _total, units are spelled out. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "metrics/internal.h"

typedef struct page {
    s3s_buffer *out;
    s3store_error *err;
    s3store_status status;
    const char *last; /* the instrument whose head was written */
    char name[128];   /* of that instrument, without suffix of a sample */
} page;

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

static void put(page *p, const char *text)
{
    if (p->status == S3STORE_OK)
        p->status = s3s_buffer_append_text(p->out, text, p->err);
}

static void name_of(const s3store_metric *m, char *name, size_t size)
{
    const char *unit = strcmp(m->unit, "s") == 0    ? "_seconds"
                       : strcmp(m->unit, "By") == 0 ? "_bytes"
                                                    : "";
    snprintf(name, size, "%s", m->name);
    for (char *c = name; *c != '\0'; c++)
        if (*c == '.')
            *c = '_';
    size_t used = strlen(name);
    if (!ends_with(name, unit))
        used += (size_t)snprintf(name + used, size - used, "%s", unit);
    if (m->kind == S3STORE_METRIC_COUNTER)
        snprintf(name + used, size - used, "_total");
}

/* A label's value: backslash, quote and newline are escaped. */
static void put_value(page *p, const char *value)
{
    char c[3] = {0};
    put(p, "\"");
    for (; *value != '\0'; value++) {
        c[0] = '\\';
        c[1] = *value == '\n' ? 'n' : *value;
        put(p, *value == '\n' || *value == '\\' || *value == '"' ? c : c + 1);
    }
    put(p, "\"");
}

/* One sample; le NULL = none. */
static void put_sample(page *p, const s3store_metric *m, const char *suffix, const char *le,
                       const char *value)
{
    put(p, p->name);
    put(p, suffix);
    put(p, "{");
    for (size_t i = 0; i < m->label_count; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s", m->labels[i].name);
        for (char *c = name; *c != '\0'; c++)
            if (*c == '.')
                *c = '_';
        put(p, i > 0 ? "," : "");
        put(p, name);
        put(p, "=");
        put_value(p, m->labels[i].value);
    }
    if (le != NULL) {
        put(p, m->label_count > 0 ? ",le=" : "le=");
        put_value(p, le);
    }
    put(p, "} ");
    put(p, value);
    put(p, "\n");
}

static void put_head(page *p, const s3store_metric *m)
{
    static const char *const types[] = {[S3STORE_METRIC_COUNTER] = "counter",
                                        [S3STORE_METRIC_UP_DOWN_COUNTER] = "gauge",
                                        [S3STORE_METRIC_HISTOGRAM] = "histogram"};
    char text[512];
    p->last = m->name;
    name_of(m, p->name, sizeof p->name);
    snprintf(text, sizeof text, "# HELP %s %s\n# TYPE %s %s\n", p->name, m->description, p->name,
             types[m->kind]);
    put(p, text);
}

static bool put_metric(void *ctx, const s3store_metric *m)
{
    page *p = ctx;
    char number[40], bound[40];
    if (p->last == NULL || strcmp(p->last, m->name) != 0)
        put_head(p, m);
    if (m->kind != S3STORE_METRIC_HISTOGRAM) {
        snprintf(number, sizeof number, "%lld", (long long)m->value);
        put_sample(p, m, "", NULL, number);
        return p->status == S3STORE_OK;
    }
    uint64_t below = 0;
    for (size_t i = 0; i <= m->bound_count; i++) {
        below += m->bucket_counts[i];
        snprintf(number, sizeof number, "%llu", (unsigned long long)below);
        if (i < m->bound_count)
            snprintf(bound, sizeof bound, "%.10g", m->bounds[i]);
        put_sample(p, m, "_bucket", i < m->bound_count ? bound : "+Inf", number);
    }
    snprintf(number, sizeof number, "%.17g", m->sum);
    put_sample(p, m, "_sum", NULL, number);
    snprintf(number, sizeof number, "%llu", (unsigned long long)m->count);
    put_sample(p, m, "_count", NULL, number);
    return p->status == S3STORE_OK;
}

s3store_status s3s_metrics_prometheus(const s3s_metrics *m, s3s_buffer *out, s3store_error *err)
{
    page p = {.out = out, .err = err, .status = S3STORE_OK};
    s3s_metrics_snapshot(m, put_metric, &p);
    return p.status;
}
