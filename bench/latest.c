/* Latest per entity, in memory: the rows of `bench/latest.py`.
 *
 *   latest write URL ROWS ENTITIES KIND   one partition, files of 500,000 rows
 *   latest read URL                       rows and CPU seconds of reading all of it
 *   latest merge ROWS ENTITIES KIND       the same of merging batches that are in memory: the best
 *                                         of TRIES, and what finding the rows alone took of it
 *
 * KIND: of what the entity is. narrow: one int64 that was counted up. sparse: one int64 that is
 * anything. wide: two strings and an int32. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arrow/builder.h"
#include "base/env.h"
#include "scan/internal.h"

#define STEP UINT64_C(2654435761)
#define FILE_ROWS 500000
#define TRIES 3

typedef struct kind {
    const char *name;
    const char *entity[3];
    size_t columns[3], count; /* of the entity, in `fields` */
    bool sparse;
} kind;
static const kind kinds[] = {
    {"narrow", {"id"}, {4}, 1, false},
    {"sparse", {"id"}, {4}, 1, true},
    {"wide", {"carrier", "number", "origin"}, {1, 2, 3}, 3, false},
};

typedef struct row {
    int64_t id, version, delay;
    int32_t number;
    double distance;
    const char *part;
    char carrier[4], origin[8];
    s3store_bytes carrier_text, origin_text;
} row;

#define FIELD(n, k, m) {.name = n, .kind = S3STORE_KIND_##k, .offset = offsetof(row, m)}
static const s3store_field fields[] = {
    FIELD("part", CSTRING, part),        FIELD("carrier", STRING, carrier_text),
    FIELD("number", INT32, number),      FIELD("origin", STRING, origin_text),
    FIELD("id", INT64, id),              FIELD("version", INT64, version),
    FIELD("delay", INT64, delay),        FIELD("distance", DOUBLE, distance),
};
static const s3store_record_type type = S3STORE_RECORD_TYPE(row, fields);

static int die(const s3store_error *err)
{
    fprintf(stderr, "latest: %s\n", err->message);
    return 1;
}

/* A bijection of 64 bits. */
static uint64_t scatter(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void fill(row *r, uint64_t i, uint64_t entities, const kind *k)
{
    uint64_t e = i * STEP % entities;
    *r = (row){.part = "all", .id = (int64_t)(k->sparse ? scatter(e) : e), .version = (int64_t)i,
               .delay = (int64_t)(i % 977),
               .number = (int32_t)(e / 7500), .distance = (double)(i % 4001) / 2};
    int n = snprintf(r->carrier, sizeof r->carrier, "C%c", (char)('A' + e % 25));
    r->carrier_text = (s3store_bytes){r->carrier, (size_t)n};
    n = snprintf(r->origin, sizeof r->origin, "O%03d", (int)(e / 25 % 300));
    r->origin_text = (s3store_bytes){r->origin, (size_t)n};
}

static int write_all(const char *url, uint64_t rows, uint64_t entities, const kind *k)
{
    static const char *const parts[] = {"part"};
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_writer *writer = NULL;
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = url;
    config.partition_by = parts;
    config.partition_by_count = 1;
    config.entity = k->entity;
    config.entity_count = k->count;
    config.version = "version";
    row *batch = calloc(FILE_ROWS, sizeof *batch);
    if (batch == NULL || s3store_dataset_init(&config, &init, NULL, &err) != S3STORE_OK ||
        s3store_target_open(&config, &target, &err) != S3STORE_OK ||
        s3store_writer_open(target, NULL, &writer, &err) != S3STORE_OK)
        return die(&err);
    for (uint64_t at = 0; at < rows;) {
        size_t count = rows - at < FILE_ROWS ? (size_t)(rows - at) : FILE_ROWS;
        for (size_t i = 0; i < count; i++, at++)
            fill(&batch[i], at, entities, k);
        s3store_write_result *result = NULL;
        if (s3store_write_records(writer, &type, batch, count, NULL, &result, &err) != S3STORE_OK)
            return die(&err);
        s3store_write_result_free(result);
    }
    s3store_writer_free(writer);
    s3store_target_free(target);
    free(batch);
    return 0;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int read_all(const char *url)
{
    static const char *const everything[] = {"*"};
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_reader *reader = NULL;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = url;
    config.memory_bytes = UINT64_C(8) << 30;
    s3store_read_options read = S3STORE_READ_OPTIONS_INIT;
    read.patterns = everything;
    read.pattern_count = 1;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    double begun = cpu_seconds();
    int64_t rows = 0;
    if (s3store_target_open(&config, &target, &err) != S3STORE_OK ||
        s3store_reader_open(target, NULL, &reader, &err) != S3STORE_OK ||
        s3store_read(reader, &read, &stream, &err) != S3STORE_OK)
        return die(&err);
    for (;;) {
        if (stream.get_next(&stream, &batch) != 0) {
            (void)s3store_stream_error(&stream, &err);
            return die(&err);
        }
        if (batch.release == NULL)
            break;
        rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    printf("%" PRId64 " %.3f\n", rows, cpu_seconds() - begun);
    s3store_reader_free(reader);
    s3store_target_free(target);
    return 0;
}

/* Batches as the scan makes them of files. */
static size_t make_batches(s3s_env *env, const s3s_schema *schema, uint64_t rows,
                           uint64_t entities, const kind *k, struct ArrowArray **out)
{
    s3store_error err = {0};
    size_t count = (size_t)((rows + S3S_SCAN_BATCH_ROWS - 1) / S3S_SCAN_BATCH_ROWS), made = 0;
    row *records = calloc(S3S_SCAN_BATCH_ROWS, sizeof *records);
    *out = calloc(count, sizeof **out);
    for (uint64_t at = 0; *out != NULL && records != NULL && at < rows; made++) {
        size_t n = rows - at < S3S_SCAN_BATCH_ROWS ? (size_t)(rows - at) : S3S_SCAN_BATCH_ROWS;
        for (size_t i = 0; i < n; i++, at++)
            fill(&records[i], at, entities, k);
        if (s3s_records_to_batch(env, schema, &type, records, 0, n, &(*out)[made], &err) !=
            S3STORE_OK)
            exit(die(&err));
    }
    free(records);
    return made;
}

/* Merges batches and takes what remains, in all columns but the partition's; seconds[0]: all of
 * it, seconds[1]: of finding the rows. The result stays until the clock has stopped. Returns its
 * rows. */
static size_t merge_once(s3s_env *env, const scan_plan *plan, const struct ArrowArray *batches,
                         size_t count, double *seconds)
{
    static const size_t columns[] = {1, 2, 3, 4, 5, 6, 7};
    s3store_error err = {0};
    merged_rows merged = {0};
    const struct ArrowArray **sources = s3s_calloc(env, count, sizeof *sources);
    for (size_t i = 0; i < count; i++)
        sources[i] = &batches[i];
    double begun = cpu_seconds();
    if (s3s_scan_merge(env, plan, S3S_SCAN_LATEST, sources, count, &merged, &err) != S3STORE_OK)
        exit(die(&err));
    seconds[1] = cpu_seconds() - begun;
    struct ArrowArray *kept = calloc(merged.row_count / S3S_SCAN_BATCH_ROWS + 1, sizeof *kept);
    size_t kept_count = 0;
    for (size_t at = 0; kept != NULL && at < merged.row_count; kept_count++) {
        size_t left = merged.row_count - at;
        size_t n = left < S3S_SCAN_BATCH_ROWS ? left : S3S_SCAN_BATCH_ROWS;
        if (s3s_batch_take(env, plan->merge, merged.batches, merged.batch_count, merged.rows + at,
                           n, columns, sizeof columns / sizeof *columns, &kept[kept_count],
                           &err) != S3STORE_OK)
            exit(die(&err));
        at += n;
    }
    seconds[0] = cpu_seconds() - begun;
    size_t row_count = merged.row_count;
    for (size_t i = 0; i < kept_count; i++)
        s3s_array_release(&kept[i]);
    free(kept);
    s3s_scan_merged_deinit(env, &merged);
    return row_count;
}

static int merge_all(uint64_t rows, uint64_t entities, const kind *k)
{
    s3store_error err = {0};
    s3s_env *env = NULL;
    s3s_schema *schema = NULL;
    struct ArrowArray *batches = NULL;
    size_t entity[3] = {k->columns[0], k->columns[1], k->columns[2]}, row_count = 0;
    double best[2] = {0};
    if (s3s_env_new_real(&env, &err) != S3STORE_OK ||
        s3s_record_schema(env, &type, &schema, &err) != S3STORE_OK)
        return die(&err);
    size_t count = make_batches(env, schema, rows, entities, k, &batches);
    scan_plan plan = {.out = schema,
                      .merge = schema,
                      .entity = entity,
                      .entity_count = k->count,
                      .version = 5};
    for (int n = 0; n < TRIES; n++) {
        double seconds[2];
        row_count = merge_once(env, &plan, batches, count, seconds);
        if (n == 0 || seconds[0] < best[0])
            memcpy(best, seconds, sizeof best);
    }
    printf("%zu %.3f %.3f\n", row_count, best[0], best[1]);
    for (size_t i = 0; i < count; i++)
        s3s_array_release(&batches[i]);
    free(batches);
    s3s_schema_release(schema);
    s3s_env_release(env);
    return 0;
}

static const kind *kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const kind *k = argc > 4 ? kind_of(argv[argc - 1]) : NULL;
    if (argc == 6 && strcmp(argv[1], "write") == 0 && k != NULL)
        return write_all(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10), k);
    if (argc == 3 && strcmp(argv[1], "read") == 0)
        return read_all(argv[2]);
    if (argc == 5 && strcmp(argv[1], "merge") == 0 && k != NULL)
        return merge_all(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), k);
    fprintf(stderr, "usage: latest write URL ROWS ENTITIES narrow|sparse|wide | latest read URL | "
                    "latest merge ROWS ENTITIES narrow|sparse|wide\n");
    return 2;
}
