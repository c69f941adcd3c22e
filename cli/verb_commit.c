/* commit: was it committed? restamp: put it into the stream again. */
#include <stdio.h>

#include "cli.h"
#include "results.h"

/* Both ask about a token in a partition. */
typedef s3store_status (*ask_fn)(s3store_target *target, const char *partition, const char *token,
                                 const s3store_call *call, s3store_write_result **out,
                                 s3store_error *err);

static int ask(cli_context *cli, ask_fn fn)
{
    s3store_error err = {0};
    s3store_write_result *result = NULL;
    const char *partition = cli->args.items[1], *token = cli->args.items[2];
    int code;
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    s3store_call call = cli_call(cli);
    s3store_status status = fn(target, partition, token, &call, &result, &err);
    if (status == S3STORE_OK) {
        cli_print_result(result);
    } else if (status == S3STORE_NOT_FOUND) {
        cli_note("s3store %s: %s is not committed in %s", cli->verb, token, partition);
        code = CLI_NO;
    } else {
        code = cli_fail(cli, &err);
    }
    s3store_write_result_free(result);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

static int run_commit(cli_context *cli, void *values)
{
    (void)values;
    return ask(cli, s3store_lookup_commit);
}

static int run_restamp(cli_context *cli, void *values)
{
    (void)values;
    return ask(cli, s3store_restamp);
}

const cli_verb cli_verb_commit = {
    .name = "commit",
    .arguments = "URL PARTITION TOKEN",
    .summary = "was this token committed in this partition? prints its result",
    .help = "Exit code 0: yes, and its result is printed. 5: no.\n\n"
            "Example:\n"
            "  s3store commit file:///data/quakes day=2018-02-07 feed-0412",
    .min_args = 3,
    .max_args = 3,
    .run = run_commit,
};

const cli_verb cli_verb_restamp = {
    .name = "restamp",
    .arguments = "URL PARTITION TOKEN",
    .summary = "put a committed write into the stream again, at its end",
    .help = "For a commit that came after its commit timeout: stream readers may have passed its\n"
            "place. They see the data (again) at the new offset; snapshot reads do not change.\n\n"
            "Example:\n"
            "  s3store restamp file:///data/quakes day=2018-02-07 feed-0412",
    .min_args = 3,
    .max_args = 3,
    .run = run_restamp,
};
