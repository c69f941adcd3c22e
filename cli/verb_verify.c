/* verify: is the dataset whole? */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "progress.h"

typedef struct verify_values {
    bool shallow, contents;
    const char *sample;
} verify_values;

static const cli_option options[] = {
    {"--shallow", 0, NULL, "LIST only: read no marker and no footer, but of what looks wrong",
     CLI_FLAG, offsetof(verify_values, shallow), NULL},
    {"--contents", 0, NULL, "read all rows too: are they those that were committed?", CLI_FLAG,
     offsetof(verify_values, contents), NULL},
    {"--sample", 0, "P", "read markers and footers of this part of the commits (0 to 1)", CLI_TEXT,
     offsetof(verify_values, sample), NULL},
};

typedef struct verify_run {
    cli_context *cli;
    cli_progress progress;
} verify_run;

static void print_finding(void *ctx, const s3store_finding *f)
{
    verify_run *run = ctx;
    const cli_context *cli = run->cli;
    cli_progress_end(&run->progress); /* is drawn again below what is printed */
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_text(&j, "finding", f->kind);
        cli_json_bool(&j, "damage", f->damage);
        cli_json_text(&j, "key", f->key);
        cli_json_text(&j, "partition", f->partition);
        cli_json_text(&j, "token", f->token);
        cli_json_text(&j, "detail", f->detail);
        cli_json_text(&j, "remedy", f->remedy);
        cli_json_end(&j);
        return;
    }
    printf("%s  %s  %s\n  %s\n  -> %s\n", f->damage ? "damage" : "remark", f->kind, f->key,
           f->detail, f->remedy);
}

static void print_plan(void *ctx, const s3store_verify_plan *plan)
{
    (void)ctx;
    cli_note("verify: up to %llu commits: after %llu LISTs of refs, 1 LIST for each 1000 objects "
             "of data, %llu HEADs and %llu GETs of footers",
             (unsigned long long)plan->commits, (unsigned long long)plan->lists,
             (unsigned long long)plan->heads, (unsigned long long)plan->gets);
}

static void show(void *ctx, uint64_t done, uint64_t about)
{
    verify_run *run = ctx;
    cli_progress_show(&run->progress, done, about, "%llu of about %llu commits",
                      (unsigned long long)done, (unsigned long long)about);
}

static void print_report(const cli_context *cli, const s3store_verify_report *r)
{
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_int(&j, "commits", (int64_t)r->commits);
        cli_json_int(&j, "checked", (int64_t)r->checked);
        cli_json_int(&j, "rows", (int64_t)r->rows);
        cli_json_int(&j, "data_objects", (int64_t)r->data_objects);
        cli_json_int(&j, "data_bytes", (int64_t)r->data_bytes);
        cli_json_int(&j, "uncommitted", (int64_t)r->uncommitted);
        cli_json_int(&j, "refs", (int64_t)r->refs);
        cli_json_int(&j, "foreign", (int64_t)r->foreign);
        cli_json_int(&j, "schema_versions", r->schema_versions);
        cli_json_int(&j, "views", r->views);
        cli_json_int(&j, "view_markers", (int64_t)r->view_markers);
        cli_json_int(&j, "hashed", (int64_t)r->hashed);
        cli_json_int(&j, "damages", (int64_t)r->damages);
        cli_json_int(&j, "remarks", (int64_t)r->remarks);
        cli_json_end(&j);
        return;
    }
    printf("%llu commits (%llu read, %llu rows), %llu refs, %llu data objects (%llu uncommitted), "
           "%llu foreign objects, %u schema versions\n",
           (unsigned long long)r->commits, (unsigned long long)r->checked,
           (unsigned long long)r->rows, (unsigned long long)r->refs,
           (unsigned long long)r->data_objects, (unsigned long long)r->uncommitted,
           (unsigned long long)r->foreign, r->schema_versions);
    if (r->views > 0)
        printf("%u views with %llu markers\n", r->views, (unsigned long long)r->view_markers);
    if (r->hashed > 0)
        printf("the rows of %llu commits were compared with their content hashes\n",
               (unsigned long long)r->hashed);
    if (r->damages == 0)
        puts(r->remarks == 0 ? "no damage found" : "no damage found, see the remarks");
    else
        printf("%llu damages found\n", (unsigned long long)r->damages);
}

static bool parse_sample(const char *text, double *sample)
{
    char *end;
    errno = 0;
    *sample = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *sample > 0 && *sample <= 1;
}

static int verify(cli_context *cli, s3store_target *target, const verify_values *v, double sample)
{
    s3store_error err = {0};
    s3store_verify_options o = S3STORE_VERIFY_OPTIONS_INIT;
    s3store_verify_report report = {.size = sizeof report};
    verify_run run = {.cli = cli};
    cli_progress_begin(&run.progress, cli);
    o.patterns = cli->args.count > 1 ? cli->args.items + 1 : NULL;
    o.pattern_count = cli->args.count - 1;
    o.shallow = v->shallow;
    o.sample = sample;
    o.contents = v->contents;
    o.finding = print_finding;
    o.finding_ctx = &run;
    o.plan = print_plan;
    o.progress = run.progress.on ? show : NULL;
    o.progress_ctx = &run;
    o.cancel = cli->cancel;
    o.timeout_ms = cli_timeout_ms(cli);
    cli_note("verify: costs 1 LIST for each 1000 objects%s",
             v->shallow ? "; what looks wrong is asked for"
             : v->contents ? ", then 1 HEAD for each commit, and all of its data"
                           : ", then 1 HEAD and 1 GET of a footer for each commit");
    s3store_status status = s3store_verify(target, &o, &report, &err);
    cli_progress_end(&run.progress);
    if (status != S3STORE_OK)
        return cli_fail(cli, &err);
    print_report(cli, &report);
    return report.damages > 0 ? CLI_NO : CLI_OK;
}

static int run(cli_context *cli, void *values)
{
    const verify_values *v = values;
    double sample = 0;
    int code;
    if (v->shallow && v->contents)
        return cli_usage(cli, "--shallow and --contents exclude each other");
    if (v->sample != NULL && !parse_sample(v->sample, &sample))
        return cli_usage(cli, "--sample is a part above 0 and up to 1, as in 0.05; not %s",
                         v->sample);
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    code = verify(cli, target, v, sample);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_verify = {
    .name = "verify",
    .arguments = "URL [PATTERN]...",
    .summary = "is every commit whole: data, rows, columns, place in the stream?",
    .help = "Looks at every commit (or those of the partitions that patterns match): its marker,\n"
            "its data object, the rows in its footer, its columns against the recorded schema, its\n"
            "ref; its markers in recorded views, for which those columns are read; and whether it\n"
            "came late, so that readers of the stream may have missed it.\n"
            "Changes nothing; may run while others write. Says first what it will cost.\n\n"
            "Exit code 0: no damage. 5: damage, each with what to do.\n\n"
            "Examples:\n"
            "  s3store verify s3://bucket/quakes\n"
            "  s3store verify s3://bucket/quakes --shallow          LIST only\n"
            "  s3store verify s3://bucket/quakes --contents         every row\n"
            "  s3store verify s3://bucket/quakes --sample 0.05\n"
            "  s3store verify s3://bucket/quakes 'day=2018-02-*' --json",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(verify_values),
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run,
};
