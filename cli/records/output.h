/* cli/records/output.h: a stream of record batches as text on standard output. */
#ifndef S3STORE_CLI_RECORDS_OUTPUT_H
#define S3STORE_CLI_RECORDS_OUTPUT_H

#include "records/input.h"

/* Prints every row, flushing batch by batch; the stream is consumed and released. Parquet needs the whole
 * stream before the first byte is final, and is refused on a terminal. closed (may be NULL): standard
 * output was a closed pipe, which ended it early without an error. rows (may be NULL): how many. */
s3store_status cli_output_stream(struct ArrowArrayStream *stream, cli_format format, bool *closed,
                                 int64_t *rows, s3store_error *err);

#endif
