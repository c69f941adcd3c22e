/* parquet/column_values.c: the values of a page while it is filled, and their encoding.
 *
 * A dictionary is kept as long as it pays: a page whose values cost more as new entries and indexes
 * than as they are is written without it, and so is the rest of the row group. Whether values repeat
 * at all is looked at early: of DICTIONARY_TRIAL values drawn from any set that a dictionary could
 * hold, more than one of 64 repeat. All decisions depend on values alone, not on batches.
 */
#include "base/bits.h"
#include "base/bytes.h"
#include "base/error.h"
#include "parquet/column_writer.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/delta.h"
#include "parquet/encoding/hybrid.h"

#define DICTIONARY_TRIAL 8192
#define DELTA_TRIAL 1024
#define STATS_BATCH 256

/* ---- statistics ------------------------------------------------------------------------------ */

static s3store_status update_stats(s3s_column_writer *w, const void *values, size_t count,
                                   s3store_error *err)
{
    if (w->width == 0 || w->page->stats.order == NULL || w->page->stats.order->width != 0)
        return s3s_stats_update(&w->page->stats, values, count, err);
    /* Fixed-width byte strings are compared as spans. */
    const uint8_t *at = values;
    s3store_status status = S3STORE_OK;
    while (count > 0 && status == S3STORE_OK) {
        s3store_bytes spans[STATS_BATCH];
        size_t n = count < STATS_BATCH ? count : STATS_BATCH;
        for (size_t i = 0; i < n; i++, at += w->width)
            spans[i] = (s3store_bytes){.data = (const void *)at, .size = w->width};
        status = s3s_stats_update(&w->page->stats, spans, n, err);
        count -= n;
    }
    return status;
}

/* Of byte strings, or of values of one width that lie one behind the other. */
static s3store_status update_from_dictionary(s3s_column_writer *w, size_t first, size_t count,
                                             s3store_error *err)
{
    const s3s_dictionary_builder *d = &w->dictionary;
    s3store_status status = S3STORE_OK;
    if (w->width != 0)
        return update_stats(w, d->page.data + first * w->width, count, err);
    while (count > 0 && status == S3STORE_OK) {
        s3store_bytes spans[STATS_BATCH];
        size_t n = count < STATS_BATCH ? count : STATS_BATCH;
        for (size_t i = 0; i < n; i++)
            spans[i] = s3s_dictionary_value(d, first++);
        status = s3s_stats_update(&w->page->stats, spans, n, err);
        count -= n;
    }
    return status;
}

s3store_status s3s_column_writer_index_stats(s3s_column_writer *w, s3store_error *err)
{
    const uint32_t *indexes = (const void *)w->page->indexes.data;
    size_t count = w->dictionary.count;
    if (w->page->stats.order == NULL || w->page->indexes.size == 0)
        return S3STORE_OK;
    if (w->dictionary_flushed == 0) /* every entry is of this page */
        return update_from_dictionary(w, 0, count, err);
    s3s_buffer_clear(&w->used);
    uint8_t *used = s3s_buffer_reserve(&w->used, count + 1, err);
    if (used == NULL)
        return s3s_fail_memory(err, count);
    memset(used, 0, count + 1);
    for (size_t i = 0; i < w->page->indexes.size / sizeof *indexes; i++)
        used[indexes[i]] = 1;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < count && status == S3STORE_OK;) {
        size_t run = 0;
        while (used[i + run] != 0)
            run++;
        if (run > 0)
            status = update_from_dictionary(w, i, run, err);
        i += run + 1;
    }
    return status;
}

size_t s3s_column_writer_plain_bytes(const s3s_column_writer *w, const void *values, size_t count)
{
    const s3store_bytes *spans = values;
    size_t bytes = 0;
    if (w->width != 0)
        return count * w->width;
    for (size_t i = 0; i < count; i++)
        bytes += 4 + spans[i].size;
    return bytes;
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* Values as they are: fixed ones, or the bytes of strings apart from their lengths. */
static s3store_status append_plain(s3s_column_writer *w, const void *values, size_t count,
                                   s3store_error *err)
{
    if (w->width != 0)
        return s3s_buffer_append(&w->page->plain, values, count * w->width, err);
    const s3store_bytes *spans = values;
    size_t total = 0;
    bool joined = count > 0; /* one behind the other, as in an Arrow buffer */
    for (size_t i = 0; i < count; i++) {
        joined &= (const uint8_t *)spans[i].data == (const uint8_t *)spans[0].data + total;
        total += spans[i].size;
    }
    uint8_t *to = s3s_buffer_reserve(&w->page->plain, total + 1, err);
    uint32_t *lengths =
        to == NULL ? NULL
                   : (void *)s3s_buffer_reserve(&w->page->lengths, count * sizeof *lengths, err);
    if (lengths == NULL)
        return s3s_fail_memory(err, total);
    if (joined && total > 0)
        memcpy(to, spans[0].data, total);
    for (size_t i = 0; i < count; i++) {
        lengths[i] = (uint32_t)spans[i].size;
        if (!joined && spans[i].size > 0)
            s3s_copy_short(to, spans[i].data, spans[i].size);
        to += spans[i].size;
    }
    w->page->plain.size += total;
    w->page->lengths.size += count * sizeof *lengths;
    return S3STORE_OK;
}

/* The values of the dictionary's page that these indexes name, of one width. */
static s3store_status append_fixed_entries(s3s_column_writer *w, const uint32_t *indexes,
                                           size_t count, s3store_error *err)
{
    const uint8_t *entries = w->dictionary.page.data;
    size_t width = w->width;
    uint8_t *to = s3s_buffer_reserve(&w->page->plain, count * width, err);
    if (to == NULL)
        return s3s_fail_memory(err, count * width);
    if (width == 8)
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * 8, entries + (size_t)indexes[i] * 8, 8);
    else if (width == 4)
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * 4, entries + (size_t)indexes[i] * 4, 4);
    else
        for (size_t i = 0; i < count; i++)
            memcpy(to + i * width, entries + indexes[i] * width, width);
    w->page->plain.size += count * width;
    return S3STORE_OK;
}

static s3store_status append_entries(s3s_column_writer *w, const uint32_t *indexes, size_t count,
                                     s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    if (w->width != 0)
        return append_fixed_entries(w, indexes, count, err);
    while (count > 0 && status == S3STORE_OK) {
        s3store_bytes spans[STATS_BATCH];
        size_t n = count < STATS_BATCH ? count : STATS_BATCH;
        for (size_t i = 0; i < n; i++)
            spans[i] = s3s_dictionary_value(&w->dictionary, indexes[i]);
        status = append_plain(w, spans, n, err);
        indexes += n;
        count -= n;
    }
    return status;
}

/* All of the dictionary's page, where each entry is one value of this page. */
static s3store_status append_all_entries(s3s_column_writer *w, s3store_error *err)
{
    const s3s_buffer *page = &w->dictionary.page;
    size_t count = w->dictionary.count;
    if (w->width != 0)
        return s3s_buffer_append(&w->page->plain, page->data, page->size, err);
    size_t total = page->size - count * sizeof(uint32_t);
    uint8_t *to = s3s_buffer_reserve(&w->page->plain, total + 1, err);
    uint32_t *lengths =
        to == NULL ? NULL
                   : (void *)s3s_buffer_reserve(&w->page->lengths, count * sizeof *lengths, err);
    if (lengths == NULL)
        return s3s_fail_memory(err, total);
    const uint8_t *at = page->data;
    for (size_t i = 0; i < count; i++) {
        uint32_t size = s3s_le32(at);
        lengths[i] = size;
        if (size > 0)
            s3s_copy_short(to, at + sizeof size, size);
        at += sizeof size + size;
        to += size;
    }
    w->page->plain.size += total;
    w->page->lengths.size += count * sizeof *lengths;
    return S3STORE_OK;
}

static s3store_status indexes_to_plain(s3s_column_writer *w, s3store_error *err)
{
    size_t count = w->page->indexes.size / sizeof(uint32_t);
    s3store_status status = s3s_column_writer_index_stats(w, err);
    /* As many values as entries, all of them of this page: no value came twice. */
    if (status == S3STORE_OK && count > 0)
        status = w->dictionary_flushed == 0 && count == w->dictionary.count
                     ? append_all_entries(w, err)
                     : append_entries(w, (const void *)w->page->indexes.data, count, err);
    s3s_buffer_clear(&w->page->indexes);
    return status;
}

s3store_status s3s_column_writer_give_up_dictionary(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = indexes_to_plain(w, err);
    s3s_dictionary_truncate(&w->dictionary, w->dictionary_flushed);
    w->use_dictionary = false;
    return status;
}

bool s3s_column_writer_dictionary_pays(const s3s_column_writer *w)
{
    const s3s_dictionary_builder *d = &w->dictionary;
    size_t before = s3s_dictionary_bytes(d, w->dictionary_flushed);
    size_t width = d->count > 0 ? s3s_bit_width(d->count - 1) : 0;
    return d->page.size - before + w->page->values * width / 8 < w->page->plain_bytes;
}

/* Adds values while the dictionary takes them: *done. */
static s3store_status add_indexed(s3s_column_writer *w, const void *values, size_t count,
                                  size_t *done, s3store_error *err)
{
    size_t trial = DICTIONARY_TRIAL - w->dictionary_values;
    bool tried = w->dictionary_values < DICTIONARY_TRIAL && count >= trial;
    count = tried ? trial : count;
    uint32_t *to = (void *)s3s_buffer_reserve(&w->page->indexes, count * sizeof *to, err);
    if (to == NULL)
        return s3s_fail_memory(err, count * sizeof *to);
    *done = s3s_dictionary_add(&w->dictionary, values, count, to);
    if (w->dictionary.failed)
        return s3s_fail_memory(err, 0);
    w->page->indexes.size += *done * sizeof *to;
    w->dictionary_values += *done;
    if (*done < count ||
        (tried && w->dictionary.count > DICTIONARY_TRIAL - DICTIONARY_TRIAL / 64))
        return s3s_column_writer_give_up_dictionary(w, err);
    return S3STORE_OK;
}

s3store_status s3s_column_writer_add_values(s3s_column_writer *w, const void *values, size_t count,
                                            s3store_error *err)
{
    size_t stride = w->width == 0 ? sizeof(s3store_bytes) : w->width;
    const uint8_t *at = values;
    s3store_status status = S3STORE_OK;
    if (w->bloom.data != NULL)
        s3s_bloom_add(&w->bloom, w->physical, w->field->type == S3S_TYPE_FLOAT16, w->width, values,
                      count);
    while (count > 0 && w->use_dictionary && status == S3STORE_OK) {
        size_t done = 0;
        status = add_indexed(w, at, count, &done, err);
        at += done * stride;
        count -= done;
    }
    if (status == S3STORE_OK && count > 0)
        status = update_stats(w, at, count, err);
    if (status == S3STORE_OK && count > 0)
        status = append_plain(w, at, count, err);
    return status;
}

/* ---- encoding -------------------------------------------------------------------------------- */

static size_t shared_prefix(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t most = a_size < b_size ? a_size : b_size, n = 0;
    for (; n + 8 <= most; n += 8) {
        uint64_t differs = s3s_le64(a + n) ^ s3s_le64(b + n);
        if (differs != 0)
            return n + (size_t)__builtin_ctzll(differs) / 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

/* Of the first strings of a page; returns the bytes that need not be written again. */
static size_t find_prefixes(const s3s_page_draft *page, size_t count, uint32_t *prefixes,
                            size_t *bytes)
{
    const uint32_t *lengths = (const void *)page->lengths.data;
    const uint8_t *first = s3s_page_draft_plain(page).data, *at = first, *before = at;
    size_t shared = 0, before_size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t prefix = shared_prefix(before, before_size, at, lengths[i]);
        prefixes[i] = (uint32_t)prefix;
        shared += prefix;
        before = at;
        before_size = lengths[i];
        at += lengths[i];
    }
    *bytes = (size_t)(at - first);
    return shared;
}

/* Is half as much written where strings leave out what they share with the one before? A codec finds
 * most of it as well: of strings that share less, files were 6 % smaller, and writing took 10 % longer
 * (snappy) or less (zstd). Much of a page is not looked at whose first strings give no hope. */
static s3store_status prefixes_pay(s3s_page_encoder *encoder, const s3s_page_draft *page,
                                   size_t lengths_size, bool *pay, s3store_error *err)
{
    size_t count = page->values, some = count < DELTA_TRIAL ? count : DELTA_TRIAL, bytes;
    *pay = false;
    s3s_buffer_clear(&encoder->prefixes);
    uint32_t *prefixes =
        (void *)s3s_buffer_reserve(&encoder->prefixes, 2 * count * sizeof *prefixes + 1, err);
    if (prefixes == NULL)
        return s3s_fail_memory(err, 2 * count * sizeof *prefixes);
    size_t shared = find_prefixes(page, some, prefixes, &bytes);
    if (shared < (bytes + some) / 2)
        return S3STORE_OK;
    shared = find_prefixes(page, count, prefixes, &bytes);
    const uint32_t *lengths = (const void *)page->lengths.data;
    uint32_t *suffixes = prefixes + count;
    for (size_t i = 0; i < count; i++)
        suffixes[i] = lengths[i] - prefixes[i];
    size_t limit = (bytes + lengths_size) / 2;
    size_t size = bytes - shared;
    if (size < limit)
        size += s3s_delta_size(prefixes, sizeof *prefixes, count, limit - size);
    if (size < limit)
        size += s3s_delta_size(suffixes, sizeof *suffixes, count, limit - size);
    *pay = size < limit;
    return S3STORE_OK;
}

static s3store_status choose_for_strings(s3s_page_encoder *encoder, const s3s_page_draft *page,
                                         int32_t *encoding, s3store_error *err)
{
    bool pay = false;
    size_t count = page->values, limit = count * sizeof(uint32_t);
    size_t size = s3s_delta_size(page->lengths.data, sizeof(uint32_t), count, limit);
    s3store_status status = prefixes_pay(encoder, page, size, &pay, err);
    *encoding = pay             ? S3S_PQ_DELTA_BYTE_ARRAY
                : size < limit ? S3S_PQ_DELTA_LENGTH_BYTE_ARRAY
                               : S3S_PQ_PLAIN;
    return status;
}

s3store_status s3s_column_writer_choose_encoding(const s3s_column_writer *w,
                                                 s3s_page_encoder *encoder,
                                                 const s3s_page_draft *page, int32_t *encoding,
                                                 s3store_error *err)
{
    s3s_span plain = s3s_page_draft_plain(page);
    size_t count = page->values;
    *encoding = S3S_PQ_PLAIN;
    if (count == 0)
        return S3STORE_OK;
    if (w->width == 0)
        return choose_for_strings(encoder, page, encoding, err);
    if (w->physical != S3S_PQ_INT32 && w->physical != S3S_PQ_INT64)
        return S3STORE_OK;
    /* A little less would not be worth the time of reading it; nor is much of a page looked at whose
     * first values give no hope. */
    size_t some = count < DELTA_TRIAL ? count : DELTA_TRIAL, limit = some * w->width;
    if (s3s_delta_size(plain.data, w->width, some, limit) == limit)
        return S3STORE_OK;
    limit = plain.size - plain.size / 4;
    if (s3s_delta_size(plain.data, w->width, count, limit) < limit)
        *encoding = S3S_PQ_DELTA_BINARY_PACKED;
    return S3STORE_OK;
}

static s3store_status put_bools(const s3s_page_draft *page, s3s_buffer *body, s3store_error *err)
{
    size_t bytes = s3s_bits_size(page->values);
    const uint8_t *values = s3s_page_draft_plain(page).data;
    uint8_t *to = s3s_buffer_reserve(body, bytes + 1, err);
    if (to == NULL)
        return s3s_fail_memory(err, bytes);
    memset(to, 0, bytes);
    for (size_t i = 0; i < page->values; i++)
        to[i >> 3] |= (uint8_t)(values[i] << (i & 7));
    body->size += bytes;
    return S3STORE_OK;
}

/* Each string behind its length. */
static s3store_status put_strings(const s3s_page_draft *page, s3s_buffer *body, s3store_error *err)
{
    const uint32_t *lengths = (const void *)page->lengths.data;
    s3s_span plain = s3s_page_draft_plain(page);
    const uint8_t *from = plain.data;
    size_t size = plain.size + page->lengths.size;
    uint8_t *to = s3s_buffer_reserve(body, size + 1, err);
    if (to == NULL)
        return s3s_fail_memory(err, size);
    for (size_t i = 0; i < page->values; i++) {
        memcpy(to, &lengths[i], sizeof *lengths);
        if (lengths[i] > 0)
            s3s_copy_short(to + sizeof *lengths, from, lengths[i]);
        to += sizeof *lengths + lengths[i];
        from += lengths[i];
    }
    body->size += size;
    return S3STORE_OK;
}

/* Lengths of prefixes, lengths of suffixes, suffixes. */
static s3store_status put_suffixes(const s3s_page_encoder *encoder, const s3s_page_draft *page,
                                   s3s_buffer *body, s3store_error *err)
{
    size_t count = page->values;
    const uint32_t *prefixes = (const void *)encoder->prefixes.data, *suffixes = prefixes + count;
    s3store_status status = s3s_delta_encode(prefixes, sizeof *prefixes, count, body, err);
    if (status == S3STORE_OK)
        status = s3s_delta_encode(suffixes, sizeof *suffixes, count, body, err);
    if (status != S3STORE_OK)
        return status;
    s3s_span plain = s3s_page_draft_plain(page);
    const uint8_t *from = plain.data;
    uint8_t *to = s3s_buffer_reserve(body, plain.size + 1, err);
    if (to == NULL)
        return s3s_fail_memory(err, plain.size);
    for (size_t i = 0; i < count; i++) {
        from += prefixes[i];
        if (suffixes[i] > 0)
            s3s_copy_short(to, from, suffixes[i]);
        to += suffixes[i];
        from += suffixes[i];
    }
    body->size = (size_t)(to - body->data);
    return S3STORE_OK;
}

/* At least a bit for an index: some readers do not expect indexes of none. */
static s3store_status put_indexes(const s3s_page_draft *page, s3s_buffer *body, s3store_error *err)
{
    size_t count = page->dictionary_count;
    uint8_t width = (uint8_t)s3s_bit_width(count > 2 ? count - 1 : 1);
    s3store_status status = s3s_buffer_append(body, &width, 1, err);
    return status == S3STORE_OK ? s3s_hybrid_encode((const void *)page->indexes.data, page->values,
                                                    width, body, err)
                                : status;
}

s3store_status s3s_column_writer_put_values(const s3s_column_writer *w, s3s_page_encoder *encoder,
                                            const s3s_page_draft *page, bool *follow,
                                            s3store_error *err)
{
    s3s_buffer *body = &encoder->body;
    *follow = false;
    switch (page->encoding) {
    case S3S_PQ_RLE_DICTIONARY:
        return put_indexes(page, body, err);
    case S3S_PQ_DELTA_BINARY_PACKED:
        return s3s_delta_encode(s3s_page_draft_plain(page).data, w->width, page->values, body, err);
    case S3S_PQ_DELTA_LENGTH_BYTE_ARRAY:
        *follow = true;
        return s3s_delta_encode(page->lengths.data, sizeof(uint32_t), page->values, body, err);
    case S3S_PQ_DELTA_BYTE_ARRAY:
        return put_suffixes(encoder, page, body, err);
    default:
        if (w->physical == S3S_PQ_BOOLEAN)
            return put_bools(page, body, err);
        if (w->width == 0)
            return put_strings(page, body, err);
        *follow = true;
        return S3STORE_OK;
    }
}
