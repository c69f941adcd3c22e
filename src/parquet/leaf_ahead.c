/* parquet/leaf_ahead.c: pages of a leaf are fetched and decompressed before they are needed, beside the
 * decoding of those that are there. Decoding and reading ahead share the slots alone: what one of them
 * may touch is set while neither runs.
 */
#include "base/error.h"
#include "parquet/leaf_reader.h"

/* Reading ahead is not worth a refusal: it leaves most of the budget to decoding. */
#define AHEAD_BUDGET_PART 2
#define AHEAD_PAGE_PART 8

typedef struct ahead_slot {
    s3s_page page;
    s3s_block body;
    uint64_t offset; /* of its header */
    s3store_status status;
    s3store_error error;
} ahead_slot;

struct s3s_ahead {
    ahead_slot slots[S3S_AHEAD_MAX];
    size_t made, taken;    /* slots used so far, by either side */
    size_t visible;        /* of those made: what decoding may take */
    size_t limit;          /* reading ahead may make up to this one */
    bool enough;           /* of this chunk: its end, a failure, or too little memory */
};

s3store_status s3s_leaf_ahead_begin(s3s_leaf_reader *r, s3store_error *err)
{
    if (r->ahead == NULL) {
        r->ahead = s3s_calloc(r->pages.env, 1, sizeof *r->ahead);
        if (r->ahead == NULL)
            return s3s_fail_memory(err, sizeof *r->ahead);
        for (size_t i = 0; i < S3S_AHEAD_MAX; i++)
            s3s_block_init(&r->ahead->slots[i].body, r->pages.env, r->pages.budget);
        s3s_block_init(&r->held, r->pages.env, r->pages.budget);
    }
    r->ahead->made = r->ahead->taken = r->ahead->visible = 0;
    r->ahead->enough = false;
    r->pages.own_body = true;
    return S3STORE_OK;
}

void s3s_leaf_ahead_end(s3s_leaf_reader *r)
{
    if (r->ahead == NULL)
        return;
    for (size_t i = 0; i < S3S_AHEAD_MAX; i++)
        s3s_block_deinit(&r->ahead->slots[i].body);
    s3s_block_deinit(&r->held);
    s3s_free(r->pages.env, r->ahead);
    r->ahead = NULL;
    r->pages.own_body = false;
}

void s3s_leaf_ahead_meet(s3s_leaf_reader *r)
{
    if (r->ahead == NULL)
        return;
    r->ahead->visible = r->ahead->made;
    r->ahead->limit = r->ahead->taken + S3S_AHEAD_MAX;
}

uint64_t s3s_leaf_ahead_rows(const s3s_leaf_reader *r)
{
    uint64_t rows = s3s_leaf_reader_page_rows(r);
    const s3s_ahead *a = r->ahead;
    for (size_t i = a != NULL ? a->taken : 0; a != NULL && i < a->visible; i++)
        if (a->slots[i % S3S_AHEAD_MAX].status == S3STORE_OK)
            rows += a->slots[i % S3S_AHEAD_MAX].page.num_values;
    return rows;
}

static void swap_blocks(s3s_block *a, s3s_block *b)
{
    s3s_block c = *a;
    *a = *b;
    *b = c;
}

bool s3s_leaf_ahead_take(s3s_leaf_reader *r, s3store_status *status, s3store_error *err)
{
    s3s_ahead *a = r->ahead;
    if (a == NULL || a->taken == a->visible)
        return false;
    ahead_slot *slot = &a->slots[a->taken++ % S3S_AHEAD_MAX];
    r->page_at = slot->offset;
    r->page = slot->page;
    swap_blocks(&r->held, &slot->body);
    *status = slot->status;
    if (slot->status != S3STORE_OK && err != NULL)
        *err = slot->error;
    return true;
}

void s3s_leaf_ahead_hold(s3s_leaf_reader *r)
{
    if (r->ahead != NULL)
        swap_blocks(&r->held, &r->pages.body);
}

/* Would the next page leave memory enough? */
static bool fits(s3s_page_reader *pages)
{
    s3s_pq_page_header header;
    size_t size = 0;
    s3store_error ignored;
    uint64_t at = pages->at, free_bytes = s3s_budget_free(pages->budget);
    if (free_bytes < pages->budget->max / AHEAD_BUDGET_PART ||
        s3s_page_reader_skim(pages, &header, &size, &ignored) != S3STORE_OK)
        return false; /* whoever needs it will meet the error */
    pages->at = at;
    return (uint64_t)header.uncompressed_size + (uint64_t)header.compressed_size <
           free_bytes / AHEAD_PAGE_PART;
}

bool s3s_leaf_ahead_can(const s3s_leaf_reader *r)
{
    /* A dictionary comes first, and the first data page is asked for anyway. */
    return r->ahead != NULL && !r->ahead->enough && r->in_data;
}

void s3s_leaf_ahead_make(s3s_leaf_reader *r)
{
    s3s_ahead *a = r->ahead;
    s3s_page_reader *pages = &r->pages;
    if (a->enough || a->made == a->limit)
        return;
    if (pages->at >= pages->place.end || !fits(pages)) {
        a->enough = pages->at >= pages->place.end;
        return;
    }
    ahead_slot *slot = &a->slots[a->made % S3S_AHEAD_MAX];
    uint64_t at = pages->at;
    slot->status = s3s_page_reader_next(pages, &slot->page, NULL, &slot->error);
    slot->offset = pages->page_offset;
    a->enough = slot->status != S3STORE_OK;
    if (slot->status == S3STORE_LIMIT_EXCEEDED || slot->status == S3STORE_OUT_OF_MEMORY) {
        pages->at = at; /* there may be room when it is needed */
        return;
    }
    swap_blocks(&slot->body, &pages->body);
    a->made++;
}
