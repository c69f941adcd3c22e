/* pool.c: fan_out, queues and tasks on threads.
 *
 * A fan-out is a job on its caller's stack. Everybody who works on it claims the next item under
 * the pool's mutex, so items begin in ascending order, and the caller claims like anyone else:
 * whatever the pool's threads do, a job ends, and nesting cannot deadlock. Threads take the newest
 * job first: inner work before more outer work. A queue is a job that outlives the call and grows.
 */
#include "base/pool.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/env_private.h"
#include "base/error.h"

typedef struct job {
    s3s_env *env;
    s3s_item_fn fn;
    void *ctx;
    size_t limit; /* items at once, of this job and that beside it, the owner's included */
    bool keep_going;
    const s3store_call *call;
    pthread_cond_t changed; /* an item ended */
    struct {
        size_t n;
        size_t next;
        size_t running;
        size_t *items;      /* those that run; NULL = nobody asks */
        bool attended;      /* its owner works on it, or waits for it */
        bool queued;
        struct job *beside; /* of the same owner: a queue, and the fan-out that it is in */
        struct job *newer, *older;
        s3s_fan_result result;
    } locked; /* by the pool's mutex */
} job;

struct s3s_queue {
    s3s_pool *pool;
    job job;
};

struct s3s_pool {
    s3s_env *env;
    size_t max_threads;
    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct {
        job *newest;
        pthread_t *threads; /* max_threads slots */
        size_t started;
        size_t idle;   /* threads that wait for work */
        size_t waking; /* of those: signalled, not yet awake */
        bool stopping;
    } locked;
};

/* ---- results --------------------------------------------------------------------------------- */

void s3s_fan_result_init(s3s_fan_result *r)
{
    memset(r, 0, sizeof *r);
}

void s3s_fan_result_add(s3s_fan_result *r, size_t item, s3store_status status,
                        const s3store_error *err)
{
    if (status == S3STORE_OK)
        return;
    bool real = status != S3STORE_CANCELLED;
    bool better = !r->failed || (real && !r->has_real) || (real == r->has_real && item < r->lowest);
    r->failed = true;
    if (!better)
        return;
    r->has_real = real;
    r->lowest = item;
    r->error = *err;
    if (err->status != status) /* the item said what, but not why */
        s3s_fail(&r->error, status, "item %zu failed: %s", item, s3store_status_text(status));
}

s3store_status s3s_fan_result_take(const s3s_fan_result *r, s3store_error *err)
{
    const s3store_error *chosen;
    if (r->failed && r->has_real)
        chosen = &r->error;
    else if (r->stopped)
        chosen = &r->stop_error;
    else if (r->failed)
        chosen = &r->error;
    else
        return S3STORE_OK;
    if (err != NULL)
        *err = *chosen;
    return chosen->status;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void enqueue_locked(s3s_pool *pool, job *j)
{
    if (j->locked.queued)
        return;
    j->locked.newer = NULL;
    j->locked.older = pool->locked.newest;
    if (j->locked.older != NULL)
        j->locked.older->locked.newer = j;
    pool->locked.newest = j;
    j->locked.queued = true;
}

static void dequeue_locked(s3s_pool *pool, job *j)
{
    if (!j->locked.queued)
        return;
    if (j->locked.newer != NULL)
        j->locked.newer->locked.older = j->locked.older;
    else
        pool->locked.newest = j->locked.older;
    if (j->locked.older != NULL)
        j->locked.older->locked.newer = j->locked.newer;
    j->locked.queued = false;
}

static bool is_stopped_locked(const job *j)
{
    const s3s_fan_result *r = &j->locked.result;
    return r->stopped || (r->failed && !j->keep_going);
}

static bool has_unclaimed_locked(const job *j)
{
    return j->locked.next < j->locked.n && !is_stopped_locked(j);
}

/* An owner who is at neither of two jobs does something else: that is one of the threads, too. */
static bool has_room_locked(const job *j)
{
    const job *b = j->locked.beside;
    bool attended = j->locked.attended || b != NULL;
    return j->locked.running + (b != NULL ? b->locked.running : 0) + !attended < j->limit;
}

/* Takes the next item of a job that has one and room below its limit. */
static bool claim_locked(s3s_pool *pool, job *j, size_t *item)
{
    if (!has_unclaimed_locked(j) || !has_room_locked(j))
        return false;
    s3store_error stop;
    if (s3s_call_check(j->env, j->call, &stop) != S3STORE_OK) {
        j->locked.result.stopped = true;
        j->locked.result.stop_error = stop;
        dequeue_locked(pool, j);
        pthread_cond_signal(&j->changed);
        return false;
    }
    *item = j->locked.next++;
    if (j->locked.items != NULL)
        j->locked.items[j->locked.running] = *item;
    j->locked.running++;
    if (j->locked.next == j->locked.n)
        dequeue_locked(pool, j);
    return true;
}

/* The last of those that run takes the place of one that ended. */
static void forget_locked(job *j, size_t item)
{
    for (size_t i = 0; i < j->locked.running; i++)
        if (j->locked.items[i] == item)
            j->locked.items[i] = j->locked.items[j->locked.running];
}

static void run_item_unlocked(s3s_pool *pool, job *j, size_t item)
{
    s3store_error err;
    s3s_error_clear(&err);
    pthread_mutex_unlock(&pool->mutex);
    s3store_status status = j->fn(j->ctx, item, &err);
    pthread_mutex_lock(&pool->mutex);
    s3s_fan_result_add(&j->locked.result, item, status, &err);
    j->locked.running--;
    if (j->locked.items != NULL)
        forget_locked(j, item);
    if (is_stopped_locked(j))
        dequeue_locked(pool, j);
    pthread_cond_signal(&j->changed); /* the caller is the only one who waits for it */
}

static bool claim_any_locked(s3s_pool *pool, job **j, size_t *item)
{
    for (job *at = pool->locked.newest; at != NULL;) {
        job *older = at->locked.older;
        if (claim_locked(pool, at, item)) {
            *j = at;
            return true;
        }
        at = older;
    }
    return false;
}

static void *run_thread(void *ctx)
{
    s3s_pool *pool = ctx;
    pthread_mutex_lock(&pool->mutex);
    while (!pool->locked.stopping) {
        job *j;
        size_t item;
        if (claim_any_locked(pool, &j, &item)) {
            run_item_unlocked(pool, j, item);
        } else {
            pool->locked.idle++;
            pthread_cond_wait(&pool->work, &pool->mutex);
            pool->locked.idle--;
            pool->locked.waking -= pool->locked.waking > 0 ? 1 : 0;
        }
    }
    pthread_mutex_unlock(&pool->mutex);
    return NULL;
}

/* Signals go to the host's own threads; those that report a fault of this thread stay open. */
static int start_thread(pthread_t *thread, void *(*fn)(void *), void *ctx)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int failed = pthread_create(thread, NULL, fn, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed == 0)
        pthread_setname_np(*thread, "s3store");
    return failed;
}

/* Wakes or starts up to `wanted` threads. A thread that cannot be started is not missed: the caller
 * does the work. */
static void call_helpers_locked(s3s_pool *pool, size_t wanted)
{
    size_t asleep = pool->locked.idle - pool->locked.waking;
    size_t woken = wanted < asleep ? wanted : asleep;
    pool->locked.waking += woken;
    for (size_t i = 0; i < woken; i++)
        pthread_cond_signal(&pool->work);
    for (size_t i = woken; i < wanted && pool->locked.started < pool->max_threads; i++) {
        if (start_thread(&pool->locked.threads[pool->locked.started], run_thread, pool) != 0)
            return;
        pool->locked.started++;
    }
}

static void sit_beside_locked(job *a, job *b)
{
    a->locked.beside = b;
    b->locked.beside = a;
}

/* There may be room again for what waits in the queue. */
static void leave_locked(s3s_pool *pool, job *j)
{
    job *queue = j->locked.beside;
    if (queue == NULL)
        return;
    queue->locked.beside = NULL;
    if (has_unclaimed_locked(queue))
        call_helpers_locked(pool, queue->locked.n - queue->locked.next);
}

static s3store_status run_job(s3s_pool *pool, job *j, s3s_queue *queue, s3store_error *err)
{
    size_t n = j->locked.n, helpers = (j->limit < n ? j->limit : n) - 1;
    pthread_mutex_lock(&pool->mutex);
    if (queue != NULL)
        sit_beside_locked(j, &queue->job);
    if (helpers > 0) {
        enqueue_locked(pool, j);
        call_helpers_locked(pool, helpers);
    }
    while (has_unclaimed_locked(j) || j->locked.running > 0) {
        size_t item;
        if (claim_locked(pool, j, &item))
            run_item_unlocked(pool, j, item);
        else if (has_unclaimed_locked(j) || j->locked.running > 0)
            pthread_cond_wait(&j->changed, &pool->mutex);
    }
    dequeue_locked(pool, j);
    leave_locked(pool, j);
    pthread_mutex_unlock(&pool->mutex);
    return s3s_fan_result_take(&j->locked.result, err);
}

static s3store_status run_single(s3s_pool *pool, s3s_item_fn fn, void *ctx,
                                 const s3store_call *call, s3store_error *err)
{
    s3store_error own = {0}; /* an item always has an error to fill in */
    if (err == NULL)
        err = &own;
    s3store_status status = s3s_call_check(pool->env, call, err);
    return status != S3STORE_OK ? status : fn(ctx, 0, err);
}

s3store_status s3s_fan_out(s3s_pool *pool, size_t n, s3s_item_fn fn, void *ctx,
                           const s3s_fan_options *options, s3store_error *err)
{
    static const s3s_fan_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    if (n == 0)
        return S3STORE_OK;
    size_t limit = options->limit != 0 ? options->limit : pool->max_threads + 1;
    const s3s_observer *observer = &pool->env->observer;
    if (observer->fan_out != NULL)
        observer->fan_out(observer->metrics, n, n < limit ? n : limit);
    if (n == 1)
        return run_single(pool, fn, ctx, options->call, err);
    if (s3s_env_is_simulated(pool->env))
        return pool->env->ops->fan_out(pool->env, n, limit, fn, ctx, options, err);

    job j = {
        .env = pool->env,
        .fn = fn,
        .ctx = ctx,
        .limit = limit,
        .keep_going = options->keep_going,
        .call = options->call,
        .locked = {.n = n, .attended = true},
    };
    int failed = pthread_cond_init(&j.changed, NULL);
    if (failed != 0)
        return s3s_fail_errno(err, failed, "create a condition", NULL);
    s3store_status status = run_job(pool, &j, options->queue, err);
    pthread_cond_destroy(&j.changed);
    return status;
}

/* ---- queues ---------------------------------------------------------------------------------- */

s3store_status s3s_queue_new(s3s_pool *pool, size_t limit, s3s_item_fn fn, void *ctx,
                             s3s_queue **out, s3store_error *err)
{
    *out = NULL;
    limit = limit != 0 && limit <= pool->max_threads ? limit : pool->max_threads + 1;
    s3s_queue *q = s3s_calloc(pool->env, 1, sizeof *q);
    size_t *items = s3s_calloc(pool->env, limit, sizeof *items);
    if (q == NULL || items == NULL) {
        s3s_free(pool->env, q);
        s3s_free(pool->env, items);
        return s3s_fail_memory(err, limit * sizeof *items);
    }
    q->pool = pool;
    q->job = (job){.env = pool->env, .fn = fn, .ctx = ctx, .limit = limit,
                   .locked = {.items = items}};
    int failed = pthread_cond_init(&q->job.changed, NULL);
    if (failed != 0) {
        s3s_free(pool->env, q);
        s3s_free(pool->env, items);
        return s3s_fail_errno(err, failed, "create a condition", NULL);
    }
    *out = q;
    return S3STORE_OK;
}

void s3s_queue_push(s3s_queue *q)
{
    job *j = &q->job;
    pthread_mutex_lock(&q->pool->mutex);
    j->locked.n++;
    if (!is_stopped_locked(j) && j->limit > 1) {
        enqueue_locked(q->pool, j);
        call_helpers_locked(q->pool, 1);
    }
    pthread_mutex_unlock(&q->pool->mutex);
}

static bool has_ended_locked(const job *j, size_t item)
{
    bool ended = item < j->locked.next;
    for (size_t i = 0; i < j->locked.running && ended; i++)
        ended = j->locked.items[i] != item;
    return ended;
}

static size_t count_left_locked(const job *j)
{
    return j->locked.n - j->locked.next + j->locked.running;
}

/* Until the item has ended, or with `item` SIZE_MAX, until at most so many are left. */
static s3store_status attend(s3s_queue *q, size_t item, size_t most, s3store_error *err)
{
    job *j = &q->job;
    pthread_mutex_lock(&q->pool->mutex);
    j->locked.attended = true;
    /* After a failure those that run are waited for: one of them may have come before it. */
    while (is_stopped_locked(j) ? j->locked.running > 0
           : item != SIZE_MAX   ? !has_ended_locked(j, item)
                                : count_left_locked(j) > most) {
        size_t claimed;
        if (claim_locked(q->pool, j, &claimed))
            run_item_unlocked(q->pool, j, claimed);
        else
            pthread_cond_wait(&j->changed, &q->pool->mutex);
    }
    j->locked.attended = false;
    s3store_status status = s3s_fan_result_take(&j->locked.result, err);
    pthread_mutex_unlock(&q->pool->mutex);
    return status;
}

s3store_status s3s_queue_wait(s3s_queue *q, size_t item, s3store_error *err)
{
    return attend(q, item, 0, err);
}

s3store_status s3s_queue_catch_up(s3s_queue *q, size_t most, s3store_error *err)
{
    return attend(q, SIZE_MAX, most, err);
}

bool s3s_queue_has_ended(s3s_queue *q, size_t item)
{
    pthread_mutex_lock(&q->pool->mutex);
    bool ended = has_ended_locked(&q->job, item);
    pthread_mutex_unlock(&q->pool->mutex);
    return ended;
}

size_t s3s_queue_waiting(s3s_queue *q)
{
    pthread_mutex_lock(&q->pool->mutex);
    size_t waiting = q->job.locked.n - q->job.locked.next;
    pthread_mutex_unlock(&q->pool->mutex);
    return waiting;
}

void s3s_queue_free(s3s_queue *q)
{
    if (q == NULL)
        return;
    job *j = &q->job;
    pthread_mutex_lock(&q->pool->mutex);
    j->locked.n = j->locked.next;
    dequeue_locked(q->pool, j);
    while (j->locked.running > 0)
        pthread_cond_wait(&j->changed, &q->pool->mutex);
    pthread_mutex_unlock(&q->pool->mutex);
    pthread_cond_destroy(&j->changed);
    s3s_free(q->pool->env, j->locked.items);
    s3s_free(q->pool->env, q);
}

/* ---- the pool -------------------------------------------------------------------------------- */

s3store_status s3s_pool_new(s3s_env *env, size_t max_threads, s3s_pool **out, s3store_error *err)
{
    *out = NULL;
    if (max_threads > 4096)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a pool of %zu threads is too large (4096)",
                        max_threads);
    s3s_pool *pool = s3s_calloc(env, 1, sizeof *pool);
    if (pool == NULL)
        return s3s_fail_memory(err, sizeof *pool);
    pool->env = env;
    pool->max_threads = max_threads;
    pool->locked.threads = s3s_calloc(env, max_threads, sizeof *pool->locked.threads);
    if (pool->locked.threads == NULL) {
        s3s_free(env, pool);
        return s3s_fail_memory(err, max_threads * sizeof *pool->locked.threads);
    }
    int failed = pthread_mutex_init(&pool->mutex, NULL);
    if (failed == 0) {
        failed = pthread_cond_init(&pool->work, NULL);
        if (failed != 0)
            pthread_mutex_destroy(&pool->mutex);
    }
    if (failed != 0) {
        s3s_free(env, pool->locked.threads);
        s3s_free(env, pool);
        return s3s_fail_errno(err, failed, "create a thread pool", NULL);
    }
    *out = pool;
    return S3STORE_OK;
}

void s3s_pool_free(s3s_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->locked.stopping = true;
    pthread_cond_broadcast(&pool->work);
    size_t started = pool->locked.started;
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < started; i++)
        pthread_join(pool->locked.threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->mutex);
    s3s_free(pool->env, pool->locked.threads);
    s3s_free(pool->env, pool);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

/* A task has its own thread: it may block for as long as it likes, and fan-outs keep theirs. */
struct s3s_task {
    s3s_env *env;
    pthread_t thread;
    void *actor; /* simulated */
    void (*fn)(void *ctx);
    void *ctx;
};

static void *run_task(void *ctx)
{
    s3s_task *task = ctx;
    task->fn(task->ctx);
    return NULL;
}

s3store_status s3s_task_start(s3s_pool *pool, void (*fn)(void *ctx), void *ctx, s3s_task **out,
                              s3store_error *err)
{
    *out = NULL;
    s3s_task *task = s3s_calloc(pool->env, 1, sizeof *task);
    if (task == NULL)
        return s3s_fail_memory(err, sizeof *task);
    task->env = pool->env;
    task->fn = fn;
    task->ctx = ctx;
    s3store_status status = S3STORE_OK;
    if (s3s_env_is_simulated(pool->env)) {
        status = pool->env->ops->task_start(pool->env, fn, ctx, &task->actor, err);
    } else {
        int failed = start_thread(&task->thread, run_task, task);
        if (failed != 0)
            status = s3s_fail_errno(err, failed, "start a thread", NULL);
    }
    if (status != S3STORE_OK) {
        s3s_free(pool->env, task);
        return status;
    }
    *out = task;
    return S3STORE_OK;
}

void s3s_task_join(s3s_task *task)
{
    if (task == NULL)
        return;
    if (s3s_env_is_simulated(task->env))
        task->env->ops->task_join(task->env, task->actor);
    else
        pthread_join(task->thread, NULL);
    s3s_free(task->env, task);
}
