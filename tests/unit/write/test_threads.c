/* The real env: one writer, many threads, many partitions. For the thread sanitizer above all. */
#include <pthread.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads__writers_of_one_token_agree),
        cmocka_unit_test(test_threads__writes_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
