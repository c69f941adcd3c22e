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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parquet__what_was_chosen_is_in_the_file),
        cmocka_unit_test(test_parquet__a_column_that_the_stream_lacks_leaves_no_file),
        cmocka_unit_test(test_parquet__of_an_object_only_what_is_wanted_is_fetched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
