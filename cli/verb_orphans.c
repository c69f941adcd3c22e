/* orphans: what no commit names, and its removal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

typedef struct orphans_values {
    const char *older_than;
    bool remove;
} orphans_values;

static const cli_option options[] = {
    {"--older-than", 0, "AGE", "only objects of this age: 7d (default), 36h, 90m", CLI_TEXT,
     offsetof(orphans_values, older_than), NULL},
    {"--delete", 0, NULL, "remove those that are removable, each checked again right before",
     CLI_FLAG, offsetof(orphans_values, remove), NULL},
};

static void print_orphan(void *ctx, const s3store_orphan *o)
{
    const cli_context *cli = ctx;
    const char *kind = s3store_orphan_kind_name(o->kind);
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_text(&j, "kind", kind);
        cli_json_text(&j, "key", o->key);
        if (o->upload_id != NULL)
            cli_json_text(&j, "upload_id", o->upload_id);
        cli_json_int(&j, "size", (int64_t)o->size_bytes);
        cli_json_time(&j, "last_modified", o->last_modified_us);
        cli_json_int(&j, "age_s", o->age_us / 1000000);
        cli_json_bool(&j, "removable", o->removable);
        cli_json_bool(&j, "removed", o->removed);
        cli_json_text(&j, "reason", o->reason);
        cli_json_end(&j);
        return;
    }
    printf("%-9s  %-6s  %12llu  %s\n           %s\n",
           o->removed ? "removed" : o->removable ? "removable" : "keep", kind,
           (unsigned long long)o->size_bytes, o->key, o->reason);
}

static void print_report(const cli_context *cli, const s3store_orphans_report *r)
{
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_int(&j, "data", (int64_t)r->data);
        cli_json_int(&j, "refs", (int64_t)r->refs);
        cli_json_int(&j, "uploads", (int64_t)r->uploads);
        cli_json_int(&j, "bytes", (int64_t)r->bytes);
        cli_json_int(&j, "removable", (int64_t)r->removable);
        cli_json_int(&j, "removable_bytes", (int64_t)r->removable_bytes);
        cli_json_int(&j, "removed", (int64_t)r->removed);
        cli_json_int(&j, "removed_bytes", (int64_t)r->removed_bytes);
        cli_json_int(&j, "failed", (int64_t)r->failed);
        cli_json_int(&j, "younger", (int64_t)r->younger);
        cli_json_int(&j, "bound_s", r->bound_us / 1000000);
        cli_json_bool(&j, "bound_proven", r->bound_proven);
        cli_json_bool(&j, "uploads_listed", r->uploads_listed);
        cli_json_end(&j);
        return;
    }
    printf("%llu data objects, %llu refs, %llu uploads: %llu bytes; removable: %llu (%llu bytes)\n",
           (unsigned long long)r->data, (unsigned long long)r->refs,
           (unsigned long long)r->uploads, (unsigned long long)r->bytes,
           (unsigned long long)r->removable, (unsigned long long)r->removable_bytes);
    if (r->removed > 0 || r->failed > 0)
        printf("removed: %llu (%llu bytes); could not be removed: %llu\n",
               (unsigned long long)r->removed, (unsigned long long)r->removed_bytes,
               (unsigned long long)r->failed);
}

static int orphans(cli_context *cli, s3store_target *target, const orphans_values *v,
                   int64_t older_than_us)
{
    s3store_error err = {0};
    s3store_orphans_options o = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_orphans_report report = {.size = sizeof report};
    o.older_than_us = older_than_us;
    o.remove = v->remove;
    o.orphan = print_orphan;
    o.orphan_ctx = cli;
    o.cancel = cli->cancel;
    o.timeout_ms = cli_timeout_ms(cli);
    if (older_than_us < S3STORE_DEFAULT_ORPHAN_AGE_US)
        cli_note("orphans: an age below 7d is only safe when every writer is one of this library, "
                 "with commits that expire");
    s3store_status status = s3store_orphans(target, &o, &report, &err);
    int code = status == S3STORE_OK ? CLI_OK : cli_fail(cli, &err);
    if (status == S3STORE_OK && report.failed > 0)
        code = CLI_FAILED;
    /* What was removed is said also when it ended early. */
    if (status == S3STORE_OK || report.removed > 0)
        print_report(cli, &report);
    return code;
}

static int run(cli_context *cli, void *values)
{
    const orphans_values *v = values;
    int64_t older_than_us = S3STORE_DEFAULT_ORPHAN_AGE_US;
    int code;
    if (v->older_than != NULL &&
        (!cli_parse_age(v->older_than, &older_than_us) || older_than_us == 0))
        return cli_usage(cli, "--older-than is an age above 0, as in 7d, 36h or 90m; not %s",
                         v->older_than);
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    code = orphans(cli, target, v, older_than_us);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_orphans = {
    .name = "orphans",
    .arguments = "URL",
    .summary = "data objects, refs and uploads that no commit names",
    .help = "What writes that failed or died left behind: invisible to readers, but paid for. Each\n"
            "is shown with its size, whether it may be removed, and why. Nothing is removed\n"
            "without --delete; then each is looked at again right before.\n\n"
            "An object is never removable while a write that is under way could still commit it:\n"
            "15 minutes, the commit timeout and allowances, and an hour at least, where commits\n"
            "expire; 7 days where they do not. Where writers of other libraries may be active, or\n"
            "writers with --fence off, 7 days is the only safe age: leave --older-than alone.\n\n"
            "Exit code 0: done, also when there are none. 1: some could not be removed.\n\n"
            "Examples:\n"
            "  s3store orphans s3://bucket/quakes\n"
            "  s3store orphans s3://bucket/quakes --delete\n"
            "  s3store orphans file:///data/quakes --older-than 2h --json",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(orphans_values),
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
