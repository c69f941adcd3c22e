/* tests/unit/parquet/test_hostile.c: damaged files give an error or data, never more than that. */
#include "env.h"
#include "fixture.h"

#include <stdlib.h>

#include "parquet/metadata.h"

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

/* A predicate on each column: statistics, page index and bloom filters are read. */
static s3store_status drain_where(const void *data, size_t size, s3store_error *err)
{
    static const int64_t number = 1;
    s3s_parquet_memory memory = {data, size};
    s3s_parquet_limits limits = {.memory_bytes = BUDGET};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    s3store_status status = s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet",
                                             &limits, &file, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_cursor_new(file, NULL, 0, 0, &cursor, err);
    size_t fields = status == S3STORE_OK ? s3s_parquet_schema(file)->field_count : 0;
    s3s_parquet_predicate terms[8];
    s3store_bytes values[8];
    for (size_t i = 0; i < fields && i < 8; i++) {
        size_t width = s3s_type_value_size(&s3s_parquet_schema(file)->fields[i]);
        values[i] = (s3store_bytes){.data = (const void *)&number,
                                    .size = width > 0 && width < 8 ? width : 8};
        terms[i] = (s3s_parquet_predicate){i, i % 2 == 0 ? S3S_PREDICATE_EQ : S3S_PREDICATE_GE,
                                           &values[i], 1};
    }
    if (status == S3STORE_OK)
        status = s3s_parquet_cursor_where(cursor, &terms[fields > 2 ? 2 : 0], 1, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch;
        status = s3s_parquet_cursor_next(cursor, &batch, err);
        if (status == S3STORE_OK)
            assert_int_equal(s3s_batch_validate(s3s_parquet_cursor_schema(cursor), &batch, err),
                             S3STORE_OK);
        s3s_array_release(&batch);
    }
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    return status;
}

static void test_hostile__flipped_bytes_below_predicates(void **state)
{
    (void)state;
    s3store_error err;
    const size_t blooms[] = {1, 2, 3};
    s3s_schema *schema = fixture_all_types(env, true);
    schema->field_count = 6;
    struct ArrowArray batch;
    s3s_buffer file;
    fixture_batch(env, schema, 300, 3, 200, FIXTURE_FEW, &batch);
    s3s_parquet_write_options options = {.page_bytes = 1024, .row_group_bytes = 3000,
                                         .no_dictionary = true, .bloom_columns = blooms,
                                         .bloom_column_count = 3, .bloom_bytes_max = 256};
    s3s_buffer_init(&file, env, SIZE_MAX);
    assert_ok(fixture_write(env, schema, &options, &batch, 1, &file, &err));
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    assert_int_equal(drain_where(file.data, file.size, &err), S3STORE_END);
    s3s_env_limit_alloc(env, BUDGET);
    for (size_t i = file.size / 3; i < file.size; i++) { /* where indexes and footer lie */
        file.data[i] ^= (uint8_t)(1u << i % 8);
        memset(&err, 0, sizeof err);
        s3store_status status = drain_where(file.data, file.size, &err);
        if (status != S3STORE_END && status != S3STORE_CORRUPT && status != S3STORE_UNSUPPORTED &&
            status != S3STORE_LIMIT_EXCEEDED && status != S3STORE_INVALID_ARGUMENT)
            fail_msg("byte %zu: %s: %s", i, s3store_status_name(status), err.message);
        assert_int_equal(s3s_env_live_allocs(env), 1);
        file.data[i] ^= (uint8_t)(1u << i % 8);
    }
    s3s_env_limit_alloc(env, UINT64_MAX);
    s3s_buffer_deinit(&file);
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

/* Files from before logical types. */
static void no_logical_types(s3s_pq_footer *footer)
{
    s3s_pq_schema_element *elements = footer->schema.items;
    for (size_t i = 1; i < footer->schema.count; i++)
        if (S3S_PQ_HAS(&elements[i], S3S_ELEMENT_CONVERTED))
            elements[i].has &= ~(UINT64_C(1) << S3S_ELEMENT_LOGICAL);
}

static void test_hostile__old_converted_types_alone_say_the_same(void **state)
{
    (void)state;
    s3store_error err;
    s3s_schema *all = fixture_all_types(env, true);
    struct ArrowArray batch;
    s3s_buffer file;
    fixture_batch(env, all, 100, 3, 200, FIXTURE_RANDOM, &batch);
    s3s_buffer_init(&file, env, SIZE_MAX);
    assert_ok(fixture_write(env, all, NULL, &batch, 1, &file, &err));
    edit_footer(&file, no_logical_types);
    fixture_expect(env, &file, all, &batch, 1, 0); /* types too */
    s3s_array_release(&batch);
    s3s_buffer_deinit(&file);
    s3s_schema_release(all);
}

static void as_decimal(s3s_pq_footer *footer)
{
    s3s_pq_schema_element *e = (s3s_pq_schema_element *)footer->schema.items + 1;
    S3S_PQ_SET(e, S3S_ELEMENT_CONVERTED);
    S3S_PQ_SET(e, S3S_ELEMENT_PRECISION);
    S3S_PQ_SET(e, S3S_ELEMENT_SCALE);
    e->converted = S3S_PQ_DECIMAL;
    e->precision = 20;
    e->scale = 3;
}

/* Big-endian bytes of any length on BYTE_ARRAY; too long ones only where they are sign alone. */
static void test_hostile__decimals_of_any_length(void **state)
{
    (void)state;
    s3store_error err;
    static const struct {
        const char *bytes;
        int32_t size;
        int64_t value;
    } values[] = {{"", 0, 0}, {"\x7f", 1, 127}, {"\x80", 1, -128}, {"\x01\x00", 2, 256},
                  {"\xff\xff\xff\x85", 4, -123}, {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09", 18, 9}};
    enum { COUNT = sizeof values / sizeof *values };
    s3s_schema *schema = fixture_one(env, "d", S3S_TYPE_BINARY, false);
    struct ArrowArray column, batch;
    int32_t *offsets = s3s_calloc(env, COUNT + 1, 4);
    char *data = s3s_calloc(env, 64, 1);
    for (size_t i = 0; i < COUNT; i++) {
        offsets[i + 1] = offsets[i] + values[i].size;
        memcpy(data + offsets[i], values[i].bytes, (size_t)values[i].size);
    }
    void *buffers[] = {NULL, offsets, data};
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    assert_ok(s3s_array_make(env, schema->fields, COUNT, 0, buffers, 3, NULL, 0, &column, &err));
    assert_ok(s3s_batch_make(env, &column, 1, COUNT, &batch, &err));
    assert_ok(fixture_write(env, schema, NULL, &batch, 1, &file, &err));
    s3s_array_release(&batch);
    edit_footer(&file, as_decimal);
    s3s_parquet_memory memory = {file.data, file.size};
    s3s_parquet_file *parquet = NULL;
    s3s_parquet_cursor *cursor = NULL;
    assert_ok(s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "t.parquet", NULL, &parquet,
                               &err));
    assert_int_equal(s3s_parquet_schema(parquet)->fields[0].type, S3S_TYPE_DECIMAL);
    assert_int_equal(s3s_parquet_schema(parquet)->fields[0].precision, 20);
    assert_ok(s3s_parquet_cursor_new(parquet, NULL, 0, 0, &cursor, &err));
    assert_ok(s3s_parquet_cursor_next(cursor, &batch, &err));
    for (size_t i = 0; i < COUNT; i++) {
        int64_t halves[2];
        memcpy(halves, (const char *)batch.children[0]->buffers[1] + 16 * i, 16);
        assert_int_equal(halves[0], values[i].value);
        assert_int_equal(halves[1], values[i].value < 0 ? -1 : 0);
    }
    s3s_array_release(&batch);
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(parquet);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
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
        T(test_hostile__flipped_bytes_below_predicates),
        T(test_hostile__a_damaged_page_names_file_column_and_byte),
        T(test_hostile__old_converted_types_alone_say_the_same),
        T(test_hostile__decimals_of_any_length),
        T(test_hostile__no_parquet_at_all),
        T(test_hostile__footers_that_lie),
        T(test_hostile__type_length_of_other_types_is_ignored),
        T(test_hostile__reading_survives_every_failed_allocation),
        T(test_hostile__writing_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
