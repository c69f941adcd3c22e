/* tests/sim/storm_private.h: the inside of a storm, shared by storm_plan.c (what a seed says), storm.c
 * (who acts, and what becomes of requests) and storm_check.c (what must hold). */
#ifndef S3S_TESTS_SIM_STORM_PRIVATE_H
#define S3S_TESTS_SIM_STORM_PRIVATE_H

#include "base/sync.h"
#include "sim/history_menu.h"
#include "sim/storm.h"

#define JOBS_MAX 12
#define READERS_MAX 3
#define CUTTERS_MAX 2
#define OPERATORS_MAX 4
#define FAULTS_MAX 20
#define EPISODES_MAX 3
#define ELEMENTS_MAX 64
#define PARTITIONS 3
#define TOKENS 5
#define PATHS_MAX 256
#define REFS_MAX 512
#define SEEN_ENTRIES_MAX 512
#define STORM_CUTS_MAX 96
#define ACKS_MAX 256
#define ATTEMPTS_MAX 256
#define STORM_TEXT 256

/* ---- what a seed says ------------------------------------------------------------------------ */

typedef struct job_plan { /* one write by a process of its own */
    int64_t begin_us, clock_us;
    int token; /* -1 = none */
    unsigned partitions; /* bits */
    bool optimistic, keep_going, other_data;
} job_plan;

typedef enum reader_kind { READER_EAGER, READER_LAZY, READER_SLOW, READER_KINDS } reader_kind;

typedef struct reader_plan {
    reader_kind kind;
    int64_t clock_us;
    int32_t max_entries;
} reader_plan;

typedef struct operator_plan { /* restamps one token, or sweeps */
    bool sweeps;
    int64_t at_us, clock_us, remove_after_us;
    int token;
    unsigned partition;
} operator_plan;

#define OPTION_SUSPEND SIZE_MAX /* not of the menu: the machine stands still at its next clock */
typedef struct fault_plan {
    size_t job;
    unsigned request; /* of those of a write, from 1 */
    size_t option;    /* of history_menu */
    int64_t pause_us;
} fault_plan;

typedef struct episode { /* 503s */
    int64_t from_us, to_us;
    unsigned percent;
} episode;

typedef struct storm_plan {
    uint64_t seed;
    bool s3, views;
    bool calm; /* no latency, no faults: then nothing may fail */
    uint64_t chunk_rows;
    size_t job_count, reader_count, cutter_count, operator_count, fault_count, episode_count;
    job_plan jobs[JOBS_MAX];
    reader_plan readers[READERS_MAX];
    reader_plan cutters[CUTTERS_MAX];
    operator_plan operators[OPERATORS_MAX];
    fault_plan faults[FAULTS_MAX];
    episode episodes[EPISODES_MAX];
} storm_plan;

typedef enum element_kind {
    ELEMENT_LATENCY,
    ELEMENT_CLOCKS,
    ELEMENT_JOB,
    ELEMENT_READER,
    ELEMENT_CUTTER,
    ELEMENT_OPERATOR,
    ELEMENT_FAULT,
    ELEMENT_EPISODE,
    ELEMENT_NONE,
} element_kind;

void storm_plan_make(uint64_t seed, storm_plan *plan);
/* What the element of this number is, and which of its kind. */
element_kind storm_element(const storm_plan *plan, size_t number, size_t *index);
/* A number below n of what is counted by key: the same for the same storm. */
uint64_t storm_draw(uint64_t seed, uint64_t key, uint64_t n);
extern const char *const storm_days[PARTITIONS];
/* Rows of a token in a partition. */
size_t storm_row_count(const storm_plan *plan, int token, size_t job, size_t partition);

/* ---- a storm under way ----------------------------------------------------------------------- */

typedef struct process {
    struct storm *s;
    size_t index, element; /* of its kind */
    element_kind kind;
    char name[16];
    int64_t clock_us;
    faulty_store fault;
    s3store_target *target;
    s3store_writer *writer;
    s3store_cancel *cancel;
    bool opened, ended, crashed;
    /* Of a write. */
    uint64_t requests;       /* all: for latency */
    unsigned protocol_requests;
    const menu_option *lasting;
    s3s_fault_verb lasting_verb;
    faulty_kind lasting_kind;
    int64_t lasting_until_us, suspend_us;
    bool cancel_when_stored;
    s3store_status status;
    s3store_error err;
} process;

/* What a write was told of one commit. */
typedef struct ack {
    size_t job;
    bool reached;
    s3store_commit_state state;
    s3store_status error;
    char partition[32], token[64];
    uint32_t chunk;
    size_t path; /* of the data; SIZE_MAX = none */
    char ref[STORM_TEXT];
    int64_t inserted_at_us, rows;
} ack;

typedef struct attempt_of {
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    size_t job;
} attempt_of;

typedef struct path_set {
    uint64_t words[PATHS_MAX / 64];
} path_set;

typedef struct stream_seen {
    char next[STORM_TEXT];
    struct {
        char offset[STORM_TEXT];
        size_t path;
    } entries[SEEN_ENTRIES_MAX];
    size_t count;
} stream_seen;

typedef struct storm_cut {
    char offset[STORM_TEXT];
    path_set shown;
} storm_cut;

#define PROCESSES_MAX (JOBS_MAX + READERS_MAX + CUTTERS_MAX + OPERATORS_MAX + 1)

typedef struct storm {
    storm_plan plan;
    uint64_t mask;
    bool latency;
    storm_sums sums;
    s3s_sim *sim;
    s3s_env *env;
    s3store_object_store store;
    process processes[PROCESSES_MAX]; /* the last: the judge */
    size_t process_count;

    s3s_mutex mutex;
    s3s_cond changed;
    unsigned version;
    bool over;
    int64_t refs_us[REFS_MAX];
    size_t ref_count;

    char paths[PATHS_MAX][STORM_TEXT]; /* of data objects, once seen by anybody */
    size_t path_count;
    ack acks[ACKS_MAX];
    size_t ack_count;
    attempt_of attempts[ATTEMPTS_MAX];
    size_t attempt_count;
    path_set shown; /* by a snapshot that has ended */
    storm_cut cuts[STORM_CUTS_MAX];
    size_t cut_count;
    stream_seen seen[READERS_MAX];

    s3store_status broken;
    s3store_error why;
} storm;

void storm_break(storm *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void storm_fail(storm *s, s3store_status status, const s3store_error *err, const char *who);
bool storm_has(const storm *s, element_kind kind, size_t index);
size_t storm_path(storm *s, const char *path); /* its number */
static inline bool path_set_has(const path_set *set, size_t i)
{
    return (set->words[i / 64] >> i % 64 & 1) != 0;
}
static inline void path_set_add(path_set *set, size_t i)
{
    set->words[i / 64] |= UINT64_C(1) << i % 64;
}

/* ---- storm_check.c --------------------------------------------------------------------------- */

/* One poll from seen->next on; *more: there may be another page. */
s3store_status storm_poll(storm *s, process *p, stream_seen *seen, int32_t max_entries, bool *more,
                          s3store_error *err);
/* One snapshot: it has what was acknowledged and what others had before. */
s3store_status storm_snapshot(storm *s, process *p, s3store_error *err);
/* What a write was told. */
void storm_note_result(storm *s, process *p, const s3store_write_result *result);
/* After everything has ended. ctx: the judge's process. */
void storm_judge(void *ctx);

#endif
