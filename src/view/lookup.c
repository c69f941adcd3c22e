/* Lookup: patterns become LIST walks side by side; what they find is put into key order. */
#include <stdlib.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/stream.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dataset/pattern_walk.h"
#include "read/read.h"
#include "view/internal.h"

#define BATCH_ROWS 65536

typedef struct key_list {
    s3s_slice *items;
    size_t count, capacity;
} key_list;

typedef struct lookup {
    s3store_view *view;
    const s3store_call *call;
    s3s_patterns patterns;
    struct walk *walks;
    uint64_t held; /* bytes; atomic */
    key_list tuples; /* with the '/' that follows: so they sort as their keys do */
    uint64_t strays, lists;
} lookup;

/* What one pattern's LISTs show. */
typedef struct walk {
    lookup *lookup;
    s3s_arena arena;
    key_list tuples, strays;
    uint64_t lists;
} walk;

/* ---- one key --------------------------------------------------------------------------------- */

static s3store_status keep(walk *w, key_list *list, const char *data, size_t size,
                           s3store_error *err)
{
    const s3store_target *target = w->lookup->view->target;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 256 : 2 * list->capacity;
        s3s_slice *grown = s3s_realloc(target->env, list->items, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        list->items = grown;
        list->capacity = capacity;
    }
    uint64_t bytes = size + 2 * sizeof(s3s_slice);
    if (__atomic_add_fetch(&w->lookup->held, bytes, __ATOMIC_RELAXED) > target->memory_bytes)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "the tuples that were found take more than the memory budget of %llu "
                        "bytes: look up fewer with patterns, or raise memory_bytes (--memory)",
                        (unsigned long long)target->memory_bytes);
    const char *copy = s3s_arena_strndup(&w->arena, data, size);
    if (copy == NULL)
        return s3s_fail_memory(err, size);
    list->items[list->count++] = (s3s_slice){copy, size};
    return S3STORE_OK;
}

static s3store_status take_key(void *ctx, const s3store_list_entry *entry, const char *relative,
                               s3store_error *err)
{
    walk *w = ctx;
    const s3s_view_def *def = &w->lookup->view->def;
    const s3s_pattern *pattern = &w->lookup->patterns.items[w - w->lookup->walks];
    s3s_slice tuple;
    (void)entry;
    if (!s3s_view_marker_parse(def, relative, &tuple) ||
        !s3s_utf8_valid(tuple.data, tuple.size))
        return keep(w, &w->strays, relative, strlen(relative), err);
    if (!s3s_pattern_matches(pattern, tuple))
        return S3STORE_OK;
    return keep(w, &w->tuples, tuple.data, tuple.size + 1, err);
}

static s3store_status run_walk(void *ctx, size_t item, s3store_error *err)
{
    lookup *l = ctx;
    walk *w = &l->walks[item];
    s3s_walk_result result;
    s3store_status status =
        s3s_pattern_walk(l->view->target, l->call, l->view->root, &l->patterns.items[item],
                         take_key, w, &result, err);
    w->lists = result.pages;
    return status;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return s3s_slice_compare(*(const s3s_slice *)a, *(const s3s_slice *)b);
}

/* The lists of all walks as one, in key order, each key once. What one walk found is in order. */
static s3store_status join(lookup *l, bool strays, key_list *out, s3store_error *err)
{
    s3s_env *env = l->view->env;
    size_t total = 0;
    *out = (key_list){0};
    for (size_t i = 0; i < l->patterns.count; i++)
        total += strays ? l->walks[i].strays.count : l->walks[i].tuples.count;
    if (total == 0)
        return S3STORE_OK;
    out->items = s3s_alloc(env, total * sizeof *out->items);
    if (out->items == NULL)
        return s3s_fail_memory(err, total * sizeof *out->items);
    for (size_t i = 0; i < l->patterns.count; i++) {
        const key_list *from = strays ? &l->walks[i].strays : &l->walks[i].tuples;
        if (from->count > 0)
            memcpy(out->items + out->count, from->items, from->count * sizeof *from->items);
        out->count += from->count;
    }
    if (l->patterns.count == 1)
        return S3STORE_OK;
    qsort(out->items, out->count, sizeof *out->items, compare_keys);
    size_t kept = 1;
    for (size_t i = 1; i < out->count; i++)
        if (s3s_slice_compare(out->items[i], out->items[kept - 1]) != 0)
            out->items[kept++] = out->items[i];
    out->count = kept;
    return S3STORE_OK;
}

static s3store_status count_strays(lookup *l, s3store_error *err)
{
    key_list strays;
    s3store_status status = join(l, true, &strays, err);
    if (status != S3STORE_OK)
        return status;
    l->strays = strays.count;
    if (strays.count > 0)
        s3s_log(l->view->env, S3STORE_LOG_WARN,
                "objects below a view are none of its markers, skipping them", "view",
                l->view->root, "first", strays.items[0].data, NULL);
    s3s_free(l->view->env, strays.items);
    return S3STORE_OK;
}

static s3store_status walk_all(lookup *l, s3store_error *err)
{
    s3s_env *env = l->view->env;
    s3s_fan_options fan = {.call = l->call};
    l->walks = s3s_calloc(env, l->patterns.count, sizeof *l->walks);
    if (l->walks == NULL)
        return s3s_fail_memory(err, l->patterns.count * sizeof *l->walks);
    for (size_t i = 0; i < l->patterns.count; i++) {
        l->walks[i].lookup = l;
        s3s_arena_init(&l->walks[i].arena, env);
    }
    s3store_status status =
        s3s_fan_out(l->view->target->pool, l->patterns.count, run_walk, l, &fan, err);
    for (size_t i = 0; i < l->patterns.count; i++)
        l->lists += l->walks[i].lists;
    if (status == S3STORE_OK)
        status = count_strays(l, err);
    return status == S3STORE_OK ? join(l, false, &l->tuples, err) : status;
}

static void lookup_deinit(lookup *l)
{
    s3s_env *env = l->view->env;
    for (size_t i = 0; l->walks != NULL && i < l->patterns.count; i++) {
        s3s_free(env, l->walks[i].tuples.items);
        s3s_free(env, l->walks[i].strays.items);
        s3s_arena_deinit(&l->walks[i].arena);
    }
    s3s_free(env, l->walks);
    s3s_free(env, l->tuples.items);
    s3s_patterns_deinit(&l->patterns);
}

static s3store_status run_lookup(s3store_view *view, const s3store_lookup_options *options,
                                 lookup *l, s3store_lookup_stats *stats, s3store_error *err)
{
    s3store_call call = s3s_call_make(view->env, options->cancel, options->timeout_ms);
    *l = (lookup){.view = view, .call = &call};
    s3store_status status = S3STORE_OK;
    if (options->pattern_count > 0 && options->patterns == NULL)
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a count of patterns without patterns");
    if (status == S3STORE_OK && options->pattern_count > 0)
        status = s3s_patterns_parse(view->env, view->def.names, view->def.count,
                                    options->patterns, options->pattern_count, &l->patterns, err);
    if (status == S3STORE_OK && options->pattern_count > 0)
        status = walk_all(l, err);
    l->call = NULL;
    if (stats != NULL) {
        stats->markers = l->tuples.count;
        stats->strays = l->strays;
        stats->lists = l->lists;
    }
    if (status != S3STORE_OK) {
        lookup_deinit(l);
        s3s_context(err, "view %.300s", view->def.name);
    }
    return status;
}

/* ---- as batches ------------------------------------------------------------------------------ */

typedef struct tuples_source {
    lookup lookup;
    s3store_view *view; /* retained */
    s3s_schema *schema;
    size_t *columns; /* of the view, by field */
    s3s_slice *values;
    size_t next;
} tuples_source;

static s3store_status append_tuple(const tuples_source *s, s3store_builder *builder,
                                   s3s_slice tuple, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    tuple.size--; /* the '/' behind it */
    s3s_view_tuple_values(&s->view->def, tuple, s->values);
    for (size_t i = 0; i < s->schema->field_count && status == S3STORE_OK; i++)
        status = s3s_view_append_value(builder, i, &s->schema->fields[i],
                                       &s->view->def.columns[s->columns[i]],
                                       s->values[s->columns[i]], err);
    if (status != S3STORE_OK)
        s3s_context(err, "view %.200s, marker of %.*s", s->view->def.name,
                          (int)(tuple.size < 300 ? tuple.size : 300), tuple.data);
    return status;
}

static s3store_status next_tuples(void *impl, struct ArrowArray *out, s3store_error *err)
{
    tuples_source *s = impl;
    const key_list *tuples = &s->lookup.tuples;
    s3store_builder *builder = NULL;
    if (s->next == tuples->count)
        return S3STORE_END;
    s3store_status status = s3s_builder_new(s->view->env, s->schema, &builder, err);
    size_t left = tuples->count - s->next, n = left < BATCH_ROWS ? left : BATCH_ROWS;
    for (size_t i = 0; i < n && status == S3STORE_OK; i++)
        status = append_tuple(s, builder, tuples->items[s->next + i], err); /* NOLINT: n > 0 */
    if (status == S3STORE_OK)
        status = s3store_builder_finish(builder, out, err);
    if (status == S3STORE_OK)
        s->next += n;
    s3store_builder_free(builder);
    return status;
}

static void free_source(void *impl)
{
    tuples_source *s = impl;
    s3store_view *view = s->view;
    s3s_env *env = s3s_env_retain(view->env);
    if (s->lookup.view != NULL)
        lookup_deinit(&s->lookup);
    s3s_schema_release(s->schema);
    s3s_free(env, s->columns);
    s3s_free(env, s->values);
    s3s_view_free(view);
    s3s_free(env, s);
    s3s_env_release(env);
}

/* Every column of the view as text. */
static s3store_status text_schema(const s3s_view_def *def, s3s_schema **out, s3store_error *err)
{
    s3s_schema *schema = NULL;
    s3store_status status = s3s_schema_new(def->env, def->count, &schema, err);
    for (size_t i = 0; i < def->count && status == S3STORE_OK; i++) {
        schema->fields[i].type = S3S_TYPE_STRING;
        schema->fields[i].name = s3s_arena_strdup(&schema->arena, def->names[i]);
        if (schema->fields[i].name == NULL)
            status = s3s_fail_memory(err, strlen(def->names[i]));
    }
    if (status != S3STORE_OK) {
        s3s_schema_release(schema);
        schema = NULL;
    }
    *out = schema;
    return status;
}

/* Which column each field is; one field for each column, of a type that a text can be. */
static s3store_status match_columns(tuples_source *s, s3store_error *err)
{
    const s3s_view_def *def = &s->view->def;
    const s3s_schema *schema = s->schema;
    s->columns = s3s_calloc(s->view->env, schema->field_count, sizeof *s->columns);
    s->values = s3s_calloc(s->view->env, def->count, sizeof *s->values);
    if (s->columns == NULL || s->values == NULL)
        return s3s_fail_memory(err, def->count * sizeof *s->values);
    for (size_t i = 0; i < schema->field_count; i++) {
        size_t at = 0;
        char type[128];
        while (at < def->count && strcmp(def->names[at], schema->fields[i].name) != 0)
            at++;
        if (at == def->count)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "view %.200s has no column \"%.200s\", which the record has",
                            def->name, schema->fields[i].name);
        if (!s3s_view_can_be(&schema->fields[i]))
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "view %.200s: column \"%.200s\" cannot be read as %s: use a string, "
                            "date, timestamp, bool or integer field",
                            def->name, schema->fields[i].name,
                            s3s_field_type_text(&schema->fields[i], type, sizeof type));
        s->columns[i] = at;
    }
    for (size_t c = 0; c < def->count; c++)
        if (s3s_schema_find(schema, def->names[c]) == SIZE_MAX)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "the record has no field for column \"%.200s\" of view %.200s",
                            def->names[c], def->name);
    return S3STORE_OK;
}

/* type NULL: text. Everything is checked before the first request. */
static s3store_status open_source(s3store_view *view, const s3store_record_type *type,
                                  const s3store_lookup_options *options, tuples_source **out,
                                  s3store_lookup_stats *stats, s3store_error *err)
{
    *out = NULL;
    tuples_source *s = s3s_calloc(view->env, 1, sizeof *s);
    if (s == NULL)
        return s3s_fail_memory(err, sizeof *s);
    s->view = s3s_view_retain(view); /* a stream may outlive the caller's handle */
    s3store_status status = type != NULL
                                ? s3s_record_schema(view->env, type, &s->schema, err)
                                : text_schema(&s->view->def, &s->schema, err);
    if (status == S3STORE_OK)
        status = match_columns(s, err);
    if (status == S3STORE_OK) {
        status = run_lookup(s->view, options, &s->lookup, stats, err);
        if (status != S3STORE_OK)
            s->lookup.view = NULL; /* freed already */
    }
    if (status != S3STORE_OK)
        free_source(s);
    else
        *out = s;
    return status;
}

s3store_status s3s_view_lookup(s3store_view *view, const s3store_lookup_options *options,
                               struct ArrowArrayStream *out, s3store_lookup_stats *stats,
                               s3store_error *err)
{
    tuples_source *s;
    s3store_status status = open_source(view, NULL, options, &s, stats, err);
    if (status != S3STORE_OK)
        return status;
    s3s_batch_source source = {.impl = s, .next = next_tuples, .free = free_source};
    return s3s_stream_make(view->env, s->schema, source, out, err);
}

s3store_status s3s_view_lookup_records(s3store_view *view, const s3store_record_type *type,
                                       const s3store_lookup_options *options,
                                       s3store_records **out, s3store_lookup_stats *stats,
                                       s3store_error *err)
{
    tuples_source *s;
    s3store_records *records = NULL;
    *out = NULL;
    s3store_status status = open_source(view, type, options, &s, stats, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_records_new(view->env, &records, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = next_tuples(s, &batch, err);
        if (status == S3STORE_OK)
            status = s3s_records_add(records, s->schema, type, &batch, err);
        s3s_array_release(&batch);
    }
    free_source(s);
    if (status != S3STORE_END) {
        s3store_records_free(records);
        return status;
    }
    *out = records;
    return S3STORE_OK;
}
