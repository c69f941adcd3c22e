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

typedef struct s3s_shred_entry {
    int64_t index; /* of the value in the leaf's column, which may be null there; -1 = none */
    uint8_t rep, def;
} s3s_shred_entry;

/* Levels of rows [start, start + rows) of a column, appended to `out` (s3s_shred_entry), with
 * `spare` for the steps between; leaf: what indexes refer to. INVALID_ARGUMENT where a null is not
 * allowed. */
s3store_status s3s_shred_rows(const s3s_shred *shred, const s3s_column *column, int64_t start,
                              size_t rows, s3s_buffer *out, s3s_buffer *spare, s3s_column *leaf,
                              s3store_error *err);

#endif
