#include <stdio.h>
#include <string.h>

#include "progress.h"
#include "view_spec.h"

typedef struct backfill_values {
    cli_list columns;
    int64_t until_us;
    const char *after;
    bool allow_unaddressable;
} backfill_values;

#define VALUE(member) offsetof(backfill_values, member)
static const cli_option options[] = {
    {"--until", 0, "T", "only data objects that were modified before", CLI_TIME, VALUE(until_us),
     NULL},
    {"--after", 0, "KEY", "go on after this data object: what an interrupted run printed",
     CLI_TEXT, VALUE(after), NULL},
    {"--columns", 0, "C,...", "the view's columns, where the dataset does not record it", CLI_LIST,
     VALUE(columns), NULL},
    {"--allow-unaddressable", 0, NULL, "accept values that no pattern can name", CLI_FLAG,
     VALUE(allow_unaddressable), NULL},
};

static void defaults(void *values)
{
    ((backfill_values *)values)->until_us = S3STORE_TIME_NONE;
}

static void show(void *ctx, const s3store_backfill_stats *stats)
{
    cli_progress_show(ctx, stats->done_objects, stats->data_objects, "%llu of %llu objects",
                      (unsigned long long)stats->done_objects,
                      (unsigned long long)stats->data_objects);
}

static void print_stats(const cli_context *cli, const s3store_backfill_stats *s)
{
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_int(&j, "data_objects", (int64_t)s->data_objects);
        cli_json_int(&j, "done", (int64_t)s->done_objects);
        cli_json_int(&j, "missing", (int64_t)s->missing_objects);
        cli_json_int(&j, "records", (int64_t)s->records);
        cli_json_int(&j, "markers", (int64_t)s->markers);
        cli_json_int(&j, "puts", (int64_t)s->puts);
        cli_json_text(&j, "after", s->after[0] != '\0' ? s->after : NULL);
        cli_json_end(&j);
        return;
    }
    printf("%llu data objects", (unsigned long long)s->data_objects);
    if (s->done_objects < s->data_objects)
        printf(", %llu done", (unsigned long long)s->done_objects);
    if (s->missing_objects > 0)
        printf(", %llu missing", (unsigned long long)s->missing_objects);
    printf("; %llu rows, %llu markers, %llu of them sent\n", (unsigned long long)s->records,
           (unsigned long long)s->markers, (unsigned long long)s->puts);
}

static int backfill(cli_context *cli, s3store_target *target, const backfill_values *v,
                    const s3store_view_def *def)
{
    static const char *const everything[] = {"*"};
    s3store_error err = {0};
    s3store_backfill_options o = S3STORE_BACKFILL_OPTIONS_INIT;
    s3store_backfill_stats stats = {.size = sizeof stats};
    cli_progress progress;
    cli_progress_begin(&progress, cli);
    o.patterns = cli->args.count > 2 ? cli->args.items + 2 : everything;
    o.pattern_count = cli->args.count > 2 ? cli->args.count - 2 : 1;
    o.until_us = v->until_us;
    o.after = v->after;
    o.allow_unaddressable = v->allow_unaddressable;
    o.progress = show;
    o.progress_ctx = &progress;
    o.cancel = cli->cancel;
    o.timeout_ms = cli_timeout_ms(cli);
    s3store_status status = s3store_view_backfill(target, def, &o, &stats, &err);
    cli_progress_end(&progress);
    if (status == S3STORE_OK || stats.done_objects > 0)
        print_stats(cli, &stats);
    if (status == S3STORE_OK)
        return CLI_OK;
    int code = cli_fail(cli, &err);
    if (stats.done_objects > 0 && stats.after[0] != '\0')
        cli_note("s3store backfill: go on with --after '%s'", stats.after);
    return code;
}

static int run(cli_context *cli, void *values)
{
    const backfill_values *v = values;
    s3store_error err = {0};
    int code;
    s3store_view_def def = cli_view_named(cli->args.items[1], &v->columns);
    if (def.column_count > 0 && s3store_view_validate(&def, &err) != S3STORE_OK)
        return cli_usage(cli, "%s", err.message);
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    code = backfill(cli, target, v, &def);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_backfill = {
    .name = "backfill",
    .arguments = "URL NAME [PATTERN]...",
    .summary = "make a view's markers of data that was there before it",
    .help =
        "Reads the committed data objects of the partitions that patterns match (without a pattern: of\n"
        "all), of each only the columns that the view needs, and leaves the markers that a writer would\n"
        "have left. It can be repeated and interrupted at any time. Data objects that are gone are\n"
        "counted and skipped.\n\n"
        "Examples:\n"
        "  s3store backfill s3://bucket/quakes by_place --until 2018-02-07T12:00:00Z\n"
        "  s3store backfill file:///data/quakes by_place 'day=2018-02-*'",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(backfill_values),
    .defaults = defaults,
    .min_args = 2,
    .max_args = SIZE_MAX,
    .run = run,
};
