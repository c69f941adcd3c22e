/* The set of attempts: in memory, then in a file; the latest stamp of each. */
#include "maintain/attempt_set.h"
#include "unit/maintain/kit.h"

static s3s_slice slice(const char *text)
{
    return (s3s_slice){.data = text, .size = strlen(text)};
}

static void add(s3s_attempt_set *set, const char *partition, const char *token, uint64_t attempt,
                int64_t stamp)
{
    s3store_error err;
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    fixture_attempt(attempt, id);
    assert_ok(s3s_attempt_set_add(set, slice(partition), slice(token), id, stamp, &err));
}

static bool has(s3s_attempt_set *set, const char *partition, const char *token, uint64_t attempt,
                int64_t *stamp)
{
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    fixture_attempt(attempt, id);
    return s3s_attempt_set_has(set, slice(partition), slice(token), id, stamp);
}

static void test_attempt_set__keeps_the_latest_stamp_of_each(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env;
    s3s_attempt_set *set;
    int64_t stamp = 0;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_attempt_set_new(env, "/tmp", 0, &set, &err));
    assert_false(has(set, "p=1", "t", 1, NULL));
    add(set, "p=1", "t", 1, 10);
    add(set, "p=1", "t", 1, 5);
    add(set, "p=1", "t", 2, -7);
    assert_true(has(set, "p=1", "t", 1, &stamp));
    assert_int_equal(stamp, 10);
    assert_true(has(set, "p=1", "t", 2, &stamp));
    assert_int_equal(stamp, -7);
    add(set, "p=1", "t", 1, 11);
    assert_true(has(set, "p=1", "t", 1, &stamp));
    assert_int_equal(stamp, 11);
    assert_int_equal(s3s_attempt_set_count(set), 2);
    s3s_attempt_set_free(set);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

static void test_attempt_set__parts_are_not_joined(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env;
    s3s_attempt_set *set;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_attempt_set_new(env, "/tmp", 0, &set, &err));
    add(set, "p=a:b", "c", 1, 0);
    assert_false(has(set, "p=a", "b:c", 1, NULL));
    assert_false(has(set, "p=a:b", "", 1, NULL));
    assert_false(has(set, "p=a:", "bc", 1, NULL));
    assert_true(has(set, "p=a:b", "c", 1, NULL));
    s3s_attempt_set_free(set);
    s3s_env_release(env);
}

static void test_attempt_set__grows_into_a_file_and_loses_nothing(void **state)
{
    (void)state;
    enum { COUNT = 50000 };
    s3store_error err;
    s3s_env *env;
    s3s_attempt_set *set;
    int64_t stamp;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_attempt_set_new(env, "/tmp", 64 * 1024, &set, &err));
    for (uint64_t i = 0; i < COUNT; i++)
        add(set, "p=1", "t", i, (int64_t)i * 3);
    assert_int_equal(s3s_attempt_set_count(set), COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_true(has(set, "p=1", "t", i, &stamp));
        assert_int_equal(stamp, (int64_t)i * 3);
        assert_false(has(set, "p=1", "t", i + COUNT, NULL));
    }
    assert_true(s3s_env_live_allocs(env) <= 2); /* the table is none of them */
    s3s_attempt_set_free(set);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

static void test_attempt_set__names_the_directory_that_cannot_be_used(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env;
    s3s_attempt_set *set;
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_attempt_set_new(env, "/no/such/directory", 24 * 1024, &set, &err));
    s3store_status status = S3STORE_OK;
    for (uint64_t i = 0; i < 4096 && status == S3STORE_OK; i++) {
        fixture_attempt(i, id);
        memset(&err, 0, sizeof err);
        status = s3s_attempt_set_add(set, slice("p=1"), slice("t"), id, 0, &err);
    }
    assert_int_equal(status, S3STORE_IO);
    assert_non_null(strstr(err.message, "/no/such/directory"));
    assert_non_null(strstr(err.message, "--spill-dir"));
    assert_true(has(set, "p=1", "t", 0, NULL)); /* and it is still whole */
    s3s_attempt_set_free(set);
    s3s_env_release(env);
}

const struct CMUnitTest attempt_set_tests[] = {
    cmocka_unit_test(test_attempt_set__keeps_the_latest_stamp_of_each),
    cmocka_unit_test(test_attempt_set__parts_are_not_joined),
    cmocka_unit_test(test_attempt_set__grows_into_a_file_and_loses_nothing),
    cmocka_unit_test(test_attempt_set__names_the_directory_that_cannot_be_used),
};
const size_t attempt_set_test_count = sizeof attempt_set_tests / sizeof attempt_set_tests[0];
