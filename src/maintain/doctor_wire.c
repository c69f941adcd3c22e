/* Whether a body that was changed on its way is noticed; how long requests take. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "maintain/doctor_private.h"

#define SECOND_US INT64_C(1000000)
#define SAMPLES 8
#define LARGE_BYTES (4u * 1024 * 1024)
#define COMMIT_ROUND_TRIPS 4 /* ref, commit, and one more try of it, with its HEAD */

/* ---- checksums ------------------------------------------------------------------------------- */

/* *took: the server stored bytes other than those that were signed. */
static s3store_status send_damaged(s3s_doctor_run *d, const char *name, bool fenced, bool *took,
                                   s3store_error *err)
{
    static const char body[] = "this sentence is changed on its way";
    char key[S3S_KEY_SIZE];
    s3store_object_info info;
    int64_t now_us = s3s_wall_us(d->env) + d->clock_offset_us;
    s3s_doctor_key(d, name, key);
    s3store_put_request put = {.size = sizeof put,
                               .key = key,
                               .body = body,
                               .body_size = sizeof body - 1,
                               .fenced = fenced,
                               .valid_from_us = now_us - 5 * SECOND_US,
                               .expires_at_us = now_us + 60 * SECOND_US};
    s3store_status status = s3s_put_damaged(&d->target->bottom, &d->call, &put, err);
    *took = status == S3STORE_OK;
    /* Whatever a client's error is called, it is a refusal. */
    if (status == S3STORE_OK || err->http_status < 400 || err->http_status >= 500)
        return status;
    status = s3s_head(d->target->store, &d->call, key, &info, err);
    *took = status == S3STORE_OK;
    return status == S3STORE_NOT_FOUND ? S3STORE_OK : status;
}

void s3s_check_checksum(s3s_doctor_run *d, s3s_outcome *o)
{
    s3store_error e = {0};
    bool by_hash = false, by_md5 = false;
    bool tls = s3s_uses_tls(&d->target->bottom);
    if (!d->is_signed) {
        s3s_check_outcome_set(o, S3STORE_CHECK_SKIP,
                        "requests are not signed (--no-sign-request): no checksum goes with a body");
        return;
    }
    s3store_status status = send_damaged(d, "damaged-sha256", false, &by_hash, &e);
    if (status == S3STORE_OK)
        status = send_damaged(d, "damaged-md5", true, &by_md5, &e);
    if (status != S3STORE_OK) {
        s3s_outcome_error(d, o, status, &e, "a body with a wrong checksum");
        return;
    }
    if (!by_hash && !by_md5) {
        s3s_check_outcome_set(o, S3STORE_CHECK_OK,
                        "a body that was changed on its way is refused, by its signed SHA-256 and "
                        "by "
                        "Content-MD5");
        return;
    }
    s3s_check_outcome_set(o, tls ? S3STORE_CHECK_WARN : S3STORE_CHECK_FAIL,
                    "the server stores a body that was changed on its way: it does not look at %s",
                    by_hash && by_md5 ? "the signed SHA-256, nor at Content-MD5"
                    : by_hash         ? "the signed SHA-256"
                                      : "Content-MD5 of requests that expire");
    s3s_outcome_remedy(o, tls ? "TLS protects the way; page checksums find the rest when data are "
                                "read"
                              : "use https; page checksums find the rest when data are read");
}

/* ---- speed ----------------------------------------------------------------------------------- */

static void sort_times(int64_t *times, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && times[j - 1] > times[j]; j--) {
            int64_t t = times[j];
            times[j] = times[j - 1];
            times[j - 1] = t;
        }
}

void s3s_check_latency(s3s_doctor_run *d, s3s_outcome *o)
{
    int64_t heads[SAMPLES], puts[SAMPLES];
    s3store_object_info info;
    for (size_t i = 0; i < SAMPLES; i++) {
        s3store_error e = {0};
        int64_t begun_us = s3s_mono_us(d->env);
        s3store_status status = s3s_doctor_head(d, "probe", &info, &e);
        heads[i] = s3s_mono_us(d->env) - begun_us;
        begun_us = s3s_mono_us(d->env);
        if (status == S3STORE_OK)
            status = s3s_doctor_put(d, "latency", "", false, &e);
        puts[i] = s3s_mono_us(d->env) - begun_us;
        if (status != S3STORE_OK) {
            s3s_outcome_error(d, o, status, &e, "a small request");
            return;
        }
    }
    enum { MIDDLE = SAMPLES / 2, WORST = SAMPLES - 1 };
    sort_times(heads, SAMPLES);
    sort_times(puts, SAMPLES);
    s3s_check_outcome_set(o, S3STORE_CHECK_OK,
                    "HEAD takes %.1f ms (worst of %d: %.1f), PUT of nothing %.1f ms (%.1f)",
                    (double)heads[MIDDLE] / 1e3, SAMPLES, (double)heads[WORST] / 1e3,
                    (double)puts[MIDDLE] / 1e3, (double)puts[WORST] / 1e3);
    if (!d->opened || puts[SAMPLES - 1] * COMMIT_ROUND_TRIPS <= d->commit_timeout_us)
        return;
    o->state = S3STORE_CHECK_WARN;
    s3s_outcome_remedy(o, "a commit takes several of these: with a commit timeout of %g s many "
                          "will "
                          "be late or tried again; give the dataset a longer one at init",
                       (double)d->commit_timeout_us / 1e6);
}

static double rate(int64_t took_us)
{
    return (double)LARGE_BYTES / (double)(took_us > 0 ? took_us : 1);
}

/* Bytes that no proxy compresses. */
static void fill(uint8_t *body, size_t size)
{
    uint64_t x = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        body[i] = (uint8_t)x;
    }
}

void s3s_check_throughput(s3s_doctor_run *d, s3s_outcome *o)
{
    char key[S3S_KEY_SIZE];
    s3s_buffer back;
    s3store_error e = {0};
    s3store_put_reply reply = {0};
    uint8_t *body = s3s_alloc(d->env, LARGE_BYTES);
    if (body == NULL) {
        s3s_outcome_error(d, o, s3s_fail_memory(&e, LARGE_BYTES), &e, "it could not be tried");
        return;
    }
    fill(body, LARGE_BYTES);
    s3s_doctor_key(d, "large", key);
    s3store_put_request put = {
        .size = sizeof put, .key = key, .body = body, .body_size = LARGE_BYTES};
    s3s_buffer_init(&back, d->env, LARGE_BYTES + 1);
    int64_t begun_us = s3s_mono_us(d->env);
    s3store_status status = s3s_put(d->target->store, &d->call, &put, &reply, &e);
    int64_t put_us = s3s_mono_us(d->env);
    if (status == S3STORE_OK)
        status = s3s_get_small(d->target, &d->call, key, LARGE_BYTES + 1, &back, &e);
    int64_t get_us = s3s_mono_us(d->env);
    if (status != S3STORE_OK)
        s3s_outcome_error(d, o, status, &e, "an object of 4 MiB");
    else if (back.size != LARGE_BYTES || memcmp(back.data, body, LARGE_BYTES) != 0)
        s3s_check_outcome_set(o, S3STORE_CHECK_FAIL, "an object of 4 MiB comes back with other bytes");
    else
        s3s_check_outcome_set(o, S3STORE_CHECK_OK, "one PUT of 4 MiB: %.1f MB/s, one GET: %.1f MB/s",
                        rate(put_us - begun_us), rate(get_us - put_us));
    s3s_buffer_deinit(&back);
    s3s_free(d->env, body);
}
