#include "support/failure_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define HEAD_MAX 65536
#define SPLIT_US 20000
#define BEFORE_RESET_US 5000

typedef struct connection {
    int fd;
    bool stalled;
    size_t used; /* bytes of head so far */
    size_t head_size; /* 0 = not complete */
    uint64_t body_left;
    char head[HEAD_MAX];
} connection;

struct failure_server {
    const failure_script *script;
    int listener;
    int stop_event;
    char url[64];
    pthread_t thread;
    size_t next_step; /* of the thread */
    atomic_uint played;
    atomic_uint opened;
    atomic_uint settled;
    connection *connections[CONNECTIONS_MAX];
    size_t connection_count;
};

/* ---- sending --------------------------------------------------------------------------------- */

/* false: the peer is gone, or the server stops. */
static bool send_all(failure_server *s, int fd, const char *data, size_t size)
{
    while (size > 0) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT},
                                {.fd = s->stop_event, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return false;
        if (fds[1].revents != 0)
            return false;
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

static bool send_fill(failure_server *s, int fd, const failure_step *step)
{
    static const size_t block_size = 65536;
    size_t per_block = step->fill_size < block_size ? block_size / step->fill_size : 1;
    char *block = malloc(per_block * step->fill_size);
    bool open = block != NULL;
    for (size_t i = 0; open && i < per_block; i++)
        memcpy(block + i * step->fill_size, step->fill, step->fill_size);
    for (uint64_t left = step->fill_count; open && left > 0;) {
        size_t n = left < per_block ? (size_t)left : per_block;
        open = send_all(s, fd, block, n * step->fill_size);
        left -= n;
    }
    free(block);
    return open;
}

/* The value of a header of the request in text, or NULL. */
static const char *request_header(const connection *c, const char *name, char *out, size_t out_size)
{
    size_t size = strlen(name);
    for (const char *line = strstr(c->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':')
            continue;
        const char *value = line + size + 1;
        value += strspn(value, " ");
        snprintf(out, out_size, "%.*s", (int)strcspn(value, "\r\n"), value);
        return out;
    }
    return NULL;
}

/* The part of the body that the request wants: [*first, *first + *size). false: all. */
static bool wanted_range(const connection *c, const failure_step *step, size_t *first,
                         size_t *size)
{
    char text[128];
    const char *range = request_header(c, "Range", text, sizeof text);
    if (!step->ranges || range == NULL || strncmp(range, "bytes=", 6) != 0)
        return false;
    range += 6;
    char *end = NULL;
    unsigned long long a = strtoull(range, &end, 10);
    unsigned long long last = step->body_size - 1;
    if (*range == '-') {
        unsigned long long suffix = strtoull(range + 1, NULL, 10);
        a = suffix < step->body_size ? step->body_size - suffix : 0;
    } else if (end[1] != '\0') {
        unsigned long long asked = strtoull(end + 1, NULL, 10);
        last = asked < last ? asked : last;
    }
    if (a > last)
        return false;
    *first = (size_t)a;
    *size = (size_t)(last - a + 1);
    return true;
}

/* Head and body in one packet where they fit, so that what a client sees first is always the
 * same; or clearly apart. */
static bool send_together(failure_server *s, int fd, const failure_step *step, const char *head,
                          size_t head_size, const char *body, size_t body_size)
{
    char both[32768];
    if (step->split || head_size + body_size > sizeof both) {
        if (!send_all(s, fd, head, head_size))
            return false;
        if (step->split)
            usleep(SPLIT_US);
        return body_size == 0 || send_all(s, fd, body, body_size);
    }
    memcpy(both, head, head_size);
    if (body_size > 0)
        memcpy(both + head_size, body, body_size);
    return send_all(s, fd, both, head_size + body_size);
}

static bool send_answer(failure_server *s, const connection *c, const failure_step *step)
{
    if (step->raw != NULL && !send_all(s, c->fd, step->raw, step->raw_size))
        return false;
    if (step->status == 0)
        return step->fill == NULL || send_fill(s, c->fd, step);
    char head[16384];
    size_t first = 0;
    size_t size = step->body_size;
    bool part = wanted_range(c, step, &first, &size);
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\n", part ? 206 : step->status);
    for (size_t i = 0; i < step->header_count; i++)
        n += snprintf(head + n, sizeof head - (size_t)n, "%s: %s\r\n", step->headers[i].name,
                      step->headers[i].value);
    if (part)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %zu-%zu/%zu\r\n",
                      first, first + size - 1, step->body_size);
    bool has_body = step->status != 204 && step->status != 304;
    int64_t length = step->length_absolute
                         ? step->length
                         : (int64_t)(size + step->fill_size * step->fill_count) + step->length;
    if (!step->length_absolute && length < 0)
        length = 0;
    if (has_body && length >= 0)
        n += snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %lld\r\n",
                      (long long)length);
    n += snprintf(head + n, sizeof head - (size_t)n, "\r\n");
    if (step->head >= 0)
        return send_all(s, c->fd, head, (size_t)(step->head < n ? step->head : n));
    if (strncmp(c->head, "HEAD ", 5) == 0 || !has_body)
        return send_all(s, c->fd, head, (size_t)n);
    bool cut = step->send >= 0 && (size_t)step->send < size;
    return send_together(s, c->fd, step, head, (size_t)n, step->body != NULL ? step->body + first : NULL,
                         cut ? (size_t)step->send : size) &&
           (cut || step->fill == NULL || send_fill(s, c->fd, step));
}

/* ---- playing --------------------------------------------------------------------------------- */

static const failure_step *upcoming(const failure_server *s)
{
    return &s->script->steps[s->next_step];
}

/* false: the connection is over. */
static bool play(failure_server *s, connection *c)
{
    const failure_step *step = upcoming(s);
    if (s->next_step + 1 < s->script->step_count)
        s->next_step++;
    atomic_fetch_add(&s->played, 1);
    bool open = send_answer(s, c, step);
    c->used = 0;
    c->head_size = 0;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    switch (step->end) {
    case FAILURE_KEEP:
        return open;
    case FAILURE_STALL:
        c->stalled = true;
        return open;
    case FAILURE_RESET:
        if (step->status != 0)
            usleep(BEFORE_RESET_US); /* a reset drops what the peer has not read yet */
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        return false;
    case FAILURE_CLOSE:
        break;
    }
    return false;
}

/* What came: false when the connection is over. */
static bool take_bytes(failure_server *s, connection *c)
{
    char block[65536];
    bool in_head = c->head_size == 0 && !c->stalled;
    char *to = in_head ? c->head + c->used : block;
    size_t room = in_head ? HEAD_MAX - 1 - c->used : sizeof block;
    if (!in_head && !c->stalled && c->body_left < room)
        room = (size_t)c->body_left;
    ssize_t n = recv(c->fd, to, room, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    if (c->stalled)
        return true;
    if (!in_head) {
        c->body_left -= (uint64_t)n;
        return c->body_left > 0 || play(s, c);
    }
    c->used += (size_t)n;
    c->head[c->used] = '\0';
    char *end = strstr(c->head, "\r\n\r\n");
    if (end == NULL)
        return c->used < HEAD_MAX - 1;
    c->head_size = (size_t)(end - c->head) + 4;
    char text[64];
    const char *length = request_header(c, "Content-Length", text, sizeof text);
    uint64_t body = length != NULL ? strtoull(length, NULL, 10) : 0;
    uint64_t have = c->used - c->head_size;
    c->head[c->head_size] = '\0';
    c->body_left = body > have ? body - have : 0;
    if (upcoming(s)->point == FAILURE_AT_HEAD || c->body_left == 0)
        return play(s, c);
    return true;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void take_connection(failure_server *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    atomic_fetch_add(&s->opened, 1);
    connection *c = s->connection_count < CONNECTIONS_MAX ? malloc(sizeof *c) : NULL;
    if (c == NULL) {
        close(fd);
        return;
    }
    c->fd = fd;
    c->stalled = false;
    c->used = 0;
    c->head_size = 0;
    c->body_left = 0;
    c->head[0] = '\0';
    if (upcoming(s)->point == FAILURE_AT_CONNECT && !play(s, c)) {
        close(fd);
        free(c);
        return;
    }
    s->connections[s->connection_count++] = c;
}

static void drop_connection(failure_server *s, size_t i)
{
    close(s->connections[i]->fd);
    free(s->connections[i]);
    s->connections[i] = s->connections[--s->connection_count];
}

static void *serve(void *ctx)
{
    failure_server *s = ctx;
    for (;;) {
        atomic_store(&s->settled, atomic_load(&s->played));
        struct pollfd fds[CONNECTIONS_MAX + 2];
        fds[0] = (struct pollfd){.fd = s->stop_event, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = s->listener, .events = POLLIN};
        size_t count = s->connection_count;
        for (size_t i = 0; i < count; i++)
            fds[i + 2] = (struct pollfd){.fd = s->connections[i]->fd, .events = POLLIN};
        if (poll(fds, (nfds_t)count + 2, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[0].revents != 0)
            return NULL;
        for (size_t i = count; i-- > 0;) /* the last one takes a dropped one's place */
            if (fds[i + 2].revents != 0 && !take_bytes(s, s->connections[i]))
                drop_connection(s, i);
        if (fds[1].revents != 0)
            take_connection(s);
    }
}

failure_server *failure_server_start(const failure_script *script)
{
    failure_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->script = script;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->stop_event = eventfd(0, EFD_CLOEXEC);
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } address = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    socklen_t size = sizeof address;
    if (s->listener < 0 || s->stop_event < 0 ||
        bind(s->listener, &address.any, sizeof address) != 0 || listen(s->listener, 64) != 0 ||
        getsockname(s->listener, &address.any, &size) != 0 ||
        pthread_create(&s->thread, NULL, serve, s) != 0) {
        perror("failure_server_start");
        return NULL;
    }
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(address.in.sin_port));
    return s;
}

void failure_server_stop(failure_server *s)
{
    uint64_t one = 1;
    if (write(s->stop_event, &one, sizeof one) != sizeof one)
        perror("failure_server_stop");
    pthread_join(s->thread, NULL);
    while (s->connection_count > 0)
        drop_connection(s, s->connection_count - 1);
    close(s->listener);
    close(s->stop_event);
    free(s);
}

const char *failure_server_url(const failure_server *s)
{
    return s->url;
}

unsigned failure_server_played(const failure_server *s)
{
    return atomic_load(&s->played);
}

void failure_server_wait_settled(const failure_server *s)
{
    while (atomic_load(&s->settled) != atomic_load(&s->played))
        usleep(500);
}

unsigned failure_server_connections(const failure_server *s)
{
    return atomic_load(&s->opened);
}
