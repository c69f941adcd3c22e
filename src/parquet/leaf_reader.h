/* parquet/leaf_reader.h: one leaf of one row group after the other, decoded into Arrow buffers. */
#ifndef S3S_PARQUET_LEAF_READER_H
#define S3S_PARQUET_LEAF_READER_H

#include "parquet/page.h"
#include "parquet/sink.h"

#define S3S_LEAF_BATCH 1024

/* Strings between decoding and copying: copying may stop in the middle, where 32-bit offsets
 * end. */
typedef struct s3s_pending {
    uint8_t bits[S3S_LEAF_BATCH / 8]; /* validity of its rows */
    bool all_valid;
    size_t rows, row_at;
    size_t values_left; /* of these rows, not decoded yet */
    s3store_bytes spans[S3S_LEAF_BATCH + 1]; /* behind the last, one may be looked at */
    size_t span_at, span_count;
} s3s_pending;

/* Levels of a nested leaf. An entry is a pair of levels; a slot is a place in the leaf's array: an
 * entry that no empty or null list above it makes void. */
typedef struct s3s_levels {
    s3s_block rep, def; /* of the batch, a byte each */
    size_t rows;        /* that begin in them */
    size_t complete;    /* and whose slots are all in the sink */
    int64_t rows_begun; /* of the row group */
    int64_t group_rows;
    unsigned last_def;
    /* entries of the page: not decoded, decoded but not taken */
    size_t page_left;
    s3s_hybrid rep_runs;
    uint8_t next_rep[S3S_LEAF_BATCH], next_def[S3S_LEAF_BATCH];
    size_t next_at, next_count;
    /* validity of the slots that were taken and are not in the sink yet (page_rows_left) */
    uint8_t slots[S3S_LEAF_BATCH / 8 + 9]; /* as s3s_mask_put needs it */
    size_t slot_at;
    bool all_valid;
} s3s_levels;

typedef struct s3s_ahead s3s_ahead;

typedef struct s3s_leaf_reader {
    const s3s_leaf *leaf;
    s3s_page_reader pages;
    s3s_ahead *ahead; /* NULL = there never was a chunk with: */
    bool reads_ahead; /* pages are read before they are needed */
    s3s_block held;   /* the body of the current page, where pages are read ahead */
    s3s_values values;
    s3s_block dictionary_page; /* what dictionary entries point into */
    s3s_dictionary dictionary;
    bool has_dictionary;
    bool in_data; /* a data page was seen */
    s3s_sink sink;
    s3s_block scratch;    /* physical values before conversion */
    s3s_pending *pending; /* of BYTES */
    s3s_levels *levels;   /* of nested leaves */
    /* the current data page */
    s3s_page page;
    uint64_t page_at; /* of its header, for messages */
    s3s_hybrid def;
    size_t page_rows_left, page_nulls;
    /* the chunk */
    int64_t values_left; /* that no page has brought yet */
    int64_t row_at;      /* rows decoded, for messages */
} s3s_leaf_reader;

s3store_status s3s_leaf_reader_init(s3s_leaf_reader *r, s3s_env *env, s3s_budget *budget,
                                    s3s_parquet_source source, const s3s_leaf *leaf,
                                    s3store_error *err);
void s3s_leaf_reader_deinit(s3s_leaf_reader *r);
/* Begins a row group's chunk. */
void s3s_leaf_reader_begin(s3s_leaf_reader *r, const s3s_chunk_place *place, int64_t group_rows,
                           size_t window_max);
/* Decodes up to `rows` rows into the sink. Fewer only where one more would not fit 32-bit
 * offsets. */
s3store_status s3s_leaf_reader_read(s3s_leaf_reader *r, size_t rows, size_t *got,
                                    s3store_error *err);
/* Between pages of a flat leaf: passes over whole pages of up to `rows` rows without decoding
 * them. */
s3store_status s3s_leaf_reader_skip(s3s_leaf_reader *r, size_t rows, size_t *skipped,
                                    s3store_error *err);
/* The same to a page that is known to begin `rows` rows ahead at byte `at`; data_at: where the
 * first data page begins. A dictionary before it is read. */
s3store_status s3s_leaf_reader_jump(s3s_leaf_reader *r, uint64_t data_at, uint64_t at,
                                    int64_t rows, s3store_error *err);
/* Rows until the next page of a flat leaf. */
static inline size_t s3s_leaf_reader_page_rows(const s3s_leaf_reader *r)
{
    return r->page_rows_left + (r->pending != NULL ? r->pending->rows - r->pending->row_at : 0);
}
/* Whole rows that are there. */
static inline size_t s3s_leaf_reader_rows(const s3s_leaf_reader *r)
{
    return r->levels != NULL ? r->levels->complete : (size_t)r->sink.rows;
}
static inline uint64_t s3s_leaf_reader_bytes(const s3s_leaf_reader *r)
{
    uint64_t levels =
        r->levels != NULL ? (uint64_t)r->levels->rep.size + r->levels->def.size : 0;
    return levels + s3s_sink_bytes(&r->sink);
}

/* ---- pages ahead (leaf_ahead.c): of a leaf, from whose chunk nothing is left out ------------- */

/* After s3s_leaf_reader_begin: pages of this chunk may be read ahead, once that is allowed. The
 * next chunk begins without. */
s3store_status s3s_leaf_ahead_begin(s3s_leaf_reader *r, s3store_error *err);
/* Forbidden: nobody does any more when this returns; what is there is kept. */
void s3s_leaf_ahead_allow(s3s_leaf_reader *r, bool allowed);
/* Is there room for a page, and nobody reads one? */
bool s3s_leaf_ahead_wants(s3s_leaf_reader *r);
/* In any thread, beside decoding: reads pages while there is room for them, and it is allowed. */
void s3s_leaf_ahead_fill(s3s_ahead *ahead);
void s3s_leaf_ahead_end(s3s_leaf_reader *r);
void s3s_leaf_ahead_free(s3s_leaf_reader *r);
/* For leaf_reader.c: the next page into r->page, as s3s_page_reader_next says. */
s3store_status s3s_leaf_ahead_next(s3s_leaf_reader *r, s3store_error *err);

/* ---- for leaf_nested.c ----------------------------------------------------------------------- */

s3store_status s3s_leaf_next_page(s3s_leaf_reader *r, s3store_error *err);
/* Brings page_rows_left slots into the sink. *full: not all fit 32-bit offsets. */
s3store_status s3s_leaf_drain(s3s_leaf_reader *r, bool *full, s3store_error *err);
s3store_status s3s_levels_new(s3s_leaf_reader *r, s3store_error *err);
void s3s_levels_free(s3s_leaf_reader *r);
void s3s_levels_begin(s3s_leaf_reader *r, int64_t group_rows);
void s3s_levels_begin_page(s3s_leaf_reader *r);
s3store_status s3s_leaf_read_nested(s3s_leaf_reader *r, size_t rows, size_t *got,
                                    s3store_error *err);

#endif
