/* parquet/page.h: one column chunk as a sequence of pages. */
#ifndef S3S_PARQUET_PAGE_H
#define S3S_PARQUET_PAGE_H

#include "parquet/codec/codec.h"
#include "parquet/memory.h"
#include "parquet/metadata.h"
#include "parquet/parquet.h"
#include "parquet/schema.h"

/* Bytes behind a page's own that may be read (their content does not matter), so that short strings
 * can be copied in one piece. */
#define S3S_PAGE_SLACK 32

/* Where a chunk lies and how it is stored, checked against the file's size. */
typedef struct s3s_chunk_place {
    uint64_t begin, end;
    const s3s_codec *codec;
    int64_t num_values;
} s3s_chunk_place;

/* limit: where the footer begins. */
s3store_status s3s_chunk_place_of(const s3s_pq_chunk *chunk, const s3s_leaf *leaf, uint64_t limit,
                                  s3s_chunk_place *out, s3store_error *err);

typedef struct s3s_page {
    s3s_page_type type; /* DICTIONARY_PAGE, DATA_PAGE or DATA_PAGE_V2 */
    uint64_t offset;    /* of its header in the file, for messages */
    size_t num_values;  /* nulls included */
    int64_t num_nulls;  /* -1 = not said */
    int64_t num_rows;   /* -1 = not said */
    int32_t encoding, def_encoding, rep_encoding;
    s3s_span rep, def, values; /* uncompressed; valid until the next page */
} s3s_page;

typedef struct s3s_page_reader {
    s3s_env *env;
    s3s_budget *budget;
    s3s_parquet_source source;
    s3s_codec_state codec_state;
    const s3s_leaf *leaf;
    s3s_chunk_place place;
    uint64_t at;          /* file offset of the next header */
    uint64_t page_offset; /* of the page being read, for messages */
    size_t window_max;    /* bytes fetched at once, unless a page is larger */
    uint64_t fetch_end;   /* nothing beyond is fetched before it is needed */
    s3s_block window;     /* [window_at, window_at + size) of the file */
    uint64_t window_at;
    s3s_block_cache *blocks; /* of the file; NULL: pages are read into the window */
    s3s_block *borrowed;     /* the page being read, compressed */
    s3s_block body;       /* of the current page, uncompressed */
    bool own_body;        /* pages that are not compressed are copied there too */
    s3s_arena arena;      /* of the current header */
} s3s_page_reader;

void s3s_page_reader_init(s3s_page_reader *r, s3s_env *env, s3s_budget *budget,
                          s3s_parquet_source source, const s3s_leaf *leaf);
void s3s_page_reader_deinit(s3s_page_reader *r);
/* Begins a chunk; memory is kept from the one before. */
void s3s_page_reader_begin(s3s_page_reader *r, const s3s_chunk_place *place, size_t window_max);
/* What lies beyond, up to the chunk's end, is probably not needed. */
void s3s_page_reader_fetch_until(s3s_page_reader *r, uint64_t end);
/* The next dictionary or data page, checked and decompressed; END where the chunk ends. A
 * dictionary page's values stay valid after the next page when keep is given: its memory moves
 * there. */
s3store_status s3s_page_reader_next(s3s_page_reader *r, s3s_page *page, s3s_block *keep,
                                    s3store_error *err);
/* The next header alone; its page is passed over. END where the chunk ends. */
s3store_status s3s_page_reader_skim(s3s_page_reader *r, s3s_pq_page_header *header, size_t *size,
                                    s3store_error *err);

#endif
