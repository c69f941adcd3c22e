/* tests/unit/parquet/test_foreign.c: files of other writers (tests/data/parquet/README.md): rows
 * compared with expected/NAME.rows, types of nested columns with expected/NAME.txt.
 */
#include "env.h"
#include "fixture.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/hash.h"
#include "support/rows_text.h"

/* ---- rows, as pyarrow reads them ------------------------------------------------------------- */

/* The rows of a file as support/rows_text.h prints them. */
static char *rows_of_file(const char *path, int64_t max_rows, size_t *size)
{
    s3store_error err = {0};
    s3s_buffer bytes;
    char *text = NULL;
    FILE *to = open_memstream(&text, size);
    fixture_load(env, path, &bytes);
    s3s_parquet_memory memory = {bytes.data, bytes.size};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    struct ArrowArray batch;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), path, NULL, &file, &err));
    assert_ok(s3s_parquet_cursor_new(file, NULL, 0, max_rows, &cursor, &err));
    const s3s_schema *schema = s3s_parquet_cursor_schema(cursor);
    s3store_status status;
    while ((status = s3s_parquet_cursor_next(cursor, &batch, &err)) == S3STORE_OK) {
        assert_ok(s3s_batch_validate(schema, &batch, &err));
        rows_text(to, schema, &batch);
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

/* Long texts are known by their digest. */
static void shorten(char **text, size_t *size)
{
    s3store_error err;
    uint8_t digest[S3S_SHA256_SIZE];
    assert_ok(s3s_sha256(*text, *size, digest, &err));
    *size = (size_t)sprintf(*text, "sha256 ");
    for (size_t i = 0; i < sizeof digest; i++)
        *size += (size_t)sprintf(*text + *size, "%02x", digest[i]);
    (*text)[(*size)++] = '\n';
}

static void expect_rows(const char *name, int64_t max_rows)
{
    char path[256], expected_path[256];
    size_t size = 0;
    s3s_buffer expected;
    snprintf(path, sizeof path, "tests/data/parquet/%s.parquet", name);
    snprintf(expected_path, sizeof expected_path, "tests/data/parquet/expected/%s.rows", name);
    fixture_load(env, expected_path, &expected);
    char *text = rows_of_file(path, max_rows, &size);
    if (expected.size > 7 && memcmp(expected.data, "sha256 ", 7) == 0)
        shorten(&text, &size);
    if (size != expected.size || (size > 0 && memcmp(text, expected.data, size) != 0))
        fail_msg("%s in batches of %lld:\n%.*s\nexpected:\n%.*s", name, (long long)max_rows,
                 (int)(size < 2000 ? size : 2000), text,
                 (int)(expected.size < 2000 ? expected.size : 2000), (const char *)expected.data);
    s3s_buffer_deinit(&expected);
    free(text);
}

/* Every file of the folder has its expected rows, but for one that needs 2 GiB. */
static void test_foreign__every_file_reads_as_other_readers_do(void **state)
{
    (void)state;
    DIR *dir = opendir("tests/data/parquet");
    assert_non_null(dir);
    size_t files = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char name[256];
        const char *end = strstr(entry->d_name, ".parquet");
        if (end == NULL || end[8] != '\0' || strstr(entry->d_name, "large_string_map") != NULL)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        expect_rows(name, 0);
        expect_rows(name, 7);
        files++;
    }
    closedir(dir);
    assert_true(files >= 38);
}

/* Two keys of 1 GiB: more than the usual budget, and together more than 32-bit offsets reach. */
static void test_foreign__a_value_beyond_the_budget_says_what_to_do(void **state)
{
    (void)state;
    s3store_error err = {0};
    s3s_buffer bytes;
    int64_t rows = 0;
    fixture_load(env, "tests/data/parquet/large_string_map.brotli.parquet", &bytes);
    s3store_status status = fixture_drain(env, bytes.data, bytes.size, 0, &rows, &err);
    assert_int_equal(status, S3STORE_LIMIT_EXCEEDED);
    const char *const parts[] = {"t.parquet: column \"arr.key_value.key\": page at byte 4",
                                 " bytes more are needed", "raise it (--memory)"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(err.message, parts[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.message, parts[i]);
    if (getenv("S3S_FULL") != NULL) { /* takes 6 GiB */
        assert_ok(fixture_drain(env, bytes.data, bytes.size, UINT64_C(8) << 30, &rows, &err));
        assert_int_equal(rows, 2);
    }
    s3s_buffer_deinit(&bytes);
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
        T(test_foreign__every_file_reads_as_other_readers_do),
        T(test_foreign__a_value_beyond_the_budget_says_what_to_do),
        T(test_foreign__nested_columns_read_as_expected),
        T(test_foreign__malformed_files_give_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
