/* small_write: everything of a small write but the network: 1 partition, 100 rows, grouped, hashed,
 * encoded; its 4 requests built and signed as for S3, and done by a store in memory.
 *
 *   small_write ROUNDS     under callgrind: --toggle-collect=measured_write
 *
 * bench/small_write counts the instructions of one round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "objstore/s3/request.h"
#include "objstore/s3/settings.h"
#include "s3store.h"

enum { ROWS = 100 };

static void check(s3store_status status, const s3store_error *err)
{
    if (status == S3STORE_OK)
        return;
    fprintf(stderr, "small_write: %s\n", err->message);
    exit(1);
}

/* ---- a store that signs ---------------------------------------------------------------------- */

typedef struct signing_store {
    s3store_object_store *inner;
    s3s_settings settings;
    s3s_s3_place place;
    s3s_credentials *credentials;
    s3s_s3_message message;
    size_t signed_count;
} signing_store;

static s3store_status sign_put(void *impl, const s3store_call *call,
                               const s3store_put_request *request, s3store_put_reply *reply,
                               s3store_error *err)
{
    signing_store *s = impl;
    s3s_s3_message *m = &s->message;
    s3store_status status = s3s_s3_build_put(m, &s->place, "strong-global", request, err);
    if (status == S3STORE_OK)
        status = request->fenced
                     ? s3s_s3_sign_by_query(m, &s->place, s->credentials, request->valid_from_us,
                                            request->expires_at_us, err)
                     : s3s_s3_sign_by_headers(m, &s->place, s->credentials, s3s_wall_us(NULL), err);
    s->signed_count++;
    return status != S3STORE_OK ? status
                                : s->inner->put(s->inner->impl, call, request, reply, err);
}

static s3store_status sign_head(void *impl, const s3store_call *call, const char *key,
                                s3store_object_info *info, s3store_error *err)
{
    signing_store *s = impl;
    s3s_s3_message *m = &s->message;
    s3store_status status = s3s_s3_build_head(m, &s->place, "strong-global", key, err);
    if (status == S3STORE_OK)
        status = s3s_s3_sign_by_headers(m, &s->place, s->credentials, s3s_wall_us(NULL), err);
    s->signed_count++;
    return status != S3STORE_OK ? status : s->inner->head(s->inner->impl, call, key, info, err);
}

static s3store_status pass_get(void *impl, const s3store_call *call,
                               const s3store_get_request *request, s3store_sink *sink,
                               s3store_object_info *info, s3store_error *err)
{
    signing_store *s = impl;
    return s->inner->get(s->inner->impl, call, request, sink, info, err);
}

static s3store_status pass_list(void *impl, const s3store_call *call,
                                const s3store_list_request *request, s3store_list_fn fn,
                                void *ctx, s3store_list_reply *reply, s3store_error *err)
{
    signing_store *s = impl;
    return s->inner->list(s->inner->impl, call, request, fn, ctx, reply, err);
}

static s3store_status pass_remove(void *impl, const s3store_call *call, const char *key,
                                  s3store_error *err)
{
    signing_store *s = impl;
    return s->inner->remove(s->inner->impl, call, key, err);
}

static const char *nothing(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, "AWS_REGION") == 0 ? "eu-central-1" : NULL;
}

static void open_signing(signing_store *s, s3store_object_store *out)
{
    static const s3s_environment environment = {nothing, NULL};
    s3store_error err = {0};
    s3s_s3_options options = {.bucket = "bucket"};
    check(s3store_memory_store_new(&s->inner, &err), &err);
    check(s3s_settings_init(&s->settings, NULL, &environment, NULL, &err), &err);
    check(s3s_s3_place_init(&s->place, &options, &s->settings, &err), &err);
    check(s3s_credentials_new(NULL, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCY", NULL,
                              S3STORE_TIME_NONE, "bench", &s->credentials, &err),
          &err);
    s3s_s3_message_init(&s->message, NULL);
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = s,
                                  .put = sign_put,
                                  .get = pass_get,
                                  .head = sign_head,
                                  .list = pass_list,
                                  .remove = pass_remove,
                                  .name = "memory"};
}

/* ---- the write ------------------------------------------------------------------------------- */

typedef struct quake {
    s3store_bytes day, id, place;
    double magnitude, depth;
    int64_t updated;
} quake;

static const s3store_field fields[] = {
    {"day", S3STORE_KIND_STRING, offsetof(quake, day), 0, 0, 0},
    {"id", S3STORE_KIND_STRING, offsetof(quake, id), 0, 0, 0},
    {"place", S3STORE_KIND_STRING, offsetof(quake, place), 0, 0, 0},
    {"magnitude", S3STORE_KIND_DOUBLE, offsetof(quake, magnitude), 0, 0, 0},
    {"depth", S3STORE_KIND_DOUBLE, offsetof(quake, depth), 0, 0, 0},
    {"updated", S3STORE_KIND_TIMESTAMP, offsetof(quake, updated), 0, 0, 0},
};
static const s3store_record_type quake_type = S3STORE_RECORD_TYPE(quake, fields);

static char texts[ROWS][48];

static void fill(quake *rows, int round)
{
    for (int i = 0; i < ROWS; i++) {
        int n = snprintf(texts[i], 16, "nc%d", 72960000 + round * ROWS + i * 37);
        int p = snprintf(texts[i] + 16, 32, "%d km N of Town %d", i % 40, i % 17);
        rows[i] = (quake){.day = {"2018-02-07", 10},
                          .id = {texts[i], (size_t)n},
                          .place = {texts[i] + 16, (size_t)p},
                          .magnitude = (double)(i % 50) / 10,
                          .depth = (double)(i * 7919 % 3000) / 100,
                          .updated = INT64_C(1517966773000000) + i * INT64_C(61000000)};
    }
}

static void write_rows(s3store_writer *writer, const quake *rows, const char *token)
{
    s3store_error err = {0};
    s3store_write_result *result = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    check(s3store_write_records(writer, &quake_type, rows, ROWS, &options, &result, &err), &err);
    s3store_write_result_free(result);
}

void measured_write(s3store_writer *writer, const quake *rows, const char *token);

__attribute__((noinline)) void measured_write(s3store_writer *writer, const quake *rows,
                                              const char *token)
{
    write_rows(writer, rows, token);
}

/* An exporter of somebody's own: sums, as a meter would. */
static void observe(void *ctx, const s3store_metric *series, double value)
{
    (void)series;
    *(double *)ctx += value;
}

int main(int argc, char **argv)
{
    static const char *const by_day[] = {"day"};
    static double observed;
    static const s3store_metrics_sink sink = {
        .size = sizeof sink, .ctx = &observed, .observe = observe};
    static quake rows[ROWS];
    int rounds = argc > 1 ? atoi(argv[1]) : 10;
    s3store_error err = {0};
    signing_store signing = {0};
    s3store_object_store store;
    s3store_writer *writer;
    s3store_target *target;
    bool created;
    open_signing(&signing, &store);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.store = &store;
    config.bucket = "bucket";
    config.prefix = "quakes";
    config.partition_by = by_day;
    config.partition_by_count = 1;
    if (argc > 2 && strcmp(argv[2], "sink") == 0)
        config.metrics = &sink;
    check(s3store_dataset_init(&config, NULL, &created, &err), &err);
    check(s3store_target_open(&config, &target, &err), &err);
    check(s3store_writer_open(target, NULL, &writer, &err), &err);
    fill(rows, 0);
    write_rows(writer, rows, "warm-up"); /* the schema is recorded; keys for signing are made */
    size_t before = signing.signed_count;
    for (int i = 1; i <= rounds; i++) {
        char token[32];
        snprintf(token, sizeof token, "round-%d", i);
        fill(rows, i);
        measured_write(writer, rows, token);
    }
    printf("%d rounds, %zu requests\n", rounds, signing.signed_count - before);
    s3store_writer_free(writer);
    s3store_target_free(target);
    s3s_s3_message_deinit(&signing.message);
    s3s_credentials_release(signing.credentials);
    s3s_settings_deinit(&signing.settings);
    s3store_memory_store_free(signing.inner);
    return signing.signed_count - before == (size_t)rounds * 4 ? 0 : 1;
}
