/* tests/sim/world.h: one simulated history: a memory store, a dataset, and targets on it. */
#ifndef S3S_TESTS_SIM_WORLD_H
#define S3S_TESTS_SIM_WORLD_H

#include "base/sim.h"
#include "dataset/target.h"
#include "read/read.h"
#include "support/faulty_store.h"
#include "write/write.h"

/* Sanitizers look at memory and locks, which are the same in all histories: the first ones are enough for
 * them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WORLD_SANITIZED 1
#else
#define WORLD_SANITIZED 0
#endif

#define WORLD_WRITERS 2
#define WORLD_READER WORLD_WRITERS
#define WORLD_CUTTER (WORLD_WRITERS + 1) /* reads snapshots */
#define WORLD_TARGETS (WORLD_WRITERS + 2)

#define WORLD_START_US INT64_C(1517966773000000) /* the server's clock at virtual time 0 */
#define WORLD_TIMEOUT_US INT64_C(15000000)       /* the commit timeout */
#define WORLD_SKEW_US INT64_C(1000000)           /* what the dataset allows */

#define WORLD_VIEW "rows"
extern const s3store_view_def world_view_def;

typedef struct world_options {
    bool in_order;       /* no choice of who goes on: the chooser is only asked by the test */
    s3store_fence fence;
    /* The timing of S3: expiry in whole seconds, compared coarsely; the server may take its time.
     * Else that of a directory, which is exact. */
    bool s3;
    bool unconditional; /* the server ignores If-None-Match */
    int64_t timeout_us; /* 0 = WORLD_TIMEOUT_US */
    bool views;         /* writers keep the view WORLD_VIEW of every row: (id, v) */
    void (*before_clock)(void *ctx, const char *process); /* see s3s_sim_options */
    void *before_clock_ctx;
} world_options;

typedef struct world {
    s3s_sim *sim;
    s3s_env *env;
    s3store_object_store store; /* shared by everybody */
    faulty_store faults[WORLD_TARGETS]; /* in front of it, for each target */
    s3store_target *targets[WORLD_TARGETS];
    s3store_writer *writers[WORLD_WRITERS];
} world;

/* A dataset partitioned by `day`, entity `id`, version `v`; commit timeout 15 s, clock skew 1 s;
 * every target and writer open, the schema recorded, one row written. Choices begin after that.
 * options may be NULL. */
s3store_status world_open(world *w, s3s_explorer *explorer, const world_options *options,
                          s3store_error *err);
void world_close(world *w);
/* Runs the actors that were added until all have ended. */
s3store_status world_run(world *w, s3store_error *err);

typedef struct world_row {
    const char *day, *id;
    int64_t v;
} world_row;
#define WORLD_ROWS_MAX 64
s3store_status world_stream_of(const world_row *rows, size_t count, struct ArrowArrayStream *out,
                               s3store_error *err);
/* One row (id, v) of a day under a token (NULL = none). */
s3store_status world_write(world *w, size_t writer, const char *day, const char *id, int64_t v,
                           const char *token, s3store_write_result **out, s3store_error *err);
/* Several rows (id, v), (id, v + 1) ... */
s3store_status world_write_rows(world *w, size_t writer, const char *day, const char *id,
                                int64_t v, size_t rows, const s3store_write_options *options,
                                s3store_write_result **out, s3store_error *err);
/* Rows that a snapshot of everything sees, with history. */
s3store_status world_count_rows(world *w, int64_t *rows, s3store_error *err);
/* What a reader of the stream has seen: data paths in order. */
#define WORLD_SEEN_MAX 64
#define WORLD_PATH_SIZE 256
typedef struct world_stream {
    char since[S3STORE_KEY_MAX_BYTES + 1]; /* where it stands; "" = at the beginning */
    char paths[WORLD_SEEN_MAX][WORLD_PATH_SIZE];
    size_t count;
} world_stream;
/* One poll of the reader from where it stands. */
s3store_status world_poll(world *w, world_stream *stream, s3store_error *err);
/* Reads the stream again from the beginning: INTERNAL when it is not the same. */
s3store_status world_replay(world *w, const world_stream *stream, s3store_error *err);
/* How many of the paths contain the text. */
size_t world_seen(const world_stream *stream, const char *text);
/* Objects whose key ends with suffix. */
s3store_status world_count_keys(world *w, const char *suffix, size_t *count, s3store_error *err);

#endif
