/* Large objects: uploads in parts, downloads in ranges; whole, in order, and nothing left behind. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/pool.h"
#include "objstore/objstore.h"
#include "support/test.h"

#define BODY_SIZE 1000003u
#define PART 65536u
#define PARTS 16u /* ceil(BODY_SIZE / PART) */

/* What happens to which request of one verb; the others pass. */
typedef struct fault {
    s3s_fault_verb verb;
    s3store_status before, after;
    uint64_t cut_body_at;
    int64_t delay_us;
    atomic_uint seen;
    unsigned first, last; /* of the verb's requests, from 0, inclusive */
    atomic_uint calls[S3S_VERB_COUNT];
} fault;

typedef struct fixture {
    s3s_env *env;
    s3s_pool *pool;
    s3store_object_store memory, fault_layer, limit, retry, meter, transfer;
    s3s_meter *counters;
    fault fault;
    char *body;
} fixture;

static s3s_fault_decision decide(void *ctx, s3s_fault_verb verb, const char *key,
                                 uint64_t sequence)
{
    fault *f = ctx;
    (void)key;
    (void)sequence;
    s3s_fault_decision d = S3S_FAULT_NONE;
    atomic_fetch_add(&f->calls[verb], 1);
    if (verb != f->verb)
        return d;
    unsigned n = atomic_fetch_add(&f->seen, 1);
    if (n < f->first || n > f->last)
        return d;
    d.before = f->before;
    d.after = f->after;
    d.delay_us = f->delay_us;
    if (f->cut_body_at > 0)
        d.cut_body_at = f->cut_body_at;
    return d;
}

static void set_up_with(fixture *f, s3s_transfer_options options)
{
    s3store_error err;
    memset(f, 0, sizeof *f);
    f->fault.verb = S3S_VERB_COUNT;
    assert_ok(s3s_env_new_real(&f->env, &err));
    assert_ok(s3s_pool_new(f->env, 6, &f->pool, &err));
    assert_ok(s3s_memory_store_new(f->env, &f->memory, &err));
    assert_ok(s3s_layer_fault_new(f->env, &f->memory, decide, &f->fault, &f->fault_layer, &err));
    assert_ok(s3s_layer_limit_new(f->env, &f->fault_layer, 3, &f->limit, &err));
    assert_ok(s3s_layer_retry_new(f->env, &f->limit, NULL, &f->retry, &err));
    assert_ok(s3s_layer_meter_new(f->env, &f->retry, &f->meter, &f->counters, &err));
    assert_ok(s3s_layer_transfer_new(f->env, &f->meter, f->pool, &options, &f->transfer, &err));
    f->body = malloc(BODY_SIZE);
    assert_non_null(f->body);
    for (size_t i = 0; i < BODY_SIZE; i++)
        f->body[i] = (char)(i * 2654435761u >> 13);
}

static void set_up(fixture *f)
{
    set_up_with(f, (s3s_transfer_options){.parts_above_bytes = PART,
                                          .part_bytes = PART,
                                          .ranges_above_bytes = PART,
                                          .range_bytes = PART,
                                          .ranges_at_once = 3});
}

static void tear_down(fixture *f)
{
    s3s_store_deinit(&f->transfer);
    assert_int_equal(s3s_memory_upload_count(&f->memory), 0);
    s3s_pool_free(f->pool);
    s3s_store_deinit(&f->meter);
    s3s_store_deinit(&f->retry);
    s3s_store_deinit(&f->limit);
    s3s_store_deinit(&f->fault_layer);
    s3s_store_deinit(&f->memory);
    assert_int_equal(s3s_env_live_allocs(f->env), 0);
    s3s_env_release(f->env);
    free(f->body);
}

static s3store_status put(fixture *f, size_t size, const s3store_call *call,
                          s3store_put_reply *reply, s3store_error *err)
{
    static const s3store_metadata_entry entries[] = {{"rowcount", "3"}};
    s3store_put_request r = {.size = sizeof r,
                             .key = "big",
                             .body = f->body,
                             .body_size = size,
                             .metadata = entries,
                             .metadata_count = 1};
    return s3s_put(&f->transfer, call, &r, reply, err);
}

static void expect_object(fixture *f, size_t size)
{
    s3store_error err;
    s3store_object_info info;
    s3s_buffer b;
    s3s_buffer_init(&b, f->env, SIZE_MAX);
    s3store_sink sink = s3s_buffer_sink(&b);
    s3store_get_request r = {.size = sizeof r, .key = "big", .length = S3STORE_LENGTH_ALL};
    assert_ok(s3s_get(&f->memory, NULL, &r, &sink, &info, &err));
    assert_int_equal(b.size, size);
    assert_memory_equal(b.data, f->body, size);
    assert_string_equal(s3store_metadata_get(&info.metadata, "rowcount"), "3");
    s3s_buffer_deinit(&b);
}

static s3store_status get(fixture *f, const s3store_call *call, s3s_buffer *b,
                          s3store_object_info *info, s3store_error *err)
{
    s3store_sink sink = s3s_buffer_sink(b);
    s3store_get_request r = {.size = sizeof r, .key = "big", .length = S3STORE_LENGTH_ALL};
    return s3s_get(&f->transfer, call, &r, &sink, info, err);
}

static void put_straight(fixture *f, size_t size)
{
    s3store_error err;
    s3store_put_request r = {.size = sizeof r, .key = "big", .body = f->body, .body_size = size};
    assert_ok(s3s_put(&f->memory, NULL, &r, NULL, &err));
}

static void expect_missing(fixture *f)
{
    s3store_error err;
    s3store_object_info info;
    assert_fails(s3s_head(&f->memory, NULL, "big", &info, &err), S3STORE_NOT_FOUND, NULL);
}

/* ---- putting --------------------------------------------------------------------------------- */

static void test_transfer__a_large_body_goes_in_parts(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    s3store_put_reply reply;
    assert_ok(put(&f, BODY_SIZE, NULL, &reply, &err));
    expect_object(&f, BODY_SIZE);
    assert_non_null(strstr(reply.etag, "-16"));
    assert_true(reply.date_us != S3STORE_TIME_NONE);
    assert_int_equal(f.fault.calls[S3S_VERB_PART], PARTS);
    assert_int_equal(f.fault.calls[S3S_VERB_PUT], 0);
    s3store_request_counts c = {.size = sizeof c};
    s3s_meter_read(f.counters, &c);
    assert_int_equal(c.put, PARTS + 2);
    assert_int_equal(c.bytes_sent, BODY_SIZE);
    tear_down(&f);
}

static void test_transfer__a_small_conditional_or_fenced_body_goes_whole(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    assert_ok(put(&f, PART, NULL, NULL, &err));
    s3store_put_request r = {.size = sizeof r,
                             .key = "c",
                             .body = f.body,
                             .body_size = BODY_SIZE,
                             .if_none_match = true};
    assert_ok(s3s_put(&f.transfer, NULL, &r, NULL, &err));
    r.if_none_match = false;
    r.fenced = true;
    r.expires_at_us = INT64_MAX;
    assert_ok(s3s_put(&f.transfer, NULL, &r, NULL, &err));
    assert_int_equal(f.fault.calls[S3S_VERB_CREATE], 0);
    assert_int_equal(f.fault.calls[S3S_VERB_PUT], 3);
    tear_down(&f);
}

static void test_transfer__a_server_without_uploads_gets_one_put(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    f.fault.verb = S3S_VERB_CREATE;
    f.fault.before = S3STORE_UNSUPPORTED;
    f.fault.last = 9;
    assert_ok(put(&f, BODY_SIZE, NULL, NULL, &err));
    expect_object(&f, BODY_SIZE);
    assert_int_equal(f.fault.calls[S3S_VERB_PUT], 1);
    tear_down(&f);
}

static void test_transfer__a_transient_failure_repeats_one_request(void **state)
{
    (void)state;
    static const s3s_fault_verb verbs[] = {S3S_VERB_PART, S3S_VERB_COMPLETE, S3S_VERB_CREATE};
    for (size_t i = 0; i < 3; i++) {
        s3store_error err;
        fixture f;
        set_up(&f);
        f.fault.verb = verbs[i];
        f.fault.before = S3STORE_UNAVAILABLE;
        assert_ok(put(&f, BODY_SIZE, NULL, NULL, &err));
        expect_object(&f, BODY_SIZE);
        unsigned expected = (verbs[i] == S3S_VERB_PART ? PARTS : 1) + 1;
        assert_int_equal(f.fault.calls[verbs[i]], expected);
        tear_down(&f);
    }
}

static void test_transfer__a_failed_upload_is_aborted(void **state)
{
    (void)state;
    static const struct {
        s3s_fault_verb verb;
        s3store_status status;
        unsigned first;
    } cases[] = {{S3S_VERB_PART, S3STORE_PERMISSION_DENIED, 0},
                 {S3S_VERB_PART, S3STORE_PERMISSION_DENIED, 15},
                 {S3S_VERB_PART, S3STORE_LIMIT_EXCEEDED, 7},
                 {S3S_VERB_COMPLETE, S3STORE_CORRUPT, 0},
                 {S3S_VERB_COMPLETE, S3STORE_PERMISSION_DENIED, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        fixture f;
        set_up(&f);
        f.fault.verb = cases[i].verb;
        f.fault.before = cases[i].status;
        f.fault.first = cases[i].first;
        f.fault.last = 99;
        s3store_put_reply reply;
        assert_fails(put(&f, BODY_SIZE, NULL, &reply, &err), cases[i].status, "injected");
        assert_int_equal(f.fault.calls[S3S_VERB_ABORT], 1);
        assert_int_equal(s3s_memory_upload_count(&f.memory), 0);
        expect_missing(&f);
        tear_down(&f);
    }
}

/* The upload was completed, and the answer lost: the repeat finds no upload, the object tells. */
static void test_transfer__a_lost_completion_is_found_out(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    f.fault.verb = S3S_VERB_COMPLETE;
    f.fault.after = S3STORE_UNCERTAIN;
    s3store_put_reply reply;
    assert_ok(put(&f, BODY_SIZE, NULL, &reply, &err));
    assert_non_null(strstr(reply.etag, "-16"));
    assert_int_equal(f.fault.calls[S3S_VERB_COMPLETE], 2);
    assert_int_equal(f.fault.calls[S3S_VERB_HEAD], 1);
    assert_int_equal(f.fault.calls[S3S_VERB_ABORT], 0);
    expect_object(&f, BODY_SIZE);
    tear_down(&f);
}

static void test_transfer__an_unknown_outcome_stays_uncertain(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    put_straight(&f, 7); /* an older object is not mistaken for it */
    f.fault.verb = S3S_VERB_COMPLETE;
    f.fault.before = S3STORE_UNCERTAIN;
    f.fault.last = 99;
    assert_fails(put(&f, BODY_SIZE, NULL, NULL, &err), S3STORE_UNCERTAIN, "5 attempts");
    assert_int_equal(f.fault.calls[S3S_VERB_ABORT], 1);
    tear_down(&f);
}

static void *cancel_soon(void *ctx)
{
    s3store_error err;
    fixture *f = ((void **)ctx)[0];
    while (atomic_load(&f->fault.seen) < 2)
        assert_ok(s3s_sleep_us(f->env, 1000, NULL, &err));
    s3store_cancel_trigger(((void **)ctx)[1]);
    return NULL;
}

static void test_transfer__a_cancelled_upload_is_aborted_too(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    f.fault.verb = S3S_VERB_PART;
    f.fault.delay_us = 60000000;
    f.fault.last = 99;
    s3store_cancel *cancel = NULL;
    assert_ok(s3store_cancel_new(&cancel, &err));
    pthread_t thread;
    void *ctx[] = {&f, cancel};
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, ctx), 0);
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    assert_fails(put(&f, BODY_SIZE, &call, NULL, &err), S3STORE_CANCELLED, NULL);
    pthread_join(thread, NULL);
    s3s_store_deinit(&f.transfer); /* waits for the abort */
    assert_int_equal(f.fault.calls[S3S_VERB_ABORT], 1);
    assert_int_equal(s3s_memory_upload_count(&f.memory), 0);
    expect_missing(&f);
    s3store_cancel_free(cancel);
    tear_down(&f);
}

static void test_transfer__a_deadline_ends_an_upload(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    f.fault.verb = S3S_VERB_PART;
    f.fault.delay_us = 50000;
    f.fault.last = 99;
    s3store_call call = {.deadline_us = s3s_mono_us(f.env) + 60000};
    assert_fails(put(&f, BODY_SIZE, &call, NULL, &err), S3STORE_TIMEOUT, NULL);
    s3s_store_deinit(&f.transfer);
    assert_int_equal(f.fault.calls[S3S_VERB_ABORT], 1);
    assert_int_equal(s3s_memory_upload_count(&f.memory), 0);
    tear_down(&f);
}

static void test_transfer__many_parts_become_larger_ones(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up_with(&f, (s3s_transfer_options){.parts_above_bytes = 10, .part_bytes = 1});
    s3store_put_reply reply;
    assert_ok(put(&f, 10001, NULL, &reply, &err));
    expect_object(&f, 10001);
    assert_int_equal(f.fault.calls[S3S_VERB_PART], 5001);
    tear_down(&f);
}

/* ---- getting --------------------------------------------------------------------------------- */

static void test_transfer__a_large_object_comes_in_ranges(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    assert_ok(put(&f, BODY_SIZE, NULL, NULL, &err));
    s3s_buffer b;
    s3store_object_info info;
    s3s_buffer_init(&b, f.env, SIZE_MAX);
    for (int i = 0; i < 20; i++) {
        assert_ok(get(&f, NULL, &b, &info, &err));
        assert_int_equal(b.size, BODY_SIZE);
        assert_memory_equal(b.data, f.body, BODY_SIZE);
        assert_int_equal(info.object_size, BODY_SIZE);
        assert_string_equal(s3store_metadata_get(&info.metadata, "rowcount"), "3");
    }
    assert_int_equal(f.fault.calls[S3S_VERB_GET], 20 * (1 + PARTS));
    s3store_request_counts c = {.size = sizeof c};
    s3s_meter_read(f.counters, &c);
    assert_int_equal(c.bytes_received, 20 * BODY_SIZE);
    s3s_buffer_deinit(&b);
    tear_down(&f);
}

static void test_transfer__a_small_object_takes_one_get(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    static const size_t sizes[] = {0, 1, PART};
    s3s_buffer b;
    s3s_buffer_init(&b, f.env, SIZE_MAX);
    for (size_t i = 0; i < 3; i++) {
        put_straight(&f, sizes[i]);
        assert_ok(get(&f, NULL, &b, NULL, &err));
        assert_int_equal(b.size, sizes[i]);
        assert_int_equal(f.fault.calls[S3S_VERB_GET], i + 1);
    }
    s3s_buffer_deinit(&b);
    tear_down(&f);
}

static void test_transfer__a_range_that_breaks_off_is_resumed(void **state)
{
    (void)state;
    s3store_error err;
    for (unsigned n = 1; n <= PARTS; n += 5) {
        fixture f;
        set_up(&f);
        put_straight(&f, BODY_SIZE);
        f.fault.verb = S3S_VERB_GET;
        f.fault.cut_body_at = 1234;
        f.fault.first = n;
        f.fault.last = n + 1;
        s3s_buffer b;
        s3s_buffer_init(&b, f.env, SIZE_MAX);
        assert_ok(get(&f, NULL, &b, NULL, &err));
        assert_int_equal(b.size, BODY_SIZE);
        assert_memory_equal(b.data, f.body, BODY_SIZE);
        s3s_buffer_deinit(&b);
        tear_down(&f);
    }
}

/* Whole, but its answer was lost: what was given on already is not given on twice. */
static void test_transfer__a_lost_range_is_asked_for_again(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    put_straight(&f, BODY_SIZE);
    f.fault.verb = S3S_VERB_GET;
    f.fault.after = S3STORE_UNAVAILABLE;
    f.fault.first = 1;
    f.fault.last = 3;
    s3s_buffer b;
    s3s_buffer_init(&b, f.env, SIZE_MAX);
    assert_ok(get(&f, NULL, &b, NULL, &err));
    assert_int_equal(b.size, BODY_SIZE);
    assert_memory_equal(b.data, f.body, BODY_SIZE);
    s3s_buffer_deinit(&b);
    tear_down(&f);
}

static void test_transfer__one_failed_range_ends_the_get(void **state)
{
    (void)state;
    s3store_error err;
    for (unsigned n = 1; n <= PARTS; n += 3) {
        fixture f;
        set_up(&f);
        put_straight(&f, BODY_SIZE);
        f.fault.verb = S3S_VERB_GET;
        f.fault.before = S3STORE_PERMISSION_DENIED;
        f.fault.first = f.fault.last = n;
        s3s_buffer b;
        s3s_buffer_init(&b, f.env, SIZE_MAX);
        assert_fails(get(&f, NULL, &b, NULL, &err), S3STORE_PERMISSION_DENIED, "injected");
        s3s_buffer_deinit(&b);
        tear_down(&f);
    }
}

/* Replaces the object as soon as its first bytes came. */
typedef struct replacing_sink {
    s3store_sink sink;
    fixture *f;
    unsigned begins, replacements, most;
    uint64_t size;
} replacing_sink;

static s3store_status replacing_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    replacing_sink *r = sink->ctx;
    (void)total;
    (void)err;
    r->begins++;
    r->size = 0;
    return S3STORE_OK;
}

static s3store_status replacing_write(s3store_sink *sink, const void *data, size_t size,
                                      s3store_error *err)
{
    replacing_sink *r = sink->ctx;
    (void)err;
    assert_memory_equal(data, r->f->body + r->size, size);
    if (r->size == 0 && r->replacements < r->most)
        put_straight(r->f, BODY_SIZE - ++r->replacements);
    r->size += size;
    return S3STORE_OK;
}

static void test_transfer__a_replaced_object_is_never_mixed(void **state)
{
    (void)state;
    s3store_error err;
    for (unsigned most = 1; most <= 5; most++) {
        fixture f;
        set_up(&f);
        put_straight(&f, BODY_SIZE);
        replacing_sink r = {.sink = {.begin = replacing_begin, .write = replacing_write},
                            .f = &f,
                            .most = most};
        r.sink.ctx = &r;
        s3store_get_request q = {.size = sizeof q, .key = "big", .length = S3STORE_LENGTH_ALL};
        s3store_object_info info;
        assert_ok(s3s_get(&f.transfer, NULL, &q, &r.sink, &info, &err));
        assert_int_equal(r.size, info.object_size);
        assert_true(r.begins >= 2 && r.begins <= 4);
        tear_down(&f);
    }
}

static void test_transfer__a_get_can_be_cancelled(void **state)
{
    (void)state;
    s3store_error err;
    fixture f;
    set_up(&f);
    put_straight(&f, BODY_SIZE);
    f.fault.verb = S3S_VERB_GET;
    f.fault.delay_us = 60000000;
    f.fault.first = 1;
    f.fault.last = 99;
    s3store_cancel *cancel = NULL;
    assert_ok(s3store_cancel_new(&cancel, &err));
    pthread_t thread;
    void *ctx[] = {&f, cancel};
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, ctx), 0);
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    s3s_buffer b;
    s3s_buffer_init(&b, f.env, SIZE_MAX);
    assert_fails(get(&f, &call, &b, NULL, &err), S3STORE_CANCELLED, NULL);
    pthread_join(thread, NULL);
    s3s_buffer_deinit(&b);
    s3store_cancel_free(cancel);
    tear_down(&f);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void test_transfer__out_of_memory_is_an_error_and_leaves_no_upload(void **state)
{
    (void)state;
    s3store_error err = {0};
    fixture f;
    set_up(&f);
    s3store_status status = S3STORE_OUT_OF_MEMORY;
    uint64_t n = 0;
    for (; status != S3STORE_OK && n < 2000; n++) {
        s3s_buffer b;
        s3s_buffer_init(&b, f.env, SIZE_MAX);
        s3s_env_fail_alloc_at(f.env, n);
        status = put(&f, 3 * PART, NULL, NULL, &err);
        if (status == S3STORE_OK)
            status = get(&f, NULL, &b, NULL, &err);
        s3s_env_fail_alloc_at(f.env, UINT64_MAX);
        s3s_buffer_deinit(&b);
        if (status != S3STORE_OK)
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        assert_int_equal(s3s_memory_upload_count(&f.memory), 0);
    }
    assert_int_equal(status, S3STORE_OK);
    assert_true(n > 10);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transfer__a_large_body_goes_in_parts),
        cmocka_unit_test(test_transfer__a_small_conditional_or_fenced_body_goes_whole),
        cmocka_unit_test(test_transfer__a_server_without_uploads_gets_one_put),
        cmocka_unit_test(test_transfer__a_transient_failure_repeats_one_request),
        cmocka_unit_test(test_transfer__a_failed_upload_is_aborted),
        cmocka_unit_test(test_transfer__a_lost_completion_is_found_out),
        cmocka_unit_test(test_transfer__an_unknown_outcome_stays_uncertain),
        cmocka_unit_test(test_transfer__a_cancelled_upload_is_aborted_too),
        cmocka_unit_test(test_transfer__a_deadline_ends_an_upload),
        cmocka_unit_test(test_transfer__many_parts_become_larger_ones),
        cmocka_unit_test(test_transfer__a_large_object_comes_in_ranges),
        cmocka_unit_test(test_transfer__a_small_object_takes_one_get),
        cmocka_unit_test(test_transfer__a_range_that_breaks_off_is_resumed),
        cmocka_unit_test(test_transfer__a_lost_range_is_asked_for_again),
        cmocka_unit_test(test_transfer__one_failed_range_ends_the_get),
        cmocka_unit_test(test_transfer__a_replaced_object_is_never_mixed),
        cmocka_unit_test(test_transfer__a_get_can_be_cancelled),
        cmocka_unit_test(test_transfer__out_of_memory_is_an_error_and_leaves_no_upload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
