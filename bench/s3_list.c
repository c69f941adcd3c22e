/* s3_list: a listing of 100,000 keys in 100 directories, each LIST answered after 10 ms: page after
 * page against many at once, in pairs. Page after page mostly waits, side by side mostly computes:
 * what else the machine does falls on the second alone, so that a miss is tried again, with the
 * machine's load beside it. The same figure on virtual time is a test (test_objstore_walk). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "responder.h"
#include "s3_kit.h"

#define PAIRS 9
#define ROUNDS 3
#define AIM 8.0
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

typedef struct figures {
    double serial_s, parallel_s, speedup; /* medians */
    double parallel_cpu_s;
    uint64_t serial_pages, parallel_pages;
} figures;

static figures run_pairs(kit_stack *stack, s3s_pool *pool)
{
    figures f = {0};
    double serial[PAIRS], parallel[PAIRS], speedup[PAIRS], cpu[PAIRS];
    for (size_t i = 0; i < PAIRS; i++) {
        serial[i] = page_after_page(stack, &f.serial_pages);
        double before = kit_cpu_s();
        parallel[i] = side_by_side(stack, pool, &f.parallel_pages);
        cpu[i] = kit_cpu_s() - before;
        speedup[i] = serial[i] / parallel[i];
    }
    f.serial_s = kit_median(serial, PAIRS);
    f.parallel_s = kit_median(parallel, PAIRS);
    f.speedup = kit_median(speedup, PAIRS);
    f.parallel_cpu_s = kit_median(cpu, PAIRS);
    return f;
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
    printf("listing %d keys in %d directories, %d ms for each LIST, median of %d pairs (aim: %.0f "
           "x)\n",
           KEYS, PREFIXES, DELAY_MS, PAIRS, AIM);
    bool holds = false;
    for (size_t round = 0; round < ROUNDS && !holds; round++) {
        double load = 0;
        figures f = run_pairs(&stack, pool);
        holds = f.speedup >= AIM;
        (void)getloadavg(&load, 1);
        printf("  page after page %.2f s (%llu LISTs), side by side %.3f s (%llu LISTs, %.3f s of "
               "CPU): %.1f x%s, load %.1f\n",
               f.serial_s, (unsigned long long)f.serial_pages, f.parallel_s,
               (unsigned long long)f.parallel_pages, f.parallel_cpu_s, f.speedup,
               holds ? "" : "   MISSED", load);
        fflush(stdout);
    }
    s3s_pool_free(pool);
    kit_stack_close(&stack);
    responder_stop(&r);
    return !holds;
}
