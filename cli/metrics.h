/* cli/metrics.h: what a target has counted, for those who watch. */
#ifndef S3STORE_CLI_METRICS_H
#define S3STORE_CLI_METRICS_H

#include "cli.h"

/* Writes --metrics-file, and sends to the collector that the OTEL_ variables name; what fails is told
 * and changes nothing. */
void cli_metrics_hand_out(const cli_context *cli, const s3store_target *target);
/* The same where a verb goes on for ever: not more often than OTEL_METRIC_EXPORT_INTERVAL (60 s). */
void cli_metrics_tick(const cli_context *cli, const s3store_target *target);

/* A page for Prometheus at http://127.0.0.1:PORT/metrics until it is stopped. NULL: told. port 0: any
 * that is free, told on stderr. */
typedef struct cli_metrics_page cli_metrics_page;
cli_metrics_page *cli_metrics_serve(const cli_context *cli, const s3store_target *target,
                                    int64_t port);
void cli_metrics_stop(cli_metrics_page *page); /* NULL allowed */

#endif
