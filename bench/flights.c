/* A table of made-up flights, in the shape of a well-known one, and sums over such tables.
 *
 *   flights make FILE.parquet ROWS    date, delay, distance, origin, destination over half a year
 *   flights sum FILE.parquet|URL      prints "rows delay distance names": what any copy must agree on
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3store.h"

enum { AIRPORTS = 300, BATCH_ROWS = 65536 };
#define START_US INT64_C(978307200000000) /* 2001-01-01 */
#define HALF_YEAR_US (181 * 86400 * INT64_C(1000000))

static int fail(const char *what, const s3store_error *err)
{
    fprintf(stderr, "flights: %s: %s\n", what, err->message);
    return 1;
}

/* ---- making ------------------------------------------------------------------------------------------ */

typedef struct maker {
    s3store_builder *builder;
    int64_t next, rows;
    uint64_t state;
    char names[AIRPORTS][4];
    s3store_error err;
} maker;

static uint64_t draw(maker *m)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return m->state;
}

/* Few airports have most of the flights. */
static size_t draw_airport(maker *m)
{
    uint64_t a = draw(m) % AIRPORTS, b = draw(m) % AIRPORTS;
    return a * b / AIRPORTS;
}

static s3store_status add_row(maker *m)
{
    size_t from = draw_airport(m), to = draw_airport(m);
    int64_t minute = 60 * INT64_C(1000000);
    int64_t time = START_US + (int64_t)((double)m->next / (double)m->rows * (double)HALF_YEAR_US);
    int64_t delay = (int64_t)(draw(m) % 60) - 15, distance = 100 + (int64_t)(from * to * 13 % 2400);
    if (draw(m) % 10 == 0)
        delay += (int64_t)(draw(m) % 300);
    s3store_status status =
        s3store_builder_append_int(m->builder, 0, time - time % minute, &m->err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_int(m->builder, 1, delay, &m->err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_int(m->builder, 2, distance, &m->err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_bytes(m->builder, 3, m->names[from], 3, &m->err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_bytes(m->builder, 4, m->names[to], 3, &m->err);
    m->next++;
    return status;
}

static s3store_status make_schema(struct ArrowSchema *out, s3store_error *err)
{
    static const char *const columns[][2] = {{"date", "tsu:"},
                                             {"delay", "l"},
                                             {"distance", "l"},
                                             {"origin", "u"},
                                             {"destination", "u"}};
    s3store_status status = s3store_schema_new(5, out, err);
    for (size_t i = 0; i < 5 && status == S3STORE_OK; i++)
        status = s3store_schema_add(out, columns[i][0], columns[i][1], true, err);
    return status;
}

static int maker_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    maker *m = stream->private_data;
    return make_schema(out, &m->err) == S3STORE_OK ? 0 : ENOMEM;
}

static int maker_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    maker *m = stream->private_data;
    memset(out, 0, sizeof *out);
    if (m->next == m->rows)
        return 0;
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && m->next < m->rows &&
           s3store_builder_rows(m->builder) < BATCH_ROWS)
        status = add_row(m);
    if (status == S3STORE_OK)
        status = s3store_builder_finish(m->builder, out, &m->err);
    return status == S3STORE_OK ? 0 : EIO;
}

static const char *maker_error(struct ArrowArrayStream *stream)
{
    return ((maker *)stream->private_data)->err.message;
}

static void maker_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static int make(const char *path, int64_t rows)
{
    static maker m = {.state = 0x9e3779b97f4a7c15};
    struct ArrowSchema schema;
    s3store_error err = {0};
    m.rows = rows;
    for (int i = 0; i < AIRPORTS; i++) {
        uint64_t name = draw(&m);
        for (int k = 0; k < 3; k++, name /= 26)
            m.names[i][k] = (char)('A' + name % 26);
    }
    if (make_schema(&schema, &err) != S3STORE_OK)
        return fail(path, &err);
    s3store_status status = s3store_builder_new(&schema, &m.builder, &err);
    schema.release(&schema);
    struct ArrowArrayStream stream = {maker_schema, maker_next, maker_error, maker_release, &m};
    if (status == S3STORE_OK)
        status = s3store_parquet_write_file(path, &stream, S3STORE_COMPRESSION_SNAPPY, &err);
    s3store_builder_free(m.builder);
    return status == S3STORE_OK ? 0 : fail(path, &err);
}

/* ---- sums -------------------------------------------------------------------------------------------- */

typedef struct sums {
    int64_t rows, delay, distance;
    uint64_t names; /* a sum over the rows: their order does not matter */
} sums;

static uint64_t name_at(const struct ArrowArray *a, int64_t row)
{
    const int32_t *offsets = a->buffers[1];
    const unsigned char *text = a->buffers[2];
    uint64_t h = 14695981039346656037u;
    for (int32_t i = offsets[a->offset + row]; i < offsets[a->offset + row + 1]; i++)
        h = (h ^ text[i]) * 1099511628211u;
    return h;
}

static void add_batch(sums *s, const struct ArrowArray *batch)
{
    struct ArrowArray **c = batch->children;
    const int64_t *delay = c[1]->buffers[1], *distance = c[2]->buffers[1];
    for (int64_t r = batch->offset; r < batch->offset + batch->length; r++) {
        s->delay += delay[c[1]->offset + r];
        s->distance += distance[c[2]->offset + r];
        s->names += name_at(c[3], r) * 31 + name_at(c[4], r);
    }
    s->rows += batch->length;
}

static s3store_status open_rows(const char *from, struct ArrowArrayStream *out, s3store_error *err)
{
    static const char *const everything[] = {"*"};
    static const char *const columns[] = {"date", "delay", "distance", "origin", "destination"};
    if (strstr(from, "://") == NULL)
        return s3store_parquet_read_file(from, out, err);
    s3store_target *target;
    s3store_reader *reader;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    config.url = from;
    options.patterns = everything;
    options.pattern_count = 1;
    options.columns = columns;
    options.column_count = 5;
    s3store_status status = s3store_target_open(&config, &target, err);
    if (status != S3STORE_OK)
        return status;
    status = s3store_reader_open(target, NULL, &reader, err);
    s3store_target_free(target);
    if (status != S3STORE_OK)
        return status;
    status = s3store_read(reader, &options, out, err);
    s3store_reader_free(reader);
    return status;
}

static int sum(const char *from)
{
    struct ArrowArrayStream stream;
    struct ArrowArray batch = {0};
    s3store_error err = {0};
    sums s = {0};
    if (open_rows(from, &stream, &err) != S3STORE_OK)
        return fail(from, &err);
    int code;
    while ((code = stream.get_next(&stream, &batch)) == 0 && batch.release != NULL) {
        add_batch(&s, &batch);
        batch.release(&batch);
    }
    if (code != 0) {
        (void)s3store_stream_error(&stream, &err);
        stream.release(&stream);
        return fail(from, &err);
    }
    stream.release(&stream);
    printf("%" PRId64 " %" PRId64 " %" PRId64 " %016" PRIx64 "\n", s.rows, s.delay, s.distance,
           s.names);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0 && atoll(argv[3]) > 0)
        return make(argv[2], atoll(argv[3]));
    if (argc == 3 && strcmp(argv[1], "sum") == 0)
        return sum(argv[2]);
    fprintf(stderr, "usage: flights make FILE.parquet ROWS | flights sum FILE.parquet|URL\n");
    return 2;
}
