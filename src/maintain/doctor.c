/* What a store really does. A table of checks, from "does anybody answer" to "how fast"; a check
 * whose needs failed is skipped, and says so. Everything is written below one directory of its own.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/uuid.h"
#include "maintain/doctor_private.h"

typedef struct check {
    const char *name;
    void (*run)(s3s_doctor_run *d, s3s_outcome *o);
    unsigned needs, gives;
} check;

static const check checks[] = {
    {"endpoint", s3s_check_endpoint, 0, S3S_DOCTOR_ANSWER},
    {"credentials", s3s_check_credentials, S3S_DOCTOR_S3, 0},
    {"list", s3s_check_list, S3S_DOCTOR_ANSWER, S3S_DOCTOR_LIST},
    {"dataset", s3s_check_dataset, S3S_DOCTOR_ANSWER, 0},
    {"put", s3s_check_put, S3S_DOCTOR_ANSWER, S3S_DOCTOR_PUT},
    {"get", s3s_check_get, S3S_DOCTOR_PUT, S3S_DOCTOR_GET},
    {"clock", s3s_check_clock, S3S_DOCTOR_ANSWER, 0},
    {"list_after_put", s3s_check_list_after_put, S3S_DOCTOR_PUT | S3S_DOCTOR_LIST, 0},
    {"metadata", s3s_check_metadata, S3S_DOCTOR_PUT | S3S_DOCTOR_GET, 0},
    {"if_none_match", s3s_check_if_none_match, S3S_DOCTOR_PUT | S3S_DOCTOR_GET, 0},
    {"if_none_match_race", s3s_check_race, S3S_DOCTOR_PUT | S3S_DOCTOR_GET, 0},
    {"fence", s3s_check_fence, S3S_DOCTOR_PUT | S3S_DOCTOR_GET, 0},
    {"checksum", s3s_check_checksum, S3S_DOCTOR_S3 | S3S_DOCTOR_PUT | S3S_DOCTOR_GET, 0},
    {"latency", s3s_check_latency, S3S_DOCTOR_PUT | S3S_DOCTOR_GET, 0},
    {"throughput", s3s_check_throughput, S3S_DOCTOR_PUT | S3S_DOCTOR_GET, 0},
    {"cleanup", s3s_check_cleanup, S3S_DOCTOR_PUT, 0},
};
#define CHECK_COUNT (sizeof checks / sizeof checks[0])

const char *s3store_check_state_name(s3store_check_state state)
{
    static const char *const names[] = {"ok", "warn", "fail", "skip"};
    return (size_t)state < sizeof names / sizeof names[0] ? names[state] : "unknown";
}

/* ---- outcomes -------------------------------------------------------------------------------- */

void s3s_check_outcome_set(s3s_outcome *o, s3store_check_state state, const char *format, ...)
{
    va_list args;
    o->state = state;
    va_start(args, format);
    vsnprintf(o->detail, sizeof o->detail, format, args);
    va_end(args);
}

void s3s_outcome_remedy(s3s_outcome *o, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(o->remedy, sizeof o->remedy, format, args);
    va_end(args);
}

static bool must_stop(const s3s_doctor_run *d, s3store_status status)
{
    return status == S3STORE_CANCELLED || status == S3STORE_OUT_OF_MEMORY ||
           (status == S3STORE_TIMEOUT && s3s_call_check(d->env, &d->call, NULL) != S3STORE_OK);
}

void s3s_outcome_error(s3s_doctor_run *d, s3s_outcome *o, s3store_status status,
                       const s3store_error *error, const char *what)
{
    s3s_check_outcome_set(o, S3STORE_CHECK_FAIL, "%s: %s", what, error->message);
    if (must_stop(d, status)) { /* no check follows */
        d->stopped = status;
        d->stop_error = *error;
    }
}

/* ---- requests of the probe ------------------------------------------------------------------- */

void s3s_doctor_key(const s3s_doctor_run *d, const char *name, char out[S3S_KEY_SIZE])
{
    /* prepare() has left room for a name. */
    snprintf(out, S3S_KEY_SIZE, "%.*s%.64s", S3STORE_KEY_MAX_BYTES - 64, d->dir, name);
}

s3store_status s3s_doctor_put(s3s_doctor_run *d, const char *name, const char *body,
                              bool if_none_match, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_put_reply reply = {.date_us = S3STORE_TIME_NONE};
    s3s_doctor_key(d, name, key);
    s3store_put_request put = {.size = sizeof put,
                               .key = key,
                               .body = body,
                               .body_size = strlen(body),
                               .if_none_match = if_none_match};
    return s3s_put(d->target->store, &d->call, &put, &reply, err);
}

s3store_status s3s_doctor_get(s3s_doctor_run *d, const char *name, char *out, size_t size,
                              s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_buffer body;
    s3s_doctor_key(d, name, key);
    s3s_buffer_init(&body, d->env, 1u << 20);
    s3store_status status = s3s_get_small(d->target, &d->call, key, 1u << 20, &body, err);
    out[0] = '\0';
    if (status == S3STORE_OK)
        snprintf(out, size, "%s", (const char *)body.data);
    s3s_buffer_deinit(&body);
    return status;
}

s3store_status s3s_doctor_head(s3s_doctor_run *d, const char *name, s3store_object_info *info,
                               s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3s_doctor_key(d, name, key);
    return s3s_head(d->target->store, &d->call, key, info, err);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void skip(const s3s_doctor_run *d, unsigned needs, s3s_outcome *o)
{
    unsigned missing = needs & ~d->have;
    if (missing & S3S_DOCTOR_S3)
        s3s_check_outcome_set(o, S3STORE_CHECK_SKIP, "only S3 has this");
    else
        s3s_check_outcome_set(o, S3STORE_CHECK_SKIP, "not tried: \"%s\" failed",
                        missing & S3S_DOCTOR_ANSWER ? "endpoint"
                        : missing & S3S_DOCTOR_PUT  ? "put"
                        : missing & S3S_DOCTOR_LIST ? "list"
                                                    : "get");
}

static void tell(s3s_doctor_run *d, const char *name, s3s_outcome *o)
{
    bool bad = o->state == S3STORE_CHECK_WARN || o->state == S3STORE_CHECK_FAIL;
    if (bad && o->remedy[0] == '\0')
        s3s_outcome_remedy(o, "run it again; if it stays, look for this request in the server's "
                              "log");
    s3store_check told = {.name = name,
                          .state = o->state,
                          .detail = o->detail,
                          .remedy = o->remedy[0] != '\0' ? o->remedy : NULL};
    d->report->ok += o->state == S3STORE_CHECK_OK;
    d->report->warn += o->state == S3STORE_CHECK_WARN;
    d->report->fail += o->state == S3STORE_CHECK_FAIL;
    d->report->skip += o->state == S3STORE_CHECK_SKIP;
    if (d->options->check != NULL)
        d->options->check(d->options->check_ctx, &told);
}

static s3store_status run_checks(s3s_doctor_run *d, s3s_outcome *o, s3store_error *err)
{
    for (size_t i = 0; i < CHECK_COUNT && d->stopped == S3STORE_OK; i++) {
        memset(o, 0, sizeof *o);
        if ((checks[i].needs & d->have) != checks[i].needs)
            skip(d, checks[i].needs, o);
        else
            checks[i].run(d, o);
        if (o->state == S3STORE_CHECK_OK || o->state == S3STORE_CHECK_WARN)
            d->have |= checks[i].gives;
        if (d->stopped == S3STORE_OK)
            tell(d, checks[i].name, o);
    }
    if (d->stopped == S3STORE_OK)
        return S3STORE_OK;
    if (d->have & S3S_DOCTOR_PUT) /* interrupted: what was put is removed all the same */
        s3s_check_cleanup(d, o);
    return s3s_fail_as(err, d->stopped, &d->stop_error);
}

static s3store_status prepare(s3s_doctor_run *d, s3store_error *err)
{
    char id[S3S_ATTEMPT_ID_SIZE + 1];
    s3store_status status = s3s_target_unopened(d->env, d->config, &d->target, err);
    if (status != S3STORE_OK)
        return status;
    d->env = d->target->env;
    d->call = s3s_call_make(d->env, d->options->cancel, d->options->timeout_ms);
    d->is_s3 = !d->target->local;
    d->have = d->is_s3 ? S3S_DOCTOR_S3 : 0;
    d->commit_timeout_us = d->is_s3 ? S3STORE_DEFAULT_COMMIT_TIMEOUT_US : 1000000;
    d->max_clock_skew_us = d->is_s3 ? S3STORE_DEFAULT_MAX_CLOCK_SKEW_US : 0;
    status = s3s_attempt_id(d->env, id, err);
    if (status != S3STORE_OK)
        return status;
    const char *prefix = d->target->layout.prefix;
    if (strlen(prefix) > S3STORE_KEY_MAX_BYTES - 128)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, prefix,
                            "the prefix is too long for a dataset");
    snprintf(d->dir, sizeof d->dir, "%.*s/_doctor/%s/", (int)(S3STORE_KEY_MAX_BYTES - 128), prefix,
             id);
    return S3STORE_OK;
}

s3store_status s3s_doctor(s3s_env *env, const s3store_target_config *config,
                          const s3store_doctor_options *options, s3store_doctor_report *report,
                          s3store_error *err)
{
    s3s_doctor_run *d = s3s_calloc(env, 1, sizeof *d);
    s3s_outcome *o = s3s_calloc(env, 1, sizeof *o);
    s3store_status status = S3STORE_OK;
    if (d == NULL || o == NULL)
        status = s3s_fail_memory(err, sizeof *d);
    if (status == S3STORE_OK) {
        *d = (s3s_doctor_run){
            .env = env, .config = config, .options = options, .report = report};
        status = prepare(d, err);
        if (status == S3STORE_OK)
            status = run_checks(d, o, err);
        s3s_target_release(d->target);
    }
    s3s_free(env, o);
    s3s_free(env, d);
    return status;
}
