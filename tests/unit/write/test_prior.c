/* A commit that is there already: the result of a retry, a token used twice, damage; asking for one
 * and putting it into the stream again.
 */
#include "unit/write/stage.h"

#define DENIED {.refuse = S3STORE_PERMISSION_DENIED}

/* ---- a token that is taken ------------------------------------------------------------------- */

static void test_prior__a_reused_token_is_noticed(void **state)
{
    static const bool optimistic[] = {false, true};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        stage s;
        s3store_error err;
        s3store_write_result *first, *result;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        const char *columns = "p:string?;id:string?;v:int64?";
        options.token = "tok";
        options.optimistic = optimistic[i];
        stage_open(&s, NULL);
        assert_ok(stage_write_one(&s, "tok", &first, &err));
        assert_fails(stage_write(&s, columns, ROWS("a|x|1", "a|y|2"), &options, &result, &err),
                     S3STORE_TOKEN_REUSED, "token tok is already committed in partition p=a with 1 "
                                           "rows of other data; this write has 2 rows");
        assert_string_equal(err.key, "ds/data/p=a/tok.commit");
        assert_string_equal(stage_states(result), "p=a failed TOKEN_REUSED");
        s3store_write_result_free(result);
        options.accept_different = true;
        assert_ok(stage_write(&s, columns, ROWS("a|x|1", "a|y|2"), &options, &result, &err));
        assert_string_equal(stage_states(result), "p=a existing");
        assert_int_equal(s3store_write_result_get(result, 0)->row_count, 1);
        assert_int_equal(s3store_write_result_get(result, 0)->size_bytes, 0);
        assert_string_equal(s3store_write_result_get(result, 0)->data_path,
                            s3store_write_result_get(first, 0)->data_path);
        assert_string_equal(stage_rows(&s), "a|x|1;");
        s3store_write_result_free(result);
        s3store_write_result_free(first);
        stage_close(&s);
    }
}

static void put_marker(stage *s, const char *key, const char *name, const char *value)
{
    static const char *const entries[][2] = {{"attemptid", "0123456789abcdef0123456789abcdef"},
                                             {"refmicrots", "1517966773000000"},
                                             {"insertedat", "7"},
                                             {"rowcount", "3"}};
    s3store_metadata metadata = {0};
    for (size_t i = 0; i < 4; i++)
        if (name == NULL || strcmp(name, entries[i][0]) != 0)
            s3store_metadata_add(&metadata, entries[i][0], entries[i][1]);
        else if (value != NULL)
            s3store_metadata_add(&metadata, name, value);
    stage_put(s, key, &metadata);
}

static void test_prior__a_marker_of_others_is_the_result(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    stage_open(&s, NULL);
    put_marker(&s, "ds/data/p=a/tok.commit", NULL, NULL); /* no content hash: nothing to compare */
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    const s3store_commit *c = s3store_write_result_get(result, 0);
    assert_string_equal(c->data_path,
                        "ds/data/p=a/tok-0123456789abcdef0123456789abcdef.parquet");
    assert_string_equal(c->ref_path, "ds/_ref/1517966773000000-tok-"
                                     "0123456789abcdef0123456789abcdef;p=a.ref");
    assert_int_equal(c->inserted_at_us, 7);
    assert_int_equal(c->row_count, 3);
    s3store_write_result_free(result);
    stage_close(&s);
}

static void test_prior__a_damaged_marker_is_an_error(void **state)
{
    static const struct {
        const char *name, *value;
    } damages[] = {
        {"attemptid", NULL}, {"rowcount", "many"}, {"refmicrots", "-5"},
        {"refmicrots", "99999999999999999"}};
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        for (int optimistic = 0; optimistic < 2; optimistic++) {
            stage s;
            s3store_error err;
            s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
            options.token = "tok";
            options.optimistic = optimistic;
            stage_open(&s, NULL);
            put_marker(&s, "ds/data/p=a/tok.commit", damages[i].name, damages[i].value);
            assert_fails(stage_write(&s, "p:string?;id:string?;v:int64?", ROWS("a|x|1"), &options,
                                     NULL, &err),
                         S3STORE_DAMAGED_MARKER, damages[i].name);
            assert_string_equal(err.key, "ds/data/p=a/tok.commit");
            assert_int_equal(stage_count(&s, ".parquet"), optimistic);
            stage_close(&s);
        }
    }
}

/* A store may see what it has not on disk yet, of somebody who died: every HEAD that makes a success of a
 * marker asks for more (test_objstore_local: what file:// does then). */
static void test_prior__success_rests_on_what_outlasts_a_power_failure(void **state)
{
    static const stage_rule lost[] = {
        {S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, {.answer = S3STORE_UNAVAILABLE}}};
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    stage_open(&s, NULL);
    stage_rules(&s, lost, 1); /* it is there all the same */
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    s3store_write_result_free(result);
    assert_int_equal(s.faults.counts[S3S_VERB_HEAD][FAULTY_COMMIT], 2);
    assert_int_equal(s.faults.durable_heads, 2);
    stage_rules(&s, NULL, 0);
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    assert_string_equal(stage_states(result), "p=a existing");
    s3store_write_result_free(result);
    assert_ok(s3s_lookup_commit(s.target, "p=a", "tok", NULL, &result, &err));
    s3store_write_result_free(result);
    assert_ok(s3s_restamp(s.target, "p=a", "tok", NULL, &result, &err));
    s3store_write_result_free(result);
    assert_int_equal(s.faults.counts[S3S_VERB_HEAD][FAULTY_COMMIT], 3);
    assert_int_equal(s.faults.durable_heads, 3);
    stage_close(&s);
}

/* ---- lookup and restamp ---------------------------------------------------------------------- */

static void test_lookup__a_commit_is_found_by_one_head(void **state)
{
    static const char *const bad[] = {"", "tok/with/slash", "tok;semi"};
    stage s;
    s3store_error err;
    s3store_write_result *result, *found;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    stage_rules(&s, NULL, 0);
    assert_ok(s3s_lookup_commit(s.target, "p=a", "tok", NULL, &found, &err));
    assert_string_equal(s.faults.trace, "head commit");
    const s3store_commit *a = s3store_write_result_get(result, 0);
    const s3store_commit *b = s3store_write_result_get(found, 0);
    assert_string_equal(a->ref_path, b->ref_path);
    assert_string_equal(a->data_path, b->data_path);
    assert_string_equal(b->token, "tok");
    assert_int_equal(a->inserted_at_us, b->inserted_at_us);
    assert_int_equal(b->row_count, 1);
    s3store_write_result_free(found);
    s3store_write_result_free(result);
    assert_fails(s3s_lookup_commit(s.target, "p=a", "tik", NULL, &found, &err), S3STORE_NOT_FOUND,
                 NULL);
    assert_null(found);
    assert_int_equal(s3s_lookup_commit(s.target, "p=a", "tik", NULL, &found, NULL),
                     S3STORE_NOT_FOUND); /* nobody wants to know why */
    assert_int_equal(s3s_restamp(s.target, "p=a", "tik", NULL, &found, NULL), S3STORE_NOT_FOUND);
    assert_null(found);
    /* Where nobody said what a partition is made of, any key may be one. */
    size_t parts = s.target->settings.part_count;
    s.target->settings.part_count = 0;
    assert_ok(s3s_lookup_commit(s.target, "p=a", "tok", NULL, &found, &err));
    s3store_write_result_free(found);
    assert_fails(s3s_lookup_commit(s.target, "q=a", "tok", NULL, &found, &err), S3STORE_NOT_FOUND,
                 NULL);
    s.target->settings.part_count = parts;
    stage_rules(&s, NULL, 0);
    for (size_t i = 0; i < 3; i++)
        assert_fails(s3s_lookup_commit(s.target, "p=a", bad[i], NULL, &found, &err),
                     S3STORE_INVALID_ARGUMENT, "token");
    assert_fails(s3s_lookup_commit(s.target, "q=a", "tok", NULL, &found, &err),
                 S3STORE_INVALID_ARGUMENT, "q=a");
    assert_int_equal(faulty_total(&s.faults), 0);
    put_marker(&s, "ds/data/p=a/bad.commit", "refmicrots", "-1");
    assert_fails(s3s_lookup_commit(s.target, "p=a", "bad", NULL, &found, &err),
                 S3STORE_DAMAGED_MARKER, "refmicrots");
    stage_close(&s);
}

static void test_restamp__a_commit_gets_one_more_place_in_the_stream(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result, *fresh, *found;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    stage_wait(&s, SECOND);
    stage_rules(&s, NULL, 0);
    assert_ok(s3s_restamp(s.target, "p=a", "tok", NULL, &fresh, &err));
    assert_string_equal(s.faults.trace, "head commit, put ref");
    const s3store_commit *a = s3store_write_result_get(result, 0);
    const s3store_commit *b = s3store_write_result_get(fresh, 0);
    assert_true(strcmp(a->ref_path, b->ref_path) < 0);
    assert_string_equal(b->ref_path, b->offset);
    assert_string_equal(a->data_path, b->data_path);
    assert_ok(s3s_lookup_commit(s.target, "p=a", "tok", NULL, &found, &err));
    assert_string_equal(s3store_write_result_get(found, 0)->ref_path, a->ref_path);
    assert_string_equal(stage_entries(&s), "p=a/tok p=a/tok ");
    s3store_write_result_free(found);
    s3store_write_result_free(fresh);
    s3store_write_result_free(result);
    stage_close(&s);
}

static void test_restamp__a_stamp_of_the_future_is_passed(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *fresh;
    (void)state;
    stage_open(&s, NULL);
    put_marker(&s, "ds/data/p=a/tok.commit", "refmicrots", "1517966773500000");
    assert_ok(s3s_restamp(s.target, "p=a", "tok", NULL, &fresh, &err));
    assert_string_equal(s3store_write_result_get(fresh, 0)->ref_path,
                        "ds/_ref/1517966773500001-tok-0123456789abcdef0123456789abcdef;p=a.ref");
    s3store_write_result_free(fresh);
    stage_close(&s);
}

static void test_restamp__failures_are_told_as_they_are(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *fresh;
    static const stage_rule denied = {S3S_VERB_PUT, FAULTY_REF, 1, 0, DENIED};
    static const stage_rule slow = {S3S_VERB_PUT, FAULTY_REF, 1, 0, {.after_us = 16 * SECOND}};
    (void)state;
    stage_open(&s, NULL);
    assert_fails(s3s_restamp(s.target, "p=a", "tok", NULL, &fresh, &err), S3STORE_NOT_FOUND, NULL);
    assert_null(fresh);
    assert_ok(stage_write_one(&s, "tok", NULL, &err));
    stage_rules(&s, &denied, 1);
    assert_fails(s3s_restamp(s.target, "p=a", "tok", NULL, &fresh, &err),
                 S3STORE_PERMISSION_DENIED, "refused by the test");
    assert_null(fresh);
    stage_rules(&s, &slow, 1);
    assert_fails(s3s_restamp(s.target, "p=a", "tok", NULL, &fresh, &err),
                 S3STORE_COMMIT_AFTER_TIMEOUT, "p=a, token tok");
    assert_string_equal(stage_states(fresh), "p=a committed_late COMMIT_AFTER_TIMEOUT");
    assert_non_null(s3store_write_result_get(fresh, 0)->ref_path);
    s3store_write_result_free(fresh);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prior__a_reused_token_is_noticed),
        cmocka_unit_test(test_prior__a_marker_of_others_is_the_result),
        cmocka_unit_test(test_prior__a_damaged_marker_is_an_error),
        cmocka_unit_test(test_prior__success_rests_on_what_outlasts_a_power_failure),
        cmocka_unit_test(test_lookup__a_commit_is_found_by_one_head),
        cmocka_unit_test(test_restamp__a_commit_gets_one_more_place_in_the_stream),
        cmocka_unit_test(test_restamp__a_stamp_of_the_future_is_passed),
        cmocka_unit_test(test_restamp__failures_are_told_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
