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
} s3s_sort_keys;

/* Keys of all rows of a batch over `columns`. Nested types are refused. */
s3store_status s3s_sort_keys_make(s3s_env *env, const s3s_schema *schema,
                                  const struct ArrowArray *batch, const size_t *columns,
                                  size_t column_count, s3s_sort_keys *out, s3store_error *err);
void s3s_sort_keys_deinit(s3s_sort_keys *keys);
int s3s_sort_keys_compare(const s3s_sort_keys *a, size_t row_a, const s3s_sort_keys *b,
                          size_t row_b);

#endif
