/* base/bytes.h: checked arithmetic, little-endian access, hex, base64, text helpers. */
#ifndef S3S_BASE_BYTES_H
#define S3S_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* false on overflow; *out is then unchanged. */
static inline bool s3s_add(size_t a, size_t b, size_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static inline bool s3s_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

static inline uint16_t s3s_le16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static inline uint32_t s3s_le32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static inline uint64_t s3s_le64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static inline void s3s_put_le64(void *p, uint64_t v)
{
    memcpy(p, &v, 8);
}

/* The bytes of 4 to 16 as two numbers, which may overlap. */
static inline void s3s_two_parts(const void *from, size_t size, uint64_t *a, uint64_t *b)
{
    const uint8_t *p = (const uint8_t *)from;
    if (size >= 8) {
        *a = s3s_le64(p);
        *b = s3s_le64(p + size - 8);
    } else {
        *a = s3s_le32(p);
        *b = s3s_le32(p + size - 4);
    }
}

/* memcmp for sizes that mostly are small, and equality alone. */
static inline bool s3s_same_bytes(const void *x, const void *y, size_t size)
{
    const uint8_t *a = (const uint8_t *)x, *b = (const uint8_t *)y;
    uint64_t a1 = 0, a2 = 0, b1 = 0, b2 = 0;
    if (size > 16)
        return memcmp(a, b, size) == 0;
    if (size >= 4) {
        s3s_two_parts(a, size, &a1, &a2);
        s3s_two_parts(b, size, &b1, &b2);
        return ((a1 ^ b1) | (a2 ^ b2)) == 0;
    }
    for (size_t i = 0; i < size; i++)
        a1 |= a[i] ^ b[i];
    return a1 == 0;
}

/* memcpy for sizes that mostly are small: two moves, which may overlap, instead of a call. */
static inline void s3s_copy_short(void *to, const void *from, size_t size)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    if (size > 32) {
        memcpy(t, f, size);
    } else if (size > 16) {
        memcpy(t, f, 16);
        memcpy(t + size - 16, f + size - 16, 16);
    } else if (size >= 8) {
        uint64_t a = s3s_le64(f), b = s3s_le64(f + size - 8);
        s3s_put_le64(t, a);
        s3s_put_le64(t + size - 8, b);
    } else if (size >= 4) {
        uint32_t a = s3s_le32(f), b = s3s_le32(f + size - 4);
        memcpy(t, &a, 4);
        memcpy(t + size - 4, &b, 4);
    } else {
        for (size_t i = 0; i < size; i++)
            t[i] = f[i];
    }
}

/* out: 2 * size + 1 bytes; lower case. */
void s3s_hex(const void *data, size_t size, char *out);
/* false unless text is exactly 2 * size hex digits. */
bool s3s_unhex(const char *text, size_t text_size, void *out, size_t size);
/* out: 4 * ((size + 2) / 3) + 1 bytes. */
void s3s_base64(const void *data, size_t size, char *out);

bool s3s_is_ascii(const void *data, size_t size);
bool s3s_utf8_valid(const void *data, size_t size);

#define S3S_DECIMAL_SIZE 21 /* of any int64, with its sign and NUL */
/* The digits of a number, somewhere in out. */
char *s3s_decimal(int64_t value, char out[S3S_DECIMAL_SIZE]);

/* Decimal int64 as Go's strconv.ParseInt(s, 10, 64) reads it: one optional sign, then digits. */
bool s3s_parse_i64(const char *text, size_t size, int64_t *out);
bool s3s_starts_with(const char *text, const char *prefix);
bool s3s_ends_with(const char *text, const char *suffix);

/* A set of bytes: {.has = {['a' ... 'z'] = true}}. */
typedef struct s3s_byte_set {
    bool has[256];
} s3s_byte_set;

/* Percent-encodes into out, which holds out_size bytes with the NUL; false when it does not fit.
 * keep: the bytes that stay as they are. */
bool s3s_percent_encode(const void *data, size_t size, const s3s_byte_set *keep, char *out,
                        size_t out_size);
/* false on a bad escape or too little room; *out_len without the NUL. */
bool s3s_percent_decode(const char *text, size_t size, char *out, size_t out_size,
                        size_t *out_len);

#endif
