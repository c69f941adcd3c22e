/* tests/sim/storm_private.h: the inside of a storm, shared by storm_plan.c (what a seed says), storm.c
 * (who acts, and what becomes of requests), storm_check.c (what must hold) and storm_worlds.c (what is
 * else in some worlds). */
#ifndef S3S_TESTS_SIM_STORM_PRIVATE_H
#define S3S_TESTS_SIM_STORM_PRIVATE_H

#include "base/sync.h"
#include "sim/history_menu.h"
#include "sim/storm.h"

#define JOBS_MAX 12
#define READERS_MAX 3
#define CUTTERS_MAX 2
#define OPERATORS_MAX 4
#define FAULTS_DRAWN 20
#define LATE_FAULTS 4 /* more, where nothing expires */
#define FAULTS_MAX (FAULTS_DRAWN + LATE_FAULTS)
#define EPISODES_MAX 3
#define DAMAGES_MAX 6
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
    bool skips; /* damaged markers: it asked to */
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
    bool of_commits;  /* of its PUTs of commits alone */
    size_t option;    /* of history_menu */
    int64_t pause_us;
} fault_plan;

typedef struct episode { /* 503s */
    int64_t from_us, to_us;
    unsigned percent;
} episode;

typedef enum damage_kind {
    DAMAGE_OF_ITS_OWN, /* a token nobody else uses: data, a marker that cannot be read, a ref */
    DAMAGE_OF_A_TOKEN, /* a writer's token gets such a marker, whatever it had */
    DAMAGE_REF,        /* a ref that is none */
    DAMAGE_KINDS,
} damage_kind;

typedef struct damage_plan { /* by a foreign hand */
    damage_kind kind;
    int64_t at_us;
    int token;
    unsigned partition;
    size_t form; /* of storm_worlds.c */
} damage_plan;

typedef struct storm_plan {
    storm_world world;
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
    size_t damage_count;
    damage_plan damages[DAMAGES_MAX];
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
    ELEMENT_DAMAGE,
    ELEMENT_NONE,
} element_kind;

void storm_plan_make(storm_id id, storm_plan *plan);
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
    unsigned protocol_requests, commit_puts;
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
    bool told_of[DAMAGES_MAX]; /* damaged tokens: stopped before, or listed as passed */
} stream_seen;

typedef struct storm_cut {
    char offset[STORM_TEXT];
    path_set shown;
    unsigned days; /* that could be listed: bits */
} storm_cut;
#define ALL_DAYS ((1u << PARTITIONS) - 1)

#define PROCESSES_MAX                                                                              \
    (JOBS_MAX + READERS_MAX + CUTTERS_MAX + OPERATORS_MAX + DAMAGES_MAX + 1)

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
    unsigned listed_days; /* by the last one */
    path_set missed; /* by a reader of the stream */
    storm_cut cuts[STORM_CUTS_MAX];
    size_t cut_count;
    stream_seen seen[READERS_MAX];
    /* Tokens whose marker cannot be read, data paths up to their attempt; and refs that are none. */
    char damaged[DAMAGES_MAX][STORM_TEXT], bad_refs[DAMAGES_MAX][STORM_TEXT];
    size_t damaged_count, bad_ref_count;

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

/* ---- storm.c --------------------------------------------------------------------------------- */

/* Waits until something has changed since *version, or until a moment; false: it is over. */
bool storm_wait(storm *s, unsigned *version, int64_t deadline_us);
void storm_pause(storm *s, int64_t time_us);
void storm_changed(storm *s);

/* ---- storm_worlds.c -------------------------------------------------------------------------- */

void storm_draw_world(storm_plan *plan);
void storm_describe_damage(const damage_plan *d, char *out, size_t size);
/* The name of a partition in keys. */
void storm_day_name(size_t day, char *out, size_t size);
/* A reader came by every damaged marker that was there before its ref. */
void storm_check_told(storm *s, size_t reader);
/* Days on which no marker is damaged: bits. */
unsigned storm_clean_days(const storm *s);
/* On one of these days. */
bool storm_on_days(const char *path, unsigned days);
/* Which of `damaged` the key of a data object or marker belongs to; SIZE_MAX: to none. */
size_t storm_damaged(const storm *s, const char *key);
static inline bool storm_is_damaged(const storm *s, const char *key)
{
    return storm_damaged(s, key) != SIZE_MAX;
}
bool storm_hits(const storm *s, size_t job); /* ... to one that this write uses */
/* The status is DAMAGED_MARKER, and the key is that of one. */
bool storm_met_damage(const storm *s, s3store_status status, const s3store_error *err);
/* What a writer found out about the server. */
void storm_check_probe(storm *s, const process *p);
/* Where nobody arbitrates: after those writers of the same token that come before this one. */
void storm_wait_for_turn(process *p);
void storm_run_damage(void *ctx); /* ctx: a process */
/* What verify must find here, and nothing else. orphan_count: data objects that it must take for
 * dead. */
void storm_judge_verify(storm *s, process *p, const path_set *committed, size_t commit_count,
                        size_t orphan_count);
/* After it: what readers missed is restamped, and then they have it. */
void storm_judge_remedy(storm *s, process *p, const path_set *committed);
/* What was told as done in time, so that the stream has it whatever the world. */
path_set storm_promised(const storm *s);

/* ---- storm_check.c --------------------------------------------------------------------------- */

/* One poll from seen->next on; *more: there may be another page. */
s3store_status storm_poll(storm *s, process *p, stream_seen *seen, const reader_plan *how,
                          bool *more, s3store_error *err);
/* One snapshot: it has what was acknowledged and what others had before. */
s3store_status storm_snapshot(storm *s, process *p, s3store_error *err);
/* What a write was told. */
void storm_note_result(storm *s, process *p, const s3store_write_result *result);
/* After everything has ended. ctx: the judge's process. */
void storm_judge(void *ctx);

#endif
