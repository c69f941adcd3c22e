/* dataset/schema_json.c: one version of the recorded schema (docs/FORMAT.md "Self-description"). */
#include "dataset/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "dataset/document.h"

#define SCHEMA_FORMAT 1
#define SCHEMA_MAX_COLUMNS 10000 /* as s3s_schema_import, and as an array has in base/json.c */
#define TYPE_TEXT_SIZE 256
#define MAX_DEPTH 64 /* what a Parquet file holds: a list or map is two levels there */

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

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What is read, for messages: a column and what is nested in it. */
typedef struct reading {
    s3s_schema *schema;
    const char *key;
    const char *column; /* the top-level one */
    s3store_error *err;
} reading;

static s3store_status read_type(const reading *r, const s3s_json *json, int depth,
                                s3s_field *field);

static const s3s_type nested_types[] = {S3S_TYPE_LIST, S3S_TYPE_STRUCT, S3S_TYPE_MAP};
static const char *const nested_names[] = {"list", "struct", "map"};
#define NESTED_COUNT (sizeof nested_types / sizeof nested_types[0])

static s3store_status bad_children(const reading *r, const char *type, const char *what)
{
    return s3s_fail_key(r->err, S3STORE_BAD_CONFIG, r->key, "%s: column \"%.100s\": a %s needs %s",
                        r->key, r->column, type, what);
}

/* Sorts borrowed names. */
static const char *find_twice(s3s_env *env, const s3s_field *fields, size_t count, bool *memory)
{
    const char **names = s3s_calloc(env, count, sizeof *names), *twice = NULL;

    *memory = names != NULL;
    if (names == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        names[i] = fields[i].name;
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count && twice == NULL; i++)
        twice = strcmp(names[i - 1], names[i]) == 0 ? names[i] : NULL;
    s3s_free(env, names);
    return twice;
}

static s3store_status new_fields(const reading *r, size_t count, s3s_field *field)
{
    field->child_count = count;
    field->children = s3s_arena_calloc(&r->schema->arena, count, sizeof *field->children);
    return field->children != NULL ? S3STORE_OK
                                   : s3s_fail_memory(r->err, count * sizeof *field->children);
}

/* The names of members count; those of others are given, as Arrow has them. */
static s3store_status read_members(const reading *r, const s3s_json *children, int depth,
                                   s3s_field *field)
{
    bool memory = true;
    s3store_status status = new_fields(r, s3s_json_count(children), field);

    for (size_t i = 0; i < field->child_count && status == S3STORE_OK; i++) {
        const s3s_json *child = s3s_json_at(children, i);
        const char *name = s3s_json_text(s3s_json_get(child, "name"));

        if (name == NULL)
            return s3s_fail_key(r->err, S3STORE_BAD_CONFIG, r->key,
                                "%s: column \"%.100s\": member %zu of a struct lacks its \"name\"",
                                r->key, r->column, i);
        field->children[i].name = s3s_arena_strdup(&r->schema->arena, name);
        if (field->children[i].name == NULL)
            return s3s_fail_memory(r->err, strlen(name) + 1);
        status = read_type(r, child, depth + 1, &field->children[i]);
    }
    const char *twice = status == S3STORE_OK ? find_twice(r->schema->env, field->children,
                                                          field->child_count, &memory)
                                             : NULL;
    if (!memory)
        return s3s_fail_memory(r->err, field->child_count * sizeof(char *));
    if (twice != NULL)
        status = s3s_fail_key(r->err, S3STORE_BAD_CONFIG, r->key,
                              "%s: column \"%.100s\": the member \"%.100s\" is there twice", r->key,
                              r->column, twice);
    return status;
}

static s3store_status read_children(const reading *r, const s3s_json *json, int depth,
                                    s3s_field *field)
{
    static const char *const of_entries[] = {"key", "value"};
    const s3s_json *children = s3s_json_get(json, "children");
    bool listed = children != NULL && s3s_json_is_array(children);
    size_t count = listed ? s3s_json_count(children) : 0;
    s3store_status status;

    if (field->type == S3S_TYPE_STRUCT)
        return count > 0 /* and no more than any JSON array has */
                   ? read_members(r, children, depth, field)
                   : bad_children(r, "struct", "its members, 1 to 10000, as \"children\"");
    if (field->type == S3S_TYPE_LIST && count != 1)
        return bad_children(r, "list", "the type of its elements as the only one of \"children\"");
    if (field->type == S3S_TYPE_MAP && count != 2)
        return bad_children(r, "map", "the types of key and value as \"children\"");
    status = new_fields(r, 1, field);
    if (status != S3STORE_OK)
        return status;
    if (field->type == S3S_TYPE_LIST) {
        field->children[0].name = "item";
        return read_type(r, s3s_json_at(children, 0), depth + 2, &field->children[0]);
    }
    s3s_field *entries = &field->children[0];
    *entries = (s3s_field){.name = "entries", .type = S3S_TYPE_STRUCT};
    status = new_fields(r, 2, entries);
    for (size_t i = 0; i < 2 && status == S3STORE_OK; i++) {
        entries->children[i].name = of_entries[i];
        status = read_type(r, s3s_json_at(children, i), depth + 2, &entries->children[i]);
    }
    if (status == S3STORE_OK)
        entries->children[0].nullable = false;
    return status;
}

/* Everything but the name. depth: of this field, 1 for a column. */
static s3store_status read_type(const reading *r, const s3s_json *json, int depth,
                                s3s_field *field)
{
    s3s_field typed = {.name = field->name};
    const char *type = s3s_json_text(s3s_json_get(json, "type"));
    const s3s_json *hint = s3s_json_get(json, "hint");
    bool nested = false;

    if (type == NULL)
        return s3s_fail_key(r->err, S3STORE_BAD_CONFIG, r->key,
                            "%s: column \"%.100s\": what is nested in it lacks its \"type\"",
                            r->key, r->column);
    for (size_t i = 0; i < NESTED_COUNT && !nested; i++) {
        nested = strcmp(type, nested_names[i]) == 0;
        typed.type = nested_types[i];
    }
    if (!nested &&
        (!s3s_type_from_text(type, &typed) || (depth > 1 && typed.type == S3S_TYPE_NULL)))
        return s3s_fail_key(r->err, S3STORE_BAD_CONFIG, r->key,
                            "%s: column \"%.100s\" has the unknown type \"%.100s\"", r->key,
                            r->column, type);
    if (depth > MAX_DEPTH)
        return s3s_fail_key(r->err, S3STORE_BAD_CONFIG, r->key,
                            "%s: column \"%.100s\" is nested deeper than %d levels", r->key,
                            r->column, MAX_DEPTH);
    /* An unknown hint is left out: it says how to show a value, not what it is. */
    if (hint != NULL)
        (void)hint_from_text(s3s_json_text(hint), &typed.hint);
    *field = typed;
    field->nullable = true;
    return nested ? read_children(r, json, depth, field) : S3STORE_OK;
}

static s3store_status read_column(s3s_schema *schema, size_t i, const s3s_json *column,
                                  const char *key, s3store_error *err)
{
    s3s_field *field = &schema->fields[i];
    const char *name = s3s_json_text(s3s_json_get(column, "name"));

    if (name == NULL || s3s_json_text(s3s_json_get(column, "type")) == NULL)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: column %zu lacks its \"name\" or \"type\"", key, i);
    field->name = s3s_arena_strdup(&schema->arena, name);
    if (field->name == NULL)
        return s3s_fail_memory(err, strlen(name) + 1);
    reading r = {schema, key, name, err};
    return read_type(&r, column, 1, field);
}

static s3store_status check_distinct(const s3s_schema *schema, const char *key, s3store_error *err)
{
    bool memory;
    const char *twice = find_twice(schema->env, schema->fields, schema->field_count, &memory);

    if (!memory)
        return s3s_fail_memory(err, schema->field_count * sizeof(char *));
    return twice == NULL ? S3STORE_OK
                         : s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                                        "%s: column \"%.100s\" is there twice", key, twice);
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
    if (columns == NULL || !s3s_json_is_array(columns)) /* of more no JSON array holds */
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

/* The type of a flat field as text that reads back as the same type; without the hint, which is said
 * apart. */
static s3store_status type_text(const s3s_field *field, const char *column,
                                char text[TYPE_TEXT_SIZE], s3store_error *err)
{
    s3s_field plain = *field;
    s3s_field back = {0};

    plain.hint = S3S_HINT_NONE;
    s3s_field_type_text(&plain, text, TYPE_TEXT_SIZE);
    if (!s3s_type_from_text(text, &back) || !s3s_field_same_type(&plain, &back))
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "column \"%.100s\" has the type %s, which a dataset cannot record", column,
                        text);
    return S3STORE_OK;
}

/* What is nested has a type that is known, and structs have members. */
static s3store_status check_field(const s3s_field *field, const char *column, int depth,
                                  s3store_error *err)
{
    char text[TYPE_TEXT_SIZE];
    s3store_status status = S3STORE_OK;

    if (depth > MAX_DEPTH)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "column \"%.100s\" is nested deeper than %d levels",
                        column, MAX_DEPTH);
    if (depth > 1 && field->type == S3S_TYPE_NULL)
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "column \"%.100s\": the type of what it holds is not known (every \"%.100s\" "
                        "is null or there is none): give it a type",
                        column, field->name);
    if (s3s_type_is_flat(field->type))
        return type_text(field, column, text, err);
    if (field->child_count == 0)
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "column \"%.100s\": a struct without members cannot be recorded", column);
    const s3s_field *inner = field->type == S3S_TYPE_MAP ? &field->children[0] : field;
    int below = field->type == S3S_TYPE_STRUCT ? depth + 1 : depth + 2;
    for (size_t i = 0; i < inner->child_count && status == S3STORE_OK; i++)
        status = check_field(&inner->children[i], column, below, err);
    return status;
}

/* An object for a column or for what is nested in it; only columns and members have names. */
static void put_field(s3s_json_writer *w, const s3s_field *field, bool named)
{
    char type[TYPE_TEXT_SIZE];
    const s3s_field *inner = field->type == S3S_TYPE_MAP ? &field->children[0] : field;

    s3s_json_open(w, '{');
    if (named) {
        s3s_json_name(w, "name");
        s3s_json_put_text(w, field->name);
    }
    s3s_json_name(w, "type");
    if (s3s_type_is_flat(field->type)) {
        (void)type_text(field, field->name, type, NULL);
        s3s_json_put_text(w, type);
    } else {
        s3s_json_put_text(w, field->type == S3S_TYPE_STRUCT ? "struct"
                             : field->type == S3S_TYPE_MAP  ? "map"
                                                            : "list");
        s3s_json_name(w, "children");
        s3s_json_open(w, '[');
        for (size_t i = 0; i < inner->child_count; i++)
            put_field(w, &inner->children[i], field->type == S3S_TYPE_STRUCT);
        s3s_json_close(w, ']');
    }
    if (field->hint != S3S_HINT_NONE) {
        s3s_json_name(w, "hint");
        s3s_json_put_text(w, hint_names[field->hint]);
    }
    s3s_json_close(w, '}');
}

s3store_status s3s_schema_json_write(const s3s_schema *schema, uint32_t version, s3s_buffer *out,
                                     s3store_error *err)
{
    s3s_json_writer w;

    for (size_t i = 0; i < schema->field_count; i++) {
        s3store_status status = check_field(&schema->fields[i], schema->fields[i].name, 1, err);
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
    for (size_t i = 0; i < schema->field_count; i++)
        put_field(&w, &schema->fields[i], true);
    s3s_json_close(&w, ']');
    s3s_json_close(&w, '}');
    return s3s_json_end(&w, err);
}
