/* Patterns, ranges and entries, through every form. */
#include "unit/read/kit.h"

typedef s3store_status (*form_fn)(kit *k, const s3store_read_options *o, s3store_error *err);

static const form_fn forms[] = {kit_stream, kit_iter, kit_records};
enum { FORMS = sizeof forms / sizeof forms[0] };

/* Every form gives the same rows; partitions say where they lie. */
static void expect(kit *k, const s3store_read_options *o, const char *rows, const char *partitions)
{
    s3store_error err;
    for (size_t f = 0; f < FORMS; f++) {
        assert_ok(forms[f](k, o, &err));
        assert_string_equal(k->text, rows);
    }
    assert_ok(kit_partitions(k, o, &err));
    assert_string_equal(k->text, partitions);
}

static void expect_failure(kit *k, const s3store_read_options *o, s3store_status status,
                           const char *named)
{
    s3store_error err;
    for (size_t f = 0; f < FORMS; f++)
        assert_fails(forms[f](k, o, &err), status, named);
    assert_fails(kit_partitions(k, o, &err), status, named);
}

static void write_versions(kit *k, fixture_written out[4])
{
    out[0] = kit_write(k, "p=c", (fixture_row[]){{"a", 2, 1, false}, {"b", 1, 2, false}}, 2);
    out[1] = kit_write(k, "p=b", (fixture_row[]){{"a", 1, 3, false}, {"z", 1, 0, true}}, 2);
    out[2] = kit_write(k, "p=c", (fixture_row[]){{"b", 2, 5, false}, {"a", 1, 6, false}}, 2);
    out[3] = kit_write(k, "p=a", (fixture_row[]){{"a", 1, 7, false}, {"b", 1, 8, false}}, 2);
}

#define LATEST_A "a|1|7;b|1|8;"
#define LATEST_B "a|1|3;z|1|-;"
#define LATEST_C "a|2|1;b|2|5;"
#define HISTORY_C "a|1|6;a|2|1;b|1|2;b|2|5;"

static void test_sources__patterns_give_a_snapshot(void **state)
{
    (void)state;
    kit k;
    fixture_written w[4];
    kit_open(&k, NULL, NULL);
    write_versions(&k, w);
    s3store_read_options o = kit_pattern(kit_all);
    expect(&k, &o, LATEST_A LATEST_B LATEST_C, "{p=a}" LATEST_A "{p=b}" LATEST_B "{p=c}" LATEST_C);
    o.history = true;
    expect(&k, &o, LATEST_A LATEST_B HISTORY_C,
           "{p=a}" LATEST_A "{p=b}" LATEST_B "{p=c}" HISTORY_C);
    const char *some[] = {"p=b..d", "p=c"};
    o.patterns = some;
    o.pattern_count = 2;
    o.history = false;
    expect(&k, &o, LATEST_B LATEST_C, "{p=b}" LATEST_B "{p=c}" LATEST_C);
    const char *none[] = {"p=x"};
    o = kit_pattern(none);
    expect(&k, &o, "", "");
    kit_close(&k);
}

static void test_sources__no_patterns_read_nothing_without_a_request(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    fixture_written w[4];
    kit_open(&k, NULL, NULL);
    write_versions(&k, w);
    fixture_reset_counts(&k.fx);
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    expect(&k, &o, "", "");
    assert_ok(kit_stream(&k, NULL, &err));
    assert_string_equal(k.text, "");
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_LIST), 0);
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_GET), 0);
    kit_close(&k);
}

static void test_sources__bad_patterns_are_named_at_the_call(void **state)
{
    (void)state;
    kit k;
    const char *bad[] = {"q=1"};
    kit_open(&k, NULL, NULL);
    s3store_read_options o = kit_pattern(bad);
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "q=1");
    kit_close(&k);
}

static void test_sources__ranges_and_entries_read_what_the_stream_says(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    fixture_written w[4];
    s3store_entries *entries = NULL;
    kit_open(&k, NULL, NULL);
    write_versions(&k, w);
    s3store_read_options o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    expect(&k, &o, LATEST_A LATEST_B LATEST_C, "{p=a}" LATEST_A "{p=b}" LATEST_B "{p=c}" LATEST_C);
    o = kit_range(w[1].stamp_us, w[3].stamp_us);
    expect(&k, &o, LATEST_B "a|1|6;b|2|5;", "{p=b}" LATEST_B "{p=c}a|1|6;b|2|5;");
    o = kit_range(w[1].stamp_us, w[1].stamp_us);
    expect(&k, &o, "", "");
    o = kit_range(w[1].stamp_us, w[0].stamp_us);
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "reversed");

    assert_ok(s3s_poll_range(k.fx.target, w[2].stamp_us, S3STORE_TIME_NONE, NULL, &entries, &err));
    o = kit_entries(entries);
    o.history = true;
    expect(&k, &o, LATEST_A "a|1|6;b|2|5;", "{p=a}" LATEST_A "{p=c}a|1|6;b|2|5;");
    s3store_entries_free(entries);
    kit_close(&k);
}

static void test_sources__a_range_is_frozen_at_the_call(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    struct ArrowArrayStream stream;
    kit_open(&k, NULL, NULL);
    kit_write(&k, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    s3store_read_options o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    assert_ok(s3s_read_stream(k.reader, &o, &stream, &err));
    kit_write(&k, "p=1", (fixture_row[]){{"b", 1, 2, false}}, 1);
    assert_ok(fixture_drain(&stream, k.text, KIT_TEXT, &err));
    assert_string_equal(k.text, "a|1|1;");
    kit_close(&k);
}

static void test_sources__entries_of_another_dataset_are_refused_before_any_request(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    s3store_entries *entries = NULL;
    kit_open(&k, NULL, NULL);
    s3store_entry entry = {
        .partition = "p=1",
        .data_path = "other/data/p=1/t-0190a8b4d3a87f4ab1c2d3e4f5a6b7c8.parquet",
        .ref_path = "other/_ref/x"};
    assert_ok(s3s_entries_new(k.fx.env, &entries, &err));
    assert_ok(s3s_entries_add(entries, &entry, &err));
    fixture_reset_counts(&k.fx);
    s3store_read_options o = kit_entries(entries);
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, entry.data_path);
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_GET), 0);
    s3store_entries_free(entries);
    assert_ok(s3s_entries_new(k.fx.env, &entries, &err));
    o = kit_entries(entries);
    expect(&k, &o, "", "");
    s3store_entries_free(entries);
    kit_close(&k);
}

static void test_sources__a_file_of_several_refs_is_fetched_once(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    fixture_written w = kit_write(&k, "p=1", (fixture_row[]){{"a", 1, 1, false}}, 1);
    char again[S3S_KEY_SIZE];
    assert_ok(s3s_ref_key(&k.fx.target->layout, w.stamp_us + 500, w.token, w.attempt, "p=1", again,
                          &err));
    fixture_put(&k.fx, again, NULL, 0, NULL); /* a restamp */
    fixture_reset_counts(&k.fx);
    s3store_read_options o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    assert_ok(kit_stream(&k, &o, &err));
    assert_string_equal(k.text, "a|1|1;");
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_GET), 1);
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_HEAD), 1);
    kit_close(&k);
}

static void test_sources__orphans_and_losing_attempts_are_invisible(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    fixture_write orphan = {.partition = "p=1", .steps = FIXTURE_DATA | FIXTURE_REF};
    fixture_write_rows(&k.fx, &orphan, (fixture_row[]){{"orphan", 1, 1, false}}, 1);
    fixture_write lost = {.partition = "p=1", .token = "job", .steps = FIXTURE_DATA | FIXTURE_REF};
    fixture_write_rows(&k.fx, &lost, (fixture_row[]){{"lost", 1, 1, false}}, 1);
    fixture_write won = {.partition = "p=1", .token = "job"};
    fixture_write_rows(&k.fx, &won, (fixture_row[]){{"won", 1, 1, false}}, 1);
    fixture_write_rows(&k.fx, &lost, (fixture_row[]){{"late", 1, 1, false}}, 1);
    fixture_put(&k.fx, "ds/data/p=1/foreign.txt", "x", 1, NULL);
    s3store_read_options o = kit_pattern(kit_all);
    expect(&k, &o, "won|1|1;", "{p=1}won|1|1;");
    o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    expect(&k, &o, "won|1|1;", "{p=1}won|1|1;");
    fixture_reset_counts(&k.fx);
    o = kit_pattern(kit_all);
    assert_ok(kit_stream(&k, &o, &err));
    /* several attempts: one HEAD decides */
    assert_int_equal(fixture_count(&k.fx, S3S_VERB_HEAD), 1);
    kit_close(&k);
}

typedef struct vanishing {
    const char *key;
} vanishing;

static s3s_fault_decision vanish(void *ctx, s3s_fault_verb verb, const char *key,
                                 uint64_t sequence)
{
    (void)sequence;
    const vanishing *v = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    if (verb == S3S_VERB_GET && strcmp(key, v->key) == 0)
        d.before = S3STORE_NOT_FOUND;
    return d;
}

static void test_sources__missing_files_are_strict_for_patterns_and_tolerated_for_the_stream(
    void **state)
{
    (void)state;
    kit k;
    fixture_written w[4];
    kit_open(&k, NULL, NULL);
    write_versions(&k, w);
    vanishing v = {.key = w[1].data_key};
    k.fx.hook = vanish;
    k.fx.hook_ctx = &v;
    s3store_read_options o = kit_pattern(kit_all);
    expect_failure(&k, &o, S3STORE_NOT_FOUND, w[1].data_key);
    o.missing = S3STORE_MISSING_TOLERANT;
    expect(&k, &o, LATEST_A LATEST_C, "{p=a}" LATEST_A "{p=c}" LATEST_C);
    assert_non_null(strstr(k.fx.log, w[1].data_key));
    o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    expect(&k, &o, LATEST_A LATEST_C, "{p=a}" LATEST_A "{p=c}" LATEST_C);
    o.missing = S3STORE_MISSING_STRICT;
    expect_failure(&k, &o, S3STORE_NOT_FOUND, w[1].data_key);
    kit_close(&k);
}

static void test_sources__shards_are_the_whole_each_partition_once(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    char partition[16];
    kit_open(&k, NULL, NULL);
    for (int i = 0; i < 20; i++) {
        snprintf(partition, sizeof partition, "p=%d", i);
        kit_write(&k, partition, (fixture_row[]){{"a", 1, i, false}}, 1);
    }
    int seen[20] = {0};
    for (uint32_t shard = 0; shard < 3; shard++) {
        s3store_read_options o = kit_pattern(kit_all);
        o.shard_index = shard;
        o.shard_count = 3;
        s3store_records *records = NULL;
        assert_ok(s3s_read_records(k.reader, &fixture_row_type, &o, &records, &err));
        const fixture_row *rows = s3store_records_data(records);
        for (size_t i = 0; i < s3store_records_count(records); i++)
            seen[rows[i].value]++;
        s3store_records_free(records);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(seen[i], 1);
    s3store_read_options o = kit_pattern(kit_all);
    o.shard_index = 3;
    o.shard_count = 3;
    assert_fails(kit_stream(&k, &o, &err), S3STORE_INVALID_ARGUMENT, "shard 3 of 3");
    kit_close(&k);
}

static void test_sources__options_that_contradict_are_refused(void **state)
{
    (void)state;
    kit k;
    s3store_entries *entries = NULL;
    s3store_error err;
    const char *twice[] = {"value", "value"}, *nameless[] = {"value", ""};
    kit_open(&k, NULL, NULL);
    assert_ok(s3s_entries_new(k.fx.env, &entries, &err));
    s3store_read_options o = kit_pattern(kit_all);
    o.range = true;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "exclude each other");
    o.range = false;
    o.entries = entries;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "exclude each other");
    o = kit_pattern(kit_all);
    o.limit = -1;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "limit");
    s3store_entries *handover = entries;
    o.limit = 1;
    o.handover = &handover;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "handover is for whole snapshots");
    assert_null(handover);
    o = kit_range(S3STORE_TIME_NONE, S3STORE_TIME_NONE);
    o.handover = &handover;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "handover is for whole snapshots");
    o = kit_entries(entries);
    o.handover = &handover;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "handover is for whole snapshots");
    o = kit_pattern(kit_all);
    o.columns = twice;
    o.column_count = 2;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "\"value\" is named twice");
    o.columns = nameless;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "column 1 has no name");
    nameless[1] = NULL;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "column 1 has no name");
    o.columns = NULL; /* without a list their number says nothing */
    expect(&k, &o, "", "");
    o = kit_pattern(kit_all);
    o.where = "value ="; /* also where patterns narrow to what it allows */
    k.fx.target->has_descriptor = true;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "where: at the end: expected a value");
    k.fx.target->has_descriptor = false;
    struct ArrowArrayStream stream;
    assert_int_equal(s3s_read_stream(k.reader, &o, &stream, NULL), S3STORE_INVALID_ARGUMENT);
    assert_null(stream.release);
    o = kit_pattern(kit_all);
    o.patterns = NULL;
    o.pattern_count = 2;
    expect_failure(&k, &o, S3STORE_INVALID_ARGUMENT, "patterns is NULL, but there are 2");
    s3store_entries_free(entries);
    kit_close(&k);
}

static fixture_written write_stamped(kit *k, const char *partition, int64_t age_s, const char *id)
{
    fixture_write write = {.partition = partition, .stamp_us = s3s_wall_us(k->fx.env) - age_s * 1000000};
    fixture_row row = {id, 1, 1, false};
    return fixture_write_rows(&k->fx, &write, &row, 1);
}

/* Settle window 3 s; exceptions from 15 minutes before it. */
static void test_sources__a_handover_names_what_snapshot_and_stream_both_have(void **state)
{
    (void)state;
    static s3store_status (*const all[])(kit *, const s3store_read_options *, s3store_error *) = {
        kit_stream, kit_partitions, kit_iter, kit_records};
    static const char *const one[] = {"p=1"};
    kit k;
    s3store_error err;
    s3store_entries *handover, *entries = NULL;
    kit_open(&k, NULL, NULL);
    write_stamped(&k, "p=1", 3600, "old");
    fixture_written late = write_stamped(&k, "p=1", 600, "late");
    write_stamped(&k, "p=2", 1, "elsewhere");
    fixture_written new = write_stamped(&k, "p=1", 0, "new");
    fixture_write orphan = {.partition = "p=1", .stamp_us = new.stamp_us + 1, .steps = FIXTURE_REF};
    fixture_write_bytes(&k.fx, &orphan, NULL, 0, 0);
    for (size_t f = 0; f < sizeof all / sizeof all[0]; f++) {
        s3store_read_options o = kit_pattern(one);
        o.handover = &handover;
        handover = NULL;
        fixture_reset_counts(&k.fx);
        assert_ok(all[f](&k, &o, &err));
        assert_int_equal(fixture_count(&k.fx, S3S_VERB_LIST), 2);
        assert_int_equal(fixture_count(&k.fx, S3S_VERB_HEAD), 0);
        assert_int_equal(s3store_entries_count(handover), 2);
        assert_string_equal(s3store_entries_get(handover, 0)->data_path, late.data_key);
        assert_string_equal(s3store_entries_get(handover, 1)->data_path, new.data_key);
        assert_string_equal(s3store_entries_get(handover, 1)->partition, "p=1");
        assert_int_equal(s3store_entries_get(handover, 1)->row_count, -1);
        const char *next = s3store_entries_next_offset(handover);
        assert_memory_equal(next, "except 2\n", 9);
        s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
        poll.since = next;
        assert_ok(s3s_poll(k.fx.target, &poll, &entries, &err)); /* nothing is settled yet */
        assert_int_equal(s3store_entries_count(entries), 0);
        assert_string_equal(s3store_entries_next_offset(entries), next);
        s3store_entries_free(entries);
        s3store_entries_free(handover);
    }
    kit_close(&k);
}

static void test_sources__a_handover_that_fails_is_none(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    kit_open(&k, NULL, NULL);
    fixture_write_bytes(&k.fx, &(fixture_write){.partition = "p=1"}, "no parquet", 10, 1);
    s3store_entries *handover = NULL;
    s3store_read_options o = kit_pattern(kit_all);
    o.handover = &handover;
    assert_fails(kit_records(&k, &o, &err), S3STORE_CORRUPT, NULL);
    assert_null(handover);
    kit_close(&k);
}

static void test_sources__entity_and_version_come_both_or_neither(void **state)
{
    (void)state;
    static const char *const entity[] = {"entity"}, *nameless[] = {"entity", ""};
    kit k;
    s3store_error err;
    s3store_reader *reader = NULL;
    kit_open(&k, NULL, NULL);
    s3store_reader_options o = S3STORE_READER_OPTIONS_INIT;
    o.version = "version";
    assert_fails(s3s_reader_open(k.fx.target, &o, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "version is given without entity");
    o = (s3store_reader_options)S3STORE_READER_OPTIONS_INIT;
    o.entity = entity;
    o.entity_count = 1;
    assert_fails(s3s_reader_open(k.fx.target, &o, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "entity is given without version");
    o.version = "version";
    o.no_dedup = true;
    assert_fails(s3s_reader_open(k.fx.target, &o, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "no_dedup");
    o.no_dedup = false;
    o.entity = nameless;
    o.entity_count = 2;
    assert_fails(s3s_reader_open(k.fx.target, &o, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "entity column 1 has no name");
    nameless[1] = NULL;
    assert_fails(s3s_reader_open(k.fx.target, &o, &reader, &err), S3STORE_INVALID_ARGUMENT,
                 "entity column 1 has no name");
    assert_null(reader);
    kit_close(&k);
}

static void test_sources__without_dedup_rows_come_as_written(void **state)
{
    (void)state;
    kit k;
    s3store_reader_options raw = S3STORE_READER_OPTIONS_INIT;
    raw.no_dedup = true;
    kit_open(&k, NULL, &raw);
    kit_write(&k, "p=1", (fixture_row[]){{"b", 1, 1, false}, {"a", 1, 2, false}}, 2);
    kit_write(&k, "p=1", (fixture_row[]){{"b", 1, 1, false}}, 1);
    s3store_read_options o = kit_pattern(kit_all);
    expect(&k, &o, "b|1|1;a|1|2;b|1|1;", "{p=1}b|1|1;a|1|2;b|1|1;");
    o.history = true; /* has no effect */
    expect(&k, &o, "b|1|1;a|1|2;b|1|1;", "{p=1}b|1|1;a|1|2;b|1|1;");
    o.limit = 2;
    expect(&k, &o, "b|1|1;a|1|2;", "{p=1}b|1|1;a|1|2;");
    kit_close(&k);
}

static void test_sources__requests_are_lists_and_one_get_for_each_file(void **state)
{
    (void)state;
    kit k;
    s3store_error err;
    fixture_written w[4];
    kit_open(&k, NULL, NULL);
    write_versions(&k, w);
    static const form_fn all[] = {kit_stream, kit_iter, kit_records, kit_partitions};
    for (size_t f = 0; f < 4; f++) {
        fixture_reset_counts(&k.fx);
        s3store_read_options o = kit_pattern(kit_all);
        assert_ok(all[f](&k, &o, &err));
        assert_int_equal(fixture_count(&k.fx, S3S_VERB_LIST), 1);
        assert_int_equal(fixture_count(&k.fx, S3S_VERB_GET), 4);
        assert_int_equal(fixture_count(&k.fx, S3S_VERB_HEAD), 0);
        assert_int_equal(fixture_count(&k.fx, S3S_VERB_PUT), 0);
    }
    kit_close(&k);
}

int run_source_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources__patterns_give_a_snapshot),
        cmocka_unit_test(test_sources__no_patterns_read_nothing_without_a_request),
        cmocka_unit_test(test_sources__bad_patterns_are_named_at_the_call),
        cmocka_unit_test(test_sources__ranges_and_entries_read_what_the_stream_says),
        cmocka_unit_test(test_sources__a_range_is_frozen_at_the_call),
        cmocka_unit_test(test_sources__entries_of_another_dataset_are_refused_before_any_request),
        cmocka_unit_test(test_sources__a_file_of_several_refs_is_fetched_once),
        cmocka_unit_test(test_sources__orphans_and_losing_attempts_are_invisible),
        cmocka_unit_test(
            test_sources__missing_files_are_strict_for_patterns_and_tolerated_for_the_stream),
        cmocka_unit_test(test_sources__shards_are_the_whole_each_partition_once),
        cmocka_unit_test(test_sources__options_that_contradict_are_refused),
        cmocka_unit_test(test_sources__a_handover_names_what_snapshot_and_stream_both_have),
        cmocka_unit_test(test_sources__a_handover_that_fails_is_none),
        cmocka_unit_test(test_sources__entity_and_version_come_both_or_neither),
        cmocka_unit_test(test_sources__without_dedup_rows_come_as_written),
        cmocka_unit_test(test_sources__requests_are_lists_and_one_get_for_each_file),
    };
    return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
