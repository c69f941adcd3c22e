/* A collector: moves the lines of a growing log into a dataset, each exactly once, whatever stops it.
 *
 *   collector file:///tmp/readings sensors.log          or s3://bucket/readings
 *
 * A line is "TIME SENSOR VALUE". Lines go out in batches. A batch is told by its place in the log: its
 * token says where it begins, and FILE.position says where the next one does. A collector that dies
 * between the commit and the position sends the same lines under the same token again, and the
 * library finds that they are there. (So the end of a batch must not depend on when it was read:
 * BATCH_LINES lines, or what is there when the collector is told that the log is finished.)
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "s3store.h"

enum { BATCH_LINES = 1000, LINE_SIZE = 256, TRIES = 5 };

typedef struct reading {
    int64_t time_us;
    const char *sensor;
    double value;
} reading;

static const s3store_field fields[] = {
    {.name = "time", .kind = S3STORE_KIND_TIMESTAMP, .offset = offsetof(reading, time_us)},
    {.name = "sensor", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(reading, sensor)},
    {.name = "value", .kind = S3STORE_KIND_DOUBLE, .offset = offsetof(reading, value)},
};
static const s3store_record_type reading_type = S3STORE_RECORD_TYPE(reading, fields);
static const char *const partition_by[] = {"day=time:day"};

typedef struct collector {
    s3store_store *store;
    FILE *log;
    const char *position_path;
    long position; /* of the first line that is not committed */
    char lines[BATCH_LINES][LINE_SIZE];
    reading readings[BATCH_LINES];
} collector;

/* Only ever set: a flag is all that a signal handler should touch. */
static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

static int complain(const char *doing, const char *what)
{
    fprintf(stderr, "collector: %s: %s\n", doing, what);
    return 1;
}

/* ---- the position ------------------------------------------------------------------------------ */

static void load_position(collector *c)
{
    FILE *f = fopen(c->position_path, "r");
    if (f != NULL && fscanf(f, "%ld", &c->position) != 1)
        c->position = 0;
    if (f != NULL)
        fclose(f);
}

/* Under its name wholly or not at all. That it may be lost costs a repetition, not a line. */
static int store_position(const collector *c)
{
    char path[1024];
    snprintf(path, sizeof path, "%s.new", c->position_path);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return complain(path, strerror(errno));
    int bad = fprintf(f, "%ld\n", c->position) < 0;
    bad |= fclose(f) != 0;
    if (bad || rename(path, c->position_path) != 0)
        return complain(c->position_path, strerror(errno));
    return 0;
}

/* ---- batches ----------------------------------------------------------------------------------- */

/* Cuts a line into its three words. */
static int parse(char *line, reading *out)
{
    char *save, *time = strtok_r(line, " \n", &save), *value;
    out->sensor = strtok_r(NULL, " \n", &save);
    value = strtok_r(NULL, " \n", &save);
    if (value == NULL || s3store_time_parse(time, &out->time_us, NULL) != S3STORE_OK)
        return 1;
    out->value = strtod(value, &save);
    return *save != '\0';
}

/* Reads a batch from the position on. Returns the number of readings, -1 for a line that is none. */
static int read_batch(collector *c)
{
    int count = 0;
    if (fseek(c->log, c->position, SEEK_SET) != 0)
        return -1;
    while (count < BATCH_LINES && fgets(c->lines[count], LINE_SIZE, c->log) != NULL) {
        if (parse(c->lines[count], &c->readings[count]) != 0) {
            fprintf(stderr, "collector: the line that ends at byte %ld is no reading\n",
                    ftell(c->log));
            return -1;
        }
        count++;
    }
    return count;
}

/* Writes a batch; errors that may pass are tried again, under the same token. */
static s3store_status write_batch(collector *c, int count, s3store_error *err)
{
    char token[64];
    s3store_status status = S3STORE_OK;
    snprintf(token, sizeof token, "log-%012ld", c->position);
    for (int i = 0; i < TRIES && !stopping; i++) {
        s3store_write_result *result = NULL;
        s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
        options.token = token;
        options.timeout_ms = 60000;
        status = s3store_write_records(s3store_store_writer(c->store), &reading_type, c->readings,
                                       (size_t)count, &options, &result, err);
        for (size_t k = 0; k < s3store_write_result_count(result); k++) {
            const s3store_commit *commit = s3store_write_result_get(result, k);
            printf("%s  %s  %s, %" PRId64 " rows\n", token, commit->partition,
                   s3store_commit_state_name(commit->state), commit->row_count);
        }
        s3store_write_result_free(result);
        if (status == S3STORE_OK || !s3store_status_can_retry(status))
            return status;
        struct timespec wait = {.tv_sec = 1 << i};
        nanosleep(&wait, NULL);
    }
    return status;
}

static int collect(collector *c)
{
    s3store_error err = {0};
    int count = 0;
    while (!stopping && (count = read_batch(c)) > 0) {
        s3store_status status = write_batch(c, count, &err);
        if (status != S3STORE_OK)
            return complain("writing", err.message);
        c->position = ftell(c->log);
        if (store_position(c) != 0)
            return 1;
    }
    return count < 0;
}

int main(int argc, char **argv)
{
    static collector c; /* too large for a stack */
    char position_path[1000];
    s3store_error err = {0};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    if (argc != 3) {
        fprintf(stderr, "usage: collector URL FILE\n");
        return 2;
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    snprintf(position_path, sizeof position_path, "%s.position", argv[2]);
    c.position_path = position_path;
    c.log = fopen(argv[2], "r");
    if (c.log == NULL)
        return complain(argv[2], strerror(errno));
    load_position(&c);

    config.url = argv[1];
    config.partition_by = partition_by;
    config.partition_by_count = 1;
    int code = 0;
    if (s3store_dataset_init(&config, NULL, NULL, &err) != S3STORE_OK ||
        s3store_store_open(&config, NULL, NULL, &c.store, &err) != S3STORE_OK)
        code = complain("opening the dataset", err.message);
    if (code == 0)
        code = collect(&c);
    s3store_store_free(c.store);
    fclose(c.log);
    return code;
}
