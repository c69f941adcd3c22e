/* metrics/scope.h: one call of the library, from its beginning to its end. */
#ifndef S3S_METRICS_SCOPE_H
#define S3S_METRICS_SCOPE_H

#include "metrics/metrics.h"

typedef struct s3s_scope {
    s3s_env *env;
    s3s_method method;
    int64_t begin_us;
    bool open;
} s3s_scope;

/* Nothing is counted without a registry in the env. */
void s3s_scope_begin(s3s_scope *scope, s3s_env *env, s3s_method method);
/* Once; a second time does nothing. Returns status. */
s3store_status s3s_scope_end(s3s_scope *scope, s3store_status status, const s3store_error *err);
/* What was done, each where it is more than nothing; before the end. */
void s3s_scope_count(const s3s_scope *scope, s3s_instrument instrument, uint64_t amount);

#endif
