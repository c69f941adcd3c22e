/* Two writers with tokens of their own, requests that take their time around every limit, clocks
 * that are as far apart as the dataset allows, and a reader that polls all the while: it misses
 * nothing, and what it has seen never changes behind it. On virtual time.
 */
#include "support/test.h"

#include <stdlib.h>

#include "base/error.h"
#include "sim/world.h"

#define SECOND INT64_C(1000000)
#define COMMIT_TIMEOUT_US (15 * SECOND)
#define SKEW_US SECOND

/* How long ref and commit of a writer take. */
typedef struct pace {
    const char *name;
    faulty_fate ref, commit;
} pace;

static const pace paces[] = {
    {.name = "quick"},
    {.name = "commit nearly too late", .commit = {.before_us = COMMIT_TIMEOUT_US - SECOND}},
    {.name = "commit at the last moment", .commit = {.before_us = COMMIT_TIMEOUT_US}},
    {.name = "commit too late", .commit = {.before_us = COMMIT_TIMEOUT_US + 1}},
    {.name = "commit late by the skew", .commit = {.before_us = COMMIT_TIMEOUT_US + SKEW_US}},
    {.name = "answer at the last moment", .commit = {.after_us = COMMIT_TIMEOUT_US}},
    {.name = "answer too late", .commit = {.after_us = COMMIT_TIMEOUT_US + 1}},
    {.name = "slow ref", .ref = {.before_us = 10 * SECOND}},
    {.name = "slow ref, slow commit",
     .ref = {.after_us = 10 * SECOND},
     .commit = {.before_us = 5 * SECOND}},
    {.name = "slow ref, commit too late",
     .ref = {.before_us = 10 * SECOND},
     .commit = {.before_us = 5 * SECOND + 1}},
};
#define PACE_COUNT (sizeof paces / sizeof paces[0])

/* Errors of the clocks of the two writers and the reader. */
static const int64_t clocks[][3] = {
    {0, 0, 0},
    {SKEW_US / 2, -SKEW_US / 2, -SKEW_US / 2},
    {-SKEW_US / 2, SKEW_US / 2, SKEW_US / 2},
    {-SKEW_US / 2, 0, SKEW_US / 2},
};
/* When the reader polls: so much after whole seconds. */
static const int64_t phases_us[] = {0, 1, SECOND / 2};

typedef struct history {
    world w;
    const pace *pace[WORLD_WRITERS];
    s3store_status status[WORLD_WRITERS];
    s3store_error err[WORLD_WRITERS];
    int64_t phase_us;
    size_t running;
    bool over;
    world_stream seen;
    s3store_status polled;
    s3store_error poll_err;
} history;

static faulty_fate decide(const history *h, size_t writer, const faulty_request *r)
{
    if (r->verb != S3S_VERB_PUT || r->number > 1)
        return (faulty_fate){0};
    if (r->kind == FAULTY_REF)
        return h->pace[writer]->ref;
    return r->kind == FAULTY_COMMIT ? h->pace[writer]->commit : (faulty_fate){0};
}

static faulty_fate decide_first(void *ctx, const faulty_request *r)
{
    return decide(ctx, 0, r);
}

static faulty_fate decide_second(void *ctx, const faulty_request *r)
{
    return decide(ctx, 1, r);
}

static void run_writer(history *h, size_t i, const char *id, const char *token)
{
    s3store_write_result *result = NULL;
    faulty_reset(&h->w.faults[i]);
    h->w.faults[i].fn = i == 0 ? decide_first : decide_second;
    h->w.faults[i].ctx = h;
    h->status[i] = world_write(&h->w, i, "2018-02-07", id, 1, token, &result, &h->err[i]);
    s3store_write_result_free(result);
    h->running--;
}

static void run_first(void *ctx)
{
    run_writer(ctx, 0, "one", "first");
}

static void run_second(void *ctx)
{
    history *h = ctx;
    (void)s3s_sleep_us(h->w.env, 3 * SECOND, NULL, NULL);
    run_writer(h, 1, "two", "second");
}

static void run_reader(void *ctx)
{
    history *h = ctx;
    (void)s3s_sleep_us(h->w.env, h->phase_us, NULL, NULL);
    for (bool last = false; h->polled == S3STORE_OK; last = h->over) {
        h->polled = world_poll(&h->w, &h->seen, &h->poll_err);
        if (last)
            return;
        (void)s3s_sleep_us(h->w.env, SECOND, NULL, NULL);
    }
}

static void run_end(void *ctx)
{
    history *h = ctx;
    while (h->running > 0)
        (void)s3s_sleep_us(h->w.env, SECOND, NULL, NULL);
    (void)s3s_sleep_us(h->w.env, COMMIT_TIMEOUT_US + 3 * SKEW_US, NULL, NULL);
    h->over = true;
}

static void run_replay(void *ctx)
{
    history *h = ctx;
    if (h->polled == S3STORE_OK)
        h->polled = world_replay(&h->w, &h->seen, &h->poll_err);
}

static s3store_status check(const history *h, s3store_error *err)
{
    static const char *const names[] = {"/first-", "/second-"};
    if (h->polled != S3STORE_OK) {
        *err = h->poll_err;
        return h->polled;
    }
    for (size_t i = 0; i < WORLD_WRITERS; i++) {
        if (h->status[i] != S3STORE_OK)
            return s3s_fail(err, S3STORE_INTERNAL, "writer %zu: %s", i, h->err[i].message);
        if (world_seen(&h->seen, names[i]) == 0)
            return s3s_fail(err, S3STORE_INTERNAL, "the commit of writer %zu was missed", i);
    }
    return S3STORE_OK;
}

typedef struct plan {
    s3store_fence fence;
} plan;

static s3store_status run_history(void *ctx, s3s_explorer *explorer, s3store_error *err)
{
    static const char *const clock_names[] = {"equal clocks", "first ahead", "first behind",
                                              "reader ahead"};
    static const char *const phase_names[] = {"whole seconds", "just after", "half seconds"};
    const char *pace_names[PACE_COUNT];
    const plan *p = ctx;
    history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return s3s_fail_memory(err, sizeof *h);
    for (size_t i = 0; i < PACE_COUNT; i++)
        pace_names[i] = paces[i].name;
    for (size_t i = 0; i < WORLD_WRITERS; i++)
        h->pace[i] = &paces[s3s_explore_choose(explorer, PACE_COUNT, pace_names)];
    const int64_t *clock = clocks[s3s_explore_choose(explorer, 4, clock_names)];
    h->phase_us = phases_us[s3s_explore_choose(explorer, 3, phase_names)];
    h->running = WORLD_WRITERS;
    world_options options = {.in_order = true, .fence = p->fence};
    s3store_status status = world_open(&h->w, explorer, &options, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "w1", clock[0], run_first, h, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "w2", clock[1], run_second, h, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "reader", clock[2], run_reader, h, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "end", 0, run_end, h, err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "replay", clock[2], run_replay, h, err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    if (status == S3STORE_OK)
        status = check(h, err);
    world_close(&h->w);
    free(h);
    return status;
}

static void test_stream__a_polling_reader_misses_nothing_and_sees_nothing_change(void **state)
{
    plan p = {.fence = S3STORE_FENCE_AUTO};
    s3store_error err = {0};
    uint64_t histories = 0;
    (void)state;
    s3store_status status =
        s3s_explore(run_history, &p, WORLD_SANITIZED ? 150 : 0, &histories, &err);
    print_message("%llu histories\n", (unsigned long long)histories);
    if (WORLD_SANITIZED && status == S3STORE_LIMIT_EXCEEDED)
        return;
    assert_ok(status);
    assert_int_equal(histories, PACE_COUNT * PACE_COUNT * 4 * 3);
}

/* The fresh ref keeps the commit in the stream; that a replay differs is what the fence is for. */
static void test_stream__without_the_fence_a_replay_differs(void **state)
{
    plan p = {.fence = S3STORE_FENCE_OFF};
    s3store_error err = {0};
    uint64_t histories = 0;
    (void)state;
    assert_fails(s3s_explore(run_history, &p, 0, &histories, &err), S3STORE_INTERNAL, "a replay");
    print_message("%s\n", err.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream__a_polling_reader_misses_nothing_and_sees_nothing_change),
        cmocka_unit_test(test_stream__without_the_fence_a_replay_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
