/* metrics/metrics.h: instruments of one target, recorded without locks, and their exporters.
 * Names, labels and buckets: FORMAT "Metrics". */
#ifndef S3S_METRICS_METRICS_H
#define S3S_METRICS_METRICS_H

#include "base/env.h"

typedef enum s3s_instrument {
#define S3S_INSTRUMENT(id, name, kind, unit, bounds, labels, description) S3S_METRIC_##id,
#include "metrics/instruments.def"
#undef S3S_INSTRUMENT
    S3S_METRIC_COUNT
} s3s_instrument;

typedef enum s3s_operation {
    S3S_OP_PUT,
    S3S_OP_GET,
    S3S_OP_HEAD,
    S3S_OP_LIST,
    S3S_OP_DELETE,
    S3S_OP_COUNT
} s3s_operation;

typedef enum s3s_method {
    S3S_METHOD_WRITE,
    S3S_METHOD_WRITE_WITH_KEY,
    S3S_METHOD_RESTAMP_REF,
    S3S_METHOD_READ,
    S3S_METHOD_READ_ITER,
    S3S_METHOD_READ_PARTITION_ITER,
    S3S_METHOD_READ_RANGE_ITER,
    S3S_METHOD_READ_PARTITION_RANGE_ITER,
    S3S_METHOD_READ_ENTRIES_ITER,
    S3S_METHOD_READ_PARTITION_ENTRIES_ITER,
    S3S_METHOD_POLL,
    S3S_METHOD_POLL_RECORDS,
    S3S_METHOD_LOOKUP,
    S3S_METHOD_LOOKUP_COMMIT,
    S3S_METHOD_BACKFILL,
    S3S_METHOD_COUNT
} s3s_method;

typedef enum s3s_outcome {
    S3S_OUTCOME_SUCCESS,
    S3S_OUTCOME_ERROR,
    S3S_OUTCOME_CANCELED,
    S3S_OUTCOME_COUNT
} s3s_outcome;

typedef enum s3s_error_type {
    S3S_ERROR_NONE, /* no label */
    S3S_ERROR_CANCELED,
    S3S_ERROR_NOT_FOUND,
    S3S_ERROR_SLOWDOWN,
    S3S_ERROR_PRECONDITION_FAILED,
    S3S_ERROR_SERVER,
    S3S_ERROR_CLIENT,
    S3S_ERROR_OTHER,
    S3S_ERROR_TRANSPORT,
    S3S_ERROR_LATE,     /* a commit after its time */
    S3S_ERROR_ARGUMENT, /* no request was at fault */
    S3S_ERROR_COUNT
} s3s_error_type;

#define S3S_METRIC_ATTEMPTS_MAX 9 /* more are counted as this many */

/* Those that an instrument does not have are ignored. Zero is the first of each. */
typedef struct s3s_labels {
    uint8_t operation, method, outcome, error, attempts;
} s3s_labels;

typedef struct s3s_metrics s3s_metrics;

/* sink (borrowed, NULL = none) is told of every observation as well. Any thread may record. */
s3store_status s3s_metrics_new(s3s_env *env, const s3store_metrics_sink *sink, s3s_metrics **out,
                               s3store_error *err);
void s3s_metrics_free(s3s_metrics *m);
/* The labels that every series of a target carries, copied; before anything is recorded. "" = none.
 * Also makes the series that shall be there from the beginning, with value 0. */
s3store_status s3s_metrics_set_target(s3s_metrics *m, const char *bucket, const char *prefix,
                                      const char *consistency, s3store_error *err);

/* Counters: adds value. Histograms: one observation, seconds as microseconds. m NULL: nothing. Never
 * fails: an observation for which there is no memory is dropped. */
void s3s_metric(s3s_metrics *m, s3s_instrument instrument, s3s_labels labels, int64_t value);

/* Records a fan-out: the observer's function of base/env.h. */
void s3s_metrics_fan_out(s3s_metrics *m, size_t items, size_t workers);

/* How a call ended, as labels: FORMAT "Metrics", "Outcomes". err may be NULL. */
void s3s_labels_set_status(s3s_labels *labels, s3store_status status, const s3store_error *err);

/* Every series, instrument by instrument; until fn says false. */
void s3s_metrics_snapshot(const s3s_metrics *m, s3store_metric_fn fn, void *ctx);

/* The same as text: the Prometheus exposition format, or a request of OTLP/HTTP in JSON (times in
 * microseconds). */
struct s3s_buffer;
s3store_status s3s_metrics_prometheus(const s3s_metrics *m, struct s3s_buffer *out,
                                      s3store_error *err);
s3store_status s3s_metrics_otlp(const s3s_metrics *m, const char *service_name, int64_t start_us,
                                int64_t now_us, struct s3s_buffer *out, s3store_error *err);

#endif
