/* parquet/thrift/reader.c: reading structs by description from hostile bytes.
 *
 * Two rules keep it safe: a count is never believed beyond the bytes that remain (every item of
 * every type takes at least one byte), and nothing recurses on input. read_struct calls itself, but
 * along the descriptions, which form a finite tree; unknown data is skipped with an explicit stack.
 */
#include "parquet/thrift/compact.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/thrift/wire.h"

#define SKIP_DEPTH_MAX 64

typedef struct reader {
    const uint8_t *begin, *p, *end;
    s3s_arena *arena;
    size_t memory_max;
    bool truncated;
    const char *what; /* struct being read, for messages */
    const char *member;
    s3store_error *err;
} reader;

static s3store_status corrupt(reader *r, const char *why)
{
    return s3s_fail(r->err, S3STORE_CORRUPT, "metadata at byte %zu (%s%s%s): %s",
                    (size_t)(r->p - r->begin), r->what, r->member == NULL ? "" : ".",
                    r->member == NULL ? "" : r->member, why);
}

static s3store_status ended(reader *r)
{
    r->truncated = true;
    return corrupt(r, "the data ends inside it");
}

static s3store_status read_byte(reader *r, uint8_t *out)
{
    if (r->p == r->end)
        return ended(r);
    *out = *r->p++;
    return S3STORE_OK;
}

static s3store_status read_varint(reader *r, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->p == r->end)
            return ended(r);
        uint8_t byte = *r->p++;
        if (shift == 63 && byte > 1)
            return corrupt(r, "a number of more than 64 bits");
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = value;
            return S3STORE_OK;
        }
    }
    return corrupt(r, "a number of more than 64 bits");
}

static s3store_status read_zigzag(reader *r, int64_t min, int64_t max, int64_t *out)
{
    uint64_t raw = 0;
    s3store_status status = read_varint(r, &raw);
    if (status != S3STORE_OK)
        return status;
    int64_t value = (int64_t)(raw >> 1) ^ -(int64_t)(raw & 1);
    if (value < min || value > max)
        return corrupt(r, "a number out of range");
    *out = value;
    return S3STORE_OK;
}

static s3store_status read_binary(reader *r, s3s_thrift_binary *out)
{
    uint64_t size = 0;
    s3store_status status = read_varint(r, &size);
    if (status != S3STORE_OK)
        return status;
    if (size > INT32_MAX)
        return corrupt(r, "text of more than 2 GiB");
    if (size > (uint64_t)(r->end - r->p))
        return ended(r);
    out->data = r->p;
    out->size = (size_t)size;
    r->p += size;
    return S3STORE_OK;
}

/* Header of a list or set. */
static s3store_status read_list_header(reader *r, uint8_t *item, size_t *count)
{
    uint8_t head = 0;
    s3store_status status = read_byte(r, &head);
    if (status != S3STORE_OK)
        return status;
    uint64_t n = head >> 4;
    if (n == 15) {
        status = read_varint(r, &n);
        if (status != S3STORE_OK)
            return status;
    }
    *item = head & 0x0f;
    if (n > INT32_MAX)
        return corrupt(r, "a list of more than 2^31 items");
    if (n > (uint64_t)(r->end - r->p))
        return ended(r);
    *count = (size_t)n;
    return S3STORE_OK;
}

/* ---- skipping -------------------------------------------------------------------------------- */

typedef struct skip_frame {
    bool is_struct;
    uint8_t types[2]; /* items of a list, keys and values of a map */
    uint64_t remaining;
} skip_frame;

static s3store_status skip_bytes(reader *r, size_t size)
{
    if (size > (size_t)(r->end - r->p))
        return ended(r);
    r->p += size;
    return S3STORE_OK;
}

/* Skips a scalar, or pushes a frame for a compound. in_list: booleans take a byte there. */
static s3store_status skip_one(reader *r, uint8_t type, bool in_list, skip_frame *stack,
                               size_t *depth)
{
    uint64_t number;
    s3s_thrift_binary binary;
    switch (type) {
    case S3S_WIRE_TRUE:
    case S3S_WIRE_FALSE:
        return in_list ? skip_bytes(r, 1) : S3STORE_OK;
    case S3S_WIRE_BYTE:
        return skip_bytes(r, 1);
    case S3S_WIRE_I16:
    case S3S_WIRE_I32:
    case S3S_WIRE_I64:
        return read_varint(r, &number);
    case S3S_WIRE_DOUBLE:
        return skip_bytes(r, 8);
    case S3S_WIRE_UUID:
        return skip_bytes(r, 16);
    case S3S_WIRE_BINARY:
        return read_binary(r, &binary);
    default:
        break;
    }
    if (*depth == SKIP_DEPTH_MAX)
        return corrupt(r, "nested deeper than 64 levels");
    skip_frame frame = {0};
    s3store_status status = S3STORE_OK;
    if (type == S3S_WIRE_STRUCT) {
        frame.is_struct = true;
    } else if (type == S3S_WIRE_LIST || type == S3S_WIRE_SET) {
        size_t count = 0;
        status = read_list_header(r, &frame.types[0], &count);
        frame.types[1] = frame.types[0];
        frame.remaining = count;
    } else if (type == S3S_WIRE_MAP) {
        uint8_t types = 0;
        status = read_varint(r, &frame.remaining);
        if (status == S3STORE_OK && frame.remaining > (uint64_t)(r->end - r->p))
            status = ended(r);
        if (status == S3STORE_OK && frame.remaining > 0)
            status = read_byte(r, &types);
        frame.types[0] = types & 0x0f; /* taken from the top: remaining counts down from even */
        frame.types[1] = types >> 4;
        frame.remaining *= 2;
    } else {
        return corrupt(r, "an unknown wire type");
    }
    if (status == S3STORE_OK)
        stack[(*depth)++] = frame;
    return status;
}

static s3store_status skip_value(reader *r, uint8_t type)
{
    skip_frame stack[SKIP_DEPTH_MAX];
    size_t depth = 0;
    s3store_status status = skip_one(r, type, false, stack, &depth);
    while (status == S3STORE_OK && depth > 0) {
        skip_frame *top = &stack[depth - 1];
        if (!top->is_struct) {
            if (top->remaining == 0) {
                depth--;
                continue;
            }
            uint8_t item = top->types[1 - (top->remaining-- & 1)];
            status = skip_one(r, item, true, stack, &depth);
            continue;
        }
        uint8_t head = 0;
        status = read_byte(r, &head);
        if (status != S3STORE_OK)
            break;
        if (head == S3S_WIRE_STOP) {
            depth--;
            continue;
        }
        uint64_t id;
        if ((head >> 4) == 0)
            status = read_varint(r, &id);
        if (status == S3STORE_OK)
            status = skip_one(r, head & 0x0f, false, stack, &depth);
    }
    return status;
}

/* ---- reading --------------------------------------------------------------------------------- */

static const struct {
    size_t size;
    uint8_t wire;
} kinds[] = {
    [S3S_THRIFT_BOOL] = {sizeof(bool), S3S_WIRE_TRUE},
    [S3S_THRIFT_I8] = {sizeof(int8_t), S3S_WIRE_BYTE},
    [S3S_THRIFT_I16] = {sizeof(int16_t), S3S_WIRE_I16},
    [S3S_THRIFT_I32] = {sizeof(int32_t), S3S_WIRE_I32},
    [S3S_THRIFT_I64] = {sizeof(int64_t), S3S_WIRE_I64},
    [S3S_THRIFT_BINARY] = {sizeof(s3s_thrift_binary), S3S_WIRE_BINARY},
    [S3S_THRIFT_STRUCT] = {0, S3S_WIRE_STRUCT},
    [S3S_THRIFT_LIST] = {sizeof(s3s_thrift_list), S3S_WIRE_LIST},
};

static s3store_status read_struct(reader *r, const s3s_thrift_struct *what, void *out);

/* Stores a number into the member's C type. */
static s3store_status read_number(reader *r, uint8_t kind, void *at)
{
    int64_t v = 0;
    s3store_status status;
    switch (kind) {
    case S3S_THRIFT_I16:
        status = read_zigzag(r, INT16_MIN, INT16_MAX, &v);
        *(int16_t *)at = (int16_t)v;
        return status;
    case S3S_THRIFT_I32:
        status = read_zigzag(r, INT32_MIN, INT32_MAX, &v);
        *(int32_t *)at = (int32_t)v;
        return status;
    default:
        status = read_zigzag(r, INT64_MIN, INT64_MAX, &v);
        *(int64_t *)at = v;
        return status;
    }
}

static s3store_status read_item(reader *r, uint8_t kind, const s3s_thrift_struct *sub, void *at)
{
    uint8_t byte = 0;
    s3store_status status;
    switch (kind) {
    case S3S_THRIFT_BOOL:
    case S3S_THRIFT_I8:
        status = read_byte(r, &byte);
        if (kind == S3S_THRIFT_BOOL)
            *(bool *)at = byte == S3S_WIRE_TRUE;
        else
            *(int8_t *)at = (int8_t)byte;
        return status;
    case S3S_THRIFT_BINARY:
        return read_binary(r, at);
    case S3S_THRIFT_STRUCT:
        return read_struct(r, sub, at);
    default:
        return read_number(r, kind, at);
    }
}

static bool wire_fits(uint8_t kind, uint8_t wire)
{
    return wire == kinds[kind].wire || (kind == S3S_THRIFT_BOOL && wire == S3S_WIRE_FALSE);
}

static s3store_status read_list(reader *r, const s3s_thrift_field *field, s3s_thrift_list *list)
{
    uint8_t item = 0;
    size_t count = 0, total = 0;
    s3store_status status = read_list_header(r, &item, &count);
    if (status != S3STORE_OK)
        return status;
    if (count == 0)
        return S3STORE_OK;
    if (!wire_fits(field->item, item))
        return corrupt(r, "a list of another type");
    size_t size = field->item == S3S_THRIFT_STRUCT ? field->sub->size : kinds[field->item].size;
    if (!s3s_mul(count, size, &total) || total > r->memory_max ||
        r->arena->used > r->memory_max - total)
        return s3s_fail(r->err, S3STORE_LIMIT_EXCEEDED,
                        "metadata: %s.%s has %zu items, more than a memory budget of %zu bytes "
                        "allows (--memory)",
                        r->what, field->name, count, r->memory_max);
    list->items = s3s_arena_calloc(r->arena, count, size);
    if (list->items == NULL)
        return s3s_fail_memory(r->err, total);
    list->count = count;
    for (size_t i = 0; i < count && status == S3STORE_OK; i++)
        status = read_item(r, field->item, field->sub, (char *)list->items + i * size);
    return status;
}

static s3store_status read_field(reader *r, const s3s_thrift_field *field, uint8_t wire, void *at)
{
    if (field->kind == S3S_THRIFT_BOOL) {
        *(bool *)at = wire == S3S_WIRE_TRUE;
        return S3STORE_OK;
    }
    if (field->kind == S3S_THRIFT_LIST) {
        memset(at, 0, sizeof(s3s_thrift_list));
        return read_list(r, field, at);
    }
    return read_item(r, field->kind, field->sub, at);
}

static s3store_status check_required(reader *r, const s3s_thrift_struct *what, uint64_t has)
{
    for (size_t i = 0; i < what->field_count; i++) {
        if (what->fields[i].required && (has & (UINT64_C(1) << i)) == 0) {
            r->member = what->fields[i].name;
            return corrupt(r, "a required field is missing");
        }
    }
    return S3STORE_OK;
}

static s3store_status read_struct(reader *r, const s3s_thrift_struct *what, void *out)
{
    const char *outer = r->what, *outer_member = r->member;
    r->what = what->name;
    r->member = NULL;
    memset(out, 0, what->size);
    uint64_t *has = out;
    int64_t id = 0;
    for (;;) {
        uint8_t head = 0;
        s3store_status status = read_byte(r, &head);
        if (status != S3STORE_OK)
            return status;
        if (head == S3S_WIRE_STOP)
            break;
        uint8_t wire = head & 0x0f;
        if ((head >> 4) != 0)
            id += head >> 4;
        else
            status = read_zigzag(r, INT16_MIN, INT16_MAX, &id);
        if (status != S3STORE_OK)
            return status;
        const s3s_thrift_field *field = NULL;
        for (size_t i = 0; i < what->field_count && field == NULL; i++)
            if (what->fields[i].id == id)
                field = &what->fields[i];
        if (field == NULL || !wire_fits(field->kind, wire)) {
            status = skip_value(r, wire);
        } else {
            r->member = field->name;
            status = read_field(r, field, wire, (char *)out + field->offset);
            r->member = NULL;
            *has |= UINT64_C(1) << (field - what->fields);
        }
        if (status != S3STORE_OK)
            return status;
    }
    s3store_status status = check_required(r, what, *has);
    r->what = outer;
    r->member = outer_member;
    return status;
}

s3store_status s3s_thrift_read(const s3s_thrift_struct *what, const uint8_t *data, size_t size,
                               s3s_arena *arena, size_t memory_max, void *out, size_t *consumed,
                               bool *truncated, s3store_error *err)
{
    reader r = {.begin = data, .p = data, .end = data + size, .arena = arena,
                .memory_max = memory_max, .what = what->name, .err = err};
    s3store_status status = read_struct(&r, what, out);
    if (consumed != NULL)
        *consumed = (size_t)(r.p - r.begin);
    if (truncated != NULL)
        *truncated = r.truncated;
    return status;
}
