/* The real env: one writer, many threads, many partitions. For the thread sanitizer above all. */
#include <pthread.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "unit/write/stage.h"

enum { THREADS = 4, PARTITIONS = 24 };

typedef struct worker {
    stage *s;
    const char *token;
    s3store_status status;
    s3store_error err;
    s3store_write_result *result;
} worker;

static void *work(void *ctx)
{
    worker *w = ctx;
    char rows[PARTITIONS][32];
    const char *texts[PARTITIONS];
    struct ArrowArrayStream stream;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = w->token;
    for (size_t i = 0; i < PARTITIONS; i++) {
        snprintf(rows[i], sizeof rows[i], "p%02zu|x%zu|1", i, i);
        texts[i] = rows[i];
    }
    stage_stream(w->s, "p:string?;id:string?;v:int64?", texts, PARTITIONS, &stream);
    w->status = s3s_write(w->s->writer, &stream, &options, &w->result, &w->err);
    return NULL;
}

static void run(const char *token, worker *workers)
{
    pthread_t threads[THREADS];
    stage s;
    stage_open(&s, &(stage_options){.real = true, .max_inflight = 8, .entity = true});
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){.s = &s, .token = token};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++)
        if (workers[i].status != S3STORE_OK)
            fail_msg("%s", workers[i].err.message);
    assert_int_equal(stage_count(&s, ".commit"), token != NULL ? PARTITIONS : THREADS * PARTITIONS);
    for (size_t p = 0; p < PARTITIONS; p++) {
        size_t done = 0;
        for (size_t i = 0; i < THREADS; i++) {
            const s3store_commit *c = s3store_write_result_get(workers[i].result, p);
            done += c->state == S3STORE_COMMIT_DONE;
            if (token != NULL)
                assert_string_equal(c->data_path,
                                    s3store_write_result_get(workers[0].result, p)->data_path);
        }
        assert_int_equal(done, token != NULL ? 1 : THREADS);
    }
    for (size_t i = 0; i < THREADS; i++)
        s3store_write_result_free(workers[i].result);
    stage_close(&s);
}

static void test_threads__writers_of_one_token_agree(void **state)
{
    worker workers[THREADS];
    (void)state;
    run("tok", workers);
}

static void test_threads__writes_do_not_disturb_each_other(void **state)
{
    worker workers[THREADS];
    (void)state;
    run(NULL, workers);
}

static void get_data(stage *s, const char *key, s3s_buffer *out)
{
    s3store_error err;
    s3s_buffer_init(out, s->env, SIZE_MAX);
    s3store_get_request get = {.size = sizeof get, .key = key, .length = S3STORE_LENGTH_ALL};
    s3store_object_info info = {0};
    s3store_sink sink = s3s_buffer_sink(out);
    assert_ok(s3s_get(&s->memory, NULL, &get, &sink, &info, &err));
}

/* The data object of a write of one large partition. */
static void write_large(stage *s, const char *token, size_t encoders, s3s_buffer *out)
{
    enum { ROWS = 40000, ROW = 40 };
    s3store_error err;
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    char *text = malloc((size_t)ROWS * ROW);
    const char **rows = malloc(ROWS * sizeof *rows);
    assert_true(text != NULL && rows != NULL);
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = text + i * ROW;
        snprintf(text + i * ROW, ROW, "a|id-%zu|%zu", i * 7919 % ROWS, i % 1000);
    }
    options.token = token;
    s->writer->encoders_max = encoders;
    assert_ok(stage_write(s, "p:string?;id:string?;v:int64?", rows, ROWS, &options, &result, &err));
    get_data(s, s3store_write_result_get(result, 0)->data_path, out);
    s3store_write_result_free(result);
    free(rows);
    free(text);
}

/* One partition is encoded by several threads, its next rows taken meanwhile. The content hash is the
 * same as well: with other threads the token is found again. */
static void test_threads__one_partition_is_the_same_bytes_on_any_number_of_them(void **state)
{
    (void)state;
    stage s;
    s3s_buffer one, four, again;
    stage_open(&s, &(stage_options){.real = true, .memory_bytes = 16 << 20});
    write_large(&s, "one", 1, &one);
    write_large(&s, "four", 4, &four);
    write_large(&s, "one", 4, &again);
    assert_true(one.size > 200000);
    assert_int_equal(one.size, four.size);
    assert_memory_equal(one.data, four.data, one.size);
    assert_memory_equal(one.data, again.data, one.size);
    assert_int_equal(stage_count(&s, ".commit"), 2);
    s3s_buffer_deinit(&one);
    s3s_buffer_deinit(&four);
    s3s_buffer_deinit(&again);
    stage_close(&s);
}

/* ---- many partitions, mixed ------------------------------------------------------------------ */

enum { MIXED_BATCHES = 6, MIXED_ROWS = 12000 }; /* together enough to be grouped by several threads */

/* Batches whose rows are of all partitions in turn. */
static void mixed_stream(stage *s, struct ArrowArrayStream *out)
{
    enum { ROW = 48 };
    stage_batches batches = {0};
    char *text = malloc((size_t)MIXED_ROWS * ROW);
    const char **rows = malloc(MIXED_ROWS * sizeof *rows);
    assert_true(text != NULL && rows != NULL);
    for (size_t b = 0; b < MIXED_BATCHES; b++) {
        for (size_t i = 0; i < MIXED_ROWS; i++) {
            size_t row = b * MIXED_ROWS + i;
            rows[i] = text + i * ROW;
            snprintf(text + i * ROW, ROW, "p%02zu|id-%zu|%zu", row * 7919 % PARTITIONS, row, row % 500);
        }
        stage_batches_add(s, &batches, "p:string?;id:string?;v:int64?", rows, MIXED_ROWS);
    }
    stage_batches_stream(&batches, out);
    free(rows);
    free(text);
}

static void write_mixed(stage *s, size_t encoders, const s3store_write_options *options,
                        s3store_status expected, s3store_write_result **out)
{
    s3store_error err = {0};
    struct ArrowArrayStream stream;
    mixed_stream(s, &stream);
    s->writer->encoders_max = encoders;
    s3store_status status = s3s_write(s->writer, &stream, options, out, &err);
    if (status != expected)
        fail_msg("%d: %s", (int)status, err.message);
}

/* Grouped, arranged and encoded side by side; and the same token finds it again. */
static void test_threads__mixed_partitions_are_the_same_bytes_on_any_number_of_them(void **state)
{
    (void)state;
    stage s;
    s3store_write_result *one, *four, *again;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    stage_open(&s, &(stage_options){.real = true, .max_inflight = 8});
    options.token = "one";
    write_mixed(&s, 1, &options, S3STORE_OK, &one);
    options.token = "four";
    write_mixed(&s, 4, &options, S3STORE_OK, &four);
    options.token = "one";
    write_mixed(&s, 4, &options, S3STORE_OK, &again);
    assert_int_equal(s3store_write_result_count(one), PARTITIONS);
    for (size_t i = 0; i < PARTITIONS; i++) {
        s3s_buffer a, b;
        const s3store_commit *first = s3store_write_result_get(one, i);
        assert_int_equal(first->row_count, MIXED_BATCHES * MIXED_ROWS / PARTITIONS);
        get_data(&s, first->data_path, &a);
        get_data(&s, s3store_write_result_get(four, i)->data_path, &b);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        s3s_buffer_deinit(&a);
        s3s_buffer_deinit(&b);
        assert_int_equal(s3store_write_result_get(again, i)->state, S3STORE_COMMIT_EXISTING);
        assert_string_equal(s3store_write_result_get(again, i)->data_path, first->data_path);
    }
    s3store_write_result_free(one);
    s3store_write_result_free(four);
    s3store_write_result_free(again);
    stage_close(&s);
}

static void cancel_after_first(void *ctx, const s3store_write_progress *now)
{
    if (now->partitions_committed > 0)
        s3store_cancel_trigger(ctx);
}

/* One encoder, and all others wait for their turn when it comes. */
static void test_threads__cancelling_ends_those_that_wait_to_be_encoded(void **state)
{
    (void)state;
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_cancel *cancel;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    size_t done = 0;
    stage_open(&s, &(stage_options){.real = true, .max_inflight = 8});
    assert_ok(s3s_cancel_new(NULL, NULL, &cancel, &err));
    options.cancel = cancel;
    options.progress = cancel_after_first;
    options.progress_ctx = cancel;
    write_mixed(&s, 1, &options, S3STORE_PARTIAL, &result);
    for (size_t i = 0; i < PARTITIONS; i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        done += c->state == S3STORE_COMMIT_DONE;
        if (c->state == S3STORE_COMMIT_FAILED)
            assert_int_equal(c->error->status, S3STORE_CANCELLED);
        else
            assert_true(c->state == S3STORE_COMMIT_DONE || c->state == S3STORE_COMMIT_NOT_TRIED);
    }
    assert_in_range(done, 1, PARTITIONS - 1);
    assert_int_equal(stage_count(&s, ".commit"), done);
    s3store_write_result_free(result);
    s3store_cancel_free(cancel);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads__writers_of_one_token_agree),
        cmocka_unit_test(test_threads__writes_do_not_disturb_each_other),
        cmocka_unit_test(test_threads__one_partition_is_the_same_bytes_on_any_number_of_them),
        cmocka_unit_test(test_threads__mixed_partitions_are_the_same_bytes_on_any_number_of_them),
        cmocka_unit_test(test_threads__cancelling_ends_those_that_wait_to_be_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
