/* A batch to C structs: one pass per field. What a field needs beyond its place in the record
 * lies in the arena, in one piece per field. */
#include "arrow/internal.h"
#include "arrow/records.h"
#include "base/error.h"

typedef struct reader {
    const s3store_field *field;
    s3s_column column; /* the rows wanted, from 0 */
    int64_t start;     /* the first one's row in the batch, for messages */
    uint8_t *records;
    size_t record_size;
    bool copy;
    s3s_arena *arena;
    s3store_error *err;
    uint8_t *spare; /* what is left of the arena's piece */
    /* Of a list: the items of all rows one after the other, and which is the first of row 0. */
    uint8_t *items;
    int64_t first_item;
    /* Of the items of a list: the list, for messages. */
    const struct reader *list;
} reader;

static s3store_status fail_item(const reader *list, int64_t item, const char *why)
{
    int64_t i = 0, start = 0, end = 0;
    for (; i < list->column.length; i++) {
        s3s_column_list(&list->column, i, &start, &end);
        if (item >= start && item < end)
            break;
    }
    return s3s_fail(list->err, S3STORE_SCHEMA_MISMATCH,
                    "column \"%.200s\", row %lld, item %lld of the list: %s", list->field->name,
                    (long long)(list->start + i), (long long)(item - start), why);
}

static s3store_status fail_row(const reader *r, int64_t i, const char *why)
{
    if (r->list != NULL)
        return fail_item(r->list, r->start + i, why);
    return s3s_fail(r->err, S3STORE_SCHEMA_MISMATCH, "column \"%.200s\", row %lld: %s",
                    r->field->name, (long long)(r->start + i), why);
}

static bool pointed(const reader *r)
{
    return r->field->null == S3STORE_NULL_POINTER && r->field->kind != S3STORE_KIND_CSTRING;
}

/* Room for the values behind pointers and for copied text. */
static s3store_status reserve(reader *r)
{
    const s3s_column *c = &r->column;
    size_t rows = (size_t)c->length;
    bool cstring = r->field->kind == S3STORE_KIND_CSTRING;
    bool copies = cstring || (r->copy && s3s_kind_is_bytes(r->field->kind));
    size_t size = 0;
    bool fits = true;
    if (pointed(r))
        fits = s3s_mul(rows, s3s_kind_info_of(r->field->kind)->size, &size);
    if (cstring)
        fits = s3s_add(size, rows, &size);
    for (int64_t i = 0; copies && fits && i < c->length; i++)
        fits = s3s_add(size, s3s_column_bytes(c, i).size, &size);
    if (!fits)
        return s3s_fail_memory(r->err, SIZE_MAX);
    if (size == 0)
        return S3STORE_OK;
    r->spare = s3s_arena_alloc(r->arena, size);
    return r->spare != NULL ? S3STORE_OK : s3s_fail_memory(r->err, size);
}

static void *take_spare(reader *r, size_t size)
{
    uint8_t *p = r->spare;
    r->spare += size;
    return p;
}

/* ---- one value ------------------------------------------------------------------------------- */

static s3store_status load_text(reader *r, int64_t i, void *out)
{
    s3store_bytes value = s3s_column_bytes(&r->column, i);
    if (r->field->kind != S3STORE_KIND_CSTRING) {
        if (r->copy && value.size > 0)
            value.data = memcpy(take_spare(r, value.size), value.data, value.size);
        memcpy(out, &value, sizeof value);
        return S3STORE_OK;
    }
    if (memchr(value.data, 0, value.size) != NULL)
        return fail_row(r, i, "the string has a NUL inside: read it as S3STORE_KIND_STRING");
    char *text = take_spare(r, value.size + 1);
    memcpy(text, value.data, value.size);
    text[value.size] = '\0';
    memcpy(out, &text, sizeof text);
    return S3STORE_OK;
}

static void load_list(const reader *r, int64_t i, void *out)
{
    int64_t start, end;
    s3s_column_list(&r->column, i, &start, &end);
    s3store_list list = {.count = (size_t)(end - start)};
    if (list.count > 0)
        list.items = r->items + (size_t)(start - r->first_item) *
                                    s3s_kind_info_of(r->field->item)->size;
    memcpy(out, &list, sizeof list);
}

static s3store_status load_value(reader *r, int64_t i, void *out)
{
    if (r->field->kind == S3STORE_KIND_LIST) {
        load_list(r, i, out);
        return S3STORE_OK;
    }
    if (s3s_kind_is_bytes(r->field->kind))
        return load_text(r, i, out);
    if (r->field->kind == S3STORE_KIND_BOOL) {
        *(uint8_t *)out = s3s_column_bool(&r->column, i);
        return S3STORE_OK;
    }
    size_t width = s3s_kind_info_of(r->field->kind)->size;
    const uint8_t *values = r->column.values;
    memcpy(out, values + (size_t)(r->column.offset + i) * width, width);
    return S3STORE_OK;
}

/* The zero of a C string that is never null is "". */
static void put_zero(const reader *r, void *out, size_t size)
{
    const char *empty = "";
    if (r->field->null == S3STORE_NULL_ZERO && r->field->kind == S3STORE_KIND_CSTRING)
        memcpy(out, &empty, sizeof empty);
    else
        memset(out, 0, size);
}

static s3store_status read_items(reader *r);

static s3store_status read_field(reader *r)
{
    s3store_status status = reserve(r);
    if (status == S3STORE_OK && r->field->kind == S3STORE_KIND_LIST)
        status = read_items(r);
    size_t size = s3s_kind_info_of(r->field->kind)->size;
    /* Values first, so that they keep their alignment; text follows. */
    uint8_t *values = pointed(r) && r->spare != NULL
                          ? take_spare(r, size * (size_t)r->column.length)
                          : NULL;
    for (int64_t i = 0; i < r->column.length && status == S3STORE_OK; i++) {
        uint8_t *record = r->records + (size_t)i * r->record_size;
        uint8_t *out = record + r->field->offset;
        bool null = s3s_column_is_null(&r->column, i);
        if (null && r->field->null == S3STORE_NULL_REFUSED)
            return fail_row(r, i, "null, and the record's field says that it never is");
        if (r->field->null == S3STORE_NULL_FLAG)
            record[r->field->flag_offset] = null;
        if (values != NULL) {
            void *value = null ? NULL : values + (size_t)i * size;
            memcpy(out, &value, sizeof value);
            out = value;
        }
        if (!null)
            status = load_value(r, i, out);
        else if (values == NULL)
            put_zero(r, out, size);
    }
    return status;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* The items of rows [from, to), all of which are there: they lie one after the other, and are read
 * like records of one field. */
static s3store_status read_item_run(const reader *r, int64_t from, int64_t to)
{
    int64_t start, end, unused;
    s3s_column_list(&r->column, from, &start, &unused);
    s3s_column_list(&r->column, to - 1, &unused, &end);
    if (start == end)
        return S3STORE_OK;
    size_t size = s3s_kind_info_of(r->field->item)->size;
    s3store_field field = {.name = r->field->name,
                           .kind = r->field->item,
                           .null = r->field->null == S3STORE_NULL_ZERO ? S3STORE_NULL_ZERO
                                                                       : S3STORE_NULL_REFUSED};
    reader items = {.field = &field,
                    .start = start,
                    .records = r->items + (size_t)(start - r->first_item) * size,
                    .record_size = size,
                    .copy = r->copy,
                    .arena = r->arena,
                    .err = r->err,
                    .list = r};
    s3s_column_child(&r->column, 0, &items.column);
    items.column.offset += start;
    items.column.length = end - start;
    return read_field(&items);
}

/* What lies below a null list is not looked at. */
static s3store_status read_items(reader *r)
{
    int64_t rows = r->column.length, first = -1, last = -1, start, end;
    for (int64_t i = 0; i < rows; i++) {
        s3s_column_list(&r->column, i, &start, &end);
        if (start == end)
            continue;
        first = first < 0 ? start : first;
        last = end;
    }
    if (first < 0)
        return S3STORE_OK;
    size_t size;
    if (!s3s_mul((size_t)(last - first), s3s_kind_info_of(r->field->item)->size, &size))
        return s3s_fail_memory(r->err, SIZE_MAX);
    r->first_item = first;
    r->items = s3s_arena_alloc(r->arena, size);
    if (r->items == NULL)
        return s3s_fail_memory(r->err, size);
    s3store_status status = S3STORE_OK;
    for (int64_t i = 0, from; i < rows && status == S3STORE_OK; i++) {
        for (from = i; i < rows && !s3s_column_is_null(&r->column, i);)
            i++;
        if (from < i)
            status = read_item_run(r, from, i);
    }
    return status;
}

static s3store_status check_columns(const s3s_schema *schema, const s3store_record_type *type,
                                    s3store_error *err)
{
    if (schema->field_count != type->field_count)
        return s3s_fail(err, S3STORE_INTERNAL, "a batch of %zu columns for records of %zu fields",
                        schema->field_count, type->field_count);
    for (size_t i = 0; i < type->field_count; i++)
        if (schema->fields[i].type != s3s_kind_info_of(type->fields[i].kind)->type ||
            (type->fields[i].kind == S3STORE_KIND_LIST &&
             schema->fields[i].children[0].type != s3s_kind_info_of(type->fields[i].item)->type))
            return s3s_fail(err, S3STORE_INTERNAL, "column \"%.200s\" was not converted",
                            schema->fields[i].name);
    return S3STORE_OK;
}

s3store_status s3s_batch_to_records(const s3s_schema *schema, const struct ArrowArray *batch,
                                    int64_t start, size_t count, const s3store_record_type *type,
                                    void *records, bool copy, s3s_arena *arena,
                                    s3store_error *err)
{
    s3store_status status = check_columns(schema, type, err);
    if (status == S3STORE_OK &&
        (start < 0 || start > batch->length || count > (uint64_t)(batch->length - start)))
        status = s3s_fail(err, S3STORE_INTERNAL, "rows %lld and %zu more of a batch of %lld",
                          (long long)start, count, (long long)batch->length);
    for (size_t i = 0; i < type->field_count && status == S3STORE_OK; i++) {
        reader r = {.field = &type->fields[i],
                    .start = start,
                    .records = records,
                    .record_size = type->record_size,
                    .copy = copy,
                    .arena = arena,
                    .err = err};
        s3s_batch_column(schema, batch, i, &r.column);
        r.column.offset += start;
        r.column.length = (int64_t)count;
        status = read_field(&r);
    }
    return status;
}
