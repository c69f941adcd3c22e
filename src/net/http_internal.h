/* net/http_internal.h: what http.c (client, handles) and http_transfer.c (one request) share. */
#ifndef S3S_NET_HTTP_INTERNAL_H
#define S3S_NET_HTTP_INTERNAL_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buffer.h"
#include "base/sync.h"
#include "net/http.h"

#define S3S_HTTP_REQUEST_HEADERS_MAX 64
/* Of one answer, all header lines together. S3 allows 8 KiB of headers. */
#define S3S_HTTP_HEADERS_MAX_BYTES (256u * 1024)

/* A transfer and the connections it has opened. Used by one thread at a time. */
typedef struct s3s_http_handle {
    struct s3s_http_handle *next;
    CURLM *multi;
    CURL *easy;
    struct transfer *transfer; /* the request that is being sent: what callbacks are about */
    char method[8];            /* that the options are set for; "" = none yet */
    bool has_body;             /* POSTFIELDS is something else than nothing */
    long buffer_bytes;         /* that the option is set to; 0 = not yet */
    uint64_t last_received;    /* by the last GET; UINT64_MAX = there was none */
    s3s_buffer lines; /* the request's header lines, each with its NUL */
    struct curl_slist nodes[S3S_HTTP_REQUEST_HEADERS_MAX + 3];
    char detail[CURL_ERROR_SIZE];
    curl_socket_t socket; /* of the last request, CURL_SOCKET_BAD = none; may be closed since */
} s3s_http_handle;

struct s3s_http {
    s3s_env *env;
    size_t max_idle;
    int64_t connect_timeout_us;
    int64_t first_byte_timeout_us;
    int64_t idle_timeout_us;
    bool no_verify_tls;
    _Atomic bool may_use_tls; /* a request did, or the environment names such a proxy */
    bool no_proxy;
    char *ca_bundle;
    char *user_agent;
    /* Names and TLS sessions are shared by all handles; each kind of data has its own lock. */
    CURLSH *share;
    pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
    _Atomic uint64_t opened;
    _Atomic uint64_t reused;
    s3s_mutex mutex;
    struct {
        s3s_http_handle *idle; /* the last one used first */
        size_t idle_count;
    } locked;
};

/* SIGPIPE of a TLS library's write stays in this thread and is swallowed. */
typedef struct s3s_sigpipe_guard {
    bool active;
    bool was_blocked;
    bool was_pending;
} s3s_sigpipe_guard;
void s3s_sigpipe_block(s3s_sigpipe_guard *guard);
void s3s_sigpipe_restore(const s3s_sigpipe_guard *guard);

/* What of all requests is the same: the callbacks, which find the request through the handle, and the
 * place of its header lines. */
CURLcode s3s_http_set_callbacks(s3s_http_handle *handle);
s3store_status s3s_http_transfer(s3s_http *http, s3s_http_handle *handle, const s3store_call *call,
                                 const s3s_http_request *request, s3s_http_result *result,
                                 s3store_error *err);

#endif
