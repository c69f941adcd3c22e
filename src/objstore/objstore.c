#include "objstore/objstore.h"

#include <string.h>

#include "base/error.h"

/* Remembers that the caller's fn wants no more. */
typedef struct walk {
    s3store_list_fn fn;
    void *ctx;
    bool stopped;
} walk;

static bool walk_entry(void *ctx, const s3store_list_entry *entry)
{
    walk *w = ctx;
    if (!w->fn(w->ctx, entry))
        w->stopped = true;
    return !w->stopped;
}

s3store_status s3s_list_all(const s3store_object_store *s, const s3store_call *call,
                            const char *prefix, const char *start_after, uint32_t max_keys,
                            s3store_list_fn fn, void *fn_ctx, uint64_t *pages, s3store_error *err)
{
    walk w = {.fn = fn, .ctx = fn_ctx};
    s3store_list_request request = {.size = sizeof request,
                                    .prefix = prefix,
                                    .start_after = start_after,
                                    .max_keys = max_keys};
    /* Two replies: the request points into the one before. */
    s3store_list_reply replies[2];
    for (unsigned page = 0;; page++) {
        s3store_list_reply *reply = &replies[page & 1];
        reply->truncated = false;
        reply->continuation[0] = '\0';
        if (pages != NULL)
            ++*pages;
        s3store_status status = s3s_list(s, call, &request, walk_entry, &w, reply, err);
        if (status != S3STORE_OK)
            return status;
        if (w.stopped || !reply->truncated)
            return S3STORE_OK;
        /* Going on from the same place would never end; stopping would lose keys silently. */
        if (reply->continuation[0] == '\0' ||
            (request.continuation != NULL &&
             strcmp(request.continuation, reply->continuation) == 0))
            return s3s_fail_key(err, S3STORE_CORRUPT, prefix,
                                "list: the server says that more keys follow but does not say "
                                "where (prefix \"%.200s\", page %u)",
                                prefix, page + 1);
        request.continuation = reply->continuation;
    }
}

typedef struct upload_walk {
    s3store_upload_fn fn;
    void *ctx;
    bool stopped;
} upload_walk;

static bool walk_upload(void *ctx, const s3store_upload *upload)
{
    upload_walk *w = ctx;
    if (!w->fn(w->ctx, upload))
        w->stopped = true;
    return !w->stopped;
}

s3store_status s3s_list_uploads_all(const s3store_object_store *s, const s3store_call *call,
                                    const char *prefix, s3store_upload_fn fn, void *fn_ctx,
                                    s3store_error *err)
{
    upload_walk w = {.fn = fn, .ctx = fn_ctx};
    s3store_list_uploads_request request = {.size = sizeof request, .prefix = prefix};
    s3store_list_uploads_reply replies[2]; /* as in s3s_list_all */
    for (unsigned page = 0;; page++) {
        s3store_list_uploads_reply *reply = &replies[page & 1];
        s3store_status status = s3s_list_multipart(s, call, &request, walk_upload, &w, reply, err);
        if (status != S3STORE_OK || w.stopped || !reply->truncated)
            return status;
        if (request.after_key != NULL && strcmp(request.after_key, reply->next_key) == 0 &&
            strcmp(request.after_upload_id, reply->next_upload_id) == 0)
            return s3s_fail_key(err, S3STORE_CORRUPT, prefix,
                                "the server says that more uploads follow but does not say where "
                                "(prefix \"%.200s\")",
                                prefix);
        request.after_key = reply->next_key;
        request.after_upload_id = reply->next_upload_id;
    }
}

void s3s_store_deinit(s3store_object_store *store)
{
    if (store == NULL)
        return;
    if (store->free != NULL && store->impl != NULL)
        store->free(store->impl);
    memset(store, 0, sizeof *store);
}
