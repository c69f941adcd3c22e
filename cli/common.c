/* What the verbs share: the target, errors, JSON lines, small files. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "metrics.h"

/* ---- messages ------------------------------------------------------------------------------------------- */

int cli_usage(const cli_context *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "s3store %s: ", cli->verb);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry `s3store %s --help`.\n", cli->verb);
    va_end(args);
    return CLI_USAGE;
}

void cli_note(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static int exit_code_of(const cli_context *cli, s3store_status status)
{
    /* What a Ctrl-C left undone is interrupted, however far it came. */
    if (status == S3STORE_PARTIAL && cli->cancel != NULL &&
        s3store_cancel_is_triggered(cli->cancel))
        return CLI_INTERRUPTED;
    switch (status) {
    case S3STORE_OK:
        return CLI_OK;
    case S3STORE_COMMIT_AFTER_TIMEOUT:
        return CLI_LATE;
    case S3STORE_PARTIAL:
        return CLI_PARTIAL;
    case S3STORE_CANCELLED:
        return CLI_INTERRUPTED;
    default:
        return CLI_FAILED;
    }
}

int cli_fail(const cli_context *cli, const s3store_error *err)
{
    bool name_key = err->key[0] != '\0' && strstr(err->message, err->key) == NULL;
    fprintf(stderr, "s3store %s: %s", cli->verb,
            err->message[0] != '\0' ? err->message : s3store_status_text(err->status));
    if (name_key)
        fprintf(stderr, " [%s]", err->key);
    if (err->s3_code[0] != '\0' && strstr(err->message, err->s3_code) == NULL)
        fprintf(stderr, " (%s)", err->s3_code);
    if (err->request_id[0] != '\0')
        fprintf(stderr, " (request %s)", err->request_id);
    fputc('\n', stderr);
    return exit_code_of(cli, err->status);
}

/* ---- log -------------------------------------------------------------------------------------------------- */

static void log_text(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    static const char *const names[] = {"off", "error", "warn", "info", "debug"};
    (void)ctx;
    flockfile(stderr);
    fprintf(stderr, "%s: %s", names[level], message);
    for (size_t i = 0; i < field_count; i++)
        fprintf(stderr, " %s=%s", fields[i].key, fields[i].value);
    fputc('\n', stderr);
    funlockfile(stderr);
}

static void log_json(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    static const char *const names[] = {"off", "error", "warn", "info", "debug"};
    (void)ctx;
    flockfile(stderr);
    fprintf(stderr, "{\"level\":\"%s\",\"message\":", names[level]);
    cli_json_string(stderr, message, strlen(message));
    for (size_t i = 0; i < field_count; i++) {
        fputc(',', stderr);
        cli_json_string(stderr, fields[i].key, strlen(fields[i].key));
        fputc(':', stderr);
        cli_json_string(stderr, fields[i].value, strlen(fields[i].value));
    }
    fputs("}\n", stderr);
    funlockfile(stderr);
}

/* ---- target ------------------------------------------------------------------------------------------------- */

int64_t cli_timeout_ms(const cli_context *cli)
{
    return (cli->globals.timeout_us + 999) / 1000;
}

s3store_call cli_call(const cli_context *cli)
{
    s3store_call call = {.cancel = cli->cancel, .deadline_us = S3STORE_TIME_NONE};
    if (cli->globals.timeout_us > 0) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        call.deadline_us =
            (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + cli->globals.timeout_us;
    }
    return call;
}

s3store_target_config cli_target_config(cli_context *cli)
{
    const cli_globals *g = &cli->globals;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = cli->args.items[0];
    if (g->partition_by.count > 0)
        config.partition_by = (const char *const *)g->partition_by.items;
    config.partition_by_count = g->partition_by.count;
    if (g->entity.count > 0)
        config.entity = (const char *const *)g->entity.items;
    config.entity_count = g->entity.count;
    config.version = g->version;
    config.inserted_at_column = g->inserted_at_column;
    config.endpoint_url = g->endpoint_url;
    config.region = g->region;
    config.profile = g->profile;
    config.addressing = (s3store_addressing)g->addressing;
    config.ca_bundle = g->ca_bundle;
    config.no_verify_tls = g->no_verify_ssl;
    config.no_sign_request = g->no_sign_request;
    config.consistency = g->consistency;
    config.max_inflight = g->max_inflight > INT32_MAX ? INT32_MAX : (int)g->max_inflight;
    config.memory_bytes = g->memory;
    config.spill_dir = g->spill_dir;
    config.fence = cli->fence;
    config.log = g->log_format == 1 ? log_json : log_text;
    config.log_level = (s3store_log_level)g->log_level;
    config.cancel = cli->cancel;
    config.timeout_ms = cli_timeout_ms(cli);
    return config;
}

/* The allocator keeps what was freed, and the larger the blocks were, the more of it: of a small
 * budget that would be a multiple. Large blocks go back to the system at once instead. */
static void keep_to_budget(uint64_t memory)
{
    uint64_t block = (memory != 0 ? memory : S3STORE_DEFAULT_MEMORY_BYTES) / 512;
    int threshold = block < 128 * 1024 ? 128 * 1024 : block > 4194304 ? 4194304 : (int)block;
    (void)mallopt(M_MMAP_THRESHOLD, threshold);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * threshold);
}

s3store_target *cli_target_open(cli_context *cli, int *exit_code)
{
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_target_config config = cli_target_config(cli);
    *exit_code = CLI_OK;
    keep_to_budget(config.memory_bytes);
    if (s3store_target_config_validate(&config, true, &err) != S3STORE_OK)
        *exit_code = cli_usage(cli, "%s", err.message);
    else if (s3store_target_open(&config, &target, &err) != S3STORE_OK)
        *exit_code = cli_fail(cli, &err);
    cli->opened = (s3store_request_counts){.size = sizeof cli->opened};
    if (target != NULL)
        s3store_target_request_counts(target, &cli->opened);
    return target;
}

void cli_explain(const cli_context *cli, const s3store_target *target)
{
    if (target == NULL)
        return;
    cli_metrics_hand_out(cli, target);
    if (!cli->globals.explain)
        return;
    s3store_request_counts c = {.size = sizeof c};
    s3store_target_request_counts(target, &c);
    cli_explain_requests(cli, &c);
}

/* Reading, beside opening: the opening of a target is 3 GET (docs/FORMAT.md), side by side. */
void cli_explain_reading(const cli_context *cli, const s3store_target *target, bool stream)
{
    s3store_request_counts c = {.size = sizeof c};
    const s3store_request_counts *o = &cli->opened;
    if (target != NULL && cli->globals.explain) {
        s3store_target_request_counts(target, &c);
        fprintf(stderr,
                "budget: to open 3 GET; then 1 LIST for each 1000 of %llu keys%s, 1 GET for each of "
                "%llu data objects (2 where only columns are fetched)\n",
                (unsigned long long)(c.listed - o->listed),
                stream ? ", 1 HEAD for each commit among them" : "",
                (unsigned long long)(c.data_objects - o->data_objects));
        fprintf(stderr,
                "spent: to open %llu GET; then %llu LIST, %llu HEAD, %llu GET; round trips: %llu, "
                "then %llu\n",
                (unsigned long long)o->get, (unsigned long long)(c.list - o->list),
                (unsigned long long)(c.head - o->head), (unsigned long long)(c.get - o->get),
                (unsigned long long)o->round_trips,
                (unsigned long long)(c.round_trips - o->round_trips));
    }
    cli_explain(cli, target);
}

void cli_explain_requests(const cli_context *cli, const s3store_request_counts *counts)
{
    const s3store_request_counts c = *counts;
    if (!cli->globals.explain)
        return;
    fprintf(stderr,
            "requests: %llu PUT, %llu GET, %llu HEAD, %llu LIST, %llu DELETE; retries: %llu; "
            "bytes: %llu sent, %llu received\n",
            (unsigned long long)c.put, (unsigned long long)c.get, (unsigned long long)c.head,
            (unsigned long long)c.list, (unsigned long long)c.remove,
            (unsigned long long)c.retries, (unsigned long long)c.bytes_sent,
            (unsigned long long)c.bytes_received);
}

/* ---- JSON lines ------------------------------------------------------------------------------------------------ */

void cli_json_string(FILE *to, const char *text, size_t size)
{
    putc('"', to);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            putc('\\', to);
            putc(c, to);
        } else if (c == '\n') {
            fputs("\\n", to);
        } else if (c == '\t') {
            fputs("\\t", to);
        } else if (c == '\r') {
            fputs("\\r", to);
        } else if (c < 0x20) {
            fprintf(to, "\\u%04x", c);
        } else {
            putc(c, to);
        }
    }
    putc('"', to);
}

static void json_name(cli_json *j, const char *name)
{
    if (j->comma)
        putchar(',');
    j->comma = true;
    cli_json_string(stdout, name, strlen(name));
    putchar(':');
}

void cli_json_begin(cli_json *j)
{
    j->comma = false;
    putchar('{');
}

void cli_json_text(cli_json *j, const char *name, const char *value)
{
    json_name(j, name);
    if (value == NULL)
        fputs("null", stdout);
    else
        cli_json_string(stdout, value, strlen(value));
}

void cli_json_int(cli_json *j, const char *name, int64_t value)
{
    json_name(j, name);
    printf("%lld", (long long)value);
}

void cli_json_bool(cli_json *j, const char *name, bool value)
{
    json_name(j, name);
    fputs(value ? "true" : "false", stdout);
}

void cli_json_time(cli_json *j, const char *name, int64_t time_us)
{
    char text[S3STORE_TIME_TEXT_SIZE];
    s3store_time_format(time_us, text, sizeof text);
    cli_json_text(j, name, time_us == S3STORE_TIME_NONE ? NULL : text);
}

void cli_json_list(cli_json *j, const char *name, const char *const *items, size_t count)
{
    json_name(j, name);
    putchar('[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            putchar(',');
        cli_json_string(stdout, items[i], strlen(items[i]));
    }
    putchar(']');
}

void cli_json_end(cli_json *j)
{
    (void)j;
    fputs("}\n", stdout);
}

bool cli_flush(int *exit_code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    if (errno == EPIPE) {
        if (*exit_code == CLI_FAILED)
            *exit_code = CLI_OK;
        return true;
    }
    fprintf(stderr, "s3store: cannot write to standard output: %s\n", strerror(errno));
    return false;
}

/* ---- small files -------------------------------------------------------------------------------------------------- */

static bool file_error(s3store_error *err, s3store_status status, const char *what,
                       const char *path)
{
    memset(err, 0, sizeof *err);
    err->status = status;
    snprintf(err->key, sizeof err->key, "%s", path);
    snprintf(err->message, sizeof err->message, "cannot %s %s: %s", what, path, strerror(errno));
    return false;
}

bool cli_write_file(const char *path, const char *text, s3store_error *err)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary) {
        errno = ENAMETOOLONG;
        return file_error(err, S3STORE_IO, "write", path);
    }
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return file_error(err, S3STORE_IO, "create", path);
    size_t size = strlen(text), done = 0;
    while (done < size) {
        ssize_t n = write(fd, text + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    bool ok = done == size && fchmod(fd, 0644) == 0 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
    if (!ok) {
        file_error(err, S3STORE_IO, "write", path);
        unlink(temporary);
    }
    return ok;
}

int cli_open(const char *path)
{
    for (;;) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 || errno != EINTR)
            return fd;
    }
}

char *cli_read_file(const char *path, size_t max_size, s3store_error *err)
{
    int fd = cli_open(path);
    if (fd < 0) {
        file_error(err, errno == ENOENT ? S3STORE_NOT_FOUND : S3STORE_IO, "open", path);
        return NULL;
    }
    char *text = malloc(max_size + 2);
    size_t size = 0;
    ssize_t n = text != NULL ? 1 : -1;
    while (n > 0 && size <= max_size) {
        n = read(fd, text + size, max_size + 1 - size);
        if (n < 0 && errno == EINTR)
            n = 1;
        else if (n > 0)
            size += (size_t)n;
    }
    if (n == 0 && size > max_size) {
        errno = EFBIG;
        n = -1;
    }
    if (n < 0)
        file_error(err, S3STORE_IO, "read", path);
    close(fd);
    if (n != 0) {
        if (n > 0) {
            errno = EFBIG;
            file_error(err, S3STORE_IO, "read", path);
        }
        free(text);
        return NULL;
    }
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    text[size] = '\0';
    return text;
}
