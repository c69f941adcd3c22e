#include "objstore/s3/endpoint.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"

#define DEFAULT_REGION "us-east-1"

typedef struct setting {
    const char *value;
    const char *from; /* for messages */
} setting;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c);
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* ---- where settings come from ---------------------------------------------------------------- */

static bool ignores_configured(const s3s_settings *s)
{
    const char *value = s3s_settings_env(s, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if (value == NULL)
        value = s3s_settings_config(s, "ignore_configured_endpoint_urls");
    return value != NULL && strcasecmp(value, "true") == 0;
}

/* The first that is set. */
static setting first_of(const setting *candidates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (candidates[i].value != NULL && candidates[i].value[0] != '\0')
            return candidates[i];
    return (setting){0};
}

static setting find_endpoint(const s3s_s3_options *options, const s3s_settings *s)
{
    bool ignore = ignores_configured(s);
    const setting candidates[] = {
        {options->endpoint_url, "the endpoint option"},
        {ignore ? NULL : s3s_settings_env(s, "AWS_ENDPOINT_URL_S3"), "AWS_ENDPOINT_URL_S3"},
        {ignore ? NULL : s3s_settings_env(s, "AWS_ENDPOINT_URL"), "AWS_ENDPOINT_URL"},
        {ignore ? NULL : s3s_settings_config_endpoint(s), "the profile's endpoint_url"},
    };
    return first_of(candidates, sizeof candidates / sizeof candidates[0]);
}

static setting find_region(const s3s_s3_options *options, const s3s_settings *s)
{
    const setting candidates[] = {
        {options->region, "the region option"},
        {s3s_settings_env(s, "AWS_REGION"), "AWS_REGION"},
        {s3s_settings_env(s, "AWS_DEFAULT_REGION"), "AWS_DEFAULT_REGION"},
        {s3s_settings_config(s, "region"), "the profile's region"},
        {DEFAULT_REGION, "the default"},
    };
    return first_of(candidates, sizeof candidates / sizeof candidates[0]);
}

/* ---- the bucket ------------------------------------------------------------------------------ */

static s3store_status set_bucket(s3s_s3_place *place, const char *bucket, s3store_error *err)
{
    size_t size = bucket == NULL ? 0 : strlen(bucket);
    bool good = size > 0 && size < S3S_S3_BUCKET_SIZE && strcmp(bucket, ".") != 0 &&
                strcmp(bucket, "..") != 0;
    for (size_t i = 0; good && i < size; i++) /* ':' divides tenant and bucket on some servers */
        good = is_alnum(bucket[i]) || memchr("-._:", bucket[i], 4) != NULL;
    if (!good)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "\"%.200s\" is not a bucket name",
                        bucket == NULL ? "" : bucket);
    memcpy(place->bucket, bucket, size + 1);
    return S3STORE_OK;
}

/* One label of a host name: a certificate for *.host does not cover dots. */
static bool is_host_label(const char *bucket)
{
    size_t size = strlen(bucket);
    if (size < 3 || size > 63 || !is_lower_alnum(bucket[0]) || !is_lower_alnum(bucket[size - 1]))
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_lower_alnum(bucket[i]) && bucket[i] != '-')
            return false;
    return true;
}

/* ---- the endpoint ---------------------------------------------------------------------------- */

static s3store_status fail_endpoint(setting url, const char *why, s3store_error *err)
{
    /* A user name in it could be a secret: the URL is shown only up to there. */
    int shown = (int)strcspn(url.value, "@");
    if (shown > 200)
        shown = 200;
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s \"%.*s\" cannot be used: %s", url.from,
                    url.value[shown] == '@' ? 0 : shown, url.value, why);
}

static bool is_name_char(char c)
{
    return is_alnum(c) || c == '-' || c == '.' || c == '_';
}

static bool is_ipv6_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

/* The bytes of the host in an authority, 0 = not a host. */
static size_t host_size(const char *authority, size_t size)
{
    size_t n = 0;
    if (size > 0 && authority[0] == '[') {
        for (n = 1; n < size && is_ipv6_char(authority[n]); n++)
            ;
        return n > 2 && n < size && authority[n] == ']' ? n + 1 : 0;
    }
    while (n < size && is_name_char(authority[n]))
        n++;
    return n;
}

/* 0 = not a port. */
static unsigned parse_port(const char *text, size_t size)
{
    unsigned port = 0;
    if (size == 0 || size > 5)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (!is_digit(text[i]))
            return 0;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535 ? port : 0;
}

static s3store_status set_authority(s3s_s3_place *place, setting url, const char *authority,
                                    size_t size, s3store_error *err)
{
    size_t host = host_size(authority, size);
    if (memchr(authority, '@', size) != NULL)
        return fail_endpoint(url, "it has a user name, which does not belong there", err);
    if (host == 0 || host > 255)
        return fail_endpoint(url, "it has no host name", err);
    unsigned default_port = place->tls ? 443 : 80;
    unsigned port = default_port;
    if (host < size) {
        port = authority[host] == ':' ? parse_port(authority + host + 1, size - host - 1) : 0;
        if (port == 0)
            return fail_endpoint(url, "what follows the host is not a port", err);
    }
    for (size_t i = 0; i < host; i++) {
        char c = authority[i];
        place->authority[i] = c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    place->authority[host] = '\0';
    place->aws_names = s3s_ends_with(place->authority, ".amazonaws.com") ||
                       s3s_ends_with(place->authority, ".amazonaws.com.cn");
    /* The scheme's own port is not in the Host header, which is signed. */
    if (port != default_port)
        snprintf(place->authority + host, sizeof place->authority - host, ":%u", port);
    return S3STORE_OK;
}

static s3store_status set_base_path(s3s_s3_place *place, setting url, const char *path,
                                    s3store_error *err)
{
    size_t size = strlen(path);
    while (size > 0 && path[size - 1] == '/')
        size--;
    if (size >= sizeof place->base_path)
        return fail_endpoint(url, "its path is too long", err);
    for (size_t i = 0; i < size; i++)
        if (!is_alnum(path[i]) && memchr("-._~/", path[i], 5) == NULL)
            return fail_endpoint(url, "it may have a path of plain characters, nothing more", err);
    memcpy(place->base_path, path, size);
    place->base_path[size] = '\0';
    return S3STORE_OK;
}

static s3store_status set_endpoint(s3s_s3_place *place, setting url, s3store_error *err)
{
    const char *authority = NULL;
    if (strncasecmp(url.value, "https://", 8) == 0) {
        place->tls = true;
        authority = url.value + 8;
    } else if (strncasecmp(url.value, "http://", 7) == 0) {
        place->tls = false;
        authority = url.value + 7;
    } else {
        return fail_endpoint(url, "it must begin with https:// or http://", err);
    }
    size_t size = strcspn(authority, "/?#");
    s3store_status status = set_authority(place, url, authority, size, err);
    return status == S3STORE_OK ? set_base_path(place, url, authority + size, err) : status;
}

/* ---- addressing ------------------------------------------------------------------------------ */

static s3store_status find_addressing(const s3s_s3_options *options, const s3s_settings *s,
                                      s3store_addressing *out, s3store_error *err)
{
    *out = options->addressing;
    const char *style = s3s_settings_config_nested(s, "s3", "addressing_style");
    if (*out != S3STORE_ADDRESSING_AUTO || style == NULL || strcasecmp(style, "auto") == 0)
        return S3STORE_OK;
    if (strcasecmp(style, "path") == 0)
        *out = S3STORE_ADDRESSING_PATH;
    else if (strcasecmp(style, "virtual") == 0)
        *out = S3STORE_ADDRESSING_VIRTUAL;
    else
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the profile's addressing_style \"%.32s\" is not auto, path or virtual",
                        style);
    return S3STORE_OK;
}

static s3store_status set_addressing(s3s_s3_place *place, s3store_addressing addressing,
                                     s3store_error *err)
{
    bool can_be_host = is_host_label(place->bucket) && place->authority[0] != '[';
    if (addressing == S3STORE_ADDRESSING_VIRTUAL && !can_be_host)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the bucket \"%s\" cannot be part of a host name: use path addressing",
                        place->bucket);
    place->virtual_host =
        addressing == S3STORE_ADDRESSING_VIRTUAL ||
        (addressing == S3STORE_ADDRESSING_AUTO && place->aws_names && can_be_host);
    return S3STORE_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

bool s3s_s3_place_set_region(s3s_s3_place *place, const char *region)
{
    size_t size = strlen(region);
    if (size == 0 || size >= sizeof place->region)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_alnum(region[i]) && region[i] != '-' && (region[i] != '_' || place->by_region))
            return false;
    memcpy(place->region, region, size + 1);
    if (place->by_region)
        snprintf(place->authority, sizeof place->authority, "s3.%s.amazonaws.com%s", region,
                 strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    return true;
}

s3store_status s3s_s3_place_init(s3s_s3_place *place, const s3s_s3_options *options,
                                 const s3s_settings *settings, s3store_error *err)
{
    *place = (s3s_s3_place){.tls = true};
    s3store_status status = set_bucket(place, options->bucket, err);
    if (status != S3STORE_OK)
        return status;
    setting endpoint = find_endpoint(options, settings);
    if (endpoint.value != NULL) {
        status = set_endpoint(place, endpoint, err);
        if (status != S3STORE_OK)
            return status;
    } else {
        place->aws_names = true;
        place->by_region = true;
    }
    setting region = find_region(options, settings);
    if (!s3s_s3_place_set_region(place, region.value))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s \"%.80s\" is not the name of a region",
                        region.from, region.value);
    s3store_addressing addressing = S3STORE_ADDRESSING_AUTO;
    status = find_addressing(options, settings, &addressing, err);
    return status == S3STORE_OK ? set_addressing(place, addressing, err) : status;
}

void s3s_s3_place_host(const s3s_s3_place *place,
                       char host[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE])
{
    size_t used = 0;
    if (place->virtual_host) {
        used = strlen(place->bucket);
        memcpy(host, place->bucket, used);
        host[used++] = '.';
    }
    memcpy(host + used, place->authority, strlen(place->authority) + 1);
}
