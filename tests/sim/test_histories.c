/* All histories of the plans below (history.h says what must hold in each).
 *
 *   test_sim_histories                       every plan, in its short form
 *   test_sim_histories list
 *   test_sim_histories replay PLAN CHOICES   one history again: "#17", or "0,2,1"; prints its choices
 *   test_sim_histories long SECONDS PART OF  the long forms for so long: each setting of each plan (its
 *                                            clocks, paces, delays) a plan of its own, with its
 *                                            share of the time; of those every OF-th, from PART
 */
#include "support/test.h"

#include <stdlib.h>
#include <time.h>

#include "sim/history.h"

#define SECONDS(us) ((double)(us) / 1e6)

#define HISTORIES_MAX (WORLD_SANITIZED ? 200 : 0)

static const history_rule first_dies[] = {
    {.verb = S3S_VERB_PUT, .kind = FAULTY_DATA, .from = 1, .to = 1, .fate = {.crash = true}},
};

static const history_plan short_plans[] = {
    /* The attempt of the retry sorts before that of the first, which left its data. */
    {.name = "a snapshot key by key",
     .interleaved = true, .torn_lists = true, .second = SECOND_LATER, .rules = first_dies,
     .rule_count = 1, .clock_us = {SECOND / 2, -SECOND / 2, 0, 0}},
    /* Every step, every fate, every clock; the same token again afterwards. */
    {.name = "one fault, clocks",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ALL, .clocks = true,
     .second = SECOND_LATER},
    {.name = "one fault, clocks, timing of S3",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ALL, .clocks = true, .s3 = true,
     .second = SECOND_LATER},
    {.name = "one fault, slow readers",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ALL, .paces = true,
     .second = SECOND_OTHER, .second_after_us = SECOND},
    {.name = "one fault, slow readers, timing of S3",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ALL, .paces = true, .s3 = true,
     .second = SECOND_OTHER, .second_after_us = SECOND},
    {.name = "two faults",
     .faults = 2, .asked = 7, .faulty = 1, .menu = MENU_ALL, .second = SECOND_LATER},
    {.name = "two faults of a generated token",
     .faults = 2, .asked = 6, .faulty = 1, .menu = MENU_ONE | MENU_LASTING | MENU_CRASH,
     .generated = true},
    {.name = "two faults, optimistic",
     .faults = 2, .asked = 4, .faulty = 1, .menu = MENU_ONE | MENU_LASTING | MENU_CRASH,
     .optimistic = true, .second = SECOND_LATER},
    {.name = "one fault of each of two writers",
     .faults = 2, .asked = 8, .faulty = 3, .menu = MENU_ONE | MENU_CRASH, .second = SECOND_AT_ONCE,
     .s3 = true},
    {.name = "other data under the same token",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ALL, .second = SECOND_OTHER_DATA,
     .delays = true},
    {.name = "restamp",
     .faults = 1, .asked = 100, .faulty = 3, .menu = MENU_ALL, .second = SECOND_RESTAMPS,
     .clocks = true},
    {.name = "a machine that stands still", .suspend = 100, .second = SECOND_LATER},
    {.name = "a machine that stands still, timing of S3",
     .suspend = 100, .second = SECOND_LATER, .s3 = true},
    {.name = "a sweep for orphans",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ONE | MENU_CRASH | MENU_HOURS,
     .second = SECOND_LATER, .sweeps = 3},
    {.name = "a sweep for orphans beside another token",
     .faults = 1, .asked = 6, .faulty = 1, .menu = MENU_CRASH | MENU_HOURS,
     .second = SECOND_OTHER, .sweeps = 4},
    {.name = "a view",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ALL, .second = SECOND_OTHER,
     .views = true},
    {.name = "a view, the same token again",
     .faults = 2, .asked = 4, .faulty = 1, .menu = MENU_ONE | MENU_CRASH, .second = SECOND_LATER,
     .views = true},
    {.name = "a server that ignores conditions",
     .faults = 1, .asked = 100, .faulty = 1, .menu = MENU_ALL, .second = SECOND_LATER,
     .unconditional = true, .delays = true},
    /* Late commits are missed; what is said of them is true all the same. */
    {.name = "two faults without the fence",
     .faults = 2, .asked = 5, .faulty = 1, .menu = MENU_ALL, .fence = S3STORE_FENCE_OFF,
     .given_up = "def", .second = SECOND_NONE},
    {.name = "two writers of one token, every order of their steps",
     .interleaved = true, .second = SECOND_AT_ONCE},
};
#define SHORT_COUNT (sizeof short_plans / sizeof short_plans[0])

/* Stopped by the time. */
static const history_plan long_plans[] = {
    {.name = "long: three faults",
     .faults = 3, .asked = 12, .faulty = 1, .menu = MENU_ALL, .second = SECOND_LATER},
    {.name = "long: two writers of one token with two faults, every order",
     .faults = 2, .asked = 12, .faulty = 3, .menu = MENU_ONE | MENU_CRASH, .interleaved = true,
     .second = SECOND_AT_ONCE},
    {.name = "long: two faults, clocks, slow readers, timing of S3",
     .faults = 2, .asked = 100, .faulty = 1, .menu = MENU_ALL, .clocks = true, .paces = true,
     .s3 = true, .second = SECOND_LATER, .delays = true},
    {.name = "long: two faults, clocks, slow readers",
     .faults = 2, .asked = 100, .faulty = 1, .menu = MENU_ALL, .clocks = true, .paces = true,
     .second = SECOND_OTHER, .delays = true},
    {.name = "long: two faults, a machine that stands still",
     .faults = 2, .asked = 100, .faulty = 1, .menu = MENU_ALL, .suspend = 100, .s3 = true,
     .second = SECOND_LATER},
    {.name = "long: a snapshot key by key",
     .interleaved = true, .torn_lists = true, .second = SECOND_LATER, .faults = 1, .asked = 8,
     .faulty = 1, .menu = MENU_CRASH | MENU_ONE, .clock_us = {SECOND / 2, -SECOND / 2, 0, 0}},
    {.name = "long: restamp with two faults and clocks",
     .faults = 2, .asked = 100, .faulty = 3, .menu = MENU_ALL, .second = SECOND_RESTAMPS,
     .clocks = true, .s3 = true},
    {.name = "long: a sweep for orphans, two faults and clocks",
     .faults = 2, .asked = 100, .faulty = 1, .menu = MENU_ALL, .second = SECOND_LATER,
     .sweeps = 6, .clocks = true},
    {.name = "long: a view, two faults and clocks",
     .faults = 2, .asked = 100, .faulty = 3, .menu = MENU_ALL, .second = SECOND_AT_ONCE,
     .views = true, .clocks = true},
    {.name = "long: a server that ignores conditions, two faults",
     .faults = 2, .asked = 100, .faulty = 1, .menu = MENU_ALL, .second = SECOND_LATER,
     .unconditional = true, .delays = true, .clocks = true},
};
#define LONG_COUNT (sizeof long_plans / sizeof long_plans[0])

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static uint64_t total;

static bool explore(const history_plan *plan, int64_t time_us)
{
    static char trace[1 << 16];
    history_run run = {.plan = plan};
    s3store_error err = {0};
    uint64_t histories = 0;
    int64_t begun = now_us();
    run.deadline_mono_us = time_us > 0 ? begun + time_us : 0;
    s3store_status status = s3s_explore(history_one, &run, HISTORIES_MAX, &histories, &err);
    bool stopped = status == S3STORE_END || status == S3STORE_LIMIT_EXCEEDED;
    double took = SECONDS(now_us() - begun);
    histories -= status == S3STORE_END;
    total += histories;
    printf("%-62s %9llu histories%s, %.1f s, %.0f/s:", plan->name, (unsigned long long)histories,
           stopped ? " (not all)" : "", took, (double)histories / (took > 0 ? took : 1));
    for (size_t i = 0; i < 32; i++)
        if (run.sums.outcomes[i] > 0)
            printf(" %s %u", i == 31 ? "crashed" : s3store_status_name((s3store_status)i),
                   run.sums.outcomes[i]);
    printf("; %u committed, %llu polls, %llu cuts", run.sums.committed,
           (unsigned long long)run.sums.polls, (unsigned long long)run.sums.cuts);
    if (plan->sweeps > 0)
        printf(", %llu objects removed", (unsigned long long)run.sums.removed);
    if (plan->views)
        printf(", %llu rows viewed", (unsigned long long)run.sums.rows_viewed);
    printf("\n");
    fflush(stdout);
    if (status == S3STORE_OK || stopped)
        return true;
    char number[32];
    s3store_error again;
    snprintf(number, sizeof number, "#%llu", (unsigned long long)histories - 1);
    run.deadline_mono_us = 0;
    (void)s3s_explore_replay(history_one, &run, number, trace, sizeof trace, &again);
    printf("FAILED: %s\n%s\n%s", plan->name, err.message, trace);
    return false;
}

/* All settings of the long plans, one after the other. false: there are no more. */
typedef struct settings {
    size_t plan, i;
    char name[HISTORY_NAME_SIZE];
} settings;

static bool next_setting(settings *s, history_plan *out)
{
    while (s->plan < LONG_COUNT && s->i == history_setting_count(&long_plans[s->plan])) {
        s->plan++;
        s->i = 0;
    }
    if (s->plan == LONG_COUNT)
        return false;
    *out = history_setting(&long_plans[s->plan], s->i++, s->name);
    return true;
}

/* Each plan has the same share of the time, and in it each setting. */
static bool explore_long(int64_t seconds, size_t part, size_t of)
{
    history_plan plan;
    double weight = 0;
    size_t count = 0;
    int64_t end_us = now_us() + seconds * 1000000;
    for (settings s = {0}; next_setting(&s, &plan);)
        if (count++ % of == part)
            weight += 1.0 / (double)history_setting_count(&long_plans[s.plan]);
    count = 0;
    for (settings s = {0}; next_setting(&s, &plan);) {
        if (count++ % of != part)
            continue;
        double own = 1.0 / (double)history_setting_count(&long_plans[s.plan]);
        int64_t left_us = end_us - now_us();
        if (left_us <= 0)
            return true;
        if (!explore(&plan, (int64_t)((double)left_us * own / weight) + 1))
            return false;
        weight -= own;
    }
    return true;
}

static bool find_plan(const char *name, settings *s, history_plan *out)
{
    for (size_t i = 0; i < SHORT_COUNT; i++) {
        *out = short_plans[i];
        if (strcmp(out->name, name) == 0)
            return true;
    }
    *s = (settings){0};
    while (next_setting(s, out))
        if (strcmp(out->name, name) == 0)
            return true;
    return false;
}

static int replay(const char *name, const char *choices)
{
    static char trace[1 << 16];
    settings at;
    history_plan plan;
    history_run run = {.plan = &plan};
    s3store_error err = {0};
    if (!find_plan(name, &at, &plan)) {
        fprintf(stderr, "there is no plan \"%s\"\n", name);
        return 2;
    }
    s3store_status status =
        s3s_explore_replay(history_one, &run, choices, trace, sizeof trace, &err);
    printf("%sfirst writer: %s%s%s\n", trace,
           run.crashed[0] ? "crashed" : s3store_status_name(run.status[0]),
           run.err[0].message[0] != '\0' ? ": " : "", run.err[0].message);
    printf("%zu refs, %zu data objects, %zu entries seen\n", run.refs, run.data, run.entries);
    if (status != S3STORE_OK)
        printf("%s\n", err.message);
    return status != S3STORE_OK;
}

int main(int argc, char **argv)
{
    bool ok = true;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "replay") == 0 && argc == 4)
        return replay(argv[2], argv[3]);
    if (strcmp(verb, "list") == 0) {
        for (size_t i = 0; i < SHORT_COUNT; i++)
            printf("%s\n", short_plans[i].name);
        history_plan plan;
        for (settings s = {0}; next_setting(&s, &plan);)
            printf("%s\n", plan.name);
        return 0;
    }
    if (strcmp(verb, "long") == 0 && argc == 5) {
        ok = explore_long(strtol(argv[2], NULL, 10), strtoul(argv[3], NULL, 10),
                          strtoul(argv[4], NULL, 10));
    } else if (argc == 1 || strcmp(verb, "short") == 0) {
        for (size_t i = 0; ok && i < SHORT_COUNT; i++)
            ok = argc < 3 || strstr(short_plans[i].name, argv[2]) != NULL
                     ? explore(&short_plans[i], 0) : ok;
    } else {
        fprintf(stderr, "usage: test_sim_histories [list | short [PLAN] | replay PLAN CHOICES |"
                        " long SECONDS PART OF]\n");
        return 2;
    }
    printf("histories %llu\n", (unsigned long long)total);
    return ok ? 0 : 1;
}
