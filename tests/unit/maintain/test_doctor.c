/* The doctor in the library's form: on stores that are injected, honest and lying. Servers that lie
 * are tests/cli/doctor.py's. */
#include "base/sim.h"
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
    s3store_object_store memory;
    faulty_store faults;
} patient;

static void patient_open(patient *p, bool initialised)
{
    s3store_error err;
    assert_ok(s3s_env_new_real(&p->env, &err));
    assert_ok(s3s_memory_store_new(p->env, &p->memory, &err));
    faulty_init(&p->faults, p->env, NULL, &p->memory);
    static const char *const timing[][2] = {{"ds/_config/commit-timeout", "9h"},
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

static size_t objects_left(patient *p);

static void patient_close(patient *p)
{
    faulty_deinit(&p->faults);
    s3s_store_deinit(&p->memory);
    assert_int_equal(s3s_env_live_allocs(p->env), 0);
    s3s_env_release(p->env);
}

static s3store_status examine(patient *p, s3store_cancel *cancel, kit_told *told,
                              s3store_doctor_report *report, s3store_error *err)
{
    static const char *const parts[] = {"p"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_doctor_options options = S3STORE_DOCTOR_OPTIONS_INIT;
    config.store = &p->faults.store;
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    options.check = take_check;
    options.check_ctx = told;
    options.cancel = cancel;
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

/* Refuses requests of one verb on keys with a text. */
typedef struct refusal {
    s3s_fault_verb verb;
    const char *key;
    s3store_status status;
    s3store_cancel *cancel; /* triggered instead */
} refusal;

static faulty_fate refuse(void *ctx, const faulty_request *r)
{
    const refusal *f = ctx;
    if (r->verb != f->verb || strstr(r->key, f->key) == NULL)
        return (faulty_fate){0};
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
    patient_close(&p);
    s3store_cancel_free(cancel);
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

static void test_doctor__memory_that_runs_out_is_an_error(void **state)
{
    (void)state;
    bool done = false;
    for (uint64_t n = 0; n < 4000 && !done; n += n < 60 ? 1 : 23) {
        patient p;
        s3store_error err = {0};
        kit_told told;
        s3store_doctor_report report;
        patient_open(&p, true);
        s3s_env_fail_alloc_at(p.env, n);
        s3store_status status = examine(&p, NULL, &told, &report, &err);
        s3s_env_fail_alloc_at(p.env, UINT64_MAX);
        done = status == S3STORE_OK && report.fail == 0;
        if (status != S3STORE_OK)
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        patient_close(&p);
    }
    assert_true(done);
}

const struct CMUnitTest doctor_tests[] = {
    cmocka_unit_test(test_doctor__an_honest_store_passes_and_nothing_is_left),
    cmocka_unit_test(test_doctor__needs_no_dataset),
    cmocka_unit_test(test_doctor__ignored_conditions_are_found),
    cmocka_unit_test(test_doctor__an_ignored_fence_is_found),
    cmocka_unit_test(test_doctor__each_refusal_is_named_and_what_hangs_on_it_is_skipped),
    cmocka_unit_test(test_doctor__a_cancellation_ends_it_and_still_cleans_up),
    cmocka_unit_test(test_doctor__a_config_that_cannot_be_is_an_error),
    cmocka_unit_test(test_doctor__memory_that_runs_out_is_an_error),
};
const size_t doctor_test_count = sizeof doctor_tests / sizeof doctor_tests[0];
