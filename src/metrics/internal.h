/* metrics/internal.h: shared by the registry and the exporters. */
#ifndef S3S_METRICS_INTERNAL_H
#define S3S_METRICS_INTERNAL_H

#include "base/buffer.h"
#include "metrics/metrics.h"

/* What an instrument distinguishes beyond its target. */
enum {
    L_OPERATION = 1,
    L_METHOD = 2,
    L_OUTCOME = 4,
    L_ERROR = 8,
    L_ATTEMPTS = 16, /* of a call, in the end */
    L_ATTEMPT = 32,  /* the one that failed */
};

#define S3S_METRIC_LABELS_MAX 8 /* 3 of the target, 5 of its own */
#define S3S_METRIC_BOUNDS_MAX 14

typedef struct s3s_bounds {
    size_t count;
    double at[S3S_METRIC_BOUNDS_MAX];
} s3s_bounds;

typedef struct s3s_instrument_def {
    const char *name;
    s3store_metric_kind kind;
    const char *unit;
    const s3s_bounds *bounds; /* none of them: no histogram */
    unsigned labels;
    const char *description;
} s3s_instrument_def;

extern const s3s_instrument_def s3s_instruments[S3S_METRIC_COUNT];

/* Observations of seconds are kept as microseconds. */
double s3s_metric_scale(const s3s_instrument_def *def);

#endif
