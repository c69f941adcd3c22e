/* What a column holds is told by its name: the part before the first dot. */
#include "parquet_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const s3s_field solid = {.name = "element", .type = S3S_TYPE_INT64};
static const s3s_field real = {.name = "element", .type = S3S_TYPE_DOUBLE, .nullable = true};
static const s3s_field word = {.name = "element", .type = S3S_TYPE_STRING, .nullable = true};
static const s3s_field pair[] = {{.name = "id", .type = S3S_TYPE_INT32},
                                 {.name = "name", .type = S3S_TYPE_STRING, .nullable = true}};
static const s3s_field point = {.name = "element", .type = S3S_TYPE_STRUCT,
                                .children = (s3s_field *)pair, .child_count = 2};

/* Kinds of columns of the wide table. */
static const s3s_field kinds[] = {
    {.name = "serial", .type = S3S_TYPE_INT64},
    {.name = "random", .type = S3S_TYPE_INT64},
    {.name = "small", .type = S3S_TYPE_INT32, .nullable = true},
    {.name = "random", .type = S3S_TYPE_INT32},
    {.name = "price", .type = S3S_TYPE_DOUBLE, .nullable = true},
    {.name = "real", .type = S3S_TYPE_DOUBLE},
    {.name = "real", .type = S3S_TYPE_FLOAT},
    {.name = "random", .type = S3S_TYPE_BOOL},
    {.name = "time", .type = S3S_TYPE_TIMESTAMP, .unit = S3S_MICRO, .utc = true},
    {.name = "small", .type = S3S_TYPE_DATE32},
    {.name = "few", .type = S3S_TYPE_STRING},
    {.name = "many", .type = S3S_TYPE_STRING, .nullable = true},
    {.name = "small", .type = S3S_TYPE_INT16},
};

static s3s_schema *make(s3s_env *env, const s3s_field *fields, size_t kind_count, size_t count)
{
    s3s_schema *schema = NULL;
    if (s3s_schema_new(env, count, &schema, NULL) != S3STORE_OK)
        abort();
    for (size_t i = 0; i < count; i++) {
        s3s_field field = fields[i % kind_count];
        char name[64];
        snprintf(name, sizeof name, "%s.%zu", field.name, i);
        field.name = name;
        if (!s3s_field_copy(&schema->arena, &field, &schema->fields[i]))
            abort();
    }
    return schema;
}

static s3s_schema *wide(s3s_env *env)
{
    return make(env, kinds, sizeof kinds / sizeof *kinds, 50);
}

static s3s_schema *strings_few(s3s_env *env)
{
    static const s3s_field fields[] = {{.name = "few", .type = S3S_TYPE_STRING},
                                       {.name = "few", .type = S3S_TYPE_STRING, .nullable = true}};
    return make(env, fields, 2, 4);
}

static s3s_schema *strings_many(s3s_env *env)
{
    static const s3s_field fields[] = {{.name = "many", .type = S3S_TYPE_STRING},
                                       {.name = "long", .type = S3S_TYPE_STRING}};
    return make(env, fields, 2, 2);
}

static s3s_schema *strings_sorted(s3s_env *env)
{
    static const s3s_field fields[] = {{.name = "path", .type = S3S_TYPE_STRING},
                                       {.name = "key", .type = S3S_TYPE_STRING, .nullable = true}};
    return make(env, fields, 2, 2);
}

static s3s_schema *nested(s3s_env *env)
{
    static const s3s_field fields[] = {
        {.name = "random", .type = S3S_TYPE_LIST, .children = (s3s_field *)&solid,
         .child_count = 1},
        {.name = "real", .type = S3S_TYPE_LIST, .nullable = true, .children = (s3s_field *)&real,
         .child_count = 1},
        {.name = "few", .type = S3S_TYPE_LIST, .nullable = true, .children = (s3s_field *)&word,
         .child_count = 1},
        {.name = "small", .type = S3S_TYPE_LIST, .children = (s3s_field *)&point,
         .child_count = 1}};
    return make(env, fields, 4, 4);
}

static s3s_schema *nulls(s3s_env *env)
{
    static const s3s_field fields[] = {
        {.name = "random", .type = S3S_TYPE_INT64, .nullable = true},
        {.name = "real", .type = S3S_TYPE_DOUBLE, .nullable = true},
        {.name = "small", .type = S3S_TYPE_INT32, .nullable = true},
        {.name = "many", .type = S3S_TYPE_STRING, .nullable = true},
        {.name = "few", .type = S3S_TYPE_STRING, .nullable = true},
        {.name = "random", .type = S3S_TYPE_BOOL, .nullable = true}};
    return make(env, fields, 6, 6);
}

static s3s_schema *plain(s3s_env *env)
{
    static const s3s_field fields[] = {{.name = "random", .type = S3S_TYPE_INT64},
                                       {.name = "real", .type = S3S_TYPE_DOUBLE}};
    return make(env, fields, 2, 8);
}

static const data_set sets[] = {
    {"wide", 1000000, wide},       {"strings-few", 3000000, strings_few},
    {"strings-many", 2000000, strings_many}, {"strings-sorted", 2000000, strings_sorted},
    {"lists", 500000, nested},     {"nulls", 2000000, nulls},
    {"plain", 2000000, plain},
};

const data_set *data_find(const char *name)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i].name, name) == 0)
            return &sets[i];
    return NULL;
}

const data_set *data_at(size_t i)
{
    return i < sizeof sets / sizeof *sets ? &sets[i] : NULL;
}

/* ---- values ---------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z = a * UINT64_C(0x9e3779b97f4a7c15) + b * UINT64_C(0xd1342543de82ef95);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool holds(const char *name, const char *what)
{
    return strncmp(name, what, strlen(what)) == 0;
}

static void *room(s3s_env *env, size_t size)
{
    void *p = s3s_calloc(env, size + 8, 1);
    if (p == NULL)
        abort();
    return p;
}

static int64_t integer_at(const char *what, int64_t row, uint64_t r)
{
    if (holds(what, "serial"))
        return 1000000 + row * 3 + (int64_t)(r % 3);
    if (holds(what, "small"))
        return (int64_t)(r % 1000);
    if (holds(what, "time"))
        return INT64_C(1700000000000000) + row * 250000 + (int64_t)(r % 200000);
    return (int64_t)r;
}

static double real_at(const char *what, uint64_t r)
{
    if (holds(what, "price"))
        return (double)(r % 100000) / 100;
    return (double)(r >> 11) / 9007199254740992.0;
}

static size_t text_at(const char *what, int64_t row, uint64_t r, char *out)
{
    static const char *const words[] = {"alpha", "beta", "gamma", "delta-long-word", "Zürich"};
    if (holds(what, "many"))
        return (size_t)sprintf(out, "user-%llu", (unsigned long long)(r % 1000000000000));
    if (holds(what, "path"))
        return (size_t)sprintf(out, "warehouse/events/region=%02lld/day=2026-%02lld/part-%08lld",
                               (long long)row / 100000, (long long)row / 10000 % 10 + 1,
                               (long long)row * 3 + (long long)(r % 3));
    if (holds(what, "key"))
        return (size_t)sprintf(out, "customer-%012lld", (long long)row * 97 + (long long)(r % 97));
    if (holds(what, "long"))
        return (size_t)sprintf(out, "https://example.com/%s/%llx?page=%llu&%s=%llx",
                               words[r % 4], (unsigned long long)r,
                               (unsigned long long)(r >> 40) % 100, words[(r >> 8) % 4],
                               (unsigned long long)mix(r, 9));
    return (size_t)sprintf(out, "%s-%llu", words[r % 5], (unsigned long long)(r >> 8) % 40);
}

static void put_value(const s3s_field *field, const char *what, int64_t row, uint64_t r, void *to,
                      size_t i)
{
    int64_t value = integer_at(what, row, r);
    switch (field->type) {
    case S3S_TYPE_BOOL:
        ((uint8_t *)to)[i >> 3] |= (uint8_t)((r & 1) << (i & 7));
        break;
    case S3S_TYPE_INT16:
        ((int16_t *)to)[i] = (int16_t)value;
        break;
    case S3S_TYPE_INT32:
    case S3S_TYPE_DATE32:
        ((int32_t *)to)[i] = (int32_t)value;
        break;
    case S3S_TYPE_FLOAT:
        ((float *)to)[i] = (float)real_at(what, r);
        break;
    case S3S_TYPE_DOUBLE:
        ((double *)to)[i] = real_at(what, r);
        break;
    default:
        ((int64_t *)to)[i] = value;
    }
}

static void make_column(s3s_env *env, const s3s_field *field, const char *what, uint64_t seed,
                        int64_t start, int64_t rows, struct ArrowArray *out);

static void make_strings(s3s_env *env, const char *what, uint64_t seed, int64_t start,
                         int64_t rows, const uint8_t *valid, void **buffers)
{
    int32_t *offsets = room(env, ((size_t)rows + 1) * 4);
    size_t capacity = 1 << 16, size = 0;
    char *data = room(env, capacity);
    for (int64_t i = 0; i < rows; i++) {
        if (size + 256 > capacity) {
            capacity *= 2;
            data = s3s_realloc(env, data, capacity);
            if (data == NULL)
                abort();
        }
        if (valid == NULL || (valid[i >> 3] >> (i & 7) & 1) != 0)
            size += text_at(what, start + i, mix((uint64_t)(start + i), seed), data + size);
        offsets[i + 1] = (int32_t)size;
    }
    buffers[1] = offsets;
    buffers[2] = data;
}

/* Lists of 0 to 9 items. */
static void make_list(s3s_env *env, const s3s_field *field, const char *what, uint64_t seed,
                      int64_t start, int64_t rows, const uint8_t *valid, void **buffers,
                      struct ArrowArray *children)
{
    int32_t *offsets = room(env, ((size_t)rows + 1) * 4);
    for (int64_t i = 0; i < rows; i++) {
        bool null = valid != NULL && (valid[i >> 3] >> (i & 7) & 1) == 0;
        offsets[i + 1] =
            offsets[i] + (null ? 0 : (int32_t)(mix((uint64_t)(start + i), seed) % 10));
    }
    buffers[1] = offsets;
    make_column(env, &field->children[0], what, seed + 1, start * 10, offsets[rows], children);
}

/* One row of ten is null, by runs in the first half of 65,536 rows, scattered in the second. */
static uint8_t *make_validity(s3s_env *env, uint64_t seed, int64_t start, int64_t rows,
                              int64_t *null_count)
{
    uint8_t *bits = room(env, ((size_t)rows + 7) / 8);
    for (int64_t i = 0; i < rows; i++) {
        uint64_t row = (uint64_t)(start + i);
        bool runs = (row & 0x8000) == 0;
        bool null = runs ? (row >> 6) % 10 == 0 : mix(row, seed ^ 0x55) % 10 == 0;
        bits[i >> 3] |= (uint8_t)((unsigned)!null << (i & 7));
        *null_count += null;
    }
    return bits;
}

static void make_column(s3s_env *env, const s3s_field *field, const char *what, uint64_t seed,
                        int64_t start, int64_t rows, struct ArrowArray *out)
{
    void *buffers[3] = {NULL, NULL, NULL};
    struct ArrowArray children[2];
    size_t count = 2;
    int64_t null_count = 0;
    memset(children, 0, sizeof children);
    if (field->nullable)
        buffers[0] = make_validity(env, seed, start, rows, &null_count);
    if (field->type == S3S_TYPE_STRING) {
        make_strings(env, what, seed, start, rows, buffers[0], buffers);
        count = 3;
    } else if (field->type == S3S_TYPE_LIST) {
        make_list(env, field, what, seed, start, rows, buffers[0], buffers, children);
    } else if (field->type == S3S_TYPE_STRUCT) {
        for (size_t i = 0; i < field->child_count; i++)
            make_column(env, &field->children[i], what, seed + i, start, rows, &children[i]);
        count = 1;
    } else {
        size_t width = s3s_type_value_size(field);
        buffers[1] = room(env, width == 0 ? ((size_t)rows + 7) / 8 : (size_t)rows * width);
        for (int64_t i = 0; i < rows; i++)
            put_value(field, what, start + i, mix((uint64_t)(start + i), seed), buffers[1],
                      (size_t)i);
    }
    s3store_error err = {0};
    if (s3s_array_make(env, field, rows, null_count, buffers, count, children, field->child_count,
                       out, &err) != S3STORE_OK) {
        fprintf(stderr, "parquet_bench: %s\n", err.message);
        exit(1);
    }
}

void data_batch(s3s_env *env, const s3s_schema *schema, int64_t start, int64_t rows,
                struct ArrowArray *out)
{
    struct ArrowArray *columns = s3s_calloc(env, schema->field_count, sizeof *columns);
    if (columns == NULL)
        abort();
    for (size_t i = 0; i < schema->field_count; i++)
        make_column(env, &schema->fields[i], schema->fields[i].name, i * 1000, start, rows,
                    &columns[i]);
    if (s3s_batch_make(env, columns, schema->field_count, rows, out, NULL) != S3STORE_OK)
        abort();
    s3s_free(env, columns);
}

uint64_t data_bytes(const s3s_field *field, const struct ArrowArray *array)
{
    uint64_t rows = (uint64_t)array->length;
    uint64_t bytes = array->null_count > 0 ? rows / 8 : 0;
    size_t width = s3s_type_value_size(field);
    if (s3s_type_is_bytes(field->type)) {
        const int32_t *offsets = array->buffers[1];
        bytes += 4 * rows + (uint64_t)(offsets[array->offset + array->length] -
                                       offsets[array->offset]);
    } else if (field->child_count > 0) {
        bytes += field->type == S3S_TYPE_STRUCT ? 0 : 4 * rows;
        for (size_t i = 0; i < field->child_count; i++)
            bytes += data_bytes(&field->children[i], array->children[i]);
    } else {
        bytes += width == 0 ? rows / 8 : rows * width;
    }
    return bytes;
}
