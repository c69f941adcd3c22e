/* What a target has counted. */
#include "metrics/metrics.h"

#include "base/buffer.h"
#include "base/error.h"
#include "dataset/target.h"

void s3store_target_metrics(const s3store_target *target, s3store_metric_fn fn, void *ctx)
{
    if (target != NULL && fn != NULL)
        s3s_metrics_snapshot(target->metrics, fn, ctx);
}

s3store_status s3store_target_metrics_text(const s3store_target *target,
                                           s3store_metrics_format format, s3store_text_fn write,
                                           void *ctx, s3store_error *err)
{
    s3s_buffer text;
    s3store_status status;
    if (target == NULL || write == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "metrics: the target or the function is NULL");
    s3s_buffer_init(&text, target->env, SIZE_MAX);
    if (format == S3STORE_METRICS_PROMETHEUS)
        status = s3s_metrics_prometheus(target->metrics, &text, err);
    else if (format == S3STORE_METRICS_OTLP_JSON)
        status = s3s_metrics_otlp(target->metrics, "s3store", target->opened_us,
                                  s3s_wall_us(target->env), &text, err);
    else
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT, "metrics: there is no format %d", format);
    if (status == S3STORE_OK)
        (void)write(ctx, (const char *)text.data, text.size);
    s3s_buffer_deinit(&text);
    return status;
}
