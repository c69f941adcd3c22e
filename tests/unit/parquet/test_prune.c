/* tests/unit/parquet/test_prune.c: predicates leave rows out, and never one that matches. */
#include "env.h"
#include "fixture.h"

#include <math.h>
#include <stdlib.h>

#define ROWS 4000

/* ---- a table of three columns: row number, value, list of the row number ------------------- */

/* The number behind a row's value: rising, with a step down in the middle. */
static int64_t number_of(int64_t row, s3s_type type)
{
    int64_t n = (row < ROWS / 2 ? row : row - ROWS / 4) / 5;
    if (type == S3S_TYPE_BOOL)
        return n > 300;
    if (type == S3S_TYPE_INT8 || type == S3S_TYPE_FLOAT16)
        return n / 8 - 50;
    if (type == S3S_TYPE_UINT8)
        return n / 8;
    bool from_zero = type == S3S_TYPE_UINT16 || type == S3S_TYPE_UINT32 ||
                     type == S3S_TYPE_UINT64 || s3s_type_is_bytes(type) ||
                     type == S3S_TYPE_FIXED_BINARY;
    return from_zero ? n : n - 250;
}

static bool is_null(int64_t row)
{
    return row % 13 == 5 || (row > 1000 && row < 1700);
}

static bool is_nan(int64_t row, s3s_type type)
{
    return row % 97 == 1 && (type == S3S_TYPE_DOUBLE || type == S3S_TYPE_FLOAT);
}

/* The Arrow bytes of a number in a type; their count. */
static size_t encode(const s3s_field *field, int64_t n, uint8_t *out)
{
    static const char tail[] = ", and so much more that bounds of it are cut: 0123456789";
    size_t width = s3s_type_value_size(field);
    double number = (double)n;
    float single = (float)n;
    switch (field->type) {
    case S3S_TYPE_BOOL:
        out[0] = (uint8_t)n;
        return 1;
    case S3S_TYPE_STRING:
    case S3S_TYPE_BINARY:
        return (size_t)sprintf((char *)out, "value %06d%s", (int)n, n % 2 != 0 ? tail : "");
    case S3S_TYPE_FIXED_BINARY:
        for (size_t i = 0; i < width; i++)
            out[i] = i + 4 < width ? 0 : (uint8_t)(n >> (8 * (width - 1 - i)));
        return width;
    case S3S_TYPE_DOUBLE:
        memcpy(out, &number, 8);
        return 8;
    case S3S_TYPE_FLOAT:
        memcpy(out, &single, 4);
        return 4;
    case S3S_TYPE_FLOAT16: /* whole numbers up to 64 in size */
        out[0] = out[1] = 0;
        if (n != 0) {
            int exponent = 0;
            double fraction = frexp(fabs(number), &exponent);
            unsigned bits = (unsigned)(exponent + 14) << 10 |
                            ((unsigned)(fraction * 2048) & 1023) | (n < 0 ? 0x8000u : 0);
            out[0] = (uint8_t)bits;
            out[1] = (uint8_t)(bits >> 8);
        }
        return 2;
    default:
        for (size_t i = 0; i < width; i++)
            out[i] = (uint8_t)(i < 8 ? n >> (8 * i) : n >> 63);
        return width;
    }
}

static void make_value_column(const s3s_field *field, struct ArrowArray *out)
{
    s3store_error err;
    bool bytes = s3s_type_is_bytes(field->type);
    uint8_t *validity = s3s_calloc(env, ROWS / 8 + 1, 1);
    uint8_t *values = s3s_calloc(env, ROWS, 80);
    int32_t *offsets = bytes ? s3s_calloc(env, ROWS + 1, 4) : NULL;
    size_t at = 0;
    int64_t nulls = 0;
    for (int64_t row = 0; row < ROWS; row++) {
        uint8_t value[128] = {0};
        size_t size = encode(field, number_of(row, field->type), value);
        double nan = NAN;
        float single = NAN;
        if (is_nan(row, field->type))
            memcpy(value, size == 8 ? (void *)&nan : (void *)&single, size);
        nulls += is_null(row);
        validity[row >> 3] |= (uint8_t)(!is_null(row) << (row & 7));
        if (field->type == S3S_TYPE_BOOL) {
            values[row >> 3] |= (uint8_t)(value[0] << (row & 7));
            continue;
        }
        if (bytes && is_null(row))
            size = 0;
        memcpy(values + at, value, size);
        at += size;
        if (bytes)
            offsets[row + 1] = (int32_t)at;
    }
    void *buffers[3] = {validity, bytes ? (void *)offsets : values, bytes ? values : NULL};
    assert_ok(s3s_array_make(env, field, ROWS, nulls, buffers, bytes ? 3 : 2, NULL, 0, out, &err));
}

static void make_id_column(const s3s_field *field, struct ArrowArray *out)
{
    s3store_error err;
    int64_t *ids = s3s_alloc(env, ROWS * sizeof *ids);
    for (int64_t row = 0; row < ROWS; row++)
        ids[row] = row;
    void *buffers[2] = {NULL, ids};
    assert_ok(s3s_array_make(env, field, ROWS, 0, buffers, 2, NULL, 0, out, &err));
}

static void make_list_column(const s3s_field *field, struct ArrowArray *out)
{
    s3store_error err;
    struct ArrowArray item;
    int32_t *offsets = s3s_alloc(env, (ROWS + 1) * sizeof *offsets);
    int64_t *items = s3s_alloc(env, 3 * ROWS * sizeof *items);
    int32_t at = 0;
    for (int64_t row = 0; row < ROWS; row++) {
        offsets[row] = at;
        for (int64_t i = 0; i < row % 4; i++)
            items[at++] = row + i;
    }
    offsets[ROWS] = at;
    void *item_buffers[2] = {NULL, items}, *buffers[2] = {NULL, offsets};
    assert_ok(s3s_array_make(env, &field->children[0], at, 0, item_buffers, 2, NULL, 0, &item,
                             &err));
    assert_ok(s3s_array_make(env, field, ROWS, 0, buffers, 2, &item, 1, out, &err));
}

static s3s_schema *make_file(const s3s_field *value, const s3s_parquet_write_options *options,
                             s3s_buffer *file)
{
    static const s3s_field item = {.name = "element", .type = S3S_TYPE_INT64};
    s3store_error err;
    s3s_schema *schema = NULL;
    assert_ok(s3s_schema_new(env, 3, &schema, &err));
    schema->fields[0] = (s3s_field){.name = "id", .type = S3S_TYPE_INT64};
    schema->fields[1] = *value;
    schema->fields[1].name = "x";
    schema->fields[1].nullable = true;
    schema->fields[2] = (s3s_field){.name = "l", .type = S3S_TYPE_LIST,
                                    .children = (s3s_field *)&item, .child_count = 1};
    struct ArrowArray columns[3], batch;
    make_id_column(&schema->fields[0], &columns[0]);
    make_value_column(&schema->fields[1], &columns[1]);
    make_list_column(&schema->fields[2], &columns[2]);
    assert_ok(s3s_batch_make(env, columns, 3, ROWS, &batch, &err));
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    s3s_buffer_init(file, env, SIZE_MAX);
    assert_ok(fixture_write(env, schema, options, &batch, 1, file, &err));
    s3s_array_release(&batch);
    return schema;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Marks the rows that come; all columns of a row must belong together. */
static size_t read_where(const s3s_buffer *file, const s3s_parquet_predicate *predicates,
                         size_t count, bool *seen)
{
    s3store_error err;
    s3s_parquet_memory memory = {file->data, file->size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, 700, &cursor, &err));
    assert_ok(s3s_parquet_cursor_where(cursor, predicates, count, &err));
    const s3s_schema *schema = s3s_parquet_cursor_schema(cursor);
    size_t rows = 0;
    s3store_status status;
    struct ArrowArray batch;
    memset(seen, 0, ROWS);
    while ((status = s3s_parquet_cursor_next(cursor, &batch, &err)) == S3STORE_OK) {
        assert_ok(s3s_batch_validate(schema, &batch, &err));
        s3s_column id, x, list, item;
        s3s_batch_column(schema, &batch, 0, &id);
        s3s_batch_column(schema, &batch, 1, &x);
        s3s_batch_column(schema, &batch, 2, &list);
        s3s_column_child(&list, 0, &item);
        for (int64_t i = 0; i < batch.length; i++, rows++) {
            int64_t row = s3s_column_int(&id, i), start, end;
            assert_true(row >= 0 && row < ROWS && !seen[row]);
            seen[row] = true;
            assert_int_equal(s3s_column_is_null(&x, i), is_null(row));
            s3s_column_list(&list, i, &start, &end);
            assert_int_equal(end - start, row % 4);
            if (start < end)
                assert_int_equal(s3s_column_int(&item, start), row);
        }
        s3s_array_release(&batch);
    }
    if (status != S3STORE_END)
        fail_msg("%s", err.message);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    return rows;
}

static bool holds(s3s_predicate_op op, int64_t a, int64_t b)
{
    switch (op) {
    case S3S_PREDICATE_NE:
        return a != b;
    case S3S_PREDICATE_LT:
        return a < b;
    case S3S_PREDICATE_LE:
        return a <= b;
    case S3S_PREDICATE_GT:
        return a > b;
    case S3S_PREDICATE_GE:
        return a >= b;
    default:
        return a == b;
    }
}

/* Must the row come? */
static bool matches(int64_t row, s3s_type type, s3s_predicate_op op, const int64_t *numbers,
                    size_t count)
{
    if (op == S3S_PREDICATE_IS_NULL || op == S3S_PREDICATE_IS_NOT_NULL)
        return is_null(row) == (op == S3S_PREDICATE_IS_NULL);
    if (is_null(row))
        return false;
    if (is_nan(row, type))
        return op == S3S_PREDICATE_NE || op == S3S_PREDICATE_GT || op == S3S_PREDICATE_GE;
    for (size_t i = 0; i < count; i++)
        if (holds(op, number_of(row, type), numbers[i]))
            return true;
    return false;
}

/* Rows that came. */
static size_t try_predicate(const s3s_buffer *file, const s3s_field *field, s3s_predicate_op op,
                            const int64_t *numbers, size_t count)
{
    uint8_t bytes[3][128] = {{0}};
    s3store_bytes values[3];
    static bool seen[ROWS];
    for (size_t i = 0; i < count; i++)
        values[i] = (s3store_bytes){.data = (const void *)bytes[i],
                                    .size = encode(field, numbers[i], bytes[i])};
    s3s_parquet_predicate predicate = {1, op, values, count};
    size_t rows = read_where(file, &predicate, 1, seen);
    for (int64_t row = 0; row < ROWS; row++)
        if (!seen[row] && matches(row, field->type, op, numbers, count))
            fail_msg("%d: operator %d with %d drops row %d", (int)field->type, (int)op,
                     count > 0 ? (int)numbers[0] : 0, (int)row);
    return rows;
}

static const s3s_field types[] = {
    {.type = S3S_TYPE_BOOL}, {.type = S3S_TYPE_INT8}, {.type = S3S_TYPE_INT16},
    {.type = S3S_TYPE_INT32}, {.type = S3S_TYPE_INT64}, {.type = S3S_TYPE_UINT8},
    {.type = S3S_TYPE_UINT16}, {.type = S3S_TYPE_UINT32}, {.type = S3S_TYPE_UINT64},
    {.type = S3S_TYPE_FLOAT16}, {.type = S3S_TYPE_FLOAT}, {.type = S3S_TYPE_DOUBLE},
    {.type = S3S_TYPE_STRING}, {.type = S3S_TYPE_BINARY},
    {.type = S3S_TYPE_FIXED_BINARY, .width = 7}, {.type = S3S_TYPE_DATE32},
    {.type = S3S_TYPE_TIME64, .unit = S3S_MICRO},
    {.type = S3S_TYPE_TIMESTAMP, .unit = S3S_MICRO, .utc = true},
    {.type = S3S_TYPE_DECIMAL, .width = 16, .precision = 30, .scale = 2},
};

static void test_prune__a_matching_row_is_never_left_out(void **state)
{
    (void)state;
    static const s3s_parquet_write_options options[] = {
        {.page_bytes = 1024, .row_group_bytes = 30000},
        {.page_bytes = 1024, .no_dictionary = true},
        {.page_bytes = 3000, .row_group_bytes = 8000, .no_dictionary = true},
    };
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
            s3s_buffer file;
            s3s_schema *schema = make_file(&types[t], &options[o], &file);
            const s3s_field *field = &schema->fields[1];
            size_t least = ROWS;
            for (int op = S3S_PREDICATE_EQ; op <= S3S_PREDICATE_GE; op++) {
                for (int64_t row = -1; row < ROWS; row += 331) {
                    int64_t n = number_of(row < 0 ? 0 : row, field->type);
                    if (row < 0 && field->type == S3S_TYPE_INT32)
                        n -= 1;
                    size_t rows = try_predicate(&file, field, (s3s_predicate_op)op, &n, 1);
                    least = rows < least ? rows : least;
                }
            }
            if (field->type != S3S_TYPE_BOOL)
                assert_true(least < ROWS / 2); /* it does leave rows out */
            int64_t several[] = {number_of(3, field->type), number_of(2500, field->type),
                                 number_of(3999, field->type)};
            try_predicate(&file, field, S3S_PREDICATE_IN, several, 3);
            assert_int_equal(try_predicate(&file, field, S3S_PREDICATE_IN, several, 0), 0);
            try_predicate(&file, field, S3S_PREDICATE_IS_NULL, NULL, 0);
            assert_true(try_predicate(&file, field, S3S_PREDICATE_IS_NOT_NULL, NULL, 0) <= ROWS);
            s3s_buffer_deinit(&file);
            s3s_schema_release(schema);
        }
    }
}

static void test_prune__all_predicates_must_hold(void **state)
{
    (void)state;
    static bool seen[ROWS];
    s3store_error err;
    s3s_buffer file;
    s3s_parquet_write_options options = {.page_bytes = 1024, .row_group_bytes = 40000};
    s3s_schema *schema = make_file(&types[4], &options, &file);
    int64_t low = 700, high = 800, far = -100;
    s3store_bytes values[] = {{.data = (const void *)&low, .size = 8},
                              {.data = (const void *)&high, .size = 8},
                              {.data = (const void *)&far, .size = 8}};
    s3s_parquet_predicate both[] = {{0, S3S_PREDICATE_GE, &values[0], 1},
                                    {0, S3S_PREDICATE_LT, &values[1], 1},
                                    {1, S3S_PREDICATE_EQ, &values[2], 1}};
    size_t rows = read_where(&file, both, 2, seen);
    assert_true(rows >= 100 && rows < 500);
    for (int64_t row = 700; row < 800; row++)
        assert_true(seen[row]);
    rows = read_where(&file, both, 3, seen); /* -100 is in rows 750 to 754 */
    assert_true(rows < 300);
    for (int64_t row = 750; row < 755; row++)
        assert_true(seen[row]);
    /* Nested columns and odd values leave everything in. */
    s3s_parquet_predicate nested = {2, S3S_PREDICATE_IS_NULL, NULL, 0};
    assert_int_equal(read_where(&file, &nested, 1, seen), ROWS);
    values[0].size = 3;
    assert_int_equal(read_where(&file, both, 1, seen), ROWS);
    s3s_parquet_predicate nowhere = {3, S3S_PREDICATE_IS_NULL, NULL, 0};
    s3s_parquet_memory memory = {file.data, file.size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, 0, &cursor, &err));
    assert_fails(s3s_parquet_cursor_where(cursor, &nowhere, 1, &err), S3STORE_INVALID_ARGUMENT,
                 "a predicate on column 3");
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

static int64_t rows_with_text(const char *path, const char *text)
{
    s3store_error err;
    s3s_buffer bytes;
    fixture_load(env, path, &bytes);
    s3s_parquet_memory memory = {bytes.data, bytes.size};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    int64_t rows = 0;
    s3store_bytes value = {.data = text, .size = strlen(text)};
    s3s_parquet_predicate equal = {0, S3S_PREDICATE_EQ, &value, 1};
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), path, NULL, &file, &err));
    assert_ok(s3s_parquet_cursor_new(file, NULL, 0, 0, &cursor, &err));
    assert_ok(s3s_parquet_cursor_where(cursor, &equal, 1, &err));
    struct ArrowArray batch;
    while (s3s_parquet_cursor_next(cursor, &batch, &err) == S3STORE_OK) {
        rows += batch.length;
        s3s_array_release(&batch);
    }
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    s3s_buffer_deinit(&bytes);
    return rows;
}

/* The filter holds these words; others lie between its bounds. */
static void test_prune__bloom_filters_of_other_writers(void **state)
{
    (void)state;
    static const char *const files[] = {
        "tests/data/parquet/data_index_bloom_encoding_stats.parquet",
        "tests/data/parquet/data_index_bloom_encoding_with_length.parquet"};
    static const char *const in[] = {"Hello",  "This is", "a",         "test",      "How",
                                     "are you", "doing ",  "today",     "the quick", "brown fox",
                                     "jumps",   "over",    "the lazy",  "dog"};
    static const char *const out[] = {"Hellp", "goodbye", "never", "Java", "I", "lazy"};
    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; i < sizeof in / sizeof *in; i++)
            assert_int_equal(rows_with_text(files[f], in[i]), 14);
        for (size_t i = 0; i < sizeof out / sizeof *out; i++)
            assert_int_equal(rows_with_text(files[f], out[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_prune__a_matching_row_is_never_left_out),
        T(test_prune__all_predicates_must_hold),
        T(test_prune__bloom_filters_of_other_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
