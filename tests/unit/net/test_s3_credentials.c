/* The shared files, and the chain of places where credentials are looked for. */
#include "test_s3_credentials_fixture.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- the format ------------------------------------------------------------------------------ */

static s3store_status parse(const char *text, s3s_ini **out, s3store_error *err)
{
    return s3s_ini_parse(NULL, text, strlen(text), "/conf", out, err);
}

static void test_ini__sections_keys_comments_and_nesting(void **state)
{
    (void)state;
    s3store_error err;
    s3s_ini *ini = NULL;
    assert_ok(parse("\xef\xbb\xbf# comment\r\n; another\n\n[default]\r\n"
                    "AWS_Access_Key_ID = AKIA   # trailing\r\n"
                    "secret=a#b;c==\n"
                    "  \n"
                    "[profile  \"a b\"]\n"
                    "region=eu-west-1\n"
                    "s3 =\n"
                    "  addressing_style = path\n"
                    "  # inside\n"
                    "\tmax_queue = 5\n"
                    "endpoint_url = http://x ; note\n"
                    "[default]\n"
                    "secret = later\n"
                    "empty =\n"
                    "long = one\n"
                    "   two = more of it\n",
                    &ini, &err));
    assert_string_equal(s3s_ini_get(ini, "default", "aws_access_key_id"), "AKIA");
    assert_string_equal(s3s_ini_get(ini, "default", "secret"), "later");
    assert_string_equal(s3s_ini_get(ini, "default", "empty"), "");
    assert_string_equal(s3s_ini_get(ini, "default", "long"), "one");
    assert_null(s3s_ini_get(ini, "default", "two"));
    assert_string_equal(s3s_ini_get(ini, "profile a b", "region"), "eu-west-1");
    assert_string_equal(s3s_ini_get(ini, "profile a b", "endpoint_url"), "http://x");
    assert_null(s3s_ini_get(ini, "profile a b", "addressing_style"));
    assert_string_equal(s3s_ini_get_nested(ini, "profile a b", "s3", "addressing_style"), "path");
    assert_string_equal(s3s_ini_get_nested(ini, "profile a b", "S3", "max_queue"), "5");
    assert_true(s3s_ini_has_section(ini, "profile a b"));
    assert_false(s3s_ini_has_section(ini, "a b"));
    s3s_ini_free(ini);
    assert_ok(parse("", &ini, &err));
    assert_null(s3s_ini_get(ini, "default", "x"));
    s3s_ini_free(ini);
    assert_null(s3s_ini_get(NULL, "default", "x"));
}

static void test_ini__values_keep_their_inner_marks(void **state)
{
    (void)state;
    s3store_error err;
    s3s_ini *ini = NULL;
    assert_ok(parse("[default]\nsecret=a#b;c==/+\n   indented = no section below\n", &ini, &err));
    assert_string_equal(s3s_ini_get(ini, "default", "secret"), "a#b;c==/+");
    s3s_ini_free(ini);
}

static void test_ini__bad_lines_are_named_and_not_quoted(void **state)
{
    (void)state;
    s3store_error err;
    s3s_ini *ini = NULL;
    static const struct {
        const char *text;
        const char *names;
    } cases[] = {{"[default]\nhidden-secret\n", "/conf, line 2"},
                 {"hidden-secret = 1\n", "line 1"},
                 {"[default\n", "closing bracket"},
                 {"[default]\n = hidden-secret\n", "without a name"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(parse(cases[i].text, &ini, &err), S3STORE_BAD_CONFIG, cases[i].names);
        assert_null(strstr(err.message, "hidden"));
        assert_null(ini);
    }
    assert_fails(s3s_ini_parse(NULL, "[a]\0b=c", 8, "/conf", &ini, &err), S3STORE_BAD_CONFIG,
                 "text file");
    char *many = malloc(S3S_INI_MAX_BYTES + 2);
    memset(many, '\n', S3S_INI_MAX_BYTES + 2);
    assert_fails(s3s_ini_parse(NULL, many, S3S_INI_MAX_BYTES + 1, "/conf", &ini, &err),
                 S3STORE_BAD_CONFIG, "larger");
    size_t used = (size_t)sprintf(many, "[a]\n");
    for (unsigned i = 0; i <= S3S_INI_MAX_ENTRIES; i++)
        used += (size_t)sprintf(many + used, "k=v\n");
    assert_fails(s3s_ini_parse(NULL, many, used, "/conf", &ini, &err), S3STORE_BAD_CONFIG,
                 "too many");
    free(many);
}

static void test_ini__only_regular_files_are_read(void **state)
{
    (void)state;
    s3store_error err;
    s3s_ini *ini = NULL;
    assert_fails(s3s_ini_load(NULL, "/nonexistent/file", &ini, &err), S3STORE_NOT_FOUND,
                 "/nonexistent/file");
    assert_fails(s3s_ini_load(NULL, "/dev/zero", &ini, &err), S3STORE_BAD_CONFIG, "regular");
    assert_fails(s3s_ini_load(NULL, "/tmp", &ini, &err), S3STORE_BAD_CONFIG, "regular");
}

/* ---- the chain ------------------------------------------------------------------------------- */

static void test_chain__nothing_found_names_every_source(void **state)
{
    fixture *f = *state;
    s3store_error err;
    assert_refused(NO_OPTIONS, "options: not given; environment: AWS_ACCESS_KEY_ID is not set; "
                               "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set; "
                               "shared files: credentials file: there is no ");
    assert_non_null(strstr(err.message, "/.aws/credentials, config file: there is no "));
    assert_non_null(strstr(err.message, "; container: no AWS_CONTAINER_CREDENTIALS_"));
    assert_non_null(strstr(err.message, "; instance metadata: AWS_EC2_METADATA_DISABLED is true"));
    fixture_write(f, ".aws/credentials", "[other]\naws_access_key_id=A\n");
    fixture_write(f, ".aws/config", "[default]\nregion=x\n");
    assert_refused(NO_OPTIONS, "no section [default] in ");
    assert_non_null(strstr(err.message, "no aws_access_key_id in [default] of "));
    f->variable_count = 0;
    fixture_set(f, "AWS_EC2_METADATA_DISABLED=TRUE");
    assert_refused(NO_OPTIONS, "HOME is not set");
}

static void test_chain__order_is_options_environment_files(void **state)
{
    fixture *f = *state;
    s3store_error err;
    fixture_write(f, ".aws/config", "[default]\naws_access_key_id=IDCONF\n"
                                 "aws_secret_access_key=hidden\n");
    assert_found(NO_OPTIONS, "IDCONF", NULL, "/.aws/config");
    fixture_write(f, ".aws/credentials", "[default]\naws_access_key_id=IDCRED\n"
                                      "aws_secret_access_key=hidden\naws_session_token=T1\n");
    assert_found(NO_OPTIONS, "IDCRED", "T1", "[default] of ");
    fixture_set(f, "AWS_ACCESS_KEY_ID=IDENV");
    fixture_set(f, "AWS_SECRET_ACCESS_KEY=hidden");
    assert_found(NO_OPTIONS, "IDENV", NULL, "the environment");
    fixture_set(f, "AWS_SESSION_TOKEN=T2");
    assert_found(NO_OPTIONS, "IDENV", "T2", "the environment");
    s3s_chain_options options = {
        .access_key_id = "IDOPT", .secret_access_key = "hidden", .session_token = "T3"};
    assert_found(options, "IDOPT", "T3", "the options");
}

static void test_chain__a_given_profile_goes_before_the_environment(void **state)
{
    fixture *f = *state;
    s3store_error err;
    fixture_write(f, ".aws/credentials", "[work]\naws_access_key_id=IDWORK\n"
                                      "aws_secret_access_key=hidden\n");
    fixture_set(f, "AWS_PROFILE=work");
    assert_found(NO_OPTIONS, "IDWORK", NULL, "[work]");
    fixture_set(f, "AWS_ACCESS_KEY_ID=IDENV");
    fixture_set(f, "AWS_SECRET_ACCESS_KEY=hidden");
    assert_found(NO_OPTIONS, "IDENV", NULL, "the environment");
    s3s_chain_options profile = {.profile = "work"};
    assert_found(profile, "IDWORK", NULL, "[work]");
    s3s_chain_options missing = {.profile = "absent"};
    assert_refused(missing, "no section [absent] in ");
    assert_non_null(strstr(err.message, "passed over"));
    assert_non_null(strstr(err.message, "not asked, because a profile was named"));
}

static void test_chain__files_may_lie_elsewhere(void **state)
{
    fixture *f = *state;
    s3store_error err;
    char variable[160];
    fixture_write(f, "other", "[profile p]\naws_access_key_id=IDOTHER\n"
                           "aws_secret_access_key=hidden\n");
    snprintf(variable, sizeof variable, "AWS_CONFIG_FILE=~/other");
    fixture_set(f, variable);
    s3s_chain_options options = {.profile = "p"};
    assert_found(options, "IDOTHER", NULL, "/other");
}

static void test_chain__half_credentials_stop_it(void **state)
{
    fixture *f = *state;
    s3store_error err;
    fixture_write(f, ".aws/credentials", "[default]\naws_access_key_id=ID\n");
    assert_refused(NO_OPTIONS, "without aws_secret_access_key");
    fixture_set(f, "AWS_SECRET_ACCESS_KEY=hidden");
    assert_refused(NO_OPTIONS, "AWS_SECRET_ACCESS_KEY without AWS_ACCESS_KEY_ID");
    s3s_chain_options options = {.access_key_id = "ID"};
    assert_refused(options, "without a secret access key");
}

static void test_chain__damaged_credentials_stop_it(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3s_chain_options options = {.access_key_id = "ID", .secret_access_key = "hidden\n"};
    assert_refused(options, "the secret access key from the options has a blank");
    fixture_write(f, ".aws/credentials", "[default]\nhidden\n");
    s3s_credentials *c = NULL;
    assert_fails(fixture_look(f, NO_OPTIONS, &c, &err), S3STORE_BAD_CONFIG, "line 2");
    options.secret_access_key = "good";
    assert_found(options, "ID", NULL, "the options"); /* a broken file does not matter then */
}

static void test_chain__expired_credentials_are_looked_for_again(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3s_credential_chain *chain = NULL;
    s3s_chain_options options = {.environment = &f->environment};
    fixture_write(f, ".aws/credentials", "[default]\naws_access_key_id=ID1\n"
                                      "aws_secret_access_key=hidden\n");
    assert_ok(s3s_credential_chain_new(f->env, &options, &chain, &err));
    s3s_credentials *first = NULL;
    s3s_credentials *again = NULL;
    s3s_credentials *renewed = NULL;
    assert_ok(s3s_credential_chain_get(chain, NULL, &first, &err));
    fixture_write(f, ".aws/credentials", "[default]\naws_access_key_id=ID2\n"
                                      "aws_secret_access_key=hidden\n");
    assert_ok(s3s_credential_chain_get(chain, NULL, &again, &err));
    assert_ptr_equal(first, again);
    s3s_credential_chain_expire(chain, first);
    assert_ok(s3s_credential_chain_get(chain, NULL, &renewed, &err));
    assert_string_equal(s3s_credentials_access_key_id(renewed), "ID2");
    s3s_credential_chain_expire(chain, first); /* an old one: nothing happens */
    s3s_credentials *same = NULL;
    assert_ok(s3s_credential_chain_get(chain, NULL, &same, &err));
    assert_ptr_equal(same, renewed);
    s3s_credentials_release(first);
    s3s_credentials_release(again);
    s3s_credentials_release(renewed);
    s3s_credentials_release(same);
    s3s_credential_chain_free(chain);
}

static void *get_from_thread(void *ctx)
{
    s3s_credentials *c = NULL;
    s3store_error err;
    if (s3s_credential_chain_get(ctx, NULL, &c, &err) != S3STORE_OK)
        return NULL;
    s3s_hmac_key key;
    for (int i = 0; i < 20; i++)
        if (s3s_credentials_signing_key(c, i % 2 == 0 ? "20260101" : "20260102", "r", "s3", &key,
                                        &err) != S3STORE_OK)
            return NULL;
    s3s_credential_chain_expire(ctx, c);
    s3s_credentials_release(c);
    return ctx;
}

static void test_chain__many_threads_share_it(void **state)
{
    fixture *f = *state;
    s3store_error err;
    s3s_credential_chain *chain = NULL;
    s3s_chain_options options = {.environment = &f->environment,
                                 .access_key_id = "ID",
                                 .secret_access_key = "hidden"};
    assert_ok(s3s_credential_chain_new(f->env, &options, &chain, &err));
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_from_thread, chain), 0);
    for (size_t i = 0; i < 8; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        assert_non_null(result);
    }
    s3s_credential_chain_free(chain);
}

static void test_chain__out_of_memory_is_an_error(void **state)
{
    fixture *f = *state;
    s3store_error err;
    fixture_write(f, ".aws/credentials", "[default]\naws_access_key_id=ID\n"
                                      "aws_secret_access_key=hidden\n");
    fixture_write(f, ".aws/config", "[default]\nregion=r\n");
    s3store_status status = S3STORE_OUT_OF_MEMORY;
    uint64_t n = 0;
    for (; n < 1000 && status != S3STORE_OK; n++) {
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
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ini__sections_keys_comments_and_nesting),
        cmocka_unit_test(test_ini__values_keep_their_inner_marks),
        cmocka_unit_test(test_ini__bad_lines_are_named_and_not_quoted),
        cmocka_unit_test(test_ini__only_regular_files_are_read),
        credentials_test(test_chain__nothing_found_names_every_source),
        credentials_test(test_chain__order_is_options_environment_files),
        credentials_test(test_chain__a_given_profile_goes_before_the_environment),
        credentials_test(test_chain__files_may_lie_elsewhere),
        credentials_test(test_chain__half_credentials_stop_it),
        credentials_test(test_chain__damaged_credentials_stop_it),
        credentials_test(test_chain__expired_credentials_are_looked_for_again),
        credentials_test(test_chain__many_threads_share_it),
        credentials_test(test_chain__out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
