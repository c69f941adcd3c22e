#include "support/dataset_store.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "objstore/port.h"

#define KEY_SIZE 256
#define MONTH_US (30 * 24 * INT64_C(3600000000))
#define STEP_US 1000

static bool is_dead(const dataset_store *d, uint64_t i)
{
    return d->dead_every > 0 && i % d->dead_every == 0;
}

static int64_t stamp_of(const dataset_store *d, uint64_t i)
{
    return d->first_stamp_us + (int64_t)i * STEP_US;
}

/* Object n in key order: first the refs, then two of each token. */
static void key_of(const dataset_store *d, uint64_t n, char out[KEY_SIZE])
{
    if (n < d->tokens) {
        snprintf(out, KEY_SIZE,
                 "ds/_ref/%016" PRId64 "-%012" PRIu64 "-%032" PRIx64 ";p=%06" PRIu64 ".ref",
                 stamp_of(d, n), n, n, n / 1000);
        return;
    }
    uint64_t i = (n - d->tokens) / 2;
    bool second = (n - d->tokens) % 2 != 0;
    if (second && !is_dead(d, i))
        snprintf(out, KEY_SIZE, "ds/data/p=%06" PRIu64 "/%012" PRIu64 ".commit", i / 1000, i);
    else
        snprintf(out, KEY_SIZE, "ds/data/p=%06" PRIu64 "/%012" PRIu64 "-%032" PRIx64 ".parquet",
                 i / 1000, i, second ? i | (UINT64_C(1) << 60) : i);
}

static uint64_t find(const dataset_store *d, const char *bound, size_t bound_size)
{
    uint64_t low = 0, high = 3 * d->tokens;
    char key[KEY_SIZE];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        key_of(d, middle, key);
        if (s3s_compare_bytes(key, strlen(key), bound, bound_size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void raise(atomic_uint_fast64_t *most, uint64_t value)
{
    uint_fast64_t now = atomic_load(most);
    while (value > now && !atomic_compare_exchange_weak(most, &now, value))
        ;
}

static void measure(dataset_store *d)
{
    raise(&d->most_allocations, s3s_env_live_allocs(d->env));
    raise(&d->most_bytes, mallinfo2().uordblks + mallinfo2().hblkhd);
}

static s3store_status list(void *impl, const s3store_call *call,
                           const s3store_list_request *request, s3store_list_fn fn, void *fn_ctx,
                           s3store_list_reply *reply, s3store_error *err)
{
    dataset_store *d = impl;
    s3s_page page;
    char key[KEY_SIZE];
    s3s_page_verdict verdict = S3S_PAGE_NEXT;
    (void)call;
    atomic_fetch_add(&d->lists, 1);
    s3store_status status = s3s_page_init(&page, d->env, request, err);
    s3s_list_reply_reset(reply);
    if (status != S3STORE_OK)
        return status;
    uint64_t n = find(d, page.lower, page.lower_size);
    while (n < 3 * d->tokens && verdict != S3S_PAGE_FULL && verdict != S3S_PAGE_FAILED) {
        key_of(d, n, key);
        uint64_t i = n < d->tokens ? n : (n - d->tokens) / 2;
        verdict = s3s_page_offer(&page, key, n < d->tokens ? 0 : 100, stamp_of(d, i) + 1, err);
        n = verdict == S3S_PAGE_SEEK ? find(d, page.lower, page.lower_size) : n + 1;
    }
    if (verdict == S3S_PAGE_FAILED) {
        s3s_page_deinit(&page);
        return S3STORE_OUT_OF_MEMORY;
    }
    measure(d);
    s3s_page_deliver(&page, fn, fn_ctx, reply);
    reply->date_us = s3s_wall_us(d->env);
    s3s_page_deinit(&page);
    return S3STORE_OK;
}

static s3store_status not_found(const char *key, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_NOT_FOUND, key, "there is no such object: %.200s", key);
}

static s3store_status head(void *impl, const s3store_call *call, const char *key,
                           s3store_object_info *info, s3store_error *err)
{
    dataset_store *d = impl;
    uint64_t i = 0, partition;
    char text[40];
    (void)call;
    atomic_fetch_add(&d->heads, 1);
    measure(d);
    s3s_object_info_reset(info);
    info->date_us = s3s_wall_us(d->env);
    if (strstr(key, "_config") != NULL)
        return S3STORE_OK;
    if (sscanf(key, "ds/data/p=%" SCNu64 "/%" SCNu64 ".commit", &partition, &i) != 2 ||
        is_dead(d, i))
        return not_found(key, err);
    info->last_modified_us = stamp_of(d, i) + 1;
    snprintf(text, sizeof text, "%032" PRIx64, i);
    s3store_metadata_add(&info->metadata, "attemptid", text);
    snprintf(text, sizeof text, "%" PRId64, stamp_of(d, i));
    s3store_metadata_add(&info->metadata, "refmicrots", text);
    s3store_metadata_add(&info->metadata, "insertedat", text);
    s3store_metadata_add(&info->metadata, "rowcount", "1");
    return S3STORE_OK;
}

static s3store_status get(void *impl, const s3store_call *call, const s3store_get_request *request,
                          s3store_sink *sink, s3store_object_info *info, s3store_error *err)
{
    const char *body = strstr(request->key, "commit-timeout") != NULL   ? "15s"
                       : strstr(request->key, "max-clock-skew") != NULL ? "1s"
                                                                        : NULL;
    (void)impl;
    (void)call;
    s3s_object_info_reset(info);
    if (body == NULL)
        return not_found(request->key, err);
    s3store_status status = sink->begin(sink, (int64_t)strlen(body), err);
    return status == S3STORE_OK ? sink->write(sink, body, strlen(body), err) : status;
}

static s3store_status put(void *impl, const s3store_call *call, const s3store_put_request *request,
                          s3store_put_reply *reply, s3store_error *err)
{
    (void)impl;
    (void)call;
    s3s_put_reply_reset(reply);
    return s3s_fail_key(err, S3STORE_PERMISSION_DENIED, request->key, "it cannot be written");
}

static s3store_status remove_object(void *impl, const s3store_call *call, const char *key,
                                    s3store_error *err)
{
    (void)impl;
    (void)call;
    return s3s_fail_key(err, S3STORE_PERMISSION_DENIED, key, "it cannot be written");
}

s3store_object_store dataset_store_make(dataset_store *d)
{
    d->first_stamp_us = s3s_wall_us(d->env) - MONTH_US;
    return (s3store_object_store){.size = sizeof(s3store_object_store),
                                  .impl = d,
                                  .put = put,
                                  .get = get,
                                  .head = head,
                                  .list = list,
                                  .remove = remove_object,
                                  .name = "generated"};
}
