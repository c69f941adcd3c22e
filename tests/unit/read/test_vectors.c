/* Vectors of docs/FORMAT.md that belong to no test of their own (tests/vectors.txt has all of
 * them). The settle window of the fixture is 3 s; its stamps begin an hour ago, a second apart. */
#include "unit/read/kit.h"

#include <stdlib.h>

typedef s3store_status (*form_fn)(kit *, const s3store_read_options *, s3store_error *);
static const form_fn forms[] = {kit_stream, kit_iter, kit_records, kit_partitions};
enum { FORMS = sizeof forms / sizeof forms[0] };

static fixture_written write_one(kit *k, const char *partition, const char *token, const char *id,
                                 int64_t version)
{
    fixture_write write = {.partition = partition, .token = token};
    fixture_row row = {id, version, version, false};
    return fixture_write_rows(&k->fx, &write, &row, 1);
}

/* All four forms; the partitions' braces are left out of the comparison. */
static void expect_all(kit *k, const s3store_read_options *o, const char *rows)
{
    s3store_error err;
    for (size_t f = 0; f < FORMS; f++) {
        assert_ok(forms[f](k, o, &err));
        char plain[KIT_TEXT];
        size_t size = 0;
        for (const char *at = k->text; *at != '\0'; at++) {
            if (*at == '{')
                at = strchr(at, '}');
            else
                plain[size++] = *at;
        }
        plain[size] = '\0';
        assert_string_equal(plain, rows);
    }
}

static void expect_snapshot(kit *k, bool history, const char *rows)
{
    s3store_read_options o = kit_pattern(kit_all);
    o.history = history;
    expect_all(k, &o, rows);
}

static s3store_entries *poll_all(kit *k, const char *since, const char *until)
{
    s3store_error err;
    s3store_entries *entries = NULL;
    s3store_poll_options o = S3STORE_POLL_OPTIONS_INIT;
    o.since = since;
    o.until = until;
    assert_ok(s3s_poll(k->fx.target, &o, &entries, &err));
    return entries;
}

static void test_vector_83__a_commit_of_one_partition_says_nothing_of_another(void **state)
{
    (void)state;
    kit k;
    kit_open(&k, NULL, NULL);
    write_one(&k, "p=A", "tok", "a", 1);
    fixture_write write = {.partition = "p=B", .token = "tok", .steps = FIXTURE_DATA | FIXTURE_REF};
    fixture_row row = {"b", 1, 1, false};
    fixture_write_rows(&k.fx, &write, &row, 1);
    expect_snapshot(&k, false, "a|1|1;");
    kit_close(&k);
}

static void test_vectors_84_to_86__what_has_no_marker_any_more_is_not_there(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3s_marker marker;
    kit_open(&k, NULL, NULL);
    fixture_written first = write_one(&k, "p=1", "tok", "a", 1);
    fixture_written second = write_one(&k, "p=1", "other", "b", 1);
    fixture_remove(&k.fx, first.commit_key);
    expect_snapshot(&k, true, "b|1|1;"); /* 84 */
    assert_int_equal(s3s_commit_head(k.fx.target, NULL, "p=1", "tok", &marker, NULL, &err),
                     S3STORE_NOT_FOUND);
    size_t size = 0;
    free(fixture_get(&k.fx, first.data_key, &size));
    assert_true(size > 0);
    s3store_entries *entries = poll_all(&k, NULL, NULL); /* 85 */
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->offset, second.ref_key);
    s3store_entries_free(entries);
    fixture_remove(&k.fx, second.commit_key);
    write_one(&k, "p=1", "tok", "a", 1); /* 86 */
    expect_snapshot(&k, true, "a|1|1;");
    kit_close(&k);
}

static void test_vectors_135_to_137_and_144__duplicates(void **state)
{
    (void)state;
    kit k;
    kit_open(&k, NULL, NULL);
    fixture_row batch[] = {{"a", 2, 2, false}};
    kit_write(&k, "p=1", batch, 1);
    kit_write(&k, "p=1", batch, 1);
    expect_snapshot(&k, false, "a|2|2;"); /* 135 */
    expect_snapshot(&k, true, "a|2|2;");
    write_one(&k, "p=1", NULL, "a", 3);
    write_one(&k, "p=1", NULL, "a", 1);
    expect_snapshot(&k, false, "a|3|3;"); /* 136 */
    expect_snapshot(&k, true, "a|1|1;a|2|2;a|3|3;");
    write_one(&k, "p=1", NULL, "b", 2);
    write_one(&k, "p=1", NULL, "b", 1);
    expect_snapshot(&k, true, "a|1|1;a|2|2;a|3|3;b|1|1;b|2|2;"); /* 137 */
    write_one(&k, "p=2", NULL, "a", 9);
    write_one(&k, "p=3", NULL, "a", 8);
    expect_snapshot(&k, false, "a|3|3;b|2|2;a|9|9;a|8|8;"); /* 144 */
    kit_close(&k);
}

static void test_vectors_138_and_170__a_poll_gives_rows_in_the_order_of_reads_and_again(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    write_one(&k, "p=2", NULL, "z", 1);
    write_one(&k, "p=1", NULL, "b", 2);
    write_one(&k, "p=1", NULL, "a", 2);
    write_one(&k, "p=1", NULL, "a", 1);
    expect_snapshot(&k, true, "a|1|1;a|2|2;b|2|2;z|1|1;");
    for (int again = 0; again < 2; again++) {
        struct ArrowArrayStream rows;
        s3store_entries *entries = NULL;
        assert_ok(s3s_poll_records(k.reader, NULL, NULL, &entries, &rows, &err));
        assert_ok(fixture_drain(&rows, k.text, KIT_TEXT, &err));
        assert_string_equal(k.text, "a|1|1;a|2|2;b|2|2;z|1|1;");
        s3store_entries_free(entries);
    }
    kit_close(&k);
}

static void test_vectors_139_to_143__order_ends_and_read_ahead(void **state)
{
    (void)state;
    static const char *const nowhere[] = {"p=nowhere"};
    kit k;
    s3store_error err;
    fixture_options plain = {.no_entity = true};
    kit_open(&k, &plain, NULL);
    write_one(&k, "p=c", NULL, "x", 1);
    write_one(&k, "p=b", NULL, "z", 1);
    write_one(&k, "p=b", NULL, "y", 1);
    write_one(&k, "p=a", NULL, "w", 1);
    expect_snapshot(&k, false, "w|1|1;z|1|1;y|1|1;x|1|1;"); /* 139, 140 */
    s3store_read_options o = kit_pattern(nowhere);
    expect_all(&k, &o, ""); /* 142 */
    o = kit_pattern(kit_all);
    o.read_ahead_partitions = 3;
    expect_all(&k, &o, "w|1|1;z|1|1;y|1|1;x|1|1;"); /* 143 */
    s3store_record_iter *iter = NULL; /* 141 */
    fixture_row row;
    assert_ok(s3s_read_iter(k.reader, &fixture_row_type, &o, &iter, &err));
    assert_ok(s3store_record_iter_next(iter, &row, &err));
    s3store_record_iter_free(iter);
    expect_all(&k, &o, "w|1|1;z|1|1;y|1|1;x|1|1;");
    kit_close(&k);
}

typedef struct narrow {
    const char *entity;
    int64_t version;
} narrow;
static const s3store_field narrow_fields[] = {
    {.name = "entity", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(narrow, entity)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = offsetof(narrow, version)},
};
static const s3store_record_type narrow_type = S3STORE_RECORD_TYPE(narrow, narrow_fields);

static void test_vectors_145_and_146__wider_and_narrower_readers(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3store_records *records = NULL;
    kit_open(&k, NULL, NULL);
    narrow old = {"a", 1};
    fixture_write write = {.partition = "p=1"};
    fixture_write_records(&k.fx, &write, &narrow_type, &old, 1);
    s3store_read_options o = kit_pattern(kit_all);
    assert_ok(s3s_read_records(k.reader, &fixture_row_type, &o, &records, &err)); /* 145 */
    const fixture_row *rows = s3store_records_data(records);
    assert_int_equal(s3store_records_count(records), 1);
    assert_true(rows[0].value_is_null && rows[0].value == 0);
    s3store_records_free(records);
    write_one(&k, "p=1", NULL, "b", 7);
    assert_ok(s3s_read_records(k.reader, &narrow_type, &o, &records, &err)); /* 146 */
    const narrow *few = s3store_records_data(records);
    assert_int_equal(s3store_records_count(records), 2);
    assert_string_equal(few[1].entity, "b");
    s3store_records_free(records);
    kit_close(&k);
}

static s3s_fault_decision no_such_key(void *ctx, s3s_fault_verb verb, const char *key, uint64_t number)
{
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)number;
    if (verb == S3S_VERB_GET && strcmp(key, ctx) == 0)
        d.before = S3STORE_NOT_FOUND;
    return d;
}

static void test_vectors_147_148_and_151__data_that_is_gone(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    fixture_written gone = write_one(&k, "p=1", NULL, "a", 1);
    write_one(&k, "p=1", NULL, "b", 1);
    write_one(&k, "p=2", NULL, "c", 1);
    s3store_read_options o = kit_pattern(kit_all);
    k.fx.hook_ctx = gone.data_key;
    k.fx.hook = no_such_key;
    for (size_t f = 0; f < FORMS; f++) /* 147 */
        assert_fails(forms[f](&k, &o, &err), S3STORE_NOT_FOUND, NULL);
    k.fx.hook = NULL;
    s3store_entries *entries = poll_all(&k, NULL, NULL);
    assert_int_equal(s3store_entries_count(entries), 3);
    fixture_remove(&k.fx, gone.data_key);
    expect_all(&k, &o, "b|1|1;c|1|1;"); /* 148: it is not listed */
    o = kit_entries(entries);
    expect_all(&k, &o, "b|1|1;c|1|1;"); /* 151 */
    s3store_entries_free(entries);
    kit_close(&k);
}

static void test_vectors_152_to_154__partition_by_partition_from_every_source(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    for (int p = 3; p > 0; p--) {
        char partition[8];
        snprintf(partition, sizeof partition, "p=%d", p);
        kit_write(&k, partition, (fixture_row[]){{"a", 1, p, false}, {"b", 1, p, false}}, 2);
    }
    s3store_entries *entries = poll_all(&k, NULL, NULL);
    s3store_read_options sources[] = {kit_pattern(kit_all),
                                      kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE),
                                      kit_entries(entries)};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(kit_partitions(&k, &sources[i], &err));
        assert_string_equal(k.text, "{p=1}a|1|1;b|1|1;{p=2}a|1|2;b|1|2;{p=3}a|1|3;b|1|3;");
    }
    s3store_entries_free(entries);
    write_one(&k, "p=1", NULL, "a", 2);
    s3store_read_options o = kit_pattern((const char *const[]){"p=1"}); /* 153 */
    assert_ok(kit_partitions(&k, &o, &err));
    assert_string_equal(k.text, "{p=1}a|2|2;b|1|1;");
    o.history = true;
    assert_ok(kit_partitions(&k, &o, &err));
    assert_string_equal(k.text, "{p=1}a|1|1;a|2|2;b|1|1;");
    o = (s3store_read_options)S3STORE_READ_OPTIONS_INIT; /* 154 */
    expect_all(&k, &o, "");
    kit_close(&k);
}

static void test_vectors_165_166_168_and_169__windows_of_the_stream(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    char bounds[3][S3S_KEY_SIZE];
    kit_open(&k, NULL, NULL);
    fixture_written w[3] = {write_one(&k, "p=1", NULL, "a", 1), write_one(&k, "p=1", NULL, "b", 1),
                            write_one(&k, "p=1", NULL, "c", 1)};
    for (int i = 0; i < 3; i++)
        assert_ok(s3s_offset_key(&k.fx.target->layout, w[i].stamp_us, bounds[i], &err));
    s3store_entries *entries = poll_all(&k, bounds[1], bounds[2]); /* 165 */
    assert_int_equal(s3store_entries_count(entries), 1);
    assert_string_equal(s3store_entries_get(entries, 0)->offset, w[1].ref_key);
    s3store_entries_free(entries);
    entries = poll_all(&k, "ds/_ref/0000000000000001", bounds[0]); /* 166 */
    assert_int_equal(s3store_entries_count(entries), 0);
    assert_string_equal(s3store_entries_next_offset(entries), "ds/_ref/0000000000000001");
    s3store_entries_free(entries);
    fixture_write young = {.partition = "p=1", .stamp_us = s3s_wall_us(k.fx.env)};
    fixture_row row = {"young", 1, 1, false};
    fixture_write_rows(&k.fx, &young, &row, 1);
    s3store_read_options o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE); /* 168 */
    expect_all(&k, &o, "a|1|1;b|1|1;c|1|1;");
    assert_ok(s3s_poll_range(k.fx.target, S3STORE_TIME_NONE, S3STORE_TIME_NONE, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 3);
    s3store_entries_free(entries);
    o = kit_range(w[1].stamp_us, w[1].stamp_us); /* 169 */
    expect_all(&k, &o, "");
    assert_ok(s3s_poll_range(k.fx.target, w[1].stamp_us, w[1].stamp_us, NULL, &entries, &err));
    assert_int_equal(s3store_entries_count(entries), 0);
    s3store_entries_free(entries);
    kit_close(&k);
}

static void test_vectors_149_150_171_and_172__entries(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3store_entries *none = NULL, *foreign = NULL;
    size_t count = 1;
    kit_open(&k, NULL, NULL);
    assert_ok(s3s_entries_new(k.fx.env, &none, &err));
    assert_ok(s3s_entries_new(k.fx.env, &foreign, &err));
    s3store_read_options o = kit_entries(none);
    expect_all(&k, &o, ""); /* 149 */
    assert_null(s3store_entries_partition_keys(none, &count)); /* 172 */
    assert_int_equal(count, 0);
    const s3store_entry other = {.partition = "p=1",
                                 .data_path = "other/data/p=1/t-0190a8b4d3a87f4ab1c2d3e4f5a6b7c8.parquet",
                                 .ref_path = "other/_ref/1"};
    assert_ok(s3s_entries_add(foreign, &other, &err));
    o = kit_entries(foreign);
    fixture_reset_counts(&k.fx);
    for (size_t f = 0; f < FORMS; f++) /* 150 */
        assert_fails(forms[f](&k, &o, &err), S3STORE_INVALID_ARGUMENT, "entry 0");
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_GET) + fixture_count(&k.fx, S3S_VERB_LIST), 0);
    s3store_entries_free(none);
    s3store_entries_free(foreign);
    write_one(&k, "p=2", NULL, "b", 1); /* 172 */
    write_one(&k, "p=1", NULL, "a", 1);
    write_one(&k, "p=2", NULL, "c", 1);
    s3store_entries *entries = poll_all(&k, NULL, NULL);
    const char *const *keys = s3store_entries_partition_keys(entries, &count);
    assert_int_equal(count, 2);
    assert_string_equal(keys[0], "p=1");
    assert_string_equal(keys[1], "p=2");
    s3store_entries_free(entries);
    s3store_record_iter *iter = NULL; /* 171 */
    fixture_row row;
    o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    assert_ok(s3s_read_iter(k.reader, &fixture_row_type, &o, &iter, &err));
    write_one(&k, "p=3", NULL, "later", 1);
    for (int i = 0; i < 3; i++)
        assert_ok(s3store_record_iter_next(iter, &row, &err));
    assert_int_equal(s3store_record_iter_next(iter, &row, &err), S3STORE_END);
    s3store_record_iter_free(iter);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_83__a_commit_of_one_partition_says_nothing_of_another),
        cmocka_unit_test(test_vectors_84_to_86__what_has_no_marker_any_more_is_not_there),
        cmocka_unit_test(test_vectors_135_to_137_and_144__duplicates),
        cmocka_unit_test(test_vectors_138_and_170__a_poll_gives_rows_in_the_order_of_reads_and_again),
        cmocka_unit_test(test_vectors_139_to_143__order_ends_and_read_ahead),
        cmocka_unit_test(test_vectors_145_and_146__wider_and_narrower_readers),
        cmocka_unit_test(test_vectors_147_148_and_151__data_that_is_gone),
        cmocka_unit_test(test_vectors_152_to_154__partition_by_partition_from_every_source),
        cmocka_unit_test(test_vectors_165_166_168_and_169__windows_of_the_stream),
        cmocka_unit_test(test_vectors_149_150_171_and_172__entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
