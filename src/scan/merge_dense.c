/* LATEST of keys that are numbers close to one another, as ids that were counted up are: there is a
 * place for each number from the lowest to the highest. Nothing is hashed, compared or sorted, and
 * what a row needs of memory is known without looking at memory: the places of the rows to come are
 * asked for ahead. */
#include "arrow/sortkey.h"
#include "base/error.h"
#include "scan/merge_private.h"

/* Places for each row, at most: the accounted bytes of a row hold them (s3s_scan_merge_bytes). */
#define PLACES_PER_ROW 2
#define AHEAD 24 /* rows */

/* All zero: no row. A row of version 0 beats it. */
typedef struct entry {
    uint64_t version;
    uint64_t row; /* the batch above, the row + 1 below */
} entry;

typedef struct dense {
    s3s_env *env;
    const scan_plan *plan;
    const struct ArrowArray **batches;
    size_t batch_count;
    uint64_t *numbers, *versions; /* of the batch under way */
    uint64_t lowest, span;        /* the highest is lowest + span */
    entry *entries;               /* of lowest + i */
    size_t winner_count;
} dense;

static void fill_numbers(const dense *d, size_t b)
{
    const scan_plan *p = d->plan;
    s3s_narrow_keys_fill(p->merge, d->batches[b], p->entity, p->entity_count, false, d->numbers);
}

/* false: the numbers are too far from each other; then the first batches say so already. */
static bool find_span(dense *d, size_t row_count)
{
    uint64_t lowest = UINT64_MAX, highest = 0;
    const uint64_t most = (uint64_t)row_count * PLACES_PER_ROW;
    for (size_t b = 0; b < d->batch_count; b++) {
        size_t rows = (size_t)d->batches[b]->length;
        fill_numbers(d, b);
        for (size_t i = 0; i < rows; i++) {
            lowest = d->numbers[i] < lowest ? d->numbers[i] : lowest;
            highest = d->numbers[i] > highest ? d->numbers[i] : highest;
        }
        if (highest > lowest && highest - lowest >= most)
            return false;
    }
    d->lowest = lowest;
    d->span = highest - lowest;
    return true;
}

static void offer_batch(dense *d, size_t b)
{
    const size_t rows = (size_t)d->batches[b]->length;
    const uint64_t *numbers = d->numbers, *versions = d->versions, lowest = d->lowest;
    entry *entries = d->entries;
    size_t found = 0;
    uint64_t row = (uint64_t)b << 32;
    fill_numbers(d, b);
    s3s_merge_versions(d->plan, d->batches[b], d->versions);
    for (size_t i = 0; i < rows; i++) {
        if (i + AHEAD < rows)
            __builtin_prefetch(&entries[numbers[i + AHEAD] - lowest], 1);
        entry *e = &entries[numbers[i] - lowest];
        row++;
        found += e->row == 0;
        bool wins = versions[i] >= e->version; /* later rows win ties */
        e->version = wins ? versions[i] : e->version;
        e->row = wins ? row : e->row;
    }
    d->winner_count += found;
}

static s3store_status write_rows(const dense *d, merged_rows *out, s3store_error *err)
{
    /* One more: what is written behind the last winner is no row. */
    out->rows = s3s_calloc(d->env, d->winner_count + 1, sizeof *out->rows);
    if (out->rows == NULL)
        return s3s_fail_memory(err, (d->winner_count + 1) * sizeof *out->rows);
    size_t count = 0;
    for (uint64_t i = 0; i <= d->span; i++) {
        uint64_t row = d->entries[i].row;
        out->rows[count] = (s3s_row){.batch = (uint32_t)(row >> 32), .row = (uint32_t)row - 1};
        count += row != 0;
    }
    out->row_count = count;
    return S3STORE_OK;
}

s3store_status s3s_merge_dense(s3s_env *env, const scan_plan *plan,
                               const struct ArrowArray **batches, size_t batch_count,
                               size_t row_count, size_t longest, merged_rows *out, bool *done,
                               s3store_error *err)
{
    dense d = {.env = env, .plan = plan, .batches = batches, .batch_count = batch_count};
    s3store_status status = S3STORE_OK;
    *done = false;
    if (row_count == 0)
        return S3STORE_OK;
    d.numbers = s3s_calloc(env, longest, sizeof *d.numbers);
    d.versions = s3s_calloc(env, longest, sizeof *d.versions);
    if (d.numbers == NULL || d.versions == NULL)
        status = s3s_fail_memory(err, longest * sizeof *d.numbers);
    *done = status == S3STORE_OK && find_span(&d, row_count);
    if (*done) {
        d.entries = s3s_calloc(env, (size_t)d.span + 1, sizeof *d.entries);
        if (d.entries == NULL)
            status = s3s_fail_memory(err, ((size_t)d.span + 1) * sizeof *d.entries);
        else
            s3s_expect_dense(d.entries, ((size_t)d.span + 1) * sizeof *d.entries);
    }
    for (size_t b = 0; d.entries != NULL && b < batch_count; b++)
        offer_batch(&d, b);
    if (d.entries != NULL)
        status = write_rows(&d, out, err);
    s3s_free(env, d.entries);
    s3s_free(env, d.numbers);
    s3s_free(env, d.versions);
    return status;
}
