#include <stdio.h>

#include "cli.h"
#include "results.h"

static void print_commit(const s3store_commit *c)
{
    cli_json j;
    cli_json_begin(&j);
    cli_json_text(&j, "partition", c->partition);
    cli_json_text(&j, "status", s3store_commit_state_name(c->state));
    if (c->offset != NULL) {
        cli_json_text(&j, "offset", c->offset);
        cli_json_text(&j, "data_path", c->data_path);
        cli_json_text(&j, "ref_path", c->ref_path);
        cli_json_time(&j, "inserted_at", c->inserted_at_us);
    }
    cli_json_text(&j, "token", c->token);
    cli_json_int(&j, "row_count", c->row_count);
    if (c->chunk > 0)
        cli_json_int(&j, "chunk", c->chunk);
    if (c->error != NULL) {
        cli_json_text(&j, "error", c->error->message);
        cli_json_text(&j, "error_status", s3store_status_name(c->error->status));
    }
    cli_json_end(&j);
}

void cli_print_result(const s3store_write_result *result)
{
    for (size_t i = 0; i < s3store_write_result_count(result); i++)
        print_commit(s3store_write_result_get(result, i));
}
