/* Which ranges a cursor will need, put together so that few requests fetch them. */
#include "datafile/internal.h"

#include "base/bytes.h"
#include "base/error.h"

#define RANGES_PER_GROUP 2 /* wished for: each range is a request */
#define WASTE_MAX_BYTES (8u * 1024 * 1024) /* no wider gap is fetched to save a request */
#define STEP_MAX_BYTES (32u * 1024 * 1024)

static uint64_t range_end(const s3s_byte_range *r)
{
    return r->offset + r->size;
}

/* Merges the neighbours with the smallest gap until few ranges remain, or the gaps get too wide. */
static void merge_ranges(s3s_byte_range *ranges, size_t *count)
{
    while (*count > RANGES_PER_GROUP) {
        size_t best = 0;
        uint64_t best_gap = UINT64_MAX;
        for (size_t i = 0; i + 1 < *count; i++) {
            uint64_t gap = ranges[i + 1].offset - range_end(&ranges[i]);
            if (gap < best_gap) {
                best_gap = gap;
                best = i;
            }
        }
        if (best_gap > WASTE_MAX_BYTES)
            return;
        ranges[best].size = range_end(&ranges[best + 1]) - ranges[best].offset;
        memmove(&ranges[best + 1], &ranges[best + 2], (*count - best - 2) * sizeof *ranges);
        (*count)--;
    }
}

/* In order, inside the file and apart from each other: else reading by the plan would go wrong, and
 * such a file is read without one. */
static bool ranges_are_sane(const s3s_fetch *f, const s3s_byte_range *ranges, size_t count)
{
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        const s3s_byte_range *r = &ranges[i];
        if (r->size > f->file_size || r->offset > f->file_size - r->size || r->offset < end)
            return false;
        end = range_end(r);
    }
    return true;
}

static s3store_status plan_add(s3s_fetch *f, s3s_byte_range range, uint32_t step,
                               s3store_error *err)
{
    if (range.size == 0)
        return S3STORE_OK;
    s3s_planned *last = f->plan_count > 0 ? &f->plan[f->plan_count - 1] : NULL;
    if (last != NULL && last->step == step && range.offset >= range_end(&last->range) &&
        range.offset - range_end(&last->range) <= S3S_DATAFILE_GAP_BYTES) {
        last->range.size = range_end(&range) - last->range.offset;
        return S3STORE_OK;
    }
    if (f->plan_count == f->plan_capacity) {
        size_t capacity = f->plan_capacity == 0 ? 8 : f->plan_capacity * 2;
        s3s_planned *grown = s3s_realloc(f->env, f->plan, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        f->plan = grown;
        f->plan_capacity = capacity;
    }
    /* plan holds plan_capacity. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    f->plan[f->plan_count++] = (s3s_planned){.range = range, .step = step};
    return S3STORE_OK;
}

/* Consecutive row groups share a step while they are small together. */
static s3store_status plan_groups(s3s_fetch *f, const s3s_parquet_file *parquet,
                                  const s3s_parquet_cursor *cursor, const size_t *columns,
                                  size_t column_count, s3s_byte_range *ranges,
                                  size_t range_max, s3store_error *err)
{
    uint64_t step_max = f->memory_bytes / 4 < STEP_MAX_BYTES ? f->memory_bytes / 4 : STEP_MAX_BYTES;
    uint64_t step_bytes = 0;
    uint32_t step = 0;
    size_t groups = s3s_parquet_row_group_count(parquet);
    for (size_t g = 0; g < groups; g++) {
        size_t count = 0;
        if (cursor != NULL && !s3s_parquet_cursor_wants_group(cursor, g))
            continue;
        s3store_status status =
            s3s_parquet_ranges(parquet, g, columns, column_count, S3S_DATAFILE_GAP_BYTES, ranges,
                               &count, range_max, err);
        if (status != S3STORE_OK)
            return status;
        if (!ranges_are_sane(f, ranges, count))
            continue;
        merge_ranges(ranges, &count);
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; i++)
            bytes += ranges[i].size;
        if (bytes > f->memory_bytes) /* page by page then */
            continue;
        if (step_bytes > 0 && step_bytes + bytes > step_max) {
            step++;
            step_bytes = 0;
        }
        step_bytes += bytes;
        for (size_t i = 0; status == S3STORE_OK && i < count; i++)
            status = plan_add(f, ranges[i], step, err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

s3store_status s3s_fetch_plan(s3s_fetch *f, const s3s_parquet_file *parquet,
                              const s3s_parquet_cursor *cursor, const size_t *columns,
                              size_t column_count, s3store_error *err)
{
    s3s_fetch_unplan(f);
    if (f->is_whole || f->file_size == f->body.size)
        return S3STORE_OK;
    size_t all_count = s3s_parquet_schema(parquet)->field_count;
    size_t wanted = columns != NULL ? column_count : all_count;
    size_t range_max = 4 * wanted + 64;
    size_t *all = NULL;
    s3s_byte_range *ranges = s3s_calloc(f->env, range_max, sizeof *ranges);
    s3store_status status = S3STORE_OK;
    if (ranges == NULL) {
        status = s3s_fail_memory(err, range_max * sizeof *ranges);
    } else if (columns == NULL) {
        all = s3s_calloc(f->env, all_count, sizeof *all);
        if (all == NULL)
            status = s3s_fail_memory(err, all_count * sizeof *all);
        for (size_t i = 0; status == S3STORE_OK && i < all_count; i++)
            all[i] = i;
        columns = all;
    }
    if (status == S3STORE_OK)
        status = plan_groups(f, parquet, cursor, columns, wanted, ranges, range_max, err);
    if (status == S3STORE_LIMIT_EXCEEDED) { /* too many to plan: read as it comes */
        s3s_fetch_unplan(f);
        s3s_error_clear(err);
        status = S3STORE_OK;
    }
    s3s_free(f->env, ranges);
    s3s_free(f->env, all);
    return status;
}
