/* Backfill: the markers of data that was committed before the view was there. Data objects are read
 * side by side, in key order, and of each only the columns that the view needs. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sync.h"
#include "datafile/datafile.h"
#include "dataset/fileset.h"
#include "view/internal.h"

#define FILES_AT_ONCE 16
#define FILE_BYTES (16u * 1024 * 1024) /* of the budget, at least, for each */
/* Up to this size a whole object comes sooner with one request than its columns with two. */
#define WHOLE_BYTES (512u * 1024)
#define BATCH_ROWS 65536
#define BATCH_ROWS_MIN 256

typedef struct backfill {
    s3store_target *target;
    const s3s_view_def *def;
    const s3store_backfill_options *options;
    const s3store_call *call;
    const char **columns; /* that are read */
    size_t column_count;
    s3s_file_set files;
    const s3s_data_file **order; /* selected, by key */
    size_t count;
    size_t at_once;
    s3s_mutex mutex;
    s3s_cond changed;
    struct {
        s3store_backfill_stats stats;
        bool *done; /* by file */
        size_t first_open; /* all files before it are done */
        bool alone;        /* somebody reads a large one */
        bool reporting, news;
    } locked;
} backfill;

/* ---- what is selected ------------------------------------------------------------------------ */

static int compare_files(const void *a, const void *b)
{
    return strcmp((*(const s3s_data_file *const *)a)->key,
                  (*(const s3s_data_file *const *)b)->key);
}

static s3store_status select_files(backfill *b, s3store_error *err)
{
    const s3store_backfill_options *o = b->options;
    s3s_env *env = b->target->env;
    b->order = s3s_calloc(env, b->files.file_count, sizeof *b->order);
    b->locked.done = s3s_calloc(env, b->files.file_count, sizeof *b->locked.done);
    if (b->order == NULL || b->locked.done == NULL)
        return s3s_fail_memory(err, b->files.file_count * sizeof *b->order);
    for (size_t p = 0; p < b->files.partition_count; p++)
        for (size_t i = 0; i < b->files.partitions[p].file_count; i++) {
            const s3s_data_file *f = &b->files.partitions[p].files[i];
            bool is_late = o->until_us != S3STORE_TIME_NONE &&
                           f->last_modified_us != S3STORE_TIME_NONE &&
                           f->last_modified_us >= o->until_us;
            if (!is_late && (o->after == NULL || strcmp(f->key, o->after) > 0))
                b->order[b->count++] = f;
        }
    if (b->count > 0)
        qsort(b->order, b->count, sizeof *b->order, compare_files);
    b->locked.stats.data_objects = b->count;
    return S3STORE_OK;
}

static s3store_status choose_columns(backfill *b, s3store_error *err)
{
    const s3s_view_def *def = b->def;
    b->column_count = def->of != NULL ? def->record_schema->field_count : def->count;
    b->columns = s3s_calloc(b->target->env, b->column_count, sizeof *b->columns);
    if (b->columns == NULL)
        return s3s_fail_memory(err, b->column_count * sizeof *b->columns);
    for (size_t i = 0; i < b->column_count; i++)
        b->columns[i] = def->of != NULL ? def->record_schema->fields[i].name
                                        : def->columns[i].column;
    return S3STORE_OK;
}

/* ---- one data object ------------------------------------------------------------------------- */

typedef struct object_work {
    backfill *b;
    const s3s_data_file *info;
    uint64_t memory;
    s3s_digest_set seen; /* of its markers */
    uint64_t records, puts;
} object_work;

static s3store_status put_tuples(object_work *w, const s3s_tuples *tuples, s3store_error *err)
{
    backfill *b = w->b;
    s3s_env *env = b->target->env;
    size_t count = 0;
    s3s_arena arena;
    if (tuples->count == 0)
        return S3STORE_OK;
    s3s_arena_init(&arena, env);
    const char **keys = s3s_calloc(env, tuples->count, sizeof *keys);
    s3store_status status = keys != NULL ? S3STORE_OK
                                         : s3s_fail_memory(err, tuples->count * sizeof *keys);
    for (size_t i = 0; keys != NULL && i < tuples->count && status == S3STORE_OK; i++) {
        char key[S3S_KEY_SIZE];
        bool added = false;
        status = s3s_view_marker_key(&b->target->layout, b->def->name, tuples->texts[i], key, err);
        if (status == S3STORE_OK)
            status = s3s_digest_set_add(&w->seen, key, &added, err);
        if (status != S3STORE_OK || !added)
            continue;
        keys[count] = s3s_arena_strdup(&arena, key);
        if (keys[count++] == NULL)
            status = s3s_fail_memory(err, sizeof key);
    }
    if (status == S3STORE_OK)
        status = s3s_view_markers_put(b->target, b->call, keys, count, &w->puts, err);
    s3s_free(env, keys);
    s3s_arena_deinit(&arena);
    return status;
}

static s3store_status take_batch(object_work *w, const s3s_schema *schema,
                                 const struct ArrowArray *batch, s3store_error *err)
{
    s3s_tuples tuples;
    backfill *b = w->b;
    s3store_status status = s3s_view_project(b->target->env, b->def, schema, &batch, 1,
                                             b->options->allow_unaddressable, &tuples, err);
    if (status == S3STORE_OK)
        status = put_tuples(w, &tuples, err);
    s3s_tuples_deinit(&tuples);
    return status;
}

/* Batches of wide rows have fewer of them, as far as the footer can be believed. */
static int64_t rows_at_once(const object_work *w, const s3s_datafile *file)
{
    int64_t rows = s3s_datafile_row_count(file);
    uint64_t row_bytes =
        rows > 0 ? s3s_datafile_decoded_bytes(file) / (uint64_t)rows + 1 : 1;
    uint64_t fits = w->memory / 8 / row_bytes;
    return fits < BATCH_ROWS_MIN ? BATCH_ROWS_MIN : fits > BATCH_ROWS ? BATCH_ROWS : (int64_t)fits;
}

static s3store_status read_rows(object_work *w, s3s_datafile *file, s3store_error *err)
{
    backfill *b = w->b;
    s3s_env *env = b->target->env;
    const s3s_schema *have = s3s_datafile_schema(file);
    s3s_datafile_cursor *cursor = NULL;
    size_t count = 0;
    size_t *positions = s3s_calloc(env, b->column_count + 1, sizeof *positions);
    if (positions == NULL)
        return s3s_fail_memory(err, b->column_count * sizeof *positions);
    for (size_t i = 0; i < b->column_count; i++) {
        size_t at = s3s_schema_find(have, b->columns[i]);
        bool repeated = false; /* two columns of the view may be made from one */
        for (size_t k = 0; k < count; k++)
            repeated = repeated || positions[k] == at;
        if (at != SIZE_MAX && !repeated)
            positions[count++] = at;
        else if (at == SIZE_MAX && b->def->of == NULL)
            w->records = (uint64_t)s3s_datafile_row_count(file); /* null everywhere: no markers */
    }
    bool has_markers = b->def->of != NULL || w->records == 0;
    if (count == 0 && have->field_count > 0)
        positions[count++] = 0; /* for the number of rows */
    s3store_status status =
        has_markers ? s3s_datafile_cursor_new(file, positions, count, rows_at_once(w, file),
                                              &cursor, err)
                    : S3STORE_END;
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_call_check(env, b->call, err);
        if (status == S3STORE_OK)
            status = s3s_datafile_cursor_next(cursor, &batch, err);
        if (status == S3STORE_OK) {
            w->records += (uint64_t)batch.length;
            status = take_batch(w, s3s_datafile_cursor_schema(cursor), &batch, err);
        }
        s3s_array_release(&batch);
    }
    s3s_datafile_cursor_free(cursor);
    s3s_free(env, positions);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static s3store_status read_object(object_work *w, s3store_error *err)
{
    backfill *b = w->b;
    s3s_datafile *file = NULL;
    s3s_datafile_options options = {
        .key = w->info->key,
        .size = w->info->size,
        .columns = b->columns,
        .column_count = b->column_count,
        .memory_bytes = w->memory,
        .whole_max = w->memory / 4 < WHOLE_BYTES ? w->memory / 4 : WHOLE_BYTES,
    };
    s3store_status status = s3s_datafile_open(b->target->env, b->target->store, b->call, &options,
                                              &file, err);
    if (status == S3STORE_OK)
        status = read_rows(w, file, err);
    s3s_datafile_free(file);
    return status;
}

/* ---- side by side ---------------------------------------------------------------------------- */

/* Only one at a time has half of the budget to itself. */
static s3store_status begin_alone(backfill *b, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&b->mutex);
    while (b->locked.alone && status == S3STORE_OK)
        status = s3s_cond_wait(&b->changed, &b->mutex, b->call->deadline_us, b->call->cancel);
    if (status == S3STORE_OK)
        b->locked.alone = true;
    s3s_mutex_unlock(&b->mutex);
    return status == S3STORE_OK ? status
                                : s3s_fail(err, status, "%s", s3store_status_text(status));
}

static void end_alone(backfill *b)
{
    s3s_mutex_lock(&b->mutex);
    b->locked.alone = false;
    s3s_cond_broadcast(&b->changed);
    s3s_mutex_unlock(&b->mutex);
}

/* Tells the caller's function, outside of the lock, and once more when there was news meanwhile. */
static void report_locked(backfill *b)
{
    b->locked.news = true;
    if (b->options->progress == NULL || b->locked.reporting)
        return;
    b->locked.reporting = true;
    while (b->locked.news) {
        s3store_backfill_stats stats = b->locked.stats;
        b->locked.news = false;
        s3s_mutex_unlock(&b->mutex);
        b->options->progress(b->options->progress_ctx, &stats);
        s3s_mutex_lock(&b->mutex);
    }
    b->locked.reporting = false;
}

static void finish_object(backfill *b, size_t i, const object_work *w, bool missing)
{
    s3store_backfill_stats *stats = &b->locked.stats;
    s3s_mutex_lock(&b->mutex);
    b->locked.done[i] = true;
    stats->done_objects++;
    stats->missing_objects += missing;
    stats->records += w->records;
    stats->markers += w->seen.used;
    while (b->locked.first_open < b->count && b->locked.done[b->locked.first_open])
        b->locked.first_open++;
    if (b->locked.first_open > 0)
        strcpy(stats->after, b->order[b->locked.first_open - 1]->key);
    report_locked(b);
    s3s_mutex_unlock(&b->mutex);
}

static void reset(object_work *w, uint64_t memory)
{
    s3s_digest_set_deinit(&w->seen);
    w->memory = memory;
    w->records = 0;
}

static s3store_status fill_object(void *ctx, size_t i, s3store_error *err)
{
    backfill *b = ctx;
    uint64_t half = b->target->memory_bytes / 2;
    object_work w = {.b = b, .info = b->order[i], .seen.env = b->target->env};
    s3store_error own = {0};
    reset(&w, half / b->at_once);
    s3store_status status = read_object(&w, &own);
    if (status == S3STORE_LIMIT_EXCEEDED && b->at_once > 1) {
        s3s_error_clear(&own);
        reset(&w, half);
        status = begin_alone(b, &own);
        if (status == S3STORE_OK) {
            status = read_object(&w, &own);
            end_alone(b);
        }
    }
    bool missing = status == S3STORE_NOT_FOUND && strcmp(own.s3_code, "NoSuchBucket") != 0;
    if (missing) {
        s3s_log(b->target->env, S3STORE_LOG_WARN, "data file missing, skipping", "path",
                w.info->key, "method", "backfill", NULL);
        reset(&w, 0);
        status = S3STORE_OK;
    }
    if (status == S3STORE_OK)
        finish_object(b, i, &w, missing);
    s3s_mutex_lock(&b->mutex);
    b->locked.stats.puts += w.puts;
    s3s_mutex_unlock(&b->mutex);
    s3s_digest_set_deinit(&w.seen);
    if (status != S3STORE_OK && err != NULL) {
        if (own.key[0] == '\0' && status != S3STORE_CANCELLED && status != S3STORE_TIMEOUT)
            strncpy(own.key, w.info->key, sizeof own.key - 1);
        *err = own;
    }
    return status;
}

static s3store_status run(backfill *b, s3store_error *err)
{
    uint64_t fit = b->target->memory_bytes / 2 / FILE_BYTES;
    size_t at_once = fit < 1 ? 1 : fit > FILES_AT_ONCE ? FILES_AT_ONCE : (size_t)fit;
    if ((size_t)b->target->max_inflight < at_once)
        at_once = (size_t)b->target->max_inflight;
    b->at_once = b->count < at_once ? b->count : at_once;
    s3s_fan_options fan = {.limit = b->at_once, .call = b->call};
    return b->count == 0 ? S3STORE_OK
                         : s3s_fan_out(b->target->pool, b->count, fill_object, b, &fan, err);
}

static s3store_status select_and_run(backfill *b, s3store_error *err)
{
    const s3store_backfill_options *o = b->options;
    s3store_status status = choose_columns(b, err);
    if (status == S3STORE_OK)
        status = s3s_resolve_patterns(b->target, b->call, o->patterns, o->pattern_count,
                                      &b->files, err);
    if (status == S3STORE_OK)
        status = select_files(b, err);
    return status == S3STORE_OK ? run(b, err) : status;
}

static s3store_status init_sync(backfill *b, s3store_error *err)
{
    s3store_status status = s3s_mutex_init(&b->mutex, b->target->env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_cond_init(&b->changed, b->target->env, err);
    if (status != S3STORE_OK)
        s3s_mutex_deinit(&b->mutex);
    return status;
}

static s3store_status check_options(const s3store_backfill_options *o, s3store_error *err)
{
    if (o->pattern_count > 0 && o->patterns == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a count of patterns without patterns");
    if (o->after != NULL && strlen(o->after) > S3STORE_KEY_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "after is longer than a key can be");
    return S3STORE_OK;
}

s3store_status s3s_view_backfill(s3store_target *target, const s3store_view_def *given,
                                 const s3store_backfill_options *options,
                                 s3store_backfill_stats *stats, s3store_error *err)
{
    s3s_view_def def = {0};
    s3store_call call = s3s_call_make(target->env, options->cancel, options->timeout_ms);
    backfill b = {.target = target, .def = &def, .options = options, .call = &call};
    b.locked.stats.size = sizeof b.locked.stats;
    *stats = b.locked.stats;
    s3store_status status = check_options(options, err);
    if (status == S3STORE_OK)
        status = s3s_view_settle(target, given, &call, &def, err);
    if (status == S3STORE_OK && options->pattern_count == 0) {
        s3s_view_def_deinit(&def);
        return status;
    }
    if (status == S3STORE_OK)
        status = init_sync(&b, err);
    if (status != S3STORE_OK) {
        s3s_view_def_deinit(&def);
        return status;
    }
    if (options->after != NULL)
        strcpy(b.locked.stats.after, options->after);
    s3s_file_set_init(&b.files, target->env);
    status = select_and_run(&b, err);
    *stats = b.locked.stats;
    if (status != S3STORE_OK)
        s3s_context(err, "backfill of view %.300s", def.name);
    s3s_file_set_deinit(&b.files);
    s3s_free(target->env, b.columns);
    s3s_free(target->env, b.order);
    s3s_free(target->env, b.locked.done);
    s3s_cond_deinit(&b.changed);
    s3s_mutex_deinit(&b.mutex);
    s3s_view_def_deinit(&def);
    return status;
}
