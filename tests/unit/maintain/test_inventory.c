/* The data tree token by token, against a count by brute force. */
#include <stdlib.h>

#include "maintain/inventory.h"
#include "unit/maintain/kit.h"

static s3store_status take(void *ctx, const s3s_token *t, s3store_error *err)
{
    (void)err;
    kit_tell(ctx, "%s %s %s", t->partition, t->token, t->committed ? "+" : "-");
    for (size_t i = 0; i < t->attempt_count; i++) {
        kit_tell(ctx, " %s", t->attempts[i].id + 28);
        assert_true(i == 0 || strcmp(t->attempts[i - 1].id, t->attempts[i].id) < 0);
    }
    kit_tell(ctx, "\n");
    return S3STORE_OK;
}

static void list(fixture *fx, const char *const *patterns, size_t count, kit_told *told,
                 s3s_inventory_counts *counts)
{
    s3store_error err;
    s3s_patterns parsed = {0};
    memset(told, 0, sizeof *told);
    assert_ok(s3s_target_patterns(fx->target, patterns, count, &parsed, &err));
    assert_ok(s3s_inventory(fx->target, NULL, &parsed, take, told, counts, &err));
    s3s_patterns_deinit(&parsed);
}

static void test_inventory__tokens_that_are_prefixes_of_others_are_told_apart(void **state)
{
    (void)state;
    static const char *const all[] = {"*"};
    fixture fx;
    kit_told told;
    s3s_inventory_counts counts;
    kit_open(&fx);
    kit_write(&fx, "p=1", "a", FIXTURE_DATA);          /* 1 */
    kit_write(&fx, "p=1", "a", FIXTURE_ALL);           /* 2 */
    kit_write(&fx, "p=1", "a-b", FIXTURE_ALL);         /* 3 */
    kit_write(&fx, "p=1", "a.b", FIXTURE_DATA);        /* 4 */
    kit_write(&fx, "p=1", "a.commit", FIXTURE_ALL);    /* 5 */
    kit_write(&fx, "p=1", "a-b", FIXTURE_DATA);        /* 6 */
    kit_write(&fx, "p=1", "b", FIXTURE_COMMIT);        /* 7 */
    kit_write(&fx, "p=1/q=1", "a", FIXTURE_ALL);       /* 8 */
    fixture_put(&fx, "ds/data/p=1/README", "x", 1, NULL);
    fixture_put(&fx, "ds/data/stray.parquet", "x", 1, NULL);
    list(&fx, all, 1, &told, &counts);
    assert_string_equal(told.text, "p=1 a-b + 0003 0006\n"
                                   "p=1 a.b - 0004\n"
                                   "p=1 a + 0001 0002\n"
                                   "p=1 a.commit + 0005\n"
                                   "p=1 b +\n"
                                   "p=1/q=1 a + 0008\n");
    assert_int_equal(counts.objects, 14);
    assert_int_equal(counts.data_objects, 7);
    assert_int_equal(counts.markers, 5);
    assert_int_equal(counts.foreign, 2);
    assert_true(counts.data_bytes > 0);
    fixture_close_clean(&fx);
}

static void test_inventory__overlapping_patterns_give_each_token_once(void **state)
{
    (void)state;
    static const char *const patterns[] = {"p=b", "p=a..c", "p=c*"};
    fixture fx;
    kit_told told;
    s3s_inventory_counts counts;
    kit_open(&fx);
    kit_write(&fx, "p=a", "t", FIXTURE_ALL);
    kit_write(&fx, "p=b", "t", FIXTURE_ALL);
    kit_write(&fx, "p=cc", "t", FIXTURE_DATA);
    kit_write(&fx, "p=d", "t", FIXTURE_ALL);
    list(&fx, patterns, 3, &told, &counts);
    assert_string_equal(told.text, "p=b t + 0002\np=a t + 0001\np=cc t - 0003\n");
    fixture_close_clean(&fx);
}

/* Tokens of a few letters, so that many are prefixes of others. */
static void random_token(unsigned *seed, char out[8])
{
    static const char letters[] = "ab-.0~";
    size_t size = 1 + (size_t)rand_r(seed) % 5;
    for (size_t i = 0; i < size; i++)
        out[i] = letters[(size_t)rand_r(seed) % 6];
    out[size] = '\0';
    if (strstr(out, "..") != NULL)
        memcpy(out, "a-.", 4);
}

static void test_inventory__random_tokens_are_counted_as_by_hand(void **state)
{
    (void)state;
    static const char *const all[] = {"*"};
    for (unsigned seed = 1; seed <= 40; seed++) {
        fixture fx;
        kit_told told;
        s3s_inventory_counts counts;
        char tokens[40][8];
        unsigned steps[40], dice = seed;
        kit_open(&fx);
        for (size_t i = 0; i < 40; i++) {
            random_token(&dice, tokens[i]);
            steps[i] = rand_r(&dice) % 3 == 0 ? FIXTURE_DATA : FIXTURE_ALL;
            kit_write(&fx, "p=1", tokens[i], steps[i]);
        }
        list(&fx, all, 1, &told, &counts);
        for (size_t i = 0; i < 40; i++) {
            size_t attempts = 0;
            bool committed = false;
            char line[400], *found;
            for (size_t j = 0; j < 40; j++)
                if (strcmp(tokens[i], tokens[j]) == 0) {
                    attempts++;
                    committed = committed || steps[j] == FIXTURE_ALL;
                }
            snprintf(line, sizeof line, "p=1 %s %s", tokens[i], committed ? "+" : "-");
            found = strstr(told.text, line);
            while (found != NULL && found != told.text && found[-1] != '\n')
                found = strstr(found + 1, line);
            if (found == NULL)
                fail_msg("seed %u: no line \"%s\" in\n%s", seed, line, told.text);
            assert_int_equal(strcspn(found + strlen(line), "\n"), attempts * 5);
            snprintf(line, sizeof line, "\np=1 %s %s", tokens[i], committed ? "+" : "-");
            assert_null(strstr(found + 1, line)); /* once */
        }
        fixture_close_clean(&fx);
    }
}

static s3store_status refuse(void *ctx, const s3s_token *t, s3store_error *err)
{
    (void)ctx;
    (void)t;
    if (err != NULL)
        *err = (s3store_error){.status = S3STORE_IO, .message = "enough"};
    return S3STORE_IO;
}

static void test_inventory__the_receivers_error_comes_out(void **state)
{
    (void)state;
    static const char *const all[] = {"*"};
    fixture fx;
    s3store_error err;
    s3s_patterns parsed = {0};
    s3s_inventory_counts counts;
    kit_open(&fx);
    kit_write(&fx, "p=1", "t", FIXTURE_ALL);
    kit_write(&fx, "p=1", "u", FIXTURE_DATA);
    assert_ok(s3s_target_patterns(fx.target, all, 1, &parsed, &err));
    assert_fails(s3s_inventory(fx.target, NULL, &parsed, refuse, NULL, &counts, &err), S3STORE_IO,
                 "enough");
    s3s_patterns_deinit(&parsed);
    fixture_close_clean(&fx);
}

/* A listing that is made up: more data objects of one token than may be held. */
static s3store_status endless_token(void *impl, const s3store_call *call,
                                    const s3store_list_request *request, s3store_list_fn fn,
                                    void *ctx, s3store_list_reply *reply, s3store_error *err)
{
    char key[S3S_KEY_SIZE], id[S3S_ATTEMPT_ID_SIZE + 1];
    (void)impl;
    (void)call;
    (void)request;
    (void)err;
    *reply = (s3store_list_reply){.date_us = S3STORE_TIME_NONE};
    for (uint64_t i = 0; i <= S3S_TOKEN_ATTEMPTS_MAX; i++) {
        s3store_list_entry entry = {.key = key, .object_size = 1, .last_modified_us = 1};
        fixture_attempt(i, id);
        snprintf(key, sizeof key, "ds/data/p=1/t-%s.parquet", id);
        if (!fn(ctx, &entry))
            break;
    }
    return S3STORE_OK;
}

static void test_inventory__a_token_with_too_many_data_objects_is_named(void **state)
{
    (void)state;
    static const char *const all[] = {"*"};
    fixture fx;
    s3store_error err;
    s3s_patterns parsed = {0};
    s3s_inventory_counts counts;
    kit_open(&fx);
    fx.target->bottom.list = endless_token;
    assert_ok(s3s_target_patterns(fx.target, all, 1, &parsed, &err));
    assert_fails(s3s_inventory(fx.target, NULL, &parsed, refuse, NULL, &counts, &err),
                 S3STORE_LIMIT_EXCEEDED, "more than 100000 data objects of one token: ds/data/p=1/t-");
    s3s_patterns_deinit(&parsed);
    fixture_close_clean(&fx);
}

const struct CMUnitTest inventory_tests[] = {
    cmocka_unit_test(test_inventory__a_token_with_too_many_data_objects_is_named),
    cmocka_unit_test(test_inventory__tokens_that_are_prefixes_of_others_are_told_apart),
    cmocka_unit_test(test_inventory__overlapping_patterns_give_each_token_once),
    cmocka_unit_test(test_inventory__random_tokens_are_counted_as_by_hand),
    cmocka_unit_test(test_inventory__the_receivers_error_comes_out),
};
const size_t inventory_test_count = sizeof inventory_tests / sizeof inventory_tests[0];
