/* Signing: the examples that AWS publishes for S3, and the edges of canonical texts. */
#include "support/test.h"

#include "base/bytes.h"
#include "base/env.h"
#include "objstore/s3/sign.h"

#define ACCESS_KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EXAMPLE_TIME "20130524T000000Z"
#define EXAMPLE_HOST "examplebucket.s3.amazonaws.com"

static s3s_buffer scratch;
static s3s_buffer out;

static int set_up(void **state)
{
    (void)state;
    s3s_buffer_init(&scratch, NULL, 65536);
    s3s_buffer_init(&out, NULL, 65536);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    s3s_buffer_deinit(&scratch);
    s3s_buffer_deinit(&out);
    return 0;
}

static const char *text(void)
{
    s3store_error err;
    return s3s_buffer_text(&out, &err);
}

static void example_key(uint8_t key[S3S_SHA256_SIZE])
{
    s3store_error err;
    assert_ok(s3s_sign_key(SECRET, "20130524", "us-east-1", "s3", key, &err));
}

typedef struct example {
    const char *method, *path, *query;
    s3s_http_header headers[8];
    size_t header_count;
    const char *payload_hash;
    const char *signature;
} example;

#define DATE_HEADER {"X-Amz-Date", "20130524T000000Z"}
#define PUT_HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const example examples[] = {
    {"GET", "/test.txt", "",
     {{"Host", EXAMPLE_HOST}, {"Range", "bytes=0-9"},
      {"x-amz-content-sha256", S3S_SIGN_EMPTY_PAYLOAD}, DATE_HEADER},
     4, S3S_SIGN_EMPTY_PAYLOAD,
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {"PUT", "/test%24file.text", "",
     {{"x-amz-storage-class", "REDUCED_REDUNDANCY"}, {"x-amz-content-sha256", PUT_HASH},
      {"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"Host", EXAMPLE_HOST}, DATE_HEADER},
     5, PUT_HASH, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {"GET", "/", "lifecycle=",
     {{"Host", EXAMPLE_HOST}, {"x-amz-content-sha256", S3S_SIGN_EMPTY_PAYLOAD}, DATE_HEADER},
     3, S3S_SIGN_EMPTY_PAYLOAD,
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"GET", "/", "max-keys=2&prefix=J",
     {{"Host", EXAMPLE_HOST}, {"x-amz-content-sha256", S3S_SIGN_EMPTY_PAYLOAD}, DATE_HEADER},
     3, S3S_SIGN_EMPTY_PAYLOAD,
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static s3s_sign_input input_of(const example *e)
{
    return (s3s_sign_input){.method = e->method,
                            .path = e->path,
                            .query = e->query,
                            .headers = e->headers,
                            .header_count = e->header_count,
                            .payload_hash = e->payload_hash,
                            .date_time = EXAMPLE_TIME,
                            .region = "us-east-1",
                            .service = "s3"};
}

static void test_sign__published_examples_by_headers(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t key[S3S_SHA256_SIZE];
    example_key(key);
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        char signature[65];
        s3s_sign_input input = input_of(&examples[i]);
        assert_ok(s3s_sign(&input, key, &scratch, signature, &err));
        assert_string_equal(signature, examples[i].signature);
    }
}

static void test_sign__authorization_of_the_published_get(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t key[S3S_SHA256_SIZE];
    example_key(key);
    s3s_sign_input input = input_of(&examples[0]);
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_authorization(&input, ACCESS_KEY, key, &scratch, &out, &err));
    assert_string_equal(
        text(), "AWS4-HMAC-SHA256 Credential=" ACCESS_KEY "/20130524/us-east-1/s3/aws4_request,"
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

static void test_sign__published_canonical_request(void **state)
{
    (void)state;
    s3store_error err;
    s3s_sign_input input = input_of(&examples[0]);
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_canonical_request(&input, &out, &err));
    assert_string_equal(text(), "GET\n/test.txt\n\nhost:" EXAMPLE_HOST "\nrange:bytes=0-9\n"
                                "x-amz-content-sha256:" S3S_SIGN_EMPTY_PAYLOAD "\n"
                                "x-amz-date:20130524T000000Z\n\n"
                                "host;range;x-amz-content-sha256;x-amz-date\n"
                                S3S_SIGN_EMPTY_PAYLOAD);
}

static void test_sign__published_example_by_query(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t key[S3S_SHA256_SIZE];
    example_key(key);
    static const s3s_query_pair pairs[] = {
        {"X-Amz-SignedHeaders", "host"},
        {"X-Amz-Expires", "86400"},
        {"X-Amz-Date", "20130524T000000Z"},
        {"X-Amz-Credential", ACCESS_KEY "/20130524/us-east-1/s3/aws4_request"},
        {"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
    };
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_query(pairs, 5, &scratch, &out, &err));
    static const s3s_http_header host = {"host", EXAMPLE_HOST};
    s3s_sign_input input = {.method = "GET",
                            .path = "/test.txt",
                            .query = text(),
                            .headers = &host,
                            .header_count = 1,
                            .payload_hash = S3S_SIGN_UNSIGNED_PAYLOAD,
                            .date_time = EXAMPLE_TIME,
                            .region = "us-east-1",
                            .service = "s3"};
    char signature[65];
    assert_ok(s3s_sign(&input, key, &scratch, signature, &err));
    assert_string_equal(signature,
                        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void test_sign__every_byte_is_encoded_as_s3_wants(void **state)
{
    (void)state;
    s3store_error err;
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (int c = 1; c < 256; c++) {
        char one[2] = {(char)c, '\0'};
        char escaped[8];
        snprintf(escaped, sizeof escaped, "%%%02X", (unsigned)c);
        s3s_buffer_clear(&out);
        assert_ok(s3s_sign_encode(one, false, &out, &err));
        assert_string_equal(text(), strchr(plain, c) != NULL ? one : escaped);
        s3s_buffer_clear(&out);
        assert_ok(s3s_sign_encode(one, true, &out, &err));
        assert_string_equal(text(), strchr(plain, c) != NULL || c == '/' ? one : escaped);
    }
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_encode("_ref/1;a=1%2Fb=\xe6\x97\xa5 +.ref", true, &out, &err));
    assert_string_equal(text(), "_ref/1%3Ba%3D1%252Fb%3D%E6%97%A5%20%2B.ref");
}

static void test_sign__query_is_sorted_by_encoded_name_then_value(void **state)
{
    (void)state;
    s3store_error err;
    static const s3s_query_pair pairs[] = {{"b", "2"}, {"a-", "x"}, {"b", "1"}, {"a", ""},
                                           {"a/", "+ "}, {"B", "%"}};
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_query(pairs, 6, &scratch, &out, &err));
    assert_string_equal(text(), "B=%25&a=&a%2F=%2B%20&a-=x&b=1&b=2");
    s3s_query_pair many[S3S_SIGN_QUERY_MAX + 1];
    for (size_t i = 0; i <= S3S_SIGN_QUERY_MAX; i++)
        many[i] = (s3s_query_pair){"n", "v"};
    assert_fails(s3s_sign_query(many, S3S_SIGN_QUERY_MAX + 1, &scratch, &out, &err),
                 S3STORE_LIMIT_EXCEEDED, "parameters");
}

static void test_sign__header_values_are_trimmed_and_names_lowered(void **state)
{
    (void)state;
    s3store_error err;
    static const s3s_http_header headers[] = {
        {"X-Amz-Meta-B", "  two   blanks\t inside  "}, {"HOST", "h"}, {"x-amz-meta-a", ""}};
    s3s_sign_input input = {.method = "PUT",
                            .path = "/k",
                            .query = "",
                            .headers = headers,
                            .header_count = 3,
                            .payload_hash = "UNSIGNED-PAYLOAD",
                            .region = "r",
                            .service = "s3"};
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_canonical_request(&input, &out, &err));
    assert_string_equal(text(), "PUT\n/k\n\nhost:h\nx-amz-meta-a:\n"
                                "x-amz-meta-b:two blanks inside\n\n"
                                "host;x-amz-meta-a;x-amz-meta-b\nUNSIGNED-PAYLOAD");
}

static void test_sign__key_of_the_published_chain(void **state)
{
    (void)state;
    s3store_error err;
    uint8_t key[S3S_SHA256_SIZE];
    char hex[65];
    assert_ok(s3s_sign_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1",
                           "iam", key, &err));
    s3s_hex(key, sizeof key, hex);
    assert_string_equal(hex, "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d");
    char secret[600];
    memset(secret, 's', sizeof secret);
    secret[sizeof secret - 1] = '\0';
    assert_fails(s3s_sign_key(secret, "20120215", "r", "s3", key, &err), S3STORE_NO_CREDENTIALS,
                 "longer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sign__published_examples_by_headers),
        cmocka_unit_test(test_sign__authorization_of_the_published_get),
        cmocka_unit_test(test_sign__published_canonical_request),
        cmocka_unit_test(test_sign__published_example_by_query),
        cmocka_unit_test(test_sign__every_byte_is_encoded_as_s3_wants),
        cmocka_unit_test(test_sign__query_is_sorted_by_encoded_name_then_value),
        cmocka_unit_test(test_sign__header_values_are_trimmed_and_names_lowered),
        cmocka_unit_test(test_sign__key_of_the_published_chain),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
