/* Receiving an answer: headers into s3s_s3_answer, the body to where it belongs. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "objstore/port.h"
#include "objstore/s3/exchange.h"

#define ERROR_BODY_MAX (256u * 1024) /* further bytes of an error's body are not read */
#define METADATA_PREFIX "x-amz-meta-"
#define HEADER_VALUE_MAX 256

/* ---- headers --------------------------------------------------------------------------------- */

static void copy_visible(char *out, size_t out_size, const char *value)
{
    size_t size = strlen(value);
    if (size >= out_size)
        size = out_size - 1;
    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)value[i] < 0x20 || value[i] == 0x7f ? ' ' : value[i];
    out[size] = '\0';
}

static void take_date(s3s_s3_answer *a, const char *value)
{
    int64_t time_us = 0;
    if (s3s_http_date_parse(value, &time_us))
        a->date_us = time_us;
}

static void take_last_modified(s3s_s3_answer *a, const char *value)
{
    int64_t time_us = 0;
    if (s3s_http_date_parse(value, &time_us))
        a->last_modified_us = time_us;
}

static void take_content_length(s3s_s3_answer *a, const char *value)
{
    int64_t length = 0;
    if (s3s_parse_i64(value, strlen(value), &length) && length >= 0)
        a->content_length = length;
}

static bool parse_u64(const char *text, const char **end, uint64_t *out)
{
    uint64_t value = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
            return false;
    *end = c;
    *out = value;
    return c != text;
}

/* "bytes 0-99/1234", or "bytes * /1234" (without the blank) of a range that cannot be satisfied. */
static void take_content_range(s3s_s3_answer *a, const char *value)
{
    uint64_t first = 0;
    uint64_t last = 0;
    uint64_t total = 0;
    const char *c = value;
    if (strncasecmp(c, "bytes ", 6) != 0)
        return;
    c += 6;
    if (s3s_starts_with(c, "*/")) {
        if (parse_u64(c + 2, &c, &total) && *c == '\0') {
            a->range_unsatisfied = true;
            a->range_total = total;
        }
        return;
    }
    if (!parse_u64(c, &c, &first) || *c++ != '-' || !parse_u64(c, &c, &last) || *c++ != '/' ||
        !parse_u64(c, &c, &total) || *c != '\0' || first > last || last >= total)
        return;
    a->has_range = true;
    a->range_first = first;
    a->range_last = last;
    a->range_total = total;
}

void s3s_s3_copy_etag(const char *value, char etag[72])
{
    etag[0] = '\0';
    if (s3s_starts_with(value, "W/"))
        value += 2;
    size_t size = strlen(value);
    if (size >= 2 && value[0] == '"' && value[size - 1] == '"') {
        value++;
        size -= 2;
    }
    if (size >= 72)
        return; /* a cut ETag would match nothing */
    memcpy(etag, value, size);
    etag[size] = '\0';
}

static void take_etag(s3s_s3_answer *a, const char *value)
{
    s3s_s3_copy_etag(value, a->etag);
}

static void take_region(s3s_s3_answer *a, const char *value)
{
    copy_visible(a->region, sizeof a->region, value);
}

static void take_request_id(s3s_s3_answer *a, const char *value)
{
    copy_visible(a->request_id, sizeof a->request_id, value);
}

/* Seconds, or a date (which is compared with the answer's own Date). */
static void take_retry_after(s3s_s3_answer *a, const char *value)
{
    int64_t seconds = 0;
    int64_t time_us = 0;
    if (s3s_parse_i64(value, strlen(value), &seconds) && seconds >= 0)
        a->retry_after_us =
            (seconds < S3S_S3_RETRY_AFTER_MAX_S ? seconds : S3S_S3_RETRY_AFTER_MAX_S) * 1000000;
    else if (s3s_http_date_parse(value, &time_us))
        a->retry_at_us = time_us;
}

static void take_transfer_encoding(s3s_s3_answer *a, const char *value)
{
    a->chunked = strcasecmp(value, "identity") != 0;
}

#define WANTED(name, take) {name, sizeof name - 1, take}
static const struct wanted_header {
    const char *name;
    size_t name_size;
    void (*take)(s3s_s3_answer *a, const char *value);
} wanted_headers[] = {
    WANTED("date", take_date),
    WANTED("etag", take_etag),
    WANTED("content-length", take_content_length),
    WANTED("content-range", take_content_range),
    WANTED("last-modified", take_last_modified),
    WANTED("x-amz-request-id", take_request_id),
    WANTED("x-amz-bucket-region", take_region),
    WANTED("retry-after", take_retry_after),
    WANTED("transfer-encoding", take_transfer_encoding),
};

/* What does not fit is left out and told: the objects of this format have few and short entries. */
static void take_metadata(s3s_s3_exchange *x, const char *name, size_t name_size,
                          const char *value, size_t value_size)
{
    char name_text[160];
    char value_text[S3STORE_METADATA_MAX_TEXT];
    if (x->metadata == NULL)
        return;
    if (name_size >= sizeof name_text || value_size >= sizeof value_text ||
        memchr(value, '\0', value_size) != NULL) {
        x->metadata_lost = true;
        return;
    }
    memcpy(name_text, name, name_size);
    name_text[name_size] = '\0';
    memcpy(value_text, value, value_size);
    value_text[value_size] = '\0';
    if (!s3store_metadata_add(x->metadata, name_text, value_text))
        x->metadata_lost = true;
}

static const struct wanted_header *find_wanted(const char *name, size_t size)
{
    for (size_t i = 0; i < sizeof wanted_headers / sizeof wanted_headers[0]; i++)
        if (wanted_headers[i].name_size == size &&
            strncasecmp(name, wanted_headers[i].name, size) == 0)
            return &wanted_headers[i];
    return NULL;
}

void s3s_s3_on_header(void *ctx, const char *name, size_t name_size, const char *value,
                      size_t value_size)
{
    s3s_s3_exchange *x = ctx;
    size_t prefix = sizeof METADATA_PREFIX - 1;
    if (name_size > prefix && (name[0] | 0x20) == 'x' &&
        strncasecmp(name, METADATA_PREFIX, prefix) == 0) {
        take_metadata(x, name + prefix, name_size - prefix, value, value_size);
        return;
    }
    const struct wanted_header *wanted = find_wanted(name, name_size);
    char text[HEADER_VALUE_MAX];
    if (wanted == NULL || value_size >= sizeof text || memchr(value, '\0', value_size) != NULL)
        return; /* none of the wanted ones is that long */
    memcpy(text, value, value_size);
    text[value_size] = '\0';
    wanted->take(&x->answer, text);
}

/* ---- status ---------------------------------------------------------------------------------- */

/* Nothing of an earlier attempt stays. */
void s3s_s3_receive_begin(s3s_s3_exchange *x)
{
    x->received = false;
    s3s_s3_answer *a = &x->answer;
    memset(a, 0, offsetof(s3s_s3_answer, etag)); /* texts are ended: most of them nobody fills */
    a->date_us = a->last_modified_us = a->retry_at_us = S3STORE_TIME_NONE;
    a->retry_after_us = a->content_length = -1;
    a->etag[0] = a->region[0] = a->request_id[0] = a->code[0] = a->message[0] = '\0';
    if (x->metadata != NULL) {
        x->metadata->count = 0;
        x->metadata->text_size = 0;
    }
    x->metadata_lost = false;
    x->xml_begun = false;
    x->sink_begun = false;
    x->sink_status = S3STORE_OK;
    x->is_error_body = false;
    x->skip = 0;
    x->wanted = UINT64_MAX;
    x->delivered = 0;
    x->object_size = 0;
    x->error_size = 0;
}

void s3s_s3_on_status(void *ctx, int status)
{
    s3s_s3_exchange *x = ctx;
    if (x->received) /* a second answer: the first one's connection broke */
        s3s_s3_receive_begin(x);
    x->received = true;
    x->answer.http_status = status;
}

bool s3s_s3_is_success(const s3s_s3_exchange *x)
{
    return x->answer.http_status >= 200 && x->answer.http_status <= 299;
}

/* ---- the body of a GET ----------------------------------------------------------------------- */

static s3store_status fail_answer(const s3s_s3_exchange *x, const char *what, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_CORRUPT, x->key, "the server %s", what);
}

/* Which part of a body that is the whole object was asked for: some servers ignore ranges. */
static s3store_status slice_whole(s3s_s3_exchange *x, s3store_error *err)
{
    const s3store_get_request *g = x->get;
    if (x->answer.content_length >= 0) {
        x->object_size = (uint64_t)x->answer.content_length;
        return s3s_port_range(g, x->object_size, &x->skip, &x->wanted, err);
    }
    if (!x->answer.chunked) /* then the end of the connection would be the end of the object */
        return fail_answer(x, "does not say how long its answer is: a cut one would look whole",
                           err);
    if (g->suffix > 0)
        return fail_answer(x, "ignores a range and does not say how long the object is", err);
    x->skip = g->offset;
    x->wanted = g->length;
    return S3STORE_OK;
}

static s3store_status slice_range(s3s_s3_exchange *x, s3store_error *err)
{
    const s3store_get_request *g = x->get;
    const s3s_s3_answer *a = &x->answer;
    if (!a->has_range)
        return fail_answer(x, "sent a part of the object without saying which", err);
    uint64_t first = g->offset;
    if (g->suffix > 0)
        first = a->range_total > g->suffix ? a->range_total - g->suffix : 0;
    uint64_t to_end = a->range_total > first ? a->range_total - first : 0;
    uint64_t size = a->range_last - a->range_first + 1;
    x->object_size = a->range_total;
    x->skip = 0;
    x->wanted = g->suffix > 0 || g->length > to_end ? to_end : g->length;
    if (a->range_first != first || size < x->wanted ||
        (a->content_length >= 0 && (uint64_t)a->content_length > size))
        return fail_answer(x, "sent another part of the object than was asked for", err);
    return S3STORE_OK;
}

/* A server or a gateway that does not know the condition must not mix two objects. */
static s3store_status check_if_match(const s3s_s3_exchange *x, s3store_error *err)
{
    const char *wanted = x->get->if_match;
    if (wanted == NULL || x->answer.etag[0] == '\0' || strcmp(wanted, x->answer.etag) == 0)
        return S3STORE_OK;
    return s3s_fail_key(err, S3STORE_ALREADY_EXISTS, x->key,
                        "the object has ETag %s, not %.64s", x->answer.etag, wanted);
}

static s3store_status begin_sink(s3s_s3_exchange *x, s3store_error *err)
{
    s3store_status status = check_if_match(x, err);
    if (status == S3STORE_OK)
        status = x->answer.http_status == 206 ? slice_range(x, err) : slice_whole(x, err);
    if (status != S3STORE_OK)
        return status;
    x->sink_begun = true;
    int64_t total = x->wanted <= INT64_MAX && (x->answer.content_length >= 0 ||
                                               x->answer.http_status == 206)
                        ? (int64_t)x->wanted
                        : -1;
    x->sink_status = x->sink->begin(x->sink, total, err);
    return x->sink_status;
}

static s3store_status deliver(s3s_s3_exchange *x, const uint8_t *data, size_t size,
                              s3store_error *err)
{
    if (!x->sink_begun) {
        s3store_status status = begin_sink(x, err);
        if (status != S3STORE_OK)
            return status;
    }
    size_t skipped = x->skip < size ? (size_t)x->skip : size;
    x->skip -= skipped;
    data += skipped;
    size -= skipped;
    uint64_t left = x->wanted - x->delivered;
    if (x->wanted != UINT64_MAX && size > left)
        size = (size_t)left;
    if (size > 0) {
        x->sink_status = x->sink->write(x->sink, data, size, err);
        if (x->sink_status != S3STORE_OK)
            return x->sink_status;
        x->delivered += size;
    }
    /* The rest of a body whose range was ignored is not read. */
    bool cut = x->answer.http_status == 200 && x->wanted != UINT64_MAX &&
               x->delivered == x->wanted && x->result.received < x->object_size;
    return cut ? S3STORE_END : S3STORE_OK;
}

/* ---- any body -------------------------------------------------------------------------------- */

static void begin_xml(s3s_s3_exchange *x)
{
    if (!x->xml_begun)
        s3s_xml_begin(x->xml);
    x->xml_begun = true;
}

static s3store_status feed_xml(s3s_s3_exchange *x, const void *data, size_t size,
                               s3store_error *err)
{
    begin_xml(x);
    return s3s_xml_feed(x->xml, data, size, err);
}

static s3store_status take_error_body(s3s_s3_exchange *x, const void *data, size_t size)
{
    x->error_size += size;
    if (x->error_size > ERROR_BODY_MAX)
        return S3STORE_END;
    /* What is not XML (a proxy's page) is not looked at: the HTTP status says enough. */
    (void)feed_xml(x, data, size, NULL);
    return S3STORE_OK;
}

static const char *skip_blanks(const char *c, const char *end)
{
    while (c < end && (*c == ' ' || *c == '\t' || *c == '\r' || *c == '\n'))
        c++;
    return c;
}

/* Behind 200 a gateway may send an error instead of the object. An object has an ETag or a time
 * of change; what has neither and begins like an error is one. */
static bool looks_like_error(const s3s_s3_exchange *x, const char *data, size_t size)
{
    static const char declaration[] = "<?xml", root[] = "<Error";
    const s3s_s3_answer *a = &x->answer;
    const char *end = data + size;
    const char *c = skip_blanks(data, end);
    if (a->etag[0] != '\0' || a->last_modified_us != S3STORE_TIME_NONE || c == end || *c != '<')
        return false;
    if ((size_t)(end - c) > sizeof declaration &&
        memcmp(c, declaration, sizeof declaration - 1) == 0) {
        const char *close = memchr(c, '>', (size_t)(end - c));
        c = close == NULL ? end : skip_blanks(close + 1, end);
    }
    return (size_t)(end - c) >= sizeof root && memcmp(c, root, sizeof root - 1) == 0 &&
           strchr("> \t\r\n/", c[sizeof root - 1]) != NULL;
}

/* Whose answer is a document that is read while it comes. */
static bool has_document(s3s_s3_verb verb)
{
    return verb == S3S_S3_LIST || verb == S3S_S3_CREATE || verb == S3S_S3_COMPLETE ||
           verb == S3S_S3_UPLOADS;
}

s3store_status s3s_s3_on_body(void *ctx, const void *data, size_t size, s3store_error *err)
{
    s3s_s3_exchange *x = ctx;
    if (s3s_s3_is_success(x) && x->verb == S3S_S3_GET) {
        if (!x->sink_begun && !x->is_error_body)
            x->is_error_body = looks_like_error(x, data, size);
        return x->is_error_body ? take_error_body(x, data, size) : deliver(x, data, size, err);
    }
    if (s3s_s3_is_success(x) && has_document(x->verb))
        return feed_xml(x, data, size, err);
    return take_error_body(x, data, size);
}

/* A body that is an Error, also behind 200. */
static void take_error_code(s3s_s3_exchange *x)
{
    if (!x->xml_begun)
        return;
    (void)s3s_xml_end(x->xml, NULL);
    if (s3s_xml_kind(x->xml) != S3S_XML_ROOT_ERROR)
        return;
    const s3s_xml_error *e = s3s_xml_get_error(x->xml);
    s3s_s3_answer *a = &x->answer;
    /* An error without a code is one all the same. */
    copy_visible(a->code, sizeof a->code, e->code[0] != '\0' ? e->code : "Unknown");
    copy_visible(a->message, sizeof a->message, e->message);
    if (a->request_id[0] == '\0')
        copy_visible(a->request_id, sizeof a->request_id, e->request_id);
    if (a->region[0] == '\0')
        copy_visible(a->region, sizeof a->region, e->region);
}

static s3store_status end_get(s3s_s3_exchange *x, s3store_error *err)
{
    if (x->is_error_body) {
        take_error_code(x);
        return S3STORE_OK;
    }
    if (!x->sink_begun) {
        s3store_status status = begin_sink(x, err);
        if (status != S3STORE_OK)
            return status;
    }
    if (x->wanted != UINT64_MAX && x->delivered < x->wanted)
        return s3s_fail_key(err, S3STORE_UNAVAILABLE, x->key,
                            "the answer ended after %llu of %llu bytes",
                            (unsigned long long)x->delivered, (unsigned long long)x->wanted);
    if (x->answer.http_status != 206 && x->answer.content_length < 0)
        x->object_size = x->result.received;
    return S3STORE_OK;
}

static s3store_status end_document(s3s_s3_exchange *x, s3s_xml_root wanted, const char *what,
                                   s3store_error *err)
{
    begin_xml(x);
    s3store_status status = s3s_xml_end(x->xml, err);
    if (status != S3STORE_OK)
        return status;
    take_error_code(x);
    s3s_xml_root root = s3s_xml_kind(x->xml);
    if (root == wanted || root == S3S_XML_ROOT_ERROR)
        return S3STORE_OK;
    return s3s_fail_key(err, S3STORE_CORRUPT, x->key,
                        "the server answered with a document that is not %s", what);
}

/* The page of a portal or a gateway behind 200 is not S3's word that it was done. S3's own answers
 * to these verbs have no body but an error's. */
static s3store_status check_is_s3(const s3s_s3_exchange *x, s3store_error *err)
{
    const s3s_s3_answer *a = &x->answer;
    if (x->error_size == 0 || a->etag[0] != '\0' || a->code[0] != '\0')
        return S3STORE_OK;
    return s3s_fail_key(err, S3STORE_CORRUPT, x->key,
                        "something answered %d with %zu bytes that S3 does not send: it may be a "
                        "proxy or a portal on the way",
                        a->http_status, x->error_size);
}

s3store_status s3s_s3_receive_end(s3s_s3_exchange *x, s3store_error *err)
{
    if (!s3s_s3_is_success(x)) {
        take_error_code(x);
        return S3STORE_OK;
    }
    switch (x->verb) {
    case S3S_S3_GET:
        return end_get(x, err);
    case S3S_S3_LIST:
        return end_document(x, S3S_XML_ROOT_LIST, "a listing", err);
    case S3S_S3_CREATE:
        return end_document(x, S3S_XML_ROOT_CREATED, "the id of an upload", err);
    case S3S_S3_COMPLETE:
        return end_document(x, S3S_XML_ROOT_COMPLETED, "a completed upload", err);
    case S3S_S3_UPLOADS:
        return end_document(x, S3S_XML_ROOT_UPLOADS, "a listing of uploads", err);
    case S3S_S3_PUT:
    case S3S_S3_HEAD:
    case S3S_S3_REMOVE:
    case S3S_S3_PART:
    case S3S_S3_ABORT:
        break;
    }
    take_error_code(x);
    return check_is_s3(x, err);
}
