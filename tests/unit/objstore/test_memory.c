/* The memory store under the simulator: points, exact fences, races; its size; its allocations. */
#include <stdlib.h>

#include "base/buffer.h"
#include "base/sim.h"
#include "objstore/objstore.h"
#include "support/test.h"

#define START_US 1700000000000000

static s3store_put_request put_request(const char *key, const char *body)
{
    return (s3store_put_request){.size = sizeof(s3store_put_request),
                                 .key = key,
                                 .body = body,
                                 .body_size = body != NULL ? strlen(body) : 0};
}

/* ---- two conditional writers, every history ------------------------------------------------- */

typedef struct race {
    s3store_object_store store;
    s3store_status status[2];
} race;

typedef struct racer {
    race *race;
    int index;
} racer;

static void race_put(void *ctx)
{
    racer *r = ctx;
    s3store_error err = {0};
    s3store_put_request request = put_request("d/t.commit", NULL);
    request.if_none_match = true;
    r->race->status[r->index] = s3s_put(&r->race->store, NULL, &request, NULL, &err);
}

static s3store_status race_once(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    int *wins = ctx;
    race state = {0};
    s3s_sim *sim = NULL;
    s3s_sim_options options = {
        .start_wall_us = START_US, .choose = s3s_explore_choose, .choose_ctx = ex};
    racer racers[2] = {{&state, 0}, {&state, 1}};
    assert_int_equal(s3s_sim_new(&options, &sim, err), S3STORE_OK);
    assert_int_equal(s3s_memory_store_new(s3s_sim_env(sim), &state.store, err), S3STORE_OK);
    assert_int_equal(s3s_sim_add(sim, "w1", 0, race_put, &racers[0], err), S3STORE_OK);
    assert_int_equal(s3s_sim_add(sim, "w2", 0, race_put, &racers[1], err), S3STORE_OK);
    s3store_status status = s3s_sim_run(sim, err);
    assert_int_equal(status, S3STORE_OK);
    int winner = state.status[0] == S3STORE_OK ? 0 : 1;
    assert_int_equal(state.status[winner], S3STORE_OK);
    assert_int_equal(state.status[1 - winner], S3STORE_ALREADY_EXISTS);
    wins[winner]++;
    s3s_store_deinit(&state.store);
    s3s_sim_free(sim);
    return status;
}

static void test_condition__one_wins_in_every_history(void **state)
{
    (void)state;
    s3store_error err;
    int wins[2] = {0, 0};
    uint64_t histories = 0;
    assert_ok(s3s_explore(race_once, wins, 100000, &histories, &err));
    assert_true(wins[0] > 0 && wins[1] > 0);
    assert_int_equal(wins[0] + wins[1], histories);
}

static void test_points__name_verb_and_kind(void **state)
{
    (void)state;
    s3store_error err;
    int wins[2] = {0, 0};
    char trace[1024] = "";
    assert_ok(s3s_explore_replay(race_once, wins, "1", trace, sizeof trace, &err));
    assert_non_null(strstr(trace, "w2"));
    assert_non_null(strstr(trace, "put commit"));
}

/* ---- the fence on virtual time -------------------------------------------------------------- */

typedef struct scene {
    s3s_sim *sim;
    s3s_env *env;
    s3store_object_store store;
} scene;

static void run_alone(scene *s, void (*fn)(void *ctx), int64_t wall_offset_us)
{
    s3store_error err;
    s3s_sim_options options = {.start_wall_us = START_US};
    assert_ok(s3s_sim_new(&options, &s->sim, &err));
    s->env = s3s_sim_env(s->sim);
    assert_ok(s3s_memory_store_new(s->env, &s->store, &err));
    assert_ok(s3s_sim_add(s->sim, "w", wall_offset_us, fn, s, &err));
    assert_ok(s3s_sim_run(s->sim, &err));
    s3s_store_deinit(&s->store);
    s3s_sim_free(s->sim);
}

static void fence_scene(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_put_reply reply;
    s3store_put_request request = put_request("d/t.commit", "x");
    request.fenced = true;
    request.valid_from_us = START_US + 1000;
    request.expires_at_us = START_US + 5000;
    assert_fails(s3s_put(&s->store, NULL, &request, &reply, &err), S3STORE_PERMISSION_DENIED,
                 "not valid yet");
    assert_int_equal(err.server_date_us, START_US);
    assert_int_equal(reply.date_us, START_US);
    assert_ok(s3s_sleep_us(s->env, 1000, NULL, &err));
    assert_ok(s3s_put(&s->store, NULL, &request, &reply, &err));
    assert_int_equal(reply.date_us, START_US + 1000);
    assert_ok(s3s_sleep_us(s->env, 4000, NULL, &err));
    assert_ok(s3s_put(&s->store, NULL, &request, &reply, &err)); /* the last instant */
    assert_ok(s3s_remove(&s->store, NULL, "d/t.commit", &err));
    assert_ok(s3s_sleep_us(s->env, 1, NULL, &err));
    assert_fails(s3s_put(&s->store, NULL, &request, &reply, &err), S3STORE_PERMISSION_DENIED,
                 "expired");
    assert_int_equal(err.server_date_us, START_US + 5001);
    s3store_object_info info;
    assert_fails(s3s_head(&s->store, NULL, "d/t.commit", &info, &err), S3STORE_NOT_FOUND,
                 "d/t.commit");
    assert_int_equal(err.server_date_us, START_US + 5001);
}

static void test_fence__is_exact_and_by_the_servers_clock(void **state)
{
    (void)state;
    scene s;
    run_alone(&s, fence_scene, 0);
    run_alone(&s, fence_scene, -3600000000); /* whatever the writer's clock says */
}

static void dates_scene(void *ctx)
{
    scene *s = ctx;
    s3store_error err;
    s3store_object_info info;
    s3store_put_request request = put_request("k", "x");
    assert_ok(s3s_put(&s->store, NULL, &request, NULL, &err));
    assert_ok(s3s_sleep_us(s->env, 77, NULL, &err));
    assert_ok(s3s_head(&s->store, NULL, "k", &info, &err));
    assert_int_equal(info.last_modified_us, START_US);
    assert_int_equal(info.date_us, START_US + 77);
}

static void test_dates__are_virtual_server_time(void **state)
{
    (void)state;
    scene s;
    run_alone(&s, dates_scene, 123456789);
}

/* ---- size ----------------------------------------------------------------------------------- */

static bool count_in_order(void *ctx, const s3store_list_entry *entry)
{
    size_t *n = ctx;
    char want[64];
    snprintf(want, sizeof want, "p/%08zu", (*n)++);
    assert_string_equal(entry->key, want);
    return true;
}

static void test_size__a_hundred_thousand_keys(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env = NULL;
    s3store_object_store store;
    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_memory_store_new(env, &store, &err));
    enum { MANY = 100000 };
    for (size_t i = 0; i < MANY; i++) {
        char key[64];
        snprintf(key, sizeof key, "p/%08zu", i * 7919 % MANY); /* every one, out of order */
        s3store_put_request request = put_request(key, NULL);
        assert_ok(s3s_put(&store, NULL, &request, NULL, &err));
    }
    size_t n = 0;
    uint64_t pages = 0;
    assert_ok(s3s_list_all(&store, NULL, "p/", NULL, 0, count_in_order, &n, &pages, &err));
    assert_int_equal(n, MANY);
    assert_int_equal(pages, MANY / 1000);
    s3s_store_deinit(&store);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

static void test_alloc__every_failure_is_an_error_without_a_trace(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env = NULL;
    s3store_object_store store;
    assert_ok(s3s_env_new_real(&env, &err));
    s3s_env_fail_alloc_at(env, 0);
    assert_fails(s3s_memory_store_new(env, &store, &err), S3STORE_OUT_OF_MEMORY, NULL);
    s3s_env_fail_alloc_at(env, UINT64_MAX);
    assert_ok(s3s_memory_store_new(env, &store, &err));
    uint64_t n = 0;
    for (;; n++) {
        s3store_put_request request = put_request("k", "body");
        s3s_env_fail_alloc_at(env, n);
        s3store_status status = s3s_put(&store, NULL, &request, NULL, &err);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        s3store_object_info info;
        if (status == S3STORE_OK)
            break;
        assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        assert_fails(s3s_head(&store, NULL, "k", &info, &err), S3STORE_NOT_FOUND, "k");
    }
    assert_true(n >= 2);
    for (n = 0;; n++) {
        size_t seen = 0;
        s3s_env_fail_alloc_at(env, n);
        s3store_status status =
            s3s_list_all(&store, NULL, "", "k0", 0, count_in_order, &seen, NULL, &err);
        s3s_env_fail_alloc_at(env, UINT64_MAX);
        if (status == S3STORE_OK)
            break;
        assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
    }
    assert_true(n >= 1);
    s3s_store_deinit(&store);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

static void test_public__store_of_its_own(void **state)
{
    (void)state;
    s3store_error err;
    s3store_object_store *store = NULL;
    assert_ok(s3store_memory_store_new(&store, &err));
    assert_string_equal(store->name, "memory");
    s3store_put_request request = put_request("k", "body");
    assert_ok(s3s_put(store, NULL, &request, NULL, &err));
    s3store_memory_store_free(store);
    s3store_memory_store_free(NULL);
    assert_fails(s3store_memory_store_new(NULL, &err), S3STORE_INVALID_ARGUMENT, "NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_condition__one_wins_in_every_history),
        cmocka_unit_test(test_points__name_verb_and_kind),
        cmocka_unit_test(test_fence__is_exact_and_by_the_servers_clock),
        cmocka_unit_test(test_dates__are_virtual_server_time),
        cmocka_unit_test(test_size__a_hundred_thousand_keys),
        cmocka_unit_test(test_alloc__every_failure_is_an_error_without_a_trace),
        cmocka_unit_test(test_public__store_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
