#include "dataset/document.h"

#include "base/error.h"

static s3store_status check_format(const s3s_json *root, const char *key, int known,
                                   s3store_error *err)
{
    int64_t format;
    if (!s3s_json_is_object(root))
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s: not a JSON object", key);
    if (!s3s_json_int(s3s_json_get(root, "format"), &format) || format < 1)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: \"format\" is missing or not a positive number", key);
    if (format > known)
        return s3s_fail_key(err, S3STORE_UNSUPPORTED, key,
                            "%s has format %lld, this library knows %d: use a newer one", key,
                            (long long)format, known);
    return S3STORE_OK;
}

s3store_status s3s_document_open(const char *text, size_t size, const char *key, int known,
                                 s3s_json **root, s3store_error *err)
{
    s3store_error inner = {0};
    *root = NULL;
    s3store_status status = s3s_json_parse(text, size, key, root, &inner);
    if (status == S3STORE_OUT_OF_MEMORY)
        return s3s_fail(err, status, "%s", inner.message);
    if (status != S3STORE_OK)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s", inner.message);
    status = check_format(*root, key, known, err);
    if (status != S3STORE_OK) {
        s3s_json_free(*root);
        *root = NULL;
    }
    return status;
}
