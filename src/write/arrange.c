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

#define SAMPLED 16 /* one row of so many is looked at */

static bool is_scattered(const s3s_groups *groups, size_t count)
{
    size_t runs = 0;
    for (size_t i = SAMPLED; i < count; i += SAMPLED)
        runs += groups->rows[i].batch != groups->rows[i - 1].batch ||
                groups->rows[i].row != groups->rows[i - 1].row + 1;
    return runs > count / SAMPLED / MIN_RUN_LENGTH;
}

/* The rows of a group that are of this batch: they stand together. */
static s3s_row *find_run(const s3s_group *group, size_t batch, size_t *size)
{
    size_t ends[2];
    for (size_t i = 0; i < 2; i++) {
        size_t low = 0, high = group->row_count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (group->rows[middle].batch < batch + i)
                low = middle + 1;
            else
                high = middle;
        }
        ends[i] = low;
    }
    *size = ends[1] - ends[0];
    return group->rows + ends[0];
}

/* The rows of a batch by partition; the groups name them by their new places. */
static void place_rows(const s3s_groups *groups, size_t batch, s3s_row *rows)
{
    uint32_t at = 0;
    for (size_t i = 0; i < groups->count; i++) {
        size_t size;
        s3s_row *run = find_run(&groups->items[i], batch, &size);
        for (size_t k = 0; k < size; k++, at++) {
            rows[at] = (s3s_row){.batch = 0, .row = run[k].row};
            run[k].row = at;
        }
    }
}

static s3store_status take_arranged(s3s_input *input, size_t i, const s3s_row *rows,
                                    s3store_error *err)
{
    struct ArrowArray *batch = &input->batches[i];
    const struct ArrowArray *from = batch;
    struct ArrowArray arranged = {0};
    s3s_env *env = s3s_array_env(batch); /* what batches before it were in is used again */
    size_t count = (size_t)batch->length;
    uint32_t *sizes = s3s_alloc(input->env, count * sizeof *sizes);
    if (sizes == NULL)
        return s3s_fail_memory(err, count * sizeof *sizes);
    s3store_status status = s3s_batch_take(env != NULL ? env : input->env, input->schema, &from, 1,
                                           rows, count, NULL, 0, &arranged, err);
    if (status != S3STORE_OK) {
        s3s_free(input->env, sizes);
        return status;
    }
    for (size_t k = 0; k < count; k++)
        sizes[k] = input->row_sizes[i][rows[k].row];
    s3s_free(input->env, input->row_sizes[i]);
    input->row_sizes[i] = sizes;
    s3s_array_release(batch);
    *batch = arranged;
    return S3STORE_OK;
}

static s3store_status arrange_batch(void *ctx, size_t i, s3store_error *err)
{
    s3s_write_call *c = ctx;
    size_t bytes = (size_t)c->input.batches[i].length * sizeof(s3s_row);
    s3s_row *rows = s3s_alloc(c->env, bytes);
    if (rows == NULL)
        return s3s_fail_memory(err, bytes);
    place_rows(&c->plan.groups, i, rows);
    s3store_status status = take_arranged(&c->input, i, rows, err);
    s3s_free(c->env, rows);
    return status;
}

s3store_status s3s_arrange_held(s3s_write_call *c, s3store_error *err)
{
    s3s_groups *groups = &c->plan.groups;
    size_t count = (size_t)c->input.held_rows;
    size_t runs = c->input.batch_count * groups->count; /* at most, afterwards */
    if (count < MIN_ROWS || groups->count < 2 || count / MIN_RUN_LENGTH < runs ||
        !is_scattered(groups, count))
        return S3STORE_OK;
    s3s_fan_options fan = {.limit = c->writer->encoders_max, .call = &c->call};
    return s3s_fan_out(c->target->pool, c->input.batch_count, arrange_batch, c, &fan, err);
}
