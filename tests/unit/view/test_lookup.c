/* Lookups: which tuples, in which order, at what cost, as what. */
#include <stdlib.h>

#include "base/env_private.h"
#include "support/alloc_sweep.h"
#include "unit/view/kit.h"

#define COLUMNS "p:string?;sku:string?;customer:string?"

static void put_marker(stage *s, const char *name)
{
    char key[512];
    snprintf(key, sizeof key, "ds/_matview/%s", name);
    stage_put(s, key, NULL);
}

/* Vectors 188, 189, 190. */
static void test_lookup__exact_range_miss_and_nothing(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const s3store_view_def *v = KIT_VIEW("v", "sku", "customer");
    const stage_options o = {KIT_VIEWS(v)};
    stage_open(&s, &o);
    assert_ok(stage_write(&s, COLUMNS,
                          ROWS("a|s1|abc", "a|s1|abc", "a|s1|abd", "b|s2|abc", "b|s3|xyz"), NULL,
                          NULL, &err));
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS("sku=s1/*"), NULL), "s1|abc;s1|abd;");
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS("sku=s1..s3/*"), NULL),
                        "s1|abc;s1|abd;s2|abc;");
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS("sku=s9/*"), NULL), "");
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS("*/customer=ab*"), NULL),
                        "s1|abc;s1|abd;s2|abc;");
    assert_string_equal(
        kit_lookup(&s, v, KIT_PATTERNS("sku=s3/customer=xyz", "sku=s1/customer=abc"), NULL),
        "s1|abc;s3|xyz;");
    faulty_reset(&s.faults);
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS(NULL), NULL), "");
    assert_string_equal(s.faults.trace, "get other"); /* opening */
    /* Markers of no data are there as well: a lookup has no gate. */
    put_marker(&s, "v/sku=s0/customer=q/m.matview");
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS("sku=s0/customer=q"), NULL), "s0|q;");
    stage_close(&s);
}

/* Vector 81. */
static void test_lookup__bad_patterns_are_named_before_any_list(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const s3store_view_def *v = KIT_VIEW("v", "sku", "customer");
    stage_open(&s, NULL);
    faulty_reset(&s.faults);
    assert_fails(kit_lookup_status(&s, v, KIT_PATTERNS("*", "*", "p=1"), &err),
                 S3STORE_INVALID_ARGUMENT, "view v: pattern 1");
    assert_string_equal(s.faults.trace, "get other");
    stage_close(&s);
}

/* In the order of the keys over all patterns, each once: '-' and '.' sort before the '/' that
 * follows a value. */
static void test_lookup__key_order_over_all_patterns_each_once(void **state)
{
    (void)state;
    stage s;
    const s3store_view_def *v = KIT_VIEW("v", "a", "b");
    stage_open(&s, NULL);
    static const char *const names[] = {"a=1-2/b=1", "a=1.5/b=1", "a=1/b=1",  "a=1/b=2-",
                                        "a=1/b=2",   "a=10/b=1",  "a=2/b=1",  "a=\xc3\xa9/b=x"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char key[64];
        snprintf(key, sizeof key, "v/%s/m.matview", names[i]);
        put_marker(&s, key);
    }
    const char *all = "1-2|1;1.5|1;1|1;1|2-;1|2;10|1;2|1;\xc3\xa9|x;";
    s3store_lookup_stats stats = {.size = sizeof stats};
    assert_string_equal(kit_lookup(&s, v, KIT_ALL, &stats), all);
    assert_int_equal(stats.markers, 8);
    assert_int_equal(stats.lists, 1);
    assert_string_equal(
        kit_lookup(&s, v, KIT_PATTERNS("a=2*/*", "*", "a=1/*", "", "a=1*/b=1"), &stats), all);
    assert_int_equal(stats.markers, 8);
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS("a=10/*", "a=1/*", "a=1-2/b=1"), NULL),
                        "1-2|1;1|1;1|2-;1|2;10|1;");
    stage_close(&s);
}

/* Vector 186. */
static void test_lookup__strays_are_skipped_and_counted_once(void **state)
{
    (void)state;
    stage s;
    const s3store_view_def *v = KIT_VIEW("v", "a", "b");
    stage_open(&s, NULL);
    put_marker(&s, "v/a=1/b=1/m.matview");
    static const char *const strays[] = {
        "v/a=1/b=1/m.matvie",         "v/a=1/b=1/m.matview2", "v/a=1/m.matview",
        "v/a=1/b=1/c=1/m.matview",    "v/b=1/a=1/m.matview",  "v/a=1/c=1/m.matview",
        "v/a1/b=1/m.matview",         "v/m.matview",          "v/a=1/b=1/m.matview/m.matview",
        "v/a=\xff/b=1/m.matview",
    };
    size_t count = sizeof strays / sizeof strays[0];
    for (size_t i = 0; i < count; i++)
        put_marker(&s, strays[i]);
    put_marker(&s, "v2/a=1/b=1/m.matview"); /* of another view */
    s3store_lookup_stats stats = {.size = sizeof stats};
    assert_string_equal(kit_lookup(&s, v, KIT_ALL, &stats), "1|1;");
    assert_int_equal(stats.strays, count);
    assert_int_equal(stats.markers, 1);
    assert_non_null(strstr(s.log, "none of its markers"));
    assert_string_equal(kit_lookup(&s, v, KIT_PATTERNS("*", "*/*", "*/b=1"), &stats), "1|1;");
    assert_int_equal(stats.strays, count);
    stage_close(&s);
}

static void test_lookup__more_than_the_budget_is_an_error_that_names_it(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_options o = {.memory_bytes = 4096};
    stage_open(&s, &o);
    for (int i = 0; i < 200; i++) {
        char key[64];
        snprintf(key, sizeof key, "v/a=%04d/m.matview", i);
        put_marker(&s, key);
    }
    assert_fails(kit_lookup_status(&s, KIT_VIEW("v", "a"), KIT_ALL, &err), S3STORE_LIMIT_EXCEEDED,
                 "--memory");
    assert_string_equal(kit_lookup(&s, KIT_VIEW("v", "a"), KIT_PATTERNS("a=000*"), NULL),
                        "0000;0001;0002;0003;0004;0005;0006;0007;0008;0009;");
    stage_close(&s);
}

static void test_open__a_name_alone_is_a_recorded_view(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    bool created;
    int64_t from;
    s3store_view *view;
    stage_open(&s, NULL);
    assert_ok(s3s_view_add(s.target, KIT_VIEW("v", "a", "d=t:day"), NULL, &created, &from, &err));
    put_marker(&s, "v/a=x/d=2018-02-07/m.matview");
    s3store_view_def by_name = S3STORE_VIEW_DEF_INIT;
    by_name.name = "v";
    faulty_reset(&s.faults);
    assert_ok(s3s_view_open(s.target, &by_name, NULL, &view, &err));
    assert_string_equal(s.faults.trace, "get other");
    assert_int_equal(view->def.count, 2);
    s3s_view_free(view);
    assert_string_equal(kit_lookup(&s, &by_name, KIT_ALL, NULL), "x|2018-02-07;");
    by_name.name = "w";
    assert_fails(s3s_view_open(s.target, &by_name, NULL, &view, &err), S3STORE_NOT_FOUND, "\"w\"");
    assert_string_equal(err.key, "ds/_config/view/w.json");
    by_name.name = "a/b";
    assert_fails(s3s_view_open(s.target, &by_name, NULL, &view, &err), S3STORE_INVALID_ARGUMENT,
                 "'/'");
    assert_fails(s3s_view_open(s.target, KIT_VIEW("v", "a"), NULL, &view, &err),
                 S3STORE_BAD_CONFIG, "use another name");
    assert_ok(s3s_view_open(s.target, KIT_VIEW("v", "a", "d=t:day"), NULL, &view, &err));
    s3s_view_free(view);
    stage_close(&s);
}

/* ---- as C structs ---------------------------------------------------------------------------- */

typedef struct typed {
    int64_t at;
    int32_t day;
    const char *name;
    s3store_bytes text;
    bool flag;
    uint64_t big;
    int8_t small;
} typed;
static const s3store_field typed_fields[] = {
    {.name = "small", .kind = S3STORE_KIND_INT8, .offset = offsetof(typed, small)},
    {.name = "at", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(typed, at)},
    {.name = "day", .kind = S3STORE_KIND_DATE, .offset = offsetof(typed, day)},
    {.name = "name", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(typed, name)},
    {.name = "text", .kind = S3STORE_KIND_STRING, .offset = offsetof(typed, text)},
    {.name = "flag", .kind = S3STORE_KIND_BOOL, .offset = offsetof(typed, flag)},
    {.name = "big", .kind = S3STORE_KIND_UINT64, .offset = offsetof(typed, big)},
};
static const s3store_record_type typed_type = S3STORE_RECORD_TYPE(typed, typed_fields);
#define TYPED_VIEW                                                                                 \
    KIT_VIEW("v", "at=t:%d.%m.%Y %H-%M-%S%.9N", "day=t:month", "name", "text", "flag", "big", "small")

static void test_records__have_the_values_that_texts_stand_for(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    s3store_view *view;
    s3store_records *records;
    s3store_lookup_stats stats = {.size = sizeof stats};
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    o.patterns = KIT_ALL;
    o.pattern_count = 1;
    stage_open(&s, NULL);
    put_marker(&s, "v/at=07.02.2018 01-26-13.840001/day=2018-02/name=n=1/text=t/flag=true/"
                   "big=18446744073709551615/small=-128/m.matview");
    put_marker(&s, "v/at=31.12.1969 23-59-59/day=1969-12/name=x/text=y/flag=false/big=0/small=7/"
                   "m.matview");
    assert_ok(s3s_view_open(s.target, TYPED_VIEW, NULL, &view, &err));
    assert_ok(s3s_view_lookup_records(view, &typed_type, &o, &records, &stats, &err));
    s3s_view_free(view);
    assert_int_equal(s3store_records_count(records), 2);
    const typed *r = s3store_records_data(records);
    assert_int_equal(r[0].at, INT64_C(1517966773840001));
    assert_int_equal(r[0].day, 17563); /* the first of the month */
    assert_string_equal(r[0].name, "n=1");
    assert_int_equal(r[0].text.size, 1);
    assert_true(r[0].flag);
    assert_true(r[0].big == UINT64_MAX);
    assert_int_equal(r[0].small, -128);
    assert_int_equal(r[1].at, -1000000);
    assert_int_equal(r[1].day, -31);
    assert_false(r[1].flag);
    s3store_records_free(records);
    stage_close(&s);
}

/* Times as they are written where the view says nothing of their form, and by RFC 3339. */
static void test_records__times_without_a_form_and_by_rfc3339_come_back(void **state)
{
    (void)state;
    typedef struct times {
        int64_t at, stamp;
        int32_t date;
    } times;
    static const s3store_field fields[] = {
        {.name = "at", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(times, at)},
        {.name = "stamp", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(times, stamp)},
        {.name = "date", .kind = S3STORE_KIND_DATE, .offset = offsetof(times, date)},
    };
    static const s3store_record_type type = S3STORE_RECORD_TYPE(times, fields);
    s3store_error err;
    stage s;
    s3store_view *view;
    s3store_records *records;
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    stage_open(&s, NULL);
    assert_ok(s3s_view_open(s.target, KIT_VIEW("v", "at", "stamp=t:rfc3339", "date"), NULL, &view,
                            &err));
    o.pattern_count = 1;
    assert_fails(s3s_view_lookup_records(view, &type, &o, &records, NULL, &err),
                 S3STORE_INVALID_ARGUMENT, "without patterns");
    o.patterns = KIT_ALL;
    put_marker(&s, "v/at=2018-02-07T01:26:13.5Z/stamp=2018-02-07T01:26:13Z/date=2018-02-07/"
                   "m.matview");
    put_marker(&s, "v/at=2018-02-08/stamp=1969-12-31T23:59:59Z/date=1969-12-31/m.matview");
    assert_ok(s3s_view_lookup_records(view, &type, &o, &records, NULL, &err));
    assert_int_equal(s3store_records_count(records), 2);
    const times *r = s3store_records_data(records);
    assert_int_equal(r[0].at, INT64_C(1517966773500000));
    assert_int_equal(r[0].stamp, INT64_C(1517966773000000));
    assert_int_equal(r[0].date, 17569);
    assert_int_equal(r[1].at, INT64_C(1518048000000000)); /* a whole day */
    assert_int_equal(r[1].stamp, -1000000);
    assert_int_equal(r[1].date, -1);
    s3store_records_free(records);
    put_marker(&s, "v/at=2018-02-08/stamp=yesterday/date=2018-02-08/m.matview");
    assert_fails(s3s_view_lookup_records(view, &type, &o, &records, NULL, &err),
                 S3STORE_INVALID_ARGUMENT, "\"stamp\"");
    s3s_view_free(view);
    stage_close(&s);
}

/* Vector 185. */
static void test_records__a_text_that_is_no_such_value_is_an_error(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"at=2018-02-07/day=2018-02/name=n/text=t/flag=true/big=1/small=1", "\"at\""},
        {"at=07.02.2018 01-26-13/day=2018-13/name=n/text=t/flag=true/big=1/small=1", "\"day\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=yes/big=1/small=1", "\"flag\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=trub/big=1/small=1", "\"flag\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=falsy/big=1/small=1", "\"flag\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=true/big=-1/small=1", "\"big\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=true/big=1a/small=1", "\"big\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=true/big=18446744073709551616/"
         "small=1", "\"big\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=true/big=99999999999999999999/"
         "small=1", "\"big\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=true/big=1/small=x", "\"small\""},
        {"at=07.02.2018 01-26-13/day=2018-02/name=n/text=t/flag=true/big=1/small=200", "small"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        s3store_error err;
        stage s;
        s3store_view *view;
        s3store_records *records;
        char key[256];
        s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
        o.patterns = KIT_ALL;
        o.pattern_count = 1;
        stage_open(&s, NULL);
        snprintf(key, sizeof key, "v/%s/m.matview", bad[i][0]);
        put_marker(&s, key);
        assert_ok(s3s_view_open(s.target, TYPED_VIEW, NULL, &view, &err));
        s3store_status status =
            s3s_view_lookup_records(view, &typed_type, &o, &records, NULL, &err);
        assert_true(status == S3STORE_INVALID_ARGUMENT);
        assert_null(records);
        assert_non_null(strstr(err.message, bad[i][1]));
        assert_non_null(strstr(err.message, "view v, marker of at="));
        s3s_view_free(view);
        stage_close(&s);
    }
}

/* A time that the field's unit cannot say, in either step; a long key is cut in the message. */
static void test_records__a_time_beyond_the_fields_unit_is_an_error(void **state)
{
    (void)state;
    typedef struct nanos {
        int64_t at;
        const char *name;
    } nanos;
    static const s3store_field fields[] = {
        {.name = "at", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(nanos, at),
         .unit = S3STORE_UNIT_NANO},
        {.name = "name", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(nanos, name)},
    };
    static const s3store_record_type type = S3STORE_RECORD_TYPE(nanos, fields);
    static const char *const far[] = {"9999-01-01T00:00:00Z", "2262-04-11T23:47:16.999999999Z"};
    char name[401], key[490];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        s3store_error err;
        stage s;
        s3store_view *view;
        s3store_records *records;
        s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
        o.patterns = KIT_ALL;
        o.pattern_count = 1;
        stage_open(&s, NULL);
        snprintf(key, sizeof key, "v/at=%s/name=%s/m.matview", far[i], name);
        put_marker(&s, key);
        assert_ok(s3s_view_open(s.target, KIT_VIEW("v", "at", "name"), NULL, &view, &err));
        assert_fails(s3s_view_lookup_records(view, &type, &o, &records, NULL, &err),
                     S3STORE_INVALID_ARGUMENT, "column \"at\": the text \"");
        assert_non_null(strstr(err.message, far[i]));
        assert_null(strstr(err.message, name));
        s3s_view_free(view);
        stage_close(&s);
    }
}

/* Vector 184: a field is missing, is of a type that no text is, is one too many, is there twice. */
static void test_records__fields_and_columns_must_be_the_same(void **state)
{
    (void)state;
    typedef struct two {
        const char *a, *b;
        double d;
    } two;
    static const s3store_field fields[] = {
        {.name = "a", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(two, a)},
        {.name = "b", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(two, b)},
        {.name = "d", .kind = S3STORE_KIND_DOUBLE, .offset = offsetof(two, d)},
    };
    static const s3store_field twice[] = {
        {.name = "a", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(two, a)},
        {.name = "a", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(two, b)},
    };
    const struct {
        const s3store_field *fields;
        size_t count;
        const s3store_view_def *view;
        const char *text;
    } cases[] = {
        {fields, 1, KIT_VIEW("v", "a", "b"), "no field for column \"b\""},
        {fields, 3, KIT_VIEW("v", "a", "b", "d"), "cannot be read as double"},
        {fields, 2, KIT_VIEW("v", "a"), "no column \"b\""},
        {twice, 2, KIT_VIEW("v", "a", "b"), "a"},
        {fields, 0, KIT_VIEW("v", "a"), NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        s3store_error err;
        stage s;
        s3store_view *view;
        s3store_records *records;
        const s3store_record_type type = {.size = sizeof type,
                                          .record_size = sizeof(two),
                                          .fields = cases[i].fields,
                                          .field_count = cases[i].count};
        s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
        o.patterns = KIT_ALL;
        o.pattern_count = 1;
        stage_open(&s, NULL);
        assert_ok(s3s_view_open(s.target, cases[i].view, NULL, &view, &err));
        faulty_reset(&s.faults);
        assert_fails(s3s_view_lookup_records(view, &type, &o, &records, NULL, &err),
                     S3STORE_INVALID_ARGUMENT, cases[i].text);
        assert_int_equal(faulty_total(&s.faults), 0);
        s3s_view_free(view);
        stage_close(&s);
    }
}

/* ---- failures -------------------------------------------------------------------------------- */

static void test_lookup__errors_and_cancellation_surface(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    const stage_rule denied = {.verb = S3S_VERB_LIST,
                               .kind = FAULTY_OTHER,
                               .from = 1,
                               .fate = {.refuse = S3STORE_PERMISSION_DENIED}};
    stage_open(&s, NULL);
    stage_rules(&s, &denied, 1);
    assert_fails(kit_lookup_status(&s, KIT_VIEW("v", "a"), KIT_ALL, &err),
                 S3STORE_PERMISSION_DENIED, "view v");
    assert_int_equal(kit_lookup_status(&s, KIT_VIEW("v", "a"), KIT_ALL, NULL),
                     S3STORE_PERMISSION_DENIED);
    stage_rules(&s, NULL, 0);
    s3store_view *view;
    s3store_cancel *cancel;
    struct ArrowArrayStream stream;
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_cancel_trigger(cancel);
    s3store_lookup_options o = S3STORE_LOOKUP_OPTIONS_INIT;
    o.patterns = KIT_ALL;
    o.pattern_count = 1;
    o.cancel = cancel;
    assert_ok(s3s_view_open(s.target, KIT_VIEW("v", "a"), NULL, &view, &err));
    assert_fails(s3s_view_lookup(view, &o, &stream, NULL, &err), S3STORE_CANCELLED, NULL);
    s3s_view_free(view);
    s3store_cancel_free(cancel);
    stage_close(&s);
}

static void test_lookup__every_allocation_may_fail(void **state)
{
    (void)state;
    s3store_error err;
    stage s;
    stage_open(&s, NULL);
    put_marker(&s, "v/a=1/m.matview");
    put_marker(&s, "v/a=2/m.matview");
    put_marker(&s, "v/stray");
    size_t failures = 0, successes = 0; /* one after the other: some failures are made good */
    for (uint64_t n = 0; successes < 40; n++) {
        assert_true(n < 2000);
        s3s_env_fail_any_alloc_at(s.env, n);
        s3store_status status =
            kit_lookup_status(&s, KIT_VIEW("v", "a"), KIT_PATTERNS("*", "a=2"), &err);
        s3s_env_fail_alloc_at(s.env, UINT64_MAX);
        successes = status == S3STORE_OK ? successes + 1 : 0;
        failures += status != S3STORE_OK;
    }
    assert_true(failures > 10);
    stage_close(&s);
}

/* Columns whose names fill a block. */
static s3store_status look_up_wide(void *ctx, s3s_env *env, s3store_error *err)
{
    enum { WIDE = 40, NAME = 120 };
    static char texts[WIDE][NAME];
    static const char *names[WIDE];
    stage *s = ctx;
    s3store_view_def def = S3STORE_VIEW_DEF_INIT;
    (void)env;
    for (int i = 0; i < WIDE; i++) {
        snprintf(texts[i], NAME, "%0*d", NAME - 1, i);
        names[i] = texts[i];
    }
    def.name = "wide";
    def.columns = names;
    def.column_count = WIDE;
    return kit_lookup_status(s, &def, KIT_ALL, err);
}

static void test_lookup__of_many_columns_every_allocation_may_fail(void **state)
{
    (void)state;
    stage s;
    const stage_options serial = {.serial = true};
    stage_open(&s, &serial);
    alloc_steps_within(s.env, true, look_up_wide, &s);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup__exact_range_miss_and_nothing),
        cmocka_unit_test(test_lookup__bad_patterns_are_named_before_any_list),
        cmocka_unit_test(test_lookup__key_order_over_all_patterns_each_once),
        cmocka_unit_test(test_lookup__strays_are_skipped_and_counted_once),
        cmocka_unit_test(test_lookup__more_than_the_budget_is_an_error_that_names_it),
        cmocka_unit_test(test_open__a_name_alone_is_a_recorded_view),
        cmocka_unit_test(test_records__have_the_values_that_texts_stand_for),
        cmocka_unit_test(test_records__times_without_a_form_and_by_rfc3339_come_back),
        cmocka_unit_test(test_records__a_text_that_is_no_such_value_is_an_error),
        cmocka_unit_test(test_records__a_time_beyond_the_fields_unit_is_an_error),
        cmocka_unit_test(test_records__fields_and_columns_must_be_the_same),
        cmocka_unit_test(test_lookup__errors_and_cancellation_surface),
        cmocka_unit_test(test_lookup__every_allocation_may_fail),
        cmocka_unit_test(test_lookup__of_many_columns_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
