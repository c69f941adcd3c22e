/* The parallel listing: a crew works on the units near the front side by side, one page at a time,
 * and one of it delivers what stands in front, in order.
 *
 * Who delivers also lists, but only the front unit, and only when nobody else does: so a walk goes
 * on with whatever threads the pool can spare, none included, and does not wait for itself. */
#include "objstore/walk.h"

#include <string.h>

#include "base/error.h"
#include "base/sync.h"

#define DEFAULT_SERIAL_PAGES 2
#define PAGES_PER_UNIT 4    /* that wait for their turn */
#define PAGES_PER_WORKER 2  /* of all units together */

typedef struct crew {
    s3s_walk *walk;
    size_t limit;
    s3store_list_fn fn;
    void *fn_ctx;
    s3s_mutex mutex;
    s3s_cond work;  /* a unit may have become free to be worked on, or it is over */
    s3s_cond ready; /* the front may have something to deliver, or it is over */
    struct {
        bool over; /* all is delivered, the caller has enough, or something failed */
        size_t idle;
        s3store_status status;
        s3store_error error;
    } locked; /* and with it the walk and what its units share */
} crew;

/* ---- one page of one unit -------------------------------------------------------------------- */

static bool is_free(const s3s_walk_unit *u)
{
    return !u->busy && !u->done && u->page_count < PAGES_PER_UNIT;
}

/* The first unit that has something to ask for, as long as not too much waits before it. */
static s3s_walk_unit *choose_locked(crew *c)
{
    size_t waiting = 0;
    for (s3s_walk_unit *u = c->walk->first; u != NULL; u = u->next) {
        waiting += u->page_count;
        if (waiting > c->limit * PAGES_PER_WORKER && u != c->walk->first)
            return NULL;
        if (is_free(u))
            return u;
    }
    return NULL;
}

static void end_locked(crew *c, s3store_status status, const s3store_error *err)
{
    if (status != S3STORE_OK && c->locked.status == S3STORE_OK) {
        c->locked.status = status;
        c->locked.error = *err;
    }
    c->locked.over = true;
    s3s_cond_broadcast(&c->work);
    s3s_cond_broadcast(&c->ready);
}

/* With the mutex held, but for the LIST itself. */
static void list_page_locked(crew *c, s3s_walk_unit *u)
{
    s3store_error err = {0};
    s3s_walk_page *page = NULL;
    u->busy = true;
    s3s_mutex_unlock(&c->mutex);
    s3s_walk_fetched got = {0};
    s3store_status status = s3s_walk_unit_fetch(u, &page, &got, &err);
    s3s_mutex_lock(&c->mutex);
    u->busy = false;
    c->walk->result->pages += got.asked;
    if (status == S3STORE_OK) {
        s3s_walk_unit_add_page(u, page);
        u->done = got.ended;
        if (got.divide)
            status = s3s_walk_divide(u, &err);
    }
    if (status != S3STORE_OK) {
        end_locked(c, status, &err);
        return;
    }
    if (u == c->walk->first)
        s3s_cond_signal(&c->ready);
    if (got.divide && c->locked.idle > 0)
        s3s_cond_broadcast(&c->work);
}

/* ---- delivering ------------------------------------------------------------------------------ */

static bool deliver_page(const crew *c, const s3s_walk_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        if (!c->fn(c->fn_ctx, &page->entries[i]))
            return false;
    return true;
}

/* The page in front, NULL = there is none yet. Units that are through are forgotten. */
static s3s_walk_page *take_front_locked(crew *c)
{
    s3s_walk *w = c->walk;
    while (w->first != NULL && w->first->first_page == NULL && w->first->done && !w->first->busy) {
        s3s_walk_unit *through = w->first;
        w->first = through->next;
        s3s_walk_unit_free(through);
    }
    return w->first != NULL ? s3s_walk_unit_take_page(w->first) : NULL;
}

static void deliver_locked(crew *c, s3s_walk_page *page)
{
    if (c->locked.idle > 0)
        s3s_cond_signal(&c->work); /* there is room for one more */
    s3s_mutex_unlock(&c->mutex);
    bool more = deliver_page(c, page);
    s3s_walk_page_free(page, c->walk->env);
    s3s_mutex_lock(&c->mutex);
    if (!more)
        end_locked(c, S3STORE_OK, NULL);
}

/* Until it is over; alone (a walk that may stay short): until there is work for several. */
static void deliver_all_locked(crew *c, bool alone)
{
    const s3store_call *call = c->walk->call;
    while (!c->locked.over) {
        s3s_walk_page *page = take_front_locked(c);
        s3s_walk_unit *front = c->walk->first;
        if (page != NULL) {
            deliver_locked(c, page);
        } else if (front == NULL) {
            end_locked(c, S3STORE_OK, NULL);
        } else if (alone && front->next != NULL) {
            return;
        } else if (is_free(front)) {
            list_page_locked(c, front);
        } else {
            s3store_status status = s3s_cond_wait(
                &c->ready, &c->mutex, call != NULL ? call->deadline_us : S3STORE_TIME_NONE,
                call != NULL ? call->cancel : NULL);
            s3store_error err = {0};
            if (status != S3STORE_OK)
                s3s_fail(&err, status, "%s while keys were listed",
                         status == S3STORE_CANCELLED ? "cancelled" : "out of time");
            if (status != S3STORE_OK)
                end_locked(c, status, &err);
        }
    }
}

/* ---- the crew -------------------------------------------------------------------------------- */

static void work_locked(crew *c)
{
    while (!c->locked.over) {
        s3s_walk_unit *u = choose_locked(c);
        if (u != NULL) {
            list_page_locked(c, u);
            continue;
        }
        c->locked.idle++;
        (void)s3s_cond_wait(&c->work, &c->mutex, S3STORE_TIME_NONE, NULL);
        c->locked.idle--;
    }
}

/* Item 0, which a fan-out begins first and in its caller's thread, delivers. */
static s3store_status run_member(void *ctx, size_t item, s3store_error *err)
{
    (void)err;
    crew *c = ctx;
    s3s_mutex_lock(&c->mutex);
    if (item == 0)
        deliver_all_locked(c, false);
    else
        work_locked(c);
    s3s_mutex_unlock(&c->mutex);
    return S3STORE_OK;
}

static s3store_status run_crew(crew *c, s3s_pool *pool, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&c->mutex);
    deliver_all_locked(c, true);
    bool over = c->locked.over;
    s3s_mutex_unlock(&c->mutex);
    if (!over) {
        s3s_fan_options options = {.limit = c->limit, .call = c->walk->call};
        status = s3s_fan_out(pool, c->limit, run_member, c, &options, err);
    }
    if (c->locked.status == S3STORE_OK)
        return status;
    if (err != NULL)
        *err = c->locked.error;
    return c->locked.status;
}

static s3store_status walk_all(s3s_walk *w, s3s_pool *pool, s3store_list_fn fn, void *fn_ctx,
                               s3store_error *err)
{
    size_t limit = w->options->limit > 0 ? w->options->limit : S3STORE_DEFAULT_MAX_INFLIGHT;
    crew c = {.walk = w, .limit = limit, .fn = fn, .fn_ctx = fn_ctx};
    s3store_status status = s3s_mutex_init(&c.mutex, w->env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_cond_init(&c.work, w->env, err);
    if (status == S3STORE_OK) {
        status = s3s_cond_init(&c.ready, w->env, err);
        if (status == S3STORE_OK) {
            status = run_crew(&c, pool, err);
            s3s_cond_deinit(&c.ready);
        }
        s3s_cond_deinit(&c.work);
    }
    s3s_mutex_deinit(&c.mutex);
    return status;
}

s3store_status s3s_list_parallel(s3s_env *env, const s3store_object_store *s, s3s_pool *pool,
                                 const s3store_call *call, const s3s_walk_options *options,
                                 s3store_list_fn fn, void *fn_ctx, s3s_walk_result *result,
                                 s3store_error *err)
{
    s3s_walk_result own;
    if (result == NULL)
        result = &own;
    *result = (s3s_walk_result){.first_date_us = S3STORE_TIME_NONE};
    s3s_walk w = {
        .env = env, .store = s, .call = call, .options = options, .result = result};
    size_t serial = options->serial_pages > 0 ? options->serial_pages : DEFAULT_SERIAL_PAGES;
    w.first = s3s_walk_unit_new(&w, options->prefix != NULL ? options->prefix : "",
                                options->start_after, NULL, options->stop_at, serial);
    if (w.first == NULL)
        return s3s_fail_memory(err, sizeof *w.first);
    w.first->is_first = true;
    s3store_status status = walk_all(&w, pool, fn, fn_ctx, err);
    while (w.first != NULL) {
        s3s_walk_unit *u = w.first;
        w.first = u->next;
        s3s_walk_unit_free(u);
    }
    return status;
}
