/* tests/support/failure_server.h: an HTTP server in this process that fails by script.
 *
 * One thread, any number of connections, a free port of 127.0.0.1. What it does is data
 * (failure_script.h). It counts the steps that it played: one for each request, or for each
 * connection where a step says so. Unlike http_server.h it also breaks off inside heads and before
 * a request's body was read, honours ranges, and sends bodies of any size from a pattern.
 */
#ifndef S3S_TESTS_SUPPORT_FAILURE_SERVER_H
#define S3S_TESTS_SUPPORT_FAILURE_SERVER_H

#include "support/failure_script.h"

typedef struct failure_server failure_server;

/* The script is borrowed. NULL: it could not start. */
failure_server *failure_server_start(const failure_script *script);
void failure_server_stop(failure_server *server);

const char *failure_server_url(const failure_server *server); /* "http://127.0.0.1:PORT" */
unsigned failure_server_played(const failure_server *server); /* steps */
/* Until all that was played was sent, and what it closes is closed. */
void failure_server_wait_settled(const failure_server *server);
unsigned failure_server_connections(const failure_server *server);

#endif
