/* Parquet files by themselves, through the public face: written with choices, read from a file and
 * from a store, by ranges.
 */
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/tempdir.h"

#define SOURCE "tests/data/parquet/alltypes_tiny_pages.parquet"
#define ROWS 7300

typedef struct text {
    char data[1 << 20];
    size_t size;
} text;

static bool collect(void *ctx, const char *line, size_t size)
{
    text *t = ctx;
    if (size >= sizeof t->data - t->size)
        return false;
    memcpy(t->data + t->size, line, size);
    t->size += size;
    t->data[t->size] = '\0';
    return true;
}

/* The source once more, in row groups of 64 KiB with bloom filters. */
static void rewrite(const char *path)
{
    s3store_error err = {0};
    struct ArrowArrayStream stream;
    static const char *const keys[] = {"id", "string_col"};
    s3store_parquet_write_options options = S3STORE_PARQUET_WRITE_OPTIONS_INIT;
    options.row_group_bytes = 65536;
    options.compression = S3STORE_COMPRESSION_UNCOMPRESSED;
    options.bloom_columns = keys;
    options.bloom_column_count = 2;
    options.sorting_columns = keys;
    options.sorting_column_count = 1;
    assert_ok(s3store_parquet_read_file(SOURCE, &stream, &err));
    assert_ok(s3store_parquet_write(path, &stream, &options, &err));
}

static int64_t count_rows(struct ArrowArrayStream *stream, int64_t columns)
{
    int64_t rows = 0;
    struct ArrowArray batch = {0};
    while (stream->get_next(stream, &batch) == 0 && batch.release != NULL) {
        assert_int_equal(batch.n_children, columns);
        rows += batch.length;
        batch.release(&batch);
    }
    stream->release(stream);
    return rows;
}

static void test_parquet__what_was_chosen_is_in_the_file(void **state)
{
    (void)state;
    s3store_error err = {0};
    char dir[TEMPDIR_SIZE], path[TEMPDIR_SIZE + 16];
    struct ArrowArrayStream stream;
    tempdir_new(dir);
    snprintf(path, sizeof path, "%s/f.parquet", dir);
    rewrite(path);
    text *t = calloc(1, sizeof *t);
    assert_non_null(t);
    assert_ok(s3store_parquet_describe(path, S3STORE_PARQUET_META, false, NULL, collect, t, &err));
    size_t groups = 0, blooms = 0;
    for (const char *at = t->data; (at = strstr(at, "\nrow_group ")) != NULL; at++)
        groups++;
    for (const char *at = t->data; (at = strstr(at, "bloom_filter_at=")) != NULL; at++)
        blooms++;
    assert_true(groups > 5);
    assert_int_equal(blooms, 2 * groups);
    free(t);
    assert_ok(s3store_parquet_read_file(path, &stream, &err));
    assert_int_equal(count_rows(&stream, 13), ROWS);
    tempdir_remove(dir);
}

static void test_parquet__a_column_that_the_stream_lacks_leaves_no_file(void **state)
{
    (void)state;
    s3store_error err = {0};
    char dir[TEMPDIR_SIZE], path[TEMPDIR_SIZE + 16];
    struct ArrowArrayStream stream;
    static const char *const nowhere[] = {"nowhere"};
    s3store_parquet_write_options options = S3STORE_PARQUET_WRITE_OPTIONS_INIT;
    options.bloom_columns = nowhere;
    options.bloom_column_count = 1;
    tempdir_new(dir);
    snprintf(path, sizeof path, "%s/f.parquet", dir);
    assert_ok(s3store_parquet_read_file(SOURCE, &stream, &err));
    assert_fails(s3store_parquet_write(path, &stream, &options, &err), S3STORE_INVALID_ARGUMENT,
                 "there is no column \"nowhere\"");
    assert_null(stream.release);
    assert_int_equal(rmdir(dir), 0); /* empty */
}

static void put_file(s3store_object_store *store, const char *path, const char *key, size_t *size)
{
    s3store_error err = {0};
    s3store_put_reply reply = {0};
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *data = malloc(4 << 20);
    assert_non_null(data);
    *size = fread(data, 1, 4 << 20, file);
    fclose(file);
    s3store_put_request put = {.size = sizeof put, .key = key, .body = data, .body_size = *size};
    assert_ok(store->put(store->impl, NULL, &put, &reply, &err));
    free(data);
}

static void test_parquet__of_an_object_only_what_is_wanted_is_fetched(void **state)
{
    (void)state;
    s3store_error err = {0};
    char dir[TEMPDIR_SIZE], path[TEMPDIR_SIZE + 16];
    struct ArrowArrayStream stream;
    s3store_object_store *store = NULL;
    size_t size = 0;
    static const char *const wanted[] = {"bigint_col"};
    assert_ok(s3store_memory_store_new(&store, &err));
    tempdir_new(dir);
    snprintf(path, sizeof path, "%s/f.parquet", dir);
    rewrite(path);
    put_file(store, path, "a/f.parquet", &size);
    tempdir_remove(dir);
    s3store_target_config access = S3STORE_TARGET_CONFIG_INIT;
    access.store = store;
    s3store_request_counts counts = {.size = sizeof counts};
    s3store_parquet_options options = S3STORE_PARQUET_OPTIONS_INIT;
    options.access = &access;
    options.requests = &counts;
    text *t = calloc(1, sizeof *t);
    assert_non_null(t);
    assert_ok(s3store_parquet_describe("a/f.parquet", S3STORE_PARQUET_SCHEMA, true, &options,
                                       collect, t, &err));
    assert_non_null(strstr(t->data, "\"bigint_col\""));
    assert_int_equal(counts.get, 1);
    assert_int_equal(counts.bytes_received, 65536);
    free(t);
    options.columns = wanted;
    options.column_count = 1;
    assert_ok(s3store_parquet_read("a/f.parquet", &options, &stream, &err));
    assert_int_equal(count_rows(&stream, 1), ROWS);
    assert_true(counts.get >= 2 && counts.get <= 3);
    assert_int_equal(counts.head + counts.list + counts.put, 0);
    options.limit = 1;
    assert_ok(s3store_parquet_read("a/f.parquet", &options, &stream, &err));
    assert_int_equal(count_rows(&stream, 1), 1);
    assert_fails(s3store_parquet_read("a/missing", &options, &stream, &err), S3STORE_NOT_FOUND,
                 "a/missing");
    assert_null(stream.release);
    s3store_memory_store_free(store);
}

/* ---- the next batch is decoded while one is used --------------------------------------------- */

enum { LONG_ROWS = 200000, BATCH_ROWS = 65536 };

static int64_t value_of(int64_t row)
{
    return row * INT64_C(2654435761) % 1000000007;
}

/* More than one batch: column n with value_of each row, and p which says "a" or "b". */
static void write_long(const char *path)
{
    s3store_error err = {0};
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    s3store_builder *builder;
    s3store_parquet_write_options options = S3STORE_PARQUET_WRITE_OPTIONS_INIT;
    options.compression = S3STORE_COMPRESSION_UNCOMPRESSED;
    options.page_bytes = 16384;
    options.no_dictionary = true;
    assert_ok(s3store_schema_new(2, &schema, &err));
    assert_ok(s3store_schema_add(&schema, "p", "u", false, &err));
    assert_ok(s3store_schema_add(&schema, "n", "l", false, &err));
    assert_ok(s3store_builder_new(&schema, &builder, &err));
    for (int64_t row = 0; row < LONG_ROWS; row++) {
        assert_ok(s3store_builder_append_bytes(builder, 0, row % 2 == 0 ? "a" : "b", 1, &err));
        assert_ok(s3store_builder_append_int(builder, 1, value_of(row), &err));
    }
    assert_ok(s3store_builder_finish(builder, &batch, &err));
    s3store_builder_free(builder);
    assert_ok(s3store_stream_from_batches(&schema, &batch, 1, &stream, &err));
    assert_ok(s3store_parquet_write(path, &stream, &options, &err));
}

/* Rows that came, each checked; 0 in *code: to the end. */
static int64_t check_long(struct ArrowArrayStream *stream, size_t max_batches, int *code)
{
    int64_t row = 0;
    struct ArrowArray batch = {0};
    *code = 0;
    for (size_t i = 0; i < max_batches; i++) {
        *code = stream->get_next(stream, &batch);
        if (*code != 0 || batch.release == NULL)
            break;
        const int64_t *n = batch.children[1]->buffers[1];
        for (int64_t k = 0; k < batch.length; k++, row++)
            assert_int_equal(n[k], value_of(row));
        batch.release(&batch);
    }
    return row;
}

static void test_parquet__batches_come_in_order_and_may_be_left_at_any(void **state)
{
    (void)state;
    s3store_error err = {0};
    char dir[TEMPDIR_SIZE], path[TEMPDIR_SIZE + 16];
    struct ArrowArrayStream stream;
    s3store_parquet_options options = S3STORE_PARQUET_OPTIONS_INIT;
    int code;
    tempdir_new(dir);
    snprintf(path, sizeof path, "%s/f.parquet", dir);
    write_long(path);
    for (size_t batches = 0; batches < 6; batches++) {
        int64_t rows = (int64_t)batches * BATCH_ROWS;
        assert_ok(s3store_parquet_read(path, &options, &stream, &err));
        assert_int_equal(check_long(&stream, batches, &code), rows < LONG_ROWS ? rows : LONG_ROWS);
        assert_int_equal(code, 0);
        stream.release(&stream);
    }
    options.limit = 2 * BATCH_ROWS - 5;
    assert_ok(s3store_parquet_read(path, &options, &stream, &err));
    assert_int_equal(check_long(&stream, 9, &code), 2 * BATCH_ROWS - 5);
    stream.release(&stream);
    options.limit = 0;
    options.memory_bytes = 8 << 20; /* batches are too large to be ahead */
    assert_ok(s3store_parquet_read(path, &options, &stream, &err));
    assert_int_equal(check_long(&stream, 9, &code), LONG_ROWS);
    stream.release(&stream);
    tempdir_remove(dir);
}

/* A byte in the middle of the values of n, which are most of the file, is another one: in the second
 * batch. */
static void damage(const char *path, const char *damaged)
{
    char *data = malloc(8 << 20);
    assert_non_null(data);
    size_t size = tempdir_read(path, data, 8 << 20);
    assert_true(size > LONG_ROWS * 4);
    data[size / 10 * 6] ^= 1;
    tempdir_write(damaged, data, size);
    free(data);
}

static void open_memory(s3store_object_store **store, s3store_target **target,
                        s3store_writer **writer)
{
    static const char *const by_p[] = {"p"};
    s3store_error err = {0};
    bool created;
    assert_ok(s3store_memory_store_new(store, &err));
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = *store;
    config.bucket = "b";
    config.prefix = "d";
    config.partition_by = by_p;
    config.partition_by_count = 1;
    assert_ok(s3store_dataset_init(&config, NULL, &created, &err));
    assert_ok(s3store_target_open(&config, target, &err));
    assert_ok(s3store_writer_open(*target, NULL, writer, &err));
}

static void test_parquet__a_damaged_batch_fails_after_those_before_it_and_nothing_is_written(
    void **state)
{
    (void)state;
    s3store_error err = {0};
    char dir[TEMPDIR_SIZE], path[TEMPDIR_SIZE + 16], damaged[TEMPDIR_SIZE + 16];
    struct ArrowArrayStream stream;
    struct ArrowArray batch = {0};
    s3store_object_store *store;
    s3store_target *target;
    s3store_writer *writer;
    s3store_write_result *result = NULL;
    int code;
    tempdir_new(dir);
    snprintf(path, sizeof path, "%s/f.parquet", dir);
    snprintf(damaged, sizeof damaged, "%s/g.parquet", dir);
    write_long(path);
    damage(path, damaged);
    assert_ok(s3store_parquet_read_file(damaged, &stream, &err));
    assert_int_equal(check_long(&stream, 9, &code), BATCH_ROWS);
    for (int again = 0; again < 2; again++) {
        assert_true(code != 0);
        assert_non_null(strstr(stream.get_last_error(&stream), "g.parquet"));
        assert_non_null(strstr(stream.get_last_error(&stream), "column \"n\""));
        code = stream.get_next(&stream, &batch);
    }
    stream.release(&stream);

    open_memory(&store, &target, &writer);
    assert_ok(s3store_parquet_read_file(damaged, &stream, &err));
    assert_fails(s3store_write(writer, &stream, NULL, &result, &err), S3STORE_CORRUPT,
                 "column \"n\"");
    assert_null(result);
    assert_ok(s3store_parquet_read_file(path, &stream, &err));
    assert_ok(s3store_write(writer, &stream, NULL, &result, &err));
    assert_int_equal(s3store_write_result_count(result), 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(s3store_write_result_get(result, i)->row_count, LONG_ROWS / 2);
    s3store_write_result_free(result);
    s3store_writer_free(writer);
    s3store_target_free(target);
    s3store_memory_store_free(store);
    tempdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parquet__what_was_chosen_is_in_the_file),
        cmocka_unit_test(test_parquet__a_column_that_the_stream_lacks_leaves_no_file),
        cmocka_unit_test(test_parquet__of_an_object_only_what_is_wanted_is_fetched),
        cmocka_unit_test(test_parquet__batches_come_in_order_and_may_be_left_at_any),
        cmocka_unit_test(
            test_parquet__a_damaged_batch_fails_after_those_before_it_and_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
