/* Which columns there are, when the caller did not fix them (README.md "Schema of the result").
 *
 * Little data: all of it is fetched at once, which costs nothing extra, and the footers tell.
 * Much: the recorded schema tells; without one, every footer is read first.
 *
 * A file that cannot be used is noted in its place, not reported here: what lies before it is
 * still delivered, and then its error. */
#include "scan/internal.h"

#include <string.h>

#include "base/error.h"

#define FEW_FILES 64        /* fetched at once also when their sizes are unknown */
#define FOOTER_WINDOW 256   /* footers held at once */

static void note_failure(s3s_scan *scan, size_t i, const s3store_error *why)
{
    scan_file *f = &scan->locked.files[i];
    f->error = s3s_alloc(scan->env, sizeof *f->error);
    if (f->error != NULL)
        *f->error = *why;
    f->state = FILE_FAILED;
    if (i < scan->locked.stop_file)
        scan->locked.stop_file = i;
}

static void note_missing(s3s_scan *scan, size_t i)
{
    scan_file *f = &scan->locked.files[i];
    s3s_scan_log_missing(scan, f->info->key);
    f->state = FILE_MISSING;
    scan->locked.partitions[f->partition].unfinished--;
    scan->locked.missing++;
}

typedef struct opening {
    s3s_scan *scan;
    size_t first;
    bool footer_only;
    s3store_error *errors; /* one for each item; status OK = none */
    s3s_datafile **files;
} opening;

static s3store_status open_item(void *ctx, size_t item, s3store_error *err)
{
    opening *o = ctx;
    s3store_error *why = &o->errors[item];
    s3store_status status =
        s3s_scan_open_file(o->scan, o->first + item, o->footer_only, &o->files[item], why);
    if (status == S3STORE_CANCELLED || status == S3STORE_TIMEOUT) {
        if (err != NULL)
            *err = *why;
        return status;
    }
    why->status = status;
    return S3STORE_OK;
}

/* Opens files [first, first + count) side by side. Their states and errors are the result; only
 * limits of the call fail. */
static s3store_status open_files(s3s_scan *scan, size_t first, size_t count, bool footer_only,
                                 s3s_datafile **files, s3store_error *err)
{
    opening o = {.scan = scan, .first = first, .footer_only = footer_only, .files = files};
    o.errors = s3s_calloc(scan->env, count, sizeof *o.errors);
    if (o.errors == NULL)
        return s3s_fail_memory(err, count * sizeof *o.errors);
    s3s_fan_options fan = {.limit = (size_t)scan->target->max_inflight, .call = &scan->call};
    s3store_status status = s3s_fan_out(scan->target->pool, count, open_item, &o, &fan, err);
    for (size_t i = 0; status == S3STORE_OK && i < count; i++) {
        s3store_error *why = &o.errors[i];
        if (why->status == S3STORE_OK)
            why->status = s3s_scan_check_keys(scan, files[i], why);
        if (why->status == S3STORE_OK)
            continue;
        if (s3s_scan_is_tolerable(scan, why->status, why))
            note_missing(scan, first + i);
        else
            note_failure(scan, first + i, why);
    }
    s3s_free(scan->env, o.errors);
    return status;
}

/* Most files of a dataset have the same columns. */
static bool covers(const s3s_schema *all, const s3s_schema *schema)
{
    for (size_t i = 0; i < schema->field_count; i++) {
        const s3s_field *field = &schema->fields[i];
        size_t at = i < all->field_count && strcmp(all->fields[i].name, field->name) == 0
                        ? i
                        : s3s_schema_find(all, field->name);
        if (at == SIZE_MAX ? field->type != S3S_TYPE_NULL
                           : !s3s_field_same_type(&all->fields[at], field))
            return false;
    }
    return true;
}

/* Adds the columns of file i to the union. One that contradicts the files before it has failed. */
static s3store_status add_columns(s3s_scan *scan, size_t i, const s3s_schema *schema,
                                  s3s_schema **all, s3store_error *err)
{
    if (i > scan->locked.stop_file || (*all != NULL && covers(*all, schema)))
        return S3STORE_OK;
    s3s_schema *joined = NULL;
    bool grown = false;
    s3store_error why = {0};
    s3store_status status = s3s_schema_evolve(scan->env, *all, schema, &joined, &grown, &why);
    if (status == S3STORE_OUT_OF_MEMORY) {
        if (err != NULL)
            *err = why;
        return status;
    }
    if (status != S3STORE_OK) {
        const char *key = scan->locked.files[i].info->key;
        s3s_context(&why, "\"%s\" does not fit the files before it", key);
        strncpy(why.key, key, sizeof why.key - 1);
        note_failure(scan, i, &why);
        return S3STORE_OK;
    }
    s3s_schema_release(*all);
    *all = joined;
    return S3STORE_OK;
}

static s3store_status fetch_everything(s3s_scan *scan, s3s_schema **all, s3store_error *err)
{
    size_t count = scan->locked.file_count;
    s3s_datafile **files = s3s_calloc(scan->env, count, sizeof *files);
    if (files == NULL)
        return s3s_fail_memory(err, count * sizeof *files);
    s3store_status status = open_files(scan, 0, count, false, files, err);
    for (size_t i = 0; i < count; i++) { /* kept also on failure: the scan frees them */
        scan_file *f = &scan->locked.files[i];
        f->file = files[i];
        if (files[i] == NULL || f->state == FILE_FAILED)
            continue;
        if (s3s_datafile_admitted_bytes(files[i]) == 0)
            s3s_scan_withdraw(&(scan_admission){.scan = scan, .file = i}, 0);
        f->state = FILE_FETCHED;
        scan->locked.open_count++;
        if (status == S3STORE_OK)
            status = add_columns(scan, i, s3s_datafile_schema(files[i]), all, err);
    }
    scan->locked.fetch_next = count;
    s3s_free(scan->env, files);
    return status;
}

/* A file that will be read by ranges needs its footer then too: it stays, as far as the budget goes. */
static bool keep_footer(s3s_scan *scan, size_t i, s3s_datafile *file)
{
    scan_file *f = &scan->locked.files[i];
    uint64_t held = (uint64_t)scan->locked.open_count * S3S_DATAFILE_TAIL_BYTES;
    if (file == NULL || f->state != FILE_NEW || scan->fetch_columns == NULL ||
        f->info->size <= S3S_DATAFILE_WHOLE_BYTES || held >= scan->memory / 16)
        return false;
    f->file = file;
    f->state = FILE_FETCHED;
    scan->locked.open_count++;
    return true;
}

static s3store_status read_footers(s3s_scan *scan, s3s_schema **all, s3store_error *err)
{
    size_t count = scan->locked.file_count;
    s3s_datafile **files = s3s_calloc(scan->env, FOOTER_WINDOW, sizeof *files);
    if (files == NULL)
        return s3s_fail_memory(err, FOOTER_WINDOW * sizeof *files);
    s3store_status status = S3STORE_OK;
    for (size_t first = 0; status == S3STORE_OK && first < count; first += FOOTER_WINDOW) {
        size_t n = count - first < FOOTER_WINDOW ? count - first : FOOTER_WINDOW;
        memset(files, 0, n * sizeof *files);
        if (first > scan->locked.stop_file)
            break;
        status = open_files(scan, first, n, true, files, err);
        for (size_t i = 0; i < n; i++) {
            if (status == S3STORE_OK && files[i] != NULL &&
                scan->locked.files[first + i].state == FILE_NEW)
                status = add_columns(scan, first + i, s3s_datafile_schema(files[i]), all, err);
            if (status != S3STORE_OK || !keep_footer(scan, first + i, files[i]))
                s3s_datafile_free(files[i]);
        }
    }
    s3s_free(scan->env, files);
    return status;
}

static bool is_little(const s3s_scan *scan)
{
    uint64_t sum = 0;
    bool unknown = false;
    for (size_t i = 0; i < scan->locked.file_count; i++) {
        uint64_t size = scan->locked.files[i].info->size;
        unknown = unknown || size == 0;
        if (__builtin_add_overflow(sum, size, &sum))
            return false;
    }
    return sum <= scan->body_cap && (!unknown || scan->locked.file_count <= FEW_FILES);
}

s3store_status s3s_scan_discover(s3s_scan *scan, s3s_schema **all, s3store_error *err)
{
    *all = NULL;
    if (scan->locked.file_count == 0)
        return S3STORE_OK;
    if (is_little(scan))
        return fetch_everything(scan, all, err);
    uint32_t version = 0;
    s3store_status status =
        s3s_target_schema(scan->target, &scan->call, true, &version, all, err);
    if (status == S3STORE_OK && *all == NULL)
        status = read_footers(scan, all, err);
    return status;
}
