#include "support/http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 256
#define MAX_SEEN 256

typedef struct connection {
    http_server *server;
    int fd;
    unsigned number;
    pthread_t thread;
} connection;

struct http_server {
    const http_step *steps;
    size_t step_count;
    int listener;
    int stop_event; /* readable when the server stops: every wait watches it */
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct {
        size_t next_step;
        http_seen *seen;
        size_t seen_count;
        connection connections[MAX_CONNECTIONS];
        size_t connection_count;
    } locked;
};

/* false: the server stops, or the peer is gone. */
static bool wait_for_fd(http_server *s, int fd, short events)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = s->stop_event, .events = POLLIN}};
    for (;;) {
        int n = poll(fds, 2, -1);
        if (n < 0 && errno == EINTR)
            continue;
        return n > 0 && fds[1].revents == 0 && (fds[0].revents & (events | POLLHUP | POLLERR));
    }
}

static bool send_all(http_server *s, int fd, const char *data, size_t size)
{
    while (size > 0) {
        if (!wait_for_fd(s, fd, POLLOUT))
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

static ssize_t receive(http_server *s, int fd, char *out, size_t size)
{
    for (;;) {
        if (!wait_for_fd(s, fd, POLLIN))
            return 0;
        ssize_t n = recv(fd, out, size, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        return n;
    }
}

/* ---- requests -------------------------------------------------------------------------------- */

const char *http_seen_header(const http_seen *seen, const char *name, char *out)
{
    size_t size = strlen(name);
    out[0] = '\0';
    for (const char *line = strstr(seen->head, "\r\n"); line != NULL;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) != 0 || line[size] != ':')
            continue;
        const char *value = line + size + 1;
        while (*value == ' ')
            value++;
        snprintf(out, 1024, "%.*s", (int)strcspn(value, "\r\n"), value);
        return out;
    }
    return out;
}

/* Reads one request; false when none comes any more. */
static bool read_request(http_server *s, connection *c, http_seen *seen)
{
    memset(seen, 0, sizeof *seen);
    seen->connection = c->number;
    size_t used = 0;
    char *end = NULL;
    while (end == NULL) {
        if (used + 1 >= sizeof seen->head)
            return false;
        ssize_t n = receive(s, c->fd, seen->head + used, sizeof seen->head - 1 - used);
        if (n <= 0)
            return false;
        used += (size_t)n;
        seen->head[used] = '\0';
        end = strstr(seen->head, "\r\n\r\n");
    }
    size_t head_size = (size_t)(end - seen->head) + 4;
    if (sscanf(seen->head, "%15s %8191s", seen->method, seen->target) != 2)
        return false;
    char text[1024];
    size_t length = (size_t)strtoull(http_seen_header(seen, "content-length", text), NULL, 10);
    size_t have = used - head_size;
    size_t keep = have < sizeof seen->body ? have : sizeof seen->body;
    memcpy(seen->body, end + 4, keep);
    end[4] = '\0';
    while (have < length) {
        char chunk[65536];
        ssize_t n = receive(s, c->fd, chunk,
                            length - have < sizeof chunk ? length - have : sizeof chunk);
        if (n <= 0)
            return false;
        for (ssize_t i = 0; i < n && have + (size_t)i < sizeof seen->body; i++)
            seen->body[have + (size_t)i] = chunk[i];
        have += (size_t)n;
    }
    seen->body_size = length;
    return true;
}

static const http_step *take_step(http_server *s, const http_seen *seen)
{
    pthread_mutex_lock(&s->mutex);
    const http_step *step = &s->steps[s->locked.next_step];
    if (s->locked.next_step + 1 < s->step_count)
        s->locked.next_step++;
    if (s->locked.seen_count < MAX_SEEN)
        s->locked.seen[s->locked.seen_count++] = *seen;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
    return step;
}

static bool next_is_before_request(http_server *s)
{
    pthread_mutex_lock(&s->mutex);
    bool before = s->steps[s->locked.next_step].before_request;
    pthread_mutex_unlock(&s->mutex);
    return before;
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool send_step(http_server *s, int fd, const http_step *step, bool head_request)
{
    if (step->raw != NULL && !send_all(s, fd, step->raw, strlen(step->raw)))
        return false;
    if (step->raw == NULL && step->status != 0) {
        const char *body = step->body != NULL ? step->body : "";
        char head[8192];
        char length[64] = "";
        if (step->length >= 0)
            snprintf(length, sizeof length, "Content-Length: %lld\r\n",
                     (long long)(step->length > 0 ? step->length : (int64_t)strlen(body)));
        snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\n%s%s\r\n", step->status, length,
                 step->headers != NULL ? step->headers : "");
        if (!send_all(s, fd, head, strlen(head)))
            return false;
        if (!head_request && !send_all(s, fd, body, strlen(body)))
            return false;
    }
    for (uint64_t i = 0; i < step->fill_count; i++)
        if (!send_all(s, fd, step->fill, strlen(step->fill)))
            return false;
    return true;
}

/* false: the connection ends. */
static bool finish_step(http_server *s, int fd, const http_step *step)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    char ignored[4096];
    switch (step->end) {
    case HTTP_KEEP:
        return true;
    case HTTP_CLOSE:
        break;
    case HTTP_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        break;
    case HTTP_STALL:
        while (receive(s, fd, ignored, sizeof ignored) > 0)
            ;
        break;
    }
    return false;
}

static void *serve_connection(void *ctx)
{
    connection *c = ctx;
    http_server *s = c->server;
    http_seen *seen = calloc(1, sizeof *seen);
    bool open = seen != NULL;
    while (open) {
        bool before = next_is_before_request(s);
        if (!before && !read_request(s, c, seen))
            break;
        const http_step *step = take_step(s, seen);
        open = send_step(s, c->fd, step, strcmp(seen->method, "HEAD") == 0) &&
               finish_step(s, c->fd, step);
    }
    close(c->fd);
    free(seen);
    return NULL;
}

/* ---- the server ------------------------------------------------------------------------------ */

static void *accept_connections(void *ctx)
{
    http_server *s = ctx;
    while (wait_for_fd(s, s->listener, POLLIN)) {
        int fd = accept(s->listener, NULL, NULL);
        if (fd < 0)
            continue;
        int one = 1; /* heads and bodies are sent apart: no waiting for acknowledgements */
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        pthread_mutex_lock(&s->mutex);
        size_t n = s->locked.connection_count;
        bool taken = n < MAX_CONNECTIONS;
        if (taken) {
            connection *c = &s->locked.connections[n];
            *c = (connection){.server = s, .fd = fd, .number = (unsigned)n + 1};
            taken = pthread_create(&c->thread, NULL, serve_connection, c) == 0;
            if (taken)
                s->locked.connection_count++;
        }
        pthread_mutex_unlock(&s->mutex);
        if (!taken)
            close(fd);
    }
    return NULL;
}

http_server *http_server_start(const http_step *steps, size_t step_count)
{
    http_server *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->steps = steps;
    s->step_count = step_count;
    s->locked.seen = calloc(MAX_SEEN, sizeof *s->locked.seen);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->stop_event = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
    union {
        struct sockaddr any;
        struct sockaddr_in in;
    } address = {.in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    socklen_t size = sizeof address;
    if (s->locked.seen == NULL || s->listener < 0 || s->stop_event < 0 ||
        bind(s->listener, &address.any, sizeof address) != 0 || listen(s->listener, 128) != 0 ||
        getsockname(s->listener, &address.any, &size) != 0 ||
        pthread_create(&s->acceptor, NULL, accept_connections, s) != 0) {
        perror("http_server_start");
        return NULL;
    }
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", ntohs(address.in.sin_port));
    return s;
}

void http_server_stop(http_server *s)
{
    uint64_t one = 1;
    if (write(s->stop_event, &one, sizeof one) != sizeof one)
        perror("http_server_stop");
    pthread_join(s->acceptor, NULL);
    for (size_t i = 0; i < s->locked.connection_count; i++)
        pthread_join(s->locked.connections[i].thread, NULL);
    close(s->listener);
    close(s->stop_event);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->mutex);
    free(s->locked.seen);
    free(s);
}

const char *http_server_url(const http_server *s)
{
    return s->url;
}

size_t http_server_request_count(http_server *s)
{
    pthread_mutex_lock(&s->mutex);
    size_t count = s->locked.seen_count;
    pthread_mutex_unlock(&s->mutex);
    return count;
}

void http_server_seen(http_server *s, size_t i, http_seen *out)
{
    pthread_mutex_lock(&s->mutex);
    memset(out, 0, sizeof *out);
    if (i < s->locked.seen_count)
        *out = s->locked.seen[i];
    pthread_mutex_unlock(&s->mutex);
}

void http_server_wait_for(http_server *s, size_t n)
{
    pthread_mutex_lock(&s->mutex);
    while (s->locked.seen_count < n)
        pthread_cond_wait(&s->changed, &s->mutex);
    pthread_mutex_unlock(&s->mutex);
}
