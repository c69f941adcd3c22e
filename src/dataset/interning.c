/* dataset/interning.c: open addressing with linear probing, at most half full. */
#include "dataset/interning.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

#define FIRST_SLOTS 64

struct s3s_number_slot {
    uint64_t key;
    uint32_t id; /* S3S_NO_ID = free */
};

static size_t mix(uint64_t key)
{
    key ^= key >> 32;
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(key ^ key >> 29);
}

/* The slot of the key, or the free one where it belongs. */
static size_t number_slot(const struct s3s_number_slot *slots, size_t count, uint64_t key)
{
    size_t at = mix(key) & (count - 1);
    while (slots[at].id != S3S_NO_ID && slots[at].key != key)
        at = (at + 1) & (count - 1);
    return at;
}

uint32_t s3s_number_map_find(const s3s_number_map *map, uint64_t key)
{
    if (map->slot_count == 0)
        return S3S_NO_ID;
    return map->slots[number_slot(map->slots, map->slot_count, key)].id;
}

static s3store_status grow_numbers(s3s_number_map *map, s3store_error *err)
{
    size_t count = map->slot_count == 0 ? FIRST_SLOTS : map->slot_count * 2;
    struct s3s_number_slot *slots = s3s_alloc(map->env, count * sizeof *slots);
    if (slots == NULL)
        return s3s_fail_memory(err, count * sizeof *slots);
    for (size_t i = 0; i < count; i++)
        slots[i] = (struct s3s_number_slot){.id = S3S_NO_ID};
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].id != S3S_NO_ID)
            slots[number_slot(slots, count, map->slots[i].key)] = map->slots[i];
    s3s_free(map->env, map->slots);
    map->slots = slots;
    map->slot_count = count;
    return S3STORE_OK;
}

s3store_status s3s_number_map_add(s3s_number_map *map, uint64_t key, uint32_t id,
                                  s3store_error *err)
{
    if (2 * map->used >= map->slot_count) {
        s3store_status status = grow_numbers(map, err);
        if (status != S3STORE_OK)
            return status;
    }
    map->slots[number_slot(map->slots, map->slot_count, key)] =
        (struct s3s_number_slot){.key = key, .id = id};
    map->used++;
    return S3STORE_OK;
}

void s3s_number_map_deinit(s3s_number_map *map)
{
    s3s_free(map->env, map->slots);
    map->slots = NULL;
    map->slot_count = 0;
    map->used = 0;
}

static size_t text_slot(const s3s_text_set *set, const uint32_t *slots, size_t count,
                        s3s_slice text)
{
    size_t at = (size_t)s3s_xxh64(text.data, text.size, 0) & (count - 1);
    while (slots[at] != S3S_NO_ID && !s3s_slice_same(set->texts[slots[at]], text))
        at = (at + 1) & (count - 1);
    return at;
}

uint32_t s3s_text_set_find(const s3s_text_set *set, s3s_slice text)
{
    if (set->slot_count == 0)
        return S3S_NO_ID;
    return set->slots[text_slot(set, set->slots, set->slot_count, text)];
}

static s3store_status grow_texts(s3s_text_set *set, s3store_error *err)
{
    size_t count = set->slot_count == 0 ? FIRST_SLOTS : set->slot_count * 2;
    size_t capacity = count / 2;
    s3s_slice *texts = s3s_realloc(set->env, set->texts, capacity * sizeof *texts);
    if (texts == NULL)
        return s3s_fail_memory(err, capacity * sizeof *texts);
    set->texts = texts;
    uint32_t *slots = s3s_alloc(set->env, count * sizeof *slots);
    if (slots == NULL)
        return s3s_fail_memory(err, count * sizeof *slots);
    memset(slots, 0xFF, count * sizeof *slots);
    for (size_t i = 0; i < set->count; i++)
        slots[text_slot(set, slots, count, set->texts[i])] = (uint32_t)i;
    s3s_free(set->env, set->slots);
    set->slots = slots;
    set->slot_count = count;
    set->capacity = capacity;
    return S3STORE_OK;
}

s3store_status s3s_text_set_add(s3s_text_set *set, s3s_slice text, uint32_t *id,
                                s3store_error *err)
{
    if (set->count >= S3S_NO_ID)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "there are too many distinct values");
    if (set->count == set->capacity) {
        s3store_status status = grow_texts(set, err);
        if (status != S3STORE_OK)
            return status;
    }
    *id = (uint32_t)set->count;
    set->texts[set->count++] = text;
    set->slots[text_slot(set, set->slots, set->slot_count, text)] = *id;
    return S3STORE_OK;
}

void s3s_text_set_deinit(s3s_text_set *set)
{
    s3s_free(set->env, set->texts);
    s3s_free(set->env, set->slots);
    set->texts = NULL;
    set->slots = NULL;
    set->count = set->capacity = set->slot_count = 0;
}
