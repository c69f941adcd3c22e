/* parquet/thrift/writer.c: writing structs by description. Recursion follows the descriptions. */
#include "parquet/thrift/compact.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/thrift/wire.h"

/* at..end: room in the buffer; its size is known again when the room ends. */
typedef struct writer {
    uint8_t *at, *end;
    s3s_buffer *out;
    s3store_error *err;
    s3store_status status; /* sticky; then there is no room */
} writer;

#define ROOM_BYTES 256

static __attribute__((noinline)) void make_room(writer *w, size_t size)
{
    s3s_buffer *out = w->out;
    if (w->status != S3STORE_OK)
        return;
    if (w->at != NULL)
        out->size = (size_t)(w->at - out->data);
    size_t room = out->max - out->size < size + ROOM_BYTES ? size : size + ROOM_BYTES;
    w->at = s3s_buffer_reserve(out, room, w->err);
    if (w->at == NULL) {
        w->end = NULL;
        w->status = size > out->max - out->size ? S3STORE_LIMIT_EXCEEDED : S3STORE_OUT_OF_MEMORY;
        return;
    }
    size_t there = out->capacity < out->max ? out->capacity : out->max;
    w->end = out->data + there;
}

static inline void put(writer *w, const void *data, size_t size)
{
    if (size > (size_t)(w->end - w->at))
        make_room(w, size);
    if (w->status != S3STORE_OK || size == 0)
        return;
    s3s_copy_short(w->at, data, size);
    w->at += size;
}

/* Most of what is written is single bytes. */
static inline void put_byte(writer *w, uint8_t byte)
{
    if (w->at == w->end)
        make_room(w, 1);
    if (w->at != NULL)
        *w->at++ = byte;
}

#define VARINT_MAX 10

static inline void put_varint(writer *w, uint64_t value)
{
    if (w->end - w->at >= VARINT_MAX) {
        uint8_t *at = w->at;
        for (; value >= 0x80; value >>= 7)
            *at++ = (uint8_t)(value | 0x80);
        *at++ = (uint8_t)value;
        w->at = at;
        return;
    }
    for (; value >= 0x80; value >>= 7)
        put_byte(w, (uint8_t)(value | 0x80));
    put_byte(w, (uint8_t)value);
}

static void put_zigzag(writer *w, int64_t value)
{
    put_varint(w, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
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

static void put_struct(writer *w, const s3s_thrift_struct *what, const void *value);

static void put_item(writer *w, uint8_t kind, const s3s_thrift_struct *sub, const void *at)
{
    const s3s_thrift_binary *binary = at;
    switch (kind) {
    case S3S_THRIFT_BOOL:
        put_byte(w, *(const bool *)at ? S3S_WIRE_TRUE : S3S_WIRE_FALSE);
        break;
    case S3S_THRIFT_I8:
        put_byte(w, (uint8_t) * (const int8_t *)at);
        break;
    case S3S_THRIFT_I16:
        put_zigzag(w, *(const int16_t *)at);
        break;
    case S3S_THRIFT_I32:
        put_zigzag(w, *(const int32_t *)at);
        break;
    case S3S_THRIFT_I64:
        put_zigzag(w, *(const int64_t *)at);
        break;
    case S3S_THRIFT_BINARY:
        put_varint(w, binary->size);
        put(w, binary->data, binary->size);
        break;
    default:
        put_struct(w, sub, at);
        break;
    }
}

static void put_list(writer *w, const s3s_thrift_field *field, const s3s_thrift_list *list)
{
    uint8_t wire = wires[field->item];
    if (list->count < 15) {
        put_byte(w, (uint8_t)(list->count << 4 | wire));
    } else {
        put_byte(w, (uint8_t)(0xf0 | wire));
        put_varint(w, list->count);
    }
    size_t size = field->item == S3S_THRIFT_STRUCT ? field->sub->size : sizes[field->item];
    for (size_t i = 0; i < list->count; i++)
        put_item(w, field->item, field->sub, (const char *)list->items + i * size);
}

static void put_struct(writer *w, const s3s_thrift_struct *what, const void *value)
{
    uint64_t has = *(const uint64_t *)value;
    int last = 0;
    if (what->field_count < 64)
        has &= (UINT64_C(1) << what->field_count) - 1;
    for (; has != 0; has &= has - 1) {
        const s3s_thrift_field *field = &what->fields[__builtin_ctzll(has)];
        const void *at = (const char *)value + field->offset;
        uint8_t wire = wires[field->kind];
        if (field->kind == S3S_THRIFT_BOOL && !*(const bool *)at)
            wire = S3S_WIRE_FALSE;
        int delta = field->id - last;
        if (delta >= 1 && delta <= 15) {
            put_byte(w, (uint8_t)(delta << 4 | wire));
        } else {
            put_byte(w, wire);
            put_zigzag(w, field->id);
        }
        last = field->id;
        if (field->kind == S3S_THRIFT_LIST)
            put_list(w, field, at);
        else if (field->kind != S3S_THRIFT_BOOL)
            put_item(w, field->kind, field->sub, at);
    }
    put_byte(w, S3S_WIRE_STOP);
}

s3store_status s3s_thrift_write(const s3s_thrift_struct *what, const void *value, s3s_buffer *out,
                                s3store_error *err)
{
    writer w = {.out = out, .err = err};
    make_room(&w, 1);
    put_struct(&w, what, value);
    if (w.status == S3STORE_OK)
        out->size = (size_t)(w.at - out->data);
    return w.status;
}
