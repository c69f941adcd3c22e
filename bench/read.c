/* The read side against a store that answers late: `bench/run` prints these figures. Each is paired with
 * what it is bounded by; exits 1 when one misses its limit. */
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "arrow/builder.h"
#include "base/sim.h"
#include "datafile/datafile.h"
#include "read/read.h"
#include "stream/stream.h"
#include "support/dataset_fixture.h"

static int failures;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void limit(bool holds)
{
    printf("%s\n", holds ? "" : "   MISSED");
    failures += !holds;
}

static double clock_of(s3s_env *env)
{
    return env != NULL ? (double)s3s_mono_us(env) / 1e6 : now();
}

/* Every request takes this long. When the last LIST was answered is noted. */
typedef struct latency {
    int64_t us;
    double last_list;
    s3s_env *env; /* of the clock; NULL = the real one */
} latency;

static s3s_fault_decision delay(void *ctx, s3s_fault_verb verb, const char *key, uint64_t sequence)
{
    latency *l = ctx;
    s3s_fault_decision d = S3S_FAULT_NONE;
    (void)sequence;
    d.delay_us = l->us;
    if (verb == S3S_VERB_LIST && strstr(key, "/_config/") == NULL)
        l->last_list = clock_of(l->env) + (double)l->us / 1e6;
    return d;
}

static s3store_status sleep_once(void *ctx, size_t item, s3store_error *err)
{
    (void)item;
    fixture *fx = ctx;
    return s3s_sleep_us(fx->env, ((const latency *)fx->hook_ctx)->us, NULL, err);
}

/* What so many requests take at least, on this machine as busy as it is: they only wait. */
static double least_seconds(fixture *fx, size_t requests)
{
    s3store_error err;
    double begun = now();
    s3s_fan_options options = {.limit = 32};
    assert_ok(s3s_fan_out(fx->target->pool, requests, sleep_once, fx, &options, &err));
    return now() - begun;
}

/* ---- poll ------------------------------------------------------------------------------------------ */

static double poll_seconds(size_t refs, int max_inflight)
{
    s3store_error err;
    fixture fx;
    fixture_options options = {.max_inflight = max_inflight};
    latency l = {.us = 10000};
    fixture_open(&fx, NULL, &options);
    for (size_t i = 0; i < refs; i++) {
        fixture_write write = {.partition = "p=1", .stamp_us = fx.next_stamp_us + (int64_t)i};
        write.steps = FIXTURE_REF | FIXTURE_COMMIT;
        fixture_write_bytes(&fx, &write, NULL, 0, 1);
    }
    fx.hook_ctx = &l;
    fx.hook = delay;
    s3store_entries *entries = NULL;
    s3store_poll_options poll = S3STORE_POLL_OPTIONS_INIT;
    poll.max_entries = (int32_t)refs;
    double begun = now();
    assert_ok(s3s_poll(fx.target, &poll, &entries, &err));
    double took = now() - begun;
    assert_int_equal(s3store_entries_count(entries), refs);
    s3store_entries_free(entries);
    fx.hook = NULL;
    fixture_close(&fx);
    return took;
}

static void bench_poll(void)
{
    double one = poll_seconds(500, 1) * 20, many = poll_seconds(10000, 32);
    printf("poll of 10,000 settled refs, 10 ms latency: %.2f s; one HEAD after the other %.1f s; %.1f "
           "times as fast (at least 20)",
           many, one, one / many);
    limit(one / many >= 20);
}

/* ---- datasets of large files ----------------------------------------------------------------------- */

enum { WIDTH = 50 };

typedef struct wide {
    int64_t values[WIDTH];
} wide;

static char names[WIDTH][8];
static s3store_field fields[WIDTH];

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The bytes of a file of about this size: random numbers do not shrink. */
static void make_body(s3s_env *env, size_t size, s3s_buffer *body, size_t *rows)
{
    s3store_error err;
    uint64_t state = 88172645463325252u;
    s3s_schema *schema = NULL;
    struct ArrowArray batch = {0};
    for (size_t c = 0; c < WIDTH; c++) {
        snprintf(names[c], sizeof names[c], "c%zu", c);
        fields[c] = (s3store_field){.name = names[c],
                                    .kind = S3STORE_KIND_INT64,
                                    .offset = c * sizeof(int64_t)};
    }
    static const s3store_record_type type = S3STORE_RECORD_TYPE(wide, fields);
    *rows = size / sizeof(wide);
    wide *records = test_malloc(*rows * sizeof *records);
    for (size_t i = 0; i < *rows; i++) {
        for (size_t c = 0; c < WIDTH; c++)
            records[i].values[c] = (int64_t)next_random(&state);
    }
    assert_ok(s3s_record_schema(env, &type, &schema, &err));
    assert_ok(s3s_records_to_batch(env, schema, &type, records, 0, *rows, &batch, &err));
    const struct ArrowArray *batches[] = {&batch};
    assert_ok(s3s_datafile_encode(env, schema, batches, 1, S3STORE_COMPRESSION_UNCOMPRESSED, body,
                                  &err));
    s3s_array_release(&batch);
    s3s_schema_release(schema);
    test_free(records);
}

static size_t write_files(fixture *fx, size_t partitions, size_t files, size_t size, uint64_t *bytes)
{
    s3s_buffer body;
    size_t rows = 0;
    char partition[32];
    s3s_buffer_init(&body, fx->env, SIZE_MAX);
    make_body(fx->env, size, &body, &rows);
    for (size_t i = 0; i < files; i++) {
        snprintf(partition, sizeof partition, "p=%03zu", i % partitions);
        fixture_write write = {.partition = partition};
        fixture_write_bytes(fx, &write, body.data, body.size, (int64_t)rows);
    }
    *bytes = (uint64_t)body.size * files;
    s3s_buffer_deinit(&body);
    return rows * files;
}

/* Reads everything; seconds until the first batch in *first. */
static int64_t read_rows(fixture *fx, const char *const *columns, size_t column_count, double *first)
{
    static const char *const everything[] = {"*"};
    s3store_error err;
    s3store_reader *reader = NULL;
    s3store_reader_options options = S3STORE_READER_OPTIONS_INIT;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    options.no_dedup = true;
    o.patterns = everything;
    o.pattern_count = 1;
    o.columns = columns;
    o.column_count = column_count;
    int64_t rows = 0;
    assert_ok(s3s_reader_open(fx->target, &options, &reader, &err));
    assert_ok(s3s_read_stream(reader, &o, &stream, &err));
    for (;;) {
        assert_int_equal(stream.get_next(&stream, &batch), 0);
        if (rows == 0)
            *first = clock_of(fx->env);
        if (batch.release == NULL)
            break;
        rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    s3s_reader_free(reader);
    return rows;
}

static void bench_projection(void)
{
    static const char *const one[] = {"c7"};
    uint64_t bytes = 0;
    double first;
    fixture fx;
    fixture_options options = {.no_entity = true};
    fixture_open(&fx, NULL, &options);
    size_t rows = write_files(&fx, 10, 100, 8u << 20, &bytes);
    s3store_request_counts before = {.size = sizeof before}, after = {.size = sizeof after};
    fixture_reset_counts(&fx);
    s3store_target_request_counts(fx.target, &before);
    assert_int_equal(read_rows(&fx, one, 1, &first), rows);
    s3store_target_request_counts(fx.target, &after);
    double share = 100.0 * (double)(after.bytes_received - before.bytes_received) / (double)bytes;
    double gets = (double)fixture_count(&fx, S3S_VERB_GET) / 100;
    printf("1 of %d columns of 100 files of 8 MiB: %.2f %% of the bytes (below 4), %.2f GETs for each file "
           "(at most 2)",
           WIDTH, share, gets);
    limit(share < 4 && gets <= 2);
    fixture_close(&fx);
}

/* ---- small files, and the first record ------------------------------------------------------------- */

static void bench_small_files(void)
{
    fixture fx;
    latency l = {.us = 15000};
    fixture_options options = {.max_inflight = 32};
    char partition[32];
    double first;
    fixture_open(&fx, NULL, &options);
    for (int i = 0; i < 10000; i++) {
        fixture_row row = {"e", i, i, false};
        snprintf(partition, sizeof partition, "p=%02d", i % 50);
        fixture_write write = {.partition = partition, .steps = FIXTURE_DATA | FIXTURE_COMMIT};
        fixture_write_rows(&fx, &write, &row, 1);
    }
    fixture_reset_counts(&fx);
    fx.hook_ctx = &l;
    fx.hook = delay;
    double begun = now();
    assert_int_equal(read_rows(&fx, NULL, 0, &first), 10000);
    double took = now() - begun;
    uint64_t requests = fixture_count(&fx, S3S_VERB_GET) + fixture_count(&fx, S3S_VERB_LIST) +
                        fixture_count(&fx, S3S_VERB_HEAD);
    double least = least_seconds(&fx, requests);
    fx.hook = NULL;
    printf("cold snapshot of 10,000 small files, 15 ms latency: %.2f s; %" PRIu64
           " waits of 15 ms in 32 slots: %.2f s (%.2f by the clock); %.2f times that (at most 1.3)",
           took, requests, least, (double)requests / 32 * 0.015, took / least);
    limit(took / least <= 1.3);
    fixture_close(&fx);
}

/* On virtual time: only requests take any. */
static void read_first_record(void *ctx)
{
    fixture fx;
    latency l = {.us = 50000, .env = ctx};
    uint64_t bytes = 0;
    double first = 0;
    fixture_options options = {.max_inflight = 32, .no_entity = true};
    fixture_open(&fx, ctx, &options);
    size_t rows = write_files(&fx, 16, 128, 8u << 20, &bytes);
    /* The schema is recorded, as in every dataset that our writer wrote. */
    static const char head[] = "{\"format\":1,\"version\":1,\"columns\":[";
    s3s_buffer json;
    s3store_error err;
    s3s_buffer_init(&json, fx.env, SIZE_MAX);
    assert_ok(s3s_buffer_append(&json, head, sizeof head - 1, &err));
    for (size_t c = 0; c < WIDTH; c++) {
        char text[96];
        int n = snprintf(text, sizeof text, "%s{\"name\":\"c%zu\",\"type\":\"int64\",\"nullable\":false}",
                         c > 0 ? "," : "", c);
        assert_ok(s3s_buffer_append(&json, text, (size_t)n, &err));
    }
    assert_ok(s3s_buffer_append(&json, "]}", 2, &err));
    fixture_put(&fx, "ds/_config/schema/000001.json", json.data, json.size, NULL);
    s3s_buffer_deinit(&json);
    fx.hook_ctx = &l;
    fx.hook = delay;
    assert_int_equal(read_rows(&fx, NULL, 0, &first), rows);
    fx.hook = NULL;
    double trips = (first - l.last_list) / ((double)l.us / 1e6);
    printf("first record of %" PRIu64 " MiB: %.2f round trips after the LIST pages, on virtual time (at "
           "most 3)",
           bytes >> 20, trips);
    limit(trips <= 3.0 + 1e-6); /* of sums of seconds */
    fixture_close(&fx);
}

static void bench_first_record(void)
{
    s3store_error err;
    s3s_sim *sim = NULL;
    s3s_sim_options options = {.seed = 1, .start_wall_us = INT64_C(1700000000000000)};
    assert_ok(s3s_sim_new(&options, &sim, &err));
    assert_ok(s3s_sim_add(sim, "reader", 0, read_first_record, s3s_sim_env(sim), &err));
    assert_ok(s3s_sim_run(sim, &err));
    s3s_sim_free(sim);
}

int main(void)
{
    bench_poll();
    bench_projection();
    bench_small_files();
    bench_first_record();
    return failures > 0;
}
