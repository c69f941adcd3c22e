/* parquet/prune.c: statistics, bloom filter, then the page index of each predicate's column. */
#include "parquet/prune.h"

#include "base/error.h"

#define INDEX_MAX ((size_t)16 << 20)

s3store_status s3s_prune_init(s3s_prune *prune, const s3s_parquet_file *file,
                              const s3s_parquet_predicate *predicates, size_t count,
                              s3store_error *err)
{
    *prune = (s3s_prune){0};
    s3s_arena_init(&prune->arena, file->env);
    prune->terms = s3s_arena_calloc(&prune->arena, count + 1, sizeof *prune->terms);
    if (prune->terms == NULL)
        return s3s_fail_memory(err, count * sizeof *prune->terms);
    for (size_t i = 0; i < count; i++) {
        const s3s_parquet_predicate *p = &predicates[i];
        if (p->column >= file->schema.schema->field_count)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s: a predicate on column %zu",
                            file->name, p->column);
        const s3s_leaf *leaf = &file->schema.leaves[file->schema.first_leaf[p->column]];
        if (!leaf->flat)
            continue; /* nothing is known of nested columns */
        s3s_prune_term *term = &prune->terms[prune->term_count++];
        *term = (s3s_prune_term){.leaf = leaf, .op = p->op, .value_count = p->value_count};
        size_t index = (size_t)(leaf - file->schema.leaves);
        const s3s_pq_column_order *orders = file->footer.column_orders.items;
        term->ordered = index < file->footer.column_orders.count && orders[index].has == 1;
        term->values = s3s_arena_calloc(&prune->arena, p->value_count + 1, sizeof *term->values);
        if (term->values == NULL)
            return s3s_fail_memory(err, p->value_count * sizeof *term->values);
        for (size_t v = 0; v < p->value_count; v++) {
            uint8_t *copy = s3s_arena_alloc(&prune->arena, p->values[v].size + 1);
            if (copy == NULL)
                return s3s_fail_memory(err, p->values[v].size);
            if (p->values[v].size > 0)
                memcpy(copy, p->values[v].data, p->values[v].size);
            term->values[v] =
                (s3store_bytes){.data = (const void *)copy, .size = p->values[v].size};
        }
    }
    return S3STORE_OK;
}

void s3s_prune_deinit(s3s_prune *prune)
{
    s3s_arena_deinit(&prune->arena);
    *prune = (s3s_prune){0};
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static s3store_status add_range(s3s_buffer *ranges, int64_t begin, int64_t end, s3store_error *err)
{
    s3s_row_range *last = ranges->size > 0 ? (void *)(ranges->data + ranges->size) : NULL;
    if (last != NULL && last[-1].end == begin) {
        last[-1].end = end;
        return S3STORE_OK;
    }
    s3s_row_range range = {begin, end};
    return begin < end ? s3s_buffer_append(ranges, &range, sizeof range, err) : S3STORE_OK;
}

/* ranges becomes what lies in both. */
static s3store_status intersect(s3s_buffer *ranges, const s3s_buffer *with, s3s_buffer *spare,
                                s3store_error *err)
{
    const s3s_row_range *a = (const void *)ranges->data, *b = (const void *)with->data;
    size_t a_count = ranges->size / sizeof *a, b_count = with->size / sizeof *b, i = 0, k = 0;
    s3s_buffer_clear(spare);
    while (i < a_count && k < b_count) {
        int64_t begin = a[i].begin > b[k].begin ? a[i].begin : b[k].begin;
        int64_t end = a[i].end < b[k].end ? a[i].end : b[k].end;
        s3store_status status =
            begin < end ? add_range(spare, begin, end, err) : S3STORE_OK;
        if (status != S3STORE_OK)
            return status;
        if (a[i].end < b[k].end)
            i++;
        else
            k++;
    }
    s3s_buffer swap = *ranges;
    *ranges = *spare;
    *spare = swap;
    return S3STORE_OK;
}

/* ---- page index ------------------------------------------------------------------------------ */

typedef struct index_bytes {
    s3s_block offset, column;
} index_bytes;

static s3store_status load(s3s_parquet_file *file, int64_t at, int32_t size, s3s_block *out,
                           bool *loaded, s3store_error *err)
{
    *loaded = false;
    if (at < 4 || size <= 0 || (uint64_t)at > file->footer_at ||
        (uint64_t)size > file->footer_at - (uint64_t)at || (size_t)size > INDEX_MAX ||
        (uint64_t)size > s3s_budget_free(&file->budget) / 4)
        return S3STORE_OK;
    s3store_status status = s3s_block_resize_empty(out, (size_t)size, err);
    if (status == S3STORE_OK)
        status = file->source.read(file->source.ctx, (uint64_t)at, out->data, (size_t)size, err);
    *loaded = status == S3STORE_OK;
    out->size = (size_t)size;
    return status;
}

static bool locations_fit(const s3s_thrift_list *list, int64_t rows)
{
    const s3s_pq_page_location *l = list->items;
    for (size_t i = 0; i < list->count; i++) {
        int64_t before = i > 0 ? l[i - 1].first_row : -1;
        if (l[i].first_row <= before || l[i].first_row >= rows)
            return false;
    }
    return list->count > 0 && l[0].first_row == 0;
}

/* Both indexes of a chunk, if they are there and make sense. */
static s3store_status read_index(s3s_parquet_file *file, const s3s_pq_chunk *chunk, int64_t rows,
                                 s3s_arena *arena, index_bytes *bytes, s3s_pq_offset_index *offset,
                                 s3s_pq_column_index *column, bool *usable, s3store_error *err)
{
    bool has_offset, has_column = false;
    uint64_t free_bytes = s3s_budget_free(&file->budget) / 4;
    size_t memory = free_bytes < INDEX_MAX ? (size_t)free_bytes : INDEX_MAX;
    *usable = false;
    if (!S3S_PQ_HAS(chunk, S3S_CHUNK_OFFSET_INDEX) || !S3S_PQ_HAS(chunk, S3S_CHUNK_COLUMN_INDEX))
        return S3STORE_OK;
    s3store_status status = load(file, chunk->offset_index_offset, chunk->offset_index_size,
                                 &bytes->offset, &has_offset, err);
    if (status == S3STORE_OK && has_offset)
        status = load(file, chunk->column_index_offset, chunk->column_index_size, &bytes->column,
                      &has_column, err);
    if (status != S3STORE_OK || !has_column)
        return status;
    if (s3s_thrift_read(&s3s_pq_offset_index_struct, bytes->offset.data, bytes->offset.size, arena,
                        memory, offset, NULL, NULL, NULL) != S3STORE_OK ||
        s3s_thrift_read(&s3s_pq_column_index_struct, bytes->column.data, bytes->column.size, arena,
                        memory, column, NULL, NULL, NULL) != S3STORE_OK)
        return S3STORE_OK;
    size_t pages = offset->locations.count;
    *usable = locations_fit(&offset->locations, rows) && column->null_pages.count == pages &&
              column->min_values.count == pages && column->max_values.count == pages;
    return S3STORE_OK;
}

static s3store_status prune_pages(const s3s_prune_term *term, s3s_parquet_file *file,
                                  const s3s_pq_chunk *chunk, int64_t rows, s3s_buffer *found,
                                  bool *usable, s3store_error *err)
{
    s3s_arena arena;
    index_bytes bytes;
    s3s_pq_offset_index offset = {0};
    s3s_pq_column_index column = {0};
    s3s_arena_init(&arena, file->env);
    s3s_block_init(&bytes.offset, file->env, &file->budget);
    s3s_block_init(&bytes.column, file->env, &file->budget);
    s3s_buffer_clear(found);
    s3store_status status =
        read_index(file, chunk, rows, &arena, &bytes, &offset, &column, usable, err);
    size_t pages = *usable ? offset.locations.count : 0;
    const s3s_pq_page_location *at = offset.locations.items;
    for (size_t i = 0; i < pages && status == S3STORE_OK; i++) {
        int64_t end = i + 1 < pages ? at[i + 1].first_row : rows;
        bool null_page = ((const bool *)column.null_pages.items)[i];
        s3s_bounds bounds = {.rows = end - at[i].first_row, .nulls = -1};
        if (column.null_counts.count == pages)
            bounds.nulls = ((const int64_t *)column.null_counts.items)[i];
        if (null_page) {
            bounds.nulls = bounds.rows;
        } else if (term->ordered) {
            bounds.min = (const s3s_thrift_binary *)column.min_values.items + i;
            bounds.max = (const s3s_thrift_binary *)column.max_values.items + i;
        }
        if (s3s_bounds_may_match(term, &bounds))
            status = add_range(found, at[i].first_row, end, err);
    }
    s3s_block_deinit(&bytes.offset);
    s3s_block_deinit(&bytes.column);
    s3s_arena_deinit(&arena);
    return status;
}

/* ---- the group ------------------------------------------------------------------------------- */

static s3store_status prune_term(const s3s_prune_term *term, s3s_parquet_file *file, size_t group,
                                 s3s_buffer *ranges, s3s_buffer *found, s3s_buffer *spare,
                                 s3store_error *err)
{
    const s3s_pq_row_group *g = s3s_parquet_group(file, group);
    const s3s_pq_chunk *chunk =
        (const s3s_pq_chunk *)g->columns.items + (term->leaf - file->schema.leaves);
    s3s_bounds bounds;
    bool may, usable = false;
    s3s_bounds_of_statistics(term, &chunk->column.statistics, g->num_rows, &bounds);
    if (!s3s_bounds_may_match(term, &bounds)) {
        s3s_buffer_clear(ranges);
        return S3STORE_OK;
    }
    s3store_status status = s3s_bloom_may_match(term, file, &chunk->column, &may, err);
    if (status == S3STORE_OK && !may) {
        s3s_buffer_clear(ranges);
        return S3STORE_OK;
    }
    if (status == S3STORE_OK)
        status = prune_pages(term, file, chunk, g->num_rows, found, &usable, err);
    if (status == S3STORE_OK && usable)
        status = intersect(ranges, found, spare, err);
    return status;
}

bool s3s_prune_may_match_group(const s3s_prune *prune, const s3s_parquet_file *file, size_t group)
{
    const s3s_pq_row_group *g = s3s_parquet_group(file, group);
    for (size_t i = 0; i < prune->term_count; i++) {
        const s3s_prune_term *term = &prune->terms[i];
        const s3s_pq_chunk *chunk =
            (const s3s_pq_chunk *)g->columns.items + (term->leaf - file->schema.leaves);
        s3s_bounds bounds;
        s3s_bounds_of_statistics(term, &chunk->column.statistics, g->num_rows, &bounds);
        if (!s3s_bounds_may_match(term, &bounds))
            return false;
    }
    return true;
}

s3store_status s3s_prune_group(const s3s_prune *prune, s3s_parquet_file *file, size_t group,
                               s3s_buffer *ranges, s3store_error *err)
{
    s3s_buffer found, spare;
    s3s_buffer_init(&found, file->env, SIZE_MAX);
    s3s_buffer_init(&spare, file->env, SIZE_MAX);
    s3s_buffer_clear(ranges);
    s3store_status status =
        add_range(ranges, 0, s3s_parquet_group(file, group)->num_rows, err);
    for (size_t i = 0; i < prune->term_count && status == S3STORE_OK && ranges->size > 0; i++)
        status = prune_term(&prune->terms[i], file, group, ranges, &found, &spare, err);
    s3s_buffer_deinit(&found);
    s3s_buffer_deinit(&spare);
    return status;
}
