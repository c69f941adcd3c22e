/* dataset/target.c: the handle: its stack of stores, its life, and what its functions share. */
#include "dataset/target_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "dataset/view.h"
#include "metrics/metrics.h"

#define POOL_MAX_THREADS 256
#define MARKER_BYTES 64 /* what one takes that is known to exist */

/* ---- making --------------------------------------------------------------------------------- */

static s3store_status new_text(s3s_env *env, const char *text, size_t size, char **out,
                               s3store_error *err)
{
    *out = s3s_strndup(env, text, size);
    return *out != NULL ? S3STORE_OK : s3s_fail_memory(err, size + 1);
}

/* url, bucket and prefix: from the URL, or from the injected store. */
static s3store_status name_place(s3store_target *t, const s3store_target_config *config,
                                 s3s_url *url, char **prefix, s3store_error *err)
{
    s3store_status status;

    *prefix = NULL;
    if (config->store == NULL) {
        status = s3s_url_parse(config->url, url, err);
        if (status == S3STORE_OK)
            status = new_text(t->env, config->url, strlen(config->url), &t->url, err);
        if (status == S3STORE_OK)
            status = new_text(t->env, url->place.data, url->place.size, &t->bucket, err);
        if (status == S3STORE_OK)
            status = new_text(t->env, url->prefix.data, url->prefix.size, prefix, err);
        return status;
    }
    const char *name = config->store->name != NULL ? config->store->name : "store";
    const char *bucket = config->bucket != NULL ? config->bucket : "";
    size_t size = strlen(name) + strlen(bucket) + strlen(config->prefix) + sizeof ":///";
    status = new_text(t->env, bucket, strlen(bucket), &t->bucket, err);
    if (status == S3STORE_OK)
        status = new_text(t->env, config->prefix, strlen(config->prefix), prefix, err);
    if (status != S3STORE_OK)
        return status;
    t->url = s3s_alloc(t->env, size);
    if (t->url == NULL)
        return s3s_fail_memory(err, size);
    snprintf(t->url, size, "%s://%s/%s", name, bucket, config->prefix);
    return S3STORE_OK;
}

s3store_status s3s_target_bottom_open(s3store_target *t, const s3store_target_config *config,
                                      const char *consistency, s3store_error *err)
{
    s3s_url url;

    if (config->store != NULL) {
        size_t size = config->store->size < sizeof t->bottom ? config->store->size
                                                             : sizeof t->bottom;
        t->bottom = (s3store_object_store){0};
        memcpy(&t->bottom, config->store, size);
        t->bottom.free = NULL; /* borrowed */
        return S3STORE_OK;
    }
    s3store_status status = s3s_url_parse(config->url, &url, err);
    if (status != S3STORE_OK)
        return status;
    if (url.kind == S3S_URL_FILE) {
        s3s_local_options local = {.root = t->bucket, .fsync = url.fsync};
        return s3s_local_store_new(t->env, &local, &t->bottom, err);
    }
    s3s_s3_options s3 = {
        .bucket = t->bucket,
        .endpoint_url = config->endpoint_url,
        .region = config->region,
        .profile = config->profile,
        .access_key_id = config->access_key_id,
        .secret_access_key = config->secret_access_key,
        .session_token = config->session_token,
        .addressing = config->addressing,
        .ca_bundle = config->ca_bundle,
        .no_verify_tls = config->no_verify_tls,
        .no_sign_request = config->no_sign_request,
        .consistency = consistency,
        .max_connections = (size_t)t->max_inflight,
    };
    return s3s_s3_store_new(t->env, &s3, &t->bottom, err);
}

/* Large objects go in parts and ranges; the ranges that wait for their turn take an eighth of the
 * memory that was given at most. On a directory that would be no gain. */
static s3store_status add_transfer(s3store_target *t, s3store_error *err)
{
    enum { RANGE_BYTES = 8 * 1024 * 1024, RANGES_AT_ONCE = 4 };
    uint64_t ranges = t->memory_bytes / 8 / RANGE_BYTES;
    s3s_transfer_options options = {
        .range_bytes = RANGE_BYTES,
        .ranges_at_once = ranges < RANGES_AT_ONCE ? (size_t)ranges : RANGES_AT_ONCE,
        .ranges_above_bytes = ranges < 2 ? UINT64_MAX : 0,
    };

    t->store = &t->meter_layer;
    if (t->local)
        return S3STORE_OK;
    t->store = &t->transfer;
    return s3s_layer_transfer_new(t->env, &t->meter_layer, t->pool, &options, &t->transfer, err);
}

/* transfer(meter(retry(limit(bottom)))): one slot for each attempt, none during back-off. */
static s3store_status build_stack(s3store_target *t, const s3store_target_config *config,
                                  s3store_error *err)
{
    s3store_status status = s3s_target_bottom_open(t, config, config->consistency, err);

    t->injected = config->store != NULL;
    t->local = t->bottom.name == NULL || strcmp(t->bottom.name, "s3") != 0;
    if (status == S3STORE_OK)
        status = s3s_layer_limit_new(t->env, &t->bottom, (size_t)t->max_inflight, &t->limit, err);
    if (status == S3STORE_OK)
        status = s3s_layer_retry_new(t->env, &t->limit, NULL, &t->retry, err);
    if (status == S3STORE_OK)
        status = s3s_layer_meter_new(t->env, &t->retry, &t->meter_layer, &t->meter, err);
    return status == S3STORE_OK ? add_transfer(t, err) : status;
}

static s3store_status set_limits(s3store_target *t, const s3store_target_config *config,
                                 s3store_error *err)
{
    const char *spill = config->spill_dir;

    t->fence = config->fence;
    t->max_inflight =
        config->max_inflight > 0 ? config->max_inflight : S3STORE_DEFAULT_MAX_INFLIGHT;
    t->memory_bytes =
        config->memory_bytes > 0 ? config->memory_bytes : S3STORE_DEFAULT_MEMORY_BYTES;
    if (spill == NULL)
        spill = getenv("TMPDIR");
    if (spill == NULL || spill[0] == '\0')
        spill = "/tmp";
    return new_text(t->env, spill, strlen(spill), &t->spill_dir, err);
}

/* The registry of what the target does, which travels with the env. */
static s3store_status start_metrics(s3store_target *t, const s3store_metrics_sink *sink,
                                    const char *prefix, const char *consistency,
                                    s3store_error *err)
{
    s3store_status status = s3s_metrics_new(t->env, sink, &t->metrics, err);
    if (status == S3STORE_OK)
        status = s3s_metrics_set_target(t->metrics, t->bucket, prefix, consistency, err);
    if (status == S3STORE_OK)
        s3s_env_observe(t->env, (s3s_observer){t->metrics, s3s_metrics_fan_out});
    return status;
}

/* The zeroed handle with what release needs. Takes over the reference to env. */
static s3store_status new_handle(s3s_env *env, s3store_target **out, s3store_error *err)
{
    s3store_target *t = s3s_calloc(env, 1, sizeof *t);
    s3store_status status;

    if (t == NULL) {
        s3s_env_release(env);
        return s3s_fail_memory(err, sizeof *t);
    }
    t->env = env;
    t->opened_us = s3s_wall_us(env);
    t->refs = 1;
    status = s3s_mutex_init(&t->locked.mutex, env, err);
    if (status == S3STORE_OK) {
        status = s3s_cond_init(&t->locked.changed, env, err);
        if (status != S3STORE_OK)
            s3s_mutex_deinit(&t->locked.mutex);
    }
    if (status != S3STORE_OK) {
        s3s_free(env, t);
        s3s_env_release(env);
        return status;
    }
    s3s_arena_init(&t->settings.arena, env);
    s3s_arena_init(&t->given.arena, env);
    s3s_buffer_init(&t->probe_body, env, S3S_JSON_MAX_BYTES);
    *out = t;
    return S3STORE_OK;
}

s3store_status s3s_target_new(s3s_env *env, const s3store_target_config *config,
                              s3store_target **out, s3store_error *err)
{
    s3store_target *t = NULL;
    s3s_url url;
    char *prefix = NULL;
    size_t threads;
    s3store_status status;

    *out = NULL;
    bool is_own = env == NULL;
    if (env != NULL) {
        env = s3s_env_retain(env);
    } else {
        status = s3s_env_new_real(&env, err);
        if (status != S3STORE_OK)
            return status;
    }
    if (config->log != NULL)
        s3s_env_set_log(env, config->log, config->log_ctx, config->log_level);
    status = new_handle(env, &t, err);
    if (status != S3STORE_OK)
        return status;
    status = set_limits(t, config, err);
    if (status == S3STORE_OK && is_own)
        s3s_env_keep_blocks(env, s3s_keep_bytes(t->memory_bytes));
    if (status == S3STORE_OK)
        status = name_place(t, config, &url, &prefix, err);
    if (status == S3STORE_OK)
        status = s3s_layout_init(&t->layout, env, prefix, err);
    if (status == S3STORE_OK)
        status = start_metrics(t, config->metrics, prefix, config->consistency, err);
    threads = (size_t)t->max_inflight;
    if (status == S3STORE_OK)
        status = s3s_pool_new(env, threads < POOL_MAX_THREADS ? threads : POOL_MAX_THREADS,
                              &t->pool, err);
    if (status == S3STORE_OK)
        status = build_stack(t, config, err);
    if (status == S3STORE_OK)
        status = s3s_known_markers_new(env, (size_t)(t->memory_bytes / 16 / MARKER_BYTES),
                                       &t->known_markers, err);
    s3s_free(env, prefix);
    if (status != S3STORE_OK) {
        s3s_target_release(t);
        return status;
    }
    *out = t;
    return S3STORE_OK;
}

s3store_target *s3s_target_retain(s3store_target *target)
{
    __atomic_add_fetch(&target->refs, 1, __ATOMIC_RELAXED);
    return target;
}

void s3s_target_release(s3store_target *target)
{
    s3s_env *env;

    if (target == NULL || __atomic_sub_fetch(&target->refs, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    env = target->env;
    s3s_store_deinit(&target->transfer); /* its last requests end first */
    s3s_pool_free(target->pool);
    s3s_store_deinit(&target->meter_layer);
    s3s_store_deinit(&target->retry);
    s3s_store_deinit(&target->limit);
    s3s_store_deinit(&target->bottom);
    s3s_schema_release(target->locked.schema);
    s3s_known_markers_free(target->known_markers);
    s3s_cond_deinit(&target->locked.changed);
    s3s_mutex_deinit(&target->locked.mutex);
    s3s_buffer_deinit(&target->probe_body);
    s3s_descriptor_deinit(&target->settings);
    s3s_descriptor_deinit(&target->given);
    s3s_free(env, target->part_names);
    if (target->layout.env != NULL)
        s3s_layout_deinit(&target->layout);
    s3s_free(env, target->url);
    s3s_free(env, target->bucket);
    s3s_free(env, target->consistency);
    s3s_free(env, target->spill_dir);
    if (s3s_env_metrics(env) == target->metrics)
        s3s_env_observe(env, (s3s_observer){0}); /* an env of several targets knows one of them */
    s3s_metrics_free(target->metrics);
    s3s_free(env, target);
    s3s_env_release(env);
}

/* ---- shared by its functions ---------------------------------------------------------------- */

s3store_status s3s_target_need_parts(const s3store_target *target, s3store_error *err)
{
    if (target->settings.part_count > 0)
        return S3STORE_OK;
    return s3s_fail_key(err, S3STORE_BAD_CONFIG, target->url,
                        "the partition columns of %.300s are not known: give --partition-by "
                        "(partition_by), or record them with s3store init",
                        target->url);
}

s3store_status s3s_target_location(const s3store_target *target, const char *key, char *buffer,
                                   size_t buffer_size, s3store_error *err)
{
    buffer[0] = '\0';
    if (target->injected)
        return s3s_fail_key(err, S3STORE_UNSUPPORTED, target->url,
                            "other programs do not find the objects of a store that was given by "
                            "the caller");
    if (target->local)
        return s3s_local_path(target->bucket, key, buffer, buffer_size, err);
    int size = snprintf(buffer, buffer_size, "s3://%s/%s", target->bucket, key);
    if ((size_t)size < buffer_size)
        return S3STORE_OK;
    return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, key,
                        "the buffer holds %zu bytes, the place of the object has %d", buffer_size,
                        size);
}

s3store_status s3s_get_small(s3store_target *target, const s3store_call *call, const char *key,
                             size_t max_size, s3s_buffer *out, s3store_error *err)
{
    s3store_get_request request = {.size = sizeof request, .key = key,
                                   .length = S3STORE_LENGTH_ALL};
    s3store_object_info info;
    s3store_sink sink;
    s3store_status status;

    s3s_buffer_clear(out);
    if (out->max > max_size)
        out->max = max_size;
    sink = s3s_buffer_sink(out);
    status = s3s_get(target->store, call, &request, &sink, &info, err);
    if (status == S3STORE_LIMIT_EXCEEDED)
        return s3s_fail_key(err, status, key, "%s is larger than the %zu bytes expected of it",
                            key, max_size);
    if (status != S3STORE_OK)
        return status;
    return s3s_buffer_text(out, err) != NULL ? S3STORE_OK : S3STORE_OUT_OF_MEMORY;
}

s3store_status s3s_config_get(s3store_target *target, const s3store_call *call, const char *name,
                              size_t max_size, s3s_buffer *out, bool *found, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_error inner = {0};
    s3store_status status = s3s_config_key(&target->layout, name, key, err);

    *found = false;
    if (status != S3STORE_OK)
        return status;
    status = s3s_get_small(target, call, key, max_size, out, &inner);
    if (status == S3STORE_OK) {
        *found = true;
        return S3STORE_OK;
    }
    if (status == S3STORE_NOT_FOUND) {
        if (target->local || strcmp(inner.s3_code, "NoSuchKey") == 0)
            return S3STORE_OK;
        /* A 404 that does not say NoSuchKey says nothing about the object (FORMAT, "Configuration
         * objects"): another bucket, or something that is no S3 server. */
        if (strcmp(inner.s3_code, "NoSuchBucket") == 0)
            snprintf(inner.message, sizeof inner.message,
                     "the bucket \"%.255s\" of %.300s does not exist: create it, or correct the "
                     "URL or the endpoint",
                     target->bucket, target->url);
        else
            s3s_context(&inner, "opening %.300s", target->url);
    } else if (status == S3STORE_LIMIT_EXCEEDED) {
        inner.status = status = S3STORE_BAD_CONFIG;
    } else if (status != S3STORE_CANCELLED && status != S3STORE_OUT_OF_MEMORY) {
        s3s_context(&inner, "opening %.300s", target->url);
    }
    return s3s_fail_as(err, status, &inner);
}
