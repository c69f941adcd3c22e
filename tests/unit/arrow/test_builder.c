/* The public builder. */
#include <math.h>

#include "unit/arrow/kit.h"

/* A builder over one column of this type text. */
static s3store_builder *one(s3s_env *env, const char *type, s3s_schema **schema)
{
    s3store_error err;
    s3store_builder *builder;
    char spec[64];
    snprintf(spec, sizeof spec, "c:%s", type);
    *schema = kit_schema(env, spec);
    assert_ok(s3s_builder_new(env, *schema, &builder, &err));
    return builder;
}

static void test_builder__integers_are_checked_by_column_type(void **state)
{
    static const struct {
        const char *type;
        int64_t min;
        int64_t max;
    } cases[] = {
        {"int8", -128, 127},
        {"int16", -32768, 32767},
        {"int32", INT32_MIN, INT32_MAX},
        {"uint8", 0, 255},
        {"uint16", 0, 65535},
        {"uint32", 0, UINT32_MAX},
        {"date", INT32_MIN, INT32_MAX},
        {"time(ms)", 0, 86399999},
        {"time(us)", 0, INT64_C(86399999999)},
    };
    s3store_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s3s_schema *schema;
        s3store_builder *b = one(*state, cases[i].type, &schema);
        struct ArrowArray batch;
        char wanted[64];
        assert_ok(s3store_builder_append_int(b, 0, cases[i].min, &err));
        assert_ok(s3store_builder_append_int(b, 0, cases[i].max, &err));
        assert_fails(s3store_builder_append_int(b, 0, cases[i].max + 1, &err),
                     S3STORE_INVALID_ARGUMENT, "column \"c\", row 2");
        assert_fails(s3store_builder_append_int(b, 0, cases[i].min - 1, &err),
                     S3STORE_INVALID_ARGUMENT, "out of the range");
        assert_fails(s3store_builder_append_uint(b, 0, (uint64_t)cases[i].max + 1, &err),
                     S3STORE_INVALID_ARGUMENT, "out of the range");
        assert_int_equal(s3store_builder_rows(b), 2);
        assert_ok(s3store_builder_finish(b, &batch, &err));
        snprintf(wanted, sizeof wanted, "%lld\n%lld\n", (long long)cases[i].min,
                 (long long)cases[i].max);
        assert_string_equal(kit_text(schema, &batch), wanted);
        s3s_array_release(&batch);
        s3store_builder_free(b);
        s3s_schema_release(schema);
    }
}

static void test_builder__the_largest_integers_fit(void **state)
{
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    s3store_builder *b = one(*state, "uint64", &schema);
    assert_ok(s3store_builder_append_uint(b, 0, UINT64_MAX, &err));
    assert_ok(s3store_builder_append_int(b, 0, INT64_MAX, &err));
    assert_fails(s3store_builder_append_int(b, 0, -1, &err), S3STORE_INVALID_ARGUMENT, "-1");
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_string_equal(kit_text(schema, &batch), "18446744073709551615\n9223372036854775807\n");
    s3s_array_release(&batch);
    s3store_builder_free(b);
    s3s_schema_release(schema);
    b = one(*state, "timestamp(ns, UTC)", &schema);
    assert_ok(s3store_builder_append_int(b, 0, INT64_MIN, &err));
    assert_fails(s3store_builder_append_uint(b, 0, UINT64_MAX, &err), S3STORE_INVALID_ARGUMENT,
                 "18446744073709551615");
    s3store_builder_free(b);
    s3s_schema_release(schema);
}

static void test_builder__values_of_another_kind_are_refused(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "i:int64;s:string;b:bool;d:double;f:fixed_binary(2)");
    s3store_builder *b;
    assert_ok(s3s_builder_new(*state, schema, &b, &err));
    assert_fails(s3store_builder_append_bytes(b, 0, "x", 1, &err), S3STORE_INVALID_ARGUMENT,
                 "\"i\" (int64)");
    assert_fails(s3store_builder_append_int(b, 1, 1, &err), S3STORE_INVALID_ARGUMENT, "\"s\"");
    assert_fails(s3store_builder_append_int(b, 2, 1, &err), S3STORE_INVALID_ARGUMENT, "\"b\"");
    assert_fails(s3store_builder_append_int(b, 3, 1, &err), S3STORE_INVALID_ARGUMENT, "\"d\"");
    assert_fails(s3store_builder_append_double(b, 0, 1, &err), S3STORE_INVALID_ARGUMENT, "\"i\"");
    assert_fails(s3store_builder_append_bool(b, 0, true, &err), S3STORE_INVALID_ARGUMENT, "\"i\"");
    assert_fails(s3store_builder_append_bytes(b, 4, "abc", 3, &err), S3STORE_INVALID_ARGUMENT,
                 "another size");
    assert_fails(s3store_builder_append_bytes(b, 1, "\xff", 1, &err), S3STORE_INVALID_ARGUMENT,
                 "UTF-8");
    assert_fails(s3store_builder_append_bytes(b, 1, NULL, 1, &err), S3STORE_INVALID_ARGUMENT,
                 "missing");
    assert_fails(s3store_builder_append_null(b, 1, &err), S3STORE_INVALID_ARGUMENT,
                 "not nullable");
    assert_fails(s3store_builder_append_int(b, 5, 1, &err), S3STORE_INVALID_ARGUMENT, "column 5");
    assert_fails(s3store_builder_append_int(NULL, 0, 1, &err), S3STORE_INVALID_ARGUMENT, "builder");
    assert_int_equal(s3store_builder_bytes(b), 0);
    s3store_builder_free(b);
    s3s_schema_release(schema);
}

static void test_builder__floats_keep_their_range(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "h:float16;f:float;d:double");
    s3store_builder *b;
    struct ArrowArray batch;
    const double values[] = {0.0, -0.0, 1.0, 65504.0, -2.5, 6.103515625e-5, 5.9604644775390625e-8,
                             0.333251953125, (double)INFINITY, -(double)INFINITY};
    size_t count = sizeof values / sizeof *values;
    assert_ok(s3s_builder_new(*state, schema, &b, &err));
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++)
            assert_ok(s3store_builder_append_double(b, c, values[i], &err));
    for (size_t c = 0; c < 3; c++)
        assert_ok(s3store_builder_append_double(b, c, (double)NAN, &err));
    assert_fails(s3store_builder_append_double(b, 0, 65520.0, &err), S3STORE_INVALID_ARGUMENT,
                 "\"h\"");
    assert_fails(s3store_builder_append_double(b, 1, 1e39, &err), S3STORE_INVALID_ARGUMENT,
                 "\"f\"");
    assert_ok(s3store_builder_finish(b, &batch, &err));
    for (size_t c = 0; c < 3; c++) {
        s3s_column column;
        s3s_batch_column(schema, &batch, c, &column);
        for (size_t i = 0; i < count; i++) {
            double got = s3s_column_double(&column, (int64_t)i);
            double want = c == 1 ? (double)(float)values[i] : values[i];
            if (memcmp(&got, &want, 8) != 0)
                fail_msg("column %zu value %zu: %g instead of %g", c, i, got, want);
        }
        assert_true(isnan(s3s_column_double(&column, (int64_t)count)));
    }
    s3s_array_release(&batch);
    s3store_builder_free(b);
    s3s_schema_release(schema);
}

static void test_builder__half_floats_round_to_nearest_even(void **state)
{
    static const struct {
        double value;
        uint16_t half;
    } cases[] = {
        {1.0 + 1.0 / 2048, 0x3C00},         {1.0 + 3.0 / 2048, 0x3C02},
        {1.0 + 1.0 / 2048 + 1e-9, 0x3C01},  {2.9802322387695312e-8, 0x0000},
        {2.9802322387695316e-8, 0x0001},    {65519.99, 0x7BFF},
        {2047.75, 0x6800},                  {6.1e-5, 0x03FF},
        {6.1035e-5, 0x0400},
    };
    s3store_error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s3s_schema *schema;
        struct ArrowArray batch;
        s3store_builder *b = one(*state, "float16", &schema);
        assert_ok(s3store_builder_append_double(b, 0, cases[i].value, &err));
        assert_ok(s3store_builder_finish(b, &batch, &err));
        assert_int_equal(*(const uint16_t *)batch.children[0]->buffers[1], cases[i].half);
        s3s_array_release(&batch);
        s3store_builder_free(b);
        s3s_schema_release(schema);
    }
}

static void test_builder__finish_wants_columns_of_one_length_and_keeps_the_rows(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "a:int64;b:string?");
    s3store_builder *b;
    struct ArrowArray batch;
    assert_ok(s3s_builder_new(*state, schema, &b, &err));
    for (int i = 0; i < 3; i++)
        assert_ok(s3store_builder_append_int(b, 0, i, &err));
    assert_ok(s3store_builder_append_bytes(b, 1, "x", 1, &err));
    assert_int_equal(s3store_builder_rows(b), 1);
    assert_fails(s3store_builder_finish(b, &batch, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"b\" has 1");
    assert_null(batch.release);
    assert_ok(s3store_builder_append_null(b, 1, &err));
    assert_ok(s3store_builder_append_bytes(b, 1, NULL, 0, &err));
    assert_true(s3store_builder_bytes(b) >= 3 * 8 + 4 * 4 + 1);
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_string_equal(kit_text(schema, &batch), "0|x\n1|null\n2|\n");
    assert_int_equal(batch.children[1]->null_count, 1);
    s3s_array_release(&batch);
    /* Empty and usable again. */
    assert_int_equal(s3store_builder_rows(b), 0);
    assert_int_equal(s3store_builder_bytes(b), 0);
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_int_equal(batch.length, 0);
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    assert_non_null(batch.children[1]->buffers[1]);
    s3s_array_release(&batch);
    assert_ok(s3store_builder_append_int(b, 0, 9, &err));
    assert_ok(s3store_builder_append_bytes(b, 1, "yy", 2, &err));
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_string_equal(kit_text(schema, &batch), "9|yy\n");
    assert_null(batch.children[1]->buffers[0]);
    s3s_array_release(&batch);
    s3store_builder_free(b);
    s3s_schema_release(schema);
}

static void test_builder__many_values_with_nulls_of_all_layouts(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(*state, "b:bool?;i:int32?;s:large_string?;n:null?");
    s3store_builder *b;
    struct ArrowArray batch;
    assert_ok(s3s_builder_new(*state, schema, &b, &err));
    for (int i = 0; i < 10000; i++) {
        if (i % 13 == 12) {
            for (size_t c = 0; c < 3; c++)
                assert_ok(s3store_builder_append_null(b, c, &err));
        } else {
            assert_ok(s3store_builder_append_bool(b, 0, i % 2 == 0, &err));
            assert_ok(s3store_builder_append_int(b, 1, i, &err));
            assert_ok(s3store_builder_append_bytes(b, 2, "0123456789", (size_t)(i % 11), &err));
        }
        assert_ok(s3store_builder_append_null(b, 3, &err));
    }
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    s3s_column c[3];
    for (size_t k = 0; k < 3; k++)
        s3s_batch_column(schema, &batch, k, &c[k]);
    for (int i = 0; i < 10000; i++) {
        bool null = i % 13 == 12;
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(s3s_column_is_null(&c[k], i), null);
        if (null)
            continue;
        assert_int_equal(s3s_column_bool(&c[0], i), i % 2 == 0);
        assert_int_equal(s3s_column_int(&c[1], i), i);
        assert_int_equal(s3s_column_bytes(&c[2], i).size, i % 11);
    }
    assert_int_equal(batch.children[0]->null_count, 769);
    s3s_array_release(&batch);
    s3store_builder_free(b);
    s3s_schema_release(schema);
}

static void test_builder__public_door_takes_an_abi_schema(void **state)
{
    (void)state;
    s3store_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    s3store_builder *b;
    assert_ok(s3store_schema_new(2, &schema, &err));
    assert_ok(s3store_schema_add(&schema, "t", "tsu:UTC", false, &err));
    assert_ok(s3store_schema_add(&schema, "s", "u", true, &err));
    assert_ok(s3store_builder_new(&schema, &b, &err));
    assert_non_null(schema.release); /* borrowed */
    schema.release(&schema);
    assert_ok(s3store_builder_append_int(b, 0, 1, &err));
    assert_ok(s3store_builder_append_null(b, 1, &err));
    assert_ok(s3store_builder_finish(b, &batch, &err));
    s3store_builder_free(b);
    s3store_builder_free(NULL);
    assert_int_equal(batch.n_children, 2);
    assert_int_equal(*(const int64_t *)batch.children[0]->buffers[1], 1);
    batch.release(&batch);
    assert_fails(s3store_builder_new(&schema, &b, &err), S3STORE_INVALID_ARGUMENT, "released");
    assert_null(b);
}

/* kit_batch goes through the builder. */
static void test_builder__nested_values_come_back(void **state)
{
    s3store_error err;
    s3s_schema *schema = kit_schema(
        *state, "l:list<int32>?;s:struct<a: string, b: large_list<string>>?;m:map<string, int64>?;"
                "d:list<struct<x: bool, y: map<int8, list<double>>>>?");
    struct ArrowArray batch;
    for (int round = 0; round < 2; round++) {
        KIT_BATCH(schema, &batch, "[1,null,3]|{x,[p,q]}|[{k1,1},{k2,null}]|[{true,[{1,[0.5]}]},null]",
                  "null|null|null|null", "[]|{null,null}|[]|[]",
                  "[7]|{y,[]}|[{k,2}]|[{null,null},{false,[]}]");
        assert_ok(s3s_batch_validate(schema, &batch, &err));
        assert_string_equal(kit_text(schema, &batch),
                            "[1,null,3]|{x,[p,q]}|[{k1,1},{k2,null}]|[{true,[{1,[0.5]}]},null]\n"
                            "null|null|null|null\n[]|{null,null}|[]|[]\n"
                            "[7]|{y,[]}|[{k,2}]|[{null,null},{false,[]}]\n");
        s3s_array_release(&batch);
    }
    KIT_BATCH(schema, &batch, "null|null|null|null");
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    s3s_array_release(&batch);
    kit_batch(schema, NULL, 0, &batch);
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    assert_string_equal(kit_text(schema, &batch), "");
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_builder__half_a_nested_value_is_refused(void **state)
{
    s3store_error err;
    s3s_schema *schema =
        kit_schema(*state, "s:struct<a: int64, b: int64>?;l:list<int64>?;m:map<int8, int8>?");
    struct ArrowArray batch;
    s3store_builder *b, *s, *l, *m;
    assert_ok(s3s_builder_new(*state, schema, &b, &err));
    s = s3store_builder_child(b, 0);
    l = s3store_builder_child(b, 1);
    m = s3store_builder_child(b, 2);
    assert_null(s3store_builder_child(s, 0));
    assert_null(s3store_builder_child(b, 3));
    assert_null(s3store_builder_child(NULL, 0));
    assert_fails(s3store_builder_append_nested(s, 0, &err), S3STORE_INVALID_ARGUMENT, "not nested");
    assert_ok(s3store_builder_append_int(s, 0, 1, &err));
    assert_fails(s3store_builder_append_nested(b, 0, &err), S3STORE_INVALID_ARGUMENT,
                 "\"s\", row 0: \"b\" has 0 values instead of 1");
    assert_fails(s3store_builder_append_null(b, 0, &err), S3STORE_INVALID_ARGUMENT,
                 "\"a\" has 1 values instead of 0");
    assert_ok(s3store_builder_append_int(s, 1, 2, &err));
    assert_ok(s3store_builder_append_nested(b, 0, &err));
    assert_ok(s3store_builder_append_int(l, 0, 3, &err));
    assert_fails(s3store_builder_append_null(b, 1, &err), S3STORE_INVALID_ARGUMENT, "\"l\", row 0");
    assert_ok(s3store_builder_append_nested(b, 1, &err));
    assert_ok(s3store_builder_append_int(l, 0, 4, &err)); /* of a list that is not appended */
    assert_ok(s3store_builder_append_int(m, 0, 4, &err));
    assert_fails(s3store_builder_append_nested(b, 2, &err), S3STORE_INVALID_ARGUMENT,
                 "\"value\" has 0 values");
    assert_fails(s3store_builder_append_null(m, 0, &err), S3STORE_INVALID_ARGUMENT, "key");
    assert_ok(s3store_builder_append_null(m, 1, &err));
    assert_ok(s3store_builder_append_nested(b, 2, &err));
    assert_fails(s3store_builder_finish(b, &batch, &err), S3STORE_INVALID_ARGUMENT, "\"l\"");
    assert_fails(s3store_builder_finish(l, &batch, &err), S3STORE_INVALID_ARGUMENT, "nested");
    s3store_builder_free(l); /* the column's: nothing happens */
    assert_ok(s3store_builder_append_nested(b, 1, &err));
    assert_ok(s3store_builder_append_null(b, 0, &err));
    assert_ok(s3store_builder_append_null(b, 2, &err));
    assert_int_equal(s3store_builder_rows(b), 2);
    assert_true(s3store_builder_bytes(b) > 8 * 4);
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_string_equal(kit_text(schema, &batch), "{1,2}|[3]|[{4,null}]\nnull|[4]|null\n");
    s3s_array_release(&batch);
    s3store_builder_free(b);
    s3s_schema_release(schema);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_builder__integers_are_checked_by_column_type),
        TEST(test_builder__the_largest_integers_fit),
        TEST(test_builder__values_of_another_kind_are_refused),
        TEST(test_builder__floats_keep_their_range),
        TEST(test_builder__half_floats_round_to_nearest_even),
        TEST(test_builder__finish_wants_columns_of_one_length_and_keeps_the_rows),
        TEST(test_builder__many_values_with_nulls_of_all_layouts),
        TEST(test_builder__public_door_takes_an_abi_schema),
        TEST(test_builder__nested_values_come_back),
        TEST(test_builder__half_a_nested_value_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
