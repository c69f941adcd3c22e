/* The entries of one poll: a list that owns its text, and the set of files behind it. */
#include "stream/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

s3store_status s3s_entries_new(s3s_env *env, s3store_entries **out, s3store_error *err)
{
    *out = NULL;
    s3store_entries *entries = s3s_calloc(env, 1, sizeof *entries);
    if (entries == NULL)
        return s3s_fail_memory(err, sizeof *entries);
    entries->env = s3s_env_retain(env);
    s3s_arena_init(&entries->arena, env);
    entries->next_offset = "";
    *out = entries;
    return S3STORE_OK;
}

void s3store_entries_free(s3store_entries *entries)
{
    if (entries == NULL)
        return;
    s3s_env *env = entries->env;
    s3s_free(env, entries->items);
    s3s_free(env, entries->skipped);
    s3s_free(env, entries->partition_keys);
    s3s_arena_deinit(&entries->arena);
    s3s_free(env, entries);
    s3s_env_release(env);
}

/* Room for one more item of item_size bytes. */
static s3store_status grow(s3s_env *env, void **items, size_t count, size_t *capacity,
                           size_t item_size, s3store_error *err)
{
    if (count < *capacity)
        return S3STORE_OK;
    size_t wanted = *capacity == 0 ? 16 : *capacity * 2;
    size_t bytes = 0;
    void *grown = s3s_mul(wanted, item_size, &bytes) ? s3s_realloc(env, *items, bytes) : NULL;
    if (grown == NULL)
        return s3s_fail_memory(err, bytes);
    *items = grown;
    *capacity = wanted;
    return S3STORE_OK;
}

s3store_status s3s_entries_add(s3store_entries *entries, const s3store_entry *entry,
                               s3store_error *err)
{
    void *items = entries->items;
    s3store_status status = grow(entries->env, &items, entries->count, &entries->capacity,
                                 sizeof *entries->items, err);
    entries->items = items;
    if (status != S3STORE_OK)
        return status;
    s3store_entry copy = *entry;
    copy.partition = s3s_arena_strdup(&entries->arena, entry->partition);
    copy.data_path = s3s_arena_strdup(&entries->arena, entry->data_path);
    copy.ref_path = s3s_arena_strdup(&entries->arena, entry->ref_path);
    copy.offset = copy.ref_path;
    if (copy.partition == NULL || copy.data_path == NULL || copy.ref_path == NULL)
        return s3s_fail_memory(err, strlen(entry->ref_path) + 1);
    entries->items[entries->count++] = copy;
    return S3STORE_OK;
}

s3store_status s3s_entries_add_skipped(s3store_entries *entries, const char *key,
                                       s3store_error *err)
{
    void *items = entries->skipped;
    s3store_status status = grow(entries->env, &items, entries->skipped_count,
                                 &entries->skipped_capacity, sizeof *entries->skipped, err);
    entries->skipped = items;
    if (status != S3STORE_OK)
        return status;
    const char *copy = s3s_arena_strdup(&entries->arena, key);
    if (copy == NULL)
        return s3s_fail_memory(err, strlen(key) + 1);
    entries->skipped[entries->skipped_count++] = copy;
    return S3STORE_OK;
}

s3store_status s3s_entries_set_next(s3store_entries *entries, const char *offset,
                                    s3store_error *err)
{
    const char *copy = s3s_arena_strdup(&entries->arena, offset);
    if (copy == NULL)
        return s3s_fail_memory(err, strlen(offset) + 1);
    entries->next_offset = copy;
    return S3STORE_OK;
}

size_t s3store_entries_count(const s3store_entries *entries)
{
    return entries == NULL ? 0 : entries->count;
}

const s3store_entry *s3store_entries_get(const s3store_entries *entries, size_t i)
{
    return entries != NULL && i < entries->count ? &entries->items[i] : NULL;
}

const char *s3store_entries_next_offset(const s3store_entries *entries)
{
    return entries == NULL ? "" : entries->next_offset;
}

size_t s3store_entries_pending(const s3store_entries *entries)
{
    return entries == NULL ? 0 : entries->pending;
}

size_t s3store_entries_skipped_count(const s3store_entries *entries)
{
    return entries == NULL ? 0 : entries->skipped_count;
}

const char *s3store_entries_skipped_get(const s3store_entries *entries, size_t i)
{
    return entries != NULL && i < entries->skipped_count ? entries->skipped[i] : NULL;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *s3store_entries_partition_keys(s3store_entries *entries, size_t *count)
{
    *count = 0;
    if (entries == NULL || entries->count == 0)
        return NULL;
    if (entries->partition_keys == NULL) {
        const char **keys = s3s_calloc(entries->env, entries->count, sizeof *keys);
        if (keys == NULL)
            return NULL;
        for (size_t i = 0; i < entries->count; i++)
            keys[i] = entries->items[i].partition;
        qsort(keys, entries->count, sizeof *keys, compare_text);
        size_t kept = 1;
        for (size_t i = 1; i < entries->count; i++) {
            if (strcmp(keys[i], keys[kept - 1]) != 0)
                keys[kept++] = keys[i];
        }
        entries->partition_keys = keys;
        entries->partition_key_count = kept;
    }
    *count = entries->partition_key_count;
    return entries->partition_keys;
}

/* ---- the files behind entries ---------------------------------------------------------------- */

s3store_status s3s_entries_file_set(const s3store_target *target, const s3store_entries *entries,
                                    s3s_file_set *out, s3store_error *err)
{
    const s3s_layout *layout = &target->layout;
    s3s_file_set_builder *builder = NULL;
    s3store_status status = s3s_file_set_builder_new(target->env, &builder, err);
    for (size_t i = 0; status == S3STORE_OK && i < s3store_entries_count(entries); i++) {
        const char *path = entries->items[i].data_path;
        size_t root = strlen(layout->data_path);
        s3s_data_name name = {0};
        if (strncmp(path, layout->data_path, root) == 0 && path[root] == '/')
            name = s3s_data_name_parse(layout, path);
        if (name.kind != S3S_DATA_FILE) {
            status = s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, path,
                                  "entry %zu is not of this dataset: its data path \"%s\" is no "
                                  "data file under \"%s/\"",
                                  i, path, layout->data_path);
            break;
        }
        status = s3s_file_set_builder_add(builder, name.partition.data, name.partition.size, path,
                                          name.token.data, name.token.size, 0,
                                          S3STORE_TIME_NONE, err);
    }
    if (status == S3STORE_OK)
        status = s3s_file_set_builder_finish(builder, out, err);
    if (builder != NULL)
        s3s_file_set_builder_free(builder);
    return status;
}
