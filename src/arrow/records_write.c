/* C structs to a batch: one pass per field over the records. */
#include "arrow/internal.h"
#include "arrow/records.h"
#include "base/error.h"

typedef struct writer {
    s3s_env *env;
    const s3store_field *field;
    const s3s_field *column;
    const uint8_t *records; /* the first one of the batch */
    size_t record_size;
    size_t first; /* its number, for messages */
    size_t count;
    s3store_error *err;
    uint8_t *validity; /* NULL until a null is seen */
    int64_t null_count;
    /* Of the items of a list: the list and where those of each row begin, for messages. */
    const struct writer *list;
    const int32_t *starts;
} writer;

static s3store_status fail_row(const writer *w, size_t i, s3store_status status, const char *why)
{
    if (w->list != NULL) {
        size_t row = 0;
        while (row + 1 < w->list->count && (size_t)w->starts[row + 1] <= i)
            row++;
        return s3s_fail(w->err, status,
                        "record field \"%.200s\", row %zu, item %zu of the list: %s",
                        w->field->name, w->list->first + row, i - (size_t)w->starts[row], why);
    }
    return s3s_fail(w->err, status, "record field \"%.200s\", row %zu: %s", w->field->name,
                    w->first + i, why);
}

/* Where value i lies; NULL = null. Loads by memcpy: a bool may hold any byte, and nothing is
 * assumed of the caller's array. */
static inline const uint8_t *value_at(const writer *w, size_t i)
{
    const uint8_t *record = w->records + i * w->record_size;
    const uint8_t *value = record + w->field->offset;
    void *pointer;
    switch (w->field->null) {
    case S3STORE_NULL_FLAG:
        return record[w->field->flag_offset] != 0 ? NULL : value;
    case S3STORE_NULL_POINTER:
        memcpy(&pointer, value, sizeof pointer);
        if (w->field->kind == S3STORE_KIND_CSTRING) /* the field is the pointer itself */
            return pointer != NULL ? value : NULL;
        return pointer;
    default:
        return value;
    }
}

static bool never_null(const s3store_field *field)
{
    return field->null != S3STORE_NULL_FLAG && field->null != S3STORE_NULL_POINTER;
}

/* Clears the bit of row i; the bitmap begins with the first null. */
static s3store_status put_null(writer *w, size_t i)
{
    size_t size = s3s_bits_size(w->count);
    if (w->validity == NULL) {
        w->validity = s3s_calloc(w->env, 1, size);
        if (w->validity == NULL)
            return s3s_fail_memory(w->err, size);
        s3s_bits_fill(w->validity, 0, (int64_t)w->count, true);
    }
    w->validity[i >> 3] &= (uint8_t)~(1u << (i & 7));
    w->null_count++;
    return S3STORE_OK;
}

static s3store_status write_fixed(writer *w, void **buffers)
{
    size_t width = s3s_kind_info_of(w->field->kind)->size;
    bool bits = w->field->kind == S3STORE_KIND_BOOL;
    size_t size = s3s_bits_size(w->count);
    if (!bits && !s3s_mul(w->count, width, &size))
        return s3s_fail_memory(w->err, SIZE_MAX);
    uint8_t *values = s3s_calloc(w->env, 1, size);
    buffers[1] = values;
    if (values == NULL)
        return s3s_fail_memory(w->err, size);
    if (width == 8 && !bits && never_null(w->field)) {
        for (size_t i = 0; i < w->count; i++)
            memcpy(values + i * 8, w->records + i * w->record_size + w->field->offset, 8);
        return S3STORE_OK;
    }
    for (size_t i = 0; i < w->count; i++) {
        const uint8_t *value = value_at(w, i);
        if (value == NULL) {
            s3store_status status = put_null(w, i);
            if (status != S3STORE_OK)
                return status;
        } else if (bits) {
            values[i >> 3] |= (uint8_t)((unsigned)(*value != 0) << (i & 7));
        } else {
            memcpy(values + i * width, value, width);
        }
    }
    return S3STORE_OK;
}

/* Room for the offsets of all rows, as buffers[1]. */
static s3store_status make_offsets(const writer *w, void **buffers, int32_t **out)
{
    size_t size;
    if (!s3s_mul(w->count + 1, 4, &size))
        return s3s_fail_memory(w->err, SIZE_MAX);
    *out = s3s_alloc(w->env, size);
    buffers[1] = *out;
    return *out != NULL ? S3STORE_OK : s3s_fail_memory(w->err, size);
}

/* ---- strings --------------------------------------------------------------------------------- */

static inline s3store_status load_bytes(const writer *w, size_t i, const uint8_t *value,
                                        s3store_bytes *out)
{
    *out = (s3store_bytes){"", 0};
    if (w->field->kind == S3STORE_KIND_CSTRING) {
        const char *text;
        memcpy(&text, value, sizeof text);
        if (text != NULL)
            *out = (s3store_bytes){text, strlen(text)};
        else if (w->field->null != S3STORE_NULL_ZERO) /* there NULL is the empty string */
            return fail_row(w, i, S3STORE_INVALID_ARGUMENT,
                            "it is NULL, and the field says that it never is");
    } else {
        s3store_bytes bytes;
        memcpy(&bytes, value, sizeof bytes);
        if (bytes.data == NULL && bytes.size > 0)
            return fail_row(w, i, S3STORE_INVALID_ARGUMENT, "data is NULL where size is not 0");
        if (bytes.size > 0)
            *out = bytes;
    }
    return S3STORE_OK;
}

/* The usual strings: a pointer and a size in each record, no nulls. false: one is not so, or they are
 * too long together; then the other way says which. */
static bool measure_plain(const writer *w, int32_t *offsets, size_t *total)
{
    const uint8_t *value = w->records + w->field->offset;
    size_t sum = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < w->count; i++, value += w->record_size) {
        s3store_bytes bytes;
        memcpy(&bytes, value, sizeof bytes);
        if ((bytes.data == NULL && bytes.size > 0) || bytes.size > INT32_MAX - sum)
            return false;
        sum += bytes.size;
        offsets[i + 1] = (int32_t)sum;
    }
    *total = sum;
    return true;
}

static bool copy_plain(const writer *w, const int32_t *offsets, uint8_t *values)
{
    const uint8_t *value = w->records + w->field->offset;
    for (size_t i = 0; i < w->count; i++, value += w->record_size) {
        s3store_bytes bytes;
        memcpy(&bytes, value, sizeof bytes);
        if (bytes.size != (size_t)(offsets[i + 1] - offsets[i]))
            return false; /* it changed meanwhile */
        if (bytes.size > 0)
            s3s_copy_short(values + offsets[i], bytes.data, bytes.size);
    }
    return true;
}

/* Sizes and nulls; *total is the room that the bytes take. */
static s3store_status measure_bytes(writer *w, int32_t *offsets, size_t *total)
{
    *total = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < w->count; i++) {
        const uint8_t *value = value_at(w, i);
        s3store_bytes bytes = {"", 0};
        s3store_status status = value != NULL ? load_bytes(w, i, value, &bytes) : put_null(w, i);
        if (status != S3STORE_OK)
            return status;
        if (bytes.size > INT32_MAX - *total)
            return fail_row(w, i, S3STORE_LIMIT_EXCEEDED,
                            "the records hold more than 2 GiB of it: write fewer at once");
        *total += bytes.size;
        offsets[i + 1] = (int32_t)*total;
    }
    return S3STORE_OK;
}

/* The bytes as a whole are UTF-8 and no string begins inside a character: then every one is. */
static s3store_status check_text(const writer *w, const int32_t *offsets, const uint8_t *values)
{
    if (s3s_is_ascii(values, (size_t)offsets[w->count]))
        return S3STORE_OK;
    bool good = s3s_utf8_valid(values, (size_t)offsets[w->count]);
    for (size_t i = 0; i < w->count && good; i++)
        good = offsets[i] == offsets[i + 1] || (values[offsets[i]] & 0xC0) != 0x80;
    for (size_t i = 0; i < w->count && !good; i++)
        if (!s3s_utf8_valid(values + offsets[i], (size_t)(offsets[i + 1] - offsets[i])))
            return fail_row(w, i, S3STORE_INVALID_ARGUMENT, "the string is not valid UTF-8");
    return S3STORE_OK;
}

static s3store_status write_bytes(writer *w, void **buffers)
{
    size_t total;
    int32_t *offsets;
    s3store_status made = make_offsets(w, buffers, &offsets);
    if (made != S3STORE_OK)
        return made;
    bool plain = w->field->kind != S3STORE_KIND_CSTRING && never_null(w->field) &&
                 measure_plain(w, offsets, &total);
    s3store_status status = plain ? S3STORE_OK : measure_bytes(w, offsets, &total);
    if (status != S3STORE_OK)
        return status;
    uint8_t *values = s3s_alloc(w->env, total);
    buffers[2] = values;
    if (values == NULL)
        return s3s_fail_memory(w->err, total);
    plain = plain && copy_plain(w, offsets, values);
    for (size_t i = 0; i < w->count && !plain; i++) {
        const uint8_t *value = value_at(w, i);
        s3store_bytes bytes = {"", 0};
        if (value != NULL)
            status = load_bytes(w, i, value, &bytes);
        if (status != S3STORE_OK || bytes.size != (size_t)(offsets[i + 1] - offsets[i]))
            return fail_row(w, i, S3STORE_INVALID_ARGUMENT, "it changed while it was written");
        s3s_copy_short(values + offsets[i], bytes.data, bytes.size);
    }
    return w->field->kind == S3STORE_KIND_BINARY ? S3STORE_OK : check_text(w, offsets, values);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static s3store_list load_list(const uint8_t *value)
{
    s3store_list list = {0};
    if (value != NULL)
        memcpy(&list, value, sizeof list);
    return list;
}

/* Counts and nulls. */
static s3store_status measure_lists(writer *w, int32_t *offsets)
{
    size_t total = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < w->count; i++) {
        const uint8_t *value = value_at(w, i);
        s3store_list list = load_list(value);
        s3store_status status = value != NULL ? S3STORE_OK : put_null(w, i);
        if (status != S3STORE_OK)
            return status;
        if (list.items == NULL && list.count > 0)
            return fail_row(w, i, S3STORE_INVALID_ARGUMENT, "items is NULL where count is not 0");
        if (list.count > INT32_MAX - total)
            return fail_row(w, i, S3STORE_LIMIT_EXCEEDED,
                            "the records hold more than 2^31 items of it: write fewer at once");
        total += list.count;
        offsets[i + 1] = (int32_t)total;
    }
    return S3STORE_OK;
}

static s3store_status write_column(writer *w, struct ArrowArray *out);

/* The items of all rows are put one after the other, and written like records of one field. */
static s3store_status write_items(const writer *w, const int32_t *offsets, struct ArrowArray *out)
{
    size_t count = (size_t)offsets[w->count], width = s3s_kind_info_of(w->field->item)->size, size;
    if (!s3s_mul(count, width, &size))
        return s3s_fail_memory(w->err, SIZE_MAX);
    uint8_t *together = s3s_alloc(w->env, size);
    if (together == NULL)
        return s3s_fail_memory(w->err, size);
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < w->count && status == S3STORE_OK; i++) {
        s3store_list list = load_list(value_at(w, i));
        if (list.count != (size_t)(offsets[i + 1] - offsets[i]))
            status = fail_row(w, i, S3STORE_INVALID_ARGUMENT, "it changed while it was written");
        else if (list.count > 0)
            memcpy(together + (size_t)offsets[i] * width, list.items, list.count * width);
    }
    s3store_field field = {.name = w->field->name, .kind = w->field->item};
    writer items = {.env = w->env,
                    .field = &field,
                    .column = &w->column->children[0],
                    .records = together,
                    .record_size = width,
                    .count = count,
                    .err = w->err,
                    .list = w,
                    .starts = offsets};
    if (status == S3STORE_OK)
        status = write_column(&items, out);
    s3s_free(w->env, together);
    return status;
}

/* buffers[1] and the one child. */
static s3store_status write_list(writer *w, void **buffers, struct ArrowArray *child)
{
    int32_t *offsets;
    s3store_status made = make_offsets(w, buffers, &offsets);
    if (made != S3STORE_OK)
        return made;
    s3store_status status = measure_lists(w, offsets);
    return status == S3STORE_OK ? write_items(w, offsets, child) : status;
}

static s3store_status write_column(writer *w, struct ArrowArray *out)
{
    void *buffers[S3S_MAX_BUFFERS] = {NULL, NULL, NULL};
    struct ArrowArray child = {0};
    bool is_list = w->field->kind == S3STORE_KIND_LIST;
    s3store_status status = is_list ? write_list(w, buffers, &child)
                            : s3s_kind_is_bytes(w->field->kind) ? write_bytes(w, buffers)
                                                                : write_fixed(w, buffers);
    buffers[0] = w->validity;
    if (status == S3STORE_OK)
        return s3s_array_make(w->env, w->column, (int64_t)w->count, w->null_count, buffers,
                              s3s_type_buffer_count(w->column->type), &child, is_list, out, w->err);
    for (size_t i = 0; i < S3S_MAX_BUFFERS; i++)
        s3s_free(w->env, buffers[i]);
    return status;
}

s3store_status s3s_records_to_batch(s3s_env *env, const s3s_schema *schema,
                                    const s3store_record_type *type, const void *records,
                                    size_t first, size_t count, struct ArrowArray *out,
                                    s3store_error *err)
{
    memset(out, 0, sizeof *out);
    if (schema->field_count != type->field_count || (records == NULL && count > 0))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the records are missing or not of the type of the schema");
    struct ArrowArray *columns = s3s_calloc(env, schema->field_count, sizeof *columns);
    if (columns == NULL)
        return s3s_fail_memory(err, schema->field_count * sizeof *columns);
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < schema->field_count && status == S3STORE_OK; i++) {
        writer w = {.env = env,
                    .field = &type->fields[i],
                    .column = &schema->fields[i],
                    .records = count > 0 ? (const uint8_t *)records + first * type->record_size
                                         : NULL,
                    .record_size = type->record_size,
                    .first = first,
                    .count = count,
                    .err = err};
        status = write_column(&w, &columns[i]);
    }
    if (status == S3STORE_OK)
        status = s3s_batch_make(env, columns, schema->field_count, (int64_t)count, out, err);
    for (size_t i = 0; i < schema->field_count; i++)
        s3s_array_release(&columns[i]);
    s3s_free(env, columns);
    return status;
}
