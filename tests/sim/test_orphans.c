/* The removal of orphans against the real write path: writers that are suspended for hours
 * anywhere, die, are retried with the same token, and whose requests arrive hours late, while an
 * operator removes orphans as early as the library lets him. Nothing that is or becomes visible is
 * ever removed, and at the end nothing is left that no commit names.
 */
#include "support/test.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "maintain/maintain.h"
#include "sim/world.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY "2018-02-07"
#define TOKEN "batch-1"

/* ---- what becomes of a request --------------------------------------------------------------- */

typedef struct option {
    const char *name;
    faulty_fate fate;
    bool crash_before;
    bool puts_only;
} option;

static const option menu[] = {
    {.name = "done"},
    {.name = "refused", .fate = {.refuse = S3STORE_UNAVAILABLE}},
    {.name = "answer lost", .fate = {.answer = S3STORE_UNCERTAIN}, .puts_only = true},
    {.name = "late, 10 s",
     .fate = {.late = true, .late_us = 10 * SECOND, .answer = S3STORE_UNCERTAIN},
     .puts_only = true},
    {.name = "late, 3 h",
     .fate = {.late = true, .late_us = 3 * HOUR, .answer = S3STORE_UNCERTAIN},
     .puts_only = true},
    /* Within what a try may take from its data to its ref, beyond it, and far beyond it. */
    {.name = "suspended before, 14 min", .fate = {.before_us = 14 * MINUTE}},
    {.name = "suspended after, 14 min", .fate = {.after_us = 14 * MINUTE}},
    {.name = "suspended before, 70 min", .fate = {.before_us = 70 * MINUTE}},
    {.name = "suspended after, 70 min", .fate = {.after_us = 70 * MINUTE}},
    {.name = "suspended after, 5 h", .fate = {.after_us = 5 * HOUR}},
    {.name = "crash before", .crash_before = true},
    {.name = "crash after", .fate = {.crash = true}},
    {.name = "late 3 h and crash",
     .fate = {.late = true, .late_us = 3 * HOUR, .crash = true},
     .puts_only = true},
};
#define MENU_SIZE (sizeof menu / sizeof menu[0])

typedef struct history {
    world w;
    s3s_explorer *explorer;
    unsigned faults_left;
    bool crashed, writer_over, over;
    s3store_status status, retried, swept, polled, checked;
    s3store_error err, retry_err, sweep_err, poll_err, check_err;
    s3store_write_result *result, *retry;
    uint64_t removed;
    world_stream seen;
} history;

static faulty_fate decide(void *ctx, const faulty_request *r)
{
    history *h = ctx;
    const char *names[MENU_SIZE];
    const option *options[MENU_SIZE];
    size_t count = 0;
    if (r->kind == FAULTY_OTHER || h->faults_left == 0)
        return (faulty_fate){0};
    for (size_t i = 0; i < MENU_SIZE; i++) {
        if (menu[i].puts_only && r->verb != S3S_VERB_PUT)
            continue;
        options[count] = &menu[i];
        names[count++] = menu[i].name;
    }
    size_t pick = s3s_explore_choose(h->explorer, count, names);
    h->faults_left -= pick > 0;
    if (options[pick]->crash_before || options[pick]->fate.crash)
        h->crashed = true;
    if (options[pick]->crash_before)
        s3s_sim_crash(h->w.sim);
    return options[pick]->fate;
}

/* ---- who acts -------------------------------------------------------------------------------- */

static s3store_target *reader(history *h)
{
    return h->w.targets[WORLD_READER];
}

/* As early as it lets him: the age is the least there is, and only the bound protects. */
static s3store_status sweep(history *h, bool removing, s3store_orphans_report *report,
                            s3store_error *err)
{
    s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
    options.older_than_us = 1;
    options.remove = removing;
    *report = (s3store_orphans_report){.size = sizeof *report};
    s3store_status status = s3s_orphans(reader(h), &options, report, err);
    if (status == S3STORE_OK && report->failed > 0)
        status = s3s_fail(err, S3STORE_INTERNAL, "something could not be removed");
    return status;
}

static void run_writer(void *ctx)
{
    history *h = ctx;
    h->w.faults[0].fn = decide;
    h->w.faults[0].ctx = h;
    h->status = world_write(&h->w, 0, DAY, "quake", 1, TOKEN, &h->result, &h->err);
    h->writer_over = true;
}

static void run_operator(void *ctx)
{
    history *h = ctx;
    s3store_orphans_report report;
    while (!h->over && h->swept == S3STORE_OK) {
        (void)s3s_sleep_us(h->w.env, 7 * MINUTE, NULL, NULL);
        h->swept = sweep(h, true, &report, &h->sweep_err);
        h->removed += report.removed;
    }
}

static void run_poller(void *ctx)
{
    history *h = ctx;
    while (h->polled == S3STORE_OK) {
        bool last = h->over;
        h->polled = world_poll(&h->w, &h->seen, &h->poll_err);
        if (last)
            return;
        (void)s3s_sleep_us(h->w.env, 2 * MINUTE, NULL, NULL);
    }
}

/* The second writer with the same token, at once or when the first one's remains may be removed. */
static void run_director(void *ctx)
{
    history *h = ctx;
    static const char *const when[] = {"retry at once", "retry after 61 min", "no retry"};
    size_t choice = s3s_explore_choose(h->explorer, 3, when);
    while (!h->crashed && !h->writer_over)
        (void)s3s_sleep_us(h->w.env, SECOND, NULL, NULL);
    h->w.faults[0].fn = NULL;
    if (choice == 1)
        (void)s3s_sleep_us(h->w.env, 61 * MINUTE, NULL, NULL);
    h->retried = S3STORE_OK;
    if (choice < 2)
        h->retried = world_write(&h->w, 1, DAY, "quake", 1, TOKEN, &h->retry, &h->retry_err);
    (void)s3s_sleep_us(h->w.env, 3 * HOUR + MINUTE, NULL, NULL); /* the latest request has come */
    h->over = true;
}

/* ---- what must hold -------------------------------------------------------------------------- */

/* Data objects and refs that no marker names, by hand. */
typedef struct by_hand {
    history *h;
    size_t markers, orphans;
    s3store_status status;
    s3store_error *err;
} by_hand;

static bool exists(history *h, const char *key)
{
    s3store_object_info info;
    return s3s_head(&h->w.store, NULL, key, &info, NULL) == S3STORE_OK;
}

/* A marker's data object and ref are there. */
static void check_marker(by_hand *b, const char *partition, const char *token)
{
    char data[S3S_KEY_SIZE], ref[S3S_KEY_SIZE];
    s3s_marker marker;
    const s3s_layout *layout = &reader(b->h)->layout;
    b->markers++;
    b->status = s3s_commit_head(reader(b->h), NULL, partition, token, &marker, NULL, b->err);
    if (b->status == S3STORE_OK)
        b->status = s3s_data_key(layout, partition, token, marker.attempt, data, b->err);
    if (b->status == S3STORE_OK)
        b->status =
            s3s_ref_key(layout, marker.ref_micros, token, marker.attempt, partition, ref, b->err);
    if (b->status == S3STORE_OK && (!exists(b->h, data) || !exists(b->h, ref)))
        b->status = s3s_fail(b->err, S3STORE_INTERNAL, "a commit lost its %s: %s %s",
                             exists(b->h, data) ? "ref" : "data", data, ref);
}

static bool is_named(by_hand *b, const char *partition, const char *token, const char *attempt)
{
    s3s_marker marker;
    return s3s_commit_head(reader(b->h), NULL, partition, token, &marker, NULL, NULL) ==
               S3STORE_OK &&
           strncmp(marker.attempt, attempt, S3S_ATTEMPT_ID_SIZE) == 0;
}

static bool take_object(void *ctx, const s3store_list_entry *entry)
{
    by_hand *b = ctx;
    char partition[S3S_KEY_SIZE], token[S3S_KEY_SIZE];
    s3s_ref ref;
    if (strstr(entry->key, "/_ref/") != NULL) {
        if (s3s_ref_parse(entry->key, &ref, NULL) == S3STORE_OK)
            b->orphans += !is_named(b, ref.partition, ref.token, ref.attempt);
        return true;
    }
    s3s_data_name name = s3s_data_name_parse(&reader(b->h)->layout, entry->key);
    if (name.kind == S3S_DATA_FOREIGN)
        return true;
    snprintf(partition, sizeof partition, "%.*s", (int)name.partition.size, name.partition.data);
    snprintf(token, sizeof token, "%.*s", (int)name.token.size, name.token.data);
    if (name.kind == S3S_DATA_COMMIT)
        check_marker(b, partition, token);
    else
        b->orphans += !is_named(b, partition, token, name.attempt.data);
    return b->status == S3STORE_OK;
}

static s3store_status check_objects(history *h, size_t *markers, size_t *orphans,
                                    s3store_error *err)
{
    by_hand b = {.h = h, .err = err};
    s3store_status status =
        s3s_list_all(&h->w.store, NULL, "ds/", NULL, 0, take_object, &b, NULL, err);
    *markers = b.markers;
    *orphans = b.orphans;
    return status == S3STORE_OK ? b.status : status;
}

static s3store_status check_verify(history *h, s3store_error *err)
{
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    s3store_verify_report report = {.size = sizeof report};
    s3store_status status = s3s_verify_dataset(reader(h), &options, &report, err);
    if (status == S3STORE_OK && report.damages > 0)
        status = s3s_fail(err, S3STORE_INTERNAL, "verify found %llu damages",
                          (unsigned long long)report.damages);
    return status;
}

static s3store_status check_acknowledged(history *h, size_t markers, s3store_error *err)
{
    bool first = !h->crashed && h->status == S3STORE_OK;
    bool second = h->retry != NULL && h->retried == S3STORE_OK;
    if (h->retried != S3STORE_OK)
        return s3s_fail(err, S3STORE_INTERNAL, "the retry failed: %s", h->retry_err.message);
    if ((first || second) && markers != 2)
        return s3s_fail(err, S3STORE_INTERNAL, "acknowledged and gone");
    return S3STORE_OK;
}

/* A commit that was seen late has a second entry. */
static size_t distinct_paths(const world_stream *seen)
{
    size_t count = 0;
    for (size_t i = 0; i < seen->count; i++) {
        size_t j = 0;
        while (j < i && strcmp(seen->paths[j], seen->paths[i]) != 0)
            j++;
        count += j == i;
    }
    return count;
}

static s3store_status check(history *h, s3store_error *err)
{
    size_t markers, orphans;
    int64_t rows;
    s3store_orphans_report report;
    if (h->swept != S3STORE_OK || h->polled != S3STORE_OK) {
        *err = h->swept != S3STORE_OK ? h->sweep_err : h->poll_err;
        return err->status;
    }
    s3store_status status = check_objects(h, &markers, &orphans, err);
    if (status == S3STORE_OK)
        status = check_acknowledged(h, markers, err);
    if (status == S3STORE_OK)
        status = check_verify(h, err);
    /* What orphans lists is exactly what no commit names; a snapshot, which is strict, is whole. */
    if (status == S3STORE_OK)
        status = sweep(h, false, &report, err);
    if (status == S3STORE_OK && report.data + report.refs != orphans)
        status = s3s_fail(err, S3STORE_INTERNAL, "%llu of %zu orphans listed",
                          (unsigned long long)(report.data + report.refs), orphans);
    if (status == S3STORE_OK)
        status = world_count_rows(&h->w, &rows, err);
    if (status == S3STORE_OK && rows != (int64_t)markers)
        status = s3s_fail(err, S3STORE_INTERNAL, "%lld rows of %zu commits", (long long)rows,
                          markers);
    if (status == S3STORE_OK && distinct_paths(&h->seen) != markers)
        status = s3s_fail(err, S3STORE_INTERNAL, "%zu data objects seen in the stream of %zu "
                                                 "commits",
                          distinct_paths(&h->seen), markers);
    if (status == S3STORE_OK)
        status = world_replay(&h->w, &h->seen, err);
    if (status != S3STORE_OK)
        return status;
    /* In the end everything dead is old enough, and goes. */
    (void)s3s_sleep_us(h->w.env, 61 * MINUTE, NULL, NULL);
    status = sweep(h, true, &report, err);
    if (status == S3STORE_OK)
        status = check_objects(h, &markers, &orphans, err);
    if (status == S3STORE_OK && orphans != 0)
        status = s3s_fail(err, S3STORE_INTERNAL, "%zu orphans stay for ever", orphans);
    return status;
}

static void run_check(void *ctx)
{
    history *h = ctx;
    h->checked = check(h, &h->check_err);
}

/* ---- exploring ------------------------------------------------------------------------------- */

typedef struct plan {
    unsigned faults;
    uint64_t removed; /* in all histories */
    bool interleaved;
} plan;

static s3store_status add(history *h, const char *name, void (*fn)(void *), s3store_error *err)
{
    return s3s_sim_add(h->w.sim, name, 0, fn, h, err);
}

static s3store_status finish(history *h, plan *p, s3store_status status, s3store_error *err)
{
    if (status == S3STORE_OK)
        status = add(h, "check", run_check, err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    if (status == S3STORE_OK && h->checked != S3STORE_OK) {
        status = h->checked;
        *err = h->check_err;
    }
    p->removed += h->removed;
    if (!h->crashed)
        s3store_write_result_free(h->result);
    s3store_write_result_free(h->retry);
    world_close(&h->w);
    free(h);
    return status;
}

static s3store_status run_history(void *ctx, s3s_explorer *explorer, s3store_error *err)
{
    plan *p = ctx;
    history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return s3s_fail_memory(err, sizeof *h);
    h->explorer = explorer;
    h->faults_left = p->faults;
    world_options options = {.in_order = true};
    s3store_status status = world_open(&h->w, explorer, &options, err);
    if (status == S3STORE_OK)
        status = add(h, "poller", run_poller, err);
    if (status == S3STORE_OK)
        status = add(h, "operator", run_operator, err);
    if (status == S3STORE_OK)
        status = add(h, "director", run_director, err);
    if (status == S3STORE_OK)
        status = add(h, "w1", run_writer, err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    return finish(h, p, status, err);
}

/* ---- every order of the requests of a retry and of one removal ------------------------------ */

/* What a writer of the same token left two hours ago. */
static void run_remains(void *ctx)
{
    history *h = ctx;
    char attempt[S3S_ATTEMPT_ID_SIZE + 1], data[S3S_KEY_SIZE], ref[S3S_KEY_SIZE];
    s3store_put_reply reply;
    const s3s_layout *layout = &reader(h)->layout;
    h->checked = s3s_attempt_id(h->w.env, attempt, &h->check_err);
    if (h->checked == S3STORE_OK)
        h->checked = s3s_data_key(layout, "day=" DAY, TOKEN, attempt, data, &h->check_err);
    if (h->checked == S3STORE_OK)
        h->checked = s3s_ref_key(layout, s3s_wall_us(h->w.env), TOKEN, attempt, "day=" DAY, ref,
                                 &h->check_err);
    s3store_put_request put = {.size = sizeof put, .key = data, .body = "x", .body_size = 1};
    if (h->checked == S3STORE_OK)
        h->checked = s3s_put(&h->w.store, NULL, &put, &reply, &h->check_err);
    put.key = ref;
    put.body_size = 0;
    if (h->checked == S3STORE_OK)
        h->checked = s3s_put(&h->w.store, NULL, &put, &reply, &h->check_err);
    (void)s3s_sleep_us(h->w.env, 2 * HOUR, NULL, NULL);
}

static void run_sweep(void *ctx)
{
    history *h = ctx;
    s3store_orphans_report report;
    h->swept = sweep(h, true, &report, &h->sweep_err);
    h->removed = report.removed;
    if (h->swept == S3STORE_OK && report.removed != 2)
        h->swept = s3s_fail(&h->sweep_err, S3STORE_INTERNAL, "%llu removed, not the two remains",
                            (unsigned long long)report.removed);
}

static void run_settle(void *ctx)
{
    history *h = ctx;
    (void)s3s_sleep_us(h->w.env, MINUTE, NULL, NULL);
    h->polled = world_poll(&h->w, &h->seen, &h->poll_err);
}

static s3store_status alone(history *h, const char *name, void (*fn)(void *), s3store_error *err)
{
    s3store_status status = add(h, name, fn, err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    if (status == S3STORE_OK && h->checked != S3STORE_OK) {
        *err = h->check_err;
        status = h->checked;
    }
    return status;
}

static s3store_status run_interleaved(void *ctx, s3s_explorer *explorer, s3store_error *err)
{
    plan *p = ctx;
    history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return s3s_fail_memory(err, sizeof *h);
    h->explorer = explorer;
    s3store_status status = world_open(&h->w, explorer, NULL, err);
    if (status == S3STORE_OK)
        status = alone(h, "remains", run_remains, err);
    if (status == S3STORE_OK)
        status = add(h, "operator", run_sweep, err);
    if (status == S3STORE_OK)
        status = alone(h, "w1", run_writer, err);
    if (status == S3STORE_OK)
        status = alone(h, "settle", run_settle, err);
    return finish(h, p, status, err);
}

static void explore(s3store_status (*run)(void *, s3s_explorer *, s3store_error *), plan *p,
                    uint64_t most, uint64_t at_least)
{
    s3store_error err = {0};
    uint64_t histories = 0;
    if (WORLD_SANITIZED)
        most = at_least = 100;
    s3store_status status = s3s_explore(run, p, most, &histories, &err);
    if (status != S3STORE_OK && (status != S3STORE_LIMIT_EXCEEDED || most == 0)) {
        char trace[4096] = "", choices[256] = "";
        s3store_error again;
        snprintf(choices, sizeof choices, "#%llu", (unsigned long long)histories);
        (void)s3s_explore_replay(run, p, choices, trace, sizeof trace, &again);
        fail_msg("%s\n%s", err.message, trace);
    }
    print_message("%llu histories, %llu objects removed\n", (unsigned long long)histories,
                  (unsigned long long)p->removed);
    assert_true(histories >= at_least);
    assert_true(p->removed >= at_least / 2);
}

static bool is_full(void)
{
    const char *full = getenv("S3S_FULL");
    return full != NULL && strcmp(full, "1") == 0;
}

static void test_orphans__removal_takes_nothing_that_is_or_becomes_visible(void **state)
{
    plan p = {.faults = 1};
    (void)state;
    explore(run_history, &p, 0, 100);
}

static void test_orphans__also_with_two_faults(void **state)
{
    plan p = {.faults = 2};
    (void)state;
    if (!is_full()) {
        print_message("the first of them; S3S_FULL=1 runs all\n");
        explore(run_history, &p, 600, 500);
    } else {
        explore(run_history, &p, 0, 3000);
    }
}

static void test_orphans__every_order_of_a_retry_and_a_removal(void **state)
{
    plan p = {.interleaved = true};
    (void)state;
    explore(run_interleaved, &p, is_full() ? 0 : 3000, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orphans__removal_takes_nothing_that_is_or_becomes_visible),
        cmocka_unit_test(test_orphans__also_with_two_faults),
        cmocka_unit_test(test_orphans__every_order_of_a_retry_and_a_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
