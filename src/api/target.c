/* The public face of targets: checks, and accessors without requests. */
#include <string.h>

#include "api/api.h"
#include "api/options.h"
#include "arrow/types.h"

s3store_status s3store_target_config_validate(const s3store_target_config *config,
                                              bool lookup_only, s3store_error *err)
{
    S3S_REQUIRE(config);
    S3S_OPTIONS(s3store_target_config, S3STORE_TARGET_CONFIG_INIT, own, config);
    return s3s_target_config_check(&own, lookup_only, err);
}

s3store_status s3store_target_open(const s3store_target_config *config, s3store_target **out,
                                   s3store_error *err)
{
    S3S_REQUIRE(out);
    *out = NULL;
    S3S_REQUIRE(config);
    S3S_OPTIONS(s3store_target_config, S3STORE_TARGET_CONFIG_INIT, own, config);
    return s3s_target_open(NULL, &own, out, err);
}

void s3store_target_free(s3store_target *target)
{
    if (target != NULL)
        s3s_target_release(target);
}

const char *s3store_target_url(const s3store_target *target)
{
    return target->url;
}

const char *s3store_target_bucket(const s3store_target *target)
{
    return target->bucket;
}

const char *s3store_target_prefix(const s3store_target *target)
{
    return target->layout.prefix;
}

const s3store_object_store *s3store_target_store(const s3store_target *target)
{
    return target->store;
}

size_t s3store_target_partition_part_count(const s3store_target *target)
{
    return target->settings.part_count;
}

const char *s3store_target_partition_part(const s3store_target *target, size_t i)
{
    return i < target->settings.part_count ? target->settings.parts[i].name : NULL;
}

const char *s3store_target_partition_spec(const s3store_target *target, size_t i)
{
    return i < target->settings.part_count ? target->settings.parts[i].text : NULL;
}

size_t s3store_target_entity_column_count(const s3store_target *target)
{
    return target->settings.entity_count;
}

const char *s3store_target_entity_column(const s3store_target *target, size_t i)
{
    return i < target->settings.entity_count ? target->settings.entity[i] : NULL;
}

const char *s3store_target_version_column(const s3store_target *target)
{
    return target->settings.version;
}

const char *s3store_target_inserted_at_column(const s3store_target *target)
{
    return target->settings.inserted_at_column;
}

const char *s3store_target_consistency(const s3store_target *target)
{
    return target->consistency;
}

s3store_compression s3store_target_compression(const s3store_target *target)
{
    return target->settings.compression;
}

int64_t s3store_target_commit_timeout_us(const s3store_target *target)
{
    return target->commit_timeout_us;
}

int64_t s3store_target_max_clock_skew_us(const s3store_target *target)
{
    return target->max_clock_skew_us;
}

int64_t s3store_target_settle_window_us(const s3store_target *target)
{
    return target->commit_timeout_us + target->max_clock_skew_us;
}

int s3store_target_max_inflight(const s3store_target *target)
{
    return target->max_inflight;
}

bool s3store_target_has_descriptor(const s3store_target *target)
{
    return target->has_descriptor;
}

void s3store_target_request_counts(const s3store_target *target, s3store_request_counts *out)
{
    s3store_request_counts counts = {.size = sizeof counts};
    size_t size = out->size < sizeof counts ? out->size : sizeof counts;
    s3s_meter_read(target->meter, &counts);
    s3s_connection_counts(&target->bottom, &counts.connections_opened, &counts.connections_reused);
    counts.size = out->size;
    memcpy(out, &counts, size);
}

s3store_status s3store_target_schema(s3store_target *target, const s3store_call *call,
                                     uint32_t *version, struct ArrowSchema *out,
                                     s3store_error *err)
{
    S3S_REQUIRE(target);
    S3S_REQUIRE(version);
    S3S_REQUIRE(out);
    s3s_schema *schema = NULL;
    *version = 0;
    *out = (struct ArrowSchema){0};
    s3store_status status = s3s_target_schema(target, call, true, version, &schema, err);
    if (status == S3STORE_OK && schema != NULL)
        status = s3s_schema_export(schema, out, err);
    s3s_schema_release(schema);
    return status;
}

s3store_status s3store_dataset_init(const s3store_target_config *config,
                                    const s3store_init_options *options, bool *created,
                                    s3store_error *err)
{
    bool ignored;
    S3S_REQUIRE(config);
    S3S_OPTIONS(s3store_target_config, S3STORE_TARGET_CONFIG_INIT, own, config);
    S3S_OPTIONS(s3store_init_options, S3STORE_INIT_OPTIONS_INIT, init, options);
    return s3s_dataset_init(NULL, &own, &init, created != NULL ? created : &ignored, err);
}
