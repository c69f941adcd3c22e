#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "progress.h"
#include "records/input.h"
#include "results.h"
#include "token_template.h"

typedef struct write_values {
    const char *key, *token, *token_template;
    int64_t inserted_at_us;
    int format, compression, fence;
    cli_list types, blooms, sorted_by;
    bool optimistic, dry_run, keep_going, accept_different, allow_unaddressable, no_token;
} write_values;

static const char *const formats[] = {"auto", "jsonl", "csv", "parquet", NULL};
static const char *const compressions[] = {"default", "snappy", "zstd", "gzip", "uncompressed",
                                           NULL};
static const char *const fences[] = {"auto", "off", NULL};

#define VALUE(member) offsetof(write_values, member)
static const cli_option options[] = {
    {"--format", 0, "FORMAT", "jsonl, csv or parquet (default: by the file's name, else jsonl)",
     CLI_CHOICE, VALUE(format), formats},
    {"--key", 0, "A=1/B=2", "everything goes to this partition; its columns are added", CLI_TEXT,
     VALUE(key), NULL},
    {"--token", 0, "T", "idempotency token: repeating the write changes nothing", CLI_TEXT,
     VALUE(token), NULL},
    {"--token-template", 0, "TEXT", "a token for each partition, '{column}' stands for its value",
     CLI_TEXT, VALUE(token_template), NULL},
    {"--no-token", 0, NULL, "an input of several commits for a partition needs a token, or this", CLI_FLAG,
     VALUE(no_token), NULL},
    {"--inserted-at", 0, "TIME", "insertion time (default: now)", CLI_TIME, VALUE(inserted_at_us),
     NULL},
    {"--compression", 0, "NAME", "snappy, zstd, gzip or uncompressed", CLI_CHOICE,
     VALUE(compression), compressions},
    {"--bloom", 0, "COLUMN,...", "bloom filters in the files: reads by a value skip row groups",
     CLI_LIST, VALUE(blooms), NULL},
    {"--sorted-by", 0, "COLUMN,...", "the rows of each partition are: recorded in the files",
     CLI_LIST, VALUE(sorted_by), NULL},
    {"--types", 0, "COL:TYPE,...", "column types, nested ones too, instead of what the values look like", CLI_LIST,
     VALUE(types), NULL},
    {"--optimistic", 0, NULL, "with a token: do not ask first whether it is committed", CLI_FLAG,
     VALUE(optimistic), NULL},
    {"--fence", 0, "MODE", "auto (default), or off: commits do not expire", CLI_CHOICE,
     VALUE(fence), fences},
    {"--keep-going", 0, NULL, "try every partition even when one fails", CLI_FLAG,
     VALUE(keep_going), NULL},
    {"--accept-different", 0, NULL, "a token committed with other data is no error", CLI_FLAG,
     VALUE(accept_different), NULL},
    {"--allow-unaddressable", 0, NULL, "accept partition values that no pattern can name", CLI_FLAG,
     VALUE(allow_unaddressable), NULL},
    {"--dry-run", 0, NULL, "show partitions, rows and keys; write nothing", CLI_FLAG,
     VALUE(dry_run), NULL},
};

static void defaults(void *values)
{
    ((write_values *)values)->inserted_at_us = S3STORE_TIME_NONE;
}

/* The columns of --key: names and values, in copies. */
typedef struct key_columns {
    char *text;
    const char **names, **values;
    size_t count;
} key_columns;

static bool split_key(const s3store_target *target, const char *key, key_columns *out)
{
    size_t parts = s3store_target_partition_part_count(target);
    out->text = strdup(key);
    out->names = calloc(parts + 1, sizeof *out->names);
    out->values = calloc(parts + 1, sizeof *out->values);
    if (out->text == NULL || out->names == NULL || out->values == NULL)
        return false;
    char *at = out->text;
    for (size_t i = 0; i < parts && at != NULL; i++) {
        char *segment = strsep(&at, "/");
        char *value = strchr(segment, '=');
        const char *spec = s3store_target_partition_spec(target, i);
        /* A formatted part says less than its column holds: only plain ones are constants. */
        if (value == NULL || strchr(spec, ':') != NULL)
            continue;
        *value = '\0';
        const char *column = strchr(spec, '=');
        out->names[out->count] = column != NULL ? column + 1 : segment;
        out->values[out->count++] = value + 1;
    }
    return true;
}

static void free_key(key_columns *key)
{
    free(key->text);
    free(key->names);
    free(key->values);
}

/* ---- how far it has come, on a terminal ------------------------------------------------------ */

typedef struct write_progress {
    cli_progress line;
    uint64_t records; /* of the whole input; 0 = unknown */
    s3store_write_progress now;
} write_progress;

static void show_reading(void *ctx, uint64_t spooled_bytes, uint64_t records)
{
    write_progress *p = ctx;
    char bytes[CLI_BYTES_SIZE];
    p->records = records;
    if (records > 0)
        cli_progress_show(&p->line, 0, 0, "write: %llu rows checked", (unsigned long long)records);
    else
        cli_progress_show(&p->line, 0, 0, "write: %s read", cli_bytes_text(spooled_bytes, bytes));
}

static void show_writing(void *ctx, const s3store_write_progress *now)
{
    write_progress *p = ctx;
    char bytes[CLI_BYTES_SIZE];
    p->now = *now;
    uint64_t total = p->records > now->rows_read ? p->records : now->rows_read;
    cli_progress_show(&p->line, now->rows_committed, total,
                      "%llu of %llu rows, %s, %llu of %llu partitions",
                      (unsigned long long)now->rows_committed, (unsigned long long)total,
                      cli_bytes_text(now->bytes_stored, bytes),
                      (unsigned long long)now->partitions_committed,
                      (unsigned long long)now->partitions);
}

static void summarize(const write_progress *p, bool dry_run)
{
    char bytes[CLI_BYTES_SIZE];
    if (dry_run)
        cli_progress_summary(&p->line, "write: %llu rows in %llu partitions planned, nothing written",
                             (unsigned long long)p->now.rows_read,
                             (unsigned long long)p->now.partitions);
    else
        cli_progress_summary(&p->line, "write: %llu rows committed in %llu of %llu partitions, %s stored",
                             (unsigned long long)p->now.rows_committed,
                             (unsigned long long)p->now.partitions_committed,
                             (unsigned long long)p->now.partitions,
                             cli_bytes_text(p->now.bytes_stored, bytes));
}

/* ---- the write ------------------------------------------------------------------------------- */

static s3store_status open_input(cli_context *cli, s3store_target *target, const write_values *v,
                                 const key_columns *key, write_progress *progress,
                                 struct ArrowArrayStream *out, s3store_error *err)
{
    struct ArrowSchema recorded = {0};
    uint32_t version;
    s3store_call call = cli_call(cli);
    s3store_status status = s3store_target_schema(target, &call, &version, &recorded, err);
    if (status != S3STORE_OK)
        return status;
    cli_input_options input = {.format = (cli_format)v->format,
                               .types = (const char *const *)v->types.items,
                               .type_count = v->types.count,
                               .constant_names = key->names,
                               .constant_values = key->values,
                               .constant_count = key->count,
                               .recorded = &recorded,
                               .spill_dir = cli->globals.spill_dir,
                               .memory_bytes = cli->globals.memory,
                               .cancel = cli->cancel,
                               .progress = progress->line.on ? show_reading : NULL,
                               .progress_ctx = progress};
    status = cli_input_open(cli->args.items + 1, cli->args.count - 1, &input, out, err);
    if (recorded.release != NULL)
        recorded.release(&recorded);
    return status;
}

static s3store_write_options write_options(const cli_context *cli, const write_values *v)
{
    s3store_write_options write = S3STORE_WRITE_OPTIONS_INIT;
    write.partition = v->key;
    write.token = v->token;
    write.inserted_at_us = v->inserted_at_us;
    write.compression = (s3store_compression)v->compression;
    write.optimistic = v->optimistic;
    write.keep_going = v->keep_going;
    write.accept_different = v->accept_different;
    write.dry_run = v->dry_run;
    write.no_token = v->no_token;
    write.bloom_columns = (const char *const *)v->blooms.items;
    write.bloom_column_count = v->blooms.count;
    write.sorting_columns = (const char *const *)v->sorted_by.items;
    write.sorting_column_count = v->sorted_by.count;
    write.cancel = cli->cancel;
    write.timeout_ms = cli_timeout_ms(cli);
    return write;
}

static int write_input(cli_context *cli, s3store_target *target, const write_values *v)
{
    s3store_error err = {0};
    s3store_writer *writer = NULL;
    s3store_write_result *result = NULL;
    struct ArrowArrayStream input = {0};
    key_columns key = {0};
    cli_token_template template = {.text = v->token_template};
    write_progress progress = {0};
    s3store_write_options write = write_options(cli, v);
    s3store_writer_options open = S3STORE_WRITER_OPTIONS_INIT;
    s3store_call call = cli_call(cli);
    open.allow_unaddressable = v->allow_unaddressable;
    open.call = &call;
    if (v->token_template != NULL) {
        write.token_of = cli_token_of;
        write.token_of_ctx = &template;
    }
    cli_progress_begin(&progress.line, cli);
    write.progress = progress.line.on ? show_writing : NULL;
    write.progress_ctx = &progress;
    s3store_status status = S3STORE_OK;
    if (v->key != NULL && !split_key(target, v->key, &key)) {
        status = S3STORE_OUT_OF_MEMORY;
        err.status = status;
    }
    if (status == S3STORE_OK)
        status = open_input(cli, target, v, &key, &progress, &input, &err);
    if (status == S3STORE_OK)
        status = s3store_writer_open(target, &open, &writer, &err);
    if (status == S3STORE_OK)
        status = s3store_write(writer, &input, &write, &result, &err);
    if (input.release != NULL)
        input.release(&input);
    cli_progress_end(&progress.line);
    cli_print_result(result);
    if (result != NULL)
        summarize(&progress, v->dry_run);
    int code = status == S3STORE_OK ? CLI_OK : cli_fail(cli, &err);
    s3store_write_result_free(result);
    s3store_writer_free(writer);
    free_key(&key);
    return code;
}

static int run(cli_context *cli, void *values)
{
    const write_values *v = values;
    s3store_error err = {0};
    if (v->token != NULL && v->token_template != NULL)
        return cli_usage(cli, "--token and --token-template exclude each other");
    if (v->no_token && (v->token != NULL || v->token_template != NULL))
        return cli_usage(cli, "--no-token and a token exclude each other");
    if (v->token != NULL && s3store_token_validate(v->token, &err) != S3STORE_OK)
        return cli_usage(cli, "--token: %s", err.message);
    if (cli->args.count == 1 && isatty(STDIN_FILENO))
        return cli_usage(cli, "no file is given and standard input is a terminal");
    int code;
    cli->fence = (s3store_fence)v->fence;
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    code = write_input(cli, target, v);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_write = {
    .name = "write",
    .arguments = "URL [FILE|-]...",
    .summary = "write records: JSON Lines, CSV or Parquet",
    .help =
        "Reads the files (or standard input) as one input, divides it by the partition columns, and\n"
        "commits each partition wholly or not at all. Prints one JSON line for each partition, in key\n"
        "order: partition, status (committed, existing, committed_late, failed, not_tried; planned with\n"
        "--dry-run), offset, data_path, ref_path, inserted_at, token, row_count, chunk, error.\n"
        "With --token the same write can be repeated: what is committed already is returned as it was.\n"
        "An input of any size is written within --memory. Where a partition has more rows than one\n"
        "commit takes (init --chunk-rows, --chunk-bytes) it gets several, one line each; such an input\n"
        "needs a token, so that it can be repeated when it is interrupted, or --no-token.\n\n"
        "Examples:\n"
        "  s3store write file:///data/quakes feed.jsonl --token feed-0412\n"
        "  zcat feed.csv.gz | s3store write file:///data/quakes --format csv\n"
        "  s3store write file:///data/quakes new.parquet --dry-run",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(write_values),
    .defaults = defaults,
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run,
};
