/* parquet/leaf_ahead.c: pages of a leaf are fetched and decompressed before they are needed, by
 * another thread. One thread at a time uses the page reader: the one that reads ahead, or the one that
 * decodes and found nothing ahead. Slots between `taken` and `made` hold pages; the others are free.
 */
#include "base/error.h"
#include "base/sync.h"
#include "parquet/leaf_reader.h"

#define AHEAD_MAX 4 /* pages */
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
    s3s_mutex mutex;
    s3s_cond cond; /* a thread is ready with the page reader */
    s3s_page_reader *pages;
    ahead_slot slots[AHEAD_MAX];
    struct {
        size_t made, taken; /* pages of this chunk, so far */
        bool reading;       /* a thread uses the page reader */
        bool allowed;       /* to read ahead */
        bool in_data;       /* the first page, and a dictionary before it, are asked for anyway */
        bool enough;        /* of this chunk: its end, or a failure */
    } locked;
};

static s3store_status make_ahead(s3s_leaf_reader *r, s3store_error *err)
{
    s3s_env *env = r->pages.env;
    s3s_ahead *a = s3s_calloc(env, 1, sizeof *a);
    if (a == NULL)
        return s3s_fail_memory(err, sizeof *a);
    s3store_status status = s3s_mutex_init(&a->mutex, env, err);
    if (status == S3STORE_OK) {
        status = s3s_cond_init(&a->cond, env, err);
        if (status != S3STORE_OK)
            s3s_mutex_deinit(&a->mutex);
    }
    if (status != S3STORE_OK) {
        s3s_free(env, a);
        return status;
    }
    for (size_t i = 0; i < AHEAD_MAX; i++)
        s3s_block_init(&a->slots[i].body, env, r->pages.budget);
    s3s_block_init(&r->held, env, r->pages.budget);
    a->pages = &r->pages;
    r->ahead = a;
    return S3STORE_OK;
}

s3store_status s3s_leaf_ahead_begin(s3s_leaf_reader *r, s3store_error *err)
{
    s3store_status status = r->ahead == NULL ? make_ahead(r, err) : S3STORE_OK;
    if (status != S3STORE_OK)
        return status;
    r->pages.own_body = r->reads_ahead = true;
    return S3STORE_OK;
}

void s3s_leaf_ahead_allow(s3s_leaf_reader *r, bool allowed)
{
    s3s_ahead *a = r->ahead;
    if (a == NULL)
        return;
    s3s_mutex_lock(&a->mutex);
    a->locked.allowed = allowed;
    while (!allowed && a->locked.reading)
        s3s_cond_wait(&a->cond, &a->mutex, S3STORE_TIME_NONE, NULL);
    s3s_mutex_unlock(&a->mutex);
}

void s3s_leaf_ahead_end(s3s_leaf_reader *r)
{
    s3s_ahead *a = r->ahead;
    if (a == NULL)
        return;
    s3s_leaf_ahead_allow(r, false);
    s3s_mutex_lock(&a->mutex);
    a->locked.made = a->locked.taken = 0;
    a->locked.in_data = a->locked.enough = false;
    s3s_mutex_unlock(&a->mutex);
    for (size_t i = 0; i < AHEAD_MAX; i++)
        s3s_block_deinit(&a->slots[i].body);
    s3s_block_deinit(&r->held);
    r->pages.own_body = r->reads_ahead = false;
}

void s3s_leaf_ahead_free(s3s_leaf_reader *r)
{
    s3s_ahead *a = r->ahead;
    if (a == NULL)
        return;
    s3s_leaf_ahead_end(r);
    s3s_cond_deinit(&a->cond);
    s3s_mutex_deinit(&a->mutex);
    s3s_free(r->pages.env, a);
    r->ahead = NULL;
}

static void swap_blocks(s3s_block *a, s3s_block *b)
{
    s3s_block c = *a;
    *a = *b;
    *b = c;
}

/* ---- decoding -------------------------------------------------------------------------------- */

/* Waits for whoever reads ahead, if that is one page away; else the page reader is ours: false. */
static bool take(s3s_leaf_reader *r, s3store_status *status, s3store_error *err)
{
    s3s_ahead *a = r->ahead;
    s3s_mutex_lock(&a->mutex);
    while (a->locked.taken == a->locked.made && a->locked.reading)
        s3s_cond_wait(&a->cond, &a->mutex, S3STORE_TIME_NONE, NULL);
    bool found = a->locked.taken < a->locked.made;
    if (found) {
        ahead_slot *slot = &a->slots[a->locked.taken++ % AHEAD_MAX];
        r->page_at = slot->offset;
        r->page = slot->page;
        swap_blocks(&r->held, &slot->body);
        *status = slot->status;
        if (slot->status != S3STORE_OK && err != NULL)
            *err = slot->error;
    } else {
        a->locked.reading = true;
    }
    s3s_mutex_unlock(&a->mutex);
    return found;
}

s3store_status s3s_leaf_ahead_next(s3s_leaf_reader *r, s3store_error *err)
{
    s3s_ahead *a = r->ahead;
    s3store_status status = S3STORE_OK;
    if (take(r, &status, err))
        return status;
    status = s3s_page_reader_next(&r->pages, &r->page, &r->dictionary_page, err);
    r->page_at = r->pages.page_offset;
    swap_blocks(&r->held, &r->pages.body);
    s3s_mutex_lock(&a->mutex);
    a->locked.reading = false;
    a->locked.in_data = status == S3STORE_OK && r->page.type != S3S_PQ_DICTIONARY_PAGE;
    s3s_cond_broadcast(&a->cond);
    s3s_mutex_unlock(&a->mutex);
    return status;
}

/* ---- reading ahead --------------------------------------------------------------------------- */

static bool has_room_locked(const s3s_ahead *a)
{
    return a->locked.allowed && a->locked.in_data && !a->locked.enough && !a->locked.reading &&
           a->locked.made - a->locked.taken < AHEAD_MAX;
}

bool s3s_leaf_ahead_wants(s3s_leaf_reader *r)
{
    s3s_ahead *a = r->ahead;
    if (!r->reads_ahead)
        return false;
    s3s_mutex_lock(&a->mutex);
    bool wants = has_room_locked(a);
    s3s_mutex_unlock(&a->mutex);
    return wants;
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

/* false: not now. *enough: nor later. */
static bool read_page(s3s_page_reader *pages, ahead_slot *slot, bool *enough)
{
    *enough = pages->at >= pages->place.end;
    if (*enough || !fits(pages))
        return false;
    uint64_t at = pages->at;
    slot->status = s3s_page_reader_next(pages, &slot->page, NULL, &slot->error);
    slot->offset = pages->page_offset;
    if (slot->status == S3STORE_LIMIT_EXCEEDED || slot->status == S3STORE_OUT_OF_MEMORY) {
        pages->at = at; /* there may be room when it is needed */
        *enough = true;
        return false;
    }
    *enough = slot->status != S3STORE_OK;
    swap_blocks(&slot->body, &pages->body);
    return true;
}

void s3s_leaf_ahead_fill(s3s_ahead *a)
{
    bool made = true;
    s3s_mutex_lock(&a->mutex);
    while (made && has_room_locked(a)) {
        ahead_slot *slot = &a->slots[a->locked.made % AHEAD_MAX];
        bool enough = false;
        a->locked.reading = true;
        s3s_mutex_unlock(&a->mutex);
        made = read_page(a->pages, slot, &enough);
        s3s_mutex_lock(&a->mutex);
        a->locked.reading = false;
        a->locked.made += made;
        a->locked.enough = enough;
        s3s_cond_broadcast(&a->cond);
    }
    s3s_mutex_unlock(&a->mutex);
}
