/* objstore/objstore.h: the port's implementations and the layers around them.
 *
 * The port itself is public (s3store_object_store in s3store.h). A target's stack, outermost first:
 *
 *   transfer  large objects: uploads in parts, downloads in ranges, side by side
 *   meter   counts requests and bytes
 *   retry   repeats what can be repeated (docs/FORMAT.md "Retry policy")
 *   limit   FIFO limit of requests in flight; one slot for each attempt, none during back-off
 *   s3 | local | memory
 *
 * Each layer implements the port and borrows the store below it. fault is a layer for tests.
 */
#ifndef S3S_OBJSTORE_H
#define S3S_OBJSTORE_H

#include "base/env.h"
#include "base/pool.h"

/* ---- calling through the port: fill in sizes and defaults ------------------------------------------ */

static inline s3store_status s3s_put(const s3store_object_store *s, const s3store_call *call,
                                     const s3store_put_request *request, s3store_put_reply *reply,
                                     s3store_error *err)
{
    return s->put(s->impl, call, request, reply, err);
}
static inline s3store_status s3s_get(const s3store_object_store *s, const s3store_call *call,
                                     const s3store_get_request *request, s3store_sink *sink,
                                     s3store_object_info *info, s3store_error *err)
{
    return s->get(s->impl, call, request, sink, info, err);
}
static inline s3store_status s3s_head(const s3store_object_store *s, const s3store_call *call,
                                      const char *key, s3store_object_info *info,
                                      s3store_error *err)
{
    return s->head(s->impl, call, key, info, err);
}
static inline s3store_status s3s_list(const s3store_object_store *s, const s3store_call *call,
                                      const s3store_list_request *request, s3store_list_fn fn,
                                      void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    return s->list(s->impl, call, request, fn, fn_ctx, reply, err);
}
static inline s3store_status s3s_remove(const s3store_object_store *s, const s3store_call *call,
                                        const char *key, s3store_error *err)
{
    return s->remove(s->impl, call, key, err);
}

static inline s3store_status s3s_create_multipart(const s3store_object_store *s,
                                                  const s3store_call *call,
                                                  const s3store_put_request *request,
                                                  char upload_id[S3STORE_UPLOAD_ID_MAX],
                                                  s3store_error *err)
{
    return s->create_multipart(s->impl, call, request, upload_id, err);
}
static inline s3store_status s3s_put_part(const s3store_object_store *s, const s3store_call *call,
                                          const s3store_part_request *request,
                                          s3store_put_reply *reply, s3store_error *err)
{
    return s->put_part(s->impl, call, request, reply, err);
}
static inline s3store_status s3s_complete_multipart(const s3store_object_store *s,
                                                    const s3store_call *call,
                                                    const s3store_complete_request *request,
                                                    s3store_put_reply *reply, s3store_error *err)
{
    return s->complete_multipart(s->impl, call, request, reply, err);
}
static inline s3store_status s3s_abort_multipart(const s3store_object_store *s,
                                                 const s3store_call *call, const char *key,
                                                 const char *upload_id, s3store_error *err)
{
    return s->abort_multipart(s->impl, call, key, upload_id, err);
}

static inline s3store_status s3s_list_multipart(const s3store_object_store *s,
                                                const s3store_call *call,
                                                const s3store_list_uploads_request *request,
                                                s3store_upload_fn fn, void *fn_ctx,
                                                s3store_list_uploads_reply *reply,
                                                s3store_error *err)
{
    return s->list_multipart(s->impl, call, request, fn, fn_ctx, reply, err);
}

/* All pages of the uploads of a prefix; fn returning false stops the walk (OK). */
s3store_status s3s_list_uploads_all(const s3store_object_store *s, const s3store_call *call,
                                    const char *prefix, s3store_upload_fn fn, void *fn_ctx,
                                    s3store_error *err);

/* All pages of a prefix, in order; fn returning false stops the walk (OK). start_after may be NULL.
 * max_keys 0 = server default. pages (may be NULL) is increased for each page asked for. */
s3store_status s3s_list_all(const s3store_object_store *s, const s3store_call *call,
                            const char *prefix, const char *start_after, uint32_t max_keys,
                            s3store_list_fn fn, void *fn_ctx, uint64_t *pages, s3store_error *err);

/* The same for prefixes with very many keys: in order, each key once, with many LISTs at once.
 *
 * The first pages are asked for one after another, as s3s_list_all does: small prefixes cost what
 * they cost there. When more follows, the directories are discovered (LIST with '/') and walked
 * side by side, those with few keys in groups; a directory without directories is walked page by
 * page. Memory is bounded by pages that wait for their turn, not by the number of keys. */
typedef struct s3s_walk_options {
    const char *prefix;      /* "" = all */
    const char *start_after; /* keys above it; NULL = all */
    const char *stop_at;     /* keys below it; NULL = all */
    size_t limit;            /* LISTs at once; 0 = 32 */
    size_t serial_pages;     /* before going side by side; 0 = 2 */
    uint32_t max_keys;       /* of a page; 0 = the server's default */
    /* The walk has come to key: a key above it such that nothing up to and with that one is
     * wanted, written to buffer (S3STORE_KEY_MAX_BYTES + 1 bytes). false = there is none. Called
     * from any thread. NULL = everything is wanted. */
    bool (*skip)(void *ctx, const char *key, char *buffer);
    void *skip_ctx;
} s3s_walk_options;

typedef struct s3s_walk_result {
    uint64_t pages; /* LISTs */
    int64_t first_date_us;      /* of the first answer; S3STORE_TIME_NONE = not said */
    int64_t first_sent_wall_us; /* when its request was sent */
    int64_t first_took_us;
} s3s_walk_result;

/* fn as for s3s_list_all, from the calling thread. result may be NULL. Pages that wait: at most two
 * for each LIST at once. */
s3store_status s3s_list_parallel(s3s_env *env, const s3store_object_store *s, s3s_pool *pool,
                                 const s3store_call *call, const s3s_walk_options *options,
                                 s3store_list_fn fn, void *fn_ctx, s3s_walk_result *result,
                                 s3store_error *err);

/* ---- the stores ------------------------------------------------------------------------------------ */

/* In memory. Every operation is a scheduling point of the env (before it takes effect and before its
 * answer returns), uses the env's server clock for dates, and honours conditions and the fence
 * exactly (no granularity, no processing delay). */
s3store_status s3s_memory_store_new(s3s_env *env, s3store_object_store *out, s3store_error *err);

/* Uploads in parts that were begun and neither completed nor aborted. For tests. */
size_t s3s_memory_upload_count(const s3store_object_store *store);

/* A directory (docs/FORMAT.md "Local directories"). */
typedef struct s3s_local_options {
    const char *root; /* absolute; created on the first put when it is missing */
    bool fsync;
} s3s_local_options;
s3store_status s3s_local_store_new(s3s_env *env, const s3s_local_options *options,
                                   s3store_object_store *out, s3store_error *err);

/* The path of the file that holds an object of such a store (its name when it is no directory
 * too). INVALID_ARGUMENT when the buffer is too small. */
s3store_status s3s_local_path(const char *root, const char *key, char *buffer, size_t buffer_size,
                              s3store_error *err);

/* S3 over HTTP. Text is copied. */
typedef struct s3s_s3_options {
    const char *bucket;
    const char *endpoint_url; /* NULL = AWS by region */
    const char *region;       /* NULL = environment, shared config, us-east-1 */
    const char *profile;      /* NULL = AWS_PROFILE, "default" */
    const char *access_key_id; /* NULL = the chain */
    const char *secret_access_key;
    const char *session_token;
    s3store_addressing addressing;
    const char *ca_bundle;
    bool no_verify_tls;
    bool no_sign_request;
    const char *consistency; /* header value; NULL = strong-global */
    size_t max_connections;  /* kept open when idle */
} s3s_s3_options;
s3store_status s3s_s3_store_new(s3s_env *env, const s3s_s3_options *options,
                                s3store_object_store *out, s3store_error *err);

/* Where the credentials of requests come from ("the environment"), "" for requests that are not
 * signed. NO_CREDENTIALS, which says where they were looked for. UNSUPPORTED for other stores. */
s3store_status s3s_credentials_name(const s3store_object_store *store, const s3store_call *call,
                                    char *out, size_t out_size, s3store_error *err);
bool s3s_uses_tls(const s3store_object_store *store);
/* A put whose body is changed on its way, after checksum and signature were made: OK means that the
 * server does not look. The body has one byte at least. UNSUPPORTED for other stores. */
s3store_status s3s_put_damaged(const s3store_object_store *store, const s3store_call *call,
                               const s3store_put_request *request, s3store_error *err);

/* Connections opened, and requests that found one open; 0 for a store that is not S3. */
void s3s_connection_counts(const s3store_object_store *store, uint64_t *opened, uint64_t *reused);

/* Frees what a constructor filled in (calls out->free); zeroes it. */
void s3s_store_deinit(s3store_object_store *store);

/* ---- layers: `inner` is borrowed and must outlive the layer ----------------------------------------- */

s3store_status s3s_layer_limit_new(s3s_env *env, const s3store_object_store *inner,
                                   size_t max_inflight, s3store_object_store *out,
                                   s3store_error *err);

typedef struct s3s_retry_options {
    int attempts;           /* 0 = 5 */
    int64_t attempt_budget_us; /* total time for one call with its retries; 0 = 60 s */
} s3s_retry_options;
s3store_status s3s_layer_retry_new(s3s_env *env, const s3store_object_store *inner,
                                   const s3s_retry_options *options, s3store_object_store *out,
                                   s3store_error *err);

typedef struct s3s_meter s3s_meter; /* counters; lock-free to read */
s3store_status s3s_layer_meter_new(s3s_env *env, const s3store_object_store *inner,
                                   s3store_object_store *out, s3s_meter **meter,
                                   s3store_error *err);
/* So many data objects are about to be read: what the requests are measured by. */
void s3s_meter_plan(s3s_meter *meter, uint64_t data_objects);
void s3s_meter_read(const s3s_meter *meter, s3store_request_counts *out);

/* Large objects. A put of a body above a size that has neither condition nor fence becomes an
 * upload in parts, where the store knows them; a get of a whole large object becomes gets of
 * ranges of it, which are given to the sink in order. Each part and range is a request of its own
 * to the layers below. Memory: none for parts, range_bytes * ranges_at_once for ranges. An upload
 * that fails is aborted, in the background where the call was cancelled or out of time (freeing
 * the layer waits for that). Zero means default. */
typedef struct s3s_transfer_options {
    uint64_t parts_above_bytes; /* 64 MiB; UINT64_MAX = never */
    size_t part_bytes;          /* 16 MiB; more where a body has over S3STORE_PARTS_MAX of them */
    size_t parts_at_once;       /* 8 */
    uint64_t ranges_above_bytes; /* 16 MiB; UINT64_MAX = never */
    size_t range_bytes;          /* 8 MiB */
    size_t ranges_at_once;       /* 4 */
} s3s_transfer_options;
s3store_status s3s_layer_transfer_new(s3s_env *env, const s3store_object_store *inner,
                                      s3s_pool *pool, const s3s_transfer_options *options,
                                      s3store_object_store *out, s3store_error *err);

/* For tests: a hook before and after each operation decides what happens. */
typedef enum s3s_fault_verb {
    S3S_VERB_PUT,
    S3S_VERB_GET,
    S3S_VERB_HEAD,
    S3S_VERB_LIST,
    S3S_VERB_REMOVE,
    S3S_VERB_CREATE, /* of an upload in parts */
    S3S_VERB_PART,
    S3S_VERB_COMPLETE,
    S3S_VERB_ABORT,
    S3S_VERB_UPLOADS, /* LIST of them */
} s3s_fault_verb;
#define S3S_VERB_COUNT (S3S_VERB_UPLOADS + 1)
typedef struct s3s_fault_decision {
    s3store_status before; /* not OK: the operation is not done and this is returned */
    s3store_status after;  /* not OK: it is done, its answer is lost and this is returned */
    int64_t delay_us;      /* slept (env) before it is done */
    uint64_t cut_body_at;  /* GET: the sink gets this many bytes, then UNAVAILABLE; UINT64_MAX = all */
    int32_t retry_after_ms; /* said with the status */
} s3s_fault_decision;
typedef s3s_fault_decision (*s3s_fault_fn)(void *ctx, s3s_fault_verb verb, const char *key,
                                           uint64_t sequence);
#define S3S_FAULT_NONE ((s3s_fault_decision){.cut_body_at = UINT64_MAX})
s3store_status s3s_layer_fault_new(s3s_env *env, const s3store_object_store *inner,
                                   s3s_fault_fn fn, void *ctx, s3store_object_store *out,
                                   s3store_error *err);

#endif
