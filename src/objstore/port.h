/* objstore/port.h: what the stores of this module share: checks of a request, labels of scheduling
 * points, ranges, and the arithmetic of one LIST page. Not for other modules.
 */
#ifndef S3S_OBJSTORE_PORT_H
#define S3S_OBJSTORE_PORT_H

#include "base/buffer.h"
#include "objstore/objstore.h"

/* ---- requests ------------------------------------------------------------------------------- */

/* A key is 1 to S3STORE_KEY_MAX_BYTES bytes. */
s3store_status s3s_port_check_key(const char *key, s3store_error *err);
/* Key, body, condition, metadata (names are tokens in lower case, values printable ASCII; count and
 * text fit s3store_metadata) and the fence. */
s3store_status s3s_port_check_put(const s3store_put_request *request, s3store_error *err);

/* The fence of a put against the server's clock: PERMISSION_DENIED, with the date in err. */
s3store_status s3s_port_check_fence(const s3store_put_request *request, int64_t now_us,
                                    s3store_error *err);

/* The part of an object that a GET asks for. A range that begins at or after the end is
 * INVALID_ARGUMENT, as on S3 (416), except offset 0 of an empty object. */
s3store_status s3s_port_range(const s3store_get_request *request, uint64_t object_size,
                              uint64_t *offset, uint64_t *length, s3store_error *err);

/* Answers hold nothing of an earlier attempt. NULL allowed. */
void s3s_put_reply_reset(s3store_put_reply *reply);
void s3s_object_info_reset(s3store_object_info *info);
void s3s_list_reply_reset(s3store_list_reply *reply);
void s3s_list_uploads_reply_reset(s3store_list_uploads_reply *reply);

/* ---- scheduling points ---------------------------------------------------------------------- */

/* "put commit", "head commit", "list": before the operation takes effect; with done, before its
 * answer returns ("put commit done"). Static text. key NULL for LIST. */
const char *s3s_port_label(s3s_fault_verb verb, const char *key, bool done);
const char *s3s_port_verb_name(s3s_fault_verb verb); /* "put" */

/* ---- one LIST page -------------------------------------------------------------------------- */

#define S3S_LIST_MAX_KEYS 1000 /* more in one page is cut to this, as S3 does */
#define S3S_BOUND_SIZE (S3STORE_KEY_MAX_BYTES + 8)

typedef struct s3s_page_entry {
    const char *key; /* in the arena */
    bool is_prefix;
    uint64_t object_size;
    int64_t last_modified_us;
} s3s_page_entry;

/* The store offers keys in ascending byte order, beginning at `lower`; the page decides. */
typedef struct s3s_page {
    s3s_env *env;
    const char *prefix; /* borrowed from the request */
    size_t prefix_size;
    const char *delimiter; /* NULL = none */
    size_t delimiter_size;
    size_t max_keys;

    /* Keys below this byte string are not wanted; grows when a common prefix was taken. */
    char lower[S3S_BOUND_SIZE];
    size_t lower_size;

    s3s_arena arena;
    s3s_page_entry *entries; /* max_keys */
    size_t count;
    bool truncated;
} s3s_page;

typedef enum s3s_page_verdict {
    S3S_PAGE_NEXT,   /* taken (or below lower): offer the next key */
    S3S_PAGE_SEEK,   /* a common prefix was taken: go on at the new lower */
    S3S_PAGE_FULL,   /* not taken, the page is complete */
    S3S_PAGE_FAILED, /* out of memory */
} s3s_page_verdict;

/* Checks the request and decodes its continuation. deinit after success or failure. */
s3store_status s3s_page_init(s3s_page *page, s3s_env *env, const s3store_list_request *request,
                             s3store_error *err);
void s3s_page_deinit(s3s_page *page);
s3s_page_verdict s3s_page_offer(s3s_page *page, const char *key, uint64_t object_size,
                                int64_t last_modified_us, s3store_error *err);
/* Fills the reply's truncated and continuation, then calls fn for each entry. */
void s3s_page_deliver(const s3s_page *page, s3store_list_fn fn, void *fn_ctx,
                      s3store_list_reply *reply);

/* Byte order of two strings of bytes. */
int s3s_compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size);
/* Whether every key that begins with these bytes lies below the bound. */
bool s3s_range_below(const char *start, size_t start_size, const char *bound, size_t bound_size);

/* ---- layers among themselves ---------------------------------------------------------------- */

/* Repeated attempts so far, when the store is a retry layer; else 0. */
uint64_t s3s_retry_count(const s3store_object_store *store);

#endif
