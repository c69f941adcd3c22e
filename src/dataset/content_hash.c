/* XXH64 over the rows of a partition, in a form that widening the schema, adding columns and
 * reordering them leave unchanged. docs/FORMAT.md "Content hash" is the specification. The size of a
 * row, by which inputs are cut into chunks, is made of the same values, so that it is as stable.
 */
#include "dataset/content_hash.h"

#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

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
    TAG_LIST = 'l',      /* uint32 count, elements: each its tag and value */
    TAG_STRUCT = 'r',    /* uint32 count, the members that are not null, as columns are */
    TAG_MAP = 'p',       /* uint32 count, keys and values in turn, as elements */
    TAG_NULL = 'z',      /* an element or a map's value that is null: no value */
};

#define BUFFER_SIZE 16384
#define EXACT_INTEGER 9007199254740992.0 /* 2^53 */

typedef struct hasher {
    s3s_xxh64_state state;
    size_t used;
    uint8_t buffer[BUFFER_SIZE];
} hasher;

static __attribute__((noinline)) void put_rarely(hasher *h, const void *data, size_t size)
{
    s3s_xxh64_update(&h->state, h->buffer, h->used);
    h->used = 0;
    if (size > BUFFER_SIZE) {
        s3s_xxh64_update(&h->state, data, size);
        return;
    }
    memcpy(h->buffer, data, size);
    h->used = size;
}

static inline void put(hasher *h, const void *data, size_t size)
{
    if (size > BUFFER_SIZE - h->used) {
        put_rarely(h, data, size);
        return;
    }
    memcpy(h->buffer + h->used, data, size);
    h->used += size;
}

/* size: a constant where this is inlined. */
static inline __attribute__((always_inline)) void put_tagged(hasher *h, uint8_t tag,
                                                             const void *value, size_t size)
{
    if (1 + size > BUFFER_SIZE - h->used) {
        put_rarely(h, &tag, 1);
        put(h, value, size);
        return;
    }
    h->buffer[h->used] = tag;
    memcpy(h->buffer + h->used + 1, value, size);
    h->used += 1 + size;
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

static int64_t nanos_per_unit(s3s_unit unit)
{
    static const int64_t table[] = {1000000000, 1000000, 1000, 1};
    return table[unit];
}

static void put_timestamp(hasher *h, int64_t value, s3s_unit unit)
{
    int64_t scaled;
    if (!__builtin_mul_overflow(value, nanos_per_unit(unit), &scaled)) {
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

/* How the members of a struct come in, and what is nested in them. */
typedef struct nested {
    size_t count;             /* children: of a struct its members, else one; of a map key and value */
    size_t *order;            /* of members, by name */
    struct nested **children; /* NULL: flat */
} nested;

static void put_nested(hasher *h, const nested *n, const s3s_column *c, int64_t row);

static void put_value(hasher *h, const nested *n, const s3s_column *c, int64_t row)
{
    switch (c->field->type) {
    case S3S_TYPE_BOOL: {
        uint8_t value = s3s_column_bool(c, row);
        put_tagged(h, TAG_BOOL, &value, 1);
        return;
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
        return;
    }
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
        put_double(h, s3s_column_double(c, row));
        return;
    case S3S_TYPE_DATE32: {
        int32_t days = (int32_t)s3s_column_int(c, row);
        put_tagged(h, TAG_DATE, &days, 4);
        return;
    }
    case S3S_TYPE_DATE64:
        put_timestamp(h, s3s_column_int(c, row), S3S_MILLI);
        return;
    case S3S_TYPE_TIMESTAMP:
        put_timestamp(h, s3s_column_int(c, row), c->field->unit);
        return;
    case S3S_TYPE_TIME32:
    case S3S_TYPE_TIME64:
    case S3S_TYPE_DURATION: {
        int64_t value = s3s_column_int(c, row), nanos;
        if (__builtin_mul_overflow(value, nanos_per_unit(c->field->unit), &nanos))
            nanos = value < 0 ? INT64_MIN : INT64_MAX;
        put_tagged(h, TAG_CLOCK, &nanos, 8);
        return;
    }
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
        put_bytes(h, TAG_STRING, s3s_column_bytes(c, row));
        return;
    case S3S_TYPE_BINARY:
    case S3S_TYPE_LARGE_BINARY:
    case S3S_TYPE_FIXED_BINARY:
    case S3S_TYPE_DECIMAL:
    case S3S_TYPE_INTERVAL:
        put_bytes(h, TAG_BINARY, s3s_column_bytes(c, row));
        return;
    default:
        put_nested(h, n, c, row);
    }
}

/* An element, or a key or value of a map. */
static void put_element(hasher *h, const nested *n, const s3s_column *c, int64_t row)
{
    uint8_t tag = TAG_NULL;
    if (s3s_column_is_null(c, row))
        put(h, &tag, 1);
    else
        put_value(h, n, c, row);
}

static void put_struct(hasher *h, const nested *n, const s3s_column *c, int64_t row)
{
    uint32_t count = 0;
    s3s_column member;
    for (size_t i = 0; i < n->count; i++) {
        s3s_column_child(c, i, &member);
        count += !s3s_column_is_null(&member, row);
    }
    put_tagged(h, TAG_STRUCT, &count, 4);
    for (size_t k = 0; k < n->count; k++) {
        size_t i = n->order[k];
        s3s_column_child(c, i, &member);
        if (s3s_column_is_null(&member, row))
            continue;
        uint32_t size = (uint32_t)strlen(member.field->name);
        put(h, &size, 4);
        put(h, member.field->name, size);
        put_value(h, n->children[i], &member, row);
    }
}

/* The recursion follows the schema, whose depth is bounded. */
static void put_nested(hasher *h, const nested *n, const s3s_column *c, int64_t row)
{
    s3s_column items, value;
    int64_t start, end;
    if (c->field->type == S3S_TYPE_STRUCT) {
        put_struct(h, n, c, row);
        return;
    }
    s3s_column_child(c, 0, &items);
    s3s_column_list(c, row, &start, &end);
    uint32_t count = (uint32_t)(end - start);
    if (c->field->type != S3S_TYPE_MAP) {
        put_tagged(h, TAG_LIST, &count, 4);
        for (int64_t i = start; i < end; i++)
            put_element(h, n->children[0], &items, i);
        return;
    }
    put_tagged(h, TAG_MAP, &count, 4);
    s3s_column entries = items;
    s3s_column_child(&entries, 0, &items);
    s3s_column_child(&entries, 1, &value);
    for (int64_t i = start; i < end; i++) {
        put_element(h, n->children[0], &items, i);
        put_element(h, n->children[1], &value, i);
    }
}

/* The values of most columns enter the hash without a call for each. */
typedef enum way {
    WAY_ANY,
    WAY_INT64,
    WAY_TIMESTAMP,
    WAY_DOUBLE,
    WAY_TEXT,
} way;

#define PREFIX_STEP 16
#define SHORT_VALUE 16

typedef struct hashed_column {
    size_t position; /* in the schema */
    const nested *nested; /* NULL: flat */
    s3s_column view;
    way way;
    int64_t factor; /* of timestamps: to nanoseconds */
    const uint8_t *values;  /* of the batch: the first row's; of texts: of all */
    const int32_t *offsets; /* of texts: the first row's */
    size_t prefix_size;
    size_t room;     /* for the prefix in whole steps and a short value */
    uint8_t *prefix; /* name length and name, as they enter the hash; zeros up to a whole step */
} hashed_column;

struct s3s_content_hasher {
    s3s_env *env;
    s3s_arena arena;
    const s3s_schema *schema;
    hashed_column *columns; /* by name */
    size_t count;
    hasher hasher;
};

static int compare_names(const void *a, const void *b)
{
    const uint8_t *x = ((const hashed_column *)a)->prefix, *y = ((const hashed_column *)b)->prefix;
    return strcmp((const char *)x + 4, (const char *)y + 4);
}

typedef struct member_name {
    const char *name;
    size_t at;
} member_name;

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const member_name *)a)->name, ((const member_name *)b)->name);
}

static bool sort_members(s3s_arena *arena, const s3s_field *field, nested *n)
{
    member_name *names = s3s_alloc(arena->env, n->count * sizeof *names);
    n->order = s3s_arena_calloc(arena, n->count, sizeof *n->order);
    if (names != NULL && n->order != NULL) {
        for (size_t i = 0; i < n->count; i++)
            names[i] = (member_name){field->children[i].name, i};
        qsort(names, n->count, sizeof *names, compare_members);
        for (size_t i = 0; i < n->count; i++)
            n->order[i] = names[i].at;
    }
    bool done = names != NULL && n->order != NULL;
    s3s_free(arena->env, names);
    return done;
}

/* false: out of memory. */
static bool look_into(s3s_arena *arena, const s3s_field *field, nested **out)
{
    const s3s_field *inner = field->type == S3S_TYPE_MAP ? &field->children[0] : field;
    *out = NULL;
    if (s3s_type_is_flat(field->type))
        return true;
    nested *n = s3s_arena_calloc(arena, 1, sizeof *n);
    if (n == NULL)
        return false;
    *out = n;
    n->count = inner->child_count;
    n->children = (nested **)s3s_arena_calloc(arena, n->count + 1, sizeof(nested *));
    if (n->children == NULL || (field->type == S3S_TYPE_STRUCT && !sort_members(arena, field, n)))
        return false;
    for (size_t i = 0; i < n->count; i++)
        if (!look_into(arena, &inner->children[i], &n->children[i]))
            return false;
    return true;
}

static s3store_status add_column(s3s_content_hasher *h, size_t position, s3store_error *err)
{
    const char *name = h->schema->fields[position].name;
    uint32_t size = (uint32_t)strlen(name);
    hashed_column *c = &h->columns[h->count++];
    c->position = position;
    c->prefix_size = 4 + size;
    size_t steps = c->prefix_size / PREFIX_STEP + 1; /* with a NUL in any case */
    c->prefix = s3s_arena_calloc(&h->arena, steps, PREFIX_STEP);
    if (c->prefix == NULL)
        return s3s_fail_memory(err, c->prefix_size);
    memcpy(c->prefix, &size, 4);
    memcpy(c->prefix + 4, name, size);
    c->room = steps * PREFIX_STEP + 1 + 4 + SHORT_VALUE;
    const s3s_field *field = &h->schema->fields[position];
    nested *below = NULL;
    if (field->child_count > 0 && !look_into(&h->arena, field, &below))
        return s3s_fail_memory(err, sizeof *below);
    c->nested = below;
    c->factor = field->type == S3S_TYPE_TIMESTAMP ? nanos_per_unit(field->unit) : 1;
    c->way = field->type == S3S_TYPE_INT64       ? WAY_INT64
             : field->type == S3S_TYPE_TIMESTAMP ? WAY_TIMESTAMP
             : field->type == S3S_TYPE_DOUBLE    ? WAY_DOUBLE
             : field->type == S3S_TYPE_STRING    ? WAY_TEXT
                                                 : WAY_ANY;
    return S3STORE_OK;
}

s3store_status s3s_content_hasher_new(s3s_env *env, const s3s_schema *schema, const bool *skip,
                                      s3s_content_hasher **out, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_content_hasher *h = s3s_alloc(env, sizeof *h);
    *out = NULL;
    if (h == NULL)
        return s3s_fail_memory(err, sizeof *h);
    h->env = env;
    h->schema = schema;
    h->count = 0;
    h->hasher.used = 0;
    s3s_arena_init(&h->arena, env);
    s3s_xxh64_begin(&h->hasher.state, 0);
    h->columns = s3s_arena_calloc(&h->arena, schema->field_count + 1, sizeof *h->columns);
    if (h->columns == NULL)
        status = s3s_fail_memory(err, schema->field_count * sizeof *h->columns);
    for (size_t i = 0; i < schema->field_count && status == S3STORE_OK; i++)
        if (skip == NULL || !skip[i])
            status = add_column(h, i, err);
    if (status != S3STORE_OK) {
        s3s_content_hasher_free(h);
        return status;
    }
    qsort(h->columns, h->count, sizeof *h->columns, compare_names);
    *out = h;
    return S3STORE_OK;
}

static inline uint8_t *put_number(uint8_t *to, uint8_t tag, uint64_t bits)
{
    *to = tag;
    s3s_put_le64(to + 1, bits);
    return to + 9;
}

/* Prefix and value to `to`, behind which there is room for a row of short values. NULL: not this one. */
static inline uint8_t *put_quickly(const hashed_column *c, int64_t row, uint8_t *to,
                                   const uint8_t *end, size_t row_room)
{
    memcpy(to, c->prefix, PREFIX_STEP);
    for (size_t i = PREFIX_STEP; i < c->prefix_size; i += PREFIX_STEP)
        memcpy(to + i, c->prefix + i, PREFIX_STEP);
    to += c->prefix_size;
    if (c->way == WAY_TEXT) {
        const int32_t *offsets = c->offsets + row;
        uint32_t size = (uint32_t)(offsets[1] - offsets[0]);
        if (size > SHORT_VALUE && size + row_room > (size_t)(end - to))
            return NULL;
        *to = TAG_STRING;
        memcpy(to + 1, &size, 4);
        if (size > 0)
            s3s_copy_short(to + 5, c->values + offsets[0], size);
        return to + 5 + size;
    }
    uint64_t bits = s3s_le64(c->values + (size_t)row * 8);
    if (c->way == WAY_INT64)
        return put_number(to, TAG_INT, bits);
    if (c->way == WAY_TIMESTAMP) {
        int64_t nanos;
        bool fits = !__builtin_mul_overflow((int64_t)bits, c->factor, &nanos);
        return fits ? put_number(to, TAG_TIME_NANO, (uint64_t)nanos) : NULL;
    }
    double value;
    memcpy(&value, &bits, 8);
    int64_t integer = value >= -EXACT_INTEGER && value <= EXACT_INTEGER ? (int64_t)value : 0;
    if ((double)integer == value)
        return put_number(to, TAG_INT, (uint64_t)integer);
    return isnan(value) ? NULL : put_number(to, TAG_FLOAT, bits);
}

/* As many columns of a row as can be put quickly. Returns how many. */
static size_t put_row_quickly(s3s_content_hasher *h, size_t row_room, int64_t row, size_t from)
{
    hasher *own = &h->hasher;
    if (row_room > BUFFER_SIZE - own->used)
        return from;
    uint8_t *to = own->buffer + own->used;
    const hashed_column *c = h->columns + from, *end = h->columns + h->count;
    for (; c < end; c++) {
        if (c->view.validity != NULL && s3s_column_is_null(&c->view, row))
            continue;
        uint8_t *next = c->way == WAY_ANY ? NULL
                                          : put_quickly(c, row, to, own->buffer + BUFFER_SIZE,
                                                        row_room);
        if (next == NULL)
            break;
        to = next;
    }
    own->used = (size_t)(to - own->buffer);
    return (size_t)(c - h->columns);
}

static void look_at(hashed_column *c, const s3s_schema *schema, const struct ArrowArray *batch)
{
    s3s_batch_column(schema, batch, c->position, &c->view);
    const s3s_column *view = &c->view;
    c->values = view->values;
    c->offsets = NULL;
    /* Without rows, or with nulls alone, there may be no buffers. */
    if (c->way == WAY_TEXT && view->offsets != NULL)
        c->offsets = (const int32_t *)view->offsets + view->offset;
    else if (c->way != WAY_TEXT && c->way != WAY_ANY && view->values != NULL)
        c->values += (size_t)view->offset * 8;
}

void s3s_content_hasher_add(s3s_content_hasher *h, const struct ArrowArray *batch)
{
    size_t row_room = 0;
    for (size_t i = 0; i < h->count; i++) {
        look_at(&h->columns[i], h->schema, batch);
        row_room += h->columns[i].room;
    }
    for (int64_t row = 0; row < batch->length; row++) {
        for (size_t i = put_row_quickly(h, row_room, row, 0); i < h->count;
             i = put_row_quickly(h, row_room, row, i)) {
            const hashed_column *c = &h->columns[i++];
            if (s3s_column_is_null(&c->view, row))
                continue;
            put(&h->hasher, c->prefix, c->prefix_size);
            put_value(&h->hasher, c->nested, &c->view, row);
        }
    }
}

uint64_t s3s_content_hasher_end(s3s_content_hasher *h)
{
    s3s_xxh64_update(&h->hasher.state, h->hasher.buffer, h->hasher.used);
    h->hasher.used = 0;
    return s3s_xxh64_end(&h->hasher.state);
}

void s3s_content_hasher_free(s3s_content_hasher *h)
{
    if (h == NULL)
        return;
    s3s_arena_deinit(&h->arena);
    s3s_free(h->env, h);
}

s3store_status s3s_content_hash(s3s_env *env, const s3s_schema *schema,
                                const struct ArrowArray *batch, const bool *skip, uint64_t *out,
                                s3store_error *err)
{
    s3s_content_hasher *h = NULL;
    s3store_status status = s3s_content_hasher_new(env, schema, skip, &h, err);
    if (status == S3STORE_OK) {
        s3s_content_hasher_add(h, batch);
        *out = s3s_content_hasher_end(h);
    }
    s3s_content_hasher_free(h);
    return status;
}

/* ---- sizes of rows --------------------------------------------------------------------------- */

/* Of every value that is not null; of strings and binaries without their bytes, of nested values their
 * count alone. */
static uint32_t value_size(const s3s_field *field)
{
    switch (field->type) {
    case S3S_TYPE_NULL:
        return 0;
    case S3S_TYPE_BOOL:
        return 1;
    case S3S_TYPE_DATE32:
        return 4;
    case S3S_TYPE_FIXED_BINARY:
    case S3S_TYPE_DECIMAL:
        return 4 + (uint32_t)field->width;
    case S3S_TYPE_INTERVAL:
        return 4 + 16;
    default:
        return s3s_type_is_bytes(field->type) || !s3s_type_is_flat(field->type) ? 4 : 8;
    }
}

static uint64_t bytes_of_range(const s3s_column *c, int64_t start, int64_t end, uint64_t each);

/* Of a value that is not null. The recursion follows the schema. */
static uint64_t bytes_of_value(const s3s_column *c, int64_t row)
{
    const s3s_field *field = c->field;
    uint64_t bytes = value_size(field);
    int64_t start, end;
    s3s_column child, entries;
    if (s3s_type_is_bytes(field->type))
        return bytes + s3s_column_bytes(c, row).size;
    if (s3s_type_is_flat(field->type))
        return bytes;
    if (field->type == S3S_TYPE_STRUCT) {
        for (size_t i = 0; i < field->child_count; i++) {
            s3s_column_child(c, i, &child);
            bytes += bytes_of_range(&child, row, row + 1, 0);
        }
        return bytes;
    }
    s3s_column_child(c, 0, &child);
    s3s_column_list(c, row, &start, &end);
    if (field->type != S3S_TYPE_MAP)
        return bytes + bytes_of_range(&child, start, end, 1);
    entries = child;
    for (size_t i = 0; i < 2; i++) {
        s3s_column_child(&entries, i, &child);
        bytes += bytes_of_range(&child, start, end, 1);
    }
    return bytes;
}

/* Of the values that are not null, and `each` for every one. */
static uint64_t bytes_of_range(const s3s_column *c, int64_t start, int64_t end, uint64_t each)
{
    uint64_t bytes = (uint64_t)(end - start) * each;
    if (c->validity == NULL && s3s_type_is_flat(c->field->type) && !s3s_type_is_bytes(c->field->type))
        return bytes + (uint64_t)(end - start) * value_size(c->field);
    for (int64_t i = start; i < end; i++)
        if (!s3s_column_is_null(c, i))
            bytes += bytes_of_value(c, i);
    return bytes;
}

static void add_nested_sizes(const s3s_column *c, uint32_t *sizes)
{
    for (int64_t row = 0; row < c->length; row++) {
        uint64_t size = sizes[row] + bytes_of_range(c, row, row + 1, 0);
        sizes[row] = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
    }
}

static bool is_of_one_size(const s3s_schema *schema, const struct ArrowArray *batch, size_t i)
{
    s3s_type type = schema->fields[i].type;
    return batch->children[i]->null_count == 0 && type != S3S_TYPE_NULL &&
           type != S3S_TYPE_FIXED_BINARY && type != S3S_TYPE_DECIMAL && !s3s_type_is_bytes(type) &&
           s3s_type_is_flat(type);
}

void s3s_row_sizes(const s3s_schema *schema, const struct ArrowArray *batch, const bool *skip,
                   uint32_t *sizes)
{
    uint32_t same = 0; /* of columns whose values all have one size; cannot overflow: columns are few */
    for (size_t i = 0; i < schema->field_count; i++)
        if (!skip[i] && is_of_one_size(schema, batch, i))
            same += value_size(&schema->fields[i]);
    for (int64_t row = 0; row < batch->length; row++)
        sizes[row] = same;
    for (size_t i = 0; i < schema->field_count; i++) {
        s3s_column c;
        if (skip[i] || is_of_one_size(schema, batch, i))
            continue;
        s3s_batch_column(schema, batch, i, &c);
        if (s3s_type_is_flat(c.field->type))
            s3s_column_add_sizes(&c, value_size(c.field), sizes);
        else
            add_nested_sizes(&c, sizes);
    }
}

/* Of a nested value what it has in any case. */
static uint64_t field_width(const s3s_field *field)
{
    uint64_t width = 0;
    if (s3s_type_is_bytes(field->type))
        return sizeof(int64_t);
    if (s3s_type_is_flat(field->type))
        return s3s_type_value_size(field) + 1;
    if (field->type != S3S_TYPE_STRUCT)
        return sizeof(int64_t);
    for (size_t i = 0; i < field->child_count; i++)
        width += field_width(&field->children[i]);
    return width + 1;
}

uint64_t s3s_row_width(const s3s_schema *schema)
{
    uint64_t width = 0;
    for (size_t i = 0; i < schema->field_count; i++)
        width += field_width(&schema->fields[i]);
    return width;
}
