/* The shared files: what a profile says about credentials, and the profiles that it refers to.
 *
 * In the order of the AWS tools: a role (role_arn with source_profile or credential_source), a web
 * identity, single sign-on, keys in the credentials file, a process, keys in the config file. A
 * profile that is only the source of another one's role uses its own keys first.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "objstore/s3/credentials_look.h"

#define ROLES_MAX 8
#define PROCESS_US 60000000

/* ---- what a profile can have of its own ------------------------------------------------------ */

static s3store_status keys_of(s3s_look *l, const s3s_profile *p, bool in_config,
                              s3s_credentials **out, s3store_error *err)
{
    const char *(*get)(const s3s_profile *, const char *) =
        in_config ? s3s_profile_in_config : s3s_profile_in_credentials;
    const char *path = in_config ? l->settings.config.path : l->settings.credentials.path;
    const char *section = in_config ? p->config_section : p->name;
    const char *id = get(p, "aws_access_key_id");
    const char *secret = get(p, "aws_secret_access_key");
    if (id == NULL || secret == NULL)
        return s3s_fail_key(err, S3STORE_NO_CREDENTIALS, path,
                            "section [%.64s] of %.300s has %s without %s", section, path,
                            id != NULL ? "aws_access_key_id" : "aws_secret_access_key",
                            id != NULL ? "aws_secret_access_key" : "aws_access_key_id");
    char source[400];
    snprintf(source, sizeof source, "[%.64s] of %.300s", section, path);
    l->from_files = true;
    return s3s_credentials_new(l->chain->env, id, secret, get(p, "aws_session_token"),
                               S3STORE_TIME_NONE, source, out, err);
}

static bool has_keys_in_credentials(const s3s_profile *p)
{
    return s3s_profile_in_credentials(p, "aws_access_key_id") != NULL ||
           s3s_profile_in_credentials(p, "aws_secret_access_key") != NULL;
}

static bool has_keys_in_config(const s3s_profile *p)
{
    return s3s_profile_in_config(p, "aws_access_key_id") != NULL ||
           s3s_profile_in_config(p, "aws_secret_access_key") != NULL;
}

static s3store_status from_keys_in_credentials(s3s_look *l, const s3s_profile *p,
                                               s3s_credentials **out, s3store_error *err)
{
    return keys_of(l, p, false, out, err);
}

static s3store_status from_keys_in_config(s3s_look *l, const s3s_profile *p,
                                          s3s_credentials **out, s3store_error *err)
{
    return keys_of(l, p, true, out, err);
}

static bool has_web_identity(const s3s_profile *p)
{
    return s3s_profile_get(p, "web_identity_token_file") != NULL;
}

static s3store_status from_web_identity(s3s_look *l, const s3s_profile *p, s3s_credentials **out,
                                        s3store_error *err)
{
    s3s_role role = {.arn = s3s_profile_get(p, "role_arn"),
                     .session_name = s3s_profile_get(p, "role_session_name"),
                     .duration = s3s_profile_get(p, "duration_seconds"),
                     .profile = p->name};
    if (role.arn == NULL)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "profile \"%.64s\" has web_identity_token_file without role_arn", p->name);
    return s3s_sts_web_identity(l, &role, s3s_profile_get(p, "web_identity_token_file"), out, err);
}

static const char *const sso_keys[] = {"sso_session", "sso_account_id", "sso_start_url",
                                       "sso_role_name", "login_session"};

static bool has_sso(const s3s_profile *p)
{
    for (size_t i = 0; i < sizeof sso_keys / sizeof sso_keys[0]; i++)
        if (s3s_profile_get(p, sso_keys[i]) != NULL)
            return true;
    return false;
}

static s3store_status from_sso(s3s_look *l, const s3s_profile *p, s3s_credentials **out,
                               s3store_error *err)
{
    (void)l;
    *out = NULL;
    return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                    "profile \"%.64s\" signs in as a person (sso_... or login_session), which is "
                    "unsupported: export its credentials to the environment, or fetch them by a "
                    "credential_process",
                    p->name);
}

static bool has_process(const s3s_profile *p)
{
    return s3s_profile_get(p, "credential_process") != NULL;
}

static s3store_status from_process(s3s_look *l, const s3s_profile *p, s3s_credentials **out,
                                   s3store_error *err)
{
    s3s_env *env = l->chain->env;
    char source[160];
    snprintf(source, sizeof source, "the credential_process of profile \"%.100s\"", p->name);
    char *text = s3s_alloc(env, S3S_CREDENTIALS_DOCUMENT_MAX);
    if (text == NULL)
        return s3s_fail_memory(err, S3S_CREDENTIALS_DOCUMENT_MAX);
    int64_t limit_us = l->chain->limits.process_us;
    int64_t begin_us = s3s_mono_us(env);
    size_t size = 0;
    s3store_status status = s3s_process_run(env, l->call, s3s_profile_get(p, "credential_process"),
                                            limit_us > 0 ? limit_us : PROCESS_US, text,
                                            S3S_CREDENTIALS_DOCUMENT_MAX, &size, err);
    l->deadline_us += s3s_mono_us(env) - begin_us; /* its time is not that of the requests */
    if (status == S3STORE_NO_CREDENTIALS)
        s3s_context(err, "%s", source);
    if (status == S3STORE_OK)
        status = s3s_credentials_parse_json(env, S3S_CREDENTIALS_OF_PROCESS, text, size, source,
                                            out, err);
    s3s_wipe(text, S3S_CREDENTIALS_DOCUMENT_MAX);
    s3s_free(env, text);
    return status;
}

static const struct own {
    bool (*has)(const s3s_profile *p);
    s3store_status (*get)(s3s_look *l, const s3s_profile *p, s3s_credentials **out,
                          s3store_error *err);
} owns[] = {
    {has_web_identity, from_web_identity},
    {has_sso, from_sso},
    {has_keys_in_credentials, from_keys_in_credentials},
    {has_process, from_process},
    {has_keys_in_config, from_keys_in_config},
};

/* OK without *out: it has none. */
static s3store_status from_own(s3s_look *l, const s3s_profile *p, s3s_credentials **out,
                               s3store_error *err)
{
    for (size_t i = 0; i < sizeof owns / sizeof owns[0]; i++)
        if (owns[i].has(p))
            return owns[i].get(l, p, out, err);
    return S3STORE_OK;
}

static s3store_status from_own_keys(s3s_look *l, const s3s_profile *p, s3s_credentials **out,
                                    s3store_error *err)
{
    return has_keys_in_credentials(p) ? from_keys_in_credentials(l, p, out, err)
                                      : from_keys_in_config(l, p, out, err);
}

/* ---- roles ----------------------------------------------------------------------------------- */

/* From the profile that was asked for, along source_profile, to where credentials are. */
typedef struct walk {
    s3s_profile profiles[ROLES_MAX + 1];
    s3s_role roles[ROLES_MAX]; /* roles[i] is of profiles[i] */
    size_t role_count;
} walk;

static bool has_role(const s3s_profile *p)
{
    return s3s_profile_get(p, "role_arn") != NULL && !has_web_identity(p);
}

static bool has_own_keys(const s3s_profile *p)
{
    return s3s_profile_get(p, "aws_access_key_id") != NULL &&
           s3s_profile_get(p, "aws_secret_access_key") != NULL;
}

static s3store_status fail_profile(const s3s_profile *p, const char *what, s3store_error *err)
{
    return s3s_fail(err, S3STORE_NO_CREDENTIALS, "profile \"%.64s\" %s", p->name, what);
}

/* credential_source: where the credentials come from that may assume the role. */
static s3store_status from_credential_source(s3s_look *l, const s3s_profile *p, const char *name,
                                             s3s_credentials **out, s3store_error *err)
{
    static const struct {
        const char *name;
        s3store_status (*look_there)(s3s_look *l, s3store_error *err);
    } known[] = {{"Environment", s3s_look_environment},
                 {"EcsContainer", s3s_look_container},
                 {"Ec2InstanceMetadata", s3s_look_instance}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(known[i].name, name) != 0)
            continue;
        s3store_status status = known[i].look_there(l, err);
        *out = l->found;
        l->found = NULL;
        if (status == S3STORE_OK && *out == NULL)
            status = s3s_fail(err, S3STORE_NO_CREDENTIALS, "%s", l->why);
        if (status == S3STORE_NO_CREDENTIALS)
            s3s_context(err, "credential_source %s of profile \"%.64s\"", known[i].name, p->name);
        return status;
    }
    return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                    "profile \"%.64s\" has the credential_source \"%.32s\": only Environment, "
                    "EcsContainer and Ec2InstanceMetadata are known",
                    p->name, name);
}

/* Another profile, which must exist and must not have been passed already. */
static s3store_status step_to(s3s_look *l, walk *w, const char *name, s3store_error *err)
{
    const s3s_profile *from = &w->profiles[w->role_count - 1];
    for (size_t i = 0; i < w->role_count; i++)
        if (strcmp(w->profiles[i].name, name) == 0)
            return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                            "profile \"%.64s\" has the source_profile \"%.64s\", which leads back "
                            "to itself",
                            from->name, name);
    if (!s3s_profile_find(&l->settings, name, &w->profiles[w->role_count]))
        return s3s_fail(err, S3STORE_NO_CREDENTIALS,
                        "profile \"%.64s\" has the source_profile \"%.64s\", which does not exist",
                        from->name, name);
    return S3STORE_OK;
}

/* Notes the role of the walk's last profile. *out is set where the walk ends, else it goes on. */
static s3store_status take_role(s3s_look *l, walk *w, s3s_credentials **out, s3store_error *err)
{
    const s3s_profile *p = &w->profiles[w->role_count];
    const char *source_profile = s3s_profile_get(p, "source_profile");
    const char *credential_source = s3s_profile_get(p, "credential_source");
    if (s3s_profile_get(p, "mfa_serial") != NULL)
        return fail_profile(p, "has mfa_serial, which is unsupported: nobody can be asked for a "
                               "code here",
                            err);
    if (source_profile != NULL && credential_source != NULL)
        return fail_profile(p, "has source_profile and credential_source: only one can be meant",
                            err);
    if (source_profile == NULL && credential_source == NULL)
        return fail_profile(p, "has role_arn without source_profile, credential_source or "
                               "web_identity_token_file",
                            err);
    if (w->role_count == ROLES_MAX)
        return fail_profile(p, "is at the end of too many source_profiles", err);
    w->roles[w->role_count++] = (s3s_role){.arn = s3s_profile_get(p, "role_arn"),
                                           .session_name = s3s_profile_get(p, "role_session_name"),
                                           .external_id = s3s_profile_get(p, "external_id"),
                                           .duration = s3s_profile_get(p, "duration_seconds"),
                                           .profile = p->name};
    if (credential_source != NULL)
        return from_credential_source(l, p, credential_source, out, err);
    /* A profile may be its own source, with the keys that stand beside its role. */
    if (strcmp(source_profile, p->name) == 0 && has_own_keys(p))
        return from_own_keys(l, p, out, err);
    return step_to(l, w, source_profile, err);
}

/* *base: the credentials at the walk's end; NULL with OK: the profile has none, and no role. */
static s3store_status find_base(s3s_look *l, walk *w, s3s_credentials **base, s3store_error *err)
{
    for (;;) {
        const s3s_profile *p = &w->profiles[w->role_count];
        size_t passed = w->role_count;
        s3store_status status = S3STORE_OK;
        if (passed > 0 && has_own_keys(p))
            return from_own_keys(l, p, base, err);
        if (has_role(p))
            status = take_role(l, w, base, err);
        else
            status = from_own(l, p, base, err);
        if (status != S3STORE_OK || *base != NULL)
            return status;
        if (w->role_count == passed)
            return passed == 0 ? S3STORE_OK : fail_profile(p, "has no credentials", err);
    }
}

static s3store_status assume_roles(s3s_look *l, const walk *w, s3s_credentials *base,
                                   s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t i = w->role_count; i > 0 && status == S3STORE_OK; i--) {
        s3s_credentials *next = NULL;
        status = s3s_sts_assume_role(l, &w->roles[i - 1], base, &next, err);
        s3s_credentials_release(base);
        base = next;
    }
    if (w->role_count > 0)
        l->from_files = false; /* roles expire */
    l->found = base;
    return status;
}

/* ---- the source ------------------------------------------------------------------------------ */

/* "no section [x] in FILE" */
static void say_file(char *out, size_t size, const s3s_settings_file *file, const char *section,
                     const char *what)
{
    if (file->path == NULL)
        snprintf(out, size, "%s file: HOME is not set", what);
    else if (file->forbidden)
        snprintf(out, size, "%s file: no permission to read %.100s", what, file->path);
    else if (file->ini == NULL)
        snprintf(out, size, "%s file: there is no %.100s", what, file->path);
    else if (!s3s_ini_has_section(file->ini, section))
        snprintf(out, size, "%s file: no section [%.40s] in %.100s", what, section, file->path);
    else
        snprintf(out, size, "%s file: no aws_access_key_id in [%.40s] of %.100s", what, section,
                 file->path);
}

static void say_none(s3s_look *l, const s3s_profile *p)
{
    char credentials[200];
    char config[200];
    say_file(credentials, sizeof credentials, &l->settings.credentials, p->name, "credentials");
    say_file(config, sizeof config, &l->settings.config, p->config_section, "config");
    snprintf(l->why, sizeof l->why, "%s, %s", credentials, config);
}

s3store_status s3s_look_profile(s3s_look *l, s3store_error *err)
{
    walk w;
    w.role_count = 0;
    bool exists = s3s_profile_find(&l->settings, l->settings.profile, &w.profiles[0]);
    l->profile_missing = !exists && l->settings.profile_named;
    s3s_credentials *base = NULL;
    s3store_status status = exists ? find_base(l, &w, &base, err) : S3STORE_OK;
    if (status == S3STORE_OK && base != NULL)
        return assume_roles(l, &w, base, err);
    if (status == S3STORE_OK)
        say_none(l, &w.profiles[0]);
    return status;
}
