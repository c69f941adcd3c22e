/* Rows as C structs: one after the other, or all at once. */
#include "read/internal.h"

#include <string.h>

#include "arrow/builder.h"
#include "base/bytes.h"
#include "base/error.h"

#define BLOCK_ROWS 256 /* converted at once */

struct s3store_record_iter {
    s3s_env *env; /* retained */
    s3s_scan *scan;
    s3s_schema *schema;
    s3store_record_type type;
    struct ArrowArray batch;
    int64_t batch_row; /* first row that is not in the block or behind it */
    uint8_t *block;
    size_t block_rows; /* how many to convert at once */
    size_t count, at;  /* of the block */
    s3s_arena arena;   /* of the block */
};

s3store_status s3s_read_iter(s3store_reader *reader, const s3store_record_type *type,
                             const s3store_read_options *options, s3store_record_iter **out,
                             s3store_error *err)
{
    *out = NULL;
    s3s_read_clear_handover(options);
    s3store_record_iter *iter = s3s_calloc(reader->env, 1, sizeof *iter);
    if (iter == NULL)
        return s3s_fail_memory(err, sizeof *iter);
    iter->env = s3s_env_retain(reader->env);
    s3s_arena_init(&iter->arena, reader->env);
    iter->type = *type;
    iter->block_rows = BLOCK_ROWS;
    s3store_status status = s3s_record_schema(reader->env, type, &iter->schema, err);
    if (status == S3STORE_OK) {
        iter->block = s3s_calloc(reader->env, BLOCK_ROWS, type->record_size);
        if (iter->block == NULL)
            status = s3s_fail_memory(err, BLOCK_ROWS * type->record_size);
    }
    if (status == S3STORE_OK)
        status = s3s_read_open_scan(reader, options, iter->schema, S3S_READ_ITER, &iter->scan, err);
    if (status != S3STORE_OK)
        s3store_record_iter_free(iter);
    else
        *out = iter;
    return status;
}

static s3store_status next_rows(s3store_record_iter *iter, s3store_error *err)
{
    if (iter->batch.release != NULL && iter->batch_row < iter->batch.length)
        return S3STORE_OK;
    s3s_array_release(&iter->batch);
    memset(&iter->batch, 0, sizeof iter->batch);
    iter->batch_row = 0;
    iter->block_rows = BLOCK_ROWS;
    return s3s_scan_next(iter->scan, &iter->batch, NULL, err);
}

/* Fills the block with the next rows. When one of them cannot be a record, those before it are
 * still delivered: from there on row by row. */
static s3store_status fill_block(s3store_record_iter *iter, s3store_error *err)
{
    iter->count = iter->at = 0;
    s3store_status status = next_rows(iter, err);
    if (status != S3STORE_OK)
        return status;
    int64_t left = iter->batch.length - iter->batch_row;
    size_t count = left < (int64_t)iter->block_rows ? (size_t)left : iter->block_rows;
    for (;;) {
        s3s_arena_reset(&iter->arena);
        memset(iter->block, 0, count * iter->type.record_size);
        status = s3s_batch_to_records(iter->schema, &iter->batch, iter->batch_row, count,
                                      &iter->type, iter->block, false, &iter->arena, err);
        if (status == S3STORE_OK || count == 1)
            break;
        count = iter->block_rows = 1;
    }
    if (status != S3STORE_OK)
        return status;
    iter->count = count;
    iter->batch_row += (int64_t)count;
    return S3STORE_OK;
}

s3store_status s3store_record_iter_next(s3store_record_iter *iter, void *record,
                                        s3store_error *err)
{
    if (iter->at >= iter->count) {
        s3store_error why = {0};
        s3store_status status = fill_block(iter, &why);
        if (status != S3STORE_OK) {
            if (status != S3STORE_END && err != NULL)
                *err = why;
            return status;
        }
    }
    memcpy(record, iter->block + iter->at * iter->type.record_size, iter->type.record_size);
    iter->at++;
    return S3STORE_OK;
}

void s3store_record_iter_free(s3store_record_iter *iter)
{
    if (iter == NULL)
        return;
    s3s_env *env = iter->env;
    s3s_array_release(&iter->batch);
    s3s_scan_free(iter->scan);
    s3s_schema_release(iter->schema);
    s3s_free(env, iter->block);
    s3s_arena_deinit(&iter->arena);
    s3s_free(env, iter);
    s3s_env_release(env);
}

/* ---- all at once ----------------------------------------------------------------------------- */

struct s3store_records {
    s3s_env *env; /* retained */
    uint8_t *data;
    size_t count, capacity;
    s3s_arena arena;
};

s3store_status s3s_records_new(s3s_env *env, s3store_records **out, s3store_error *err)
{
    s3store_records *records = s3s_calloc(env, 1, sizeof *records);
    *out = records;
    if (records == NULL)
        return s3s_fail_memory(err, sizeof *records);
    records->env = s3s_env_retain(env);
    s3s_arena_init(&records->arena, env);
    return S3STORE_OK;
}

s3store_status s3s_records_add(s3store_records *records, const s3s_schema *schema,
                               const s3store_record_type *type, const struct ArrowArray *batch,
                               s3store_error *err)
{
    size_t rows = (size_t)batch->length, needed = 0, capacity = 0, bytes = 0;
    bool fits = s3s_add(records->count, rows, &needed) &&
                s3s_add(needed, records->capacity / 2, &capacity) &&
                s3s_mul(capacity, type->record_size, &bytes);
    if (!fits || needed > records->capacity) {
        uint8_t *grown = fits ? s3s_realloc(records->env, records->data, bytes) : NULL;
        if (grown == NULL)
            return s3s_fail_memory(err, bytes);
        records->data = grown;
        records->capacity = capacity;
    }
    uint8_t *first = records->data + records->count * type->record_size;
    memset(first, 0, rows * type->record_size);
    s3store_status status = s3s_batch_to_records(schema, batch, 0, rows, type, first, true,
                                                 &records->arena, err);
    if (status == S3STORE_OK)
        records->count = needed;
    return status;
}

s3store_status s3s_read_records(s3store_reader *reader, const s3store_record_type *type,
                                const s3store_read_options *options, s3store_records **out,
                                s3store_error *err)
{
    *out = NULL;
    s3s_read_clear_handover(options);
    s3s_schema *schema = NULL;
    s3s_scan *scan = NULL;
    s3store_records *records = NULL;
    s3store_status status = s3s_records_new(reader->env, &records, err);
    if (status == S3STORE_OK)
        status = s3s_record_schema(reader->env, type, &schema, err);
    if (status == S3STORE_OK)
        status = s3s_read_open_scan(reader, options, schema, S3S_READ_RECORDS, &scan, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        status = s3s_scan_next(scan, &batch, NULL, err);
        if (status == S3STORE_OK)
            status = s3s_records_add(records, schema, type, &batch, err);
        s3s_array_release(&batch);
    }
    s3s_scan_free(scan);
    s3s_schema_release(schema);
    if (status != S3STORE_END) {
        s3store_records_free(records);
        s3s_read_drop_handover(options);
        return status;
    }
    *out = records;
    return S3STORE_OK;
}

size_t s3store_records_count(const s3store_records *records)
{
    return records == NULL ? 0 : records->count;
}

const void *s3store_records_data(const s3store_records *records)
{
    return records == NULL ? NULL : records->data;
}

void s3store_records_free(s3store_records *records)
{
    if (records == NULL)
        return;
    s3s_env *env = records->env;
    s3s_free(env, records->data);
    s3s_arena_deinit(&records->arena);
    s3s_free(env, records);
    s3s_env_release(env);
}
