/* tests/support/tunnel.h: what stands between a client and http_server.h: TLS, or a proxy.
 *
 * Listens on a free port of 127.0.0.1. Several connections at a time; each is a thread.
 */
#ifndef S3S_TESTS_SUPPORT_TUNNEL_H
#define S3S_TESTS_SUPPORT_TUNNEL_H

typedef enum tunnel_kind {
    TUNNEL_TLS,           /* takes TLS off; the certificate names "localhost" and nothing else */
    TUNNEL_TLS_HANGS_UP,  /* closes with a reset after the first bytes of a request */
    TUNNEL_PROXY,         /* CONNECT leads to the port asked for on 127.0.0.1; any other request goes
                             to the upstream server as it came */
    TUNNEL_PROXY_REFUSES, /* 403 to everything */
} tunnel_kind;

typedef struct tunnel tunnel;

/* upstream_url: "http://127.0.0.1:PORT". NULL: it could not start (the test should fail). */
tunnel *tunnel_start(tunnel_kind kind, const char *upstream_url);
void tunnel_stop(tunnel *t);

const char *tunnel_url(const tunnel *t);       /* https://localhost:PORT; http://127.0.0.1:PORT */
const char *tunnel_ca_bundle(const tunnel *t); /* a PEM file, gone after the stop; TLS only */
unsigned tunnel_connections(tunnel *t);        /* how many came */

#endif
