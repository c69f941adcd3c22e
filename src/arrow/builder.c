/* Batches value by value. A value that is refused leaves the builder as it was; a finish that fails
 * too: all that can fail in it comes before the first buffer is moved. */
#include <float.h>
#include <math.h>

#include "arrow/builder.h"
#include "arrow/internal.h"
#include "base/error.h"

typedef struct column_builder {
    const s3s_field *field;
    s3s_layout layout;
    size_t width; /* of a fixed value */
    s3s_buffer buffers[S3S_MAX_BUFFERS]; /* as in the array: validity (empty until a null) ... */
    int64_t length;
    int64_t null_count;
    s3store_builder *child; /* of nested columns: members, the element, key and value of a map */
} column_builder;

struct s3store_builder {
    s3s_env *env;       /* retained by the outermost */
    s3s_schema *schema; /* NULL: of a nested column, which the outermost frees */
    size_t column_count;
    column_builder columns[];
};

/* ---- life ------------------------------------------------------------------------------------ */

static void free_columns(s3store_builder *builder)
{
    for (size_t i = 0; i < builder->column_count; i++) {
        column_builder *c = &builder->columns[i];
        for (size_t b = 0; b < S3S_MAX_BUFFERS; b++)
            s3s_buffer_deinit(&c->buffers[b]);
        if (c->child != NULL) {
            free_columns(c->child);
            s3s_free(builder->env, c->child);
        }
    }
}

/* The recursion follows the schema, whose depth is bounded. */
static s3store_status new_columns(s3s_env *env, const s3s_field *fields, size_t count,
                                  s3store_builder **out, s3store_error *err)
{
    size_t size = sizeof(s3store_builder) + count * sizeof(column_builder);
    s3store_builder *builder = s3s_calloc(env, 1, size);
    s3store_status status = S3STORE_OK;
    *out = builder;
    if (builder == NULL)
        return s3s_fail_memory(err, size);
    builder->env = env;
    builder->column_count = count;
    for (size_t i = 0; i < count; i++) {
        column_builder *c = &builder->columns[i];
        c->field = &fields[i];
        c->layout = s3s_type_layout(fields[i].type);
        c->width = s3s_type_value_size(&fields[i]);
        for (size_t b = 0; b < S3S_MAX_BUFFERS; b++)
            s3s_buffer_init(&c->buffers[b], env, SIZE_MAX);
    }
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        const s3s_field *f = fields[i].type == S3S_TYPE_MAP ? &fields[i].children[0] : &fields[i];
        if (!s3s_type_is_flat(f->type))
            status = new_columns(env, f->children, f->child_count, &builder->columns[i].child, err);
    }
    return status;
}

s3store_status s3s_builder_new(s3s_env *env, s3s_schema *schema, s3store_builder **out,
                               s3store_error *err)
{
    s3store_builder *builder;
    *out = NULL;
    s3store_status status = new_columns(env, schema->fields, schema->field_count, &builder, err);
    if (status == S3STORE_OK) {
        s3s_env_hold(env);
        builder->schema = s3s_schema_retain(schema);
        *out = builder;
    } else if (builder != NULL) {
        free_columns(builder);
        s3s_free(env, builder);
    }
    return status;
}

s3store_status s3store_builder_new(const struct ArrowSchema *schema, s3store_builder **out,
                                   s3store_error *err)
{
    s3s_env *env = NULL;
    s3s_schema *imported = NULL;
    if (out == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "builder_new: out is NULL");
    *out = NULL;
    s3store_status status = s3s_env_new_real(&env, err);
    if (status == S3STORE_OK)
        status = s3s_schema_import(env, schema, &imported, err);
    if (status == S3STORE_OK)
        status = s3s_builder_new(env, imported, out, err);
    s3s_schema_release(imported);
    s3s_env_drop(env);
    return status;
}

void s3store_builder_free(s3store_builder *builder)
{
    if (builder == NULL || builder->schema == NULL)
        return;
    s3s_env *env = builder->env;
    free_columns(builder);
    s3s_schema_release(builder->schema);
    s3s_free(env, builder);
    s3s_env_drop(env);
}

/* ---- one value ------------------------------------------------------------------------------- */

static s3store_status fail_value(const column_builder *c, s3store_status status, const char *why,
                                 s3store_error *err)
{
    char text[128];
    return s3s_fail(err, status, "column \"%.200s\" (%s), row %lld: %s", c->field->name,
                    s3s_field_type_text(c->field, text, sizeof text), (long long)c->length, why);
}

static s3store_status find_column(s3store_builder *builder, size_t column, column_builder **out,
                                  s3store_error *err)
{
    if (builder == NULL || column >= builder->column_count)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "column %zu of a builder with %zu columns",
                        column, builder != NULL ? builder->column_count : 0);
    *out = &builder->columns[column];
    return S3STORE_OK;
}

static inline bool layout_is_bytes(const column_builder *c, bool *wide)
{
    *wide = c->layout == S3S_LAYOUT_LARGE_BYTES;
    return *wide || c->layout == S3S_LAYOUT_BYTES;
}

static inline bool layout_is_list(const column_builder *c, bool *wide)
{
    *wide = c->layout == S3S_LAYOUT_LARGE_LIST;
    return *wide || c->layout == S3S_LAYOUT_LIST;
}

static inline bool has_room(s3s_buffer *b, size_t more, s3store_error *err)
{
    return b->capacity - b->size >= more || s3s_buffer_reserve(b, more, err) != NULL;
}

/* Room for one more value, its offset and its validity bit; after that nothing can fail. */
static s3store_status make_room(column_builder *c, size_t value_size, bool null,
                                s3store_error *err)
{
    bool wide;
    bool bytes = layout_is_bytes(c, &wide);
    bool bits = c->layout == S3S_LAYOUT_BOOL;
    bool new_byte = c->length % 8 == 0;
    /* The bitmap begins with the first null, and then covers the rows before it. */
    if (c->null_count > 0 || null) {
        s3s_buffer *validity = &c->buffers[0];
        size_t wanted = s3s_bits_size((size_t)c->length + 1);
        if (wanted > validity->size && !has_room(validity, wanted - validity->size, err))
            return S3STORE_OUT_OF_MEMORY;
    }
    if ((bytes || layout_is_list(c, &wide)) && !has_room(&c->buffers[1], 16, err))
        return S3STORE_OUT_OF_MEMORY;
    if (bits && new_byte && !has_room(&c->buffers[1], 1, err))
        return S3STORE_OUT_OF_MEMORY;
    if (!bits && value_size > 0 && !has_room(&c->buffers[bytes ? 2 : 1], value_size, err))
        return S3STORE_OUT_OF_MEMORY;
    return S3STORE_OK;
}

static void push_validity(column_builder *c, bool null)
{
    s3s_buffer *validity = &c->buffers[0];
    if (c->null_count == 0 && !null)
        return;
    size_t wanted = s3s_bits_size((size_t)c->length + 1);
    if (c->null_count == 0) {
        memset(validity->data, 0, wanted);
        s3s_bits_fill(validity->data, 0, c->length, true);
    } else if (wanted > validity->size) {
        validity->data[wanted - 1] = 0;
    }
    validity->size = wanted;
    if (null)
        c->null_count++;
    else
        s3s_bit_set(validity->data, c->length);
}

static void push_offset(s3s_buffer *offsets, bool wide, size_t end)
{
    int64_t value64 = (int64_t)end;
    int32_t value32 = (int32_t)end;
    size_t width = wide ? 8 : 4;
    if (offsets->size == 0) {
        memset(offsets->data, 0, width);
        offsets->size = width;
    }
    memcpy(offsets->data + offsets->size, wide ? (void *)&value64 : (void *)&value32, width);
    offsets->size += width;
}

/* value NULL = null. */
static s3store_status push(column_builder *c, const void *value, size_t size, s3store_error *err)
{
    bool wide;
    bool bytes = layout_is_bytes(c, &wide);
    bool null = value == NULL;
    s3store_status status = make_room(c, size, null, err);
    if (status != S3STORE_OK)
        return status;
    push_validity(c, null);
    if (c->layout == S3S_LAYOUT_BOOL) {
        s3s_buffer *bits = &c->buffers[1];
        if (c->length % 8 == 0)
            bits->data[bits->size++] = 0;
        if (!null && *(const uint8_t *)value != 0)
            s3s_bit_set(bits->data, c->length);
    } else if (size > 0) {
        s3s_buffer *values = &c->buffers[bytes ? 2 : 1];
        if (null)
            memset(values->data + values->size, 0, size);
        else
            memcpy(values->data + values->size, value, size);
        values->size += size;
    }
    if (bytes)
        push_offset(&c->buffers[1], wide, c->buffers[2].size);
    c->length++;
    return S3STORE_OK;
}

/* ---- nested values --------------------------------------------------------------------------- */

/* Elements that belong to the lists so far. */
static int64_t elements_of(const column_builder *c)
{
    bool wide;
    const s3s_buffer *offsets = &c->buffers[1];
    int32_t end32;
    int64_t end64;
    if (!layout_is_list(c, &wide) || offsets->size == 0)
        return 0;
    if (!wide) {
        memcpy(&end32, offsets->data + offsets->size - 4, 4);
        return end32;
    }
    memcpy(&end64, offsets->data + offsets->size - 8, 8);
    return end64;
}

static s3store_status push_list(column_builder *c, int64_t end, bool null, s3store_error *err)
{
    bool wide;
    s3store_status status = make_room(c, 0, null, err);
    if (status != S3STORE_OK)
        return status;
    push_validity(c, null);
    (void)layout_is_list(c, &wide);
    push_offset(&c->buffers[1], wide, (size_t)end);
    c->length++;
    return S3STORE_OK;
}

/* Room for an absent value in every column: after that push_absent cannot fail. */
static s3store_status reserve_absent(s3store_builder *columns, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < columns->column_count && status == S3STORE_OK; i++) {
        column_builder *c = &columns->columns[i];
        if (c->field->type != S3S_TYPE_NULL)
            status = make_room(c, c->width, true, err);
        if (status == S3STORE_OK && c->layout == S3S_LAYOUT_STRUCT)
            status = reserve_absent(c->child, err);
    }
    return status;
}

/* What lies below a null struct: nulls, also where none may be otherwise. */
static s3store_status push_absent(s3store_builder *columns, s3store_error *err)
{
    bool wide;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < columns->column_count && status == S3STORE_OK; i++) {
        column_builder *c = &columns->columns[i];
        if (c->field->type == S3S_TYPE_NULL) {
            c->length++;
            c->null_count++;
        } else if (layout_is_list(c, &wide)) {
            status = push_list(c, elements_of(c), true, err);
        } else {
            status = push(c, NULL, c->width, err);
            if (status == S3STORE_OK && c->layout == S3S_LAYOUT_STRUCT)
                status = push_absent(c->child, err);
        }
    }
    return status;
}

/* Every column of a nested builder has as many values as it should. */
static s3store_status check_child(const column_builder *c, int64_t wanted, s3store_error *err)
{
    for (size_t i = 0; i < c->child->column_count; i++) {
        const column_builder *member = &c->child->columns[i];
        if (member->length != wanted)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "column \"%.200s\", row %lld: \"%.200s\" has %lld values instead of %lld",
                            c->field->name, (long long)c->length, member->field->name,
                            (long long)member->length, (long long)wanted);
    }
    return S3STORE_OK;
}

s3store_builder *s3store_builder_child(s3store_builder *builder, size_t column)
{
    return builder != NULL && column < builder->column_count ? builder->columns[column].child
                                                             : NULL;
}

s3store_status s3store_builder_append_nested(s3store_builder *builder, size_t column,
                                             s3store_error *err)
{
    column_builder *c = NULL;
    bool wide;
    s3store_status status = find_column(builder, column, &c, err);
    if (status != S3STORE_OK)
        return status;
    if (c->child == NULL)
        return fail_value(c, S3STORE_INVALID_ARGUMENT, "it is not nested", err);
    if (!layout_is_list(c, &wide)) {
        status = check_child(c, c->length + 1, err);
        return status == S3STORE_OK ? push(c, "", 0, err) : status;
    }
    int64_t end = c->child->columns[0].length;
    status = check_child(c, end, err);
    if (status == S3STORE_OK && !wide && end > INT32_MAX)
        return fail_value(c, S3STORE_LIMIT_EXCEEDED,
                          "the batch would hold more elements than 32-bit offsets reach: finish it "
                          "first, or use the large type",
                          err);
    return status == S3STORE_OK ? push_list(c, end, false, err) : status;
}

/* Nothing of it may have been appended. */
static s3store_status append_nested_null(column_builder *c, s3store_error *err)
{
    bool wide;
    bool list = layout_is_list(c, &wide);
    s3store_status status = check_child(c, list ? elements_of(c) : c->length, err);
    if (status != S3STORE_OK)
        return status;
    if (list)
        return push_list(c, elements_of(c), true, err);
    status = make_room(c, 0, true, err);
    if (status == S3STORE_OK)
        status = reserve_absent(c->child, err);
    if (status == S3STORE_OK)
        status = push_absent(c->child, err);
    return status == S3STORE_OK ? push(c, NULL, 0, err) : status;
}

/* ---- appending ------------------------------------------------------------------------------- */

/* The widest range of an integer column; false when it takes no integers. */
static bool int_range(const s3s_field *field, int64_t *min, uint64_t *max)
{
    switch (field->type) {
    case S3S_TYPE_UINT8:
    case S3S_TYPE_UINT16:
    case S3S_TYPE_UINT32:
    case S3S_TYPE_UINT64:
        *min = 0;
        *max = UINT64_MAX >> (64 - 8 * s3s_type_value_size(field));
        return true;
    case S3S_TYPE_INT8:
    case S3S_TYPE_INT16:
    case S3S_TYPE_INT32:
    case S3S_TYPE_INT64:
    case S3S_TYPE_DATE32:
    case S3S_TYPE_DATE64:
    case S3S_TYPE_TIMESTAMP:
    case S3S_TYPE_DURATION:
        *max = UINT64_MAX >> (65 - 8 * s3s_type_value_size(field));
        *min = -(int64_t)*max - 1;
        return true;
    case S3S_TYPE_TIME32:
    case S3S_TYPE_TIME64: /* within a day */
        *min = 0;
        *max = (uint64_t)s3s_unit_per_second(field->unit) * 86400 - 1;
        return true;
    default:
        return false;
    }
}

static s3store_status append_integer(s3store_builder *builder, size_t column, bool negative,
                                     uint64_t bits, s3store_error *err)
{
    column_builder *c = NULL;
    int64_t min;
    uint64_t max;
    s3store_status status = find_column(builder, column, &c, err);
    if (status != S3STORE_OK)
        return status;
    if (!int_range(c->field, &min, &max))
        return fail_value(c, S3STORE_INVALID_ARGUMENT, "it does not take integers", err);
    if (negative ? (int64_t)bits < min : bits > max) {
        char text[128];
        if (negative)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "column \"%.200s\", row %lld: %lld is out of the range of %s",
                            c->field->name, (long long)c->length, (long long)bits,
                            s3s_field_type_text(c->field, text, sizeof text));
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "column \"%.200s\", row %lld: %llu is out of the range of %s",
                        c->field->name, (long long)c->length, (unsigned long long)bits,
                        s3s_field_type_text(c->field, text, sizeof text));
    }
    return push(c, &bits, c->width, err); /* little-endian: low bytes first */
}

s3store_status s3store_builder_append_int(s3store_builder *builder, size_t column, int64_t value,
                                          s3store_error *err)
{
    return append_integer(builder, column, value < 0, (uint64_t)value, err);
}

s3store_status s3store_builder_append_uint(s3store_builder *builder, size_t column, uint64_t value,
                                           s3store_error *err)
{
    return append_integer(builder, column, false, value, err);
}

s3store_status s3store_builder_append_double(s3store_builder *builder, size_t column, double value,
                                             s3store_error *err)
{
    column_builder *c = NULL;
    s3store_status status = find_column(builder, column, &c, err);
    if (status != S3STORE_OK)
        return status;
    if (c->field->type == S3S_TYPE_DOUBLE)
        return push(c, &value, 8, err);
    if (c->field->type == S3S_TYPE_FLOAT) {
        if (isfinite(value) && fabs(value) > (double)FLT_MAX)
            return fail_value(c, S3STORE_INVALID_ARGUMENT, "the number is out of range", err);
        float single = (float)value;
        return push(c, &single, 4, err);
    }
    if (c->field->type == S3S_TYPE_FLOAT16) {
        uint16_t half = s3s_half_from_double(value);
        if (isfinite(value) && (half & 0x7FFF) == 0x7C00)
            return fail_value(c, S3STORE_INVALID_ARGUMENT, "the number is out of range", err);
        return push(c, &half, 2, err);
    }
    return fail_value(c, S3STORE_INVALID_ARGUMENT, "it does not take floating-point numbers", err);
}

s3store_status s3store_builder_append_bool(s3store_builder *builder, size_t column, bool value,
                                           s3store_error *err)
{
    column_builder *c = NULL;
    s3store_status status = find_column(builder, column, &c, err);
    if (status != S3STORE_OK)
        return status;
    if (c->field->type != S3S_TYPE_BOOL)
        return fail_value(c, S3STORE_INVALID_ARGUMENT, "it does not take booleans", err);
    uint8_t byte = value;
    return push(c, &byte, 1, err);
}

/* Strings, binaries, and what has a fixed number of bytes without being a number. */
s3store_status s3store_builder_append_bytes(s3store_builder *builder, size_t column,
                                            const void *data, size_t size, s3store_error *err)
{
    column_builder *c = NULL;
    bool wide;
    s3store_status status = find_column(builder, column, &c, err);
    if (status != S3STORE_OK)
        return status;
    if (data == NULL && size > 0)
        return fail_value(c, S3STORE_INVALID_ARGUMENT, "its bytes are missing", err);
    const void *bytes = data != NULL ? data : "";
    s3s_type type = c->field->type;
    if (type == S3S_TYPE_FIXED_BINARY || type == S3S_TYPE_DECIMAL || type == S3S_TYPE_INTERVAL) {
        if (size != c->width)
            return fail_value(c, S3STORE_INVALID_ARGUMENT, "the value has another size", err);
        return push(c, bytes, size, err);
    }
    if (!layout_is_bytes(c, &wide))
        return fail_value(c, S3STORE_INVALID_ARGUMENT, "it does not take strings or bytes", err);
    if (s3s_type_is_text(type) && !s3s_utf8_valid(bytes, size))
        return fail_value(c, S3STORE_INVALID_ARGUMENT, "the string is not valid UTF-8", err);
    if (!wide && (size > INT32_MAX || c->buffers[2].size + size > INT32_MAX))
        return fail_value(c, S3STORE_LIMIT_EXCEEDED,
                          "the batch would hold more than 2 GiB of its bytes: finish it first, or "
                          "use the large type",
                          err);
    return push(c, bytes, size, err);
}

s3store_status s3store_builder_append_null(s3store_builder *builder, size_t column,
                                           s3store_error *err)
{
    column_builder *c = NULL;
    s3store_status status = find_column(builder, column, &c, err);
    if (status != S3STORE_OK)
        return status;
    if (!c->field->nullable)
        return fail_value(c, S3STORE_INVALID_ARGUMENT, "null in a column that is not nullable",
                          err);
    if (c->field->type == S3S_TYPE_NULL) {
        c->length++;
        c->null_count++;
        return S3STORE_OK;
    }
    return c->child != NULL ? append_nested_null(c, err) : push(c, NULL, c->width, err);
}

/* ---- results --------------------------------------------------------------------------------- */

size_t s3store_builder_rows(const s3store_builder *builder)
{
    if (builder == NULL || builder->column_count == 0)
        return 0;
    int64_t rows = INT64_MAX;
    for (size_t i = 0; i < builder->column_count; i++)
        if (builder->columns[i].length < rows)
            rows = builder->columns[i].length;
    return (size_t)rows;
}

size_t s3store_builder_bytes(const s3store_builder *builder)
{
    size_t bytes = 0;
    for (size_t i = 0; builder != NULL && i < builder->column_count; i++) {
        for (size_t b = 0; b < S3S_MAX_BUFFERS; b++)
            bytes += builder->columns[i].buffers[b].size;
        bytes += s3store_builder_bytes(builder->columns[i].child);
    }
    return bytes;
}

/* Nothing of a nested value may have been begun that is not appended. */
static s3store_status check_nested(const s3store_builder *builder, s3store_error *err)
{
    bool wide;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < builder->column_count && status == S3STORE_OK; i++) {
        const column_builder *c = &builder->columns[i];
        if (c->child == NULL)
            continue;
        status = check_child(c, layout_is_list(c, &wide) ? elements_of(c) : c->length, err);
        if (status == S3STORE_OK)
            status = check_nested(c->child, err);
    }
    return status;
}

static s3store_status check_lengths(const s3store_builder *builder, s3store_error *err)
{
    const column_builder *shortest = NULL;
    const column_builder *longest = NULL;
    for (size_t i = 0; i < builder->column_count; i++) {
        const column_builder *c = &builder->columns[i];
        if (shortest == NULL || c->length < shortest->length)
            shortest = c;
        if (longest == NULL || c->length > longest->length)
            longest = c;
    }
    if (shortest != longest && shortest->length != longest->length)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "column \"%.200s\" has %lld values where column \"%.200s\" has %lld",
                        shortest->field->name, (long long)shortest->length, longest->field->name,
                        (long long)longest->length);
    return S3STORE_OK;
}

/* Buffers that the layout demands exist even without values. */
static s3store_status complete_column(column_builder *c, s3store_error *err)
{
    bool wide;
    size_t count = s3s_type_buffer_count(c->field->type);
    for (size_t b = 1; b < count; b++)
        if (c->buffers[b].data == NULL && s3s_buffer_reserve(&c->buffers[b], 8, err) == NULL)
            return S3STORE_OUT_OF_MEMORY;
    if ((layout_is_bytes(c, &wide) || layout_is_list(c, &wide)) && c->buffers[1].size == 0) {
        c->buffers[1].size = wide ? 8 : 4;
        memset(c->buffers[1].data, 0, c->buffers[1].size);
    }
    return S3STORE_OK;
}

/* Where the children of a column go: those of a map are below its entries. */
static struct ArrowArray *children_of(const column_builder *c, struct ArrowArray *out)
{
    return c->field->type == S3S_TYPE_MAP ? out->children[0] : out;
}

static s3store_status reserve_columns(s3store_builder *columns, struct ArrowArray *parent,
                                      s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < columns->column_count && status == S3STORE_OK; i++) {
        column_builder *c = &columns->columns[i];
        struct ArrowArray *out = parent->children[i];
        status = complete_column(c, err);
        if (status == S3STORE_OK)
            status = s3s_array_reserve(columns->env, s3s_type_buffer_count(c->field->type),
                                       c->field->child_count, out, err);
        if (status == S3STORE_OK && c->field->type == S3S_TYPE_MAP)
            status = s3s_array_reserve(columns->env, 1, 2, out->children[0], err);
        if (status == S3STORE_OK && c->child != NULL)
            status = reserve_columns(c->child, children_of(c, out), err);
    }
    return status;
}

static void move_column(column_builder *c, s3s_env *env, struct ArrowArray *out)
{
    if (c->field->type == S3S_TYPE_MAP)
        out->children[0]->length = elements_of(c);
    for (size_t i = 0; c->child != NULL && i < c->child->column_count; i++)
        move_column(&c->child->columns[i], env, children_of(c, out)->children[i]);
    out->length = c->length;
    out->null_count = c->null_count;
    for (size_t b = 0; b < (size_t)out->n_buffers; b++) {
        /* Without nulls the bitmap may have been reserved by an append that then failed. */
        if (b == 0 && c->null_count == 0)
            continue;
        s3s_array_set_buffer(out, b, c->buffers[b].data);
        s3s_buffer_init(&c->buffers[b], env, SIZE_MAX);
    }
    c->length = 0;
    c->null_count = 0;
}

s3store_status s3store_builder_finish(s3store_builder *builder, struct ArrowArray *out,
                                      s3store_error *err)
{
    if (builder == NULL || out == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "builder_finish: an argument is NULL");
    memset(out, 0, sizeof *out);
    if (builder->schema == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "builder_finish: this is the builder of a nested column");
    s3store_status status = check_lengths(builder, err);
    if (status == S3STORE_OK)
        status = check_nested(builder, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_array_reserve(builder->env, 1, builder->column_count, out, err);
    if (status != S3STORE_OK)
        return status;
    status = reserve_columns(builder, out, err);
    if (status != S3STORE_OK) {
        s3s_array_release(out);
        return status;
    }
    out->length = (int64_t)s3store_builder_rows(builder);
    for (size_t i = 0; i < builder->column_count; i++)
        move_column(&builder->columns[i], builder->env, out->children[i]);
    return S3STORE_OK;
}
