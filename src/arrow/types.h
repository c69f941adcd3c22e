/* arrow/types.h: column types and schemas, apart from the ABI structs.
 *
 * A schema is a tree of fields. Flat types are what keys and partitions are made of; nested
 * types have children as in Arrow (list: one child; struct: its members; map: one struct child
 * with key and value).
 */
#ifndef S3S_ARROW_TYPES_H
#define S3S_ARROW_TYPES_H

#include "base/buffer.h"
#include "base/env.h"

typedef enum s3s_type {
    S3S_TYPE_NULL = 0, /* every value is null; not stored */
    S3S_TYPE_BOOL,
    S3S_TYPE_INT8,
    S3S_TYPE_INT16,
    S3S_TYPE_INT32,
    S3S_TYPE_INT64,
    S3S_TYPE_UINT8,
    S3S_TYPE_UINT16,
    S3S_TYPE_UINT32,
    S3S_TYPE_UINT64,
    S3S_TYPE_FLOAT16,
    S3S_TYPE_FLOAT,
    S3S_TYPE_DOUBLE,
    S3S_TYPE_STRING,       /* int32 offsets */
    S3S_TYPE_LARGE_STRING, /* int64 offsets */
    S3S_TYPE_BINARY,
    S3S_TYPE_LARGE_BINARY,
    S3S_TYPE_FIXED_BINARY, /* width */
    S3S_TYPE_DATE32,       /* days */
    S3S_TYPE_DATE64,       /* milliseconds */
    S3S_TYPE_TIME32,       /* unit second or milli */
    S3S_TYPE_TIME64,       /* unit micro or nano */
    S3S_TYPE_TIMESTAMP,    /* unit, utc */
    S3S_TYPE_DURATION,     /* unit */
    S3S_TYPE_DECIMAL,      /* width 4, 8, 16 or 32 bytes, precision, scale */
    S3S_TYPE_INTERVAL,     /* month-day-nano, 16 bytes */
    S3S_TYPE_LIST,
    S3S_TYPE_LARGE_LIST,
    S3S_TYPE_STRUCT,
    S3S_TYPE_MAP,
    S3S_TYPE_COUNT,
} s3s_type;

typedef enum s3s_unit { S3S_SECOND = 0, S3S_MILLI, S3S_MICRO, S3S_NANO } s3s_unit;

/* What a string or binary column holds, beyond its type. Travels in the field's metadata
 * (ARROW:extension:name = arrow.json / arrow.uuid) and as the Parquet logical type. */
typedef enum s3s_hint {
    S3S_HINT_NONE = 0,
    S3S_HINT_JSON,
    S3S_HINT_BSON,
    S3S_HINT_ENUM,
    S3S_HINT_UUID,
} s3s_hint;

typedef struct s3s_field {
    const char *name;
    s3s_type type;
    s3s_unit unit;
    s3s_hint hint;
    bool utc;      /* timestamp: has a zone (shown as UTC) */
    bool nullable;
    int32_t width; /* fixed binary, decimal: bytes */
    int32_t precision, scale;
    struct s3s_field *children;
    size_t child_count;
} s3s_field;

/* Names and children live in the arena; a schema is immutable once made and retained by count. */
typedef struct s3s_schema {
    s3s_env *env;
    s3s_arena arena;
    int refs; /* atomic */
    s3s_field *fields;
    size_t field_count;
} s3s_schema;

/* An empty schema with room for count fields (zeroed); fill fields with arena memory. */
s3store_status s3s_schema_new(s3s_env *env, size_t field_count, s3s_schema **out,
                              s3store_error *err);
s3s_schema *s3s_schema_retain(s3s_schema *schema);
void s3s_schema_release(s3s_schema *schema); /* NULL allowed */
/* The fields at these positions, in this order, as a new schema. */
s3store_status s3s_schema_select(const s3s_schema *schema, const size_t *columns, size_t count,
                                 s3s_schema **out, s3store_error *err);
/* Deep copy of one field into an arena (its children too). false = out of memory. */
bool s3s_field_copy(s3s_arena *arena, const s3s_field *from, s3s_field *to);
/* Position of a top-level column, or SIZE_MAX. */
size_t s3s_schema_find(const s3s_schema *schema, const char *name);
/* Its columns for a message, "a, b, c"; what does not fit ends in "...". Returns names. */
#define S3S_SCHEMA_NAMES_SIZE 512
const char *s3s_schema_names(const s3s_schema *schema, char names[S3S_SCHEMA_NAMES_SIZE]);
/* Positions of names, freed by the caller; INVALID_ARGUMENT for one that is not there. */
s3store_status s3s_schema_positions(s3s_env *env, const s3s_schema *schema,
                                    const char *const *names, size_t count, size_t **out,
                                    s3store_error *err);
/* Same type, unit, zone, width, precision, children...; names (but those of struct members),
 * nullability and hints are not looked at. */
bool s3s_field_same_type(const s3s_field *a, const s3s_field *b);
/* Of two fields of the same type: no null can be where `to` has none, nested ones included. */
bool s3s_field_nulls_fit(const s3s_field *from, const s3s_field *to);
/* The same in everything, in the same order. */
bool s3s_schema_equal(const s3s_schema *a, const s3s_schema *b);

/* From and to the ABI. Import checks everything (format strings, child counts, depth <= 64,
 * names valid UTF-8, distinct, at most 10,000 columns); dictionary-encoded columns are
 * UNSUPPORTED for now. top: "+s". Export makes a self-contained schema with its own release. */
s3store_status s3s_schema_import(s3s_env *env, const struct ArrowSchema *in, s3s_schema **out,
                                 s3store_error *err);
s3store_status s3s_schema_export(const s3s_schema *schema, struct ArrowSchema *out,
                                 s3store_error *err);

/* "int64", "timestamp(us, UTC)", "decimal(18, 6)", "list<item: string>": for messages and info; and
 * for flat types back again (the names that --types takes). */
const char *s3s_field_type_text(const s3s_field *field, char *buffer, size_t buffer_size);
bool s3s_type_from_text(const char *text, s3s_field *field);
/* The same for nested types too: "list<int64>", "struct<a: int64, b: list<string>>", "map<string,
 * double>"; what is in them may be null but the keys of maps, and is in the arena. Names of members have
 * none of ":,<>()" (others can be written, but not be read). */
typedef enum s3s_text_result { S3S_TEXT_TYPE, S3S_TEXT_NO_TYPE, S3S_TEXT_NO_MEMORY } s3s_text_result;
s3s_text_result s3s_field_from_text(s3s_arena *arena, const char *text, s3s_field *field);

/* Bytes of one fixed-size value (0 for bool and variable-size types). */
size_t s3s_type_value_size(const s3s_field *field);
bool s3s_type_is_flat(s3s_type type);    /* no children */
bool s3s_type_is_bytes(s3s_type type);   /* string, binary, large ones */
bool s3s_type_is_integer(s3s_type type); /* int8..uint64 */

#endif
