#include "objstore/port.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

/* ---- requests ------------------------------------------------------------------------------- */

s3store_status s3s_port_check_key(const char *key, s3store_error *err)
{
    if (key == NULL || key[0] == '\0')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "an object key must not be empty");
    size_t size = strnlen(key, S3STORE_KEY_MAX_BYTES + 1);
    if (size > S3STORE_KEY_MAX_BYTES)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, key,
                            "an object key may have at most %d bytes: %.64s...",
                            S3STORE_KEY_MAX_BYTES, key);
    return S3STORE_OK;
}

/* RFC 7230 token characters, without upper case: what every HTTP library passes through. */
static const s3s_byte_set name_chars = {
    {['a' ... 'z'] = true, ['0' ... '9'] = true, ['!'] = true, ['#'] = true, ['$'] = true,
     ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true,
     ['.'] = true, ['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true}};

static s3store_status check_metadata_entry(const s3store_put_request *request, size_t i,
                                           size_t *total, s3store_error *err)
{
    const s3store_metadata_entry *e = &request->metadata[i];
    if (e->name == NULL || e->name[0] == '\0' || e->value == NULL)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "put: metadata entry %zu has no name or no value", i);
    size_t name_size = strnlen(e->name, S3STORE_METADATA_MAX_TEXT);
    size_t value_size = strnlen(e->value, S3STORE_METADATA_MAX_TEXT);
    for (size_t k = 0; k < name_size; k++) {
        if (!name_chars.has[(uint8_t)e->name[k]])
            return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                                "put: metadata name \"%.64s\" has a byte that no header name may "
                                "have (lower case, digits, -)",
                                e->name);
    }
    for (size_t k = 0; k < value_size; k++) {
        unsigned char c = (unsigned char)e->value[k];
        if (c < 0x20 || c > 0x7e)
            return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                                "put: the value of metadata \"%.64s\" is not printable ASCII",
                                e->name);
    }
    /* HTTP drops white space around a value: refused, so that what is read is what was put. */
    if (value_size > 0 && (e->value[0] == ' ' || e->value[value_size - 1] == ' '))
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "put: the value of metadata \"%.64s\" begins or ends with a space",
                            e->name);
    *total += name_size + value_size + 2;
    if (*total > S3STORE_METADATA_MAX_TEXT)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "put: metadata of more than %d bytes", S3STORE_METADATA_MAX_TEXT);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(request->metadata[k].name, e->name) == 0)
            return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                                "put: metadata \"%.64s\" is given twice", e->name);
    }
    return S3STORE_OK;
}

s3store_status s3s_port_check_put(const s3store_put_request *request, s3store_error *err)
{
    s3store_status status = s3s_port_check_key(request->key, err);
    if (status != S3STORE_OK)
        return status;
    if (request->body == NULL && request->body_size > 0)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "put: %zu bytes without a body", request->body_size);
    if (request->metadata_count > S3STORE_METADATA_MAX_ENTRIES)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "put: %zu metadata entries, at most %d are stored",
                            request->metadata_count, S3STORE_METADATA_MAX_ENTRIES);
    if (request->metadata_count > 0 && request->metadata == NULL)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "put: metadata is counted but not given");
    size_t total = 0;
    for (size_t i = 0; i < request->metadata_count; i++) {
        status = check_metadata_entry(request, i, &total, err);
        if (status != S3STORE_OK)
            return status;
    }
    if (request->fenced && request->valid_from_us > request->expires_at_us)
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "put: the fence ends before it begins");
    return S3STORE_OK;
}

s3store_status s3s_port_check_fence(const s3store_put_request *request, int64_t now_us,
                                    s3store_error *err)
{
    if (!request->fenced)
        return S3STORE_OK;
    const char *why = NULL;
    if (now_us > request->expires_at_us)
        why = "the request has expired";
    else if (now_us < request->valid_from_us)
        why = "the request is not valid yet";
    if (why == NULL)
        return S3STORE_OK;
    s3s_fail_key(err, S3STORE_PERMISSION_DENIED, request->key,
                 "put: %s (valid from %lld to %lld, now %lld us): nothing was stored", why,
                 (long long)request->valid_from_us, (long long)request->expires_at_us,
                 (long long)now_us);
    if (err != NULL)
        err->server_date_us = now_us;
    return S3STORE_PERMISSION_DENIED;
}

s3store_status s3s_port_range(const s3store_get_request *request, uint64_t object_size,
                              uint64_t *offset, uint64_t *length, s3store_error *err)
{
    if (request->suffix > 0) {
        *length = request->suffix < object_size ? request->suffix : object_size;
        *offset = object_size - *length;
        return S3STORE_OK;
    }
    bool whole = request->offset == 0 && request->length == S3STORE_LENGTH_ALL;
    if (!whole && request->offset >= object_size && (request->offset > 0 || request->length > 0))
        return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                            "get: the range begins at byte %llu, the object has %llu",
                            (unsigned long long)request->offset, (unsigned long long)object_size);
    uint64_t rest = object_size - request->offset;
    *offset = request->offset;
    *length = request->length < rest ? request->length : rest;
    return S3STORE_OK;
}

void s3s_put_reply_reset(s3store_put_reply *reply)
{
    if (reply != NULL) {
        memset(reply, 0, sizeof *reply);
        reply->date_us = S3STORE_TIME_NONE;
    }
}

void s3s_object_info_reset(s3store_object_info *info)
{
    if (info == NULL)
        return;
    /* Not the whole metadata text: 4 KiB that nobody reads. */
    info->object_size = 0;
    info->last_modified_us = S3STORE_TIME_NONE;
    info->date_us = S3STORE_TIME_NONE;
    info->etag[0] = '\0';
    info->metadata.count = 0;
    info->metadata.text_size = 0;
    info->metadata.text[0] = '\0';
}

void s3s_list_uploads_reply_reset(s3store_list_uploads_reply *reply)
{
    reply->truncated = false;
    reply->next_key[0] = '\0';
    reply->next_upload_id[0] = '\0';
    reply->date_us = S3STORE_TIME_NONE;
}

void s3s_list_reply_reset(s3store_list_reply *reply)
{
    if (reply != NULL) {
        reply->truncated = false;
        reply->continuation[0] = '\0';
        reply->date_us = S3STORE_TIME_NONE;
    }
}

/* ---- scheduling points ---------------------------------------------------------------------- */

enum key_kind { KIND_COMMIT, KIND_DATA, KIND_REF, KIND_CONFIG, KIND_VIEW, KIND_OTHER, KIND_COUNT };

static enum key_kind kind_of_key(const char *key)
{
    if (key == NULL)
        return KIND_OTHER;
    if (strstr(key, "/_ref/") != NULL)
        return KIND_REF;
    if (s3s_ends_with(key, ".commit"))
        return KIND_COMMIT;
    if (s3s_ends_with(key, ".parquet"))
        return KIND_DATA;
    if (s3s_ends_with(key, ".matview"))
        return KIND_VIEW;
    if (strstr(key, "_config/") != NULL)
        return KIND_CONFIG;
    return KIND_OTHER;
}

#define LABELS(verb)                                                                               \
    {                                                                                              \
        {verb " commit", verb " commit done"}, {verb " data", verb " data done"},                  \
            {verb " ref", verb " ref done"}, {verb " config", verb " config done"},                \
            {verb " view", verb " view done"},                                                     \
        {                                                                                          \
            verb, verb " done"                                                                     \
        }                                                                                          \
    }
static const char *const labels[][KIND_COUNT][2] = {
    [S3S_VERB_PUT] = LABELS("put"),   [S3S_VERB_GET] = LABELS("get"),
    [S3S_VERB_HEAD] = LABELS("head"), [S3S_VERB_LIST] = LABELS("list"),
    [S3S_VERB_REMOVE] = LABELS("remove"),
    [S3S_VERB_CREATE] = LABELS("begin upload"),
    [S3S_VERB_PART] = LABELS("put part"),
    [S3S_VERB_COMPLETE] = LABELS("complete upload"),
    [S3S_VERB_ABORT] = LABELS("abort upload"),
    [S3S_VERB_UPLOADS] = LABELS("list uploads"),
};

const char *s3s_port_label(s3s_fault_verb verb, const char *key, bool done)
{
    return labels[verb][kind_of_key(key)][done ? 1 : 0];
}

const char *s3s_port_verb_name(s3s_fault_verb verb)
{
    return labels[verb][KIND_OTHER][0];
}

/* ---- one LIST page -------------------------------------------------------------------------- */

int s3s_compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    if (order != 0)
        return order;
    return a_size < b_size ? -1 : a_size > b_size;
}

bool s3s_range_below(const char *start, size_t start_size, const char *bound, size_t bound_size)
{
    if (start_size <= bound_size && memcmp(start, bound, start_size) == 0)
        return false; /* the bound itself, or something above it, begins with start */
    return s3s_compare_bytes(start, start_size, bound, bound_size) < 0;
}

/* Raises the lower bound to the first string after every string that begins with these bytes.
 * false: there is none (only 0xFF bytes). */
static bool raise_past_prefix(s3s_page *page, const char *prefix, size_t size)
{
    while (size > 0 && (unsigned char)prefix[size - 1] == 0xff)
        size--;
    if (size == 0)
        return false;
    memcpy(page->lower, prefix, size);
    page->lower[size - 1] = (char)((unsigned char)page->lower[size - 1] + 1);
    page->lower_size = size;
    return true;
}

/* The smallest string above key is key with a NUL behind it. */
static void raise_past_key(s3s_page *page, const char *key, size_t size)
{
    memcpy(page->lower, key, size);
    page->lower[size] = '\0';
    page->lower_size = size + 1;
}

static s3store_status bound_argument(const char *text, const char *what, size_t *size,
                                     s3store_error *err)
{
    *size = text != NULL ? strnlen(text, S3STORE_KEY_MAX_BYTES + 1) : 0;
    if (*size > S3STORE_KEY_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "list: %s has more than %d bytes", what,
                        S3STORE_KEY_MAX_BYTES);
    return S3STORE_OK;
}

/* A continuation is "k<last key>" or "p<last common prefix>". */
static s3store_status begin_at(s3s_page *page, const s3store_list_request *request,
                               s3store_error *err)
{
    size_t size = 0;
    s3store_status status;
    const char *token = request->continuation;
    if (token != NULL && token[0] != '\0') {
        status = bound_argument(token + 1, "the continuation", &size, err);
        if (status != S3STORE_OK)
            return status;
        bool past = true;
        if (token[0] == 'k' && size > 0)
            raise_past_key(page, token + 1, size);
        else if (token[0] == 'p' && size > 0)
            past = raise_past_prefix(page, token + 1, size);
        else
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "list: the continuation \"%.64s\" is not one of this store", token);
        if (!past) /* nothing can follow */
            page->max_keys = 0;
        return S3STORE_OK;
    }
    status = bound_argument(request->start_after, "start_after", &size, err);
    if (status == S3STORE_OK && size > 0)
        raise_past_key(page, request->start_after, size);
    return status;
}

s3store_status s3s_page_init(s3s_page *page, s3s_env *env, const s3store_list_request *request,
                             s3store_error *err)
{
    memset(page, 0, offsetof(s3s_page, lower));
    page->env = env;
    page->lower_size = 0;
    page->entries = NULL;
    page->count = 0;
    page->truncated = false;
    s3s_arena_init(&page->arena, env);
    page->prefix = request->prefix != NULL ? request->prefix : "";
    s3store_status status = bound_argument(page->prefix, "the prefix", &page->prefix_size, err);
    if (status != S3STORE_OK)
        return status;
    if (request->delimiter != NULL && request->delimiter[0] != '\0') {
        page->delimiter = request->delimiter;
        status = bound_argument(page->delimiter, "the delimiter", &page->delimiter_size, err);
        if (status != S3STORE_OK)
            return status;
    }
    page->max_keys = request->max_keys == 0 || request->max_keys > S3S_LIST_MAX_KEYS
                         ? S3S_LIST_MAX_KEYS
                         : request->max_keys;
    status = begin_at(page, request, err);
    if (status != S3STORE_OK)
        return status;
    if (s3s_compare_bytes(page->lower, page->lower_size, page->prefix, page->prefix_size) < 0) {
        memcpy(page->lower, page->prefix, page->prefix_size);
        page->lower_size = page->prefix_size;
    }
    page->entries = s3s_arena_alloc(&page->arena, (page->max_keys + 1) * sizeof *page->entries);
    if (page->entries == NULL)
        return s3s_fail_memory(err, (page->max_keys + 1) * sizeof *page->entries);
    return S3STORE_OK;
}

void s3s_page_deinit(s3s_page *page)
{
    s3s_arena_deinit(&page->arena);
    page->entries = NULL;
}

s3s_page_verdict s3s_page_offer(s3s_page *page, const char *key, uint64_t object_size,
                                int64_t last_modified_us, s3store_error *err)
{
    size_t size = strlen(key);
    if (s3s_compare_bytes(key, size, page->lower, page->lower_size) < 0)
        return S3S_PAGE_NEXT;
    if (size < page->prefix_size || memcmp(key, page->prefix, page->prefix_size) != 0)
        return S3S_PAGE_FULL; /* at or above lower and not in the prefix: past it */
    if (page->count >= page->max_keys) {
        page->truncated = page->max_keys > 0;
        return S3S_PAGE_FULL;
    }
    size_t taken = size;
    bool is_prefix = false;
    if (page->delimiter != NULL) {
        const char *at = strstr(key + page->prefix_size, page->delimiter);
        if (at != NULL) {
            taken = (size_t)(at - key) + page->delimiter_size;
            is_prefix = true;
        }
    }
    char *copy = s3s_arena_strndup(&page->arena, key, taken);
    if (copy == NULL) {
        s3s_fail_memory(err, taken + 1);
        return S3S_PAGE_FAILED;
    }
    s3s_page_entry *entry = &page->entries[page->count++];
    entry->key = copy;
    entry->is_prefix = is_prefix;
    entry->object_size = is_prefix ? 0 : object_size;
    entry->last_modified_us = is_prefix ? S3STORE_TIME_NONE : last_modified_us;
    if (!is_prefix) {
        raise_past_key(page, key, size);
        return S3S_PAGE_NEXT;
    }
    if (!raise_past_prefix(page, key, taken))
        return S3S_PAGE_FULL;
    return S3S_PAGE_SEEK;
}

void s3s_page_deliver(const s3s_page *page, s3store_list_fn fn, void *fn_ctx,
                      s3store_list_reply *reply)
{
    if (reply != NULL) {
        reply->truncated = page->truncated;
        reply->continuation[0] = '\0';
        if (page->truncated) {
            const s3s_page_entry *last = &page->entries[page->count - 1];
            reply->continuation[0] = last->is_prefix ? 'p' : 'k';
            size_t size = strlen(last->key); /* at most S3STORE_KEY_MAX_BYTES */
            memcpy(reply->continuation + 1, last->key, size + 1);
        }
    }
    for (size_t i = 0; fn != NULL && i < page->count; i++) {
        const s3s_page_entry *e = &page->entries[i];
        s3store_list_entry entry = {.key = e->key,
                                    .is_prefix = e->is_prefix,
                                    .object_size = e->object_size,
                                    .last_modified_us = e->last_modified_us};
        if (!fn(fn_ctx, &entry))
            return;
    }
}
