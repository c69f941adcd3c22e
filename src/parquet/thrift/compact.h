/* parquet/thrift/compact.h: the Thrift compact protocol, driven by descriptions of structs.
 *
 * A struct that goes over the wire is a C struct whose first member is `uint64_t has`, with bit i
 * set when field i of its description is present. Unions are structs with one field present. Both
 * directions use the same description. Unknown fields are skipped, as Thrift demands.
 * Protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */
#ifndef S3S_PARQUET_THRIFT_COMPACT_H
#define S3S_PARQUET_THRIFT_COMPACT_H

#include "base/buffer.h"

typedef enum s3s_thrift_kind {
    S3S_THRIFT_BOOL,   /* bool */
    S3S_THRIFT_I8,     /* int8_t */
    S3S_THRIFT_I16,    /* int16_t */
    S3S_THRIFT_I32,    /* int32_t */
    S3S_THRIFT_I64,    /* int64_t */
    S3S_THRIFT_BINARY, /* s3s_thrift_binary; also text */
    S3S_THRIFT_STRUCT, /* the struct itself, in place */
    S3S_THRIFT_LIST,   /* s3s_thrift_list */
} s3s_thrift_kind;

/* Points into the bytes that were read. */
typedef struct s3s_thrift_binary {
    const uint8_t *data;
    size_t size;
} s3s_thrift_binary;

/* items: an array of the C type of the item kind, in the arena. */
typedef struct s3s_thrift_list {
    void *items;
    size_t count;
} s3s_thrift_list;

typedef struct s3s_thrift_field {
    int16_t id;
    uint8_t kind;
    uint8_t item; /* kind of a list's items: anything but LIST */
    bool required;
    uint16_t offset;
    const struct s3s_thrift_struct *sub; /* of STRUCT, and of lists of structs */
    const char *name;
} s3s_thrift_field;

typedef struct s3s_thrift_struct {
    const char *name;
    size_t size;
    const s3s_thrift_field *fields; /* by ascending id; at most 64 */
    size_t field_count;
} s3s_thrift_struct;

/* Reads one struct from the beginning of data. *consumed: its bytes (NULL = not wanted). Lists
 * go to the arena, which may grow to memory_max bytes in all (LIMIT_EXCEEDED beyond). *truncated
 * (may be NULL) is set when the only trouble was that data ended. CORRUPT names struct, field
 * and byte. */
s3store_status s3s_thrift_read(const s3s_thrift_struct *what, const uint8_t *data, size_t size,
                               s3s_arena *arena, size_t memory_max, void *out, size_t *consumed,
                               bool *truncated, s3store_error *err);

/* Appends one struct. */
s3store_status s3s_thrift_write(const s3s_thrift_struct *what, const void *value, s3s_buffer *out,
                                s3store_error *err);

#endif
