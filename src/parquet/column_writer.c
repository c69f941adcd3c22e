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

#define BUFFERS 14

static void all_buffers(s3s_column_writer *w, s3s_buffer *out[BUFFERS])
{
    s3s_buffer *all[BUFFERS] = {&w->dense,    &w->plain,      &w->indexes,    &w->validity,
                                &w->body,     &w->packed,     &w->pages,      &w->records,
                                &w->shredded, &w->spare,      &w->rep_levels, &w->def_levels,
                                &w->lengths,  &w->dictionary_page};
    memcpy(out, all, sizeof all);
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
    s3s_codec_init(&w->codec_state, env);
    s3s_buffer *buffers[BUFFERS];
    all_buffers(w, buffers);
    for (size_t i = 0; i < BUFFERS; i++)
        s3s_buffer_init(buffers[i], env, SIZE_MAX);
    s3s_arena_init(&w->arena, env);
    s3s_stats_init(&w->stats, env, field);
    s3s_stats_init(&w->page_stats, env, field);
    s3s_dictionary_init(&w->dictionary, env, w->width, DICTIONARY_BYTES_MAX);
    bool hashed = field->type != S3S_TYPE_BOOL && field->type != S3S_TYPE_NULL;
    s3store_status status =
        s3s_bloom_init(&w->bloom, env, hashed ? options->bloom_bytes_max : 0, err);
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
    s3s_codec_deinit(&w->codec_state);
    s3s_arena_deinit(&w->arena);
    s3s_stats_deinit(&w->stats);
    s3s_stats_deinit(&w->page_stats);
    s3s_bloom_deinit(&w->bloom);
    s3s_dictionary_deinit(&w->dictionary);
}

static void reset_page(s3s_column_writer *w)
{
    s3s_buffer_clear(&w->plain);
    s3s_buffer_clear(&w->lengths);
    s3s_buffer_clear(&w->indexes);
    s3s_buffer_clear(&w->validity);
    s3s_buffer_clear(&w->rep_levels);
    s3s_buffer_clear(&w->def_levels);
    s3s_stats_clear(&w->page_stats);
    w->page_rows = w->page_entries = w->page_values = w->page_plain_bytes = 0;
}

void s3s_column_writer_reset(s3s_column_writer *w)
{
    reset_page(w);
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
    return bytes;
}

/* ---- pages ----------------------------------------------------------------------------------- */

static s3store_status put_validity(s3s_column_writer *w, s3store_error *err)
{
    s3s_buffer *body = &w->body;
    if (w->page_values == w->page_rows || w->page_values == 0)
        return s3s_hybrid_encode_run(w->page_values > 0, w->page_rows, 1, body, err);
    uint32_t *levels = s3s_alloc(w->env, w->page_rows * sizeof *levels);
    if (levels == NULL)
        return s3s_fail_memory(err, w->page_rows * sizeof *levels);
    s3s_unpack32(w->validity.data, w->validity.size, 1, 0, w->page_rows, levels);
    s3store_status status = s3s_hybrid_encode(levels, w->page_rows, 1, body, err);
    s3s_free(w->env, levels);
    return status;
}

static s3store_status put_bytes_hybrid(s3s_column_writer *w, const s3s_buffer *levels,
                                       unsigned max, s3store_error *err)
{
    uint32_t *wide = s3s_alloc(w->env, levels->size * sizeof *wide);
    if (wide == NULL)
        return s3s_fail_memory(err, levels->size * sizeof *wide);
    for (size_t i = 0; i < levels->size; i++)
        wide[i] = levels->data[i];
    s3store_status status =
        s3s_hybrid_encode(wide, levels->size, s3s_bit_width(max), &w->body, err);
    s3s_free(w->env, wide);
    return status;
}

/* Levels behind their size; of flat columns (levels NULL) from the validity. */
static s3store_status put_levels(s3s_column_writer *w, const s3s_buffer *levels, unsigned max,
                                 s3store_error *err)
{
    static const uint8_t room[4] = {0};
    s3s_buffer *body = &w->body;
    size_t at = body->size;
    if (max == 0)
        return S3STORE_OK;
    s3store_status status = s3s_buffer_append(body, room, sizeof room, err);
    if (status == S3STORE_OK)
        status = levels == NULL ? put_validity(w, err) : put_bytes_hybrid(w, levels, max, err);
    uint32_t size = (uint32_t)(body->size - at - sizeof room);
    if (status == S3STORE_OK)
        memcpy(body->data + at, &size, sizeof size);
    return status;
}

/* Compresses the body and appends header and page to out. */
static s3store_status put_page(s3s_column_writer *w, const uint8_t *data, size_t size,
                               s3s_pq_page_header *header, s3s_buffer *out, s3store_error *err)
{
    const s3s_codec *codec = w->options.codec;
    if (size > INT32_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "column \"%s\": a page of %zu bytes",
                        w->field->name, size);
    size_t packed = codec->max_compressed(size);
    s3s_buffer_clear(&w->packed);
    uint8_t *to = s3s_buffer_reserve(&w->packed, packed + 1, err);
    if (to == NULL)
        return s3s_fail_memory(err, packed);
    s3store_status status = codec->compress(&w->codec_state, data, size, to, &packed, err);
    if (status != S3STORE_OK)
        return status;
    header->uncompressed_size = (int32_t)size;
    header->compressed_size = (int32_t)packed;
    header->crc = (int32_t)s3s_crc32(0, to, packed);
    for (unsigned bit = S3S_PAGE_TYPE; bit <= S3S_PAGE_CRC; bit++)
        S3S_PQ_SET(header, bit);
    size_t at = out->size;
    status = s3s_thrift_write(&s3s_pq_page_header_struct, header, out, err);
    w->uncompressed_bytes += out->size - at + size;
    if (status == S3STORE_OK)
        status = s3s_buffer_append(out, to, packed, err);
    return status;
}

static s3store_status record_page(s3s_column_writer *w, size_t at, s3store_error *err)
{
    bool failed = false;
    s3s_page_record record = {.offset = at, .size = (uint32_t)(w->pages.size - at),
                              .first_row = w->rows - (int64_t)w->page_rows,
                              .null_count = (int64_t)(w->page_entries - w->page_values),
                              .all_null = w->page_values == 0};
    record.bounded =
        s3s_stats_bounds(&w->page_stats, &w->arena, &record.min, &record.max, &failed);
    if (failed)
        return s3s_fail_memory(err, 0);
    return s3s_buffer_append(&w->records, &record, sizeof record, err);
}

s3store_status s3s_column_writer_close_page(s3s_column_writer *w, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    if (w->page_rows == 0)
        return status;
    bool indexed = w->use_dictionary && w->page_values > 0; /* nulls alone decide nothing */
    if (indexed && !s3s_column_writer_dictionary_pays(w)) {
        status = s3s_column_writer_give_up_dictionary(w, err);
        indexed = false;
    } else if (indexed) {
        status = s3s_column_writer_index_stats(w, err);
    }
    if (status != S3STORE_OK)
        return status;
    int32_t encoding = indexed ? S3S_PQ_RLE_DICTIONARY : s3s_column_writer_choose_encoding(w);
    s3s_buffer_clear(&w->body);
    if (w->nested)
        status = put_levels(w, &w->rep_levels, w->shred->max_rep, err);
    if (status == S3STORE_OK)
        status = put_levels(w, w->nested ? &w->def_levels : NULL, w->shred->max_def, err);
    /* Numbers alone are compressed from where they are. */
    bool direct = encoding == S3S_PQ_PLAIN && w->width != 0 && w->shred->max_def == 0 &&
                  w->physical != S3S_PQ_BOOLEAN;
    const s3s_buffer *body = direct ? &w->plain : &w->body;
    if (status == S3STORE_OK && !direct)
        status = s3s_column_writer_put_values(w, encoding, err);
    if (status != S3STORE_OK)
        return status;
    s3s_pq_page_header header = {.type = S3S_PQ_DATA_PAGE};
    s3s_pq_data_header *data = &header.data;
    S3S_PQ_SET(&header, S3S_PAGE_DATA);
    for (unsigned bit = S3S_DATA_VALUES; bit <= S3S_DATA_STATS; bit++)
        S3S_PQ_SET(data, bit);
    data->num_values = (int32_t)w->page_entries;
    data->encoding = encoding;
    data->def_encoding = data->rep_encoding = S3S_PQ_RLE;
    s3s_stats_describe(&w->page_stats, (int64_t)(w->page_entries - w->page_values),
                       &data->statistics);
    size_t at = w->pages.size;
    status = put_page(w, body->data, body->size, &header, &w->pages, err);
    if (status == S3STORE_OK)
        status = record_page(w, at, err);
    if (status == S3STORE_OK)
        status = s3s_stats_merge(&w->stats, &w->page_stats, err);
    w->encoded_pages[encoding]++;
    if (indexed)
        w->dictionary_flushed = w->dictionary.count;
    reset_page(w);
    return status;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* How many of the next rows surely fit the page; at least one for an empty page. */
static size_t rows_that_fit(const s3s_column_writer *w, const s3s_column *column, int64_t start,
                            size_t count)
{
    size_t limit = PAGE_ROWS_MAX - w->page_rows;
    limit = limit < S3S_EXTRACT_ROWS ? limit : S3S_EXTRACT_ROWS;
    count = count < limit ? count : limit;
    size_t room = w->page_plain_bytes < w->options.page_bytes
                      ? w->options.page_bytes - w->page_plain_bytes
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
    return fit == 0 && w->page_rows == 0 && count > 0 ? 1 : fit;
}

static s3store_status add_validity(s3s_column_writer *w, const s3s_column *column, int64_t start,
                                   size_t count, s3store_error *err)
{
    size_t bytes = s3s_bits_size(w->page_rows + count);
    if (s3s_buffer_reserve(&w->validity, bytes - w->validity.size + 1, err) == NULL)
        return s3s_fail_memory(err, bytes);
    memset(w->validity.data + w->validity.size, 0, bytes - w->validity.size);
    w->validity.size = bytes;
    if (column->validity != NULL)
        s3s_bits_copy(w->validity.data, w->page_rows, column->validity,
                      (size_t)(column->offset + start), count);
    else
        s3s_bits_fill(w->validity.data, w->page_rows, count, w->field->type != S3S_TYPE_NULL);
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
    w->page_rows += count;
    w->page_entries += count;
    w->page_values += found;
    w->page_plain_bytes += bytes;
    w->rows += (int64_t)count;
    w->entries += (int64_t)count;
    w->nulls += (int64_t)(count - found);
    return status;
}

s3store_status s3s_column_writer_add(s3s_column_writer *w, const s3s_column *column, int64_t start,
                                     size_t count, s3store_error *err)
{
    if (w->nested)
        return s3s_column_writer_add_nested(w, column, start, count, err);
    s3store_status status = S3STORE_OK;
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
    s3s_buffer_clear(&w->dictionary_page);
    if (status != S3STORE_OK || w->encoded_pages[S3S_PQ_RLE_DICTIONARY] == 0)
        return status;
    s3s_pq_page_header header = {.type = S3S_PQ_DICTIONARY_PAGE};
    S3S_PQ_SET(&header, S3S_PAGE_DICTIONARY);
    S3S_PQ_SET(&header.dictionary, S3S_DICT_VALUES);
    S3S_PQ_SET(&header.dictionary, S3S_DICT_ENCODING);
    header.dictionary.num_values = (int32_t)w->dictionary.count;
    header.dictionary.encoding = S3S_PQ_PLAIN;
    return put_page(w, w->dictionary.page.data, w->dictionary.page.size, &header,
                    &w->dictionary_page, err);
}
