/* Who answers, as whom we come, what we may do; and the end, where the probe's objects go. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "maintain/doctor_private.h"

#define CLEANUP_BUDGET_MS 10000

/* ---- endpoint, credentials, list ------------------------------------------------------------- */

static bool take_none(void *ctx, const s3store_list_entry *entry)
{
    (void)ctx;
    (void)entry;
    return false;
}

/* The first request, whose answer several checks read. */
static void ask_first(s3s_doctor_run *d)
{
    char prefix[S3S_KEY_SIZE];
    s3store_list_reply reply;
    snprintf(prefix, sizeof prefix, "%.*s/", (int)(sizeof prefix - 2), d->target->layout.prefix);
    s3store_list_request request = {.size = sizeof request, .prefix = prefix, .max_keys = 1};
    memset(&d->first_error, 0, sizeof d->first_error);
    d->first_status = s3s_list(d->target->store, &d->call, &request, take_none, NULL, &reply,
                               &d->first_error);
    if (d->first_status == S3STORE_OK)
        d->first_error.server_date_us = reply.date_us != S3STORE_TIME_NONE ? reply.date_us : 0;
}

void s3s_check_endpoint(s3s_doctor_run *d, s3s_outcome *o)
{
    ask_first(d);
    const s3store_error *e = &d->first_error;
    if (!d->is_s3 && d->first_status != S3STORE_OK) {
        s3s_outcome_error(d, o, d->first_status, e, "the directory cannot be read");
        s3s_outcome_remedy(o, "correct the URL, or the rights of the directory");
    } else if (!d->is_s3) {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "%s", d->target->url);
    } else if (d->first_status == S3STORE_NO_CREDENTIALS && e->http_status == 0) {
        s3s_check_outcome_set(o, S3STORE_CHECK_SKIP, "no request was sent: there are no credentials");
    } else if (d->first_status != S3STORE_OK && e->http_status == 0) {
        s3s_outcome_error(d, o, d->first_status, e, "no answer");
        s3s_outcome_remedy(o, "check --endpoint-url (AWS_ENDPOINT_URL_S3) and --region, name "
                              "resolution, proxy settings, and for https the authority "
                              "(--ca-bundle)");
    } else if (e->http_status >= 500) {
        s3s_outcome_error(d, o, d->first_status, e, "the server answers, but cannot serve");
        s3s_outcome_remedy(o, "look at the server's own log, and try again");
    } else {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "the server of %s answers", d->target->url);
    }
}

void s3s_check_credentials(s3s_doctor_run *d, s3s_outcome *o)
{
    char source[256];
    s3store_error e = {0};
    s3store_status status =
        s3s_credentials_name(&d->target->bottom, &d->call, source, sizeof source, &e);
    if (status != S3STORE_OK) {
        s3s_outcome_error(d, o, status, &e, "no credentials");
        s3s_outcome_remedy(o, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile "
                              "(--profile), or give --no-sign-request for a public bucket");
    } else if (source[0] == '\0') {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "requests are not signed (--no-sign-request)");
    } else if (d->first_status == S3STORE_NO_CREDENTIALS) {
        s3s_outcome_error(d, o, d->first_status, &d->first_error,
                          "the server does not accept them");
        s3s_outcome_remedy(o, "they come from %s: correct them there, or choose others", source);
    } else {
        d->is_signed = true;
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "they come from %s", source);
    }
}

void s3s_check_list(s3s_doctor_run *d, s3s_outcome *o)
{
    const s3store_error *e = &d->first_error;
    if (d->first_status == S3STORE_OK) {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "objects of %s can be listed", d->target->url);
        return;
    }
    s3s_outcome_error(d, o, d->first_status, e, "LIST is refused");
    if (d->first_status == S3STORE_NOT_FOUND)
        s3s_outcome_remedy(o, "create the bucket \"%s\", or correct the URL or the endpoint",
                           d->target->bucket);
    else if (d->first_status == S3STORE_PERMISSION_DENIED)
        s3s_outcome_remedy(o, "allow s3:ListBucket on the bucket \"%s\" to these credentials",
                           d->target->bucket);
}

/* ---- the dataset ----------------------------------------------------------------------------- */

static void judge_timing(s3s_doctor_run *d, s3s_outcome *o)
{
    const s3store_target *t = d->target;
    double ct = (double)t->commit_timeout_us / 1e6, skew = (double)t->max_clock_skew_us / 1e6;
    s3s_check_outcome_set(o, S3STORE_CHECK_OK, "commit timeout %g s, max clock skew %g s%s", ct, skew,
                    t->has_descriptor ? "" : ", without a description");
    if (d->is_s3 && t->commit_timeout_us < S3STORE_COMMIT_TIMEOUT_ADVISORY_US) {
        s3s_check_outcome_set(o, S3STORE_CHECK_WARN,
                        "the commit timeout of %g s is short for S3: commits that are retried come "
                        "late",
                        ct);
        s3s_outcome_remedy(o, "15s is the usual value; changing it in a dataset that is in use "
                              "changes what readers of the stream have passed");
    }
    if (!s3s_fence_possible(t) && t->fence != S3STORE_FENCE_OFF) {
        s3s_check_outcome_set(o, S3STORE_CHECK_WARN,
                        "a commit timeout of %g s leaves no room for commits to expire: late ones "
                        "are only noticed",
                        ct);
        s3s_outcome_remedy(o, "6s or more would do");
    }
}

void s3s_check_dataset(s3s_doctor_run *d, s3s_outcome *o)
{
    s3store_target *opened = NULL;
    s3store_error e = {0};
    s3store_status status = s3s_target_open(d->env, d->config, &opened, &e);
    if (status == S3STORE_OK) {
        s3s_target_release(d->target);
        d->target = opened;
        d->opened = true;
        d->commit_timeout_us = opened->commit_timeout_us;
        d->max_clock_skew_us = opened->max_clock_skew_us;
        judge_timing(d, o);
        return;
    }
    s3s_outcome_error(d, o, status, &e, "the dataset does not open");
    if (status == S3STORE_NOT_INITIALISED) {
        o->state = S3STORE_CHECK_WARN;
        s3s_outcome_remedy(o, "create it: s3store init %s --partition-by ...", d->target->url);
    } else if (status == S3STORE_PERMISSION_DENIED) {
        s3s_outcome_remedy(o, "allow s3:GetObject on %s/* to these credentials", d->target->url);
    } else {
        s3s_outcome_remedy(o, "correct the configuration object that the message names");
    }
}

/* ---- put, get -------------------------------------------------------------------------------- */

#define PROBE_BODY "s3store doctor"

void s3s_check_put(s3s_doctor_run *d, s3s_outcome *o)
{
    s3store_error e = {0};
    s3store_status status = s3s_doctor_put(d, "probe", PROBE_BODY, false, &e);
    if (status == S3STORE_OK) {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "objects can be put");
        return;
    }
    s3s_outcome_error(d, o, status, &e, "an object cannot be put");
    if (status == S3STORE_PERMISSION_DENIED)
        s3s_outcome_remedy(o, "to write, allow s3:PutObject on %s/* to these credentials; readers "
                              "do without",
                           d->target->url);
}

void s3s_check_get(s3s_doctor_run *d, s3s_outcome *o)
{
    char body[64];
    s3store_object_info info;
    s3store_error e = {0};
    s3store_status status = s3s_doctor_get(d, "probe", body, sizeof body, &e);
    if (status == S3STORE_OK && strcmp(body, PROBE_BODY) != 0) {
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                        "an object that was just put has other bytes when it is read");
        s3s_outcome_remedy(o, "do not use this server, or whatever stands between");
        return;
    }
    if (status == S3STORE_OK)
        status = s3s_doctor_head(d, "probe", &info, &e);
    if (status == S3STORE_OK && info.object_size != strlen(PROBE_BODY)) {
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL, "HEAD says %llu bytes of an object of %zu",
                        (unsigned long long)info.object_size, strlen(PROBE_BODY));
        return;
    }
    if (status == S3STORE_OK) {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "objects can be read, also right after they were put");
        return;
    }
    s3s_outcome_error(d, o, status, &e, "an object that was just put cannot be read");
    if (status == S3STORE_PERMISSION_DENIED)
        s3s_outcome_remedy(o, "allow s3:GetObject on %s/* to these credentials", d->target->url);
}

/* ---- cleanup --------------------------------------------------------------------------------- */

/* Every name that a check may have put: so that it needs no LIST, and takes along what should not
 * have been stored. */
static const char *const names[] = {
    "probe",          "listed-1",    "listed-2", "listed-3", "listed-4", "metadata", "once",
    "race",           "in-time",     "expired",  "latency",  "large",
    "damaged-sha256", "damaged-md5",
};

typedef struct cleanup {
    s3s_doctor_run *d;
    const s3store_call *call;
} cleanup;

static s3store_status remove_one(void *ctx, size_t i, s3store_error *err)
{
    cleanup *c = ctx;
    char key[S3S_KEY_SIZE];
    s3s_doctor_key(c->d, names[i], key);
    return s3s_remove(c->d->target->store, c->call, key, err);
}

void s3s_check_cleanup(s3s_doctor_run *d, s3s_outcome *o)
{
    s3store_call call = s3s_call_make(d->env, NULL, CLEANUP_BUDGET_MS);
    cleanup c = {.d = d, .call = &call};
    s3s_fan_options options = {.keep_going = true, .call = &call};
    s3store_error e = {0};
    s3store_status status = s3s_fan_out(d->target->pool, sizeof names / sizeof names[0],
                                        remove_one, &c, &options, &e);
    if (status == S3STORE_OK) {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "the probe's objects are removed again");
        return;
    }
    s3s_check_outcome_set(o, S3STORE_CHECK_WARN,
                    status == S3STORE_PERMISSION_DENIED
                        ? "these credentials may not delete, which nothing but \"orphans\" needs: "
                          "small objects remain below %s"
                        : "objects remain below %s",
                    d->dir);
    s3s_outcome_remedy(o, "remove them by hand when you like: they are no part of the dataset "
                          "(%.300s)",
                       e.message);
}
