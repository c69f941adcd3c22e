/* cli/view_spec.h: views on the command line. */
#ifndef S3STORE_CLI_VIEW_SPEC_H
#define S3STORE_CLI_VIEW_SPEC_H

#include "cli.h"

/* A view as NAME=C,... says it. def points into the rest. */
typedef struct cli_view_spec {
    char *text;
    const char **columns;
    s3store_view_def def;
} cli_view_spec;

/* "by_place=place,day=time:day". INVALID_ARGUMENT with what is wrong. */
s3store_status cli_view_spec_parse(const char *text, cli_view_spec *out, s3store_error *err);
void cli_view_spec_free(cli_view_spec *spec);

/* The definition of a view by its name, with the columns of --columns if there are any. */
s3store_view_def cli_view_named(const char *name, const cli_list *columns);

#endif
