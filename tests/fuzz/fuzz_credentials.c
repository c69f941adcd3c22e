/* Documents with credentials, and addresses that hand them out: the first byte says which. */
#include "fuzz/fuzz.h"
#include "objstore/s3/credentials_look.h"

static void parse_document(char kind, const char *text, size_t size)
{
    s3s_credentials *c = NULL;
    s3s_sts_refusal refusal = {{0}, {0}};
    s3store_error err = {0};
    s3store_status status =
        kind == 'x'
            ? s3s_sts_parse(fuzz_env(), text, size, "source", &c, &refusal, &err)
            : s3s_credentials_parse_json(fuzz_env(), (s3s_credentials_kind)(kind % 3), text, size,
                                         "source", &c, &err);
    FUZZ_CHECK(c == NULL || status == S3STORE_OK);
    if (status != S3STORE_OK)
        FUZZ_CHECK(status == S3STORE_NO_CREDENTIALS && strstr(err.message, "source") != NULL);
    if (c != NULL)
        FUZZ_CHECK(s3s_credentials_access_key_id(c)[0] != '\0' && refusal.code[0] == '\0');
    if (status == S3STORE_OK && c == NULL)
        FUZZ_CHECK(kind == 'x' && strpbrk(refusal.message, "\r\n") == NULL);
    s3s_credentials_release(c);
}

static void parse_url(const uint8_t *data, size_t size)
{
    s3s_fetch_url url;
    char *text = fuzz_text(data, size);
    if (s3s_fetch_url_parse(text, &url)) {
        FUZZ_CHECK(url.host[0] != '\0' && strncmp(url.authority, url.host, strlen(url.host)) == 0);
        FUZZ_CHECK(strpbrk(url.authority, "@ /?#\r\n") == NULL);
        FUZZ_CHECK(strpbrk(url.target, " #\r\n") == NULL);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'u')
        parse_url(data + 1, size - 1);
    else
        parse_document((char)(data[0] & 0x7f), (const char *)data + 1, size - 1);
    fuzz_check_leaks();
    return 0;
}
