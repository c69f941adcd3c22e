/* parquet/convert.h: values between their physical form and Arrow's. */
#ifndef S3S_PARQUET_CONVERT_H
#define S3S_PARQUET_CONVERT_H

#include "parquet/schema.h"

/* Sets sink, out_width and convert of a leaf whose values become `field`. */
void s3s_choose_conversion(const s3s_field *field, s3s_leaf *leaf);

/* An INT96 as nanoseconds since 1970; false: it is out of their range. */
bool s3s_int96_nanos(const uint8_t *value, int64_t *out);

#endif
