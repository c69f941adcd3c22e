/* The recorded schema: it grows, and binds every door. */
#include "e2e/e2e.h"

static const char *const by_p[] = {"p"};
static const dataset_options plain = {.partition_by = by_p, .partition_by_count = 1, .plain = true};

static uint32_t schema_version(const dataset *d)
{
    s3store_error err;
    struct ArrowSchema schema = {0};
    uint32_t version = 0;
    assert_ok(s3store_target_schema(d->target, NULL, &version, &schema, &err));
    if (schema.release != NULL)
        schema.release(&schema);
    return version;
}

static void refuse_cells(const dataset *d, const char *columns, const char *cells,
                         const char *names)
{
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_write_result *result = NULL;
    make_stream(columns, cells, &stream);
    assert_fails(s3store_write(d->writer, &stream, NULL, &result, &err), S3STORE_SCHEMA_MISMATCH,
                 names);
    s3store_write_result_free(result);
}

static void test_schema__the_first_write_records_it(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    struct ArrowSchema schema;
    uint32_t version;
    dataset_make(&d, "first", &plain);
    assert_int_equal(schema_version(&d), 0);
    write_cells(&d, "p:u n:l f:g", "x 1 1.5");
    assert_ok(s3store_target_schema(d.target, NULL, &version, &schema, &err));
    assert_int_equal(version, 1);
    assert_int_equal(schema.n_children, 3);
    assert_string_equal(schema.children[1]->name, "n");
    assert_string_equal(schema.children[1]->format, "l");
    schema.release(&schema);
    write_cells(&d, "p:u n:l f:g", "x 2 2.5");
    assert_int_equal(schema_version(&d), 1);
    dataset_close(&d);
}

static void test_schema__a_new_column_is_null_in_older_files(void **state)
{
    (void)state;
    dataset d;
    dataset_make(&d, "column", &plain);
    write_cells(&d, "p:u n:l", "x 1");
    write_cells(&d, "p:u n:l note:u", "x 2 new");
    write_cells(&d, "p:u", "x");
    assert_int_equal(schema_version(&d), 2);
    assert_string_equal(read_text(&d, "*", "n,note", false), "1|-;2|new;-|-;");
    dataset_close(&d);
}

static void test_schema__int_widens_to_float_and_small_to_large(void **state)
{
    (void)state;
    dataset d;
    dataset_make(&d, "widen", &plain);
    write_cells(&d, "p:u n:l i:i t:tsu:UTC f:f", "x 1 7 1000 0.5");
    write_cells(&d, "p:u n:g i:l t:tsn:UTC f:g", "x 1.5 5000000000 1000001 0.1");
    assert_int_equal(schema_version(&d), 2);
    /* What is narrower still fits what is recorded. */
    write_cells(&d, "p:u n:i i:c", "x 3 4");
    assert_int_equal(schema_version(&d), 2);
    assert_string_equal(read_text(&d, "*", "n,i,t,f", false),
                        "1|7|1000000|0.5;1.5|5000000000|1000001|0.10000000000000001;3|4|-|-;");
    dataset_close(&d);
}

static void test_schema__everything_else_is_refused_naming_the_column(void **state)
{
    (void)state;
    dataset d;
    dataset_make(&d, "refuse", &plain);
    write_cells(&d, "p:u n:l s:u b:b d:tdD", "x 1 one true 17000");
    refuse_cells(&d, "p:u n:u", "x one", "n");
    refuse_cells(&d, "p:u s:l", "x 1", "s");
    refuse_cells(&d, "p:u b:l", "x 1", "b");
    refuse_cells(&d, "p:u d:tsu:UTC", "x 1", "d");
    refuse_cells(&d, "p:l", "1", "p");
    /* A recorded integer beyond 2^53 cannot become a float without loss. */
    assert_int_equal(schema_version(&d), 1);
    assert_int_equal(count_rows(&d, "*", false), 1);
    dataset_close(&d);
}

static void test_schema__binds_a_writer_that_opened_before_it_grew(void **state)
{
    (void)state;
    dataset d, other;
    dataset_make(&d, "stale", &plain);
    write_cells(&d, "p:u n:l", "x 1");
    dataset_open(&other, d.url);
    write_cells(&d, "p:u n:l a:u", "x 2 a");
    write_cells(&other, "p:u n:l b:u", "x 3 b");
    assert_int_equal(schema_version(&d), 3);
    refuse_cells(&other, "p:u a:l", "x 4", "a");
    assert_string_equal(read_text(&other, "*", "n,a,b", false), "1|-|-;2|a|-;3|-|b;");
    dataset_close(&d);
    dataset_close(&other);
}

static void test_schema__init_can_record_it(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    char url[URL_SIZE];
    struct ArrowSchema schema;
    dataset_url("recorded", url);
    make_schema("p:u n:i", &schema);
    s3store_target_config config = dataset_config(url, &plain);
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    init.schema = &schema;
    assert_ok(s3store_dataset_init(&config, &init, NULL, &err));
    schema.release(&schema);
    dataset_open(&d, url);
    assert_int_equal(schema_version(&d), 1);
    refuse_cells(&d, "p:u n:u", "x y", "n");
    write_cells(&d, "p:u n:i", "x 5");
    assert_string_equal(read_text(&d, "*", NULL, false), "x|5;");
    dataset_close(&d);
}

int run_schema_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__the_first_write_records_it),
        cmocka_unit_test(test_schema__a_new_column_is_null_in_older_files),
        cmocka_unit_test(test_schema__int_widens_to_float_and_small_to_large),
        cmocka_unit_test(test_schema__everything_else_is_refused_naming_the_column),
        cmocka_unit_test(test_schema__binds_a_writer_that_opened_before_it_grew),
        cmocka_unit_test(test_schema__init_can_record_it),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
