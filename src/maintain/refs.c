/* Refs have no directories to divide a LIST by, but their keys begin with a time: after the first
 * page the rest is cut into ranges of time, as many as seem worth it.
 */
#include "maintain/refs.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sync.h"

#define SLICES_MAX 64
#define PAGES_PER_SLICE 4

typedef struct slice {
    struct refs *refs;
    char after[S3S_KEY_SIZE]; /* keys above it */
    char last[S3S_KEY_SIZE];  /* and not above this one; "" = no end */
    bool first_page_only;
    bool truncated;
    char last_seen[S3S_KEY_SIZE];
    int64_t first_micros, last_micros; /* of well-formed refs; first S3STORE_TIME_NONE = none */
    uint64_t lists;
} slice;

typedef struct refs {
    s3store_target *target;
    const s3store_call *call;
    s3s_ref_fn fn;
    void *ctx;
    s3s_mutex mutex; /* around fn */
    slice *slices;
} refs;

typedef struct taking {
    slice *slice;
    s3s_ref ref;
    bool past; /* beyond the slice */
    s3store_status status;
    s3store_error error;
} taking;

static bool take_key(void *ctx, const s3store_list_entry *entry)
{
    taking *t = ctx;
    slice *s = t->slice;
    refs *r = s->refs;
    s3store_error why = {0};
    if (entry->is_prefix)
        return true;
    if (s->last[0] != '\0' && strcmp(entry->key, s->last) > 0) {
        t->past = true;
        return false;
    }
    if (strlen(entry->key) >= sizeof s->last_seen) {
        t->status = s3s_fail_key(&t->error, S3STORE_CORRUPT, entry->key,
                                 "the server lists \"%.200s...\": a key of more than %d bytes",
                                 entry->key, S3STORE_KEY_MAX_BYTES);
        return false;
    }
    if (s->last_seen[0] != '\0' && strcmp(entry->key, s->last_seen) <= 0) {
        t->status = s3s_fail_key(&t->error, S3STORE_CORRUPT, entry->key,
                                 "the server lists \"%.200s\" after \"%.200s\": not in key order",
                                 entry->key, s->last_seen);
        return false;
    }
    memcpy(s->last_seen, entry->key, strlen(entry->key) + 1);
    bool good = s3s_ref_parse(entry->key, &t->ref, &why) == S3STORE_OK;
    if (good && s->first_micros == S3STORE_TIME_NONE)
        s->first_micros = t->ref.micros;
    if (good)
        s->last_micros = t->ref.micros;
    s3s_mutex_lock(&r->mutex);
    t->status = r->fn(r->ctx, good ? &t->ref : NULL, why.message, entry, &t->error);
    s3s_mutex_unlock(&r->mutex);
    return t->status == S3STORE_OK;
}

/* All pages of a slice, or its first one. */
static s3store_status run_slice(slice *s, s3store_error *err)
{
    refs *r = s->refs;
    s3s_env *env = r->target->env;
    char prefix[S3S_KEY_SIZE]; /* it fits: the keys of the configuration are longer */
    snprintf(prefix, sizeof prefix, "%.*s/", (int)(sizeof prefix - 2), r->target->layout.ref_path);
    taking *t = s3s_calloc(env, 1, sizeof *t);
    s3store_list_reply *reply = s3s_calloc(env, 1, sizeof *reply);
    s3store_status status = t != NULL && reply != NULL ? S3STORE_OK : s3s_fail_memory(err, 8192);
    for (bool more = true; status == S3STORE_OK && more;) {
        /* By key, not by continuation: a page begins where the one before ended either way. */
        const char *after = s->last_seen[0] != '\0' ? s->last_seen : s->after;
        s3store_list_request request = {.size = sizeof request,
                                        .prefix = prefix,
                                        .start_after = after[0] != '\0' ? after : NULL};
        t->slice = s;
        s->lists++;
        char before[S3S_KEY_SIZE];
        memcpy(before, s->last_seen, sizeof before);
        status = s3s_list(r->target->store, r->call, &request, take_key, t, reply, err);
        if (status == S3STORE_OK && t->status != S3STORE_OK)
            status = s3s_fail_as(err, t->status, &t->error);
        s->truncated = reply->truncated && !t->past;
        if (status == S3STORE_OK && s->truncated && strcmp(before, s->last_seen) == 0)
            status = s3s_fail_key(err, S3STORE_CORRUPT, prefix,
                                  "the server says that more keys follow \"%.300s\" and lists none",
                                  before);
        more = s->truncated && !s->first_page_only;
    }
    s3s_free(env, reply);
    s3s_free(env, t);
    return status;
}

static s3store_status run_item(void *ctx, size_t item, s3store_error *err)
{
    refs *r = ctx;
    return run_slice(&r->slices[item], err);
}

/* How many slices the rest is worth: the first page shows how much time one covers. */
static size_t count_slices(const slice *first, int64_t now_us, size_t most)
{
    if (first->first_micros == S3STORE_TIME_NONE || now_us <= first->last_micros)
        return 1;
    int64_t page_us = first->last_micros - first->first_micros + 1;
    uint64_t pages = (uint64_t)((now_us - first->last_micros) / page_us);
    uint64_t wanted = pages / PAGES_PER_SLICE + 1;
    if (most > SLICES_MAX)
        most = SLICES_MAX;
    return wanted < most ? (size_t)wanted : most;
}

static s3store_status cut(refs *r, const slice *first, size_t count, int64_t now_us,
                          s3store_error *err)
{
    const s3s_layout *layout = &r->target->layout;
    int64_t from = first->last_micros;
    int64_t step = count > 1 ? (now_us - from) / (int64_t)count : 0;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        slice *s = &r->slices[i];
        *s = (slice){.refs = r, .first_micros = S3STORE_TIME_NONE};
        if (i + 1 < count)
            status = s3s_offset_key(layout, from + step * (int64_t)(i + 1), s->last, err);
        memcpy(s->after, i == 0 ? first->last_seen : r->slices[i - 1].last, sizeof s->after);
    }
    return status;
}

static s3store_status walk_rest(refs *r, const slice *first, size_t most, uint64_t *lists,
                                s3store_error *err)
{
    s3s_env *env = r->target->env;
    int64_t now_us = s3s_wall_us(env) + r->target->max_clock_skew_us;
    size_t count = count_slices(first, now_us, most);
    s3s_fan_options options = {.call = r->call};
    r->slices = s3s_calloc(env, count, sizeof *r->slices);
    if (r->slices == NULL)
        return s3s_fail_memory(err, count * sizeof *r->slices);
    s3store_status status = cut(r, first, count, now_us, err);
    if (status == S3STORE_OK)
        status = s3s_fan_out(r->target->pool, count, run_item, r, &options, err);
    for (size_t i = 0; i < count; i++)
        *lists += r->slices[i].lists;
    s3s_free(env, r->slices);
    return status;
}

s3store_status s3s_refs_walk(s3store_target *target, const s3store_call *call, size_t slices,
                             s3s_ref_fn fn, void *ctx, uint64_t *lists, s3store_error *err)
{
    refs r = {.target = target, .call = call, .fn = fn, .ctx = ctx};
    slice *first = s3s_calloc(target->env, 1, sizeof *first);
    *lists = 0;
    if (first == NULL)
        return s3s_fail_memory(err, sizeof *first);
    s3store_status status = s3s_mutex_init(&r.mutex, target->env, err);
    if (status == S3STORE_OK) {
        *first = (slice){
            .refs = &r, .first_page_only = slices > 1, .first_micros = S3STORE_TIME_NONE};
        status = run_slice(first, err);
        *lists = first->lists;
        if (status == S3STORE_OK && first->truncated)
            status = walk_rest(&r, first, slices, lists, err);
        s3s_mutex_deinit(&r.mutex);
    }
    s3s_free(target->env, first);
    return status;
}
