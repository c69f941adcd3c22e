/* base/sim.h: the simulated env. One driver thread runs actors (coroutines with their own stacks, so
 * that ordinary blocking code runs unchanged) one at a time. An actor runs until its next scheduling
 * point; then the chooser picks which runnable actor goes on. Virtual time moves only when every
 * actor waits for it. Same choices, same history.
 */
#ifndef S3S_BASE_SIM_H
#define S3S_BASE_SIM_H

#include "base/env.h"

typedef struct s3s_sim s3s_sim;

/* One choice: which of `count` runnable actors continues. names[i] is the actor's name and what the
 * point it stands at ("w1 put commit"), for traces. Returns an index below count. Not called when
 * only one can run. */
typedef size_t (*s3s_sim_choose_fn)(void *ctx, size_t count, const char *const *names);

typedef struct s3s_sim_options {
    uint64_t seed;          /* of s3s_random in the simulation */
    int64_t start_wall_us;  /* wall clock at virtual time 0 */
    s3s_sim_choose_fn choose; /* NULL = always the first */
    void *choose_ctx;
    bool branch_on_locks;   /* LOCK points offer a choice too; default: they do not */
    /* Called before an actor of that process reads a clock, from inside it: it may sleep, as a
     * machine that is suspended between any two instructions. NULL = nothing happens. */
    void (*before_clock)(void *ctx, const char *process);
    void *before_clock_ctx;
    uint64_t max_steps;     /* 0 = 10 million; beyond: the run fails (livelock) */
} s3s_sim_options;

/* options may be NULL. */
s3store_status s3s_sim_new(const s3s_sim_options *options, s3s_sim **out, s3store_error *err);
void s3s_sim_free(s3s_sim *sim);
/* The env for code under simulation; owned by sim. */
s3s_env *s3s_sim_env(s3s_sim *sim);

/* Adds an actor before or during the run. wall_offset_us: its clock's error against server time;
 * actors that it starts (fan_out items, tasks) share it. */
s3store_status s3s_sim_add(s3s_sim *sim, const char *name, int64_t wall_offset_us,
                           void (*fn)(void *ctx), void *ctx, s3store_error *err);

/* Runs until every actor ended. INTERNAL on deadlock (no actor can ever run) or too many steps; the
 * message lists who waits for what. */
s3store_status s3s_sim_run(s3s_sim *sim, s3store_error *err);

/* Virtual time since the start, and server wall clock (no actor's offset). */
int64_t s3s_sim_now_us(const s3s_sim *sim);
int64_t s3s_sim_server_wall_us(const s3s_sim *sim);
uint64_t s3s_sim_steps(const s3s_sim *sim);
/* From inside an actor: end it here, as a crash would: nothing of it runs any more (its memory is
 * reclaimed by s3s_sim_free, its locks and slots are gone with its process group: actors added under
 * the same name prefix up to the first '.'). */
void s3s_sim_crash(s3s_sim *sim);

/* Enumerates all histories: calls run(ctx, explorer) once for each, giving choices depth first. run
 * makes a fresh sim with s3s_explore_choose / explorer as its chooser, runs and checks it. Stops at
 * the first failure; its error message begins with the history's number and its choices. OK means
 * that all of them passed; LIMIT_EXCEEDED that max_histories (0 = no limit) passed and there are
 * more. *histories is the number of runs. */
typedef struct s3s_explorer s3s_explorer;
size_t s3s_explore_choose(void *explorer, size_t count, const char *const *names);
s3store_status s3s_explore(s3store_status (*run)(void *ctx, s3s_explorer *ex, s3store_error *err),
                           void *ctx, uint64_t max_histories, uint64_t *histories,
                           s3store_error *err);
/* One history again, by its number ("#17"; walks there), or by its choices ("0,2,1", zeros after
 * that). trace (may be NULL) receives the
 * chosen names, one a line. */
s3store_status s3s_explore_replay(s3store_status (*run)(void *ctx, s3s_explorer *ex,
                                                        s3store_error *err),
                                  void *ctx, const char *choices, char *trace, size_t trace_size,
                                  s3store_error *err);

#endif
