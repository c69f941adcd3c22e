/* Held batches whose rows stand by partition.
 *
 * Rows of many partitions come mixed, and each partition would fetch its own from all over the memory
 * that is held: a cache miss for every value. A batch alone is small enough to be near; sorted once by
 * partition, it gives each of them one run.
 */
#include "write/write_private.h"

/* Not worth it for less, nor where rows of a partition already come one behind the other. */
#define MIN_ROWS 8192
#define MIN_RUN_LENGTH 8

typedef struct arranging {
    s3s_write_call *call;
    s3s_row *rows;  /* of every batch, by partition */
    size_t *starts; /* of each batch in them, and the end */
} arranging;

static bool is_scattered(const s3s_groups *groups, size_t count)
{
    size_t runs = 1;
    for (size_t i = 1; i < count; i++)
        runs += groups->rows[i].batch != groups->rows[i - 1].batch ||
                groups->rows[i].row != groups->rows[i - 1].row + 1;
    return runs > count / MIN_RUN_LENGTH;
}

static s3store_status arrange_batch(void *ctx, size_t i, s3store_error *err)
{
    const arranging *a = ctx;
    s3s_input *input = &a->call->input;
    const s3s_row *rows = a->rows + a->starts[i];
    size_t count = a->starts[i + 1] - a->starts[i];
    const struct ArrowArray *batch = &input->batches[i];
    struct ArrowArray arranged = {0};
    uint32_t *sizes = s3s_alloc(input->env, count * sizeof *sizes);
    if (sizes == NULL)
        return s3s_fail_memory(err, count * sizeof *sizes);
    s3store_status status = s3s_batch_take(input->env, input->schema, &batch, 1, rows, count, NULL,
                                           0, &arranged, err);
    if (status != S3STORE_OK) {
        s3s_free(input->env, sizes);
        return status;
    }
    for (size_t k = 0; k < count; k++)
        sizes[k] = input->row_sizes[i][rows[k].row];
    s3s_free(input->env, input->row_sizes[i]);
    input->row_sizes[i] = sizes;
    s3s_array_release(&input->batches[i]);
    input->batches[i] = arranged;
    return S3STORE_OK;
}

/* Where each row of a batch goes; the groups name the rows by their new places. */
static void place_rows(const arranging *a, s3s_groups *groups, size_t count, size_t *next)
{
    for (size_t i = 0; i < count; i++) {
        s3s_row *row = &groups->rows[i];
        size_t at = next[row->batch]++;
        a->rows[at] = (s3s_row){.batch = 0, .row = row->row};
        row->row = (uint32_t)(at - a->starts[row->batch]);
    }
}

static s3store_status arrange(arranging *a, s3s_groups *groups, size_t count, s3store_error *err)
{
    s3s_write_call *c = a->call;
    size_t batch_count = c->input.batch_count, bytes = count * sizeof *a->rows;
    a->starts = s3s_alloc(c->env, 2 * (batch_count + 1) * sizeof *a->starts);
    a->rows = s3s_alloc(c->env, bytes);
    if (a->starts == NULL || a->rows == NULL)
        return s3s_fail_memory(err, bytes);
    size_t *next = a->starts + batch_count + 1, at = 0;
    for (size_t i = 0; i < batch_count; i++) {
        a->starts[i] = next[i] = at;
        at += (size_t)c->input.batches[i].length;
    }
    a->starts[batch_count] = at;
    place_rows(a, groups, count, next);
    s3s_fan_options fan = {.limit = c->writer->encoders_max, .call = &c->call};
    return s3s_fan_out(c->target->pool, batch_count, arrange_batch, a, &fan, err);
}

s3store_status s3s_arrange_held(s3s_write_call *c, s3store_error *err)
{
    s3s_groups *groups = &c->plan.groups;
    size_t count = (size_t)c->input.held_rows;
    size_t runs = c->input.batch_count * groups->count; /* at most, afterwards */
    if (count < MIN_ROWS || groups->count < 2 || count / MIN_RUN_LENGTH < runs ||
        !is_scattered(groups, count))
        return S3STORE_OK;
    arranging a = {.call = c};
    s3store_status status = arrange(&a, groups, count, err);
    s3s_free(c->env, a.rows);
    s3s_free(c->env, a.starts);
    return status;
}
