/* parquet/parquet.h: bytes <-> columns. Knows nothing of storage: a writer appends to a sink, a
 * reader reads ranges from a source. Format: https://parquet.apache.org/docs/file-format/ .
 */
#ifndef S3S_PARQUET_H
#define S3S_PARQUET_H

#include "arrow/array.h"
#include "base/pool.h"

/* ---- writing --------------------------------------------------------------------------------- */

/* With a pool, `write` is also called by its threads: one at a time, in the order of the bytes, and
 * none any more once the writer has finished, or is freed. A failure then comes with a later batch. */
typedef struct s3s_parquet_sink {
    void *ctx;
    s3store_status (*write)(void *ctx, const void *data, size_t size, s3store_error *err);
} s3s_parquet_sink;

typedef struct s3s_parquet_write_options {
    s3store_compression compression; /* DEFAULT = snappy */
    size_t page_bytes;      /* uncompressed target of a data page; 0 = 1 MiB */
    size_t row_group_bytes; /* in-memory size that closes a row group; 0 = 128 MiB */
    bool no_dictionary;
    bool spread_little; /* threads are woken for any number of rows: for tests, that costs time */
    s3s_pool *pool; /* columns are written side by side, to the same bytes; NULL = one by one */
    size_t threads; /* of them, the caller's included; 0 = all that the pool has, 1 = one by one */
    /* Columns the rows are sorted by (ascending, nulls first), recorded in the row groups. */
    const size_t *sorting_columns;
    size_t sorting_column_count;
    /* Columns whose leaves get a bloom filter in each row group, of at most bloom_bytes_max (0 = 1
     * MiB), which are held besides the row group. */
    const size_t *bloom_columns;
    size_t bloom_column_count;
    size_t bloom_bytes_max;
} s3s_parquet_write_options;

/* Do both surely make the same bytes of the same rows? Not told of options with lists of columns. */
bool s3s_parquet_write_options_same(const s3s_parquet_write_options *a,
                                    const s3s_parquet_write_options *b);

typedef struct s3s_parquet_writer s3s_parquet_writer;

/* Deterministic: same batches and options, same bytes. schema is retained. Buffers rows up to a row
 * group's size. */
s3store_status s3s_parquet_writer_new(s3s_env *env, s3s_schema *schema,
                                      const s3s_parquet_write_options *options,
                                      s3s_parquet_sink sink, s3s_parquet_writer **out,
                                      s3store_error *err);
/* Adds a valid batch (borrowed). */
s3store_status s3s_parquet_writer_add(s3s_parquet_writer *w, const struct ArrowArray *batch,
                                      s3store_error *err);
/* The same, and meanwhile calls `beside` once (item 0): in this thread or one of the pool's, before,
 * while or after the rows are written, but always before this returns OK. Its failure comes first. */
s3store_status s3s_parquet_writer_add_beside(s3s_parquet_writer *w, const struct ArrowArray *batch,
                                             s3s_item_fn beside, void *ctx, s3store_error *err);
/* Writes what is buffered and the footer. */
s3store_status s3s_parquet_writer_finish(s3s_parquet_writer *w, s3store_error *err);
/* A finished writer begins another file in the memory that it has, with the bytes that a new writer
 * would make. false: it cannot, since it did not finish, or was made for another schema or other
 * options, or for some that are not repeated (sorting columns, bloom filters). */
bool s3s_parquet_writer_restart(s3s_parquet_writer *w, const s3s_schema *schema,
                                const s3s_parquet_write_options *options, s3s_parquet_sink sink);
/* What it holds, once no other thread works for it. */
size_t s3s_parquet_writer_held_bytes(s3s_parquet_writer *w);
void s3s_parquet_writer_free(s3s_parquet_writer *w); /* without finish: the output is garbage */

/* ---- reading --------------------------------------------------------------------------------- */

/* Random access to the file. read fills exactly size bytes at offset, or fails. Thread-safe
 * where the caller reads from several threads. */
typedef struct s3s_parquet_source {
    void *ctx;
    uint64_t file_size;
    s3store_status (*read)(void *ctx, uint64_t offset, void *data, size_t size,
                           s3store_error *err);
    const uint8_t *memory; /* the whole file, where it lies in memory anyway; read is not used then */
    size_t read_bytes;     /* reading more at once would save nothing; 0 = each read costs. Where it
                            * costs nothing, a cursor with a pool may read between its calls, too. */
} s3s_parquet_source;

/* A source over memory that the caller keeps alive. */
typedef struct s3s_parquet_memory {
    const uint8_t *data;
    size_t size;
} s3s_parquet_memory;
s3s_parquet_source s3s_parquet_memory_source(s3s_parquet_memory *memory);

typedef struct s3s_parquet_limits {
    uint64_t memory_bytes; /* of one open file: footer, pages, decoded columns; 0 = 256 MiB */
    bool spread_little;    /* threads are woken for any number of rows: for tests, that costs time */
} s3s_parquet_limits;

typedef struct s3s_parquet_file s3s_parquet_file;

/* Reads and checks the footer (one or two reads: the last 64 KiB first). name appears in
 * messages. */
s3store_status s3s_parquet_open(s3s_env *env, s3s_parquet_source source, const char *name,
                                const s3s_parquet_limits *limits, s3s_parquet_file **out,
                                s3store_error *err);
void s3s_parquet_free(s3s_parquet_file *file);

const s3s_schema *s3s_parquet_schema(const s3s_parquet_file *file);
int64_t s3s_parquet_row_count(const s3s_parquet_file *file);
size_t s3s_parquet_row_group_count(const s3s_parquet_file *file);
int64_t s3s_parquet_row_group_rows(const s3s_parquet_file *file, size_t group);
/* Uncompressed bytes of a row group by its footer (for budgets; not trusted for allocation). */
uint64_t s3s_parquet_row_group_bytes(const s3s_parquet_file *file, size_t group);

/* ---- description ----------------------------------------------------------------------------- */

typedef enum s3s_parquet_part {
    S3S_PARQUET_SCHEMA, /* the tree of groups and columns */
    S3S_PARQUET_META,   /* what the footer says: row groups, chunks, statistics */
    S3S_PARQUET_PAGES,  /* that, and every page header */
} s3s_parquet_part;

/* Gets one line after the other, each with its newline; false = no more of them. */
typedef struct s3s_parquet_line_sink {
    void *ctx;
    bool (*line)(void *ctx, const char *text, size_t size);
} s3s_parquet_line_sink;

/* As JSON lines (each with its "kind"), or for people. columns: top-level positions; NULL = all. */
s3store_status s3s_parquet_describe(s3s_parquet_file *file, s3s_parquet_part part, bool json,
                                    const size_t *columns, size_t column_count,
                                    s3s_parquet_line_sink sink, s3store_error *err);

/* ---- rows ------------------------------------------------------------------------------------ */

/* A byte range that reading these columns of this row group needs (for prefetching by the caller).
 * Ranges are appended in file order, neighbours closer than gap_bytes merged. */
typedef struct s3s_byte_range {
    uint64_t offset;
    uint64_t size;
} s3s_byte_range;
s3store_status s3s_parquet_ranges(const s3s_parquet_file *file, size_t group,
                                  const size_t *columns, size_t column_count, uint64_t gap_bytes,
                                  s3s_byte_range *ranges, size_t *range_count, size_t range_max,
                                  s3store_error *err);

/* Reads row groups as batches of at most max_rows rows (0 = whole row groups where 32-bit offsets
 * allow) with the columns at these positions (NULL = all), in this order. END after the last. */
typedef struct s3s_parquet_cursor s3s_parquet_cursor;
s3store_status s3s_parquet_cursor_new(s3s_parquet_file *file, const size_t *columns,
                                      size_t column_count, int64_t max_rows,
                                      s3s_parquet_cursor **out, s3store_error *err);

typedef enum s3s_predicate_op {
    S3S_PREDICATE_EQ,
    S3S_PREDICATE_NE,
    S3S_PREDICATE_LT,
    S3S_PREDICATE_LE,
    S3S_PREDICATE_GT,
    S3S_PREDICATE_GE,
    S3S_PREDICATE_IN, /* any of the values */
    S3S_PREDICATE_IS_NULL,
    S3S_PREDICATE_IS_NOT_NULL,
} s3s_predicate_op;

/* Values are those of an Arrow buffer of the column's type: 8 bytes of an int64 or timestamp, one
 * byte of a bool, the bytes of a string. IS_NULL, IS_NOT_NULL: none; IN: any number; else one.
 * Comparisons with null are never true; NaN may compare either way. */
typedef struct s3s_parquet_predicate {
    size_t column; /* top-level position in the file; need not be selected */
    s3s_predicate_op op;
    const s3store_bytes *values;
    size_t value_count;
} s3s_parquet_predicate;

/* Lets the cursor, before its first batch, leave out rows for which not all predicates can be true:
 * row groups by statistics and bloom filters, pages by the page index. Rows that match always come;
 * so may others. Batches end where rows are left out. Nested columns: no effect. */
s3store_status s3s_parquet_cursor_where(s3s_parquet_cursor *cursor,
                                        const s3s_parquet_predicate *predicates, size_t count,
                                        s3store_error *err);
/* *rows: how many of a row group the predicates leave in; all of them without predicates. Reads
 * page indexes and bloom filters of the predicates' columns; what was found is kept for the cursor. */
s3store_status s3s_parquet_cursor_group_rows(s3s_parquet_cursor *cursor, size_t group,
                                             int64_t *rows, s3store_error *err);
/* As s3s_parquet_ranges, of the pages that the predicates leave in; with larger gaps where there
 * would be more than range_max. */
s3store_status s3s_parquet_cursor_ranges(s3s_parquet_cursor *cursor, size_t group,
                                         uint64_t gap_bytes, s3s_byte_range *ranges,
                                         size_t *range_count, size_t range_max,
                                         s3store_error *err);
/* Where the page indexes lie that predicates will read: one range; size 0 = none. */
s3s_byte_range s3s_parquet_cursor_index_range(const s3s_parquet_cursor *cursor);
/* Decodes columns side by side from now on, on so many threads (the caller's included; 0 = all that
 * the pool has, 1 = as before); the source is read from several of them then. The pool outlives the
 * cursor. Has no effect in the simulated env: nothing that it looks for depends on it. */
void s3s_parquet_cursor_use_pool(s3s_parquet_cursor *cursor, s3s_pool *pool, size_t threads);
const s3s_schema *s3s_parquet_cursor_schema(const s3s_parquet_cursor *cursor);
s3store_status s3s_parquet_cursor_next(s3s_parquet_cursor *cursor, struct ArrowArray *out,
                                       s3store_error *err);
void s3s_parquet_cursor_free(s3s_parquet_cursor *cursor);

#endif
