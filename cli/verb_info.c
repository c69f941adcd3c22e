#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "records/types.h"

static const char *const compressions[] = {"snappy", "snappy", "zstd", "gzip", "uncompressed"};

/* Borrowed texts of the partition specifications, or of the entity columns. */
static size_t collect(const s3store_target *target, bool entity, const char **items, size_t max)
{
    size_t count = entity ? s3store_target_entity_column_count(target)
                          : s3store_target_partition_part_count(target);
    for (size_t i = 0; i < count && i < max; i++)
        items[i] = entity ? s3store_target_entity_column(target, i)
                          : s3store_target_partition_spec(target, i);
    return count < max ? count : max;
}

static void print_views_json(const s3store_views *views)
{
    printf(",\"views\":[");
    for (size_t i = 0; i < s3store_views_count(views); i++) {
        const s3store_view_def *def = s3store_views_get(views, i);
        cli_json v;
        if (i > 0)
            putchar(',');
        cli_json_begin(&v);
        cli_json_text(&v, "name", def->name);
        cli_json_list(&v, "columns", def->columns, def->column_count);
        putchar('}');
    }
    putchar(']');
}

static void print_json(const s3store_target *target, uint32_t version,
                       const struct ArrowSchema *schema, const s3store_views *views)
{
    const char *items[256];
    size_t count;
    cli_json j;
    cli_json_begin(&j);
    cli_json_text(&j, "url", s3store_target_url(target));
    cli_json_bool(&j, "described", s3store_target_has_descriptor(target));
    count = collect(target, false, items, 256);
    cli_json_list(&j, "partition_by", items, count);
    count = collect(target, true, items, 256);
    cli_json_list(&j, "entity", items, count);
    cli_json_text(&j, "version", s3store_target_version_column(target));
    cli_json_text(&j, "inserted_at_column", s3store_target_inserted_at_column(target));
    cli_json_text(&j, "compression", compressions[s3store_target_compression(target)]);
    cli_json_text(&j, "consistency", s3store_target_consistency(target));
    cli_json_int(&j, "commit_timeout_us", s3store_target_commit_timeout_us(target));
    cli_json_int(&j, "max_clock_skew_us", s3store_target_max_clock_skew_us(target));
    cli_json_int(&j, "settle_window_us", s3store_target_settle_window_us(target));
    cli_json_int(&j, "schema_version", version);
    printf(",\"columns\":[");
    for (int64_t i = 0; schema->release != NULL && i < schema->n_children; i++) {
        cli_json c;
        char type[4096];
        if (i > 0)
            putchar(',');
        cli_type_name(schema->children[i], type, sizeof type);
        cli_json_begin(&c);
        cli_json_text(&c, "name", schema->children[i]->name);
        cli_json_text(&c, "type", type);
        putchar('}');
    }
    putchar(']');
    print_views_json(views);
    cli_json_end(&j);
}

static void print_list(const char *label, const char *const *items, size_t count)
{
    printf("%-20s", label);
    for (size_t i = 0; i < count; i++)
        printf("%s%s", i > 0 ? ", " : "", items[i]);
    puts(count == 0 ? "-" : "");
}

static void print_views(const s3store_views *views)
{
    for (size_t i = 0; i < s3store_views_count(views); i++) {
        const s3store_view_def *def = s3store_views_get(views, i);
        char label[64];
        snprintf(label, sizeof label, "view %s ", def->name);
        print_list(label, def->columns, def->column_count);
    }
}

static void print_text(const s3store_target *target, uint32_t version,
                       const struct ArrowSchema *schema, const s3store_views *views)
{
    const char *items[256];
    const char *v = s3store_target_version_column(target);
    const char *inserted = s3store_target_inserted_at_column(target);
    printf("%-20s%s%s\n", "dataset", s3store_target_url(target),
           s3store_target_has_descriptor(target) ? "" : "  (no descriptor)");
    size_t count = collect(target, false, items, 256);
    print_list("partitioned by", items, count);
    count = collect(target, true, items, 256);
    print_list("entity", items, count);
    printf("%-20s%s\n", "version", v != NULL ? v : "-");
    printf("%-20s%s\n", "inserted at", inserted != NULL ? inserted : "-");
    printf("%-20s%s\n", "compression", compressions[s3store_target_compression(target)]);
    printf("%-20s%s\n", "consistency", s3store_target_consistency(target));
    printf("%-20s%g s\n", "commit timeout",
           (double)s3store_target_commit_timeout_us(target) / 1e6);
    printf("%-20s%g s\n", "max clock skew",
           (double)s3store_target_max_clock_skew_us(target) / 1e6);
    printf("%-20s%g s\n", "settle window",
           (double)s3store_target_settle_window_us(target) / 1e6);
    print_views(views);
    if (version == 0) {
        printf("%-20s-\n", "schema");
        return;
    }
    printf("%-20sversion %u\n", "schema", version);
    for (int64_t i = 0; i < schema->n_children; i++) {
        char type[4096];
        cli_type_name(schema->children[i], type, sizeof type);
        printf("  %-18s%s\n", schema->children[i]->name, type);
    }
}

static int run(cli_context *cli, void *values)
{
    (void)values;
    s3store_error err = {0};
    struct ArrowSchema schema = {0};
    s3store_views *views = NULL;
    uint32_t version = 0;
    int code;
    s3store_target *target = cli_target_open(cli, &code);
    if (target == NULL)
        return code;
    s3store_call call = cli_call(cli);
    if (s3store_target_schema(target, &call, &version, &schema, &err) != S3STORE_OK ||
        s3store_target_views(target, &call, &views, &err) != S3STORE_OK)
        code = cli_fail(cli, &err);
    else if (cli->globals.json)
        print_json(target, version, &schema, views);
    else
        print_text(target, version, &schema, views);
    if (schema.release != NULL)
        schema.release(&schema);
    s3store_views_free(views);
    cli_explain(cli, target);
    s3store_target_free(target);
    return code;
}

const cli_verb cli_verb_info = {
    .name = "info",
    .arguments = "URL",
    .summary = "how a dataset is set up, its views and recorded columns",
    .help = "Example:\n  s3store info file:///data/quakes",
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
