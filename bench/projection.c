/* One of 50 columns of 100 files of 8 MiB on a real S3 server: what it costs in bytes and requests.
 *
 *   projection URL [FILES]     URL: of a dataset that does not exist yet
 *
 * Exits 1 when more than 4 % of the data is fetched, or more than two requests are made for a file. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3store.h"

enum { WIDTH = 50, FILE_BYTES = 8 << 20, ROWS = FILE_BYTES / (WIDTH * 8), PARTITIONS = 10 };

typedef struct wide {
    int64_t p;
    int64_t values[WIDTH];
} wide;

static char names[WIDTH][8];
static s3store_field fields[WIDTH + 1] = {
    {.name = "p", .kind = S3STORE_KIND_INT64, .offset = offsetof(wide, p)}};

static int die(const s3store_error *err)
{
    fprintf(stderr, "projection: %s\n", err->message);
    return 1;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Random numbers do not shrink: a file is as large as its columns. */
static int write_files(s3store_target *target, size_t files, uint64_t *bytes)
{
    s3store_error err = {0};
    s3store_writer *writer = NULL;
    s3store_writer_options options = S3STORE_WRITER_OPTIONS_INIT;
    options.compression = S3STORE_COMPRESSION_UNCOMPRESSED;
    if (s3store_writer_open(target, &options, &writer, &err) != S3STORE_OK)
        return die(&err);
    for (size_t c = 0; c < WIDTH; c++) {
        snprintf(names[c], sizeof names[c], "c%zu", c);
        fields[c + 1] = (s3store_field){.name = names[c],
                                        .kind = S3STORE_KIND_INT64,
                                        .offset = offsetof(wide, values) + c * sizeof(int64_t)};
    }
    const s3store_record_type type = S3STORE_RECORD_TYPE(wide, fields);
    wide *rows = calloc(ROWS, sizeof *rows);
    uint64_t state = 88172645463325252u;
    int code = rows == NULL;
    for (size_t f = 0; code == 0 && f < files; f++) {
        for (size_t i = 0; i < ROWS; i++) {
            rows[i].p = (int64_t)(f % PARTITIONS);
            for (size_t c = 0; c < WIDTH; c++)
                rows[i].values[c] = (int64_t)next_random(&state);
        }
        s3store_write_result *result = NULL;
        if (s3store_write_records(writer, &type, rows, ROWS, NULL, &result, &err) != S3STORE_OK)
            code = die(&err);
        else
            *bytes += s3store_write_result_get(result, 0)->size_bytes;
        s3store_write_result_free(result);
    }
    free(rows);
    s3store_writer_free(writer);
    return code;
}

static int read_column(s3store_target *target, int64_t *rows)
{
    static const char *const everything[] = {"*"}, *const one[] = {"c7"};
    s3store_error err = {0};
    s3store_reader *reader = NULL;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    s3store_read_options o = S3STORE_READ_OPTIONS_INIT;
    o.patterns = everything;
    o.pattern_count = 1;
    o.columns = one;
    o.column_count = 1;
    if (s3store_reader_open(target, NULL, &reader, &err) != S3STORE_OK)
        return die(&err);
    int code = s3store_read(reader, &o, &stream, &err) == S3STORE_OK ? 0 : die(&err);
    while (code == 0) {
        if (stream.get_next(&stream, &batch) != 0) {
            (void)s3store_stream_error(&stream, &err);
            code = die(&err);
        }
        if (code != 0 || batch.release == NULL)
            break;
        *rows += batch.length;
        batch.release(&batch);
    }
    if (stream.release != NULL)
        stream.release(&stream);
    s3store_reader_free(reader);
    return code;
}

int main(int argc, char **argv)
{
    static const char *const parts[] = {"p"};
    if (argc < 2) {
        fprintf(stderr, "usage: projection URL [FILES]\n");
        return 2;
    }
    size_t files = argc > 2 ? strtoul(argv[2], NULL, 10) : 100;
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = argv[1];
    config.partition_by = parts;
    config.partition_by_count = 1;
    if (s3store_dataset_init(&config, &init, NULL, &err) != S3STORE_OK ||
        s3store_target_open(&config, &target, &err) != S3STORE_OK)
        return die(&err);
    uint64_t bytes = 0;
    int64_t rows = 0;
    s3store_request_counts before = {.size = sizeof before}, after = {.size = sizeof after};
    struct timespec begun, ended;
    int code = write_files(target, files, &bytes);
    s3store_target_request_counts(target, &before);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    if (code == 0)
        code = read_column(target, &rows);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    s3store_target_request_counts(target, &after);
    s3store_target_free(target);
    if (code != 0)
        return code;
    double share = 100.0 * (double)(after.bytes_received - before.bytes_received) / (double)bytes;
    double gets = (double)(after.get - before.get + after.head - before.head) / (double)files;
    bool holds = rows == (int64_t)(files * ROWS) && share < 4 && gets <= 2;
    printf("1 of %d columns of %zu files of %.1f MiB on a real server: %.2f %% of the bytes (below 4), "
           "%.2f GETs and HEADs for each file (at most 2), %.2f s%s\n",
           WIDTH, files, (double)bytes / (double)files / (1 << 20), share, gets,
           (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9,
           holds ? "" : "   MISSED");
    return !holds;
}
