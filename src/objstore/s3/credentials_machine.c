/* Credentials that the machine has: of its container (ECS, EKS Pod Identity), or of the instance
 * that it runs on (EC2 instance metadata, version 2 only). Never through a proxy.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"
#include "objstore/s3/credentials_look.h"

#define ECS_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"
#define INSTANCE_HOST_IPV6 "http://[fd00:ec2::254]"
#define INSTANCE_TOKEN_PATH "/latest/api/token"
#define INSTANCE_ROLES_PATH "/latest/meta-data/iam/security-credentials/"
#define INSTANCE_TOKEN_SECONDS "21600"
#define NAME_MAX_BYTES 128
#define TOKEN_SIZE 1024

static s3store_status get(s3s_look *l, const char *url, const s3s_http_header *header,
                          s3s_fetched *out, s3store_error *err)
{
    s3s_http_header headers[2] = {{"accept", "*/*"}};
    size_t count = 1;
    if (header != NULL)
        headers[count++] = *header;
    s3s_http_request request = {
        .method = "GET", .url = url, .headers = headers, .header_count = count};
    return s3s_fetch(l, S3S_FETCH_MACHINE, &request, out, err);
}

/* ---- the container --------------------------------------------------------------------------- */

/* As the AWS tools: without TLS only to the loopback interface and the fixed addresses of ECS and
 * EKS, since the answer is a secret. */
static bool is_near(const char *host)
{
    static const char *const hosts[] = {"localhost",      "[::1]",           "169.254.170.2",
                                        "169.254.170.23", "[fd00:ec2::23]"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (strcmp(hosts[i], host) == 0)
            return true;
    /* 127.0.0.0/8, and not a name that begins so. */
    return s3s_starts_with(host, "127.") && strspn(host, "0123456789.") == strlen(host);
}

/* *out: the URL; OK without it: none is set. */
static s3store_status find_container(const s3s_look *l, char *out, size_t size,
                                     s3store_error *err)
{
    const char *path = s3s_settings_env(&l->settings, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = s3s_settings_env(&l->settings, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
    s3s_fetch_url url;
    out[0] = '\0';
    if (path == NULL && full == NULL)
        return S3STORE_OK;
    int wanted = path != NULL ? snprintf(out, size, ECS_HOST "%s", path)
                              : snprintf(out, size, "%s", full);
    bool good = (path == NULL || path[0] == '/') && wanted > 0 && (size_t)wanted < size &&
                s3s_fetch_url_parse(out, &url);
    if (!good)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s cannot be used: it is not %s",
                        path != NULL ? "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
                                     : "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                        path != NULL ? "a path" : "an http or https URL");
    if (!url.tls && !is_near(url.host))
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI names the host %.200s over http: only "
                        "hosts of this machine and those of ECS and EKS may be asked without TLS",
                        url.host);
    return S3STORE_OK;
}

/* *out: to be freed; NULL with OK: no token is needed. */
static s3store_status find_container_token(const s3s_look *l, char **out, s3store_error *err)
{
    const char *file = s3s_settings_env(&l->settings, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *token = s3s_settings_env(&l->settings, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    *out = NULL;
    if (file != NULL)
        return s3s_token_file_read(l->chain->env, file, out, err);
    if (token == NULL)
        return S3STORE_OK;
    for (const char *c = token; *c != '\0'; c++)
        if (*c < 0x20 || *c > 0x7e)
            return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                            "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break or another "
                            "character that a header cannot carry");
    *out = s3s_strdup(l->chain->env, token);
    return *out == NULL ? s3s_fail_memory(err, strlen(token)) : S3STORE_OK;
}

static s3store_status ask_container(s3s_look *l, const char *url, const char *token,
                                    s3store_error *err)
{
    s3s_fetched answer;
    s3s_fetched_init(&answer, l->chain->env);
    s3s_http_header authorization = {"authorization", token};
    s3store_status status =
        get(l, url, token != NULL ? &authorization : NULL, &answer, err);
    if (status == S3STORE_OK && answer.http_status != 200)
        status = s3s_fail(err, S3STORE_NO_CREDENTIALS, "it answered with HTTP %d",
                          answer.http_status);
    if (status == S3STORE_OK)
        status = s3s_credentials_parse_json(l->chain->env, S3S_CREDENTIALS_OF_CONTAINER,
                                            (const char *)answer.body.data, answer.body.size,
                                            "the container endpoint", &l->found, err);
    s3s_fetched_deinit(&answer);
    return status;
}

s3store_status s3s_look_container(s3s_look *l, s3store_error *err)
{
    char url[1400];
    s3store_status status = find_container(l, url, sizeof url, err);
    if (status != S3STORE_OK)
        return status;
    if (url[0] == '\0') {
        snprintf(l->why, sizeof l->why,
                 "no AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or ..._FULL_URI");
        return S3STORE_OK;
    }
    char *token = NULL;
    status = find_container_token(l, &token, err);
    if (status == S3STORE_OK)
        status = ask_container(l, url, token, err);
    s3s_secret_free(l->chain->env, token);
    /* It was configured: nobody else's credentials are meant. */
    if (s3s_look_is_sources_fault(status)) {
        status = s3s_restate(err, S3STORE_NO_CREDENTIALS);
        s3s_context(err, "the container endpoint");
    }
    return status;
}

/* ---- the instance ---------------------------------------------------------------------------- */

typedef struct instance {
    s3s_look *l;
    char host[300]; /* scheme and authority */
    char token[TOKEN_SIZE];
    char role[NAME_MAX_BYTES + 1];
    s3s_fetched answer;
} instance;

static bool is_true(const char *value)
{
    return value != NULL && strcasecmp(value, "true") == 0;
}

static s3store_status find_instance(instance *m, s3store_error *err)
{
    const s3s_settings *s = &m->l->settings;
    const char *host = s3s_settings_env(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = s3s_settings_env(s, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (host == NULL)
        host = s3s_settings_config(s, "ec2_metadata_service_endpoint");
    if (mode == NULL)
        mode = s3s_settings_config(s, "ec2_metadata_service_endpoint_mode");
    if (host == NULL)
        host = mode != NULL && strcasecmp(mode, "ipv6") == 0 ? INSTANCE_HOST_IPV6 : INSTANCE_HOST;
    s3s_fetch_url url;
    if (!s3s_fetch_url_parse(host, &url) || (url.target[0] != '\0' && strcmp(url.target, "/") != 0))
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "AWS_EC2_METADATA_SERVICE_ENDPOINT is not an http or https URL of a host");
    snprintf(m->host, sizeof m->host, "%s://%s", url.tls ? "https" : "http", url.authority);
    return S3STORE_OK;
}

/* The first line of an answer, if it consists of characters that allow: letters and digits too. */
static bool take_line(const s3s_fetched *answer, const char *allowed, char *out, size_t out_size)
{
    const char *text = (const char *)answer->body.data;
    size_t size = 0;
    while (size < answer->body.size && text[size] != '\n' && text[size] != '\r')
        size++;
    if (size == 0 || size >= out_size)
        return false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && (c == '\0' || strchr(allowed, c) == NULL))
            return false;
    }
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

static s3store_status fail_instance(const instance *m, const char *what, s3store_error *err)
{
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s %s", m->host, what);
}

static s3store_status fetch_token(instance *m, s3store_error *err)
{
    char url[400];
    snprintf(url, sizeof url, "%s" INSTANCE_TOKEN_PATH, m->host);
    s3s_http_header header = {"x-aws-ec2-metadata-token-ttl-seconds", INSTANCE_TOKEN_SECONDS};
    s3s_http_request request = {
        .method = "PUT", .url = url, .headers = &header, .header_count = 1};
    s3store_status status = s3s_fetch(m->l, S3S_FETCH_MACHINE, &request, &m->answer, err);
    if (status != S3STORE_OK)
        return status;
    char what[80];
    snprintf(what, sizeof what, "gives no session token (HTTP %d)", m->answer.http_status);
    if (m->answer.http_status != 200)
        return fail_instance(m, what, err);
    return take_line(&m->answer, "-_=+/.~:", m->token, sizeof m->token)
               ? S3STORE_OK
               : fail_instance(m, "gives no usable session token", err);
}

static s3store_status fetch_metadata(instance *m, const char *path, const char *name,
                                     s3store_error *err)
{
    char url[600];
    snprintf(url, sizeof url, "%s%s%s", m->host, path, name);
    s3s_http_header header = {"x-aws-ec2-metadata-token", m->token};
    s3store_status status = get(m->l, url, &header, &m->answer, err);
    if (status != S3STORE_OK)
        return status;
    char what[80];
    snprintf(what, sizeof what, "answered with HTTP %d", m->answer.http_status);
    if (m->answer.http_status == 404)
        return fail_instance(m, "says that this instance has no role", err);
    return m->answer.http_status == 200 ? S3STORE_OK : fail_instance(m, what, err);
}

static s3store_status ask_instance(instance *m, s3store_error *err)
{
    s3store_status status = find_instance(m, err);
    if (status == S3STORE_OK)
        status = fetch_token(m, err);
    if (status == S3STORE_OK)
        status = fetch_metadata(m, INSTANCE_ROLES_PATH, "", err);
    if (status == S3STORE_OK && !take_line(&m->answer, "+=,.@-_", m->role, sizeof m->role))
        status = fail_instance(m, "does not name a role", err);
    if (status == S3STORE_OK)
        status = fetch_metadata(m, INSTANCE_ROLES_PATH, m->role, err);
    if (status != S3STORE_OK)
        return status;
    char source[240];
    snprintf(source, sizeof source, "the instance role %s", m->role);
    return s3s_credentials_parse_json(m->l->chain->env, S3S_CREDENTIALS_OF_INSTANCE,
                                      (const char *)m->answer.body.data, m->answer.body.size,
                                      source, &m->l->found, err);
}

/* Asked without being configured: what goes wrong is only why there are none. */
s3store_status s3s_look_instance(s3s_look *l, s3store_error *err)
{
    if (is_true(s3s_settings_env(&l->settings, "AWS_EC2_METADATA_DISABLED"))) {
        snprintf(l->why, sizeof l->why, "AWS_EC2_METADATA_DISABLED is true");
        return S3STORE_OK;
    }
    instance m = {.l = l};
    s3s_fetched_init(&m.answer, l->chain->env);
    s3store_status status = ask_instance(&m, err);
    s3s_fetched_deinit(&m.answer);
    s3s_wipe(m.token, sizeof m.token);
    if (!s3s_look_is_sources_fault(status))
        return status;
    snprintf(l->why, sizeof l->why, "%.300s", err->message);
    s3s_error_clear(err);
    return S3STORE_OK;
}
