/* Every allocation of a small write fails once: the write says so or recovers, what is visible is
 * what it says, and nothing is lost. */
#include "unit/write/stage.h"

#define PIV "p:string?;id:string?;v:int64?"

typedef struct attempt_at {
    s3store_status status;
    size_t committed;
} attempt_at;

static void check_result(const s3store_write_result *result, const char *rows, attempt_at *out)
{
    char expected[64] = "";
    size_t count = s3store_write_result_count(result);
    out->committed = 0;
    for (size_t i = 0; i < count; i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        if (c->state == S3STORE_COMMIT_DONE) {
            strcat(expected, i == 0 ? "a|x|1;" : "b|y|2;");
            out->committed++;
            assert_non_null(c->data_path);
        } else if (c->state == S3STORE_COMMIT_FAILED) {
            assert_int_equal(c->error->status, S3STORE_OUT_OF_MEMORY);
        } else {
            assert_int_equal(c->state, S3STORE_COMMIT_NOT_TRIED);
        }
    }
    assert_string_equal(rows, expected);
}

/* The n-th allocation from here on fails; false when there are not so many. */
static bool write_failing_at(uint64_t n, size_t partitions, const char *token)
{
    static const char *const rows[] = {"a|x|1", "b|y|2"};
    stage s;
    s3store_error err = {0};
    s3store_write_result *result;
    struct ArrowArrayStream stream;
    attempt_at a;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    stage_open(&s, &(stage_options){.entity = true});
    stage_stream(&s, PIV, rows, partitions, &stream);
    s3s_env_fail_alloc_at(s.env, n);
    a.status = s3s_write(s.writer, &stream, &options, &result, &err);
    s3s_env_fail_alloc_at(s.env, UINT64_MAX - 1);
    s3s_env_fail_alloc_at(s.env, UINT64_MAX);
    check_result(result, stage_rows(&s), &a);
    if (a.status == S3STORE_OK)
        assert_int_equal(a.committed, partitions);
    else if (a.status == S3STORE_PARTIAL)
        assert_true(a.committed > 0 && a.committed < partitions);
    else
        assert_true(a.status == S3STORE_OUT_OF_MEMORY && a.committed == 0);
    if (a.status != S3STORE_OK)
        assert_int_equal(err.status, a.status);
    s3store_write_result_free(result);
    /* It is usable as before. */
    assert_ok(stage_write(&s, PIV, rows, partitions, &options, NULL, &err));
    if (token != NULL)
        assert_string_equal(stage_rows(&s), partitions == 1 ? "a|x|1;" : "a|x|1;b|y|2;");
    stage_close(&s);
    return a.status == S3STORE_OK;
}

static void sweep(size_t partitions, const char *token)
{
    uint64_t failures = 0, successes_in_a_row = 0, n = 0;
    for (; successes_in_a_row < 60; n++) {
        if (write_failing_at(n, partitions, token)) {
            successes_in_a_row++;
        } else {
            successes_in_a_row = 0;
            failures++;
        }
        assert_true(n < 5000);
    }
    print_message("%llu allocations, %llu failures told\n", (unsigned long long)n,
                  (unsigned long long)failures);
    assert_true(failures > 50);
}

static void test_memory__one_partition(void **state)
{
    (void)state;
    sweep(1, "tok");
}

static void test_memory__two_partitions_with_generated_tokens(void **state)
{
    (void)state;
    sweep(2, NULL);
}

static void test_memory__lookup_and_restamp(void **state)
{
    bool done = false;
    (void)state;
    for (uint64_t n = 0; !done; n++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        stage_open(&s, NULL);
        assert_ok(stage_write_one(&s, "tok", NULL, &err));
        s3s_env_fail_alloc_at(s.env, n);
        s3store_status status = s3s_lookup_commit(s.target, "p=a", "tok", NULL, &result, &err);
        assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
        assert_true((result != NULL) == (status == S3STORE_OK));
        done = status == S3STORE_OK;
        s3store_write_result_free(result);
        s3s_env_fail_alloc_at(s.env, n);
        status = s3s_restamp(s.target, "p=a", "tok", NULL, &result, &err);
        assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
        assert_true((result != NULL) == (status == S3STORE_OK));
        done = done && status == S3STORE_OK;
        s3store_write_result_free(result);
        s3s_env_fail_alloc_at(s.env, UINT64_MAX);
        stage_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__one_partition),
        cmocka_unit_test(test_memory__two_partitions_with_generated_tokens),
        cmocka_unit_test(test_memory__lookup_and_restamp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
