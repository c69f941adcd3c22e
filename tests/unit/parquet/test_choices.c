/* tests/unit/parquet/test_choices.c: which encoding a column gets, and that it is read back. */
#include "env.h"
#include "fixture.h"

#include <stdlib.h>

#include "base/bits.h"
#include "base/hash.h"
#include "parquet/encoding/delta.h"
#include "parquet/metadata.h"

static uint64_t mix(uint64_t z)
{
    z = (z + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- deltas ---------------------------------------------------------------------------------- */

static void check_delta(const void *values, size_t width, size_t count)
{
    s3store_error err;
    s3s_buffer out;
    s3s_delta d;
    const uint8_t *end = NULL;
    s3s_buffer_init(&out, NULL, SIZE_MAX);
    assert_ok(s3s_delta_encode(values, width, count, &out, &err));
    assert_int_equal(s3s_delta_size(values, width, count, SIZE_MAX), out.size);
    assert_int_equal(s3s_delta_size(values, width, count, 3), 3);
    assert_ok(s3s_delta_init(&d, out.data, out.size, &err));
    assert_ok(s3s_delta_end(&d, &end, &err));
    assert_ptr_equal(end, out.data + out.size);
    int64_t *got = malloc((count + 1) * sizeof *got);
    assert_ok(s3s_delta_get(&d, got, count, &err));
    for (size_t i = 0; i < count; i++) {
        if (width == 8)
            assert_true(got[i] == ((const int64_t *)values)[i]);
        else
            assert_true((uint32_t)got[i] == ((const uint32_t *)values)[i]);
    }
    assert_fails(s3s_delta_get(&d, got, 1, &err), S3STORE_CORRUPT, "more values");
    free(got);
    s3s_buffer_deinit(&out);
}

static void test_delta__writes_every_width_and_count(void **state)
{
    (void)state;
    int64_t wide[400];
    int32_t narrow[400];
    static const size_t counts[] = {0, 1, 2, 31, 32, 33, 34, 128, 129, 130, 257, 400};
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (size_t i = 0; i < 400; i++) { /* at 64: differences wrap */
            wide[i] = (int64_t)(bits == 0 ? 5 : mix(i + bits * 1000) >> (64 - bits));
            narrow[i] = (int32_t)wide[i];
        }
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            check_delta(wide, 8, counts[c]);
            check_delta(narrow, 4, counts[c]);
        }
    }
    int64_t ends[] = {INT64_MIN, INT64_MAX, INT64_MIN, 0, INT64_MAX, -1};
    int32_t ends4[] = {INT32_MIN, INT32_MAX, INT32_MIN, 0, INT32_MAX, -1};
    check_delta(ends, 8, 6);
    check_delta(ends4, 4, 6);
}

/* ---- files ----------------------------------------------------------------------------------- */

typedef enum shape {
    SERIAL,  /* ascending, small steps */
    RANDOM,  /* nothing repeats, nothing is small */
    FEW,     /* many repetitions */
    LATE,    /* no repetition at first, then a few values alone */
} shape;

static int64_t value_of(shape s, size_t row)
{
    uint64_t r = mix(row);
    switch (s) {
    case SERIAL:
        return 1000000 + (int64_t)row * 3 + (int64_t)(r % 3);
    case FEW:
        return (int64_t)(r % 50) * 1000003;
    case LATE:
        return row < 40000 ? (int64_t)r : (int64_t)(r % 4);
    default:
        return (int64_t)r;
    }
}

static void make(const s3s_field *field, shape s, size_t start, size_t rows, struct ArrowArray *out)
{
    s3store_error err;
    struct ArrowArray column;
    size_t width = s3s_type_value_size(field);
    void *buffers[3] = {NULL, NULL, NULL};
    if (field->type == S3S_TYPE_STRING) {
        int32_t *offsets = s3s_calloc(env, rows + 1, sizeof *offsets);
        char *text = s3s_alloc(env, rows * 32 + 1);
        for (size_t i = 0; i < rows; i++)
            offsets[i + 1] = offsets[i] + sprintf(text + offsets[i], "value %lld",
                                                  (long long)value_of(s, start + i));
        buffers[1] = offsets;
        buffers[2] = text;
    } else {
        uint8_t *values = s3s_alloc(env, rows * width + 1);
        for (size_t i = 0; i < rows; i++) {
            int64_t value = value_of(s, start + i);
            double real = (double)value;
            memcpy(values + i * width, field->type == S3S_TYPE_DOUBLE ? (void *)&real : &value,
                   width);
        }
        buffers[1] = values;
    }
    assert_ok(s3s_array_make(env, field, (int64_t)rows, 0, buffers,
                             field->type == S3S_TYPE_STRING ? 3 : 2, NULL, 0, &column, &err));
    assert_ok(s3s_batch_make(env, &column, 1, (int64_t)rows, out, &err));
}

/* The encodings of the data pages of a file of one column, by number, each counted. */
static void page_encodings(const s3s_buffer *file, int32_t counts[S3S_PQ_ENCODING_COUNT])
{
    s3store_error err;
    s3s_arena arena;
    s3s_pq_footer footer;
    uint32_t length;
    memset(counts, 0, S3S_PQ_ENCODING_COUNT * sizeof *counts);
    memcpy(&length, file->data + file->size - 8, 4);
    s3s_arena_init(&arena, env);
    assert_ok(s3s_thrift_read(&s3s_pq_footer_struct, file->data + file->size - 8 - length, length,
                              &arena, SIZE_MAX, &footer, NULL, NULL, &err));
    assert_int_equal(footer.row_groups.count, 1);
    const s3s_pq_row_group *group = footer.row_groups.items;
    const s3s_pq_chunk *chunk = group->columns.items;
    const s3s_pq_encoding_stats *stats = chunk->column.encoding_stats.items;
    const int32_t *listed = chunk->column.encodings.items;
    for (size_t i = 0; i < chunk->column.encoding_stats.count; i++) {
        if (stats[i].page_type == S3S_PQ_DATA_PAGE)
            counts[stats[i].encoding] = stats[i].count;
        bool found = false;
        for (size_t k = 0; k < chunk->column.encodings.count; k++)
            found |= listed[k] == stats[i].encoding;
        assert_true(found);
    }
    s3s_arena_deinit(&arena);
}

/* Writes 60,000 rows in batches of two sizes: the bytes may not depend on that. */
static void write_shape(s3s_type type, shape s, int32_t counts[S3S_PQ_ENCODING_COUNT])
{
    s3store_error err;
    s3s_schema *schema = fixture_one(env, "c", type, false);
    s3s_parquet_write_options options = {.page_bytes = 65536};
    s3s_buffer files[2];
    for (size_t f = 0; f < 2; f++) {
        struct ArrowArray batches[12];
        size_t count = f == 0 ? 12 : 5, rows = 60000 / count;
        for (size_t i = 0; i < count; i++)
            make(&schema->fields[0], s, i * rows, rows, &batches[i]);
        s3s_buffer_init(&files[f], env, SIZE_MAX);
        assert_ok(fixture_write(env, schema, &options, batches, count, &files[f], &err));
        fixture_expect(env, &files[f], schema, batches, count, 10000);
        for (size_t i = 0; i < count; i++)
            s3s_array_release(&batches[i]);
    }
    assert_int_equal(files[0].size, files[1].size);
    assert_memory_equal(files[0].data, files[1].data, files[0].size);
    page_encodings(&files[0], counts);
    s3s_buffer_deinit(&files[0]);
    s3s_buffer_deinit(&files[1]);
    s3s_schema_release(schema);
}

/* Every page in this encoding and no other. */
static void expect_only(s3s_type type, shape s, int32_t encoding)
{
    int32_t counts[S3S_PQ_ENCODING_COUNT];
    write_shape(type, s, counts);
    for (int32_t e = 0; e < S3S_PQ_ENCODING_COUNT; e++)
        if ((counts[e] > 0) != (e == encoding))
            fail_msg("type %d, shape %d: %d pages in encoding %d", (int)type, (int)s, counts[e], e);
}

static void test_writer__each_column_gets_the_encoding_that_pays(void **state)
{
    (void)state;
    expect_only(S3S_TYPE_INT64, SERIAL, S3S_PQ_DELTA_BINARY_PACKED);
    expect_only(S3S_TYPE_INT32, SERIAL, S3S_PQ_DELTA_BINARY_PACKED);
    expect_only(S3S_TYPE_TIMESTAMP, SERIAL, S3S_PQ_DELTA_BINARY_PACKED);
    expect_only(S3S_TYPE_INT64, RANDOM, S3S_PQ_PLAIN);
    expect_only(S3S_TYPE_DOUBLE, SERIAL, S3S_PQ_PLAIN);
    expect_only(S3S_TYPE_INT64, FEW, S3S_PQ_RLE_DICTIONARY);
    expect_only(S3S_TYPE_DOUBLE, FEW, S3S_PQ_RLE_DICTIONARY);
    expect_only(S3S_TYPE_STRING, FEW, S3S_PQ_RLE_DICTIONARY);
    expect_only(S3S_TYPE_STRING, RANDOM, S3S_PQ_DELTA_LENGTH_BYTE_ARRAY);
    expect_only(S3S_TYPE_STRING, SERIAL, S3S_PQ_DELTA_BYTE_ARRAY);
}

/* The choice is made for each page once the dictionary is given up. */
static void test_writer__pages_of_one_column_may_differ(void **state)
{
    (void)state;
    int32_t counts[S3S_PQ_ENCODING_COUNT];
    write_shape(S3S_TYPE_INT64, LATE, counts);
    assert_int_equal(counts[S3S_PQ_RLE_DICTIONARY], 0);
    assert_true(counts[S3S_PQ_PLAIN] > 0);
    assert_true(counts[S3S_PQ_DELTA_BINARY_PACKED] > 0);
}

/* Paths that begin alike, with all that may lie between them: nulls, empty ones, the same again, the
 * beginning of the one before, more than a copy moves at once. */
static void make_paths(const s3s_field *field, size_t rows, struct ArrowArray *out)
{
    s3store_error err;
    struct ArrowArray column;
    int32_t *offsets = s3s_calloc(env, rows + 1, sizeof *offsets);
    uint8_t *valid = s3s_calloc(env, rows / 8 + 1, 1);
    char *text = s3s_alloc(env, rows * 128 + 1);
    int64_t nulls = 0;
    for (size_t i = 0; i < rows; i++) {
        char *at = text + offsets[i];
        int size = sprintf(at, "warehouse/events/region=%02zu/day=2026-%02zu/part-%0*zu.parquet",
                           i / 1000, i / 100 % 10, (int)(5 + i / 300 % 40), i);
        size = i % 11 == 3 ? 0 : i % 13 == 5 ? (int)(i % 50) : size;
        if (i % 17 == 6)
            size = sprintf(at, "warehouse/events/region=%02zu/again", i / 1000);
        bool null = i % 19 == 7;
        nulls += null;
        valid[i / 8] |= (uint8_t)(!null << i % 8);
        offsets[i + 1] = offsets[i] + (null ? 0 : size);
    }
    void *buffers[3] = {valid, offsets, text};
    assert_ok(s3s_array_make(env, field, (int64_t)rows, nulls, buffers, 3, NULL, 0, &column, &err));
    assert_ok(s3s_batch_make(env, &column, 1, (int64_t)rows, out, &err));
}

/* The bytes are golden, as those of test_writer__golden_bytes. */
static void test_writer__prefixes_that_strings_share_are_left_out(void **state)
{
    (void)state;
    s3store_error err;
    static const char *const golden[] = {"66443 f18883dc6c500eb3", "66437 af1e724e116f66ea"};
    static const s3s_type types[] = {S3S_TYPE_STRING, S3S_TYPE_BINARY};
    for (size_t t = 0; t < 2; t++) {
        s3s_schema *schema = fixture_one(env, "path", types[t], true);
        struct ArrowArray batch;
        s3s_buffer file;
        int32_t counts[S3S_PQ_ENCODING_COUNT];
        char text[64];
        make_paths(&schema->fields[0], 4000, &batch);
        s3s_parquet_write_options options = {.compression = S3STORE_COMPRESSION_UNCOMPRESSED,
                                             .page_bytes = 30000, .no_dictionary = true};
        s3s_buffer_init(&file, env, SIZE_MAX);
        assert_ok(fixture_write(env, schema, &options, &batch, 1, &file, &err));
        page_encodings(&file, counts);
        assert_true(counts[S3S_PQ_DELTA_BYTE_ARRAY] > 5);
        for (int64_t max_rows = 0; max_rows < 2000; max_rows = max_rows * 9 + 7)
            fixture_expect(env, &file, schema, &batch, 1, max_rows);
        snprintf(text, sizeof text, "%zu %016llx", file.size,
                 (unsigned long long)s3s_xxh64(file.data, file.size, 0));
        assert_string_equal(text, golden[t]);
        s3s_buffer_deinit(&file);
        s3s_array_release(&batch);
        s3s_schema_release(schema);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_delta__writes_every_width_and_count),
        T(test_writer__each_column_gets_the_encoding_that_pays),
        T(test_writer__pages_of_one_column_may_differ),
        T(test_writer__prefixes_that_strings_share_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
