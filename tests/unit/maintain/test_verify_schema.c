/* verify: recorded schema versions, and data objects against them. */
#include <stdlib.h>

#include "support/alloc_sweep.h"
#include "unit/maintain/kit.h"

#define COLUMNS(more)                                                                              \
    "[{\"name\":\"entity\",\"type\":\"string\"},{\"name\":\"version\",\"type\":\"int64\"}" more "]"
#define VALUE(type) ",{\"name\":\"value\",\"type\":\"" type "\"}"

static void put_version(fixture *fx, unsigned version, const char *columns)
{
    char key[64], body[1024];
    snprintf(key, sizeof key, "ds/_config/schema/%06u.json", version);
    snprintf(body, sizeof body, "{\"format\":1,\"version\":%u,\"columns\":%s}", version, columns);
    fixture_put(fx, key, body, strlen(body), NULL);
}

static uint32_t expect(fixture *fx, const char *text)
{
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    assert_ok(kit_verify(fx, NULL, &told, &report, &err));
    assert_string_equal(told.text, text);
    return report.schema_versions;
}

static void test_verify__versions_that_widen_are_right(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    put_version(&fx, 1, COLUMNS(""));
    put_version(&fx, 2, COLUMNS(VALUE("int32")));
    put_version(&fx, 3, COLUMNS(VALUE("int64")));
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    assert_int_equal(expect(&fx, ""), 3);
    put_version(&fx, 4, COLUMNS(VALUE("double"))); /* the file's int64 is read as double */
    assert_int_equal(expect(&fx, ""), 4);
    fixture_close_clean(&fx);
}

static void test_verify__a_missing_version_is_found(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    put_version(&fx, 1, COLUMNS(""));
    put_version(&fx, 3, COLUMNS(VALUE("int64")));
    assert_int_equal(expect(&fx, "schema_missing ds/_config/schema/000002.json;"), 3);
    fixture_close_clean(&fx);
}

static void test_verify__an_unreadable_version_is_found(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    put_version(&fx, 1, COLUMNS(""));
    fixture_put(&fx, "ds/_config/schema/000002.json", "{", 1, NULL);
    expect(&fx, "schema_unreadable ds/_config/schema/000002.json;");
    fixture_put(&fx, "ds/_config/schema/000002.json", "{\"format\":9}", 12, NULL);
    expect(&fx, "schema_unreadable ds/_config/schema/000002.json;");
    fixture_close_clean(&fx);
}

static void test_verify__versions_that_narrow_contradict(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    put_version(&fx, 1, COLUMNS(VALUE("int64")));
    put_version(&fx, 2, COLUMNS(""));
    expect(&fx, "schema_contradicts ds/_config/schema/000002.json;");
    put_version(&fx, 2, COLUMNS(VALUE("int32")));
    expect(&fx, "schema_contradicts ds/_config/schema/000002.json;");
    put_version(&fx, 2, COLUMNS(VALUE("bool")));
    expect(&fx, "schema_contradicts ds/_config/schema/000002.json;");
    /* The same columns in another order are others. */
    put_version(&fx, 2, "[{\"name\":\"version\",\"type\":\"int64\"},{\"name\":\"entity\","
                        "\"type\":\"string\"}" VALUE("int64") "]");
    expect(&fx, "schema_contradicts ds/_config/schema/000002.json;");
    fixture_close_clean(&fx);
}

static void test_verify__data_that_do_not_fit_the_recorded_columns_are_found(void **state)
{
    (void)state;
    fixture fx;
    char text[2 * S3S_KEY_SIZE];
    kit_open(&fx);
    put_version(&fx, 1, COLUMNS(VALUE("bool")));
    fixture_written w = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    snprintf(text, sizeof text, "schema_mismatch %s;", w.data_key);
    expect(&fx, text);
    put_version(&fx, 1, COLUMNS(""));
    snprintf(text, sizeof text, "(remark) schema_unrecorded %s;", w.data_key);
    expect(&fx, text);
    fixture_close_clean(&fx);
}

/* ---- views ---------------------------------------------------------------------------------- */

static void put_view(fixture *fx, const char *name, const char *column)
{
    char key[128], body[512];
    snprintf(key, sizeof key, "ds/_config/view/%s.json", name);
    snprintf(body, sizeof body, "{\"format\":1,\"name\":\"%s\",\"columns\":[\"%s\"]}", name,
             column);
    fixture_put(fx, key, body, strlen(body), NULL);
}

static void take_details(void *ctx, const s3store_finding *f)
{
    kit_tell(ctx, "%s: %s;", f->key, f->detail);
}

/* Two views of one column, and rows of several tuples: each is told once, with the first. */
static void test_verify__all_missing_tuples_of_a_commit_are_one_finding(void **state)
{
    (void)state;
    static const fixture_row rows[] = {{"a", 1, 1, false}, {"b", 1, 2, false}, {"c", 2, 3, false}};
    static const fixture_write write = {.partition = "p=a", .token = "t"};
    fixture fx;
    s3store_error err;
    kit_told told = {0};
    s3store_verify_report report = {.size = sizeof report};
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    kit_open(&fx);
    fixture_write_rows(&fx, &write, rows, 3);
    put_view(&fx, "entities", "entity");
    put_view(&fx, "sames", "entity");
    fixture_put(&fx, "ds/_matview/entities/entity=a/m.matview", NULL, 0, NULL);
    options.finding = take_details;
    options.finding_ctx = &told;
    assert_ok(s3s_verify_dataset(fx.target, &options, &report, &err));
    assert_string_equal(
        told.text,
        "ds/_matview/entities/entity=b/m.matview: the view \"entities\" lacks markers of 2 tuples of "
        "this commit: lookups do not show them;"
        "ds/_matview/sames/entity=a/m.matview: the view \"sames\" lacks markers of 3 tuples of this "
        "commit: lookups do not show them;");
    assert_int_equal(report.damages, 2);
    assert_int_equal(report.view_markers, 1);
    fixture_close_clean(&fx);
}

/* No view has a column of the file: nothing of it is read. */
static void test_verify__a_file_without_any_column_of_a_view_needs_no_markers(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    put_view(&fx, "others", "no_such_column");
    expect(&fx, "");
    fixture_close_clean(&fx);
}

static void test_verify__markers_that_are_missing_from_a_view_are_found(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    kit_open(&fx);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL); /* entity a, version 1 */
    put_view(&fx, "entities", "entity");
    put_view(&fx, "others", "no_such_column"); /* null everywhere: no markers */
    expect(&fx, "view_marker_missing ds/_matview/entities/entity=a/m.matview;");
    fixture_put(&fx, "ds/_matview/entities/entity=a/m.matview", NULL, 0, NULL);
    fixture_put(&fx, "ds/_matview/entities/stray", NULL, 0, NULL);
    fixture_reset_counts(&fx);
    assert_ok(kit_verify(&fx, NULL, &told, &report, &err));
    assert_string_equal(told.text, "");
    assert_int_equal(report.views, 2);
    assert_int_equal(report.view_markers, 1);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 1); /* of the commit's marker alone */
    fixture_close_clean(&fx);
}

static void test_verify__rows_without_a_text_for_a_view_are_found(void **state)
{
    (void)state;
    typedef struct row {
        double value;
    } row;
    static const s3store_field fields[] = {
        {.name = "value", .kind = S3STORE_KIND_DOUBLE, .offset = offsetof(row, value)}};
    static const s3store_record_type type = S3STORE_RECORD_TYPE(row, fields);
    static const row rows[] = {{1.5}};
    fixture fx;
    char text[2 * S3S_KEY_SIZE];
    kit_open(&fx);
    put_view(&fx, "values", "value");
    fixture_write write = {.partition = "p=a", .token = "t"};
    fixture_written w = fixture_write_records(&fx, &write, &type, rows, 1);
    snprintf(text, sizeof text, "view_unprojectable %s;", w.data_key);
    expect(&fx, text);
    fixture_close_clean(&fx);
}

static void test_verify__rows_that_rotted_are_found_where_views_are_checked(void **state)
{
    (void)state;
    fixture fx;
    size_t size;
    char text[2 * S3S_KEY_SIZE];
    kit_open(&fx);
    put_view(&fx, "entities", "entity");
    fixture_written w = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    uint8_t *bytes = fixture_get(&fx, w.data_key, &size);
    memset(bytes + 4, 0xff, 24); /* the first page header */
    fixture_put(&fx, w.data_key, bytes, size, NULL);
    free(bytes);
    snprintf(text, sizeof text, "data_unreadable %s;", w.data_key);
    expect(&fx, text);
    fixture_close_clean(&fx);
}

static void test_verify__versions_and_views_that_cannot_be_read_end_it(void **state)
{
    (void)state;
    static const kit_refusal cases[] = {
        {S3S_VERB_GET, "schema/000001"},
        {S3S_VERB_GET, "view/entities"},
        {S3S_VERB_LIST, "_matview/entities"},
        {S3S_VERB_HEAD, "_matview/entities"},
        {S3S_VERB_GET, ".parquet"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture fx;
        s3store_error err;
        kit_told told;
        s3store_verify_report report;
        kit_refusal f = cases[i];
        kit_open(&fx);
        put_version(&fx, 1, COLUMNS(""));
        put_view(&fx, "entities", "entity");
        kit_write(&fx, "p=a", "t", FIXTURE_ALL);
        fx.hook = kit_refuse;
        fx.hook_ctx = &f;
        assert_fails(kit_verify(&fx, NULL, &told, &report, &err), S3STORE_PERMISSION_DENIED, NULL);
        assert_null(strstr(told.text, "view_marker_missing"));
        assert_int_equal(kit_verify(&fx, NULL, &told, &report, NULL), S3STORE_PERMISSION_DENIED);
        fx.hook = NULL;
        fixture_close_clean(&fx);
    }
}

/* What is found is told whole, or the call fails. */
static s3store_status verify_again(void *ctx, s3s_env *env, s3store_error *err)
{
    static const char wanted[] = "view_marker_missing ds/_matview/entities/entity=a/m.matview;";
    kit_told told;
    s3store_verify_report report;
    (void)env;
    s3store_status status = kit_verify(ctx, NULL, &told, &report, err);
    if (status == S3STORE_OK)
        assert_string_equal(told.text, wanted);
    return status;
}

static void test_verify__of_schema_and_views_every_allocation_may_fail(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    put_version(&fx, 1, COLUMNS(""));
    put_version(&fx, 2, COLUMNS(VALUE("double"))); /* wider than the file's */
    put_view(&fx, "entities", "entity");
    put_view(&fx, "versions", "version");
    fixture_put(&fx, "ds/_matview/versions/version=1/m.matview", NULL, 0, NULL);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    alloc_steps_within(fx.env, true, verify_again, &fx);
    fixture_close_clean(&fx);
}

const struct CMUnitTest verify_schema_tests[] = {
    cmocka_unit_test(test_verify__rows_that_rotted_are_found_where_views_are_checked),
    cmocka_unit_test(test_verify__versions_and_views_that_cannot_be_read_end_it),
    cmocka_unit_test(test_verify__of_schema_and_views_every_allocation_may_fail),
    cmocka_unit_test(test_verify__markers_that_are_missing_from_a_view_are_found),
    cmocka_unit_test(test_verify__all_missing_tuples_of_a_commit_are_one_finding),
    cmocka_unit_test(test_verify__a_file_without_any_column_of_a_view_needs_no_markers),
    cmocka_unit_test(test_verify__rows_without_a_text_for_a_view_are_found),
    cmocka_unit_test(test_verify__versions_that_widen_are_right),
    cmocka_unit_test(test_verify__a_missing_version_is_found),
    cmocka_unit_test(test_verify__an_unreadable_version_is_found),
    cmocka_unit_test(test_verify__versions_that_narrow_contradict),
    cmocka_unit_test(test_verify__data_that_do_not_fit_the_recorded_columns_are_found),
};
const size_t verify_schema_test_count = sizeof verify_schema_tests / sizeof verify_schema_tests[0];
