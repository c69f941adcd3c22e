/* bench/responder.h: an S3 server that does nothing, in a process of its own: valid answers at the cost
 * of a few system calls, so that what is measured is the client. One thread, epoll, loopback.
 *
 *   PUT     200 with an ETag (the body is thrown away)
 *   HEAD    200, size 1024
 *   GET     200 or 206 with 1 KiB
 *   LIST    a generated listing: `keys` keys, evenly below `prefixes` prefixes "d/000/"...
 */
#ifndef S3S_BENCH_RESPONDER_H
#define S3S_BENCH_RESPONDER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct responder {
    pid_t pid;
    char url[64];
} responder;

typedef struct responder_options {
    int delay_ms; /* before each answer */
    size_t prefixes, keys;
} responder_options;

/* Exits the program when it cannot. */
void responder_start(responder *r, const responder_options *options);
void responder_stop(responder *r);

#endif
