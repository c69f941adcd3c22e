/* XXH64 over the rows of a partition, in a form that widening the schema, adding columns and
 * reordering them leave unchanged. docs/FORMAT.md "Content hash" is the specification.
 */
#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "write/write_private.h"

enum {
    TAG_INT = 'i',       /* int64: integers, and floats that are exactly one within +-2^53 */
    TAG_UINT = 'u',      /* uint64 above INT64_MAX */
    TAG_FLOAT = 'f',     /* double */
    TAG_BOOL = 'b',      /* 1 byte */
    TAG_DATE = 'd',      /* int32 days */
    TAG_TIME_NANO = 'n', /* timestamp, int64 ns */
    TAG_TIME_MICRO = 'm', /* timestamp that does not fit in ns, int64 us */
    TAG_CLOCK = 'c',     /* time of day or duration, int64 ns */
    TAG_STRING = 's',    /* uint32 size, bytes */
    TAG_BINARY = 'x',
};

#define BUFFER_SIZE 16384
#define EXACT_INTEGER 9007199254740992.0 /* 2^53 */

typedef struct hasher {
    s3s_xxh64_state state;
    size_t used;
    uint8_t buffer[BUFFER_SIZE];
} hasher;

static void put(hasher *h, const void *data, size_t size)
{
    if (size > BUFFER_SIZE - h->used) {
        s3s_xxh64_update(&h->state, h->buffer, h->used);
        h->used = 0;
        if (size > BUFFER_SIZE) {
            s3s_xxh64_update(&h->state, data, size);
            return;
        }
    }
    memcpy(h->buffer + h->used, data, size);
    h->used += size;
}

static void put_tagged(hasher *h, uint8_t tag, const void *value, size_t size)
{
    put(h, &tag, 1);
    put(h, value, size);
}

static void put_double(hasher *h, double value)
{
    if (value >= -EXACT_INTEGER && value <= EXACT_INTEGER && value == (double)(int64_t)value) {
        int64_t integer = (int64_t)value;
        put_tagged(h, TAG_INT, &integer, 8);
        return;
    }
    uint64_t bits = UINT64_C(0x7ff8000000000000); /* every NaN is the same */
    if (!isnan(value))
        memcpy(&bits, &value, 8);
    put_tagged(h, TAG_FLOAT, &bits, 8);
}

static int64_t units_per_second(s3s_unit unit)
{
    static const int64_t table[] = {1, 1000, 1000000, 1000000000};
    return table[unit];
}

static void put_timestamp(hasher *h, int64_t value, s3s_unit unit)
{
    int64_t scaled;
    if (!__builtin_mul_overflow(value, 1000000000 / units_per_second(unit), &scaled)) {
        put_tagged(h, TAG_TIME_NANO, &scaled, 8);
        return;
    }
    if (unit == S3S_NANO ||
        __builtin_mul_overflow(value, 1000000 / units_per_second(unit), &scaled))
        scaled = value < 0 ? INT64_MIN : INT64_MAX;
    put_tagged(h, TAG_TIME_MICRO, &scaled, 8);
}

static void put_bytes(hasher *h, uint8_t tag, s3store_bytes bytes)
{
    uint32_t size = (uint32_t)bytes.size;
    put_tagged(h, tag, &size, 4);
    put(h, bytes.data, bytes.size);
}

static s3store_status put_value(hasher *h, const s3s_column *c, int64_t row, s3store_error *err)
{
    switch (c->field->type) {
    case S3S_TYPE_BOOL: {
        uint8_t value = s3s_column_bool(c, row);
        put_tagged(h, TAG_BOOL, &value, 1);
        return S3STORE_OK;
    }
    case S3S_TYPE_INT8:
    case S3S_TYPE_INT16:
    case S3S_TYPE_INT32:
    case S3S_TYPE_INT64:
    case S3S_TYPE_UINT8:
    case S3S_TYPE_UINT16:
    case S3S_TYPE_UINT32:
    case S3S_TYPE_UINT64: {
        int64_t value = s3s_column_int(c, row);
        put_tagged(h, c->field->type == S3S_TYPE_UINT64 && value < 0 ? TAG_UINT : TAG_INT, &value,
                   8);
        return S3STORE_OK;
    }
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
        put_double(h, s3s_column_double(c, row));
        return S3STORE_OK;
    case S3S_TYPE_DATE32: {
        int32_t days = (int32_t)s3s_column_int(c, row);
        put_tagged(h, TAG_DATE, &days, 4);
        return S3STORE_OK;
    }
    case S3S_TYPE_DATE64:
        put_timestamp(h, s3s_column_int(c, row), S3S_MILLI);
        return S3STORE_OK;
    case S3S_TYPE_TIMESTAMP:
        put_timestamp(h, s3s_column_int(c, row), c->field->unit);
        return S3STORE_OK;
    case S3S_TYPE_TIME32:
    case S3S_TYPE_TIME64:
    case S3S_TYPE_DURATION: {
        int64_t nanos;
        if (__builtin_mul_overflow(s3s_column_int(c, row),
                                   1000000000 / units_per_second(c->field->unit), &nanos))
            nanos = INT64_MAX;
        put_tagged(h, TAG_CLOCK, &nanos, 8);
        return S3STORE_OK;
    }
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
        put_bytes(h, TAG_STRING, s3s_column_bytes(c, row));
        return S3STORE_OK;
    case S3S_TYPE_BINARY:
    case S3S_TYPE_LARGE_BINARY:
    case S3S_TYPE_FIXED_BINARY:
    case S3S_TYPE_DECIMAL:
    case S3S_TYPE_INTERVAL:
        put_bytes(h, TAG_BINARY, s3s_column_bytes(c, row));
        return S3STORE_OK;
    default: {
        char text[128];
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "column %s: type %s cannot be written under a token yet", c->field->name,
                        s3s_field_type_text(c->field, text, sizeof text));
    }
    }
}

typedef struct hashed_column {
    s3s_column view;
    size_t prefix_size;
    uint8_t *prefix; /* name length and name, as they enter the hash */
} hashed_column;

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const hashed_column *)a)->view.field->name,
                  ((const hashed_column *)b)->view.field->name);
}

s3store_status s3s_content_hash(s3s_env *env, const s3s_schema *schema,
                                const struct ArrowArray *batch, const bool *skip, uint64_t *out,
                                s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_arena arena;
    s3s_arena_init(&arena, env);
    hasher *h = s3s_arena_alloc(&arena, sizeof *h);
    hashed_column *columns = s3s_arena_calloc(&arena, schema->field_count + 1, sizeof *columns);
    if (h == NULL || columns == NULL) {
        status = s3s_fail_memory(err, sizeof *h);
        goto done;
    }
    size_t count = 0;
    for (size_t i = 0; i < schema->field_count; i++) {
        if (skip != NULL && skip[i])
            continue;
        hashed_column *c = &columns[count++];
        s3s_batch_column(schema, batch, i, &c->view);
        uint32_t size = (uint32_t)strlen(c->view.field->name);
        c->prefix_size = 4 + size;
        c->prefix = s3s_arena_alloc(&arena, c->prefix_size);
        if (c->prefix == NULL) {
            status = s3s_fail_memory(err, c->prefix_size);
            goto done;
        }
        memcpy(c->prefix, &size, 4);
        memcpy(c->prefix + 4, c->view.field->name, size);
    }
    qsort(columns, count, sizeof *columns, compare_names);
    h->used = 0;
    s3s_xxh64_begin(&h->state, 0);
    for (int64_t row = 0; row < batch->length; row++) {
        for (size_t i = 0; i < count; i++) {
            if (s3s_column_is_null(&columns[i].view, row))
                continue;
            put(h, columns[i].prefix, columns[i].prefix_size);
            status = put_value(h, &columns[i].view, row, err);
            if (status != S3STORE_OK)
                goto done;
        }
    }
    s3s_xxh64_update(&h->state, h->buffer, h->used);
    *out = s3s_xxh64_end(&h->state);
done:
    s3s_arena_deinit(&arena);
    return status;
}
