/* dataset/fileset.c: files by partition. */
#include "dataset/fileset.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

void s3s_file_set_init(s3s_file_set *set, s3s_env *env)
{
    *set = (s3s_file_set){.env = env};
    s3s_arena_init(&set->arena, env);
}

void s3s_file_set_deinit(s3s_file_set *set)
{
    s3s_env *env = set->env;

    s3s_arena_deinit(&set->arena);
    s3s_file_set_init(set, env);
}

void s3s_file_set_shard(s3s_file_set *set, uint32_t index, uint32_t count)
{
    size_t kept = 0;

    if (count <= 1)
        return;
    set->file_count = 0;
    for (size_t i = 0; i < set->partition_count; i++) {
        const s3s_partition_files *p = &set->partitions[i];

        if (s3s_xxh64(p->key, strlen(p->key), 0) % count != index)
            continue;
        set->file_count += p->file_count;
        set->partitions[kept++] = *p;
    }
    set->partition_count = kept;
}

/* ---- building ------------------------------------------------------------------------------- */

typedef struct listed {
    const char *partition; /* shared by neighbours */
    s3s_data_file file;
} listed;

struct s3s_file_set_builder {
    s3s_env *env;
    s3s_arena arena; /* becomes the set's */
    listed *items;
    size_t count;
    size_t capacity;
    size_t partition_size; /* of the last one added */
};

s3store_status s3s_file_set_builder_new(s3s_env *env, s3s_file_set_builder **out,
                                        s3store_error *err)
{
    s3s_file_set_builder *b = s3s_calloc(env, 1, sizeof *b);

    *out = b;
    if (b == NULL)
        return s3s_fail_memory(err, sizeof *b);
    b->env = env;
    s3s_arena_init(&b->arena, env);
    return S3STORE_OK;
}

void s3s_file_set_builder_free(s3s_file_set_builder *b)
{
    if (b == NULL)
        return;
    s3s_arena_deinit(&b->arena);
    s3s_free(b->env, b->items);
    s3s_free(b->env, b);
}

static s3store_status make_room(s3s_file_set_builder *b, s3store_error *err)
{
    size_t capacity = b->capacity == 0 ? 64 : b->capacity * 2;

    if (b->count < b->capacity)
        return S3STORE_OK;
    listed *items = s3s_realloc(b->env, b->items, capacity * sizeof *items);
    if (items == NULL)
        return s3s_fail_memory(err, capacity * sizeof *items);
    b->items = items;
    b->capacity = capacity;
    return S3STORE_OK;
}

s3store_status s3s_file_set_builder_add(s3s_file_set_builder *b, const char *partition,
                                        size_t partition_size, const char *key, const char *token,
                                        size_t token_size, uint64_t size,
                                        int64_t last_modified_us, s3store_error *err)
{
    listed item = {.file = {.size = size, .last_modified_us = last_modified_us}};
    const char *last = b->count > 0 ? b->items[b->count - 1].partition : NULL;
    s3store_status status = make_room(b, err);

    if (status != S3STORE_OK)
        return status;
    if (last != NULL && b->partition_size == partition_size &&
        memcmp(last, partition, partition_size) == 0)
        item.partition = last;
    else
        item.partition = s3s_arena_strndup(&b->arena, partition, partition_size);
    item.file.key = s3s_arena_strdup(&b->arena, key);
    item.file.token = s3s_arena_strndup(&b->arena, token, token_size);
    if (item.partition == NULL || item.file.key == NULL || item.file.token == NULL)
        return s3s_fail_memory(err, partition_size + strlen(key) + token_size + 3);
    b->partition_size = partition_size;
    b->items[b->count++] = item;
    return S3STORE_OK;
}

/* Files in use are few and in order already, mostly: partition, then key. */
static int compare_listed(const void *a, const void *b)
{
    const listed *x = a, *y = b;
    int order = x->partition == y->partition ? 0 : strcmp(x->partition, y->partition);

    return order != 0 ? order : strcmp(x->file.key, y->file.key);
}

static bool same_partition(const listed *a, const listed *b)
{
    return a->partition == b->partition || strcmp(a->partition, b->partition) == 0;
}

/* Sorts, removes duplicates; the number of partitions. */
static size_t sort_items(s3s_file_set_builder *b)
{
    size_t kept = 0, partitions = 0;

    if (b->count > 1)
        qsort(b->items, b->count, sizeof *b->items, compare_listed);
    for (size_t i = 0; i < b->count; i++) {
        const listed *before = kept > 0 ? &b->items[kept - 1] : NULL;
        bool starts = before == NULL || !same_partition(before, &b->items[i]);

        if (!starts && strcmp(before->file.key, b->items[i].file.key) == 0)
            continue;
        partitions += starts;
        b->items[kept++] = b->items[i];
    }
    b->count = kept;
    return partitions;
}

s3store_status s3s_file_set_builder_finish(s3s_file_set_builder *b, s3s_file_set *out,
                                           s3store_error *err)
{
    size_t partition_count = sort_items(b);
    s3s_data_file *files = s3s_arena_calloc(&b->arena, b->count, sizeof *files);
    s3s_partition_files *partitions =
        s3s_arena_calloc(&b->arena, partition_count, sizeof *partitions);
    s3s_partition_files *current = NULL;

    s3s_file_set_init(out, b->env);
    if (files == NULL || partitions == NULL)
        return s3s_fail_memory(err, b->count * sizeof *files);
    for (size_t i = 0; i < b->count; i++) {
        files[i] = b->items[i].file;
        if (current == NULL || !same_partition(&b->items[i - 1], &b->items[i])) {
            current = current == NULL ? partitions : current + 1;
            *current = (s3s_partition_files){.key = b->items[i].partition, .files = &files[i]};
        }
        current->file_count++;
    }
    out->arena = b->arena;
    out->partitions = partitions;
    out->partition_count = partition_count;
    out->file_count = b->count;
    s3s_arena_init(&b->arena, b->env);
    b->count = 0;
    return S3STORE_OK;
}
