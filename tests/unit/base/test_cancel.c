/* Cancellation tokens, and the waits that they end. Real threads. */
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/cancel.h"
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

static void count_call(void *ctx)
{
    atomic_fetch_add((atomic_int *)ctx, 1);
}

static void test_token__calls_each_subscriber_once(void **state)
{
    (void)state;
    s3store_error err;
    s3store_cancel *cancel;
    atomic_int a = 0, b = 0, c = 0;
    s3s_cancel_sub sub_a, sub_b, sub_c;
    assert_ok(s3store_cancel_new(&cancel, &err));
    assert_false(s3store_cancel_is_triggered(cancel));
    s3s_cancel_subscribe(cancel, &sub_a, count_call, &a);
    s3s_cancel_subscribe(cancel, &sub_b, count_call, &b);
    s3s_cancel_unsubscribe(cancel, &sub_a);
    s3store_cancel_trigger(cancel);
    s3store_cancel_trigger(cancel);
    assert_true(s3store_cancel_is_triggered(cancel));
    s3s_cancel_subscribe(cancel, &sub_c, count_call, &c); /* late: at once */
    assert_int_equal(a, 0);
    assert_int_equal(b, 1);
    assert_int_equal(c, 1);
    s3s_cancel_unsubscribe(cancel, &sub_b);
    s3s_cancel_unsubscribe(cancel, &sub_c);
    s3store_cancel_free(cancel);
}

static void test_token__null_is_never_triggered(void **state)
{
    (void)state;
    atomic_int a = 0;
    s3s_cancel_sub sub;
    s3s_cancel_subscribe(NULL, &sub, count_call, &a);
    s3s_cancel_unsubscribe(NULL, &sub);
    s3store_cancel_trigger(NULL);
    s3store_cancel_free(NULL);
    assert_false(s3store_cancel_is_triggered(NULL));
    assert_int_equal(a, 0);
}

static void test_child__follows_its_parent_and_not_the_reverse(void **state)
{
    (void)state;
    s3store_error err;
    s3store_cancel *parent, *child, *grandchild, *late;
    assert_ok(s3s_cancel_new(env, NULL, &parent, &err));
    assert_ok(s3s_cancel_new(env, parent, &child, &err));
    assert_ok(s3s_cancel_new(env, child, &grandchild, &err));
    s3store_cancel_trigger(grandchild);
    assert_false(s3store_cancel_is_triggered(child));
    s3store_cancel_free(grandchild);
    assert_ok(s3s_cancel_new(env, child, &grandchild, &err));
    s3store_cancel_trigger(parent);
    assert_true(s3store_cancel_is_triggered(child));
    assert_true(s3store_cancel_is_triggered(grandchild));
    assert_ok(s3s_cancel_new(env, parent, &late, &err));
    assert_true(s3store_cancel_is_triggered(late));
    s3store_cancel_free(late);
    s3store_cancel_free(grandchild);
    s3store_cancel_free(child);
    s3store_cancel_free(parent);
}

static void test_token__failed_allocation_is_an_error(void **state)
{
    (void)state;
    s3store_error err;
    s3store_cancel *cancel = (s3store_cancel *)&err;
    s3s_env_fail_alloc_at(env, 0);
    assert_fails(s3s_cancel_new(env, NULL, &cancel, &err), S3STORE_OUT_OF_MEMORY, "memory");
    assert_null(cancel);
}

struct waiter {
    s3s_mutex mutex;
    s3s_cond cond;
    s3store_cancel *cancel;
    bool waiting; /* under mutex */
    bool done;    /* under mutex */
    s3store_status status;
};

static void *wait_for_done(void *ctx)
{
    struct waiter *w = ctx;
    s3s_mutex_lock(&w->mutex);
    w->waiting = true;
    s3s_cond_broadcast(&w->cond);
    w->status = S3STORE_OK;
    while (!w->done && w->status == S3STORE_OK)
        w->status = s3s_cond_wait(&w->cond, &w->mutex, S3STORE_TIME_NONE, w->cancel);
    s3s_mutex_unlock(&w->mutex);
    return NULL;
}

static void start_waiter(struct waiter *w, pthread_t *thread)
{
    s3store_error err;
    *w = (struct waiter){.waiting = false};
    assert_ok(s3s_mutex_init(&w->mutex, env, &err));
    assert_ok(s3s_cond_init(&w->cond, env, &err));
    assert_ok(s3store_cancel_new(&w->cancel, &err));
    assert_int_equal(pthread_create(thread, NULL, wait_for_done, w), 0);
    s3s_mutex_lock(&w->mutex);
    while (!w->waiting)
        s3s_cond_wait(&w->cond, &w->mutex, S3STORE_TIME_NONE, NULL);
    s3s_mutex_unlock(&w->mutex);
}

static void end_waiter(struct waiter *w, pthread_t thread)
{
    pthread_join(thread, NULL);
    s3store_cancel_free(w->cancel);
    s3s_cond_deinit(&w->cond);
    s3s_mutex_deinit(&w->mutex);
}

static void test_cond__cancellation_ends_the_wait(void **state)
{
    (void)state;
    struct waiter w;
    pthread_t thread;
    start_waiter(&w, &thread);
    s3store_cancel_trigger(w.cancel);
    end_waiter(&w, thread);
    assert_int_equal(w.status, S3STORE_CANCELLED);
}

static void test_cond__signal_ends_the_wait(void **state)
{
    (void)state;
    struct waiter w;
    pthread_t thread;
    start_waiter(&w, &thread);
    s3s_mutex_lock(&w.mutex);
    w.done = true;
    s3s_cond_signal(&w.cond);
    s3s_mutex_unlock(&w.mutex);
    end_waiter(&w, thread);
    assert_int_equal(w.status, S3STORE_OK);
}

/* A broadcast that falls between two looks at the token has no waiter to wake: the wait must come back by
 * itself, so that its caller looks again. */
static void test_cond__a_cancellable_wait_comes_back_without_a_signal(void **state)
{
    (void)state;
    s3store_error err = {0};
    s3s_mutex m;
    s3s_cond c;
    s3store_cancel *cancel = NULL;
    assert_ok(s3s_mutex_init(&m, env, &err));
    assert_ok(s3s_cond_init(&c, env, &err));
    assert_ok(s3s_cancel_new(env, NULL, &cancel, &err));
    s3s_mutex_lock(&m);
    s3store_status status = s3s_cond_wait(&c, &m, S3STORE_TIME_NONE, cancel);
    s3s_mutex_unlock(&m);
    assert_int_equal(status, S3STORE_OK);
    s3store_cancel_free(cancel);
    s3s_cond_deinit(&c);
    s3s_mutex_deinit(&m);
}

static void test_cond__deadline_ends_the_wait(void **state)
{
    (void)state;
    s3store_error err;
    s3s_mutex m;
    s3s_cond c;
    s3store_cancel *cancel;
    assert_ok(s3s_mutex_init(&m, env, &err));
    assert_ok(s3s_cond_init(&c, env, &err));
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3s_mutex_lock(&m);
    int64_t until = s3s_mono_us(env) + 2000;
    s3store_status status;
    do
        status = s3s_cond_wait(&c, &m, until, NULL);
    while (status == S3STORE_OK);
    assert_int_equal(status, S3STORE_TIMEOUT);
    assert_true(s3s_mono_us(env) >= until);
    until += 60000; /* beyond one look at the token */
    do
        status = s3s_cond_wait(&c, &m, until, cancel);
    while (status == S3STORE_OK);
    assert_int_equal(status, S3STORE_TIMEOUT);
    assert_int_equal(s3s_cond_wait(&c, &m, 0, NULL), S3STORE_TIMEOUT);
    s3store_cancel_trigger(cancel);
    assert_int_equal(s3s_cond_wait(&c, &m, 0, cancel), S3STORE_CANCELLED);
    s3s_mutex_unlock(&m);
    s3store_cancel_free(cancel);
    s3s_cond_deinit(&c);
    s3s_mutex_deinit(&m);
}

static void *trigger_token(void *ctx)
{
    s3store_cancel_trigger(ctx);
    return NULL;
}

static void test_sleep__cancellation_ends_it(void **state)
{
    (void)state;
    s3store_error err;
    for (int i = 0; i < 20; i++) {
        s3store_cancel *cancel;
        pthread_t thread;
        assert_ok(s3store_cancel_new(&cancel, &err));
        assert_int_equal(pthread_create(&thread, NULL, trigger_token, cancel), 0);
        /* Would outlast every patience if it were not ended. */
        assert_fails(s3s_sleep_us(env, INT64_MAX, cancel, &err), S3STORE_CANCELLED, "cancelled");
        pthread_join(thread, NULL);
        assert_fails(s3s_sleep_us(env, 0, cancel, &err), S3STORE_CANCELLED, NULL);
        s3store_cancel_free(cancel);
    }
}

static void test_sleep__sleeps_at_least_that_long(void **state)
{
    (void)state;
    s3store_error err;
    s3store_cancel *cancel;
    assert_ok(s3store_cancel_new(&cancel, &err));
    int64_t begin = s3s_mono_us(env);
    assert_ok(s3s_sleep_us(env, 1500, NULL, &err));
    assert_true(s3s_mono_us(env) - begin >= 1500);
    assert_ok(s3s_sleep_us(env, 1500, cancel, &err));
    assert_true(s3s_mono_us(env) - begin >= 3000);
    assert_ok(s3s_sleep_us(env, -5, NULL, &err));
    s3store_cancel_free(cancel);
}

/* Subscribers come and go while another thread triggers: for the thread sanitizer. */
static void *subscribe_often(void *ctx)
{
    s3store_cancel *cancel = ctx;
    for (int i = 0; i < 1000; i++) {
        atomic_int calls = 0;
        s3s_cancel_sub sub;
        s3s_cancel_subscribe(cancel, &sub, count_call, &calls);
        s3s_cancel_unsubscribe(cancel, &sub);
        int seen = calls; /* none may come any more */
        assert_true(seen <= 1);
    }
    return NULL;
}

static void test_token__unsubscribe_races_with_trigger(void **state)
{
    (void)state;
    s3store_error err;
    s3store_cancel *cancel;
    pthread_t threads[3];
    assert_ok(s3store_cancel_new(&cancel, &err));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, subscribe_often, cancel), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, trigger_token, cancel), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    s3store_cancel_free(cancel);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token__calls_each_subscriber_once),
        TEST(test_token__null_is_never_triggered),
        TEST(test_child__follows_its_parent_and_not_the_reverse),
        TEST(test_token__failed_allocation_is_an_error),
        TEST(test_cond__cancellation_ends_the_wait),
        TEST(test_cond__signal_ends_the_wait),
        TEST(test_cond__a_cancellable_wait_comes_back_without_a_signal),
        TEST(test_cond__deadline_ends_the_wait),
        TEST(test_sleep__cancellation_ends_it),
        TEST(test_sleep__sleeps_at_least_that_long),
        TEST(test_token__unsubscribe_races_with_trigger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
