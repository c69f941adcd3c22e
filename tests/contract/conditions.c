/* Conditions, fences, the limits of a call. */
#include <pthread.h>
#include <stdlib.h>

#include "contract/words.h"

static void test_condition__second_put_is_refused(void **state)
{
    (void)state;
    s3store_error err;
    const char *key = key_of("condition", "x.commit");
    s3store_put_request request = put_request(key, "first", 5);
    request.if_none_match = true;
    assert_ok(s3s_put(the->store, NULL, &request, NULL, &err));
    request.body = "other";
    assert_fails(s3s_put(the->store, NULL, &request, NULL, &err), S3STORE_ALREADY_EXISTS, NULL);
    assert_string_equal(err.key, key);
    expect_text(key, "first");
    assert_ok(s3s_remove(the->store, NULL, key, &err));
    assert_ok(s3s_put(the->store, NULL, &request, NULL, &err));
    expect_text(key, "other");
}

enum { RACERS = 16 };

typedef struct racer {
    const char *key;
    char body[32];
    pthread_barrier_t *start;
    s3store_status status;
    int conflicts;
} racer;

static void *race_thread(void *ctx)
{
    racer *r = ctx;
    s3store_error err = {0};
    s3store_metadata_entry who = {"who", r->body};
    s3store_put_request request = put_request(r->key, r->body, strlen(r->body));
    request.metadata = &who;
    request.metadata_count = 1;
    request.if_none_match = true;
    pthread_barrier_wait(r->start);
    do {
        r->status = s3s_put(the->store, NULL, &request, NULL, &err);
        if (r->status == S3STORE_CONFLICT)
            r->conflicts++;
    } while (r->status == S3STORE_CONFLICT && r->conflicts < 1000);
    return NULL;
}

static void test_condition__one_of_sixteen_wins(void **state)
{
    (void)state;
    s3store_error err;
    size_t rounds = the->remote ? 5 : 40;
    for (size_t round = 0; round < rounds; round++) {
        char name[64], key[KEY_ROOM];
        snprintf(name, sizeof name, "race-%zu.commit", round);
        snprintf(key, sizeof key, "%s", key_of("race", name));
        racer racers[RACERS];
        pthread_t threads[RACERS];
        pthread_barrier_t start;
        pthread_barrier_init(&start, NULL, RACERS);
        for (size_t i = 0; i < RACERS; i++) {
            racers[i] = (racer){.key = key, .start = &start};
            snprintf(racers[i].body, sizeof racers[i].body, "racer-%zu", i);
            assert_int_equal(pthread_create(&threads[i], NULL, race_thread, &racers[i]), 0);
        }
        const racer *winner = NULL;
        size_t losers = 0;
        for (size_t i = 0; i < RACERS; i++) {
            pthread_join(threads[i], NULL);
            if (racers[i].status == S3STORE_OK)
                winner = &racers[i];
            else if (racers[i].status == S3STORE_ALREADY_EXISTS)
                losers++;
        }
        pthread_barrier_destroy(&start);
        assert_int_equal(losers, RACERS - 1);
        assert_non_null(winner);
        expect_text(key, winner->body);
        s3store_object_info info;
        assert_ok(s3s_head(the->store, NULL, key, &info, &err));
        assert_string_equal(s3store_metadata_get(&info.metadata, "who"), winner->body);
    }
}

typedef struct replacer {
    const char *key;
    char letter;
    size_t size, rounds;
    s3store_status status;
} replacer;

static void *replace_thread(void *ctx)
{
    replacer *r = ctx;
    s3store_error err;
    char *body = malloc(r->size);
    memset(body, r->letter, r->size);
    for (size_t i = 0; i < r->rounds && r->status == S3STORE_OK; i++) {
        s3store_put_request request = put_request(r->key, body, r->size);
        r->status = s3s_put(the->store, NULL, &request, NULL, &err);
    }
    free(body);
    return NULL;
}

static void test_get__sees_old_or_new_wholly(void **state)
{
    (void)state;
    s3store_error err;
    char key[KEY_ROOM];
    snprintf(key, sizeof key, "%s", key_of("replace", "x"));
    size_t rounds = the->remote ? 20 : 150;
    replacer writers[2] = {{key, 'A', 100000, rounds, S3STORE_OK},
                           {key, 'B', 70000, rounds, S3STORE_OK}};
    put_text(key, "A");
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, replace_thread, &writers[i]), 0);
    s3s_buffer buffer;
    s3s_buffer_init(&buffer, the->env, SIZE_MAX);
    for (size_t i = 0; i < rounds; i++) {
        s3store_object_info info;
        s3store_get_request get = get_request(key);
        assert_ok(get_into(&buffer, &get, &info, &err));
        assert_int_equal(buffer.size, info.object_size);
        assert_true(buffer.size == 1 || buffer.size == 100000 || buffer.size == 70000);
        assert_memory_equal(buffer.data, buffer.data + (buffer.size > 1), buffer.size - 1);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(writers[i].status, S3STORE_OK);
    }
    s3s_buffer_deinit(&buffer);
}

/* The server's clock now. */
static int64_t server_now_us(void)
{
    s3store_error err;
    s3store_put_reply reply;
    s3store_put_request request = put_request(key_of("fence", "clock"), NULL, 0);
    assert_ok(s3s_put(the->store, NULL, &request, &reply, &err));
    assert_true(reply.date_us != S3STORE_TIME_NONE);
    return reply.date_us;
}

static void test_fence__expired_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    s3store_error err;
    int64_t now_us = server_now_us();
    char key[KEY_ROOM];
    snprintf(key, sizeof key, "%s", key_of("fence", "late.commit"));
    s3store_metadata_entry entry = {"attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"};
    s3store_put_request request = put_request(key, NULL, 0);
    request.metadata = &entry;
    request.metadata_count = 1;
    request.if_none_match = true;
    request.fenced = true;
    request.valid_from_us = now_us - 60000000;
    request.expires_at_us = now_us - 5000000;
    s3store_put_reply reply;
    assert_fails(s3s_put(the->store, NULL, &request, &reply, &err), S3STORE_PERMISSION_DENIED,
                 NULL);
    /* When the server refused it: that decides whether it expired. */
    assert_true(err.server_date_us >= request.expires_at_us);
    assert_true(reply.date_us >= request.expires_at_us);
    expect_missing(key);
    listed *l = new_listed();
    list_pages(l, key_of("fence", "late"), NULL, NULL, 0);
    assert_int_equal(l->count, 0);
    free_listed(l);
}

static void test_fence__valid_passes_with_metadata_and_condition(void **state)
{
    (void)state;
    s3store_error err;
    int64_t now_us = server_now_us();
    const char *key = key_of("fence", "job;1+x y%2F=.commit");
    s3store_metadata_entry entries[] = {{"attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"},
                                        {"rowcount", "17"}};
    s3store_put_request request = put_request(key, "body", 4);
    request.metadata = entries;
    request.metadata_count = COUNT(entries);
    request.if_none_match = true;
    request.fenced = true;
    request.valid_from_us = now_us - 2000000;
    request.expires_at_us = now_us + 60000000;
    assert_ok(s3s_put(the->store, NULL, &request, NULL, &err));
    expect_text(key, "body");
    expect_metadata(key, entries, COUNT(entries));
    assert_fails(s3s_put(the->store, NULL, &request, NULL, &err), S3STORE_ALREADY_EXISTS, NULL);
}


static void test_call__cancelled_or_late_does_nothing(void **state)
{
    (void)state;
    s3store_error err;
    char key[KEY_ROOM];
    snprintf(key, sizeof key, "%s", key_of("cancel", "x"));
    put_text(key_of("cancel", "there"), "there");
    s3store_cancel *cancel = NULL;
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_cancel_trigger(cancel);
    s3store_call calls[2] = {{.cancel = cancel, .deadline_us = S3STORE_TIME_NONE},
                             {.deadline_us = s3s_mono_us(the->env) - 1}};
    static const s3store_status expected[2] = {S3STORE_CANCELLED, S3STORE_TIMEOUT};
    for (size_t i = 0; i < 2; i++) {
        s3store_put_request put = put_request(key, "x", 1);
        assert_fails(s3s_put(the->store, &calls[i], &put, NULL, &err), expected[i], NULL);
        s3s_buffer buffer;
        s3s_buffer_init(&buffer, the->env, 100);
        s3store_sink sink = s3s_buffer_sink(&buffer);
        s3store_get_request get = get_request(key_of("cancel", "there"));
        s3store_object_info info;
        assert_fails(s3s_get(the->store, &calls[i], &get, &sink, &info, &err), expected[i], NULL);
        s3s_buffer_deinit(&buffer);
        assert_fails(s3s_head(the->store, &calls[i], key, &info, &err), expected[i], NULL);
        s3store_list_reply *reply = calloc(1, sizeof *reply);
        s3store_list_request list = {.size = sizeof list, .prefix = key_of("cancel", "")};
        listed *l = new_listed();
        assert_fails(s3s_list(the->store, &calls[i], &list, collect, l, reply, &err), expected[i],
                     NULL);
        assert_int_equal(l->count, 0);
        free_listed(l);
        free(reply);
        assert_fails(s3s_remove(the->store, &calls[i], key_of("cancel", "there"), &err),
                     expected[i], NULL);
    }
    s3store_cancel_free(cancel);
    expect_missing(key);
    expect_text(key_of("cancel", "there"), "there");
}

int contract_conditions(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_condition__second_put_is_refused),
        cmocka_unit_test(test_condition__one_of_sixteen_wins),
        cmocka_unit_test(test_get__sees_old_or_new_wholly),
        cmocka_unit_test(test_fence__expired_is_refused_and_leaves_nothing),
        cmocka_unit_test(test_fence__valid_passes_with_metadata_and_condition),
        cmocka_unit_test(test_call__cancelled_or_late_does_nothing),
    };
    return cmocka_run_group_tests_name(the->name, tests, NULL, NULL);
}
