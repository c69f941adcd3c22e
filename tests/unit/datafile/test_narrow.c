/* tests/unit/datafile/test_narrow.c: one of fifty columns costs what one column costs. */
#include "support/test.h"

#include <stdio.h>

#include "datafile/datafile.h"

#define KEY "p/data/x=1/wide.parquet"
enum { COLUMNS = 50, WANTED = 17, ROWS = 20800 }; /* a little less than 8 MiB */

static int64_t value_of(size_t column, int64_t row)
{
    uint64_t x = ((uint64_t)row * COLUMNS + column) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (int64_t)(x ^ (x >> 31)); /* neither compressible nor of small steps */
}

static s3s_schema *make_schema(s3s_env *env)
{
    s3store_error err;
    s3s_schema *schema;
    assert_ok(s3s_schema_new(env, COLUMNS, &schema, &err));
    for (size_t i = 0; i < COLUMNS; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%zu", i);
        s3s_field field = {.name = name, .type = S3S_TYPE_INT64};
        assert_true(s3s_field_copy(&schema->arena, &field, &schema->fields[i]));
    }
    return schema;
}

static void put_object(s3s_env *env, const s3store_object_store *store, s3s_schema *schema,
                       uint64_t *size)
{
    s3store_error err;
    struct ArrowArray columns[COLUMNS], batch;
    s3s_buffer body;
    for (size_t c = 0; c < COLUMNS; c++) {
        int64_t *values = s3s_alloc(env, ROWS * sizeof *values);
        assert_non_null(values);
        for (int64_t r = 0; r < ROWS; r++)
            values[r] = value_of(c, r);
        void *buffers[2] = {NULL, values};
        assert_ok(s3s_array_make(env, &schema->fields[c], ROWS, 0, buffers, 2, NULL, 0, &columns[c],
                                 &err));
    }
    assert_ok(s3s_batch_make(env, columns, COLUMNS, ROWS, &batch, &err));
    const struct ArrowArray *batches[] = {&batch};
    s3s_buffer_init(&body, env, SIZE_MAX);
    assert_ok(s3s_datafile_encode(env, schema, batches, 1, S3STORE_COMPRESSION_SNAPPY, &body,
                                  &err));
    s3store_put_request request = {
        .size = sizeof request, .key = KEY, .body = body.data, .body_size = body.size};
    s3store_put_reply reply = {0};
    assert_ok(s3s_put(store, NULL, &request, &reply, &err));
    *size = body.size;
    s3s_buffer_deinit(&body);
    s3s_array_release(&batch);
}

static void read_column(s3s_datafile *file)
{
    s3store_error err;
    s3s_datafile_cursor *cursor = NULL;
    struct ArrowArray batch;
    const size_t wanted = WANTED;
    int64_t row = 0;
    s3store_status status;
    assert_ok(s3s_datafile_cursor_new(file, &wanted, 1, 4096, &cursor, &err));
    while ((status = s3s_datafile_cursor_next(cursor, &batch, &err)) == S3STORE_OK) {
        s3s_column column;
        s3s_batch_column(s3s_datafile_cursor_schema(cursor), &batch, 0, &column);
        for (int64_t r = 0; r < batch.length; r++, row++)
            assert_true(s3s_column_int(&column, r) == value_of(WANTED, row));
        s3s_array_release(&batch);
    }
    assert_int_equal(status, S3STORE_END);
    assert_int_equal(row, ROWS);
    s3s_datafile_cursor_free(cursor);
}

static void test_datafile__one_of_fifty_columns_is_four_percent_in_two_requests(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env = NULL;
    s3store_object_store memory, store;
    s3s_meter *meter = NULL;
    s3s_pool *pool = NULL;
    uint64_t size = 0;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_memory_store_new(env, &memory, &err));
    assert_ok(s3s_layer_meter_new(env, &memory, &store, &meter, &err));
    assert_ok(s3s_pool_new(env, 1, &pool, &err));
    s3s_schema *schema = make_schema(env);
    put_object(env, &memory, schema, &size);
    assert_in_range(size, 7u << 20, 8u << 20);

    static const char *const wanted[] = {"c17"};
    s3s_datafile_options options = {
        .key = KEY, .size = size, .pool = pool, .columns = wanted, .column_count = 1};
    s3s_datafile *file = NULL;
    assert_ok(s3s_datafile_open(env, &store, NULL, &options, &file, &err));
    read_column(file);
    s3s_datafile_free(file);
    s3store_request_counts counts = {.size = sizeof counts};
    s3s_meter_read(meter, &counts);
    assert_in_range(counts.get, 1, 2);
    assert_int_equal(counts.head, 0);
    assert_true(counts.bytes_received < size * 4 / 100);

    s3s_schema_release(schema);
    s3s_pool_free(pool);
    s3s_store_deinit(&store);
    s3s_store_deinit(&memory);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_datafile__one_of_fifty_columns_is_four_percent_in_two_requests),
    };
    return cmocka_run_group_tests_name("narrow", tests, NULL, NULL);
}
