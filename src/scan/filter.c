/* Where the predicate meets the rows. It filters the result, so it comes after the merge; below it
 * only when it cannot tell versions of an entity apart, or when nothing is merged. */
#include "scan/internal.h"

#include <string.h>

#include "base/error.h"

static bool has_text(const char *const *list, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) == 0)
            return true;
    }
    return false;
}

s3store_status s3s_scan_filter_init(s3s_scan *scan, s3store_error *err)
{
    const s3s_scan_options *o = &scan->options;
    if (o->where == NULL)
        return S3STORE_OK;
    s3store_status status = s3s_where_parse(&scan->arena, o->where, &scan->where, err);
    if (status != S3STORE_OK)
        return status;
    scan->filters_early = true;
    for (size_t i = 0; o->mode != S3S_SCAN_ROWS && i < scan->where->column_count; i++) {
        if (!has_text(o->entity, o->entity_count, scan->where->columns[i].name))
            scan->filters_early = false;
    }
    return S3STORE_OK;
}

static s3store_status keep_true(const s3s_scan *scan, struct ArrowArray *batch,
                                const uint8_t *truths, bool project, s3store_error *err)
{
    const scan_plan *plan = &scan->plan;
    bool projects = project && plan->out->field_count != plan->merge->field_count;
    s3s_row *rows = s3s_calloc(scan->env, (size_t)batch->length + 1, sizeof *rows);
    size_t count = 0;
    if (rows == NULL)
        return s3s_fail_memory(err, (size_t)batch->length * sizeof *rows);
    for (int64_t i = 0; i < batch->length; i++) {
        rows[count].row = (uint32_t)i;
        count += truths == NULL || truths[i] == WHERE_TRUE;
    }
    s3store_status status = S3STORE_OK;
    if (projects || count < (size_t)batch->length) {
        struct ArrowArray kept = {0};
        const struct ArrowArray *from = batch;
        status = s3s_batch_take(scan->env, plan->merge, &from, 1, rows, count,
                                projects ? plan->delivered : NULL,
                                projects ? plan->out->field_count : plan->merge->field_count,
                                &kept, err);
        if (status == S3STORE_OK) {
            s3s_array_release(batch);
            *batch = kept;
        }
    }
    s3s_free(scan->env, rows);
    return status;
}

s3store_status s3s_scan_filter_batch(const s3s_scan *scan, struct ArrowArray *batch, bool project,
                                     s3store_error *err)
{
    uint8_t *truths = NULL;
    s3store_status status = S3STORE_OK;
    if (scan->where != NULL)
        status = s3s_where_evaluate(scan->env, scan->where, scan->plan.merge, batch, &truths, err);
    if (status == S3STORE_OK)
        status = keep_true(scan, batch, truths, project, err);
    s3s_free(scan->env, truths);
    return status;
}

s3store_status s3s_scan_filter_merged(const s3s_scan *scan, merged_rows *merged, s3store_error *err)
{
    s3s_env *env = scan->env;
    uint8_t **truths = s3s_calloc(env, merged->batch_count + 1, sizeof *truths);
    if (truths == NULL)
        return s3s_fail_memory(err, merged->batch_count * sizeof *truths);
    s3store_status status = S3STORE_OK;
    for (size_t b = 0; status == S3STORE_OK && b < merged->batch_count; b++)
        status = s3s_where_evaluate(env, scan->where, scan->plan.merge, merged->batches[b],
                                    &truths[b], err);
    size_t kept = 0;
    for (size_t i = 0; status == S3STORE_OK && i < merged->row_count; i++) {
        s3s_row row = merged->rows[i];
        merged->rows[kept] = row;
        kept += truths[row.batch][row.row] == WHERE_TRUE;
    }
    merged->row_count = kept;
    for (size_t b = 0; b < merged->batch_count; b++)
        s3s_free(env, truths[b]);
    s3s_free(env, truths);
    return status;
}
