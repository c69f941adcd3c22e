#include "offsets.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cli_offset_of(cli_context *cli, const s3store_target *target, const char *option,
                   const char *text, char *offset, int *code)
{
    s3store_error err = {0};
    int64_t time_us;
    if (strstr(text, "/_ref/") != NULL) {
        if (strlen(text) <= S3STORE_KEY_MAX_BYTES) {
            strcpy(offset, text);
            return true;
        }
        *code = cli_usage(cli, "%s: the offset is longer than a key", option);
        return false;
    }
    if (!cli_parse_time(text, &time_us)) {
        *code = cli_usage(cli, "%s %s: must be an offset, a time like 2018-02-07T01:26:13Z, or an "
                               "age like -10m",
                          option, text);
        return false;
    }
    if (s3store_offset_at(target, time_us, offset, CLI_OFFSET_SIZE, &err) == S3STORE_OK)
        return true;
    *code = cli_fail(cli, &err);
    return false;
}

bool cli_offset_load(cli_context *cli, const s3store_target *target, const char *option,
                     const char *path, char *offset, bool *found, int *code)
{
    s3store_error err = {0};
    char *text = cli_read_file(path, S3STORE_KEY_MAX_BYTES, &err);
    *found = text != NULL;
    offset[0] = '\0';
    if (text == NULL) {
        if (err.status == S3STORE_NOT_FOUND)
            return true;
        *code = cli_fail(cli, &err);
        return false;
    }
    bool ok = text[0] == '\0' || cli_offset_of(cli, target, option, text, offset, code);
    free(text);
    return ok;
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
