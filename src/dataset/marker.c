/* dataset/marker.c: see marker.h. */
#include "dataset/marker.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/quote.h"

#define ATTEMPT "attemptid"
#define CONTENT_HASH "contenthash"
#define HASH_DIGITS 16
#define CHUNK "chunk"

/* The three numbers, all required. */
static const struct {
    const char *name;
    size_t member;
} numbers[] = {
    {"refmicrots", offsetof(s3s_marker, ref_micros)},
    {"insertedat", offsetof(s3s_marker, inserted_at_us)},
    {"rowcount", offsetof(s3s_marker, row_count)},
};
#define NUMBER_COUNT (sizeof numbers / sizeof numbers[0])

void s3s_marker_metadata(const s3s_marker *marker, s3store_metadata *out)
{
    char text[48];

    /* Six short entries always fit: what add returns is known. */
    memset(out, 0, sizeof *out);
    s3store_metadata_add(out, ATTEMPT, marker->attempt);
    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        int64_t value;
        memcpy(&value, (const char *)marker + numbers[i].member, sizeof value);
        s3store_metadata_add(out, numbers[i].name, s3s_decimal(value, text));
    }
    if (marker->has_content_hash) {
        uint64_t big_endian = __builtin_bswap64(marker->content_hash);
        uint8_t bytes[HASH_DIGITS / 2];
        s3s_put_le64(bytes, big_endian);
        s3s_hex(bytes, sizeof bytes, text);
        s3store_metadata_add(out, CONTENT_HASH, text);
    }
    if (marker->chunk_rows > 0) {
        snprintf(text, sizeof text, "%" PRIu64 ",%" PRIu64, marker->chunk_rows,
                 marker->chunk_bytes);
        s3store_metadata_add(out, CHUNK, text);
    }
}

static s3store_status damaged(const char *key, const char *entry, const char *value,
                              const char *must, s3store_error *err)
{
    if (value == NULL)
        return s3s_fail_key(err, S3STORE_DAMAGED_MARKER, key,
                            "the commit marker %s lacks the metadata entry %s: it was copied or "
                            "restored without its metadata",
                            s3s_quote_text(key).text, entry);
    return s3s_fail_key(err, S3STORE_DAMAGED_MARKER, key,
                        "the metadata entry %s of the commit marker %s is %s, which is not %s",
                        entry, s3s_quote_text(key).text, s3s_quote_text(value).text, must);
}

/* Exactly 16 lower-case hex digits. */
static bool parse_hash(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; text[i] != '\0'; i++) {
        char c = text[i];
        if (i >= HASH_DIGITS || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (i != HASH_DIGITS)
        return false;
    *out = value;
    return true;
}

/* "<rows>,<bytes>", both positive. */
static bool parse_chunk(const char *text, uint64_t *rows, uint64_t *bytes)
{
    const char *comma = strchr(text, ',');
    int64_t a, b;
    if (comma == NULL || !s3s_parse_i64(text, (size_t)(comma - text), &a) ||
        !s3s_parse_i64(comma + 1, strlen(comma + 1), &b) || a < 1 || b < 1)
        return false;
    *rows = (uint64_t)a;
    *bytes = (uint64_t)b;
    return true;
}

s3store_status s3s_marker_parse(const s3store_metadata *metadata, const char *key,
                                s3s_marker *out, s3store_error *err)
{
    s3s_marker marker = {0};

    memset(out, 0, sizeof *out);
    const char *attempt = s3store_metadata_get(metadata, ATTEMPT);
    if (attempt == NULL || !s3s_attempt_id_valid(attempt, strlen(attempt)))
        return damaged(key, ATTEMPT, attempt, "32 lower-case hex digits", err);
    memcpy(marker.attempt, attempt, S3S_ATTEMPT_ID_SIZE);

    for (size_t i = 0; i < NUMBER_COUNT; i++) {
        int64_t value;
        const char *text = s3store_metadata_get(metadata, numbers[i].name);
        if (text == NULL || !s3s_parse_i64(text, strlen(text), &value))
            return damaged(key, numbers[i].name, text, "a whole number", err);
        memcpy((char *)&marker + numbers[i].member, &value, sizeof value);
    }

    const char *hash = s3store_metadata_get(metadata, CONTENT_HASH);
    if (hash != NULL)
        marker.has_content_hash = parse_hash(hash, &marker.content_hash);
    const char *chunk = s3store_metadata_get(metadata, CHUNK);
    if (chunk != NULL)
        (void)parse_chunk(chunk, &marker.chunk_rows, &marker.chunk_bytes);
    *out = marker;
    return S3STORE_OK;
}
