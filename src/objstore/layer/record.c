#include "objstore/layer/record.h"

#include "metrics/metrics.h"

/* What begins, carries or completes an upload is a PUT; what throws it away is a removal. */
static uint8_t operation_of(s3s_fault_verb verb)
{
    switch (verb) {
    case S3S_VERB_GET:
        return S3S_OP_GET;
    case S3S_VERB_HEAD:
        return S3S_OP_HEAD;
    case S3S_VERB_LIST:
    case S3S_VERB_UPLOADS:
        return S3S_OP_LIST;
    case S3S_VERB_REMOVE:
    case S3S_VERB_ABORT:
        return S3S_OP_DELETE;
    default:
        return S3S_OP_PUT;
    }
}

void s3s_record_request(s3s_env *env, s3s_fault_verb verb, int attempts, int64_t duration_us,
                        uint64_t sent, uint64_t received, s3store_status status,
                        const s3store_error *err)
{
    s3s_metrics *m = s3s_env_metrics(env);
    if (m == NULL)
        return;
    s3s_labels labels = {.operation = operation_of(verb), .attempts = (uint8_t)attempts};
    s3s_labels_set_status(&labels, status, err);
    s3s_metric(m, S3S_METRIC_REQUEST_DURATION, labels, duration_us);
    s3s_metric(m, S3S_METRIC_REQUEST_COUNT, labels, 1);
    if (sent > 0)
        s3s_metric(m, S3S_METRIC_REQUEST_BODY, labels, (int64_t)sent);
    if (received > 0)
        s3s_metric(m, S3S_METRIC_RESPONSE_BODY, labels, (int64_t)received);
}

void s3s_record_transient(s3s_env *env, s3s_fault_verb verb, int attempt, s3store_status status,
                          const s3store_error *err)
{
    s3s_metrics *m = s3s_env_metrics(env);
    if (m == NULL)
        return;
    s3s_labels labels = {.operation = operation_of(verb), .attempts = (uint8_t)attempt};
    s3s_labels_set_status(&labels, status, err);
    s3s_metric(m, S3S_METRIC_TRANSIENT_ERRORS, labels, 1);
}
