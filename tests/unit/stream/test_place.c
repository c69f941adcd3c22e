/* Places in the stream as text: what a poll takes, and what it refuses. */
#include "support/dataset_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "stream/place.h"
#include "stream/stream.h"
#include "unit/stream/tests.h"

#define HOUR_US (3600 * INT64_C(1000000))

static fixture_written add_at(fixture *fx, int64_t stamp_us)
{
    fixture_write write = {.partition = "p=a b", .stamp_us = stamp_us};
    return fixture_write_bytes(fx, &write, "x", 1, 1);
}

static const char *name_of(const fixture_written *w)
{
    return strrchr(w->ref_key, '/') + 1;
}

static s3store_status poll_from(fixture *fx, const char *since, int32_t max, s3store_entries **out,
                                s3store_error *err)
{
    s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
    o.since = since;
    o.max_entries = max;
    return s3s_poll(fx->target, &o, out, err);
}

static void test_place__a_poll_passes_what_is_excepted_and_asks_for_none_of_its_markers(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    char since[4 * S3S_KEY_SIZE];
    fixture_open(&fx, NULL, NULL);
    fixture_written a = add_at(&fx, 0), b = add_at(&fx, 0), c = add_at(&fx, 0);
    snprintf(since, sizeof since, "except 2\n%s\n%s\n%s/_ref/0000000000000001", name_of(&a),
             name_of(&c), fx.target->layout.prefix);
    fixture_reset_counts(&fx);
    assert_ok(poll_from(&fx, since, 0, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->data_path, b.data_key);
    assert_int_equal(fixture_count(&fx, S3S_VERB_HEAD), 1);
    assert_int_equal(fixture_count(&fx, S3S_VERB_LIST), 1);
    /* The next offset is at the end, and still knows both: they were stamped within 15 minutes. */
    snprintf(since, sizeof since, "except 2\n%s\n%s\n%s", name_of(&a), name_of(&c), c.ref_key);
    assert_string_equal(s3store_entries_next_offset(entries), since);
    s3store_entries_free(entries);
    assert_ok(poll_from(&fx, since, 0, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_string_equal(s3store_entries_next_offset(entries), since); /* nothing came: unchanged */
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_place__a_restamp_of_excepted_data_is_passed_until_the_exception_is_dropped(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    char since[4 * S3S_KEY_SIZE], again[S3S_KEY_SIZE];
    fixture_open(&fx, NULL, NULL);
    int64_t start = s3s_wall_us(fx.env) - 3 * HOUR_US;
    fixture_written a = add_at(&fx, start);
    const int64_t stamps[] = {start + S3S_PLACE_HOLD_US / 2, start + S3S_PLACE_HOLD_US + 2};
    for (int i = 0; i < 2; i++) {
        assert_ok(s3s_ref_key(&fx.target->layout, stamps[i], a.token, a.attempt, "p=a b", again,
                              &err));
        fixture_put(&fx, again, NULL, 0, NULL);
    }
    fixture_written later = add_at(&fx, start + S3S_PLACE_HOLD_US + 1);
    snprintf(since, sizeof since, "except 1\n%s\n%s/_ref/%016lld", name_of(&a),
             fx.target->layout.prefix, (long long)start);
    /* One by one: the exception is gone when the offset is beyond it by more than the hold. */
    assert_ok(poll_from(&fx, since, 1, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->data_path, later.data_key);
    assert_string_equal(s3store_entries_next_offset(entries), later.ref_key);
    snprintf(since, sizeof since, "%s", s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
    assert_ok(poll_from(&fx, since, 1, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->data_path, a.data_key);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_place__hostile_texts_are_refused_and_the_line_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"except", "is no offset of this dataset"},
        {"except ", "line 1 does not say"},
        {"except 1", "line 1 does not say"},
        {"except -1\nx\n", "line 1 does not say"},
        {"except 0\nds/_ref/1", "line 1 does not say"},
        {"except 99999999999999999999\n", "line 1 does not say"},
        {"except 9223372036854775807\n", "ends after 0 of 9223372036854775807"},
        {"except 1\nabc\nds/_ref/1", "line 2"},
        {"except 1\na/b\nds/_ref/1", "line 2"},
        {"except 1\n\nds/_ref/1", "line 2"},
        {"except 1\n0000000000000001-t-0123456789abcdef0123456789abcdef;p=1.ref\nother/_ref/1",
         "other/_ref/1"},
        {"except 2\n0000000000000001-t-0123456789abcdef0123456789abcdef;p=1.ref\n",
         "ends after 1 of 2"},
        {"except 2\n0000000000000001-t-0123456789abcdef0123456789abcdef;p=1.ref\n"
         "0000000000000001-t-0123456789abcdef0123456789abcdef;p=%zz.ref\nds/_ref/1",
         "line 3"},
    };
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    fixture_open(&fx, NULL, NULL);
    assert_string_equal(fx.target->layout.ref_path, "ds/_ref");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(poll_from(&fx, cases[i].text, 0, &entries, &err), S3STORE_INVALID_ARGUMENT,
                     cases[i].says);
        assert_fails(s3s_offset_check(fx.target, cases[i].text, "offset", &err),
                     S3STORE_INVALID_ARGUMENT, cases[i].says);
        assert_null(entries);
    }
    char *text = test_malloc(S3STORE_OFFSET_MAX_BYTES + 2);
    memset(text, 'x', S3STORE_OFFSET_MAX_BYTES + 1);
    memcpy(text, "ds/_ref/", 8);
    text[S3STORE_OFFSET_MAX_BYTES + 1] = '\0';
    assert_fails(s3s_offset_check(fx.target, text, "offset", &err), S3STORE_INVALID_ARGUMENT,
                 "longer than 16777216");
    text[2000] = '\0';
    assert_fails(s3s_offset_check(fx.target, text, "offset", &err), S3STORE_INVALID_ARGUMENT,
                 "longer than a key");
    /* A name that is short enough for a ref, whose data object could not have one. */
    int size = sprintf(text, "except 1\n0000000000000001-%0960d-0123456789abcdef0123456789abcdef;"
                             "p=1.ref\nds/_ref/1", 7);
    assert_true(size < 1100);
    assert_fails(s3s_offset_check(fx.target, text, "offset", &err), S3STORE_INVALID_ARGUMENT,
                 "line 2: the ref key of partition \"p=1\" would have");
    test_free(text);
    s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
    o.until = "except 1\n0000000000000001-t-0123456789abcdef0123456789abcdef;p=1.ref\nds/_ref/1";
    assert_fails(s3s_poll(fx.target, &o, &entries, &err), S3STORE_INVALID_ARGUMENT, "until");
    fixture_close_clean(&fx);
}

/* A ref of somebody else's making: its key is an offset as any other, whatever is in it. */
static void test_place__a_line_break_in_a_foreign_key_is_no_line_break_of_the_text(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3store_entries *entries = NULL;
    char since[4 * S3S_KEY_SIZE];
    fixture_open(&fx, NULL, NULL);
    fixture_put(&fx, "ds/_ref/0\nexcept 7\n", NULL, 0, NULL);
    fixture_written a = add_at(&fx, 0), b = add_at(&fx, 0);
    snprintf(since, sizeof since, "except 1\n%s\nds/_ref/0\nexcept 7\n", name_of(&a));
    assert_ok(poll_from(&fx, since, 0, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->data_path, b.data_key);
    s3store_entries_free(entries);
    fixture_close_clean(&fx);
}

static void test_place__as_many_exceptions_as_there_is_room_for(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_place place;
    s3s_ref ref = {.micros = 1};
    const char *text;
    fixture_open(&fx, NULL, NULL);
    s3s_place_init(&place, fx.env, &fx.target->layout);
    snprintf(ref.token, sizeof ref.token, "t");
    snprintf(ref.partition, sizeof ref.partition, "p=%0700d", 1);
    s3store_status status = S3STORE_OK;
    for (uint64_t i = 0; status == S3STORE_OK; i++) {
        assert_true(i < 100000);
        fixture_attempt(i, ref.attempt);
        status = s3s_place_add(&place, &ref, &err);
    }
    assert_int_equal(status, S3STORE_LIMIT_EXCEEDED);
    assert_non_null(strstr(err.message, "commits came while"));
    assert_true(place.known_count > 20000);
    assert_ok(s3s_place_text(&place, "ds/_ref/0000000000000001", &text, &err));
    assert_true(strlen(text) > S3STORE_OFFSET_MAX_BYTES - 4 * S3S_KEY_SIZE);
    assert_ok(s3s_offset_check(fx.target, text, "offset", &err)); /* what is made is taken */
    s3s_place_deinit(&place);
    fixture_close_clean(&fx);
}

/* What cannot be told line by line is no exception: a refusal, not an offset that reads as another. */
static void test_place__names_with_line_breaks_are_refused(void **state)
{
    (void)state;
    static const char *const tokens[] = {"a\nexcept 9", "a/b"};
    fixture fx;
    s3store_error err;
    s3s_place place;
    s3s_ref ref = {.micros = 1};
    fixture_open(&fx, NULL, NULL);
    s3s_place_init(&place, fx.env, &fx.target->layout);
    snprintf(ref.partition, sizeof ref.partition, "p=1");
    fixture_attempt(1, ref.attempt);
    for (size_t i = 0; i < 2; i++) {
        snprintf(ref.token, sizeof ref.token, "%s", tokens[i]);
        assert_fails(s3s_place_add(&place, &ref, &err), S3STORE_UNSUPPORTED,
                     "does not fit on a line");
        assert_int_equal(place.known_count, 0);
    }
    s3s_place_deinit(&place);
    fixture_close_clean(&fx);
}

/* An offset without time, as since = "<P>/_ref/" or a foreign key: nothing is known to be over. */
static void test_place__an_offset_without_time_keeps_every_exception(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_place place;
    s3s_ref ref = {.micros = 1};
    const char *text;
    fixture_open(&fx, NULL, NULL);
    s3s_place_init(&place, fx.env, &fx.target->layout);
    snprintf(ref.partition, sizeof ref.partition, "p=1");
    snprintf(ref.token, sizeof ref.token, "t");
    fixture_attempt(1, ref.attempt);
    assert_ok(s3s_place_add(&place, &ref, &err));
    assert_ok(s3s_place_text(&place, "ds/_ref/zebra", &text, &err));
    assert_non_null(strstr(text, "except 1\n0000000000000001-t-"));
    assert_ok(s3s_place_text(&place, "ds/_ref/9000000000000000", &text, &err)); /* long over */
    assert_string_equal(text, "ds/_ref/9000000000000000");
    s3s_place_deinit(&place);
    fixture_close_clean(&fx);
}

int run_place_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_place__a_poll_passes_what_is_excepted_and_asks_for_none_of_its_markers),
        cmocka_unit_test(
            test_place__a_restamp_of_excepted_data_is_passed_until_the_exception_is_dropped),
        cmocka_unit_test(test_place__hostile_texts_are_refused_and_the_line_is_named),
        cmocka_unit_test(test_place__a_line_break_in_a_foreign_key_is_no_line_break_of_the_text),
        cmocka_unit_test(test_place__names_with_line_breaks_are_refused),
        cmocka_unit_test(test_place__an_offset_without_time_keeps_every_exception),
        cmocka_unit_test(test_place__as_many_exceptions_as_there_is_room_for),
    };
    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
