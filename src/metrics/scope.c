#include "metrics/scope.h"

static s3s_labels labels_of(const s3s_scope *scope)
{
    return (s3s_labels){.method = (uint8_t)scope->method};
}

void s3s_scope_begin(s3s_scope *scope, s3s_env *env, s3s_method method)
{
    s3s_metrics *m = s3s_env_metrics(env);
    *scope = (s3s_scope){.env = env, .method = method, .open = m != NULL};
    if (!scope->open)
        return;
    scope->begin_us = s3s_mono_us(env);
    s3s_metric(m, S3S_METRIC_METHOD_IN_FLIGHT, labels_of(scope), 1);
}

s3store_status s3s_scope_end(s3s_scope *scope, s3store_status status, const s3store_error *err)
{
    if (!scope->open)
        return status;
    scope->open = false;
    s3s_metrics *m = s3s_env_metrics(scope->env);
    s3s_labels labels = labels_of(scope);
    s3s_metric(m, S3S_METRIC_METHOD_IN_FLIGHT, labels, -1);
    s3s_labels_set_status(&labels, status, err);
    s3s_metric(m, S3S_METRIC_METHOD_DURATION, labels, s3s_mono_us(scope->env) - scope->begin_us);
    s3s_metric(m, S3S_METRIC_METHOD_CALLS, labels, 1);
    return status;
}

void s3s_scope_count(const s3s_scope *scope, s3s_instrument instrument, uint64_t amount)
{
    if (scope->open && amount > 0)
        s3s_metric(s3s_env_metrics(scope->env), instrument, labels_of(scope), (int64_t)amount);
}
