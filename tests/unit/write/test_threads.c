/* The real env: one writer, many threads, many partitions. For the thread sanitizer above all. */
#include <pthread.h>
#include <stdlib.h>

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
    s3s_buffer_init(out, s->env, SIZE_MAX);
    s3store_get_request get = {.size = sizeof get,
                               .key = s3store_write_result_get(result, 0)->data_path,
                               .length = S3STORE_LENGTH_ALL};
    s3store_object_info info = {0};
    s3store_sink sink = s3s_buffer_sink(out);
    assert_ok(s3s_get(&s->memory, NULL, &get, &sink, &info, &err));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads__writers_of_one_token_agree),
        cmocka_unit_test(test_threads__writes_do_not_disturb_each_other),
        cmocka_unit_test(test_threads__one_partition_is_the_same_bytes_on_any_number_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
