/* Which columns come out: unions, projections, widening, fixed schemas, what is refused. */
#include "unit/scan/kit.h"

#include <stdlib.h>

#include "arrow/builder.h"

typedef struct narrow {
    const char *entity;
    int32_t version;
} narrow;
static const s3store_field narrow_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(narrow, entity)},
    {.name = "version", .kind = S3STORE_KIND_INT32, .offset = offsetof(narrow, version)},
};
static const s3store_record_type narrow_type = S3STORE_RECORD_TYPE(narrow, narrow_fields);

typedef struct odd {
    const char *entity;
    int64_t version;
    bool version_is_null;
    const char *value;
} odd;
static const s3store_field odd_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(odd, entity)},
    {.name = "version",
     .kind = S3STORE_KIND_INT64,
     .offset = offsetof(odd, version),
     .null = S3STORE_NULL_FLAG,
     .flag_offset = offsetof(odd, version_is_null)},
    {.name = "value", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(odd, value)},
};
static const s3store_record_type odd_type = S3STORE_RECORD_TYPE(odd, odd_fields);

typedef struct text_version {
    const char *entity;
    const char *version;
} text_version;
static const s3store_field text_version_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(text_version, entity)},
    {.name = "version", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(text_version, version)},
};
static const s3store_record_type text_version_type =
    S3STORE_RECORD_TYPE(text_version, text_version_fields);

static void write_narrow(fixture *fx, const char *partition, const char *entity, int32_t version)
{
    fixture_write write = {.partition = partition};
    fixture_write_records(fx, &write, &narrow_type, &(narrow){entity, version}, 1);
}

static void expect(fixture *fx, const s3s_scan_options *o, const char *expected)
{
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    assert_non_null(text);
    assert_ok(kit_scan(fx, "", o, text, &err));
    assert_string_equal(text, expected);
    free(text);
}

static void expect_failure(fixture *fx, const s3s_scan_options *o, s3store_status status,
                           const char *named, const char *rows_before)
{
    s3store_error err;
    char *text = malloc(KIT_TEXT);
    assert_non_null(text);
    assert_fails(kit_scan(fx, "", o, text, &err), status, named);
    assert_string_equal(text, rows_before);
    free(text);
}

static void test_schema__is_the_union_of_the_files_widened(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    write_narrow(&fx, "p=1", "a", 7); /* version int32, no value */
    kit_write(&fx, "p=2", (fixture_row[]){{"b", INT64_C(1) << 40, 5, false}}, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    expect(&fx, &o, "{p=1}a|7|-;{p=2}b|1099511627776|5;");
    fixture_close_clean(&fx);
}

static void test_schema__wanted_columns_come_in_the_order_asked_for(void **state)
{
    (void)state;
    static const char *const wanted[] = {"value", "entity"};
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1",
              (fixture_row[]){{"a", 1, 10, false}, {"a", 2, 20, false}, {"b", 1, 0, true}}, 3);
    write_narrow(&fx, "p=2", "c", 1);
    for (int mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_LATEST; mode++) {
        s3s_scan_options o = kit_options((s3s_scan_mode)mode);
        o.columns = wanted;
        o.column_count = 2;
        expect(&fx, &o,
               mode == S3S_SCAN_ROWS ? "{p=1}10|a;20|a;-|b;{p=2}-|c;" : "{p=1}20|a;-|b;{p=2}-|c;");
        o.column_count = 1; /* version is needed to decide, and not delivered */
        expect(&fx, &o,
               mode == S3S_SCAN_ROWS ? "{p=1}10;20;-;{p=2}-;" : "{p=1}20;-;{p=2}-;");
    }
    fixture_close_clean(&fx);
}

static void test_schema__an_unknown_column_is_named_with_those_that_are(void **state)
{
    (void)state;
    static const char *const wanted[] = {"entity", "valeu"};
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 10, false}}, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.columns = wanted;
    o.column_count = 2;
    expect_failure(&fx, &o, S3STORE_INVALID_ARGUMENT,
                   "\"valeu\"; there are: entity, version, value", "");
    fixture_close_clean(&fx);
}

static void test_schema__types_that_contradict_fail_in_their_place(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 10, false}}, 1);
    fixture_write write = {.partition = "p=2"};
    fixture_written bad =
        fixture_write_records(&fx, &write, &odd_type, &(odd){"b", 1, false, "text"}, 1);
    kit_write(&fx, "p=3", (fixture_row[]){{"c", 1, 10, false}}, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, bad.data_key, "{p=1}a|1|10;");
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "value", "{p=1}a|1|10;");
    fixture_close_clean(&fx);
}

static void test_schema__key_columns_must_be_there_with_types_that_order(void **state)
{
    (void)state;
    static const char *const other[] = {"name"};
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 10, false}}, 1);
    fixture_write write = {.partition = "p=2"};
    fixture_written bad =
        fixture_write_records(&fx, &write, &text_version_type, &(text_version){"b", "1"}, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, bad.data_key, "{p=1}a|1|10;");
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "version column \"version\" is string",
                   "{p=1}a|1|10;");
    o.entity = other;
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "no column \"name\"", "");
    o = kit_options(S3S_SCAN_LATEST);
    o.version = "when";
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "no column \"when\"", "");
    fixture_close_clean(&fx);
}

static void test_schema__a_null_version_names_file_column_and_row(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    fixture_write write = {.partition = "p=1"};
    odd rows[] = {{"a", 1, false, "x"}, {"b", 2, false, "y"}, {"c", 0, true, "z"}};
    fixture_written w = fixture_write_records(&fx, &write, &odd_type, rows, 3);
    s3s_scan_options o = kit_options(S3S_SCAN_HISTORY);
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, w.data_key, "");
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "\"version\" is null in row 2", "");
    o.where = "entity >= 'a'"; /* rows may be left out before: the number is a lower bound */
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "is null, after 2 rows or more", "");
    o.where = NULL;
    o.mode = S3S_SCAN_ROWS;
    expect(&fx, &o, "{p=1}a|1|x;b|2|y;c|-|z;");
    fixture_close_clean(&fx);
}

/* Batches before the one with the null are looked at as well, and their rows count. */
static void test_schema__a_null_version_in_a_later_batch_counts_those_before_it(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    static odd rows[ROWS];
    fixture fx;
    fixture_options options = {.memory_bytes = 400000};
    fixture_open(&fx, NULL, &options);
    for (int i = 0; i < ROWS; i++)
        rows[i] = (odd){"a", i, i == 0 || i == ROWS - 1, "x"};
    fixture_write write = {.partition = "p=1"};
    fixture_write_records(&fx, &write, &odd_type, rows + 1, ROWS - 1);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.merge_bytes = UINT64_C(1) << 30;
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "\"version\" is null in row 2998", "");
    rows[ROWS - 1].version_is_null = false;
    rows[ROWS - 1].version = ROWS;
    write.partition = "p=0";
    fixture_write_records(&fx, &write, &odd_type, rows + 1, ROWS - 1);
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "is null in row 2998", "{p=0}a|3000|x;");
    fixture_close_clean(&fx);
}

typedef struct timed {
    const char *entity;
    int64_t version;
} timed;
static const s3store_field timed_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(timed, entity)},
    {.name = "version", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(timed, version)},
};
static const s3store_record_type timed_type = S3STORE_RECORD_TYPE(timed, timed_fields);

static void test_schema__a_time_is_a_version_and_both_keys_are_needed(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL);
    fixture_write write = {.partition = "p=1"};
    const timed rows[] = {{"a", 5}, {"a", -7}, {"b", INT64_MIN}};
    fixture_write_records(&fx, &write, &timed_type, rows, 3);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    expect(&fx, &o, "{p=1}a|5;b|-9223372036854775808;");
    o.read_ahead_bytes = UINT64_MAX; /* more than there is */
    o.mode = S3S_SCAN_HISTORY;
    expect(&fx, &o, "{p=1}a|-7;a|5;b|-9223372036854775808;");
    o.version = NULL; /* nothing tells versions apart: rows as written */
    expect(&fx, &o, "{p=1}a|5;a|-7;b|-9223372036854775808;");
    o = kit_options(S3S_SCAN_LATEST);
    o.entity_count = 0;
    expect(&fx, &o, "{p=1}a|5;a|-7;b|-9223372036854775808;");
    fixture_close_clean(&fx);
}

/* A file of another writer, whose entity column is a list. */
static void test_schema__entities_cannot_be_nested(void **state)
{
    (void)state;
    static const char *const nested[] = {"emptylist"};
    fixture fx;
    static char bytes[65536];
    FILE *file = fopen("tests/data/parquet/null_list.parquet", "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    fixture_open(&fx, NULL, NULL);
    fixture_write write = {.partition = "p=1"};
    fixture_written w = fixture_write_bytes(&fx, &write, bytes, size, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.entity = nested;
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "nested columns cannot be compared", "");
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "entity column \"emptylist\" is list", "");
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, w.data_key, "");
    fixture_close_clean(&fx);
}

static void test_schema__a_fixed_one_is_delivered_exactly(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_schema *fixed = NULL;
    fixture_open(&fx, NULL, NULL);
    write_narrow(&fx, "p=1", "a", 7);
    kit_write(&fx, "p=2", (fixture_row[]){{"b", 8, 5, false}, {"b", 9, 6, true}}, 2);
    assert_ok(s3s_record_schema(fx.env, &fixture_row_type, &fixed, &err));
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.fixed = fixed;
    fixture_reset_counts(&fx);
    expect(&fx, &o, "{p=1}a|7|-;{p=2}b|9|-;");
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 2);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 1);
    s3s_schema_release(fixed);
    /* what is tested and not in it is fetched too, used, dropped */
    static const s3store_field keys[] = {
        {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = 0},
        {.name = "version", .kind = S3STORE_KIND_INT64, .offset = 8}};
    const s3store_record_type keys_type = {
        .size = sizeof keys_type, .record_size = 16, .fields = keys, .field_count = 2};
    assert_ok(s3s_record_schema(fx.env, &keys_type, &fixed, &err));
    o.fixed = fixed;
    o.where = "value is null";
    expect(&fx, &o, "{p=1}a|7;{p=2}b|9;");
    o.where = "value = 5"; /* of b's latest version it is null */
    expect(&fx, &o, "");
    o.where = NULL;
    s3s_schema_release(fixed);
    /* without the key columns: they are fetched, used, dropped */
    static const s3store_field only_value[] = {
        {.name = "value", .kind = S3STORE_KIND_INT64, .null = S3STORE_NULL_ZERO}};
    const s3store_record_type value_type = {
        .size = sizeof value_type, .record_size = 8, .fields = only_value, .field_count = 1};
    assert_ok(s3s_record_schema(fx.env, &value_type, &fixed, &err));
    o.fixed = fixed;
    expect(&fx, &o, "{p=1}-;{p=2}-;");
    s3s_schema_release(fixed);
    fixture_close_clean(&fx);
}

static void test_schema__a_fixed_column_that_may_not_be_null_and_is_missing_fails(void **state)
{
    (void)state;
    static const s3store_field strict[] = {
        {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = 0},
        {.name = "value", .kind = S3STORE_KIND_INT64, .offset = 8}};
    const s3store_record_type type = {
        .size = sizeof type, .record_size = 16, .fields = strict, .field_count = 2};
    fixture fx;
    s3store_error err;
    s3s_schema *fixed = NULL;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 10, false}}, 1);
    write_narrow(&fx, "p=2", "b", 7);
    assert_ok(s3s_record_schema(fx.env, &type, &fixed, &err));
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.fixed = fixed;
    expect_failure(&fx, &o, S3STORE_SCHEMA_MISMATCH, "value", "{p=1}a|10;");
    s3s_schema_release(fixed);
    fixture_close_clean(&fx);
}

/* With a small budget the data are "much", and the schema is looked for elsewhere. */
static void test_schema__of_much_data_comes_from_the_record_or_the_footers(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    fixture_options options = {.memory_bytes = 16384};
    char partition[16];
    fixture_open(&fx, NULL, &options);
    for (int i = 0; i < 40; i++) {
        snprintf(partition, sizeof partition, "p=%02d", i);
        if (i == 39)
            kit_write(&fx, partition, (fixture_row[]){{"z", 1, 1, false}}, 1);
        else
            write_narrow(&fx, partition, "a", i);
    }
    char *text = malloc(KIT_TEXT);
    assert_non_null(text);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    fixture_reset_counts(&fx);
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    assert_non_null(strstr(text, "{p=38}a|38|-;{p=39}z|1|1;"));
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 80); /* footers, then files */

    static const char recorded[] = "{\"format\":1,\"version\":1,\"columns\":["
                                   "{\"name\":\"entity\",\"type\":\"string\"},"
                                   "{\"name\":\"version\",\"type\":\"int64\"}]}";
    fixture_put(&fx, "ds/_config/schema/000001.json", recorded, sizeof recorded - 1, NULL);
    fixture_reset_counts(&fx);
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    assert_non_null(strstr(text, "{p=38}a|38;{p=39}z|1;"));
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 41);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 2);
    /* Somebody recorded a schema that lacks what tells versions apart. */
    static const char lacking[] = "{\"format\":1,\"version\":2,\"columns\":["
                                  "{\"name\":\"entity\",\"type\":\"string\"}]}";
    fixture_put(&fx, "ds/_config/schema/000002.json", lacking, sizeof lacking - 1, NULL);
    assert_fails(kit_scan(&fx, "", &o, text, &err), S3STORE_SCHEMA_MISMATCH,
                 "the data have no column \"version\"");
    free(text);
    fixture_close_clean(&fx);
}

int run_schema_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__is_the_union_of_the_files_widened),
        cmocka_unit_test(test_schema__wanted_columns_come_in_the_order_asked_for),
        cmocka_unit_test(test_schema__an_unknown_column_is_named_with_those_that_are),
        cmocka_unit_test(test_schema__types_that_contradict_fail_in_their_place),
        cmocka_unit_test(test_schema__key_columns_must_be_there_with_types_that_order),
        cmocka_unit_test(test_schema__a_null_version_names_file_column_and_row),
        cmocka_unit_test(test_schema__a_null_version_in_a_later_batch_counts_those_before_it),
        cmocka_unit_test(test_schema__a_time_is_a_version_and_both_keys_are_needed),
        cmocka_unit_test(test_schema__entities_cannot_be_nested),
        cmocka_unit_test(test_schema__a_fixed_one_is_delivered_exactly),
        cmocka_unit_test(test_schema__a_fixed_column_that_may_not_be_null_and_is_missing_fails),
        cmocka_unit_test(test_schema__of_much_data_comes_from_the_record_or_the_footers),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
