/* The parallel listing: the same keys as page after page, in flat memory, with few requests. */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/pool.h"
#include "base/sim.h"
#include "objstore/objstore.h"
#include "support/generated_store.h"
#include "support/test.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct keys {
    char **items;
    size_t count, capacity;
    size_t stop_after; /* 0 = never */
} keys;

static bool keep(void *ctx, const s3store_list_entry *entry)
{
    keys *k = ctx;
    assert_false(entry->is_prefix);
    if (k->count == k->capacity) {
        k->capacity = k->capacity * 2 + 64;
        k->items = realloc(k->items, k->capacity * sizeof *k->items);
        assert_non_null(k->items);
    }
    k->items[k->count++] = strdup(entry->key);
    return k->stop_after == 0 || k->count < k->stop_after;
}

static void keys_free(keys *k)
{
    for (size_t i = 0; i < k->count; i++)
        free(k->items[i]);
    free(k->items);
    *k = (keys){0};
}

static void same_keys(const keys *a, const keys *b, const char *what)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            fail_msg("%s: key %zu is \"%s\", expected \"%s\"", what, i, b->items[i], a->items[i]);
    if (a->count != b->count)
        fail_msg("%s: %zu keys, expected %zu", what, b->count, a->count);
}

typedef struct fixture {
    s3s_env *env;
    s3s_pool *pool;
    s3store_object_store memory;
} fixture;

static void set_up(fixture *f)
{
    s3store_error err;
    memset(f, 0, sizeof *f);
    assert_ok(s3s_env_new_real(&f->env, &err));
    assert_ok(s3s_pool_new(f->env, 8, &f->pool, &err));
    assert_ok(s3s_memory_store_new(f->env, &f->memory, &err));
}

static void tear_down(fixture *f)
{
    s3s_pool_free(f->pool);
    s3s_store_deinit(&f->memory);
    assert_int_equal(s3s_env_live_allocs(f->env), 0);
    s3s_env_release(f->env);
}

static void put(fixture *f, const char *key)
{
    s3store_error err;
    s3store_put_request r = {.size = sizeof r, .key = key};
    assert_ok(s3s_put(&f->memory, NULL, &r, NULL, &err));
}

static void list_serially(fixture *f, const s3s_walk_options *o, keys *out)
{
    s3store_error err;
    keys all = {0};
    assert_ok(s3s_list_all(&f->memory, NULL, o->prefix, o->start_after, 0, keep, &all, NULL, &err));
    for (size_t i = 0; i < all.count; i++) {
        if (o->stop_at == NULL || strcmp(all.items[i], o->stop_at) < 0)
            keep(out, &(s3store_list_entry){.key = all.items[i]});
    }
    keys_free(&all);
}

static void expect_same(fixture *f, const s3s_walk_options *o, const char *what)
{
    s3store_error err;
    keys expected = {0}, got = {0};
    list_serially(f, o, &expected);
    assert_ok(s3s_list_parallel(f->env, &f->memory, f->pool, NULL, o, keep, &got, NULL, &err));
    same_keys(&expected, &got, what);
    keys_free(&expected);
    keys_free(&got);
}

/* ---- the same keys ---------------------------------------------------------------------------- */

static void test_walk__directories_and_their_neighbours_keep_byte_order(void **state)
{
    (void)state;
    static const char *const names[] = {
        "p/a", "p/a-1/x", "p/a-1/y", "p/a.b", "p/a/", "p/a//", "p/a/1", "p/a/2/3", "p/a0",
        "p/a/\xf4\x8f\xbf\xbf", "p/a/\xf4\x8f\xbf\xbf/z", ("p/a.\xf4\x8f\xbf\xbf" "b"), "p/", "p",
        "p//", "p///x", "p/b/c/d/e/f", "p/b/c/d/e/g", "p/b/c/d/f", "p/~", "q/a", "p/\x01",
        "p/b/c.d/", "p/c/1", "p/c/2", "p/c/3", "p/c/4", "p/c/5", "p/c/6", "p/c/7", "p/d"};
    static const char *const bounds[] = {NULL, "p/a/", "p/a", "p/a/2", "p/a/2/3", "p/c/3", "p/b/c",
                                         "p/zz", "p/a.\xf4\x8f\xbf\xbf"};
    static const char *const prefixes[] = {"", "p", "p/", "p/a", "p/a/", "p/b/c/d/e/", "x"};
    fixture f;
    set_up(&f);
    for (size_t i = 0; i < COUNT(names); i++)
        put(&f, names[i]);
    for (uint32_t max_keys = 1; max_keys <= 6; max_keys++)
        for (size_t p = 0; p < COUNT(prefixes); p++)
            for (size_t a = 0; a < COUNT(bounds); a++)
                for (size_t z = 0; z < COUNT(bounds); z++) {
                    char what[200];
                    snprintf(what, sizeof what, "max %u prefix \"%s\" after \"%s\" stop \"%s\"",
                             max_keys, prefixes[p], bounds[a] ? bounds[a] : "-",
                             bounds[z] ? bounds[z] : "-");
                    s3s_walk_options o = {.prefix = prefixes[p],
                                          .start_after = bounds[a],
                                          .stop_at = bounds[z],
                                          .limit = 3,
                                          .serial_pages = 1,
                                          .max_keys = max_keys};
                    expect_same(&f, &o, what);
                }
    tear_down(&f);
}

static unsigned next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33);
}

/* A key of up to five short segments, of letters around '/', so that neighbours are near. */
static void random_key(uint64_t *seed, char *out)
{
    static const char letters[] = "a-./0b~";
    size_t n = 0;
    unsigned size = 1 + next_random(seed) % 12;
    for (unsigned i = 0; i < size; i++)
        out[n++] = letters[next_random(seed) % (sizeof letters - 1)];
    out[n] = '\0';
}

static void test_walk__random_trees_list_like_page_after_page(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 12; round++) {
        fixture f;
        set_up(&f);
        unsigned count = 50u + next_random(&seed) % 600;
        for (unsigned i = 0; i < count; i++) {
            char key[32];
            random_key(&seed, key);
            put(&f, key);
        }
        for (int i = 0; i < 40; i++) {
            char prefix[32], after[32], stop[32], what[200];
            random_key(&seed, prefix);
            prefix[next_random(&seed) % 3] = '\0';
            random_key(&seed, after);
            random_key(&seed, stop);
            bool has_after = next_random(&seed) % 2, has_stop = next_random(&seed) % 2;
            s3s_walk_options o = {.prefix = prefix,
                                  .start_after = has_after ? after : NULL,
                                  .stop_at = has_stop ? stop : NULL,
                                  .limit = 1 + next_random(&seed) % 8,
                                  .serial_pages = 1 + next_random(&seed) % 3,
                                  .max_keys = 1 + next_random(&seed) % 20};
            snprintf(what, sizeof what, "round %d.%d max %u prefix \"%s\" after \"%s\" stop \"%s\"",
                     round, i, o.max_keys, prefix, has_after ? after : "-", has_stop ? stop : "-");
            expect_same(&f, &o, what);
        }
        tear_down(&f);
    }
}

static void test_walk__ends_when_the_caller_has_enough(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    generated_store g = {.env = f.env, .prefix = "d/", .periods = 50, .customers = 20, .files = 100};
    s3store_object_store store = generated_store_make(&g);
    keys got = {.stop_after = 4321};
    s3s_walk_options o = {.prefix = "d/", .limit = 4};
    s3s_walk_result result;
    assert_ok(s3s_list_parallel(f.env, &store, f.pool, NULL, &o, keep, &got, &result, &err));
    assert_int_equal(got.count, 4321);
    assert_true(result.pages < 60); /* of 100 */
    assert_int_equal(result.pages, g.lists);
    keys_free(&got);
    tear_down(&f);
}

typedef struct walkers {
    fixture *f;
    s3store_object_store store;
    uint64_t counts[12];
} walkers;

static bool count_key(void *ctx, const s3store_list_entry *entry)
{
    (void)entry;
    ++*(uint64_t *)ctx;
    return true;
}

static s3store_status walk_once(void *ctx, size_t item, s3store_error *err)
{
    walkers *w = ctx;
    s3s_walk_options o = {.prefix = "d/"};
    return s3s_list_parallel(w->f->env, &w->store, w->f->pool, NULL, &o, count_key,
                             &w->counts[item], NULL, err);
}

/* More walks than the pool has threads, each of which wants all of them. */
static void test_walk__needs_no_thread_but_the_callers(void **state)
{
    (void)state;
    static const size_t threads[] = {0, 1, 3};
    for (size_t i = 0; i < COUNT(threads); i++) {
        s3store_error err;
        fixture f;
        set_up(&f);
        s3s_pool_free(f.pool);
        assert_ok(s3s_pool_new(f.env, threads[i], &f.pool, &err));
        generated_store g = {
            .env = f.env, .prefix = "d/", .periods = 40, .customers = 3, .files = 100};
        walkers w = {.f = &f, .store = generated_store_make(&g)};
        assert_ok(s3s_fan_out(f.pool, COUNT(w.counts), walk_once, &w, NULL, &err));
        for (size_t k = 0; k < COUNT(w.counts); k++)
            assert_int_equal(w.counts[k], 40 * 3 * 100);
        tear_down(&f);
    }
}

/* The deliverer waits while others list; a cancellation must reach it there. */
static void test_walk__a_cancellation_ends_it(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    generated_store g = {.env = f.env,
                         .prefix = "d/",
                         .periods = 50,
                         .customers = 20,
                         .files = 100,
                         .delay_us = 2000};
    walkers w = {.f = &f, .store = generated_store_make(&g)};
    s3store_call call = {.deadline_us = s3s_mono_us(f.env) + 5000};
    s3s_walk_options o = {.prefix = "d/"};
    s3store_status status = s3s_list_parallel(f.env, &w.store, f.pool, &call, &o, count_key,
                                              &w.counts[0], NULL, &err);
    assert_int_equal(status, S3STORE_TIMEOUT);
    assert_true(w.counts[0] < 100000);
    tear_down(&f);
}

/* ---- cost ------------------------------------------------------------------------------------- */

typedef struct counter {
    const generated_store *g;
    s3s_env *env;
    uint64_t count;
    uint64_t most_allocs;
} counter;

static bool check_next(void *ctx, const s3store_list_entry *entry)
{
    counter *c = ctx;
    char key[256];
    generated_store_key(c->g, c->count++, key, sizeof key);
    if (strcmp(key, entry->key) != 0)
        fail_msg("key %llu is \"%s\"", (unsigned long long)c->count, entry->key);
    if (c->count % 1000 == 1) {
        uint64_t live = s3s_env_live_allocs(c->env);
        c->most_allocs = live > c->most_allocs ? live : c->most_allocs;
    }
    return true;
}

static void test_walk__a_million_keys_in_flat_memory(void **state)
{
    (void)state;
    static const struct {
        uint64_t periods, customers, files;
        uint64_t most_lists; /* page after page: one for each thousand keys */
    } shapes[] = {
        {1000, 10, 100, 1100},  /* directories of one page */
        {10000, 1, 10, 150},    /* many small ones */
        {4, 5, 5000, 130},      /* few long ones */
        {1, 1, 100000, 105},    /* one flat directory */
        {10000, 10, 1, 130},    /* very many tiny ones */
        {2, 50000, 1, 110},
    };
    for (size_t i = 0; i < COUNT(shapes); i++) {
        s3store_error err;
        fixture f;
        set_up(&f);
        generated_store g = {.env = f.env,
                             .prefix = "d/",
                             .periods = shapes[i].periods,
                             .customers = shapes[i].customers,
                             .files = shapes[i].files};
        s3store_object_store store = generated_store_make(&g);
        counter c = {.g = &g, .env = f.env};
        s3s_walk_options o = {.prefix = "d/"};
        s3s_walk_result result;
        assert_ok(
            s3s_list_parallel(f.env, &store, f.pool, NULL, &o, check_next, &c, &result, &err));
        uint64_t total = generated_store_count(&g);
        assert_int_equal(c.count, total);
        print_message("shape %zu: %llu LISTs, %llu allocations alive\n", i,
                      (unsigned long long)g.lists, (unsigned long long)c.most_allocs);
        assert_in_range(g.lists, total / 1000, shapes[i].most_lists);
        assert_in_range(c.most_allocs, 1, 8000); /* a page is some hundred, a unit six */
        tear_down(&f);
    }
}

/* On virtual time. */
typedef struct race {
    s3s_env *env;
    s3s_pool *pool;
    generated_store g;
    int64_t serial_us, parallel_us;
} race;

static void run_race(void *ctx)
{
    race *r = ctx;
    s3store_error err;
    s3store_object_store store = generated_store_make(&r->g);
    assert_ok(s3s_pool_new(r->env, 32, &r->pool, &err));
    counter c = {.g = &r->g, .env = r->env};
    int64_t begin_us = s3s_mono_us(r->env);
    assert_ok(s3s_list_all(&store, NULL, "d/", NULL, 0, check_next, &c, NULL, &err));
    r->serial_us = s3s_mono_us(r->env) - begin_us;
    counter d = {.g = &r->g, .env = r->env};
    begin_us = s3s_mono_us(r->env);
    s3s_walk_options o = {.prefix = "d/", .limit = 32};
    assert_ok(s3s_list_parallel(r->env, &store, r->pool, NULL, &o, check_next, &d, NULL, &err));
    r->parallel_us = s3s_mono_us(r->env) - begin_us;
    assert_int_equal(d.count, c.count);
    s3s_pool_free(r->pool);
}

static void test_walk__a_hundred_prefixes_at_least_eight_times_faster(void **state)
{
    (void)state;
    s3store_error err;
    static const uint64_t shapes[][3] = {{100, 1, 1000}, {100, 10, 100}, {10, 10, 1000}};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        s3s_sim *sim = NULL;
        s3s_sim_options options = {.seed = 3, .start_wall_us = 1700000000000000};
        assert_ok(s3s_sim_new(&options, &sim, &err));
        race r = {.env = s3s_sim_env(sim),
                  .g = {.env = s3s_sim_env(sim),
                        .prefix = "d/",
                        .periods = shapes[i][0],
                        .customers = shapes[i][1],
                        .files = shapes[i][2],
                        .delay_us = 10000}};
        assert_ok(s3s_sim_add(sim, "a", 0, run_race, &r, &err));
        assert_ok(s3s_sim_run(sim, &err));
        print_message("serially %lld us, side by side %lld us\n", (long long)r.serial_us,
                      (long long)r.parallel_us);
        assert_true(r.serial_us >= 8 * r.parallel_us);
        s3s_sim_free(sim);
    }
}

static void test_walk__small_prefixes_cost_what_they_did(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    static const uint64_t sizes[] = {1, 999, 1000, 1001, 2000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        generated_store g = {
            .env = f.env, .prefix = "d/", .periods = sizes[i], .customers = 1, .files = 1};
        s3store_object_store store = generated_store_make(&g);
        counter c = {.g = &g, .env = f.env};
        s3s_walk_options o = {.prefix = "d/"};
        assert_ok(s3s_list_parallel(f.env, &store, f.pool, NULL, &o, check_next, &c, NULL, &err));
        assert_int_equal(c.count, sizes[i]);
        assert_int_equal(g.lists, (sizes[i] + 999) / 1000);
    }
    tear_down(&f);
}

/* ---- gaps, failures ---------------------------------------------------------------------------- */

/* Wanted are the customers below 3 of each period. */
static bool skip_customers(void *ctx, const char *key, char *buffer)
{
    (void)ctx;
    const char *customer = strstr(key, "/customer=");
    if (customer == NULL || strcmp(customer, "/customer=00003") < 0)
        return false;
    snprintf(buffer, S3STORE_KEY_MAX_BYTES + 1, "%.*s/customer=99999/~", (int)(customer - key),
             key);
    return true;
}

typedef struct wanted {
    uint64_t count;
} wanted;

static bool count_wanted(void *ctx, const s3store_list_entry *entry)
{
    wanted *w = ctx;
    const char *customer = strstr(entry->key, "/customer=");
    w->count += strcmp(customer, "/customer=00003") < 0;
    return true;
}

static void test_walk__gaps_are_skipped(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    generated_store g = {
        .env = f.env, .prefix = "d/", .periods = 20, .customers = 500, .files = 400};
    s3store_object_store store = generated_store_make(&g);
    wanted w = {0};
    s3s_walk_options o = {.prefix = "d/", .skip = skip_customers};
    assert_ok(s3s_list_parallel(f.env, &store, f.pool, NULL, &o, count_wanted, &w, NULL, &err));
    assert_int_equal(w.count, 20 * 3 * 400);
    assert_in_range(g.lists, 20, 400); /* of 4000 */
    tear_down(&f);
}

static s3s_fault_decision fail_at(void *ctx, s3s_fault_verb verb, const char *key,
                                  uint64_t sequence)
{
    (void)verb;
    (void)key;
    s3s_fault_decision d = S3S_FAULT_NONE;
    if (sequence == *(uint64_t *)ctx)
        d.before = S3STORE_UNAVAILABLE;
    return d;
}

static bool ignore(void *ctx, const s3store_list_entry *entry)
{
    (void)ctx;
    (void)entry;
    return true;
}

static void test_walk__a_failed_page_ends_it_and_leaves_nothing(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 40; n++) {
        s3store_error err;
        fixture f;
        set_up(&f);
        generated_store g = {
            .env = f.env, .prefix = "d/", .periods = 30, .customers = 5, .files = 300};
        s3store_object_store store = generated_store_make(&g), fault;
        assert_ok(s3s_layer_fault_new(f.env, &store, fail_at, &n, &fault, &err));
        s3s_walk_options o = {.prefix = "d/", .limit = 4};
        assert_fails(s3s_list_parallel(f.env, &fault, f.pool, NULL, &o, ignore, NULL, NULL, &err),
                     S3STORE_UNAVAILABLE, "injected");
        s3s_store_deinit(&fault);
        tear_down(&f);
    }
}

static void test_walk__out_of_memory_is_an_error(void **state)
{
    (void)state;
    s3store_error err = {0};
    fixture f;
    set_up(&f);
    for (int i = 0; i < 300; i++) {
        char key[32];
        snprintf(key, sizeof key, "p/%02d/%d", i / 5, i);
        put(&f, key);
    }
    s3s_walk_options o = {.prefix = "p/", .limit = 3, .max_keys = 7};
    s3store_status status = S3STORE_OUT_OF_MEMORY;
    uint64_t n = 0;
    for (; status != S3STORE_OK; n += 1 + n / 50) {
        s3s_env_fail_alloc_at(f.env, n);
        status = s3s_list_parallel(f.env, &f.memory, f.pool, NULL, &o, ignore, NULL, NULL, &err);
        s3s_env_fail_alloc_at(f.env, UINT64_MAX);
        if (status != S3STORE_OK)
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
    }
    assert_true(n > 100);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk__directories_and_their_neighbours_keep_byte_order),
        cmocka_unit_test(test_walk__random_trees_list_like_page_after_page),
        cmocka_unit_test(test_walk__ends_when_the_caller_has_enough),
        cmocka_unit_test(test_walk__needs_no_thread_but_the_callers),
        cmocka_unit_test(test_walk__a_cancellation_ends_it),
        cmocka_unit_test(test_walk__a_million_keys_in_flat_memory),
        cmocka_unit_test(test_walk__a_hundred_prefixes_at_least_eight_times_faster),
        cmocka_unit_test(test_walk__small_prefixes_cost_what_they_did),
        cmocka_unit_test(test_walk__gaps_are_skipped),
        cmocka_unit_test(test_walk__a_failed_page_ends_it_and_leaves_nothing),
        cmocka_unit_test(test_walk__out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
