/* One small HTTP request to a place that hands out credentials, and small files with tokens. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/tempfile.h"
#include "base/timefmt.h"
#include "objstore/s3/credentials_look.h"

#define CONNECT_US 1000000
#define MACHINE_ANSWER_US 1000000
#define STS_ANSWER_US 1500000 /* leaves time for another try */
#define TOKEN_FILE_MAX 20000u /* STS takes no longer ones */

/* ---- URLs ------------------------------------------------------------------------------------ */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The bytes of the host, 0 = not a host. */
static size_t host_size(const char *text, size_t size)
{
    size_t n = 0;
    if (size > 0 && text[0] == '[') {
        for (n = 1; n < size && (is_alnum(text[n]) || text[n] == ':' || text[n] == '.'); n++)
            ;
        return n > 2 && n < size && text[n] == ']' ? n + 1 : 0;
    }
    while (n < size && (is_alnum(text[n]) || memchr("-._", text[n], 3) != NULL))
        n++;
    return n;
}

static bool is_port(const char *text, size_t size)
{
    int64_t port = 0;
    return size > 0 && size <= 5 && text[0] >= '0' && text[0] <= '9' &&
           s3s_parse_i64(text, size, &port) && port > 0 && port <= 65535;
}

bool s3s_fetch_url_parse(const char *text, s3s_fetch_url *out)
{
    *out = (s3s_fetch_url){.tls = strncasecmp(text, "https://", 8) == 0};
    if (!out->tls && strncasecmp(text, "http://", 7) != 0)
        return false;
    const char *start = text + (out->tls ? 8 : 7);
    size_t size = strcspn(start, "/?#");
    size_t host = host_size(start, size);
    if (host == 0 || host >= sizeof out->host || size >= sizeof out->authority ||
        (host < size && (start[host] != ':' || !is_port(start + host + 1, size - host - 1))))
        return false;
    const char *target = start + size;
    size_t target_size = strlen(target);
    if (target_size >= sizeof out->target)
        return false;
    for (size_t i = 0; i < target_size; i++)
        if (target[i] < 0x21 || target[i] > 0x7e || target[i] == '#' || target[i] == '"')
            return false;
    for (size_t i = 0; i < size; i++)
        out->authority[i] =
            start[i] >= 'A' && start[i] <= 'Z' ? (char)(start[i] + ('a' - 'A')) : start[i];
    memcpy(out->host, out->authority, host);
    memcpy(out->target, target, target_size);
    return true;
}

/* ---- requests -------------------------------------------------------------------------------- */

void s3s_fetched_init(s3s_fetched *f, s3s_env *env)
{
    *f = (s3s_fetched){.date_us = S3STORE_TIME_NONE};
    s3s_buffer_init(&f->body, env, S3S_CREDENTIALS_DOCUMENT_MAX);
}

void s3s_fetched_deinit(s3s_fetched *f)
{
    s3s_secret_buffer_deinit(&f->body);
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

static s3store_status make_http(s3s_look *l, s3s_fetch_way way, s3s_http **out, s3store_error *err)
{
    const s3s_credential_chain *c = l->chain;
    bool is_machine = way == S3S_FETCH_MACHINE;
    s3s_http_options options = {
        .max_idle = 1,
        .ca_bundle = c->ca_bundle,
        .no_verify_tls = c->no_verify_tls,
        .no_proxy = is_machine,
        .connect_timeout_us = or_default(c->limits.connect_us, CONNECT_US),
        .first_byte_timeout_us =
            or_default(c->limits.answer_us, is_machine ? MACHINE_ANSWER_US : STS_ANSWER_US),
    };
    options.idle_timeout_us = options.first_byte_timeout_us;
    if (options.ca_bundle == NULL)
        options.ca_bundle = s3s_settings_env(&l->settings, "AWS_CA_BUNDLE");
    if (options.ca_bundle == NULL)
        options.ca_bundle = s3s_settings_config(&l->settings, "ca_bundle");
    return s3s_http_new(c->env, &options, out, err);
}

static void on_status(void *ctx, int status)
{
    s3s_fetched *f = ctx;
    f->http_status = status;
}

static void on_header(void *ctx, const char *name, size_t name_size, const char *value,
                      size_t value_size)
{
    s3s_fetched *f = ctx;
    char text[64];
    if (name_size != 4 || strncasecmp(name, "date", 4) != 0 || value_size >= sizeof text)
        return;
    memcpy(text, value, value_size);
    text[value_size] = '\0';
    int64_t date_us = 0;
    if (s3s_http_date_parse(text, &date_us))
        f->date_us = date_us;
}

static s3store_status on_body(void *ctx, const void *data, size_t size, s3store_error *err)
{
    s3s_fetched *f = ctx;
    if (size > S3S_CREDENTIALS_DOCUMENT_MAX - f->body.size)
        return s3s_fail(err, S3STORE_CORRUPT, "it answered with more than %u bytes",
                        S3S_CREDENTIALS_DOCUMENT_MAX);
    return s3s_buffer_append(&f->body, data, size, err);
}

/* A limit of ours is the server's slowness; one of the caller's is the caller's. */
static s3store_status blame(const s3s_look *l, const char *url, s3store_status status,
                            s3store_error *err)
{
    int64_t now_us = s3s_mono_us(l->chain->env);
    const s3store_call *call = l->call;
    bool is_callers = call != NULL && call->deadline_us != S3STORE_TIME_NONE &&
                      now_us >= call->deadline_us;
    if (status != S3STORE_TIMEOUT || is_callers)
        return status;
    if (now_us >= l->deadline_us)
        return s3s_fail(err, S3STORE_UNAVAILABLE, "%.*s gave no answer in time",
                        (int)(strcspn(url, ":") + 3 + strcspn(strchr(url, ':') + 3, "/")), url);
    return s3s_restate(err, S3STORE_UNAVAILABLE);
}

s3store_status s3s_fetch(s3s_look *l, s3s_fetch_way way, const s3s_http_request *request,
                         s3s_fetched *out, s3store_error *err)
{
    s3s_http **http = way == S3S_FETCH_MACHINE ? &l->machine_http : &l->http;
    if (*http == NULL) {
        s3store_status status = make_http(l, way, http, err);
        if (status != S3STORE_OK)
            return status;
    }
    s3s_http_request sent = *request;
    sent.ctx = out;
    sent.on_status = on_status;
    sent.on_header = on_header;
    sent.on_body = on_body;
    out->http_status = 0;
    out->date_us = S3STORE_TIME_NONE;
    s3s_buffer_clear(&out->body);
    /* All at once: a buffer that grows leaves copies behind. */
    if (s3s_buffer_reserve(&out->body, S3S_CREDENTIALS_DOCUMENT_MAX, err) == NULL)
        return err->status;
    s3store_call call = {.deadline_us = l->deadline_us};
    if (l->call != NULL) {
        call.cancel = l->call->cancel;
        if (l->call->deadline_us != S3STORE_TIME_NONE && l->call->deadline_us < l->deadline_us)
            call.deadline_us = l->call->deadline_us;
    }
    s3s_http_result result;
    s3store_status status = s3s_http_perform(*http, &call, &sent, &result, err);
    return blame(l, request->url, status, err);
}

/* ---- files with tokens ----------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static s3store_status read_token(int fd, const char *path, char *text, size_t *size,
                                 s3store_error *err)
{
    *size = 0;
    while (*size <= TOKEN_FILE_MAX) {
        ssize_t n = read(fd, text + *size, TOKEN_FILE_MAX + 1 - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return s3s_fail(err, S3STORE_NO_CREDENTIALS, "cannot read the token file %.300s: %s",
                            path, strerror(errno));
        if (n == 0)
            break;
        *size += (size_t)n;
    }
    if (*size > TOKEN_FILE_MAX)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "the token file %.300s has more than %u bytes", path, TOKEN_FILE_MAX);
    return S3STORE_OK;
}

static s3store_status trim_token(const char *path, char *text, size_t size, s3store_error *err)
{
    size_t start = 0;
    size_t whole = size;
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    while (start < size && is_blank(text[start]))
        start++;
    memmove(text, text + start, size - start);
    size -= start;
    s3s_wipe(text + size, whole - size + 1);
    if (size == 0)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "the token file %.300s is empty", path);
    for (size_t i = 0; i < size; i++)
        if (text[i] < 0x20 || text[i] > 0x7e)
            return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                            "the token file %.300s has a line break or another character that "
                            "cannot be in a token",
                            path);
    return S3STORE_OK;
}

s3store_status s3s_token_file_read(s3s_env *env, const char *path, char **out, s3store_error *err)
{
    *out = NULL;
    int fd = s3s_open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "cannot open the token file %.300s: %s", path,
                        strerror(errno));
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "the token file %.300s is not a regular file",
                        path);
    }
    char *text = s3s_calloc(env, 1, TOKEN_FILE_MAX + 2);
    size_t size = 0;
    s3store_status status = text == NULL ? s3s_fail_memory(err, TOKEN_FILE_MAX + 2)
                                         : read_token(fd, path, text, &size, err);
    close(fd);
    if (status == S3STORE_OK)
        status = trim_token(path, text, size, err);
    if (status != S3STORE_OK) {
        if (text != NULL)
            s3s_wipe(text, TOKEN_FILE_MAX + 2);
        s3s_free(env, text);
        return status;
    }
    *out = text;
    return S3STORE_OK;
}
