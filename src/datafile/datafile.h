/* datafile/datafile.h: one data object: Parquet bytes to PUT, and an object of the store to
 * read.
 *
 * parquet/ and objstore/ meet here and nowhere else. Reading fetches either the whole object
 * with one GET, or the footer (the last 64 KiB) and then only the byte ranges of the wanted
 * columns. */
#ifndef S3S_DATAFILE_H
#define S3S_DATAFILE_H

#include "base/pool.h"
#include "objstore/objstore.h"
#include "parquet/parquet.h"

/* ---- encoding -------------------------------------------------------------------------------- */

/* Appends a whole Parquet object with the rows of these valid batches (all of `schema`), in order.
 * Deterministic. compression DEFAULT is snappy. On failure the buffer holds garbage. */
s3store_status s3s_datafile_encode(s3s_env *env, s3s_schema *schema,
                                   const struct ArrowArray *const *batches, size_t batch_count,
                                   s3store_compression compression, s3s_buffer *out,
                                   s3store_error *err);

/* The same batch by batch, into a sink. */
typedef struct s3s_parquet_writer s3s_datafile_encoder;
s3store_status s3s_datafile_encoder_new(s3s_env *env, s3s_schema *schema,
                                        const s3s_parquet_write_options *options,
                                        s3s_parquet_sink sink, s3s_datafile_encoder **out,
                                        s3store_error *err);
s3store_status s3s_datafile_encoder_add(s3s_datafile_encoder *encoder,
                                        const struct ArrowArray *batch, s3store_error *err);
/* And meanwhile calls `beside`: s3s_parquet_writer_add_beside. */
s3store_status s3s_datafile_encoder_add_beside(s3s_datafile_encoder *encoder,
                                               const struct ArrowArray *batch, s3s_item_fn beside,
                                               void *ctx, s3store_error *err);
s3store_status s3s_datafile_encoder_finish(s3s_datafile_encoder *encoder, s3store_error *err);
/* As s3s_parquet_writer_restart and ..._held_bytes: an encoder for one object after the other. */
bool s3s_datafile_encoder_restart(s3s_datafile_encoder *encoder, const s3s_schema *schema,
                                  const s3s_parquet_write_options *options, s3s_parquet_sink sink);
size_t s3s_datafile_encoder_held_bytes(s3s_datafile_encoder *encoder);
void s3s_datafile_encoder_free(s3s_datafile_encoder *encoder); /* NULL allowed */

/* ---- reading --------------------------------------------------------------------------------- */

/* Up to this size an object is fetched whole whatever columns are wanted: one round trip, in which
 * it is through the wire. */
#define S3S_DATAFILE_WHOLE_BYTES (1024u * 1024)
/* What is read of the end to find the footer. */
#define S3S_DATAFILE_TAIL_BYTES (64u * 1024)
/* Wanted column chunks that lie closer than this are fetched with one request. */
#define S3S_DATAFILE_GAP_BYTES (1024u * 1024)

typedef struct s3s_datafile s3s_datafile;

typedef struct s3s_datafile_options {
    const char *key; /* copied */
    uint64_t size;   /* of the object, as listed; 0 = unknown */
    /* The names of the columns that will be read; NULL = all. Only decides how to fetch: names that
     * the file lacks do not matter here. */
    const char *const *columns;
    size_t column_count;
    uint64_t memory_bytes; /* budget of this open file; 0 = 256 MiB */
    uint64_t whole_max;    /* no object above this is fetched whole; 0 = half of memory_bytes */
    bool footer_only;      /* the footer now, rows (if ever) by ranges */
    /* Asked once the size is known and before the bytes are held: may the object be fetched whole?
     * false: it is read by ranges. NULL = yes. Any thread. A yes stands until the file is freed, or
     * open fails (withdraw is then called with the same number). */
    bool (*admit)(void *ctx, uint64_t size);
    void (*withdraw)(void *ctx, uint64_t size);
    void *admit_ctx;
    s3s_pool *pool; /* for several ranges side by side; NULL = one after the other */
} s3s_datafile_options;

/* Opens an object: its bytes or its footer are fetched and checked. NOT_FOUND stays NOT_FOUND;
 * every error names the key (CORRUPT for what is no Parquet file, also when it is empty or
 * truncated; LIMIT_EXCEEDED names the memory option). store is borrowed; call (NULL = no limits)
 * is copied, and what it points to must live until the file is freed. */
s3store_status s3s_datafile_open(s3s_env *env, const s3store_object_store *store,
                                 const s3store_call *call, const s3s_datafile_options *options,
                                 s3s_datafile **out, s3store_error *err);
/* Bytes of the object that were fetched so far. */
uint64_t s3s_datafile_fetched_bytes(const s3s_datafile *file);
void s3s_datafile_free(s3s_datafile *file); /* NULL allowed */

const char *s3s_datafile_key(const s3s_datafile *file);
const s3s_schema *s3s_datafile_schema(const s3s_datafile *file);
s3s_parquet_file *s3s_datafile_parquet(const s3s_datafile *file); /* lives as long as it */
int64_t s3s_datafile_row_count(const s3s_datafile *file);
/* Bytes of the object held in memory because admit allowed it; 0 for a file read by ranges. */
uint64_t s3s_datafile_admitted_bytes(const s3s_datafile *file);
/* Decoded size by the footer's word (not trusted: for budgets only). */
uint64_t s3s_datafile_decoded_bytes(const s3s_datafile *file);

/* Batches of at most max_rows rows with the columns at these positions of the file's schema (NULL =
 * all), in this order. One cursor at a time; the file must outlive it. Batches outlive both. */
typedef struct s3s_datafile_cursor s3s_datafile_cursor;
s3store_status s3s_datafile_cursor_new(s3s_datafile *file, const size_t *columns,
                                       size_t column_count, int64_t max_rows,
                                       s3s_datafile_cursor **out, s3store_error *err);
/* Before the first batch: rows for which not all predicates can be true may be left out, and are then
 * not fetched either: row groups by statistics and bloom filters, pages by the page index. Rows that
 * match always come, so may others. A predicate's column need not be one of the cursor's. Costs at
 * most 1 request for page indexes that do not lie in the tail, and 2 for each bloom filter that is
 * asked. */
s3store_status s3s_datafile_cursor_where(s3s_datafile_cursor *cursor,
                                         const s3s_parquet_predicate *predicates, size_t count,
                                         s3store_error *err);
/* Before the first batch: columns are decoded side by side, on so many threads of the pool that the
 * file was opened with (the caller's included; 1, or no pool: one after the other). */
void s3s_datafile_cursor_use_threads(s3s_datafile_cursor *cursor, size_t threads);
const s3s_schema *s3s_datafile_cursor_schema(const s3s_datafile_cursor *cursor);
s3store_status s3s_datafile_cursor_next(s3s_datafile_cursor *cursor, struct ArrowArray *out,
                                        s3store_error *err); /* END at the end */
void s3s_datafile_cursor_free(s3s_datafile_cursor *cursor);

#endif
