/* parquet/cursor_rows.c: the rows of a row group as batches.
 *
 * All columns advance together in steps, so that a batch can end where the memory or the 32-bit
 * offsets of any column end. A column that got further than the batch keeps its surplus rows.
 */
#include "base/error.h"
#include "parquet/cursor_private.h"
#include "parquet/nest.h"

#define STEP_MAX ((size_t)1 << 16)
#define PIECE_ROWS ((size_t)16384) /* of a column, that one thread decodes before it looks again */
#define AHEAD_PART 4 /* of a row group's bytes: columns with that much are read ahead */
#define SIDE_BY_SIDE_MIN 4096 /* rows of a step that are worth waking threads for */
#define SIDE_BY_SIDE_BYTES (128 << 10) /* and of a row group */
#define WINDOW_MIN ((size_t)64 << 10)

static uint64_t chunk_bytes(const s3s_leaf_reader *r)
{
    return r->pages.place.end - r->pages.place.begin;
}

static void sort_readers(s3s_parquet_cursor *c)
{
    for (size_t i = 0; i < c->reader_count; i++)
        c->order[i] = (s3s_weighed){chunk_bytes(&c->readers[i]), i};
    s3s_weighed_sort(c->order, c->reader_count);
}

/* ---- pages ahead ----------------------------------------------------------------------------- */

/* A column that takes much of the time shall not be one piece of work: its pages are decompressed
 * by another thread, while those before are decoded, and while the caller uses what it got. */

/* One item for each column that wants pages, but whoever runs it looks at all of them. */
static s3store_status fill_ahead(void *ctx, size_t item, s3store_error *err)
{
    s3s_parquet_cursor *c = ctx;
    (void)err;
    for (size_t i = 0; i < c->reader_count; i++) {
        s3s_leaf_reader *r = &c->readers[(item + i) % c->reader_count];
        if (r->ahead != NULL)
            s3s_leaf_ahead_fill(r->ahead);
    }
    return S3STORE_OK;
}

static void push_ahead(s3s_parquet_cursor *c)
{
    size_t wants = 0;
    if (c->queue == NULL)
        return;
    for (size_t i = 0; i < c->reader_count; i++)
        wants += s3s_leaf_ahead_wants(&c->readers[i]);
    for (size_t waiting = wants > 0 ? s3s_queue_waiting(c->queue) : 0; waiting < wants; waiting++)
        s3s_queue_push(c->queue);
}

/* A source whose reads cost may not be there between calls. */
void s3s_cursor_allow_ahead(s3s_parquet_cursor *c, bool in_call)
{
    const s3s_parquet_source *source = &c->file->source;
    if (c->queue == NULL)
        return;
    if (source->memory == NULL && source->read_bytes == 0)
        for (size_t i = 0; i < c->reader_count; i++)
            s3s_leaf_ahead_allow(&c->readers[i], in_call);
    push_ahead(c);
}

static s3store_status begin_ahead(s3s_parquet_cursor *c, const s3s_pq_chunk *chunks,
                                  s3store_error *err)
{
    const s3s_leaf *leaves = c->file->schema.leaves;
    uint64_t all = 0;
    s3store_status status = S3STORE_OK;
    if (c->queue != NULL) /* who still looks for work finds none; then nobody looks at readers */
        status = s3s_queue_catch_up(c->queue, 0, err);
    if (c->prune.term_count > 0)
        return status;
    for (size_t i = 0; i < c->reader_count; i++) {
        int64_t bytes = chunks[c->readers[i].leaf - leaves].column.uncompressed_size;
        all += bytes > 0 ? (uint64_t)bytes : 0;
    }
    for (size_t i = 0; i < c->reader_count && status == S3STORE_OK; i++) {
        s3s_leaf_reader *r = &c->readers[i];
        int64_t bytes = chunks[r->leaf - leaves].column.uncompressed_size;
        if (bytes <= 0 || (uint64_t)bytes < all / AHEAD_PART ||
            r->pages.place.codec->id == S3S_PQ_UNCOMPRESSED)
            continue;
        if (c->queue == NULL)
            status = s3s_queue_new(c->pool, c->fan.limit, fill_ahead, c, &c->queue, err);
        if (status == S3STORE_OK)
            status = s3s_leaf_ahead_begin(r, err);
        if (status == S3STORE_OK)
            s3s_leaf_ahead_allow(r, true);
    }
    c->fan.queue = c->queue;
    return status;
}

s3store_status s3s_cursor_begin_group(s3s_parquet_cursor *c, s3store_error *err)
{
    const s3s_parquet_file *file = c->file;
    const s3s_pq_row_group *group = s3s_parquet_group(file, c->group);
    const s3s_pq_chunk *chunks = group->columns.items;
    uint64_t share = s3s_budget_free(&file->budget) / 4 / (c->reader_count + 1);
    size_t window = share < WINDOW_MIN ? WINDOW_MIN : share < SIZE_MAX ? (size_t)share : SIZE_MAX;
    for (size_t i = 0; i < c->reader_count; i++) {
        s3s_leaf_reader *reader = &c->readers[i];
        s3s_chunk_place place;
        s3store_status status =
            s3s_chunk_place_of(&chunks[reader->leaf - file->schema.leaves], reader->leaf,
                               file->footer_at, &place, err);
        if (status == S3STORE_OK && reader->levels == NULL &&
            place.num_values != group->num_rows)
            status = s3s_fail(err, S3STORE_CORRUPT, "%lld values in a row group of %lld rows",
                              (long long)place.num_values, (long long)group->num_rows);
        if (status != S3STORE_OK)
            return s3s_parquet_in_column(err, file, reader->leaf->path, status);
        s3s_leaf_reader_begin(reader, &place, group->num_rows, window);
    }
    c->group++;
    c->row_at = 0;
    if (c->pool == NULL)
        return S3STORE_OK;
    sort_readers(c);
    return begin_ahead(c, chunks, err);
}

s3store_status s3s_cursor_fail(s3s_parquet_cursor *c, const s3s_leaf_reader *r,
                               s3store_status status, s3store_error *err)
{
    s3s_context(err, "page at byte %llu", (unsigned long long)r->page_at);
    return s3s_parquet_in_column(err, c->file, r->leaf->path, status);
}

typedef struct step_work {
    s3s_parquet_cursor *cursor;
    size_t target;
    size_t begin, pieces; /* in chains: from where all go on, and by how many pieces */
} step_work;

static s3store_status step_reader(s3s_parquet_cursor *c, size_t i, size_t target,
                                  s3store_error *err)
{
    s3s_leaf_reader *r = &c->readers[i];
    size_t have = s3s_leaf_reader_rows(r), got;
    if (have >= target)
        return S3STORE_OK;
    s3store_status status = s3s_leaf_reader_read(r, target - have, &got, err);
    return status == S3STORE_OK ? status : s3s_cursor_fail(c, r, status, err);
}

static s3store_status step_item(void *ctx, size_t item, s3store_error *err)
{
    step_work *work = ctx;
    return step_reader(work->cursor, work->cursor->order[item].item, work->target, err);
}

static s3store_status step_piece(void *ctx, size_t i, size_t piece, s3store_error *err)
{
    step_work *work = ctx;
    s3s_parquet_cursor *c = work->cursor;
    if (s3s_leaf_reader_rows(&c->readers[i]) < work->begin + piece * PIECE_ROWS)
        return S3STORE_OK; /* no further row fits this batch */
    size_t end = work->begin + (piece + 1) * PIECE_ROWS;
    return step_reader(c, i, end < work->target ? end : work->target, err);
}

/* Of a piece, as it was measured; till then as many bytes as it has to look at. */
static uint64_t weigh(const s3s_parquet_cursor *c, size_t i)
{
    const s3s_chain_cost *cost = &c->costs[i];
    return cost->pieces > 0 ? 16 * cost->us / cost->pieces : chunk_bytes(&c->readers[i]);
}

static s3store_status step_in_chains(s3s_parquet_cursor *c, step_work *work, s3store_error *err)
{
    size_t n = c->reader_count;
    work->begin = work->target;
    for (size_t i = 0; i < n; i++) {
        size_t have = s3s_leaf_reader_rows(&c->readers[i]);
        work->begin = have < work->begin ? have : work->begin;
    }
    work->pieces = (work->target - work->begin + PIECE_ROWS - 1) / PIECE_ROWS;
    for (size_t i = 0; i < n; i++)
        c->chains[i] = (s3s_chain){.weight = weigh(c, i), .pieces = work->pieces};
    s3store_status status =
        s3s_chains_run(c->file->env, c->pool, &c->fan, c->chains, n, step_piece, work, err);
    for (size_t i = 0; i < n; i++) {
        s3s_chain_cost *cost = &c->costs[i];
        *cost = (s3s_chain_cost){cost->us / 2 + c->chains[i].us, cost->pieces / 2 + work->pieces};
    }
    return status;
}

/* Many rows, or a page to be decompressed; not in a small file. */
static bool is_worth_threads(const s3s_parquet_cursor *c, size_t target)
{
    if (c->file->spread_little)
        return true;
    if (s3s_parquet_row_group_bytes(c->file, c->group - 1) < SIDE_BY_SIDE_BYTES)
        return false;
    for (size_t i = 0; i < c->reader_count && target < SIDE_BY_SIDE_MIN; i++)
        if (s3s_leaf_reader_page_rows(&c->readers[i]) == 0)
            return true;
    return target >= SIDE_BY_SIDE_MIN;
}

/* Brings every column to `target` rows, as far as each can; lowers *target to what all have. */
static s3store_status step(s3s_parquet_cursor *c, size_t *target, s3store_error *err)
{
    size_t reached = *target;
    s3store_status status = S3STORE_OK;
    step_work work = {.cursor = c, .target = *target};
    bool side_by_side = c->pool != NULL && is_worth_threads(c, *target);
    push_ahead(c);
    if (side_by_side && c->chains != NULL)
        status = step_in_chains(c, &work, err);
    else if (side_by_side)
        status = s3s_fan_out(c->pool, c->reader_count, step_item, &work, &c->fan, err);
    else
        for (size_t i = 0; i < c->reader_count && status == S3STORE_OK; i++)
            status = step_reader(c, i, *target, err);
    for (size_t i = 0; i < c->reader_count && status == S3STORE_OK; i++) {
        size_t rows = s3s_leaf_reader_rows(&c->readers[i]);
        reached = rows < reached ? rows : reached;
    }
    *target = reached;
    return status;
}

static uint64_t decoded_bytes(const s3s_parquet_cursor *c)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < c->reader_count; i++)
        bytes += s3s_leaf_reader_bytes(&c->readers[i]);
    return bytes;
}

/* Decodes rows until the batch is full: *rows of them are there in every column. */
s3store_status s3s_cursor_fill_batch(s3s_parquet_cursor *c, size_t *rows, s3store_error *err)
{
    int64_t wanted = c->rows_left < c->max_rows ? c->rows_left : c->max_rows;
    uint64_t allowance = c->file->budget.max / 4;
    size_t done = 0, next = c->step_rows;
    if (c->reader_count == 0) {
        *rows = (size_t)wanted;
        return S3STORE_OK;
    }
    while ((int64_t)done < wanted) {
        size_t target = (int64_t)next < wanted - (int64_t)done ? done + next : (size_t)wanted;
        size_t asked = target;
        s3store_status status = step(c, &target, err);
        if (status != S3STORE_OK)
            return status;
        done = target;
        uint64_t bytes = decoded_bytes(c);
        if (target < asked || bytes >= allowance)
            break;
        uint64_t per_row = bytes / (done + 1) + 1;
        uint64_t fits = (allowance - bytes) / per_row + 1;
        next = fits < STEP_MAX ? (size_t)fits : STEP_MAX;
    }
    /* Threads meet at the end of a step: they begin with a large one where rows were small so far. */
    c->step_rows = c->pool != NULL && done > 0 ? next : S3S_CURSOR_STEP_FIRST;
    *rows = done;
    return S3STORE_OK;
}

s3store_status s3s_cursor_take_column(s3s_parquet_cursor *c, const s3s_cursor_column *column,
                                      size_t rows, struct ArrowArray *out, s3store_error *err)
{
    const s3s_file_schema *schema = &c->file->schema;
    s3s_leaf_reader *readers = &c->readers[column->first_reader];
    const size_t *nests = &schema->first_nest[column->column];
    if (nests[0] == nests[1])
        return s3s_sink_take(&readers->sink, (int64_t)rows, out, err);
    return s3s_nest_take(readers, column->reader_count, schema->first_leaf[column->column],
                         &schema->nests[nests[0]], nests[1] - nests[0], rows, out, err);
}

typedef struct take_work {
    s3s_parquet_cursor *cursor;
    size_t rows;
    struct ArrowArray *columns;
} take_work;

static s3store_status take_item(void *ctx, size_t i, s3store_error *err)
{
    take_work *work = ctx;
    s3s_parquet_cursor *c = work->cursor;
    s3store_status status =
        s3s_cursor_take_column(c, &c->columns[i], work->rows, &work->columns[i], err);
    return status == S3STORE_OK
               ? status
               : s3s_parquet_in_column(err, c->file, c->schema->fields[i].name, status);
}

static s3store_status take_piece(void *ctx, size_t chain, size_t piece, s3store_error *err)
{
    (void)piece;
    return take_item(ctx, chain, err);
}

static s3store_status take_in_chains(s3s_parquet_cursor *c, take_work *work, s3store_error *err)
{
    for (size_t i = 0; i < c->column_count; i++) {
        const s3s_cursor_column *column = &c->columns[i];
        uint64_t bytes = 0;
        for (size_t k = 0; k < column->reader_count; k++)
            bytes += s3s_leaf_reader_bytes(&c->readers[column->first_reader + k]);
        c->chains[i] = (s3s_chain){.pieces = 1, .weight = bytes};
    }
    return s3s_chains_run(c->file->env, c->pool, &c->fan, c->chains, c->column_count, take_piece,
                          work, err);
}

s3store_status s3s_cursor_take_batch(s3s_parquet_cursor *c, size_t rows, struct ArrowArray *out,
                                     s3store_error *err)
{
    s3s_env *env = c->file->env;
    struct ArrowArray *columns = s3s_calloc(env, c->column_count + 1, sizeof *columns);
    if (columns == NULL)
        return s3s_fail_memory(err, c->column_count * sizeof *columns);
    s3store_status status = S3STORE_OK;
    take_work work = {c, rows, columns};
    bool worth_it = (c->nested || c->column_count > 8) && rows >= SIDE_BY_SIDE_MIN;
    bool side_by_side = c->pool != NULL && (worth_it || c->file->spread_little);
    if (side_by_side && c->chains != NULL && c->column_count <= c->reader_count)
        status = take_in_chains(c, &work, err);
    else if (side_by_side)
        status = s3s_fan_out(c->pool, c->column_count, take_item, &work, &c->fan, err);
    else
        for (size_t i = 0; i < c->column_count && status == S3STORE_OK; i++)
            status = take_item(&work, i, err);
    if (status == S3STORE_OK) {
        status = s3s_batch_make(env, columns, c->column_count, (int64_t)rows, out, err);
    } else {
        for (size_t k = 0; k < c->column_count; k++)
            s3s_array_release(&columns[k]);
    }
    s3s_free(env, columns);
    return status;
}
