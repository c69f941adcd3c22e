/* What a seed says: drawn in a fixed order, so that a mask changes nothing about the rest. */
#include "sim/storm_private.h"

#include <stdio.h>
#include <string.h>

const char *const storm_days[PARTITIONS] = {"2018-02-06", "2018-02-07", "2018-02-08"};

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

uint64_t storm_draw(uint64_t seed, uint64_t key, uint64_t n)
{
    return n == 0 ? 0 : mix(mix(seed) ^ key) % n;
}

typedef struct dice {
    uint64_t seed, count;
} dice;

static uint64_t draw(dice *d, uint64_t n)
{
    return storm_draw(d->seed, d->count++, n);
}

/* One of them in so many. */
static bool one_in(dice *d, uint64_t n)
{
    return draw(d, n) == 0;
}

/* Any two clocks, and the server's, are at most the skew apart; the extremes are drawn often. */
static int64_t draw_clock(dice *d, int64_t low_us)
{
    switch (draw(d, 3)) {
    case 0:
        return low_us;
    case 1:
        return low_us + WORLD_SKEW_US;
    default:
        return low_us + (int64_t)draw(d, WORLD_SKEW_US + 1);
    }
}

/* Mostly close to each other, so that they meet. */
static int64_t draw_moment(dice *d)
{
    static const uint64_t spans_s[] = {2, 20, 60, 120};
    return (int64_t)draw(d, spans_s[draw(d, 4)] * SECOND);
}

static void draw_jobs(dice *d, storm_plan *p, int64_t low_us)
{
    p->job_count = 3 + (size_t)draw(d, JOBS_MAX - 2);
    for (size_t i = 0; i < p->job_count; i++) {
        job_plan *j = &p->jobs[i];
        j->begin_us = draw_moment(d);
        j->clock_us = draw_clock(d, low_us);
        j->token = one_in(d, 5) ? -1 : (int)draw(d, TOKENS);
        j->partitions = 1 + (unsigned)draw(d, (1 << PARTITIONS) - 1);
        j->optimistic = one_in(d, 6);
        j->keep_going = one_in(d, 3);
        j->other_data = one_in(d, 12);
    }
}

static void draw_readers(dice *d, storm_plan *p, int64_t low_us)
{
    p->reader_count = 1 + (size_t)draw(d, READERS_MAX);
    p->cutter_count = 1 + (size_t)draw(d, CUTTERS_MAX);
    for (size_t i = 0; i < p->reader_count + p->cutter_count; i++) {
        reader_plan *r =
            i < p->reader_count ? &p->readers[i] : &p->cutters[i - p->reader_count];
        r->kind = (reader_kind)draw(d, READER_KINDS);
        r->clock_us = draw_clock(d, low_us);
        r->max_entries = one_in(d, 2) ? 0 : 1 + (int32_t)draw(d, 4);
    }
}

static void draw_operators(dice *d, storm_plan *p, int64_t low_us)
{
    static const int64_t after_us[] = {0, 20 * SECOND, 13 * MINUTE, 61 * MINUTE, 301 * MINUTE};
    p->operator_count = (size_t)draw(d, OPERATORS_MAX + 1);
    for (size_t i = 0; i < p->operator_count; i++) {
        operator_plan *o = &p->operators[i];
        o->sweeps = one_in(d, 2);
        o->at_us = draw_moment(d) + (o->sweeps ? after_us[draw(d, 5)] : 0);
        o->clock_us = draw_clock(d, low_us);
        o->remove_after_us = one_in(d, 3) ? (int64_t)draw(d, 20 * MINUTE) : 0;
        o->token = (int)draw(d, TOKENS);
        o->partition = (unsigned)draw(d, PARTITIONS);
    }
}

static void draw_faults(dice *d, storm_plan *p)
{
    static const int64_t pauses_us[] = {16 * SECOND, 16 * MINUTE, 300 * MINUTE};
    p->fault_count = (size_t)draw(d, FAULTS_DRAWN + 1);
    for (size_t i = 0; i < p->fault_count; i++) {
        fault_plan *f = &p->faults[i];
        f->job = (size_t)draw(d, p->job_count);
        f->request = 1 + (unsigned)draw(d, 1 + draw(d, 30)); /* early ones more often */
        f->option = 1 + (size_t)draw(d, history_menu_size - 1);
        if (one_in(d, 8))
            f->option = OPTION_SUSPEND;
        f->pause_us = pauses_us[draw(d, 3)];
    }
    p->episode_count = (size_t)draw(d, EPISODES_MAX + 1);
    for (size_t i = 0; i < p->episode_count; i++) {
        p->episodes[i].from_us = draw_moment(d);
        p->episodes[i].to_us = p->episodes[i].from_us + (int64_t)draw(d, 30 * SECOND);
        p->episodes[i].percent = 10 + (unsigned)draw(d, 91);
    }
}

void storm_plan_make(storm_id id, storm_plan *p)
{
    dice d = {.seed = id.seed};
    memset(p, 0, sizeof *p);
    p->world = id.world;
    p->seed = id.seed;
    p->s3 = one_in(&d, 2);
    p->views = one_in(&d, 2);
    p->chunk_rows = one_in(&d, 3) ? 1 + draw(&d, 2) : 0;
    int64_t low_us = -(int64_t)draw(&d, WORLD_SKEW_US + 1);
    if (one_in(&d, 2))
        low_us = one_in(&d, 2) ? 0 : -WORLD_SKEW_US;
    draw_jobs(&d, p, low_us);
    draw_readers(&d, p, low_us);
    draw_operators(&d, p, low_us);
    draw_faults(&d, p);
    p->calm = one_in(&d, 8);
    if (p->calm)
        p->fault_count = p->episode_count = 0;
    storm_draw_world(p); /* from a stream of its own */
}

size_t storm_row_count(const storm_plan *p, int token, size_t job, size_t partition)
{
    uint64_t who = token >= 0 ? (uint64_t)token : 100 + job;
    return 1 + (size_t)storm_draw(p->seed, 1000000 + who * 16 + partition, 4);
}

/* ---- elements -------------------------------------------------------------------------------- */

element_kind storm_element(const storm_plan *p, size_t number, size_t *index)
{
    const size_t counts[] = {1,
                             1,
                             p->job_count,
                             p->reader_count,
                             p->cutter_count,
                             p->operator_count,
                             p->fault_count,
                             p->episode_count,
                             p->damage_count};
    for (size_t kind = 0; kind < ELEMENT_NONE; kind++) {
        *index = number;
        if (number < counts[kind])
            return (element_kind)kind;
        number -= counts[kind];
    }
    return ELEMENT_NONE;
}

size_t storm_element_count(storm_id id)
{
    storm_plan p;
    size_t count = 0, index;
    storm_plan_make(id, &p);
    while (storm_element(&p, count, &index) != ELEMENT_NONE)
        count++;
    return count;
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static void describe_job(const storm_plan *p, size_t i, char *out, size_t size)
{
    const job_plan *j = &p->jobs[i];
    char token[24] = "no token";
    if (j->token >= 0)
        snprintf(token, sizeof token, "token t%d", j->token);
    int n = snprintf(out, size, "write %zu at %.3f s, clock %+.3f s, %s%s%s%s, rows:", i,
                     seconds(j->begin_us), seconds(j->clock_us), token,
                     j->other_data ? " with other data" : "", j->optimistic ? ", optimistic" : "",
                     j->keep_going ? ", keeps going" : "");
    for (size_t k = 0; k < PARTITIONS; k++)
        if ((j->partitions >> k & 1) != 0 && n > 0 && (size_t)n < size)
            n += snprintf(out + n, size - (size_t)n, " %zu in %s",
                          storm_row_count(p, j->token, i, k), storm_days[k]);
}

static void describe_operator(const operator_plan *o, char *out, size_t size)
{
    if (o->sweeps)
        snprintf(out, size, "a sweep at %.3f s, clock %+.3f s, removals take %.3f s",
                 seconds(o->at_us), seconds(o->clock_us), seconds(o->remove_after_us));
    else
        snprintf(out, size, "a restamp of t%d in %s at %.3f s, clock %+.3f s", o->token,
                 storm_days[o->partition], seconds(o->at_us), seconds(o->clock_us));
}

void storm_describe(storm_id id, size_t element, char *out, size_t size)
{
    static const char *const kinds[] = {"eager", "lazy", "slow"};
    storm_plan p;
    size_t i;
    storm_plan_make(id, &p);
    element_kind kind = storm_element(&p, element, &i);
    out[0] = '\0';
    if (kind == ELEMENT_LATENCY)
        snprintf(out, size, "%s (%s world, %s timing%s%s)",
                 p.calm ? "nothing is wrong" : "latency", storm_world_names[p.world],
                 p.s3 ? "S3" : "exact", p.views ? ", a view" : "",
                 p.chunk_rows > 0 ? ", chunks" : "");
    else if (kind == ELEMENT_CLOCKS)
        snprintf(out, size, "clocks that differ");
    else if (kind == ELEMENT_JOB)
        describe_job(&p, i, out, size);
    else if (kind == ELEMENT_READER || kind == ELEMENT_CUTTER) {
        const reader_plan *r = kind == ELEMENT_READER ? &p.readers[i] : &p.cutters[i];
        snprintf(out, size, "a reader of %s, %s, clock %+.3f s, at most %d entries%s",
                 kind == ELEMENT_READER ? "the stream" : "snapshots", kinds[r->kind],
                 seconds(r->clock_us), (int)r->max_entries,
                 r->skips ? ", passes damaged markers" : "");
    } else if (kind == ELEMENT_OPERATOR)
        describe_operator(&p.operators[i], out, size);
    else if (kind == ELEMENT_FAULT && p.faults[i].option == OPTION_SUSPEND)
        snprintf(out, size, "write %zu stands still for %.0f s at request %u", p.faults[i].job,
                 seconds(p.faults[i].pause_us), p.faults[i].request);
    else if (kind == ELEMENT_FAULT)
        snprintf(out, size, "%s %u of write %zu: %s", p.faults[i].of_commits ? "commit" : "request",
                 p.faults[i].request, p.faults[i].job, history_menu[p.faults[i].option].name);
    else if (kind == ELEMENT_EPISODE)
        snprintf(out, size, "%u %% are told 503 from %.3f s to %.3f s", p.episodes[i].percent,
                 seconds(p.episodes[i].from_us), seconds(p.episodes[i].to_us));
    else if (kind == ELEMENT_DAMAGE)
        storm_describe_damage(&p.damages[i], out, size);
}
