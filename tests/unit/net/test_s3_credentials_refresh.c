/* Which credentials are current: renewing, sharing, replays of refused requests. */
#include "test_s3_credentials_fixture.h"

#include <pthread.h>
#include <unistd.h>

#include "objstore/s3/s3.h"

enum { THREADS = 16 };

static void use_container(fixture *f, const http_step *steps, size_t count)
{
    fixture_serve(f, steps, count);
    fixture_set_url(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/");
}

static void assert_current(s3s_credential_chain *chain, const char *id)
{
    s3store_error err;
    s3s_credentials *c = NULL;
    assert_ok(s3s_credential_chain_get(chain, NULL, &c, &err));
    assert_string_equal(s3s_credentials_access_key_id(c), id);
    s3s_credentials_release(c);
}

typedef struct getter {
    s3s_credential_chain *chain;
    pthread_barrier_t *start; /* or NULL */
    s3store_status status;
    char id[16];
    char message[1024];
} getter;

static void *get_in_thread(void *ctx)
{
    getter *g = ctx;
    s3store_error err = {0};
    s3s_credentials *c = NULL;
    if (g->start != NULL)
        pthread_barrier_wait(g->start);
    g->status = s3s_credential_chain_get(g->chain, NULL, &c, &err);
    snprintf(g->message, sizeof g->message, "%s", err.message);
    if (c != NULL)
        snprintf(g->id, sizeof g->id, "%s", s3s_credentials_access_key_id(c));
    s3s_credentials_release(c);
    return NULL;
}

/* All at once, each status and id as given. */
static void get_in_threads(s3s_credential_chain *chain, s3store_status status, const char *id)
{
    pthread_t threads[THREADS];
    static getter getters[THREADS];
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        getters[i] = (getter){.chain = chain, .start = &start};
        assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, &getters[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(getters[i].status, status);
        assert_string_equal(getters[i].id, id);
        fixture_check_secret(getters[i].message);
    }
    pthread_barrier_destroy(&start);
}

static void test_refresh__sixteen_threads_ask_once(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {
        {.status = 200, .body = fixture_machine_answer("ID1", 3600)},
        {.status = 200, .body = fixture_machine_answer("ID2", 3600)},
    };
    use_container(f, steps, COUNT(steps));
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    get_in_threads(chain, S3STORE_OK, "ID1");
    assert_int_equal(http_server_request_count(f->server), 1);
    s3s_credentials *first = NULL;
    assert_ok(s3s_credential_chain_get(chain, NULL, &first, &err));
    s3s_credential_chain_expire(chain, first);
    get_in_threads(chain, S3STORE_OK, "ID2");
    assert_int_equal(http_server_request_count(f->server), 2);
    s3s_credentials_release(first);
    s3s_credential_chain_free(chain);
}

static void test_refresh__valid_ones_are_used_while_one_asks(void **state)
{
    fixture *f = *state;
    const http_step steps[] = {
        {.status = 200, .body = fixture_machine_answer("ID1", 120)}, /* within five minutes */
        {.end = HTTP_STALL},
        {.status = 200, .body = fixture_machine_answer("ID2", 3600)},
    };
    use_container(f, steps, COUNT(steps));
    s3s_chain_options options = {.limits = {.answer_us = 300000, .pause_us = 1}};
    s3s_credential_chain *chain = fixture_chain(f, options);
    assert_current(chain, "ID1");
    getter asking = {.chain = chain};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, get_in_thread, &asking), 0);
    http_server_wait_for(f->server, 2);
    get_in_threads(chain, S3STORE_OK, "ID1"); /* while the server is stuck, or just after */
    pthread_join(thread, NULL);
    assert_int_equal(asking.status, S3STORE_OK); /* it failed, and those at hand are good */
    assert_string_equal(asking.id, "ID1");
    usleep(1000);
    assert_current(chain, "ID2");
    assert_int_equal(http_server_request_count(f->server), 3);
    s3s_credential_chain_free(chain);
}

static void test_refresh__short_lived_ones_are_not_renewed_for_each_request(void **state)
{
    fixture *f = *state;
    const http_step steps[] = {{.status = 200, .body = fixture_machine_answer("ID1", 120)}};
    use_container(f, steps, COUNT(steps));
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    for (int i = 0; i < 5; i++)
        assert_current(chain, "ID1");
    assert_int_equal(http_server_request_count(f->server), 1);
    s3s_credential_chain_free(chain);
}

static void test_refresh__expired_by_our_clock_is_for_the_server_to_decide(void **state)
{
    fixture *f = *state;
    const http_step steps[] = {{.status = 200, .body = fixture_machine_answer("ID1", -60)}};
    use_container(f, steps, 1);
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    assert_current(chain, "ID1");
    assert_current(chain, "ID1");
    assert_int_equal(http_server_request_count(f->server), 1); /* not for each request */
    s3s_credential_chain_free(chain);
}

static void test_refresh__expired_ones_are_not_used_after_a_failure(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {
        {.status = 200, .body = fixture_machine_answer("ID1", -1)},
        {.status = 500},
    };
    use_container(f, steps, COUNT(steps));
    s3s_chain_options options = {.limits = {.pause_us = 1}};
    s3s_credential_chain *chain = fixture_chain(f, options);
    assert_current(chain, "ID1");
    usleep(1000);
    s3s_credentials *c = NULL;
    assert_fails(s3s_credential_chain_get(chain, NULL, &c, &err), S3STORE_NO_CREDENTIALS,
                 "HTTP 500");
    s3s_credential_chain_free(chain);
}

static void test_refresh__a_failure_is_shared_by_those_who_wait(void **state)
{
    fixture *f = *state;
    const http_step steps[] = {{.status = 403, .body = "hidden"}};
    use_container(f, steps, 1);
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    get_in_threads(chain, S3STORE_NO_CREDENTIALS, "");
    size_t count = http_server_request_count(f->server);
    assert_true(count >= 1 && count <= THREADS);
    s3s_credential_chain_free(chain);
}

/* ---- files ----------------------------------------------------------------------------------- */

#define KEYS(id) "[default]\naws_access_key_id=" id "\naws_secret_access_key=hidden\n"

static void test_files__are_read_again_from_time_to_time(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3s_chain_options options = {.limits = {.pause_us = 1, .reread_us = 1}};
    fixture_write(f, ".aws/credentials", KEYS("ID1"));
    s3s_credential_chain *chain = fixture_chain(f, options);
    s3s_credentials *first = NULL;
    s3s_credentials *same = NULL;
    assert_ok(s3s_credential_chain_get(chain, NULL, &first, &err));
    usleep(1000);
    assert_ok(s3s_credential_chain_get(chain, NULL, &same, &err));
    assert_ptr_equal(first, same); /* and its signing key with it */
    s3s_credentials_release(first);
    s3s_credentials_release(same);
    fixture_write(f, ".aws/credentials", KEYS("ID2"));
    usleep(1000);
    assert_current(chain, "ID2");
    /* A file that is being written: half a pair, a broken line, nothing. */
    fixture_write(f, ".aws/credentials", "[default]\naws_access_key_id=ID3\n");
    usleep(1000);
    assert_current(chain, "ID2");
    fixture_write(f, ".aws/credentials", "[defau");
    usleep(1000);
    assert_current(chain, "ID2");
    fixture_write(f, ".aws/credentials", "");
    usleep(1000);
    assert_current(chain, "ID2");
    /* Nor does an empty file make us somebody else. */
    fixture_write(f, ".aws/config", KEYS("IDOTHER"));
    usleep(1000);
    assert_current(chain, "ID2");
    fixture_write(f, ".aws/credentials", KEYS("ID3"));
    usleep(1000);
    assert_current(chain, "ID3");
    s3s_credential_chain_free(chain);
}

/* ---- requests of the store ------------------------------------------------------------------- */

#define ERROR_BODY(code) "<Error><Code>" code "</Code><Message>m</Message></Error>"

static void open_store(fixture *f, const char *s3_url, s3store_object_store *store)
{
    s3store_error err;
    s3s_s3_options options = {.bucket = "bucket", .endpoint_url = s3_url};
    assert_ok(s3s_s3_store_new_with(f->env, &options, &f->environment, NULL, store, &err));
}

static const char *header_of(http_server *server, size_t i, const char *name, char value[1024])
{
    static http_seen seen;
    http_server_seen(server, i, &seen);
    return http_seen_header(&seen, name, value);
}

static void test_store__refused_tokens_are_renewed_once(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const char *const bodies[] = {ERROR_BODY("ExpiredToken"), ERROR_BODY("InvalidToken"),
                                         ERROR_BODY("TokenRefreshRequired")};
    const http_step machine[] = {
        {.status = 200, .body = fixture_machine_answer("ID1", 3600)},
        {.status = 200, .body = fixture_machine_answer("ID2", 3600)},
    };
    use_container(f, machine, COUNT(machine));
    for (size_t i = 0; i < COUNT(bodies); i++) {
        const http_step steps[] = {
            {.status = 400, .body = bodies[i]},
            {.status = 200, .headers = "ETag: \"e\"\r\n"},
            {.status = 400, .body = bodies[i]},
        };
        http_server_stop(f->server);
        use_container(f, machine, COUNT(machine));
        http_server *s3 = http_server_start(steps, COUNT(steps));
        s3store_object_store store;
        char value[1024];
        open_store(f, http_server_url(s3), &store);
        s3store_put_request put = {.size = sizeof put, .key = "k", .body = "b", .body_size = 1};
        assert_ok(s3s_put(&store, NULL, &put, NULL, &err));
        assert_int_equal(http_server_request_count(s3), 2);
        assert_non_null(strstr(header_of(s3, 0, "authorization", value), "Credential=ID1/"));
        assert_string_equal(header_of(s3, 0, "x-amz-security-token", value),
                            "hidden-token-of-ID1");
        assert_non_null(strstr(header_of(s3, 1, "authorization", value), "Credential=ID2/"));
        assert_string_equal(header_of(s3, 1, "x-amz-security-token", value),
                            "hidden-token-of-ID2");
        /* Refused again: no circle. */
        assert_fails(s3s_put(&store, NULL, &put, NULL, &err), S3STORE_NO_CREDENTIALS,
                     "the container endpoint");
        fixture_check_secret(err.message);
        assert_int_equal(http_server_request_count(s3), 4);
        s3s_store_deinit(&store);
        http_server_stop(s3);
    }
}

static void test_store__reads_are_signed_by_the_servers_clock(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const char *date = fixture_date_header(-3 * 3600);
    const http_step steps[] = {
        {.status = 403, .headers = date, .body = ERROR_BODY("RequestTimeTooSkewed")},
        {.status = 200, .headers = date},
        {.status = 403, .headers = date, .body = ERROR_BODY("RequestTimeTooSkewed")},
    };
    fixture_serve(f, steps, COUNT(steps));
    fixture_set(f, "AWS_ACCESS_KEY_ID=ID");
    fixture_set(f, "AWS_SECRET_ACCESS_KEY=hidden");
    s3store_object_store store;
    open_store(f, http_server_url(f->server), &store);
    s3store_object_info info;
    assert_ok(s3s_head(&store, NULL, "k", &info, &err));
    char first[1024];
    char second[1024];
    header_of(f->server, 0, "x-amz-date", first);
    header_of(f->server, 1, "x-amz-date", second);
    assert_true(strcmp(second, first) < 0);
    /* A fence has the caller's times: it is refused, once. */
    int64_t now_us = s3s_wall_us(f->env);
    s3store_put_request put = {.size = sizeof put,
                               .key = "k",
                               .fenced = true,
                               .valid_from_us = now_us - 1000000,
                               .expires_at_us = now_us + 9000000};
    assert_fails(s3s_put(&store, NULL, &put, NULL, &err), S3STORE_CLOCK_SKEW, "clock");
    assert_int_equal(http_server_request_count(f->server), 3);
    s3s_store_deinit(&store);
}

static void test_store__without_signing_no_source_is_asked(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char value[1024];
    const http_step machine[] = {{.status = 500}};
    const http_step steps[] = {{.status = 200}};
    use_container(f, machine, 1);
    http_server *s3 = http_server_start(steps, 1);
    s3store_object_store store;
    s3s_s3_options options = {
        .bucket = "bucket", .endpoint_url = http_server_url(s3), .no_sign_request = true};
    assert_ok(s3s_s3_store_new_with(f->env, &options, &f->environment, NULL, &store, &err));
    s3store_object_info info;
    assert_ok(s3s_head(&store, NULL, "k", &info, &err));
    assert_string_equal(header_of(s3, 0, "authorization", value), "");
    assert_int_equal(http_server_request_count(f->server), 0);
    s3s_store_deinit(&store);
    http_server_stop(s3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        credentials_test(test_refresh__sixteen_threads_ask_once),
        credentials_test(test_refresh__valid_ones_are_used_while_one_asks),
        credentials_test(test_refresh__short_lived_ones_are_not_renewed_for_each_request),
        credentials_test(test_refresh__expired_by_our_clock_is_for_the_server_to_decide),
        credentials_test(test_refresh__expired_ones_are_not_used_after_a_failure),
        credentials_test(test_refresh__a_failure_is_shared_by_those_who_wait),
        credentials_test(test_files__are_read_again_from_time_to_time),
        credentials_test(test_store__refused_tokens_are_renewed_once),
        credentials_test(test_store__reads_are_signed_by_the_servers_clock),
        credentials_test(test_store__without_signing_no_source_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
