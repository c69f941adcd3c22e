/* Known histories, each by its name: the shortest ones that broke earlier rules of the protocol in its
 * model, played by the real code. Times of the model are scaled to a commit timeout of 15 s and a
 * clock skew of 1 s. What must hold in all of them is in history.h; what became of the writers, here.
 * tests/mutants has the broken rules: each of them fails here or in test_histories.c.
 */
#include "support/test.h"

#include "base/error.h"
#include "sim/history.h"

#define ANY S3STORE_END
#define LOST .answer = S3STORE_UNCERTAIN
#define PUT(who, what, first, last)                                                                \
    .writer = (who), .verb = S3S_VERB_PUT, .kind = (what), .from = (first), .to = (last)
#define COMMIT(first, last) PUT(0, FAULTY_COMMIT, first, last)

/* Arrives when its time is over; sent again, it is late again. */
#define LATE_COMMITS_OF_THE_FIRST_TRY                                                              \
    {                                                                                              \
        COMMIT(1, 0), .fate = {.late = true, .late_us = 20 * SECOND, LOST},                        \
                      .until_us = 15 * SECOND + 1                                                  \
    }
/* Arrives at the last moment, and nobody hears of it. */
#define LAST_MOMENT                                                                                \
    {                                                                                              \
        COMMIT(1, 1), .fate = {.late = true, LOST}, .at_the_end = true                             \
    }
#define JUST_TOO_LATE                                                                              \
    {                                                                                              \
        COMMIT(1, 1), .fate = {.late = true, .late_us = 1, LOST}, .at_the_end = true               \
    }
#define DIES_WITH_THE_COMMIT_ON_ITS_WAY(us)                                                        \
    {                                                                                              \
        COMMIT(1, 1), .fate = {.late = true, .late_us = (us), .crash = true}                       \
    }

static const history_rule late_commits[] = {LATE_COMMITS_OF_THE_FIRST_TRY};
static const history_rule last_moment[] = {LAST_MOMENT};
static const history_rule just_too_late[] = {JUST_TOO_LATE};
static const history_rule last_moment_and_dies[] = {
    {COMMIT(1, 1), .fate = {.late = true, .crash = true}, .at_the_end = true}};
static const history_rule node_behind[] = {
    {COMMIT(1, 1), .fate = {.late = true, .apply_us = SECOND, .crash = true}, .at_the_end = true}};
static const history_rule on_its_way[] = {
    {COMMIT(1, 1), .fate = {.late = true, .late_us = 20 * SECOND, LOST}}};
static const history_rule refs_late[] = {
    {PUT(0, FAULTY_REF, 1, 0), .fate = {.late = true, .late_us = 20 * SECOND, LOST}}};
static const history_rule ref_lost[] = {{PUT(0, FAULTY_REF, 1, 1), .fate = {LOST}}};
static const history_rule restamp_late[] = {
    {PUT(1, FAULTY_REF, 1, 0), .fate = {.late = true, .late_us = 20 * SECOND, LOST}}};
static const history_rule dies_late[] = {DIES_WITH_THE_COMMIT_ON_ITS_WAY(14 * SECOND)};
static const history_rule dies_too_late[] = {DIES_WITH_THE_COMMIT_ON_ITS_WAY(20 * SECOND)};
static const history_rule dies_before_the_commit[] = {
    {PUT(0, FAULTY_REF, 1, 1), .fate = {.crash = true}}};
static const history_rule dies_after_the_data[] = {
    {PUT(0, FAULTY_DATA, 1, 1), .fate = {.crash = true}}};
static const history_rule slow_server[] = {
    {COMMIT(1, 1), .fate = {.late = true, .apply_us = 8 * SECOND, LOST}, .at_the_end = true},
    /* Nothing else comes through before that. */
    {COMMIT(2, 0), .fate = {.refuse = S3STORE_UNAVAILABLE}, .until_us = 21 * SECOND},
    {.verb = S3S_VERB_HEAD, .kind = FAULTY_COMMIT, .from = 2, .to = 2,
     .fate = {.before_us = 14 * SECOND}},
};
static const history_rule unsure[] = {
    {COMMIT(1, 0), .fate = {LOST}, .until_us = 400 * SECOND},
    {.verb = S3S_VERB_HEAD, .kind = FAULTY_COMMIT, .from = 2, .to = 0,
     .fate = {.refuse = S3STORE_UNAVAILABLE}, .until_us = 400 * SECOND},
};
static const history_rule cannot_be_asked[] = {
    {COMMIT(1, 0), .fate = {LOST}, .until_us = 100 * SECOND},
    {.verb = S3S_VERB_HEAD, .kind = FAULTY_COMMIT, .from = 2, .to = 2,
     .fate = {.refuse = S3STORE_PERMISSION_DENIED}},
};
static const history_rule copies_on_their_way[] = {
    {COMMIT(1, 5), .fate = {.late = true, .late_us = 10 * SECOND, LOST}}, /* one call's attempts */
    {COMMIT(6, 0), .fate = {.refuse = S3STORE_PERMISSION_DENIED}},
};
/* Every copy of the first try's commit, and by then nobody sends it any more: the writer waited for
 * 16 s before it began. */
static const history_rule all_at_the_last_moment[] = {
    {COMMIT(1, 0), .fate = {.late = true, LOST}, .until_us = 31 * SECOND + 2,
     .at_the_end = true}};
static const history_rule data_is_slow[] = {
    {PUT(0, FAULTY_DATA, 1, 1), .fate = {.after_us = 14 * MINUTE}}};
static const history_rule copy_of_the_data_is_late[] = {
    {PUT(0, FAULTY_DATA, 1, 1), .fate = {.late = true, .late_us = 20 * SECOND, LOST}}};
/* The LIST that shows the second writer's ref, and not yet the first's, is long on its way. */
static const history_rule list_is_slow[] = {
    {PUT(0, FAULTY_REF, 1, 1), .fate = {.before_us = 5 * SECOND}},
    {.writer = WORLD_READER, .verb = S3S_VERB_LIST, .kind = FAULTY_OTHER, .from = 4, .to = 4,
     .fate = {.after_us = 17 * SECOND}},
};
static const history_rule reader_between_list_and_head[] = {
    {COMMIT(1, 1), .fate = {.before_us = 2 * SECOND}},
    {.writer = WORLD_READER, .verb = S3S_VERB_HEAD, .kind = FAULTY_COMMIT, .from = 1, .to = 0,
     .fate = {.before_us = 5 * SECOND}},
};

#define SCRIPT(r) .rules = (r), .rule_count = sizeof(r) / sizeof(r)[0]
#define RETRIED .second = SECOND_LATER

static const struct named {
    history_plan plan;
    history_outcome outcome;
} histories[] = {
    /* A late commit, tried anew: never one attempt id with two stamps. */
    {{.name = "A01 a late commit is refused, a new try commits", SCRIPT(late_commits), RETRIED},
     {S3STORE_OK, S3STORE_OK, 2, 1}},
    {{.name = "A02 the same, the reader ahead", SCRIPT(late_commits), RETRIED,
      .clock_us = {0, 0, SECOND, SECOND}},
     {S3STORE_OK, S3STORE_OK, 2, 1}},
    {{.name = "A03 the same, the reader behind", SCRIPT(late_commits), RETRIED,
      .clock_us = {0, 0, -SECOND, -SECOND}},
     {S3STORE_OK, S3STORE_OK, 2, 1}},
    {{.name = "A04 at the last moment, the reader as far ahead as may be",
      SCRIPT(last_moment_and_dies), .s3 = true, .clock_us = {0, 0, SECOND, SECOND}},
     {ANY, ANY, 1, 1}},
    {{.name = "A05 a writer far ahead", SCRIPT(dies_late), RETRIED, .s3 = true,
      .clock_us = {7 * SECOND, 0, SECOND, SECOND}},
     {ANY, ANY, -1, -1}},
    {{.name = "A06 a writer behind", SCRIPT(late_commits), RETRIED, .s3 = true,
      .clock_us = {-3 * SECOND, 0, SECOND, SECOND}},
     {S3STORE_OK, S3STORE_OK, -1, 1}},
    {{.name = "A07 a server that accepts the last moment itself", SCRIPT(last_moment_and_dies),
      .clock_us = {0, 0, SECOND, SECOND}},
     {ANY, ANY, 1, 1}},
    {{.name = "A08 a server that compares whole seconds", SCRIPT(last_moment_and_dies), .s3 = true,
      .clock_us = {SECOND / 2, 0, SECOND, SECOND}},
     {ANY, ANY, 1, 1}},
    {{.name = "A09 a server that applies as late as it may", SCRIPT(last_moment), .s3 = true,
      RETRIED, .clock_us = {0, 0, SECOND, SECOND}},
     {S3STORE_OK, S3STORE_OK, -1, -1}},
    {{.name = "A10 a node of the server that is behind", SCRIPT(node_behind), .s3 = true},
     {ANY, ANY, 1, 1}},
    {{.name = "A11 a commit timeout that is no whole number of seconds",
      SCRIPT(last_moment_and_dies), .s3 = true, .timeout_us = 11 * SECOND / 2,
      .clock_us = {0, 0, SECOND, SECOND}},
     {ANY, ANY, 1, 1}},
    {{.name = "A12 a server far ahead: no commit falls back on the unfenced form",
      .rules = late_commits, .s3 = true, .clock_us = {-14 * SECOND, 0, 0, 0}},
     {S3STORE_TIMEOUT, ANY, 3, 0}},
    {{.name = "A13 refs that arrive late", SCRIPT(refs_late), RETRIED},
     {S3STORE_UNAVAILABLE, S3STORE_OK, 2, 1}},
    {{.name = "A14 a ref whose answer is lost", SCRIPT(ref_lost), RETRIED},
     {S3STORE_OK, S3STORE_OK, 1, 1}},
    {{.name = "A15 committed at the last moment, found by a HEAD: the result is the marker's",
      SCRIPT(last_moment), RETRIED, .clock_us = {SECOND, 0, 0, 0}},
     {S3STORE_OK, S3STORE_OK, -1, -1}},
    {{.name = "A16 the condition ignored, the commit at the last moment", SCRIPT(last_moment),
      RETRIED, .unconditional = true, .clock_us = {SECOND, 0, 0, 0}},
     {S3STORE_OK, S3STORE_OK, -1, -1}},
    {{.name = "A17 the condition ignored, just too late", SCRIPT(just_too_late), RETRIED,
      .unconditional = true, .clock_us = {SECOND, 0, 0, 0}},
     {S3STORE_OK, S3STORE_OK, -1, -1}},
    {{.name = "A18 the condition ignored, a server that takes its time", SCRIPT(last_moment),
      RETRIED, .unconditional = true, .s3 = true, .clock_us = {SECOND, 0, SECOND, SECOND}},
     {S3STORE_OK, S3STORE_OK, -1, -1}},
    /* An operator's restamp. */
    {{.name = "R01 a restamp that arrives late is refused", SCRIPT(restamp_late),
      .second = SECOND_RESTAMPS},
     {S3STORE_OK, ANY, 1, 1}},
    {{.name = "R02 a restamp by an operator ahead", .second = SECOND_RESTAMPS, .rules = ref_lost,
      .clock_us = {0, SECOND, 0, 0}},
     {S3STORE_OK, S3STORE_OK, 2, 2}},
    {{.name = "R03 a restamp by an operator behind the writer", .second = SECOND_RESTAMPS,
      .rules = ref_lost, .clock_us = {SECOND / 2, -SECOND / 2, 0, 0}},
     {S3STORE_OK, S3STORE_OK, 2, 2}},
    /* One token, one after the other or at once. */
    {{.name = "S01 dies with its commit on its way; the retry commits, or finds it",
      SCRIPT(dies_late), RETRIED},
     {ANY, S3STORE_OK, 2, 1}},
    {{.name = "S02 the same, too late", SCRIPT(dies_too_late), RETRIED}, {ANY, S3STORE_OK, 2, 1}},
    {{.name = "S03 the same, the condition ignored: the retry waits", SCRIPT(dies_late), RETRIED,
      .unconditional = true},
     {ANY, S3STORE_OK, 1, 1}},
    {{.name = "S04 the same, skewed", SCRIPT(last_moment_and_dies), RETRIED, .unconditional = true,
      .clock_us = {SECOND, 0, 0, 0}},
     {ANY, S3STORE_OK, 1, 1}},
    {{.name = "S05 the same, on a server that takes its time", SCRIPT(last_moment_and_dies),
      RETRIED, .unconditional = true, .s3 = true, .clock_us = {SECOND, 0, 0, 0}},
     {ANY, S3STORE_OK, 1, 1}},
    {{.name = "S06 at once", .second = SECOND_AT_ONCE, .rules = ref_lost},
     {S3STORE_OK, S3STORE_OK, -1, 1}},
    {{.name = "S07 at once, the first is late and tries anew", SCRIPT(late_commits),
      .second = SECOND_AT_ONCE},
     {S3STORE_OK, S3STORE_OK, -1, 1}},
    /* What each rule is worth. */
    {{.name = "X01 a server slower than assumed: the extra ref", SCRIPT(slow_server), .s3 = true,
      .given_up = "d", .clock_us = {0, 0, SECOND, SECOND}},
     {S3STORE_OK, ANY, 2, 1}},
    {{.name = "X02 the network alone: the extra ref does no harm",
      SCRIPT(last_moment), .clock_us = {0, 0, SECOND, SECOND}},
     {S3STORE_OK, ANY, -1, -1}},
    {{.name = "X03 nobody can be asked: the error is UNCERTAIN", SCRIPT(unsure)},
     {S3STORE_UNCERTAIN, ANY, -1, 1}},
    {{.name = "X04 different tokens do not meet", SCRIPT(late_commits), .second = SECOND_OTHER,
      .second_after_us = SECOND},
     {S3STORE_OK, S3STORE_OK, 3, 2}},
    {{.name = "X05 a marker that comes between LIST and HEAD",
      SCRIPT(reader_between_list_and_head)},
     {S3STORE_OK, ANY, 1, 1}},
    {{.name = "X06 a ref that comes after a LIST, and a later one that was in it",
      SCRIPT(list_is_slow), .second = SECOND_OTHER, .second_after_us = SECOND},
     {S3STORE_OK, S3STORE_OK, 2, 2}},
    {{.name = "X07 the clock is known to be wrong, and a commit is on its way: UNCERTAIN",
      SCRIPT(on_its_way), .clock_us = {5 * SECOND, 0, 0, 0}},
     {S3STORE_UNCERTAIN, ANY, 1, 1}},
    {{.name = "X08 the condition ignored, and nobody can be asked: no new try replaces a commit",
      SCRIPT(cannot_be_asked), .unconditional = true, RETRIED},
     {S3STORE_OK, S3STORE_OK, 2, 2}},
    {{.name = "X09 refused for good, while earlier copies are on their way: not certain at once",
      SCRIPT(copies_on_their_way)},
     {S3STORE_OK, ANY, 2, 2}},
    {{.name = "X10 the condition ignored, a copy lands when nobody sends any more: asked for after it",
      SCRIPT(all_at_the_last_moment), .unconditional = true, RETRIED, .clock_us = {SECOND, 0, 0, 0}},
     {S3STORE_OK, S3STORE_OK, 2, 2}},
    /* From a snapshot to the stream; the reader behind and ahead. */
    {{.name = "P01 handoff, the reader behind", SCRIPT(last_moment_and_dies), .s3 = true,
      .clock_us = {0, 0, -SECOND, -SECOND}},
     {ANY, ANY, 1, 1}},
    {{.name = "P02 handoff, the reader ahead", SCRIPT(late_commits), .s3 = true,
      .clock_us = {0, 0, SECOND, SECOND}},
     {S3STORE_OK, ANY, -1, 1}},
    /* Snapshots, and what a sweep for orphans relies on. */
    {{.name = "N01 a dead attempt beside the committed one", SCRIPT(dies_before_the_commit),
      RETRIED},
     {ANY, S3STORE_OK, 2, 1}},
    {{.name = "N02 the same, the retry's attempt sorts first", SCRIPT(dies_after_the_data),
      RETRIED, .clock_us = {SECOND / 2, -SECOND / 2, 0, 0}},
     {ANY, S3STORE_OK, 1, 1}},
    {{.name = "N03 a second copy of the data arrives after the commit",
      SCRIPT(copy_of_the_data_is_late), RETRIED},
     {S3STORE_OK, S3STORE_OK, 1, 1}},
    {{.name = "N04 the data took 14 minutes: the ref is sent", SCRIPT(data_is_slow), RETRIED},
     {S3STORE_OK, S3STORE_OK, 1, 1}},
    {{.name = "N05 a machine stands still for hours between data and ref", SCRIPT(data_is_slow),
      RETRIED, .suspend_at_us = 14 * MINUTE, .suspend_for_us = 300 * MINUTE},
     {ANY, S3STORE_OK, -1, 1}},
};
#define COUNT (sizeof histories / sizeof histories[0])

static void play(void **state)
{
    const struct named *n = *state;
    history_run run = {.plan = &n->plan};
    s3store_error err = {0};
    s3store_status status = history_one(&run, NULL, &err);
    if (status != S3STORE_OK)
        fail_msg("%s", err.message);
    const history_outcome *o = &n->outcome;
    if (o->first != ANY && (run.crashed[0] || run.status[0] != o->first))
        fail_msg("the first writer: %s: %s", s3store_status_name(run.status[0]),
                 run.err[0].message);
    if (o->second != ANY && run.status[1] != o->second)
        fail_msg("the second writer: %s: %s", s3store_status_name(run.status[1]),
                 run.err[1].message);
    if (o->refs >= 0)
        assert_int_equal(run.refs, o->refs);
    if (o->entries >= 0)
        assert_int_equal(run.entries, o->entries);
    if (run.status[0] == S3STORE_UNCERTAIN)
        assert_non_null(strstr(run.err[0].message, "token first"));
}

int main(void)
{
    struct CMUnitTest tests[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        tests[i] = (struct CMUnitTest){histories[i].plan.name, play, NULL, NULL,
                                       (void *)(uintptr_t)&histories[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
