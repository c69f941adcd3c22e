/* tests/support/http_server.h: an HTTP server in this process that plays a script, faults
 * included.
 *
 * It listens on a free port of 127.0.0.1. Each request, on whatever connection, takes the next
 * step of the script; after the last one the last is repeated. What was asked is recorded. Every
 * wait of the server ends at once when it is stopped.
 */
#ifndef S3S_TESTS_SUPPORT_HTTP_SERVER_H
#define S3S_TESTS_SUPPORT_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens to the connection after a step's bytes were sent. */
typedef enum http_end {
    HTTP_KEEP = 0,  /* the next request may come */
    HTTP_CLOSE = 1, /* closed in an orderly way */
    HTTP_RESET = 2, /* the peer sees a reset */
    HTTP_STALL = 3, /* nothing more comes, until the peer goes or the server stops */
} http_end;

typedef struct http_step {
    int status;           /* 0 = nothing is sent but raw and fill */
    const char *headers;  /* further lines, each with "\r\n"; NULL = none */
    const char *body;     /* NULL = none */
    int64_t length;       /* Content-Length to claim; 0 = the body's, -1 = no such header */
    const char *raw;      /* instead of all that: these bytes as they are */
    const char *fill;     /* sent fill_count times after the rest */
    uint64_t fill_count;
    http_end end;
    bool before_request;  /* the step is played when the connection comes, without reading */
} http_step;

typedef struct http_seen {
    char method[16];
    char target[8192];
    char head[16384]; /* the whole head as it came */
    char body[1024];  /* its beginning */
    size_t body_size;
    unsigned connection; /* 1 = the first that came */
} http_seen;

typedef struct http_server http_server;

/* Steps are borrowed. NULL: it could not start (the test should fail). */
http_server *http_server_start(const http_step *steps, size_t step_count);
void http_server_stop(http_server *server);

const char *http_server_url(const http_server *server); /* "http://127.0.0.1:PORT" */
size_t http_server_request_count(http_server *server);
/* A copy of the request i, which must have come. */
void http_server_seen(http_server *server, size_t i, http_seen *out);
/* The value of a header in a recorded request; "" = absent. out: 1024 bytes. */
const char *http_seen_header(const http_seen *seen, const char *name, char *out);
/* Blocks until a request was received (not yet answered): the n-th, from 1. */
void http_server_wait_for(http_server *server, size_t n);

#endif
