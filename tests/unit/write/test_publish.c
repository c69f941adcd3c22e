/* One partition's way into the dataset: every step refused, lost, late or slow. On virtual time. */
#include <stdlib.h>

#include "base/cancel.h"
#include "unit/write/stage.h"

#define MINUTE (60 * SECOND)
#define LOST {.answer = S3STORE_UNCERTAIN}       /* done, but nobody knows */
#define NOWHERE {.refuse = S3STORE_UNCERTAIN}    /* not done, and nobody knows */
#define BUSY {.refuse = S3STORE_UNAVAILABLE}     /* not done, and that is known */
#define FIRST_TRY (15 * SECOND) /* for so long */
#define DENIED {.refuse = S3STORE_PERMISSION_DENIED}
#define LATE_BY(us) {.late = true, .late_us = (us), .answer = S3STORE_UNCERTAIN}

/* A write of one row under the token "tok", what becomes of its requests, and what is there
 * afterwards. */
typedef struct story {
    const char *name;
    stage_options options;
    stage_rule rules[4];
    size_t rule_count;
    bool optimistic;
    int64_t timeout_ms;

    s3store_status status;
    const char *states; /* of the result; NULL = no result */
    const char *text;   /* in the message */
    const char *trace;  /* of all requests; NULL = not looked at */
    size_t data, refs, markers;
    /* Then the same again, on a server that has recovered. */
    const char *again;   /* states */
    const char *entries; /* in the stream, in the end; all of it */
} story;

static void check_again(stage *s, const story *t, const s3store_write_result *first)
{
    s3store_error err;
    s3store_write_result *again = NULL;
    stage_rules(s, NULL, 0);
    assert_ok(stage_write_one(s, "tok", &again, &err));
    if (strcmp(stage_states(again), t->again) != 0)
        fail_msg("%s: again: %s", t->name, stage_states(again));
    const s3store_commit *a = s3store_write_result_get(first, 0);
    const s3store_commit *b = s3store_write_result_get(again, 0);
    if (a != NULL && a->ref_path != NULL) {
        assert_string_equal(a->ref_path, b->ref_path);
        assert_string_equal(a->offset, b->offset);
        assert_string_equal(a->data_path, b->data_path);
        assert_int_equal(a->inserted_at_us, b->inserted_at_us);
        assert_int_equal(a->row_count, b->row_count);
    }
    s3store_write_result_free(again);
}

static void check_store(stage *s, const story *t)
{
    if (t->trace != NULL && strcmp(s->faults.trace, t->trace) != 0)
        fail_msg("%s: requests: %s", t->name, s->faults.trace);
    size_t data = stage_count(s, ".parquet"), refs = stage_count(s, ".ref"),
           markers = stage_count(s, ".commit");
    if (data != t->data || refs != t->refs || markers != t->markers)
        fail_msg("%s: %zu data, %zu refs, %zu markers; requests: %s", t->name, data, refs, markers,
                 s->faults.trace);
    stage_check_refs(s);
}

static void tell(const story *t)
{
    stage s;
    s3store_error err = {0};
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "tok";
    options.optimistic = t->optimistic;
    options.timeout_ms = t->timeout_ms;
    stage_open(&s, &t->options);
    assert_ok(stage_write(&s, "p:string?;id:string?;v:int64?", ROWS("z|z|0"), NULL, NULL, &err));
    stage_wait(&s, SECOND); /* the next stamp is what the clock says */
    stage_rules(&s, t->rules, t->rule_count);
    s3store_status status =
        stage_write(&s, "p:string?;id:string?;v:int64?", ROWS("a|x|1"), &options, &result, &err);
    if (status != t->status || (status != S3STORE_OK && err.status != status))
        fail_msg("%s: %s: %s", t->name, s3store_status_name(status), err.message);
    if (status != S3STORE_OK && strstr(err.message, t->text) == NULL)
        fail_msg("%s: message: %s", t->name, err.message);
    if (strcmp(result == NULL ? "" : stage_states(result), t->states) != 0)
        fail_msg("%s: %s", t->name, stage_states(result));
    const s3store_commit *c = s3store_write_result_get(result, 0);
    if (c != NULL && c->error != NULL)
        assert_string_equal(c->error->message, err.message);
    story rest = *t; /* with what was there before */
    rest.data++;
    rest.refs++;
    rest.markers++;
    check_store(&s, &rest);
    check_again(&s, t, result);
    assert_string_equal(stage_rows(&s), "a|x|1;z|z|0;");
    const char *entries = stage_entries(&s);
    if (strcmp(strchr(entries, ' ') + 1, t->entries) != 0)
        fail_msg("%s: stream: %s", t->name, entries);
    s3store_write_result_free(result);
    stage_close(&s);
}

#define TELL(...)                                                                                  \
    do {                                                                                           \
        static const story stories[] = {__VA_ARGS__};                                              \
        (void)state;                                                                               \
        for (size_t i = 0; i < sizeof stories / sizeof *stories; i++)                              \
            tell(&stories[i]);                                                                     \
    } while (0)

#define COMMITTED                                                                                  \
    .status = S3STORE_OK, .states = "p=a committed", .markers = 1, .again = "p=a existing",        \
    .entries = "p=a/tok "
#define NOTHING                                                                                    \
    .again = "p=a committed", .entries = "p=a/tok "

static void test_publish__request_counts(void **state)
{
    static const struct {
        const char *token, *trace;
        bool optimistic;
    } writes[] = {
        {NULL, "put data, put ref, put commit", false},
        {"tok", "head commit, put data, put ref, put commit", false},
        {"tok", "head commit", false},
        {"tok2", "put data, put ref, put commit", true},
        {"tok2", "put data, put ref, put commit, head commit", true},
        {"tok2", "head commit", false},
    };
    stage s;
    s3store_error err;
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write_one(&s, NULL, NULL, &err)); /* records the schema */
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.token = writes[i].token;
        options.optimistic = writes[i].optimistic;
        faulty_reset(&s.faults);
        assert_ok(stage_write(&s, "p:string?;id:string?;v:int64?", ROWS("a|x|1"), &options, NULL,
                              &err));
        assert_string_equal(s.faults.trace, writes[i].trace);
    }
    stage_close(&s);
}

static void test_publish__the_head_before_a_write(void **state)
{
    TELL({.name = "answered in the end", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_HEAD, FAULTY_COMMIT, 1, 4, BUSY}}, .rule_count = 1,
          .trace = "head commit, head commit, head commit, head commit, head commit, put data, "
                   "put ref, put commit"},
         {.name = "never answered", .status = S3STORE_UNAVAILABLE, .text = "refused by the test",
          .states = "p=a failed UNAVAILABLE", NOTHING,
          .rules = {{S3S_VERB_HEAD, FAULTY_COMMIT, 1, 0, BUSY}}, .rule_count = 1},
         {.name = "no permission", .status = S3STORE_PERMISSION_DENIED, .text = "refused",
          .states = "p=a failed PERMISSION_DENIED", NOTHING, .trace = "head commit",
          .rules = {{S3S_VERB_HEAD, FAULTY_COMMIT, 1, 0, DENIED}}, .rule_count = 1});
}

static void test_publish__the_data_object(void **state)
{
    TELL({.name = "stored in the end", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 4, BUSY}}, .rule_count = 1},
         {.name = "answer lost", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 2, LOST}}, .rule_count = 1},
         {.name = "never stored", .status = S3STORE_UNAVAILABLE, .text = "storing the data",
          .states = "p=a failed UNAVAILABLE", NOTHING,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 0, BUSY}}, .rule_count = 1},
         {.name = "never answered", .status = S3STORE_UNAVAILABLE, .text = "storing the data",
          .states = "p=a failed UNAVAILABLE", NOTHING, .data = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 0, LOST}}, .rule_count = 1},
         {.name = "no permission", .status = S3STORE_PERMISSION_DENIED,
          .text = "storing the data", .states = "p=a failed PERMISSION_DENIED", NOTHING,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 0, DENIED}}, .rule_count = 1},
         {.name = "arrives after everything", .status = S3STORE_UNAVAILABLE, .text = "the data",
          .states = "p=a failed UNAVAILABLE", NOTHING,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 0, LATE_BY(MINUTE)}}, .rule_count = 1});
}

static void test_publish__the_ref(void **state)
{
    TELL({.name = "stored in the end", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 4, BUSY}}, .rule_count = 1},
         {.name = "answer lost", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 2, LOST}}, .rule_count = 1},
         {.name = "never stored", .status = S3STORE_UNAVAILABLE, .text = "storing the ref",
          .states = "p=a failed UNAVAILABLE", NOTHING, .data = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 0, BUSY}}, .rule_count = 1},
         {.name = "never answered", .status = S3STORE_UNAVAILABLE, .text = "storing the ref",
          .states = "p=a failed UNAVAILABLE", NOTHING, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 0, LOST}}, .rule_count = 1},
         {.name = "arrives after everything", .status = S3STORE_UNAVAILABLE, .text = "the ref",
          .states = "p=a failed UNAVAILABLE", NOTHING, .data = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 0, LATE_BY(MINUTE)}}, .rule_count = 1},
         {.name = "slower than the commit timeout: a new attempt id", COMMITTED, .data = 2,
          .refs = 2, .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 1, {.after_us = 15 * SECOND}}},
          .rule_count = 1,
          .trace = "head commit, put data, put ref, head commit, put data, put ref, put commit"},
         {.name = "always slower: nothing was sent, that is certain", .status = S3STORE_TIMEOUT,
          .text = "before the commit could be sent", .states = "p=a failed TIMEOUT", NOTHING,
          .data = 3, .refs = 3,
          .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 0, {.after_us = 15 * SECOND}}},
          .rule_count = 1,
          .trace = "head commit, put data, put ref, head commit, put data, put ref, head commit, "
                   "put data, put ref, head commit"});
}

static void test_publish__the_commit(void **state)
{
    TELL({.name = "stored in the end", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 4, BUSY}}, .rule_count = 1},
         {.name = "conflicts once", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.refuse = S3STORE_CONFLICT}}},
          .rule_count = 1},
         {.name = "answer lost: the second one finds it", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST}}, .rule_count = 1,
          .trace = "head commit, put data, put ref, put commit, put commit, head commit"},
         {.name = "lost on its way", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 3, NOWHERE}}, .rule_count = 1},
         {.name = "refused for the whole first try: a new attempt id", COMMITTED, .data = 2,
          .refs = 2, .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, BUSY, FIRST_TRY}},
          .rule_count = 1},
         {.name = "the first arrives after the second", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LATE_BY(5 * SECOND)}}, .rule_count = 1},
         {.name = "always refused: nothing is committed", .status = S3STORE_UNAVAILABLE,
          .text = "refused by the test", .states = "p=a failed UNAVAILABLE", NOTHING, .data = 3,
          .refs = 3, .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, BUSY}}, .rule_count = 1},
         {.name = "never answered, never done: the fence makes it certain",
          .status = S3STORE_UNAVAILABLE, .text = "nothing is committed",
          .states = "p=a failed UNAVAILABLE", NOTHING, .data = 3, .refs = 3,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE}}, .rule_count = 1},
         {.name = "all arrive when the fence is closed", .status = S3STORE_UNAVAILABLE,
          .text = "nothing is committed", .states = "p=a failed UNAVAILABLE", NOTHING, .data = 3,
          .refs = 3, .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, LATE_BY(16 * SECOND)}},
          .rule_count = 1},
         {.name = "the first try's arrive when the fence is closed", COMMITTED, .data = 2,
          .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, LATE_BY(16 * SECOND), FIRST_TRY}},
          .rule_count = 1},
         {.name = "not fenced: never answered, not certain",
          .options = {.fence = S3STORE_FENCE_OFF}, .status = S3STORE_UNCERTAIN,
          .text = "p=a, token tok (attempt 0", .states = "p=a failed UNCERTAIN", NOTHING,
          .data = 3, .refs = 3, .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE}},
          .rule_count = 1},
         {.name = "credentials that the server forgot", .status = S3STORE_NO_CREDENTIALS,
          .text = "refused by the test", .states = "p=a failed NO_CREDENTIALS", NOTHING,
          .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, {.refuse = S3STORE_NO_CREDENTIALS}}},
          .rule_count = 1,
          .trace = "head commit, put data, put ref, put commit, head commit"});
}

static void test_publish__an_unfenced_commit_that_arrives_late_is_found_by_a_retry(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    static const stage_rule rules[] = {
        {S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LATE_BY(10 * MINUTE)},
        {S3S_VERB_PUT, FAULTY_COMMIT, 2, 0, NOWHERE},
    };
    (void)state;
    stage_open(&s, &(stage_options){.fence = S3STORE_FENCE_OFF});
    stage_rules(&s, rules, 2);
    assert_fails(stage_write_one(&s, "tok", NULL, &err), S3STORE_UNCERTAIN, "tok");
    stage_wait(&s, 20 * MINUTE);
    stage_rules(&s, NULL, 0);
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    assert_string_equal(stage_states(result), "p=a existing");
    assert_string_equal(stage_rows(&s), "a|x|1;");
    s3store_write_result_free(result);
    stage_close(&s);
}

static void test_publish__a_403_says_what_it_is(void **state)
{
    TELL({.name = "no permission", .status = S3STORE_PERMISSION_DENIED, .text = "refused by the",
          .states = "p=a failed PERMISSION_DENIED", NOTHING, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, DENIED}}, .rule_count = 1,
          .trace = "head commit, put data, put ref, put commit, head commit"},
         {.name = "no permission, no date", .status = S3STORE_PERMISSION_DENIED,
          .text = "refused by the test", .states = "p=a failed PERMISSION_DENIED", NOTHING,
          .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0,
                     {.refuse = S3STORE_PERMISSION_DENIED, .no_date = true}}},
          .rule_count = 1},
         {.name = "no permission, and a slow HEAD is no skewed clock",
          .status = S3STORE_PERMISSION_DENIED, .text = "refused by the test",
          .states = "p=a failed PERMISSION_DENIED", NOTHING, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, DENIED},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 2, {.before_us = 20 * SECOND}}},
          .rule_count = 2},
         {.name = "arrived when the fence was closed: a new attempt id", COMMITTED, .data = 2,
          .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.before_us = 15 * SECOND + 1}}},
          .rule_count = 1,
          .trace = "head commit, put data, put ref, put commit, head commit, put data, put ref, "
                   "put commit"},
         {.name = "always arrives when the fence is closed", .status = S3STORE_TIMEOUT,
          .text = "the commit timeout passed", .states = "p=a failed TIMEOUT", NOTHING, .data = 3,
          .refs = 3,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, {.before_us = 15 * SECOND + 1}}},
          .rule_count = 1},
         {.name = "no permission, where commits do not expire",
          .options = {.fence = S3STORE_FENCE_OFF}, .status = S3STORE_PERMISSION_DENIED,
          .text = "refused by the test", .states = "p=a failed PERMISSION_DENIED", NOTHING,
          .data = 1, .refs = 1, .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, DENIED}},
          .rule_count = 1},
         {.name = "a policy against overwriting: the HEAD tells", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_PUT, FAULTY_COMMIT, 2, 0, DENIED}},
          .rule_count = 2});
}

static void test_publish__clocks_that_disagree_are_an_error_that_names_both(void **state)
{
    static const int64_t offsets[] = {1100000, -1100000};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        stage s;
        s3store_error err;
        static const stage_rule rule = {S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, DENIED};
        stage_open(&s, NULL);
        stage_rules(&s, &rule, 1);
        s.faults.date_offset_us = offsets[i];
        assert_fails(stage_write_one(&s, "tok", NULL, &err), S3STORE_CLOCK_SKEW,
                     "this machine's 2018-02-07T01:26:13Z");
        assert_non_null(strstr(err.message, i == 0 ? "2018-02-07T01:26:14.100Z"
                                                   : "2018-02-07T01:26:11.900Z"));
        s.faults.date_offset_us = offsets[i] * 10 / 11; /* exactly what is allowed */
        stage_rules(&s, &rule, 1);
        assert_fails(stage_write_one(&s, "tok", NULL, &err), S3STORE_PERMISSION_DENIED, NULL);
        stage_close(&s);
    }
}

/* The server's date is as old as the way of its answer was long. */
static void test_publish__a_slow_answer_is_no_clock_that_disagrees(void **state)
{
    stage s;
    s3store_error err;
    static const stage_rule rule = {
        S3S_VERB_PUT, FAULTY_COMMIT, 1, 0,
        {.refuse = S3STORE_PERMISSION_DENIED, .after_us = SECOND / 2}};
    (void)state;
    stage_open(&s, NULL);
    stage_rules(&s, &rule, 1);
    s.faults.date_offset_us = -SECOND * 8 / 10;
    assert_fails(stage_write_one(&s, "tok", NULL, &err), S3STORE_PERMISSION_DENIED, NULL);
    stage_close(&s);
}

static void test_publish__the_verdict(void **state)
{
    TELL({.name = "asked again", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 5, BUSY}},
          .rule_count = 2},
         {.name = "not told in the first try: the second finds the first", COMMITTED, .data = 2,
          .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 6, BUSY}},
          .rule_count = 2},
         {.name = "never told: uncertain, and a retry finds it", .status = S3STORE_UNCERTAIN,
          .text = "partition p=a, token tok (attempt ", .states = "p=a failed UNCERTAIN",
          .data = 3, .refs = 3, .markers = 1, .again = "p=a existing", .entries = "p=a/tok ",
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 0, BUSY}},
          .rule_count = 2},
         {.name = "never told, never done", .status = S3STORE_UNCERTAIN, .text = "token tok",
          .states = "p=a failed UNCERTAIN", NOTHING, .data = 3, .refs = 3,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 0, BUSY}},
          .rule_count = 2},
         {.name = "told to be there, and is not: nothing is, when the fence is closed",
          .status = S3STORE_UNAVAILABLE, .text = "nothing is committed",
          .states = "p=a failed UNAVAILABLE", NOTHING, .data = 3, .refs = 3,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, NOWHERE},
                    {S3S_VERB_PUT, FAULTY_COMMIT, 2, 0, {.refuse = S3STORE_ALREADY_EXISTS}}},
          .rule_count = 2});
}

/* A commit may be out, and a later try fails in its first steps: "failed" would say too much. */
static void test_publish__a_later_try_that_fails_does_not_hide_an_earlier_commit(void **state)
{
    TELL({.name = "the first try's commit was done, its HEAD failed, then no data can be stored",
          .status = S3STORE_OK, .states = "p=a committed", .markers = 1, .again = "p=a existing",
          .entries = "p=a/tok p=a/tok ", .data = 1, .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 6, BUSY},
                    {S3S_VERB_PUT, FAULTY_DATA, 2, 0, BUSY}},
          .rule_count = 3},
         {.name = "the same, and nobody can say", .status = S3STORE_UNCERTAIN, .text = "token tok",
          .states = "p=a failed UNCERTAIN", .markers = 1, .again = "p=a existing",
          .entries = "p=a/tok ", .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 0, BUSY},
                    {S3S_VERB_PUT, FAULTY_DATA, 2, 0, BUSY}},
          .rule_count = 3},
         {.name = "the first try's commit was not done, then no ref can be stored",
          .status = S3STORE_UNAVAILABLE, .text = "nothing is committed: storing the ref",
          .states = "p=a failed UNAVAILABLE", NOTHING, .data = 2, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE},
                    {S3S_VERB_PUT, FAULTY_REF, 2, 0, BUSY}},
          .rule_count = 2},
         {.name = "not fenced, the same: not certain", .options = {.fence = S3STORE_FENCE_OFF},
          .status = S3STORE_UNCERTAIN, .text = "storing the ref",
          .states = "p=a failed UNCERTAIN", NOTHING, .data = 2, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE},
                    {S3S_VERB_PUT, FAULTY_REF, 2, 0, BUSY}},
          .rule_count = 2},
         {.name = "the first try's commit was lost, the second's is denied",
          .status = S3STORE_PERMISSION_DENIED, .text = "nothing is committed",
          .states = "p=a failed PERMISSION_DENIED", NOTHING, .data = 2, .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, NOWHERE, FIRST_TRY},
                    {S3S_VERB_PUT, FAULTY_COMMIT, 2, 0, DENIED}},
          .rule_count = 2});
}

/* ---- lateness -------------------------------------------------------------------------------- */

#define TWICE                                                                                      \
    .status = S3STORE_OK, .states = "p=a committed", .markers = 1, .again = "p=a existing",        \
    .entries = "p=a/tok p=a/tok "

static void test_publish__a_commit_seen_too_late_gets_a_fresh_place_in_the_stream(void **state)
{
    TELL({.name = "seen exactly at the commit timeout: in time", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 15 * SECOND}}},
          .rule_count = 1},
         {.name = "a microsecond later", TWICE, .data = 1, .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 15 * SECOND + 1}}},
          .rule_count = 1,
          .trace = "head commit, put data, put ref, put commit, put ref"},
         {.name = "by a slow HEAD", TWICE, .data = 1, .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 2, {.after_us = 15 * SECOND}}},
          .rule_count = 2},
         {.name = "of the first try, by the second", .status = S3STORE_OK,
          .states = "p=a committed", .markers = 1, .again = "p=a existing",
          .entries = "p=a/tok p=a/tok ", .data = 2, .refs = 3,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                    {S3S_VERB_HEAD, FAULTY_COMMIT, 2, 6,
                     {.before_us = 4 * SECOND, .refuse = S3STORE_UNAVAILABLE}}},
          .rule_count = 2},
         {.name = "by a slow ref before it", TWICE, .data = 1, .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 1, {.after_us = 10 * SECOND}},
                    {S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 5 * SECOND + 1}}},
          .rule_count = 2},
         {.name = "not fenced, stored too late", .options = {.fence = S3STORE_FENCE_OFF}, TWICE,
          .data = 1, .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.before_us = 20 * SECOND}}},
          .rule_count = 1});
}

#define TOO_LATE                                                                                   \
    .status = S3STORE_COMMIT_AFTER_TIMEOUT, .text = "partition p=a, token tok is committed",       \
    .states = "p=a committed_late COMMIT_AFTER_TIMEOUT", .markers = 1, .again = "p=a existing"

static void test_publish__a_late_commit_without_a_fresh_place_is_told(void **state)
{
    TELL({.name = "the fresh ref is refused", TOO_LATE, .data = 1, .refs = 1,
          .entries = "p=a/tok ",
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 16 * SECOND}},
                    {S3S_VERB_PUT, FAULTY_REF, 2, 0, BUSY}},
          .rule_count = 2},
         {.name = "the fresh ref is not confirmed", TOO_LATE, .data = 1, .refs = 2,
          .entries = "p=a/tok p=a/tok ",
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 16 * SECOND}},
                    {S3S_VERB_PUT, FAULTY_REF, 2, 0, LOST}},
          .rule_count = 2},
         {.name = "the fresh ref is confirmed too late", TOO_LATE, .data = 1, .refs = 2,
          .entries = "p=a/tok p=a/tok ",
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 16 * SECOND}},
                    {S3S_VERB_PUT, FAULTY_REF, 2, 0, {.after_us = 15 * SECOND + 1}}},
          .rule_count = 2},
         {.name = "the fresh ref comes when its own fence is closed", TOO_LATE, .data = 1,
          .refs = 1, .entries = "p=a/tok ",
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, {.after_us = 16 * SECOND}},
                    {S3S_VERB_PUT, FAULTY_REF, 2, 0, {.before_us = 15 * SECOND + 1}}},
          .rule_count = 2});
}

/* ---- the bound of a try ---------------------------------------------------------------------- */

static void test_publish__a_try_that_was_suspended_begins_anew(void **state)
{
    TELL({.name = "between data and ref", COMMITTED, .data = 2, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 1, {.after_us = 15 * MINUTE + 1}}},
          .rule_count = 1,
          .trace = "head commit, put data, put data, put ref, put commit"},
         {.name = "before the data", COMMITTED, .data = 2, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 1, {.before_us = 15 * MINUTE + 1}}},
          .rule_count = 1},
         {.name = "not quite as long", COMMITTED, .data = 1, .refs = 1,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 1, {.after_us = 15 * MINUTE}}},
          .rule_count = 1},
         {.name = "every time", .status = S3STORE_TIMEOUT, .text = "longer than 15 minutes",
          .states = "p=a failed TIMEOUT", NOTHING, .data = 3, .refs = 0,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 0, {.after_us = 15 * MINUTE + 1}}},
          .rule_count = 1,
          .trace = "head commit, put data, put data, put data"});
}

/* ---- the caller stops ------------------------------------------------------------------------ */

static void test_publish__the_deadline_counts_until_the_data_is_stored(void **state)
{
    TELL({.name = "passes while the data is sent", .timeout_ms = 2000, .status = S3STORE_TIMEOUT,
          .text = "storing the data", .states = "p=a failed TIMEOUT", NOTHING, .data = 0,
          .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 0,
                     {.before_us = 2 * SECOND, .refuse = S3STORE_TIMEOUT}}},
          .rule_count = 1},
         {.name = "passes when the data is stored", .timeout_ms = 2000, COMMITTED, .data = 1,
          .refs = 1, .rules = {{S3S_VERB_PUT, FAULTY_DATA, 1, 1, {.after_us = 3 * SECOND}}},
          .rule_count = 1},
         {.name = "passes while the ref is sent", .timeout_ms = 2000, COMMITTED, .data = 1,
          .refs = 1, .rules = {{S3S_VERB_PUT, FAULTY_REF, 1, 1, {.after_us = 3 * SECOND}}},
          .rule_count = 1},
         {.name = "passes while the commit is sent, and it needs another try", .timeout_ms = 2000,
          COMMITTED, .data = 2, .refs = 2,
          .rules = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, BUSY, FIRST_TRY}}, .rule_count = 1},
         {.name = "has passed at the HEAD", .timeout_ms = 2000, .status = S3STORE_TIMEOUT,
          .text = "", .states = "p=a failed TIMEOUT", NOTHING,
          .rules = {{S3S_VERB_HEAD, FAULTY_COMMIT, 1, 1, {.after_us = 3 * SECOND}}},
          .rule_count = 1, .trace = "head commit"});
}

static void test_publish__cancelling_counts_until_the_data_is_stored(void **state)
{
    static const struct {
        s3s_fault_verb verb;
        faulty_kind kind;
        const char *states;
        size_t data;
    } cases[] = {
        {S3S_VERB_HEAD, FAULTY_COMMIT, "p=a failed CANCELLED", 0},
        {S3S_VERB_PUT, FAULTY_DATA, "p=a failed CANCELLED", 0},
        {S3S_VERB_PUT, FAULTY_REF, "p=a committed", 1},
        {S3S_VERB_PUT, FAULTY_COMMIT, "p=a committed", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stage s;
        s3store_error err;
        s3store_cancel *cancel;
        s3store_write_result *result;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        stage_open(&s, NULL);
        assert_ok(s3s_cancel_new(s.env, NULL, &cancel, &err));
        stage_rule rule = {cases[i].verb, cases[i].kind, 1, 0, {0}, 0, NULL, cancel};
        stage_rules(&s, &rule, 1);
        options.token = "tok";
        options.cancel = cancel;
        s3store_status status = stage_write(&s, "p:string?;id:string?;v:int64?", ROWS("a|x|1"),
                                            &options, &result, &err);
        assert_int_equal(status, cases[i].data ? S3STORE_OK : S3STORE_CANCELLED);
        assert_string_equal(stage_states(result), cases[i].states);
        assert_int_equal(stage_count(&s, ".parquet"), cases[i].data);
        s3store_write_result_free(result);
        s3store_cancel_free(cancel);
        stage_rules(&s, NULL, 0);
        stage_close(&s);
    }
}

/* ---- servers that honour less ---------------------------------------------------------------- */

static void test_publish__a_server_without_conditions_is_waited_for(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, &(stage_options){.unconditional = true});
    int64_t begin_us = s3s_mono_us(s.env);
    assert_ok(stage_write_one(&s, NULL, NULL, &err));
    assert_int_equal(s3s_mono_us(s.env), begin_us); /* a generated token is nobody else's */
    /* A commit of this token, sent by a writer that died, arrives at the last moment. */
    s3s_marker marker = {.ref_micros = s3s_wall_us(s.env), .inserted_at_us = 5, .row_count = 9};
    s3store_metadata metadata;
    memset(marker.attempt, 'e', S3S_ATTEMPT_ID_SIZE);
    s3s_marker_metadata(&marker, &metadata);
    static const stage_rule rule = {S3S_VERB_PUT, FAULTY_COMMIT, 1, 1,
                                    LATE_BY(STAGE_TIMEOUT_US)};
    stage_rules(&s, &rule, 1);
    s3store_metadata_entry entries[8];
    s3store_put_request put = {
        .size = sizeof put, .key = "ds/data/p=a/tok.commit", .metadata = entries};
    for (size_t i = 0; i < metadata.count; i++)
        entries[put.metadata_count++] =
            (s3store_metadata_entry){metadata.text + metadata.entries[i].name,
                                     metadata.text + metadata.entries[i].value};
    s3store_put_reply reply;
    assert_fails(s3s_put(&s.faults.store, NULL, &put, &reply, &err), S3STORE_UNCERTAIN, NULL);
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    assert_true(s3s_mono_us(s.env) - begin_us > STAGE_TIMEOUT_US + STAGE_SKEW_US);
    assert_string_equal(stage_states(result), "p=a existing");
    assert_int_equal(s3store_write_result_get(result, 0)->row_count, 9);
    s3store_write_result_free(result);
    /* Who has no time for that is told so at once. */
    options.token = "tok2";
    options.timeout_ms = 1000;
    begin_us = s3s_mono_us(s.env);
    stage_rules(&s, NULL, 0);
    assert_fails(stage_write(&s, "p:string?;id:string?;v:int64?", ROWS("a|x|1"), &options, NULL,
                             &err),
                 S3STORE_TIMEOUT, "must wait for 16.000 s first");
    assert_int_equal(s3s_mono_us(s.env), begin_us);
    assert_string_equal(s.faults.trace, "list other"); /* the schema may have grown */
    stage_close(&s);
}

/* There the commit would decide nothing: it would replace the other one. */
static void test_publish__a_server_without_conditions_leaves_nothing_to_optimists(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *first, *second;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    (void)state;
    stage_open(&s, &(stage_options){.unconditional = true});
    options.token = "tok";
    options.optimistic = true;
    for (int i = 0; i < 2; i++)
        assert_ok(stage_write(&s, "p:string?;id:string?;v:int64?", ROWS("a|x|1"), &options,
                              i == 0 ? &first : &second, &err));
    assert_string_equal(stage_states(first), "p=a committed");
    assert_string_equal(stage_states(second), "p=a existing");
    assert_string_equal(s3store_write_result_get(first, 0)->data_path,
                        s3store_write_result_get(second, 0)->data_path);
    assert_int_equal(stage_count(&s, ".parquet"), 1);
    s3store_write_result_free(first);
    s3store_write_result_free(second);
    stage_close(&s);
}

static void test_publish__a_server_without_conditions_is_asked_when_all_is_settled(void **state)
{
    stage s;
    s3store_error err;
    static const stage_rule rules[] = {
        {S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LATE_BY(15 * SECOND)},
        {S3S_VERB_PUT, FAULTY_COMMIT, 2, 0, NOWHERE, FIRST_TRY},
    };
    (void)state;
    stage_open(&s, &(stage_options){.unconditional = true});
    stage_rules(&s, rules, 2);
    int64_t begin_us = s3s_mono_us(s.env);
    assert_ok(stage_write_one(&s, NULL, NULL, &err));
    assert_true(s3s_mono_us(s.env) - begin_us > 16 * SECOND);
    stage_rules(&s, NULL, 0);
    assert_int_equal(stage_count(&s, ".parquet"), 1); /* no second try */
    assert_int_equal(stage_count(&s, ".ref"), 2);     /* seen late */
    assert_string_equal(stage_rows(&s), "a|x|1;");
    stage_close(&s);
}

/* Nobody has it when all is settled: a new try is safe. */
static void test_publish__a_server_without_conditions_is_tried_again_when_nothing_is_there(
    void **state)
{
    stage s;
    s3store_error err;
    static const stage_rule busy = {S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, BUSY, FIRST_TRY};
    (void)state;
    stage_open(&s, &(stage_options){.unconditional = true});
    stage_rules(&s, &busy, 1);
    assert_ok(stage_write_one(&s, NULL, NULL, &err));
    stage_rules(&s, NULL, 0);
    assert_int_equal(stage_count(&s, ".parquet"), 2);
    assert_int_equal(stage_count(&s, ".commit"), 1);
    assert_string_equal(stage_rows(&s), "a|x|1;");
    stage_close(&s);
}

/* The windows of S3: whole seconds, an allowance for slow servers. */
static void test_publish__on_s3_a_403_near_the_end_is_an_expiry(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    /* 15 s - 1 s - 3.75 s, cut to whole seconds; the date of the answer may be a second behind. */
    static const stage_rule rule = {
        S3S_VERB_PUT, FAULTY_COMMIT, 1, 1,
        {.before_us = 9 * SECOND + SECOND / 2, .refuse = S3STORE_PERMISSION_DENIED}};
    (void)state;
    stage_open(&s, NULL);
    s.target->local = false;
    stage_rules(&s, &rule, 1);
    assert_ok(stage_write_one(&s, "tok", &result, &err));
    assert_string_equal(s.faults.trace,
                        "put other, head commit, put data, put ref, put commit, head commit, "
                        "put data, put ref, put commit");
    s3store_write_result_free(result);
    stage_close(&s);
}

/* ---- what is written ------------------------------------------------------------------------- */

static void test_publish__a_generated_token_is_its_first_attempt_id(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result;
    char path[256];
    static const stage_rule rule = {S3S_VERB_PUT, FAULTY_COMMIT, 1, 0, BUSY, FIRST_TRY, NULL, NULL};
    (void)state;
    stage_open(&s, NULL);
    assert_ok(stage_write_one(&s, NULL, &result, &err));
    const s3store_commit *c = s3store_write_result_get(result, 0);
    assert_int_equal(strlen(c->token), S3S_ATTEMPT_ID_SIZE);
    snprintf(path, sizeof path, "ds/data/p=a/%s-%s.parquet", c->token, c->token);
    assert_string_equal(c->data_path, path);
    assert_true(c->size_bytes > 0);
    s3store_write_result_free(result);
    stage_rules(&s, &rule, 1); /* a second try */
    assert_ok(stage_write_one(&s, NULL, &result, &err));
    c = s3store_write_result_get(result, 0);
    snprintf(path, sizeof path, "ds/data/p=a/%s-", c->token);
    assert_int_equal(strncmp(c->data_path, path, strlen(path)), 0);
    assert_int_not_equal(strncmp(c->data_path + strlen(path), c->token, S3S_ATTEMPT_ID_SIZE), 0);
    s3store_write_result_free(result);
    assert_string_equal(stage_rows(&s), "a|x|1;a|x|1;");
    stage_close(&s);
}

static void test_publish__a_failed_write_names_its_generated_token(void **state)
{
    stage s;
    s3store_error err;
    s3store_write_result *result, *found;
    static const stage_rule rules[] = {{S3S_VERB_PUT, FAULTY_COMMIT, 1, 1, LOST},
                                       {S3S_VERB_HEAD, FAULTY_COMMIT, 1, 0, BUSY}};
    (void)state;
    stage_open(&s, NULL);
    stage_rules(&s, rules, 2);
    assert_fails(stage_write_one(&s, NULL, &result, &err), S3STORE_UNCERTAIN, "token 0");
    const s3store_commit *c = s3store_write_result_get(result, 0);
    assert_non_null(strstr(err.message, c->token));
    stage_rules(&s, NULL, 0);
    assert_ok(s3s_lookup_commit(s.target, "p=a", c->token, NULL, &found, &err));
    assert_string_equal(stage_states(found), "p=a existing");
    s3store_write_result_free(found);
    s3store_write_result_free(result);
    stage_close(&s);
}

static void test_publish__data_objects_are_the_same_bytes_every_time(void **state)
{
    char etags[2][72];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        stage s;
        s3store_error err;
        s3store_write_result *result;
        s3store_object_info info;
        stage_open(&s, &(stage_options){.inserted_at_column = "at"});
        assert_ok(stage_write_one(&s, NULL, &result, &err));
        assert_ok(s3s_head(&s.memory, NULL, s3store_write_result_get(result, 0)->data_path, &info,
                           &err));
        memcpy(etags[i], info.etag, sizeof info.etag);
        s3store_write_result_free(result);
        stage_close(&s);
    }
    assert_string_equal(etags[0], etags[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_publish__request_counts),
        cmocka_unit_test(test_publish__the_head_before_a_write),
        cmocka_unit_test(test_publish__the_data_object),
        cmocka_unit_test(test_publish__the_ref),
        cmocka_unit_test(test_publish__the_commit),
        cmocka_unit_test(test_publish__an_unfenced_commit_that_arrives_late_is_found_by_a_retry),
        cmocka_unit_test(test_publish__a_403_says_what_it_is),
        cmocka_unit_test(test_publish__clocks_that_disagree_are_an_error_that_names_both),
        cmocka_unit_test(test_publish__a_slow_answer_is_no_clock_that_disagrees),
        cmocka_unit_test(test_publish__the_verdict),
        cmocka_unit_test(test_publish__a_later_try_that_fails_does_not_hide_an_earlier_commit),
        cmocka_unit_test(test_publish__a_commit_seen_too_late_gets_a_fresh_place_in_the_stream),
        cmocka_unit_test(test_publish__a_late_commit_without_a_fresh_place_is_told),
        cmocka_unit_test(test_publish__a_try_that_was_suspended_begins_anew),
        cmocka_unit_test(test_publish__the_deadline_counts_until_the_data_is_stored),
        cmocka_unit_test(test_publish__cancelling_counts_until_the_data_is_stored),
        cmocka_unit_test(test_publish__a_server_without_conditions_is_waited_for),
        cmocka_unit_test(test_publish__a_server_without_conditions_leaves_nothing_to_optimists),
        cmocka_unit_test(test_publish__a_server_without_conditions_is_asked_when_all_is_settled),
        cmocka_unit_test(
            test_publish__a_server_without_conditions_is_tried_again_when_nothing_is_there),
        cmocka_unit_test(test_publish__on_s3_a_403_near_the_end_is_an_expiry),
        cmocka_unit_test(test_publish__a_generated_token_is_its_first_attempt_id),
        cmocka_unit_test(test_publish__a_failed_write_names_its_generated_token),
        cmocka_unit_test(test_publish__data_objects_are_the_same_bytes_every_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
