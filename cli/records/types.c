#include "records/types.h"

#include <stdio.h>
#include <string.h>

#include "records/column.h"

typedef struct type_row {
    const char *name;
    const char *format;
    cli_type type;
} type_row;

/* The names of --types, and what info shows. The first name of a format is the one shown. */
static const type_row rows[] = {
    {"bool", "b", CLI_TYPE_BOOL},
    {"int8", "c", CLI_TYPE_INT},
    {"int16", "s", CLI_TYPE_INT},
    {"int32", "i", CLI_TYPE_INT},
    {"int64", "l", CLI_TYPE_INT},
    {"uint8", "C", CLI_TYPE_UINT},
    {"uint16", "S", CLI_TYPE_UINT},
    {"uint32", "I", CLI_TYPE_UINT},
    {"uint64", "L", CLI_TYPE_UINT},
    {"float", "f", CLI_TYPE_FLOAT},
    {"double", "g", CLI_TYPE_FLOAT},
    {"string", "u", CLI_TYPE_STRING},
    {"binary", "z", CLI_TYPE_BINARY},
    {"date", "tdD", CLI_TYPE_DATE},
    {"timestamp", "tsu:UTC", CLI_TYPE_TIMESTAMP},
    {"timestamp_us", "tsu:UTC", CLI_TYPE_TIMESTAMP},
    {"timestamp_ms", "tsm:UTC", CLI_TYPE_TIMESTAMP},
    {"timestamp_ns", "tsn:UTC", CLI_TYPE_TIMESTAMP},
    {"timestamp_s", "tss:UTC", CLI_TYPE_TIMESTAMP},
    {"large_string", "U", CLI_TYPE_STRING},
    {"large_binary", "Z", CLI_TYPE_BINARY},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static s3store_status refuse(s3store_error *err, const char *text, const char *why)
{
    memset(err, 0, sizeof *err);
    err->status = S3STORE_INVALID_ARGUMENT;
    int n = snprintf(err->message, sizeof err->message, "--types %s: %s; types are json", text, why);
    for (size_t i = 0; i < ROW_COUNT - 2 && n > 0 && (size_t)n < sizeof err->message; i++)
        n += snprintf(err->message + n, sizeof err->message - (size_t)n, ", %s", rows[i].name);
    if (n > 0 && (size_t)n < sizeof err->message)
        snprintf(err->message + n, sizeof err->message - (size_t)n,
                 ", list<T>, struct<NAME:T,...>, map<T,T>");
    return S3STORE_INVALID_ARGUMENT;
}

static const type_row *find_row(const char *type)
{
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].name, type) == 0)
            return &rows[i];
    return NULL;
}

/* The types of nested columns have colons too: "a:struct<b:int64>". */
static const char *find_colon(const char *text)
{
    const char *nested = strchr(text, '<');
    const char *end = nested != NULL ? nested : text + strlen(text);
    while (end > text && *end != ':')
        end--;
    return end > text ? end : NULL;
}

s3store_status cli_type_parse(const char *text, char *name, size_t name_size, const char **type,
                              s3store_error *err)
{
    const char *colon = find_colon(text);
    if (colon == NULL || (size_t)(colon - text) >= name_size)
        return refuse(err, text, "must be COLUMN:TYPE");
    memcpy(name, text, (size_t)(colon - text));
    name[colon - text] = '\0';
    *type = colon + 1;
    if (find_row(*type) != NULL || strcmp(*type, "json") == 0)
        return S3STORE_OK;
    if (strchr(*type, '<') != NULL) { /* is it one? */
        struct ArrowSchema scratch;
        s3store_status status = s3store_schema_new(1, &scratch, err);
        if (status == S3STORE_OK) {
            status = cli_type_add(&scratch, name, *type, err);
            scratch.release(&scratch);
        }
        if (status != S3STORE_INVALID_ARGUMENT)
            return status;
    }
    return refuse(err, text, "there is no such type");
}

s3store_status cli_type_add(struct ArrowSchema *schema, const char *name, const char *type,
                            s3store_error *err)
{
    const type_row *row = find_row(type);
    return row != NULL ? s3store_schema_add(schema, name, row->format, true, err)
                       : s3store_schema_add_type(schema, name, type, true, err);
}

s3store_status cli_type_copy(struct ArrowSchema *schema, const char *name,
                             const struct ArrowSchema *column, bool nullable, s3store_error *err)
{
    s3store_status status = s3store_schema_add(schema, name, column->format, nullable, err);
    if (status == S3STORE_OK && cli_schema_is_json(column))
        status = s3store_schema_set_extension(schema, (size_t)schema->n_children - 1, "arrow.json",
                                              err);
    for (int64_t i = 0; i < column->n_children && status == S3STORE_OK; i++) {
        const struct ArrowSchema *child = column->children[i];
        status = cli_type_copy(schema->children[schema->n_children - 1], child->name, child,
                               (child->flags & ARROW_FLAG_NULLABLE) != 0, err);
    }
    return status;
}

s3store_status cli_types_schema(const cli_list *types, struct ArrowSchema *out, s3store_error *err)
{
    s3store_status status = s3store_schema_new(types->count, out, err);
    for (size_t i = 0; i < types->count && status == S3STORE_OK; i++) {
        char name[256];
        const char *type = NULL;
        status = cli_type_parse(types->items[i], name, sizeof name, &type, err);
        if (status == S3STORE_OK)
            status = cli_type_add(out, name, type, err);
    }
    if (status != S3STORE_OK && out->release != NULL)
        out->release(out);
    return status;
}

bool cli_schema_is_json(const struct ArrowSchema *column)
{
    /* Metadata: int32 count, then int32-sized keys and values. */
    const char *m = column->metadata;
    int32_t count, size;
    if (m == NULL)
        return false;
    memcpy(&count, m, 4);
    m += 4;
    for (int32_t i = 0; i < count; i++) {
        memcpy(&size, m, 4);
        const char *key = m + 4;
        bool found = size == 20 && memcmp(key, "ARROW:extension:name", 20) == 0;
        m = key + size;
        memcpy(&size, m, 4);
        if (found)
            return size == 10 && memcmp(m + 4, "arrow.json", 10) == 0;
        m += 4 + size;
    }
    return false;
}

cli_type cli_type_of(const struct ArrowSchema *column)
{
    if (cli_schema_is_json(column))
        return CLI_TYPE_JSON;
    if (strncmp(column->format, "ts", 2) == 0)
        return CLI_TYPE_TIMESTAMP;
    if (column->format[0] == '+')
        return CLI_TYPE_NESTED;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].format, column->format) == 0)
            return rows[i].type;
    return CLI_TYPE_OTHER;
}

void cli_type_name(const struct ArrowSchema *column, char *buffer, size_t buffer_size)
{
    const char *name = column->format;
    if (column->format[0] == '+') {
        (void)s3store_type_text(column, buffer, buffer_size);
        return;
    }
    if (cli_schema_is_json(column))
        name = "json";
    else if (strncmp(column->format, "ts", 2) == 0) {
        static const char units[] = "smun";
        static const char *const names[] = {"s", "ms", "us", "ns"};
        const char *unit = strchr(units, column->format[2]);
        snprintf(buffer, buffer_size, "timestamp(%s%s)", unit != NULL ? names[unit - units] : "?",
                 strlen(column->format) > 4 ? ", UTC" : "");
        return;
    } else {
        for (size_t i = 0; i < ROW_COUNT; i++)
            if (strcmp(rows[i].format, column->format) == 0) {
                name = rows[i].name;
                break;
            }
    }
    snprintf(buffer, buffer_size, "%s", name);
}
