/* The consumer's side: open, next, free. */
#include "scan/spill.h"

#include <string.h>

#include "base/error.h"

/* ---- open ------------------------------------------------------------------------------------ */

static s3store_status copy_names(s3s_arena *arena, const char *const **names, size_t count,
                                 s3store_error *err)
{
    const char **copy = s3s_arena_calloc(arena, count + 1, sizeof *copy);
    if (copy == NULL)
        return s3s_fail_memory(err, (count + 1) * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = s3s_arena_strdup(arena, (*names)[i]);
        if (copy[i] == NULL)
            return s3s_fail_memory(err, strlen((*names)[i]) + 1);
    }
    *names = copy;
    return S3STORE_OK;
}

static s3store_status copy_options(s3s_scan *scan, const s3s_scan_options *options,
                                   s3store_error *err)
{
    s3s_scan_options *o = &scan->options;
    *o = *options;
    o->fixed = NULL;
    if (o->entity_count == 0 || o->version == NULL)
        o->mode = S3S_SCAN_ROWS;
    if (o->mode == S3S_SCAN_ROWS) {
        o->entity_count = 0;
        o->version = NULL;
    }
    if (o->columns == NULL)
        o->column_count = 0;
    if (o->read_ahead_partitions < 0)
        o->read_ahead_partitions = 0;
    if (options->fixed != NULL)
        o->fixed = s3s_schema_retain((s3s_schema *)options->fixed);
    s3store_status status = copy_names(&scan->arena, &o->entity, o->entity_count, err);
    if (status == S3STORE_OK)
        status = copy_names(&scan->arena, &o->columns, o->column_count, err);
    if (status == S3STORE_OK && o->version != NULL) {
        o->version = s3s_arena_strdup(&scan->arena, o->version);
        if (o->version == NULL)
            status = s3s_fail_memory(err, 1);
    }
    return status == S3STORE_OK ? s3s_scan_filter_init(scan, err) : status;
}

static s3store_status make_slots(s3s_scan *scan, s3store_error *err)
{
    const s3s_file_set *set = &scan->set;
    scan->locked.files = s3s_calloc(scan->env, set->file_count, sizeof(scan_file));
    scan->locked.partitions = s3s_calloc(scan->env, set->partition_count, sizeof(scan_partition));
    if (scan->locked.files == NULL || scan->locked.partitions == NULL)
        return s3s_fail_memory(err, set->file_count * sizeof(scan_file));
    scan->locked.partition_count = set->partition_count;
    size_t at = 0;
    for (size_t p = 0; p < set->partition_count; p++) {
        const s3s_partition_files *from = &set->partitions[p];
        scan_partition *to = &scan->locked.partitions[p];
        *to = (scan_partition){.key = from->key, .first_file = at, .file_count = from->file_count};
        to->unfinished = from->file_count;
        for (size_t i = 0; i < from->file_count; i++, at++)
            scan->locked.files[at] = (scan_file){.info = &from->files[i], .partition = p};
    }
    scan->locked.file_count = at;
    scan->locked.stop_file = SIZE_MAX;
    s3s_meter_plan(scan->target->meter, at);
    return S3STORE_OK;
}

static void set_budget(s3s_scan *scan)
{
    uint64_t memory = scan->target->memory_bytes != 0 ? scan->target->memory_bytes
                                                      : S3STORE_DEFAULT_MEMORY_BYTES;
    scan->body_cap = memory / 4;
    scan->lazy_cap = memory / 4;
    scan->ahead_cap = scan->options.read_ahead_bytes != 0 &&
                              scan->options.read_ahead_bytes < scan->lazy_cap
                          ? scan->options.read_ahead_bytes
                          : scan->lazy_cap;
    scan->memory = memory;
    scan->merge_cap = scan->options.merge_bytes != 0 ? scan->options.merge_bytes : memory / 2;
    scan->open_max = 2 * (size_t)scan->target->max_inflight;
    scan->decode_max = s3s_env_core_count(scan->env);
}

/* The error of the first file that failed while the schema was looked for. */
static s3store_status first_failure(const s3s_scan *scan, s3store_error *err)
{
    const scan_file *f = &scan->locked.files[scan->locked.stop_file];
    if (f->error == NULL)
        return s3s_fail_memory(err, sizeof *f->error);
    if (err != NULL)
        *err = *f->error;
    return f->error->status;
}

static s3store_status make_plan(s3s_scan *scan, s3store_error *err)
{
    s3s_schema *all = NULL;
    s3store_status status = s3s_scan_fetch_columns(scan, err);
    if (status == S3STORE_OK && s3s_scan_needs_discovery(scan))
        status = s3s_scan_discover(scan, &all, err);
    if (status == S3STORE_OK) {
        status = s3s_scan_plan_make(scan, all, err);
        /* The file that could not be read might be the one that has the column. */
        if (status == S3STORE_INVALID_ARGUMENT && scan->locked.stop_file != SIZE_MAX)
            status = first_failure(scan, err);
    }
    s3s_schema_release(all);
    return status;
}

static s3store_status init_sync(s3s_scan *scan, s3store_error *err)
{
    s3store_status status = s3s_mutex_init(&scan->mutex, scan->env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_cond_init(&scan->work, scan->env, err);
    if (status != S3STORE_OK) {
        s3s_mutex_deinit(&scan->mutex);
        return status;
    }
    status = s3s_cond_init(&scan->changed, scan->env, err);
    if (status == S3STORE_OK) {
        status = s3s_cond_init(&scan->quit, scan->env, err);
        if (status != S3STORE_OK)
            s3s_cond_deinit(&scan->changed);
    }
    if (status != S3STORE_OK) {
        s3s_cond_deinit(&scan->work);
        s3s_mutex_deinit(&scan->mutex);
    }
    return status;
}

s3store_status s3s_scan_open(s3store_target *target, s3s_file_set *files,
                             const s3s_scan_options *options, s3s_scan **out, s3store_error *err)
{
    *out = NULL;
    s3s_scan *scan = s3s_calloc(target->env, 1, sizeof *scan);
    s3store_status status =
        scan == NULL ? s3s_fail_memory(err, sizeof *scan) : S3STORE_OK;
    if (status == S3STORE_OK) {
        scan->env = target->env;
        status = init_sync(scan, err);
    }
    if (status != S3STORE_OK) {
        s3s_file_set_deinit(files);
        s3s_free(target->env, scan);
        return status;
    }
    s3s_env_retain(scan->env);
    scan->target = s3s_target_retain(target);
    scan->set = *files;
    s3s_file_set_init(files, target->env);
    s3s_arena_init(&scan->arena, scan->env);
    status = copy_options(scan, options, err);
    if (status == S3STORE_OK && scan->where != NULL && target->has_descriptor)
        status = s3s_where_partitions(scan->env, scan->where, &target->settings, &scan->set, err);
    if (status == S3STORE_OK)
        status = make_slots(scan, err);
    if (status == S3STORE_OK)
        status = s3s_cancel_new(scan->env, options->call.cancel, &scan->cancel, err);
    if (status == S3STORE_OK) {
        scan->call = (s3store_call){.cancel = scan->cancel,
                                    .deadline_us = options->call.deadline_us};
        set_budget(scan);
        status = make_plan(scan, err);
    }
    if (status != S3STORE_OK)
        s3s_scan_free(scan);
    else
        *out = scan;
    return status;
}

s3s_schema *s3s_scan_schema(const s3s_scan *scan)
{
    return scan->plan.out;
}

uint64_t s3s_scan_missing_count(const s3s_scan *scan)
{
    s3s_scan *s = (s3s_scan *)scan;
    s3s_mutex_lock(&s->mutex);
    uint64_t missing = s->locked.missing;
    s3s_mutex_unlock(&s->mutex);
    return missing;
}

static void close_cursor(s3s_scan *scan)
{
    s3s_datafile_cursor_free(scan->cursor);
    scan->cursor = NULL;
}

void s3s_scan_take_scope(s3s_scan *scan, s3s_scope *scope)
{
    scan->scope = *scope;
    scope->open = false;
}

/* A consumer that stopped early got what it wanted. */
static void end_scope(s3s_scan *scan)
{
    const s3s_scope *scope = &scan->scope;
    s3s_scope_count(scope, S3S_METRIC_READ_RECORDS, (uint64_t)scan->delivered_rows);
    s3s_scope_count(scope, S3S_METRIC_READ_PARTITIONS, scan->locked.partition_count);
    s3s_scope_count(scope, S3S_METRIC_READ_BYTES, atomic_load(&scan->fetched_bytes));
    s3s_scope_count(scope, S3S_METRIC_READ_FILES,
                    atomic_load(&scan->fetched_files) + scan->locked.missing);
    s3s_scope_end(&scan->scope, scan->ended ? scan->final : S3STORE_OK, &scan->final_error);
}

void s3s_scan_free(s3s_scan *scan)
{
    if (scan == NULL)
        return;
    s3s_env *env = scan->env;
    if (scan->cancel != NULL)
        s3s_scan_stop_workers(scan);
    for (size_t i = 0; i < scan->worker_count; i++)
        s3s_task_join(scan->workers[i]);
    s3s_task_join(scan->watchdog);
    s3s_free(env, scan->workers);
    close_cursor(scan);
    s3s_scan_spill_free(scan->spill);
    for (size_t p = 0; scan->locked.partitions != NULL && p < scan->locked.partition_count; p++)
        s3s_scan_drop_partition(scan, p);
    end_scope(scan);
    s3s_free(env, scan->locked.files);
    s3s_free(env, scan->locked.partitions);
    s3s_scan_plan_deinit(env, &scan->plan);
    s3s_schema_release((s3s_schema *)scan->options.fixed);
    s3store_cancel_free(scan->cancel);
    s3s_arena_deinit(&scan->arena);
    s3s_file_set_deinit(&scan->set);
    s3s_cond_deinit(&scan->quit);
    s3s_cond_deinit(&scan->changed);
    s3s_cond_deinit(&scan->work);
    s3s_mutex_deinit(&scan->mutex);
    s3s_target_release(scan->target);
    s3s_free(env, scan);
    s3s_env_release(env);
}

/* ---- rows as they were written --------------------------------------------------------------- */

static s3store_status next_lazy(s3s_scan *scan, scan_file *f, struct ArrowArray *out,
                                s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    if (scan->cursor == NULL) {
        scan->cursor_row = 0;
        status = s3s_scan_cursor_new(scan, f->file, &scan->cursor, err);
    }
    if (status == S3STORE_OK)
        status = s3s_scan_cursor_next(scan, scan->cursor, f->info->key, &scan->cursor_row, out,
                                      err);
    if (status != S3STORE_OK)
        close_cursor(scan);
    return status;
}

static void leave_file(s3s_scan *scan)
{
    close_cursor(scan);
    s3s_scan_drop_file(scan, scan->at_file);
    scan->at_file++;
    scan->at_batch = 0;
}

/* The next batch of the file at_file, or END. */
static s3store_status next_of_file(s3s_scan *scan, struct ArrowArray *out, s3store_error *err)
{
    s3store_status status = s3s_scan_wait_file(scan, scan->at_file, NULL, err);
    if (status != S3STORE_OK)
        return status;
    scan_file *f = &scan->locked.files[scan->at_file];
    if (f->state == FILE_LAZY) {
        s3store_error why = {0};
        bool untouched = scan->cursor == NULL || scan->cursor_row == 0;
        status = next_lazy(scan, f, out, &why);
        if (untouched && s3s_scan_is_tolerable(scan, status, &why)) {
            s3s_scan_log_missing(scan, f->info->key);
            s3s_mutex_lock(&scan->mutex);
            scan->locked.missing++;
            s3s_mutex_unlock(&scan->mutex);
            return S3STORE_END;
        }
        if (status != S3STORE_OK && err != NULL)
            *err = why;
        return status;
    }
    if (f->state != FILE_DECODED || scan->at_batch >= f->batch_count)
        return S3STORE_END;
    *out = f->batches[scan->at_batch];
    f->batches[scan->at_batch].release = NULL; /* moved */
    scan->at_batch++;
    return S3STORE_OK;
}

static s3store_status next_written(s3s_scan *scan, struct ArrowArray *out, s3store_error *err)
{
    const scan_partition *p = &scan->locked.partitions[scan->at_partition];
    while (scan->at_file < p->first_file + p->file_count) {
        s3store_status status = next_of_file(scan, out, err);
        if (status == S3STORE_OK && out->length == 0) {
            s3s_array_release(out);
            continue;
        }
        if (status != S3STORE_END)
            return status;
        leave_file(scan);
    }
    return S3STORE_END;
}

/* ---- merged rows ----------------------------------------------------------------------------- */

/* Rows of wide records make smaller batches: one stays within a sixteenth of the budget. */
static size_t batch_rows(const s3s_scan *scan, const scan_partition *p)
{
    uint64_t rows = 1;
    for (size_t b = 0; b < p->merged.batch_count; b++)
        rows += (uint64_t)p->merged.batches[b]->length;
    uint64_t row_bytes = p->decoded / rows + 1;
    uint64_t fits = scan->memory / 16 / row_bytes;
    return fits < 1 ? 1 : fits > S3S_SCAN_BATCH_ROWS ? S3S_SCAN_BATCH_ROWS : (size_t)fits;
}

/* Everything of the current partition goes through sorted runs on disk, file by file. */
static s3store_status spill_partition(s3s_scan *scan, s3store_error *err)
{
    const scan_partition *p = &scan->locked.partitions[scan->at_partition];
    scan_spill_options options = {.env = scan->env,
                                  .plan = &scan->plan,
                                  .mode = scan->options.mode,
                                  .dir = scan->target->spill_dir,
                                  .run_bytes = scan->merge_cap / 2,
                                  .call = &scan->call};
    s3store_status status = s3s_scan_spill_new(&options, &scan->spill, err);
    scan->at_file = p->first_file;
    scan->at_batch = 0;
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = next_written(scan, &batch, err);
        if (status == S3STORE_OK)
            status = s3s_scan_spill_add(scan->spill, &batch, err);
    }
    if (status == S3STORE_END)
        status = s3s_scan_spill_finish(scan->spill, err);
    scan->spilled = status == S3STORE_OK;
    return status;
}

static s3store_status next_spilled(s3s_scan *scan, struct ArrowArray *out, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    bool late = scan->where != NULL && !scan->filters_early;
    bool changes = late || scan->plan.out->field_count != scan->plan.merge->field_count;
    do {
        s3s_array_release(out);
        status = s3s_scan_spill_next(scan->spill, out, err);
        if (status == S3STORE_OK && changes)
            status = s3s_scan_filter_batch(scan, out, true, err);
    } while (status == S3STORE_OK && out->length == 0);
    if (status != S3STORE_OK)
        s3s_array_release(out);
    return status;
}

static s3store_status next_in_memory(s3s_scan *scan, struct ArrowArray *out, s3store_error *err)
{
    const scan_partition *p = &scan->locked.partitions[scan->at_partition];
    s3store_status status = s3s_scan_wait_merged(scan, scan->at_partition, err);
    if (status != S3STORE_OK)
        return status;
    const merged_rows *m = &p->merged;
    size_t count = m->row_count - scan->at_row, most = batch_rows(scan, p);
    if (count == 0)
        return S3STORE_END;
    if (count > most)
        count = most;
    if (scan->options.limit > 0 && (uint64_t)(scan->options.limit - scan->delivered_rows) < count)
        count = (size_t)(scan->options.limit - scan->delivered_rows);
    status = s3s_batch_take(scan->env, scan->plan.merge, m->batches, m->batch_count,
                            m->rows + scan->at_row, count, scan->plan.delivered,
                            scan->plan.out->field_count, out, err);
    if (status == S3STORE_OK)
        scan->at_row += count;
    return status;
}

static s3store_status next_merged(s3s_scan *scan, struct ArrowArray *out, s3store_error *err)
{
    const scan_partition *p = &scan->locked.partitions[scan->at_partition];
    s3store_status status = S3STORE_OK;
    bool spills = false;
    while (!scan->spilled && !spills && scan->at_file < p->first_file + p->file_count) {
        status = s3s_scan_wait_file(scan, scan->at_file, &spills, err);
        if (status != S3STORE_OK)
            return status;
        scan->at_file++;
    }
    if (spills)
        status = spill_partition(scan, err);
    if (status != S3STORE_OK)
        return status;
    return scan->spilled ? next_spilled(scan, out, err) : next_in_memory(scan, out, err);
}

/* ---- next ------------------------------------------------------------------------------------ */

static void enter_partition(s3s_scan *scan, size_t partition)
{
    scan->at_partition = partition;
    scan->at_batch = 0;
    scan->at_row = 0;
    s3s_scan_spill_free(scan->spill);
    scan->spill = NULL;
    scan->spilled = false;
    if (partition < scan->locked.partition_count)
        scan->at_file = scan->locked.partitions[partition].first_file;
    s3s_scan_set_current(scan, partition);
}

static void leave_partition(s3s_scan *scan)
{
    close_cursor(scan);
    size_t left = scan->at_partition;
    enter_partition(scan, left + 1);
    s3s_scan_drop_partition(scan, left);
}

void s3s_scan_skip_partition(s3s_scan *scan)
{
    if (scan->begun && !scan->ended && scan->at_partition < scan->locked.partition_count)
        leave_partition(scan);
}

/* Cuts a batch to the rows that the limit still allows. */
static s3store_status cut(s3s_scan *scan, struct ArrowArray *batch, s3store_error *err)
{
    int64_t left = scan->options.limit - scan->delivered_rows;
    if (scan->options.limit <= 0 || batch->length <= left)
        return S3STORE_OK;
    s3s_shared_batch *shared = NULL;
    s3store_status status = s3s_batch_share(scan->env, batch, &shared, err);
    if (status == S3STORE_OK) {
        status = s3s_batch_slice(shared, 0, left, batch, err);
        s3s_shared_batch_release(shared);
    }
    if (status != S3STORE_OK)
        memset(batch, 0, sizeof *batch);
    return status;
}

/* here: stop at the end of the current partition. */
static s3store_status next_batch(s3s_scan *scan, bool here, struct ArrowArray *out,
                                 s3store_error *err)
{
    s3store_status status = s3s_call_check(scan->env, &scan->options.call, err);
    if (status == S3STORE_OK && !scan->begun) {
        scan->begun = true;
        enter_partition(scan, 0);
        status = s3s_scan_start_workers(scan, err);
    }
    if (scan->options.limit > 0 && scan->delivered_rows >= scan->options.limit)
        return status == S3STORE_OK ? S3STORE_END : status;
    while (status == S3STORE_OK && scan->at_partition < scan->locked.partition_count) {
        status = scan->options.mode == S3S_SCAN_ROWS ? next_written(scan, out, err)
                                                     : next_merged(scan, out, err);
        if (status == S3STORE_OK)
            return cut(scan, out, err);
        if (status == S3STORE_END) {
            if (here)
                break;
            leave_partition(scan);
            status = s3s_call_check(scan->env, &scan->options.call, err);
        }
    }
    return status == S3STORE_OK ? S3STORE_END : status;
}

static s3store_status next_or_end(s3s_scan *scan, bool here, struct ArrowArray *out,
                                  s3store_error *err)
{
    memset(out, 0, sizeof *out);
    if (scan->ended) {
        if (err != NULL && scan->final != S3STORE_END)
            *err = scan->final_error;
        return scan->final;
    }
    s3store_error why = {0};
    s3s_scan_set_waiting(scan, true);
    s3store_status status = next_batch(scan, here, out, &why);
    s3s_scan_set_waiting(scan, false);
    if (status == S3STORE_END && here)
        return status;
    if (status == S3STORE_OK) {
        scan->delivered_rows += out->length;
        if (scan->options.limit > 0 && scan->delivered_rows >= scan->options.limit)
            s3s_scan_stop_workers(scan); /* nothing more is needed */
        return S3STORE_OK;
    }
    scan->ended = true; /* for good: what comes now comes again at every later call */
    scan->final = status;
    scan->final_error = why;
    scan->final_error.status = status;
    if (status != S3STORE_END && err != NULL)
        *err = scan->final_error;
    s3s_scan_stop_workers(scan);
    return status;
}

s3store_status s3s_scan_next(s3s_scan *scan, struct ArrowArray *out, const char **partition,
                             s3store_error *err)
{
    s3store_status status = next_or_end(scan, false, out, err);
    if (partition != NULL)
        *partition = status == S3STORE_OK ? scan->locked.partitions[scan->at_partition].key : NULL;
    return status;
}

s3store_status s3s_scan_next_here(s3s_scan *scan, struct ArrowArray *out, s3store_error *err)
{
    return next_or_end(scan, true, out, err);
}
