/* dataset/partition_function.c: splitting batches by keys that the caller's function gives. Keys are
 * checked once for each distinct one. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "dataset/interning.h"
#include "dataset/partition.h"

typedef struct keyed {
    const char *key;
    uint32_t id;
} keyed;

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const keyed *)a)->key, ((const keyed *)b)->key);
}

/* Counting sort by rank of the key, in input order. */
static s3store_status collect(s3s_env *env, const struct ArrowArray *const *batches,
                              size_t batch_count, const uint32_t *ids, const s3s_text_set *keys,
                              s3s_groups *out, s3store_error *err)
{
    size_t count = keys->count;
    keyed *order = s3s_calloc(env, count + 1, sizeof *order);
    size_t *rank = s3s_calloc(env, count + 1, sizeof *rank);
    out->items = s3s_calloc(env, count + 1, sizeof *out->items);
    s3store_status status = S3STORE_OK;
    if (order == NULL || rank == NULL || out->items == NULL) {
        status = s3s_fail_memory(err, count * sizeof *order);
        goto done;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = (keyed){keys->texts[i].data, (uint32_t)i};
    qsort(order, count, sizeof *order, compare_keys);
    for (size_t i = 0; i < count; i++) {
        rank[order[i].id] = i;
        out->items[i].key = order[i].key;
    }
    size_t row = 0;
    for (size_t b = 0; b < batch_count; b++)
        for (int64_t r = 0; r < batches[b]->length; r++)
            out->items[rank[ids[row++]]].row_count++;
    s3s_row *next = out->rows;
    for (size_t i = 0; i < count; i++) {
        out->items[i].rows = next;
        next += out->items[i].row_count;
        out->items[i].row_count = 0;
    }
    row = 0;
    for (size_t b = 0; b < batch_count; b++)
        for (int64_t r = 0; r < batches[b]->length; r++) {
            s3s_group *group = &out->items[rank[ids[row++]]];
            group->rows[group->row_count++] = (s3s_row){(uint32_t)b, (uint32_t)r};
        }
    out->count = count;
done:
    s3s_free(env, order);
    s3s_free(env, rank);
    return status;
}

s3store_status s3s_group_by_function(s3s_env *env, const struct ArrowArray *const *batches,
                                     size_t batch_count, const char *const *names,
                                     size_t name_count, bool allow_unaddressable,
                                     s3s_row_key_fn fn, void *ctx, s3s_groups *out,
                                     s3store_error *err)
{
    s3s_text_set keys = {.env = env};
    char key[S3S_KEY_SIZE];
    size_t rows = 0, at = 0;
    s3store_status status = S3STORE_OK;
    memset(out, 0, sizeof *out);
    out->env = env;
    s3s_arena_init(&out->arena, env);
    for (size_t b = 0; b < batch_count; b++)
        rows += (size_t)batches[b]->length;
    uint32_t *ids = s3s_alloc(env, rows * sizeof *ids);
    out->rows = s3s_alloc(env, rows * sizeof *out->rows);
    if (ids == NULL || out->rows == NULL)
        status = s3s_fail_memory(err, rows * sizeof *out->rows);
    for (size_t b = 0; b < batch_count && status == S3STORE_OK; b++)
        for (int64_t r = 0; r < batches[b]->length && status == S3STORE_OK; r++, at++) {
            status = fn(ctx, b, r, key, err);
            if (status != S3STORE_OK)
                break;
            s3s_slice text = {key, strlen(key)};
            ids[at] = s3s_text_set_find(&keys, text);
            if (ids[at] != S3S_NO_ID)
                continue;
            status = allow_unaddressable ? s3s_partition_check(names, name_count, key, err)
                                         : s3s_partition_addressable(names, name_count, key, err);
            if (status == S3STORE_OK &&
                (text.data = s3s_arena_strdup(&out->arena, key)) == NULL)
                status = s3s_fail_memory(err, text.size);
            if (status == S3STORE_OK)
                status = s3s_text_set_add(&keys, text, &ids[at], err);
        }
    if (status == S3STORE_OK)
        status = collect(env, batches, batch_count, ids, &keys, out, err);
    s3s_text_set_deinit(&keys);
    s3s_free(env, ids);
    if (status != S3STORE_OK)
        s3s_groups_deinit(out);
    return status;
}
