/* parquet/thrift/writer.c: writing structs by description. Recursion follows the descriptions. */
#include "parquet/thrift/compact.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/thrift/wire.h"

/* What a field takes at most, without its bytes or items. */
#define FIELD_MAX 16

/* Where writing has come to, `at`, is handed from function to function: it stays in a register. */
typedef struct writer {
    uint8_t *end; /* of the room in the buffer; its size is known again when the room ends */
    s3s_buffer *out;
    s3store_error *err;
    s3store_status status; /* sticky; then what is written goes to waste */
    uint8_t waste[FIELD_MAX];
} writer;

#define ROOM_BYTES 256

static __attribute__((noinline)) uint8_t *make_room(writer *w, uint8_t *at, size_t size)
{
    s3s_buffer *out = w->out;
    if (w->status != S3STORE_OK)
        return w->waste;
    if (at != NULL)
        out->size = (size_t)(at - out->data);
    size_t room = out->max - out->size < size + ROOM_BYTES ? size : size + ROOM_BYTES;
    at = s3s_buffer_reserve(out, room, w->err);
    if (at == NULL) {
        w->status = size > out->max - out->size ? S3STORE_LIMIT_EXCEEDED : S3STORE_OUT_OF_MEMORY;
        w->end = w->waste; /* no room: each field comes back here */
        return w->waste;
    }
    size_t there = out->capacity < out->max ? out->capacity : out->max;
    w->end = out->data + there;
    return at;
}

static inline uint8_t *room_for_field(writer *w, uint8_t *at)
{
    return w->end - at >= FIELD_MAX ? at : make_room(w, at, FIELD_MAX);
}

/* What follows finds room for a field already; only bytes ask for more. */
static inline uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *put_zigzag(uint8_t *at, int64_t value)
{
    return put_varint(at, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}

static inline uint8_t *put_binary(writer *w, uint8_t *at, const s3s_thrift_binary *binary)
{
    at = put_varint(at, binary->size);
    if (w->status == S3STORE_OK && binary->size > (size_t)(w->end - at))
        at = make_room(w, at, binary->size);
    if (w->status != S3STORE_OK || binary->size == 0)
        return at;
    s3s_copy_short(at, binary->data, binary->size);
    return at + binary->size;
}

static const uint8_t wires[] = {
    [S3S_THRIFT_BOOL] = S3S_WIRE_TRUE,     [S3S_THRIFT_I8] = S3S_WIRE_BYTE,
    [S3S_THRIFT_I16] = S3S_WIRE_I16,       [S3S_THRIFT_I32] = S3S_WIRE_I32,
    [S3S_THRIFT_I64] = S3S_WIRE_I64,       [S3S_THRIFT_BINARY] = S3S_WIRE_BINARY,
    [S3S_THRIFT_STRUCT] = S3S_WIRE_STRUCT, [S3S_THRIFT_LIST] = S3S_WIRE_LIST,
};

static const size_t sizes[] = {
    [S3S_THRIFT_BOOL] = sizeof(bool),   [S3S_THRIFT_I8] = sizeof(int8_t),
    [S3S_THRIFT_I16] = sizeof(int16_t), [S3S_THRIFT_I32] = sizeof(int32_t),
    [S3S_THRIFT_I64] = sizeof(int64_t), [S3S_THRIFT_BINARY] = sizeof(s3s_thrift_binary),
};

static uint8_t *put_struct(writer *w, uint8_t *at, const s3s_thrift_struct *what,
                           const void *value);

static inline __attribute__((always_inline)) uint8_t *
put_item(writer *w, uint8_t *at, uint8_t kind, const s3s_thrift_struct *sub, const void *item)
{
    switch (kind) {
    case S3S_THRIFT_BOOL:
        *at++ = *(const bool *)item ? S3S_WIRE_TRUE : S3S_WIRE_FALSE;
        return at;
    case S3S_THRIFT_I8:
        *at++ = (uint8_t) * (const int8_t *)item;
        return at;
    case S3S_THRIFT_I16:
        return put_zigzag(at, *(const int16_t *)item);
    case S3S_THRIFT_I32:
        return put_zigzag(at, *(const int32_t *)item);
    case S3S_THRIFT_I64:
        return put_zigzag(at, *(const int64_t *)item);
    case S3S_THRIFT_BINARY:
        return put_binary(w, at, item);
    default:
        return put_struct(w, at, sub, item);
    }
}

static uint8_t *put_list(writer *w, uint8_t *at, const s3s_thrift_field *field,
                         const s3s_thrift_list *list)
{
    uint8_t wire = wires[field->item];
    if (list->count < 15) {
        *at++ = (uint8_t)(list->count << 4 | wire);
    } else {
        *at++ = (uint8_t)(0xf0 | wire);
        at = put_varint(at, list->count);
    }
    size_t size = field->item == S3S_THRIFT_STRUCT ? field->sub->size : sizes[field->item];
    for (size_t i = 0; i < list->count; i++)
        at = put_item(w, room_for_field(w, at), field->item, field->sub,
                      (const char *)list->items + i * size);
    return at;
}

static uint8_t *put_struct(writer *w, uint8_t *at, const s3s_thrift_struct *what,
                           const void *value)
{
    uint64_t has = *(const uint64_t *)value;
    int last = 0;
    if (what->field_count < 64)
        has &= (UINT64_C(1) << what->field_count) - 1;
    for (; has != 0; has &= has - 1) {
        const s3s_thrift_field *field = &what->fields[__builtin_ctzll(has)];
        const void *item = (const char *)value + field->offset;
        uint8_t wire = wires[field->kind];
        if (field->kind == S3S_THRIFT_BOOL && !*(const bool *)item)
            wire = S3S_WIRE_FALSE;
        int delta = field->id - last;
        at = room_for_field(w, at);
        if (delta >= 1 && delta <= 15) {
            *at++ = (uint8_t)(delta << 4 | wire);
        } else {
            *at++ = wire;
            at = put_zigzag(at, field->id);
        }
        last = field->id;
        if (field->kind == S3S_THRIFT_LIST)
            at = put_list(w, at, field, item);
        else if (field->kind != S3S_THRIFT_BOOL)
            at = put_item(w, at, field->kind, field->sub, item);
    }
    at = w->end > at ? at : make_room(w, at, 1);
    *at++ = S3S_WIRE_STOP;
    return at;
}

s3store_status s3s_thrift_write(const s3s_thrift_struct *what, const void *value, s3s_buffer *out,
                                s3store_error *err)
{
    writer w = {.out = out, .err = err};
    uint8_t *at = put_struct(&w, make_room(&w, NULL, 1), what, value);
    if (w.status == S3STORE_OK)
        out->size = (size_t)(at - out->data);
    return w.status;
}
