/* Columns in and out as Arrow streams: a week of temperatures is written, and summed up from the
 * columns that are needed.
 *
 *   arrow_stream file:///tmp/weather          or s3://bucket/weather
 *
 * Any library that speaks the Arrow C stream interface can be put in the place of either half.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3store.h"

#define STATIONS 3
#define DAYS 7
#define HOURS 24

static const char *const stations[STATIONS] = {"Bern", "Lugano", "Sion"};
static const char *const partition_by[] = {"day=time:day"};

static int report(const char *doing, const s3store_error *err)
{
    fprintf(stderr, "arrow_stream: %s: %s\n", doing, err->message);
    return 1;
}

/* ---- in: a producer of batches, one for each day ------------------------------------------------------- */

typedef struct producer {
    s3store_builder *builder;
    int day;
    s3store_error err;
} producer;

static s3store_status make_schema(struct ArrowSchema *out, s3store_error *err)
{
    s3store_status status = s3store_schema_new(3, out, err);
    if (status == S3STORE_OK)
        status = s3store_schema_add(out, "station", "u", false, err);
    if (status == S3STORE_OK)
        status = s3store_schema_add(out, "time", "tsu:UTC", false, err);
    if (status == S3STORE_OK)
        status = s3store_schema_add(out, "celsius", "g", true, err);
    return status;
}

static s3store_status add_row(s3store_builder *b, int station, int64_t time_us, int hour, int day,
                              s3store_error *err)
{
    const char *name = stations[station];
    s3store_status status = s3store_builder_append_bytes(b, 0, name, strlen(name), err);
    if (status == S3STORE_OK)
        status = s3store_builder_append_int(b, 1, time_us, err);
    if (status != S3STORE_OK)
        return status;
    if (hour == 3 && station == 2) /* this one measures nothing at night */
        return s3store_builder_append_null(b, 2, err);
    double celsius = 4.0 * station + day + (hour < 12 ? hour : 24 - hour) * 0.5;
    return s3store_builder_append_double(b, 2, celsius, err);
}

static int produce_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    producer *p = stream->private_data;
    return make_schema(out, &p->err) == S3STORE_OK ? 0 : ENOMEM;
}

static int produce_batch(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    producer *p = stream->private_data;
    s3store_status status = S3STORE_OK;
    memset(out, 0, sizeof *out);
    if (p->day == DAYS)
        return 0; /* a released array is the end */
    const int64_t midnight = INT64_C(1517443200000000) + p->day * INT64_C(86400000000);
    for (int hour = 0; hour < HOURS && status == S3STORE_OK; hour++)
        for (int s = 0; s < STATIONS && status == S3STORE_OK; s++)
            status = add_row(p->builder, s, midnight + hour * INT64_C(3600000000), hour, p->day,
                             &p->err);
    if (status == S3STORE_OK)
        status = s3store_builder_finish(p->builder, out, &p->err);
    p->day++;
    return status == S3STORE_OK ? 0 : EINVAL;
}

static const char *produce_error(struct ArrowArrayStream *stream)
{
    return ((producer *)stream->private_data)->err.message;
}

static void produce_release(struct ArrowArrayStream *stream)
{
    producer *p = stream->private_data;
    s3store_builder_free(p->builder);
    free(p);
    stream->release = NULL;
}

static s3store_status producer_new(struct ArrowArrayStream *out, s3store_error *err)
{
    struct ArrowSchema schema = {0};
    producer *p = calloc(1, sizeof *p);
    if (p == NULL)
        return S3STORE_OUT_OF_MEMORY;
    s3store_status status = make_schema(&schema, err);
    if (status == S3STORE_OK)
        status = s3store_builder_new(&schema, &p->builder, err);
    if (schema.release != NULL)
        schema.release(&schema);
    if (status != S3STORE_OK) {
        free(p);
        return status;
    }
    *out = (struct ArrowArrayStream){.get_schema = produce_schema,
                                     .get_next = produce_batch,
                                     .get_last_error = produce_error,
                                     .release = produce_release,
                                     .private_data = p};
    return S3STORE_OK;
}

static int write_week(s3store_target *target)
{
    s3store_error err = {0};
    s3store_writer *writer = NULL;
    s3store_write_result *result = NULL;
    struct ArrowArrayStream input = {0};
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = "week-5";
    s3store_status status = s3store_writer_open(target, NULL, &writer, &err);
    if (status == S3STORE_OK)
        status = producer_new(&input, &err);
    if (status == S3STORE_OK) /* the stream is consumed and released, whatever happens */
        status = s3store_write(writer, &input, &options, &result, &err);
    if (s3store_write_result_count(result) > 0)
        printf("%zu partitions, the first is %s\n", s3store_write_result_count(result),
               s3store_commit_state_name(s3store_write_result_get(result, 0)->state));
    s3store_write_result_free(result);
    s3store_writer_free(writer);
    return status == S3STORE_OK ? 0 : report("writing", &err);
}

/* ---- out: two columns, summed up from their buffers ----------------------------------------------------- */

typedef struct summary {
    double sum[STATIONS];
    int64_t values[STATIONS];
    int64_t nulls;
} summary;

static bool is_valid(const struct ArrowArray *column, int64_t i)
{
    const uint8_t *bits = column->buffers[0];
    uint64_t at = (uint64_t)(column->offset + i);
    return bits == NULL || ((bits[at / 8] >> (at % 8)) & 1) != 0;
}

static void add_batch(const struct ArrowArray *batch, summary *out)
{
    const struct ArrowArray *name = batch->children[0], *celsius = batch->children[1];
    const int32_t *ends = name->buffers[1];
    const char *text = name->buffers[2];
    const double *values = celsius->buffers[1];
    for (int64_t i = 0; i < batch->length; i++) {
        int64_t at = name->offset + i;
        size_t size = (size_t)(ends[at + 1] - ends[at]);
        if (!is_valid(celsius, i)) {
            out->nulls++;
            continue;
        }
        for (int s = 0; s < STATIONS; s++)
            if (strlen(stations[s]) == size && memcmp(stations[s], text + ends[at], size) == 0) {
                out->sum[s] += values[celsius->offset + i];
                out->values[s]++;
            }
    }
}

static int print_summary(s3store_target *target)
{
    /* The days from the 2nd up to, but without, the 5th. */
    static const char *const patterns[] = {"day=2018-02-02..2018-02-05"};
    static const char *const columns[] = {"station", "celsius"};
    s3store_error err = {0};
    s3store_reader *reader = NULL;
    struct ArrowArrayStream rows = {0};
    summary sums = {0};
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = 1;
    options.columns = columns;
    options.column_count = 2;
    s3store_status status = s3store_reader_open(target, NULL, &reader, &err);
    if (status == S3STORE_OK)
        status = s3store_read(reader, &options, &rows, &err);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        if (rows.get_next(&rows, &batch) != 0) {
            s3store_stream_error(&rows, &err); /* the whole error, not only its text */
            status = err.status;
            break;
        }
        if (batch.release == NULL)
            break;
        add_batch(&batch, &sums);
        batch.release(&batch);
    }
    if (rows.release != NULL)
        rows.release(&rows);
    s3store_reader_free(reader);
    if (status != S3STORE_OK)
        return report("reading", &err);
    for (int s = 0; s < STATIONS; s++)
        printf("%-8s mean %.2f C of %" PRId64 " values\n", stations[s],
               sums.values[s] > 0 ? sums.sum[s] / (double)sums.values[s] : 0.0, sums.values[s]);
    printf("without a value: %" PRId64 "\n", sums.nulls);
    return 0;
}

int main(int argc, char **argv)
{
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    if (argc != 2) {
        fprintf(stderr,
                "usage: arrow_stream URL      (file:///tmp/weather, s3://bucket/weather)\n");
        return 2;
    }
    config.url = argv[1];
    config.partition_by = partition_by;
    config.partition_by_count = 1;
    if (s3store_dataset_init(&config, NULL, NULL, &err) != S3STORE_OK)
        return report("creating the dataset", &err);
    if (s3store_target_open(&config, &target, &err) != S3STORE_OK)
        return report("opening the dataset", &err);
    int code = write_week(target);
    if (code == 0)
        code = print_summary(target);
    s3store_target_free(target);
    return code;
}
