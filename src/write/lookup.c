/* Asking for a commit, and putting one into the stream again. */
#include "write/write_private.h"

static s3store_status check_arguments(s3store_target *target, const char *partition,
                                      const char *token, s3store_error *err)
{
    s3store_status status = s3s_token_check(token, err);
    if (status == S3STORE_OK && target->settings.part_count > 0)
        status = s3s_partition_check(target->part_names, target->settings.part_count, partition,
                                     err);
    return status;
}

static s3store_status one_commit(s3store_target *target, const char *partition, const char *token,
                                 s3store_commit_state state, const s3s_marker *marker,
                                 s3store_write_result **out, s3store_error *err)
{
    s3store_write_result *result = NULL;
    s3store_status status = s3s_result_new(target->env, 1, &result, err);
    if (status == S3STORE_OK)
        status = s3s_result_name(result, 0, &target->layout, partition, token, 0, err);
    if (status == S3STORE_OK)
        status = s3s_result_set(result, 0, &target->layout, state, marker, err);
    if (status != S3STORE_OK) {
        s3store_write_result_free(result);
        return status;
    }
    *out = result;
    return S3STORE_OK;
}

s3store_status s3s_lookup_commit(s3store_target *target, const char *partition, const char *token,
                                 const s3store_call *call, s3store_write_result **out,
                                 s3store_error *err)
{
    s3s_marker marker;
    *out = NULL;
    s3store_status status = check_arguments(target, partition, token, err);
    if (status == S3STORE_OK)
        status = s3s_commit_head(target, call, partition, token, &marker, NULL, err);
    if (status == S3STORE_OK)
        status = one_commit(target, partition, token, S3STORE_COMMIT_EXISTING, &marker, out, err);
    return status;
}

/* A fresh ref that came too late is told together with its place. */
s3store_status s3s_restamp(s3store_target *target, const char *partition, const char *token,
                           const s3store_call *call, s3store_write_result **out,
                           s3store_error *err)
{
    s3s_marker marker;
    bool conditional, fenced;
    int64_t ref_micros = 0;
    s3store_write_result *result = NULL;
    s3store_error *late = NULL;
    *out = NULL;
    s3store_status status = check_arguments(target, partition, token, err);
    if (status == S3STORE_OK)
        status = s3s_target_probe(target, call, &conditional, &fenced, err);
    if (status == S3STORE_OK)
        status = s3s_commit_head(target, call, partition, token, &marker, NULL, err);
    if (status == S3STORE_OK)
        status = one_commit(target, partition, token, S3STORE_COMMIT_DONE, &marker, &result, err);
    if (status == S3STORE_OK && (late = s3s_calloc(target->env, 1, sizeof *late)) == NULL)
        status = s3s_fail_memory(err, sizeof *late);
    s3store_status stamped = S3STORE_OK;
    if (status == S3STORE_OK) {
        stamped = s3s_restamp_ref(target, partition, token, &marker, fenced, &ref_micros, late);
        marker.ref_micros = ref_micros;
        status = stamped;
    }
    if (status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT)
        status = s3s_result_set(result, 0, &target->layout, S3STORE_COMMIT_DONE, &marker, err);
    if (stamped != S3STORE_OK && err != NULL)
        *err = *late;
    if (status == S3STORE_OK && stamped == S3STORE_COMMIT_AFTER_TIMEOUT) {
        s3s_result_set_error(result, 0, S3STORE_COMMIT_LATE, late);
        late = NULL;
        status = stamped;
    }
    s3s_free(target->env, late);
    if (status != S3STORE_OK && status != S3STORE_COMMIT_AFTER_TIMEOUT) {
        s3store_write_result_free(result);
        return status;
    }
    *out = result;
    return status;
}
