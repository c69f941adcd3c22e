/* read/internal.h: private to read/. */
#ifndef S3S_READ_INTERNAL_H
#define S3S_READ_INTERNAL_H

#include "read/read.h"

/* In which form rows are handed out. */
typedef enum s3s_read_form {
    S3S_READ_STREAM,
    S3S_READ_PARTITIONS,
    S3S_READ_ITER,
    S3S_READ_RECORDS,
    S3S_READ_POLL,
} s3s_read_form;

/* Resolves the options' source and opens a scan over it. fixed: the schema to deliver, NULL = by
 * the options' columns. */
s3store_status s3s_read_open_scan(s3store_reader *reader, const s3store_read_options *options,
                                  const s3s_schema *fixed, s3s_read_form form, s3s_scan **out,
                                  s3store_error *err);

/* *options->handover before anything can fail. options may be NULL. */
void s3s_read_clear_handover(const s3store_read_options *options);
/* Nothing comes of the call: frees what options->handover was set to. options may be NULL. */
void s3s_read_drop_handover(const s3store_read_options *options);

/* An Arrow stream of everything a scan delivers. The scan is taken over, also on failure. */
s3store_status s3s_read_scan_stream(s3s_scan *scan, struct ArrowArrayStream *out,
                                    s3store_error *err);

#endif
