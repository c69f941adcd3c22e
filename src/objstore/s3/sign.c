#include "objstore/s3/sign.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"

#define DATE_LENGTH 8

s3store_status s3s_sign_append(s3s_buffer *out, s3store_error *err, ...)
{
    va_list texts;
    s3store_status status = S3STORE_OK;
    va_start(texts, err);
    for (const char *text = va_arg(texts, const char *); text != NULL && status == S3STORE_OK;
         text = va_arg(texts, const char *))
        status = s3s_buffer_append(out, text, strlen(text), err);
    va_end(texts);
    return status;
}

/* ---- encoding -------------------------------------------------------------------------------- */

#define UNRESERVED                                                                                 \
    ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['-'] = true, ['.'] = true,   \
    ['_'] = true, ['~'] = true
static const s3s_byte_set unreserved = {{UNRESERVED}};
static const s3s_byte_set unreserved_or_slash = {{UNRESERVED, ['/'] = true}};

s3store_status s3s_sign_encode(const char *text, bool keep_slash, s3s_buffer *out,
                               s3store_error *err)
{
    size_t size = strlen(text);
    size_t room = 0;
    if (!s3s_mul(size, 3, &room) || !s3s_add(room, 1, &room))
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "a text of %zu bytes is too long for a URL",
                        size);
    uint8_t *place = s3s_buffer_reserve(out, room, err);
    if (place == NULL)
        return err != NULL ? err->status : S3STORE_OUT_OF_MEMORY;
    if (!s3s_percent_encode(text, size, keep_slash ? &unreserved_or_slash : &unreserved,
                            (char *)place, room))
        return s3s_fail(err, S3STORE_INTERNAL, "percent-encoding needs more than three bytes");
    out->size += strlen((char *)place);
    return S3STORE_OK;
}

/* ---- the query ------------------------------------------------------------------------------- */

typedef struct encoded_pair {
    size_t name;  /* offsets into the scratch buffer, where each text has its NUL */
    size_t value;
} encoded_pair;

static s3store_status encode_text(const char *text, s3s_buffer *out, size_t *offset,
                                  s3store_error *err)
{
    *offset = out->size;
    s3store_status status = s3s_sign_encode(text, false, out, err);
    return status != S3STORE_OK ? status : s3s_buffer_append(out, "", 1, err);
}

static int compare_pairs(const char *texts, const encoded_pair *a, const encoded_pair *b)
{
    int order = strcmp(texts + a->name, texts + b->name);
    return order != 0 ? order : strcmp(texts + a->value, texts + b->value);
}

s3store_status s3s_sign_query(const s3s_query_pair *pairs, size_t count, s3s_buffer *scratch,
                              s3s_buffer *out, s3store_error *err)
{
    encoded_pair encoded[S3S_SIGN_QUERY_MAX];
    if (count > S3S_SIGN_QUERY_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "a query has more than %d parameters",
                        S3S_SIGN_QUERY_MAX);
    s3s_buffer_clear(scratch);
    for (size_t i = 0; i < count; i++) {
        s3store_status status = encode_text(pairs[i].name, scratch, &encoded[i].name, err);
        if (status == S3STORE_OK)
            status = encode_text(pairs[i].value, scratch, &encoded[i].value, err);
        if (status != S3STORE_OK)
            return status;
    }
    const char *texts = (const char *)scratch->data;
    for (size_t i = 1; i < count; i++) /* few: insertion sort */
        for (size_t k = i; k > 0 && compare_pairs(texts, &encoded[k - 1], &encoded[k]) > 0; k--) {
            encoded_pair swap = encoded[k];
            encoded[k] = encoded[k - 1];
            encoded[k - 1] = swap;
        }
    for (size_t i = 0; i < count; i++) {
        s3store_status status =
            s3s_sign_append(out, err, i == 0 ? "" : "&", texts + encoded[i].name, "=",
                            texts + encoded[i].value, NULL);
        if (status != S3STORE_OK)
            return status;
    }
    return S3STORE_OK;
}

/* ---- headers --------------------------------------------------------------------------------- */

/* Indexes of the headers in the order of their lower-case names. */
static s3store_status sort_headers(const s3s_sign_input *input, size_t order[S3S_SIGN_HEADERS_MAX],
                                   s3store_error *err)
{
    if (input->header_count > S3S_SIGN_HEADERS_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "a request has more than %d signed headers",
                        S3S_SIGN_HEADERS_MAX);
    for (size_t i = 0; i < input->header_count; i++) {
        size_t k = i;
        for (; k > 0 && strcasecmp(input->headers[order[k - 1]].name, input->headers[i].name) > 0;
             k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    return S3STORE_OK;
}

/* A text of which it is known that it fits. */
static uint8_t *put_text(uint8_t *to, const char *text, size_t size)
{
    memcpy(to, text, size);
    return to + size;
}

/* Without blanks at the ends; runs of blanks inside become one. */
static uint8_t *put_trimmed(uint8_t *to, const char *value, size_t size)
{
    if (memchr(value, ' ', size) == NULL && memchr(value, '\t', size) == NULL)
        return put_text(to, value, size);
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        bool blank = value[i] == ' ' || value[i] == '\t';
        if (blank && (used == 0 || to[used - 1] == ' '))
            continue;
        to[used++] = blank ? ' ' : (uint8_t)value[i];
    }
    if (used > 0 && to[used - 1] == ' ')
        used--;
    return to + used;
}

/* Bytes of a word that are capital letters get their bit 0x20: 0x80 >> 2. */
static uint64_t lower_word(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    uint64_t low = word & ~high;
    uint64_t from_a = low + ones * (0x80 - 'A'), beyond_z = low + ones * (0x7f - 'Z');
    return word | ((from_a ^ beyond_z) & ~word & high) >> 2;
}

static uint8_t *put_lower(uint8_t *to, const char *text, size_t size)
{
    size_t i = 0;
    for (; size - i >= 8; i += 8)
        s3s_put_le64(to + i, lower_word(s3s_le64(text + i)));
    for (; i < size; i++) {
        bool upper = text[i] >= 'A' && text[i] <= 'Z';
        to[i] = (uint8_t)(text[i] | (upper ? 0x20 : 0));
    }
    return to + size;
}

s3store_status s3s_sign_header_names(const s3s_sign_input *input, s3s_buffer *out,
                                     s3store_error *err)
{
    size_t order[S3S_SIGN_HEADERS_MAX];
    s3store_status status = sort_headers(input, order, err);
    for (size_t i = 0; i < input->header_count && status == S3STORE_OK; i++) {
        const char *name = input->headers[order[i]].name;
        size_t size = strlen(name);
        uint8_t *to = s3s_buffer_reserve(out, size + 1, err);
        if (to == NULL)
            return err != NULL ? err->status : S3STORE_OUT_OF_MEMORY;
        if (i > 0)
            *to++ = ';';
        out->size = (size_t)(put_lower(to, name, size) - out->data);
    }
    return status;
}

/* ---- the signature --------------------------------------------------------------------------- */

typedef struct header_sizes {
    size_t name, value;
} header_sizes;

/* What a canonical request takes at most; false: more than there is. */
static bool canonical_size(const s3s_sign_input *input, const size_t *order, header_sizes *sizes,
                           size_t *out)
{
    bool fits = true;
    *out = strlen(input->method) + 4;
    fits = fits && s3s_add(*out, strlen(input->path), out);
    fits = fits && s3s_add(*out, strlen(input->query), out);
    fits = fits && s3s_add(*out, strlen(input->payload_hash) + 1, out);
    for (size_t i = 0; i < input->header_count && fits; i++) {
        const s3s_http_header *header = &input->headers[order[i]];
        sizes[i] = (header_sizes){strlen(header->name), strlen(header->value)};
        fits = s3s_add(*out, sizes[i].name, out) && s3s_add(*out, sizes[i].name, out) &&
               s3s_add(*out, sizes[i].value, out) && s3s_add(*out, 3, out);
    }
    return fits;
}

static uint8_t *put_line(uint8_t *to, const char *text)
{
    to = put_text(to, text, strlen(text));
    *to++ = '\n';
    return to;
}

/* Room for all of it is made at once; then it is copying. */
s3store_status s3s_sign_canonical_request(const s3s_sign_input *input, s3s_buffer *out,
                                          s3store_error *err)
{
    size_t order[S3S_SIGN_HEADERS_MAX], total = 0;
    header_sizes sizes[S3S_SIGN_HEADERS_MAX];
    const uint8_t *names[S3S_SIGN_HEADERS_MAX];
    s3store_status status = sort_headers(input, order, err);
    if (status != S3STORE_OK)
        return status;
    if (!canonical_size(input, order, sizes, &total))
        return s3s_fail_memory(err, SIZE_MAX);
    uint8_t *to = s3s_buffer_reserve(out, total, err);
    if (to == NULL)
        return err != NULL ? err->status : S3STORE_OUT_OF_MEMORY;
    to = put_line(put_line(put_line(to, input->method), input->path), input->query);
    for (size_t i = 0; i < input->header_count; i++) {
        const s3s_http_header *header = &input->headers[order[i]];
        names[i] = to;
        to = put_lower(to, header->name, sizes[i].name);
        *to++ = ':';
        to = put_trimmed(to, header->value, sizes[i].value);
        *to++ = '\n';
    }
    *to++ = '\n';
    for (size_t i = 0; i < input->header_count; i++) {
        if (i > 0)
            *to++ = ';';
        to = put_text(to, (const char *)names[i], sizes[i].name);
    }
    *to++ = '\n';
    to = put_text(to, input->payload_hash, strlen(input->payload_hash));
    out->size = (size_t)(to - out->data);
    return S3STORE_OK;
}

s3store_status s3s_sign_key(const char *secret, const char *date, const char *region,
                            const char *service, uint8_t key[S3S_SHA256_SIZE], s3store_error *err)
{
    char first[4 + 512];
    size_t secret_size = strlen(secret);
    if (secret_size > sizeof first - 4)
        return s3s_fail(err, S3STORE_NO_CREDENTIALS, "the secret access key is longer than %zu",
                        sizeof first - 4);
    memcpy(first, "AWS4", 4);
    memcpy(first + 4, secret, secret_size);
    s3store_status status =
        s3s_hmac_sha256(first, 4 + secret_size, date, strlen(date), key, err);
    s3s_wipe(first, sizeof first);
    const char *const steps[] = {region, service, "aws4_request"};
    for (size_t i = 0; i < 3 && status == S3STORE_OK; i++) {
        uint8_t next[S3S_SHA256_SIZE];
        status = s3s_hmac_sha256(key, S3S_SHA256_SIZE, steps[i], strlen(steps[i]), next, err);
        if (status == S3STORE_OK)
            memcpy(key, next, S3S_SHA256_SIZE);
        s3s_wipe(next, sizeof next);
    }
    return status;
}

void s3s_sign_scope(const s3s_sign_input *input, char scope[S3S_SIGN_SCOPE_SIZE])
{
    static const char end[] = "/aws4_request";
    size_t region_size = strnlen(input->region, S3S_SIGN_REGION_SIZE - 1);
    size_t service_size = strnlen(input->service, 16);
    char *c = scope;
    memcpy(c, input->date_time, DATE_LENGTH);
    c += DATE_LENGTH;
    *c++ = '/';
    memcpy(c, input->region, region_size);
    c += region_size;
    *c++ = '/';
    memcpy(c, input->service, service_size);
    memcpy(c + service_size, end, sizeof end);
}

/* The names of the headers are the last line but one of the canonical request. */
static s3store_status append_names(const s3s_sign_input *input, const s3s_buffer *canonical,
                                   s3s_buffer *out, s3store_error *err)
{
    const uint8_t *end = canonical->data + canonical->size - strlen(input->payload_hash) - 1;
    const uint8_t *names = end;
    while (names > canonical->data && names[-1] != '\n')
        names--;
    return s3s_buffer_append(out, names, (size_t)(end - names), err);
}

/* names (NULL = not wanted): where the names of the signed headers are appended. */
static s3store_status sign(const s3s_sign_input *input, const s3s_hmac_key *key,
                           s3s_buffer *scratch, s3s_buffer *names,
                           char signature[2 * S3S_SHA256_SIZE + 1], s3store_error *err)
{
    s3s_buffer_clear(scratch);
    s3store_status status = s3s_sign_canonical_request(input, scratch, err);
    if (status == S3STORE_OK && names != NULL)
        status = append_names(input, scratch, names, err);
    if (status != S3STORE_OK)
        return status;
    uint8_t digest[S3S_SHA256_SIZE] = {0};
    char digest_hex[2 * S3S_SHA256_SIZE + 1];
    char scope[S3S_SIGN_SCOPE_SIZE];
    status = s3s_sha256(scratch->data, scratch->size, digest, err);
    s3s_hex(digest, sizeof digest, digest_hex);
    s3s_sign_scope(input, scope);
    s3s_buffer_clear(scratch);
    if (status == S3STORE_OK)
        status = s3s_sign_append(scratch, err, "AWS4-HMAC-SHA256\n", input->date_time, "\n", scope,
                                 "\n", digest_hex, NULL);
    if (status == S3STORE_OK)
        status = s3s_hmac_sha256_with(key, scratch->data, scratch->size, digest, err);
    s3s_hex(digest, sizeof digest, signature);
    return status;
}

s3store_status s3s_sign(const s3s_sign_input *input, const s3s_hmac_key *key,
                        s3s_buffer *scratch, char signature[2 * S3S_SHA256_SIZE + 1],
                        s3store_error *err)
{
    return sign(input, key, scratch, NULL, signature, err);
}

s3store_status s3s_sign_authorization(const s3s_sign_input *input, const char *access_key_id,
                                      const s3s_hmac_key *key, s3s_buffer *scratch,
                                      s3s_buffer *out, s3store_error *err)
{
    char signature[2 * S3S_SHA256_SIZE + 1];
    char scope[S3S_SIGN_SCOPE_SIZE];
    s3s_sign_scope(input, scope);
    s3store_status status = s3s_sign_append(out, err, "AWS4-HMAC-SHA256 Credential=", access_key_id,
                                            "/", scope, ",SignedHeaders=", NULL);
    if (status == S3STORE_OK)
        status = sign(input, key, scratch, out, signature, err);
    if (status == S3STORE_OK)
        status = s3s_sign_append(out, err, ",Signature=", signature, NULL);
    return status;
}
