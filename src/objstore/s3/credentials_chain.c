/* The chain: which credentials are current, and when to look for others. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "objstore/s3/credentials_look.h"

#define SECOND_US 1000000LL
#define REFRESH_BEFORE_US (5 * 60 * SECOND_US)
#define REREAD_US (5 * 60 * SECOND_US)
/* Valid credentials that could not be renewed, or came with little time left, are used this long
 * before the next look. */
#define LOOK_PAUSE_US (20 * SECOND_US)
#define CLOCK_NOTICED_US (60 * SECOND_US)
#define CLOCK_BELIEVED_US (24 * 3600 * SECOND_US)

/* ---- making and freeing ---------------------------------------------------------------------- */

static s3store_status copy_text(s3s_env *env, const char *text, char **out, s3store_error *err)
{
    if (text == NULL || text[0] == '\0')
        return S3STORE_OK;
    *out = s3s_strdup(env, text);
    return *out == NULL ? s3s_fail_memory(err, strlen(text)) : S3STORE_OK;
}

static void free_chain(s3s_credential_chain *chain)
{
    s3s_env *env = chain->env;
    s3s_secret_free(env, chain->access_key_id);
    s3s_secret_free(env, chain->secret);
    s3s_secret_free(env, chain->session_token);
    s3s_free(env, chain->profile);
    s3s_free(env, chain->region);
    s3s_free(env, chain->ca_bundle);
    s3s_free(env, chain);
}

static s3store_status fill_chain(s3s_credential_chain *chain, const s3s_chain_options *options,
                                 s3store_error *err)
{
    const struct {
        const char *from;
        char **to;
    } texts[] = {
        {options->access_key_id, &chain->access_key_id},
        {options->secret_access_key, &chain->secret},
        {options->session_token, &chain->session_token},
        {options->profile, &chain->profile},
        {options->region, &chain->region},
        {options->ca_bundle, &chain->ca_bundle},
    };
    chain->no_verify_tls = options->no_verify_tls;
    chain->limits = options->limits;
    if (chain->limits.pause_us <= 0)
        chain->limits.pause_us = LOOK_PAUSE_US;
    if (chain->limits.reread_us <= 0)
        chain->limits.reread_us = REREAD_US;
    if (options->environment != NULL)
        chain->environment = *options->environment;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && status == S3STORE_OK; i++)
        status = copy_text(chain->env, texts[i].from, texts[i].to, err);
    return status;
}

s3store_status s3s_credential_chain_new(s3s_env *env, const s3s_chain_options *options,
                                        s3s_credential_chain **out, s3store_error *err)
{
    *out = NULL;
    s3s_credential_chain *chain = s3s_calloc(env, 1, sizeof *chain);
    if (chain == NULL)
        return s3s_fail_memory(err, sizeof *chain);
    chain->env = env;
    chain->locked.reread_us = S3STORE_TIME_NONE;
    chain->locked.next_look_us = S3STORE_TIME_NONE;
    atomic_init(&chain->clock_offset_us, 0);
    s3store_status status = fill_chain(chain, options, err);
    if (status == S3STORE_OK)
        status = s3s_mutex_init(&chain->mutex, env, err);
    if (status == S3STORE_OK) {
        status = s3s_cond_init(&chain->changed, env, err);
        if (status != S3STORE_OK)
            s3s_mutex_deinit(&chain->mutex);
    }
    if (status != S3STORE_OK) {
        free_chain(chain);
        return status;
    }
    *out = chain;
    return S3STORE_OK;
}

void s3s_credential_chain_free(s3s_credential_chain *chain)
{
    if (chain == NULL)
        return;
    s3s_credentials_release(chain->locked.current);
    s3s_cond_deinit(&chain->changed);
    s3s_mutex_deinit(&chain->mutex);
    free_chain(chain);
}

/* ---- the clock ------------------------------------------------------------------------------- */

int64_t s3s_credential_chain_now_us(const s3s_credential_chain *chain)
{
    return s3s_wall_us(chain->env) +
           atomic_load_explicit(&chain->clock_offset_us, memory_order_relaxed);
}

bool s3s_credential_chain_correct_clock(s3s_credential_chain *chain, int64_t server_date_us)
{
    if (server_date_us == S3STORE_TIME_NONE)
        return false;
    int64_t offset_us = server_date_us - s3s_wall_us(chain->env);
    int64_t change_us =
        offset_us - atomic_load_explicit(&chain->clock_offset_us, memory_order_relaxed);
    bool helps = change_us > CLOCK_NOTICED_US || change_us < -CLOCK_NOTICED_US;
    if (!helps || offset_us > CLOCK_BELIEVED_US || offset_us < -CLOCK_BELIEVED_US)
        return false;
    atomic_store_explicit(&chain->clock_offset_us, offset_us, memory_order_relaxed);
    char seconds[32];
    snprintf(seconds, sizeof seconds, "%lld", (long long)(offset_us / SECOND_US));
    s3s_log(chain->env, S3STORE_LOG_WARN,
            "this machine's clock differs from that of STS: requests to it are signed by its time",
            "server_is_ahead_by_seconds", seconds, NULL);
    return true;
}

/* ---- which are current ----------------------------------------------------------------------- */

static bool is_valid(const s3s_credential_chain *chain, int64_t for_us)
{
    const s3s_credentials *c = chain->locked.current;
    if (c == NULL)
        return false;
    int64_t expires_us = s3s_credentials_expires_us(c);
    return expires_us == S3STORE_TIME_NONE ||
           s3s_credential_chain_now_us(chain) < expires_us - for_us;
}

static bool is_pausing(const s3s_credential_chain *chain)
{
    return chain->locked.next_look_us != S3STORE_TIME_NONE &&
           s3s_mono_us(chain->env) < chain->locked.next_look_us;
}

static bool is_usable(const s3s_credential_chain *chain)
{
    return is_valid(chain, 0) ||
           (chain->locked.current != NULL && chain->locked.came_expired && is_pausing(chain));
}

/* Whether the current ones are to be renewed, though usable. */
static bool is_due(const s3s_credential_chain *chain)
{
    bool due = !is_valid(chain, REFRESH_BEFORE_US) ||
               (chain->locked.reread_us != S3STORE_TIME_NONE &&
                s3s_mono_us(chain->env) >= chain->locked.reread_us);
    return due && !is_pausing(chain);
}

/* A look that ended while this caller waited has failed for all that waited; but not when it was
 * its own caller who ended it. */
static bool has_failed_for_all(const s3s_credential_chain *chain, uint64_t looks_before)
{
    s3store_status outcome = chain->locked.outcome;
    return chain->locked.looks != looks_before && outcome != S3STORE_OK &&
           outcome != S3STORE_CANCELLED && outcome != S3STORE_TIMEOUT;
}

/* With the mutex held: OK with *out, or OK and it is this caller's turn to look. */
static s3store_status wait_for_turn(s3s_credential_chain *chain, const s3store_call *call,
                                    s3s_credentials **out, s3store_error *err)
{
    int64_t deadline = call != NULL ? call->deadline_us : S3STORE_TIME_NONE;
    s3store_cancel *cancel = call != NULL ? call->cancel : NULL;
    uint64_t looks_before = chain->locked.looks;
    for (;;) {
        if (is_usable(chain) && (chain->locked.looking || !is_due(chain))) {
            *out = s3s_credentials_retain(chain->locked.current);
            return S3STORE_OK;
        }
        if (has_failed_for_all(chain, looks_before)) {
            if (err != NULL)
                *err = chain->locked.failure;
            return chain->locked.outcome;
        }
        if (!chain->locked.looking) {
            chain->locked.looking = true;
            return S3STORE_OK;
        }
        s3store_status status =
            s3s_cond_wait(&chain->changed, &chain->mutex, deadline, cancel);
        if (status != S3STORE_OK)
            return s3s_fail(err, status, "%s while waiting for credentials",
                            status == S3STORE_CANCELLED ? "cancelled" : "out of time");
    }
}

/* With the mutex held. found is taken. Returns what is to be released after it. */
static s3s_credentials *keep(s3s_credential_chain *chain, s3s_credentials *found, bool from_files)
{
    int64_t now_us = s3s_mono_us(chain->env);
    s3s_credentials *old = chain->locked.current;
    bool is_reread = old != NULL && chain->locked.reread_us != S3STORE_TIME_NONE;
    chain->locked.next_look_us = now_us + chain->limits.pause_us;
    if (is_reread && strcmp(s3s_credentials_source(old), s3s_credentials_source(found)) != 0) {
        /* Half of a file that is being written must not make us somebody else. */
        chain->locked.reread_us = now_us + chain->limits.reread_us;
        return found;
    }
    chain->locked.reread_us = from_files ? now_us + chain->limits.reread_us : S3STORE_TIME_NONE;
    if (old != NULL && s3s_credentials_equal(old, found))
        return found; /* the old one has its signing key */
    chain->locked.current = found;
    chain->locked.came_expired = !is_valid(chain, 0);
    return old;
}

/* With the mutex held: what a look has found, or that it failed. */
static s3store_status end_look(s3s_credential_chain *chain, s3store_status status,
                               const s3store_error *why, s3s_credentials **out,
                               s3store_error *err)
{
    chain->locked.looking = false;
    chain->locked.looks++;
    chain->locked.outcome = status;
    if (status != S3STORE_OK)
        chain->locked.failure = *why;
    s3s_cond_broadcast(&chain->changed);
    if (status != S3STORE_OK && is_valid(chain, 0)) {
        chain->locked.next_look_us = s3s_mono_us(chain->env) + chain->limits.pause_us;
        status = S3STORE_OK;
    }
    if (status == S3STORE_OK)
        *out = s3s_credentials_retain(chain->locked.current);
    else if (err != NULL)
        *err = *why;
    return status;
}

s3store_status s3s_credential_chain_get(s3s_credential_chain *chain, const s3store_call *call,
                                        s3s_credentials **out, s3store_error *err)
{
    *out = NULL;
    s3s_mutex_lock(&chain->mutex);
    s3store_status status = wait_for_turn(chain, call, out, err);
    s3s_mutex_unlock(&chain->mutex);
    if (status != S3STORE_OK || *out != NULL)
        return status;

    s3s_credentials *found = NULL;
    bool from_files = false;
    s3store_error why = {0};
    s3store_status looked = s3s_look_once(chain, call, &found, &from_files, &why);

    s3s_mutex_lock(&chain->mutex);
    s3s_credentials *left_over = looked == S3STORE_OK ? keep(chain, found, from_files) : NULL;
    status = end_look(chain, looked, &why, out, err);
    s3s_mutex_unlock(&chain->mutex);
    s3s_credentials_release(left_over);
    if (looked != S3STORE_OK && status == S3STORE_OK)
        s3s_log(chain->env, S3STORE_LOG_WARN,
                "credentials could not be renewed: those at hand are used until they expire",
                "why", why.message, NULL);
    return status;
}

void s3s_credential_chain_expire(s3s_credential_chain *chain, const s3s_credentials *credentials)
{
    s3s_credentials *old = NULL;
    s3s_mutex_lock(&chain->mutex);
    if (chain->locked.current == credentials) {
        old = chain->locked.current;
        chain->locked.current = NULL;
    }
    s3s_mutex_unlock(&chain->mutex);
    s3s_credentials_release(old);
}
