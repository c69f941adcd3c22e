/* parquet/column_writer.c: rows into pages.
 *
 * A page is closed where one more value would exceed page_bytes, whatever the batches look like.
 */
#include "parquet/column_writer.h"

#include "base/error.h"
#include "parquet/encoding/bits.h"

#define PAGE_ROWS_MAX ((size_t)1 << 17)
#define DICTIONARY_BYTES_MAX ((size_t)1 << 20)

#define BUFFERS 10
#define PAGE_HEAD ((size_t)1 << 15)
#define PAGE_HEAD_FROM (8 * PAGE_HEAD)
#define PAGE_BUFFERS 7

static void all_buffers(s3s_column_writer *w, s3s_buffer *out[BUFFERS])
{
    s3s_buffer *all[BUFFERS] = {&w->dense,
                         &w->used,
                         &w->records,
                         &w->dictionary_page,
                         &w->shredded.rep,
                         &w->shredded.def,
                         &w->shredded.ranges,
                         &w->spare_shredded.rep,
                         &w->spare_shredded.def,
                         &w->spare_shredded.ranges};
    memcpy(out, all, sizeof all);
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
    if (page == NULL) {
        s3s_fail_memory(err, sizeof *page);
        return S3STORE_OUT_OF_MEMORY; /* and nobody goes on without a page */
    }
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
                                      const s3s_column_options *options, s3s_encoders *encoders,
                                      s3store_error *err)
{
    const s3s_field *field = shred->field;
    memset(w, 0, sizeof *w);
    w->env = env;
    w->encoders = encoders;
    w->field = field;
    w->shred = shred;
    w->physical = (s3s_physical)shred->element->type;
    w->nested = shred->step_count > 1;
    w->optional = !w->nested && shred->max_def > 0;
    w->options = *options;
    w->extractor = s3s_extractor_for(field);
    w->width = s3s_extractor_width(w->extractor, field);
    s3s_buffer *buffers[BUFFERS];
    all_buffers(w, buffers);
    for (size_t i = 0; i < BUFFERS; i++)
        s3s_buffer_init(buffers[i], env, SIZE_MAX);
    s3s_rope_init(&w->pages, env);
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
    s3s_rope_deinit(&w->pages);
    s3s_arena_deinit(&w->arena);
    s3s_stats_deinit(&w->stats);
    s3s_page_draft *lists[] = {w->page, w->sealed, w->waiting, w->spare_pages};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        free_pages(w->env, lists[i]);
    s3s_bloom_deinit(&w->bloom);
    s3s_dictionary_deinit(&w->dictionary);
}

void s3s_column_writer_reset(s3s_column_writer *w)
{
    if (w->page == NULL) { /* the last of the row group before was encoded by others */
        w->page = w->spare_pages;
        w->spare_pages = w->page->next;
    }
    clear_page(w, w->page);
    s3s_dictionary_clear(&w->dictionary);
    w->dictionary_flushed = w->dictionary_values = 0;
    w->use_dictionary = w->options.dictionary && w->field->type != S3S_TYPE_BOOL &&
                        w->field->type != S3S_TYPE_NULL;
    s3s_rope_clear(&w->pages);
    s3s_buffer_clear(&w->records);
    s3s_buffer_clear(&w->dictionary_page);
    s3s_arena_reset(&w->arena);
    s3s_stats_clear(&w->stats);
    s3s_bloom_clear(&w->bloom);
    w->rows = w->entries = w->nulls = 0;
    w->uncompressed_bytes = 0;
    w->defer = w->indexed = w->dictionary_waits = false;
    memset(w->encoded_pages, 0, sizeof w->encoded_pages);
}

size_t s3s_column_writer_held_bytes(s3s_column_writer *w)
{
    const s3s_dictionary_builder *d = &w->dictionary;
    size_t bytes = d->page.capacity + d->slot_count * sizeof *d->slots +
                   d->start_room * sizeof *d->starts + w->arena.used +
                   s3s_rope_held_bytes(&w->pages);
    s3s_buffer *buffers[BUFFERS];
    all_buffers(w, buffers);
    for (size_t i = 0; i < BUFFERS; i++)
        bytes += buffers[i]->capacity;
    s3s_page_draft *lists[] = {w->page, w->sealed, w->waiting, w->spare_pages};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        bytes += pages_held_bytes(lists[i]);
    return bytes;
}

/* ---- pages ---------------------------------------------------------------------------------- */

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
    w->indexed = w->indexed || page->indexed;
    page->first_row = w->rows - (int64_t)page->rows;
    page->dictionary_count = w->dictionary.count;
    return status;
}

static s3store_status encode_here(s3s_column_writer *w, s3s_page_draft *page, s3store_error *err)
{
    size_t at = w->pages.size;
    s3s_page_encoder *encoder = s3s_encoders_take(w->encoders, err);
    if (encoder == NULL)
        return S3STORE_OUT_OF_MEMORY;
    s3store_status status = s3s_page_encode(w, encoder, page, err);
    if (status == S3STORE_OK)
        status = s3s_rope_append(&w->pages, encoder->header.data, encoder->header.size, err);
    if (status == S3STORE_OK)
        status = s3s_rope_append(&w->pages, encoder->packed.data, encoder->packed.size, err);
    s3s_encoders_give(w->encoders, encoder);
    return status == S3STORE_OK ? finish_page(w, page, at, err) : status;
}

/* w->page is empty then, or NULL: others will encode it. */
static s3store_status close_page(s3s_column_writer *w, s3store_error *err)
{
    s3s_page_draft *page = w->page;
    if (page->rows == 0)
        return S3STORE_OK;
    s3store_status status = seal_page(w, page, err);
    if (status != S3STORE_OK)
        return status;
    if (w->defer) {
        append_pages(&w->sealed, page);
        w->page = NULL;
        return S3STORE_OK;
    }
    status = encode_here(w, page, err);
    clear_page(w, page);
    return status;
}

s3store_status s3s_column_writer_close_page(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = close_page(w, err);
    return status == S3STORE_OK && w->page == NULL ? take_page(w, err) : status;
}

/* ---- what others encode ---------------------------------------------------------------------- */

/* What an encoder has made, in memory of its own. */
static s3store_status take_encoded(const s3s_page_encoder *encoder, s3s_buffer *out,
                                   s3store_error *err)
{
    size_t size = encoder->header.size + encoder->packed.size;
    s3s_buffer_clear(out);
    if (s3s_buffer_reserve(out, size, err) == NULL)
        return s3s_fail_memory(err, size);
    s3store_status status = s3s_buffer_append(out, encoder->header.data, encoder->header.size, err);
    return status == S3STORE_OK
               ? s3s_buffer_append(out, encoder->packed.data, encoder->packed.size, err)
               : status;
}

/* A page, or without one (`what` is NULL) the dictionary. */
static s3store_status encode_apart(void *owner, void *what, s3store_error *err)
{
    s3s_column_writer *w = owner;
    s3s_page_draft *page = what;
    s3s_page_encoder *encoder = s3s_encoders_take(w->encoders, err);
    if (encoder == NULL)
        return S3STORE_OUT_OF_MEMORY;
    s3store_status status =
        page != NULL ? s3s_page_encode(w, encoder, page, err)
                     : s3s_page_encode_dictionary(w, encoder, &w->dictionary_bytes, err);
    if (status == S3STORE_OK)
        status = take_encoded(encoder, page != NULL ? &page->out : &w->dictionary_page, err);
    s3s_encoders_give(w->encoders, encoder);
    return status;
}

s3store_status s3s_column_writer_push(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (w->sealed != NULL && status == S3STORE_OK) {
        s3s_page_draft *page = w->sealed;
        status = s3s_encoders_push(w->encoders, encode_apart, w, page, &page->item, err);
        if (status == S3STORE_OK) {
            w->sealed = page->next;
            page->next = NULL;
            append_pages(&w->waiting, page);
        }
    }
    return status;
}

s3store_status s3s_column_writer_collect(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && w->waiting != NULL &&
           s3s_encoders_has_ended(w->encoders, w->waiting->item)) {
        s3s_page_draft *page = w->waiting;
        size_t at = w->pages.size;
        status = s3s_rope_take(&w->pages, &page->out, err);
        if (status == S3STORE_OK)
            status = finish_page(w, page, at, err);
        w->waiting = page->next;
        clear_page(w, page);
        page->next = w->spare_pages;
        w->spare_pages = page;
    }
    return status;
}

/* ---- the end of a chunk ---------------------------------------------------------------------- */

s3store_status s3s_column_writer_close(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = close_page(w, err);
    w->dictionary_waits = w->indexed && w->defer;
    if (status == S3STORE_OK && w->indexed && !w->defer) {
        status = encode_apart(w, NULL, err);
        w->uncompressed_bytes += w->dictionary_bytes;
    }
    return status;
}

s3store_status s3s_column_writer_push_rest(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = s3s_column_writer_push(w, err);
    if (status == S3STORE_OK && w->dictionary_waits)
        status = s3s_encoders_push(w->encoders, encode_apart, w, NULL, &w->dictionary_item, err);
    return status;
}

s3store_status s3s_column_writer_finish(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (w->waiting != NULL && status == S3STORE_OK) {
        status = s3s_encoders_wait(w->encoders, w->waiting->item, err);
        if (status == S3STORE_OK)
            status = s3s_column_writer_collect(w, err);
    }
    if (status == S3STORE_OK && w->dictionary_waits)
        status = s3s_encoders_wait(w->encoders, w->dictionary_item, err);
    w->uncompressed_bytes += w->dictionary_waits ? w->dictionary_bytes : 0;
    return status;
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
    s3store_status status = S3STORE_OK;
    if (w->nested)
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
