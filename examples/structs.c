/* Readings of sensors as C structs: written under a token, corrected, read, followed.
 *
 *   structs file:///tmp/sensors          or s3://bucket/sensors
 *
 * The dataset is created when it is not there. Running the program again changes nothing: both writes
 * carry a token, so their second time returns what the first one did.
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "s3store.h"

/* ---- the record and its columns ------------------------------------------------------------------- */

typedef struct reading {
    const char *sensor;
    int64_t time_us;
    int64_t revision; /* a corrected reading has a higher one */
    double celsius;
    bool celsius_missing;
} reading;

static const s3store_field fields[] = {
    {.name = "sensor", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(reading, sensor)},
    {.name = "time", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(reading, time_us)},
    {.name = "revision", .kind = S3STORE_KIND_INT64, .offset = offsetof(reading, revision)},
    {.name = "celsius",
     .kind = S3STORE_KIND_DOUBLE,
     .offset = offsetof(reading, celsius),
     .null = S3STORE_NULL_FLAG,
     .flag_offset = offsetof(reading, celsius_missing)},
};
static const s3store_record_type reading_type = S3STORE_RECORD_TYPE(reading, fields);

/* One partition for each day; a reading is identified by sensor and time. */
static const char *const partition_by[] = {"day=time:day"};
static const char *const entity[] = {"sensor", "time"};

/* ---- errors: one place prints them ------------------------------------------------------------------ */

static int report(const char *doing, const s3store_error *err)
{
    fprintf(stderr, "structs: %s: %s\n", doing, err->message);
    if (s3store_status_can_retry(err->status))
        fprintf(stderr, "structs: the same call may succeed later\n");
    return 1;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

static int write_readings(s3store_writer *writer, const char *token, const reading *readings,
                          size_t count)
{
    s3store_error err = {0};
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    s3store_status status =
        s3store_write_records(writer, &reading_type, readings, count, &options, &result, &err);
    /* The result is there also when only some partitions are committed, or one came late. */
    for (size_t i = 0; i < s3store_write_result_count(result); i++) {
        const s3store_commit *c = s3store_write_result_get(result, i);
        printf("%-8s %s: %s, %" PRId64 " rows\n", token, c->partition,
               s3store_commit_state_name(c->state), c->row_count);
    }
    s3store_write_result_free(result);
    return status == S3STORE_OK ? 0 : report("writing", &err);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

static int print_readings(s3store_reader *reader, bool history)
{
    static const char *const everything[] = {"*"};
    s3store_error err = {0};
    s3store_record_iter *iter = NULL;
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = everything;
    options.pattern_count = 1;
    options.history = history;
    printf("\n%s:\n", history ? "every revision" : "latest");
    s3store_status status = s3store_read_iter(reader, &reading_type, &options, &iter, &err);
    while (status == S3STORE_OK) {
        reading r;
        char time[S3STORE_TIME_TEXT_SIZE];
        status = s3store_record_iter_next(iter, &r, &err);
        if (status != S3STORE_OK)
            break;
        s3store_time_format(r.time_us, time, sizeof time);
        printf("  %-8s %s  r%" PRId64 "  ", r.sensor, time, r.revision);
        if (r.celsius_missing)
            printf("no value\n");
        else
            printf("%.1f C\n", r.celsius);
    }
    s3store_record_iter_free(iter);
    return status == S3STORE_END ? 0 : report("reading", &err);
}

/* ---- following the changes -------------------------------------------------------------------------------- */

static int print_changes(s3store_target *target)
{
    s3store_error err = {0};
    s3store_entries *entries = NULL;
    s3store_poll_options options = S3STORE_POLL_OPTIONS_INIT;
    /* What has just been written becomes visible in the stream one settle window later. */
    int64_t wait_us = s3store_target_settle_window_us(target) + 100000;
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    nanosleep(&wait, NULL);
    if (s3store_poll(target, &options, &entries, &err) != S3STORE_OK)
        return report("polling", &err);
    int64_t rows = 0;
    for (size_t i = 0; i < s3store_entries_count(entries); i++)
        rows += s3store_entries_get(entries, i)->row_count;
    size_t partition_count;
    const char *const *partitions = s3store_entries_partition_keys(entries, &partition_count);
    printf("\nchanges: %zu commits, %" PRId64 " rows, in\n", s3store_entries_count(entries), rows);
    for (size_t i = 0; i < partition_count; i++)
        printf("  %s\n", partitions[i]);
    /* A program that goes on polling stores this, and gives it as `since` the next time. */
    printf("next offset: %s\n", s3store_entries_next_offset(entries));
    s3store_entries_free(entries);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ */

static int run(s3store_store *store)
{
    const int64_t noon = INT64_C(1517918400000000); /* 2018-02-06T12:00:00Z */
    const int64_t hour = INT64_C(3600000000);
    const reading first[] = {
        {"roof", noon, 1, 3.5, false},
        {"cellar", noon, 1, 11.0, false},
        {"roof", noon + 13 * hour, 1, 0, true}, /* the next day; the value got lost */
    };
    const reading correction[] = {
        {"roof", noon + 13 * hour, 2, -1.5, false},
    };
    s3store_writer *writer = s3store_store_writer(store);
    int code = write_readings(writer, "batch-1", first, sizeof first / sizeof first[0]);
    if (code == 0)
        code = write_readings(writer, "batch-2", correction, 1);
    if (code == 0)
        code = print_readings(s3store_store_reader(store), false);
    if (code == 0)
        code = print_readings(s3store_store_reader(store), true);
    if (code == 0)
        code = print_changes(s3store_store_target(store));
    return code;
}

int main(int argc, char **argv)
{
    s3store_error err = {0};
    s3store_store *store = NULL;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    if (argc != 2) {
        fprintf(stderr, "usage: structs URL      (file:///tmp/sensors, s3://bucket/sensors)\n");
        return 2;
    }
    config.url = argv[1];
    config.partition_by = partition_by;
    config.partition_by_count = 1;
    config.entity = entity;
    config.entity_count = 2;
    config.version = "revision";
    if (s3store_dataset_init(&config, NULL, NULL, &err) != S3STORE_OK)
        return report("creating the dataset", &err);
    if (s3store_store_open(&config, NULL, NULL, &store, &err) != S3STORE_OK)
        return report("opening the dataset", &err);
    int code = run(store);
    s3store_store_free(store);
    return code;
}
