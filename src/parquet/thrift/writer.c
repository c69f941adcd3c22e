/* parquet/thrift/writer.c: writing structs by description. Recursion follows the descriptions. */
#include "parquet/thrift/compact.h"

#include "base/error.h"
#include "parquet/thrift/wire.h"

typedef struct writer {
    s3s_buffer *out;
    s3store_error *err;
    s3store_status status; /* sticky */
} writer;

static void put(writer *w, const void *data, size_t size)
{
    if (w->status == S3STORE_OK)
        w->status = s3s_buffer_append(w->out, data, size, w->err);
}

/* Most of what is written is single bytes. */
static inline void put_byte(writer *w, uint8_t byte)
{
    s3s_buffer *out = w->out;
    if (w->status == S3STORE_OK && out->size < out->capacity && out->size < out->max)
        out->data[out->size++] = byte;
    else
        put(w, &byte, 1);
}

static void put_varint(writer *w, uint64_t value)
{
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
    for (size_t i = 0; i < what->field_count; i++) {
        const s3s_thrift_field *field = &what->fields[i];
        if ((has & (UINT64_C(1) << i)) == 0)
            continue;
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
    put_struct(&w, what, value);
    return w.status;
}
