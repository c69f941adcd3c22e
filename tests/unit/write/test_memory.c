/* Every allocation of a small write fails once: the write says so or recovers, what is visible is
 * what it says, and nothing is lost. */
#include "base/env_private.h"
#include "support/alloc_sweep.h"
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
    s3s_env_fail_any_alloc_at(s.env, n);
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

/* ---- each way of saying what is written ------------------------------------------------------ */

/* What one write says, and its rows, made elsewhere: the writer's memory is what is tested. */
typedef struct repeated {
    stage *s;
    const char *columns;
    const char *const *rows;
    size_t row_count;
    s3store_write_options options;
    size_t commits;
} repeated;

static s3store_status write_again(void *ctx, s3s_env *env, s3store_error *err)
{
    const repeated *r = ctx;
    stage elsewhere = {.env = NULL};
    struct ArrowArrayStream stream;
    s3store_write_result *result;
    (void)env;
    stage_stream(&elsewhere, r->columns, r->rows, r->row_count, &stream);
    s3store_status status = s3s_write(r->s->writer, &stream, &r->options, &result, err);
    assert_null(stream.release);
    if (status == S3STORE_OK)
        assert_int_equal(s3store_write_result_count(result), r->commits);
    if (status == S3STORE_PARTIAL) /* of several, some: which is no other failure */
        status = err->status = S3STORE_OUT_OF_MEMORY;
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        if (c->state == S3STORE_COMMIT_FAILED)
            assert_int_equal(c->error->status, S3STORE_OUT_OF_MEMORY);
    }
    s3store_write_result_free(result);
    return status;
}

static s3store_status token_by_partition(void *ctx, const char *partition,
                                         const struct ArrowSchema *schema,
                                         const struct ArrowArray *rows, char *token,
                                         size_t token_size, s3store_error *err)
{
    (void)ctx;
    (void)schema;
    (void)rows;
    (void)err;
    snprintf(token, token_size, "of-%s", partition + 2);
    return S3STORE_OK;
}

static s3store_status always_a(void *ctx, const struct ArrowSchema *schema,
                               const struct ArrowArray *rows, int64_t row, int64_t input_row,
                               char *key, size_t key_size, s3store_error *err)
{
    (void)ctx;
    (void)schema;
    (void)rows;
    (void)row;
    (void)input_row;
    (void)err;
    snprintf(key, key_size, "p=a");
    return S3STORE_OK;
}

static void sweep_write(const stage_options *stage_of, const s3store_write_options *options,
                        const char *const *rows, size_t row_count, size_t commits)
{
    stage s;
    s3store_error err;
    stage_open(&s, stage_of);
    repeated r = {&s, PIV, rows, row_count, *options, commits};
    assert_ok(stage_write(&s, PIV, ROWS("z|z|9"), NULL, NULL, &err)); /* the schema */
    alloc_steps_within(s.env, true, write_again, &r);
    stage_close(&s);
}

static void test_memory__of_every_way_to_write_every_allocation_may_fail(void **state)
{
    (void)state;
    const s3store_write_options none = S3STORE_WRITE_OPTIONS_INIT;
    s3store_write_options token = none, by_token = none, by_key = none, key = none, dry = none;
    token.token = "tok";
    by_token.token_of = token_by_partition;
    by_key.partition_of = always_a;
    key.partition = "p=a";
    dry.dry_run = true;
    const stage_options serial = {.entity = true, .serial = true};
    const stage_options inserted = {.entity = true, .serial = true, .inserted_at_column = "at"};
    const s3store_view_def *const views[] = {&(const s3store_view_def){
        .size = sizeof(s3store_view_def),
        .name = "v",
        .columns = (const char *const[]){"id"},
        .column_count = 1}};
    const stage_options viewed = {.serial = true, .views = views, .view_count = 1};
    sweep_write(&inserted, &none, ROWS("a|x|1", "b|y|2"), 2);
    sweep_write(&inserted, &token, ROWS("a|x|1"), 1); /* the first, then retries of it */
    sweep_write(&serial, &by_token, ROWS("a|x|1", "b|y|2"), 2);
    sweep_write(&serial, &by_key, ROWS("a|x|1"), 1);
    sweep_write(&serial, &key, ROWS("a|x|1"), 1);
    sweep_write(&serial, &dry, ROWS("a|x|1", "b|y|2"), 2);
    sweep_write(&viewed, &none, ROWS("a|x|1", "b|y|2"), 2);
}

/* Rows of two partitions that come mixed are sorted by partition first, where they are many. */
static void test_memory__of_mixed_rows_every_allocation_may_fail(void **state)
{
    enum { MIXED = 10000 };
    static char texts[MIXED][24];
    static const char *rows[MIXED];
    const s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    stage s;
    s3store_error err;
    (void)state;
    for (int i = 0; i < MIXED; i++) {
        snprintf(texts[i], sizeof texts[i], "%c|x|%d", i % 2 == 0 ? 'a' : 'b', i);
        rows[i] = texts[i];
    }
    const stage_options serial = {.serial = true};
    stage_open(&s, &serial);
    repeated r = {&s, PIV, rows, MIXED, options, 2};
    assert_ok(stage_write(&s, PIV, ROWS("z|z|9"), NULL, NULL, &err));
    s3store_write_result *result = NULL;
    struct ArrowArrayStream stream;
    stage_stream(&s, PIV, rows, MIXED, &stream);
    assert_ok(s3s_write(s.writer, &stream, &options, &result, &err));
    s3store_write_result_free(result);
    size_t failures = 0;
    for (uint64_t n = 0; n < 60; n++) { /* reading, grouping and arranging; encoding is as elsewhere */
        s3s_env_fail_any_alloc_at(s.env, n);
        s3store_status status = write_again(&r, s.env, &err);
        s3s_env_fail_alloc_at(s.env, UINT64_MAX);
        assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
        failures += status != S3STORE_OK;
    }
    assert_true(failures > 20);
    stage_close(&s);
}

/* Small things are put together in blocks that double: what fills a block finds no other one, whichever
 * thing it is. Names of every length move the ends of blocks along. */
static void test_memory__whatever_fills_a_block_is_an_error(void **state)
{
    enum { PARTS = 250, SHORTEST = 4, LENGTHS = 104, STEP = 1, BLOCK = 40000 };
    static char texts[PARTS][200];
    static const char *rows[PARTS];
    size_t failures = 0;
    (void)state;
    for (int length = SHORTEST; length < LENGTHS; length += STEP) {
        stage s;
        s3store_error err;
        const stage_options serial = {.serial = true, .inserted_at_column = "at"};
        stage_open(&s, &serial);
        repeated r = {&s, PIV, rows, PARTS, S3STORE_WRITE_OPTIONS_INIT, PARTS};
        r.options.dry_run = true;
        r.options.token_of = token_by_partition;
        for (int i = 0; i < PARTS; i++) {
            snprintf(texts[i], sizeof texts[i], "%0*d|x|%d", length, i, i);
            rows[i] = texts[i];
        }
        memset(&err, 0, sizeof err);
        s3s_env_limit_alloc(s.env, BLOCK);
        s3store_status status = write_again(&r, s.env, &err);
        s3s_env_limit_alloc(s.env, UINT64_MAX);
        assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
        assert_int_equal(err.status, status);
        failures += status != S3STORE_OK;
        memset(&err, 0, sizeof err);
        assert_ok(write_again(&r, s.env, &err));
        stage_close(&s);
    }
    assert_int_equal(failures, (LENGTHS - SHORTEST) / STEP);
}

/* The same of the chunks of one partition. */
static void test_memory__whatever_chunk_fills_a_block_is_an_error(void **state)
{
    enum { CHUNKS = 250, SHORTEST = 4, LENGTHS = 104, STEP = 1 };
    static char key[200], texts[CHUNKS][220], token[200];
    static const char *rows[CHUNKS];
    size_t failures = 0;
    (void)state;
    for (int length = SHORTEST; length < LENGTHS; length += STEP) {
        stage s;
        s3store_error err;
        const stage_options serial = {.serial = true};
        stage_open(&s, &serial);
        s.target->settings.chunk_rows = 1;
        repeated r = {&s, PIV, rows, CHUNKS, S3STORE_WRITE_OPTIONS_INIT, CHUNKS};
        snprintf(key, sizeof key, "%0*d", 5, 7);
        snprintf(token, sizeof token, "%0*d", length, 1);
        r.options.dry_run = true;
        r.options.token = token;
        for (int i = 0; i < CHUNKS; i++) {
            snprintf(texts[i], sizeof texts[i], "%s|x|%d", key, i);
            rows[i] = texts[i];
        }
        memset(&err, 0, sizeof err);
        s3s_env_limit_alloc(s.env, 40000);
        s3store_status status = write_again(&r, s.env, &err);
        s3s_env_limit_alloc(s.env, UINT64_MAX);
        assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
        assert_int_equal(err.status, status);
        failures += status != S3STORE_OK;
        memset(&err, 0, sizeof err);
        assert_ok(write_again(&r, s.env, &err));
        stage_close(&s);
    }
    assert_int_equal(failures, (LENGTHS - SHORTEST) / STEP);
}

/* A retry that finds only at its commit how the first write was cut, and cuts again. */
static void test_memory__of_a_retry_that_cuts_again_every_allocation_may_fail(void **state)
{
    enum { MANY = 40 };
    static char texts[MANY][24];
    static const char *rows[MANY];
    stage s;
    s3store_error err;
    const stage_options serial = {.entity = true, .serial = true};
    (void)state;
    stage_open(&s, &serial);
    for (int i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "a|%02d|%d", i, i);
        rows[i] = texts[i];
    }
    s.target->settings.chunk_rows = 2;
    repeated r = {&s, PIV, rows, MANY, S3STORE_WRITE_OPTIONS_INIT, MANY / 2};
    r.options.token = "t";
    assert_ok(stage_write(&s, PIV, rows, MANY, &r.options, NULL, &err));
    s.target->settings.chunk_rows = 1000;
    r.options.optimistic = true;
    alloc_steps_within(s.env, true, write_again, &r);
    assert_int_equal(stage_count(&s, ".commit"), MANY / 2);
    stage_close(&s);
}

/* A partition larger than memory: its body goes through a file; and one of several commits. */
static void test_memory__of_large_partitions_every_allocation_may_fail(void **state)
{
    enum { MANY = 60 };
    static char texts[MANY][60];
    static const char *rows[MANY];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "a|%040d|%d", i, i);
        rows[i] = texts[i];
    }
    for (int several = 0; several < 2; several++) {
        stage s;
        s3store_error err;
        const stage_options serial = {.serial = true, .memory_bytes = several ? 0 : 2000};
        stage_open(&s, &serial);
        repeated r = {&s, PIV, rows, several ? 3 : MANY, S3STORE_WRITE_OPTIONS_INIT,
                      several ? 3 : 1};
        assert_ok(stage_write(&s, PIV, ROWS("z|z|9"), NULL, NULL, &err));
        s.target->settings.chunk_rows = several;
        r.options.no_token = true;
        alloc_steps_within(s.env, true, write_again, &r);
        stage_close(&s);
    }
}

/* The same of columns. */
static void test_memory__whatever_column_fills_a_block_is_an_error(void **state)
{
    enum { LEAST = 15, MOST = 60, PADS = 8 };
    static char columns[2048], row[2048];
    stage s;
    s3store_error err;
    const char *const rows[] = {row};
    const stage_options serial = {.serial = true, .inserted_at_column = "at"};
    size_t failures = 0;
    (void)state;
    stage_open(&s, &serial);
    for (int count = LEAST; count < MOST; count++) {
        for (int pad = 0; pad < PADS; pad++) {
            repeated r = {&s, columns, rows, 1, S3STORE_WRITE_OPTIONS_INIT, 1};
            r.options.dry_run = true;
            size_t used = (size_t)snprintf(columns, sizeof columns, "p:string?;%0*d:int8?",
                                           16 * pad + 5, 0);
            size_t said = (size_t)snprintf(row, sizeof row, "a|1");
            for (int i = 0; i < count; i++) {
                used += (size_t)snprintf(columns + used, sizeof columns - used, ";c%d:int8?", i);
                said += (size_t)snprintf(row + said, sizeof row - said, "|1");
            }
            memset(&err, 0, sizeof err);
            s3s_env_limit_alloc(s.env, 4200);
            s3store_status status = write_again(&r, s.env, &err);
            s3s_env_limit_alloc(s.env, UINT64_MAX);
            assert_true(status == S3STORE_OK || status == S3STORE_OUT_OF_MEMORY);
            failures += status != S3STORE_OK;
        }
    }
    assert_true(failures > 0);
    stage_close(&s);
}

static s3store_status look_up_again(void *ctx, s3s_env *env, s3store_error *err)
{
    const stage *s = ctx;
    s3store_write_result *result;
    (void)env;
    s3store_status status = s3s_lookup_commit(s->target, "p=a", "tok", NULL, &result, err);
    assert_true((result != NULL) == (status == S3STORE_OK));
    s3store_write_result_free(result);
    return status;
}

static s3store_status restamp_again(void *ctx, s3s_env *env, s3store_error *err)
{
    stage *s = ctx;
    s3store_write_result *result;
    s3store_error own;
    (void)env;
    s3store_status status = s3s_restamp(s->target, "p=a", "tok", NULL, &result, err);
    assert_true((result != NULL) == (status == S3STORE_OK));
    s3store_write_result_free(result);
    assert_int_equal(s3s_sleep_us(s->env, 1000, NULL, &own), S3STORE_OK); /* another stamp */
    return status;
}

/* With "p=" it fills the first block of a buffer, so that its end needs another. */
#define KEY_VALUE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd"

static s3store_status key_again(void *ctx, s3s_env *env, s3store_error *err)
{
    const stage *s = ctx;
    s3store_error own;
    struct ArrowSchema abi;
    struct ArrowArray batch;
    char key[S3S_KEY_SIZE];
    s3s_schema *schema = kit_schema(NULL, PIV);
    (void)env;
    KIT_BATCH(schema, &batch, KEY_VALUE "|x|1");
    assert_int_equal(s3s_schema_export(schema, &abi, &own), S3STORE_OK);
    s3store_status status = s3s_partition_key(s->writer, &abi, &batch, 0, key, sizeof key, err);
    assert_string_equal(key, status == S3STORE_OK ? "p=" KEY_VALUE : "");
    abi.release(&abi);
    batch.release(&batch);
    s3s_schema_release(schema);
    return status;
}

static void test_memory__lookup_restamp_and_keys(void **state)
{
    stage s;
    s3store_error err;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write_one(&s, "tok", NULL, &err));
    alloc_steps_within(s.env, true, look_up_again, &s);
    alloc_steps_within(s.env, true, restamp_again, &s);
    alloc_steps_within(s.env, true, key_again, &s);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__one_partition),
        cmocka_unit_test(test_memory__two_partitions_with_generated_tokens),
        cmocka_unit_test(test_memory__of_every_way_to_write_every_allocation_may_fail),
        cmocka_unit_test(test_memory__of_mixed_rows_every_allocation_may_fail),
        cmocka_unit_test(test_memory__whatever_fills_a_block_is_an_error),
        cmocka_unit_test(test_memory__whatever_chunk_fills_a_block_is_an_error),
        cmocka_unit_test(test_memory__whatever_column_fills_a_block_is_an_error),
        cmocka_unit_test(test_memory__of_a_retry_that_cuts_again_every_allocation_may_fail),
        cmocka_unit_test(test_memory__of_large_partitions_every_allocation_may_fail),
        cmocka_unit_test(test_memory__lookup_restamp_and_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
