/* Latest per entity of one partition that is many times larger than the memory: the command finishes,
 * stays within 64 MiB + 32 MiB of resident memory, and prints what a model expects.
 *
 *   merge_bound COMMAND [ROWS ENTITIES]
 *
 * S3S_FULL=1: 20,000,000 rows of 5,000,000 entities. Row i has the entity i * STEP % ENTITIES and the
 * version i, so of each entity the last row is known without a table. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "s3store.h"
#include "support/tempdir.h"

#define STEP UINT64_C(2654435761) /* a prime: visits every entity before one comes again */
#define FILE_ROWS UINT64_C(500000)
#define BOUND_KIB ((64 + 32) * 1024L)

extern char **environ;

typedef struct row {
    int64_t id, version;
    char name[24];
    s3store_bytes text;
    const char *part;
} row;

static const s3store_field fields[] = {
    {.name = "part", .kind = S3STORE_KIND_CSTRING, .offset = offsetof(row, part)},
    {.name = "id", .kind = S3STORE_KIND_INT64, .offset = offsetof(row, id)},
    {.name = "version", .kind = S3STORE_KIND_INT64, .offset = offsetof(row, version)},
    {.name = "name", .kind = S3STORE_KIND_STRING, .offset = offsetof(row, text)},
};
static const s3store_record_type row_type = S3STORE_RECORD_TYPE(row, fields);

static int die(const char *what, const s3store_error *err)
{
    fprintf(stderr, "merge_bound: %s: %s\n", what, err != NULL ? err->message : strerror(errno));
    return 1;
}

/* In a process of its own, whose memory does not count. */
static int generate(const char *url, uint64_t rows, uint64_t entities)
{
    static const char *const parts[] = {"part"}, *const entity[] = {"id"};
    s3store_error err = {0};
    s3store_target *target = NULL;
    s3store_writer *writer = NULL;
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = url;
    config.partition_by = parts;
    config.partition_by_count = 1;
    config.entity = entity;
    config.entity_count = 1;
    config.version = "version";
    row *batch = calloc(FILE_ROWS, sizeof *batch);
    if (batch == NULL)
        return die("calloc", NULL);
    if (s3store_dataset_init(&config, &init, NULL, &err) != S3STORE_OK ||
        s3store_target_open(&config, &target, &err) != S3STORE_OK ||
        s3store_writer_open(target, NULL, &writer, &err) != S3STORE_OK)
        return die("open", &err);
    for (uint64_t at = 0; at < rows;) {
        size_t count = rows - at < FILE_ROWS ? (size_t)(rows - at) : FILE_ROWS;
        for (size_t i = 0; i < count; i++, at++) {
            row *r = &batch[i];
            r->part = "all";
            r->id = (int64_t)(at * STEP % entities);
            r->version = (int64_t)at;
            int n = snprintf(r->name, sizeof r->name, "name-%" PRIu64, at * 7919 % 1000003);
            r->text = (s3store_bytes){r->name, (size_t)n};
        }
        s3store_write_result *result = NULL;
        if (s3store_write_records(writer, &row_type, batch, count, NULL, &result, &err) !=
            S3STORE_OK)
            return die("write", &err);
        s3store_write_result_free(result);
    }
    s3store_writer_free(writer);
    s3store_target_free(target);
    free(batch);
    return 0;
}

/* Entities in order, each once, each with its last version and that row's other columns. */
static int check(FILE *in, uint64_t rows, uint64_t entities)
{
    char line[256], name[64];
    uint64_t next = 0, id, version;
    if (fgets(line, sizeof line, in) == NULL || strcmp(line, "id,version,name\n") != 0) {
        fprintf(stderr, "merge_bound: not the header: %s\n", line);
        return 1;
    }
    while (fgets(line, sizeof line, in) != NULL) {
        if (sscanf(line, "%" SCNu64 ",%" SCNu64 ",%63s", &id, &version, name) != 3) {
            fprintf(stderr, "merge_bound: not a row: %s", line);
            return 1;
        }
        char expected[64];
        snprintf(expected, sizeof expected, "name-%" PRIu64, version * 7919 % 1000003);
        if (id != next || version >= rows || version * STEP % entities != id ||
            version + entities < rows || strcmp(name, expected) != 0) {
            fprintf(stderr, "merge_bound: row %" PRIu64 " is wrong: %s", next, line);
            return 1;
        }
        next++;
    }
    if (next != entities) {
        fprintf(stderr, "merge_bound: %" PRIu64 " of %" PRIu64 " entities came\n", next, entities);
        return 1;
    }
    return 0;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int measure(const char *command, const char *url, uint64_t rows, uint64_t entities)
{
    const char *arguments[] = {command,  "read", url,        "part=all", "--columns", "id,version,name",
                               "--memory", "64M", "--format", "csv",      NULL};
    int ends[2], wait_status = 0;
    pid_t child = -1;
    posix_spawn_file_actions_t actions;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return die("pipe", NULL);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    double begun = seconds();
    int failed = posix_spawn(&child, command, &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    if (failed != 0 || in == NULL) {
        errno = failed != 0 ? failed : errno;
        return die(command, NULL);
    }
    int wrong = check(in, rows, entities);
    fclose(in);
    struct rusage usage = {0};
    if (wait4(child, &wait_status, 0, &usage) != child)
        return die("wait4", NULL);
    double took = seconds() - begun;
    printf("latest of %" PRIu64 " rows, %" PRIu64 " entities, --memory 64M: %.1f s, %.1f MiB resident "
           "(bound %.0f)\n",
           rows, entities, took, (double)usage.ru_maxrss / 1024, (double)BOUND_KIB / 1024);
    if (wait_status != 0) {
        fprintf(stderr, "merge_bound: the command ended with %#x\n", (unsigned)wait_status);
        return 1;
    }
    if (usage.ru_maxrss > BOUND_KIB) {
        fprintf(stderr, "merge_bound: %ld KiB are more than %ld\n", usage.ru_maxrss, BOUND_KIB);
        return 1;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    const char *full = getenv("S3S_FULL");
    bool is_full = full != NULL && strcmp(full, "1") == 0;
    uint64_t rows = is_full ? 20000000 : 2000000, entities = is_full ? 5000000 : 500000;
    char dir[TEMPDIR_SIZE], url[TEMPDIR_SIZE + 64];
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: merge_bound COMMAND [ROWS ENTITIES]\n");
        return 2;
    }
    if (argc == 4) {
        rows = strtoull(argv[2], NULL, 10);
        entities = strtoull(argv[3], NULL, 10);
    }
    if (entities == 0 || rows < entities) {
        fprintf(stderr, "merge_bound: each entity needs a row\n");
        return 2;
    }
    tempdir_new(dir);
    snprintf(url, sizeof url, "file://%s/d?fsync=0", dir);
    pid_t child = fork();
    if (child == 0)
        _exit(generate(url, rows, entities));
    int wait_status = 0;
    int code = child > 0 && waitpid(child, &wait_status, 0) == child && wait_status == 0 ? 0 : 1;
    if (code == 0)
        code = measure(argv[1], url, rows, entities);
    tempdir_remove(dir);
    return code;
}
