/* Latest per entity, in memory: the rows of `bench/latest.py`.
 *
 *   latest write URL ROWS ENTITIES narrow|wide   one partition, files of 500,000 rows
 *   latest read URL                              rows and CPU seconds of reading all of it
 *   latest merge ROWS ENTITIES narrow|wide       the same of merging batches that are in memory
 *
 * narrow: the entity is one int64. wide: it is two strings and an int32. */
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

static void fill(row *r, uint64_t i, uint64_t entities)
{
    uint64_t e = i * STEP % entities;
    *r = (row){.part = "all", .id = (int64_t)e, .version = (int64_t)i, .delay = (int64_t)(i % 977),
               .number = (int32_t)(e / 7500), .distance = (double)(i % 4001) / 2};
    int n = snprintf(r->carrier, sizeof r->carrier, "C%c", (char)('A' + e % 25));
    r->carrier_text = (s3store_bytes){r->carrier, (size_t)n};
    n = snprintf(r->origin, sizeof r->origin, "O%03d", (int)(e / 25 % 300));
    r->origin_text = (s3store_bytes){r->origin, (size_t)n};
}

static int write_all(const char *url, uint64_t rows, uint64_t entities, bool narrow)
{
    static const char *const parts[] = {"part"}, *const id[] = {"id"},
                             *const flight[] = {"carrier", "number", "origin"};
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_writer *writer = NULL;
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = url;
    config.partition_by = parts;
    config.partition_by_count = 1;
    config.entity = narrow ? id : flight;
    config.entity_count = narrow ? 1 : 3;
    config.version = "version";
    row *batch = calloc(FILE_ROWS, sizeof *batch);
    if (batch == NULL || s3store_dataset_init(&config, &init, NULL, &err) != S3STORE_OK ||
        s3store_target_open(&config, &target, &err) != S3STORE_OK ||
        s3store_writer_open(target, NULL, &writer, &err) != S3STORE_OK)
        return die(&err);
    for (uint64_t at = 0; at < rows;) {
        size_t count = rows - at < FILE_ROWS ? (size_t)(rows - at) : FILE_ROWS;
        for (size_t i = 0; i < count; i++, at++)
            fill(&batch[i], at, entities);
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
static size_t make_batches(s3s_env *env, const s3s_schema *schema, uint64_t rows, uint64_t entities,
                           struct ArrowArray **out)
{
    s3store_error err = {0};
    size_t count = (size_t)((rows + S3S_SCAN_BATCH_ROWS - 1) / S3S_SCAN_BATCH_ROWS), made = 0;
    row *records = calloc(S3S_SCAN_BATCH_ROWS, sizeof *records);
    *out = calloc(count, sizeof **out);
    for (uint64_t at = 0; *out != NULL && records != NULL && at < rows; made++) {
        size_t n = rows - at < S3S_SCAN_BATCH_ROWS ? (size_t)(rows - at) : S3S_SCAN_BATCH_ROWS;
        for (size_t i = 0; i < n; i++, at++)
            fill(&records[i], at, entities);
        if (s3s_records_to_batch(env, schema, &type, records, 0, n, &(*out)[made], &err) !=
            S3STORE_OK)
            exit(die(&err));
    }
    free(records);
    return made;
}

static int merge_all(uint64_t rows, uint64_t entities, bool narrow)
{
    s3store_error err = {0};
    s3s_env *env = NULL;
    s3s_schema *schema = NULL;
    struct ArrowArray *batches = NULL;
    merged_rows merged = {0};
    size_t wide_key[] = {1, 2, 3}, narrow_key[] = {4}, columns[] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (s3s_env_new_real(&env, &err) != S3STORE_OK ||
        s3s_record_schema(env, &type, &schema, &err) != S3STORE_OK)
        return die(&err);
    size_t count = make_batches(env, schema, rows, entities, &batches);
    const struct ArrowArray **sources = s3s_calloc(env, count, sizeof *sources);
    for (size_t i = 0; i < count; i++)
        sources[i] = &batches[i];
    scan_plan plan = {.out = schema,
                      .merge = schema,
                      .entity = narrow ? narrow_key : wide_key,
                      .entity_count = narrow ? 1 : 3,
                      .version = 5};
    double begun = cpu_seconds();
    if (s3s_scan_merge(env, &plan, S3S_SCAN_LATEST, sources, count, &merged, &err) != S3STORE_OK)
        return die(&err);
    double merging = cpu_seconds() - begun;
    for (size_t at = 0; at < merged.row_count;) {
        size_t left = merged.row_count - at;
        size_t n = left < S3S_SCAN_BATCH_ROWS ? left : S3S_SCAN_BATCH_ROWS;
        struct ArrowArray batch = {0};
        if (s3s_batch_take(env, schema, merged.batches, merged.batch_count, merged.rows + at, n,
                           columns, 8, &batch, &err) != S3STORE_OK)
            return die(&err);
        s3s_array_release(&batch);
        at += n;
    }
    printf("%zu %.3f %.3f\n", merged.row_count, cpu_seconds() - begun, merging);
    s3s_scan_merged_deinit(env, &merged);
    for (size_t i = 0; i < count; i++)
        s3s_array_release(&batches[i]);
    free(batches);
    s3s_schema_release(schema);
    s3s_env_release(env);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "write") == 0)
        return write_all(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10),
                         strcmp(argv[5], "narrow") == 0);
    if (argc == 3 && strcmp(argv[1], "read") == 0)
        return read_all(argv[2]);
    if (argc == 5 && strcmp(argv[1], "merge") == 0)
        return merge_all(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                         strcmp(argv[4], "narrow") == 0);
    fprintf(stderr, "usage: latest write URL ROWS ENTITIES narrow|wide | latest read URL | "
                    "latest merge ROWS ENTITIES narrow|wide\n");
    return 2;
}
