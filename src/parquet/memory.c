/* parquet/memory.c: budgeted blocks. */
#include "parquet/memory.h"

#include "base/bytes.h"
#include "base/error.h"

s3store_status s3s_budget_take(s3s_budget *budget, uint64_t size, s3store_error *err)
{
    if (budget == NULL)
        return S3STORE_OK;
    uint64_t used = __atomic_load_n(&budget->used, __ATOMIC_RELAXED);
    do {
        if (size > budget->max || used > budget->max - size)
            return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                            "%llu bytes more are needed, %llu of the memory budget of %llu bytes "
                            "are in use: raise it (--memory)",
                            (unsigned long long)size, (unsigned long long)used,
                            (unsigned long long)budget->max);
    } while (!__atomic_compare_exchange_n(&budget->used, &used, used + size, true,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return S3STORE_OK;
}

void s3s_budget_give(s3s_budget *budget, uint64_t size)
{
    if (budget != NULL)
        __atomic_fetch_sub(&budget->used, size, __ATOMIC_RELAXED);
}

uint64_t s3s_budget_free(const s3s_budget *budget)
{
    uint64_t used = __atomic_load_n(&budget->used, __ATOMIC_RELAXED);
    return used < budget->max ? budget->max - used : 0;
}

void s3s_block_init(s3s_block *block, s3s_env *env, s3s_budget *budget)
{
    *block = (s3s_block){.env = env, .budget = budget};
}

void s3s_block_deinit(s3s_block *block)
{
    s3s_budget_give(block->budget, block->capacity);
    s3s_free(block->env, block->data);
    block->data = NULL;
    block->size = block->capacity = 0;
}

static s3store_status set_capacity(s3s_block *block, size_t capacity, s3store_error *err)
{
    s3store_status status = s3s_budget_take(block->budget, capacity - block->capacity, err);
    if (status != S3STORE_OK)
        return status;
    uint8_t *data = s3s_realloc(block->env, block->data, capacity);
    if (data == NULL) {
        s3s_budget_give(block->budget, capacity - block->capacity);
        return s3s_fail_memory(err, capacity);
    }
    block->data = data;
    block->capacity = capacity;
    return S3STORE_OK;
}

s3store_status s3s_block_reserve(s3s_block *block, size_t more, s3store_error *err)
{
    size_t wanted;
    if (!s3s_add(block->size, more, &wanted))
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "a size of more than %zu bytes", SIZE_MAX);
    if (wanted <= block->capacity && block->data != NULL)
        return S3STORE_OK;
    size_t larger = block->capacity < SIZE_MAX / 2 ? block->capacity * 2 : SIZE_MAX;
    if (larger < 256)
        larger = 256;
    /* Near the budget's end the exact size may still fit where doubling does not. */
    if (larger > wanted && (block->budget == NULL ||
                            larger - block->capacity <= s3s_budget_free(block->budget) / 4))
        return set_capacity(block, larger, err);
    return set_capacity(block, wanted, err);
}

s3store_status s3s_block_resize_empty(s3s_block *block, size_t size, s3store_error *err)
{
    block->size = 0;
    if (size <= block->capacity && block->data != NULL)
        return S3STORE_OK;
    s3s_block_deinit(block);
    return set_capacity(block, size, err);
}

void *s3s_block_detach(s3s_block *block)
{
    uint8_t *data = block->data;
    size_t size = block->size > 0 ? block->size : 1;
    if (data != NULL && block->capacity - size > size / 4) {
        uint8_t *smaller = s3s_realloc(block->env, data, size);
        if (smaller != NULL)
            data = smaller;
    }
    s3s_budget_give(block->budget, block->capacity);
    block->data = NULL;
    block->size = block->capacity = 0;
    return data;
}

/* ---- blocks in turn -------------------------------------------------------------------------- */

void s3s_block_cache_init(s3s_block_cache *cache, s3s_env *env, s3s_budget *budget)
{
    *cache = (s3s_block_cache){.env = env, .budget = budget};
}

static void free_block(s3s_env *env, s3s_block *block)
{
    if (block != NULL)
        s3s_block_deinit(block);
    s3s_free(env, block);
}

void s3s_block_cache_deinit(s3s_block_cache *cache)
{
    for (size_t i = 0; i < S3S_BLOCK_CACHE; i++) {
        free_block(cache->env, cache->slots[i]);
        cache->slots[i] = NULL;
    }
}

s3store_status s3s_block_borrow(s3s_block_cache *cache, size_t size, s3s_block **out,
                                s3store_error *err)
{
    s3s_block *block = NULL;
    for (size_t i = 0; i < S3S_BLOCK_CACHE && block == NULL; i++)
        block = __atomic_exchange_n(&cache->slots[i], NULL, __ATOMIC_ACQ_REL);
    if (block == NULL) {
        block = s3s_alloc(cache->env, sizeof *block);
        if (block == NULL)
            return s3s_fail_memory(err, sizeof *block);
        s3s_block_init(block, cache->env, cache->budget);
    }
    s3store_status status = s3s_block_resize_empty(block, size, err);
    if (status != S3STORE_OK)
        free_block(cache->env, block);
    else
        *out = block;
    return status;
}

void s3s_block_return(s3s_block_cache *cache, s3s_block *block)
{
    if (block == NULL)
        return;
    for (size_t i = 0; i < S3S_BLOCK_CACHE && block != NULL; i++) {
        s3s_block *empty = NULL;
        if (__atomic_compare_exchange_n(&cache->slots[i], &empty, block, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            block = NULL;
    }
    free_block(cache->env, block);
}
