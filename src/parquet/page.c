/* parquet/page.c: fetching, checking and decompressing pages. */
#include "parquet/page.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/values.h"

#define HEADER_FIRST 1024                /* bytes tried first where the window ends */
#define HEADER_MAX ((size_t)16 << 20)    /* statistics of long strings may lie in it */
#define HEADER_MEMORY ((size_t)64 << 10) /* page headers hold no lists */

/* ---- where a chunk lies ---------------------------------------------------------------------- */

s3store_status s3s_chunk_place_of(const s3s_pq_chunk *chunk, const s3s_leaf *leaf, uint64_t limit,
                                  s3s_chunk_place *out, s3store_error *err)
{
    const s3s_pq_column *c = &chunk->column;
    if (S3S_PQ_HAS(chunk, S3S_CHUNK_CRYPTO))
        return s3s_fail(err, S3STORE_UNSUPPORTED, "the column is encrypted");
    if (S3S_PQ_HAS(chunk, S3S_CHUNK_FILE_PATH) && chunk->file_path.size > 0)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "its data lies in another file");
    if (!S3S_PQ_HAS(chunk, S3S_CHUNK_COLUMN))
        return s3s_fail(err, S3STORE_CORRUPT, "its metadata is missing from the footer");
    if (c->type != (int32_t)leaf->physical)
        return s3s_fail(err, S3STORE_CORRUPT, "the chunk holds %s, the schema says %s",
                        s3s_physical_name(c->type), s3s_physical_name((int32_t)leaf->physical));
    out->codec = s3s_codec_by_id(c->codec);
    if (out->codec == NULL)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "compression codec %d (%s)", (int)c->codec,
                        s3s_codec_name(c->codec));
    int64_t begin = c->data_page_offset;
    /* Old writers say 0 where there is none. */
    if (S3S_PQ_HAS(c, S3S_COLUMN_DICT_OFFSET) && c->dictionary_page_offset > 0 &&
        c->dictionary_page_offset < begin)
        begin = c->dictionary_page_offset;
    if (c->num_values < 0 || c->compressed_size < 0 || begin < 0 || (uint64_t)begin > limit ||
        (uint64_t)c->compressed_size > limit - (uint64_t)begin ||
        (c->num_values > 0 && begin < 4))
        return s3s_fail(err, S3STORE_CORRUPT,
                        "a chunk of %lld bytes at byte %lld does not lie before the footer at %llu",
                        (long long)c->compressed_size, (long long)begin,
                        (unsigned long long)limit);
    out->begin = (uint64_t)begin;
    out->end = (uint64_t)begin + (uint64_t)c->compressed_size;
    out->num_values = c->num_values;
    return S3STORE_OK;
}

/* ---- bytes of the chunk ---------------------------------------------------------------------- */

void s3s_page_reader_init(s3s_page_reader *r, s3s_env *env, s3s_budget *budget,
                          s3s_parquet_source source, const s3s_leaf *leaf)
{
    *r = (s3s_page_reader){.env = env, .budget = budget, .source = source, .leaf = leaf};
    s3s_codec_init(&r->codec_state, env);
    s3s_block_init(&r->window, env, budget);
    s3s_block_init(&r->body, env, budget);
    s3s_arena_init(&r->arena, env);
}

static void give_back(s3s_page_reader *r)
{
    s3s_block_return(r->blocks, r->borrowed);
    r->borrowed = NULL;
}

void s3s_page_reader_deinit(s3s_page_reader *r)
{
    give_back(r);
    s3s_codec_deinit(&r->codec_state);
    s3s_block_deinit(&r->window);
    s3s_block_deinit(&r->body);
    s3s_arena_deinit(&r->arena);
}

void s3s_page_reader_begin(s3s_page_reader *r, const s3s_chunk_place *place, size_t window_max)
{
    give_back(r);
    r->place = *place;
    r->at = r->page_offset = place->begin;
    r->window_max = window_max;
    r->fetch_end = place->end;
    if (r->source.read_bytes != 0 && r->source.read_bytes < window_max)
        r->window_max = r->source.read_bytes;
    r->window.size = 0;
    r->window_at = place->begin;
}

void s3s_page_reader_fetch_until(s3s_page_reader *r, uint64_t end)
{
    r->fetch_end = end < r->place.end ? end : r->place.end;
}

/* [at, at + size) of the file, which lies inside the chunk. */
static s3store_status fetch(s3s_page_reader *r, uint64_t at, size_t size, const uint8_t **out,
                            s3store_error *err)
{
    if (r->source.memory != NULL) {
        *out = r->source.memory + at;
        return S3STORE_OK;
    }
    if (at < r->window_at || at - r->window_at > r->window.size ||
        size > r->window.size - (size_t)(at - r->window_at)) {
        uint64_t rest = r->fetch_end > at ? r->fetch_end - at : 0;
        size_t wanted = rest < r->window_max ? (size_t)rest : r->window_max;
        wanted = wanted < size ? size : wanted;
        s3store_status status = s3s_block_resize_empty(&r->window, wanted + S3S_PAGE_SLACK, err);
        if (status == S3STORE_OK)
            status = r->source.read(r->source.ctx, at, r->window.data, wanted, err);
        if (status != S3STORE_OK)
            return status;
        r->window.size = wanted;
        r->window_at = at;
    }
    *out = r->window.data + (at - r->window_at);
    return S3STORE_OK;
}

/* Bytes from the next header on that are there already. */
static size_t held_bytes(const s3s_page_reader *r)
{
    if (r->source.memory != NULL)
        return (size_t)(r->place.end - r->at);
    if (r->at < r->window_at || r->at - r->window_at >= r->window.size)
        return 0;
    return r->window.size - (size_t)(r->at - r->window_at);
}

/* The page behind its header. Where reads cost nothing but copying, a page goes through a block that
 * all columns use in turn: windows of all of them would fall out of the processor's cache. */
static s3store_status fetch_page(s3s_page_reader *r, size_t size, const uint8_t **out,
                                 s3store_error *err)
{
    size_t held = held_bytes(r);
    if (held >= size || r->blocks == NULL || r->source.read_bytes == 0)
        return fetch(r, r->at, size, out, err);
    s3store_status status =
        s3s_block_borrow(r->blocks, size + S3S_PAGE_SLACK, &r->borrowed, err);
    if (status != S3STORE_OK)
        return status;
    if (held > 0)
        memcpy(r->borrowed->data, r->window.data + (r->at - r->window_at), held);
    *out = r->borrowed->data;
    return r->source.read(r->source.ctx, r->at + held, r->borrowed->data + held, size - held, err);
}

/* How long a header is, only its end tells: what the window holds is tried first, then more. */
static s3store_status read_header(s3s_page_reader *r, s3s_pq_page_header *header, size_t *size,
                                  s3store_error *err)
{
    uint64_t rest = r->place.end - r->at;
    size_t held = held_bytes(r), tried = held > 0 ? held : HEADER_FIRST;
    if (held == 0 && r->fetch_end > r->at && r->fetch_end - r->at < tried)
        tried = (size_t)(r->fetch_end - r->at);
    for (;;) {
        tried = tried < rest ? tried : (size_t)rest;
        const uint8_t *data = NULL;
        s3store_status status = fetch(r, r->at, tried, &data, err);
        if (status != S3STORE_OK)
            return status;
        bool truncated = false;
        s3s_arena_reset(&r->arena);
        s3store_error inner = {0};
        status = s3s_thrift_read(&s3s_pq_page_header_struct, data, tried, &r->arena, HEADER_MEMORY,
                                 header, size, &truncated, &inner);
        if (status == S3STORE_OK)
            return status;
        if (!truncated || tried == rest || tried >= HEADER_MAX)
            return s3s_fail(err, status, "page header: %s", inner.message);
        tried = tried < HEADER_FIRST ? HEADER_FIRST : tried * 4;
    }
}

/* ---- one page -------------------------------------------------------------------------------- */

static s3store_status check_crc(const s3s_pq_page_header *header, const uint8_t *data, size_t size,
                                s3store_error *err)
{
    if (!S3S_PQ_HAS(header, S3S_PAGE_CRC) || header->crc == 0)
        return S3STORE_OK;
    uint32_t crc = s3s_crc32(0, data, size);
    if (crc != (uint32_t)header->crc)
        return s3s_fail(err, S3STORE_CORRUPT, "checksum %08x, the header says %08x", (unsigned)crc,
                        (unsigned)header->crc);
    return S3STORE_OK;
}

/* May bytes behind a page be read? In blocks of our own they may, in the caller's memory where the
 * file goes on. */
static bool has_slack(const s3s_page_reader *r, const uint8_t *data, size_t size)
{
    if (r->source.memory == NULL)
        return true;
    uint64_t end = (uint64_t)(data - r->source.memory) + size;
    return r->source.file_size - end >= S3S_PAGE_SLACK;
}

/* Decompresses into the body, after `before` bytes that are copied as they are (levels of V2). What
 * is not compressed stays where it is. */
static s3store_status decompress(s3s_page_reader *r, const uint8_t *data, size_t size,
                                 size_t uncompressed, size_t before, bool compressed,
                                 s3s_span *out, s3store_error *err)
{
    const s3s_codec *codec =
        compressed ? r->place.codec : s3s_codec_by_id(S3S_PQ_UNCOMPRESSED);
    if (before > size || before > uncompressed)
        return s3s_fail(err, S3STORE_CORRUPT, "levels of %zu bytes in a page of %zu", before,
                        size < uncompressed ? size : uncompressed);
    if (codec->max_ratio != 0 &&
        (uncompressed - before) / codec->max_ratio > size - before + 64)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "%zu compressed bytes claim to hold %zu, which %s cannot", size - before,
                        uncompressed - before, codec->name);
    if (codec->id == S3S_PQ_UNCOMPRESSED && size == uncompressed && !r->own_body &&
        has_slack(r, data, size)) {
        *out = (s3s_span){data, size}; /* stays in the window until the next page is asked for */
        return S3STORE_OK;
    }
    s3store_status status =
        s3s_block_resize_empty(&r->body, uncompressed + S3S_PAGE_SLACK, err);
    if (status != S3STORE_OK)
        return status;
    memcpy(r->body.data, data, before);
    r->body.size = uncompressed;
    *out = (s3s_span){r->body.data, uncompressed};
    /* A section without values may be empty instead of a compressed nothing. */
    if (uncompressed == before)
        return S3STORE_OK;
    return codec->decompress(&r->codec_state, data + before, size - before, r->body.data + before,
                             uncompressed - before, err);
}

static s3store_status take_prefixed(s3s_span *from, s3s_span *out, const char *what,
                                    s3store_error *err)
{
    if (from->size < 4 || s3s_le32(from->data) > from->size - 4)
        return s3s_fail(err, S3STORE_CORRUPT, "%s levels reach beyond the page", what);
    out->size = s3s_le32(from->data);
    out->data = from->data + 4;
    from->data += 4 + out->size;
    from->size -= 4 + out->size;
    return S3STORE_OK;
}

static s3store_status take_levels(const s3s_page *page, unsigned max, int32_t encoding,
                                  s3s_span *from, s3s_span *out, const char *what,
                                  s3store_error *err)
{
    *out = (s3s_span){from->data, 0};
    if (max == 0)
        return S3STORE_OK;
    if (encoding == S3S_PQ_RLE)
        return take_prefixed(from, out, what, err);
    if (encoding != S3S_PQ_BIT_PACKED)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "%s levels in encoding %d", what, (int)encoding);
    size_t bits = page->num_values * s3s_bit_width(max); /* below 2^31 * 8 */
    out->size = s3s_bits_size(bits);
    if (out->size > from->size)
        return s3s_fail(err, S3STORE_CORRUPT, "%s levels reach beyond the page", what);
    from->data += out->size;
    from->size -= out->size;
    return S3STORE_OK;
}

static s3store_status open_v1(s3s_page_reader *r, const s3s_pq_page_header *header,
                              const uint8_t *data, s3s_page *page, s3store_error *err)
{
    const s3s_pq_data_header *h = &header->data;
    page->num_values = (size_t)h->num_values;
    page->encoding = h->encoding;
    page->def_encoding = h->def_encoding;
    page->rep_encoding = h->rep_encoding;
    s3s_span rest;
    s3store_status status = decompress(r, data, (size_t)header->compressed_size,
                                       (size_t)header->uncompressed_size, 0, true, &rest, err);
    if (status != S3STORE_OK)
        return status;
    status = take_levels(page, r->leaf->max_rep, h->rep_encoding, &rest, &page->rep, "repetition",
                         err);
    if (status == S3STORE_OK)
        status = take_levels(page, r->leaf->max_def, h->def_encoding, &rest, &page->def,
                             "definition", err);
    page->values = rest;
    return status;
}

static s3store_status open_v2(s3s_page_reader *r, const s3s_pq_page_header *header,
                              const uint8_t *data, s3s_page *page, s3store_error *err)
{
    const s3s_pq_data_header_v2 *h = &header->data_v2;
    if (h->def_size < 0 || h->rep_size < 0 || h->num_nulls < 0 || h->num_rows < 0 ||
        h->num_nulls > h->num_values || h->num_rows > h->num_values)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "%d values of which %d null, %d rows, levels of %d and %d bytes",
                        (int)h->num_values, (int)h->num_nulls, (int)h->num_rows, (int)h->rep_size,
                        (int)h->def_size);
    page->num_values = (size_t)h->num_values;
    page->num_nulls = h->num_nulls;
    page->num_rows = h->num_rows;
    page->encoding = h->encoding;
    page->def_encoding = page->rep_encoding = S3S_PQ_RLE;
    size_t levels = (size_t)h->def_size + (size_t)h->rep_size;
    bool compressed = !S3S_PQ_HAS(h, S3S_DATA2_COMPRESSED) || h->is_compressed;
    s3s_span body;
    s3store_status status =
        decompress(r, data, (size_t)header->compressed_size, (size_t)header->uncompressed_size,
                   levels, compressed, &body, err);
    if (status != S3STORE_OK)
        return status;
    page->rep = (s3s_span){body.data, (size_t)h->rep_size};
    page->def = (s3s_span){body.data + h->rep_size, (size_t)h->def_size};
    page->values = (s3s_span){body.data + levels, body.size - levels};
    return S3STORE_OK;
}

static s3store_status open_dictionary(s3s_page_reader *r, const s3s_pq_page_header *header,
                                      const uint8_t *data, s3s_page *page, s3store_error *err)
{
    page->num_values = (size_t)header->dictionary.num_values;
    page->encoding = header->dictionary.encoding;
    return decompress(r, data, (size_t)header->compressed_size,
                      (size_t)header->uncompressed_size, 0, true, &page->values, err);
}

typedef s3store_status (*open_fn)(s3s_page_reader *, const s3s_pq_page_header *, const uint8_t *,
                                  s3s_page *, s3store_error *);

/* How to open each type of page, and which part of the header must be there. */
static const struct {
    open_fn open;
    unsigned part;
} page_types[] = {
    [S3S_PQ_DATA_PAGE] = {open_v1, S3S_PAGE_DATA},
    [S3S_PQ_DICTIONARY_PAGE] = {open_dictionary, S3S_PAGE_DICTIONARY},
    [S3S_PQ_DATA_PAGE_V2] = {open_v2, S3S_PAGE_DATA_V2},
};

static s3store_status next_header(s3s_page_reader *r, s3s_pq_page_header *header, size_t *size,
                                  s3store_error *err)
{
    r->page_offset = r->at;
    s3store_status status = read_header(r, header, size, err);
    if (status != S3STORE_OK)
        return status;
    r->at += *size;
    if (header->compressed_size < 0 || header->uncompressed_size < 0 ||
        (uint64_t)header->compressed_size > r->place.end - r->at)
        return s3s_fail(err, S3STORE_CORRUPT,
                        "a page of %d bytes (%d uncompressed) where the chunk has %llu left",
                        (int)header->compressed_size, (int)header->uncompressed_size,
                        (unsigned long long)(r->place.end - r->at));
    return S3STORE_OK;
}

s3store_status s3s_page_reader_skim(s3s_page_reader *r, s3s_pq_page_header *header, size_t *size,
                                    s3store_error *err)
{
    if (r->at >= r->place.end)
        return S3STORE_END;
    s3store_status status = next_header(r, header, size, err);
    if (status == S3STORE_OK)
        r->at += (uint32_t)header->compressed_size;
    return status;
}

/* Reads the next header and finds its body. *opener NULL: a page that is not for us. */
static s3store_status next_raw(s3s_page_reader *r, s3s_pq_page_header *header, open_fn *opener,
                               const uint8_t **data, s3store_error *err)
{
    size_t size = 0;
    s3store_status status = next_header(r, header, &size, err);
    if (status != S3STORE_OK)
        return status;
    *opener = NULL;
    if (header->type >= 0 && (size_t)header->type < sizeof page_types / sizeof *page_types)
        *opener = page_types[header->type].open;
    if (*opener == NULL) {
        /* Index pages, and types still to be invented. */
        r->at += (uint32_t)header->compressed_size;
        return S3STORE_OK;
    }
    if (!S3S_PQ_HAS(header, page_types[header->type].part) || header->data.num_values < 0 ||
        header->dictionary.num_values < 0 || header->data_v2.num_values < 0)
        return s3s_fail(err, S3STORE_CORRUPT, "page header: no value count for its type");
    status = fetch_page(r, (size_t)header->compressed_size, data, err);
    if (status == S3STORE_OK)
        status = check_crc(header, *data, (size_t)header->compressed_size, err);
    r->at += (uint32_t)header->compressed_size;
    return status;
}

static bool in_block(const s3s_block *block, const uint8_t *p)
{
    return p >= block->data && p <= block->data + block->capacity;
}

/* Moves the memory of the values to keep; from the window they are copied. */
static s3store_status keep_page(s3s_page_reader *r, s3s_page *page, s3s_block *keep,
                                s3store_error *err)
{
    if (page->values.data == r->body.data) {
        s3s_block_deinit(keep);
        *keep = r->body;
        s3s_block_init(&r->body, r->env, r->budget);
        return S3STORE_OK;
    }
    s3store_status status = s3s_block_resize_empty(keep, page->values.size + S3S_PAGE_SLACK, err);
    if (status != S3STORE_OK)
        return status;
    memcpy(keep->data, page->values.data, page->values.size);
    page->values.data = keep->data;
    return S3STORE_OK;
}

s3store_status s3s_page_reader_next(s3s_page_reader *r, s3s_page *page, s3s_block *keep,
                                    s3store_error *err)
{
    s3s_pq_page_header header;
    open_fn opener = NULL;
    const uint8_t *data = NULL;
    give_back(r);
    while (opener == NULL) {
        if (r->at >= r->place.end)
            return S3STORE_END;
        s3store_status status = next_raw(r, &header, &opener, &data, err);
        if (status != S3STORE_OK)
            return status;
    }
    *page = (s3s_page){.type = (s3s_page_type)header.type, .offset = r->page_offset,
                       .num_nulls = -1, .num_rows = -1};
    s3store_status status = opener(r, &header, data, page, err);
    if (status == S3STORE_OK && keep != NULL && page->type == S3S_PQ_DICTIONARY_PAGE)
        status = keep_page(r, page, keep, err);
    if (r->borrowed != NULL && !in_block(r->borrowed, page->values.data))
        give_back(r);
    return status;
}
