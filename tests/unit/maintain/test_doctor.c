/* The doctor in the library's form: on stores that are injected, honest and lying. Servers that lie
 * are tests/cli/doctor.py's. */
#include <stdatomic.h>

#include "base/error.h"
#include "base/sim.h"
#include "support/alloc_sweep.h"
#include "support/faulty_store.h"
#include "unit/maintain/kit.h"

static void take_check(void *ctx, const s3store_check *check)
{
    bool bad = check->state == S3STORE_CHECK_WARN || check->state == S3STORE_CHECK_FAIL;
    assert_true(check->detail[0] != '\0');
    assert_true(!bad || (check->remedy != NULL && check->remedy[0] != '\0'));
    if (check->state != S3STORE_CHECK_OK)
        kit_tell(ctx, "%s %s;", s3store_check_state_name(check->state), check->name);
}

typedef struct patient {
    s3s_env *env;
    s3s_sim *sim; /* NULL = real time */
    s3store_object_store memory;
    faulty_store faults;
    struct liar *liar; /* NULL = none */
    int64_t timeout_ms;
} patient;

static void patient_open_timed(patient *p, bool initialised, bool simulated,
                               const char *commit_timeout)
{
    s3store_error err;
    s3s_sim_options options = {.seed = 1, .start_wall_us = INT64_C(1700000000000000)};
    *p = (patient){0};
    if (simulated) {
        assert_ok(s3s_sim_new(&options, &p->sim, &err));
        p->env = s3s_sim_env(p->sim);
    } else {
        assert_ok(s3s_env_new_real(&p->env, &err));
    }
    assert_ok(s3s_memory_store_new(p->env, &p->memory, &err));
    faulty_init(&p->faults, p->env, p->sim, &p->memory);
    const char *const timing[][2] = {{"ds/_config/commit-timeout", commit_timeout},
                                     {"ds/_config/max-clock-skew", "0s"}};
    for (size_t i = 0; initialised && i < 2; i++) {
        s3store_put_request put = {.size = sizeof put,
                                   .key = timing[i][0],
                                   .body = timing[i][1],
                                   .body_size = 2};
        s3store_put_reply reply = {0};
        assert_ok(s3s_put(&p->memory, NULL, &put, &reply, &err));
    }
}

static void patient_open(patient *p, bool initialised)
{
    patient_open_timed(p, initialised, false, "9h");
}

static size_t objects_left(patient *p);

static void patient_close(patient *p)
{
    faulty_deinit(&p->faults);
    s3s_store_deinit(&p->memory);
    assert_int_equal(s3s_env_live_allocs(p->env), 0);
    if (p->sim != NULL)
        s3s_sim_free(p->sim);
    else
        s3s_env_release(p->env);
}

/* ---- a store that lies ----------------------------------------------------------------------- */

typedef enum lie {
    HONEST = 0,
    OTHER_BYTES,      /* GET of the probe */
    OTHER_LARGE_BYTES,
    FEWER_LARGE_BYTES,
    WRONG_SIZE,       /* HEAD of the probe */
    STALE_LIST,       /* shows nothing of the probe's directory */
    NO_METADATA,      /* HEAD shows none */
    OTHER_METADATA,
    REFUSES_AGAIN,    /* a second PUT of "once": 403 */
    CHANGES_AGAIN,    /* it is stored, and told as refused */
    HIDES_ONCE,       /* "once" cannot be read */
    NOBODY_WON,       /* the racers' PUTs are stored, and told as conflicts */
    WRONG_WINNER,     /* the object is another one than the winner's */
    STORES_EXPIRED,   /* an expired request is refused, and stored */
    HIDES_EXPIRED,    /* nobody can say whether it was */
    CLOCK_AHEAD,
    CLOCK_BEHIND,
    NO_CLOCK, /* answers have no date */
    FINDS_ALL, /* HEAD of what is not there says that it is */
} lie;

typedef struct liar {
    s3store_object_store store;
    const s3store_object_store *inner;
    lie lie;
    atomic_uint once, race;
} liar;

static bool is_named(const char *key, const char *name)
{
    const char *slash = strrchr(key, '/');
    return slash != NULL && strcmp(slash + 1, name) == 0;
}

static s3store_status lie_with(s3store_error *err, s3store_status status, const char *key)
{
    return s3s_fail_key(err, status, key, "a lie of the test about %s", key);
}

static s3store_status lying_put(void *impl, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err)
{
    liar *l = impl;
    s3store_put_request put = *request;
    bool again = is_named(put.key, "once") && atomic_fetch_add(&l->once, 1) > 0;
    if (again && l->lie == REFUSES_AGAIN)
        return lie_with(err, S3STORE_PERMISSION_DENIED, put.key);
    if (again && l->lie == CHANGES_AGAIN) {
        put.if_none_match = false;
        (void)s3s_put(l->inner, call, &put, reply, err);
        return lie_with(err, S3STORE_ALREADY_EXISTS, put.key);
    }
    if (is_named(put.key, "race") && l->lie == WRONG_WINNER)
        put.body = "nobody";
    if (is_named(put.key, "expired") && l->lie == STORES_EXPIRED) {
        put.fenced = false;
        (void)s3s_put(l->inner, call, &put, reply, err);
        return lie_with(err, S3STORE_PERMISSION_DENIED, put.key);
    }
    s3store_status status = s3s_put(l->inner, call, &put, reply, err);
    if (is_named(put.key, "race") && l->lie == NOBODY_WON)
        return lie_with(err, S3STORE_CONFLICT, put.key);
    return status;
}

static s3store_status lying_get(void *impl, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err)
{
    liar *l = impl;
    bool changes = (is_named(request->key, "probe") && l->lie == OTHER_BYTES) ||
                   (is_named(request->key, "large") &&
                    (l->lie == OTHER_LARGE_BYTES || l->lie == FEWER_LARGE_BYTES));
    if (is_named(request->key, "once") && l->lie == HIDES_ONCE)
        return lie_with(err, S3STORE_PERMISSION_DENIED, request->key);
    if (!changes)
        return s3s_get(l->inner, call, request, sink, info, err);
    s3store_status status = s3s_head(l->inner, call, request->key, info, err);
    size_t size = l->lie == FEWER_LARGE_BYTES ? 100 : (size_t)info->object_size;
    static const char zeros[4096];
    info->object_size = size;
    if (status == S3STORE_OK)
        status = sink->begin(sink, (int64_t)size, err);
    for (size_t at = 0; at < size && status == S3STORE_OK; at += sizeof zeros)
        status = sink->write(sink, zeros, size - at < sizeof zeros ? size - at : sizeof zeros, err);
    return status;
}

static s3store_status lying_head(void *impl, const s3store_call *call, const char *key,
                                 s3store_object_info *info, s3store_error *err)
{
    liar *l = impl;
    if (is_named(key, "expired") && l->lie == HIDES_EXPIRED)
        return lie_with(err, S3STORE_PERMISSION_DENIED, key);
    s3store_status status = s3s_head(l->inner, call, key, info, err);
    if (is_named(key, "no-such-object") && l->lie == FINDS_ALL) {
        *info = (s3store_object_info){.date_us = err->server_date_us};
        return S3STORE_OK;
    }
    if (status == S3STORE_NOT_FOUND && err != NULL)
        err->server_date_us = l->lie == NO_CLOCK       ? 0
                              : l->lie == CLOCK_AHEAD  ? err->server_date_us + 100000000
                              : l->lie == CLOCK_BEHIND ? err->server_date_us - 100000000
                                                       : err->server_date_us;
    if (is_named(key, "probe") && l->lie == WRONG_SIZE)
        info->object_size++;
    if (is_named(key, "metadata") && (l->lie == NO_METADATA || l->lie == OTHER_METADATA))
        info->metadata = (s3store_metadata){0};
    if (is_named(key, "metadata") && l->lie == OTHER_METADATA)
        s3store_metadata_add(&info->metadata, "attemptid", "other");
    return status;
}

static s3store_status lying_list(void *impl, const s3store_call *call,
                                 const s3store_list_request *request, s3store_list_fn fn,
                                 void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    liar *l = impl;
    s3store_list_request list = *request;
    if (strstr(list.prefix, "_doctor") != NULL && l->lie == STALE_LIST)
        list.prefix = "nowhere";
    return s3s_list(l->inner, call, &list, fn, fn_ctx, reply, err);
}

static s3store_status lying_remove(void *impl, const s3store_call *call, const char *key,
                                   s3store_error *err)
{
    liar *l = impl;
    return s3s_remove(l->inner, call, key, err);
}

static void liar_init(liar *l, patient *p, lie what)
{
    *l = (liar){.inner = &p->faults.store, .lie = what};
    l->store = (s3store_object_store){.size = sizeof l->store,
                                      .impl = l,
                                      .put = lying_put,
                                      .get = lying_get,
                                      .head = lying_head,
                                      .list = lying_list,
                                      .remove = lying_remove,
                                      .name = "memory"};
    p->liar = l;
}

static s3store_status examine(patient *p, s3store_cancel *cancel, kit_told *told,
                              s3store_doctor_report *report, s3store_error *err)
{
    static const char *const parts[] = {"p"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_doctor_options options = S3STORE_DOCTOR_OPTIONS_INIT;
    config.store = p->liar != NULL ? &p->liar->store : &p->faults.store;
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    options.check = take_check;
    options.check_ctx = told;
    options.cancel = cancel;
    options.timeout_ms = p->timeout_ms;
    memset(told, 0, sizeof *told);
    *report = (s3store_doctor_report){.size = sizeof *report};
    return s3s_doctor(p->env, &config, &options, report, err);
}

static void expect(patient *p, const char *text)
{
    s3store_error err;
    kit_told told;
    s3store_doctor_report report;
    assert_ok(examine(p, NULL, &told, &report, &err));
    assert_string_equal(told.text, text);
    assert_int_equal(report.ok + report.warn + report.fail + report.skip, 16);
}

static bool count_probe(void *ctx, const s3store_list_entry *entry)
{
    *(size_t *)ctx += strstr(entry->key, "/_doctor/") != NULL;
    return true;
}

static size_t objects_left(patient *p)
{
    size_t count = 0;
    s3store_error err;
    assert_ok(s3s_list_all(&p->memory, NULL, "", NULL, 0, count_probe, &count, NULL, &err));
    return count;
}

#define SKIPPED "skip credentials;"

static void test_doctor__an_honest_store_passes_and_nothing_is_left(void **state)
{
    (void)state;
    patient p;
    patient_open(&p, true);
    expect(&p, SKIPPED "skip checksum;");
    assert_int_equal(objects_left(&p), 0);
    patient_close(&p);
}

/* The report counts, whoever listens; a dataset with a description is one too. */
static void test_doctor__counts_what_nobody_listens_to(void **state)
{
    (void)state;
    static const char *const parts[] = {"p"};
    static const char description[] = "{\"format\":1,\"partition_by\":[\"p\"]}";
    patient p;
    s3store_error err;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_doctor_options options = S3STORE_DOCTOR_OPTIONS_INIT;
    s3store_doctor_report report = {.size = sizeof report};
    s3store_put_reply reply = {0};
    s3store_put_request put = {.size = sizeof put,
                               .key = "ds/_config/dataset.json",
                               .body = description,
                               .body_size = sizeof description - 1};
    patient_open(&p, true);
    assert_ok(s3s_put(&p.memory, NULL, &put, &reply, &err));
    config.store = &p.faults.store;
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    config.fence = S3STORE_FENCE_OFF;
    assert_ok(s3s_doctor(p.env, &config, &options, &report, &err));
    assert_int_equal(report.ok, 14);
    assert_int_equal(report.skip, 2);
    assert_int_equal(objects_left(&p), 0);
    patient_close(&p);
}

static void test_doctor__needs_no_dataset(void **state)
{
    (void)state;
    patient p;
    patient_open(&p, false);
    expect(&p, SKIPPED "warn dataset;skip checksum;");
    assert_int_equal(objects_left(&p), 0);
    patient_close(&p);
}

static void test_doctor__ignored_conditions_are_found(void **state)
{
    (void)state;
    patient p;
    patient_open(&p, true);
    p.faults.ignores_conditions = true;
    expect(&p, SKIPPED "fail if_none_match;fail if_none_match_race;skip checksum;");
    patient_close(&p);
}

static void test_doctor__an_ignored_fence_is_found(void **state)
{
    (void)state;
    patient p;
    patient_open(&p, true);
    p.faults.ignores_fence = true;
    expect(&p, SKIPPED "fail fence;skip checksum;");
    assert_int_equal(objects_left(&p), 0); /* also not what should not have been stored */
    patient_close(&p);
}

/* Each lie is found by the check that is there for it, which says what it saw. */
static void test_doctor__each_lie_is_found_and_named(void **state)
{
    (void)state;
    static const struct {
        lie lie;
        const char *text;
    } cases[] = {
        {HONEST, SKIPPED "skip checksum;"},
        {OTHER_BYTES, SKIPPED "fail get;skip metadata;skip if_none_match;skip if_none_match_race;"
                              "skip fence;skip checksum;skip latency;skip throughput;"},
        {WRONG_SIZE, SKIPPED "fail get;skip metadata;skip if_none_match;skip if_none_match_race;"
                             "skip fence;skip checksum;skip latency;skip throughput;"},
        {OTHER_LARGE_BYTES, SKIPPED "skip checksum;fail throughput;"},
        {FEWER_LARGE_BYTES, SKIPPED "skip checksum;fail throughput;"},
        {STALE_LIST, SKIPPED "fail list_after_put;skip checksum;"},
        {NO_METADATA, SKIPPED "fail metadata;skip checksum;"},
        {OTHER_METADATA, SKIPPED "fail metadata;skip checksum;"},
        {REFUSES_AGAIN, SKIPPED "fail if_none_match;skip checksum;"},
        {CHANGES_AGAIN, SKIPPED "fail if_none_match;skip checksum;"},
        {HIDES_ONCE, SKIPPED "fail if_none_match;skip checksum;"},
        {NOBODY_WON, SKIPPED "warn if_none_match_race;skip checksum;"},
        {WRONG_WINNER, SKIPPED "fail if_none_match_race;skip checksum;"},
        {STORES_EXPIRED, SKIPPED "fail fence;skip checksum;"},
        {HIDES_EXPIRED, SKIPPED "fail fence;skip checksum;"},
        {CLOCK_AHEAD, SKIPPED "fail clock;warn fence;skip checksum;"}, /* valid only later, to it */
        {CLOCK_BEHIND, SKIPPED "fail clock;warn fence;skip checksum;"}, /* long over, to it */
        {NO_CLOCK, SKIPPED "skip checksum;"},
        {FINDS_ALL, SKIPPED "skip checksum;"}, /* that answer has the time as well */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        patient p;
        liar l;
        patient_open(&p, true);
        liar_init(&l, &p, cases[i].lie);
        expect(&p, cases[i].text);
        assert_int_equal(objects_left(&p), 0);
        patient_close(&p);
    }
}

/* Refuses requests of one verb on keys with a text. */
typedef struct refusal {
    s3s_fault_verb verb;
    const char *key;
    s3store_status status;
    s3store_cancel *cancel; /* triggered instead */
    unsigned spared;        /* so many are not refused */
} refusal;

static faulty_fate refuse(void *ctx, const faulty_request *r)
{
    refusal *f = ctx;
    if (r->verb != f->verb || strstr(r->key, f->key) == NULL)
        return (faulty_fate){0};
    if (f->spared > 0) {
        f->spared--;
        return (faulty_fate){0};
    }
    if (f->cancel != NULL) {
        s3store_cancel_trigger(f->cancel);
        return (faulty_fate){0};
    }
    return (faulty_fate){.refuse = f->status};
}

static void test_doctor__each_refusal_is_named_and_what_hangs_on_it_is_skipped(void **state)
{
    (void)state;
    static const struct {
        refusal refusal;
        const char *text;
    } cases[] = {
        {{S3S_VERB_LIST, "ds", S3STORE_PERMISSION_DENIED, NULL},
         "fail endpoint;" SKIPPED "skip list;skip dataset;skip put;skip get;skip clock;"
         "skip list_after_put;skip metadata;skip if_none_match;skip if_none_match_race;skip fence;"
         "skip checksum;skip latency;skip throughput;skip cleanup;"},
        {{S3S_VERB_LIST, "_doctor", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "fail list_after_put;skip checksum;"},
        {{S3S_VERB_GET, "_config", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "fail dataset;skip checksum;"},
        {{S3S_VERB_PUT, "probe", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "fail put;skip get;skip list_after_put;skip metadata;skip if_none_match;"
                 "skip if_none_match_race;skip fence;skip checksum;skip latency;skip throughput;"
                 "skip cleanup;"},
        {{S3S_VERB_GET, "probe", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "fail get;skip metadata;skip if_none_match;skip if_none_match_race;skip fence;"
                 "skip checksum;skip latency;skip throughput;"},
        {{S3S_VERB_PUT, "metadata", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "fail metadata;skip checksum;"},
        {{S3S_VERB_PUT, "race", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "fail if_none_match_race;skip checksum;"},
        {{S3S_VERB_PUT, "in-time", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "warn fence;skip checksum;"},
        {{S3S_VERB_PUT, "latency", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "skip checksum;fail latency;"},
        {{S3S_VERB_HEAD, "probe", S3STORE_PERMISSION_DENIED, NULL, 1},
         SKIPPED "skip checksum;fail latency;"},
        {{S3S_VERB_PUT, "large", S3STORE_PERMISSION_DENIED, NULL},
         SKIPPED "skip checksum;fail throughput;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        patient p;
        refusal r = cases[i].refusal;
        patient_open(&p, true);
        p.faults.fn = refuse;
        p.faults.ctx = &r;
        expect(&p, cases[i].text);
        assert_int_equal(objects_left(&p), 0);
        patient_close(&p);
    }
}

/* ---- on virtual time ------------------------------------------------------------------------- */

typedef struct virtual_run {
    patient *patient;
    kit_told told;
    s3store_doctor_report report;
    s3store_status status;
    s3store_error error;
} virtual_run;

static void run_examination(void *ctx)
{
    virtual_run *v = ctx;
    v->status = examine(v->patient, NULL, &v->told, &v->report, &v->error);
}

typedef struct rule {
    s3s_fault_verb verb;
    const char *key;
    faulty_fate fate;
} rule;

static faulty_fate obey(void *ctx, const faulty_request *r)
{
    const rule *own = ctx;
    bool fits = r->verb == own->verb && strstr(r->key, own->key) != NULL;
    return fits ? own->fate : (faulty_fate){0};
}

static void test_doctor__slow_busy_and_late_servers_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        rule does;
        const char *commit_timeout, *text;
    } cases[] = {
        {{S3S_VERB_PUT, "none", {0}}, "9h", SKIPPED "skip checksum;"},
        /* Busy, or without an answer: nothing is known of the fence. */
        {{S3S_VERB_PUT, "in-time", {.refuse = S3STORE_UNAVAILABLE}}, "9h",
         SKIPPED "fail fence;skip checksum;"},
        {{S3S_VERB_PUT, "in-time", {.answer = S3STORE_UNCERTAIN}}, "9h",
         SKIPPED "fail fence;skip checksum;"},
        {{S3S_VERB_PUT, "expired", {.refuse = S3STORE_UNAVAILABLE}}, "9h",
         SKIPPED "fail fence;skip checksum;"},
        {{S3S_VERB_PUT, "expired", {.refuse = S3STORE_TIMEOUT}}, "9h",
         SKIPPED "fail fence;skip checksum;"},
        {{S3S_VERB_PUT, "race", {.answer = S3STORE_UNCERTAIN}}, "9h",
         SKIPPED "warn if_none_match_race;skip checksum;"},
        {{S3S_VERB_PUT, "race", {.refuse = S3STORE_UNCERTAIN}}, "9h",
         SKIPPED "fail if_none_match_race;skip checksum;"},
        {{S3S_VERB_PUT, "race", {.answer = S3STORE_CONFLICT}}, "9h",
         SKIPPED "warn if_none_match_race;skip checksum;"},
        {{S3S_VERB_PUT, "latency", {.before_us = 400000}}, "1s",
         SKIPPED "skip checksum;warn latency;"},
        {{S3S_VERB_REMOVE, "_doctor", {.refuse = S3STORE_PERMISSION_DENIED}}, "9h",
         SKIPPED "skip checksum;warn cleanup;"},
        {{S3S_VERB_REMOVE, "_doctor", {.refuse = S3STORE_IO}}, "9h",
         SKIPPED "skip checksum;warn cleanup;"},
        {{S3S_VERB_PUT, "probe", {.refuse = S3STORE_IO}}, "9h",
         SKIPPED "fail put;skip get;skip list_after_put;skip metadata;skip if_none_match;"
                 "skip if_none_match_race;skip fence;skip checksum;skip latency;skip throughput;"
                 "skip cleanup;"},
        {{S3S_VERB_GET, "probe", {.refuse = S3STORE_IO}}, "9h",
         SKIPPED "fail get;skip metadata;skip if_none_match;skip if_none_match_race;skip fence;"
                 "skip checksum;skip latency;skip throughput;"},
        {{S3S_VERB_PUT, "none", {0}}, "soon", SKIPPED "fail dataset;skip checksum;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static virtual_run v;
        patient p;
        s3store_error err;
        patient_open_timed(&p, true, true, cases[i].commit_timeout);
        p.faults.fn = obey;
        p.faults.ctx = (void *)&cases[i].does;
        v = (virtual_run){.patient = &p};
        assert_ok(s3s_sim_add(p.sim, "doctor", 0, run_examination, &v, &err));
        assert_ok(s3s_sim_run(p.sim, &err));
        if (v.status != S3STORE_OK || strcmp(v.told.text, cases[i].text) != 0)
            fail_msg("case %zu: %s: %s: \"%s\"", i, s3store_status_name(v.status),
                     v.error.message, v.told.text);
        patient_close(&p);
    }
}

static void test_doctor__its_time_limit_ends_it_and_still_cleans_up(void **state)
{
    (void)state;
    static virtual_run v;
    static const rule slow = {S3S_VERB_PUT, "metadata", {.before_us = 9000000}};
    patient p;
    s3store_error err;
    patient_open_timed(&p, true, true, "9h");
    p.timeout_ms = 5000;
    p.faults.fn = obey;
    p.faults.ctx = (void *)&slow;
    v = (virtual_run){.patient = &p};
    assert_ok(s3s_sim_add(p.sim, "doctor", 0, run_examination, &v, &err));
    assert_ok(s3s_sim_run(p.sim, &err));
    assert_int_equal(v.status, S3STORE_TIMEOUT);
    assert_int_equal(v.error.status, S3STORE_TIMEOUT);
    assert_int_equal(objects_left(&p), 0);
    patient_close(&p);
}

static void test_doctor__a_prefix_without_room_for_a_probe_is_named(void **state)
{
    (void)state;
    static char prefix[1000];
    s3store_error err;
    patient p;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_doctor_options options = S3STORE_DOCTOR_OPTIONS_INIT;
    s3store_doctor_report report = {.size = sizeof report};
    patient_open(&p, false);
    memset(prefix, 'p', sizeof prefix - 1);
    config.store = &p.faults.store;
    config.prefix = prefix;
    assert_fails(s3s_doctor(p.env, &config, &options, &report, &err), S3STORE_INVALID_ARGUMENT,
                 "the prefix is too long for a dataset");
    patient_close(&p);
}

static void test_doctor__states_have_names(void **state)
{
    (void)state;
    assert_string_equal(s3store_check_state_name(S3STORE_CHECK_WARN), "warn");
    assert_string_equal(s3store_check_state_name((s3store_check_state)99), "unknown");
}

static void test_doctor__a_cancellation_ends_it_and_still_cleans_up(void **state)
{
    (void)state;
    patient p;
    s3store_error err;
    kit_told told;
    s3store_doctor_report report;
    s3store_cancel *cancel;
    assert_ok(s3store_cancel_new(&cancel, &err));
    patient_open(&p, true);
    refusal r = {.verb = S3S_VERB_PUT, .key = "race", .cancel = cancel};
    p.faults.fn = refuse;
    p.faults.ctx = &r;
    assert_fails(examine(&p, cancel, &told, &report, &err), S3STORE_CANCELLED, NULL);
    assert_int_equal(objects_left(&p), 0);
    assert_int_equal(examine(&p, cancel, &told, &report, NULL), S3STORE_CANCELLED);
    patient_close(&p);
    s3store_cancel_free(cancel);
}

typedef struct countdown {
    atomic_uint requests;
    unsigned at;
    s3store_cancel *cancel;
} countdown;

static faulty_fate cancel_at(void *ctx, const faulty_request *r)
{
    countdown *c = ctx;
    (void)r;
    if (atomic_fetch_add(&c->requests, 1) == c->at)
        s3store_cancel_trigger(c->cancel);
    return (faulty_fate){0};
}

/* Whichever request it comes with: it ends as cancelled, or is through, and nothing is left. */
static void test_doctor__a_cancellation_may_come_at_any_time(void **state)
{
    (void)state;
    unsigned cancelled = 0;
    bool done = false;
    for (unsigned at = 0; !done; at++) {
        patient p;
        s3store_error err;
        kit_told told;
        s3store_doctor_report report;
        countdown c = {.at = at};
        assert_true(at < 500);
        assert_ok(s3store_cancel_new(&c.cancel, &err));
        patient_open(&p, true);
        p.faults.fn = cancel_at;
        p.faults.ctx = &c;
        s3store_status status = examine(&p, c.cancel, &told, &report, &err);
        if (status != S3STORE_OK)
            assert_int_equal(status, S3STORE_CANCELLED);
        cancelled += status == S3STORE_CANCELLED;
        done = atomic_load(&c.requests) <= at;
        assert_int_equal(objects_left(&p), 0);
        patient_close(&p);
        s3store_cancel_free(c.cancel);
    }
    assert_true(cancelled > 40);
}

static void test_doctor__a_config_that_cannot_be_is_an_error(void **state)
{
    (void)state;
    s3store_error err;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_doctor_options options = S3STORE_DOCTOR_OPTIONS_INIT;
    s3store_doctor_report report = {.size = sizeof report};
    config.url = "gopher://b/d";
    assert_fails(s3s_doctor(NULL, &config, &options, &report, &err), S3STORE_INVALID_ARGUMENT,
                 "gopher");
}

static s3store_status examine_again(void *ctx, s3s_env *env, s3store_error *err)
{
    patient *p = ctx;
    kit_told told;
    s3store_doctor_report report;
    (void)env;
    s3store_status status = examine(p, NULL, &told, &report, err);
    if (status == S3STORE_OK)
        assert_int_equal(report.fail + report.warn + report.ok + report.skip, 16);
    return status;
}

/* On virtual time: requests without memory are repeated, after a while. */
static void sweep_examinations(void *ctx)
{
    patient *p = ctx;
    alloc_steps_within(p->env, false, examine_again, p);
}

static void test_doctor__memory_that_runs_out_is_an_error(void **state)
{
    (void)state;
    patient p;
    s3store_error err;
    patient_open_timed(&p, true, true, "9h");
    assert_ok(s3s_sim_add(p.sim, "doctor", 0, sweep_examinations, &p, &err));
    assert_ok(s3s_sim_run(p.sim, &err));
    patient_close(&p);
}

const struct CMUnitTest doctor_tests[] = {
    cmocka_unit_test(test_doctor__an_honest_store_passes_and_nothing_is_left),
    cmocka_unit_test(test_doctor__counts_what_nobody_listens_to),
    cmocka_unit_test(test_doctor__needs_no_dataset),
    cmocka_unit_test(test_doctor__ignored_conditions_are_found),
    cmocka_unit_test(test_doctor__an_ignored_fence_is_found),
    cmocka_unit_test(test_doctor__each_lie_is_found_and_named),
    cmocka_unit_test(test_doctor__slow_busy_and_late_servers_are_told_apart),
    cmocka_unit_test(test_doctor__its_time_limit_ends_it_and_still_cleans_up),
    cmocka_unit_test(test_doctor__a_prefix_without_room_for_a_probe_is_named),
    cmocka_unit_test(test_doctor__states_have_names),
    cmocka_unit_test(test_doctor__each_refusal_is_named_and_what_hangs_on_it_is_skipped),
    cmocka_unit_test(test_doctor__a_cancellation_ends_it_and_still_cleans_up),
    cmocka_unit_test(test_doctor__a_cancellation_may_come_at_any_time),
    cmocka_unit_test(test_doctor__a_config_that_cannot_be_is_an_error),
    cmocka_unit_test(test_doctor__memory_that_runs_out_is_an_error),
};
const size_t doctor_test_count = sizeof doctor_tests / sizeof doctor_tests[0];
