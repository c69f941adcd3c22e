/* Entries as a list, and the files behind them. */
#include "support/dataset_fixture.h"

#include "stream/stream.h"
#include "unit/stream/tests.h"

#define ATTEMPT "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"

static void add(s3store_entries *entries, const char *partition, const char *data_path)
{
    s3store_error err;
    s3store_entry entry = {
        .partition = partition, .data_path = data_path, .ref_path = "ds/_ref/x", .row_count = 1};
    assert_ok(s3s_entries_add(entries, &entry, &err));
}

static void test_entries__files_come_by_partition_each_once(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    s3s_file_set set;
    fixture_open(&fx, NULL, NULL);
    s3s_file_set_init(&set, fx.env);
    assert_ok(s3s_entries_new(fx.env, &entries, &err));
    add(entries, "p=b", "ds/data/p=b/t2-" ATTEMPT ".parquet");
    add(entries, "p=a", "ds/data/p=a/t-" ATTEMPT ".parquet");
    add(entries, "p=b", "ds/data/p=b/t1-" ATTEMPT ".parquet");
    add(entries, "p=b", "ds/data/p=b/t2-" ATTEMPT ".parquet"); /* a second ref of the same data */
    assert_ok(s3s_entries_file_set(fx.target, entries, &set, &err));
    assert_int_equal(set.partition_count, 2);
    assert_int_equal(set.file_count, 3);
    assert_string_equal(set.partitions[0].key, "p=a");
    assert_string_equal(set.partitions[1].files[0].key, "ds/data/p=b/t1-" ATTEMPT ".parquet");
    assert_string_equal(set.partitions[1].files[1].token, "t2");
    assert_int_equal(set.partitions[1].files[1].size, 0);
    s3s_file_set_deinit(&set);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_entries__foreign_data_paths_are_refused_with_their_index(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "other/data/p=a/t-" ATTEMPT ".parquet",
        "ds/data/p=a/t-" ATTEMPT,
        "ds/data/t-" ATTEMPT ".parquet",
        "ds/data/p=a/t.parquet",
        "ds/data",
        "ds/database/p=a/t-" ATTEMPT ".parquet",
        "ds/data/p=a/t.commit",
        "",
    };
    fixture fx;
    s3store_error err;
    fixture_open(&fx, NULL, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        s3store_entries *entries = NULL;
        s3s_file_set set;
        s3s_file_set_init(&set, fx.env);
        assert_ok(s3s_entries_new(fx.env, &entries, &err));
        add(entries, "p=a", "ds/data/p=a/t-" ATTEMPT ".parquet");
        add(entries, "p=a", bad[i]);
        assert_fails(s3s_entries_file_set(fx.target, entries, &set, &err),
                     S3STORE_INVALID_ARGUMENT, "entry 1");
        assert_non_null(strstr(err.message, bad[i]));
        s3s_file_set_deinit(&set);
        s3store_entries_free(entries);
    }
    fixture_close_clean(&fx);
}

static void test_entries__partition_keys_of_nothing_are_none(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    size_t count = 7;
    fixture_open(&fx, NULL, NULL);
    assert_ok(s3s_entries_new(fx.env, &entries, &err));
    assert_null(s3store_entries_partition_keys(entries, &count));
    assert_int_equal(count, 0);
    assert_null(s3store_entries_partition_keys(NULL, &count));
    s3store_entries_free(entries);
    s3store_entries_free(NULL);
    assert_int_equal(s3store_entries_count(NULL), 0);
    assert_int_equal(s3store_entries_pending(NULL), 0);
    assert_int_equal(s3store_entries_skipped_count(NULL), 0);
    assert_null(s3store_entries_skipped_get(NULL, 0));
    assert_string_equal(s3store_entries_next_offset(NULL), "");
    fixture_close_clean(&fx);
}

int run_entries_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries__files_come_by_partition_each_once),
        cmocka_unit_test(test_entries__foreign_data_paths_are_refused_with_their_index),
        cmocka_unit_test(test_entries__partition_keys_of_nothing_are_none),
    };
    return cmocka_run_group_tests_name("entries", tests, NULL, NULL);
}
