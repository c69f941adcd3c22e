#include "support/faulty_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

/* ---- late requests --------------------------------------------------------------------------- */

/* A copy of a PUT that arrives when its client has long stopped waiting. */
typedef struct faulty_late {
    struct faulty_late *next;
    faulty_store *owner;
    int64_t after_us, apply_us;
    s3store_put_request put;
    char *key;
    void *body;
    s3store_metadata_entry *metadata;
} faulty_late;

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}

static void late_free(faulty_late *l)
{
    for (size_t i = 0; i < l->put.metadata_count; i++) {
        free((char *)l->metadata[i].name);
        free((char *)l->metadata[i].value);
    }
    free(l->metadata);
    free(l->body);
    free(l->key);
    free(l);
}

/* A PUT comes to the server. */
static s3store_status deliver(faulty_store *f, const s3store_call *call,
                              const s3store_put_request *request, int64_t apply_us,
                              s3store_put_reply *reply, s3store_error *err)
{
    s3store_put_request put = *request;
    if (f->coarse && put.fenced)
        put.expires_at_us += 999999;
    int64_t now_us = s3s_server_wall_us(f->env);
    if (apply_us > 0 && (!put.fenced || (now_us >= put.valid_from_us &&
                                         now_us <= put.expires_at_us))) {
        (void)s3s_sleep_us(f->env, apply_us, NULL, NULL);
        put.fenced = false;
        call = NULL;
    }
    s3store_status status = s3s_put(f->inner, call, &put, reply, err);
    if (status == S3STORE_OK && f->stored != NULL)
        f->stored(f->stored_ctx, &put);
    return status;
}

static void late_run(void *ctx)
{
    faulty_late *l = ctx;
    faulty_store *f = l->owner;
    s3store_put_reply reply = {0};
    (void)s3s_sleep_us(f->env, l->after_us, NULL, NULL);
    (void)deliver(f, NULL, &l->put, l->apply_us, &reply, NULL);
}

static bool late_send(faulty_store *f, const s3store_put_request *put, const faulty_fate *fate)
{
    faulty_late *l = calloc(1, sizeof *l);
    if (l == NULL)
        return false;
    l->next = f->lates;
    f->lates = l;
    l->owner = f;
    l->after_us = fate->late_us;
    l->apply_us = fate->apply_us;
    l->put = *put;
    l->put.metadata_count = 0;
    l->key = copy_text(put->key);
    l->body = malloc(put->body_size + 1);
    l->metadata = calloc(put->metadata_count + 1, sizeof *l->metadata);
    if (l->key == NULL || l->body == NULL || l->metadata == NULL)
        return false;
    if (put->body_size > 0)
        memcpy(l->body, put->body, put->body_size);
    for (size_t i = 0; i < put->metadata_count; i++) {
        l->metadata[i].name = copy_text(put->metadata[i].name);
        l->metadata[i].value = copy_text(put->metadata[i].value);
        l->put.metadata_count = i + 1;
    }
    l->put.key = l->key;
    l->put.body = l->body;
    l->put.metadata = l->metadata;
    char name[32];
    snprintf(name, sizeof name, "late%u", f->late_count++);
    return s3s_sim_add(f->sim, name, 0, late_run, l, NULL) == S3STORE_OK;
}

/* ---- the port -------------------------------------------------------------------------------- */

static faulty_kind kind_of(const char *key)
{
    if (s3s_ends_with(key, ".parquet"))
        return FAULTY_DATA;
    if (s3s_ends_with(key, ".ref"))
        return FAULTY_REF;
    return s3s_ends_with(key, ".commit") ? FAULTY_COMMIT : FAULTY_OTHER;
}

static faulty_fate begin(faulty_store *f, s3s_fault_verb verb, const char *key,
                         const s3store_put_request *put)
{
    static const char *const verbs[] = {"put", "get", "head", "list", "remove"};
    static const char *const kinds[] = {"data", "ref", "commit", "other"};
    faulty_request r = {.verb = verb, .kind = kind_of(key), .key = key, .put = put};
    if (f->sim == NULL)
        return f->fn != NULL ? f->fn(f->ctx, &r) : (faulty_fate){0};
    r.number = ++f->counts[verb][r.kind];
    if (f->trace_size + 32 < sizeof f->trace)
        f->trace_size += (size_t)snprintf(f->trace + f->trace_size,
                                          sizeof f->trace - f->trace_size, "%s%s %s",
                                          f->trace_size > 0 ? ", " : "", verbs[verb],
                                          kinds[r.kind]);
    return f->fn != NULL ? f->fn(f->ctx, &r) : (faulty_fate){0};
}

static void pause_for(const faulty_store *f, int64_t duration_us)
{
    if (duration_us > 0)
        (void)s3s_sleep_us(f->env, duration_us, NULL, NULL);
}

static s3store_status end(const faulty_store *f, const faulty_fate *fate, const char *key,
                          s3store_status status, s3store_error *err)
{
    if (fate->crash)
        s3s_sim_crash(f->sim);
    pause_for(f, fate->after_us);
    if (fate->answer == S3STORE_OK)
        return status;
    return s3s_fail_key(err, fate->answer, key, "the answer was made up: %s",
                        s3store_status_name(fate->answer));
}

static s3store_status refuse(const faulty_fate *fate, const char *key, s3store_error *err)
{
    return s3s_fail_key(err, fate->refuse, key, "refused by the test: %s",
                        s3store_status_name(fate->refuse));
}

static s3store_status faulty_put(void *impl, const s3store_call *call,
                                 const s3store_put_request *request, s3store_put_reply *reply,
                                 s3store_error *err)
{
    faulty_store *f = impl;
    s3store_put_request put = *request;
    s3store_status status = S3STORE_OK;
    if (f->ignores_conditions)
        put.if_none_match = false;
    if (f->ignores_fence)
        put.fenced = false;
    faulty_fate fate = begin(f, S3S_VERB_PUT, request->key, request);
    *reply = (s3store_put_reply){.date_us = S3STORE_TIME_NONE};
    pause_for(f, fate.before_us);
    if (fate.refuse != S3STORE_OK) {
        reply->date_us = s3s_server_wall_us(f->env);
        status = refuse(&fate, request->key, err);
    } else if (fate.late) {
        if (f->sim == NULL || !late_send(f, &put, &fate))
            return s3s_fail(err, S3STORE_INTERNAL, "the late request could not be kept");
    } else {
        status = deliver(f, fate.before_us > 0 ? NULL : call, &put, fate.apply_us, reply, err);
    }
    if (fate.no_date || fate.answer != S3STORE_OK)
        reply->date_us = S3STORE_TIME_NONE;
    else if (reply->date_us != S3STORE_TIME_NONE)
        reply->date_us += f->date_offset_us;
    return end(f, &fate, request->key, status, err);
}

static s3store_status faulty_get(void *impl, const s3store_call *call,
                                 const s3store_get_request *request, s3store_sink *sink,
                                 s3store_object_info *info, s3store_error *err)
{
    faulty_store *f = impl;
    faulty_fate fate = begin(f, S3S_VERB_GET, request->key, NULL);
    pause_for(f, fate.before_us);
    s3store_status status = fate.refuse != S3STORE_OK
                                ? refuse(&fate, request->key, err)
                                : s3s_get(f->inner, call, request, sink, info, err);
    return end(f, &fate, request->key, status, err);
}

static s3store_status faulty_head(void *impl, const s3store_call *call, const char *key,
                                  s3store_object_info *info, s3store_error *err)
{
    faulty_store *f = impl;
    faulty_fate fate = begin(f, S3S_VERB_HEAD, key, NULL);
    if (f->sim != NULL)
        f->durable_heads += call != NULL && call->durable;
    pause_for(f, fate.before_us);
    s3store_status status = fate.refuse != S3STORE_OK ? refuse(&fate, key, err)
                                                      : s3s_head(f->inner, call, key, info, err);
    return end(f, &fate, key, status, err);
}

/* A page that is on its way: its entries are delivered later than they were read. */
typedef struct held_page {
    s3store_list_entry *entries;
    size_t count, capacity;
    bool failed;
} held_page;

static bool hold_entry(void *ctx, const s3store_list_entry *entry)
{
    held_page *p = ctx;
    if (p->count == p->capacity) {
        size_t capacity = p->capacity * 2 + 16;
        s3store_list_entry *grown = realloc(p->entries, capacity * sizeof *grown);
        p->failed = grown == NULL;
        if (p->failed)
            return false;
        p->entries = grown;
        p->capacity = capacity;
    }
    p->entries[p->count] = *entry;
    p->entries[p->count].key = copy_text(entry->key);
    p->failed = p->entries[p->count].key == NULL;
    p->count += !p->failed;
    return !p->failed;
}

static s3store_status list_and_hold(faulty_store *f, const s3store_call *call,
                                    const s3store_list_request *request, int64_t after_us,
                                    s3store_list_fn fn, void *fn_ctx, s3store_list_reply *reply,
                                    s3store_error *err)
{
    held_page p = {0};
    s3store_status status = s3s_list(f->inner, call, request, hold_entry, &p, reply, err);
    if (status == S3STORE_OK && p.failed)
        status = s3s_fail_memory(err, sizeof *p.entries);
    pause_for(f, after_us);
    bool more = status == S3STORE_OK;
    for (size_t i = 0; i < p.count; i++) {
        more = more && fn(fn_ctx, &p.entries[i]);
        free((char *)p.entries[i].key);
    }
    free(p.entries);
    return status;
}

static s3store_status faulty_list(void *impl, const s3store_call *call,
                                  const s3store_list_request *request, s3store_list_fn fn,
                                  void *fn_ctx, s3store_list_reply *reply, s3store_error *err)
{
    faulty_store *f = impl;
    faulty_fate fate = begin(f, S3S_VERB_LIST, request->prefix, NULL);
    s3store_list_request page = *request;
    if (f->page_max > 0 && (page.max_keys == 0 || page.max_keys > f->page_max))
        page.max_keys = f->page_max;
    pause_for(f, fate.before_us);
    s3store_status status = fate.refuse != S3STORE_OK
                                ? refuse(&fate, request->prefix, err)
                            : fate.after_us > 0
                                ? list_and_hold(f, call, &page, fate.after_us, fn, fn_ctx, reply, err)
                                : s3s_list(f->inner, call, &page, fn, fn_ctx, reply, err);
    fate.after_us = 0;
    return end(f, &fate, request->prefix, status, err);
}

static s3store_status faulty_remove(void *impl, const s3store_call *call, const char *key,
                                    s3store_error *err)
{
    faulty_store *f = impl;
    faulty_fate fate = begin(f, S3S_VERB_REMOVE, key, NULL);
    pause_for(f, fate.before_us);
    s3store_status status = fate.refuse != S3STORE_OK ? refuse(&fate, key, err)
                                                      : s3s_remove(f->inner, call, key, err);
    return end(f, &fate, key, status, err);
}

void faulty_init(faulty_store *f, s3s_env *env, s3s_sim *sim, const s3store_object_store *inner)
{
    memset(f, 0, sizeof *f);
    f->env = env;
    f->sim = sim;
    f->inner = inner;
    f->store = (s3store_object_store){.size = sizeof f->store,
                                      .impl = f,
                                      .put = faulty_put,
                                      .get = faulty_get,
                                      .head = faulty_head,
                                      .list = faulty_list,
                                      .remove = faulty_remove,
                                      .name = inner->name};
}

void faulty_deinit(faulty_store *f)
{
    while (f->lates != NULL) {
        faulty_late *next = f->lates->next;
        late_free(f->lates);
        f->lates = next;
    }
}

void faulty_reset(faulty_store *f)
{
    memset(f->counts, 0, sizeof f->counts);
    f->durable_heads = 0;
    f->trace_size = 0;
    f->trace[0] = '\0';
}

unsigned faulty_total(const faulty_store *f)
{
    unsigned total = 0;
    for (size_t v = 0; v < 5; v++)
        for (size_t k = 0; k < FAULTY_KINDS; k++)
            total += f->counts[v][k];
    return total;
}
