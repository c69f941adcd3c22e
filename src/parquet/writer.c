/* parquet/writer.c: row groups, page index, footer.
 *
 * Some readers take more for granted than the format promises: one chunk for each column in schema
 * order; the page index of all chunks, all column indexes in one piece and then all offset indexes
 * in one piece, or none at all (docs/FORMAT.md, Parquet).
 */
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/chains.h"
#include "parquet/column_writer.h"
#include "parquet/parquet.h"

#define PAGE_BYTES_DEFAULT ((size_t)1 << 20)
#define PAGE_BYTES_MIN ((size_t)1 << 10)
#define PAGE_BYTES_MAX ((size_t)1 << 30)
#define GROUP_BYTES_DEFAULT ((size_t)128 << 20)
#define SLICE_ROWS_MAX 16384
#define SIDE_BY_SIDE_BYTES ((uint64_t)128 << 10) /* of rows that are worth waking threads for */
#define PIECE_ROWS ((size_t)16384) /* of a column, that one thread adds before it looks again */
#define PIECE_BYTES ((uint64_t)256 << 10)
#define PART_BYTES ((uint64_t)8 << 20) /* of rows: threads meet, and full pages go to be encoded */
#define DEFER_COLUMNS 16               /* so few that the memory of a second page does not matter */
#define BLOOM_BYTES_DEFAULT ((size_t)1 << 20)
#define BLOOM_BYTES_MAX ((size_t)64 << 20)

/* The index of one chunk, serialized, until all of them are written behind the last row group. */
typedef struct index_place {
    size_t column_index_size, offset_index_size;
} index_place;

struct s3s_parquet_writer {
    s3s_env *env;
    s3s_schema *schema;
    s3s_parquet_sink sink;
    s3s_parquet_write_options options; /* as they were given; what they point to may be gone */
    s3s_pool *pool; /* NULL = one thread */
    s3s_fan_options fan;
    s3s_weighed *order; /* of columns: the largest first, so that threads end together */
    s3s_chain *chains;  /* the same, where they are few: S3S_CHAINS_MAX */
    size_t row_group_bytes;
    uint64_t group_bytes;       /* of the rows added to the row group, in memory */
    s3s_arena schema_arena; /* of the next four, of order and chains */
    s3s_shred *leaves;
    s3s_column_writer *columns; /* of each leaf */
    size_t column_count;        /* leaves */
    s3s_thrift_list elements; /* s3s_pq_schema_element, the root first */
    s3s_thrift_list sorting;  /* s3s_pq_sorting */

    uint64_t offset; /* bytes written */
    int64_t rows;    /* of finished row groups */
    s3s_arena arena; /* metadata for the footer */
    s3s_buffer groups; /* s3s_pq_row_group */
    bool indexable; /* every page has bounds */
    s3s_buffer column_indexes, offset_indexes, index_places, footer;
    bool finished;
    s3store_status failed;
};

static s3store_status put(s3s_parquet_writer *w, const void *data, size_t size, s3store_error *err)
{
    if (size == 0)
        return S3STORE_OK;
    s3store_status status = w->sink.write(w->sink.ctx, data, size, err);
    if (status == S3STORE_OK)
        w->offset += size;
    return status;
}

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

/* Chain 0 is what is done beside; then come those of each column: adding, and the encoders. */
#define COLUMN_CHAINS (1 + S3S_PAGE_ENCODERS)

static size_t chain_count(const s3s_parquet_writer *w)
{
    return 1 + COLUMN_CHAINS * w->column_count;
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
    size_t chains = chain_count(w) <= S3S_CHAINS_MAX ? chain_count(w) : 1;
    w->chains = s3s_arena_calloc(&w->schema_arena, chains, sizeof *w->chains);
    if (w->columns == NULL || w->order == NULL || w->chains == NULL)
        return s3s_fail_memory(err, w->column_count * sizeof *w->columns);
    for (size_t i = 0; i < w->column_count; i++) {
        s3s_column_options own = *column_options;
        own.bloom_bytes_max = bloom_bytes(options, w->leaves[i].column);
        s3store_status status =
            s3s_column_writer_init(&w->columns[i], w->env, &w->leaves[i], &own, err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static void set_threads(s3s_parquet_writer *w, const s3s_parquet_write_options *options)
{
    w->pool = options->threads == 1 || s3s_env_is_simulated(w->env) ? NULL : options->pool;
    w->fan.limit = options->threads;
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
    w->row_group_bytes =
        options->row_group_bytes != 0 ? options->row_group_bytes : GROUP_BYTES_DEFAULT;
    w->indexable = true;
    s3s_arena_init(&w->arena, env);
    s3s_arena_init(&w->schema_arena, env);
    s3s_buffer *buffers[] = {&w->groups, &w->column_indexes, &w->offset_indexes, &w->index_places,
                             &w->footer};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        s3s_buffer_init(buffers[i], env, SIZE_MAX);
    s3store_status status =
        s3s_shred_schema(schema, &w->schema_arena, &w->elements, &w->leaves, &w->column_count, err);
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

size_t s3s_parquet_writer_held_bytes(const s3s_parquet_writer *w)
{
    size_t bytes = sizeof *w + w->arena.used + w->schema_arena.used + w->groups.capacity +
                   w->column_indexes.capacity + w->offset_indexes.capacity +
                   w->index_places.capacity + w->footer.capacity;
    for (size_t i = 0; i < w->column_count; i++)
        bytes += s3s_column_writer_held_bytes(&w->columns[i]);
    return bytes;
}

void s3s_parquet_writer_free(s3s_parquet_writer *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; w->columns != NULL && i < w->column_count; i++)
        s3s_column_writer_deinit(&w->columns[i]);
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

/* ---- page index ------------------------------------------------------------------------------ */

static s3store_status put_offset_index(s3s_parquet_writer *w, const s3s_column_writer *c,
                                       uint64_t data_offset, s3store_error *err)
{
    size_t count = s3s_column_writer_page_count(c);
    s3s_pq_page_location *locations = s3s_arena_alloc(&w->arena, (count + 1) * sizeof *locations);
    if (locations == NULL)
        return s3s_fail_memory(err, count * sizeof *locations);
    for (size_t i = 0; i < count; i++) {
        const s3s_page_record *record = s3s_column_writer_record(c, i);
        locations[i] = (s3s_pq_page_location){.has = 7,
                                              .offset = (int64_t)(data_offset + record->offset),
                                              .compressed_size = (int32_t)record->size,
                                              .first_row = record->first_row};
    }
    s3s_pq_offset_index index = {.has = 1, .locations = {locations, count}};
    return s3s_thrift_write(&s3s_pq_offset_index_struct, &index, &w->offset_indexes, err);
}

static s3store_status put_column_index(s3s_parquet_writer *w, const s3s_column_writer *c,
                                       s3store_error *err)
{
    size_t count = s3s_column_writer_page_count(c);
    size_t each = sizeof(bool) + 2 * sizeof(s3s_thrift_binary) + sizeof(int64_t);
    uint8_t *memory = s3s_arena_calloc(&w->arena, count + 1, each);
    if (memory == NULL)
        return s3s_fail_memory(err, count * each);
    s3s_thrift_binary *mins = (void *)memory, *maxs = mins + count;
    int64_t *nulls = (void *)(maxs + count);
    bool *null_pages = (void *)(nulls + count);
    for (size_t i = 0; i < count; i++) {
        const s3s_page_record *record = s3s_column_writer_record(c, i);
        if (!record->all_null && !record->bounded)
            w->indexable = false;
        null_pages[i] = record->all_null;
        nulls[i] = record->null_count;
        if (!record->all_null) {
            mins[i] = record->min;
            maxs[i] = record->max;
        }
    }
    s3s_pq_column_index index = {.has = 31,
                                 .null_pages = {null_pages, count},
                                 .min_values = {mins, count},
                                 .max_values = {maxs, count},
                                 .null_counts = {nulls, count}};
    return s3s_thrift_write(&s3s_pq_column_index_struct, &index, &w->column_indexes, err);
}

static s3store_status keep_index(s3s_parquet_writer *w, const s3s_column_writer *c,
                                 uint64_t data_offset, s3store_error *err)
{
    index_place place = {w->column_indexes.size, w->offset_indexes.size};
    s3store_status status = put_column_index(w, c, err);
    if (status == S3STORE_OK)
        status = put_offset_index(w, c, data_offset, err);
    if (status != S3STORE_OK)
        return status;
    place.column_index_size = w->column_indexes.size - place.column_index_size;
    place.offset_index_size = w->offset_indexes.size - place.offset_index_size;
    return s3s_buffer_append(&w->index_places, &place, sizeof place, err);
}

/* All column indexes, then all offset indexes, and where each lies into the chunks. */
static s3store_status write_index(s3s_parquet_writer *w, s3store_error *err)
{
    uint64_t column_at = w->offset, offset_at = w->offset + w->column_indexes.size;
    const index_place *place = (const void *)w->index_places.data;
    s3s_pq_row_group *groups = (void *)w->groups.data;
    for (size_t g = 0; g < w->groups.size / sizeof *groups; g++) {
        s3s_pq_chunk *chunks = groups[g].columns.items;
        for (size_t i = 0; i < w->column_count; i++, place++) {
            for (unsigned bit = S3S_CHUNK_OFFSET_INDEX; bit <= S3S_CHUNK_COLUMN_INDEX_SIZE; bit++)
                S3S_PQ_SET(&chunks[i], bit);
            chunks[i].column_index_offset = (int64_t)column_at;
            chunks[i].column_index_size = (int32_t)place->column_index_size;
            chunks[i].offset_index_offset = (int64_t)offset_at;
            chunks[i].offset_index_size = (int32_t)place->offset_index_size;
            column_at += place->column_index_size;
            offset_at += place->offset_index_size;
        }
    }
    s3store_status status = put(w, w->column_indexes.data, w->column_indexes.size, err);
    if (status == S3STORE_OK)
        status = put(w, w->offset_indexes.data, w->offset_indexes.size, err);
    return status;
}

/* ---- row groups ------------------------------------------------------------------------------ */

static s3store_status describe_encodings(s3s_parquet_writer *w, const s3s_column_writer *c,
                                         s3s_pq_column *out, s3store_error *err)
{
    const size_t room = S3S_PQ_ENCODING_COUNT + 1;
    int32_t *encodings = s3s_arena_calloc(&w->arena, room, sizeof *encodings);
    s3s_pq_encoding_stats *stats = s3s_arena_calloc(&w->arena, room, sizeof *stats);
    if (encodings == NULL || stats == NULL)
        return s3s_fail_memory(err, room * sizeof *stats);
    size_t n = 0, k = 0;
    bool indexed = c->encoded_pages[S3S_PQ_RLE_DICTIONARY] > 0;
    bool levels = c->shred->max_def > 0 || c->shred->max_rep > 0;
    if (indexed)
        stats[k++] = (s3s_pq_encoding_stats){7, S3S_PQ_DICTIONARY_PAGE, S3S_PQ_PLAIN, 1};
    for (int32_t e = 0; e < S3S_PQ_ENCODING_COUNT; e++) {
        if (c->encoded_pages[e] > 0)
            stats[k++] = (s3s_pq_encoding_stats){7, S3S_PQ_DATA_PAGE, e, c->encoded_pages[e]};
        if (c->encoded_pages[e] > 0 || (e == S3S_PQ_PLAIN && indexed) ||
            (e == S3S_PQ_RLE && levels))
            encodings[n++] = e;
    }
    out->encodings = (s3s_thrift_list){encodings, n};
    out->encoding_stats = (s3s_thrift_list){stats, k};
    return S3STORE_OK;
}

/* The chunk's statistics, in memory of the footer. */
static s3store_status describe_stats(s3s_parquet_writer *w, const s3s_column_writer *c,
                                     s3s_pq_statistics *out, s3store_error *err)
{
    s3s_stats_describe(&c->stats, c->nulls, out);
    s3s_thrift_binary *bounds[] = {&out->min_value, &out->max_value};
    for (size_t i = 0; i < 2; i++) {
        if (bounds[i]->size == 0)
            continue;
        uint8_t *copy = s3s_arena_alloc(&w->arena, bounds[i]->size);
        if (copy == NULL)
            return s3s_fail_memory(err, bounds[i]->size);
        memcpy(copy, bounds[i]->data, bounds[i]->size);
        bounds[i]->data = copy;
    }
    return S3STORE_OK;
}

static s3store_status describe_chunk(s3s_parquet_writer *w, s3s_column_writer *c,
                                     s3s_pq_chunk *chunk, s3store_error *err)
{
    s3s_pq_column *column = &chunk->column;
    S3S_PQ_SET(chunk, S3S_CHUNK_FILE_OFFSET);
    S3S_PQ_SET(chunk, S3S_CHUNK_COLUMN);
    column->type = (int32_t)c->physical;
    column->path = c->shred->path;
    column->codec = (int32_t)c->options.codec->id;
    column->num_values = c->entries;
    column->uncompressed_size = (int64_t)c->uncompressed_bytes;
    column->compressed_size = (int64_t)(c->dictionary_page.size + c->pages.size);
    column->data_page_offset = (int64_t)(w->offset + c->dictionary_page.size);
    static const unsigned bits[] = {
        S3S_COLUMN_TYPE,         S3S_COLUMN_ENCODINGS,  S3S_COLUMN_PATH,
        S3S_COLUMN_CODEC,        S3S_COLUMN_VALUES,     S3S_COLUMN_UNCOMPRESSED,
        S3S_COLUMN_COMPRESSED,   S3S_COLUMN_DATA_OFFSET, S3S_COLUMN_STATS,
        S3S_COLUMN_ENCODING_STATS};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        S3S_PQ_SET(column, bits[i]);
    if (c->dictionary_page.size > 0) {
        S3S_PQ_SET(column, S3S_COLUMN_DICT_OFFSET);
        column->dictionary_page_offset = (int64_t)w->offset;
    }
    s3store_status status = describe_encodings(w, c, column, err);
    return status == S3STORE_OK ? describe_stats(w, c, &column->statistics, err) : status;
}

static s3store_status write_chunk(s3s_parquet_writer *w, s3s_column_writer *c, s3s_pq_chunk *chunk,
                                  s3store_error *err)
{
    s3store_status status = describe_chunk(w, c, chunk, err);
    if (status == S3STORE_OK)
        status = keep_index(w, c, (uint64_t)chunk->column.data_page_offset, err);
    if (status == S3STORE_OK)
        status = put(w, c->dictionary_page.data, c->dictionary_page.size, err);
    if (status == S3STORE_OK)
        status = put(w, c->pages.data, c->pages.size, err);
    return status;
}

/* Filters lie behind the chunks of their row group: nothing is kept until the file's end. */
static s3store_status write_bloom(s3s_parquet_writer *w, s3s_column_writer *c, s3s_pq_column *out,
                                  s3store_error *err)
{
    size_t size = s3s_bloom_finish(&c->bloom);
    if (size == 0)
        return S3STORE_OK;
    const s3s_pq_one_choice known = {.has = 1};
    s3s_pq_bloom_header header = {.has = 15, .bytes = (int32_t)size, .algorithm = known,
                                  .hash = known, .compression = known};
    s3s_buffer bytes;
    s3s_buffer_init(&bytes, w->env, 64);
    out->bloom_filter_offset = (int64_t)w->offset;
    s3store_status status = s3s_thrift_write(&s3s_pq_bloom_header_struct, &header, &bytes, err);
    if (status == S3STORE_OK)
        status = put(w, bytes.data, bytes.size, err);
    if (status == S3STORE_OK)
        status = put(w, c->bloom.data, size, err);
    out->bloom_filter_size = (int32_t)(bytes.size + size);
    S3S_PQ_SET(out, S3S_COLUMN_BLOOM_OFFSET);
    S3S_PQ_SET(out, S3S_COLUMN_BLOOM_SIZE);
    s3s_buffer_deinit(&bytes);
    return status;
}

/* Some rows of a batch, or with a batch of NULL the end of the row group: the work of every
 * column. */
typedef struct column_work {
    s3s_parquet_writer *writer;
    const struct ArrowArray *batch;
    int64_t start;
    size_t count;
    uint64_t bytes;     /* of these rows */
    s3s_item_fn beside; /* of somebody else, the first item; NULL = nothing, or it is done */
    void *beside_ctx;
} column_work;

static s3store_status add_to_column(const column_work *work, size_t i, size_t first, size_t count,
                                    s3store_error *err)
{
    s3s_parquet_writer *w = work->writer;
    s3s_column column;
    if (work->batch == NULL)
        return s3s_column_writer_close(&w->columns[i], err);
    s3s_batch_column(w->schema, work->batch, w->leaves[i].column, &column);
    return s3s_column_writer_add(&w->columns[i], &column, work->start + (int64_t)first, count, err);
}

static s3store_status work_on_column(const column_work *work, size_t i, s3store_error *err)
{
    return add_to_column(work, i, 0, work->count, err);
}

/* ---- columns side by side -------------------------------------------------------------------- */

/* Columns do not know each other, so their order is free. Where they are few, each is a chain of pieces
 * that fill pages, and those that hold much have chains more, which encode pages that are full. */

static s3store_status work_on_item(void *ctx, size_t item, s3store_error *err)
{
    const column_work *work = ctx;
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
    const column_work *work = ctx;
    if (chain == 0)
        return work->beside(work->beside_ctx, 0, err);
    size_t column = (chain - 1) / COLUMN_CHAINS, part = (chain - 1) % COLUMN_CHAINS;
    if (part > 0)
        return s3s_column_writer_encode(&work->writer->columns[column],
                                        piece * S3S_PAGE_ENCODERS + part - 1, part - 1, err);
    size_t first = piece * PIECE_ROWS, left = work->count - first;
    return add_to_column(work, column, first, left < PIECE_ROWS ? left : PIECE_ROWS, err);
}

/* Closing a column encodes what waits. Else full pages go to the encoders, where a column is one of
 * few, or holds much. */
static void make_chains(s3s_parquet_writer *w, const column_work *work)
{
    uint64_t all = 0;
    size_t adding = work->batch == NULL ? 1 : (work->count + PIECE_ROWS - 1) / PIECE_ROWS;
    memset(w->chains, 0, chain_count(w) * sizeof *w->chains);
    w->chains[0] = (s3s_chain){.pieces = work->beside != NULL, .weight = work->bytes};
    for (size_t i = 0; i < w->column_count; i++)
        all += bytes_so_far(&w->columns[i]);
    for (size_t i = 0; i < w->column_count; i++) {
        s3s_column_writer *column = &w->columns[i];
        s3s_chain *chains = &w->chains[1 + COLUMN_CHAINS * i];
        uint64_t bytes = bytes_so_far(column), ready = 0;
        chains[0] = (s3s_chain){.pieces = adding, .weight = bytes};
        if (work->batch == NULL)
            continue;
        chains[0].weight = bytes / ((uint64_t)column->rows + 1) * PIECE_ROWS;
        size_t pages = s3s_column_writer_hand_over(column, &ready);
        for (size_t k = 0; k < S3S_PAGE_ENCODERS && pages > k; k++)
            chains[1 + k] = (s3s_chain){.pieces = (pages - k + S3S_PAGE_ENCODERS - 1) /
                                                  S3S_PAGE_ENCODERS,
                                        .weight = ready / pages};
        column->defer = column->defer || w->column_count <= DEFER_COLUMNS || bytes > all / 4;
    }
}

static s3store_status work_side_by_side(s3s_parquet_writer *w, column_work *work,
                                        s3store_error *err)
{
    if (chain_count(w) <= S3S_CHAINS_MAX) {
        make_chains(w, work);
        s3store_status status = s3s_chains_run(w->env, w->pool, &w->fan, w->chains,
                                               chain_count(w), work_on_piece, work, err);
        for (size_t i = 0; i < w->column_count && status == S3STORE_OK; i++)
            s3s_column_writer_take_back(&w->columns[i]);
        return status;
    }
    for (size_t i = 0; i < w->column_count; i++)
        w->order[i] = (s3s_weighed){bytes_so_far(&w->columns[i]), i};
    s3s_weighed_sort(w->order, w->column_count);
    return s3s_fan_out(w->pool, w->column_count + (work->beside != NULL), work_on_item, work,
                       &w->fan, err);
}

static s3store_status work_on_columns(s3s_parquet_writer *w, column_work *work, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    bool worth_it = work->batch == NULL ? w->group_bytes >= SIDE_BY_SIDE_BYTES
                                        : work->bytes >= SIDE_BY_SIDE_BYTES;
    worth_it = worth_it && (w->column_count > 1 || work->bytes >= PIECE_BYTES ||
                            work->beside != NULL);
    if (w->pool != NULL && (worth_it || w->options.spread_little)) {
        status = work_side_by_side(w, work, err);
        work->beside = NULL;
        return status;
    }
    for (size_t i = 0; i < w->column_count && status == S3STORE_OK; i++) {
        status = work_on_column(work, i, err);
        if (status == S3STORE_OK && w->columns[i].defer) /* small batches let no pages pile up */
            status = s3s_column_writer_encode_all(&w->columns[i], err);
    }
    return status;
}

/* ---- a row group ----------------------------------------------------------------------------- */

static s3store_status write_group(s3s_parquet_writer *w, s3store_error *err)
{
    int64_t rows = w->columns[0].rows;
    if (rows == 0)
        return S3STORE_OK;
    s3s_pq_chunk *chunks = s3s_arena_calloc(&w->arena, w->column_count, sizeof *chunks);
    if (chunks == NULL)
        return s3s_fail_memory(err, w->column_count * sizeof *chunks);
    size_t ordinal = w->groups.size / sizeof(s3s_pq_row_group);
    s3s_pq_row_group group = {.columns = {chunks, w->column_count},
                              .num_rows = rows,
                              .sorting = w->sorting,
                              .file_offset = (int64_t)w->offset};
    column_work close = {.writer = w};
    s3store_status closed = work_on_columns(w, &close, err);
    if (closed != S3STORE_OK)
        return closed;
    for (size_t i = 0; i < w->column_count; i++) {
        s3store_status status = write_chunk(w, &w->columns[i], &chunks[i], err);
        if (status != S3STORE_OK)
            return status;
        group.total_byte_size += chunks[i].column.uncompressed_size;
        group.total_compressed_size += chunks[i].column.compressed_size;
    }
    for (size_t i = 0; i < w->column_count; i++) {
        s3store_status status = write_bloom(w, &w->columns[i], &chunks[i].column, err);
        if (status != S3STORE_OK)
            return status;
        s3s_column_writer_reset(&w->columns[i]);
    }
    for (unsigned bit = S3S_GROUP_COLUMNS; bit <= S3S_GROUP_COMPRESSED; bit++)
        if (bit != S3S_GROUP_SORTING || w->sorting.count > 0)
            S3S_PQ_SET(&group, bit);
    if (ordinal <= INT16_MAX) {
        S3S_PQ_SET(&group, S3S_GROUP_ORDINAL);
        group.ordinal = (int16_t)ordinal;
    }
    w->rows += rows;
    w->group_bytes = 0;
    return s3s_buffer_append(&w->groups, &group, sizeof group, err);
}

static s3store_status write_magic(s3s_parquet_writer *w, s3store_error *err)
{
    return w->offset == 0 ? put(w, S3S_PQ_MAGIC, 4, err) : S3STORE_OK;
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
    column_work work = {.writer = w, .batch = batch, .beside = beside, .beside_ctx = ctx};
    while (work.start < batch->length && status == S3STORE_OK) {
        bool full = false;
        uint64_t before = w->group_bytes;
        work.count = rows_of_group(w, batch, work.start, slice, &full);
        work.bytes = w->group_bytes - before;
        status = work_on_columns(w, &work, err);
        work.start += (int64_t)work.count;
        if (status == S3STORE_OK && full)
            status = write_group(w, err);
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

/* ---- footer ---------------------------------------------------------------------------------- */

static s3store_status write_footer(s3s_parquet_writer *w, s3store_error *err)
{
    char created_by[64];
    int size = snprintf(created_by, sizeof created_by, "s3store version %s", s3store_version());
    s3s_pq_column_order *orders = s3s_arena_calloc(&w->arena, w->column_count, sizeof *orders);
    if (orders == NULL)
        return s3s_fail_memory(err, w->column_count * sizeof *orders);
    for (size_t i = 0; i < w->column_count; i++)
        S3S_PQ_SET(&orders[i], 0);
    s3s_pq_footer footer = {
        .version = 2,
        .schema = w->elements,
        .num_rows = w->rows,
        .row_groups = {w->groups.data, w->groups.size / sizeof(s3s_pq_row_group)},
        .created_by = {(const uint8_t *)created_by, (size_t)size},
        .column_orders = {orders, w->column_count}};
    for (unsigned bit = S3S_FOOTER_VERSION; bit <= S3S_FOOTER_COLUMN_ORDERS; bit++)
        if (bit != S3S_FOOTER_KEY_VALUES)
            S3S_PQ_SET(&footer, bit);
    s3s_buffer *bytes = &w->footer;
    s3s_buffer_clear(bytes);
    s3store_status status = s3s_thrift_write(&s3s_pq_footer_struct, &footer, bytes, err);
    uint32_t length = (uint32_t)bytes->size;
    if (status == S3STORE_OK)
        status = s3s_buffer_append(bytes, &length, sizeof length, err);
    if (status == S3STORE_OK)
        status = s3s_buffer_append(bytes, S3S_PQ_MAGIC, 4, err);
    return status == S3STORE_OK ? put(w, bytes->data, bytes->size, err) : status;
}

s3store_status s3s_parquet_writer_finish(s3s_parquet_writer *w, s3store_error *err)
{
    s3store_status status = check_usable(w, err);
    if (status != S3STORE_OK)
        return status;
    status = write_magic(w, err);
    if (status == S3STORE_OK)
        status = write_group(w, err);
    if (status == S3STORE_OK && w->indexable && w->groups.size > 0)
        status = write_index(w, err);
    if (status == S3STORE_OK)
        status = write_footer(w, err);
    w->failed = status == S3STORE_OK ? S3STORE_INVALID_ARGUMENT : status;
    w->finished = status == S3STORE_OK;
    return status;
}
