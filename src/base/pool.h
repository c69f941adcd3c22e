/* base/pool.h: the one primitive of parallelism, fan_out; queues of work on the same threads, and
 * background tasks.
 *
 * In the real env a pool starts threads on demand up to its limit and keeps them. In the simulated
 * env items and tasks are actors.
 */
#ifndef S3S_BASE_POOL_H
#define S3S_BASE_POOL_H

#include "base/env.h"

typedef struct s3s_pool s3s_pool;

/* max_threads: of the pool itself; callers of fan_out help in addition. */
s3store_status s3s_pool_new(s3s_env *env, size_t max_threads, s3s_pool **out, s3store_error *err);
/* Joins its threads; no call may be in progress. NULL allowed. */
void s3s_pool_free(s3s_pool *pool);

/* One item. err is the item's own. */
typedef s3store_status (*s3s_item_fn)(void *ctx, size_t item, s3store_error *err);

typedef struct s3s_queue s3s_queue;

typedef struct s3s_fan_options {
    size_t limit;       /* items at once, the caller included; 0 = max_threads + 1 */
    bool keep_going;    /* run every item whatever fails; else no item begins after a failure */
    const s3store_call *call; /* checked before each item begins; NULL = no limits */
    s3s_queue *queue;   /* of the caller: its items count for the limit, too; NULL = none */
} s3s_fan_options;

/* Runs fn for 0..n-1 in ascending order of starting; returns when all begun items ended. May nest:
 * the caller always works on its own items. n == 1 runs in the caller's thread.
 *
 * Returns OK when every item returned OK. Else the status and error of the lowest item that failed
 * with something other than CANCELLED; else the reason of call (CANCELLED or TIMEOUT).
 * Items that never began: s3s_fan_out tells nobody; callers preset their slots. options may be NULL. */
s3store_status s3s_fan_out(s3s_pool *pool, size_t n, s3s_item_fn fn, void *ctx,
                           const s3s_fan_options *options, s3store_error *err);

/* A queue: items that threads of the pool run while its owner does something else; newer fan-outs
 * come first. They begin in the order in which they are pushed, none after a failure. One thread at
 * a time may use a queue, and it ends before its pool. Not in the simulated env.
 *
 * limit: threads at once, the owner's included, whatever it does; 0 = max_threads + 1. */
s3store_status s3s_queue_new(s3s_pool *pool, size_t limit, s3s_item_fn fn, void *ctx,
                             s3s_queue **out, s3store_error *err);
/* One more item: fn is called with 0, 1, 2... Whatever the owner wrote before is seen there. */
void s3s_queue_push(s3s_queue *queue);
/* These return when an item has ended, and when at most so many have not; the caller works on
 * whatever waits meanwhile. After a failure: the status and error of the first item that failed;
 * then no item runs any more. */
s3store_status s3s_queue_wait(s3s_queue *queue, size_t item, s3store_error *err);
s3store_status s3s_queue_catch_up(s3s_queue *queue, size_t most, s3store_error *err);
/* What it wrote is seen then. */
bool s3s_queue_has_ended(s3s_queue *queue, size_t item);
/* How many have not begun. */
size_t s3s_queue_waiting(s3s_queue *queue);
/* Items that did not begin never will; waits for those that run. NULL allowed. */
void s3s_queue_free(s3s_queue *queue);

/* A background task, for pipelines. join waits for its end and frees it. */
typedef struct s3s_task s3s_task;
s3store_status s3s_task_start(s3s_pool *pool, void (*fn)(void *ctx), void *ctx, s3s_task **out,
                              s3store_error *err);
void s3s_task_join(s3s_task *task); /* NULL allowed */

#endif
