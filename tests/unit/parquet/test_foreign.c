/* tests/unit/parquet/test_foreign.c: files of other writers (tests/data/parquet/README.md): flat
 * columns compared by a digest of their rows, nested ones with expected/NAME.txt.
 */
#include "fixture.h"

#include <stdlib.h>

#include "base/hash.h"

static s3s_env *env;

static int setup(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(s3s_env_new_real(&env, &err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
    return 0;
}

static void digest_value(s3s_xxh64_state *digest, const s3s_column *c, int64_t row)
{
    static const uint8_t null = 0xee;
    size_t width = s3s_type_value_size(c->field);
    if (s3s_column_is_null(c, row)) {
        s3s_xxh64_update(digest, &null, 1);
    } else if (c->field->type == S3S_TYPE_BOOL) {
        uint8_t bit = s3s_column_bool(c, row);
        s3s_xxh64_update(digest, &bit, 1);
    } else if (s3s_type_is_bytes(c->field->type)) {
        s3store_bytes bytes = s3s_column_bytes(c, row);
        uint64_t size = bytes.size;
        s3s_xxh64_update(digest, &size, sizeof size);
        s3s_xxh64_update(digest, bytes.data, bytes.size);
    } else {
        s3s_xxh64_update(digest, (const char *)c->values + (size_t)(c->offset + row) * width,
                         width);
    }
}

/* Digest of the flat columns, column by column within a batch of all rows. */
static void digest_file(const char *path, int64_t max_rows, char *text, size_t text_size)
{
    s3store_error err;
    s3s_buffer bytes;
    fixture_load(env, path, &bytes);
    s3s_parquet_memory memory = {bytes.data, bytes.size};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), path, NULL, &file, &err));
    const s3s_schema *schema = s3s_parquet_schema(file);
    size_t columns[64], count = 0;
    for (size_t i = 0; i < schema->field_count && count < 64; i++)
        if (s3s_type_is_flat(schema->fields[i].type))
            columns[count++] = i;
    s3s_xxh64_state digest;
    s3s_xxh64_begin(&digest, 0);
    int64_t rows = 0;
    assert_ok(s3s_parquet_cursor_new(file, columns, count, max_rows, &cursor, &err));
    for (struct ArrowArray batch;;) {
        s3store_status status = s3s_parquet_cursor_next(cursor, &batch, &err);
        if (status == S3STORE_END)
            break;
        if (status != S3STORE_OK)
            fail_msg("%s: %s", path, err.message);
        const s3s_schema *selected = s3s_parquet_cursor_schema(cursor);
        assert_ok(s3s_batch_validate(selected, &batch, &err));
        for (int64_t row = 0; row < batch.length; row++) {
            for (size_t i = 0; i < count; i++) {
                s3s_column c;
                s3s_batch_column(selected, &batch, i, &c);
                digest_value(&digest, &c, row);
            }
        }
        rows += batch.length;
        s3s_array_release(&batch);
    }
    assert_int_equal(rows, s3s_parquet_row_count(file));
    snprintf(text, text_size, "%zu x %lld %016llx", count, (long long)rows,
             (unsigned long long)s3s_xxh64_end(&digest));
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    s3s_buffer_deinit(&bytes);
}

static const struct {
    const char *name;
    const char *expected; /* columns x rows digest */
} files[] = {
    {"binary", "1 x 12 55cc7e6ba865d693"},
    {"byte_stream_split_extended.gzip", "14 x 200 ef7fe112fd4b8352"},
    {"column_chunk_key_value_metadata", "2 x 0 ef46db3751d8e999"},
    {"data_index_bloom_encoding_stats", "1 x 14 df01d7a0c4090ebd"},
    {"data_index_bloom_encoding_with_length", "1 x 14 df01d7a0c4090ebd"},
    {"datapage_v2.snappy", "4 x 5 fc730792da8f6ba4"},
    {"datapage_v2_empty_datapage.snappy", "1 x 1 ed4da635cc3b7309"},
    {"delta_encoding_optional_column", "17 x 100 13f520be19fd72ec"},
    {"delta_encoding_required_column", "17 x 100 d745dea7c75c6ed1"},
    {"delta_length_byte_array", "1 x 1000 de173eb59d6d316d"},
    {"dict-page-offset-zero", "1 x 39 7e7852938505f196"},
    {"fixed_length_decimal_legacy", "1 x 24 7dff365434f67926"},
    {"float16_nonzeros_and_nans", "1 x 8 4563bef46bf3b0ee"},
    {"float16_zeros_and_nans", "1 x 3 dd07ca4e2aab28bf"},
    {"hadoop_lz4_compressed", "3 x 4 37e9133bb4e5f12e"},
    {"incorrect_map_schema", "0 x 1 ef46db3751d8e999"},
    {"int32_decimal", "1 x 24 7dff365434f67926"},
    {"int32_with_null_pages", "1 x 1000 20a17d10ae67078f"},
    {"int64_decimal", "1 x 24 7dff365434f67926"},
    {"int96_from_spark", "1 x 6 203f10a7d81fe294"},
    {"large_string_map.brotli", "0 x 2 ef46db3751d8e999"},
    {"map_no_value", "0 x 3 ef46db3751d8e999"},
    {"nested_maps.snappy", "2 x 6 a1ac4a1424b9f3b2"},
    {"non_hadoop_lz4_compressed", "3 x 4 37e9133bb4e5f12e"},
    {"nonnullable.impala", "1 x 1 f2b48c6959ac244e"},
    {"null_list", "0 x 1 ef46db3751d8e999"},
    {"nullable.impala", "1 x 7 d636afbb33d3c535"},
    {"nulls.snappy", "0 x 8 ef46db3751d8e999"},
    {"old_list_structure", "0 x 1 ef46db3751d8e999"},
    {"page_v2_empty_compressed", "1 x 10 f85a15d0ca0cee6b"},
    {"plain-dict-uncompressed-checksum", "2 x 1000 c9c61d8533d71f8b"},
    {"rle_boolean_encoding", "1 x 68 554f6bdeae29b3b7"},
};

static void test_foreign__every_flat_column_reads_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[256], text[64];
        snprintf(path, sizeof path, "tests/data/parquet/%s.parquet", files[i].name);
        for (int64_t max_rows = 0; max_rows < 8; max_rows += 7) {
            digest_file(path, max_rows, text, sizeof text);
            if (strcmp(text, files[i].expected) != 0)
                fail_msg("%s: %s, expected %s", files[i].name, text, files[i].expected);
        }
    }
}

/* ---- nested columns as text ------------------------------------------------------------------ */

static void put_value(FILE *to, const s3s_column *c, int64_t row);

static void put_items(FILE *to, const s3s_column *c, int64_t row)
{
    s3s_column child;
    int64_t start, end;
    if (c->field->type == S3S_TYPE_STRUCT) {
        for (size_t i = 0; i < c->field->child_count; i++) {
            s3s_column_child(c, i, &child);
            fprintf(to, "%s%s: ", i == 0 ? "{" : ", ", c->field->children[i].name);
            put_value(to, &child, row);
        }
        fprintf(to, "}");
        return;
    }
    s3s_column_list(c, row, &start, &end);
    s3s_column_child(c, 0, &child);
    fprintf(to, "[");
    for (int64_t i = start; i < end; i++) {
        fprintf(to, "%s", i == start ? "" : ", ");
        put_value(to, &child, i);
    }
    fprintf(to, "]");
}

static void put_value(FILE *to, const s3s_column *c, int64_t row)
{
    s3s_type type = c->field->type;
    if (s3s_column_is_null(c, row)) {
        fprintf(to, "null");
    } else if (!s3s_type_is_flat(type)) {
        put_items(to, c, row);
    } else if (type == S3S_TYPE_BOOL) {
        fprintf(to, "%s", s3s_column_bool(c, row) ? "true" : "false");
    } else if (s3s_type_is_bytes(type)) {
        s3store_bytes bytes = s3s_column_bytes(c, row);
        fprintf(to, "\"%.*s\"", (int)bytes.size, (const char *)bytes.data);
    } else if (type == S3S_TYPE_FLOAT || type == S3S_TYPE_DOUBLE) {
        fprintf(to, "%.17g", s3s_column_double(c, row));
    } else {
        fprintf(to, "%lld", (long long)s3s_column_int(c, row));
    }
}

/* Types, then the rows of nested columns, a line each. */
static char *text_of_file(const char *path, int64_t max_rows)
{
    s3store_error err;
    s3s_buffer bytes;
    char *text = NULL, type[256];
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    fixture_load(env, path, &bytes);
    s3s_parquet_memory memory = {bytes.data, bytes.size};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), path, NULL, &file, &err));
    const s3s_schema *schema = s3s_parquet_schema(file);
    size_t columns[64], count = 0;
    for (size_t i = 0; i < schema->field_count && count < 64; i++)
        if (!s3s_type_is_flat(schema->fields[i].type))
            columns[count++] = i;
    assert_ok(s3s_parquet_cursor_new(file, columns, count, max_rows, &cursor, &err));
    schema = s3s_parquet_cursor_schema(cursor);
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%s: %s\n", schema->fields[i].name,
                s3s_field_type_text(&schema->fields[i], type, sizeof type));
    struct ArrowArray batch;
    s3store_status status;
    while ((status = s3s_parquet_cursor_next(cursor, &batch, &err)) == S3STORE_OK) {
        assert_ok(s3s_batch_validate(schema, &batch, &err));
        for (int64_t row = 0; row < batch.length; row++) {
            for (size_t i = 0; i < count; i++) {
                s3s_column c;
                s3s_batch_column(schema, &batch, i, &c);
                fprintf(to, "%s", i == 0 ? "" : " | ");
                put_value(to, &c, row);
            }
            fprintf(to, "\n");
        }
        s3s_array_release(&batch);
    }
    if (status != S3STORE_END)
        fail_msg("%s: %s", path, err.message);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    s3s_buffer_deinit(&bytes);
    fclose(to);
    return text;
}

static void test_foreign__nested_columns_read_as_expected(void **state)
{
    (void)state;
    s3store_error err;
    static const char *const names[] = {
        "incorrect_map_schema", "map_no_value",    "nested_maps.snappy", "nonnullable.impala",
        "null_list",            "nullable.impala", "nulls.snappy",       "old_list_structure"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256], expected_path[256];
        snprintf(path, sizeof path, "tests/data/parquet/%s.parquet", names[i]);
        snprintf(expected_path, sizeof expected_path, "tests/data/parquet/expected/%s.txt",
                 names[i]);
        for (int64_t max_rows = 0; max_rows < 3; max_rows += 2) {
            s3s_buffer expected;
            char *text = text_of_file(path, max_rows);
            if (getenv("S3STORE_TEST_UPDATE") != NULL) {
                FILE *to = fopen(expected_path, "w");
                fputs(text, to);
                fclose(to);
            }
            fixture_load(env, expected_path, &expected);
            assert_ok(s3s_buffer_append(&expected, "", 1, &err));
            if (strcmp(text, (const char *)expected.data) != 0)
                fail_msg("%s:\n%s\nexpected:\n%s", names[i], text, (const char *)expected.data);
            s3s_buffer_deinit(&expected);
            free(text);
        }
    }
}

static void test_foreign__malformed_files_give_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        s3store_status status;
        const char *text;
    } bad[] = {
        {"ARROW-GH-41317", S3STORE_CORRUPT, "t.parquet: footer at byte"},
        {"ARROW-GH-41321", S3STORE_CORRUPT, "column \"int64\""},
        {"ARROW-RS-GH-6229-DICTHEADER", S3STORE_CORRUPT, "column \"name\""},
        {"ARROW-RS-GH-6229-LEVELS", S3STORE_CORRUPT, "column \"outer.list.item.c\""},
        {"PARQUET-1481", S3STORE_CORRUPT, "physical type -7"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s3store_error err = {0};
        s3s_buffer bytes;
        char path[256];
        snprintf(path, sizeof path, "tests/data/parquet/bad/%s.parquet", bad[i].name);
        fixture_load(env, path, &bytes);
        int64_t rows;
        s3store_status status = fixture_drain(env, bytes.data, bytes.size, 0, &rows, &err);
        assert_int_equal(status, bad[i].status);
        if (strstr(err.message, bad[i].text) == NULL)
            fail_msg("\"%s\" does not name \"%s\"", err.message, bad[i].text);
        s3s_buffer_deinit(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_foreign__every_flat_column_reads_right),
        T(test_foreign__nested_columns_read_as_expected),
        T(test_foreign__malformed_files_give_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
