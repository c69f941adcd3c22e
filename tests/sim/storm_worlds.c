/* What is else in some worlds: what a seed says of it, who does it, and what must hold all the
 * same. */
#include "sim/storm_private.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "dataset/layout.h"
#include "maintain/maintain.h"
#include "stream/stream.h"

#define DATA_PATH "ds/data/"
#define ATTEMPT "0123456789abcdef0123456789abcdef"
#define OTHER_TOKEN "foreign"

const char *const storm_world_names[STORM_WORLDS] = {
    [STORM_PLAIN] = "plain",
    [STORM_UNCONDITIONAL] = "unconditional",
    [STORM_UNFENCED] = "unfenced",
    [STORM_DAMAGED] = "damaged",
};

storm_world storm_world_of(const char *name)
{
    size_t i = 0;
    while (i < STORM_WORLDS && strcmp(storm_world_names[i], name) != 0)
        i++;
    return (storm_world)i;
}

/* ---- what cannot be read --------------------------------------------------------------------- */

/* Metadata of markers, name and value by turns: each lacks something, or has something else. */
static const char *const marker_forms[][8] = {
    {NULL},
    {"attemptid", ATTEMPT, "refmicrots", "1517966773000000", "insertedat", "1"},
    {"refmicrots", "1517966773000000", "insertedat", "1", "rowcount", "1"},
    {"attemptid", "0123456789ABCDEF0123456789ABCDEF", "refmicrots", "1", "insertedat", "1",
     "rowcount", "1"},
    {"attemptid", ATTEMPT "0", "refmicrots", "1", "insertedat", "1", "rowcount", "1"},
    {"attemptid", ATTEMPT, "refmicrots", "1_0", "insertedat", "1", "rowcount", "1"},
    {"attemptid", ATTEMPT, "refmicrots", "1", "insertedat", "9223372036854775808", "rowcount", "1"},
    {"attemptid", ATTEMPT, "refmicrots", "1", "insertedat", "1", "rowcount", "many"},
};
#define MARKER_FORMS (sizeof marker_forms / sizeof marker_forms[0])

/* Names of refs after their stamp: none is a ref of this dataset. "" = not even a stamp. */
static const char *const ref_forms[] = {
    "",
    "-" OTHER_TOKEN "-" ATTEMPT ".ref",
    "-" OTHER_TOKEN "-0123;day=2018-02-06.ref",
    "-" OTHER_TOKEN "-" ATTEMPT ";day%3D2018-02-0%6.ref",
    "-" OTHER_TOKEN "-" ATTEMPT ";.ref",
    "-" OTHER_TOKEN "-" ATTEMPT ";day=2018-02-06%2Fhour=1.ref",
};
#define REF_FORMS (sizeof ref_forms / sizeof ref_forms[0])

/* ---- what a seed says ------------------------------------------------------------------------ */

static size_t menu_index(const char *name)
{
    size_t i = 0;
    while (i + 1 < history_menu_size && strcmp(history_menu[i].name, name) != 0)
        i++;
    return i;
}

/* What the fence is for: commits that arrive when it would be closed. */
static void draw_late_faults(storm_plan *p, uint64_t key)
{
    static const char *const names[] = {"too late and crash", "too late and crash",
                                        "late, after the fence", "hours before"};
    for (size_t i = 0; i < LATE_FAULTS && !p->calm; i++, key += 3)
        p->faults[p->fault_count++] = (fault_plan){
            .job = (size_t)storm_draw(p->seed, key, p->job_count),
            .of_commits = true,
            .request = 1 + (unsigned)storm_draw(p->seed, key + 1, 2),
            .option = menu_index(names[storm_draw(p->seed, key + 2, 4)])};
}

/* From streams of their own: the rest of a storm is the same in all worlds. */
void storm_draw_world(storm_plan *p)
{
    uint64_t key = UINT64_C(7) << 40;
    if (p->world == STORM_UNFENCED)
        draw_late_faults(p, UINT64_C(8) << 40);
    if (p->world != STORM_DAMAGED)
        return;
    p->damage_count = 1 + (size_t)storm_draw(p->seed, key++, DAMAGES_MAX);
    for (size_t i = 0; i < p->damage_count; i++) {
        damage_plan *d = &p->damages[i];
        d->kind = (damage_kind)storm_draw(p->seed, key++, DAMAGE_KINDS);
        d->at_us = (int64_t)storm_draw(p->seed, key++, (uint64_t)(i < 2 ? 10 : 90) * SECOND);
        d->token = (int)storm_draw(p->seed, key++, TOKENS);
        d->partition = (unsigned)storm_draw(p->seed, key++, PARTITIONS);
        d->form = (size_t)storm_draw(p->seed, key++,
                                     d->kind == DAMAGE_REF ? REF_FORMS : MARKER_FORMS);
    }
    for (size_t i = 0; i < p->reader_count; i++)
        p->readers[i].skips = storm_draw(p->seed, key++, 2) == 0;
}

void storm_describe_damage(const damage_plan *d, char *out, size_t size)
{
    double at_s = (double)d->at_us / 1e6;
    if (d->kind == DAMAGE_REF)
        snprintf(out, size, "at %.3f s a ref that is none: <stamp>%s", at_s, ref_forms[d->form]);
    else if (d->kind == DAMAGE_OF_A_TOKEN)
        snprintf(out, size, "at %.3f s t%d in %s gets a marker that cannot be read (%zu)", at_s,
                 d->token, storm_days[d->partition], d->form);
    else
        snprintf(out, size, "at %.3f s data, a marker that cannot be read (%zu) and a ref in %s",
                 at_s, d->form, storm_days[d->partition]);
}

/* ---- which is which -------------------------------------------------------------------------- */

void storm_day_name(size_t day, char *out, size_t size)
{
    snprintf(out, size, "day=%s", storm_days[day]);
}

bool storm_on_days(const char *path, unsigned days)
{
    char day[32];
    for (size_t k = 0; k < PARTITIONS; k++) {
        snprintf(day, sizeof day, "/day=%s/", storm_days[k]);
        if ((days >> k & 1) != 0 && strstr(path, day) != NULL)
            return true;
    }
    return false;
}

unsigned storm_clean_days(const storm *s)
{
    unsigned days = ALL_DAYS;
    for (size_t i = 0; i < s->damaged_count; i++)
        for (size_t k = 0; k < PARTITIONS; k++)
            if (strstr(s->damaged[i], storm_days[k]) != NULL)
                days &= ~(1u << k);
    return days;
}

/* Whether what follows the token is that of its marker, or of a data object of it. */
static bool is_rest(const char *rest)
{
    return strcmp(rest, ".commit") == 0 ||
           (rest[0] == '-' && strlen(rest) == 1 + S3S_ATTEMPT_ID_SIZE + strlen(".parquet"));
}

static bool is_of(const char *stem, const char *key)
{
    size_t size = strlen(stem);
    return strncmp(key, stem, size) == 0 && is_rest(key + size);
}

size_t storm_damaged(const storm *s, const char *key)
{
    for (size_t i = 0; i < s->damaged_count; i++)
        if (is_of(s->damaged[i], key))
            return i;
    return SIZE_MAX;
}

bool storm_met_damage(const storm *s, s3store_status status, const s3store_error *err)
{
    return status == S3STORE_DAMAGED_MARKER && storm_is_damaged(s, err->key);
}

static void damage_stem(const storm *s, const damage_plan *d, char *out, size_t size)
{
    if (d->kind == DAMAGE_OF_A_TOKEN)
        snprintf(out, size, DATA_PATH "day=%s/t%d", storm_days[d->partition], d->token);
    else
        snprintf(out, size, DATA_PATH "day=%s/" OTHER_TOKEN "%zu", storm_days[d->partition],
                 (size_t)(d - s->plan.damages));
}

bool storm_hits(const storm *s, size_t job)
{
    const job_plan *j = &s->plan.jobs[job];
    for (size_t i = 0; i < s->plan.damage_count; i++) {
        const damage_plan *d = &s->plan.damages[i];
        if (d->kind == DAMAGE_OF_A_TOKEN && d->token == j->token &&
            (j->partitions >> d->partition & 1) != 0 && storm_has(s, ELEMENT_DAMAGE, i))
            return true;
    }
    return false;
}

path_set storm_promised(const storm *s)
{
    path_set promised = {0};
    for (size_t i = 0; i < s->ack_count; i++)
        if (s->acks[i].state == S3STORE_COMMIT_DONE)
            path_set_add(&promised, s->acks[i].path);
    return promised;
}

/* ---- writers --------------------------------------------------------------------------------- */

void storm_check_probe(storm *s, const process *p)
{
    bool conditional = p->target->locked.conditional, fenced = p->target->locked.fenced;
    if (conditional != (s->plan.world != STORM_UNCONDITIONAL))
        storm_break(s, "(i) a writer takes the server for one that %s conditions",
                    conditional ? "honours" : "ignores");
    if (fenced != (s->plan.world != STORM_UNFENCED))
        storm_break(s, "(i) the commits of a writer %s", fenced ? "expire" : "do not expire");
}

void storm_wait_for_turn(process *p)
{
    storm *s = p->s;
    unsigned version = 0;
    int token = s->plan.jobs[p->index].token;
    if (s->plan.world != STORM_UNCONDITIONAL || token < 0)
        return;
    for (size_t i = 0; i < s->process_count; i++) {
        const process *q = &s->processes[i];
        if (q->kind != ELEMENT_JOB || q->index >= p->index || s->plan.jobs[q->index].token != token)
            continue;
        while (!q->ended && !q->crashed && s->broken == S3STORE_OK)
            (void)storm_wait(s, &version, S3STORE_TIME_NONE);
    }
}

/* ---- a foreign hand -------------------------------------------------------------------------- */

static void put(process *p, const char *key, const char *body, const char *const form[8])
{
    s3store_metadata_entry entries[4];
    s3store_error err = {0};
    s3store_put_reply reply = {0};
    s3store_put_request request = {
        .size = sizeof request, .key = key, .body = body, .body_size = strlen(body),
        .metadata = entries};
    for (size_t i = 0; form != NULL && i < 8 && form[i] != NULL; i += 2)
        entries[request.metadata_count++] = (s3store_metadata_entry){form[i], form[i + 1]};
    storm_fail(p->s, s3s_put(&p->fault.store, NULL, &request, &reply, &err), &err,
               "a foreign hand");
}

/* Known from before it is there. */
static void note_damaged(storm *s, const char *stem)
{
    for (size_t i = 0; i < s->damaged_count; i++)
        if (strcmp(s->damaged[i], stem) == 0)
            return;
    snprintf(s->damaged[s->damaged_count++], STORM_TEXT, "%s", stem);
    s->sums.damaged++;
}

void storm_run_damage(void *ctx)
{
    process *p = ctx;
    storm *s = p->s;
    const damage_plan *d = &s->plan.damages[p->index];
    char stem[96], key[STORM_TEXT];
    storm_pause(s, d->at_us);
    long long stamp = s3s_sim_server_wall_us(s->sim);
    if (d->kind == DAMAGE_REF) {
        snprintf(key, sizeof key, "ds/_ref/%016lld%s", stamp, ref_forms[d->form]);
        if (ref_forms[d->form][0] == '\0')
            snprintf(key, sizeof key, "ds/_ref/%zu notes.txt", p->index);
        snprintf(s->bad_refs[s->bad_ref_count++], STORM_TEXT, "%s", key);
        put(p, key, "", NULL);
    } else {
        damage_stem(s, d, stem, sizeof stem);
        note_damaged(s, stem);
        snprintf(key, sizeof key, "%s-" ATTEMPT ".parquet", stem);
        if (d->kind == DAMAGE_OF_ITS_OWN)
            put(p, key, "no Parquet", NULL);
        snprintf(key, sizeof key, "%s.commit", stem);
        put(p, key, "", marker_forms[d->form]);
        snprintf(key, sizeof key, "ds/_ref/%016lld-" OTHER_TOKEN "%zu-" ATTEMPT ";day=%s.ref",
                 stamp, p->index, storm_days[d->partition]);
        if (d->kind == DAMAGE_OF_ITS_OWN)
            put(p, key, "", NULL);
    }
    p->ended = true;
    storm_changed(s);
}

void storm_check_told(storm *s, size_t reader)
{
    char stem[STORM_TEXT];
    for (size_t i = 0; i < s->plan.damage_count; i++) {
        const damage_plan *d = &s->plan.damages[i];
        if (d->kind != DAMAGE_OF_ITS_OWN || !storm_has(s, ELEMENT_DAMAGE, i))
            continue;
        damage_stem(s, d, stem, sizeof stem);
        for (size_t k = 0; k < s->damaged_count; k++)
            if (strcmp(s->damaged[k], stem) == 0 && !s->seen[reader].told_of[k])
                storm_break(s, "(e) reader %zu passed the damaged marker of %s without a word",
                            reader, stem);
    }
}

/* ---- verify ---------------------------------------------------------------------------------- */

typedef struct findings {
    storm *s;
    const path_set *committed;
    path_set late;
    bool damaged[DAMAGES_MAX], bad_refs[DAMAGES_MAX];
    bool others;
} findings;

static void take_finding(void *ctx, const s3store_finding *f)
{
    findings *found = ctx;
    storm *s = found->s;
    bool expected = false;
    char stem[S3S_KEY_SIZE];
    for (size_t i = 0; i < s->damaged_count && strcmp(f->kind, "marker_damaged") == 0; i++)
        expected = (found->damaged[i] |= is_of(s->damaged[i], f->key)) || expected;
    for (size_t i = 0; i < s->bad_ref_count && strcmp(f->kind, "ref_malformed") == 0; i++)
        expected = (found->bad_refs[i] |= strcmp(s->bad_refs[i], f->key) == 0) || expected;
    if (s->plan.world == STORM_UNFENCED && strcmp(f->kind, "commit_late") == 0) {
        snprintf(stem, sizeof stem, DATA_PATH "%s/%s", f->partition, f->token);
        for (size_t i = 0; i < s->path_count; i++)
            if (path_set_has(found->committed, i) && is_of(stem, s->paths[i]))
                path_set_add(&found->late, i);
        expected = true;
    }
    if (f->damage && !expected)
        storm_break(s, "(a) verify finds %s: %s: %s", f->kind, f->key, f->detail);
}

static void judge_damage(storm *s, const findings *found)
{
    s3store_object_info info;
    for (size_t i = 0; i < s->damaged_count; i++)
        if (!found->damaged[i])
            storm_break(s, "(i) verify does not find the damaged marker of %s", s->damaged[i]);
    for (size_t i = 0; i < s->bad_ref_count; i++) /* a sweep may have taken it */
        if (!found->bad_refs[i] &&
            s3s_head(&s->store, NULL, s->bad_refs[i], &info, NULL) == S3STORE_OK)
            storm_break(s, "(i) verify does not find %s", s->bad_refs[i]);
    /* What was committed once may be what the damaged marker named. */
    for (size_t i = 0; i < s->ack_count; i++) {
        const ack *a = &s->acks[i];
        if (a->reached && s3s_head(&s->store, NULL, s->paths[a->path], &info, NULL) != S3STORE_OK)
            storm_break(s, "(g) a sweep removed what a damaged marker may name: %s",
                        s->paths[a->path]);
    }
}

void storm_judge_verify(storm *s, process *p, const path_set *committed, size_t commit_count,
                        size_t orphan_count)
{
    s3store_error err = {0};
    s3store_verify_options options = S3STORE_VERIFY_OPTIONS_INIT;
    s3store_verify_report report = {.size = sizeof report};
    findings found = {.s = s, .committed = committed};
    options.finding = take_finding;
    options.finding_ctx = &found;
    storm_fail(s, s3s_verify_dataset(p->target, &options, &report, &err), &err, "verify");
    if (report.uncommitted != orphan_count || report.commits != commit_count + s->damaged_count)
        storm_break(s, "(g) verify counts %llu commits of %zu, and %llu orphans",
                    (unsigned long long)report.commits, commit_count + s->damaged_count,
                    (unsigned long long)report.uncommitted);
    judge_damage(s, &found);
    for (size_t i = 0; i < s->path_count; i++)
        if (path_set_has(&s->missed, i) && !path_set_has(&found.late, i))
            storm_break(s, "(i) a reader missed it, and verify does not find that: %s",
                        s->paths[i]);
}

/* ---- what readers missed --------------------------------------------------------------------- */

static void restamp_missed(storm *s, process *p)
{
    for (size_t i = 0; i < s->path_count && s->broken == S3STORE_OK; i++) {
        char partition[S3S_KEY_SIZE], token[S3S_KEY_SIZE];
        s3store_error err = {0};
        s3store_write_result *result = NULL;
        s3s_data_name name = s3s_data_name_parse(&p->target->layout, s->paths[i]);
        if (!path_set_has(&s->missed, i))
            continue;
        snprintf(partition, sizeof partition, "%.*s", (int)name.partition.size,
                 name.partition.data);
        snprintf(token, sizeof token, "%.*s", (int)name.token.size, name.token.data);
        storm_fail(s, s3s_restamp(p->target, partition, token, NULL, &result, &err), &err,
                   "a restamp of what was missed");
        s3store_write_result_free(result);
    }
}

void storm_judge_remedy(storm *s, process *p, const path_set *committed)
{
    static const reader_plan all = {.skips = true};
    if (s->plan.world != STORM_UNFENCED)
        return;
    restamp_missed(s, p);
    storm_pause(s, WORLD_TIMEOUT_US + 3 * WORLD_SKEW_US);
    for (size_t r = 0; r < READERS_MAX && s->broken == S3STORE_OK; r++) {
        stream_seen *seen = &s->seen[r];
        path_set paths = {0};
        s3store_error err = {0};
        bool more;
        if (!storm_has(s, ELEMENT_READER, r))
            continue;
        storm_fail(s, storm_poll(s, p, seen, &all, &more, &err), &err, "a poll after restamps");
        for (size_t i = 0; i < seen->count; i++)
            path_set_add(&paths, seen->entries[i].path);
        for (size_t i = 0; i < s->path_count; i++)
            if (path_set_has(committed, i) && !path_set_has(&paths, i))
                storm_break(s, "(e) restamped, and reader %zu still misses it: %s", r, s->paths[i]);
    }
}
