/* parquet/int96.c: choosing the unit of INT96 columns. */
#include "parquet/int96.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/convert.h"
#include "parquet/page.h"

#define WINDOW_BYTES ((size_t)1 << 20)

typedef struct survey {
    bool finer; /* than microseconds */
    bool fits;  /* nanoseconds */
} survey;

static void look_at(survey *s, const uint8_t *values, size_t size)
{
    for (size_t at = 0; at + 12 <= size; at += 12) {
        int64_t nanos;
        s->finer |= (int64_t)s3s_le64(values + at) % 1000 != 0;
        s->fits &= s3s_int96_nanos(values + at, &nanos);
    }
}

static bool is_plain(const s3s_pq_page_header *header)
{
    switch (header->type) {
    case S3S_PQ_DICTIONARY_PAGE:
        return true;
    case S3S_PQ_DATA_PAGE:
        return S3S_PQ_HAS(header, S3S_PAGE_DATA) && header->data.encoding == S3S_PQ_PLAIN;
    case S3S_PQ_DATA_PAGE_V2:
        return S3S_PQ_HAS(header, S3S_PAGE_DATA_V2) && header->data_v2.encoding == S3S_PQ_PLAIN;
    default:
        return false;
    }
}

/* Values that a dictionary holds were seen there: pages of indexes are passed over. */
static s3store_status look_at_chunk(s3s_page_reader *r, survey *s, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && s->fits) {
        s3s_pq_page_header header;
        s3s_page page;
        size_t size;
        status = s3s_page_reader_skim(r, &header, &size, err);
        if (status != S3STORE_OK || !is_plain(&header))
            continue;
        r->at = r->page_offset;
        status = s3s_page_reader_next(r, &page, NULL, err);
        if (status == S3STORE_OK)
            look_at(s, page.values.data, page.values.size);
    }
    return status;
}

static s3store_status look_at_leaf(s3s_parquet_file *file, size_t index, survey *s,
                                   s3store_error *err)
{
    const s3s_leaf *leaf = &file->schema.leaves[index];
    s3s_page_reader r;
    s3store_status status = S3STORE_END;
    s3s_page_reader_init(&r, file->env, &file->budget, file->source, leaf);
    for (size_t g = 0; g < file->footer.row_groups.count && status == S3STORE_END && s->fits; g++) {
        const s3s_pq_chunk *chunks = s3s_parquet_group(file, g)->columns.items;
        s3s_chunk_place place;
        status = s3s_chunk_place_of(&chunks[index], leaf, file->footer_at, &place, err);
        if (status != S3STORE_OK)
            break;
        s3s_page_reader_begin(&r, &place, WINDOW_BYTES);
        status = look_at_chunk(&r, s, err);
    }
    s3s_page_reader_deinit(&r);
    return status == S3STORE_END ? S3STORE_OK : status;
}

s3store_status s3s_int96_find_nanos(s3s_parquet_file *file, bool *found, s3store_error *err)
{
    s3s_pq_schema_element *elements = file->footer.schema.items;
    size_t leaf = 0;
    *found = false;
    /* Leaves are the elements that have no children, in the same order. */
    for (size_t i = 1; i < file->footer.schema.count; i++) {
        if (!S3S_PQ_HAS(&elements[i], S3S_ELEMENT_TYPE) || elements[i].num_children > 0)
            continue;
        size_t index = leaf++;
        if (index >= file->schema.leaf_count || elements[i].type != S3S_PQ_INT96)
            continue;
        survey s = {.fits = true};
        s3store_error inner = {0};
        s3store_status status = look_at_leaf(file, index, &s, &inner);
        if (status != S3STORE_OK && status != S3STORE_CORRUPT && status != S3STORE_UNSUPPORTED &&
            status != S3STORE_LIMIT_EXCEEDED) {
            if (err != NULL)
                *err = inner;
            return s3s_parquet_in_column(err, file, file->schema.leaves[index].path, status);
        }
        elements[i].int96_nanos = s.finer && s.fits;
        *found |= elements[i].int96_nanos;
    }
    return S3STORE_OK;
}
