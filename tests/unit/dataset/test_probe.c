/* What the server honours, and the arithmetic of the fence. */
#include "support/race_chooser.h"
#include "target_support.h"

#include "base/timefmt.h"

static const char *const by_a[] = {"a", NULL};

static s3store_target *open_on(world *w, const char *name, const char *timeout, const char *skew)
{
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    w->store.name = name;
    w->s3_code = "NoSuchKey";
    put_timing(w, timeout, skew);
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    return t;
}

/* ---- arithmetic ----------------------------------------------------------------------------- */

static void test_fence__fits_only_where_the_timing_leaves_a_second(void **state)
{
    static const struct {
        const char *timeout, *skew;
        bool possible;
    } cases[] = {
        {"15s", "1s", true},     {"5400ms", "1s", true},  {"5300ms", "1s", false},
        {"4s", "0s", true},      {"3999ms", "0s", false}, {"60s", "52s", true},
        {"60s", "53s", false},   {"1ms", "0s", false},
    };
    world *w = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_target *t = open_on(w, "s3", cases[i].timeout, cases[i].skew);
        assert_int_equal(s3s_fence_possible(t), cases[i].possible);
        t->fence = S3STORE_FENCE_OFF;
        assert_false(s3s_fence_possible(t));
        s3s_target_release(t);
    }
}

static void test_fence__the_window_on_s3_is_whole_seconds_inside_the_timeout(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "1500ms");
    int64_t from, until;

    assert_int_equal(s3s_fence_granularity_us(t), 1000000);
    assert_int_equal(s3s_fence_allowance_us(t), 3750000);
    s3s_fence_window(t, 100700000, &from, &until);
    assert_int_equal(from, 98000000);   /* 100 - ceil(1.5) */
    assert_int_equal(until, 110000000); /* floor(100.7 + 15 - 1 - 3.75) */
    s3s_target_release(t);
    t = open_on(w, "s3", "1h", "0s");
    assert_int_equal(s3s_fence_allowance_us(t), 5000000);
    s3s_target_release(t);
}

static void test_fence__the_window_of_a_local_store_is_exact(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "memory", "1ms", "5us");
    int64_t from, until;

    assert_true(s3s_fence_possible(t));
    s3s_fence_window(t, 1234567, &from, &until);
    assert_int_equal(from, 1234562);
    assert_int_equal(until, 1235567);
    s3s_target_release(t);
}

/* ---- the probe ------------------------------------------------------------------------------ */

static void check_probe(s3store_target *t, bool conditional, bool fenced, uint64_t puts)
{
    s3store_error err;
    bool c, f;

    for (int i = 0; i < 2; i++) { /* the second time from memory */
        assert_ok(s3s_target_probe(t, NULL, &c, &f, &err));
        assert_int_equal(c, conditional);
        assert_int_equal(f, fenced);
    }
    assert_requests(t, puts, 3, 0, 0);
}

static void test_probe__one_put_finds_both(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "1s");

    check_probe(t, true, true, 1);
    assert_true(w->last_put.if_none_match);
    assert_true(w->last_put.fenced);
    assert_string_equal(w->last_key, "p/_config/commit-timeout");
    assert_string_equal(w->last_body, "15s");
    assert_int_equal(w->last_put.valid_from_us % 1000000, 0);
    assert_int_equal(w->last_put.expires_at_us % 1000000, 0);
    assert_string_equal(w->log, "");
    s3s_target_release(t);
}

static void test_probe__puts_the_descriptor_where_there_is_one(void **state)
{
    world *w = *state;
    s3store_target *t;

    put_text(w, "p/_config/dataset.json", "{\"format\":1}");
    t = open_on(w, "s3", "15s", "1s");
    check_probe(t, true, true, 1);
    assert_string_equal(w->last_key, "p/_config/dataset.json");
    assert_string_equal(w->last_body, "{\"format\":1}");
    s3s_target_release(t);
}

static void test_probe__a_server_that_refuses_expiry_is_asked_again_without(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "1s");

    w->refuses_fence = true;
    check_probe(t, true, false, 2);
    assert_false(w->last_put.fenced);
    assert_non_null(strstr(w->log, "3 commits of this target do not expire"));
    s3s_target_release(t);
}

static void test_probe__short_timing_and_fence_off_send_no_fenced_put(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "4s", "1s");

    check_probe(t, true, false, 1);
    assert_false(w->last_put.fenced);
    assert_non_null(strstr(w->log, "too short"));
    s3s_target_release(t);
    w->log[0] = '\0';
    t = open_on(w, "s3", "15s", "1s");
    t->fence = S3STORE_FENCE_OFF;
    check_probe(t, true, false, 1);
    assert_string_equal(w->log, "");
    s3s_target_release(t);
}

static void test_probe__ignored_conditions_are_found_and_logged_once(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "1s");

    w->ignores_conditions = true;
    check_probe(t, false, true, 1);
    char *seen = strstr(w->log, "unconditional");
    assert_non_null(seen);
    assert_null(strstr(seen + 1, "unconditional"));
    char text[10];
    get_text(w, "p/_config/commit-timeout", text, sizeof text);
    assert_string_equal(text, "15s");
    s3s_target_release(t);
}

static void test_probe__a_server_without_conditions_is_unconditional(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "1s");

    w->put_fails = S3STORE_UNSUPPORTED;
    check_probe(t, false, false, 2);
    assert_non_null(strstr(w->log, "answer=refused"));
    s3s_target_release(t);
}

static void test_probe__errors_are_passed_on_and_the_next_call_tries_again(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_on(w, "s3", "15s", "1s");
    bool c, f;

    w->put_fails = S3STORE_PERMISSION_DENIED;
    assert_fails(s3s_target_probe(t, NULL, &c, &f, &err), S3STORE_PERMISSION_DENIED, "conditional");
    assert_string_equal(err.key, "p/_config/commit-timeout");
    assert_int_equal(s3s_target_probe(t, NULL, &c, &f, NULL), S3STORE_PERMISSION_DENIED);
    w->put_fails = S3STORE_OK;
    assert_ok(s3s_target_probe(t, NULL, &c, &f, &err));
    assert_true(c);
    assert_true(f);
    s3s_target_release(t);
}

static void test_probe__a_clock_that_is_off_is_warned_of_and_refused_with_the_fence(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_on(w, "s3", "15s", "1s");
    bool c, f;

    w->date_offset_us = 10000000;
    check_probe(t, true, true, 1);
    assert_non_null(strstr(w->log, "clock"));
    s3s_target_release(t);
    t = open_on(w, "s3", "15s", "1s");
    w->refuses_fence = true;
    assert_fails(s3s_target_probe(t, NULL, &c, &f, &err), S3STORE_CLOCK_SKEW, "max-clock-skew");
    s3s_target_release(t);
}

static void test_probe__a_clock_that_is_behind_is_warned_of_too(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "1s");

    w->date_offset_us = -10000000;
    check_probe(t, true, true, 1);
    assert_non_null(strstr(w->log, "difference_s=-"));
    s3s_target_release(t);
}

static void test_probe__an_answer_without_a_date_says_nothing_about_clocks(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "1s");

    w->no_dates = true;
    check_probe(t, true, true, 1);
    assert_string_equal(w->log, "");
    s3s_target_release(t);
}

/* A server that is busy says nothing about expiry: it is not asked without it, but later again. */
static void test_probe__what_a_retry_may_help_is_no_refusal(void **state)
{
    static const s3store_status answers[] = {S3STORE_CANCELLED, S3STORE_CLOCK_SKEW};
    world *w = *state;
    s3store_error err;
    bool c, f;

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        s3store_target *t = open_on(w, "s3", "15s", "1s");
        w->put_fails = answers[i];
        assert_fails(s3s_target_probe(t, NULL, &c, &f, &err), answers[i],
                     "probing whether the server honours conditional writes");
        assert_requests(t, 1, 3, 0, 0);
        w->put_fails = S3STORE_OK;
        assert_ok(s3s_target_probe(t, NULL, &c, &f, &err));
        assert_true(c && f);
        s3s_target_release(t);
    }
}

static void test_probe__a_date_of_whole_seconds_is_no_clock_error(void **state)
{
    world *w = *state;
    s3store_target *t = open_on(w, "s3", "15s", "0s");

    w->date_offset_us = -999999;
    check_probe(t, true, true, 1);
    assert_string_equal(w->log, "");
    s3s_target_release(t);
}

/* ---- two at once ---------------------------------------------------------------------------- */

typedef struct prober {
    world *world;
    s3store_target *target;
    int done;
} prober;

static void probe_actor(void *ctx)
{
    prober *p = ctx;
    s3store_error err;
    bool c, f;

    assert_ok(s3s_target_probe(p->target, NULL, &c, &f, &err));
    assert_true(c);
    assert_true(f);
    p->done++;
}

static void open_actor(void *ctx)
{
    prober *p = ctx;
    p->target = open_on(p->world, "memory", "1s", "0s");
    p->done++;
}

static void close_actor(void *ctx)
{
    prober *p = ctx;
    s3s_target_release(p->target);
    p->done++;
}

static s3store_status one_history(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    race_chooser choose = {.explorer = ex};
    s3s_sim_options options = {.choose = race_choose, .choose_ctx = &choose,
                               .start_wall_us = INT64_C(1700000000000000)};
    s3s_sim *sim;
    world *w = ctx;
    prober p = {.world = w};
    s3store_status status = s3s_sim_new(&options, &sim, err);

    if (status != S3STORE_OK)
        return status;
    world_init_env(w, s3s_sim_env(sim));
    status = s3s_sim_add(sim, "open", 0, open_actor, &p, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    for (int i = 0; i < 2 && status == S3STORE_OK; i++)
        status = s3s_sim_add(sim, i == 0 ? "x" : "y", 0, probe_actor, &p, err);
    choose.racing = true;
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    choose.racing = false;
    if (status == S3STORE_OK) {
        assert_int_equal(p.done, 3);
        assert_requests(p.target, 1, 3, 0, 0);
        status = s3s_sim_add(sim, "close", 0, close_actor, &p, err);
    }
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    world_deinit(w);
    s3s_sim_free(sim);
    return status;
}

/* The second caller waits for the first one's answer, but not for ever. */
typedef struct waiting {
    prober prober;
    s3s_env *env;
    int64_t deadline_us;
    s3store_cancel *cancel;
    s3store_status status;
    s3store_error error;
} waiting;

static void slow_put(world *w, const char *key)
{
    s3store_error err;
    (void)key;
    assert_ok(s3s_sleep_us(w->env, 10000000, NULL, &err));
}

static void waiting_actor(void *ctx)
{
    waiting *x = ctx;
    bool c, f;
    s3store_call call = {.deadline_us = S3STORE_TIME_NONE, .cancel = x->cancel};

    if (x->cancel == NULL)
        call.deadline_us = s3s_mono_us(x->env) + x->deadline_us;
    x->status = s3s_target_probe(x->prober.target, &call, &c, &f, &x->error);
    assert_false(c || f);
}

static void cancel_actor(void *ctx)
{
    waiting *x = ctx;
    s3store_error err;
    assert_ok(s3s_sleep_us(x->env, 2000000, NULL, &err));
    s3store_cancel_trigger(x->cancel);
}

static void wait_for_the_first(bool cancels, s3store_status expected, const char *text)
{
    static world w;
    s3store_error err;
    s3s_sim *sim;
    s3s_sim_options options = {.start_wall_us = INT64_C(1700000000000000)};
    waiting x = {.prober = {.world = &w}, .deadline_us = 3000000};

    assert_ok(s3s_sim_new(&options, &sim, &err));
    world_init_env(&w, s3s_sim_env(sim));
    x.env = s3s_sim_env(sim);
    if (cancels)
        assert_ok(s3store_cancel_new(&x.cancel, &err));
    assert_ok(s3s_sim_add(sim, "open", 0, open_actor, &x.prober, &err));
    assert_ok(s3s_sim_run(sim, &err));
    w.before_put = slow_put;
    assert_ok(s3s_sim_add(sim, "first", 0, probe_actor, &x.prober, &err));
    assert_ok(s3s_sim_add(sim, "second", 0, waiting_actor, &x, &err));
    if (cancels)
        assert_ok(s3s_sim_add(sim, "cancel", 0, cancel_actor, &x, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(x.prober.done, 2); /* the first one has its answer */
    assert_int_equal(x.status, expected);
    assert_int_equal(x.error.status, expected);
    assert_non_null(strstr(x.error.message, text));
    assert_ok(s3s_sim_add(sim, "close", 0, close_actor, &x.prober, &err));
    assert_ok(s3s_sim_run(sim, &err));
    s3store_cancel_free(x.cancel);
    world_deinit(&w);
    s3s_sim_free(sim);
}

static void test_probe__who_waits_for_another_ends_in_time(void **state)
{
    (void)state;
    wait_for_the_first(false, S3STORE_TIMEOUT, "out of time while another call probed");
    wait_for_the_first(true, S3STORE_CANCELLED, "cancelled while another call probed");
}

static void test_probe__of_two_at_once_one_asks_in_every_history(void **state)
{
    static world w;
    s3store_error err;
    uint64_t histories = 0;

    (void)state;
    assert_ok(s3s_explore(one_history, &w, 20000, &histories, &err));
    assert_true(histories > 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_fence__fits_only_where_the_timing_leaves_a_second),
        test(test_fence__the_window_on_s3_is_whole_seconds_inside_the_timeout),
        test(test_fence__the_window_of_a_local_store_is_exact),
        test(test_probe__one_put_finds_both),
        test(test_probe__puts_the_descriptor_where_there_is_one),
        test(test_probe__a_server_that_refuses_expiry_is_asked_again_without),
        test(test_probe__short_timing_and_fence_off_send_no_fenced_put),
        test(test_probe__ignored_conditions_are_found_and_logged_once),
        test(test_probe__a_server_without_conditions_is_unconditional),
        test(test_probe__errors_are_passed_on_and_the_next_call_tries_again),
        test(test_probe__a_clock_that_is_off_is_warned_of_and_refused_with_the_fence),
        test(test_probe__a_date_of_whole_seconds_is_no_clock_error),
        test(test_probe__a_clock_that_is_behind_is_warned_of_too),
        test(test_probe__an_answer_without_a_date_says_nothing_about_clocks),
        test(test_probe__what_a_retry_may_help_is_no_refusal),
        cmocka_unit_test(test_probe__who_waits_for_another_ends_in_time),
        cmocka_unit_test(test_probe__of_two_at_once_one_asks_in_every_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
