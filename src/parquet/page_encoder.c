/* parquet/page_encoder.c: full pages into bytes: levels, values, compression, header. The column is
 * not changed by that, so other threads do it while the column goes on.
 */
#include "base/error.h"
#include "base/hash.h"
#include "parquet/column_writer.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/hybrid.h"

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

/* Compresses the body, and makes its header. *bytes: of both, uncompressed. */
static s3store_status pack(const s3s_column_writer *w, s3s_page_encoder *encoder, s3s_span body,
                           s3s_pq_page_header *header, uint64_t *bytes, s3store_error *err)
{
    const s3s_codec *codec = w->options.codec;
    if (body.size > INT32_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "column \"%s\": a page of %zu bytes",
                        w->field->name, body.size);
    size_t packed = codec->max_compressed(body.size);
    s3s_buffer_clear(&encoder->packed);
    s3s_buffer_clear(&encoder->header);
    uint8_t *to = s3s_buffer_reserve(&encoder->packed, packed + 1, err);
    if (to == NULL)
        return s3s_fail_memory(err, packed);
    s3store_status status =
        codec->compress(&encoder->codec_state, body.data, body.size, to, &packed, err);
    if (status != S3STORE_OK)
        return status;
    encoder->packed.size = packed;
    header->uncompressed_size = (int32_t)body.size;
    header->compressed_size = (int32_t)packed;
    header->crc = (int32_t)s3s_crc32(0, to, packed);
    for (unsigned bit = S3S_PAGE_TYPE; bit <= S3S_PAGE_CRC; bit++)
        S3S_PQ_SET(header, bit);
    status = s3s_thrift_write(&s3s_pq_page_header_struct, header, &encoder->header, err);
    *bytes = encoder->header.size + body.size;
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

s3store_status s3s_page_encode(const s3s_column_writer *w, s3s_page_encoder *encoder,
                               s3s_page_draft *page, s3store_error *err)
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
    return pack(w, encoder, body, &header, &page->uncompressed_bytes, err);
}

s3store_status s3s_page_encode_dictionary(const s3s_column_writer *w, s3s_page_encoder *encoder,
                                          uint64_t *bytes, s3store_error *err)
{
    s3s_pq_page_header header = {.type = S3S_PQ_DICTIONARY_PAGE};
    S3S_PQ_SET(&header, S3S_PAGE_DICTIONARY);
    S3S_PQ_SET(&header.dictionary, S3S_DICT_VALUES);
    S3S_PQ_SET(&header.dictionary, S3S_DICT_ENCODING);
    header.dictionary.num_values = (int32_t)w->dictionary.count;
    header.dictionary.encoding = S3S_PQ_PLAIN;
    s3s_span body = {w->dictionary.page.data, w->dictionary.page.size};
    return pack(w, encoder, body, &header, bytes, err);
}
