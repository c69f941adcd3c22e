/* doctor: what a server really does. */
#include <stdio.h>

#include "cli.h"

static void print_check(void *ctx, const s3store_check *check)
{
    const cli_context *cli = ctx;
    if (cli->globals.json) {
        cli_json j;
        cli_json_begin(&j);
        cli_json_text(&j, "check", check->name);
        cli_json_text(&j, "status", s3store_check_state_name(check->state));
        cli_json_text(&j, "detail", check->detail);
        cli_json_text(&j, "remedy", check->remedy);
        cli_json_end(&j);
    } else {
        printf("%-4s  %-18s  %s\n", s3store_check_state_name(check->state), check->name,
               check->detail);
        if (check->remedy != NULL)
            printf("%-4s  %-18s  -> %s\n", "", "", check->remedy);
    }
    fflush(stdout);
}

static int run(cli_context *cli, void *values)
{
    (void)values;
    s3store_error err = {0};
    s3store_target_config config = cli_target_config(cli);
    s3store_doctor_options options = S3STORE_DOCTOR_OPTIONS_INIT;
    s3store_doctor_report report = {.size = sizeof report};
    options.check = print_check;
    options.check_ctx = cli;
    options.cancel = cli->cancel;
    options.timeout_ms = cli_timeout_ms(cli);
    if (s3store_target_config_validate(&config, true, &err) != S3STORE_OK)
        return cli_usage(cli, "%s", err.message);
    if (s3store_doctor(&config, &options, &report, &err) != S3STORE_OK)
        return cli_fail(cli, &err);
    if (!cli->globals.json)
        printf("%u ok, %u warn, %u fail, %u skip\n", report.ok, report.warn, report.fail,
               report.skip);
    return report.fail > 0 ? CLI_NO : CLI_OK;
}

const cli_verb cli_verb_doctor = {
    .name = "doctor",
    .arguments = "URL",
    .summary = "what this server or directory really does, check by check",
    .help = "Rights, clocks, LIST after PUT, If-None-Match, requests that expire, metadata,\n"
            "checksums, speed. The dataset need not exist, and is not changed: the probe writes\n"
            "small objects below PREFIX/_doctor/ and removes them where it may. Each check is ok,\n"
            "warn (it works, with a loss that is named), fail (with what to do), or skip.\n\n"
            "Exit code 0: nothing failed. 5: something did. --json: one line a check.\n\n"
            "Examples:\n"
            "  s3store doctor s3://bucket/quakes --endpoint-url https://storage.example\n"
            "  s3store doctor file:///data/quakes\n"
            "  s3store doctor s3://bucket/quakes --json | grep '\"fail\"'",
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
