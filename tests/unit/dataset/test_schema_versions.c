/* The recorded schema: read, kept, grown, and raced for. */
#include "support/race_chooser.h"
#include "target_support.h"

static const char *const by_a[] = {"a", NULL};
static const char *const ints[] = {"a", "int32", NULL};
static const char *const longs[] = {"a", "int64", "b", "string", NULL};
static const char *const strings[] = {"a", "string", NULL};

static s3store_target *open_target(world *w)
{
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "1s", "0s");
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    return t;
}

/* Admits data of this schema and checks what is to be written with. */
static void admit(s3store_target *t, const char *const *pairs, const char *expected)
{
    s3store_error err;
    s3s_schema *incoming = make_schema(t->env, pairs), *schema;
    char text[500];

    assert_ok(s3s_target_admit_schema(t, NULL, incoming, &schema, &err));
    schema_text(schema, text, sizeof text);
    assert_string_equal(text, expected);
    s3s_schema_release(schema);
    s3s_schema_release(incoming);
}

static void test_schema__none_is_recorded_at_first(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *schema;
    uint32_t version = 7;

    assert_ok(s3s_target_schema(t, NULL, false, &version, &schema, &err));
    assert_int_equal(version, 0);
    assert_null(schema);
    assert_requests(t, 0, 3, 0, 1);
    assert_ok(s3s_target_schema(t, NULL, false, &version, &schema, &err)); /* remembered */
    assert_requests(t, 0, 3, 0, 1);
    s3s_target_release(t);
}

static void test_schema__the_newest_is_read_and_strangers_are_ignored(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *schema;
    uint32_t version;
    char text[200];

    put_text(w, "p/_config/schema/000002.json",
             "{\"format\":1,\"version\":2,\"columns\":[{\"name\":\"a\",\"type\":\"int64\"}]}");
    put_text(w, "p/_config/schema/000010.json",
             "{\"format\":1,\"version\":10,\"columns\":[{\"name\":\"z\",\"type\":\"bool\"}]}");
    put_text(w, "p/_config/schema/000011.jso", "x");
    put_text(w, "p/_config/schema/0000011.json", "x");
    put_text(w, "p/_config/schema/+00011.json", "x");
    put_text(w, "p/_config/schema/000000.json", "x");
    put_text(w, "p/_config/schema/00001x.json", "x");
    put_text(w, "p/_config/schema/000011.jsox", "x");
    put_text(w, "p/_config/schema/README", "x");
    assert_ok(s3s_target_schema(t, NULL, false, &version, &schema, &err));
    assert_int_equal(version, 10);
    schema_text(schema, text, sizeof text);
    assert_string_equal(text, "z bool");
    assert_requests(t, 0, 4, 0, 1);
    s3s_schema_release(schema);
    /* Nothing newer: no GET. */
    assert_ok(s3s_target_schema(t, NULL, true, &version, &schema, &err));
    assert_requests(t, 0, 4, 0, 2);
    s3s_schema_release(schema);
    s3s_target_release(t);
}

static void test_schema__a_broken_version_is_an_error_that_names_it(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *schema;
    uint32_t version;

    put_text(w, "p/_config/schema/000001.json", "{");
    assert_fails(s3s_target_schema(t, NULL, false, &version, &schema, &err), S3STORE_BAD_CONFIG,
                 "p/_config/schema/000001.json");
    assert_null(schema);
    put_text(w, "p/_config/schema/000001.json", "{\"format\":1,\"version\":2,\"columns\":[]}");
    assert_fails(s3s_target_schema(t, NULL, false, &version, &schema, &err), S3STORE_BAD_CONFIG,
                 "version 2");
    char *large = test_malloc((1 << 20) + 2);
    memset(large, ' ', (1 << 20) + 1);
    large[(1 << 20) + 1] = '\0';
    put_text(w, "p/_config/schema/000001.json", large);
    test_free(large);
    assert_fails(s3s_target_schema(t, NULL, false, &version, &schema, &err), S3STORE_BAD_CONFIG,
                 "p/_config/schema/000001.json is larger than 1 MiB");
    assert_null(schema);
    s3s_target_release(t);
}

static void test_admit__the_first_write_records_and_later_ones_grow_only_when_needed(void **state)
{
    world *w = *state;
    s3store_target *t = open_target(w);

    admit(t, ints, "a int32");
    assert_requests(t, 1, 3, 0, 1);
    assert_true(has_object(w, "p/_config/schema/000001.json"));
    admit(t, ints, "a int32"); /* no request */
    assert_requests(t, 1, 3, 0, 1);
    admit(t, longs, "a int64, b string");
    assert_requests(t, 2, 3, 0, 1);
    assert_true(has_object(w, "p/_config/schema/000002.json"));
    admit(t, ints, "a int64, b string"); /* narrower data */
    assert_requests(t, 2, 3, 0, 1);
    s3s_target_release(t);
}

static void test_admit__what_does_not_fit_is_refused_and_nothing_is_recorded(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *incoming = make_schema(t->env, strings), *schema;

    admit(t, ints, "a int32");
    assert_fails(s3s_target_admit_schema(t, NULL, incoming, &schema, &err), S3STORE_SCHEMA_MISMATCH,
                 "\"a\" is recorded as int32, but the data have string");
    assert_null(schema);
    assert_false(has_object(w, "p/_config/schema/000002.json"));
    s3s_schema_release(incoming);
    s3s_target_release(t);
}

static void test_admit__columns_without_a_type_are_not_recorded(void **state)
{
    static const char *const pairs[] = {"n", "null", NULL};
    world *w = *state;
    s3store_target *t = open_target(w);

    admit(t, pairs, "");
    assert_requests(t, 0, 3, 0, 1);
    s3s_target_release(t);
}

static void test_admit__what_another_process_recorded_is_read_and_checked_again(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w), *other = open_target(w);
    s3s_schema *incoming = make_schema(t->env, strings), *schema;

    admit(t, longs, "a int64, b string");
    /* The other one knows of nothing yet. */
    admit(other, ints, "a int64, b string");
    s3s_target_release(other);
    other = open_target(w);
    uint32_t version;
    assert_ok(s3s_target_schema(other, NULL, false, &version, &schema, &err));
    s3s_schema_release(schema);
    static const char *const first[] = {"c", "string", NULL};
    static const char *const second[] = {"c", "int64", NULL};
    admit(t, first, "a int64, b string, c string");
    s3s_schema_release(incoming);
    incoming = make_schema(t->env, second);
    /* It would add c as int64 to version 1, loses the number, and sees that c is a string. */
    assert_fails(s3s_target_admit_schema(other, NULL, incoming, &schema, &err),
                 S3STORE_SCHEMA_MISMATCH, "\"c\"");
    s3s_schema_release(incoming);
    s3s_target_release(t);
    s3s_target_release(other);
}

typedef struct loser {
    int lost;
} loser;

static s3s_fault_decision lose_answer(void *ctx, s3s_fault_verb verb, const char *key,
                                      uint64_t sequence)
{
    loser *l = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;

    (void)sequence;
    if (verb == S3S_VERB_PUT && strstr(key, "schema") != NULL && l->lost++ == 0)
        d.after = S3STORE_UNCERTAIN;
    return d;
}

static void test_admit__an_answer_that_got_lost_is_found_out(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_object_store faulty;
    loser l = {0};
    s3store_target *t;
    s3store_target_config c = world_config(w, by_a);

    put_timing(w, "1s", "0s");
    assert_ok(s3s_layer_fault_new(w->env, &w->store, lose_answer, &l, &faulty, &err));
    c.store = &faulty;
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    admit(t, ints, "a int32");
    assert_false(has_object(w, "p/_config/schema/000002.json"));
    s3s_target_release(t);
    s3s_store_deinit(&faulty);
}

static void test_admit__a_listing_that_fails_fails_it(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *incoming = make_schema(t->env, ints), *schema;

    w->fail_key_part = "_config/schema/";
    w->fail_with = S3STORE_PERMISSION_DENIED;
    assert_fails(s3s_target_admit_schema(t, NULL, incoming, &schema, &err),
                 S3STORE_PERMISSION_DENIED, "bent");
    assert_null(schema);
    assert_int_equal(s3s_target_admit_schema(t, NULL, incoming, &schema, NULL),
                     S3STORE_PERMISSION_DENIED);
    s3s_schema_release(incoming);
    s3s_target_release(t);
}

static void test_admit__the_last_version_cannot_grow(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *incoming = make_schema(t->env, longs), *schema;

    put_text(w, "p/_config/schema/999999.json",
             "{\"format\":1,\"version\":999999,\"columns\":[{\"name\":\"a\",\"type\":\"int32\"}]}");
    assert_fails(s3s_target_admit_schema(t, NULL, incoming, &schema, &err), S3STORE_LIMIT_EXCEEDED,
                 "more than 999999 versions");
    assert_null(schema);
    s3s_schema_release(incoming);
    s3s_target_release(t);
}

/* What could not be read back is not recorded. */
static void test_admit__a_schema_that_is_too_large_names_its_key(void **state)
{
    enum { COLUMNS = 3000, NAME = 400 };
    static char names[COLUMNS][NAME];
    static const char *pairs[2 * COLUMNS + 1];
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *schema;

    for (int i = 0; i < COLUMNS; i++) {
        snprintf(names[i], NAME, "%0*d", NAME - 1, i);
        pairs[2 * i] = names[i];
        pairs[2 * i + 1] = "int8";
    }
    s3s_schema *incoming = make_schema(t->env, pairs);
    assert_fails(s3s_target_admit_schema(t, NULL, incoming, &schema, &err), S3STORE_LIMIT_EXCEEDED,
                 "the schema is too large to be recorded in p/_config/schema/000001.json");
    assert_false(has_object(w, "p/_config/schema/000001.json"));
    s3s_schema_release(incoming);
    s3s_target_release(t);
}

static void test_admit__a_prefix_without_room_for_a_version_says_so(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3s_schema *schema;
    char prefix[1000], key[1100];
    s3store_target_config c = world_config(w, by_a);

    memset(prefix, 'p', sizeof prefix - 1);
    prefix[sizeof prefix - 1] = '\0';
    snprintf(key, sizeof key, "%s/_config/commit-timeout", prefix);
    put_text(w, key, "1s");
    snprintf(key, sizeof key, "%s/_config/max-clock-skew", prefix);
    put_text(w, key, "0s");
    c.prefix = prefix;
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    s3s_schema *incoming = make_schema(t->env, ints);
    assert_fails(s3s_target_admit_schema(t, NULL, incoming, &schema, &err),
                 S3STORE_INVALID_ARGUMENT, "schema/000001.json\" would have");
    s3s_schema_release(incoming);
    s3s_target_release(t);
}

static void test_admit__a_number_that_never_becomes_free_ends(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *incoming = make_schema(t->env, ints), *schema;

    w->put_fails = S3STORE_ALREADY_EXISTS;
    assert_fails(s3s_target_admit_schema(t, NULL, incoming, &schema, &err), S3STORE_CONFLICT,
                 "try again");
    assert_null(schema);
    s3s_schema_release(incoming);
    s3s_target_release(t);
}

/* ---- two processes at once ------------------------------------------------------------------ */

typedef struct race {
    world *world;
    s3store_target *targets[3]; /* of two writers, and of one who looks afterwards */
    int done;
} race;

static void open_actor(void *ctx)
{
    race *r = ctx;
    s3store_error err;
    s3store_target_config c = world_config(r->world, by_a);

    put_timing(r->world, "1s", "0s");
    for (size_t i = 0; i < 3; i++)
        assert_ok(s3s_target_open(r->world->env, &c, &r->targets[i], &err));
}

static void admit_as(race *r, size_t who, const char *const *pairs)
{
    s3store_error err;
    s3s_schema *incoming = make_schema(r->world->env, pairs), *schema;

    assert_ok(s3s_target_admit_schema(r->targets[who], NULL, incoming, &schema, &err));
    /* What was admitted holds everything of the data. */
    for (size_t i = 0; i < incoming->field_count; i++)
        assert_int_not_equal(s3s_schema_find(schema, incoming->fields[i].name), SIZE_MAX);
    s3s_schema_release(schema);
    s3s_schema_release(incoming);
    r->done++;
}

static void admit_x_actor(void *ctx)
{
    static const char *const x[] = {"k", "int64", "x", "int64", NULL};
    admit_as(ctx, 0, x);
}

static void admit_y_actor(void *ctx)
{
    static const char *const y[] = {"k", "int64", "y", "string", NULL};
    admit_as(ctx, 1, y);
}

static void check_actor(void *ctx)
{
    race *r = ctx;
    s3store_error err;
    s3s_schema *schema;
    uint32_t version;

    assert_ok(s3s_target_schema(r->targets[2], NULL, false, &version, &schema, &err));
    assert_int_equal(version, 2);
    assert_int_equal(schema->field_count, 3);
    s3s_schema_release(schema);
    for (size_t i = 0; i < 3; i++)
        s3s_target_release(r->targets[i]);
    r->done++;
}

static s3store_status one_history(void *ctx, s3s_explorer *ex, s3store_error *err)
{
    race_chooser choose = {.explorer = ex};
    s3s_sim_options options = {.choose = race_choose, .choose_ctx = &choose,
                               .start_wall_us = INT64_C(1700000000000000)};
    s3s_sim *sim;
    world *w = ctx;
    race r = {.world = w};
    s3store_status status = s3s_sim_new(&options, &sim, err);

    if (status != S3STORE_OK)
        return status;
    world_init_env(w, s3s_sim_env(sim));
    status = s3s_sim_add(sim, "open", 0, open_actor, &r, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(sim, "x", 0, admit_x_actor, &r, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(sim, "y", 0, admit_y_actor, &r, err);
    choose.racing = true;
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    choose.racing = false;
    if (status == S3STORE_OK)
        status = s3s_sim_add(sim, "check", 0, check_actor, &r, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(sim, err);
    if (status == S3STORE_OK)
        assert_int_equal(r.done, 3);
    world_deinit(w);
    s3s_sim_free(sim);
    return status;
}

static void test_admit__two_that_grow_at_once_lose_no_column(void **state)
{
    static world w;
    s3store_error err;
    uint64_t histories = 0;

    (void)state;
    assert_ok(s3s_explore(one_history, &w, 20000, &histories, &err));
    assert_true(histories > 50);
}

/* Nobody can tell whether it was recorded, and it never shows itself: not "somebody was quicker". */
static void unanswered_actor(void *ctx)
{
    world *w = ctx;
    s3store_error err;
    s3store_target *t = open_target(w);
    s3s_schema *incoming = make_schema(t->env, ints), *schema;

    w->put_fails = S3STORE_UNCERTAIN;
    assert_fails(s3s_target_admit_schema(t, NULL, incoming, &schema, &err), S3STORE_UNAVAILABLE,
                 "recording the schema");
    assert_null(schema);
    assert_int_equal(s3s_target_admit_schema(t, NULL, incoming, &schema, NULL),
                     S3STORE_UNAVAILABLE);
    w->put_fails = S3STORE_OK;
    assert_false(has_object(w, "p/_config/schema/000001.json"));
    s3s_schema_release(incoming);
    s3s_target_release(t);
}

static void test_admit__answers_that_never_come_are_not_a_conflict(void **state)
{
    static world w;
    s3store_error err;
    s3s_sim *sim;
    s3s_sim_options options = {.start_wall_us = INT64_C(1700000000000000)};

    (void)state;
    assert_ok(s3s_sim_new(&options, &sim, &err)); /* repetitions wait: here, for no time */
    world_init_env(&w, s3s_sim_env(sim));
    assert_ok(s3s_sim_add(sim, "writer", 0, unanswered_actor, &w, &err));
    assert_ok(s3s_sim_run(sim, &err));
    world_deinit(&w);
    s3s_sim_free(sim);
}

#define test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_schema__none_is_recorded_at_first),
        test(test_schema__the_newest_is_read_and_strangers_are_ignored),
        test(test_schema__a_broken_version_is_an_error_that_names_it),
        test(test_admit__the_first_write_records_and_later_ones_grow_only_when_needed),
        test(test_admit__what_does_not_fit_is_refused_and_nothing_is_recorded),
        test(test_admit__columns_without_a_type_are_not_recorded),
        test(test_admit__what_another_process_recorded_is_read_and_checked_again),
        test(test_admit__an_answer_that_got_lost_is_found_out),
        cmocka_unit_test(test_admit__answers_that_never_come_are_not_a_conflict),
        test(test_admit__a_listing_that_fails_fails_it),
        test(test_admit__the_last_version_cannot_grow),
        test(test_admit__a_schema_that_is_too_large_names_its_key),
        test(test_admit__a_prefix_without_room_for_a_version_says_so),
        test(test_admit__a_number_that_never_becomes_free_ends),
        cmocka_unit_test(test_admit__two_that_grow_at_once_lose_no_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
