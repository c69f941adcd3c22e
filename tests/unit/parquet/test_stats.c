/* tests/unit/parquet/test_stats.c: the least and greatest string, of strings of all shapes, however
 * they come: one by one, in batches, ascending.
 */
#include "env.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "parquet/stats.h"

#define ROUNDS 3000
#define COUNT_MAX 300

static uint64_t seed = 1;

static uint32_t next_below(uint32_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % n;
}

static int order(const void *a, const void *b)
{
    const s3store_bytes *x = a, *y = b;
    size_t n = x->size < y->size ? x->size : y->size;
    int by = n > 0 ? memcmp(x->data, y->data, n) : 0;
    return by != 0 ? by : x->size < y->size ? -1 : x->size > y->size;
}

/* Strings that have much in common, zeros and high bytes among them, each in a block of its size. */
static void make_strings(s3store_bytes *out, size_t count)
{
    static const char letters[] = {'a', 'b', 0, (char)0xff};
    uint32_t shared = next_below(40), tail = next_below(20) + 1, kinds = next_below(4) + 1;
    for (size_t i = 0; i < count; i++) {
        size_t size = next_below(20) == 0 ? next_below(shared + 1) : shared + next_below(tail);
        char *data = test_malloc(size > 0 ? size : 1);
        for (size_t k = 0; k < size; k++)
            data[k] = k < shared && next_below(500) > 0 ? 'p' : letters[next_below(kinds)];
        out[i] = (s3store_bytes){data, size};
    }
}

static void test_stats__bounds_of_strings_are_those_of_a_plain_search(void **state)
{
    (void)state;
    static const s3s_field field = {.name = "s", .type = S3S_TYPE_BINARY};
    s3store_bytes values[COUNT_MAX];
    s3store_error err;
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t count = 1 + next_below(COUNT_MAX);
        s3s_stats stats;
        make_strings(values, count);
        if (round % 3 == 0)
            qsort(values, count, sizeof *values, order);
        s3s_stats_init(&stats, env, &field);
        for (size_t at = 0, n; at < count; at += n) {
            n = 1 + next_below(round % 2 == 0 ? 2 : COUNT_MAX);
            n = n < count - at ? n : count - at;
            assert_ok(s3s_stats_update(&stats, values + at, n, &err));
        }
        qsort(values, count, sizeof *values, order);
        const s3store_bytes min = {stats.min.data, stats.min.size},
                            max = {stats.max.data, stats.max.size};
        assert_true(stats.any);
        assert_int_equal(order(&min, &values[0]), 0);
        assert_int_equal(order(&max, &values[count - 1]), 0);
        s3s_stats_deinit(&stats);
        for (size_t i = 0; i < count; i++)
            test_free((void *)values[i].data);
    }
}

/* As they lie in an Arrow buffer: an empty string begins where the next one does. */
static void test_stats__an_empty_string_is_not_the_one_that_begins_there(void **state)
{
    (void)state;
    static const s3s_field field = {.name = "s", .type = S3S_TYPE_BINARY};
    static const char text[] = "abc";
    const s3store_bytes values[] = {{text, 0}, {text, 3}};
    s3store_error err;
    s3s_stats stats;
    s3s_stats_init(&stats, env, &field);
    assert_ok(s3s_stats_update(&stats, values, 2, &err));
    assert_int_equal(stats.min.size, 0);
    assert_int_equal(stats.max.size, 3);
    s3s_stats_deinit(&stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_stats__bounds_of_strings_are_those_of_a_plain_search),
        T(test_stats__an_empty_string_is_not_the_one_that_begins_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
