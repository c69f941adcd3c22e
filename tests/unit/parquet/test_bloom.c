/* tests/unit/parquet/test_bloom.c: bloom filters that we write: never wrong about what is there,
 * mostly right about what is not, and no larger than they must be.
 */
#include "env.h"
#include "fixture.h"

#include "parquet/bloom.h"
#include "parquet/metadata.h"

#define ROWS 6000
#define COLUMNS 4

/* Even numbers in no order; as int64, int16, text, and a list of two. */
static int64_t number_of(int64_t row)
{
    return row * 7919 % 3000 * 2;
}

static size_t text_of(int64_t n, char *out)
{
    return (size_t)sprintf(out, "key %06lld", (long long)n);
}

static void make_batch(const s3s_schema *schema, struct ArrowArray *out)
{
    s3store_error err;
    struct ArrowArray columns[COLUMNS], item;
    int64_t *wide = s3s_alloc(env, ROWS * sizeof *wide), *items = s3s_alloc(env, 2 * ROWS * 8);
    int16_t *narrow = s3s_alloc(env, ROWS * sizeof *narrow);
    int32_t *offsets = s3s_alloc(env, (ROWS + 1) * 4), *lists = s3s_alloc(env, (ROWS + 1) * 4);
    char *text = s3s_alloc(env, ROWS * 16);
    offsets[0] = lists[0] = 0;
    for (int64_t row = 0; row < ROWS; row++) {
        int64_t n = number_of(row);
        wide[row] = items[2 * row] = n;
        items[2 * row + 1] = n + 100000;
        narrow[row] = (int16_t)n;
        offsets[row + 1] = offsets[row] + (int32_t)text_of(n, text + offsets[row]);
        lists[row + 1] = lists[row] + 2;
    }
    void *a[] = {NULL, wide}, *b[] = {NULL, narrow}, *c[] = {NULL, offsets, text};
    void *d[] = {NULL, lists}, *e[] = {NULL, items};
    const s3s_field *f = schema->fields;
    assert_ok(s3s_array_make(env, &f[0], ROWS, 0, a, 2, NULL, 0, &columns[0], &err));
    assert_ok(s3s_array_make(env, &f[1], ROWS, 0, b, 2, NULL, 0, &columns[1], &err));
    assert_ok(s3s_array_make(env, &f[2], ROWS, 0, c, 3, NULL, 0, &columns[2], &err));
    assert_ok(s3s_array_make(env, &f[3].children[0], 2 * ROWS, 0, e, 2, NULL, 0, &item, &err));
    assert_ok(s3s_array_make(env, &f[3], ROWS, 0, d, 2, &item, 1, &columns[3], &err));
    assert_ok(s3s_batch_make(env, columns, COLUMNS, ROWS, out, &err));
    assert_ok(s3s_batch_validate(schema, out, &err));
}

static s3s_schema *make_schema(void)
{
    static const s3s_field item = {.name = "element", .type = S3S_TYPE_INT64};
    static const s3s_field fields[] = {
        {.name = "wide", .type = S3S_TYPE_INT64},
        {.name = "narrow", .type = S3S_TYPE_INT16},
        {.name = "text", .type = S3S_TYPE_STRING},
        {.name = "list", .type = S3S_TYPE_LIST, .children = (s3s_field *)&item, .child_count = 1}};
    s3store_error err;
    s3s_schema *schema = NULL;
    assert_ok(s3s_schema_new(env, COLUMNS, &schema, &err));
    for (size_t i = 0; i < COLUMNS; i++)
        assert_true(s3s_field_copy(&schema->arena, &fields[i], &schema->fields[i]));
    return schema;
}

static void make_file(const s3s_parquet_write_options *options, s3s_buffer *file)
{
    s3store_error err;
    s3s_schema *schema = make_schema();
    struct ArrowArray batch;
    make_batch(schema, &batch);
    s3s_buffer_init(file, env, SIZE_MAX);
    assert_ok(fixture_write(env, schema, options, &batch, 1, file, &err));
    fixture_expect(env, file, schema, &batch, 1, 0);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static int64_t rows_with(const s3s_buffer *bytes, size_t column, int64_t n)
{
    s3store_error err;
    char text[32];
    int16_t narrow = (int16_t)n;
    s3store_bytes values[] = {{.data = (const void *)&n, .size = 8},
                              {.data = (const void *)&narrow, .size = 2},
                              {.data = text, .size = text_of(n, text)}};
    s3s_parquet_predicate equal = {column, S3S_PREDICATE_EQ, &values[column], 1};
    s3s_parquet_memory memory = {bytes->data, bytes->size};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    size_t none = 0;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &file,
                               &err));
    assert_ok(s3s_parquet_cursor_new(file, &none, 1, 0, &cursor, &err));
    assert_ok(s3s_parquet_cursor_where(cursor, &equal, 1, &err));
    struct ArrowArray batch;
    int64_t rows = 0;
    s3store_status status;
    while ((status = s3s_parquet_cursor_next(cursor, &batch, &err)) == S3STORE_OK) {
        rows += batch.length;
        s3s_array_release(&batch);
    }
    assert_int_equal(status, S3STORE_END);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    return rows;
}

static const size_t all_columns[] = {0, 1, 2, 3};

static void test_bloom__what_is_there_is_found_and_the_rest_is_not(void **state)
{
    (void)state;
    for (int dictionary = 0; dictionary < 2; dictionary++) {
        s3s_buffer file;
        s3s_parquet_write_options options = {.no_dictionary = dictionary == 0,
                                             .bloom_columns = all_columns,
                                             .bloom_column_count = COLUMNS};
        make_file(&options, &file);
        for (size_t column = 0; column < 3; column++) {
            size_t wrong = 0;
            for (int64_t n = 0; n < 6000; n += 60)
                assert_int_equal(rows_with(&file, column, n), ROWS);
            for (int64_t n = 1; n < 6000; n += 20)
                wrong += rows_with(&file, column, n) > 0;
            assert_true(wrong < 300 / 20); /* 1 % is what is aimed at */
        }
        s3s_buffer_deinit(&file);
    }
}

static void test_bloom__row_groups_have_filters_of_their_own(void **state)
{
    (void)state;
    s3s_buffer file;
    s3s_parquet_write_options options = {.row_group_bytes = 40000, .page_bytes = 2000,
                                         .bloom_columns = all_columns,
                                         .bloom_column_count = COLUMNS};
    make_file(&options, &file);
    size_t fewer = 0;
    for (int64_t row = 0; row < ROWS; row += 101) {
        int64_t rows = rows_with(&file, 2, number_of(row));
        assert_true(rows > 0);
        fewer += rows < ROWS;
    }
    assert_true(fewer > 0);
    s3s_buffer_deinit(&file);
}

static size_t filter_bytes(const s3s_buffer *file, size_t leaf, uint64_t *at)
{
    s3store_error err;
    uint32_t length;
    s3s_arena arena;
    s3s_pq_footer footer;
    s3s_arena_init(&arena, NULL);
    memcpy(&length, file->data + file->size - 8, 4);
    assert_ok(s3s_thrift_read(&s3s_pq_footer_struct, file->data + file->size - 8 - length, length,
                              &arena, SIZE_MAX, &footer, NULL, NULL, &err));
    const s3s_pq_row_group *group = footer.row_groups.items;
    const s3s_pq_column *column = &((const s3s_pq_chunk *)group->columns.items)[leaf].column;
    bool has = S3S_PQ_HAS(column, S3S_COLUMN_BLOOM_OFFSET);
    size_t size = has ? (size_t)column->bloom_filter_size : 0;
    *at = has ? (uint64_t)column->bloom_filter_offset : 0;
    s3s_arena_deinit(&arena);
    return size;
}

static void test_bloom__as_large_as_the_values_need(void **state)
{
    (void)state;
    s3s_buffer file;
    uint64_t at, before = 0;
    const size_t some[] = {0, 3};
    s3s_parquet_write_options options = {.bloom_columns = some, .bloom_column_count = 2};
    make_file(&options, &file);
    /* 3000 values need about 4 KiB for 1 %; the list has 6000. */
    size_t wide = filter_bytes(&file, 0, &at), list = filter_bytes(&file, 3, &before);
    assert_true(wide >= 2048 && wide <= 8192 + 64);
    assert_true(list > wide && list <= 16384 + 64);
    assert_true(at > 4 && before == at + wide); /* one after the other, behind the chunks */
    assert_int_equal(filter_bytes(&file, 1, &at), 0);
    assert_int_equal(filter_bytes(&file, 2, &at), 0);
    s3s_buffer_deinit(&file);
    /* Where the largest one would say nothing there is none. */
    options.bloom_bytes_max = 256;
    make_file(&options, &file);
    assert_int_equal(filter_bytes(&file, 0, &at), 0);
    assert_int_equal(rows_with(&file, 0, 1), ROWS);
    s3s_buffer_deinit(&file);
}

static void test_bloom__both_zeros_are_one_value(void **state)
{
    (void)state;
    s3store_error err;
    s3s_bloom bloom;
    const double zero[] = {0.0}, minus = -0.0;
    assert_ok(s3s_bloom_init(&bloom, env, 1000, &err));
    assert_int_equal(bloom.size_max, 512);
    assert_int_equal(s3s_bloom_finish(&bloom), 0); /* nothing was added */
    s3s_bloom_add(&bloom, S3S_PQ_DOUBLE, false, 8, zero, 1);
    s3s_bloom other;
    assert_ok(s3s_bloom_init(&other, env, 512, &err));
    s3s_bloom_add(&other, S3S_PQ_DOUBLE, false, 8, &minus, 1);
    assert_memory_equal(bloom.data, other.data, 512);
    assert_true(s3s_bloom_finish(&bloom) > 0);
    s3s_bloom_deinit(&bloom);
    s3s_bloom_deinit(&other);
}

static void test_bloom__a_column_that_is_not_there_is_refused(void **state)
{
    (void)state;
    s3store_error err;
    const size_t far = 9;
    s3s_parquet_write_options options = {.bloom_columns = &far, .bloom_column_count = 1};
    s3s_schema *schema = make_schema();
    s3s_parquet_writer *writer = NULL;
    assert_fails(s3s_parquet_writer_new(env, schema, &options, (s3s_parquet_sink){0}, &writer,
                                        &err),
                 S3STORE_INVALID_ARGUMENT, "there is no column 9");
    s3s_schema_release(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_bloom__what_is_there_is_found_and_the_rest_is_not),
        T(test_bloom__row_groups_have_filters_of_their_own),
        T(test_bloom__as_large_as_the_values_need),
        T(test_bloom__both_zeros_are_one_value),
        T(test_bloom__a_column_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
