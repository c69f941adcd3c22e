/* From a snapshot into the stream, exactly once: two writers, requests that take their time,
 * clocks as far apart as the dataset allows, and three readers that each take a snapshot at some
 * moment and poll from there, with small limits and repeated polls. At every such cut, snapshot
 * and stream together are every committed row once. (In every other history the answers of commits
 * come too late now and then, so that the writer puts them into the stream once more: such a one
 * comes twice when the snapshot lacks it, and never when the snapshot has it.) On virtual time;
 * S3S_FULL=1: many more histories. */
#include "support/test.h"

#include <stdlib.h>

#include "base/error.h"
#include "sim/world.h"
#include "stream/stream.h"

#define SECOND INT64_C(1000000)
enum { WRITES = 8, READERS = 3, ROWS_MAX = 4 * WORLD_WRITERS * WRITES, ID_SIZE = 16 };

typedef struct row {
    const char *id;
    int64_t v;
} row;
static const s3store_field row_fields[] = {
    {.name = "id", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(row, id)},
    {.name = "v", .kind = S3STORE_KIND_INT64, .offset = offsetof(row, v)},
};
static const s3store_record_type row_type = S3STORE_RECORD_TYPE(row, row_fields);

typedef struct id_list {
    char ids[ROWS_MAX][ID_SIZE];
    size_t count;
} id_list;

typedef struct history history;
typedef struct consumer {
    history *h;
    uint64_t random;
    id_list rows;
    size_t from_snapshot, in_common;
    s3store_status status;
    s3store_error err;
} consumer;

typedef struct producer {
    history *h;
    size_t number;
    uint64_t random;
    s3store_error err;
    s3store_status status;
} producer;

struct history {
    world w;
    producer producers[WORLD_WRITERS];
    consumer consumers[READERS];
    uint64_t faults; /* randomness of fates */
    bool late;    /* answers of commits come too late now and then */
    bool without; /* no exceptions: what the test must notice */
    size_t running;
    bool over;
    id_list truth;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int64_t below(uint64_t *state, int64_t bound)
{
    return (int64_t)(next_random(state) % (uint64_t)bound);
}

/* Most requests are quick; some take seconds, refs and commits now and then nearly too long, or
 * longer. */
static faulty_fate decide(void *ctx, const faulty_request *r)
{
    history *h = ctx;
    faulty_fate fate = {0};
    if (r->verb == S3S_VERB_PUT && r->kind == FAULTY_OTHER)
        return fate;
    int64_t dice = below(&h->faults, 10);
    int64_t most = dice < 6 ? SECOND / 20 : dice < 9 ? 2 * SECOND : h->late ? 14 * SECOND : 6 * SECOND;
    fate.before_us = below(&h->faults, most);
    if (r->verb == S3S_VERB_PUT && r->kind == FAULTY_COMMIT && dice == 9 && h->late)
        fate.after_us = below(&h->faults, 20 * SECOND); /* seen too late: it gets one more ref */
    return fate;
}

static void run_producer(void *ctx)
{
    producer *p = ctx;
    history *h = p->h;
    char id[ID_SIZE], day[32], token[ID_SIZE];
    for (int i = 0; i < WRITES; i++) {
        s3store_write_result *result = NULL;
        (void)s3s_sleep_us(h->w.env, below(&p->random, 9 * SECOND), NULL, NULL);
        snprintf(id, sizeof id, "w%zu-%d", p->number, i);
        snprintf(day, sizeof day, "2018-02-0%d", 1 + (int)below(&p->random, 3));
        snprintf(token, sizeof token, "t%zu-%d", p->number, i);
        s3store_status status = world_write(&h->w, p->number, day, id, 1, i % 2 == 0 ? token : NULL,
                                            &result, &p->err);
        if (status != S3STORE_OK && status != S3STORE_COMMIT_AFTER_TIMEOUT)
            p->status = status;
        s3store_write_result_free(result);
    }
    h->running--;
}

static s3store_status take_rows(world *w, const s3store_read_options *options, id_list *out,
                                s3store_error *err)
{
    s3store_reader *reader = NULL;
    s3store_records *records = NULL;
    s3store_status status = s3s_reader_open(w->targets[WORLD_CUTTER], NULL, &reader, err);
    if (status == S3STORE_OK)
        status = s3s_read_records(reader, &row_type, options, &records, err);
    const row *rows = s3store_records_data(records);
    for (size_t i = 0; status == S3STORE_OK && i < s3store_records_count(records); i++) {
        if (out->count == ROWS_MAX)
            status = s3s_fail(err, S3STORE_INTERNAL, "more than %d rows", ROWS_MAX);
        else
            snprintf(out->ids[out->count++], ID_SIZE, "%s", rows[i].id);
    }
    s3store_records_free(records);
    s3s_reader_free(reader);
    return status;
}

/* A poll whose rows and offset are kept together, or neither: what happens to a program that is
 * killed. *since is freed and made anew. */
static s3store_status poll_once(consumer *c, char **since)
{
    history *h = c->h;
    s3store_entries *entries = NULL;
    id_list rows = {0};
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    poll.since = *since;
    poll.max_entries = 1 + (int32_t)below(&c->random, 3);
    s3store_status status = s3s_poll(h->w.targets[WORLD_CUTTER], &poll, &entries, &c->err);
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    read.entries = entries;
    read.history = true;
    if (status == S3STORE_OK && s3store_entries_count(entries) > 0)
        status = take_rows(&h->w, &read, &rows, &c->err);
    bool killed = below(&c->random, 4) == 0;
    if (status == S3STORE_OK && !killed) {
        if (c->rows.count + rows.count > ROWS_MAX)
            return s3s_fail(&c->err, S3STORE_INTERNAL, "more than %d rows", ROWS_MAX);
        memcpy(c->rows.ids + c->rows.count, rows.ids, rows.count * ID_SIZE);
        c->rows.count += rows.count;
        free(*since);
        *since = strdup(s3store_entries_next_offset(entries));
    }
    s3store_entries_free(entries);
    return status;
}

static void run_consumer(void *ctx)
{
    static const char *const everything[] = {"*"};
    consumer *c = ctx;
    history *h = c->h;
    s3store_entries *handover = NULL;
    char offset[S3S_KEY_SIZE];
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    (void)s3s_sleep_us(h->w.env, below(&c->random, 80 * SECOND), NULL, NULL);
    read.patterns = everything;
    read.pattern_count = 1;
    read.handover = h->without ? NULL : &handover;
    c->status = s3s_settled_offset(h->w.targets[WORLD_CUTTER], offset, &c->err);
    if (c->status == S3STORE_OK)
        c->status = take_rows(&h->w, &read, &c->rows, &c->err);
    c->from_snapshot = c->rows.count;
    c->in_common = s3store_entries_count(handover);
    char *since = strdup(h->without ? offset : s3store_entries_next_offset(handover));
    s3store_entries_free(handover);
    for (bool last = false; c->status == S3STORE_OK; last = h->over) {
        for (int i = 0; i < (last ? 200 : 1) && c->status == S3STORE_OK; i++)
            c->status = poll_once(c, &since);
        if (last)
            break;
        (void)s3s_sleep_us(h->w.env, below(&c->random, 3 * SECOND), NULL, NULL);
    }
    free(since);
}

static void run_end(void *ctx)
{
    static const char *const everything[] = {"*"};
    history *h = ctx;
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    while (h->running > 0)
        (void)s3s_sleep_us(h->w.env, SECOND, NULL, NULL);
    (void)s3s_sleep_us(h->w.env, WORLD_TIMEOUT_US + 60 * SECOND, NULL, NULL);
    read.patterns = everything;
    read.pattern_count = 1;
    h->consumers[0].status = take_rows(&h->w, &read, &h->truth, &h->consumers[0].err);
    h->over = true;
}

static size_t count_of(const id_list *list, const char *id)
{
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += strcmp(list->ids[i], id) == 0;
    return count;
}

/* How many rows came not exactly once. */
static size_t count_wrong(const history *h, const consumer *c, uint64_t seed, bool tell)
{
    size_t wrong = 0;
    for (size_t i = 0; i < c->rows.count; i++)
        wrong += count_of(&h->truth, c->rows.ids[i]) != 1;
    for (size_t i = 0; i < h->truth.count; i++) {
        size_t count = count_of(&c->rows, h->truth.ids[i]);
        bool in_snapshot = false;
        for (size_t k = 0; k < c->from_snapshot; k++)
            in_snapshot |= strcmp(c->rows.ids[k], h->truth.ids[i]) == 0;
        bool ok = count == 1 || (h->late && !in_snapshot && count > 1);
        wrong += !ok;
        if (!ok && tell)
            print_message("seed %llu: row %s came %zu times (snapshot %zu, in common %zu)\n",
                          (unsigned long long)seed, h->truth.ids[i], count, c->from_snapshot,
                          c->in_common);
    }
    return wrong;
}

typedef struct sums {
    size_t wrong, in_common, from_snapshot, rows, restamps;
} sums;

static void run_history(uint64_t seed, bool without, sums *out)
{
    s3store_error err = {0};
    history *h = calloc(1, sizeof *h);
    assert_non_null(h);
    uint64_t random = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
    h->faults = next_random(&random);
    h->without = without;
    h->late = seed % 2 == 1;
    world_options options = {.in_order = true};
    assert_ok(world_open(&h->w, NULL, &options, &err));
    for (size_t i = 0; i < WORLD_TARGETS; i++) {
        h->w.faults[i].fn = decide;
        h->w.faults[i].ctx = h;
        h->w.faults[i].page_max = 1 + (uint32_t)below(&random, 5);
    }
    for (size_t i = 0; i < WORLD_WRITERS; i++) {
        h->producers[i] = (producer){.h = h, .number = i, .random = next_random(&random)};
        h->running++;
        assert_ok(s3s_sim_add(h->w.sim, i == 0 ? "w1" : "w2", below(&random, 3) * SECOND / 2 - SECOND / 2,
                              run_producer, &h->producers[i], &err));
    }
    for (size_t i = 0; i < READERS; i++) {
        h->consumers[i] = (consumer){.h = h, .random = next_random(&random)};
        assert_ok(s3s_sim_add(h->w.sim, i == 0 ? "r1" : i == 1 ? "r2" : "r3",
                              below(&random, 3) * SECOND / 2 - SECOND / 2, run_consumer,
                              &h->consumers[i], &err));
    }
    assert_ok(s3s_sim_add(h->w.sim, "end", 0, run_end, h, &err));
    assert_ok(world_run(&h->w, &err));
    size_t refs = 0;
    assert_ok(world_count_keys(&h->w, ".ref", &refs, &err));
    for (size_t i = 0; i < WORLD_WRITERS; i++)
        if (h->producers[i].status != S3STORE_OK)
            fail_msg("seed %d: writer: %s", (int)seed, h->producers[i].err.message);
    assert_true(h->truth.count > WORLD_WRITERS * WRITES); /* and the setup's row */
    out->restamps += refs - h->truth.count;
    out->rows += h->truth.count;
    for (size_t i = 0; i < READERS; i++) {
        const consumer *c = &h->consumers[i];
        if (c->status != S3STORE_OK)
            fail_msg("seed %d: reader: %s", (int)seed, c->err.message);
        out->wrong += count_wrong(h, c, seed, !without);
        out->in_common += c->in_common;
        out->from_snapshot += c->from_snapshot;
    }
    world_close(&h->w);
    free(h);
}

static void test_handover__snapshot_and_stream_are_every_row_once_at_every_cut(void **state)
{
    (void)state;
    const char *full = getenv("S3S_FULL");
    uint64_t count = full != NULL && strcmp(full, "1") == 0 ? 5000 : WORLD_SANITIZED ? 30 : 120;
    sums s = {0};
    for (uint64_t seed = 0; seed < count; seed++)
        run_history(seed, false, &s);
    print_message("%d cuts: %zu rows in common of %zu in snapshots; %zu refs beyond one for a commit\n",
                  (int)count * READERS, s.in_common, s.from_snapshot, s.restamps);
    assert_int_equal(s.wrong, 0);
    assert_true(s.in_common > count); /* or nothing was tested */
    assert_true(s.restamps > 0);
}

static void test_handover__without_it_rows_come_twice(void **state)
{
    (void)state;
    sums s = {0};
    for (uint64_t seed = 0; seed < 10; seed++)
        run_history(seed, true, &s);
    assert_true(s.wrong > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handover__snapshot_and_stream_are_every_row_once_at_every_cut),
        cmocka_unit_test(test_handover__without_it_rows_come_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
