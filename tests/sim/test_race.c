/* Every interleaving of two writers that use one token at once, over the memory store: the real
 * write path, one step of one writer at a time. */
#include "support/test.h"

#include <stdlib.h>

#include "base/error.h"
#include "sim/world.h"

typedef struct race {
    world w;
    struct racer {
        struct race *race;
        size_t index;
        int64_t v;
        s3store_status status;
        s3store_error err;
        s3store_write_result *result;
    } racers[WORLD_WRITERS];
    int64_t rows;
    size_t markers, data_files, refs;
    s3store_status counted;
    s3store_error count_error;
    bool same_data;
} race;

static void run_racer(void *ctx)
{
    struct racer *r = ctx;
    r->status = world_write(&r->race->w, r->index, "2018-02-07", "quake", r->v, "batch-1",
                            &r->result, &r->err);
}

static void run_count(void *ctx)
{
    race *r = ctx;
    s3store_error *err = &r->count_error;
    r->counted = world_count_rows(&r->w, &r->rows, err);
    if (r->counted == S3STORE_OK)
        r->counted = world_count_keys(&r->w, "/batch-1.commit", &r->markers, err);
    if (r->counted == S3STORE_OK)
        r->counted = world_count_keys(&r->w, ".parquet", &r->data_files, err);
    if (r->counted == S3STORE_OK)
        r->counted = world_count_keys(&r->w, ".ref", &r->refs, err);
}

static s3store_status check_same(const race *r, s3store_error *err)
{
    const s3store_commit *a = s3store_write_result_get(r->racers[0].result, 0);
    const s3store_commit *b = s3store_write_result_get(r->racers[1].result, 0);
    for (size_t i = 0; i < WORLD_WRITERS; i++)
        if (r->racers[i].status != S3STORE_OK)
            return s3s_fail(err, S3STORE_INTERNAL, "writer %zu: %s", i, r->racers[i].err.message);
    if (a == NULL || b == NULL || strcmp(a->data_path, b->data_path) != 0 ||
        strcmp(a->ref_path, b->ref_path) != 0 || a->inserted_at_us != b->inserted_at_us)
        return s3s_fail(err, S3STORE_INTERNAL, "the writers report different results");
    int done = (a->state == S3STORE_COMMIT_DONE) + (b->state == S3STORE_COMMIT_DONE);
    int existing = (a->state == S3STORE_COMMIT_EXISTING) + (b->state == S3STORE_COMMIT_EXISTING);
    if (done != 1 || existing != 1)
        return s3s_fail(err, S3STORE_INTERNAL, "%d writers committed and %d found a commit", done,
                        existing);
    return S3STORE_OK;
}

static s3store_status check_reused(const race *r, s3store_error *err)
{
    int ok = 0, reused = 0;
    for (size_t i = 0; i < WORLD_WRITERS; i++) {
        ok += r->racers[i].status == S3STORE_OK;
        reused += r->racers[i].status == S3STORE_TOKEN_REUSED;
    }
    if (ok != 1 || reused != 1)
        return s3s_fail(err, S3STORE_INTERNAL, "%d writers succeeded and %d saw the token reused",
                        ok, reused);
    return S3STORE_OK;
}

static s3store_status run_race(void *ctx, s3s_explorer *explorer, s3store_error *err)
{
    race *r = calloc(1, sizeof *r);
    if (r == NULL)
        return s3s_fail_memory(err, sizeof *r);
    r->same_data = *(const bool *)ctx;
    s3store_status status = world_open(&r->w, explorer, NULL, err);
    for (size_t i = 0; i < WORLD_WRITERS && status == S3STORE_OK; i++) {
        int64_t v = r->same_data ? 1 : (int64_t)i + 1;
        r->racers[i] = (struct racer){.race = r, .index = i, .v = v};
        status = s3s_sim_add(r->w.sim, i == 0 ? "w1" : "w2", 0, run_racer, &r->racers[i], err);
    }
    if (status == S3STORE_OK)
        status = world_run(&r->w, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(r->w.sim, "reader", 0, run_count, r, err);
    if (status == S3STORE_OK)
        status = world_run(&r->w, err);
    if (status == S3STORE_OK && r->counted != S3STORE_OK) {
        *err = r->count_error;
        status = r->counted;
    }
    if (status == S3STORE_OK)
        status = r->same_data ? check_same(r, err) : check_reused(r, err);
    if (status == S3STORE_OK && (r->markers != 1 || r->rows != 2))
        status = s3s_fail(err, S3STORE_INTERNAL, "%zu markers, %lld visible rows", r->markers,
                          (long long)r->rows);
    for (size_t i = 0; i < WORLD_WRITERS; i++)
        s3store_write_result_free(r->racers[i].result);
    world_close(&r->w);
    free(r);
    return status;
}

/* Every history; how many. */
static uint64_t explore(bool same_data)
{
    s3store_error err = {0};
    uint64_t histories = 0;
    s3store_status status =
        s3s_explore(run_race, &same_data, WORLD_SANITIZED ? 150 : 0, &histories, &err);
    if (!WORLD_SANITIZED || status != S3STORE_LIMIT_EXCEEDED)
        assert_ok(status);
    print_message("%llu histories\n", (unsigned long long)histories);
    return histories;
}

static void test_race__same_token_same_data_gives_both_writers_one_result(void **state)
{
    (void)state;
    assert_true(explore(true) > 100);
}

static void test_race__same_token_other_data_is_noticed_by_one_writer(void **state)
{
    (void)state;
    assert_true(explore(false) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_race__same_token_same_data_gives_both_writers_one_result),
        cmocka_unit_test(test_race__same_token_other_data_is_noticed_by_one_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
