/* No silence (W2): whatever goes wrong is the last thing a scan says, in its place. */
#include "unit/scan/kit.h"

#include <stdlib.h>

#include "arrow/builder.h"

enum { PARTITIONS = 5, FILES = 3, ALL = PARTITIONS * FILES };

typedef struct world {
    fixture fx;
    s3s_schema *fixed;
    fixture_written files[ALL];
    char *text;
} world;

static void world_open(world *w, int max_inflight)
{
    s3store_error err;
    char partition[16];
    fixture_options options = {.max_inflight = max_inflight};
    fixture_open(&w->fx, NULL, &options);
    for (int i = 0; i < ALL; i++) {
        snprintf(partition, sizeof partition, "p=%d", i / FILES);
        fixture_write write = {.partition = partition};
        fixture_row row = {"e", i, i, false};
        w->files[i] = fixture_write_rows(&w->fx, &write, &row, 1);
    }
    assert_ok(s3s_record_schema(w->fx.env, &fixture_row_type, &w->fixed, &err));
    w->text = malloc(KIT_TEXT);
    assert_non_null(w->text);
}

static void world_close(world *w)
{
    w->fx.hook = NULL;
    free(w->text);
    s3s_schema_release(w->fixed);
    fixture_close_clean(&w->fx);
}

/* What LATEST or ROWS deliver of the files before file i, partition by partition or file by
 * file; skip: a file that is left out (-1 = none). */
static void expected_before(s3s_scan_mode mode, int until, int skip, char *text)
{
    text[0] = '\0';
    int last = -1;
    for (int i = 0; i < ALL; i++) {
        int partition = i / FILES, latest = partition * FILES + FILES - 1;
        if (latest == skip)
            latest--;
        bool delivered = mode == S3S_SCAN_ROWS ? i < until : partition < until / FILES;
        if (!delivered || i == skip || (mode == S3S_SCAN_LATEST && i != latest))
            continue;
        size_t used = strlen(text);
        if (partition != last)
            used += (size_t)snprintf(text + used, KIT_TEXT - used, "{p=%d}", partition);
        snprintf(text + used, KIT_TEXT - used, "e|%d|%d;", i, i);
        last = partition;
    }
}

typedef struct fail_key {
    const char *key;
    s3store_status status;
    uint64_t cut_at;
} fail_key;

static s3s_fault_decision fail_that_key(void *ctx, s3s_fault_verb verb, const char *key,
                                        uint64_t sequence)
{
    (void)sequence;
    const fail_key *f = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    if (verb == S3S_VERB_GET && strcmp(key, f->key) == 0) {
        d.before = f->status;
        d.cut_body_at = f->cut_at;
    }
    return d;
}

static void test_faults__each_failing_request_surfaces_after_what_lies_before_it(void **state)
{
    (void)state;
    char *expected = malloc(KIT_TEXT);
    s3store_error err;
    assert_non_null(expected);
    for (int inflight = 1; inflight <= 8; inflight *= 8) {
        world w;
        world_open(&w, inflight);
        for (int i = 0; i < ALL; i++) {
            for (int variant = 0; variant < 8; variant++) {
                s3s_scan_mode mode = variant & 1 ? S3S_SCAN_LATEST : S3S_SCAN_ROWS;
                s3s_scan_options o = kit_options(mode);
                o.fixed = variant & 2 ? w.fixed : NULL;
                o.read_ahead_partitions = variant & 4 ? 4 : 0;
                fail_key f = {.key = w.files[i].data_key,
                              .status = S3STORE_PERMISSION_DENIED,
                              .cut_at = UINT64_MAX};
                w.fx.hook = fail_that_key;
                w.fx.hook_ctx = &f;
                expected_before(mode, i, -1, expected);
                assert_fails(kit_scan(&w.fx, "", &o, w.text, &err), S3STORE_PERMISSION_DENIED,
                             NULL);
                assert_string_equal(err.key, f.key);
                assert_string_equal(w.text, expected);
                w.fx.hook = NULL;
            }
        }
        world_close(&w);
    }
    free(expected);
}

/* The consumer is slow: everything ahead has failed or ended long before it is asked for. */
static void test_faults__a_slow_consumer_misses_no_error(void **state)
{
    (void)state;
    s3store_error err;
    world w;
    world_open(&w, 8);
    for (int i = 0; i < ALL; i += 2) {
        s3s_file_set files;
        s3s_scan *scan = NULL;
        fail_key f = {
            .key = w.files[i].data_key, .status = S3STORE_PERMISSION_DENIED, .cut_at = UINT64_MAX};
        w.fx.hook = fail_that_key;
        w.fx.hook_ctx = &f;
        s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
        o.fixed = w.fixed;
        kit_files(&w.fx, "", &files);
        assert_ok(s3s_scan_open(w.fx.target, &files, &o, &scan, &err));
        s3store_status status = S3STORE_OK;
        int batches = 0;
        while (status == S3STORE_OK) {
            struct ArrowArray batch = {0};
            status = s3s_scan_next(scan, &batch, NULL, &err);
            batches += status == S3STORE_OK;
            s3s_array_release(&batch);
            assert_ok(s3s_sleep_us(w.fx.env, 2000, NULL, &err));
        }
        assert_int_equal(status, S3STORE_PERMISSION_DENIED);
        assert_int_equal(batches, i / FILES);
        s3s_scan_free(scan);
        w.fx.hook = NULL;
    }
    world_close(&w);
}

static void test_faults__a_missing_file_is_an_error_or_passed_as_asked(void **state)
{
    (void)state;
    char *expected = malloc(KIT_TEXT);
    s3store_error err;
    assert_non_null(expected);
    world w;
    world_open(&w, 4);
    for (int i = 0; i < ALL; i++) {
        for (int variant = 0; variant < 8; variant++) {
            s3s_scan_mode mode = variant & 1 ? S3S_SCAN_LATEST : S3S_SCAN_ROWS;
            s3s_scan_options o = kit_options(mode);
            o.fixed = variant & 2 ? w.fixed : NULL;
            o.tolerant = (variant & 4) != 0;
            fail_key f = {
                .key = w.files[i].data_key, .status = S3STORE_NOT_FOUND, .cut_at = UINT64_MAX};
            w.fx.hook = fail_that_key;
            w.fx.hook_ctx = &f;
            w.fx.log[0] = '\0';
            expected_before(mode, o.tolerant ? ALL : i, o.tolerant ? i : -1, expected);
            if (o.tolerant) {
                assert_ok(kit_scan(&w.fx, "", &o, w.text, &err));
                assert_non_null(strstr(w.fx.log, "data file missing, skipping path="));
                assert_non_null(strstr(w.fx.log, f.key));
                assert_non_null(strstr(w.fx.log, "method=test"));
            } else {
                assert_fails(kit_scan(&w.fx, "", &o, w.text, &err), S3STORE_NOT_FOUND, NULL);
                assert_string_equal(err.key, f.key);
            }
            assert_string_equal(w.text, expected);
            w.fx.hook = NULL;
        }
    }
    free(expected);
    world_close(&w);
}

static void test_faults__all_files_missing_is_nothing_when_tolerated(void **state)
{
    (void)state;
    s3store_error err;
    world w;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    struct ArrowArray batch = {0};
    world_open(&w, 4);
    for (int variant = 0; variant < 4; variant++) {
        kit_files(&w.fx, "", &files);
        for (int i = 0; i < ALL; i++)
            fixture_remove(&w.fx, w.files[i].data_key);
        s3s_scan_options o = kit_options(variant & 1 ? S3S_SCAN_LATEST : S3S_SCAN_ROWS);
        o.fixed = variant & 2 ? w.fixed : NULL;
        o.tolerant = true;
        assert_ok(s3s_scan_open(w.fx.target, &files, &o, &scan, &err));
        assert_int_equal(s3s_scan_next(scan, &batch, NULL, &err), S3STORE_END);
        assert_int_equal(s3s_scan_missing_count(scan), ALL);
        s3s_scan_free(scan);
        for (int i = 0; i < ALL; i++) {
            char partition[16];
            snprintf(partition, sizeof partition, "p=%d", i / FILES);
            fixture_write write = {.partition = partition,
                                   .attempt = w.files[i].attempt,
                                   .steps = FIXTURE_DATA};
            fixture_row row = {"e", i, i, false};
            fixture_write_rows(&w.fx, &write, &row, 1);
        }
    }
    world_close(&w);
}

static void test_faults__a_damaged_file_is_corrupt_and_named_also_when_tolerant(void **state)
{
    (void)state;
    char *expected = malloc(KIT_TEXT);
    s3store_error err;
    assert_non_null(expected);
    world w;
    world_open(&w, 4);
    size_t size = 0;
    uint8_t *whole = fixture_get(&w.fx, w.files[7].data_key, &size);
    const size_t kept[] = {0, 4, size / 2, size - 1};
    for (size_t k = 0; k < 4; k++) {
        fixture_put(&w.fx, w.files[7].data_key, whole, kept[k], NULL);
        for (int variant = 0; variant < 4; variant++) {
            s3s_scan_mode mode = variant & 1 ? S3S_SCAN_LATEST : S3S_SCAN_ROWS;
            s3s_scan_options o = kit_options(mode);
            o.fixed = variant & 2 ? w.fixed : NULL;
            o.tolerant = true;
            expected_before(mode, 7, -1, expected);
            assert_fails(kit_scan(&w.fx, "", &o, w.text, &err), S3STORE_CORRUPT,
                         w.files[7].data_key);
            assert_string_equal(w.text, expected);
        }
    }
    free(whole);
    free(expected);
    world_close(&w);
}

typedef struct cancel_at {
    s3store_cancel *cancel;
    uint64_t at;
    atomic_uint_fast64_t seen;
} cancel_at;

static s3s_fault_decision cancel_there(void *ctx, s3s_fault_verb verb, const char *key,
                                       uint64_t sequence)
{
    (void)verb;
    (void)key;
    (void)sequence;
    cancel_at *c = ctx;
    if (atomic_fetch_add(&c->seen, 1) == c->at)
        s3store_cancel_trigger(c->cancel);
    return S3S_FAULT_NONE;
}

static void test_faults__cancelled_anywhere_it_says_so(void **state)
{
    (void)state;
    char *complete = malloc(KIT_TEXT);
    s3store_error err;
    assert_non_null(complete);
    expected_before(S3S_SCAN_LATEST, ALL, -1, complete);
    world w;
    world_open(&w, 4);
    for (uint64_t at = 0; at < ALL; at++) {
        for (int fixed = 0; fixed < 2; fixed++) {
            cancel_at c = {.at = at};
            atomic_init(&c.seen, 0);
            assert_ok(s3store_cancel_new(&c.cancel, &err));
            s3s_file_set files;
            s3s_scan *scan = NULL;
            s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
            o.fixed = fixed ? w.fixed : NULL;
            o.call.cancel = c.cancel;
            kit_files(&w.fx, "", &files);
            w.fx.hook = cancel_there;
            w.fx.hook_ctx = &c;
            s3store_status status = s3s_scan_open(w.fx.target, &files, &o, &scan, &err);
            int batches = 0;
            while (status == S3STORE_OK) {
                struct ArrowArray batch = {0};
                status = s3s_scan_next(scan, &batch, NULL, &err);
                batches += status == S3STORE_OK;
                s3s_array_release(&batch);
            }
            if (status == S3STORE_END)
                assert_int_equal(batches, PARTITIONS); /* all of it was out already */
            else
                assert_int_equal(status, S3STORE_CANCELLED);
            s3s_scan_free(scan);
            w.fx.hook = NULL;
            s3store_cancel_free(c.cancel);
        }
    }
    free(complete);
    world_close(&w);
}

static void test_faults__cancelled_between_batches_it_does_not_end_quietly(void **state)
{
    (void)state;
    s3store_error err;
    world w;
    world_open(&w, 4);
    for (int after = 0; after < PARTITIONS; after++) {
        s3store_cancel *cancel = NULL;
        s3s_file_set files;
        s3s_scan *scan = NULL;
        struct ArrowArray batch = {0};
        assert_ok(s3store_cancel_new(&cancel, &err));
        s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
        o.call.cancel = cancel;
        kit_files(&w.fx, "", &files);
        assert_ok(s3s_scan_open(w.fx.target, &files, &o, &scan, &err));
        for (int i = 0; i < after; i++) {
            assert_ok(s3s_scan_next(scan, &batch, NULL, &err));
            s3s_array_release(&batch);
        }
        s3store_cancel_trigger(cancel);
        assert_fails(s3s_scan_next(scan, &batch, NULL, &err), S3STORE_CANCELLED, NULL);
        assert_fails(s3s_scan_next(scan, &batch, NULL, &err), S3STORE_CANCELLED, NULL);
        s3s_scan_free(scan);
        s3store_cancel_free(cancel);
    }
    world_close(&w);
}

static void test_faults__a_deadline_that_passed_is_a_timeout(void **state)
{
    (void)state;
    s3store_error err;
    world w;
    world_open(&w, 4);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.call.deadline_us = s3s_mono_us(w.fx.env) - 1;
    assert_fails(kit_scan(&w.fx, "", &o, w.text, &err), S3STORE_TIMEOUT, NULL);
    o.fixed = w.fixed;
    assert_fails(kit_scan(&w.fx, "", &o, w.text, &err), S3STORE_TIMEOUT, NULL);
    world_close(&w);
}

static void test_faults__every_failed_allocation_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    s3store_error err;
    world w;
    world_open(&w, 1); /* one thread: allocations come in the same order every time */
    char *complete = malloc(KIT_TEXT);
    assert_non_null(complete);
    for (int variant = 0; variant < 8; variant++) {
        s3s_scan_mode mode = variant & 1 ? S3S_SCAN_LATEST : S3S_SCAN_ROWS;
        expected_before(mode, ALL, -1, complete);
        bool done = false;
        for (uint64_t n = 0; !done && n < 100000; n += n < 200 ? 1 : 17) {
            s3s_file_set files;
            s3s_scan *scan = NULL;
            s3s_scan_options o = kit_options(mode);
            o.fixed = variant & 2 ? w.fixed : NULL;
            o.merge_bytes = variant & 4 ? 1 : 0; /* everything that is merged spills */
            o.where = variant & 4 ? "value >= 0 and version is not null" : NULL;
            kit_files(&w.fx, "", &files);
            w.text[0] = '\0';
            s3s_env_fail_alloc_at(w.fx.env, n);
            s3store_status status = s3s_scan_open(w.fx.target, &files, &o, &scan, &err);
            int64_t rows = 0;
            while (status == S3STORE_OK) {
                struct ArrowArray batch = {0};
                status = s3s_scan_next(scan, &batch, NULL, &err);
                rows += status == S3STORE_OK ? batch.length : 0;
                s3s_array_release(&batch);
            }
            s3s_env_fail_alloc_at(w.fx.env, UINT64_MAX);
            s3s_scan_free(scan);
            if (status == S3STORE_END)
                assert_int_equal(rows, mode == S3S_SCAN_ROWS ? ALL : PARTITIONS);
            else
                assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
            done = status == S3STORE_END && n > 200;
        }
        assert_true(done);
    }
    free(complete);
    world_close(&w);
}

/* The file that cannot be read may be the one with the column: nobody knows that it has none. */
static void test_faults__an_unknown_column_is_not_said_when_a_file_was_not_read(void **state)
{
    (void)state;
    world w;
    s3store_error err;
    fixture_write write = {.partition = "p=9"};
    world_open(&w, 0);
    fixture_written damaged =
        fixture_write_bytes(&w.fx, &write, "PAR1 this is no parquet file PAR1", 33, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
    o.where = "another = 1";
    assert_fails(kit_scan(&w.fx, "", &o, w.text, &err), S3STORE_CORRUPT, damaged.data_key);
    assert_string_equal(err.key, damaged.data_key);
    fixture_remove(&w.fx, damaged.data_key);
    fixture_remove(&w.fx, damaged.commit_key);
    assert_fails(kit_scan(&w.fx, "", &o, w.text, &err), S3STORE_INVALID_ARGUMENT,
                 "unknown column \"another\"");
    world_close(&w);
}

int run_fault_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults__each_failing_request_surfaces_after_what_lies_before_it),
        cmocka_unit_test(test_faults__a_slow_consumer_misses_no_error),
        cmocka_unit_test(test_faults__a_missing_file_is_an_error_or_passed_as_asked),
        cmocka_unit_test(test_faults__all_files_missing_is_nothing_when_tolerated),
        cmocka_unit_test(test_faults__a_damaged_file_is_corrupt_and_named_also_when_tolerant),
        cmocka_unit_test(test_faults__cancelled_anywhere_it_says_so),
        cmocka_unit_test(test_faults__cancelled_between_batches_it_does_not_end_quietly),
        cmocka_unit_test(test_faults__a_deadline_that_passed_is_a_timeout),
        cmocka_unit_test(test_faults__an_unknown_column_is_not_said_when_a_file_was_not_read),
        cmocka_unit_test(test_faults__every_failed_allocation_is_an_error_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
