/* net/http.h: one HTTP/1.1 request at a time, over connections that are kept. The only door to
 * libcurl.
 *
 * A client holds handles (a transfer and the connections it has opened); a request takes the
 * handle that was used last, so that its connection is the warmest one. A request blocks its
 * thread until it is answered, a limit passes, or the caller cancels (within 100 ms). The client
 * follows no redirect, reads no .netrc, keeps no cookie and asks for no compression. Proxies are
 * taken from the environment (http_proxy, https_proxy, all_proxy, no_proxy). It is never used in
 * a simulated env.
 */
#ifndef S3S_NET_HTTP_H
#define S3S_NET_HTTP_H

#include "base/env.h"

typedef struct s3s_http s3s_http;

/* Limits in microseconds. A limit ends one attempt; the caller's deadline comes with each
 * request. */
typedef struct s3s_http_options {
    size_t max_idle;               /* handles kept when no request uses them; 0 = 32 */
    const char *ca_bundle;         /* PEM file; NULL = the system's */
    bool no_verify_tls;            /* any certificate will do */
    bool no_proxy;                 /* never through a proxy: for addresses of the machine itself */
    const char *user_agent;        /* NULL = "s3store/VERSION" */
    int64_t connect_timeout_us;    /* name, connection and TLS handshake; 0 = 10 s */
    int64_t first_byte_timeout_us; /* from the last byte sent to the first received; 0 = 30 s */
    int64_t idle_timeout_us;       /* without a byte in either direction; 0 = 30 s */
} s3s_http_options;

/* Text is copied. options may be NULL. */
s3store_status s3s_http_new(s3s_env *env, const s3s_http_options *options, s3s_http **out,
                            s3store_error *err);
void s3s_http_free(s3s_http *http); /* no request may be in progress; NULL allowed */

typedef struct s3s_http_header {
    const char *name;
    const char *value;
} s3s_http_header;

/* A handle kept between requests by one who makes them one after the other: it need not be looked for.
 * {0} is empty; emptied before its client is freed. */
typedef struct s3s_http_lease {
    struct s3s_http_handle *handle;
} s3s_http_lease;
void s3s_http_lease_deinit(s3s_http *http, s3s_http_lease *lease);

/* One request; everything is borrowed for the call. The callbacks come from the calling thread. */
typedef struct s3s_http_request {
    const char *method; /* GET, HEAD, PUT, POST, DELETE */
    const char *url;    /* goes out as it is, "//" and "./" included */
    const s3s_http_header *headers; /* no line breaks inside; Host too, where it was signed */
    size_t header_count;
    const void *body; /* PUT and POST */
    size_t body_size;

    s3s_http_lease *lease; /* NULL = any idle handle */

    void *ctx;
    /* The final answer's status line (not 100 Continue), then its headers. May be NULL. */
    void (*on_status)(void *ctx, int status);
    void (*on_header)(void *ctx, const char *name, size_t name_size, const char *value,
                      size_t value_size);
    /* The answer's body. Any status but OK ends the request with it, except END: the rest is not
     * wanted, the request is done. NULL = the body is thrown away. */
    s3store_status (*on_body)(void *ctx, const void *data, size_t size, s3store_error *err);
} s3s_http_request;

/* How far a request came: tells a write that cannot have happened from one that may have. */
typedef enum s3s_http_progress {
    S3S_HTTP_NOT_SENT = 0, /* not a byte of it left: no name, no connection, no TLS */
    S3S_HTTP_SENT = 1,     /* some of it left, no answer began */
    S3S_HTTP_ANSWERING = 2, /* a final status line came, the answer is not complete */
    S3S_HTTP_ANSWERED = 3, /* all of it came */
} s3s_http_progress;

typedef struct s3s_http_result {
    s3s_http_progress progress;
    int status;           /* 0 = none */
    bool reused;          /* no connection was opened */
    uint64_t received;    /* bytes of body */
} s3s_http_result;

/* OK: answered, whatever the HTTP status. UNAVAILABLE: no connection, or it broke. TIMEOUT: the
 * deadline of call or a limit of the client passed. CANCELLED. CORRUPT: the headers go beyond
 * every bound. INVALID_ARGUMENT: the URL, a header or the CA bundle cannot be used. Or what
 * on_body returned. The message names the server's host, never the query. *result is always
 * filled. */
s3store_status s3s_http_perform(s3s_http *http, const s3store_call *call,
                                const s3s_http_request *request, s3s_http_result *result,
                                s3store_error *err);

typedef struct s3s_http_counts {
    uint64_t opened; /* connections */
    uint64_t reused; /* requests that went over a kept connection */
} s3s_http_counts;
void s3s_http_read_counts(const s3s_http *http, s3s_http_counts *out);

#endif
