/* parquet/column_writer.c: rows into pages.
 *
 * A page is closed where one more value would exceed page_bytes, whatever the batches look like.
 */
#include "parquet/column_writer.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/hybrid.h"

#define PAGE_ROWS_MAX ((size_t)1 << 17)
#define DICTIONARY_BYTES_MAX ((size_t)1 << 20)

#define BUFFERS (11 + 3 * S3S_PAGE_ENCODERS)
#define PAGE_HEAD ((size_t)1 << 15)
#define PAGE_HEAD_FROM (8 * PAGE_HEAD)
#define PAGE_BUFFERS 7

static void all_buffers(s3s_column_writer *w, s3s_buffer *out[BUFFERS])
{
    s3s_buffer *all[] = {&w->dense,
                         &w->used,
                         &w->pages,
                         &w->records,
                         &w->dictionary_page,
                         &w->shredded.rep,
                         &w->shredded.def,
                         &w->shredded.ranges,
                         &w->spare_shredded.rep,
                         &w->spare_shredded.def,
                         &w->spare_shredded.ranges};
    memcpy(out, all, sizeof all);
    out += sizeof all / sizeof *all;
    for (size_t i = 0; i < S3S_PAGE_ENCODERS; i++) {
        *out++ = &w->encoders[i].body;
        *out++ = &w->encoders[i].packed;
        *out++ = &w->encoders[i].prefixes;
    }
}

/* ---- drafts of pages ------------------------------------------------------------------------- */

static void page_buffers(s3s_page_draft *page, s3s_buffer *out[PAGE_BUFFERS])
{
    s3s_buffer *all[PAGE_BUFFERS] = {&page->plain,    &page->lengths,    &page->indexes,
                                     &page->validity, &page->rep_levels, &page->def_levels,
                                     &page->out};
    memcpy(out, all, sizeof all);
}

/* Where pages are large, their values leave room in front; short columns do without. That room is
 * not worth the memory of a buffer that doubles: it is made as large as a page needs, once. */
static void make_head(const s3s_column_writer *w, s3s_page_draft *page)
{
    s3s_buffer *plain = &page->plain;
    size_t wanted = PAGE_HEAD + w->options.page_bytes;
    page->head = 0;
    if (plain->capacity >= PAGE_HEAD_FROM && plain->capacity < wanted) {
        s3s_buffer_deinit(plain);
        if (s3s_buffer_reserve(plain, wanted, NULL) == NULL)
            return;
    }
    page->head = plain->capacity >= PAGE_HEAD_FROM ? PAGE_HEAD : 0;
    plain->size = page->head;
}

static void clear_page(const s3s_column_writer *w, s3s_page_draft *page)
{
    s3s_buffer *buffers[PAGE_BUFFERS];
    page_buffers(page, buffers);
    for (size_t i = 0; i < PAGE_BUFFERS; i++)
        s3s_buffer_clear(buffers[i]);
    make_head(w, page);
    s3s_stats_clear(&page->stats);
    page->rows = page->entries = page->values = page->plain_bytes = 0;
    page->next = NULL;
}

static void append_pages(s3s_page_draft **list, s3s_page_draft *pages)
{
    while (*list != NULL)
        list = &(*list)->next;
    *list = pages;
}

/* An empty one: kept from before, or new. */
static s3store_status take_page(s3s_column_writer *w, s3store_error *err)
{
    s3s_page_draft *page = w->spare_pages;
    if (page != NULL) {
        w->spare_pages = page->next;
        page->next = NULL;
        w->page = page;
        return S3STORE_OK;
    }
    page = s3s_calloc(w->env, 1, sizeof *page);
    if (page == NULL)
        return s3s_fail_memory(err, sizeof *page);
    s3s_buffer *buffers[PAGE_BUFFERS];
    page_buffers(page, buffers);
    for (size_t i = 0; i < PAGE_BUFFERS; i++)
        s3s_buffer_init(buffers[i], w->env, SIZE_MAX);
    s3s_stats_init(&page->stats, w->env, w->field);
    w->page = page;
    return S3STORE_OK;
}

static void free_pages(s3s_env *env, s3s_page_draft *page)
{
    while (page != NULL) {
        s3s_page_draft *next = page->next;
        s3s_buffer *buffers[PAGE_BUFFERS];
        page_buffers(page, buffers);
        for (size_t i = 0; i < PAGE_BUFFERS; i++)
            s3s_buffer_deinit(buffers[i]);
        s3s_stats_deinit(&page->stats);
        s3s_free(env, page);
        page = next;
    }
}

static size_t pages_held_bytes(s3s_page_draft *page)
{
    size_t bytes = 0;
    for (; page != NULL; page = page->next) {
        s3s_buffer *buffers[PAGE_BUFFERS];
        page_buffers(page, buffers);
        for (size_t i = 0; i < PAGE_BUFFERS; i++)
            bytes += buffers[i]->capacity;
        bytes += sizeof *page;
    }
    return bytes;
}

s3store_status s3s_column_writer_init(s3s_column_writer *w, s3s_env *env, const s3s_shred *shred,
                                      const s3s_column_options *options, s3store_error *err)
{
    const s3s_field *field = shred->field;
    memset(w, 0, sizeof *w);
    w->env = env;
    w->field = field;
    w->shred = shred;
    w->physical = (s3s_physical)shred->element->type;
    w->nested = shred->step_count > 1;
    w->optional = !w->nested && shred->max_def > 0;
    w->options = *options;
    w->extractor = s3s_extractor_for(field);
    w->width = s3s_extractor_width(w->extractor, field);
    for (size_t i = 0; i < S3S_PAGE_ENCODERS; i++)
        s3s_codec_init(&w->encoders[i].codec_state, env);
    s3s_buffer *buffers[BUFFERS];
    all_buffers(w, buffers);
    for (size_t i = 0; i < BUFFERS; i++)
        s3s_buffer_init(buffers[i], env, SIZE_MAX);
    s3s_arena_init(&w->arena, env);
    s3s_stats_init(&w->stats, env, field);
    s3s_dictionary_init(&w->dictionary, env, w->width, DICTIONARY_BYTES_MAX);
    bool hashed = field->type != S3S_TYPE_BOOL && field->type != S3S_TYPE_NULL;
    s3store_status status =
        s3s_bloom_init(&w->bloom, env, hashed ? options->bloom_bytes_max : 0, err);
    if (status == S3STORE_OK)
        status = take_page(w, err);
    if (status != S3STORE_OK)
        return status;
    s3s_column_writer_reset(w);
    size_t size = (w->width == 0 ? sizeof(s3store_bytes) : w->width) * S3S_EXTRACT_ROWS;
    return s3s_buffer_reserve(&w->dense, size, err) == NULL ? s3s_fail_memory(err, size)
                                                            : S3STORE_OK;
}

void s3s_column_writer_deinit(s3s_column_writer *w)
{
    if (w->field == NULL)
        return;
    s3s_buffer *buffers[BUFFERS];
    all_buffers(w, buffers);
    for (size_t i = 0; i < BUFFERS; i++)
        s3s_buffer_deinit(buffers[i]);
    for (size_t i = 0; i < S3S_PAGE_ENCODERS; i++)
        s3s_codec_deinit(&w->encoders[i].codec_state);
    s3s_arena_deinit(&w->arena);
    s3s_stats_deinit(&w->stats);
    s3s_page_draft *lists[] = {w->page, w->sealed, w->spare_pages, w->ready, w->encoded};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        free_pages(w->env, lists[i]);
    s3s_bloom_deinit(&w->bloom);
    s3s_dictionary_deinit(&w->dictionary);
}

void s3s_column_writer_reset(s3s_column_writer *w)
{
    clear_page(w, w->page);
    s3s_dictionary_clear(&w->dictionary);
    w->dictionary_flushed = w->dictionary_values = 0;
    w->use_dictionary = w->options.dictionary && w->field->type != S3S_TYPE_BOOL &&
                        w->field->type != S3S_TYPE_NULL;
    s3s_buffer_clear(&w->pages);
    s3s_buffer_clear(&w->records);
    s3s_arena_reset(&w->arena);
    s3s_stats_clear(&w->stats);
    s3s_bloom_clear(&w->bloom);
    w->rows = w->entries = w->nulls = 0;
    w->uncompressed_bytes = 0;
    w->defer = false;
    memset(w->encoded_pages, 0, sizeof w->encoded_pages);
}

size_t s3s_column_writer_held_bytes(s3s_column_writer *w)
{
    const s3s_dictionary_builder *d = &w->dictionary;
    size_t bytes = d->page.capacity + d->slot_count * sizeof *d->slots +
                   d->start_room * sizeof *d->starts + w->arena.used;
    s3s_buffer *buffers[BUFFERS];
    all_buffers(w, buffers);
    for (size_t i = 0; i < BUFFERS; i++)
        bytes += buffers[i]->capacity;
    s3s_page_draft *lists[] = {w->page, w->sealed, w->spare_pages, w->ready, w->encoded};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        bytes += pages_held_bytes(lists[i]);
    return bytes;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static s3store_status put_validity(const s3s_page_draft *page, s3s_buffer *body,
                                   s3store_error *err)
{
    if (page->values == page->rows || page->values == 0)
        return s3s_hybrid_encode_run(page->values > 0, page->rows, 1, body, err);
    return s3s_hybrid_encode_bits(page->validity.data, page->rows, body, err);
}

/* Levels behind their size; of flat columns (levels NULL) from the validity. */
static s3store_status put_levels(const s3s_page_draft *page, const s3s_buffer *levels, unsigned max,
                                 s3s_buffer *body, s3store_error *err)
{
    static const uint8_t room[4] = {0};
    size_t at = body->size;
    if (max == 0)
        return S3STORE_OK;
    s3store_status status = s3s_buffer_append(body, room, sizeof room, err);
    if (status == S3STORE_OK)
        status = levels == NULL ? put_validity(page, body, err)
                                : s3s_hybrid_encode_bytes(levels->data, levels->size,
                                                          s3s_bit_width(max), body, err);
    uint32_t size = (uint32_t)(body->size - at - sizeof room);
    if (status == S3STORE_OK)
        memcpy(body->data + at, &size, sizeof size);
    return status;
}

/* Compresses the body and appends header and page to out. *bytes: of both, uncompressed. */
static s3store_status put_page(const s3s_column_writer *w, s3s_page_encoder *encoder,
                               const uint8_t *data, size_t size, s3s_pq_page_header *header,
                               s3s_buffer *out, uint64_t *bytes, s3store_error *err)
{
    const s3s_codec *codec = w->options.codec;
    if (size > INT32_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "column \"%s\": a page of %zu bytes",
                        w->field->name, size);
    size_t packed = codec->max_compressed(size);
    s3s_buffer_clear(&encoder->packed);
    uint8_t *to = s3s_buffer_reserve(&encoder->packed, packed + 1, err);
    if (to == NULL)
        return s3s_fail_memory(err, packed);
    s3store_status status = codec->compress(&encoder->codec_state, data, size, to, &packed, err);
    if (status != S3STORE_OK)
        return status;
    header->uncompressed_size = (int32_t)size;
    header->compressed_size = (int32_t)packed;
    header->crc = (int32_t)s3s_crc32(0, to, packed);
    for (unsigned bit = S3S_PAGE_TYPE; bit <= S3S_PAGE_CRC; bit++)
        S3S_PQ_SET(header, bit);
    size_t at = out->size;
    status = s3s_thrift_write(&s3s_pq_page_header_struct, header, out, err);
    *bytes = out->size - at + size;
    if (status == S3STORE_OK)
        status = s3s_buffer_append(out, to, packed, err);
    return status;
}

/* Levels and values, one behind the other: *out. Large values are not moved where what stands
 * before them has room at their head. */
static s3store_status make_body(const s3s_column_writer *w, s3s_page_encoder *encoder,
                                const s3s_page_draft *page, s3s_span *out, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_buffer *body = &encoder->body;
    bool follow = false;
    s3s_buffer_clear(body);
    if (w->nested)
        status = put_levels(page, &page->rep_levels, w->shred->max_rep, body, err);
    if (status == S3STORE_OK)
        status = put_levels(page, w->nested ? &page->def_levels : NULL, w->shred->max_def, body,
                            err);
    if (status == S3STORE_OK)
        status = s3s_column_writer_put_values(w, encoder, page, &follow, err);
    s3s_span plain = s3s_page_draft_plain(page);
    if (follow && status == S3STORE_OK && body->size <= page->head) {
        uint8_t *to = page->plain.data + page->head - body->size;
        if (body->size > 0)
            memcpy(to, body->data, body->size);
        *out = (s3s_span){to, body->size + plain.size};
        return S3STORE_OK;
    }
    if (follow && status == S3STORE_OK)
        status = s3s_buffer_append(body, plain.data, plain.size, err);
    *out = (s3s_span){body->data, body->size};
    return status;
}

static s3store_status encode_page(const s3s_column_writer *w, s3s_page_encoder *encoder,
                                  s3s_page_draft *page, s3s_buffer *out, s3store_error *err)
{
    page->encoding = S3S_PQ_RLE_DICTIONARY;
    s3s_span body = {NULL, 0};
    s3store_status status = S3STORE_OK;
    if (!page->indexed)
        status = s3s_column_writer_choose_encoding(w, encoder, page, &page->encoding, err);
    if (status == S3STORE_OK)
        status = make_body(w, encoder, page, &body, err);
    if (status != S3STORE_OK)
        return status;
    s3s_pq_page_header header = {.type = S3S_PQ_DATA_PAGE};
    s3s_pq_data_header *data = &header.data;
    S3S_PQ_SET(&header, S3S_PAGE_DATA);
    for (unsigned bit = S3S_DATA_VALUES; bit <= S3S_DATA_STATS; bit++)
        S3S_PQ_SET(data, bit);
    data->num_values = (int32_t)page->entries;
    data->encoding = page->encoding;
    data->def_encoding = data->rep_encoding = S3S_PQ_RLE;
    s3s_stats_describe(&page->stats, (int64_t)(page->entries - page->values), &data->statistics);
    return put_page(w, encoder, body.data, body.size, &header, out, &page->uncompressed_bytes,
                    err);
}

static s3store_status record_page(s3s_column_writer *w, const s3s_page_draft *page, size_t at,
                                  s3store_error *err)
{
    bool failed = false;
    s3s_page_record record = {.offset = at, .size = (uint32_t)(w->pages.size - at),
                              .first_row = page->first_row,
                              .null_count = (int64_t)(page->entries - page->values),
                              .all_null = page->values == 0};
    record.bounded = s3s_stats_bounds(&page->stats, &w->arena, &record.min, &record.max, &failed);
    if (failed)
        return s3s_fail_memory(err, 0);
    return s3s_buffer_append(&w->records, &record, sizeof record, err);
}

/* What the chunk has to know of a page that was encoded; its bytes begin at `at`. */
static s3store_status finish_page(s3s_column_writer *w, const s3s_page_draft *page, size_t at,
                                  s3store_error *err)
{
    s3store_status status = record_page(w, page, at, err);
    if (status == S3STORE_OK)
        status = s3s_stats_merge(&w->stats, &page->stats, err);
    w->uncompressed_bytes += page->uncompressed_bytes;
    w->encoded_pages[page->encoding]++;
    return status;
}

static s3store_status seal_page(s3s_column_writer *w, s3s_page_draft *page, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    page->indexed = w->use_dictionary && page->values > 0; /* nulls alone decide nothing */
    if (page->indexed && !s3s_column_writer_dictionary_pays(w)) {
        status = s3s_column_writer_give_up_dictionary(w, err);
        page->indexed = false;
    } else if (page->indexed) {
        status = s3s_column_writer_index_stats(w, err);
        w->dictionary_flushed = w->dictionary.count;
    }
    page->first_row = w->rows - (int64_t)page->rows;
    page->dictionary_count = w->dictionary.count;
    return status;
}

s3store_status s3s_column_writer_close_page(s3s_column_writer *w, s3store_error *err)
{
    s3s_page_draft *page = w->page;
    if (page->rows == 0)
        return S3STORE_OK;
    s3store_status status = seal_page(w, page, err);
    if (status != S3STORE_OK)
        return status;
    if (w->defer) {
        status = take_page(w, err);
        if (status == S3STORE_OK)
            append_pages(&w->sealed, page);
        return status;
    }
    size_t at = w->pages.size;
    status = encode_page(w, &w->encoders[0], page, &w->pages, err);
    if (status == S3STORE_OK)
        status = finish_page(w, page, at, err);
    clear_page(w, page);
    return status;
}

/* ---- pages that wait ------------------------------------------------------------------------- */

size_t s3s_column_writer_hand_over(s3s_column_writer *w, uint64_t *bytes)
{
    size_t count = 0;
    w->ready = w->sealed;
    w->sealed = NULL;
    *bytes = 0;
    for (const s3s_page_draft *page = w->ready; page != NULL; page = page->next, count++)
        *bytes += page->plain_bytes;
    return count;
}

void s3s_column_writer_take_back(s3s_column_writer *w)
{
    append_pages(&w->encoded, w->ready);
    w->ready = NULL;
}

s3store_status s3s_column_writer_encode(s3s_column_writer *w, size_t page, size_t encoder,
                                        s3store_error *err)
{
    s3s_page_draft *draft = w->ready;
    while (page-- > 0)
        draft = draft->next;
    return encode_page(w, &w->encoders[encoder], draft, &draft->out, err);
}

static s3store_status finish_encoded(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (w->encoded != NULL && status == S3STORE_OK) {
        s3s_page_draft *page = w->encoded;
        size_t at = w->pages.size;
        status = s3s_buffer_append(&w->pages, page->out.data, page->out.size, err);
        if (status == S3STORE_OK)
            status = finish_page(w, page, at, err);
        w->encoded = page->next;
        clear_page(w, page);
        page->next = w->spare_pages;
        w->spare_pages = page;
    }
    return status;
}

s3store_status s3s_column_writer_encode_all(s3s_column_writer *w, s3store_error *err)
{
    uint64_t bytes;
    s3store_status status = finish_encoded(w, err);
    size_t count = s3s_column_writer_hand_over(w, &bytes);
    for (size_t i = 0; i < count && status == S3STORE_OK; i++)
        status = s3s_column_writer_encode(w, i, 0, err);
    s3s_column_writer_take_back(w);
    return status == S3STORE_OK ? finish_encoded(w, err) : status;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* How many of the next rows surely fit the page; at least one for an empty page. */
static size_t rows_that_fit(const s3s_column_writer *w, const s3s_column *column, int64_t start,
                            size_t count)
{
    size_t limit = PAGE_ROWS_MAX - w->page->rows;
    limit = limit < S3S_EXTRACT_ROWS ? limit : S3S_EXTRACT_ROWS;
    count = count < limit ? count : limit;
    size_t room = w->page->plain_bytes < w->options.page_bytes
                      ? w->options.page_bytes - w->page->plain_bytes
                      : 0;
    size_t fit = 0;
    if (w->width != 0) {
        fit = room / w->width < count ? room / w->width : count;
    } else if (4 * count <= room &&
               s3s_column_span_bytes(column, start, count) <= room - 4 * count) {
        fit = count;
    } else {
        while (fit < count) {
            size_t size = 4 + s3s_column_bytes(column, start + (int64_t)fit).size;
            if (size > room)
                break;
            room -= size;
            fit++;
        }
    }
    return fit == 0 && w->page->rows == 0 && count > 0 ? 1 : fit;
}

static s3store_status add_validity(s3s_column_writer *w, const s3s_column *column, int64_t start,
                                   size_t count, s3store_error *err)
{
    size_t bytes = s3s_bits_size(w->page->rows + count);
    if (s3s_buffer_reserve(&w->page->validity, bytes - w->page->validity.size + 1, err) == NULL)
        return s3s_fail_memory(err, bytes);
    memset(w->page->validity.data + w->page->validity.size, 0, bytes - w->page->validity.size);
    w->page->validity.size = bytes;
    if (column->validity != NULL)
        s3s_bits_copy(w->page->validity.data, w->page->rows, column->validity,
                      (size_t)(column->offset + start), count);
    else
        s3s_bits_fill(w->page->validity.data, w->page->rows, count,
                      w->field->type != S3S_TYPE_NULL);
    return S3STORE_OK;
}

static s3store_status add_rows(s3s_column_writer *w, const s3s_column *column, int64_t start,
                               size_t count, s3store_error *err)
{
    size_t found = count, bytes = 0;
    s3store_status status = S3STORE_OK;
    const void *values = s3s_extract_in_place(w->extractor, column, start);
    if (values == NULL) {
        values = w->dense.data;
        status = s3s_extract(w->extractor, column, start, count, w->dense.data, &found, err);
    }
    if (status != S3STORE_OK)
        return status;
    if (found < count && !w->optional)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "column \"%s\" is not nullable, but a row is null", w->field->name);
    if (w->optional)
        status = add_validity(w, column, start, count, err);
    bytes = s3s_column_writer_plain_bytes(w, values, found);
    if (status == S3STORE_OK)
        status = s3s_column_writer_add_values(w, values, found, err);
    w->page->rows += count;
    w->page->entries += count;
    w->page->values += found;
    w->page->plain_bytes += bytes;
    w->rows += (int64_t)count;
    w->entries += (int64_t)count;
    w->nulls += (int64_t)(count - found);
    return status;
}

s3store_status s3s_column_writer_add(s3s_column_writer *w, const s3s_column *column, int64_t start,
                                     size_t count, s3store_error *err)
{
    s3store_status status = finish_encoded(w, err);
    if (w->nested && status == S3STORE_OK)
        return s3s_column_writer_add_nested(w, column, start, count, err);
    while (count > 0 && status == S3STORE_OK) {
        size_t n = rows_that_fit(w, column, start, count);
        if (n == 0) {
            status = s3s_column_writer_close_page(w, err);
            continue;
        }
        status = add_rows(w, column, start, n, err);
        start += (int64_t)n;
        count -= n;
    }
    return status;
}

s3store_status s3s_column_writer_close(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = s3s_column_writer_close_page(w, err);
    if (status == S3STORE_OK)
        status = s3s_column_writer_encode_all(w, err);
    s3s_buffer_clear(&w->dictionary_page);
    if (status != S3STORE_OK || w->encoded_pages[S3S_PQ_RLE_DICTIONARY] == 0)
        return status;
    s3s_pq_page_header header = {.type = S3S_PQ_DICTIONARY_PAGE};
    S3S_PQ_SET(&header, S3S_PAGE_DICTIONARY);
    S3S_PQ_SET(&header.dictionary, S3S_DICT_VALUES);
    S3S_PQ_SET(&header.dictionary, S3S_DICT_ENCODING);
    header.dictionary.num_values = (int32_t)w->dictionary.count;
    header.dictionary.encoding = S3S_PQ_PLAIN;
    uint64_t bytes = 0;
    status = put_page(w, &w->encoders[0], w->dictionary.page.data, w->dictionary.page.size,
                      &header, &w->dictionary_page, &bytes, err);
    w->uncompressed_bytes += bytes;
    return status;
}
