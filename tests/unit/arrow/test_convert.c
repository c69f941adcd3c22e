/* Batches into the shape of another schema. */
#include <math.h>

#include "unit/arrow/kit.h"

/* One column of `from`, one value per row, converted to `to`: the text, or the failure. */
static void convert(s3s_env *env, const char *from, const char *to, const char *const *rows,
                    size_t count, const char *expected)
{
    s3store_error err;
    char spec[64];
    snprintf(spec, sizeof spec, "c:%s?", from);
    s3s_schema *a = kit_schema(env, spec);
    snprintf(spec, sizeof spec, "c:%s?", to);
    s3s_schema *b = kit_schema(env, spec);
    struct ArrowArray batch;
    struct ArrowArray out;
    kit_batch(a, rows, count, &batch);
    if (expected != NULL) {
        assert_ok(s3s_batch_convert(env, a, &batch, b, "file x", &out, &err));
        assert_ok(s3s_batch_validate(b, &out, &err));
        if (strcmp(kit_text(b, &out), expected) != 0)
            fail_msg("%s to %s: %s", from, to, kit_text(b, &out));
        s3s_array_release(&out);
    } else {
        assert_fails(s3s_batch_convert(env, a, &batch, b, "file x", &out, &err),
                     S3STORE_SCHEMA_MISMATCH, "file x: column \"c\"");
        assert_null(out.release);
        assert_non_null(strstr(err.message, from));
        assert_non_null(strstr(err.message, to));
    }
    s3s_array_release(&batch);
    s3s_schema_release(a);
    s3s_schema_release(b);
}

#define ROWS(...)                                                                                  \
    (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void test_convert__loss_free_widenings(void **state)
{
    s3s_env *env = *state;
    convert(env, "int8", "int16", ROWS("-128", "null", "127"), "-128\nnull\n127\n");
    convert(env, "int8", "int64", ROWS("-128", "null", "127"), "-128\nnull\n127\n");
    convert(env, "int16", "int32", ROWS("-32768"), "-32768\n");
    convert(env, "int32", "int64", ROWS("-2147483648", "5"), "-2147483648\n5\n");
    convert(env, "uint8", "int16", ROWS("255"), "255\n");
    convert(env, "uint16", "uint32", ROWS("65535"), "65535\n");
    convert(env, "uint32", "int64", ROWS("4294967295"), "4294967295\n");
    convert(env, "uint8", "uint64", ROWS("255"), "255\n");
    convert(env, "uint64", "int64", ROWS("9223372036854775807", "null", "0"),
            "9223372036854775807\nnull\n0\n");
    convert(env, "int32", "uint64", ROWS("2147483647", "null"), "2147483647\nnull\n");
    convert(env, "int64", "uint64", ROWS("9223372036854775807", "null", "0"),
            "9223372036854775807\nnull\n0\n");
    convert(env, "int64", "double", ROWS("9007199254740992", "-3", "null", "-9007199254740992"),
            "9007199254740992\n-3\nnull\n-9007199254740992\n");
    convert(env, "uint64", "double", ROWS("9007199254740992"), "9007199254740992\n");
    convert(env, "int32", "float", ROWS("16777216", "-7"), "16777216\n-7\n");
    convert(env, "float", "double", ROWS("0.5", "null"), "0.5\nnull\n");
    convert(env, "float16", "float", ROWS("0.5"), "0.5\n");
    convert(env, "float16", "double", ROWS("-2.25"), "-2.25\n");
    convert(env, "timestamp(s, UTC)", "timestamp(us, UTC)", ROWS("-3", "null", "7"),
            "-3000000\nnull\n7000000\n");
    convert(env, "timestamp(ms)", "timestamp(ns)", ROWS("1"), "1000000\n");
    convert(env, "string", "large_string", ROWS("a", "null", ""), "a\nnull\n\n");
    convert(env, "large_string", "string", ROWS("a", "null", "xyz"), "a\nnull\nxyz\n");
    convert(env, "large_binary", "binary", ROWS("a"), "a\n");
    convert(env, "string", "json", ROWS("{}"), "{}\n");
    convert(env, "null", "int64", ROWS("null", "null"), "null\nnull\n");
    convert(env, "decimal(18, 2)", "decimal(18, 2)", ROWS("5"), "5\n");
}

static void test_convert__anything_else_names_file_column_and_types(void **state)
{
    s3s_env *env = *state;
    convert(env, "int16", "int8", ROWS("1"), NULL);
    convert(env, "int32", "uint32", ROWS("1"), NULL);
    convert(env, "uint64", "int32", ROWS("1"), NULL);
    convert(env, "uint32", "int32", ROWS("1"), NULL);
    convert(env, "double", "float", ROWS("1"), NULL);
    convert(env, "double", "int64", ROWS("1"), NULL);
    convert(env, "bool", "int8", ROWS("true"), NULL);
    convert(env, "string", "binary", ROWS("x"), NULL);
    convert(env, "binary", "string", ROWS("x"), NULL);
    convert(env, "date", "timestamp(us, UTC)", ROWS("1"), NULL);
    convert(env, "date", "int32", ROWS("1"), NULL);
    convert(env, "timestamp(us)", "timestamp(us, UTC)", ROWS("1"), NULL);
    convert(env, "timestamp(us, UTC)", "timestamp(ms, UTC)", ROWS("1"), NULL);
    convert(env, "fixed_binary(1)", "fixed_binary(2)", ROWS("x"), NULL);
    convert(env, "decimal(18, 2)", "decimal(18, 3)", ROWS("1"), NULL);
    convert(env, "int64", "timestamp(us, UTC)", ROWS("1"), NULL);
}

static void test_convert__a_value_that_does_not_fit_names_its_row(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    static const struct {
        const char *from;
        const char *to;
        const char *row0;
        const char *row1;
        const char *value;
    } cases[] = {
        {"a:int64", "a:double", "1", "9007199254740993", "9007199254740993"},
        {"a:int64", "a:double", "1", "-9007199254740993", "-9007199254740993"},
        /* exact, but beyond 2^53: the content hash would change */
        {"a:int64", "a:double", "1", "9007199254740994", "9007199254740994"},
        {"a:int64", "a:double", "1", "-9223372036854775808", "-9223372036854775808"},
        {"a:int64", "a:float", "1", "1152921504606846976", "1152921504606846976"},
        {"a:uint64", "a:float", "1", "16777217", "16777217"},
        {"a:int64", "a:uint64", "1", "-1", "-1 of type int64"},
        {"a:int8", "a:uint64", "1", "-128", "-128 of type int8"},
        {"a:uint64", "a:int64", "1", "18446744073709551615", "18446744073709551615"},
        {"a:int32", "a:float", "1", "-16777217", "-16777217"},
        {"a:timestamp(s)", "a:timestamp(ns)", "1", "9223372037", "9223372037"},
        {"a:timestamp(us, UTC)", "a:timestamp(ns, UTC)", "1", "-9223372036854776",
         "-9223372036854776"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s3s_schema *a = kit_schema(env, cases[i].from);
        s3s_schema *b = kit_schema(env, cases[i].to);
        struct ArrowArray batch;
        struct ArrowArray out;
        KIT_BATCH(a, &batch, cases[i].row0, cases[i].row1);
        assert_fails(s3s_batch_convert(env, a, &batch, b, "f.parquet", &out, &err),
                     S3STORE_SCHEMA_MISMATCH, "f.parquet: column \"a\", row 1");
        assert_non_null(strstr(err.message, cases[i].value));
        s3s_array_release(&batch);
        s3s_schema_release(a);
        s3s_schema_release(b);
    }
}

static void test_convert__long_columns_pass_block_by_block(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *a = kit_schema(env, "a:int16?");
    s3s_schema *b = kit_schema(env, "a:int64?");
    s3store_builder *builder;
    struct ArrowArray batch;
    struct ArrowArray out;
    assert_ok(s3s_builder_new(env, a, &builder, &err));
    for (int i = 0; i < 5000; i++) {
        if (i % 5 == 0)
            assert_ok(s3store_builder_append_null(builder, 0, &err));
        else
            assert_ok(s3store_builder_append_int(builder, 0, i - 2500, &err));
    }
    assert_ok(s3store_builder_finish(builder, &batch, &err));
    s3store_builder_free(builder);
    batch.offset = 3;
    batch.length = 4990;
    assert_ok(s3s_batch_convert(env, a, &batch, b, NULL, &out, &err));
    s3s_column column;
    s3s_batch_column(b, &out, 0, &column);
    for (int i = 0; i < 4990; i++) {
        assert_int_equal(s3s_column_is_null(&column, i), (i + 3) % 5 == 0);
        if ((i + 3) % 5 != 0)
            assert_int_equal(s3s_column_int(&column, i), i + 3 - 2500);
    }
    s3s_array_release(&batch);
    s3s_array_release(&out);
    s3s_schema_release(a);
    s3s_schema_release(b);
}

static void test_convert__columns_by_name_missing_ones_null(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *a = kit_schema(env, "x:int32;y:string?;z:bool");
    s3s_schema *b = kit_schema(env, "y:string?;new:double?;x:int64;d:decimal(9, 1)?;n:null?");
    s3s_schema *strict = kit_schema(env, "x:int32;w:int64");
    s3s_schema *nonnull = kit_schema(env, "y:string");
    struct ArrowArray batch;
    struct ArrowArray out;
    KIT_BATCH(a, &batch, "1|a|true", "2|null|false");
    assert_ok(s3s_batch_convert(env, a, &batch, b, "f", &out, &err));
    assert_ok(s3s_batch_validate(b, &out, &err));
    assert_string_equal(kit_text(b, &out), "a|null|1|null|null\nnull|null|2|null|null\n");
    s3s_array_release(&out);
    assert_fails(s3s_batch_convert(env, a, &batch, strict, "f", &out, &err),
                 S3STORE_SCHEMA_MISMATCH, "f: there is no column \"w\"");
    assert_fails(s3s_batch_convert(env, a, &batch, nonnull, "f", &out, &err),
                 S3STORE_SCHEMA_MISMATCH, "f: column \"y\", row 1");
    assert_non_null(batch.release);
    s3s_array_release(&batch);
    s3s_schema_release(a);
    s3s_schema_release(b);
    s3s_schema_release(strict);
    s3s_schema_release(nonnull);
}

static void test_convert__nested_columns_are_copied_or_missing(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    s3s_schema *wide;
    struct ArrowArray batch;
    struct ArrowArray out;
    struct ArrowArray again;
    kit_nested(env, &schema, &batch);
    const size_t columns[] = {3, 2, 1};
    s3s_schema *to;
    assert_ok(s3s_schema_select(schema, columns, 3, &to, &err));
    assert_ok(s3s_batch_convert(env, schema, &batch, to, "f", &out, &err));
    assert_ok(s3s_batch_validate(to, &out, &err));
    assert_string_equal(kit_text(to, &out), "[{k1,1}]|{x,[p,q]}|[10,null]\n"
                                            "[]|{null,[]}|null\n"
                                            "[{k2,null},{k3,3}]|null|[]\n"
                                            "null|{zz,[r]}|[13]\n");
    s3s_array_release(&out);
    /* A batch without them: nulls of the nested types. */
    wide = kit_schema(env, "id:int64");
    struct ArrowArray ids;
    KIT_BATCH(wide, &ids, "7", "8");
    assert_ok(s3s_batch_convert(env, wide, &ids, schema, "f", &again, &err));
    assert_ok(s3s_batch_validate(schema, &again, &err));
    assert_string_equal(kit_text(schema, &again), "7|null|null|null\n8|null|null|null\n");
    s3s_array_release(&again);
    s3s_array_release(&ids);
    to->fields[2].children[0].type = S3S_TYPE_INT64;
    assert_fails(s3s_batch_convert(env, schema, &batch, to, "f", &out, &err),
                 S3STORE_SCHEMA_MISMATCH, "list<item: int32>");
    s3s_array_release(&batch);
    s3s_schema_release(wide);
    s3s_schema_release(to);
    s3s_schema_release(schema);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_convert__loss_free_widenings),
        TEST(test_convert__anything_else_names_file_column_and_types),
        TEST(test_convert__a_value_that_does_not_fit_names_its_row),
        TEST(test_convert__long_columns_pass_block_by_block),
        TEST(test_convert__columns_by_name_missing_ones_null),
        TEST(test_convert__nested_columns_are_copied_or_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
