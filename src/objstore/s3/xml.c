/* Elements are known by their path ("ListBucketResult/Contents/Key"); all others are passed
 * over. */
#include "objstore/s3/xml.h"

#include <expat.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"

#define PATH_SIZE 256
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define REFERENCE_MAX 12 /* "&#x0000001f;" */

struct s3s_xml {
    s3s_env *env;
    XML_Parser parser;
    s3store_status failed;
    s3store_error why;
    size_t fed;

    char path[PATH_SIZE];
    size_t path_size;
    size_t depth;
    size_t unknown_depth; /* > 0: inside an element that is passed over */
    const struct element *element; /* whose text is being read */
    s3s_buffer text;

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
    bool continuation_damaged;
    char upload_id[S3STORE_UPLOAD_ID_MAX];
    char next_key[3 * S3STORE_KEY_MAX_BYTES + 1]; /* encoded until the end */
    char etag[80];

    bool begun; /* something other than a blank came */
    bool mended; /* there was a character that XML cannot carry */
    char held[REFERENCE_MAX]; /* the beginning of a reference at the end of what was fed */
    size_t held_size;
};

/* ---- what each element means ----------------------------------------------------------------- */

static s3store_status fail(s3s_xml *x, s3store_status status, const char *what)
{
    if (x->failed == S3STORE_OK) {
        unsigned long line = x->parser != NULL ? XML_GetCurrentLineNumber(x->parser) : 0;
        x->failed = s3s_fail(&x->why, status, "the server's XML, line %lu: %s", line, what);
        XML_StopParser(x->parser, XML_FALSE);
    }
    return x->failed;
}

static s3store_status fail_memory(s3s_xml *x, size_t wanted)
{
    if (x->failed == S3STORE_OK) {
        x->failed = s3s_fail_memory(&x->why, wanted);
        XML_StopParser(x->parser, XML_FALSE);
    }
    return x->failed;
}

static void copy_bounded(char *out, size_t out_size, const char *text)
{
    size_t size = strlen(text);
    if (size >= out_size)
        size = out_size - 1;
    for (size_t i = 0; i < size; i++) /* it goes into messages */
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[size] = '\0';
}

/* REPLACEMENT may also have come as it is: then the text is taken for mended without need. */
static bool is_mended(const s3s_xml *x, const char *text)
{
    return x->mended && strstr(text, REPLACEMENT) != NULL;
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

static void end_entry(s3s_xml *x, const char *text)
{
    (void)text;
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
            fail_memory(x, capacity * sizeof *entries);
            return;
        }
        x->entries = entries;
        x->capacity = capacity;
    }
    x->has_prefixes = x->has_prefixes || x->entry.is_prefix;
    x->entries[x->count++] = x->entry;
}

static void end_key(s3s_xml *x, const char *text)
{
    if (is_mended(x, text)) {
        fail(x, S3STORE_CORRUPT, "a key has a character that XML cannot carry");
        return;
    }
    x->entry.key = s3s_arena_strdup(&x->arena, text);
    if (x->entry.key == NULL)
        fail_memory(x, strlen(text));
}

static void end_size(s3s_xml *x, const char *text)
{
    int64_t size = 0;
    if (!s3s_parse_i64(text, strlen(text), &size) || size < 0) {
        fail(x, S3STORE_CORRUPT, "the size of an object is not a number");
        return;
    }
    x->entry.object_size = (uint64_t)size;
    x->has_size = true;
}

static void end_last_modified(s3s_xml *x, const char *text)
{
    int64_t time_us = 0;
    if (s3s_iso_parse_us(text, strlen(text), &time_us))
        x->entry.last_modified_us = time_us;
}

static void end_is_truncated(s3s_xml *x, const char *text)
{
    x->truncated = strcmp(text, "true") == 0;
    x->has_truncated = true;
    if (!x->truncated && strcmp(text, "false") != 0)
        fail(x, S3STORE_CORRUPT, "IsTruncated is neither true nor false");
}

static void end_continuation(s3s_xml *x, const char *text)
{
    size_t size = strlen(text);
    x->continuation_damaged = is_mended(x, text);
    if (size >= sizeof x->continuation)
        fail(x, S3STORE_CORRUPT, "the continuation token is too long");
    else
        memcpy(x->continuation, text, size + 1);
}

static void end_encoding_type(s3s_xml *x, const char *text)
{
    x->url_encoded = strcmp(text, "url") == 0;
}

static void end_upload_id(s3s_xml *x, const char *text)
{
    size_t size = strlen(text);
    if (size >= sizeof x->upload_id)
        fail(x, S3STORE_CORRUPT, "the id of the upload is too long");
    else
        memcpy(x->upload_id, text, size + 1);
}

static void end_entry_upload_id(s3s_xml *x, const char *text)
{
    x->entry.upload_id = s3s_arena_strdup(&x->arena, text);
    if (x->entry.upload_id == NULL)
        fail_memory(x, strlen(text));
    else if (strlen(text) >= S3STORE_UPLOAD_ID_MAX || text[0] == '\0')
        fail(x, S3STORE_CORRUPT, "the id of an upload is empty or too long");
}

static void end_upload(s3s_xml *x, const char *text)
{
    if (x->entry.upload_id == NULL)
        fail(x, S3STORE_CORRUPT, "an upload of a listing lacks its id");
    else
        end_entry(x, text);
}

static void end_next_key(s3s_xml *x, const char *text)
{
    size_t size = strlen(text);
    if (size >= sizeof x->next_key || is_mended(x, text))
        fail(x, S3STORE_CORRUPT, "the key to go on after cannot be read");
    else
        memcpy(x->next_key, text, size + 1);
}

static void end_etag(s3s_xml *x, const char *text)
{
    copy_bounded(x->etag, sizeof x->etag, text);
}

static void end_code(s3s_xml *x, const char *text)
{
    copy_bounded(x->error.code, sizeof x->error.code, text);
}

static void end_message(s3s_xml *x, const char *text)
{
    copy_bounded(x->error.message, sizeof x->error.message, text);
}

static void end_request_id(s3s_xml *x, const char *text)
{
    copy_bounded(x->error.request_id, sizeof x->error.request_id, text);
}

static void end_region(s3s_xml *x, const char *text)
{
    copy_bounded(x->error.region, sizeof x->error.region, text);
}

static void end_bucket(s3s_xml *x, const char *text)
{
    copy_bounded(x->error.bucket, sizeof x->error.bucket, text);
}

typedef struct element {
    const char *path;
    void (*begin)(s3s_xml *x);
    void (*end)(s3s_xml *x, const char *text);
} element;

static const element elements[] = {
    {"ListBucketResult", NULL, NULL},
    {"ListBucketResult/IsTruncated", NULL, end_is_truncated},
    {"ListBucketResult/NextContinuationToken", NULL, end_continuation},
    {"ListBucketResult/EncodingType", NULL, end_encoding_type},
    {"ListBucketResult/Contents", begin_object, end_entry},
    {"ListBucketResult/Contents/Key", NULL, end_key},
    {"ListBucketResult/Contents/Size", NULL, end_size},
    {"ListBucketResult/Contents/LastModified", NULL, end_last_modified},
    {"ListBucketResult/CommonPrefixes", begin_prefix, end_entry},
    {"ListBucketResult/CommonPrefixes/Prefix", NULL, end_key},
    {"ListMultipartUploadsResult", NULL, NULL},
    {"ListMultipartUploadsResult/IsTruncated", NULL, end_is_truncated},
    {"ListMultipartUploadsResult/NextKeyMarker", NULL, end_next_key},
    {"ListMultipartUploadsResult/NextUploadIdMarker", NULL, end_upload_id},
    {"ListMultipartUploadsResult/EncodingType", NULL, end_encoding_type},
    {"ListMultipartUploadsResult/Upload", begin_upload, end_upload},
    {"ListMultipartUploadsResult/Upload/Key", NULL, end_key},
    {"ListMultipartUploadsResult/Upload/UploadId", NULL, end_entry_upload_id},
    {"ListMultipartUploadsResult/Upload/Initiated", NULL, end_last_modified},
    {"InitiateMultipartUploadResult", NULL, NULL},
    {"InitiateMultipartUploadResult/UploadId", NULL, end_upload_id},
    {"CompleteMultipartUploadResult", NULL, NULL},
    {"CompleteMultipartUploadResult/ETag", NULL, end_etag},
    {"Error", NULL, NULL},
    {"Error/Code", NULL, end_code},
    {"Error/Message", NULL, end_message},
    {"Error/RequestId", NULL, end_request_id},
    {"Error/Region", NULL, end_region},
    {"Error/BucketName", NULL, end_bucket},
};

/* ---- expat ----------------------------------------------------------------------------------- */

static const element *find_element(const char *path)
{
    for (size_t i = 0; i < sizeof elements / sizeof elements[0]; i++)
        if (strcmp(elements[i].path, path) == 0)
            return &elements[i];
    return NULL;
}

/* A document whose root is none of ours is read to its end and means nothing. */
static void set_root(s3s_xml *x)
{
    static const struct {
        const char *name;
        s3s_xml_root root;
    } roots[] = {{"ListBucketResult", S3S_XML_ROOT_LIST},
                 {"Error", S3S_XML_ROOT_ERROR},
                 {"ListMultipartUploadsResult", S3S_XML_ROOT_UPLOADS},
                 {"InitiateMultipartUploadResult", S3S_XML_ROOT_CREATED},
                 {"CompleteMultipartUploadResult", S3S_XML_ROOT_COMPLETED}};
    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        if (strcmp(x->path, roots[i].name) == 0)
            x->root = roots[i].root;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
    (void)attributes;
    s3s_xml *x = ctx;
    if (x->failed != S3STORE_OK)
        return;
    if (++x->depth > S3S_XML_MAX_DEPTH) {
        fail(x, S3STORE_CORRUPT, "elements are nested too deep");
        return;
    }
    x->element = NULL;
    s3s_buffer_clear(&x->text);
    const char *colon = strchr(name, ':');
    const char *local = colon != NULL ? colon + 1 : name;
    size_t size = strlen(local);
    if (x->unknown_depth > 0 || x->path_size + size + 2 > PATH_SIZE) {
        x->unknown_depth++;
        return;
    }
    size_t start = x->path_size;
    if (start > 0)
        x->path[x->path_size++] = '/';
    memcpy(x->path + x->path_size, local, size + 1);
    x->path_size += size;
    const element *known = find_element(x->path);
    if (known == NULL) {
        x->path_size = start;
        x->path[start] = '\0';
        x->unknown_depth = 1;
        return;
    }
    x->element = known;
    if (start == 0)
        set_root(x);
    if (known->begin != NULL)
        known->begin(x);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
    (void)name;
    s3s_xml *x = ctx;
    if (x->failed != S3STORE_OK)
        return;
    x->depth--;
    if (x->unknown_depth > 0) {
        x->unknown_depth--;
        return;
    }
    const element *known = find_element(x->path);
    const char *text = s3s_buffer_text(&x->text, &x->why);
    if (text == NULL)
        fail_memory(x, 1);
    else if (known != NULL && known->end != NULL)
        known->end(x, x->element != NULL ? text : "");
    x->element = NULL;
    char *slash = strrchr(x->path, '/');
    x->path_size = slash == NULL ? 0 : (size_t)(slash - x->path);
    x->path[x->path_size] = '\0';
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int size)
{
    s3s_xml *x = ctx;
    if (x->failed != S3STORE_OK || x->element == NULL || x->element->end == NULL)
        return;
    if (x->text.size + (size_t)size > S3S_XML_MAX_TEXT) {
        fail(x, S3STORE_CORRUPT, "the text of an element is too long");
        return;
    }
    if (s3s_buffer_append(&x->text, text, (size_t)size, &x->why) != S3STORE_OK)
        fail_memory(x, (size_t)size);
}

/* No answer of S3 has a document type: refusing it refuses entities, and their expansion. */
static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
                               const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    fail(ctx, S3STORE_CORRUPT, "it has a document type, which no answer of S3 has");
}

/* ---- the document ---------------------------------------------------------------------------- */

s3store_status s3s_xml_new(s3s_env *env, s3s_xml **out, s3store_error *err)
{
    *out = NULL;
    s3s_xml *x = s3s_calloc(env, 1, sizeof *x);
    if (x == NULL)
        return s3s_fail_memory(err, sizeof *x);
    x->env = env;
    s3s_buffer_init(&x->text, env, S3S_XML_MAX_TEXT + 1);
    s3s_arena_init(&x->arena, env);
    /* Expat's allocator has no place for a context: it uses malloc, as libcurl does. */
    x->parser = XML_ParserCreate("UTF-8");
    if (x->parser == NULL) {
        s3s_xml_free(x);
        return s3s_fail_memory(err, 0);
    }
    *out = x;
    return s3s_xml_begin(x, err);
}

void s3s_xml_free(s3s_xml *xml)
{
    if (xml == NULL)
        return;
    if (xml->parser != NULL)
        XML_ParserFree(xml->parser);
    s3s_buffer_deinit(&xml->text);
    s3s_arena_deinit(&xml->arena);
    s3s_free(xml->env, xml->entries);
    s3s_free(xml->env, xml);
}

s3store_status s3s_xml_begin(s3s_xml *xml, s3store_error *err)
{
    s3s_xml *x = xml;
    if (XML_ParserReset(x->parser, "UTF-8") != XML_TRUE)
        return s3s_fail(err, S3STORE_INTERNAL, "cannot reset the XML parser");
    XML_SetUserData(x->parser, x);
    XML_SetElementHandler(x->parser, on_start, on_end);
    XML_SetCharacterDataHandler(x->parser, on_text);
    XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
    x->failed = S3STORE_OK;
    x->fed = 0;
    x->path[0] = '\0';
    x->path_size = 0;
    x->depth = 0;
    x->unknown_depth = 0;
    x->element = NULL;
    s3s_buffer_clear(&x->text);
    x->root = S3S_XML_ROOT_NONE;
    memset(&x->error, 0, sizeof x->error);
    s3s_arena_reset(&x->arena);
    x->count = 0;
    x->has_prefixes = false;
    x->url_encoded = false;
    x->truncated = false;
    x->has_truncated = false;
    x->continuation[0] = '\0';
    x->continuation_damaged = false;
    x->upload_id[0] = '\0';
    x->next_key[0] = '\0';
    x->etag[0] = '\0';
    x->begun = false;
    x->mended = false;
    x->held_size = 0;
    return S3STORE_OK;
}

static s3store_status tell(const s3s_xml *x, s3store_error *err)
{
    if (err != NULL)
        *err = x->why;
    return x->failed;
}

/* A document that only ends too early was cut on its way, and can be asked for again. */
static bool means_cut(enum XML_Error code)
{
    return code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
           code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
}

static s3store_status parse(s3s_xml *x, const void *data, size_t size, bool is_final)
{
    static const size_t step = 1u << 20; /* expat counts in int */
    const char *bytes = data;
    do {
        size_t n = size < step ? size : step;
        bool last = is_final && n == size;
        if (XML_Parse(x->parser, bytes, (int)n, last) == XML_STATUS_ERROR) {
            enum XML_Error code = XML_GetErrorCode(x->parser);
            if (code == XML_ERROR_NO_MEMORY)
                return fail_memory(x, 0);
            return fail(x, last && means_cut(code) ? S3STORE_UNAVAILABLE : S3STORE_CORRUPT,
                        XML_ErrorString(code));
        }
        bytes += n;
        size -= n;
    } while (size > 0);
    return S3STORE_OK;
}

/* ---- characters that XML cannot carry -------------------------------------------------------- */

/* Ceph writes control bytes of keys as references ("&#x01;") or as they are, in elements that
 * encoding-type=url leaves alone (the continuation token, and echoes of the request): no parser
 * takes that. Such a character becomes U+FFFD, and a text that has one is not used as it is. */

static bool is_forbidden(unsigned long c)
{
    return c < 0x20 && c != '\t' && c != '\n' && c != '\r';
}

static void feed_replacement(s3s_xml *x)
{
    x->mended = true;
    (void)parse(x, REPLACEMENT, sizeof REPLACEMENT - 1, false);
}

/* The size of the reference to a forbidden character at text, 0 = it is none, -1 = more bytes must
 * tell. */
static int forbidden_reference(const char *text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    unsigned long value = 0;
    size_t i = 2;
    if (size < 2)
        return -1;
    if (text[1] != '#')
        return 0;
    bool hex = size > 2 && (text[2] == 'x' || text[2] == 'X');
    for (i += hex; i < size && i < REFERENCE_MAX; i++) {
        if (text[i] == ';')
            return is_forbidden(value) && i > 2 + (size_t)hex ? (int)i + 1 : 0;
        const char *digit = strchr(digits, text[i] | 0x20);
        if (text[i] == '\0' || digit == NULL || (!hex && digit - digits > 9))
            return 0;
        value = value * (hex ? 16 : 10) + (unsigned long)(digit - digits);
    }
    return i < REFERENCE_MAX ? -1 : 0;
}

/* Bytes before the next one that may have to be replaced. */
static size_t plain_size(const char *text, size_t size)
{
    size_t i = 0;
    while (i < size && text[i] != '&' && !is_forbidden((unsigned char)text[i]))
        i++;
    return i;
}

static void feed_mended(s3s_xml *x, const char *text, size_t size)
{
    while (size > 0 && x->failed == S3STORE_OK) {
        size_t plain = plain_size(text, size);
        int reference = 0;
        while (plain < size && text[plain] == '&') {
            reference = forbidden_reference(text + plain, size - plain);
            if (reference != 0)
                break;
            plain += 1 + plain_size(text + plain + 1, size - plain - 1);
        }
        if (plain > 0 && parse(x, text, plain, false) != S3STORE_OK)
            return;
        text += plain;
        size -= plain;
        if (size == 0)
            return;
        if (reference < 0) { /* fewer than REFERENCE_MAX bytes are left */
            memcpy(x->held, text, size);
            x->held_size = size;
            return;
        }
        feed_replacement(x);
        size_t taken = reference > 0 ? (size_t)reference : 1;
        text += taken;
        size -= taken;
    }
}

/* What was held back, with enough of the new bytes to decide. */
static void feed_held(s3s_xml *x, const char **text, size_t *size)
{
    char joined[2 * REFERENCE_MAX];
    size_t held = x->held_size;
    size_t more = *size < REFERENCE_MAX ? *size : REFERENCE_MAX;
    memcpy(joined, x->held, held);
    memcpy(joined + held, *text, more);
    x->held_size = 0;
    *text += more;
    *size -= more;
    feed_mended(x, joined, held + more);
}

s3store_status s3s_xml_feed(s3s_xml *xml, const void *data, size_t size, s3store_error *err)
{
    s3s_xml *x = xml;
    const char *text = data;
    if (x->failed == S3STORE_OK && size > S3S_XML_MAX_BYTES - x->fed)
        fail(x, S3STORE_CORRUPT, "the document is too long");
    if (x->failed == S3STORE_OK)
        x->fed += size;
    /* A server that takes long to complete an upload sends blanks to keep the connection. */
    while (!x->begun && size > 0 && strchr(" \t\r\n", *text) != NULL && *text != '\0') {
        text++;
        size--;
    }
    x->begun = x->begun || size > 0;
    while (x->held_size > 0 && size > 0 && x->failed == S3STORE_OK)
        feed_held(x, &text, &size);
    if (size > 0)
        feed_mended(x, text, size);
    return x->failed == S3STORE_OK ? S3STORE_OK : tell(x, err);
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
    if (x->continuation_damaged && x->count == 0)
        return fail(x, S3STORE_CORRUPT, "the continuation token cannot be read");
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
    s3s_xml *x = xml;
    if (x->failed == S3STORE_OK && x->held_size > 0)
        parse(x, x->held, x->held_size, false);
    if (x->failed == S3STORE_OK)
        parse(x, "", 0, true);
    if (x->failed == S3STORE_OK && x->root == S3S_XML_ROOT_LIST)
        finish_list(x);
    if (x->failed == S3STORE_OK && x->root == S3S_XML_ROOT_UPLOADS)
        finish_uploads(x);
    return x->failed == S3STORE_OK ? S3STORE_OK : tell(x, err);
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

bool s3s_xml_continuation_is_damaged(const s3s_xml *xml)
{
    return xml->continuation_damaged;
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
