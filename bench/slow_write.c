/* slow_write: 200 partitions in one write against a store whose every request takes 15 ms.
 *
 * The wall time must be within 1.3 x of the ideal: requests / slots x latency. Prints both.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "s3store.h"

enum { PARTITIONS = 200, LATENCY_MS = 15, SLOTS = S3STORE_DEFAULT_MAX_INFLIGHT };

static void check(s3store_status status, const s3store_error *err)
{
    if (status == S3STORE_OK)
        return;
    fprintf(stderr, "slow_write: %s\n", err->message);
    exit(1);
}

static void wait_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};
    nanosleep(&t, NULL);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static s3store_status slow_put(void *impl, const s3store_call *call,
                               const s3store_put_request *request, s3store_put_reply *reply,
                               s3store_error *err)
{
    const s3store_object_store *inner = impl;
    wait_ms(LATENCY_MS);
    return inner->put(inner->impl, call, request, reply, err);
}

static s3store_status slow_head(void *impl, const s3store_call *call, const char *key,
                                s3store_object_info *info, s3store_error *err)
{
    const s3store_object_store *inner = impl;
    wait_ms(LATENCY_MS);
    return inner->head(inner->impl, call, key, info, err);
}

static s3store_status pass_get(void *impl, const s3store_call *call,
                               const s3store_get_request *request, s3store_sink *sink,
                               s3store_object_info *info, s3store_error *err)
{
    const s3store_object_store *inner = impl;
    return inner->get(inner->impl, call, request, sink, info, err);
}

static s3store_status pass_list(void *impl, const s3store_call *call,
                                const s3store_list_request *request, s3store_list_fn fn,
                                void *ctx, s3store_list_reply *reply, s3store_error *err)
{
    const s3store_object_store *inner = impl;
    return inner->list(inner->impl, call, request, fn, ctx, reply, err);
}

static s3store_status pass_remove(void *impl, const s3store_call *call, const char *key,
                                  s3store_error *err)
{
    const s3store_object_store *inner = impl;
    return inner->remove(inner->impl, call, key, err);
}

typedef struct row {
    char part[8];
    s3store_bytes p;
    int64_t n;
} row;

static const s3store_field fields[] = {
    {"p", S3STORE_KIND_STRING, offsetof(row, p), 0, 0, 0},
    {"n", S3STORE_KIND_INT64, offsetof(row, n), 0, 0, 0},
};
static const s3store_record_type row_type = S3STORE_RECORD_TYPE(row, fields);

static double write_once(s3store_writer *writer, const row *rows, size_t count, const char *token)
{
    s3store_error err = {0};
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    double begun = now();
    check(s3store_write_records(writer, &row_type, rows, count, &options, &result, &err), &err);
    double seconds = now() - begun;
    s3store_write_result_free(result);
    return seconds;
}

int main(void)
{
    static const char *const by_p[] = {"p"};
    static row rows[PARTITIONS * 10];
    size_t count = sizeof rows / sizeof rows[0];
    s3store_error err = {0};
    s3store_object_store *inner;
    s3store_writer *writer;
    s3store_target *target;
    bool created;
    check(s3store_memory_store_new(&inner, &err), &err);
    s3store_object_store store = {.size = sizeof store,
                                  .impl = inner,
                                  .put = slow_put,
                                  .get = pass_get,
                                  .head = slow_head,
                                  .list = pass_list,
                                  .remove = pass_remove,
                                  .name = "slow"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &store;
    config.bucket = "bucket";
    config.prefix = "ds";
    config.partition_by = by_p;
    config.partition_by_count = 1;
    check(s3store_dataset_init(&config, NULL, &created, &err), &err);
    check(s3store_target_open(&config, &target, &err), &err);
    check(s3store_writer_open(target, NULL, &writer, &err), &err);
    for (size_t i = 0; i < count; i++) {
        rows[i].p.size =
            (size_t)snprintf(rows[i].part, sizeof rows[i].part, "p%03zu", i % PARTITIONS);
        rows[i].p.data = rows[i].part;
        rows[i].n = (int64_t)i;
    }
    write_once(writer, rows, 1, NULL); /* records the schema */
    double best = 1e9;
    char token[16];
    for (int i = 0; i < 5; i++) {
        snprintf(token, sizeof token, "t%d", i);
        double seconds = write_once(writer, rows, count, token);
        best = seconds < best ? seconds : best;
    }
    double ideal = 4.0 * PARTITIONS / SLOTS * LATENCY_MS / 1000;
    printf("%d partitions, %d ms     %.3f s, ideal %.3f s: %.2f x (limit 1.30)\n", PARTITIONS,
           LATENCY_MS, best, ideal, best / ideal);
    s3store_writer_free(writer);
    s3store_target_free(target);
    s3store_memory_store_free(inner);
    return best <= 1.3 * ideal ? 0 : 1;
}
