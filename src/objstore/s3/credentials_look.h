/* objstore/s3/credentials_look.h: one look through the chain: what the sources share.
 *
 *   credentials.c           credentials
 *   credentials_chain.c     which ones are current, and when to look again
 *   credentials_sources.c   the table of sources; options and environment
 *   credentials_profile.c   shared files: keys, roles, processes of a profile
 *   credentials_process.c   running a credential_process
 *   credentials_sts.c       roles and web identities, asked of STS
 *   credentials_machine.c   container endpoint and instance metadata
 *   credentials_fetch.c     one small HTTP request to any of these
 *   credentials_parse.c     the documents they answer with (credentials_xml.c: of STS)
 */
#ifndef S3S_OBJSTORE_S3_CREDENTIALS_LOOK_H
#define S3S_OBJSTORE_S3_CREDENTIALS_LOOK_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "base/sync.h"
#include "net/http.h"
#include "objstore/s3/credentials.h"
#include "objstore/s3/credentials_parse.h"

struct s3s_credential_chain {
    s3s_env *env;
    char *access_key_id;
    char *secret;
    char *session_token;
    char *profile;
    char *region;
    char *ca_bundle;
    bool no_verify_tls;
    s3s_environment environment;
    s3s_chain_limits limits;
    _Atomic int64_t clock_offset_us; /* what servers' clocks are ahead of ours */
    s3s_mutex mutex;
    s3s_cond changed;
    struct {
        s3s_credentials *current;
        bool looking;
        uint64_t looks;          /* that have ended */
        int64_t reread_us;       /* monotonic; when files are read again; or NONE */
        int64_t next_look_us;    /* monotonic; usable credentials are not renewed before */
        bool came_expired;       /* by our clock, which may be wrong: the server decides */
        s3store_status outcome;  /* of the last look */
        s3store_error failure;
    } locked;
};

typedef struct s3s_look {
    s3s_credential_chain *chain;
    const s3store_call *call; /* the caller's limits, or NULL */
    s3s_settings settings;
    int64_t deadline_us;      /* monotonic; of all requests of this look */
    s3s_http *http;           /* for STS; through the environment's proxies; made when needed */
    s3s_http *machine_http;   /* for endpoints of the machine; never through a proxy */
    bool profile_missing;     /* a profile was asked for by name, and there is none */
    bool from_files;          /* what was found can change without expiring */
    s3s_credentials *found;
    char why[420];            /* why this source has none */
} s3s_look;

/* One look: *out, and whether it is worth while to read the files again later. err, here and in
 * all that follows, is not NULL. */
s3store_status s3s_look_once(s3s_credential_chain *chain, const s3store_call *call,
                             s3s_credentials **out, bool *from_files, s3store_error *err);

/* The sources. OK with l->found, or OK with l->why; anything else stops the chain. */
s3store_status s3s_look_environment(s3s_look *l, s3store_error *err);
s3store_status s3s_look_profile(s3s_look *l, s3store_error *err);
s3store_status s3s_look_container(s3s_look *l, s3store_error *err);
s3store_status s3s_look_instance(s3s_look *l, s3store_error *err);

/* Whether a failure is the source's, and not the caller's (cancelled, out of time) or this
 * machine's (out of memory). */
bool s3s_look_is_sources_fault(s3store_status status);

/* ---- credentials_sts.c ----------------------------------------------------------------------- */

/* Borrowed texts; NULL = not given, but arn. */
typedef struct s3s_role {
    const char *arn;
    const char *session_name;
    const char *external_id;
    const char *duration; /* seconds */
    const char *profile;  /* for messages; NULL = the environment */
} s3s_role;

s3store_status s3s_sts_assume_role(s3s_look *l, const s3s_role *role, s3s_credentials *base,
                                   s3s_credentials **out, s3store_error *err);
s3store_status s3s_sts_web_identity(s3s_look *l, const s3s_role *role, const char *token_file,
                                    s3s_credentials **out, s3store_error *err);

/* ---- credentials_process.c ------------------------------------------------------------------- */

/* Runs command by /bin/sh, in a process group of its own, with our environment, no input, and
 * nothing on stderr. out: its output, at most out_max bytes. NO_CREDENTIALS: it failed, wrote too
 * much, or took longer than timeout_us. The command is not in the message. */
s3store_status s3s_process_run(s3s_env *env, const s3store_call *call, const char *command,
                               int64_t timeout_us, char *out, size_t out_max, size_t *out_size,
                               s3store_error *err);

/* ---- credentials_fetch.c --------------------------------------------------------------------- */

typedef struct s3s_fetch_url {
    bool tls;
    char host[256];      /* lower case, "[...]" for IPv6 */
    char authority[264]; /* host[:port] */
    char target[1024];   /* path and query; "" when the URL ends before */
} s3s_fetch_url;

/* false: it is not an http or https URL of plain characters without a user name. */
bool s3s_fetch_url_parse(const char *text, s3s_fetch_url *out);

typedef enum s3s_fetch_way {
    S3S_FETCH_STS = 0,
    S3S_FETCH_MACHINE = 1,
} s3s_fetch_way;

/* An answer; its body is overwritten when it is freed. */
typedef struct s3s_fetched {
    int http_status;
    int64_t date_us; /* S3STORE_TIME_NONE = not said */
    s3s_buffer body;
} s3s_fetched;

void s3s_fetched_init(s3s_fetched *f, s3s_env *env);
void s3s_fetched_deinit(s3s_fetched *f);

/* Sends method, url, headers and body of request; OK with any HTTP status. UNAVAILABLE: no answer,
 * or not in time: trying again could help. CORRUPT: more than a document of credentials has.
 * CANCELLED and TIMEOUT are the caller's. */
s3store_status s3s_fetch(s3s_look *l, s3s_fetch_way way, const s3s_http_request *request,
                         s3s_fetched *out, s3store_error *err);

/* A small file with a token, without the blanks and line breaks around it; *out is to be freed with
 * s3s_secret_free. NO_CREDENTIALS: it cannot be read, is empty, too long, or has several lines. */
s3store_status s3s_token_file_read(s3s_env *env, const char *path, char **out,
                                   s3store_error *err);

/* Overwrites and frees a text; NULL allowed. */
void s3s_secret_free(s3s_env *env, char *text);
void s3s_secret_buffer_deinit(s3s_buffer *b);

#endif
