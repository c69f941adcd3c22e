/* objstore/layer/record.h: what storage calls leave in the metrics. */
#ifndef S3S_OBJSTORE_LAYER_RECORD_H
#define S3S_OBJSTORE_LAYER_RECORD_H

#include "objstore/port.h"

/* A call that has ended, all its attempts, waiting and back-off included. attempts 0: it never had a
 * slot. */
void s3s_record_request(s3s_env *env, s3s_fault_verb verb, int attempts, int64_t duration_us,
                        uint64_t sent, uint64_t received, s3store_status status,
                        const s3store_error *err);
/* An attempt that failed in a way that may pass, numbered from 1. */
void s3s_record_transient(s3s_env *env, s3s_fault_verb verb, int attempt, s3store_status status,
                          const s3store_error *err);

#endif
