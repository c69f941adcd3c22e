/* objstore/s3/credentials.h: credentials, and the chain of places where they are looked for.
 *
 * The chain is a table of sources (credentials_sources.c), in the order of the AWS tools. Each one
 * has credentials, has none and says why, or stops the chain: what was configured cannot be used,
 * and going on would sign as somebody else. What is found is kept, and renewed before it expires.
 */
#ifndef S3S_OBJSTORE_S3_CREDENTIALS_H
#define S3S_OBJSTORE_S3_CREDENTIALS_H

#include "objstore/s3/settings.h"
#include "objstore/s3/sign.h"

/* Immutable, counted, from any thread. Overwritten when the last holder lets go. */
typedef struct s3s_credentials s3s_credentials;

/* Text is copied; session_token may be NULL; source says where they are from, for messages.
 * expires_us: wall clock, S3STORE_TIME_NONE = never. NO_CREDENTIALS: a value has characters that no
 * credential has. */
s3store_status s3s_credentials_new(s3s_env *env, const char *access_key_id, const char *secret,
                                   const char *session_token, int64_t expires_us,
                                   const char *source, s3s_credentials **out, s3store_error *err);
s3s_credentials *s3s_credentials_retain(s3s_credentials *credentials);
void s3s_credentials_release(s3s_credentials *credentials); /* NULL allowed */

const char *s3s_credentials_access_key_id(const s3s_credentials *credentials);
const char *s3s_credentials_session_token(const s3s_credentials *credentials); /* or NULL */
const char *s3s_credentials_source(const s3s_credentials *credentials);
int64_t s3s_credentials_expires_us(const s3s_credentials *credentials); /* S3STORE_TIME_NONE */
/* The same texts, source and end. */
bool s3s_credentials_equal(const s3s_credentials *a, const s3s_credentials *b);
/* The signing key of one day, region and service; the last one is kept. Wipe it. */
s3store_status s3s_credentials_signing_key(s3s_credentials *credentials, const char *date,
                                           const char *region, const char *service,
                                           s3s_hmac_key *key, s3store_error *err);

/* How long a look through the chain may take, and how often there is one, in microseconds. 0 =
 * default. */
typedef struct s3s_chain_limits {
    int64_t connect_us; /* of one connection to an endpoint that hands out credentials; 1 s */
    int64_t answer_us;  /* from a request to its answer; 1 s on the machine, 1.5 s for STS */
    int64_t total_us;   /* all requests of one look; 2.5 s */
    int64_t process_us; /* a credential_process, which may ask a person; 60 s */
    int64_t pause_us;   /* between two looks, while there are usable credentials; 20 s */
    int64_t reread_us;  /* after that credentials of files are read again; 5 min */
} s3s_chain_limits;

typedef struct s3s_chain_options {
    const char *access_key_id; /* NULL = not given */
    const char *secret_access_key;
    const char *session_token;
    const char *profile;                /* NULL = not given */
    const s3s_environment *environment; /* NULL = the process's */
    const char *region;    /* for STS; NULL = environment, profile, us-east-1 */
    const char *ca_bundle; /* for STS; NULL = AWS_CA_BUNDLE, the profile's, the system's */
    bool no_verify_tls;
    s3s_chain_limits limits;
} s3s_chain_options;

typedef struct s3s_credential_chain s3s_credential_chain;

/* Asks nobody yet. Text is copied. */
s3store_status s3s_credential_chain_new(s3s_env *env, const s3s_chain_options *options,
                                        s3s_credential_chain **out, s3store_error *err);
void s3s_credential_chain_free(s3s_credential_chain *chain); /* NULL allowed */

/* The current credentials (*out is a counted reference). When there are none, or they expire
 * within five minutes, or they come from a file that was read five minutes ago, one caller looks
 * through the chain. Meanwhile the others use those at hand while these are valid, else wait. A
 * look that fails leaves valid ones in use. NO_CREDENTIALS: the message names the sources and why
 * each of them has none. */
s3store_status s3s_credential_chain_get(s3s_credential_chain *chain, const s3store_call *call,
                                        s3s_credentials **out, s3store_error *err);

/* The server says that these are expired or not valid: the next get looks again. */
void s3s_credential_chain_expire(s3s_credential_chain *chain, const s3s_credentials *credentials);

/* The time to judge expiry by, and to sign for STS with: the wall clock, corrected by what STS has
 * said. */
int64_t s3s_credential_chain_now_us(const s3s_credential_chain *chain);
/* STS refused a signature, and its answer has this Date. true: the clock was corrected, signing
 * again can help. A difference beyond a day is not believed. */
bool s3s_credential_chain_correct_clock(s3s_credential_chain *chain, int64_t server_date_us);

#endif
