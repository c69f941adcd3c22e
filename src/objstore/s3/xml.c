/* Elements are known by name and place ("Key" in "Contents"); all others are passed over. */
#include "objstore/s3/xml.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "objstore/s3/xml_reader.h"

struct s3s_xml {
    s3s_env *env;
    s3s_xml_reader reader;

    const struct element *open[3]; /* the known ones: root, entry, leaf */
    size_t depth;
    size_t unknown_depth; /* > 0: inside an element that is passed over */

    s3s_xml_root root;
    s3s_xml_error error;
    s3s_arena arena; /* keys */
    s3s_xml_entry *entries;
    size_t count;
    size_t capacity;
    s3s_xml_entry entry; /* being read; key NULL until it came */
    bool has_size;
    bool has_prefixes;
    bool url_encoded;
    bool truncated;
    bool has_truncated;
    char continuation[S3STORE_CONTINUATION_MAX];
    char upload_id[S3STORE_UPLOAD_ID_MAX];
    char next_key[3 * S3STORE_KEY_MAX_BYTES + 1]; /* encoded until the end */
    char etag[80];
    bool ended; /* keys are decoded */
};

/* ---- what each element means ----------------------------------------------------------------- */

static s3store_status fail(s3s_xml *x, s3store_status status, const char *what)
{
    return s3s_xml_reader_fail(&x->reader, status, what);
}

static void fail_memory(s3s_xml *x)
{
    fail(x, S3STORE_OUT_OF_MEMORY, "there is not enough memory");
}

/* It goes into messages. */
static void copy_bounded(char *out, size_t out_size, const char *text, size_t size)
{
    bool is_utf8 = s3s_utf8_valid(text, size);
    if (size >= out_size)
        size = out_size - 1;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = c < 0x20 || c == 0x7f ? ' ' : c >= 0x80 && !is_utf8 ? '?' : text[i];
    }
    out[size] = '\0';
}

static void begin_object(s3s_xml *x)
{
    x->entry = (s3s_xml_entry){.last_modified_us = S3STORE_TIME_NONE};
    x->has_size = false;
}

static void begin_prefix(s3s_xml *x)
{
    begin_object(x);
    x->entry.is_prefix = true;
    x->has_size = true;
}

static void begin_upload(s3s_xml *x)
{
    begin_object(x);
    x->has_size = true; /* the server does not say */
}

static void end_entry(s3s_xml *x, char *text, size_t size)
{
    (void)text;
    (void)size;
    if (x->entry.key == NULL || !x->has_size) {
        fail(x, S3STORE_CORRUPT, "an entry of a listing lacks its key or size");
        return;
    }
    if (x->count == S3S_XML_MAX_ENTRIES) {
        fail(x, S3STORE_CORRUPT, "a page of a listing has too many entries");
        return;
    }
    if (x->count == x->capacity) {
        size_t capacity = x->capacity == 0 ? 256 : x->capacity * 2;
        s3s_xml_entry *entries =
            s3s_realloc(x->env, x->entries, capacity * sizeof *entries);
        if (entries == NULL) {
            fail_memory(x);
            return;
        }
        x->entries = entries;
        x->capacity = capacity;
    }
    x->has_prefixes = x->has_prefixes || x->entry.is_prefix;
    x->entries[x->count++] = x->entry;
}

static void end_key(s3s_xml *x, char *text, size_t size)
{
    x->entry.key = s3s_arena_strndup(&x->arena, text, size);
    if (x->entry.key == NULL)
        fail_memory(x);
}

static void end_size(s3s_xml *x, char *text, size_t size)
{
    int64_t object_size = 0;
    if (!s3s_parse_i64(text, size, &object_size) || object_size < 0) {
        fail(x, S3STORE_CORRUPT, "the size of an object is not a number");
        return;
    }
    x->entry.object_size = (uint64_t)object_size;
    x->has_size = true;
}

static void end_last_modified(s3s_xml *x, char *text, size_t size)
{
    int64_t time_us = 0;
    if (s3s_iso_parse_us(text, size, &time_us))
        x->entry.last_modified_us = time_us;
}

static void end_is_truncated(s3s_xml *x, char *text, size_t size)
{
    (void)size;
    x->truncated = strcmp(text, "true") == 0;
    x->has_truncated = true;
    if (!x->truncated && strcmp(text, "false") != 0)
        fail(x, S3STORE_CORRUPT, "IsTruncated is neither true nor false");
}

static void end_continuation(s3s_xml *x, char *text, size_t size)
{
    if (size >= sizeof x->continuation)
        fail(x, S3STORE_CORRUPT, "the continuation token is too long");
    else
        memcpy(x->continuation, text, size + 1);
}

static void end_encoding_type(s3s_xml *x, char *text, size_t size)
{
    (void)size;
    x->url_encoded = strcmp(text, "url") == 0;
}

static void end_upload_id(s3s_xml *x, char *text, size_t size)
{
    if (size >= sizeof x->upload_id)
        fail(x, S3STORE_CORRUPT, "the id of the upload is too long");
    else
        memcpy(x->upload_id, text, size + 1);
}

static void end_entry_upload_id(s3s_xml *x, char *text, size_t size)
{
    x->entry.upload_id = s3s_arena_strndup(&x->arena, text, size);
    if (x->entry.upload_id == NULL)
        fail_memory(x);
    else if (size >= S3STORE_UPLOAD_ID_MAX || size == 0)
        fail(x, S3STORE_CORRUPT, "the id of an upload is empty or too long");
}

static void end_upload(s3s_xml *x, char *text, size_t size)
{
    if (x->entry.upload_id == NULL)
        fail(x, S3STORE_CORRUPT, "an upload of a listing lacks its id");
    else
        end_entry(x, text, size);
}

static void end_next_key(s3s_xml *x, char *text, size_t size)
{
    if (size >= sizeof x->next_key)
        fail(x, S3STORE_CORRUPT, "the key to go on after is too long");
    else
        memcpy(x->next_key, text, size + 1);
}

static void end_etag(s3s_xml *x, char *text, size_t size)
{
    copy_bounded(x->etag, sizeof x->etag, text, size);
}

static void end_code(s3s_xml *x, char *text, size_t size)
{
    copy_bounded(x->error.code, sizeof x->error.code, text, size);
}

static void end_message(s3s_xml *x, char *text, size_t size)
{
    copy_bounded(x->error.message, sizeof x->error.message, text, size);
}

static void end_request_id(s3s_xml *x, char *text, size_t size)
{
    copy_bounded(x->error.request_id, sizeof x->error.request_id, text, size);
}

static void end_region(s3s_xml *x, char *text, size_t size)
{
    copy_bounded(x->error.region, sizeof x->error.region, text, size);
}

static void end_bucket(s3s_xml *x, char *text, size_t size)
{
    copy_bounded(x->error.bucket, sizeof x->error.bucket, text, size);
}

typedef struct element {
    const char *name;
    size_t name_size;
    void (*begin)(s3s_xml *x);
    void (*end)(s3s_xml *x, char *text, size_t size); /* NULL = its text means nothing */
    const struct element *parts; /* the elements in it that mean something */
    size_t part_count;
    s3s_xml_root root;
} element;

#define LEAF(name, end) {name, sizeof name - 1, NULL, end, NULL, 0, S3S_XML_ROOT_NONE}
#define ENTRY(name, begin, end, parts)                                                             \
    {name, sizeof name - 1, begin, end, parts, COUNT(parts), S3S_XML_ROOT_NONE}
#define ROOT(name, parts, root) {name, sizeof name - 1, NULL, NULL, parts, COUNT(parts), root}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const element object_parts[] = {LEAF("Key", end_key),
                                       LEAF("LastModified", end_last_modified),
                                       LEAF("Size", end_size)};
static const element prefix_parts[] = {LEAF("Prefix", end_key)};
static const element list_parts[] = {ENTRY("Contents", begin_object, end_entry, object_parts),
                                     ENTRY("CommonPrefixes", begin_prefix, end_entry, prefix_parts),
                                     LEAF("IsTruncated", end_is_truncated),
                                     LEAF("NextContinuationToken", end_continuation),
                                     LEAF("EncodingType", end_encoding_type)};
static const element upload_parts[] = {LEAF("Key", end_key),
                                       LEAF("UploadId", end_entry_upload_id),
                                       LEAF("Initiated", end_last_modified)};
static const element uploads_parts[] = {ENTRY("Upload", begin_upload, end_upload, upload_parts),
                                        LEAF("IsTruncated", end_is_truncated),
                                        LEAF("NextKeyMarker", end_next_key),
                                        LEAF("NextUploadIdMarker", end_upload_id),
                                        LEAF("EncodingType", end_encoding_type)};
static const element error_parts[] = {LEAF("Code", end_code), LEAF("Message", end_message),
                                      LEAF("RequestId", end_request_id),
                                      LEAF("Region", end_region),
                                      LEAF("BucketName", end_bucket)};
static const element created_parts[] = {LEAF("UploadId", end_upload_id)};
static const element completed_parts[] = {LEAF("ETag", end_etag)};
static const element roots[] = {
    ROOT("ListBucketResult", list_parts, S3S_XML_ROOT_LIST),
    ROOT("Error", error_parts, S3S_XML_ROOT_ERROR),
    ROOT("ListMultipartUploadsResult", uploads_parts, S3S_XML_ROOT_UPLOADS),
    ROOT("InitiateMultipartUploadResult", created_parts, S3S_XML_ROOT_CREATED),
    ROOT("CompleteMultipartUploadResult", completed_parts, S3S_XML_ROOT_COMPLETED),
};

/* ---- the reader's handler -------------------------------------------------------------------- */

static const element *find_element(const element *parts, size_t count, const char *name,
                                   size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].name_size == size && memcmp(parts[i].name, name, size) == 0)
            return &parts[i];
    return NULL;
}

/* A document whose root is none of ours is read to its end and means nothing. */
static bool on_start(void *ctx, const char *name, size_t size)
{
    s3s_xml *x = ctx;
    const element *known = NULL;
    if (x->unknown_depth == 0 && x->depth == 0)
        known = find_element(roots, COUNT(roots), name, size);
    else if (x->unknown_depth == 0)
        known = find_element(x->open[x->depth - 1]->parts, x->open[x->depth - 1]->part_count, name,
                             size);
    if (known == NULL) {
        x->unknown_depth++;
        return false;
    }
    x->open[x->depth++] = known;
    if (known->root != S3S_XML_ROOT_NONE)
        x->root = known->root;
    if (known->begin != NULL)
        known->begin(x);
    return known->end != NULL && known->parts == NULL;
}

static void on_end(void *ctx, char *text, size_t size)
{
    s3s_xml *x = ctx;
    if (x->unknown_depth > 0) {
        x->unknown_depth--;
        return;
    }
    const element *known = x->open[--x->depth];
    if (known->end != NULL)
        known->end(x, text, size);
}

static const s3s_xml_handler handler = {
    .start = on_start, .end = on_end, .max_text = S3S_XML_MAX_TEXT};

/* ---- the document ---------------------------------------------------------------------------- */

s3store_status s3s_xml_new(s3s_env *env, s3s_xml **out, s3store_error *err)
{
    *out = NULL;
    s3s_xml *x = s3s_calloc(env, 1, sizeof *x);
    if (x == NULL)
        return s3s_fail_memory(err, sizeof *x);
    x->env = env;
    s3s_arena_init(&x->arena, env);
    s3s_xml_reader_init(&x->reader, env, &handler, x);
    s3s_xml_begin(x);
    *out = x;
    return S3STORE_OK;
}

void s3s_xml_free(s3s_xml *xml)
{
    if (xml == NULL)
        return;
    s3s_xml_reader_deinit(&xml->reader);
    s3s_arena_deinit(&xml->arena);
    s3s_free(xml->env, xml->entries);
    s3s_free(xml->env, xml);
}

void s3s_xml_begin(s3s_xml *xml)
{
    s3s_xml *x = xml;
    s3s_xml_reader_begin(&x->reader);
    x->depth = 0;
    x->unknown_depth = 0;
    x->root = S3S_XML_ROOT_NONE;
    memset(&x->error, 0, sizeof x->error);
    s3s_arena_reset(&x->arena);
    x->count = 0;
    x->has_prefixes = false;
    x->url_encoded = false;
    x->truncated = false;
    x->has_truncated = false;
    x->continuation[0] = '\0';
    x->upload_id[0] = '\0';
    x->next_key[0] = '\0';
    x->etag[0] = '\0';
    x->ended = false;
}

static s3store_status tell(s3s_xml *x, s3store_error *err)
{
    const s3s_xml_reader *r = &x->reader;
    if (r->failed == S3STORE_OUT_OF_MEMORY)
        return s3s_fail(err, r->failed, "out of memory while the server's XML was read");
    return s3s_fail(err, r->failed, "the server's XML, line %lu: %s", r->lines + 1, r->why);
}

s3store_status s3s_xml_feed(s3s_xml *xml, const void *data, size_t size, s3store_error *err)
{
    s3store_status status = s3s_xml_reader_feed(&xml->reader, data, size);
    return status == S3STORE_OK ? status : tell(xml, err);
}

/* encoding-type=url as AWS does it: %XX, and '+' for a blank ('+' itself is %2B). In place. */
static bool decode_key(char *key)
{
    for (char *c = key; *c != '\0'; c++)
        if (*c == '+')
            *c = ' ';
    size_t size = strlen(key);
    size_t decoded = 0;
    if (memchr(key, '%', size) == NULL)
        return true;
    if (!s3s_percent_decode(key, size, key, size + 1, &decoded))
        return false;
    return memchr(key, '\0', decoded) == NULL;
}

static int compare_entries(const void *a, const void *b)
{
    const s3s_xml_entry *x = a;
    const s3s_xml_entry *y = b;
    return strcmp(x->key, y->key);
}

static s3store_status finish_list(s3s_xml *x)
{
    if (!x->has_truncated)
        return fail(x, S3STORE_CORRUPT, "the listing does not say whether more follows");
    if (x->truncated && x->continuation[0] == '\0')
        return fail(x, S3STORE_CORRUPT, "more follows, but there is no continuation token");
    for (size_t i = 0; i < x->count && x->url_encoded; i++)
        if (!decode_key(x->entries[i].key))
            return fail(x, S3STORE_CORRUPT, "the encoding of a key is damaged");
    /* Prefixes come after the objects: both in one order, as the port promises. */
    if (x->has_prefixes)
        qsort(x->entries, x->count, sizeof x->entries[0], compare_entries);
    for (size_t i = 1; i < x->count; i++)
        if (strcmp(x->entries[i - 1].key, x->entries[i].key) >= 0)
            return fail(x, S3STORE_CORRUPT,
                        "the keys of the listing are not in byte order, on which everything here "
                        "relies: this server cannot be used");
    return S3STORE_OK;
}

static s3store_status finish_uploads(s3s_xml *x)
{
    if (!x->has_truncated)
        return fail(x, S3STORE_CORRUPT, "the listing does not say whether more follows");
    if (x->truncated && x->next_key[0] == '\0')
        return fail(x, S3STORE_CORRUPT, "more follows, but the listing does not say where");
    if (!x->url_encoded)
        return S3STORE_OK;
    bool good = decode_key(x->next_key);
    for (size_t i = 0; i < x->count && good; i++)
        good = decode_key(x->entries[i].key);
    return good ? S3STORE_OK : fail(x, S3STORE_CORRUPT, "the encoding of a key is damaged");
}

s3store_status s3s_xml_end(s3s_xml *xml, s3store_error *err)
{
    s3store_status status = s3s_xml_reader_end(&xml->reader);
    if (status == S3STORE_OK && xml->root == S3S_XML_ROOT_LIST && !xml->ended)
        status = finish_list(xml);
    if (status == S3STORE_OK && xml->root == S3S_XML_ROOT_UPLOADS && !xml->ended)
        status = finish_uploads(xml);
    xml->ended = true;
    return status == S3STORE_OK ? status : tell(xml, err);
}

s3s_xml_root s3s_xml_kind(const s3s_xml *xml)
{
    return xml->root;
}

const s3s_xml_error *s3s_xml_get_error(const s3s_xml *xml)
{
    return &xml->error;
}

size_t s3s_xml_count(const s3s_xml *xml)
{
    return xml->count;
}

const s3s_xml_entry *s3s_xml_get(const s3s_xml *xml, size_t i)
{
    return &xml->entries[i];
}

bool s3s_xml_is_truncated(const s3s_xml *xml)
{
    return xml->truncated;
}

const char *s3s_xml_continuation(const s3s_xml *xml)
{
    return xml->continuation;
}

const char *s3s_xml_upload_id(const s3s_xml *xml)
{
    return xml->upload_id;
}

const char *s3s_xml_etag(const s3s_xml *xml)
{
    return xml->etag;
}

const char *s3s_xml_next_key(const s3s_xml *xml)
{
    return xml->next_key;
}
