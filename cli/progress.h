/* cli/progress.h: how far long work has come, as one line of a terminal. */
#ifndef S3STORE_CLI_PROGRESS_H
#define S3STORE_CLI_PROGRESS_H

#include "cli.h"

typedef struct cli_progress {
    bool on;
    int64_t begun_ms;
    int64_t shown_ms; /* when the line was drawn last */
    size_t width;     /* what stands there */
} cli_progress;

/* On when standard error is a terminal and --no-progress was not given. */
void cli_progress_begin(cli_progress *p, const cli_context *cli);
/* Draws the line, ten times a second at most. A bar when total is known (not 0) and text behind it. */
void cli_progress_show(cli_progress *p, uint64_t done, uint64_t total, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Removes the line. */
void cli_progress_end(cli_progress *p);
/* What became of it: a line that stays, on the terminal only. */
void cli_progress_summary(const cli_progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "12.3 MiB" */
#define CLI_BYTES_SIZE 32
const char *cli_bytes_text(uint64_t bytes, char text[CLI_BYTES_SIZE]);

#endif
