/* The parallel listing: rounds in which the units near the front are worked on side by side, and
 * what they found is delivered in order. */
#include "objstore/walk.h"

#include <string.h>

#include "base/error.h"

#define DEFAULT_LIMIT 16
#define DEFAULT_SERIAL_PAGES 2
#define PAGES_PER_UNIT 4 /* that wait for their turn */

typedef struct walk_round {
    s3s_walk_unit **units;
    s3s_walk_result *results; /* one for each */
    size_t count;
} walk_round;

static s3store_status run_unit(void *ctx, size_t item, s3store_error *err)
{
    walk_round *r = ctx;
    return s3s_walk_unit_run(r->units[item], PAGES_PER_UNIT, &r->results[item], err);
}

/* The first units that have something to ask for, as long as not too much waits before them. */
static void choose(s3s_walk *w, walk_round *r, size_t limit)
{
    size_t waiting = 0;
    r->count = 0;
    for (s3s_walk_unit *u = w->first; u != NULL && r->count < limit; u = u->next) {
        waiting += u->page_count;
        if (waiting > limit * PAGES_PER_UNIT)
            break;
        if (!u->done && u->page_count < PAGES_PER_UNIT)
            r->units[r->count++] = u;
    }
}

static void add_result(s3s_walk *w, const s3s_walk_result *one)
{
    if (w->result->pages == 0 && one->pages > 0) {
        *w->result = *one;
        return;
    }
    w->result->pages += one->pages;
}

static s3store_status run_round(s3s_walk *w, s3s_pool *pool, walk_round *r, size_t limit,
                                s3store_error *err)
{
    choose(w, r, limit);
    memset(r->results, 0, r->count * sizeof *r->results);
    s3s_fan_options options = {.limit = limit, .call = w->call};
    s3store_status status = s3s_fan_out(pool, r->count, run_unit, r, &options, err);
    for (size_t i = 0; i < r->count; i++)
        add_result(w, &r->results[i]);
    for (size_t i = 0; i < r->count && status == S3STORE_OK; i++)
        if (r->units[i]->divide)
            status = s3s_walk_divide(r->units[i], err);
    return status;
}

/* Delivers what is in front. false: the caller wants no more. */
static bool deliver(s3s_walk *w, s3store_list_fn fn, void *fn_ctx)
{
    while (w->first != NULL) {
        s3s_walk_unit *u = w->first;
        while (u->first_page != NULL) {
            s3s_walk_page *page = u->first_page;
            for (size_t i = 0; i < page->count; i++)
                if (!fn(fn_ctx, &page->entries[i]))
                    return false;
            u->first_page = page->next;
            u->last_page = u->first_page != NULL ? u->last_page : NULL;
            u->page_count--;
            s3s_walk_page_free(page, w->env);
        }
        if (!u->done)
            return true;
        w->first = u->next;
        s3s_walk_unit_free(u);
    }
    return true;
}

static s3store_status walk_all(s3s_walk *w, s3s_pool *pool, size_t limit, s3store_list_fn fn,
                               void *fn_ctx, s3store_error *err)
{
    walk_round r = {.units = s3s_calloc(w->env, limit, sizeof *r.units),
                .results = s3s_calloc(w->env, limit, sizeof *r.results)};
    s3store_status status = r.units != NULL && r.results != NULL
                                ? S3STORE_OK
                                : s3s_fail_memory(err, limit * sizeof *r.results);
    while (status == S3STORE_OK && w->first != NULL) {
        status = run_round(w, pool, &r, limit, err);
        if (status != S3STORE_OK || !deliver(w, fn, fn_ctx))
            break;
    }
    s3s_free(w->env, r.units);
    s3s_free(w->env, r.results);
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
    s3store_status status = walk_all(&w, pool, options->limit > 0 ? options->limit : DEFAULT_LIMIT,
                                     fn, fn_ctx, err);
    while (w.first != NULL) {
        s3s_walk_unit *u = w.first;
        w.first = u->next;
        s3s_walk_unit_free(u);
    }
    return status;
}
