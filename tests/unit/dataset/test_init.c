/* Creating and adopting datasets. */
#include "base/sim.h"
#include "support/alloc_sweep.h"
#include "target_support.h"

static const char *const by_day[] = {"day=time:day", NULL};
static const char *const entity[] = {"id"};

static s3store_target_config full_config(world *w)
{
    s3store_target_config c = world_config(w, by_day);

    c.entity = entity;
    c.entity_count = 1;
    c.version = "updated";
    return c;
}

static void assert_text(world *w, const char *key, const char *expected)
{
    char text[4000];

    get_text(w, key, text, sizeof text);
    assert_string_equal(text, expected);
}

static void test_init__creates_a_dataset_that_opens(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = full_config(w), open_config = world_config(w, NULL);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    bool created;

    o.compression = S3STORE_COMPRESSION_ZSTD;
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
    assert_true(created);
    assert_text(w, "p/_config/commit-timeout", "1s");
    assert_text(w, "p/_config/max-clock-skew", "0s");
    assert_ok(s3s_target_open(w->env, &open_config, &t, &err));
    assert_true(t->has_descriptor);
    assert_string_equal(t->settings.parts[0].text, "day=time:day");
    assert_string_equal(t->settings.entity[0], "id");
    assert_string_equal(t->settings.version, "updated");
    assert_int_equal(t->settings.compression, S3STORE_COMPRESSION_ZSTD);
    s3s_target_release(t);
    /* Again with what is recorded. */
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
    assert_false(created);
}

static void test_init__defaults_on_s3_are_fifteen_seconds_and_one(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);

    w->store.name = "s3";
    w->s3_code = "NoSuchKey";
    assert_ok(s3s_dataset_init(w->env, &c, NULL, NULL, &err));
    assert_text(w, "p/_config/commit-timeout", "15s");
    assert_text(w, "p/_config/max-clock-skew", "1s");
}

static void test_init__twice_the_same_succeeds_and_creates_nothing(void **state)
{
    static const char *const pairs[] = {"id", "int64", "gone", "null", "mag", "double", NULL};
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    s3s_schema *schema = make_schema(w->env, pairs);
    struct ArrowSchema abi;
    bool created;

    assert_ok(s3s_schema_export(schema, &abi, &err));
    o.schema = &abi;
    o.commit_timeout_us = 20000000;
    o.max_clock_skew_us = 250000;
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
    assert_true(created);
    assert_true(has_object(w, "p/_config/schema/000001.json"));
    assert_text(w, "p/_config/commit-timeout", "20s");
    assert_text(w, "p/_config/max-clock-skew", "250ms");
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
    assert_false(created);
    assert_false(has_object(w, "p/_config/schema/000002.json"));
    abi.release(&abi);
    s3s_schema_release(schema);
}

static void test_init__adopts_what_another_library_wrote(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    bool created;

    put_timing(w, " 1m30s\n", "2s");
    put_data(w, "day=2018-02-07", "t", '1');
    assert_ok(s3s_dataset_init(w->env, &c, NULL, &created, &err));
    assert_true(created);
    assert_text(w, "p/_config/commit-timeout", " 1m30s\n");
    assert_text(w, "p/_config/max-clock-skew", "2s");
    assert_true(has_object(w, "p/_config/dataset.json"));
}

static void test_init__a_different_duration_is_an_error_that_changes_nothing(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    bool created = true;

    put_timing(w, "15s", "1s");
    o.commit_timeout_us = 20000000;
    assert_fails(s3s_dataset_init(w->env, &c, &o, &created, &err), S3STORE_BAD_CONFIG,
                 "commit-timeout is 15s in p/_config/commit-timeout, but 20s");
    assert_false(created);
    o.commit_timeout_us = S3STORE_TIME_NONE;
    o.max_clock_skew_us = 0;
    assert_fails(s3s_dataset_init(w->env, &c, &o, &created, &err), S3STORE_BAD_CONFIG,
                 "max-clock-skew is 1s in p/_config/max-clock-skew, but 0s");
    assert_false(has_object(w, "p/_config/dataset.json"));
    o.max_clock_skew_us = 1000000;
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
}

static void test_init__the_descriptor_must_agree_wholly(void **state)
{
    static const char *const by_hour[] = {"day=time:hour", NULL};
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w), other;
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    char before[2000];

    assert_ok(s3s_dataset_init(w->env, &c, NULL, NULL, &err));
    get_text(w, "p/_config/dataset.json", before, sizeof before);
    other = full_config(w);
    other.partition_by = by_hour;
    assert_fails(s3s_dataset_init(w->env, &other, NULL, NULL, &err), S3STORE_BAD_CONFIG,
                 "day=time:hour");
    other = world_config(w, by_day);
    assert_fails(s3s_dataset_init(w->env, &other, NULL, NULL, &err), S3STORE_BAD_CONFIG, "entity");
    other = full_config(w);
    other.inserted_at_column = "at";
    assert_fails(s3s_dataset_init(w->env, &other, NULL, NULL, &err), S3STORE_BAD_CONFIG,
                 "inserted-at-column");
    o.compression = S3STORE_COMPRESSION_GZIP;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_BAD_CONFIG, "compression");
    o = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    o.chunk_rows = 1000;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_BAD_CONFIG, "chunk-rows");
    o.chunk_rows = 0;
    o.chunk_bytes = 1 << 20;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_BAD_CONFIG, "chunk-bytes");
    other = full_config(w);
    other.consistency = "strong-global";
    assert_fails(s3s_dataset_init(w->env, &other, NULL, NULL, &err), S3STORE_BAD_CONFIG,
                 "consistency");
    assert_text(w, "p/_config/dataset.json", before);
    other.consistency = "strong-site";
    remove_object(w, "p/_config/dataset.json");
    assert_ok(s3s_dataset_init(w->env, &other, NULL, NULL, &err));
    assert_ok(s3s_dataset_init(w->env, &other, NULL, NULL, &err));
    put_text(w, "p/_config/dataset.json", "{\"format\":1}");
    c = world_config(w, by_day);
    assert_fails(s3s_dataset_init(w->env, &c, NULL, NULL, &err), S3STORE_BAD_CONFIG,
                 "partition-by was asked for, but is not recorded in");
}

static void test_init__types_beyond_the_recorded_schema_are_refused(void **state)
{
    static const char *const first[] = {"a", "int64", NULL};
    static const char *const more[] = {"a", "int64", "b", "int64", NULL};
    static const char *const other[] = {"a", "string", NULL};
    static const struct {
        const char *const *pairs;
        s3store_status status;
        const char *names;
    } cases[] = {{more, S3STORE_BAD_CONFIG, "version 1"},
                 {other, S3STORE_SCHEMA_MISMATCH, "\"a\""}};
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    struct ArrowSchema abi;
    s3s_schema *schema = make_schema(w->env, first);

    assert_ok(s3s_schema_export(schema, &abi, &err));
    o.schema = &abi;
    assert_ok(s3s_dataset_init(w->env, &c, &o, NULL, &err));
    abi.release(&abi);
    s3s_schema_release(schema);
    for (size_t i = 0; i < 2; i++) {
        schema = make_schema(w->env, cases[i].pairs);
        assert_ok(s3s_schema_export(schema, &abi, &err));
        assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), cases[i].status,
                     cases[i].names);
        abi.release(&abi);
        s3s_schema_release(schema);
    }
    assert_false(has_object(w, "p/_config/schema/000002.json"));
}

static void test_init__bad_options_are_named(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;

    o.commit_timeout_us = 999;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT, "floor");
    o.commit_timeout_us = 0;
    o.max_clock_skew_us = -1;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT, "floor");
    o.max_clock_skew_us = S3STORE_TIME_NONE;
    o.compression = (s3store_compression)9;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "compression");
    o = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    o.commit_timeout_us = INT64_MAX / 1000 + 1;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "longer than 292 years");
    o = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    o.max_clock_skew_us = INT64_MAX / 1000 + 1;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "longer than 292 years");
    o = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    o.compression = (s3store_compression)-1;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "compression");
    o = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    o.chunk_rows = UINT64_MAX;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "chunk_rows or chunk_bytes is above 2^63");
    o = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    o.chunk_bytes = UINT64_MAX;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "chunk_bytes is above 2^63");
    o = (s3store_init_options)S3STORE_INIT_OPTIONS_INIT;
    o.size += 8;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "made for a newer one");
    o.size = 8;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "size is not set");
    c.partition_by_count = 0;
    assert_fails(s3s_dataset_init(w->env, &c, NULL, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "partition_by");
    assert_false(has_object(w, "p/_config/commit-timeout"));
}

static void test_init__chunks_are_recorded_and_bind_later_ones(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = full_config(w), open_config = world_config(w, NULL);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;

    o.chunk_rows = 1000;
    o.chunk_bytes = 1 << 20;
    assert_ok(s3s_dataset_init(w->env, &c, &o, NULL, &err));
    assert_ok(s3s_dataset_init(w->env, &c, &o, NULL, &err));
    assert_ok(s3s_target_open(w->env, &open_config, &t, &err));
    assert_int_equal(t->settings.chunk_rows, 1000);
    assert_int_equal(t->settings.chunk_bytes, 1 << 20);
    s3s_target_release(t);
    o.chunk_bytes = 1 << 21;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_BAD_CONFIG, "2097152");
}

/* ---- views and types ------------------------------------------------------------------------ */

static s3store_status no_tuples(void *ctx, const void *record, s3store_view_row *row,
                                s3store_error *err)
{
    (void)ctx;
    (void)record;
    (void)row;
    (void)err;
    return S3STORE_OK;
}

typedef struct viewed {
    int64_t id;
} viewed;
static const s3store_record_type viewed_type = S3STORE_RECORD_TYPE(
    viewed, ((const s3store_field[]){{"id", S3STORE_KIND_INT64, offsetof(viewed, id)}}));

static s3store_view_def view_of(const char *name, const char *const *columns)
{
    s3store_view_def v = S3STORE_VIEW_DEF_INIT;

    v.name = name;
    v.columns = columns;
    v.column_count = 1;
    return v;
}

/* The types of "id" and "updated", and those of columns that nobody knows yet. */
static void export_types(world *w, const char *const *pairs, struct ArrowSchema *out)
{
    s3store_error err;
    s3s_schema *schema = make_schema(w->env, pairs);

    assert_ok(s3s_schema_export(schema, out, &err));
    s3s_schema_release(schema);
}

static void test_init__types_and_views_are_recorded_together(void **state)
{
    static const char *const pairs[] = {"id", "string", "updated", "int64", "time",
                                        "timestamp(us, UTC)", NULL};
    static const char *const columns[] = {"id"};
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    s3store_view_def view = view_of("by_id", columns);
    const s3store_view_def *views[] = {&view};
    struct ArrowSchema types;
    bool created;

    export_types(w, pairs, &types);
    o.schema = &types;
    o.views = views;
    o.view_count = 1;
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
    assert_true(created);
    assert_true(has_object(w, "p/_config/schema/000001.json"));
    assert_true(has_object(w, "p/_config/view/by_id.json"));
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
    assert_false(created);
    /* The rest of what an interruption may leave is completed, and told as created. */
    remove_object(w, "p/_config/view/by_id.json");
    remove_object(w, "p/_config/commit-timeout");
    assert_ok(s3s_dataset_init(w->env, &c, &o, &created, &err));
    assert_true(created);
    assert_true(has_object(w, "p/_config/view/by_id.json"));
    types.release(&types);
}

static void test_init__columns_without_a_type_are_not_recorded(void **state)
{
    static const char *const pairs[] = {"id", "null", NULL};
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    struct ArrowSchema types;

    export_types(w, pairs, &types);
    o.schema = &types;
    assert_ok(s3s_dataset_init(w->env, &c, &o, NULL, &err));
    assert_false(has_object(w, "p/_config/schema/000001.json"));
    types.release(&types);
}

static void test_init__views_that_cannot_be_are_refused_before_any_request(void **state)
{
    static const char *const pairs[] = {"id", "string", "x", "double", NULL};
    static const char *const none[] = {"other"}, *const bad[] = {"x"}, *const good[] = {"id"};
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    s3store_view_def view = view_of("v", none);
    const s3store_view_def *views[] = {&view};
    struct ArrowSchema types;

    export_types(w, pairs, &types);
    o.views = views;
    o.view_count = 1;
    o.schema = &types;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "view \"v\": there is no column \"other\"");
    view.columns = bad;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_SCHEMA_MISMATCH,
                 "view \"v\"");
    view.columns = good;
    view.of = no_tuples;
    view.record_type = &viewed_type;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "view \"v\" is defined by a function, which cannot be recorded");
    s3store_view_def another = view_of("w", good);
    const s3store_view_def *two[] = {&view, &another};
    o.views = two;
    o.view_count = 2;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "view \"v\" is defined by a function, which cannot be recorded");
    o.view_count = 1;
    o.views = NULL;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT,
                 "views: 1 are said to be given");
    assert_false(has_object(w, "p/_config/dataset.json"));
    types.release(&types);
}

static void test_init__types_that_cannot_be_recorded_are_refused_before_any_request(void **state)
{
    static const char *const twice[] = {"id", "string", "id", "string", NULL};
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    struct ArrowSchema types = {0};

    o.schema = &types;
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT, NULL);
    export_types(w, twice, &types);
    assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_INVALID_ARGUMENT, "\"id\"");
    assert_false(has_object(w, "p/_config/dataset.json"));
    types.release(&types);
}

static void test_init__a_put_that_is_refused_names_what_was_being_created(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);

    w->put_fails = S3STORE_PERMISSION_DENIED;
    assert_fails(s3s_dataset_init(w->env, &c, NULL, NULL, &err), S3STORE_PERMISSION_DENIED,
                 "creating memory://bucket/p");
    assert_int_equal(s3s_dataset_init(w->env, &c, NULL, NULL, NULL), S3STORE_PERMISSION_DENIED);
    assert_false(has_object(w, "p/_config/dataset.json"));
}

/* Requests that fail are repeated, after a while: on virtual time. */
static void on_virtual_time(void (*fn)(void *w))
{
    static world w;
    s3store_error err;
    s3s_sim *sim;
    s3s_sim_options options = {.start_wall_us = INT64_C(1700000000000000)};

    assert_ok(s3s_sim_new(&options, &sim, &err));
    world_init_env(&w, s3s_sim_env(sim));
    assert_ok(s3s_sim_add(sim, "init", 0, fn, &w, &err));
    assert_ok(s3s_sim_run(sim, &err));
    s3s_store_deinit(&w.memory);
    assert_int_equal(s3s_env_live_allocs(w.env), 0);
    s3s_env_release(w.env);
    s3s_sim_free(sim);
}

static void always_lose(void *ctx)
{
    world *w = ctx;
    s3store_error err;
    s3store_target_config c = full_config(w);

    static const s3store_status lost[] = {S3STORE_ALREADY_EXISTS, S3STORE_CONFLICT,
                                          S3STORE_UNCERTAIN};
    static const char *const pairs[] = {"id", "string", NULL};
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        w->put_fails = lost[i];
        assert_fails(s3s_dataset_init(w->env, &c, NULL, NULL, &err), S3STORE_CONFLICT,
                     "is being created by others");
        assert_false(has_object(w, "p/_config/commit-timeout"));
    }
    /* The description is there, and the types are lost. */
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    struct ArrowSchema types;
    w->put_fails = S3STORE_OK;
    assert_ok(s3s_dataset_init(w->env, &c, NULL, NULL, &err));
    export_types(w, pairs, &types);
    o.schema = &types;
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        w->put_fails = lost[i];
        assert_fails(s3s_dataset_init(w->env, &c, &o, NULL, &err), S3STORE_CONFLICT,
                     "is being created by others");
        assert_false(has_object(w, "p/_config/schema/000001.json"));
    }
    types.release(&types);
}

/* Others are always quicker, and what they made never shows itself. */
static void test_init__puts_that_always_lose_end_in_a_conflict(void **state)
{
    (void)state;
    on_virtual_time(always_lose);
}

static void test_init__broken_objects_are_not_overwritten(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);

    put_text(w, "p/_config/commit-timeout", "soon");
    assert_fails(s3s_dataset_init(w->env, &c, NULL, NULL, &err), S3STORE_BAD_CONFIG, "soon");
    assert_text(w, "p/_config/commit-timeout", "soon");
    assert_false(has_object(w, "p/_config/dataset.json"));
}

/* What an interrupted init leaves is not a dataset, and a second one completes it. */
static void test_init__interrupted_is_not_initialised_and_can_be_repeated(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target *t;
    s3store_target_config c = full_config(w);
    bool created;

    w->fail_key_part = "commit-timeout";
    w->fail_with = S3STORE_NOT_FOUND; /* a GET finds nothing, a PUT is refused */
    assert_fails(s3s_dataset_init(w->env, &c, NULL, &created, &err), S3STORE_NOT_FOUND,
                 "commit-timeout");
    w->fail_key_part = NULL;
    assert_true(has_object(w, "p/_config/dataset.json"));
    assert_fails(s3s_target_open(w->env, &c, &t, &err), S3STORE_NOT_INITIALISED, NULL);
    assert_ok(s3s_dataset_init(w->env, &c, NULL, &created, &err));
    assert_true(created);
    assert_ok(s3s_target_open(w->env, &c, &t, &err));
    s3s_target_release(t);
}

/* Somebody else creates the same object between our check and our PUT. */
static void rival_same(world *w, const char *key)
{
    if (strstr(key, "commit-timeout") != NULL && !has_object(w, "p/_config/commit-timeout"))
        put_text(w, "p/_config/commit-timeout", "30s");
}

static void rival_other(world *w, const char *key)
{
    if (strstr(key, "dataset.json") != NULL && !has_object(w, "p/_config/dataset.json"))
        put_text(w, "p/_config/dataset.json", "{\"format\":1,\"partition_by\":[\"z\"]}");
}

static void test_init__a_rival_is_read_and_checked(void **state)
{
    world *w = *state;
    s3store_error err;
    s3store_target_config c = full_config(w);

    w->before_put = rival_same;
    assert_ok(s3s_dataset_init(w->env, &c, NULL, NULL, &err));
    assert_text(w, "p/_config/commit-timeout", "30s");
    c.prefix = "p";
    remove_object(w, "p/_config/dataset.json");
    remove_object(w, "p/_config/commit-timeout");
    remove_object(w, "p/_config/max-clock-skew");
    w->before_put = rival_other;
    assert_fails(s3s_dataset_init(w->env, &c, NULL, NULL, &err), S3STORE_BAD_CONFIG,
                 "partition-by is \"z\"");
    assert_false(has_object(w, "p/_config/commit-timeout"));
}

typedef struct repeated {
    s3store_target_config config;
    s3store_init_options options;
} repeated;

static s3store_status init_again(void *ctx, s3s_env *env, s3store_error *err)
{
    const repeated *r = ctx;
    return s3s_dataset_init(env, &r->config, &r->options, NULL, err);
}

/* The first sweep creates bit by bit; the second one finds everything there. */
static void sweep_init(void *ctx)
{
    static const char *const pairs[] = {"id", "string", "updated", "int64", NULL};
    static const char *const columns[] = {"id"};
    world *w = ctx;
    repeated r = {full_config(w), S3STORE_INIT_OPTIONS_INIT};
    s3store_view_def view = view_of("by_id", columns);
    const s3store_view_def *views[] = {&view};
    struct ArrowSchema types;

    export_types(w, pairs, &types);
    r.options.schema = &types;
    r.options.views = views;
    r.options.view_count = 1;
    alloc_steps_within(w->env, true, init_again, &r);
    assert_true(has_object(w, "p/_config/view/by_id.json"));
    assert_true(has_object(w, "p/_config/schema/000001.json"));
    types.release(&types);
}

static void test_init__every_failed_allocation_is_an_error_and_nothing_leaks(void **state)
{
    (void)state;
    on_virtual_time(sweep_init);
}

#define test(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_init__creates_a_dataset_that_opens),
        test(test_init__defaults_on_s3_are_fifteen_seconds_and_one),
        test(test_init__twice_the_same_succeeds_and_creates_nothing),
        test(test_init__adopts_what_another_library_wrote),
        test(test_init__a_different_duration_is_an_error_that_changes_nothing),
        test(test_init__the_descriptor_must_agree_wholly),
        test(test_init__types_beyond_the_recorded_schema_are_refused),
        test(test_init__bad_options_are_named),
        test(test_init__chunks_are_recorded_and_bind_later_ones),
        test(test_init__types_and_views_are_recorded_together),
        test(test_init__columns_without_a_type_are_not_recorded),
        test(test_init__views_that_cannot_be_are_refused_before_any_request),
        test(test_init__types_that_cannot_be_recorded_are_refused_before_any_request),
        test(test_init__a_put_that_is_refused_names_what_was_being_created),
        test(test_init__puts_that_always_lose_end_in_a_conflict),
        test(test_init__broken_objects_are_not_overwritten),
        test(test_init__interrupted_is_not_initialised_and_can_be_repeated),
        test(test_init__a_rival_is_read_and_checked),
        cmocka_unit_test(test_init__every_failed_allocation_is_an_error_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
