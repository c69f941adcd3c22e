/* Who acts in a history: the writers, and what becomes of their requests. */
#include "sim/history_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/layout.h"

/* After the writers: late requests arrive, and everything settles. */
#define END_US (AFTER_THE_FENCE_US + WORLD_TIMEOUT_US + 10 * SECOND)

/* ---- what all share -------------------------------------------------------------------------- */

bool history_reached(s3store_status status)
{
    return status == S3STORE_OK || status == S3STORE_COMMIT_AFTER_TIMEOUT;
}

size_t history_group(const char *path)
{
    if (strstr(path, "/" PARTITION "/") == NULL)
        return GROUPS;
    return strstr(path, "/second-") != NULL ? 1 : 0;
}

void history_break(history *h, const char *format, ...)
{
    va_list args;
    if (h->broken != S3STORE_OK ||
        (h->plan->given_up != NULL && strchr(h->plan->given_up, format[1]) != NULL))
        return;
    h->broken = S3STORE_INTERNAL;
    va_start(args, format);
    s3s_vfail(&h->why, S3STORE_INTERNAL, format, args);
    va_end(args);
}

void history_fail(history *h, s3store_status status, const s3store_error *err, const char *who)
{
    if (status != S3STORE_OK)
        history_break(h, "(i) %s failed: %s: %.300s", who, s3store_status_name(status),
                      err->message);
}

void history_changed(history *h)
{
    h->version++;
    s3s_cond_broadcast(&h->changed);
}

static int64_t next_critical(const history *h)
{
    int64_t next = S3STORE_TIME_NONE, now_us = s3s_sim_now_us(h->w.sim);
    for (size_t i = 0; i < h->critical_count; i++)
        if (h->criticals_us[i] > now_us &&
            (next == S3STORE_TIME_NONE || h->criticals_us[i] < next))
            next = h->criticals_us[i];
    return next;
}

bool history_wait(history *h, unsigned *version, bool criticals)
{
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&h->mutex);
    while (status == S3STORE_OK && h->version == *version && !h->over)
        status = s3s_cond_wait(&h->changed, &h->mutex,
                               criticals ? next_critical(h) : S3STORE_TIME_NONE, NULL);
    *version = h->version;
    s3s_mutex_unlock(&h->mutex);
    return !h->over;
}

size_t history_choose(history *h, size_t count, const char *const *names)
{
    return h->explorer == NULL || count < 2 ? 0 : s3s_explore_choose(h->explorer, count, names);
}

/* ---- what becomes of a request --------------------------------------------------------------- */

static void note_attempt(history *h, const history_writer *w, const char *key)
{
    const char *end = key + strlen(key) - strlen(".parquet");
    attempt_note note = {.writer = w->index,
                         .sent_us = s3s_sim_server_wall_us(h->w.sim) + w->clock_us};
    memcpy(note.id, end - S3S_ATTEMPT_ID_SIZE, S3S_ATTEMPT_ID_SIZE);
    for (size_t i = 0; i < h->note_count; i++)
        if (strcmp(h->notes[i].id, note.id) == 0)
            return;
    if (h->note_count < NOTES_MAX)
        h->notes[h->note_count++] = note;
}

static bool lasts(const history_writer *w, const faulty_request *r)
{
    const menu_option *o = w->lasting;
    if (o == NULL || s3s_sim_now_us(w->h->w.sim) >= w->lasting_until_us)
        return false;
    if (o->puts_only && r->verb != S3S_VERB_PUT)
        return false;
    return o->everything || (r->verb == w->lasting_verb && r->kind == w->lasting_kind);
}

static const menu_option *choose_option(history *h, const faulty_request *r)
{
    const char *names[64];
    const menu_option *options[64];
    size_t count = 0;
    h->asked_left--;
    for (size_t i = 0; i < history_menu_size && count < 64; i++) {
        const menu_option *o = &history_menu[i];
        bool put = r->verb == S3S_VERB_PUT;
        if ((o->group != 0 && (o->group & h->plan->menu) == 0) || (o->puts_only && !put) ||
            (o->fenced_only && !(put && r->put->fenced)))
            continue;
        options[count] = o;
        names[count++] = o->name;
    }
    size_t pick = history_choose(h, count, names);
    h->faults_left -= pick > 0;
    h->faults_met += pick > 0;
    return options[pick];
}

static void crash(history_writer *w)
{
    w->crashed = true;
    history_changed(w->h);
}

static faulty_fate begin_option(history_writer *w, const menu_option *o, const faulty_request *r)
{
    history *h = w->h;
    faulty_fate fate = o->fate;
    if (o->crash_before || fate.crash)
        crash(w);
    if (o->crash_before)
        s3s_sim_crash(h->w.sim);
    if (o->cancel_before)
        s3store_cancel_trigger(w->cancel);
    w->cancel_when_stored = o->cancel_after;
    if (o->fenced_only)
        menu_move_to_the_end(h->w.sim, h->w.targets[0], r, o->past_end_us, &fate);
    if (o->lasting_us > 0) {
        w->lasting = o;
        w->lasting_verb = r->verb;
        w->lasting_kind = r->kind;
        w->lasting_until_us = s3s_sim_now_us(h->w.sim) + o->lasting_us;
    }
    return fate;
}

static faulty_fate follow_script(history *h, size_t who, const faulty_request *r)
{
    for (size_t i = 0; i < h->plan->rule_count; i++) {
        const history_rule *rule = &h->plan->rules[i];
        if (rule->writer != who || rule->verb != r->verb || rule->kind != r->kind ||
            r->number < rule->from || (rule->to != 0 && r->number > rule->to) ||
            (rule->until_us != 0 && s3s_sim_now_us(h->w.sim) >= rule->until_us))
            continue;
        faulty_fate fate = rule->fate;
        h->faults_met++;
        if (rule->at_the_end && r->put->fenced)
            menu_move_to_the_end(h->w.sim, h->w.targets[0], r, rule->fate.late_us, &fate);
        if (fate.crash && who < WORLD_WRITERS)
            crash(&h->writers[who]);
        return fate;
    }
    return (faulty_fate){0};
}

static faulty_fate decide(void *ctx, const faulty_request *r)
{
    history_writer *w = ctx;
    history *h = w->h;
    if (r->kind == FAULTY_OTHER &&
        !(h->plan->views && s3s_ends_with(r->key, "/m.matview")))
        return (faulty_fate){0};
    if (r->kind == FAULTY_DATA && r->verb == S3S_VERB_PUT)
        note_attempt(h, w, r->key);
    if (h->plan->rules != NULL)
        return follow_script(h, w->index, r);
    if (lasts(w, r))
        return w->lasting->fate;
    if (h->faults_left == 0 || h->asked_left == 0 || (h->plan->faulty >> w->index & 1) == 0)
        return (faulty_fate){0};
    return begin_option(w, choose_option(h, r), r);
}

static faulty_fate decide_reader(void *ctx, const faulty_request *r)
{
    history *h = ctx;
    if (h->plan->rules != NULL)
        return follow_script(h, WORLD_READER, r);
    if (r->verb == S3S_VERB_LIST)
        return (faulty_fate){.before_us = h->pace->list_before_us,
                             .after_us = h->pace->list_after_us};
    return r->verb == S3S_VERB_HEAD ? (faulty_fate){.before_us = h->pace->head_before_us}
                                    : (faulty_fate){0};
}

static faulty_fate decide_cutter(void *ctx, const faulty_request *r)
{
    history *h = ctx;
    if (r->verb == S3S_VERB_REMOVE)
        return (faulty_fate){.before_us = h->remove_after_us};
    return h->plan->rules != NULL ? follow_script(h, WORLD_CUTTER, r) : (faulty_fate){0};
}

/* The first thing that is there: from now on a snapshot may be under way, step by step. */
static void begin_torn_list(history *h)
{
    if (h->torn_list_begun || !h->plan->torn_lists)
        return;
    h->torn_list_begun = true;
    s3store_error err = {0};
    history_fail(h, s3s_sim_add(h->w.sim, "cutter", h->clock_us[WORLD_CUTTER], history_run_cutter,
                                h, &err),
                 &err, "adding an actor");
}

/* Something has taken effect. */
static void stored(void *ctx, const s3store_put_request *put)
{
    history_writer *w = ctx;
    begin_torn_list(w->h);
    w->h->effects++;
    if (s3s_ends_with(put->key, ".ref"))
        history_note_ref(w->h, put->key);
    if (w->cancel_when_stored)
        s3store_cancel_trigger(w->cancel);
    w->cancel_when_stored = false;
    history_changed(w->h);
}

/* The first writer's machine stands still before it looks at its clock. */
static void before_clock(void *ctx, const char *process)
{
    history *h = ctx;
    if (strcmp(process, "w1") != 0)
        return;
    const history_plan *p = h->plan;
    int64_t pause_us = 0;
    if (p->suspend_for_us > 0 && s3s_sim_now_us(h->w.sim) >= p->suspend_at_us &&
        h->clock_looks++ == 0)
        pause_us = p->suspend_for_us;
    else if (h->suspend_at > 0 && ++h->clock_looks == h->suspend_at)
        pause_us = h->suspend_for_us;
    if (pause_us == 0)
        return;
    h->faults_met++;
    (void)s3s_sleep_us(h->w.env, pause_us, NULL, NULL);
}

/* ---- actors ---------------------------------------------------------------------------------- */

static void acknowledge(history *h, const history_writer *w)
{
    const s3store_commit *c = s3store_write_result_get(w->result, 0);
    if (!history_reached(w->status))
        return;
    if (c == NULL || c->data_path == NULL || c->row_count != ROWS) {
        history_break(h, "(i) writer %zu: success without a result", w->index);
    } else if (!h->acknowledged[w->group]) {
        h->acknowledged[w->group] = true;
        snprintf(h->acknowledged_path[w->group], TEXT_SIZE, "%s", c->data_path);
    }
}

static void write_rows(history_writer *w)
{
    history *h = w->h;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = w->token;
    options.optimistic = h->plan->optimistic;
    options.cancel = w->cancel;
    w->status = world_write_rows(&h->w, w->index, DAY, w->group == 0 ? "one" : "two", w->v, ROWS,
                                 &options, &w->result, &w->err);
    acknowledge(h, w);
}

static void run_first(void *ctx)
{
    history *h = ctx;
    if (h->phase_us > 0)
        (void)s3s_sleep_us(h->w.env, h->phase_us, NULL, NULL);
    write_rows(&h->writers[0]);
    h->writers[0].ended = true;
    history_changed(h);
}

static void wait_for_first(history *h)
{
    unsigned version = 0;
    while (!h->writers[0].ended && !h->writers[0].crashed && history_wait(h, &version, false))
        ;
}

/* An operator, as soon as there is a commit. */
static void restamp(history *h, history_writer *w)
{
    unsigned version = 0;
    do {
        s3store_write_result_free(w->result);
        w->status = s3s_restamp(h->w.targets[w->index], PARTITION, "first", NULL, &w->result,
                                &w->err);
    } while (w->status == S3STORE_NOT_FOUND && !h->hopeless && history_wait(h, &version, false));
    h->run->sums.restamped += history_reached(w->status);
}

static void run_second(void *ctx)
{
    history *h = ctx;
    history_writer *w = &h->writers[1];
    history_second second = h->plan->second;
    if (second == SECOND_LATER || second == SECOND_OTHER_DATA)
        wait_for_first(h);
    if (h->second_after_us > 0)
        (void)s3s_sleep_us(h->w.env, h->second_after_us, NULL, NULL);
    if (second == SECOND_RESTAMPS)
        restamp(h, w);
    else if (second != SECOND_NONE)
        write_rows(w);
    w->ended = true;
    history_changed(h);
}

static void run_director(void *ctx)
{
    history *h = ctx;
    unsigned version = 0;
    wait_for_first(h);
    if (h->plan->second == SECOND_RESTAMPS) { /* it waits for a commit: there may never be one */
        (void)s3s_sleep_us(h->w.env, END_US, NULL, NULL);
        h->hopeless = true;
        history_changed(h);
    }
    while (!h->writers[1].ended && !h->writers[1].crashed && history_wait(h, &version, false))
        ;
    h->writers_over = true;
    history_changed(h);
    while (h->sweep_at > 0 && !h->swept && history_wait(h, &version, false))
        ;
    (void)s3s_sleep_us(h->w.env, END_US, NULL, NULL);
    h->over = true;
    history_changed(h);
}

/* ---- choices --------------------------------------------------------------------------------- */

/* Of the writers, the reader of the stream, the reader of snapshots, against the server. The last
 * ones are beyond what the dataset allows, of a writer: nothing may be lost all the same. */
static const int64_t clock_table[][WORLD_TARGETS] = {
    {0, 0, 0, 0},
    {0, 0, SECOND, SECOND},
    {SECOND, 0, SECOND, 0},
    {-SECOND, 0, 0, -SECOND},
    {SECOND / 2, -SECOND / 2, -SECOND / 2, SECOND / 2},
    {-7 * SECOND, 0, SECOND, SECOND},
    {5 * SECOND, 0, SECOND, -SECOND},
    {-7 * SECOND, 0, -SECOND, 0},
    {5 * SECOND, 0, -SECOND, 0},
};
static const char *const clock_names[] = {
    "equal clocks",
    "readers ahead",
    "writer and reader ahead",
    "writer behind",
    "writer half ahead",
    "writer far behind",
    "writer far ahead",
    "writer far behind, reader behind",
    "writer far ahead, reader behind",
};
#define CLOCK_COUNT (sizeof clock_table / sizeof clock_table[0])
#define CLOCKS_THAT_AGREE 5

/* Without arbitration the order of commits is a matter of clocks: they must agree. */
static size_t clock_count(const history_plan *p)
{
    return p->unconditional ? CLOCKS_THAT_AGREE : CLOCK_COUNT;
}

static const history_pace paces[] = {
    {.name = "polls at once"},
    {.name = "slow to ask for markers", .head_before_us = 3 * SECOND},
    {.name = "slow to list", .list_before_us = 17 * SECOND},
    {.name = "slow to hear of the list", .list_after_us = 17 * SECOND},
};
#define PACE_COUNT (sizeof paces / sizeof paces[0])

/* With each other and with the server. */
static bool agree(const int64_t *clock_us)
{
    int64_t low = 0, high = 0;
    for (size_t i = 0; i < WORLD_TARGETS; i++) {
        low = clock_us[i] < low ? clock_us[i] : low;
        high = clock_us[i] > high ? clock_us[i] : high;
    }
    return high - low <= WORLD_SKEW_US;
}

static const char *const phase_names[] = {"whole second", "end of a second"};
static const int64_t phases_us[] = {0, SECOND - 1};
#define PHASE_COUNT 2
static const char *const delay_names[] = {"second at once", "second 3 s later",
                                          "second 20 s later"};
static const int64_t delays_us[] = {0, 3 * SECOND, 20 * SECOND};
#define DELAY_COUNT 3

size_t history_setting_count(const history_plan *p)
{
    return (p->clocks ? clock_count(p) * PHASE_COUNT : 1) * (p->paces ? PACE_COUNT : 1) *
           (p->delays ? DELAY_COUNT : 1);
}

history_plan history_setting(const history_plan *plan, size_t i, char *name)
{
    history_plan p = *plan;
    int n = snprintf(name, HISTORY_NAME_SIZE, "%s", plan->name);
    if (p.clocks) {
        size_t clock = i % clock_count(&p);
        memcpy(p.clock_us, clock_table[clock], sizeof p.clock_us);
        n += snprintf(name + n, HISTORY_NAME_SIZE - (size_t)n, ": %s", clock_names[clock]);
        i /= clock_count(&p);
        p.phase_us = phases_us[i % PHASE_COUNT];
        n += snprintf(name + n, HISTORY_NAME_SIZE - (size_t)n, ", %s",
                      phase_names[i % PHASE_COUNT]);
        i /= PHASE_COUNT;
    }
    if (p.paces) {
        p.pace = (unsigned)(i % PACE_COUNT);
        n += snprintf(name + n, HISTORY_NAME_SIZE - (size_t)n, ", reader %s", paces[p.pace].name);
        i /= PACE_COUNT;
    }
    if (p.delays) {
        p.second_after_us = delays_us[i];
        snprintf(name + n, HISTORY_NAME_SIZE - (size_t)n, ", %s", delay_names[i]);
    }
    p.clocks = p.paces = p.delays = false;
    p.name = name;
    return p;
}

static void choose_pause(history *h)
{
    static const char *const pause_names[] = {"16 s", "16 minutes", "5 hours"};
    static const int64_t pauses_us[] = {16 * SECOND, 16 * MINUTE, 300 * MINUTE};
    static char texts[128][16];
    const char *looks[128];
    for (size_t i = 0; i < 128; i++) {
        snprintf(texts[i], sizeof texts[i], "look %zu", i);
        looks[i] = texts[i];
    }
    h->suspend_at = (unsigned)history_choose(h, h->plan->suspend + 1, looks);
    h->suspend_for_us = pauses_us[h->suspend_at > 0 ? history_choose(h, 3, pause_names) : 0];
}

static void choose_setting(history *h)
{
    const history_plan *p = h->plan;
    const char *names[PACE_COUNT];
    h->clock_us = p->clock_us;
    h->phase_us = p->phase_us;
    h->pace = &paces[p->pace];
    h->second_after_us = p->second_after_us;
    if (p->clocks) {
        h->clock_us = clock_table[history_choose(h, clock_count(p), clock_names)];
        h->phase_us = phases_us[history_choose(h, PHASE_COUNT, phase_names)];
    }
    h->clocks_agree = agree(h->clock_us);
    for (size_t i = 0; i < PACE_COUNT; i++)
        names[i] = paces[i].name;
    if (p->paces)
        h->pace = &paces[history_choose(h, PACE_COUNT, names)];
    if (p->delays)
        h->second_after_us = delays_us[history_choose(h, DELAY_COUNT, delay_names)];
    if (p->suspend > 0)
        choose_pause(h);
    if (p->sweeps > 0)
        history_choose_sweep(h);
}

static s3store_status init_history(history *h, history_run *run, s3s_explorer *explorer,
                                   s3store_error *err)
{
    const history_plan *p = run->plan;
    bool own_token = p->second == SECOND_OTHER;
    h->run = run;
    h->plan = p;
    h->explorer = explorer;
    h->faults_left = p->faults;
    h->asked_left = p->asked;
    choose_setting(h);
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < WORLD_WRITERS && status == S3STORE_OK; i++) {
        h->writers[i] = (history_writer){.h = h,
                                         .index = i,
                                         .token = "first",
                                         .v = VALUE,
                                         .clock_us = h->clock_us[i],
                                         .status = S3STORE_END};
        status = s3store_cancel_new(&h->writers[i].cancel, err);
    }
    if (p->generated)
        h->writers[0].token = NULL;
    if (own_token) {
        h->writers[1].token = "second";
        h->writers[1].group = 1;
    }
    if (p->second == SECOND_OTHER_DATA)
        h->writers[1].v = 11;
    return status;
}

/* ---- one history ----------------------------------------------------------------------------- */

static s3store_status add_actors(history *h, s3store_error *err)
{
    s3store_status status = s3s_mutex_init(&h->mutex, h->w.env, err);
    if (status == S3STORE_OK)
        status = s3s_cond_init(&h->changed, h->w.env, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "eager-reader", h->clock_us[WORLD_READER],
                             history_run_reader, h, err);
    if (status == S3STORE_OK && !h->plan->torn_lists)
        status = s3s_sim_add(h->w.sim, "eager-cutter", h->clock_us[WORLD_CUTTER],
                             history_run_cutter, h, err);
    if (status == S3STORE_OK && h->sweep_at > 0)
        status = s3s_sim_add(h->w.sim, "eager-sweeper", h->clock_us[WORLD_CUTTER],
                             history_run_sweeper, h, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "eager-director", 0, run_director, h, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "w1", h->clock_us[0], run_first, h, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "w2", h->clock_us[1], run_second, h, err);
    return status;
}

static void set_faults(history *h)
{
    for (size_t i = 0; i < WORLD_WRITERS; i++) {
        faulty_store *f = &h->w.faults[i];
        faulty_reset(f);
        f->fn = decide;
        f->ctx = &h->writers[i];
        f->stored = stored;
        f->stored_ctx = &h->writers[i];
    }
    for (size_t i = WORLD_WRITERS; i < WORLD_TARGETS; i++)
        faulty_reset(&h->w.faults[i]);
    h->w.faults[WORLD_READER].fn = decide_reader;
    h->w.faults[WORLD_READER].ctx = h;
    h->w.faults[WORLD_CUTTER].fn = decide_cutter;
    h->w.faults[WORLD_CUTTER].ctx = h;
    if (h->plan->torn_lists)
        h->w.faults[WORLD_CUTTER].page_max = 1;
}

static s3store_status play(history *h, s3store_error *err)
{
    world_options options = {.in_order = !h->plan->interleaved,
                             .fence = h->plan->fence,
                             .s3 = h->plan->s3,
                             .unconditional = h->plan->unconditional,
                             .views = h->plan->views,
                             .timeout_us = h->plan->timeout_us,
                             .before_clock = before_clock,
                             .before_clock_ctx = h};
    s3store_status status = world_open(&h->w, h->explorer, &options, err);
    set_faults(h);
    if (status == S3STORE_OK)
        status = add_actors(h, err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    for (size_t i = 0; i < WORLD_TARGETS; i++)
        h->w.faults[i].fn = NULL;
    h->w.faults[WORLD_CUTTER].page_max = 0;
    if (status == S3STORE_OK)
        status = s3s_sim_add(h->w.sim, "eager-judge", h->clock_us[WORLD_READER], history_run_judge, h,
                             err);
    if (status == S3STORE_OK)
        status = world_run(&h->w, err);
    if (status == S3STORE_OK && h->broken != S3STORE_OK) {
        *err = h->why;
        status = h->broken;
    }
    return status;
}

static void sum_up(history *h)
{
    history_run *run = h->run;
    const history_writer *first = &h->writers[0];
    run->sums.outcomes[first->crashed ? 31 : first->status & 31]++;
    run->sums.entries += h->seen.count;
    run->sums.cuts += h->cut_count;
    run->sums.committed += h->shown[0][0] != '\0';
    run->entries = h->seen.count - 1; /* but that of the set-up */
    for (size_t i = 0; i < WORLD_WRITERS; i++) {
        run->status[i] = h->writers[i].status;
        run->err[i] = h->writers[i].err;
        run->crashed[i] = h->writers[i].crashed;
    }
}

static int64_t real_mono_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

s3store_status history_one(void *ctx, s3s_explorer *explorer, s3store_error *err)
{
    history_run *run = ctx;
    if (run->deadline_mono_us != 0 && real_mono_us() > run->deadline_mono_us)
        return s3s_fail(err, S3STORE_END, "the time is over");
    history *h = calloc(1, sizeof *h);
    if (h == NULL)
        return s3s_fail_memory(err, sizeof *h);
    s3store_status status = init_history(h, run, explorer, err);
    if (status == S3STORE_OK)
        status = play(h, err);
    sum_up(h);
    for (size_t i = 0; i < WORLD_WRITERS; i++) {
        if (!h->writers[i].crashed) /* else it went with its process */
            s3store_write_result_free(h->writers[i].result);
    }
    if (h->changed.env != NULL) {
        s3s_cond_deinit(&h->changed);
        s3s_mutex_deinit(&h->mutex);
    }
    world_close(&h->w);
    for (size_t i = 0; i < WORLD_WRITERS; i++)
        s3store_cancel_free(h->writers[i].cancel);
    free(h);
    return status;
}
