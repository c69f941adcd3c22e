/* The real env: memory, clocks, stamps, attempt ids, log, call limits. */
#include "support/test.h"

#include <stdlib.h>

#include "base/env.h"
#include "base/kept.h"
#include "base/uuid.h"

static s3s_env *env;

static int set_up(void **state)
{
    (void)state;
    return s3s_env_new_real(&env, NULL) == S3STORE_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    s3s_env_release(env);
    return 0;
}

static void test_memory__is_counted(void **state)
{
    (void)state;
    char *a = s3s_alloc(env, 0);
    char *b = s3s_alloc(env, 0);
    assert_non_null(a);
    assert_ptr_not_equal(a, b);
    int *zeros = s3s_calloc(env, 10, sizeof *zeros);
    for (int i = 0; i < 10; i++)
        assert_int_equal(zeros[i], 0);
    char *text = s3s_strndup(env, "abcdef", 3);
    assert_string_equal(text, "abc");
    assert_int_equal(s3s_env_live_allocs(env), 4);
    a = s3s_realloc(env, a, 100);
    char *fresh = s3s_realloc(env, NULL, 5);
    assert_int_equal(s3s_env_live_allocs(env), 5);
    s3s_free(env, a);
    s3s_free(env, b);
    s3s_free(env, zeros);
    s3s_free(env, text);
    s3s_free(env, fresh);
    s3s_free(env, NULL);
    assert_int_equal(s3s_env_live_allocs(env), 0);
}

static void test_memory__env_null_is_malloc(void **state)
{
    (void)state;
    char *p = s3s_strdup(NULL, "x");
    assert_string_equal(p, "x");
    free(p);
    s3s_free(NULL, s3s_calloc(NULL, 0, 8));
}

static void test_memory__sizes_that_cannot_be_give_null(void **state)
{
    (void)state;
    assert_null(s3s_alloc(env, SIZE_MAX));
    assert_null(s3s_calloc(env, SIZE_MAX / 2, 3));
    assert_null(s3s_calloc(NULL, SIZE_MAX, 1));
    assert_int_equal(s3s_env_live_allocs(env), 0);
}

static void test_fail_alloc__hits_exactly_the_nth(void **state)
{
    (void)state;
    s3s_env_fail_alloc_at(env, 2);
    void *a = s3s_alloc(env, 1);
    void *b = s3s_calloc(env, 1, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(s3s_realloc(env, a, 50)); /* a stays */
    void *c = s3s_alloc(env, 1);
    assert_non_null(c);
    s3s_free(env, a);
    s3s_free(env, b);
    s3s_free(env, c);
    assert_int_equal(s3s_env_live_allocs(env), 0);
}

static void test_wipe__overwrites(void **state)
{
    (void)state;
    char secret[] = "secret";
    s3s_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        assert_int_equal(secret[i], 0);
    s3s_wipe(NULL, 0);
}

static void test_clocks__run_forward(void **state)
{
    (void)state;
    int64_t mono = s3s_mono_us(env);
    int64_t boot = s3s_boot_us(env);
    assert_true(s3s_wall_us(env) > INT64_C(1700000000000000));
    assert_true(s3s_server_wall_us(env) > INT64_C(1700000000000000));
    assert_true(s3s_mono_us(env) >= mono);
    assert_true(s3s_boot_us(env) >= boot);
    assert_false(s3s_env_is_simulated(env));
    assert_false(s3s_env_is_simulated(NULL));
    s3s_env_point(env, S3S_POINT_STORE, "nothing happens");
}

static void test_stamp__never_repeats(void **state)
{
    (void)state;
    int64_t last = s3s_stamp_us(env);
    for (int i = 0; i < 10000; i++) {
        int64_t next = s3s_stamp_us(env);
        assert_true(next > last);
        last = next;
    }
}

static void test_attempt_id__is_a_uuid_7_and_ascends(void **state)
{
    (void)state;
    s3store_error err;
    char last[S3S_ATTEMPT_ID_SIZE + 1] = "", id[S3S_ATTEMPT_ID_SIZE + 1];
    for (int i = 0; i < 10000; i++) {
        assert_ok(s3s_attempt_id(env, id, &err));
        assert_true(strcmp(id, last) > 0);
        assert_true(s3s_attempt_id_valid(id, strlen(id)));
        assert_int_equal(id[12], '7');
        assert_non_null(strchr("89ab", id[16]));
        memcpy(last, id, sizeof id);
    }
    char ms[13] = "";
    memcpy(ms, id, 12);
    int64_t age_ms = s3s_wall_us(env) / 1000 - (int64_t)strtoll(ms, NULL, 16);
    assert_true(age_ms >= -60000 && age_ms < 60000);
}

static void test_attempt_id__valid_is_32_lower_case_hex_digits(void **state)
{
    (void)state;
    const char *good = "0123456789abcdef0123456789abcdef";
    assert_true(s3s_attempt_id_valid(good, 32));
    assert_false(s3s_attempt_id_valid(good, 31));
    assert_false(s3s_attempt_id_valid("0123456789abcdef0123456789abcdef0", 33));
    assert_false(s3s_attempt_id_valid("0123456789ABCDEF0123456789abcdef", 32));
    assert_false(s3s_attempt_id_valid("0123456789abcdeg0123456789abcdef", 32));
    assert_false(s3s_attempt_id_valid("", 0));
}

static void test_random__fills_everything(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t a[64] = {0}, b[64] = {0};
    assert_ok(s3s_random(env, a, sizeof a, &err));
    assert_ok(s3s_random(env, b, sizeof b, &err));
    assert_memory_not_equal(a, b, sizeof a);
    assert_ok(s3s_random(env, NULL, 0, &err));
}

struct log_seen {
    int count;
    size_t fields;
    char text[128];
};

static void record_log(void *ctx, s3store_log_level level, const char *message,
                       const s3store_log_field *fields, size_t field_count)
{
    struct log_seen *seen = ctx;
    seen->count++;
    seen->fields = field_count;
    snprintf(seen->text, sizeof seen->text, "%d %s %s=%s", (int)level, message,
             field_count > 0 ? fields[0].key : "", field_count > 0 ? fields[0].value : "");
}

static void test_log__respects_the_level(void **state)
{
    (void)state;
    struct log_seen seen = {0};
    s3s_log(env, S3STORE_LOG_ERROR, "nobody listens", NULL);
    s3s_log(NULL, S3STORE_LOG_ERROR, "no env", NULL);
    s3s_env_set_log(env, record_log, &seen, S3STORE_LOG_WARN);
    s3s_log(env, S3STORE_LOG_INFO, "too quiet", NULL);
    assert_int_equal(seen.count, 0);
    s3s_log(env, S3STORE_LOG_WARN, "skipping", "key", "a/b", "other", (const char *)NULL, NULL);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.fields, 2);
    assert_string_equal(seen.text, "2 skipping key=a/b");
    s3s_log(env, S3STORE_LOG_ERROR, "plain", NULL);
    assert_string_equal(seen.text, "1 plain =");
}

static void test_call__limits(void **state)
{
    (void)state;
    s3store_error err;
    s3store_cancel *cancel;
    assert_ok(s3store_cancel_new(&cancel, &err));
    assert_ok(s3s_call_check(env, NULL, &err));
    s3store_call call = s3s_call_make(env, cancel, 0);
    assert_true(call.deadline_us == S3STORE_TIME_NONE);
    assert_ok(s3s_call_check(env, &call, &err));
    call = s3s_call_make(env, cancel, 3600000);
    assert_ok(s3s_call_check(env, &call, &err));
    call.deadline_us = s3s_mono_us(env);
    assert_fails(s3s_call_check(env, &call, &err), S3STORE_TIMEOUT, "time limit");
    call = s3s_call_make(env, cancel, INT64_MAX);
    assert_true(call.deadline_us == INT64_MAX);
    call = s3s_call_make(env, cancel, -5);
    assert_fails(s3s_call_check(env, &call, &err), S3STORE_TIMEOUT, NULL);
    s3store_cancel_trigger(cancel);
    assert_fails(s3s_call_check(env, &call, &err), S3STORE_CANCELLED, "cancelled");
    s3store_cancel_free(cancel);
}

static void test_env__lives_until_its_last_release(void **state)
{
    (void)state;
    assert_ptr_equal(s3s_env_retain(env), env);
    s3s_env_release(env);
    s3s_free(env, s3s_alloc(env, 1));
    s3s_env_release(NULL);
    assert_null(s3s_env_retain(NULL));
}

static s3s_env *open_keeping(uint64_t bytes)
{
    s3store_error err;
    s3s_env *own = NULL;
    assert_ok(s3s_env_new_real(&own, &err));
    s3s_env_keep_blocks(own, bytes);
    return own;
}

/* Sizes of all kinds, each block filled to its end, some grown and shrunk: nothing overlaps. */
static void test_kept__blocks_come_back_and_are_large_enough(void **state)
{
    enum { LIVE = 24, ROUNDS = 4000 };
    uint8_t *live[LIVE] = {NULL};
    size_t sizes[LIVE] = {0};
    uint64_t z = 7;
    s3s_env *own = open_keeping(UINT64_C(8) << 20);
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        z = z * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t at = (size_t)(z >> 33) % LIVE, size = (size_t)(z >> 20) % 700000 + 1;
        uint8_t *p = live[at];
        for (size_t i = 0; p != NULL && i < sizes[at]; i += 4093)
            assert_int_equal(p[i], at);
        if (round % 3 == 0) {
            s3s_free(own, p);
            live[at] = s3s_alloc(own, size);
        } else {
            live[at] = s3s_realloc(own, p, size);
            for (size_t i = 0; p != NULL && i < size && i < sizes[at]; i += 4093)
                assert_int_equal(live[at][i], at);
        }
        assert_non_null(live[at]);
        sizes[at] = size;
        memset(live[at], (int)at, size);
    }
    for (size_t i = 0; i < LIVE; i++)
        s3s_free(own, live[i]);
    assert_int_equal(s3s_env_live_allocs(own), 0);
    s3s_env_release(own);
}

static void test_kept__no_more_is_kept_than_allowed(void **state)
{
    s3s_kept kept = {.max_bytes = 1 << 20};
    (void)state;
    assert_int_equal(pthread_mutex_init(&kept.mutex, NULL), 0);
    assert_null(s3s_kept_take(&kept, 100000));
    for (size_t i = 0; i < 64; i++) {
        size_t size = S3S_KEPT_MIN + i * 3000;
        void *p = malloc(size);
        assert_non_null(p);
        assert_true(s3s_kept_give(&kept, p, size));
        assert_true(kept.locked.bytes <= kept.max_bytes);
    }
    assert_in_range(kept.locked.bytes, kept.max_bytes / 2, kept.max_bytes);
    void *large = malloc(300000), *small = malloc(1000);
    assert_false(s3s_kept_give(&kept, large, 300000)); /* more than a quarter */
    assert_false(s3s_kept_give(&kept, small, 1000));
    free(large);
    free(small);
    void *p = s3s_kept_take(&kept, 200000);
    assert_non_null(p);
    memset(p, 1, 200000);
    free(p);
    for (size_t size = 1; size < 2 * S3S_KEPT_MAX; size = size * 5 / 4 + 1)
        assert_true(s3s_kept_round(size) >= size && s3s_kept_round(size) <= size + size / 4);
    s3s_kept_deinit(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory__is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory__env_null_is_malloc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory__sizes_that_cannot_be_give_null, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_fail_alloc__hits_exactly_the_nth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wipe__overwrites, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clocks__run_forward, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stamp__never_repeats, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attempt_id__is_a_uuid_7_and_ascends, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_attempt_id__valid_is_32_lower_case_hex_digits, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_random__fills_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_log__respects_the_level, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_call__limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_env__lives_until_its_last_release, set_up, tear_down),
        cmocka_unit_test(test_kept__blocks_come_back_and_are_large_enough),
        cmocka_unit_test(test_kept__no_more_is_kept_than_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
