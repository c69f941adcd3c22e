/* C structs to batches and back. */
#include "unit/arrow/kit.h"

typedef struct everything {
    bool b;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    float f;
    double d;
    s3store_bytes s;
    const char *cs;
    s3store_bytes bin;
    int32_t date;
    int64_t ts_us, ts_ms, ts_ns, ts_s;
} everything;

#define FIELD(member, k, ...)                                                                      \
    {.name = #member, .kind = S3STORE_KIND_##k, .offset = offsetof(everything, member), __VA_ARGS__}
static const s3store_field everything_fields[] = {
    FIELD(b, BOOL), FIELD(i8, INT8), FIELD(i16, INT16), FIELD(i32, INT32), FIELD(i64, INT64),
    FIELD(u8, UINT8), FIELD(u16, UINT16), FIELD(u32, UINT32), FIELD(u64, UINT64), FIELD(f, FLOAT),
    FIELD(d, DOUBLE), FIELD(s, STRING), FIELD(cs, CSTRING), FIELD(bin, BINARY), FIELD(date, DATE),
    FIELD(ts_us, TIMESTAMP), FIELD(ts_ms, TIMESTAMP, .unit = S3STORE_UNIT_MILLI),
    FIELD(ts_ns, TIMESTAMP, .unit = S3STORE_UNIT_NANO),
    FIELD(ts_s, TIMESTAMP, .unit = S3STORE_UNIT_SECOND),
};
static const s3store_record_type everything_type =
    S3STORE_RECORD_TYPE(everything, everything_fields);

static void test_records__every_kind_goes_out_and_comes_back(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    const everything in[] = {
        {true, -128, -32768, INT32_MIN, INT64_MIN, 255, 65535, UINT32_MAX, UINT64_MAX, 0.5f, -0.25,
         {"abc", 3}, "text", {"\x00\xff", 2}, 18000, 1, 2, 3, 4},
        {false, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, {NULL, 0}, "", {"", 0}, -1, -1, -2, -3, -4},
        {true, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, {"\xc3\xa9", 2}, "\xe2\x82\xac", {"z", 1}, 0, 0, 0, 0,
         0},
    };
    everything out[3];
    s3s_arena arena;
    s3s_arena_init(&arena, env);
    assert_ok(s3s_record_schema(env, &everything_type, &schema, &err));
    char text[64];
    static const char *const types[] = {
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float",
        "double", "string", "string", "binary", "date", "timestamp(us, UTC)", "timestamp(ms, UTC)",
        "timestamp(ns, UTC)", "timestamp(s, UTC)"};
    for (size_t i = 0; i < schema->field_count; i++) {
        assert_string_equal(s3s_field_type_text(&schema->fields[i], text, sizeof text), types[i]);
        assert_false(schema->fields[i].nullable);
    }
    assert_ok(s3s_records_to_batch(env, schema, &everything_type, in, 0, 3, &batch, &err));
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    memset(out, 0xAA, sizeof out);
    for (int copy = 0; copy < 2; copy++) {
        assert_ok(s3s_batch_to_records(schema, &batch, 0, 3, &everything_type, out, copy != 0,
                                       &arena, &err));
        if (copy != 0)
            s3s_array_release(&batch); /* what was copied lives in the arena */
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(out[i].b, in[i].b);
            assert_int_equal(out[i].i8, in[i].i8);
            assert_int_equal(out[i].i16, in[i].i16);
            assert_int_equal(out[i].i32, in[i].i32);
            assert_int_equal(out[i].i64, in[i].i64);
            assert_int_equal(out[i].u8, in[i].u8);
            assert_int_equal(out[i].u16, in[i].u16);
            assert_int_equal(out[i].u32, in[i].u32);
            assert_true(out[i].u64 == in[i].u64);
            assert_true(out[i].f == in[i].f && out[i].d == in[i].d);
            assert_int_equal(out[i].s.size, in[i].s.size);
            assert_memory_equal(out[i].s.data, in[i].s.size ? in[i].s.data : "", in[i].s.size);
            assert_string_equal(out[i].cs, in[i].cs);
            assert_int_equal(out[i].bin.size, in[i].bin.size);
            assert_memory_equal(out[i].bin.data, in[i].bin.data, in[i].bin.size);
            assert_int_equal(out[i].date, in[i].date);
            assert_true(out[i].ts_us == in[i].ts_us && out[i].ts_ms == in[i].ts_ms &&
                        out[i].ts_ns == in[i].ts_ns && out[i].ts_s == in[i].ts_s);
        }
    }
    s3s_arena_deinit(&arena);
    s3s_schema_release(schema);
}

typedef struct nulls {
    int64_t flagged;
    bool flagged_null;
    const int32_t *pointed;
    int16_t zero;
    s3store_bytes text;
    bool text_null;
    const s3store_bytes *text_pointer;
    const char *cs_pointer;
    const char *cs_zero;
    const bool *bool_pointer;
} nulls;

static const s3store_field null_fields[] = {
    {"flagged", S3STORE_KIND_INT64, offsetof(nulls, flagged), S3STORE_NULL_FLAG,
     offsetof(nulls, flagged_null), 0},
    {"pointed", S3STORE_KIND_INT32, offsetof(nulls, pointed), S3STORE_NULL_POINTER, 0, 0},
    {"zero", S3STORE_KIND_INT16, offsetof(nulls, zero), S3STORE_NULL_ZERO, 0, 0},
    {"text", S3STORE_KIND_STRING, offsetof(nulls, text), S3STORE_NULL_FLAG,
     offsetof(nulls, text_null), 0},
    {"text_pointer", S3STORE_KIND_STRING, offsetof(nulls, text_pointer), S3STORE_NULL_POINTER, 0,
     0},
    {"cs_pointer", S3STORE_KIND_CSTRING, offsetof(nulls, cs_pointer), S3STORE_NULL_POINTER, 0, 0},
    {"cs_zero", S3STORE_KIND_CSTRING, offsetof(nulls, cs_zero), S3STORE_NULL_ZERO, 0, 0},
    {"bool_pointer", S3STORE_KIND_BOOL, offsetof(nulls, bool_pointer), S3STORE_NULL_POINTER, 0, 0},
};
static const s3store_record_type null_type = S3STORE_RECORD_TYPE(nulls, null_fields);

static void test_records__every_way_to_say_null(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    const int32_t seven = 7;
    const s3store_bytes bytes = {"ptr", 3};
    const bool yes = true;
    const nulls in[] = {
        {5, false, &seven, 3, {"t", 1}, false, &bytes, "cs", "cz", &yes},
        {6, true, NULL, 0, {"ignored", 7}, true, NULL, NULL, NULL, NULL},
        {7, false, &seven, 0, {NULL, 0}, false, NULL, "", "x", &yes},
    };
    assert_ok(s3s_record_schema(env, &null_type, &schema, &err));
    for (size_t i = 0; i < schema->field_count; i++)
        assert_true(schema->fields[i].nullable);
    assert_ok(s3s_records_to_batch(env, schema, &null_type, in, 0, 3, &batch, &err));
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    assert_string_equal(kit_text(schema, &batch), "5|7|3|t|ptr|cs|cz|true\n"
                                                  "null|null|0|null|null|null||null\n"
                                                  "7|7|0||null||x|true\n");
    for (int copy = 0; copy < 2; copy++) {
        nulls out[2];
        s3s_arena arena;
        s3s_arena_init(&arena, env);
        memset(out, 0xAA, sizeof out);
        assert_ok(s3s_batch_to_records(schema, &batch, 0, 2, &null_type, out, copy != 0, &arena,
                                       &err));
        assert_int_equal(out[0].flagged, 5);
        assert_false(out[0].flagged_null);
        assert_int_equal(*out[0].pointed, 7);
        assert_memory_equal(out[0].text_pointer->data, "ptr", 3);
        assert_string_equal(out[0].cs_pointer, "cs");
        assert_true(*out[0].bool_pointer);
        assert_int_equal(out[1].flagged, 0);
        assert_true(out[1].flagged_null);
        assert_null(out[1].pointed);
        assert_true(out[1].text_null);
        assert_int_equal(out[1].text.size, 0);
        assert_null(out[1].text.data);
        assert_null(out[1].text_pointer);
        assert_null(out[1].cs_pointer);
        assert_string_equal(out[1].cs_zero, "");
        assert_null(out[1].bool_pointer);
        s3s_arena_deinit(&arena);
    }
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

static void test_records__a_null_that_is_read_becomes_zero_where_the_field_says_so(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    s3s_schema *from = kit_schema(env, "zero:int16?;cs_zero:string?;flagged:int64?");
    struct ArrowArray narrow;
    struct ArrowArray batch;
    nulls out[2];
    s3s_arena arena;
    s3s_arena_init(&arena, env);
    memset(out, 0xAA, sizeof out);
    KIT_BATCH(from, &narrow, "null|null|9", "4|x|null");
    assert_ok(s3s_record_schema(env, &null_type, &schema, &err));
    assert_ok(s3s_batch_convert(env, from, &narrow, schema, "f", &batch, &err));
    assert_ok(s3s_batch_to_records(schema, &batch, 0, 2, &null_type, out, true, &arena, &err));
    assert_int_equal(out[0].zero, 0);
    assert_string_equal(out[0].cs_zero, "");
    assert_int_equal(out[0].flagged, 9);
    assert_int_equal(out[1].zero, 4);
    assert_string_equal(out[1].cs_zero, "x");
    assert_true(out[1].flagged_null);
    assert_null(out[0].pointed);
    s3s_arena_deinit(&arena);
    s3s_array_release(&narrow);
    s3s_array_release(&batch);
    s3s_schema_release(from);
    s3s_schema_release(schema);
}

static void test_records__parts_of_arrays_and_batches(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    everything in[10] = {0};
    everything out[3];
    for (int i = 0; i < 10; i++) {
        in[i].i64 = i;
        in[i].cs = &"abcdefghij"[i];
    }
    s3s_arena arena;
    s3s_arena_init(&arena, env);
    assert_ok(s3s_record_schema(env, &everything_type, &schema, &err));
    assert_ok(s3s_records_to_batch(env, schema, &everything_type, in, 4, 6, &batch, &err));
    assert_int_equal(batch.length, 6);
    assert_ok(s3s_batch_to_records(schema, &batch, 2, 3, &everything_type, out, false, &arena,
                                   &err));
    assert_int_equal(out[0].i64, 6);
    assert_string_equal(out[2].cs, "ij");
    assert_fails(s3s_batch_to_records(schema, &batch, 4, 3, &everything_type, out, false, &arena,
                                      &err),
                 S3STORE_INTERNAL, "batch of 6");
    s3s_array_release(&batch);
    assert_ok(s3s_records_to_batch(env, schema, &everything_type, NULL, 0, 0, &batch, &err));
    assert_int_equal(batch.length, 0);
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    assert_ok(s3s_batch_to_records(schema, &batch, 0, 0, &everything_type, out, true, &arena,
                                   &err));
    s3s_array_release(&batch);
    s3s_arena_deinit(&arena);
    s3s_schema_release(schema);
}

static void test_records__bad_values_name_field_and_row(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    everything in[3] = {{.cs = "a"}, {.cs = "b"}, {.cs = "c"}};
    assert_ok(s3s_record_schema(env, &everything_type, &schema, &err));
#define REFUSED(status, text)                                                                      \
    assert_fails(s3s_records_to_batch(env, schema, &everything_type, in, 1, 2, &batch, &err),      \
                 status, text);                                                                    \
    assert_null(batch.release)
    in[2].cs = NULL;
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"cs\", row 2: it is NULL");
    in[2].cs = "\xff";
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"cs\", row 2: the string is not valid UTF-8");
    in[2].cs = "c";
    in[1].s = (s3store_bytes){"\xc3", 1};
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"s\", row 1: the string is not valid UTF-8");
    in[2].s = (s3store_bytes){"\xa9", 1}; /* together they would be a character */
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"s\", row 1: the string is not valid UTF-8");
    in[2].s = (s3store_bytes){NULL, 0};
    in[1].s = (s3store_bytes){NULL, 4};
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"s\", row 1: data is NULL");
    in[1].s = (s3store_bytes){"", 0};
    in[1].bin = (s3store_bytes){"x", (size_t)INT32_MAX};
    in[2].bin = (s3store_bytes){"x", 1};
    REFUSED(S3STORE_LIMIT_EXCEEDED, "\"bin\", row 2");
#undef REFUSED
    s3s_schema_release(schema);
}

static void test_records__unreadable_values_name_column_and_row(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    static const s3store_field fields[] = {
        {.name = "s", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(everything, cs)}};
    static const s3store_record_type type = S3STORE_RECORD_TYPE(everything, fields);
    s3s_schema *schema = kit_schema(env, "s:string?");
    s3store_builder *b;
    struct ArrowArray batch;
    everything out[2];
    s3s_arena arena;
    s3s_arena_init(&arena, env);
    assert_ok(s3s_builder_new(env, schema, &b, &err));
    assert_ok(s3store_builder_append_bytes(b, 0, "ok", 2, &err));
    assert_ok(s3store_builder_append_bytes(b, 0, "a\0b", 3, &err));
    assert_ok(s3store_builder_append_null(b, 0, &err));
    assert_ok(s3store_builder_finish(b, &batch, &err));
    assert_fails(s3s_batch_to_records(schema, &batch, 0, 2, &type, out, true, &arena, &err),
                 S3STORE_SCHEMA_MISMATCH, "column \"s\", row 1: the string has a NUL");
    assert_fails(s3s_batch_to_records(schema, &batch, 2, 1, &type, out, true, &arena, &err),
                 S3STORE_SCHEMA_MISMATCH, "column \"s\", row 2: null");
    assert_fails(s3s_batch_to_records(schema, &batch, 0, 1, &everything_type, out, true, &arena,
                                      &err),
                 S3STORE_INTERNAL, "1 columns");
    s3s_array_release(&batch);
    s3store_builder_free(b);
    s3s_arena_deinit(&arena);
    s3s_schema_release(schema);
}

typedef struct lists {
    s3store_list numbers;  /* int64_t, never null */
    s3store_list names;    /* const char *, null by flag */
    bool names_null;
    const s3store_list *blobs; /* s3store_bytes, null by pointer */
    s3store_list flags;    /* bool, zero */
    s3store_list times;    /* int64_t ms */
} lists;

#define LIST(member, k, ...)                                                                       \
    {.name = #member, .kind = S3STORE_KIND_LIST, .item = S3STORE_KIND_##k,                         \
     .offset = offsetof(lists, member), __VA_ARGS__}
static const s3store_field list_fields[] = {
    LIST(numbers, INT64),
    LIST(names, CSTRING, .null = S3STORE_NULL_FLAG, .flag_offset = offsetof(lists, names_null)),
    LIST(blobs, BINARY, .null = S3STORE_NULL_POINTER),
    LIST(flags, BOOL, .null = S3STORE_NULL_ZERO),
    LIST(times, TIMESTAMP, .unit = S3STORE_UNIT_MILLI),
};
static const s3store_record_type list_type = S3STORE_RECORD_TYPE(lists, list_fields);

#define ITEMS(...)                                                                                 \
    {                                                                                              \
        (__VA_ARGS__), sizeof(__VA_ARGS__) / sizeof(*(__VA_ARGS__))                                \
    }

static void test_records__lists_of_scalars(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    const s3store_list blobs = ITEMS((const s3store_bytes[]){{"\xff", 1}, {NULL, 0}});
    const lists in[] = {
        {.numbers = {NULL, 9}}, /* not written: from row 1 on */
        {ITEMS((const int64_t[]){1, INT64_MIN, 3}), ITEMS((const char *const[]){"a", "", "ccc"}),
         false, &blobs, ITEMS((const bool[]){true, false}), ITEMS((const int64_t[]){-1})},
        {{NULL, 0}, ITEMS((const char *const[]){"ignored"}), true, NULL, {0}, {0}},
        {ITEMS((const int64_t[]){7}), {0}, false, &blobs, ITEMS((const bool[]){true}),
         ITEMS((const int64_t[]){5, 6})},
    };
    char text[64];
    static const char *const types[] = {"list<element: int64>", "list<element: string>",
                                        "list<element: binary>", "list<element: bool>",
                                        "list<element: timestamp(ms, UTC)>"};
    assert_ok(s3s_record_schema(env, &list_type, &schema, &err));
    for (size_t i = 0; i < schema->field_count; i++)
        assert_string_equal(s3s_field_type_text(&schema->fields[i], text, sizeof text), types[i]);
    assert_ok(s3s_records_to_batch(env, schema, &list_type, in, 1, 3, &batch, &err));
    assert_ok(s3s_batch_validate(schema, &batch, &err));
    for (int copy = 0; copy < 2; copy++) {
        lists out[3];
        s3s_arena arena;
        s3s_arena_init(&arena, env);
        memset(out, 0xAA, sizeof out);
        assert_ok(s3s_batch_to_records(schema, &batch, 0, 3, &list_type, out, copy != 0, &arena,
                                       &err));
        if (copy != 0)
            s3s_array_release(&batch); /* what was copied lives in the arena */
        const int64_t *numbers = out[0].numbers.items;
        const char *const *names = out[0].names.items;
        const s3store_bytes *bytes = out[0].blobs->items;
        assert_int_equal(out[0].numbers.count, 3);
        assert_true(numbers[0] == 1 && numbers[1] == INT64_MIN && numbers[2] == 3);
        assert_int_equal(out[0].names.count, 3);
        assert_string_equal(names[0], "a");
        assert_string_equal(names[1], "");
        assert_string_equal(names[2], "ccc");
        assert_int_equal(out[0].blobs->count, 2);
        assert_int_equal(bytes[0].size, 1);
        assert_memory_equal(bytes[0].data, "\xff", 1);
        assert_int_equal(bytes[1].size, 0);
        assert_true(((const bool *)out[0].flags.items)[0]);
        assert_false(((const bool *)out[0].flags.items)[1]);
        assert_true(*(const int64_t *)out[0].times.items == -1);
        assert_int_equal(out[1].numbers.count, 0);
        assert_null(out[1].numbers.items);
        assert_true(out[1].names_null);
        assert_int_equal(out[1].names.count, 0);
        assert_null(out[1].blobs);
        assert_int_equal(out[1].flags.count, 0);
        assert_int_equal(out[2].numbers.count, 1);
        assert_true(*(const int64_t *)out[2].numbers.items == 7);
        assert_false(out[2].names_null);
        assert_int_equal(out[2].blobs->count, 2);
        assert_true(((const int64_t *)out[2].times.items)[1] == 6);
        s3s_arena_deinit(&arena);
    }
    s3s_schema_release(schema);
}

static void test_records__bad_lists_name_field_row_and_item(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    struct ArrowArray batch;
    const char *names[] = {"a", "b", "c"};
    const bool one = true;
    lists in[3] = {0};
    assert_ok(s3s_record_schema(env, &list_type, &schema, &err));
#define REFUSED(status, text)                                                                      \
    assert_fails(s3s_records_to_batch(env, schema, &list_type, in, 1, 2, &batch, &err), status,    \
                 text);                                                                            \
    assert_null(batch.release)
    in[2].numbers.count = 1;
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"numbers\", row 2: items is NULL");
    in[2].numbers.count = 0;
    in[1].names = (s3store_list){names, 1};
    in[2].names = (s3store_list){names, 3};
    names[1] = NULL;
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"names\", row 2, item 1 of the list: it is NULL");
    names[1] = "\xff";
    REFUSED(S3STORE_INVALID_ARGUMENT, "\"names\", row 2, item 1 of the list: the string is not");
    names[1] = "b";
    in[1].flags = (s3store_list){&one, (size_t)INT32_MAX};
    in[2].flags = (s3store_list){&one, 1};
    REFUSED(S3STORE_LIMIT_EXCEEDED, "\"flags\", row 2");
#undef REFUSED
    s3s_schema_release(schema);
}

/* The column l of kit_nested: [10,null] null [] [13]. */
static void test_records__null_items_are_refused_or_zero(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *nested, *schema;
    struct ArrowArray whole, batch;
    s3store_field field = {.name = "l", .kind = S3STORE_KIND_LIST, .item = S3STORE_KIND_INT32,
                           .null = S3STORE_NULL_POINTER};
    const s3store_record_type type = {sizeof type, sizeof(s3store_list), &field, 1};
    s3store_list out[4];
    s3s_arena arena;
    s3s_arena_init(&arena, env);
    kit_nested(env, &nested, &whole);
    assert_ok(s3s_record_schema(env, &type, &schema, &err));
    assert_ok(s3s_batch_convert(env, nested, &whole, schema, "f", &batch, &err));
    assert_fails(s3s_batch_to_records(schema, &batch, 0, 4, &type, out, true, &arena, &err),
                 S3STORE_SCHEMA_MISMATCH, "column \"l\", row 0, item 1 of the list: null");
    assert_ok(s3s_batch_to_records(schema, &batch, 1, 3, &type, out, true, &arena, &err));
    field.null = S3STORE_NULL_ZERO;
    memset(out, 0xAA, sizeof out);
    assert_ok(s3s_batch_to_records(schema, &batch, 0, 4, &type, out, true, &arena, &err));
    assert_int_equal(out[0].count, 2);
    assert_int_equal(((const int32_t *)out[0].items)[0], 10);
    assert_int_equal(((const int32_t *)out[0].items)[1], 0);
    assert_int_equal(out[1].count, 0);
    assert_int_equal(out[2].count, 0);
    assert_int_equal(out[3].count, 1);
    assert_int_equal(*(const int32_t *)out[3].items, 13);
    field.item = S3STORE_KIND_INT64;
    assert_fails(s3s_batch_to_records(schema, &batch, 0, 4, &type, out, true, &arena, &err),
                 S3STORE_INTERNAL, "was not converted");
    s3s_array_release(&batch);
    s3s_array_release(&whole);
    s3s_schema_release(nested);
    s3s_schema_release(schema);
    s3s_arena_deinit(&arena);
}

static void refuse_type(s3s_env *env, s3store_field field, size_t record_size, const char *text)
{
    s3store_error err;
    s3s_schema *schema;
    s3store_record_type type = {sizeof type, record_size, &field, 1};
    assert_fails(s3s_record_schema(env, &type, &schema, &err), S3STORE_INVALID_ARGUMENT, text);
    assert_null(schema);
}

static void test_records__record_types_are_checked(void **state)
{
    s3s_env *env = *state;
    s3store_error err;
    s3s_schema *schema;
    const s3store_field good = {.name = "x", .kind = S3STORE_KIND_INT64};
    s3store_field f;
#define REFUSE(change, size, text)                                                                 \
    f = good;                                                                                      \
    change;                                                                                        \
    refuse_type(env, f, size, text)
    REFUSE(f.name = NULL, 8, "field 0");
    REFUSE(f.name = "", 8, "field 0");
    REFUSE(f.name = "\xff", 8, "field 0");
    REFUSE(f.kind = (s3store_kind)0, 8, "\"x\": its kind");
    REFUSE(f.kind = (s3store_kind)99, 8, "\"x\": its kind");
    REFUSE(f.kind = S3STORE_KIND_LIST, 16, "\"x\": its item");
    REFUSE(f.kind = S3STORE_KIND_LIST; f.item = S3STORE_KIND_LIST, 16, "\"x\": its item");
    REFUSE(f.kind = S3STORE_KIND_LIST; f.item = S3STORE_KIND_BOOL, 8, "\"x\": its offset");
    REFUSE(f.null = (s3store_null)9, 8, "\"x\": its null");
    REFUSE(f.unit = (s3store_time_unit)4, 8, "\"x\": its unit");
    REFUSE(f.offset = 8, 8, "\"x\": its offset");
    REFUSE(f.offset = SIZE_MAX - 3, 8, "\"x\": its offset");
    REFUSE(f.offset = 4, 16, "\"x\": its offset");
    REFUSE(f.offset = 0, 12, "\"x\": its offset");
    REFUSE(f.offset = 0, 4, "\"x\": its offset");
    REFUSE(f.kind = S3STORE_KIND_INT8; f.null = S3STORE_NULL_POINTER; f.offset = 1, 16,
           "\"x\": its offset");
    REFUSE(f.null = S3STORE_NULL_FLAG; f.flag_offset = 16, 16, "\"x\": its flag_offset");
    REFUSE(f.null = S3STORE_NULL_FLAG; f.flag_offset = 7, 16, "\"x\": its flag lies");
#undef REFUSE
    s3store_field twice[] = {good, {.name = "y", .kind = S3STORE_KIND_BOOL, .offset = 8}, good};
    s3store_record_type type = S3STORE_RECORD_TYPE(nulls, twice);
    assert_fails(s3s_record_schema(env, &type, &schema, &err), S3STORE_INVALID_ARGUMENT,
                 "\"x\" occurs twice");
    type.field_count = 0;
    assert_fails(s3s_record_schema(env, &type, &schema, &err), S3STORE_INVALID_ARGUMENT,
                 "no fields");
    type.field_count = 2;
    type.size = 0;
    assert_fails(s3s_record_schema(env, &type, &schema, &err), S3STORE_INVALID_ARGUMENT, "size");
    assert_fails(s3s_record_schema(env, NULL, &schema, &err), S3STORE_INVALID_ARGUMENT, "missing");
    type.size = sizeof type;
    assert_ok(s3s_record_schema(env, &type, &schema, &err));
    s3s_schema_release(schema);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_records__every_kind_goes_out_and_comes_back),
        TEST(test_records__every_way_to_say_null),
        TEST(test_records__a_null_that_is_read_becomes_zero_where_the_field_says_so),
        TEST(test_records__parts_of_arrays_and_batches),
        TEST(test_records__bad_values_name_field_and_row),
        TEST(test_records__unreadable_values_name_column_and_row),
        TEST(test_records__lists_of_scalars),
        TEST(test_records__bad_lists_name_field_row_and_item),
        TEST(test_records__null_items_are_refused_or_zero),
        TEST(test_records__record_types_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
