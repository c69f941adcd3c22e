/* dataset/pattern_walk.c: one pattern's LISTs (pattern_plan.c says which), under data or a view. */
#include "dataset/pattern_walk.h"

#include <string.h>

#include "base/error.h"

typedef struct walking {
    const s3s_pattern *pattern;
    const char *root;
    size_t root_size;
    const char *stop_at; /* whole key; NULL = none */
    s3s_pattern_key_fn fn;
    void *fn_ctx;
    s3store_status status; /* of the callback */
    s3store_error error;
} walking;

/* In key order, or the LISTs fail, and below stop_at: s3s_list_parallel sees to it. */
static bool take_key(void *ctx, const s3store_list_entry *entry)
{
    walking *w = ctx;
    const char *key = entry->key;

    if (entry->is_prefix)
        return true;
    if (strncmp(key, w->root, w->root_size) != 0)
        return true;
    w->status = w->fn(w->fn_ctx, entry, key + w->root_size, &w->error);
    return w->status == S3STORE_OK;
}

/* A gap of the pattern, in which no match sorts, as whole keys (s3s_walk_options). */
static bool skip_gap(void *ctx, const char *key, char *buffer)
{
    const walking *w = ctx;
    const char *to = NULL;

    if (strncmp(key, w->root, w->root_size) == 0)
        to = s3s_pattern_skip(w->pattern, key + w->root_size);
    if (to == NULL || w->root_size + strlen(to) > S3STORE_KEY_MAX_BYTES)
        return false;
    memcpy(buffer, w->root, w->root_size);
    memcpy(buffer + w->root_size, to, strlen(to) + 1);
    return true;
}

static s3store_status walk_bounds(walking *w, s3store_target *target, const s3store_call *call,
                                  s3s_arena *arena, s3s_walk_result *result, s3store_error *err)
{
    const s3s_pattern *p = w->pattern;
    const char *prefix = s3s_arena_printf(arena, "%s%s", w->root, p->list_prefix);
    const char *start_after = NULL;

    if (p->start_after != NULL)
        start_after = s3s_arena_printf(arena, "%s%s", w->root, p->start_after);
    if (p->stop_at != NULL)
        w->stop_at = s3s_arena_printf(arena, "%s%s", w->root, p->stop_at);
    if (prefix == NULL || (p->start_after != NULL && start_after == NULL) ||
        (p->stop_at != NULL && w->stop_at == NULL))
        return s3s_fail_memory(err, S3S_KEY_SIZE);
    if (strlen(prefix) > S3STORE_KEY_MAX_BYTES)
        return S3STORE_OK; /* no key is that long: nothing matches */
    if (start_after != NULL && strlen(start_after) > S3STORE_KEY_MAX_BYTES)
        start_after = NULL; /* only narrows */
    s3s_walk_options options = {.prefix = prefix,
                                .start_after = start_after,
                                .stop_at = w->stop_at,
                                .limit = (size_t)target->max_inflight,
                                .skip = skip_gap,
                                .skip_ctx = w};
    s3store_status status = s3s_list_parallel(target->env, target->store, target->pool, call,
                                              &options, take_key, w, result, err);
    if (status == S3STORE_OK && w->status != S3STORE_OK)
        return s3s_fail_as(err, w->status, &w->error);
    return status;
}

s3store_status s3s_pattern_walk(s3store_target *target, const s3store_call *call, const char *root,
                                const s3s_pattern *pattern, s3s_pattern_key_fn fn, void *fn_ctx,
                                s3s_walk_result *result, s3store_error *err)
{
    s3s_arena arena;
    walking *w = s3s_calloc(target->env, 1, sizeof *w);

    *result = (s3s_walk_result){.first_date_us = S3STORE_TIME_NONE};
    if (w == NULL)
        return s3s_fail_memory(err, sizeof *w);
    w->pattern = pattern;
    w->fn = fn;
    w->fn_ctx = fn_ctx;
    s3s_arena_init(&arena, target->env);
    w->root = s3s_arena_printf(&arena, "%s/", root);
    w->root_size = strlen(root) + 1;
    s3store_status status = w->root != NULL ? walk_bounds(w, target, call, &arena, result, err)
                                            : s3s_fail_memory(err, w->root_size + 1);
    s3s_arena_deinit(&arena);
    s3s_free(target->env, w);
    return status;
}
