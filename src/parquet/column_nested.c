/* parquet/column_nested.c: rows of nested columns into pages. A row is never cut: pages begin where
 * rows do, as the page index demands.
 */
#include "base/error.h"
#include "parquet/column_writer.h"

#define ROWS_AT_ONCE 256
#define PAGE_ENTRIES_MAX ((size_t)1 << 17)

/* Bytes of an entry's value in PLAIN form. */
static size_t value_bytes(const s3s_column_writer *w, const s3s_column *leaf,
                          const s3s_shred_entry *e)
{
    if (e->index < 0)
        return 0;
    return w->width != 0 ? w->width : 4 + s3s_column_bytes(leaf, e->index).size;
}

/* At least the bytes that all of these have: a quick look. */
static size_t most_bytes(const s3s_column_writer *w, const s3s_column *leaf,
                         const s3s_shred_entry *e, size_t count)
{
    if (w->width != 0)
        return count * w->width;
    size_t first = 0;
    while (first < count && e[first].index < 0)
        first++;
    if (first == count)
        return 0;
    while (e[count - 1].index < 0)
        count--;
    size_t rows = (size_t)(e[count - 1].index - e[first].index) + 1; /* indexes ascend */
    return 4 * count + s3s_column_span_bytes(leaf, e[first].index, rows);
}

/* Entries of as many whole rows as fit the page; at least one row for an empty page. */
static size_t entries_that_fit(const s3s_column_writer *w, const s3s_column *leaf,
                               const s3s_shred_entry *e, size_t count)
{
    size_t fit = 0, bytes = w->page->plain_bytes;
    if (w->page->entries + count <= PAGE_ENTRIES_MAX &&
        bytes + most_bytes(w, leaf, e, count) <= w->options.page_bytes)
        return count;
    for (size_t i = 0; i < count;) {
        do
            bytes += value_bytes(w, leaf, &e[i++]);
        while (i < count && e[i].rep > 0);
        bool fits = bytes <= w->options.page_bytes && w->page->entries + i <= PAGE_ENTRIES_MAX;
        if (!fits && (fit > 0 || w->page->entries > 0))
            break;
        fit = i;
        if (!fits)
            break;
    }
    return fit;
}

static s3store_status add_levels(s3s_column_writer *w, const s3s_shred_entry *e, size_t count,
                                 s3store_error *err)
{
    uint8_t *rep = s3s_buffer_reserve(&w->page->rep_levels, count, err);
    uint8_t *def = rep != NULL ? s3s_buffer_reserve(&w->page->def_levels, count, err) : NULL;
    if (def == NULL)
        return s3s_fail_memory(err, count);
    if (count > INT32_MAX - w->page->entries)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "column \"%s\": a row of %zu values",
                        w->field->name, count);
    for (size_t i = 0; i < count; i++) {
        rep[i] = e[i].rep;
        def[i] = e[i].def;
        w->page->rows += e[i].rep == 0;
        w->rows += e[i].rep == 0;
    }
    w->page->rep_levels.size += count;
    w->page->def_levels.size += count;
    w->page->entries += count;
    w->entries += (int64_t)count;
    return S3STORE_OK;
}

/* Values, by runs of neighbours. */
static s3store_status add_runs(s3s_column_writer *w, const s3s_column *leaf,
                               const s3s_shred_entry *e, size_t count, s3store_error *err)
{
    size_t values = 0, bytes = 0;
    for (size_t i = 0; i < count;) {
        if (e[i].index < 0) {
            i++;
            continue;
        }
        size_t run = 1, found = 0;
        while (run < S3S_EXTRACT_ROWS && i + run < count &&
               e[i + run].index == e[i].index + (int64_t)run)
            run++;
        s3store_status status =
            s3s_extract(w->extractor, leaf, e[i].index, run, w->dense.data, &found, err);
        if (status == S3STORE_OK)
            status = s3s_column_writer_add_values(w, w->dense.data, found, err);
        if (status != S3STORE_OK)
            return status;
        values += found;
        bytes += s3s_column_writer_plain_bytes(w, w->dense.data, found);
        i += run;
    }
    w->page->values += values;
    w->page->plain_bytes += bytes;
    w->nulls += (int64_t)(count - values);
    return S3STORE_OK;
}

static s3store_status add_entries(s3s_column_writer *w, const s3s_column *leaf,
                                  const s3s_shred_entry *e, size_t count, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (count > 0 && status == S3STORE_OK) {
        size_t n = entries_that_fit(w, leaf, e, count);
        if (n == 0) {
            status = s3s_column_writer_close_page(w, err);
            continue;
        }
        status = add_levels(w, e, n, err);
        if (status == S3STORE_OK)
            status = add_runs(w, leaf, e, n, err);
        e += n;
        count -= n;
    }
    return status;
}

s3store_status s3s_column_writer_add_nested(s3s_column_writer *w, const s3s_column *column,
                                            int64_t start, size_t count, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (count > 0 && status == S3STORE_OK) {
        size_t rows = count < ROWS_AT_ONCE ? count : ROWS_AT_ONCE;
        s3s_column leaf;
        status = s3s_shred_rows(w->shred, column, start, rows, &w->shredded, &w->spare, &leaf,
                                err);
        if (status == S3STORE_OK)
            status = add_entries(w, &leaf, (const void *)w->shredded.data,
                                 w->shredded.size / sizeof(s3s_shred_entry), err);
        start += (int64_t)rows;
        count -= rows;
    }
    return status;
}
