/* What a view may be, and how it is recorded. */
#include "support/alloc_sweep.h"
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
        {".", a, 1, "directory"},
        {"a\nb", a, 1, "control byte"},
        {"a\x7f", a, 1, "control byte"},
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
        assert_int_equal(s3s_view_def_make(NULL, &def, &out, NULL), S3STORE_INVALID_ARGUMENT);
    }
    s3store_view_def def = {.name = "v"};
    assert_fails(s3s_view_def_make(NULL, &def, &out, &err), S3STORE_INVALID_ARGUMENT, "size");
    def.size = 1u << 20;
    assert_fails(s3s_view_def_make(NULL, &def, &out, &err), S3STORE_INVALID_ARGUMENT, "size");
    assert_fails(s3s_view_def_make(NULL, NULL, &out, &err), S3STORE_INVALID_ARGUMENT, "size");
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

static void put_definition(stage *s, const char *name, const char *text)
{
    s3store_error err;
    char key[1200];
    s3store_put_reply reply;
    snprintf(key, sizeof key, "ds/_config/view/%s", name);
    s3store_put_request put = {
        .size = sizeof put, .key = key, .body = text, .body_size = strlen(text)};
    assert_ok(s3s_put(&s->memory, NULL, &put, &reply, &err));
}

#define GOOD_V "{\"format\":1,\"name\":\"v\",\"columns\":[\"id\"]}"

static void test_recorded__only_what_is_a_views_name_is_one(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    s3store_views *views;
    stage_open(&s, NULL);
    put_definition(&s, "v.json", GOOD_V);
    put_definition(&s, ".json", GOOD_V);
    put_definition(&s, "v.txt", GOOD_V);
    put_definition(&s, "deeper/v.json", GOOD_V);
    put_definition(&s, "..json", GOOD_V);
    assert_ok(s3s_target_views(s.target, NULL, &views, &err));
    assert_int_equal(s3store_views_count(views), 1);
    s3store_views_free(views);
    assert_int_equal(s3store_views_count(NULL), 0);
    s3store_views_free(NULL);
    stage_close(&s);
}

static void test_recorded__an_object_that_says_another_name_is_an_error(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    s3store_views *views;
    stage_open(&s, NULL);
    put_definition(&s, "w.json", GOOD_V);
    assert_fails(s3s_target_views(s.target, NULL, &views, &err), S3STORE_BAD_CONFIG,
                 "ds/_config/view/w.json says that it is view \"v\"");
    assert_string_equal(err.key, "ds/_config/view/w.json");
    assert_null(views);
    stage_close(&s);
}

static void test_recorded__one_that_was_listed_and_is_gone_is_an_error(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    s3store_views *views;
    const stage_rule gone = {.verb = S3S_VERB_GET,
                             .kind = FAULTY_OTHER,
                             .from = 1,
                             .fate = {.refuse = S3STORE_NOT_FOUND}};
    const stage_rule denied = {.verb = S3S_VERB_LIST,
                               .kind = FAULTY_OTHER,
                               .from = 1,
                               .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    stage_open(&s, NULL);
    put_definition(&s, "v.json", GOOD_V);
    stage_rules(&s, &gone, 1);
    assert_fails(s3s_target_views(s.target, NULL, &views, &err), S3STORE_BAD_CONFIG,
                 "the definition of view \"v\" was listed, but is not there");
    stage_rules(&s, &denied, 1);
    assert_fails(s3s_target_views(s.target, NULL, &views, &err), S3STORE_PERMISSION_DENIED, NULL);
    stage_close(&s);
}

static void test_recorded__a_thousand_views_are_the_most(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    s3store_views *views;
    char name[32], text[100];
    stage_open(&s, NULL);
    for (int i = 0; i < 1001; i++) {
        snprintf(name, sizeof name, "v%d.json", i);
        snprintf(text, sizeof text, "{\"format\":1,\"name\":\"v%d\",\"columns\":[\"id\"]}", i);
        put_definition(&s, name, text);
        if (i != 999)
            continue;
        assert_ok(s3s_target_views(s.target, NULL, &views, &err));
        assert_int_equal(s3store_views_count(views), 1000);
        s3store_views_free(views);
    }
    assert_fails(s3s_target_views(s.target, NULL, &views, &err), S3STORE_LIMIT_EXCEEDED,
                 "has more than 1000 views");
    stage_close(&s);
}

/* Others are always quicker, and what they recorded never shows itself. */
static void test_recorded__puts_that_always_lose_end_in_a_conflict(void **state)
{
    (void)state;
    static const s3store_status answers[] = {S3STORE_ALREADY_EXISTS, S3STORE_CONFLICT,
                                             S3STORE_UNCERTAIN};
    s3store_error err;
    bool created;
    int64_t from;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        stage s;
        const stage_rule lost = {.verb = S3S_VERB_PUT,
                                 .kind = FAULTY_OTHER,
                                 .from = 1,
                                 .fate = {.refuse = answers[i]}};
        stage_open(&s, NULL);
        stage_rules(&s, &lost, 1);
        assert_fails(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err),
                     S3STORE_CONFLICT, "view \"v\" is being recorded by others");
        assert_false(created);
        assert_true(from == S3STORE_TIME_NONE);
        stage_rules(&s, NULL, 0);
        assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err));
        assert_true(created);
        stage_close(&s);
    }
}

static void test_recorded__requests_that_fail_are_errors(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    s3store_view *view;
    const stage_rule denied = {.verb = S3S_VERB_GET,
                               .kind = FAULTY_OTHER,
                               .from = 1,
                               .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    stage_open(&s, NULL);
    stage_rules(&s, &denied, 1);
    assert_fails(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err),
                 S3STORE_PERMISSION_DENIED, NULL);
    assert_fails(s3s_view_open(s.target, KIT_VIEW("v", "id"), NULL, &view, &err),
                 S3STORE_PERMISSION_DENIED, NULL);
    assert_null(view);
    stage_close(&s);
}

/* Nobody who opens a writer later has written before: also where the server's clock is ahead. */
static void test_recorded__the_time_to_restart_from_is_of_the_later_clock(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    stage_open(&s, NULL);
    s.faults.date_offset_us = 500 * SECOND;
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "id"), NULL, &created, &from, &err));
    assert_true(from > s3s_wall_us(s.env) + 500 * SECOND);
    stage_close(&s);
}

static void test_definition__a_name_must_leave_room_for_markers(void **state)
{
    (void)state;
    static char name[S3STORE_KEY_MAX_BYTES + 1];
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    s3store_view *view;
    stage_open(&s, NULL);
    memset(name, 'n', S3STORE_VIEW_KEY_MAX_BYTES - 20);
    assert_fails(s3s_view_add(s.target, KIT_VIEW(name, "id"), NULL, &created, &from, &err),
                 S3STORE_INVALID_ARGUMENT, "leaves no room for its markers");
    assert_int_equal(faulty_total(&s.faults), 0);
    assert_fails(s3s_view_open(s.target, KIT_VIEW(name, "id"), NULL, &view, &err),
                 S3STORE_INVALID_ARGUMENT, NULL);
    memset(name, 'n', sizeof name - 1);
    assert_true(sizeof name > S3STORE_KEY_MAX_BYTES);
    const s3store_view_def by_name = {.size = sizeof by_name, .name = name};
    assert_fails(s3s_view_open(s.target, &by_name, NULL, &view, &err), S3STORE_INVALID_ARGUMENT,
                 "the key of the configuration object");
    stage_close(&s);
}

static void test_given__long_lists_of_columns_are_cut_in_messages(void **state)
{
    (void)state;
    static char texts[30][20];
    static const char *columns[30];
    s3store_error err;
    s3s_view_def many, one;
    s3store_view_def given = *KIT_VIEW("v", "id");
    for (int i = 0; i < 30; i++) {
        snprintf(texts[i], sizeof texts[i], "column-%d", i);
        columns[i] = texts[i];
    }
    assert_ok(s3s_view_def_make(NULL, &given, &one, &err));
    given.columns = columns;
    given.column_count = 30;
    assert_ok(s3s_view_def_make(NULL, &given, &many, &err));
    assert_fails(s3s_view_def_agree(&many, &one, "k", &err), S3STORE_BAD_CONFIG,
                 "view \"v\" is \"column-0,column-1,");
    assert_non_null(strstr(err.message, "...\" in k, but \"id\" was given"));
    s3s_view_def_deinit(&many);
    s3s_view_def_deinit(&one);
}

static void test_given__a_count_needs_an_array_and_a_bound(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    s3store_writer *w;
    const s3store_view_def *views[] = {KIT_VIEW("v", "id")};
    s3store_writer_options o = S3STORE_WRITER_OPTIONS_INIT;
    stage_open(&s, NULL);
    o.view_count = 1;
    assert_fails(s3s_writer_open(s.target, &o, &w, &err), S3STORE_INVALID_ARGUMENT,
                 "views: 1 are said to be given");
    o.views = views;
    o.view_count = 1001;
    assert_fails(s3s_writer_open(s.target, &o, &w, &err), S3STORE_INVALID_ARGUMENT,
                 "there may be 1000");
    assert_null(w);
    stage_close(&s);
}

static s3store_status list_views(void *ctx, s3s_env *env, s3store_error *err)
{
    const stage *s = ctx;
    s3store_views *views;
    (void)env;
    s3store_status status = s3s_target_views(s->target, NULL, &views, err);
    assert_int_equal(s3store_views_count(views), status == S3STORE_OK ? 2 : 0);
    s3store_views_free(views);
    return status;
}

static s3store_status open_writer_with_views(void *ctx, s3s_env *env, s3store_error *err)
{
    const stage *s = ctx;
    const s3store_view_def *given[] = {KIT_VIEW("b", "id"), KIT_VIEW("c", "p")};
    s3store_writer_options o = S3STORE_WRITER_OPTIONS_INIT;
    s3store_writer *w;
    (void)env;
    o.views = given;
    o.view_count = 2;
    s3store_status status = s3s_writer_open(s->target, &o, &w, err);
    assert_true((w != NULL) == (status == S3STORE_OK));
    if (w != NULL)
        assert_int_equal(w->views.count, 3);
    s3s_writer_free(w);
    return status;
}

static s3store_status open_view(void *ctx, s3s_env *env, s3store_error *err)
{
    const stage *s = ctx;
    s3store_view *view;
    (void)env;
    s3store_status status = s3s_view_open(s->target, KIT_VIEW("b", "id"), NULL, &view, err);
    assert_true((view != NULL) == (status == S3STORE_OK));
    s3s_view_free(view);
    return status;
}

/* Another one each time. */
static s3store_status add_view(void *ctx, s3s_env *env, s3store_error *err)
{
    static unsigned number;
    const stage *s = ctx;
    bool created;
    int64_t from;
    char name[32];
    (void)env;
    snprintf(name, sizeof name, "new%u", number++);
    s3store_status status =
        s3s_view_add(s->target, KIT_VIEW(name, "id"), NULL, &created, &from, err);
    assert_int_equal(created, status == S3STORE_OK);
    return status;
}

static void test_recorded__every_allocation_may_fail(void **state)
{
    (void)state;
    stage s;
    const stage_options options = {.serial = true};
    stage_open(&s, &options);
    put_definition(&s, "a.json", "{\"format\":1,\"name\":\"a\",\"columns\":[\"id\",\"t=x:%d\"]}");
    put_definition(&s, "b.json", "{\"format\":1,\"name\":\"b\",\"columns\":[\"id\"]}");
    alloc_steps_within(s.env, true, list_views, &s);
    alloc_steps_within(s.env, true, open_writer_with_views, &s);
    alloc_steps_within(s.env, true, open_view, &s);
    alloc_steps_within(s.env, true, add_view, &s);
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
    assert_int_equal(s3s_view_add(s.target, KIT_VIEW("w", "id"), NULL, &created, &from, NULL),
                     S3STORE_PERMISSION_DENIED);
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
        cmocka_unit_test(test_definition__a_name_must_leave_room_for_markers),
        cmocka_unit_test(test_recorded__only_what_is_a_views_name_is_one),
        cmocka_unit_test(test_recorded__an_object_that_says_another_name_is_an_error),
        cmocka_unit_test(test_recorded__one_that_was_listed_and_is_gone_is_an_error),
        cmocka_unit_test(test_recorded__a_thousand_views_are_the_most),
        cmocka_unit_test(test_recorded__puts_that_always_lose_end_in_a_conflict),
        cmocka_unit_test(test_recorded__requests_that_fail_are_errors),
        cmocka_unit_test(test_recorded__the_time_to_restart_from_is_of_the_later_clock),
        cmocka_unit_test(test_recorded__every_allocation_may_fail),
        cmocka_unit_test(test_given__must_agree_with_what_is_recorded),
        cmocka_unit_test(test_given__long_lists_of_columns_are_cut_in_messages),
        cmocka_unit_test(test_given__a_count_needs_an_array_and_a_bound),
        cmocka_unit_test(test_init__records_views_and_contradictions_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
