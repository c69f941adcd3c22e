/* dataset/gate.c: the commit gate. */
#include "dataset/gate.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "metrics/metrics.h"

static s3s_slice partition_of(const s3s_listed *l)
{
    return (s3s_slice){l->key + l->partition, l->partition_size};
}

static s3s_slice token_of(const s3s_listed *l)
{
    return (s3s_slice){l->key + l->token, l->token_size};
}

/* The attempt id of a data file follows its token and a dash. */
static const char *attempt_of(const s3s_listed *l)
{
    return l->key + l->token + l->token_size + 1;
}

/* By (partition, token), the marker first, then files by key. The pair is compared as two texts,
 * never joined: "a:b" and "c" are not "a" and "b:c". */
static int compare_pair(const s3s_listed *x, const s3s_listed *y)
{
    int order = s3s_slice_compare(partition_of(x), partition_of(y));

    return order != 0 ? order : s3s_slice_compare(token_of(x), token_of(y));
}

static int compare_items(const void *a, const void *b)
{
    const s3s_listed *x = a, *y = b;
    int order = compare_pair(x, y);

    if (order == 0)
        order = (int)y->is_commit - (int)x->is_commit;
    return order != 0 ? order : strcmp(x->key, y->key);
}

/* Each object once. A marker counts as settled when one of the LISTs that showed it says so: that
 * LIST began after the marker was there, and so it showed every file of the marker's attempts. */
static size_t sort_items(s3s_listed *items, size_t count)
{
    size_t kept = 0;

    if (count > 1)
        qsort(items, count, sizeof *items, compare_items);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(items[kept - 1].key, items[i].key) == 0)
            items[kept - 1].settled |= items[i].settled;
        else
            items[kept++] = items[i];
    }
    return kept;
}

/* ---- one token ------------------------------------------------------------------------------ */

/* The files of one committed (partition, token): items [first, first + count). */
typedef struct doubt {
    size_t first;
    size_t count;
    bool committed;
    char attempt[S3S_ATTEMPT_ID_SIZE + 1];
} doubt;

typedef struct verdicts {
    s3store_target *target;
    const s3store_call *call;
    const s3s_listed *items;
    doubt *doubts;
    size_t count;
} verdicts;

/* Whether the marker and the only file listed leave no doubt which attempt was committed. */
static bool is_certain(const s3s_listed *marker, const s3s_listed *file)
{
    if (marker->settled)
        return true;
    /* An auto token is one write's own: every attempt under it has the same rows. */
    return file->token_size == S3S_ATTEMPT_ID_SIZE &&
           memcmp(file->key + file->token, attempt_of(file), S3S_ATTEMPT_ID_SIZE) == 0;
}

static s3store_status ask(void *ctx, size_t item, s3store_error *err)
{
    verdicts *v = ctx;
    doubt *d = &v->doubts[item];
    const s3s_listed *file = &v->items[d->first];
    char partition[S3S_KEY_SIZE], token[S3S_KEY_SIZE];
    s3s_marker marker;
    s3store_status status;

    memcpy(partition, partition_of(file).data, file->partition_size);
    partition[file->partition_size] = '\0';
    memcpy(token, token_of(file).data, file->token_size);
    token[file->token_size] = '\0';
    s3s_metric(s3s_env_metrics(v->target->env), S3S_METRIC_COMMIT_HEADS,
               (s3s_labels){.method = S3S_METHOD_READ}, 1);
    status = s3s_commit_head(v->target, v->call, partition, token, &marker, NULL, err);
    if (status == S3STORE_NOT_FOUND)
        return S3STORE_OK; /* gone since the LIST: not committed */
    if (status != S3STORE_OK)
        return status;
    d->committed = true;
    memcpy(d->attempt, marker.attempt, sizeof d->attempt);
    return S3STORE_OK;
}

static s3store_status add_file(s3s_file_set_builder *out, const s3s_listed *f, s3store_error *err)
{
    return s3s_file_set_builder_add(out, partition_of(f).data, f->partition_size, f->key,
                                    token_of(f).data, f->token_size, f->size, f->last_modified_us,
                                    err);
}

/* ---- all ------------------------------------------------------------------------------------ */

/* Calls for each group of one (partition, token) that has a marker and files: either adds its only
 * file, or notes the doubt (doubts NULL: only counts it). */
static s3store_status walk_groups(const s3s_listed *items, size_t count, doubt *doubts,
                                  size_t *doubt_count, s3s_file_set_builder *out,
                                  s3store_error *err)
{
    size_t next;

    *doubt_count = 0;
    for (size_t i = 0; i < count; i = next) {
        const s3s_listed *marker = items[i].is_commit ? &items[i] : NULL;
        size_t first = i + (marker != NULL);

        for (next = i + 1; next < count && compare_pair(&items[i], &items[next]) == 0; next++)
            ;
        if (marker == NULL || first == next)
            continue;
        if (next - first == 1 && is_certain(marker, &items[first])) {
            s3store_status status =
                doubts == NULL ? add_file(out, &items[first], err) : S3STORE_OK;
            if (status != S3STORE_OK)
                return status;
            continue;
        }
        if (doubts != NULL)
            doubts[*doubt_count] = (doubt){.first = first, .count = next - first};
        ++*doubt_count;
    }
    return S3STORE_OK;
}

static s3store_status settle_doubts(verdicts *v, s3s_file_set_builder *out, s3store_error *err)
{
    s3s_fan_options options = {.call = v->call};
    s3store_status status = s3s_fan_out(v->target->pool, v->count, ask, v, &options, err);

    for (size_t i = 0; i < v->count && status == S3STORE_OK; i++) {
        const doubt *d = &v->doubts[i];

        for (size_t j = 0; j < d->count && d->committed && status == S3STORE_OK; j++) {
            const s3s_listed *file = &v->items[d->first + j];
            if (memcmp(attempt_of(file), d->attempt, S3S_ATTEMPT_ID_SIZE) == 0)
                status = add_file(out, file, err);
        }
    }
    return status;
}

s3store_status s3s_gate(s3store_target *target, const s3store_call *call, s3s_listed *items,
                        size_t count, s3s_file_set_builder *out, s3store_error *err)
{
    verdicts v = {.target = target, .call = call, .items = items};
    s3store_status status;

    count = sort_items(items, count);
    status = walk_groups(items, count, NULL, &v.count, out, err);
    if (status != S3STORE_OK || v.count == 0)
        return status;
    v.doubts = s3s_calloc(target->env, v.count, sizeof *v.doubts);
    if (v.doubts == NULL)
        return s3s_fail_memory(err, v.count * sizeof *v.doubts);
    status = walk_groups(items, count, v.doubts, &v.count, out, err);
    if (status == S3STORE_OK)
        status = settle_doubts(&v, out, err);
    s3s_free(target->env, v.doubts);
    return status;
}
