/* base/sim_private.h: the inside of the simulator, shared by sim.c (actors and driver) and
 * sim_env.c (what the simulated env does). */
#ifndef S3S_BASE_SIM_PRIVATE_H
#define S3S_BASE_SIM_PRIVATE_H

#include "base/env_private.h"
#include "base/fiber.h"
#include "base/sim.h"

#define S3S_ACTOR_NAME_MAX 96
#define S3S_ACTOR_LABEL_MAX 192

typedef enum s3s_actor_state {
    S3S_ACTOR_READY,   /* at a point, or not begun */
    S3S_ACTOR_SLEEPS,  /* until wake_us, or cancel */
    S3S_ACTOR_WAITS,   /* for a condition: woken, wake_us or cancel; and for its mutex */
    S3S_ACTOR_LOCKS,   /* for a mutex */
    S3S_ACTOR_FANS,    /* for items: fan->running < fan->wait_below */
    S3S_ACTOR_JOINS,   /* for another actor's end */
    S3S_ACTOR_ENDED,
    S3S_ACTOR_CRASHED,
} s3s_actor_state;

/* A simulated process: its actors die together, and have clocks and sequences of their own. */
typedef struct s3s_group {
    struct s3s_group *next;
    s3s_sequence sequence;
    uint64_t random_state;
    char name[S3S_ACTOR_NAME_MAX];
} s3s_group;

/* A fan-out in progress, on its caller's stack. */
typedef struct s3s_fan {
    s3s_item_fn fn;
    void *ctx;
    size_t running;
    size_t wait_below;
    s3s_fan_result result;
} s3s_fan;

typedef struct s3s_actor {
    struct s3s_actor *prev, *next; /* in order of creation */
    struct s3s_sim *sim;
    s3s_group *group;
    int64_t wall_offset_us;
    s3s_fiber fiber;
    void (*fn)(void *ctx);
    void *ctx;
    s3s_fan *item_of; /* an item of a fan-out: runs item instead of fn */
    size_t item;
    bool joinable; /* a task: stays until it is joined */
    unsigned tasks_started;
    unsigned locks_held;

    s3s_actor_state state;
    int64_t wake_us; /* S3STORE_TIME_NONE = never */
    s3store_cancel *cancel;
    s3s_mutex *mutex;
    s3s_cond *cond;
    struct s3s_actor *next_waiter;
    bool woken;
    const s3s_fan *fan;
    const struct s3s_actor *joined;

    size_t name_size;
    char label[S3S_ACTOR_LABEL_MAX]; /* the name, a space, and what it stands at */
    char last_point[64];
} s3s_actor;

/* In front of every allocation in the simulation. */
typedef struct s3s_sim_block {
    struct s3s_sim_block *prev, *next;
    size_t size;
    size_t padding;
} s3s_sim_block;

struct s3s_sim {
    s3s_env env;
    s3s_sim_options options;
    int64_t now_us;
    uint64_t steps;
    s3s_actor main;     /* the code that drives: set-up and checks between runs */
    s3s_actor *current;
    s3s_actor *first, *last;
    s3s_actor *buried; /* crashed ones: locks and subscriptions may still point to them */
    size_t live;
    s3s_actor **runnable; /* room for live + 1 */
    const char **names;
    size_t runnable_capacity;
    s3s_group *groups;
    s3s_sim_block blocks; /* head of a ring */
    bool failed;
    s3store_error failure;
};

extern const s3s_env_ops s3s_sim_env_ops;

/* Makes an actor in the group that its name says. */
s3store_status s3s_actor_new(s3s_sim *sim, const char *name, int64_t wall_offset_us,
                             s3s_actor **out, s3store_error *err);
/* Takes an ended actor out and frees it. */
void s3s_actor_free(s3s_actor *a);
/* Gives control to the driver until the current actor can run again. state and its data are set by
 * the caller; what is for traces. */
void s3s_actor_block(s3s_sim *sim, s3s_actor_state state, const char *what);
/* Whether a mutex can be taken now. */
bool s3s_sim_mutex_is_free(const s3s_mutex *m);
/* Takes an actor out of the waiters of its condition. */
void s3s_sim_forget_wait(s3s_actor *a);
/* The run ends with this failure; the first one wins. */
void s3s_sim_fail(s3s_sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
