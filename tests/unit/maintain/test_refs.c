/* All refs, in one stream or in slices side by side: each once, none lost. */
#include <stdlib.h>

#include "base/error.h"
#include "maintain/refs.h"
#include "support/alloc_sweep.h"
#include "unit/maintain/kit.h"

typedef struct seen {
    size_t good, bad;
    int64_t last_micros;
    bool in_order;
    uint64_t sum;
} seen;

static s3store_status take(void *ctx, const s3s_ref *ref, const char *why,
                           const s3store_list_entry *entry, s3store_error *err)
{
    seen *s = ctx;
    (void)err;
    assert_non_null(entry->key);
    if (ref == NULL) {
        assert_true(why[0] != '\0');
        s->bad++;
        return S3STORE_OK;
    }
    s->in_order = s->in_order && ref->micros >= s->last_micros;
    s->last_micros = ref->micros;
    s->good++;
    s->sum += (uint64_t)ref->micros;
    return S3STORE_OK;
}

/* Stamps: some close together, some far apart, some in the future. */
static uint64_t add_refs(fixture *fx, size_t count)
{
    int64_t stamp = s3s_wall_us(fx->env) - INT64_C(30) * 24 * 3600 * 1000000;
    uint64_t sum = 0;
    unsigned dice = 7;
    for (size_t i = 0; i < count; i++) {
        char key[S3S_KEY_SIZE], id[S3S_ATTEMPT_ID_SIZE + 1];
        s3store_error err;
        fixture_attempt(i, id);
        stamp += i % 700 == 0 ? INT64_C(86400000000) : rand_r(&dice) % 1000 + 1;
        assert_ok(s3s_ref_key(&fx->target->layout, stamp, "t", id, "p=1", key, &err));
        fixture_put(fx, key, NULL, 0, NULL);
        sum += (uint64_t)stamp;
    }
    return sum;
}

static void test_refs__slices_see_each_ref_once(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    uint64_t lists;
    kit_open(&fx);
    fixture_put(&fx, "ds/_ref/junk", NULL, 0, NULL);
    fixture_put(&fx, "ds/_ref/0-early.ref", NULL, 0, NULL);
    uint64_t sum = add_refs(&fx, 12345);
    for (size_t slices = 1; slices <= 64; slices *= 4) {
        seen s = {.in_order = true};
        assert_ok(s3s_refs_walk(fx.target, NULL, slices, take, &s, &lists, &err));
        assert_int_equal(s.good, 12345);
        assert_int_equal(s.bad, 2);
        assert_true(s.sum == sum);
        assert_true(slices > 1 || s.in_order);
        assert_true(lists >= 13 && lists <= 13 + slices);
    }
    fixture_close_clean(&fx);
}

static void test_refs__few_cost_one_list(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    uint64_t lists;
    seen s = {.in_order = true};
    kit_open(&fx);
    assert_ok(s3s_refs_walk(fx.target, NULL, 16, take, &s, &lists, &err));
    assert_int_equal(lists, 1);
    add_refs(&fx, 10);
    assert_ok(s3s_refs_walk(fx.target, NULL, 16, take, &s, &lists, &err));
    assert_int_equal(lists, 1);
    assert_int_equal(s.good, 10);
    fixture_close_clean(&fx);
}

/* What is no ref says nothing about time, and stamps of the future say nothing about what is left. */
static void test_refs__a_first_page_that_shows_no_pace_is_followed_by_one_slice(void **state)
{
    (void)state;
    for (int future = 0; future < 2; future++) {
        fixture fx;
        s3store_error err;
        uint64_t lists;
        seen s = {.in_order = true};
        kit_open(&fx);
        for (int i = 0; i < 1100; i++) {
            char key[S3S_KEY_SIZE], id[S3S_ATTEMPT_ID_SIZE + 1];
            int64_t day_us = INT64_C(86400000000);
            fixture_attempt((uint64_t)i, id);
            snprintf(key, sizeof key, "ds/_ref/0-junk-%04d", i);
            if (future == 1)
                assert_ok(s3s_ref_key(&fx.target->layout, s3s_wall_us(fx.env) + day_us + i, "t", id,
                                      "p=1", key, &err));
            fixture_put(&fx, key, NULL, 0, NULL);
        }
        assert_ok(s3s_refs_walk(fx.target, NULL, 16, take, &s, &lists, &err));
        assert_int_equal(s.good + s.bad, 1100);
        assert_true(s.in_order);
        assert_int_equal(lists, 2);
        fixture_close_clean(&fx);
    }
}

static void test_refs__no_more_than_64_slices_are_made(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    uint64_t lists;
    seen s = {.in_order = true};
    kit_open(&fx);
    uint64_t sum = add_refs(&fx, 1500);
    assert_ok(s3s_refs_walk(fx.target, NULL, 100000, take, &s, &lists, &err));
    assert_true(s.sum == sum);
    assert_true(lists <= 66);
    fixture_close_clean(&fx);
}

static s3store_status walk_in_slices(void *ctx, s3s_env *env, s3store_error *err)
{
    fixture *fx = ctx;
    uint64_t lists;
    seen s = {.in_order = true};
    (void)env;
    s3store_status status = s3s_refs_walk(fx->target, NULL, 4, take, &s, &lists, err);
    if (status == S3STORE_OK)
        assert_int_equal(s.good, 1500);
    return status;
}

static void test_refs__memory_that_runs_out_is_an_error(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    add_refs(&fx, 1500);
    alloc_steps_within(fx.env, true, walk_in_slices, &fx);
    fixture_close_clean(&fx);
}

/* ---- servers that lie -------------------------------------------------------------- */

typedef struct liar {
    s3store_object_store inner;
    enum { REPEATS, ENDLESS, TOO_LONG } how;
    s3store_list_fn fn;
    void *ctx;
} liar;

static bool twice(void *ctx, const s3store_list_entry *entry)
{
    liar *l = ctx;
    return l->fn(l->ctx, entry) && l->fn(l->ctx, entry);
}

static s3store_status lying_list(void *impl, const s3store_call *call,
                                 const s3store_list_request *request, s3store_list_fn fn, void *ctx,
                                 s3store_list_reply *reply, s3store_error *err)
{
    liar *l = impl;
    if (l->how == ENDLESS) {
        *reply = (s3store_list_reply){.truncated = true};
        return S3STORE_OK;
    }
    if (l->how == TOO_LONG) {
        static char key[S3S_KEY_SIZE + 1];
        s3store_list_entry folder = {.key = "ds/_ref/folder/", .is_prefix = true},
                           entry = {.key = memset(key, 'k', S3S_KEY_SIZE)};
        *reply = (s3store_list_reply){.truncated = false};
        assert_true(fn(ctx, &folder)); /* nobody asked for folders: they say nothing */
        fn(ctx, &entry);
        return S3STORE_OK;
    }
    l->fn = fn;
    l->ctx = ctx;
    return s3s_list(&l->inner, call, request, twice, l, reply, err);
}

static s3store_status take_refuses(void *ctx, const s3s_ref *ref, const char *why,
                                   const s3store_list_entry *entry, s3store_error *err)
{
    (void)ctx;
    (void)ref;
    (void)why;
    return s3s_fail_key(err, S3STORE_LIMIT_EXCEEDED, entry->key, "enough, says the test");
}

static void test_refs__what_the_taker_says_ends_the_walk(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    uint64_t lists;
    kit_open(&fx);
    add_refs(&fx, 3000);
    for (size_t slices = 1; slices <= 16; slices += 15) {
        assert_fails(s3s_refs_walk(fx.target, NULL, slices, take_refuses, NULL, &lists, &err),
                     S3STORE_LIMIT_EXCEEDED, "says the test");
        assert_int_equal(s3s_refs_walk(fx.target, NULL, slices, take_refuses, NULL, &lists, NULL),
                         S3STORE_LIMIT_EXCEEDED);
    }
    fixture_close_clean(&fx);
}

static void test_refs__listings_that_cannot_be_are_corrupt_and_end(void **state)
{
    (void)state;
    static const char *const says[] = {[REPEATS] = "not in key order",
                                       [ENDLESS] = "lists none",
                                       [TOO_LONG] = "a key of more than 1024 bytes"};
    for (int how = 0; how < 3; how++) {
        fixture fx;
        s3store_error err;
        uint64_t lists;
        seen s = {.in_order = true};
        kit_open(&fx);
        add_refs(&fx, 3);
        liar l = {.inner = *fx.target->store, .how = how};
        s3store_object_store lying = *fx.target->store;
        const s3store_object_store *honest = fx.target->store;
        lying.impl = &l;
        lying.list = lying_list;
        fx.target->store = &lying;
        assert_fails(s3s_refs_walk(fx.target, NULL, 16, take, &s, &lists, &err), S3STORE_CORRUPT,
                     says[how]);
        assert_int_equal(lists, 1);
        assert_int_equal(s.good, how == REPEATS ? 1 : 0);
        fx.target->store = honest;
        fixture_close_clean(&fx);
    }
}

const struct CMUnitTest refs_tests[] = {
    cmocka_unit_test(test_refs__what_the_taker_says_ends_the_walk),
    cmocka_unit_test(test_refs__listings_that_cannot_be_are_corrupt_and_end),
    cmocka_unit_test(test_refs__slices_see_each_ref_once),
    cmocka_unit_test(test_refs__few_cost_one_list),
    cmocka_unit_test(test_refs__a_first_page_that_shows_no_pace_is_followed_by_one_slice),
    cmocka_unit_test(test_refs__no_more_than_64_slices_are_made),
    cmocka_unit_test(test_refs__memory_that_runs_out_is_an_error),
};
const size_t refs_test_count = sizeof refs_tests / sizeof refs_tests[0];
