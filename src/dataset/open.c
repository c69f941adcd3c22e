/* dataset/open.c: opening a dataset: three GETs side by side, and what they say put together. */
#include "dataset/target_private.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/timefmt.h"
#include "metrics/metrics.h"

/* ---- the three GETs ------------------------------------------------------------------------- */

typedef struct opening {
    s3store_target *target;
    const s3store_call *call;
    int64_t timing_ns[2];
    s3s_buffer bodies[3];
    bool has_descriptor;
} opening;

static const char *const config_names[3] = {
    S3S_CONFIG_COMMIT_TIMEOUT,
    S3S_CONFIG_MAX_CLOCK_SKEW,
    S3S_CONFIG_DATASET,
};

static s3store_status not_initialised(const s3store_target *t, const char *key,
                                      s3store_error *err)
{
    if (t->local && !t->injected && access(t->bucket, F_OK) != 0)
        return s3s_fail_key(err, S3STORE_NOT_INITIALISED, t->bucket,
                            "the directory %.300s does not exist: correct the URL, or create the "
                            "dataset with: s3store init %.300s --partition-by ...",
                            t->bucket, t->url);
    return s3s_fail_key(err, S3STORE_NOT_INITIALISED, key,
                        "%.300s is not initialised: %s%s%.300s is missing; create it with: "
                        "s3store init %.300s --partition-by ...",
                        t->url, t->local ? "" : t->bucket, t->local ? "" : "/", key, t->url);
}

static s3store_status read_config(void *ctx, size_t item, s3store_error *err)
{
    opening *o = ctx;
    s3store_target *t = o->target;
    s3s_buffer *body = &o->bodies[item];
    const char *name = config_names[item];
    bool is_json = item == 2, found;
    char key[S3S_KEY_SIZE];
    s3store_status status = s3s_config_key(&t->layout, name, key, err);

    if (status == S3STORE_OK)
        status = s3s_config_get(t, o->call, name,
                                is_json ? S3S_JSON_MAX_BYTES : S3S_TIMING_MAX_BYTES, body, &found,
                                err);
    if (status != S3STORE_OK)
        return status;
    if (!found)
        return is_json ? S3STORE_OK : not_initialised(t, key, err);
    if (!is_json)
        return s3s_timing_parse((const char *)body->data, body->size, name, key,
                                &o->timing_ns[item], err);
    s3s_descriptor_deinit(&t->settings);
    status = s3s_descriptor_parse(t->env, (const char *)body->data, body->size, key, &t->settings,
                                  err);
    o->has_descriptor = status == S3STORE_OK;
    return status;
}

/* ---- what they say -------------------------------------------------------------------------- */

/* The recorded settings, completed by the caller's; they must agree. */
static s3store_status merge_settings(s3store_target *t, const s3store_target_config *config,
                                     s3store_error *err)
{
    s3s_descriptor *have = &t->settings;
    const s3s_descriptor *given = &t->given;
    char key[S3S_KEY_SIZE];
    s3store_status status;

    s3s_descriptor_deinit(&t->given);
    status = s3s_descriptor_wanted(t->env, config, &t->given, err);
    if (status == S3STORE_OK)
        status = s3s_config_key(&t->layout, S3S_CONFIG_DATASET, key, err);
    if (status == S3STORE_OK && t->has_descriptor)
        status = s3s_descriptor_agree(have, given, key, err);
    if (status != S3STORE_OK)
        return status;
    if (have->part_count == 0) {
        have->parts = given->parts;
        have->part_count = given->part_count;
    }
    if (have->entity_count == 0) {
        have->entity = given->entity;
        have->entity_count = given->entity_count;
        have->version = given->version;
    }
    if (have->inserted_at_column == NULL)
        have->inserted_at_column = given->inserted_at_column;
    if (have->consistency == NULL)
        have->consistency = given->consistency;
    t->part_names = s3s_calloc(t->env, have->part_count, sizeof *t->part_names);
    if (t->part_names == NULL)
        return s3s_fail_memory(err, have->part_count * sizeof *t->part_names);
    for (size_t i = 0; i < have->part_count; i++)
        t->part_names[i] = have->parts[i].name;
    return S3STORE_OK;
}

static void check_consistency_name(const s3store_target *t)
{
    static const char *const known[] = {
        S3STORE_CONSISTENCY_ALL,
        S3STORE_CONSISTENCY_STRONG_GLOBAL,
        S3STORE_CONSISTENCY_STRONG_SITE,
        S3STORE_CONSISTENCY_READ_AFTER_NEW_WRITE,
        S3STORE_CONSISTENCY_AVAILABLE,
    };

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], t->consistency) == 0)
            return;
    }
    s3s_log(t->env, S3STORE_LOG_WARN, "unknown consistency level: it is sent as it is", "url",
            t->url, "consistency", t->consistency, NULL);
}

/* The consistency level of the dataset. When only the descriptor named it, the store at the bottom,
 * which sends it with every request, is made again in its place; nobody else uses it yet. */
static s3store_status settle_consistency(s3store_target *t, const s3store_target_config *config,
                                         s3store_error *err)
{
    const char *level = t->settings.consistency;
    bool given = config->consistency != NULL && config->consistency[0] != '\0';

    if (level == NULL)
        level = S3STORE_CONSISTENCY_STRONG_GLOBAL;
    t->consistency = s3s_strdup(t->env, level);
    if (t->consistency == NULL)
        return s3s_fail_memory(err, strlen(level) + 1);
    check_consistency_name(t);
    s3store_status status = s3s_metrics_set_target(t->metrics, t->bucket, t->layout.prefix,
                                                   t->consistency, err);
    if (status != S3STORE_OK)
        return status;
    if (t->local || given || config->store != NULL ||
        strcmp(level, S3STORE_CONSISTENCY_STRONG_GLOBAL) == 0)
        return S3STORE_OK;
    s3s_store_deinit(&t->bottom);
    return s3s_target_bottom_open(t, config, level, err);
}

static s3store_status settle(opening *o, const s3store_target_config *config, s3store_error *err)
{
    s3store_target *t = o->target;
    s3s_buffer *kept = &o->bodies[o->has_descriptor ? 2 : 0];
    s3store_status status;

    t->has_descriptor = o->has_descriptor;
    t->commit_timeout_us = o->timing_ns[0] / 1000;
    t->max_clock_skew_us = o->timing_ns[1] / 1000 + (o->timing_ns[1] % 1000 != 0);
    status = merge_settings(t, config, err);
    if (status == S3STORE_OK)
        status = settle_consistency(t, config, err);
    if (status == S3STORE_OK)
        status = s3s_buffer_append(&t->probe_body, kept->data, kept->size, err);
    t->probe_name = o->has_descriptor ? S3S_CONFIG_DATASET : S3S_CONFIG_COMMIT_TIMEOUT;
    if (status == S3STORE_OK && !t->local &&
        t->commit_timeout_us < S3STORE_COMMIT_TIMEOUT_ADVISORY_US) {
        char text[40];
        s3s_go_duration_format(o->timing_ns[0], text, sizeof text);
        s3s_log(t->env, S3STORE_LOG_WARN,
                "commit-timeout is below 8s: commits that are retried may come late", "url", t->url,
                "commit_timeout", text, NULL);
    }
    return status;
}

s3store_status s3s_target_unopened(s3s_env *env, const s3store_target_config *config,
                                   s3store_target **out, s3store_error *err)
{
    s3store_target_config c;
    s3store_status status;

    *out = NULL;
    status = s3s_target_config_copy(config, &c, err);
    if (status == S3STORE_OK)
        status = s3s_target_config_check(&c, true, err);
    return status == S3STORE_OK ? s3s_target_new(env, &c, out, err) : status;
}

s3store_status s3s_target_open(s3s_env *env, const s3store_target_config *config,
                               s3store_target **out, s3store_error *err)
{
    s3store_target_config c;
    s3store_target *t = NULL;
    s3store_call call;
    opening o = {0};
    s3s_fan_options options = {.keep_going = true, .call = &call};
    s3store_status status;

    *out = NULL;
    status = s3s_target_unopened(env, config, &t, err);
    if (status == S3STORE_OK)
        status = s3s_target_config_copy(config, &c, err);
    if (status != S3STORE_OK) {
        s3s_target_release(t);
        return status;
    }
    call = s3s_call_make(t->env, c.cancel, c.timeout_ms);
    o.target = t;
    o.call = &call;
    for (size_t i = 0; i < 3; i++)
        s3s_buffer_init(&o.bodies[i], t->env, S3S_JSON_MAX_BYTES);
    status = s3s_fan_out(t->pool, 3, read_config, &o, &options, err);
    if (status == S3STORE_OK)
        status = settle(&o, &c, err);
    for (size_t i = 0; i < 3; i++)
        s3s_buffer_deinit(&o.bodies[i]);
    if (status != S3STORE_OK) {
        s3s_target_release(t);
        return status;
    }
    *out = t;
    return S3STORE_OK;
}
