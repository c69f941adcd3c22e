/* json.c: reading small JSON documents with jansson. */
#include "base/json.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"

#define TEXT_MAX (1024 * 1024)
#define DEPTH_MAX 144 /* the types of columns, which have 64 levels: two for each, and what is around */
/* Members are found by walking: a bound on them is a bound on the time of a loop over all. */
#define MEMBERS_MAX 10000

/* The parser recurses, so nesting is bounded before it sees the text. What is not JSON passes: the
 * parser says it better. */
static s3store_status check_shape(const char *text, size_t size, const char *where,
                                  s3store_error *err)
{
    size_t commas[DEPTH_MAX + 1] = {0};
    size_t depth = 0;
    bool in_text = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_text = false;
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX)
                return s3s_fail_key(err, S3STORE_LIMIT_EXCEEDED, where,
                                    "%s: JSON is nested deeper than %d levels at byte %zu", where,
                                    DEPTH_MAX, i);
            commas[depth] = 0;
        } else if (c == '}' || c == ']') {
            depth -= depth > 0 ? 1 : 0;
        } else if (c == ',' && ++commas[depth] >= MEMBERS_MAX) {
            return s3s_fail_key(err, S3STORE_LIMIT_EXCEEDED, where,
                                "%s: a JSON object or array has more than %d members at byte %zu",
                                where, MEMBERS_MAX, i);
        }
    }
    return S3STORE_OK;
}

s3store_status s3s_json_parse(const char *text, size_t size, const char *where, s3s_json **root,
                              s3store_error *err)
{
    *root = NULL;
    if (size > TEXT_MAX)
        return s3s_fail_key(err, S3STORE_LIMIT_EXCEEDED, where,
                            "%s: %zu bytes of JSON are more than the %d allowed", where, size,
                            TEXT_MAX);
    s3store_status status = check_shape(text, size, where, err);
    if (status != S3STORE_OK)
        return status;
    json_error_t failure;
    json_t *value = json_loadb(size == 0 ? "" : text, size, JSON_REJECT_DUPLICATES, &failure);
    if (value == NULL && json_error_code(&failure) == json_error_out_of_memory)
        return s3s_fail_memory(err, size);
    if (value == NULL)
        return s3s_fail_key(err, S3STORE_CORRUPT, where,
                            "%s: not valid JSON: line %d, column %d: %s", where, failure.line,
                            failure.column, failure.text);
    *root = (s3s_json *)value;
    return S3STORE_OK;
}

static const json_t *inner(const s3s_json *value)
{
    return (const json_t *)value;
}

void s3s_json_free(s3s_json *root)
{
    json_decref((json_t *)root);
}

const s3s_json *s3s_json_get(const s3s_json *object, const char *key)
{
    return (const s3s_json *)json_object_get(inner(object), key);
}

const char *s3s_json_text(const s3s_json *value)
{
    return json_string_value(inner(value));
}

bool s3s_json_int(const s3s_json *value, int64_t *out)
{
    if (!json_is_integer(inner(value)))
        return false;
    *out = json_integer_value(inner(value));
    return true;
}

bool s3s_json_bool(const s3s_json *value, bool *out)
{
    if (!json_is_boolean(inner(value)))
        return false;
    *out = json_is_true(inner(value));
    return true;
}

bool s3s_json_is_object(const s3s_json *value)
{
    return json_is_object(inner(value));
}

bool s3s_json_is_array(const s3s_json *value)
{
    return json_is_array(inner(value));
}

size_t s3s_json_count(const s3s_json *array)
{
    return json_array_size(inner(array));
}

const s3s_json *s3s_json_at(const s3s_json *array, size_t i)
{
    return (const s3s_json *)json_array_get(inner(array), i);
}

size_t s3s_json_member_count(const s3s_json *object)
{
    return json_object_size(inner(object));
}

/* jansson keeps members in the order in which they were read. Its iterators take the object without
 * const but do not change it. */
static void *member_at(const s3s_json *object, size_t i)
{
    if (!json_is_object(inner(object)))
        return NULL;
    void *iter = json_object_iter((json_t *)(uintptr_t)object);
    for (; iter != NULL && i > 0; i--)
        iter = json_object_iter_next((json_t *)(uintptr_t)object, iter);
    return iter;
}

const char *s3s_json_member_name(const s3s_json *object, size_t i)
{
    void *iter = member_at(object, i);
    return iter != NULL ? json_object_iter_key(iter) : NULL;
}

const s3s_json *s3s_json_member_value(const s3s_json *object, size_t i)
{
    void *iter = member_at(object, i);
    return iter != NULL ? (const s3s_json *)json_object_iter_value(iter) : NULL;
}
