/* tests/unit/parquet/fixture.c: generated batches, files in memory, comparison. */
#include "fixture.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"

/* ---- schemas --------------------------------------------------------------------------------- */

static const s3s_field all_types[] = {
    {.name = "bool", .type = S3S_TYPE_BOOL},
    {.name = "int8", .type = S3S_TYPE_INT8},
    {.name = "int16", .type = S3S_TYPE_INT16},
    {.name = "int32", .type = S3S_TYPE_INT32},
    {.name = "int64", .type = S3S_TYPE_INT64},
    {.name = "uint8", .type = S3S_TYPE_UINT8},
    {.name = "uint16", .type = S3S_TYPE_UINT16},
    {.name = "uint32", .type = S3S_TYPE_UINT32},
    {.name = "uint64", .type = S3S_TYPE_UINT64},
    {.name = "half", .type = S3S_TYPE_FLOAT16},
    {.name = "float", .type = S3S_TYPE_FLOAT},
    {.name = "double", .type = S3S_TYPE_DOUBLE},
    {.name = "string", .type = S3S_TYPE_STRING},
    {.name = "json", .type = S3S_TYPE_STRING, .hint = S3S_HINT_JSON},
    {.name = "binary", .type = S3S_TYPE_BINARY},
    {.name = "fixed", .type = S3S_TYPE_FIXED_BINARY, .width = 5},
    {.name = "uuid", .type = S3S_TYPE_FIXED_BINARY, .width = 16, .hint = S3S_HINT_UUID},
    {.name = "date", .type = S3S_TYPE_DATE32},
    {.name = "time_ms", .type = S3S_TYPE_TIME32, .unit = S3S_MILLI},
    {.name = "time_us", .type = S3S_TYPE_TIME64, .unit = S3S_MICRO},
    {.name = "time_ns", .type = S3S_TYPE_TIME64, .unit = S3S_NANO},
    {.name = "stamp_ms", .type = S3S_TYPE_TIMESTAMP, .unit = S3S_MILLI, .utc = true},
    {.name = "stamp_us", .type = S3S_TYPE_TIMESTAMP, .unit = S3S_MICRO, .utc = true},
    {.name = "stamp_ns", .type = S3S_TYPE_TIMESTAMP, .unit = S3S_NANO, .utc = true},
    {.name = "local_us", .type = S3S_TYPE_TIMESTAMP, .unit = S3S_MICRO},
    {.name = "decimal", .type = S3S_TYPE_DECIMAL, .width = 16, .precision = 38, .scale = 4},
    {.name = "decimal9", .type = S3S_TYPE_DECIMAL, .width = 16, .precision = 9, .scale = 2},
    {.name = "decimal18", .type = S3S_TYPE_DECIMAL, .width = 16, .precision = 18, .scale = 0},
};

static s3s_schema *make_schema(s3s_env *env, const s3s_field *fields, size_t count, bool nullable)
{
    s3store_error err;
    s3s_schema *schema = NULL;
    assert_ok(s3s_schema_new(env, count, &schema, &err));
    for (size_t i = 0; i < count; i++) {
        assert_true(s3s_field_copy(&schema->arena, &fields[i], &schema->fields[i]));
        schema->fields[i].nullable = nullable;
    }
    return schema;
}

s3s_schema *fixture_all_types(s3s_env *env, bool nullable)
{
    return make_schema(env, all_types, sizeof all_types / sizeof *all_types, nullable);
}

s3s_schema *fixture_nested(s3s_env *env, bool nullable)
{
    static const s3s_field int32 = {.name = "element", .type = S3S_TYPE_INT32, .nullable = true};
    static const s3s_field text = {.name = "element", .type = S3S_TYPE_STRING, .nullable = true};
    static const s3s_field solid = {.name = "element", .type = S3S_TYPE_INT64};
    static const s3s_field ints = {.name = "element", .type = S3S_TYPE_LIST, .nullable = true,
                                   .children = (s3s_field *)&int32, .child_count = 1};
    static const s3s_field deep = {.name = "element", .type = S3S_TYPE_LIST, .nullable = true,
                                   .children = (s3s_field *)&ints, .child_count = 1};
    static const s3s_field inner[] = {{.name = "c", .type = S3S_TYPE_BOOL, .nullable = true},
                                      {.name = "d", .type = S3S_TYPE_LIST, .nullable = true,
                                       .children = (s3s_field *)&text, .child_count = 1}};
    static const s3s_field members[] = {{.name = "a", .type = S3S_TYPE_DOUBLE},
                                        {.name = "b", .type = S3S_TYPE_STRUCT, .nullable = true,
                                         .children = (s3s_field *)inner, .child_count = 2}};
    static const s3s_field point = {.name = "element", .type = S3S_TYPE_STRUCT, .nullable = true,
                                    .children = (s3s_field *)members, .child_count = 2};
    static const s3s_field pair[] = {{.name = "key", .type = S3S_TYPE_STRING},
                                     {.name = "value", .type = S3S_TYPE_LIST, .nullable = true,
                                      .children = (s3s_field *)&int32, .child_count = 1}};
    static const s3s_field entries = {.name = "key_value", .type = S3S_TYPE_STRUCT,
                                      .children = (s3s_field *)pair, .child_count = 2};
    static const s3s_field fields[] = {
        {.name = "ints", .type = S3S_TYPE_LIST, .children = (s3s_field *)&int32, .child_count = 1},
        {.name = "texts", .type = S3S_TYPE_LIST, .children = (s3s_field *)&text, .child_count = 1},
        {.name = "flat", .type = S3S_TYPE_INT16},
        {.name = "solid", .type = S3S_TYPE_LIST, .children = (s3s_field *)&solid,
         .child_count = 1},
        {.name = "deep", .type = S3S_TYPE_LIST, .children = (s3s_field *)&deep, .child_count = 1},
        {.name = "point", .type = S3S_TYPE_STRUCT, .children = (s3s_field *)members,
         .child_count = 2},
        {.name = "points", .type = S3S_TYPE_LIST, .children = (s3s_field *)&point,
         .child_count = 1},
        {.name = "map", .type = S3S_TYPE_MAP, .children = (s3s_field *)&entries,
         .child_count = 1},
    };
    return make_schema(env, fields, sizeof fields / sizeof *fields, nullable);
}

s3s_schema *fixture_one(s3s_env *env, const char *name, s3s_type type, bool nullable)
{
    s3s_field field = {.name = name, .type = type, .unit = S3S_MICRO};
    return make_schema(env, &field, 1, nullable);
}

/* ---- values ---------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t pick(uint64_t *state, fixture_values values)
{
    uint64_t r = next_random(state);
    if (values == FIXTURE_SAME)
        return 7;
    return values == FIXTURE_FEW ? r % 11 * UINT64_C(0x0123456789abcdef) : r;
}

static size_t make_text(uint64_t r, uint8_t *out)
{
    static const char *const words[] = {"", "a", "Zürich", "東京", "the quick brown fox", "x"};
    return (size_t)sprintf((char *)out, "%s%u", words[r % 6], (unsigned)(r >> 8) % 1000);
}

static void make_bytes_column(s3s_env *env, const s3s_field *field, int64_t rows,
                              const uint8_t *valid, uint64_t *state, fixture_values values,
                              void **buffers)
{
    int32_t *offsets = s3s_alloc(env, ((size_t)rows + 1) * 4);
    uint8_t *data = s3s_alloc(env, (size_t)rows * 40 + 1);
    offsets[0] = 0;
    for (int64_t i = 0; i < rows; i++) {
        uint64_t r = pick(state, values);
        size_t size = 0;
        if (!valid[i])
            size = 0;
        else if (field->type == S3S_TYPE_STRING)
            size = make_text(r, data + offsets[i]);
        else
            for (size = 0; size < (r & 15); size++)
                data[(size_t)offsets[i] + size] = (uint8_t)(r >> (size & 7));
        offsets[i + 1] = offsets[i] + (int32_t)size;
    }
    buffers[1] = offsets;
    buffers[2] = data;
}

/* Intervals and decimals are brought to what their types hold. */
static void narrow_values(const s3s_field *field, int64_t rows, uint8_t *data)
{
    int64_t max = field->precision == 9 ? 1000000000 : INT64_C(1000000000000000000);
    for (int64_t i = 0; i < rows; i++, data += 16) {
        int64_t low, high;
        memcpy(&low, data, 8);
        if (field->type == S3S_TYPE_INTERVAL) {
            low &= 0x7fffffff7fffffff;
            high = (low & 0xffffffff) * 2 * 1000000;
        } else {
            low %= max;
            high = low < 0 ? -1 : 0;
        }
        if (field->type == S3S_TYPE_DECIMAL && field->precision > 18)
            continue;
        memcpy(data, &low, 8);
        memcpy(data + 8, &high, 8);
    }
}

static void make_fixed_column(s3s_env *env, const s3s_field *field, int64_t rows,
                              const uint8_t *valid, uint64_t *state, fixture_values values,
                              void **buffers)
{
    size_t width = s3s_type_value_size(field);
    uint8_t *data = s3s_calloc(env, (size_t)rows + 1, width == 0 ? 1 : width);
    for (int64_t i = 0; i < rows; i++) {
        uint64_t r = pick(state, values);
        if (!valid[i])
            continue;
        if (field->type == S3S_TYPE_BOOL)
            data[i >> 3] |= (uint8_t)((r & 1) << (i & 7));
        else
            for (size_t k = 0; k < width; k++)
                data[(size_t)i * width + k] = (uint8_t)(r >> (k * 8 & 63));
        /* 38 decimal digits are below 2^127. */
        if (field->type == S3S_TYPE_DECIMAL)
            data[(size_t)i * width + 15] = (uint8_t)((r & 1) != 0 ? 0xff : 0);
        if (field->type == S3S_TYPE_DECIMAL)
            data[(size_t)i * width + 14] = data[(size_t)i * width + 15];
    }
    buffers[1] = data;
    if (field->type == S3S_TYPE_INTERVAL || field->type == S3S_TYPE_DECIMAL)
        narrow_values(field, rows, data);
}

static void make_column(s3s_env *env, const s3s_field *field, int64_t rows, uint64_t seed,
                        unsigned null_permille, fixture_values values, struct ArrowArray *out);

/* Lists of 0 to 4 items, now and then of 70; a null list has none. */
static int64_t make_lists(s3s_env *env, int64_t rows, const uint8_t *valid, uint64_t *state,
                          void **buffers)
{
    int32_t *offsets = s3s_alloc(env, ((size_t)rows + 1) * 4);
    offsets[0] = 0;
    for (int64_t i = 0; i < rows; i++) {
        uint64_t r = next_random(state);
        int32_t size = r % 61 == 0 ? 70 : (int32_t)(r % 5);
        offsets[i + 1] = offsets[i] + (valid[i] ? size : 0);
    }
    buffers[1] = offsets;
    return offsets[rows];
}

static void make_nested(s3s_env *env, const s3s_field *field, int64_t rows, int64_t nulls,
                        const uint8_t *valid, uint64_t *state, unsigned null_permille,
                        fixture_values values, void **buffers, struct ArrowArray *out)
{
    s3store_error err;
    struct ArrowArray *children = calloc(field->child_count, sizeof *children);
    bool list = field->type != S3S_TYPE_STRUCT;
    int64_t below = list ? make_lists(env, rows, valid, state, buffers) : rows;
    for (size_t i = 0; i < field->child_count; i++)
        make_column(env, &field->children[i], below, next_random(state), null_permille, values,
                    &children[i]);
    assert_ok(s3s_array_make(env, field, rows, nulls, buffers, list ? 2 : 1, children,
                             field->child_count, out, &err));
    free(children);
}

static void make_column(s3s_env *env, const s3s_field *field, int64_t rows, uint64_t seed,
                        unsigned null_permille, fixture_values values, struct ArrowArray *out)
{
    s3store_error err;
    uint64_t state = seed;
    void *buffers[3] = {NULL, NULL, NULL};
    int64_t nulls = 0;
    uint8_t *valid = malloc((size_t)rows + 1);
    assert_non_null(valid);
    for (int64_t i = 0; i < rows; i++) {
        bool null = field->nullable && next_random(&state) % 1000 < null_permille;
        valid[i] = !null && field->type != S3S_TYPE_NULL;
        nulls += !valid[i];
    }
    if (nulls > 0 && field->type != S3S_TYPE_NULL) {
        uint8_t *bits = s3s_calloc(env, (size_t)rows / 8 + 1, 1);
        for (int64_t i = 0; i < rows; i++)
            bits[i >> 3] |= (uint8_t)(valid[i] << (i & 7));
        buffers[0] = bits;
    }
    if (!s3s_type_is_flat(field->type)) {
        make_nested(env, field, rows, nulls, valid, &state, null_permille, values, buffers, out);
        free(valid);
        return;
    }
    size_t count = s3s_type_is_bytes(field->type) ? 3 : field->type == S3S_TYPE_NULL ? 0 : 2;
    if (count == 3)
        make_bytes_column(env, field, rows, valid, &state, values, buffers);
    else if (count == 2)
        make_fixed_column(env, field, rows, valid, &state, values, buffers);
    free(valid);
    assert_ok(s3s_array_make(env, field, rows, nulls, buffers, count, NULL, 0, out, &err));
}

void fixture_batch(s3s_env *env, const s3s_schema *schema, int64_t rows, uint64_t seed,
                   unsigned null_permille, fixture_values values, struct ArrowArray *out)
{
    s3store_error err;
    struct ArrowArray *columns = calloc(schema->field_count, sizeof *columns);
    assert_non_null(columns);
    for (size_t i = 0; i < schema->field_count; i++)
        make_column(env, &schema->fields[i], rows, seed * 1000 + i, null_permille, values,
                    &columns[i]);
    assert_ok(s3s_batch_make(env, columns, schema->field_count, rows, out, &err));
    free(columns);
    assert_ok(s3s_batch_validate(schema, out, &err));
}

/* ---- files ----------------------------------------------------------------------------------- */

static s3store_status append(void *ctx, const void *data, size_t size, s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

s3store_status fixture_write(s3s_env *env, s3s_schema *schema,
                             const s3s_parquet_write_options *options,
                             const struct ArrowArray *batches, size_t batch_count, s3s_buffer *out,
                             s3store_error *err)
{
    s3s_parquet_writer *writer = NULL;
    s3store_status status = s3s_parquet_writer_new(env, schema, options,
                                                   (s3s_parquet_sink){out, append}, &writer, err);
    for (size_t i = 0; i < batch_count && status == S3STORE_OK; i++)
        status = s3s_parquet_writer_add(writer, &batches[i], err);
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_finish(writer, err);
    s3s_parquet_writer_free(writer);
    return status;
}

static void compare_value(const s3s_column *have, int64_t i, const s3s_column *want, int64_t k);

static void compare_nested(const s3s_column *have, int64_t i, const s3s_column *want, int64_t k)
{
    s3s_column a, b;
    if (want->field->type == S3S_TYPE_STRUCT) {
        for (size_t c = 0; c < want->field->child_count; c++) {
            s3s_column_child(have, c, &a);
            s3s_column_child(want, c, &b);
            compare_value(&a, i, &b, k);
        }
        return;
    }
    int64_t have_at, have_end, want_at, want_end;
    s3s_column_list(have, i, &have_at, &have_end);
    s3s_column_list(want, k, &want_at, &want_end);
    assert_int_equal(have_end - have_at, want_end - want_at);
    s3s_column_child(have, 0, &a);
    s3s_column_child(want, 0, &b);
    while (have_at < have_end)
        compare_value(&a, have_at++, &b, want_at++);
}

static void compare_value(const s3s_column *have, int64_t i, const s3s_column *want, int64_t k)
{
    if (s3s_column_is_null(have, i) != s3s_column_is_null(want, k))
        fail_msg("column %s row %d: null differs", want->field->name, (int)k);
    if (s3s_column_is_null(want, k))
        return;
    if (!s3s_type_is_flat(want->field->type)) {
        compare_nested(have, i, want, k);
        return;
    }
    size_t width = s3s_type_value_size(want->field);
    if (want->field->type == S3S_TYPE_BOOL) {
        assert_int_equal(s3s_column_bool(have, i), s3s_column_bool(want, k));
    } else if (s3s_type_is_bytes(want->field->type)) {
        s3store_bytes a = s3s_column_bytes(have, i), b = s3s_column_bytes(want, k);
        assert_int_equal(a.size, b.size);
        if (a.size > 0)
            assert_memory_equal(a.data, b.data, a.size);
    } else {
        const char *a = (const char *)have->values + (size_t)(have->offset + i) * width;
        const char *b = (const char *)want->values + (size_t)(want->offset + k) * width;
        if (memcmp(a, b, width) != 0)
            fail_msg("column %s row %d: the value differs", want->field->name, (int)k);
    }
}

void fixture_expect(s3s_env *env, const s3s_buffer *file, const s3s_schema *schema,
                    const struct ArrowArray *batches, size_t batch_count, int64_t max_rows)
{
    s3store_error err;
    s3s_parquet_memory memory = {file->data, file->size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, max_rows, &cursor, &err));
    const s3s_schema *found = s3s_parquet_cursor_schema(cursor);
    assert_int_equal(found->field_count, schema->field_count);
    for (size_t i = 0; i < schema->field_count; i++) {
        const s3s_field *a = &found->fields[i], *b = &schema->fields[i];
        assert_string_equal(a->name, b->name);
        if (!s3s_field_same_type(a, b) || a->hint != b->hint || a->nullable != b->nullable)
            fail_msg("column %s comes back as another type", b->name);
    }
    struct ArrowArray have = {0};
    int64_t at = 0;
    for (size_t b = 0; b < batch_count; b++) {
        for (int64_t row = 0; row < batches[b].length; row++, at++) {
            if (have.release == NULL || at == have.length) {
                s3s_array_release(&have);
                assert_ok(s3s_parquet_cursor_next(cursor, &have, &err));
                assert_true(have.length > 0);
                assert_true(max_rows == 0 || have.length <= max_rows);
                assert_ok(s3s_batch_validate(schema, &have, &err));
                at = 0;
            }
            for (size_t c = 0; c < schema->field_count; c++) {
                s3s_column x, y;
                s3s_batch_column(schema, &have, c, &x);
                s3s_batch_column(schema, &batches[b], c, &y);
                compare_value(&x, at, &y, row);
            }
        }
    }
    assert_true(have.release == NULL || at == have.length);
    s3s_array_release(&have);
    assert_int_equal(s3s_parquet_cursor_next(cursor, &have, &err), S3STORE_END);
    assert_int_equal(s3s_parquet_cursor_next(cursor, &have, &err), S3STORE_END);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
}

s3store_status fixture_drain(s3s_env *env, const void *data, size_t size, uint64_t memory_bytes,
                             int64_t *rows, s3store_error *err)
{
    s3s_parquet_memory memory = {data, size};
    s3s_parquet_limits limits = {memory_bytes};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    *rows = 0;
    s3store_status status = s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet",
                                             &limits, &file, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_cursor_new(file, NULL, 0, 0, &cursor, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch;
        status = s3s_parquet_cursor_next(cursor, &batch, err);
        if (status != S3STORE_OK)
            break;
        *rows += batch.length;
        status = s3s_batch_validate(s3s_parquet_cursor_schema(cursor), &batch, err);
        if (status != S3STORE_OK)
            fail_msg("a batch that is not valid: %s", err->message);
        s3s_array_release(&batch);
    }
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    return status == S3STORE_END ? S3STORE_OK : status;
}

void fixture_load(s3s_env *env, const char *path, s3s_buffer *out)
{
    s3store_error err;
    uint8_t block[4096];
    s3s_buffer_init(out, env, SIZE_MAX);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        assert_ok(s3s_buffer_append(out, block, n, &err));
    fclose(file);
}
