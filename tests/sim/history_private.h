/* tests/sim/history_private.h: the inside of one history, shared by history.c (who acts) and
 * history_check.c (who looks on, and what must hold). */
#ifndef S3S_TESTS_SIM_HISTORY_PRIVATE_H
#define S3S_TESTS_SIM_HISTORY_PRIVATE_H

#include "base/sync.h"
#include "sim/history.h"
#include "sim/history_menu.h"

#define ROWS 2 /* of each write: half of them would be torn */
#define DAY "2018-02-07"
#define PARTITION "day=" DAY
#define GROUPS 2 /* tokens: that of the first writer, and another one */
#define TEXT_SIZE 256
#define SEEN_MAX 32
#define CRITICALS_MAX 64
#define CUTS_MAX 64
#define NOTES_MAX 32
#define VALUE 1 /* of the first row of a write */

/* An attempt that a writer began. */
typedef struct attempt_note {
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    size_t writer;
    int64_t sent_us; /* its data, by the writer's clock */
} attempt_note;

typedef struct history_writer {
    struct history *h;
    size_t index;
    const char *token;
    size_t group;
    int64_t v;
    int64_t clock_us;
    s3store_cancel *cancel;
    bool cancel_when_stored;
    bool ended, crashed;
    s3store_status status;
    s3store_error err;
    s3store_write_result *result;
    const menu_option *lasting; /* under way */
    s3s_fault_verb lasting_verb;
    faulty_kind lasting_kind;
    int64_t lasting_until_us;
} history_writer;

typedef struct seen_entry {
    char offset[TEXT_SIZE], path[TEXT_SIZE];
} seen_entry;

typedef struct seen_list {
    seen_entry items[SEEN_MAX];
    size_t count;
    char next[TEXT_SIZE];
} seen_list;

/* A snapshot: the offset from which the stream goes on, and the groups that it showed. */
typedef struct cut {
    char offset[TEXT_SIZE];
    unsigned mask;
} cut;

typedef struct history {
    world w;
    history_run *run;
    const history_plan *plan;
    s3s_explorer *explorer;
    history_writer writers[WORLD_WRITERS];
    const int64_t *clock_us;
    bool clocks_agree; /* within what the dataset allows */
    const struct history_pace *pace;
    int64_t phase_us, second_after_us;
    unsigned faults_left, asked_left, faults_met;
    unsigned clock_looks, suspend_at;
    int64_t suspend_for_us;

    unsigned sweep_at, effects;
    int64_t sweep_after_us, remove_after_us;
    bool writers_over, swept;

    attempt_note notes[NOTES_MAX];
    size_t note_count;

    /* What others wait for: something was stored, somebody ended, a ref can be passed. */
    s3s_mutex mutex;
    s3s_cond changed;
    unsigned version;
    int64_t criticals_us[CRITICALS_MAX];
    size_t critical_count;
    bool over, hopeless, torn_list_begun; /* hopeless: no commit comes any more */

    seen_list seen;
    cut cuts[CUTS_MAX];
    size_t cut_count;
    bool acknowledged[GROUPS];
    char acknowledged_path[GROUPS][TEXT_SIZE];
    char shown[GROUPS][TEXT_SIZE]; /* by a snapshot; "" = not yet */

    s3store_status broken; /* what must hold and did not, found on the way */
    s3store_error why;
} history;

/* ---- history.c ------------------------------------------------------------------------------- */

/* Waits until something has changed since *version, or a ref may be passed; false: it is over. */
bool history_wait(history *h, unsigned *version, bool criticals);
void history_changed(history *h);
/* A choice of the plan; a script has none. */
size_t history_choose(history *h, size_t count, const char *const *names);
bool history_reached(s3store_status status); /* it says: committed */
/* The group of a data path; GROUPS: none of the writers'. */
size_t history_group(const char *path);
/* The first failure is kept; one that the plan gives up is none. format begins with "(letter)". */
void history_break(history *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
void history_fail(history *h, s3store_status status, const s3store_error *err, const char *who);

/* ---- history_check.c ------------------------------------------------------------------------- */

void history_run_reader(void *ctx);
void history_run_cutter(void *ctx);
/* After everything has ended: what must hold. */
void history_run_judge(void *ctx);
/* A ref of an attempt has been stored. */
void history_note_ref(history *h, const char *key);

/* ---- history_extras.c ------------------------------------------------------------------------ */

/* An operator that removes orphans as early as the library lets him. */
void history_choose_sweep(history *h);
void history_run_sweeper(void *ctx);
/* (h): the rows of a visible group have their markers. */
void history_check_view(history *h, size_t group);
/* And a lookup says so; at the end. */
void history_judge_view(history *h);

/* How the reader of the stream works: how long its requests take. */
typedef struct history_pace {
    const char *name;
    int64_t list_before_us, list_after_us, head_before_us;
} history_pace;

#endif
