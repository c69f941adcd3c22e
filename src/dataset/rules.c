/* dataset/rules.c: which tokens, names, values and partition keys are acceptable (layout.h). */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dataset/layout.h"
#include "dataset/quote.h"

s3store_status s3s_token_check(const char *token, s3store_error *err)
{
    if (token == NULL || token[0] == '\0')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the token is empty: give a text that names this write, or no token");
    size_t size = strlen(token);
    if (size > S3STORE_TOKEN_MAX_BYTES)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the token %s has %zu bytes; at most %d are allowed",
                        s3s_quote(token, size).text, size, S3STORE_TOKEN_MAX_BYTES);
    static const char *const refused[] = {"/", ";", ".."};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strstr(token, refused[i]) != NULL)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the token %s contains '%s'",
                            s3s_quote(token, size).text, refused[i]);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)token[i];
        if (c < 0x21 || c > 0x7E)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "the token %s contains the byte 0x%02x: only printable ASCII without "
                            "space is allowed",
                            s3s_quote(token, size).text, (unsigned)c);
    }
    return S3STORE_OK;
}

s3store_status s3s_names_check(const char *const *names, size_t count, const char *what,
                               s3store_error *err)
{
    if (names == NULL || count == 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "at least one %s is required", what);
    /* No key has room for more; and it bounds the search for duplicates below. */
    if (count > S3S_NAMES_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "there are %zu %ss; at most %d are allowed",
                        count, what, S3S_NAMES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *name = names[i];
        if (name == NULL || name[0] == '\0')
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the name of %s %zu is empty", what,
                            i + 1);
        if (strpbrk(name, "=/") != NULL)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the %s %s contains '%c'", what,
                            s3s_quote_text(name).text, *strpbrk(name, "=/"));
        for (size_t j = 0; j < i; j++)
            if (strcmp(names[j], name) == 0)
                return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the %s %s is named twice", what,
                                s3s_quote_text(name).text);
    }
    return S3STORE_OK;
}

s3store_status s3s_value_check(const char *name, const char *value, size_t size,
                               s3store_error *err)
{
    const char *why = NULL;
    if (size == 0)
        why = "is empty";
    else if (memchr(value, '/', size) != NULL)
        why = "contains '/'";
    else if (memmem(value, size, "..", 2) != NULL)
        why = "contains '..'";
    else if (memchr(value, '\0', size) != NULL) /* ends a key in C: nobody could name it */
        why = "contains a NUL byte";
    if (why == NULL)
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                    "the value %s of column %s %s: it cannot stand in a key",
                    s3s_quote(value, size).text, s3s_quote_text(name).text, why);
}

/* Noncharacters that XML 1.0 has no way to carry, even escaped: U+FFFE and U+FFFF. */
static bool has_xml_noncharacter(const char *value, size_t size)
{
    return memmem(value, size, "\xEF\xBF\xBE", 3) != NULL ||
           memmem(value, size, "\xEF\xBF\xBF", 3) != NULL;
}

s3store_status s3s_value_addressable(const char *name, const char *value, size_t size,
                                     s3store_error *err)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c < 0x20 || c == 0x7F)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "the value %s of column %s contains the control byte 0x%02x, "
                            "which listings cannot carry (allow_unaddressable accepts it)",
                            s3s_quote(value, size).text, s3s_quote_text(name).text, (unsigned)c);
        if (strchr("*?[]{}", c) != NULL)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "the value %s of column %s contains '%c', so no pattern could "
                            "name it exactly (allow_unaddressable accepts it)",
                            s3s_quote(value, size).text, s3s_quote_text(name).text, c);
    }
    if (!s3s_utf8_valid(value, size) || has_xml_noncharacter(value, size))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the value %s of column %s is not UTF-8 text that listings can "
                        "carry (allow_unaddressable accepts it)",
                        s3s_quote(value, size).text, s3s_quote_text(name).text);
    return S3STORE_OK;
}

/* Segment i of a key: names[i] '=' value, with *end behind it. */
static s3store_status check_segment(const char *key, size_t i, const char *name,
                                    const char *segment, size_t size, bool addressable,
                                    s3store_error *err)
{
    size_t name_size = strlen(name);
    if (size <= name_size || memcmp(segment, name, name_size) != 0 || segment[name_size] != '=')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "segment %zu of the partition key %s must begin with %s and '='", i + 1,
                        s3s_quote_text(key).text, s3s_quote_text(name).text);
    const char *value = segment + name_size + 1;
    size_t value_size = size - name_size - 1;
    s3store_status status = s3s_value_check(name, value, value_size, err);
    if (status == S3STORE_OK && addressable)
        status = s3s_value_addressable(name, value, value_size, err);
    return status;
}

static s3store_status check_key(const char *const *names, size_t count, const char *key,
                                bool addressable, s3store_error *err)
{
    if (key == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "no partition key is given");
    size_t segments = 1;
    for (const char *p = key; *p != '\0'; p++)
        segments += *p == '/';
    if (segments != count)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the partition key %s has %zu segment%s; the dataset has %zu partition "
                        "column%s",
                        s3s_quote_text(key).text, segments, segments == 1 ? "" : "s", count,
                        count == 1 ? "" : "s");
    const char *segment = key;
    for (size_t i = 0; i < count; i++) {
        size_t size = strcspn(segment, "/");
        s3store_status status = check_segment(key, i, names[i], segment, size, addressable, err);
        if (status != S3STORE_OK)
            return status;
        segment += size + 1;
    }
    return S3STORE_OK;
}

s3store_status s3s_partition_check(const char *const *names, size_t count, const char *key,
                                   s3store_error *err)
{
    return check_key(names, count, key, false, err);
}

s3store_status s3s_partition_addressable(const char *const *names, size_t count, const char *key,
                                         s3store_error *err)
{
    return check_key(names, count, key, true, err);
}
