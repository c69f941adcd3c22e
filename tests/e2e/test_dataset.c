/* Creating, adopting and opening datasets. */
#include "e2e/e2e.h"

static s3store_status init(const char *url, const dataset_options *options, int64_t timeout_us,
                           bool *created, s3store_error *err)
{
    s3store_target_config config = dataset_config(url, options);
    s3store_init_options init_options = S3STORE_INIT_OPTIONS_INIT;
    init_options.commit_timeout_us = timeout_us;
    init_options.max_clock_skew_us = 0;
    return s3store_dataset_init(&config, &init_options, created, err);
}

static void test_init__the_same_call_twice_succeeds_and_creates_once(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    bool created = true;
    dataset_make(&d, "twice", NULL);
    assert_ok(init(d.url, NULL, world.commit_timeout_us, &created, &err));
    assert_false(created);
    assert_int_equal(dataset_count(&d, "_config/"), 3);
    dataset_close(&d);
}

static void test_init__a_contradiction_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    static const char *const other[] = {"day=time:day", "country"};
    s3store_error err;
    dataset d;
    bool created = true;
    dataset_options options = {.partition_by = other, .partition_by_count = 2};
    dataset_make(&d, "contradiction", NULL);
    assert_fails(init(d.url, &options, world.commit_timeout_us, &created, &err),
                 S3STORE_BAD_CONFIG, "country");
    assert_false(created);
    assert_fails(init(d.url, NULL, 7 * world.commit_timeout_us, &created, &err),
                 S3STORE_BAD_CONFIG, "commit-timeout");
    options = (dataset_options){.inserted_at_column = "stored"};
    assert_fails(init(d.url, &options, world.commit_timeout_us, &created, &err),
                 S3STORE_BAD_CONFIG, "inserted-at-column");
    char url[URL_SIZE];
    strcpy(url, d.url);
    dataset_close(&d);
    dataset_open(&d, url);
    assert_string_equal(s3store_target_partition_part(d.target, 1), "region");
    assert_int_equal(s3store_target_commit_timeout_us(d.target), world.commit_timeout_us);
    assert_null(s3store_target_inserted_at_column(d.target));
    dataset_close(&d);
}

/* A dataset of the Go library has timing objects and data, and no descriptor. */
static void test_init__adopts_a_prefix_that_has_timing_and_data(void **state)
{
    (void)state;
    s3store_error err;
    dataset neighbour, d;
    char url[URL_SIZE];
    bool created = false;
    dataset_make(&neighbour, "neighbour", NULL);
    dataset_url("adopted", url);
    s3store_target_config config = dataset_config(url, NULL);
    s3store_target *target;
    /* Written past init, with the neighbour's store: the prefixes differ in the last segment. */
    char prefix[S3STORE_KEY_MAX_BYTES + 1];
    const char *name = strrchr(url, '/') + 1, *last = strrchr(neighbour.prefix, '/');
    snprintf(prefix, sizeof prefix, "%.*s%.*s",
             last != NULL ? (int)(last + 1 - neighbour.prefix) : 0, neighbour.prefix,
             (int)strcspn(name, "?"), name);
    dataset at = neighbour;
    at.prefix = prefix;
    dataset_put(&at, "_config/commit-timeout", " 2s\n", 4);
    dataset_put(&at, "_config/max-clock-skew", "0s", 2);

    assert_ok(s3store_target_open(&config, &target, &err));
    assert_false(s3store_target_has_descriptor(target));
    assert_int_equal(s3store_target_commit_timeout_us(target), 2000000);
    s3store_writer *writer;
    assert_ok(s3store_writer_open(target, NULL, &writer, &err));
    const quake row = {"a", T0, T0, "r", 1.5, false};
    s3store_write_result *result;
    assert_ok(s3store_write_records(writer, &quake_type, &row, 1, NULL, &result, &err));
    s3store_write_result_free(result);
    s3store_writer_free(writer);
    s3store_target_free(target);

    assert_fails(init(url, NULL, 9000000, &created, &err), S3STORE_BAD_CONFIG, "commit-timeout");
    s3store_init_options options = S3STORE_INIT_OPTIONS_INIT;
    assert_ok(s3store_dataset_init(&config, &options, &created, &err));
    assert_true(created);
    dataset_open(&d, url);
    assert_true(s3store_target_has_descriptor(d.target));
    assert_int_equal(s3store_target_commit_timeout_us(d.target), 2000000);
    assert_string_equal(read_text(&d, "*", "id,mag", false), "a|1.5;");
    dataset_close(&d);
    dataset_close(&neighbour);
}

static void test_open__a_missing_dataset_names_its_config_object_and_the_command(void **state)
{
    (void)state;
    s3store_error err;
    s3store_target *target;
    char url[URL_SIZE];
    dataset_url("missing", url);
    s3store_target_config config = dataset_config(url, NULL);
    assert_fails(s3store_target_open(&config, &target, &err), S3STORE_NOT_INITIALISED,
                 "_config/commit-timeout");
    assert_non_null(strstr(err.message, "s3store init"));
    assert_null(target);
}

static void test_open__unusable_config_objects_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *object, *text, *names;
    } cases[] = {
        {"_config/commit-timeout", "fast", "fast"},
        {"_config/commit-timeout", "0s", "floor"},
        {"_config/commit-timeout", "", "commit-timeout"},
        {"_config/max-clock-skew", "-1s", "floor"},
        {"_config/max-clock-skew", "1 s", "1 s"},
        {"_config/dataset.json", "{", "dataset.json"},
        {"_config/dataset.json", "[]", "dataset.json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        s3store_target *target;
        dataset d;
        dataset_make(&d, "unusable", NULL);
        dataset_put(&d, cases[i].object, cases[i].text, strlen(cases[i].text));
        s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
        config.url = d.url;
        assert_fails(s3store_target_open(&config, &target, &err), S3STORE_BAD_CONFIG,
                     cases[i].names);
        assert_non_null(strstr(err.message, strrchr(cases[i].object, '/') + 1));
        dataset_close(&d);
    }
}

static void test_open__given_and_recorded_columns_must_agree(void **state)
{
    (void)state;
    static const char *const other[] = {"region", "day=time:day"};
    s3store_error err;
    s3store_target *target;
    dataset d;
    dataset_make(&d, "agree", NULL);
    dataset_options options = {.partition_by = other, .partition_by_count = 2};
    s3store_target_config config = dataset_config(d.url, &options);
    assert_fails(s3store_target_open(&config, &target, &err), S3STORE_BAD_CONFIG, "region");
    config = dataset_config(d.url, NULL);
    assert_ok(s3store_target_open(&config, &target, &err));
    s3store_target_free(target);
    dataset_close(&d);
}

int run_dataset_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init__the_same_call_twice_succeeds_and_creates_once),
        cmocka_unit_test(test_init__a_contradiction_is_refused_and_changes_nothing),
        cmocka_unit_test(test_init__adopts_a_prefix_that_has_timing_and_data),
        cmocka_unit_test(test_open__a_missing_dataset_names_its_config_object_and_the_command),
        cmocka_unit_test(test_open__unusable_config_objects_are_named),
        cmocka_unit_test(test_open__given_and_recorded_columns_must_agree),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
