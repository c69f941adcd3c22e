/* Views on columns. */
#include <math.h>

#include "arrow/internal.h"

void s3s_column_view(const s3s_field *field, const struct ArrowArray *array, int64_t start,
                     int64_t length, s3s_column *out)
{
    s3s_layout layout = s3s_type_layout(field->type);
    *out = (s3s_column){.field = field,
                        .length = length,
                        .offset = array->offset + start,
                        .array = array};
    if (layout == S3S_LAYOUT_NULL)
        return;
    if (array->null_count != 0)
        out->validity = array->buffers[0];
    switch (layout) {
    case S3S_LAYOUT_BOOL:
    case S3S_LAYOUT_FIXED:
        out->values = array->buffers[1];
        break;
    case S3S_LAYOUT_BYTES:
    case S3S_LAYOUT_LARGE_BYTES:
        out->values = array->buffers[2];
        out->offsets = array->buffers[1];
        break;
    case S3S_LAYOUT_LIST:
    case S3S_LAYOUT_LARGE_LIST:
        out->offsets = array->buffers[1];
        break;
    default:
        break;
    }
}

void s3s_batch_column(const s3s_schema *schema, const struct ArrowArray *batch, size_t i,
                      s3s_column *out)
{
    s3s_column_view(&schema->fields[i], batch->children[i], batch->offset, batch->length, out);
}

void s3s_column_child(const s3s_column *column, size_t i, s3s_column *out)
{
    const struct ArrowArray *child = column->array->children[i];
    const s3s_field *field = &column->field->children[i];
    if (column->field->type == S3S_TYPE_STRUCT)
        s3s_column_view(field, child, column->offset, column->length, out);
    else
        s3s_column_view(field, child, 0, child->length, out);
}

void s3s_column_list(const s3s_column *column, int64_t i, int64_t *start, int64_t *end)
{
    *start = 0;
    *end = 0;
    if (!s3s_column_is_null(column, i))
        s3s_column_range(column, column->field->type == S3S_TYPE_LARGE_LIST, i, start, end);
}

s3store_bytes s3s_column_bytes(const s3s_column *c, int64_t i)
{
    s3store_bytes empty = {"", 0};
    if (s3s_column_is_null(c, i))
        return empty;
    const uint8_t *values = c->values;
    if (c->offsets == NULL) { /* not a string or binary */
        size_t width = s3s_type_value_size(c->field);
        return (s3store_bytes){values + (size_t)(c->offset + i) * width, width};
    }
    int64_t start;
    int64_t end;
    bool wide = s3s_type_layout(c->field->type) == S3S_LAYOUT_LARGE_BYTES;
    s3s_column_range(c, wide, i, &start, &end);
    return end > start ? (s3store_bytes){values + start, (size_t)(end - start)} : empty;
}

size_t s3s_column_span_bytes(const s3s_column *c, int64_t start, size_t count)
{
    int64_t begin, end, unused;
    if (count == 0 || !s3s_type_is_bytes(c->field->type))
        return 0;
    bool wide = s3s_type_layout(c->field->type) == S3S_LAYOUT_LARGE_BYTES;
    s3s_column_range(c, wide, start, &begin, &unused);
    s3s_column_range(c, wide, start + (int64_t)count - 1, &unused, &end);
    return end > begin ? (size_t)(end - begin) : 0;
}

static inline uint32_t add_bounded(uint32_t size, uint64_t more)
{
    uint64_t sum = size + more;
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

/* bytes, wide: constants where this is inlined. */
static inline __attribute__((always_inline)) void
add_sizes(const s3s_column *c, bool bytes, bool wide, uint32_t each, uint32_t *sizes)
{
    const s3s_column view = *c; /* which nothing that is stored below can change */
    for (int64_t i = 0; i < view.length; i++) {
        int64_t start = 0, end = 0;
        if (view.validity != NULL && s3s_column_is_null(&view, i))
            continue;
        if (bytes)
            s3s_column_range(&view, wide, i, &start, &end);
        sizes[i] = add_bounded(sizes[i], each + (end > start ? (uint64_t)(end - start) : 0));
    }
}

void s3s_column_add_sizes(const s3s_column *c, uint32_t each, uint32_t *sizes)
{
    if (c->field->type == S3S_TYPE_NULL)
        return;
    if (!s3s_type_is_bytes(c->field->type))
        add_sizes(c, false, false, each, sizes);
    else if (s3s_type_layout(c->field->type) == S3S_LAYOUT_LARGE_BYTES)
        add_sizes(c, true, true, each, sizes);
    else
        add_sizes(c, true, false, each, sizes);
}

bool s3s_column_bool(const s3s_column *c, int64_t i)
{
    return s3s_bit(c->values, c->offset + i);
}

int64_t s3s_column_int(const s3s_column *c, int64_t i)
{
    int64_t at = c->offset + i;
    switch (c->field->type) {
    case S3S_TYPE_INT8:
        return ((const int8_t *)c->values)[at];
    case S3S_TYPE_INT16:
        return ((const int16_t *)c->values)[at];
    case S3S_TYPE_UINT8:
        return ((const uint8_t *)c->values)[at];
    case S3S_TYPE_UINT16:
        return ((const uint16_t *)c->values)[at];
    case S3S_TYPE_UINT32:
        return ((const uint32_t *)c->values)[at];
    case S3S_TYPE_INT32:
    case S3S_TYPE_DATE32:
    case S3S_TYPE_TIME32:
        return ((const int32_t *)c->values)[at];
    case S3S_TYPE_INT64:
    case S3S_TYPE_UINT64:
    case S3S_TYPE_DATE64:
    case S3S_TYPE_TIME64:
    case S3S_TYPE_TIMESTAMP:
    case S3S_TYPE_DURATION:
        return ((const int64_t *)c->values)[at];
    case S3S_TYPE_BOOL:
        return s3s_column_bool(c, i);
    default:
        return 0;
    }
}

double s3s_column_double(const s3s_column *c, int64_t i)
{
    int64_t at = c->offset + i;
    switch (c->field->type) {
    case S3S_TYPE_FLOAT16:
        return s3s_half_to_double(((const uint16_t *)c->values)[at]);
    case S3S_TYPE_FLOAT:
        return ((const float *)c->values)[at];
    case S3S_TYPE_DOUBLE:
        return ((const double *)c->values)[at];
    case S3S_TYPE_UINT64:
        return (double)((const uint64_t *)c->values)[at];
    default:
        return (double)s3s_column_int(c, i);
    }
}

double s3s_half_to_double(uint16_t half)
{
    int exponent = (half >> 10) & 0x1F;
    int mantissa = half & 0x3FF;
    double value;
    if (exponent == 0x1F)
        value = mantissa != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp(mantissa, -24);
    else
        value = ldexp(mantissa + 1024, exponent - 25);
    return (half & 0x8000) != 0 ? -value : value;
}

uint16_t s3s_half_from_double(double value)
{
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (isnan(value))
        return 0x7E00;
    double magnitude = fabs(value);
    if (magnitude >= 65520.0) /* halfway between the largest finite value and the next */
        return sign | 0x7C00;
    /* In units of the last place; nearbyint rounds halves to even in the default mode. */
    int exponent = -14;
    if (magnitude >= ldexp(1, -14))
        exponent = ilogb(magnitude);
    uint32_t units = (uint32_t)nearbyint(ldexp(magnitude, 10 - exponent));
    /* Normal values carry an implicit bit worth 1024 units; a carry moves into the exponent. */
    uint32_t bits = exponent == -14 ? units : ((uint32_t)(exponent + 14) << 10) + units;
    return (uint16_t)(sign | bits);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

uint64_t s3s_column_held_bytes(const s3s_column *c)
{
    uint64_t rows = (uint64_t)c->length;
    uint64_t bytes = c->validity != NULL ? s3s_bits_size(rows) : 0;
    s3s_layout layout = s3s_type_layout(c->field->type);
    bool wide = layout == S3S_LAYOUT_LARGE_BYTES || layout == S3S_LAYOUT_LARGE_LIST;
    int64_t start = 0;
    int64_t end = 0;
    int64_t unused;
    s3s_column child;
    if (c->offsets != NULL && rows > 0) {
        s3s_column_range(c, wide, 0, &start, &unused);
        s3s_column_range(c, wide, c->length - 1, &unused, &end);
    }
    switch (layout) {
    case S3S_LAYOUT_BOOL:
        return bytes + s3s_bits_size(rows);
    case S3S_LAYOUT_FIXED:
        return bytes + rows * s3s_type_value_size(c->field);
    case S3S_LAYOUT_BYTES:
    case S3S_LAYOUT_LARGE_BYTES:
        return bytes + (rows + 1) * (wide ? 8 : 4) + (uint64_t)(end - start);
    case S3S_LAYOUT_LIST:
    case S3S_LAYOUT_LARGE_LIST:
        s3s_column_view(&c->field->children[0], c->array->children[0], start, end - start, &child);
        return bytes + (rows + 1) * (wide ? 8 : 4) + s3s_column_held_bytes(&child);
    default:
        break;
    }
    for (size_t i = 0; i < c->field->child_count; i++) {
        s3s_column_child(c, i, &child);
        bytes += s3s_column_held_bytes(&child);
    }
    return bytes;
}

uint64_t s3s_batch_bytes(const s3s_schema *schema, const struct ArrowArray *batch)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < schema->field_count; i++) {
        s3s_column column;
        s3s_batch_column(schema, batch, i, &column);
        bytes += s3s_column_held_bytes(&column);
    }
    return bytes;
}
