#include "responder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define IN_MAX 16384
#define OUT_MAX (512 * 1024)
#define PENDING_MAX 4096
#define KEPT_MAX 4096
#define COMMON                                                                                     \
    "Date: Tue, 17 Mar 2026 14:00:00 GMT\r\nServer: responder\r\nx-amz-request-id: 0123456789\r\n"  \
    "Connection: keep-alive\r\n"
#define OBJECT                                                                                     \
    "ETag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\nLast-Modified: Tue, 17 Mar 2026 13:59:58 "      \
    "GMT\r\nx-amz-meta-rows: 3\r\n"

typedef struct connection {
    int fd;
    size_t used;
    uint64_t body_left; /* of a request, still to be thrown away */
    bool head_done;
    char in[IN_MAX + 1];
    size_t out_at, out_size;
    char out[];
} connection;

typedef struct pending {
    int64_t due_us;
    connection *c;
} pending;

typedef struct server {
    responder_options options;
    int listener, poll;
    pending queue[PENDING_MAX]; /* a ring; one delay for all keeps it in order */
    size_t first, count;
} server;

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- listings -------------------------------------------------------------------------------- */

/* "d/007/000123": key i of all, in byte order. */
static void key_of(const server *s, size_t i, char *out, size_t out_size)
{
    size_t each = s->options.keys / s->options.prefixes;
    snprintf(out, out_size, "d/%03zu/%06zu", i / each, i % each);
}

/* A query parameter, percent-decoded. */
static bool query_get(const char *target, const char *name, char *out, size_t out_size)
{
    size_t size = strlen(name);
    out[0] = '\0';
    for (const char *p = strpbrk(target, "?&"); p != NULL && *p != ' '; p = strpbrk(p, "& ")) {
        if (*p == ' ')
            return false;
        p++;
        if (strncmp(p, name, size) != 0 || p[size] != '=')
            continue;
        size_t n = 0;
        for (p += size + 1; *p != '&' && *p != ' ' && n + 1 < out_size; p++) {
            unsigned value;
            if (*p == '%' && sscanf(p + 1, "%2x", &value) == 1) {
                out[n++] = (char)value;
                p += 2;
            } else {
                out[n++] = *p;
            }
        }
        out[n] = '\0';
        return true;
    }
    return false;
}

/* The first index whose key is above the text (or at it, when equal counts). */
static size_t find_key(const server *s, const char *text, bool equal)
{
    size_t low = 0, high = s->options.keys;
    while (low < high) {
        char key[64];
        size_t middle = (low + high) / 2;
        key_of(s, middle, key, sizeof key);
        int order = strcmp(key, text);
        if (order < 0 || (order == 0 && !equal))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t write_listing(const server *s, const char *target, char *out, size_t room)
{
    char prefix[256], after[256], token[256], delimiter[16], max_text[16];
    query_get(target, "prefix", prefix, sizeof prefix);
    query_get(target, "start-after", after, sizeof after);
    query_get(target, "continuation-token", token, sizeof token);
    query_get(target, "delimiter", delimiter, sizeof delimiter);
    size_t max = query_get(target, "max-keys", max_text, sizeof max_text) ? (size_t)atoi(max_text)
                                                                          : 1000;
    size_t at = find_key(s, prefix, true);
    const char *from = token[0] != '\0' ? token : after;
    if (from[0] != '\0' && strcmp(from, prefix) >= 0) {
        size_t beyond = find_key(s, from, false);
        at = beyond > at ? beyond : at;
    }
    size_t n = 0, count = 0;
    char last[256] = "", key[64];
    bool more = false;
    n += (size_t)snprintf(out, room, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>"
                                     "<EncodingType>url</EncodingType>");
    for (; at < s->options.keys; at++) {
        key_of(s, at, key, sizeof key);
        if (strncmp(key, prefix, strlen(prefix)) != 0)
            break;
        if (count == max) {
            more = true;
            break;
        }
        char *cut = delimiter[0] != '\0' ? strstr(key + strlen(prefix), delimiter) : NULL;
        if (cut != NULL) {
            cut[strlen(delimiter)] = '\0';
            n += (size_t)snprintf(out + n, room - n,
                                  "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", key);
            snprintf(last, sizeof last, "%s\x7f", key);
            at = find_key(s, last, false) - 1;
        } else {
            n += (size_t)snprintf(
                out + n, room - n,
                "<Contents><Key>%s</Key><LastModified>2026-03-17T13:59:58.000Z</LastModified>"
                "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>1024</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>",
                key);
            snprintf(last, sizeof last, "%s", key);
        }
        count++;
    }
    n += (size_t)snprintf(out + n, room - n, "<KeyCount>%zu</KeyCount>", count);
    if (more)
        n += (size_t)snprintf(out + n, room - n,
                              "<NextContinuationToken>%s</NextContinuationToken>", last);
    n += (size_t)snprintf(out + n, room - n, "<IsTruncated>%s</IsTruncated></ListBucketResult>",
                          more ? "true" : "false");
    return n;
}

/* Listings are kept: making one takes as long as reading it, and would be measured with it. */
typedef struct kept {
    char *target;
    char *body;
    size_t size;
} kept;

static const kept *get_listing(const server *s, const char *target)
{
    static kept all[KEPT_MAX];
    static char body[OUT_MAX];
    size_t size = strcspn(target, " ");
    size_t at = size;
    for (size_t i = 0; i < size; i++)
        at = at * 31 + (unsigned char)target[i];
    kept *k = &all[at % KEPT_MAX];
    if (k->target != NULL && strncmp(k->target, target, size) == 0 && k->target[size] == '\0')
        return k;
    free(k->target);
    free(k->body);
    k->target = strndup(target, size);
    k->size = write_listing(s, target, body, sizeof body);
    k->body = malloc(k->size);
    if (k->target == NULL || k->body == NULL)
        _exit(1);
    memcpy(k->body, body, k->size);
    return k;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void make_answer(const server *s, connection *c)
{
    const char *target = strchr(c->in, ' ');
    if (strncmp(c->in, "GET", 3) == 0 && strstr(target, "list-type=2") != NULL) {
        const kept *listing = get_listing(s, target + 1);
        c->out_size = (size_t)snprintf(c->out, OUT_MAX,
                                       "HTTP/1.1 200 OK\r\n" COMMON
                                       "Content-Type: application/xml\r\nContent-Length: %zu"
                                       "\r\n\r\n",
                                       listing->size);
        memcpy(c->out + c->out_size, listing->body, listing->size);
        c->out_size += listing->size;
    } else if (strncmp(c->in, "PUT", 3) == 0) {
        c->out_size = (size_t)snprintf(c->out, OUT_MAX,
                                       "HTTP/1.1 200 OK\r\n" COMMON OBJECT
                                       "Content-Length: 0\r\n\r\n");
    } else {
        c->out_size = (size_t)snprintf(c->out, OUT_MAX,
                                       "HTTP/1.1 200 OK\r\n" COMMON OBJECT
                                       "Content-Length: 1024\r\n\r\n");
        if (strncmp(c->in, "GET", 3) == 0) {
            memset(c->out + c->out_size, 'x', 1024);
            c->out_size += 1024;
        }
    }
}

static void watch(const server *s, connection *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(s->poll, EPOLL_CTL_MOD, c->fd, &event);
}

/* What the socket does not take now goes on when it can: a slow reader must not hold up others. */
static void send_out(const server *s, connection *c)
{
    bool began = c->out_at == 0;
    while (c->out_at < c->out_size) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_size - c->out_at,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            c->out_at += (size_t)n;
        else if (n < 0 && errno == EINTR)
            continue;
        else
            break;
    }
    bool left = c->out_at < c->out_size;
    if (left && began)
        watch(s, c, EPOLLIN | EPOLLOUT);
    else if (!left && !began)
        watch(s, c, EPOLLIN);
}

static void answer(server *s, connection *c)
{
    make_answer(s, c);
    c->out_at = 0;
    c->used = 0;
    c->head_done = false;
    if (s->options.delay_ms == 0 || s->count == PENDING_MAX) {
        send_out(s, c);
        return;
    }
    s->queue[(s->first + s->count++) % PENDING_MAX] =
        (pending){now_us() + s->options.delay_ms * 1000, c};
}

/* false: the connection is over. */
static bool take_bytes(server *s, connection *c)
{
    static char thrown_away[256 * 1024];
    char *to = c->head_done ? thrown_away : c->in + c->used;
    size_t room = c->head_done ? sizeof thrown_away : IN_MAX - c->used;
    ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    if (c->head_done) {
        c->body_left -= (uint64_t)n < c->body_left ? (uint64_t)n : c->body_left;
    } else {
        c->used += (size_t)n;
        c->in[c->used] = '\0';
        char *end = strstr(c->in, "\r\n\r\n");
        if (end == NULL)
            return c->used < IN_MAX;
        size_t have = c->used - (size_t)(end + 4 - c->in);
        uint64_t length = 0;
        if (c->in[0] == 'P') {
            const char *header = strcasestr(c->in, "\r\ncontent-length:");
            length = header != NULL ? strtoull(header + 17, NULL, 10) : 0;
        }
        c->head_done = true;
        c->body_left = length > have ? length - have : 0;
    }
    if (c->body_left == 0)
        answer(s, c);
    return true;
}

static void send_due(server *s)
{
    int64_t now = now_us();
    while (s->count > 0 && s->queue[s->first].due_us <= now) {
        send_out(s, s->queue[s->first].c);
        s->first = (s->first + 1) % PENDING_MAX;
        s->count--;
    }
}

static void take_connection(server *s)
{
    int fd = accept(s->listener, NULL, NULL);
    if (fd < 0)
        return;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    connection *c = calloc(1, sizeof *c + OUT_MAX);
    if (c == NULL)
        _exit(1);
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(s->poll, EPOLL_CTL_ADD, fd, &event);
}

static _Noreturn void serve(server *s)
{
    for (;;) {
        struct epoll_event events[64];
        struct timespec wait = {0, 0};
        if (s->count > 0) {
            int64_t left = s->queue[s->first].due_us - now_us();
            wait.tv_nsec = left > 0 ? (long)(left < 999999 ? left : 999999) * 1000 : 0;
        }
        int n = s->count > 0 ? epoll_pwait2(s->poll, events, 64, &wait, NULL)
                             : epoll_wait(s->poll, events, 64, -1); /* valgrind knows this one */
        for (int i = 0; i < n; i++) {
            connection *c = events[i].data.ptr;
            if (c == NULL) {
                take_connection(s);
            } else if (events[i].events == EPOLLOUT) {
                send_out(s, c);
            } else if (!take_bytes(s, c)) {
                epoll_ctl(s->poll, EPOLL_CTL_DEL, c->fd, NULL);
                close(c->fd); /* c stays: an answer may be under way to it */
            }
        }
        send_due(s);
    }
}

void responder_start(responder *r, const responder_options *options)
{
    static server s;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } address = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    socklen_t size = sizeof address;
    s = (server){.options = *options};
    s.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s.listener < 0 || bind(s.listener, &address.any, size) != 0 ||
        listen(s.listener, 512) != 0 || getsockname(s.listener, &address.any, &size) != 0) {
        perror("responder");
        exit(1);
    }
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u", ntohs(address.in.sin_port));
    fflush(NULL);
    r->pid = fork();
    if (r->pid < 0) {
        perror("responder");
        exit(1);
    }
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "responder");
        s.poll = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
        epoll_ctl(s.poll, EPOLL_CTL_ADD, s.listener, &event);
        serve(&s);
    }
    close(s.listener);
}

void responder_stop(responder *r)
{
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
}
