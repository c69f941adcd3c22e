/* What tells a retry from a reused token (docs/FORMAT.md "Content hash"). */
#include <inttypes.h>

#include "support/alloc_sweep.h"
#include "unit/write/stage.h"

static uint64_t hash_skipping(s3s_env *env, const char *columns, const char *const *rows,
                              size_t count, const char *skipped)
{
    s3store_error err;
    bool skip[16] = {false};
    uint64_t hash = 0;
    s3s_schema *schema = kit_schema(env, columns);
    struct ArrowArray batch;
    kit_batch(schema, rows, count, &batch);
    if (skipped != NULL)
        skip[s3s_schema_find(schema, skipped)] = true;
    assert_ok(s3s_content_hash(env, schema, &batch, skipped != NULL ? skip : NULL, &hash, &err));
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    return hash;
}

static uint64_t hash(s3s_env *env, const char *columns, const char *const *rows, size_t count)
{
    return hash_skipping(env, columns, rows, count, NULL);
}

/* Other implementations must come to the same numbers: never change them. */
static void test_content_hash__golden_values(void **state)
{
    s3s_env *env = *state;
    static const struct {
        const char *columns, *row;
        uint64_t hash;
    } cases[] = {
        {"a:int64?", "1",
         UINT64_C(0x1d2a4fc9d7fb57d0)},
        {"a:int8?", "-1",
         UINT64_C(0xa72921351033881f)},
        {"a:uint64?", "18446744073709551615",
         UINT64_C(0xd701ab936fac3559)},
        {"a:double?", "0.5",
         UINT64_C(0x74befa033666f868)},
        {"a:double?", "nan",
         UINT64_C(0x4669a9ac05ec7a21)},
        {"a:double?", "9007199254740994",
         UINT64_C(0x904b5305b126cb3e)},
        {"a:double?", "-inf",
         UINT64_C(0xbbb20dba82ea72a9)},
        {"a:bool?", "true",
         UINT64_C(0xe09738adea2fa7f8)},
        {"a:date?", "17569",
         UINT64_C(0x18c00affe762b558)},
        {"a:timestamp(us, UTC)?", "1517966773123456",
         UINT64_C(0x110ff6aeecf996c7)},
        {"a:timestamp(us, UTC)?", "9223372036854775807",
         UINT64_C(0xc0677e87be2ece19)},
        {"a:string?", "",
         UINT64_C(0x22996c716159b6fc)},
        {"a:string?", "caf\xc3\xa9",
         UINT64_C(0xf889d02c7ab11b16)},
        {"a:binary?", "xyz",
         UINT64_C(0xd9c76e1aafd2dd53)},
        {"a:fixed_binary(3)?", "xyz",
         UINT64_C(0xd9c76e1aafd2dd53)}, /* as binary */
        {"b:string?;a:int32?;c:double?", "quake|7|null",
         UINT64_C(0x283fafb1e830657a)},
        {"a:list<int64>?", "[1,null,3]",
         UINT64_C(0x154e1efc75eb81b4)},
        {"a:list<string>?", "[]",
         UINT64_C(0x1d533e0f710ed007)},
        {"a:struct<y: string, x: int8>?", "{q,7}",
         UINT64_C(0xba9a3b7dc732eb74)},
        {"a:struct<x: int8>?", "{null}",
         UINT64_C(0xa236971caed96834)},
        {"a:map<string, int64>?", "[{k,1},{j,null}]",
         UINT64_C(0x38bd17a69ac42ea6)},
        {"a:list<struct<v: list<bool>, w: int8>>?", "[{[true,null],5},null,{null,null}]",
         UINT64_C(0x5c10eae18d52b2b5)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t got = hash(env, cases[i].columns, &cases[i].row, 1);
        if (got != cases[i].hash)
            fail_msg("%s %s: %016" PRIx64, cases[i].columns, cases[i].row, got);
    }
    assert_true(hash(env, "a:int64?", NULL, 0) == UINT64_C(0xef46db3751d8e999)); /* of no bytes */
}

static void same(s3s_env *env, const char *a, const char *row_a, const char *b, const char *row_b)
{
    if (hash(env, a, &row_a, 1) != hash(env, b, &row_b, 1))
        fail_msg("%s %s is not %s %s", a, row_a, b, row_b);
}

static void differ(s3s_env *env, const char *a, const char *row_a, const char *b,
                   const char *row_b)
{
    if (hash(env, a, &row_a, 1) == hash(env, b, &row_b, 1))
        fail_msg("%s %s is the same as %s %s", a, row_a, b, row_b);
}

static void test_content_hash__widening_changes_nothing(void **state)
{
    s3s_env *env = *state;
    static const char *const ints[] = {"a:int8?",  "a:int16?",  "a:int32?",  "a:int64?",
                                       "a:uint8?", "a:uint16?", "a:uint32?", "a:uint64?",
                                       "a:float?", "a:double?"};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        same(env, "a:int64?", "100", ints[i], "100");
    same(env, "a:int64?", "9007199254740992", "a:double?", "9007199254740992");
    same(env, "a:int64?", "-9007199254740992", "a:double?", "-9007199254740992");
    same(env, "a:float16?", "0.5", "a:double?", "0.5");
    same(env, "a:float?", "0.1", "a:double?", "0.100000001490116119384765625");
    same(env, "a:double?", "-0", "a:int8?", "0");
    same(env, "a:double?", "nan", "a:float?", "nan");
    same(env, "a:timestamp(s, UTC)?", "7", "a:timestamp(ns, UTC)?", "7000000000");
    same(env, "a:timestamp(ms, UTC)?", "7", "a:timestamp(us, UTC)?", "7000");
    same(env, "a:timestamp(s, UTC)?", "9223372037", "a:timestamp(us, UTC)?", "9223372037000000");
    same(env, "a:date64?", "86400000", "a:timestamp(ms, UTC)?", "86400000");
    same(env, "a:time(ms)?", "7", "a:time(ns)?", "7000000");
    same(env, "a:duration(s)?", "-7", "a:duration(us)?", "-7000000");
    /* What fits no unit is the nearest that does. */
    same(env, "a:timestamp(s, UTC)?", "9223372036854775807", "a:timestamp(us, UTC)?",
         "9223372036854775807");
    same(env, "a:timestamp(s, UTC)?", "-9223372036854775808", "a:timestamp(us, UTC)?",
         "-9223372036854775808");
    same(env, "a:duration(s)?", "9223372036854775807", "a:duration(ns)?", "9223372036854775807");
    same(env, "a:duration(s)?", "-9223372036854775808", "a:duration(ns)?",
         "-9223372036854775808");
    same(env, "a:string?", "xyz", "a:large_string?", "xyz");
    same(env, "a:binary?", "xyz", "a:large_binary?", "xyz");
}

static void test_content_hash__null_columns_and_their_order_change_nothing(void **state)
{
    s3s_env *env = *state;
    same(env, "a:int8?;b:string?", "1|x", "b:string?;a:int8?", "x|1");
    same(env, "a:int8?;b:string?", "1|x", "a:int8?;n:double?;b:string?", "1|null|x");
    same(env, "a:int8?;b:string?", "1|x", "a:int8?;n:null?;b:string?", "1|null|x");
}

static void test_content_hash__any_other_difference_is_seen(void **state)
{
    s3s_env *env = *state;
    differ(env, "a:int8?", "1", "a:int8?", "2");
    differ(env, "a:int8?", "1", "b:int8?", "1");
    differ(env, "a:int8?", "1", "a:bool?", "true");
    differ(env, "a:int8?", "1", "a:string?", "1");
    differ(env, "a:int64?", "1", "a:date?", "1");
    differ(env, "a:int64?", "1", "a:timestamp(ns, UTC)?", "1");
    differ(env, "a:string?", "x", "a:binary?", "x");
    differ(env, "a:double?", "0.5", "a:double?", "0.25");
    differ(env, "a:int64?", "-1", "a:uint64?", "18446744073709551615");
    differ(env, "a:duration(s)?", "10000000000", "a:duration(s)?", "-10000000000");
    differ(env, "a:timestamp(s, UTC)?", "10000000000000", "a:timestamp(s, UTC)?",
           "-10000000000000");
    differ(env, "a:int8?", "null", "a:int8?", "0");
    differ(env, "a:string?", "null", "a:string?", "");
    differ(env, "a:string?;b:string?", "xy|z", "a:string?;b:string?", "x|yz");
    differ(env, "a:string?;b:string?", "x|null", "a:string?;b:string?", "null|x");
    const char *ab[] = {"1", "2"}, *ba[] = {"2", "1"}, *aab[] = {"1", "1", "2"};
    assert_true(hash(env, "a:int8?", ab, 2) != hash(env, "a:int8?", ba, 2));
    assert_true(hash(env, "a:int8?", ab, 2) != hash(env, "a:int8?", aab, 3));
}

static void test_content_hash__every_byte_of_long_rows_counts(void **state)
{
    s3s_env *env = *state;
    char row[1000];
    const char *rows[100];
    memset(row, 'x', sizeof row);
    row[sizeof row - 1] = '\0';
    for (size_t i = 0; i < 100; i++)
        rows[i] = row;
    uint64_t first = hash(env, "a:string?", rows, 100);
    for (size_t i = 0; i < 100; i += 9) {
        char other[1000];
        memcpy(other, row, sizeof row);
        other[i * 10] = 'y';
        rows[i] = other;
        assert_true(hash(env, "a:string?", rows, 100) != first);
        rows[i] = row;
    }
}

static void test_content_hash__nested_values_count_as_what_they_are(void **state)
{
    s3s_env *env = *state;
    /* Wider types, another order of members, members that are null, another name of elements. */
    same(env, "a:list<int8>?", "[1,null]", "a:large_list<x: double>?", "[1,null]");
    same(env, "a:struct<x: int8, y: string>?", "{1,q}", "a:struct<y: large_string, x: float>?", "{q,1}");
    same(env, "a:struct<y: string, x: int8>?", "{q,7}", "a:struct<y: string, n: bool, x: float>?",
         "{q,null,7}");
    same(env, "a:struct<x: int8>?", "{1}", "a:struct<n: list<int8>, x: int8, m: null>?",
         "{null,1,null}");
    same(env, "a:map<int8, struct<t: timestamp(s)>>?", "[{1,{7}}]",
         "a:map<int64, struct<t: timestamp(ns), u: bool>>?", "[{1,{7000000000,null}}]");
    same(env, "b:int8?;a:list<int8>?", "1|null", "b:int8?", "1");
    differ(env, "a:list<int8>?", "[]", "a:list<int8>?", "null");
    differ(env, "a:list<int8>?", "[null]", "a:list<int8>?", "[]");
    differ(env, "a:list<int8>?", "[1,2]", "a:list<int8>?", "[2,1]");
    differ(env, "a:list<int8>?", "[1]", "a:int8?", "1");
    differ(env, "a:struct<x: int8>?", "{null}", "a:struct<x: int8>?", "null");
    differ(env, "a:struct<x: int8, y: int8>?", "{1,null}", "a:struct<x: int8, y: int8>?", "{null,1}");
    differ(env, "a:map<int8, int8>?", "[{1,2}]", "a:list<int8>?", "[1,2]");
    differ(env, "a:map<int8, int8>?", "[{1,2},{3,4}]", "a:map<int8, int8>?", "[{3,4},{1,2}]");
    differ(env, "a:list<list<int8>>?", "[[1],[2]]", "a:list<list<int8>>?", "[[1,2],[]]");
    differ(env, "a:list<list<int8>>?", "[[1],[]]", "a:list<list<int8>>?", "[[],[1]]");
}

static void sizes(s3s_env *env, const char *columns, const char *row, uint32_t wanted)
{
    s3s_schema *schema = kit_schema(env, columns);
    bool skip[8] = {false};
    uint32_t size = 7;
    struct ArrowArray batch;
    kit_batch(schema, &row, 1, &batch);
    s3s_row_sizes(schema, &batch, skip, &size);
    if (size != wanted)
        fail_msg("%s %s: %u", columns, row, (unsigned)size);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

/* Chunks are cut by them: never change them (docs/FORMAT.md "Chunks"). */
static void test_row_sizes__are_those_of_the_values(void **state)
{
    s3s_env *env = *state;
    sizes(env, "a:int8?;b:string?;c:bool?;d:date?;e:decimal(5, 2)?", "1|xyz|true|1|5", 8 + 7 + 1 + 4 + 20);
    sizes(env, "a:int8?;b:list<int8>?", "1|null", 8);
    sizes(env, "b:list<int8>?", "[]", 4);
    sizes(env, "b:list<int8>?", "[1,2,3]", 4 + 3 * 9);
    sizes(env, "b:list<double>?", "[1,null,3]", 4 + 3 + 2 * 8);
    sizes(env, "b:list<string>?", "[ab,null]", 4 + 2 + 6);
    sizes(env, "b:struct<x: int8, y: string>?", "{1,ab}", 4 + 8 + 6);
    sizes(env, "b:struct<y: string, x: int8>?", "{q,7}", 4 + 5 + 8);
    sizes(env, "b:struct<x: int64, n: list<int8>, y: large_string>?", "{1,null,ab}", 4 + 8 + 6);
    sizes(env, "b:struct<x: int64>?", "{null}", 4);
    sizes(env, "b:map<string, bool>?", "[{k,true},{l,null}]", 4 + 2 * (1 + 5) + 2 + 1);
    sizes(env, "b:list<struct<v: list<bool>, w: int8>>?", "[{[true,null],5},null]",
          4 + 2 + 4 + (4 + 2 + 1) + 8);
}

/* Values that cross the end of the buffer, and one that is larger than it. */
static void test_content_hash__no_size_of_rows_or_values_changes_what_counts(void **state)
{
    s3s_env *env = *state;
    enum { ROWS = 5000, LARGE = 50000 };
    static char millis[ROWS][12], nanos[ROWS][20], large[LARGE];
    static const char *rows[ROWS], *finer[ROWS], *const one[] = {large};
    for (int i = 0; i < ROWS; i++) {
        snprintf(millis[i], sizeof millis[i], "%d", i);
        snprintf(nanos[i], sizeof nanos[i], "%d", i * 1000);
        rows[i] = millis[i];
        finer[i] = nanos[i];
    }
    uint64_t all = hash(env, "a:time(us)?", rows, ROWS);
    assert_true(hash(env, "a:time(ns)?", finer, ROWS) == all);
    finer[ROWS / 2] = "0";
    assert_true(hash(env, "a:time(ns)?", finer, ROWS) != all);
    memset(large, 'x', LARGE - 1);
    uint64_t before = hash(env, "a:string?", one, 1);
    assert_true(hash(env, "a:large_string?", one, 1) == before);
    large[LARGE - 2] = 'y';
    assert_true(hash(env, "a:string?", one, 1) != before);
}

static void test_content_hash__long_column_names_count_to_their_end(void **state)
{
    s3s_env *env = *state;
    differ(env, "a-name-of-more-than-sixteen-bytes-and-more-than-32-a:int64?", "1",
           "a-name-of-more-than-sixteen-bytes-and-more-than-32-b:int64?", "1");
    same(env, "a-name-of-more-than-sixteen-bytes-and-more-than-32-a:int64?", "1",
         "a-name-of-more-than-sixteen-bytes-and-more-than-32-a:int8?", "1");
}

/* A value that ends near the end of the hasher's buffer leaves no room for what comes next, whatever
 * that is: it is as in a row of its own types. */
static void test_content_hash__the_end_of_the_buffer_cuts_no_value(void **state)
{
    s3s_env *env = *state;
    static const char *const others[][2] = {
        {"b:bool?", "true"},        {"b:date?", "7"},   {"b:float?", "0.1"},
        {"b:time(us)?", "7000000"}, {"b:int8?", "-1"},  {"b:uint64?", "18446744073709551615"},
        {"b:large_string?", "xyz"}, {"b:binary?", "x"}, {"b:fixed_binary(2)?", "xy"},
    };
    static char row[20000], columns[100], wider[100];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        uint64_t before = 0;
        for (size_t size = 16384 - 40; size < 16384 + 8; size++) {
            const char *rows[] = {row};
            memset(row, 'v', size);
            snprintf(row + size, sizeof row - size, "|%s", others[i][1]);
            snprintf(columns, sizeof columns, "a:string?;%s", others[i][0]);
            snprintf(wider, sizeof wider, "a:large_string?;%s", others[i][0]);
            uint64_t now = hash(env, columns, rows, 1);
            assert_true(now != before);
            assert_true(now == hash(env, wider, rows, 1));
            before = now;
        }
    }
}

typedef struct hashed {
    s3s_schema *schema;
    struct ArrowArray batch;
} hashed;

static s3store_status hash_again(void *ctx, s3s_env *env, s3store_error *err)
{
    hashed *h = ctx;
    uint64_t hash;
    return s3s_content_hash(env, h->schema, &h->batch, NULL, &hash, err);
}

static void test_content_hash__every_failed_allocation_is_an_error(void **state)
{
    s3s_env *env = *state;
    hashed h = {.schema = kit_schema(env, "a:int64?;b:string?;c:struct<y: int8, x: list<int8>>?;"
                                         "d:map<string, struct<z: bool>>?")};
    KIT_BATCH(h.schema, &h.batch, "1|x|{1,[2,3]}|[{k,{true}}]", "2|y|null|[]");
    alloc_steps(hash_again, &h);
    s3s_array_release(&h.batch);
    s3s_schema_release(h.schema);
}

/* ---- sizes of rows --------------------------------------------------------------------------- */

static void check_sizes(s3s_env *env, const char *columns, const char *const *rows, size_t count,
                        const uint32_t *expected)
{
    uint32_t sizes[8];
    bool skip[8] = {false};
    s3s_schema *schema = kit_schema(env, columns);
    struct ArrowArray batch;
    kit_batch(schema, rows, count, &batch);
    s3s_row_sizes(schema, &batch, skip, sizes);
    for (size_t i = 0; i < count; i++)
        if (sizes[i] != expected[i])
            fail_msg("%s row %zu: %u, not %u", columns, i, sizes[i], expected[i]);
    s3s_array_release(&batch);
    s3s_schema_release(schema);
}

#define SIZES(...) (const uint32_t[]){__VA_ARGS__}

/* The cuts of inputs are made by them: never change them (docs/FORMAT.md "Chunks"). */
static void test_row_sizes__golden_values(void **state)
{
    s3s_env *env = *state;
    check_sizes(env, "a:bool?", ROWS("true", "null"), SIZES(1, 0));
    check_sizes(env, "a:date?", ROWS("1", "2"), SIZES(4, 4));
    check_sizes(env, "a:int8?;b:double?", ROWS("1|2", "null|2", "null|null"), SIZES(16, 8, 0));
    check_sizes(env, "a:timestamp(us, UTC)?;b:time(us)?", ROWS("1|2"), SIZES(16));
    check_sizes(env, "a:string?;b:large_binary?", ROWS("abc|x", "|null"), SIZES(4 + 3 + 4 + 1, 4));
    check_sizes(env, "a:fixed_binary(3)?;b:decimal(18, 6)?", ROWS("xyz|1", "null|null"),
                SIZES(4 + 3 + 4 + 16, 0));
    check_sizes(env, "a:null?;b:int16?", ROWS("null|1"), SIZES(8));
    check_sizes(env, "a:int64?", ROWS("1", "2"), SIZES(8, 8));
    check_sizes(env, "a:interval?;b:int8?", ROWS("null|1"), SIZES(8));
}

static void test_content_hash__skipped_columns_do_not_count(void **state)
{
    s3s_env *env = *state;
    const char *one = "1|5", *two = "1|6", *bare = "1";
    uint64_t a = hash_skipping(env, "a:int8?;at:int64?", &one, 1, "at");
    assert_true(a == hash_skipping(env, "a:int8?;at:int64?", &two, 1, "at"));
    assert_true(a == hash(env, "a:int8?", &bare, 1));
}

/* ---- through the writer ---------------------------------------------------------------------- */

static uint64_t marker_hash(stage *s, const char *key)
{
    s3s_marker marker;
    assert_true(stage_marker(s, key, &marker) && marker.has_content_hash);
    return marker.content_hash;
}

static void test_content_hash__a_retry_is_known_through_the_other_door(void **state)
{
    typedef struct record {
        const char *p, *id;
        int64_t v;
    } record;
    static const s3store_field fields[] = {
        {.name = "id", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(record, id)},
        {.name = "p", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(record, p)},
        {.name = "v", .kind = S3STORE_KIND_INT64, .offset = offsetof(record, v)},
    };
    static const s3store_record_type type = S3STORE_RECORD_TYPE(record, fields);
    static const record records[] = {{"a", "x", 1}, {"a", "y", 2}};
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3s_schema *schema;
    struct ArrowArray batch;
    struct ArrowSchema abi;
    struct ArrowArrayStream stream;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "tok";
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, "p:string?;id:string?;v:int8?;n:null?",
                          ROWS("a|x|1|null", "a|y|2|null"), &options, NULL, &err));
    assert_ok(s3s_record_schema(s.env, &type, &schema, &err));
    assert_ok(s3s_records_to_batch(s.env, schema, &type, records, 0, 2, &batch, &err));
    assert_ok(s3s_schema_export(schema, &abi, &err));
    assert_ok(s3store_stream_from_batches(&abi, &batch, 1, &stream, &err));
    assert_ok(s3s_write(s.writer, &stream, &options, &result, &err));
    assert_string_equal(stage_states(result), "p=a existing");
    s3store_write_result_free(result);
    s3s_schema_release(schema);
    stage_close(&s);
}

static void test_content_hash__the_inserted_at_column_is_left_out(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "tok";
    (void)state;
    stage_open(&s, &(stage_options){.inserted_at_column = "at"});
    assert_ok(stage_write(&s, "p:string?;v:int8?", ROWS("a|1"), &options, NULL, &err));
    stage_wait(&s, SECOND);
    assert_ok(stage_write(&s, "p:string?;v:int8?;at:timestamp(us, UTC)?", ROWS("a|1|99"), &options,
                          &result, &err));
    assert_string_equal(stage_states(result), "p=a existing");
    s3store_write_result_free(result);
    stage_close(&s);
}

static void test_content_hash__a_named_partition_leaves_its_constant_columns_out(void **state)
{
    stage s;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    s3store_error err;
    options.partition = "p=a";
    (void)state;
    stage_open(&s, NULL);
    options.token = "with";
    assert_ok(stage_write(&s, "p:string?;v:int8?", ROWS("a|1"), &options, NULL, &err));
    options.token = "without";
    assert_ok(stage_write(&s, "v:int8?", ROWS("1"), &options, NULL, &err));
    assert_true(marker_hash(&s, "ds/data/p=a/with.commit") ==
                marker_hash(&s, "ds/data/p=a/without.commit"));
    options.partition = NULL;
    options.token = "by-column";
    assert_ok(stage_write(&s, "p:string?;v:int8?", ROWS("a|1"), &options, NULL, &err));
    assert_true(marker_hash(&s, "ds/data/p=a/with.commit") !=
                marker_hash(&s, "ds/data/p=a/by-column.commit"));
    stage_close(&s);
}

static void test_content_hash__a_generated_token_has_none(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    char key[256];
    s3s_marker marker;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write_one(&s, NULL, &result, &err));
    snprintf(key, sizeof key, "ds/data/p=a/%s.commit", s3store_write_result_get(result, 0)->token);
    assert_true(stage_marker(&s, key, &marker));
    assert_false(marker.has_content_hash);
    assert_string_equal(marker.attempt, s3store_write_result_get(result, 0)->token);
    s3store_write_result_free(result);
    stage_close(&s);
}

#define PURE(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PURE(test_content_hash__golden_values),
        PURE(test_content_hash__widening_changes_nothing),
        PURE(test_content_hash__null_columns_and_their_order_change_nothing),
        PURE(test_content_hash__any_other_difference_is_seen),
        PURE(test_content_hash__every_byte_of_long_rows_counts),
        PURE(test_content_hash__no_size_of_rows_or_values_changes_what_counts),
        PURE(test_content_hash__skipped_columns_do_not_count),
        PURE(test_content_hash__nested_values_count_as_what_they_are),
        PURE(test_row_sizes__are_those_of_the_values),
        PURE(test_content_hash__long_column_names_count_to_their_end),
        PURE(test_content_hash__the_end_of_the_buffer_cuts_no_value),
        PURE(test_content_hash__every_failed_allocation_is_an_error),
        PURE(test_row_sizes__golden_values),
        cmocka_unit_test(test_content_hash__a_retry_is_known_through_the_other_door),
        cmocka_unit_test(test_content_hash__the_inserted_at_column_is_left_out),
        cmocka_unit_test(test_content_hash__a_named_partition_leaves_its_constant_columns_out),
        cmocka_unit_test(test_content_hash__a_generated_token_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
