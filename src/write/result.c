/* Outcomes of the partitions of a write, in key order. */
#include <string.h>

#include "write/write_private.h"

/* For a partition that failed when there was no memory to say more. */
static const s3store_error no_memory = {.status = S3STORE_OUT_OF_MEMORY,
                                        .message = "out of memory while a partition was written"};

s3store_status s3s_result_new(s3s_env *env, size_t count, s3store_write_result **out,
                              s3store_error *err)
{
    *out = NULL;
    s3store_write_result *r = s3s_calloc(env, 1, sizeof *r);
    if (r == NULL)
        return s3s_fail_memory(err, sizeof *r);
    r->env = s3s_env_retain(env);
    s3s_arena_init(&r->arena, env);
    r->commits = s3s_arena_calloc(&r->arena, count, sizeof *r->commits);
    r->texts = s3s_arena_calloc(&r->arena, count, sizeof *r->texts);
    if (r->commits == NULL || r->texts == NULL) {
        s3store_write_result_free(r);
        return s3s_fail_memory(err, count * (sizeof(s3store_commit) + sizeof(s3s_commit_texts)));
    }
    r->count = count;
    *out = r;
    return S3STORE_OK;
}

S3STORE_API void s3store_write_result_free(s3store_write_result *result)
{
    if (result == NULL)
        return;
    s3s_env *env = result->env;
    for (size_t i = 0; i < result->count; i++)
        /* commits holds count. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        if (result->commits[i].error != &no_memory)
            s3s_free(env, (s3store_error *)result->commits[i].error);
    s3s_arena_deinit(&result->arena);
    s3s_free(env, result);
    s3s_env_release(env);
}

S3STORE_API size_t s3store_write_result_count(const s3store_write_result *result)
{
    return result == NULL ? 0 : result->count;
}

S3STORE_API const s3store_commit *s3store_write_result_get(const s3store_write_result *result,
                                                           size_t i)
{
    return result == NULL || i >= result->count ? NULL : &result->commits[i];
}

S3STORE_API const char *s3store_commit_state_name(s3store_commit_state state)
{
    static const char *const names[] = {
        [S3STORE_COMMIT_NOT_TRIED] = "not_tried", [S3STORE_COMMIT_DONE] = "committed",
        [S3STORE_COMMIT_EXISTING] = "existing",   [S3STORE_COMMIT_LATE] = "committed_late",
        [S3STORE_COMMIT_FAILED] = "failed",       [S3STORE_COMMIT_PLANNED] = "planned",
    };
    size_t i = (size_t)state;
    return i < sizeof names / sizeof names[0] ? names[i] : "unknown";
}

/* Any attempt id and any stamp has the same length. */
static const char some_attempt[] = "00000000000000000000000000000000";

s3store_status s3s_result_name(s3store_write_result *result, size_t i, const s3s_layout *layout,
                               const char *partition, const char *token, int64_t row_count,
                               s3store_error *err)
{
    s3store_commit *c = &result->commits[i];
    s3s_commit_texts *t = &result->texts[i];
    char key[S3S_KEY_SIZE];
    const char *like = token != NULL ? token : some_attempt;
    s3store_status status = s3s_ref_key(layout, 0, like, some_attempt, partition, key, err);
    if (status != S3STORE_OK)
        return status;
    t->ref = s3s_arena_strdup(&result->arena, key);
    status = s3s_data_key(layout, partition, like, some_attempt, key, err);
    if (status != S3STORE_OK)
        return status;
    t->data = s3s_arena_strdup(&result->arena, key);
    t->token = s3s_arena_strdup(&result->arena, like);
    c->partition = s3s_arena_strdup(&result->arena, partition);
    if (t->ref == NULL || t->data == NULL || t->token == NULL || c->partition == NULL)
        return s3s_fail_memory(err, strlen(key));
    c->token = token != NULL ? t->token : NULL;
    c->row_count = row_count;
    return S3STORE_OK;
}

void s3s_result_set_token(s3store_write_result *result, size_t i, const char *token)
{
    char *text = result->texts[i].token;
    memcpy(text, token, strnlen(token, strlen(text)));
    result->commits[i].token = text;
}

s3store_status s3s_result_set(s3store_write_result *result, size_t i, const s3s_layout *layout,
                              s3store_commit_state state, const s3s_marker *marker,
                              s3store_error *err)
{
    char ref[S3S_KEY_SIZE], data[S3S_KEY_SIZE], commit[S3S_KEY_SIZE];
    s3store_commit *c = &result->commits[i];
    const s3s_commit_texts *t = &result->texts[i];
    s3store_status status =
        s3s_data_key(layout, c->partition, c->token, marker->attempt, data, err);
    if (status == S3STORE_OK)
        status = s3s_commit_key(layout, c->partition, c->token, commit, err);
    if (status == S3STORE_OK && s3s_ref_key(layout, marker->ref_micros, c->token, marker->attempt,
                                            c->partition, ref, NULL) != S3STORE_OK)
        status = s3s_fail_key(err, S3STORE_DAMAGED_MARKER, commit,
                              "the metadata entry refmicrots of the commit marker %.300s is %lld, "
                              "which is not the stamp of a ref",
                              commit, (long long)marker->ref_micros);
    if (status != S3STORE_OK)
        return status;
    memcpy(t->ref, ref, strlen(t->ref)); /* of the same sizes: see s3s_result_name */
    memcpy(t->data, data, strlen(t->data));
    c->state = state;
    c->offset = c->ref_path = t->ref;
    c->data_path = t->data;
    c->inserted_at_us = marker->inserted_at_us;
    c->row_count = marker->row_count;
    return S3STORE_OK;
}

void s3s_result_set_error(s3store_write_result *result, size_t i, s3store_commit_state state,
                          s3store_error *error)
{
    result->commits[i].state = state;
    result->commits[i].error = error != NULL ? error : &no_memory;
}

/* How much a failure decides: what is not known to have failed first, then what has a reason. */
static int weight(const s3store_commit *c)
{
    if (c->state != S3STORE_COMMIT_FAILED)
        return 0;
    if (c->error->status == S3STORE_UNCERTAIN)
        return 3;
    return c->error->status == S3STORE_CANCELLED ? 1 : 2;
}

s3store_status s3s_result_status(const s3store_write_result *result, const s3store_error *stopped,
                                 s3store_error *err)
{
    size_t committed = 0;
    const s3store_commit *late = NULL, *failed = NULL;
    for (size_t i = 0; i < result->count; i++) {
        const s3store_commit *c = &result->commits[i];
        committed += c->state != S3STORE_COMMIT_FAILED && c->state != S3STORE_COMMIT_NOT_TRIED;
        if (c->state == S3STORE_COMMIT_LATE && late == NULL)
            late = c;
        if (weight(c) > (failed != NULL ? weight(failed) : 0))
            failed = c;
    }
    const s3store_error *reason = late != NULL ? late->error : NULL;
    if (committed < result->count)
        reason = failed != NULL ? failed->error : stopped;
    if (reason == NULL)
        return S3STORE_OK;
    if (committed > 0 && committed < result->count)
        return s3s_fail(err, S3STORE_PARTIAL,
                        "%zu of %zu partitions are committed; %s%.300s: %.600s", committed,
                        result->count, failed != NULL ? "partition " : "the others were ",
                        failed != NULL ? failed->partition : "not tried", reason->message);
    if (err != NULL)
        *err = *reason;
    return reason->status != S3STORE_OK ? reason->status : S3STORE_INTERNAL;
}
