/* net/http_transfer.c: one request on one handle: set it up, drive it, say how it ended.
 *
 * Time limits are ours, not libcurl's, except for connecting: the loop below knows when the last
 * byte moved, and wakes at the nearest of the limits. A cancellation wakes it at once.
 */
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/error.h"
#include "net/http_internal.h"

#define POLL_MAX_MS 1000
/* libcurl allocates it for each transfer: what large answers gain by a large one, small ones pay for. */
#define BUFFER_BYTES (16L * 1024)
#define BUFFER_BYTES_LARGE (128L * 1024)
#define EXPECT_MIN_BYTES (64u * 1024) /* libcurl's is a mebibyte */
#define HOST_TEXT_SIZE 300

typedef struct transfer {
    s3s_http *http;
    s3s_http_handle *handle;
    const s3store_call *call;
    const s3s_http_request *request;
    s3s_http_result *result;
    s3store_error *err;
    s3store_status stopped;    /* not OK: a callback or a limit ended it; err is filled */
    size_t header_bytes;
    bool began;                /* a connection stood, and the request was to go out on it */
    bool replay_refused;       /* the kept connection was dead, and the request may have arrived */
    long overhead;             /* bytes sent before the request itself: a proxy's CONNECT */
    bool final_answer;         /* the header lines belong to the final answer */
    bool headers_done;
    curl_off_t uploaded;
    bool moved;                /* bytes, since the clock was last read */
    int64_t activity_us;       /* when the last byte moved */
    char host[HOST_TEXT_SIZE]; /* made when a message needs it */
} transfer;

/* ---- the request ----------------------------------------------------------------------------- */

/* What must not be in a name ends it, and the request; a value has no line breaks. In one pass: a
 * request has more bytes of headers than of anything else. */
static size_t name_size(const char *name)
{
    size_t size = 0;
    while (name[size] > ' ' && name[size] != ':' && name[size] != ';' && name[size] != 0x7f)
        size++;
    return name[size] == '\0' ? size : 0;
}

static bool value_size(const char *value, size_t *size)
{
    *size = strlen(value);
    return memchr(value, '\n', *size) == NULL && memchr(value, '\r', *size) == NULL;
}

/* *at: where the line begins. */
static s3store_status add_line(s3s_http_handle *handle, const char *name, const char *value,
                               size_t *at, s3store_error *err)
{
    size_t size = name_size(name), more = 0;
    if (size == 0 || !value_size(value, &more))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the HTTP header \"%.64s\" has a character that a header cannot carry",
                        name);
    /* libcurl: "Name: value" sends it, "Name;" sends it empty, "Name:" leaves out its own. */
    s3s_buffer *lines = &handle->lines;
    *at = lines->size;
    s3store_status status = s3s_buffer_append(lines, name, size, err);
    if (status == S3STORE_OK && more == 0)
        return s3s_buffer_append(lines, ";", 2, err); /* with its NUL */
    if (status == S3STORE_OK)
        status = s3s_buffer_append(lines, ": ", 2, err);
    return status == S3STORE_OK ? s3s_buffer_append(lines, value, more + 1, err) : status;
}

/* The list is made of the handle's own nodes over one buffer: no allocation once that has grown.
 * CURLOPT_USERAGENT would be formatted twice for each request. */
static s3store_status make_header_list(s3s_http_handle *handle, const char *user_agent,
                                       const s3s_http_request *request, s3store_error *err)
{
    /* Headers that libcurl would add by itself; the second one only to large bodies. */
    static const char suppressed[] = "Accept:\0Expect:";
    enum { OWN = 3, ACCEPT = 0, EXPECT = 1, AGENT = 2 };
    size_t at[S3S_HTTP_REQUEST_HEADERS_MAX + OWN];
    at[ACCEPT] = 0;
    at[EXPECT] = sizeof "Accept:";
    size_t count = request->header_count + OWN;
    if (request->header_count > S3S_HTTP_REQUEST_HEADERS_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "a request has %zu headers, more than %d",
                        request->header_count, S3S_HTTP_REQUEST_HEADERS_MAX);
    s3s_buffer_clear(&handle->lines);
    s3store_status status =
        s3s_buffer_append(&handle->lines, suppressed, sizeof suppressed, err);
    if (status == S3STORE_OK)
        status = add_line(handle, "User-Agent", user_agent, &at[AGENT], err);
    for (size_t i = OWN; i < count && status == S3STORE_OK; i++)
        status = add_line(handle, request->headers[i - OWN].name, request->headers[i - OWN].value,
                          &at[i], err);
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        handle->nodes[i].data = (char *)handle->lines.data + at[i];
        handle->nodes[i].next = i + 1 < count ? &handle->nodes[i + 1] : NULL;
    }
    if (request->body_size < EXPECT_MIN_BYTES) /* each line is looked at a dozen times */
        handle->nodes[ACCEPT].next = &handle->nodes[AGENT];
    return S3STORE_OK;
}

#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode set_code_ = curl_easy_setopt(easy, option, value);                                \
        if (set_code_ != CURLE_OK)                                                                 \
            return set_code_;                                                                      \
    } while (0)

/* Those may not be done twice, either. */
static bool takes_body(const char *method)
{
    return strcmp(method, "PUT") == 0 || strcmp(method, "POST") == 0;
}

static size_t receive_header(char *line, size_t size, size_t count, void *ctx);
static size_t receive_body(char *data, size_t size, size_t count, void *ctx);
static int begin_request(void *ctx, char *ip, char *own_ip, int port, int own_port);

/* PUT and POST begin with a body of no bytes. */
static CURLcode set_method(s3s_http_handle *handle, const s3s_http_request *r)
{
    CURL *easy = handle->easy;
    handle->method[0] = '\0';
    handle->has_body = false;
    if (takes_body(r->method)) {
        SET(CURLOPT_NOBODY, 0L);
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDS, "");
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
        SET(CURLOPT_CUSTOMREQUEST, r->method);
    } else {
        SET(CURLOPT_POSTFIELDS, NULL); /* before HTTPGET: it makes a POST of the request */
        SET(CURLOPT_HTTPGET, 1L);
        bool head = strcmp(r->method, "HEAD") == 0;
        SET(CURLOPT_NOBODY, head ? 1L : 0L);
        SET(CURLOPT_CUSTOMREQUEST, head || strcmp(r->method, "GET") == 0 ? NULL : r->method);
    }
    size_t size = strlen(r->method);
    if (size < sizeof handle->method)
        memcpy(handle->method, r->method, size + 1);
    return CURLE_OK;
}

/* Answers to GET are of the sizes that those before were of; all others are small. libcurl refuses while
 * it still has the buffer of a transfer that ended early: then the next request asks again. */
static void choose_buffer(s3s_http_handle *handle, const char *method)
{
    bool large = strcmp(method, "GET") == 0 && handle->last_received > BUFFER_BYTES;
    long bytes = large ? BUFFER_BYTES_LARGE : BUFFER_BYTES;
    if (bytes != handle->buffer_bytes &&
        curl_easy_setopt(handle->easy, CURLOPT_BUFFERSIZE, bytes) == CURLE_OK)
        handle->buffer_bytes = bytes;
}

/* Each option is a look through a long list, and some are copied: what the last request of the handle
 * had set for its method is not set again for the same one. */
static CURLcode set_request_options(transfer *t)
{
    s3s_http_handle *handle = t->handle;
    CURL *easy = handle->easy;
    const s3s_http_request *r = t->request;
    if (strcmp(handle->method, r->method) != 0) {
        CURLcode code = set_method(handle, r);
        if (code != CURLE_OK)
            return code;
    }
    if (r->body_size > 0 && takes_body(r->method)) {
        handle->has_body = true;
        SET(CURLOPT_POSTFIELDS, r->body);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_size);
    }
    SET(CURLOPT_URL, r->url);
    choose_buffer(handle, r->method);
    return CURLE_OK;
}

/* Nothing of the caller's stays. */
static void forget_body(s3s_http_handle *handle)
{
    if (!handle->has_body)
        return;
    curl_easy_setopt(handle->easy, CURLOPT_POSTFIELDS, "");
    curl_easy_setopt(handle->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
    handle->has_body = false;
}

CURLcode s3s_http_set_callbacks(s3s_http_handle *handle)
{
    CURL *easy = handle->easy;
    SET(CURLOPT_HEADERFUNCTION, receive_header);
    SET(CURLOPT_HEADERDATA, handle);
    SET(CURLOPT_WRITEFUNCTION, receive_body);
    SET(CURLOPT_WRITEDATA, handle);
    SET(CURLOPT_PREREQFUNCTION, begin_request);
    SET(CURLOPT_PREREQDATA, handle);
    SET(CURLOPT_HTTPHEADER, handle->nodes);
    return CURLE_OK;
}

/* "https://host:port" of the URL: what messages may show. */
static const char *host_of(transfer *t)
{
    const char *url = t->request->url;
    const char *scheme_end = strstr(url, "://");
    const char *start = scheme_end == NULL ? url : scheme_end + 3;
    size_t size = (size_t)(start - url) + strcspn(start, "/?#");
    if (size >= HOST_TEXT_SIZE)
        size = HOST_TEXT_SIZE - 1;
    memcpy(t->host, url, size);
    t->host[size] = '\0';
    return t->host;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* The clock is read once for each turn of the loop, not for each line of an answer. */
static void touch(transfer *t)
{
    t->moved = true;
}

/* "HTTP/1.1 200 OK": an informational answer is passed over, the final one is told. */
static void receive_status_line(transfer *t, const char *line, size_t size)
{
    const char *space = memchr(line, ' ', size);
    int code = 0;
    const char *end = line + size;
    for (const char *p = space; p != NULL && p + 1 < end && p - space < 3; p++) {
        if (p[1] < '0' || p[1] > '9')
            break;
        code = code * 10 + (p[1] - '0');
    }
    t->final_answer = code >= 200;
    if (!t->final_answer)
        return;
    t->result->status = code;
    t->result->progress = S3S_HTTP_ANSWERING;
    if (t->request->on_status != NULL)
        t->request->on_status(t->request->ctx, code);
}

static void receive_header_line(transfer *t, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (colon == NULL || t->request->on_header == NULL)
        return;
    const char *value = colon + 1;
    const char *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    t->request->on_header(t->request->ctx, line, (size_t)(colon - line), value,
                          (size_t)(end - value));
}

static size_t receive_header(char *line, size_t size, size_t count, void *ctx)
{
    transfer *t = ((const s3s_http_handle *)ctx)->transfer;
    size_t bytes = size * count; /* size is always 1 */
    touch(t);
    t->header_bytes += bytes;
    if (t->header_bytes > S3S_HTTP_HEADERS_MAX_BYTES) {
        t->stopped = s3s_fail(t->err, S3STORE_CORRUPT,
                              "%s answered with more than %u bytes of headers", host_of(t),
                              S3S_HTTP_HEADERS_MAX_BYTES);
        return 0;
    }
    size_t text = bytes;
    while (text > 0 && (line[text - 1] == '\n' || line[text - 1] == '\r'))
        text--;
    if (t->headers_done)
        return bytes; /* trailers */
    if (text >= 5 && memcmp(line, "HTTP/", 5) == 0)
        receive_status_line(t, line, text);
    else if (t->final_answer && text == 0)
        t->headers_done = true;
    else if (t->final_answer)
        receive_header_line(t, line, text);
    return bytes;
}

static size_t receive_body(char *data, size_t size, size_t count, void *ctx)
{
    transfer *t = ((const s3s_http_handle *)ctx)->transfer;
    size_t bytes = size * count;
    t->result->received += bytes;
    s3store_status status = S3STORE_OK;
    if (t->request->on_body != NULL && bytes > 0)
        status = t->request->on_body(t->request->ctx, data, bytes, t->err);
    touch(t);
    if (status == S3STORE_OK)
        return bytes;
    t->stopped = status;
    return bytes == 0 ? 1 : 0; /* anything but bytes ends the transfer */
}

/* ---- driving it ------------------------------------------------------------------------------ */

static void wake_multi(void *ctx)
{
    curl_multi_wakeup(ctx);
}

static long bytes_sent(const transfer *t)
{
    long size = 0;
    curl_easy_getinfo(t->handle->easy, CURLINFO_REQUEST_SIZE, &size);
    return size;
}

static bool was_sent(const transfer *t)
{
    return t->began && bytes_sent(t) > t->overhead;
}

/* The connection stands. The second time in one transfer, libcurl has found a kept connection dead
 * and would send everything once more on a new one: a write that may have arrived is not sent
 * again behind the caller's back, since what became of the first would be forgotten. */
static int begin_request(void *ctx, char *ip, char *own_ip, int port, int own_port)
{
    (void)ip;
    (void)own_ip;
    (void)port;
    (void)own_port;
    transfer *t = ((const s3s_http_handle *)ctx)->transfer;
    t->replay_refused = was_sent(t) && takes_body(t->request->method);
    if (t->replay_refused)
        return CURL_PREREQFUNC_ABORT;
    if (!t->began)
        t->overhead = bytes_sent(t);
    t->began = true;
    return CURL_PREREQFUNC_OK;
}

static void note_upload(transfer *t)
{
    curl_off_t uploaded = 0;
    if (t->request->body_size > 0)
        curl_easy_getinfo(t->handle->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    bool begun = t->result->progress == S3S_HTTP_NOT_SENT && was_sent(t);
    if (begun)
        t->result->progress = S3S_HTTP_SENT;
    if (begun || uploaded != t->uploaded) {
        t->uploaded = uploaded;
        touch(t);
    }
}

/* When the limits of the attempt say stop; S3STORE_TIME_NONE = libcurl watches (connecting). */
static int64_t attempt_limit(const transfer *t)
{
    if (t->result->progress == S3S_HTTP_NOT_SENT)
        return S3STORE_TIME_NONE;
    bool waiting = t->result->progress == S3S_HTTP_SENT &&
                   (uint64_t)t->uploaded >= (uint64_t)t->request->body_size;
    return t->activity_us +
           (waiting ? t->http->first_byte_timeout_us : t->http->idle_timeout_us);
}

static s3store_status check_limits(transfer *t, int *wait_ms)
{
    s3store_status status = s3s_call_check(t->http->env, t->call, t->err);
    if (status != S3STORE_OK)
        return status;
    int64_t now = s3s_mono_us(t->http->env);
    if (t->moved)
        t->activity_us = now;
    t->moved = false;
    int64_t limit = attempt_limit(t);
    if (limit != S3STORE_TIME_NONE && now >= limit)
        return s3s_fail(t->err, S3STORE_TIMEOUT, "%s sent nothing for %.1f s%s", host_of(t),
                        (double)(now - t->activity_us) / 1e6,
                        t->result->progress == S3S_HTTP_SENT ? " after the request" : "");
    int64_t wait_us = (int64_t)POLL_MAX_MS * 1000;
    if (limit != S3STORE_TIME_NONE && limit - now < wait_us)
        wait_us = limit - now;
    if (t->call != NULL && t->call->deadline_us != S3STORE_TIME_NONE &&
        t->call->deadline_us - now < wait_us)
        wait_us = t->call->deadline_us - now;
    *wait_ms = wait_us <= 0 ? 0 : (int)((wait_us + 999) / 1000);
    return S3STORE_OK;
}

static CURLcode transfer_code(CURLM *multi)
{
    CURLcode code = CURLE_FAILED_INIT;
    int left = 0;
    for (CURLMsg *msg = curl_multi_info_read(multi, &left); msg != NULL;
         msg = curl_multi_info_read(multi, &left))
        if (msg->msg == CURLMSG_DONE)
            code = msg->data.result;
    return code;
}

/* Until it ended by itself (*code) or a limit stopped it (t->stopped). */
static void drive(transfer *t, CURLcode *code)
{
    CURLM *multi = t->handle->multi;
    for (;;) {
        int running = 0;
        CURLMcode multi_code = curl_multi_perform(multi, &running);
        note_upload(t);
        if (multi_code == CURLM_OK && running == 0) {
            *code = transfer_code(multi);
            return;
        }
        int wait_ms = 0;
        if (multi_code == CURLM_OK && t->stopped == S3STORE_OK) {
            t->stopped = check_limits(t, &wait_ms);
            if (t->stopped != S3STORE_OK)
                return;
            multi_code = curl_multi_poll(multi, NULL, 0, wait_ms, NULL);
        }
        if (multi_code != CURLM_OK) {
            *code = multi_code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
            return;
        }
    }
}

/* ---- how it ended ---------------------------------------------------------------------------- */

typedef struct code_entry {
    CURLcode code;
    s3store_status status;
    const char *format; /* one %s: the host */
} code_entry;

/* Codes that say more than "the connection broke". */
static const code_entry code_table[] = {
    {CURLE_OUT_OF_MEMORY, S3STORE_OUT_OF_MEMORY, "not enough memory for a request to %s"},
    {CURLE_URL_MALFORMAT, S3STORE_INVALID_ARGUMENT, "%s is not a usable address"},
    {CURLE_COULDNT_RESOLVE_PROXY, S3STORE_UNAVAILABLE, "cannot find the proxy on the way to %s"},
    {CURLE_COULDNT_RESOLVE_HOST, S3STORE_UNAVAILABLE, "cannot find the host of %s"},
    {CURLE_COULDNT_CONNECT, S3STORE_UNAVAILABLE, "cannot connect to %s"},
    {CURLE_OPERATION_TIMEDOUT, S3STORE_UNAVAILABLE, "no connection to %s within the time limit"},
    {CURLE_SSL_CONNECT_ERROR, S3STORE_UNAVAILABLE, "the TLS handshake with %s failed"},
    {CURLE_PEER_FAILED_VERIFICATION, S3STORE_UNAVAILABLE,
     "the certificate of %s is not trusted (a CA bundle can be given)"},
    {CURLE_SSL_CACERT_BADFILE, S3STORE_INVALID_ARGUMENT,
     "cannot read the CA bundle for %s"},
    {CURLE_PARTIAL_FILE, S3STORE_UNAVAILABLE, "%s broke off in the middle of its answer"},
};

static s3store_status explain_failure(transfer *t, CURLcode code)
{
    s3store_error *err = t->err;
    const char *detail = t->handle->detail[0] != '\0' ? t->handle->detail
                                                      : curl_easy_strerror(code);
    if (t->replay_refused)
        detail = "the server had closed the kept connection";
    if (code == CURLE_UNSUPPORTED_PROTOCOL && t->result->progress == S3S_HTTP_NOT_SENT)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s is not a usable address: %s", host_of(t),
                        detail);
    for (size_t i = 0; i < sizeof code_table / sizeof code_table[0]; i++) {
        if (code_table[i].code != code)
            continue;
        char what[HOST_TEXT_SIZE + 100];
        const char *format = code_table[i].format;
        const char *place = strstr(format, "%s");
        snprintf(what, sizeof what, "%.*s%s%s", (int)(place - format), format, host_of(t),
                 place + 2);
        bool plain = strstr(detail, "wrong version number") != NULL;
        return s3s_fail(err, code_table[i].status, "%s: %s%s", what, detail,
                        plain ? " (the server may speak plain http)" : "");
    }
    static const char *const when[] = {"before the request was sent", "before an answer came",
                                       "in the middle of the answer",
                                       "in the middle of the answer"};
    return s3s_fail(err, S3STORE_UNAVAILABLE, "the connection to %s broke %s: %s", host_of(t),
                    when[t->result->progress], detail);
}

static void count_connection(transfer *t)
{
    long opened = 0;
    curl_easy_getinfo(t->handle->easy, CURLINFO_NUM_CONNECTS, &opened);
    t->result->reused = opened == 0 && t->result->progress != S3S_HTTP_NOT_SENT;
    if (opened > 0)
        atomic_fetch_add_explicit(&t->http->opened, (uint64_t)opened, memory_order_relaxed);
    else if (t->result->reused)
        atomic_fetch_add_explicit(&t->http->reused, 1, memory_order_relaxed);
}

/* Bytes beyond the last answer wait on the kept connection: it must not be used again, or they
 * would be taken for the answer to this request. (The socket may be closed by now, and its number
 * another's: then the worst is a new connection.) */
static bool has_surplus(const s3s_http_handle *handle)
{
    char byte;
    return handle->socket != CURL_SOCKET_BAD &&
           recv(handle->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static s3store_status drop_connections(transfer *t)
{
    CURLM *fresh = curl_multi_init();
    if (fresh == NULL)
        return s3s_fail_memory(t->err, 0);
    curl_multi_cleanup(t->handle->multi);
    t->handle->multi = fresh;
    return S3STORE_OK;
}

static s3store_status run(transfer *t)
{
    s3s_http_handle *handle = t->handle;
    s3store_status ready = has_surplus(handle) ? drop_connections(t) : S3STORE_OK;
    handle->socket = CURL_SOCKET_BAD;
    if (ready != S3STORE_OK)
        return ready;
    CURLMcode added = curl_multi_add_handle(handle->multi, handle->easy);
    if (added != CURLM_OK)
        return added == CURLM_OUT_OF_MEMORY
                   ? s3s_fail_memory(t->err, 0)
                   : s3s_fail(t->err, S3STORE_INTERNAL, "cannot begin an HTTP transfer: %s",
                              curl_multi_strerror(added));
    s3store_cancel *cancel = t->call != NULL ? t->call->cancel : NULL;
    s3s_cancel_sub sub = {0};
    s3s_cancel_subscribe(cancel, &sub, wake_multi, handle->multi);
    CURLcode code = CURLE_OK;
    drive(t, &code);
    s3s_cancel_unsubscribe(cancel, &sub);
    count_connection(t);
    curl_easy_getinfo(handle->easy, CURLINFO_ACTIVESOCKET, &handle->socket);
    curl_multi_remove_handle(handle->multi, handle->easy); /* closes what is not complete */
    /* libcurl takes a connection that ends inside the headers for a complete answer. */
    if (t->stopped == S3STORE_OK && code == CURLE_OK && !t->headers_done)
        code = CURLE_PARTIAL_FILE;
    if (t->stopped == S3STORE_END || (t->stopped == S3STORE_OK && code == CURLE_OK)) {
        t->result->progress = S3S_HTTP_ANSWERED;
        return S3STORE_OK;
    }
    return t->stopped != S3STORE_OK ? t->stopped : explain_failure(t, code);
}

s3store_status s3s_http_transfer(s3s_http *http, s3s_http_handle *handle, const s3store_call *call,
                                 const s3s_http_request *request, s3s_http_result *result,
                                 s3store_error *err)
{
    transfer t;
    memset(&t, 0, offsetof(transfer, host));
    t.http = http;
    t.handle = handle;
    t.call = call;
    t.request = request;
    t.result = result;
    t.err = err;
    handle->detail[0] = '\0';
    touch(&t);
    s3store_status status = make_header_list(handle, http->user_agent, request, err);
    if (status != S3STORE_OK)
        return status;
    handle->transfer = &t;
    CURLcode code = set_request_options(&t);
    status = code == CURLE_OK ? run(&t) : explain_failure(&t, code);
    forget_body(handle);
    if (strcmp(request->method, "GET") == 0)
        handle->last_received = result->received;
    handle->transfer = NULL;
    return status;
}
