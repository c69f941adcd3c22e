#include "metrics.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INTERVAL_MS = 60000 };

/* ---- text -------------------------------------------------------------------------------------- */

static bool keep_text(void *ctx, const char *text, size_t size)
{
    char **out = ctx;
    *out = malloc(size + 1);
    if (*out != NULL) {
        memcpy(*out, text, size);
        (*out)[size] = '\0';
    }
    return true;
}

/* The page; the caller frees it. NULL with err. */
static char *page_text(const s3store_target *target, s3store_error *err)
{
    char *text = NULL;
    if (s3store_target_metrics_text(target, S3STORE_METRICS_PROMETHEUS, keep_text, &text, err) ==
            S3STORE_OK &&
        text == NULL)
        err->status = S3STORE_OUT_OF_MEMORY;
    return text;
}

/* ---- file and collector ------------------------------------------------------------------------ */

static void write_file(const cli_context *cli, const s3store_target *target)
{
    s3store_error err = {0};
    char *text = page_text(target, &err);
    if (text == NULL || !cli_write_file(cli->globals.metrics_file, text, &err))
        (void)cli_fail(cli, &err);
    free(text);
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

static bool collector_is_named(void)
{
    const char *disabled = getenv("OTEL_SDK_DISABLED");
    const char *exporter = getenv("OTEL_METRICS_EXPORTER");
    if (disabled != NULL && strcmp(disabled, "true") == 0)
        return false;
    if (exporter != NULL && exporter[0] != '\0' && strcmp(exporter, "otlp") != 0)
        return false;
    return is_set("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") || is_set("OTEL_EXPORTER_OTLP_ENDPOINT");
}

void cli_metrics_hand_out(const cli_context *cli, const s3store_target *target)
{
    s3store_error err = {0};
    if (cli->globals.metrics_file != NULL)
        write_file(cli, target);
    if (collector_is_named() && s3store_target_metrics_push(target, NULL, &err) != S3STORE_OK)
        (void)cli_fail(cli, &err);
}

void cli_metrics_tick(const cli_context *cli, const s3store_target *target)
{
    static int64_t last_ms; /* verbs that go on for ever have one thread */
    const char *text = getenv("OTEL_METRIC_EXPORT_INTERVAL");
    long interval = text != NULL ? strtol(text, NULL, 10) : 0;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (last_ms != 0 && now_ms - last_ms < (interval > 0 ? interval : INTERVAL_MS))
        return;
    last_ms = now_ms;
    cli_metrics_hand_out(cli, target);
}

/* ---- page -------------------------------------------------------------------------------------- */

struct cli_metrics_page {
    struct MHD_Daemon *daemon;
    const s3store_target *target;
};

/* The text is copied, whatever the type of the library's parameter says. */
static enum MHD_Result answer_with(struct MHD_Connection *connection, unsigned status,
                                   const char *text, const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = MHD_add_response_header(response, "Content-Type", type);
    if (result == MHD_YES)
        result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    static int seen; /* only its address counts: the head of a request has come */
    cli_metrics_page *page = ctx;
    (void)version;
    (void)upload;
    (void)upload_size;
    if (*state != &seen) {
        *state = &seen;
        return MHD_YES;
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer_with(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET only\n", "text/plain");
    if (strcmp(url, "/metrics") != 0)
        return answer_with(connection, MHD_HTTP_NOT_FOUND, "/metrics is here\n", "text/plain");
    s3store_error err = {0};
    char *text = page_text(page->target, &err);
    if (text == NULL)
        return MHD_NO;
    enum MHD_Result result =
        answer_with(connection, MHD_HTTP_OK, text, "text/plain; version=0.0.4; charset=utf-8");
    free(text);
    return result;
}

cli_metrics_page *cli_metrics_serve(const cli_context *cli, const s3store_target *target,
                                    int64_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cli_metrics_page *page = calloc(1, sizeof *page);
    if (page != NULL) {
        page->target = target;
        page->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, page, MHD_OPTION_SOCK_ADDR, &at,
            MHD_OPTION_CONNECTION_LIMIT, 16u, MHD_OPTION_CONNECTION_TIMEOUT, 10u,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
    }
    if (page == NULL || page->daemon == NULL) {
        fprintf(stderr, "s3store %s: --metrics-port %d: cannot listen on 127.0.0.1:%d\n", cli->verb,
                (int)port, (int)port);
        free(page);
        return NULL;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(page->daemon, MHD_DAEMON_INFO_BIND_PORT);
    cli_note("metrics at http://127.0.0.1:%d/metrics", info != NULL ? info->port : (int)port);
    return page;
}

void cli_metrics_stop(cli_metrics_page *page)
{
    if (page == NULL)
        return;
    MHD_stop_daemon(page->daemon);
    free(page);
}
