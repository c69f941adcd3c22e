/* The registry. Every combination of an instrument's labels has a place in one table of pointers; a
 * series is made when its first observation comes, and stays. Recording is a few relaxed additions:
 * a snapshot may see one series a little newer than another, never half a number. */
#include "metrics/metrics.h"

#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "metrics/internal.h"

typedef struct series {
    s3s_labels labels;
    atomic_int_fast64_t value; /* of a counter; the sum of a histogram */
    atomic_uint_fast64_t buckets[]; /* one more than bounds */
} series;

struct s3s_metrics {
    s3s_env *env;
    const s3store_metrics_sink *sink;
    char *bucket, *prefix, *consistency;
    size_t start[S3S_METRIC_COUNT + 1]; /* of each instrument's places in table */
    series *_Atomic *table;
};

static const char *const operation_names[] = {"put", "get", "head", "list", "delete"};
static const char *const method_names[] = {
    "write",           "write_with_key", "restamp_ref",
    "read",            "read_iter",      "read_partition_iter",
    "read_range_iter", "read_partition_range_iter", "read_entries_iter",
    "read_partition_entries_iter", "poll", "poll_records",
    "lookup",          "lookup_commit",  "backfill"};
static const char *const outcome_names[] = {"success", "error", "canceled"};
static const char *const error_names[] = {
    "",       "canceled", "not_found", "slowdown",  "precondition_failed", "server",
    "client", "other",    "transport", "late_commit", "argument"};
static const char *const attempt_names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

/* How the labels of a series are found: name, texts, how many, where in s3s_labels. */
static const struct dimension {
    unsigned bit;
    const char *name;
    const char *const *texts;
    uint8_t count;
    uint8_t offset;
} dimensions[] = {
    {L_OPERATION, "s3store.operation", operation_names, S3S_OP_COUNT,
     offsetof(s3s_labels, operation)},
    {L_METHOD, "s3store.method", method_names, S3S_METHOD_COUNT, offsetof(s3s_labels, method)},
    {L_OUTCOME, "s3store.outcome", outcome_names, S3S_OUTCOME_COUNT,
     offsetof(s3s_labels, outcome)},
    {L_ERROR, "error.type", error_names, S3S_ERROR_COUNT, offsetof(s3s_labels, error)},
    {L_ATTEMPTS, "s3store.attempts", attempt_names, S3S_METRIC_ATTEMPTS_MAX + 1,
     offsetof(s3s_labels, attempts)},
    {L_ATTEMPT, "s3store.attempt", attempt_names, S3S_METRIC_ATTEMPTS_MAX + 1,
     offsetof(s3s_labels, attempts)},
};
enum { DIMENSIONS = sizeof dimensions / sizeof dimensions[0] };

static uint8_t label_of(s3s_labels labels, const struct dimension *d)
{
    uint8_t value;
    memcpy(&value, (const char *)&labels + d->offset, 1);
    return value < d->count ? value : (uint8_t)(d->count - 1);
}

static size_t place_count(unsigned bits)
{
    size_t n = 1;
    for (int i = 0; i < DIMENSIONS; i++)
        if ((bits & dimensions[i].bit) != 0)
            n *= dimensions[i].count;
    return n;
}

static size_t place_of(unsigned bits, s3s_labels labels)
{
    size_t at = 0;
    for (int i = 0; i < DIMENSIONS; i++)
        if ((bits & dimensions[i].bit) != 0)
            at = at * dimensions[i].count + label_of(labels, &dimensions[i]);
    return at;
}

s3store_status s3s_metrics_new(s3s_env *env, const s3store_metrics_sink *sink, s3s_metrics **out,
                               s3store_error *err)
{
    *out = NULL;
    s3s_metrics *m = s3s_calloc(env, 1, sizeof *m);
    if (m == NULL)
        return s3s_fail_memory(err, sizeof *m);
    m->env = env;
    m->sink = sink;
    for (int i = 0; i < S3S_METRIC_COUNT; i++)
        m->start[i + 1] = m->start[i] + place_count(s3s_instruments[i].labels);
    m->table = s3s_calloc(env, m->start[S3S_METRIC_COUNT], sizeof *m->table);
    if (m->table == NULL) {
        s3s_free(env, m);
        return s3s_fail_memory(err, 0);
    }
    *out = m;
    return S3STORE_OK;
}

void s3s_metrics_free(s3s_metrics *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->start[S3S_METRIC_COUNT]; i++)
        s3s_free(m->env, atomic_load(&m->table[i]));
    s3s_free(m->env, m->table);
    s3s_free(m->env, m->bucket);
    s3s_free(m->env, m->prefix);
    s3s_free(m->env, m->consistency);
    s3s_free(m->env, m);
}

/* The series of a place, made when it is not there. NULL: no memory. */
static series *series_at(s3s_metrics *m, s3s_instrument instrument, s3s_labels labels)
{
    const s3s_instrument_def *def = &s3s_instruments[instrument];
    series *_Atomic *place = &m->table[m->start[instrument] + place_of(def->labels, labels)];
    series *s = atomic_load_explicit(place, memory_order_acquire);
    if (s != NULL)
        return s;
    s = s3s_calloc(m->env, 1, sizeof *s + (def->bounds->count + 1) * sizeof s->buckets[0]);
    if (s == NULL)
        return NULL;
    s->labels = labels;
    series *other = NULL;
    if (atomic_compare_exchange_strong(place, &other, s))
        return s;
    s3s_free(m->env, s);
    return other;
}

static void add(s3s_metrics *m, s3s_instrument instrument, s3s_labels labels)
{
    (void)series_at(m, instrument, labels);
}

static s3store_status copy_text(s3s_metrics *m, char **to, const char *text, s3store_error *err)
{
    s3s_free(m->env, *to);
    *to = s3s_strdup(m->env, text != NULL ? text : "");
    return *to != NULL ? S3STORE_OK : s3s_fail_memory(err, 0);
}

s3store_status s3s_metrics_set_target(s3s_metrics *m, const char *bucket, const char *prefix,
                                      const char *consistency, s3store_error *err)
{
    static const s3s_instrument events[] = {
        S3S_METRIC_TARGET_WAITING, S3S_METRIC_TARGET_INFLIGHT,
        S3S_METRIC_COMMIT_AFTER_TIMEOUT, S3S_METRIC_COLLISIONS, S3S_METRIC_ENCODE_BUF_DROPPED,
        S3S_METRIC_BODY_SLOT_EXHAUSTED, S3S_METRIC_BYTE_BUDGET_EXHAUSTED};
    s3store_status status = copy_text(m, &m->bucket, bucket, err);
    if (status == S3STORE_OK)
        status = copy_text(m, &m->prefix, prefix, err);
    if (status == S3STORE_OK)
        status = copy_text(m, &m->consistency, consistency, err);
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        add(m, events[i], (s3s_labels){0});
    for (int op = S3S_OP_PUT; op <= S3S_OP_LIST; op++)
        for (int attempts = 1; attempts <= 5; attempts++)
            add(m, S3S_METRIC_REQUEST_COUNT,
                (s3s_labels){.operation = (uint8_t)op, .attempts = (uint8_t)attempts});
    add(m, S3S_METRIC_SLOT_ACQUIRES, (s3s_labels){.outcome = S3S_OUTCOME_CANCELED});
    add(m, S3S_METRIC_MISSING_DATA, (s3s_labels){.method = S3S_METHOD_POLL_RECORDS});
    add(m, S3S_METRIC_MALFORMED_REFS, (s3s_labels){.method = S3S_METHOD_POLL});
    return S3STORE_OK;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* labels has room for S3S_METRIC_LABELS_MAX. */
static size_t list_labels(const s3s_metrics *m, unsigned bits, s3s_labels values,
                          s3store_metric_label *labels)
{
    const s3store_metric_label target[] = {{"s3store.bucket", m->bucket},
                                           {"s3store.prefix", m->prefix},
                                           {"s3store.consistency_level", m->consistency}};
    size_t n = 0;
    for (size_t i = 0; i < 3; i++)
        if (target[i].value != NULL && target[i].value[0] != '\0')
            labels[n++] = target[i];
    for (int i = 0; i < DIMENSIONS; i++) {
        if ((bits & dimensions[i].bit) == 0)
            continue;
        const char *text = dimensions[i].texts[label_of(values, &dimensions[i])];
        if (text[0] != '\0')
            labels[n++] = (s3store_metric_label){dimensions[i].name, text};
    }
    return n;
}

static void tell_sink(const s3s_metrics *m, const s3s_instrument_def *def, s3s_labels values,
                      int64_t value)
{
    s3store_metric_label labels[S3S_METRIC_LABELS_MAX];
    s3store_metric metric = {.name = def->name,
                             .unit = def->unit,
                             .description = def->description,
                             .kind = def->kind,
                             .labels = labels,
                             .label_count = list_labels(m, def->labels, values, labels)};
    m->sink->observe(m->sink->ctx, &metric, (double)value / s3s_metric_scale(def));
}

void s3s_metric(s3s_metrics *m, s3s_instrument instrument, s3s_labels labels, int64_t value)
{
    if (m == NULL)
        return;
    const s3s_instrument_def *def = &s3s_instruments[instrument];
    series *s = series_at(m, instrument, labels);
    if (s != NULL) {
        atomic_fetch_add_explicit(&s->value, value, memory_order_relaxed);
        if (def->kind == S3STORE_METRIC_HISTOGRAM) {
            double observed = (double)value / s3s_metric_scale(def);
            size_t i = 0;
            while (i < def->bounds->count && observed > def->bounds->at[i])
                i++;
            atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
        }
    }
    if (m->sink != NULL)
        tell_sink(m, def, labels, value);
}

void s3s_metrics_fan_out(s3s_metrics *m, size_t items, size_t workers)
{
    s3s_metric(m, S3S_METRIC_FANOUT_ITEMS, (s3s_labels){0}, (int64_t)items);
    s3s_metric(m, S3S_METRIC_FANOUT_WORKERS, (s3s_labels){0}, (int64_t)workers);
}

void s3s_labels_set_status(s3s_labels *labels, s3store_status status, const s3store_error *err)
{
    int http = err != NULL ? err->http_status : 0;
    labels->outcome = S3S_OUTCOME_ERROR;
    if (status == S3STORE_OK || status == S3STORE_END) {
        labels->outcome = S3S_OUTCOME_SUCCESS;
        labels->error = S3S_ERROR_NONE;
    } else if (status == S3STORE_CANCELLED || status == S3STORE_TIMEOUT) {
        labels->outcome = S3S_OUTCOME_CANCELED;
        labels->error = S3S_ERROR_CANCELED;
    } else if (status == S3STORE_NOT_FOUND) {
        labels->error = S3S_ERROR_NOT_FOUND;
    } else if (status == S3STORE_COMMIT_AFTER_TIMEOUT) {
        labels->error = S3S_ERROR_LATE;
    } else if (http == 429 || (http != 0 && err != NULL && strcmp(err->s3_code, "SlowDown") == 0)) {
        labels->error = S3S_ERROR_SLOWDOWN;
    } else if (status == S3STORE_ALREADY_EXISTS) {
        labels->error = S3S_ERROR_PRECONDITION_FAILED;
    } else if (http >= 500) {
        labels->error = S3S_ERROR_SERVER;
    } else if (http >= 400) {
        labels->error = S3S_ERROR_CLIENT;
    } else if (http != 0) {
        labels->error = S3S_ERROR_OTHER;
    } else if (status == S3STORE_UNAVAILABLE || status == S3STORE_UNCERTAIN) {
        labels->error = S3S_ERROR_TRANSPORT;
    } else if (status == S3STORE_INVALID_ARGUMENT) {
        labels->error = S3S_ERROR_ARGUMENT;
    } else {
        labels->error = S3S_ERROR_OTHER;
    }
}

/* ---- looking --------------------------------------------------------------------------------- */

static bool show(const s3s_metrics *m, const s3s_instrument_def *def, const series *s,
                 s3store_metric_fn fn, void *ctx)
{
    s3store_metric_label labels[S3S_METRIC_LABELS_MAX];
    uint64_t buckets[S3S_METRIC_BOUNDS_MAX + 1];
    s3store_metric metric = {.name = def->name,
                             .unit = def->unit,
                             .description = def->description,
                             .kind = def->kind,
                             .labels = labels,
                             .label_count = list_labels(m, def->labels, s->labels, labels),
                             .value = atomic_load_explicit(&s->value, memory_order_relaxed)};
    if (def->kind == S3STORE_METRIC_HISTOGRAM) {
        metric.sum = (double)metric.value / s3s_metric_scale(def);
        metric.value = 0;
        metric.bounds = def->bounds->at;
        metric.bound_count = def->bounds->count;
        metric.bucket_counts = buckets;
        for (size_t i = 0; i <= def->bounds->count; i++) {
            buckets[i] = atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
            metric.count += buckets[i];
        }
    }
    return fn(ctx, &metric);
}

void s3s_metrics_snapshot(const s3s_metrics *m, s3store_metric_fn fn, void *ctx)
{
    for (int i = 0; i < S3S_METRIC_COUNT; i++)
        for (size_t at = m->start[i]; at < m->start[i + 1]; at++) {
            const series *s = atomic_load_explicit(&m->table[at], memory_order_acquire);
            if (s != NULL && !show(m, &s3s_instruments[i], s, fn, ctx))
                return;
        }
}
