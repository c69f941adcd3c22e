#include <stdio.h>

#include "cli.h"

typedef struct ls_values {
    bool detailed;
} ls_values;

static const cli_option options[] = {
    {"--long", 'l', NULL, "with size, time and token", CLI_FLAG, offsetof(ls_values, detailed),
     NULL},
};

static void print_file(const cli_context *cli, const s3store_listed_file *f, bool detailed)
{
    char time[S3STORE_TIME_TEXT_SIZE] = "-";
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_text(&j, "partition", f->partition);
        cli_json_text(&j, "data_path", f->data_path);
        cli_json_text(&j, "token", f->token);
        cli_json_int(&j, "size", (int64_t)f->size_bytes);
        cli_json_time(&j, "last_modified", f->last_modified_us);
        cli_json_end(&j);
        return;
    }
    if (f->last_modified_us != S3STORE_TIME_NONE)
        s3store_time_format(f->last_modified_us - f->last_modified_us % 1000000, time, sizeof time);
    if (detailed)
        printf("%12llu  %-20s  %s\n", (unsigned long long)f->size_bytes, time, f->data_path);
    else
        puts(f->data_path);
}

static int run(cli_context *cli, void *values)
{
    static const char *const everything[] = {"*"};
    const ls_values *v = values;
    s3store_error err = {0};
    s3store_listing *listing = NULL;
    int code;
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    const char *const *patterns = cli->args.count > 1 ? cli->args.items + 1 : everything;
    size_t count = cli->args.count > 1 ? cli->args.count - 1 : 1;
    s3store_call call = cli_call(cli);
    if (s3store_list_files(target, patterns, count, &call, &listing, &err) != S3STORE_OK)
        code = cli_fail(cli, &err);
    for (size_t i = 0; i < s3store_listing_count(listing); i++)
        print_file(cli, s3store_listing_get(listing, i), v->detailed);
    s3store_listing_free(listing);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_ls = {
    .name = "ls",
    .arguments = "URL [PATTERN]...",
    .summary = "the committed data objects that patterns match",
    .help = "Without a pattern: all of them. Uncommitted objects are never listed.\n\n"
            "Examples:\n"
            "  s3store ls -l file:///data/quakes\n"
            "  s3store ls file:///data/quakes 'day=2018-02-*'",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(ls_values),
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run,
};
