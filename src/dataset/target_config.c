/* dataset/target_config.c: the caller's config: checked, and as a descriptor. */
#include "dataset/target_private.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

s3store_status s3s_target_config_copy(const s3store_target_config *config,
                                      s3store_target_config *out, s3store_error *err)
{
    *out = (s3store_target_config){0};
    if (config == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "no target config");
    if (config->size < offsetof(s3store_target_config, url) + sizeof config->url)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "target config: size is not set (use S3STORE_TARGET_CONFIG_INIT)");
    if (config->size > sizeof *out)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "target config: its size %zu is unknown to this library (%zu): it was made "
                        "for a newer one",
                        config->size, sizeof *out);
    memcpy(out, config, config->size);
    out->size = sizeof *out;
    return S3STORE_OK;
}

/* ---- checks --------------------------------------------------------------------------------- */

static s3store_status bad_member(s3store_error *err, const char *member, const char *why)
{
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "target config: %s %s", member, why);
}

static s3store_status check_place(const s3store_target_config *c, s3store_error *err)
{
    s3s_url url;

    if (c->store == NULL) {
        if (c->url == NULL && (c->bucket != NULL || c->prefix != NULL))
            return bad_member(err, "url", "is required (bucket and prefix go with store)");
        if (c->url == NULL)
            return bad_member(err, "url", "is required (or store with prefix)");
        if (c->prefix != NULL)
            return bad_member(err, "prefix", "goes with store; the url names it already");
        return s3s_url_parse(c->url, &url, err);
    }
    if (c->url != NULL)
        return bad_member(err, "url", "and store are both given: one of them");
    if (c->prefix == NULL || c->prefix[0] == '\0')
        return bad_member(err, "prefix", "is required with store");
    if (strlen(c->prefix) > S3STORE_KEY_MAX_BYTES)
        return bad_member(err, "prefix", "is longer than an object key can be");
    if (c->store->size < offsetof(s3store_object_store, remove) + sizeof c->store->remove ||
        c->store->put == NULL || c->store->get == NULL || c->store->head == NULL ||
        c->store->list == NULL || c->store->remove == NULL)
        return bad_member(err, "store", "lacks its size or one of its functions");
    return S3STORE_OK;
}

/* A list of distinct non-empty names. */
static s3store_status check_names(const char *member, const char *const *names, size_t count,
                                  s3store_error *err)
{
    if (count > 0 && names == NULL)
        return bad_member(err, member, "has a count and no array");
    for (size_t i = 0; i < count; i++) {
        if (names[i] == NULL || names[i][0] == '\0')
            return bad_member(err, member, "has an empty element");
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0)
                return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                                "target config: %s names \"%.200s\" twice", member, names[i]);
        }
    }
    return S3STORE_OK;
}

static s3store_status check_columns(const s3store_target_config *c, bool lookup_only,
                                    s3store_error *err)
{
    s3s_arena arena;
    s3s_part_spec *specs;
    s3store_status status =
        check_names("partition_by", c->partition_by, c->partition_by_count, err);

    if (status == S3STORE_OK)
        status = check_names("entity", c->entity, c->entity_count, err);
    if (status != S3STORE_OK)
        return status;
    if (c->version != NULL && c->version[0] == '\0')
        return bad_member(err, "version", "is empty");
    if (c->inserted_at_column != NULL && c->inserted_at_column[0] == '\0')
        return bad_member(err, "inserted_at_column", "is empty");
    if ((c->entity_count == 0) != (c->version == NULL))
        return bad_member(err, "entity and version", "belong together: both or neither");
    if (c->partition_by_count == 0) {
        if (lookup_only)
            return S3STORE_OK;
        return bad_member(err, "partition_by", "is required: the partition columns in order");
    }
    s3s_arena_init(&arena, NULL);
    status = s3s_part_specs_parse(&arena, c->partition_by, c->partition_by_count, &specs, err);
    s3s_arena_deinit(&arena);
    return status;
}

static s3store_status check_s3(const s3store_target_config *c, s3store_error *err)
{
    if (c->endpoint_url != NULL && !s3s_starts_with(c->endpoint_url, "http://") &&
        !s3s_starts_with(c->endpoint_url, "https://"))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "target config: endpoint_url \"%.300s\" begins with neither http:// nor "
                        "https://",
                        c->endpoint_url);
    if ((c->access_key_id == NULL) != (c->secret_access_key == NULL))
        return bad_member(err, "access_key_id and secret_access_key",
                          "belong together: both or neither");
    if (c->session_token != NULL && c->access_key_id == NULL)
        return bad_member(err, "session_token", "is given without access_key_id");
    if ((int)c->addressing < S3STORE_ADDRESSING_AUTO ||
        (int)c->addressing > S3STORE_ADDRESSING_VIRTUAL)
        return bad_member(err, "addressing", "has an unknown value");
    for (const char *p = c->consistency; p != NULL && *p != '\0'; p++) {
        if (*p < 0x20 || *p > 0x7E) /* it becomes a header */
            return bad_member(err, "consistency", "is not printable ASCII");
    }
    return S3STORE_OK;
}

s3store_status s3s_target_config_check(const s3store_target_config *config, bool lookup_only,
                                       s3store_error *err)
{
    s3store_target_config c;
    s3store_status status = s3s_target_config_copy(config, &c, err);

    if (status == S3STORE_OK)
        status = check_place(&c, err);
    if (status == S3STORE_OK)
        status = check_columns(&c, lookup_only, err);
    if (status == S3STORE_OK)
        status = check_s3(&c, err);
    if (status != S3STORE_OK)
        return status;
    if ((int)c.fence < S3STORE_FENCE_AUTO || (int)c.fence > S3STORE_FENCE_OFF)
        return bad_member(err, "fence", "has an unknown value");
    if ((int)c.log_level < S3STORE_LOG_OFF || (int)c.log_level > S3STORE_LOG_DEBUG)
        return bad_member(err, "log_level", "has an unknown value");
    if (c.spill_dir != NULL && c.spill_dir[0] == '\0')
        return bad_member(err, "spill_dir", "is empty");
    if (c.timeout_ms < 0)
        return bad_member(err, "timeout_ms", "is negative");
    return S3STORE_OK;
}

/* ---- as a descriptor ------------------------------------------------------------------------ */

static s3store_status copy_text(s3s_arena *arena, const char *text, const char **out,
                                s3store_error *err)
{
    if (text == NULL || text[0] == '\0')
        return S3STORE_OK;
    *out = s3s_arena_strdup(arena, text);
    return *out != NULL ? S3STORE_OK : s3s_fail_memory(err, strlen(text) + 1);
}

s3store_status s3s_descriptor_wanted(s3s_env *env, const s3store_target_config *config,
                                     s3s_descriptor *out, s3store_error *err)
{
    s3store_status status = S3STORE_OK;

    *out = (s3s_descriptor){0};
    s3s_arena_init(&out->arena, env);
    if (config->partition_by_count > 0) {
        status = s3s_part_specs_parse(&out->arena, config->partition_by,
                                      config->partition_by_count, &out->parts, err);
        if (status == S3STORE_OK)
            out->part_count = config->partition_by_count;
    }
    if (status == S3STORE_OK && config->entity_count > 0) {
        out->entity = s3s_arena_calloc(&out->arena, config->entity_count, sizeof *out->entity);
        if (out->entity == NULL)
            status = s3s_fail_memory(err, config->entity_count * sizeof *out->entity);
        else
            out->entity_count = config->entity_count;
    }
    for (size_t i = 0; status == S3STORE_OK && i < out->entity_count; i++)
        status = copy_text(&out->arena, config->entity[i], &out->entity[i], err);
    if (status == S3STORE_OK)
        status = copy_text(&out->arena, config->version, &out->version, err);
    if (status == S3STORE_OK)
        status = copy_text(&out->arena, config->inserted_at_column, &out->inserted_at_column, err);
    if (status == S3STORE_OK)
        status = copy_text(&out->arena, config->consistency, &out->consistency, err);
    return status;
}
