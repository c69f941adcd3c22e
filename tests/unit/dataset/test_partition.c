/* From columns to partition keys: text forms, and splitting batches. */
#include <stdlib.h>

#include "base/cancel.h"
#include "dataset/partition.h"
#include "dataset/valuetext.h"
#include "support/alloc_sweep.h"
#include "table.h"

static s3store_error err;
static s3s_env *env;
static s3s_arena arena; /* of specifications */

static int setup(void **state)
{
    (void)state;
    if (s3s_env_new_real(&env, &err) != S3STORE_OK)
        return 1;
    s3s_arena_init(&arena, env);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    s3s_arena_deinit(&arena);
    bool leaked = s3s_env_live_allocs(env) != 0;
    s3s_env_release(env);
    return leaked;
}

static s3s_part_spec spec_of(const char *text)
{
    s3s_part_spec spec;
    assert_ok(s3s_part_spec_parse(&arena, text, &spec, &err));
    return spec;
}

/* ---- text of one value ----------------------------------------------------------------------- */

static s3store_status text_of(const char *type, int64_t value, const char *spec_text, char *out)
{
    table t;
    const char *const columns[] = {"c"};
    table_open(&t, env, columns, &type, 1);
    if (t.schema->fields[0].type == S3S_TYPE_BOOL)
        assert_ok(s3store_builder_append_bool(t.builder, 0, value != 0, &err));
    else if (t.schema->fields[0].type == S3S_TYPE_UINT64)
        assert_ok(s3store_builder_append_uint(t.builder, 0, (uint64_t)value, &err));
    else if (t.schema->fields[0].type == S3S_TYPE_DOUBLE)
        assert_ok(s3store_builder_append_double(t.builder, 0, 1.5, &err));
    else if (s3s_type_is_bytes(t.schema->fields[0].type))
        table_text(&t, 0, "some text");
    else
        table_int(&t, 0, value);
    table_cut(&t);

    s3s_column column;
    s3s_buffer buffer;
    s3s_part_spec spec = spec_of(spec_text);
    s3s_batch_column(t.schema, t.pointers[0], 0, &column);
    s3s_buffer_init(&buffer, env, 1000);
    s3store_status status = s3s_value_text(&column, 0, &spec, &buffer, &err);
    if (status == S3STORE_OK) {
        assert_true(buffer.size < S3S_VALUE_TEXT_SIZE);
        memcpy(out, buffer.data, buffer.size);
        out[buffer.size] = '\0';
    }
    s3s_buffer_deinit(&buffer);
    table_close(&t);
    return status;
}

#define T INT64_C(1517966773) /* 2018-02-07T01:26:13Z */

static void test_value_text__forms(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int64_t value;
        const char *spec, *text;
    } rows[] = {
        {"string", 0, "c", "some text"},
        {"large_string", 0, "c", "some text"},
        {"int8", -128, "c", "-128"},
        {"int64", INT64_MIN, "c", "-9223372036854775808"},
        {"uint32", 4294967295, "c", "4294967295"},
        {"uint64", -1, "c", "18446744073709551615"},
        {"bool", 0, "c", "false"},
        {"bool", 1, "c", "true"},
        {"date", 17569, "c", "2018-02-07"},
        {"date", -1, "c", "1969-12-31"},
        {"date", 17569, "p=c:year", "2018"},
        {"date", 17569, "p=c:month", "2018-02"},
        {"date", 17569, "p=c:day", "2018-02-07"},
        {"date", 17569, "p=c:hour", "2018-02-07T00"},
        {"date", 17569, "p=c:%y%j", "18038"},
        {"date", -719528, "c", "0000-01-01"},
        {"date", 2932896, "c", "9999-12-31"},
        {"timestamp(s, UTC)", T, "c", "2018-02-07T01:26:13Z"},
        {"timestamp(ms, UTC)", T * 1000 + 840, "c", "2018-02-07T01:26:13.840Z"},
        {"timestamp(ms, UTC)", T * 1000, "c", "2018-02-07T01:26:13Z"},
        {"timestamp(us, UTC)", T * 1000000 + 1, "c", "2018-02-07T01:26:13.000001Z"},
        {"timestamp(ns, UTC)", T * 1000000000 + 1, "c", "2018-02-07T01:26:13.000000001Z"},
        {"timestamp(ns, UTC)", INT64_MIN, "c", "1677-09-21T00:12:43.145224192Z"},
        {"timestamp(ns, UTC)", INT64_MIN, "p=c:day", "1677-09-21"},
        {"timestamp(ns, UTC)", INT64_MAX, "p=c:hour", "2262-04-11T23"},
        {"timestamp(us)", T * 1000000, "c", "2018-02-07T01:26:13Z"},
        {"timestamp(us, UTC)", T * 1000000 + 999999, "p=c:year", "2018"},
        {"timestamp(us, UTC)", T * 1000000 + 999999, "p=c:month", "2018-02"},
        {"timestamp(us, UTC)", T * 1000000 + 999999, "p=c:day", "2018-02-07"},
        {"timestamp(us, UTC)", T * 1000000 + 999999, "p=c:hour", "2018-02-07T01"},
        {"timestamp(us, UTC)", -1, "p=c:hour", "1969-12-31T23"},
        {"timestamp(us, UTC)", -1, "p=c:month", "1969-12"},
        {"timestamp(us, UTC)", T * 1000000 + 840000, "p=c:%Y%m%dT%H%M%S.%L", "20180207T012613.840"},
        {"timestamp(us, UTC)", T * 1000000 + 840001, "p=c:%f", "840001"},
        {"timestamp(us, UTC)", T * 1000000 + 840001, "p=c:%H-%M", "01-26"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        assert_ok(text_of(rows[i].type, rows[i].value, rows[i].spec, text));
        assert_string_equal(text, rows[i].text);
    }
}

static void test_value_text__types_without_a_form_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type, *spec, *why;
    } rows[] = {
        {"double", "c", "\"c\" is double"},
        {"binary", "c", "\"c\" is binary"},
        {"string", "day=c:day", "\"c\" is string; formats need date or timestamp"},
        {"int64", "day=c:%Y", "\"c\" is int64; formats need date or timestamp"},
        {"bool", "day=c:day", "\"c\" is bool; formats need"},
        {"double", "day=c:day", "\"c\" is double; formats need"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        assert_fails(text_of(rows[i].type, 0, rows[i].spec, text), S3STORE_SCHEMA_MISMATCH,
                     rows[i].why);
    }
}

static void test_value_text__times_without_four_digit_years_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *type;
        int64_t value;
        const char *spec;
    } rows[] = {
        {"date", 2932897, "c"},
        {"date", -719529, "p=c:month"},
        {"date", INT32_MAX, "c"},
        {"timestamp(s, UTC)", INT64_MAX, "c"},
        {"timestamp(s, UTC)", INT64_MIN, "p=c:day"},
        {"timestamp(s, UTC)", INT64_C(253402300800), "p=c:%Y"},
        {"timestamp(us, UTC)", INT64_MAX, "p=c:year"},
        {"timestamp(ms, UTC)", INT64_MIN, "c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[100];
        assert_fails(text_of(rows[i].type, rows[i].value, rows[i].spec, text),
                     S3STORE_INVALID_ARGUMENT, "\"c\" holds a time outside the years 0000 to 9999");
    }
}

/* A format that fits for January need not for September. */
static void test_value_text__a_format_that_has_no_room_is_an_error(void **state)
{
    (void)state;
    char format[400], out[400];
    bool found = false;
    for (size_t pad = 1; pad < 300 && !found; pad++) {
        s3s_part_spec spec;
        memset(format, 0, sizeof format);
        strcpy(format, "m=c:%B");
        memset(format + strlen(format), 'x', pad);
        if (s3s_part_spec_parse(&arena, format, &spec, &err) != S3STORE_OK)
            break;
        if (text_of("timestamp(us, UTC)", INT64_C(1536000000000000), format, out) == S3STORE_OK)
            continue; /* 2018-09-03 */
        found = true;
        assert_int_equal(err.status, S3STORE_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "gives no text"));
    }
    assert_true(found);
}

static void test_value_text__null_names_column_and_row(void **state)
{
    (void)state;
    table t;
    const char *const columns[] = {"c"}, *const types[] = {"string"};
    table_open(&t, env, columns, types, 1);
    table_text(&t, 0, "a");
    table_null(&t, 0);
    table_cut(&t);
    s3s_column column;
    s3s_buffer buffer;
    s3s_part_spec spec = spec_of("p=c");
    s3s_batch_column(t.schema, t.pointers[0], 0, &column);
    s3s_buffer_init(&buffer, env, 1000);
    assert_ok(s3s_value_text(&column, 0, &spec, &buffer, &err));
    assert_fails(s3s_value_text(&column, 1, &spec, &buffer, &err), S3STORE_INVALID_ARGUMENT,
                 "column \"c\" is null in row 2");
    assert_int_equal(buffer.size, 1);
    s3s_buffer_deinit(&buffer);
    table_close(&t);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static s3store_status group(const table *t, const char *const *texts, size_t count, bool allow,
                            s3s_groups *out)
{
    s3s_part_spec specs[4];
    for (size_t i = 0; i < count; i++)
        specs[i] = spec_of(texts[i]);
    s3s_group_options options = {.allow_unaddressable = allow};
    memset(&err, 0, sizeof err);
    return s3s_group_batches(env, t->schema, t->pointers, t->batch_count, specs, count, &options,
                             out, &err);
}

/* "key: batch.row batch.row; key: ..." */
static void describe(const s3s_groups *groups, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < groups->count; i++) {
        at += (size_t)snprintf(out + at, size - at, "%s%s:", i > 0 ? "; " : "",
                               groups->items[i].key);
        for (size_t r = 0; r < groups->items[i].row_count; r++)
            at += (size_t)snprintf(out + at, size - at, " %u.%u", groups->items[i].rows[r].batch,
                                   groups->items[i].rows[r].row);
        assert_true(at < size);
    }
}

static void assert_groups(const table *t, const char *const *texts, size_t count,
                          const char *expected)
{
    s3s_groups groups;
    char text[1000];
    assert_ok(group(t, texts, count, false, &groups));
    describe(&groups, text, sizeof text);
    assert_string_equal(text, expected);
    s3s_groups_deinit(&groups);
}

static const char *const two_columns[] = {"time", "customer"};
static const char *const two_types[] = {"timestamp(us, UTC)", "string"};

static void add(table *t, int64_t seconds, const char *customer)
{
    table_int(t, 0, seconds * 1000000);
    table_text(t, 1, customer);
}

static void test_groups__keys_in_byte_order_rows_in_input_order(void **state)
{
    (void)state;
    table t;
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T + 86400, "b");
    add(&t, T, "a");
    add(&t, T + 86400, "a");
    table_cut(&t);
    table_cut(&t); /* an empty batch between */
    add(&t, T + 1, "a");
    add(&t, T + 86401, "b");
    add(&t, T - 86400 * 31, "a-b");
    table_cut(&t);
    const char *const both[] = {"day=time:day", "customer"};
    const char *const customer[] = {"customer"};
    const char *const month[] = {"m=time:month"};
    const char *const swapped[] = {"customer", "y=time:year"};
    assert_groups(&t, both, 2,
                  "day=2018-01-07/customer=a-b: 2.2; day=2018-02-07/customer=a: 0.1 2.0; "
                  "day=2018-02-08/customer=a: 0.2; day=2018-02-08/customer=b: 0.0 2.1");
    assert_groups(&t, customer, 1,
                  "customer=a: 0.1 0.2 2.0; customer=a-b: 2.2; customer=b: 0.0 2.1");
    assert_groups(&t, month, 1, "m=2018-01: 2.2; m=2018-02: 0.0 0.1 0.2 2.0 2.1");
    /* bytes of the whole key: '-' sorts below '/' */
    assert_groups(&t, swapped, 2,
                  "customer=a-b/y=2018: 2.2; customer=a/y=2018: 0.1 0.2 2.0; "
                  "customer=b/y=2018: 0.0 2.1");
    table_close(&t);
}

static void test_groups__three_parts_of_one_column(void **state)
{
    (void)state;
    table t;
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T, "a");
    add(&t, T + 86400, "a");
    add(&t, T, "b");
    table_cut(&t);
    const char *const parts[] = {"y=time:year", "m=time:%m", "d=time:%d"};
    assert_groups(&t, parts, 3, "y=2018/m=02/d=07: 0.0 0.2; y=2018/m=02/d=08: 0.1");
    table_close(&t);
}

static void test_groups__nothing_in_nothing_out(void **state)
{
    (void)state;
    table t;
    const char *const parts[] = {"customer"};
    table_open(&t, env, two_columns, two_types, 2);
    assert_groups(&t, parts, 1, "");
    table_cut(&t);
    assert_groups(&t, parts, 1, "");
    table_close(&t);
}

static void test_groups__null_names_column_and_row_of_the_input(void **state)
{
    (void)state;
    table t;
    s3s_groups groups;
    const char *const parts[] = {"day=time:day", "customer"};
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T, "a");
    add(&t, T, "a");
    table_cut(&t);
    add(&t, T, "a");
    table_int(&t, 0, 0);
    table_null(&t, 1);
    table_cut(&t);
    assert_fails(group(&t, parts, 2, false, &groups), S3STORE_INVALID_ARGUMENT,
                 "row 4: column \"customer\" is null");
    assert_int_equal(groups.count, 0);
    table_close(&t);

    table_open(&t, env, two_columns, two_types, 2);
    table_null(&t, 0);
    table_text(&t, 1, "a");
    table_cut(&t);
    assert_fails(group(&t, parts, 2, false, &groups), S3STORE_INVALID_ARGUMENT,
                 "row 1: column \"time\" is null, and partition column \"day\"");
    table_close(&t);
}

static void test_groups__missing_column_names_part_and_column(void **state)
{
    (void)state;
    table t;
    s3s_groups groups;
    const char *const parts[] = {"customer", "day=tyme:day"};
    const char *const hint[] = {"time:day"};
    table_open(&t, env, two_columns, two_types, 2);
    assert_fails(group(&t, parts, 2, false, &groups), S3STORE_INVALID_ARGUMENT,
                 "no column \"tyme\", which partition column \"day\"");
    assert_fails(group(&t, hint, 1, false, &groups), S3STORE_INVALID_ARGUMENT,
                 "part=column:format");
    assert_fails(group(&t, hint, 0, false, &groups), S3STORE_INVALID_ARGUMENT, "1 to 256");
    table_close(&t);
}

static void test_groups__types_are_refused_before_any_row(void **state)
{
    (void)state;
    table t;
    s3s_groups groups;
    const char *const columns[] = {"time", "x"}, *const types[] = {"string", "double"};
    const char *const format[] = {"day=time:day"}, *const number[] = {"x"};
    table_open(&t, env, columns, types, 2);
    assert_fails(group(&t, format, 1, false, &groups), S3STORE_SCHEMA_MISMATCH,
                 "column \"time\" is string; formats need date or timestamp");
    assert_fails(group(&t, number, 1, false, &groups), S3STORE_SCHEMA_MISMATCH,
                 "column \"x\" is double");
    table_close(&t);
}

static void test_groups__values_obey_the_rule(void **state)
{
    (void)state;
    static const struct {
        const char *value, *why;
        bool allowable;
    } rows[] = {
        {"", "row 2: the value \"\" of column \"customer\" is empty", false},
        {"a/b", "row 2: the value \"a/b\" of column \"customer\" contains '/'", false},
        {"a..b", "contains '..'", false},
        {"a*", "'*', so no pattern could name it exactly (allow_unaddressable", true},
        {"a\nb", "control byte 0x0a", true},
    };
    const char *const parts[] = {"customer"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        table t;
        s3s_groups groups;
        table_open(&t, env, two_columns, two_types, 2);
        add(&t, T, "fine");
        add(&t, T, rows[i].value);
        table_cut(&t);
        assert_fails(group(&t, parts, 1, false, &groups), S3STORE_INVALID_ARGUMENT, rows[i].why);
        s3store_status status = group(&t, parts, 1, true, &groups);
        assert_int_equal(status, rows[i].allowable ? S3STORE_OK : S3STORE_INVALID_ARGUMENT);
        s3s_groups_deinit(&groups);
        table_close(&t);
    }
}

static void test_groups__long_values_and_keys_name_the_limit(void **state)
{
    (void)state;
    static char value[2000];
    table t;
    s3s_groups groups;
    const char *const one[] = {"customer"}, *const two[] = {"customer", "again=customer"};
    memset(value, 'v', 1025);
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T, value);
    table_cut(&t);
    assert_fails(group(&t, one, 1, false, &groups), S3STORE_INVALID_ARGUMENT,
                 "1025 bytes; keys have at most 1024");
    table_close(&t);
    value[1024 - strlen("customer=")] = '\0';
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T, value);
    table_cut(&t);
    assert_ok(group(&t, one, 1, false, &groups));
    assert_int_equal(strlen(groups.items[0].key), 1024);
    s3s_groups_deinit(&groups);
    assert_fails(group(&t, two, 2, false, &groups), S3STORE_INVALID_ARGUMENT,
                 "longer than 1024 bytes");
    table_close(&t);
}

static void test_groups__far_time_names_the_row(void **state)
{
    (void)state;
    table t;
    s3s_groups groups;
    const char *const parts[] = {"day=time:day"};
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T, "a");
    table_int(&t, 0, INT64_MAX);
    table_text(&t, 1, "a");
    table_cut(&t);
    assert_fails(group(&t, parts, 1, false, &groups), S3STORE_INVALID_ARGUMENT,
                 "row 2: column \"time\" holds a time outside");
    table_close(&t);
}

/* Nothing of it is looked at: there are no such rows. */
static void test_groups__more_rows_than_can_be_numbered_are_refused(void **state)
{
    (void)state;
    table t;
    s3s_groups groups;
    const char *const parts[] = {"customer"};
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T, "a");
    table_cut(&t);
    int64_t length = t.batches[0].length;
    t.batches[0].length = INT64_C(4294967296);
    assert_fails(group(&t, parts, 1, false, &groups), S3STORE_LIMIT_EXCEEDED,
                 "too many rows for one call");
    t.batches[0].length = -1;
    assert_fails(group(&t, parts, 1, false, &groups), S3STORE_LIMIT_EXCEEDED,
                 "too many rows for one call");
    t.batches[0].length = length;
    table_close(&t);
}

static void test_groups__there_are_parts_and_not_too_many(void **state)
{
    (void)state;
    table t;
    s3s_groups groups;
    const s3s_group_options options = {0};
    s3s_part_spec specs[S3S_NAMES_MAX + 1] = {0};
    table_open(&t, env, two_columns, two_types, 2);
    assert_fails(s3s_group_batches(env, t.schema, t.pointers, 0, specs, 0, &options, &groups, &err),
                 S3STORE_INVALID_ARGUMENT, "0 partition columns are given");
    assert_fails(s3s_group_batches(env, t.schema, t.pointers, 0, specs, S3S_NAMES_MAX + 1, &options,
                                   &groups, &err),
                 S3STORE_INVALID_ARGUMENT, "there must be 1 to");
    table_close(&t);
}

/* Of a column whose type nobody knows every value is null. */
static void test_groups__a_column_of_nulls_names_the_first_row(void **state)
{
    (void)state;
    table t;
    s3s_groups groups;
    s3s_tuples tuples;
    const char *const columns[] = {"a"}, *const types[] = {"null"}, *const parts[] = {"a"};
    s3s_part_spec spec = spec_of("a");
    s3s_column column;
    s3s_buffer text;
    table_open(&t, env, columns, types, 1);
    table_null(&t, 0);
    table_null(&t, 0);
    table_cut(&t);
    assert_fails(group(&t, parts, 1, false, &groups), S3STORE_INVALID_ARGUMENT, "row 1");
    assert_ok(s3s_tuple_batches(env, t.schema, t.pointers, 1, &spec, 1, false, "view column",
                                &tuples, &err));
    assert_int_equal(tuples.count, 0);
    assert_int_equal(tuples.ids[1], S3S_NO_TUPLE);
    s3s_tuples_deinit(&tuples);
    s3s_buffer_init(&text, env, 100);
    s3s_batch_column(t.schema, t.pointers[0], 0, &column);
    assert_fails(s3s_value_text(&column, 1, &spec, &text, &err), S3STORE_INVALID_ARGUMENT,
                 "is null in row 2");
    s3s_buffer_deinit(&text);
    table_close(&t);
}

static void test_tuples__a_long_one_is_called_a_tuple(void **state)
{
    (void)state;
    static char value[1024];
    table t;
    s3s_tuples tuples;
    s3s_part_spec specs[] = {spec_of("customer"), spec_of("again=customer")};
    memset(value, 'v', 600);
    table_open(&t, env, two_columns, two_types, 2);
    add(&t, T, value);
    table_cut(&t);
    assert_fails(s3s_tuple_batches(env, t.schema, t.pointers, 1, specs, 2, false, "view column",
                                   &tuples, &err),
                 S3STORE_INVALID_ARGUMENT, "the tuple that ends with");
    table_close(&t);
}

/* ---- by a function --------------------------------------------------------------------------- */

static const char *const function_keys[] = {"p=b", "p=a", "p=b", "p=a?", "p=a"};

static s3store_status key_of(void *ctx, size_t batch, int64_t row, char *key, s3store_error *e)
{
    (void)ctx;
    (void)batch;
    (void)e;
    strcpy(key, function_keys[row]);
    return S3STORE_OK;
}

static s3store_status group_by_function(void *ctx, s3s_env *own, s3store_error *e)
{
    static const char *const names[] = {"p"};
    const table *t = ctx;
    s3s_groups groups;
    s3store_status status = s3s_group_by_function(own, t->pointers, 1, names, 1, true, key_of, NULL,
                                                  &groups, e);
    if (status != S3STORE_OK)
        return status;
    char text[100];
    describe(&groups, text, sizeof text);
    assert_string_equal(text, "p=a: 0.1 0.4; p=a?: 0.3; p=b: 0.0 0.2");
    s3s_groups_deinit(&groups);
    return status;
}

static void test_groups_by_function__keys_are_checked_and_allocations_may_fail(void **state)
{
    (void)state;
    static const char *const names[] = {"p"};
    table t;
    s3s_groups groups;
    table_open(&t, env, two_columns, two_types, 2);
    for (int i = 0; i < 5; i++)
        add(&t, T, "a");
    table_cut(&t);
    assert_fails(s3s_group_by_function(env, t.pointers, 1, names, 1, false, key_of, NULL, &groups,
                                       &err),
                 S3STORE_INVALID_ARGUMENT, "a?");
    alloc_steps(group_by_function, &t);
    table_close(&t);
}

/* Against the obvious way: the text of every row. */
static void test_groups__agree_with_text_of_every_row(void **state)
{
    (void)state;
    enum { ROWS = 20000 };
    table t;
    uint64_t random = 42;
    const char *const columns[] = {"time", "s", "n", "b"};
    const char *const types[] = {"timestamp(us, UTC)", "string", "int32", "bool"};
    const char *const texts[] = {"m=time:month", "s", "n", "b"};
    table_open(&t, env, columns, types, 4);
    for (int i = 0; i < ROWS; i++) {
        char s[8];
        random = random * 6364136223846793005u + 1442695040888963407u;
        snprintf(s, sizeof s, "%c-%u", "ab."[random >> 60 & 1], (unsigned)(random >> 40 & 7));
        table_int(&t, 0, (T + (int64_t)(random >> 33) % 400 * 86400) * 1000000);
        table_text(&t, 1, s);
        table_int(&t, 2, (int64_t)(random >> 20 & 3) - 1);
        assert_ok(s3store_builder_append_bool(t.builder, 3, random >> 50 & 1, &err));
        if (i % 7000 == 6999)
            table_cut(&t);
    }
    table_cut(&t);
    s3s_groups groups;
    assert_ok(group(&t, texts, 4, false, &groups));
    assert_true(groups.count > 500);

    size_t rows = 0;
    for (size_t i = 0; i < groups.count; i++) {
        const s3s_group *g = &groups.items[i];
        assert_true(i == 0 || strcmp(groups.items[i - 1].key, g->key) < 0);
        for (size_t r = 0; r < g->row_count; r++, rows++) {
            s3s_buffer key;
            s3s_buffer_init(&key, env, 1000);
            for (size_t p = 0; p < 4; p++) {
                s3s_column column;
                s3s_part_spec spec = spec_of(texts[p]);
                s3s_batch_column(t.schema, t.pointers[g->rows[r].batch], p, &column);
                assert_ok(s3s_buffer_printf(&key, &err, "%s%s=", p > 0 ? "/" : "", spec.name));
                assert_ok(s3s_value_text(&column, g->rows[r].row, &spec, &key, &err));
            }
            assert_string_equal(s3s_buffer_text(&key, &err), g->key);
            s3s_buffer_deinit(&key);
            if (r > 0)
                assert_true(g->rows[r - 1].batch < g->rows[r].batch ||
                            (g->rows[r - 1].batch == g->rows[r].batch &&
                             g->rows[r - 1].row < g->rows[r].row));
        }
    }
    assert_int_equal(rows, ROWS);
    s3s_groups_deinit(&groups);
    table_close(&t);
}

static void test_groups__many_distinct_values(void **state)
{
    (void)state;
    enum { ROWS = 30000 };
    table t;
    s3s_groups groups;
    const char *const columns[] = {"n", "s"}, *const types[] = {"int64", "string"};
    const char *const texts[] = {"n", "s"};
    table_open(&t, env, columns, types, 2);
    for (int i = 0; i < ROWS; i++) {
        char s[16];
        snprintf(s, sizeof s, "%d", i / 2);
        table_int(&t, 0, (int64_t)i << 32);
        table_text(&t, 1, s);
    }
    table_cut(&t);
    assert_ok(group(&t, texts, 2, false, &groups));
    assert_int_equal(groups.count, ROWS);
    s3s_groups_deinit(&groups);
    assert_ok(group(&t, texts + 1, 1, false, &groups));
    assert_int_equal(groups.count, ROWS / 2);
    s3s_groups_deinit(&groups);
    table_close(&t);
}

/* ---- side by side ---------------------------------------------------------------------------- */

enum { BATCHES = 8, BATCH_ROWS = 12000 }; /* together enough to be worth threads */

typedef enum many_kind {
    MANY_KNOWN,     /* the first batch has all values */
    MANY_NEW,       /* each batch has some of its own */
    MANY_ALL_NEW,   /* each row has its own */
} many_kind;

static void open_many(table *t, many_kind kind)
{
    table_open(t, env, two_columns, two_types, 2);
    for (int b = 0; b < BATCHES; b++) {
        for (int r = 0; r < BATCH_ROWS; r++) {
            static const char *const endings[] = {"", "-longer", "-longer-than-a-short-one"};
            int row = b * BATCH_ROWS + r, value = row * 7919 % 211;
            char text[64];
            snprintf(text, sizeof text, "c%d%s",
                     kind == MANY_ALL_NEW                    ? row
                     : kind == MANY_NEW && r % 1000 == 999 && r > 6000 ? 1000 * (b + 1) + r / 1000
                                                                       : value,
                     endings[value % 3]);
            bool is_new = kind != MANY_KNOWN && r % 1000 == 999 && r > 6000;
            add(t, T + 86400 * (is_new ? 1000 * (b + 1) + r / 1000 : value % 5), text);
        }
        table_cut(t);
    }
}

static s3store_status group_beside(const table *t, const char *const *texts, size_t count,
                                   const s3s_group_options *options, s3s_groups *out)
{
    s3s_part_spec specs[4];
    for (size_t i = 0; i < count; i++)
        specs[i] = spec_of(texts[i]);
    memset(&err, 0, sizeof err);
    return s3s_group_batches(env, t->schema, t->pointers, t->batch_count, specs, count, options,
                             out, &err);
}

static void assert_same_groups(const s3s_groups *a, const s3s_groups *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->items[i].key, b->items[i].key);
        assert_int_equal(a->items[i].row_count, b->items[i].row_count);
        assert_memory_equal(a->items[i].rows, b->items[i].rows,
                            a->items[i].row_count * sizeof(s3s_row));
    }
}

static void test_groups__are_the_same_on_any_number_of_threads(void **state)
{
    (void)state;
    const char *const parts[] = {"customer", "day=time:day"};
    s3s_pool *pool;
    assert_ok(s3s_pool_new(env, 3, &pool, &err));
    for (many_kind kind = MANY_KNOWN; kind <= MANY_ALL_NEW; kind++) {
        table t;
        open_many(&t, kind);
        for (size_t count = 1; count <= 2; count++) {
            s3s_groups alone, beside;
            assert_ok(group(&t, parts, count, false, &alone));
            assert_true(alone.count >= (kind == MANY_ALL_NEW ? BATCHES * BATCH_ROWS : 211));
            for (size_t threads = 2; threads <= 4; threads += 2) {
                s3s_group_options options = {.pool = pool, .threads = threads};
                assert_ok(group_beside(&t, parts, count, &options, &beside));
                assert_same_groups(&alone, &beside);
                s3s_groups_deinit(&beside);
            }
            s3s_groups_deinit(&alone);
        }
        table_close(&t);
    }
    s3s_pool_free(pool);
}

/* Two wrong rows in batches that are looked at side by side: the first one is told, whatever it has. */
static void test_groups__the_first_error_of_the_input_is_told_side_by_side(void **state)
{
    (void)state;
    const char *const parts[] = {"customer"};
    s3s_pool *pool;
    assert_ok(s3s_pool_new(env, 3, &pool, &err));
    s3s_group_options options = {.pool = pool, .threads = 4};
    for (int null_first = 0; null_first < 2; null_first++) {
        table t;
        s3s_groups groups;
        table_open(&t, env, two_columns, two_types, 2);
        for (int b = 0; b < BATCHES; b++) {
            for (int r = 0; r < BATCH_ROWS; r++) {
                bool wrong = (b == 2 && r == 9000) || (b == 6 && r == 5);
                if (wrong && (b == 2) == null_first) {
                    table_int(&t, 0, T);
                    table_null(&t, 1);
                } else {
                    add(&t, T, wrong ? "a/b" : r % 2 == 0 ? "even" : "odd");
                }
            }
            table_cut(&t);
        }
        assert_fails(group_beside(&t, parts, 1, &options, &groups), S3STORE_INVALID_ARGUMENT,
                     null_first ? "row 33001: column \"customer\" is null"
                                : "row 33001: the value \"a/b\" of column \"customer\"");
        assert_int_equal(groups.count, 0);
        table_close(&t);
    }
    s3s_pool_free(pool);
}

static void test_groups__end_when_the_call_is_cancelled_or_memory_ends(void **state)
{
    (void)state;
    const char *const parts[] = {"customer", "day=time:day"};
    table t;
    s3s_groups groups;
    s3s_pool *pool;
    s3store_cancel *cancel;
    assert_ok(s3s_pool_new(env, 3, &pool, &err));
    assert_ok(s3s_cancel_new(env, NULL, &cancel, &err));
    open_many(&t, MANY_NEW);
    s3store_cancel_trigger(cancel);
    s3store_call call = {.deadline_us = S3STORE_TIME_NONE, .cancel = cancel};
    s3s_group_options options = {.pool = pool, .threads = 4, .call = &call};
    assert_int_equal(group_beside(&t, parts, 2, &options, &groups), S3STORE_CANCELLED);
    assert_int_equal(groups.count, 0);

    options.call = NULL;
    size_t failures = 0, successes = 0;
    for (uint64_t n = 0; successes < 3; n++) {
        s3s_env_fail_alloc_at(env, n);
        s3store_status status = group_beside(&t, parts, 2, &options, &groups);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
        failures += status != S3STORE_OK;
        successes += status == S3STORE_OK;
        assert_int_equal(groups.count > 0, status == S3STORE_OK);
        s3s_groups_deinit(&groups);
    }
    assert_true(failures > 20);
    table_close(&t);
    s3store_cancel_free(cancel);
    s3s_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_text__forms),
        cmocka_unit_test(test_value_text__types_without_a_form_are_refused),
        cmocka_unit_test(test_value_text__times_without_four_digit_years_are_refused),
        cmocka_unit_test(test_value_text__null_names_column_and_row),
        cmocka_unit_test(test_value_text__a_format_that_has_no_room_is_an_error),
        cmocka_unit_test(test_groups__keys_in_byte_order_rows_in_input_order),
        cmocka_unit_test(test_groups__three_parts_of_one_column),
        cmocka_unit_test(test_groups__nothing_in_nothing_out),
        cmocka_unit_test(test_groups__null_names_column_and_row_of_the_input),
        cmocka_unit_test(test_groups__missing_column_names_part_and_column),
        cmocka_unit_test(test_groups__types_are_refused_before_any_row),
        cmocka_unit_test(test_groups__values_obey_the_rule),
        cmocka_unit_test(test_groups__long_values_and_keys_name_the_limit),
        cmocka_unit_test(test_groups__far_time_names_the_row),
        cmocka_unit_test(test_groups__more_rows_than_can_be_numbered_are_refused),
        cmocka_unit_test(test_groups__there_are_parts_and_not_too_many),
        cmocka_unit_test(test_groups__a_column_of_nulls_names_the_first_row),
        cmocka_unit_test(test_tuples__a_long_one_is_called_a_tuple),
        cmocka_unit_test(test_groups_by_function__keys_are_checked_and_allocations_may_fail),
        cmocka_unit_test(test_groups__agree_with_text_of_every_row),
        cmocka_unit_test(test_groups__many_distinct_values),
        cmocka_unit_test(test_groups__are_the_same_on_any_number_of_threads),
        cmocka_unit_test(test_groups__the_first_error_of_the_input_is_told_side_by_side),
        cmocka_unit_test(test_groups__end_when_the_call_is_cancelled_or_memory_ends),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
