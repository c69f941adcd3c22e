#include "offsets.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *copy_text(cli_context *cli, const char *text, int *code)
{
    char *copy = strdup(text);
    s3store_error err = {.status = S3STORE_OUT_OF_MEMORY, .message = "no memory for an offset"};
    if (copy == NULL)
        *code = cli_fail(cli, &err);
    return copy;
}

char *cli_offset_of(cli_context *cli, const s3store_target *target, const char *option,
                    const char *text, int *code)
{
    s3store_error err = {0};
    int64_t time_us;
    char offset[CLI_OFFSET_SIZE];
    if (strstr(text, "/_ref/") != NULL)
        return copy_text(cli, text, code); /* the library knows whether it is one */
    if (!cli_parse_time(text, &time_us)) {
        *code = cli_usage(cli, "%s %s: must be an offset, a time like 2018-02-07T01:26:13Z, or an "
                               "age like -10m",
                          option, text);
        return NULL;
    }
    if (s3store_offset_at(target, time_us, offset, sizeof offset, &err) == S3STORE_OK)
        return copy_text(cli, offset, code);
    *code = cli_fail(cli, &err);
    return NULL;
}

/* What is wrong with a file is told with its name. */
static bool refuse_file(cli_context *cli, const char *path, const s3store_error *why, int *code)
{
    s3store_error err = *why;
    snprintf(err.key, sizeof err.key, "%s", path);
    if (snprintf(err.message, sizeof err.message, "%s: %s", path, why->message) < 0)
        err = *why;
    *code = cli_fail(cli, &err);
    return false;
}

bool cli_offset_load(cli_context *cli, const s3store_target *target, const char *path,
                     char **offset, int *code)
{
    s3store_error err = {0};
    int64_t time_us;
    char *text = cli_read_file(path, S3STORE_OFFSET_MAX_BYTES, &err);
    *offset = text;
    if (text == NULL) {
        if (err.status == S3STORE_NOT_FOUND)
            return true;
        *code = cli_fail(cli, &err);
        return false;
    }
    if (cli_parse_time(text, &time_us)) {
        *offset = cli_offset_of(cli, target, path, text, code);
        free(text);
        return *offset != NULL;
    }
    if (s3store_offset_validate(target, text, &err) == S3STORE_OK)
        return true;
    free(text);
    *offset = NULL;
    return refuse_file(cli, path, &err, code);
}

void cli_offset_print_entry(const s3store_entry *e)
{
    cli_json j;
    cli_json_begin(&j);
    cli_json_text(&j, "partition", e->partition);
    cli_json_text(&j, "offset", e->offset);
    cli_json_text(&j, "data_path", e->data_path);
    cli_json_text(&j, "ref_path", e->ref_path);
    cli_json_time(&j, "inserted_at", e->inserted_at_us);
    cli_json_int(&j, "row_count", e->row_count);
    cli_json_end(&j);
}

void cli_offset_note_pending(const s3store_entries *entries)
{
    size_t pending = s3store_entries_pending(entries);
    if (pending > 0)
        cli_note("%zu newer ref%s still within the settle window", pending,
                 pending == 1 ? " is" : "s are");
}

void cli_offset_note_skipped(const s3store_entries *entries)
{
    for (size_t i = 0; i < s3store_entries_skipped_count(entries); i++)
        cli_note("skipped a damaged marker: %s", s3store_entries_skipped_get(entries, i));
}

bool cli_stdout_is_closed(int wait_ms)
{
    struct pollfd out = {.fd = STDOUT_FILENO}; /* POLLERR and POLLHUP are always reported */
    return poll(&out, 1, wait_ms) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

/* A write that failed earlier, when the buffer was full, left its mark on stdout, not in errno. */
cli_handed cli_hand_over(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_HANDED_OVER;
    int reason = errno;
    bool closed = reason == EPIPE || cli_stdout_is_closed(0);
    clearerr(stdout); /* told once */
    if (closed)
        return CLI_HANDED_CLOSED;
    fprintf(stderr, "s3store: cannot write to standard output: %s\n",
            reason != 0 ? strerror(reason) : "an earlier write failed");
    return CLI_HANDED_FAILED;
}
