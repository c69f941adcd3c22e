/* The markers of views: which ones rows need, found and checked before the first request; and putting
 * them, before the data.
 *
 * Rows are looked at once, in s3s_markers_find: each row gets a number for each view. Then the keys
 * of any of these rows are noted where they will be put.
 */
#include <string.h>

#include "write/write_private.h"

/* Of one view: the keys of its tuples, and for which list each was noted last. */
struct s3s_view_keys {
    s3s_tuples tuples;
    const char **keys;
    uint32_t *noted; /* number of the list; 0 = none */
};

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

static s3store_status make_keys(const s3store_writer *writer, const s3s_view_def *def,
                                s3s_found_markers *found, struct s3s_view_keys *out,
                                s3store_error *err)
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
        out->keys[i] = s3s_arena_strdup(&found->arena, key);
        if (out->keys[i] == NULL)
            return s3s_fail_memory(err, sizeof key);
    }
    return S3STORE_OK;
}

s3store_status s3s_markers_find(const s3store_writer *writer, const s3s_schema *schema,
                                const struct ArrowArray *const *batches, size_t batch_count,
                                s3s_found_markers *out, s3store_error *err)
{
    s3s_env *env = writer->env;
    memset(out, 0, sizeof *out);
    if (writer->views.count == 0)
        return S3STORE_OK;
    out->env = env;
    out->budget = writer->target->memory_bytes / 2;
    s3s_arena_init(&out->arena, env);
    out->views = s3s_calloc(env, writer->views.count, sizeof *out->views);
    out->before = s3s_calloc(env, batch_count + 1, sizeof *out->before);
    s3store_status status = out->views != NULL && out->before != NULL
                                ? S3STORE_OK
                                : s3s_fail_memory(err, (batch_count + 1) * sizeof *out->before);
    out->view_count = out->views != NULL ? writer->views.count : 0;
    for (size_t b = 0; b < batch_count && status == S3STORE_OK; b++)
        out->before[b + 1] = out->before[b] + (size_t)batches[b]->length;
    for (size_t v = 0; v < out->view_count && status == S3STORE_OK; v++) {
        const s3s_view_def *def = &writer->views.items[v];
        status = check_columns(writer, v, schema, err);
        if (status == S3STORE_OK)
            status = s3s_view_project(env, def, schema, batches, batch_count,
                                      writer->allow_unaddressable, &out->views[v].tuples, err);
        if (status == S3STORE_OK)
            status = make_keys(writer, def, out, &out->views[v], err);
    }
    if (status != S3STORE_OK)
        s3s_found_markers_deinit(out);
    return status;
}

void s3s_found_markers_deinit(s3s_found_markers *found)
{
    if (found->env == NULL)
        return;
    for (size_t v = 0; v < found->view_count; v++) {
        s3s_tuples_deinit(&found->views[v].tuples);
        s3s_free(found->env, found->views[v].keys);
        s3s_free(found->env, found->views[v].noted);
    }
    s3s_free(found->env, found->views);
    s3s_free(found->env, found->before);
    s3s_arena_deinit(&found->arena);
    memset(found, 0, sizeof *found);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static s3store_status add_key(s3s_found_markers *found, s3s_marker_list *list, const char *key,
                              s3store_error *err)
{
    size_t size = strlen(key) + 1;
    if (list->text.env == NULL)
        s3s_buffer_init(&list->text, found->env, SIZE_MAX);
    found->noted_bytes += size;
    if (found->noted_bytes > found->budget)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "the markers of the views take more than half of the memory budget of "
                        "%llu bytes: write fewer rows at once, or raise memory_bytes (--memory)",
                        (unsigned long long)found->budget * 2);
    s3store_status status = s3s_buffer_append(&list->text, key, size, err);
    list->count += status == S3STORE_OK;
    return status;
}

s3store_status s3s_markers_note(s3s_found_markers *found, const s3s_row *rows, size_t row_count,
                                s3s_marker_list *list, s3store_error *err)
{
    uint32_t number = ++found->list_count;
    for (size_t v = 0; v < found->view_count; v++) {
        struct s3s_view_keys *k = &found->views[v];
        for (size_t r = 0; r < row_count && k->tuples.count > 0; r++) {
            uint32_t id = k->tuples.ids[found->before[rows[r].batch] + rows[r].row];
            if (id == S3S_NO_TUPLE || k->noted[id] == number)
                continue;
            k->noted[id] = number;
            s3store_status status = add_key(found, list, k->keys[id], err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    return S3STORE_OK;
}

void s3s_marker_list_deinit(s3s_marker_list *list)
{
    if (list->text.env != NULL)
        s3s_buffer_deinit(&list->text);
    memset(list, 0, sizeof *list);
}

s3store_status s3s_markers_put(s3store_writer *writer, const s3store_call *call,
                               const s3s_marker_list *list, s3store_error *err)
{
    if (list->count == 0)
        return S3STORE_OK;
    const char **keys = s3s_calloc(writer->env, list->count, sizeof *keys);
    if (keys == NULL)
        return s3s_fail_memory(err, list->count * sizeof *keys);
    const char *at = (const char *)list->text.data;
    for (size_t i = 0; i < list->count; i++) {
        keys[i] = at;
        at += strlen(at) + 1;
    }
    s3store_status status =
        s3s_view_markers_put(writer->target, call, keys, list->count, NULL, err);
    s3s_free(writer->env, keys);
    return status;
}
