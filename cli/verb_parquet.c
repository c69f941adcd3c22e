#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "records/output.h"

typedef struct parquet_values {
    bool schema, meta, pages;
    cli_list columns;
    int64_t limit;
    int format;
} parquet_values;

static const char *const formats[] = {"auto", "jsonl", "csv", "table", NULL};

#define VALUE(member) offsetof(parquet_values, member)
static const cli_option options[] = {
    {"--schema", 0, NULL, "groups and columns with their types", CLI_FLAG, VALUE(schema), NULL},
    {"--meta", 0, NULL, "row groups: encodings, sizes, statistics", CLI_FLAG, VALUE(meta), NULL},
    {"--pages", 0, NULL, "row groups and the header of every page", CLI_FLAG, VALUE(pages), NULL},
    {"--columns", 0, "X,Y", "only these top-level columns", CLI_LIST, VALUE(columns), NULL},
    {"--limit", 0, "N", "rows at most", CLI_INT, VALUE(limit), NULL},
    {"--format", 0, "FORMAT", "rows as table (on a terminal), jsonl (else) or csv", CLI_CHOICE,
     VALUE(format), formats},
};

typedef struct line_output {
    bool failed;
} line_output;

static bool print_line(void *ctx, const char *text, size_t size)
{
    line_output *o = ctx;
    o->failed = fwrite(text, 1, size, stdout) != size;
    return !o->failed;
}

static int describe(cli_context *cli, const char *path, s3store_parquet_part part,
                    const s3store_parquet_options *read)
{
    s3store_error err = {0};
    line_output output = {false};
    /* A closed pipe ends it; cli_flush tells other failures. */
    if (s3store_parquet_describe(path, part, cli->globals.json, read, print_line, &output, &err) !=
        S3STORE_OK) {
        int code = CLI_OK;
        cli_flush(&code); /* what came before the damage */
        return cli_fail(cli, &err);
    }
    return CLI_OK;
}

static int rows(cli_context *cli, const char *path, int format,
                const s3store_parquet_options *read)
{
    static const cli_format chosen[] = {CLI_FORMAT_AUTO, CLI_FORMAT_JSONL, CLI_FORMAT_CSV,
                                        CLI_FORMAT_TABLE};
    cli_format f = chosen[format];
    s3store_error err = {0};
    struct ArrowArrayStream stream = {0};
    bool closed = false;
    if (f == CLI_FORMAT_AUTO)
        f = isatty(STDOUT_FILENO) && !cli->globals.json ? CLI_FORMAT_TABLE : CLI_FORMAT_JSONL;
    s3store_status status = s3store_parquet_read(path, read, &stream, &err);
    if (status == S3STORE_OK)
        status = cli_output_stream(&stream, f, &closed, NULL, &err);
    return status == S3STORE_OK ? CLI_OK : cli_fail(cli, &err);
}

static int look(cli_context *cli, const char *path, const parquet_values *v,
                const s3store_parquet_options *read)
{
    if (v->schema)
        return describe(cli, path, S3STORE_PARQUET_SCHEMA, read);
    if (v->meta)
        return describe(cli, path, S3STORE_PARQUET_META, read);
    if (v->pages)
        return describe(cli, path, S3STORE_PARQUET_PAGES, read);
    return rows(cli, path, v->format, read);
}

static int run(cli_context *cli, void *values)
{
    const parquet_values *v = values;
    const char *path = cli->args.items[0];
    if (strstr(path, "://") != NULL && strncmp(path, "file://", 7) != 0 &&
        strncmp(path, "s3://", 5) != 0)
        return cli_usage(cli, "%s: give a file, file:///path or s3://bucket/key", path);
    if (v->schema + v->meta + v->pages > 1)
        return cli_usage(cli, "--schema, --meta and --pages exclude each other");
    s3store_parquet_options read = S3STORE_PARQUET_OPTIONS_INIT;
    if (v->columns.count > 0)
        read.columns = (const char *const *)v->columns.items;
    read.column_count = v->columns.count;
    read.limit = v->limit;
    read.memory_bytes = cli->globals.memory;
    s3store_target_config access = cli_target_config(cli);
    s3store_request_counts requests = {.size = sizeof requests};
    read.access = &access;
    read.requests = &requests;
    int code = look(cli, path, v, &read);
    cli_explain_requests(cli, &requests);
    return code;
}

const cli_verb cli_verb_parquet = {
    .name = "parquet",
    .arguments = "FILE|URL",
    .summary = "look into a Parquet file: its rows, schema, row groups, pages",
    .help =
        "Without an option: the rows. Nested values are JSON, binary is base64, decimals are strings\n"
        "with all their digits, NaN and Infinity strings, timestamps have all their digits. With --json\n"
        "descriptions are JSON lines. FILE is a path or file:///path; of s3://bucket/key the end is fetched\n"
        "first, then what is asked for.\n\n"
        "Examples:\n"
        "  s3store parquet part.parquet --limit 5\n"
        "  s3store parquet part.parquet --schema\n"
        "  s3store parquet part.parquet --meta --columns id,amount\n"
        "  s3store parquet part.parquet --pages --json\n"
        "  s3store parquet s3://bucket/sales/data/day=2026-01-01/part.parquet --limit 5",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(parquet_values),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
