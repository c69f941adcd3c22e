/* view: what is in a view. view-add: one view more. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "records/output.h"
#include "view_spec.h"

/* ---- view ------------------------------------------------------------------------------------------------ */

typedef struct view_values {
    cli_list columns;
    int format;
} view_values;

static const char *const formats[] = {"auto", "jsonl", "csv", "parquet", "table", NULL};

#define VALUE(member) offsetof(view_values, member)
static const cli_option view_options[] = {
    {"--columns", 0, "C,...", "the view's columns, where the dataset does not record it", CLI_LIST,
     VALUE(columns), NULL},
    {"--format", 0, "FORMAT", "table (on a terminal), jsonl (else), csv or parquet", CLI_CHOICE,
     VALUE(format), formats},
};

static s3store_status print_tuples(cli_context *cli, s3store_view *view, const view_values *v,
                                   s3store_error *err)
{
    static const char *const everything[] = {"*"};
    s3store_lookup_options lookup = S3STORE_LOOKUP_OPTIONS_INIT;
    s3store_lookup_stats stats = {.size = sizeof stats};
    struct ArrowArrayStream tuples = {0};
    cli_format format = (cli_format)v->format;
    if (format == CLI_FORMAT_AUTO)
        format = isatty(STDOUT_FILENO) ? CLI_FORMAT_TABLE : CLI_FORMAT_JSONL;
    lookup.patterns = cli->args.count > 2 ? cli->args.items + 2 : everything;
    lookup.pattern_count = cli->args.count > 2 ? cli->args.count - 2 : 1;
    lookup.cancel = cli->cancel;
    lookup.timeout_ms = cli_timeout_ms(cli);
    s3store_status status = s3store_view_lookup(view, &lookup, &tuples, &stats, err);
    if (status == S3STORE_OK)
        status = cli_output_stream(&tuples, format, NULL, NULL, err);
    if (status == S3STORE_OK && stats.strays > 0)
        cli_note("s3store view: %llu object%s below the view %s none of its markers: skipped",
                 (unsigned long long)stats.strays, stats.strays == 1 ? "" : "s",
                 stats.strays == 1 ? "is" : "are");
    return status;
}

static int run_view(cli_context *cli, void *values)
{
    const view_values *v = values;
    s3store_error err = {0};
    s3store_view *view = NULL;
    int code;
    s3store_view_def def = cli_view_named(cli->args.items[1], &v->columns);
    if (def.column_count > 0 && s3store_view_validate(&def, &err) != S3STORE_OK)
        return cli_usage(cli, "%s", err.message);
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    s3store_call call = cli_call(cli);
    s3store_status status = s3store_view_open(target, &def, &call, &view, &err);
    if (status == S3STORE_OK)
        status = print_tuples(cli, view, v, &err);
    if (status != S3STORE_OK)
        code = cli_fail(cli, &err);
    s3store_view_free(view);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_view = {
    .name = "view",
    .arguments = "URL NAME [PATTERN]...",
    .summary = "the tuples of a view that patterns match",
    .help =
        "A view is an index by names: the distinct tuples of some columns that were ever written. Data\n"
        "is not read. Without a pattern: everything. A pattern has a segment for each column of the\n"
        "view: *, name=value, name=prefix*, or name=from..to (to excluded). Tuples come in key order.\n\n"
        "Examples:\n"
        "  s3store view file:///data/quakes by_place\n"
        "  s3store view file:///data/quakes by_place 'place=Alaska*/*' --format csv",
    .options = view_options,
    .option_count = sizeof view_options / sizeof view_options[0],
    .values_size = sizeof(view_values),
    .min_args = 2,
    .max_args = SIZE_MAX,
    .run = run_view,
};

/* ---- view-add -------------------------------------------------------------------------------------------- */

static void print_advice(const cli_context *cli, const s3store_view_def *def, bool created,
                         int64_t restart_from_us)
{
    char from[S3STORE_TIME_TEXT_SIZE];
    const char *url = cli->args.items[0];
    s3store_time_format(restart_from_us, from, sizeof from);
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_text(&j, "view", def->name);
        cli_json_bool(&j, "created", created);
        cli_json_time(&j, "restart_from", restart_from_us);
        cli_json_end(&j);
        return;
    }
    if (!created) {
        printf("view %s is recorded already\n", def->name);
        return;
    }
    printf("added view %s\n"
           "Writers leave its markers when they are opened at %s or later: restart the others.\n"
           "Then make the markers of what is there already; where a writer that was not restarted\n"
           "ended later than that, give the time of its end instead:\n"
           "  s3store backfill %s %s --until %s\n",
           def->name, from, url, def->name, from);
}

static int run_add(cli_context *cli, void *values)
{
    (void)values;
    s3store_error err = {0};
    cli_view_spec spec;
    bool created;
    int64_t restart_from_us;
    int code = CLI_OK;
    if (cli_view_spec_parse(cli->args.items[1], &spec, &err) != S3STORE_OK) {
        cli_view_spec_free(&spec);
        return cli_usage(cli, "%s", err.message);
    }
    s3store_target *target = cli_target_open(cli, &code);
    if (target != NULL) {
        s3store_call call = cli_call(cli);
        if (s3store_view_add(target, &spec.def, &call, &created, &restart_from_us, &err) !=
            S3STORE_OK)
            code = cli_fail(cli, &err);
        else
            print_advice(cli, &spec.def, created, restart_from_us);
        cli_explain(cli, target);
        s3store_target_free(target);
    }
    cli_view_spec_free(&spec);
    return code;
}

const cli_verb cli_verb_view_add = {
    .name = "view-add",
    .arguments = "URL NAME=C,...",
    .summary = "record a view in a dataset that exists",
    .help =
        "C is column[=from[:format]]: the name in the view, the data's column (by default of that name),\n"
        "and for dates and timestamps a format in UTC: year, month, day, hour, rfc3339, or a strftime\n"
        "pattern. Writers that are running do not see the view: what is printed says from when on they\n"
        "must be restarted, and how the markers of earlier data are made. The same view twice succeeds;\n"
        "another one of that name changes nothing and fails.\n\n"
        "Example:\n"
        "  s3store view-add file:///data/quakes by_place=place,day=time:day",
    .min_args = 2,
    .max_args = 2,
    .run = run_add,
};
