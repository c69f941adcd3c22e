/* parquet/writer.c: a file from its first batch to its end. */
#include "base/error.h"
#include "parquet/writer_private.h"

#define PAGE_BYTES_DEFAULT ((size_t)1 << 20)
#define PAGE_BYTES_MIN ((size_t)1 << 10)
#define PAGE_BYTES_MAX ((size_t)1 << 30)
#define GROUP_BYTES_DEFAULT ((size_t)128 << 20)
#define SLICE_ROWS_MAX 16384
#define PART_BYTES ((uint64_t)8 << 20) /* of rows: threads meet, and full pages go to be encoded */
#define BLOOM_BYTES_DEFAULT ((size_t)1 << 20)
#define BLOOM_BYTES_MAX ((size_t)64 << 20)
/* ---- opening --------------------------------------------------------------------------------- */

static const s3s_codec *choose_codec(s3store_compression compression)
{
    switch (compression) {
    case S3STORE_COMPRESSION_ZSTD:
        return s3s_codec_by_id(S3S_PQ_ZSTD);
    case S3STORE_COMPRESSION_GZIP:
        return s3s_codec_by_id(S3S_PQ_GZIP);
    case S3STORE_COMPRESSION_UNCOMPRESSED:
        return s3s_codec_by_id(S3S_PQ_UNCOMPRESSED);
    case S3STORE_COMPRESSION_DEFAULT:
    case S3STORE_COMPRESSION_SNAPPY:
        return s3s_codec_by_id(S3S_PQ_SNAPPY);
    }
    return NULL;
}

static s3store_status make_sorting(s3s_parquet_writer *w, const s3s_parquet_write_options *options,
                                   s3store_error *err)
{
    size_t count = options->sorting_column_count;
    s3s_pq_sorting *sorting = s3s_arena_calloc(&w->schema_arena, count + 1, sizeof *sorting);
    if (sorting == NULL)
        return s3s_fail_memory(err, count * sizeof *sorting);
    w->sorting = (s3s_thrift_list){sorting, count};
    for (size_t i = 0; i < count; i++) {
        size_t leaf = 0;
        while (leaf < w->column_count && w->leaves[leaf].column != options->sorting_columns[i])
            leaf++;
        if (leaf == w->column_count || w->leaves[leaf].step_count > 1)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "sorting column %zu: there is none, or it is nested",
                            options->sorting_columns[i]);
        sorting[i] = (s3s_pq_sorting){.has = 7, .column = (int32_t)leaf, .nulls_first = true};
    }
    return S3STORE_OK;
}

static size_t bloom_bytes(const s3s_parquet_write_options *options, size_t column)
{
    size_t max = options->bloom_bytes_max;
    max = max == 0 ? BLOOM_BYTES_DEFAULT : max < BLOOM_BYTES_MAX ? max : BLOOM_BYTES_MAX;
    for (size_t i = 0; i < options->bloom_column_count; i++)
        if (options->bloom_columns[i] == column)
            return max;
    return 0;
}

static s3store_status make_columns(s3s_parquet_writer *w, const s3s_column_options *column_options,
                                   const s3s_parquet_write_options *options, s3store_error *err)
{
    for (size_t i = 0; i < options->bloom_column_count; i++)
        if (options->bloom_columns[i] >= w->schema->field_count)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "bloom filter: there is no column %zu",
                            options->bloom_columns[i]);
    w->columns = s3s_arena_calloc(&w->schema_arena, w->column_count, sizeof *w->columns);
    w->order = s3s_arena_calloc(&w->schema_arena, w->column_count, sizeof *w->order);
    size_t chains = s3s_parquet_writer_chain_count(w);
    chains = chains <= S3S_CHAINS_MAX ? chains : 1;
    w->chains = s3s_arena_calloc(&w->schema_arena, chains, sizeof *w->chains);
    if (w->columns == NULL || w->order == NULL || w->chains == NULL)
        return s3s_fail_memory(err, w->column_count * sizeof *w->columns);
    for (size_t i = 0; i < w->column_count; i++) {
        s3s_column_options own = *column_options;
        own.bloom_bytes_max = bloom_bytes(options, w->leaves[i].column);
        s3store_status status =
            s3s_column_writer_init(&w->columns[i], w->env, &w->leaves[i], &own, &w->encoders, err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static void set_threads(s3s_parquet_writer *w, const s3s_parquet_write_options *options)
{
    w->pool = options->threads == 1 || s3s_env_is_simulated(w->env) ? NULL : options->pool;
    w->fan.limit = options->threads;
    s3s_encoders_use_pool(&w->encoders, w->pool, options->threads);
}

s3store_status s3s_parquet_writer_new(s3s_env *env, s3s_schema *schema,
                                      const s3s_parquet_write_options *options,
                                      s3s_parquet_sink sink, s3s_parquet_writer **out,
                                      s3store_error *err)
{
    static const s3s_parquet_write_options defaults = {0};
    *out = NULL;
    options = options != NULL ? options : &defaults;
    size_t page = options->page_bytes != 0 ? options->page_bytes : PAGE_BYTES_DEFAULT;
    page = page < PAGE_BYTES_MIN ? PAGE_BYTES_MIN : page < PAGE_BYTES_MAX ? page : PAGE_BYTES_MAX;
    s3s_column_options column = {.codec = choose_codec(options->compression),
                                 .page_bytes = page,
                                 .dictionary = !options->no_dictionary};
    if (column.codec == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "no compression has the number %d",
                        (int)options->compression);
    if (schema->field_count == 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a Parquet file needs at least one column");
    s3s_parquet_writer *w = s3s_calloc(env, 1, sizeof *w);
    if (w == NULL)
        return s3s_fail_memory(err, sizeof *w);
    w->env = env;
    w->schema = s3s_schema_retain(schema);
    w->sink = sink;
    w->options = *options;
    set_threads(w, options);
    w->page_bytes = page;
    w->row_group_bytes =
        options->row_group_bytes != 0 ? options->row_group_bytes : GROUP_BYTES_DEFAULT;
    w->indexable = true;
    s3s_arena_init(&w->arena, env);
    s3s_arena_init(&w->schema_arena, env);
    s3s_rope_init(&w->leaving, env);
    s3s_buffer *buffers[] = {&w->groups, &w->column_indexes, &w->offset_indexes, &w->index_places,
                             &w->footer};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        s3s_buffer_init(buffers[i], env, SIZE_MAX);
    s3store_status status = s3s_encoders_init(&w->encoders, env, err);
    if (status == S3STORE_OK)
        status = s3s_shred_schema(schema, &w->schema_arena, &w->elements, &w->leaves,
                                  &w->column_count, err);
    if (status == S3STORE_OK)
        status = make_sorting(w, options, err);
    if (status == S3STORE_OK)
        status = make_columns(w, &column, options, err);
    if (status != S3STORE_OK)
        s3s_parquet_writer_free(w);
    else
        *out = w;
    return status;
}

bool s3s_parquet_write_options_same(const s3s_parquet_write_options *a,
                                    const s3s_parquet_write_options *b)
{
    _Static_assert(sizeof(void *) != 8 || sizeof *a == 88,
                   "an option was added: compare it here, or say why not");
    /* Whatever pool and threads are, the bytes are the same; lists of columns may be gone. */
    return a->compression == b->compression && a->page_bytes == b->page_bytes &&
           a->row_group_bytes == b->row_group_bytes && a->no_dictionary == b->no_dictionary &&
           a->spread_little == b->spread_little &&
           a->sorting_column_count == 0 && b->sorting_column_count == 0 &&
           a->bloom_column_count == 0 && b->bloom_column_count == 0 &&
           a->bloom_bytes_max == b->bloom_bytes_max;
}

bool s3s_parquet_writer_restart(s3s_parquet_writer *w, const s3s_schema *schema,
                                const s3s_parquet_write_options *options, s3s_parquet_sink sink)
{
    if (!w->finished || !s3s_parquet_write_options_same(&w->options, options) ||
        !s3s_schema_equal(w->schema, schema))
        return false;
    /* The columns were made ready for the next row group when the last one was written. */
    s3s_arena_reset(&w->arena);
    s3s_buffer_clear(&w->groups);
    s3s_buffer_clear(&w->column_indexes);
    s3s_buffer_clear(&w->offset_indexes);
    s3s_buffer_clear(&w->index_places);
    w->sink = sink;
    set_threads(w, options);
    w->offset = w->group_bytes = 0;
    w->rows = 0;
    w->indexable = true;
    w->finished = false;
    w->failed = S3STORE_OK;
    return true;
}

size_t s3s_parquet_writer_held_bytes(s3s_parquet_writer *w)
{
    s3s_encoders_catch_up(&w->encoders, 0, NULL); /* what fails will be told to the next who asks */
    size_t bytes = sizeof *w + w->arena.used + w->schema_arena.used + w->groups.capacity +
                   w->column_indexes.capacity + w->offset_indexes.capacity +
                   w->index_places.capacity + w->footer.capacity +
                   s3s_rope_held_bytes(&w->leaving) + s3s_encoders_held_bytes(&w->encoders);
    for (size_t i = 0; i < w->column_count; i++)
        bytes += s3s_column_writer_held_bytes(&w->columns[i]);
    return bytes;
}

void s3s_parquet_writer_free(s3s_parquet_writer *w)
{
    if (w == NULL)
        return;
    s3s_encoders_stop(&w->encoders); /* nobody uses the columns any more */
    for (size_t i = 0; w->columns != NULL && i < w->column_count; i++)
        s3s_column_writer_deinit(&w->columns[i]);
    s3s_encoders_deinit(&w->encoders);
    s3s_rope_deinit(&w->leaving);
    s3s_buffer_deinit(&w->footer);
    s3s_buffer_deinit(&w->groups);
    s3s_buffer_deinit(&w->column_indexes);
    s3s_buffer_deinit(&w->offset_indexes);
    s3s_buffer_deinit(&w->index_places);
    s3s_arena_deinit(&w->arena);
    s3s_arena_deinit(&w->schema_arena);
    s3s_schema_release(w->schema);
    s3s_free(w->env, w);
}

/* ---- adding ---------------------------------------------------------------------------------- */

static s3store_status write_magic(s3s_parquet_writer *w, s3store_error *err)
{
    return w->offset == 0 ? s3s_parquet_writer_put(w, S3S_PQ_MAGIC, 4, err) : S3STORE_OK;
}

/* Rows that are looked at at once: a small part of a row group. */
static size_t slice_rows(const s3s_parquet_writer *w, const struct ArrowArray *batch)
{
    uint64_t per_row = s3s_batch_bytes(w->schema, batch) / ((uint64_t)batch->length + 1) + 1;
    uint64_t rows = w->row_group_bytes / 8 / per_row;
    return rows == 0 ? 1 : rows < SLICE_ROWS_MAX ? (size_t)rows : SLICE_ROWS_MAX;
}

static uint64_t slice_bytes(const s3s_parquet_writer *w, const struct ArrowArray *batch,
                            int64_t start, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < w->schema->field_count; i++) {
        s3s_column column;
        s3s_batch_column(w->schema, batch, i, &column);
        column.offset += start;
        column.length = (int64_t)count;
        bytes += s3s_column_held_bytes(&column);
    }
    return bytes;
}

/* Rows from start on that go into this row group, by slices; with threads not many at once. *full:
 * it is closed after them. */
static size_t rows_of_group(s3s_parquet_writer *w, const struct ArrowArray *batch, int64_t start,
                            size_t slice, bool *full)
{
    size_t rows = 0, left = (size_t)(batch->length - start);
    uint64_t before = w->group_bytes;
    *full = false;
    while (rows < left && !*full && (w->pool == NULL || w->group_bytes - before < PART_BYTES)) {
        size_t count = left - rows < slice ? left - rows : slice;
        w->group_bytes += slice_bytes(w, batch, start + (int64_t)rows, count);
        rows += count;
        *full = w->group_bytes >= w->row_group_bytes;
    }
    return rows;
}

static s3store_status add_batch(s3s_parquet_writer *w, const struct ArrowArray *batch,
                                s3s_item_fn beside, void *ctx, s3store_error *err)
{
    s3store_status status = write_magic(w, err);
    size_t slice = slice_rows(w, batch);
    s3s_column_work work = {.writer = w, .batch = batch, .beside = beside, .beside_ctx = ctx};
    while (work.start < batch->length && status == S3STORE_OK) {
        bool full = false;
        uint64_t before = w->group_bytes;
        work.count = rows_of_group(w, batch, work.start, slice, &full);
        work.bytes = w->group_bytes - before;
        status = s3s_parquet_writer_work(w, &work, err);
        work.start += (int64_t)work.count;
        if (status == S3STORE_OK && full)
            status = s3s_parquet_writer_close_group(w, false, err);
    }
    return status == S3STORE_OK && work.beside != NULL ? work.beside(ctx, 0, err) : status;
}

static s3store_status check_usable(const s3s_parquet_writer *w, s3store_error *err)
{
    if (w->failed == S3STORE_OK)
        return S3STORE_OK;
    return s3s_fail(err, w->failed, "this Parquet writer %s",
                    w->failed == S3STORE_INVALID_ARGUMENT ? "is finished or failed before"
                                                          : "failed before");
}

s3store_status s3s_parquet_writer_add_beside(s3s_parquet_writer *w, const struct ArrowArray *batch,
                                             s3s_item_fn beside, void *ctx, s3store_error *err)
{
    s3store_status status = check_usable(w, err);
    if (status == S3STORE_OK)
        status = w->failed = add_batch(w, batch, beside, ctx, err);
    return status;
}

s3store_status s3s_parquet_writer_add(s3s_parquet_writer *w, const struct ArrowArray *batch,
                                      s3store_error *err)
{
    return s3s_parquet_writer_add_beside(w, batch, NULL, NULL, err);
}

/* ---- the end --------------------------------------------------------------------------------- */

s3store_status s3s_parquet_writer_finish(s3s_parquet_writer *w, s3store_error *err)
{
    s3store_status status = check_usable(w, err);
    if (status != S3STORE_OK)
        return status;
    status = write_magic(w, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_close_group(w, true, err);
    if (status == S3STORE_OK && w->indexable && w->groups.size > 0)
        status = s3s_parquet_writer_put_index(w, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_put_footer(w, err);
    s3s_encoders_stop(&w->encoders);
    w->failed = status == S3STORE_OK ? S3STORE_INVALID_ARGUMENT : status;
    w->finished = status == S3STORE_OK;
    return status;
}
