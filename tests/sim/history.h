/* tests/sim/history.h: one history of the protocol: the real write, read and stream code over a store
 * in memory, on virtual time, with everything that can become of a writer's requests; and what must
 * hold in every one of them.
 *
 * A history is a list of choices (base/sim.h): clocks, paces, what becomes of each request, who goes
 * on. A plan says which choices there are; an explorer takes all of them, one history after the
 * other. A plan with a script has no choices: it is one known history.
 *
 * What must hold; messages begin with the letter:
 *   (a) no torn or uncommitted row on any path
 *   (b) what is acknowledged is in every later snapshot
 *   (c) a retry of a token gives the same result
 *   (d) what a reader of the stream has seen never gains predecessors and never changes
 *   (e) a reader of the stream that follows the contract misses no committed row
 *   (f) a snapshot, and the stream from its offset, are everything; for every cut
 *   (g) no ref is sent so late after its data that a sweep for orphans may have removed them; and a
 *       sweep, at any moment, removes nothing that is or becomes visible
 *   (h) the markers of a view are there for every committed row, from the moment it is one
 *   (i) no error is lost: what is said to have failed is not committed, and nothing fails without
 *       faults
 */
#ifndef S3S_TESTS_SIM_HISTORY_H
#define S3S_TESTS_SIM_HISTORY_H

#include "sim/world.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)

/* What the second writer does. */
typedef enum history_second {
    SECOND_NONE,
    SECOND_LATER,       /* the same token, after the first has ended or died */
    SECOND_AT_ONCE,     /* the same token, at the same time */
    SECOND_OTHER,       /* a token of its own in the same partition, a little later */
    SECOND_OTHER_DATA,  /* the same token with other data, after the first */
    SECOND_RESTAMPS,    /* an operator puts the commit into the stream again, when there is one */
} history_second;

/* Groups of what may become of a request. */
enum {
    MENU_ONE = 1 << 0,       /* refused, answer lost, late, slow */
    MENU_LASTING = 1 << 1,   /* the same for a while */
    MENU_CRASH = 1 << 2,
    MENU_CANCEL = 1 << 3,
    MENU_EDGE = 1 << 4,      /* at the last moment, and just after it */
    MENU_HOURS = 1 << 5,     /* long pauses */
    MENU_ALL = (1 << 6) - 1,
};

/* What a script does to requests number from..to (to 0 = and all later ones) of a writer. */
typedef struct history_rule {
    unsigned writer; /* 0, 1; WORLD_READER, WORLD_CUTTER */
    s3s_fault_verb verb;
    faulty_kind kind;
    unsigned from, to;
    faulty_fate fate;
    int64_t until_us; /* virtual time since the start of the history; 0 = for ever */
    /* It arrives late_us after the last moment of its validity, and the server takes all the time to
     * apply it that it may, and apply_us more (fate.late is set). */
    bool at_the_end;
} history_rule;

typedef struct history_plan {
    const char *name;
    /* The set-up. */
    s3store_fence fence;
    bool s3;            /* the timing of S3; else exact */
    bool unconditional; /* the server ignores If-None-Match */
    int64_t timeout_us; /* the commit timeout; 0 = WORLD_TIMEOUT_US */
    bool generated;     /* the first writer has no token */
    bool optimistic;
    bool interleaved; /* writers at once: every order of their steps */
    bool torn_lists;  /* a snapshot LISTs key by key, its steps among those of the writers */
    bool views;      /* writers keep a view; what becomes of its markers is a choice, too */
    const char *given_up; /* letters of what need not hold here; NULL = all must */
    /* Choices. */
    unsigned faults;  /* at most so many in a history */
    unsigned asked;   /* requests that are offered one */
    unsigned faulty;  /* writers they belong to: 1, 2, 3 = both */
    unsigned menu;
    bool clocks;      /* the clocks of writers and readers, at their extremes */
    bool paces;       /* how the reader of the stream works */
    bool delays;      /* when the second writer begins */
    unsigned sweeps;  /* an operator removes orphans, once, after one of so many first effects */
    unsigned suspend; /* the first writer's machine stands still before its i-th look at a clock */
    /* Or a script, with its clocks. */
    history_second second;
    int64_t second_after_us; /* begins so much later; without `delays` */
    const history_rule *rules;
    size_t rule_count;
    int64_t clock_us[WORLD_TARGETS];
    int64_t phase_us;  /* the first writer begins so long after a whole second */
    unsigned pace;     /* how the reader of the stream works; 0 = polls at once */
    int64_t suspend_at_us, suspend_for_us; /* a look at the clock at or after it */
} history_plan;

/* For scripts: what must have become of the first writer and of what it left. */
typedef struct history_outcome {
    s3store_status first, second; /* S3STORE_END: whatever it is */
    int refs, entries;            /* -1: whatever it is */
} history_outcome;

/* Sums over the histories of a plan, for tests and figures. */
typedef struct history_sums {
    unsigned outcomes[32]; /* by status of the first writer; 31 = crashed */
    unsigned committed, restamped, tries_max;
    uint64_t removed, rows_viewed;
    uint64_t entries, polls, cuts;
} history_sums;

typedef struct history_run {
    const history_plan *plan;
    history_sums sums;
    /* Of the last history. */
    s3store_status status[WORLD_WRITERS];
    s3store_error err[WORLD_WRITERS];
    bool crashed[WORLD_WRITERS];
    size_t refs, data, entries; /* objects of the writers; what the reader saw of them */
    int64_t deadline_mono_us;   /* real time to stop at: END; 0 = none */
} history_run;

/* The choices of a plan's setting one by one: how many settings there are; and the plan of one of
 * them, without those choices. name: HISTORY_NAME_SIZE bytes, for the new plan's name. */
#define HISTORY_NAME_SIZE 160
size_t history_setting_count(const history_plan *plan);
history_plan history_setting(const history_plan *plan, size_t i, char *name);

/* For s3s_explore: ctx is a history_run. explorer NULL = a script. */
s3store_status history_one(void *ctx, s3s_explorer *explorer, s3store_error *err);

#endif
