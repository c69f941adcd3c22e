/* parquet/chains.c: the chain with the most work left goes on. */
#include "parquet/chains.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/sync.h"

#define THREADS_MAX 64

typedef struct chains_run {
    s3s_env *env;
    s3s_piece_fn fn;
    void *ctx;
    size_t count;
    s3s_mutex mutex;
    struct {
        s3s_chain *chains;
        size_t failed; /* the lowest chain that did; SIZE_MAX = none */
        s3store_status status;
        s3store_error error;
    } locked;
} chains_run;

/* Which chain is to go on: SIZE_MAX = none can. */
static size_t choose(const s3s_chain *chains, size_t count)
{
    size_t best = SIZE_MAX;
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) {
        const s3s_chain *c = &chains[i];
        uint64_t left = (c->weight + 1) * (c->pieces - c->done);
        if (!c->busy && c->done < c->pieces && (best == SIZE_MAX || left > most)) {
            best = i;
            most = left;
        }
    }
    return best;
}

/* One of the threads. It leaves when every chain that is not finished runs in another one: that will
 * go on with it. */
static s3store_status work(void *ctx, size_t item, s3store_error *err)
{
    chains_run *r = ctx;
    (void)item;
    (void)err;
    s3s_mutex_lock(&r->mutex);
    while (r->locked.failed == SIZE_MAX) {
        size_t chosen = choose(r->locked.chains, r->count);
        if (chosen == SIZE_MAX)
            break;
        s3s_chain *chain = &r->locked.chains[chosen];
        chain->busy = true;
        size_t piece = chain->done;
        s3s_mutex_unlock(&r->mutex);
        s3store_error inner = {0};
        int64_t begin = s3s_mono_us(r->env);
        s3store_status status = r->fn(r->ctx, chosen, piece, &inner);
        int64_t end = s3s_mono_us(r->env);
        s3s_mutex_lock(&r->mutex);
        chain->busy = false;
        chain->us += (uint64_t)(end - begin);
        chain->done++;
        if (status != S3STORE_OK && chosen < r->locked.failed) {
            r->locked.failed = chosen;
            r->locked.status = status;
            r->locked.error = inner;
        }
    }
    s3s_mutex_unlock(&r->mutex);
    return S3STORE_OK;
}

s3store_status s3s_chains_run(s3s_env *env, s3s_pool *pool, const s3s_fan_options *options,
                              s3s_chain *chains, size_t count, s3s_piece_fn fn, void *ctx,
                              s3store_error *err)
{
    chains_run r = {.env = env, .fn = fn, .ctx = ctx, .count = count,
                    .locked = {.chains = chains, .failed = SIZE_MAX}};
    s3store_status status = s3s_mutex_init(&r.mutex, env, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_fan_out(pool, count < THREADS_MAX ? count : THREADS_MAX, work, &r, options, err);
    s3s_mutex_deinit(&r.mutex);
    if (status == S3STORE_OK && r.locked.failed != SIZE_MAX) {
        status = r.locked.status;
        if (err != NULL)
            *err = r.locked.error;
    }
    return status;
}

static int compare_weighed(const void *a, const void *b)
{
    const s3s_weighed *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

void s3s_weighed_sort(s3s_weighed *items, size_t count)
{
    qsort(items, count, sizeof *items, compare_weighed);
}
