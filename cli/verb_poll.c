#include <stdlib.h>

#include "offsets.h"
#include "records/output.h"

typedef struct poll_values {
    const char *since, *until, *offset_file;
    int64_t max;
    bool records, skip_damaged;
} poll_values;

#define VALUE(member) offsetof(poll_values, member)
static const cli_option options[] = {
    {"--since", 0, "T", "an offset, a time, or an age like -10m (default: the beginning)", CLI_TEXT,
     VALUE(since), NULL},
    {"--until", 0, "T", "stop before this offset or time", CLI_TEXT, VALUE(until), NULL},
    {"--max", 0, "N", "entries at most (default 1000)", CLI_INT, VALUE(max), NULL},
    {"--records", 0, NULL, "print the rows of the entries instead of the entries", CLI_FLAG,
     VALUE(records), NULL},
    {"--offset-file", 0, "FILE", "continue from FILE, and store the next offset there", CLI_TEXT,
     VALUE(offset_file), NULL},
    {"--skip-damaged", 0, NULL, "pass damaged commit markers instead of stopping there", CLI_FLAG,
     VALUE(skip_damaged), NULL},
};

static void defaults(void *values)
{
    ((poll_values *)values)->max = S3STORE_DEFAULT_POLL_MAX;
}

/* The offset goes where the next run finds it, after what it stands for was printed. */
static int hand_over_offset(cli_context *cli, const poll_values *v, const s3store_entries *entries)
{
    s3store_error err = {0};
    const char *next = s3store_entries_next_offset(entries);
    cli_handed handed = cli_hand_over();
    if (handed != CLI_HANDED_OVER)
        return handed == CLI_HANDED_CLOSED ? CLI_OK : CLI_FAILED;
    if (v->offset_file != NULL && !cli_write_file(v->offset_file, next, &err))
        return cli_fail(cli, &err);
    if (!v->records) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_text(&j, "next_offset", next);
        cli_json_end(&j);
    } else if (v->offset_file == NULL) {
        cli_note("next offset: %s", next);
    }
    cli_offset_note_pending(entries);
    cli_offset_note_skipped(entries);
    return CLI_OK;
}

static int print_records(cli_context *cli, s3store_target *target, const poll_values *v,
                         const s3store_poll_options *poll)
{
    s3store_error err = {0};
    s3store_reader *reader = NULL;
    s3store_entries *entries = NULL;
    struct ArrowArrayStream rows = {0};
    bool closed = false;
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    read.cancel = cli->cancel;
    int code = CLI_OK;
    s3store_status status = s3store_reader_open(target, NULL, &reader, &err);
    if (status == S3STORE_OK)
        status = s3store_poll_records(reader, poll, &read, &entries, &rows, &err);
    if (status == S3STORE_OK && rows.release != NULL)
        status = cli_output_stream(&rows, CLI_FORMAT_JSONL, &closed, NULL, &err);
    if (status != S3STORE_OK)
        code = cli_fail(cli, &err);
    else if (!closed)
        code = hand_over_offset(cli, v, entries);
    s3store_entries_free(entries);
    s3store_reader_free(reader);
    return code;
}

static int print_entries(cli_context *cli, s3store_target *target, const poll_values *v,
                         const s3store_poll_options *poll)
{
    s3store_error err = {0};
    s3store_entries *entries = NULL;
    if (s3store_poll(target, poll, &entries, &err) != S3STORE_OK)
        return cli_fail(cli, &err);
    for (size_t i = 0; i < s3store_entries_count(entries); i++)
        cli_offset_print_entry(s3store_entries_get(entries, i));
    int code = hand_over_offset(cli, v, entries);
    s3store_entries_free(entries);
    return code;
}

/* --offset-file wins over --since once it exists. "" = the beginning, NULL: an error was printed. */
static char *start_offset(cli_context *cli, const s3store_target *target, const poll_values *v,
                          int *code)
{
    char *since = NULL;
    if (v->offset_file != NULL && !cli_offset_load(cli, target, v->offset_file, &since, code))
        return NULL;
    if (since != NULL)
        return since;
    return v->since != NULL ? cli_offset_of(cli, target, "--since", v->since, code)
                            : calloc(1, 1);
}

static int run(cli_context *cli, void *values)
{
    const poll_values *v = values;
    char *until = NULL;
    if (v->max < 1 || v->max > INT32_MAX)
        return cli_usage(cli, "--max must be between 1 and %d", INT32_MAX);
    int code = CLI_FAILED;
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    char *since = start_offset(cli, target, v, &code);
    if (since != NULL && v->until != NULL)
        until = cli_offset_of(cli, target, "--until", v->until, &code);
    if (since != NULL && (v->until == NULL || until != NULL)) {
        s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
        poll.since = since;
        poll.until = until;
        poll.max_entries = (int32_t)v->max;
        poll.skip_damaged = v->skip_damaged;
        poll.cancel = cli->cancel;
        poll.timeout_ms = cli_timeout_ms(cli);
        code = v->records ? print_records(cli, target, v, &poll)
                          : print_entries(cli, target, v, &poll);
    }
    cli_explain_reading(cli, target, true);
    s3store_target_free(target);
    free(since);
    free(until);
    return code;
}

const cli_verb cli_verb_poll = {
    .name = "poll",
    .arguments = "URL",
    .summary = "the commits after an offset, as JSON lines, and the next offset",
    .help =
        "Prints one line for each commit, in stream order, and last {\"next_offset\": ...}. Commits\n"
        "younger than the settle window (commit timeout + max clock skew) do not appear yet: what\n"
        "has been printed is never preceded by something later.\n\n"
        "Examples:\n"
        "  s3store poll file:///data/quakes --since -10m\n"
        "  s3store poll file:///data/quakes --records --offset-file quakes.offset",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(poll_values),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
