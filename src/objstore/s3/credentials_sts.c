/* Roles: AssumeRole and AssumeRoleWithWebIdentity of the Security Token Service.
 *
 * Endpoint: AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, the profile's (sts / endpoint_url, then
 * endpoint_url), else AWS by region. Parameters go in the body, where no log of a proxy shows them.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "objstore/s3/credentials_look.h"

#define VERSION "2011-06-15"
#define FORM_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define ATTEMPTS 3
#define FIRST_PAUSE_US 100000
#define SHARED_RUN 16 /* bytes of a secret that a message may not have */
#define PARAMETERS_MAX 8
#define TEXT_MAX 2048 /* of a parameter but the token */

typedef struct place {
    s3s_fetch_url url;
    char region[S3S_SIGN_REGION_SIZE];
} place;

/* One request, sent up to three times. */
typedef struct request {
    s3s_look *l;
    const s3s_role *role;
    place place;
    s3s_credentials *signer; /* NULL = not signed */
    const char *token;       /* the web identity, or NULL */
    char source[300];
    s3s_buffer body;
    s3s_buffer scratch;
    s3s_buffer authorization;
    bool clock_corrected;
} request;

/* ---- where ----------------------------------------------------------------------------------- */

static bool is_region(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-')
            return false;
    return size > 0 && size < S3S_SIGN_REGION_SIZE;
}

static s3store_status find_region(const s3s_look *l, char region[S3S_SIGN_REGION_SIZE],
                                  s3store_error *err)
{
    const char *const candidates[] = {
        l->chain->region, s3s_settings_env(&l->settings, "AWS_REGION"),
        s3s_settings_env(&l->settings, "AWS_DEFAULT_REGION"),
        s3s_settings_config(&l->settings, "region"), "us-east-1"};
    size_t i = 0;
    while (candidates[i] == NULL)
        i++;
    if (!is_region(candidates[i]))
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "\"%.64s\" is not the name of a region",
                        candidates[i]);
    snprintf(region, S3S_SIGN_REGION_SIZE, "%s", candidates[i]);
    return S3STORE_OK;
}

static s3store_status find_place(const s3s_look *l, place *out, s3store_error *err)
{
    s3store_status status = find_region(l, out->region, err);
    if (status != S3STORE_OK)
        return status;
    bool ignore = s3s_settings_ignores_endpoints(&l->settings);
    const char *const candidates[] = {
        s3s_settings_env(&l->settings, "AWS_ENDPOINT_URL_STS"),
        s3s_settings_env(&l->settings, "AWS_ENDPOINT_URL"),
        s3s_settings_service_endpoint(&l->settings, "sts")};
    const char *given = NULL;
    for (size_t i = 0; i < 3 && given == NULL && !ignore; i++)
        given = candidates[i];
    char regional[160];
    if (given == NULL) {
        snprintf(regional, sizeof regional, "https://sts.%s.amazonaws.com%s", out->region,
                 strncmp(out->region, "cn-", 3) == 0 ? ".cn" : "");
        given = regional;
    }
    if (!s3s_fetch_url_parse(given, &out->url) || strchr(out->url.target, '?') != NULL)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "the endpoint for STS (AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL or the "
                        "profile's) is not an http or https URL");
    if (out->url.target[0] == '\0')
        memcpy(out->url.target, "/", 2);
    return S3STORE_OK;
}

/* ---- what ------------------------------------------------------------------------------------ */

/* All at once, since a buffer that grows leaves copies of a token behind. */
static s3store_status build_form(request *r, const s3s_query_pair *pairs, size_t count,
                                 s3store_error *err)
{
    size_t room = 1;
    for (size_t i = 0; i < count; i++) /* lengths are bounded by their checks */
        room += strlen(pairs[i].name) + 3 * strlen(pairs[i].value) + 3;
    if (s3s_buffer_reserve(&r->body, room, err) == NULL)
        return err->status;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        status = s3s_sign_append(&r->body, err, i == 0 ? "" : "&", pairs[i].name, "=", NULL);
        if (status == S3STORE_OK)
            status = s3s_sign_encode(pairs[i].value, false, &r->body, err);
    }
    return status;
}

static s3store_status check_text(const s3s_role *role, const char *what, const char *text,
                                 s3store_error *err)
{
    size_t size = text == NULL ? 0 : strlen(text);
    bool good = text == NULL || (size > 0 && size <= TEXT_MAX);
    for (size_t i = 0; good && i < size; i++)
        good = (unsigned char)text[i] >= 0x20 && text[i] != 0x7f;
    if (good)
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "the %s of %s%.64s cannot be used", what,
                    role->profile != NULL ? "profile " : "the environment",
                    role->profile != NULL ? role->profile : "");
}

static s3store_status check_role(const s3s_role *role, s3store_error *err)
{
    int64_t seconds = 3600;
    s3store_status status = check_text(role, "role's ARN", role->arn, err);
    if (status == S3STORE_OK)
        status = check_text(role, "role_session_name", role->session_name, err);
    if (status == S3STORE_OK)
        status = check_text(role, "external_id", role->external_id, err);
    if (status != S3STORE_OK)
        return status;
    if (role->duration != NULL &&
        (!s3s_parse_i64(role->duration, strlen(role->duration), &seconds) || seconds < 900 ||
         seconds > 43200))
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "the duration_seconds \"%.16s\" of profile \"%.64s\" is not a number from "
                        "900 to 43200",
                        role->duration, role->profile);
    return S3STORE_OK;
}

static s3store_status build_body(request *r, s3store_error *err)
{
    const s3s_role *role = r->role;
    char session[40];
    snprintf(session, sizeof session, "s3store-%lld",
             (long long)(s3s_wall_us(r->l->chain->env) / 1000));
    const s3s_query_pair wanted[PARAMETERS_MAX] = {
        {"Action", r->token != NULL ? "AssumeRoleWithWebIdentity" : "AssumeRole"},
        {"Version", VERSION},
        {"RoleArn", role->arn},
        {"RoleSessionName", role->session_name != NULL ? role->session_name : session},
        {"DurationSeconds", role->duration},
        {"ExternalId", role->external_id},
        {"WebIdentityToken", r->token},
    };
    s3s_query_pair pairs[PARAMETERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < PARAMETERS_MAX; i++)
        if (wanted[i].name != NULL && wanted[i].value != NULL)
            pairs[count++] = wanted[i];
    return build_form(r, pairs, count, err);
}

/* ---- signing --------------------------------------------------------------------------------- */

/* Appends the Authorization header's value. headers are those that are signed. */
static s3store_status sign(request *r, const s3s_http_header *headers, size_t count,
                           const char *date_time, const char *date, s3store_error *err)
{
    uint8_t digest[S3S_SHA256_SIZE];
    s3s_hmac_key key;
    char payload_hash[2 * S3S_SHA256_SIZE + 1];
    s3store_status status = s3s_sha256(r->body.data, r->body.size, digest, err);
    if (status == S3STORE_OK)
        status = s3s_credentials_signing_key(r->signer, date, r->place.region, "sts", &key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_hex(digest, sizeof digest, payload_hash);
    s3s_sign_input input = {.method = "POST",
                            .path = r->place.url.target,
                            .query = "",
                            .headers = headers,
                            .header_count = count,
                            .payload_hash = payload_hash,
                            .date_time = date_time,
                            .region = r->place.region,
                            .service = "sts"};
    s3s_buffer_clear(&r->authorization);
    status = s3s_sign_authorization(&input, s3s_credentials_access_key_id(r->signer), &key,
                                    &r->scratch, &r->authorization, err);
    s3s_wipe(&key, sizeof key);
    return status == S3STORE_OK ? s3s_buffer_append(&r->authorization, "", 1, err) : status;
}

/* Room for all, so that the session token is not copied around in memory. */
static s3store_status reserve(request *r, s3store_error *err)
{
    const char *token = r->signer != NULL ? s3s_credentials_session_token(r->signer) : NULL;
    size_t room = 4096 + sizeof r->place.url + (token != NULL ? strlen(token) : 0);
    if (s3s_buffer_reserve(&r->scratch, room, err) == NULL ||
        s3s_buffer_reserve(&r->authorization, 1024, err) == NULL)
        return err->status;
    return S3STORE_OK;
}

static s3store_status send(request *r, s3s_fetched *answer, s3store_error *err)
{
    char url[sizeof r->place.url + 16];
    char date_time[17];
    char date[9];
    snprintf(url, sizeof url, "%s://%s%s", r->place.url.tls ? "https" : "http",
             r->place.url.authority, r->place.url.target);
    s3s_iso_basic(s3s_credential_chain_now_us(r->l->chain), date_time, date);
    s3s_http_header headers[5] = {{"host", r->place.url.authority},
                                  {"content-type", FORM_TYPE}};
    size_t count = 2;
    if (r->signer != NULL) {
        const char *token = s3s_credentials_session_token(r->signer);
        headers[count++] = (s3s_http_header){"x-amz-date", date_time};
        if (token != NULL)
            headers[count++] = (s3s_http_header){"x-amz-security-token", token};
        s3store_status status = sign(r, headers, count, date_time, date, err);
        if (status != S3STORE_OK)
            return status;
        headers[count++] =
            (s3s_http_header){"authorization", (const char *)r->authorization.data};
    }
    s3s_http_request sent = {.method = "POST",
                             .url = url,
                             .headers = headers,
                             .header_count = count,
                             .body = r->body.data,
                             .body_size = r->body.size};
    return s3s_fetch(r->l, S3S_FETCH_STS, &sent, answer, err);
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* Whether a server's message quotes what we have sent it in confidence. */
static bool quotes(const char *message, const char *secret)
{
    char run[SHARED_RUN + 1] = "";
    size_t size = strlen(message);
    for (size_t i = 0; secret != NULL && i + SHARED_RUN <= size; i++) {
        memcpy(run, message + i, SHARED_RUN);
        if (strstr(secret, run) != NULL)
            return true;
    }
    return false;
}

static s3store_status fail_refused(const request *r, const s3s_fetched *answer,
                                   s3s_sts_refusal *refusal, s3store_error *err)
{
    const char *session = r->signer != NULL ? s3s_credentials_session_token(r->signer) : NULL;
    if (quotes(refusal->message, r->token) || quotes(refusal->message, session))
        snprintf(refusal->message, sizeof refusal->message, "(it quotes a secret)");
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s: %s://%.200s refuses (HTTP %d%s%s%s%s)",
                    r->source, r->place.url.tls ? "https" : "http", r->place.url.authority,
                    answer->http_status, refusal->code[0] != '\0' ? " " : "", refusal->code,
                    refusal->message[0] != '\0' ? ": " : "", refusal->message);
}

static bool is_one_of(const char *code, const char *const *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}

static bool is_passing(int http_status, const char *code)
{
    static const char *const codes[] = {"Throttling", "ThrottlingException",
                                        "RequestLimitExceeded", "IDPCommunicationError",
                                        "InternalFailure", "ServiceUnavailable", "SlowDown"};
    return http_status == 429 || http_status >= 500 ||
           is_one_of(code, codes, sizeof codes / sizeof codes[0]);
}

/* Refusals that a wrong clock causes (others cause some of them too: the Date decides). */
static bool is_clock(const char *code)
{
    static const char *const codes[] = {"RequestTimeTooSkewed", "RequestExpired",
                                        "RequestInTheFuture", "SignatureDoesNotMatch",
                                        "InvalidSignatureException", "AuthFailure"};
    return is_one_of(code, codes, sizeof codes / sizeof codes[0]);
}

/* *out, or NULL with OK: *again says after what pause; or a failure. */
static s3store_status understand(request *r, const s3s_fetched *answer, bool *again,
                                 s3s_credentials **out, s3store_error *err)
{
    s3s_sts_refusal refusal = {0};
    s3store_status status = s3s_sts_parse(r->l->chain->env, (const char *)answer->body.data,
                                          answer->body.size, r->source, out, &refusal, err);
    bool is_success = answer->http_status == 200;
    if (status == S3STORE_OK && *out != NULL && is_success)
        return S3STORE_OK;
    s3s_credentials_release(*out);
    *out = NULL;
    if (status != S3STORE_OK && (is_success || !s3s_look_is_sources_fault(status)))
        return status;
    if (r->signer != NULL && !r->clock_corrected && is_clock(refusal.code))
        *again = r->clock_corrected =
            s3s_credential_chain_correct_clock(r->l->chain, answer->date_us);
    else
        *again = is_passing(answer->http_status, refusal.code);
    return fail_refused(r, answer, &refusal, err);
}

static s3store_status attempt(request *r, s3s_fetched *answer, bool *again, s3s_credentials **out,
                              s3store_error *err)
{
    s3store_status status = send(r, answer, err);
    *again = status == S3STORE_UNAVAILABLE;
    if (status == S3STORE_OK)
        return understand(r, answer, again, out, err);
    if (!s3s_look_is_sources_fault(status))
        return status;
    s3s_context(err, "%s", r->source);
    return s3s_restate(err, S3STORE_NO_CREDENTIALS);
}

/* Again while it can help and there is time. */
static s3store_status run(request *r, s3s_credentials **out, s3store_error *err)
{
    s3s_env *env = r->l->chain->env;
    s3s_fetched answer;
    s3s_fetched_init(&answer, env);
    s3store_status status = S3STORE_OK;
    int64_t pause_us = FIRST_PAUSE_US;
    for (int i = 1; i <= ATTEMPTS; i++, pause_us *= 3) {
        bool again = false;
        status = attempt(r, &answer, &again, out, err);
        if (status == S3STORE_OK || !again || i == ATTEMPTS ||
            s3s_mono_us(env) + pause_us >= r->l->deadline_us)
            break;
        s3store_error stopped = {0};
        s3store_cancel *cancel = r->l->call != NULL ? r->l->call->cancel : NULL;
        s3store_status slept = s3s_sleep_us(env, pause_us, cancel, &stopped);
        if (slept == S3STORE_OK)
            slept = s3s_call_check(env, r->l->call, &stopped);
        if (slept != S3STORE_OK) {
            *err = stopped;
            status = slept;
            break;
        }
    }
    s3s_fetched_deinit(&answer);
    return status;
}

static s3store_status ask(s3s_look *l, const s3s_role *role, s3s_credentials *signer,
                          const char *token, s3s_credentials **out, s3store_error *err)
{
    s3s_env *env = l->chain->env;
    request r = {.l = l, .role = role, .signer = signer, .token = token};
    *out = NULL;
    if (role->profile != NULL)
        snprintf(r.source, sizeof r.source, "role %.160s of profile \"%.64s\"", role->arn,
                 role->profile);
    else
        snprintf(r.source, sizeof r.source, "role %.160s of AWS_ROLE_ARN", role->arn);
    s3s_buffer_init(&r.body, env, SIZE_MAX);
    s3s_buffer_init(&r.scratch, env, SIZE_MAX);
    s3s_buffer_init(&r.authorization, env, SIZE_MAX);
    s3store_status status = check_role(role, err);
    if (status == S3STORE_OK)
        status = find_place(l, &r.place, err);
    if (status == S3STORE_OK)
        status = build_body(&r, err);
    if (status == S3STORE_OK)
        status = reserve(&r, err);
    if (status == S3STORE_OK)
        status = run(&r, out, err);
    s3s_secret_buffer_deinit(&r.body);
    s3s_secret_buffer_deinit(&r.scratch);
    s3s_secret_buffer_deinit(&r.authorization);
    return status;
}

s3store_status s3s_sts_assume_role(s3s_look *l, const s3s_role *role, s3s_credentials *base,
                                   s3s_credentials **out, s3store_error *err)
{
    return ask(l, role, base, NULL, out, err);
}

s3store_status s3s_sts_web_identity(s3s_look *l, const s3s_role *role, const char *token_file,
                                    s3s_credentials **out, s3store_error *err)
{
    char *token = NULL;
    *out = NULL;
    s3store_status status = s3s_token_file_read(l->chain->env, token_file, &token, err);
    if (status == S3STORE_OK)
        status = ask(l, role, NULL, token, out, err);
    s3s_secret_free(l->chain->env, token);
    return status;
}
