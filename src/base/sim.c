/* sim.c: actors and the driver that runs them one at a time. */
#include "base/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/sim_private.h"

#define DEFAULT_MAX_STEPS 10000000

void s3s_sim_fail(s3s_sim *sim, const char *format, ...)
{
    if (sim->failed)
        return;
    va_list args;
    va_start(args, format);
    s3s_vfail(&sim->failure, S3STORE_INTERNAL, format, args);
    va_end(args);
    sim->failed = true;
}

/* ---- actors ---------------------------------------------------------------------------------- */

static uint64_t hash_name(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
    return h;
}

static s3s_group *find_group(s3s_sim *sim, const char *actor_name, s3store_error *err)
{
    size_t size = strcspn(actor_name, ".");
    for (s3s_group *g = sim->groups; g != NULL; g = g->next) {
        if (strlen(g->name) == size && memcmp(g->name, actor_name, size) == 0)
            return g;
    }
    s3s_group *g = calloc(1, sizeof *g);
    if (g == NULL) {
        s3s_fail_memory(err, sizeof *g);
        return NULL;
    }
    memcpy(g->name, actor_name, size);
    g->sequence.last_stamp_us = S3STORE_TIME_NONE;
    g->random_state = sim->options.seed ^ hash_name(g->name);
    g->next = sim->groups;
    sim->groups = g;
    return g;
}

static void set_label(s3s_actor *a, const char *what)
{
    size_t room = sizeof a->label - a->name_size - 2;
    size_t size = strnlen(what, room);
    a->label[a->name_size] = ' ';
    memcpy(a->label + a->name_size + 1, what, size);
    a->label[a->name_size + 1 + size] = '\0';
}

static void set_name(s3s_actor *a, const char *name)
{
    a->name_size = strnlen(name, S3S_ACTOR_NAME_MAX - 1);
    memcpy(a->label, name, a->name_size);
    set_label(a, "start");
}

static void run_actor(void *ctx)
{
    s3s_actor *a = ctx;
    s3s_sim *sim = a->sim;
    if (a->item_of != NULL) {
        s3store_error err;
        s3s_error_clear(&err);
        s3s_fan *fan = a->item_of;
        s3store_status status = fan->fn(fan->ctx, a->item, &err);
        s3s_fan_result_add(&fan->result, a->item, status, &err);
        fan->running--;
    } else {
        a->fn(a->ctx);
    }
    a->state = S3S_ACTOR_ENDED;
    s3s_fiber_leave(&a->fiber, &sim->main.fiber);
}

static bool reserve_runnable(s3s_sim *sim, size_t count)
{
    if (count <= sim->runnable_capacity)
        return true;
    size_t capacity = count * 2 + 8;
    s3s_actor **runnable = realloc(sim->runnable, capacity * sizeof(s3s_actor *));
    if (runnable != NULL)
        sim->runnable = runnable;
    const char **names = realloc(sim->names, capacity * sizeof(const char *));
    if (names != NULL)
        sim->names = names;
    if (runnable == NULL || names == NULL)
        return false;
    sim->runnable_capacity = capacity;
    return true;
}

s3store_status s3s_actor_new(s3s_sim *sim, const char *name, int64_t wall_offset_us,
                             s3s_actor **out, s3store_error *err)
{
    *out = NULL;
    s3s_group *group = find_group(sim, name, err);
    if (group == NULL)
        return S3STORE_OUT_OF_MEMORY;
    s3s_actor *a = calloc(1, sizeof *a);
    if (a == NULL || !reserve_runnable(sim, sim->live + 1) ||
        !s3s_fiber_init(&a->fiber, run_actor, a)) {
        free(a);
        return s3s_fail_memory(err, sizeof *a + S3S_FIBER_STACK_SIZE);
    }
    a->sim = sim;
    a->group = group;
    a->wall_offset_us = wall_offset_us;
    a->wake_us = S3STORE_TIME_NONE;
    set_name(a, name);
    a->prev = sim->last;
    if (sim->last != NULL)
        sim->last->next = a;
    else
        sim->first = a;
    sim->last = a;
    sim->live++;
    *out = a;
    return S3STORE_OK;
}

static void unlink_actor(s3s_actor *a)
{
    s3s_sim *sim = a->sim;
    if (a->prev != NULL)
        a->prev->next = a->next;
    else
        sim->first = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    else
        sim->last = a->prev;
    a->prev = a->next = NULL;
}

void s3s_actor_free(s3s_actor *a)
{
    unlink_actor(a);
    s3s_fiber_deinit(&a->fiber);
    free(a);
}

/* After an actor gave control back for good. */
static void reap(s3s_actor *a)
{
    s3s_sim *sim = a->sim;
    if (a->locks_held > 0)
        s3s_sim_fail(sim, "%.*s ended while it held a lock", (int)a->name_size, a->label);
    sim->live--;
    if (a->joinable)
        s3s_fiber_deinit(&a->fiber);
    else
        s3s_actor_free(a);
}

void s3s_sim_forget_wait(s3s_actor *a)
{
    if (a->cond == NULL)
        return;
    s3s_actor *before = NULL;
    for (s3s_actor *w = a->cond->waiters; w != NULL; before = w, w = w->next_waiter) {
        if (w != a)
            continue;
        if (before != NULL)
            before->next_waiter = a->next_waiter;
        else
            a->cond->waiters = a->next_waiter;
        break;
    }
    a->next_waiter = NULL;
    a->cond = NULL;
}

static void bury(s3s_actor *a)
{
    s3s_sim *sim = a->sim;
    bool live = a->state != S3S_ACTOR_ENDED;
    s3s_sim_forget_wait(a);
    unlink_actor(a);
    a->state = S3S_ACTOR_CRASHED;
    a->next = sim->buried;
    sim->buried = a;
    sim->live -= live ? 1 : 0;
}

void s3s_sim_crash(s3s_sim *sim)
{
    s3s_actor *self = sim->current;
    if (self == &sim->main) {
        s3s_sim_fail(sim, "a crash was asked for outside of an actor");
        return;
    }
    for (s3s_actor *a = sim->first; a != NULL;) {
        s3s_actor *next = a->next;
        if (a->group == self->group)
            bury(a);
        a = next;
    }
    s3s_fiber_leave(&self->fiber, &sim->main.fiber);
}

/* ---- who can run ----------------------------------------------------------------------------- */

bool s3s_sim_mutex_is_free(const s3s_mutex *m)
{
    const s3s_actor *owner = m->owner;
    return owner == NULL || owner->state == S3S_ACTOR_CRASHED;
}

static bool time_has_come(const s3s_actor *a)
{
    return a->wake_us != S3STORE_TIME_NONE && a->wake_us <= a->sim->now_us;
}

static bool can_run(const s3s_actor *a)
{
    switch (a->state) {
    case S3S_ACTOR_READY:
        return true;
    case S3S_ACTOR_SLEEPS:
        return time_has_come(a) || s3store_cancel_is_triggered(a->cancel);
    case S3S_ACTOR_WAITS:
        return (a->woken || time_has_come(a) || s3store_cancel_is_triggered(a->cancel)) &&
               s3s_sim_mutex_is_free(a->mutex);
    case S3S_ACTOR_LOCKS:
        return s3s_sim_mutex_is_free(a->mutex);
    case S3S_ACTOR_FANS:
        return a->fan->running < a->fan->wait_below;
    case S3S_ACTOR_JOINS:
        return a->joined->state == S3S_ACTOR_ENDED || a->joined->state == S3S_ACTOR_CRASHED;
    default:
        return false;
    }
}

static bool waits_for_time(const s3s_actor *a)
{
    return (a->state == S3S_ACTOR_SLEEPS || a->state == S3S_ACTOR_WAITS) &&
           a->wake_us != S3STORE_TIME_NONE && a->wake_us > a->sim->now_us;
}

/* Moves the clock to the next moment somebody waits for; false when nobody does. */
static bool advance_time(s3s_sim *sim)
{
    int64_t next = S3STORE_TIME_NONE;
    if (waits_for_time(&sim->main))
        next = sim->main.wake_us;
    for (const s3s_actor *a = sim->first; a != NULL; a = a->next) {
        if (waits_for_time(a) && (next == S3STORE_TIME_NONE || a->wake_us < next))
            next = a->wake_us;
    }
    if (next == S3STORE_TIME_NONE)
        return false;
    sim->now_us = next;
    return true;
}

static void describe_wait(const s3s_actor *a, char *out, size_t size)
{
    const s3s_actor *owner = a->mutex != NULL ? a->mutex->owner : NULL;
    switch (a->state) {
    case S3S_ACTOR_WAITS:
        snprintf(out, size, a->woken ? "a lock after a condition" : "a condition");
        break;
    case S3S_ACTOR_LOCKS:
        if (owner != NULL)
            snprintf(out, size, "a lock held by %.*s", (int)owner->name_size, owner->label);
        else
            snprintf(out, size, "a lock");
        break;
    case S3S_ACTOR_FANS:
        snprintf(out, size, "%zu items of a fan-out", a->fan->running);
        break;
    case S3S_ACTOR_JOINS:
        snprintf(out, size, "the end of %.*s", (int)a->joined->name_size, a->joined->label);
        break;
    default:
        snprintf(out, size, "nothing");
        break;
    }
}

static void fail_deadlock(s3s_sim *sim)
{
    char text[sizeof sim->failure.message];
    size_t n = 0;
    for (const s3s_actor *a = sim->first; a != NULL && n < sizeof text; a = a->next) {
        char wait[160];
        if (a->state == S3S_ACTOR_ENDED)
            continue;
        describe_wait(a, wait, sizeof wait);
        int added = snprintf(text + n, sizeof text - n, "; %.*s waits for %s (last point: %s)",
                             (int)a->name_size, a->label, wait,
                             a->last_point[0] != '\0' ? a->last_point : "none");
        n += added > 0 ? (size_t)added : 0;
    }
    s3s_sim_fail(sim, "deadlock at virtual time %lld us%s", (long long)sim->now_us,
                 n > 0 ? text : "; only the driver waits");
}

/* ---- the driver ------------------------------------------------------------------------------ */

static size_t collect_runnable(s3s_sim *sim)
{
    size_t n = 0;
    for (s3s_actor *a = sim->first; a != NULL; a = a->next) {
        if (can_run(a)) {
            sim->runnable[n] = a;
            sim->names[n] = a->label;
            n++;
        }
    }
    return n;
}

static void resume(s3s_sim *sim, s3s_actor *a)
{
    s3s_actor *before = sim->current;
    sim->current = a;
    s3s_fiber_switch(&sim->main.fiber, &a->fiber);
    sim->current = before;
    if (a->state == S3S_ACTOR_ENDED)
        reap(a);
}

/* One step of one actor, or of the clock. */
static void step(s3s_sim *sim)
{
    size_t count = collect_runnable(sim);
    if (count == 0) {
        if (!advance_time(sim))
            fail_deadlock(sim);
        return;
    }
    if (++sim->steps > sim->options.max_steps) {
        s3s_sim_fail(sim, "no end after %llu steps (virtual time %lld us); next would be: %s",
                     (unsigned long long)sim->options.max_steps, (long long)sim->now_us,
                     sim->names[0]);
        return;
    }
    size_t pick = 0;
    if (count > 1 && sim->options.choose != NULL)
        pick = sim->options.choose(sim->options.choose_ctx, count, sim->names);
    if (pick >= count) {
        s3s_sim_fail(sim, "the chooser returned %zu for %zu actors", pick, count);
        return;
    }
    resume(sim, sim->runnable[pick]);
}

s3store_status s3s_sim_run(s3s_sim *sim, s3store_error *err)
{
    while (sim->live > 0 && !sim->failed)
        step(sim);
    if (sim->failed && err != NULL)
        *err = sim->failure;
    return sim->failed ? sim->failure.status : S3STORE_OK;
}

void s3s_actor_block(s3s_sim *sim, s3s_actor_state state, const char *what)
{
    s3s_actor *a = sim->current;
    a->state = state;
    if (a != &sim->main) {
        set_label(a, what);
        s3s_fiber_switch(&a->fiber, &sim->main.fiber);
    } else {
        /* The driving code itself waits: run the others until it can go on. */
        while (!can_run(a) && !sim->failed)
            step(sim);
    }
    a->state = S3S_ACTOR_READY;
    a->wake_us = S3STORE_TIME_NONE;
    a->cancel = NULL;
    a->mutex = NULL;
    a->fan = NULL;
    a->joined = NULL;
}

s3store_status s3s_sim_add(s3s_sim *sim, const char *name, int64_t wall_offset_us,
                           void (*fn)(void *ctx), void *ctx, s3store_error *err)
{
    if (name[0] == '\0' || strlen(name) >= S3S_ACTOR_NAME_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "an actor's name has 1 to %d bytes, not %zu", S3S_ACTOR_NAME_MAX - 1,
                        strlen(name));
    s3s_actor *a;
    s3store_status status = s3s_actor_new(sim, name, wall_offset_us, &a, err);
    if (status != S3STORE_OK)
        return status;
    a->fn = fn;
    a->ctx = ctx;
    return S3STORE_OK;
}

s3store_status s3s_sim_new(const s3s_sim_options *options, s3s_sim **out, s3store_error *err)
{
    *out = NULL;
    s3s_sim *sim = calloc(1, sizeof *sim);
    if (sim == NULL)
        return s3s_fail_memory(err, sizeof *sim);
    s3store_status status = s3s_env_init(&sim->env, err);
    if (status != S3STORE_OK) {
        free(sim);
        return status;
    }
    if (options != NULL)
        sim->options = *options;
    if (sim->options.max_steps == 0)
        sim->options.max_steps = DEFAULT_MAX_STEPS;
    sim->env.ops = &s3s_sim_env_ops;
    sim->env.sim = sim;
    sim->blocks.prev = sim->blocks.next = &sim->blocks;
    sim->main.sim = sim;
    sim->main.wake_us = S3STORE_TIME_NONE;
    set_name(&sim->main, "main");
    s3s_fiber_init_own(&sim->main.fiber);
    sim->current = &sim->main;
    sim->main.group = find_group(sim, "main", err);
    if (sim->main.group == NULL || !reserve_runnable(sim, 8)) {
        s3s_sim_free(sim);
        return s3s_fail_memory(err, sizeof(s3s_group));
    }
    *out = sim;
    return S3STORE_OK;
}

void s3s_sim_free(s3s_sim *sim)
{
    if (sim == NULL)
        return;
    while (sim->first != NULL)
        /* It takes itself out of the list. NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        s3s_actor_free(sim->first);
    while (sim->buried != NULL) {
        s3s_actor *next = sim->buried->next;
        s3s_fiber_deinit(&sim->buried->fiber);
        free(sim->buried);
        sim->buried = next;
    }
    while (sim->groups != NULL) {
        s3s_group *next = sim->groups->next;
        free(sim->groups);
        sim->groups = next;
    }
    for (s3s_sim_block *b = sim->blocks.next; b != &sim->blocks;) {
        s3s_sim_block *next = b->next;
        free(b);
        b = next;
    }
    free(sim->runnable);
    free(sim->names);
    s3s_env_deinit(&sim->env);
    free(sim);
}

s3s_env *s3s_sim_env(s3s_sim *sim)
{
    return &sim->env;
}

int64_t s3s_sim_now_us(const s3s_sim *sim)
{
    return sim->now_us;
}

int64_t s3s_sim_server_wall_us(const s3s_sim *sim)
{
    return sim->options.start_wall_us + sim->now_us;
}

uint64_t s3s_sim_steps(const s3s_sim *sim)
{
    return sim->steps;
}
