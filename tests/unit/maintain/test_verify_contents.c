/* verify --contents: rows that are not those that were committed are found, by the content hash of
 * the marker where it has one, by the partition columns where it has none; what cannot be read is
 * told as what it is. */
#include <stdlib.h>

#include "base/env_private.h"
#include "arrow/builder.h"
#include "dataset/content_hash.h"
#include "dataset/marker.h"
#include "unit/maintain/kit.h"

typedef struct row {
    const char *p, *q;
    int64_t at; /* the inserted-at column of some tests */
    int64_t value;
    bool no_p, no_q; /* null */
} row;
static const s3store_field row_fields[] = {
    {.name = "p", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(row, p),
     .null = S3STORE_NULL_FLAG, .flag_offset = offsetof(row, no_p)},
    {.name = "q", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(row, q),
     .null = S3STORE_NULL_FLAG, .flag_offset = offsetof(row, no_q)},
    {.name = "at", .kind = S3STORE_KIND_INT64, .offset = offsetof(row, at)},
    {.name = "value", .kind = S3STORE_KIND_INT64, .offset = offsetof(row, value)},
};
static const s3store_record_type row_type = S3STORE_RECORD_TYPE(row, row_fields);
#define ROWS_OF(...) (const row[]){__VA_ARGS__}, sizeof((const row[]){__VA_ARGS__}) / sizeof(row)

static void open_by(fixture *fx, const char *const *partition_by, size_t count)
{
    fixture_options options = {.commit_timeout = "2h",
                               .no_entity = true,
                               .partition_by = partition_by,
                               .partition_by_count = count};
    fixture_open(fx, NULL, &options);
    fx->target->has_descriptor = true; /* its columns are recorded, not only given */
}

static void open_p(fixture *fx)
{
    static const char *const by_p[] = {"p"};
    open_by(fx, by_p, 1);
}

/* What the writer computes: skip names the columns that it leaves out, NULL after the last. */
static uint64_t hash_of(fixture *fx, const row *rows, size_t count, const char *const *skip)
{
    s3store_error err;
    s3s_schema *schema = NULL;
    struct ArrowArray batch = {0};
    bool skipped[4] = {0};
    uint64_t hash = 0;
    assert_ok(s3s_record_schema(fx->env, &row_type, &schema, &err));
    assert_ok(s3s_records_to_batch(fx->env, schema, &row_type, rows, 0, count, &batch, &err));
    for (size_t i = 0; skip[i] != NULL; i++)
        skipped[s3s_schema_find(schema, skip[i])] = true;
    assert_ok(s3s_content_hash(fx->env, schema, &batch, skipped, &hash, &err));
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    return hash;
}

/* The marker once more, now with a content hash. */
static void put_hash(fixture *fx, const fixture_written *w, size_t rows, uint64_t hash)
{
    s3s_marker marker = {.ref_micros = w->stamp_us,
                         .inserted_at_us = w->stamp_us,
                         .row_count = (int64_t)rows,
                         .has_content_hash = true,
                         .content_hash = hash};
    s3store_metadata metadata = {0};
    memcpy(marker.attempt, w->attempt, sizeof marker.attempt);
    s3s_marker_metadata(&marker, &metadata);
    fixture_put(fx, w->commit_key, NULL, 0, &metadata);
}

static fixture_written write_rows(fixture *fx, const char *partition, const char *token,
                                  const row *rows, size_t count)
{
    fixture_write write = {.partition = partition, .token = token};
    return fixture_write_records(fx, &write, &row_type, rows, count);
}

static fixture_written write_hashed(fixture *fx, const char *partition, const char *token,
                                    const row *rows, size_t count, const char *const *skip)
{
    fixture_written w = write_rows(fx, partition, token, rows, count);
    put_hash(fx, &w, count, hash_of(fx, rows, count, skip));
    return w;
}

static s3store_verify_report expect(fixture *fx, const char *text)
{
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    options.contents = true;
    assert_ok(kit_verify(fx, &options, &told, &report, &err));
    assert_string_equal(told.text, text);
    assert_int_equal(report.damages + report.remarks, told.count);
    return report;
}

static const char *finding(const char *kind, const char *key)
{
    static char text[2 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "%s %s;", kind, key);
    return text;
}

/* The writer leaves out the inserted-at column, and the partition columns when it was given the
 * partition: a marker does not say which. */
static void test_contents__rows_of_both_kinds_of_writes_are_those_of_their_hash(void **state)
{
    (void)state;
    static const char *const by_columns[] = {"at", NULL}, *const named[] = {"at", "p", NULL};
    fixture fx;
    open_p(&fx);
    fx.target->settings.inserted_at_column = "at";
    write_hashed(&fx, "p=a", "t",
                 ROWS_OF({"a", "x", 1, 7}, {"a", NULL, 2, 8, .no_q = true}), by_columns);
    write_hashed(&fx, "p=b", "t", ROWS_OF({"b", "x", 1, 7}), named);
    write_rows(&fx, "p=b", NULL, ROWS_OF({"b", "x", 1, 7})); /* without a token: no hash */
    s3store_verify_report report = expect(&fx, "");
    assert_int_equal(report.checked, 3);
    assert_int_equal(report.hashed, 2);
    assert_int_equal(report.rows, 4);
    fixture_close_clean(&fx);
}

static void test_contents__an_object_that_was_swapped_for_another_is_found(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    size_t size;
    open_p(&fx);
    fixture_written a = write_hashed(&fx, "p=a", "t", ROWS_OF({"a", "x", 1, 7}), none);
    fixture_written b = write_hashed(&fx, "p=a", "u", ROWS_OF({"a", "x", 1, 8}), none);
    expect(&fx, "");
    /* As many rows, the same columns, a sound file: only the contents tell. */
    uint8_t *bytes = fixture_get(&fx, b.data_key, &size);
    fixture_put(&fx, a.data_key, bytes, size, NULL);
    free(bytes);
    report = expect(&fx, finding("content_differs", a.data_key));
    assert_int_equal(report.damages, 1);
    assert_int_equal(report.hashed, 2);
    assert_ok(kit_verify(&fx, NULL, &told, &report, &err));
    assert_string_equal(told.text, "");
    assert_int_equal(report.hashed, 0);
    fixture_close_clean(&fx);
}

static void test_contents__the_inserted_at_column_is_no_content(void **state)
{
    (void)state;
    static const char *const at[] = {"at", NULL};
    fixture fx;
    open_p(&fx);
    fixture_written w = write_hashed(&fx, "p=a", "t", ROWS_OF({"a", "x", 1, 7}), at);
    expect(&fx, finding("content_differs", w.data_key)); /* no such column is declared: it counts */
    fx.target->settings.inserted_at_column = "at";
    expect(&fx, "");
    fx.target->settings.inserted_at_column = "no_such_column";
    expect(&fx, finding("content_differs", w.data_key));
    fixture_close_clean(&fx);
}

static void test_contents__rows_without_a_hash_that_belong_elsewhere_are_remarked(void **state)
{
    (void)state;
    static const char *const by[] = {"p", "q"};
    fixture fx;
    char text[4 * S3S_KEY_SIZE];
    open_by(&fx, by, 2);
    write_rows(&fx, "p=a/q=x", NULL, ROWS_OF({"a", "x", 1, 1}, {"a", "x", 1, 2}));
    /* Nothing is known of nulls. */
    write_rows(&fx, "p=a/q=x", NULL, ROWS_OF({NULL, NULL, 1, 1, true, true}));
    expect(&fx, "");
    fixture_written first = write_rows(&fx, "p=b/q=x", NULL,
                                       ROWS_OF({"c", "x", 1, 1}, {"b", "x", 1, 2}));
    fixture_written last = write_rows(&fx, "p=d/q=x", NULL,
                                      ROWS_OF({"d", "x", 1, 1}, {"d", "longer", 1, 2}));
    snprintf(text, sizeof text, "(remark) partition_differs %s;(remark) partition_differs %s;",
             first.data_key, last.data_key);
    s3store_verify_report report = expect(&fx, text);
    assert_int_equal(report.damages, 0);
    assert_int_equal(report.remarks, 2);
    /* Columns that nobody recorded say nothing about what the writer meant. */
    fx.target->has_descriptor = false;
    expect(&fx, "");
    fixture_close_clean(&fx);
}

static void test_contents__objects_without_the_partition_columns_are_no_strays(void **state)
{
    (void)state;
    static const fixture_row rows[] = {{.entity = "a", .version = 1, .value = 1}};
    fixture fx;
    open_p(&fx);
    fixture_write write = {.partition = "p=a"};
    fixture_write_rows(&fx, &write, rows, 1);
    fixture_write_rows(&fx, &write, rows, 0); /* and no row at all */
    assert_int_equal(expect(&fx, "").checked, 2);
    fixture_close_clean(&fx);
}

/* A page that rotted: the footer is whole, the row count right. */
static void test_contents__a_page_that_cannot_be_decoded_is_found(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    size_t size;
    open_p(&fx);
    fixture_written w = write_hashed(&fx, "p=a", "t", ROWS_OF({"a", "x", 1, 7}), none);
    fixture_written without = write_rows(&fx, "p=b", NULL, ROWS_OF({"b", "x", 1, 7}));
    for (int i = 0; i < 2; i++) {
        const char *key = i == 0 ? w.data_key : without.data_key;
        uint8_t *bytes = fixture_get(&fx, key, &size);
        memset(bytes + 4, 0xff, 24); /* the first page header */
        fixture_put(&fx, key, bytes, size, NULL);
        free(bytes);
    }
    char text[4 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "data_unreadable %s;data_unreadable %s;", w.data_key,
             without.data_key);
    report = expect(&fx, text);
    assert_int_equal(report.damages, 2);
    assert_int_equal(report.hashed, 0);
    assert_ok(kit_verify(&fx, NULL, &told, &report, &err)); /* footers alone do not tell */
    assert_string_equal(told.text, "");
    fixture_close_clean(&fx);
}

/* A value that is larger than a file may take here says nothing about damage. */
static void test_contents__what_does_not_fit_into_memory_is_remarked_as_unchecked(void **state)
{
    (void)state;
    enum { SIZE = 40 * 1024 * 1024 };
    fixture fx;
    char *large = malloc(SIZE + 1);
    assert_non_null(large);
    memset(large, 'x', SIZE);
    large[SIZE] = '\0';
    static const char *const by_p[] = {"p"};
    fixture_options options = {.commit_timeout = "2h", .no_entity = true, .partition_by = by_p,
                               .partition_by_count = 1, .memory_bytes = 1024 * 1024};
    fixture_open(&fx, NULL, &options);
    const row rows[] = {{"a", large, 1, 7}};
    fixture_written w = write_rows(&fx, "p=a", NULL, rows, 1);
    free(large);
    char text[2 * S3S_KEY_SIZE];
    snprintf(text, sizeof text, "(remark) content_unchecked %s;", w.data_key);
    s3store_verify_report report = expect(&fx, text);
    assert_int_equal(report.damages, 0);
    fixture_close_clean(&fx);
}

/* ---- what is no finding ---------------------------------------------------------------------- */

typedef struct fault {
    s3s_fault_verb verb;
    const char *part; /* of the key */
    s3store_status status;
    s3store_cancel *cancel; /* triggered instead */
} fault;

static s3s_fault_decision fail_it(void *ctx, s3s_fault_verb verb, const char *key,
                                   uint64_t sequence)
{
    fault *f = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)sequence;
    if (verb != f->verb || strstr(key, f->part) == NULL)
        return d;
    if (f->cancel != NULL)
        s3store_cancel_trigger(f->cancel);
    else
        d.before = f->status;
    return d;
}

static void test_contents__an_object_that_cannot_be_had_ends_it_and_is_no_damage(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    options.contents = true;
    open_p(&fx);
    write_hashed(&fx, "p=a", "t", ROWS_OF({"a", "x", 1, 7}), none);
    fx.hook = fail_it;
    fault f = {.verb = S3S_VERB_GET, .part = ".parquet", .status = S3STORE_PERMISSION_DENIED};
    fx.hook_ctx = &f;
    assert_fails(kit_verify(&fx, &options, &told, &report, &err), S3STORE_PERMISSION_DENIED, NULL);
    assert_string_equal(told.text, "");
    assert_int_equal(report.hashed, 0);
    fx.hook = NULL;
    fixture_close_clean(&fx);
}

static void test_contents__it_ends_when_cancelled_and_tells_no_damage(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    fixture fx;
    s3store_error err;
    kit_told told;
    s3store_verify_report report;
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    fault f = {.verb = S3S_VERB_GET, .part = ".parquet"};
    options.contents = true;
    open_p(&fx);
    write_hashed(&fx, "p=a", "t", ROWS_OF({"a", "x", 1, 7}), none);
    assert_ok(s3store_cancel_new(&f.cancel, &err));
    options.cancel = f.cancel;
    fx.hook = fail_it;
    fx.hook_ctx = &f;
    assert_fails(kit_verify(&fx, &options, &told, &report, &err), S3STORE_CANCELLED, NULL);
    assert_string_equal(told.text, "");
    s3store_cancel_free(f.cancel);
    fixture_close_clean(&fx);
}

/* One commit alone: two at once would take their memory in an order that varies. */
static void sweep(bool hashed)
{
    static const char *const none[] = {NULL};
    size_t failures = 0, successes = 0; /* one after the other: some failures are made good */
    for (uint64_t n = 0; successes < 40; n++) {
        fixture fx;
        s3store_error err = {0};
        kit_told told;
        s3store_verify_report report;
        s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
        fixture_written w;
        assert_true(n < 5000);
        options.contents = true;
        open_p(&fx);
        if (hashed) {
            w = write_hashed(&fx, "p=a", "t", ROWS_OF({"a", "x", 1, 7}), none);
            put_hash(&fx, &w, 1, 1);
        } else {
            w = write_rows(&fx, "p=b", NULL, ROWS_OF({"c", "x", 1, 7}, {"b", "x", 1, 8}));
        }
        s3s_env_fail_any_alloc_at(fx.env, n);
        s3store_status status = kit_verify(&fx, &options, &told, &report, &err);
        s3s_env_fail_alloc_at(fx.env, UINT64_MAX);
        if (status == S3STORE_OK) {
            assert_string_equal(told.text, finding(hashed ? "content_differs"
                                                          : "(remark) partition_differs",
                                                   w.data_key));
            successes++;
        } else {
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
            failures++;
            successes = 0;
        }
        fixture_close_clean(&fx);
    }
    assert_true(failures > 60);
}

static void test_contents__memory_that_runs_out_is_an_error_and_nothing_leaks(void **state)
{
    (void)state;
    sweep(true);
    sweep(false);
}

const struct CMUnitTest verify_contents_tests[] = {
    cmocka_unit_test(test_contents__rows_of_both_kinds_of_writes_are_those_of_their_hash),
    cmocka_unit_test(test_contents__an_object_that_was_swapped_for_another_is_found),
    cmocka_unit_test(test_contents__the_inserted_at_column_is_no_content),
    cmocka_unit_test(test_contents__rows_without_a_hash_that_belong_elsewhere_are_remarked),
    cmocka_unit_test(test_contents__objects_without_the_partition_columns_are_no_strays),
    cmocka_unit_test(test_contents__a_page_that_cannot_be_decoded_is_found),
    cmocka_unit_test(test_contents__what_does_not_fit_into_memory_is_remarked_as_unchecked),
    cmocka_unit_test(test_contents__an_object_that_cannot_be_had_ends_it_and_is_no_damage),
    cmocka_unit_test(test_contents__it_ends_when_cancelled_and_tells_no_damage),
    cmocka_unit_test(test_contents__memory_that_runs_out_is_an_error_and_nothing_leaks),
};
const size_t verify_contents_test_count =
    sizeof verify_contents_tests / sizeof verify_contents_tests[0];
