/* verify: every way in which a commit can be damaged is found and named; nothing else is. */
#include <stdlib.h>

#include "base/sim.h"
#include "support/alloc_sweep.h"
#include "unit/maintain/kit.h"

static void expect(fixture *fx, bool shallow, const char *text)
{
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    options.shallow = shallow;
    assert_ok(kit_verify(fx, &options, &told, &report, &err));
    assert_string_equal(told.text, text);
    assert_int_equal(report.damages + report.remarks, told.count);
}

static const char *finding(const char *kind, const char *key)
{
    static char text[2 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "%s %s;", kind, key);
    return text;
}

static void test_verify__a_whole_dataset_has_nothing_to_tell(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    kit_open(&fx);
    kit_write(&fx, "p=a", NULL, FIXTURE_ALL);
    kit_write(&fx, "p=b", "t", FIXTURE_DATA | FIXTURE_REF);
    kit_write(&fx, "p=b", "t", FIXTURE_ALL);
    kit_write(&fx, "p=b", "u", FIXTURE_DATA);
    fixture_put(&fx, "ds/data/notes.txt", "x", 1, NULL);
    fixture_reset_counts(&fx);
    assert_ok(kit_verify(&fx, NULL, &told, &report, &err));
    assert_string_equal(told.text, "");
    assert_int_equal(report.commits, 2);
    assert_int_equal(report.checked, 2);
    assert_int_equal(report.rows, 2);
    assert_int_equal(report.data_objects, 4);
    assert_int_equal(report.uncommitted, 2);
    assert_int_equal(report.refs, 3);
    assert_int_equal(report.foreign, 1);
    assert_int_equal(report.damages, 0);
    /* The price: refs, data, schema versions, views; a marker and a footer for each commit. */
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 4);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 2);
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 2);
    assert_int_equal(fixture_count(&fx, S3S_VERB_PUT) + fixture_count(&fx, S3S_VERB_REMOVE), 0);
    fixture_close_clean(&fx);
}

static void test_verify__shallow_lists_and_asks_only_about_what_looks_wrong(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    for (int i = 0; i < 30; i++)
        kit_write(&fx, "p=a", NULL, FIXTURE_ALL);
    fixture_reset_counts(&fx);
    expect(&fx, true, "");
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 2);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 0);
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 0);
    fixture_written w = kit_write(&fx, "p=a", "t", FIXTURE_DATA | FIXTURE_COMMIT);
    fixture_reset_counts(&fx);
    expect(&fx, true, finding("ref_missing", w.ref_key));
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 2);
    fixture_close_clean(&fx);
}

static void test_verify__missing_data_is_found(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    kit_write(&fx, "p=a", NULL, FIXTURE_ALL);
    fixture_written gone = kit_write(&fx, "p=b", "t", FIXTURE_ALL);
    fixture_remove(&fx, gone.data_key);
    expect(&fx, false, finding("data_missing", gone.data_key));
    expect(&fx, true, finding("data_missing", gone.data_key));
    /* Another attempt's object does not stand in for it. */
    kit_write(&fx, "p=b", "t", FIXTURE_DATA | FIXTURE_REF);
    expect(&fx, false, finding("data_missing", gone.data_key));
    kit_write(&fx, "p=b", "t", FIXTURE_DATA);
    expect(&fx, true, finding("data_missing", gone.data_key));
    fixture_close_clean(&fx);
}

static void test_verify__a_missing_ref_is_found(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    fixture_written w = kit_write(&fx, "p=a b", "t", FIXTURE_ALL);
    expect(&fx, false, "");
    fixture_remove(&fx, w.ref_key);
    expect(&fx, false, finding("ref_missing", w.ref_key));
    expect(&fx, true, finding("ref_missing", w.ref_key));
    /* A ref of a dead attempt of the same token is none of it. */
    kit_write(&fx, "p=a b", "t", FIXTURE_DATA | FIXTURE_REF);
    expect(&fx, false, finding("ref_missing", w.ref_key));
    expect(&fx, true, finding("ref_missing", w.ref_key));
    fixture_close_clean(&fx);
}

static void test_verify__a_damaged_marker_is_found(void **state)
{
    (void)state;
    fixture fx;
    s3store_metadata none = {0};
    kit_open(&fx);
    fixture_written w = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    fixture_put(&fx, w.commit_key, NULL, 0, &none);
    expect(&fx, false, finding("marker_damaged", w.commit_key));
    /* A LIST cannot tell. */
    expect(&fx, true, "");
    fixture_close_clean(&fx);
}

static void put_marker(fixture *fx, const char *key, const char *attempt, const char *stamp)
{
    s3store_metadata m = {0};
    assert_true(s3store_metadata_add(&m, "attemptid", attempt));
    assert_true(s3store_metadata_add(&m, "refmicrots", stamp));
    assert_true(s3store_metadata_add(&m, "insertedat", "1"));
    assert_true(s3store_metadata_add(&m, "rowcount", "1"));
    fixture_put(fx, key, NULL, 0, &m);
}

static void test_verify__a_stamp_that_no_ref_can_have_is_found(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    char text[4 * S3S_KEY_SIZE];
    kit_open(&fx);
    fixture_written w = kit_write(&fx, "p=a", "t", FIXTURE_DATA | FIXTURE_COMMIT);
    put_marker(&fx, w.commit_key, w.attempt, "-5");
    assert_ok(kit_verify(&fx, NULL, &told, &report, &err));
    snprintf(text, sizeof text, "ref_missing %s;commit_late %s;", w.commit_key, w.commit_key);
    assert_string_equal(told.text, text);
    fixture_close_clean(&fx);
}

/* The key of a marker is shorter than that of its data object: one may have no data that can be. */
static void test_verify__a_marker_whose_data_cannot_be_is_found(void **state)
{
    (void)state;
    fixture fx;
    char id[S3S_ATTEMPT_ID_SIZE + 1], token[1100], key[1200];
    kit_open(&fx);
    kit_write(&fx, "p=b", "t", FIXTURE_ALL);
    size_t size = S3STORE_KEY_MAX_BYTES - strlen("ds/data/p=a/.commit");
    memset(token, 't', size);
    token[size] = '\0';
    snprintf(key, sizeof key, "ds/data/p=a/%s.commit", token);
    fixture_attempt(77, id);
    put_marker(&fx, key, id, "1517966773000000");
    char text[4 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "data_missing %s;ref_missing %s;commit_late %s;", key, key, key);
    expect(&fx, false, text);
    fixture_close_clean(&fx);
}

static void test_verify__a_wrong_row_count_is_found(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    size_t size;
    fixture_written good = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    uint8_t *bytes = fixture_get(&fx, good.data_key, &size);
    fixture_write write = {.partition = "p=a", .token = "u"};
    fixture_written w = fixture_write_bytes(&fx, &write, bytes, size, 2);
    free(bytes);
    expect(&fx, false, finding("row_count", w.data_key));
    expect(&fx, true, "");
    fixture_close_clean(&fx);
}

static void test_verify__data_that_are_no_parquet_are_found(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    size_t size;
    fixture_written good = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    uint8_t *bytes = fixture_get(&fx, good.data_key, &size);
    fixture_write empty = {.partition = "p=b", .token = "t"}, cut = {.partition = "p=c"};
    fixture_written e = fixture_write_bytes(&fx, &empty, "", 0, 1);
    fixture_written c = fixture_write_bytes(&fx, &cut, bytes, size - 5, 1);
    free(bytes);
    char text[4 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "data_unreadable %s;data_unreadable %s;", e.data_key, c.data_key);
    expect(&fx, false, text);
    fixture_close_clean(&fx);
}

static void put_ref_again(fixture *fx, const fixture_written *w, int64_t stamp_us)
{
    fixture_write again = {.partition = "p=a",
                           .token = "t",
                           .attempt = w->attempt,
                           .stamp_us = stamp_us,
                           .steps = FIXTURE_REF};
    fixture_write_bytes(fx, &again, "", 0, 1);
}

static void test_verify__a_late_commit_is_found_until_it_is_restamped(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx); /* commit timeout 2h */
    int64_t now_us = s3s_wall_us(fx.env);
    fixture_written w =
        kit_write_at(&fx, "p=a", "t", FIXTURE_ALL, now_us - INT64_C(7260) * 1000000);
    kit_write_at(&fx, "p=b", "t", FIXTURE_ALL, now_us - INT64_C(7100) * 1000000);
    expect(&fx, false, finding("commit_late", w.commit_key));
    expect(&fx, true, finding("commit_late", w.commit_key));
    /* The same attempt once more, later: what restamp leaves. */
    put_ref_again(&fx, &w, now_us);
    expect(&fx, false, "");
    expect(&fx, true, "");
    fixture_close_clean(&fx);
}

/* In virtual time. */
static void restamp_too_late(void *ctx)
{
    static const fixture_options timing = {.commit_timeout = "2h"};
    fixture fx;
    s3store_error err;
    fixture_open(&fx, ctx, &timing);
    int64_t now_us = s3s_wall_us(ctx), limit_us = INT64_C(7200) * 1000000;
    fixture_written w = kit_write_at(&fx, "p=a", "t", FIXTURE_ALL, now_us - limit_us - 1);
    expect(&fx, false, finding("commit_late", w.commit_key));
    assert_ok(s3s_sleep_us(ctx, limit_us + 1, NULL, NULL));
    put_ref_again(&fx, &w, now_us);
    expect(&fx, false, finding("commit_late", w.commit_key));
    expect(&fx, true, finding("commit_late", w.commit_key));
    put_ref_again(&fx, &w, now_us + 1); /* just in time */
    expect(&fx, false, "");
    expect(&fx, true, "");
    fixture_close(&fx);
}

static void test_verify__a_ref_that_came_late_itself_makes_nothing_good(void **state)
{
    (void)state;
    s3s_sim *sim;
    s3store_error err;
    s3s_sim_options options = {.seed = 1, .start_wall_us = INT64_C(1700000000000000)};
    assert_ok(s3s_sim_new(&options, &sim, &err));
    assert_ok(s3s_sim_add(sim, "all", 0, restamp_too_late, s3s_sim_env(sim), &err));
    assert_ok(s3s_sim_run(sim, &err));
    assert_int_equal(s3s_env_live_allocs(s3s_sim_env(sim)), 0);
    s3s_sim_free(sim);
}

static void test_verify__refs_that_cannot_be_read_are_found(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    fixture_put(&fx, "ds/_ref/0-malformed.ref", NULL, 0, NULL);
    fixture_write other = {.partition = "q=a", .token = "t", .steps = FIXTURE_REF};
    fixture_written w = fixture_write_bytes(&fx, &other, "", 0, 1);
    char text[4 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "ref_malformed ds/_ref/0-malformed.ref;ref_malformed %s;",
             w.ref_key);
    expect(&fx, false, text);
    expect(&fx, true, text);
    fixture_close_clean(&fx);
}

static void test_verify__every_damage_of_one_commit_is_told(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    int64_t stamp = s3s_wall_us(fx.env) - INT64_C(8000) * 1000000;
    fixture_written w = kit_write_at(&fx, "p=a", "t", FIXTURE_COMMIT, stamp);
    char text[4 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "data_missing %s;ref_missing %s;commit_late %s;", w.data_key,
             w.ref_key, w.commit_key);
    expect(&fx, false, text);
    expect(&fx, true, text);
    fixture_close_clean(&fx);
}

static void test_verify__patterns_and_samples_bound_what_is_read(void **state)
{
    (void)state;
    static const char *const patterns[] = {"p=b*"};
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    kit_open(&fx);
    fixture_written bad = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    fixture_remove(&fx, bad.data_key);
    for (int i = 0; i < 400; i++)
        kit_write(&fx, "p=b", NULL, FIXTURE_ALL);
    options.patterns = patterns;
    options.pattern_count = 1;
    options.sample = 0.25;
    fixture_reset_counts(&fx);
    assert_ok(kit_verify(&fx, &options, &told, &report, &err));
    assert_string_equal(told.text, "");
    assert_int_equal(report.commits, 400);
    assert_true(report.checked > 40 && report.checked < 180);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), report.checked);
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), report.checked);
    options.sample = 1.5;
    assert_fails(kit_verify(&fx, &options, &told, &report, &err), S3STORE_INVALID_ARGUMENT,
                 "sample");
    static const char *const wrong[] = {"q=1"};
    options.sample = 0;
    options.patterns = wrong;
    assert_fails(kit_verify(&fx, &options, &told, &report, &err), S3STORE_INVALID_ARGUMENT, "q=1");
    fixture_close_clean(&fx);
}

/* A write that comes between the listing of refs and that of data. */
static s3s_fault_decision write_between(void *ctx, s3s_fault_verb verb, const char *key,
                                        uint64_t sequence)
{
    fixture *fx = ctx;
    (void)sequence;
    if (verb == S3S_VERB_LIST && strcmp(key, "ds/data/") == 0) {
        fx->hook = NULL;
        kit_write(fx, "p=new", "t", FIXTURE_ALL);
    }
    return S3S_FAULT_NONE;
}

static void test_verify__a_write_in_between_is_no_damage(void **state)
{
    (void)state;
    for (int shallow = 0; shallow < 2; shallow++) {
        fixture fx;
        kit_open(&fx);
        kit_write(&fx, "p=a", "t", FIXTURE_ALL);
        fx.hook = write_between;
        fx.hook_ctx = &fx;
        expect(&fx, shallow, "");
        assert_null(fx.hook);
        fixture_close_clean(&fx);
    }
}

static s3s_fault_decision refuse_heads(void *ctx, s3s_fault_verb verb, const char *key,
                                       uint64_t sequence)
{
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)ctx;
    (void)key;
    (void)sequence;
    if (verb == S3S_VERB_HEAD)
        d.before = S3STORE_PERMISSION_DENIED;
    return d;
}

static void test_verify__what_cannot_be_asked_is_an_error_and_no_damage(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    kit_open(&fx);
    for (int i = 0; i < 600; i++)
        kit_write(&fx, "p=a", NULL, FIXTURE_ALL);
    fx.hook = refuse_heads;
    assert_fails(kit_verify(&fx, NULL, &told, &report, &err), S3STORE_PERMISSION_DENIED, NULL);
    assert_string_equal(told.text, "");
    fixture_close_clean(&fx);
}

typedef struct vanishing {
    fixture *fx;
    const fixture_written *w;
    s3s_fault_verb verb;
    const char *part; /* of the key whose request finds it gone */
} vanishing;

/* Somebody removes the object between the listing and the request. */
static s3s_fault_decision remove_before(void *ctx, s3s_fault_verb verb, const char *key,
                                        uint64_t sequence)
{
    vanishing *x = ctx;
    (void)sequence;
    if (verb == x->verb && strstr(key, x->part) != NULL) {
        x->fx->hook = NULL;
        fixture_remove(x->fx, key);
    }
    return S3S_FAULT_NONE;
}

static void test_verify__what_is_removed_meanwhile_is_told_as_what_it_is(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    fixture_written w = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    vanishing data = {&fx, &w, S3S_VERB_GET, ".parquet"};
    fx.hook = remove_before;
    fx.hook_ctx = &data;
    expect(&fx, false, finding("data_missing", w.data_key));
    assert_null(fx.hook);
    /* Without its marker it is no commit, and so none that is damaged. */
    fixture_written v = kit_write(&fx, "p=b", "t", FIXTURE_DATA | FIXTURE_COMMIT);
    fixture_remove(&fx, w.commit_key);
    vanishing marker = {&fx, &v, S3S_VERB_HEAD, ".commit"};
    fx.hook = remove_before;
    fx.hook_ctx = &marker;
    expect(&fx, false, "");
    assert_null(fx.hook);
    fixture_close_clean(&fx);
}

typedef struct told_progress {
    uint64_t plans, calls, commits, about;
} told_progress;

static void take_plan(void *ctx, const s3store_verify_plan *plan)
{
    assert_non_null(plan);
    ((told_progress *)ctx)->plans++;
}

static void take_progress(void *ctx, uint64_t done, uint64_t about)
{
    told_progress *p = ctx;
    assert_true(done >= p->commits); /* never back */
    p->calls++;
    p->commits = done;
    p->about = about;
}

/* A request that fails ends it, wherever it comes: nothing is called damaged for it. */
static void test_verify__requests_that_fail_end_it_and_are_no_damage(void **state)
{
    (void)state;
    static const char *const two[] = {"p=a", "p=b"};
    static const struct {
        s3s_fault_verb verb;
        const char *part;
        unsigned steps; /* of the commit */
    } cases[] = {
        {S3S_VERB_LIST, "ds/data/p=b", FIXTURE_ALL}, /* while a commit waits to be asked for */
        {S3S_VERB_LIST, "ds/_ref", FIXTURE_ALL},
        {S3S_VERB_LIST, "ds/_config/schema", FIXTURE_ALL},
        {S3S_VERB_LIST, "ds/_config/view", FIXTURE_ALL},
        {S3S_VERB_HEAD, ".parquet", FIXTURE_REF | FIXTURE_COMMIT},
        {S3S_VERB_HEAD, "ds/_ref", FIXTURE_DATA | FIXTURE_COMMIT},
        {S3S_VERB_GET, ".parquet", FIXTURE_ALL},
        {S3S_VERB_HEAD, ".commit", FIXTURE_ALL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture fx;
        s3store_error err;
        kit_told told;
        s3store_verify_report report;
        s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
        options.patterns = two;
        options.pattern_count = 2;
        kit_open(&fx);
        kit_write(&fx, "p=a", "t", cases[i].steps);
        kit_refusal f = {.verb = cases[i].verb, .part = cases[i].part};
        fx.hook = kit_refuse;
        fx.hook_ctx = &f;
        assert_fails(kit_verify(&fx, &options, &told, &report, &err), S3STORE_PERMISSION_DENIED,
                     NULL);
        assert_string_equal(told.text, "");
        assert_int_equal(report.damages, 0);
        /* Also to who does not want to know why, or what. */
        assert_int_equal(kit_verify(&fx, &options, &told, &report, NULL),
                         S3STORE_PERMISSION_DENIED);
        fx.hook = NULL;
        assert_ok(kit_verify(&fx, &options, &told, &report, &err));
        options.finding = NULL;
        report = (s3store_verify_report){.size = sizeof report};
        assert_ok(s3s_verify_dataset(fx.target, &options, &report, &err));
        assert_int_equal(report.damages + report.remarks > 0, cases[i].steps != FIXTURE_ALL);
        fixture_close_clean(&fx);
    }
}

static void test_verify__a_sample_is_a_part(void **state)
{
    (void)state;
    static const double parts[] = {-0.5, 1.5, 0.0 / 0.0};
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    kit_open(&fx);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        options.sample = parts[i];
        assert_fails(kit_verify(&fx, &options, &told, &report, &err), S3STORE_INVALID_ARGUMENT,
                     "a part from 0 to 1");
    }
    options.sample = 1;
    assert_ok(kit_verify(&fx, &options, &told, &report, &err));
    assert_int_equal(report.rows, 1);
    fixture_close_clean(&fx);
}

static void test_verify__its_plan_and_progress_are_told(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    told_progress p = {0};
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    options.plan = take_plan;
    options.plan_ctx = &p;
    options.progress = take_progress;
    options.progress_ctx = &p;
    kit_open(&fx);
    for (int i = 0; i < 600; i++)
        kit_write(&fx, "p=a", NULL, FIXTURE_ALL);
    assert_ok(kit_verify(&fx, &options, &told, &report, &err));
    assert_int_equal(p.plans, 1);
    assert_true(p.calls >= 3); /* a window has 256 */
    assert_int_equal(p.commits, 600);
    assert_int_equal(p.about, 600);
    fixture_close_clean(&fx);
}

/* The tree is listed pattern by pattern: what fails at the first is the end, not only of that one. */
static void test_verify__a_pattern_that_cannot_be_listed_ends_it(void **state)
{
    (void)state;
    static const char *const patterns[] = {"p=a", "p=b"};
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    kit_open(&fx);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    kit_write(&fx, "p=b", "t", FIXTURE_ALL);
    options.patterns = patterns;
    options.pattern_count = 2;
    kit_refusal refusal = {.verb = S3S_VERB_LIST, .part = "ds/data/p=a"};
    fx.hook = kit_refuse;
    fx.hook_ctx = &refusal;
    assert_fails(kit_verify(&fx, &options, &told, &report, &err), S3STORE_PERMISSION_DENIED, NULL);
    assert_int_equal(report.commits, 0);
    assert_string_equal(told.text, "");
    fx.hook = NULL;
    assert_ok(kit_verify(&fx, &options, &told, &report, &err));
    assert_int_equal(report.commits, 2);
    fixture_close_clean(&fx);
}

typedef struct verified_again {
    fixture *fx;
    const char *wanted;
} verified_again;

static s3store_status verify_again(void *ctx, s3s_env *env, s3store_error *err)
{
    const verified_again *v = ctx;
    kit_told told;
    s3store_verify_report report;
    (void)env;
    s3store_status status = kit_verify(v->fx, NULL, &told, &report, err);
    if (status == S3STORE_OK)
        assert_string_equal(told.text, v->wanted);
    return status;
}

static void test_verify__memory_that_runs_out_is_an_error_and_nothing_leaks(void **state)
{
    (void)state;
    fixture fx;
    kit_open(&fx);
    fixture_written w = kit_write(&fx, "p=a", "t", FIXTURE_DATA | FIXTURE_COMMIT);
    kit_write(&fx, "p=b", "t", FIXTURE_ALL);
    verified_again v = {&fx, finding("ref_missing", w.ref_key)};
    alloc_steps_within(fx.env, true, verify_again, &v);
    fixture_close_clean(&fx);
}

const struct CMUnitTest verify_tests[] = {
    cmocka_unit_test(test_verify__a_whole_dataset_has_nothing_to_tell),
    cmocka_unit_test(test_verify__shallow_lists_and_asks_only_about_what_looks_wrong),
    cmocka_unit_test(test_verify__missing_data_is_found),
    cmocka_unit_test(test_verify__a_missing_ref_is_found),
    cmocka_unit_test(test_verify__a_damaged_marker_is_found),
    cmocka_unit_test(test_verify__a_wrong_row_count_is_found),
    cmocka_unit_test(test_verify__a_stamp_that_no_ref_can_have_is_found),
    cmocka_unit_test(test_verify__a_marker_whose_data_cannot_be_is_found),
    cmocka_unit_test(test_verify__requests_that_fail_end_it_and_are_no_damage),
    cmocka_unit_test(test_verify__data_that_are_no_parquet_are_found),
    cmocka_unit_test(test_verify__a_late_commit_is_found_until_it_is_restamped),
    cmocka_unit_test(test_verify__a_ref_that_came_late_itself_makes_nothing_good),
    cmocka_unit_test(test_verify__refs_that_cannot_be_read_are_found),
    cmocka_unit_test(test_verify__every_damage_of_one_commit_is_told),
    cmocka_unit_test(test_verify__patterns_and_samples_bound_what_is_read),
    cmocka_unit_test(test_verify__a_write_in_between_is_no_damage),
    cmocka_unit_test(test_verify__what_cannot_be_asked_is_an_error_and_no_damage),
    cmocka_unit_test(test_verify__what_is_removed_meanwhile_is_told_as_what_it_is),
    cmocka_unit_test(test_verify__a_sample_is_a_part),
    cmocka_unit_test(test_verify__its_plan_and_progress_are_told),
    cmocka_unit_test(test_verify__a_pattern_that_cannot_be_listed_ends_it),
    cmocka_unit_test(test_verify__memory_that_runs_out_is_an_error_and_nothing_leaks),
};
const size_t verify_test_count = sizeof verify_tests / sizeof verify_tests[0];
