/* cli/records/constants.h: constant columns added to a stream. */
#ifndef S3STORE_CLI_RECORDS_CONSTANTS_H
#define S3STORE_CLI_RECORDS_CONSTANTS_H

#include "records/input.h"

/* Wraps the stream: the constants that it lacks become columns (with the recorded type, else the type that
 * their text looks like). Columns that are there already are left alone: the write checks that every row
 * agrees. On failure the stream is released. */
s3store_status cli_constants_add(const cli_input_options *options, struct ArrowArrayStream *stream,
                                 s3store_error *err);

#endif
