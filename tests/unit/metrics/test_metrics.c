/* The registry and its exporters. */
#include "support/test.h"

#include <pthread.h>

#include "base/buffer.h"
#include "base/json.h"
#include "metrics/metrics.h"

static s3s_env *env;
static s3s_metrics *metrics;

static int set_up(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_metrics_new(env, NULL, &metrics, &err));
    assert_ok(s3s_metrics_set_target(metrics, "warehouse", "a \"b\"\\c\n", "strong-global", &err));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    s3s_metrics_free(metrics);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
    return 0;
}

/* ---- finding a series ------------------------------------------------------------------------ */

typedef struct wanted {
    const char *name, *label, *value; /* label NULL = any series of that name */
    bool found;
    s3store_metric metric;
    uint64_t buckets[20];
    size_t of_that_name;
} wanted;

static bool look(void *ctx, const s3store_metric *m)
{
    wanted *w = ctx;
    if (strcmp(m->name, w->name) != 0)
        return true;
    w->of_that_name++;
    bool same = w->label == NULL;
    for (size_t i = 0; i < m->label_count; i++)
        same = same || (strcmp(m->labels[i].name, w->label) == 0 &&
                        strcmp(m->labels[i].value, w->value) == 0);
    if (same && !w->found) {
        w->found = true;
        w->metric = *m;
        if (m->bucket_counts != NULL)
            memcpy(w->buckets, m->bucket_counts, (m->bound_count + 1) * sizeof(uint64_t));
    }
    return true;
}

static wanted find(const char *name, const char *label, const char *value)
{
    wanted w = {.name = name, .label = label, .value = value};
    s3s_metrics_snapshot(metrics, look, &w);
    return w;
}

/* ---- recording ------------------------------------------------------------------------------- */

static void test_metrics__counters_are_kept_by_their_labels(void **state)
{
    (void)state;
    s3s_labels put = {.operation = S3S_OP_PUT, .attempts = 1};
    s3s_labels get = {.operation = S3S_OP_GET, .attempts = 1};
    s3s_metric(metrics, S3S_METRIC_REQUEST_COUNT, put, 2);
    s3s_metric(metrics, S3S_METRIC_REQUEST_COUNT, put, 3);
    s3s_metric(metrics, S3S_METRIC_REQUEST_COUNT, get, 1);
    wanted w = find("s3store.s3.request.count", "s3store.operation", "put");
    assert_int_equal(w.metric.value, 5);
    assert_int_equal(w.metric.kind, S3STORE_METRIC_COUNTER);
    w = find("s3store.s3.request.count", "s3store.operation", "get");
    assert_int_equal(w.metric.value, 1);
    s3s_metric(metrics, S3S_METRIC_TARGET_INFLIGHT, (s3s_labels){0}, 1);
    s3s_metric(metrics, S3S_METRIC_TARGET_INFLIGHT, (s3s_labels){0}, -1);
    w = find("s3store.target.inflight", NULL, NULL);
    assert_true(w.found);
    assert_int_equal(w.metric.value, 0);
    s3s_metric(NULL, S3S_METRIC_TARGET_INFLIGHT, (s3s_labels){0}, 1); /* nobody counts */
}

static void test_metrics__a_value_on_a_bound_belongs_below_it(void **state)
{
    (void)state;
    s3s_labels labels = {.operation = S3S_OP_LIST};
    s3s_metric(metrics, S3S_METRIC_REQUEST_DURATION, labels, 5000);     /* 0.005 s, a bound */
    s3s_metric(metrics, S3S_METRIC_REQUEST_DURATION, labels, 5001);
    s3s_metric(metrics, S3S_METRIC_REQUEST_DURATION, labels, 31000000); /* beyond the last */
    wanted w = find("s3store.s3.request.duration", "s3store.operation", "list");
    assert_int_equal(w.metric.count, 3);
    assert_int_equal(w.buckets[0], 1);
    assert_int_equal(w.buckets[1], 1);
    assert_int_equal(w.buckets[w.metric.bound_count], 1);
    assert_true(w.metric.sum > 31.01 && w.metric.sum < 31.0101);
}

static void test_metrics__series_that_alerts_need_are_there_from_the_beginning(void **state)
{
    (void)state;
    assert_true(find("s3store.write.commit_after_timeout", NULL, NULL).found);
    assert_true(find("s3store.read.missing_data", "s3store.method", "poll_records").found);
    assert_true(find("s3store.read.malformed_refs", "s3store.method", "poll").found);
    assert_int_equal(find("s3store.s3.request.count", NULL, NULL).of_that_name, 20);
}

static void *count_up(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 10000; i++)
        s3s_metric(metrics, S3S_METRIC_WRITE_RECORDS, (s3s_labels){0}, i % 3);
    return NULL;
}

static void test_metrics__threads_lose_nothing(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    wanted w = find("s3store.write.records", NULL, NULL);
    assert_int_equal(w.metric.count, 40000);
    assert_int_equal((int64_t)w.metric.sum, 4 * (3333 * 3));
    assert_int_equal(w.of_that_name, 1);
}

static void expect_labels(s3store_status status, int http, const char *code, s3s_outcome outcome,
                          s3s_error_type type)
{
    s3store_error err = {.http_status = http};
    s3s_labels labels = {0};
    snprintf(err.s3_code, sizeof err.s3_code, "%s", code);
    s3s_labels_set_status(&labels, status, &err);
    assert_int_equal(labels.outcome, outcome);
    assert_int_equal(labels.error, type);
}

/* Vector 209 among them: SlowDown is no ordinary 503. */
static void test_metrics__outcomes_are_told_apart(void **state)
{
    (void)state;
    expect_labels(S3STORE_OK, 0, "", S3S_OUTCOME_SUCCESS, S3S_ERROR_NONE);
    expect_labels(S3STORE_CANCELLED, 0, "", S3S_OUTCOME_CANCELED, S3S_ERROR_CANCELED);
    expect_labels(S3STORE_TIMEOUT, 0, "", S3S_OUTCOME_CANCELED, S3S_ERROR_CANCELED);
    expect_labels(S3STORE_NOT_FOUND, 404, "NoSuchKey", S3S_OUTCOME_ERROR, S3S_ERROR_NOT_FOUND);
    expect_labels(S3STORE_UNAVAILABLE, 503, "SlowDown", S3S_OUTCOME_ERROR, S3S_ERROR_SLOWDOWN);
    expect_labels(S3STORE_UNAVAILABLE, 503, "", S3S_OUTCOME_ERROR, S3S_ERROR_SERVER);
    expect_labels(S3STORE_UNAVAILABLE, 429, "", S3S_OUTCOME_ERROR, S3S_ERROR_SLOWDOWN);
    expect_labels(S3STORE_ALREADY_EXISTS, 412, "", S3S_OUTCOME_ERROR,
                  S3S_ERROR_PRECONDITION_FAILED);
    expect_labels(S3STORE_PERMISSION_DENIED, 403, "", S3S_OUTCOME_ERROR, S3S_ERROR_CLIENT);
    expect_labels(S3STORE_UNAVAILABLE, 0, "", S3S_OUTCOME_ERROR, S3S_ERROR_TRANSPORT);
    expect_labels(S3STORE_INVALID_ARGUMENT, 0, "", S3S_OUTCOME_ERROR, S3S_ERROR_ARGUMENT);
    expect_labels(S3STORE_COMMIT_AFTER_TIMEOUT, 0, "", S3S_OUTCOME_ERROR, S3S_ERROR_LATE);
}

typedef struct seen {
    int count;
    double value;
    char name[64], label[64];
} seen;

static void observe(void *ctx, const s3store_metric *series, double value)
{
    seen *s = ctx;
    s->count++;
    s->value = value;
    snprintf(s->name, sizeof s->name, "%s", series->name);
    snprintf(s->label, sizeof s->label, "%s", series->labels[series->label_count - 1].value);
}

static void test_metrics__a_sink_is_told_of_every_observation(void **state)
{
    (void)state;
    s3store_error err;
    seen s = {0};
    s3store_metrics_sink sink = {.size = sizeof sink, .ctx = &s, .observe = observe};
    s3s_metrics *m;
    assert_ok(s3s_metrics_new(env, &sink, &m, &err));
    s3s_metric(m, S3S_METRIC_METHOD_DURATION, (s3s_labels){.method = S3S_METHOD_POLL}, 1500000);
    assert_int_equal(s.count, 1);
    assert_true(s.value == 1.5);
    assert_string_equal(s.name, "s3store.method.duration");
    assert_string_equal(s.label, "success");
    s3s_metrics_free(m);
}

static void test_metrics__no_memory_drops_an_observation_only(void **state)
{
    (void)state;
    s3s_env_fail_alloc_at(env, 0);
    s3s_metric(metrics, S3S_METRIC_READ_BYTES, (s3s_labels){0}, 1);
    s3s_env_fail_alloc_at(env, UINT64_MAX);
    assert_false(find("s3store.read.bytes", NULL, NULL).found);
    s3s_metric(metrics, S3S_METRIC_READ_BYTES, (s3s_labels){0}, 1);
    assert_int_equal(find("s3store.read.bytes", NULL, NULL).metric.count, 1);
}

/* ---- exporters ------------------------------------------------------------------------------- */

static void test_prometheus__names_units_and_escapes(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer page;
    s3s_metric(metrics, S3S_METRIC_REQUEST_BODY, (s3s_labels){.operation = S3S_OP_PUT}, 2000);
    s3s_buffer_init(&page, env, SIZE_MAX);
    assert_ok(s3s_metrics_prometheus(metrics, &page, &err));
    const char *text = s3s_buffer_text(&page, &err);
    assert_non_null(text);
    assert_non_null(strstr(text, "# TYPE s3store_s3_request_body_size_bytes histogram\n"));
    assert_non_null(strstr(
        text, "s3store_s3_request_body_size_bytes_bucket{s3store_bucket=\"warehouse\","
              "s3store_prefix=\"a \\\"b\\\"\\\\c\\n\",s3store_consistency_level=\"strong-global\","
              "s3store_operation=\"put\",le=\"4096\"} 1\n"));
    assert_non_null(strstr(text, "s3store_write_commit_after_timeout_total{"));
    assert_non_null(strstr(text, "le=\"1073741824\"} 1\n"));
    assert_non_null(strstr(text, "le=\"+Inf\"} 1\n"));
    s3s_buffer_deinit(&page);
}

static void test_otlp__is_json_of_one_scope(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer body;
    s3s_json *root;
    s3s_metric(metrics, S3S_METRIC_WRITE_BYTES, (s3s_labels){0}, 7);
    s3s_buffer_init(&body, env, SIZE_MAX);
    assert_ok(s3s_metrics_otlp(metrics, "test", 1, 2, &body, &err));
    assert_ok(s3s_json_parse((const char *)body.data, body.size, "otlp", &root, &err));
    const s3s_json *scope = s3s_json_at(
        s3s_json_get(s3s_json_at(s3s_json_get(root, "resourceMetrics"), 0), "scopeMetrics"), 0);
    assert_string_equal(s3s_json_text(s3s_json_get(s3s_json_get(scope, "scope"), "name")),
                        "github.com/ueisele/s3store");
    const s3s_json *list = s3s_json_get(scope, "metrics"), *found = NULL;
    for (size_t i = 0; i < s3s_json_count(list); i++) {
        const char *name = s3s_json_text(s3s_json_get(s3s_json_at(list, i), "name"));
        if (strcmp(name, "s3store.write.bytes") == 0)
            found = s3s_json_at(list, i);
    }
    const s3s_json *point =
        s3s_json_at(s3s_json_get(s3s_json_get(found, "histogram"), "dataPoints"), 0);
    assert_string_equal(s3s_json_text(s3s_json_get(point, "count")), "1");
    assert_string_equal(s3s_json_text(s3s_json_get(point, "timeUnixNano")), "2000");
    assert_int_equal(s3s_json_count(s3s_json_get(point, "bucketCounts")), 14);
    assert_int_equal(s3s_json_count(s3s_json_get(point, "explicitBounds")), 13);
    s3s_json_free(root);
    s3s_buffer_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_metrics__counters_are_kept_by_their_labels, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_metrics__a_value_on_a_bound_belongs_below_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_metrics__series_that_alerts_need_are_there_from_the_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metrics__threads_lose_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metrics__outcomes_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_metrics__a_sink_is_told_of_every_observation, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_metrics__no_memory_drops_an_observation_only, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_prometheus__names_units_and_escapes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_otlp__is_json_of_one_scope, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
