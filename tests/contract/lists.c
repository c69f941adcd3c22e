/* LIST: order, prefixes, pages. */
#include <pthread.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "contract/words.h"

static void test_list__key_order_is_not_directory_order(void **state)
{
    (void)state;
    static const char *const names[] = {
        "data/a=1/x.parquet",   "data/a=1/x.commit",  "data/a=1-2/x.parquet",
        "data/a=1.5/x.parquet", "data/a=10/x.parquet", "data/a=1",
        "data/a=2/b=1/x",       "data/a=2/b=1-1/x",   "data/a=2/b=1.5/x",
    };
    listed *l = new_listed();
    char **keys = put_names("order", names, COUNT(names));
    list_pages(l, key_of("order", "data/"), NULL, NULL, 0);
    expect_keys(l, (const char *const *)keys, COUNT(names));
    assert_true(s3s_ends_with(l->keys[0], "/a=1"));
    assert_true(s3s_ends_with(l->keys[1], "/a=1-2/x.parquet"));
    assert_true(s3s_ends_with(l->keys[2], "/a=1.5/x.parquet"));
    assert_true(s3s_ends_with(l->keys[3], "/a=1/x.commit"));
    for (uint32_t max = 1; max <= 4; max++) {
        list_pages(l, key_of("order", "data/"), NULL, NULL, max);
        expect_keys(l, (const char *const *)keys, COUNT(names));
    }
    free_listed(l);
    free_names(keys, COUNT(names));
}

static void test_list__prefix_is_of_bytes_not_of_directories(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "a/1", "ab", "ab/1", "abc/d/e", "b"};
    listed *l = new_listed();
    char **keys = put_names("prefix", names, COUNT(names));
    static const struct {
        const char *prefix;
        size_t from, count;
    } cases[] = {{"", 0, 6},  {"a", 0, 5},      {"a/", 1, 1},      {"ab", 2, 3}, {"ab/", 3, 1},
                 {"abc", 4, 1}, {"abc/d/e", 4, 1}, {"abc/d/e/", 5, 0}, {"b", 5, 1}, {"b/", 6, 0},
                 {"c", 6, 0},   {"A", 0, 0},       {"a/1/", 2, 0},     {"abc/d", 4, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        list_pages(l, key_of("prefix", cases[i].prefix), NULL, NULL, 0);
        expect_keys(l, (const char *const *)keys + cases[i].from, cases[i].count);
    }
    free_listed(l);
    free_names(keys, COUNT(names));
}

static void test_list__start_after_is_exclusive(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b/1", "b/2", "b/3/x", "b0", "c"};
    listed *l = new_listed();
    char **keys = put_names("after", names, COUNT(names));
    for (uint32_t max = 0; max <= 2; max++) {
        for (size_t i = 0; i < COUNT(names); i++) {
            list_pages(l, key_of("after", ""), keys[i], NULL, max);
            expect_keys(l, (const char *const *)keys + i + 1, COUNT(names) - i - 1);
        }
    }
    /* Keys that are not there: between, before and behind, inside of what is a directory. */
    static const struct {
        const char *after;
        size_t from;
    } cases[] = {{"", 0},     {"a0", 1},   {"b", 1},    {"b/", 1},    {"b/1/z", 2}, {"b/2~", 3},
                 {"b/3", 3},  {"b/3/", 3}, {"b/3/y", 4}, {"b1", 5},    {"d", 6},     {"0", 0}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        list_pages(l, key_of("after", ""), key_of("after", cases[i].after), NULL, 0);
        expect_keys(l, (const char *const *)keys + cases[i].from, COUNT(names) - cases[i].from);
    }
    list_pages(l, key_of("after", "b/"), key_of("after", "a"), NULL, 0);
    expect_keys(l, (const char *const *)keys + 1, 3);
    list_pages(l, key_of("after", "b/"), key_of("after", "c"), NULL, 0);
    assert_int_equal(l->count, 0);
    free_listed(l);
    free_names(keys, COUNT(names));
}

static void test_list__delimiter_rolls_up(void **state)
{
    (void)state;
    static const char *const names[] = {"a/1", "a/2", "b", "b-c/1", "b/1", "b/2/3", "c/d/e", "z"};
    static const char *const rolled[] = {"a/", "b", "b-c/", "b/", "c/", "z"};
    listed *l = new_listed();
    char **keys = put_names("roll", names, COUNT(names));
    char *expected[COUNT(rolled)];
    for (size_t i = 0; i < COUNT(rolled); i++)
        expected[i] = strdup(key_of("roll", rolled[i]));
    for (uint32_t max = 0; max <= 4; max++) {
        list_pages(l, key_of("roll", ""), NULL, "/", max);
        qsort(l->keys, l->count, sizeof l->keys[0], by_bytes);
        expect_keys(l, (const char *const *)expected, COUNT(rolled));
    }
    /* A page tells common prefixes from objects. */
    list_pages(l, key_of("roll", ""), NULL, "/", 0);
    for (size_t i = 0; i < l->count; i++)
        assert_int_equal(l->is_prefix[i], s3s_ends_with(l->keys[i], "/"));
    list_pages(l, key_of("roll", "b/"), NULL, "/", 0);
    assert_int_equal(l->count, 2);
    /* Not rolled up: the delimiter lies in the prefix. */
    list_pages(l, key_of("roll", "c/d/"), NULL, "/", 0);
    assert_int_equal(l->count, 1);
    assert_false(l->is_prefix[0]);
    for (size_t i = 0; i < COUNT(rolled); i++)
        free(expected[i]);
    free_listed(l);
    free_names(keys, COUNT(names));
}

typedef struct fill_job {
    const char *folder;
    size_t from, count, step;
} fill_job;

static void *fill_thread(void *ctx)
{
    const fill_job *job = ctx;
    char name[64];
    for (size_t i = job->from; i < job->count; i += job->step) {
        snprintf(name, sizeof name, "%04zu-token;k=%zu.ref", i, i % 7);
        put_text(key_of(job->folder, name), "");
    }
    return NULL;
}

static void test_list__many_pages(void **state)
{
    (void)state;
    s3store_error err;
    enum { MANY = 1203, THREADS = 8 };
    pthread_t threads[THREADS];
    fill_job jobs[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        jobs[i] = (fill_job){"many", i, MANY, THREADS};
        assert_int_equal(pthread_create(&threads[i], NULL, fill_thread, &jobs[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    listed *l = new_listed();
    /* The default page has 1000 keys. */
    assert_int_equal(list_pages(l, key_of("many", ""), NULL, NULL, 0), 2);
    assert_int_equal(l->count, MANY);
    for (size_t i = 0; i < l->count; i++) {
        char want[64];
        snprintf(want, sizeof want, "%04zu-token;k=%zu.ref", i, i % 7);
        assert_true(s3s_ends_with(l->keys[i], want));
    }
    /* 100 keys a page; as a whole; stopped early; from the middle. */
    assert_int_equal(list_pages(l, key_of("many", ""), NULL, NULL, 100), 13);
    assert_int_equal(l->count, MANY);
    uint64_t pages = 0;
    listed_clear(l);
    assert_ok(s3s_list_all(the->store, NULL, key_of("many", ""), NULL, 500, collect, l, &pages,
                           &err));
    assert_int_equal(l->count, MANY);
    assert_int_equal(pages, 3);
    listed_clear(l);
    l->stop_at = 250;
    pages = 0;
    assert_ok(s3s_list_all(the->store, NULL, key_of("many", ""), NULL, 100, collect, l, &pages,
                           &err));
    assert_int_equal(l->count, 250);
    assert_int_equal(pages, 3);
    l->stop_at = 0;
    list_pages(l, key_of("many", ""), key_of("many", "1200"), NULL, 0);
    assert_int_equal(l->count, 3);
    list_pages(l, key_of("many", "07"), NULL, NULL, 30);
    assert_int_equal(l->count, 100);
    free_listed(l);
}

static void test_list__page_that_ends_exactly_is_complete(void **state)
{
    (void)state;
    static const char *const names[] = {"1", "2", "3", "4"};
    listed *l = new_listed();
    char **keys = put_names("exact", names, COUNT(names));
    assert_int_equal(list_pages(l, key_of("exact", ""), NULL, NULL, 4), 1);
    assert_int_equal(list_pages(l, key_of("exact", ""), NULL, NULL, 2), 2);
    assert_int_equal(list_pages(l, key_of("exact", ""), NULL, NULL, 3), 2);
    expect_keys(l, (const char *const *)keys, 4);
    free_listed(l);
    free_names(keys, COUNT(names));
}

static void test_list__sees_every_put_that_was_answered(void **state)
{
    (void)state;
    listed *l = new_listed();
    size_t rounds = the->remote ? 30 : 200;
    for (size_t i = 1; i <= rounds; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%zu/%zu", i % 5, i);
        put_text(key_of("fresh", name), "");
        list_pages(l, key_of("fresh", ""), NULL, NULL, 0);
        assert_int_equal(l->count, i);
    }
    free_listed(l);
}

/* The neighbours of directories are where walking them side by side could go wrong. */
static void test_list__side_by_side_is_the_same_as_page_after_page(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a", "a-1/x", "a-1/y", "a.b", "a.b/c", "a/1", "a/2/3", "a/2/4", "a/5", "a0", "b/c/d/e",
        "b/c/d/f", "b/c/g", "b/d", "c/1", "c/2", "c/3", "c/4", "c/5", "c/6", "c/7", "d"};
    s3store_error err;
    s3s_pool *pool = NULL;
    listed *l = new_listed();
    char **keys = put_names("walk", names, COUNT(names));
    assert_ok(s3s_pool_new(the->env, 3, &pool, &err));
    for (uint32_t max_keys = 1; max_keys <= 5; max_keys++) {
        s3s_walk_options options = {.prefix = key_of("walk", ""),
                                    .limit = 3,
                                    .serial_pages = 1,
                                    .max_keys = max_keys};
        listed_clear(l);
        assert_ok(s3s_list_parallel(the->env, the->store, pool, NULL, &options, collect, l, NULL,
                                    &err));
        expect_keys(l, (const char *const *)keys, COUNT(names));
    }
    s3s_pool_free(pool);
    free_listed(l);
    free_names(keys, COUNT(names));
}

int contract_lists(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list__key_order_is_not_directory_order),
        cmocka_unit_test(test_list__prefix_is_of_bytes_not_of_directories),
        cmocka_unit_test(test_list__start_after_is_exclusive),
        cmocka_unit_test(test_list__delimiter_rolls_up),
        cmocka_unit_test(test_list__many_pages),
        cmocka_unit_test(test_list__side_by_side_is_the_same_as_page_after_page),
        cmocka_unit_test(test_list__page_that_ends_exactly_is_complete),
        cmocka_unit_test(test_list__sees_every_put_that_was_answered),
    };
    return cmocka_run_group_tests_name(the->name, tests, NULL, NULL);
}
