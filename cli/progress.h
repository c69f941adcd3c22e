/* cli/progress.h: how far long work has come, as one line of a terminal. */
#ifndef S3STORE_CLI_PROGRESS_H
#define S3STORE_CLI_PROGRESS_H

#include "cli.h"

typedef struct cli_progress {
    bool on;
    int64_t shown_ms; /* when the line was drawn last */
    size_t width;     /* what stands there */
} cli_progress;

/* On when standard error is a terminal and --no-progress was not given. */
void cli_progress_begin(cli_progress *p, const cli_context *cli);
/* Draws the line, ten times a second at most. unit: "objects". */
void cli_progress_show(cli_progress *p, uint64_t done, uint64_t total, const char *unit);
/* Removes the line. */
void cli_progress_end(cli_progress *p);

#endif
