/* Partition order, determinism over settings, limit, requests, early release. */
#include "unit/scan/kit.h"

#include <stdlib.h>

#include "base/sim.h"

static const char *const trap_values[] = {"1", "1-2", "1.5", "1 x", "10", "1!"};

static void write_traps(fixture *fx)
{
    char partition[64];
    for (size_t i = 0; i < sizeof trap_values / sizeof trap_values[0]; i++) {
        for (int64_t n = 0; n < 3; n++) {
            snprintf(partition, sizeof partition, "p=%s/q=%c", trap_values[i],
                     (char)('z' - (int)n));
            fixture_row row = {"e", n, (int64_t)i * 10 + n, false};
            kit_write(fx, partition, &row, 1);
        }
    }
}

static const char trap_text[] =
    "{p=1 x/q=x}e|2|32;{p=1 x/q=y}e|1|31;{p=1 x/q=z}e|0|30;"
    "{p=1!/q=x}e|2|52;{p=1!/q=y}e|1|51;{p=1!/q=z}e|0|50;"
    "{p=1-2/q=x}e|2|12;{p=1-2/q=y}e|1|11;{p=1-2/q=z}e|0|10;"
    "{p=1.5/q=x}e|2|22;{p=1.5/q=y}e|1|21;{p=1.5/q=z}e|0|20;"
    "{p=1/q=x}e|2|2;{p=1/q=y}e|1|1;{p=1/q=z}e|0|0;"
    "{p=10/q=x}e|2|42;{p=10/q=y}e|1|41;{p=10/q=z}e|0|40;";

static const char *const by_pq[] = {"p", "q"};

static void test_order__is_that_of_partition_keys_over_all_settings(void **state)
{
    (void)state;
    static const int inflight[] = {1, 2, 7, 32};
    static const int ahead[] = {0, 1, 3, 100};
    char *text = malloc(KIT_TEXT);
    s3store_error err;
    assert_non_null(text);
    for (size_t i = 0; i < 4; i++) {
        fixture fx;
        fixture_options options = {
            .partition_by = by_pq, .partition_by_count = 2, .max_inflight = inflight[i]};
        fixture_open(&fx, NULL, &options);
        write_traps(&fx);
        for (size_t a = 0; a < 4; a++) {
            for (int mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_HISTORY; mode++) {
                s3s_scan_options o = kit_options((s3s_scan_mode)mode);
                o.read_ahead_partitions = ahead[a];
                assert_ok(kit_scan(&fx, "", &o, text, &err));
                assert_string_equal(text, trap_text);
            }
        }
        fixture_close_clean(&fx);
    }
    free(text);
}

typedef struct sim_run {
    s3s_env *env;
    char text[KIT_TEXT];
    s3store_status status;
} sim_run;

static void scan_in_simulation(void *ctx)
{
    sim_run *run = ctx;
    fixture fx;
    s3store_error err = {0};
    fixture_options options = {.partition_by = by_pq, .partition_by_count = 2, .max_inflight = 4};
    fixture_open(&fx, run->env, &options);
    write_traps(&fx);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    run->status = kit_scan(&fx, "", &o, run->text, &err);
    fixture_close(&fx);
}

static size_t choose_by_seed(void *ctx, size_t count, const char *const *names)
{
    (void)names;
    uint64_t *x = ctx;
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*x >> 33) % count;
}

static void test_order__holds_in_the_simulation_whoever_runs_when(void **state)
{
    (void)state;
    s3store_error err;
    sim_run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        s3s_sim *sim = NULL;
        uint64_t random = seed;
        s3s_sim_options options = {.seed = seed,
                                   .start_wall_us = INT64_C(1700000000000000),
                                   .choose = choose_by_seed,
                                   .choose_ctx = &random};
        assert_ok(s3s_sim_new(&options, &sim, &err));
        run->env = s3s_sim_env(sim);
        run->status = S3STORE_INTERNAL;
        assert_ok(s3s_sim_add(sim, "reader", 0, scan_in_simulation, run, &err));
        assert_ok(s3s_sim_run(sim, &err));
        assert_int_equal(run->status, S3STORE_OK);
        assert_string_equal(run->text, trap_text);
        s3s_sim_free(sim);
    }
    free(run);
}

static void test_order__limit_cuts_exactly_and_stops_fetching(void **state)
{
    (void)state;
    char *text = malloc(KIT_TEXT);
    s3store_error err;
    fixture fx;
    assert_non_null(text);
    fixture_options options = {.max_inflight = 1, .memory_bytes = 65536};
    fixture_open(&fx, NULL, &options);
    for (int i = 0; i < 60; i++) {
        char partition[16];
        snprintf(partition, sizeof partition, "p=%02d", i);
        kit_write(&fx, partition,
                  (fixture_row[]){{"a", 1, i, false}, {"b", 1, i, false}, {"c", 1, i, false}}, 3);
    }
    for (int mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_LATEST; mode++) {
        s3s_scan_options o = kit_options((s3s_scan_mode)mode);
        o.limit = 5;
        o.read_ahead_partitions = 0;
        assert_ok(kit_scan(&fx, "", &o, text, &err));
        assert_string_equal(text, "{p=00}a|1|0;b|1|0;c|1|0;{p=01}a|1|1;b|1|1;");
        o.limit = 180;
        assert_ok(kit_scan(&fx, "", &o, text, &err));
        o.limit = 3;
        o.fixed = NULL;
        assert_ok(kit_scan(&fx, "", &o, text, &err));
        assert_string_equal(text, "{p=00}a|1|0;b|1|0;c|1|0;");
        /* Whoever cancels after the last row is told so, not that it was the end. */
        s3s_file_set files;
        s3s_scan *scan = NULL;
        struct ArrowArray batch = {0};
        assert_ok(s3store_cancel_new(&o.call.cancel, &err));
        kit_files(&fx, "", &files);
        assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
        assert_ok(s3s_scan_next(scan, &batch, NULL, &err));
        assert_int_equal(batch.length, 3);
        s3s_array_release(&batch);
        s3store_cancel_trigger(o.call.cancel);
        assert_fails(s3s_scan_next(scan, &batch, NULL, &err), S3STORE_CANCELLED, NULL);
        s3s_scan_free(scan);
        s3store_cancel_free(o.call.cancel);
    }
    fixture_close_clean(&fx);
    free(text);
}

static void test_order__one_get_for_each_file_and_no_head(void **state)
{
    (void)state;
    char *text = malloc(KIT_TEXT);
    s3store_error err;
    fixture fx;
    assert_non_null(text);
    fixture_open(&fx, NULL, NULL);
    for (int64_t i = 0; i < 25; i++)
        kit_write(&fx, i % 2 == 0 ? "p=0" : "p=1", (fixture_row[]){{"a", i, i, false}}, 1);
    fixture_reset_counts(&fx);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    assert_ok(kit_scan(&fx, "", &o, text, &err));
    assert_string_equal(text, "{p=0}a|24|24;{p=1}a|23|23;");
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 25);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 1);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 0);
    fixture_close_clean(&fx);
    free(text);
}

static void test_order__released_early_leaves_nothing_behind(void **state)
{
    (void)state;
    s3store_error err;
    for (int taken = 0; taken < 6; taken++) {
        for (int skip = 0; skip < 2; skip++) {
            fixture fx;
            s3s_file_set files;
            s3s_scan *scan = NULL;
            fixture_options options = {
                .partition_by = by_pq, .partition_by_count = 2, .max_inflight = 4};
            fixture_open(&fx, NULL, &options);
            write_traps(&fx);
            kit_files(&fx, "", &files);
            s3s_scan_options o = kit_options(taken % 2 == 0 ? S3S_SCAN_ROWS : S3S_SCAN_LATEST);
            o.read_ahead_partitions = 3;
            assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
            struct ArrowArray kept = {0};
            for (int i = 0; i < taken; i++) {
                s3s_array_release(&kept);
                assert_ok(s3s_scan_next(scan, &kept, NULL, &err));
                if (skip)
                    s3s_scan_skip_partition(scan);
            }
            s3s_scan_free(scan);
            s3s_array_release(&kept); /* batches outlive the scan */
            fixture_close_clean(&fx);
        }
    }
}

int run_order_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order__is_that_of_partition_keys_over_all_settings),
        cmocka_unit_test(test_order__holds_in_the_simulation_whoever_runs_when),
        cmocka_unit_test(test_order__limit_cuts_exactly_and_stops_fetching),
        cmocka_unit_test(test_order__one_get_for_each_file_and_no_head),
        cmocka_unit_test(test_order__released_early_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
