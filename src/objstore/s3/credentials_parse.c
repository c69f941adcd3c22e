/* JSON documents with credentials. The JSON parser's messages quote them: they are not shown. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/timefmt.h"
#include "objstore/s3/credentials_parse.h"

typedef struct shape {
    const char *token; /* the name of the session token */
    bool is_complete;  /* token and expiration must be there */
} shape;

static const shape shapes[] = {
    [S3S_CREDENTIALS_OF_PROCESS] = {"SessionToken", false},
    [S3S_CREDENTIALS_OF_CONTAINER] = {"Token", false},
    [S3S_CREDENTIALS_OF_INSTANCE] = {"Token", true},
};

static s3store_status fail(const char *source, const char *what, s3store_error *err)
{
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s: %s", source, what);
}

/* The parser's texts live in memory of malloc, ours to overwrite until it is freed. */
static void wipe_texts(const s3s_json *object)
{
    size_t count = s3s_json_member_count(object);
    for (size_t i = 0; i < count; i++) {
        const char *text = s3s_json_text(s3s_json_member_value(object, i));
        if (text != NULL)
            s3s_wipe((void *)(uintptr_t)text, strlen(text));
    }
}

static s3store_status take_expiration(const s3s_json *root, const char *source, int64_t *out,
                                      s3store_error *err)
{
    const s3s_json *value = s3s_json_get(root, "Expiration");
    const char *text = s3s_json_text(value);
    int64_t seconds = 0;
    int32_t nanos = 0;
    *out = S3STORE_TIME_NONE;
    if (value == NULL)
        return S3STORE_OK;
    if (text == NULL || !s3s_rfc3339_parse(text, strlen(text), &seconds, &nanos, NULL) ||
        __builtin_mul_overflow(seconds, 1000000, out))
        return fail(source, "\"Expiration\" is not a time like 2026-03-17T14:00:00Z", err);
    return S3STORE_OK;
}

/* A refusal in the shape of an answer. */
static s3store_status check_code(const s3s_json *root, const char *source, s3store_error *err)
{
    const char *code = s3s_json_text(s3s_json_get(root, "Code"));
    if (code == NULL || strcmp(code, "Success") == 0)
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s: it says \"%.64s\" instead of \"Success\"",
                    source, code);
}

static s3store_status check_version(const s3s_json *root, const char *source, s3store_error *err)
{
    int64_t version = 0;
    if (s3s_json_int(s3s_json_get(root, "Version"), &version) && version == 1)
        return S3STORE_OK;
    return fail(source, "it does not say \"Version\": 1, the only known one", err);
}

static s3store_status take(s3s_env *env, s3s_credentials_kind kind, const s3s_json *root,
                           const char *source, s3s_credentials **out, s3store_error *err)
{
    const shape *sh = &shapes[kind];
    s3store_status status = S3STORE_OK;
    if (!s3s_json_is_object(root))
        return fail(source, "it is not a JSON object", err);
    if (kind == S3S_CREDENTIALS_OF_PROCESS)
        status = check_version(root, source, err);
    else
        status = check_code(root, source, err);
    if (status != S3STORE_OK)
        return status;
    const char *id = s3s_json_text(s3s_json_get(root, "AccessKeyId"));
    const char *secret = s3s_json_text(s3s_json_get(root, "SecretAccessKey"));
    const char *token = s3s_json_text(s3s_json_get(root, sh->token));
    if (id == NULL || secret == NULL)
        return fail(source, "it has no \"AccessKeyId\" or no \"SecretAccessKey\"", err);
    int64_t expires_us = S3STORE_TIME_NONE;
    status = take_expiration(root, source, &expires_us, err);
    if (status != S3STORE_OK)
        return status;
    if (sh->is_complete && (token == NULL || expires_us == S3STORE_TIME_NONE))
        return fail(source, "it has no \"Token\" or no \"Expiration\"", err);
    if (token != NULL && token[0] == '\0')
        token = NULL;
    return s3s_credentials_new(env, id, secret, token, expires_us, source, out, err);
}

s3store_status s3s_credentials_parse_json(s3s_env *env, s3s_credentials_kind kind,
                                          const char *text, size_t size, const char *source,
                                          s3s_credentials **out, s3store_error *err)
{
    *out = NULL;
    s3s_json *root = NULL;
    if (size > S3S_CREDENTIALS_DOCUMENT_MAX)
        return fail(source, "the document is too long", err);
    s3store_status status = s3s_json_parse(text, size, "credentials", &root, NULL);
    if (status == S3STORE_OUT_OF_MEMORY)
        return s3s_fail_memory(err, size);
    if (status != S3STORE_OK)
        return fail(source, size == 0 ? "there is no document" : "it is not JSON", err);
    status = take(env, kind, root, source, out, err);
    wipe_texts(root);
    s3s_json_free(root);
    return status;
}
