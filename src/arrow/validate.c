/* Batches from outside. The C Data Interface tells no buffer sizes, so those cannot be checked;
 * everything else is, for the rows that the batch covers. CORRUPT: the memory is not laid out as
 * Arrow says. INVALID_ARGUMENT: the layout is right, the values are not acceptable. */
#include <stdarg.h>
#include <stdio.h>

#include "arrow/internal.h"
#include "base/error.h"

/* Where a check is, for messages. */
typedef struct place {
    const char *column;      /* the top-level one */
    const s3s_field *field;  /* it, or one nested below it */
    const s3s_field *column_field;
    s3store_error *err;
} place;

__attribute__((format(printf, 4, 5))) static s3store_status
fail_at(const place *at, s3store_status status, int64_t row, const char *format, ...)
{
    char what[256];
    char where[64] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    bool nested = at->field != at->column_field;
    if (row >= 0)
        snprintf(where, sizeof where, ", %s %lld", nested ? "element" : "row", (long long)row);
    if (nested)
        return s3s_fail(at->err, status, "column \"%.200s\", field \"%.100s\"%s: %s", at->column,
                        at->field->name, where, what);
    return s3s_fail(at->err, status, "column \"%.200s\"%s: %s", at->column, where, what);
}

/* ---- shape ----------------------------------------------------------------------------------- */

static s3store_status check_children(const place *at, const struct ArrowArray *a)
{
    int64_t wanted = (int64_t)at->field->child_count;
    if (a->n_children != wanted)
        return fail_at(at, S3STORE_CORRUPT, -1, "%lld child arrays instead of %lld",
                       (long long)a->n_children, (long long)wanted);
    if (wanted > 0 && a->children == NULL)
        return fail_at(at, S3STORE_CORRUPT, -1, "the list of child arrays is missing");
    for (int64_t i = 0; i < wanted; i++)
        if (a->children[i] == NULL || a->children[i]->release == NULL)
            return fail_at(at, S3STORE_CORRUPT, -1, "child array %lld is missing or released",
                           (long long)i);
    return S3STORE_OK;
}

/* The bytes of any buffer that offset + length reaches must be addressable. */
static bool reach_fits(const s3s_field *field, int64_t length, int64_t offset)
{
    int64_t reach;
    size_t width = s3s_type_value_size(field);
    size_t bytes;
    if (length < 0 || offset < 0 || __builtin_add_overflow(length, offset, &reach))
        return false;
    return s3s_mul((size_t)reach + 1, width > 8 ? width : 8, &bytes) && bytes <= PTRDIFF_MAX;
}

/* Typed access needs aligned values; the interface lets a consumer insist on it. */
static size_t alignment_of(const s3s_field *field, size_t buffer)
{
    size_t width = s3s_type_value_size(field);
    switch (s3s_type_layout(field->type)) {
    case S3S_LAYOUT_FIXED:
        if (buffer != 1 || field->type == S3S_TYPE_FIXED_BINARY)
            return 1;
        return width > 8 ? 8 : width;
    case S3S_LAYOUT_BYTES:
    case S3S_LAYOUT_LIST:
        return buffer == 1 ? 4 : 1;
    case S3S_LAYOUT_LARGE_BYTES:
    case S3S_LAYOUT_LARGE_LIST:
        return buffer == 1 ? 8 : 1;
    default:
        return 1;
    }
}

static s3store_status check_buffers(const place *at, const struct ArrowArray *a)
{
    int64_t wanted = (int64_t)s3s_type_buffer_count(at->field->type);
    bool empty = a->length + a->offset == 0;
    if (a->n_buffers != wanted)
        return fail_at(at, S3STORE_CORRUPT, -1, "%lld buffers instead of %lld",
                       (long long)a->n_buffers, (long long)wanted);
    if (wanted > 0 && a->buffers == NULL)
        return fail_at(at, S3STORE_CORRUPT, -1, "the list of buffers is missing");
    /* The bytes of strings may be missing when all are empty: checked with the offsets. */
    for (int64_t i = 1; i < wanted && i < 2; i++)
        if (a->buffers[i] == NULL && !empty)
            return fail_at(at, S3STORE_CORRUPT, -1, "buffer %lld is missing", (long long)i);
    for (int64_t i = 0; i < wanted; i++)
        if ((uintptr_t)a->buffers[i] % alignment_of(at->field, (size_t)i) != 0)
            return fail_at(at, S3STORE_INVALID_ARGUMENT, -1,
                           "buffer %lld is not aligned to its values: copy it first",
                           (long long)i);
    return S3STORE_OK;
}

/* start and length: the rows that are looked at. */
static s3store_status check_null_count(const place *at, const struct ArrowArray *a, int64_t start,
                                       int64_t length)
{
    if (at->field->type == S3S_TYPE_NULL || a->null_count < 0)
        return S3STORE_OK;
    if (a->null_count > a->length)
        return fail_at(at, S3STORE_CORRUPT, -1, "%lld nulls in %lld rows",
                       (long long)a->null_count, (long long)a->length);
    const uint8_t *validity = a->buffers[0];
    if (validity == NULL) {
        if (a->null_count == 0)
            return S3STORE_OK;
        return fail_at(at, S3STORE_CORRUPT, -1, "%lld nulls but no validity bitmap",
                       (long long)a->null_count);
    }
    if (start != 0 || length != a->length)
        return S3STORE_OK; /* a part: the count is of the whole */
    int64_t nulls = length - (int64_t)s3s_bits_count(validity, a->offset, length);
    if (nulls != a->null_count)
        return fail_at(at, S3STORE_CORRUPT, -1, "null_count is %lld but the bitmap has %lld",
                       (long long)a->null_count, (long long)nulls);
    return S3STORE_OK;
}

/* ---- offsets and text ------------------------------------------------------------------------ */

static bool wide_of(s3s_type type)
{
    s3s_layout layout = s3s_type_layout(type);
    return layout == S3S_LAYOUT_LARGE_BYTES || layout == S3S_LAYOUT_LARGE_LIST;
}

/* Whether the offsets of the view never fall; written so that the compiler can vectorise it. */
static bool monotonic(const s3s_column *c, bool wide)
{
    int bad = 0;
    if (wide) {
        const int64_t *o = (const int64_t *)c->offsets + c->offset;
        for (int64_t i = 0; i < c->length; i++)
            bad |= o[i + 1] < o[i];
    } else {
        const int32_t *o = (const int32_t *)c->offsets + c->offset;
        for (int64_t i = 0; i < c->length; i++)
            bad |= o[i + 1] < o[i];
    }
    return bad == 0;
}

/* Checks the offsets of a non-empty view; *first and *last are the ends of what they cover. */
static s3store_status check_offsets(const place *at, const s3s_column *c, int64_t *first,
                                    int64_t *last)
{
    bool wide = wide_of(c->field->type);
    int64_t unused;
    s3s_column_range(c, wide, 0, first, &unused);
    s3s_column_range(c, wide, c->length - 1, &unused, last);
    if (*first < 0)
        return fail_at(at, S3STORE_CORRUPT, 0, "its offset is negative");
    if (monotonic(c, wide))
        return S3STORE_OK;
    int64_t row = 0;
    for (; row < c->length; row++) {
        int64_t start;
        int64_t end;
        s3s_column_range(c, wide, row, &start, &end);
        if (end < start)
            break;
    }
    return fail_at(at, S3STORE_CORRUPT, row, "offsets go backwards");
}

/* The bytes as a whole are UTF-8 and no value begins inside a character: then every value is. */
static bool text_valid_at_once(const s3s_column *c, int64_t first, int64_t last)
{
    bool wide = wide_of(c->field->type);
    const uint8_t *bytes = c->values;
    if (!s3s_utf8_valid(bytes + first, (size_t)(last - first)))
        return false;
    for (int64_t i = 0; i < c->length; i++) {
        int64_t start;
        int64_t end;
        s3s_column_range(c, wide, i, &start, &end);
        if (start < last && (bytes[start] & 0xC0) == 0x80)
            return false;
    }
    return true;
}

static s3store_status check_text(const place *at, const s3s_column *c, int64_t first, int64_t last)
{
    if (!s3s_type_is_text(c->field->type) || first == last ||
        text_valid_at_once(c, first, last))
        return S3STORE_OK;
    /* Nulls may cover anything. */
    for (int64_t i = 0; i < c->length; i++) {
        s3store_bytes value = s3s_column_bytes(c, i);
        if (!s3s_utf8_valid(value.data, value.size))
            return fail_at(at, S3STORE_INVALID_ARGUMENT, i, "the string is not valid UTF-8");
    }
    return S3STORE_OK;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static s3store_status check_array(const place *at, const struct ArrowArray *a, int64_t start,
                                  int64_t length);

static s3store_status check_child(const place *at, const struct ArrowArray *a, size_t i,
                                  int64_t start, int64_t length)
{
    place below = *at;
    below.field = &at->field->children[i];
    const struct ArrowArray *child = a->children[i];
    int64_t end;
    if (child->length < 0 || __builtin_add_overflow(start, length, &end) || child->length < end)
        return fail_at(&below, S3STORE_CORRUPT, -1, "%lld rows where its parent reaches further",
                       (long long)child->length);
    return check_array(&below, child, start, length);
}

static s3store_status check_variable(const place *at, const struct ArrowArray *a,
                                     const s3s_column *c)
{
    int64_t first = 0;
    int64_t last = 0;
    s3store_status status = S3STORE_OK;
    if (c->length > 0)
        status = check_offsets(at, c, &first, &last);
    if (status != S3STORE_OK)
        return status;
    if (!s3s_type_is_bytes(c->field->type))
        return check_child(at, a, 0, first, last - first);
    if (last > first && c->values == NULL)
        return fail_at(at, S3STORE_CORRUPT, -1, "the buffer with the bytes is missing");
    return check_text(at, c, first, last);
}

/* Rows [start, start + length) of an array. The recursion follows the schema, whose depth is
 * bounded. */
static s3store_status check_array(const place *at, const struct ArrowArray *a, int64_t start,
                                  int64_t length)
{
    if (!reach_fits(at->field, a->length, a->offset))
        return fail_at(at, S3STORE_CORRUPT, -1, "length %lld with offset %lld is not possible",
                       (long long)a->length, (long long)a->offset);
    if (a->dictionary != NULL)
        return fail_at(at, S3STORE_UNSUPPORTED, -1, "dictionary-encoded values");
    s3store_status status = check_children(at, a);
    if (status == S3STORE_OK)
        status = check_buffers(at, a);
    if (status == S3STORE_OK)
        status = check_null_count(at, a, start, length);
    if (status != S3STORE_OK)
        return status;
    s3s_column column;
    s3s_column_view(at->field, a, start, length, &column);
    switch (s3s_type_layout(at->field->type)) {
    case S3S_LAYOUT_BYTES:
    case S3S_LAYOUT_LARGE_BYTES:
    case S3S_LAYOUT_LIST:
    case S3S_LAYOUT_LARGE_LIST:
        return check_variable(at, a, &column);
    case S3S_LAYOUT_STRUCT:
        for (size_t i = 0; i < at->field->child_count && status == S3STORE_OK; i++)
            status = check_child(at, a, i, column.offset, length);
        return status;
    default:
        return S3STORE_OK;
    }
}

/* ---- nulls ----------------------------------------------------------------------------------- */

static bool refuses_nulls(const s3s_field *field)
{
    if (!field->nullable)
        return true;
    for (size_t i = 0; i < field->child_count; i++)
        if (refuses_nulls(&field->children[i]))
            return true;
    return false;
}

/* First null in [start, end), or end. */
static int64_t next_null(const s3s_column *c, int64_t start, int64_t end)
{
    if (c->validity == NULL)
        return c->field->type == S3S_TYPE_NULL ? start : end;
    while (start < end && !s3s_column_is_null(c, start))
        start++;
    return start;
}

/* Looks at [start, end) of a view. What lies below a null is nobody's business, so the way down
 * follows the runs of values that are there. */
static s3store_status check_nulls(const place *at, const s3s_column *c, const s3s_field *field,
                                  s3store_status status_of, int64_t start, int64_t end)
{
    if (!field->nullable) {
        int64_t row = next_null(c, start, end);
        if (row < end)
            return fail_at(at, status_of, row, "null in a column that is not nullable");
    }
    bool list = field->type != S3S_TYPE_STRUCT;
    for (size_t i = 0; i < field->child_count; i++) {
        if (!refuses_nulls(&field->children[i]))
            continue;
        place below = *at;
        below.field = &field->children[i];
        s3s_column child;
        s3s_column_child(c, i, &child);
        for (int64_t from = start; from < end;) {
            int64_t to = next_null(c, from, end);
            int64_t first = from;
            int64_t last = to;
            int64_t unused;
            if (list && to > from) {
                s3s_column_range(c, wide_of(field->type), from, &first, &unused);
                s3s_column_range(c, wide_of(field->type), to - 1, &unused, &last);
            }
            s3store_status status =
                to == from ? S3STORE_OK
                           : check_nulls(&below, &child, &field->children[i], status_of, first,
                                         last);
            if (status != S3STORE_OK)
                return status;
            from = to + 1;
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_column_check_nulls(const s3s_column *column, const s3s_field *field,
                                      const char *where, s3store_status status,
                                      s3store_error *err)
{
    if (!refuses_nulls(field))
        return S3STORE_OK;
    place at = {field->name, field, field, err};
    s3store_status result = check_nulls(&at, column, field, status, 0, column->length);
    if (result != S3STORE_OK && where != NULL)
        s3s_context(err, "%s", where);
    return result;
}

/* ---- the batch ------------------------------------------------------------------------------- */

static s3store_status check_top(const s3s_schema *schema, const struct ArrowArray *batch,
                                s3store_error *err)
{
    if (batch == NULL || batch->release == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the batch is missing or already released");
    if (batch->n_children != (int64_t)schema->field_count ||
        (batch->n_children > 0 && batch->children == NULL))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the batch has %lld columns, its schema %zu", (long long)batch->n_children,
                        schema->field_count);
    int64_t reach;
    if (batch->length < 0 || batch->offset < 0 ||
        __builtin_add_overflow(batch->length, batch->offset, &reach))
        return s3s_fail(err, S3STORE_CORRUPT, "a batch of length %lld with offset %lld",
                        (long long)batch->length, (long long)batch->offset);
    if (batch->n_buffers != 1 || batch->buffers == NULL || batch->dictionary != NULL)
        return s3s_fail(err, S3STORE_CORRUPT, "the batch is not a struct array");
    const uint8_t *validity = batch->buffers[0];
    if (batch->null_count > 0 ||
        (validity != NULL && batch->null_count != 0 &&
         (int64_t)s3s_bits_count(validity, batch->offset, batch->length) != batch->length))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the batch has null rows: only values of columns can be null");
    return S3STORE_OK;
}

s3store_status s3s_batch_validate(const s3s_schema *schema, const struct ArrowArray *batch,
                                  s3store_error *err)
{
    s3store_status status = check_top(schema, batch, err);
    for (size_t i = 0; i < schema->field_count && status == S3STORE_OK; i++) {
        const s3s_field *field = &schema->fields[i];
        const struct ArrowArray *a = batch->children[i];
        place at = {field->name, field, field, err};
        if (a == NULL || a->release == NULL)
            return fail_at(&at, S3STORE_INVALID_ARGUMENT, -1, "its array is missing or released");
        if (a->length < batch->offset + batch->length)
            return fail_at(&at, S3STORE_CORRUPT, -1, "%lld rows in a batch of %lld",
                           (long long)a->length, (long long)(batch->offset + batch->length));
        status = check_array(&at, a, batch->offset, batch->length);
        if (status != S3STORE_OK)
            return status;
        s3s_column column;
        s3s_batch_column(schema, batch, i, &column);
        status = s3s_column_check_nulls(&column, field, NULL, S3STORE_INVALID_ARGUMENT, err);
    }
    return status;
}
