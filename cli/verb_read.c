#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "offsets.h"
#include "records/output.h"

typedef struct read_values {
    cli_list columns;
    bool history, strict, tolerant, exactly_once;
    int64_t since_us, until_us, limit, read_ahead, read_ahead_bytes;
    const char *shard, *where, *offset_file;
    int format;
} read_values;

static const char *const formats[] = {"auto", "jsonl", "csv", "parquet", "table", NULL};

#define VALUE(member) offsetof(read_values, member)
static const cli_option options[] = {
    {"--columns", 0, "X,Y", "only these columns, in this order", CLI_LIST, VALUE(columns), NULL},
    {"--where", 0, "EXPR", "only rows for which this is true: \"mag >= 4.5 and place is not null\"",
     CLI_TEXT, VALUE(where), NULL},
    {"--history", 0, NULL, "every version, not only the latest of each entity", CLI_FLAG,
     VALUE(history), NULL},
    {"--since", 0, "T", "read the stream from this time on instead of a snapshot", CLI_TIME,
     VALUE(since_us), NULL},
    {"--until", 0, "T", "read the stream up to this time (exclusive)", CLI_TIME, VALUE(until_us),
     NULL},
    {"--limit", 0, "N", "rows at most", CLI_INT, VALUE(limit), NULL},
    {"--shard", 0, "I/N", "only the partitions of shard I (from 0) of N", CLI_TEXT, VALUE(shard),
     NULL},
    {"--read-ahead", 0, "N", "partitions decoded ahead (default 1)", CLI_INT, VALUE(read_ahead), NULL},
    {"--read-ahead-bytes", 0, "SIZE", "decoded bytes held ahead (default: by --memory)", CLI_BYTES,
     VALUE(read_ahead_bytes), NULL},
    {"--offset-file", 0, "FILE", "store the offset from which `poll` and `tail` go on", CLI_TEXT,
     VALUE(offset_file), NULL},
    {"--exactly-once", 0, NULL, "with --offset-file: what is printed here does not come there again",
     CLI_FLAG, VALUE(exactly_once), NULL},
    {"--format", 0, "FORMAT", "table (on a terminal), jsonl (else), csv or parquet", CLI_CHOICE,
     VALUE(format), formats},
    {"--strict", 0, NULL, "a data object that is gone is an error (snapshots: default)", CLI_FLAG,
     VALUE(strict), NULL},
    {"--tolerant", 0, NULL, "skip data objects that are gone (ranges: default)", CLI_FLAG,
     VALUE(tolerant), NULL},
};

static void defaults(void *values)
{
    read_values *v = values;
    v->since_us = S3STORE_TIME_NONE;
    v->until_us = S3STORE_TIME_NONE;
    v->read_ahead = S3STORE_DEFAULT_READ_AHEAD_PARTITIONS;
}

static bool parse_shard(const char *text, s3store_read_options *read)
{
    char *end;
    unsigned long index = strtoul(text, &end, 10);
    if (end == text || *end != '/' || text[0] == '-')
        return false;
    const char *second = end + 1;
    unsigned long count = strtoul(second, &end, 10);
    if (end == second || *end != '\0' || *second == '-' || count == 0 || count > UINT32_MAX ||
        index >= count)
        return false;
    read->shard_index = (uint32_t)index;
    read->shard_count = (uint32_t)count;
    return true;
}

/* How many refs of the range are not settled yet: nobody should take their absence for a fact. */
static void note_pending(cli_context *cli, s3store_target *target)
{
    s3store_entries *entries = NULL;
    char offset[CLI_OFFSET_SIZE];
    if (s3store_settled_offset(target, offset, sizeof offset, NULL) != S3STORE_OK)
        return;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    poll.since = offset;
    poll.cancel = cli->cancel;
    if (s3store_poll(target, &poll, &entries, NULL) == S3STORE_OK)
        cli_offset_note_pending(entries);
    s3store_entries_free(entries);
}

/* The offset of before the first request, once all rows have left this process. */
static int store_offset(cli_context *cli, const char *path, const char *offset)
{
    s3store_error err = {0};
    cli_handed handed = cli_hand_over();
    if (handed != CLI_HANDED_OVER)
        return handed == CLI_HANDED_CLOSED ? CLI_OK : CLI_FAILED;
    return cli_write_file(path, offset, &err) ? CLI_OK : cli_fail(cli, &err);
}

static int read_rows(cli_context *cli, s3store_target *target, const read_values *v,
                     const s3store_read_options *read)
{
    s3store_error err = {0};
    s3store_reader *reader = NULL;
    struct ArrowArrayStream rows = {0};
    bool closed = false;
    s3store_entries *handover = NULL;
    s3store_read_options own = *read;
    char offset[CLI_OFFSET_SIZE];
    cli_format format = (cli_format)v->format;
    if (format == CLI_FORMAT_AUTO)
        format = isatty(STDOUT_FILENO) ? CLI_FORMAT_TABLE : CLI_FORMAT_JSONL;
    s3store_status status = s3store_reader_open(target, NULL, &reader, &err);
    if (status == S3STORE_OK && v->offset_file != NULL)
        status = s3store_settled_offset(target, offset, sizeof offset, &err);
    if (v->exactly_once)
        own.handover = &handover;
    if (status == S3STORE_OK)
        status = s3store_read(reader, &own, &rows, &err);
    if (status == S3STORE_OK)
        status = cli_output_stream(&rows, format, &closed, NULL, &err);
    s3store_reader_free(reader);
    int code = status == S3STORE_OK ? CLI_OK : cli_fail(cli, &err);
    if (code == CLI_OK && v->offset_file != NULL && !closed)
        code = store_offset(cli, v->offset_file,
                            v->exactly_once ? s3store_entries_next_offset(handover) : offset);
    s3store_entries_free(handover);
    return code;
}

/* What excludes what. CLI_OK, or what cli_usage gave. */
static int check_values(cli_context *cli, const read_values *v, bool range)
{
    if (v->strict && v->tolerant)
        return cli_usage(cli, "--strict and --tolerant exclude each other");
    if (range && cli->args.count > 1)
        return cli_usage(cli, "patterns select a snapshot, --since and --until a range of the "
                              "stream: give one or the other");
    if (v->offset_file != NULL && (range || v->limit > 0))
        return cli_usage(cli, "--offset-file is for whole snapshots: not with --since, --until or "
                              "--limit");
    if (v->exactly_once && v->offset_file == NULL)
        return cli_usage(cli, "--exactly-once needs --offset-file");
    if (v->since_us != S3STORE_TIME_NONE && v->until_us != S3STORE_TIME_NONE &&
        v->since_us > v->until_us)
        return cli_usage(cli, "the range is reversed: --since is after --until");
    if (v->read_ahead < 0 || v->read_ahead > INT32_MAX)
        return cli_usage(cli, "--read-ahead must be between 0 and %d", INT32_MAX);
    return CLI_OK;
}

static int run(cli_context *cli, void *values)
{
    static const char *const everything[] = {"*"};
    const read_values *v = values;
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    bool range = v->since_us != S3STORE_TIME_NONE || v->until_us != S3STORE_TIME_NONE;
    int code = check_values(cli, v, range);
    if (code != CLI_OK)
        return code;
    if (v->shard != NULL && !parse_shard(v->shard, &read))
        return cli_usage(cli, "--shard %s: must be I/N with I from 0 to N-1", v->shard);
    if (cli->args.count > 1) {
        read.patterns = cli->args.items + 1;
        read.pattern_count = cli->args.count - 1;
    } else if (!range) {
        read.patterns = everything;
        read.pattern_count = 1;
    }
    read.range = range;
    read.since_us = v->since_us;
    read.until_us = v->until_us;
    if (v->columns.count > 0)
        read.columns = (const char *const *)v->columns.items;
    read.column_count = v->columns.count;
    read.history = v->history;
    read.where = v->where;
    read.limit = v->limit;
    read.read_ahead_partitions = v->read_ahead == 0 ? S3STORE_READ_AHEAD_NONE : (int)v->read_ahead;
    read.read_ahead_bytes = (uint64_t)v->read_ahead_bytes;
    read.missing = v->strict     ? S3STORE_MISSING_STRICT
                   : v->tolerant ? S3STORE_MISSING_TOLERANT
                                 : S3STORE_MISSING_DEFAULT;
    read.cancel = cli->cancel;
    read.timeout_ms = cli_timeout_ms(cli);
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    code = read_rows(cli, target, v, &read);
    if (code == CLI_OK && range && v->until_us == S3STORE_TIME_NONE)
        note_pending(cli, target);
    cli_explain_reading(cli, target, range);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_read = {
    .name = "read",
    .arguments = "URL [PATTERN]...",
    .summary = "the rows of a snapshot, or of a range of the stream",
    .help =
        "Without a pattern: everything. A pattern has a segment for each partition column: *,\n"
        "name=value, name=prefix*, or name=from..to (to excluded). With entity and version columns the\n"
        "latest version of each entity in its partition is printed, with --history every version.\n"
        "--offset-file stores the place in the stream to go on from: nothing is missed, and what came\n"
        "while the snapshot was read may come once more, unless --exactly-once is given.\n\n"
        "Examples:\n"
        "  s3store read file:///data/quakes 'day=2018-02-07' --columns id,mag,place\n"
        "  s3store read file:///data/quakes 'day=2018-02-01..2018-02-04' --history --format csv\n"
        "  s3store read file:///data/quakes --where \"mag >= 4.5 and place is not null\"\n"
        "  s3store read file:///data/quakes --since -1h\n"
        "  s3store read file:///data/quakes --offset-file at && s3store tail file:///data/quakes "
        "--checkpoint at",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(read_values),
    .defaults = defaults,
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run,
};
