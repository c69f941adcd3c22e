/* Keys of rows: the columns one after the other, each value behind a byte that says null (0) or
 * not (1). Fixed-size values take the same room when null, so keys without strings all have one
 * length. A string that is not last is escaped and ended, so that comparing bytes cannot run
 * across columns; the last one stands as it is. */
#include <math.h>

#include "arrow/internal.h"
#include "arrow/sortkey.h"
#include "base/bytes.h"
#include "base/error.h"

typedef struct key_column {
    s3s_column column;
    size_t width; /* of the encoded value; 0 = bytes of any length */
    bool last;
    bool zeros; /* bytes among which are some to be escaped */
    s3s_sort_keys *keys;
} key_column;

/* ---- values ---------------------------------------------------------------------------------- */

static inline void put_be(uint8_t *out, uint64_t bits, size_t width)
{
    uint64_t swapped = __builtin_bswap64(bits << (64 - 8 * width));
    memcpy(out, &swapped, width);
}

/* Sign bit flipped: two's complement orders as unsigned. */
static inline uint64_t key_of_int(int64_t value, size_t width)
{
    return (uint64_t)value ^ ((uint64_t)1 << (8 * width - 1)); /* NOLINT: 1 to 8 bytes */
}

/* -0 equals 0 and all NaNs are one value behind infinity. */
static inline uint64_t key_of_double(double value)
{
    uint64_t bits;
    if (isnan(value))
        return UINT64_MAX;
    value = value == 0 ? 0.0 : value;
    memcpy(&bits, &value, 8);
    return (bits >> 63) != 0 ? ~bits : bits | ((uint64_t)1 << 63);
}

static void put_decimal(uint8_t *out, const uint8_t *little, size_t width)
{
    for (size_t i = 0; i < width; i++)
        out[i] = little[width - 1 - i];
    out[0] ^= 0x80; /* NOLINT: no decimal has no bytes */
}

static void put_value(const key_column *k, int64_t row, uint8_t *out)
{
    const s3s_column *c = &k->column;
    switch (c->field->type) {
    case S3S_TYPE_BOOL:
        out[0] = s3s_column_bool(c, row);
        break;
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
        put_be(out, key_of_double(s3s_column_double(c, row)), 8);
        break;
    case S3S_TYPE_UINT8:
    case S3S_TYPE_UINT16:
    case S3S_TYPE_UINT32:
    case S3S_TYPE_UINT64:
        put_be(out, (uint64_t)s3s_column_int(c, row), k->width);
        break;
    case S3S_TYPE_FIXED_BINARY:
        memcpy(out, s3s_column_bytes(c, row).data, k->width);
        break;
    case S3S_TYPE_DECIMAL:
        put_decimal(out, s3s_column_bytes(c, row).data, k->width);
        break;
    default:
        put_be(out, key_of_int(s3s_column_int(c, row), k->width), k->width);
        break;
    }
}

static size_t encoded_width(const s3s_field *field)
{
    switch (field->type) {
    case S3S_TYPE_BOOL:
        return 1;
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
        return 8;
    default:
        return s3s_type_value_size(field);
    }
}

/* ---- strings --------------------------------------------------------------------------------- */

/* Zero bytes become 00 FF and the end is 00 00: a shorter string stays before a longer one. */
static size_t count_zeros(const uint8_t *bytes, size_t size)
{
    size_t zeros = 0;
    for (size_t i = 0; i < size; i++)
        zeros += bytes[i] == 0;
    return zeros;
}

static uint8_t *put_escaped(uint8_t *out, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        *out++ = bytes[i];
        if (bytes[i] == 0)
            *out++ = 0xFF;
    }
    *out++ = 0;
    *out++ = 0;
    return out;
}

/* Most strings of keys are short: two moves that overlap, without a call. */
static inline uint8_t *put_bytes(uint8_t *out, const uint8_t *bytes, size_t size)
{
    if (size > 16) {
        memcpy(out, bytes, size);
    } else if (size >= 8) {
        uint64_t head, tail;
        memcpy(&head, bytes, 8);
        memcpy(&tail, bytes + size - 8, 8);
        memcpy(out, &head, 8);
        memcpy(out + size - 8, &tail, 8);
    } else if (size >= 4) {
        uint32_t head, tail;
        memcpy(&head, bytes, 4);
        memcpy(&tail, bytes + size - 4, 4);
        memcpy(out, &head, 4);
        memcpy(out + size - 4, &tail, 4);
    } else if (size > 0) {
        uint8_t head = bytes[0], middle = bytes[size / 2], tail = bytes[size - 1];
        out[0] = head;
        out[size / 2] = middle;
        out[size - 1] = tail;
    }
    return out + size;
}

/* The bytes of a row, also of one that is null; (nothing, 0) of a column without any. */
static inline const uint8_t *bytes_at(const s3s_column *c, bool large, int64_t row, size_t *size)
{
    int64_t begin, end;
    s3s_column_range(c, large, row, &begin, &end);
    *size = (size_t)(end - begin);
    return (const uint8_t *)c->values + begin;
}

static bool is_large(const s3s_column *c)
{
    return s3s_type_layout(c->field->type) == S3S_LAYOUT_LARGE_BYTES;
}

/* Whether a column of strings has a zero byte anywhere, which is rare and costs a closer look at each. */
static bool has_zeros(const s3s_column *c)
{
    size_t size;
    if (c->length == 0)
        return false;
    const uint8_t *first = bytes_at(c, is_large(c), 0, &size);
    const uint8_t *last = bytes_at(c, is_large(c), c->length - 1, &size);
    size_t all = (size_t)(last + size - first);
    return all > 0 && memchr(first, 0, all) != NULL;
}

/* Adds what a column takes in each key to sizes. */
static void add_bytes_sizes(const key_column *k, uint64_t *sizes)
{
    const s3s_column *c = &k->column;
    const bool large = is_large(c), nulls = c->validity != NULL;
    const size_t end = k->last ? 0 : 2;
    for (int64_t row = 0; row < c->length; row++) {
        size_t size;
        if (nulls && s3s_column_is_null(c, row)) {
            sizes[row] += 1;
            continue;
        }
        const uint8_t *bytes = bytes_at(c, large, row, &size);
        sizes[row] += 1 + size + end + (k->zeros ? count_zeros(bytes, size) : 0);
    }
}

/* ---- filling --------------------------------------------------------------------------------- */

/* Appends one column to all keys. offsets[row] is where the key of the row has got to; when every
 * column is in, it is where the next key begins. */
static void fill_fixed(const key_column *k)
{
    const s3s_column *c = &k->column;
    for (int64_t row = 0; row < c->length; row++) {
        uint8_t *out = k->keys->bytes + k->keys->offsets[row];
        bool null = s3s_column_is_null(c, row);
        *out++ = !null;
        if (null)
            memset(out, 0, k->width);
        else
            put_value(k, row, out);
        k->keys->offsets[row] += 1 + k->width;
    }
}

/* The types that keys mostly have, without a decision per row. */
#define FILL_INTS(type)                                                                            \
    do {                                                                                           \
        const type *values = (const type *)c->values + c->offset;                                  \
        for (int64_t row = 0; row < c->length; row++) {                                            \
            uint8_t *out = k->keys->bytes + k->keys->offsets[row];                                 \
            bool null = s3s_column_is_null(c, row);                                                \
            out[0] = !null;                                                                        \
            put_be(out + 1, null ? 0 : key_of_int(values[row], sizeof(type)), sizeof(type));       \
            k->keys->offsets[row] += 1 + sizeof(type);                                             \
        }                                                                                          \
    } while (0)

static void fill_int64(const key_column *k)
{
    const s3s_column *c = &k->column;
    FILL_INTS(int64_t);
}

static void fill_int32(const key_column *k)
{
    const s3s_column *c = &k->column;
    FILL_INTS(int32_t);
}

static void fill_bytes(const key_column *k)
{
    const s3s_column *c = &k->column;
    const bool large = is_large(c), nulls = c->validity != NULL;
    uint64_t *offsets = k->keys->offsets;
    for (int64_t row = 0; row < c->length; row++) {
        uint8_t *out = k->keys->bytes + offsets[row];
        bool null = nulls && s3s_column_is_null(c, row);
        *out++ = !null;
        if (!null) {
            size_t size;
            const uint8_t *bytes = bytes_at(c, large, row, &size);
            if (k->zeros) {
                out = put_escaped(out, bytes, size);
            } else {
                out = put_bytes(out, bytes, size);
                if (!k->last) {
                    *out++ = 0;
                    *out++ = 0;
                }
            }
        }
        offsets[row] = (uint64_t)(out - k->keys->bytes);
    }
}

static void fill_column(const key_column *k)
{
    switch (k->column.field->type) {
    case S3S_TYPE_INT64:
    case S3S_TYPE_TIMESTAMP:
        fill_int64(k);
        break;
    case S3S_TYPE_INT32:
    case S3S_TYPE_DATE32:
        fill_int32(k);
        break;
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
    case S3S_TYPE_BINARY:
    case S3S_TYPE_LARGE_BINARY:
        fill_bytes(k);
        break;
    default:
        fill_fixed(k);
        break;
    }
}

/* Where each key begins, and the size of all. false on overflow. */
static bool measure(key_column *columns, size_t count, s3s_sort_keys *keys, size_t *total)
{
    size_t stride = 0;
    for (size_t i = 0; i < count; i++) {
        if (!s3s_type_is_bytes(columns[i].column.field->type))
            stride += 1 + columns[i].width;
    }
    for (size_t row = 0; row < keys->row_count; row++)
        keys->offsets[row] = stride;
    for (size_t i = 0; i < count; i++) {
        if (!s3s_type_is_bytes(columns[i].column.field->type))
            continue;
        columns[i].zeros = !columns[i].last && has_zeros(&columns[i].column);
        add_bytes_sizes(&columns[i], keys->offsets);
    }
    *total = 0;
    for (size_t row = 0; row < keys->row_count; row++) {
        size_t size = (size_t)keys->offsets[row];
        keys->offsets[row] = *total;
        if (!s3s_add(*total, size, total))
            return false;
    }
    return true;
}

static s3store_status columns_init(const s3s_schema *schema, const struct ArrowArray *batch,
                                   const size_t *columns, size_t count, s3s_sort_keys *keys,
                                   key_column *out, s3store_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const s3s_field *field = &schema->fields[columns[i]];
        if (!s3s_type_is_flat(field->type) || field->type == S3S_TYPE_INTERVAL) {
            char text[128];
            return s3s_fail(err, S3STORE_UNSUPPORTED,
                            "column \"%.200s\" of type %s has no order to sort by", field->name,
                            s3s_field_type_text(field, text, sizeof text));
        }
        out[i].width = encoded_width(field);
        out[i].last = i + 1 == count;
        out[i].keys = keys;
        s3s_batch_column(schema, batch, columns[i], &out[i].column);
    }
    return S3STORE_OK;
}

/* Room for the keys of a batch: what there is already serves if it is enough. */
static s3store_status reserve(void **block, size_t *capacity, size_t needed, s3s_env *env,
                              s3store_error *err)
{
    if (needed <= *capacity && *block != NULL)
        return S3STORE_OK;
    s3s_free(env, *block);
    *capacity = 0;
    *block = s3s_alloc(env, needed);
    if (*block == NULL)
        return s3s_fail_memory(err, needed);
    *capacity = needed;
    return S3STORE_OK;
}

s3store_status s3s_sort_keys_make(s3s_env *env, const s3s_schema *schema,
                                  const struct ArrowArray *batch, const size_t *columns,
                                  size_t column_count, s3s_sort_keys *out, s3store_error *err)
{
    *out = (s3s_sort_keys){.env = env};
    return s3s_sort_keys_remake(schema, batch, columns, column_count, out, err);
}

s3store_status s3s_sort_keys_remake(const s3s_schema *schema, const struct ArrowArray *batch,
                                    const size_t *columns, size_t column_count, s3s_sort_keys *keys,
                                    s3store_error *err)
{
    s3s_env *env = keys->env;
    size_t total = 0, places;
    keys->row_count = (size_t)batch->length;
    if (!s3s_add(keys->row_count, 1, &places) || !s3s_mul(places, sizeof *keys->offsets, &places))
        return s3s_fail_memory(err, SIZE_MAX);
    key_column *k = s3s_calloc(env, column_count, sizeof *k);
    s3store_status status = k == NULL ? s3s_fail_memory(err, column_count * sizeof *k) : S3STORE_OK;
    if (status == S3STORE_OK)
        status = reserve((void **)&keys->offsets, &keys->offsets_capacity, places, env, err);
    if (status == S3STORE_OK)
        status = columns_init(schema, batch, columns, column_count, keys, k, err);
    if (status == S3STORE_OK && !measure(k, column_count, keys, &total))
        status = s3s_fail_memory(err, SIZE_MAX);
    if (status == S3STORE_OK)
        status = reserve((void **)&keys->bytes, &keys->bytes_capacity, total, env, err);
    if (status == S3STORE_OK) {
        for (size_t i = 0; i < column_count; i++)
            fill_column(&k[i]);
        memmove(keys->offsets + 1, keys->offsets, keys->row_count * sizeof *keys->offsets);
        keys->offsets[0] = 0;
    } else {
        s3s_sort_keys_deinit(keys);
    }
    s3s_free(env, k);
    return status;
}

void s3s_sort_keys_deinit(s3s_sort_keys *keys)
{
    s3s_free(keys->env, keys->bytes);
    s3s_free(keys->env, keys->offsets);
    *keys = (s3s_sort_keys){.env = keys->env};
}

int s3s_sort_keys_compare(const s3s_sort_keys *a, size_t row_a, const s3s_sort_keys *b,
                          size_t row_b)
{
    uint64_t size_a = a->offsets[row_a + 1] - a->offsets[row_a];
    uint64_t size_b = b->offsets[row_b + 1] - b->offsets[row_b];
    int order = memcmp(a->bytes + a->offsets[row_a], b->bytes + b->offsets[row_b],
                       size_a < size_b ? size_a : size_b);
    if (order != 0)
        return order;
    return (size_a > size_b) - (size_a < size_b);
}

size_t s3s_sort_keys_longest(const s3s_schema *schema, const struct ArrowArray *batch,
                             const size_t *columns, size_t column_count)
{
    size_t longest = 0;
    for (size_t i = 0; i < column_count; i++) {
        s3s_column c;
        s3s_batch_column(schema, batch, columns[i], &c);
        size_t most = 0, size;
        if (!s3s_type_is_bytes(c.field->type)) {
            if (!s3s_add(longest, 1 + encoded_width(c.field), &longest))
                return SIZE_MAX;
            continue;
        }
        const bool large = is_large(&c), last = i + 1 == column_count;
        for (int64_t row = 0; row < c.length; row++) {
            (void)bytes_at(&c, large, row, &size);
            most = size > most ? size : most;
        }
        if (!last && has_zeros(&c) && !s3s_mul(most, 2, &most)) /* each is escaped */
            return SIZE_MAX;
        if (!s3s_add(longest, most, &longest) || !s3s_add(longest, last ? 1 : 3, &longest))
            return SIZE_MAX;
    }
    return longest;
}

uint64_t s3s_sort_keys_bytes(const s3s_schema *schema, const struct ArrowArray *batch,
                             const size_t *columns, size_t column_count)
{
    uint64_t rows = (uint64_t)batch->length, bytes = rows * sizeof(uint64_t);
    for (size_t i = 0; i < column_count; i++) {
        s3s_column c;
        s3s_batch_column(schema, batch, columns[i], &c);
        if (!s3s_type_is_bytes(c.field->type)) {
            bytes += rows * (1 + encoded_width(c.field));
            continue;
        }
        bytes += 3 * rows;
        if (c.offsets == NULL || c.length == 0)
            continue;
        int64_t first, last, unused;
        bool large = s3s_type_layout(c.field->type) == S3S_LAYOUT_LARGE_BYTES;
        s3s_column_range(&c, large, 0, &first, &unused);
        s3s_column_range(&c, large, c.length - 1, &unused, &last);
        bytes += last > first ? (uint64_t)(last - first) : 0;
    }
    return bytes;
}

/* ---- narrow keys ----------------------------------------------------------------------------- */

bool s3s_narrow_keys_fit(const s3s_schema *schema, const size_t *columns, size_t column_count,
                         bool nulls)
{
    size_t size = 0;
    for (size_t i = 0; i < column_count; i++) {
        const s3s_field *field = &schema->fields[columns[i]];
        if (!s3s_type_is_flat(field->type) || s3s_type_is_bytes(field->type) ||
            field->type == S3S_TYPE_INTERVAL || field->type == S3S_TYPE_NULL)
            return false;
        size_t width = encoded_width(field);
        if (width > sizeof(uint64_t))
            return false;
        size += width + nulls;
    }
    return size <= sizeof(uint64_t);
}

bool s3s_narrow_keys_have_null(const s3s_schema *schema, const struct ArrowArray *batch,
                               const size_t *columns, size_t column_count)
{
    for (size_t i = 0; i < column_count; i++) {
        s3s_column c;
        s3s_batch_column(schema, batch, columns[i], &c);
        for (int64_t row = 0; c.validity != NULL && row < c.length; row++) {
            if (s3s_column_is_null(&c, row))
                return true;
        }
    }
    return false;
}

#define NARROW_INTS(type)                                                                          \
    do {                                                                                           \
        const type *values = (const type *)c->values + c->offset;                                  \
        for (int64_t row = 0; row < c->length; row++)                                              \
            out[row] = (shift < 64 ? out[row] << shift : 0) |                                      \
                       (key_of_int(values[row], sizeof(type)) & mask);                             \
    } while (0)

/* Puts a column without nulls behind what is there. */
static void narrow_column(const s3s_column *c, size_t width, uint64_t *out)
{
    unsigned shift = (unsigned)(8 * width);
    uint64_t mask = shift < 64 ? ((uint64_t)1 << shift) - 1 : UINT64_MAX;
    switch (c->field->type) {
    case S3S_TYPE_INT64:
    case S3S_TYPE_TIMESTAMP:
        NARROW_INTS(int64_t);
        break;
    case S3S_TYPE_INT32:
    case S3S_TYPE_DATE32:
        NARROW_INTS(int32_t);
        break;
    default:
        for (int64_t row = 0; row < c->length; row++) {
            const key_column k = {.column = *c, .width = width};
            uint8_t bytes[sizeof(uint64_t)];
            uint64_t value = 0;
            put_value(&k, row, bytes);
            for (size_t b = 0; b < width; b++)
                value = value << 8 | bytes[b];
            out[row] = (shift < 64 ? out[row] << shift : 0) | value;
        }
        break;
    }
}

static void narrow_nullable_column(const s3s_column *c, size_t width, uint64_t *out)
{
    const key_column k = {.column = *c, .width = width};
    for (int64_t row = 0; row < c->length; row++) {
        bool null = s3s_column_is_null(c, row);
        uint8_t bytes[sizeof(uint64_t)] = {0};
        uint64_t value = out[row] << 8 | !null;
        if (!null)
            put_value(&k, row, bytes);
        for (size_t b = 0; b < width; b++)
            value = value << 8 | bytes[b];
        out[row] = value;
    }
}

void s3s_narrow_keys_fill(const s3s_schema *schema, const struct ArrowArray *batch,
                          const size_t *columns, size_t column_count, bool nulls, uint64_t *out)
{
    /* A number of eight bytes stands alone, and nothing before it is shifted. */
    if (nulls || column_count != 1 || encoded_width(&schema->fields[columns[0]]) < sizeof *out)
        memset(out, 0, (size_t)batch->length * sizeof *out);
    for (size_t i = 0; i < column_count; i++) {
        s3s_column c;
        s3s_batch_column(schema, batch, columns[i], &c);
        if (nulls)
            narrow_nullable_column(&c, encoded_width(c.field), out);
        else
            narrow_column(&c, encoded_width(c.field), out);
    }
}
