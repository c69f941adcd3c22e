/* s3_list: a listing of 100,000 keys in 100 directories, each LIST answered after 10 ms: page after
 * page against many at once, in pairs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "responder.h"
#include "s3_kit.h"

#define PAIRS 5
#define KEYS 100000
#define PREFIXES 100
#define DELAY_MS 10

typedef struct walk {
    size_t count;
    bool in_order;
    char last[64];
} walk;

static bool take(void *ctx, const s3store_list_entry *entry)
{
    walk *w = ctx;
    if (strcmp(entry->key, w->last) <= 0)
        w->in_order = false;
    snprintf(w->last, sizeof w->last, "%.63s", entry->key);
    w->count++;
    return true;
}

static void check(const walk *w)
{
    if (w->count != KEYS || !w->in_order)
        kit_die("listing", "not every key once and in order");
}

static double page_after_page(kit_stack *k, uint64_t *pages)
{
    s3store_error err = {0};
    walk w = {.in_order = true};
    *pages = 0;
    double start = kit_wall_s();
    kit_check(s3s_list_all(&k->meter, NULL, "d/", NULL, 0, take, &w, pages, &err), &err);
    double took = kit_wall_s() - start;
    check(&w);
    return took;
}

static double side_by_side(kit_stack *k, s3s_pool *pool, uint64_t *pages)
{
    s3store_error err = {0};
    walk w = {.in_order = true};
    s3s_walk_options options = {.prefix = "d/"};
    s3s_walk_result result = {0};
    double start = kit_wall_s();
    kit_check(s3s_list_parallel(k->env, &k->meter, pool, NULL, &options, take, &w, &result, &err),
              &err);
    double took = kit_wall_s() - start;
    check(&w);
    *pages = result.pages;
    return took;
}

int main(void)
{
    responder r;
    kit_stack stack;
    s3s_pool *pool = NULL;
    s3store_error err = {0};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    responder_start(&r, &(responder_options){
                            .delay_ms = DELAY_MS, .prefixes = PREFIXES, .keys = KEYS});
    kit_stack_open(&stack, r.url, "bucket", 32);
    kit_check(s3s_pool_new(stack.env, 32, &pool, &err), &err);
    double serial[PAIRS], parallel[PAIRS], speedup[PAIRS];
    uint64_t serial_pages = 0, parallel_pages = 0;
    for (size_t i = 0; i < PAIRS; i++) {
        serial[i] = page_after_page(&stack, &serial_pages);
        parallel[i] = side_by_side(&stack, pool, &parallel_pages);
        speedup[i] = serial[i] / parallel[i];
    }
    double times = kit_median(speedup, PAIRS);
    printf("listing %d keys in %d directories, %d ms for each LIST, median of %d pairs (aim: 8 x)\n",
           KEYS, PREFIXES, DELAY_MS, PAIRS);
    printf("  page after page %.2f s (%llu LISTs), side by side %.3f s (%llu LISTs): %.1f x\n",
           kit_median(serial, PAIRS), (unsigned long long)serial_pages,
           kit_median(parallel, PAIRS), (unsigned long long)parallel_pages, times);
    s3s_pool_free(pool);
    kit_stack_close(&stack);
    responder_stop(&r);
    return times < 8;
}
