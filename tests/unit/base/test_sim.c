/* The simulated env: histories, virtual time, locks, fan-out, crash, replay. */
#include "support/test.h"

#include <stdlib.h>
#include <time.h>

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/pool.h"
#include "base/sim.h"
#include "base/sync.h"
#include "base/uuid.h"

/* For functions whose err is a pointer. */
#define must(call) assert_int_equal(call, S3STORE_OK)

/* A sim whose choices come from an explorer (NULL: always the first). */
static s3s_sim *new_sim(s3s_explorer *ex)
{
    s3store_error err;
    s3s_sim_options options = {
        .seed = 42,
        .start_wall_us = INT64_C(1700000000000000),
        .choose = ex != NULL ? s3s_explore_choose : NULL,
        .choose_ctx = ex,
        .max_steps = 100000,
    };
    s3s_sim *sim;
    assert_ok(s3s_sim_new(&options, &sim, &err));
    return sim;
}

/* ---- points and histories -------------------------------------------------------------------- */

struct walker {
    s3s_env *env;
    int points;
    char *log;
    char name;
};

static void log_char(char *log, char c)
{
    size_t n = strlen(log);
    log[n] = c;
    log[n + 1] = '\0';
}

static void walk(void *ctx)
{
    struct walker *w = ctx;
    for (int i = 0; i < w->points; i++) {
        log_char(w->log, w->name);
        s3s_env_point(w->env, S3S_POINT_STORE, "put data");
    }
    log_char(w->log, w->name);
}

struct walk_run {
    int points;
    char log[32];
    char seen[128][32];
    size_t seen_count;
};

static s3store_status run_walk(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    struct walk_run *r = ctx;
    s3s_sim *sim = new_sim(ex);
    r->log[0] = '\0';
    struct walker a = {s3s_sim_env(sim), r->points, r->log, 'a'};
    struct walker b = {s3s_sim_env(sim), r->points, r->log, 'b'};
    s3store_status status = s3s_sim_add(sim, "w1", 0, walk, &a, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(sim, "w2", 0, walk, &b, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    s3s_sim_free(sim);
    for (size_t i = 0; i < r->seen_count; i++)
        assert_string_not_equal(r->seen[i], r->log);
    assert_true(r->seen_count < 128);
    memcpy(r->seen[r->seen_count++], r->log, sizeof r->seen[0]);
    return status;
}

static void test_explore__two_actors_have_binomially_many_histories(void **state)
{
    (void)state;
    static const uint64_t expected[] = {2, 6, 20, 70};
    for (int points = 0; points < 4; points++) {
        s3store_error err;
        struct walk_run r = {.points = points};
        uint64_t histories;
        assert_ok(s3s_explore(run_walk, &r, 0, &histories, &err));
        assert_int_equal(histories, expected[points]);
        assert_int_equal(r.seen_count, expected[points]); /* and each is another one */
    }
}

static void test_explore__limit_says_that_there_are_more(void **state)
{
    (void)state;
    s3store_error err;
    struct walk_run r = {.points = 2};
    uint64_t histories;
    assert_fails(s3s_explore(run_walk, &r, 7, &histories, &err), S3STORE_LIMIT_EXCEEDED, "7");
    assert_int_equal(histories, 7);
    r.seen_count = 0;
    assert_ok(s3s_explore(run_walk, &r, 20, &histories, &err));
    assert_int_equal(histories, 20);
}

static s3store_status fail_when_b_before_last_a(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    struct walk_run *r = ctx;
    r->seen_count = 0;
    s3store_status status = run_walk(ctx, ex, err);
    if (status != S3STORE_OK)
        return status;
    if (strcmp(r->log, "abab") == 0)
        return s3s_fail(err, S3STORE_CORRUPT, "found it");
    return S3STORE_OK;
}

static void test_explore__failure_names_choices_that_replay_it(void **state)
{
    (void)state;
    s3store_error err;
    struct walk_run r = {.points = 1};
    uint64_t histories;
    assert_fails(s3s_explore(fail_when_b_before_last_a, &r, 0, &histories, &err), S3STORE_CORRUPT,
                 "found it");
    char number[16], choices[32] = "";
    snprintf(number, sizeof number, "#%d", (int)histories - 1);
    const char *begin = strchr(err.message, '"') + 1;
    memcpy(choices, begin, strcspn(begin, "\""));
    assert_true(strncmp(err.message, "history ", 8) == 0);

    char trace[512], again[512];
    assert_fails(s3s_explore_replay(fail_when_b_before_last_a, &r, choices, trace, sizeof trace,
                                    &err),
                 S3STORE_CORRUPT, choices);
    assert_string_equal(r.log, "abab");
    assert_string_equal(trace, "w1 start\nw2 start\nw1 put data\n");
    assert_fails(s3s_explore_replay(fail_when_b_before_last_a, &r, number, again, sizeof again,
                                    &err),
                 S3STORE_CORRUPT, "found it");
    assert_string_equal(again, trace);
    assert_ok(s3s_explore_replay(fail_when_b_before_last_a, &r, "", trace, 4, &err));
    assert_string_equal(r.log, "aabb");
}

static void test_replay__bad_choices_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    struct walk_run r = {.points = 1};
    assert_fails(s3s_explore_replay(run_walk, &r, "0,x", NULL, 0, &err), S3STORE_INVALID_ARGUMENT,
                 "x");
    assert_fails(s3s_explore_replay(run_walk, &r, "#-1", NULL, 0, &err), S3STORE_INVALID_ARGUMENT,
                 "#-1");
    assert_fails(s3s_explore_replay(run_walk, &r, "7", NULL, 0, &err), S3STORE_INTERNAL,
                 "choice 1");
    r.seen_count = 0;
    assert_fails(s3s_explore_replay(run_walk, &r, "#99", NULL, 0, &err), S3STORE_INVALID_ARGUMENT,
                 "only 6");
}

/* ---- locks and conditions -------------------------------------------------------------------- */

struct shared {
    s3s_env *env;
    s3s_mutex mutex;
    s3s_cond cond;
    int inside;
    int value;
    bool ready;
    s3store_cancel *cancel;
    s3store_status status;
    int64_t woken_at_us;
};

static void init_shared(struct shared *s, s3s_sim *sim)
{
    s3store_error err;
    memset(s, 0, sizeof *s);
    s->env = s3s_sim_env(sim);
    assert_ok(s3s_mutex_init(&s->mutex, s->env, &err));
    assert_ok(s3s_cond_init(&s->cond, s->env, &err));
}

static void enter_twice(void *ctx)
{
    struct shared *s = ctx;
    for (int i = 0; i < 2; i++) {
        s3s_mutex_lock(&s->mutex);
        assert_int_equal(s->inside++, 0);
        int before = s->value;
        s3s_env_point(s->env, S3S_POINT_STORE, "inside"); /* bad manners, to give a chance */
        s->value = before + 1;
        s->inside--;
        s3s_mutex_unlock(&s->mutex);
    }
}

static s3store_status run_exclusion(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    (void)ctx;
    struct shared s;
    s3s_sim_options options = {
        .choose = s3s_explore_choose, .choose_ctx = ex, .branch_on_locks = true};
    s3s_sim *sim;
    must(s3s_sim_new(&options, &sim, err));
    init_shared(&s, sim);
    must(s3s_sim_add(sim, "a", 0, enter_twice, &s, err));
    must(s3s_sim_add(sim, "b", 0, enter_twice, &s, err));
    s3store_status status = s3s_sim_run(sim, err);
    assert_int_equal(s.value, 4);
    s3s_sim_free(sim);
    return status;
}

static void test_mutex__excludes_in_every_history(void **state)
{
    (void)state;
    s3store_error err;
    uint64_t histories;
    assert_ok(s3s_explore(run_exclusion, NULL, 0, &histories, &err));
    assert_true(histories > 10);
}

static void wait_until_ready(void *ctx)
{
    struct shared *s = ctx;
    s3s_mutex_lock(&s->mutex);
    while (!s->ready)
        assert_int_equal(s3s_cond_wait(&s->cond, &s->mutex, S3STORE_TIME_NONE, NULL), S3STORE_OK);
    s->value++;
    s3s_mutex_unlock(&s->mutex);
}

static void make_ready(void *ctx)
{
    struct shared *s = ctx;
    s3s_env_point(s->env, S3S_POINT_STORE, "prepare");
    s3s_mutex_lock(&s->mutex);
    s->ready = true;
    s3s_cond_broadcast(&s->cond);
    s3s_mutex_unlock(&s->mutex);
}

static s3store_status run_wake_up(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    (void)ctx;
    struct shared s;
    s3s_sim *sim = new_sim(ex);
    init_shared(&s, sim);
    must(s3s_sim_add(sim, "waiter1", 0, wait_until_ready, &s, err));
    must(s3s_sim_add(sim, "waiter2", 0, wait_until_ready, &s, err));
    must(s3s_sim_add(sim, "maker", 0, make_ready, &s, err));
    s3store_status status = s3s_sim_run(sim, err);
    assert_int_equal(s.value, 2);
    s3s_sim_free(sim);
    return status;
}

static void test_cond__wakes_in_every_history(void **state)
{
    (void)state;
    s3store_error err;
    uint64_t histories;
    assert_ok(s3s_explore(run_wake_up, NULL, 0, &histories, &err));
    assert_true(histories >= 12);
}

static void wait_with_limits(void *ctx)
{
    struct shared *s = ctx;
    s3s_mutex_lock(&s->mutex);
    s->status = s3s_cond_wait(&s->cond, &s->mutex, s3s_mono_us(s->env) + 5000, s->cancel);
    s->woken_at_us = s3s_mono_us(s->env);
    s3s_mutex_unlock(&s->mutex);
}

static void cancel_after_3_ms(void *ctx)
{
    struct shared *s = ctx;
    s3s_sleep_us(s->env, 3000, NULL, NULL);
    s3store_cancel_trigger(s->cancel);
}

static void test_cond__deadline_and_cancellation_in_virtual_time(void **state)
{
    (void)state;
    s3store_error err;
    struct shared s;
    s3s_sim *sim = new_sim(NULL);
    init_shared(&s, sim);
    assert_ok(s3s_sim_add(sim, "w", 0, wait_with_limits, &s, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(s.status, S3STORE_TIMEOUT);
    assert_int_equal(s.woken_at_us, 5000);
    assert_null(s.cond.waiters);

    assert_ok(s3s_cancel_new(s.env, NULL, &s.cancel, &err));
    assert_ok(s3s_sim_add(sim, "w", 0, wait_with_limits, &s, &err));
    assert_ok(s3s_sim_add(sim, "c", 0, cancel_after_3_ms, &s, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(s.status, S3STORE_CANCELLED);
    assert_int_equal(s.woken_at_us, 8000);
    s3store_cancel_free(s.cancel);
    assert_int_equal(s3s_env_live_allocs(s.env), 0);
    s3s_sim_free(sim);
}

/* ---- time ------------------------------------------------------------------------------------ */

struct sleeper {
    s3s_env *env;
    int64_t duration_us;
    char name;
    char *log;
    int64_t wall_us, mono_us, server_us;
    s3store_cancel *cancel;
    s3store_status status;
};

static void sleep_once(void *ctx)
{
    struct sleeper *s = ctx;
    s3store_error err;
    s->status = s3s_sleep_us(s->env, s->duration_us, s->cancel, &err);
    log_char(s->log, s->name);
    s->wall_us = s3s_wall_us(s->env);
    s->mono_us = s3s_mono_us(s->env);
    s->server_us = s3s_server_wall_us(s->env);
}

static void test_sleep__wakes_in_order_of_virtual_time(void **state)
{
    (void)state;
    s3store_error err;
    char log[8] = "";
    s3s_sim *sim = new_sim(NULL);
    s3s_env *env = s3s_sim_env(sim);
    const int64_t hour = INT64_C(3600000000);
    struct sleeper a = {env, 30 * hour, 'a', log, 0, 0, 0, NULL, 0};
    struct sleeper b = {env, 10 * hour, 'b', log, 0, 0, 0, NULL, 0};
    struct sleeper c = {env, 20 * hour, 'c', log, 0, 0, 0, NULL, 0};
    assert_ok(s3s_sim_add(sim, "a", 0, sleep_once, &a, &err));
    assert_ok(s3s_sim_add(sim, "b", 500, sleep_once, &b, &err));
    assert_ok(s3s_sim_add(sim, "c", -700, sleep_once, &c, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_string_equal(log, "bca");
    assert_true(s3s_sim_now_us(sim) == 30 * hour);
    const int64_t start = INT64_C(1700000000000000);
    assert_true(s3s_sim_server_wall_us(sim) == start + 30 * hour);
    assert_true(b.mono_us == 10 * hour);
    assert_true(b.wall_us == start + 10 * hour + 500);
    assert_true(b.server_us == start + 10 * hour);
    assert_true(c.wall_us == start + 20 * hour - 700);
    s3s_sim_free(sim);
}

static void trigger_now(void *ctx)
{
    s3store_cancel_trigger(ctx);
}

static void test_sleep__cancellation_ends_it_without_time_passing(void **state)
{
    (void)state;
    s3store_error err;
    char log[8] = "";
    s3s_sim *sim = new_sim(NULL);
    struct sleeper a = {s3s_sim_env(sim), INT64_MAX, 'a', log, 0, 0, 0, NULL, 0};
    assert_ok(s3store_cancel_new(&a.cancel, &err));
    assert_ok(s3s_sim_add(sim, "a", 0, sleep_once, &a, &err));
    assert_ok(s3s_sim_add(sim, "b", 0, trigger_now, a.cancel, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(a.status, S3STORE_CANCELLED);
    assert_int_equal(s3s_sim_now_us(sim), 0);
    s3store_cancel_free(a.cancel);
    s3s_sim_free(sim);
}

/* ---- fan-out and tasks ----------------------------------------------------------------------- */

struct fan {
    s3s_env *env;
    size_t threads, n, limit;
    size_t running, peak, done;
    size_t fail_at; /* SIZE_MAX = never */
    s3store_status status;
    s3store_error err;
    s3s_pool *pool;
    int depth;
};

static s3store_status fan_item(void *ctx, size_t item, s3store_error *err)
{
    struct fan *f = ctx;
    f->running++;
    if (f->running > f->peak)
        f->peak = f->running;
    s3s_env_point(f->env, S3S_POINT_STORE, "work");
    f->running--;
    if (item == f->fail_at)
        return s3s_fail(err, S3STORE_IO, "item %zu", item);
    f->done++;
    if (f->depth > 0) {
        struct fan inner = *f;
        inner.depth--;
        inner.done = 0;
        s3store_status status = s3s_fan_out(f->pool, f->n, fan_item, &inner, NULL, err);
        f->done += inner.done;
        return status;
    }
    return S3STORE_OK;
}

static void run_fan(void *ctx)
{
    struct fan *f = ctx;
    s3s_fan_options options = {.limit = f->limit};
    f->status = s3s_pool_new(f->env, f->threads, &f->pool, &f->err);
    if (f->status == S3STORE_OK)
        f->status = s3s_fan_out(f->pool, f->n, fan_item, f, &options, &f->err);
    s3s_pool_free(f->pool);
}

struct rotation {
    size_t turn;
    bool seen;
};

static size_t choose_in_turn(void *ctx, size_t count, const char *const *names)
{
    struct rotation *r = ctx;
    for (size_t i = 0; i < count; i++)
        r->seen = r->seen || strcmp(names[i], "w.1 work") == 0;
    return r->turn++ % count;
}

static void test_fan_out__items_are_actors_within_the_limit(void **state)
{
    (void)state;
    s3store_error err;
    struct rotation rotation = {0};
    s3s_sim_options options = {.choose = choose_in_turn, .choose_ctx = &rotation};
    s3s_sim *sim;
    assert_ok(s3s_sim_new(&options, &sim, &err));
    struct fan f = {.env = s3s_sim_env(sim), .threads = 8, .n = 10, .limit = 4,
                    .fail_at = SIZE_MAX};
    assert_ok(s3s_sim_add(sim, "w", 0, run_fan, &f, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(f.status, S3STORE_OK);
    assert_int_equal(f.done, 10);
    assert_true(f.peak > 1 && f.peak <= 4);
    assert_true(rotation.seen);
    assert_int_equal(s3s_env_live_allocs(f.env), 0);
    s3s_sim_free(sim);
}

static void test_fan_out__nests_in_actors_and_in_the_driver(void **state)
{
    (void)state;
    s3store_error err;
    s3s_sim *sim = new_sim(NULL);
    struct fan f = {.env = s3s_sim_env(sim), .threads = 1, .n = 3, .fail_at = SIZE_MAX, .depth = 2};
    assert_ok(s3s_sim_add(sim, "w", 0, run_fan, &f, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(f.status, S3STORE_OK);
    assert_int_equal(f.done, 3 + 9 + 27);
    f.done = 0;
    f.depth = 1;
    run_fan(&f); /* outside of any actor: the driver runs the items meanwhile */
    assert_int_equal(f.status, S3STORE_OK);
    assert_int_equal(f.done, 12);
    s3s_sim_free(sim);
}

static void test_fan_out__failure_stops_the_start_of_items(void **state)
{
    (void)state;
    s3store_error err;
    s3s_sim *sim = new_sim(NULL);
    struct fan f = {.env = s3s_sim_env(sim), .threads = 1, .n = 100, .limit = 2, .fail_at = 3};
    assert_ok(s3s_sim_add(sim, "w", 0, run_fan, &f, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(f.status, S3STORE_IO);
    assert_string_equal(f.err.message, "item 3");
    assert_true(f.done >= 3 && f.done <= 5);
    s3s_sim_free(sim);
}

struct task_run {
    struct shared s;
    s3store_status status;
    s3store_error err;
};

static void run_task(void *ctx)
{
    struct task_run *r = ctx;
    s3s_pool *pool;
    s3s_task *task = NULL;
    r->status = s3s_pool_new(r->s.env, 1, &pool, &r->err);
    if (r->status == S3STORE_OK)
        r->status = s3s_task_start(pool, wait_until_ready, &r->s, &task, &r->err);
    if (r->status != S3STORE_OK)
        return;
    make_ready(&r->s);
    s3s_task_join(task);
    r->s.value *= 10;
    s3s_pool_free(pool);
}

static s3store_status run_task_history(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    (void)ctx;
    struct task_run r;
    s3s_sim *sim = new_sim(ex);
    init_shared(&r.s, sim);
    must(s3s_sim_add(sim, "w", 0, run_task, &r, err));
    s3store_status status = s3s_sim_run(sim, err);
    assert_int_equal(r.status, S3STORE_OK);
    assert_int_equal(r.s.value, 10);
    assert_int_equal(s3s_env_live_allocs(r.s.env), 0);
    s3s_sim_free(sim);
    return status;
}

static void test_task__is_joined_in_every_history(void **state)
{
    (void)state;
    s3store_error err;
    uint64_t histories;
    assert_ok(s3s_explore(run_task_history, NULL, 0, &histories, &err));
    assert_true(histories > 1);
}

/* ---- failures of the program under simulation ------------------------------------------------ */

static void lock_for_ever(void *ctx)
{
    struct shared *s = ctx;
    s3s_mutex_lock(&s->mutex);
    s3s_env_point(s->env, S3S_POINT_STORE, "put ref");
    s3s_mutex_lock(&s->mutex);
}

static void test_deadlock__says_who_waits_for_what(void **state)
{
    (void)state;
    s3store_error err;
    struct shared s, other;
    s3s_sim *sim = new_sim(NULL);
    init_shared(&s, sim);
    init_shared(&other, sim);
    assert_ok(s3s_sim_add(sim, "w1", 0, lock_for_ever, &s, &err));
    assert_ok(s3s_sim_add(sim, "w2", 0, wait_until_ready, &other, &err));
    assert_fails(s3s_sim_run(sim, &err), S3STORE_INTERNAL,
                 "w1 waits for a lock held by w1 (last point: put ref)");
    assert_non_null(strstr(err.message, "w2 waits for a condition"));
    assert_fails(s3s_sim_run(sim, &err), S3STORE_INTERNAL, "deadlock"); /* it stays failed */
    s3s_sim_free(sim);
}

static void spin(void *ctx)
{
    for (;;)
        s3s_env_point(ctx, S3S_POINT_STORE, "again");
}

static void test_livelock__ends_at_the_step_limit(void **state)
{
    (void)state;
    s3store_error err;
    s3s_sim_options options = {.max_steps = 1000};
    s3s_sim *sim;
    assert_ok(s3s_sim_new(&options, &sim, &err));
    assert_ok(s3s_sim_add(sim, "w1", 0, spin, s3s_sim_env(sim), &err));
    assert_fails(s3s_sim_run(sim, &err), S3STORE_INTERNAL, "w1 again");
    s3s_sim_free(sim);
}

static void keep_lock(void *ctx)
{
    struct shared *s = ctx;
    s3s_mutex_lock(&s->mutex);
}

static void unlock_only(void *ctx)
{
    struct shared *s = ctx;
    s3s_mutex_unlock(&s->mutex);
}

static void test_locks__left_behind_or_foreign_are_reported(void **state)
{
    (void)state;
    s3store_error err;
    struct shared s;
    s3s_sim *sim = new_sim(NULL);
    init_shared(&s, sim);
    assert_ok(s3s_sim_add(sim, "w1", 0, keep_lock, &s, &err));
    assert_fails(s3s_sim_run(sim, &err), S3STORE_INTERNAL, "w1 ended while it held a lock");
    s3s_sim_free(sim);
    sim = new_sim(NULL);
    init_shared(&s, sim);
    assert_ok(s3s_sim_add(sim, "w2", 0, unlock_only, &s, &err));
    assert_fails(s3s_sim_run(sim, &err), S3STORE_INTERNAL, "w2 unlocks");
    s3s_sim_free(sim);
}

static size_t choose_badly(void *ctx, size_t count, const char *const *names)
{
    (void)ctx;
    (void)names;
    return count;
}

static void test_sim__bad_names_and_choosers_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    char log[16] = "";
    s3s_sim_options options = {.choose = choose_badly};
    s3s_sim *sim;
    assert_ok(s3s_sim_new(&options, &sim, &err));
    char name[200];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_fails(s3s_sim_add(sim, name, 0, walk, NULL, &err), S3STORE_INVALID_ARGUMENT, "199");
    assert_fails(s3s_sim_add(sim, "", 0, walk, NULL, &err), S3STORE_INVALID_ARGUMENT, NULL);
    struct walker w = {s3s_sim_env(sim), 1, log, 'w'};
    assert_ok(s3s_sim_add(sim, "a", 0, walk, &w, &err));
    assert_ok(s3s_sim_add(sim, "b", 0, walk, &w, &err));
    assert_fails(s3s_sim_run(sim, &err), S3STORE_INTERNAL, "chooser");
    s3s_sim_free(sim);
    s3s_sim_free(NULL);
}

/* ---- crash ----------------------------------------------------------------------------------- */

struct crashing {
    s3s_sim *sim;
    struct shared *s;
    s3s_pool *pool;
    int reached;
};

static s3store_status crash_in_item(void *ctx, size_t item, s3store_error *err)
{
    (void)err;
    struct crashing *c = ctx;
    char on_the_stack[512];
    memset(on_the_stack, 'x', sizeof on_the_stack);
    s3s_env_point(s3s_sim_env(c->sim), S3S_POINT_STORE, "work");
    if (item == 1)
        s3s_sim_crash(c->sim);
    s3s_sleep_us(s3s_sim_env(c->sim), 1000000, NULL, NULL);
    c->reached += on_the_stack[100];
    return S3STORE_OK;
}

static void crash_whole_group(void *ctx)
{
    struct crashing *c = ctx;
    s3s_env *env = s3s_sim_env(c->sim);
    c->reached = 1;
    void *lost = s3s_alloc(env, 1000);
    memset(lost, 1, 1000);
    s3s_mutex_lock(&c->s->mutex);
    if (s3s_pool_new(env, 4, &c->pool, NULL) == S3STORE_OK)
        s3s_fan_out(c->pool, 3, crash_in_item, c, NULL, NULL);
    c->reached = 1000;
}

static void lock_later(void *ctx)
{
    struct shared *s = ctx;
    s3s_sleep_us(s->env, 10, NULL, NULL);
    s3s_mutex_lock(&s->mutex);
    s->value = 7;
    s3s_mutex_unlock(&s->mutex);
}

static s3store_status run_crash(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    (void)ctx;
    struct shared s;
    s3s_sim *sim = new_sim(ex);
    init_shared(&s, sim);
    struct crashing c = {.sim = sim, .s = &s};
    must(s3s_sim_add(sim, "w1", 0, crash_whole_group, &c, err));
    must(s3s_sim_add(sim, "w1.helper", 0, wait_until_ready, &s, err));
    must(s3s_sim_add(sim, "w2", 0, lock_later, &s, err));
    s3store_status status = s3s_sim_run(sim, err);
    assert_int_equal(c.reached, 1);
    assert_int_equal(s.value, 7); /* the lock of the dead is free */
    assert_true(s3s_env_live_allocs(s.env) >= 1);
    assert_null(s.cond.waiters);
    s3s_sim_free(sim); /* reclaims what the crash left */
    return status;
}

static void test_crash__ends_the_group_and_nothing_else(void **state)
{
    (void)state;
    s3store_error err;
    uint64_t histories;
    assert_ok(s3s_explore(run_crash, NULL, 0, &histories, &err));
    assert_true(histories > 10);
    s3s_sim *sim = new_sim(NULL);
    s3s_sim_crash(sim);
    assert_fails(s3s_sim_run(sim, &err), S3STORE_INTERNAL, "outside");
    s3s_sim_free(sim);
}

/* ---- determinism ----------------------------------------------------------------------------- */

struct drawer {
    s3s_env *env;
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    char second[S3S_ATTEMPT_ID_SIZE + 1];
    int64_t stamp_us, next_stamp_us;
    uint8_t bytes[11];
};

static void draw(void *ctx)
{
    struct drawer *d = ctx;
    assert_int_equal(s3s_attempt_id(d->env, d->id, NULL), S3STORE_OK);
    assert_int_equal(s3s_attempt_id(d->env, d->second, NULL), S3STORE_OK);
    d->stamp_us = s3s_stamp_us(d->env);
    d->next_stamp_us = s3s_stamp_us(d->env);
    assert_int_equal(s3s_random(d->env, d->bytes, sizeof d->bytes, NULL), S3STORE_OK);
}

static void run_drawers(uint64_t seed, struct drawer *fast, struct drawer *slow)
{
    s3store_error err;
    s3s_sim_options options = {.seed = seed, .start_wall_us = INT64_C(1700000000000000)};
    s3s_sim *sim;
    assert_ok(s3s_sim_new(&options, &sim, &err));
    memset(fast, 0, sizeof *fast);
    memset(slow, 0, sizeof *slow);
    fast->env = slow->env = s3s_sim_env(sim);
    assert_ok(s3s_sim_add(sim, "fast", 5000000, draw, fast, &err));
    assert_ok(s3s_sim_add(sim, "slow", 0, draw, slow, &err));
    assert_ok(s3s_sim_run(sim, &err));
    s3s_sim_free(sim);
    fast->env = slow->env = NULL;
}

static void test_sim__same_seed_same_history(void **state)
{
    (void)state;
    struct drawer fast, slow, fast2, slow2, fast3, slow3;
    run_drawers(7, &fast, &slow);
    run_drawers(7, &fast2, &slow2);
    run_drawers(8, &fast3, &slow3);
    assert_memory_equal(&fast, &fast2, sizeof fast);
    assert_memory_equal(&slow, &slow2, sizeof slow);
    assert_string_not_equal(fast.id, fast3.id);
    assert_memory_not_equal(fast.bytes, slow.bytes, sizeof fast.bytes);
    assert_true(strcmp(fast.id, fast.second) < 0);
    assert_true(s3s_attempt_id_valid(fast.id, 32));
    /* Each process has its own clock and its own order: the slow one is not pulled forward. */
    assert_true(fast.stamp_us == INT64_C(1700000005000000));
    assert_true(fast.next_stamp_us == fast.stamp_us + 1);
    assert_true(slow.stamp_us == INT64_C(1700000000000000));
}

static void leak_one(void *ctx)
{
    s3s_env *env = ctx;
    char *kept = s3s_alloc(env, 10);
    char *grown = s3s_realloc(env, s3s_strdup(env, "abc"), 5000);
    assert_string_equal(grown, "abc");
    s3s_free(env, grown);
    s3s_env_fail_alloc_at(env, 0);
    assert_null(s3s_alloc(env, 1));
    memset(kept, 1, 10);
}

static void test_memory__leaks_are_counted_and_reclaimed(void **state)
{
    (void)state;
    s3store_error err;
    s3s_sim *sim = new_sim(NULL);
    s3s_env *env = s3s_sim_env(sim);
    assert_true(s3s_env_is_simulated(env));
    s3s_env_release(s3s_env_retain(env));
    assert_ok(s3s_sim_add(sim, "w", 0, leak_one, env, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(s3s_env_live_allocs(env), 1);
    s3s_sim_free(sim);
}

/* ---- a machine that stands still ------------------------------------------------------------- */

struct still {
    s3s_env *env;
    int looks;
    int64_t before_us, after_us, other_us;
};

static void stand_still(void *ctx, const char *process)
{
    struct still *s = ctx;
    if (strcmp(process, "a") == 0 && ++s->looks == 2)
        (void)s3s_sleep_us(s->env, 3600 * INT64_C(1000000), NULL, NULL);
}

static void look_twice(void *ctx)
{
    struct still *s = ctx;
    s->before_us = s3s_wall_us(s->env);
    s->after_us = s3s_wall_us(s->env);
}

static void look_once(void *ctx)
{
    struct still *s = ctx;
    s->other_us = s3s_wall_us(s->env);
}

static void test_clock__a_machine_may_stand_still_before_it_looks(void **state)
{
    (void)state;
    s3store_error err;
    struct still s = {0};
    s3s_sim *sim;
    s3s_sim_options options = {.before_clock = stand_still, .before_clock_ctx = &s};
    assert_ok(s3s_sim_new(&options, &sim, &err));
    s.env = s3s_sim_env(sim);
    assert_ok(s3s_sim_add(sim, "a.child", 0, look_twice, &s, &err));
    assert_ok(s3s_sim_add(sim, "b", 0, look_once, &s, &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(s.looks, 2);
    assert_int_equal(s.after_us - s.before_us, 3600 * INT64_C(1000000));
    assert_int_equal(s.other_us, s.before_us);
    s3s_sim_free(sim);
}

static void test_speed__is_printed_for_the_curious(void **state)
{
    (void)state;
    s3store_error err;
    static struct walk_run r;
    struct timespec begin, end;
    uint64_t histories = 0, total = 0;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 20; i++) {
        r = (struct walk_run){.points = 3};
        assert_ok(s3s_explore(run_walk, &r, 0, &histories, &err));
        total += histories;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - begin.tv_sec);
    seconds += (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    print_message("%.0f histories of 8 steps a second\n", (double)total / seconds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explore__two_actors_have_binomially_many_histories),
        cmocka_unit_test(test_explore__limit_says_that_there_are_more),
        cmocka_unit_test(test_explore__failure_names_choices_that_replay_it),
        cmocka_unit_test(test_replay__bad_choices_are_refused),
        cmocka_unit_test(test_mutex__excludes_in_every_history),
        cmocka_unit_test(test_cond__wakes_in_every_history),
        cmocka_unit_test(test_cond__deadline_and_cancellation_in_virtual_time),
        cmocka_unit_test(test_sleep__wakes_in_order_of_virtual_time),
        cmocka_unit_test(test_sleep__cancellation_ends_it_without_time_passing),
        cmocka_unit_test(test_fan_out__items_are_actors_within_the_limit),
        cmocka_unit_test(test_fan_out__nests_in_actors_and_in_the_driver),
        cmocka_unit_test(test_fan_out__failure_stops_the_start_of_items),
        cmocka_unit_test(test_task__is_joined_in_every_history),
        cmocka_unit_test(test_deadlock__says_who_waits_for_what),
        cmocka_unit_test(test_livelock__ends_at_the_step_limit),
        cmocka_unit_test(test_locks__left_behind_or_foreign_are_reported),
        cmocka_unit_test(test_sim__bad_names_and_choosers_are_refused),
        cmocka_unit_test(test_crash__ends_the_group_and_nothing_else),
        cmocka_unit_test(test_sim__same_seed_same_history),
        cmocka_unit_test(test_memory__leaks_are_counted_and_reclaimed),
        cmocka_unit_test(test_clock__a_machine_may_stand_still_before_it_looks),
        cmocka_unit_test(test_speed__is_printed_for_the_curious),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
