/* sim_env.c: what the simulated env does: memory that can be reclaimed, virtual clocks, seeded
 * randomness, and waiting as a matter of the driver. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/sim_private.h"

/* ---- memory ---------------------------------------------------------------------------------- */

static void *sim_resize(s3s_env *env, void *p, size_t size)
{
    s3s_sim_block *head = &env->sim->blocks;
    s3s_sim_block *old = p != NULL ? (s3s_sim_block *)p - 1 : NULL;
    size_t total;
    if (!s3s_add(size, sizeof(s3s_sim_block), &total))
        return NULL;
    s3s_sim_block *b = realloc(old, total);
    if (b == NULL)
        return NULL;
    b->size = size;
    if (old == NULL) {
        b->next = head->next;
        b->prev = head;
    }
    b->prev->next = b;
    b->next->prev = b;
    return b + 1;
}

static void sim_release(s3s_env *env, void *p)
{
    (void)env;
    s3s_sim_block *b = (s3s_sim_block *)p - 1;
    b->prev->next = b->next;
    b->next->prev = b->prev;
    free(b);
}

/* ---- clocks, randomness, points -------------------------------------------------------------- */

static int64_t sim_clock_us(s3s_env *env, s3s_clock clock)
{
    const s3s_sim *sim = env->sim;
    if (sim->options.before_clock != NULL && clock != S3S_CLOCK_SERVER &&
        sim->current != &sim->main)
        sim->options.before_clock(sim->options.before_clock_ctx, sim->current->group->name);
    switch (clock) {
    case S3S_CLOCK_WALL:
        return s3s_sim_server_wall_us(sim) + sim->current->wall_offset_us;
    case S3S_CLOCK_SERVER:
        return s3s_sim_server_wall_us(sim);
    default:
        return sim->now_us;
    }
}

/* splitmix64, one stream for each process. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static void sim_random(s3s_env *env, void *out, size_t size)
{
    uint64_t *state = &env->sim->current->group->random_state;
    uint8_t *at = out;
    while (size > 0) {
        uint64_t value = next_random(state);
        size_t n = size < sizeof value ? size : sizeof value;
        memcpy(at, &value, n);
        at += n;
        size -= n;
    }
}

static s3s_sequence *sim_sequence(s3s_env *env)
{
    return &env->sim->current->group->sequence;
}

static void sim_point(s3s_env *env, s3s_point kind, const char *what)
{
    s3s_sim *sim = env->sim;
    s3s_actor *self = sim->current;
    if (self == &sim->main || (kind == S3S_POINT_LOCK && !sim->options.branch_on_locks))
        return;
    snprintf(self->last_point, sizeof self->last_point, "%s", what);
    s3s_actor_block(sim, S3S_ACTOR_READY, what);
}

static int64_t after(int64_t now_us, int64_t duration_us)
{
    int64_t sum;
    return __builtin_add_overflow(now_us, duration_us, &sum) ? INT64_MAX : sum;
}

static s3store_status sim_sleep(s3s_env *env, int64_t duration_us, s3store_cancel *cancel,
                                s3store_error *err)
{
    s3s_sim *sim = env->sim;
    if (!s3store_cancel_is_triggered(cancel)) {
        sim->current->wake_us = after(sim->now_us, duration_us > 0 ? duration_us : 0);
        sim->current->cancel = cancel;
        s3s_actor_block(sim, S3S_ACTOR_SLEEPS, "sleep");
    }
    if (s3store_cancel_is_triggered(cancel))
        return s3s_fail(err, S3STORE_CANCELLED, "cancelled by the caller during a pause");
    return S3STORE_OK;
}

/* ---- mutex and condition --------------------------------------------------------------------- */

static void take_mutex(s3s_sim *sim, s3s_mutex *m)
{
    while (!s3s_sim_mutex_is_free(m)) {
        sim->current->mutex = m;
        s3s_actor_block(sim, S3S_ACTOR_LOCKS, "lock");
        if (sim->failed && sim->current == &sim->main)
            break; /* the driving code itself is in the deadlock that was just reported */
    }
    m->owner = sim->current;
    sim->current->locks_held++;
}

static void sim_lock(s3s_mutex *m)
{
    s3s_env_point(m->env, S3S_POINT_LOCK, "lock");
    take_mutex(m->env->sim, m);
}

static void sim_unlock(s3s_mutex *m)
{
    s3s_sim *sim = m->env->sim;
    s3s_actor *self = sim->current;
    if (m->owner != self) {
        s3s_sim_fail(sim, "%.*s unlocks a mutex that it does not hold", (int)self->name_size,
                     self->label);
        return;
    }
    m->owner = NULL;
    self->locks_held--;
}

static void sim_wake(s3s_cond *c, bool all)
{
    do {
        s3s_actor *a = c->waiters;
        if (a == NULL)
            return;
        c->waiters = a->next_waiter;
        a->next_waiter = NULL;
        a->cond = NULL;
        a->woken = true;
    } while (all);
}

static s3store_status sim_wait(s3s_cond *c, s3s_mutex *m, int64_t deadline_us,
                               s3store_cancel *cancel)
{
    s3s_sim *sim = c->env->sim;
    s3s_actor *self = sim->current;
    if (s3store_cancel_is_triggered(cancel))
        return S3STORE_CANCELLED;
    if (deadline_us != S3STORE_TIME_NONE && sim->now_us >= deadline_us)
        return S3STORE_TIMEOUT;
    sim_unlock(m);
    self->woken = false;
    self->cond = c;
    self->mutex = m;
    self->wake_us = deadline_us;
    self->cancel = cancel;
    void **end = &c->waiters; /* first come, first served */
    while (*end != NULL)
        end = (void **)&((s3s_actor *)*end)->next_waiter;
    *end = self;
    s3s_actor_block(sim, S3S_ACTOR_WAITS, "wait");
    s3s_sim_forget_wait(self);
    take_mutex(sim, m);
    if (self->woken)
        return S3STORE_OK;
    if (s3store_cancel_is_triggered(cancel))
        return S3STORE_CANCELLED;
    return S3STORE_TIMEOUT;
}

/* ---- fan-out and tasks ----------------------------------------------------------------------- */

static bool is_stopped(const s3s_fan *fan, bool keep_going)
{
    return fan->result.stopped || (fan->result.failed && !keep_going);
}

static s3store_status start_item(s3s_sim *sim, s3s_fan *fan, size_t item, s3store_error *err)
{
    s3s_actor *self = sim->current;
    s3s_actor *child;
    char name[S3S_ACTOR_NAME_MAX];
    snprintf(name, sizeof name, "%.*s.%zu", (int)self->name_size, self->label, item);
    s3store_status status = s3s_actor_new(sim, name, self->wall_offset_us, &child, err);
    if (status != S3STORE_OK)
        return status;
    child->item_of = fan;
    child->item = item;
    fan->running++;
    return S3STORE_OK;
}

static void wait_for_items(s3s_sim *sim, s3s_fan *fan, size_t below)
{
    if (fan->running < below)
        return;
    fan->wait_below = below;
    sim->current->fan = fan;
    s3s_actor_block(sim, S3S_ACTOR_FANS, "join items");
}

static s3store_status sim_fan_out(s3s_env *env, size_t n, size_t limit, s3s_item_fn fn, void *ctx,
                                  const s3s_fan_options *options, s3store_error *err)
{
    s3s_sim *sim = env->sim;
    s3s_fan fan = {.fn = fn, .ctx = ctx};
    s3s_fan_result_init(&fan.result);
    for (size_t item = 0; item < n; item++) {
        wait_for_items(sim, &fan, limit);
        if (is_stopped(&fan, options->keep_going))
            break;
        s3store_error failure;
        if (s3s_call_check(env, options->call, &failure) != S3STORE_OK) {
            fan.result.stopped = true;
            fan.result.stop_error = failure;
            break;
        }
        s3store_status status = start_item(sim, &fan, item, &failure);
        if (status != S3STORE_OK) {
            s3s_fan_result_add(&fan.result, item, status, &failure);
            break;
        }
    }
    wait_for_items(sim, &fan, 1);
    return s3s_fan_result_take(&fan.result, err);
}

static s3store_status sim_task_start(s3s_env *env, void (*fn)(void *), void *ctx, void **actor,
                                     s3store_error *err)
{
    s3s_sim *sim = env->sim;
    s3s_actor *self = sim->current;
    s3s_actor *child;
    char name[S3S_ACTOR_NAME_MAX];
    snprintf(name, sizeof name, "%.*s.t%u", (int)self->name_size, self->label,
             self->tasks_started++);
    s3store_status status = s3s_actor_new(sim, name, self->wall_offset_us, &child, err);
    if (status != S3STORE_OK)
        return status;
    child->fn = fn;
    child->ctx = ctx;
    child->joinable = true;
    *actor = child;
    return S3STORE_OK;
}

static void sim_task_join(s3s_env *env, void *actor)
{
    s3s_sim *sim = env->sim;
    s3s_actor *target = actor;
    if (target->state != S3S_ACTOR_ENDED && target->state != S3S_ACTOR_CRASHED) {
        sim->current->joined = target;
        s3s_actor_block(sim, S3S_ACTOR_JOINS, "join task");
    }
    if (target->state == S3S_ACTOR_ENDED)
        s3s_actor_free(target);
}

const s3s_env_ops s3s_sim_env_ops = {
    .resize = sim_resize,
    .release = sim_release,
    .clock_us = sim_clock_us,
    .sleep = sim_sleep,
    .random = sim_random,
    .point = sim_point,
    .sequence = sim_sequence,
    .lock = sim_lock,
    .unlock = sim_unlock,
    .wake = sim_wake,
    .wait = sim_wait,
    .fan_out = sim_fan_out,
    .task_start = sim_task_start,
    .task_join = sim_task_join,
};
