/* parquet/column_nested.c: rows of nested columns into pages. A row is never cut: pages begin where
 * rows do, as the page index demands.
 */
#include "base/error.h"
#include "parquet/column_writer.h"

#define ROWS_AT_ONCE 256
#define PAGE_ENTRIES_MAX ((size_t)1 << 17)

/* Entries that are not in a page yet, and where their values lie. */
typedef struct rest {
    const uint8_t *rep, *def;
    size_t count;
    const s3s_shred_range *ranges, *ranges_end;
    int64_t used; /* of the first range */
    uint8_t slot_def;
} rest;

static size_t count_slots(const rest *r, size_t count)
{
    size_t slots = 0;
    for (size_t i = 0; i < count; i++)
        slots += r->def[i] >= r->slot_def;
    return slots;
}

/* The next values that lie side by side, at most so many. */
static size_t next_run(rest *r, size_t most, int64_t *start)
{
    if (r->used == r->ranges->count) {
        r->ranges++;
        r->used = 0;
    }
    int64_t left = r->ranges->count - r->used;
    size_t run = (uint64_t)left < most ? (size_t)left : most;
    *start = r->ranges->start + r->used;
    r->used += (int64_t)run;
    return run;
}

/* At least the bytes that all values have in PLAIN form: a quick look. */
static size_t most_bytes(const s3s_column_writer *w, const s3s_column *leaf, rest r)
{
    if (w->width != 0)
        return r.count * w->width;
    size_t bytes = 4 * r.count;
    for (; r.ranges < r.ranges_end; r.ranges++, r.used = 0)
        bytes += s3s_column_span_bytes(leaf, r.ranges->start + r.used,
                                       (size_t)(r.ranges->count - r.used));
    return bytes;
}

/* Bytes of the next entry's value in PLAIN form. */
static size_t value_bytes(const s3s_column_writer *w, const s3s_column *leaf, rest *r, size_t i)
{
    int64_t at;
    if (r->def[i] < r->slot_def)
        return 0;
    next_run(r, 1, &at);
    if (r->def[i] < w->shred->max_def)
        return 0;
    return w->width != 0 ? w->width : 4 + s3s_column_bytes(leaf, at).size;
}

/* Entries of as many whole rows as fit the page; at least one row for an empty page. */
static size_t entries_that_fit(const s3s_column_writer *w, const s3s_column *leaf, rest r)
{
    size_t fit = 0, bytes = w->page->plain_bytes;
    if (w->page->entries + r.count <= PAGE_ENTRIES_MAX &&
        bytes + most_bytes(w, leaf, r) <= w->options.page_bytes)
        return r.count;
    for (size_t i = 0; i < r.count;) {
        do
            bytes += value_bytes(w, leaf, &r, i++);
        while (i < r.count && r.rep[i] > 0);
        bool fits = bytes <= w->options.page_bytes && w->page->entries + i <= PAGE_ENTRIES_MAX;
        if (!fits && (fit > 0 || w->page->entries > 0))
            break;
        fit = i;
        if (!fits)
            break;
    }
    return fit;
}

static s3store_status add_levels(s3s_column_writer *w, const rest *r, size_t count,
                                 s3store_error *err)
{
    size_t rows = 0;
    if (count > INT32_MAX - w->page->entries)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "column \"%s\": a row of %zu values",
                        w->field->name, count);
    s3store_status status = s3s_buffer_append(&w->page->rep_levels, r->rep, count, err);
    if (status == S3STORE_OK)
        status = s3s_buffer_append(&w->page->def_levels, r->def, count, err);
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < count; i++)
        rows += r->rep[i] == 0;
    w->page->rows += rows;
    w->rows += (int64_t)rows;
    w->page->entries += count;
    w->entries += (int64_t)count;
    return S3STORE_OK;
}

/* The values of so many entries. */
static s3store_status add_runs(s3s_column_writer *w, const s3s_column *leaf, rest *r, size_t count,
                               s3store_error *err)
{
    size_t slots = count_slots(r, count), values = 0, bytes = 0;
    while (slots > 0) {
        int64_t start;
        size_t found = 0;
        size_t run = next_run(r, slots < S3S_EXTRACT_ROWS ? slots : S3S_EXTRACT_ROWS, &start);
        s3store_status status =
            s3s_extract(w->extractor, leaf, start, run, w->dense.data, &found, err);
        if (status == S3STORE_OK)
            status = s3s_column_writer_add_values(w, w->dense.data, found, err);
        if (status != S3STORE_OK)
            return status;
        values += found;
        bytes += s3s_column_writer_plain_bytes(w, w->dense.data, found);
        slots -= run;
    }
    w->page->values += values;
    w->page->plain_bytes += bytes;
    w->nulls += (int64_t)(count - values);
    return S3STORE_OK;
}

static s3store_status add_entries(s3s_column_writer *w, const s3s_column *leaf, rest *r,
                                  s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (r->count > 0 && status == S3STORE_OK) {
        size_t n = entries_that_fit(w, leaf, *r);
        if (n == 0) {
            status = s3s_column_writer_close_page(w, err);
            continue;
        }
        status = add_levels(w, r, n, err);
        if (status == S3STORE_OK)
            status = add_runs(w, leaf, r, n, err);
        r->rep += n;
        r->def += n;
        r->count -= n;
    }
    return status;
}

s3store_status s3s_column_writer_add_nested(s3s_column_writer *w, const s3s_column *column,
                                            int64_t start, size_t count, s3store_error *err)
{
    const s3s_shredded *s = &w->shredded;
    s3store_status status = S3STORE_OK;
    while (count > 0 && status == S3STORE_OK) {
        size_t rows = count < ROWS_AT_ONCE ? count : ROWS_AT_ONCE;
        s3s_column leaf;
        status = s3s_shred_rows(w->shred, column, start, rows, &w->shredded, &w->spare_shredded,
                                &leaf, err);
        if (status != S3STORE_OK)
            return status;
        rest r = {.rep = s->rep.data, .def = s->def.data, .count = s->rep.size,
                  .ranges = (const void *)s->ranges.data,
                  .slot_def = s3s_shred_slot_def(w->shred)};
        r.ranges_end = r.ranges + s->ranges.size / sizeof *r.ranges;
        status = add_entries(w, &leaf, &r, err);
        start += (int64_t)rows;
        count -= rows;
    }
    return status;
}
