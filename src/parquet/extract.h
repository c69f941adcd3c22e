/* parquet/extract.h: rows of an Arrow column as dense physical values: the way back of
 * convert.h. */
#ifndef S3S_PARQUET_EXTRACT_H
#define S3S_PARQUET_EXTRACT_H

#include "arrow/array.h"

#define S3S_EXTRACT_ROWS 1024 /* at most, in one call */

typedef struct s3s_extractor s3s_extractor;

/* How the values of a field are written. NULL: they are not. */
const s3s_extractor *s3s_extractor_for(const s3s_field *field);
/* Bytes of a physical value; booleans are one byte each; 0 = byte strings. */
size_t s3s_extractor_width(const s3s_extractor *x, const s3s_field *field);
/* The valid ones of rows [start, start + count): *found of them, dense, at out (width bytes
 * each), or spans for byte strings. INVALID_ARGUMENT for a value that the file cannot hold. */
s3store_status s3s_extract(const s3s_extractor *x, const s3s_column *column, int64_t start,
                           size_t count, void *out, size_t *found, s3store_error *err);
/* The same values where they are, when they are dense there already; else NULL. */
const void *s3s_extract_in_place(const s3s_extractor *x, const s3s_column *column, int64_t start);

#endif
