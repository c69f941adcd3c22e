/* dataset/schema_json.c: one version of the recorded schema (docs/FORMAT.md "Self-description"). */
#include "dataset/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "dataset/document.h"

#define SCHEMA_FORMAT 1
#define SCHEMA_MAX_COLUMNS 10000 /* as s3s_schema_import */
#define TYPE_TEXT_SIZE 256

static const char *const hint_names[] = {
    [S3S_HINT_JSON] = "json",
    [S3S_HINT_BSON] = "bson",
    [S3S_HINT_ENUM] = "enum",
    [S3S_HINT_UUID] = "uuid",
};
#define HINT_COUNT (sizeof hint_names / sizeof hint_names[0])

/* ---- parsing -------------------------------------------------------------------------------- */

static bool hint_from_text(const char *text, s3s_hint *out)
{
    for (size_t i = 1; text != NULL && i < HINT_COUNT; i++) {
        if (strcmp(hint_names[i], text) == 0) {
            *out = (s3s_hint)i;
            return true;
        }
    }
    return false;
}

static s3store_status read_column(s3s_schema *schema, size_t i, const s3s_json *column,
                                  const char *key, s3store_error *err)
{
    s3s_field *field = &schema->fields[i];
    s3s_field typed = {0};
    const char *name = s3s_json_text(s3s_json_get(column, "name"));
    const char *type = s3s_json_text(s3s_json_get(column, "type"));
    const s3s_json *hint = s3s_json_get(column, "hint");

    if (name == NULL || type == NULL)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: column %zu lacks its \"name\" or \"type\"", key, i);
    if (!s3s_type_from_text(type, &typed) || !s3s_type_is_flat(typed.type))
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: column \"%.100s\" has the unknown type \"%.100s\"", key, name,
                            type);
    /* An unknown hint is left out: it says how to show a value, not what it is. */
    if (hint != NULL)
        (void)hint_from_text(s3s_json_text(hint), &typed.hint);
    *field = typed;
    field->nullable = true;
    field->name = s3s_arena_strdup(&schema->arena, name);
    return field->name != NULL ? S3STORE_OK : s3s_fail_memory(err, strlen(name) + 1);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static s3store_status check_distinct(const s3s_schema *schema, const char *key, s3store_error *err)
{
    const char **names = s3s_calloc(schema->env, schema->field_count, sizeof *names);
    s3store_status status = S3STORE_OK;

    if (names == NULL)
        return s3s_fail_memory(err, schema->field_count * sizeof *names);
    for (size_t i = 0; i < schema->field_count; i++)
        names[i] = schema->fields[i].name;
    qsort(names, schema->field_count, sizeof *names, compare_names);
    for (size_t i = 1; i < schema->field_count && status == S3STORE_OK; i++) {
        if (strcmp(names[i - 1], names[i]) == 0)
            status = s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                                  "%s: column \"%.100s\" is there twice", key, names[i]);
    }
    s3s_free(schema->env, names);
    return status;
}

static s3store_status read_schema(s3s_env *env, const s3s_json *root, const char *key,
                                  uint32_t *version, s3s_schema **out, s3store_error *err)
{
    int64_t number;
    const s3s_json *columns = s3s_json_get(root, "columns");
    s3store_status status;

    if (!s3s_json_int(s3s_json_get(root, "version"), &number) || number < 1 || number > UINT32_MAX)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: \"version\" is missing or not a positive number", key);
    if (columns == NULL || !s3s_json_is_array(columns) ||
        s3s_json_count(columns) > SCHEMA_MAX_COLUMNS)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: \"columns\" is not a list of at most %d columns", key,
                            SCHEMA_MAX_COLUMNS);
    status = s3s_schema_new(env, s3s_json_count(columns), out, err);
    for (size_t i = 0; status == S3STORE_OK && i < (*out)->field_count; i++)
        status = read_column(*out, i, s3s_json_at(columns, i), key, err);
    if (status == S3STORE_OK)
        status = check_distinct(*out, key, err);
    *version = (uint32_t)number;
    return status;
}

s3store_status s3s_schema_json_parse(s3s_env *env, const char *text, size_t size, const char *key,
                                     uint32_t *version, s3s_schema **out, s3store_error *err)
{
    s3s_json *root = NULL;

    *version = 0;
    *out = NULL;
    s3store_status status = s3s_document_open(text, size, key, SCHEMA_FORMAT, &root, err);
    if (status == S3STORE_OK)
        status = read_schema(env, root, key, version, out, err);
    s3s_json_free(root);
    if (status != S3STORE_OK) {
        s3s_schema_release(*out);
        *out = NULL;
        *version = 0;
    }
    return status;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* The type as text that reads back as the same type; without the hint, which is said apart. */
static s3store_status type_text(const s3s_field *field, char text[TYPE_TEXT_SIZE],
                                s3store_error *err)
{
    s3s_field plain = *field;
    s3s_field back = {0};

    plain.hint = S3S_HINT_NONE;
    s3s_field_type_text(&plain, text, TYPE_TEXT_SIZE);
    if (!s3s_type_is_flat(field->type) || !s3s_type_from_text(text, &back) ||
        !s3s_field_same_type(&plain, &back))
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "column \"%.100s\" has the type %s, which a dataset cannot record",
                        field->name, text);
    return S3STORE_OK;
}

s3store_status s3s_schema_json_write(const s3s_schema *schema, uint32_t version, s3s_buffer *out,
                                     s3store_error *err)
{
    s3s_json_writer w;
    char type[TYPE_TEXT_SIZE];

    for (size_t i = 0; i < schema->field_count; i++) {
        s3store_status status = type_text(&schema->fields[i], type, err);
        if (status != S3STORE_OK)
            return status;
    }
    s3s_json_begin(&w, out);
    s3s_json_open(&w, '{');
    s3s_json_name(&w, "format");
    s3s_json_put_int(&w, SCHEMA_FORMAT);
    s3s_json_name(&w, "version");
    s3s_json_put_int(&w, version);
    s3s_json_name(&w, "columns");
    s3s_json_open(&w, '[');
    for (size_t i = 0; i < schema->field_count; i++) {
        const s3s_field *field = &schema->fields[i];

        (void)type_text(field, type, NULL);
        s3s_json_open(&w, '{');
        s3s_json_name(&w, "name");
        s3s_json_put_text(&w, field->name);
        s3s_json_name(&w, "type");
        s3s_json_put_text(&w, type);
        if (field->hint > S3S_HINT_NONE && (size_t)field->hint < HINT_COUNT) {
            s3s_json_name(&w, "hint");
            s3s_json_put_text(&w, hint_names[field->hint]);
        }
        s3s_json_close(&w, '}');
    }
    s3s_json_close(&w, ']');
    s3s_json_close(&w, '}');
    return s3s_json_end(&w, err);
}
