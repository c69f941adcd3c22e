#include "metrics/internal.h"

#include <string.h>

#define S3S_BOUNDS(id, ...)                                                                        \
    static const double bounds_##id[] = {__VA_ARGS__};                                             \
    _Static_assert(sizeof bounds_##id <= S3S_METRIC_BOUNDS_MAX * sizeof(double), "too many");
#include "metrics/bounds.def"
#undef S3S_BOUNDS

#define S3S_BOUNDS(id, ...)                                                                        \
    static const s3s_bounds set_##id = {sizeof bounds_##id / sizeof(double), {__VA_ARGS__}};
#include "metrics/bounds.def"
#undef S3S_BOUNDS

#define COUNTER S3STORE_METRIC_COUNTER
#define UP_DOWN S3STORE_METRIC_UP_DOWN_COUNTER
#define HISTOGRAM S3STORE_METRIC_HISTOGRAM
static const s3s_bounds set_NONE;

const s3s_instrument_def s3s_instruments[S3S_METRIC_COUNT] = {
#define S3S_INSTRUMENT(id, name, kind, unit, bounds, labels, description)                          \
    [S3S_METRIC_##id] = {name, kind, unit, &set_##bounds, labels, description},
#include "metrics/instruments.def"
#undef S3S_INSTRUMENT
};

double s3s_metric_scale(const s3s_instrument_def *def)
{
    return strcmp(def->unit, "s") == 0 ? 1e6 : 1;
}
