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
    to->fields[2].children[0].type = S3S_TYPE_STRING;
    assert_fails(s3s_batch_convert(env, schema, &batch, to, "f", &out, &err),
                 S3STORE_SCHEMA_MISMATCH,
                 "f: column \"l.item\" is int32 and cannot be read as string");
    s3s_array_release(&batch);
    s3s_schema_release(wide);
    s3s_schema_release(to);
    s3s_schema_release(schema);
}

static void convert_rows(s3s_env *env, const char *from, const char *to, const char *const *rows,
                         size_t count, const char *expected)
{
    s3store_error err;
    s3s_schema *a = kit_schema(env, from), *b = kit_schema(env, to);
    struct ArrowArray batch, out;
    kit_batch(a, rows, count, &batch);
    assert_ok(s3s_batch_convert(env, a, &batch, b, "f", &out, &err));
    assert_ok(s3s_batch_validate(b, &out, &err));
    assert_string_equal(kit_text(b, &out), expected);
    s3s_array_release(&out);
    if (count > 1) { /* and a part of it */
        batch.offset = 1;
        batch.length--;
        assert_ok(s3s_batch_convert(env, a, &batch, b, "f", &out, &err));
        assert_ok(s3s_batch_validate(b, &out, &err));
        assert_string_equal(kit_text(b, &out), strchr(expected, '\n') + 1);
        s3s_array_release(&out);
    }
    s3s_array_release(&batch);
    s3s_schema_release(a);
    s3s_schema_release(b);
}

static void test_convert__nested_columns_part_by_part(void **state)
{
    s3s_env *env = *state;
    convert_rows(env, "l:list<int32>?", "l:list<int64>?", ROWS("[1,null]", "null", "[]", "[-3]"),
                 "[1,null]\nnull\n[]\n[-3]\n");
    convert_rows(env, "l:large_list<int32>?", "l:list<double>?", ROWS("[1]", "null", "[2,3]"),
                 "[1]\nnull\n[2,3]\n");
    convert_rows(env, "l:list<string>?", "l:large_list<string>?", ROWS("[a]", "[b,null]"),
                 "[a]\n[b,null]\n");
    convert_rows(env, "l:list<null>?", "l:list<string>?", ROWS("[null,null]", "[]", "null"),
                 "[null,null]\n[]\nnull\n");
    /* Members by name: new ones null, others dropped. */
    convert_rows(env, "s:struct<b: int8, x: bool, a: string>?",
                 "s:struct<a: string, n: list<bool>, b: int64>?",
                 ROWS("{1,true,p}", "null", "{null,null,null}"),
                 "{p,null,1}\nnull\n{null,null,null}\n");
    convert_rows(env, "m:map<int8, struct<a: int8>>?", "m:map<int64, struct<a: int16, c: bool>>?",
                 ROWS("[{1,{5}},{2,null}]", "null", "[]"), "[{1,{5,null}},{2,null}]\nnull\n[]\n");
    convert_rows(env, "s:struct<l: list<struct<t: timestamp(ms)>>>?",
                 "s:struct<l: list<struct<t: timestamp(us)>>>?",
                 ROWS("{[{1},null,{null}]}", "null", "{null}"),
                 "{[{1000},null,{null}]}\nnull\n{null}\n");
}

/* Values that do not fit, below nulls and behind what lists reach, are nobody's business. */
static void test_convert__what_lies_below_nulls_is_not_converted(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *a = kit_schema(env, "s:struct<v: int64, l: list<int64>>?;l:list<int64>?");
    s3s_schema *b = kit_schema(env, "s:struct<v: double, l: list<double>>?;l:list<double>?");
    struct ArrowArray batch, out;
    KIT_BATCH(a, &batch, "{1,[2]}|[3]", "{9007199254740993,[9007199254740993]}|[9007199254740993]",
              "{4,[]}|[5]", "null|null");
    assert_fails(s3s_batch_convert(env, a, &batch, b, "f", &out, &err), S3STORE_SCHEMA_MISMATCH,
                 "f: column \"s.v\", row 1: 9007199254740993");
    uint8_t *nulls = (uint8_t *)(uintptr_t)batch.children[0]->buffers[0];
    *nulls &= (uint8_t)~2;
    batch.children[0]->null_count++;
    assert_fails(s3s_batch_convert(env, a, &batch, b, "f", &out, &err), S3STORE_SCHEMA_MISMATCH,
                 "f: column \"l.item\", row 1: 9007199254740993");
    nulls = (uint8_t *)(uintptr_t)batch.children[1]->buffers[0];
    *nulls &= (uint8_t)~2;
    batch.children[1]->null_count++;
    assert_ok(s3s_batch_convert(env, a, &batch, b, "f", &out, &err));
    assert_ok(s3s_batch_validate(b, &out, &err));
    assert_string_equal(kit_text(b, &out), "{1,[2]}|[3]\nnull|null\n{4,[]}|[5]\nnull|null\n");
    s3s_array_release(&out);
    s3s_array_release(&batch);
    s3s_schema_release(a);
    s3s_schema_release(b);
}

static void test_convert__nested_mismatches_name_the_path(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    static const struct {
        const char *from, *to, *row, *names;
    } cases[] = {
        {"a:list<string>?", "a:string?", "[x]", "column \"a\" is list<item: string>"},
        {"a:struct<b: int8>?", "a:map<string, int8>?", "{1}", "column \"a\" is struct<b: int8>"},
        {"a:struct<b: list<string>>?", "a:struct<b: list<int64>>?", "{[x]}",
         "column \"a.b.item\" is string and cannot be read as int64"},
        {"a:map<string, int8>?", "a:map<int8, int8>?", "[]", "column \"a.key\""},
        {"a:map<int8, list<bool>>?", "a:map<int8, list<int8>>?", "[]", "column \"a.value.item\""},
        {"a:list<list<int64>>?", "a:list<list<double>>?", "[[],[1,9007199254740993]]",
         "column \"a.item.item\", row 0: 9007199254740993"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        s3s_schema *a = kit_schema(env, cases[i].from), *b = kit_schema(env, cases[i].to);
        struct ArrowArray batch, out;
        KIT_BATCH(a, &batch, cases[i].row);
        assert_fails(s3s_batch_convert(env, a, &batch, b, "f", &out, &err),
                     S3STORE_SCHEMA_MISMATCH, cases[i].names);
        assert_null(out.release);
        s3s_array_release(&batch);
        s3s_schema_release(a);
        s3s_schema_release(b);
    }
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
        TEST(test_convert__nested_columns_part_by_part),
        TEST(test_convert__what_lies_below_nulls_is_not_converted),
        TEST(test_convert__nested_mismatches_name_the_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
