#include "objstore/s3/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "objstore/port.h"

#define SERVICE "s3"
#define TEXT_MAX_BYTES (128u * 1024) /* of a URL: keys, continuations and tokens, encoded */
#define DOCUMENT_MAX_BYTES (256u * S3STORE_PARTS_MAX)

/* ---- the message ----------------------------------------------------------------------------- */

void s3s_s3_message_init(s3s_s3_message *m, s3s_env *env)
{
    *m = (s3s_s3_message){.env = env};
    s3s_arena_init(&m->arena, env);
    s3s_buffer_init(&m->path, env, TEXT_MAX_BYTES);
    s3s_buffer_init(&m->query, env, TEXT_MAX_BYTES);
    s3s_buffer_init(&m->url, env, TEXT_MAX_BYTES);
    s3s_buffer_init(&m->scratch, env, 2 * TEXT_MAX_BYTES);
    s3s_buffer_init(&m->document, env, DOCUMENT_MAX_BYTES);
}

/* A query signature carries the session token. */
static void wipe_buffer(s3s_buffer *b)
{
    if (b->data != NULL)
        s3s_wipe(b->data, b->capacity);
    s3s_buffer_deinit(b);
}

void s3s_s3_message_deinit(s3s_s3_message *m)
{
    s3s_arena_deinit(&m->arena);
    wipe_buffer(&m->path);
    wipe_buffer(&m->query);
    wipe_buffer(&m->url);
    wipe_buffer(&m->scratch);
    s3s_buffer_deinit(&m->document);
}

static s3store_status add_header(s3s_s3_message *m, const char *name, const char *value,
                                 bool is_signed, s3store_error *err)
{
    if (value == NULL)
        return s3s_fail_memory(err, strlen(name));
    if (m->header_count >= S3S_S3_HEADERS_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "a request has more than %d headers",
                        S3S_S3_HEADERS_MAX);
    size_t place = m->header_count++;
    if (is_signed && place != m->signed_count)
        m->headers[place] = m->headers[m->signed_count];
    if (is_signed)
        place = m->signed_count++;
    m->headers[place] = (s3s_http_header){.name = name, .value = value};
    return S3STORE_OK;
}

static s3store_status add_pair(s3s_s3_message *m, const char *name, const char *value,
                               s3store_error *err)
{
    if (value == NULL)
        return s3s_fail_memory(err, strlen(name));
    if (m->pair_count >= S3S_SIGN_QUERY_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "a query has more than %d parameters",
                        S3S_SIGN_QUERY_MAX);
    m->pairs[m->pair_count++] = (s3s_query_pair){.name = name, .value = value};
    return S3STORE_OK;
}

static s3store_status end_with_nul(s3s_buffer *b, s3store_error *err)
{
    return s3s_buffer_text(b, err) == NULL ? s3s_fail_memory(err, b->size + 1) : S3STORE_OK;
}

/* key NULL = the bucket itself. Keys go out verbatim: no "//" or "./" is tidied. */
static s3store_status build_path(s3s_s3_message *m, const s3s_s3_place *place, const char *key,
                                 s3store_error *err)
{
    s3s_buffer_clear(&m->path);
    s3store_status status = s3s_buffer_append_text(&m->path, place->base_path, err);
    if (status == S3STORE_OK)
        status = s3s_buffer_append(&m->path, "/", 1, err);
    if (status == S3STORE_OK && !place->virtual_host) {
        status = s3s_sign_encode(place->bucket, false, &m->path, err);
        if (status == S3STORE_OK && key != NULL)
            status = s3s_buffer_append(&m->path, "/", 1, err);
    }
    if (status == S3STORE_OK && key != NULL)
        status = s3s_sign_encode(key, true, &m->path, err);
    return status == S3STORE_OK ? end_with_nul(&m->path, err) : status;
}

static s3store_status begin(s3s_s3_message *m, const char *method, const s3s_s3_place *place,
                            const char *consistency, const char *key, s3store_error *err)
{
    m->method = method;
    m->header_count = 0;
    m->signed_count = 0;
    m->pair_count = 0;
    m->body = NULL;
    m->body_size = 0;
    s3s_arena_reset(&m->arena);
    s3store_status status = build_path(m, place, key, err);
    if (status != S3STORE_OK)
        return status;
    char host[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE];
    s3s_s3_place_host(place, host);
    status = add_header(m, "host", s3s_arena_strdup(&m->arena, host), true, err);
    return status == S3STORE_OK ? add_header(m, "consistency-control", consistency, false, err)
                                : status;
}

/* ---- PUT ------------------------------------------------------------------------------------- */

static s3store_status add_metadata(s3s_s3_message *m, const s3store_put_request *r,
                                   s3store_error *err)
{
    for (size_t i = 0; i < r->metadata_count; i++) {
        const s3store_metadata_entry *e = &r->metadata[i];
        size_t size = strlen(e->name) + 1;
        char *name = s3s_arena_alloc(&m->arena, sizeof "x-amz-meta-" - 1 + size);
        if (name == NULL)
            return s3s_fail_memory(err, size);
        memcpy(name, "x-amz-meta-", sizeof "x-amz-meta-" - 1);
        memcpy(name + sizeof "x-amz-meta-" - 1, e->name, size);
        s3store_status status = add_header(m, name, e->value, true, err);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

static s3store_status add_content_md5(s3s_s3_message *m, s3store_error *err)
{
    uint8_t digest[S3S_MD5_SIZE];
    s3store_status status = s3s_md5(m->body, m->body_size, digest, err);
    if (status != S3STORE_OK)
        return status;
    char text[4 * ((S3S_MD5_SIZE + 2) / 3) + 1];
    s3s_base64(digest, sizeof digest, text);
    return add_header(m, "content-md5", s3s_arena_strdup(&m->arena, text), true, err);
}

s3store_status s3s_s3_build_put(s3s_s3_message *m, const s3s_s3_place *place,
                                const char *consistency, const s3store_put_request *request,
                                s3store_error *err)
{
    s3store_status status = s3s_port_check_put(request, err);
    if (status == S3STORE_OK)
        status = begin(m, "PUT", place, consistency, request->key, err);
    if (status == S3STORE_OK)
        status = add_header(m, "content-type", "application/octet-stream", true, err);
    if (status == S3STORE_OK && request->if_none_match)
        status = add_header(m, "if-none-match", "*", true, err);
    if (status == S3STORE_OK)
        status = add_metadata(m, request, err);
    m->body = request->body;
    m->body_size = request->body_size;
    if (status == S3STORE_OK && request->fenced && request->body_size > 0)
        status = add_content_md5(m, err);
    return status;
}

/* ---- GET, HEAD, DELETE ----------------------------------------------------------------------- */

static s3store_status add_range(s3s_s3_message *m, const s3store_get_request *r,
                                s3store_error *err)
{
    const char *range = NULL;
    uint64_t last = 0;
    if (r->suffix > 0)
        range = s3s_arena_printf(&m->arena, "bytes=-%" PRIu64, r->suffix);
    else if (r->length == S3STORE_LENGTH_ALL && r->offset == 0)
        return S3STORE_OK;
    else if (r->length == S3STORE_LENGTH_ALL ||
             __builtin_add_overflow(r->offset, r->length > 0 ? r->length - 1 : 0, &last))
        range = s3s_arena_printf(&m->arena, "bytes=%" PRIu64 "-", r->offset);
    else /* no bytes cannot be asked for: one is, and is not delivered */
        range = s3s_arena_printf(&m->arena, "bytes=%" PRIu64 "-%" PRIu64, r->offset, last);
    return add_header(m, "range", range, true, err);
}

s3store_status s3s_s3_build_get(s3s_s3_message *m, const s3s_s3_place *place,
                                const char *consistency, const s3store_get_request *request,
                                s3store_error *err)
{
    s3store_status status = s3s_port_check_key(request->key, err);
    if (status == S3STORE_OK)
        status = begin(m, "GET", place, consistency, request->key, err);
    if (status == S3STORE_OK)
        status = add_range(m, request, err);
    if (status != S3STORE_OK || request->if_match == NULL)
        return status;
    for (const char *c = request->if_match; *c != '\0'; c++)
        if (*c < 0x21 || *c > 0x7e || *c == '"')
            return s3s_fail_key(err, S3STORE_INVALID_ARGUMENT, request->key,
                                "the ETag of a condition has a character that no ETag has");
    return add_header(m, "if-match", s3s_arena_printf(&m->arena, "\"%s\"", request->if_match),
                      true, err);
}

s3store_status s3s_s3_build_head(s3s_s3_message *m, const s3s_s3_place *place,
                                 const char *consistency, const char *key, s3store_error *err)
{
    s3store_status status = s3s_port_check_key(key, err);
    return status == S3STORE_OK ? begin(m, "HEAD", place, consistency, key, err) : status;
}

s3store_status s3s_s3_build_remove(s3s_s3_message *m, const s3s_s3_place *place,
                                   const char *consistency, const char *key, s3store_error *err)
{
    s3store_status status = s3s_port_check_key(key, err);
    return status == S3STORE_OK ? begin(m, "DELETE", place, consistency, key, err) : status;
}

/* ---- uploads in parts ------------------------------------------------------------------------ */

s3store_status s3s_s3_build_create(s3s_s3_message *m, const s3s_s3_place *place,
                                   const char *consistency, const s3store_put_request *request,
                                   s3store_error *err)
{
    s3store_status status = s3s_port_check_put(request, err);
    if (status == S3STORE_OK)
        status = begin(m, "POST", place, consistency, request->key, err);
    if (status == S3STORE_OK)
        status = add_header(m, "content-type", "application/octet-stream", true, err);
    if (status == S3STORE_OK)
        status = add_metadata(m, request, err);
    return status == S3STORE_OK ? add_pair(m, "uploads", "", err) : status;
}

s3store_status s3s_s3_build_part(s3s_s3_message *m, const s3s_s3_place *place,
                                 const char *consistency, const s3store_part_request *request,
                                 s3store_error *err)
{
    s3store_status status = s3s_port_check_key(request->key, err);
    if (status == S3STORE_OK)
        status = begin(m, "PUT", place, consistency, request->key, err);
    if (status == S3STORE_OK)
        status = add_pair(m, "partNumber",
                          s3s_arena_printf(&m->arena, "%" PRIu32, request->number), err);
    if (status == S3STORE_OK)
        status = add_pair(m, "uploadId", request->upload_id, err);
    m->body = request->body;
    m->body_size = request->body_size;
    return status;
}

/* The ETags are the server's: they go back as they came, but into XML. */
static s3store_status add_part(s3s_s3_message *m, const s3store_complete_request *r, size_t i,
                               s3store_error *err)
{
    const char *etag = r->parts[i].etag;
    if (etag[0] == '\0' || strpbrk(etag, "<>&\"") != NULL)
        return s3s_fail_key(err, S3STORE_CORRUPT, r->key,
                            "the server gave part %zu no ETag that can be given back", i + 1);
    return s3s_buffer_printf(&m->document, err,
                             "<Part><PartNumber>%zu</PartNumber><ETag>&quot;%s&quot;</ETag></Part>",
                             i + 1, etag);
}

s3store_status s3s_s3_build_complete(s3s_s3_message *m, const s3s_s3_place *place,
                                     const char *consistency,
                                     const s3store_complete_request *request, s3store_error *err)
{
    s3store_status status = s3s_port_check_key(request->key, err);
    if (status == S3STORE_OK)
        status = begin(m, "POST", place, consistency, request->key, err);
    if (status == S3STORE_OK)
        status = add_pair(m, "uploadId", request->upload_id, err);
    if (status == S3STORE_OK)
        status = add_header(m, "content-type", "application/xml", true, err);
    s3s_buffer_clear(&m->document);
    if (status == S3STORE_OK)
        status = s3s_buffer_append_text(
            &m->document,
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">", err);
    for (size_t i = 0; i < request->part_count && status == S3STORE_OK; i++)
        status = add_part(m, request, i, err);
    if (status == S3STORE_OK)
        status = s3s_buffer_append_text(&m->document, "</CompleteMultipartUpload>", err);
    m->body = m->document.data;
    m->body_size = m->document.size;
    return status;
}

s3store_status s3s_s3_build_abort(s3s_s3_message *m, const s3s_s3_place *place,
                                  const char *consistency, const char *key, const char *upload_id,
                                  s3store_error *err)
{
    s3store_status status = s3s_port_check_key(key, err);
    if (status == S3STORE_OK)
        status = begin(m, "DELETE", place, consistency, key, err);
    return status == S3STORE_OK ? add_pair(m, "uploadId", upload_id, err) : status;
}

/* ---- LIST ------------------------------------------------------------------------------------ */

static s3store_status add_pair_if(s3s_s3_message *m, const char *name, const char *value,
                                  s3store_error *err)
{
    return value == NULL || value[0] == '\0' ? S3STORE_OK : add_pair(m, name, value, err);
}

s3store_status s3s_s3_build_list(s3s_s3_message *m, const s3s_s3_place *place,
                                 const char *consistency, const s3store_list_request *request,
                                 s3store_error *err)
{
    const s3store_list_request *r = request;
    if ((r->prefix != NULL && strlen(r->prefix) > S3STORE_KEY_MAX_BYTES) ||
        (r->start_after != NULL && strlen(r->start_after) > 2 * S3STORE_KEY_MAX_BYTES) ||
        (r->continuation != NULL && strlen(r->continuation) >= S3STORE_CONTINUATION_MAX))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the prefix or the place to begin after is longer than a key: %.200s...",
                        r->prefix != NULL ? r->prefix : "");
    s3store_status status = begin(m, "GET", place, consistency, NULL, err);
    if (status == S3STORE_OK)
        status = add_pair(m, "list-type", "2", err);
    /* Keys may have characters that XML cannot carry. */
    if (status == S3STORE_OK)
        status = add_pair(m, "encoding-type", "url", err);
    if (status == S3STORE_OK)
        status = add_pair_if(m, "prefix", r->prefix, err);
    if (status == S3STORE_OK)
        status = add_pair_if(m, "delimiter", r->delimiter, err);
    if (status == S3STORE_OK)
        status = r->continuation != NULL
                     ? add_pair(m, "continuation-token", r->continuation, err)
                     : add_pair_if(m, "start-after", r->start_after, err);
    if (status == S3STORE_OK && r->max_keys > 0)
        status = add_pair(m, "max-keys", s3s_arena_printf(&m->arena, "%" PRIu32, r->max_keys),
                          err);
    return status;
}

s3store_status s3s_s3_build_uploads(s3s_s3_message *m, const s3s_s3_place *place,
                                    const char *consistency,
                                    const s3store_list_uploads_request *request,
                                    s3store_error *err)
{
    const s3store_list_uploads_request *r = request;
    s3store_status status = begin(m, "GET", place, consistency, NULL, err);
    /* Without encoding-type: Ceph encodes the keys then, and does not say so. */
    if (status == S3STORE_OK)
        status = add_pair(m, "uploads", "", err);
    if (status == S3STORE_OK)
        status = add_pair_if(m, "prefix", r->prefix, err);
    if (status == S3STORE_OK)
        status = add_pair_if(m, "key-marker", r->after_key, err);
    return status == S3STORE_OK ? add_pair_if(m, "upload-id-marker", r->after_upload_id, err)
                                : status;
}

/* ---- signing --------------------------------------------------------------------------------- */

static s3store_status build_query(s3s_s3_message *m, s3store_error *err)
{
    s3s_buffer_clear(&m->query);
    s3store_status status =
        s3s_sign_query(m->pairs, m->pair_count, &m->scratch, &m->query, err);
    return status == S3STORE_OK ? end_with_nul(&m->query, err) : status;
}

/* signature: what follows the query, or "". */
static s3store_status build_url(s3s_s3_message *m, const s3s_s3_place *place,
                                const char *signature, s3store_error *err)
{
    char host[S3S_S3_BUCKET_SIZE + S3S_S3_AUTHORITY_SIZE];
    s3s_s3_place_host(place, host);
    s3s_buffer_clear(&m->url);
    s3store_status status = s3s_sign_append(
        &m->url, err, place->tls ? "https://" : "http://", host, (const char *)m->path.data,
        m->query.size > 0 ? "?" : "", (const char *)m->query.data, signature, NULL);
    return status == S3STORE_OK ? end_with_nul(&m->url, err) : status;
}

s3store_status s3s_s3_sign_not(s3s_s3_message *m, const s3s_s3_place *place, s3store_error *err)
{
    s3store_status status = build_query(m, err);
    return status == S3STORE_OK ? build_url(m, place, "", err) : status;
}

static s3s_sign_input make_input(const s3s_s3_message *m, const s3s_s3_place *place,
                                 const char *payload_hash, const char *date_time)
{
    return (s3s_sign_input){.method = m->method,
                            .path = (const char *)m->path.data,
                            .query = (const char *)m->query.data,
                            .headers = m->headers,
                            .header_count = m->signed_count,
                            .payload_hash = payload_hash,
                            .date_time = date_time,
                            .region = place->region,
                            .service = SERVICE};
}

static s3store_status hash_payload(const s3s_s3_message *m, char hex[2 * S3S_SHA256_SIZE + 1],
                                   s3store_error *err)
{
    if (m->body_size == 0) {
        memcpy(hex, S3S_SIGN_EMPTY_PAYLOAD, sizeof S3S_SIGN_EMPTY_PAYLOAD);
        return S3STORE_OK;
    }
    uint8_t digest[S3S_SHA256_SIZE];
    s3store_status status = s3s_sha256(m->body, m->body_size, digest, err);
    if (status == S3STORE_OK)
        s3s_hex(digest, sizeof digest, hex);
    return status;
}

static s3store_status add_signing_headers(s3s_s3_message *m, const s3s_credentials *credentials,
                                          const char *date_time, const char *payload_hash,
                                          s3store_error *err)
{
    s3store_status status =
        add_header(m, "x-amz-date", s3s_arena_strdup(&m->arena, date_time), true, err);
    if (status == S3STORE_OK)
        status = add_header(m, "x-amz-content-sha256",
                            s3s_arena_strdup(&m->arena, payload_hash), true, err);
    const char *token = s3s_credentials_session_token(credentials);
    if (status == S3STORE_OK && token != NULL)
        status = add_header(m, "x-amz-security-token", token, true, err);
    return status;
}

s3store_status s3s_s3_sign_by_headers(s3s_s3_message *m, const s3s_s3_place *place,
                                      s3s_credentials *credentials, int64_t now_us,
                                      s3store_error *err)
{
    char date_time[17];
    char date[9];
    char payload_hash[2 * S3S_SHA256_SIZE + 1];
    s3s_hmac_key key;
    s3s_iso_basic(now_us, date_time, date);
    s3store_status status = hash_payload(m, payload_hash, err);
    if (status == S3STORE_OK)
        status = add_signing_headers(m, credentials, date_time, payload_hash, err);
    if (status == S3STORE_OK)
        status = build_query(m, err);
    if (status == S3STORE_OK)
        status = s3s_credentials_signing_key(credentials, date, place->region, SERVICE, &key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_sign_input input = make_input(m, place, payload_hash, date_time);
    s3s_buffer_clear(&m->url); /* the header's text is made there, then the URL */
    status = s3s_sign_authorization(&input, s3s_credentials_access_key_id(credentials), &key,
                                    &m->scratch, &m->url, err);
    s3s_wipe(&key, sizeof key);
    if (status == S3STORE_OK)
        status = add_header(
            m, "authorization",
            s3s_arena_strndup(&m->arena, (const char *)m->url.data, m->url.size), false, err);
    return status == S3STORE_OK ? build_url(m, place, "", err) : status;
}

static s3store_status add_signing_pairs(s3s_s3_message *m, const s3s_s3_place *place,
                                        const s3s_credentials *credentials,
                                        const char *date_time, int64_t expires_s,
                                        s3store_error *err)
{
    char scope[S3S_SIGN_SCOPE_SIZE];
    s3s_sign_input input = make_input(m, place, "", date_time);
    s3s_sign_scope(&input, scope);
    s3s_buffer_clear(&m->scratch);
    s3store_status status = s3s_sign_header_names(&input, &m->scratch, err);
    if (status != S3STORE_OK)
        return status;
    const char *names = s3s_arena_strndup(&m->arena, (const char *)m->scratch.data,
                                          m->scratch.size);
    const char *token = s3s_credentials_session_token(credentials);
    s3s_arena *a = &m->arena;
    s3s_buffer_clear(&m->scratch);
    status = s3s_sign_append(&m->scratch, err, s3s_credentials_access_key_id(credentials), "/",
                             scope, NULL);
    if (status != S3STORE_OK)
        return status;
    char digits[S3S_DECIMAL_SIZE];
    const s3s_query_pair pairs[] = {
        {"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
        {"X-Amz-Credential",
         s3s_arena_strndup(a, (const char *)m->scratch.data, m->scratch.size)},
        {"X-Amz-Date", s3s_arena_strdup(a, date_time)},
        {"X-Amz-Expires", s3s_arena_strdup(a, s3s_decimal(expires_s, digits))},
        {"X-Amz-SignedHeaders", names},
        {"X-Amz-Security-Token", token},
    };
    size_t count = sizeof pairs / sizeof pairs[0] - (token == NULL ? 1 : 0);
    for (size_t i = 0; i < count && status == S3STORE_OK; i++)
        status = add_pair(m, pairs[i].name, pairs[i].value, err);
    return status;
}

s3store_status s3s_s3_sign_by_query(s3s_s3_message *m, const s3s_s3_place *place,
                                    s3s_credentials *credentials, int64_t valid_from_us,
                                    int64_t expires_at_us, s3store_error *err)
{
    int64_t from_s = s3s_floor_div(valid_from_us, 1000000);
    int64_t until_s = s3s_floor_div(expires_at_us, 1000000);
    if (until_s <= from_s || until_s - from_s > S3S_SIGN_EXPIRES_MAX_S)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "a fenced request is valid for 1 second to 7 days, not for %" PRId64
                        " seconds",
                        until_s - from_s);
    char date_time[17];
    char date[9];
    s3s_hmac_key key;
    s3s_iso_basic(from_s * 1000000, date_time, date);
    s3store_status status =
        add_signing_pairs(m, place, credentials, date_time, until_s - from_s, err);
    if (status == S3STORE_OK)
        status = build_query(m, err);
    if (status == S3STORE_OK)
        status = s3s_credentials_signing_key(credentials, date, place->region, SERVICE, &key, err);
    if (status != S3STORE_OK)
        return status;
    s3s_sign_input input = make_input(m, place, S3S_SIGN_UNSIGNED_PAYLOAD, date_time);
    char parameter[sizeof "&X-Amz-Signature=" + 2 * S3S_SHA256_SIZE];
    memcpy(parameter, "&X-Amz-Signature=", sizeof "&X-Amz-Signature=");
    status = s3s_sign(&input, &key, &m->scratch, parameter + sizeof "&X-Amz-Signature=" - 1, err);
    s3s_wipe(&key, sizeof key);
    return status == S3STORE_OK ? build_url(m, place, parameter, err) : status;
}
