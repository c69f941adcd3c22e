/* arrow/array.h: batches (a struct array, ABI ArrowArray) and views on their columns.
 *
 * Arrays that this library makes hold their memory by count; release may be called from any thread,
 * also after everything else was freed.
 */
#ifndef S3S_ARROW_ARRAY_H
#define S3S_ARROW_ARRAY_H

#include "arrow/types.h"

/* A validated view of one column. Indexes are 0..length-1: offsets are already applied in the
 * accessors (row i lies at offset + i in the buffers). */
typedef struct s3s_column {
    const s3s_field *field;
    int64_t length;
    int64_t offset;
    const uint8_t *validity; /* NULL = no nulls */
    const void *values;      /* fixed-size values, bool bitmap, or the bytes of strings */
    const void *offsets;     /* int32 or int64 for strings, binaries, lists */
    const struct ArrowArray *array;
} s3s_column;

static inline bool s3s_column_is_null(const s3s_column *c, int64_t i)
{
    if (c->validity == NULL)
        return c->field->type == S3S_TYPE_NULL;
    uint64_t at = (uint64_t)(c->offset + i);
    return ((c->validity[at >> 3] >> (at & 7)) & 1) == 0;
}
/* The bytes of a string or binary (also fixed) value; empty for null. */
s3store_bytes s3s_column_bytes(const s3s_column *c, int64_t i);
/* Bytes that the values of rows [start, start + count) have at most (what lies below nulls counts);
 * of strings and binaries. */
size_t s3s_column_span_bytes(const s3s_column *c, int64_t start, size_t count);
/* Adds to sizes[i], of each value that is not null, its bytes where it is a string or binary, and
 * `each` beside. What exceeds 32 bits stays UINT32_MAX. */
void s3s_column_add_sizes(const s3s_column *c, uint32_t each, uint32_t *sizes);
bool s3s_column_bool(const s3s_column *c, int64_t i);
/* Integers, dates, times, timestamps as stored; uint64 by its bits. */
int64_t s3s_column_int(const s3s_column *c, int64_t i);
double s3s_column_double(const s3s_column *c, int64_t i); /* float16, float, double */

/* Checks a batch from outside against its schema: buffer counts, NULL buffers, lengths,
 * monotonic offsets within int range, UTF-8 of strings, null_count (negative = unknown), nulls
 * in columns that are not nullable. CORRUPT or INVALID_ARGUMENT naming column and row. */
s3store_status s3s_batch_validate(const s3s_schema *schema, const struct ArrowArray *batch,
                                  s3store_error *err);
/* View of column i of a valid batch. A batch whose own (struct) offset is not 0 is handled. */
void s3s_batch_column(const s3s_schema *schema, const struct ArrowArray *batch, size_t i,
                      s3s_column *out);
/* View of rows [start, start + length) of an array of this field: what a column and the nested ones
 * below it are made of. */
void s3s_column_view(const s3s_field *field, const struct ArrowArray *array, int64_t start,
                     int64_t length, s3s_column *out);
/* View of child i: of a struct, the same rows; of a list or map, the whole array of elements. */
void s3s_column_child(const s3s_column *column, size_t i, s3s_column *out);
/* The elements [*start, *end) of list or map i in its child view; empty for null. */
void s3s_column_list(const s3s_column *column, int64_t i, int64_t *start, int64_t *end);
/* Approximate bytes that the rows of a view hold, those of their children included. */
uint64_t s3s_column_held_bytes(const s3s_column *column);
/* Approximate bytes held by a batch's buffers (for budgets). */
uint64_t s3s_batch_bytes(const s3s_schema *schema, const struct ArrowArray *batch);

/* Puts together one column that owns its buffers (allocated with s3s_alloc of env; taken over,
 * also on failure). buffers as in the Arrow layout of the type (validity first; may be NULL when
 * null_count is 0); n_buffers as the type needs. children are moved in. */
s3store_status s3s_array_make(s3s_env *env, const s3s_field *field, int64_t length,
                              int64_t null_count, void **buffers, size_t buffer_count,
                              struct ArrowArray *children, size_t child_count,
                              struct ArrowArray *out, s3store_error *err);
/* A struct array (batch) of `length` rows over these columns, which are moved in. */
s3store_status s3s_batch_make(s3s_env *env, struct ArrowArray *columns, size_t column_count,
                              int64_t length, struct ArrowArray *out, s3store_error *err);
void s3s_array_release(struct ArrowArray *array); /* does nothing for released or zeroed ones */
/* Whose memory an array of our own holds: what replaces it may be taken from there, as it goes back.
 * NULL: it is another producer's. */
s3s_env *s3s_array_env(const struct ArrowArray *array);
void s3s_schema_abi_release(struct ArrowSchema *schema);

/* A batch that shares another's memory: rows [start, start + length). The source is taken over
 * into a shared owner with s3s_batch_share; slices hold it. */
typedef struct s3s_shared_batch s3s_shared_batch;
s3store_status s3s_batch_share(s3s_env *env, struct ArrowArray *batch, s3s_shared_batch **out,
                               s3store_error *err); /* moves batch in */
const struct ArrowArray *s3s_shared_batch_get(const s3s_shared_batch *shared);
void s3s_shared_batch_release(s3s_shared_batch *shared);
s3store_status s3s_batch_slice(s3s_shared_batch *shared, int64_t start, int64_t length,
                               struct ArrowArray *out, s3store_error *err);

/* ---- gathering rows -------------------------------------------------------------------------- */

/* A row of one of several batches of the same schema. */
typedef struct s3s_row {
    uint32_t batch;
    uint32_t row;
} s3s_row;

/* New batch with these rows in this order, copied. columns NULL = all (else positions, in order;
 * the result has the selected schema). All types. */
s3store_status s3s_batch_take(s3s_env *env, const s3s_schema *schema,
                              const struct ArrowArray *const *batches, size_t batch_count,
                              const s3s_row *rows, size_t row_count, const size_t *columns,
                              size_t column_count, struct ArrowArray *out, s3store_error *err);

/* ---- converting to another schema ------------------------------------------------------------ */

/* Copies a batch into the shape of `to`: columns by name; a missing one becomes null
 * (SCHEMA_MISMATCH if `to` says it is not nullable); loss-free widenings are applied (int to
 * wider int, uint to wider int or uint, int to uint64 and uint64 to int64 while values fit, int to
 * float/double while exact, float16 to float, float to double, timestamp to a finer unit while it
 * fits, null type to anything nullable, date32 to timestamp never, string <-> large string,
 * binary <-> large binary; list <-> large list; nested columns part by part, the members of a struct
 * as columns are: by name); anything else is SCHEMA_MISMATCH naming `where`, column ("a.b.item" for
 * what is nested), both types (and row, for a value that does not fit).
 * Columns of the batch that `to` lacks are dropped. Takes nothing over. */
s3store_status s3s_batch_convert(s3s_env *env, const s3s_schema *from,
                                 const struct ArrowArray *batch, const s3s_schema *to,
                                 const char *where, struct ArrowArray *out, s3store_error *err);
/* Whether a batch of `from` is one of `to` as it is: columns of the same names and types in the
 * same order, with no nulls where `to` has none. */
bool s3s_batch_fits(const s3s_schema *from, const s3s_schema *to);

#endif
