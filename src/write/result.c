/* Outcomes of the partitions of a write, in key order. */
#include <stdlib.h>
#include <string.h>

#include "write/write_private.h"

/* For a partition that failed when there was no memory to say more. */
static const s3store_error no_memory = {.status = S3STORE_OUT_OF_MEMORY,
                                        .message = "out of memory while a partition was written"};

s3store_status s3s_result_new(s3s_env *env, s3store_write_result **out, s3store_error *err)
{
    *out = NULL;
    s3store_write_result *r = s3s_calloc(env, 1, sizeof *r);
    if (r == NULL)
        return s3s_fail_memory(err, sizeof *r);
    r->env = s3s_env_retain(env);
    s3s_arena_init(&r->arena, env);
    *out = r;
    return S3STORE_OK;
}

S3STORE_API void s3store_write_result_free(s3store_write_result *result)
{
    if (result == NULL)
        return;
    s3s_env *env = result->env;
    for (size_t i = 0; i < result->count; i++)
        if (result->outcomes[i]->commit.error != &no_memory)
            s3s_free(env, (s3store_error *)result->outcomes[i]->commit.error);
    s3s_free(env, (void *)result->outcomes);
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
    return result == NULL || i >= result->count ? NULL : &result->outcomes[i]->commit;
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

static s3store_status make_room(s3store_write_result *result, s3store_error *err)
{
    if (result->count < result->capacity)
        return S3STORE_OK;
    size_t capacity = result->capacity == 0 ? 8 : 2 * result->capacity;
    s3s_result_item **grown =
        s3s_realloc(result->env, (void *)result->outcomes, capacity * sizeof *grown);
    if (grown == NULL)
        return s3s_fail_memory(err, capacity * sizeof *grown);
    result->outcomes = grown;
    result->capacity = capacity;
    return S3STORE_OK;
}

s3store_status s3s_result_add(s3store_write_result *result, const s3s_layout *layout,
                              const char *partition, const char *token, int64_t row_count,
                              s3s_result_item **out, s3store_error *err)
{
    s3s_arena *arena = &result->arena;
    char ref[S3S_KEY_SIZE], data[S3S_KEY_SIZE], commit[S3S_KEY_SIZE];
    const char *like = token != NULL ? token : some_attempt;
    s3store_status status = s3s_data_key(layout, partition, like, some_attempt, data, err);
    if (status == S3STORE_OK)
        status = s3s_commit_key(layout, partition, like, commit, err);
    if (status == S3STORE_OK)
        status = s3s_ref_key(layout, 0, like, some_attempt, partition, ref, err);
    if (status == S3STORE_OK)
        status = make_room(result, err);
    if (status != S3STORE_OK)
        return status;
    s3s_result_item *o = s3s_arena_calloc(arena, 1, sizeof *o);
    if (o == NULL)
        return s3s_fail_memory(err, sizeof *o);
    o->ref = s3s_arena_strdup(arena, ref);
    o->data = s3s_arena_strdup(arena, data);
    o->token = s3s_arena_strdup(arena, like);
    o->commit.partition = s3s_arena_strdup(arena, partition);
    if (o->ref == NULL || o->data == NULL || o->token == NULL || o->commit.partition == NULL)
        return s3s_fail_memory(err, strlen(ref));
    o->commit.token = token != NULL ? o->token : NULL;
    o->commit.row_count = row_count;
    result->outcomes[result->count++] = o;
    *out = o;
    return S3STORE_OK;
}

static int compare_outcomes(const void *a, const void *b)
{
    const s3store_commit *x = &(*(s3s_result_item *const *)a)->commit;
    const s3store_commit *y = &(*(s3s_result_item *const *)b)->commit;
    int order = strcmp(x->partition, y->partition);
    return order != 0 ? order : (x->chunk > y->chunk) - (x->chunk < y->chunk);
}

void s3s_result_sort(s3store_write_result *result)
{
    if (result->count > 1)
        qsort((void *)result->outcomes, result->count, sizeof(s3s_result_item *), compare_outcomes);
}

bool s3s_result_tells(const s3store_write_result *result)
{
    for (size_t i = 0; i < s3store_write_result_count(result); i++)
        if (result->outcomes[i]->commit.state != S3STORE_COMMIT_NOT_TRIED)
            return true;
    return false;
}

void s3s_outcome_set_token(s3s_result_item *outcome, const char *token)
{
    memcpy(outcome->token, token, strnlen(token, strlen(outcome->token)));
    outcome->commit.token = outcome->token;
}

s3store_status s3s_outcome_set(s3s_result_item *outcome, const s3s_layout *layout,
                               s3store_commit_state state, const s3s_marker *marker,
                               s3store_error *err)
{
    char ref[S3S_KEY_SIZE], data[S3S_KEY_SIZE], commit[S3S_KEY_SIZE];
    s3store_commit *c = &outcome->commit;
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
    memcpy(outcome->ref, ref, strlen(outcome->ref)); /* of the same sizes: see s3s_result_add */
    memcpy(outcome->data, data, strlen(outcome->data));
    c->state = state;
    c->offset = c->ref_path = outcome->ref;
    c->data_path = outcome->data;
    c->inserted_at_us = marker->inserted_at_us;
    c->row_count = marker->row_count;
    return S3STORE_OK;
}

void s3s_outcome_set_error(s3s_result_item *outcome, s3store_commit_state state, s3store_error *error)
{
    outcome->commit.state = state;
    outcome->commit.error = error != NULL ? error : &no_memory;
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

s3store_status s3s_result_status(const s3store_write_result *result, bool is_read,
                                 const s3store_error *stopped, s3store_error *err)
{
    size_t committed = 0;
    const s3store_commit *late = NULL, *failed = NULL;
    bool chunked = false;
    for (size_t i = 0; i < result->count; i++) {
        const s3store_commit *c = &result->outcomes[i]->commit;
        chunked = chunked || c->chunk > 0;
        committed += c->state != S3STORE_COMMIT_FAILED && c->state != S3STORE_COMMIT_NOT_TRIED;
        if (c->state == S3STORE_COMMIT_LATE && late == NULL)
            late = c;
        if (weight(c) > (failed != NULL ? weight(failed) : 0))
            failed = c;
    }
    bool whole = committed == result->count && is_read;
    const s3store_error *reason = late != NULL ? late->error : NULL;
    if (!whole)
        reason = failed != NULL ? failed->error : stopped;
    if (reason == NULL)
        return S3STORE_OK;
    if (committed > 0 && !whole)
        return s3s_fail(err, S3STORE_PARTIAL, "%zu of %zu %s are committed; %s%.300s: %.600s",
                        committed, result->count, chunked ? "chunks" : "partitions",
                        failed != NULL ? "partition " : "the others were ",
                        failed != NULL ? failed->partition : "not tried", reason->message);
    return s3s_fail_as(err, reason->status != S3STORE_OK ? reason->status : S3STORE_INTERNAL,
                       reason);
}
