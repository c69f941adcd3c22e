/* parquet/writer_private.h: a file that is being written, for the sources of its writer. */
#ifndef S3S_PARQUET_WRITER_PRIVATE_H
#define S3S_PARQUET_WRITER_PRIVATE_H

#include "parquet/chains.h"
#include "parquet/column_writer.h"
#include "parquet/parquet.h"

/* The index of one chunk, serialized, until all of them are written behind the last row group. */
typedef struct s3s_index_place {
    size_t column_index_size, offset_index_size;
} s3s_index_place;

struct s3s_parquet_writer {
    s3s_env *env;
    s3s_schema *schema;
    s3s_parquet_sink sink;
    s3s_parquet_write_options options; /* as they were given; what they point to may be gone */
    s3s_pool *pool; /* NULL = one thread */
    s3s_fan_options fan;
    s3s_weighed *order; /* of columns: the largest first, so that threads end together */
    s3s_chain *chains;  /* the same, where they are few: S3S_CHAINS_MAX */
    size_t page_bytes, row_group_bytes;
    uint64_t group_bytes;   /* of the rows added to the row group, in memory */
    bool defers;            /* some of its pages go to the encoders */
    s3s_arena schema_arena; /* of the next four, of order and chains */
    s3s_shred *leaves;
    s3s_encoders encoders;
    s3s_column_writer *columns; /* of each leaf */
    size_t column_count;        /* leaves */
    s3s_thrift_list elements; /* s3s_pq_schema_element, the root first */
    s3s_thrift_list sorting;  /* s3s_pq_sorting */

    uint64_t offset;     /* bytes written, or leaving */
    bool later;          /* what is put waits in: */
    s3s_rope leaving;    /* a row group */
    bool leaves_later;   /* the encoders have it, as: */
    size_t leaving_item;
    int64_t rows;    /* of finished row groups */
    s3s_arena arena; /* metadata for the footer */
    s3s_buffer groups; /* s3s_pq_row_group */
    bool indexable; /* every page has bounds */
    s3s_buffer column_indexes, offset_indexes, index_places, footer;
    bool finished;
    s3store_status failed;
};

/* ---- writer_columns.c: the work of all columns ------------------------------- */

/* Some rows of a batch, or with a batch of NULL the end of the row group: the work of every
 * column. */
typedef struct s3s_column_work {
    s3s_parquet_writer *writer;
    const struct ArrowArray *batch;
    int64_t start;
    size_t count;
    uint64_t bytes;     /* of these rows */
    s3s_item_fn beside; /* of somebody else, the first item; NULL = nothing, or it is done */
    void *beside_ctx;
} s3s_column_work;

/* Chain 0 is what is done beside; then come those of each column. */
static inline size_t s3s_parquet_writer_chain_count(const s3s_parquet_writer *w)
{
    return 1 + w->column_count;
}

/* `beside` is NULL afterwards where it was done. */
s3store_status s3s_parquet_writer_work(s3s_parquet_writer *w, s3s_column_work *work,
                                       s3store_error *err);

/* ---- writer_group.c: row groups to the sink ------------------------------- */

s3store_status s3s_parquet_writer_put(s3s_parquet_writer *w, const void *data, size_t size,
                                      s3store_error *err);
/* last: of the file; nothing comes while it leaves. Everything has left after that. */
s3store_status s3s_parquet_writer_close_group(s3s_parquet_writer *w, bool last, s3store_error *err);

/* ---- writer_footer.c: what readers are told ------------------------------- */

/* The chunk begins at w->offset; it is not written yet. */
s3store_status s3s_parquet_writer_describe_chunk(s3s_parquet_writer *w, const s3s_column_writer *c,
                                                 s3s_pq_chunk *chunk, s3store_error *err);
/* The page index is kept until all row groups are written. */
s3store_status s3s_parquet_writer_keep_index(s3s_parquet_writer *w, const s3s_column_writer *c,
                                             uint64_t data_offset, s3store_error *err);
s3store_status s3s_parquet_writer_put_index(s3s_parquet_writer *w, s3store_error *err);
s3store_status s3s_parquet_writer_put_footer(s3s_parquet_writer *w, s3store_error *err);

#endif
