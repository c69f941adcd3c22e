/* Types, schemas, and their way through the ABI. */
#include "unit/arrow/kit.h"

static void test_types__text_reads_back_as_the_same_type(void **state)
{
    (void)state;
    static const char *const names[] = {
        "null", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float", "double", "string", "json", "enum", "large_string", "large_json",
        "binary", "bson", "large_binary", "uuid", "fixed_binary(7)", "fixed_binary(16)", "date",
        "date64", "time(s)", "time(ms)", "time(us)", "time(ns)", "timestamp(s)", "timestamp(ms)",
        "timestamp(us)", "timestamp(ns)", "timestamp(us, UTC)", "timestamp(ns, UTC)",
        "duration(ms)", "decimal(18, 6)", "decimal32(9, 2)", "decimal64(18, -3)",
        "decimal256(76, 10)", "interval",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        s3s_field field = {.name = "x", .nullable = true};
        char text[128];
        if (!s3s_type_from_text(names[i], &field))
            fail_msg("%s is not read", names[i]);
        assert_string_equal(s3s_field_type_text(&field, text, sizeof text), names[i]);
        assert_true(field.nullable);
        assert_string_equal(field.name, "x");
    }
}

static void test_types__short_names_of_timestamps_are_utc(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        s3s_unit unit;
    } cases[] = {{"timestamp", S3S_MICRO},
                 {"timestamp_ms", S3S_MILLI},
                 {"timestamp_us", S3S_MICRO},
                 {"timestamp_ns", S3S_NANO}};
    for (size_t i = 0; i < 4; i++) {
        s3s_field field = {0};
        assert_true(s3s_type_from_text(cases[i].name, &field));
        assert_int_equal(field.type, S3S_TYPE_TIMESTAMP);
        assert_int_equal(field.unit, cases[i].unit);
        assert_true(field.utc);
    }
}

static void test_types__bad_texts_are_refused_and_change_nothing(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "int", "Int64", "int64 ", "timestamp(", "timestamp()", "timestamp(us", "timestamp(x)",
        "timestamp(us, CET)", "timestamp(us, UTC, UTC)", "decimal", "decimal()", "decimal(0, 0)",
        "decimal(39, 0)", "decimal(5, 40)", "decimal(5, 1, 2)", "decimal32(10, 0)",
        "fixed_binary(0)", "fixed_binary(-1)", "fixed_binary(99999999999)", "time(us, UTC)",
        "list<item: int64>", "(us)", "decimal(,)", "duration(us, UTC)", "bool(1)",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        s3s_field field = {.type = S3S_TYPE_DATE64, .width = 77};
        if (s3s_type_from_text(bad[i], &field))
            fail_msg("\"%s\" was read", bad[i]);
        assert_int_equal(field.type, S3S_TYPE_DATE64);
        assert_int_equal(field.width, 77);
    }
}

static void test_types__text_of_nested_types_and_small_buffers(void **state)
{
    s3s_env *env = *state;
    s3s_schema *schema;
    struct ArrowArray batch;
    char text[128];
    char small[8];
    kit_nested(env, &schema, &batch);
    assert_string_equal(s3s_field_type_text(&schema->fields[1], text, sizeof text),
                        "list<item: int32>");
    assert_string_equal(s3s_field_type_text(&schema->fields[2], text, sizeof text),
                        "struct<a: string, b: large_list<item: string>>");
    assert_string_equal(s3s_field_type_text(&schema->fields[3], text, sizeof text),
                        "map<string, int64>");
    assert_string_equal(s3s_field_type_text(&schema->fields[2], small, sizeof small), "struct<");
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static const char flat_spec[] =
    "n:null?;b:bool;i1:int8?;i2:int16;i4:int32;i8:int64;u1:uint8;u2:uint16;u4:uint32;u8:uint64;"
    "h:float16;f:float;d:double;s:string;js:json;en:enum;ls:large_string;lj:large_json;bi:binary;"
    "bs:bson;lb:large_binary;fb:fixed_binary(5);id:uuid;d32:date;d64:date64;ts:time(s);"
    "tm:time(ms);tu:time(us);tn:time(ns);t1:timestamp(s);t2:timestamp(ms, UTC);"
    "t3:timestamp(us, UTC)?;t4:timestamp(ns);du:duration(us);dn:duration(ns);de:decimal(18, 6);"
    "d3:decimal32(9, 2);d4:decimal64(18, 0);d5:decimal256(76, 10);iv:interval";

static void test_schema__every_flat_type_survives_export_and_import(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, flat_spec);
    s3s_schema *back;
    struct ArrowSchema abi;
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_ok(s3s_schema_import(env, &abi, &back, &err));
    abi.release(&abi);
    assert_null(abi.release);
    assert_int_equal(back->field_count, schema->field_count);
    for (size_t i = 0; i < schema->field_count; i++) {
        char a[128];
        char b[128];
        assert_string_equal(back->fields[i].name, schema->fields[i].name);
        assert_int_equal(back->fields[i].nullable, schema->fields[i].nullable);
        assert_int_equal(back->fields[i].hint, schema->fields[i].hint);
        assert_true(s3s_field_same_type(&schema->fields[i], &back->fields[i]));
        assert_string_equal(s3s_field_type_text(&schema->fields[i], a, sizeof a),
                            s3s_field_type_text(&back->fields[i], b, sizeof b));
    }
    s3s_schema_release(back);
    s3s_schema_release(schema);
}

static void test_schema__nested_types_survive_export_and_import(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    s3s_schema *back;
    struct ArrowArray batch;
    struct ArrowSchema abi;
    kit_nested(env, &schema, &batch);
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_ok(s3s_schema_import(env, &abi, &back, &err));
    /* A child may be moved out; the parent then leaves it alone. */
    struct ArrowSchema moved = *abi.children[2];
    abi.children[2]->release = NULL;
    abi.release(&abi);
    assert_string_equal(moved.name, "s");
    moved.release(&moved);
    for (size_t i = 0; i < 4; i++)
        assert_true(s3s_field_same_type(&schema->fields[i], &back->fields[i]));
    assert_false(back->fields[3].children[0].children[0].nullable);
    assert_true(back->fields[3].children[0].children[1].nullable);
    assert_ok(s3s_batch_validate(back, &batch, &err));
    s3s_array_release(&batch);
    s3s_schema_release(back);
    s3s_schema_release(schema);
}

static void import_one(s3s_env *env, const char *format, s3store_status expected,
                       const char *names)
{
    s3store_error err;
    s3s_schema *schema;
    struct ArrowSchema abi;
    assert_ok(s3store_schema_new(1, &abi, &err));
    assert_ok(s3store_schema_add(&abi, "col", "l", true, &err));
    abi.children[0]->format = format;
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), expected, names);
    assert_non_null(strstr(err.message, "\"col\""));
    assert_null(schema);
    abi.release(&abi);
}

static void test_schema__unknown_and_unsupported_formats_name_the_column(void **state)
{
    s3s_env *env = *state;
    static const char *const bad[] = {
        "",      "x",        "ll",        "ts",        "tsu",       "tsx:UTC",  "w:",
        "w:0",   "w:-3",     "w:5x",      "w:99999999999999999999", "d:",       "d:5",
        "d:5,",  "d:0,0",    "d:39,1",    "d:10,2,32", "d:10,2,99", "d:10,2,32x", "td",
        "tt",    "t",        "+",         "tsu",       "d:-5,1",    "w:2147483648",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        import_one(env, bad[i], S3STORE_INVALID_ARGUMENT, "is not one of Arrow's");
    static const char *const unsupported[] = {"vu", "vz", "+vl", "+w:3", "+ud:0,1",
                                              "+us:0", "+r", "tiM", "tiD"};
    for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
        import_one(env, unsupported[i], S3STORE_UNSUPPORTED, unsupported[i]);
    import_one(env, NULL, S3STORE_INVALID_ARGUMENT, "no format");
    import_one(env, "+l", S3STORE_INVALID_ARGUMENT, "0 children");
    import_one(env, "+m", S3STORE_INVALID_ARGUMENT, "0 children");
}

static void test_schema__import_refuses_what_is_not_a_struct_of_columns(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowSchema abi;
    assert_fails(s3s_schema_import(env, NULL, &schema, &err), S3STORE_INVALID_ARGUMENT, "missing");
    assert_ok(s3store_schema_new(2, &abi, &err));
    assert_ok(s3store_schema_add(&abi, "a", "l", true, &err));
    assert_ok(s3store_schema_add(&abi, "b", "u", true, &err));
    const char *name = abi.children[1]->name;
    abi.children[1]->name = "a";
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_INVALID_ARGUMENT,
                 "\"a\" occurs twice");
    abi.children[1]->name = "\xff";
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_INVALID_ARGUMENT, "UTF-8");
    abi.children[1]->name = name;
    abi.children[1]->dictionary = abi.children[0];
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_UNSUPPORTED, "\"b\"");
    abi.children[1]->dictionary = NULL;
    abi.n_children = -1;
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_INVALID_ARGUMENT, "-1");
    abi.n_children = 10001;
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_LIMIT_EXCEEDED, "10001");
    abi.n_children = 2;
    struct ArrowSchema **children = abi.children;
    abi.children = NULL;
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_INVALID_ARGUMENT, "children");
    abi.children = children;
    abi.format = "l";
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_INVALID_ARGUMENT, "\"l\"");
    abi.release(&abi);
    assert_fails(s3s_schema_import(env, &abi, &schema, &err), S3STORE_INVALID_ARGUMENT,
                 "released");
}

static void never(struct ArrowSchema *schema)
{
    (void)schema;
    fail_msg("a borrowed schema was released");
}

static void test_schema__deep_and_exploding_trees_are_refused(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowSchema nodes[100];
    struct ArrowSchema *children[100][2];
    /* 100 levels; with two edges to the same child each, 2^100 paths. */
    for (size_t i = 0; i < 100; i++) {
        bool leaf = i == 99;
        children[i][0] = children[i][1] = leaf ? NULL : &nodes[i + 1];
        nodes[i] = (struct ArrowSchema){.format = leaf ? "l" : "+s",
                                        .name = "n",
                                        .n_children = leaf ? 0 : 1,
                                        .children = leaf ? NULL : children[i],
                                        .release = never};
    }
    assert_fails(s3s_schema_import(env, &nodes[0], &schema, &err), S3STORE_UNSUPPORTED, "64");
    assert_non_null(strstr(err.message, "column \"n\": field \"n\""));
    /* Maps of maps, whose entries need no distinct names. */
    nodes[40].format = "+s";
    for (size_t i = 41; i < 99; i++) {
        nodes[i].format = i % 2 == 1 ? "+m" : "+s";
        nodes[i].n_children = i % 2 == 1 ? 1 : 2;
    }
    assert_fails(s3s_schema_import(env, &nodes[40], &schema, &err), S3STORE_LIMIT_EXCEEDED,
                 "100000");
}

static void test_schema__select_find_and_retain(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema = kit_schema(env, "a:int64;b:string?;c:double");
    s3s_schema *picked;
    const size_t columns[] = {2, 0};
    const size_t wrong[] = {3};
    assert_int_equal(s3s_schema_find(schema, "b"), 1);
    assert_true(s3s_schema_find(schema, "B") == SIZE_MAX);
    assert_ok(s3s_schema_select(schema, columns, 2, &picked, &err));
    s3s_schema *none;
    assert_fails(s3s_schema_select(schema, wrong, 1, &none, &err), S3STORE_INTERNAL, "column 3");
    assert_null(none);
    s3s_schema_release(schema);
    s3s_schema_retain(picked);
    s3s_schema_release(picked);
    assert_string_equal(picked->fields[0].name, "c");
    assert_string_equal(picked->fields[1].name, "a");
    s3s_schema_release(picked);
    s3s_schema_release(NULL);
}

static void test_schema__types_by_their_names(void **state)
{
    static const char *const types[] = {
        "int64", "timestamp(us, UTC)", "decimal(18, 2)", "json", "list<item: string>",
        "large_list<x: bool>", "map<string, map<int8, list<item: date>>>",
        "struct<a: int64, b c: list<item: struct<d: decimal(5, 2), e: time(us)>>>"};
    static const char *const bad[] = {
        "", "list", "list<", "list<>", "list<int64", "list<int64>>", "list<int64>x", "list<int64,int8>",
        "struct<>", "struct<a>", "struct<a:>", "struct<: int8>", "struct<a: int8, a: int8>",
        "struct<a: int8,>", "map<string>", "map<string, int8, int8>", "map<string, >",
        "set<int8>", "list<decimal(>", "list<int7>", "<int8>", ">", "struct<\x9f: int8>"};
    s3store_error err;
    struct ArrowSchema abi;
    char text[256], name[16];
    (void)state;
    assert_ok(s3store_schema_new(0, &abi, &err));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        snprintf(name, sizeof name, "c%zu", i);
        assert_ok(s3store_schema_add_type(&abi, name, types[i], true, &err));
        assert_string_equal(s3store_type_text(abi.children[i], text, sizeof text), types[i]);
        assert_string_equal(abi.children[i]->name, name);
    }
    assert_ok(s3store_schema_add_type(&abi, "m", " map< string ,list< int8 > > ", true, &err));
    assert_string_equal(s3store_type_text(abi.children[abi.n_children - 1], text, sizeof text),
                        "map<string, list<item: int8>>");
    int64_t count = abi.n_children;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_fails(s3store_schema_add_type(&abi, "bad", bad[i], true, &err),
                     S3STORE_INVALID_ARGUMENT, "\"bad\": there is no type");
    assert_fails(s3store_schema_add_type(&abi, "bad", NULL, true, &err), S3STORE_INVALID_ARGUMENT,
                 "no type");
    assert_fails(s3store_schema_add_type(&abi, "m", "int8", true, &err), S3STORE_INVALID_ARGUMENT,
                 "already");
    char deep[64 * 6 + 16] = "";
    for (int i = 0; i < 63; i++)
        strcat(deep, "list<");
    strcat(deep, "int8");
    for (int i = 0; i < 63; i++)
        strcat(deep, ">");
    assert_ok(s3store_schema_add_type(&abi, "deep", deep, true, &err));
    char deeper[sizeof deep + 8];
    snprintf(deeper, sizeof deeper, "list<%s>", deep);
    assert_fails(s3store_schema_add_type(&abi, "bad", deeper, true, &err), S3STORE_INVALID_ARGUMENT,
                 "no type");
    assert_int_equal(abi.n_children, count + 1);
    abi.release(&abi);
}

/* Child by child. */
static void test_schema__nested_columns_are_made_from_their_children(void **state)
{
    s3store_error err;
    struct ArrowSchema abi, *map;
    char text[128];
    (void)state;
    assert_ok(s3store_schema_new(0, &abi, &err));
    assert_ok(s3store_schema_add(&abi, "l", "+l", true, &err));
    assert_ok(s3store_schema_add(abi.children[0], "item", "u", true, &err));
    assert_fails(s3store_schema_add(abi.children[0], "more", "u", true, &err),
                 S3STORE_INVALID_ARGUMENT, "second child");
    assert_ok(s3store_schema_add(&abi, "m", "+m", true, &err));
    map = abi.children[1];
    assert_ok(s3store_schema_add(map, "entries", "+s", false, &err));
    assert_ok(s3store_schema_add(map->children[0], "key", "i", false, &err));
    assert_ok(s3store_schema_add(map->children[0], "value", "g", true, &err));
    assert_string_equal(s3store_type_text(abi.children[0], text, sizeof text), "list<item: string>");
    assert_string_equal(s3store_type_text(map, text, sizeof text), "map<int32, double>");
    abi.release(&abi);
}

static void test_schema__public_maker_checks_what_it_adds(void **state)
{
    (void)state;
    s3store_error err;
    struct ArrowSchema abi;
    struct ArrowSchema foreign = {.format = "+s", .release = never};
    assert_ok(s3store_schema_new(0, &abi, &err));
    for (int i = 0; i < 40; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        assert_ok(s3store_schema_add(&abi, name, i % 2 ? "tsu:UTC" : "w:4", i % 3 == 0, &err));
    }
    assert_int_equal(abi.n_children, 40);
    assert_string_equal(abi.children[39]->name, "c39");
    assert_string_equal(abi.children[39]->format, "tsu:UTC");
    assert_int_equal(abi.children[39]->flags, ARROW_FLAG_NULLABLE);
    assert_int_equal(abi.children[38]->flags, 0);
    assert_fails(s3store_schema_add(&abi, "c7", "l", true, &err), S3STORE_INVALID_ARGUMENT, "c7");
    assert_fails(s3store_schema_add(&abi, "x", "?", true, &err), S3STORE_INVALID_ARGUMENT, "\"?\"");
    assert_fails(s3store_schema_add(abi.children[0], "x", "l", true, &err),
                 S3STORE_INVALID_ARGUMENT, "takes no children");
    assert_fails(s3store_schema_add(&abi, "x", "vu", true, &err), S3STORE_UNSUPPORTED, "vu");
    assert_fails(s3store_schema_add(&abi, NULL, "l", true, &err), S3STORE_INVALID_ARGUMENT, "name");
    assert_fails(s3store_schema_add(&abi, "\xc3", "l", true, &err), S3STORE_INVALID_ARGUMENT,
                 "UTF-8");
    assert_fails(s3store_schema_add(&abi, "x", NULL, true, &err), S3STORE_INVALID_ARGUMENT,
                 "\"x\"");
    assert_fails(s3store_schema_add(&foreign, "x", "l", true, &err), S3STORE_INVALID_ARGUMENT,
                 "s3store_schema_new");
    assert_int_equal(abi.n_children, 40);
    abi.release(&abi);
    assert_fails(s3store_schema_add(&abi, "x", "l", true, &err), S3STORE_INVALID_ARGUMENT,
                 "s3store_schema_new");
    assert_fails(s3store_schema_new(20000, &abi, &err), S3STORE_LIMIT_EXCEEDED, "20000");
    assert_null(abi.release);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_types__text_reads_back_as_the_same_type),
        TEST(test_types__short_names_of_timestamps_are_utc),
        TEST(test_types__bad_texts_are_refused_and_change_nothing),
        TEST(test_types__text_of_nested_types_and_small_buffers),
        TEST(test_schema__every_flat_type_survives_export_and_import),
        TEST(test_schema__nested_types_survive_export_and_import),
        TEST(test_schema__unknown_and_unsupported_formats_name_the_column),
        TEST(test_schema__import_refuses_what_is_not_a_struct_of_columns),
        TEST(test_schema__deep_and_exploding_trees_are_refused),
        TEST(test_schema__select_find_and_retain),
        TEST(test_schema__public_maker_checks_what_it_adds),
        TEST(test_schema__types_by_their_names),
        TEST(test_schema__nested_columns_are_made_from_their_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
