/* dataset/commit_head.c: one commit marker. */
#include "dataset/target.h"

#include "base/error.h"

s3store_status s3s_commit_head(s3store_target *target, const s3store_call *call,
                               const char *partition, const char *token, s3s_marker *out,
                               s3store_object_info *info, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_object_info own;
    s3store_status status = s3s_commit_key(&target->layout, partition, token, key, err);

    if (info == NULL)
        info = &own;
    if (status == S3STORE_OK)
        status = s3s_head(target->store, call, key, info, err);
    if (status == S3STORE_OK)
        status = s3s_marker_parse(&info->metadata, key, out, err);
    return status;
}

s3store_status s3s_commit_confirm(s3store_target *target, const s3store_call *call,
                                  const char *partition, const char *token, s3s_marker *out,
                                  s3store_error *err)
{
    s3store_call durable = {.deadline_us = S3STORE_TIME_NONE};
    if (call != NULL)
        durable = *call;
    durable.durable = true;
    return s3s_commit_head(target, &durable, partition, token, out, NULL, err);
}
