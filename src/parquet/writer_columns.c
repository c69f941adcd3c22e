/* parquet/writer_columns.c: columns are filled, one by one or side by side; full pages go to the
 * encoders. */
#include "parquet/writer_private.h"

#define SIDE_BY_SIDE_BYTES ((uint64_t)128 << 10) /* of rows that are worth waking threads for */
#define PIECE_ROWS ((size_t)16384) /* of a column, that one thread adds before it looks again */
#define PIECE_BYTES ((uint64_t)256 << 10)
#define AHEAD_BYTES ((size_t)8 << 20) /* of pages that are full, but not encoded */
#define DEFER_COLUMNS 16              /* so few that the memory of more pages does not matter */

static s3store_status add_to_column(const s3s_column_work *work, size_t i, size_t first,
                                    size_t count, s3store_error *err)
{
    s3s_parquet_writer *w = work->writer;
    s3s_column column;
    if (work->batch == NULL)
        return s3s_column_writer_close(&w->columns[i], err);
    s3s_batch_column(w->schema, work->batch, w->leaves[i].column, &column);
    return s3s_column_writer_add(&w->columns[i], &column, work->start + (int64_t)first, count, err);
}

static s3store_status work_on_column(const s3s_column_work *work, size_t i, s3store_error *err)
{
    return add_to_column(work, i, 0, work->count, err);
}

/* ---- columns side by side -------------------------------------------------------------------- */

/* Columns do not know each other, so their order is free. Where they are few, each is a chain of
 * pieces that fill pages. Pages that are full go to the encoders, where a column is one of few, or
 * holds much: threads that have nothing to add take them, also while the caller is elsewhere. */

static s3store_status work_on_item(void *ctx, size_t item, s3store_error *err)
{
    const s3s_column_work *work = ctx;
    if (work->beside != NULL && item == 0)
        return work->beside(work->beside_ctx, 0, err);
    return work_on_column(work, work->writer->order[item - (work->beside != NULL)].item, err);
}

static uint64_t bytes_so_far(const s3s_column_writer *c)
{
    return c->uncompressed_bytes + c->page->plain_bytes;
}

static s3store_status work_on_piece(void *ctx, size_t chain, size_t piece, s3store_error *err)
{
    const s3s_column_work *work = ctx;
    if (chain == 0)
        return work->beside(work->beside_ctx, 0, err);
    size_t first = piece * PIECE_ROWS, left = work->count - first;
    return add_to_column(work, chain - 1, first, left < PIECE_ROWS ? left : PIECE_ROWS, err);
}

static void make_chains(s3s_parquet_writer *w, const s3s_column_work *work)
{
    size_t pieces = work->batch == NULL ? 1 : (work->count + PIECE_ROWS - 1) / PIECE_ROWS;
    w->chains[0] = (s3s_chain){.pieces = work->beside != NULL, .weight = work->bytes};
    for (size_t i = 0; i < w->column_count; i++) {
        uint64_t weight = bytes_so_far(&w->columns[i]);
        if (work->batch != NULL)
            weight = weight / ((uint64_t)w->columns[i].rows + 1) * PIECE_ROWS;
        w->chains[1 + i] = (s3s_chain){.pieces = pieces, .weight = weight};
    }
}

/* Whose pages go to the encoders from now on; all do when the row group ends. */
static void defer_pages(s3s_parquet_writer *w, const s3s_column_work *work)
{
    uint64_t all = 0;
    w->defers = true;
    for (size_t i = 0; i < w->column_count; i++)
        all += bytes_so_far(&w->columns[i]);
    for (size_t i = 0; i < w->column_count; i++)
        if (work->batch == NULL || w->column_count <= DEFER_COLUMNS ||
            bytes_so_far(&w->columns[i]) > all / 4)
            w->columns[i].defer = true;
}

static s3store_status work_side_by_side(s3s_parquet_writer *w, s3s_column_work *work,
                                        s3store_error *err)
{
    w->fan.queue = w->encoders.queue;
    size_t chains = s3s_parquet_writer_chain_count(w);
    if (chains <= S3S_CHAINS_MAX) {
        make_chains(w, work);
        return s3s_chains_run(w->env, w->pool, &w->fan, w->chains, chains, work_on_piece, work,
                              err);
    }
    for (size_t i = 0; i < w->column_count; i++)
        w->order[i] = (s3s_weighed){bytes_so_far(&w->columns[i]), i};
    s3s_weighed_sort(w->order, w->column_count);
    return s3s_fan_out(w->pool, w->column_count + (work->beside != NULL), work_on_item, work,
                       &w->fan, err);
}

/* What is full goes to the encoders, and what they are ready with comes back. */
static s3store_status exchange_pages(s3s_parquet_writer *w, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    size_t most = AHEAD_BYTES / w->page_bytes;
    for (size_t i = 0; i < w->column_count && status == S3STORE_OK; i++)
        status = s3s_column_writer_push(&w->columns[i], err);
    if (status == S3STORE_OK)
        status = s3s_encoders_catch_up(&w->encoders, most > 2 ? most : 2, err);
    for (size_t i = 0; i < w->column_count && status == S3STORE_OK; i++)
        status = s3s_column_writer_collect(&w->columns[i], err);
    return status;
}

s3store_status s3s_parquet_writer_work(s3s_parquet_writer *w, s3s_column_work *work,
                                       s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    bool worth_it = work->batch == NULL ? w->group_bytes >= SIDE_BY_SIDE_BYTES
                                        : work->bytes >= SIDE_BY_SIDE_BYTES;
    worth_it = worth_it && (w->column_count > 1 || work->bytes >= PIECE_BYTES ||
                            work->beside != NULL);
    bool spread = w->pool != NULL && (worth_it || w->options.spread_little);
    if (spread || (w->pool != NULL && w->group_bytes >= w->page_bytes))
        defer_pages(w, work);
    if (spread) {
        s3s_encoders_share(&w->encoders);
        status = work_side_by_side(w, work, err);
        work->beside = NULL;
    } else {
        for (size_t i = 0; i < w->column_count && status == S3STORE_OK; i++)
            status = work_on_column(work, i, err);
    }
    return status == S3STORE_OK && work->batch != NULL && w->defers ? exchange_pages(w, err)
                                                                   : status;
}
