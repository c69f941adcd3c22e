/* The memory budget: what does not fit is read in pieces, or refused by name. */
#include "unit/scan/kit.h"

#include <stdlib.h>

static void write_many(fixture *fx, const char *partition, int64_t rows, int64_t entities)
{
    fixture_row *all = calloc((size_t)rows, sizeof *all);
    char *names = malloc((size_t)entities * 16);
    assert_non_null(all);
    assert_non_null(names);
    for (int64_t i = 0; i < entities; i++)
        snprintf(names + i * 16, 16, "e%010d", (int)i);
    for (int64_t i = 0; i < rows; i++) {
        uint64_t value = (uint64_t)i * 0x9e3779b97f4a7c15u; /* does not compress */
        all[i] = (fixture_row){names + (i % entities) * 16, i, (int64_t)value, false};
    }
    kit_write(fx, partition, all, (size_t)rows);
    free(names);
    free(all);
}

typedef struct totals {
    int64_t rows;
    int64_t longest;
    uint64_t sum;
} totals;

static s3store_status sum_up(fixture *fx, const s3s_scan_options *o, totals *t, s3store_error *err)
{
    s3s_file_set files;
    s3s_scan *scan = NULL;
    memset(t, 0, sizeof *t);
    kit_files(fx, "", &files);
    s3store_status status = s3s_scan_open(fx->target, &files, o, &scan, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        s3s_column column;
        status = s3s_scan_next(scan, &batch, NULL, err);
        if (status != S3STORE_OK)
            break;
        s3s_batch_column(s3s_scan_schema(scan), &batch, 2, &column);
        for (int64_t i = 0; i < batch.length; i++)
            t->sum += (uint64_t)s3s_column_int(&column, i);
        t->rows += batch.length;
        if (batch.length > t->longest)
            t->longest = batch.length;
        s3s_array_release(&batch);
    }
    s3s_scan_free(scan);
    return status == S3STORE_END ? S3STORE_OK : status;
}

static uint64_t expected_sum(int64_t rows)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < rows; i++)
        sum += (uint64_t)i * 0x9e3779b97f4a7c15u;
    return sum;
}

static void test_budget__files_larger_than_it_are_read_in_pieces_without_dedup(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    fixture fx;
    s3store_error err;
    totals t;
    fixture_options options = {.memory_bytes = 8u << 20}; /* each file has about 4 MB */
    fixture_open(&fx, NULL, &options);
    write_many(&fx, "p=1", ROWS, 1000);
    write_many(&fx, "p=1", ROWS, 1000);
    write_many(&fx, "p=2", 10, 10);
    for (int ahead = 0; ahead < 3; ahead++) {
        s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
        o.read_ahead_partitions = ahead;
        assert_ok(sum_up(&fx, &o, &t, &err));
        assert_int_equal(t.rows, 2 * ROWS + 10);
        assert_true(t.sum == 2 * expected_sum(ROWS) + expected_sum(10));
        assert_in_range(t.longest, 1, S3S_SCAN_BATCH_ROWS);
    }
    fixture_close_clean(&fx);
}

static void test_budget__a_partition_to_merge_that_does_not_fit_comes_all_the_same(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    fixture fx;
    s3store_error err;
    totals t;
    fixture_options options = {.memory_bytes = 8u << 20};
    fixture_open(&fx, NULL, &options);
    write_many(&fx, "p=1", 10, 10);
    write_many(&fx, "p=2", ROWS, 1000);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_ok(sum_up(&fx, &o, &t, &err));
    assert_int_equal(t.rows, 1010);
    o = kit_options(S3S_SCAN_HISTORY);
    assert_ok(sum_up(&fx, &o, &t, &err));
    assert_int_equal(t.rows, ROWS + 10);
    assert_true(t.sum == expected_sum(ROWS) + expected_sum(10));
    fixture_close_clean(&fx);
}

static void test_budget__merged_batches_stay_within_the_row_bound(void **state)
{
    (void)state;
    enum { ROWS = 200000 };
    fixture fx;
    s3store_error err;
    totals t;
    fixture_open(&fx, NULL, NULL);
    write_many(&fx, "p=1", ROWS, ROWS);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_ok(sum_up(&fx, &o, &t, &err));
    assert_int_equal(t.rows, ROWS);
    assert_true(t.sum == expected_sum(ROWS));
    assert_in_range(t.longest, 1, S3S_SCAN_BATCH_ROWS);
    o.limit = 70000;
    assert_ok(sum_up(&fx, &o, &t, &err));
    assert_int_equal(t.rows, 70000);
    fixture_close_clean(&fx);
}

static void test_budget__many_files_within_a_small_one_all_come(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    totals t;
    fixture_options options = {.memory_bytes = 65536, .max_inflight = 16};
    char partition[16];
    fixture_open(&fx, NULL, &options);
    for (int i = 0; i < 100; i++) {
        snprintf(partition, sizeof partition, "p=%02d", i / 4);
        write_many(&fx, partition, 50, 50);
    }
    for (int mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_HISTORY; mode++) {
        for (int ahead = 0; ahead < 6; ahead += 5) {
            s3s_scan_options o = kit_options((s3s_scan_mode)mode);
            o.read_ahead_partitions = ahead;
            assert_ok(sum_up(&fx, &o, &t, &err));
            assert_int_equal(t.rows, mode == S3S_SCAN_ROWS ? 5000 : 1250);
        }
    }
    fixture_close_clean(&fx);
}

int run_budget_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget__files_larger_than_it_are_read_in_pieces_without_dedup),
        cmocka_unit_test(test_budget__a_partition_to_merge_that_does_not_fit_comes_all_the_same),
        cmocka_unit_test(test_budget__merged_batches_stay_within_the_row_bound),
        cmocka_unit_test(test_budget__many_files_within_a_small_one_all_come),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
