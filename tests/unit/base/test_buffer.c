/* Buffer, rope and arena: limits, overflow, failing allocations. */
#include "support/test.h"

#include "base/buffer.h"
#include "base/rope.h"

static s3s_env *env;

static int set_up(void **state)
{
    (void)state;
    return s3s_env_new_real(&env, NULL) == S3STORE_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    int leaked = s3s_env_live_allocs(env) != 0;
    s3s_env_release(env);
    return leaked ? -1 : 0;
}

static void test_buffer__grows_and_formats(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer b;
    s3s_buffer_init(&b, env, SIZE_MAX);
    assert_ok(s3s_buffer_append(&b, NULL, 0, &err));
    assert_ok(s3s_buffer_append_text(&b, "abc", &err));
    assert_ok(s3s_buffer_printf(&b, &err, "-%d-", 42));
    assert_string_equal(s3s_buffer_text(&b, &err), "abc-42-");
    assert_int_equal(b.size, 7);
    char big[2000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    assert_ok(s3s_buffer_printf(&b, &err, "%s|", big));
    assert_int_equal(b.size, 7 + sizeof big);
    assert_int_equal(b.data[b.size - 1], '|');
    s3s_buffer_clear(&b);
    assert_string_equal(s3s_buffer_text(&b, &err), "");
    assert_true(b.capacity >= sizeof big);
    s3s_buffer_deinit(&b);
    s3s_buffer_deinit(&b);
}

static void test_buffer__stops_at_its_maximum(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer b;
    s3s_buffer_init(&b, env, 10);
    assert_ok(s3s_buffer_append(&b, "0123456789", 10, &err));
    assert_string_equal(s3s_buffer_text(&b, &err), "0123456789"); /* the NUL is not counted */
    assert_fails(s3s_buffer_append(&b, "x", 1, &err), S3STORE_LIMIT_EXCEEDED, "10 bytes");
    assert_fails(s3s_buffer_printf(&b, &err, "%s", "y"), S3STORE_LIMIT_EXCEEDED, "limit");
    assert_null(s3s_buffer_reserve(&b, SIZE_MAX, &err));
    assert_int_equal(err.status, S3STORE_LIMIT_EXCEEDED);
    assert_int_equal(b.size, 10);
    s3s_buffer_deinit(&b);

    s3s_buffer_init(&b, env, SIZE_MAX);
    assert_ok(s3s_buffer_append(&b, "x", 1, &err));
    assert_fails(s3s_buffer_append(&b, "x", SIZE_MAX, &err), S3STORE_LIMIT_EXCEEDED, NULL);
    assert_fails(s3s_buffer_append(&b, "x", SIZE_MAX - 1, &err), S3STORE_OUT_OF_MEMORY, NULL);
    assert_int_equal(b.size, 1);
    s3s_buffer_deinit(&b);
}

static void test_buffer__growth_is_geometric(void **state)
{
    (void)state;
    s3s_buffer b;
    size_t growths = 0, before = 0;
    s3s_buffer_init(&b, env, SIZE_MAX);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(s3s_buffer_append(&b, "x", 1, NULL), S3STORE_OK);
        growths += b.capacity != before;
        before = b.capacity;
    }
    assert_true(growths < 20);
    s3s_buffer_deinit(&b);
}

static void test_buffer__failed_allocation_leaves_it_usable(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer b;
    s3s_buffer_init(&b, env, SIZE_MAX);
    s3s_env_fail_alloc_at(env, 0);
    assert_fails(s3s_buffer_append_text(&b, "abc", &err), S3STORE_OUT_OF_MEMORY, "memory");
    assert_ok(s3s_buffer_append_text(&b, "abc", &err));
    s3s_env_fail_alloc_at(env, 0);
    char big[1000] = {0};
    assert_fails(s3s_buffer_append(&b, big, sizeof big, &err), S3STORE_OUT_OF_MEMORY, NULL);
    assert_string_equal(s3s_buffer_text(&b, &err), "abc");
    s3s_env_fail_alloc_at(env, UINT64_MAX);
    s3s_buffer_deinit(&b);
}

static void test_buffer_sink__restarts_and_obeys_the_limit(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer b;
    s3s_buffer_init(&b, env, 8);
    s3store_sink sink = s3s_buffer_sink(&b);
    assert_ok(sink.begin(&sink, 4, &err));
    assert_ok(sink.write(&sink, "ab", 2, &err));
    assert_ok(sink.begin(&sink, -1, &err)); /* the second attempt */
    assert_ok(sink.write(&sink, "cdef", 4, &err));
    assert_string_equal(s3s_buffer_text(&b, &err), "cdef");
    assert_fails(sink.write(&sink, "ghijk", 5, &err), S3STORE_LIMIT_EXCEEDED, NULL);
    assert_fails(sink.begin(&sink, 9, &err), S3STORE_LIMIT_EXCEEDED, NULL);
    assert_fails(sink.begin(&sink, INT64_MAX, &err), S3STORE_LIMIT_EXCEEDED, NULL);
    s3s_buffer_deinit(&b);
}

static void test_arena__gives_aligned_memory(void **state)
{
    (void)state;
    s3s_arena a;
    s3s_arena_init(&a, env);
    char *zero = s3s_arena_alloc(&a, 0);
    char *one = s3s_arena_alloc(&a, 1);
    assert_non_null(zero);
    assert_ptr_not_equal(zero, one);
    for (size_t size = 1; size < 20000; size = size * 3 + 1) {
        uint8_t *p = s3s_arena_calloc(&a, size, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xEE, size);
    }
    assert_string_equal(s3s_arena_strdup(&a, "text"), "text");
    assert_string_equal(s3s_arena_strndup(&a, "text", 2), "te");
    assert_string_equal(s3s_arena_printf(&a, "%s=%d", "a", 5), "a=5");
    assert_true(a.used > 14000);
    s3s_arena_reset(&a);
    assert_int_equal(a.used, 0);
    assert_int_equal(s3s_env_live_allocs(env), 1);
    assert_non_null(s3s_arena_alloc(&a, 100));
    assert_int_equal(s3s_env_live_allocs(env), 1);
    s3s_arena_deinit(&a);
    s3s_arena_reset(&a);
}

static void test_arena__overflow_and_failed_allocation_give_null(void **state)
{
    (void)state;
    s3s_arena a;
    s3s_arena_init(&a, env);
    assert_null(s3s_arena_alloc(&a, SIZE_MAX));
    assert_null(s3s_arena_alloc(&a, SIZE_MAX - 64));
    assert_null(s3s_arena_calloc(&a, SIZE_MAX / 2, 3));
    s3s_env_fail_alloc_at(env, 0);
    assert_null(s3s_arena_strdup(&a, "x"));
    s3s_env_fail_alloc_at(env, 0);
    assert_null(s3s_arena_printf(&a, "%d", 1));
    s3s_env_fail_alloc_at(env, UINT64_MAX);
    assert_non_null(s3s_arena_strdup(&a, "x"));
    s3s_arena_deinit(&a);
}

/* ---- ropes ----------------------------------------------------------------------------------- */

static void check_rope(const s3s_rope *r, const s3s_buffer *expected)
{
    size_t at = 0;
    assert_int_equal(r->size, expected->size);
    for (size_t i = 0; i < r->count; i++) {
        assert_true(r->blocks[i].size <= expected->size - at);
        if (r->blocks[i].size > 0)
            assert_memory_equal(r->blocks[i].data, expected->data + at, r->blocks[i].size);
        at += r->blocks[i].size;
    }
    assert_int_equal(at, expected->size);
}

static uint32_t next_random(uint32_t *state)
{
    return *state = *state * 1664525 + 1013904223;
}

static void test_rope__holds_what_it_was_given_in_order(void **state)
{
    (void)state;
    s3store_error err;
    s3s_rope r, other;
    s3s_buffer all, from;
    uint32_t seed = 1;
    s3s_rope_init(&r, env);
    s3s_rope_init(&other, env);
    s3s_buffer_init(&all, env, SIZE_MAX);
    s3s_buffer_init(&from, env, SIZE_MAX);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 300; i++) {
            uint8_t bytes[70000];
            size_t size = next_random(&seed) >> 8;
            size = size % 3 == 0 ? size % sizeof bytes : size % 300;
            memset(bytes, i, size);
            assert_ok(s3s_buffer_append(&all, bytes, size, &err));
            if (i % 5 == 0) {
                assert_ok(s3s_buffer_append(&from, bytes, size, &err));
                const void *memory = from.data;
                size_t capacity = from.capacity;
                assert_ok(s3s_rope_take(&r, &from, &err));
                assert_int_equal(from.size, 0);
                if (size >= 16384 && size >= capacity / 2) /* the memory itself */
                    assert_ptr_equal(r.blocks[r.count - 1].data, memory);
            } else if (i % 5 == 1) {
                assert_ok(s3s_rope_append(&other, bytes, size / 2, &err));
                assert_ok(s3s_rope_append(&other, bytes + size / 2, size - size / 2, &err));
                assert_ok(s3s_rope_join(&r, &other, &err));
                assert_int_equal(other.size, 0);
                assert_int_equal(other.count, 0);
            } else {
                assert_ok(s3s_rope_append(&r, bytes, size, &err));
            }
        }
        check_rope(&r, &all);
        assert_true(s3s_rope_held_bytes(&r) >= all.size);
        assert_true(s3s_rope_held_bytes(&r) < 2 * all.size);
        s3s_rope_clear(&r); /* a block stays, a small one */
        s3s_buffer_clear(&all);
        check_rope(&r, &all);
        assert_int_equal(r.count, 1);
        assert_true(r.blocks[0].capacity <= 65536);
    }
    s3s_rope_deinit(&r);
    s3s_rope_deinit(&r);
    s3s_rope_deinit(&other);
    s3s_buffer_deinit(&all);
    s3s_buffer_deinit(&from);
}

static void test_rope__failed_allocation_changes_nothing(void **state)
{
    (void)state;
    s3store_error err;
    s3s_rope r, other;
    s3s_buffer all, from;
    char bytes[40000];
    memset(bytes, 'r', sizeof bytes);
    s3s_rope_init(&r, env);
    s3s_rope_init(&other, env);
    s3s_buffer_init(&all, env, SIZE_MAX);
    s3s_buffer_init(&from, env, SIZE_MAX);
    assert_ok(s3s_buffer_append(&from, bytes, sizeof bytes, &err));
    assert_ok(s3s_rope_append(&other, bytes, 3, &err));
    for (uint64_t n = 0; n < 2; n++) {
        s3s_env_fail_alloc_at(env, n);
        assert_fails(s3s_rope_append(&r, bytes, 1000, &err), S3STORE_OUT_OF_MEMORY, NULL);
        check_rope(&r, &all);
    }
    s3s_rope_deinit(&r);
    s3s_env_fail_alloc_at(env, 0);
    assert_fails(s3s_rope_take(&r, &from, &err), S3STORE_OUT_OF_MEMORY, NULL);
    s3s_env_fail_alloc_at(env, 0);
    assert_fails(s3s_rope_join(&r, &other, &err), S3STORE_OUT_OF_MEMORY, NULL);
    s3s_env_fail_alloc_at(env, UINT64_MAX);
    check_rope(&r, &all);
    assert_int_equal(from.size, sizeof bytes);
    assert_int_equal(other.size, 3);
    assert_ok(s3s_rope_append(&r, bytes, 1000, &err));
    assert_ok(s3s_buffer_append(&all, bytes, 1000, &err));
    s3s_env_fail_alloc_at(env, 0); /* the rest would go into a block of its own */
    assert_fails(s3s_rope_append(&r, bytes, sizeof bytes, &err), S3STORE_OUT_OF_MEMORY, NULL);
    s3s_env_fail_alloc_at(env, UINT64_MAX);
    check_rope(&r, &all);
    s3s_rope_deinit(&r);
    s3s_rope_deinit(&other);
    s3s_buffer_deinit(&all);
    s3s_buffer_deinit(&from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_buffer__grows_and_formats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_buffer__stops_at_its_maximum, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_buffer__growth_is_geometric, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_buffer__failed_allocation_leaves_it_usable, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_buffer_sink__restarts_and_obeys_the_limit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rope__holds_what_it_was_given_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_rope__failed_allocation_changes_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_arena__gives_aligned_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arena__overflow_and_failed_allocation_give_null,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
