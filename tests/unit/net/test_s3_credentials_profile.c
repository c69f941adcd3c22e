/* Profiles of the shared files: roles and their sources, processes, what is not supported. */
#include "test_s3_credentials_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cancel.h"
#include "objstore/s3/credentials_look.h"

#define BASE_KEYS "[base]\naws_access_key_id=IDBASE\naws_secret_access_key=hidden-base\n"
#define ROLE "arn:aws:iam::123456789012:role/"

static bool body_has(fixture *f, size_t i, const char *text)
{
    static http_seen seen;
    http_server_seen(f->server, i, &seen);
    return strstr(seen.body, text) != NULL;
}

static bool signed_by(fixture *f, size_t i, const char *id)
{
    static http_seen seen;
    char value[1024];
    char wanted[64];
    snprintf(wanted, sizeof wanted, "Credential=%s/", id);
    http_server_seen(f->server, i, &seen);
    return strstr(http_seen_header(&seen, "authorization", value), wanted) != NULL;
}

/* ---- roles ----------------------------------------------------------------------------------- */

static void test_role__is_assumed_with_the_source_profiles_keys(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "IDROLE", 3600)}};
    fixture_serve(f, steps, 1);
    fixture_set_url(f, "AWS_ENDPOINT_URL_STS", "");
    fixture_write(f, ".aws/credentials", BASE_KEYS);
    fixture_write(f, ".aws/config",
                  "[default]\nrole_arn=" ROLE "r\nsource_profile=base\nexternal_id=e x/1\n"
                  "role_session_name=me@host\nduration_seconds=900\nregion=eu-west-1\n");
    assert_found(NO_OPTIONS, "IDROLE", "hidden-token-of-IDROLE", "role " ROLE "r of profile");
    http_seen seen;
    char value[1024];
    http_server_seen(f->server, 0, &seen);
    assert_string_equal(seen.method, "POST");
    assert_string_equal(seen.target, "/");
    assert_true(signed_by(f, 0, "IDBASE"));
    assert_non_null(strstr(http_seen_header(&seen, "authorization", value),
                           "/eu-west-1/sts/aws4_request"));
    assert_string_equal(seen.body,
                        "Action=AssumeRole&Version=2011-06-15&"
                        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&"
                        "RoleSessionName=me%40host&DurationSeconds=900&ExternalId=e%20x%2F1");
}

static void test_role__goes_before_the_profiles_own_keys(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "IDROLE", 3600)}};
    fixture_serve(f, steps, 1);
    fixture_set_url(f, "AWS_ENDPOINT_URL", "");
    fixture_write(f, ".aws/credentials", "[default]\naws_access_key_id=IDOWN\n"
                                         "aws_secret_access_key=hidden\n" BASE_KEYS);
    fixture_write(f, ".aws/config", "[default]\nrole_arn=" ROLE "r\nsource_profile=base\n");
    assert_found(NO_OPTIONS, "IDROLE", "hidden-token-of-IDROLE", "role ");
    assert_true(signed_by(f, 0, "IDBASE"));
    assert_true(body_has(f, 0, "RoleSessionName=s3store-"));
    /* A profile may be its own source. */
    fixture_write(f, ".aws/config", "[default]\nrole_arn=" ROLE "r\nsource_profile=default\n");
    assert_found(NO_OPTIONS, "IDROLE", "hidden-token-of-IDROLE", "role ");
    assert_true(signed_by(f, 1, "IDOWN"));
}

static void test_role__chains_are_walked_to_their_end(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "ID1", 3600)},
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "ID2", 3600)},
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "ID3", 3600)},
    };
    fixture_serve(f, steps, COUNT(steps));
    fixture_set_url(f, "AWS_ENDPOINT_URL_STS", "/sts");
    fixture_write(f, ".aws/credentials", BASE_KEYS);
    fixture_write(f, ".aws/config",
                  "[profile top]\nrole_arn=" ROLE "top\nsource_profile=middle\n"
                  "[profile middle]\nrole_arn=" ROLE "middle\nsource_profile=low\n"
                  "[profile low]\nrole_arn=" ROLE "low\nsource_profile=base\n"
                  /* keys beside it go first in a source: this role is not assumed */
                  "[profile base]\nrole_arn=" ROLE "never\nsource_profile=low\n");
    s3s_chain_options options = {.profile = "top"};
    assert_found(options, "ID3", "hidden-token-of-ID3", "role " ROLE "top of profile \"top\"");
    assert_int_equal(http_server_request_count(f->server), 3);
    static const char *const signers[] = {"IDBASE", "ID1", "ID2"};
    static const char *const roles[] = {"role%2Flow&", "role%2Fmiddle&", "role%2Ftop&"};
    for (size_t i = 0; i < 3; i++) {
        http_seen seen;
        char value[1024];
        http_server_seen(f->server, i, &seen);
        assert_string_equal(seen.target, "/sts");
        assert_true(signed_by(f, i, signers[i]));
        assert_true(body_has(f, i, roles[i]));
        http_seen_header(&seen, "x-amz-security-token", value);
        assert_string_equal(value, i == 0   ? ""
                                   : i == 1 ? "hidden-token-of-ID1"
                                            : "hidden-token-of-ID2");
    }
}

static void test_role__credential_source_is_one_of_three(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "IDROLE", 3600)},
        {.status = 200, .body = fixture_machine_answer("IDBOX", 3600)},
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "IDROLE", 3600)},
    };
    fixture_serve(f, steps, COUNT(steps));
    fixture_set_url(f, "AWS_ENDPOINT_URL_STS", "");
    fixture_write(f, ".aws/config", "[profile p]\nrole_arn=" ROLE "r\n"
                                    "credential_source = Environment\n");
    s3s_chain_options options = {.profile = "p"};
    assert_refused(options, "credential_source Environment of profile \"p\": AWS_ACCESS_KEY_ID is "
                            "not set");
    fixture_set(f, "AWS_ACCESS_KEY_ID=IDENV");
    fixture_set(f, "AWS_SECRET_ACCESS_KEY=hidden");
    assert_found(options, "IDROLE", "hidden-token-of-IDROLE", "role ");
    assert_true(signed_by(f, 0, "IDENV"));
    fixture_write(f, ".aws/config", "[profile p]\nrole_arn=" ROLE "r\n"
                                    "credential_source = EcsContainer\n");
    fixture_set_url(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/c");
    assert_found(options, "IDROLE", "hidden-token-of-IDROLE", "role ");
    assert_true(signed_by(f, 2, "IDBOX"));
    fixture_write(f, ".aws/config", "[profile p]\nrole_arn=" ROLE "r\n"
                                    "credential_source = Ec2InstanceMetadata\n");
    assert_refused(options, "credential_source Ec2InstanceMetadata of profile \"p\": "
                            "AWS_EC2_METADATA_DISABLED is true");
    fixture_write(f, ".aws/config", "[profile p]\nrole_arn=" ROLE "r\n"
                                    "credential_source = Elsewhere\n");
    assert_refused(options, "credential_source \"Elsewhere\"");
}

static void test_role__bad_profiles_are_named(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const struct {
        const char *config;
        const char *names;
    } cases[] = {
        {"[default]\nrole_arn=r\nsource_profile=default\n",
         "profile \"default\" has the source_profile \"default\", which leads back"},
        {"[default]\nrole_arn=r\nsource_profile=a\n[profile a]\nrole_arn=r\nsource_profile=b\n"
         "[profile b]\nrole_arn=r\nsource_profile=a\n",
         "profile \"b\" has the source_profile \"a\", which leads back"},
        {"[default]\nrole_arn=r\nsource_profile=a\n[profile a]\nrole_arn=r\n"
         "source_profile=default\n",
         "profile \"a\" has the source_profile \"default\", which leads back"},
        {"[default]\nrole_arn=r\nsource_profile=gone\n",
         "the source_profile \"gone\", which does not exist"},
        {"[default]\nrole_arn=r\nsource_profile=a\n[profile a]\nregion=x\n",
         "profile \"a\" has no credentials"},
        {"[default]\nrole_arn=r\nsource_profile=a\n[profile a]\naws_access_key_id=A\n",
         "without aws_secret_access_key"},
        {"[default]\nrole_arn=r\n", "role_arn without source_profile"},
        {"[default]\nrole_arn=r\nsource_profile=a\ncredential_source=Environment\n",
         "only one can be meant"},
        {"[default]\nrole_arn=r\nsource_profile=a\nmfa_serial=x\n", "mfa_serial"},
        {"[default]\nweb_identity_token_file=/x\n", "without role_arn"},
        {"[default]\nsso_session=x\nsso_account_id=1\n", "unsupported"},
        {"[default]\nlogin_session=x\n", "unsupported"},
        {"[default]\nrole_arn=r\nsource_profile=base\nduration_seconds=1h\n",
         "duration_seconds \"1h\""},
        {"[default]\nrole_arn=r\nsource_profile=base\nduration_seconds=60\n", "900 to 43200"},
        {"[default]\nrole_arn=r\nsource_profile=base\nregion=../x\n", "not the name of a region"},
        {"[default]\nrole_arn=r\nsource_profile=base\nendpoint_url=ftp://x\n", "endpoint for STS"},
    };
    fixture_write(f, ".aws/credentials", BASE_KEYS);
    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_write(f, ".aws/config", cases[i].config);
        assert_refused(NO_OPTIONS, cases[i].names);
    }
}

static void test_role__long_chains_are_refused(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char config[2000] = "[default]\nrole_arn=r\nsource_profile=p0\n";
    for (int i = 0; i < 20; i++) {
        size_t used = strlen(config);
        snprintf(config + used, sizeof config - used,
                 "[profile p%d]\nrole_arn=r\nsource_profile=p%d\n", i, i + 1);
    }
    fixture_write(f, ".aws/config", config);
    assert_refused(NO_OPTIONS, "too many source_profiles");
}

static void test_role__sts_of_the_profile_is_asked(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char config[512];
    const http_step steps[] = {
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "IDROLE", 3600)}};
    fixture_serve(f, steps, 1);
    fixture_write(f, ".aws/credentials", BASE_KEYS);
    snprintf(config, sizeof config,
             "[default]\nrole_arn=" ROLE "r\nsource_profile=base\nservices=mine\n"
             "endpoint_url=http://127.0.0.1:1\n"
             "[services mine]\nsts =\n  endpoint_url = %s/x\n",
             http_server_url(f->server));
    fixture_write(f, ".aws/config", config);
    assert_found(NO_OPTIONS, "IDROLE", "hidden-token-of-IDROLE", "role ");
}

/* ---- processes ------------------------------------------------------------------------------- */

/* The default profile runs this script. */
static void use_script(fixture *f, const char *script)
{
    char config[400];
    fixture_write(f, "script", script);
    snprintf(config, sizeof config, "[default]\ncredential_process = /bin/sh '%s' 'two words'\n",
             fixture_path(f, "script"));
    fixture_write(f, ".aws/config", config);
}

static void test_process__gives_credentials(void **state)
{
    fixture *f = *state;
    s3store_error err;
    use_script(f, "test \"$1\" = 'two words' || exit 1\n"
                  "echo '{\"Version\": 1, \"AccessKeyId\": \"IDPROC\",\n"
                  " \"SecretAccessKey\": \"hidden\"}'\n");
    assert_found(NO_OPTIONS, "IDPROC", NULL, "the credential_process of profile \"default\"");
    use_script(f, "echo '{\"Version\":1,\"AccessKeyId\":\"IDPROC\",\"SecretAccessKey\":\"hidden\","
                  "\"SessionToken\":\"hidden-T\",\"Expiration\":\"2999-01-02T03:04:05+01:00\"}'\n"
                  "echo hidden >&2\n");
    assert_found(NO_OPTIONS, "IDPROC", "hidden-T", "credential_process");
}

static void test_process__inherits_the_environment_and_no_input(void **state)
{
    fixture *f = *state;
    s3store_error err;
    setenv("S3STORE_TEST_INHERITED", "IDINHERITED", 1);
    use_script(f, "cat\necho '{\"Version\":1,\"AccessKeyId\":\"'$S3STORE_TEST_INHERITED'\","
                  "\"SecretAccessKey\":\"hidden\"}'\n");
    assert_found(NO_OPTIONS, "IDINHERITED", NULL, "credential_process");
    unsetenv("S3STORE_TEST_INHERITED");
}

static void test_process__files_of_the_host_are_not_inherited(void **state)
{
    fixture *f = *state;
    s3store_error err;
    int fd = dup(0); /* without close-on-exec */
    char script[200];
    snprintf(script, sizeof script,
             "test -e /proc/self/fd/%d && exit 9\n"
             "echo '{\"Version\":1,\"AccessKeyId\":\"ID\",\"SecretAccessKey\":\"hidden\"}'\n",
             fd);
    use_script(f, script);
    assert_found(NO_OPTIONS, "ID", NULL, "credential_process");
    close(fd);
}

static void test_process__bad_output_is_refused_and_not_shown(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const struct {
        const char *script;
        const char *names;
    } cases[] = {
        {"echo hidden; exit 3", "ended with code 3"},
        {"echo hidden; kill -9 $$", "ended with code 137"},
        {"true", "there is no document"},
        {"echo hidden-not-json", "it is not JSON"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"hidden'", "it is not JSON"},
        {"echo '[\"hidden\"]'", "not a JSON object"},
        {"echo '{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\"}'", "\"Version\": 1"},
        {"echo '{\"Version\":2,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\"}'",
         "\"Version\": 1"},
        {"echo '{\"Version\":\"1\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\"}'",
         "\"Version\": 1"},
        {"echo '{\"Version\":1,\"SecretAccessKey\":\"hidden\"}'", "no \"AccessKeyId\""},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":7}'", "no \"Access"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden key\"}'",
         "cannot be in it"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\","
         "\"Expiration\":\"soon\"}'",
         "\"Expiration\" is not a time"},
        {"echo '{\"Version\":1,\"AccessKeyId\":\"A\",\"AccessKeyId\":\"B\"}'", "it is not JSON"},
        {"exec yes hidden", "printed more than 65536 bytes"},
        {"exec /nonexistent/program", "ended with code 127"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        use_script(f, cases[i].script);
        assert_refused(NO_OPTIONS, cases[i].names);
        assert_non_null(strstr(err.message, "credential_process of profile \"default\""));
    }
    fixture_write(f, ".aws/config", "[default]\ncredential_process = echo hidden; kill -9 $$\n");
    assert_refused(NO_OPTIONS, "ended by signal 9");
}

static void test_process__is_ended_when_it_takes_too_long(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3s_chain_options options = {.limits = {.process_us = 150000}};
    use_script(f, "trap '' TERM INT HUP\nsleep 100 & sleep 100\n");
    assert_refused(options, "did not end within 0.1 s");
    use_script(f, "exec >&-\nsleep 100\n"); /* its output ends, it does not */
    assert_refused(options, "did not end within 0.1 s");
}

static void test_process__background_children_do_not_hold_it_up(void **state)
{
    fixture *f = *state;
    s3store_error err;
    use_script(f, "sleep 2 &\n"
                  "echo '{\"Version\":1,\"AccessKeyId\":\"ID\",\"SecretAccessKey\":\"hidden\"}'\n");
    assert_found(NO_OPTIONS, "ID", NULL, "credential_process");
}

static void test_process__survives_a_host_that_ignores_children(void **state)
{
    fixture *f = *state;
    s3store_error err;
    signal(SIGCHLD, SIG_IGN);
    use_script(f, "echo '{\"Version\":1,\"AccessKeyId\":\"ID\",\"SecretAccessKey\":\"hidden\"}'\n");
    assert_found(NO_OPTIONS, "ID", NULL, "credential_process");
    use_script(f, "exit 3");
    assert_refused(NO_OPTIONS, "there is no document");
    signal(SIGCHLD, SIG_DFL);
}

static void test_process__has_default_signals(void **state)
{
    fixture *f = *state;
    s3store_error err;
    sigset_t all;
    sigset_t before;
    signal(SIGPIPE, SIG_IGN);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    char script[400]; /* yes dies of SIGPIPE; else it would complain and end with 1 */
    snprintf(script, sizeof script,
             "cd %s\n(yes; echo $? >code) | head -n 1 >/dev/null\n"
             "until grep -q . code 2>/dev/null; do :; done\ngrep -q 141 code || exit 4\n"
             "echo '{\"Version\":1,\"AccessKeyId\":\"ID\",\"SecretAccessKey\":\"hidden\"}'\n",
             f->home);
    use_script(f, script);
    assert_found(NO_OPTIONS, "ID", NULL, "credential_process");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
}

static void *trigger_when_begun(void *ctx)
{
    void **both = ctx;
    while (access(both[1], F_OK) != 0)
        usleep(1000);
    s3store_cancel_trigger(both[0]);
    return NULL;
}

static void test_process__is_ended_by_a_cancelled_call(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char script[200];
    char begun[160];
    snprintf(begun, sizeof begun, "%s", fixture_path(f, "begun"));
    snprintf(script, sizeof script, "touch %s\nsleep 100\n", begun);
    use_script(f, script);
    s3store_cancel *cancel = NULL;
    assert_ok(s3store_cancel_new(&cancel, &err));
    s3store_call call = {.cancel = cancel, .deadline_us = S3STORE_TIME_NONE};
    void *both[2] = {cancel, begun};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, trigger_when_begun, both), 0);
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    s3s_credentials *c = NULL;
    assert_fails(s3s_credential_chain_get(chain, &call, &c, &err), S3STORE_CANCELLED, NULL);
    pthread_join(thread, NULL);
    s3s_credential_chain_free(chain);
    s3store_cancel_free(cancel);
}

static void test_process__credentials_file_goes_before_config_after(void **state)
{
    fixture *f = *state;
    s3store_error err;
    fixture_write(f, "script", "echo '{\"Version\":1,\"AccessKeyId\":\"IDPROC\","
                               "\"SecretAccessKey\":\"hidden\"}'\n");
    char config[400];
    snprintf(config, sizeof config,
             "[default]\naws_access_key_id=IDCONF\naws_secret_access_key=hidden\n"
             "credential_process = sh %s\n",
             fixture_path(f, "script"));
    fixture_write(f, ".aws/config", config);
    assert_found(NO_OPTIONS, "IDPROC", NULL, "credential_process");
    fixture_write(f, ".aws/credentials",
                  "[default]\naws_access_key_id=IDCRED\naws_secret_access_key=hidden\n");
    assert_found(NO_OPTIONS, "IDCRED", NULL, "/.aws/credentials");
}

static void test_profile__default_may_be_written_with_the_word(void **state)
{
    fixture *f = *state;
    s3store_error err;
    fixture_write(f, ".aws/config",
                  "[default]\naws_access_key_id=IDPLAIN\naws_secret_access_key=hidden\n"
                  "[profile default]\naws_access_key_id=IDWORD\naws_secret_access_key=hidden\n");
    assert_found(NO_OPTIONS, "IDWORD", NULL, "[profile default]");
}

static void test_process__out_of_memory_is_an_error(void **state)
{
    fixture *f = *state;
    s3store_error err;
    use_script(f, "echo '{\"Version\":1,\"AccessKeyId\":\"ID\",\"SecretAccessKey\":\"hidden\"}'\n");
    s3store_status status = S3STORE_OUT_OF_MEMORY;
    for (uint64_t n = 0; n < 200 && status != S3STORE_OK; n++) {
        s3s_credentials *c = NULL;
        memset(&err, 0, sizeof err);
        s3s_env_fail_alloc_at(f->env, n);
        status = fixture_look(f, NO_OPTIONS, &c, &err);
        s3s_env_fail_alloc_at(f->env, UINT64_MAX);
        s3s_credentials_release(c);
        if (status != S3STORE_OK)
            assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
    }
    assert_int_equal(status, S3STORE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        credentials_test(test_role__is_assumed_with_the_source_profiles_keys),
        credentials_test(test_role__goes_before_the_profiles_own_keys),
        credentials_test(test_role__chains_are_walked_to_their_end),
        credentials_test(test_role__credential_source_is_one_of_three),
        credentials_test(test_role__bad_profiles_are_named),
        credentials_test(test_role__long_chains_are_refused),
        credentials_test(test_role__sts_of_the_profile_is_asked),
        credentials_test(test_process__gives_credentials),
        credentials_test(test_process__inherits_the_environment_and_no_input),
        credentials_test(test_process__files_of_the_host_are_not_inherited),
        credentials_test(test_process__bad_output_is_refused_and_not_shown),
        credentials_test(test_process__is_ended_when_it_takes_too_long),
        credentials_test(test_process__background_children_do_not_hold_it_up),
        credentials_test(test_process__survives_a_host_that_ignores_children),
        credentials_test(test_process__has_default_signals),
        credentials_test(test_process__is_ended_by_a_cancelled_call),
        credentials_test(test_process__credentials_file_goes_before_config_after),
        credentials_test(test_profile__default_may_be_written_with_the_word),
        credentials_test(test_process__out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
