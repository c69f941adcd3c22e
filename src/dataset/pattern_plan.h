/* dataset/pattern_plan.h: private to the pattern files. */
#ifndef S3S_DATASET_PATTERN_PLAN_H
#define S3S_DATASET_PATTERN_PLAN_H

#include "dataset/pattern.h"

/* Fills list_prefix, start_after and stop_at of a parsed pattern from its segments. */
s3store_status s3s_pattern_plan(s3s_pattern *pattern, s3store_error *err);

#endif
