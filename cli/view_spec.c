#include "view_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static s3store_status refuse(s3store_error *err, s3store_status status, const char *why,
                             const char *text)
{
    memset(err, 0, sizeof *err);
    err->status = status;
    snprintf(err->message, sizeof err->message, "%s%.300s", why, text);
    return status;
}

/* Cuts the columns apart at their commas. */
static bool split(cli_view_spec *spec, char *list)
{
    size_t count = 1;
    for (const char *p = list; *p != '\0'; p++)
        count += *p == ',';
    spec->columns = calloc(count, sizeof *spec->columns);
    if (spec->columns == NULL)
        return false;
    for (char *at = list; at != NULL;)
        spec->columns[spec->def.column_count++] = strsep(&at, ",");
    spec->def.columns = spec->columns;
    return true;
}

s3store_status cli_view_spec_parse(const char *text, cli_view_spec *out, s3store_error *err)
{
    *out = (cli_view_spec){.def = S3STORE_VIEW_DEF_INIT};
    out->text = strdup(text);
    if (out->text == NULL)
        return refuse(err, S3STORE_OUT_OF_MEMORY, "out of memory", "");
    char *equals = strchr(out->text, '=');
    if (equals == NULL || equals == out->text)
        return refuse(err, S3STORE_INVALID_ARGUMENT,
                      "a view is NAME=C,... with C column[=from[:format]], not ", text);
    *equals = '\0';
    out->def.name = out->text;
    if (!split(out, equals + 1))
        return refuse(err, S3STORE_OUT_OF_MEMORY, "out of memory", "");
    return s3store_view_validate(&out->def, err);
}

void cli_view_spec_free(cli_view_spec *spec)
{
    free(spec->columns);
    free(spec->text);
    *spec = (cli_view_spec){0};
}

s3store_view_def cli_view_named(const char *name, const cli_list *columns)
{
    s3store_view_def def = S3STORE_VIEW_DEF_INIT;
    def.name = name;
    if (columns->count > 0) {
        def.columns = (const char *const *)columns->items;
        def.column_count = columns->count;
    }
    return def;
}
