/* fan_out, queues and tasks on real threads (PROTOCOL: fan-out cases 203 to 208). */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/pool.h"
#include "base/sync.h"

static s3s_env *env;

static int set_up(void **state)
{
    (void)state;
    return s3s_env_new_real(&env, NULL) == S3STORE_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    int leaked = s3s_env_live_allocs(env) != 0;
    s3s_env_release(env);
    return leaked ? -1 : 0;
}

static s3s_pool *new_pool(size_t threads)
{
    s3store_error err;
    s3s_pool *pool;
    assert_ok(s3s_pool_new(env, threads, &pool, &err));
    return pool;
}

static s3store_status must_not_run(void *ctx, size_t item, s3store_error *err)
{
    (void)ctx;
    return s3s_fail(err, S3STORE_INTERNAL, "item %zu ran", item);
}

static void test_fan_out__no_items_no_work(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(2);
    assert_ok(s3s_fan_out(pool, 0, must_not_run, NULL, NULL, &err));
    s3s_pool_free(pool);
    s3s_pool_free(NULL);
}

static s3store_status check_thread(void *ctx, size_t item, s3store_error *err)
{
    if (!pthread_equal(*(pthread_t *)ctx, pthread_self()))
        return s3s_fail(err, S3STORE_INTERNAL, "another thread");
    return s3s_fail(err, S3STORE_CORRUPT, "as it is, item %zu", item);
}

static s3store_status fill_error(void *ctx, size_t item, s3store_error *err)
{
    (void)ctx;
    s3s_fail(err, S3STORE_UNCERTAIN, "item %zu", item);
    return err->status = S3STORE_UNAVAILABLE; /* items need not expect NULL */
}

static void test_fan_out__items_have_an_error_also_when_nobody_wants_it(void **state)
{
    (void)state;
    s3s_pool *pool = new_pool(2);
    for (size_t n = 1; n <= 3; n++)
        assert_int_equal(s3s_fan_out(pool, n, fill_error, NULL, NULL, NULL), S3STORE_UNAVAILABLE);
    s3s_pool_free(pool);
}

static void test_fan_out__one_item_runs_in_the_callers_thread(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(2);
    pthread_t self = pthread_self();
    assert_fails(s3s_fan_out(pool, 1, check_thread, &self, NULL, &err), S3STORE_CORRUPT,
                 "as it is, item 0");
    s3s_pool_free(pool);
}

/* Item i waits until item i + 1 has finished, so that they end in reverse. */
struct reverse {
    s3s_mutex mutex;
    s3s_cond cond;
    size_t n;
    size_t finished; /* under mutex */
    int slots[4];
};

static s3store_status finish_in_reverse(void *ctx, size_t item, s3store_error *err)
{
    (void)err;
    struct reverse *r = ctx;
    s3s_mutex_lock(&r->mutex);
    while (r->finished != r->n - 1 - item)
        s3s_cond_wait(&r->cond, &r->mutex, S3STORE_TIME_NONE, NULL);
    r->finished++;
    r->slots[item] = (int)item * 10;
    s3s_cond_broadcast(&r->cond);
    s3s_mutex_unlock(&r->mutex);
    return S3STORE_OK;
}

static void test_fan_out__results_stand_in_their_slots(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(3);
    struct reverse r = {.n = 4};
    assert_ok(s3s_mutex_init(&r.mutex, env, &err));
    assert_ok(s3s_cond_init(&r.cond, env, &err));
    assert_ok(s3s_fan_out(pool, 4, finish_in_reverse, &r, NULL, &err));
    for (int i = 0; i < 4; i++)
        assert_int_equal(r.slots[i], i * 10);
    s3s_cond_deinit(&r.cond);
    s3s_mutex_deinit(&r.mutex);
    s3s_pool_free(pool);
}

static s3store_status fail_first_others_wait(void *ctx, size_t item, s3store_error *err)
{
    s3store_cancel *cancel = ctx;
    if (item > 0)
        return s3s_sleep_us(env, INT64_MAX, cancel, err);
    s3store_cancel_trigger(cancel);
    return s3s_fail_key(err, S3STORE_NOT_FOUND, "k/0", "item 0 failed");
}

static void test_fan_out__first_failure_wins_over_cancellations(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(3);
    s3store_cancel *cancel;
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    s3s_fan_options options = {.call = &call};
    assert_fails(s3s_fan_out(pool, 4, fail_first_others_wait, cancel, &options, &err),
                 S3STORE_NOT_FOUND, "item 0 failed");
    assert_string_equal(err.key, "k/0");
    s3store_cancel_free(cancel);
    s3s_pool_free(pool);
}

static void test_fan_out__cancelled_call_begins_nothing(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(2);
    s3store_cancel *cancel;
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_cancel_trigger(cancel);
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    s3s_fan_options options = {.call = &call, .keep_going = true};
    assert_fails(s3s_fan_out(pool, 5, must_not_run, NULL, &options, &err), S3STORE_CANCELLED,
                 "cancelled");
    assert_fails(s3s_fan_out(pool, 1, must_not_run, NULL, &options, &err), S3STORE_CANCELLED, NULL);
    s3store_call late = {.deadline_us = 1};
    options.call = &late;
    assert_fails(s3s_fan_out(pool, 5, must_not_run, NULL, &options, &err), S3STORE_TIMEOUT, NULL);
    s3store_cancel_free(cancel);
    s3s_pool_free(pool);
}

struct peak {
    s3s_mutex mutex;
    s3s_cond cond;
    size_t limit;
    size_t running, peak, started; /* under mutex */
    bool in_order;
    bool full_once;
};

/* Nobody leaves before the limit was reached once: then the peak is certain, not likely. */
static s3store_status count_peak(void *ctx, size_t item, s3store_error *err)
{
    (void)err;
    struct peak *p = ctx;
    (void)item;
    s3s_mutex_lock(&p->mutex);
    p->started++;
    p->running++;
    if (p->running > p->peak)
        p->peak = p->running;
    if (p->running == p->limit) {
        p->full_once = true;
        s3s_cond_broadcast(&p->cond);
    }
    while (!p->full_once)
        s3s_cond_wait(&p->cond, &p->mutex, S3STORE_TIME_NONE, NULL);
    p->running--;
    s3s_mutex_unlock(&p->mutex);
    return S3STORE_OK;
}

static void run_peak(size_t threads, size_t limit, size_t expected)
{
    s3store_error err;
    s3s_pool *pool = new_pool(threads);
    struct peak p = {.limit = expected};
    s3s_fan_options options = {.limit = limit};
    assert_ok(s3s_mutex_init(&p.mutex, env, &err));
    assert_ok(s3s_cond_init(&p.cond, env, &err));
    assert_ok(s3s_fan_out(pool, 1000, count_peak, &p, &options, &err));
    assert_int_equal(p.started, 1000);
    assert_int_equal(p.peak, expected);
    s3s_cond_deinit(&p.cond);
    s3s_mutex_deinit(&p.mutex);
    s3s_pool_free(pool);
}

static void test_fan_out__limit_is_reached_and_kept(void **state)
{
    (void)state;
    run_peak(8, 4, 4);
    run_peak(3, 0, 4); /* 0: the threads and the caller */
    run_peak(8, 1, 1);
    run_peak(0, 0, 1);
    run_peak(0, 16, 1);
}

static s3store_status record_order(void *ctx, size_t item, s3store_error *err)
{
    (void)err;
    size_t *next = ctx;
    if (*next != item)
        return s3s_fail(err, S3STORE_INTERNAL, "item %zu came as number %zu", item, *next);
    (*next)++;
    return S3STORE_OK;
}

static void test_fan_out__items_begin_in_ascending_order(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(4);
    size_t next = 0;
    s3s_fan_options options = {.limit = 1};
    assert_ok(s3s_fan_out(pool, 100, record_order, &next, &options, &err));
    assert_int_equal(next, 100);
    s3s_pool_free(pool);
}

struct failing {
    atomic_size_t runs;
    size_t from;
    s3store_status status;
};

static s3store_status fail_from(void *ctx, size_t item, s3store_error *err)
{
    struct failing *f = ctx;
    atomic_fetch_add(&f->runs, 1);
    if (item < f->from)
        return S3STORE_OK;
    if (item == f->from + 1)
        return S3STORE_IO; /* without a word */
    return s3s_fail(err, f->status, "item %zu", item);
}

static void test_fan_out__failure_stops_the_beginning_of_items(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(3);
    struct failing f = {.from = 5, .status = S3STORE_CORRUPT};
    s3s_fan_options one = {.limit = 1};
    assert_fails(s3s_fan_out(pool, 100, fail_from, &f, &one, &err), S3STORE_CORRUPT, "item 5");
    assert_int_equal(f.runs, 6);

    f.runs = 0;
    s3s_fan_options all = {.keep_going = true};
    assert_fails(s3s_fan_out(pool, 100, fail_from, &f, &all, &err), S3STORE_CORRUPT, "item 5");
    assert_int_equal(f.runs, 100);

    f.runs = 0;
    f.status = S3STORE_CANCELLED; /* does not count against the silent item 6 */
    assert_fails(s3s_fan_out(pool, 100, fail_from, &f, &all, &err), S3STORE_IO, "item 6");
    f.from = 99;
    assert_fails(s3s_fan_out(pool, 100, fail_from, &f, &all, &err), S3STORE_CANCELLED, "item 99");
    assert_int_equal(s3s_fan_out(pool, 100, fail_from, &f, &all, NULL), S3STORE_CANCELLED);
    s3s_pool_free(pool);
}

struct nest {
    s3s_pool *pool;
    int depth;
    atomic_int *leaves;
};

static s3store_status nest_item(void *ctx, size_t item, s3store_error *err)
{
    (void)item;
    struct nest *n = ctx;
    if (n->depth == 0) {
        atomic_fetch_add(n->leaves, 1);
        return S3STORE_OK;
    }
    struct nest inner = *n;
    inner.depth--;
    return s3s_fan_out(n->pool, 5, nest_item, &inner, NULL, err);
}

static void test_fan_out__nests_with_one_thread(void **state)
{
    (void)state;
    s3store_error err;
    for (size_t threads = 0; threads <= 3; threads++) {
        s3s_pool *pool = new_pool(threads);
        atomic_int leaves = 0;
        struct nest n = {.pool = pool, .depth = 2, .leaves = &leaves};
        for (int i = 0; i < 20; i++)
            assert_ok(s3s_fan_out(pool, 5, nest_item, &n, NULL, &err));
        assert_int_equal(leaves, 20 * 125);
        s3s_pool_free(pool);
    }
}

static void *fan_from_thread(void *ctx)
{
    struct nest *n = ctx;
    for (int i = 0; i < 50; i++) {
        if (s3s_fan_out(n->pool, 5, nest_item, n, NULL, NULL) != S3STORE_OK)
            return ctx;
    }
    return NULL;
}

static void test_fan_out__many_callers_share_a_pool(void **state)
{
    (void)state;
    s3s_pool *pool = new_pool(2);
    atomic_int leaves = 0;
    struct nest n = {.pool = pool, .depth = 1, .leaves = &leaves};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fan_from_thread, &n), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(leaves, 4 * 50 * 25);
    s3s_pool_free(pool);
}

static void test_pool__bad_size_and_failed_allocations(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool;
    assert_fails(s3s_pool_new(env, 1000000, &pool, &err), S3STORE_INVALID_ARGUMENT, "1000000");
    assert_null(pool);
    for (uint64_t n = 0; n < 2; n++) {
        s3s_env_fail_alloc_at(env, n);
        assert_fails(s3s_pool_new(env, 2, &pool, &err), S3STORE_OUT_OF_MEMORY, NULL);
        assert_null(pool);
    }
    pool = new_pool(1);
    s3s_task *task;
    s3s_env_fail_alloc_at(env, 0);
    assert_fails(s3s_task_start(pool, NULL, NULL, &task, &err), S3STORE_OUT_OF_MEMORY, NULL);
    assert_null(task);
    s3s_pool_free(pool);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static s3s_queue *new_queue(s3s_pool *pool, size_t limit, s3s_item_fn fn, void *ctx)
{
    s3store_error err;
    s3s_queue *queue;
    assert_ok(s3s_queue_new(pool, limit, fn, ctx, &queue, &err));
    return queue;
}

struct elsewhere {
    s3s_mutex mutex;
    s3s_cond cond;
    size_t ran;         /* under mutex */
    pthread_t thread;   /* of the last one */
};

static s3store_status run_elsewhere(void *ctx, size_t item, s3store_error *err)
{
    struct elsewhere *e = ctx;
    s3s_mutex_lock(&e->mutex);
    bool in_order = e->ran == item;
    e->ran++;
    e->thread = pthread_self();
    s3s_cond_broadcast(&e->cond);
    s3s_mutex_unlock(&e->mutex);
    return in_order ? S3STORE_OK : s3s_fail(err, S3STORE_INTERNAL, "item %zu is early", item);
}

/* The owner does not attend: it waits for something that is not the queue. */
static void test_queue__items_run_while_their_owner_does_something_else(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(1);
    struct elsewhere e = {.ran = 0};
    assert_ok(s3s_mutex_init(&e.mutex, env, &err));
    assert_ok(s3s_cond_init(&e.cond, env, &err));
    s3s_queue *queue = new_queue(pool, 0, run_elsewhere, &e);
    for (size_t i = 0; i < 50; i++) {
        s3s_queue_push(queue);
        if (i % 3 > 0)
            continue; /* some are pushed together */
        s3s_mutex_lock(&e.mutex);
        while (e.ran < i + 1)
            s3s_cond_wait(&e.cond, &e.mutex, S3STORE_TIME_NONE, NULL);
        assert_false(pthread_equal(e.thread, pthread_self()));
        s3s_mutex_unlock(&e.mutex);
    }
    assert_ok(s3s_queue_catch_up(queue, 0, &err));
    assert_int_equal(e.ran, 50);
    for (size_t i = 0; i < 51; i++)
        assert_int_equal(s3s_queue_has_ended(queue, i), i < 50);
    s3s_queue_free(queue);
    s3s_cond_deinit(&e.cond);
    s3s_mutex_deinit(&e.mutex);
    s3s_pool_free(pool);
}

static void test_queue__without_threads_its_owner_does_the_work(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(0);
    size_t next = 0;
    s3s_queue *queue = new_queue(pool, 0, record_order, &next);
    for (size_t i = 0; i < 10; i++)
        s3s_queue_push(queue);
    assert_int_equal(next, 0);
    assert_false(s3s_queue_has_ended(queue, 0));
    assert_int_equal(s3s_queue_waiting(queue), 10);
    assert_ok(s3s_queue_wait(queue, 3, &err));
    assert_int_equal(next, 4);
    assert_int_equal(s3s_queue_waiting(queue), 6);
    assert_ok(s3s_queue_wait(queue, 1, &err)); /* it has ended already */
    assert_int_equal(next, 4);
    assert_ok(s3s_queue_catch_up(queue, 2, &err));
    assert_int_equal(next, 8);
    assert_true(s3s_queue_has_ended(queue, 7));
    assert_false(s3s_queue_has_ended(queue, 8));
    s3s_queue_free(queue); /* what did not begin never will */
    assert_int_equal(next, 8);
    s3s_queue_free(NULL);
    s3s_pool_free(pool);
}

static void test_queue__after_a_failure_nothing_begins(void **state)
{
    (void)state;
    s3store_error err;
    for (size_t threads = 0; threads < 4; threads++) {
        s3s_pool *pool = new_pool(threads);
        struct failing f = {.from = 5, .status = S3STORE_CORRUPT};
        s3s_queue *queue = new_queue(pool, 0, fail_from, &f);
        for (size_t i = 0; i < 200; i++)
            s3s_queue_push(queue);
        assert_fails(s3s_queue_wait(queue, 100, &err), S3STORE_CORRUPT, "item 5");
        size_t runs = f.runs;
        assert_true(runs >= 6 && runs <= 6 + threads);
        s3s_queue_push(queue);
        assert_fails(s3s_queue_catch_up(queue, 0, &err), S3STORE_CORRUPT, "item 5");
        assert_int_equal(s3s_queue_catch_up(queue, 0, NULL), S3STORE_CORRUPT);
        assert_int_equal(f.runs, runs);
        assert_false(s3s_queue_has_ended(queue, 150));
        s3s_queue_free(queue);
        s3s_pool_free(pool);
    }
}

/* Items of a queue and of fan-outs beside it count together, and an owner who is at neither does, too. */
static void test_queue__limit_is_that_of_its_owner(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(8);
    struct peak p = {.limit = 2};
    assert_ok(s3s_mutex_init(&p.mutex, env, &err));
    assert_ok(s3s_cond_init(&p.cond, env, &err));
    s3s_queue *queue = new_queue(pool, 3, count_peak, &p);
    for (size_t i = 0; i < 100; i++)
        s3s_queue_push(queue);
    s3s_mutex_lock(&p.mutex); /* somewhere else */
    while (!p.full_once)
        s3s_cond_wait(&p.cond, &p.mutex, S3STORE_TIME_NONE, NULL);
    assert_int_equal(p.peak, 2);
    p.limit = 3;
    p.full_once = false;
    s3s_mutex_unlock(&p.mutex);
    s3s_fan_options options = {.limit = 3, .queue = queue};
    assert_ok(s3s_fan_out(pool, 100, count_peak, &p, &options, &err));
    for (size_t i = 0; i < 100; i++)
        s3s_queue_push(queue);
    assert_ok(s3s_queue_catch_up(queue, 0, &err));
    assert_int_equal(p.started, 300);
    assert_int_equal(p.peak, 3);
    s3s_queue_free(queue);
    s3s_cond_deinit(&p.cond);
    s3s_mutex_deinit(&p.mutex);
    s3s_pool_free(pool);
}

struct slow {
    atomic_int begun, ended;
};

static s3store_status take_time(void *ctx, size_t item, s3store_error *err)
{
    struct slow *s = ctx;
    (void)item;
    atomic_fetch_add(&s->begun, 1);
    s3store_status status = s3s_sleep_us(env, 20000, NULL, err);
    atomic_fetch_add(&s->ended, 1);
    return status;
}

static void test_queue__its_end_waits_for_what_runs(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(2);
    struct slow s = {0};
    s3s_queue *queue = new_queue(pool, 0, take_time, &s);
    for (size_t i = 0; i < 20; i++)
        s3s_queue_push(queue);
    while (atomic_load(&s.begun) == 0)
        assert_ok(s3s_sleep_us(env, 100, NULL, &err));
    s3s_queue_free(queue);
    assert_int_equal(s.begun, s.ended);
    assert_true(s.begun < 20);
    for (uint64_t n = 0; n < 2; n++) {
        s3s_env_fail_alloc_at(env, n);
        assert_fails(s3s_queue_new(pool, 0, take_time, &s, &queue, &err), S3STORE_OUT_OF_MEMORY,
                     NULL);
        assert_null(queue);
    }
    s3s_pool_free(pool);
}

struct handshake {
    s3s_mutex mutex;
    s3s_cond cond;
    int arrived; /* under mutex */
    int wanted;
};

static void meet(void *ctx)
{
    struct handshake *h = ctx;
    s3s_mutex_lock(&h->mutex);
    h->arrived++;
    s3s_cond_broadcast(&h->cond);
    while (h->arrived < h->wanted)
        s3s_cond_wait(&h->cond, &h->mutex, S3STORE_TIME_NONE, NULL);
    s3s_mutex_unlock(&h->mutex);
}

static void test_task__each_has_its_own_thread(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(1); /* fewer than tasks that wait for each other */
    s3s_task *tasks[5];
    struct handshake h = {.wanted = 6};
    assert_ok(s3s_mutex_init(&h.mutex, env, &err));
    assert_ok(s3s_cond_init(&h.cond, env, &err));
    for (int i = 0; i < 5; i++)
        assert_ok(s3s_task_start(pool, meet, &h, &tasks[i], &err));
    meet(&h);
    for (int i = 0; i < 5; i++)
        s3s_task_join(tasks[i]);
    s3s_task_join(NULL);
    s3s_cond_deinit(&h.cond);
    s3s_mutex_deinit(&h.mutex);
    s3s_pool_free(pool);
}

static void read_mask(void *ctx)
{
    pthread_sigmask(SIG_SETMASK, NULL, ctx);
}

static void test_task__signals_stay_with_the_host(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(1);
    s3s_task *task;
    sigset_t mask, own;
    sigemptyset(&mask);
    assert_ok(s3s_task_start(pool, read_mask, &mask, &task, &err));
    s3s_task_join(task);
    assert_int_equal(sigismember(&mask, SIGINT), 1);
    assert_int_equal(sigismember(&mask, SIGTERM), 1);
    assert_int_equal(sigismember(&mask, SIGSEGV), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &own);
    assert_int_equal(sigismember(&own, SIGINT), 0); /* the caller's is as it was */
    s3s_pool_free(pool);
}

static s3store_status allocate_and_free(void *ctx, size_t item, s3store_error *err)
{
    (void)ctx;
    void *p = s3s_alloc(env, item + 1);
    if (p == NULL)
        return s3s_fail_memory(err, item + 1);
    s3s_free(env, p);
    return S3STORE_OK;
}

static void test_fail_alloc__counts_across_threads(void **state)
{
    (void)state;
    s3store_error err;
    s3s_pool *pool = new_pool(3);
    for (uint64_t n = 0; n < 50; n++) {
        s3s_env_fail_alloc_at(env, n);
        assert_fails(s3s_fan_out(pool, 50, allocate_and_free, NULL, NULL, &err),
                     S3STORE_OUT_OF_MEMORY, "memory");
    }
    assert_ok(s3s_fan_out(pool, 50, allocate_and_free, NULL, NULL, &err));
    s3s_pool_free(pool);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fan_out__no_items_no_work),
        TEST(test_fan_out__items_have_an_error_also_when_nobody_wants_it),
        TEST(test_fan_out__one_item_runs_in_the_callers_thread),
        TEST(test_fan_out__results_stand_in_their_slots),
        TEST(test_fan_out__first_failure_wins_over_cancellations),
        TEST(test_fan_out__cancelled_call_begins_nothing),
        TEST(test_fan_out__limit_is_reached_and_kept),
        TEST(test_fan_out__items_begin_in_ascending_order),
        TEST(test_fan_out__failure_stops_the_beginning_of_items),
        TEST(test_fan_out__nests_with_one_thread),
        TEST(test_fan_out__many_callers_share_a_pool),
        TEST(test_pool__bad_size_and_failed_allocations),
        TEST(test_queue__items_run_while_their_owner_does_something_else),
        TEST(test_queue__without_threads_its_owner_does_the_work),
        TEST(test_queue__after_a_failure_nothing_begins),
        TEST(test_queue__limit_is_that_of_its_owner),
        TEST(test_queue__its_end_waits_for_what_runs),
        TEST(test_task__each_has_its_own_thread),
        TEST(test_task__signals_stay_with_the_host),
        TEST(test_fail_alloc__counts_across_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
