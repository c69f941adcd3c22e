/* Views: every tuple of a commit's rows has its marker. The markers of all recorded views are
 * listed first and kept as digests, like attempts; the rows of each file are projected as backfill
 * does, and a marker that was not listed is asked for before it is called missing.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dataset/pattern_walk.h"
#include "maintain/verify_private.h"

#define BATCH_ROWS 65536

/* A marker takes the place of an attempt: its view is the partition, its tuple the token. */
static const char no_attempt[S3S_ATTEMPT_ID_SIZE + 1] = "--------------------------------";

static s3s_slice slice_of(const char *text)
{
    return (s3s_slice){.data = text, .size = strlen(text)};
}

/* ---- the markers that there are -------------------------------------------------------------- */

typedef struct marker_scan {
    s3s_verify *v;
    const s3s_view_def *def;
} marker_scan;

static s3store_status take_marker(void *ctx, const s3store_list_entry *entry, const char *relative,
                                  s3store_error *err)
{
    marker_scan *m = ctx;
    s3s_slice tuple;
    (void)entry;
    if (!s3s_view_marker_parse(m->def, relative, &tuple))
        return S3STORE_OK; /* a stray */
    m->v->report->view_markers++;
    return s3s_attempt_set_add(m->v->markers, slice_of(m->def->name), tuple, no_attempt, 0, err);
}

static s3store_status list_view(s3s_verify *v, const s3s_view_def *def, s3store_error *err)
{
    char root[S3S_KEY_SIZE];
    s3s_pattern everything = {0};
    s3s_walk_result result = {0};
    marker_scan scan = {.v = v, .def = def};
    s3store_status status = s3s_view_root(&v->target->layout, def->name, root, err);
    if (status == S3STORE_OK)
        status =
            s3s_pattern_parse(v->target->env, def->names, def->count, "*", -1, &everything, err);
    if (status == S3STORE_OK)
        status = s3s_pattern_walk(v->target, v->call, root, &everything, take_marker, &scan,
                                  &result, err);
    v->report->lists += result.pages;
    s3s_pattern_deinit(&everything);
    return status;
}

/* The columns that any view needs, each once. */
static s3store_status collect_columns(s3s_verify *v, s3store_error *err)
{
    size_t most = 0;
    for (size_t i = 0; i < v->views.count; i++)
        most += v->views.items[i].count;
    v->columns = s3s_calloc(v->target->env, most + 1, sizeof *v->columns);
    if (v->columns == NULL)
        return s3s_fail_memory(err, most * sizeof *v->columns);
    for (size_t i = 0; i < v->views.count; i++)
        for (size_t c = 0; c < v->views.items[i].count; c++) {
            const char *name = v->views.items[i].columns[c].column;
            size_t at = 0;
            while (at < v->column_count && strcmp(v->columns[at], name) != 0)
                at++;
            if (at == v->column_count)
                v->columns[v->column_count++] = name;
        }
    return S3STORE_OK;
}

s3store_status s3s_verify_views_load(s3s_verify *v, s3store_error *err)
{
    s3store_status status = s3s_views_load(v->target, v->call, &v->views, err);
    v->report->lists++;
    if (status != S3STORE_OK || v->views.count == 0)
        return status;
    v->report->views = (uint32_t)v->views.count;
    status = s3s_attempt_set_new(v->target->env, v->target->spill_dir, 0, &v->markers, err);
    if (status == S3STORE_OK)
        status = collect_columns(v, err);
    for (size_t i = 0; i < v->views.count && status == S3STORE_OK; i++)
        status = list_view(v, &v->views.items[i], err);
    return status;
}

/* ---- the markers that there must be ---------------------------------------------------------- */

typedef struct missing {
    uint64_t count;
    char key[S3S_KEY_SIZE]; /* the first one */
} missing;

static s3store_status check_tuple(s3s_verify *v, const s3s_view_def *def, const char *tuple,
                                  missing *m, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_object_info info;
    if (s3s_attempt_set_has(v->markers, slice_of(def->name), slice_of(tuple), no_attempt, NULL))
        return S3STORE_OK;
    s3store_status status = s3s_view_marker_key(&v->target->layout, def->name, tuple, key, err);
    if (status == S3STORE_OK)
        status = s3s_head(v->target->store, v->call, key, &info, err);
    if (status != S3STORE_NOT_FOUND)
        return status;
    if (m->count++ == 0)
        memcpy(m->key, key, sizeof m->key);
    return S3STORE_OK;
}

/* found: one for each view. */
static s3store_status check_batch(s3s_verify *v, const s3s_schema *schema,
                                  const struct ArrowArray *batch, missing *found,
                                  s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < v->views.count && status == S3STORE_OK; i++) {
        const s3s_view_def *def = &v->views.items[i];
        s3s_tuples tuples;
        status = s3s_view_project(v->target->env, def, schema, &batch, 1, true, &tuples, err);
        for (size_t t = 0; t < tuples.count && status == S3STORE_OK; t++)
            status = check_tuple(v, def, tuples.texts[t], &found[i], err);
        s3s_tuples_deinit(&tuples);
    }
    return status;
}

static s3store_status tell_missing(s3s_verify *v, s3s_verify_item *item, const missing *found,
                                   s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < v->views.count && status == S3STORE_OK; i++) {
        char remedy[1400];
        if (found[i].count == 0)
            continue;
        snprintf(remedy, sizeof remedy, "make them: s3store backfill %s '%s' '%s'", v->target->url,
                 v->views.items[i].name, item->partition);
        status = s3s_verify_note_add(v, item, "view_marker_missing", true, found[i].key, err,
                                     remedy, "the view \"%.100s\" lacks markers of %llu tuples of "
                                     "this commit: lookups do not show them",
                                     v->views.items[i].name, (unsigned long long)found[i].count);
    }
    return status;
}

static s3store_status read_rows(s3s_verify *v, s3s_datafile *file, missing *found,
                                s3store_error *err)
{
    const s3s_schema *schema = s3s_datafile_schema(file);
    s3s_datafile_cursor *cursor = NULL;
    size_t *positions = s3s_calloc(v->target->env, v->column_count + 1, sizeof *positions);
    size_t count = 0;
    if (positions == NULL)
        return s3s_fail_memory(err, v->column_count * sizeof *positions);
    for (size_t i = 0; i < v->column_count; i++) {
        size_t at = s3s_schema_find(schema, v->columns[i]);
        if (at != SIZE_MAX)
            positions[count++] = at;
    }
    s3store_status status = S3STORE_OK;
    if (count > 0) /* else every view's column is null everywhere: no markers */
        status = s3s_datafile_cursor_new(file, positions, count, BATCH_ROWS, &cursor, err);
    while (count > 0 && status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_datafile_cursor_next(cursor, &batch, err);
        if (status == S3STORE_OK)
            status = check_batch(v, s3s_datafile_cursor_schema(cursor), &batch, found, err);
        s3s_array_release(&batch);
    }
    s3s_datafile_cursor_free(cursor);
    s3s_free(v->target->env, positions);
    return status == S3STORE_END ? S3STORE_OK : status;
}

/* Rows that cannot be read, or have no tuples. Any other status ends the whole. */
static s3store_status tell_unreadable(s3s_verify *v, s3s_verify_item *item,
                                      const s3s_datafile *file, s3store_status status,
                                      const s3store_error *why, s3store_error *err)
{
    if (status == S3STORE_CORRUPT || status == S3STORE_UNSUPPORTED)
        return s3s_verify_note_add(v, item, "data_unreadable", true, s3s_datafile_key(file), err,
                                   "restore the object from a backup: reads of its partition fail",
                                   "%s", why->message);
    if (status == S3STORE_SCHEMA_MISMATCH || status == S3STORE_INVALID_ARGUMENT)
        return s3s_verify_note_add(v, item, "view_unprojectable", true, s3s_datafile_key(file), err,
                                   "lookups of the view do not show these rows: find out who wrote "
                                   "them; the view may need another format",
                                   "%s", why->message);
    return s3s_fail_as(err, status, why);
}

s3store_status s3s_verify_views(s3s_verify *v, s3s_verify_item *item, s3s_datafile *file,
                                s3store_error *err)
{
    s3store_error why = {0};
    if (v->views.count == 0)
        return S3STORE_OK;
    missing *found = s3s_calloc(v->target->env, v->views.count, sizeof *found);
    if (found == NULL)
        return s3s_fail_memory(err, v->views.count * sizeof *found);
    s3store_status status = read_rows(v, file, found, &why);
    status = status == S3STORE_OK ? tell_missing(v, item, found, err)
                                  : tell_unreadable(v, item, file, status, &why, err);
    s3s_free(v->target->env, found);
    return status;
}
