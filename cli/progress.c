#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR 30
#define INTERVAL_MS 100

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void cli_progress_begin(cli_progress *p, const cli_context *cli)
{
    *p = (cli_progress){.on = !cli->globals.no_progress && isatty(STDERR_FILENO)};
}

void cli_progress_show(cli_progress *p, uint64_t done, uint64_t total, const char *unit)
{
    char line[160], bar[BAR + 1];
    int64_t at = p->on ? now_ms() : 0;
    if (!p->on || (p->shown_ms != 0 && done < total && at - p->shown_ms < INTERVAL_MS))
        return;
    p->shown_ms = at;
    size_t filled = total > 0 ? (size_t)((double)done / (double)total * BAR) : BAR;
    memset(bar, ' ', BAR);
    memset(bar, '#', filled < BAR ? filled : BAR);
    bar[BAR] = '\0';
    int n = snprintf(line, sizeof line, "[%s] %llu of %llu %s", bar, (unsigned long long)done,
                     (unsigned long long)total, unit);
    size_t width = n > 0 ? (size_t)n : 0;
    fprintf(stderr, "\r%-*s", (int)(width < p->width ? p->width : width), line);
    fflush(stderr);
    p->width = width;
}

void cli_progress_end(cli_progress *p)
{
    if (p->on && p->width > 0)
        fprintf(stderr, "\r%*s\r", (int)p->width, "");
    p->width = 0;
}
