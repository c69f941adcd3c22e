/* An open data object: fetch and Parquet together. */
#include "datafile/internal.h"

#include <string.h>

#include "base/error.h"

struct s3s_datafile {
    s3s_env *env;
    s3s_fetch fetch;
    s3s_parquet_file *parquet;
};

struct s3s_datafile_cursor {
    s3s_datafile *file;
    s3s_parquet_cursor *cursor;
    size_t *columns; /* NULL = all */
    size_t column_count;
};

s3store_status s3s_datafile_open(s3s_env *env, const s3store_object_store *store,
                                 const s3store_call *call, const s3s_datafile_options *options,
                                 s3s_datafile **out, s3store_error *err)
{
    *out = NULL;
    s3s_datafile *file = s3s_calloc(env, 1, sizeof *file);
    if (file == NULL)
        return s3s_fail_memory(err, sizeof *file);
    file->env = env;
    s3store_status status = s3s_fetch_open(env, store, call, options, &file->fetch, err);
    if (status != S3STORE_OK) {
        s3s_free(env, file);
        return status;
    }
    s3s_parquet_limits limits = {.memory_bytes = file->fetch.memory_bytes};
    status = s3s_parquet_open(env, s3s_fetch_source(&file->fetch), file->fetch.key, &limits,
                              &file->parquet, err);
    if (status == S3STORE_OK) {
        *out = file;
        return S3STORE_OK;
    }
    s3s_fetch_blame(options->key, status, err);
    if (file->fetch.admitted > 0 && options->withdraw != NULL)
        options->withdraw(options->admit_ctx, file->fetch.admitted);
    s3s_datafile_free(file);
    return status;
}

uint64_t s3s_datafile_fetched_bytes(const s3s_datafile *file)
{
    return file->fetch.fetched_bytes;
}

void s3s_datafile_free(s3s_datafile *file)
{
    if (file == NULL)
        return;
    if (file->parquet != NULL)
        s3s_parquet_free(file->parquet);
    s3s_fetch_deinit(&file->fetch);
    s3s_free(file->env, file);
}

const char *s3s_datafile_key(const s3s_datafile *file)
{
    return file->fetch.key;
}

const s3s_schema *s3s_datafile_schema(const s3s_datafile *file)
{
    return s3s_parquet_schema(file->parquet);
}

s3s_parquet_file *s3s_datafile_parquet(const s3s_datafile *file)
{
    return file->parquet;
}

int64_t s3s_datafile_row_count(const s3s_datafile *file)
{
    return s3s_parquet_row_count(file->parquet);
}

uint64_t s3s_datafile_admitted_bytes(const s3s_datafile *file)
{
    return file->fetch.admitted;
}

uint64_t s3s_datafile_decoded_bytes(const s3s_datafile *file)
{
    uint64_t sum = 0;
    size_t groups = s3s_parquet_row_group_count(file->parquet);
    for (size_t g = 0; g < groups; g++) {
        if (__builtin_add_overflow(sum, s3s_parquet_row_group_bytes(file->parquet, g), &sum))
            return UINT64_MAX;
    }
    return sum;
}

s3store_status s3s_datafile_cursor_new(s3s_datafile *file, const size_t *columns,
                                       size_t column_count, int64_t max_rows,
                                       s3s_datafile_cursor **out, s3store_error *err)
{
    *out = NULL;
    s3s_datafile_cursor *cursor = s3s_calloc(file->env, 1, sizeof *cursor);
    if (cursor == NULL)
        return s3s_fail_memory(err, sizeof *cursor);
    cursor->file = file;
    if (columns != NULL) {
        cursor->columns = s3s_calloc(file->env, column_count + 1, sizeof *columns);
        if (cursor->columns == NULL) {
            s3s_datafile_cursor_free(cursor);
            return s3s_fail_memory(err, column_count * sizeof *columns);
        }
        memcpy(cursor->columns, columns, column_count * sizeof *columns);
        cursor->column_count = column_count;
    }
    s3store_status status =
        s3s_fetch_plan(&file->fetch, file->parquet, columns, column_count, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_cursor_new(file->parquet, columns, column_count, max_rows,
                                        &cursor->cursor, err);
    if (status != S3STORE_OK) {
        s3s_fetch_blame(file->fetch.key, status, err);
        s3s_datafile_cursor_free(cursor);
        return status;
    }
    *out = cursor;
    return S3STORE_OK;
}

s3store_status s3s_datafile_cursor_where(s3s_datafile_cursor *cursor,
                                         const s3s_parquet_predicate *predicates, size_t count,
                                         s3store_error *err)
{
    s3s_fetch *fetch = &cursor->file->fetch;
    s3store_status status = s3s_parquet_cursor_where(cursor->cursor, predicates, count, err);
    if (status == S3STORE_OK && !fetch->is_whole) {
        status = s3s_fetch_hold(fetch, s3s_parquet_cursor_index_range(cursor->cursor), err);
        if (status == S3STORE_OK)
            status = s3s_fetch_replan(fetch, cursor->file->parquet, cursor->cursor,
                                      cursor->columns, cursor->column_count, err);
        s3s_fetch_drop(fetch);
    }
    return s3s_fetch_blame(fetch->key, status, err);
}

void s3s_datafile_cursor_use_threads(s3s_datafile_cursor *cursor, size_t threads)
{
    s3s_fetch *fetch = &cursor->file->fetch;
    if (threads <= 1 || fetch->pool == NULL || !s3s_fetch_share(fetch))
        return;
    s3s_parquet_cursor_use_pool(cursor->cursor, fetch->pool, threads);
}

const s3s_schema *s3s_datafile_cursor_schema(const s3s_datafile_cursor *cursor)
{
    return s3s_parquet_cursor_schema(cursor->cursor);
}

s3store_status s3s_datafile_cursor_next(s3s_datafile_cursor *cursor, struct ArrowArray *out,
                                        s3store_error *err)
{
    s3store_status status = s3s_parquet_cursor_next(cursor->cursor, out, err);
    return s3s_fetch_blame(cursor->file->fetch.key, status, err);
}

void s3s_datafile_cursor_free(s3s_datafile_cursor *cursor)
{
    if (cursor == NULL)
        return;
    if (cursor->cursor != NULL)
        s3s_parquet_cursor_free(cursor->cursor);
    s3s_fetch_unplan(&cursor->file->fetch);
    s3s_free(cursor->file->env, cursor->columns);
    s3s_free(cursor->file->env, cursor);
}
