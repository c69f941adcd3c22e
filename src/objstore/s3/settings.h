/* objstore/s3/settings.h: what the environment and the AWS tools' shared files say, for one
 * profile.
 *
 * Files: AWS_SHARED_CREDENTIALS_FILE or ~/.aws/credentials, sections [name];
 *        AWS_CONFIG_FILE or ~/.aws/config, sections [default] (or [profile default]),
 *        [profile name], [services name].
 * Profile: the caller's, else AWS_PROFILE, else AWS_DEFAULT_PROFILE, else "default".
 */
#ifndef S3S_OBJSTORE_S3_SETTINGS_H
#define S3S_OBJSTORE_S3_SETTINGS_H

#include "objstore/s3/ini.h"

/* The value of an environment variable or NULL; borrowed for the call. */
typedef const char *(*s3s_lookup_fn)(void *ctx, const char *name);

typedef struct s3s_environment {
    s3s_lookup_fn lookup; /* NULL = the process's environment */
    void *ctx;
} s3s_environment;

/* Unset and empty are the same: NULL. */
const char *s3s_environment_get(const s3s_environment *environment, const char *name);

typedef struct s3s_settings_file {
    char *path;         /* NULL: no place is known (HOME is not set) */
    s3s_ini *ini;       /* NULL: there is no such file, or it may not be read */
    bool forbidden;     /* it may not be read */
    char *section;      /* of the profile in this file */
} s3s_settings_file;

typedef struct s3s_settings {
    s3s_env *env;
    s3s_environment environment;
    char *profile;
    bool profile_given;        /* by the caller, not by the environment */
    bool profile_named;        /* by the caller or the environment: not just "default" */
    s3s_settings_file credentials;
    s3s_settings_file config;
} s3s_settings;

/* Reads both files. A file that cannot be understood is an error (BAD_CONFIG, IO); one that this
 * user may not read (a service with another user's HOME) is as good as none. profile NULL = not
 * given. */
s3store_status s3s_settings_init(s3s_settings *settings, s3s_env *env,
                                 const s3s_environment *environment, const char *profile,
                                 s3store_error *err);
void s3s_settings_deinit(s3s_settings *settings);

/* Borrowed, NULL = not set (or empty). */
const char *s3s_settings_env(const s3s_settings *settings, const char *name);
const char *s3s_settings_file_get(const s3s_settings_file *file, const char *key);
/* Of the profile in the config file. */
const char *s3s_settings_config(const s3s_settings *settings, const char *key);
/* "parent =\n  key = value" of the profile in the config file. */
const char *s3s_settings_config_nested(const s3s_settings *settings, const char *parent,
                                       const char *key);
/* The S3 endpoint of the profile: [services NAME] s3 = / endpoint_url, else endpoint_url. */
const char *s3s_settings_config_endpoint(const s3s_settings *settings);
/* The same of any service: "sts". */
const char *s3s_settings_service_endpoint(const s3s_settings *settings, const char *service);
/* Whether configured endpoints are to be passed over. */
bool s3s_settings_ignores_endpoints(const s3s_settings *settings);

/* Any profile of the two files. In a credentials file its section is [name]; in the config file
 * [profile name], and for "default" also [default]. */
typedef struct s3s_profile {
    const s3s_settings *settings;
    char name[128];
    char config_section[140];
} s3s_profile;

/* false: there is no such profile in either file (*out is filled all the same, for messages). */
bool s3s_profile_find(const s3s_settings *settings, const char *name, s3s_profile *out);
/* Borrowed, NULL = not set. Of one of the files, or of both: the credentials file goes first. */
const char *s3s_profile_in_credentials(const s3s_profile *profile, const char *key);
const char *s3s_profile_in_config(const s3s_profile *profile, const char *key);
const char *s3s_profile_get(const s3s_profile *profile, const char *key);

#endif
