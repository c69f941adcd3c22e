/* The markers of views: which ones a write needs, found and checked before the first request; and
 * putting them, before the data. */
#include <string.h>

#include "write/write_private.h"

/* Of one view: the keys of its tuples, and for which item each was noted last. */
typedef struct view_keys {
    s3s_tuples tuples;
    const char **keys;
    uint32_t *noted; /* item + 1; 0 = none */
} view_keys;

static s3store_status make_keys(const s3store_writer *writer, const s3s_view_def *def,
                                s3s_marker_plan *plan, view_keys *out, s3store_error *err)
{
    const s3s_tuples *t = &out->tuples;
    out->keys = s3s_calloc(writer->env, t->count, sizeof *out->keys);
    out->noted = s3s_calloc(writer->env, t->count, sizeof *out->noted);
    if (out->keys == NULL || out->noted == NULL)
        return s3s_fail_memory(err, t->count * sizeof *out->keys);
    for (size_t i = 0; i < t->count; i++) {
        char key[S3S_KEY_SIZE];
        s3store_status status =
            s3s_view_marker_key(&writer->target->layout, def->name, t->texts[i], key, err);
        if (status != S3STORE_OK)
            return status;
        out->keys[i] = s3s_arena_strdup(&plan->arena, key);
        if (out->keys[i] == NULL)
            return s3s_fail_memory(err, sizeof key);
    }
    if (plan->arena.used > writer->target->memory_bytes / 2)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "the markers of the views take more than half of the memory budget of "
                        "%llu bytes: write fewer rows at once, or raise memory_bytes (--memory)",
                        (unsigned long long)writer->target->memory_bytes);
    return S3STORE_OK;
}

static s3store_status add_key(s3s_marker_plan *plan, const char *key, s3store_error *err)
{
    if (plan->key_count == plan->key_capacity) {
        size_t capacity = plan->key_capacity == 0 ? 64 : 2 * plan->key_capacity;
        const char **grown = s3s_realloc(plan->env, plan->keys, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        plan->keys = grown;
        plan->key_capacity = capacity;
    }
    plan->keys[plan->key_count++] = key;
    return S3STORE_OK;
}

/* The keys that the rows of one item need, each once. before[b]: rows of the batches before b. */
static s3store_status note_item(s3s_marker_plan *plan, const s3s_plan_item *item, size_t number,
                                const size_t *before, view_keys *views, size_t view_count,
                                s3store_error *err)
{
    for (size_t v = 0; v < view_count; v++) {
        view_keys *k = &views[v];
        for (size_t r = 0; r < item->row_count && k->tuples.count > 0; r++) {
            uint32_t id = k->tuples.ids[before[item->rows[r].batch] + item->rows[r].row];
            if (id == S3S_NO_TUPLE || k->noted[id] == number + 1)
                continue;
            k->noted[id] = (uint32_t)number + 1;
            s3store_status status = add_key(plan, k->keys[id], err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    return S3STORE_OK;
}

static s3store_status note_items(s3store_writer *writer, const s3s_input *input,
                                 const s3s_plan *plan, view_keys *views, s3s_marker_plan *out,
                                 s3store_error *err)
{
    size_t *before = s3s_calloc(writer->env, input->batch_count + 1, sizeof *before);
    out->starts = s3s_calloc(writer->env, plan->count + 1, sizeof *out->starts);
    s3store_status status = before != NULL && out->starts != NULL
                                ? S3STORE_OK
                                : s3s_fail_memory(err, (plan->count + 1) * sizeof *before);
    for (size_t b = 0; b < input->batch_count && status == S3STORE_OK; b++)
        before[b + 1] = before[b] + (size_t)input->batches[b].length;
    for (size_t i = 0; i < plan->count && status == S3STORE_OK; i++) {
        status = note_item(out, &plan->items[i], i, before, views, writer->views.count, err);
        out->starts[i + 1] = out->key_count;
    }
    s3s_free(writer->env, before);
    return status;
}

/* A column that was never written is null so far. In a view that the caller gives it is a mistake;
 * in a recorded one that may be true of one writer's data, and must not stop it. */
static s3store_status check_columns(const s3store_writer *writer, size_t view,
                                    const s3s_schema *schema, s3store_error *err)
{
    const s3s_view_def *def = &writer->views.items[view];
    const char *missing = NULL;
    bool is_recorded = view < writer->views.recorded_count;
    s3store_status status = s3s_view_def_check(def, schema, is_recorded ? &missing : NULL, err);
    if (status == S3STORE_OK && missing != NULL)
        s3s_log(writer->env, S3STORE_LOG_WARN,
                "a view has no markers: its column is in no data yet", "view", def->name, "column",
                missing, NULL);
    return status;
}

s3store_status s3s_markers_plan(s3store_writer *writer, const s3s_input *input, s3s_plan *plan,
                                s3store_error *err)
{
    s3s_marker_plan *out = &plan->markers;
    size_t view_count = writer->views.count;
    if (view_count == 0 || plan->count == 0)
        return S3STORE_OK;
    out->env = writer->env;
    s3s_arena_init(&out->arena, writer->env);
    view_keys *views = s3s_calloc(writer->env, view_count, sizeof *views);
    if (views == NULL)
        return s3s_fail_memory(err, view_count * sizeof *views);
    s3store_status status = S3STORE_OK;
    for (size_t v = 0; v < view_count && status == S3STORE_OK; v++) {
        const s3s_view_def *def = &writer->views.items[v];
        status = check_columns(writer, v, input->schema, err);
        if (status == S3STORE_OK)
            status = s3s_view_project(writer->env, def, input->schema, plan->batches,
                                      input->batch_count, writer->allow_unaddressable,
                                      &views[v].tuples, err);
        if (status == S3STORE_OK)
            status = make_keys(writer, def, out, &views[v], err);
    }
    if (status == S3STORE_OK)
        status = note_items(writer, input, plan, views, out, err);
    for (size_t v = 0; v < view_count; v++) {
        s3s_tuples_deinit(&views[v].tuples);
        s3s_free(writer->env, views[v].keys);
        s3s_free(writer->env, views[v].noted);
    }
    s3s_free(writer->env, views);
    return status;
}

void s3s_markers_deinit(s3s_marker_plan *markers)
{
    if (markers->env == NULL)
        return;
    s3s_free(markers->env, markers->keys);
    s3s_free(markers->env, markers->starts);
    s3s_arena_deinit(&markers->arena);
    memset(markers, 0, sizeof *markers);
}

s3store_status s3s_markers_put(s3store_writer *writer, const s3s_plan *plan, size_t item,
                               const s3store_call *call, s3store_error *err)
{
    const s3s_marker_plan *m = &plan->markers;
    if (m->starts == NULL)
        return S3STORE_OK;
    return s3s_view_markers_put(writer->target, call, m->keys + m->starts[item],
                                m->starts[item + 1] - m->starts[item], NULL, err);
}
