/* Who acts in a storm, and what becomes of requests. */
#include "sim/storm_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "dataset/layout.h"
#include "maintain/maintain.h"

/* After the last writer: late requests arrive, and everything settles. */
#define END_US (AFTER_THE_FENCE_US + WORLD_TIMEOUT_US + 10 * SECOND)

void storm_break(storm *s, const char *format, ...)
{
    va_list args;
    if (s->broken != S3STORE_OK)
        return;
    s->broken = S3STORE_INTERNAL;
    va_start(args, format);
    s3s_vfail(&s->why, S3STORE_INTERNAL, format, args);
    va_end(args);
}

void storm_fail(storm *s, s3store_status status, const s3store_error *err, const char *who)
{
    if (status != S3STORE_OK)
        storm_break(s, "(i) %s failed: %s: %.300s", who, s3store_status_name(status),
                    err->message);
}

bool storm_has(const storm *s, element_kind kind, size_t index)
{
    size_t at;
    for (size_t i = 0; i < ELEMENTS_MAX; i++)
        if (storm_element(&s->plan, i, &at) == kind && at == index)
            return (s->mask >> i & 1) != 0;
    return false;
}

size_t storm_path(storm *s, const char *path)
{
    for (size_t i = 0; i < s->path_count; i++)
        if (strcmp(s->paths[i], path) == 0)
            return i;
    if (s->path_count == PATHS_MAX) {
        storm_break(s, "(i) the storm has more than %d data objects", PATHS_MAX);
        return 0;
    }
    snprintf(s->paths[s->path_count], STORM_TEXT, "%s", path);
    return s->path_count++;
}

/* ---- waiting --------------------------------------------------------------------------------- */

void storm_changed(storm *s)
{
    s->version++;
    s3s_cond_broadcast(&s->changed);
}

/* When a ref may just be passed by a clock, and when by one that counts the skew wrongly. */
static int64_t next_critical(const storm *s, int64_t clock_us)
{
    int64_t next = S3STORE_TIME_NONE, now_us = s3s_sim_now_us(s->sim);
    for (size_t i = 0; i < s->ref_count; i++)
        for (int64_t skew_us = -WORLD_SKEW_US; skew_us <= WORLD_SKEW_US; skew_us += WORLD_SKEW_US) {
            int64_t at_us = s->refs_us[i] + 1 + WORLD_TIMEOUT_US + skew_us - clock_us -
                            WORLD_START_US;
            if (at_us > now_us && (next == S3STORE_TIME_NONE || at_us < next))
                next = at_us;
        }
    return next;
}

bool storm_wait(storm *s, unsigned *version, int64_t deadline_us)
{
    s3store_status status = S3STORE_OK;
    s3s_mutex_lock(&s->mutex);
    while (status == S3STORE_OK && s->version == *version && !s->over)
        status = s3s_cond_wait(&s->changed, &s->mutex, deadline_us, NULL);
    *version = s->version;
    s3s_mutex_unlock(&s->mutex);
    return !s->over;
}

void storm_pause(storm *s, int64_t time_us)
{
    if (time_us > 0)
        (void)s3s_sleep_us(s->env, time_us, NULL, NULL);
}

/* ---- what becomes of a request --------------------------------------------------------------- */

/* Most answers take milliseconds, some a second, few many. */
static int64_t draw_latency(const storm *s, const process *p, uint64_t which)
{
    uint64_t key = (UINT64_C(2) << 40) + (p->index << 24) + p->requests * 4 + which;
    uint64_t class = storm_draw(s->plan.seed, key, 100);
    uint64_t most_us = class < 80 ? 20000 : class < 97 ? 400000 : class < 99 ? 2000000 : 9000000;
    return (int64_t)storm_draw(s->plan.seed, key + (UINT64_C(1) << 50), most_us);
}

static bool is_throttled(const storm *s, const process *p)
{
    int64_t now_us = s3s_sim_now_us(s->sim);
    for (size_t i = 0; i < s->plan.episode_count; i++) {
        const episode *e = &s->plan.episodes[i];
        uint64_t key = (UINT64_C(3) << 40) + (p->index << 24) + p->requests;
        if (now_us >= e->from_us && now_us < e->to_us && storm_has(s, ELEMENT_EPISODE, i) &&
            storm_draw(s->plan.seed, key, 100) < e->percent)
            return true;
    }
    return false;
}

static bool lasts(const process *p, const faulty_request *r)
{
    const menu_option *o = p->lasting;
    if (o == NULL || s3s_sim_now_us(p->s->sim) >= p->lasting_until_us ||
        (o->puts_only && r->verb != S3S_VERB_PUT))
        return false;
    return o->everything || (r->verb == p->lasting_verb && r->kind == p->lasting_kind);
}

/* What a crash leaves: nothing of the process acts any more. */
static void note_crash(process *p)
{
    p->crashed = true;
    storm_changed(p->s);
}

static void begin_option(process *p, const menu_option *o, const faulty_request *r,
                         faulty_fate *fate)
{
    storm *s = p->s;
    bool put = r->verb == S3S_VERB_PUT;
    if ((o->puts_only && !put) || (o->fenced_only && !(put && r->put->fenced)))
        return;
    int64_t before_us = fate->before_us, after_us = fate->after_us;
    *fate = o->fate;
    fate->before_us += before_us;
    fate->after_us += after_us;
    s->sums.faults++;
    if (o->fenced_only)
        menu_move_to_the_end(s->sim, p->target, r, o->past_end_us, fate);
    if (o->lasting_us > 0) {
        p->lasting = o;
        p->lasting_verb = r->verb;
        p->lasting_kind = r->kind;
        p->lasting_until_us = s3s_sim_now_us(s->sim) + o->lasting_us;
    }
    p->cancel_when_stored = p->cancel_when_stored || o->cancel_after;
    if (o->cancel_before)
        s3store_cancel_trigger(p->cancel);
    if (o->crash_before || fate->crash)
        note_crash(p);
    if (o->crash_before)
        s3s_sim_crash(s->sim);
}

static void apply_faults(process *p, const faulty_request *r, faulty_fate *fate)
{
    storm *s = p->s;
    bool commits = r->verb == S3S_VERB_PUT && r->kind == FAULTY_COMMIT;
    p->protocol_requests++;
    p->commit_puts += commits;
    if (lasts(p, r)) {
        *fate = p->lasting->fate;
        return;
    }
    for (size_t i = 0; i < s->plan.fault_count; i++) {
        const fault_plan *f = &s->plan.faults[i];
        if (f->job != p->index || !storm_has(s, ELEMENT_FAULT, i) ||
            f->request != (f->of_commits ? p->commit_puts : p->protocol_requests) ||
            (f->of_commits && !commits))
            continue;
        if (f->option == OPTION_SUSPEND)
            p->suspend_us = f->pause_us;
        else
            begin_option(p, &history_menu[f->option], r, fate);
        return; /* one for each request */
    }
}

static void note_attempt(process *p, const char *key)
{
    storm *s = p->s;
    attempt_of a = {.job = p->index};
    memcpy(a.id, key + strlen(key) - strlen(".parquet") - S3S_ATTEMPT_ID_SIZE,
           S3S_ATTEMPT_ID_SIZE);
    if (s->attempt_count < ATTEMPTS_MAX)
        s->attempts[s->attempt_count++] = a;
    else
        storm_break(s, "(i) the storm has more than %d attempts", ATTEMPTS_MAX);
}

static faulty_fate decide(void *ctx, const faulty_request *r)
{
    process *p = ctx;
    storm *s = p->s;
    faulty_fate fate = {0};
    p->requests++;
    if (p->kind == ELEMENT_JOB && r->verb == S3S_VERB_PUT && r->kind == FAULTY_DATA)
        note_attempt(p, r->key);
    if (s->latency) {
        fate.before_us = draw_latency(s, p, 0);
        fate.after_us = draw_latency(s, p, 1);
    }
    if (!p->opened)
        return fate;
    if (is_throttled(s, p)) {
        s->sums.throttled++;
        fate.refuse = S3STORE_UNAVAILABLE;
        return fate;
    }
    if (p->kind == ELEMENT_JOB)
        apply_faults(p, r, &fate);
    if (r->verb == S3S_VERB_REMOVE)
        fate.before_us += s->plan.operators[p->index].remove_after_us; /* nobody else removes */
    bool reads = p->kind == ELEMENT_READER || p->kind == ELEMENT_CUTTER;
    if (reads && r->verb == S3S_VERB_LIST) {
        const reader_plan *plan =
            p->kind == ELEMENT_READER ? &s->plan.readers[p->index] : &s->plan.cutters[p->index];
        fate.after_us += plan->kind == READER_SLOW ? 17 * SECOND : 0;
    }
    return fate;
}

/* Something has taken effect. */
static void stored(void *ctx, const s3store_put_request *put)
{
    process *p = ctx;
    storm *s = p->s;
    s3s_ref ref;
    if (s3s_ends_with(put->key, ".ref") && s3s_ref_parse(put->key, &ref, NULL) == S3STORE_OK &&
        s->ref_count < REFS_MAX)
        s->refs_us[s->ref_count++] = ref.micros;
    if (p->cancel_when_stored)
        s3store_cancel_trigger(p->cancel);
    p->cancel_when_stored = false;
    storm_changed(s);
}

/* A machine that stands still. */
static void before_clock(void *ctx, const char *name)
{
    storm *s = ctx;
    for (size_t i = 0; i < s->process_count; i++) {
        process *p = &s->processes[i];
        if (p->suspend_us == 0 || strcmp(p->name, name) != 0)
            continue;
        int64_t pause_us = p->suspend_us;
        p->suspend_us = 0;
        s->sums.faults++;
        storm_pause(s, pause_us);
    }
}

/* ---- opening --------------------------------------------------------------------------------- */

static s3store_target_config config_of(const s3store_object_store *store)
{
    static const char *const parts[] = {"day"};
    static const char *const entity[] = {"id"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = store;
    config.bucket = "sim";
    config.prefix = "ds";
    config.partition_by = parts;
    config.partition_by_count = 1;
    config.entity = entity;
    config.entity_count = 1;
    config.version = "v";
    return config;
}

static bool open_process(process *p)
{
    storm *s = p->s;
    s3store_target_config config = config_of(&p->fault.store);
    config.fence = s->plan.world == STORM_UNFENCED ? S3STORE_FENCE_OFF : S3STORE_FENCE_AUTO;
    s3store_status status = s3s_target_open(s->env, &config, &p->target, &p->err);
    if (status == S3STORE_OK && p->kind == ELEMENT_JOB)
        status = s3s_writer_open(p->target, NULL, &p->writer, &p->err);
    storm_fail(s, status, &p->err, "opening");
    p->opened = status == S3STORE_OK;
    if (p->writer != NULL)
        storm_check_probe(s, p);
    return p->opened;
}

/* Its target stays: the simulation has one env for all, which knows the metrics of one of them. */
static void close_process(process *p)
{
    p->ended = true;
    storm_changed(p->s);
}

static void run_close(void *ctx)
{
    storm *s = ctx;
    for (size_t i = 0; i < s->process_count; i++) {
        process *p = &s->processes[i];
        if (p->crashed) /* all it had goes with the simulation */
            continue;
        s3s_writer_free(p->writer);
        if (p->target != NULL)
            s3s_target_release(p->target);
    }
}

/* ---- who acts -------------------------------------------------------------------------------- */

static s3store_status make_input(const storm *s, size_t job, struct ArrowArrayStream *out,
                                 s3store_error *err)
{
    const job_plan *j = &s->plan.jobs[job];
    world_row rows[WORLD_ROWS_MAX];
    char ids[WORLD_ROWS_MAX][64];
    size_t count = 0;
    for (size_t k = 0; k < PARTITIONS; k++) {
        size_t n = (j->partitions >> k & 1) != 0 ? storm_row_count(&s->plan, j->token, job, k) : 0;
        for (size_t i = 0; i < n; i++, count++) {
            snprintf(ids[count], sizeof ids[count], "%c%zu-%zu-%zu", j->token >= 0 ? 't' : 'j',
                     j->token >= 0 ? (size_t)j->token : job, k, i);
            rows[count] = (world_row){storm_days[k], ids[count], j->other_data ? 2 : 1};
        }
    }
    return world_stream_of(rows, count, out, err);
}

static void run_job(void *ctx)
{
    process *p = ctx;
    storm *s = p->s;
    const job_plan *j = &s->plan.jobs[p->index];
    struct ArrowArrayStream input = {0};
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    char token[16];
    storm_pause(s, j->begin_us);
    snprintf(token, sizeof token, "t%d", j->token);
    options.token = j->token >= 0 ? token : NULL;
    options.no_token = j->token < 0;
    options.optimistic = j->optimistic;
    options.keep_going = j->keep_going;
    options.cancel = p->cancel;
    storm_wait_for_turn(p);
    if (!open_process(p))
        return;
    p->status = make_input(s, p->index, &input, &p->err);
    if (p->status == S3STORE_OK)
        p->status = s3s_write(p->writer, &input, &options, &result, &p->err);
    storm_note_result(s, p, result);
    s3store_write_result_free(result);
    close_process(p);
}

/* It polls until it is told that all is over, and then until nothing is left. */
static void run_reader(void *ctx)
{
    process *p = ctx;
    storm *s = p->s;
    const reader_plan *r = &s->plan.readers[p->index];
    unsigned version = 0;
    if (!open_process(p))
        return;
    for (bool last = false; s->broken == S3STORE_OK;) {
        s3store_error err = {0};
        bool more = false;
        s3store_status status = storm_poll(s, p, &s->seen[p->index], r, &more, &err);
        if (status != S3STORE_UNAVAILABLE && status != S3STORE_TIMEOUT) /* throttled: again */
            storm_fail(s, status, &err, "a poll");
        if (status == S3STORE_OK && last && !more)
            break;
        last = s->over;
        if (last || more)
            continue;
        if (r->kind == READER_LAZY)
            storm_pause(s, (int64_t)storm_draw(s->plan.seed, (UINT64_C(5) << 40) + p->requests,
                                             30 * SECOND));
        (void)storm_wait(s, &version, next_critical(s, p->clock_us));
    }
    close_process(p);
}

static void run_cutter(void *ctx)
{
    process *p = ctx;
    storm *s = p->s;
    const reader_plan *r = &s->plan.cutters[p->index];
    unsigned version = 0;
    if (!open_process(p))
        return;
    while (s->broken == S3STORE_OK) {
        s3store_error err = {0};
        s3store_status status = storm_snapshot(s, p, &err);
        if (status != S3STORE_UNAVAILABLE && status != S3STORE_TIMEOUT)
            storm_fail(s, status, &err, "a snapshot");
        if (r->kind == READER_LAZY)
            storm_pause(s, (int64_t)storm_draw(s->plan.seed, (UINT64_C(6) << 40) + p->requests,
                                             30 * SECOND));
        if (s->over || !storm_wait(s, &version, S3STORE_TIME_NONE))
            break;
    }
    close_process(p);
}

static void sweep(process *p)
{
    storm *s = p->s;
    s3store_orphans_options options = S3STORE_ORPHANS_OPTIONS_INIT;
    s3store_orphans_report report = {.size = sizeof report};
    options.older_than_us = 1; /* only the library's own bound protects */
    options.remove = true;
    p->status = s3s_orphans(p->target, &options, &report, &p->err);
    s->sums.removed += report.removed;
}

static void restamp(process *p)
{
    storm *s = p->s;
    const operator_plan *o = &s->plan.operators[p->index];
    s3store_write_result *result = NULL;
    char token[16], partition[32];
    snprintf(token, sizeof token, "t%d", o->token);
    snprintf(partition, sizeof partition, "day=%s", storm_days[o->partition]);
    p->status = s3s_restamp(p->target, partition, token, NULL, &result, &p->err);
    s->sums.restamped += p->status == S3STORE_OK;
    s3store_write_result_free(result);
}

static void run_operator(void *ctx)
{
    process *p = ctx;
    storm *s = p->s;
    const operator_plan *o = &s->plan.operators[p->index];
    storm_pause(s, o->at_us);
    if (!open_process(p))
        return;
    if (o->sweeps)
        sweep(p);
    else
        restamp(p);
    bool told = p->status == S3STORE_NOT_FOUND || p->status == S3STORE_UNAVAILABLE ||
                p->status == S3STORE_TIMEOUT || p->status == S3STORE_UNCERTAIN ||
                p->status == S3STORE_PERMISSION_DENIED || /* the fence of its ref had closed */
                p->status == S3STORE_COMMIT_AFTER_TIMEOUT ||
                storm_met_damage(s, p->status, &p->err);
    if (o->sweeps || !told)
        storm_fail(s, p->status == S3STORE_UNAVAILABLE ? S3STORE_OK : p->status, &p->err,
                   o->sweeps ? "a sweep" : "a restamp");
    close_process(p);
}

static bool acts(const process *p)
{
    return (p->kind == ELEMENT_JOB || p->kind == ELEMENT_OPERATOR || p->kind == ELEMENT_DAMAGE) &&
           !p->ended && !p->crashed;
}

static void run_director(void *ctx)
{
    storm *s = ctx;
    unsigned version = 0;
    for (size_t i = 0; i < s->process_count;)
        if (acts(&s->processes[i]) && s->broken == S3STORE_OK)
            (void)storm_wait(s, &version, S3STORE_TIME_NONE);
        else
            i++;
    storm_pause(s, END_US);
    s->over = true;
    storm_changed(s);
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void run_setup(void *ctx)
{
    storm *s = ctx;
    bool created;
    s3store_error err = {0};
    const s3store_view_def *views[] = {&world_view_def};
    s3store_target_config config = config_of(&s->store);
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    init.commit_timeout_us = WORLD_TIMEOUT_US;
    init.max_clock_skew_us = WORLD_SKEW_US;
    init.chunk_rows = s->plan.chunk_rows;
    init.views = views;
    init.view_count = s->plan.views ? 1 : 0;
    storm_fail(s, s3s_dataset_init(s->env, &config, &init, &created, &err), &err, "init");
}

static int64_t clock_of(const storm_plan *plan, element_kind kind, size_t index)
{
    switch (kind) {
    case ELEMENT_JOB:
        return plan->jobs[index].clock_us;
    case ELEMENT_READER:
        return plan->readers[index].clock_us;
    case ELEMENT_CUTTER:
        return plan->cutters[index].clock_us;
    case ELEMENT_OPERATOR:
        return plan->operators[index].clock_us;
    default:
        return 0;
    }
}

static process *add_process(storm *s, element_kind kind, size_t index, size_t element)
{
    static const char letters[] = "  wrco  dj";
    process *p = &s->processes[s->process_count++];
    p->s = s;
    p->kind = kind;
    p->index = index;
    p->element = element;
    snprintf(p->name, sizeof p->name, "%c%zu", letters[kind], index);
    if (storm_has(s, ELEMENT_CLOCKS, 0))
        p->clock_us = clock_of(&s->plan, kind, index);
    faulty_init(&p->fault, s->env, s->sim, &s->store);
    p->fault.coarse = s->plan.s3;
    p->fault.ignores_conditions = s->plan.world == STORM_UNCONDITIONAL;
    if (s->plan.s3)
        p->fault.store.name = "s3";
    p->fault.fn = kind == ELEMENT_NONE ? NULL : decide;
    p->fault.ctx = p;
    p->fault.stored = stored;
    p->fault.stored_ctx = p;
    return p;
}

static s3store_status add_actors(storm *s, s3store_error *err)
{
    static void (*const run[])(void *) = {
        [ELEMENT_JOB] = run_job,
        [ELEMENT_READER] = run_reader,
        [ELEMENT_CUTTER] = run_cutter,
        [ELEMENT_OPERATOR] = run_operator,
        [ELEMENT_DAMAGE] = storm_run_damage,
    };
    s3store_status status = S3STORE_OK;
    size_t index;
    for (size_t i = 0; i < ELEMENTS_MAX && status == S3STORE_OK; i++) {
        element_kind kind = storm_element(&s->plan, i, &index);
        if ((s->mask >> i & 1) == 0 || kind >= ELEMENT_NONE || run[kind] == NULL)
            continue;
        process *p = add_process(s, kind, index, i);
        s->sums.writes += kind == ELEMENT_JOB;
        status = s3store_cancel_new(&p->cancel, err);
        if (status == S3STORE_OK)
            status = s3s_sim_add(s->sim, p->name, p->clock_us, run[kind], p, err);
    }
    if (status == S3STORE_OK)
        status = s3s_sim_add(s->sim, "director", 0, run_director, s, err);
    return status;
}

static s3store_status play(storm *s, s3store_error *err)
{
    s3s_sim_options options = {.seed = s->plan.seed,
                               .start_wall_us = WORLD_START_US,
                               .before_clock = before_clock,
                               .before_clock_ctx = s};
    s3store_status status = s3s_sim_new(&options, &s->sim, err);
    if (status != S3STORE_OK)
        return status;
    s->env = s3s_sim_env(s->sim);
    status = s3s_memory_store_new(s->env, &s->store, err);
    if (status == S3STORE_OK)
        status = s3s_mutex_init(&s->mutex, s->env, err);
    if (status == S3STORE_OK)
        status = s3s_cond_init(&s->changed, s->env, err);
    if (status == S3STORE_OK)
        status = s3s_sim_add(s->sim, "setup", 0, run_setup, s, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(s->sim, err);
    if (status == S3STORE_OK)
        status = add_actors(s, err);
    if (status == S3STORE_OK)
        status = s3s_sim_run(s->sim, err);
    process *judge = add_process(s, ELEMENT_NONE, 0, 0);
    if (status == S3STORE_OK && s->broken == S3STORE_OK)
        status = s3s_sim_add(s->sim, judge->name, 0, storm_judge, judge, err);
    return status == S3STORE_OK ? s3s_sim_run(s->sim, err) : status;
}

static void clean_up(storm *s)
{
    if (s->sim != NULL && s3s_sim_add(s->sim, "close", 0, run_close, s, NULL) == S3STORE_OK)
        (void)s3s_sim_run(s->sim, NULL);
    if (s->changed.env != NULL)
        s3s_cond_deinit(&s->changed);
    if (s->mutex.env != NULL)
        s3s_mutex_deinit(&s->mutex);
    if (s->sim != NULL) {
        s3s_store_deinit(&s->store);
        s3s_sim_free(s->sim);
    }
    for (size_t i = 0; i < s->process_count; i++) {
        faulty_deinit(&s->processes[i].fault);
        s3store_cancel_free(s->processes[i].cancel);
    }
}

static void add_sums(storm_sums *to, const storm *s)
{
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)&s->sums;
    for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
        a[i] += b[i];
    to->storms++;
}

s3store_status storm_run(storm_id id, uint64_t mask, storm_sums *sums, s3store_error *err)
{
    storm *s = calloc(1, sizeof *s);
    if (s == NULL)
        return s3s_fail_memory(err, sizeof *s);
    storm_plan_make(id, &s->plan);
    s->mask = mask;
    s->latency = !s->plan.calm && storm_has(s, ELEMENT_LATENCY, 0);
    s3store_status status = play(s, err);
    if (s->broken != S3STORE_OK) {
        status = s->broken;
        *err = s->why;
    }
    clean_up(s);
    if (sums != NULL)
        add_sums(sums, s);
    free(s);
    return status;
}

uint64_t storm_shrink(storm_id id, uint64_t mask, const s3store_error *failure, unsigned *runs)
{
    size_t count = storm_element_count(id);
    if (count < ELEMENTS_MAX)
        mask &= (UINT64_C(1) << count) - 1;
    *runs = 0;
    for (bool smaller = true; smaller;) {
        smaller = false;
        for (size_t i = 0; i < count; i++) {
            uint64_t without = mask & ~(UINT64_C(1) << i);
            s3store_error err = {0};
            if (without == mask)
                continue;
            ++*runs;
            if (storm_run(id, without, NULL, &err) == S3STORE_OK ||
                strncmp(err.message, failure->message, 3) != 0)
                continue;
            mask = without;
            smaller = true;
        }
    }
    return mask;
}
