/* Views over real stores: recorded, written, looked up, filled. */
#include "e2e/e2e.h"

static const char *const by_region[] = {"region", "day=time:day"};
static const s3store_view_def region_view = {
    .size = sizeof region_view, .name = "by_region", .columns = by_region, .column_count = 2};

static const quake rows[] = {
    {"a", T0, T0, "north", 1, false},
    {"b", T0 + 1, T0, "north", 2, false},
    {"c", T0 + DAY_US, T0, "s\xc3\xbc" "d & west+=;", 3, false},
};

static const char *look_up(s3store_target *target, const s3store_view_def *def,
                           const char *pattern, s3store_lookup_stats *stats)
{
    s3store_error err;
    s3store_view *view;
    struct ArrowArrayStream stream;
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    o.patterns = &pattern;
    o.pattern_count = 1;
    assert_ok(s3store_view_open(target, def, NULL, &view, &err));
    assert_ok(s3store_view_lookup(view, &o, &stream, stats, &err));
    s3store_view_free(view);
    return stream_text(&stream);
}

/* The writer's budget: a view costs a LIST and a GET when it is opened, a PUT for each new tuple. */
static void test_views__recorded_written_and_looked_up(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    char url[URL_SIZE];
    bool created;
    int64_t from;
    dataset_make(&d, "views", NULL);
    assert_ok(s3store_view_add(d.target, &region_view, NULL, &created, &from, &err));
    assert_true(created && from != S3STORE_TIME_NONE);
    assert_ok(s3store_view_add(d.target, &region_view, NULL, &created, &from, &err));
    assert_false(created);
    /* The writer was opened before: it does not know the view. */
    (void)write_quakes(&d, rows, 3, NULL, NULL, &err);
    assert_int_equal(dataset_count(&d, "_matview/"), 0);
    strcpy(url, d.url);
    dataset_close(&d);
    dataset_open(&d, url);
    (void)dataset_requests(&d);
    (void)write_quakes(&d, rows, 3, NULL, NULL, &err);
    assert_requests(&d, 2 * 3 + 2, 0, 0, 0);
    (void)write_quakes(&d, rows, 3, NULL, NULL, &err);
    assert_requests(&d, 2 * 3, 0, 0, 0);
    s3store_view_def by_name = S3STORE_VIEW_DEF_INIT;
    s3store_lookup_stats stats = {.size = sizeof stats};
    by_name.name = "by_region";
    assert_string_equal(look_up(d.target, &by_name, "*", &stats),
                        "north|2018-02-07;s\xc3\xbc" "d & west+=;|2018-02-08;");
    assert_requests(&d, 0, 1, 0, 1);
    assert_int_equal(stats.markers, 2);
    assert_int_equal(stats.lists, 1);
    assert_string_equal(look_up(d.target, &region_view, "region=north/*", NULL),
                        "north|2018-02-07;");
    assert_string_equal(look_up(d.target, &region_view, "region=o../*", NULL),
                        "s\xc3\xbc" "d & west+=;|2018-02-08;");
    dataset_close(&d);
}

typedef struct region_day {
    const char *region;
    int32_t day;
} region_day;
static const s3store_field region_day_fields[] = {
    {.name = "day", .kind = S3STORE_KIND_DATE, .offset = offsetof(region_day, day)},
    {.name = "region", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(region_day, region)},
};
static const s3store_record_type region_day_type =
    S3STORE_RECORD_TYPE(region_day, region_day_fields);

/* A target without partition columns is enough for lookups; the description is not needed. */
static void test_views__lookups_need_no_partition_columns(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_target *target;
    s3store_view *view;
    s3store_records *records;
    char url[URL_SIZE];
    const char *all[] = {"*"};
    dataset_make(&d, "lookup-only", NULL);
    strcpy(url, d.url);
    dataset_put(&d, "_matview/by_region/region=x/day=2018-02-07/m.matview", NULL, 0);
    dataset_put(&d, "_matview/by_region/region=x/m.matview", NULL, 0);
    char key[S3STORE_KEY_MAX_BYTES];
    snprintf(key, sizeof key, "%s/_config/dataset.json", d.prefix);
    dataset_remove(&d, key);
    dataset_close(&d);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = url;
    assert_ok(s3store_target_open(&config, &target, &err));
    assert_int_equal(s3store_target_partition_part_count(target), 0);
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    s3store_lookup_stats stats = {.size = sizeof stats};
    o.patterns = all;
    o.pattern_count = 1;
    assert_ok(s3store_view_open(target, &region_view, NULL, &view, &err));
    assert_ok(s3store_view_lookup_records(view, &region_day_type, &o, &records, &stats, &err));
    assert_int_equal(s3store_records_count(records), 1);
    const region_day *r = s3store_records_data(records);
    assert_string_equal(r->region, "x");
    assert_int_equal(r->day, 17569);
    assert_int_equal(stats.strays, 1);
    s3store_records_free(records);
    s3store_view_free(view);
    s3store_target_free(target);
}

static void test_views__a_backfill_makes_what_a_writer_would_have_made(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    const char *all[] = {"*"};
    s3store_backfill_options o = S3STORE_BACKFILL_OPTIONS_INIT;
    s3store_backfill_stats stats = {.size = sizeof stats};
    dataset_make(&d, "backfill", NULL);
    (void)write_quakes(&d, rows, 3, NULL, NULL, &err);
    (void)write_quakes(&d, rows, 2, "again", NULL, &err);
    o.patterns = all;
    o.pattern_count = 1;
    assert_ok(s3store_view_backfill(d.target, &region_view, &o, &stats, &err));
    assert_int_equal(stats.data_objects, 3);
    assert_int_equal(stats.records, 5);
    assert_int_equal(stats.markers, 3);
    assert_int_equal(stats.puts, 2);
    assert_string_equal(look_up(d.target, &region_view, "*", NULL),
                        "north|2018-02-07;s\xc3\xbc" "d & west+=;|2018-02-08;");
    o.after = stats.after;
    s3store_backfill_stats more = {.size = sizeof more};
    assert_ok(s3store_view_backfill(d.target, &region_view, &o, &more, &err));
    assert_int_equal(more.data_objects, 0);
    o.after = NULL;
    o.until_us = T0;
    assert_ok(s3store_view_backfill(d.target, &region_view, &o, &more, &err));
    assert_int_equal(more.data_objects, 0);
    dataset_close(&d);
}

int run_views_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views__recorded_written_and_looked_up),
        cmocka_unit_test(test_views__lookups_need_no_partition_columns),
        cmocka_unit_test(test_views__a_backfill_makes_what_a_writer_would_have_made),
    };
    return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
