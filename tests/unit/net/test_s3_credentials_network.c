/* Sources that are asked over the network: STS with a web identity, containers, instances. */
#include "test_s3_credentials_fixture.h"

#include <stdlib.h>

#include "objstore/s3/credentials_look.h"

#define QUICK {.connect_us = 300000, .answer_us = 150000, .total_us = 1500000}
#define STS_ERROR(code, message)                                                                   \
    "<ErrorResponse><Error><Type>Sender</Type><Code>" code "</Code><Message>" message              \
    "</Message></Error></ErrorResponse>"

/* ---- web identity ---------------------------------------------------------------------------- */

static void use_web_identity(fixture *f, const http_step *steps, size_t count)
{
    char variable[200];
    fixture_serve(f, steps, count);
    fixture_set_url(f, "AWS_ENDPOINT_URL_STS", "");
    fixture_write(f, "token", "\n hidden-web-identity.token_0123456789 \r\n");
    snprintf(variable, sizeof variable, "AWS_WEB_IDENTITY_TOKEN_FILE=%s",
             fixture_path(f, "token"));
    fixture_set(f, variable);
    fixture_set(f, "AWS_ROLE_ARN=arn:aws:iam::1:role/web");
}

static void test_web_identity__of_the_environment_is_exchanged(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {
        {.status = 200, .body = fixture_sts_answer("AssumeRoleWithWebIdentity", "IDWEB", 3600)}};
    use_web_identity(f, steps, 1);
    fixture_set(f, "AWS_ROLE_SESSION_NAME=pod");
    assert_found(NO_OPTIONS, "IDWEB", "hidden-token-of-IDWEB", "role arn:aws:iam::1:role/web");
    http_seen seen;
    char value[1024];
    http_server_seen(f->server, 0, &seen);
    assert_string_equal(seen.method, "POST");
    assert_string_equal(http_seen_header(&seen, "authorization", value), "");
    assert_non_null(strstr(seen.body, "Action=AssumeRoleWithWebIdentity&"));
    assert_non_null(strstr(seen.body, "&RoleSessionName=pod&"));
    assert_non_null(strstr(seen.body,
                           "&WebIdentityToken=hidden-web-identity.token_0123456789"));
    assert_null(strstr(seen.head, SECRET_WORD));
    /* Static keys of the environment go before it, a given profile passes it over. */
    fixture_set(f, "AWS_ACCESS_KEY_ID=IDENV");
    fixture_set(f, "AWS_SECRET_ACCESS_KEY=hidden");
    assert_found(NO_OPTIONS, "IDENV", NULL, "the environment");
    s3s_chain_options options = {.profile = "p"};
    assert_refused(options, "web identity: passed over");
}

static void test_web_identity__of_a_profile_is_exchanged(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char config[400];
    const http_step steps[] = {
        {.status = 200, .body = fixture_sts_answer("AssumeRoleWithWebIdentity", "IDWEB", 3600)}};
    use_web_identity(f, steps, 1);
    snprintf(config, sizeof config,
             "[profile p]\nrole_arn=arn:p\nrole_session_name=who\nweb_identity_token_file=%s\n",
             fixture_path(f, "token"));
    fixture_write(f, ".aws/config", config);
    s3s_chain_options options = {.profile = "p"};
    assert_found(options, "IDWEB", "hidden-token-of-IDWEB", "role arn:p of profile \"p\"");
    http_seen seen;
    http_server_seen(f->server, 0, &seen);
    assert_non_null(strstr(seen.body, "RoleArn=arn%3Ap&RoleSessionName=who&"));
}

static void test_web_identity__bad_settings_stop_the_chain(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {{.status = 500}};
    use_web_identity(f, steps, 1);
    fixture_write(f, ".aws/credentials",
                  "[default]\naws_access_key_id=ID\naws_secret_access_key=hidden\n");
    fixture_write(f, "token", " \n");
    assert_refused(NO_OPTIONS, "/token is empty");
    fixture_write(f, "token", "hidden\nhidden\n");
    assert_refused(NO_OPTIONS, "/token has a line break");
    char *big = malloc(20002);
    memset(big, 'h', 20001);
    big[20001] = '\0';
    fixture_write(f, "token", big);
    free(big);
    assert_refused(NO_OPTIONS, "more than 20000 bytes");
    fixture_set(f, "AWS_WEB_IDENTITY_TOKEN_FILE=/nonexistent/token");
    assert_refused(NO_OPTIONS, "cannot open the token file /nonexistent/token");
    fixture_set(f, "AWS_WEB_IDENTITY_TOKEN_FILE=/dev/zero");
    assert_refused(NO_OPTIONS, "not a regular file");
    fixture_set(f, "AWS_ROLE_ARN=");
    assert_refused(NO_OPTIONS, "AWS_WEB_IDENTITY_TOKEN_FILE without AWS_ROLE_ARN");
    assert_int_equal(http_server_request_count(f->server), 0);
}

static void test_sts__refusals_are_told_without_secrets(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const struct {
        http_step step;
        const char *names;
    } cases[] = {
        {{.status = 403, .body = STS_ERROR("AccessDenied", "Not authorized to assume")},
         "refuses (HTTP 403 AccessDenied: Not authorized to assume)"},
        {{.status = 400, .body = STS_ERROR("InvalidIdentityToken",
                                           "bad: hidden-web-identity.token_01")},
         "InvalidIdentityToken: (it quotes a secret)"},
        {{.status = 403, .body = "<Error><Code>AccessDenied</Code></Error>"},
         "refuses (HTTP 403 AccessDenied)"},
        {{.status = 404, .body = "<html>hidden</html>"}, "refuses (HTTP 404)"},
        {{.status = 200, .body = "hidden garbage"}, "not one of STS: a text is outside"},
        {{.status = 200, .body = "<a><b>hidden</a>"}, "not one of STS: mismatched tags"},
        {{.status = 200}, "not one of STS"},
        {{.status = 200, .body = "<AssumeRoleWithWebIdentityResponse/>"}, "lacks a key"},
        {{.status = 200,
          .body = "<!DOCTYPE a [<!ENTITY x \"hidden\">]><AssumeRoleResponse>&x;"
                  "</AssumeRoleResponse>"},
         "document type"},
        {{.status = 200, .body = "<a><b><c><d><e><f><g><h><i>hidden</i></h></g></f></e></d></c>"
                                 "</b></a>"},
         "nested too deep"},
        {{.status = 200, .body = STS_ERROR("Odd", "behind 200")}, "HTTP 200 Odd: behind 200"},
        {{.status = 200, .length = -1, .body = "<a>", .fill = "hidden hidden hidden ",
          .fill_count = 100000, .end = HTTP_CLOSE},
         "more than 65536 bytes"},
    };
    use_web_identity(f, &cases[0].step, 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        http_server_stop(f->server);
        fixture_serve(f, &cases[i].step, 1);
        fixture_set_url(f, "AWS_ENDPOINT_URL_STS", "");
        assert_refused(NO_OPTIONS, cases[i].names);
        assert_non_null(strstr(err.message, "web identity: role arn:aws:iam::1:role/web of"));
        assert_int_equal(http_server_request_count(f->server), 1);
    }
}

static void test_sts__passing_faults_are_tried_three_times(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const char *good = fixture_sts_answer("AssumeRoleWithWebIdentity", "IDWEB", 3600);
    const http_step steps[] = {
        {.status = 503},
        {.end = HTTP_RESET},
        {.status = 200, .body = good},
        {.status = 429},
        {.status = 400, .body = STS_ERROR("IDPCommunicationError", "x")},
        {.end = HTTP_STALL},
        {.status = 200, .body = good},
    };
    use_web_identity(f, steps, COUNT(steps));
    s3s_chain_options options = {.limits = QUICK};
    assert_found(options, "IDWEB", "hidden-token-of-IDWEB", "role ");
    assert_int_equal(http_server_request_count(f->server), 3);
    assert_refused(options, "sent nothing for ");
    assert_int_equal(http_server_request_count(f->server), 6);
}

static void test_sts__unreachable_is_no_credentials(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {{.end = HTTP_STALL}};
    use_web_identity(f, steps, 1);
    s3s_chain_options options = {.limits = {.total_us = 200000}};
    assert_refused(options, " gave no answer in time");
    fixture_set(f, "AWS_ENDPOINT_URL_STS=http://127.0.0.1:1");
    assert_refused(options, "cannot connect to http://127.0.0.1:1");
    assert_non_null(strstr(err.message, "tried before: options: not given; environment: "));
    fixture_set(f, "AWS_ENDPOINT_URL_STS=http://user@127.0.0.1:1");
    assert_refused(options, "not an http or https URL");
}

static void test_sts__limits_of_the_caller_are_the_callers(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {{.end = HTTP_STALL}};
    use_web_identity(f, steps, 1);
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    s3s_credentials *c = NULL;
    s3store_call call = {.deadline_us = s3s_mono_us(f->env) + 100000};
    assert_fails(s3s_credential_chain_get(chain, &call, &c, &err), S3STORE_TIMEOUT, NULL);
    s3s_credential_chain_free(chain);
}

static void test_sts__a_wrong_clock_is_corrected_once(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char first[1024];
    char second[1024];
    const char *date = fixture_date_header(2 * 3600);
    const http_step steps[] = {
        {.status = 403, .headers = date, .body = STS_ERROR("SignatureDoesNotMatch", "expired")},
        {.status = 200, .body = fixture_sts_answer("AssumeRole", "IDROLE", 3 * 3600)},
        {.status = 403, .headers = date, .body = STS_ERROR("SignatureDoesNotMatch", "expired")},
    };
    fixture_serve(f, steps, COUNT(steps));
    fixture_set_url(f, "AWS_ENDPOINT_URL_STS", "");
    fixture_write(f, ".aws/credentials",
                  "[base]\naws_access_key_id=ID\naws_secret_access_key=hidden\n");
    fixture_write(f, ".aws/config", "[default]\nrole_arn=r\nsource_profile=base\n");
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    s3s_credentials *c = NULL;
    assert_ok(s3s_credential_chain_get(chain, NULL, &c, &err));
    http_seen seen;
    http_server_seen(f->server, 0, &seen);
    http_seen_header(&seen, "x-amz-date", first);
    http_server_seen(f->server, 1, &seen);
    http_seen_header(&seen, "x-amz-date", second);
    assert_int_equal(strlen(first), 16);
    assert_true(strcmp(first, second) < 0);
    int64_t ahead_us = s3s_credential_chain_now_us(chain) - s3s_wall_us(f->env);
    assert_true(ahead_us > 7100000000 && ahead_us < 7300000000);
    /* The clock is right now: the same refusal is about the signature. */
    s3s_credential_chain_expire(chain, c);
    s3s_credentials_release(c);
    assert_fails(s3s_credential_chain_get(chain, NULL, &c, &err), S3STORE_NO_CREDENTIALS,
                 "SignatureDoesNotMatch");
    assert_int_equal(http_server_request_count(f->server), 3);
    s3s_credential_chain_free(chain);
}

static void test_sts__absurd_clocks_are_not_believed(void **state)
{
    fixture *f = *state;
    s3s_credential_chain *chain = fixture_chain(f, NO_OPTIONS);
    int64_t now_us = s3s_wall_us(f->env);
    assert_false(s3s_credential_chain_correct_clock(chain, S3STORE_TIME_NONE));
    assert_false(s3s_credential_chain_correct_clock(chain, 0));
    assert_false(s3s_credential_chain_correct_clock(chain, now_us + 25LL * 3600 * 1000000));
    assert_false(s3s_credential_chain_correct_clock(chain, now_us + 30LL * 1000000));
    assert_true(s3s_credential_chain_correct_clock(chain, now_us - 23LL * 3600 * 1000000));
    assert_false(s3s_credential_chain_correct_clock(chain, now_us - 23LL * 3600 * 1000000));
    s3s_credential_chain_free(chain);
}

/* ---- the container --------------------------------------------------------------------------- */

static void test_container__is_asked_with_its_token(void **state)
{
    fixture *f = *state;
    s3store_error err;
    http_seen seen;
    char value[1024];
    char variable[200];
    const http_step steps[] = {{.status = 200, .body = fixture_machine_answer("IDBOX", 3600)}};
    fixture_serve(f, steps, 1);
    fixture_set_url(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/v1/credentials?a=b");
    fixture_set(f, "http_proxy=http://127.0.0.1:1");
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* must not see it */
    assert_found(NO_OPTIONS, "IDBOX", "hidden-token-of-IDBOX", "the container endpoint");
    unsetenv("http_proxy");
    http_server_seen(f->server, 0, &seen);
    assert_string_equal(seen.method, "GET");
    assert_string_equal(seen.target, "/v1/credentials?a=b");
    assert_string_equal(http_seen_header(&seen, "authorization", value), "");
    fixture_set(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic hidden-1");
    assert_found(NO_OPTIONS, "IDBOX", "hidden-token-of-IDBOX", "the container endpoint");
    http_server_seen(f->server, 1, &seen);
    assert_string_equal(http_seen_header(&seen, "authorization", value), "Basic hidden-1");
    /* The file goes before it. */
    fixture_write(f, "token", "hidden-2\n");
    snprintf(variable, sizeof variable, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s",
             fixture_path(f, "token"));
    fixture_set(f, variable);
    assert_found(NO_OPTIONS, "IDBOX", "hidden-token-of-IDBOX", "the container endpoint");
    http_server_seen(f->server, 2, &seen);
    assert_string_equal(http_seen_header(&seen, "authorization", value), "hidden-2");
    fixture_set(f, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/nonexistent/t");
    assert_refused(NO_OPTIONS, "cannot open the token file /nonexistent/t");
    assert_int_equal(http_server_request_count(f->server), 3);
}

static void test_container__only_near_hosts_are_asked_without_tls(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const char *const far[] = {"http://example.com/x",      "http://10.0.0.1/x",
                                      "http://127.evil.example/x", "http://169.254.169.254/x",
                                      "http://localhost.evil/x",   "http://[fe80::1]/x"};
    static const char *const bad[] = {"ftp://localhost/", "localhost/x", "http://u:hidden@[::1]/",
                                      "http://localhost:0/", "http://localhost:99999/",
                                      "http:///x"};
    char variable[200];
    for (size_t i = 0; i < COUNT(far); i++) {
        snprintf(variable, sizeof variable, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s", far[i]);
        fixture_set(f, variable);
        assert_refused(NO_OPTIONS, "may be asked without TLS");
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(variable, sizeof variable, "AWS_CONTAINER_CREDENTIALS_FULL_URI=%s", bad[i]);
        fixture_set(f, variable);
        assert_refused(NO_OPTIONS, "AWS_CONTAINER_CREDENTIALS_FULL_URI cannot be used");
    }
    fixture_set(f, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=evil.example/");
    assert_refused(NO_OPTIONS, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI cannot be used");
}

static void test_container__bad_answers_stop_the_chain(void **state)
{
    fixture *f = *state;
    s3store_error err;
    static const struct {
        http_step step;
        const char *names;
    } cases[] = {
        {{.status = 403, .body = "hidden"}, "HTTP 403"},
        {{.status = 200, .body = "hidden"}, "it is not JSON"},
        {{.status = 200, .body = "{\"Code\":\"AccessDenied\",\"Message\":\"hidden\"}"},
         "\"AccessDenied\" instead"},
        {{.status = 200, .body = "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"hidden\","
                                 "\"Expiration\":12}"},
         "not a time"},
        {{.status = 200, .length = -1, .fill = "hidden {", .fill_count = 100000,
          .end = HTTP_CLOSE},
         "more than 65536 bytes"},
        {{.status = 200, .body = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}, "not JSON"},
        {{.status = 301, .headers = "Location: http://127.0.0.1:1/\r\n"}, "HTTP 301"},
        {{.end = HTTP_STALL}, "sent nothing"},
        {{.end = HTTP_RESET}, "broke"},
    };
    s3s_chain_options options = {.limits = QUICK};
    for (size_t i = 0; i < COUNT(cases); i++) {
        fixture_serve(f, &cases[i].step, 1);
        fixture_set_url(f, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "/");
        assert_refused(options, cases[i].names);
        assert_non_null(strstr(err.message, "container: the container endpoint: "));
        http_server_stop(f->server);
        f->server = NULL;
    }
}

/* ---- the instance ---------------------------------------------------------------------------- */

static void use_instance(fixture *f, const http_step *steps, size_t count)
{
    fixture_serve(f, steps, count);
    fixture_set_url(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "/");
    fixture_set(f, "AWS_EC2_METADATA_DISABLED=false");
}

static void test_instance__is_asked_by_version_two(void **state)
{
    fixture *f = *state;
    s3store_error err;
    http_seen seen;
    char value[1024];
    const http_step steps[] = {
        {.status = 200, .body = "hidden-session=="},
        {.status = 200, .body = "my-role@x\nother"},
        {.status = 200, .body = fixture_machine_answer("IDEC2", 3600)},
    };
    use_instance(f, steps, COUNT(steps));
    assert_found(NO_OPTIONS, "IDEC2", "hidden-token-of-IDEC2", "the instance role my-role@x");
    http_server_seen(f->server, 0, &seen);
    assert_string_equal(seen.method, "PUT");
    assert_string_equal(seen.target, "/latest/api/token");
    assert_string_equal(http_seen_header(&seen, "x-aws-ec2-metadata-token-ttl-seconds", value),
                        "21600");
    http_server_seen(f->server, 1, &seen);
    assert_string_equal(seen.target, "/latest/meta-data/iam/security-credentials/");
    assert_string_equal(http_seen_header(&seen, "x-aws-ec2-metadata-token", value),
                        "hidden-session==");
    http_server_seen(f->server, 2, &seen);
    assert_string_equal(seen.target, "/latest/meta-data/iam/security-credentials/my-role@x");
    assert_int_equal(seen.connection, 1); /* one connection for all */
}

static void test_instance__faults_are_only_reasons(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step token = {.status = 200, .body = "hidden-session"};
    const http_step role = {.status = 200, .body = "role"};
    const struct {
        http_step steps[3];
        const char *names;
        size_t requests;
    } cases[] = {
        {{{.status = 403}}, "gives no session token (HTTP 403)", 1},
        {{{.status = 404}}, "gives no session token (HTTP 404)", 1},
        {{{.status = 200, .body = "hidden token"}}, "no usable session token", 1},
        {{{.status = 200}}, "no usable session token", 1},
        {{{.status = 200, .length = -1, .fill = "hidden", .fill_count = 100000,
           .end = HTTP_CLOSE}},
         "more than 65536 bytes", 1},
        {{{.end = HTTP_STALL}}, "sent nothing", 1},
        {{{.end = HTTP_RESET}}, "broke", 1},
        {{token, {.status = 404}}, "this instance has no role", 2},
        {{token, {.status = 500}}, "answered with HTTP 500", 2},
        {{token, {.status = 200, .body = "../hidden"}}, "does not name a role", 2},
        {{token, {.status = 200, .body = ""}}, "does not name a role", 2},
        {{token, role, {.status = 200, .body = "hidden"}}, "the instance role role: it is not", 3},
        {{token, role, {.status = 200, .body = "{\"Code\":\"Failed\",\"Message\":\"hidden\"}"}},
         "it says \"Failed\"", 3},
        {{token, role, {.status = 200, .body = "{\"AccessKeyId\":\"A\","
                                               "\"SecretAccessKey\":\"hidden\"}"}},
         "no \"Token\" or no \"Expiration\"", 3},
    };
    s3s_chain_options options = {.limits = QUICK};
    for (size_t i = 0; i < COUNT(cases); i++) {
        use_instance(f, cases[i].steps, 3);
        assert_refused(options, cases[i].names);
        assert_non_null(strstr(err.message, "; instance metadata: "));
        assert_int_equal(http_server_request_count(f->server), cases[i].requests); /* one try */
        http_server_stop(f->server);
        f->server = NULL;
    }
}

static void test_instance__is_not_asked_where_it_is_not_meant(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const http_step steps[] = {{.status = 200, .body = "x"}};
    use_instance(f, steps, 1);
    s3s_chain_options options = {.profile = "absent"};
    assert_refused(options, "instance metadata: not asked");
    fixture_set(f, "AWS_PROFILE=absent");
    assert_refused(NO_OPTIONS, "instance metadata: not asked");
    fixture_set(f, "AWS_PROFILE=");
    fixture_set(f, "AWS_EC2_METADATA_DISABLED=True");
    assert_refused(NO_OPTIONS, "AWS_EC2_METADATA_DISABLED is true");
    assert_int_equal(http_server_request_count(f->server), 0);
    fixture_set(f, "AWS_EC2_METADATA_DISABLED=");
    fixture_set(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1");
    assert_refused(NO_OPTIONS, "cannot connect to http://127.0.0.1:1");
    fixture_set(f, "AWS_EC2_METADATA_SERVICE_ENDPOINT=nonsense");
    assert_refused(NO_OPTIONS, "AWS_EC2_METADATA_SERVICE_ENDPOINT is not");
}

/* ---- parsers --------------------------------------------------------------------------------- */

static void test_parsers__out_of_memory_is_an_error(void **state)
{
    fixture *f = *state;
    s3store_error err;
    const char *xml = fixture_sts_answer("AssumeRole", "ID", 3600);
    const char *json = fixture_machine_answer("ID", 3600);
    for (int kind = 0; kind < 2; kind++) {
        s3store_status status = S3STORE_OUT_OF_MEMORY;
        for (uint64_t n = 0; n < 50 && status != S3STORE_OK; n++) {
            s3s_credentials *c = NULL;
            s3s_sts_refusal refusal;
            memset(&err, 0, sizeof err);
            s3s_env_fail_alloc_at(f->env, n);
            status = kind == 0 ? s3s_sts_parse(f->env, xml, strlen(xml), "x", &c, &refusal, &err)
                               : s3s_credentials_parse_json(f->env, S3S_CREDENTIALS_OF_INSTANCE,
                                                            json, strlen(json), "x", &c, &err);
            s3s_env_fail_alloc_at(f->env, UINT64_MAX);
            s3s_credentials_release(c);
            if (status != S3STORE_OK)
                assert_int_equal(status, S3STORE_OUT_OF_MEMORY);
        }
        assert_int_equal(status, S3STORE_OK);
    }
}

static void test_parsers__long_texts_are_refused_or_cut(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3s_credentials *c = NULL;
    s3s_sts_refusal refusal;
    char *text = malloc(40000);
    char *run = malloc(20001);
    memset(run, 'h', 20000);
    run[20000] = '\0';
    static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "SessionToken",
                                        "Expiration"};
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(text, 40000, "<R><AssumeRoleResult><Credentials><%s>%s</%s></Credentials>"
                              "</AssumeRoleResult></R>",
                 names[i], run, names[i]);
        assert_fails(s3s_sts_parse(f->env, text, strlen(text), "x", &c, &refusal, &err),
                     S3STORE_NO_CREDENTIALS, "too long");
    }
    snprintf(text, 40000, "<ErrorResponse><Error><Code>C\n</Code><Message>%s</Message></Error>"
                          "</ErrorResponse>",
             run);
    assert_ok(s3s_sts_parse(f->env, text, strlen(text), "x", &c, &refusal, &err));
    assert_null(c);
    assert_string_equal(refusal.code, "C");
    assert_int_equal(strlen(refusal.message), sizeof refusal.message - 1);
    free(text);
    free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        credentials_test(test_web_identity__of_the_environment_is_exchanged),
        credentials_test(test_web_identity__of_a_profile_is_exchanged),
        credentials_test(test_web_identity__bad_settings_stop_the_chain),
        credentials_test(test_sts__refusals_are_told_without_secrets),
        credentials_test(test_sts__passing_faults_are_tried_three_times),
        credentials_test(test_sts__unreachable_is_no_credentials),
        credentials_test(test_sts__limits_of_the_caller_are_the_callers),
        credentials_test(test_sts__a_wrong_clock_is_corrected_once),
        credentials_test(test_sts__absurd_clocks_are_not_believed),
        credentials_test(test_container__is_asked_with_its_token),
        credentials_test(test_container__only_near_hosts_are_asked_without_tls),
        credentials_test(test_container__bad_answers_stop_the_chain),
        credentials_test(test_instance__is_asked_by_version_two),
        credentials_test(test_instance__faults_are_only_reasons),
        credentials_test(test_instance__is_not_asked_where_it_is_not_meant),
        credentials_test(test_parsers__out_of_memory_is_an_error),
        credentials_test(test_parsers__long_texts_are_refused_or_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
