/* dataset/resolve.c: from patterns to committed files: the LIST walks side by side, then the
 * gate. */
#include "dataset/fileset.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/data_walk.h"
#include "dataset/gate.h"

#define SECOND_US 1000000

/* What one pattern's LIST showed. */
typedef struct walk {
    s3store_target *target;
    const s3store_call *call;
    const s3s_pattern *pattern;
    s3s_arena arena; /* keys */
    s3s_listed *items;
    size_t count;
    size_t capacity;
    int64_t settled_before_us; /* markers older than this were there before the LIST began */
} walk;

static void walk_deinit(walk *w)
{
    s3s_free(w->target->env, w->items);
    s3s_arena_deinit(&w->arena);
}

/* ---- one key -------------------------------------------------------------------------------- */

static bool make_room(walk *w)
{
    size_t capacity = w->capacity == 0 ? 256 : w->capacity * 2;

    if (w->count < w->capacity)
        return true;
    s3s_listed *items = s3s_realloc(w->target->env, w->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    w->items = items;
    w->capacity = capacity;
    return true;
}

static s3store_status take_object(void *ctx, const s3s_data_name *name,
                                  const s3store_list_entry *entry, s3store_error *err)
{
    walk *w = ctx;
    const char *key = entry->key;
    const char *copy;

    if (name->kind == S3S_DATA_FOREIGN)
        return S3STORE_OK;
    copy = s3s_arena_strdup(&w->arena, key);
    if (copy == NULL || !make_room(w))
        return s3s_fail_memory(err, strlen(key));
    w->items[w->count++] = (s3s_listed){
        .key = copy,
        .partition = (uint16_t)(name->partition.data - key),
        .partition_size = (uint16_t)name->partition.size,
        .token = (uint16_t)(name->token.data - key),
        .token_size = (uint16_t)name->token.size,
        .is_commit = name->kind == S3S_DATA_COMMIT,
        .size = entry->object_size,
        .last_modified_us = entry->last_modified_us,
    };
    return S3STORE_OK;
}

/* ---- one pattern ---------------------------------------------------------------------------- */

/* When the first LIST began, by the server's clock: its answer's date, less the time since it was
 * sent. A second for the date's own granularity, and the skew between the nodes that stamp
 * objects. */
static int64_t settled_before(const s3store_target *t, int64_t date_us, int64_t sent_wall_us,
                              int64_t elapsed_us)
{
    int64_t began = date_us > 0 ? date_us - elapsed_us : sent_wall_us; /* else it did not say */

    return began - SECOND_US - t->max_clock_skew_us;
}

static void mark_settled(walk *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->items[i].settled = w->items[i].last_modified_us != S3STORE_TIME_NONE &&
                              w->items[i].last_modified_us < w->settled_before_us;
}

static s3store_status walk_pattern(void *ctx, size_t item, s3store_error *err)
{
    walk *w = (walk *)ctx + item;
    s3s_walk_result result;
    s3store_status status =
        s3s_data_walk(w->target, w->call, w->pattern, take_object, w, &result, err);

    w->settled_before_us = settled_before(w->target, result.first_date_us,
                                          result.first_sent_wall_us, result.first_took_us);
    if (status == S3STORE_OK)
        mark_settled(w);
    return status;
}

/* ---- all patterns --------------------------------------------------------------------------- */

/* All items of all walks side by side, for the gate; the keys stay in the walks' arenas. */
static s3store_status gate_walks(s3store_target *t, const s3store_call *call, walk *walks,
                                 size_t walk_count, s3s_file_set *out, s3store_error *err)
{
    s3s_file_set_builder *builder = NULL;
    s3s_listed *items = walks[0].items;
    size_t total = 0, at = 0;
    s3store_status status = s3s_file_set_builder_new(t->env, &builder, err);

    for (size_t i = 0; i < walk_count; i++)
        total += walks[i].count;
    if (status == S3STORE_OK && walk_count > 1) {
        items = s3s_calloc(t->env, total, sizeof *items);
        if (items == NULL)
            status = s3s_fail_memory(err, total * sizeof *items);
        for (size_t i = 0; i < walk_count && status == S3STORE_OK; i++) {
            if (walks[i].count > 0)
                memcpy(items + at, walks[i].items, walks[i].count * sizeof *items);
            at += walks[i].count;
            s3s_free(t->env, walks[i].items);
            walks[i].items = NULL;
        }
    }
    if (status == S3STORE_OK)
        status = s3s_gate(t, call, items, total, builder, err);
    if (status == S3STORE_OK)
        status = s3s_file_set_builder_finish(builder, out, err);
    if (walk_count > 1 && items != walks[0].items)
        s3s_free(t->env, items);
    s3s_file_set_builder_free(builder);
    return status;
}

s3store_status s3s_resolve_patterns(s3store_target *target, const s3store_call *call,
                                    const char *const *patterns, size_t pattern_count,
                                    s3s_file_set *out, s3store_error *err)
{
    s3s_patterns parsed = {0};
    s3s_fan_options options = {.call = call};
    walk *walks = NULL;
    s3store_status status;

    s3s_file_set_init(out, target->env);
    if (pattern_count == 0)
        return S3STORE_OK;
    status = s3s_target_patterns(target, patterns, pattern_count, &parsed, err);
    if (status != S3STORE_OK)
        return status;
    walks = s3s_calloc(target->env, parsed.count, sizeof *walks);
    if (walks == NULL) {
        status = s3s_fail_memory(err, parsed.count * sizeof *walks);
        s3s_patterns_deinit(&parsed);
        return status;
    }
    for (size_t i = 0; i < parsed.count; i++) {
        walks[i] = (walk){.target = target, .call = call, .pattern = &parsed.items[i],
                          .settled_before_us = INT64_MIN};
        s3s_arena_init(&walks[i].arena, target->env);
    }
    status = s3s_fan_out(target->pool, parsed.count, walk_pattern, walks, &options, err);
    if (status == S3STORE_OK)
        status = gate_walks(target, call, walks, parsed.count, out, err);
    for (size_t i = 0; i < parsed.count; i++)
        walk_deinit(&walks[i]);
    s3s_free(target->env, walks);
    s3s_patterns_deinit(&parsed);
    return status;
}
