/* Many partitions in one call: side by side, each with an outcome of its own. */
#include <stdlib.h>

#include "base/cancel.h"
#include "unit/write/stage.h"

#define PIV "p:string?;id:string?;v:int64?"
#define ABC ROWS("c|z|3", "a|x|1", "b|y|2")
#define BUSY {.refuse = S3STORE_UNAVAILABLE}
#define DENIED {.refuse = S3STORE_PERMISSION_DENIED}
#define NOWHERE {.refuse = S3STORE_UNCERTAIN}
#define LATE_COMMIT(partition)                                                                     \
    {S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, {.after_us = 16 * SECOND}, 0, partition, NULL}
#define DATA(partition, fate) {S3S_VERB_PUT, FAULTY_DATA, 1, 0, fate, 0, partition, NULL}

typedef struct scene {
    const char *name;
    stage_rule rules[4];
    size_t rule_count;
    bool side_by_side; /* else one after the other */
    bool keep_going;
    s3store_fence fence;
    s3store_status status;
    const char *states, *text, *rows;
} scene;

static void play(const scene *t)
{
    stage s;
    s3store_error err = {0};
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "tok";
    options.keep_going = t->keep_going;
    stage_open(&s, &(stage_options){.serial = !t->side_by_side, .fence = t->fence});
    assert_ok(stage_write(&s, PIV, NULL, 0, NULL, NULL, &err));
    stage_rules(&s, t->rules, t->rule_count);
    s3store_status status = stage_write(&s, PIV, ABC, &options, &result, &err);
    if (status != t->status || err.status != status)
        fail_msg("%s: %s: %s", t->name, s3store_status_name(status), err.message);
    if (t->text != NULL && strstr(err.message, t->text) == NULL)
        fail_msg("%s: message: %s", t->name, err.message);
    if (strcmp(stage_states(result), t->states) != 0)
        fail_msg("%s: %s", t->name, stage_states(result));
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        bool failed = c->state == S3STORE_COMMIT_FAILED || c->state == S3STORE_COMMIT_LATE;
        assert_true(failed == (c->error != NULL));
        assert_string_equal(c->token, "tok");
        assert_int_equal(c->row_count, 1);
        bool there = c->state == S3STORE_COMMIT_DONE || c->state == S3STORE_COMMIT_LATE;
        assert_true(there == (c->data_path != NULL && c->ref_path != NULL && c->offset != NULL));
        assert_true(there == (c->size_bytes > 0));
    }
    s3store_write_result_free(result);
    stage_rules(&s, NULL, 0);
    if (strcmp(stage_rows(&s), t->rows) != 0)
        fail_msg("%s: rows: %s", t->name, stage_rows(&s));
    /* The whole write once more, with the same token: what is there stays. */
    assert_ok(stage_write(&s, PIV, ABC, &options, NULL, &err));
    assert_string_equal(stage_rows(&s), "a|x|1;b|y|2;c|z|3;");
    stage_close(&s);
}

#define PLAY(...)                                                                                  \
    do {                                                                                           \
        static const scene scenes[] = {__VA_ARGS__};                                               \
        (void)state;                                                                               \
        for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++)                                \
            play(&scenes[i]);                                                                      \
    } while (0)

static void test_partitions__a_hard_failure_stops_those_not_begun(void **state)
{
    PLAY({.name = "one after the other", .rules = {DATA("p=b", DENIED)}, .rule_count = 1,
          .status = S3STORE_PARTIAL, .rows = "a|x|1;",
          .states = "p=a committed, p=b failed PERMISSION_DENIED, p=c not_tried",
          .text = "1 of 3 partitions are committed; partition p=b: storing the data"},
         {.name = "the first", .rules = {DATA("p=a", DENIED)}, .rule_count = 1,
          .status = S3STORE_PERMISSION_DENIED, .rows = "",
          .states = "p=a failed PERMISSION_DENIED, p=b not_tried, p=c not_tried",
          .text = "storing the data"},
         {.name = "side by side: those that have begun end", .side_by_side = true,
          .rules = {DATA("p=b", DENIED)}, .rule_count = 1, .status = S3STORE_PARTIAL,
          .rows = "a|x|1;c|z|3;",
          .states = "p=a committed, p=b failed PERMISSION_DENIED, p=c committed",
          .text = "2 of 3 partitions are committed; partition p=b"});
}

static void test_partitions__keep_going_tries_them_all(void **state)
{
    PLAY({.name = "one of them", .keep_going = true, .rules = {DATA("p=a", DENIED)},
          .rule_count = 1, .status = S3STORE_PARTIAL, .rows = "b|y|2;c|z|3;",
          .states = "p=a failed PERMISSION_DENIED, p=b committed, p=c committed",
          .text = "2 of 3 partitions are committed; partition p=a"},
         {.name = "all of them", .keep_going = true, .rules = {DATA(NULL, BUSY)}, .rule_count = 1,
          .status = S3STORE_UNAVAILABLE, .rows = "",
          .states = "p=a failed UNAVAILABLE, p=b failed UNAVAILABLE, p=c failed UNAVAILABLE"});
}

static void test_partitions__a_late_one_stops_nothing(void **state)
{
    PLAY({.name = "it got a fresh place", .rules = {LATE_COMMIT("p=a")}, .rule_count = 1,
          .status = S3STORE_OK, .rows = "a|x|1;b|y|2;c|z|3;",
          .states = "p=a committed, p=b committed, p=c committed"},
         {.name = "it did not",
          .rules = {LATE_COMMIT("p=a"),
                    {S3S_VERB_PUT, FAULTY_REF, 2, 6, BUSY, 0, NULL, NULL}},
          .rule_count = 2, .status = S3STORE_COMMIT_AFTER_TIMEOUT, .rows = "a|x|1;b|y|2;c|z|3;",
          .states = "p=a committed_late COMMIT_AFTER_TIMEOUT, p=b committed, p=c committed",
          .text = "partition p=a, token tok"},
         {.name = "two did not: the first is told",
          .rules = {LATE_COMMIT("p=a"), LATE_COMMIT("p=b"),
                    {S3S_VERB_PUT, FAULTY_REF, 2, 6, BUSY, 0, NULL, NULL},
                    {S3S_VERB_PUT, FAULTY_REF, 8, 12, BUSY, 0, NULL, NULL}},
          .rule_count = 4, .status = S3STORE_COMMIT_AFTER_TIMEOUT, .rows = "a|x|1;b|y|2;c|z|3;",
          .states = "p=a committed_late COMMIT_AFTER_TIMEOUT, p=b committed_late "
                    "COMMIT_AFTER_TIMEOUT, p=c committed",
          .text = "partition p=a, token tok"},
         {.name = "partial weighs more than late", .keep_going = true,
          .rules = {LATE_COMMIT("p=a"),
                    {S3S_VERB_PUT, FAULTY_REF, 2, 6, BUSY, 0, NULL, NULL},
                    DATA("p=b", DENIED)},
          .rule_count = 3, .status = S3STORE_PARTIAL, .rows = "a|x|1;c|z|3;",
          .states = "p=a committed_late COMMIT_AFTER_TIMEOUT, p=b failed PERMISSION_DENIED, "
                    "p=c committed",
          .text = "2 of 3 partitions are committed; partition p=b"});
}

static void test_partitions__what_is_not_certain_decides(void **state)
{
    PLAY({.name = "nothing committed, but one may be", .keep_going = true,
          .fence = S3STORE_FENCE_OFF,
          .rules = {DATA("p=a", DENIED), DATA("p=c", DENIED),
                    {S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE, 0, "p=b", NULL}},
          .rule_count = 3, .status = S3STORE_UNCERTAIN, .rows = "",
          .states = "p=a failed PERMISSION_DENIED, p=b failed UNCERTAIN, "
                    "p=c failed PERMISSION_DENIED",
          .text = "partition p=b, token tok"},
         {.name = "with one that is", .keep_going = true, .fence = S3STORE_FENCE_OFF,
          .rules = {DATA("p=a", DENIED),
                    {S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE, 0, "p=b", NULL}},
          .rule_count = 2, .status = S3STORE_PARTIAL, .rows = "c|z|3;",
          .states = "p=a failed PERMISSION_DENIED, p=b failed UNCERTAIN, p=c committed",
          .text = "1 of 3 partitions are committed; partition p=b"});
}

/* ---- cancelling ------------------------------------------------------------------------------ */

static void cancelled(const stage_rule *rule, bool already, s3store_status status,
                      const char *states, const char *text)
{
    stage s;
    s3store_error err;
    s3store_cancel *cancel;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    assert_ok(s3s_cancel_new(NULL, NULL, &cancel, &err));
    stage_open(&s, &(stage_options){.serial = true});
    stage_rule own = {0};
    if (rule != NULL)
        own = *rule;
    own.cancel = cancel;
    stage_rules(&s, &own, rule != NULL);
    if (already)
        s3store_cancel_trigger(cancel);
    options.cancel = cancel;
    assert_fails(stage_write(&s, PIV, ABC, &options, &result, &err), status, text);
    if (states == NULL)
        assert_null(result);
    else
        assert_string_equal(stage_states(result), states);
    s3store_write_result_free(result);
    stage_rules(&s, NULL, 0);
    stage_close(&s);
    s3store_cancel_free(cancel);
}

/* Partitions of which memory encodes a few at a time, and data that take their time to be stored:
 * the others wait for them, and not longer than the call. They leave in any order. */
static void wait_to_encode(size_t count, bool cancels, const char *text)
{
    enum { SIZE = 300000, MANY = 6 };
    static char texts[MANY][SIZE];
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    const char *rows[MANY];
    stage_open(&s, &(stage_options){.memory_bytes = 1 << 20});
    for (int i = 0; i < MANY; i++) {
        memset(texts[i], 'x', SIZE);
        texts[i][0] = (char)('a' + i);
        texts[i][1] = '|';
        strcpy(texts[i] + SIZE - 3, "|1");
        rows[i] = texts[i];
    }
    assert_ok(stage_write(&s, PIV, ROWS("z|z|1"), NULL, NULL, &err)); /* the schema */
    if (cancels)
        assert_ok(s3s_cancel_new(NULL, NULL, &options.cancel, &err));
    else
        options.timeout_ms = 5000;
    options.keep_going = true;
    options.compression = S3STORE_COMPRESSION_UNCOMPRESSED; /* so that bodies are as large */
    const stage_rule slow = {.verb = S3S_VERB_PUT,
                             .kind = FAULTY_DATA,
                             .from = 1,
                             .fate = {.before_us = 20 * SECOND},
                             .cancel = options.cancel};
    stage_rules(&s, &slow, 1);
    s3store_status status = stage_write(&s, PIV, rows, count, &options, &result, &err);
    assert_int_equal(status, S3STORE_PARTIAL); /* the first one's data are stored: it is committed */
    bool found = false;
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        found = found || (c->error != NULL && strstr(c->error->message, text) != NULL);
    }
    if (!found)
        fail_msg("%s; %s: %s", stage_states(result), s3store_status_name(err.status), err.message);
    s3store_write_result_free(result);
    s3store_cancel_free(options.cancel);
    stage_rules(&s, NULL, 0);
    stage_close(&s);
}

static void test_partitions__who_waits_to_encode_ends_with_the_call(void **state)
{
    (void)state;
    wait_to_encode(2, false, "the deadline passed before a partition was encoded");
    wait_to_encode(6, false, "the deadline passed before a partition was encoded");
    wait_to_encode(2, true, "cancelled by the caller before a partition was encoded");
}

/* A writer keeps encoders for inputs of a few kinds: of more kinds the oldest go. */
static void test_partitions__inputs_of_many_kinds_keep_few_encoders(void **state)
{
    static const s3store_compression codecs[] = {
        S3STORE_COMPRESSION_SNAPPY, S3STORE_COMPRESSION_ZSTD, S3STORE_COMPRESSION_GZIP,
        S3STORE_COMPRESSION_UNCOMPRESSED};
    static const char *const columns[][1] = {{"id"}, {"v"}};
    stage s;
    s3store_error err;
    (void)state;
    stage_open(&s, NULL);
    size_t rows = 0;
    for (int round = 0; round < 2; round++)
        for (size_t c = 0; c < 4; c++)
            for (size_t kind = 0; kind < 3; kind++) {
                s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
                options.compression = codecs[c];
                options.bloom_columns = kind > 0 ? columns[kind - 1] : NULL;
                options.bloom_column_count = kind > 0;
                assert_ok(stage_write(&s, PIV, ROWS("a|x|1"), &options, NULL, &err));
                rows++;
                assert_in_range(s.writer->locked.encoder_count, 1, S3S_ENCODERS_KEPT);
            }
    assert_int_equal(s.writer->locked.encoder_count, S3S_ENCODERS_KEPT);
    assert_int_equal(strlen(stage_rows(&s)), rows * strlen("a|x|1;"));
    stage_close(&s);
}

static void test_partitions__cancelling_leaves_those_not_begun(void **state)
{
    (void)state;
    cancelled(NULL, true, S3STORE_CANCELLED, NULL, "cancel");
    cancelled(&(stage_rule){S3S_VERB_PUT, FAULTY_OTHER, 1, 0, {0}, 0, NULL, NULL}, false,
              S3STORE_CANCELLED, NULL, "cancel"); /* while the schema is recorded */
    cancelled(&(stage_rule){S3S_VERB_PUT, FAULTY_DATA, 1, 1, {0}, 0, NULL, NULL}, false,
              S3STORE_CANCELLED, "p=a failed CANCELLED, p=b not_tried, p=c not_tried", "cancel");
    cancelled(&(stage_rule){S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {0}, 0, NULL, NULL}, false,
              S3STORE_PARTIAL, "p=a committed, p=b not_tried, p=c not_tried",
              "1 of 3 partitions are committed; the others were not tried: cancelled");
}

static void test_partitions__a_deadline_leaves_those_not_begun(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    static const stage_rule slow = {S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 2 * SECOND},
                                    0, NULL, NULL};
    (void)state;
    stage_open(&s, &(stage_options){.serial = true});
    stage_rules(&s, &slow, 1);
    options.timeout_ms = 1000;
    assert_fails(stage_write(&s, PIV, ABC, &options, &result, &err), S3STORE_PARTIAL,
                 "1 of 3 partitions are committed; the others were not tried");
    assert_string_equal(stage_states(result), "p=a committed, p=b not_tried, p=c not_tried");
    assert_null(s3store_write_result_get(result, 1)->token); /* none was generated */
    s3store_write_result_free(result);
    stage_close(&s);
}

/* ---- the same token everywhere --------------------------------------------------------------- */

static void test_partitions__a_token_is_of_its_partition(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "tok";
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, PIV, ROWS("a|x|1"), &options, NULL, &err));
    assert_ok(stage_write(&s, PIV, ROWS("a|x|1", "b|y|2"), &options, &result, &err));
    assert_string_equal(stage_states(result), "p=a existing, p=b committed");
    s3store_write_result_free(result);
    assert_string_equal(stage_entries(&s), "p=a/tok p=b/tok ");
    stage_close(&s);
}

/* ---- memory ---------------------------------------------------------------------------------- */

typedef struct burst {
    stage *s;
    int64_t at_us;
    size_t now, most;
} burst;

/* Counts the data objects that are sent at one time; each takes a second. */
static faulty_fate count_bursts(void *ctx, const faulty_request *r)
{
    burst *b = ctx;
    if (r->verb != S3S_VERB_PUT || r->kind != FAULTY_DATA)
        return (faulty_fate){0};
    if (s3s_mono_us(b->s->env) != b->at_us)
        b->now = 0;
    b->at_us = s3s_mono_us(b->s->env);
    if (++b->now > b->most)
        b->most = b->now;
    return (faulty_fate){.after_us = SECOND};
}

static void test_partitions__encoding_keeps_within_the_budget(void **state)
{
    enum { PARTITIONS = 24 };
    (void)state;
    for (int large = 0; large < 2; large++) {
        stage s;
        s3store_error err;
        char rows[PARTITIONS][400];
        const char *texts[PARTITIONS];
        s3store_write_result *result;
        /* 24 rows of 300 bytes in a budget that does not hold them all, or many times over. */
        stage_open(&s, &(stage_options){.max_inflight = 64,
                                        .memory_bytes = large ? 1000000 : 6000});
        burst b = {.s = &s};
        s.faults.fn = count_bursts;
        s.faults.ctx = &b;
        for (size_t i = 0; i < PARTITIONS; i++) {
            snprintf(rows[i], sizeof rows[i], "%02zu|%0300zu|1", i, i);
            texts[i] = rows[i];
        }
        assert_ok(stage_write(&s, PIV, texts, PARTITIONS, NULL, &result, &err));
        for (size_t i = 0; i < PARTITIONS; i++)
            assert_int_equal(s3store_write_result_get(result, i)->state, S3STORE_COMMIT_DONE);
        s3store_write_result_free(result);
        if (large)
            assert_int_equal(b.most, PARTITIONS);
        else
            assert_in_range(b.most, 2, PARTITIONS - 6);
        s.faults.fn = NULL;
        stage_close(&s);
    }
}

static void test_partitions__one_that_is_larger_than_half_the_budget_goes_alone(void **state)
{
    stage s;
    s3store_error err;
    char big[1200];
    (void)state;
    stage_open(&s, &(stage_options){.max_inflight = 8, .memory_bytes = 1600});
    snprintf(big, sizeof big, "b|%01000d|2", 7);
    assert_ok(stage_write(&s, PIV, ROWS("a|x|1", big, "c|z|3"), NULL, NULL, &err));
    assert_int_equal(stage_count(&s, ".commit"), 3);
    stage_close(&s);
}

/* ---- how far it has come --------------------------------------------------------------------- */

typedef struct told {
    s3store_write_progress last;
    unsigned calls;
    bool shrank;
} told;

static void tell(void *ctx, const s3store_write_progress *now)
{
    told *t = ctx;
    assert_int_equal(now->size, sizeof *now);
    t->shrank = t->shrank || now->rows_read < t->last.rows_read ||
                now->rows_committed < t->last.rows_committed ||
                now->bytes_stored < t->last.bytes_stored || now->commits < t->last.commits ||
                now->partitions < t->last.partitions ||
                now->partitions_committed < t->last.partitions_committed;
    t->last = *now;
    t->calls++;
}

static told write_told(stage *s, s3store_write_options *options, s3store_status expected)
{
    told t = {0};
    uint64_t bytes = 0;
    s3store_error err = {0};
    s3store_write_result *result = NULL;
    options->progress = tell;
    options->progress_ctx = &t;
    assert_int_equal(stage_write(s, PIV, ABC, options, &result, &err), expected);
    for (size_t i = 0; i < s3store_write_result_count(result); i++)
        bytes += s3store_write_result_get(result, i)->size_bytes;
    assert_int_equal(t.last.bytes_stored, bytes);
    assert_false(t.shrank);
    s3store_write_result_free(result);
    return t;
}

static void test_partitions__progress_ends_at_what_was_committed(void **state)
{
    stage s;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    static const stage_rule denied = DATA("p=b", DENIED);
    (void)state;
    options.token = "tok";
    options.keep_going = true;
    for (int side_by_side = 0; side_by_side < 2; side_by_side++) {
        stage_open(&s, &(stage_options){.serial = !side_by_side});
        stage_rules(&s, &denied, 1);
        told t = write_told(&s, &options, S3STORE_PARTIAL);
        assert_int_equal(t.last.rows_read, 3);
        assert_int_equal(t.last.partitions, 3);
        assert_int_equal(t.last.rows_committed, 2);
        assert_int_equal(t.last.partitions_committed, 2);
        assert_int_equal(t.last.commits, 2);
        assert_true(t.calls >= 4); /* the batch, what was planned, two commits */
        /* What exists is committed too, but nothing of it is stored again. */
        stage_rules(&s, NULL, 0);
        t = write_told(&s, &options, S3STORE_OK);
        assert_int_equal(t.last.rows_committed, 3);
        assert_int_equal(t.last.partitions_committed, 3);
        stage_close(&s);
    }
    stage_open(&s, NULL);
    options.dry_run = true;
    told t = write_told(&s, &options, S3STORE_OK);
    assert_int_equal(t.last.partitions, 3);
    assert_int_equal(t.last.commits, 0);
    stage_close(&s);
}

static void test_partitions__a_result_is_asked_safely(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    (void)state;
    assert_int_equal(s3store_write_result_count(NULL), 0);
    assert_null(s3store_write_result_get(NULL, 0));
    s3store_write_result_free(NULL);
    assert_string_equal(s3store_commit_state_name((s3store_commit_state)99), "unknown");
    stage_open(&s, NULL);
    assert_ok(stage_write(&s, PIV, ABC, NULL, &result, &err));
    assert_int_equal(s3store_write_result_count(result), 3);
    assert_null(s3store_write_result_get(result, 3));
    s3store_write_result_free(result);
    stage_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partitions__a_hard_failure_stops_those_not_begun),
        cmocka_unit_test(test_partitions__keep_going_tries_them_all),
        cmocka_unit_test(test_partitions__a_late_one_stops_nothing),
        cmocka_unit_test(test_partitions__what_is_not_certain_decides),
        cmocka_unit_test(test_partitions__cancelling_leaves_those_not_begun),
        cmocka_unit_test(test_partitions__who_waits_to_encode_ends_with_the_call),
        cmocka_unit_test(test_partitions__inputs_of_many_kinds_keep_few_encoders),
        cmocka_unit_test(test_partitions__a_deadline_leaves_those_not_begun),
        cmocka_unit_test(test_partitions__a_token_is_of_its_partition),
        cmocka_unit_test(test_partitions__encoding_keeps_within_the_budget),
        cmocka_unit_test(test_partitions__one_that_is_larger_than_half_the_budget_goes_alone),
        cmocka_unit_test(test_partitions__progress_ends_at_what_was_committed),
        cmocka_unit_test(test_partitions__a_result_is_asked_safely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
