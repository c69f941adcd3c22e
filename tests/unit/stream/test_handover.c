/* From a snapshot to the stream: what is excepted, what is passed, what goes wrong. And listings that
 * no honest server gives. */
#include "support/dataset_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "stream/place.h"
#include "stream/stream.h"
#include "unit/stream/tests.h"

#define HOUR_US (3600 * INT64_C(1000000))
#define ATTEMPT "0123456789abcdef0123456789abcdef"

static fixture_written add_commit(fixture *fx, const char *partition, const char *token)
{
    fixture_write write = {.partition = partition, .token = token};
    return fixture_write_bytes(fx, &write, "x", 1, 1);
}

static void snapshot(fixture *fx, s3s_file_set *out)
{
    static const char *const everything[] = {""};
    s3store_error err;
    s3s_file_set_init(out, fx->env);
    assert_ok(s3s_resolve_patterns(fx->target, NULL, everything, 1, out, &err));
}

/* The offset of an hour and a half ago: everything that the fixture commits comes after it. */
static s3store_status hand_over(fixture *fx, const s3s_file_set *files, const s3store_call *call,
                                s3store_entries **out, s3store_error *err)
{
    return s3s_handover(fx->target, call, s3s_wall_us(fx->env) - 3 * HOUR_US / 2, files, out, err);
}

static void test_handover__excepts_what_the_snapshot_has_and_nothing_else(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_file_set files;
    s3store_entries *both = NULL, *rest = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written a = add_commit(&fx, "p=1", NULL), b = add_commit(&fx, "p=2", NULL);
    snapshot(&fx, &files);
    fixture_written other = add_commit(&fx, "p=3", NULL), same = add_commit(&fx, "p=1", NULL);
    fixture_put(&fx, "ds/_ref/9000000000000000-not-a-ref", NULL, 0, NULL);
    assert_ok(hand_over(&fx, &files, NULL, &both, &err));
    assert_int_equal(s3store_entries_count(both), 2);
    assert_string_equal(s3store_entries_get(both, 0)->data_path, a.data_key);
    assert_string_equal(s3store_entries_get(both, 1)->data_path, b.data_key);
    assert_int_equal(s3store_entries_get(both, 1)->row_count, -1); /* no marker was asked for */
    s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
    o.since = s3store_entries_next_offset(both);
    assert_ok(s3s_poll(fx.target, &o, &rest, &err));
    assert_int_equal(s3store_entries_count(rest), 2);
    assert_string_equal(s3store_entries_get(rest, 0)->data_path, other.data_key);
    assert_string_equal(s3store_entries_get(rest, 1)->data_path, same.data_key);
    s3store_entries_free(rest);
    s3store_entries_free(both);
    s3s_file_set_deinit(&files);
    fixture_close_clean(&fx);
}

static void test_handover__of_nothing_is_an_offset_without_a_request(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_file_set files;
    s3store_entries *both = NULL;
    fixture_open(&fx, NULL, NULL);
    s3s_file_set_init(&files, fx.env);
    assert_ok(s3s_handover(fx.target, NULL, 1000000, &files, &both, &err));
    assert_int_equal(s3store_entries_count(both), 0);
    assert_string_equal(s3store_entries_next_offset(both), "ds/_ref/0000000001000000");
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 0);
    s3store_entries_free(both);
    fixture_close_clean(&fx);
}

/* More refs than a page has: the last one counts as the first. */
static void test_handover__looks_at_every_page(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_file_set files;
    s3store_entries *both = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written first = add_commit(&fx, "p=1", NULL);
    for (int i = 0; i < S3STORE_POLL_PAGE_MAX; i++) {
        fixture_write dead = {.partition = "p=1", .steps = FIXTURE_REF};
        fixture_write_bytes(&fx, &dead, NULL, 0, 0);
    }
    fixture_written last = add_commit(&fx, "p=1", NULL);
    snapshot(&fx, &files);
    fixture_reset_counts(&fx);
    assert_ok(hand_over(&fx, &files, NULL, &both, &err));
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 2);
    assert_int_equal(s3store_entries_count(both), 2);
    assert_string_equal(s3store_entries_get(both, 0)->data_path, first.data_key);
    assert_string_equal(s3store_entries_get(both, 1)->data_path, last.data_key);
    s3store_entries_free(both);
    s3s_file_set_deinit(&files);
    fixture_close_clean(&fx);
}

typedef struct at_list {
    s3store_cancel *cancel;
    s3store_status status;
} at_list;

static s3s_fault_decision strike_lists(void *ctx, s3s_fault_verb verb, const char *key,
                                       uint64_t sequence)
{
    (void)key;
    (void)sequence;
    const at_list *at = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    if (verb == S3S_VERB_LIST && at->cancel != NULL)
        s3store_cancel_trigger(at->cancel);
    if (verb == S3S_VERB_LIST)
        d.before = at->status;
    return d;
}

static void test_handover__fails_with_its_listing_and_gives_no_offset(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_file_set files;
    s3store_entries *both = NULL;
    fixture_open(&fx, NULL, NULL);
    add_commit(&fx, "p=1", NULL);
    snapshot(&fx, &files);
    at_list at = {.status = S3STORE_PERMISSION_DENIED};
    fx.hook_ctx = &at;
    fx.hook = strike_lists;
    assert_fails(hand_over(&fx, &files, NULL, &both, &err), S3STORE_PERMISSION_DENIED, NULL);
    assert_null(both);
    at.status = S3STORE_OK;
    assert_ok(s3store_cancel_new(&at.cancel, &err));
    s3store_call call = {.cancel = at.cancel, .deadline_us = S3STORE_TIME_NONE};
    assert_fails(hand_over(&fx, &files, &call, &both, &err), S3STORE_CANCELLED, NULL);
    assert_null(both);
    s3store_cancel_free(at.cancel);
    fx.hook = NULL;
    s3s_file_set_deinit(&files);
    fixture_close_clean(&fx);
}

/* A token that no writer of ours takes, in a dataset that others write too. */
static void test_handover__a_ref_that_fits_on_no_line_is_refused_and_named(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_file_set files;
    s3store_entries *both = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written odd = add_commit(&fx, "p=1", "two\nlines");
    add_commit(&fx, "p=2", NULL);
    snapshot(&fx, &files);
    assert_int_equal(files.file_count, 2);
    assert_fails(hand_over(&fx, &files, NULL, &both, &err), S3STORE_UNSUPPORTED,
                 "does not fit on a line");
    assert_non_null(strstr(err.key, odd.attempt));
    assert_null(both);
    assert_int_equal(hand_over(&fx, &files, NULL, &both, NULL), S3STORE_UNSUPPORTED);
    s3s_file_set_deinit(&files);
    fixture_close_clean(&fx);
}

/* ---- listings of a hostile server ------------------------------------------------------------- */

/* A store whose LISTs also have a key of its own. */
typedef struct liar {
    s3store_object_store store;
    const s3store_object_store *inner;
    s3store_list_entry own;
} liar;

static s3store_status list_with_own(void *impl, const s3store_call *call,
                                    const s3store_list_request *request, s3store_list_fn fn,
                                    void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    liar *l = impl;
    if (!fn(fn_ctx, &l->own))
        return S3STORE_OK;
    return l->inner->list(l->inner->impl, call, request, fn, fn_ctx, reply, err);
}

static s3store_status head_of_inner(void *impl, const s3store_call *call, const char *key,
                                    s3store_object_info *info, s3store_error *err)
{
    liar *l = impl;
    return l->inner->head(l->inner->impl, call, key, info, err);
}

static const s3store_object_store *lie(liar *l, fixture *fx, const char *key, bool is_prefix)
{
    const s3store_object_store *honest = fx->target->store;
    *l = (liar){.inner = honest, .own = {.key = key, .is_prefix = is_prefix}};
    l->store = (s3store_object_store){
        .size = sizeof l->store, .impl = l, .list = list_with_own, .head = head_of_inner};
    fx->target->store = &l->store;
    return honest;
}

static void test_listing__a_common_prefix_that_nobody_asked_for_is_passed(void **state)
{
    (void)state;
    fixture fx;
    liar l;
    s3store_error err;
    s3s_file_set files;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    fixture_written a = add_commit(&fx, "p=1", NULL);
    snapshot(&fx, &files);
    const s3store_object_store *honest = lie(&l, &fx, a.ref_key, true);
    assert_ok(s3s_poll(fx.target, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    s3store_entries_free(entries);
    assert_ok(hand_over(&fx, &files, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    s3store_entries_free(entries);
    fx.target->store = honest;
    s3s_file_set_deinit(&files);
    fixture_close_clean(&fx);
}

/* Its marker has a key that fits, its data object cannot have one: no entry, and no error either. */
static void test_listing__a_ref_of_data_that_cannot_have_a_key_is_passed(void **state)
{
    (void)state;
    fixture fx;
    liar l;
    s3store_error err;
    s3s_file_set files;
    s3store_entries *entries = NULL;
    char token[S3S_KEY_SIZE], long_key[2 * S3S_KEY_SIZE], commit_key[S3S_KEY_SIZE];
    char since[2 * S3S_KEY_SIZE];
    fixture_open(&fx, NULL, NULL);
    snprintf(token, sizeof token, "%01000d", 7);
    snprintf(long_key, sizeof long_key, "ds/_ref/0000000000000001-%s-" ATTEMPT ";p=1.ref", token);
    assert_ok(s3s_commit_key(&fx.target->layout, "p=1", token, commit_key, &err));
    s3s_marker marker = {.ref_micros = 1, .inserted_at_us = 1, .row_count = 1, .attempt = ATTEMPT};
    s3store_metadata metadata = {0};
    s3s_marker_metadata(&marker, &metadata);
    fixture_put(&fx, commit_key, NULL, 0, &metadata);
    fixture_written a = add_commit(&fx, "p=2", NULL);
    snapshot(&fx, &files);
    const s3store_object_store *honest = lie(&l, &fx, long_key, false);
    snprintf(since, sizeof since, "except 1\n0000000000000001-t-" ATTEMPT ";p=9.ref\nds/_ref/0");
    const char *const offsets[] = {"", since}; /* with exceptions its data path is asked for first */
    for (size_t i = 0; i < 2; i++) {
        s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
        o.since = offsets[i];
        fx.log[0] = '\0';
        assert_ok(s3s_poll(fx.target, &o, &entries, &err));
        assert_int_equal(s3store_entries_count(entries), 1);
        assert_string_equal(s3store_entries_get(entries, 0)->data_path, a.data_key);
        assert_non_null(strstr(fx.log, "skipping malformed ref key=ds/_ref/0000000000000001-"));
        s3store_entries_free(entries);
    }
    assert_ok(hand_over(&fx, &files, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    s3store_entries_free(entries);
    fx.target->store = honest;
    s3s_file_set_deinit(&files);
    fixture_close_clean(&fx);
}

int run_handover_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handover__excepts_what_the_snapshot_has_and_nothing_else),
        cmocka_unit_test(test_handover__of_nothing_is_an_offset_without_a_request),
        cmocka_unit_test(test_handover__looks_at_every_page),
        cmocka_unit_test(test_handover__fails_with_its_listing_and_gives_no_offset),
        cmocka_unit_test(test_handover__a_ref_that_fits_on_no_line_is_refused_and_named),
        cmocka_unit_test(test_listing__a_common_prefix_that_nobody_asked_for_is_passed),
        cmocka_unit_test(test_listing__a_ref_of_data_that_cannot_have_a_key_is_passed),
    };
    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
