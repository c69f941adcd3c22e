/* parquet/int96.h: the old timestamps of 12 bytes: nanoseconds of the day, then the Julian day. */
#ifndef S3S_PARQUET_INT96_H
#define S3S_PARQUET_INT96_H

#include "parquet/file.h"

/* Which unit holds the values of INT96 columns without a loss: microseconds, except where a value
 * has finer digits and all of them fit the years (1677 to 2262) that nanoseconds reach. Nothing but
 * the values tells, so they are looked at: dictionaries and PLAIN pages of those columns alone.
 * Marks the elements of the footer; *found: some are marked. What cannot be read is left for the
 * reader of rows to fail at. */
s3store_status s3s_int96_find_nanos(s3s_parquet_file *file, bool *found, s3store_error *err);

#endif
