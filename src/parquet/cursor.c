/* parquet/cursor.c: row groups as batches.
 *
 * All columns advance together in steps, so that a batch can end where the memory or the 32-bit
 * offsets of any column end. A column that got further than the batch keeps its surplus rows.
 */
#include "base/error.h"
#include "parquet/chains.h"
#include "parquet/file.h"
#include "parquet/leaf_reader.h"
#include "parquet/nest.h"
#include "parquet/selection.h"

#define STEP_FIRST 1024
#define STEP_MAX ((size_t)1 << 16)
#define PIECE_ROWS ((size_t)16384) /* of a column, that one thread decodes before it looks again */
#define AHEAD_PART 4 /* of a row group's bytes: columns with that much are read ahead */
#define SIDE_BY_SIDE_MIN 4096 /* rows of a step that are worth waking threads for */
#define SIDE_BY_SIDE_BYTES (128 << 10) /* and of a row group */
#define WINDOW_MIN ((size_t)64 << 10)

typedef struct cursor_column {
    size_t column; /* of the file */
    size_t first_reader, reader_count;
} cursor_column;

/* What a chain has cost so far, the latest most. */
typedef struct chain_cost {
    uint64_t us, pieces;
} chain_cost;

struct s3s_parquet_cursor {
    s3s_parquet_file *file;
    s3s_schema *schema;
    cursor_column *columns;
    size_t column_count;
    s3s_leaf_reader *readers; /* of the columns, one after the other */
    size_t reader_count;
    s3s_pool *pool; /* NULL = one thread */
    s3s_fan_options fan;
    bool nested;    /* any of them is: putting arrays together takes time */
    s3s_chain *chains;  /* of readers; NULL = they are too many */
    chain_cost *costs;  /* of those */
    s3s_queue *queue;   /* what reads pages ahead; NULL = nothing does */
    s3s_weighed *order; /* of readers then: the largest chunk first, so that threads end together */
    int64_t max_rows;
    size_t step_rows; /* what the rows so far let fit into a step */
    size_t group;      /* the next one to begin */
    int64_t rows_left; /* of the current one, or of the current range of it */
    s3s_prune prune;
    s3s_selection *selections; /* of each row group, as far as it was asked for; NULL = none */
    const s3s_leaf **leaves;   /* of the readers */
    s3s_selection current; /* of the current group; rows that are left out lie between its ranges */
    size_t range_at;       /* the next one */
    int64_t row_at;    /* in the group: where the readers are once rows_left is 0 */
    s3store_status failed; /* sticky */
    s3store_error error;
};

static s3store_status check_column(const s3s_parquet_file *file, size_t column, s3store_error *err)
{
    const s3s_schema *schema = file->schema.schema;
    if (column >= schema->field_count)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: there is no column %zu", file->name,
                        column);
    return S3STORE_OK;
}

static s3store_status open_readers(s3s_parquet_cursor *c, const size_t *columns, size_t count,
                                   s3store_error *err)
{
    s3s_parquet_file *file = c->file;
    size_t all = 0;
    c->columns = s3s_calloc(file->env, count + 1, sizeof *c->columns);
    if (c->columns == NULL)
        return s3s_fail_memory(err, count * sizeof *c->columns);
    c->column_count = count;
    for (size_t i = 0; i < count; i++) {
        const size_t *first = &file->schema.first_leaf[columns[i]];
        c->columns[i] = (cursor_column){columns[i], all, first[1] - first[0]};
        all += first[1] - first[0];
    }
    c->readers = s3s_calloc(file->env, all + 1, sizeof *c->readers);
    c->leaves = s3s_calloc(file->env, all + 1, sizeof *c->leaves);
    c->order = s3s_calloc(file->env, all + 1, sizeof *c->order);
    c->costs = s3s_calloc(file->env, all + 1, sizeof *c->costs);
    if (all <= S3S_CHAINS_MAX)
        c->chains = s3s_calloc(file->env, all + 1, sizeof *c->chains);
    if (c->readers == NULL || c->leaves == NULL || c->order == NULL || c->costs == NULL ||
        (c->chains == NULL && all <= S3S_CHAINS_MAX))
        return s3s_fail_memory(err, all * sizeof *c->readers);
    for (size_t i = 0; i < count; i++) {
        const s3s_leaf *leaf = &file->schema.leaves[file->schema.first_leaf[columns[i]]];
        for (size_t k = 0; k < c->columns[i].reader_count; k++) {
            c->leaves[c->reader_count] = &leaf[k];
            s3s_leaf_reader *reader = &c->readers[c->reader_count++]; /* counted: to be undone */
            s3store_status status = s3s_leaf_reader_init(reader, file->env, &file->budget,
                                                         file->source, &leaf[k], err);
            reader->pages.blocks = &file->blocks;
            c->nested = c->nested || !leaf[k].flat;
            if (status != S3STORE_OK)
                return status;
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_parquet_cursor_new(s3s_parquet_file *file, const size_t *columns,
                                      size_t column_count, int64_t max_rows,
                                      s3s_parquet_cursor **out, s3store_error *err)
{
    *out = NULL;
    size_t count = columns == NULL ? file->schema.schema->field_count : column_count;
    s3s_parquet_cursor *c = s3s_calloc(file->env, 1, sizeof *c);
    if (c == NULL)
        return s3s_fail_memory(err, sizeof *c);
    c->file = file;
    s3s_arena_init(&c->prune.arena, file->env);
    c->max_rows = max_rows > 0 ? max_rows : INT64_MAX;
    c->step_rows = STEP_FIRST;
    s3store_status status = S3STORE_OK;
    size_t *selected = s3s_calloc(file->env, count + 1, sizeof *selected);
    if (selected == NULL) {
        s3s_parquet_cursor_free(c);
        return s3s_fail_memory(err, count * sizeof *selected);
    }
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        selected[i] = columns == NULL ? i : columns[i];
        status = check_column(file, selected[i], err);
    }
    if (status == S3STORE_OK)
        status = s3s_schema_select(file->schema.schema, selected, count, &c->schema, err);
    if (status == S3STORE_OK)
        status = open_readers(c, selected, count, err);
    s3s_free(file->env, selected);
    if (status != S3STORE_OK)
        s3s_parquet_cursor_free(c);
    else
        *out = c;
    return status;
}

static void forget_selections(s3s_parquet_cursor *c)
{
    for (size_t g = 0; c->selections != NULL && g < s3s_parquet_row_group_count(c->file); g++)
        s3s_selection_deinit(&c->selections[g]);
    s3s_free(c->file->env, c->selections);
    c->selections = NULL;
}

void s3s_parquet_cursor_free(s3s_parquet_cursor *c)
{
    if (c == NULL)
        return;
    s3s_queue_free(c->queue); /* nobody reads ahead any more */
    for (size_t i = 0; i < c->reader_count; i++)
        s3s_leaf_reader_deinit(&c->readers[i]);
    s3s_env *env = c->file->env;
    forget_selections(c);
    s3s_selection_deinit(&c->current);
    s3s_prune_deinit(&c->prune);
    s3s_free(env, c->readers);
    s3s_free(env, c->leaves);
    s3s_free(env, c->order);
    s3s_free(env, c->chains);
    s3s_free(env, c->costs);
    s3s_free(env, c->columns);
    s3s_schema_release(c->schema);
    s3s_free(env, c);
}

s3store_status s3s_parquet_cursor_where(s3s_parquet_cursor *c,
                                        const s3s_parquet_predicate *predicates, size_t count,
                                        s3store_error *err)
{
    if (c->group > 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: predicates after the first batch",
                        c->file->name);
    forget_selections(c);
    s3s_prune_deinit(&c->prune);
    return s3s_prune_init(&c->prune, c->file, predicates, count, err);
}

static s3store_status select_rows(s3s_parquet_cursor *c, size_t group, s3s_selection **out,
                                  s3store_error *err)
{
    size_t groups = s3s_parquet_row_group_count(c->file);
    if (c->selections == NULL)
        c->selections = s3s_calloc(c->file->env, groups + 1, sizeof *c->selections);
    if (c->selections == NULL)
        return s3s_fail_memory(err, groups * sizeof *c->selections);
    s3s_selection *s = *out = &c->selections[group];
    return s->known ? S3STORE_OK
                    : s3s_selection_make(s, &c->prune, c->file, group, c->leaves, c->reader_count,
                                         err);
}

s3store_status s3s_parquet_cursor_group_rows(s3s_parquet_cursor *c, size_t group, int64_t *rows,
                                             s3store_error *err)
{
    s3s_selection *s = NULL;
    s3store_status status = select_rows(c, group, &s, err);
    *rows = status == S3STORE_OK ? s3s_selection_rows(s) : 0;
    return status;
}

s3store_status s3s_parquet_cursor_ranges(s3s_parquet_cursor *c, size_t group, uint64_t gap_bytes,
                                         s3s_byte_range *ranges, size_t *range_count,
                                         size_t range_max, s3store_error *err)
{
    s3s_selection *s = NULL;
    s3s_buffer all;
    s3s_buffer_init(&all, c->file->env, SIZE_MAX);
    *range_count = 0;
    s3store_status status = select_rows(c, group, &s, err);
    if (status == S3STORE_OK)
        status = s3s_selection_bytes(s, c->file, group, c->leaves, c->reader_count, &all, err);
    s3s_byte_range *found = (void *)all.data;
    size_t count = all.size / sizeof *found;
    count = status == S3STORE_OK && count > 0 ? s3s_byte_ranges_merge(found, count, gap_bytes) : 0;
    /* Rather a few bytes too many than too many ranges. */
    for (; count > range_max && gap_bytes < UINT64_MAX / 4; gap_bytes = gap_bytes * 4 + 4096)
        count = s3s_byte_ranges_merge(found, count, gap_bytes);
    if (count > range_max)
        status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "more than %zu byte ranges", range_max);
    else if (count > 0)
        memcpy(ranges, found, count * sizeof *ranges);
    *range_count = status == S3STORE_OK ? count : 0;
    s3s_buffer_deinit(&all);
    return status;
}

s3s_byte_range s3s_parquet_cursor_index_range(const s3s_parquet_cursor *c)
{
    return s3s_prune_index_range(&c->prune, c->file, c->leaves, c->reader_count);
}

void s3s_parquet_cursor_use_pool(s3s_parquet_cursor *c, s3s_pool *pool, size_t threads)
{
    c->pool = threads == 1 || s3s_env_is_simulated(c->file->env) ? NULL : pool;
    c->fan.limit = threads;
}

const s3s_schema *s3s_parquet_cursor_schema(const s3s_parquet_cursor *cursor)
{
    return cursor->schema;
}

/* ---- one row group --------------------------------------------------------------------------- */

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
static void allow_ahead(s3s_parquet_cursor *c, bool in_call)
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
    if (c->queue != NULL) /* those who still look for work find none; then nobody looks at readers */
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

static s3store_status begin_group(s3s_parquet_cursor *c, s3store_error *err)
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

static s3store_status fail_in_reader(s3s_parquet_cursor *c, const s3s_leaf_reader *r,
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
    return status == S3STORE_OK ? status : fail_in_reader(c, r, status, err);
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
    const chain_cost *cost = &c->costs[i];
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
        chain_cost *cost = &c->costs[i];
        *cost = (chain_cost){cost->us / 2 + c->chains[i].us, cost->pieces / 2 + work->pieces};
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
static s3store_status fill_batch(s3s_parquet_cursor *c, size_t *rows, s3store_error *err)
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
    c->step_rows = c->pool != NULL && done > 0 ? next : STEP_FIRST;
    *rows = done;
    return S3STORE_OK;
}

static s3store_status take_column(s3s_parquet_cursor *c, const cursor_column *column, size_t rows,
                                  struct ArrowArray *out, s3store_error *err)
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
        take_column(c, &c->columns[i], work->rows, &work->columns[i], err);
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
        const cursor_column *column = &c->columns[i];
        uint64_t bytes = 0;
        for (size_t k = 0; k < column->reader_count; k++)
            bytes += s3s_leaf_reader_bytes(&c->readers[column->first_reader + k]);
        c->chains[i] = (s3s_chain){.pieces = 1, .weight = bytes};
    }
    return s3s_chains_run(c->file->env, c->pool, &c->fan, c->chains, c->column_count, take_piece,
                          work, err);
}

static s3store_status take_batch(s3s_parquet_cursor *c, size_t rows, struct ArrowArray *out,
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

/* ---- leaving rows out ------------------------------------------------------------------------ */

/* Rows of a column are decoded and dropped, at most as many as a step has. */
static s3store_status drop_rows(s3s_parquet_cursor *c, const cursor_column *column, size_t *rows,
                                s3store_error *err)
{
    size_t wanted = *rows < STEP_FIRST ? *rows : STEP_FIRST;
    for (size_t i = 0; i < column->reader_count; i++) {
        s3s_leaf_reader *r = &c->readers[column->first_reader + i];
        size_t have = s3s_leaf_reader_rows(r), got = 0;
        s3store_status status =
            have < wanted ? s3s_leaf_reader_read(r, wanted - have, &got, err) : S3STORE_OK;
        if (status != S3STORE_OK)
            return fail_in_reader(c, r, status, err);
        wanted = have + got < wanted ? have + got : wanted;
    }
    struct ArrowArray dropped;
    s3store_status status = take_column(c, column, wanted, &dropped, err);
    if (status != S3STORE_OK)
        return s3s_parquet_in_column(err, c->file,
                                     c->readers[column->first_reader].leaf->path, status);
    s3s_array_release(&dropped);
    *rows -= wanted;
    return S3STORE_OK;
}

/* To the page that holds row `target`, where the pages are known; then only what is needed of the
 * chunk is fetched: the dictionary, and pages up to that of the row before `end`. */
static s3store_status jump(s3s_parquet_cursor *c, const cursor_column *column, int64_t target,
                           int64_t end, s3store_error *err)
{
    s3s_leaf_reader *r = &c->readers[column->first_reader];
    s3s_thrift_list pages = s3s_selection_pages(&c->current, column->first_reader);
    if (pages.count == 0 || column->reader_count != 1)
        return S3STORE_OK;
    const s3s_pq_page_location *l = pages.items;
    const s3s_pq_page_location *to = &l[s3s_selection_page_of(&pages, target)];
    const s3s_pq_page_location *last = &l[s3s_selection_page_of(&pages, end - 1)];
    s3store_status status = S3STORE_OK;
    if (to->first_row > r->row_at && s3s_leaf_reader_page_rows(r) == 0)
        status = s3s_leaf_reader_jump(r, (uint64_t)l[0].offset, (uint64_t)to->offset,
                                      to->first_row - r->row_at, err);
    s3s_page_reader_fetch_until(&r->pages,
                                (uint64_t)last->offset + (uint64_t)last->compressed_size);
    return status == S3STORE_OK ? status : fail_in_reader(c, r, status, err);
}

/* To row `target`, which is ahead or here. */
static s3store_status skip_column(s3s_parquet_cursor *c, const cursor_column *column,
                                  int64_t target, int64_t end, s3store_error *err)
{
    s3s_leaf_reader *r = &c->readers[column->first_reader];
    size_t rows = (size_t)(target - c->row_at);
    /* The rest of a page that was begun is dropped first: it may end before the target. */
    while (rows > 0 && r->levels == NULL && s3s_leaf_reader_page_rows(r) > 0) {
        size_t page = s3s_leaf_reader_page_rows(r);
        size_t left = page < rows ? page : rows;
        rows -= left;
        while (left > 0) {
            s3store_status status = drop_rows(c, column, &left, err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    int64_t before = r->row_at;
    s3store_status status = jump(c, column, target, end, err);
    if (status != S3STORE_OK)
        return status;
    rows -= (size_t)(r->row_at - before);
    while (rows > 0) {
        size_t n = rows, page = r->levels == NULL ? s3s_leaf_reader_page_rows(r) : rows;
        if (page == 0) {
            status = s3s_leaf_reader_skip(r, rows, &n, err);
            if (status != S3STORE_OK)
                return fail_in_reader(c, r, status, err);
            rows -= n;
            page = n = rows;
        }
        size_t left = page < n ? page : n;
        rows -= left;
        while (left > 0) {
            status = drop_rows(c, column, &left, err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    return S3STORE_OK;
}

/* The selection of the next row group becomes the current one. */
static s3store_status next_group(s3s_parquet_cursor *c, s3store_error *err)
{
    s3s_selection *s = NULL;
    s3store_status status = select_rows(c, c->group, &s, err);
    if (status != S3STORE_OK || s == NULL)
        return status;
    s3s_selection_deinit(&c->current);
    c->current = *s;
    *s = (s3s_selection){0};
    c->range_at = 0;
    if (c->current.ranges.size > 0)
        return begin_group(c, err);
    c->group++;
    return S3STORE_OK;
}

/* Goes to the next range of rows, of this row group or a later one. */
static s3store_status next_range(s3s_parquet_cursor *c, s3store_error *err)
{
    while (!c->current.known || c->range_at == c->current.ranges.size / sizeof(s3s_row_range)) {
        if (c->group == s3s_parquet_row_group_count(c->file))
            return S3STORE_END;
        s3store_status status = next_group(c, err);
        if (status != S3STORE_OK)
            return status;
    }
    const s3s_row_range *range =
        (const s3s_row_range *)(const void *)c->current.ranges.data + c->range_at;
    for (size_t i = 0; i < c->column_count; i++) {
        s3store_status status =
            skip_column(c, &c->columns[i], range->begin, range->end, err);
        if (status != S3STORE_OK)
            return status;
    }
    c->range_at++;
    c->rows_left = range->end - range->begin;
    c->row_at = range->end;
    return S3STORE_OK;
}

static s3store_status next_batch(s3s_parquet_cursor *c, struct ArrowArray *out, s3store_error *err)
{
    while (c->rows_left == 0) {
        s3store_status status = next_range(c, err);
        if (status != S3STORE_OK)
            return status;
    }
    size_t rows = 0;
    allow_ahead(c, true);
    s3store_status status = fill_batch(c, &rows, err);
    if (status == S3STORE_OK)
        status = take_batch(c, rows, out, err);
    allow_ahead(c, false);
    if (status == S3STORE_OK)
        c->rows_left -= (int64_t)rows;
    return status;
}

s3store_status s3s_parquet_cursor_next(s3s_parquet_cursor *c, struct ArrowArray *out,
                                       s3store_error *err)
{
    memset(out, 0, sizeof *out);
    if (c->failed == S3STORE_OK) {
        s3store_error inner = {0};
        s3store_status status = next_batch(c, out, &inner);
        if (status == S3STORE_OK || status == S3STORE_END)
            return status;
        c->failed = status;
        c->error = inner;
    }
    if (err != NULL)
        *err = c->error;
    return c->failed;
}
