/* tests/unit/parquet/test_hostile.c: damaged files give an error or data, never more than that. */
#include "fixture.h"

#include <stdlib.h>

#include "parquet/metadata.h"

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

/* A few rows of the types that decode differently. */
static void make_small(s3s_buffer *file, s3store_compression compression, int64_t rows)
{
    s3store_error err;
    static const s3s_type types[] = {S3S_TYPE_BOOL, S3S_TYPE_INT8, S3S_TYPE_INT64, S3S_TYPE_STRING,
                                     S3S_TYPE_BINARY, S3S_TYPE_TIMESTAMP};
    s3s_schema *schema = NULL;
    assert_ok(s3s_schema_new(env, 6, &schema, &err));
    for (size_t i = 0; i < 6; i++) {
        schema->fields[i].name = s3s_arena_printf(&schema->arena, "c%zu", i);
        schema->fields[i].type = types[i];
        schema->fields[i].unit = S3S_MICRO;
        schema->fields[i].nullable = i != 2;
    }
    struct ArrowArray batch;
    fixture_batch(env, schema, rows, 3, 200, FIXTURE_FEW, &batch);
    s3s_parquet_write_options options = {.compression = compression, .row_group_bytes = 1000};
    s3s_buffer_init(file, env, SIZE_MAX);
    assert_ok(fixture_write(env, schema, &options, &batch, 1, file, &err));
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

/* Every shape of nesting, in several pages and row groups. */
static void make_nested(s3s_buffer *file, s3store_compression compression, int64_t rows)
{
    s3store_error err;
    s3s_schema *schema = fixture_nested(env, true);
    struct ArrowArray batch;
    fixture_batch(env, schema, rows, 3, 200, FIXTURE_FEW, &batch);
    s3s_parquet_write_options options = {.compression = compression, .page_bytes = 1024,
                                         .row_group_bytes = 4000};
    s3s_buffer_init(file, env, SIZE_MAX);
    assert_ok(fixture_write(env, schema, &options, &batch, 1, file, &err));
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

#define BUDGET (4u << 20)

/* Not an allocation above the budget is tried (that would be OUT_OF_MEMORY). */
static void check(const void *data, size_t size, const char *what, size_t at)
{
    s3store_error err = {0};
    int64_t rows = 0;
    /* An exact copy, so that ASan sees a read past the end. */
    uint8_t *exact = malloc(size + (size == 0));
    memcpy(exact, data, size);
    s3s_env_limit_alloc(env, BUDGET);
    s3store_status status = fixture_drain(env, exact, size, BUDGET, &rows, &err);
    free(exact);
    s3s_env_limit_alloc(env, UINT64_MAX);
    if (status != S3STORE_OK && status != S3STORE_CORRUPT && status != S3STORE_UNSUPPORTED &&
        status != S3STORE_LIMIT_EXCEEDED)
        fail_msg("%s %zu: %s: %s", what, at, s3store_status_name(status), err.message);
    if (status != S3STORE_OK && strstr(err.message, "t.parquet") == NULL)
        fail_msg("%s %zu: \"%s\" does not name the file", what, at, err.message);
    if (s3s_env_live_allocs(env) > 1) /* the file's own buffer */
        fail_msg("%s %zu: a leak", what, at);
}

static void test_hostile__every_truncation_is_an_error(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer file;
    int64_t rows;
    make_small(&file, S3STORE_COMPRESSION_SNAPPY, 60);
    for (size_t size = 0; size < file.size; size++)
        assert_fails(fixture_drain(env, file.data, size, 0, &rows, &err), S3STORE_CORRUPT,
                     "t.parquet");
    s3s_buffer_deinit(&file);
}

static void test_hostile__any_flipped_byte_is_an_error_or_data(void **state)
{
    (void)state;
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    static const s3store_compression codecs[] = {
        S3STORE_COMPRESSION_SNAPPY, S3STORE_COMPRESSION_UNCOMPRESSED, S3STORE_COMPRESSION_GZIP,
        S3STORE_COMPRESSION_ZSTD};
    for (size_t c = 0; c < sizeof codecs / sizeof *codecs; c++) {
        s3s_buffer file;
        make_small(&file, codecs[c], 40);
        for (size_t i = 0; i < file.size; i++) {
            for (size_t m = 0; m < (c == 0 ? sizeof masks : 1); m++) {
                file.data[i] ^= masks[m];
                check(file.data, file.size, "flip at byte", i);
                file.data[i] ^= masks[m];
            }
        }
        s3s_buffer_deinit(&file);
    }
}

static void test_hostile__nested_files_truncated_and_flipped(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer file;
    int64_t rows;
    make_nested(&file, S3STORE_COMPRESSION_SNAPPY, 12);
    for (size_t size = 0; size < file.size; size += 3)
        assert_fails(fixture_drain(env, file.data, size, 0, &rows, &err), S3STORE_CORRUPT,
                     "t.parquet");
    for (size_t i = 0; i < file.size; i++) {
        file.data[i] ^= (uint8_t)(1u << (i % 8));
        check(file.data, file.size, "flip at byte", i);
        file.data[i] ^= (uint8_t)(1u << (i % 8));
    }
    s3s_buffer_deinit(&file);
}

/* Without checksums the decoders see the damage. */
static void test_hostile__flipped_bytes_without_checksum(void **state)
{
    (void)state;
    static const char *const files[] = {
        "tests/data/parquet/datapage_v2.snappy.parquet",
        "tests/data/parquet/nullable.impala.parquet",
        "tests/data/parquet/int96_from_spark.parquet",
        "tests/data/parquet/float16_nonzeros_and_nans.parquet",
        "tests/data/parquet/hadoop_lz4_compressed.parquet",
        "tests/data/parquet/rle_boolean_encoding.parquet",
        "tests/data/parquet/fixed_length_decimal_legacy.parquet",
        "tests/data/parquet/large_string_map.brotli.parquet",
        "tests/data/parquet/delta_length_byte_array.parquet",
        "tests/data/parquet/nonnullable.impala.parquet",
        "tests/data/parquet/nested_maps.snappy.parquet",
        "tests/data/parquet/old_list_structure.parquet",
        "tests/data/parquet/null_list.parquet",
        "tests/data/parquet/map_no_value.parquet",
        "tests/data/parquet/incorrect_map_schema.parquet",
        "tests/data/parquet/data_index_bloom_encoding_stats.parquet",
        "tests/data/parquet/datapage_v2_empty_datapage.snappy.parquet",
        "tests/data/parquet/dict-page-offset-zero.parquet",
        "tests/data/parquet/int32_decimal.parquet",
        "tests/data/parquet/non_hadoop_lz4_compressed.parquet",
        "tests/data/parquet/nulls.snappy.parquet",
        "tests/data/parquet/own_decimals_as_integers.parquet",
        "tests/data/parquet/own_int96_nanoseconds.parquet",
        "tests/data/parquet/own_int96_plain.parquet",
        "tests/data/parquet/page_v2_empty_compressed.parquet",
    };
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        s3s_buffer file;
        fixture_load(env, files[f], &file);
        for (size_t i = 0; i < file.size; i++) {
            file.data[i] ^= (uint8_t)(1u << (i * 5 % 8));
            check(file.data, file.size, files[f], i);
            file.data[i] ^= (uint8_t)(1u << (i * 5 % 8));
        }
        for (size_t size = 0; size < file.size; size += 1 + file.size / 500)
            check(file.data, size, files[f], size);
        s3s_buffer_deinit(&file);
    }
}

static void test_hostile__a_damaged_page_names_file_column_and_byte(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer file;
    int64_t rows;
    make_small(&file, S3STORE_COMPRESSION_UNCOMPRESSED, 60);
    file.data[48] ^= 0xff; /* the end of the first page of c0 */
    assert_fails(fixture_drain(env, file.data, file.size, 0, &rows, &err), S3STORE_CORRUPT,
                 "t.parquet: column \"c0\": page at byte 4");
    assert_string_equal(err.key, "t.parquet");
    s3s_buffer_deinit(&file);
}

static void test_hostile__no_parquet_at_all(void **state)
{
    (void)state;
    s3store_error err;
    int64_t rows;
    assert_fails(fixture_drain(env, "", 0, 0, &rows, &err), S3STORE_CORRUPT, "empty");
    assert_fails(fixture_drain(env, "PAR1", 4, 0, &rows, &err), S3STORE_CORRUPT, "too short");
    assert_fails(fixture_drain(env, "{\"a\": 1, \"b\": 2}\n", 17, 0, &rows, &err), S3STORE_CORRUPT,
                 "PAR1");
    assert_fails(fixture_drain(env, "PAR1\0\0\0\0PARE", 12, 0, &rows, &err), S3STORE_UNSUPPORTED,
                 "encrypted");
    assert_fails(fixture_drain(env, "PAR1\xff\xff\xff\x7fPAR1", 12, 0, &rows, &err),
                 S3STORE_CORRUPT, "footer of 2147483647 bytes");
}

/* Rewrites the footer of a file after a change. */
static void edit_footer(s3s_buffer *file, void (*edit)(s3s_pq_footer *footer))
{
    s3store_error err;
    uint32_t length;
    memcpy(&length, file->data + file->size - 8, 4);
    size_t at = file->size - 8 - length;
    s3s_arena arena;
    s3s_pq_footer footer;
    s3s_arena_init(&arena, NULL);
    uint8_t *copy = malloc(length);
    memcpy(copy, file->data + at, length);
    assert_ok(s3s_thrift_read(&s3s_pq_footer_struct, copy, length, &arena, SIZE_MAX, &footer, NULL,
                              NULL, &err));
    edit(&footer);
    file->size = at;
    assert_ok(s3s_thrift_write(&s3s_pq_footer_struct, &footer, file, &err));
    length = (uint32_t)(file->size - at);
    assert_ok(s3s_buffer_append(file, &length, 4, &err));
    assert_ok(s3s_buffer_append(file, "PAR1", 4, &err));
    free(copy);
    s3s_arena_deinit(&arena);
}

static s3s_pq_row_group *first_group(s3s_pq_footer *footer)
{
    return footer->row_groups.items;
}

static void more_rows(s3s_pq_footer *footer)
{
    footer->num_rows++;
}

static void more_group_rows(s3s_pq_footer *footer)
{
    footer->num_rows++;
    first_group(footer)->num_rows++;
}

static void more_values(s3s_pq_footer *footer)
{
    more_group_rows(footer);
    s3s_pq_chunk *chunks = first_group(footer)->columns.items;
    for (size_t i = 0; i < first_group(footer)->columns.count; i++)
        chunks[i].column.num_values++;
}

static void fewer_columns(s3s_pq_footer *footer)
{
    first_group(footer)->columns.count--;
}

static void far_chunk(s3s_pq_footer *footer)
{
    s3s_pq_chunk *chunks = first_group(footer)->columns.items;
    chunks[0].column.data_page_offset = INT64_MAX - 1;
}

static void other_type(s3s_pq_footer *footer)
{
    s3s_pq_chunk *chunks = first_group(footer)->columns.items;
    chunks[2].column.type = S3S_PQ_DOUBLE;
}

static void lzo(s3s_pq_footer *footer)
{
    s3s_pq_chunk *chunks = first_group(footer)->columns.items;
    chunks[1].column.codec = S3S_PQ_LZO;
}

static void same_names(s3s_pq_footer *footer)
{
    s3s_pq_schema_element *elements = footer->schema.items;
    elements[2].name = elements[1].name;
}

static void broken_tree(s3s_pq_footer *footer)
{
    s3s_pq_schema_element *elements = footer->schema.items;
    elements[0].num_children--;
}

static void test_hostile__footers_that_lie(void **state)
{
    (void)state;
    s3store_error err;
    static const struct {
        void (*edit)(s3s_pq_footer *);
        s3store_status status;
        const char *text;
    } lies[] = {
        {more_rows, S3STORE_CORRUPT, "rows"},
        {more_group_rows, S3STORE_CORRUPT, "values in a row group of"},
        {more_values, S3STORE_CORRUPT, "column \"c0\""},
        {fewer_columns, S3STORE_CORRUPT, "columns"},
        {far_chunk, S3STORE_CORRUPT, "column \"c0\""},
        {other_type, S3STORE_CORRUPT, "holds DOUBLE"},
        {lzo, S3STORE_UNSUPPORTED, "LZO"},
        {same_names, S3STORE_UNSUPPORTED, "two columns are named \"c0\""},
        {broken_tree, S3STORE_CORRUPT, "outside the tree"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        s3s_buffer file;
        int64_t rows;
        make_small(&file, S3STORE_COMPRESSION_SNAPPY, 60);
        edit_footer(&file, lies[i].edit);
        assert_fails(fixture_drain(env, file.data, file.size, 0, &rows, &err), lies[i].status,
                     lies[i].text);
        s3s_buffer_deinit(&file);
    }
}

/* parquet-go says the bit width where only FIXED_LEN_BYTE_ARRAY has a length. */
static void odd_lengths(s3s_pq_footer *footer)
{
    s3s_pq_schema_element *elements = footer->schema.items;
    static const int32_t widths[] = {1, 32, 64, 64, 96, 32, 64, 8};
    for (size_t i = 1; i < footer->schema.count; i++) {
        S3S_PQ_SET(&elements[i], S3S_ELEMENT_TYPE_LENGTH);
        elements[i].type_length = widths[elements[i].type];
    }
}

static void test_hostile__type_length_of_other_types_is_ignored(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer file;
    int64_t rows;
    make_small(&file, S3STORE_COMPRESSION_SNAPPY, 60);
    edit_footer(&file, odd_lengths);
    assert_ok(fixture_drain(env, file.data, file.size, 0, &rows, &err));
    assert_int_equal(rows, 60);
    s3s_buffer_deinit(&file);
}

static void fail_every_read_allocation(s3s_buffer *file, int64_t expected)
{
    s3store_error err;
    int64_t rows;
    for (uint64_t n = 0;; n++) {
        s3s_env_fail_alloc_at(env, n);
        s3store_status status = fixture_drain(env, file->data, file->size, 0, &rows, &err);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        assert_int_equal(s3s_env_live_allocs(env), 1);
        if (status == S3STORE_OK && rows == expected)
            break;
        assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        assert_true(n < 10000);
    }
}

static void test_hostile__reading_survives_every_failed_allocation(void **state)
{
    (void)state;
    s3s_buffer file;
    make_small(&file, S3STORE_COMPRESSION_ZSTD, 60);
    fail_every_read_allocation(&file, 60);
    s3s_buffer_deinit(&file);
    make_nested(&file, S3STORE_COMPRESSION_ZSTD, 12);
    fail_every_read_allocation(&file, 12);
    s3s_buffer_deinit(&file);
}

static void fail_every_write_allocation(s3s_schema *schema, int64_t rows)
{
    s3store_error err;
    struct ArrowArray batch;
    fixture_batch(env, schema, rows, 3, 200, FIXTURE_FEW, &batch);
    const size_t blooms[] = {1, 2};
    s3s_parquet_write_options options = {.compression = S3STORE_COMPRESSION_ZSTD,
                                         .bloom_columns = blooms, .bloom_column_count = 2};
    uint64_t before = s3s_env_live_allocs(env);
    for (uint64_t n = 0;; n++) {
        s3s_buffer file;
        s3s_buffer_init(&file, NULL, SIZE_MAX);
        s3s_env_fail_alloc_at(env, n);
        s3store_status status = fixture_write(env, schema, &options, &batch, 1, &file, &err);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        s3s_buffer_deinit(&file);
        assert_int_equal(s3s_env_live_allocs(env), before);
        if (status == S3STORE_OK)
            break;
        assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        assert_true(n < 10000);
    }
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_hostile__writing_survives_every_failed_allocation(void **state)
{
    (void)state;
    fail_every_write_allocation(fixture_all_types(env, true), 100);
    fail_every_write_allocation(fixture_nested(env, true), 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_hostile__every_truncation_is_an_error),
        T(test_hostile__any_flipped_byte_is_an_error_or_data),
        T(test_hostile__nested_files_truncated_and_flipped),
        T(test_hostile__flipped_bytes_without_checksum),
        T(test_hostile__a_damaged_page_names_file_column_and_byte),
        T(test_hostile__no_parquet_at_all),
        T(test_hostile__footers_that_lie),
        T(test_hostile__type_length_of_other_types_is_ignored),
        T(test_hostile__reading_survives_every_failed_allocation),
        T(test_hostile__writing_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
