/* One writer, everything that can become of its requests, a crash at any of them; then a second
 * writer with the same token, and all the while a reader of the stream. The real write path on
 * virtual time; every history that a few faults allow.
 */
#include "support/test.h"

#include <stdlib.h>

#include "base/error.h"
#include "sim/world.h"

#define SECOND INT64_C(1000000)
#define SETTLE_US (16 * SECOND)
#define AFTER_THE_FENCE_US (20 * SECOND)
#define DAY "2018-02-07"

/* ---- what becomes of a request --------------------------------------------------------------- */

/* The first must be "done". lasting: also of the requests of its verb and kind in the next
 * seconds. */
typedef struct option {
    const char *name;
    faulty_fate fate;
    int64_t lasting_us;
    bool crash_before;
    bool puts_only;
    bool everything; /* lasting: whatever the request */
} option;

static const option menu[] = {
    {.name = "done"},
    {.name = "refused", .fate = {.refuse = S3STORE_UNAVAILABLE}},
    {.name = "answer lost", .fate = {.answer = S3STORE_UNCERTAIN}, .puts_only = true},
    {.name = "late, in time",
     .fate = {.late = true, .late_us = 2 * SECOND, .answer = S3STORE_UNCERTAIN},
     .puts_only = true},
    {.name = "late, after the fence",
     .fate = {.late = true, .late_us = AFTER_THE_FENCE_US, .answer = S3STORE_UNCERTAIN},
     .puts_only = true},
    {.name = "slow before", .fate = {.before_us = 16 * SECOND}},
    {.name = "slow after", .fate = {.after_us = 16 * SECOND}},
    {.name = "crash before", .crash_before = true},
    {.name = "crash after", .fate = {.crash = true}},
    {.name = "late and crash",
     .fate = {.late = true, .late_us = 14 * SECOND, .crash = true},
     .puts_only = true},
    {.name = "too late and crash",
     .fate = {.late = true, .late_us = AFTER_THE_FENCE_US, .crash = true},
     .puts_only = true},
    {.name = "answers lost for 16 s",
     .fate = {.answer = S3STORE_UNCERTAIN},
     .lasting_us = 16 * SECOND,
     .puts_only = true},
    {.name = "late after the fence for 16 s",
     .fate = {.late = true, .late_us = AFTER_THE_FENCE_US, .answer = S3STORE_UNCERTAIN},
     .lasting_us = 16 * SECOND,
     .puts_only = true},
    {.name = "away for 16 s",
     .fate = {.refuse = S3STORE_UNAVAILABLE},
     .lasting_us = 16 * SECOND,
     .everything = true},
    {.name = "away for 200 s",
     .fate = {.refuse = S3STORE_UNAVAILABLE},
     .lasting_us = 200 * SECOND,
     .everything = true},
    {.name = "silent for 200 s",
     .fate = {.refuse = S3STORE_UNCERTAIN},
     .lasting_us = 200 * SECOND,
     .everything = true,
     .puts_only = true},
};
#define MENU_SIZE (sizeof menu / sizeof menu[0])

typedef struct history {
    world w;
    s3s_explorer *explorer;
    bool with_token, with_snapshots;
    unsigned faults_left;
    unsigned asked_left; /* requests that are still offered a choice */

    const option *lasting; /* under way */
    s3s_fault_verb lasting_verb;
    faulty_kind lasting_kind;
    int64_t lasting_until_us;

    bool crashed, over;
    s3store_status status, retried;
    s3store_error err, retry_err;
    s3store_write_result *result, *retry;

    world_stream seen;
    s3store_status polled;
    s3store_error poll_err;

    int64_t rows;
    size_t markers;
    s3s_marker marker;
    bool committed;
    s3store_status checked;
    s3store_error check_err;
} history;

static bool lasts(const history *h, const faulty_request *r)
{
    if (h->lasting == NULL || s3s_sim_now_us(h->w.sim) >= h->lasting_until_us)
        return false;
    if (h->lasting->puts_only && r->verb != S3S_VERB_PUT)
        return false;
    return h->lasting->everything || (r->verb == h->lasting_verb && r->kind == h->lasting_kind);
}

static const option *choose(history *h, const faulty_request *r)
{
    const char *names[MENU_SIZE];
    const option *options[MENU_SIZE];
    size_t count = 0;
    if (h->faults_left == 0 || h->asked_left == 0)
        return &menu[0];
    h->asked_left--;
    for (size_t i = 0; i < MENU_SIZE; i++) {
        if (menu[i].puts_only && r->verb != S3S_VERB_PUT)
            continue;
        options[count] = &menu[i];
        names[count++] = menu[i].name;
    }
    size_t pick = s3s_explore_choose(h->explorer, count, names);
    h->faults_left -= pick > 0;
    return options[pick];
}

static faulty_fate decide(void *ctx, const faulty_request *r)
{
    history *h = ctx;
    if (r->kind == FAULTY_OTHER)
        return (faulty_fate){0};
    if (lasts(h, r))
        return h->lasting->fate;
    const option *o = choose(h, r);
    if (o->crash_before || o->fate.crash)
        h->crashed = true;
    if (o->crash_before)
        s3s_sim_crash(h->w.sim);
    if (o->lasting_us > 0) {
        h->lasting = o;
        h->lasting_verb = r->verb;
        h->lasting_kind = r->kind;
        h->lasting_until_us = s3s_sim_now_us(h->w.sim) + o->lasting_us;
    }
    return o->fate;
}

/* ---- who acts -------------------------------------------------------------------------------- */

static const char *token_of(const history *h)
{
    return h->with_token ? "batch-1" : NULL;
}

static void run_writer(void *ctx)
{
    history *h = ctx;
    h->w.faults[0].fn = decide;
    h->w.faults[0].ctx = h;
    h->status = world_write(&h->w, 0, DAY, "quake", 1, token_of(h), &h->result, &h->err);
}

static void run_retry(void *ctx)
{
    history *h = ctx;
    h->retried = world_write(&h->w, 1, DAY, "quake", 1, token_of(h), &h->retry, &h->retry_err);
}

/* A snapshot sees all of a write or nothing, and what it has seen stays. */
static s3store_status check_snapshot(history *h, int64_t *before)
{
    int64_t rows = 0;
    s3store_status status = world_count_rows(&h->w, &rows, &h->poll_err);
    if (status == S3STORE_OK && (rows < *before || rows > 2))
        status = s3s_fail(&h->poll_err, S3STORE_INTERNAL, "a snapshot saw %lld rows after %lld",
                          (long long)rows, (long long)*before);
    *before = rows;
    return status;
}

/* Follows the stream from the beginning, as the contract says, until it is over. */
static void run_poller(void *ctx)
{
    history *h = ctx;
    bool last = false;
    int64_t rows = 1;
    for (unsigned i = 0; h->polled == S3STORE_OK; i++) {
        h->polled = world_poll(&h->w, &h->seen, &h->poll_err);
        if (h->polled == S3STORE_OK && h->with_snapshots && i % 4 == 0)
            h->polled = check_snapshot(h, &rows);
        if (last)
            return;
        last = h->over;
        (void)s3s_sleep_us(h->w.env, SECOND, NULL, NULL);
    }
}

/* After the writer has ended: the second one, and the time until everything has settled. */
static void run_director(void *ctx)
{
    history *h = ctx;
    static const char *const when[] = {"retry at once", "retry later"};
    bool wait = h->with_token && s3s_explore_choose(h->explorer, 2, when) == 1;
    while (!h->crashed && h->status == S3STORE_END)
        (void)s3s_sleep_us(h->w.env, SECOND / 10, NULL, NULL);
    h->w.faults[0].fn = NULL;
    if (wait)
        (void)s3s_sleep_us(h->w.env, 20 * SECOND, NULL, NULL);
    if (h->with_token)
        run_retry(h);
    (void)s3s_sleep_us(h->w.env, SETTLE_US + AFTER_THE_FENCE_US + SECOND, NULL, NULL);
    h->over = true;
}

/* ---- what must hold -------------------------------------------------------------------------- */

/* What is committed by the first or the second writer: at most one data object. */
static s3store_status look(history *h, s3store_error *err)
{
    s3store_status status = world_count_rows(&h->w, &h->rows, err);
    size_t all = 0;
    if (status == S3STORE_OK)
        status = world_count_keys(&h->w, ".commit", &all, err);
    h->markers = all - 1; /* of the setup */
    if (status != S3STORE_OK || h->markers != 1)
        return status;
    const s3store_commit *c = s3store_write_result_get(h->result, 0);
    const char *token = token_of(h) != NULL ? token_of(h) : c != NULL ? c->token : NULL;
    if (token == NULL) /* crashed with a generated token: nobody knows it */
        return S3STORE_OK;
    status = s3s_commit_head(h->w.targets[WORLD_READER], NULL, "day=" DAY, token, &h->marker, NULL,
                             err);
    h->committed = status == S3STORE_OK;
    return status;
}

static void run_look(void *ctx)
{
    history *h = ctx;
    h->checked = look(h, &h->check_err);
}

static bool reached(s3store_status status)
{
    return status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT;
}

static bool same_commit(const s3store_commit *a, const s3store_commit *b)
{
    return strcmp(a->data_path, b->data_path) == 0 && strcmp(a->ref_path, b->ref_path) == 0 &&
           a->inserted_at_us == b->inserted_at_us && a->row_count == b->row_count;
}

static s3store_status check_results(const history *h, s3store_error *err)
{
    const s3store_commit *a = s3store_write_result_get(h->result, 0);
    const s3store_commit *b = s3store_write_result_get(h->retry, 0);
    if (h->markers > 1 || h->rows != 1 + (int64_t)h->markers)
        return s3s_fail(err, S3STORE_INTERNAL, "%zu markers, %lld rows", h->markers,
                        (long long)h->rows);
    if (!h->crashed && reached(h->status) && h->markers == 0)
        return s3s_fail(err, S3STORE_INTERNAL, "acknowledged and not visible");
    bool certain = !h->crashed && !reached(h->status) && h->status != S3STORE_UNCERTAIN;
    if (!h->with_token)
        return certain && h->markers != 0
                   ? s3s_fail(err, S3STORE_INTERNAL, "said to have failed (%s), and visible",
                              h->err.message)
                   : S3STORE_OK;
    if (h->retried != S3STORE_OK || h->markers != 1)
        return s3s_fail(err, S3STORE_INTERNAL, "the second writer: %s", h->retry_err.message);
    if (certain && b->state != S3STORE_COMMIT_DONE)
        return s3s_fail(err, S3STORE_INTERNAL, "said to have failed (%s), and committed",
                        h->err.message);
    if (!h->crashed && reached(h->status) && !same_commit(a, b))
        return s3s_fail(err, S3STORE_INTERNAL, "the results of the two writers differ: %s, %s",
                        a->ref_path, b->ref_path);
    if (strstr(b->data_path, h->marker.attempt) == NULL)
        return s3s_fail(err, S3STORE_INTERNAL, "the result is not what is visible");
    return S3STORE_OK;
}

/* The reader saw what is committed, nothing else, and would see the same again. */
static s3store_status check_stream(history *h, s3store_error *err)
{
    if (h->polled != S3STORE_OK) {
        *err = h->poll_err;
        return h->polled;
    }
    size_t others = h->seen.count - 1; /* than that of the setup */
    size_t found = h->committed ? world_seen(&h->seen, h->marker.attempt) : others;
    if (found != others || (h->markers > 0) != (found > 0))
        return s3s_fail(err, S3STORE_INTERNAL, "%zu committed, %zu of %zu entries seen are of it",
                        h->markers, found, others);
    return world_replay(&h->w, &h->seen, err);
}

static void run_check_stream(void *ctx)
{
    history *h = ctx;
    h->checked = check_stream(h, &h->check_err);
}

typedef struct plan {
    bool with_token;
    unsigned faults, asked;
    s3store_fence fence;
    unsigned outcomes[32]; /* by status of the first writer; 31 = crashed */
} plan;

static s3store_status act(history *h, const char *name, void (*fn)(void *), s3store_error *err)
{
    s3store_status status = s3s_sim_add(h->w.sim, name, 0, fn, h, err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    if (status == S3STORE_OK && h->checked != S3STORE_OK) {
        *err = h->check_err;
        return h->checked;
    }
    return status;
}

static s3store_status run_history(void *ctx, s3s_explorer *explorer, s3store_error *err)
{
    plan *p = ctx;
    history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return s3s_fail_memory(err, sizeof *h);
    h->explorer = explorer;
    h->with_token = p->with_token;
    h->with_snapshots = p->faults <= 2; /* they cost more than all the rest */
    h->faults_left = p->faults;
    h->asked_left = p->asked;
    h->status = S3STORE_END; /* not ended yet */
    world_options options = {.in_order = true, .fence = p->fence};
    s3store_status status = world_open(&h->w, explorer, &options, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "poller", 0, run_poller, h, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "director", 0, run_director, h, err);
    if (status == S3STORE_OK)
        status = act(h, "w1", run_writer, err);
    if (status == S3STORE_OK)
        status = act(h, "look", run_look, err);
    if (status == S3STORE_OK)
        status = check_results(h, err);
    if (status == S3STORE_OK)
        status = act(h, "replay", run_check_stream, err);
    p->outcomes[h->crashed ? 31 : h->status & 31]++;
    if (!h->crashed)
        s3store_write_result_free(h->result);
    s3store_write_result_free(h->retry);
    world_close(&h->w);
    free(h);
    return status;
}

static void explore(plan *p, uint64_t at_least)
{
    s3store_error err = {0};
    uint64_t histories = 0;
    s3store_status status = s3s_explore(run_history, p, 0, &histories, &err);
    if (status != S3STORE_OK) {
        char trace[4096] = "", choices[256] = "";
        s3store_error again;
        snprintf(choices, sizeof choices, "#%llu", (unsigned long long)histories);
        (void)s3s_explore_replay(run_history, p, choices, trace, sizeof trace, &again);
        fail_msg("%s\n%s", err.message, trace);
    }
    print_message("%llu histories:", (unsigned long long)histories);
    for (size_t i = 0; i < 32; i++)
        if (p->outcomes[i] > 0)
            print_message(" %s %u", i == 31 ? "crashed" : s3store_status_name((s3store_status)i),
                          p->outcomes[i]);
    print_message("\n");
    assert_true(histories >= at_least);
}

/* What the fence is for: without it the same faults make a reader miss a commit, or a replay
 * differ. */
static void test_faults__without_the_fence_a_late_commit_is_missed(void **state)
{
    plan p = {.faults = 1, .asked = 1000, .fence = S3STORE_FENCE_OFF};
    s3store_error err = {0};
    uint64_t histories = 0;
    (void)state;
    assert_fails(s3s_explore(run_history, &p, 0, &histories, &err), S3STORE_INTERNAL,
                 "1 committed, 0 of 0 entries");
    print_message("%s\n", err.message);
}

static void test_faults__a_token_with_one_fault_anywhere(void **state)
{
    plan p = {.with_token = true, .faults = 1, .asked = 1000};
    (void)state;
    explore(&p, 80);
}

static void test_faults__a_token_with_two_faults(void **state)
{
    plan p = {.with_token = true, .faults = 2, .asked = 1000};
    (void)state;
    explore(&p, 1500);
}

static void test_faults__a_generated_token_with_two_faults(void **state)
{
    plan p = {.faults = 2, .asked = 1000};
    (void)state;
    explore(&p, 600);
}

/* Of the first requests: with more the number of histories explodes. */
static void test_faults__a_token_with_three_faults(void **state)
{
    plan p = {.with_token = true, .faults = 3, .asked = 5};
    (void)state;
    explore(&p, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults__without_the_fence_a_late_commit_is_missed),
        cmocka_unit_test(test_faults__a_token_with_one_fault_anywhere),
        cmocka_unit_test(test_faults__a_token_with_two_faults),
        cmocka_unit_test(test_faults__a_generated_token_with_two_faults),
        cmocka_unit_test(test_faults__a_token_with_three_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
