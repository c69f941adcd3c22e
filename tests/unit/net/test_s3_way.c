/* The way to the server: TLS with an own CA, proxies, and signals that must not come. */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/env.h"
#include "objstore/s3/s3.h"
#include "support/http_server.h"
#include "support/tunnel.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const http_step good[] = {{.status = 200, .headers = "ETag: \"e\"\r\n", .body = "content"}};

typedef struct fixture {
    s3s_env *env;
    http_server *server;
    tunnel *tls, *proxy;
    s3store_object_store store;
    char log[1000];
    const char *ca_in_environment;
} fixture;

static fixture f;

static const char *lookup(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "AWS_ACCESS_KEY_ID") == 0)
        return "ID";
    if (strcmp(name, "AWS_CA_BUNDLE") == 0)
        return f.ca_in_environment;
    return strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 ? "hidden" : NULL;
}

static void keep_log(void *ctx, s3store_log_level level, const char *message,
                     const s3store_log_field *fields, size_t field_count)
{
    (void)ctx;
    (void)fields;
    (void)field_count;
    if (level == S3STORE_LOG_WARN)
        strncat(f.log, message, sizeof f.log - strlen(f.log) - 1);
}

static void start(const http_step *steps, size_t count, tunnel_kind tls)
{
    s3store_error err;
    memset(&f, 0, sizeof f);
    assert_ok(s3s_env_new_real(&f.env, &err));
    s3s_env_set_log(f.env, keep_log, NULL, S3STORE_LOG_WARN);
    f.server = http_server_start(steps, count);
    assert_non_null(f.server);
    f.tls = tunnel_start(tls, http_server_url(f.server));
    assert_non_null(f.tls);
    setenv("no_proxy", "*", 1);
}

static void open_store(const char *url, const char *ca, bool no_verify)
{
    static const s3s_environment environment = {lookup, NULL};
    s3store_error err;
    s3s_s3_options o = {
        .bucket = "bucket", .endpoint_url = url, .ca_bundle = ca, .no_verify_tls = no_verify};
    s3s_store_deinit(&f.store);
    assert_ok(s3s_s3_store_new_with(f.env, &o, &environment, NULL, &f.store, &err));
}

static void use_proxy(tunnel_kind kind)
{
    f.proxy = tunnel_start(kind, http_server_url(f.server));
    assert_non_null(f.proxy);
    unsetenv("no_proxy");
    unsetenv("NO_PROXY");
    setenv("https_proxy", tunnel_url(f.proxy), 1);
    setenv("http_proxy", tunnel_url(f.proxy), 1);
}

static void stop(void)
{
    unsetenv("https_proxy");
    unsetenv("http_proxy");
    s3s_store_deinit(&f.store);
    if (f.proxy != NULL)
        tunnel_stop(f.proxy);
    tunnel_stop(f.tls);
    http_server_stop(f.server);
    assert_int_equal(s3s_env_live_allocs(f.env), 0);
    s3s_env_release(f.env);
}

static s3store_status get(s3store_error *err)
{
    s3store_object_info info;
    s3s_buffer b;
    s3s_buffer_init(&b, f.env, 1 << 20);
    s3store_sink sink = s3s_buffer_sink(&b);
    s3store_get_request r = {.size = sizeof r, .key = "k", .length = S3STORE_LENGTH_ALL};
    s3store_status status = s3s_get(&f.store, NULL, &r, &sink, &info, err);
    if (status == S3STORE_OK) {
        assert_int_equal(b.size, 7);
        assert_memory_equal(b.data, "content", 7);
    }
    s3s_buffer_deinit(&b);
    return status;
}

static s3store_status put(const void *body, size_t size, s3store_error *err)
{
    s3store_put_request r = {.size = sizeof r, .key = "k", .body = body, .body_size = size};
    s3store_put_reply reply;
    return s3s_put(&f.store, NULL, &r, &reply, err);
}

/* ---- TLS ------------------------------------------------------------------------------------- */

static void test_tls__a_ca_of_ones_own_is_trusted_where_it_is_given(void **state)
{
    (void)state;
    s3store_error err;
    start(good, COUNT(good), TUNNEL_TLS);
    open_store(tunnel_url(f.tls), tunnel_ca_bundle(f.tls), false);
    assert_ok(get(&err));
    assert_ok(put("body", 4, &err));
    uint64_t opened = 0, reused = 0;
    s3s_connection_counts(&f.store, &opened, &reused);
    assert_int_equal(opened, 1);
    assert_int_equal(reused, 1);
    f.ca_in_environment = tunnel_ca_bundle(f.tls); /* AWS_CA_BUNDLE */
    open_store(tunnel_url(f.tls), NULL, false);
    assert_ok(get(&err));
    assert_string_equal(f.log, "");
    stop();
}

static void test_tls__a_certificate_that_is_not_trusted_is_refused(void **state)
{
    (void)state;
    s3store_error err;
    start(good, COUNT(good), TUNNEL_TLS);
    open_store(tunnel_url(f.tls), NULL, false);
    assert_fails(get(&err), S3STORE_UNAVAILABLE, "not trusted (a CA bundle can be given)");
    assert_fails(put("body", 4, &err), S3STORE_UNAVAILABLE, "not trusted"); /* never sent */
    assert_int_equal(http_server_request_count(f.server), 0);
    stop();
}

static void test_tls__a_certificate_for_another_name_is_refused(void **state)
{
    (void)state;
    s3store_error err;
    char url[80];
    start(good, COUNT(good), TUNNEL_TLS);
    snprintf(url, sizeof url, "https://127.0.0.1%s", strrchr(tunnel_url(f.tls), ':'));
    open_store(url, tunnel_ca_bundle(f.tls), false);
    assert_fails(get(&err), S3STORE_UNAVAILABLE, "not trusted");
    assert_int_equal(http_server_request_count(f.server), 0);
    stop();
}

static void test_tls__not_to_verify_is_said_once(void **state)
{
    (void)state;
    s3store_error err;
    start(good, COUNT(good), TUNNEL_TLS);
    open_store(tunnel_url(f.tls), NULL, true);
    assert_non_null(strstr(f.log, "certificate is not verified"));
    f.log[0] = '\0';
    assert_ok(get(&err));
    assert_string_equal(f.log, "");
    stop();
}

/* The host would die of it: SIGPIPE has its default action here. */
static void test_tls__a_server_that_hangs_up_sends_no_signal(void **state)
{
    (void)state;
    s3store_error err;
    size_t size = 32u << 20;
    char *body = calloc(1, size);
    assert_non_null(body);
    struct sigaction action = {.sa_handler = SIG_DFL}, old;
    sigaction(SIGPIPE, &action, &old);
    start(good, COUNT(good), TUNNEL_TLS_HANGS_UP);
    open_store(tunnel_url(f.tls), tunnel_ca_bundle(f.tls), false);
    for (int i = 0; i < 5; i++)
        assert_fails(put(body, size, &err), S3STORE_UNCERTAIN, "may or may not");
    stop();
    sigaction(SIGPIPE, NULL, &action);
    assert_true(action.sa_handler == SIG_DFL);
    sigset_t pending;
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    sigaction(SIGPIPE, &old, NULL);
    free(body);
}

/* ---- proxies --------------------------------------------------------------------------------- */

static void test_proxy__tls_goes_through_a_tunnel(void **state)
{
    (void)state;
    s3store_error err;
    start(good, COUNT(good), TUNNEL_TLS);
    use_proxy(TUNNEL_PROXY);
    open_store(tunnel_url(f.tls), tunnel_ca_bundle(f.tls), false);
    assert_ok(get(&err));
    assert_ok(put("body", 4, &err));
    assert_int_equal(tunnel_connections(f.proxy), 1);
    assert_int_equal(http_server_request_count(f.server), 2);
    setenv("no_proxy", "localhost", 1);
    open_store(tunnel_url(f.tls), tunnel_ca_bundle(f.tls), false);
    assert_ok(get(&err));
    assert_int_equal(tunnel_connections(f.proxy), 1);
    stop();
}

static void test_proxy__plain_requests_are_handed_to_it(void **state)
{
    (void)state;
    s3store_error err;
    static http_seen seen;
    char host[1024];
    start(good, COUNT(good), TUNNEL_TLS);
    use_proxy(TUNNEL_PROXY);
    open_store("http://s3.example.test:8080", NULL, false);
    assert_ok(get(&err));
    http_server_seen(f.server, 0, &seen);
    assert_string_equal(seen.target, "http://s3.example.test:8080/bucket/k");
    assert_string_equal(http_seen_header(&seen, "host", host), "s3.example.test:8080");
    stop();
}

static void test_proxy__a_refused_tunnel_means_nothing_was_sent(void **state)
{
    (void)state;
    s3store_error err;
    start(good, COUNT(good), TUNNEL_TLS);
    use_proxy(TUNNEL_PROXY_REFUSES);
    open_store(tunnel_url(f.tls), tunnel_ca_bundle(f.tls), false);
    assert_fails(put("body", 4, &err), S3STORE_UNAVAILABLE, "403");
    assert_fails(get(&err), S3STORE_UNAVAILABLE, "403");
    assert_true(tunnel_connections(f.proxy) >= 2);
    assert_int_equal(tunnel_connections(f.tls), 0);
    stop();
}

static void test_proxy__one_that_is_not_there_means_nothing_was_sent(void **state)
{
    (void)state;
    s3store_error err;
    start(good, COUNT(good), TUNNEL_TLS);
    unsetenv("no_proxy");
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    open_store(tunnel_url(f.tls), tunnel_ca_bundle(f.tls), false);
    assert_fails(put("body", 4, &err), S3STORE_UNAVAILABLE, "localhost");
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tls__a_ca_of_ones_own_is_trusted_where_it_is_given),
        cmocka_unit_test(test_tls__a_certificate_that_is_not_trusted_is_refused),
        cmocka_unit_test(test_tls__a_certificate_for_another_name_is_refused),
        cmocka_unit_test(test_tls__not_to_verify_is_said_once),
        cmocka_unit_test(test_tls__a_server_that_hangs_up_sends_no_signal),
        cmocka_unit_test(test_proxy__tls_goes_through_a_tunnel),
        cmocka_unit_test(test_proxy__plain_requests_are_handed_to_it),
        cmocka_unit_test(test_proxy__a_refused_tunnel_means_nothing_was_sent),
        cmocka_unit_test(test_proxy__one_that_is_not_there_means_nothing_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
