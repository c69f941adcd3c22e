/* What a user gives to name a place, one to a line: URL of a dataset, endpoint, region, key. A key
 * is signed by headers and by query; what is signed is what is sent. */
#include "dataset/target_private.h"
#include "fuzz/fuzz.h"
#include "objstore/s3/request.h"

static s3s_settings settings;
static s3s_credentials *credentials;

static const char *lookup(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static void init_once(void)
{
    static const s3s_environment environment = {lookup, NULL};
    if (credentials != NULL)
        return;
    FUZZ_CHECK(s3s_settings_init(&settings, NULL, &environment, NULL, NULL) == S3STORE_OK);
    FUZZ_CHECK(s3s_credentials_new(NULL, "id", "secret", "token", S3STORE_TIME_NONE, "test",
                                   &credentials, NULL) == S3STORE_OK);
}

static void check_url(const char *text, s3s_url *url)
{
    s3store_error err = {0};
    memset(url, 0, sizeof *url);
    if (s3s_url_parse(text, url, &err) != S3STORE_OK) {
        FUZZ_CHECK(err.message[0] != '\0');
        url->place.size = 0;
        return;
    }
    size_t size = strlen(text);
    FUZZ_CHECK(url->place.size > 0 && url->place.size < size && url->prefix.size < size);
    FUZZ_CHECK(url->place.data >= text && url->place.data + url->place.size <= text + size);
    FUZZ_CHECK(url->prefix.size == 0 || url->prefix.data + url->prefix.size <= text + size);
}

static void sign_request(const s3s_s3_place *place, const char *key)
{
    s3s_s3_message m;
    s3s_s3_message_init(&m, fuzz_env());
    s3store_put_request put = {.size = sizeof put,
                               .key = key,
                               .body = "x",
                               .body_size = 1,
                               .if_none_match = true,
                               .fenced = true,
                               .valid_from_us = 1000000000,
                               .expires_at_us = 1060000000};
    if (s3s_s3_build_put(&m, place, "all", &put, NULL) == S3STORE_OK &&
        s3s_s3_sign_by_query(&m, place, credentials, put.valid_from_us, put.expires_at_us, NULL) ==
            S3STORE_OK)
        FUZZ_CHECK(strpbrk((const char *)m.url.data, " \r\n\t\"<>") == NULL);
    s3store_list_request list = {.size = sizeof list, .prefix = key, .start_after = key};
    if (s3s_s3_build_list(&m, place, "all", &list, NULL) == S3STORE_OK &&
        s3s_s3_sign_by_headers(&m, place, credentials, 1000000000, NULL) == S3STORE_OK)
        FUZZ_CHECK(strpbrk((const char *)m.url.data, " \r\n\t\"<>") == NULL);
    s3s_s3_message_deinit(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    init_once();
    char *text = fuzz_text(data, size);
    char *rest = text;
    char *first = fuzz_line(&rest);
    const char *endpoint = fuzz_line(&rest);
    const char *region = fuzz_line(&rest);
    const char *key = fuzz_line(&rest);
    s3s_url url;
    if (first != NULL)
        check_url(first, &url);
    char bucket[300] = "bucket";
    if (first != NULL && url.place.size > 0 && url.place.size < sizeof bucket) {
        memcpy(bucket, url.place.data, url.place.size);
        bucket[url.place.size] = '\0';
    }
    for (int addressing = 0; addressing < 3; addressing++) {
        s3s_s3_place place;
        s3s_s3_options options = {.bucket = bucket,
                                  .endpoint_url = endpoint,
                                  .region = region,
                                  .addressing = (s3store_addressing)addressing};
        s3store_error err = {0};
        if (s3s_s3_place_init(&place, &options, &settings, &err) != S3STORE_OK) {
            FUZZ_CHECK(err.message[0] != '\0');
            continue;
        }
        char host[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE];
        s3s_s3_place_host(&place, host);
        FUZZ_CHECK(strpbrk(host, " \r\n\t/@?#") == NULL);
        (void)s3s_s3_place_set_region(&place, key != NULL ? key : "");
        if (key != NULL)
            sign_request(&place, key);
    }
    free(text);
    fuzz_check_leaks();
    return 0;
}
