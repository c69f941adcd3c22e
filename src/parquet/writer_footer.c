/* parquet/writer_footer.c: page index, descriptions of chunks, footer.
 *
 * Some readers take more for granted than the format promises: one chunk for each column in schema
 * order; the page index of all chunks, all column indexes in one piece and then all offset indexes
 * in one piece, or none at all (docs/FORMAT.md, Parquet).
 */
#include <stdio.h>

#include "base/error.h"
#include "parquet/writer_private.h"

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

s3store_status s3s_parquet_writer_keep_index(s3s_parquet_writer *w, const s3s_column_writer *c,
                                             uint64_t data_offset, s3store_error *err)
{
    s3s_index_place place = {w->column_indexes.size, w->offset_indexes.size};
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
s3store_status s3s_parquet_writer_put_index(s3s_parquet_writer *w, s3store_error *err)
{
    uint64_t column_at = w->offset, offset_at = w->offset + w->column_indexes.size;
    const s3s_index_place *place = (const void *)w->index_places.data;
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
    const s3s_buffer *columns = &w->column_indexes, *offsets = &w->offset_indexes;
    s3store_status status = s3s_parquet_writer_put(w, columns->data, columns->size, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_put(w, offsets->data, offsets->size, err);
    return status;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

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

s3store_status s3s_parquet_writer_describe_chunk(s3s_parquet_writer *w, const s3s_column_writer *c,
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

/* ---- footer ---------------------------------------------------------------------------------- */

s3store_status s3s_parquet_writer_put_footer(s3s_parquet_writer *w, s3store_error *err)
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
    return status == S3STORE_OK ? s3s_parquet_writer_put(w, bytes->data, bytes->size, err) : status;
}
