#include "support/tunnel.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/tempdir.h"

enum { MAX_CONNECTIONS = 64 };

struct tunnel {
    tunnel_kind kind;
    int listener, upstream_port;
    int stop_pipe[2]; /* readable (closed at its other end) = stop */
    char url[64], dir[TEMPDIR_SIZE], ca_path[TEMPDIR_SIZE + 16];
    SSL_CTX *tls;
    pthread_t acceptor;
    bool accepting;
    pthread_mutex_t lock;
    struct {
        pthread_t threads[MAX_CONNECTIONS];
        unsigned count;
    } locked;
};

/* One connection: the client's socket, TLS on it or NULL, and the way on. */
typedef struct connection {
    tunnel *t;
    int client, server;
    SSL *tls;
} connection;

/* ---- certificates ---------------------------------------------------------------------------- */

static bool extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

/* issuer = NULL: signed by itself, a CA. */
static X509 *make_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *c = X509_new();
    if (c == NULL)
        return NULL;
    bool ok = X509_set_version(c, 2) == 1 &&
              ASN1_INTEGER_set(X509_get_serialNumber(c), issuer == NULL ? 1 : 2) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(c), -3600) != NULL &&
              X509_gmtime_adj(X509_getm_notAfter(c), 86400) != NULL &&
              X509_set_pubkey(c, key) == 1 &&
              X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC,
                                         (const unsigned char *)name, -1, -1, 0) == 1 &&
              X509_set_issuer_name(c, X509_get_subject_name(issuer == NULL ? c : issuer)) == 1;
    if (ok && issuer == NULL)
        ok = extend(c, c, NID_basic_constraints, "critical,CA:TRUE");
    else if (ok)
        ok = extend(c, issuer, NID_subject_alt_name, "DNS:localhost");
    if (ok && X509_sign(c, issuer == NULL ? key : issuer_key, EVP_sha256()) > 0)
        return c;
    X509_free(c);
    return NULL;
}

static bool make_tls(tunnel *t)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key == NULL ? NULL : make_certificate("a CA of a test", ca_key, NULL, NULL);
    X509 *own = ca == NULL || key == NULL ? NULL : make_certificate("a test", key, ca, ca_key);
    bool ok = own != NULL;
    if (ok) {
        tempdir_new(t->dir);
        snprintf(t->ca_path, sizeof t->ca_path, "%s/ca.pem", t->dir);
        FILE *file = fopen(t->ca_path, "w");
        ok = file != NULL && PEM_write_X509(file, ca) == 1;
        if (file != NULL)
            ok = fclose(file) == 0 && ok;
    }
    t->tls = ok ? SSL_CTX_new(TLS_server_method()) : NULL;
    ok = t->tls != NULL && SSL_CTX_use_certificate(t->tls, own) == 1 &&
         SSL_CTX_use_PrivateKey(t->tls, key) == 1;
    X509_free(own);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return ok;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static ssize_t receive(connection *l, char *bytes, size_t size)
{
    return l->tls != NULL ? SSL_read(l->tls, bytes, (int)size) : recv(l->client, bytes, size, 0);
}

static bool send_all(connection *l, bool to_client, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n;
        if (to_client && l->tls != NULL)
            n = SSL_write(l->tls, bytes, (int)size);
        else
            n = send(to_client ? l->client : l->server, bytes, size, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static bool connect_to(connection *l, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return l->server >= 0 && connect(l->server, (struct sockaddr *)&to, sizeof to) == 0;
}

/* Both ways, until an end closes or the tunnel stops. */
static void pump(connection *l)
{
    char bytes[16384];
    for (;;) {
        struct pollfd fds[] = {
            {l->client, POLLIN, 0}, {l->server, POLLIN, 0}, {l->t->stop_pipe[0], POLLIN, 0}};
        bool waiting = l->tls != NULL && SSL_pending(l->tls) > 0;
        if (!waiting && poll(fds, 3, -1) < 0)
            continue;
        if (fds[2].revents != 0)
            return;
        if (waiting || fds[0].revents != 0) {
            ssize_t n = receive(l, bytes, sizeof bytes);
            if (n <= 0 || !send_all(l, false, bytes, (size_t)n))
                return;
        }
        if (!waiting && fds[1].revents != 0) {
            ssize_t n = recv(l->server, bytes, sizeof bytes, 0);
            if (n <= 0 || !send_all(l, true, bytes, (size_t)n))
                return;
        }
    }
}

static void reset_at_close(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static void serve_tls(connection *l)
{
    char bytes[1024];
    l->tls = SSL_new(l->t->tls);
    if (l->tls == NULL || SSL_set_fd(l->tls, l->client) != 1 || SSL_accept(l->tls) != 1)
        return;
    if (l->t->kind == TUNNEL_TLS_HANGS_UP) {
        receive(l, bytes, sizeof bytes);
        reset_at_close(l->client);
    } else if (connect_to(l, l->t->upstream_port)) {
        pump(l);
    }
}

static void serve_proxy(connection *l)
{
    static const char refused[] = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    static const char connected[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    char head[8192];
    size_t size = 0;
    int port;
    do { /* the head of the first request */
        ssize_t n = receive(l, head + size, sizeof head - 1 - size);
        if (n <= 0)
            return;
        size += (size_t)n;
        head[size] = '\0';
    } while (strstr(head, "\r\n\r\n") == NULL);
    if (l->t->kind == TUNNEL_PROXY_REFUSES) {
        send_all(l, true, refused, sizeof refused - 1);
    } else if (sscanf(head, "CONNECT %*[^:]:%d", &port) == 1) {
        if (connect_to(l, port) && send_all(l, true, connected, sizeof connected - 1))
            pump(l);
    } else if (connect_to(l, l->t->upstream_port) && send_all(l, false, head, size)) {
        pump(l);
    }
}

static void *serve(void *ctx)
{
    connection *l = ctx;
    if (l->t->tls != NULL)
        serve_tls(l);
    else
        serve_proxy(l);
    SSL_free(l->tls);
    OPENSSL_thread_stop();
    close(l->client);
    if (l->server >= 0)
        close(l->server);
    free(l);
    return NULL;
}

/* ---- the tunnel ------------------------------------------------------------------------------ */

static void take_connection(tunnel *t, int client)
{
    struct timeval limit = {.tv_sec = 10}; /* nobody waits for ever at the stop */
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connection *l = calloc(1, sizeof *l);
    if (l != NULL)
        *l = (connection){.t = t, .client = client, .server = -1};
    pthread_mutex_lock(&t->lock);
    unsigned i = t->locked.count;
    if (l != NULL && i < MAX_CONNECTIONS &&
        pthread_create(&t->locked.threads[i], NULL, serve, l) == 0) {
        t->locked.count = i + 1;
        l = NULL;
    } else {
        close(client);
    }
    pthread_mutex_unlock(&t->lock);
    free(l);
}

static void *accept_connections(void *ctx)
{
    tunnel *t = ctx;
    sigset_t signals; /* TLS writes without MSG_NOSIGNAL; threads made here inherit the mask */
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    for (;;) {
        struct pollfd fds[] = {{t->listener, POLLIN, 0}, {t->stop_pipe[0], POLLIN, 0}};
        if (poll(fds, 2, -1) < 0)
            continue;
        if (fds[1].revents != 0)
            return NULL;
        int client = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            take_connection(t, client);
    }
}

static bool listen_on_a_free_port(tunnel *t)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t->listener < 0 || bind(t->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(t->listener, 64) != 0 ||
        getsockname(t->listener, (struct sockaddr *)&at, &size) != 0)
        return false;
    snprintf(t->url, sizeof t->url, t->tls != NULL ? "https://localhost:%d" : "http://127.0.0.1:%d",
             ntohs(at.sin_port));
    return true;
}

tunnel *tunnel_start(tunnel_kind kind, const char *upstream_url)
{
    tunnel *t = calloc(1, sizeof *t);
    if (t == NULL)
        return NULL;
    t->kind = kind;
    t->listener = t->stop_pipe[0] = t->stop_pipe[1] = -1;
    pthread_mutex_init(&t->lock, NULL);
    bool tls = kind == TUNNEL_TLS || kind == TUNNEL_TLS_HANGS_UP;
    t->accepting = sscanf(upstream_url, "http://127.0.0.1:%d", &t->upstream_port) == 1 &&
                   (!tls || make_tls(t)) && listen_on_a_free_port(t) && pipe(t->stop_pipe) == 0 &&
                   pthread_create(&t->acceptor, NULL, accept_connections, t) == 0;
    if (t->accepting)
        return t;
    tunnel_stop(t);
    return NULL;
}

void tunnel_stop(tunnel *t)
{
    if (t->stop_pipe[1] >= 0)
        close(t->stop_pipe[1]);
    if (t->accepting) {
        pthread_join(t->acceptor, NULL);
        for (unsigned i = 0; i < t->locked.count; i++)
            pthread_join(t->locked.threads[i], NULL);
    }
    if (t->stop_pipe[0] >= 0)
        close(t->stop_pipe[0]);
    if (t->listener >= 0)
        close(t->listener);
    SSL_CTX_free(t->tls);
    if (t->dir[0] != '\0')
        tempdir_remove(t->dir);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

const char *tunnel_url(const tunnel *t)
{
    return t->url;
}

const char *tunnel_ca_bundle(const tunnel *t)
{
    return t->ca_path;
}

unsigned tunnel_connections(tunnel *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned count = t->locked.count;
    pthread_mutex_unlock(&t->lock);
    return count;
}
