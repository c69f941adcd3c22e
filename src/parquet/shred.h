/* parquet/shred.h: columns of a schema as leaves of a file, and rows of nested columns as levels:
 * the way back of nest.h.
 *
 * Structs become groups; lists and maps the three-level groups of the format: name (LIST) >
 * repeated list > element, name (MAP) > repeated key_value > key, value.
 */
#ifndef S3S_PARQUET_SHRED_H
#define S3S_PARQUET_SHRED_H

#include "arrow/array.h"
#include "parquet/metadata.h"

/* A field on the way from a column to a leaf. */
typedef struct s3s_shred_step {
    const s3s_field *field;
    size_t child; /* of the field before */
    bool optional;
    bool list; /* or map */
} s3s_shred_step;

typedef struct s3s_shred {
    size_t column; /* top-level position */
    const s3s_field *field; /* of the leaf */
    const s3s_shred_step *steps; /* the leaf's own is the last; one = a flat column */
    size_t step_count;
    unsigned max_def, max_rep;
    const s3s_pq_schema_element *element;
    s3s_thrift_list path; /* s3s_thrift_binary */
} s3s_shred;

/* All in the arena; fields of the schema are pointed to. */
s3store_status s3s_shred_schema(const s3s_schema *schema, s3s_arena *arena,
                                s3s_thrift_list *elements, s3s_shred **leaves, size_t *leaf_count,
                                s3store_error *err);

/* Rows [start, start + count) of a leaf's column. */
typedef struct s3s_shred_range {
    int64_t start, count;
} s3s_shred_range;

/* The levels of some rows. */
typedef struct s3s_shredded {
    s3s_buffer rep, def; /* of the entries, a byte each */
    s3s_buffer ranges;   /* s3s_shred_range, one behind the other: the values of those entries that get
                          * as far as the leaf (s3s_shred_slot_def); they may be null there */
} s3s_shredded;

/* From this definition level on an entry has a value, or a null of the leaf's own. */
static inline uint8_t s3s_shred_slot_def(const s3s_shred *shred)
{
    return (uint8_t)(shred->max_def - shred->steps[shred->step_count - 1].optional);
}

/* Levels of rows [start, start + rows) of a column: *out, with `spare` for the steps between; leaf:
 * what the ranges refer to. INVALID_ARGUMENT where a null is not allowed. */
s3store_status s3s_shred_rows(const s3s_shred *shred, const s3s_column *column, int64_t start,
                              size_t rows, s3s_shredded *out, s3s_shredded *spare, s3s_column *leaf,
                              s3store_error *err);

#endif
