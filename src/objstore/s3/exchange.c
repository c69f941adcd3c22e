#include "objstore/s3/exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define CLOCK_SKEW_MIN_US (60LL * 1000000) /* servers allow for 15 minutes, some for less */

/* ---- exchanges ------------------------------------------------------------------------------- */

void s3s_s3_exchange_free(s3s_s3_exchange *x)
{
    if (x == NULL)
        return;
    s3s_s3_message_deinit(&x->message);
    s3s_http_lease_deinit(x->store->http, &x->lease);
    s3s_xml_free(x->xml);
    s3s_free(x->store->env, x);
}

static s3store_status make_exchange(s3s_s3_store *store, s3s_s3_exchange **out,
                                    s3store_error *err)
{
    s3s_s3_exchange *x = s3s_calloc(store->env, 1, sizeof *x);
    if (x == NULL)
        return s3s_fail_memory(err, sizeof *x);
    x->store = store;
    s3s_s3_message_init(&x->message, store->env);
    s3store_status status = s3s_xml_new(store->env, &x->xml, err);
    if (status != S3STORE_OK) {
        s3s_s3_exchange_free(x);
        return status;
    }
    *out = x;
    return S3STORE_OK;
}

/* What answers to others may have changed. */
static void look_locked(s3s_s3_exchange *x)
{
    if (x->place_version != x->store->locked.place_version) {
        x->place = x->store->locked.place;
        x->place_version = x->store->locked.place_version;
    }
    x->clock_offset_us = x->store->locked.clock_offset_us;
}

static void look(s3s_s3_exchange *x)
{
    s3s_mutex_lock(&x->store->mutex); /* NOLINT: who asks has an exchange */
    look_locked(x);
    s3s_mutex_unlock(&x->store->mutex);
}

s3store_status s3s_s3_exchange_take(s3s_s3_store *store, s3s_s3_verb verb, const char *key,
                                    s3s_s3_exchange **out, s3store_error *err)
{
    *out = NULL;
    s3s_mutex_lock(&store->mutex);
    s3s_s3_exchange *x = store->locked.idle;
    if (x != NULL) {
        store->locked.idle = x->next;
        store->locked.idle_count--;
        look_locked(x);
    }
    s3s_mutex_unlock(&store->mutex);
    if (x == NULL) {
        s3store_status status = make_exchange(store, &x, err);
        if (status != S3STORE_OK)
            return status;
        look(x);
    }
    x->next = NULL;
    x->verb = verb;
    x->key = key != NULL ? key : "";
    x->put = NULL;
    x->get = NULL;
    x->list = NULL;
    x->part = NULL;
    x->complete = NULL;
    x->upload_id = NULL;
    x->uploads = NULL;
    x->damaged = NULL;
    x->metadata = NULL;
    x->sink = NULL;
    s3s_s3_receive_begin(x);
    *out = x;
    return S3STORE_OK;
}

void s3s_s3_exchange_give(s3s_s3_exchange *x)
{
    if (x == NULL)
        return;
    s3s_s3_store *store = x->store;
    s3s_mutex_lock(&store->mutex);
    bool keep = store->locked.idle_count < store->max_idle;
    if (keep) {
        x->next = store->locked.idle;
        store->locked.idle = x;
        store->locked.idle_count++;
    }
    s3s_mutex_unlock(&store->mutex);
    if (!keep)
        s3s_s3_exchange_free(x);
}

/* ---- building and sending -------------------------------------------------------------------- */

static s3store_status build(s3s_s3_exchange *x, s3store_error *err)
{
    const char *consistency = x->store->consistency;
    s3s_s3_message *m = &x->message;
    switch (x->verb) {
    case S3S_S3_PUT:
        return s3s_s3_build_put(m, &x->place, consistency, x->put, err);
    case S3S_S3_GET:
        return s3s_s3_build_get(m, &x->place, consistency, x->get, err);
    case S3S_S3_HEAD:
        return s3s_s3_build_head(m, &x->place, consistency, x->key, err);
    case S3S_S3_LIST:
        return s3s_s3_build_list(m, &x->place, consistency, x->list, err);
    case S3S_S3_REMOVE:
        return s3s_s3_build_remove(m, &x->place, consistency, x->key, err);
    case S3S_S3_CREATE:
        return s3s_s3_build_create(m, &x->place, consistency, x->put, err);
    case S3S_S3_PART:
        return s3s_s3_build_part(m, &x->place, consistency, x->part, err);
    case S3S_S3_COMPLETE:
        return s3s_s3_build_complete(m, &x->place, consistency, x->complete, err);
    case S3S_S3_ABORT:
        return s3s_s3_build_abort(m, &x->place, consistency, x->key, x->upload_id, err);
    case S3S_S3_UPLOADS:
        return s3s_s3_build_uploads(m, &x->place, consistency, x->uploads, err);
    }
    return s3s_fail(err, S3STORE_INTERNAL, "there is no such verb");
}

/* A read changes nothing, whatever our clock says. */
static bool is_read(s3s_s3_verb verb)
{
    return verb == S3S_S3_GET || verb == S3S_S3_HEAD || verb == S3S_S3_LIST ||
           verb == S3S_S3_UPLOADS;
}

static int64_t signing_time_us(const s3s_s3_exchange *x)
{
    return s3s_wall_us(x->store->env) + (is_read(x->verb) ? x->clock_offset_us : 0);
}

static s3store_status sign(s3s_s3_exchange *x, s3s_credentials *credentials, s3store_error *err)
{
    bool fenced = x->verb == S3S_S3_PUT && x->put->fenced;
    if (credentials == NULL && fenced)
        return s3s_fail_key(err, S3STORE_UNSUPPORTED, x->key,
                            "a PUT with an end of validity needs credentials to be signed with");
    if (credentials == NULL)
        return s3s_s3_sign_not(&x->message, &x->place, err);
    if (fenced)
        return s3s_s3_sign_by_query(&x->message, &x->place, credentials, x->put->valid_from_us,
                                    x->put->expires_at_us, err);
    return s3s_s3_sign_by_headers(&x->message, &x->place, credentials, signing_time_us(x), err);
}

static s3store_status send(s3s_s3_exchange *x, const s3store_call *call, s3store_error *err)
{
    const s3s_s3_message *m = &x->message;
    s3s_http_request request = {.method = m->method,
                                .url = (const char *)m->url.data,
                                .headers = m->headers,
                                .header_count = m->header_count,
                                .body = x->damaged != NULL ? x->damaged : m->body,
                                .body_size = m->body_size,
                                .lease = &x->lease,
                                .ctx = x,
                                .on_status = s3s_s3_on_status,
                                .on_header = s3s_s3_on_header,
                                .on_body = s3s_s3_on_body};
    return s3s_http_perform(x->store->http, call, &request, &x->result, err);
}

/* ---- understanding --------------------------------------------------------------------------- */

/* What the server's answer was about, on an error that did not come from it. */
static void add_place(const s3s_s3_exchange *x, s3store_error *err)
{
    s3s_context(err, "%s s3://%.80s/%.300s", s3s_s3_verb_name(x->verb), x->place.bucket, x->key);
    snprintf(err->key, sizeof err->key, "%s", x->key);
    err->http_status = x->answer.http_status;
    err->server_date_us = x->answer.date_us != S3STORE_TIME_NONE ? x->answer.date_us : 0;
    err->retry_after_ms = s3s_s3_retry_after_ms(&x->answer, s3s_wall_us(x->store->env));
    snprintf(err->request_id, sizeof err->request_id, "%s", x->answer.request_id);
}

/* A PUT of which bytes were sent and whose answer is missing, or means nothing, may have been
 * done. A cancellation stays one: the caller knows that he does not know. */
static s3store_status resolve_transport_failure(s3s_s3_exchange *x, s3store_status status,
                                                s3store_error *err)
{
    bool lost = status == S3STORE_UNAVAILABLE || status == S3STORE_TIMEOUT ||
                status == S3STORE_CORRUPT;
    if (s3s_s3_is_write(x->verb) && lost && x->result.progress != S3S_HTTP_NOT_SENT) {
        char why[sizeof err->message];
        snprintf(why, sizeof why, "%s", err->message);
        status = s3s_fail(err, S3STORE_UNCERTAIN,
                          "it was sent, but no complete answer came, so that it may or may not "
                          "have been stored: %.800s",
                          why);
    }
    add_place(x, err);
    return status;
}

static s3store_status fail_answer(const s3s_s3_exchange *x, const s3s_credentials *credentials,
                                  s3store_error *err)
{
    char host[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE];
    char shown[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE + 8];
    s3s_s3_place_host(&x->place, host);
    snprintf(shown, sizeof shown, "%s://%s", x->place.tls ? "https" : "http", host);
    s3s_s3_context context = {
        .verb = x->verb,
        .bucket = x->place.bucket,
        .key = x->key,
        .host = shown,
        .credentials = credentials != NULL ? s3s_credentials_source(credentials) : NULL,
        .conditional = x->verb == S3S_S3_PUT && x->put->if_none_match,
        .fenced = x->verb == S3S_S3_PUT && x->put->fenced,
    };
    s3store_status status = s3s_s3_fail(&context, &x->answer, err);
    err->retry_after_ms = s3s_s3_retry_after_ms(&x->answer, s3s_wall_us(x->store->env));
    return status;
}

/* What the receiver of a body said is what comes out; END, which is no error of the transfer, too. */
static s3store_status resolve_sink_failure(s3s_s3_exchange *x, s3store_error *err)
{
    if (x->sink_status == S3STORE_END)
        (void)s3s_fail(err, S3STORE_END, "the receiver wants no more of it");
    add_place(x, err);
    return x->sink_status;
}

/* A 2xx without an error in its body. */
static bool is_done(const s3s_s3_exchange *x)
{
    return s3s_s3_is_success(x) && x->answer.code[0] == '\0';
}

/* One request and what it means. err tells of any status but OK. */
static s3store_status attempt(s3s_s3_exchange *x, const s3store_call *call,
                              s3s_credentials *credentials, s3store_error *err)
{
    s3store_status status = build(x, err);
    if (status == S3STORE_OK)
        status = sign(x, credentials, err);
    if (status != S3STORE_OK)
        return status;
    status = send(x, call, err);
    if (x->sink_status != S3STORE_OK)
        return resolve_sink_failure(x, err);
    /* The headers of a refusal are enough, also when its body broke off. */
    if (status == S3STORE_UNAVAILABLE && x->answer.http_status >= 300)
        status = S3STORE_OK;
    else if (status != S3STORE_OK)
        return resolve_transport_failure(x, status, err);
    status = s3s_s3_receive_end(x, err);
    if (x->sink_status != S3STORE_OK)
        return resolve_sink_failure(x, err);
    if (status != S3STORE_OK)
        return resolve_transport_failure(x, status, err);
    return is_done(x) ? S3STORE_OK : fail_answer(x, credentials, err);
}

/* ---- why a HEAD was refused ------------------------------------------------------------------ */

#define DENIED_FOR_US (10LL * 1000000)

static bool has_expired(const char *code)
{
    static const char *const codes[] = {"ExpiredToken", "ExpiredTokenException", "InvalidToken",
                                        "TokenRefreshRequired"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

static bool is_skew(const char *code)
{
    return strcmp(code, "RequestTimeTooSkewed") == 0;
}

static bool is_worth_asking(s3s_s3_exchange *x, const s3s_credentials *credentials)
{
    s3s_s3_store *store = x->store;
    if (x->verb != S3S_S3_HEAD || x->answer.http_status != 403 || x->answer.code[0] != '\0' ||
        credentials == NULL || s3s_credentials_session_token(credentials) == NULL)
        return false;
    s3s_mutex_lock(&store->mutex);
    bool known = store->locked.denied == credentials &&
                 s3s_mono_us(store->env) < store->locked.denied_until_us;
    s3s_mutex_unlock(&store->mutex);
    return !known;
}

static s3store_status throw_away_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    (void)sink, (void)total, (void)err;
    return S3STORE_OK;
}

static s3store_status throw_away(s3store_sink *sink, const void *data, size_t size,
                                 s3store_error *err)
{
    (void)sink, (void)data, (void)size, (void)err;
    return S3STORE_OK;
}

/* The answer to a HEAD has no body, and so no code: "403" is all that an expired token gets. A GET
 * of one byte is refused with the code. Only for credentials that can expire, and not for each HEAD
 * of one who is not allowed to. */
static s3store_status ask_why(s3s_s3_exchange *x, const s3store_call *call,
                              s3s_credentials *credentials, s3store_status status,
                              s3store_error *err)
{
    s3store_get_request request = {.size = sizeof request, .key = x->key, .length = 1};
    s3store_sink sink = {.begin = throw_away_begin, .write = throw_away};
    s3s_s3_exchange *y = NULL;
    s3store_error ignored;
    s3s_error_clear(&ignored);
    if (s3s_s3_exchange_take(x->store, S3S_S3_GET, x->key, &y, &ignored) != S3STORE_OK)
        return status;
    y->get = &request;
    y->sink = &sink;
    (void)attempt(y, call, credentials, &ignored);
    if (y->answer.http_status == 403 && y->answer.code[0] != '\0') {
        memcpy(x->answer.code, y->answer.code, sizeof x->answer.code);
        memcpy(x->answer.message, y->answer.message, sizeof x->answer.message);
        status = fail_answer(x, credentials, err);
    }
    s3s_s3_exchange_give(y);
    s3s_mutex_lock(&x->store->mutex);
    bool is_passing = has_expired(x->answer.code) || is_skew(x->answer.code);
    x->store->locked.denied = is_passing ? NULL : credentials;
    x->store->locked.denied_until_us = s3s_mono_us(x->store->env) + DENIED_FOR_US;
    s3s_mutex_unlock(&x->store->mutex);
    return status;
}

/* ---- once more ------------------------------------------------------------------------------- */

/* The server named the bucket's region, and it is not the one that was signed for. */
static bool learn_region(s3s_s3_exchange *x)
{
    const s3s_s3_answer *a = &x->answer;
    bool asks = a->http_status == 301 || a->http_status == 307 || a->http_status == 400 ||
                strcmp(a->code, "AuthorizationHeaderMalformed") == 0;
    if (!asks || a->region[0] == '\0' || strcmp(a->region, x->place.region) == 0)
        return false;
    s3s_s3_store *store = x->store;
    s3s_mutex_lock(&store->mutex);
    bool learned = s3s_s3_place_set_region(&store->locked.place, a->region);
    store->locked.place_version++;
    s3s_mutex_unlock(&store->mutex);
    if (learned)
        s3s_log(store->env, S3STORE_LOG_INFO, "the bucket is in another region", "bucket",
                x->place.bucket, "region", a->region, NULL);
    return learned;
}

/* The server refused the time of our signature, and said what time it is. For reads that is good
 * enough. A write keeps the error: what it stores is stamped by our clock, which must be right. */
static bool learn_clock(s3s_s3_exchange *x)
{
    const s3s_s3_answer *a = &x->answer;
    s3s_s3_store *store = x->store;
    int64_t offset_us = 0;
    bool asks = is_skew(a->code) ||
                (a->http_status == 403 && x->verb == S3S_S3_HEAD && a->code[0] == '\0');
    if (!asks || !is_read(x->verb) || store->chain == NULL || a->date_us == S3STORE_TIME_NONE ||
        __builtin_sub_overflow(a->date_us, s3s_wall_us(store->env), &offset_us))
        return false;
    s3s_mutex_lock(&store->mutex);
    int64_t change_us = offset_us - store->locked.clock_offset_us;
    bool learned = change_us > CLOCK_SKEW_MIN_US || change_us < -CLOCK_SKEW_MIN_US;
    if (learned)
        store->locked.clock_offset_us = offset_us;
    s3s_mutex_unlock(&store->mutex);
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)(offset_us / 1000000));
    if (learned)
        s3s_log(store->env, S3STORE_LOG_WARN,
                "this machine's clock differs from the server's: reads are signed by the server's",
                "server_is_ahead_by_seconds", seconds, NULL);
    return learned;
}

static bool renew_credentials(s3s_s3_exchange *x, const s3s_credentials *credentials)
{
    if (!has_expired(x->answer.code) || credentials == NULL)
        return false;
    s3s_credential_chain_expire(x->store->chain, credentials);
    return true;
}

static s3store_status attempt_with_credentials(s3s_s3_exchange *x, const s3store_call *call,
                                               bool *renewed, s3store_error *err)
{
    s3s_credentials *credentials = NULL;
    s3s_s3_store *store = x->store;
    if (store->chain != NULL) {
        s3store_status status = s3s_credential_chain_get(store->chain, call, &credentials, err);
        if (status != S3STORE_OK)
            return status;
    }
    s3store_status status = attempt(x, call, credentials, err);
    if (status != S3STORE_OK && is_worth_asking(x, credentials))
        status = ask_why(x, call, credentials, status, err);
    *renewed = status != S3STORE_OK && renew_credentials(x, credentials);
    s3s_credentials_release(credentials);
    return status;
}

s3store_status s3s_s3_exchange_run(s3s_s3_exchange *x, const s3store_call *call,
                                   s3store_error *err)
{
    bool may_renew = true;
    bool may_learn = true;
    for (;;) {
        bool renewed = false;
        s3store_status status = attempt_with_credentials(x, call, &renewed, err);
        if (status == S3STORE_OK)
            return status;
        bool learned = may_learn && (learn_region(x) || learn_clock(x));
        if (!learned && !(may_renew && renewed))
            return status;
        may_learn = may_learn && !learned;
        may_renew = may_renew && !renewed;
        look(x);
        s3s_s3_receive_begin(x);
    }
}
