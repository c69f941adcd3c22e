/* The vectors of docs/FORMAT.md "A.6 Writing" that are about whole writes, as they are written there. */
#include "e2e/e2e.h"

#include <stdlib.h>
#include <time.h>

#define WEST "day=2018-02-07/region=west"

static const quake one = {"a", T0, T0 + 1, "west", 1.5, false};

static s3store_write_options with_token(const char *token)
{
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    return options;
}

static s3store_write_result *write_one(const dataset *d, const s3store_write_options *options)
{
    s3store_error err;
    s3store_write_result *result = NULL;
    s3store_status status =
        s3store_write_records(d->writer, &quake_type, &one, 1, options, &result, &err);
    if (status != S3STORE_OK)
        fail_msg("%s: %s", s3store_status_name(status), err.message);
    assert_int_equal(s3store_write_result_count(result), 1);
    return result;
}

/* 92 */
static void test_vectors__ten_partitions_side_by_side_are_told_in_key_order(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *result;
    quake rows[10];
    char regions[10][8];
    dataset_make(&d, "ten", NULL);
    for (int i = 0; i < 10; i++) {
        snprintf(regions[i], sizeof regions[i], "r%d", 9 - i);
        rows[i] = one;
        rows[i].region = regions[i];
    }
    assert_ok(write_quakes(&d, rows, 10, NULL, &result, &err));
    assert_int_equal(s3store_write_result_count(result), 10);
    for (size_t i = 0; i < 10; i++) {
        char partition[64];
        const s3store_commit *c = s3store_write_result_get(result, i);
        snprintf(partition, sizeof partition, "day=2018-02-07/region=r%zu", i);
        assert_string_equal(c->partition, partition);
        assert_non_null(strstr(c->data_path, partition));
        assert_int_equal(c->state, S3STORE_COMMIT_DONE);
    }
    s3store_write_result_free(result);
    dataset_close(&d);
}

/* 96, 100 */
static void test_vectors__a_marker_that_was_deleted_lets_its_token_write_again(void **state)
{
    (void)state;
    dataset d;
    char key[S3STORE_KEY_MAX_BYTES + 1], begin[S3STORE_KEY_MAX_BYTES + 1];
    s3store_write_options options = with_token("tok");
    dataset_make(&d, "deleted", NULL);
    snprintf(key, sizeof key, "%s/data/" WEST "/tok.commit", d.prefix);
    snprintf(begin, sizeof begin, "%s/data/" WEST "/tok-", d.prefix);
    s3store_write_result *first = write_one(&d, &options);
    const s3store_commit *a = s3store_write_result_get(first, 0);
    assert_true(dataset_has(&d, key));
    assert_true(dataset_has(&d, a->data_path));
    assert_true(dataset_has(&d, a->ref_path));
    dataset_remove(&d, key);
    assert_int_equal(count_rows(&d, "*", true), 0);
    s3store_write_result *second = write_one(&d, &options);
    const s3store_commit *b = s3store_write_result_get(second, 0);
    assert_int_equal(b->state, S3STORE_COMMIT_DONE);
    assert_string_not_equal(a->data_path, b->data_path);
    assert_memory_equal(a->data_path, begin, strlen(begin));
    assert_memory_equal(b->data_path, begin, strlen(begin));
    assert_int_equal(count_rows(&d, "*", true), 1);
    s3store_write_result_free(first);
    s3store_write_result_free(second);
    dataset_close(&d);
}

/* 108: a server that honours conditions answers 412. */
static void test_vectors__an_optimistic_retry_stores_twice_and_shows_one(void **state)
{
    (void)state;
    dataset d;
    s3store_write_options options = with_token("tok");
    options.optimistic = true;
    dataset_make(&d, "optimistic", NULL);
    s3store_write_result *first = write_one(&d, &options);
    s3store_write_result *second = write_one(&d, &options);
    const s3store_commit *a = s3store_write_result_get(first, 0);
    const s3store_commit *b = s3store_write_result_get(second, 0);
    assert_int_equal(b->state, S3STORE_COMMIT_EXISTING);
    assert_string_equal(a->data_path, b->data_path);
    assert_string_equal(a->ref_path, b->ref_path);
    assert_string_equal(a->offset, b->offset);
    assert_int_equal(dataset_count(&d, "data/" WEST "/tok-"), 2);
    assert_int_equal(count_rows(&d, "*", true), 1);
    s3store_write_result_free(first);
    s3store_write_result_free(second);
    dataset_close(&d);
}

static s3store_entries *poll_after(const dataset *d, const char *since)
{
    s3store_error err;
    s3store_entries *entries = NULL;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    poll.since = since;
    assert_ok(s3store_poll(d->target, &poll, &entries, &err));
    return entries;
}

/* 113 to 116 */
static void test_vectors__a_restamp_reaches_readers_that_have_passed(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *fresh, *found;
    s3store_write_options options = with_token("tok");
    dataset_make(&d, "passed", NULL);
    s3store_write_result *first = write_one(&d, &options);
    const s3store_commit *a = s3store_write_result_get(first, 0);
    wait_settled(&d);
    s3store_entries *before = poll_after(&d, NULL);
    assert_int_equal(s3store_entries_count(before), 1);
    assert_ok(s3store_restamp(d.target, WEST, "tok", NULL, &fresh, &err));
    const s3store_commit *b = s3store_write_result_get(fresh, 0);
    assert_string_equal(b->offset, b->ref_path);
    assert_string_equal(b->data_path, a->data_path);
    assert_int_equal(b->inserted_at_us, a->inserted_at_us);
    assert_int_equal(b->row_count, a->row_count);
    wait_settled(&d);
    s3store_entries *after = poll_after(&d, s3store_entries_next_offset(before));
    assert_int_equal(s3store_entries_count(after), 1);
    assert_string_equal(s3store_entries_get(after, 0)->ref_path, b->ref_path);
    assert_string_equal(s3store_entries_next_offset(after), b->offset);
    s3store_entries_free(after);
    after = poll_after(&d, NULL);
    assert_int_equal(s3store_entries_count(after), 2);
    assert_string_equal(s3store_entries_get(after, 0)->ref_path, a->ref_path);
    assert_string_equal(s3store_entries_get(after, 1)->data_path, a->data_path);
    s3store_entries_free(after);
    struct ArrowArrayStream rows;
    assert_ok(s3store_poll_records(d.reader, NULL, NULL, &after, &rows, &err));
    assert_int_equal(stream_rows(&rows), 1);
    s3store_entries_free(after);
    assert_ok(s3store_lookup_commit(d.target, WEST, "tok", NULL, &found, &err));
    assert_string_equal(s3store_write_result_get(found, 0)->ref_path, a->ref_path);
    s3store_write_result_free(found);
    s3store_write_result_free(fresh);
    s3store_write_result_free(first);
    s3store_entries_free(before);
    dataset_close(&d);
}

/* 117: here the partition and the token name the commit. */
static void test_vectors__a_restamp_of_another_dataset_or_of_nothing_is_refused(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    s3store_write_result *fresh = NULL;
    dataset_make(&d, "foreign", NULL);
    assert_fails(s3store_restamp(d.target, "other=1", "tok", NULL, &fresh, &err),
                 S3STORE_INVALID_ARGUMENT, "other=1");
    assert_null(fresh);
    assert_fails(s3store_restamp(d.target, WEST, "tok", NULL, &fresh, &err), S3STORE_NOT_FOUND,
                 "tok");
    assert_fails(s3store_restamp(d.target, NULL, "tok", NULL, &fresh, &err),
                 S3STORE_INVALID_ARGUMENT, "partition");
    assert_fails(s3store_restamp(d.target, WEST, NULL, NULL, &fresh, &err),
                 S3STORE_INVALID_ARGUMENT, "token");
    assert_null(fresh);
    dataset_close(&d);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* 118, 119 */
static void test_vectors__the_inserted_at_column_is_what_was_written_on_every_path(void **state)
{
    (void)state;
    s3store_error err;
    dataset d;
    static const char *const columns[] = {"stored"};
    dataset_options made = {.inserted_at_column = "stored"};
    dataset_make(&d, "stored", &made);
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    int64_t before_us = now_us();
    s3store_write_result *result = write_one(&d, &options);
    int64_t after_us = now_us();
    char want[32];
    int64_t stored_us = s3store_write_result_get(result, 0)->inserted_at_us;
    assert_true(stored_us >= before_us && stored_us <= after_us);
    snprintf(want, sizeof want, "%lld;", (long long)stored_us);
    s3store_write_result_free(result);
    sleep_us(2000000);
    wait_settled(&d);
    assert_string_equal(read_text(&d, "*", "stored", false), want);
    s3store_entries *entries;
    struct ArrowArrayStream rows;
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    read.columns = columns;
    read.column_count = 1;
    assert_ok(s3store_poll_records(d.reader, NULL, &read, &entries, &rows, &err));
    assert_string_equal(stream_text(&rows), want);
    s3store_entries_free(entries);
    dataset_close(&d);
}

int run_vector_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors__ten_partitions_side_by_side_are_told_in_key_order),
        cmocka_unit_test(test_vectors__a_marker_that_was_deleted_lets_its_token_write_again),
        cmocka_unit_test(test_vectors__an_optimistic_retry_stores_twice_and_shows_one),
        cmocka_unit_test(test_vectors__a_restamp_reaches_readers_that_have_passed),
        cmocka_unit_test(test_vectors__a_restamp_of_another_dataset_or_of_nothing_is_refused),
        cmocka_unit_test(test_vectors__the_inserted_at_column_is_what_was_written_on_every_path),
    };
    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
