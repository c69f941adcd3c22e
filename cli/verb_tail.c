#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "metrics.h"
#include "offsets.h"
#include "records/output.h"

/* How long to wait after a poll that brought nothing: from the first to the last, doubling. While
 * refs wait for their settle window, something is certain to come soon. */
#define WAIT_FIRST_MS 100
#define WAIT_PENDING_MS 500
#define WAIT_LAST_MS 5000
/* After an error that may pass. */
#define RETRY_FIRST_MS 500
#define RETRY_LAST_MS 30000
#define LOOK_MS 50 /* how often a wait looks for Ctrl-C and for a closed pipe */

typedef struct tail_values {
    const char *since, *checkpoint;
    bool records, skip_damaged;
    int64_t metrics_port; /* -1 = none */
} tail_values;

typedef struct follower {
    cli_context *cli;
    const tail_values *v;
    s3store_target *target;
    s3store_reader *reader; /* --records */
    char *offset;
    bool told_pending;
    int wait_ms, retry_ms;
} follower;

/* What comes after a round. */
typedef enum round_end {
    ROUND_MORE,  /* go on at once */
    ROUND_IDLE,  /* nothing new: wait */
    ROUND_RETRY, /* failed in a way that may pass */
    ROUND_STOP,  /* *code says how */
} round_end;

#define VALUE(member) offsetof(tail_values, member)
static const cli_option options[] = {
    {"--checkpoint", 0, "FILE", "continue from FILE, and keep it up to date", CLI_TEXT,
     VALUE(checkpoint), NULL},
    {"--since", 0, "T", "an offset, a time, or an age like -10m (default: what comes from now on)",
     CLI_TEXT, VALUE(since), NULL},
    {"--records", 0, NULL, "print the rows of the commits instead of the commits", CLI_FLAG,
     VALUE(records), NULL},
    {"--skip-damaged", 0, NULL, "pass damaged commit markers instead of stopping there", CLI_FLAG,
     VALUE(skip_damaged), NULL},
    {"--metrics-port", 0, "N", "metrics for Prometheus at http://127.0.0.1:N/metrics (0: any port)",
     CLI_INT, VALUE(metrics_port), NULL},
};

static void defaults(void *values)
{
    tail_values *v = values;
    v->metrics_port = -1;
}

static bool is_interrupted(const cli_context *cli)
{
    return s3store_cancel_is_triggered(cli->cancel);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* false: there is nobody to go on for. */
static bool wait_ms(const cli_context *cli, int ms)
{
    for (int64_t end = now_ms() + ms, left = ms; left > 0; left = end - now_ms()) {
        if (is_interrupted(cli) || cli_stdout_is_closed(left < LOOK_MS ? (int)left : LOOK_MS))
            return false;
    }
    return !is_interrupted(cli);
}

static char *settled_offset(const follower *f, int *code)
{
    s3store_error err = {0};
    char offset[CLI_OFFSET_SIZE];
    if (s3store_settled_offset(f->target, offset, sizeof offset, &err) == S3STORE_OK)
        return cli_offset_of(f->cli, f->target, "--since", offset, code);
    *code = cli_fail(f->cli, &err);
    return NULL;
}

/* --checkpoint wins over --since once it exists. The checkpoint is written before the first commit
 * is asked for: whoever is killed before the first round begins again here, not at a later tip. */
static bool start(follower *f, int *code)
{
    const tail_values *v = f->v;
    s3store_error err = {0};
    if (v->checkpoint != NULL &&
        !cli_offset_load(f->cli, f->target, v->checkpoint, &f->offset, code))
        return false;
    if (f->offset != NULL)
        return true;
    f->offset = v->since != NULL ? cli_offset_of(f->cli, f->target, "--since", v->since, code)
                                 : settled_offset(f, code);
    if (f->offset == NULL)
        return false;
    if (v->checkpoint == NULL || cli_write_file(v->checkpoint, f->offset, &err))
        return true;
    *code = cli_fail(f->cli, &err);
    return false;
}

/* After what it stands for has left this process, and not before. */
static round_end store_offset(follower *f, const s3store_entries *entries, int *code)
{
    s3store_error err = {0};
    const char *next = s3store_entries_next_offset(entries);
    cli_handed handed = cli_hand_over();
    if (handed != CLI_HANDED_OVER) {
        *code = handed == CLI_HANDED_CLOSED ? CLI_OK : CLI_FAILED;
        return ROUND_STOP;
    }
    cli_offset_note_skipped(entries);
    if (!f->told_pending)
        cli_offset_note_pending(entries);
    f->told_pending = true;
    if (strcmp(next, f->offset) == 0) {
        if (s3store_entries_pending(entries) > 0 && f->wait_ms > WAIT_PENDING_MS)
            f->wait_ms = WAIT_PENDING_MS;
        return ROUND_IDLE;
    }
    if (f->v->checkpoint != NULL && !cli_write_file(f->v->checkpoint, next, &err)) {
        *code = cli_fail(f->cli, &err);
        return ROUND_STOP;
    }
    char *copy = strdup(next);
    if (copy == NULL) {
        *code = CLI_FAILED;
        return ROUND_STOP;
    }
    free(f->offset);
    f->offset = copy;
    f->wait_ms = WAIT_FIRST_MS;
    return s3store_entries_count(entries) >= S3STORE_DEFAULT_POLL_MAX ? ROUND_MORE : ROUND_IDLE;
}

/* An error of the store may pass; the local file system behind standard output is not the store. */
static round_end failed(follower *f, const s3store_error *err, bool printing, int *code)
{
    bool may_pass = s3store_status_can_retry(err->status) &&
                    !(printing && err->status == S3STORE_IO) &&
                    err->status != S3STORE_OUT_OF_MEMORY;
    if (is_interrupted(f->cli)) {
        *code = CLI_INTERRUPTED;
        return ROUND_STOP;
    }
    *code = cli_fail(f->cli, err);
    return may_pass ? ROUND_RETRY : ROUND_STOP;
}

static round_end print_round(follower *f, const s3store_poll_options *poll,
                             s3store_entries **entries, int *code)
{
    s3store_error err = {0};
    struct ArrowArrayStream rows = {0};
    bool closed = false;
    if (!f->v->records) {
        if (s3store_poll(f->target, poll, entries, &err) != S3STORE_OK)
            return failed(f, &err, false, code);
        for (size_t i = 0; i < s3store_entries_count(*entries); i++)
            cli_offset_print_entry(s3store_entries_get(*entries, i));
        return ROUND_MORE;
    }
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    read.cancel = f->cli->cancel;
    if (s3store_poll_records(f->reader, poll, &read, entries, &rows, &err) != S3STORE_OK)
        return failed(f, &err, false, code);
    if (rows.release != NULL &&
        cli_output_stream(&rows, CLI_FORMAT_JSONL, &closed, NULL, &err) != S3STORE_OK)
        return failed(f, &err, true, code);
    *code = CLI_OK;
    return closed ? ROUND_STOP : ROUND_MORE;
}

static round_end run_round(follower *f, int *code)
{
    s3store_entries *entries = NULL;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    poll.since = f->offset;
    poll.skip_damaged = f->v->skip_damaged;
    poll.cancel = f->cli->cancel;
    poll.timeout_ms = cli_timeout_ms(f->cli);
    round_end end = print_round(f, &poll, &entries, code);
    if (end == ROUND_MORE)
        end = store_offset(f, entries, code);
    s3store_entries_free(entries);
    return end;
}

static int follow(follower *f)
{
    int code = CLI_OK;
    for (;;) {
        round_end end = run_round(f, &code);
        cli_metrics_tick(f->cli, f->target);
        int pause_ms = 0;
        if (end == ROUND_STOP)
            return code;
        if (end == ROUND_RETRY) {
            pause_ms = f->retry_ms;
            f->retry_ms = pause_ms * 2 < RETRY_LAST_MS ? pause_ms * 2 : RETRY_LAST_MS;
            cli_note("trying again in %d.%d s", pause_ms / 1000, pause_ms % 1000 / 100);
        } else {
            f->retry_ms = RETRY_FIRST_MS;
        }
        if (end == ROUND_IDLE) {
            pause_ms = f->wait_ms;
            f->wait_ms = pause_ms * 2 < WAIT_LAST_MS ? pause_ms * 2 : WAIT_LAST_MS;
        }
        if (is_interrupted(f->cli) || !wait_ms(f->cli, pause_ms))
            return is_interrupted(f->cli) ? CLI_INTERRUPTED : CLI_OK;
    }
}

static int run(cli_context *cli, void *values)
{
    const tail_values *v = values;
    follower f = {
        .cli = cli, .v = v, .wait_ms = WAIT_FIRST_MS, .retry_ms = RETRY_FIRST_MS};
    s3store_error err = {0};
    int code;
    if (v->metrics_port > 65535)
        return cli_usage(cli, "--metrics-port %lld: there is no such port",
                         (long long)v->metrics_port);
    f.target = cli_target_open(cli, &code);
    if (f.target == NULL)
        return code;
    cli_metrics_page *page = NULL;
    if (v->metrics_port >= 0 &&
        (page = cli_metrics_serve(cli, f.target, v->metrics_port)) == NULL)
        code = CLI_FAILED;
    else if (v->records && s3store_reader_open(f.target, NULL, &f.reader, &err) != S3STORE_OK)
        code = cli_fail(cli, &err);
    else if (start(&f, &code))
        code = follow(&f);
    cli_metrics_stop(page);
    cli_explain_reading(cli, f.target, true);
    s3store_reader_free(f.reader);
    s3store_target_free(f.target);
    free(f.offset);
    return code;
}

const cli_verb cli_verb_tail = {
    .name = "tail",
    .arguments = "URL",
    .summary = "follow the stream: commits, or their rows, as they settle",
    .help =
        "Prints one line for each commit from now on, in stream order, until Ctrl-C. It asks often\n"
        "while there is something to see and seldom (every 5 s) while there is not; errors that may\n"
        "pass are told and tried again. With --checkpoint the place reached is stored after the lines\n"
        "have left: the next run continues there, also after a crash. Some lines may then come again,\n"
        "none is missing. --timeout limits each round, not the whole.\n\n"
        "Examples:\n"
        "  s3store tail file:///data/quakes --records\n"
        "  s3store tail file:///data/quakes --since -10m --checkpoint quakes.offset",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(tail_values),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
