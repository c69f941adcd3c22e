/* parquet/schema.h: the schema tree of a file <-> columns as batches have them.
 *
 * A leaf is a column of the file: one chunk in each row group. A column is a top-level field: one
 * leaf when it is flat, several when it is nested.
 */
#ifndef S3S_PARQUET_SCHEMA_H
#define S3S_PARQUET_SCHEMA_H

#include <string.h>

#include "arrow/types.h"
#include "parquet/metadata.h"

/* How decoded values become Arrow values. */
typedef enum s3s_sink_kind {
    S3S_SINK_FIXED, /* values of out_width bytes */
    S3S_SINK_BITS,  /* booleans */
    S3S_SINK_BYTES, /* offsets and bytes */
    S3S_SINK_NULL,  /* nothing: every value is null */
} s3s_sink_kind;

struct s3s_leaf;
/* Turns count dense physical values into dense Arrow values; NULL = they are the same bytes. */
typedef s3store_status (*s3s_convert_fn)(const struct s3s_leaf *leaf, const void *in, size_t count,
                                         void *out, s3store_error *err);

typedef struct s3s_leaf {
    const char *path; /* "a.list.element" */
    size_t column;    /* top-level position */
    s3s_physical physical;
    size_t type_length; /* of FIXED; 0 otherwise, whatever the file says */
    unsigned max_def, max_rep;
    /* For each repetition level 1..max_rep: the definition level from which on that list has an
     * item. Of the last one: from which on there is a slot for a value here; [0] is 0. */
    const uint8_t *list_defs;
    bool flat; /* a top-level field that is not repeated */
    const s3s_field *field; /* the leaf's own, without the nesting around it */
    s3s_sink_kind sink;
    size_t out_width; /* of SINK_FIXED */
    s3s_convert_fn convert;
} s3s_leaf;

/* A node of a nested column's Arrow tree, and what levels say about it. Of the levels of any leaf
 * below it, an entry begins a slot of this node where rep <= this rep and def >= slot_def. */
typedef struct s3s_nest {
    const s3s_field *field;
    size_t leaf, leaf_end; /* those below it, or itself */
    uint8_t rep, slot_def;
    uint8_t parent_def;  /* from here on its parent is present: a null is its own */
    uint8_t present_def; /* from here on it is not null */
    uint8_t items_def; /* lists, maps: from here on, where rep <= this rep + 1, an item begins */
} s3s_nest;

typedef struct s3s_file_schema {
    s3s_schema *schema; /* retained by it */
    s3s_leaf *leaves;   /* in the arena */
    size_t leaf_count;
    size_t *first_leaf; /* of each column, and leaf_count at the end */
    s3s_nest *nests;    /* of nested columns: parents before their children */
    size_t *first_nest; /* of each column, and their number at the end; flat ones have none */
} s3s_file_schema;

/* The tree of a footer. arena holds leaves and paths; budget: bytes it may use. */
s3store_status s3s_file_schema_read(s3s_env *env, s3s_arena *arena, const s3s_thrift_list *elements,
                                    s3s_file_schema *out, s3store_error *err);
void s3s_file_schema_deinit(s3s_file_schema *schema);

/* Type, annotation and conversion of one leaf element: fills field (but for name and
 * nullability) and leaf's physical type, sink and conversion. */
s3store_status s3s_leaf_type(const s3s_pq_schema_element *element, s3s_field *field, s3s_leaf *leaf,
                             s3store_error *err);

/* The element that a flat column is written as. UNSUPPORTED for types that Parquet lacks. */
s3store_status s3s_element_for_field(const s3s_field *field, s3s_pq_schema_element *out,
                                     s3store_error *err);

#endif
