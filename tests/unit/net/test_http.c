/* One request over HTTP, and all the ways in which it can fail. */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/env.h"
#include "net/http.h"
#include "support/http_server.h"

#define LONG_LABEL "0123456789012345678901234567890123456789012345678901234567890123456789"
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

typedef struct fixture {
    s3s_env *env;
    s3s_http *http;
    http_server *server;
    char url[128];
} fixture;

static fixture f;

static void start(const http_step *steps, size_t count, const s3s_http_options *options)
{
    s3store_error err;
    memset(&f, 0, sizeof f);
    assert_ok(s3s_env_new_real(&f.env, &err));
    assert_ok(s3s_http_new(f.env, options, &f.http, &err));
    f.server = http_server_start(steps, count);
    assert_non_null(f.server);
    snprintf(f.url, sizeof f.url, "%s/a%%20b//./c?q=1", http_server_url(f.server));
}

static void stop(void)
{
    s3s_http_free(f.http);
    http_server_stop(f.server);
    assert_int_equal(s3s_env_live_allocs(f.env), 0);
    s3s_env_release(f.env);
}

/* What came back. */
typedef struct answer {
    int status;
    int status_count;
    char headers[4096];
    char body[4096];
    size_t body_size;
    s3store_status body_status; /* what on_body returns */
} answer;

static void on_status(void *ctx, int status)
{
    answer *a = ctx;
    a->status = status;
    a->status_count++;
}

static void on_header(void *ctx, const char *name, size_t name_size, const char *value,
                      size_t value_size)
{
    answer *a = ctx;
    size_t used = strlen(a->headers);
    if (used + name_size + value_size + 4 < sizeof a->headers)
        sprintf(a->headers + used, "%.*s=%.*s\n", (int)name_size, name, (int)value_size, value);
}

static s3store_status on_body(void *ctx, const void *data, size_t size, s3store_error *err)
{
    answer *a = ctx;
    for (size_t i = 0; i < size && a->body_size + i < sizeof a->body - 1; i++)
        a->body[a->body_size + i] = ((const char *)data)[i];
    a->body_size += size;
    if (a->body_status != S3STORE_OK && a->body_status != S3STORE_END) {
        err->status = a->body_status;
        strcpy(err->message, "the receiver is full");
    }
    return a->body_status;
}

static s3store_status request(const char *method, const char *url, const s3store_call *call,
                              answer *a, s3s_http_result *result, s3store_error *err)
{
    s3s_http_request r = {.method = method,
                          .url = url,
                          .ctx = a,
                          .on_status = on_status,
                          .on_header = on_header,
                          .on_body = on_body};
    a->status = 0;
    a->status_count = 0;
    a->headers[0] = '\0';
    a->body_size = 0;
    memset(a->body, 0, sizeof a->body);
    return s3s_http_perform(f.http, call, &r, result, err);
}

static s3store_status get(answer *a, s3s_http_result *result, s3store_error *err)
{
    return request("GET", f.url, NULL, a, result, err);
}

static void test_http__request_goes_out_as_it_is_given(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .headers = "ETag:  \"x\" \r\nEmpty:\r\n", .body = "hello"}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    static const s3s_http_header headers[] = {
        {"host", "other.example"}, {"x-amz-meta-a", "1  2"}, {"x-empty", ""}};
    s3s_http_request r = {.method = "PUT",
                          .url = f.url,
                          .headers = headers,
                          .header_count = 3,
                          .body = "body",
                          .body_size = 4,
                          .ctx = &a,
                          .on_status = on_status,
                          .on_header = on_header,
                          .on_body = on_body};
    assert_ok(s3s_http_perform(f.http, NULL, &r, &result, &err));
    assert_int_equal(a.status, 200);
    assert_int_equal(result.status, 200);
    assert_int_equal(result.progress, S3S_HTTP_ANSWERED);
    assert_string_equal(a.body, "hello");
    assert_non_null(strstr(a.headers, "ETag=\"x\"\n"));
    assert_non_null(strstr(a.headers, "Empty=\n"));

    http_seen seen;
    char text[1024];
    http_server_seen(f.server, 0, &seen);
    assert_string_equal(seen.method, "PUT");
    assert_string_equal(seen.target, "/a%20b//./c?q=1");
    assert_string_equal(http_seen_header(&seen, "host", text), "other.example");
    assert_string_equal(http_seen_header(&seen, "x-amz-meta-a", text), "1  2");
    assert_string_equal(http_seen_header(&seen, "content-length", text), "4");
    assert_non_null(strstr(seen.head, "x-empty:\r\n"));
    assert_null(strstr(seen.head, "Expect"));
    assert_null(strstr(seen.head, "Accept"));
    assert_memory_equal(seen.body, "body", 4);
    stop();
}

static void test_http__each_verb_follows_each_other_on_one_connection(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200, .body = "12345"}};
    static const char *const verbs[] = {"GET", "HEAD", "PUT", "DELETE", "POST", "HEAD", "GET",
                                        "DELETE", "PUT", "GET"};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    for (size_t i = 0; i < COUNT(verbs); i++) {
        assert_ok(request(verbs[i], f.url, NULL, &a, &result, &err));
        assert_int_equal(a.body_size, strcmp(verbs[i], "HEAD") == 0 ? 0 : 5);
        assert_int_equal(result.reused, i > 0);
        http_seen seen;
        char text[1024];
        http_server_seen(f.server, i, &seen);
        assert_string_equal(seen.method, verbs[i]);
        assert_int_equal(seen.connection, 1);
        bool has_body = verbs[i][0] == 'P';
        assert_string_equal(http_seen_header(&seen, "content-length", text), has_body ? "0" : "");
    }
    s3s_http_counts counts;
    s3s_http_read_counts(f.http, &counts);
    assert_int_equal(counts.opened, 1);
    assert_int_equal(counts.reused, COUNT(verbs) - 1);
    stop();
}

static void test_http__informational_answers_and_trailers_are_passed_over(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.raw = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 None\r\nA: b\r\n\r\n"},
        {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n0\r\nTrailer: t\r\n\r\n"},
        {.status = 302, .headers = "Location: http://127.0.0.1:1/\r\n", .body = "gone"},
    };
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    assert_ok(get(&a, &result, &err));
    assert_int_equal(a.status, 204);
    assert_int_equal(a.status_count, 1);
    assert_string_equal(a.headers, "A=b\n");
    assert_ok(get(&a, &result, &err));
    assert_string_equal(a.body, "abc");
    assert_null(strstr(a.headers, "Trailer="));
    assert_ok(get(&a, &result, &err)); /* a redirect is an answer */
    assert_int_equal(a.status, 302);
    assert_int_equal(http_server_request_count(f.server), 3);
    stop();
}

static void test_http__what_was_not_sent_is_told_apart(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 0, .end = HTTP_RESET},
                                      {.status = 0, .end = HTTP_CLOSE},
                                      {.status = 0, .end = HTTP_RESET, .before_request = true}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    assert_fails(request("PUT", "http://127.0.0.1:1/x?secret=1", NULL, &a, &result, &err),
                 S3STORE_UNAVAILABLE, "http://127.0.0.1:1");
    assert_null(strstr(err.message, "secret"));
    assert_int_equal(result.progress, S3S_HTTP_NOT_SENT);
    assert_fails(request("PUT", "https://127.0.0.1:1/", NULL, &a, &result, &err),
                 S3STORE_UNAVAILABLE, "connect");
    assert_int_equal(result.progress, S3S_HTTP_NOT_SENT);
    /* A label of more than 63 bytes cannot be a name: no server is asked. */
    assert_fails(request("PUT", "http://no-such-host-" LONG_LABEL ".invalid/", NULL, &a, &result,
                         &err),
                 S3STORE_UNAVAILABLE, "no-such-host-");
    assert_int_equal(result.progress, S3S_HTTP_NOT_SENT);
    assert_fails(request("PUT", f.url, NULL, &a, &result, &err), S3STORE_UNAVAILABLE, "broke");
    assert_int_equal(result.progress, S3S_HTTP_SENT);
    assert_fails(request("PUT", f.url, NULL, &a, &result, &err), S3STORE_UNAVAILABLE, "broke");
    assert_int_equal(result.progress, S3S_HTTP_SENT);
    stop();
}

static void test_http__tls_that_fails_sends_nothing(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.raw = "this is not TLS\r\n", .end = HTTP_CLOSE, .before_request = true}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    char url[128];
    snprintf(url, sizeof url, "https%s/", http_server_url(f.server) + 4);
    assert_fails(request("PUT", url, NULL, &a, &result, &err), S3STORE_UNAVAILABLE, "TLS");
    assert_int_equal(result.progress, S3S_HTTP_NOT_SENT);
    stop();
}

static void test_http__what_cannot_be_sent_is_refused(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    assert_fails(request("GET", "ftp://127.0.0.1/", NULL, &a, &result, &err),
                 S3STORE_INVALID_ARGUMENT, "ftp://127.0.0.1");
    assert_fails(request("GET", "http://127.0.0.1:x/", NULL, &a, &result, &err),
                 S3STORE_INVALID_ARGUMENT, "address");
    static const s3s_http_header bad[] = {{"x-a", "b\r\nx-c: d"}, {"x a", "b"}, {"", "b"}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        s3s_http_request r = {
            .method = "GET", .url = f.url, .headers = &bad[i], .header_count = 1};
        assert_fails(s3s_http_perform(f.http, NULL, &r, &result, &err), S3STORE_INVALID_ARGUMENT,
                     "header");
    }
    assert_int_equal(http_server_request_count(f.server), 0);
    stop();
}

static void test_http__broken_answers_are_unavailable(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .body = "half", .length = 8, .end = HTTP_CLOSE},
        {.status = 200, .body = "half", .length = 8, .end = HTTP_RESET},
        {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", .end = HTTP_CLOSE},
        {.raw = "HTTP/1.1 200 OK\r\nContent-", .end = HTTP_CLOSE},
        {.raw = "garbage\r\n\r\n", .end = HTTP_CLOSE},
        {.status = 200, .body = "whole"},
    };
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    for (size_t i = 0; i < 3; i++) {
        assert_fails(get(&a, &result, &err), S3STORE_UNAVAILABLE, http_server_url(f.server));
        assert_int_equal(result.progress, S3S_HTTP_ANSWERING);
        assert_int_equal(result.status, 200);
    }
    assert_fails(get(&a, &result, &err), S3STORE_UNAVAILABLE, NULL);
    assert_true(result.progress != S3S_HTTP_ANSWERED);
    assert_fails(get(&a, &result, &err), S3STORE_UNAVAILABLE, NULL);
    assert_int_equal(result.progress, S3S_HTTP_SENT);
    assert_ok(get(&a, &result, &err)); /* nothing of it stays */
    assert_string_equal(a.body, "whole");
    stop();
}

static void test_http__endless_headers_are_cut(void **state)
{
    (void)state;
    static const http_step steps[] = {{.raw = "HTTP/1.1 200 OK\r\n",
                                       .fill = "X-Header: 0123456789012345678901234567890123456789"
                                               "0123456789012345678901234567890123456789\r\n",
                                       .fill_count = 100000,
                                       .end = HTTP_CLOSE}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    s3store_status status = get(&a, &result, &err);
    /* libcurl has a bound of its own; whichever comes first. */
    assert_true(status == S3STORE_CORRUPT || status == S3STORE_UNAVAILABLE);
    assert_true(result.progress == S3S_HTTP_ANSWERING);
    stop();
}

static void test_http__receiver_can_stop_and_fail(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200, .body = "some body"}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    a.body_status = S3STORE_LIMIT_EXCEEDED;
    assert_fails(get(&a, &result, &err), S3STORE_LIMIT_EXCEEDED, "the receiver is full");
    a.body_status = S3STORE_END;
    assert_ok(get(&a, &result, &err));
    a.body_status = S3STORE_OK;
    assert_ok(get(&a, &result, &err));
    assert_string_equal(a.body, "some body");
    stop();
}

static void test_http__limits_end_a_stuck_answer(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 0, .end = HTTP_STALL},
        {.status = 200, .body = "half", .length = 8, .end = HTTP_STALL},
        {.status = 0, .end = HTTP_STALL},
    };
    static const s3s_http_options limits = {.first_byte_timeout_us = 20000,
                                            .idle_timeout_us = 20000};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), &limits);
    assert_fails(get(&a, &result, &err), S3STORE_TIMEOUT, "sent nothing");
    assert_int_equal(result.progress, S3S_HTTP_SENT);
    assert_fails(get(&a, &result, &err), S3STORE_TIMEOUT, "sent nothing");
    assert_int_equal(result.progress, S3S_HTTP_ANSWERING);
    s3s_http_free(f.http);
    assert_ok(s3s_http_new(f.env, NULL, &f.http, &err));
    s3store_call call = {.deadline_us = s3s_mono_us(f.env) + 20000};
    assert_fails(request("GET", f.url, &call, &a, &result, &err), S3STORE_TIMEOUT, NULL);
    assert_int_equal(result.progress, S3S_HTTP_SENT);
    call.deadline_us = s3s_mono_us(f.env) - 1;
    assert_fails(request("GET", f.url, &call, &a, &result, &err), S3STORE_TIMEOUT, NULL);
    assert_int_equal(result.progress, S3S_HTTP_NOT_SENT);
    stop();
}

static void *cancel_when_asked(void *ctx)
{
    http_server_wait_for(f.server, 1);
    s3store_cancel_trigger(ctx);
    return NULL;
}

static void test_http__cancellation_ends_a_stuck_answer(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 0, .end = HTTP_STALL}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    s3store_cancel *cancel = NULL;
    pthread_t thread;
    start(steps, COUNT(steps), NULL);
    assert_ok(s3store_cancel_new(&cancel, &err));
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_asked, cancel), 0);
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    assert_fails(request("GET", f.url, &call, &a, &result, &err), S3STORE_CANCELLED, NULL);
    assert_int_equal(result.progress, S3S_HTTP_SENT);
    pthread_join(thread, NULL);
    assert_fails(request("GET", f.url, &call, &a, &result, &err), S3STORE_CANCELLED, NULL);
    assert_int_equal(result.progress, S3S_HTTP_NOT_SENT);
    s3store_cancel_free(cancel);
    stop();
}

static void test_http__a_connection_that_died_idle_is_replaced(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200, .body = "1", .end = HTTP_CLOSE},
                                      {.status = 200, .body = "2"}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    assert_ok(get(&a, &result, &err));
    assert_ok(get(&a, &result, &err));
    assert_string_equal(a.body, "2");
    assert_false(result.reused);
    s3s_http_counts counts;
    s3s_http_read_counts(f.http, &counts);
    assert_int_equal(counts.opened, 2);
    stop();
}

static void test_http__signals_of_the_host_are_left_alone(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200}};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    sigset_t mask;
    struct sigaction action;
    start(steps, COUNT(steps), NULL);
    assert_ok(get(&a, &result, &err));
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    assert_int_equal(sigismember(&mask, SIGPIPE), 0);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
    stop();
}

static void *request_many(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < 25; i++) {
        answer a = {0};
        s3s_http_result result;
        s3store_error err;
        if (get(&a, &result, &err) != S3STORE_OK || strcmp(a.body, "hello") != 0)
            return NULL;
    }
    return &f;
}

static void test_http__many_threads_share_a_client(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200, .body = "hello"}};
    static const s3s_http_options options = {.max_idle = 4};
    pthread_t threads[8];
    start(steps, COUNT(steps), &options);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, request_many, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    s3s_http_counts counts;
    s3s_http_read_counts(f.http, &counts);
    assert_int_equal(counts.opened + counts.reused, 8 * 25);
    stop();
}

static void test_http__a_large_body_goes_out_whole(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200}};
    s3store_error err;
    s3s_http_result result;
    start(steps, COUNT(steps), NULL);
    size_t size = 5 * 1024 * 1024 + 1;
    char *body = calloc(1, size);
    s3s_http_request r = {.method = "PUT", .url = f.url, .body = body, .body_size = size};
    assert_ok(s3s_http_perform(f.http, NULL, &r, &result, &err));
    http_seen seen;
    http_server_seen(f.server, 0, &seen);
    assert_int_equal(seen.body_size, size);
    assert_null(strstr(seen.head, "Expect"));
    free(body);
    stop();
}

static void test_http__no_body_and_no_size_stay_for_the_next_request(void **state)
{
    (void)state;
    static char large[40001];
    static http_step steps[] = {{.status = 200, .body = large}, {.status = 200, .body = "ok"}};
    static const char *const bodies[] = {NULL, "first", "", "second, longer", NULL, ""};
    static const char *const verbs[] = {"GET", "PUT", "PUT", "PUT", "GET", "POST"};
    memset(large, 'x', sizeof large - 1);
    s3store_error err;
    s3s_http_result result;
    answer a = {0};
    start(steps, COUNT(steps), NULL);
    for (size_t i = 0; i < COUNT(verbs); i++) {
        s3s_http_request r = {.method = verbs[i],
                              .url = f.url,
                              .body = bodies[i],
                              .body_size = bodies[i] != NULL ? strlen(bodies[i]) : 0,
                              .ctx = &a,
                              .on_body = on_body};
        a.body_size = 0;
        assert_ok(s3s_http_perform(f.http, NULL, &r, &result, &err));
        assert_int_equal(a.body_size, i == 0 ? sizeof large - 1 : 2);
        assert_int_equal(result.reused, i > 0);
        http_seen seen;
        char text[1024];
        http_server_seen(f.server, i, &seen);
        assert_string_equal(seen.method, verbs[i]);
        assert_int_equal(seen.body_size, r.body_size);
        assert_string_equal(seen.body, r.body_size > 0 ? bodies[i] : "");
        http_seen_header(&seen, "content-length", text);
        assert_int_equal(atoi(text), r.body_size);
    }
    stop();
}

static void test_http__an_unreadable_ca_bundle_is_named(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200}};
    static const s3s_http_options options = {.ca_bundle = "/nonexistent/ca.pem"};
    s3store_error err;
    answer a = {0};
    s3s_http_result result;
    start(steps, COUNT(steps), &options);
    char url[128];
    snprintf(url, sizeof url, "https%s/", http_server_url(f.server) + 4);
    assert_fails(request("GET", url, NULL, &a, &result, &err), S3STORE_INVALID_ARGUMENT,
                 "/nonexistent/ca.pem");
    stop();
}

int main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http__request_goes_out_as_it_is_given),
        cmocka_unit_test(test_http__each_verb_follows_each_other_on_one_connection),
        cmocka_unit_test(test_http__informational_answers_and_trailers_are_passed_over),
        cmocka_unit_test(test_http__what_was_not_sent_is_told_apart),
        cmocka_unit_test(test_http__tls_that_fails_sends_nothing),
        cmocka_unit_test(test_http__what_cannot_be_sent_is_refused),
        cmocka_unit_test(test_http__broken_answers_are_unavailable),
        cmocka_unit_test(test_http__endless_headers_are_cut),
        cmocka_unit_test(test_http__receiver_can_stop_and_fail),
        cmocka_unit_test(test_http__limits_end_a_stuck_answer),
        cmocka_unit_test(test_http__cancellation_ends_a_stuck_answer),
        cmocka_unit_test(test_http__a_connection_that_died_idle_is_replaced),
        cmocka_unit_test(test_http__signals_of_the_host_are_left_alone),
        cmocka_unit_test(test_http__many_threads_share_a_client),
        cmocka_unit_test(test_http__a_large_body_goes_out_whole),
        cmocka_unit_test(test_http__no_body_and_no_size_stay_for_the_next_request),
        cmocka_unit_test(test_http__an_unreadable_ca_bundle_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
