/* Asking for a commit, and putting one into the stream again. */
#include <stdio.h>
#include <string.h>

#include "metrics/scope.h"
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

static s3store_status add_commit(s3store_target *target, const char *partition, const char *token,
                                 s3store_commit_state state, const s3s_marker *marker,
                                 s3store_write_result *result, s3s_result_item **out,
                                 s3store_error *err)
{
    s3store_status status =
        s3s_result_add(result, &target->layout, partition, token, 0, out, err);
    return status == S3STORE_OK ? s3s_outcome_set(*out, &target->layout, state, marker, err) : status;
}

/* The chunks behind a first one that says there are more. */
static s3store_status later_chunks(s3store_target *target, const s3store_call *call,
                                   const char *partition, const char *token,
                                   s3store_write_result *result, s3store_error *err)
{
    char chunk_token[S3STORE_TOKEN_MAX_BYTES + 1];
    s3store_status status = S3STORE_OK;
    result->outcomes[0]->commit.chunk = 1;
    for (uint32_t i = 2; status == S3STORE_OK && i <= S3S_CHUNKS_MAX; i++) {
        s3s_marker marker;
        s3s_result_item *outcome;
        snprintf(chunk_token, sizeof chunk_token, S3S_CHUNK_TOKEN, token, (unsigned)i);
        status = s3s_commit_confirm(target, call, partition, chunk_token, &marker, err);
        if (status == S3STORE_OK)
            status = add_commit(target, partition, chunk_token, S3STORE_COMMIT_EXISTING, &marker,
                                result, &outcome, err);
        if (status == S3STORE_OK)
            outcome->commit.chunk = i;
    }
    return status == S3STORE_NOT_FOUND ? S3STORE_OK : status;
}

static s3store_status lookup_commit_now(s3store_target *target, const char *partition, const char *token,
        const s3store_call *call, s3store_write_result **out,
        s3store_error *err)
{
    s3s_marker marker;
    s3s_result_item *outcome;
    s3store_write_result *result = NULL;
    *out = NULL;
    s3store_status status = check_arguments(target, partition, token, err);
    if (status == S3STORE_OK)
        status = s3s_commit_confirm(target, call, partition, token, &marker, err);
    if (status == S3STORE_OK)
        status = s3s_result_new(target->env, &result, err);
    if (status == S3STORE_OK)
        status = add_commit(target, partition, token, S3STORE_COMMIT_EXISTING, &marker, result,
                            &outcome, err);
    if (status == S3STORE_OK && marker.chunk_rows > 0 &&
        strlen(token) <= S3STORE_TOKEN_CHUNKED_MAX_BYTES)
        status = later_chunks(target, call, partition, token, result, err);
    if (status != S3STORE_OK) {
        s3store_write_result_free(result);
        return status;
    }
    *out = result;
    return S3STORE_OK;
}

/* A fresh ref that came too late is told together with its place. */
static s3store_status restamp_now(s3store_target *target, const char *partition, const char *token,
        const s3store_call *call, s3store_write_result **out,
        s3store_error *err)
{
    s3s_marker marker;
    bool conditional, fenced;
    int64_t ref_micros = 0;
    s3store_write_result *result = NULL;
    s3s_result_item *outcome = NULL;
    s3store_error *late = NULL;
    *out = NULL;
    s3store_status status = check_arguments(target, partition, token, err);
    if (status == S3STORE_OK)
        status = s3s_target_probe(target, call, &conditional, &fenced, err);
    if (status == S3STORE_OK)
        status = s3s_commit_confirm(target, call, partition, token, &marker, err);
    if (status == S3STORE_OK)
        status = s3s_result_new(target->env, &result, err);
    if (status == S3STORE_OK)
        status = add_commit(target, partition, token, S3STORE_COMMIT_DONE, &marker, result,
                            &outcome, err);
    if (status == S3STORE_OK && (late = s3s_calloc(target->env, 1, sizeof *late)) == NULL)
        status = s3s_fail_memory(err, sizeof *late);
    s3store_status stamped = S3STORE_OK;
    if (status == S3STORE_OK) {
        stamped = s3s_restamp_ref(target, partition, token, &marker, fenced, &ref_micros, late);
        marker.ref_micros = ref_micros;
        status = stamped;
    }
    if (outcome != NULL && (status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT))
        status = s3s_outcome_set(outcome, &target->layout, S3STORE_COMMIT_DONE, &marker, err);
    if (stamped != S3STORE_OK)
        s3s_fail_as(err, stamped, late);
    if (status == S3STORE_OK && stamped == S3STORE_COMMIT_AFTER_TIMEOUT) {
        s3s_outcome_set_error(outcome, S3STORE_COMMIT_LATE, late);
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

s3store_status s3s_lookup_commit(s3store_target *target, const char *partition, const char *token,
                                 const s3store_call *call, s3store_write_result **out,
                                 s3store_error *err)
{
    s3s_scope scope;
    s3store_error own = {0};
    s3store_error *e = err != NULL ? err : &own;
    s3s_scope_begin(&scope, target->env, S3S_METHOD_LOOKUP_COMMIT);
    s3store_status status = lookup_commit_now(target, partition, token, call, out, e);
    return s3s_scope_end(&scope, status, e);
}

s3store_status s3s_restamp(s3store_target *target, const char *partition, const char *token,
                           const s3store_call *call, s3store_write_result **out,
                           s3store_error *err)
{
    s3s_scope scope;
    s3store_error own = {0};
    s3store_error *e = err != NULL ? err : &own;
    s3s_scope_begin(&scope, target->env, S3S_METHOD_RESTAMP_REF);
    s3store_status status = restamp_now(target, partition, token, call, out, e);
    return s3s_scope_end(&scope, status, e);
}
