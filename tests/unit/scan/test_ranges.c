/* Files that are read by ranges, files that turn out to be gone, partitions that nobody waits for any
 * more, and what listings and footers make up. */
#include "unit/scan/kit.h"

#include <stdlib.h>

#include "arrow/builder.h"
#include "parquet/metadata.h"
#include "scan/internal.h"

enum { GROUPS = 6, GROUP_ROWS = 4000, LITTLE = 400000 }; /* 200 KB: more than a tail, and by ranges */

/* A small file, one by ranges where memory is small, a small file. */
typedef struct world {
    fixture fx;
    fixture_written large;
    char *text;
} world;

static void world_open(world *w, uint64_t memory_bytes, int max_inflight)
{
    fixture_options options = {.memory_bytes = memory_bytes, .max_inflight = max_inflight};
    fixture_open(&w->fx, NULL, &options);
    kit_write(&w->fx, "p=1", (fixture_row[]){{"first", 1, 1, false}}, 1);
    w->large = kit_write_groups(&w->fx, "p=2", GROUPS, GROUP_ROWS);
    kit_write(&w->fx, "p=3", (fixture_row[]){{"last", 1, 3, false}}, 1);
    w->text = malloc(KIT_TEXT);
    assert_non_null(w->text);
}

static void world_close(world *w)
{
    w->fx.hook = NULL;
    free(w->text);
    fixture_close_clean(&w->fx);
}

typedef struct gone {
    const char *key;
    uint64_t left; /* GETs of it that are still answered */
    bool no_bucket;
} gone;

static s3s_fault_decision be_gone(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    gone *g = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)sequence;
    if (verb != S3S_VERB_GET || strcmp(key, g->key) != 0)
        return d;
    if (g->left == 0)
        d.before = S3STORE_NOT_FOUND;
    else
        g->left--;
    return d;
}

typedef struct outcome {
    s3store_status status;
    s3store_error err;
    int64_t rows;
    bool has_last;
    uint64_t missing;
} outcome;

static outcome scan_all(world *w, const s3s_scan_options *o)
{
    outcome out = {0};
    s3s_file_set files;
    s3s_scan *scan = NULL;
    kit_files(&w->fx, "", &files);
    out.status = s3s_scan_open(w->fx.target, &files, o, &scan, &out.err);
    while (out.status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        const char *partition = NULL;
        out.status = s3s_scan_next(scan, &batch, &partition, &out.err);
        assert_true(out.status != S3STORE_OK || batch.length > 0); /* none is handed out empty */
        out.rows += out.status == S3STORE_OK ? batch.length : 0;
        out.has_last = out.has_last || (partition != NULL && strcmp(partition, "p=3") == 0);
        s3s_array_release(&batch);
    }
    if (scan != NULL)
        out.missing = s3s_scan_missing_count(scan);
    s3s_scan_free(scan);
    return out;
}

/* Gone at the n-th request for it: while nothing of it was delivered it is missing, which may be
 * tolerated; after that the rest of its rows is, which may not. */
static void check_gone(world *w, const s3s_scan_options *options, bool delivers_early)
{
    enum { ALL = 2 + GROUPS * GROUP_ROWS };
    bool whole = false, was_missing = false, was_cut = false;
    for (uint64_t n = 0; !whole; n++) {
        s3s_scan_options o = *options;
        gone g = {.key = w->large.data_key, .left = n};
        assert_true(n < 50);
        w->fx.hook_ctx = &g;
        w->fx.hook = be_gone;
        o.tolerant = true;
        w->fx.log[0] = '\0';
        outcome got = scan_all(w, &o);
        if (got.rows == ALL) {
            assert_int_equal(got.status, S3STORE_END);
            whole = true;
            continue;
        }
        if (got.rows == 2) {
            was_missing = true;
            assert_int_equal(got.status, S3STORE_END);
            assert_int_equal(got.missing, 1);
            assert_true(got.has_last);
            assert_non_null(strstr(w->fx.log, "data file missing, skipping path="));
            assert_non_null(strstr(w->fx.log, w->large.data_key));
        } else {
            was_cut = true;
            assert_int_equal(got.status, S3STORE_NOT_FOUND);
            assert_string_equal(got.err.key, w->large.data_key);
            assert_false(got.has_last);
        }
        g.left = n;
        o.tolerant = false;
        got = scan_all(w, &o);
        assert_int_equal(got.status, S3STORE_NOT_FOUND);
        assert_string_equal(got.err.key, w->large.data_key);
        assert_false(got.has_last);
    }
    assert_true(was_missing);
    assert_int_equal(was_cut, delivers_early);
    w->fx.hook = NULL;
}

static void test_ranges__a_file_that_goes_before_its_rows_is_missing_and_after_them_an_error(
    void **state)
{
    (void)state;
    world w;
    world_open(&w, LITTLE, 1); /* more than can be decoded ahead: the consumer reads it */
    s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
    check_gone(&w, &o, true);
    world_close(&w);
    world_open(&w, LITTLE, 1); /* merged, with room for it: decoded as soon as it is open */
    o = kit_options(S3S_SCAN_LATEST);
    o.merge_bytes = UINT64_C(1) << 30;
    check_gone(&w, &o, false); /* merged: nothing is delivered before all of it is there */
    world_close(&w);
}

static s3s_fault_decision without_bucket(void *ctx, s3s_fault_verb verb, const char *key,
                                         uint64_t sequence)
{
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)ctx;
    (void)sequence;
    (void)key;
    if (verb == S3S_VERB_GET)
        d.before = S3STORE_NOT_FOUND;
    return d;
}

/* No bucket is no missing file, whatever is tolerated. */
static void test_ranges__a_bucket_that_is_gone_is_no_missing_file(void **state)
{
    (void)state;
    fixture fx;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    s3store_error err = {.status = S3STORE_NOT_FOUND};
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
    o.tolerant = true;
    o.method = NULL;
    kit_files(&fx, "", &files);
    fx.hook = without_bucket;
    assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
    assert_non_null(strstr(fx.log, "method=scan")); /* nobody said what it is for */
    err.status = S3STORE_NOT_FOUND;
    assert_true(s3s_scan_is_tolerable(scan, S3STORE_NOT_FOUND, &err));
    snprintf(err.s3_code, sizeof err.s3_code, "NoSuchBucket");
    assert_false(s3s_scan_is_tolerable(scan, S3STORE_NOT_FOUND, &err));
    s3s_scan_free(scan);
    fx.hook = NULL;
    fixture_close_clean(&fx);
}

/* ---- footers ----------------------------------------------------------------------------------- */

static uint64_t gets_of(world *w, const s3s_scan_options *o, int64_t rows)
{
    fixture_reset_counts(&w->fx);
    outcome got = scan_all(w, o);
    if (got.status != S3STORE_END || got.rows != rows)
        fail_msg("%d rows, %s: %s", (int)got.rows, s3store_status_name(got.status), got.err.message);
    return fixture_count(&w->fx, S3S_VERB_GET);
}

/* What is read of a file to find its columns is not read again for its rows. */
static void test_ranges__a_footer_that_was_read_for_the_schema_is_kept_for_the_rows(void **state)
{
    (void)state;
    enum { MANY = 20000, ALL = 2 + 9 * MANY };
    static const char *const columns[] = {"value"};
    world w;
    world_open(&w, 2u << 20, 1);
    fixture_remove(&w.fx, w.large.data_key);
    fixture_remove(&w.fx, w.large.commit_key);
    kit_write_groups(&w.fx, "p=2", 9, MANY); /* more than is fetched whole */
    s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
    o.where = "value is not null"; /* what is tested is fetched too */
    gets_of(&w, &o, ALL);
    o.columns = columns;
    o.column_count = 1;
    /* Of the small ones footer and object; of the large one the footer, once, and the column. The only
     * thread there is has one that is open already before it: it must find that it can be decoded. */
    assert_int_equal(gets_of(&w, &o, ALL), 2 * 2 + 2);
    o.read_ahead_partitions = S3STORE_READ_AHEAD_NONE;
    assert_int_equal(gets_of(&w, &o, ALL), 2 * 2 + 2);
    /* With room for all of it, too: the column alone is fetched, and no room is held for the rest. */
    w.fx.target->memory_bytes = 64u << 20;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    s3store_error err;
    kit_files(&w.fx, "", &files);
    assert_ok(s3s_scan_open(w.fx.target, &files, &o, &scan, &err));
    assert_true(scan->locked.body_bytes < 100000);
    s3s_scan_free(scan);
    world_close(&w);
}

/* 5.5 lies inside the bounds of a page, and is no value: the batch is decoded, and nothing of it left. */
static void test_ranges__a_batch_without_a_row_that_matches_is_passed(void **state)
{
    (void)state;
    static world w;
    world_open(&w, LITTLE, 1);
    s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
    o.where = "value = 5.5 or value = 20000";
    outcome got = scan_all(&w, &o);
    assert_int_equal(got.status, S3STORE_END);
    assert_int_equal(got.rows, 1);
    o.where = "value = 5.5";
    got = scan_all(&w, &o);
    assert_int_equal(got.status, S3STORE_END);
    assert_int_equal(got.rows, 0);
    world_close(&w);
}

/* Sizes that nobody listed (entries have none), and more files than are fetched to see. */
static void test_ranges__footers_are_not_looked_for_behind_a_file_that_failed(void **state)
{
    (void)state;
    enum { MANY = 300 };
    fixture fx;
    s3store_error err;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    fixture_options options = {.max_inflight = 4};
    fixture_open(&fx, NULL, &options);
    for (int i = 0; i < MANY; i++) {
        char partition[16];
        snprintf(partition, sizeof partition, "p=%03d", i);
        fixture_row row = {"a", 1, i, false};
        if (i != 7)
            kit_write(&fx, partition, &row, 1);
    }
    for (int damaged = 0; damaged < 2; damaged++) {
        fixture_write write = {.partition = "p=007"};
        fixture_written bad = {0};
        if (damaged)
            bad = fixture_write_bytes(&fx, &write, "no parquet", 10, 1);
        kit_files(&fx, "", &files);
        for (size_t p = 0; p < files.partition_count; p++)
            files.partitions[p].files[0].size = 0;
        s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
        fixture_reset_counts(&fx);
        assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
        uint64_t footers = fixture_count(&fx, S3S_VERB_GET);
        assert_int_equal(footers, damaged ? 256 : MANY - 1);
        int64_t rows = 0;
        struct ArrowArray batch = {0};
        s3store_status status;
        while ((status = s3s_scan_next(scan, &batch, NULL, &err)) == S3STORE_OK) {
            rows += batch.length;
            s3s_array_release(&batch);
        }
        assert_int_equal(status, damaged ? S3STORE_CORRUPT : S3STORE_END);
        assert_int_equal(rows, damaged ? 7 : MANY - 1);
        if (damaged)
            assert_string_equal(err.key, bad.data_key);
        s3s_scan_free(scan);
    }
    fixture_close_clean(&fx);
}

static s3s_fault_decision deny_schemas(void *ctx, s3s_fault_verb verb, const char *key,
                                       uint64_t sequence)
{
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)ctx;
    (void)sequence;
    (void)verb;
    if (strstr(key, "_config/schema") != NULL)
        d.before = S3STORE_PERMISSION_DENIED;
    return d;
}

static void test_ranges__a_recorded_schema_that_cannot_be_read_is_an_error(void **state)
{
    (void)state;
    world w;
    world_open(&w, LITTLE, 1);
    w.fx.hook = deny_schemas;
    s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
    outcome got = scan_all(&w, &o);
    assert_int_equal(got.status, S3STORE_PERMISSION_DENIED);
    assert_int_equal(got.rows, 0);
    world_close(&w);
}

/* ---- what is made up ---------------------------------------------------------------------------- */

/* Sizes of a listing decide how objects are fetched, and nothing else. */
static void test_ranges__sizes_that_a_listing_makes_up_change_no_row(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, 1, UINT64_MAX / 2, UINT64_MAX};
    fixture fx;
    s3store_error err;
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 2, 2, false}}, 1);
    kit_write(&fx, "p=2", (fixture_row[]){{"b", 1, 3, false}}, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        s3s_file_set files;
        s3s_scan *scan = NULL;
        char text[256] = "";
        struct ArrowArray batch = {0};
        s3s_scan_options o = kit_options(S3S_SCAN_LATEST);
        kit_files(&fx, "", &files);
        files.partitions[0].files[0].size = files.partitions[0].files[1].size = sizes[i];
        assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
        s3store_status status;
        while ((status = s3s_scan_next(scan, &batch, NULL, &err)) == S3STORE_OK) {
            fixture_batch_text(s3s_scan_schema(scan), &batch, text, sizeof text);
            s3s_array_release(&batch);
        }
        assert_int_equal(status, S3STORE_END);
        assert_string_equal(text, "a|2|2;b|1|3;");
        s3s_scan_free(scan);
    }
    fixture_close_clean(&fx);
}

/* A footer that says so many rows that their bytes cannot be counted. */
static void test_ranges__rows_that_a_footer_makes_up_are_corrupt_and_take_no_memory(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_arena arena;
    s3s_buffer body;
    size_t size = 0, consumed = 0;
    bool truncated = false;
    s3s_pq_footer footer = {0};
    fixture_open(&fx, NULL, NULL);
    kit_write(&fx, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    fixture_write write = {.partition = "p=2"};
    fixture_written made_up =
        fixture_write_rows(&fx, &write, (fixture_row[]){{"b", 1, 2, false}}, 1);
    uint8_t *whole = fixture_get(&fx, made_up.data_key, &size);
    uint32_t length;
    memcpy(&length, whole + size - 8, sizeof length);
    s3s_arena_init(&arena, fx.env);
    s3s_buffer_init(&body, fx.env, SIZE_MAX);
    assert_ok(s3s_thrift_read(&s3s_pq_footer_struct, whole + size - 8 - length, length, &arena,
                              1 << 20, &footer, &consumed, &truncated, &err));
    s3s_pq_row_group *group = footer.row_groups.items;
    footer.num_rows = group->num_rows = INT64_MAX;
    assert_ok(s3s_buffer_append(&body, whole, size - 8 - length, &err));
    assert_ok(s3s_thrift_write(&s3s_pq_footer_struct, &footer, &body, &err));
    length = (uint32_t)(body.size - (size - 8 - length));
    assert_ok(s3s_buffer_append(&body, &length, sizeof length, &err));
    assert_ok(s3s_buffer_append(&body, "PAR1", 4, &err));
    fixture_put(&fx, made_up.data_key, body.data, body.size, NULL);
    char *text = malloc(KIT_TEXT);
    assert_non_null(text);
    for (int mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_LATEST; mode++) {
        s3s_scan_options o = kit_options((s3s_scan_mode)mode);
        assert_fails(kit_scan(&fx, "", &o, text, &err), S3STORE_CORRUPT, made_up.data_key);
        assert_string_equal(text, "{p=1}a|1|1;");
    }
    free(text);
    s3s_buffer_deinit(&body);
    s3s_arena_deinit(&arena);
    free(whole);
    fixture_close_clean(&fx);
}

/* ---- what nobody waits for any more ---------------------------------------------------------------- */

/* Holds the GETs of a key, from the n-th on, until it is let go. */
typedef struct gate {
    const char *key;
    uint64_t from;
    atomic_uint_fast64_t seen;
    atomic_bool held, open;
    s3s_env *env;
} gate;

static s3s_fault_decision hold(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    gate *g = ctx;
    s3store_error err;
    (void)sequence;
    if (verb != S3S_VERB_GET || strcmp(key, g->key) != 0 ||
        atomic_fetch_add(&g->seen, 1) < g->from)
        return S3S_FAULT_NONE;
    atomic_store(&g->held, true);
    while (!atomic_load(&g->open))
        assert_ok(s3s_sleep_us(g->env, 500, NULL, &err));
    return S3S_FAULT_NONE;
}

static void wait_until_held(gate *g)
{
    s3store_error err;
    for (int i = 0; !atomic_load(&g->held); i++) {
        assert_true(i < 20000);
        assert_ok(s3s_sleep_us(g->env, 500, NULL, &err));
    }
}

/* The consumer passes a partition that a worker is fetching (from = 0) or decoding (1: the tail is
 * there, the ranges are held): the worker gives back what it has, the rest comes. */
static void check_passed(world *w, s3s_scan_mode mode, uint64_t from)
{
    s3store_error err;
    s3s_schema *fixed = NULL;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    struct ArrowArray batch = {0};
    const char *partition = NULL;
    gate g = {.key = w->large.data_key, .from = from, .env = w->fx.env};
    assert_ok(s3s_record_schema(w->fx.env, &fixture_row_type, &fixed, &err));
    s3s_scan_options o = kit_options(mode);
    o.fixed = fixed;
    o.read_ahead_partitions = 5;
    o.merge_bytes = UINT64_C(1) << 30;
    kit_files(&w->fx, "", &files);
    w->fx.hook_ctx = &g;
    w->fx.hook = hold;
    assert_ok(s3s_scan_open(w->fx.target, &files, &o, &scan, &err));
    assert_ok(s3s_scan_next(scan, &batch, &partition, &err));
    assert_string_equal(partition, "p=1");
    s3s_array_release(&batch);
    s3s_scan_skip_partition(scan); /* p=1 */
    wait_until_held(&g);
    s3s_scan_skip_partition(scan); /* p=2, which is under way */
    assert_ok(s3s_scan_next(scan, &batch, &partition, &err));
    assert_string_equal(partition, "p=3");
    s3s_array_release(&batch);
    atomic_store(&g.open, true);
    assert_int_equal(s3s_scan_next(scan, &batch, &partition, &err), S3STORE_END);
    bool given_back = false;
    for (int i = 0; i < 20000 && !given_back; i++) { /* what was held is given back, at the latest now */
        s3s_mutex_lock(&scan->mutex);
        given_back = scan->locked.files[1].state == FILE_TAKEN && scan->locked.body_bytes == 0 &&
                     scan->locked.decoded_bytes == 0;
        s3s_mutex_unlock(&scan->mutex);
        assert_ok(s3s_sleep_us(w->fx.env, 500, NULL, &err));
    }
    assert_true(given_back);
    s3s_scan_skip_partition(scan); /* at the end there is nothing to pass */
    s3s_scan_free(scan);
    s3s_schema_release(fixed);
    w->fx.hook = NULL;
}

static void test_skip__a_partition_that_is_under_way_gives_back_what_it_holds(void **state)
{
    (void)state;
    for (int mode = S3S_SCAN_ROWS; mode <= S3S_SCAN_LATEST; mode++) {
        world w;
        world_open(&w, 0, 4);
        check_passed(&w, (s3s_scan_mode)mode, 0);
        world_close(&w);
    }
    world w;
    world_open(&w, LITTLE, 4); /* by ranges: requests while it is decoded */
    check_passed(&w, S3S_SCAN_LATEST, 1);
    world_close(&w);
}

/* Nobody works ahead: what is passed was never fetched, and is not fetched later. */
static void test_skip__files_that_nobody_fetched_are_not_fetched(void **state)
{
    (void)state;
    fixture fx;
    s3store_error err;
    s3s_schema *fixed = NULL;
    s3s_file_set files;
    s3s_scan *scan = NULL;
    struct ArrowArray batch = {0};
    const char *partition = NULL;
    fixture_options options = {.max_inflight = 1};
    fixture_open(&fx, NULL, &options);
    for (int i = 0; i < 9; i++)
        kit_write(&fx, i < 3 ? "p=1" : i < 6 ? "p=2" : "p=3", (fixture_row[]){{"a", i, i, false}}, 1);
    assert_ok(s3s_record_schema(fx.env, &fixture_row_type, &fixed, &err));
    s3s_scan_options o = kit_options(S3S_SCAN_ROWS);
    o.fixed = fixed;
    o.read_ahead_partitions = S3STORE_READ_AHEAD_NONE;
    kit_files(&fx, "", &files);
    fixture_reset_counts(&fx);
    assert_ok(s3s_scan_open(fx.target, &files, &o, &scan, &err));
    s3s_scan_skip_partition(scan); /* nothing has begun: there is none to pass */
    assert_ok(s3s_scan_next(scan, &batch, &partition, &err));
    assert_string_equal(partition, "p=1");
    s3s_array_release(&batch);
    s3s_scan_skip_partition(scan);
    s3s_scan_skip_partition(scan);
    int rows = 0;
    s3store_status status;
    while ((status = s3s_scan_next(scan, &batch, &partition, &err)) == S3STORE_OK) {
        assert_string_equal(partition, "p=3");
        rows++;
        s3s_array_release(&batch);
    }
    assert_int_equal(status, S3STORE_END);
    assert_int_equal(rows, 3);
    assert_int_equal(fixture_count(&fx, S3S_VERB_GET), 4);
    s3s_scan_free(scan);
    s3s_schema_release(fixed);
    fixture_close_clean(&fx);
}

int run_range_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_ranges__a_file_that_goes_before_its_rows_is_missing_and_after_them_an_error),
        cmocka_unit_test(test_ranges__a_bucket_that_is_gone_is_no_missing_file),
        cmocka_unit_test(test_ranges__a_footer_that_was_read_for_the_schema_is_kept_for_the_rows),
        cmocka_unit_test(test_ranges__a_batch_without_a_row_that_matches_is_passed),
        cmocka_unit_test(test_ranges__footers_are_not_looked_for_behind_a_file_that_failed),
        cmocka_unit_test(test_ranges__a_recorded_schema_that_cannot_be_read_is_an_error),
        cmocka_unit_test(test_ranges__sizes_that_a_listing_makes_up_change_no_row),
        cmocka_unit_test(test_ranges__rows_that_a_footer_makes_up_are_corrupt_and_take_no_memory),
        cmocka_unit_test(test_skip__a_partition_that_is_under_way_gives_back_what_it_holds),
        cmocka_unit_test(test_skip__files_that_nobody_fetched_are_not_fetched),
    };
    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
