/* Sorted runs and their merge.
 *
 * Runs keep the order in which their rows came: of rows that compare equal, those of an earlier run
 * are earlier rows. So the rules for ties are those of merge.c: latest takes the last, history the
 * first. FAN_IN neighbouring runs of one level are merged into one of the next level, which bounds
 * how many are open at the end. */
#include "scan/spill.h"

#include <string.h>

#include "arrow/sortkey.h"
#include "base/error.h"

#define FAN_IN 32
#define CHUNK_ROWS_MIN 64

typedef struct run {
    s3s_spill_file file;
    unsigned level;
    uint64_t at; /* from here on for merging: the batch that it is at */
    struct ArrowArray batch;
    s3s_sort_keys keys;
    uint64_t *versions;
    int64_t row;
} run;

struct scan_spill {
    s3s_env *env;
    scan_spill_options o;
    struct ArrowArray *held; /* batches of the run that is being collected */
    size_t held_count, held_capacity;
    uint64_t held_bytes; /* with what sorting them takes */
    int64_t held_rows;
    size_t chunk_rows; /* of the batches in the files */
    run *runs;
    size_t run_count, run_capacity;

    /* The merge under way: over runs [from, run_count). */
    size_t from;
    size_t *heap; /* runs that have rows, the smallest row first */
    size_t heap_count;
    s3s_row *rows; /* chosen, of the runs' present batches; row.batch counts from `from` */
    size_t row_count;
    const struct ArrowArray **sources;
    bool has_last;
    struct ArrowArray last; /* LATEST: the best row so far of the entity that is being seen */
    s3s_sort_keys last_key;
    uint64_t last_version; /* HISTORY: of the last row */
};

s3store_status s3s_scan_spill_new(const scan_spill_options *options, scan_spill **out,
                                  s3store_error *err)
{
    scan_spill *spill = s3s_calloc(options->env, 1, sizeof *spill);
    *out = spill;
    if (spill == NULL)
        return s3s_fail_memory(err, sizeof *spill);
    spill->env = options->env;
    spill->o = *options;
    return S3STORE_OK;
}

static void release_batch(s3s_env *env, run *r)
{
    s3s_array_release(&r->batch);
    s3s_sort_keys_deinit(&r->keys);
    memset(&r->keys, 0, sizeof r->keys);
    s3s_free(env, r->versions);
    r->versions = NULL;
    r->row = 0;
}

static void close_run(s3s_env *env, run *r)
{
    s3s_spill_file_close(&r->file);
    release_batch(env, r);
}

static void release_held(scan_spill *spill)
{
    for (size_t i = 0; i < spill->held_count; i++)
        s3s_array_release(&spill->held[i]);
    spill->held_count = 0;
    spill->held_bytes = 0;
    spill->held_rows = 0;
}

static void end_merge(scan_spill *spill)
{
    s3s_free(spill->env, spill->rows);
    s3s_free(spill->env, spill->heap);
    s3s_free(spill->env, (void *)spill->sources);
    spill->rows = NULL;
    spill->heap = NULL;
    spill->heap_count = 0;
    spill->sources = NULL;
    spill->row_count = 0;
    s3s_array_release(&spill->last);
    s3s_sort_keys_deinit(&spill->last_key);
    memset(&spill->last_key, 0, sizeof spill->last_key);
    spill->has_last = false;
}

void s3s_scan_spill_free(scan_spill *spill)
{
    if (spill == NULL)
        return;
    end_merge(spill);
    release_held(spill);
    for (size_t i = 0; i < spill->run_count; i++)
        close_run(spill->env, &spill->runs[i]);
    s3s_free(spill->env, spill->held);
    s3s_free(spill->env, spill->runs);
    s3s_free(spill->env, spill);
}

/* ---- making runs ------------------------------------------------------------------------------- */

static s3store_status new_run(scan_spill *spill, unsigned level, run *out, s3store_error *err)
{
    *out = (run){.level = level, .file = {.fd = -1}};
    if (spill->run_count == spill->run_capacity) {
        size_t capacity = spill->run_capacity == 0 ? 16 : spill->run_capacity * 2;
        run *grown = s3s_realloc(spill->env, spill->runs, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        spill->runs = grown;
        spill->run_capacity = capacity;
    }
    return s3s_spill_file_open(&out->file, spill->o.dir, err);
}

/* How many rows one batch in a file has: all the runs of a merge together stay within a run's bytes. */
static void choose_chunk_rows(scan_spill *spill)
{
    uint64_t row_bytes = spill->held_bytes / (uint64_t)spill->held_rows + 1;
    uint64_t rows = spill->o.run_bytes / (2 * FAN_IN) / row_bytes;
    spill->chunk_rows = rows < CHUNK_ROWS_MIN        ? CHUNK_ROWS_MIN
                        : rows > S3S_SCAN_BATCH_ROWS ? S3S_SCAN_BATCH_ROWS
                                                     : (size_t)rows;
}

static s3store_status write_rows(scan_spill *spill, const merged_rows *merged, run *r,
                                 s3store_error *err)
{
    const s3s_schema *schema = spill->o.plan->merge;
    s3store_status status = S3STORE_OK;
    for (size_t at = 0; status == S3STORE_OK && at < merged->row_count;) {
        struct ArrowArray chunk = {0};
        size_t left = merged->row_count - at;
        size_t count = left < spill->chunk_rows ? left : spill->chunk_rows;
        status = s3s_call_check(spill->env, spill->o.call, err);
        if (status == S3STORE_OK)
            status = s3s_batch_take(spill->env, schema, merged->batches, merged->batch_count,
                                    merged->rows + at, count, NULL, schema->field_count, &chunk,
                                    err);
        if (status == S3STORE_OK)
            status = s3s_spill_file_write(spill->env, &r->file, spill->o.dir, schema, &chunk, err);
        s3s_array_release(&chunk);
        at += count;
    }
    return status;
}

static s3store_status flush_run(scan_spill *spill, s3store_error *err)
{
    if (spill->held_rows == 0)
        return S3STORE_OK;
    merged_rows merged = {0};
    run r;
    choose_chunk_rows(spill);
    s3store_status status = new_run(spill, 0, &r, err);
    const struct ArrowArray **batches =
        s3s_calloc(spill->env, spill->held_count, sizeof *batches);
    if (status == S3STORE_OK && batches == NULL)
        status = s3s_fail_memory(err, spill->held_count * sizeof *batches);
    for (size_t i = 0; batches != NULL && i < spill->held_count; i++)
        batches[i] = &spill->held[i];
    if (status == S3STORE_OK)
        status = s3s_scan_merge(spill->env, spill->o.plan, spill->o.mode, batches,
                                spill->held_count, &merged, err); /* merged.batches is batches */
    if (status == S3STORE_OK)
        status = write_rows(spill, &merged, &r, err);
    s3s_free(spill->env, merged.rows);
    s3s_free(spill->env, (void *)batches);
    release_held(spill);
    if (status == S3STORE_OK)
        spill->runs[spill->run_count++] = r;
    else
        s3s_spill_file_close(&r.file);
    return status;
}

/* ---- merging runs ------------------------------------------------------------------------------ */

static s3store_status make_versions(scan_spill *spill, run *r, s3store_error *err)
{
    s3s_column column;
    s3s_batch_column(spill->o.plan->merge, &r->batch, spill->o.plan->version, &column);
    uint64_t flip = column.field->type == S3S_TYPE_UINT64 ? 0 : UINT64_C(1) << 63;
    r->versions = s3s_calloc(spill->env, (size_t)column.length, sizeof *r->versions);
    if (r->versions == NULL)
        return s3s_fail_memory(err, (size_t)column.length * sizeof *r->versions);
    for (int64_t i = 0; i < column.length; i++)
        r->versions[i] = (uint64_t)s3s_column_int(&column, i) ^ flip;
    return S3STORE_OK;
}

/* The next batch of a run: END after the last. */
static s3store_status load(scan_spill *spill, run *r, s3store_error *err)
{
    const scan_plan *plan = spill->o.plan;
    release_batch(spill->env, r);
    s3store_status status = s3s_spill_file_read(spill->env, &r->file, spill->o.dir, plan->merge,
                                                &r->at, &r->batch, err);
    if (status == S3STORE_OK)
        status = s3s_sort_keys_make(spill->env, plan->merge, &r->batch, plan->entity,
                                    plan->entity_count, &r->keys, err);
    return status == S3STORE_OK ? make_versions(spill, r, err) : status;
}

/* Whether the row that run a is at comes before that of run b. */
static bool is_before(const scan_spill *spill, size_t a, size_t b)
{
    const run *x = &spill->runs[a], *y = &spill->runs[b];
    int order = s3s_sort_keys_compare(&x->keys, (size_t)x->row, &y->keys, (size_t)y->row);
    if (order != 0)
        return order < 0;
    if (x->versions[x->row] != y->versions[y->row])
        return x->versions[x->row] < y->versions[y->row];
    return a < b;
}

static void sift_down(scan_spill *spill, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < spill->heap_count; child++) {
            if (is_before(spill, spill->heap[child], spill->heap[least]))
                least = child;
        }
        if (least == at)
            return;
        size_t moved = spill->heap[at];
        spill->heap[at] = spill->heap[least];
        spill->heap[least] = moved;
        at = least;
    }
}

static s3store_status begin_merge(scan_spill *spill, size_t from, s3store_error *err)
{
    size_t count = spill->run_count - from;
    spill->from = from;
    spill->sources = s3s_calloc(spill->env, count + 1, sizeof *spill->sources);
    spill->rows = s3s_calloc(spill->env, spill->chunk_rows + 1, sizeof *spill->rows);
    spill->heap = s3s_calloc(spill->env, count + 1, sizeof *spill->heap);
    if (spill->sources == NULL || spill->rows == NULL || spill->heap == NULL)
        return s3s_fail_memory(err, spill->chunk_rows * sizeof *spill->rows);
    s3store_status status = S3STORE_OK;
    for (size_t i = from; status == S3STORE_OK && i < spill->run_count; i++) {
        status = load(spill, &spill->runs[i], err);
        if (status == S3STORE_OK)
            spill->heap[spill->heap_count++] = i;
        else if (status == S3STORE_END)
            status = S3STORE_OK;
    }
    for (size_t i = spill->heap_count / 2; i-- > 0;)
        sift_down(spill, i);
    return status;
}

/* The top of the heap goes on to its next row. */
static s3store_status advance(scan_spill *spill, s3store_error *err)
{
    run *r = &spill->runs[spill->heap[0]];
    s3store_status status = S3STORE_OK;
    if (++r->row >= r->batch.length)
        status = load(spill, r, err);
    if (status == S3STORE_END) {
        spill->heap[0] = spill->heap[--spill->heap_count];
        status = S3STORE_OK;
    }
    if (status == S3STORE_OK)
        sift_down(spill, 0);
    return status;
}

/* Notes what the chosen row is compared with: the entity (and version) that was seen last. */
static s3store_status remember(scan_spill *spill, const run *r, bool same_entity,
                               s3store_error *err)
{
    spill->last_version = r->versions[r->row];
    spill->has_last = true;
    if (same_entity)
        return S3STORE_OK;
    const s3s_sort_keys *from = &r->keys;
    uint64_t first = from->offsets[r->row], size = from->offsets[r->row + 1] - first;
    s3s_sort_keys_deinit(&spill->last_key);
    s3s_sort_keys *key = &spill->last_key;
    *key = (s3s_sort_keys){.env = spill->env, .row_count = 1};
    key->bytes = s3s_alloc(spill->env, (size_t)size + 1);
    key->offsets = s3s_calloc(spill->env, 2, sizeof *key->offsets);
    if (key->bytes == NULL || key->offsets == NULL)
        return s3s_fail_memory(err, (size_t)size);
    memcpy(key->bytes, from->bytes + first, (size_t)size);
    key->offsets[1] = size;
    return S3STORE_OK;
}

/* Adds a row to those chosen, or puts it in the place of the last one. */
static s3store_status choose(scan_spill *spill, size_t i, s3store_error *err)
{
    const run *r = &spill->runs[i];
    bool latest = spill->o.mode == S3S_SCAN_LATEST;
    bool same = spill->has_last && s3s_sort_keys_compare(&spill->last_key, 0, &r->keys,
                                                         (size_t)r->row) == 0;
    if (same && !latest && r->versions[r->row] == spill->last_version)
        return S3STORE_OK; /* a replica: the first stays */
    if (same && latest)
        spill->row_count--; /* versions rise: this one is higher, or equal and later */
    spill->rows[spill->row_count++] =
        (s3s_row){.batch = (uint32_t)(i - spill->from), .row = (uint32_t)r->row};
    return remember(spill, r, same, err);
}

/* Runs that have ended have no batch; none of the rows is theirs. */
static void point_at_sources(scan_spill *spill)
{
    size_t runs = spill->run_count - spill->from;
    const struct ArrowArray *some = &spill->last;
    for (size_t i = 0; i < runs && some->release == NULL; i++)
        some = &spill->runs[spill->from + i].batch;
    for (size_t i = 0; i <= runs; i++) {
        const struct ArrowArray *batch =
            i < runs ? &spill->runs[spill->from + i].batch : &spill->last;
        spill->sources[i] = batch->release != NULL ? batch : some;
    }
}

/* Copies out the chosen rows, before a batch that they may lie in goes. LATEST keeps the last one
 * back: a later version of its entity may follow. */
static s3store_status copy_out(scan_spill *spill, bool at_end, struct ArrowArray *out,
                               s3store_error *err)
{
    const s3s_schema *schema = spill->o.plan->merge;
    size_t sources = spill->run_count - spill->from + 1, count = spill->row_count;
    bool keeps = spill->o.mode == S3S_SCAN_LATEST && !at_end && count > 0;
    struct ArrowArray kept = {0};
    s3store_status status = S3STORE_OK;
    point_at_sources(spill);
    if (keeps) {
        count--;
        status = s3s_batch_take(spill->env, schema, spill->sources, sources, spill->rows + count, 1,
                                NULL, schema->field_count, &kept, err);
    }
    if (status == S3STORE_OK && count > 0)
        status = s3s_batch_take(spill->env, schema, spill->sources, sources, spill->rows, count,
                                NULL, schema->field_count, out, err);
    s3s_array_release(&spill->last);
    spill->last = kept;
    spill->row_count = 0;
    if (keeps)
        spill->rows[spill->row_count++] = (s3s_row){.batch = (uint32_t)(sources - 1)};
    return status;
}

/* The next rows of the merge, or END. */
static s3store_status next_rows(scan_spill *spill, struct ArrowArray *out, s3store_error *err)
{
    memset(out, 0, sizeof *out);
    s3store_status status = s3s_call_check(spill->env, spill->o.call, err);
    while (status == S3STORE_OK && spill->heap_count > 0) {
        const run *r = &spill->runs[spill->heap[0]];
        status = choose(spill, spill->heap[0], err);
        bool exhausted = r->row + 1 >= r->batch.length;
        if (status == S3STORE_OK && (exhausted || spill->row_count >= spill->chunk_rows))
            status = copy_out(spill, false, out, err);
        if (status == S3STORE_OK)
            status = advance(spill, err);
        if (status == S3STORE_OK && out->release != NULL)
            return S3STORE_OK;
    }
    if (status == S3STORE_OK) {
        status = copy_out(spill, true, out, err);
        if (status == S3STORE_OK)
            return out->release != NULL ? S3STORE_OK : S3STORE_END;
    }
    s3s_array_release(out);
    return status;
}

/* Puts the runs from `from` on together into one. */
static s3store_status join_runs(scan_spill *spill, size_t from, s3store_error *err)
{
    run joined;
    s3store_status status =
        new_run(spill, spill->runs[from].level + 1, &joined, err);
    if (status == S3STORE_OK)
        status = begin_merge(spill, from, err);
    while (status == S3STORE_OK) {
        struct ArrowArray chunk = {0};
        status = next_rows(spill, &chunk, err);
        if (status == S3STORE_OK)
            status = s3s_spill_file_write(spill->env, &joined.file, spill->o.dir,
                                          spill->o.plan->merge, &chunk, err);
        s3s_array_release(&chunk);
    }
    end_merge(spill);
    if (status != S3STORE_END) {
        s3s_spill_file_close(&joined.file);
        return status;
    }
    for (size_t i = from; i < spill->run_count; i++)
        close_run(spill->env, &spill->runs[i]);
    spill->run_count = from;
    spill->runs[spill->run_count++] = joined;
    return S3STORE_OK;
}

/* Runs of one level at the end, when there are enough of them to be joined. */
static bool is_full_level(const scan_spill *spill, size_t *from)
{
    if (spill->run_count < FAN_IN)
        return false;
    *from = spill->run_count - FAN_IN;
    return spill->runs[*from].level == spill->runs[spill->run_count - 1].level;
}

static s3store_status flush_and_join(scan_spill *spill, s3store_error *err)
{
    size_t from;
    s3store_status status = flush_run(spill, err);
    while (status == S3STORE_OK && is_full_level(spill, &from))
        status = join_runs(spill, from, err);
    return status;
}

/* ---- from outside ------------------------------------------------------------------------------ */

s3store_status s3s_scan_spill_add(scan_spill *spill, struct ArrowArray *batch, s3store_error *err)
{
    if (spill->held_count == spill->held_capacity) {
        size_t capacity = spill->held_capacity == 0 ? 16 : spill->held_capacity * 2;
        struct ArrowArray *grown =
            s3s_realloc(spill->env, spill->held, capacity * sizeof *grown);
        if (grown == NULL) {
            s3s_array_release(batch);
            return s3s_fail_memory(err, capacity * sizeof *grown);
        }
        spill->held = grown;
        spill->held_capacity = capacity;
    }
    spill->held_bytes += s3s_scan_merge_bytes(spill->o.plan, batch);
    spill->held_rows += batch->length;
    spill->held[spill->held_count++] = *batch;
    batch->release = NULL;
    return spill->held_bytes >= spill->o.run_bytes ? flush_and_join(spill, err) : S3STORE_OK;
}

s3store_status s3s_scan_spill_finish(scan_spill *spill, s3store_error *err)
{
    s3store_status status = flush_and_join(spill, err);
    while (status == S3STORE_OK && spill->run_count > 2 * FAN_IN)
        status = join_runs(spill, spill->run_count - FAN_IN, err);
    return status == S3STORE_OK ? begin_merge(spill, 0, err) : status;
}

s3store_status s3s_scan_spill_next(scan_spill *spill, struct ArrowArray *out, s3store_error *err)
{
    return next_rows(spill, out, err);
}
