/* Record types: the checks that make reading and writing through offsets safe, and their schema. */
#include <stdalign.h>

#include "arrow/internal.h"
#include "arrow/records.h"
#include "base/error.h"

static const s3s_kind_info kinds[] = {
    [S3STORE_KIND_BOOL] = {S3S_TYPE_BOOL, sizeof(bool), alignof(bool)},
    [S3STORE_KIND_INT8] = {S3S_TYPE_INT8, 1, 1},
    [S3STORE_KIND_INT16] = {S3S_TYPE_INT16, 2, alignof(int16_t)},
    [S3STORE_KIND_INT32] = {S3S_TYPE_INT32, 4, alignof(int32_t)},
    [S3STORE_KIND_INT64] = {S3S_TYPE_INT64, 8, alignof(int64_t)},
    [S3STORE_KIND_UINT8] = {S3S_TYPE_UINT8, 1, 1},
    [S3STORE_KIND_UINT16] = {S3S_TYPE_UINT16, 2, alignof(uint16_t)},
    [S3STORE_KIND_UINT32] = {S3S_TYPE_UINT32, 4, alignof(uint32_t)},
    [S3STORE_KIND_UINT64] = {S3S_TYPE_UINT64, 8, alignof(uint64_t)},
    [S3STORE_KIND_FLOAT] = {S3S_TYPE_FLOAT, 4, alignof(float)},
    [S3STORE_KIND_DOUBLE] = {S3S_TYPE_DOUBLE, 8, alignof(double)},
    [S3STORE_KIND_STRING] = {S3S_TYPE_STRING, sizeof(s3store_bytes), alignof(s3store_bytes)},
    [S3STORE_KIND_CSTRING] = {S3S_TYPE_STRING, sizeof(char *), alignof(char *)},
    [S3STORE_KIND_BINARY] = {S3S_TYPE_BINARY, sizeof(s3store_bytes), alignof(s3store_bytes)},
    [S3STORE_KIND_DATE] = {S3S_TYPE_DATE32, 4, alignof(int32_t)},
    [S3STORE_KIND_TIMESTAMP] = {S3S_TYPE_TIMESTAMP, 8, alignof(int64_t)},
    [S3STORE_KIND_LIST] = {S3S_TYPE_LIST, sizeof(s3store_list), alignof(s3store_list)},
};

static const s3s_unit units[] = {
    [S3STORE_UNIT_MICRO] = S3S_MICRO,
    [S3STORE_UNIT_MILLI] = S3S_MILLI,
    [S3STORE_UNIT_NANO] = S3S_NANO,
    [S3STORE_UNIT_SECOND] = S3S_SECOND,
};

const s3s_kind_info *s3s_kind_info_of(s3store_kind kind)
{
    return &kinds[kind];
}

static s3store_status fail_field(const s3store_field *field, const char *why, s3store_error *err)
{
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "record field \"%.200s\": %s", field->name, why);
}

static bool inside(const s3store_record_type *type, size_t offset, size_t size, size_t align)
{
    return size <= type->record_size && offset <= type->record_size - size &&
           offset % align == 0 && type->record_size % align == 0;
}

static s3store_status check_field(const s3store_record_type *type, const s3store_field *field,
                                  s3store_error *err)
{
    if (field->name == NULL || field->name[0] == '\0' ||
        !s3s_utf8_valid(field->name, strlen(field->name)))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "record field %zu: its name is missing or not valid UTF-8",
                        (size_t)(field - type->fields));
    if ((int)field->kind < S3STORE_KIND_BOOL || field->kind > S3STORE_KIND_LIST)
        return fail_field(field, "its kind is not one of s3store_kind", err);
    if (field->kind == S3STORE_KIND_LIST &&
        ((int)field->item < S3STORE_KIND_BOOL || field->item >= S3STORE_KIND_LIST))
        return fail_field(field, "its item is not a kind that a list can hold", err);
    if ((int)field->null < 0 || field->null > S3STORE_NULL_ZERO)
        return fail_field(field, "its null is not one of s3store_null", err);
    if ((int)field->unit < 0 || field->unit > S3STORE_UNIT_SECOND)
        return fail_field(field, "its unit is not one of s3store_time_unit", err);
    const s3s_kind_info *info = s3s_kind_info_of(field->kind);
    bool pointer = field->null == S3STORE_NULL_POINTER;
    size_t size = pointer ? sizeof(void *) : info->size;
    size_t align = pointer ? alignof(void *) : info->align;
    if (!inside(type, field->offset, size, align))
        return fail_field(field, "its offset is not aligned or reaches beyond record_size", err);
    if (field->null != S3STORE_NULL_FLAG)
        return S3STORE_OK;
    if (!inside(type, field->flag_offset, sizeof(bool), 1))
        return fail_field(field, "its flag_offset is beyond record_size", err);
    if (field->flag_offset >= field->offset && field->flag_offset < field->offset + size)
        return fail_field(field, "its flag lies inside its value", err);
    return S3STORE_OK;
}

static s3store_status check_type(s3s_env *env, const s3store_record_type *type,
                                 s3store_error *err)
{
    if (type == NULL || type->size < sizeof(s3store_record_type))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the record type is missing or its size is not set");
    if (type->fields == NULL || type->field_count == 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the record type has no fields");
    if (type->field_count > S3S_MAX_COLUMNS)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "the record type has %zu fields, more than %d",
                        type->field_count, S3S_MAX_COLUMNS);
    for (size_t i = 0; i < type->field_count; i++) {
        s3store_status status = check_field(type, &type->fields[i], err);
        if (status != S3STORE_OK)
            return status;
    }
    const char **names = s3s_alloc(env, type->field_count * sizeof *names);
    if (names == NULL)
        return s3s_fail_memory(err, type->field_count * sizeof *names);
    for (size_t i = 0; i < type->field_count; i++)
        names[i] = type->fields[i].name;
    const char *twice = s3s_names_duplicate(names, type->field_count);
    s3s_free(env, names);
    if (twice != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "record field \"%.200s\" occurs twice",
                        twice);
    return S3STORE_OK;
}

static void set_type(s3s_field *column, s3store_kind kind, s3store_time_unit unit)
{
    column->type = s3s_kind_info_of(kind)->type;
    if (column->type == S3S_TYPE_TIMESTAMP) {
        column->unit = units[unit];
        column->utc = true;
    }
}

static bool make_column(s3s_arena *arena, const s3store_field *field, s3s_field *column)
{
    column->name = s3s_arena_strdup(arena, field->name);
    column->nullable = field->null != S3STORE_NULL_REFUSED;
    set_type(column, field->kind, field->unit);
    if (field->kind != S3STORE_KIND_LIST)
        return column->name != NULL;
    /* Nullable, so that a null that is read is told with the list that holds it. */
    column->children = s3s_arena_calloc(arena, 1, sizeof *column->children);
    if (column->children == NULL)
        return false;
    column->child_count = 1;
    column->children[0] = (s3s_field){.name = "element", .nullable = true};
    set_type(&column->children[0], field->item, field->unit);
    return column->name != NULL;
}

s3store_status s3s_record_schema(s3s_env *env, const s3store_record_type *type, s3s_schema **out,
                                 s3store_error *err)
{
    *out = NULL;
    s3store_status status = check_type(env, type, err);
    if (status != S3STORE_OK)
        return status;
    s3s_schema *schema;
    status = s3s_schema_new(env, type->field_count, &schema, err);
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < type->field_count; i++) {
        const s3store_field *field = &type->fields[i];
        if (!make_column(&schema->arena, field, &schema->fields[i])) {
            s3s_schema_release(schema);
            return s3s_fail_memory(err, strlen(field->name) + 1);
        }
    }
    *out = schema;
    return S3STORE_OK;
}
