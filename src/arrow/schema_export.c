/* Schemas to the ABI: self-contained trees, built node by node. */
#include <limits.h>

#include "arrow/internal.h"
#include "base/error.h"

/* One allocation for the texts; children are allocated singly, so that a parent can still grow. */
typedef struct schema_private {
    s3s_env *env;
    struct ArrowSchema **children;
    size_t child_count;
    size_t child_capacity;
    char texts[]; /* format, name, metadata */
} schema_private;

static void release_schema(struct ArrowSchema *schema)
{
    schema_private *p = schema->private_data;
    s3s_env *env = p->env;
    for (size_t i = 0; i < p->child_count; i++) {
        /* children holds child_count. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        s3s_schema_abi_release(p->children[i]); /* no-op when it was moved out */
        s3s_free(env, p->children[i]);
    }
    s3s_free(env, p->children);
    s3s_free(env, p);
    memset(schema, 0, sizeof *schema);
    s3s_env_drop(env);
}

void s3s_schema_abi_release(struct ArrowSchema *schema)
{
    if (schema != NULL && schema->release != NULL)
        schema->release(schema);
}

static s3store_status node_init(s3s_env *env, const char *format, const char *name,
                                s3store_bytes metadata, int64_t flags, struct ArrowSchema *out,
                                s3store_error *err)
{
    size_t format_size = strlen(format) + 1;
    size_t name_size = strlen(name) + 1;
    size_t size = sizeof(schema_private) + format_size + name_size + metadata.size;
    schema_private *p = s3s_calloc(env, 1, size);
    memset(out, 0, sizeof *out);
    if (p == NULL)
        return s3s_fail_memory(err, size);
    p->env = s3s_env_hold(env);
    memcpy(p->texts, format, format_size);
    memcpy(p->texts + format_size, name, name_size);
    out->format = p->texts;
    out->name = p->texts + format_size;
    if (metadata.size > 0) {
        char *copy = p->texts + format_size + name_size;
        memcpy(copy, metadata.data, metadata.size);
        out->metadata = copy;
    }
    out->flags = flags;
    out->release = release_schema;
    out->private_data = p;
    return S3STORE_OK;
}

/* A new, zeroed child of a node of ours; NULL on failure. */
static struct ArrowSchema *node_add(struct ArrowSchema *parent, s3store_error *err)
{
    schema_private *p = parent->private_data;
    if (p->child_count == p->child_capacity) {
        size_t capacity = p->child_capacity != 0 ? 2 * p->child_capacity : 8;
        struct ArrowSchema **grown = s3s_realloc(p->env, p->children, capacity * sizeof *grown);
        if (grown == NULL) {
            s3s_fail_memory(err, capacity * sizeof *grown);
            return NULL;
        }
        p->children = grown;
        p->child_capacity = capacity;
        parent->children = grown;
    }
    struct ArrowSchema *child = s3s_calloc(p->env, 1, sizeof *child);
    if (child == NULL) {
        s3s_fail_memory(err, sizeof *child);
        return NULL;
    }
    p->children[p->child_count++] = child;
    parent->n_children = (int64_t)p->child_count;
    return child;
}

static void node_drop_last(struct ArrowSchema *parent)
{
    schema_private *p = parent->private_data;
    struct ArrowSchema *last = p->children[--p->child_count];
    s3s_schema_abi_release(last);
    s3s_free(p->env, last);
    parent->n_children = (int64_t)p->child_count;
}

/* ---- hints as extension types ---------------------------------------------------------------- */

#define METADATA_SIZE 96

static size_t put_text(char *out, size_t at, const char *text)
{
    int32_t size = (int32_t)strlen(text);
    memcpy(out + at, &size, 4);
    memcpy(out + at + 4, text, (size_t)size);
    return at + 4 + (size_t)size;
}

/* Two pairs: the extension's name and its (empty) parameters. */
static s3store_bytes hint_metadata(s3s_hint hint, char buffer[METADATA_SIZE])
{
    static const char *const names[] = {
        [S3S_HINT_JSON] = "arrow.json",
        [S3S_HINT_BSON] = "s3store.bson",
        [S3S_HINT_ENUM] = "s3store.enum",
        [S3S_HINT_UUID] = "arrow.uuid",
    };
    if (hint == S3S_HINT_NONE)
        return (s3store_bytes){NULL, 0};
    int32_t pairs = 2;
    memcpy(buffer, &pairs, 4);
    size_t at = put_text(buffer, 4, "ARROW:extension:name");
    at = put_text(buffer, at, names[hint]);
    at = put_text(buffer, at, "ARROW:extension:metadata");
    at = put_text(buffer, at, "");
    return (s3store_bytes){buffer, at};
}

/* ---- export ---------------------------------------------------------------------------------- */

/* The recursion follows a schema, whose depth is bounded. */
static s3store_status export_field(s3s_env *env, const s3s_field *field, struct ArrowSchema *out,
                                   s3store_error *err)
{
    char format[64];
    char metadata[METADATA_SIZE];
    s3store_status status = node_init(
        env, s3s_format_text(field, format, sizeof format), field->name,
        hint_metadata(field->hint, metadata), field->nullable ? ARROW_FLAG_NULLABLE : 0, out, err);
    for (size_t i = 0; i < field->child_count && status == S3STORE_OK; i++) {
        struct ArrowSchema *child = node_add(out, err);
        status = child != NULL ? export_field(env, &field->children[i], child, err)
                               : S3STORE_OUT_OF_MEMORY;
    }
    return status;
}

s3store_status s3s_schema_export(const s3s_schema *schema, struct ArrowSchema *out,
                                 s3store_error *err)
{
    s3s_field top = {.name = "",
                     .type = S3S_TYPE_STRUCT,
                     .children = schema->fields,
                     .child_count = schema->field_count};
    s3store_status status = export_field(schema->env, &top, out, err);
    if (status != S3STORE_OK)
        s3s_schema_abi_release(out);
    return status;
}

static void release_nothing(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

/* ---- the public maker ------------------------------------------------------------------------ */

s3store_status s3store_schema_new(size_t column_capacity, struct ArrowSchema *out,
                                  s3store_error *err)
{
    if (out == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "schema_new: out is NULL");
    memset(out, 0, sizeof *out);
    if (column_capacity > S3S_MAX_COLUMNS)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "schema_new: %zu columns, more than %d",
                        column_capacity, S3S_MAX_COLUMNS);
    s3store_status status =
        node_init(NULL, "+s", "", (s3store_bytes){NULL, 0}, 0, out, err);
    if (status != S3STORE_OK || column_capacity == 0)
        return status;
    schema_private *p = out->private_data;
    p->children = s3s_calloc(NULL, column_capacity, sizeof *p->children);
    if (p->children == NULL) {
        s3s_schema_abi_release(out);
        return s3s_fail_memory(err, column_capacity * sizeof *p->children);
    }
    p->child_capacity = column_capacity;
    out->children = p->children;
    return S3STORE_OK;
}

static s3store_status check_add(const struct ArrowSchema *schema, const char *name,
                                const char *format, s3store_error *err)
{
    const char *why;
    s3s_field field = {0};
    if (schema == NULL || schema->release != release_schema)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "schema_add: the schema was not made by s3store_schema_new");
    if (name == NULL || !s3s_utf8_valid(name, strlen(name)))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "schema_add: the column name is missing or not valid UTF-8");
    if (format == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "schema_add: column \"%.200s\" needs a format", name);
    bool known = s3s_format_parse(format, &field, &why);
    if (!known && why == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "schema_add: column \"%.200s\": format \"%.64s\" is not one of Arrow's",
                        name, format);
    if (!known)
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "schema_add: column \"%.200s\": %s (format \"%.64s\") are not supported", name,
                        why, format);
    bool nested = s3s_format_parse(schema->format, &field, &why) && !s3s_type_is_flat(field.type);
    if (!nested || (field.type != S3S_TYPE_STRUCT && schema->n_children > 0))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "schema_add: column \"%.200s\": its parent, of format \"%.64s\", takes no %s",
                        name, schema->format, nested ? "second child" : "children");
    if (schema->n_children >= S3S_MAX_COLUMNS)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "schema_add: more than %d columns",
                        S3S_MAX_COLUMNS);
    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->name != NULL && strcmp(schema->children[i]->name, name) == 0)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "schema_add: there is already a column \"%.200s\"", name);
    return S3STORE_OK;
}

s3store_status s3store_schema_add(struct ArrowSchema *schema, const char *name, const char *format,
                                  bool nullable, s3store_error *err)
{
    s3store_status status = check_add(schema, name, format, err);
    if (status != S3STORE_OK)
        return status;
    struct ArrowSchema *child = node_add(schema, err);
    if (child == NULL)
        return S3STORE_OUT_OF_MEMORY;
    schema_private *p = schema->private_data;
    status = node_init(p->env, format, name, (s3store_bytes){NULL, 0},
                       nullable ? ARROW_FLAG_NULLABLE : 0, child, err);
    if (status != S3STORE_OK)
        node_drop_last(schema);
    return status;
}

s3store_status s3store_schema_add_type(struct ArrowSchema *schema, const char *name,
                                       const char *type, bool nullable, s3store_error *err)
{
    s3s_arena arena;
    s3s_field field = {.name = name, .nullable = nullable};
    s3store_status status = check_add(schema, name, "u", err);
    if (status != S3STORE_OK)
        return status;
    schema_private *p = schema->private_data;
    s3s_arena_init(&arena, p->env);
    s3s_text_result result = type != NULL ? s3s_field_from_text(&arena, type, &field)
                                          : S3S_TEXT_NO_TYPE;
    if (result == S3S_TEXT_NO_MEMORY)
        status = s3s_fail_memory(err, sizeof field);
    else if (result == S3S_TEXT_NO_TYPE)
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                          "schema_add: column \"%.200s\": there is no type \"%.200s\"", name,
                          type != NULL ? type : "");
    struct ArrowSchema *child = status == S3STORE_OK ? node_add(schema, err) : NULL;
    if (status == S3STORE_OK && child == NULL)
        status = S3STORE_OUT_OF_MEMORY;
    if (child != NULL) {
        status = export_field(p->env, &field, child, err);
        if (status != S3STORE_OK)
            node_drop_last(schema);
    }
    s3s_arena_deinit(&arena);
    return status;
}

const char *s3store_type_text(const struct ArrowSchema *column, char *buffer, size_t buffer_size)
{
    s3s_schema *schema = NULL;
    struct ArrowSchema *children[1] = {(struct ArrowSchema *)(uintptr_t)column};
    struct ArrowSchema top = {.format = "+s", .n_children = 1, .children = children,
                              .release = release_nothing};
    if (buffer_size > 0)
        buffer[0] = '\0';
    if (s3s_schema_import(NULL, &top, &schema, NULL) == S3STORE_OK)
        s3s_field_type_text(&schema->fields[0], buffer, buffer_size);
    s3s_schema_release(schema);
    return buffer;
}

/* Replaces the column by a copy with the extension's metadata: texts live in one allocation. */
s3store_status s3store_schema_set_extension(struct ArrowSchema *schema, size_t column,
                                            const char *extension, s3store_error *err)
{
    char metadata[METADATA_SIZE];
    struct ArrowSchema copy;
    if (schema == NULL || schema->release != release_schema ||
        column >= (size_t)schema->n_children || extension == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "schema_set_extension: there is no column %zu, or no extension", column);
    struct ArrowSchema *child = schema->children[column];
    bool text = strcmp(child->format, "u") == 0 || strcmp(child->format, "U") == 0;
    if (strcmp(extension, "arrow.json") != 0 || !text)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "schema_set_extension: column \"%.200s\" is not a string that can be "
                        "\"%.100s\"; arrow.json is supported",
                        child->name, extension);
    s3store_status status =
        node_init(NULL, child->format, child->name, hint_metadata(S3S_HINT_JSON, metadata),
                  child->flags, &copy, err);
    if (status != S3STORE_OK)
        return status;
    s3s_schema_abi_release(child);
    *child = copy;
    return S3STORE_OK;
}
