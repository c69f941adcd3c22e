/* Keys whose bytes order as the values do. */
#include <math.h>

#include "unit/arrow/kit.h"

#include "arrow/sortkey.h"

/* Rows that are given in ascending order must have ascending keys; in every pair. */
static void check_ascending(s3s_schema *schema, const struct ArrowArray *batch)
{
    s3store_error err;
    s3s_sort_keys keys;
    size_t columns[8];
    for (size_t i = 0; i < schema->field_count; i++)
        columns[i] = i;
    assert_ok(s3s_sort_keys_make(schema->env, schema, batch, columns, schema->field_count, &keys,
                                 &err));
    assert_int_equal(keys.row_count, batch->length);
    assert_int_equal(keys.offsets[0], 0);
    for (size_t a = 0; a < keys.row_count; a++)
        for (size_t b = 0; b < keys.row_count; b++) {
            int order = s3s_sort_keys_compare(&keys, a, &keys, b);
            int wanted = (a > b) - (a < b);
            if ((order > 0) - (order < 0) != wanted)
                fail_msg("rows %zu and %zu of\n%s", a, b, kit_text(schema, batch));
        }
    s3s_sort_keys_deinit(&keys);
}

static void ascending(s3s_env *env, const char *spec, const char *const *rows, size_t count)
{
    s3s_schema *schema = kit_schema(env, spec);
    struct ArrowArray batch;
    kit_batch(schema, rows, count, &batch);
    check_ascending(schema, &batch);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

#define ROWS(...)                                                                                  \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void test_sortkey__single_columns_order_as_their_values(void **state)
{
    s3s_env *env = *state;
    ascending(env, "a:int8?", ROWS("null", "-128", "-1", "0", "1", "127"));
    ascending(env, "a:int16?", ROWS("null", "-32768", "-256", "-1", "0", "255", "256"));
    ascending(env, "a:int32?", ROWS("null", "-2147483648", "-1", "0", "65536", "2147483647"));
    ascending(env, "a:int64", ROWS("-9223372036854775808", "-1", "0", "9223372036854775807"));
    ascending(env, "a:uint8", ROWS("0", "127", "128", "255"));
    ascending(env, "a:uint64", ROWS("0", "9223372036854775807", "18446744073709551615"));
    ascending(env, "a:bool?", ROWS("null", "false", "true"));
    ascending(env, "a:date", ROWS("-1000", "-1", "0", "20000"));
    ascending(env, "a:timestamp(us, UTC)", ROWS("-5", "0", "1700000000000000"));
    ascending(env, "a:float?", ROWS("null", "-inf", "-2.5", "-1e-40", "0", "1e-40", "3", "inf",
                                    "nan"));
    ascending(env, "a:double", ROWS("-inf", "-1e300", "-1", "0", "5e-324", "1", "inf", "nan"));
    ascending(env, "a:float16", ROWS("-inf", "-1", "0", "0.5", "65504", "inf", "nan"));
    ascending(env, "a:string?", ROWS("null", "", "a", "aa", "ab", "b", "\xc3\xa9"));
    ascending(env, "a:large_binary", ROWS("", "\x01", "\x01\x01", "\xff"));
    ascending(env, "a:fixed_binary(2)?", ROWS("null", "aa", "ab", "ba"));
    ascending(env, "a:decimal(18, 2)?", ROWS("null", "-256", "-255", "-1", "0", "1", "256"));
    ascending(env, "a:decimal32(9, 0)", ROWS("-999999999", "-1", "0", "999999999"));
    ascending(env, "a:decimal256(60, 0)", ROWS("-5", "-1", "0", "7"));
}

static void test_sortkey__columns_are_compared_one_after_the_other(void **state)
{
    s3s_env *env = *state;
    ascending(env, "a:string?;b:int64?",
              ROWS("null|null", "null|5", "|null", "|1", "a|null", "a|-1", "a|7", "ab|-9",
                   "b|-9"));
    ascending(env, "a:string;b:string", ROWS("|", "|b", "a|", "a|b", "ab|", "ab|c", "b|"));
    ascending(env, "a:int32?;b:bool;c:string?",
              ROWS("null|false|x", "null|true|null", "-1|false|z", "1|false|null", "1|false|",
                   "1|true|a"));
    ascending(env, "a:null?;b:string;c:double", ROWS("null|a|-1", "null|a|1", "null|aa|-5"));
    ascending(env, "a:int64?;b:int64?",
              ROWS("null|null", "null|-1", "null|0", "-1|null", "0|-5", "0|5"));
}

static void append(s3store_builder *b, const void *data, size_t size, const void *data2,
                   size_t size2)
{
    s3store_error err;
    assert_ok(s3store_builder_append_bytes(b, 0, data, size, &err));
    assert_ok(s3store_builder_append_bytes(b, 1, data2, size2, &err));
}

static void test_sortkey__zero_bytes_do_not_run_across_columns(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:binary;b:binary");
    s3store_builder *b;
    struct ArrowArray batch;
    assert_ok(s3s_builder_new(env, schema, &b, &err));
    append(b, "", 0, "\xff", 1);
    append(b, "\0", 1, "", 0);
    append(b, "\0", 1, "\0", 1);
    append(b, "\0", 1, "\xff\xff", 2);
    append(b, "\0\0", 2, "", 0);
    append(b, "\0\0\x01", 3, "", 0);
    append(b, "\0\x01", 2, "", 0);
    append(b, "\0\xff", 2, "\0", 1);
    append(b, "\x01", 1, "", 0);
    append(b, "a", 1, "\xff", 1);
    append(b, "a\0", 2, "", 0);
    append(b, "a\0b", 3, "", 0);
    append(b, "a\x01", 2, "", 0);
    assert_ok(s3store_builder_finish(b, &batch, &err));
    check_ascending(schema, &batch);
    s3store_builder_free(b);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_sortkey__zero_and_nan_are_one_value_each(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:double");
    s3store_builder *b;
    struct ArrowArray batch;
    s3s_sort_keys keys;
    const size_t column = 0;
    assert_ok(s3s_builder_new(env, schema, &b, &err));
    assert_ok(s3store_builder_append_double(b, 0, 0.0, &err));
    assert_ok(s3store_builder_append_double(b, 0, -0.0, &err));
    assert_ok(s3store_builder_append_double(b, 0, (double)NAN, &err));
    assert_ok(s3store_builder_append_double(b, 0, -(double)NAN, &err));
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_ok(s3s_sort_keys_make(env, schema, &batch, &column, 1, &keys, &err));
    assert_int_equal(s3s_sort_keys_compare(&keys, 0, &keys, 1), 0);
    assert_int_equal(s3s_sort_keys_compare(&keys, 2, &keys, 3), 0);
    s3s_sort_keys_deinit(&keys);
    s3store_builder_free(b);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_sortkey__keys_of_two_batches_compare(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *strict = kit_schema(env, "s:string;v:int64");
    s3s_schema *loose = kit_schema(env, "v:int64?;s:string?");
    struct ArrowArray a;
    struct ArrowArray b;
    s3s_sort_keys ka;
    s3s_sort_keys kb;
    const size_t ca[] = {0, 1};
    const size_t cb[] = {1, 0};
    KIT_BATCH(strict, &a, "k|1", "k|3", "m|0");
    KIT_BATCH(loose, &b, "1|k", "2|k", "null|null", "0|m");
    b.offset = 1; /* begins with the second */
    b.length = 3;
    assert_ok(s3s_sort_keys_make(env, strict, &a, ca, 2, &ka, &err));
    assert_ok(s3s_sort_keys_make(env, loose, &b, cb, 2, &kb, &err));
    assert_true(s3s_sort_keys_compare(&ka, 0, &kb, 0) < 0);
    assert_true(s3s_sort_keys_compare(&ka, 1, &kb, 0) > 0);
    assert_true(s3s_sort_keys_compare(&ka, 0, &kb, 1) > 0);
    assert_int_equal(s3s_sort_keys_compare(&ka, 2, &kb, 2), 0);
    s3s_sort_keys_deinit(&ka);
    s3s_sort_keys_deinit(&kb);
    s3s_array_release(&a);
    s3s_array_release(&b);
    s3s_schema_release(strict);
    s3s_schema_release(loose);
}

/* One key by the letter of the rules: a string that ends nothing is escaped and ended. */
static size_t slow_key(const s3s_column *columns, size_t count, int64_t row, uint8_t *out)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        bool null = s3s_column_is_null(&columns[i], row);
        s3store_bytes value = s3s_column_bytes(&columns[i], row);
        out[size++] = !null;
        for (size_t b = 0; b < value.size; b++) {
            uint8_t byte = ((const uint8_t *)value.data)[b];
            out[size++] = byte;
            if (byte == 0 && i + 1 < count)
                out[size++] = 0xff;
        }
        if (!null && i + 1 < count) {
            out[size++] = 0;
            out[size++] = 0;
        }
    }
    return size;
}

static void check_keys(s3s_schema *schema, const struct ArrowArray *batch, const s3s_sort_keys *keys)
{
    s3s_column columns[2];
    uint8_t wanted[256];
    for (size_t i = 0; i < 2; i++)
        s3s_batch_column(schema, batch, i, &columns[i]);
    assert_int_equal(keys->row_count, batch->length);
    for (size_t row = 0; row < keys->row_count; row++) {
        size_t size = slow_key(columns, 2, (int64_t)row, wanted);
        assert_int_equal(keys->offsets[row + 1] - keys->offsets[row], size);
        assert_memory_equal(keys->bytes + keys->offsets[row], wanted, size);
    }
}

/* Strings of every length, with nulls and with zero bytes or without; in memory that is used again, of
 * larger and smaller batches and of slices. */
static void test_sortkey__bytes_of_any_length_are_as_described_also_when_made_again(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:binary?;b:large_binary?");
    s3s_sort_keys keys = {.env = env};
    const size_t columns[] = {0, 1}, lengths[] = {40, 3, 0, 41, 200};
    for (size_t round = 0; round < 10; round++) {
        s3store_builder *b;
        struct ArrowArray batch;
        assert_ok(s3s_builder_new(env, schema, &b, &err));
        for (size_t row = 0; row < lengths[round / 2]; row++) {
            uint8_t bytes[64];
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)(round % 2 == 1 && (row + i) % 3 == 0 ? 0 : 1 + row + i);
            for (size_t c = 0; c < 2; c++) {
                if ((row + c) % 11 == 10)
                    assert_ok(s3store_builder_append_null(b, c, &err));
                else
                    assert_ok(s3store_builder_append_bytes(b, c, bytes, (row + 7 * c) % 41, &err));
            }
        }
        assert_ok(s3store_builder_finish(b, &batch, &err));
        for (int64_t cut = 0; cut < 3 && cut <= batch.length; cut++) {
            batch.offset += cut;
            batch.length -= cut;
            assert_ok(s3s_sort_keys_remake(schema, &batch, columns, 2, &keys, &err));
            check_keys(schema, &batch, &keys);
        }
        s3store_builder_free(b);
        s3s_array_release(&batch);
    }
    s3s_sort_keys_deinit(&keys);
    s3s_schema_release(schema);
}

static void test_sortkey__types_without_an_order_name_the_column(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    s3s_sort_keys keys;
    const size_t columns[] = {0, 3};
    kit_nested(env, &schema, &batch);
    assert_fails(s3s_sort_keys_make(env, schema, &batch, columns, 2, &keys, &err),
                 S3STORE_UNSUPPORTED, "column \"m\" of type map<string, int64>");
    assert_null(keys.bytes);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sortkey__single_columns_order_as_their_values),
        TEST(test_sortkey__columns_are_compared_one_after_the_other),
        TEST(test_sortkey__zero_bytes_do_not_run_across_columns),
        TEST(test_sortkey__zero_and_nan_are_one_value_each),
        TEST(test_sortkey__keys_of_two_batches_compare),
        TEST(test_sortkey__bytes_of_any_length_are_as_described_also_when_made_again),
        TEST(test_sortkey__types_without_an_order_name_the_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
