/* The store in memory: a skip list of keys, objects that never change and are counted, one mutex.
 *
 * Bodies are copied in before the lock and handed out after it: it protects the list alone. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/sync.h"
#include "objstore/port.h"

#define ETAG_DIGITS 16

/* One allocation: this, then the metadata text (name NUL value NUL ...), then the body. */
typedef struct object {
    atomic_size_t refs;
    size_t body_size;
    int64_t last_modified_us;
    char etag[ETAG_DIGITS + 1 + 8]; /* "-<parts>" behind it */
    size_t metadata_count;
    size_t metadata_size;
    char bytes[];
} object;

#define MAX_LEVEL 20 /* good for a million keys at one in four */

typedef struct node {
    object *object;
    char *key; /* behind the pointers */
    int level;
    struct node *next[];
} node;

/* An object that is being uploaded in parts. */
typedef struct upload {
    struct upload *next;
    uint64_t id;
    int64_t initiated_us;
    object *head;   /* its metadata */
    object **parts; /* by number, NULL = not there */
    size_t part_count;
    char key[];
} upload;

typedef struct memory {
    s3s_env *env; /* borrowed */
    s3s_mutex mutex;
    struct {
        node *head[MAX_LEVEL];
        upload *uploads;
        uint64_t last_upload;
        uint64_t dice; /* levels of nodes; its own, so that a simulation's randomness stays put */
    } locked;
} memory;

/* ---- objects -------------------------------------------------------------------------------- */

static void object_release(s3s_env *env, object *o)
{
    if (o != NULL && atomic_fetch_sub(&o->refs, 1) == 1)
        s3s_free(env, o);
}

/* Content tells objects apart; nobody takes an ETag of this store for an MD5. */
static void make_etag(const void *body, size_t size, char *etag)
{
    uint64_t hash = s3s_xxh64(body, size, 0);
    s3s_hex(&hash, sizeof hash, etag);
}

static s3store_status object_new(s3s_env *env, const s3store_put_request *request, object **out,
                                 s3store_error *err)
{
    size_t text = 0;
    for (size_t i = 0; i < request->metadata_count; i++)
        text += strlen(request->metadata[i].name) + strlen(request->metadata[i].value) + 2;
    size_t total;
    if (!s3s_add(sizeof(object) + text, request->body_size, &total))
        return s3s_fail_memory(err, SIZE_MAX);
    object *o = s3s_alloc(env, total);
    if (o == NULL)
        return s3s_fail_memory(err, total);
    memset(o, 0, sizeof *o);
    atomic_init(&o->refs, 1);
    o->body_size = request->body_size;
    o->metadata_count = request->metadata_count;
    o->metadata_size = text;
    char *p = o->bytes;
    for (size_t i = 0; i < request->metadata_count; i++) {
        size_t size = strlen(request->metadata[i].name) + 1;
        memcpy(p, request->metadata[i].name, size);
        p += size;
        size = strlen(request->metadata[i].value) + 1;
        memcpy(p, request->metadata[i].value, size);
        p += size;
    }
    if (request->body_size > 0)
        memcpy(p, request->body, request->body_size);
    make_etag(p, request->body_size, o->etag);
    *out = o;
    return S3STORE_OK;
}

static void object_describe(const object *o, int64_t now_us, s3store_object_info *info)
{
    if (info == NULL)
        return;
    info->object_size = o->body_size;
    info->last_modified_us = o->last_modified_us;
    info->date_us = now_us;
    memcpy(info->etag, o->etag, sizeof o->etag);
    const char *p = o->bytes;
    for (size_t i = 0; i < o->metadata_count; i++) {
        const char *value = p + strlen(p) + 1;
        s3store_metadata_add(&info->metadata, p, value); /* fits: checked when it was put */
        p = value + strlen(value) + 1;
    }
}

/* ---- the skip list (with the mutex held) ---------------------------------------------------- */

/* The first node at or above the bound, and the links before it for each level. */
static node *find_locked(memory *m, const char *bound, size_t bound_size, node **before[MAX_LEVEL])
{
    node **links = m->locked.head;
    node *found = NULL;
    for (int level = MAX_LEVEL - 1; level >= 0; level--) {
        node *n = links[level];
        while (n != NULL && s3s_compare_bytes(n->key, strlen(n->key), bound, bound_size) < 0) {
            links = n->next;
            n = links[level];
        }
        found = n;
        if (before != NULL)
            before[level] = &links[level];
    }
    return found;
}

static node *find_key_locked(memory *m, const char *key, node **before[MAX_LEVEL])
{
    node *n = find_locked(m, key, strlen(key), before);
    return n != NULL && strcmp(n->key, key) == 0 ? n : NULL;
}

static int roll_level_locked(memory *m)
{
    uint64_t x = m->locked.dice; /* xorshift64 */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    m->locked.dice = x;
    int level = 1;
    while (level < MAX_LEVEL && (x & 3) == 0) {
        level++;
        x >>= 2;
    }
    return level;
}

static node *node_new(s3s_env *env, const char *key, int level)
{
    size_t pointers = (size_t)level * sizeof(node *);
    size_t key_size = strlen(key) + 1;
    node *n = s3s_alloc(env, sizeof(node) + pointers + key_size);
    if (n == NULL)
        return NULL;
    n->level = level;
    n->key = (char *)n->next + pointers;
    memcpy(n->key, key, key_size);
    return n;
}

/* ---- the port ------------------------------------------------------------------------------- */

/* Conditions, fence and creation in one step. *old is what was replaced. */
static s3store_status put_locked(memory *m, const s3store_put_request *request, object *o,
                                 int64_t now_us, object **old, s3store_error *err)
{
    s3store_status status = s3s_port_check_fence(request, now_us, err);
    if (status != S3STORE_OK)
        return status;
    node **before[MAX_LEVEL];
    node *n = find_key_locked(m, request->key, before);
    if (n != NULL && request->if_none_match)
        return s3s_fail_key(err, S3STORE_ALREADY_EXISTS, request->key,
                            "put: the object exists already: %.200s", request->key);
    o->last_modified_us = now_us;
    if (n != NULL) {
        *old = n->object;
        n->object = o;
        return S3STORE_OK;
    }
    n = node_new(m->env, request->key, roll_level_locked(m));
    if (n == NULL)
        return s3s_fail_memory(err, sizeof *n + strlen(request->key));
    n->object = o;
    for (int level = 0; level < n->level; level++) {
        n->next[level] = *before[level];
        *before[level] = n;
    }
    return S3STORE_OK;
}

static s3store_status memory_put(void *impl, const s3store_call *call,
                                 const s3store_put_request *request, s3store_put_reply *reply,
                                 s3store_error *err)
{
    memory *m = impl;
    s3s_put_reply_reset(reply);
    s3store_status status = s3s_port_check_put(request, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_PUT, request->key, false));
    status = s3s_call_check(m->env, call, err);
    if (status != S3STORE_OK)
        return status;
    object *o = NULL;
    object *old = NULL;
    status = object_new(m->env, request, &o, err);
    if (status != S3STORE_OK)
        return status;
    char etag[sizeof o->etag];
    memcpy(etag, o->etag, sizeof etag);

    s3s_mutex_lock(&m->mutex);
    int64_t now_us = s3s_server_wall_us(m->env);
    status = put_locked(m, request, o, now_us, &old, err);
    s3s_mutex_unlock(&m->mutex);

    object_release(m->env, status == S3STORE_OK ? old : o);
    if (reply != NULL) {
        reply->date_us = now_us;
        if (status == S3STORE_OK)
            memcpy(reply->etag, etag, sizeof etag);
    }
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_PUT, request->key, true));
    return status;
}

/* The object of a key with a reference of its own. */
static s3store_status acquire(memory *m, const char *verb, const char *key, object **out,
                              int64_t *now_us, s3store_error *err)
{
    s3s_mutex_lock(&m->mutex);
    node *n = find_key_locked(m, key, NULL);
    *out = n != NULL ? n->object : NULL;
    if (n != NULL)
        atomic_fetch_add(&n->object->refs, 1);
    *now_us = s3s_server_wall_us(m->env);
    s3s_mutex_unlock(&m->mutex);
    if (*out != NULL)
        return S3STORE_OK;
    s3s_fail_key(err, S3STORE_NOT_FOUND, key, "%s: there is no object %.200s", verb, key);
    if (err != NULL)
        err->server_date_us = *now_us;
    return S3STORE_NOT_FOUND;
}

static s3store_status send_body(memory *m, const object *o, const s3store_get_request *request,
                                const s3store_call *call, s3store_sink *sink, s3store_error *err)
{
    if (request->if_match != NULL && strcmp(request->if_match, o->etag) != 0)
        return s3s_fail_key(err, S3STORE_ALREADY_EXISTS, request->key,
                            "get: the object has ETag %s, not %.64s", o->etag, request->if_match);
    uint64_t offset, length;
    s3store_status status = s3s_port_range(request, o->body_size, &offset, &length, err);
    if (status == S3STORE_OK && sink != NULL)
        status = sink->begin(sink, (int64_t)length, err);
    if (status == S3STORE_OK)
        status = s3s_call_check(m->env, call, err);
    if (status == S3STORE_OK && sink != NULL && length > 0)
        status = sink->write(sink, o->bytes + o->metadata_size + offset, (size_t)length, err);
    return status;
}

static s3store_status memory_get(void *impl, const s3store_call *call,
                                 const s3store_get_request *request, s3store_sink *sink,
                                 s3store_object_info *info, s3store_error *err)
{
    memory *m = impl;
    s3s_object_info_reset(info);
    s3store_status status = s3s_port_check_key(request->key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_GET, request->key, false));
    status = s3s_call_check(m->env, call, err);
    if (status != S3STORE_OK)
        return status;
    object *o = NULL;
    int64_t now_us;
    status = acquire(m, "get", request->key, &o, &now_us, err);
    if (status == S3STORE_OK) {
        object_describe(o, now_us, info);
        status = send_body(m, o, request, call, sink, err);
        object_release(m->env, o);
    }
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_GET, request->key, true));
    return status;
}

static s3store_status memory_head(void *impl, const s3store_call *call, const char *key,
                                  s3store_object_info *info, s3store_error *err)
{
    memory *m = impl;
    s3s_object_info_reset(info);
    s3store_status status = s3s_port_check_key(key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_HEAD, key, false));
    status = s3s_call_check(m->env, call, err);
    if (status != S3STORE_OK)
        return status;
    object *o = NULL;
    int64_t now_us;
    status = acquire(m, "head", key, &o, &now_us, err);
    if (status == S3STORE_OK) {
        object_describe(o, now_us, info);
        object_release(m->env, o);
    }
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_HEAD, key, true));
    return status;
}

static s3store_status fill_page_locked(memory *m, s3s_page *page, s3store_error *err)
{
    node *n = find_locked(m, page->lower, page->lower_size, NULL);
    while (n != NULL) {
        s3s_page_verdict verdict =
            s3s_page_offer(page, n->key, n->object->body_size, n->object->last_modified_us, err);
        if (verdict == S3S_PAGE_FAILED)
            return S3STORE_OUT_OF_MEMORY;
        if (verdict == S3S_PAGE_FULL)
            break;
        n = verdict == S3S_PAGE_SEEK ? find_locked(m, page->lower, page->lower_size, NULL)
                                     : n->next[0];
    }
    return S3STORE_OK;
}

static s3store_status memory_list(void *impl, const s3store_call *call,
                                  const s3store_list_request *request, s3store_list_fn fn,
                                  void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    memory *m = impl;
    s3s_page page;
    s3store_status status = s3s_page_init(&page, m->env, request, err);
    s3s_list_reply_reset(reply); /* after the request was read: it may point to the last reply */
    if (status != S3STORE_OK)
        goto end;
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_LIST, request->prefix, false));
    status = s3s_call_check(m->env, call, err);
    if (status != S3STORE_OK)
        goto end;
    s3s_mutex_lock(&m->mutex);
    int64_t now_us = s3s_server_wall_us(m->env);
    status = fill_page_locked(m, &page, err);
    s3s_mutex_unlock(&m->mutex);
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_LIST, request->prefix, true));
    if (status == S3STORE_OK) {
        if (reply != NULL)
            reply->date_us = now_us;
        s3s_page_deliver(&page, fn, fn_ctx, reply);
    }
end:
    s3s_page_deinit(&page);
    return status;
}

static s3store_status memory_remove(void *impl, const s3store_call *call, const char *key,
                                    s3store_error *err)
{
    memory *m = impl;
    s3store_status status = s3s_port_check_key(key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_REMOVE, key, false));
    status = s3s_call_check(m->env, call, err);
    if (status != S3STORE_OK)
        return status;
    s3s_mutex_lock(&m->mutex);
    node **before[MAX_LEVEL];
    node *n = find_key_locked(m, key, before);
    for (int level = 0; n != NULL && level < n->level; level++)
        *before[level] = n->next[level];
    s3s_mutex_unlock(&m->mutex);
    if (n != NULL) {
        object_release(m->env, n->object);
        s3s_free(m->env, n);
    }
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_REMOVE, key, true));
    return S3STORE_OK;
}

/* ---- uploads in parts ----------------------------------------------------------------------- */

static void upload_free(s3s_env *env, upload *u)
{
    if (u == NULL)
        return;
    object_release(env, u->head);
    for (size_t i = 0; i < u->part_count; i++)
        object_release(env, u->parts[i]);
    s3s_free(env, u->parts);
    s3s_free(env, u);
}

static upload **find_upload_locked(memory *m, const char *key, const char *id)
{
    char text[32];
    for (upload **at = &m->locked.uploads; *at != NULL; at = &(*at)->next) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)(*at)->id);
        if (strcmp(text, id) == 0 && strcmp((*at)->key, key) == 0)
            return at;
    }
    return NULL;
}

static s3store_status no_such_upload(const char *key, const char *id, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_NOT_FOUND, key, "there is no upload %.64s of %.200s", id,
                        key);
}

static s3store_status begin_operation(memory *m, s3s_fault_verb verb, const char *key,
                                      const s3store_call *call, s3store_error *err)
{
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(verb, key, false));
    return s3s_call_check(m->env, call, err);
}

static s3store_status memory_create(void *impl, const s3store_call *call,
                                    const s3store_put_request *request, char *upload_id,
                                    s3store_error *err)
{
    memory *m = impl;
    s3store_put_request head = *request;
    head.body = NULL;
    head.body_size = 0;
    s3store_status status = s3s_port_check_put(&head, err);
    if (status == S3STORE_OK)
        status = begin_operation(m, S3S_VERB_CREATE, request->key, call, err);
    if (status != S3STORE_OK)
        return status;
    size_t size = strlen(request->key) + 1;
    upload *u = s3s_calloc(m->env, 1, sizeof *u + size);
    if (u == NULL)
        return s3s_fail_memory(err, sizeof *u + size);
    memcpy(u->key, request->key, size);
    status = object_new(m->env, &head, &u->head, err);
    if (status != S3STORE_OK) {
        upload_free(m->env, u);
        return status;
    }
    s3s_mutex_lock(&m->mutex);
    u->id = ++m->locked.last_upload;
    u->initiated_us = s3s_server_wall_us(m->env);
    u->next = m->locked.uploads;
    m->locked.uploads = u;
    snprintf(upload_id, S3STORE_UPLOAD_ID_MAX, "%llu", (unsigned long long)u->id);
    s3s_mutex_unlock(&m->mutex);
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_CREATE, request->key, true));
    return S3STORE_OK;
}

/* Puts the part in its place; *old is what to release: the one before, or the part itself. */
static s3store_status put_part_locked(memory *m, const s3store_part_request *request, object *part,
                                      object **old, s3store_error *err)
{
    upload **at = find_upload_locked(m, request->key, request->upload_id);
    *old = part;
    if (at == NULL)
        return no_such_upload(request->key, request->upload_id, err);
    upload *u = *at;
    if (request->number > u->part_count) {
        object **parts = s3s_realloc(m->env, u->parts, request->number * sizeof(object *));
        if (parts == NULL)
            return s3s_fail_memory(err, request->number * sizeof(object *));
        u->parts = parts;
        while (u->part_count < request->number)
            u->parts[u->part_count++] = NULL;
    }
    *old = u->parts[request->number - 1];
    u->parts[request->number - 1] = part;
    return S3STORE_OK;
}

static s3store_status memory_put_part(void *impl, const s3store_call *call,
                                      const s3store_part_request *request,
                                      s3store_put_reply *reply, s3store_error *err)
{
    memory *m = impl;
    s3s_put_reply_reset(reply);
    s3store_put_request body = {
        .key = request->key, .body = request->body, .body_size = request->body_size};
    s3store_status status = s3s_port_check_put(&body, err);
    if (status == S3STORE_OK && (request->number < 1 || request->number > S3STORE_PARTS_MAX))
        status = s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                              "part %u is not between 1 and %d", request->number,
                              S3STORE_PARTS_MAX);
    if (status == S3STORE_OK)
        status = begin_operation(m, S3S_VERB_PART, request->key, call, err);
    object *part = NULL, *old = NULL;
    if (status == S3STORE_OK)
        status = object_new(m->env, &body, &part, err);
    if (status != S3STORE_OK)
        return status;
    reply->date_us = s3s_server_wall_us(m->env);
    memcpy(reply->etag, part->etag, sizeof part->etag);
    s3s_mutex_lock(&m->mutex);
    status = put_part_locked(m, request, part, &old, err);
    s3s_mutex_unlock(&m->mutex);
    object_release(m->env, old);
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_PART, request->key, true));
    return status;
}

/* All parts as one object, with the metadata of the upload. */
static s3store_status join_parts(memory *m, const upload *u,
                                 const s3store_complete_request *request, object **out,
                                 s3store_error *err)
{
    size_t total = sizeof(object) + u->head->metadata_size;
    for (size_t i = 0; i < request->part_count; i++) {
        if (i >= u->part_count || u->parts[i] == NULL ||
            strcmp(u->parts[i]->etag, request->parts[i].etag) != 0)
            return s3s_fail_key(err, S3STORE_CORRUPT, request->key,
                                "part %zu is not there, or another one", i + 1);
        if (!s3s_add(total, u->parts[i]->body_size, &total))
            return s3s_fail_memory(err, SIZE_MAX);
    }
    object *o = s3s_alloc(m->env, total);
    if (o == NULL)
        return s3s_fail_memory(err, total);
    memcpy(o, u->head, sizeof *o + u->head->metadata_size);
    atomic_init(&o->refs, 1);
    char *p = o->bytes + o->metadata_size;
    for (size_t i = 0; i < request->part_count; i++) {
        const object *part = u->parts[i];
        memcpy(p, part->bytes + part->metadata_size, part->body_size);
        p += part->body_size;
    }
    o->body_size = total - sizeof(object) - o->metadata_size;
    make_etag(o->bytes + o->metadata_size, o->body_size, o->etag);
    snprintf(o->etag + ETAG_DIGITS, sizeof o->etag - ETAG_DIGITS, "-%zu", request->part_count);
    *out = o;
    return S3STORE_OK;
}

static s3store_status complete_locked(memory *m, const s3store_complete_request *request,
                                      upload **done, object **old, char etag[72],
                                      s3store_error *err)
{
    upload **at = find_upload_locked(m, request->key, request->upload_id);
    if (at == NULL)
        return no_such_upload(request->key, request->upload_id, err);
    object *o = NULL;
    s3store_status status = join_parts(m, *at, request, &o, err);
    if (status != S3STORE_OK)
        return status;
    s3store_put_request put = {.key = request->key};
    status = put_locked(m, &put, o, s3s_server_wall_us(m->env), old, err);
    if (status != S3STORE_OK) {
        object_release(m->env, o);
        return status;
    }
    memcpy(etag, o->etag, sizeof o->etag);
    *done = *at;
    *at = (*at)->next;
    return S3STORE_OK;
}

static s3store_status memory_complete(void *impl, const s3store_call *call,
                                      const s3store_complete_request *request,
                                      s3store_put_reply *reply, s3store_error *err)
{
    memory *m = impl;
    s3s_put_reply_reset(reply);
    s3store_status status = begin_operation(m, S3S_VERB_COMPLETE, request->key, call, err);
    if (status != S3STORE_OK)
        return status;
    upload *done = NULL;
    object *old = NULL;
    char etag[72] = "";
    s3s_mutex_lock(&m->mutex);
    status = complete_locked(m, request, &done, &old, etag, err);
    s3s_mutex_unlock(&m->mutex);
    upload_free(m->env, done);
    object_release(m->env, old);
    if (reply != NULL) {
        reply->date_us = s3s_server_wall_us(m->env);
        memcpy(reply->etag, etag, sizeof etag);
    }
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_COMPLETE, request->key, true));
    return status;
}

static s3store_status memory_abort(void *impl, const s3store_call *call, const char *key,
                                   const char *upload_id, s3store_error *err)
{
    memory *m = impl;
    s3store_status status = begin_operation(m, S3S_VERB_ABORT, key, call, err);
    if (status != S3STORE_OK)
        return status;
    s3s_mutex_lock(&m->mutex);
    upload **at = find_upload_locked(m, key, upload_id);
    upload *u = at != NULL ? *at : NULL;
    if (u != NULL)
        *at = u->next;
    s3s_mutex_unlock(&m->mutex);
    upload_free(m->env, u);
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_ABORT, key, true));
    return S3STORE_OK;
}

/* Of the uploads of the prefix behind (key, id), the first by key and id; NULL = none. */
static const upload *next_upload_locked(const memory *m, const char *prefix, const char *key,
                                        uint64_t id)
{
    const upload *best = NULL;
    for (const upload *u = m->locked.uploads; u != NULL; u = u->next) {
        int order = key != NULL ? strcmp(u->key, key) : 1;
        if (strncmp(u->key, prefix, strlen(prefix)) != 0 || order < 0 ||
            (order == 0 && u->id <= id))
            continue;
        order = best != NULL ? strcmp(u->key, best->key) : -1;
        if (order < 0 || (order == 0 && u->id < best->id))
            best = u;
    }
    return best;
}

/* One upload a page: few are ever there, and whoever asks learns to go on. */
static s3store_status memory_uploads(void *impl, const s3store_call *call,
                                     const s3store_list_uploads_request *request,
                                     s3store_upload_fn fn, void *fn_ctx,
                                     s3store_list_uploads_reply *reply, s3store_error *err)
{
    memory *m = impl;
    const char *prefix = request->prefix != NULL ? request->prefix : "";
    const char *after_id = request->after_upload_id != NULL ? request->after_upload_id : "0";
    char key[S3STORE_KEY_MAX_BYTES + 1], id[32];
    s3store_upload told = {.key = key, .upload_id = id};
    s3store_status status = begin_operation(m, S3S_VERB_UPLOADS, NULL, call, err);
    if (status != S3STORE_OK)
        return status;
    uint64_t after = strtoull(after_id, NULL, 10);
    s3s_list_uploads_reply_reset(reply);
    s3s_mutex_lock(&m->mutex);
    const upload *u = next_upload_locked(m, prefix, request->after_key, after);
    if (u != NULL) {
        snprintf(key, sizeof key, "%s", u->key);
        snprintf(id, sizeof id, "%llu", (unsigned long long)u->id);
        told.initiated_us = u->initiated_us;
        reply->truncated = next_upload_locked(m, prefix, u->key, u->id) != NULL;
    }
    s3s_mutex_unlock(&m->mutex);
    reply->date_us = s3s_server_wall_us(m->env);
    if (reply->truncated) {
        snprintf(reply->next_key, sizeof reply->next_key, "%s", key);
        snprintf(reply->next_upload_id, sizeof reply->next_upload_id, "%s", id);
    }
    s3s_env_point(m->env, S3S_POINT_STORE, s3s_port_label(S3S_VERB_UPLOADS, NULL, true));
    if (u != NULL)
        (void)fn(fn_ctx, &told);
    return S3STORE_OK;
}

size_t s3s_memory_upload_count(const s3store_object_store *store)
{
    memory *m = store->impl;
    size_t count = 0;
    s3s_mutex_lock(&m->mutex);
    for (const upload *u = m->locked.uploads; u != NULL; u = u->next)
        count++;
    s3s_mutex_unlock(&m->mutex);
    return count;
}

/* ---- the store ------------------------------------------------------------------------------ */

static void memory_free(void *impl)
{
    memory *m = impl;
    s3s_env *env = m->env;
    while (m->locked.uploads != NULL) {
        upload *u = m->locked.uploads;
        m->locked.uploads = u->next;
        upload_free(env, u);
    }
    for (node *n = m->locked.head[0]; n != NULL;) {
        node *next = n->next[0];
        object_release(env, n->object);
        s3s_free(env, n);
        n = next;
    }
    s3s_mutex_deinit(&m->mutex);
    s3s_free(env, m);
}

s3store_status s3s_memory_store_new(s3s_env *env, s3store_object_store *out, s3store_error *err)
{
    memset(out, 0, sizeof *out);
    memory *m = s3s_calloc(env, 1, sizeof *m);
    if (m == NULL)
        return s3s_fail_memory(err, sizeof *m);
    m->env = env;
    m->locked.dice = 0x9e3779b97f4a7c15u;
    s3store_status status = s3s_mutex_init(&m->mutex, env, err);
    if (status != S3STORE_OK) {
        s3s_free(env, m);
        return status;
    }
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = m,
                                  .put = memory_put,
                                  .get = memory_get,
                                  .head = memory_head,
                                  .list = memory_list,
                                  .remove = memory_remove,
                                  .free = memory_free,
                                  .name = "memory",
                                  .create_multipart = memory_create,
                                  .put_part = memory_put_part,
                                  .complete_multipart = memory_complete,
                                  .abort_multipart = memory_abort,
                                  .list_multipart = memory_uploads};
    return S3STORE_OK;
}

s3store_status s3store_memory_store_new(s3store_object_store **out, s3store_error *err)
{
    if (out == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "memory store: out is NULL");
    *out = NULL;
    s3s_env *env = NULL;
    s3store_status status = s3s_env_new_real(&env, err);
    if (status != S3STORE_OK)
        return status;
    s3store_object_store *store = s3s_calloc(env, 1, sizeof *store);
    if (store == NULL) {
        s3s_env_release(env);
        return s3s_fail_memory(err, sizeof *store);
    }
    status = s3s_memory_store_new(env, store, err);
    if (status != S3STORE_OK) {
        s3s_free(env, store);
        s3s_env_release(env);
        return status;
    }
    *out = store;
    return S3STORE_OK;
}

void s3store_memory_store_free(s3store_object_store *store)
{
    if (store == NULL)
        return;
    memory *m = store->impl;
    s3s_env *env = m->env;
    store->free(m);
    s3s_free(env, store);
    s3s_env_release(env);
}
