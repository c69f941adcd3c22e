/* dataset/url.c: the two forms of a dataset's URL. */
#include "dataset/target_private.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

#define BUCKET_MAX_BYTES 255

static s3store_status bad_url(s3store_error *err, const char *text, const char *why)
{
    return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, text,
                        "the URL \"%.300s\" %s; expected s3://bucket/prefix or "
                        "file:///directory/prefix",
                        text, why);
}

static s3store_status parse_s3(const char *text, const char *rest, s3s_url *out,
                               s3store_error *err)
{
    size_t size = strlen(rest);
    const char *slash = strchr(rest, '/');
    size_t bucket = slash != NULL ? (size_t)(slash - rest) : size;

    if (bucket == 0)
        return bad_url(err, text, "names no bucket");
    if (bucket > BUCKET_MAX_BYTES)
        return bad_url(err, text, "has a bucket name that is too long");
    for (size_t i = 0; i < bucket; i++) {
        char c = rest[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_' || c == ':';
        if (!fine)
            return bad_url(err, text, "has a bucket name with a character that is not allowed");
    }
    if (size > bucket + 1 && rest[size - 1] == '/')
        size--;
    if (size <= bucket + 1)
        return bad_url(err, text, "names no prefix inside the bucket");
    *out = (s3s_url){.kind = S3S_URL_S3,
                     .place = {rest, bucket},
                     .prefix = {slash + 1, size - bucket - 1}};
    return S3STORE_OK;
}

static s3store_status parse_file(const char *text, const char *rest, s3s_url *out,
                                 s3store_error *err)
{
    const char *query = strchr(rest, '?');
    size_t size = query != NULL ? (size_t)(query - rest) : strlen(rest);
    size_t last = size;
    bool fsync = true;

    if (rest[0] != '/')
        return bad_url(err, text, "has no absolute path (three slashes after \"file:\")");
    if (query != NULL && strcmp(query, "?fsync=0") == 0)
        fsync = false;
    else if (query != NULL && strcmp(query, "?fsync=1") != 0)
        return bad_url(err, text, "has an unknown option (only ?fsync=0 or ?fsync=1)");
    if (size > 1 && rest[size - 1] == '/')
        size--;
    last = size;
    while (rest[last - 1] != '/') /* it begins with one */
        last--;
    *out = (s3s_url){.kind = S3S_URL_FILE,
                     .place = {rest, last > 1 ? last - 1 : 1},
                     .prefix = {rest + last, size - last},
                     .fsync = fsync};
    if (out->prefix.size == 0)
        return bad_url(err, text, "does not end in the dataset's name");
    if ((out->prefix.size == 1 && out->prefix.data[0] == '.') ||
        (out->prefix.size == 2 && memcmp(out->prefix.data, "..", 2) == 0))
        return bad_url(err, text, "ends in a dot segment, which names no dataset");
    return S3STORE_OK;
}

s3store_status s3s_url_parse(const char *text, s3s_url *out, s3store_error *err)
{
    *out = (s3s_url){0};
    if (text == NULL || text[0] == '\0')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "no URL; expected s3://bucket/prefix or file:///directory/prefix");
    if (strlen(text) > 4096)
        return bad_url(err, text, "is longer than 4096 bytes");
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return bad_url(err, text, "contains a control character");
    }
    if (s3s_starts_with(text, "s3://"))
        return parse_s3(text, text + strlen("s3://"), out, err);
    if (s3s_starts_with(text, "file://"))
        return parse_file(text, text + strlen("file://"), out, err);
    return bad_url(err, text,
                   text[0] == '/' ? "is a path: write file:// before it"
                                  : "has no scheme that is known");
}
