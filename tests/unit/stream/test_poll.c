/* Poll: cutoff, bounds, gate, next offset, damaged markers, request counts. */
#include "support/dataset_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "base/sim.h"
#include "stream/stream.h"
#include "unit/stream/tests.h"

static fixture_written add_commit(fixture *fx, const char *partition, const char *token)
{
    fixture_write write = {.partition = partition, .token = token};
    return fixture_write_bytes(fx, &write, "x", 1, 1);
}

static s3store_poll_options since(const char *offset)
{
    s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
    o.since = offset;
    return o;
}

static void damage(fixture *fx, const fixture_written *w)
{
    s3store_metadata none = {0};
    fixture_put(fx, w->commit_key, NULL, 0, &none);
}

static void test_poll__returns_settled_commits_in_order_with_their_fields(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written a = add_commit(&fx, "p=b", NULL);
    fixture_written b = add_commit(&fx, "p=a b", "job-1");
    fixture_written c = add_commit(&fx, "p=b", NULL);
    fixture_reset_counts(&fx);
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 3);
    const fixture_written *wrote[] = {&a, &b, &c};
    for (size_t i = 0; i < 3; i++) {
        const s3store_entry *e = s3store_entries_get(entries, i);
        assert_string_equal(e->offset, wrote[i]->ref_key);
        assert_string_equal(e->ref_path, wrote[i]->ref_key);
        assert_string_equal(e->data_path, wrote[i]->data_key);
        assert_int_equal(e->inserted_at_us, wrote[i]->stamp_us);
        assert_int_equal(e->row_count, 1);
    }
    assert_string_equal(s3store_entries_get(entries, 1)->partition, "p=a b");
    assert_null(s3store_entries_get(entries, 3));
    assert_string_equal(s3store_entries_next_offset(entries), c.ref_key);
    size_t keys = 0;
    const char *const *partitions = s3store_entries_partition_keys(entries, &keys);
    assert_int_equal(keys, 2);
    assert_string_equal(partitions[0], "p=a b");
    assert_string_equal(partitions[1], "p=b");
    s3store_entries_free(entries);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 1);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 3);
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 0);
    fixture_close_clean(&fx);
}

static void test_poll__at_the_end_keeps_the_offset(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written a = add_commit(&fx, "p=1", NULL);
    s3store_poll_options o = since(a.ref_key);
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_string_equal(s3store_entries_next_offset(entries), a.ref_key);
    s3store_entries_free(entries);
    assert_null(s3store_entries_get(NULL, 0));
    fixture_close_clean(&fx);
}

static void test_poll__waits_for_the_settle_window_and_counts_what_waits(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written a = add_commit(&fx, "p=1", NULL);
    fixture_write young = {.partition = "p=1", .stamp_us = s3s_wall_us(fx.env) + 60000000};
    fixture_write_bytes(&fx, &young, "x", 1, 1);
    young.stamp_us += 1;
    fixture_write_bytes(&fx, &young, "x", 1, 1);
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_int_equal(s3store_entries_pending(entries), 2);
    assert_string_equal(s3store_entries_next_offset(entries), a.ref_key);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_poll__until_is_exclusive_and_since_includes_its_time(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    char from[S3S_KEY_SIZE], to[S3S_KEY_SIZE];
    fixture_open(&fx, NULL, NULL);
    add_commit(&fx, "p=1", NULL);
    fixture_written b = add_commit(&fx, "p=1", NULL);
    fixture_written c = add_commit(&fx, "p=1", NULL);
    assert_ok(s3s_offset_key(&fx.target->layout, b.stamp_us, from, &err));
    assert_ok(s3s_offset_key(&fx.target->layout, c.stamp_us, to, &err));
    s3store_poll_options o = since(from);
    o.until = to;
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->offset, b.ref_key);
    assert_int_equal(s3store_entries_pending(entries), 0);
    s3store_entries_free(entries);
    o = since(c.ref_key);
    o.until = c.ref_key;
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_poll__skips_refs_of_dead_attempts_and_moves_on(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_write orphan = {.partition = "p=1", .token = "job"};
    orphan.steps = FIXTURE_DATA | FIXTURE_REF;
    fixture_write_bytes(&fx, &orphan, "x", 1, 1); /* loses to the next attempt of its token */
    fixture_written won = add_commit(&fx, "p=1", "job");
    fixture_write dead = {.partition = "p=2", .steps = FIXTURE_REF};
    fixture_written tail = fixture_write_bytes(&fx, &dead, NULL, 0, 0);
    fixture_reset_counts(&fx);
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->data_path, won.data_key);
    assert_string_equal(s3store_entries_next_offset(entries), tail.ref_key);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 2); /* one for each distinct commit */
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_poll__tokens_and_partitions_with_colons_do_not_collide(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_write dead = {.partition = "p=a", .token = "b:c", .steps = FIXTURE_REF};
    fixture_write_bytes(&fx, &dead, NULL, 0, 0);
    fixture_written w = add_commit(&fx, "p=a:b", "c");
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->data_path, w.data_key);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_poll__a_malformed_ref_is_logged_and_passed(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_put(&fx, "ds/_ref/0-malformed.ref", NULL, 0, NULL);
    fixture_written w = add_commit(&fx, "p=1", NULL);
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->offset, w.ref_key);
    assert_non_null(strstr(fx.log, "skipping malformed ref key=ds/_ref/0-malformed.ref"));
    s3store_entries_free(entries);
    s3store_poll_options o = since(NULL);
    fixture_remove(&fx, w.ref_key);
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_string_equal(s3store_entries_next_offset(entries), "ds/_ref/0-malformed.ref");
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_poll__max_entries_stops_after_the_last_accepted_ref(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_write dead = {.partition = "p=0", .steps = FIXTURE_REF};
    fixture_write_bytes(&fx, &dead, NULL, 0, 0);
    add_commit(&fx, "p=1", NULL);
    fixture_written b = add_commit(&fx, "p=2", NULL);
    fixture_write_bytes(&fx, &dead, NULL, 0, 0);
    fixture_written c = add_commit(&fx, "p=3", NULL);
    fixture_reset_counts(&fx);
    s3store_poll_options o = since("");
    o.max_entries = 2;
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 2);
    assert_string_equal(s3store_entries_next_offset(entries), b.ref_key);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 1);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 3); /* none beyond the last wanted */
    s3store_poll_options next = since(s3store_entries_next_offset(entries));
    s3store_entries *rest = NULL;
    next.max_entries = 1;
    assert_ok(s3s_poll(fx.target, &next, &rest, &err));
    assert_int_equal(s3store_entries_count(rest), 1);
    assert_string_equal(s3store_entries_next_offset(rest), c.ref_key);
    s3store_entries_free(rest);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_poll__walks_as_many_pages_as_it_needs(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_write write = {.partition = "p=1"};
    for (int i = 0; i < 250; i++) {
        write.steps = i % 2 == 0 ? FIXTURE_REF : FIXTURE_REF | FIXTURE_COMMIT;
        fixture_write_bytes(&fx, &write, NULL, 0, 1);
    }
    fixture_reset_counts(&fx);
    s3store_poll_options o = since("");
    o.max_entries = 120;
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 120);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 2);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 240);
    for (size_t i = 1; i < 120; i++)
        assert_true(strcmp(s3store_entries_get(entries, i - 1)->offset,
                           s3store_entries_get(entries, i)->offset) < 0);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_poll__stops_before_a_damaged_marker_and_names_it_next(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written a = add_commit(&fx, "p=1", NULL);
    fixture_written bad = add_commit(&fx, "p=2", NULL);
    fixture_written c = add_commit(&fx, "p=3", NULL);
    damage(&fx, &bad);
    s3store_poll_options o = since("");
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_next_offset(entries), a.ref_key);
    s3store_entries_free(entries);
    o.since = a.ref_key;
    assert_fails(s3s_poll(fx.target, &o, &entries, &err), S3STORE_DAMAGED_MARKER, bad.commit_key);
    assert_null(entries);
    o.skip_damaged = true;
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_next_offset(entries), c.ref_key);
    assert_int_equal(s3store_entries_skipped_count(entries), 1);
    assert_string_equal(s3store_entries_skipped_get(entries, 0), bad.commit_key);
    assert_non_null(strstr(fx.log, bad.commit_key));
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

typedef struct failing {
    s3s_fault_verb verb;
    const char *part; /* of the key */
    s3store_status status;
} failing;

static s3s_fault_decision fail_matching(void *ctx, s3s_fault_verb verb, const char *key,
                                        uint64_t sequence)
{
    (void)sequence;
    const failing *f = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    if (verb == f->verb && strstr(key, f->part) != NULL)
        d.before = f->status;
    return d;
}

static void test_poll__any_other_failure_fails_it_without_entries(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    add_commit(&fx, "p=1", NULL);
    add_commit(&fx, "p=2", NULL);
    failing f = {.verb = S3S_VERB_HEAD, .part = "p=2", .status = S3STORE_PERMISSION_DENIED};
    fx.hook = fail_matching;
    fx.hook_ctx = &f;
    assert_fails(s3s_poll(fx.target, NULL, &entries, &err), S3STORE_PERMISSION_DENIED, NULL);
    assert_null(entries);
    f.verb = S3S_VERB_LIST;
    f.part = "_ref";
    assert_fails(s3s_poll(fx.target, NULL, &entries, &err), S3STORE_PERMISSION_DENIED, NULL);
    assert_null(entries);
    fixture_close_clean(&fx);
}

static void test_poll__refuses_foreign_offsets_and_negative_max(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_reset_counts(&fx);
    s3store_poll_options o = since("other/_ref/0000000000000001");
    assert_fails(s3s_poll(fx.target, &o, &entries, &err), S3STORE_INVALID_ARGUMENT,
                 "other/_ref/0000000000000001");
    o = since("ds/_reference/1");
    assert_fails(s3s_poll(fx.target, &o, &entries, &err), S3STORE_INVALID_ARGUMENT, "since");
    o = since("");
    o.until = "ds/data/p=1/x.parquet";
    assert_fails(s3s_poll(fx.target, &o, &entries, &err), S3STORE_INVALID_ARGUMENT, "until");
    o = since("");
    o.max_entries = -1;
    assert_fails(s3s_poll(fx.target, &o, &entries, &err), S3STORE_INVALID_ARGUMENT, "max_entries");
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 0);
    fixture_close_clean(&fx);
}

static void test_poll__cancelled_before_it_begins_says_so(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    s3store_cancel *cancel = NULL;
    fixture_open(&fx, NULL, NULL);
    add_commit(&fx, "p=1", NULL);
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_cancel_trigger(cancel);
    s3store_poll_options o = since("");
    o.cancel = cancel;
    assert_fails(s3s_poll(fx.target, &o, &entries, &err), S3STORE_CANCELLED, NULL);
    s3store_cancel_free(cancel);
    fixture_close_clean(&fx);
}

/* Whoever does not want to know why gives no error: the status is the same. */
static void test_poll__the_error_may_be_left_out(void **state)
{
    (void)state;
    fixture fx;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written bad = add_commit(&fx, "p=1", NULL);
    damage(&fx, &bad);
    assert_int_equal(s3s_poll(fx.target, NULL, &entries, NULL), S3STORE_DAMAGED_MARKER);
    assert_null(entries);
    assert_int_equal(s3s_poll_range(fx.target, S3STORE_TIME_NONE, S3STORE_TIME_NONE, NULL, &entries,
                                    NULL),
                     S3STORE_DAMAGED_MARKER);
    assert_null(entries);
    failing f = {.verb = S3S_VERB_HEAD, .part = "p=1", .status = S3STORE_PERMISSION_DENIED};
    fx.hook = fail_matching;
    fx.hook_ctx = &f;
    assert_int_equal(s3s_poll(fx.target, NULL, &entries, NULL), S3STORE_PERMISSION_DENIED);
    fixture_close_clean(&fx);
}

/* Slots of the gate that meet in its table are told apart by both texts. */
static void test_poll__one_token_in_many_partitions_is_many_commits(void **state)
{
    (void)state;
    enum { PARTITIONS = 300 };
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    for (int i = 0; i < PARTITIONS; i++) {
        char partition[16];
        snprintf(partition, sizeof partition, "p=%03d", i);
        add_commit(&fx, partition, "one-job");
    }
    s3store_poll_options o = since("");
    o.until = ""; /* none, as NULL */
    fixture_reset_counts(&fx);
    assert_ok(s3s_poll(fx.target, &o, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), PARTITIONS);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), PARTITIONS);
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(atoi(s3store_entries_get(entries, (size_t)i)->partition + 2), i);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

typedef struct settling {
    s3s_env *env;
    size_t before, pending, at_the_edge, after;
} settling;

static void poll_while_settling(void *ctx)
{
    settling *s = ctx;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, s->env, NULL); /* 2 s and 1 s */
    fixture_write write = {.partition = "p=1", .stamp_us = s3s_wall_us(s->env)};
    fixture_write_bytes(&fx, &write, "x", 1, 1);
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    s->before = s3store_entries_count(entries);
    s->pending = s3store_entries_pending(entries);
    s3store_entries_free(entries);
    int64_t wait_us = write.stamp_us + 3000000 - s3s_wall_us(s->env);
    assert_ok(s3s_sleep_us(s->env, wait_us, NULL, &err));
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    s->at_the_edge = s3store_entries_count(entries);
    s3store_entries_free(entries);
    assert_ok(s3s_sleep_us(s->env, 1, NULL, &err));
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    s->after = s3store_entries_count(entries);
    s3store_entries_free(entries);
    fixture_close(&fx);
}

static void test_poll__a_commit_appears_one_settle_window_after_its_stamp(void **state)
{
    (void)state;
    s3store_error err;
    s3s_sim *sim = NULL;
    settling s = {.before = 9, .at_the_edge = 9};
    s3s_sim_options options = {.seed = 1, .start_wall_us = INT64_C(1700000000000000)};
    assert_ok(s3s_sim_new(&options, &sim, &err));
    s.env = s3s_sim_env(sim);
    assert_ok(s3s_sim_add(sim, "reader", 0, poll_while_settling, &s, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(s.before, 0);
    assert_int_equal(s.pending, 1);
    assert_int_equal(s.at_the_edge, 0); /* equal to the cutoff is not settled */
    assert_int_equal(s.after, 1);
    s3s_sim_free(sim);
}

/* ---- a clock that jumps ---------------------------------------------------------------------------- */

/* One machine's polls, before and after its clock jumps: an actor for each clock. */
typedef struct jumping {
    s3s_env *env;
    fixture fx;
    fixture_written first, second;
    char offset[S3S_KEY_SIZE];
    size_t counts[3], pending[3];
    bool same_offset;
} jumping;

static void poll_on(jumping *j, size_t i)
{
    s3store_error err;
    s3store_entries *entries = NULL;
    s3store_poll_options o = since(j->offset);
    assert_ok(s3s_poll(j->fx.target, &o, &entries, &err));
    j->counts[i] = s3store_entries_count(entries);
    j->pending[i] = s3store_entries_pending(entries);
    snprintf(j->offset, sizeof j->offset, "%s", s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
}

static void poll_with_a_right_clock(void *ctx)
{
    jumping *j = ctx;
    s3store_error err;
    fixture_open(&j->fx, j->env, NULL); /* 2 s and 1 s */
    fixture_write write = {.partition = "p=1", .stamp_us = s3s_server_wall_us(j->env)};
    j->first = fixture_write_bytes(&j->fx, &write, "x", 1, 1);
    assert_ok(s3s_sleep_us(j->env, 10000000, NULL, &err));
    poll_on(j, 0);
    write.stamp_us = s3s_server_wall_us(j->env);
    j->second = fixture_write_bytes(&j->fx, &write, "y", 1, 1);
}

static void poll_with_a_wrong_clock(void *ctx)
{
    jumping *j = ctx;
    s3store_error err;
    assert_ok(s3s_sleep_us(j->env, 20000000, NULL, &err));
    poll_on(j, 1);
    j->same_offset = strcmp(j->offset, j->first.ref_key) == 0;
}

static void poll_with_the_clock_set_right(void *ctx)
{
    jumping *j = ctx;
    s3store_error err;
    assert_ok(s3s_sleep_us(j->env, 30000000, NULL, &err));
    poll_on(j, 2);
    fixture_close(&j->fx);
}

static void jump(int64_t offset_us, jumping *j)
{
    s3store_error err;
    s3s_sim *sim = NULL;
    s3s_sim_options options = {.seed = 1, .start_wall_us = INT64_C(1700000000000000)};
    assert_ok(s3s_sim_new(&options, &sim, &err));
    *j = (jumping){.env = s3s_sim_env(sim)};
    assert_ok(s3s_sim_add(sim, "before", 0, poll_with_a_right_clock, j, &err));
    assert_ok(s3s_sim_add(sim, "jumped", offset_us, poll_with_a_wrong_clock, j, &err));
    assert_ok(s3s_sim_add(sim, "after", 0, poll_with_the_clock_set_right, j, &err));
    assert_ok(s3s_sim_run(sim, &err));
    s3s_sim_free(sim);
}

static void test_poll__a_clock_that_jumps_back_delays_and_neither_repeats_nor_loses(void **state)
{
    (void)state;
    jumping j;
    jump(-INT64_C(3600) * 1000000, &j);
    assert_int_equal(j.counts[0], 1);
    assert_int_equal(j.counts[1], 0); /* an hour ago nothing was settled */
    assert_int_equal(j.pending[1], 1);
    assert_true(j.same_offset); /* and it does not go back */
    assert_int_equal(j.counts[2], 1);
    assert_string_equal(j.offset, j.second.ref_key);
}

static void test_poll__a_clock_that_jumps_ahead_moves_the_offset_to_refs_only(void **state)
{
    (void)state;
    jumping j;
    jump(INT64_C(3600) * 1000000, &j);
    assert_int_equal(j.counts[0], 1);
    assert_int_equal(j.counts[1], 1);
    assert_int_equal(j.pending[1], 0);
    assert_int_equal(j.counts[2], 0); /* nothing twice */
    assert_string_equal(j.offset, j.second.ref_key); /* what is written after it still comes */
}

int run_poll_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poll__returns_settled_commits_in_order_with_their_fields),
        cmocka_unit_test(test_poll__at_the_end_keeps_the_offset),
        cmocka_unit_test(test_poll__waits_for_the_settle_window_and_counts_what_waits),
        cmocka_unit_test(test_poll__until_is_exclusive_and_since_includes_its_time),
        cmocka_unit_test(test_poll__skips_refs_of_dead_attempts_and_moves_on),
        cmocka_unit_test(test_poll__tokens_and_partitions_with_colons_do_not_collide),
        cmocka_unit_test(test_poll__a_malformed_ref_is_logged_and_passed),
        cmocka_unit_test(test_poll__max_entries_stops_after_the_last_accepted_ref),
        cmocka_unit_test(test_poll__walks_as_many_pages_as_it_needs),
        cmocka_unit_test(test_poll__stops_before_a_damaged_marker_and_names_it_next),
        cmocka_unit_test(test_poll__any_other_failure_fails_it_without_entries),
        cmocka_unit_test(test_poll__refuses_foreign_offsets_and_negative_max),
        cmocka_unit_test(test_poll__cancelled_before_it_begins_says_so),
        cmocka_unit_test(test_poll__the_error_may_be_left_out),
        cmocka_unit_test(test_poll__one_token_in_many_partitions_is_many_commits),
        cmocka_unit_test(test_poll__a_commit_appears_one_settle_window_after_its_stamp),
        cmocka_unit_test(test_poll__a_clock_that_jumps_back_delays_and_neither_repeats_nor_loses),
        cmocka_unit_test(test_poll__a_clock_that_jumps_ahead_moves_the_offset_to_refs_only),
    };
    return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
