#include "test_s3_credentials_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/timefmt.h"

#define RING 8

static pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool secret_was_logged;

static void watch_log(void *ctx, s3store_log_level level, const char *message,
                      const s3store_log_field *fields, size_t field_count)
{
    (void)ctx;
    (void)level;
    bool found = strstr(message, SECRET_WORD) != NULL;
    for (size_t i = 0; i < field_count; i++)
        found = found || strstr(fields[i].value, SECRET_WORD) != NULL;
    pthread_mutex_lock(&log_mutex);
    secret_was_logged = secret_was_logged || found;
    pthread_mutex_unlock(&log_mutex);
}

static const char *lookup(void *ctx, const char *name)
{
    fixture *f = ctx;
    size_t size = strlen(name);
    for (size_t i = 0; i < f->variable_count; i++)
        if (strncmp(f->variables[i], name, size) == 0 && f->variables[i][size] == '=')
            return f->variables[i] + size + 1;
    return NULL;
}

void fixture_set(fixture *f, const char *variable)
{
    size_t name = strcspn(variable, "=") + 1;
    size_t i = 0;
    while (i < f->variable_count && strncmp(f->variables[i], variable, name) != 0)
        i++;
    assert_true(i < VARIABLES_MAX && strlen(variable) < VARIABLE_SIZE);
    strcpy(f->variables[i], variable);
    if (i == f->variable_count)
        f->variable_count++;
}

void fixture_set_url(fixture *f, const char *name, const char *path)
{
    char variable[VARIABLE_SIZE];
    snprintf(variable, sizeof variable, "%s=%s%s", name, http_server_url(f->server), path);
    fixture_set(f, variable);
}

const char *fixture_path(const fixture *f, const char *name)
{
    static char ring[RING][160];
    static size_t next;
    char *out = ring[next++ % RING];
    snprintf(out, sizeof ring[0], "%s/%s", f->home, name);
    return out;
}

void fixture_write(const fixture *f, const char *name, const char *text)
{
    FILE *file = fopen(fixture_path(f, name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

void fixture_serve(fixture *f, const http_step *steps, size_t count)
{
    assert_true(count <= COUNT(f->steps));
    memcpy(f->steps, steps, count * sizeof *steps);
    f->server = http_server_start(f->steps, count);
    assert_non_null(f->server);
}

int fixture_set_up(void **state)
{
    static fixture f;
    s3store_error err;
    char variable[128];
    memset(&f, 0, sizeof f);
    secret_was_logged = false;
    assert_ok(s3s_env_new_real(&f.env, &err));
    s3s_env_set_log(f.env, watch_log, NULL, S3STORE_LOG_DEBUG);
    strcpy(f.home, "/tmp/s3store-test-XXXXXX");
    assert_non_null(mkdtemp(f.home));
    assert_int_equal(mkdir(fixture_path(&f, ".aws"), 0700), 0);
    snprintf(variable, sizeof variable, "HOME=%s", f.home);
    fixture_set(&f, variable);
    fixture_set(&f, "AWS_EC2_METADATA_DISABLED=true");
    f.environment = (s3s_environment){lookup, &f};
    *state = &f;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info;
    (void)kind;
    (void)walk;
    return remove(path);
}

int fixture_tear_down(void **state)
{
    fixture *f = *state;
    nftw(f->home, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    if (f->server != NULL)
        http_server_stop(f->server);
    uint64_t live = s3s_env_live_allocs(f->env);
    s3s_env_release(f->env);
    bool has_child = waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
    if (live != 0)
        fprintf(stderr, "%llu allocations are still alive\n", (unsigned long long)live);
    if (has_child)
        fprintf(stderr, "a child process was left\n");
    if (secret_was_logged)
        fprintf(stderr, "a secret was logged\n");
    return live == 0 && !has_child && !secret_was_logged ? 0 : 1;
}

s3s_credential_chain *fixture_chain(fixture *f, s3s_chain_options options)
{
    s3store_error err;
    s3s_credential_chain *chain = NULL;
    options.environment = &f->environment;
    assert_ok(s3s_credential_chain_new(f->env, &options, &chain, &err));
    return chain;
}

s3store_status fixture_look(fixture *f, s3s_chain_options options, s3s_credentials **out,
                            s3store_error *err)
{
    s3s_credential_chain *chain = NULL;
    options.environment = &f->environment;
    s3store_status status = s3s_credential_chain_new(f->env, &options, &chain, err);
    if (status == S3STORE_OK)
        status = s3s_credential_chain_get(chain, NULL, out, err);
    s3s_credential_chain_free(chain);
    return status;
}

const char *fixture_time(int64_t seconds_from_now)
{
    static char ring[RING][S3STORE_TIME_TEXT_SIZE];
    static size_t next;
    char *out = ring[next++ % RING];
    s3s_rfc3339_format((int64_t)time(NULL) + seconds_from_now, 0, 0, out, sizeof ring[0]);
    return out;
}

const char *fixture_date_header(int64_t seconds_from_now)
{
    static char out[64];
    time_t when = time(NULL) + (time_t)seconds_from_now;
    struct tm parts;
    gmtime_r(&when, &parts);
    strftime(out, sizeof out, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    return out;
}

const char *fixture_sts_answer(const char *action, const char *id, int64_t expires_in_s)
{
    static char ring[RING][1200];
    static size_t next;
    char *out = ring[next++ % RING];
    snprintf(out, sizeof ring[0],
             "<%sResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><%sResult>"
             "<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser>"
             "<Credentials><AccessKeyId>%s</AccessKeyId>"
             "<SecretAccessKey>hidden-%s</SecretAccessKey>"
             "<SessionToken>hidden-token-of-%s</SessionToken><Expiration>%s</Expiration>"
             "</Credentials></%sResult></%sResponse>",
             action, action, id, id, id, fixture_time(expires_in_s), action, action);
    return out;
}

const char *fixture_machine_answer(const char *id, int64_t expires_in_s)
{
    static char ring[RING][600];
    static size_t next;
    char *out = ring[next++ % RING];
    snprintf(out, sizeof ring[0],
             "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"%s\","
             "\"SecretAccessKey\":\"hidden-%s\",\"Token\":\"hidden-token-of-%s\","
             "\"Expiration\":\"%s\"}",
             id, id, id, fixture_time(expires_in_s));
    return out;
}

void fixture_check_secret(const char *text)
{
    if (strstr(text, SECRET_WORD) != NULL)
        fail_msg("it shows a secret: %s", text);
}
