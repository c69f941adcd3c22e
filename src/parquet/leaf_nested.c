/* parquet/leaf_nested.c: levels of nested leaves: which entries begin rows, which have slots.
 *
 * A row ends where the next one begins, or the chunk ends: to know that a row is complete, one
 * entry more is looked at, on the next page if need be.
 */
#include "base/error.h"
#include "parquet/encoding/masks.h"
#include "parquet/leaf_reader.h"

#define ENTRIES_MAX ((size_t)INT32_MAX - S3S_LEAF_BATCH) /* of a batch: lists have 32-bit offsets */

s3store_status s3s_levels_new(s3s_leaf_reader *r, s3store_error *err)
{
    r->levels = s3s_calloc(r->pages.env, 1, sizeof *r->levels);
    if (r->levels == NULL)
        return s3s_fail_memory(err, sizeof *r->levels);
    s3s_block_init(&r->levels->rep, r->pages.env, r->pages.budget);
    s3s_block_init(&r->levels->def, r->pages.env, r->pages.budget);
    return S3STORE_OK;
}

void s3s_levels_free(s3s_leaf_reader *r)
{
    if (r->levels == NULL)
        return;
    s3s_block_deinit(&r->levels->rep);
    s3s_block_deinit(&r->levels->def);
    s3s_free(r->pages.env, r->levels);
    r->levels = NULL;
}

void s3s_levels_begin(s3s_leaf_reader *r, int64_t group_rows)
{
    s3s_levels *l = r->levels;
    l->rows_begun = 0;
    l->group_rows = group_rows;
    l->page_left = l->next_at = l->next_count = 0;
}

void s3s_levels_begin_page(s3s_leaf_reader *r)
{
    const s3s_page *page = &r->page;
    r->levels->page_left = page->num_values;
    s3s_hybrid_init(&r->levels->rep_runs, "repetition levels", s3s_bit_width(r->leaf->max_rep),
                    page->rep.data, page->rep.size);
}

/* ---- decoding -------------------------------------------------------------------------------- */

static s3store_status decode(s3s_leaf_reader *r, s3s_hybrid *runs, s3s_span span, int32_t encoding,
                             unsigned max, size_t count, uint8_t *out, s3store_error *err)
{
    uint32_t levels[S3S_LEAF_BATCH];
    if (max == 0) {
        memset(out, 0, count);
        return S3STORE_OK;
    }
    s3store_status status =
        encoding == S3S_PQ_BIT_PACKED
            ? s3s_bit_packed_get(span.data, span.size, s3s_bit_width(max),
                                 r->page.num_values - r->levels->page_left, count, levels, err)
            : s3s_hybrid_get(runs, levels, count, err);
    if (status != S3STORE_OK)
        return status;
    uint32_t greatest = 0;
    for (size_t i = 0; i < count; i++) {
        greatest = levels[i] > greatest ? levels[i] : greatest;
        out[i] = (uint8_t)levels[i];
    }
    if (greatest > max)
        return s3s_fail(err, S3STORE_CORRUPT, "a %s level of %u where %u is the greatest",
                        out == r->levels->next_rep ? "repetition" : "definition",
                        (unsigned)greatest, max);
    return S3STORE_OK;
}

/* The next entries of the page. */
static s3store_status decode_entries(s3s_leaf_reader *r, s3store_error *err)
{
    s3s_levels *l = r->levels;
    const s3s_page *page = &r->page;
    size_t count = l->page_left < S3S_LEAF_BATCH ? l->page_left : S3S_LEAF_BATCH;
    s3store_status status = decode(r, &l->rep_runs, page->rep, page->rep_encoding,
                                   r->leaf->max_rep, count, l->next_rep, err);
    if (status == S3STORE_OK)
        status = decode(r, &r->def, page->def, page->def_encoding, r->leaf->max_def, count,
                        l->next_def, err);
    if (status != S3STORE_OK)
        return status;
    l->page_left -= count;
    l->next_at = 0;
    l->next_count = count;
    return S3STORE_OK;
}

/* ---- entries --------------------------------------------------------------------------------- */

static s3store_status check_entry(s3s_leaf_reader *r, unsigned rep, unsigned def,
                                  s3store_error *err)
{
    s3s_levels *l = r->levels;
    if (rep == 0) {
        if (l->rows_begun == l->group_rows)
            return s3s_fail(err, S3STORE_CORRUPT,
                            "more rows than the %lld that the row group should have",
                            (long long)l->group_rows);
        return S3STORE_OK;
    }
    if (l->rows_begun == 0)
        return s3s_fail(err, S3STORE_CORRUPT, "the column chunk begins inside a row");
    unsigned item = r->leaf->list_defs[rep];
    if (def < item || l->last_def < item)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "row %lld of the row group goes on with a list that has no items",
                        (long long)l->rows_begun - 1);
    return S3STORE_OK;
}

/* The first entry that cannot be, of those that are waiting. */
static s3store_status bad_entry(s3s_leaf_reader *r, const uint8_t *reps, const uint8_t *defs,
                                size_t count, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        status = check_entry(r, reps[i], defs[i], err);
        r->levels->rows_begun += reps[i] == 0;
        r->levels->last_def = defs[i];
    }
    return status;
}

/* Of n entries, of which `inside` go on with a row: those that cannot, because there is no item, or
 * none before. last: the definition level before the first. */
static uint64_t cannot_go_on(const s3s_leaf *leaf, const uint8_t *reps, const uint8_t *defs,
                             size_t n, uint64_t inside, unsigned last)
{
    uint64_t bad = 0;
    for (unsigned rep = 1; inside != 0 && rep <= leaf->max_rep; rep++) {
        uint8_t item = leaf->list_defs[rep];
        uint64_t these = inside & ~s3s_mask_at_least_of(reps, n, (uint8_t)(rep + 1));
        uint64_t items = s3s_mask_at_least_of(defs, n, item);
        bad |= these & ~(items & (items << 1 | (last >= item)));
        inside &= ~these;
    }
    return bad;
}

/* Takes decoded entries until `target` rows are there and another would begin (*more). */
static s3store_status take_entries(s3s_leaf_reader *r, size_t target, bool *more,
                                   s3store_error *err)
{
    s3s_levels *l = r->levels;
    uint8_t slot_def = r->leaf->list_defs[r->leaf->max_rep], max_def = (uint8_t)r->leaf->max_def;
    size_t count = 0, slots = 0, ones = 0, begun = 0, left = l->next_count - l->next_at;
    const uint8_t *reps = l->next_rep + l->next_at, *defs = l->next_def + l->next_at;
    /* Rows that may begin before a look at the entry is needed. */
    size_t wanted = target > l->rows ? target - l->rows : 0;
    uint64_t in_group = (uint64_t)(l->group_rows - l->rows_begun);
    size_t stop = wanted < in_group ? wanted : (size_t)in_group;
    unsigned last = l->last_def;
    bool bad = l->rows_begun == 0 && left > 0 && reps[0] != 0;
    memset(l->slots, 0, sizeof l->slots);
    while (count < left && !*more) {
        const uint8_t *rep = reps + count, *def = defs + count;
        size_t n = left - count < S3S_MASK_BITS ? left - count : S3S_MASK_BITS;
        uint64_t inside = s3s_mask_at_least_of(rep, n, 1), starts = ~inside & s3s_mask_first(n);
        size_t rows = s3s_mask_count(starts);
        if (rows > stop - begun) {
            rows = stop - begun;
            n = s3s_mask_nth(starts, rows);
            inside &= s3s_mask_first(n);
            *more = true;
            bad |= in_group == stop;
        }
        bad |= cannot_go_on(r->leaf, rep, def, n, inside, last) != 0;
        uint64_t slot = s3s_mask_at_least_of(def, n, slot_def);
        uint64_t one = s3s_mask_at_least_of(def, n, max_def) & slot;
        s3s_mask_put(s3s_mask_gather(one, slot), l->slots, slots);
        slots += s3s_mask_count(slot);
        ones += s3s_mask_count(one);
        begun += rows;
        last = n > 0 ? def[n - 1] : last;
        count += n;
    }
    if (bad)
        return bad_entry(r, reps, defs, left, err);
    l->rows += begun;
    l->rows_begun += (int64_t)begun;
    l->last_def = last;
    s3store_status status = s3s_block_reserve(&l->rep, count, err);
    if (status == S3STORE_OK)
        status = s3s_block_reserve(&l->def, count, err);
    if (status != S3STORE_OK)
        return status;
    memcpy(l->rep.data + l->rep.size, reps, count);
    memcpy(l->def.data + l->def.size, defs, count);
    l->rep.size += count;
    l->def.size += count;
    l->next_at += count;
    l->slot_at = 0;
    l->all_valid = ones == slots;
    r->page_rows_left = slots;
    return S3STORE_OK;
}

/* Rows before the one that has a slot outside the sink. */
static size_t rows_in_sink(const s3s_leaf_reader *r)
{
    const s3s_levels *l = r->levels;
    unsigned slot_def = r->leaf->list_defs[r->leaf->max_rep];
    size_t rows = 0, slots = 0;
    for (size_t i = 0; i < l->rep.size; i++) {
        rows += l->rep.data[i] == 0;
        slots += l->def.data[i] >= slot_def;
        if (slots > (size_t)r->sink.rows)
            break;
    }
    return rows > 0 ? rows - 1 : 0;
}

static s3store_status batch_full(s3s_leaf_reader *r, s3store_error *err)
{
    r->levels->complete = rows_in_sink(r);
    if (r->levels->complete == 0)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "row %lld of the row group holds more than lists of 32-bit offsets can",
                        (long long)r->levels->rows_begun - 1);
    return S3STORE_OK;
}

static s3store_status chunk_end(s3s_leaf_reader *r, s3store_error *err)
{
    s3s_levels *l = r->levels;
    l->complete = l->rows;
    if (l->rows_begun != l->group_rows)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "the column chunk has %lld rows, its row group %lld",
                        (long long)l->rows_begun, (long long)l->group_rows);
    return S3STORE_OK;
}

/* Makes more entries available. *end: the chunk has no more. */
static s3store_status more_entries(s3s_leaf_reader *r, bool *end, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (r->levels->page_left == 0 && status == S3STORE_OK) {
        if (r->values_left == 0) {
            *end = true;
            return chunk_end(r, err);
        }
        status = s3s_leaf_next_page(r, err);
    }
    return status == S3STORE_OK ? decode_entries(r, err) : status;
}

s3store_status s3s_leaf_read_nested(s3s_leaf_reader *r, size_t rows, size_t *got,
                                    s3store_error *err)
{
    s3s_levels *l = r->levels;
    size_t before = l->complete, target = before + rows;
    bool end = false, full = false, more = false;
    while (!end && !full) {
        s3store_status status = s3s_leaf_drain(r, &full, err);
        if (status == S3STORE_OK && (full || l->rep.size > ENTRIES_MAX)) {
            full = true;
            status = batch_full(r, err);
        } else if (status == S3STORE_OK && (more || l->rows > target)) {
            l->complete = target;
            break;
        } else if (status == S3STORE_OK && l->next_at == l->next_count) {
            status = more_entries(r, &end, err);
        }
        if (status == S3STORE_OK && !end && !full)
            status = take_entries(r, target, &more, err);
        if (status != S3STORE_OK)
            return status;
    }
    *got = l->complete - before;
    return S3STORE_OK;
}
