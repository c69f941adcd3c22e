/* The layers on virtual time: what is repeated and how, slots, counters. */
#include <stdlib.h>

#include "base/buffer.h"
#include "base/sim.h"
#include "objstore/objstore.h"
#include "support/test.h"

#define START_US 1700000000000000
#define MAX_LOGS 64

/* A script of what happens to the requests, one decision each; then none. */
typedef struct script {
    s3s_fault_decision steps[16];
    size_t count;
    size_t next;
} script;

static s3s_fault_decision play(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    script *s = ctx;
    (void)verb;
    (void)key;
    (void)sequence;
    s3s_fault_decision decision = S3S_FAULT_NONE;
    if (s->next < s->count)
        decision = s->steps[s->next];
    s->next++;
    return decision;
}

typedef struct scene {
    s3s_sim *sim;
    s3s_env *env;
    s3store_object_store memory, fault, limit, retry, meter;
    s3s_meter *counters;
    script script;
    size_t max_inflight;
    s3s_retry_options retry_options;
    char logs[MAX_LOGS][256];
    size_t log_count;
    char order[256]; /* what ended when */
    s3store_cancel *cancel;
} scene;

static void keep_log(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    scene *s = ctx;
    assert_int_equal(level, S3STORE_LOG_WARN);
    assert_true(s->log_count < MAX_LOGS);
    char *line = s->logs[s->log_count++];
    int n = snprintf(line, sizeof s->logs[0], "%s", message);
    for (size_t i = 0; i < field_count; i++)
        n += snprintf(line + n, sizeof s->logs[0] - (size_t)n, " %s=%.40s", fields[i].key,
                      fields[i].value);
}

static void scene_open(scene *s)
{
    s3store_error err;
    s3s_sim_options options = {.seed = 17, .start_wall_us = START_US};
    assert_ok(s3s_sim_new(&options, &s->sim, &err));
    s->env = s3s_sim_env(s->sim);
    s3s_env_set_log(s->env, keep_log, s, S3STORE_LOG_DEBUG);
    assert_ok(s3s_memory_store_new(s->env, &s->memory, &err));
    assert_ok(s3s_layer_fault_new(s->env, &s->memory, play, &s->script, &s->fault, &err));
    assert_ok(s3s_layer_limit_new(s->env, &s->fault, s->max_inflight, &s->limit, &err));
    assert_ok(s3s_layer_retry_new(s->env, &s->limit, &s->retry_options, &s->retry, &err));
    assert_ok(s3s_layer_meter_new(s->env, &s->retry, &s->meter, &s->counters, &err));
}

static void scene_add(scene *s, const char *name, void (*fn)(void *ctx))
{
    s3store_error err;
    assert_ok(s3s_sim_add(s->sim, name, 0, fn, s, &err));
}

static void scene_run(scene *s)
{
    s3store_error err;
    assert_ok(s3s_sim_run(s->sim, &err));
    s3s_store_deinit(&s->meter);
    s3s_store_deinit(&s->retry);
    s3s_store_deinit(&s->limit);
    s3s_store_deinit(&s->fault);
    s3s_store_deinit(&s->memory);
    s3s_sim_free(s->sim);
}

static void scene_play(void (*fn)(void *ctx), scene *s)
{
    scene_open(s);
    scene_add(s, "a", fn);
    scene_run(s);
}

static void fail_before(scene *s, s3store_status status, size_t times)
{
    for (size_t i = 0; i < times; i++) {
        s->script.steps[s->script.count] = S3S_FAULT_NONE;
        s->script.steps[s->script.count++].before = status;
    }
}

static s3store_status put(scene *s, const char *key, const char *body, const s3store_call *call,
                          s3store_error *err)
{
    s3store_put_request request = {
        .size = sizeof request, .key = key, .body = body, .body_size = strlen(body)};
    s3store_put_reply reply;
    return s3s_put(&s->meter, call, &request, &reply, err);
}

static s3store_request_counts counts(const scene *s)
{
    s3store_request_counts out = {.size = sizeof out};
    s3s_meter_read(s->counters, &out);
    return out;
}

/* ---- meter ---------------------------------------------------------------------------------- */

/* Asks for the object while the page that names it is still under way: side by side. */
static bool head_listed(void *ctx, const s3store_list_entry *entry)
{
    scene *s = ctx;
    s3store_error err;
    s3store_object_info info;
    assert_ok(s3s_head(&s->meter, NULL, entry->key, &info, &err));
    return true;
}

static void rounds(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_list_request list = {.size = sizeof list, .prefix = ""};
    s3store_list_reply reply;
    assert_int_equal(counts(s).round_trips, 0);
    assert_ok(put(s, "a", "1", NULL, &err));
    assert_ok(put(s, "b", "2", NULL, &err));
    assert_int_equal(counts(s).round_trips, 2);
    assert_int_equal(counts(s).listed, 0);
    s3s_meter_plan(s->counters, 2);
    assert_ok(s3s_list(&s->meter, NULL, &list, head_listed, s, &reply, &err));
    s3store_request_counts c = counts(s);
    assert_int_equal(c.listed, 2);
    assert_int_equal(c.data_objects, 2);
    assert_int_equal(c.head, 2);
    assert_int_equal(c.round_trips, 4); /* the second HEAD came after the first one */
}

static void test_meter__counts_rounds_and_what_lists_bring(void **state)
{
    (void)state;
    scene s = {0};
    scene_play(rounds, &s);
}

/* ---- retry ---------------------------------------------------------------------------------- */

static void two_failures(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(put(s, "k", "body", NULL, &err));
    assert_int_equal(s->script.next, 3);
    assert_int_equal(s->log_count, 2);
    assert_non_null(strstr(s->logs[0], "op=put key=k attempt=1 max_attempts=5 err="));
    assert_non_null(strstr(s->logs[1], "attempt=2"));
    int64_t now_us = s3s_mono_us(s->env);
    assert_in_range(now_us, 400000, 800000); /* [100,300) + [300,500) ms */
    s3store_request_counts c = counts(s);
    assert_int_equal(c.put, 1);
    assert_int_equal(c.retries, 2);
    assert_int_equal(c.bytes_sent, 4);
}

static void test_retry__passes_after_failures(void **state)
{
    (void)state;
    static const s3store_status transient[] = {S3STORE_UNAVAILABLE, S3STORE_CONFLICT,
                                               S3STORE_TIMEOUT, S3STORE_UNCERTAIN};
    for (size_t i = 0; i < 4; i++) {
        scene s = {0};
        fail_before(&s, transient[i], 2);
        scene_play(two_failures, &s);
    }
}

static void five_failures(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_object_info info;
    int64_t begin_us = s3s_mono_us(s->env);
    assert_fails(s3s_head(&s->meter, NULL, "key-17", &info, &err), S3STORE_UNAVAILABLE,
                 "after 5 attempts");
    assert_non_null(strstr(err.message, "injected before request 4")); /* the last one's words */
    assert_string_equal(err.key, "key-17");
    assert_int_equal(s->script.next, 5);
    assert_int_equal(s->log_count, 4);
    assert_non_null(strstr(s->logs[3], "op=head key=key-17 attempt=4 max_attempts=5"));
    int64_t took_us = s3s_mono_us(s->env) - begin_us;
    assert_in_range(took_us, 1400000, 2400000);
    assert_int_equal(counts(s).retries, 4);
}

static void test_retry__gives_up_after_five(void **state)
{
    (void)state;
    scene s = {0};
    fail_before(&s, S3STORE_UNAVAILABLE, 9);
    scene_play(five_failures, &s);
}

static void one_failure(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_status expected = s->script.steps[0].before;
    assert_fails(put(s, "k", "", NULL, &err), expected, "injected");
    assert_null(strstr(err.message, "attempts"));
    assert_int_equal(s->script.next, 1);
    assert_int_equal(s->log_count, 0);
    assert_int_equal(s3s_mono_us(s->env), 0);
}

static void test_retry__not_what_cannot_change(void **state)
{
    (void)state;
    static const s3store_status final[] = {
        S3STORE_NOT_FOUND,   S3STORE_ALREADY_EXISTS, S3STORE_PERMISSION_DENIED,
        S3STORE_CANCELLED,   S3STORE_NO_CREDENTIALS, S3STORE_INVALID_ARGUMENT,
        S3STORE_CLOCK_SKEW,  S3STORE_OUT_OF_MEMORY,  S3STORE_LIMIT_EXCEEDED,
        S3STORE_UNSUPPORTED, S3STORE_CORRUPT,        S3STORE_IO,
    };
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        scene s = {0};
        fail_before(&s, final[i], 1);
        scene_play(one_failure, &s);
    }
}

static void uncertain_then_busy(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_fails(put(s, "k", "x", NULL, &err), S3STORE_UNCERTAIN, "may have been applied");
    assert_non_null(strstr(err.message, "after 5 attempts"));
}

static void test_retry__put_stays_uncertain_without_an_answer(void **state)
{
    (void)state;
    scene s = {0};
    fail_before(&s, S3STORE_UNAVAILABLE, 1);
    fail_before(&s, S3STORE_UNCERTAIN, 1);
    fail_before(&s, S3STORE_UNAVAILABLE, 3);
    scene_play(uncertain_then_busy, &s);
}

/* The first attempt is applied and its answer lost. */
static void lost_conditional(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_put_request request = {
        .size = sizeof request, .key = "t.commit", .if_none_match = true};
    assert_fails(s3s_put(&s->meter, NULL, &request, NULL, &err), S3STORE_ALREADY_EXISTS,
                 "t.commit");
    assert_int_equal(s->script.next, 2);
}

static void lost_unconditional(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(put(s, "t.parquet", "data", NULL, &err));
    assert_int_equal(s->script.next, 2);
}

static void test_retry__lost_answer_of_a_put(void **state)
{
    (void)state;
    scene s = {.script = {.count = 1, .steps[0] = S3S_FAULT_NONE}};
    s.script.steps[0].after = S3STORE_UNCERTAIN;
    scene_play(lost_conditional, &s);
    scene t = {.script = s.script};
    t.script.next = 0;
    scene_play(lost_unconditional, &t);
}

static void cancelled_pause(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_call call = {.cancel = s->cancel, .deadline_us = S3STORE_TIME_NONE};
    assert_fails(put(s, "k", "x", &call, &err), S3STORE_CANCELLED, "put");
    assert_int_equal(s->script.next, 1);
    assert_in_range(s3s_mono_us(s->env), 50000, 50000 + 100000);
}

static void cancel_after_50_ms(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(s3s_sleep_us(s->env, 50000, NULL, &err));
    s3store_cancel_trigger(s->cancel);
}

static void test_retry__pause_can_be_cancelled(void **state)
{
    (void)state;
    s3store_error err;
    scene s = {0};
    fail_before(&s, S3STORE_UNAVAILABLE, 9);
    assert_ok(s3store_cancel_new(&s.cancel, &err));
    scene_open(&s);
    scene_add(&s, "a", cancelled_pause);
    scene_add(&s, "b", cancel_after_50_ms);
    scene_run(&s);
    s3store_cancel_free(s.cancel);
}

static void close_deadline(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    /* Less than the shortest pause: the error of the attempt, not a wait for nothing. */
    s3store_call call = {.deadline_us = s3s_mono_us(s->env) + 90000};
    assert_fails(put(s, "k", "x", &call, &err), S3STORE_UNAVAILABLE, "injected");
    assert_int_equal(s->script.next, 1);
    assert_int_equal(s3s_mono_us(s->env), 0);
    /* Passed: its own TIMEOUT is not repeated. */
    call.deadline_us = s3s_mono_us(s->env);
    assert_fails(put(s, "k", "x", &call, &err), S3STORE_TIMEOUT, NULL);
    assert_int_equal(s->script.next, 1);
}

static void test_retry__keeps_to_the_callers_deadline(void **state)
{
    (void)state;
    scene s = {0};
    fail_before(&s, S3STORE_UNAVAILABLE, 9);
    scene_play(close_deadline, &s);
}

static void slow_attempts(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_fails(put(s, "k", "x", NULL, &err), S3STORE_UNAVAILABLE, "after 3 attempts");
    assert_in_range(s3s_mono_us(s->env), 75000000, 77000000);
}

static void test_retry__no_attempt_begins_after_the_budget(void **state)
{
    (void)state;
    scene s = {0};
    fail_before(&s, S3STORE_UNAVAILABLE, 9);
    for (size_t i = 0; i < s.script.count; i++)
        s.script.steps[i].delay_us = 25000000;
    scene_play(slow_attempts, &s);
    scene t = {.retry_options = {.attempts = 2}};
    fail_before(&t, S3STORE_UNAVAILABLE, 9);
    scene_open(&t);
    scene_run(&t);
}

static void fenced_put(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_put_request request = {.size = sizeof request,
                                   .key = "t.commit",
                                   .fenced = true,
                                   .valid_from_us = START_US,
                                   .expires_at_us = START_US + 350000};
    assert_fails(s3s_put(&s->meter, NULL, &request, NULL, &err), S3STORE_UNAVAILABLE,
                 "after 2 attempts");
    assert_int_equal(s->script.next, 2);
}

static void test_retry__fenced_put_stops_when_it_expires(void **state)
{
    (void)state;
    scene s = {0};
    fail_before(&s, S3STORE_UNAVAILABLE, 9);
    scene_play(fenced_put, &s);
}

static void broken_body(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(put(s, "k", "0123456789", NULL, &err));
    s->script.count = 2;
    s->script.next = 0;
    s->script.steps[0] = s->script.steps[1] = S3S_FAULT_NONE;
    s->script.steps[0].cut_body_at = 4;
    s->script.steps[1].after = S3STORE_UNAVAILABLE;
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, s->env, 100);
    s3store_sink sink = s3s_buffer_sink(&buffer);
    s3store_get_request get = {.size = sizeof get, .key = "k", .length = S3STORE_LENGTH_ALL};
    s3store_object_info info;
    assert_ok(s3s_get(&s->meter, NULL, &get, &sink, &info, &err));
    assert_int_equal(s->script.next, 3);
    assert_int_equal(buffer.size, 10);
    assert_memory_equal(buffer.data, "0123456789", 10);
    s3s_buffer_deinit(&buffer);
    s3store_request_counts c = counts(s);
    assert_int_equal(c.get, 1);
    /* The second attempt resumes, the third begins again. */
    assert_int_equal(c.bytes_received, 4 + 6 + 10);
}

static void test_retry__nothing_of_a_broken_body_stays(void **state)
{
    (void)state;
    scene s = {0};
    scene_play(broken_body, &s);
}

/* Counts its begins; the bytes are the last begin's. */
typedef struct begun_sink {
    s3store_sink sink;
    size_t begins;
    char bytes[64];
    size_t size;
    s3store_status answer; /* of write */
} begun_sink;

static s3store_status begun_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    begun_sink *b = sink->ctx;
    (void)total;
    (void)err;
    b->begins++;
    b->size = 0;
    return S3STORE_OK;
}

static s3store_status begun_write(s3store_sink *sink, const void *data, size_t size,
                                  s3store_error *err)
{
    begun_sink *b = sink->ctx;
    if (b->answer != S3STORE_OK)
        return err->status = b->answer;
    assert_true(b->size + size <= sizeof b->bytes);
    memcpy(b->bytes + b->size, data, size);
    b->size += size;
    return S3STORE_OK;
}

static void begun_init(begun_sink *b)
{
    *b = (begun_sink){.sink = {.begin = begun_begin, .write = begun_write}};
    b->sink.ctx = b;
}

static void cut_at(scene *s, const uint64_t *places, size_t count)
{
    s->script.next = 0;
    s->script.count = count;
    for (size_t i = 0; i < count; i++) {
        s->script.steps[i] = S3S_FAULT_NONE;
        s->script.steps[i].cut_body_at = places[i];
    }
}

static void resumed_body(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_object_info info;
    begun_sink b;
    static const uint64_t places[] = {4, 3, 0, 1};
    static const struct {
        s3store_get_request request;
        const char *body;
        uint64_t received;
    } cases[] = {
        {{.key = "k", .length = S3STORE_LENGTH_ALL}, "0123456789", 10},
        {{.key = "k", .offset = 1, .length = 9}, "123456789", 9},
        {{.key = "k", .suffix = 9}, "123456789", 9},
        {{.key = "k", .suffix = 99}, "0123456789", 10},
    };
    assert_ok(put(s, "k", "0123456789", NULL, &err));
    uint64_t received = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cut_at(s, places, 4);
        begun_init(&b);
        assert_ok(s3s_get(&s->meter, NULL, &cases[i].request, &b.sink, &info, &err));
        assert_int_equal(b.size, strlen(cases[i].body));
        assert_memory_equal(b.bytes, cases[i].body, b.size);
        assert_int_equal(b.begins, 1);
        assert_int_equal(info.object_size, 10);
        assert_int_equal(s->script.next, 5); /* each part is an attempt */
        received += cases[i].received;
        assert_int_equal(counts(s).bytes_received, received); /* no byte twice */
    }
    static const uint64_t always[] = {1, 1, 1, 1, 1};
    cut_at(s, always, 5);
    begun_init(&b);
    assert_fails(s3s_get(&s->meter, NULL, &cases[0].request, &b.sink, &info, &err),
                 S3STORE_UNAVAILABLE, "after 5 attempts");
}

static void test_retry__a_body_that_broke_off_goes_on_where_it_was(void **state)
{
    (void)state;
    scene s = {0};
    scene_play(resumed_body, &s);
}

static void replace_soon(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_put_request request = {.size = sizeof request, .key = "k", .body = "abcd",
                                   .body_size = 4};
    assert_ok(s3s_sleep_us(s->env, 50000, NULL, &err));
    assert_ok(s3s_put(&s->memory, NULL, &request, NULL, &err));
}

static void replaced_body(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_object_info info;
    begun_sink b;
    begun_init(&b);
    static const uint64_t places[] = {4};
    s3store_put_request first = {.size = sizeof first, .key = "k", .body = "0123456789",
                                 .body_size = 10};
    assert_ok(s3s_put(&s->memory, NULL, &first, NULL, &err));
    cut_at(s, places, 1);
    s3store_get_request get = {.size = sizeof get, .key = "k", .length = S3STORE_LENGTH_ALL};
    assert_ok(s3s_get(&s->meter, NULL, &get, &b.sink, &info, &err));
    assert_int_equal(b.begins, 2);
    assert_int_equal(b.size, 4);
    assert_memory_equal(b.bytes, "abcd", 4);
    assert_int_equal(s->script.next, 3);
    assert_int_equal(info.object_size, 4);
}

static void test_retry__a_body_that_was_replaced_begins_again(void **state)
{
    (void)state;
    scene s = {0};
    scene_open(&s);
    scene_add(&s, "a", replaced_body);
    scene_add(&s, "b", replace_soon);
    scene_run(&s);
}

static void failing_sink(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    begun_sink b;
    begun_init(&b);
    b.answer = S3STORE_UNAVAILABLE; /* the caller's own, for whatever reason */
    assert_ok(put(s, "k", "0123456789", NULL, &err));
    s->script.next = 0;
    s3store_get_request get = {.size = sizeof get, .key = "k", .length = S3STORE_LENGTH_ALL};
    assert_int_equal(s3s_get(&s->meter, NULL, &get, &b.sink, NULL, &err), S3STORE_UNAVAILABLE);
    assert_int_equal(s->script.next, 1);
}

static void test_retry__what_the_sink_says_is_final(void **state)
{
    (void)state;
    scene s = {0};
    scene_play(failing_sink, &s);
}

static void asked_to_wait(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s->script.steps[0].retry_after_ms = 7000;
    assert_ok(put(s, "k", "x", NULL, &err));
    assert_in_range(s3s_mono_us(s->env), 7300000, 7500000); /* then [300,500) ms */
    /* Less than the own pause: that one. */
    int64_t begin_us = s3s_mono_us(s->env);
    s->script.next = 0;
    s->script.steps[0].retry_after_ms = 1;
    assert_ok(put(s, "k", "x", NULL, &err));
    assert_in_range(s3s_mono_us(s->env) - begin_us, 400000, 800000);
    /* Beyond the budget, or the caller's deadline: not waited for. */
    begin_us = s3s_mono_us(s->env);
    s->script.next = 0;
    s->script.steps[0].retry_after_ms = 60001;
    assert_fails(put(s, "k", "x", NULL, &err), S3STORE_UNAVAILABLE, "wait for 60.0 s");
    s3store_call call = {.deadline_us = begin_us + 2000000};
    s->script.next = 0;
    s->script.steps[0].retry_after_ms = 2000;
    assert_fails(put(s, "k", "x", &call, &err), S3STORE_UNAVAILABLE, "wait for 2.0 s");
    assert_int_equal(s3s_mono_us(s->env), begin_us);
}

static void test_retry__waits_as_long_as_the_server_asks(void **state)
{
    (void)state;
    scene s = {0};
    fail_before(&s, S3STORE_UNAVAILABLE, 2);
    scene_play(asked_to_wait, &s);
}

static bool count_entry(void *ctx, const s3store_list_entry *entry)
{
    (void)entry;
    ++*(size_t *)ctx;
    return true;
}

static void lost_pages(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(put(s, "a", "", NULL, &err));
    assert_ok(put(s, "b", "", NULL, &err));
    assert_ok(put(s, "c", "", NULL, &err));
    s->script.count = 4;
    s->script.next = 0;
    for (size_t i = 0; i < 4; i++)
        s->script.steps[i] = S3S_FAULT_NONE;
    s->script.steps[0].after = S3STORE_UNAVAILABLE; /* page 1, page 1 again, page 2 twice */
    s->script.steps[2].after = S3STORE_UNAVAILABLE;
    size_t seen = 0;
    uint64_t pages = 0;
    assert_ok(s3s_list_all(&s->meter, NULL, "", NULL, 2, count_entry, &seen, &pages, &err));
    assert_int_equal(seen, 3);
    assert_int_equal(pages, 2);
    assert_int_equal(s->script.next, 4);
    /* The continuation may lie in the reply itself. */
    s->script.next = 0;
    s3store_list_reply reply = {0};
    s3store_list_request request = {.size = sizeof request, .prefix = "", .max_keys = 1};
    seen = 0;
    do {
        request.continuation = reply.truncated ? reply.continuation : NULL;
        assert_ok(s3s_list(&s->meter, NULL, &request, count_entry, &seen, &reply, &err));
    } while (reply.truncated);
    assert_int_equal(seen, 3);
}

static void test_retry__lost_page_is_asked_for_again_once(void **state)
{
    (void)state;
    scene s = {0};
    scene_play(lost_pages, &s);
}

/* ---- limit ---------------------------------------------------------------------------------- */

/* Each begins a millisecond after the one before and takes 100 ms. */
static void slow_put(scene *s, char name)
{
    s3store_error err;
    char key[2] = {name, '\0'};
    assert_ok(s3s_sleep_us(s->env, 1000 * (name - 'a' + 1), NULL, &err));
    assert_ok(put(s, key, "", NULL, &err));
    strcat(s->order, key);
}

#define SLOW_PUT(name)                                                                             \
    static void put_##name(void *ctx)                                                              \
    {                                                                                              \
        slow_put(ctx, #name[0]);                                                                   \
    }
SLOW_PUT(a)
SLOW_PUT(b)
SLOW_PUT(c)
SLOW_PUT(d)
SLOW_PUT(e)

static void test_limit__first_come_first_served(void **state)
{
    (void)state;
    scene s = {.max_inflight = 2};
    for (size_t i = 0; i < 5; i++) {
        s.script.steps[i] = S3S_FAULT_NONE;
        s.script.steps[s.script.count++].delay_us = 100000;
    }
    scene_open(&s);
    scene_add(&s, "e", put_e);
    scene_add(&s, "c", put_c);
    scene_add(&s, "a", put_a);
    scene_add(&s, "d", put_d);
    scene_add(&s, "b", put_b);
    s3s_sim *sim = s.sim;
    s3store_error err;
    assert_ok(s3s_sim_run(sim, &err));
    /* Two at a time: a b, then c d, then e. */
    assert_string_equal(s.order, "abcde");
    assert_in_range(s3s_sim_now_us(sim), 300000, 320000);
    scene_run(&s);
}

static void waiter_cancelled(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_call call = {.cancel = s->cancel, .deadline_us = S3STORE_TIME_NONE};
    assert_ok(s3s_sleep_us(s->env, 10000, NULL, &err));
    assert_fails(put(s, "x", "", &call, &err), S3STORE_CANCELLED, "slot");
    strcat(s->order, "x");
}

static void waiter_late(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(s3s_sleep_us(s->env, 11000, NULL, &err));
    s3store_call call = {.deadline_us = s3s_mono_us(s->env) + 20000};
    assert_fails(put(s, "y", "", &call, &err), S3STORE_TIMEOUT, "slot");
    strcat(s->order, "y");
}

static void test_limit__waiters_can_leave_the_queue(void **state)
{
    (void)state;
    s3store_error err;
    scene s = {.max_inflight = 1};
    for (size_t i = 0; i < 2; i++) {
        s.script.steps[i] = S3S_FAULT_NONE;
        s.script.steps[s.script.count++].delay_us = 100000;
    }
    assert_ok(s3store_cancel_new(&s.cancel, &err));
    scene_open(&s);
    scene_add(&s, "a", put_a);
    scene_add(&s, "x", waiter_cancelled);
    scene_add(&s, "y", waiter_late);
    scene_add(&s, "c", put_c);
    scene_add(&s, "t", cancel_after_50_ms);
    assert_ok(s3s_sim_run(s.sim, &err));
    assert_string_equal(s.order, "yxac");
    scene_run(&s);
    s3store_cancel_free(s.cancel);
}

static void retried_put(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(put(s, "r", "", NULL, &err));
    strcat(s->order, "r");
}

static void test_limit__slot_is_free_during_the_pause(void **state)
{
    (void)state;
    s3store_error err;
    scene s = {.max_inflight = 1};
    fail_before(&s, S3STORE_UNAVAILABLE, 1);
    scene_open(&s);
    scene_add(&s, "r", retried_put);
    scene_add(&s, "a", put_a);
    assert_ok(s3s_sim_run(s.sim, &err));
    assert_string_equal(s.order, "ar");
    scene_run(&s);
}

/* The callback of a LIST makes requests itself, with one slot. */
static bool head_each(void *ctx, const s3store_list_entry *entry)
{
    scene *s = ctx;
    s3store_error err;
    s3store_object_info info;
    assert_ok(s3s_head(&s->meter, NULL, entry->key, &info, &err));
    strcat(s->order, entry->key);
    return true;
}

static void nested(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    assert_ok(put(s, "a", "", NULL, &err));
    assert_ok(put(s, "b", "", NULL, &err));
    assert_ok(s3s_list_all(&s->meter, NULL, "", NULL, 0, head_each, s, NULL, &err));
    assert_string_equal(s->order, "ab");
    s3store_request_counts c = counts(s);
    assert_int_equal(c.put, 2);
    assert_int_equal(c.list, 1);
    assert_int_equal(c.head, 2);
    assert_int_equal(c.get, 0);
    assert_int_equal(c.remove, 0);
}

static void test_limit__list_callback_may_make_requests(void **state)
{
    (void)state;
    scene s = {.max_inflight = 1};
    scene_play(nested, &s);
}

/* ---- list_all ------------------------------------------------------------------------------- */

static s3store_status endless_list(void *impl, const s3store_call *call,
                                   const s3store_list_request *request, s3store_list_fn fn,
                                   void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    (void)call;
    (void)request;
    (void)fn;
    (void)fn_ctx;
    (void)err;
    reply->truncated = true;
    snprintf(reply->continuation, sizeof reply->continuation, "%s", (const char *)impl);
    return S3STORE_OK;
}

static void test_list_all__refuses_to_go_in_circles(void **state)
{
    (void)state;
    s3store_error err;
    size_t seen = 0;
    s3store_object_store store = {.impl = (void *)(uintptr_t) "same", .list = endless_list};
    assert_fails(s3s_list_all(&store, NULL, "p/", NULL, 0, count_entry, &seen, NULL, &err),
                 S3STORE_CORRUPT, "p/");
    store.impl = (void *)(uintptr_t) "";
    assert_fails(s3s_list_all(&store, NULL, "p/", NULL, 0, count_entry, &seen, NULL, &err),
                 S3STORE_CORRUPT, "where");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_retry__passes_after_failures),
        cmocka_unit_test(test_retry__gives_up_after_five),
        cmocka_unit_test(test_retry__not_what_cannot_change),
        cmocka_unit_test(test_retry__put_stays_uncertain_without_an_answer),
        cmocka_unit_test(test_retry__lost_answer_of_a_put),
        cmocka_unit_test(test_retry__pause_can_be_cancelled),
        cmocka_unit_test(test_retry__keeps_to_the_callers_deadline),
        cmocka_unit_test(test_retry__no_attempt_begins_after_the_budget),
        cmocka_unit_test(test_retry__fenced_put_stops_when_it_expires),
        cmocka_unit_test(test_retry__nothing_of_a_broken_body_stays),
        cmocka_unit_test(test_retry__a_body_that_broke_off_goes_on_where_it_was),
        cmocka_unit_test(test_retry__a_body_that_was_replaced_begins_again),
        cmocka_unit_test(test_retry__what_the_sink_says_is_final),
        cmocka_unit_test(test_retry__waits_as_long_as_the_server_asks),
        cmocka_unit_test(test_retry__lost_page_is_asked_for_again_once),
        cmocka_unit_test(test_limit__first_come_first_served),
        cmocka_unit_test(test_limit__waiters_can_leave_the_queue),
        cmocka_unit_test(test_limit__slot_is_free_during_the_pause),
        cmocka_unit_test(test_limit__list_callback_may_make_requests),
        cmocka_unit_test(test_meter__counts_rounds_and_what_lists_bring),
        cmocka_unit_test(test_list_all__refuses_to_go_in_circles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
