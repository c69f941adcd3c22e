/* cli/records/text_input.h: JSON Lines and CSV files as one Arrow stream. */
#ifndef S3STORE_CLI_RECORDS_TEXT_INPUT_H
#define S3STORE_CLI_RECORDS_TEXT_INPUT_H

#include "records/lines.h"

/* Looks at all of it first (types, broken lines), then streams. options->format is JSONL or CSV. */
s3store_status cli_text_input_open(const char *const *paths, size_t path_count,
                                   const cli_input_options *options, struct ArrowArrayStream *out,
                                   s3store_error *err);

#endif
