/* tests/unit/parquet/test_roundtrip.c: what is written comes back. */
#include "env.h"
#include "fixture.h"

static void round_trip(s3s_schema *schema, const s3s_parquet_write_options *options, int64_t rows,
                       unsigned null_permille, fixture_values values, int64_t max_rows)
{
    s3store_error err;
    struct ArrowArray batches[2];
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, rows, 1, null_permille, values, &batches[0]);
    fixture_batch(env, schema, rows / 3, 2, null_permille, values, &batches[1]);
    assert_ok(fixture_write(env, schema, options, batches, 2, &file, &err));
    fixture_expect(env, &file, schema, batches, 2, max_rows);
    s3s_array_release(&batches[0]);
    s3s_array_release(&batches[1]);
    s3s_buffer_deinit(&file);
}

static void test_roundtrip__every_type_codec_and_dictionary_choice(void **state)
{
    (void)state;
    for (int nullable = 0; nullable < 2; nullable++) {
        s3s_schema *schema = fixture_all_types(env, nullable != 0);
        for (s3store_compression c = S3STORE_COMPRESSION_DEFAULT;
             c <= S3STORE_COMPRESSION_UNCOMPRESSED; c++) {
            for (int values = FIXTURE_RANDOM; values <= FIXTURE_SAME; values++) {
                s3s_parquet_write_options options = {.compression = c, .page_bytes = 2048};
                round_trip(schema, &options, 600, 200, (fixture_values)values, 0);
                options.no_dictionary = true;
                round_trip(schema, &options, 600, 200, (fixture_values)values, 0);
            }
        }
        s3s_schema_release(schema);
    }
}

static void test_roundtrip__few_rows(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_all_types(env, true);
    for (int64_t rows = 0; rows < 20; rows++)
        round_trip(schema, NULL, rows, 300, FIXTURE_RANDOM, 0);
    s3s_schema_release(schema);
}

static void test_roundtrip__all_null(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_all_types(env, true);
    s3s_parquet_write_options options = {.page_bytes = 1024};
    round_trip(schema, &options, 1000, 1000, FIXTURE_RANDOM, 0);
    round_trip(schema, &options, 1000, 1000, FIXTURE_RANDOM, 77);
    s3s_schema_release(schema);
}

static void test_roundtrip__column_of_type_null(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_one(env, "nothing", S3S_TYPE_NULL, true);
    round_trip(schema, NULL, 5000, 0, FIXTURE_RANDOM, 1000);
    s3s_schema_release(schema);
}

/* Without an order there are no bounds, and so the file has no page index. */
static void test_roundtrip__intervals(void **state)
{
    (void)state;
    for (int values = FIXTURE_RANDOM; values <= FIXTURE_SAME; values++) {
        s3s_schema *schema = fixture_one(env, "gap", S3S_TYPE_INTERVAL, true);
        s3s_parquet_write_options options = {.page_bytes = 2048, .row_group_bytes = 8000};
        round_trip(schema, &options, 2000, 200, (fixture_values)values, 0);
        s3s_schema_release(schema);
    }
}

static void test_roundtrip__many_pages_and_row_groups(void **state)
{
    (void)state;
    static const s3s_type types[] = {S3S_TYPE_INT64, S3S_TYPE_STRING, S3S_TYPE_BOOL,
                                     S3S_TYPE_DOUBLE, S3S_TYPE_UINT8};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        s3s_schema *schema = fixture_one(env, "x", types[i], true);
        for (int values = FIXTURE_RANDOM; values <= FIXTURE_FEW; values++) {
            s3s_parquet_write_options options = {.page_bytes = 4096, .row_group_bytes = 100000};
            round_trip(schema, &options, 100000, 100, (fixture_values)values, 0);
            round_trip(schema, &options, 30000, 0, (fixture_values)values, 999);
        }
        s3s_schema_release(schema);
    }
}

static void test_roundtrip__any_batch_size(void **state)
{
    (void)state;
    s3s_schema *schema = fixture_all_types(env, true);
    s3s_parquet_write_options options = {.page_bytes = 1024, .row_group_bytes = 20000};
    for (int64_t max_rows = 1; max_rows < 40; max_rows += 6)
        round_trip(schema, &options, 400, 300, FIXTURE_RANDOM, max_rows);
    s3s_schema_release(schema);
}

static void test_roundtrip__batch_with_an_offset(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_all_types(env, true);
    struct ArrowArray batch, slice;
    s3s_shared_batch *shared = NULL;
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, 500, 9, 250, FIXTURE_RANDOM, &batch);
    assert_ok(s3s_batch_share(env, &batch, &shared, &err));
    assert_ok(s3s_batch_slice(shared, 131, 203, &slice, &err));
    assert_ok(fixture_write(env, schema, NULL, &slice, 1, &file, &err));
    fixture_expect(env, &file, schema, &slice, 1, 0);
    s3s_array_release(&slice);
    s3s_shared_batch_release(shared);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

static void test_roundtrip__high_cardinality_gives_up_the_dictionary(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_INT64, false);
    struct ArrowArray batches[2];
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    /* First few values, then more than a dictionary holds: both kinds of page in one chunk. */
    fixture_batch(env, schema, 200000, 1, 0, FIXTURE_FEW, &batches[0]);
    fixture_batch(env, schema, 200000, 1, 0, FIXTURE_RANDOM, &batches[1]);
    s3s_parquet_write_options options = {.compression = S3STORE_COMPRESSION_UNCOMPRESSED};
    assert_ok(fixture_write(env, schema, &options, batches, 2, &file, &err));
    assert_true(file.size > 1600000 && file.size < 2100000);
    fixture_expect(env, &file, schema, batches, 2, 0);
    s3s_array_release(&batches[0]);
    s3s_array_release(&batches[1]);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

static void test_roundtrip__projection_in_any_order(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_all_types(env, true);
    struct ArrowArray batch, got;
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, 300, 5, 100, FIXTURE_RANDOM, &batch);
    assert_ok(fixture_write(env, schema, NULL, &batch, 1, &file, &err));
    s3s_parquet_memory memory = {file.data, file.size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    size_t columns[] = {12, 3};
    assert_ok(s3s_parquet_cursor_new(parquet, columns, 2, 0, &cursor, &err));
    const s3s_schema *selected = s3s_parquet_cursor_schema(cursor);
    assert_string_equal(selected->fields[0].name, "string");
    assert_string_equal(selected->fields[1].name, "int32");
    assert_ok(s3s_parquet_cursor_next(cursor, &got, &err));
    assert_int_equal(got.length, 300);
    s3s_column a, b;
    s3s_batch_column(selected, &got, 1, &a);
    s3s_batch_column(schema, &batch, 3, &b);
    for (int64_t i = 0; i < 300; i++)
        assert_int_equal(s3s_column_int(&a, i), s3s_column_int(&b, i));
    /* The batch outlives cursor and file. */
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    assert_int_equal(got.length, 300);
    s3s_array_release(&got);
    s3s_array_release(&batch);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

static void test_roundtrip__a_small_budget_gives_small_batches(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "x", S3S_TYPE_INT64, false);
    struct ArrowArray batch;
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, 200000, 1, 0, FIXTURE_FEW, &batch);
    s3s_parquet_write_options options = {.page_bytes = 4096};
    assert_ok(fixture_write(env, schema, &options, &batch, 1, &file, &err));
    int64_t rows = 0;
    assert_ok(fixture_drain(env, file.data, file.size, 300000, &rows, &err));
    assert_int_equal(rows, 200000);
    assert_fails(fixture_drain(env, file.data, file.size, 2000, &rows, &err),
                 S3STORE_LIMIT_EXCEEDED, "--memory");
    s3s_array_release(&batch);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

static void test_roundtrip__ranges_cover_what_columns_need(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *schema = fixture_all_types(env, true);
    struct ArrowArray batch;
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    fixture_batch(env, schema, 300, 5, 100, FIXTURE_RANDOM, &batch);
    assert_ok(fixture_write(env, schema, NULL, &batch, 1, &file, &err));
    s3s_parquet_memory memory = {file.data, file.size};
    s3s_parquet_file *parquet = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    s3s_byte_range all[1], some[4];
    size_t count = 0;
    /* Chunks follow each other: all of them are one range from behind the magic on. */
    assert_ok(s3s_parquet_ranges(parquet, 0, NULL, 0, 0, all, &count, 1, &err));
    assert_int_equal(count, 1);
    assert_int_equal(all[0].offset, 4);
    size_t columns[] = {12, 2, 3};
    count = 0;
    assert_ok(s3s_parquet_ranges(parquet, 0, columns, 3, 0, some, &count, 4, &err));
    assert_int_equal(count, 2); /* 2 and 3 are neighbours; in file order */
    assert_true(some[0].offset > 4 && some[0].offset + some[0].size < some[1].offset);
    assert_true(some[1].offset + some[1].size < all[0].offset + all[0].size);
    count = 0;
    assert_ok(s3s_parquet_ranges(parquet, 0, columns, 3, 1 << 20, some, &count, 4, &err));
    assert_int_equal(count, 1);
    count = 0;
    assert_fails(s3s_parquet_ranges(parquet, 0, columns, 3, 0, some, &count, 1, &err),
                 S3STORE_LIMIT_EXCEEDED, "byte ranges");
    columns[0] = 99;
    assert_fails(s3s_parquet_ranges(parquet, 0, columns, 3, 0, some, &count, 4, &err),
                 S3STORE_INVALID_ARGUMENT, "column 99");
    assert_fails(s3s_parquet_ranges(parquet, 1, columns, 3, 0, some, &count, 4, &err),
                 S3STORE_INVALID_ARGUMENT, "row group 1");
    s3s_parquet_free(parquet);
    s3s_array_release(&batch);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_roundtrip__every_type_codec_and_dictionary_choice),
        T(test_roundtrip__few_rows),
        T(test_roundtrip__all_null),
        T(test_roundtrip__column_of_type_null),
        T(test_roundtrip__intervals),
        T(test_roundtrip__many_pages_and_row_groups),
        T(test_roundtrip__any_batch_size),
        T(test_roundtrip__batch_with_an_offset),
        T(test_roundtrip__high_cardinality_gives_up_the_dictionary),
        T(test_roundtrip__projection_in_any_order),
        T(test_roundtrip__a_small_budget_gives_small_batches),
        T(test_roundtrip__ranges_cover_what_columns_need),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
