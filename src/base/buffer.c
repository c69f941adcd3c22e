/* buffer.c: a growable byte buffer with a maximum. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

#define FIRST_CAPACITY 64
#define SMALL_CAPACITY 4096 /* up to which it quadruples: each step costs more than the bytes do */

void s3s_buffer_init(s3s_buffer *b, s3s_env *env, size_t max)
{
    *b = (s3s_buffer){.env = env, .max = max};
}

void s3s_buffer_deinit(s3s_buffer *b)
{
    s3s_free(b->env, b->data);
    *b = (s3s_buffer){.env = b->env, .max = b->max};
}

void s3s_buffer_clear(s3s_buffer *b)
{
    b->size = 0;
}

/* Makes the capacity at least wanted, growing by factors up to ceiling. */
static s3store_status grow(s3s_buffer *b, size_t wanted, size_t ceiling, s3store_error *err)
{
    if (wanted <= b->capacity && b->data != NULL)
        return S3STORE_OK;
    size_t capacity;
    if (!s3s_mul(b->capacity, b->capacity < SMALL_CAPACITY ? 4 : 2, &capacity) || capacity < wanted)
        capacity = wanted;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity > ceiling && wanted <= ceiling)
        capacity = ceiling;
    uint8_t *data = s3s_realloc(b->env, b->data, capacity);
    if (data == NULL)
        return s3s_fail_memory(err, capacity);
    b->data = data;
    b->capacity = capacity;
    return S3STORE_OK;
}

uint8_t *s3s_buffer_reserve(s3s_buffer *b, size_t more, s3store_error *err)
{
    size_t wanted;
    if (b->data != NULL && more <= b->capacity - b->size && more <= b->max - b->size)
        return b->data + b->size;
    if (!s3s_add(b->size, more, &wanted) || wanted > b->max) {
        s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                 "%zu bytes more than the %zu held would exceed the limit of %zu bytes", more,
                 b->size, b->max);
        return NULL;
    }
    if (grow(b, wanted, b->max, err) != S3STORE_OK)
        return NULL;
    return b->data + b->size;
}

/* reserve reports failure by NULL; its status for callers that return one. */
static s3store_status reserve_status(s3s_buffer *b, size_t more, s3store_error *err)
{
    size_t wanted;
    if (s3s_buffer_reserve(b, more, err) != NULL)
        return S3STORE_OK;
    if (!s3s_add(b->size, more, &wanted) || wanted > b->max)
        return S3STORE_LIMIT_EXCEEDED;
    return S3STORE_OUT_OF_MEMORY;
}

s3store_status s3s_buffer_append_slow(s3s_buffer *b, const void *data, size_t size,
                                      s3store_error *err)
{
    if (size > b->capacity - b->size || size > b->max - b->size) { /* it rarely is */
        s3store_status status = reserve_status(b, size, err);
        if (status != S3STORE_OK)
            return status;
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
    return S3STORE_OK;
}

s3store_status s3s_buffer_append_text(s3s_buffer *b, const char *text, s3store_error *err)
{
    return s3s_buffer_append(b, text, strlen(text), err);
}

s3store_status s3s_buffer_printf(s3s_buffer *b, s3store_error *err, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0)
        return s3s_fail(err, S3STORE_INTERNAL, "a text could not be formatted");
    size_t length = (size_t)n;
    if (length < sizeof small)
        return s3s_buffer_append(b, small, length, err);

    s3store_status status = reserve_status(b, length, err);
    if (status == S3STORE_OK)
        status = grow(b, b->size + length + 1, b->max == SIZE_MAX ? SIZE_MAX : b->max + 1, err);
    if (status != S3STORE_OK)
        return status;
    va_start(args, format);
    vsnprintf((char *)b->data + b->size, length + 1, format, args);
    va_end(args);
    b->size += length;
    return S3STORE_OK;
}

char *s3s_buffer_text(s3s_buffer *b, s3store_error *err)
{
    size_t wanted;
    if (!s3s_add(b->size, 1, &wanted)) {
        s3s_fail_memory(err, SIZE_MAX);
        return NULL;
    }
    /* The terminator is not content: it may stand one byte beyond the maximum. */
    if (grow(b, wanted, b->max == SIZE_MAX ? SIZE_MAX : b->max + 1, err) != S3STORE_OK)
        return NULL;
    b->data[b->size] = '\0';
    return (char *)b->data;
}

static s3store_status sink_begin(s3store_sink *sink, int64_t total, s3store_error *err)
{
    s3s_buffer *b = sink->ctx;
    s3s_buffer_clear(b);
    if (total <= 0)
        return S3STORE_OK;
    if ((uint64_t)total > SIZE_MAX)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "%lld bytes do not fit into memory",
                        (long long)total);
    return reserve_status(b, (size_t)total, err);
}

static s3store_status sink_write(s3store_sink *sink, const void *data, size_t size,
                                 s3store_error *err)
{
    return s3s_buffer_append(sink->ctx, data, size, err);
}

s3store_sink s3s_buffer_sink(s3s_buffer *b)
{
    return (s3store_sink){.begin = sink_begin, .write = sink_write, .ctx = b};
}
