/* Datasets of the suite, wherever they lie. */
#include "e2e/e2e.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

e2e_world world;

const s3store_record_type quake_type = S3STORE_RECORD_TYPE(
    quake, ((const s3store_field[]){
               {"id", S3STORE_KIND_CSTRING, offsetof(quake, id)},
               {"time", S3STORE_KIND_TIMESTAMP, offsetof(quake, time)},
               {"updated", S3STORE_KIND_TIMESTAMP, offsetof(quake, updated)},
               {"region", S3STORE_KIND_CSTRING, offsetof(quake, region)},
               {"mag", S3STORE_KIND_DOUBLE, offsetof(quake, mag), S3STORE_NULL_FLAG,
                offsetof(quake, mag_is_null)},
           }));

void dataset_url(const char *name, char url[URL_SIZE])
{
    static unsigned number;
    int n = snprintf(url, URL_SIZE, "%s%s-%u%s", world.base, name, ++number, world.suffix);
    assert_in_range(n, 1, URL_SIZE - 1);
}

s3store_target_config dataset_config(const char *url, const dataset_options *options)
{
    static const char *const by_day[] = {"day=time:day", "region"};
    static const char *const entity[] = {"id"};
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = url;
    config.partition_by = by_day;
    config.partition_by_count = 2;
    if (options != NULL && options->partition_by != NULL) {
        config.partition_by = options->partition_by;
        config.partition_by_count = options->partition_by_count;
    }
    if (options == NULL || !options->plain) {
        config.entity = entity;
        config.entity_count = 1;
        config.version = "updated";
    }
    if (options != NULL)
        config.inserted_at_column = options->inserted_at_column;
    return config;
}

void dataset_make(dataset *d, const char *name, const dataset_options *options)
{
    s3store_error err;
    bool created = false;
    char url[URL_SIZE];
    dataset_url(name, url);
    s3store_target_config config = dataset_config(url, options);
    s3store_init_options init = S3STORE_INIT_OPTIONS_INIT;
    init.commit_timeout_us = world.commit_timeout_us;
    init.max_clock_skew_us = 0;
    if (options != NULL && options->commit_timeout_us != 0) {
        init.commit_timeout_us = options->commit_timeout_us;
        init.max_clock_skew_us = options->max_clock_skew_us;
    }
    assert_ok(s3store_dataset_init(&config, &init, &created, &err));
    assert_true(created);
    dataset_open(d, url);
}

void dataset_open(dataset *d, const char *url)
{
    s3store_error err;
    memset(d, 0, sizeof *d);
    snprintf(d->url, sizeof d->url, "%s", url);
    s3store_target_config config = S3STORE_TARGET_CONFIG_INIT;
    config.url = url;
    assert_ok(s3store_target_open(&config, &d->target, &err));
    assert_ok(s3store_writer_open(d->target, NULL, &d->writer, &err));
    assert_ok(s3store_reader_open(d->target, NULL, &d->reader, &err));
    d->store = s3store_target_store(d->target);
    d->prefix = s3store_target_prefix(d->target);
    assert_non_null(d->store);
}

void dataset_close(dataset *d)
{
    s3store_reader_free(d->reader);
    s3store_writer_free(d->writer);
    s3store_target_free(d->target);
    memset(d, 0, sizeof *d);
}

void dataset_put(const dataset *d, const char *name, const void *body, size_t size)
{
    s3store_error err;
    char key[S3STORE_KEY_MAX_BYTES + 1];
    snprintf(key, sizeof key, "%s/%s", d->prefix, name);
    s3store_put_request put = {.size = sizeof put, .key = key, .body = body, .body_size = size};
    s3store_put_reply reply = {0};
    assert_ok(d->store->put(d->store->impl, NULL, &put, &reply, &err));
}

void dataset_remove(const dataset *d, const char *key)
{
    s3store_error err;
    assert_ok(d->store->remove(d->store->impl, NULL, key, &err));
}

bool dataset_has(const dataset *d, const char *key)
{
    s3store_error err = {0};
    s3store_object_info info;
    s3store_status status = d->store->head(d->store->impl, NULL, key, &info, &err);
    if (status != S3STORE_OK && status != S3STORE_NOT_FOUND)
        fail_msg("HEAD %s: %s", key, err.message);
    return status == S3STORE_OK;
}

static bool count_entry(void *ctx, const s3store_list_entry *entry)
{
    (void)entry;
    ++*(size_t *)ctx;
    return true;
}

size_t dataset_count(const dataset *d, const char *name)
{
    static s3store_list_reply reply;
    s3store_error err;
    size_t count = 0;
    char prefix[S3STORE_KEY_MAX_BYTES + 1], continuation[S3STORE_CONTINUATION_MAX];
    snprintf(prefix, sizeof prefix, "%s/%s", d->prefix, name);
    s3store_list_request list = {.size = sizeof list, .prefix = prefix};
    do {
        assert_ok(d->store->list(d->store->impl, NULL, &list, count_entry, &count, &reply, &err));
        memcpy(continuation, reply.continuation, sizeof continuation);
        list.continuation = continuation;
    } while (reply.truncated);
    return count;
}

requests dataset_requests(dataset *d)
{
    s3store_request_counts c = {.size = sizeof c};
    s3store_target_request_counts(d->target, &c);
    requests now = {(unsigned)c.put, (unsigned)c.get, (unsigned)c.head, (unsigned)c.list};
    requests made = {now.put - d->counted.put, now.get - d->counted.get,
                     now.head - d->counted.head, now.list - d->counted.list};
    d->counted = now;
    return made;
}

void sleep_us(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&t, &t) != 0)
        ;
}

void wait_settled(const dataset *d)
{
    sleep_us(s3store_target_settle_window_us(d->target) + 20000);
}
