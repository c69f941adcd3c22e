/* arrow/sortkey.h: order-preserving byte keys of rows over some columns, computed once per row.
 *
 * Comparing two keys with memcmp (then length) gives the order of the columns one after the
 * other: integers, dates and timestamps numerically, bool false first, floats numerically (NaN
 * last), strings and binaries by bytes, null before everything.
 */
#ifndef S3S_ARROW_SORTKEY_H
#define S3S_ARROW_SORTKEY_H

#include "arrow/array.h"

typedef struct s3s_sort_keys {
    s3s_env *env;
    uint8_t *bytes;
    uint64_t *offsets; /* row_count + 1 */
    size_t row_count;
    size_t bytes_capacity, offsets_capacity; /* in bytes */
} s3s_sort_keys;

/* Keys of all rows of a batch over `columns`. Nested types are refused. */
s3store_status s3s_sort_keys_make(s3s_env *env, const s3s_schema *schema,
                                  const struct ArrowArray *batch, const size_t *columns,
                                  size_t column_count, s3s_sort_keys *out, s3store_error *err);
/* The same in the memory of keys that are there, which are gone then; also after a failure. */
s3store_status s3s_sort_keys_remake(const s3s_schema *schema, const struct ArrowArray *batch,
                                    const size_t *columns, size_t column_count, s3s_sort_keys *keys,
                                    s3store_error *err);
void s3s_sort_keys_deinit(s3s_sort_keys *keys);
int s3s_sort_keys_compare(const s3s_sort_keys *a, size_t row_a, const s3s_sort_keys *b,
                          size_t row_b);
/* No key of a batch is longer. Looks at the sizes of strings, and for zero bytes in them. */
size_t s3s_sort_keys_longest(const s3s_schema *schema, const struct ArrowArray *batch,
                             const size_t *columns, size_t column_count);
/* Bytes that s3s_sort_keys_make would take for these rows, about. */
uint64_t s3s_sort_keys_bytes(const s3s_schema *schema, const struct ArrowArray *batch,
                             const size_t *columns, size_t column_count);

/* Keys that fit into eight bytes are numbers, which need no memory of their own to compare: columns of
 * fixed size, with a byte for null each when `nulls`. false: they do not fit. */
bool s3s_narrow_keys_fit(const s3s_schema *schema, const size_t *columns, size_t column_count,
                         bool nulls);
/* Whether a batch has a null in these columns. */
bool s3s_narrow_keys_have_null(const s3s_schema *schema, const struct ArrowArray *batch,
                               const size_t *columns, size_t column_count);
/* out[i]: the key of row i; out has room for all rows of the batch. */
void s3s_narrow_keys_fill(const s3s_schema *schema, const struct ArrowArray *batch,
                          const size_t *columns, size_t column_count, bool nulls, uint64_t *out);

#endif
