/* export-manifest: exactly the committed files, for engines that know no commit markers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

typedef struct manifest_values {
    int format;
    const char *output;
    const char *view;
} manifest_values;

enum { FORMAT_PATHS, FORMAT_DUCKDB, FORMAT_SYMLINK };
static const char *const formats[] = {"paths", "duckdb", "symlink", NULL};

static const cli_option options[] = {
    {"--format", 0, "F", "paths (default), duckdb or symlink", CLI_CHOICE,
     offsetof(manifest_values, format), formats},
    {"--output", 'o', "PATH", "a file that appears wholly or not at all; for symlink a directory",
     CLI_TEXT, offsetof(manifest_values, output), NULL},
    {"--view", 0, "NAME", "of duckdb: the view's name (default: the dataset's last segment)",
     CLI_TEXT, offsetof(manifest_values, view), NULL},
};

typedef struct manifest {
    cli_context *cli;
    const manifest_values *values;
    s3store_target *target;
    s3store_listing *listing;
    s3store_error err;
} manifest;

#define LOCATION_SIZE 8192

static bool locate(manifest *m, const s3store_listed_file *f, char out[LOCATION_SIZE])
{
    return s3store_object_location(m->target, f->data_path, out, LOCATION_SIZE, &m->err) ==
           S3STORE_OK;
}

static bool fail_errno(manifest *m, const char *what, const char *path)
{
    m->err = (s3store_error){.status = S3STORE_IO};
    snprintf(m->err.message, sizeof m->err.message, "cannot %s %.700s: %s", what, path,
             strerror(errno));
    return false;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static bool write_paths(manifest *m, FILE *out)
{
    char place[LOCATION_SIZE];
    for (size_t i = 0; i < s3store_listing_count(m->listing); i++) {
        const s3store_listed_file *f = s3store_listing_get(m->listing, i);
        if (!locate(m, f, place))
            return false;
        fprintf(out, "%s\n", place);
    }
    return true;
}

static bool write_json(manifest *m)
{
    char place[LOCATION_SIZE];
    for (size_t i = 0; i < s3store_listing_count(m->listing); i++) {
        const s3store_listed_file *f = s3store_listing_get(m->listing, i);
        cli_json j;
        if (!locate(m, f, place))
            return false;
        cli_json_begin(&j);
        cli_json_text(&j, "path", place);
        cli_json_text(&j, "partition", f->partition);
        cli_json_int(&j, "size", (int64_t)f->size_bytes);
        cli_json_end(&j);
    }
    return true;
}

/* ---- DuckDB ---------------------------------------------------------------------------------- */

/* Text between quotes, which are doubled inside. */
static void sql_quote(FILE *out, const char *text, char quote)
{
    putc(quote, out);
    for (; *text != '\0'; text++) {
        if (*text == quote)
            putc(quote, out);
        putc(*text, out);
    }
    putc(quote, out);
}

static const char *view_name(const manifest *m)
{
    const char *prefix = s3store_target_prefix(m->target);
    const char *slash = strrchr(prefix, '/');
    if (m->values->view != NULL)
        return m->values->view;
    return slash != NULL && slash[1] != '\0' ? slash + 1 : prefix;
}

/* Columns that only the keys have: parts with another name than their column, or with a format. */
static void write_key_columns(const manifest *m, FILE *out)
{
    for (size_t i = 0; i < s3store_target_partition_part_count(m->target); i++) {
        const char *name = s3store_target_partition_part(m->target, i);
        const char *spec = s3store_target_partition_spec(m->target, i);
        if (strcmp(name, spec) == 0)
            continue;
        fputs(",\n  regexp_extract(filename, '.*/", out);
        for (const char *c = name; *c != '\0'; c++)
            if (*c == '\'')
                fputs("''", out);
            else
                fprintf(out, strchr("\\^$.|?*+()[]{}", *c) != NULL ? "\\%c" : "%c", *c);
        fputs("=([^/]*)/.*', 1) AS ", out);
        sql_quote(out, name, '"');
    }
}

/* The latest version of each entity of a partition, by the rule of docs/FORMAT.md "Order and duplicates". */
static void write_latest(const manifest *m, FILE *out)
{
    char name[1100];
    size_t count = s3store_target_entity_column_count(m->target);
    const char *version = s3store_target_version_column(m->target);
    if (count == 0 || version == NULL)
        return;
    snprintf(name, sizeof name, "%s_latest", view_name(m));
    fputs("CREATE OR REPLACE VIEW ", out);
    sql_quote(out, name, '"');
    fputs(" AS SELECT * FROM ", out);
    sql_quote(out, view_name(m), '"');
    fputs("\n  QUALIFY row_number() OVER (PARTITION BY regexp_extract(filename, '(.*)/', 1)", out);
    for (size_t i = 0; i < count; i++) {
        fputs(", ", out);
        sql_quote(out, s3store_target_entity_column(m->target, i), '"');
    }
    fputs("\n    ORDER BY ", out);
    sql_quote(out, version, '"');
    fputs(" DESC, filename DESC, file_row_number DESC) = 1;\n", out);
}

static bool write_duckdb(manifest *m, FILE *out)
{
    char place[LOCATION_SIZE];
    size_t count = s3store_listing_count(m->listing);
    fprintf(out, "-- The committed files of %s at the time of the export.\n",
            s3store_target_url(m->target));
    if (count == 0) {
        fputs("-- There are none.\n", out);
        return true;
    }
    fputs("CREATE OR REPLACE VIEW ", out);
    sql_quote(out, view_name(m), '"');
    fputs(" AS SELECT *", out);
    write_key_columns(m, out);
    fputs("\nFROM read_parquet([", out);
    for (size_t i = 0; i < count; i++) {
        if (!locate(m, s3store_listing_get(m->listing, i), place))
            return false;
        fputs(i > 0 ? ",\n  " : "\n  ", out);
        sql_quote(out, place, '\'');
    }
    fputs("],\n  union_by_name = true, hive_partitioning = false, filename = true, "
          "file_row_number = true);\n",
          out);
    write_latest(m, out);
    return true;
}

/* ---- one manifest a partition: Hive, Trino, Athena, Spark ----------------------------------- */

static bool make_directories(manifest *m, char *path)
{
    for (char *c = path + 1;; c++) {
        char end = *c;
        if (end != '/' && end != '\0')
            continue;
        *c = '\0';
        bool ok = mkdir(path, 0777) == 0 || errno == EEXIST;
        if (!ok)
            fail_errno(m, "create", path);
        *c = end;
        if (!ok || end == '\0')
            return ok;
    }
}

/* Files first .. first + count - 1 are one partition's. */
static bool write_partition(manifest *m, size_t first, size_t count)
{
    char path[LOCATION_SIZE], place[LOCATION_SIZE];
    char *text = NULL;
    size_t size = 0;
    const s3store_listed_file *f = s3store_listing_get(m->listing, first);
    int used = snprintf(path, sizeof path, "%s/%s", m->values->output, f->partition);
    if (used < 0 || (size_t)used + sizeof "/manifest" > sizeof path) {
        errno = ENAMETOOLONG;
        return fail_errno(m, "create", m->values->output);
    }
    if (!make_directories(m, path))
        return false;
    memcpy(path + used, "/manifest", sizeof "/manifest");
    FILE *out = open_memstream(&text, &size);
    bool ok = out != NULL;
    for (size_t i = first; ok && i < first + count; i++) {
        ok = locate(m, s3store_listing_get(m->listing, i), place);
        if (ok)
            fprintf(out, "%s\n", place);
    }
    if (out == NULL || fclose(out) != 0)
        ok = fail_errno(m, "write", path);
    ok = ok && cli_write_file(path, text, &m->err);
    free(text);
    return ok;
}

static bool write_symlinks(manifest *m)
{
    size_t count = s3store_listing_count(m->listing), next;
    for (size_t i = 0; i < count; i = next) {
        const char *partition = s3store_listing_get(m->listing, i)->partition;
        for (next = i + 1; next < count; next++)
            if (strcmp(s3store_listing_get(m->listing, next)->partition, partition) != 0)
                break;
        if (!write_partition(m, i, next - i))
            return false;
    }
    cli_note("%zu files in manifests below %s", count, m->values->output);
    return true;
}

/* ---- all ------------------------------------------------------------------------------------- */

static bool write_text(manifest *m, FILE *out)
{
    return m->values->format == FORMAT_DUCKDB ? write_duckdb(m, out) : write_paths(m, out);
}

static bool write_all(manifest *m)
{
    char *text = NULL;
    size_t size = 0;
    if (m->values->format == FORMAT_SYMLINK)
        return write_symlinks(m);
    if (m->cli->globals.json)
        return write_json(m);
    if (m->values->output == NULL)
        return write_text(m, stdout);
    FILE *out = open_memstream(&text, &size);
    bool ok = out != NULL && write_text(m, out);
    if (out == NULL || fclose(out) != 0)
        ok = fail_errno(m, "write", m->values->output);
    ok = ok && cli_write_file(m->values->output, text, &m->err);
    free(text);
    return ok;
}

static int run(cli_context *cli, void *values)
{
    static const char *const everything[] = {"*"};
    manifest m = {.cli = cli, .values = values};
    int code;
    if (m.values->format == FORMAT_SYMLINK && m.values->output == NULL)
        return cli_usage(cli, "--format symlink needs --output DIRECTORY");
    if (cli->globals.json && (m.values->format != FORMAT_PATHS || m.values->output != NULL))
        return cli_usage(cli, "--json prints lines of its own: without --format and --output");
    m.target = cli_target_open(cli, &code);
    if (m.target == NULL)
        return code;
    bool all = cli->args.count == 1;
    s3store_call call = cli_call(cli);
    if (s3store_list_files(m.target, all ? everything : cli->args.items + 1,
                           all ? 1 : cli->args.count - 1, &call, &m.listing,
                           &m.err) != S3STORE_OK ||
        !write_all(&m))
        code = cli_fail(cli, &m.err);
    s3store_listing_free(m.listing);
    cli_explain(cli, m.target);
    s3store_target_free(m.target);
    return code;
}

const cli_verb cli_verb_export_manifest = {
    .name = "export-manifest",
    .arguments = "URL [PATTERN]...",
    .summary = "exactly the committed files, for DuckDB, Spark, Trino",
    .help = "Other engines read the Parquet in place, but know no commit markers: a glob shows\n"
            "them also what was never committed. A manifest names what is committed now; make it\n"
            "again to see later writes. Without a pattern: everything.\n\n"
            "Formats:\n"
            "  paths    one path (s3://... or a file) a line; for Spark, pyarrow, and pipes\n"
            "  duckdb   SQL: a view of all rows, and NAME_latest with entity and version\n"
            "  symlink  a directory with one manifest for each partition, for Hive's\n"
            "           SymlinkTextInputFormat: Trino, Athena, Spark\n\n"
            "Examples:\n"
            "  s3store export-manifest file:///data/quakes --format duckdb -o quakes.sql\n"
            "  s3store export-manifest s3://bucket/quakes 'day=2018-02-*' > files.txt\n"
            "  s3store export-manifest s3://bucket/quakes --format symlink -o manifests",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .values_size = sizeof(manifest_values),
    .min_args = 1,
    .max_args = SIZE_MAX,
    .run = run,
};
