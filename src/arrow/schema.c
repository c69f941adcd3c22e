/* Types and schemas: traits, life cycle, comparison. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/internal.h"
#include "base/error.h"

typedef struct type_traits {
    s3s_layout layout;
    uint8_t width; /* of a fixed value; 0 = the field says it, or it has none */
} type_traits;

static const type_traits traits[S3S_TYPE_COUNT] = {
    [S3S_TYPE_NULL] = {S3S_LAYOUT_NULL, 0},
    [S3S_TYPE_BOOL] = {S3S_LAYOUT_BOOL, 0},
    [S3S_TYPE_INT8] = {S3S_LAYOUT_FIXED, 1},
    [S3S_TYPE_INT16] = {S3S_LAYOUT_FIXED, 2},
    [S3S_TYPE_INT32] = {S3S_LAYOUT_FIXED, 4},
    [S3S_TYPE_INT64] = {S3S_LAYOUT_FIXED, 8},
    [S3S_TYPE_UINT8] = {S3S_LAYOUT_FIXED, 1},
    [S3S_TYPE_UINT16] = {S3S_LAYOUT_FIXED, 2},
    [S3S_TYPE_UINT32] = {S3S_LAYOUT_FIXED, 4},
    [S3S_TYPE_UINT64] = {S3S_LAYOUT_FIXED, 8},
    [S3S_TYPE_FLOAT16] = {S3S_LAYOUT_FIXED, 2},
    [S3S_TYPE_FLOAT] = {S3S_LAYOUT_FIXED, 4},
    [S3S_TYPE_DOUBLE] = {S3S_LAYOUT_FIXED, 8},
    [S3S_TYPE_STRING] = {S3S_LAYOUT_BYTES, 0},
    [S3S_TYPE_LARGE_STRING] = {S3S_LAYOUT_LARGE_BYTES, 0},
    [S3S_TYPE_BINARY] = {S3S_LAYOUT_BYTES, 0},
    [S3S_TYPE_LARGE_BINARY] = {S3S_LAYOUT_LARGE_BYTES, 0},
    [S3S_TYPE_FIXED_BINARY] = {S3S_LAYOUT_FIXED, 0},
    [S3S_TYPE_DATE32] = {S3S_LAYOUT_FIXED, 4},
    [S3S_TYPE_DATE64] = {S3S_LAYOUT_FIXED, 8},
    [S3S_TYPE_TIME32] = {S3S_LAYOUT_FIXED, 4},
    [S3S_TYPE_TIME64] = {S3S_LAYOUT_FIXED, 8},
    [S3S_TYPE_TIMESTAMP] = {S3S_LAYOUT_FIXED, 8},
    [S3S_TYPE_DURATION] = {S3S_LAYOUT_FIXED, 8},
    [S3S_TYPE_DECIMAL] = {S3S_LAYOUT_FIXED, 0},
    [S3S_TYPE_INTERVAL] = {S3S_LAYOUT_FIXED, 16},
    [S3S_TYPE_LIST] = {S3S_LAYOUT_LIST, 0},
    [S3S_TYPE_LARGE_LIST] = {S3S_LAYOUT_LARGE_LIST, 0},
    [S3S_TYPE_STRUCT] = {S3S_LAYOUT_STRUCT, 0},
    [S3S_TYPE_MAP] = {S3S_LAYOUT_LIST, 0},
};

static const uint8_t layout_buffers[] = {
    [S3S_LAYOUT_NULL] = 0,        [S3S_LAYOUT_BOOL] = 2, [S3S_LAYOUT_FIXED] = 2,
    [S3S_LAYOUT_BYTES] = 3,       [S3S_LAYOUT_LARGE_BYTES] = 3,
    [S3S_LAYOUT_LIST] = 2,        [S3S_LAYOUT_LARGE_LIST] = 2,
    [S3S_LAYOUT_STRUCT] = 1,
};

s3s_layout s3s_type_layout(s3s_type type)
{
    return traits[type].layout;
}

size_t s3s_type_buffer_count(s3s_type type)
{
    return layout_buffers[traits[type].layout];
}

size_t s3s_type_child_count(s3s_type type, const s3s_field *field)
{
    switch (traits[type].layout) {
    case S3S_LAYOUT_LIST:
    case S3S_LAYOUT_LARGE_LIST:
        return 1;
    case S3S_LAYOUT_STRUCT:
        return field->child_count;
    default:
        return 0;
    }
}

size_t s3s_type_value_size(const s3s_field *field)
{
    if (field->type == S3S_TYPE_FIXED_BINARY || field->type == S3S_TYPE_DECIMAL)
        return (size_t)field->width;
    return traits[field->type].width;
}

bool s3s_type_is_flat(s3s_type type)
{
    return traits[type].layout < S3S_LAYOUT_LIST;
}

bool s3s_type_is_bytes(s3s_type type)
{
    return type >= S3S_TYPE_STRING && type <= S3S_TYPE_LARGE_BINARY;
}

bool s3s_type_is_text(s3s_type type)
{
    return type == S3S_TYPE_STRING || type == S3S_TYPE_LARGE_STRING;
}

bool s3s_type_is_integer(s3s_type type)
{
    return type >= S3S_TYPE_INT8 && type <= S3S_TYPE_UINT64;
}

int64_t s3s_unit_per_second(s3s_unit unit)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    return per_second[unit];
}

s3store_status s3s_schema_new(s3s_env *env, size_t field_count, s3s_schema **out,
                              s3store_error *err)
{
    *out = NULL;
    s3s_schema *schema = s3s_calloc(env, 1, sizeof *schema);
    if (schema == NULL)
        return s3s_fail_memory(err, sizeof *schema);
    schema->env = s3s_env_hold(env);
    schema->refs = 1;
    s3s_arena_init(&schema->arena, env);
    schema->fields = s3s_arena_calloc(&schema->arena, field_count ? field_count : 1,
                                      sizeof *schema->fields);
    if (schema->fields == NULL) {
        s3s_schema_release(schema);
        return s3s_fail_memory(err, field_count * sizeof *schema->fields);
    }
    schema->field_count = field_count;
    *out = schema;
    return S3STORE_OK;
}

s3s_schema *s3s_schema_retain(s3s_schema *schema)
{
    __atomic_fetch_add(&schema->refs, 1, __ATOMIC_RELAXED);
    return schema;
}

void s3s_schema_release(s3s_schema *schema)
{
    if (schema == NULL || __atomic_sub_fetch(&schema->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    s3s_env *env = schema->env;
    s3s_arena_deinit(&schema->arena);
    s3s_free(env, schema);
    s3s_env_drop(env);
}

bool s3s_field_copy(s3s_arena *arena, const s3s_field *from, s3s_field *to)
{
    *to = *from;
    to->children = NULL;
    to->name = s3s_arena_strdup(arena, from->name);
    if (to->name == NULL)
        return false;
    if (from->child_count == 0)
        return true;
    to->children = s3s_arena_calloc(arena, from->child_count, sizeof *to->children);
    if (to->children == NULL)
        return false;
    for (size_t i = 0; i < from->child_count; i++)
        if (!s3s_field_copy(arena, &from->children[i], &to->children[i]))
            return false;
    return true;
}

s3store_status s3s_schema_select(const s3s_schema *schema, const size_t *columns, size_t count,
                                 s3s_schema **out, s3store_error *err)
{
    s3s_schema *selected;
    s3store_status status = s3s_schema_new(schema->env, count, &selected, err);
    *out = NULL;
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        if (columns[i] >= schema->field_count) {
            s3s_schema_release(selected);
            return s3s_fail(err, S3STORE_INTERNAL, "column %zu of %zu was selected", columns[i],
                            schema->field_count);
        }
        if (!s3s_field_copy(&selected->arena, &schema->fields[columns[i]],
                            &selected->fields[i])) {
            s3s_schema_release(selected);
            return s3s_fail_memory(err, sizeof(s3s_field));
        }
    }
    *out = selected;
    return S3STORE_OK;
}

size_t s3s_schema_find(const s3s_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->field_count; i++)
        if (strcmp(schema->fields[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

const char *s3s_schema_names(const s3s_schema *schema, char names[S3S_SCHEMA_NAMES_SIZE])
{
    size_t used = 0;
    names[0] = '\0';
    for (size_t i = 0; i < schema->field_count && used < S3S_SCHEMA_NAMES_SIZE; i++) {
        int n = snprintf(names + used, S3S_SCHEMA_NAMES_SIZE - used, "%s%s", i > 0 ? ", " : "",
                         schema->fields[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used >= S3S_SCHEMA_NAMES_SIZE)
        memcpy(names + S3S_SCHEMA_NAMES_SIZE - 4, "...", 4);
    return names;
}

s3store_status s3s_schema_positions(s3s_env *env, const s3s_schema *schema,
                                    const char *const *names, size_t count, size_t **out,
                                    s3store_error *err)
{
    size_t *positions = s3s_calloc(env, count + 1, sizeof *positions);
    *out = NULL;
    if (positions == NULL)
        return s3s_fail_memory(err, count * sizeof *positions);
    for (size_t i = 0; i < count; i++) {
        positions[i] = s3s_schema_find(schema, names[i]);
        if (positions[i] == SIZE_MAX) {
            s3s_free(env, positions);
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "there is no column \"%s\" to write",
                            names[i]);
        }
    }
    *out = positions;
    return S3STORE_OK;
}

/* Arrow leaves the names in a map open, so only members of plain structs are told apart by them. */
static bool same_type(const s3s_field *a, const s3s_field *b, bool in_map)
{
    if (a->type != b->type || a->child_count != b->child_count)
        return false;
    switch (a->type) {
    case S3S_TYPE_TIMESTAMP:
        return a->unit == b->unit && a->utc == b->utc;
    case S3S_TYPE_TIME32:
    case S3S_TYPE_TIME64:
    case S3S_TYPE_DURATION:
        return a->unit == b->unit;
    case S3S_TYPE_FIXED_BINARY:
        return a->width == b->width;
    case S3S_TYPE_DECIMAL:
        return a->width == b->width && a->precision == b->precision && a->scale == b->scale;
    default:
        break;
    }
    bool named = a->type == S3S_TYPE_STRUCT && !in_map;
    for (size_t i = 0; i < a->child_count; i++) {
        if (named && strcmp(a->children[i].name, b->children[i].name) != 0)
            return false;
        if (!same_type(&a->children[i], &b->children[i], a->type == S3S_TYPE_MAP))
            return false;
    }
    return true;
}

bool s3s_field_same_type(const s3s_field *a, const s3s_field *b)
{
    return same_type(a, b, false);
}

bool s3s_field_nulls_fit(const s3s_field *from, const s3s_field *to)
{
    if (from->nullable && !to->nullable)
        return false;
    for (size_t i = 0; i < from->child_count; i++)
        if (!s3s_field_nulls_fit(&from->children[i], &to->children[i]))
            return false;
    return true;
}

/* Schemas that come from outside are at most 64 levels deep. */
static bool equal_fields(const s3s_field *a, const s3s_field *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (a[i].type != b[i].type || a[i].unit != b[i].unit || a[i].hint != b[i].hint ||
            a[i].utc != b[i].utc || a[i].nullable != b[i].nullable || a[i].width != b[i].width ||
            a[i].precision != b[i].precision || a[i].scale != b[i].scale ||
            a[i].child_count != b[i].child_count || strcmp(a[i].name, b[i].name) != 0 ||
            !equal_fields(a[i].children, b[i].children, a[i].child_count))
            return false;
    }
    return true;
}

bool s3s_schema_equal(const s3s_schema *a, const s3s_schema *b)
{
    return a == b ||
           (a->field_count == b->field_count && equal_fields(a->fields, b->fields, a->field_count));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

#define NAMES_FEW 8

const char *s3s_names_duplicate(const char **names, size_t count)
{
    if (count <= NAMES_FEW) { /* each with each costs less than to sort them */
        for (size_t i = 1; i < count; i++)
            for (size_t k = 0; k < i; k++)
                if (names[i][0] == names[k][0] && strcmp(names[i], names[k]) == 0)
                    return names[i];
        return NULL;
    }
    if (count > 1)
        qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return names[i];
    return NULL;
}
