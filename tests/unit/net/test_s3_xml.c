/* What the server's documents and statuses mean, hostile ones included. */
#include "support/test.h"

#include <stdlib.h>

#include "base/env.h"
#include "objstore/s3/errors.h"

static s3s_xml *xml;

static int set_up(void **state)
{
    s3store_error err;
    (void)state;
    assert_ok(s3s_xml_new(NULL, &xml, &err));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    s3s_xml_free(xml);
    return 0;
}

/* Fed in pieces of a size that cuts everything somewhere. */
static s3store_status parse(const char *text, size_t piece, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    s3s_xml_begin(xml);
    size_t size = strlen(text);
    for (size_t i = 0; i < size && status == S3STORE_OK; i += piece)
        status = s3s_xml_feed(xml, text + i, piece < size - i ? piece : size - i, err);
    return status == S3STORE_OK ? s3s_xml_end(xml, err) : status;
}

#define LIST(content)                                                                              \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                                                 \
    "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>" content   \
    "</ListBucketResult>"
#define ENTRY(key)                                                                                 \
    "<Contents><Key>" key "</Key><LastModified>2026-03-17T14:00:00.123Z</LastModified>"            \
    "<ETag>&quot;e&quot;</ETag><Size>7</Size><Owner><ID>o</ID></Owner></Contents>"
#define DONE "<IsTruncated>false</IsTruncated>"

#define UPLOADS(content)                                                                           \
    "<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" content        \
    "</ListMultipartUploadsResult>"
#define UPLOAD(key, id)                                                                            \
    "<Upload><Key>" key "</Key><UploadId>" id "</UploadId><Initiator><ID>i</ID></Initiator>"       \
    "<Initiated>2026-03-17T14:00:00.000Z</Initiated></Upload>"

static void test_xml__uploads_page(void **state)
{
    (void)state;
    s3store_error err;
    static const char text[] =
        UPLOADS("<EncodingType>url</EncodingType><NextKeyMarker>b%20c</NextKeyMarker>"
                "<NextUploadIdMarker>2~x</NextUploadIdMarker><MaxUploads>2</MaxUploads>"
                "<IsTruncated>true</IsTruncated>" UPLOAD("b%20c", "2~w") UPLOAD("b%20c", "2~x"));
    for (size_t piece = 1; piece < sizeof text; piece += 13) {
        assert_ok(parse(text, piece, &err));
        assert_int_equal(s3s_xml_kind(xml), S3S_XML_ROOT_UPLOADS);
        assert_int_equal(s3s_xml_count(xml), 2);
        assert_string_equal(s3s_xml_get(xml, 1)->key, "b c");
        assert_string_equal(s3s_xml_get(xml, 1)->upload_id, "2~x");
        assert_int_equal(s3s_xml_get(xml, 0)->last_modified_us, 1773756000000000);
        assert_true(s3s_xml_is_truncated(xml));
        assert_string_equal(s3s_xml_next_key(xml), "b c");
        assert_string_equal(s3s_xml_upload_id(xml), "2~x");
    }
    assert_ok(parse(UPLOADS(DONE), 7, &err));
    assert_int_equal(s3s_xml_count(xml), 0);
    assert_string_equal(s3s_xml_next_key(xml), "");
}

static void test_xml__damaged_uploads_pages_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    static const char *const texts[] = {
        UPLOADS(UPLOAD("a", "x")),
        UPLOADS("<IsTruncated>true</IsTruncated>" UPLOAD("a", "x")),
        UPLOADS(DONE UPLOAD("a", "")),
        UPLOADS(DONE "<Upload><Key>a</Key></Upload>"),
        UPLOADS(DONE "<Upload><UploadId>a</UploadId></Upload>"),
        UPLOADS(DONE "<EncodingType>url</EncodingType>" UPLOAD("%zz", "x")),
        UPLOADS(DONE "<EncodingType>url</EncodingType>" UPLOAD("a%00b", "x")),
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_fails(parse(texts[i], 5, &err), S3STORE_CORRUPT, NULL);
}

static void test_xml__list_page(void **state)
{
    (void)state;
    s3store_error err;
    static const char text[] =
        LIST("<IsTruncated>true</IsTruncated><NextContinuationToken>to/ken=</NextContinuationToken>"
             "<Prefix>ignored</Prefix>" ENTRY("a&amp;&lt;b&#62;") ENTRY("b;c%2Fd+e"));
    for (size_t piece = 1; piece < sizeof text; piece += 13) {
        assert_ok(parse(text, piece, &err));
        assert_int_equal(s3s_xml_kind(xml), S3S_XML_ROOT_LIST);
        assert_int_equal(s3s_xml_count(xml), 2);
        assert_string_equal(s3s_xml_get(xml, 0)->key, "a&<b>");
        assert_string_equal(s3s_xml_get(xml, 1)->key, "b;c%2Fd+e");
        assert_int_equal(s3s_xml_get(xml, 0)->object_size, 7);
        assert_int_equal(s3s_xml_get(xml, 0)->last_modified_us, 1773756000123000);
        assert_true(s3s_xml_is_truncated(xml));
        assert_string_equal(s3s_xml_continuation(xml), "to/ken=");
    }
}

static void test_xml__encoded_keys_are_decoded_wherever_it_is_said(void **state)
{
    (void)state;
    s3store_error err;
    /* The order that counts is that of the decoded keys. */
    assert_ok(parse(LIST(DONE ENTRY("a%01b") ENTRY("a+b") ENTRY("a%252Fb%E6%97%A5") ENTRY("a%2Bb")
                             "<EncodingType>url</EncodingType>"),
                    64, &err));
    static const char *const expected[] = {"a\001b", "a b", "a%2Fb\xe6\x97\xa5", "a+b"};
    assert_ok(s3s_xml_end(xml, &err)); /* once more changes nothing */
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(s3s_xml_get(xml, i)->key, expected[i]);
}

static void test_xml__prefixes_are_merged_in_byte_order(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(parse(LIST(DONE ENTRY("p/a") ENTRY("p/z")
                             "<CommonPrefixes><Prefix>p/b/</Prefix></CommonPrefixes>"
                             "<CommonPrefixes><Prefix>p/c/</Prefix></CommonPrefixes>"),
                    1000, &err));
    static const char *const expected[] = {"p/a", "p/b/", "p/c/", "p/z"};
    assert_int_equal(s3s_xml_count(xml), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(s3s_xml_get(xml, i)->key, expected[i]);
        assert_int_equal(s3s_xml_get(xml, i)->is_prefix, i == 1 || i == 2);
    }
}

static void test_xml__parser_is_reused_without_leftovers(void **state)
{
    (void)state;
    s3store_error err;
    assert_fails(parse(LIST(ENTRY("a") "<oops>"), 7, &err), S3STORE_CORRUPT, "line");
    assert_fails(parse("<Error><Code>X</Code>", 7, &err), S3STORE_UNAVAILABLE, NULL);
    assert_ok(parse(LIST(DONE), 7, &err));
    assert_int_equal(s3s_xml_count(xml), 0);
    assert_string_equal(s3s_xml_get_error(xml)->code, "");
    assert_false(s3s_xml_is_truncated(xml));
}

static void test_xml__error_document(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(parse("<?xml version='1.0'?><Error><Code>NoSuchBucket</Code><Message>line\nbreak"
                    "</Message><BucketName>b</BucketName><RequestId>42</RequestId>"
                    "<Region>eu-west-1</Region><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>",
                    5, &err));
    assert_int_equal(s3s_xml_kind(xml), S3S_XML_ROOT_ERROR);
    const s3s_xml_error *e = s3s_xml_get_error(xml);
    assert_string_equal(e->code, "NoSuchBucket");
    assert_string_equal(e->message, "line break");
    assert_string_equal(e->bucket, "b");
    assert_string_equal(e->request_id, "42");
    assert_string_equal(e->region, "eu-west-1");
}

static void test_xml__answers_about_uploads(void **state)
{
    (void)state;
    s3store_error err;
    static const char created[] = "<InitiateMultipartUploadResult xmlns=\"x\"><Key>k</Key>"
                                  "<UploadId>2~a/b+c=</UploadId></InitiateMultipartUploadResult>";
    static const char completed[] =
        " \r\n\t<?xml version=\"1.0\"?>\n<CompleteMultipartUploadResult><Location>l</Location>"
        "<ETag>&quot;e-2&quot;</ETag></CompleteMultipartUploadResult>";
    for (size_t piece = 1; piece < 100; piece += 9) {
        assert_ok(parse(created, piece, &err));
        assert_int_equal(s3s_xml_kind(xml), S3S_XML_ROOT_CREATED);
        assert_string_equal(s3s_xml_upload_id(xml), "2~a/b+c=");
        assert_ok(parse(completed, piece, &err)); /* the blanks kept the connection */
        assert_int_equal(s3s_xml_kind(xml), S3S_XML_ROOT_COMPLETED);
        assert_string_equal(s3s_xml_etag(xml), "\"e-2\"");
        assert_string_equal(s3s_xml_upload_id(xml), "");
    }
}

/* What Ceph sends for keys with control bytes, which XML 1.0 cannot carry. */
static void test_xml__control_characters_arrive_as_they_are(void **state)
{
    (void)state;
    s3store_error err;
    static const char *const texts[][2] = {
        {"a&#x01;b", "a\001b"},      {"a&#1;b", "a\001b"},       {"a&#x1F;b", "a\037b"},
        {"a\001b", "a\001b"},        {"&#x0000001f;", "\037"},   {"&#x1;&#x2;", "\001\002"},
        {"\037", "\037"},            {"a&#x9;b", "a\tb"},        {"a&#10;b", "a\nb"},
        {"a&#xD;b", "a\rb"},         {"a\rb", "a\rb"},          {"a&amp;b", "a&b"},
        {"a&#x41;b", "aAb"},         {"&#x20AC;", "\u20ac"},     {"&#128512;", "\U0001f600"},
        {"&lt;&gt;&apos;&quot;", "<>'\""}, {"a<![CDATA[<&b>]]>c", "a<&b>c"},
        {"a<!-- <b> -->&amp;<?p <c> ?>d", "a&d"},
    };
    char text[1000];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(text, sizeof text,
                 LIST("<Prefix>p&#x2;</Prefix><IsTruncated>true</IsTruncated>"
                      "<NextContinuationToken>%s</NextContinuationToken>" ENTRY("%s")),
                 texts[i][0], texts[i][0]);
        for (size_t piece = 1; piece < 40; piece += 2) {
            assert_ok(parse(text, piece, &err));
            assert_string_equal(s3s_xml_continuation(xml), texts[i][1]);
            assert_int_equal(s3s_xml_count(xml), 1);
            assert_string_equal(s3s_xml_get(xml, 0)->key, texts[i][1]);
        }
    }
}

static void test_xml__what_is_no_character_is_refused(void **state)
{
    (void)state;
    s3store_error err;
    static const char *const keys[] = {"&#x;",      "&#;",     "&;",        "&nbsp;", "&#x110000;",
                                       "&#xd800;",  "&#0;",    "&#x00;",    "a & b",  "&amp",
                                       "&#12a;",    "&#-1;",   "&AMP;",     "&#x99999999999999;"};
    char text[1000];
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(text, sizeof text, LIST(DONE ENTRY("%s")), keys[i]);
        assert_fails(parse(text, 5, &err), S3STORE_CORRUPT, "XML");
        assert_fails(parse(text, 1000, &err), S3STORE_CORRUPT, "reference");
    }
    assert_fails(parse("<ListBucketResult>&#x1", 5, &err), S3STORE_UNAVAILABLE, "XML");
    static const char nul[] = "<Error><Code>a\0b</Code></Error>";
    s3s_xml_begin(xml);
    assert_fails(s3s_xml_feed(xml, nul, sizeof nul - 1, &err), S3STORE_CORRUPT, "character");
}

static void test_xml__tags_in_every_form(void **state)
{
    (void)state;
    s3store_error err;
    static const char *const good[] = {
        "\xef\xbb\xbf<Error><Code>X</Code></Error>",
        "<?xml version='1.0'?><!-- > --><Error  a = 'x>y' b=\"/Error>\" ><Code\n>X</Code ></Error >\n",
        "<s3:Error xmlns:s3='u'><s3:Code>X</s3:Code><s3:Message/></s3:Error>",
        "<Error><Code/><Code>X</Code><Other><Code>Y</Code>Z</Other></Error><!-- end -->",
        "<Error><Code>X</Code><Message a='1'/><Extra b=\"2\" /></Error>",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        for (size_t piece = 1; piece < 60; piece += 2) {
            assert_ok(parse(good[i], piece, &err));
            assert_int_equal(s3s_xml_kind(xml), S3S_XML_ROOT_ERROR);
            assert_string_equal(s3s_xml_get_error(xml)->code, "X");
        }
    static const char *const bad[] = {
        "<Error a><Code>X</Code></Error>", "<Error a=1></Error>",  "<Error a='<'></Error>",
        "<Error a='1'b='2'></Error>",      "< Error></Error>",     "<Error><></></Error>",
        "<Error></Error><Error></Error>",  "<Error></Error>junk",  "<Error></error>",
        "<a:Error></Error>",               "<Error/ ></Error>",    "<![CDATA[x]]><Error/>",
        "<Error><Code>X</Error></Code>",   "</Error>",             "<Error><!ELEMENT x></Error>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t piece = 1; piece < 60; piece += 7)
            assert_fails(parse(bad[i], piece, &err), S3STORE_CORRUPT, "line 1");
    static const char *const cut[] = {"<Error><Code>X</Code></Error", "<Error a='", "<Error><!--",
                                      "<Error><![CDATA[", "<?xml ", "<", "\xef\xbb", "  \n"};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        for (size_t piece = 1; piece < 9; piece++)
            assert_fails(parse(cut[i], piece, &err), S3STORE_UNAVAILABLE, "line");
}

static void test_xml__messages_are_text(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(parse("<Error><Code>X</Code><Message>caf\xc3\xa9</Message></Error>", 9, &err));
    assert_string_equal(s3s_xml_get_error(xml)->message, "caf\xc3\xa9");
    assert_ok(parse("<Error><Code>X</Code><Message>caf\xe9\x1b</Message></Error>", 9, &err));
    assert_string_equal(s3s_xml_get_error(xml)->message, "caf? ");
}

static void test_xml__other_documents_mean_nothing(void **state)
{
    (void)state;
    s3store_error err;
    assert_ok(parse("<html><body><Error><Code>X</Code></Error></body></html>", 9, &err));
    assert_int_equal(s3s_xml_kind(xml), S3S_XML_ROOT_NONE);
    assert_string_equal(s3s_xml_get_error(xml)->code, "");
}

static void test_xml__damaged_pages_are_refused(void **state)
{
    (void)state;
    s3store_error err;
    static const struct {
        const char *text;
        s3store_status status;
        const char *names;
    } cases[] = {
        {"", S3STORE_UNAVAILABLE, "no element"},
        {"not xml", S3STORE_CORRUPT, "line 1"},
        {"{\"json\": 1}", S3STORE_CORRUPT, "line 1"},
        {"<ListBucketResult><Contents>", S3STORE_UNAVAILABLE, NULL},
        {"<ListBucketResult></Contents>", S3STORE_CORRUPT, "mismatched"},
        {LIST(ENTRY("a")), S3STORE_CORRUPT, "whether more follows"},
        {LIST("<IsTruncated>maybe</IsTruncated>"), S3STORE_CORRUPT, "IsTruncated"},
        {LIST("<IsTruncated>true</IsTruncated>"), S3STORE_CORRUPT, "continuation"},
        {LIST(DONE "<Contents><Size>1</Size></Contents>"), S3STORE_CORRUPT, "key"},
        {LIST(DONE "<Contents><Key>k</Key></Contents>"), S3STORE_CORRUPT, "size"},
        {LIST(DONE "<Contents><Key>k</Key><Size>-1</Size></Contents>"), S3STORE_CORRUPT, "size"},
        {LIST(DONE "<Contents><Key>k</Key><Size>9x</Size></Contents>"), S3STORE_CORRUPT, "size"},
        {LIST(DONE ENTRY("b") ENTRY("a")), S3STORE_CORRUPT, "byte order"},
        {LIST(DONE ENTRY("a") ENTRY("a")), S3STORE_CORRUPT, "byte order"},
        {LIST(DONE "<EncodingType>url</EncodingType>" ENTRY("a%zz")), S3STORE_CORRUPT, "encoding"},
        {LIST(DONE "<EncodingType>url</EncodingType>" ENTRY("a%00b")), S3STORE_CORRUPT,
         "encoding"},
        {"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]><Error>&b;</Error>",
         S3STORE_CORRUPT, "document type"},
        {"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><Error/>", S3STORE_CORRUPT, "document type"},
        {"<a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></a>", S3STORE_CORRUPT,
         "nested"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(parse(cases[i].text, 1000000, &err), cases[i].status, cases[i].names);
        s3store_status whole = cases[i].status;
        assert_fails(parse(cases[i].text, 1, &err), whole, cases[i].names);
    }
}

static void test_xml__bounds_hold(void **state)
{
    (void)state;
    s3store_error err;
    char *text = malloc(1 << 20);
    memset(text, 'k', 1 << 20);
    s3s_xml_begin(xml);
    assert_ok(s3s_xml_feed(xml, "<ListBucketResult><Contents><Key>", 33, &err));
    assert_fails(s3s_xml_feed(xml, text, 1 << 20, &err), S3STORE_CORRUPT, "too long");
    assert_fails(s3s_xml_end(xml, &err), S3STORE_CORRUPT, "too long");

    /* Text that nobody asked for is not kept, but the document as a whole is bounded. */
    s3s_xml_begin(xml);
    assert_ok(s3s_xml_feed(xml, "<html>", 6, &err));
    for (int i = 0; i < 63; i++)
        assert_ok(s3s_xml_feed(xml, text, 1 << 20, &err));
    assert_fails(s3s_xml_feed(xml, text, 1 << 20, &err), S3STORE_CORRUPT, "too long");
    free(text);

    static const char entry[] = "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>";
    s3s_xml_begin(xml);
    s3store_status status = s3s_xml_feed(xml, "<ListBucketResult>", 18, &err);
    unsigned fed = 0;
    while (status == S3STORE_OK && fed++ <= S3S_XML_MAX_ENTRIES)
        status = s3s_xml_feed(xml, entry, sizeof entry - 1, &err);
    assert_int_equal(status, S3STORE_CORRUPT);
    assert_int_equal(fed, S3S_XML_MAX_ENTRIES + 1);
    assert_non_null(strstr(err.message, "too many entries"));
}

/* ---- statuses -------------------------------------------------------------------------------- */

static void test_errors__status_and_code_decide(void **state)
{
    (void)state;
    static const struct {
        s3s_s3_verb verb;
        int http;
        const char *code;
        s3store_status status;
    } cases[] = {
        {S3S_S3_GET, 404, "NoSuchKey", S3STORE_NOT_FOUND},
        {S3S_S3_HEAD, 404, "", S3STORE_NOT_FOUND},
        {S3S_S3_LIST, 404, "NoSuchBucket", S3STORE_NOT_FOUND},
        {S3S_S3_PUT, 412, "PreconditionFailed", S3STORE_ALREADY_EXISTS},
        {S3S_S3_PUT, 412, "", S3STORE_ALREADY_EXISTS},
        {S3S_S3_PUT, 409, "ConditionalRequestConflict", S3STORE_CONFLICT},
        {S3S_S3_PUT, 409, "OperationAborted", S3STORE_CONFLICT},
        {S3S_S3_GET, 403, "AccessDenied", S3STORE_PERMISSION_DENIED},
        {S3S_S3_HEAD, 403, "", S3STORE_PERMISSION_DENIED},
        {S3S_S3_GET, 403, "InvalidAccessKeyId", S3STORE_NO_CREDENTIALS},
        {S3S_S3_GET, 403, "SignatureDoesNotMatch", S3STORE_NO_CREDENTIALS},
        {S3S_S3_GET, 400, "ExpiredToken", S3STORE_NO_CREDENTIALS},
        {S3S_S3_GET, 403, "RequestTimeTooSkewed", S3STORE_CLOCK_SKEW},
        {S3S_S3_PUT, 400, "RequestTimeout", S3STORE_UNAVAILABLE},
        {S3S_S3_GET, 400, "", S3STORE_INVALID_ARGUMENT},
        {S3S_S3_GET, 408, "", S3STORE_UNAVAILABLE},
        {S3S_S3_GET, 429, "", S3STORE_UNAVAILABLE},
        {S3S_S3_PUT, 503, "SlowDown", S3STORE_UNAVAILABLE},
        {S3S_S3_PUT, 503, "", S3STORE_UNAVAILABLE},
        {S3S_S3_GET, 500, "InternalError", S3STORE_UNAVAILABLE},
        {S3S_S3_GET, 599, "", S3STORE_UNAVAILABLE},
        {S3S_S3_PUT, 500, "InternalError", S3STORE_UNCERTAIN},
        {S3S_S3_PUT, 502, "", S3STORE_UNCERTAIN},
        {S3S_S3_PUT, 504, "", S3STORE_UNCERTAIN},
        {S3S_S3_PUT, 200, "InternalError", S3STORE_UNCERTAIN},
        {S3S_S3_PUT, 200, "SlowDown", S3STORE_UNAVAILABLE},
        {S3S_S3_LIST, 200, "SomethingNew", S3STORE_UNAVAILABLE},
        {S3S_S3_GET, 418, "", S3STORE_PERMISSION_DENIED},
        {S3S_S3_GET, 501, "NotImplemented", S3STORE_UNSUPPORTED},
        {S3S_S3_GET, 302, "", S3STORE_UNSUPPORTED},
        {S3S_S3_GET, 301, "PermanentRedirect", S3STORE_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(s3s_s3_classify(cases[i].verb, cases[i].http, cases[i].code),
                         cases[i].status);
}

static void test_errors__message_names_everything_and_no_secret(void **state)
{
    (void)state;
    s3store_error err;
    s3s_s3_answer answer = {.http_status = 403, .date_us = 1773756000000000};
    strcpy(answer.code, "InvalidAccessKeyId");
    strcpy(answer.message, "no such key");
    strcpy(answer.request_id, "req-1");
    s3s_s3_context context = {.verb = S3S_S3_PUT,
                              .bucket = "warehouse",
                              .key = "p/data/k",
                              .host = "http://gate:9000",
                              .credentials = "the environment"};
    assert_fails(s3s_s3_fail(&context, &answer, &err), S3STORE_NO_CREDENTIALS,
                 "PUT s3://warehouse/p/data/k at http://gate:9000: the server does not accept the "
                 "credentials (they come from the environment) (HTTP 403 InvalidAccessKeyId: no "
                 "such key)");
    assert_int_equal(err.http_status, 403);
    assert_string_equal(err.s3_code, "InvalidAccessKeyId");
    assert_string_equal(err.request_id, "req-1");
    assert_string_equal(err.key, "p/data/k");
    assert_int_equal(err.server_date_us, 1773756000000000);
    char key[S3STORE_KEY_MAX_BYTES + 1];
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = '\0';
    context.key = key;
    assert_fails(s3s_s3_fail(&context, &answer, &err), S3STORE_NO_CREDENTIALS, "(HTTP 403");
    assert_string_equal(err.key, key);
    assert_int_equal(s3s_s3_fail(&context, &answer, NULL), S3STORE_NO_CREDENTIALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xml__uploads_page),
        cmocka_unit_test(test_xml__damaged_uploads_pages_are_refused),
        cmocka_unit_test(test_xml__list_page),
        cmocka_unit_test(test_xml__encoded_keys_are_decoded_wherever_it_is_said),
        cmocka_unit_test(test_xml__prefixes_are_merged_in_byte_order),
        cmocka_unit_test(test_xml__parser_is_reused_without_leftovers),
        cmocka_unit_test(test_xml__error_document),
        cmocka_unit_test(test_xml__answers_about_uploads),
        cmocka_unit_test(test_xml__control_characters_arrive_as_they_are),
        cmocka_unit_test(test_xml__what_is_no_character_is_refused),
        cmocka_unit_test(test_xml__tags_in_every_form),
        cmocka_unit_test(test_xml__messages_are_text),
        cmocka_unit_test(test_xml__other_documents_mean_nothing),
        cmocka_unit_test(test_xml__damaged_pages_are_refused),
        cmocka_unit_test(test_xml__bounds_hold),
        cmocka_unit_test(test_errors__status_and_code_decide),
        cmocka_unit_test(test_errors__message_names_everything_and_no_secret),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
