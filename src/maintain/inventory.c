/* Objects of one token lie close together in a LIST, but not side by side: between
 * "a-<id>.parquet" and "a.commit" come all objects of the tokens "a-b" and "a.b". In byte order
 * everything between a data object of a token and its marker begins with the same partition and
 * token, so the tokens that are still open are a chain of prefixes of the key at hand: a stack,
 * whose depth is bounded by the length of a key.
 */
#include "maintain/inventory.h"

#include <string.h>

#include "base/error.h"

/* An open token. */
typedef struct level {
    char *path; /* "<data path>/<partition>/<token>" */
    size_t path_size, path_capacity;
    size_t partition_size; /* of the partition in it */
    s3s_attempt *attempts;
    size_t count, capacity;
} level;

typedef struct inventory {
    s3store_target *target;
    const s3s_patterns *patterns;
    size_t pattern; /* under way */
    s3s_token_fn fn;
    void *ctx;
    s3s_inventory_counts *counts;
    level *levels; /* count are open, the others keep their memory */
    size_t count, capacity;
} inventory;

static void *resize(s3s_env *env, void *p, size_t *capacity, size_t wanted, size_t item)
{
    size_t more = *capacity < 8 ? 8 : *capacity * 2;
    if (more < wanted)
        more = wanted;
    void *q = s3s_realloc(env, p, more * item);
    if (q != NULL)
        *capacity = more;
    return q;
}

/* ---- telling --------------------------------------------------------------------------------- */

/* The top level is complete. marker: its marker, NULL = none was listed. */
static s3store_status close_top(inventory *v, const s3store_list_entry *marker,
                                s3store_error *err)
{
    const level *l = &v->levels[--v->count];
    size_t skip = strlen(v->target->layout.data_path) + 1;
    char partition[S3S_KEY_SIZE];
    memcpy(partition, l->path + skip, l->partition_size);
    partition[l->partition_size] = '\0';
    s3s_token token = {.partition = partition,
                       .token = l->path + skip + l->partition_size + 1,
                       .committed = marker != NULL,
                       .marker_modified_us =
                           marker != NULL ? marker->last_modified_us : S3STORE_TIME_NONE,
                       .attempts = l->attempts,
                       .attempt_count = l->count};
    return v->fn(v->ctx, &token, err);
}

/* Whether LIST has passed the marker that the level waits for. */
static bool is_passed(const level *l, const char *key)
{
    /* The walk gives keys in order: one that does not begin so comes behind all that do. */
    return strncmp(key, l->path, l->path_size) != 0 || strcmp(key + l->path_size, ".commit") > 0;
}

static s3store_status close_passed(inventory *v, const char *key, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    while (status == S3STORE_OK && v->count > 0 &&
           (key == NULL || is_passed(&v->levels[v->count - 1], key)))
        status = close_top(v, NULL, err);
    return status;
}

/* ---- taking ---------------------------------------------------------------------------------- */

/* The level of a token: the top one, or a new one on it. What is open begins the key. */
static s3store_status open_level(inventory *v, const s3s_data_name *name, const char *key,
                                 level **out, s3store_error *err)
{
    s3s_env *env = v->target->env;
    size_t size = (size_t)(name->token.data - key) + name->token.size;
    level *l = v->count > 0 ? &v->levels[v->count - 1] : NULL;
    *out = l;
    if (l != NULL && l->path_size == size)
        return S3STORE_OK;
    if (v->levels == NULL || v->count == v->capacity) {
        size_t before = v->capacity;
        level *levels = resize(env, v->levels, &v->capacity, v->count + 1, sizeof *levels);
        if (levels == NULL)
            return s3s_fail_memory(err, sizeof *levels);
        memset(levels + before, 0, (v->capacity - before) * sizeof *levels);
        v->levels = levels;
    }
    l = &v->levels[v->count];
    if (l->path_capacity < size + 1) {
        char *path = resize(env, l->path, &l->path_capacity, size + 1, 1);
        if (path == NULL)
            return s3s_fail_memory(err, size + 1);
        l->path = path;
    }
    memcpy(l->path, key, size);
    l->path[size] = '\0';
    l->path_size = size;
    l->partition_size = name->partition.size;
    l->count = 0;
    v->count++;
    *out = l;
    return S3STORE_OK;
}

static s3store_status add_attempt(inventory *v, level *l, const s3s_data_name *name,
                                  const s3store_list_entry *entry, s3store_error *err)
{
    if (l->count == S3S_TOKEN_ATTEMPTS_MAX)
        return s3s_fail_key(err, S3STORE_LIMIT_EXCEEDED, entry->key,
                            "more than %d data objects of one token: %.300s",
                            S3S_TOKEN_ATTEMPTS_MAX, entry->key);
    if (l->count == l->capacity) {
        s3s_attempt *attempts = resize(v->target->env, l->attempts, &l->capacity, l->count + 1,
                                       sizeof *attempts);
        if (attempts == NULL)
            return s3s_fail_memory(err, sizeof *attempts);
        l->attempts = attempts;
    }
    s3s_attempt *a = &l->attempts[l->count++];
    *a = (s3s_attempt){.size = entry->object_size, .last_modified_us = entry->last_modified_us};
    memcpy(a->id, name->attempt.data, S3S_ATTEMPT_ID_SIZE);
    return S3STORE_OK;
}

/* Several patterns may match one partition: the first one has it. */
static bool is_known(const inventory *v, const s3s_data_name *name)
{
    for (size_t i = 0; i < v->pattern; i++)
        if (s3s_pattern_matches(&v->patterns->items[i], name->partition))
            return true;
    return false;
}

static s3store_status take_object(void *ctx, const s3s_data_name *name,
                                  const s3store_list_entry *entry, s3store_error *err)
{
    inventory *v = ctx;
    level *l;
    v->counts->objects++;
    if (name->kind == S3S_DATA_FOREIGN) {
        v->counts->foreign++;
        return S3STORE_OK;
    }
    if (is_known(v, name))
        return S3STORE_OK;
    s3store_status status = close_passed(v, entry->key, err);
    if (status == S3STORE_OK)
        status = open_level(v, name, entry->key, &l, err);
    if (status != S3STORE_OK)
        return status;
    if (name->kind == S3S_DATA_COMMIT) {
        v->counts->markers++;
        return close_top(v, entry, err);
    }
    v->counts->data_objects++;
    v->counts->data_bytes += entry->object_size;
    return add_attempt(v, l, name, entry, err);
}

s3store_status s3s_inventory(s3store_target *target, const s3store_call *call,
                             const s3s_patterns *patterns, s3s_token_fn fn, void *ctx,
                             s3s_inventory_counts *counts, s3store_error *err)
{
    inventory v = {.target = target, .patterns = patterns, .fn = fn, .ctx = ctx, .counts = counts};
    s3store_status status = S3STORE_OK;
    *counts = (s3s_inventory_counts){.first_date_us = S3STORE_TIME_NONE};
    for (v.pattern = 0; v.pattern < patterns->count && status == S3STORE_OK; v.pattern++) {
        s3s_walk_result result;
        status = s3s_data_walk(target, call, &patterns->items[v.pattern], take_object, &v, &result,
                               err);
        counts->lists += result.pages;
        if (v.pattern == 0)
            counts->first_date_us = result.first_date_us;
        if (status == S3STORE_OK)
            status = close_passed(&v, NULL, err);
    }
    for (size_t i = 0; i < v.capacity; i++) {
        s3s_free(target->env, v.levels[i].attempts);
        s3s_free(target->env, v.levels[i].path);
    }
    s3s_free(target->env, v.levels);
    return status;
}
