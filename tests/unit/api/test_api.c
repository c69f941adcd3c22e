/* The public face: option structs of other sizes, missing arguments, accessors, the store. */
#include "support/test.h"

#include <stdlib.h>

static const char *const parts[] = {"day=time:day"};
static const char *const entity[] = {"id"};

static s3store_target_config config_on(const s3store_object_store *store)
{
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = store;
    config.bucket = "bucket";
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    config.entity = entity;
    config.entity_count = 1;
    config.version = "v";
    return config;
}

static int setup(void **state)
{
    s3store_object_store *store = NULL;
    s3store_error err = {0};
    if (s3store_memory_store_new(&store, &err) != S3STORE_OK)
        return 1;
    s3store_target_config config = config_on(store);
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    init.commit_timeout_us = 9000000;
    init.max_clock_skew_us = 500000;
    init.compression = S3STORE_COMPRESSION_ZSTD;
    *state = store;
    return s3store_dataset_init(&config, &init, NULL, &err) != S3STORE_OK;
}

static int teardown(void **state)
{
    s3store_memory_store_free(*state);
    return 0;
}

static void test_options__a_shorter_struct_of_an_older_caller_gets_defaults(void **state)
{
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_target_config config = config_on(*state);
    /* A caller that knows nothing behind the inserted-at column. */
    config.size = offsetof(s3store_target_config, endpoint_url);
    config.max_inflight = 7; /* lies behind it: not to be looked at */
    assert_ok(s3store_target_open(&config, &target, &err));
    assert_int_equal(s3store_target_max_inflight(target), S3STORE_DEFAULT_MAX_INFLIGHT);
    s3store_poll_options poll = {.size = offsetof(s3store_poll_options, max_entries),
                                 .max_entries = -5};
    s3store_entries *entries = NULL;
    assert_ok(s3store_poll(target, &poll, &entries, &err));
    s3store_entries_free(entries);
    s3store_target_free(target);
}

static void test_options__a_longer_struct_is_accepted_only_without_unknown_settings(void **state)
{
    s3store_error err = {0};
    s3store_target *target = NULL;
    struct {
        s3store_target_config config;
        uint64_t later;
    } newer = {.config = config_on(*state)};
    newer.config.size = sizeof newer;
    assert_ok(s3store_target_open(&newer.config, &target, &err));
    s3store_target_free(target);
    newer.later = 1;
    assert_fails(s3store_target_open(&newer.config, &target, &err), S3STORE_UNSUPPORTED,
                 "s3store_target_config");
    assert_null(target);
}

static void test_options__a_forgotten_size_is_named(void **state)
{
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_target_config config = config_on(*state);
    config.size = 0;
    assert_fails(s3store_target_open(&config, &target, &err), S3STORE_INVALID_ARGUMENT,
                 "sizeof(s3store_target_config)");
    config.size = sizeof config;
    assert_ok(s3store_target_open(&config, &target, &err));
    s3store_reader *reader = NULL;
    assert_ok(s3store_reader_open(target, NULL, &reader, &err));
    s3store_read_options read = {0};
    struct ArrowArrayStream rows = {0};
    assert_fails(s3store_read(reader, &read, &rows, &err), S3STORE_INVALID_ARGUMENT,
                 "s3store_read_options");
    s3store_writer *writer = NULL;
    assert_ok(s3store_writer_open(target, NULL, &writer, &err));
    s3store_write_options write = {0};
    s3store_write_result *result = NULL;
    struct ArrowSchema schema;
    assert_ok(s3store_schema_new(0, &schema, &err));
    assert_ok(s3store_stream_from_batches(&schema, NULL, 0, &rows, &err));
    assert_fails(s3store_write(writer, &rows, &write, &result, &err), S3STORE_INVALID_ARGUMENT,
                 "s3store_write_options");
    assert_null(rows.release); /* consumed, as on every failure */
    s3store_writer_free(writer);
    s3store_reader_free(reader);
    s3store_target_free(target);
}

static void test_arguments__a_missing_one_is_named(void **state)
{
    (void)state;
    s3store_error err = {0};
    s3store_target *target = NULL;
    assert_fails(s3store_target_open(NULL, &target, &err), S3STORE_INVALID_ARGUMENT, "config");
    assert_fails(s3store_poll(NULL, NULL, NULL, &err), S3STORE_INVALID_ARGUMENT, "out");
    assert_fails(s3store_token_validate(NULL, &err), S3STORE_INVALID_ARGUMENT, "token");
    assert_int_equal(s3store_token_validate("", NULL), S3STORE_INVALID_ARGUMENT);
}

static void test_target__accessors_tell_what_the_dataset_says(void **state)
{
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = *state;
    config.bucket = "bucket";
    config.prefix = "ds";
    assert_ok(s3store_target_open(&config, &target, &err));
    assert_true(s3store_target_has_descriptor(target));
    assert_string_equal(s3store_target_bucket(target), "bucket");
    assert_string_equal(s3store_target_prefix(target), "ds");
    assert_int_equal(s3store_target_partition_part_count(target), 1);
    assert_string_equal(s3store_target_partition_part(target, 0), "day");
    assert_string_equal(s3store_target_partition_spec(target, 0), "day=time:day");
    assert_null(s3store_target_partition_part(target, 1));
    assert_int_equal(s3store_target_entity_column_count(target), 1);
    assert_string_equal(s3store_target_entity_column(target, 0), "id");
    assert_string_equal(s3store_target_version_column(target), "v");
    assert_null(s3store_target_inserted_at_column(target));
    assert_string_equal(s3store_target_consistency(target), "strong-global");
    assert_int_equal(s3store_target_compression(target), S3STORE_COMPRESSION_ZSTD);
    assert_int_equal(s3store_target_commit_timeout_us(target), 9000000);
    assert_int_equal(s3store_target_max_clock_skew_us(target), 500000);
    assert_int_equal(s3store_target_settle_window_us(target), 9500000);
    assert_int_equal(s3store_target_max_inflight(target), 32);
    assert_non_null(s3store_target_store(target));
    s3store_request_counts counts = {.size = sizeof counts};
    s3store_target_request_counts(target, &counts);
    assert_int_equal(counts.get, 3);
    assert_int_equal(counts.size, sizeof counts);
    char offset[S3STORE_KEY_MAX_BYTES + 1];
    assert_ok(s3store_offset_at(target, 1710684000123456, offset, sizeof offset, &err));
    assert_string_equal(offset, "ds/_ref/1710684000123456");
    assert_fails(s3store_offset_at(target, 0, offset, 10, &err), S3STORE_INVALID_ARGUMENT,
                 "10 bytes");
    s3store_target_free(target);
}

static void test_target__max_inflight_below_one_is_the_default(void **state)
{
    static const int given[] = {0, -1, 64}, effective[] = {32, 32, 64};
    for (size_t i = 0; i < 3; i++) {
        s3store_error err = {0};
        s3store_target *target = NULL;
        s3store_target_config config = config_on(*state);
        config.max_inflight = given[i];
        assert_ok(s3store_target_open(&config, &target, &err));
        assert_int_equal(s3store_target_max_inflight(target), effective[i]);
        s3store_target_free(target);
    }
}

typedef struct event {
    int64_t time;
    const char *id;
    int64_t v;
} event;
static const s3store_field event_fields[] = {
    {.name = "time", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(event, time)},
    {.name = "id", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(event, id)},
    {.name = "v", .kind = S3STORE_KIND_INT64, .offset = offsetof(event, v)},
};
static const s3store_record_type event_type = S3STORE_RECORD_TYPE(event, event_fields);

static void test_store__writes_and_reads_structs_after_the_target_was_given_away(void **state)
{
    s3store_error err = {0};
    s3store_store *store = NULL;
    s3store_target_config config = config_on(*state);
    event events[] = {{1517966773840000, "a", 1}, {1517966773840000, "a", 2}, {0, "b", 1}};
    static const char *const everything[] = {"*"};
    assert_ok(s3store_store_open(&config, NULL, NULL, &store, &err));
    s3store_write_result *result = NULL;
    assert_ok(s3store_write_records(s3store_store_writer(store), &event_type, events, 3, NULL,
                                    &result, &err));
    assert_int_equal(s3store_write_result_count(result), 2);
    assert_string_equal(s3store_write_result_get(result, 0)->partition, "day=1970-01-01");
    assert_string_equal(s3store_write_result_get(result, 1)->partition, "day=2018-02-07");
    s3store_write_result_free(result);
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    read.patterns = everything;
    read.pattern_count = 1;
    s3store_records *records = NULL;
    assert_ok(s3store_read_records(s3store_store_reader(store), &event_type, &read, &records,
                                   &err));
    assert_int_equal(s3store_records_count(records), 2);
    const event *got = s3store_records_data(records);
    assert_string_equal(got[0].id, "b");
    assert_string_equal(got[1].id, "a");
    assert_int_equal(got[1].v, 2);
    s3store_store_free(store);
    assert_string_equal(got[1].id, "a"); /* records own what they point to */
    s3store_records_free(records);
}

/* Views through the public face: arguments, sizes, accessors. */
static void test_views__arguments_sizes_and_accessors(void **state)
{
    static const char *const columns[] = {"id", "day=time:day"};
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_view *view = NULL;
    s3store_views *views = NULL;
    bool created = false;
    struct ArrowArrayStream rows = {0};
    s3store_target_config config = config_on(*state);
    s3store_view_def def = S3STORE_VIEW_DEF_INIT;
    def.name = "v";
    def.columns = columns;
    def.column_count = 2;
    assert_ok(s3store_view_validate(&def, &err));
    assert_fails(s3store_view_validate(NULL, &err), S3STORE_INVALID_ARGUMENT, "def");
    assert_ok(s3store_target_open(&config, &target, &err));
    assert_fails(s3store_view_add(target, NULL, NULL, NULL, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "def");
    assert_fails(s3store_view_open(NULL, &def, NULL, &view, &err), S3STORE_INVALID_ARGUMENT,
                 "target");
    assert_ok(s3store_view_add(target, &def, NULL, &created, NULL, &err));
    assert_true(created);
    assert_ok(s3store_target_views(target, NULL, &views, &err));
    assert_int_equal(s3store_views_count(views), 1);
    assert_string_equal(s3store_views_get(views, 0)->columns[1], "day=time:day");
    s3store_views_free(views);
    s3store_views_free(NULL);
    assert_ok(s3store_view_open(target, &def, NULL, &view, &err));
    s3store_target_free(target); /* the view holds it */
    assert_string_equal(s3store_view_name(view), "v");
    assert_int_equal(s3store_view_column_count(view), 2);
    assert_string_equal(s3store_view_column(view, 1), "day");
    assert_string_equal(s3store_view_column_spec(view, 1), "day=time:day");
    assert_null(s3store_view_column(view, 2));
    s3store_lookup_options lookup = {0};
    assert_fails(s3store_view_lookup(view, &lookup, &rows, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "s3store_lookup_options");
    s3store_lookup_stats stats = {0};
    assert_fails(s3store_view_lookup(view, NULL, &rows, &stats, &err), S3STORE_INVALID_ARGUMENT,
                 "s3store_lookup_stats");
    /* A caller of an older header: what it does not know stays as it was. */
    stats.size = offsetof(s3store_lookup_stats, strays);
    stats.markers = stats.strays = 7;
    assert_ok(s3store_view_lookup(view, NULL, &rows, &stats, &err));
    assert_int_equal(stats.markers, 0);
    assert_int_equal(stats.strays, 7);
    assert_int_equal(stats.size, offsetof(s3store_lookup_stats, strays));
    s3store_view_free(view);
    struct ArrowArray batch = {0}; /* the stream holds what it needs */
    assert_int_equal(rows.get_next(&rows, &batch), 0);
    assert_null(batch.release);
    rows.release(&rows);
    s3store_view_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_options__a_shorter_struct_of_an_older_caller_gets_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_options__a_longer_struct_is_accepted_only_without_unknown_settings, setup,
            teardown),
        cmocka_unit_test_setup_teardown(test_options__a_forgotten_size_is_named, setup, teardown),
        cmocka_unit_test(test_arguments__a_missing_one_is_named),
        cmocka_unit_test_setup_teardown(test_target__accessors_tell_what_the_dataset_says, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_target__max_inflight_below_one_is_the_default, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_views__arguments_sizes_and_accessors, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_store__writes_and_reads_structs_after_the_target_was_given_away, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
