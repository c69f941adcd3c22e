/* parquet/column_writer.h: one column of the row group being written: values into pages. */
#ifndef S3S_PARQUET_COLUMN_WRITER_H
#define S3S_PARQUET_COLUMN_WRITER_H

#include "base/rope.h"
#include "parquet/bloom.h"
#include "parquet/encoders.h"
#include "parquet/encoding/dictionary.h"
#include "parquet/extract.h"
#include "parquet/memory.h"
#include "parquet/metadata.h"
#include "parquet/shred.h"
#include "parquet/stats.h"

typedef struct s3s_column_options {
    const s3s_codec *codec;
    size_t page_bytes;
    bool dictionary;
    size_t bloom_bytes_max; /* 0 = no bloom filter */
} s3s_column_options;

/* A finished data page, for the page index. */
typedef struct s3s_page_record {
    uint64_t offset; /* of its header, counted from the first data page */
    uint32_t size;   /* header included */
    int64_t first_row, null_count;
    bool all_null, bounded;
    s3s_thrift_binary min, max;
} s3s_page_record;

/* The values of a page while it is filled, and until they are encoded. */
typedef struct s3s_page_draft {
    struct s3s_page_draft *next;
    size_t head;        /* bytes of `plain` before its values, for what stands before them in a page */
    s3s_buffer plain;   /* values as they are, of strings the bytes alone */
    s3s_buffer lengths; /* uint32_t, of strings */
    s3s_buffer indexes; /* uint32_t */
    s3s_buffer validity;
    s3s_buffer rep_levels, def_levels; /* of nested columns, a byte each */
    size_t rows, entries;              /* the same in flat columns */
    size_t values, plain_bytes;
    s3s_stats stats;
    /* once it is full */
    int64_t first_row;
    bool indexed;
    size_t dictionary_count; /* entries that its indexes may name */
    size_t item; /* of the encoders */
    /* once it is encoded */
    int32_t encoding;
    uint64_t uncompressed_bytes; /* header included */
    s3s_buffer out;              /* header and compressed bytes */
} s3s_page_draft;

static inline s3s_span s3s_page_draft_plain(const s3s_page_draft *page)
{
    const uint8_t *none = (const uint8_t *)"", *data = page->plain.data;
    return (s3s_span){data == NULL ? none : data + page->head, page->plain.size - page->head};
}

/* Pages that are full may wait to be encoded (`defer`), so that other threads do that while this
 * one fills the next. They write into the drafts and the dictionary page, nothing else. */
typedef struct s3s_column_writer {
    s3s_env *env;
    const s3s_shred *shred;
    const s3s_field *field; /* of the leaf */
    s3s_physical physical;
    bool nested;
    bool optional; /* a flat column with definition levels */
    size_t width; /* as s3s_extractor_width says */
    const s3s_extractor *extractor;
    s3s_column_options options;
    s3s_encoders *encoders; /* of all columns */
    bool defer;

    /* adding */
    s3s_page_draft *page;    /* is filled; NULL = the chunk is closed, and it was deferred */
    s3s_page_draft *sealed;  /* full ones in their order, until the encoders are told, */
    s3s_page_draft *waiting; /* and until they are among the finished pages */
    s3s_page_draft *spare_pages;
    s3s_buffer dense;           /* of one extraction */
    s3s_shredded shredded, spare_shredded; /* some rows of a nested column */
    s3s_buffer used;                       /* marks entries of the dictionary, a byte each */
    s3s_dictionary_builder dictionary;
    bool use_dictionary;       /* for the page being filled */
    bool indexed;              /* a page of the chunk uses it */
    size_t dictionary_flushed; /* entries that full pages use */
    size_t dictionary_values;  /* that were looked up so far */
    s3s_bloom bloom;
    int64_t rows, entries, nulls;

    /* the chunk so far */
    s3s_rope pages;     /* finished data pages */
    s3s_buffer records; /* s3s_page_record */
    s3s_arena arena;    /* bounds of the records */
    s3s_stats stats;
    uint64_t uncompressed_bytes; /* headers included */
    s3s_buffer dictionary_page;  /* once the chunk is finished; empty when it has none */
    uint64_t dictionary_bytes;   /* of it, uncompressed */
    bool dictionary_waits;       /* to be encoded */
    size_t dictionary_item;      /* of the encoders */
    int32_t encoded_pages[S3S_PQ_ENCODING_COUNT]; /* data pages, by encoding */
} s3s_column_writer;

/* encoders: shared by columns, and alive as long as they are. */
s3store_status s3s_column_writer_init(s3s_column_writer *w, s3s_env *env, const s3s_shred *shred,
                                      const s3s_column_options *options, s3s_encoders *encoders,
                                      s3store_error *err);
void s3s_column_writer_deinit(s3s_column_writer *w);
/* Rows of the top-level column. */
s3store_status s3s_column_writer_add(s3s_column_writer *w, const s3s_column *column, int64_t start,
                                     size_t count, s3store_error *err);
/* Closes the last page; then push_rest and finish, where something was deferred. */
s3store_status s3s_column_writer_close(s3s_column_writer *w, s3store_error *err);

/* These are for the writer's thread, while nobody adds. push: full pages that were deferred go to
 * the encoders; with the last ones goes the dictionary. collect: those that are encoded become part
 * of the chunk. finish: all of them; waits. */
s3store_status s3s_column_writer_push(s3s_column_writer *w, s3store_error *err);
s3store_status s3s_column_writer_push_rest(s3s_column_writer *w, s3store_error *err);
s3store_status s3s_column_writer_collect(s3s_column_writer *w, s3store_error *err);
s3store_status s3s_column_writer_finish(s3s_column_writer *w, s3store_error *err);

/* Ready for the next row group. */
void s3s_column_writer_reset(s3s_column_writer *w);
size_t s3s_column_writer_held_bytes(s3s_column_writer *w);

static inline size_t s3s_column_writer_page_count(const s3s_column_writer *w)
{
    return w->records.size / sizeof(s3s_page_record);
}
static inline const s3s_page_record *s3s_column_writer_record(const s3s_column_writer *w, size_t i)
{
    return (const s3s_page_record *)(const void *)w->records.data + i;
}

/* ---- column_values.c: the page's values ------------------------------------------------------ */

s3store_status s3s_column_writer_add_values(s3s_column_writer *w, const void *values, size_t count,
                                            s3store_error *err);
/* What these values take in PLAIN form. */
size_t s3s_column_writer_plain_bytes(const s3s_column_writer *w, const void *values, size_t count);
bool s3s_column_writer_dictionary_pays(const s3s_column_writer *w);
/* From this page on values are written as they are; entries that only this page used are
 * dropped. */
s3store_status s3s_column_writer_give_up_dictionary(s3s_column_writer *w, s3store_error *err);
/* Brings the values of an indexed page into its statistics. */
s3store_status s3s_column_writer_index_stats(s3s_column_writer *w, s3store_error *err);
/* Of values that are not indexed: what takes the fewest bytes. */
s3store_status s3s_column_writer_choose_encoding(const s3s_column_writer *w,
                                                 s3s_page_encoder *encoder,
                                                 const s3s_page_draft *page, int32_t *encoding,
                                                 s3store_error *err);
/* Appends them to the body. *follow: but the plain ones, as they are, belong behind it. */
s3store_status s3s_column_writer_put_values(const s3s_column_writer *w, s3s_page_encoder *encoder,
                                            const s3s_page_draft *page, bool *follow,
                                            s3store_error *err);

/* ---- page_encoder.c: full pages into bytes: header and packed of the encoder ---------------- */

s3store_status s3s_page_encode(const s3s_column_writer *w, s3s_page_encoder *encoder,
                               s3s_page_draft *page, s3store_error *err);
/* *bytes: header and page, uncompressed. */
s3store_status s3s_page_encode_dictionary(const s3s_column_writer *w, s3s_page_encoder *encoder,
                                          uint64_t *bytes, s3store_error *err);

/* ---- for column_nested.c --------------------------------------------------------------------- */

s3store_status s3s_column_writer_close_page(s3s_column_writer *w, s3store_error *err);
s3store_status s3s_column_writer_add_nested(s3s_column_writer *w, const s3s_column *column,
                                            int64_t start, size_t count, s3store_error *err);

#endif
