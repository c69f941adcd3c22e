/* net/http.c: the client: its options, its handles, and what they share. */
#include "net/http.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/error.h"
#include "net/http_internal.h"

#define DEFAULT_MAX_IDLE 32
#define DEFAULT_CONNECT_TIMEOUT_US 10000000
#define DEFAULT_FIRST_BYTE_TIMEOUT_US 30000000
#define DEFAULT_IDLE_TIMEOUT_US 30000000
#define LINES_MAX_BYTES (128u * 1024) /* header lines of one request */

/* ---- once for the process -------------------------------------------------------------------- */

/* libcurl counts its initialisations, so ours stands beside the host's. It is never undone: the
 * host may still use libcurl when the last client is gone. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_once_result;

static void init_curl_once(void)
{
    curl_once_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- SIGPIPE --------------------------------------------------------------------------------- */

/* libcurl sends with MSG_NOSIGNAL, but a TLS library may write() by itself, and CURLOPT_NOSIGNAL
 * rightly keeps libcurl from touching the process's handlers. What came meanwhile is swallowed,
 * what the host had pending is not. */
static bool sigpipe_is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void s3s_sigpipe_block(s3s_sigpipe_guard *guard)
{
    sigset_t pipe_set;
    sigset_t old;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    guard->active = pthread_sigmask(SIG_BLOCK, &pipe_set, &old) == 0;
    guard->was_blocked = guard->active && sigismember(&old, SIGPIPE) == 1;
    guard->was_pending = guard->was_blocked && sigpipe_is_pending();
}

void s3s_sigpipe_restore(const s3s_sigpipe_guard *guard)
{
    static const struct timespec no_wait = {0, 0};
    if (!guard->active || guard->was_pending)
        return;
    sigset_t pipe_set;
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    if (sigpipe_is_pending())
        (void)sigtimedwait(&pipe_set, NULL, &no_wait);
    if (!guard->was_blocked)
        (void)pthread_sigmask(SIG_UNBLOCK, &pipe_set, NULL);
}

/* ---- what the handles share ------------------------------------------------------------------ */

static void lock_share(CURL *easy, curl_lock_data data, curl_lock_access access, void *ctx)
{
    (void)easy;
    (void)access;
    s3s_http *http = ctx;
    pthread_mutex_lock(&http->share_locks[data]);
}

static void unlock_share(CURL *easy, curl_lock_data data, void *ctx)
{
    (void)easy;
    s3s_http *http = ctx;
    pthread_mutex_unlock(&http->share_locks[data]);
}

static s3store_status make_share(s3s_http *http, s3store_error *err)
{
    http->share = curl_share_init();
    if (http->share == NULL ||
        curl_share_setopt(http->share, CURLSHOPT_USERDATA, http) != CURLSHE_OK ||
        curl_share_setopt(http->share, CURLSHOPT_LOCKFUNC, lock_share) != CURLSHE_OK ||
        curl_share_setopt(http->share, CURLSHOPT_UNLOCKFUNC, unlock_share) != CURLSHE_OK ||
        curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK ||
        curl_share_setopt(http->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) !=
            CURLSHE_OK)
        return s3s_fail_memory(err, 0);
    return S3STORE_OK;
}

/* ---- handles --------------------------------------------------------------------------------- */

static void free_handle(s3s_http *http, s3s_http_handle *handle)
{
    if (handle == NULL)
        return;
    curl_easy_cleanup(handle->easy);
    curl_multi_cleanup(handle->multi);
    if (handle->lines.data != NULL)
        s3s_wipe(handle->lines.data, handle->lines.capacity);
    s3s_buffer_deinit(&handle->lines);
    s3s_free(http->env, handle);
}

#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode set_code_ = curl_easy_setopt(easy, option, value);                                \
        if (set_code_ != CURLE_OK)                                                                 \
            return set_code_;                                                                      \
    } while (0)

/* What is the same for all requests of a client. */
static CURLcode set_constant_options(const s3s_http *http, s3s_http_handle *handle)
{
    CURL *easy = handle->easy;
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, handle->detail);
    SET(CURLOPT_SHARE, http->share);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A cancelled request does not wait for its name lookup, which ends by itself. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, http->no_verify_tls ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, http->no_verify_tls ? 0L : 2L);
    if (http->no_proxy)
        SET(CURLOPT_PROXY, "");
    if (http->ca_bundle != NULL) {
        SET(CURLOPT_CAINFO, http->ca_bundle);
        SET(CURLOPT_PROXY_CAINFO, http->ca_bundle);
    }
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(http->connect_timeout_us / 1000));
    return s3s_http_set_callbacks(handle);
}

static s3store_status make_handle(s3s_http *http, s3s_http_handle **out, s3store_error *err)
{
    s3s_http_handle *handle = s3s_calloc(http->env, 1, sizeof *handle);
    if (handle == NULL)
        return s3s_fail_memory(err, sizeof *handle);
    s3s_buffer_init(&handle->lines, http->env, LINES_MAX_BYTES);
    handle->socket = CURL_SOCKET_BAD;
    handle->last_received = UINT64_MAX;
    handle->easy = curl_easy_init();
    handle->multi = curl_multi_init();
    CURLcode code = handle->easy == NULL || handle->multi == NULL
                        ? CURLE_OUT_OF_MEMORY
                        : set_constant_options(http, handle);
    if (code != CURLE_OK) {
        free_handle(http, handle);
        if (code == CURLE_OUT_OF_MEMORY)
            return s3s_fail_memory(err, 0);
        return s3s_fail(err, S3STORE_INTERNAL, "cannot prepare an HTTP transfer: %s",
                        curl_easy_strerror(code));
    }
    *out = handle;
    return S3STORE_OK;
}

static s3store_status take_handle(s3s_http *http, s3s_http_handle **out, s3store_error *err)
{
    s3s_mutex_lock(&http->mutex);
    s3s_http_handle *handle = http->locked.idle;
    if (handle != NULL) {
        http->locked.idle = handle->next;
        http->locked.idle_count--;
    }
    s3s_mutex_unlock(&http->mutex);
    if (handle == NULL)
        return make_handle(http, out, err);
    handle->next = NULL;
    *out = handle;
    return S3STORE_OK;
}

static void give_handle(s3s_http *http, s3s_http_handle *handle)
{
    s3s_mutex_lock(&http->mutex);
    bool keep = http->locked.idle_count < http->max_idle;
    if (keep) {
        handle->next = http->locked.idle;
        http->locked.idle = handle;
        http->locked.idle_count++;
    }
    s3s_mutex_unlock(&http->mutex);
    if (!keep)
        free_handle(http, handle);
}

void s3s_http_lease_deinit(s3s_http *http, s3s_http_lease *lease)
{
    s3s_sigpipe_guard guard;
    if (lease->handle == NULL)
        return;
    s3s_sigpipe_block(&guard); /* closing a TLS connection writes */
    free_handle(http, lease->handle);
    s3s_sigpipe_restore(&guard);
    lease->handle = NULL;
}

/* ---- the client ------------------------------------------------------------------------------ */

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

static s3store_status copy_text(s3s_env *env, const char *text, char **out, s3store_error *err)
{
    if (text == NULL)
        return S3STORE_OK;
    *out = s3s_strdup(env, text);
    return *out == NULL ? s3s_fail_memory(err, strlen(text)) : S3STORE_OK;
}

/* Whether a proxy of the environment is reached by TLS. */
static bool find_tls_proxy(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && strncasecmp(value, "https:", 6) == 0)
            return true;
    }
    return false;
}

static s3store_status fill_client(s3s_http *http, const s3s_http_options *options,
                                  s3store_error *err)
{
    static const s3s_http_options defaults;
    if (options == NULL)
        options = &defaults;
    http->max_idle = options->max_idle > 0 ? options->max_idle : DEFAULT_MAX_IDLE;
    http->connect_timeout_us = or_default(options->connect_timeout_us, DEFAULT_CONNECT_TIMEOUT_US);
    http->first_byte_timeout_us =
        or_default(options->first_byte_timeout_us, DEFAULT_FIRST_BYTE_TIMEOUT_US);
    http->idle_timeout_us = or_default(options->idle_timeout_us, DEFAULT_IDLE_TIMEOUT_US);
    http->no_verify_tls = options->no_verify_tls;
    atomic_init(&http->may_use_tls, find_tls_proxy());
    http->no_proxy = options->no_proxy;
    s3store_status status = copy_text(http->env, options->ca_bundle, &http->ca_bundle, err);
    if (status != S3STORE_OK)
        return status;
    char agent[64];
    snprintf(agent, sizeof agent, "s3store/%d.%d.%d", S3STORE_VERSION_MAJOR,
             S3STORE_VERSION_MINOR, S3STORE_VERSION_PATCH);
    status = copy_text(http->env, options->user_agent != NULL ? options->user_agent : agent,
                       &http->user_agent, err);
    if (status != S3STORE_OK)
        return status;
    return make_share(http, err);
}

s3store_status s3s_http_new(s3s_env *env, const s3s_http_options *options, s3s_http **out,
                            s3store_error *err)
{
    *out = NULL;
    pthread_once(&curl_once, init_curl_once);
    if (curl_once_result != CURLE_OK)
        return s3s_fail(err, S3STORE_INTERNAL, "cannot initialise libcurl: %s",
                        curl_easy_strerror(curl_once_result));
    s3s_http *http = s3s_calloc(env, 1, sizeof *http);
    if (http == NULL)
        return s3s_fail_memory(err, sizeof *http);
    http->env = env;
    s3store_status status = s3s_mutex_init(&http->mutex, env, err);
    if (status != S3STORE_OK) {
        s3s_free(env, http);
        return status;
    }
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_init(&http->share_locks[i], NULL); /* cannot fail with default attributes */
    status = fill_client(http, options, err);
    if (status != S3STORE_OK) {
        s3s_http_free(http);
        return status;
    }
    *out = http;
    return S3STORE_OK;
}

void s3s_http_free(s3s_http *http)
{
    if (http == NULL)
        return;
    s3s_sigpipe_guard guard;
    s3s_sigpipe_block(&guard); /* closing a TLS connection writes */
    while (http->locked.idle != NULL) {
        s3s_http_handle *handle = http->locked.idle;
        http->locked.idle = handle->next;
        free_handle(http, handle);
    }
    if (http->share != NULL)
        curl_share_cleanup(http->share);
    s3s_sigpipe_restore(&guard);
    for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
        pthread_mutex_destroy(&http->share_locks[i]);
    s3s_mutex_deinit(&http->mutex);
    s3s_free(http->env, http->ca_bundle);
    s3s_free(http->env, http->user_agent);
    s3s_free(http->env, http);
}

s3store_status s3s_http_perform(s3s_http *http, const s3store_call *call,
                                const s3s_http_request *request, s3s_http_result *result,
                                s3store_error *err)
{
    *result = (s3s_http_result){.progress = S3S_HTTP_NOT_SENT};
    s3store_status status = s3s_call_check(http->env, call, err);
    if (status != S3STORE_OK)
        return status;
    s3s_http_lease own = {0};
    s3s_http_lease *lease = request->lease != NULL ? request->lease : &own;
    if (lease->handle == NULL)
        status = take_handle(http, &lease->handle, err);
    if (status != S3STORE_OK)
        return status;
    /* Only TLS may write() by itself: in this request, or closing what an earlier one has kept. */
    if (strncasecmp(request->url, "http:", 5) != 0)
        atomic_store_explicit(&http->may_use_tls, true, memory_order_relaxed);
    s3s_sigpipe_guard guard = {0};
    if (atomic_load_explicit(&http->may_use_tls, memory_order_relaxed))
        s3s_sigpipe_block(&guard);
    status = s3s_http_transfer(http, lease->handle, call, request, result, err);
    if (request->lease == NULL)
        give_handle(http, lease->handle);
    s3s_sigpipe_restore(&guard);
    return status;
}

void s3s_http_read_counts(const s3s_http *http, s3s_http_counts *out)
{
    out->opened = atomic_load_explicit(&http->opened, memory_order_relaxed);
    out->reused = atomic_load_explicit(&http->reused, memory_order_relaxed);
}
