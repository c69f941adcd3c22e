/* parquet/leaf_reader.c: levels and values of leaves into Arrow buffers.
 *
 * A step decodes a run of rows of one page: the definition levels become validity bits, the values
 * of the valid rows are decoded dense to where they belong, then spread over the nulls. What is
 * said of rows here holds for the slots of nested leaves; leaf_nested.c tells them from the levels.
 */
#include "parquet/leaf_reader.h"

#include "base/bytes.h"
#include "base/error.h"

#define FIXED_STEP_BYTES ((size_t)1 << 19) /* room made for values before they are seen */
#define SCRATCH_BYTES ((size_t)64 << 10) /* of physical values before conversion */

s3store_status s3s_leaf_reader_init(s3s_leaf_reader *r, s3s_env *env, s3s_budget *budget,
                                    s3s_parquet_source source, const s3s_leaf *leaf,
                                    s3store_error *err)
{
    memset(r, 0, sizeof *r);
    r->leaf = leaf;
    s3s_page_reader_init(&r->pages, env, budget, source, leaf);
    s3s_values_init(&r->values, env, budget, leaf->physical, leaf->type_length);
    s3s_block_init(&r->dictionary_page, env, budget);
    s3s_block_init(&r->dictionary.values, env, budget);
    s3s_sink_init(&r->sink, env, budget, leaf);
    s3s_block_init(&r->scratch, env, budget);
    if (leaf->sink == S3S_SINK_BYTES) {
        r->pending = s3s_calloc(env, 1, sizeof *r->pending);
        if (r->pending == NULL)
            return s3s_fail_memory(err, sizeof *r->pending);
    }
    return leaf->flat ? S3STORE_OK : s3s_levels_new(r, err);
}

void s3s_leaf_reader_deinit(s3s_leaf_reader *r)
{
    s3s_leaf_ahead_free(r);
    s3s_page_reader_deinit(&r->pages);
    s3s_values_deinit(&r->values);
    s3s_block_deinit(&r->dictionary_page);
    s3s_block_deinit(&r->dictionary.values);
    s3s_sink_deinit(&r->sink);
    s3s_block_deinit(&r->scratch);
    s3s_free(r->pages.env, r->pending);
    r->pending = NULL;
    s3s_levels_free(r);
}

void s3s_leaf_reader_begin(s3s_leaf_reader *r, const s3s_chunk_place *place, int64_t group_rows,
                           size_t window_max)
{
    s3s_leaf_ahead_end(r);
    s3s_page_reader_begin(&r->pages, place, window_max);
    r->page_at = place->begin;
    r->has_dictionary = r->in_data = false;
    r->page_rows_left = r->page_nulls = 0;
    r->page.num_nulls = -1;
    r->values_left = place->num_values;
    r->row_at = 0;
    if (r->pending != NULL)
        r->pending->rows = r->pending->row_at = 0;
    if (r->levels != NULL)
        s3s_levels_begin(r, group_rows);
}

/* ---- pages ----------------------------------------------------------------------------------- */

static bool is_text(const s3s_leaf *leaf)
{
    return leaf->field->type == S3S_TYPE_STRING;
}

/* Entries cannot be more than their bytes allow. */
static bool count_fits(const s3s_leaf *leaf, size_t count, size_t size)
{
    switch (leaf->physical) {
    case S3S_PQ_BOOLEAN:
        return s3s_bits_size(count) <= size;
    case S3S_PQ_BYTE_ARRAY:
        return count <= size / 4;
    case S3S_PQ_FIXED:
        return count <= size / leaf->type_length;
    default:
        return count <= size / s3s_physical_width(leaf->physical);
    }
}

static s3store_status load_dictionary(s3s_leaf_reader *r, const s3s_page *page, s3store_error *err)
{
    if (r->has_dictionary || r->in_data)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "a dictionary page that is not the first of its column");
    if (page->encoding != S3S_PQ_PLAIN && page->encoding != S3S_PQ_PLAIN_DICTIONARY)
        return s3s_fail(err, S3STORE_CORRUPT, "a dictionary in encoding %s",
                        s3s_encoding_name(page->encoding));
    if (!count_fits(r->leaf, page->num_values, page->values.size))
        return s3s_fail(err, S3STORE_CORRUPT, "a dictionary of %zu entries in %zu bytes",
                        page->num_values, page->values.size);
    s3s_values *v = &r->values;
    s3s_dictionary *d = &r->dictionary;
    size_t done = 0;
    s3store_status status = s3s_block_resize_empty(&d->values, page->num_values * v->width, err);
    if (status == S3STORE_OK)
        status = s3s_values_begin(v, S3S_PQ_PLAIN, page->values.data, page->values.size,
                                  page->num_values, NULL, err);
    while (status == S3STORE_OK && done < page->num_values) {
        size_t got = 0;
        status = s3s_values_get(v, d->values.data + done * v->width, page->num_values - done, &got,
                                err);
        done += got;
    }
    if (status != S3STORE_OK)
        return status;
    d->count = page->num_values;
    d->utf8_valid = is_text(r->leaf);
    const s3store_bytes *entries = (const void *)d->values.data;
    for (size_t i = 0; d->utf8_valid && i < d->count; i++)
        d->utf8_valid = s3s_utf8_valid(entries[i].data, entries[i].size);
    r->has_dictionary = true;
    return S3STORE_OK;
}

/* Counts decoded rows of the page; at its end the nulls must be as many as its header said. */
static s3store_status finish_rows(s3s_leaf_reader *r, size_t count, s3store_error *err)
{
    r->page_rows_left -= count;
    if (r->levels == NULL && r->page_rows_left == 0 && r->page.num_nulls >= 0 &&
        (uint64_t)r->page.num_nulls != r->page_nulls)
        return s3s_fail(err, S3STORE_CORRUPT, "%zu nulls, the page header says %lld",
                        r->page_nulls, (long long)r->page.num_nulls);
    return S3STORE_OK;
}

static s3store_status load_data(s3s_leaf_reader *r, s3store_error *err)
{
    s3s_page *page = &r->page;
    r->in_data = true;
    if ((int64_t)page->num_values > r->values_left)
        return s3s_fail(err, S3STORE_CORRUPT, "%zu values where the column chunk has %lld left",
                        page->num_values, (long long)r->values_left);
    if (r->levels == NULL && page->num_rows >= 0 && (uint64_t)page->num_rows != page->num_values)
        return s3s_fail(err, S3STORE_CORRUPT, "%lld rows with %zu values in a flat column",
                        (long long)page->num_rows, page->num_values);
    r->values_left -= (int64_t)page->num_values;
    r->page_rows_left = r->levels == NULL ? page->num_values : 0;
    r->page_nulls = 0;
    if (r->levels != NULL)
        s3s_levels_begin_page(r);
    s3s_hybrid_init(&r->def, "definition levels", s3s_bit_width(r->leaf->max_def), page->def.data,
                    page->def.size);
    if (r->leaf->sink == S3S_SINK_NULL)
        return S3STORE_OK;
    return s3s_values_begin(&r->values, page->encoding, page->values.data, page->values.size,
                            page->num_values, r->has_dictionary ? &r->dictionary : NULL, err);
}

static s3store_status next_page(s3s_leaf_reader *r, s3store_error *err)
{
    if (r->reads_ahead)
        return s3s_leaf_ahead_next(r, err);
    s3store_status status = s3s_page_reader_next(&r->pages, &r->page, &r->dictionary_page, err);
    r->page_at = r->pages.page_offset;
    return status;
}

s3store_status s3s_leaf_next_page(s3s_leaf_reader *r, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK) {
        status = next_page(r, err);
        if (status == S3STORE_END)
            return s3s_fail(err, S3STORE_CORRUPT,
                            "the column chunk ends %lld values before its row group",
                            (long long)r->values_left);
        if (status != S3STORE_OK)
            return status;
        if (r->page.type != S3S_PQ_DICTIONARY_PAGE)
            return load_data(r, err);
        status = load_dictionary(r, &r->page, err);
    }
    return status;
}

/* ---- levels ---------------------------------------------------------------------------------- */

/* Validity of the next count rows of the page. */
static s3store_status read_validity(s3s_leaf_reader *r, uint8_t *bits, size_t at, size_t count,
                                    size_t *ones, s3store_error *err)
{
    if (r->levels != NULL) {
        s3s_bits_copy(bits, at, r->levels->slots, r->levels->slot_at, count);
        *ones = s3s_bits_count(bits, at, count);
        r->levels->slot_at += count;
        return S3STORE_OK;
    }
    if (r->page.def_encoding != S3S_PQ_BIT_PACKED)
        return s3s_hybrid_get_bits(&r->def, bits, at, count, ones, err);
    uint32_t levels[S3S_LEAF_BATCH];
    *ones = 0;
    for (size_t done = 0; done < count;) {
        size_t n = count - done < S3S_LEAF_BATCH ? count - done : S3S_LEAF_BATCH;
        s3store_status status =
            s3s_bit_packed_get(r->page.def.data, r->page.def.size, 1,
                               r->page.num_values - r->page_rows_left + done, n, levels, err);
        if (status != S3STORE_OK)
            return status;
        for (size_t i = 0; i < n; i++, done++) {
            s3s_bits_fill(bits, at + done, 1, levels[i] != 0);
            *ones += levels[i];
        }
    }
    return S3STORE_OK;
}

/* Are rows ahead valid without a look at each? Lowers *count to how many. */
static s3store_status valid_run(s3s_leaf_reader *r, size_t *count, bool *valid, s3store_error *err)
{
    if (r->levels != NULL) {
        *valid = r->levels->all_valid;
        return S3STORE_OK;
    }
    *valid = r->leaf->max_def == 0;
    if (*valid || r->page.def_encoding == S3S_PQ_BIT_PACKED)
        return S3STORE_OK;
    uint32_t level = 0;
    size_t run = 0;
    s3store_status status = s3s_hybrid_peek_run(&r->def, &level, &run, err);
    if (status != S3STORE_OK || run == 0 || level == 0)
        return status;
    *count = *count < run ? *count : run;
    *valid = true;
    s3s_hybrid_skip_run(&r->def, *count);
    return S3STORE_OK;
}

/* The same into the sink's own bitmap. */
static s3store_status sink_validity(s3s_leaf_reader *r, size_t *count, size_t *ones,
                                    s3store_error *err)
{
    s3s_sink *sink = &r->sink;
    bool valid = false;
    s3store_status status = valid_run(r, count, &valid, err);
    if (status != S3STORE_OK)
        return status;
    *ones = *count;
    if (valid && !sink->has_validity)
        return S3STORE_OK;
    status = s3s_sink_need_validity(sink, *count, err);
    if (status != S3STORE_OK)
        return status;
    if (valid) {
        s3s_bits_fill(sink->validity.data, (size_t)sink->rows, *count, true);
        return S3STORE_OK;
    }
    return read_validity(r, sink->validity.data, (size_t)sink->rows, *count, ones, err);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Decodes exactly count dense values to `to`, which is as wide as physical values are. */
static s3store_status get_all(s3s_leaf_reader *r, uint8_t *to, size_t count, s3store_error *err)
{
    while (count > 0) {
        size_t got = 0;
        s3store_status status = s3s_values_get(&r->values, to, count, &got, err);
        if (status != S3STORE_OK)
            return status;
        to += got * r->values.width;
        count -= got;
    }
    return S3STORE_OK;
}

static s3store_status get_converted(s3s_leaf_reader *r, uint8_t *to, size_t count,
                                    s3store_error *err)
{
    size_t width = r->values.width;
    size_t batch = width < SCRATCH_BYTES ? SCRATCH_BYTES / width : 1;
    s3store_status status = S3STORE_OK;
    if (r->scratch.data == NULL)
        status = s3s_block_resize_empty(&r->scratch, batch * width, err);
    while (count > 0 && status == S3STORE_OK) {
        size_t got = 0;
        status = s3s_values_get(&r->values, r->scratch.data, count < batch ? count : batch, &got,
                                err);
        if (status == S3STORE_OK)
            status = r->leaf->convert(r->leaf, r->scratch.data, got, to, err);
        to += got * r->leaf->out_width;
        count -= got;
    }
    return status;
}

static s3store_status step_fixed(s3s_leaf_reader *r, size_t *count, s3store_error *err)
{
    size_t ones = 0, size;
    size_t step = FIXED_STEP_BYTES / r->leaf->out_width + 1;
    *count = *count < step ? *count : step;
    s3store_status status = sink_validity(r, count, &ones, err);
    if (status != S3STORE_OK)
        return status;
    if (!s3s_mul(*count, r->leaf->out_width, &size))
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "values of %zu bytes", r->leaf->out_width);
    status = s3s_block_reserve(&r->sink.values, size, err);
    if (status != S3STORE_OK)
        return status;
    uint8_t *to = r->sink.values.data + r->sink.values.size;
    status = r->leaf->convert == NULL ? get_all(r, to, ones, err) : get_converted(r, to, ones, err);
    if (status == S3STORE_OK) {
        r->page_nulls += *count - ones;
        s3s_sink_spread(&r->sink, *count, ones);
    }
    return status;
}

static s3store_status step_bits(s3s_leaf_reader *r, size_t *count, s3store_error *err)
{
    uint8_t values[S3S_LEAF_BATCH + 1];
    size_t ones = 0, at = 0;
    const uint8_t *bits = NULL;
    *count = *count < S3S_LEAF_BATCH ? *count : S3S_LEAF_BATCH;
    s3store_status status = sink_validity(r, count, &ones, err);
    if (status == S3STORE_OK)
        status = s3s_sink_need_bits(&r->sink, *count, err);
    if (status != S3STORE_OK)
        return status;
    r->page_nulls += *count - ones;
    if (ones == *count && s3s_values_bits(&r->values, ones, &bits, &at)) {
        s3s_sink_copy_bits(&r->sink, bits, at, ones);
        return S3STORE_OK;
    }
    values[ones] = 0;
    status = get_all(r, values, ones, err);
    if (status == S3STORE_OK)
        s3s_sink_put_bits(&r->sink, values, *count);
    return status;
}

static s3store_status step_null(s3s_leaf_reader *r, size_t *count, s3store_error *err)
{
    uint8_t bits[S3S_LEAF_BATCH / 8];
    size_t ones = 0;
    bool valid = false;
    *count = *count < S3S_LEAF_BATCH ? *count : S3S_LEAF_BATCH;
    s3store_status status = valid_run(r, count, &valid, err);
    if (status == S3STORE_OK && !valid)
        status = read_validity(r, bits, 0, *count, &ones, err);
    if (status != S3STORE_OK)
        return status;
    if (valid || ones > 0)
        return s3s_fail(err, S3STORE_CORRUPT, "values in a column of nulls");
    r->page_nulls += *count;
    r->sink.rows += (int64_t)*count;
    r->sink.nulls += (int64_t)*count;
    return S3STORE_OK;
}

/* ---- strings --------------------------------------------------------------------------------- */

static s3store_status bad_text(const s3s_leaf_reader *r, const uint8_t *from, size_t first,
                               size_t rows, s3store_error *err)
{
    const int32_t *offsets = (const void *)r->sink.offsets.data;
    if (r->levels != NULL)
        return s3s_fail(err, S3STORE_CORRUPT, "a value in or shortly before row %lld of the row "
                        "group is not valid UTF-8", (long long)r->levels->rows_begun - 1);
    size_t i = first;
    while (i + 1 < first + rows &&
           s3s_utf8_valid(from + offsets[i], (size_t)(offsets[i + 1] - offsets[i])))
        i++;
    return s3s_fail(err, S3STORE_CORRUPT, "row %lld of the row group is not valid UTF-8",
                    (long long)(r->row_at + (int64_t)(i - first)));
}

static bool all_ascii(const uint8_t *p, size_t size)
{
    uint64_t bits = 0;
    size_t i = 0;
    for (; i + 8 <= size; i += 8)
        bits |= s3s_le64(p + i);
    for (; i < size; i++)
        bits |= p[i];
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

/* The new rows as one text, in which no row begins inside a character. */
static s3store_status check_text(const s3s_leaf_reader *r, size_t first, size_t rows,
                                 s3store_error *err)
{
    const int32_t *offsets = (const int32_t *)(const void *)r->sink.offsets.data + first;
    const uint8_t *text = r->sink.values.data;
    size_t size = (size_t)(offsets[rows] - offsets[0]);
    bool indexed =
        r->page.encoding == S3S_PQ_RLE_DICTIONARY || r->page.encoding == S3S_PQ_PLAIN_DICTIONARY;
    if (size == 0 || !is_text(r->leaf) || (indexed && r->dictionary.utf8_valid) ||
        all_ascii(text + offsets[0], size))
        return S3STORE_OK;
    bool inside = false;
    for (size_t i = 0; i < rows; i++)
        inside |= offsets[i] < offsets[i + 1] && (text[offsets[i]] & 0xc0) == 0x80;
    if (inside || !s3s_utf8_valid(text + offsets[0], size))
        return bad_text(r, text, first, rows, err);
    return S3STORE_OK;
}

/* The next rows of the page, validity first; their values follow as they are needed. */
static s3store_status fill_pending(s3s_leaf_reader *r, size_t count, s3store_error *err)
{
    s3s_pending *p = r->pending;
    size_t ones = 0;
    count = count < S3S_LEAF_BATCH ? count : S3S_LEAF_BATCH;
    s3store_status status = valid_run(r, &count, &p->all_valid, err);
    if (status == S3STORE_OK && !p->all_valid)
        status = read_validity(r, p->bits, 0, count, &ones, err);
    if (status != S3STORE_OK)
        return status;
    ones = p->all_valid ? count : ones;
    p->all_valid = ones == count;
    p->rows = count;
    p->row_at = 0;
    p->values_left = ones;
    p->span_at = p->span_count = 0;
    r->page_nulls += count - ones;
    return finish_rows(r, count, err);
}

static s3store_status fill_spans(s3s_leaf_reader *r, s3store_error *err)
{
    s3s_pending *p = r->pending;
    p->span_at = p->span_count = 0;
    s3store_status status =
        s3s_values_get(&r->values, p->spans, p->values_left, &p->span_count, err);
    p->values_left -= p->span_count;
    return status;
}

#define COPY_AT_ONCE 32 /* the source has slack, and so has the sink */
_Static_assert(COPY_AT_ONCE <= S3S_PAGE_SLACK && COPY_AT_ONCE <= S3S_VALUES_SLACK,
               "strings are copied beyond the slack behind them");

/* Where the bytes of the next values lie one behind the other. */
static bool is_joined(const s3s_leaf_reader *r)
{
    return r->page.encoding == S3S_PQ_DELTA_LENGTH_BYTE_ARRAY ||
           r->page.encoding == S3S_PQ_DELTA_BYTE_ARRAY;
}

/* Offsets of rows that are all valid; returns the end of the values. */
static size_t valid_offsets(const s3store_bytes *spans, size_t rows, int32_t *offsets, size_t size)
{
    for (size_t i = 0; i < rows; i++) {
        size += spans[i].size;
        offsets[i] = (int32_t)size;
    }
    return size;
}

/* The same of rows of which some are null, without a branch that nobody can foresee. Ends before a
 * valid row behind the last of `fit` spans; *used of them were needed. */
static size_t mixed_offsets(const s3s_pending *p, size_t *rows, size_t fit, int32_t *offsets,
                            size_t size, size_t *used)
{
    const s3store_bytes *spans = &p->spans[p->span_at];
    size_t at = 0, row = 0;
    for (; row < *rows; row++) {
        size_t valid = s3s_bit(p->bits, p->row_at + row);
        if (valid > fit - at)
            break;
        size += spans[at].size & (0 - valid);
        at += valid;
        offsets[row] = (int32_t)size;
    }
    *rows = row;
    *used = at;
    return size;
}

/* Behind the values of the sink, which has no memory yet where there was none to copy. */
static void copy_spans(const s3s_leaf_reader *r, size_t count, size_t total)
{
    const s3store_bytes *spans = &r->pending->spans[r->pending->span_at];
    if (count == 0 || total == 0)
        return;
    uint8_t *to = r->sink.values.data + r->sink.values.size;
    if (is_joined(r)) {
        memcpy(to, spans[0].data, total);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (spans[i].size <= COPY_AT_ONCE)
            memcpy(to, spans[i].data, COPY_AT_ONCE);
        else
            memcpy(to, spans[i].data, spans[i].size);
        to += spans[i].size;
    }
}

/* Copies rows while their values are decoded and fit: `fit` spans do. Returns how many rows. */
static size_t copy_rows(s3s_leaf_reader *r, size_t rows, size_t fit)
{
    s3s_pending *p = r->pending;
    s3s_sink *sink = &r->sink;
    int32_t *offsets = (int32_t *)(void *)sink->offsets.data + sink->rows;
    size_t size = sink->values.size, used = 0, end;
    if (p->all_valid) {
        rows = used = rows < fit ? rows : fit;
        end = valid_offsets(&p->spans[p->span_at], rows, offsets + 1, size);
    } else {
        end = mixed_offsets(p, &rows, fit, offsets + 1, size, &used);
    }
    copy_spans(r, used, end - size);
    p->span_at += used;
    sink->values.size = end;
    sink->offsets.size += rows * 4;
    return rows;
}

/* Room for the spans that wait, as far as 32-bit offsets allow: *fit of them. */
static s3store_status bytes_room(s3s_leaf_reader *r, size_t rows, size_t *fit, s3store_error *err)
{
    s3s_pending *p = r->pending;
    s3s_sink *sink = &r->sink;
    s3store_status status = S3STORE_OK;
    if (sink->offsets.size == 0) {
        status = s3s_block_reserve(&sink->offsets, (rows + 1) * 4, err);
        if (status != S3STORE_OK)
            return status;
        memset(sink->offsets.data, 0, 4);
        sink->offsets.size = 4;
    }
    status = s3s_block_reserve(&sink->offsets, rows * 4, err);
    size_t total = 0, i = p->span_at;
    for (; i < p->span_count && p->spans[i].size <= INT32_MAX - sink->values.size - total; i++)
        total += p->spans[i].size;
    *fit = i - p->span_at;
    if (status == S3STORE_OK && *fit > 0)
        status = s3s_block_reserve(&sink->values, total + COPY_AT_ONCE, err);
    return status;
}

/* Null rows are told from the bitmap's end of the row: those that a span was not needed for. */
static s3store_status sink_bytes_validity(s3s_leaf_reader *r, size_t rows, s3store_error *err)
{
    s3s_pending *p = r->pending;
    s3s_sink *sink = &r->sink;
    if (p->all_valid && !sink->has_validity)
        return S3STORE_OK;
    s3store_status status = s3s_sink_need_validity(sink, rows, err);
    if (status != S3STORE_OK)
        return status;
    if (p->all_valid) {
        s3s_bits_fill(sink->validity.data, (size_t)sink->rows, rows, true);
        return S3STORE_OK;
    }
    s3s_bits_copy(sink->validity.data, (size_t)sink->rows, p->bits, p->row_at, rows);
    sink->nulls += (int64_t)(rows - s3s_bits_count(p->bits, p->row_at, rows));
    return S3STORE_OK;
}

/* Moves up to `rows` rows from pending to the sink. *got < what is pending and 0: the batch is
 * full. */
static s3store_status drain_pending(s3s_leaf_reader *r, size_t rows, size_t *got,
                                    s3store_error *err)
{
    s3s_pending *p = r->pending;
    s3s_sink *sink = &r->sink;
    s3store_status status = S3STORE_OK;
    if (p->span_at == p->span_count && p->values_left > 0)
        status = fill_spans(r, err);
    rows = rows < p->rows - p->row_at ? rows : p->rows - p->row_at;
    size_t fit = 0;
    if (status == S3STORE_OK)
        status = bytes_room(r, rows, &fit, err);
    if (status != S3STORE_OK)
        return status;
    if (fit == 0 && p->span_at < p->span_count && sink->rows == 0 &&
        p->spans[p->span_at].size > INT32_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "row %lld of the row group holds %zu bytes, more than a column of 32-bit "
                        "offsets can",
                        (long long)r->row_at, p->spans[p->span_at].size);
    size_t first = (size_t)sink->rows;
    *got = copy_rows(r, rows, fit);
    status = check_text(r, first, *got, err);
    if (status != S3STORE_OK)
        return status;
    status = sink_bytes_validity(r, *got, err);
    sink->rows += (int64_t)*got;
    p->row_at += *got;
    return status;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static s3store_status read_bytes(s3s_leaf_reader *r, size_t rows, size_t *got, s3store_error *err)
{
    s3s_pending *p = r->pending;
    while (*got < rows) {
        s3store_status status = S3STORE_OK;
        if (p->row_at == p->rows) {
            while (r->page_rows_left == 0 && status == S3STORE_OK)
                status = s3s_leaf_next_page(r, err);
            if (status == S3STORE_OK)
                status = fill_pending(r, r->page_rows_left, err);
        }
        size_t n = 0;
        if (status == S3STORE_OK)
            status = drain_pending(r, rows - *got, &n, err);
        if (status != S3STORE_OK)
            return status;
        *got += n;
        r->row_at += (int64_t)n;
        if (n == 0)
            return S3STORE_OK; /* no further row fits */
    }
    return S3STORE_OK;
}

typedef s3store_status (*step_fn)(s3s_leaf_reader *, size_t *, s3store_error *);

static const step_fn steps[] = {
    [S3S_SINK_FIXED] = step_fixed, [S3S_SINK_BITS] = step_bits, [S3S_SINK_NULL] = step_null};

static s3store_status drain_bytes(s3s_leaf_reader *r, bool *full, s3store_error *err)
{
    s3s_pending *p = r->pending;
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && !*full && (p->row_at < p->rows || r->page_rows_left > 0)) {
        size_t n = 0;
        if (p->row_at == p->rows)
            status = fill_pending(r, r->page_rows_left, err);
        if (status == S3STORE_OK)
            status = drain_pending(r, SIZE_MAX, &n, err);
        *full = n == 0;
    }
    return status;
}

s3store_status s3s_leaf_drain(s3s_leaf_reader *r, bool *full, s3store_error *err)
{
    *full = false;
    if (r->leaf->sink == S3S_SINK_BYTES)
        return drain_bytes(r, full, err);
    s3store_status status = S3STORE_OK;
    while (r->page_rows_left > 0 && status == S3STORE_OK) {
        size_t n = r->page_rows_left;
        status = steps[r->leaf->sink](r, &n, err);
        if (status == S3STORE_OK)
            status = finish_rows(r, n, err);
    }
    return status;
}

s3store_status s3s_leaf_reader_read(s3s_leaf_reader *r, size_t rows, size_t *got,
                                    s3store_error *err)
{
    *got = 0;
    if (r->levels != NULL)
        return s3s_leaf_read_nested(r, rows, got, err);
    if (r->leaf->sink == S3S_SINK_BYTES)
        return read_bytes(r, rows, got, err);
    while (*got < rows) {
        s3store_status status = S3STORE_OK;
        while (r->page_rows_left == 0 && status == S3STORE_OK)
            status = s3s_leaf_next_page(r, err);
        size_t n = rows - *got < r->page_rows_left ? rows - *got : r->page_rows_left;
        if (status == S3STORE_OK)
            status = steps[r->leaf->sink](r, &n, err);
        if (status != S3STORE_OK)
            return status;
        status = finish_rows(r, n, err);
        if (status != S3STORE_OK)
            return status;
        *got += n;
        r->row_at += (int64_t)n;
    }
    return S3STORE_OK;
}

s3store_status s3s_leaf_reader_skip(s3s_leaf_reader *r, size_t rows, size_t *skipped,
                                    s3store_error *err)
{
    s3s_page_reader *pages = &r->pages;
    s3store_status status = S3STORE_OK;
    *skipped = 0;
    while (status == S3STORE_OK && *skipped < rows) {
        s3s_pq_page_header header;
        size_t size;
        status = s3s_page_reader_skim(pages, &header, &size, err);
        if (status != S3STORE_OK)
            break;
        bool v1 = header.type == S3S_PQ_DATA_PAGE && S3S_PQ_HAS(&header, S3S_PAGE_DATA);
        bool v2 = header.type == S3S_PQ_DATA_PAGE_V2 && S3S_PQ_HAS(&header, S3S_PAGE_DATA_V2);
        int32_t count = v1 ? header.data.num_values : v2 ? header.data_v2.num_values : -1;
        if (header.type == S3S_PQ_DICTIONARY_PAGE) {
            pages->at = pages->page_offset;
            status = s3s_page_reader_next(pages, &r->page, &r->dictionary_page, err);
            if (status == S3STORE_OK)
                status = load_dictionary(r, &r->page, err);
        } else if (count < 0 || (size_t)count > rows - *skipped || count > r->values_left) {
            pages->at = pages->page_offset; /* read it, and fail there if it is damaged */
            break;
        } else {
            r->in_data = true;
            r->values_left -= count;
            r->row_at += count;
            *skipped += (size_t)count;
        }
    }
    r->page_at = pages->page_offset;
    return status == S3STORE_END ? S3STORE_OK : status;
}

s3store_status s3s_leaf_reader_jump(s3s_leaf_reader *r, uint64_t data_at, uint64_t at,
                                    int64_t rows, s3store_error *err)
{
    s3s_page_reader *pages = &r->pages;
    if (rows > r->values_left || at < pages->at)
        return s3s_fail(err, S3STORE_CORRUPT, "the page index leads %lld rows ahead of %lld",
                        (long long)rows, (long long)r->values_left);
    if (!r->in_data && !r->has_dictionary && pages->at < data_at) {
        s3s_page_reader_fetch_until(pages, data_at);
        s3store_status status =
            s3s_page_reader_next(pages, &r->page, &r->dictionary_page, err);
        r->page_at = pages->page_offset;
        if (status == S3STORE_OK && r->page.type != S3S_PQ_DICTIONARY_PAGE)
            status = s3s_fail(err, S3STORE_CORRUPT,
                              "a data page before the first one of the page index");
        if (status == S3STORE_OK)
            status = load_dictionary(r, &r->page, err);
        if (status != S3STORE_OK)
            return status == S3STORE_END
                       ? s3s_fail(err, S3STORE_CORRUPT, "the column chunk has no pages")
                       : status;
    }
    pages->at = at;
    r->in_data = true;
    r->values_left -= rows;
    r->row_at += rows;
    return S3STORE_OK;
}
