/* bytes.c: hex, base64, UTF-8, percent-encoding, numbers in text. */
#include "base/bytes.h"

static const char hex_digits[] = "0123456789abcdef";

/* 0..15, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The digits of four bytes, in their order: each nibble gets a byte of its own, then its letter. */
static void hex4(const uint8_t *p, char *out)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = s3s_le32(p);
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 | x << 8) & (ones * 15);
    uint64_t is_letter = (x + ones * 6) >> 4 & ones;
    s3s_put_le64(out, x + ones * '0' + is_letter * ('a' - '0' - 10));
}

void s3s_hex(const void *data, size_t size, char *out)
{
    const uint8_t *p = data;
    size_t i = 0;
    for (; i + 4 <= size; i += 4)
        hex4(p + i, out + 2 * i);
    for (; i < size; i++) {
        out[2 * i] = hex_digits[p[i] >> 4];
        out[2 * i + 1] = hex_digits[p[i] & 15];
    }
    out[2 * size] = '\0';
}

bool s3s_unhex(const char *text, size_t text_size, void *out, size_t size)
{
    uint8_t *p = out;
    if (text_size % 2 != 0 || text_size / 2 != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        p[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void s3s_base64(const void *data, size_t size, char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *p = data;
    for (; size >= 3; size -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = digits[v >> 6 & 63];
        *out++ = digits[v & 63];
    }
    if (size > 0) {
        uint32_t v = (uint32_t)p[0] << 16 | (size == 2 ? (uint32_t)p[1] << 8 : 0);
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = size == 2 ? digits[v >> 6 & 63] : '=';
        *out++ = '=';
    }
    *out = '\0';
}

/* The length of the sequence that begins at p, or 0 when it is not one: RFC 3629, so no overlong
 * forms, no surrogates, nothing beyond U+10FFFF. */
static size_t utf8_sequence(const uint8_t *p, size_t room)
{
    uint8_t lead = p[0];
    uint8_t low = 0x80, high = 0xBF; /* bounds of the second byte */
    size_t length;
    if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0)
            low = 0xA0;
        if (lead == 0xED)
            high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0)
            low = 0x90;
        if (lead == 0xF4)
            high = 0x8F;
    } else {
        return 0;
    }
    if (room < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return length;
}

bool s3s_is_ascii(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t all = 0;
    size_t i = 0;
    for (; size - i >= 32; i += 32) {
        all |= s3s_le64(p + i) | s3s_le64(p + i + 8) | s3s_le64(p + i + 16) | s3s_le64(p + i + 24);
        if ((all & UINT64_C(0x8080808080808080)) != 0)
            return false;
    }
    for (; i < size; i++)
        all |= p[i];
    return (all & UINT64_C(0x8080808080808080)) == 0;
}

bool s3s_utf8_valid(const void *data, size_t size)
{
    const uint8_t *p = data;
    size_t i = 0;
    const uint64_t high = UINT64_C(0x8080808080808080);
    while (i < size) {
        if (size - i >= 32 && ((s3s_le64(p + i) | s3s_le64(p + i + 8) | s3s_le64(p + i + 16) |
                                s3s_le64(p + i + 24)) & high) == 0) {
            i += 32;
            continue;
        }
        if (size - i >= 8 && (s3s_le64(p + i) & high) == 0) {
            i += 8;
            continue;
        }
        if (size >= 8 && size - i < 8 && (s3s_le64(p + size - 8) & high) == 0)
            return true; /* the rest is among the last eight, and they are ASCII */
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t length = utf8_sequence(p + i, size - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

char *s3s_decimal(int64_t value, char out[S3S_DECIMAL_SIZE])
{
    char *at = out + S3S_DECIMAL_SIZE - 1;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    *at = '\0';
    do
        *--at = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        *--at = '-';
    return at;
}

bool s3s_parse_i64(const char *text, size_t size, int64_t *out)
{
    size_t i = 0;
    bool negative = false;
    if (size > 0 && (text[0] == '-' || text[0] == '+')) {
        negative = text[0] == '-';
        i = 1;
    }
    if (i == size)
        return false;
    int64_t value = 0;
    for (; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        int digit = text[i] - '0';
        /* Counts towards the sign, because the negative range is the longer one. */
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, negative ? -digit : digit, &value))
            return false;
    }
    *out = value;
    return true;
}

bool s3s_starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool s3s_ends_with(const char *text, const char *suffix)
{
    size_t text_size = strlen(text);
    size_t suffix_size = strlen(suffix);
    return text_size >= suffix_size &&
           memcmp(text + text_size - suffix_size, suffix, suffix_size) == 0;
}

/* How many of the first bytes are in the set. */
static size_t run_of(const s3s_byte_set *set, const uint8_t *p, size_t size)
{
    const bool *has = set->has;
    size_t run = 0;
    while (size - run >= 4 &&
           (has[p[run]] & has[p[run + 1]] & has[p[run + 2]] & has[p[run + 3]]) != 0)
        run += 4;
    while (run < size && has[p[run]])
        run++;
    return run;
}

bool s3s_percent_encode(const void *data, size_t size, const s3s_byte_set *keep, char *out,
                        size_t out_size)
{
    static const char upper[] = "0123456789ABCDEF";
    const uint8_t *p = data;
    size_t n = 0;
    for (size_t i = 0; i < size;) {
        size_t run = run_of(keep, p + i, size - i);
        if (out_size - n <= run)
            return false;
        memcpy(out + n, p + i, run);
        n += run;
        i += run;
        if (i == size)
            break;
        if (out_size - n <= 3)
            return false;
        out[n++] = '%';
        out[n++] = upper[p[i] >> 4];
        out[n++] = upper[p[i] & 15];
        i++;
    }
    if (n >= out_size)
        return false;
    out[n] = '\0';
    return true;
}

bool s3s_percent_decode(const char *text, size_t size, char *out, size_t out_size,
                        size_t *out_len)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '%') {
            if (size - i < 3)
                return false;
            int high = hex_value(text[i + 1]);
            int low = hex_value(text[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (n + 1 >= out_size)
            return false;
        out[n++] = c;
    }
    if (n >= out_size)
        return false;
    out[n] = '\0';
    *out_len = n;
    return true;
}
