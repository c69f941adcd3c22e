/* Sixteen threads, each with a handle of its own, write the same token at the same time into one
 * store in memory: one data object becomes visible, and all of them report the same result. 20
 * rounds, 200 with S3S_FULL=1.
 */
#include "unit/write/stage.h"

#include <pthread.h>
#include <stdlib.h>

enum { WRITERS = 16, ROUNDS = 20, FULL_ROUNDS = 200 };

typedef struct race {
    stage s;
    s3store_target *targets[WRITERS];
    pthread_barrier_t start;
    int round;
} race;

typedef struct racer {
    race *r;
    s3store_writer *writer;
    s3store_status status;
    s3store_error err;
    s3store_write_result *result;
} racer;

static void *run_racer(void *ctx)
{
    racer *w = ctx;
    char token[32];
    struct ArrowArrayStream stream;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    snprintf(token, sizeof token, "round-%d", w->r->round);
    options.token = token;
    options.optimistic = w->r->round % 3 == 2;
    stage_stream(&w->r->s, "p:string?;id:string?;v:int64?", ROWS("a|x|1", "a|y|2"), &stream);
    pthread_barrier_wait(&w->r->start);
    w->status = s3s_write(w->writer, &stream, &options, &w->result, &w->err);
    return NULL;
}

static void check_round(race *r, const racer *racers)
{
    size_t done = 0;
    const s3store_commit *first = s3store_write_result_get(racers[0].result, 0);
    for (size_t i = 0; i < WRITERS; i++) {
        if (racers[i].status != S3STORE_OK)
            fail_msg("round %d, writer %zu: %s", r->round, i, racers[i].err.message);
        const s3store_commit *c = s3store_write_result_get(racers[i].result, 0);
        assert_string_equal(c->data_path, first->data_path);
        assert_string_equal(c->ref_path, first->ref_path);
        assert_true(c->inserted_at_us == first->inserted_at_us);
        assert_int_equal(c->row_count, 2);
        done += c->state == S3STORE_COMMIT_DONE;
        assert_true(c->state == S3STORE_COMMIT_DONE || c->state == S3STORE_COMMIT_EXISTING);
    }
    assert_int_equal(done, 1);
}

static void run_round(race *r, racer *racers)
{
    pthread_t threads[WRITERS];
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_racer, &racers[i]), 0);
    for (size_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    check_round(r, racers);
    for (size_t i = 0; i < WRITERS; i++)
        s3store_write_result_free(racers[i].result);
}

static void test_one_token__sixteen_threads_report_one_result(void **state)
{
    static const char *const everything[] = {"*"};
    static race r;
    racer racers[WRITERS];
    s3store_error err;
    s3store_listing *listing;
    const char *full = getenv("S3S_FULL");
    int rounds = full != NULL && strcmp(full, "1") == 0 ? FULL_ROUNDS : ROUNDS;
    (void)state;
    stage_open(&r.s, &(stage_options){.real = true, .entity = true});
    assert_int_equal(pthread_barrier_init(&r.start, NULL, WRITERS), 0);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &r.s.memory;
    config.bucket = "stage";
    config.prefix = "ds";
    for (size_t i = 0; i < WRITERS; i++) {
        racers[i] = (racer){.r = &r};
        assert_ok(s3s_target_open(r.s.env, &config, &r.targets[i], &err));
        assert_ok(s3s_writer_open(r.targets[i], NULL, &racers[i].writer, &err));
    }
    for (r.round = 0; r.round < rounds; r.round++)
        run_round(&r, racers);
    assert_int_equal(stage_count(&r.s, ".commit"), rounds);
    print_message("%d rounds of %d; %zu attempts lost\n", rounds, WRITERS,
                  stage_count(&r.s, ".parquet") - (size_t)rounds);
    assert_ok(s3s_list_files(r.s.target, everything, 1, NULL, &listing, &err));
    assert_int_equal(s3store_listing_count(listing), rounds);
    s3store_listing_free(listing);
    for (size_t i = 0; i < WRITERS; i++) {
        s3s_writer_free(racers[i].writer);
        s3s_target_release(r.targets[i]);
    }
    pthread_barrier_destroy(&r.start);
    stage_close(&r.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_token__sixteen_threads_report_one_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
