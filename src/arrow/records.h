/* arrow/records.h: the kinds of C struct fields, for record_type.c, records_write.c,
 * records_read.c. */
#ifndef S3S_ARROW_RECORDS_H
#define S3S_ARROW_RECORDS_H

#include "arrow/builder.h"

/* How a value of a kind lies in memory. */
typedef struct s3s_kind_info {
    s3s_type type; /* of its column */
    size_t size;
    size_t align;
} s3s_kind_info;

/* kind must be one of s3store_kind. */
const s3s_kind_info *s3s_kind_info_of(s3store_kind kind);

static inline bool s3s_kind_is_bytes(s3store_kind kind)
{
    return kind == S3STORE_KIND_STRING || kind == S3STORE_KIND_CSTRING ||
           kind == S3STORE_KIND_BINARY;
}

#endif
