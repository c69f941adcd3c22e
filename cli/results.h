/* cli/results.h: outcomes of writes as JSON lines. */
#ifndef S3STORE_CLI_RESULTS_H
#define S3STORE_CLI_RESULTS_H

#include "s3store.h"

/* One line for each partition, in key order. */
void cli_print_result(const s3store_write_result *result);

#endif
