#include "objstore/s3/credentials.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sync.h"
#include "objstore/s3/credentials_look.h"

#define ACCESS_KEY_MAX 256
#define SECRET_MAX 512
#define TOKEN_MAX (16 * 1024)
#define DATE_SIZE 9
#define KEYS_MAX 1000 /* days of one process, and a bucket whose region is being learned */

/* A signing key, never changed. */
typedef struct day_key {
    struct day_key *older;
    char date[DATE_SIZE];
    char region[S3S_SIGN_REGION_SIZE];
    char service[16];
    s3s_hmac_key key;
} day_key;

struct s3s_credentials {
    s3s_env *env;
    atomic_size_t references;
    char *access_key_id;
    char *secret;
    char *session_token;
    char *source;
    int64_t expires_us;
    /* Read for every request by all threads, written once a day: older ones stay until the end,
     * for those who are reading. */
    _Atomic(day_key *) newest_key;
};

void s3s_secret_free(s3s_env *env, char *text)
{
    if (text != NULL)
        s3s_wipe(text, strlen(text));
    s3s_free(env, text);
}

void s3s_secret_buffer_deinit(s3s_buffer *b)
{
    if (b->data != NULL)
        s3s_wipe(b->data, b->capacity);
    s3s_buffer_deinit(b);
}

/* Printable ASCII without blanks: what all kinds of credentials are made of, and what a header can
 * carry. The value is not shown. */
static s3store_status check_text(const char *what, const char *text, size_t max,
                                 const char *source, s3store_error *err)
{
    size_t size = strlen(text);
    if (size == 0 || size > max)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "the %s from %s is %s", what, source,
                        size == 0 ? "empty" : "too long");
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                            "the %s from %s has a blank, a line break or another character that "
                            "cannot be in it",
                            what, source);
    return S3STORE_OK;
}

static s3store_status check_credentials(const char *access_key_id, const char *secret,
                                        const char *session_token, const char *source,
                                        s3store_error *err)
{
    s3store_status status =
        check_text("access key id", access_key_id, ACCESS_KEY_MAX, source, err);
    if (status == S3STORE_OK)
        status = check_text("secret access key", secret, SECRET_MAX, source, err);
    if (status == S3STORE_OK && session_token != NULL)
        status = check_text("session token", session_token, TOKEN_MAX, source, err);
    return status;
}

static void free_credentials(s3s_credentials *c)
{
    s3s_secret_free(c->env, c->access_key_id);
    s3s_secret_free(c->env, c->secret);
    s3s_secret_free(c->env, c->session_token);
    s3s_free(c->env, c->source);
    for (day_key *k = atomic_load(&c->newest_key), *older; k != NULL; k = older) {
        older = k->older;
        s3s_wipe(k, sizeof *k);
        s3s_free(c->env, k);
    }
    s3s_free(c->env, c);
}

s3store_status s3s_credentials_new(s3s_env *env, const char *access_key_id, const char *secret,
                                   const char *session_token, int64_t expires_us,
                                   const char *source, s3s_credentials **out, s3store_error *err)
{
    *out = NULL;
    s3store_status status = check_credentials(access_key_id, secret, session_token, source, err);
    if (status != S3STORE_OK)
        return status;
    s3s_credentials *c = s3s_calloc(env, 1, sizeof *c);
    if (c == NULL)
        return s3s_fail_memory(err, sizeof *c);
    c->env = env;
    atomic_init(&c->references, 1);
    c->expires_us = expires_us;
    c->access_key_id = s3s_strdup(env, access_key_id);
    c->secret = s3s_strdup(env, secret);
    c->session_token = session_token != NULL ? s3s_strdup(env, session_token) : NULL;
    c->source = s3s_strdup(env, source);
    if (c->access_key_id == NULL || c->secret == NULL || c->source == NULL ||
        (session_token != NULL && c->session_token == NULL))
        status = s3s_fail_memory(err, strlen(source));
    if (status != S3STORE_OK) {
        free_credentials(c);
        return status;
    }
    *out = c;
    return S3STORE_OK;
}

s3s_credentials *s3s_credentials_retain(s3s_credentials *credentials)
{
    atomic_fetch_add_explicit(&credentials->references, 1, memory_order_relaxed);
    return credentials;
}

void s3s_credentials_release(s3s_credentials *credentials)
{
    if (credentials == NULL ||
        atomic_fetch_sub_explicit(&credentials->references, 1, memory_order_acq_rel) != 1)
        return;
    free_credentials(credentials);
}

const char *s3s_credentials_access_key_id(const s3s_credentials *credentials)
{
    return credentials->access_key_id;
}

const char *s3s_credentials_session_token(const s3s_credentials *credentials)
{
    return credentials->session_token;
}

const char *s3s_credentials_source(const s3s_credentials *credentials)
{
    return credentials->source;
}

int64_t s3s_credentials_expires_us(const s3s_credentials *credentials)
{
    return credentials->expires_us;
}

bool s3s_credentials_equal(const s3s_credentials *a, const s3s_credentials *b)
{
    const char *a_token = a->session_token != NULL ? a->session_token : "";
    const char *b_token = b->session_token != NULL ? b->session_token : "";
    return strcmp(a->access_key_id, b->access_key_id) == 0 && strcmp(a->secret, b->secret) == 0 &&
           strcmp(a_token, b_token) == 0 && strcmp(a->source, b->source) == 0 &&
           a->expires_us == b->expires_us;
}

/* Without memory, or when others were faster, it is computed again. */
static void keep_key(s3s_credentials *c, day_key *newest, const char *date, const char *region,
                     const char *service, const s3s_hmac_key *key)
{
    size_t kept = 0;
    for (const day_key *k = newest; k != NULL; k = k->older)
        kept++;
    day_key *k = kept < KEYS_MAX ? s3s_calloc(c->env, 1, sizeof *k) : NULL;
    if (k == NULL)
        return;
    k->older = newest;
    snprintf(k->date, sizeof k->date, "%s", date);
    snprintf(k->region, sizeof k->region, "%s", region);
    snprintf(k->service, sizeof k->service, "%s", service);
    k->key = *key;
    if (atomic_compare_exchange_strong(&c->newest_key, &newest, k))
        return;
    s3s_wipe(k, sizeof *k);
    s3s_free(c->env, k);
}

s3store_status s3s_credentials_signing_key(s3s_credentials *credentials, const char *date,
                                           const char *region, const char *service,
                                           s3s_hmac_key *key, s3store_error *err)
{
    s3s_credentials *c = credentials;
    day_key *newest = atomic_load_explicit(&c->newest_key, memory_order_acquire);
    if (newest != NULL && strcmp(newest->date, date) == 0 && strcmp(newest->region, region) == 0 &&
        strcmp(newest->service, service) == 0) {
        *key = newest->key;
        return S3STORE_OK;
    }
    uint8_t secret[S3S_SHA256_SIZE];
    s3store_status status = s3s_sign_key(c->secret, date, region, service, secret, err);
    if (status == S3STORE_OK)
        status = s3s_hmac_key_init(key, secret, sizeof secret, err);
    s3s_wipe(secret, sizeof secret);
    if (status == S3STORE_OK)
        keep_key(c, newest, date, region, service, key);
    return status;
}
