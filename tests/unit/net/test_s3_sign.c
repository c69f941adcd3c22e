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

static void example_key(s3s_hmac_key *key)
{
    s3store_error err;
    uint8_t secret[S3S_SHA256_SIZE];
    assert_ok(s3s_sign_key(SECRET, "20130524", "us-east-1", "s3", secret, &err));
    assert_ok(s3s_hmac_key_init(key, secret, sizeof secret, &err));
}

typedef struct example {
    const char *method, *path, *query;
    s3s_http_header headers[8];
    size_t header_count;
    const char *payload_hash;
    const char *signature;
    const char *canonical_hash; /* of the canonical request: the last line of the string to sign */
} example;

#define DATE_HEADER {"X-Amz-Date", "20130524T000000Z"}
#define PUT_HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static const example examples[] = {
    {"GET", "/test.txt", "",
     {{"Host", EXAMPLE_HOST}, {"Range", "bytes=0-9"},
      {"x-amz-content-sha256", S3S_SIGN_EMPTY_PAYLOAD}, DATE_HEADER},
     4, S3S_SIGN_EMPTY_PAYLOAD,
     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
     "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"},
    {"PUT", "/test%24file.text", "",
     {{"x-amz-storage-class", "REDUCED_REDUNDANCY"}, {"x-amz-content-sha256", PUT_HASH},
      {"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"Host", EXAMPLE_HOST}, DATE_HEADER},
     5, PUT_HASH, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
     "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d"},
    {"GET", "/", "lifecycle=",
     {{"Host", EXAMPLE_HOST}, {"x-amz-content-sha256", S3S_SIGN_EMPTY_PAYLOAD}, DATE_HEADER},
     3, S3S_SIGN_EMPTY_PAYLOAD,
     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
     "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca"},
    {"GET", "/", "max-keys=2&prefix=J",
     {{"Host", EXAMPLE_HOST}, {"x-amz-content-sha256", S3S_SIGN_EMPTY_PAYLOAD}, DATE_HEADER},
     3, S3S_SIGN_EMPTY_PAYLOAD,
     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
     "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7"},
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

/* What was signed last, which the scratch buffer still holds. */
static void assert_signed(const char *time_and_scope, const char *canonical_hash)
{
    s3store_error err;
    char expected[300];
    snprintf(expected, sizeof expected, "AWS4-HMAC-SHA256\n%s\n%s", time_and_scope,
             canonical_hash);
    assert_string_equal(s3s_buffer_text(&scratch, &err), expected);
}

static void test_sign__published_examples_by_headers(void **state)
{
    (void)state;
    s3store_error err;
    s3s_hmac_key key;
    example_key(&key);
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        char signature[65];
        s3s_sign_input input = input_of(&examples[i]);
        assert_ok(s3s_sign(&input, &key, &scratch, signature, &err));
        assert_string_equal(signature, examples[i].signature);
        assert_signed(EXAMPLE_TIME "\n20130524/us-east-1/s3/aws4_request",
                      examples[i].canonical_hash);
    }
}

static void test_sign__authorization_of_the_published_get(void **state)
{
    (void)state;
    s3store_error err;
    s3s_hmac_key key;
    example_key(&key);
    s3s_sign_input input = input_of(&examples[0]);
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_authorization(&input, ACCESS_KEY, &key, &scratch, &out, &err));
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
    s3s_hmac_key key;
    example_key(&key);
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
    assert_ok(s3s_sign(&input, &key, &scratch, signature, &err));
    assert_string_equal(signature,
                        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    assert_signed(EXAMPLE_TIME "\n20130524/us-east-1/s3/aws4_request",
                  "3bfa292879f6447bbcda7001decf97f4a54dc650c8942174ae0a9121cf58ad04");
}

/* ---- the suite of the algorithm itself --------------------------------------------------------
 *
 * AWS publishes requests with their signatures. Those below are signed as S3 wants it: the path encoded
 * once, nothing in it tidied. The others of the suite are for services that do tidy paths, or are about
 * header lines that are repeated or folded, which nobody here makes. */

#define SUITE_HOST {"Host", "example.amazonaws.com"}
#define SUITE_DATE {"X-Amz-Date", "20150830T123600Z"}
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

typedef struct suite_case {
    const char *name, *method, *path; /* raw */
    s3s_query_pair pairs[2];
    size_t pair_count;
    s3s_http_header headers[5];
    size_t header_count;
    const char *payload_hash; /* NULL = of nothing */
    const char *signature;
} suite_case;

static const suite_case suite[] = {
    {"get-vanilla", "GET", "/", {{0}}, 0, {SUITE_HOST, SUITE_DATE}, 2, NULL,
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"get-vanilla-empty-query-key", "GET", "/", {{"Param1", "value1"}}, 1,
     {SUITE_HOST, SUITE_DATE}, 2, NULL,
     "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
    {"get-vanilla-query-order-key-case", "GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}},
     2, {SUITE_DATE, SUITE_HOST}, 2, NULL,
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    {"get-vanilla-query-unreserved", "GET", "/", {{UNRESERVED, UNRESERVED}}, 1,
     {SUITE_HOST, SUITE_DATE}, 2, NULL,
     "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    {"get-vanilla-utf8-query", "GET", "/", {{"\u1234", "bar"}}, 1, {SUITE_HOST, SUITE_DATE}, 2,
     NULL, "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    {"get-unreserved", "GET", "/" UNRESERVED, {{0}}, 0, {SUITE_HOST, SUITE_DATE}, 2, NULL,
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8", "GET", "/\u1234", {{0}}, 0, {SUITE_HOST, SUITE_DATE}, 2, NULL,
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"get-slashes-unnormalized", "GET", "//example//", {{0}}, 0, {SUITE_HOST, SUITE_DATE}, 2, NULL,
     "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
    {"get-slash-dot-slash-unnormalized", "GET", "/./", {{0}}, 0, {SUITE_HOST, SUITE_DATE}, 2, NULL,
     "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
    {"get-header-value-trim", "GET", "/", {{0}}, 0,
     {SUITE_HOST, {"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}, SUITE_DATE}, 4, NULL,
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-header-value-order", "GET", "/", {{0}}, 0,
     {SUITE_HOST, {"My-Header1", "value4,value1,value3,value2"}, SUITE_DATE}, 3, NULL,
     "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
    {"get-vanilla-with-session-token", "GET", "/", {{0}}, 0,
     {SUITE_HOST, SUITE_DATE,
      {"X-Amz-Security-Token",
       "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}},
     3, NULL, "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    {"post-x-www-form-urlencoded", "POST", "/", {{0}}, 0,
     {{"Content-Type", "application/x-www-form-urlencoded"}, SUITE_HOST, {"Content-Length", "13"},
      {"x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"},
      SUITE_DATE},
     5, "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
};

static s3s_sign_input suite_input(const suite_case *c, const char *path, const char *query)
{
    return (s3s_sign_input){.method = c->method,
                            .path = path,
                            .query = query,
                            .headers = c->headers,
                            .header_count = c->header_count,
                            .payload_hash = c->payload_hash != NULL ? c->payload_hash
                                                                    : S3S_SIGN_EMPTY_PAYLOAD,
                            .date_time = "20150830T123600Z",
                            .region = "us-east-1",
                            .service = "service"};
}

static void suite_key(s3s_hmac_key *key)
{
    s3store_error err;
    uint8_t secret[S3S_SHA256_SIZE];
    assert_ok(s3s_sign_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1",
                           "service", secret, &err));
    assert_ok(s3s_hmac_key_init(key, secret, sizeof secret, &err));
}

static void test_sign__published_suite(void **state)
{
    (void)state;
    s3store_error err;
    s3s_hmac_key key;
    suite_key(&key);
    for (size_t i = 0; i < sizeof suite / sizeof suite[0]; i++) {
        const suite_case *c = &suite[i];
        char path[300], signature[65];
        s3s_buffer_clear(&out);
        assert_ok(s3s_sign_encode(c->path, true, &out, &err));
        snprintf(path, sizeof path, "%s", text());
        s3s_buffer_clear(&out);
        assert_ok(s3s_sign_query(c->pairs, c->pair_count, &scratch, &out, &err));
        s3s_sign_input input = suite_input(c, path, text());
        assert_ok(s3s_sign(&input, &key, &scratch, signature, &err));
        if (strcmp(signature, c->signature) != 0)
            fail_msg("%s is signed %s", c->name, signature);
    }
    /* The canonical request and the string to sign of two of them. */
    char signature[65];
    s3s_sign_input input = suite_input(&suite[0], "/", "");
    assert_ok(s3s_sign(&input, &key, &scratch, signature, &err));
    assert_signed("20150830T123600Z\n20150830/us-east-1/service/aws4_request",
                  "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63");
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_canonical_request(&input, &out, &err));
    assert_string_equal(text(), "GET\n/\n\nhost:example.amazonaws.com\n"
                                "x-amz-date:20150830T123600Z\n\nhost;x-amz-date\n"
                                S3S_SIGN_EMPTY_PAYLOAD);
    input = suite_input(&suite[9], "/", "");
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_canonical_request(&input, &out, &err));
    assert_string_equal(text(), "GET\n/\n\nhost:example.amazonaws.com\nmy-header1:value1\n"
                                "my-header2:\"a b c\"\nx-amz-date:20150830T123600Z\n\n"
                                "host;my-header1;my-header2;x-amz-date\n" S3S_SIGN_EMPTY_PAYLOAD);
}

static void test_sign__published_suite_by_query(void **state)
{
    (void)state;
    s3store_error err;
    s3s_hmac_key key;
    char signature[65];
    static const s3s_query_pair pairs[] = {
        {UNRESERVED, UNRESERVED},
        {"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
        {"X-Amz-Credential", "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"},
        {"X-Amz-Date", "20150830T123600Z"},
        {"X-Amz-SignedHeaders", "host"},
        {"X-Amz-Expires", "3600"},
    };
    suite_key(&key);
    s3s_buffer_clear(&out);
    assert_ok(s3s_sign_query(pairs, 6, &scratch, &out, &err));
    s3s_sign_input input = suite_input(&suite[0], "/", text());
    input.header_count = 1; /* the host */
    assert_ok(s3s_sign(&input, &key, &scratch, signature, &err));
    assert_string_equal(signature,
                        "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf");
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
        cmocka_unit_test(test_sign__published_suite),
        cmocka_unit_test(test_sign__published_suite_by_query),
        cmocka_unit_test(test_sign__every_byte_is_encoded_as_s3_wants),
        cmocka_unit_test(test_sign__query_is_sorted_by_encoded_name_then_value),
        cmocka_unit_test(test_sign__header_values_are_trimmed_and_names_lowered),
        cmocka_unit_test(test_sign__key_of_the_published_chain),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
