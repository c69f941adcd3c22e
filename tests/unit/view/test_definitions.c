/* What a view may be, and how it is recorded. */
#include "unit/view/kit.h"

/* Vector 183 and more. */
static void test_definition__is_checked_before_any_request(void **state)
{
    (void)state;
    static const char *const a[] = {"a"}, *const none[] = {""}, *const twice[] = {"a", "a"},
                             *const slash[] = {"a/b"}, *const format[] = {"a=b:eon"};
    const struct {
        const char *name;
        const char *const *columns;
        size_t count;
        const char *text;
    } cases[] = {
        {"", a, 1, "no name"},
        {NULL, a, 1, "no name"},
        {"a/b", a, 1, "'/'"},
        {"..", a, 1, "directory"},
        {"a\nb", a, 1, "control byte"},
        {"a\xff", a, 1, "UTF-8"},
        {"v", a, 0, "view column"},
        {"v", NULL, 1, "view column"},
        {"v", none, 1, "empty"},
        {"v", twice, 2, "\"a\""},
        {"v", slash, 1, "'/'"},
        {"v", format, 1, "no format \"eon\""},
        {"v", a, 100000, "view column"},
    };
    s3store_error err;
    s3s_view_def out;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_view_def def = S3STORE_VIEW_DEF_INIT;
        def.name = cases[i].name;
        def.columns = cases[i].columns;
        def.column_count = cases[i].count;
        assert_fails(s3s_view_def_make(NULL, &def, &out, &err), S3STORE_INVALID_ARGUMENT,
                     cases[i].text);
    }
    s3store_view_def def = {.name = "v"};
    assert_fails(s3s_view_def_make(NULL, &def, &out, &err), S3STORE_INVALID_ARGUMENT, "size");
    struct {
        s3store_view_def def;
        int more;
    } newer = {.def = *KIT_VIEW("v", "a")};
    newer.def.size = sizeof newer;
    assert_ok(s3s_view_def_make(NULL, &newer.def, &out, &err));
    s3s_view_def_deinit(&out);
    newer.more = 1;
    assert_fails(s3s_view_def_make(NULL, &newer.def, &out, &err), S3STORE_UNSUPPORTED, "byte");
    def = *KIT_VIEW("v", "day=t:day", "place");
    assert_ok(s3s_view_def_make(NULL, &def, &out, &err));
    assert_int_equal(out.count, 2);
    assert_string_equal(out.names[0], "day");
    assert_string_equal(out.columns[0].column, "t");
    s3s_view_def_deinit(&out);
}

static void test_definition__json_round_trip(void **state)
{
    (void)state;
    s3store_error err;
    s3s_buffer text;
    s3s_view_def def, back;
    assert_ok(s3s_view_def_make(NULL, KIT_VIEW("by \"place\"", "place", "at=t:%H:%M"), &def, &err));
    s3s_buffer_init(&text, NULL, SIZE_MAX);
    assert_ok(s3s_view_def_write(&def, &text, &err));
    assert_ok(s3s_view_def_parse(NULL, (const char *)text.data, text.size, "k", &back, &err));
    assert_string_equal(back.name, "by \"place\"");
    assert_ok(s3s_view_def_agree(&back, &def, "k", &err));
    s3s_view_def_deinit(&back);
    s3s_view_def_deinit(&def);
    s3s_buffer_deinit(&text);
}

static void test_definition__hostile_json_is_refused_naming_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        s3store_status status;
        const char *why;
    } cases[] = {
        {"", S3STORE_BAD_CONFIG, "k"},
        {"[]", S3STORE_BAD_CONFIG, "not a JSON object"},
        {"{\"format\":0,\"name\":\"v\",\"columns\":[\"a\"]}", S3STORE_BAD_CONFIG, "format"},
        {"{\"name\":\"v\",\"columns\":[\"a\"]}", S3STORE_BAD_CONFIG, "format"},
        {"{\"format\":2,\"name\":\"v\",\"columns\":[\"a\"]}", S3STORE_UNSUPPORTED, "newer"},
        {"{\"format\":1,\"columns\":[\"a\"]}", S3STORE_BAD_CONFIG, "name"},
        {"{\"format\":1,\"name\":7,\"columns\":[\"a\"]}", S3STORE_BAD_CONFIG, "name"},
        {"{\"format\":1,\"name\":\"v\"}", S3STORE_BAD_CONFIG, "columns"},
        {"{\"format\":1,\"name\":\"v\",\"columns\":[]}", S3STORE_BAD_CONFIG, "columns"},
        {"{\"format\":1,\"name\":\"v\",\"columns\":\"a\"}", S3STORE_BAD_CONFIG, "columns"},
        {"{\"format\":1,\"name\":\"v\",\"columns\":[1]}", S3STORE_BAD_CONFIG, "element 0"},
        {"{\"format\":1,\"name\":\"v\",\"columns\":[\"a\",\"a\"]}", S3STORE_BAD_CONFIG, "k: view"},
        {"{\"format\":1,\"name\":\"a/b\",\"columns\":[\"a\"]}", S3STORE_BAD_CONFIG, "'/'"},
        {"{\"format\":1,\"name\":\"v\",\"columns\":[\"a=b:x\"]}", S3STORE_BAD_CONFIG, "format"},
    };
    s3store_error err;
    s3s_view_def out;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(s3s_view_def_parse(NULL, cases[i].text, strlen(cases[i].text), "k", &out,
                                        &err),
                     cases[i].status, cases[i].why);
        assert_string_equal(err.key, "k");
    }
    /* Unknown members are somebody's of the future. */
    const char *more = "{\"format\":1,\"name\":\"v\",\"columns\":[\"a\"],\"x\":{}}";
    assert_ok(s3s_view_def_parse(NULL, more, strlen(more), "k", &out, &err));
    s3s_view_def_deinit(&out);
}

static void test_recorded__once_and_never_changed(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    stage_open(&s, NULL);
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err));
    assert_true(created);
    /* No schema yet: LIST. The view: GET, PUT. */
    assert_string_equal(s.faults.trace, "list other, get other, put other");
    assert_true(from > s3s_wall_us(s.env) + STAGE_SKEW_US && from % SECOND == 0);
    assert_true(from <= s3s_wall_us(s.env) + STAGE_SKEW_US + SECOND);
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err));
    assert_false(created);
    assert_true(from == S3STORE_TIME_NONE);
    assert_fails(s3s_view_add(s.target, KIT_VIEW("v", "id", "v"), NULL, &created, &from, &err),
                 S3STORE_BAD_CONFIG, "\"id,v\"");
    assert_string_equal(err.key, "ds/_config/view/v.json");
    assert_fails(s3s_view_add(s.target, KIT_VIEW("v", "id=x"), NULL, &created, &from, &err),
                 S3STORE_BAD_CONFIG, "\"id=x\"");
    s3store_views *views;
    assert_ok(s3s_view_add(s.target, KIT_VIEW("a", "t=x:day"), NULL, &created, &from, &err));
    faulty_reset(&s.faults);
    assert_ok(s3s_target_views(s.target, NULL, &views, &err));
    assert_int_equal(faulty_total(&s.faults), 3);
    assert_int_equal(s3store_views_count(views), 2);
    assert_string_equal(s3store_views_get(views, 0)->name, "a");
    assert_string_equal(s3store_views_get(views, 0)->columns[0], "t=x:day");
    assert_string_equal(s3store_views_get(views, 1)->name, "v");
    assert_null(s3store_views_get(views, 2));
    s3store_views_free(views);
    stage_close(&s);
}

static void test_recorded__columns_are_looked_for_in_the_recorded_schema(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, "p:string?;d:double?;b:bool?", ROWS("a|1.5|true"), NULL, NULL, &err));
    assert_fails(s3s_view_add(s.target, KIT_VIEW("v", "nix"), NULL, &created, &from, &err),
                 S3STORE_INVALID_ARGUMENT, "no column \"nix\"");
    assert_fails(s3s_view_add(s.target, KIT_VIEW("v", "d"), NULL, &created, &from, &err),
                 S3STORE_SCHEMA_MISMATCH, "double");
    assert_fails(s3s_view_add(s.target, KIT_VIEW("v", "b=b:day"), NULL, &created, &from, &err),
                 S3STORE_SCHEMA_MISMATCH, "formats need date or timestamp");
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "b"), NULL, &created, &from, &err));
    stage_close(&s);
}

/* The answer of the PUT is lost, and it was done: the view is there, and it was we. */
static void test_recorded__a_lost_answer_is_read_again(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    const stage_rule lost = {.verb = S3S_VERB_PUT,
                             .kind = FAULTY_OTHER,
                             .from = 1,
                             .fate = {.answer = S3STORE_UNCERTAIN}};
    stage_open(&s, NULL);
    stage_rules(&s, &lost, 1);
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err));
    assert_true(created && from != S3STORE_TIME_NONE);
    const stage_rule nowhere = {.verb = S3S_VERB_PUT,
                                .kind = FAULTY_OTHER,
                                .from = 1,
                                .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    stage_rules(&s, &nowhere, 1);
    assert_fails(s3s_view_add(s.target, KIT_VIEW("w", "id"), NULL, &created, &from, &err),
                 S3STORE_PERMISSION_DENIED, NULL);
    assert_false(created);
    stage_close(&s);
}

static void test_given__must_agree_with_what_is_recorded(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    s3store_writer *w;
    stage_open(&s, NULL);
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err));
    const s3store_view_def *same[] = {KIT_VIEW("v", "id"), KIT_VIEW("w", "p")};
    const s3store_view_def *other[] = {KIT_VIEW("v", "p")};
    const s3store_view_def *twice[] = {KIT_VIEW("w", "p"), KIT_VIEW("w", "p")};
    const s3store_view_def *recorded_twice[] = {KIT_VIEW("v", "id"), KIT_VIEW("v", "id")};
    s3store_writer_options o = S3STORE_WRITER_OPTIONS_INIT;
    o.views = same;
    o.view_count = 2;
    faulty_reset(&s.faults);
    assert_ok(s3s_writer_open(s.target, &o, &w, &err));
    assert_int_equal(w->views.count, 2);
    /* What the server honours and the schema are known; views: 1 LIST and 1 GET. */
    assert_string_equal(s.faults.trace, "list other, get other");
    s3s_writer_free(w);
    o.views = other;
    o.view_count = 1;
    assert_fails(s3s_writer_open(s.target, &o, &w, &err), S3STORE_BAD_CONFIG, "use another name");
    o.views = twice;
    o.view_count = 2;
    assert_fails(s3s_writer_open(s.target, &o, &w, &err), S3STORE_INVALID_ARGUMENT, "given twice");
    o.views = recorded_twice;
    assert_fails(s3s_writer_open(s.target, &o, &w, &err), S3STORE_INVALID_ARGUMENT, "given twice");
    stage_put(&s, "ds/_config/view/bad.json", NULL);
    o.view_count = 0;
    assert_fails(s3s_writer_open(s.target, &o, &w, &err), S3STORE_BAD_CONFIG, "bad.json");
    stage_close(&s);
}

static s3store_status init_with(s3s_env *env, const s3store_object_store *store,
                                const s3store_view_def *const *views, size_t count, bool *created,
                                s3store_error *err)
{
    static const char *const by_p[] = {"p"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = store;
    config.prefix = "ds";
    config.partition_by = by_p;
    config.partition_by_count = 1;
    s3store_init_options o = S3STORE_INIT_OPTIONS_INIT;
    o.views = views;
    o.view_count = count;
    return s3s_dataset_init(env, &config, &o, created, err);
}

static void test_init__records_views_and_contradictions_change_nothing(void **state)
{
    (void)state;
    s3store_error err;
    s3s_env *env;
    s3store_object_store store;
    bool created;

    assert_ok(s3s_env_new_real(&env, &err));
    assert_ok(s3s_memory_store_new(env, &store, &err));
    const s3store_view_def *both[] = {KIT_VIEW("a", "x"), KIT_VIEW("b", "t:day=t:day")};
    const s3store_view_def *one[] = {KIT_VIEW("a", "x")};
    const s3store_view_def *other[] = {KIT_VIEW("a", "y")};
    const s3store_view_def *more[] = {KIT_VIEW("c", "x")};
    assert_ok(init_with(env, &store, both, 2, &created, &err));
    assert_true(created);
    assert_ok(init_with(env, &store, both, 2, &created, &err));
    assert_false(created);
    assert_ok(init_with(env, &store, one, 1, &created, &err));
    assert_ok(init_with(env, &store, NULL, 0, &created, &err));
    assert_false(created);
    assert_fails(init_with(env, &store, other, 1, &created, &err), S3STORE_BAD_CONFIG,
                 "\"y\" was given");
    assert_fails(init_with(env, &store, more, 1, &created, &err), S3STORE_BAD_CONFIG, "view-add");
    /* An interrupted one is completed by the same call. */
    assert_ok(s3s_remove(&store, NULL, "ds/_config/commit-timeout", &err));
    assert_ok(s3s_remove(&store, NULL, "ds/_config/view/b.json", &err));
    assert_ok(init_with(env, &store, both, 2, &created, &err));
    assert_true(created);
    s3store_object_info info;
    assert_ok(s3s_head(&store, NULL, "ds/_config/view/b.json", &info, &err));
    /* A prefix without a description is adopted, and gets its views. */
    assert_ok(s3s_remove(&store, NULL, "ds/_config/dataset.json", &err));
    assert_ok(init_with(env, &store, more, 1, &created, &err));
    assert_true(created);
    s3s_store_deinit(&store);
    assert_int_equal(s3s_env_live_allocs(env), 0);
    s3s_env_release(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_definition__is_checked_before_any_request),
        cmocka_unit_test(test_definition__json_round_trip),
        cmocka_unit_test(test_definition__hostile_json_is_refused_naming_the_key),
        cmocka_unit_test(test_recorded__once_and_never_changed),
        cmocka_unit_test(test_recorded__columns_are_looked_for_in_the_recorded_schema),
        cmocka_unit_test(test_recorded__a_lost_answer_is_read_again),
        cmocka_unit_test(test_given__must_agree_with_what_is_recorded),
        cmocka_unit_test(test_init__records_views_and_contradictions_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
