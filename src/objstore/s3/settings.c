#include "objstore/s3/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"

static const char *not_empty(const char *text)
{
    return text != NULL && text[0] != '\0' ? text : NULL;
}

const char *s3s_environment_get(const s3s_environment *environment, const char *name)
{
    return not_empty(environment->lookup != NULL ? environment->lookup(environment->ctx, name)
                                                 : getenv(name));
}

/* a followed by b and c; NULL without memory. */
static char *join(s3s_env *env, const char *a, const char *b, const char *c)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    size_t c_size = strlen(c);
    char *text = s3s_alloc(env, a_size + b_size + c_size + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, a, a_size);
    memcpy(text + a_size, b, b_size);
    memcpy(text + a_size + b_size, c, c_size + 1);
    return text;
}

/* *out stays NULL when no place is known. A leading "~/" is the home directory. */
static s3store_status find_path(const s3s_settings *s, const char *variable, const char *fallback,
                                char **out, s3store_error *err)
{
    const char *given = s3s_settings_env(s, variable);
    const char *home = s3s_settings_env(s, "HOME");
    if (given == NULL)
        given = fallback;
    bool in_home = s3s_starts_with(given, "~/");
    if (in_home && home == NULL)
        return S3STORE_OK;
    *out = in_home ? join(s->env, home, "/", given + 2) : s3s_strdup(s->env, given);
    return *out == NULL ? s3s_fail_memory(err, strlen(given)) : S3STORE_OK;
}

static s3store_status load_file(const s3s_settings *s, s3s_settings_file *file,
                                const char *variable, const char *fallback, const char *section,
                                s3store_error *err)
{
    file->section = s3s_strdup(s->env, section);
    if (file->section == NULL)
        return s3s_fail_memory(err, strlen(section));
    s3store_status status = find_path(s, variable, fallback, &file->path, err);
    if (status != S3STORE_OK || file->path == NULL)
        return status;
    s3store_error why = {0};
    status = s3s_ini_load(s->env, file->path, &file->ini, &why);
    file->forbidden = status == S3STORE_PERMISSION_DENIED;
    if (status == S3STORE_NOT_FOUND || file->forbidden)
        return S3STORE_OK;
    if (status != S3STORE_OK && err != NULL)
        *err = why;
    return status;
}

static s3store_status load_files(s3s_settings *s, s3store_error *err)
{
    s3store_status status = load_file(s, &s->credentials, "AWS_SHARED_CREDENTIALS_FILE",
                                      "~/.aws/credentials", s->profile, err);
    if (status != S3STORE_OK)
        return status;
    char *section = join(s->env, "profile ", s->profile, "");
    if (section == NULL)
        return s3s_fail_memory(err, strlen(s->profile));
    status = load_file(s, &s->config, "AWS_CONFIG_FILE", "~/.aws/config", section, err);
    s3s_free(s->env, section);
    /* [profile default] goes before [default], which is how it is usually written. */
    if (status == S3STORE_OK && strcmp(s->profile, "default") == 0 &&
        !s3s_ini_has_section(s->config.ini, s->config.section))
        memcpy(s->config.section, "default", sizeof "default");
    return status;
}

s3store_status s3s_settings_init(s3s_settings *settings, s3s_env *env,
                                 const s3s_environment *environment, const char *profile,
                                 s3store_error *err)
{
    *settings = (s3s_settings){.env = env};
    if (environment != NULL)
        settings->environment = *environment;
    settings->profile_given = not_empty(profile) != NULL;
    const char *name = not_empty(profile);
    if (name == NULL)
        name = s3s_settings_env(settings, "AWS_PROFILE");
    if (name == NULL)
        name = s3s_settings_env(settings, "AWS_DEFAULT_PROFILE");
    settings->profile_named = name != NULL;
    if (name == NULL)
        name = "default";
    settings->profile = s3s_strdup(env, name);
    s3store_status status = settings->profile == NULL ? s3s_fail_memory(err, strlen(name))
                                                      : load_files(settings, err);
    if (status != S3STORE_OK)
        s3s_settings_deinit(settings);
    return status;
}

static void free_file(s3s_env *env, s3s_settings_file *file)
{
    s3s_ini_free(file->ini);
    s3s_free(env, file->path);
    s3s_free(env, file->section);
}

void s3s_settings_deinit(s3s_settings *settings)
{
    free_file(settings->env, &settings->credentials);
    free_file(settings->env, &settings->config);
    s3s_free(settings->env, settings->profile);
    *settings = (s3s_settings){0};
}

const char *s3s_settings_env(const s3s_settings *settings, const char *name)
{
    return s3s_environment_get(&settings->environment, name);
}

const char *s3s_settings_file_get(const s3s_settings_file *file, const char *key)
{
    return not_empty(s3s_ini_get(file->ini, file->section, key));
}

const char *s3s_settings_config(const s3s_settings *settings, const char *key)
{
    return s3s_settings_file_get(&settings->config, key);
}

const char *s3s_settings_config_nested(const s3s_settings *settings, const char *parent,
                                       const char *key)
{
    return not_empty(
        s3s_ini_get_nested(settings->config.ini, settings->config.section, parent, key));
}

const char *s3s_settings_service_endpoint(const s3s_settings *settings, const char *service)
{
    const char *services = s3s_settings_config(settings, "services");
    char section[160];
    if (services != NULL && strlen(services) < 140) {
        snprintf(section, sizeof section, "services %s", services);
        const char *endpoint = not_empty(
            s3s_ini_get_nested(settings->config.ini, section, service, "endpoint_url"));
        if (endpoint != NULL)
            return endpoint;
    }
    return s3s_settings_config(settings, "endpoint_url");
}

const char *s3s_settings_config_endpoint(const s3s_settings *settings)
{
    return s3s_settings_service_endpoint(settings, "s3");
}

bool s3s_settings_ignores_endpoints(const s3s_settings *settings)
{
    const char *value = s3s_settings_env(settings, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if (value == NULL)
        value = s3s_settings_config(settings, "ignore_configured_endpoint_urls");
    return value != NULL && strcasecmp(value, "true") == 0;
}

/* ---- any profile ----------------------------------------------------------------------------- */

bool s3s_profile_find(const s3s_settings *settings, const char *name, s3s_profile *out)
{
    *out = (s3s_profile){.settings = settings};
    snprintf(out->name, sizeof out->name, "%s", name);
    snprintf(out->config_section, sizeof out->config_section, "profile %s", out->name);
    const s3s_ini *config = settings->config.ini;
    if (strcmp(name, "default") == 0 && !s3s_ini_has_section(config, out->config_section))
        snprintf(out->config_section, sizeof out->config_section, "default");
    return strlen(name) < sizeof out->name &&
           (s3s_ini_has_section(config, out->config_section) ||
            s3s_ini_has_section(settings->credentials.ini, out->name));
}

const char *s3s_profile_in_credentials(const s3s_profile *profile, const char *key)
{
    return not_empty(s3s_ini_get(profile->settings->credentials.ini, profile->name, key));
}

const char *s3s_profile_in_config(const s3s_profile *profile, const char *key)
{
    return not_empty(s3s_ini_get(profile->settings->config.ini, profile->config_section, key));
}

const char *s3s_profile_get(const s3s_profile *profile, const char *key)
{
    const char *value = s3s_profile_in_credentials(profile, key);
    return value != NULL ? value : s3s_profile_in_config(profile, key);
}
