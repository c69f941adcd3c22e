/* parquet/encoding/dictionary.c: an open hash table from values to their index. */
#include "parquet/encoding/dictionary.h"

#include "base/bytes.h"
#include "base/hash.h"

#define SLOTS_FIRST 1024
#define PROBES_MAX 256 /* values chosen to collide must not make this quadratic */

void s3s_dictionary_init(s3s_dictionary_builder *d, s3s_env *env, size_t width, size_t max_bytes)
{
    *d = (s3s_dictionary_builder){.env = env, .width = width, .max_bytes = max_bytes};
    s3s_buffer_init(&d->page, env, SIZE_MAX);
}

void s3s_dictionary_deinit(s3s_dictionary_builder *d)
{
    s3s_buffer_deinit(&d->page);
    s3s_free(d->env, d->slots);
    s3s_free(d->env, d->entries);
    d->slots = NULL;
    d->entries = NULL;
    d->slot_count = d->entry_room = d->count = 0;
}

void s3s_dictionary_clear(s3s_dictionary_builder *d)
{
    s3s_buffer_clear(&d->page);
    if (d->slots != NULL)
        memset(d->slots, 0, d->slot_count * sizeof *d->slots);
    d->count = 0;
    d->failed = false;
}

static uint32_t hash_value(const s3s_dictionary_builder *d, const void *data, size_t size)
{
    uint64_t h;
    if (d->width == 8)
        h = s3s_le64(data);
    else if (d->width == 4)
        h = s3s_le32(data);
    else
        return (uint32_t)(s3s_xxh64(data, size, 0) >> 32);
    h ^= h >> 32;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

static bool equal(const s3s_dictionary_builder *d, const s3s_dictionary_entry *entry,
                  const void *data, size_t size)
{
    const uint8_t *have = d->page.data + entry->start;
    if (d->width == 8)
        return s3s_le64(have) == s3s_le64(data);
    if (d->width == 4)
        return s3s_le32(have) == s3s_le32(data);
    return entry->size == size && (size == 0 || memcmp(have, data, size) == 0);
}

static void place(s3s_dictionary_builder *d, size_t index)
{
    size_t mask = d->slot_count - 1;
    size_t at = d->entries[index].hash & mask;
    while (d->slots[at] != 0)
        at = (at + 1) & mask;
    d->slots[at] = (uint32_t)index + 1;
}

/* Keeps the table at most half full. */
static bool grow(s3s_dictionary_builder *d)
{
    if (d->count * 2 >= d->slot_count) {
        size_t slot_count = d->slot_count == 0 ? SLOTS_FIRST : d->slot_count * 2;
        uint32_t *slots = s3s_calloc(d->env, slot_count, sizeof *slots);
        if (slots == NULL)
            return false;
        s3s_free(d->env, d->slots);
        d->slots = slots;
        d->slot_count = slot_count;
        for (size_t i = 0; i < d->count; i++)
            place(d, i);
    }
    if (d->count == d->entry_room) {
        size_t room = d->entry_room == 0 ? SLOTS_FIRST / 2 : d->entry_room * 2;
        s3s_dictionary_entry *entries =
            s3s_realloc(d->env, d->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        d->entries = entries;
        d->entry_room = room;
    }
    return true;
}

static uint32_t append(s3s_dictionary_builder *d, uint32_t hash, const void *data, size_t size)
{
    size_t prefix = d->width == 0 ? 4 : 0;
    if (size > d->max_bytes || d->page.size + prefix + size > d->max_bytes)
        return S3S_DICTIONARY_FULL;
    uint32_t length = (uint32_t)size;
    if (!grow(d) || s3s_buffer_append(&d->page, &length, prefix, NULL) != S3STORE_OK) {
        d->failed = true;
        return S3S_DICTIONARY_FULL;
    }
    if (s3s_buffer_append(&d->page, data, size, NULL) != S3STORE_OK) {
        d->page.size -= prefix;
        d->failed = true;
        return S3S_DICTIONARY_FULL;
    }
    d->entries[d->count] = (s3s_dictionary_entry){
        .hash = hash, .start = (uint32_t)(d->page.size - size), .size = length};
    place(d, d->count);
    return (uint32_t)d->count++;
}

uint32_t s3s_dictionary_add(s3s_dictionary_builder *d, const void *data, size_t size)
{
    uint32_t hash = hash_value(d, data, size);
    if (d->slot_count > 0) {
        size_t mask = d->slot_count - 1;
        size_t at = hash & mask;
        for (size_t probes = 0; d->slots[at] != 0; at = (at + 1) & mask) {
            const s3s_dictionary_entry *entry = &d->entries[d->slots[at] - 1];
            if (entry->hash == hash && equal(d, entry, data, size))
                return d->slots[at] - 1;
            if (++probes == PROBES_MAX)
                return S3S_DICTIONARY_FULL;
        }
    }
    return append(d, hash, data, size);
}

void s3s_dictionary_truncate(s3s_dictionary_builder *d, size_t count)
{
    if (count < d->count) {
        d->page.size = d->entries[count].start - (d->width == 0 ? 4 : 0);
        d->count = count;
    }
    if (d->slots != NULL) {
        memset(d->slots, 0, d->slot_count * sizeof *d->slots);
        for (size_t i = 0; i < d->count; i++)
            place(d, i);
    }
}
