/* Whether the store does what the format relies on: one clock, LIST after PUT, metadata,
 * conditions, the end of a request's validity. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "maintain/doctor_private.h"

#define SECOND_US INT64_C(1000000)
#define RACERS 8
#define LISTED 4

/* ---- clock ----------------------------------------------------------------------------------- */

void s3s_check_clock(s3s_doctor_run *d, s3s_outcome *o)
{
    int64_t granularity_us = d->is_s3 ? SECOND_US : 0;
    int64_t before_us = s3s_wall_us(d->env);
    s3store_object_info info = {.date_us = S3STORE_TIME_NONE};
    s3store_error e = {0};
    s3store_status status = s3s_doctor_head(d, "no-such-object", &info, &e);
    int64_t after_us = s3s_wall_us(d->env);
    int64_t date_us = info.date_us;
    if (status != S3STORE_OK)
        date_us = e.server_date_us;
    if (date_us <= 0) { /* not said */
        if (!d->is_s3) {
            s3s_check_outcome_set(o, S3STORE_CHECK_OK, "it is this machine's");
            return;
        }
        s3s_check_outcome_set(o, S3STORE_CHECK_WARN, "the server's answers have no Date");
        s3s_outcome_remedy(o, "compare its clock with this machine's by hand: max-clock-skew is "
                              "%.3f s",
                           (double)d->max_clock_skew_us / 1e6);
        return;
    }
    /* The date was made somewhere between, and is cut to whole seconds. */
    int64_t low_us = date_us - after_us, high_us = date_us + granularity_us - before_us;
    int64_t off_us = low_us > 0 ? low_us : high_us < 0 ? high_us : 0;
    /* The server's clock from below: what has expired by it has expired. */
    d->clock_offset_us = date_us - after_us;
    int64_t apart_us = off_us < 0 ? -off_us : off_us;
    if (apart_us <= d->max_clock_skew_us) {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK,
                        "the server's clock and this machine's agree within %.3f s%s",
                        (double)d->max_clock_skew_us / 1e6,
                        d->is_s3 ? " (as far as whole seconds tell)" : "");
        return;
    }
    s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                    "the server's clock is %.1f s %s this machine's; the dataset allows for %.3f s",
                    (double)apart_us / 1e6, off_us > 0 ? "ahead of" : "behind",
                    (double)d->max_clock_skew_us / 1e6);
    s3s_outcome_remedy(o, "set this machine's clock by NTP (or the server's): readers of the "
                          "stream "
                          "can miss what writers with a wrong clock commit");
}

/* ---- LIST ------------------------------------------------------------------------------------ */

static bool count_listed(void *ctx, const s3store_list_entry *entry)
{
    (void)entry;
    *(size_t *)ctx += 1;
    return true;
}

void s3s_check_list_after_put(s3s_doctor_run *d, s3s_outcome *o)
{
    char prefix[S3S_KEY_SIZE];
    s3s_doctor_key(d, "listed-", prefix);
    for (size_t i = 1; i <= LISTED; i++) {
        char name[32];
        size_t count = 0;
        s3store_error e = {0};
        snprintf(name, sizeof name, "listed-%zu", i);
        s3store_status status = s3s_doctor_put(d, name, "x", false, &e);
        if (status == S3STORE_OK)
            status = s3s_list_all(d->target->store, &d->call, prefix, NULL, 0, count_listed,
                                  &count, NULL, &e);
        if (status != S3STORE_OK) {
            s3s_outcome_error(d, o, status, &e, "it could not be tried");
            return;
        }
        if (count < i) {
            s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                            "LIST shows %zu of %zu objects right after they were put: readers "
                            "would "
                            "miss rows that are committed",
                            count, i);
            s3s_outcome_remedy(o, "give a stronger consistency level (--consistency "
                                  "strong-global), or use another server");
            return;
        }
    }
    s3s_check_outcome_set(o, S3STORE_CHECK_OK, "LIST shows objects right after they were put");
}

/* ---- metadata -------------------------------------------------------------------------------- */

void s3s_check_metadata(s3s_doctor_run *d, s3s_outcome *o)
{
    static const s3store_metadata_entry sent[] = {
        {"attemptid", "0190a8b4d3a87f4ab1c2d3e4f5a6b7c8"},
        {"refmicrots", "1710684000123456"},
        {"insertedat", "-1"},
        {"rowcount", "9223372036854775807"},
        {"contenthash", "00ff00ff00ff00ff"},
    };
    enum { COUNT = sizeof sent / sizeof sent[0] };
    char key[S3S_KEY_SIZE];
    s3store_put_reply reply = {0};
    s3store_object_info info;
    s3store_error e = {0};
    s3s_doctor_key(d, "metadata", key);
    s3store_put_request put = {
        .size = sizeof put, .key = key, .metadata = sent, .metadata_count = COUNT};
    s3store_status status = s3s_put(d->target->store, &d->call, &put, &reply, &e);
    if (status == S3STORE_OK)
        status = s3s_head(d->target->store, &d->call, key, &info, &e);
    if (status != S3STORE_OK) {
        s3s_outcome_error(d, o, status, &e, "an object with user metadata cannot be put and asked");
        return;
    }
    for (size_t i = 0; i < COUNT; i++) {
        const char *value = s3store_metadata_get(&info.metadata, sent[i].name);
        if (value != NULL && strcmp(value, sent[i].value) == 0)
            continue;
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                        "user metadata is lost: \"%s\" was put as \"%s\" and comes back as %s%s%s",
                        sent[i].name, sent[i].value, value != NULL ? "\"" : "",
                        value != NULL ? value : "nothing", value != NULL ? "\"" : "");
        s3s_outcome_remedy(o, "commit markers live in user metadata: do not use this server, or "
                              "whatever stands between");
        return;
    }
    s3s_check_outcome_set(o, S3STORE_CHECK_OK, "user metadata comes back as it was put");
}

/* ---- conditions ------------------------------------------------------------------------------ */

static void remedy_unconditional(s3s_outcome *o)
{
    s3s_outcome_remedy(o, "give each writer tokens of its own: two writers of one token are not "
                          "told apart here, and a write with a token waits for the commit timeout "
                          "first");
}

void s3s_check_if_none_match(s3s_doctor_run *d, s3s_outcome *o)
{
    char body[16];
    s3store_error e = {0};
    s3store_status status = s3s_doctor_put(d, "once", "first", true, &e);
    if (status != S3STORE_OK) {
        s3s_outcome_error(d, o, status, &e, "a conditional PUT of a new object is refused");
        remedy_unconditional(o);
        return;
    }
    status = s3s_doctor_put(d, "once", "second", true, &e);
    if (status == S3STORE_OK) {
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                        "the server ignores If-None-Match: a PUT of an object that exists answers "
                        "200 instead of 412");
        remedy_unconditional(o);
        return;
    }
    if (status != S3STORE_ALREADY_EXISTS) {
        s3s_outcome_error(d, o, status, &e, "a conditional PUT of an object that exists");
        remedy_unconditional(o);
        return;
    }
    status = s3s_doctor_get(d, "once", body, sizeof body, &e);
    if (status != S3STORE_OK || strcmp(body, "first") != 0) {
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                        "the server answers 412 to a conditional PUT, and changes the object");
        remedy_unconditional(o);
        return;
    }
    s3s_check_outcome_set(o, S3STORE_CHECK_OK,
                    "If-None-Match is honoured: 200 for a new object, 412 for one that exists");
}

typedef struct racers {
    s3s_doctor_run *d;
    s3store_status status[RACERS];
    s3store_error error[RACERS];
} racers;

static s3store_status run_racer(void *ctx, size_t i, s3store_error *err)
{
    racers *r = ctx;
    char body[16];
    (void)err;
    snprintf(body, sizeof body, "racer %zu", i);
    r->status[i] = s3s_doctor_put(r->d, "race", body, true, &r->error[i]);
    return S3STORE_OK;
}

static void judge_race(s3s_doctor_run *d, const racers *r, s3s_outcome *o)
{
    size_t won = 0, winner = 0, failed = RACERS;
    char body[32], wanted[32];
    s3store_error e = {0};
    for (size_t i = 0; i < RACERS; i++) {
        if (r->status[i] == S3STORE_OK) {
            won++;
            winner = i;
        } else if (r->status[i] != S3STORE_ALREADY_EXISTS && r->status[i] != S3STORE_CONFLICT &&
                   r->status[i] != S3STORE_UNCERTAIN) {
            failed = i;
        }
    }
    if (won > 1) {
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                        "of %d conditional PUTs of one new object at once %zu succeeded: the "
                        "server "
                        "looks and stores in two steps",
                        RACERS, won);
        remedy_unconditional(o);
        return;
    }
    if (failed < RACERS) {
        s3s_outcome_error(d, o, r->status[failed], &r->error[failed],
                          "a conditional PUT among others");
        return;
    }
    s3store_status status = s3s_doctor_get(d, "race", body, sizeof body, &e);
    snprintf(wanted, sizeof wanted, "racer %zu", winner);
    if (status != S3STORE_OK || (won == 1 && strcmp(body, wanted) != 0)) {
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                        "of %d conditional PUTs at once, the object is not the one that was "
                        "answered with success",
                        RACERS);
        remedy_unconditional(o);
        return;
    }
    s3s_check_outcome_set(o, won == 1 ? S3STORE_CHECK_OK : S3STORE_CHECK_WARN,
                    won == 1 ? "of %d conditional PUTs of one new object at once exactly one won"
                             : "of %d conditional PUTs at once none was told that it won: answers "
                               "got lost",
                    RACERS);
}

void s3s_check_race(s3s_doctor_run *d, s3s_outcome *o)
{
    racers *r = s3s_calloc(d->env, 1, sizeof *r);
    s3s_fan_options options = {.limit = RACERS, .keep_going = true, .call = &d->call};
    s3store_error e = {0};
    if (r == NULL) {
        s3s_outcome_error(d, o, s3s_fail_memory(&e, sizeof *r), &e, "it could not be tried");
        return;
    }
    r->d = d;
    for (size_t i = 0; i < RACERS; i++)
        r->status[i] = S3STORE_CANCELLED;
    s3store_status status = s3s_fan_out(d->target->pool, RACERS, run_racer, r, &options, &e);
    if (status != S3STORE_OK)
        s3s_outcome_error(d, o, status, &e, "it could not be tried");
    else
        judge_race(d, r, o);
    s3s_free(d->env, r);
}

/* ---- the fence ------------------------------------------------------------------------------- */

static s3store_status put_until(s3s_doctor_run *d, const char *name, int64_t from_us,
                                int64_t until_us, s3store_error *err)
{
    char key[S3S_KEY_SIZE];
    s3store_put_reply reply = {0};
    int64_t now_us = s3s_wall_us(d->env) + d->clock_offset_us;
    s3s_doctor_key(d, name, key);
    s3store_put_request put = {.size = sizeof put,
                               .key = key,
                               .body = "x",
                               .body_size = 1,
                               .fenced = true,
                               .valid_from_us = now_us + from_us,
                               .expires_at_us = now_us + until_us};
    if (d->is_s3) {
        put.valid_from_us -= put.valid_from_us % SECOND_US;
        put.expires_at_us -= put.expires_at_us % SECOND_US;
    }
    return s3s_put(d->target->store, &d->call, &put, &reply, err);
}

/* Not refused for good: it may have been something else. */
static bool says_nothing(s3store_status status)
{
    return status == S3STORE_UNAVAILABLE || status == S3STORE_UNCERTAIN ||
           status == S3STORE_TIMEOUT || status == S3STORE_CANCELLED ||
           status == S3STORE_OUT_OF_MEMORY;
}

static void judge_expired(s3s_doctor_run *d, s3s_outcome *o)
{
    s3store_object_info info;
    s3store_error e = {0};
    int64_t since_us = d->is_s3 ? 3 * SECOND_US : 1;
    s3store_status status = put_until(d, "expired", -120 * SECOND_US, -since_us, &e);
    bool accepted = status == S3STORE_OK;
    if (!accepted && says_nothing(status)) {
        s3s_outcome_error(d, o, status, &e, "a request that has expired");
        return;
    }
    status = s3s_doctor_head(d, "expired", &info, &e);
    if (accepted || status == S3STORE_OK) {
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL,
                        accepted ? "the server accepts requests after their end of validity: a "
                                   "commit that was held up can appear behind the readers of the "
                                   "stream"
                                 : "the server refuses a request that has expired, and stores its "
                                   "object all the same");
        s3s_outcome_remedy(o, "write with --fence off, so that nobody relies on it, run \"verify\" "
                              "from time to time (it finds late commits), and keep \"orphans\" at "
                              "7 days");
        return;
    }
    if (status != S3STORE_NOT_FOUND) {
        s3s_outcome_error(d, o, status, &e, "whether a refused object was stored");
        return;
    }
    s3s_check_outcome_set(o, S3STORE_CHECK_OK,
                    "requests that expire are accepted in time, and refused afterwards without a "
                    "trace");
}

void s3s_check_fence(s3s_doctor_run *d, s3s_outcome *o)
{
    s3store_error e = {0};
    s3store_status status = put_until(d, "in-time", -5 * SECOND_US, 60 * SECOND_US, &e);
    if (status == S3STORE_OK) {
        judge_expired(d, o);
        return;
    }
    s3s_outcome_error(d, o, status, &e, "a request that expires in a minute");
    if (says_nothing(status))
        return;
    s3s_check_outcome_set(o, S3STORE_CHECK_WARN,
                    "the server refuses requests that expire, so commits do not expire here, and a "
                    "late one is only noticed: %.600s",
                    e.message);
    s3s_outcome_remedy(o, "run \"verify\" from time to time (it finds late commits), and keep "
                          "\"orphans\" at 7 days");
}
