/* What the tests of the credential sources share: a home directory, an environment of their own,
 * and a watch over everything that is logged. All secrets in these tests contain SECRET_WORD.
 */
#ifndef S3S_TESTS_UNIT_NET_TEST_S3_CREDENTIALS_FIXTURE_H
#define S3S_TESTS_UNIT_NET_TEST_S3_CREDENTIALS_FIXTURE_H

#include "support/test.h"

#include "base/env.h"
#include "objstore/s3/credentials.h"
#include "support/http_server.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SECRET_WORD "hidden"
#define NO_OPTIONS ((s3s_chain_options){0})

#define VARIABLES_MAX 24
#define VARIABLE_SIZE 512

typedef struct fixture {
    s3s_env *env;
    char home[64];
    char variables[VARIABLES_MAX][VARIABLE_SIZE]; /* "NAME=value" */
    size_t variable_count;
    s3s_environment environment;
    http_server *server; /* or NULL */
    http_step steps[8];  /* its script, which must live as long as it */
} fixture;

/* HOME is a new directory with .aws, and instance metadata are disabled. */
int fixture_set_up(void **state);
/* Fails on memory that is left, a child that is left, and a secret in a log record. */
int fixture_tear_down(void **state);

/* "NAME=value"; replaces. */
void fixture_set(fixture *f, const char *variable);
/* "NAME" with the address of the server, and a path. */
void fixture_set_url(fixture *f, const char *name, const char *path);
/* The path of a file in the home directory, in a static ring of buffers. */
const char *fixture_path(const fixture *f, const char *name);
void fixture_write(const fixture *f, const char *name, const char *text);
void fixture_serve(fixture *f, const http_step *steps, size_t count);

/* One look by a fresh chain. */
s3store_status fixture_look(fixture *f, s3s_chain_options options, s3s_credentials **out,
                            s3store_error *err);
s3s_credential_chain *fixture_chain(fixture *f, s3s_chain_options options);

/* "2026-03-17T14:00:00Z", so many seconds from now; static ring. */
const char *fixture_time(int64_t seconds_from_now);
/* "Date: ...\r\n", so many seconds from now; static. */
const char *fixture_date_header(int64_t seconds_from_now);
/* What STS answers; static ring. action: "AssumeRole" or "AssumeRoleWithWebIdentity". */
const char *fixture_sts_answer(const char *action, const char *id, int64_t expires_in_s);
/* What the machine's endpoints answer; static ring. */
const char *fixture_machine_answer(const char *id, int64_t expires_in_s);

/* Fails when the text has a part of a secret. */
void fixture_check_secret(const char *text);

#define assert_found(options_, id_, token_, source_)                                               \
    do {                                                                                           \
        s3s_credentials *c_ = NULL;                                                                \
        assert_ok(fixture_look(f, options_, &c_, &err));                                           \
        assert_string_equal(s3s_credentials_access_key_id(c_), id_);                               \
        assert_non_null(s3s_credentials_source(c_));                                               \
        if (strstr(s3s_credentials_source(c_), source_) == NULL)                                   \
            fail_msg("the source \"%s\" does not name \"%s\"", s3s_credentials_source(c_),        \
                     source_);                                                                     \
        const char *wanted_ = (token_);                                                            \
        if (wanted_ == NULL)                                                                       \
            assert_null(s3s_credentials_session_token(c_));                                        \
        else                                                                                       \
            assert_string_equal(s3s_credentials_session_token(c_), wanted_);                       \
        fixture_check_secret(s3s_credentials_source(c_));                                          \
        s3s_credentials_release(c_);                                                               \
    } while (0)

#define assert_refused(options_, text_)                                                            \
    do {                                                                                           \
        s3s_credentials *c_ = NULL;                                                                \
        assert_fails(fixture_look(f, options_, &c_, &err), S3STORE_NO_CREDENTIALS, text_);         \
        assert_null(c_);                                                                           \
        fixture_check_secret(err.message);                                                         \
        fixture_check_secret(err.key);                                                             \
    } while (0)

#define credentials_test(name)                                                                     \
    cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

#endif
