/* Memory that runs out at any allocation: an error, nothing half, nothing left behind. */
#include "support/alloc_sweep.h"
#include "support/dataset_fixture.h"

#include <string.h>

#include "stream/place.h"
#include "stream/stream.h"
#include "unit/stream/tests.h"

enum { GOOD = 20, DAMAGED = 9, KNOWN = 18 };

typedef struct world {
    fixture fx;
    s3s_file_set files; /* the first KNOWN commits */
    fixture_written last;
    char since[KNOWN * S3S_KEY_SIZE];
    s3store_entries *entries;
} world;

static fixture_written add_commit(fixture *fx, int i)
{
    char partition[32];
    snprintf(partition, sizeof partition, "p=%02d", i);
    fixture_write write = {.partition = partition};
    return fixture_write_bytes(fx, &write, "x", 1, 1);
}

static void world_open(world *w)
{
    static const char *const everything[] = {""};
    static const fixture_options one = {.max_inflight = 1};
    s3store_error err;
    s3store_metadata none = {0};
    size_t at = 0;
    memset(w, 0, sizeof *w);
    fixture_open(&w->fx, NULL, &one);
    at += (size_t)snprintf(w->since, sizeof w->since, "except %d\n", KNOWN);
    for (int i = 0; i < KNOWN; i++) {
        fixture_written known = add_commit(&w->fx, i);
        at += (size_t)snprintf(w->since + at, sizeof w->since - at, "%s\n",
                               strrchr(known.ref_key, '/') + 1);
    }
    snprintf(w->since + at, sizeof w->since - at, "ds/_ref/0");
    s3s_file_set_init(&w->files, w->fx.env);
    assert_ok(s3s_resolve_patterns(w->fx.target, NULL, everything, 1, &w->files, &err));
    for (int i = 0; i < DAMAGED; i++) {
        fixture_written bad = add_commit(&w->fx, 50 + i);
        fixture_put(&w->fx, bad.commit_key, NULL, 0, &none);
    }
    for (int i = 0; i < GOOD; i++)
        w->last = add_commit(&w->fx, i);
}

static void world_close(world *w)
{
    s3s_file_set_deinit(&w->files);
    fixture_close_clean(&w->fx);
}

static s3store_status poll(void *ctx, s3store_error *err)
{
    world *w = ctx;
    s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
    o.since = w->since;
    o.skip_damaged = true;
    s3store_entries *entries = (void *)w;
    s3store_status status = s3s_poll(w->fx.target, &o, &entries, err);
    if (status == S3STORE_OK) {
        assert_int_equal(s3store_entries_count(entries), GOOD);
        assert_int_equal(s3store_entries_skipped_count(entries), DAMAGED);
        assert_non_null(strstr(s3store_entries_next_offset(entries), w->last.ref_key));
        assert_non_null(strstr(s3store_entries_next_offset(entries), "except 18\n"));
    } else {
        assert_null(entries);
    }
    s3store_entries_free(entries);
    return status;
}

static void test_memory__a_poll_gives_everything_or_nothing(void **state)
{
    (void)state;
    world w;
    world_open(&w);
    assert_true(alloc_sweep(w.fx.env, 1, poll, &w) > 100);
    world_close(&w);
}

static s3store_status hand_over(void *ctx, s3store_error *err)
{
    world *w = ctx;
    s3store_entries *both = (void *)w;
    int64_t settled_us = s3s_wall_us(w->fx.env) - INT64_C(5400) * 1000000;
    s3store_status status = s3s_handover(w->fx.target, NULL, settled_us, &w->files, &both, err);
    if (status == S3STORE_OK) {
        assert_int_equal(s3store_entries_count(both), KNOWN);
        assert_non_null(strstr(s3store_entries_next_offset(both), "except 18\n"));
    } else {
        assert_null(both);
    }
    s3store_entries_free(both);
    return status;
}

static void test_memory__a_handover_excepts_everything_or_fails(void **state)
{
    (void)state;
    world w;
    world_open(&w);
    assert_true(alloc_sweep(w.fx.env, 1, hand_over, &w) > 50);
    world_close(&w);
}

static s3store_status list_entries(void *ctx, s3store_error *err)
{
    world *w = ctx;
    s3store_entries *entries = NULL;
    s3store_status status = s3s_entries_new(w->fx.env, &entries, err);
    for (int i = 0; status == S3STORE_OK && i < GOOD; i++) {
        s3store_entry entry = {.partition = i % 2 ? "p=1" : "p=0", .data_path = "d", .ref_path = "r"};
        status = s3s_entries_add(entries, &entry, err);
        if (status == S3STORE_OK)
            status = s3s_entries_add_skipped(entries, "key", err);
    }
    if (status == S3STORE_OK)
        status = s3s_entries_set_next(entries, "offset", err);
    if (status == S3STORE_OK) {
        size_t count = 7;
        const char *const *keys = s3store_entries_partition_keys(entries, &count);
        if (keys == NULL) { /* there is no error to give: none, and the next call may have them */
            assert_int_equal(count, 0);
            keys = s3store_entries_partition_keys(entries, &count);
        }
        assert_int_equal(count, 2);
        assert_string_equal(keys[1], "p=1");
        assert_ptr_equal(s3store_entries_partition_keys(entries, &count), keys);
        assert_int_equal(s3store_entries_skipped_count(entries), GOOD);
        assert_string_equal(s3store_entries_skipped_get(entries, GOOD - 1), "key");
        assert_null(s3store_entries_skipped_get(entries, GOOD));
        assert_string_equal(s3store_entries_next_offset(entries), "offset");
    }
    s3store_entries_free(entries);
    return status;
}

static void test_memory__a_list_of_entries_grows_or_fails(void **state)
{
    (void)state;
    world w;
    world_open(&w);
    assert_true(alloc_sweep(w.fx.env, 1, list_entries, &w) > GOOD);
    world_close(&w);
}

int run_memory_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__a_poll_gives_everything_or_nothing),
        cmocka_unit_test(test_memory__a_handover_excepts_everything_or_fails),
        cmocka_unit_test(test_memory__a_list_of_entries_grows_or_fails),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
