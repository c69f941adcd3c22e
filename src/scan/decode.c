/* One data file: opened, checked for its key columns, decoded into the plan's schema. */
#include "scan/internal.h"

#include <string.h>

#include "base/error.h"
#include "dataset/content_hash.h"

bool s3s_scan_is_tolerable(const s3s_scan *scan, s3store_status status, const s3store_error *err)
{
    return status == S3STORE_NOT_FOUND && scan->options.tolerant &&
           strcmp(err->s3_code, "NoSuchBucket") != 0;
}

void s3s_scan_log_missing(const s3s_scan *scan, const char *key)
{
    s3s_metric(scan->target->metrics, S3S_METRIC_MISSING_DATA,
               (s3s_labels){.method = (uint8_t)scan->options.counted_as}, 1);
    s3s_log(scan->env, S3STORE_LOG_WARN, "data file missing, skipping", "path", key, "method",
            scan->options.method != NULL ? scan->options.method : "scan", NULL);
}

s3store_status s3s_scan_open_file(s3s_scan *scan, size_t i, bool footer_only, s3s_datafile **out,
                                  s3store_error *err)
{
    const s3s_data_file *info = scan->locked.files[i].info;
    scan_admission admission = {.scan = scan, .file = i};
    s3s_datafile_options options = {
        .key = info->key,
        .size = info->size,
        .columns = scan->fetch_columns,
        .column_count = scan->fetch_column_count,
        .memory_bytes = scan->target->memory_bytes,
        .whole_max = scan->body_cap,
        .footer_only = footer_only,
        .admit = s3s_scan_admit,
        .withdraw = s3s_scan_withdraw,
        .admit_ctx = &admission,
        .pool = scan->target->pool,
    };
    return s3s_datafile_open(scan->env, scan->target->store, &scan->call, &options, out, err);
}

/* ---- key columns ----------------------------------------------------------------------------- */

static s3store_status need_column(const s3s_datafile *file, const char *name, const char *what,
                                  const s3s_field **out, s3store_error *err)
{
    const s3s_schema *schema = s3s_datafile_schema(file);
    size_t at = s3s_schema_find(schema, name);
    if (at == SIZE_MAX)
        return s3s_fail_key(err, S3STORE_SCHEMA_MISMATCH, s3s_datafile_key(file),
                            "\"%s\" has no column \"%s\", which is the %s column",
                            s3s_datafile_key(file), name, what);
    *out = &schema->fields[at];
    return S3STORE_OK;
}

static bool can_be_version(s3s_type type)
{
    return s3s_type_is_integer(type) || type == S3S_TYPE_DATE32 || type == S3S_TYPE_DATE64 ||
           type == S3S_TYPE_TIMESTAMP;
}

s3store_status s3s_scan_check_keys(const s3s_scan *scan, const s3s_datafile *file,
                                   s3store_error *err)
{
    const s3s_scan_options *o = &scan->options;
    const s3s_field *field = NULL;
    char type[128];
    if (o->mode == S3S_SCAN_ROWS)
        return S3STORE_OK;
    for (size_t i = 0; i < o->entity_count; i++) {
        s3store_status status = need_column(file, o->entity[i], "entity", &field, err);
        if (status != S3STORE_OK)
            return status;
        if (!s3s_type_is_flat(field->type))
            return s3s_fail_key(err, S3STORE_SCHEMA_MISMATCH, s3s_datafile_key(file),
                                "\"%s\": entity column \"%s\" is %s; nested columns cannot be "
                                "compared",
                                s3s_datafile_key(file), field->name,
                                s3s_field_type_text(field, type, sizeof type));
    }
    s3store_status status = need_column(file, o->version, "version", &field, err);
    if (status == S3STORE_OK && !can_be_version(field->type))
        status = s3s_fail_key(err, S3STORE_SCHEMA_MISMATCH, s3s_datafile_key(file),
                              "\"%s\": version column \"%s\" is %s; it must be an integer, a date "
                              "or a timestamp",
                              s3s_datafile_key(file), field->name,
                              s3s_field_type_text(field, type, sizeof type));
    return status;
}

/* A row without version has no place in the order. row: of the batch's first row in the file. */
static s3store_status check_versions(const s3s_scan *scan, const struct ArrowArray *batch,
                                     const char *key, int64_t row, s3store_error *err)
{
    s3s_column column;
    s3s_batch_column(scan->plan.merge, batch, scan->plan.version, &column);
    for (int64_t i = 0; column.validity != NULL && i < column.length; i++) {
        if (s3s_column_is_null(&column, i))
            return s3s_fail_key(err, S3STORE_SCHEMA_MISMATCH, key,
                                scan->where == NULL
                                    ? "\"%s\": version column \"%s\" is null in row %lld"
                                    : "\"%s\": version column \"%s\" is null, after %lld rows or more",
                                key, column.field->name, (long long)(row + i));
    }
    return S3STORE_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Batches of wide rows have fewer of them: one stays within a sixteenth of the budget, as far as
 * the footer can be believed. */
static int64_t rows_at_once(const s3s_scan *scan, const s3s_datafile *file)
{
    int64_t rows = s3s_datafile_row_count(file);
    uint64_t bytes = s3s_datafile_decoded_bytes(file);
    if (rows <= 0)
        return S3S_SCAN_BATCH_ROWS;
    /* Before it is known that a partition spills, each file under way adds a batch to it. */
    uint64_t share = scan->options.mode == S3S_SCAN_ROWS ? 16 : 16 * scan->decode_max;
    uint64_t fits = scan->memory / share / (bytes / (uint64_t)rows + 1);
    return fits < 256 ? 256 : fits > S3S_SCAN_BATCH_ROWS ? S3S_SCAN_BATCH_ROWS : (int64_t)fits;
}

/* Files are decoded side by side; when fewer are left than there are cores, the columns of each are. */
static size_t threads_of_file(s3s_scan *scan)
{
    if (s3s_env_is_simulated(scan->env))
        return 1;
    s3s_mutex_lock(&scan->mutex);
    size_t files = scan->locked.decoding > 0 ? scan->locked.decoding : 1;
    for (size_t i = scan->locked.open_from;
         i < scan->locked.file_count && files < scan->decode_max; i++)
        files += scan->locked.files[i].state <= FILE_FETCHED; /* its turn is still to come */
    s3s_mutex_unlock(&scan->mutex);
    return scan->decode_max / files;
}

s3store_status s3s_scan_cursor_new(s3s_scan *scan, s3s_datafile *file,
                                   s3s_datafile_cursor **out, s3store_error *err)
{
    const s3s_schema *merge = scan->plan.merge;
    const s3s_schema *have = s3s_datafile_schema(file);
    *out = NULL;
    size_t *columns = s3s_calloc(scan->env, merge->field_count + 1, sizeof *columns);
    if (columns == NULL)
        return s3s_fail_memory(err, (merge->field_count + 1) * sizeof *columns);
    size_t count = 0;
    for (size_t i = 0; i < merge->field_count; i++) {
        size_t at = s3s_schema_find(have, merge->fields[i].name);
        if (at != SIZE_MAX)
            columns[count++] = at;
    }
    if (count == 0 && have->field_count > 0)
        columns[count++] = 0; /* for the number of rows; converting drops it */
    s3store_status status =
        s3s_datafile_cursor_new(file, columns, count, rows_at_once(scan, file), out, err);
    s3s_free(scan->env, columns);
    if (status == S3STORE_OK)
        status = s3s_scan_push_down(scan, file, *out, err);
    if (status == S3STORE_OK)
        s3s_datafile_cursor_use_threads(*out, threads_of_file(scan));
    if (status != S3STORE_OK) {
        s3s_datafile_cursor_free(*out);
        *out = NULL;
    }
    return status;
}

s3store_status s3s_scan_cursor_next(const s3s_scan *scan, s3s_datafile_cursor *cursor,
                                    const char *key, int64_t *row, struct ArrowArray *out,
                                    s3store_error *err)
{
    struct ArrowArray batch = {0};
    const s3s_schema *from = s3s_datafile_cursor_schema(cursor);
    s3store_status status = s3s_datafile_cursor_next(cursor, &batch, err);
    if (status != S3STORE_OK)
        return status;
    if (s3s_batch_fits(from, scan->plan.merge)) {
        *out = batch;
    } else {
        status = s3s_batch_convert(scan->env, from, &batch, scan->plan.merge, key, out, err);
        s3s_array_release(&batch);
        if (status != S3STORE_OK) {
            if (err != NULL)
                strncpy(err->key, key, sizeof err->key - 1);
            return status;
        }
    }
    if (scan->options.mode != S3S_SCAN_ROWS)
        status = check_versions(scan, out, key, *row, err);
    if (status == S3STORE_OK) {
        *row += out->length;
        if (scan->where != NULL && scan->filters_early)
            status = s3s_scan_filter_batch(scan, out, scan->options.mode == S3S_SCAN_ROWS, err);
    }
    if (status != S3STORE_OK)
        s3s_array_release(out);
    return status;
}

static s3store_status keep_batch(s3s_scan *scan, scan_file *f, struct ArrowArray *batch,
                                 s3store_error *err)
{
    if (batch->length == 0) { /* all of it was filtered away */
        s3s_array_release(batch);
        return S3STORE_OK;
    }
    if (f->batch_count == f->batch_capacity) {
        size_t capacity = f->batch_capacity == 0 ? 4 : f->batch_capacity * 2;
        struct ArrowArray *grown =
            s3s_realloc(scan->env, f->batches, capacity * sizeof *f->batches);
        if (grown == NULL) {
            s3s_array_release(batch);
            return s3s_fail_memory(err, capacity * sizeof *f->batches);
        }
        f->batches = grown;
        f->batch_capacity = capacity;
    }
    f->batches[f->batch_count++] = *batch;
    return S3STORE_OK;
}

uint64_t s3s_scan_decoded_estimate(const s3s_scan *scan, const s3s_datafile *file)
{
    uint64_t encoded = s3s_datafile_decoded_bytes(file), rows_bytes;
    int64_t rows = s3s_datafile_row_count(file);
    if (__builtin_mul_overflow((uint64_t)rows, s3s_row_width(scan->plan.merge), &rows_bytes))
        return UINT64_MAX;
    return encoded > rows_bytes ? encoded : rows_bytes;
}

/* Counts what a partition to be merged holds. false: it is more than can be merged in memory. */
static bool account(s3s_scan *scan, const scan_file *f, uint64_t bytes, uint64_t merge_bytes)
{
    scan_partition *p = &scan->locked.partitions[f->partition];
    s3s_mutex_lock(&scan->mutex);
    p->decoded += bytes;
    p->merge_bytes += merge_bytes;
    p->spills = p->spills || p->merge_bytes > scan->merge_cap;
    bool spills = p->spills;
    s3s_mutex_unlock(&scan->mutex);
    return !spills;
}

static void drop_batches(s3s_scan *scan, scan_file *f)
{
    for (size_t i = 0; i < f->batch_count; i++)
        s3s_array_release(&f->batches[i]);
    s3s_free(scan->env, f->batches);
    f->batches = NULL;
    f->batch_count = f->batch_capacity = 0;
}

s3store_status s3s_scan_decode_file(s3s_scan *scan, scan_file *f, s3s_datafile *file,
                                    bool *too_large, s3store_error *err)
{
    bool merges = scan->options.mode != S3S_SCAN_ROWS;
    uint64_t decoded = 0;
    int64_t row = 0;
    s3s_datafile_cursor *cursor = NULL;
    *too_large = merges ? !account(scan, f, 0, 0)
                        : s3s_datafile_decoded_bytes(file) > scan->lazy_cap;
    if (*too_large)
        return S3STORE_OK;
    s3store_status status = s3s_scan_cursor_new(scan, file, &cursor, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_call_check(scan->env, &scan->call, err);
        if (status == S3STORE_OK)
            status = s3s_scan_cursor_next(scan, cursor, f->info->key, &row, &batch, err);
        if (status != S3STORE_OK)
            break;
        uint64_t bytes =
            s3s_batch_bytes(merges ? scan->plan.merge : scan->plan.out, &batch);
        uint64_t all = merges ? s3s_scan_merge_bytes(&scan->plan, &batch) : bytes;
        decoded += bytes;
        status = keep_batch(scan, f, &batch, err);
        if (status == S3STORE_OK &&
            (merges ? !account(scan, f, bytes, all) : decoded > scan->lazy_cap)) {
            *too_large = true; /* the footer said less: read it batch by batch after all */
            break;
        }
    }
    s3s_datafile_cursor_free(cursor);
    if (status == S3STORE_END)
        status = S3STORE_OK;
    if (status != S3STORE_OK || *too_large)
        drop_batches(scan, f);
    f->decoded = decoded;
    return status;
}
