/* One column at a time, in memory: how fast pages of one encoding are read and written, and how that
 * compares with the compression library alone on the same bytes.
 */
#include "parquet_figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cpu.h"
#include "base/error.h"
#include "parquet/codec/codec.h"
#include "parquet/parquet.h"

enum { ROWS = 1 << 22, BATCH = 65536, PAGE = 1 << 20, RUNS = 5 };

typedef struct figure {
    const char *name;
    s3s_type type;
    uint64_t (*value)(uint64_t row, uint64_t random);
    s3store_compression compression;
    s3s_codec_id codec;
    double floor; /* GB/s, or with a codec the part of its speed; 0 = none is asked for */
} figure;

static uint64_t random_value(uint64_t row, uint64_t random)
{
    (void)row;
    return random;
}

static uint64_t serial_value(uint64_t row, uint64_t random)
{
    return row * 20 + random % 20;
}

/* Compressible, but not by a dictionary. */
static uint64_t price_value(uint64_t row, uint64_t random)
{
    (void)row;
    double price = (double)(random % 16000000) / 100;
    uint64_t bits;
    memcpy(&bits, &price, sizeof bits);
    return bits;
}

static const figure figures[] = {
    {"int64, PLAIN", S3S_TYPE_INT64, random_value, S3STORE_COMPRESSION_UNCOMPRESSED,
     S3S_PQ_UNCOMPRESSED, 5},
    {"double, PLAIN", S3S_TYPE_DOUBLE, price_value, S3STORE_COMPRESSION_UNCOMPRESSED,
     S3S_PQ_UNCOMPRESSED, 5},
    {"int64, DELTA_BINARY_PACKED", S3S_TYPE_INT64, serial_value,
     S3STORE_COMPRESSION_UNCOMPRESSED, S3S_PQ_UNCOMPRESSED, 2},
    {"double, PLAIN in snappy", S3S_TYPE_DOUBLE, price_value, S3STORE_COMPRESSION_SNAPPY,
     S3S_PQ_SNAPPY, 0.7},
    {"double, PLAIN in zstd", S3S_TYPE_DOUBLE, price_value, S3STORE_COMPRESSION_ZSTD, S3S_PQ_ZSTD,
     0.9},
};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static s3store_status append(void *ctx, const void *data, size_t size, s3store_error *err)
{
    return s3s_buffer_append(ctx, data, size, err);
}

static s3s_schema *schema_of(s3s_env *env, const figure *f)
{
    s3s_schema *schema = NULL;
    s3s_field field = {.name = "c", .type = f->type};
    if (s3s_schema_new(env, 1, &schema, NULL) != S3STORE_OK ||
        !s3s_field_copy(&schema->arena, &field, &schema->fields[0]))
        abort();
    return schema;
}

static void make_values(const figure *f, uint64_t *values)
{
    uint64_t z = 1;
    for (uint64_t i = 0; i < ROWS; i++) {
        z = z * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint64_t r = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        values[i] = f->value(i, r ^ (r >> 27));
    }
}

/* By one writer, file after file, as a dataset's writer does: its memory is as warm as the codec's. */
static s3store_status write_once(s3s_env *env, s3s_schema *schema, const figure *f,
                                 const uint64_t *values, s3s_parquet_writer **kept,
                                 s3s_buffer *out, s3store_error *err)
{
    s3s_parquet_write_options options = {.compression = f->compression, .page_bytes = PAGE};
    s3s_parquet_sink sink = {out, append};
    s3store_status status = S3STORE_OK;
    s3s_buffer_clear(out);
    if (*kept == NULL)
        status = s3s_parquet_writer_new(env, schema, &options, sink, kept, err);
    else if (!s3s_parquet_writer_restart(*kept, schema, &options, sink))
        status = s3s_fail(err, S3STORE_INTERNAL, "the writer does not restart");
    s3s_parquet_writer *writer = *kept;
    for (size_t at = 0; at < ROWS && status == S3STORE_OK; at += BATCH) {
        const void *buffers[2] = {NULL, values + at};
        struct ArrowArray column = {.length = BATCH, .n_buffers = 2, .buffers = buffers};
        struct ArrowArray *columns[1] = {&column};
        const void *none[1] = {NULL};
        struct ArrowArray batch = {.length = BATCH, .n_buffers = 1, .buffers = none,
                                   .n_children = 1, .children = columns};
        status = s3s_parquet_writer_add(writer, &batch, err);
    }
    if (status == S3STORE_OK)
        status = s3s_parquet_writer_finish(writer, err);
    return status;
}

static s3store_status read_once(s3s_env *env, const s3s_buffer *in, int64_t *rows,
                                s3store_error *err)
{
    s3s_parquet_memory memory = {in->data, in->size};
    s3s_parquet_file *file = NULL;
    s3s_parquet_cursor *cursor = NULL;
    *rows = 0;
    s3store_status status =
        s3s_parquet_open(env, s3s_parquet_memory_source(&memory), "m", NULL, &file, err);
    if (status == S3STORE_OK)
        status = s3s_parquet_cursor_new(file, NULL, 0, BATCH, &cursor, err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch;
        status = s3s_parquet_cursor_next(cursor, &batch, err);
        if (status == S3STORE_OK) {
            *rows += batch.length;
            s3s_array_release(&batch);
        }
    }
    s3s_parquet_cursor_free(cursor);
    s3s_parquet_free(file);
    return status == S3STORE_END ? S3STORE_OK : status;
}

/* The library alone: the same bytes in pieces of a page. */
static s3store_status codec_alone(s3s_env *env, const figure *f, const uint64_t *values,
                                  double *pack, double *unpack, s3store_error *err)
{
    const s3s_codec *codec = s3s_codec_by_id((int32_t)f->codec);
    s3s_codec_state state;
    s3s_codec_init(&state, env);
    size_t room = codec->max_compressed(PAGE);
    uint8_t *packed = malloc(room), *out = malloc(PAGE);
    s3store_status status = packed != NULL && out != NULL ? S3STORE_OK : S3STORE_OUT_OF_MEMORY;
    for (const uint8_t *at = (const uint8_t *)values;
         at < (const uint8_t *)(values + ROWS) && status == S3STORE_OK; at += PAGE) {
        size_t size = room;
        double begin = cpu_seconds();
        status = codec->compress(&state, at, PAGE, packed, &size, err);
        double middle = cpu_seconds();
        if (status == S3STORE_OK)
            status = codec->decompress(&state, packed, size, out, PAGE, err);
        *unpack += cpu_seconds() - middle;
        *pack += middle - begin;
    }
    free(packed);
    free(out);
    s3s_codec_deinit(&state);
    return status;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static int measure(s3s_env *env, const figure *f, uint64_t *values)
{
    s3store_error err = {0};
    s3s_schema *schema = schema_of(env, f);
    s3s_buffer file;
    s3s_buffer_init(&file, env, SIZE_MAX);
    make_values(f, values);
    double reading = 1e9, writing = 1e9, packing = 1e9, unpacking = 1e9;
    s3s_parquet_writer *writer = NULL;
    s3store_status status = S3STORE_OK;
    for (int run = 0; run < RUNS && status == S3STORE_OK; run++) {
        int64_t rows = 0;
        double begin = cpu_seconds(), pack = 0, unpack = 0;
        status = write_once(env, schema, f, values, &writer, &file, &err);
        writing = least(writing, cpu_seconds() - begin);
        begin = cpu_seconds();
        if (status == S3STORE_OK)
            status = read_once(env, &file, &rows, &err);
        reading = least(reading, cpu_seconds() - begin);
        if (status == S3STORE_OK)
            status = codec_alone(env, f, values, &pack, &unpack, &err);
        packing = least(packing, pack);
        unpacking = least(unpacking, unpack);
        if (status == S3STORE_OK && rows != ROWS)
            status = S3STORE_INTERNAL;
    }
    s3s_parquet_writer_free(writer);
    s3s_buffer_deinit(&file);
    s3s_schema_release(schema);
    if (status != S3STORE_OK) {
        fprintf(stderr, "parquet_bench: %s: %s\n", f->name, err.message);
        return 1;
    }
    double bytes = ROWS * 8.0 / 1e9;
    printf("%-28s read %6.2f GB/s, write %6.2f GB/s", f->name, bytes / reading, bytes / writing);
    double got = bytes / reading;
    if (f->codec != S3S_PQ_UNCOMPRESSED) {
        got = unpacking / reading;
        printf("; of the codec alone: read %.0f %%, write %.0f %%", got * 100,
               packing / writing * 100);
    }
    bool missed = got < f->floor;
    printf("%s\n", missed ? "   MISSED" : "");
    return missed;
}

int figures_run(s3s_env *env)
{
    int code = 0;
    uint64_t *values = malloc(ROWS * sizeof *values);
    if (values == NULL)
        return 1;
    static const char *const levels[] = {"portable", "AVX2", "AVX-512"};
    printf("instructions: %s\n", levels[s3s_cpu_level()]);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        code |= measure(env, &figures[i], values);
    free(values);
    return code;
}
