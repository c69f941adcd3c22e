/* orphans: what no commit names, how old it is, what may be removed, and that nothing else is. */
#include "base/env_private.h"
#include "unit/maintain/kit.h"

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)

/* A server whose clock has gone on: everything that was put before is that much older. */
typedef struct aged {
    s3store_object_store inner;
    fixture *fx;
    int64_t age_us;
    const char *young; /* keys with this text are of now; NULL = none */
    int64_t young_us;  /* or so much younger; 0 = of now */
    const char *refuses_removal; /* of keys with this text */
    const char *ageless;         /* HEAD of keys with this text says no time */
    bool no_date;                /* nor what time it is */
    s3store_status uploads;      /* the answer to a listing of uploads; OK = an honest one */
    s3store_cancel *cancel;      /* triggered when an upload is aborted */
    const char *eternal;         /* LIST says that keys with this text are older than time */
} aged;

static int64_t shift(const aged *a, const char *key)
{
    if (a->young == NULL || strstr(key, a->young) == NULL)
        return 0;
    return a->young_us != 0 ? a->young_us : a->age_us;
}

static s3store_status aged_head(void *impl, const s3store_call *call, const char *key,
                                s3store_object_info *info, s3store_error *err)
{
    aged *a = impl;
    s3store_status status = s3s_head(&a->inner, call, key, info, err);
    if (status == S3STORE_OK) {
        info->date_us += a->age_us;
        info->last_modified_us += shift(a, key);
        if (a->ageless != NULL && strstr(key, a->ageless) != NULL)
            info->last_modified_us = S3STORE_TIME_NONE;
        if (a->no_date)
            info->date_us = S3STORE_TIME_NONE;
    }
    return status;
}

typedef struct aged_list_ctx {
    const aged *a;
    s3store_list_fn fn;
    void *ctx;
} aged_list_ctx;

static bool aged_entry(void *ctx, const s3store_list_entry *entry)
{
    const aged_list_ctx *c = ctx;
    s3store_list_entry own = *entry;
    own.last_modified_us += shift(c->a, entry->key);
    if (c->a->eternal != NULL && strstr(entry->key, c->a->eternal) != NULL)
        own.last_modified_us = INT64_MIN + 1;
    return c->fn(c->ctx, &own);
}

static s3store_status aged_list(void *impl, const s3store_call *call,
                                const s3store_list_request *request, s3store_list_fn fn,
                                void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    aged *a = impl;
    aged_list_ctx c = {a, fn, fn_ctx};
    return s3s_list(&a->inner, call, request, aged_entry, &c, reply, err);
}

static s3store_status aged_remove(void *impl, const s3store_call *call, const char *key,
                                  s3store_error *err)
{
    aged *a = impl;
    if (a->refuses_removal != NULL && strstr(key, a->refuses_removal) != NULL) {
        *err = (s3store_error){.status = S3STORE_PERMISSION_DENIED, .message = "no, says the test"};
        return S3STORE_PERMISSION_DENIED;
    }
    return s3s_remove(&a->inner, call, key, err);
}

#define FORWARD(name, ...)                                                                         \
    aged *a = impl;                                                                                \
    return a->inner.name(a->inner.impl, __VA_ARGS__)

static s3store_status aged_put(void *impl, const s3store_call *call,
                               const s3store_put_request *request, s3store_put_reply *reply,
                               s3store_error *err)
{
    FORWARD(put, call, request, reply, err);
}

static s3store_status aged_get(void *impl, const s3store_call *call,
                               const s3store_get_request *request, s3store_sink *sink,
                               s3store_object_info *info, s3store_error *err)
{
    FORWARD(get, call, request, sink, info, err);
}

static s3store_status aged_abort(void *impl, const s3store_call *call, const char *key,
                                 const char *id, s3store_error *err)
{
    if (((aged *)impl)->cancel != NULL)
        s3store_cancel_trigger(((aged *)impl)->cancel);
    FORWARD(abort_multipart, call, key, id, err);
}

static s3store_status aged_uploads(void *impl, const s3store_call *call,
                                   const s3store_list_uploads_request *request,
                                   s3store_upload_fn fn, void *ctx,
                                   s3store_list_uploads_reply *reply, s3store_error *err)
{
    if (((aged *)impl)->uploads != S3STORE_OK) {
        *err = (s3store_error){.status = ((aged *)impl)->uploads, .message = "says the test"};
        return err->status;
    }
    FORWARD(list_multipart, call, request, fn, ctx, reply, err);
}

static void age(aged *a, fixture *fx, int64_t age_us)
{
    *a = (aged){.inner = fx->target->bottom, .fx = fx, .age_us = age_us};
    s3store_object_store *b = &fx->target->bottom;
    b->impl = a;
    b->put = aged_put;
    b->get = aged_get;
    b->head = aged_head;
    b->list = aged_list;
    b->remove = aged_remove;
    b->abort_multipart = aged_abort;
    b->list_multipart = aged_uploads;
}

static void take_orphan(void *ctx, const s3store_orphan *o)
{
    assert_true(o->reason[0] != '\0');
    assert_true(o->kind == S3STORE_ORPHAN_UPLOAD || o->upload_id == NULL);
    kit_tell(ctx, "%s %s %s;", s3store_orphan_kind_name(o->kind), o->key,
             o->removed ? "removed" : o->removable ? "removable" : "keep");
}

static s3store_status look(fixture *fx, int64_t older_than_us, bool removing, kit_told *told,
                           s3store_orphans_report *report, s3store_error *err)
{
    s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
    options.older_than_us = older_than_us;
    options.remove = removing;
    options.orphan = take_orphan;
    options.orphan_ctx = told;
    memset(told, 0, sizeof *told);
    *report = (s3store_orphans_report){.size = sizeof *report};
    return s3s_orphans(fx->target, &options, report, err);
}

static void expect(fixture *fx, int64_t older_than_us, bool removing, const char *text,
                   s3store_orphans_report *report)
{
    s3store_error err;
    kit_told told;
    assert_ok(look(fx, older_than_us, removing, &told, report, &err));
    assert_string_equal(told.text, text);
}

static bool exists(fixture *fx, const char *key)
{
    s3store_object_info info;
    return s3s_head(&fx->memory, NULL, key, &info, NULL) == S3STORE_OK;
}

static void test_orphans__exactly_what_no_commit_names_is_told(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written good = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    kit_write(&fx, "p=a", NULL, FIXTURE_ALL);
    fixture_written died = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    fixture_written lost = kit_write(&fx, "p=b", "t", FIXTURE_DATA | FIXTURE_REF);
    fixture_written won = kit_write(&fx, "p=b", "t", FIXTURE_ALL);
    /* A commit whose data object is gone, but not its ref; and one beside a dead attempt. */
    fixture_written gone = kit_write(&fx, "p=c", "t", FIXTURE_ALL);
    fixture_remove(&fx, gone.data_key);
    fixture_written swapped = kit_write(&fx, "p=d", "t", FIXTURE_ALL);
    fixture_remove(&fx, swapped.data_key);
    kit_write(&fx, "p=d", "t", FIXTURE_DATA); /* taken for the committed one: never removed */
    /* Nobody's business. */
    fixture_put(&fx, "ds/data/notes.txt", "x", 1, NULL);
    fixture_put(&fx, "ds/_ref/junk", "x", 1, NULL);
    fixture_put(&fx, "ds/elsewhere", "x", 1, NULL);
    age(&a, &fx, 8 * DAY_US);
    snprintf(text, sizeof text, "data %s removable;data %s removable;ref %s removable;",
             died.data_key, lost.data_key, lost.ref_key);
    expect(&fx, 0, false, text, &r);
    assert_int_equal(r.data, 2);
    assert_int_equal(r.refs, 1);
    assert_int_equal(r.uploads, 0);
    assert_int_equal(r.removable, 3);
    assert_true(r.bytes > 0);
    assert_int_equal(r.removable_bytes, r.bytes);
    assert_true(r.uploads_listed);
    assert_true(exists(&fx, died.data_key));
    /* And with the wish to remove, those go, and nothing else. */
    snprintf(text, sizeof text, "data %s removed;data %s removed;ref %s removed;", died.data_key,
             lost.data_key, lost.ref_key);
    expect(&fx, 0, true, text, &r);
    assert_int_equal(r.removed, 3);
    assert_int_equal(r.removed_bytes, r.bytes);
    const char *const kept[] = {good.data_key, good.ref_key,   good.commit_key, won.data_key,
                                won.ref_key,   gone.ref_key,   swapped.ref_key, "ds/data/notes.txt",
                                "ds/_ref/junk", "ds/elsewhere"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (!exists(&fx, kept[i]))
            fail_msg("%s was removed", kept[i]);
    expect(&fx, 0, true, "", &r);
    fixture_close_clean(&fx);
}

static void test_orphans__young_ones_are_not_told_and_never_removed(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx); /* commit timeout 2h, skew 1s: the bound is 2h15m1s */
    fixture_written d = kit_write(&fx, "p=a", "t", FIXTURE_DATA | FIXTURE_REF);
    age(&a, &fx, 6 * DAY_US);
    expect(&fx, 0, true, "", &r);
    assert_int_equal(r.younger, 2);
    assert_true(r.bound_us == 7 * DAY_US);
    assert_false(r.bound_proven);
    a.age_us = 2 * HOUR_US;
    snprintf(text, sizeof text, "data %s keep;ref %s keep;", d.data_key, d.ref_key);
    expect(&fx, HOUR_US, true, text, &r);
    assert_true(r.bound_proven);
    assert_true(r.bound_us == 2 * HOUR_US + 15 * 60 * INT64_C(1000000) + 1000000);
    assert_int_equal(r.removable, 0);
    assert_int_equal(r.removed, 0);
    a.age_us = 2 * HOUR_US + 16 * 60 * INT64_C(1000000);
    snprintf(text, sizeof text, "data %s removed;ref %s removed;", d.data_key, d.ref_key);
    expect(&fx, HOUR_US, true, text, &r);
    fixture_close_clean(&fx);
}

static void test_orphans__without_expiring_commits_a_week_is_the_least(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "t", FIXTURE_DATA);
    age(&a, &fx, 6 * DAY_US);
    fx.target->fence = S3STORE_FENCE_OFF;
    snprintf(text, sizeof text, "data %s keep;", d.data_key);
    expect(&fx, HOUR_US, true, text, &r);
    assert_false(r.bound_proven);
    assert_true(exists(&fx, d.data_key));
    a.age_us = 7 * DAY_US + HOUR_US;
    snprintf(text, sizeof text, "data %s removed;", d.data_key);
    expect(&fx, HOUR_US, true, text, &r);
    fixture_close_clean(&fx);
}

static void test_orphans__an_hour_is_the_least_of_all_bounds(void **state)
{
    (void)state;
    fixture fx;
    fixture_open(&fx, NULL, NULL); /* commit timeout 2s */
    assert_true(s3s_orphan_bound_us(fx.target, true) == HOUR_US);
    assert_true(s3s_orphan_bound_us(fx.target, false) == 7 * DAY_US);
    fx.target->commit_timeout_us = 10 * DAY_US;
    assert_true(s3s_orphan_bound_us(fx.target, false) > 10 * DAY_US);
    fixture_close_clean(&fx);
}

static void test_orphans__a_marker_that_cannot_be_read_keeps_everything(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    s3store_metadata none = {0};
    char text[8192];
    kit_open(&fx);
    fixture_written one = kit_write(&fx, "p=a", "t", FIXTURE_DATA | FIXTURE_REF);
    fixture_written two = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    fixture_put(&fx, two.commit_key, NULL, 0, &none);
    age(&a, &fx, 8 * DAY_US);
    snprintf(text, sizeof text, "data %s keep;data %s keep;ref %s keep;ref %s keep;", one.data_key,
             two.data_key, one.ref_key, two.ref_key);
    expect(&fx, 0, true, text, &r);
    assert_true(exists(&fx, one.data_key) && exists(&fx, two.data_key));
    fixture_close_clean(&fx);
}

/* The token is committed after the search saw that it was not. */
static s3s_fault_decision commit_late(void *ctx, s3s_fault_verb verb, const char *key,
                                      uint64_t sequence)
{
    fixture *fx = ctx;
    (void)sequence;
    if (verb == S3S_VERB_HEAD && strstr(key, "dead-") != NULL) {
        char attempt[S3S_ATTEMPT_ID_SIZE + 1];
        fx->hook = NULL;
        fixture_attempt(1, attempt);
        fixture_write write = {.partition = "p=a",
                               .token = "dead",
                               .attempt = attempt,
                               .steps = FIXTURE_REF | FIXTURE_COMMIT};
        fixture_write_bytes(fx, &write, "", 0, 1);
    }
    return S3S_FAULT_NONE;
}

static void test_orphans__what_is_committed_meanwhile_stays(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    s3store_error err;
    kit_told told;
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    fx.hook = commit_late;
    fx.hook_ctx = &fx;
    assert_ok(look(&fx, 0, true, &told, &r, &err));
    assert_null(fx.hook);
    assert_int_equal(r.removed, 0);
    assert_true(exists(&fx, d.data_key));
    fixture_close_clean(&fx);
}

/* The object is put again (a PUT that was held up) after it was listed. */
static s3s_fault_decision put_again(void *ctx, s3s_fault_verb verb, const char *key,
                                    uint64_t sequence)
{
    aged *a = ctx;
    (void)sequence;
    if (verb == S3S_VERB_HEAD && strstr(key, "dead-") != NULL)
        a->young = "dead-";
    return S3S_FAULT_NONE;
}

static void test_orphans__what_became_young_meanwhile_stays(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    fx.hook = put_again;
    fx.hook_ctx = &a;
    snprintf(text, sizeof text, "data %s keep;", d.data_key);
    expect(&fx, 0, true, text, &r);
    assert_true(exists(&fx, d.data_key));
    fixture_close_clean(&fx);
}

static void take_reason(void *ctx, const s3store_orphan *o)
{
    kit_tell(ctx, "%s: %s;", o->removable ? "removable" : "keep", o->reason);
}

/* Old enough for the bound, not for who asks: it is not said to be younger than the bound. */
static void test_orphans__what_became_younger_than_asked_for_says_so(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_error err;
    kit_told told = {0};
    s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_orphans_report r = {.size = sizeof r};
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 30 * DAY_US);
    a.young_us = 20 * DAY_US;
    fx.hook = put_again;
    fx.hook_ctx = &a;
    options.older_than_us = 20 * DAY_US;
    options.remove = true;
    options.orphan = take_reason;
    options.orphan_ctx = &told;
    assert_ok(s3s_orphans(fx.target, &options, &r, &err));
    assert_int_equal(r.bound_us, 7 * DAY_US);
    assert_string_equal(told.text, "keep: it was stored again meanwhile, and is younger than was "
                                   "asked for;");
    assert_true(exists(&fx, d.data_key));
    fixture_close_clean(&fx);
}

static void test_orphans__one_that_cannot_be_removed_does_not_keep_the_others(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written one = kit_write(&fx, "p=a", "one", FIXTURE_DATA);
    fixture_written two = kit_write(&fx, "p=a", "two", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    a.refuses_removal = "one-";
    snprintf(text, sizeof text, "data %s removable;data %s removed;", one.data_key, two.data_key);
    expect(&fx, 0, true, text, &r);
    assert_int_equal(r.failed, 1);
    assert_int_equal(r.removed, 1);
    fixture_close_clean(&fx);
}

/* Refuses HEADs of keys with a text, from the n-th on. */
typedef struct refusing {
    const char *text;
    unsigned from, seen;
    s3store_status status;
} refusing;

static s3s_fault_decision refuse_head(void *ctx, s3s_fault_verb verb, const char *key,
                                      uint64_t sequence)
{
    refusing *r = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)sequence;
    if (verb == S3S_VERB_HEAD && strstr(key, r->text) != NULL && ++r->seen >= r->from)
        d.before = r->status;
    return d;
}

static void test_orphans__a_marker_that_cannot_be_asked_for_is_an_error(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_error err;
    kit_told told;
    s3store_orphans_report r;
    kit_open(&fx);
    fixture_written one = kit_write(&fx, "p=a", "t", FIXTURE_DATA);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL); /* which of the two is named by the marker? */
    age(&a, &fx, 8 * DAY_US);
    refusing f = {.text = ".commit", .from = 1, .status = S3STORE_PERMISSION_DENIED};
    fx.hook = refuse_head;
    fx.hook_ctx = &f;
    assert_fails(look(&fx, 0, true, &told, &r, &err), S3STORE_PERMISSION_DENIED, NULL);
    assert_string_equal(told.text, "");
    assert_int_equal(r.removed, 0);
    assert_int_equal(look(&fx, 0, true, &told, &r, NULL), S3STORE_PERMISSION_DENIED);
    assert_true(exists(&fx, one.data_key));
    fx.hook = NULL;
    fixture_close_clean(&fx);
}

static void test_orphans__what_is_gone_or_cannot_be_looked_at_again_is_told(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    refusing gone = {.text = "dead-", .from = 1, .status = S3STORE_NOT_FOUND};
    fx.hook = refuse_head;
    fx.hook_ctx = &gone;
    snprintf(text, sizeof text, "data %s keep;", d.data_key);
    expect(&fx, 0, true, text, &r); /* somebody else removed it: nothing to do */
    assert_int_equal(r.failed, 0);
    refusing denied = {.text = "dead-", .from = 1, .status = S3STORE_PERMISSION_DENIED};
    fx.hook_ctx = &denied;
    snprintf(text, sizeof text, "data %s removable;", d.data_key);
    expect(&fx, 0, true, text, &r);
    assert_int_equal(r.failed, 1);
    assert_int_equal(r.removed, 0);
    fx.hook = NULL;
    assert_true(exists(&fx, d.data_key));
    fixture_close_clean(&fx);
}

static void test_orphans__what_has_no_age_stays(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    a.ageless = "dead-"; /* LIST knew its time, HEAD does not */
    snprintf(text, sizeof text, "data %s keep;", d.data_key);
    expect(&fx, 0, true, text, &r);
    assert_int_equal(r.removed, 0);
    assert_true(exists(&fx, d.data_key));
    fixture_close_clean(&fx);
}

/* Ages are by this machine's clock then, and less by as much as it may be ahead of the server's. */
static void test_orphans__without_the_servers_clock_the_skew_counts_against_removal(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    a.no_date = true; /* by this machine's clock it is seconds old */
    expect(&fx, 0, true, "", &r);
    assert_int_equal(r.younger, 1);
    assert_true(exists(&fx, d.data_key));
    fixture_close_clean(&fx);
}

static void test_orphans__uploads_that_may_not_be_listed_are_left_alone(void **state)
{
    (void)state;
    static const s3store_status harmless[] = {S3STORE_PERMISSION_DENIED, S3STORE_UNSUPPORTED};
    fixture fx;
    aged a;
    s3store_error err;
    kit_told told;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    snprintf(text, sizeof text, "data %s removable;", d.data_key);
    for (size_t i = 0; i < 2; i++) {
        a.uploads = harmless[i];
        expect(&fx, 0, false, text, &r);
        assert_false(r.uploads_listed);
    }
    a.uploads = S3STORE_CORRUPT; /* an answer that makes no sense is no silence */
    assert_fails(look(&fx, 0, false, &told, &r, &err), S3STORE_CORRUPT, "says the test");
    assert_int_equal(look(&fx, 0, false, &told, &r, NULL), S3STORE_CORRUPT);
    assert_false(r.uploads_listed);
    fixture_close_clean(&fx);
}

static void test_orphans__uploads_that_never_ended_are_told_and_aborted(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_error err;
    s3store_orphans_report r;
    char id[S3STORE_UPLOAD_ID_MAX];
    static const char *const keys[] = {"ds/data/p=a/big.parquet", "ds/data/p=a/big.parquet",
                                       "ds/data/p=b/big.parquet", "other/data/p=b/big.parquet"};
    kit_open(&fx);
    for (size_t i = 0; i < 4; i++) {
        s3store_put_request begin = {.size = sizeof begin, .key = keys[i]};
        assert_ok(s3s_create_multipart(&fx.memory, NULL, &begin, id, &err));
    }
    age(&a, &fx, HOUR_US);
    expect(&fx, 0, true, "", &r);
    assert_int_equal(r.younger, 3);
    a.age_us = 8 * DAY_US;
    expect(&fx, 0, false,
           "upload ds/data/p=a/big.parquet removable;upload ds/data/p=a/big.parquet removable;"
           "upload ds/data/p=b/big.parquet removable;",
           &r);
    assert_int_equal(r.uploads, 3);
    assert_int_equal(s3s_memory_upload_count(&fx.memory), 4);
    expect(&fx, 0, true,
           "upload ds/data/p=a/big.parquet removed;upload ds/data/p=a/big.parquet removed;"
           "upload ds/data/p=b/big.parquet removed;",
           &r);
    assert_int_equal(s3s_memory_upload_count(&fx.memory), 1);
    fixture_close_clean(&fx);
}

/* More uploads than are judged at once: what stops them in between comes out. */
static void test_orphans__cancelled_among_many_uploads_ends_it(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_error err;
    kit_told told;
    char id[S3STORE_UPLOAD_ID_MAX];
    s3store_orphans_report r = {.size = sizeof r};
    s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
    kit_open(&fx);
    for (int i = 0; i < 600; i++) {
        s3store_put_request begin = {.size = sizeof begin, .key = "ds/data/p=a/big.parquet"};
        assert_ok(s3s_create_multipart(&fx.memory, NULL, &begin, id, &err));
    }
    age(&a, &fx, 8 * DAY_US);
    assert_ok(s3store_cancel_new(&options.cancel, &err));
    a.cancel = options.cancel;
    options.remove = true;
    memset(&told, 0, sizeof told);
    options.orphan = take_orphan;
    options.orphan_ctx = &told;
    s3store_status status = s3s_orphans(fx.target, &options, &r, NULL); /* why is not wanted */
    assert_int_equal(status, S3STORE_CANCELLED);
    assert_false(r.uploads_listed);
    assert_int_equal(s3s_memory_upload_count(&fx.memory) + r.removed, 600);
    s3store_cancel_free(options.cancel);
    fixture_close_clean(&fx);
}

static s3s_fault_decision refuse_puts(void *ctx, s3s_fault_verb verb, const char *key,
                                      uint64_t sequence)
{
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)ctx;
    (void)key;
    (void)sequence;
    if (verb == S3S_VERB_PUT)
        d.before = S3STORE_PERMISSION_DENIED;
    return d;
}

/* Who may only read cannot find out whether commits expire: so nothing below a week is removable. */
static void test_orphans__a_key_that_may_only_read_is_enough_to_look(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    char text[8192];
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 2 * DAY_US);
    fx.hook = refuse_puts;
    snprintf(text, sizeof text, "data %s keep;", d.data_key);
    expect(&fx, DAY_US, false, text, &r);
    assert_false(r.bound_proven);
    assert_int_equal(r.bound_us, 7 * DAY_US);
    fx.hook = NULL;
    fixture_close_clean(&fx);
}

/* A time that no difference can be made of is no age. */
static void test_orphans__what_is_older_than_time_is_not_told(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    kit_open(&fx);
    fixture_written d = kit_write(&fx, "p=a", "dead", FIXTURE_DATA);
    age(&a, &fx, 8 * DAY_US);
    a.eternal = "dead-";
    expect(&fx, 0, true, "", &r);
    assert_int_equal(r.younger, 1);
    assert_true(exists(&fx, d.data_key));
    fixture_close_clean(&fx);
}

/* What stops the whole stops it at a suspect too; what is only slow does not. */
static void test_orphans__what_ends_it_is_told_apart_from_what_does_not(void **state)
{
    (void)state;
    static const struct {
        const char *text; /* of the key whose HEAD says it */
        s3store_status status;
        s3store_status wanted;
        bool ref_only;
    } cases[] = {
        {"dead-", S3STORE_CANCELLED, S3STORE_CANCELLED, false},
        {"dead-", S3STORE_OUT_OF_MEMORY, S3STORE_OUT_OF_MEMORY, false},
        {"dead-", S3STORE_TIMEOUT, S3STORE_OK, false},
        {"dead.commit", S3STORE_PERMISSION_DENIED, S3STORE_OK, false},
        {"dead.commit", S3STORE_PERMISSION_DENIED, S3STORE_PERMISSION_DENIED, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture fx;
        aged a;
        s3store_error err;
        kit_told told;
        s3store_orphans_report r;
        kit_open(&fx);
        fixture_written d =
            kit_write(&fx, "p=a", "dead", cases[i].ref_only ? FIXTURE_REF : FIXTURE_DATA);
        const char *key = cases[i].ref_only ? d.ref_key : d.data_key;
        age(&a, &fx, 8 * DAY_US);
        refusing f = {.text = cases[i].text, .from = 1, .status = cases[i].status};
        fx.hook = refuse_head;
        fx.hook_ctx = &f;
        if (cases[i].wanted != S3STORE_OK) {
            assert_fails(look(&fx, 0, true, &told, &r, &err), cases[i].wanted, NULL);
            assert_int_equal(look(&fx, 0, true, &told, &r, NULL), cases[i].wanted);
        } else {
            assert_ok(look(&fx, 0, true, &told, &r, &err));
            assert_int_equal(r.failed, 1);
        }
        assert_int_equal(r.removed, 0);
        fx.hook = NULL;
        assert_true(exists(&fx, key));
        fixture_close_clean(&fx);
    }
}

static void test_orphans__kinds_have_names(void **state)
{
    (void)state;
    assert_string_equal(s3store_orphan_kind_name(S3STORE_ORPHAN_UPLOAD), "upload");
    assert_string_equal(s3store_orphan_kind_name((s3store_orphan_kind)77), "unknown");
}

static void test_orphans__listing_costs_no_more_than_it_must(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    kit_open(&fx);
    for (int i = 0; i < 50; i++)
        kit_write(&fx, "p=a", NULL, FIXTURE_ALL);
    age(&a, &fx, 8 * DAY_US);
    fixture_reset_counts(&fx);
    expect(&fx, 0, false, "", &r);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 2);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 1); /* the server's clock */
    assert_int_equal(fixture_count(&fx, S3S_VERB_PUT), 0);
    fixture_close_clean(&fx);
}

static void test_orphans__many_are_told_each_once(void **state)
{
    (void)state;
    fixture fx;
    aged a;
    s3store_orphans_report r;
    s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_error err;
    kit_open(&fx);
    for (int i = 0; i < 700; i++)
        kit_write(&fx, "p=a", NULL, FIXTURE_DATA | FIXTURE_REF);
    age(&a, &fx, 8 * DAY_US);
    r = (s3store_orphans_report){.size = sizeof r};
    options.remove = true;
    assert_ok(s3s_orphans(fx.target, &options, &r, &err));
    assert_int_equal(r.data, 700);
    assert_int_equal(r.refs, 700);
    assert_int_equal(r.removed, 1400);
    expect(&fx, 0, true, "", &r);
    options.older_than_us = -1;
    assert_fails(s3s_orphans(fx.target, &options, &r, &err), S3STORE_INVALID_ARGUMENT, "age");
    fixture_close_clean(&fx);
}

static void test_orphans__memory_that_runs_out_is_an_error_and_removes_nothing_good(void **state)
{
    (void)state;
    bool failed = true;
    size_t failures = 0;
    for (uint64_t n = 0; n < 2000 && failed; n++) {
        fixture fx;
        aged a;
        s3store_error err = {0};
        kit_told told;
        s3store_orphans_report r;
        char id[S3STORE_UPLOAD_ID_MAX];
        s3store_put_request begin = {.size = sizeof begin, .key = "ds/data/p=a/big.parquet"};
        kit_open(&fx);
        fixture_written good = kit_write(&fx, "p=a", "t", FIXTURE_ALL);
        kit_write(&fx, "p=a", "t", FIXTURE_DATA | FIXTURE_REF);
        assert_ok(s3s_create_multipart(&fx.memory, NULL, &begin, id, &err));
        age(&a, &fx, 8 * DAY_US);
        s3s_env_fail_any_alloc_at(fx.env, n);
        s3store_status status = look(&fx, 0, true, &told, &r, &err);
        failed = s3s_env_alloc_has_failed(fx.env);
        s3s_env_fail_alloc_at(fx.env, UINT64_MAX);
        if (status != S3STORE_OK)
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        else
            assert_int_equal(r.removed, 3);
        failures += status != S3STORE_OK;
        assert_true(exists(&fx, good.data_key) && exists(&fx, good.ref_key));
        fixture_close_clean(&fx);
    }
    assert_true(!failed && failures > 20);
}

const struct CMUnitTest orphans_tests[] = {
    cmocka_unit_test(test_orphans__exactly_what_no_commit_names_is_told),
    cmocka_unit_test(test_orphans__young_ones_are_not_told_and_never_removed),
    cmocka_unit_test(test_orphans__without_expiring_commits_a_week_is_the_least),
    cmocka_unit_test(test_orphans__an_hour_is_the_least_of_all_bounds),
    cmocka_unit_test(test_orphans__a_marker_that_cannot_be_read_keeps_everything),
    cmocka_unit_test(test_orphans__what_is_committed_meanwhile_stays),
    cmocka_unit_test(test_orphans__what_became_young_meanwhile_stays),
    cmocka_unit_test(test_orphans__what_became_younger_than_asked_for_says_so),
    cmocka_unit_test(test_orphans__one_that_cannot_be_removed_does_not_keep_the_others),
    cmocka_unit_test(test_orphans__a_marker_that_cannot_be_asked_for_is_an_error),
    cmocka_unit_test(test_orphans__what_is_gone_or_cannot_be_looked_at_again_is_told),
    cmocka_unit_test(test_orphans__what_has_no_age_stays),
    cmocka_unit_test(test_orphans__without_the_servers_clock_the_skew_counts_against_removal),
    cmocka_unit_test(test_orphans__uploads_that_may_not_be_listed_are_left_alone),
    cmocka_unit_test(test_orphans__uploads_that_never_ended_are_told_and_aborted),
    cmocka_unit_test(test_orphans__cancelled_among_many_uploads_ends_it),
    cmocka_unit_test(test_orphans__a_key_that_may_only_read_is_enough_to_look),
    cmocka_unit_test(test_orphans__what_is_older_than_time_is_not_told),
    cmocka_unit_test(test_orphans__what_ends_it_is_told_apart_from_what_does_not),
    cmocka_unit_test(test_orphans__kinds_have_names),
    cmocka_unit_test(test_orphans__listing_costs_no_more_than_it_must),
    cmocka_unit_test(test_orphans__many_are_told_each_once),
    cmocka_unit_test(test_orphans__memory_that_runs_out_is_an_error_and_removes_nothing_good),
};
const size_t orphans_test_count = sizeof orphans_tests / sizeof orphans_tests[0];
