#include "objstore/local/object_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "objstore/local/local.h"

static const uint8_t magic[8] = {0x93, 'S', '3', 'S', 'O', 'B', 'J', 0x0a};
#define FIXED_SIZE 32
#define VERSION 1
#define SIZE_MODULUS 64
#define SIZE_REMAINDER 61

static void put_le(uint8_t *p, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

bool s3s_object_header_possible(uint64_t file_size)
{
    return file_size > FIXED_SIZE && file_size % SIZE_MODULUS == SIZE_REMAINDER;
}

static bool looks_like_header(const s3store_put_request *request)
{
    return s3s_object_header_possible(request->body_size) &&
           memcmp(request->body, magic, sizeof magic) == 0;
}

void s3s_object_header_encode(const s3store_put_request *request,
                              uint8_t header[S3S_OBJECT_HEADER_MAX], size_t *size)
{
    *size = 0;
    if (request->metadata_count == 0 && !looks_like_header(request))
        return;
    memset(header, 0, S3S_OBJECT_HEADER_MAX);
    /* At most 32 + 24 * 4 + 4096 + 63 bytes: the request is within the limits of the port. */
    uint8_t *p = header + FIXED_SIZE;
    for (size_t i = 0; i < request->metadata_count; i++) {
        const s3store_metadata_entry *e = &request->metadata[i];
        size_t name_size = strlen(e->name), value_size = strlen(e->value);
        put_le(p, name_size, 2);
        put_le(p + 2, value_size, 2);
        memcpy(p + 4, e->name, name_size);
        memcpy(p + 4 + name_size, e->value, value_size);
        p += 4 + name_size + value_size;
    }
    size_t used = (size_t)(p - header);
    uint64_t over = ((uint64_t)used + request->body_size) % SIZE_MODULUS;
    used += (SIZE_MODULUS + SIZE_REMAINDER - over) % SIZE_MODULUS;

    memcpy(header, magic, sizeof magic);
    put_le(header + 8, VERSION, 2);
    put_le(header + 10, request->metadata_count, 2);
    put_le(header + 12, used, 4);
    put_le(header + 16, request->body_size, 8);
    put_le(header + 24, s3s_crc32(0, header, used), 4);
    *size = used;
}

static s3store_status damaged(const char *key, const char *what, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_CORRUPT, key,
                        "the file of %.200s has a damaged header: %s; put the object again", key,
                        what);
}

/* The entries in header[FIXED_SIZE, size). */
static s3store_status read_entries(const uint8_t *header, size_t size, size_t count,
                                   const char *key, s3store_metadata *metadata, s3store_error *err)
{
    size_t pos = FIXED_SIZE;
    char text[S3S_OBJECT_HEADER_MAX];
    for (size_t i = 0; i < count; i++) {
        if (size - pos < 4)
            return damaged(key, "a metadata entry is cut off", err);
        size_t name_size = s3s_le16(header + pos), value_size = s3s_le16(header + pos + 2);
        pos += 4;
        if (name_size + value_size > size - pos)
            return damaged(key, "a metadata entry is longer than the header", err);
        if (memchr(header + pos, 0, name_size + value_size) != NULL)
            return damaged(key, "a metadata entry has a zero byte", err);
        memcpy(text, header + pos, name_size);
        text[name_size] = '\0';
        char *value = text + name_size + 1;
        memcpy(value, header + pos + name_size, value_size);
        value[value_size] = '\0';
        pos += name_size + value_size;
        if (!s3store_metadata_add(metadata, text, value))
            return damaged(key, "more metadata than an object may have", err);
    }
    return S3STORE_OK;
}

s3store_status s3s_object_header_read(int fd, uint64_t file_size, const char *key,
                                      uint64_t *header_size, s3store_metadata *metadata,
                                      s3store_error *err)
{
    *header_size = 0;
    if (!s3s_object_header_possible(file_size))
        return S3STORE_OK;
    uint8_t header[S3S_OBJECT_HEADER_MAX];
    size_t wanted = metadata != NULL ? sizeof header : FIXED_SIZE;
    if (wanted > file_size)
        wanted = (size_t)file_size;
    size_t got;
    s3store_status status = s3s_local_read(fd, header, wanted, 0, &got, key, err);
    if (status != S3STORE_OK)
        return status;
    if (got < FIXED_SIZE || memcmp(header, magic, sizeof magic) != 0)
        return S3STORE_OK;
    uint32_t size = s3s_le32(header + 12);
    if (s3s_le16(header + 8) != VERSION)
        return damaged(key, "unknown version", err);
    if (size < FIXED_SIZE || size > sizeof header || size > file_size ||
        s3s_le64(header + 16) != file_size - size)
        return damaged(key, "its sizes do not add up to the file's", err);
    if (metadata != NULL) {
        if (got < size)
            return damaged(key, "it is cut off", err);
        uint32_t crc = s3s_le32(header + 24);
        memset(header + 24, 0, 4);
        if (s3s_crc32(0, header, size) != crc)
            return damaged(key, "wrong checksum", err);
        status = read_entries(header, size, s3s_le16(header + 10), key, metadata, err);
        if (status != S3STORE_OK)
            return status;
    }
    *header_size = size;
    return S3STORE_OK;
}

void s3s_object_etag(const struct stat *st, char etag[72])
{
    snprintf(etag, 72, "%llx%08lx-%llx-%llx", (unsigned long long)st->st_mtim.tv_sec,
             (unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_size,
             (unsigned long long)st->st_ino);
}

int64_t s3s_object_time_us(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
}
