/* objstore/s3/store.c: the port over S3. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "objstore/port.h"
#include "objstore/s3/exchange.h"
#include "objstore/s3/s3.h"

#define DEFAULT_MAX_IDLE 32

/* ---- the port -------------------------------------------------------------------------------- */

/* err may be NULL outside, never inside. */
static s3store_status tell(s3store_error *err, const s3store_error *why, s3store_status status)
{
    if (err != NULL && status != S3STORE_OK)
        *err = *why;
    return status;
}

static s3store_status put(void *impl, const s3store_call *call,
                          const s3store_put_request *request, s3store_put_reply *reply,
                          s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3s_put_reply_reset(reply);
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_PUT, request->key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->put = request;
    status = s3s_s3_exchange_run(x, call, &why);
    if (reply != NULL) {
        reply->date_us = x->answer.date_us;
        if (status == S3STORE_OK)
            memcpy(reply->etag, x->answer.etag, sizeof reply->etag);
    }
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

static void fill_info(const s3s_s3_exchange *x, s3store_object_info *info)
{
    const s3s_s3_answer *a = &x->answer;
    info->object_size = x->object_size;
    if (x->verb == S3S_S3_HEAD)
        info->object_size = a->content_length >= 0 ? (uint64_t)a->content_length : UINT64_MAX;
    info->last_modified_us = a->last_modified_us;
    info->date_us = a->date_us;
    memcpy(info->etag, a->etag, sizeof info->etag);
    if (x->metadata_lost)
        s3s_log(x->store->env, S3STORE_LOG_WARN, "an object has more metadata than is read", "key",
                x->key, NULL);
}

static s3store_status head(void *impl, const s3store_call *call, const char *key,
                           s3store_object_info *info, s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3store_object_info own_info;
    if (info == NULL)
        info = &own_info;
    s3s_object_info_reset(info);
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_HEAD, key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->metadata = &info->metadata;
    status = s3s_s3_exchange_run(x, call, &why);
    info->date_us = x->answer.date_us;
    if (status == S3STORE_OK)
        fill_info(x, info);
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

/* 416: the last bytes of an empty object, or no bytes of it, are none, and no error. How long the
 * object is not all servers say: one HEAD does. */
static s3store_status resolve_empty_range(void *impl, const s3store_call *call,
                                          const s3store_get_request *r, s3store_sink *sink,
                                          s3store_object_info *info, s3store_error *why)
{
    s3store_error head_why = {0};
    s3store_status status = head(impl, call, r->key, info, &head_why);
    if (status != S3STORE_OK || (r->if_match != NULL && strcmp(r->if_match, info->etag) != 0))
        return why->status;
    uint64_t offset = 0;
    uint64_t length = 0;
    status = s3s_port_range(r, info->object_size, &offset, &length, why);
    if (status != S3STORE_OK || length > 0)
        return why->status;
    return sink->begin(sink, 0, why);
}

static s3store_status get(void *impl, const s3store_call *call,
                          const s3store_get_request *request, s3store_sink *sink,
                          s3store_object_info *info, s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3store_object_info own_info;
    if (info == NULL)
        info = &own_info;
    s3s_object_info_reset(info);
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_GET, request->key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->get = request;
    x->sink = sink;
    x->metadata = &info->metadata;
    status = s3s_s3_exchange_run(x, call, &why);
    bool no_such_range = status != S3STORE_OK && x->answer.http_status == 416;
    info->date_us = x->answer.date_us;
    if (status == S3STORE_OK || x->sink_begun)
        fill_info(x, info);
    s3s_s3_exchange_give(x);
    if (no_such_range)
        status = resolve_empty_range(impl, call, request, sink, info, &why);
    return tell(err, &why, status);
}

/* A server that does not know start-after would send everything again and again. */
static s3store_status check_start(const s3s_s3_exchange *x, s3store_error *why)
{
    const char *after = x->list->continuation == NULL ? x->list->start_after : NULL;
    for (size_t i = 0; after != NULL && i < s3s_xml_count(x->xml); i++) {
        const s3s_xml_entry *e = s3s_xml_get(x->xml, i);
        if (e->is_prefix)
            continue;
        if (strcmp(e->key, after) > 0)
            break;
        return s3s_fail_key(why, S3STORE_CORRUPT, e->key,
                            "LIST s3://%.80s/%.300s: the server lists a key that does not come "
                            "after the place it was asked to begin after",
                            x->place.bucket, x->key);
    }
    return S3STORE_OK;
}

static void tell_entries(const s3s_s3_exchange *x, s3store_list_fn fn, void *fn_ctx)
{
    size_t count = s3s_xml_count(x->xml);
    for (size_t i = 0; i < count; i++) {
        const s3s_xml_entry *e = s3s_xml_get(x->xml, i);
        s3store_list_entry entry = {.key = e->key,
                                    .is_prefix = e->is_prefix,
                                    .object_size = e->object_size,
                                    .last_modified_us = e->last_modified_us};
        if (!fn(fn_ctx, &entry))
            return;
    }
}

static s3store_status list(void *impl, const s3store_call *call,
                           const s3store_list_request *request, s3store_list_fn fn, void *fn_ctx,
                           s3store_list_reply *reply, s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_LIST, request->prefix, &x, &why);
    if (status != S3STORE_OK) {
        s3s_list_reply_reset(reply);
        return tell(err, &why, status);
    }
    x->list = request;
    status = s3s_s3_exchange_run(x, call, &why);
    /* Not before: the request's continuation may be the one in this reply. */
    s3s_list_reply_reset(reply);
    reply->date_us = x->answer.date_us;
    if (status == S3STORE_OK)
        status = check_start(x, &why);
    if (status == S3STORE_OK) {
        reply->truncated = s3s_xml_is_truncated(x->xml);
        if (reply->truncated)
            snprintf(reply->continuation, sizeof reply->continuation, "%s",
                     s3s_xml_continuation(x->xml));
        tell_entries(x, fn, fn_ctx);
    }
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

static s3store_status remove_object(void *impl, const s3store_call *call, const char *key,
                                    s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_REMOVE, key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    status = s3s_s3_exchange_run(x, call, &why);
    /* Some servers say that there was nothing; that the bucket is missing stays an error. */
    if (status == S3STORE_NOT_FOUND && strcmp(x->answer.code, "NoSuchKey") == 0)
        status = S3STORE_OK;
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

/* ---- uploads in parts ------------------------------------------------------------------------ */

static s3store_status create_multipart(void *impl, const s3store_call *call,
                                       const s3store_put_request *request, char *upload_id,
                                       s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    upload_id[0] = '\0';
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_CREATE, request->key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->put = request;
    status = s3s_s3_exchange_run(x, call, &why);
    const char *id = s3s_xml_upload_id(x->xml);
    if (status == S3STORE_OK && id[0] == '\0')
        status = s3s_fail_key(&why, S3STORE_CORRUPT, request->key,
                              "the server began an upload of %.300s without giving its id",
                              request->key);
    if (status == S3STORE_OK)
        memcpy(upload_id, id, strlen(id) + 1);
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

static s3store_status put_part(void *impl, const s3store_call *call,
                               const s3store_part_request *request, s3store_put_reply *reply,
                               s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3s_put_reply_reset(reply);
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_PART, request->key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->part = request;
    status = s3s_s3_exchange_run(x, call, &why);
    if (status == S3STORE_OK) {
        reply->date_us = x->answer.date_us;
        memcpy(reply->etag, x->answer.etag, sizeof reply->etag);
    }
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

static s3store_status complete_multipart(void *impl, const s3store_call *call,
                                         const s3store_complete_request *request,
                                         s3store_put_reply *reply, s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3s_put_reply_reset(reply);
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_COMPLETE, request->key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->complete = request;
    status = s3s_s3_exchange_run(x, call, &why);
    if (reply != NULL) {
        reply->date_us = x->answer.date_us;
        if (status == S3STORE_OK)
            s3s_s3_copy_etag(s3s_xml_etag(x->xml), reply->etag);
    }
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

static s3store_status abort_multipart(void *impl, const s3store_call *call, const char *key,
                                      const char *upload_id, s3store_error *err)
{
    s3store_error why;
    s3s_error_clear(&why);
    s3s_s3_exchange *x = NULL;
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_ABORT, key, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->upload_id = upload_id;
    status = s3s_s3_exchange_run(x, call, &why);
    if (status == S3STORE_NOT_FOUND && strcmp(x->answer.code, "NoSuchUpload") == 0)
        status = S3STORE_OK;
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

static void tell_uploads(const s3s_s3_exchange *x, s3store_upload_fn fn, void *fn_ctx)
{
    size_t count = s3s_xml_count(x->xml);
    for (size_t i = 0; i < count; i++) {
        const s3s_xml_entry *e = s3s_xml_get(x->xml, i);
        s3store_upload upload = {.key = e->key,
                                 .upload_id = e->upload_id,
                                 .initiated_us = e->last_modified_us};
        if (!fn(fn_ctx, &upload))
            return;
    }
}

static s3store_status list_multipart(void *impl, const s3store_call *call,
                                     const s3store_list_uploads_request *request,
                                     s3store_upload_fn fn, void *fn_ctx,
                                     s3store_list_uploads_reply *reply, s3store_error *err)
{
    s3store_error why = {0};
    s3s_s3_exchange *x = NULL;
    s3s_list_uploads_reply_reset(reply);
    s3store_status status = s3s_s3_exchange_take(impl, S3S_S3_UPLOADS, request->prefix, &x, &why);
    if (status != S3STORE_OK)
        return tell(err, &why, status);
    x->uploads = request;
    status = s3s_s3_exchange_run(x, call, &why);
    reply->date_us = x->answer.date_us;
    const char *next = s3s_xml_next_key(x->xml);
    if (status == S3STORE_OK && s3s_xml_is_truncated(x->xml)) {
        reply->truncated = true;
        if (strlen(next) >= sizeof reply->next_key)
            status = s3s_fail_key(&why, S3STORE_CORRUPT, request->prefix,
                                  "the key to go on after is longer than a key can be");
        else
            memcpy(reply->next_key, next, strlen(next) + 1);
        snprintf(reply->next_upload_id, sizeof reply->next_upload_id, "%s",
                 s3s_xml_upload_id(x->xml));
    }
    if (status == S3STORE_OK)
        tell_uploads(x, fn, fn_ctx);
    s3s_s3_exchange_give(x);
    return tell(err, &why, status);
}

/* ---- the store ------------------------------------------------------------------------------- */

static void free_store(void *impl)
{
    s3s_s3_store *store = impl;
    if (store == NULL)
        return;
    while (store->locked.idle != NULL) {
        s3s_s3_exchange *x = store->locked.idle;
        store->locked.idle = x->next;
        s3s_s3_exchange_free(x);
    }
    s3s_http_free(store->http);
    s3s_credential_chain_free(store->chain);
    s3s_free(store->env, store->consistency);
    s3s_mutex_deinit(&store->mutex);
    s3s_free(store->env, store);
}

static s3store_status set_consistency(s3s_s3_store *store, const char *value, s3store_error *err)
{
    static const char *const known[] = {
        S3STORE_CONSISTENCY_ALL, S3STORE_CONSISTENCY_STRONG_GLOBAL,
        S3STORE_CONSISTENCY_STRONG_SITE, S3STORE_CONSISTENCY_READ_AFTER_NEW_WRITE,
        S3STORE_CONSISTENCY_AVAILABLE};
    if (value == NULL || value[0] == '\0')
        value = S3STORE_CONSISTENCY_STRONG_GLOBAL;
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        is_known = is_known || strcmp(value, known[i]) == 0;
    size_t size = strlen(value);
    for (size_t i = 0; i < size; i++)
        if (value[i] < 0x21 || value[i] > 0x7e || size > 128)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "the consistency level has characters that a header cannot carry");
    if (!is_known)
        s3s_log(store->env, S3STORE_LOG_WARN, "unknown consistency level, sent as it is",
                "consistency", value, NULL);
    store->consistency = s3s_strdup(store->env, value);
    return store->consistency == NULL ? s3s_fail_memory(err, size) : S3STORE_OK;
}

static s3store_status make_chain(s3s_s3_store *store, const s3s_s3_options *options,
                                 const s3s_environment *environment, s3store_error *err)
{
    if (options->no_sign_request)
        return S3STORE_OK;
    s3s_chain_options chain = {.access_key_id = options->access_key_id,
                               .secret_access_key = options->secret_access_key,
                               .session_token = options->session_token,
                               .profile = options->profile,
                               .region = options->region,
                               .ca_bundle = options->ca_bundle,
                               .no_verify_tls = options->no_verify_tls,
                               .environment = environment};
    return s3s_credential_chain_new(store->env, &chain, &store->chain, err);
}

static s3store_status make_http(s3s_s3_store *store, const s3s_s3_options *options,
                                const s3s_http_options *http_options,
                                const s3s_settings *settings, s3store_error *err)
{
    s3s_http_options http = {0};
    if (http_options != NULL)
        http = *http_options;
    http.max_idle = store->max_idle;
    http.no_verify_tls = options->no_verify_tls;
    http.ca_bundle = options->ca_bundle;
    if (http.ca_bundle == NULL || http.ca_bundle[0] == '\0')
        http.ca_bundle = s3s_settings_env(settings, "AWS_CA_BUNDLE");
    if (http.ca_bundle == NULL)
        http.ca_bundle = s3s_settings_config(settings, "ca_bundle");
    if (options->no_verify_tls && store->locked.place.tls)
        s3s_log(store->env, S3STORE_LOG_WARN,
                "the server's TLS certificate is not verified: anybody can be the server", "host",
                store->locked.place.authority, NULL);
    return s3s_http_new(store->env, &http, &store->http, err);
}

static s3store_status fill_store(s3s_s3_store *store, const s3s_s3_options *options,
                                 const s3s_environment *environment,
                                 const s3s_http_options *http_options, s3store_error *err)
{
    s3s_settings settings = {0};
    s3store_status status =
        s3s_settings_init(&settings, store->env, environment, options->profile, err);
    if (status != S3STORE_OK)
        return status;
    store->locked.place_version = 1;
    status = s3s_s3_place_init(&store->locked.place, options, &settings, err);
    if (status == S3STORE_OK)
        status = set_consistency(store, options->consistency, err);
    if (status == S3STORE_OK)
        status = make_chain(store, options, environment, err);
    if (status == S3STORE_OK)
        status = make_http(store, options, http_options, &settings, err);
    s3s_settings_deinit(&settings);
    return status;
}

s3store_status s3s_s3_store_new_with(s3s_env *env, const s3s_s3_options *options,
                                     const s3s_environment *environment,
                                     const s3s_http_options *http_options,
                                     s3store_object_store *out, s3store_error *err)
{
    *out = (s3store_object_store){0};
    s3s_s3_store *store = s3s_calloc(env, 1, sizeof *store);
    if (store == NULL)
        return s3s_fail_memory(err, sizeof *store);
    store->env = env;
    store->max_idle = options->max_connections > 0 ? options->max_connections : DEFAULT_MAX_IDLE;
    s3store_status status = s3s_mutex_init(&store->mutex, env, err);
    if (status != S3STORE_OK) {
        s3s_free(env, store);
        return status;
    }
    status = fill_store(store, options, environment, http_options, err);
    if (status != S3STORE_OK) {
        free_store(store);
        return status;
    }
    *out = (s3store_object_store){.size = sizeof *out,
                                  .impl = store,
                                  .put = put,
                                  .get = get,
                                  .head = head,
                                  .list = list,
                                  .remove = remove_object,
                                  .free = free_store,
                                  .name = "s3",
                                  .create_multipart = create_multipart,
                                  .put_part = put_part,
                                  .complete_multipart = complete_multipart,
                                  .abort_multipart = abort_multipart,
                                  .list_multipart = list_multipart};
    return S3STORE_OK;
}

s3store_status s3s_s3_store_new(s3s_env *env, const s3s_s3_options *options,
                                s3store_object_store *out, s3store_error *err)
{
    return s3s_s3_store_new_with(env, options, NULL, NULL, out, err);
}

void s3s_connection_counts(const s3store_object_store *store, uint64_t *opened, uint64_t *reused)
{
    s3s_http_counts counts = {0};
    if (store->put == put)
        s3s_s3_connection_counts(store, &counts);
    *opened = counts.opened;
    *reused = counts.reused;
}

void s3s_s3_connection_counts(const s3store_object_store *store, s3s_http_counts *out)
{
    const s3s_s3_store *s3 = store->impl;
    s3s_http_read_counts(s3->http, out);
}

/* ---- what is known of it beyond the port ----------------------------------------------------- */

static s3store_status not_s3(s3store_error *err)
{
    return s3s_fail(err, S3STORE_UNSUPPORTED, "the store is not S3");
}

s3store_status s3s_credentials_name(const s3store_object_store *store, const s3store_call *call,
                                    char *out, size_t out_size, s3store_error *err)
{
    const s3s_s3_store *s3 = store->impl;
    s3s_credentials *credentials = NULL;
    out[0] = '\0';
    if (store->put != put)
        return not_s3(err);
    if (s3->chain == NULL)
        return S3STORE_OK;
    s3store_status status = s3s_credential_chain_get(s3->chain, call, &credentials, err);
    if (status == S3STORE_OK)
        snprintf(out, out_size, "%s", s3s_credentials_source(credentials));
    s3s_credentials_release(credentials);
    return status;
}

bool s3s_uses_tls(const s3store_object_store *store)
{
    return store->put == put && ((s3s_s3_store *)store->impl)->locked.place.tls;
}

s3store_status s3s_put_damaged(const s3store_object_store *store, const s3store_call *call,
                               const s3store_put_request *request, s3store_error *err)
{
    s3store_error why = {0};
    s3s_s3_exchange *x = NULL;
    if (store->put != put)
        return not_s3(err);
    s3s_s3_store *s3 = store->impl;
    char *damaged = s3s_alloc(s3->env, request->body_size);
    if (damaged == NULL || request->body_size == 0) {
        s3s_free(s3->env, damaged);
        return s3s_fail_memory(err, request->body_size);
    }
    memcpy(damaged, request->body, request->body_size);
    damaged[request->body_size / 2] ^= 0x20;
    s3store_status status = s3s_s3_exchange_take(s3, S3S_S3_PUT, request->key, &x, &why);
    if (status == S3STORE_OK) {
        x->put = request;
        x->damaged = damaged;
        status = s3s_s3_exchange_run(x, call, &why);
        s3s_s3_exchange_give(x);
    }
    s3s_free(s3->env, damaged);
    return tell(err, &why, status);
}
