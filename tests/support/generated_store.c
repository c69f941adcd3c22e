#include "support/generated_store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "objstore/port.h"

uint64_t generated_store_count(const generated_store *g)
{
    return g->periods * g->customers * g->files;
}

void generated_store_key(const generated_store *g, uint64_t i, char *out, size_t out_size)
{
    uint64_t file = i % g->files;
    uint64_t customer = i / g->files % g->customers;
    uint64_t period = i / g->files / g->customers;
    snprintf(out, out_size, "%speriod=%05llu/customer=%05llu/%07llu.parquet", g->prefix,
             (unsigned long long)period, (unsigned long long)customer, (unsigned long long)file);
}

/* The first key at or above the bound. */
static uint64_t find(const generated_store *g, const char *bound, size_t bound_size)
{
    uint64_t low = 0, high = generated_store_count(g);
    char key[256];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        generated_store_key(g, middle, key, sizeof key);
        if (s3s_compare_bytes(key, strlen(key), bound, bound_size) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static s3store_status fill(const generated_store *g, s3s_page *page, s3store_error *err)
{
    uint64_t i = find(g, page->lower, page->lower_size);
    char key[256];
    while (i < generated_store_count(g)) {
        generated_store_key(g, i, key, sizeof key);
        switch (s3s_page_offer(page, key, i, (int64_t)i, err)) {
        case S3S_PAGE_NEXT:
            i++;
            break;
        case S3S_PAGE_SEEK:
            i = find(g, page->lower, page->lower_size);
            break;
        case S3S_PAGE_FULL:
            return S3STORE_OK;
        case S3S_PAGE_FAILED:
            return S3STORE_OUT_OF_MEMORY;
        }
    }
    return S3STORE_OK;
}

static s3store_status list(void *impl, const s3store_call *call,
                           const s3store_list_request *request, s3store_list_fn fn, void *fn_ctx,
                           s3store_list_reply *reply, s3store_error *err)
{
    generated_store *g = impl;
    s3s_page page;
    atomic_fetch_add(&g->lists, 1);
    uint64_t running = atomic_fetch_add(&g->running, 1) + 1;
    uint64_t most = atomic_load(&g->most_running);
    while (running > most && !atomic_compare_exchange_weak(&g->most_running, &most, running))
        ;
    s3store_status status = S3STORE_OK;
    if (g->delay_us > 0)
        status = s3s_sleep_us(g->env, g->delay_us, call != NULL ? call->cancel : NULL, err);
    if (status == S3STORE_OK)
        status = s3s_page_init(&page, g->env, request, err);
    s3s_list_reply_reset(reply);
    if (status == S3STORE_OK) {
        status = fill(g, &page, err);
        if (status == S3STORE_OK)
            s3s_page_deliver(&page, fn, fn_ctx, reply);
        s3s_page_deinit(&page);
    }
    atomic_fetch_sub(&g->running, 1);
    return status;
}

s3store_object_store generated_store_make(generated_store *g)
{
    return (s3store_object_store){
        .size = sizeof(s3store_object_store), .impl = g, .list = list, .name = "generated"};
}
