/* parquet/selection.c: rows and pages that predicates leave in. */
#include "parquet/selection.h"

#include "base/error.h"

void s3s_selection_deinit(s3s_selection *s)
{
    if (!s->known)
        return;
    s3s_buffer_deinit(&s->ranges);
    s3s_arena_deinit(&s->arena);
    s->pages = NULL;
    s->known = false;
}

int64_t s3s_selection_rows(const s3s_selection *s)
{
    const s3s_row_range *ranges = (const void *)s->ranges.data;
    int64_t rows = 0;
    for (size_t i = 0; i < s->ranges.size / sizeof *ranges; i++)
        rows += ranges[i].end - ranges[i].begin;
    return rows;
}

static const s3s_pq_chunk *chunk_of(const s3s_parquet_file *file, size_t group,
                                    const s3s_leaf *leaf)
{
    const s3s_pq_chunk *chunks = s3s_parquet_group(file, group)->columns.items;
    return &chunks[leaf - file->schema.leaves];
}

/* Pages follow each other inside the chunk. */
static bool pages_fit(const s3s_thrift_list *pages, const s3s_chunk_place *place)
{
    const s3s_pq_page_location *l = pages->items;
    uint64_t end = place->begin;
    for (size_t i = 0; i < pages->count; i++) {
        if (l[i].offset < 0 || (uint64_t)l[i].offset < end || (uint64_t)l[i].offset > place->end ||
            l[i].compressed_size <= 0 ||
            (uint64_t)l[i].compressed_size > place->end - (uint64_t)l[i].offset)
            return false;
        end = (uint64_t)l[i].offset + (uint64_t)l[i].compressed_size;
    }
    return pages->count > 0;
}

static s3store_status find_pages(s3s_selection *s, s3s_parquet_file *file, size_t group,
                                 const s3s_leaf *const *leaves, size_t leaf_count,
                                 s3store_error *err)
{
    int64_t rows = s3s_parquet_group(file, group)->num_rows;
    s->pages = s3s_arena_calloc(&s->arena, leaf_count + 1, sizeof *s->pages);
    if (s->pages == NULL)
        return s3s_fail_memory(err, leaf_count * sizeof *s->pages);
    for (size_t i = 0; i < leaf_count; i++) {
        const s3s_pq_chunk *chunk = chunk_of(file, group, leaves[i]);
        s3s_chunk_place place;
        if (!leaves[i]->flat || s->arena.used > s3s_budget_free(&file->budget) / 8 ||
            s3s_chunk_place_of(chunk, leaves[i], file->footer_at, &place, NULL) != S3STORE_OK)
            continue;
        s3store_status status =
            s3s_prune_locations(file, chunk, rows, &s->arena, &s->pages[i], err);
        if (status != S3STORE_OK)
            return status;
        if (!pages_fit(&s->pages[i], &place))
            s->pages[i].count = 0;
    }
    return S3STORE_OK;
}

s3store_status s3s_selection_make(s3s_selection *s, const s3s_prune *prune, s3s_parquet_file *file,
                                  size_t group, const s3s_leaf *const *leaves, size_t leaf_count,
                                  s3store_error *err)
{
    *s = (s3s_selection){.known = true};
    s3s_buffer_init(&s->ranges, file->env, SIZE_MAX);
    s3s_arena_init(&s->arena, file->env);
    s3store_status status = s3s_prune_group(prune, file, group, &s->ranges, err);
    int64_t rows = s3s_selection_rows(s);
    if (status == S3STORE_OK && rows > 0 && rows < s3s_parquet_group(file, group)->num_rows)
        status = find_pages(s, file, group, leaves, leaf_count, err);
    return status;
}

size_t s3s_selection_page_of(const s3s_thrift_list *pages, int64_t row)
{
    const s3s_pq_page_location *l = pages->items;
    size_t low = 0, high = pages->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (l[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static s3store_status add_bytes(s3s_buffer *out, uint64_t begin, uint64_t end, s3store_error *err)
{
    s3s_byte_range range = {begin, end - begin};
    return begin < end ? s3s_buffer_append(out, &range, sizeof range, err) : S3STORE_OK;
}

static s3store_status add_pages(const s3s_selection *s, const s3s_thrift_list *pages,
                                const s3s_chunk_place *place, s3s_buffer *out, s3store_error *err)
{
    const s3s_pq_page_location *l = pages->items;
    const s3s_row_range *ranges = (const void *)s->ranges.data;
    s3store_status status = add_bytes(out, place->begin, (uint64_t)l[0].offset, err);
    size_t next = 0; /* pages before it are in, or out */
    for (size_t i = 0; i < s->ranges.size / sizeof *ranges && status == S3STORE_OK; i++) {
        size_t first = s3s_selection_page_of(pages, ranges[i].begin);
        size_t last = s3s_selection_page_of(pages, ranges[i].end - 1);
        first = first < next ? next : first;
        if (first > last)
            continue;
        status = add_bytes(out, (uint64_t)l[first].offset,
                           (uint64_t)l[last].offset + (uint64_t)l[last].compressed_size, err);
        next = last + 1;
    }
    return status;
}

s3store_status s3s_selection_bytes(const s3s_selection *s, const s3s_parquet_file *file,
                                   size_t group, const s3s_leaf *const *leaves, size_t leaf_count,
                                   s3s_buffer *out, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < leaf_count && status == S3STORE_OK && s->ranges.size > 0; i++) {
        s3s_chunk_place place;
        if (s3s_chunk_place_of(chunk_of(file, group, leaves[i]), leaves[i], file->footer_at,
                               &place, NULL) != S3STORE_OK)
            continue; /* reading it will say why */
        s3s_thrift_list pages = s3s_selection_pages(s, i);
        status = pages.count > 0 ? add_pages(s, &pages, &place, out, err)
                                 : add_bytes(out, place.begin, place.end, err);
    }
    return status;
}
