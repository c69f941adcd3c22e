/* tests/torture/torture.h: whole operations through the public header, again and again, each time with
 * another allocation or another store operation that fails.
 *
 * The program is linked with --wrap: what the library allocates, what the clocks say and how long it
 * sleeps comes from wrap.c. On the memory store time is virtual: waiting costs nothing. */
#ifndef S3S_TESTS_TORTURE_H
#define S3S_TESTS_TORTURE_H

#include "e2e/e2e.h"

/* ---- allocations (wrap.c) -------------------------------------------------------------------------- */

/* The n-th allocation from now (0 = the next) fails, or all from it on. */
void torture_alloc_arm(uint64_t n, bool from_then_on);
/* No more; how many have failed. */
uint64_t torture_alloc_disarm(void);
/* Blocks that the wrapped allocator gave out and that were not freed. */
int64_t torture_alloc_live(void);

/* Sleeping takes no time, the clocks move on instead; off: they are right again. */
void torture_time_virtual(bool on);
void torture_time_pass(int64_t duration_us);

/* ---- store operations (store.c) -------------------------------------------------------------------- */

typedef enum torture_fault {
    FAULT_DENIED = 0,   /* refused, and no retry helps */
    FAULT_BUSY_ONCE,    /* 503 once: a retry helps */
    FAULT_BUSY,         /* 503 from then on, until nobody asks any more */
    FAULT_LOST_ANSWER,  /* done, but nobody is told: UNCERTAIN for what changes things, else TIMEOUT */
    FAULT_LOST_REQUEST, /* not done, told the same */
    FAULT_CUT_ONCE,     /* half of a body comes, then the connection breaks: a retry helps */
    FAULT_CUT,          /* so from then on */
    FAULT_COUNT,
} torture_fault;
const char *torture_fault_name(torture_fault fault);

typedef struct torture_store {
    s3store_object_store store; /* give this to targets */
    const s3store_object_store *inner;
    _Atomic int64_t left; /* until the fault; < 0 = it is past */
    _Atomic uint64_t hit;
    _Atomic bool armed;
    torture_fault fault;
} torture_store;
void torture_store_init(torture_store *t, const s3store_object_store *inner);
void torture_store_arm(torture_store *t, torture_fault fault, uint64_t n);
uint64_t torture_store_disarm(torture_store *t); /* how many have failed */

/* ---- scenarios ------------------------------------------------------------------------------------- */

#define PARTS_MAX 4
#define FILE_TIMEOUT_US 1000000 /* commit timeout where time is real */

typedef struct part {
    char key[64];
    char rows[512]; /* as read_text says it, with history */
} part;

typedef struct place {
    const char *name;
    bool on_file;
    bool faults; /* the store fails: targets are opened on a torture_store */
} place;

typedef struct torture {
    const struct scenario *scenario;
    const place *place;
    char dir[TEMPDIR_SIZE];
    char url[URL_SIZE];
    s3store_object_store *memory;
    s3store_target *under; /* on file, with faults: where the real store comes from */
    torture_store faults;
    s3store_target_config config;
    dataset d; /* open, but in scenarios of opening */
    unsigned run; /* number of this run: what it writes is named by it */
    /* what a run makes and leaves for its check, which frees it */
    struct ArrowArrayStream input;
    char token[64];
    part parts[PARTS_MAX];
    size_t part_count;
    s3store_write_result *result;
    char text[16384];
    uint64_t number;
    /* prepared once */
    char offset[S3STORE_KEY_MAX_BYTES + 1];
    s3store_entries *entries;
    s3store_view *view;
    s3store_records *records;
} torture;

typedef struct scenario {
    const char *name;
    bool fresh; /* prepared anew for each run */
    bool memory_only;
    bool no_store; /* asks no store: nothing for store faults */
    bool polls;    /* what is prepared must have settled */
    bool writes;   /* also succeeds late, in part, or without anybody knowing */
    uint64_t memory_bytes; /* of the target; 0 = default */
    uint64_t chunk_rows;
    void (*prepare)(torture *t);
    void (*begin)(torture *t); /* before each run: nothing fails yet */
    s3store_status (*run)(torture *t, s3store_error *err);
    /* Nothing fails any more: what is visible, and that the same call does it now. hit: something had
     * failed. */
    void (*check)(torture *t, s3store_status status, const s3store_error *err, bool hit);
    void (*finish)(torture *t);
} scenario;

extern const scenario write_scenarios[], read_scenarios[], tool_scenarios[], file_scenarios[];

/* ---- what scenarios share (place.c) ---------------------------------------------------------------- */

void torture_begin(torture *t, const place *p, const scenario *s);
void torture_end(torture *t);
/* Makes a dataset: partition p, entity id, version v, view by_id(id); opens it as t->d. */
void torture_make(torture *t, const scenario *s);
/* Opens what torture_make made. */
s3store_status torture_open(torture *t, dataset *d, s3store_error *err);
/* Commits rows, and lets them settle where they are to be polled. */
void torture_fill(torture *t);
void torture_settle(torture *t);
/* A stream's rows as text into t->text (appended); the stream is released. */
s3store_status torture_drain(torture *t, struct ArrowArrayStream *stream, s3store_error *err);
/* Rows of a pattern, with history or without, as text in a static ring; allocates nothing of its own. */
const char *torture_rows(const dataset *d, const char *pattern, bool history);
/* An answer is the right one, or there is none; asked again it is given. Findings that were told before
 * a failure were findings. */
void torture_check_answer(torture *t, s3store_status status,
                          s3store_status (*run)(torture *t, s3store_error *err),
                          const char *wanted);
#define TORTURE_CHECK(name, wanted)                                                                \
    static void check_##name(torture *t, s3store_status status, const s3store_error *err,          \
                             bool hit)                                                             \
    {                                                                                              \
        (void)err;                                                                                 \
        (void)hit;                                                                                 \
        torture_check_answer(t, status, run_##name, wanted);                                       \
    }
void torture_add(torture *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define ROWS_ALL "a|x|1|10;a|x|2|11;a|y|1|12;b|x|1|-;b|z|3|14;c|q|1|15;"
#define ROWS_LATEST "a|x|2|11;a|y|1|12;b|x|1|-;b|z|3|14;c|q|1|15;"

#endif
