/* The S3 store against a scripted server: what each answer and each fault makes of an operation. */
#include "support/test.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/env.h"
#include "base/env_private.h"
#include "objstore/objstore.h"
#include "objstore/s3/s3.h"
#include "support/http_server.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DATE "Date: Tue, 17 Mar 2026 14:00:00 GMT\r\n"
#define DATE_US 1773756000000000
#define ERROR_BODY(code) "<Error><Code>" code "</Code><Message>what it says</Message></Error>"

typedef struct fixture {
    s3s_env *env;
    http_server *server;
    s3store_object_store store;
    s3s_buffer body;
    s3store_sink sink;
    s3store_object_info info;
    s3store_put_reply put_reply;
    s3store_list_reply list_reply;
    char keys[64][64];
    size_t key_count;
} fixture;

static fixture f;
static const char *environment_id = "IDENV";
static const char *environment_token;

static const char *lookup(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return environment_id;
    if (strcmp(name, "AWS_SESSION_TOKEN") == 0)
        return environment_token;
    return strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 ? "hidden" : NULL;
}

static void start_with(const http_step *steps, size_t count, s3s_s3_options options,
                       const s3s_http_options *limits)
{
    static const s3s_environment environment = {lookup, NULL};
    s3store_error err;
    memset(&f, 0, sizeof f);
    assert_ok(s3s_env_new_real(&f.env, &err));
    f.server = http_server_start(steps, count);
    assert_non_null(f.server);
    options.bucket = "bucket";
    options.endpoint_url = http_server_url(f.server);
    assert_ok(s3s_s3_store_new_with(f.env, &options, &environment, limits, &f.store, &err));
    s3s_buffer_init(&f.body, f.env, 1 << 20);
    f.sink = s3s_buffer_sink(&f.body);
}

#define START(steps) start_with(steps, COUNT(steps), (s3s_s3_options){0}, NULL)

static void stop(void)
{
    s3s_buffer_deinit(&f.body);
    s3s_store_deinit(&f.store);
    http_server_stop(f.server);
    assert_int_equal(s3s_env_live_allocs(f.env), 0);
    s3s_env_release(f.env);
}

static s3store_status put(const s3store_call *call, s3store_error *err)
{
    static const s3store_metadata_entry entries[] = {{"rowcount", "3"}};
    s3store_put_request r = {.size = sizeof r,
                             .key = "p/k",
                             .body = "body",
                             .body_size = 4,
                             .metadata = entries,
                             .metadata_count = 1,
                             .if_none_match = true};
    return s3s_put(&f.store, call, &r, &f.put_reply, err);
}

static s3store_status get(uint64_t offset, uint64_t length, uint64_t suffix, s3store_error *err)
{
    s3store_get_request r = {
        .size = sizeof r, .key = "p/k", .offset = offset, .length = length, .suffix = suffix};
    return s3s_get(&f.store, NULL, &r, &f.sink, &f.info, err);
}

static s3store_status get_all(s3store_error *err)
{
    return get(0, S3STORE_LENGTH_ALL, 0, err);
}

static s3store_status head(const s3store_call *call, s3store_error *err)
{
    return s3s_head(&f.store, call, "p/k", &f.info, err);
}

static bool take_key(void *ctx, const s3store_list_entry *entry)
{
    (void)ctx;
    snprintf(f.keys[f.key_count++], sizeof f.keys[0], "%s", entry->key);
    return true;
}

static s3store_status list(const char *after, s3store_error *err)
{
    s3store_list_request r = {.size = sizeof r, .prefix = "p/", .start_after = after};
    f.key_count = 0;
    return s3s_list(&f.store, NULL, &r, take_key, NULL, &f.list_reply, err);
}

static const char *body_text(void)
{
    s3store_error err;
    return s3s_buffer_text(&f.body, &err);
}

static const char *seen_header(size_t i, const char *name)
{
    static http_seen seen;
    static char value[1024];
    http_server_seen(f.server, i, &seen);
    return http_seen_header(&seen, name, value);
}

/* ---- good answers ---------------------------------------------------------------------------- */

static void test_s3__answers_are_read(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .headers = DATE "ETag: \"abc\"\r\n"},
        {.status = 200,
         .headers = DATE "ETag: \"abc\"\r\nLast-Modified: Tue, 17 Mar 2026 13:59:58 GMT\r\n"
                         "X-Amz-Meta-RowCount: 3\r\nx-amz-meta-empty:\r\nx-amz-request-id: r\r\n",
         .body = "content"},
        {.status = 200, .headers = "Content-Length: 123\r\nx-amz-meta-a: b\r\n", .length = -1},
        {.status = 204},
    };
    s3store_error err;
    START(steps);
    assert_ok(put(NULL, &err));
    assert_string_equal(f.put_reply.etag, "abc");
    assert_int_equal(f.put_reply.date_us, DATE_US);
    assert_ok(get_all(&err));
    assert_string_equal(body_text(), "content");
    assert_int_equal(f.info.object_size, 7);
    assert_int_equal(f.info.last_modified_us, DATE_US - 2000000);
    assert_int_equal(f.info.date_us, DATE_US);
    assert_string_equal(f.info.etag, "abc");
    assert_string_equal(s3store_metadata_get(&f.info.metadata, "rowcount"), "3");
    assert_string_equal(s3store_metadata_get(&f.info.metadata, "empty"), "");
    assert_ok(head(NULL, &err));
    assert_int_equal(f.info.object_size, 123);
    assert_int_equal(f.info.metadata.count, 1); /* nothing of the last answer */
    assert_string_equal(f.info.etag, "");
    assert_int_equal(f.info.last_modified_us, S3STORE_TIME_NONE);
    assert_ok(s3s_remove(&f.store, NULL, "p/k", &err));
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(seen_header(i, "consistency-control"), "strong-global");
    assert_string_equal(seen_header(0, "if-none-match"), "*");
    assert_string_equal(seen_header(0, "x-amz-meta-rowcount"), "3");
    assert_string_equal(seen_header(0, "content-type"), "application/octet-stream");
    stop();
}

static void test_s3__list_is_told_after_it_came_whole(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200,
         .headers = DATE,
         .body = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>T&amp;"
                 "</NextContinuationToken><EncodingType>url</EncodingType>"
                 "<Contents><Key>p/a%3Bb</Key><Size>1</Size></Contents>"
                 "<Contents><Key>p/b+c</Key><Size>2</Size></Contents></ListBucketResult>"},
        {.status = 200, .body = "<ListBucketResult><Contents><Key>p/a</Key>", .end = HTTP_CLOSE,
         .length = -1},
        {.status = 200,
         .body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"}};
    s3store_error err;
    START(steps);
    assert_ok(list(NULL, &err));
    assert_int_equal(f.key_count, 2);
    assert_string_equal(f.keys[0], "p/a;b");
    assert_string_equal(f.keys[1], "p/b c");
    assert_true(f.list_reply.truncated);
    assert_string_equal(f.list_reply.continuation, "T&");
    assert_int_equal(f.list_reply.date_us, DATE_US);
    assert_fails(list(NULL, &err), S3STORE_UNAVAILABLE, "LIST s3://bucket/p/");
    assert_int_equal(f.key_count, 0);
    assert_ok(list(NULL, &err));
    assert_int_equal(f.key_count, 0);
    assert_false(f.list_reply.truncated);
    stop();
}

static void test_s3__a_server_that_ignores_ranges_is_understood(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200, .body = "0123456789"}};
    s3store_error err;
    START(steps);
    assert_ok(get(3, 4, 0, &err));
    assert_string_equal(body_text(), "3456");
    assert_int_equal(f.info.object_size, 10);
    assert_ok(get(3, S3STORE_LENGTH_ALL, 0, &err));
    assert_string_equal(body_text(), "3456789");
    assert_ok(get(0, 0, 4, &err));
    assert_string_equal(body_text(), "6789");
    assert_ok(get(0, 0, 40, &err));
    assert_string_equal(body_text(), "0123456789");
    assert_fails(get(10, 1, 0, &err), S3STORE_INVALID_ARGUMENT, "range");
    stop();
}

static void test_s3__ranges_are_checked(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 206, .headers = "Content-Range: bytes 3-6/10\r\n", .body = "3456"},
        {.status = 206, .headers = "Content-Range: bytes 2-5/10\r\n", .body = "2345"},
        {.status = 206, .headers = "Content-Range: bytes 3-4/10\r\n", .body = "34"},
        {.status = 206, .headers = "Content-Range: bytes 3-99999999999999999999/10\r\n",
         .body = "3456"},
        {.status = 206, .body = "3456"},
        {.status = 206, .headers = "Content-Range: bytes 3-6/10\r\n", .body = "34"},
    };
    s3store_error err;
    START(steps);
    assert_ok(get(3, 4, 0, &err));
    assert_string_equal(body_text(), "3456");
    assert_int_equal(f.info.object_size, 10);
    for (size_t i = 0; i < 4; i++)
        assert_fails(get(3, 4, 0, &err), S3STORE_CORRUPT, "part of the object");
    assert_fails(get(3, 4, 0, &err), S3STORE_UNAVAILABLE, "2 of 4 bytes");
    stop();
}

static void test_s3__the_last_bytes_of_an_empty_object_are_none(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 416, .body = ERROR_BODY("InvalidRange")},
        {.status = 200},
        {.status = 416, .body = ERROR_BODY("InvalidRange")},
        {.status = 200, .headers = "Content-Length: 7\r\n", .length = -1},
    };
    s3store_error err;
    START(steps);
    assert_ok(get(0, 0, 8, &err));
    assert_int_equal(f.body.size, 0);
    assert_fails(get(7, 1, 0, &err), S3STORE_INVALID_ARGUMENT, "7");
    stop();
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void test_s3__refusals_keep_what_the_server_said(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 412, .headers = DATE "x-amz-request-id: req-7\r\n",
         .body = ERROR_BODY("PreconditionFailed")},
        {.status = 404, .headers = DATE},
        {.status = 404, .body = ERROR_BODY("NoSuchBucket")},
        {.status = 403, .body = "<html>proxy says no</html>"},
        {.status = 503, .headers = "Retry-After: 7\r\n", .body = ERROR_BODY("SlowDown")},
        {.status = 403, .headers = DATE, .body = ERROR_BODY("RequestTimeTooSkewed")},
        {.status = 200, .body = "<?xml version=\"1.0\"?>\n" ERROR_BODY("InternalError")},
        {.status = 200, .body = "<Error><Code></Code></Error>"},
        {.status = 204, .body = ""},
    };
    s3store_error err;
    START(steps);
    assert_fails(put(NULL, &err), S3STORE_ALREADY_EXISTS, "exists");
    assert_int_equal(err.http_status, 412);
    assert_string_equal(err.s3_code, "PreconditionFailed");
    assert_string_equal(err.request_id, "req-7");
    assert_string_equal(err.key, "p/k");
    assert_int_equal(err.server_date_us, DATE_US);
    assert_int_equal(f.put_reply.date_us, DATE_US);
    assert_fails(head(NULL, &err), S3STORE_NOT_FOUND, "HEAD s3://bucket/p/k");
    assert_int_equal(f.info.date_us, DATE_US);
    assert_fails(get_all(&err), S3STORE_NOT_FOUND, "no such bucket");
    assert_int_equal(f.body.size, 0);
    assert_fails(list(NULL, &err), S3STORE_PERMISSION_DENIED, "HTTP 403");
    assert_fails(put(NULL, &err), S3STORE_UNAVAILABLE, "SlowDown: what it says");
    assert_fails(put(NULL, &err), S3STORE_CLOCK_SKEW, "clock");
    assert_int_equal(err.server_date_us, DATE_US);
    assert_fails(put(NULL, &err), S3STORE_UNCERTAIN, "InternalError");
    assert_fails(put(NULL, &err), S3STORE_UNAVAILABLE, "Unknown");
    stop();
}

static void test_s3__lists_of_rubbish_are_refused(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .body = "garbage"},
        {.status = 200, .body = "<html><body>welcome</body></html>"},
        {.status = 200, .body = ERROR_BODY("SlowDown")},
        {.status = 200,
         .length = -1,
         .body = "<ListBucketResult><IsTruncated>false</IsTruncated>",
         .fill = "<Contents><Key>p/k</Key><Size>1</Size></Contents>",
         .fill_count = 100000,
         .end = HTTP_CLOSE},
        {.status = 200,
         .body = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/a</Key>"
                 "<Size>1</Size></Contents></ListBucketResult>"},
    };
    s3store_error err;
    START(steps);
    assert_fails(list(NULL, &err), S3STORE_CORRUPT, "XML");
    assert_string_equal(err.key, "p/");
    assert_fails(list(NULL, &err), S3STORE_CORRUPT, "not a listing");
    assert_fails(list(NULL, &err), S3STORE_UNAVAILABLE, "SlowDown");
    assert_fails(list(NULL, &err), S3STORE_CORRUPT, "too many entries");
    assert_fails(list("p/a", &err), S3STORE_CORRUPT, "begin after");
    assert_int_equal(f.key_count, 0);
    assert_ok(list("p/A", &err));
    stop();
}

static void test_s3__an_endless_error_page_is_not_read(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 404, .length = -1, .fill = "0123456789012345678901234567890123456789",
         .fill_count = 100000000, .end = HTTP_CLOSE}};
    s3store_error err;
    START(steps);
    assert_fails(get_all(&err), S3STORE_NOT_FOUND, "HTTP 404");
    stop();
}

/* ---- faults ---------------------------------------------------------------------------------- */

static void test_s3__a_put_without_an_answer_is_uncertain(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 0, .end = HTTP_RESET},
        {.raw = "HTTP/1.1 200 OK\r\nContent-", .end = HTTP_CLOSE},
        {.status = 200, .length = 9, .end = HTTP_CLOSE},
        {.status = 0, .end = HTTP_STALL},
        {.status = 0, .end = HTTP_RESET},
        {.status = 503, .body = "half", .length = 9, .end = HTTP_CLOSE},
    };
    static const s3s_http_options limits = {.first_byte_timeout_us = 20000};
    s3store_error err;
    start_with(steps, COUNT(steps), (s3s_s3_options){0}, &limits);
    for (size_t i = 0; i < 4; i++) {
        assert_fails(put(NULL, &err), S3STORE_UNCERTAIN, "may or may not");
        assert_string_equal(err.key, "p/k");
    }
    assert_fails(head(NULL, &err), S3STORE_UNAVAILABLE, "HEAD s3://bucket/p/k");
    assert_fails(put(NULL, &err), S3STORE_UNAVAILABLE, "HTTP 503");
    stop();
}

static void test_s3__a_put_that_was_not_sent_is_unavailable(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200}};
    s3store_error err;
    START(steps);
    s3s_s3_options options = {.bucket = "bucket", .endpoint_url = "http://127.0.0.1:1"};
    static const s3s_environment environment = {lookup, NULL};
    s3s_store_deinit(&f.store);
    assert_ok(s3s_s3_store_new_with(f.env, &options, &environment, NULL, &f.store, &err));
    assert_fails(put(NULL, &err), S3STORE_UNAVAILABLE, "127.0.0.1:1");
    assert_int_equal(f.put_reply.date_us, S3STORE_TIME_NONE);
    stop();
}

typedef struct counting_sink {
    s3store_sink sink;
    size_t begun;
    size_t bytes;
    int64_t total;
} counting_sink;

static s3store_status count_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    (void)err;
    counting_sink *c = sink->ctx;
    c->begun++;
    c->bytes = 0;
    c->total = total;
    return S3STORE_OK;
}

static s3store_status count_write(s3store_sink *sink, const void *data, size_t size,
                                  s3store_error *err)
{
    (void)data;
    (void)err;
    counting_sink *c = sink->ctx;
    c->bytes += size;
    return S3STORE_OK;
}

static void test_s3__a_body_that_breaks_off_is_unavailable(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .body = "half", .length = 8, .end = HTTP_CLOSE},
        {.status = 206, .headers = "Content-Range: bytes 0-7/8\r\n", .body = "half", .length = 8,
         .end = HTTP_RESET},
        {.status = 200, .headers = DATE},
        {.status = 404},
    };
    s3store_error err;
    START(steps);
    counting_sink c = {.sink = {.begin = count_begin, .write = count_write}};
    c.sink.ctx = &c;
    s3store_get_request r = {.size = sizeof r, .key = "p/k", .length = S3STORE_LENGTH_ALL};
    for (size_t i = 1; i <= 2; i++) {
        assert_fails(s3s_get(&f.store, NULL, &r, &c.sink, &f.info, &err), S3STORE_UNAVAILABLE,
                     "GET s3://bucket/p/k");
        assert_int_equal(c.begun, i);
        assert_int_equal(c.total, 8);
    }
    assert_ok(s3s_get(&f.store, NULL, &r, &c.sink, &f.info, &err));
    assert_int_equal(c.begun, 3);
    assert_int_equal(c.total, 0);
    assert_fails(s3s_get(&f.store, NULL, &r, &c.sink, &f.info, &err), S3STORE_NOT_FOUND, NULL);
    assert_int_equal(c.begun, 3);
    stop();
}

static void test_s3__what_the_sink_says_is_what_comes_out(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200, .body = "0123456789"}};
    s3store_error err;
    START(steps);
    s3s_buffer small;
    s3s_buffer_init(&small, f.env, 4);
    s3store_sink sink = s3s_buffer_sink(&small);
    s3store_get_request r = {.size = sizeof r, .key = "p/k", .length = S3STORE_LENGTH_ALL};
    assert_fails(s3s_get(&f.store, NULL, &r, &sink, &f.info, &err), S3STORE_LIMIT_EXCEEDED,
                 "GET s3://bucket/p/k");
    s3s_buffer_deinit(&small);
    stop();
}

static void *cancel_when_asked(void *ctx)
{
    http_server_wait_for(f.server, 1);
    s3store_cancel_trigger(ctx);
    return NULL;
}

static void test_s3__deadline_and_cancellation_end_a_stuck_server(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 0, .end = HTTP_STALL}};
    s3store_error err;
    s3store_cancel *cancel = NULL;
    pthread_t thread;
    START(steps);
    assert_ok(s3store_cancel_new(&cancel, &err));
    assert_int_equal(pthread_create(&thread, NULL, cancel_when_asked, cancel), 0);
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    assert_fails(put(&call, &err), S3STORE_CANCELLED, "PUT s3://bucket/p/k");
    pthread_join(thread, NULL);
    s3store_cancel_free(cancel);
    call = (s3store_call){.deadline_us = s3s_mono_us(f.env) + 20000};
    assert_fails(head(&call, &err), S3STORE_TIMEOUT, "HEAD s3://bucket/p/k");
    call.deadline_us = s3s_mono_us(f.env) + 20000;
    assert_fails(put(&call, &err), S3STORE_UNCERTAIN, "may or may not");
    call.deadline_us = s3s_mono_us(f.env) - 1;
    assert_fails(put(&call, &err), S3STORE_TIMEOUT, NULL); /* never sent */
    stop();
}

/* ---- once more ------------------------------------------------------------------------------- */

static void test_s3__the_region_is_learned_and_kept(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 301, .headers = "x-amz-bucket-region: eu-west-1\r\n"},
        {.status = 200},
        {.status = 200},
        {.status = 400,
         .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>ap-south-1</Region>"
                 "</Error>"},
        {.status = 200},
        {.status = 307, .headers = "x-amz-bucket-region: r1\r\n"},
        {.status = 301, .headers = "x-amz-bucket-region: r2\r\n"},
        {.status = 301, .headers = "x-amz-bucket-region: evil/../x\r\n"},
        {.status = 307},
    };
    static const char *const regions[] = {"us-east-1", "eu-west-1",  "eu-west-1",
                                          "eu-west-1", "ap-south-1", "ap-south-1",
                                          "r1",        "r1",         "r1"};
    s3store_error err;
    START(steps);
    assert_ok(head(NULL, &err));
    assert_ok(get_all(&err));
    assert_ok(put(NULL, &err));
    assert_fails(head(NULL, &err), S3STORE_INVALID_ARGUMENT, "region"); /* once, no circle */
    assert_fails(head(NULL, &err), S3STORE_INVALID_ARGUMENT, "region");
    assert_fails(head(NULL, &err), S3STORE_UNAVAILABLE, "elsewhere");
    assert_int_equal(http_server_request_count(f.server), COUNT(regions));
    for (size_t i = 0; i < COUNT(regions); i++)
        assert_non_null(strstr(seen_header(i, "authorization"), regions[i]));
    stop();
}

static void test_s3__expired_credentials_are_renewed_once(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 400, .body = ERROR_BODY("ExpiredToken")},
        {.status = 200},
        {.status = 400, .body = ERROR_BODY("ExpiredToken")},
    };
    s3store_error err;
    START(steps);
    environment_id = "IDENV";
    assert_ok(put(NULL, &err));
    assert_int_equal(http_server_request_count(f.server), 2);
    environment_id = "IDLATER";
    assert_fails(get_all(&err), S3STORE_NO_CREDENTIALS, "expired");
    assert_int_equal(http_server_request_count(f.server), 4);
    assert_non_null(strstr(seen_header(2, "authorization"), "Credential=IDENV/"));
    assert_non_null(strstr(seen_header(3, "authorization"), "Credential=IDLATER/"));
    assert_null(strstr(err.message, "hidden"));
    environment_id = "IDENV";
    stop();
}

/* The answer to a HEAD has no body that would say so. */
static void test_s3__expired_credentials_are_renewed_for_a_head_too(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 403},                                     /* HEAD */
        {.status = 403, .body = ERROR_BODY("ExpiredToken")}, /* GET of a byte */
        {.status = 200, .headers = "ETag: \"e\"\r\nContent-Length: 5\r\n"},
        {.status = 403}, /* HEAD */
        {.status = 403, .body = ERROR_BODY("AccessDenied")},
        {.status = 403}, /* HEAD, and the reason is known by now */
    };
    s3store_error err;
    environment_token = "token-one";
    START(steps);
    environment_id = "IDENV";
    assert_ok(s3s_head(&f.store, NULL, "p/k", &f.info, &err));
    environment_id = "IDLATER";
    assert_int_equal(http_server_request_count(f.server), 3);
    static http_seen seen;
    http_server_seen(f.server, 1, &seen);
    assert_string_equal(seen.method, "GET");
    assert_non_null(strstr(seen_header(1, "range"), "bytes=0-0"));
    http_server_seen(f.server, 2, &seen);
    assert_string_equal(seen.method, "HEAD");
    assert_fails(head(NULL, &err), S3STORE_PERMISSION_DENIED, "AccessDenied");
    assert_string_equal(err.s3_code, "AccessDenied");
    assert_int_equal(http_server_request_count(f.server), 5);
    assert_fails(head(NULL, &err), S3STORE_PERMISSION_DENIED, "HTTP 403");
    assert_int_equal(http_server_request_count(f.server), 6);
    environment_id = "IDENV";
    environment_token = NULL;
    stop();
}

/* A portal's page is not S3's word that an object is stored. */
static void test_s3__a_page_behind_200_is_no_answer_to_a_put(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .body = "<html><body>Please log in</body></html>"},
        {.status = 200, .body = "ok"},
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = "ok"},
        {.status = 200},
    };
    s3store_error err;
    START(steps);
    assert_fails(put(NULL, &err), S3STORE_UNCERTAIN, "39 bytes that S3 does not send");
    assert_fails(s3s_remove(&f.store, NULL, "p/k", &err), S3STORE_CORRUPT, "portal");
    assert_ok(put(NULL, &err));
    assert_string_equal(f.put_reply.etag, "e");
    assert_ok(put(NULL, &err));
    stop();
}

/* ---- settings -------------------------------------------------------------------------------- */

static void test_s3__without_credentials_nothing_is_sent(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200}};
    s3store_error err;
    environment_id = NULL;
    START(steps);
    assert_fails(head(NULL, &err), S3STORE_NO_CREDENTIALS, "AWS_ACCESS_KEY_ID");
    assert_int_equal(http_server_request_count(f.server), 0);
    environment_id = "IDENV";
    stop();
}

static void test_s3__anonymous_requests_are_not_signed(void **state)
{
    (void)state;
    static const http_step steps[] = {{.status = 200}};
    s3store_error err;
    start_with(steps, COUNT(steps),
               (s3s_s3_options){.no_sign_request = true, .consistency = "all"}, NULL);
    assert_ok(head(NULL, &err));
    assert_string_equal(seen_header(0, "authorization"), "");
    assert_string_equal(seen_header(0, "consistency-control"), "all");
    s3store_put_request fenced = {
        .size = sizeof fenced, .key = "k", .fenced = true, .expires_at_us = INT64_C(9000000)};
    assert_fails(s3s_put(&f.store, NULL, &fenced, &f.put_reply, &err), S3STORE_UNSUPPORTED,
                 "credentials");
    stop();
}

static void test_s3__bad_options_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    s3store_object_store store;
    static const s3s_environment environment = {lookup, NULL};
    s3s_s3_options options = {.bucket = "bucket", .consistency = "a\r\nb: c"};
    assert_fails(s3s_s3_store_new_with(NULL, &options, &environment, NULL, &store, &err),
                 S3STORE_INVALID_ARGUMENT, "consistency");
    s3s_s3_options no_bucket = {.endpoint_url = "http://x"};
    assert_fails(s3s_s3_store_new_with(NULL, &no_bucket, &environment, NULL, &store, &err),
                 S3STORE_INVALID_ARGUMENT, "bucket");
    assert_null(store.impl);
}

/* ---- what the server asks for ---------------------------------------------------------------- */

static void test_s3__retry_after_is_told(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 503, .headers = "Retry-After: 7\r\n", .body = ERROR_BODY("SlowDown")},
        {.status = 429, .headers = DATE "Retry-After: Tue, 17 Mar 2026 14:01:30 GMT\r\n"},
        {.status = 503, .headers = "Retry-After: 99999999999999\r\n"},
        {.status = 503, .headers = DATE "Retry-After: Tue, 17 Mar 2026 13:00:00 GMT\r\n"},
        {.status = 503, .headers = "Retry-After: soon\r\n"},
        {.status = 503, .headers = "Retry-After: -5\r\n"},
        {.status = 503},
    };
    static const int32_t expected[] = {7000, 90000, 86400000, 0, 0, 0, 0};
    s3store_error err;
    START(steps);
    for (size_t i = 0; i < COUNT(steps); i++) {
        assert_fails(get_all(&err), S3STORE_UNAVAILABLE, NULL);
        assert_int_equal(err.retry_after_ms, expected[i]);
    }
    stop();
}

static void test_s3__another_object_than_the_condition_names_is_refused(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 206, .headers = "ETag: \"new\"\r\nContent-Range: bytes 2-3/4\r\n", .body = "cd"},
        {.status = 206, .headers = "ETag: \"old\"\r\nContent-Range: bytes 2-3/4\r\n", .body = "cd"},
    };
    s3store_error err;
    START(steps);
    s3store_get_request r = {
        .size = sizeof r, .key = "p/k", .offset = 2, .length = 2, .if_match = "old"};
    assert_fails(s3s_get(&f.store, NULL, &r, &f.sink, &f.info, &err), S3STORE_ALREADY_EXISTS,
                 "new");
    assert_string_equal(seen_header(0, "if-match"), "\"old\"");
    assert_ok(s3s_get(&f.store, NULL, &r, &f.sink, &f.info, &err));
    assert_string_equal(body_text(), "cd");
    stop();
}

static void test_s3__an_error_in_the_place_of_an_object_is_one(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .body = ERROR_BODY("InternalError")},
        {.status = 200, .body = "<?xml version=\"1.0\"?>\n" ERROR_BODY("SlowDown")},
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = ERROR_BODY("Kept")},
        {.status = 200, .body = "<Errors/>"},
        {.status = 200, .body = "<"},
    };
    s3store_error err;
    START(steps);
    assert_fails(get_all(&err), S3STORE_UNAVAILABLE, "InternalError");
    assert_fails(get_all(&err), S3STORE_UNAVAILABLE, "SlowDown");
    assert_ok(get_all(&err));
    assert_string_equal(body_text(), ERROR_BODY("Kept"));
    assert_ok(get_all(&err));
    assert_ok(get_all(&err));
    stop();
}

static void test_s3__a_body_without_a_length_or_an_end_is_refused(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = "half of", .length = -1,
         .end = HTTP_CLOSE},
        {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"},
        {.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", .end = HTTP_CLOSE},
    };
    s3store_error err;
    START(steps);
    assert_fails(get_all(&err), S3STORE_CORRUPT, "how long");
    assert_ok(get_all(&err));
    assert_string_equal(body_text(), "whole");
    assert_fails(get_all(&err), S3STORE_UNAVAILABLE, NULL);
    stop();
}

static s3store_status want_no_more(s3store_sink *sink, int64_t total, s3store_error *err)
{
    (void)err;
    *(int64_t *)sink->ctx = total;
    return S3STORE_END;
}

static void test_s3__a_get_can_end_before_its_body(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .headers = DATE "ETag: \"e\"\r\nx-amz-meta-a: b\r\n", .length = 4000000,
         .fill = "0123456789", .fill_count = 400000}};
    s3store_error err;
    int64_t total = 0;
    START(steps);
    s3store_sink sink = {.begin = want_no_more, .ctx = &total};
    s3store_get_request r = {.size = sizeof r, .key = "p/k", .length = S3STORE_LENGTH_ALL};
    assert_fails(s3s_get(&f.store, NULL, &r, &sink, &f.info, &err), S3STORE_END, "no more");
    assert_int_equal(total, 4000000);
    assert_int_equal(f.info.object_size, 4000000);
    assert_string_equal(f.info.etag, "e");
    assert_string_equal(s3store_metadata_get(&f.info.metadata, "a"), "b");
    stop();
}

static void test_s3__a_skewed_clock_is_mended_for_reads_only(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 403, .headers = DATE, .body = ERROR_BODY("RequestTimeTooSkewed")},
        {.status = 200, .headers = DATE, .body = "x"},
        {.status = 403, .headers = DATE, .body = ERROR_BODY("RequestTimeTooSkewed")},
        {.status = 200, .headers = DATE},
    };
    s3store_error err;
    START(steps);
    assert_ok(get_all(&err)); /* DATE is not now */
    assert_int_equal(http_server_request_count(f.server), 2);
    assert_null(strstr(seen_header(0, "x-amz-date"), "20260317T14"));
    assert_non_null(strstr(seen_header(1, "x-amz-date"), "20260317T14"));
    assert_fails(put(NULL, &err), S3STORE_CLOCK_SKEW, "clock");
    assert_int_equal(http_server_request_count(f.server), 3);
    assert_ok(head(NULL, &err)); /* remembered */
    assert_non_null(strstr(seen_header(3, "x-amz-date"), "20260317T14"));
    stop();
}

static void test_s3__a_token_with_control_characters_goes_back_as_it_came(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200,
         .body = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>p/a&#x1;b"
                 "</NextContinuationToken><EncodingType>url</EncodingType>"
                 "<Contents><Key>p/a%01b</Key><Size>1</Size></Contents></ListBucketResult>"},
        {.status = 200,
         .body = "<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>"
                 "<ContinuationToken>p/a&#x1;b</ContinuationToken>"
                 "<Contents><Key>p/c</Key><Size>1</Size></Contents></ListBucketResult>"}};
    s3store_error err;
    START(steps);
    f.key_count = 0;
    uint64_t pages = 0;
    assert_ok(s3s_list_all(&f.store, NULL, "p/", NULL, 0, take_key, NULL, &pages, &err));
    assert_int_equal(pages, 2);
    assert_int_equal(f.key_count, 2);
    assert_string_equal(f.keys[0], "p/a\001b");
    assert_string_equal(f.keys[1], "p/c");
    static http_seen seen;
    http_server_seen(f.server, 1, &seen);
    assert_non_null(strstr(seen.target, "continuation-token=p%2Fa%01b"));
    assert_null(strstr(seen.target, "start-after"));
    stop();
}

/* ---- uploads in parts ------------------------------------------------------------------------ */

static s3store_status complete(s3store_put_reply *parts, size_t count, s3store_error *err)
{
    s3store_complete_request r = {
        .size = sizeof r, .key = "p/k", .upload_id = "a/b+c", .parts = parts, .part_count = count};
    return s3s_complete_multipart(&f.store, NULL, &r, &f.put_reply, err);
}

static void test_s3__an_upload_in_parts_is_sent_as_s3_wants_it(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200,
         .body = "<InitiateMultipartUploadResult><Bucket>b</Bucket><UploadId>a/b+c</UploadId>"
                 "</InitiateMultipartUploadResult>"},
        {.status = 200, .headers = DATE "ETag: \"one\"\r\n"},
        {.status = 200,
         .headers = DATE,
         .body = "  \n <?xml version=\"1.0\"?><CompleteMultipartUploadResult>"
                 "<ETag>&quot;both-2&quot;</ETag></CompleteMultipartUploadResult>"},
        {.status = 204},
        {.status = 404, .body = ERROR_BODY("NoSuchUpload")},
    };
    static const s3store_metadata_entry entries[] = {{"rowcount", "3"}};
    s3store_error err;
    static http_seen seen;
    START(steps);
    char id[S3STORE_UPLOAD_ID_MAX];
    s3store_put_request r = {.size = sizeof r, .key = "p/k", .body = "unsent", .body_size = 6,
                             .metadata = entries, .metadata_count = 1};
    assert_ok(s3s_create_multipart(&f.store, NULL, &r, id, &err));
    assert_string_equal(id, "a/b+c");
    http_server_seen(f.server, 0, &seen);
    assert_string_equal(seen.method, "POST");
    assert_string_equal(seen.target, "/bucket/p/k?uploads=");
    assert_int_equal(seen.body_size, 0);
    assert_string_equal(seen_header(0, "x-amz-meta-rowcount"), "3");

    s3store_part_request part = {.size = sizeof part, .key = "p/k", .upload_id = id, .number = 17,
                                 .body = "part", .body_size = 4};
    s3store_put_reply replies[2] = {0};
    assert_ok(s3s_put_part(&f.store, NULL, &part, &replies[0], &err));
    assert_string_equal(replies[0].etag, "one");
    http_server_seen(f.server, 1, &seen);
    assert_string_equal(seen.target, "/bucket/p/k?partNumber=17&uploadId=a%2Fb%2Bc");
    assert_memory_equal(seen.body, "part", 4);

    strcpy(replies[1].etag, "two");
    assert_ok(complete(replies, 2, &err));
    assert_string_equal(f.put_reply.etag, "both-2");
    assert_int_equal(f.put_reply.date_us, DATE_US);
    http_server_seen(f.server, 2, &seen);
    assert_string_equal(seen.target, "/bucket/p/k?uploadId=a%2Fb%2Bc");
    assert_non_null(strstr(seen.body, "<Part><PartNumber>2</PartNumber><ETag>&quot;two&quot;</ETag>"
                                      "</Part></CompleteMultipartUpload>"));

    assert_ok(s3s_abort_multipart(&f.store, NULL, "p/k", id, &err));
    http_server_seen(f.server, 3, &seen);
    assert_string_equal(seen.method, "DELETE");
    assert_ok(s3s_abort_multipart(&f.store, NULL, "p/k", id, &err)); /* gone already */
    stop();
}

static void test_s3__a_completion_that_says_nothing_is_uncertain(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .body = ERROR_BODY("InternalError")},
        {.status = 200},
        {.status = 200, .body = "  \n\n"},
        {.status = 200, .body = "<CompleteMultipartUploadResult><ETag>", .length = 99,
         .end = HTTP_CLOSE},
        {.status = 200, .body = "<html/>"},
        {.status = 0, .end = HTTP_RESET},
        {.status = 500},
        {.status = 200, .body = ERROR_BODY("SlowDown")},
        {.status = 404, .body = ERROR_BODY("NoSuchUpload")},
        {.status = 400, .body = ERROR_BODY("InvalidPart")},
    };
    s3store_error err;
    START(steps);
    s3store_put_reply part = {.etag = "e"};
    for (size_t i = 0; i < 7; i++)
        assert_fails(complete(&part, 1, &err), S3STORE_UNCERTAIN, "may or may not");
    assert_fails(complete(&part, 1, &err), S3STORE_UNAVAILABLE, "SlowDown");
    assert_fails(complete(&part, 1, &err), S3STORE_NOT_FOUND, "upload");
    assert_fails(complete(&part, 1, &err), S3STORE_CORRUPT, "part");
    strcpy(part.etag, "<&>");
    assert_fails(complete(&part, 1, &err), S3STORE_CORRUPT, "ETag");
    stop();
}

static void test_s3__a_part_is_never_uncertain_and_an_upload_needs_its_id(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 0, .end = HTTP_RESET},
        {.status = 500},
        {.status = 200, .body = "<InitiateMultipartUploadResult></InitiateMultipartUploadResult>"},
        {.status = 200, .body = "<InitiateMultipartUploadResult><UploadId>x", .length = 99,
         .end = HTTP_CLOSE},
        {.status = 501, .body = ERROR_BODY("NotImplemented")},
    };
    s3store_error err;
    START(steps);
    s3store_put_reply reply;
    s3store_part_request part = {
        .size = sizeof part, .key = "p/k", .upload_id = "u", .number = 1, .body = "x", .body_size = 1};
    assert_fails(s3s_put_part(&f.store, NULL, &part, &reply, &err), S3STORE_UNAVAILABLE, NULL);
    assert_fails(s3s_put_part(&f.store, NULL, &part, &reply, &err), S3STORE_UNAVAILABLE, NULL);
    char id[S3STORE_UPLOAD_ID_MAX];
    s3store_put_request r = {.size = sizeof r, .key = "p/k"};
    assert_fails(s3s_create_multipart(&f.store, NULL, &r, id, &err), S3STORE_CORRUPT, "id");
    assert_fails(s3s_create_multipart(&f.store, NULL, &r, id, &err), S3STORE_UNAVAILABLE, NULL);
    assert_fails(s3s_create_multipart(&f.store, NULL, &r, id, &err), S3STORE_UNSUPPORTED, NULL);
    stop();
}

/* ---- connections ------------------------------------------------------------------------------ */

static void test_s3__a_kept_connection_that_is_dead_leaves_a_put_uncertain(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200}, {.status = 0, .end = HTTP_CLOSE}, {.status = 200}, /* PUT: not replayed */
        {.status = 0, .end = HTTP_CLOSE}, {.status = 200, .body = "x"},     /* GET: replayed */
    };
    s3store_error err;
    START(steps);
    assert_ok(put(NULL, &err));
    assert_fails(put(NULL, &err), S3STORE_UNCERTAIN, "kept connection");
    assert_int_equal(http_server_request_count(f.server), 2);
    assert_ok(put(NULL, &err));
    assert_ok(get_all(&err));
    assert_int_equal(http_server_request_count(f.server), 5);
    uint64_t opened = 0, reused = 0;
    s3s_connection_counts(&f.store, &opened, &reused);
    assert_int_equal(opened, 4);
    assert_int_equal(reused, 0);
    assert_ok(get_all(&err));
    s3s_connection_counts(&f.store, &opened, &reused);
    assert_int_equal(opened, 4);
    assert_int_equal(reused, 1);
    s3store_object_store other = {0};
    s3s_connection_counts(&other, &opened, &reused);
    assert_int_equal(opened + reused, 0);
    stop();
}

/* ---- memory ---------------------------------------------------------------------------------- */

#define PAGE                                                                                       \
    "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/a</Key><Size>1</Size>"     \
    "</Contents></ListBucketResult>"

static s3store_status one_of_each(s3store_error *err)
{
    s3store_status status = put(NULL, err);
    if (status == S3STORE_OK)
        status = get_all(err);
    if (status == S3STORE_OK)
        status = head(NULL, err);
    if (status == S3STORE_OK)
        status = list("p/", err);
    return status == S3STORE_OK ? s3s_remove(&f.store, NULL, "p/k", err) : status;
}

static void test_s3__no_allocation_when_warm(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = PAGE}};
    s3store_error err;
    START(steps);
    assert_ok(one_of_each(&err));
    s3s_env_fail_alloc_at(f.env, 0); /* any allocation fails from here */
    assert_ok(one_of_each(&err));
    s3s_env_fail_alloc_at(f.env, UINT64_MAX);
    stop();
}

/* What a target has: nothing of it allocates for a request, however many there are. */
static void test_s3__no_allocation_in_the_whole_stack(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = PAGE}};
    const uint64_t many = 1u << 30;
    s3store_error err;
    START(steps);
    s3store_object_store s3 = f.store, limit, retry, meter;
    assert_ok(s3s_layer_limit_new(f.env, &s3, 4, &limit, &err));
    assert_ok(s3s_layer_retry_new(f.env, &limit, NULL, &retry, &err));
    assert_ok(s3s_layer_meter_new(f.env, &retry, &meter, NULL, &err));
    f.store = meter;
    assert_ok(one_of_each(&err));
    s3s_env_fail_alloc_at(f.env, many); /* counts down */
    for (int i = 0; i < 50; i++)
        assert_ok(one_of_each(&err));
    assert_int_equal(atomic_load(&f.env->fail_alloc_at), many);
    s3s_env_fail_alloc_at(f.env, UINT64_MAX);
    s3s_store_deinit(&meter);
    s3s_store_deinit(&retry);
    s3s_store_deinit(&limit);
    f.store = s3;
    stop();
}

/* Vector 95: the first is answered when its body was read to the end. */
static void test_s3__a_put_that_failed_inside_sends_its_whole_body_again(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 500, .headers = DATE, .body = ERROR_BODY("InternalError")},
        {.status = 200, .headers = "ETag: \"e\"\r\n"}};
    s3store_error err;
    START(steps);
    s3store_object_store s3 = f.store, retry;
    assert_ok(s3s_layer_retry_new(f.env, &s3, NULL, &retry, &err));
    f.store = retry;
    assert_ok(put(NULL, &err));
    assert_int_equal(http_server_request_count(f.server), 2);
    for (size_t i = 0; i < 2; i++) {
        http_seen seen;
        http_server_seen(f.server, i, &seen);
        assert_string_equal(seen.method, "PUT");
        assert_int_equal(seen.body_size, 4);
        assert_memory_equal(seen.body, "body", 4);
    }
    s3s_store_deinit(&retry);
    f.store = s3;
    stop();
}

static void test_s3__out_of_memory_is_an_error(void **state)
{
    (void)state;
    static const http_step steps[] = {
        {.status = 200, .headers = "ETag: \"e\"\r\n", .body = PAGE}};
    static const s3s_environment environment = {lookup, NULL};
    s3store_error err;
    START(steps);
    s3store_status status = S3STORE_OUT_OF_MEMORY;
    uint64_t n = 0;
    for (; n < 1000 && status != S3STORE_OK; n++) {
        s3s_s3_options options = {.bucket = "bucket", .endpoint_url = http_server_url(f.server)};
        s3s_store_deinit(&f.store);
        s3s_buffer_deinit(&f.body);
        memset(&err, 0, sizeof err);
        s3s_env_fail_alloc_at(f.env, n);
        status = s3s_s3_store_new_with(f.env, &options, &environment, NULL, &f.store, &err);
        if (status == S3STORE_OK)
            status = one_of_each(&err);
        s3s_env_fail_alloc_at(f.env, UINT64_MAX);
        if (status != S3STORE_OK) {
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
            assert_int_equal(err.status, S3STORE_OUT_OF_MEMORY);
        }
    }
    assert_int_equal(status, S3STORE_OK);
    assert_true(n > 20);
    stop();
}

int main(void)
{
    setenv("no_proxy", "*", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_s3__answers_are_read),
        cmocka_unit_test(test_s3__list_is_told_after_it_came_whole),
        cmocka_unit_test(test_s3__a_server_that_ignores_ranges_is_understood),
        cmocka_unit_test(test_s3__ranges_are_checked),
        cmocka_unit_test(test_s3__the_last_bytes_of_an_empty_object_are_none),
        cmocka_unit_test(test_s3__refusals_keep_what_the_server_said),
        cmocka_unit_test(test_s3__lists_of_rubbish_are_refused),
        cmocka_unit_test(test_s3__an_endless_error_page_is_not_read),
        cmocka_unit_test(test_s3__a_put_without_an_answer_is_uncertain),
        cmocka_unit_test(test_s3__a_put_that_was_not_sent_is_unavailable),
        cmocka_unit_test(test_s3__a_body_that_breaks_off_is_unavailable),
        cmocka_unit_test(test_s3__what_the_sink_says_is_what_comes_out),
        cmocka_unit_test(test_s3__deadline_and_cancellation_end_a_stuck_server),
        cmocka_unit_test(test_s3__the_region_is_learned_and_kept),
        cmocka_unit_test(test_s3__expired_credentials_are_renewed_once),
        cmocka_unit_test(test_s3__expired_credentials_are_renewed_for_a_head_too),
        cmocka_unit_test(test_s3__a_page_behind_200_is_no_answer_to_a_put),
        cmocka_unit_test(test_s3__without_credentials_nothing_is_sent),
        cmocka_unit_test(test_s3__anonymous_requests_are_not_signed),
        cmocka_unit_test(test_s3__bad_options_are_refused),
        cmocka_unit_test(test_s3__retry_after_is_told),
        cmocka_unit_test(test_s3__another_object_than_the_condition_names_is_refused),
        cmocka_unit_test(test_s3__an_error_in_the_place_of_an_object_is_one),
        cmocka_unit_test(test_s3__a_body_without_a_length_or_an_end_is_refused),
        cmocka_unit_test(test_s3__a_get_can_end_before_its_body),
        cmocka_unit_test(test_s3__a_skewed_clock_is_mended_for_reads_only),
        cmocka_unit_test(test_s3__a_token_with_control_characters_goes_back_as_it_came),
        cmocka_unit_test(test_s3__an_upload_in_parts_is_sent_as_s3_wants_it),
        cmocka_unit_test(test_s3__a_completion_that_says_nothing_is_uncertain),
        cmocka_unit_test(test_s3__a_part_is_never_uncertain_and_an_upload_needs_its_id),
        cmocka_unit_test(test_s3__a_kept_connection_that_is_dead_leaves_a_put_uncertain),
        cmocka_unit_test(test_s3__no_allocation_when_warm),
        cmocka_unit_test(test_s3__no_allocation_in_the_whole_stack),
        cmocka_unit_test(test_s3__a_put_that_failed_inside_sends_its_whole_body_again),
        cmocka_unit_test(test_s3__out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
