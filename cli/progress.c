#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

const char *cli_bytes_text(uint64_t bytes, char text[CLI_BYTES_SIZE])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(text, CLI_BYTES_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

void cli_progress_begin(cli_progress *p, const cli_context *cli)
{
    *p = (cli_progress){.on = !cli->globals.no_progress && isatty(STDERR_FILENO)};
    p->begun_ms = p->on ? now_ms() : 0;
}

/* What fits one line: a wrapped one could not be drawn over. */
static size_t room(size_t width)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
        return width;
    return width < size.ws_col ? width : size.ws_col - 1u;
}

static size_t draw_bar(char *line, uint64_t done, uint64_t total)
{
    size_t filled = (size_t)((double)done / (double)total * BAR);
    memset(line, ' ', BAR + 3);
    memset(line + 1, '#', filled < BAR ? filled : BAR);
    line[0] = '[';
    line[BAR + 1] = ']';
    return BAR + 3;
}

void cli_progress_show(cli_progress *p, uint64_t done, uint64_t total, const char *format, ...)
{
    char line[240];
    int64_t at = p->on ? now_ms() : 0;
    bool last = total > 0 && done >= total;
    if (!p->on || (p->shown_ms != 0 && !last && at - p->shown_ms < INTERVAL_MS))
        return;
    p->shown_ms = at;
    size_t bar = total > 0 ? draw_bar(line, done, total) : 0;
    va_list args;
    va_start(args, format);
    vsnprintf(line + bar, sizeof line - bar, format, args);
    va_end(args);
    size_t width = room(strlen(line));
    fprintf(stderr, "\r%-*.*s", (int)(width < p->width ? p->width : width), (int)width, line);
    fflush(stderr);
    p->width = width;
}

void cli_progress_end(cli_progress *p)
{
    if (p->on && p->width > 0)
        fprintf(stderr, "\r%*s\r", (int)p->width, "");
    p->width = 0;
}

void cli_progress_summary(const cli_progress *p, const char *format, ...)
{
    if (!p->on)
        return;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, " (%.1f s)\n", (double)(now_ms() - p->begun_ms) / 1000);
}
