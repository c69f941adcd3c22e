/* How long reading waits, on virtual time: only requests take any, so what is counted is how many of them
 * stand behind each other. `bench/run` has the same on real clocks. */
#include <inttypes.h>

#include "base/sim.h"
#include "unit/read/kit.h"

enum { LATENCY_US = 10000, SLOTS = 32 };

typedef struct world {
    s3s_env *env;
    int64_t last_list_us; /* when the last LIST of data was answered */
} world;

static s3s_fault_decision delay(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    world *w = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)sequence;
    d.delay_us = LATENCY_US;
    if (verb == S3S_VERB_LIST && strstr(key, "/_config/") == NULL)
        w->last_list_us = s3s_mono_us(w->env) + LATENCY_US;
    return d;
}

static void run_simulated(void (*fn)(void *ctx))
{
    s3store_error err;
    world w = {0};
    s3s_sim *sim = NULL;
    s3s_sim_options options = {.seed = 1, .start_wall_us = INT64_C(1700000000000000)};
    assert_ok(s3s_sim_new(&options, &sim, &err));
    w.env = s3s_sim_env(sim);
    assert_ok(s3s_sim_add(sim, "reader", 0, fn, &w, &err));
    assert_ok(s3s_sim_run(sim, &err));
    s3s_sim_free(sim);
}

static void open_fixture(world *w, fixture *fx, int slots, uint64_t memory)
{
    const fixture_options options = {
        .max_inflight = slots, .no_entity = true, .memory_bytes = memory};
    fixture_open(fx, w->env, &options);
    fx->hook_ctx = w;
}

/* ---- poll ------------------------------------------------------------------------------------------ */

static int64_t poll_us(world *w, int slots, size_t refs)
{
    s3store_error err;
    fixture fx;
    s3store_entries *entries = NULL;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    open_fixture(w, &fx, slots, 0);
    for (size_t i = 0; i < refs; i++) {
        fixture_write write = {.partition = "p=1", .stamp_us = fx.next_stamp_us + (int64_t)i};
        write.steps = FIXTURE_REF | FIXTURE_COMMIT;
        fixture_write_bytes(&fx, &write, NULL, 0, 1);
    }
    poll.max_entries = (int32_t)refs;
    fx.hook = delay;
    int64_t begun = s3s_mono_us(w->env);
    assert_ok(s3s_poll(fx.target, &poll, &entries, &err));
    int64_t took = s3s_mono_us(w->env) - begun;
    assert_int_equal(s3store_entries_count(entries), refs);
    s3store_entries_free(entries);
    fx.hook = NULL;
    fixture_close(&fx);
    return took;
}

static void poll_many(void *ctx)
{
    int64_t one = poll_us(ctx, 1, 2000), many = poll_us(ctx, SLOTS, 2000);
    print_message("poll of 2,000 refs: %.1f times as fast as one HEAD after the other\n",
                  (double)one / (double)many);
    assert_true(one >= 20 * many);
}

static void test_latency__a_poll_asks_for_markers_side_by_side(void **state)
{
    (void)state;
    run_simulated(poll_many);
}

/* ---- small files ----------------------------------------------------------------------------------- */

static int64_t read_all(fixture *fx, int64_t *first_us)
{
    s3store_error err;
    s3store_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    s3store_read_options o = kit_pattern(kit_all);
    int64_t rows = 0;
    assert_ok(s3s_reader_open(fx->target, NULL, &reader, &err));
    assert_ok(s3s_read_stream(reader, &o, &stream, &err));
    for (;;) {
        assert_int_equal(stream.get_next(&stream, &batch), 0);
        if (batch.release == NULL)
            break;
        if (rows == 0)
            *first_us = s3s_mono_us(fx->env);
        rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    s3s_reader_free(reader);
    return rows;
}

static void snapshot_small(void *ctx)
{
    world *w = ctx;
    fixture fx;
    char partition[16];
    int64_t first = 0, files = 2000;
    open_fixture(w, &fx, SLOTS, 0);
    for (int i = 0; i < files; i++) {
        fixture_row row = {"e", i, i, false};
        snprintf(partition, sizeof partition, "p=%02d", i % 20);
        fixture_write write = {.partition = partition, .steps = FIXTURE_DATA | FIXTURE_COMMIT};
        fixture_write_rows(&fx, &write, &row, 1);
    }
    fixture_reset_counts(&fx);
    fx.hook = delay;
    int64_t begun = s3s_mono_us(w->env);
    assert_int_equal(read_all(&fx, &first), files);
    int64_t took = s3s_mono_us(w->env) - begun;
    fx.hook = NULL;
    int64_t requests =
        (int64_t)(fixture_count(&fx, S3S_VERB_GET) + fixture_count(&fx, S3S_VERB_LIST) +
                  fixture_count(&fx, S3S_VERB_HEAD));
    double least = (double)requests / SLOTS * LATENCY_US;
    print_message("snapshot of 2,000 small files: %.2f times requests / slots x latency\n",
                  (double)took / least);
    assert_true((double)took <= 1.3 * least);
    fixture_close(&fx);
}

static void test_latency__a_snapshot_of_small_files_keeps_all_slots_busy(void **state)
{
    (void)state;
    run_simulated(snapshot_small);
}

/* ---- the first record ------------------------------------------------------------------------------ */

/* Much more data than the budget, in a dataset whose schema is recorded. */
static void first_record(void *ctx)
{
    static const char schema[] =
        "{\"format\":1,\"version\":1,\"columns\":[{\"name\":\"entity\",\"type\":\"string\"},"
        "{\"name\":\"version\",\"type\":\"int64\"},{\"name\":\"value\",\"type\":\"int64\"}]}";
    world *w = ctx;
    fixture fx;
    fixture_row *rows = test_calloc(2000, sizeof *rows);
    char partition[16];
    int64_t first = 0;
    open_fixture(w, &fx, SLOTS, 1024 * 1024);
    uint64_t random = 88172645463325252u; /* which no encoding makes small */
    for (int i = 0; i < 2000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        rows[i] = (fixture_row){"entity", (int64_t)random, (int64_t)(random * 31), false};
    }
    for (int i = 0; i < 100; i++) {
        snprintf(partition, sizeof partition, "p=%02d", i % 20);
        fixture_write write = {.partition = partition, .steps = FIXTURE_DATA | FIXTURE_COMMIT};
        fixture_write_rows(&fx, &write, rows, 2000);
    }
    fixture_put(&fx, "ds/_config/schema/000001.json", schema, sizeof schema - 1, NULL);
    fx.hook = delay;
    assert_int_equal(read_all(&fx, &first), 100 * 2000);
    fx.hook = NULL;
    double trips = (double)(first - w->last_list_us) / LATENCY_US;
    print_message("first record: %.2f round trips after the LIST pages\n", trips);
    assert_true(trips <= 3);
    test_free(rows);
    fixture_close(&fx);
}

static void test_latency__the_first_record_comes_three_round_trips_after_the_lists(void **state)
{
    (void)state;
    run_simulated(first_record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latency__a_poll_asks_for_markers_side_by_side),
        cmocka_unit_test(test_latency__a_snapshot_of_small_files_keeps_all_slots_busy),
        cmocka_unit_test(test_latency__the_first_record_comes_three_round_trips_after_the_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
