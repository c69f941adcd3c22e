/* The table of sources, and those that need nothing but what the caller and the environment say. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "objstore/s3/credentials_look.h"

/* Together with what else a failing look does, below three seconds. */
#define TOTAL_US 2500000

bool s3s_look_is_sources_fault(s3store_status status)
{
    return status != S3STORE_OK && status != S3STORE_CANCELLED && status != S3STORE_TIMEOUT &&
           status != S3STORE_OUT_OF_MEMORY && status != S3STORE_INTERNAL;
}

static s3store_status from_options(s3s_look *l, s3store_error *err)
{
    const s3s_credential_chain *c = l->chain;
    if (c->access_key_id == NULL && c->secret == NULL) {
        snprintf(l->why, sizeof l->why, "not given");
        return S3STORE_OK;
    }
    if (c->access_key_id == NULL || c->secret == NULL)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "the options give %s without %s: give both, or none",
                        c->access_key_id != NULL ? "an access key id" : "a secret access key",
                        c->access_key_id != NULL ? "a secret access key" : "an access key id");
    return s3s_credentials_new(c->env, c->access_key_id, c->secret, c->session_token,
                               S3STORE_TIME_NONE, "the options", &l->found, err);
}

s3store_status s3s_look_environment(s3s_look *l, s3store_error *err)
{
    const s3s_settings *s = &l->settings;
    const char *id = s3s_settings_env(s, "AWS_ACCESS_KEY_ID");
    const char *secret = s3s_settings_env(s, "AWS_SECRET_ACCESS_KEY");
    if (id == NULL && secret == NULL) {
        snprintf(l->why, sizeof l->why, "AWS_ACCESS_KEY_ID is not set");
        return S3STORE_OK;
    }
    if (id == NULL || secret == NULL)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "the environment has %s without %s: set both, or none",
                        id != NULL ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                        id != NULL ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    const char *token = s3s_settings_env(s, "AWS_SESSION_TOKEN");
    if (token == NULL)
        token = s3s_settings_env(s, "AWS_SECURITY_TOKEN"); /* its old name */
    return s3s_credentials_new(l->chain->env, id, secret, token, S3STORE_TIME_NONE,
                               "the environment", &l->found, err);
}

/* As the AWS tools do: a profile that was asked for goes before the environment. */
static bool is_passed_over(s3s_look *l)
{
    if (l->settings.profile_given)
        snprintf(l->why, sizeof l->why, "passed over, because a profile was given");
    return l->settings.profile_given;
}

static s3store_status from_environment(s3s_look *l, s3store_error *err)
{
    return is_passed_over(l) ? S3STORE_OK : s3s_look_environment(l, err);
}

static s3store_status from_web_identity(s3s_look *l, s3store_error *err)
{
    const s3s_settings *s = &l->settings;
    const char *file = s3s_settings_env(s, "AWS_WEB_IDENTITY_TOKEN_FILE");
    if (is_passed_over(l))
        return S3STORE_OK;
    if (file == NULL) {
        snprintf(l->why, sizeof l->why, "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
        return S3STORE_OK;
    }
    s3s_role role = {.arn = s3s_settings_env(s, "AWS_ROLE_ARN"),
                     .session_name = s3s_settings_env(s, "AWS_ROLE_SESSION_NAME")};
    if (role.arn == NULL)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "the environment has AWS_WEB_IDENTITY_TOKEN_FILE without AWS_ROLE_ARN: "
                        "set both, or none");
    return s3s_sts_web_identity(l, &role, file, &l->found, err);
}

/* With the name of a profile that does not exist, the machine's own role is not what was meant. */
static bool is_not_meant(s3s_look *l)
{
    if (l->profile_missing)
        snprintf(l->why, sizeof l->why, "not asked, because a profile was named");
    return l->profile_missing;
}

static s3store_status from_container(s3s_look *l, s3store_error *err)
{
    return is_not_meant(l) ? S3STORE_OK : s3s_look_container(l, err);
}

static s3store_status from_instance(s3s_look *l, s3store_error *err)
{
    return is_not_meant(l) ? S3STORE_OK : s3s_look_instance(l, err);
}

static const struct source {
    const char *name;
    s3store_status (*look_there)(s3s_look *l, s3store_error *err);
} sources[] = {
    {"options", from_options},
    {"environment", from_environment},
    {"web identity", from_web_identity},
    {"shared files", s3s_look_profile},
    {"container", from_container},
    {"instance metadata", from_instance},
};

/* Adds "name: why" to what was tried. */
static void note(char *tried, size_t size, const char *name, const char *why)
{
    size_t used = strlen(tried);
    snprintf(tried + used, size - used, "%s%s: %s", used == 0 ? "" : "; ", name, why);
}

static s3store_status look_everywhere(s3s_look *l, s3store_error *err)
{
    char tried[960] = "";
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        l->why[0] = '\0';
        s3store_status status = sources[i].look_there(l, err);
        if (l->found != NULL)
            return status;
        if (status == S3STORE_NO_CREDENTIALS) {
            char why[sizeof err->message];
            snprintf(why, sizeof why, "%s", err->message);
            return s3s_fail(err, status, "no credentials: %s: %.640s%s%s%s", sources[i].name, why,
                            i == 0 ? "" : " (tried before: ", tried, i == 0 ? "" : ")");
        }
        if (status != S3STORE_OK)
            return status;
        note(tried, sizeof tried, sources[i].name, l->why);
    }
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "no credentials found. Tried: %s", tried);
}

s3store_status s3s_look_once(s3s_credential_chain *chain, const s3store_call *call,
                             s3s_credentials **out, bool *from_files, s3store_error *err)
{
    s3s_look l = {.chain = chain, .call = call};
    int64_t total_us = chain->limits.total_us > 0 ? chain->limits.total_us : TOTAL_US;
    l.deadline_us = s3s_mono_us(chain->env) + total_us;
    *out = NULL;
    *from_files = false;
    /* Files that cannot be read must not stand in the way of credentials that were given. */
    s3store_status status = from_options(&l, err);
    if (status == S3STORE_OK && l.found == NULL) {
        status = s3s_settings_init(&l.settings, chain->env, &chain->environment, chain->profile,
                                   err);
        if (status == S3STORE_OK) {
            status = look_everywhere(&l, err);
            s3s_http_free(l.http);
            s3s_http_free(l.machine_http);
            s3s_settings_deinit(&l.settings);
        }
    }
    *out = l.found;
    *from_files = l.from_files;
    return status;
}
