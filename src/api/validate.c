/* The rules of the format, usable alone. */
#include "api/api.h"
#include "dataset/pattern.h"

s3store_status s3store_token_validate(const char *token, s3store_error *err)
{
    S3S_REQUIRE(token);
    return s3s_token_check(token, err);
}

s3store_status s3store_key_parts_validate(const char *const *names, size_t name_count,
                                          s3store_error *err)
{
    return s3s_names_check(names, name_count, "partition column", err);
}

s3store_status s3store_partition_key_validate(const char *const *names, size_t name_count,
                                              const char *key, s3store_error *err)
{
    S3S_REQUIRE(key);
    s3store_status status = s3s_names_check(names, name_count, "partition column", err);
    return status == S3STORE_OK ? s3s_partition_check(names, name_count, key, err) : status;
}

s3store_status s3store_pattern_validate(const char *const *names, size_t name_count,
                                        const char *pattern, s3store_error *err)
{
    S3S_REQUIRE(pattern);
    s3s_pattern parsed;
    s3store_status status = s3s_names_check(names, name_count, "partition column", err);
    if (status == S3STORE_OK)
        status = s3s_pattern_parse(NULL, names, name_count, pattern, -1, &parsed, err);
    if (status == S3STORE_OK)
        s3s_pattern_deinit(&parsed);
    return status;
}
