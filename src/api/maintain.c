/* The public face of the operator's tools. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/options.h"
#include "maintain/maintain.h"

/* Hands a report out in the caller's size. */
static void give_report(void *out, size_t own_size, const void *own)
{
    size_t size;
    if (out == NULL)
        return;
    memcpy(&size, out, sizeof size);
    if (size < sizeof size)
        return; /* a caller that set no size gets nothing */
    size_t given = size;
    memcpy(out, own, size < own_size ? size : own_size);
    memcpy(out, &given, sizeof given);
}

s3store_status s3store_doctor(const s3store_target_config *config,
                              const s3store_doctor_options *options, s3store_doctor_report *report,
                              s3store_error *err)
{
    s3store_doctor_report own_report = {.size = sizeof own_report};
    S3S_REQUIRE(config);
    S3S_OPTIONS(s3store_target_config, S3STORE_TARGET_CONFIG_INIT, own_config, config);
    S3S_OPTIONS(s3store_doctor_options, S3STORE_DOCTOR_OPTIONS_INIT, own, options);
    s3store_status status = s3s_doctor(NULL, &own_config, &own, &own_report, err);
    give_report(report, sizeof own_report, &own_report);
    return status;
}

s3store_status s3store_verify(s3store_target *target, const s3store_verify_options *options,
                              s3store_verify_report *report, s3store_error *err)
{
    s3store_verify_report own_report = {.size = sizeof own_report};
    S3S_REQUIRE(target);
    S3S_OPTIONS(s3store_verify_options, S3STORE_VERIFY_OPTIONS_INIT, own, options);
    s3store_status status = s3s_verify_dataset(target, &own, &own_report, err);
    give_report(report, sizeof own_report, &own_report);
    return status;
}

s3store_status s3store_orphans(s3store_target *target, const s3store_orphans_options *options,
                               s3store_orphans_report *report, s3store_error *err)
{
    s3store_orphans_report own_report = {.size = sizeof own_report};
    S3S_REQUIRE(target);
    S3S_OPTIONS(s3store_orphans_options, S3STORE_ORPHANS_OPTIONS_INIT, own, options);
    s3store_status status = s3s_orphans(target, &own, &own_report, err);
    give_report(report, sizeof own_report, &own_report);
    return status;
}

s3store_status s3store_object_location(const s3store_target *target, const char *key, char *buffer,
                                       size_t buffer_size, s3store_error *err)
{
    S3S_REQUIRE(target);
    S3S_REQUIRE(key);
    S3S_REQUIRE(buffer);
    return s3s_target_location(target, key, buffer, buffer_size, err);
}
