/* Where requests go, and what they are made of. */
#include "support/test.h"

#include <stdlib.h>

#include "base/env.h"
#include "objstore/s3/request.h"

#define TIME_US 1369353600000000 /* 2013-05-24T00:00:00Z */

/* An environment of "NAME=value" texts. */
static const char *lookup(void *ctx, const char *name)
{
    const char *const *variables = ctx;
    size_t size = strlen(name);
    for (; *variables != NULL; variables++)
        if (strncmp(*variables, name, size) == 0 && (*variables)[size] == '=')
            return *variables + size + 1;
    return NULL;
}

static s3store_status init_place(s3s_s3_place *place, const s3s_s3_options *options,
                                 const char *const *variables, s3store_error *err)
{
    static const char *const none[] = {NULL};
    union {
        const void *in;
        void *out;
    } ctx = {.in = variables != NULL ? variables : none};
    s3s_environment environment = {lookup, ctx.out};
    s3s_settings settings;
    s3store_status status = s3s_settings_init(&settings, NULL, &environment, NULL, err);
    if (status != S3STORE_OK)
        return status;
    status = s3s_s3_place_init(place, options, &settings, err);
    s3s_settings_deinit(&settings);
    return status;
}

#define assert_place(options_, variables_, authority_, region_, virtual_)                          \
    do {                                                                                           \
        s3s_s3_place place_;                                                                       \
        s3s_s3_options o_ = options_;                                                              \
        assert_ok(init_place(&place_, &o_, variables_, &err));                                     \
        assert_string_equal(place_.authority, authority_);                                         \
        assert_string_equal(place_.region, region_);                                               \
        assert_int_equal(place_.virtual_host, virtual_);                                           \
    } while (0)

#define OPTIONS(...) ((s3s_s3_options){__VA_ARGS__})
#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_endpoint__aws_by_region(void **state)
{
    (void)state;
    s3store_error err;
    assert_place(OPTIONS(.bucket = "bucket"), NULL, "s3.us-east-1.amazonaws.com", "us-east-1",
                 true);
    assert_place(OPTIONS(.bucket = "bucket", .region = "cn-north-1"), NULL,
                 "s3.cn-north-1.amazonaws.com.cn", "cn-north-1", true);
    assert_place(OPTIONS(.bucket = "my.bucket"), NULL, "s3.us-east-1.amazonaws.com", "us-east-1",
                 false);
    assert_place(OPTIONS(.bucket = "Bucket"), NULL, "s3.us-east-1.amazonaws.com", "us-east-1",
                 false);
    assert_place(OPTIONS(.bucket = "bucket", .addressing = S3STORE_ADDRESSING_PATH), NULL,
                 "s3.us-east-1.amazonaws.com", "us-east-1", false);
}

static void test_endpoint__options_then_environment_then_default(void **state)
{
    (void)state;
    s3store_error err;
    const char *const *all = ENVIRONMENT(
        "AWS_ENDPOINT_URL_S3=http://s3:9000", "AWS_ENDPOINT_URL=http://other:9000",
        "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-2");
    assert_place(OPTIONS(.bucket = "b", .endpoint_url = "https://mine", .region = "r1"), all,
                 "mine", "r1", false);
    assert_place(OPTIONS(.bucket = "b"), all, "s3:9000", "eu-west-1", false);
    assert_place(OPTIONS(.bucket = "b"),
                 ENVIRONMENT("AWS_ENDPOINT_URL=http://other:9000", "AWS_DEFAULT_REGION=eu-west-2"),
                 "other:9000", "eu-west-2", false);
    assert_place(OPTIONS(.bucket = "b"), ENVIRONMENT("AWS_ENDPOINT_URL_S3=", "AWS_REGION="),
                 "s3.us-east-1.amazonaws.com", "us-east-1", false);
    assert_place(OPTIONS(.bucket = "bbb"),
                 ENVIRONMENT("AWS_ENDPOINT_URL=http://other",
                             "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"),
                 "s3.us-east-1.amazonaws.com", "us-east-1", true);
}

static void test_endpoint__urls_are_normalised(void **state)
{
    (void)state;
    s3store_error err;
    assert_place(OPTIONS(.bucket = "b", .endpoint_url = "HTTPS://Gate.Example:443/"), NULL,
                 "gate.example", "us-east-1", false);
    assert_place(OPTIONS(.bucket = "b", .endpoint_url = "http://gate:80"), NULL, "gate",
                 "us-east-1", false);
    assert_place(OPTIONS(.bucket = "b", .endpoint_url = "http://gate:443"), NULL, "gate:443",
                 "us-east-1", false);
    assert_place(OPTIONS(.bucket = "b", .endpoint_url = "http://[::1]:9000"), NULL, "[::1]:9000",
                 "us-east-1", false);
    assert_place(OPTIONS(.bucket = "bucket", .endpoint_url = "https://s3.eu-west-1.amazonaws.com"),
                 NULL, "s3.eu-west-1.amazonaws.com", "us-east-1", true);
    assert_place(OPTIONS(.bucket = "bucket", .endpoint_url = "http://gate:9000",
                         .addressing = S3STORE_ADDRESSING_VIRTUAL),
                 NULL, "gate:9000", "us-east-1", true);
}

static void test_endpoint__bad_settings_are_named(void **state)
{
    (void)state;
    s3store_error err;
    s3s_s3_place place;
    static const struct {
        const char *url;
        const char *names;
    } urls[] = {{"gate:9000", "https://"},
                {"ftp://gate", "https://"},
                {"http://", "host name"},
                {"http://:9000", "host name"},
                {"http://gate:0", "port"},
                {"http://gate:99999", "port"},
                {"http://gate:9x", "port"},
                {"http://gate name/", "port"},
                {"http://[::1", "host name"},
                {"http://user:hidden@gate", "user name"},
                {"http://gate/?x=1", "path"},
                {"http://gate/a b", "path"}};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        s3s_s3_options options = {.bucket = "b", .endpoint_url = urls[i].url};
        assert_fails(init_place(&place, &options, NULL, &err), S3STORE_INVALID_ARGUMENT,
                     urls[i].names);
        assert_non_null(strstr(err.message, "endpoint option"));
        assert_null(strstr(err.message, "hidden"));
    }
    static const char *const buckets[] = {NULL, "", "a/b", "..", "a b", "a\nb", "b\xc3\xa9"};
    for (size_t i = 0; i < sizeof buckets / sizeof buckets[0]; i++) {
        s3s_s3_options options = {.bucket = buckets[i]};
        assert_fails(init_place(&place, &options, NULL, &err), S3STORE_INVALID_ARGUMENT,
                     "bucket name");
    }
    s3s_s3_options region = {.bucket = "b", .region = "eu west"};
    assert_fails(init_place(&place, &region, NULL, &err), S3STORE_INVALID_ARGUMENT, "eu west");
    s3s_s3_options dots = {.bucket = "a.b", .addressing = S3STORE_ADDRESSING_VIRTUAL};
    assert_fails(init_place(&place, &dots, NULL, &err), S3STORE_INVALID_ARGUMENT, "a.b");
}

static void test_endpoint__a_region_from_an_answer_is_checked(void **state)
{
    (void)state;
    s3store_error err;
    s3s_s3_place place;
    s3s_s3_options options = {.bucket = "bucket"};
    assert_ok(init_place(&place, &options, NULL, &err));
    assert_true(s3s_s3_place_set_region(&place, "eu-west-1"));
    assert_string_equal(place.authority, "s3.eu-west-1.amazonaws.com");
    assert_false(s3s_s3_place_set_region(&place, "evil.example/"));
    assert_false(s3s_s3_place_set_region(&place, ""));
    assert_string_equal(place.authority, "s3.eu-west-1.amazonaws.com");
    char host[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE];
    s3s_s3_place_host(&place, host);
    assert_string_equal(host, "bucket.s3.eu-west-1.amazonaws.com");
}

/* ---- messages -------------------------------------------------------------------------------- */

typedef struct fixture {
    s3s_s3_message m;
    s3s_s3_place path;
    s3s_s3_place host;
    s3s_credentials *credentials;
    s3s_credentials *temporary;
} fixture;

static int set_up(void **state)
{
    static fixture f;
    s3store_error err;
    s3s_s3_message_init(&f.m, NULL);
    s3s_s3_options path = {.bucket = "warehouse", .endpoint_url = "http://gate:9000/base/"};
    assert_ok(init_place(&f.path, &path, NULL, &err));
    s3s_s3_options host = {.bucket = "examplebucket"};
    assert_ok(init_place(&f.host, &host, NULL, &err));
    strcpy(f.host.authority, "s3.amazonaws.com"); /* as in the published examples */
    assert_ok(s3s_credentials_new(NULL, "AKIAIOSFODNN7EXAMPLE",
                                  "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", NULL,
                                  S3STORE_TIME_NONE, "the test", &f.credentials, &err));
    assert_ok(s3s_credentials_new(NULL, "ASIA", "secret", "to/ken+==", S3STORE_TIME_NONE,
                                  "the test", &f.temporary, &err));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    s3s_s3_message_deinit(&f->m);
    s3s_credentials_release(f->credentials);
    s3s_credentials_release(f->temporary);
    return 0;
}

/* The value of a header, or NULL; *is_signed tells which kind. */
static const char *header(const s3s_s3_message *m, const char *name, bool *is_signed)
{
    for (size_t i = 0; i < m->header_count; i++)
        if (strcmp(m->headers[i].name, name) == 0) {
            if (is_signed != NULL)
                *is_signed = i < m->signed_count;
            return m->headers[i].value;
        }
    return NULL;
}

#define assert_header(name, value, expect_signed)                                                  \
    do {                                                                                           \
        bool signed_ = false;                                                                      \
        const char *found_ = header(&f->m, name, &signed_);                                        \
        assert_non_null(found_);                                                                   \
        assert_string_equal(found_, value);                                                        \
        assert_int_equal(signed_, expect_signed);                                                  \
    } while (0)

static void test_request__commit_put_is_that_of_the_format(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const s3store_metadata_entry entries[] = {
        {"attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"}, {"rowcount", "3"}};
    s3store_put_request put = {.size = sizeof put,
                               .key = "billing/data/charge_period=2026-03-17/customer=abc/"
                                      "job-1.commit",
                               .metadata = entries,
                               .metadata_count = 2,
                               .if_none_match = true};
    assert_ok(s3s_s3_build_put(&f->m, &f->path, "strong-global", &put, &err));
    assert_ok(s3s_s3_sign_by_headers(&f->m, &f->path, f->credentials, TIME_US, &err));
    assert_string_equal((char *)f->m.url.data,
                        "http://gate:9000/base/warehouse/billing/data/"
                        "charge_period%3D2026-03-17/customer%3Dabc/job-1.commit");
    assert_header("host", "gate:9000", true);
    assert_header("content-type", "application/octet-stream", true);
    assert_header("if-none-match", "*", true);
    assert_header("x-amz-meta-attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8", true);
    assert_header("x-amz-meta-rowcount", "3", true);
    assert_header("x-amz-date", "20130524T000000Z", true);
    assert_header("x-amz-content-sha256", S3S_SIGN_EMPTY_PAYLOAD, true);
    assert_header("consistency-control", "strong-global", false);
    assert_null(header(&f->m, "x-amz-security-token", NULL));
    assert_non_null(strstr(header(&f->m, "authorization", NULL),
                           "SignedHeaders=content-type;host;if-none-match;x-amz-content-sha256;"
                           "x-amz-date;x-amz-meta-attemptid;x-amz-meta-rowcount,"));
}

static void test_request__ref_key_is_encoded_once_more(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3store_put_request put = {
        .size = sizeof put,
        .key = "billing/_ref/1710684000123456-job-1-0190a8b4d3a87f4ab1c2d3e4f5a6b7c8;"
               "charge_period=2026-03-17%2Fcustomer=abc.ref"};
    assert_ok(s3s_s3_build_put(&f->m, &f->host, "all", &put, &err));
    assert_ok(s3s_s3_sign_by_headers(&f->m, &f->host, f->credentials, TIME_US, &err));
    assert_string_equal((char *)f->m.url.data,
                        "https://examplebucket.s3.amazonaws.com/billing/_ref/"
                        "1710684000123456-job-1-0190a8b4d3a87f4ab1c2d3e4f5a6b7c8%3B"
                        "charge_period%3D2026-03-17%252Fcustomer%3Dabc.ref");
}

static void test_request__keys_are_not_tidied(void **state)
{
    fixture *f = *state;
    s3store_error err;
    assert_ok(s3s_s3_build_head(&f->m, &f->host, "all", "//a/./../b//", &err));
    assert_ok(s3s_s3_sign_not(&f->m, &f->host, &err));
    assert_string_equal((char *)f->m.url.data,
                        "https://examplebucket.s3.amazonaws.com///a/./../b//");
    assert_null(header(&f->m, "authorization", NULL));
}

static void test_request__get_of_the_published_example(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3store_get_request get = {.size = sizeof get, .key = "test.txt", .offset = 0, .length = 10};
    assert_ok(s3s_s3_build_get(&f->m, &f->host, "available", &get, &err));
    assert_ok(s3s_s3_sign_by_headers(&f->m, &f->host, f->credentials, TIME_US, &err));
    assert_non_null(
        strstr(header(&f->m, "authorization", NULL),
               "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

static void test_request__ranges(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const struct {
        uint64_t offset, length, suffix;
        const char *range;
    } cases[] = {{0, S3STORE_LENGTH_ALL, 0, NULL},
                 {5, S3STORE_LENGTH_ALL, 0, "bytes=5-"},
                 {5, 10, 0, "bytes=5-14"},
                 {5, 0, 0, "bytes=5-5"},
                 {5, UINT64_MAX - 1, 0, "bytes=5-"},
                 {5, 10, 8, "bytes=-8"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_get_request get = {.size = sizeof get,
                                   .key = "k",
                                   .offset = cases[i].offset,
                                   .length = cases[i].length,
                                   .suffix = cases[i].suffix,
                                   .if_match = "etag"};
        assert_ok(s3s_s3_build_get(&f->m, &f->host, "all", &get, &err));
        assert_header("if-match", "\"etag\"", true);
        if (cases[i].range == NULL)
            assert_null(header(&f->m, "range", NULL));
        else
            assert_header("range", cases[i].range, true);
    }
    s3store_get_request get = {.size = sizeof get, .key = "k", .if_match = "a\r\nx: y"};
    assert_fails(s3s_s3_build_get(&f->m, &f->host, "all", &get, &err), S3STORE_INVALID_ARGUMENT,
                 "ETag");
}

static void test_request__list_query(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3store_list_request list = {.size = sizeof list,
                                 .prefix = "p/_ref/",
                                 .start_after = "p/_ref/1;a=%2F +",
                                 .max_keys = 1000};
    assert_ok(s3s_s3_build_list(&f->m, &f->path, "all", &list, &err));
    assert_ok(s3s_s3_sign_by_headers(&f->m, &f->path, f->credentials, TIME_US, &err));
    assert_string_equal((char *)f->m.url.data,
                        "http://gate:9000/base/warehouse?encoding-type=url&list-type=2&"
                        "max-keys=1000&prefix=p%2F_ref%2F&"
                        "start-after=p%2F_ref%2F1%3Ba%3D%252F%20%2B");
    list.continuation = "to=/ken";
    list.prefix = NULL;
    list.delimiter = "/";
    list.max_keys = 0;
    assert_ok(s3s_s3_build_list(&f->m, &f->host, "all", &list, &err));
    assert_ok(s3s_s3_sign_not(&f->m, &f->host, &err));
    assert_string_equal((char *)f->m.url.data,
                        "https://examplebucket.s3.amazonaws.com/?continuation-token=to%3D%2Fken&"
                        "delimiter=%2F&encoding-type=url&list-type=2");
}

static void test_request__fenced_put_is_signed_by_query(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const s3store_metadata_entry entries[] = {{"rowcount", "3"}};
    s3store_put_request put = {.size = sizeof put,
                               .key = "a;b",
                               .metadata = entries,
                               .metadata_count = 1,
                               .if_none_match = true,
                               .fenced = true,
                               .valid_from_us = TIME_US + 999999,
                               .expires_at_us = TIME_US + 10999999};
    assert_ok(s3s_s3_build_put(&f->m, &f->path, "all", &put, &err));
    assert_ok(s3s_s3_sign_by_query(&f->m, &f->path, f->temporary, put.valid_from_us,
                                   put.expires_at_us, &err));
    const char *url = (char *)f->m.url.data;
    assert_non_null(strstr(url, "http://gate:9000/base/warehouse/a%3Bb?X-Amz-Algorithm="
                                "AWS4-HMAC-SHA256&X-Amz-Credential=ASIA%2F20130524%2Fus-east-1%2F"
                                "s3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=10&"
                                "X-Amz-Security-Token=to%2Fken%2B%3D%3D&X-Amz-SignedHeaders="
                                "content-type%3Bhost%3Bif-none-match%3Bx-amz-meta-rowcount&"
                                "X-Amz-Signature="));
    assert_null(header(&f->m, "authorization", NULL));
    assert_null(header(&f->m, "x-amz-date", NULL));
    assert_header("consistency-control", "all", false);

    put.body = "Welcome to Amazon S3.";
    put.body_size = 21;
    assert_ok(s3s_s3_build_put(&f->m, &f->path, "all", &put, &err));
    assert_header("content-md5", "1EfQ6PKJ8WoS/2AnznfCWA==", true);
    assert_fails(s3s_s3_sign_by_query(&f->m, &f->path, f->credentials, TIME_US, TIME_US + 999999,
                                      &err),
                 S3STORE_INVALID_ARGUMENT, "valid");
    assert_fails(s3s_s3_sign_by_query(&f->m, &f->path, f->credentials, TIME_US,
                                      TIME_US + 604801000000, &err),
                 S3STORE_INVALID_ARGUMENT, "7 days");
}

static void test_request__session_token_is_a_signed_header(void **state)
{
    fixture *f = *state;
    s3store_error err;
    assert_ok(s3s_s3_build_remove(&f->m, &f->host, "all", "k", &err));
    assert_ok(s3s_s3_sign_by_headers(&f->m, &f->host, f->temporary, TIME_US, &err));
    assert_string_equal(f->m.method, "DELETE");
    assert_header("x-amz-security-token", "to/ken+==", true);
}

static void test_request__what_cannot_be_sent_is_refused(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char key[S3STORE_KEY_MAX_BYTES + 2];
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    assert_fails(s3s_s3_build_head(&f->m, &f->host, "all", key, &err), S3STORE_INVALID_ARGUMENT,
                 "1024");
    key[S3STORE_KEY_MAX_BYTES] = '\0';
    assert_ok(s3s_s3_build_head(&f->m, &f->host, "all", key, &err));
    assert_fails(s3s_s3_build_head(&f->m, &f->host, "all", "", &err), S3STORE_INVALID_ARGUMENT,
                 "empty");
    static const s3store_metadata_entry bad = {"name", "line\r\nbreak"};
    s3store_put_request put = {
        .size = sizeof put, .key = "k", .metadata = &bad, .metadata_count = 1};
    assert_fails(s3s_s3_build_put(&f->m, &f->host, "all", &put, &err), S3STORE_INVALID_ARGUMENT,
                 "name");
    char *prefix = calloc(1, 5000);
    memset(prefix, 'p', 4999);
    s3store_list_request list = {.size = sizeof list, .prefix = prefix};
    assert_fails(s3s_s3_build_list(&f->m, &f->host, "all", &list, &err), S3STORE_INVALID_ARGUMENT,
                 "prefix");
    free(prefix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint__aws_by_region),
        cmocka_unit_test(test_endpoint__options_then_environment_then_default),
        cmocka_unit_test(test_endpoint__urls_are_normalised),
        cmocka_unit_test(test_endpoint__bad_settings_are_named),
        cmocka_unit_test(test_endpoint__a_region_from_an_answer_is_checked),
        cmocka_unit_test(test_request__commit_put_is_that_of_the_format),
        cmocka_unit_test(test_request__ref_key_is_encoded_once_more),
        cmocka_unit_test(test_request__keys_are_not_tidied),
        cmocka_unit_test(test_request__get_of_the_published_example),
        cmocka_unit_test(test_request__ranges),
        cmocka_unit_test(test_request__list_query),
        cmocka_unit_test(test_request__fenced_put_is_signed_by_query),
        cmocka_unit_test(test_request__session_token_is_a_signed_header),
        cmocka_unit_test(test_request__what_cannot_be_sent_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
