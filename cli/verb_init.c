#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/types.h"
#include "view_spec.h"

typedef struct init_values {
    int64_t commit_timeout_us, max_clock_skew_us;
    cli_list types, views;
    int compression;
    int64_t chunk_rows;
    uint64_t chunk_bytes;
} init_values;

static const char *const compressions[] = {"default", "snappy", "zstd", "gzip", "uncompressed",
                                           NULL};

#define VALUE(member) offsetof(init_values, member)
static const cli_option options[] = {
    {"--commit-timeout", 0, "DURATION", "longest time from ref to commit (default 15s; file: 1s)",
     CLI_DURATION, VALUE(commit_timeout_us), NULL},
    {"--max-clock-skew", 0, "DURATION", "largest clock difference (default 1s; file: 0s)",
     CLI_DURATION, VALUE(max_clock_skew_us), NULL},
    {"--types", 0, "COL:TYPE,...", "record column types now instead of at the first write",
     CLI_LIST, VALUE(types), NULL},
    {"--compression", 0, "NAME", "snappy (default), zstd, gzip or uncompressed", CLI_CHOICE,
     VALUE(compression), compressions},
    {"--view", 0, "NAME=C,...", "a view: an index of the tuples of columns; may be repeated",
     CLI_REPEAT, VALUE(views), NULL},
    {"--chunk-rows", 0, "N", "rows of one commit at most: larger inputs are cut (default 1000000)",
     CLI_INT, VALUE(chunk_rows), NULL},
    {"--chunk-bytes", 0, "SIZE", "bytes of one commit's rows at most (default 128M)", CLI_BYTES,
     VALUE(chunk_bytes), NULL},
};

static void defaults(void *values)
{
    init_values *v = values;
    v->commit_timeout_us = S3STORE_TIME_NONE;
    v->max_clock_skew_us = S3STORE_TIME_NONE;
}

static void print_result(cli_context *cli, bool created)
{
    const char *url = cli->args.items[0];
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_text(&j, "url", url);
        cli_json_bool(&j, "created", created);
        cli_json_end(&j);
    } else {
        printf(created ? "initialised %s\n" : "%s is initialised already\n", url);
    }
}

/* "day:month" is the name of a part and of a column, though its author meant a format. NULL = fine. */
static const char *looks_like_format(const char *spec)
{
    static const char *const formats[] = {"year", "month", "day", "hour", "rfc3339"};
    const char *colon = strchr(spec, '=') == NULL ? strrchr(spec, ':') : NULL;
    for (size_t i = 0; colon != NULL && i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(colon + 1, formats[i]) == 0)
            return colon;
    return NULL;
}

static int create(cli_context *cli, const init_values *v, const s3store_view_def *const *views)
{
    s3store_error err = {0};
    struct ArrowSchema schema = {0};
    bool created = false;
    s3store_target_config config = cli_target_config(cli);
    if (config.partition_by_count == 0)
        return cli_usage(cli, "--partition-by is needed: which columns divide the dataset?");
    for (size_t i = 0; i < config.partition_by_count; i++) {
        const char *spec = config.partition_by[i], *colon = looks_like_format(spec);
        if (colon != NULL)
            return cli_usage(cli, "--partition-by %s: a format needs the part's name and its column: "
                             "%s=%.*s:%s", spec, colon + 1, (int)(colon - spec), spec, colon + 1);
    }
    if (s3store_target_config_validate(&config, false, &err) != S3STORE_OK)
        return cli_usage(cli, "%s", err.message);
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    s3store_call call = cli_call(cli);
    init.commit_timeout_us = v->commit_timeout_us;
    init.max_clock_skew_us = v->max_clock_skew_us;
    init.compression = (s3store_compression)v->compression;
    init.chunk_rows = (uint64_t)v->chunk_rows;
    init.chunk_bytes = v->chunk_bytes;
    init.call = &call;
    init.views = views;
    init.view_count = v->views.count;
    if (v->types.count > 0) {
        if (cli_types_schema(&v->types, &schema, &err) != S3STORE_OK)
            return cli_usage(cli, "%s", err.message);
        init.schema = &schema;
    }
    s3store_status status = s3store_dataset_init(&config, &init, &created, &err);
    if (schema.release != NULL)
        schema.release(&schema);
    if (status != S3STORE_OK)
        return cli_fail(cli, &err);
    print_result(cli, created);
    return CLI_OK;
}

/* The views of --view. specs and defs have room for all of them. */
static bool parse_views(const cli_list *views, cli_view_spec *specs, const s3store_view_def **defs,
                        s3store_error *err)
{
    for (size_t i = 0; i < views->count; i++) {
        if (cli_view_spec_parse(views->items[i], &specs[i], err) != S3STORE_OK)
            return false;
        defs[i] = &specs[i].def;
    }
    return true;
}

static int run(cli_context *cli, void *values)
{
    const init_values *v = values;
    cli_view_spec *specs = calloc(v->views.count + 1, sizeof *specs);
    const s3store_view_def **defs = calloc(v->views.count + 1, sizeof *defs);
    s3store_error err = {0};
    int code = CLI_FAILED;
    if (specs == NULL || defs == NULL)
        cli_note("s3store init: out of memory");
    else if (!parse_views(&v->views, specs, defs, &err))
        code = cli_usage(cli, "--view: %s", err.message);
    else
        code = create(cli, v, defs);
    for (size_t i = 0; specs != NULL && i < v->views.count; i++)
        cli_view_spec_free(&specs[i]);
    free(specs);
    free(defs);
    return code;
}

const cli_verb cli_verb_init = {
    .name = "init",
    .arguments = "URL --partition-by P,...",
    .summary = "create a dataset, or adopt a prefix that has data",
    .help =
        "Writes the dataset's timing and its description. The same init twice succeeds; one that\n"
        "contradicts what is recorded changes nothing and fails. P is part[=column[:format]]; formats\n"
        "of dates and timestamps (in UTC) are year, month, day, hour, rfc3339, or a strftime pattern. C\n"
        "of a view is the same; other views are added later with view-add.\n\n"
        "Examples:\n"
        "  s3store init file:///data/quakes --partition-by day --entity id --version updated\n"
        "  s3store init s3://bucket/flights --partition-by month=date:month --compression zstd",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(init_values),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
