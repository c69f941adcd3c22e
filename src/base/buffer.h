/* base/buffer.h: a growable byte buffer that was told its maximum at birth, and an arena. */
#ifndef S3S_BASE_BUFFER_H
#define S3S_BASE_BUFFER_H

#include <string.h>

#include "base/env.h"

typedef struct s3s_buffer {
    s3s_env *env;
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t max; /* growing beyond fails with LIMIT_EXCEEDED */
} s3s_buffer;

void s3s_buffer_init(s3s_buffer *b, s3s_env *env, size_t max); /* max SIZE_MAX = unlimited */
void s3s_buffer_deinit(s3s_buffer *b);
void s3s_buffer_clear(s3s_buffer *b); /* keeps the memory */
/* Room for `more` bytes after size; the pointer to them. Geometric growth. NULL on failure. */
uint8_t *s3s_buffer_reserve(s3s_buffer *b, size_t more, s3store_error *err);
s3store_status s3s_buffer_append_slow(s3s_buffer *b, const void *data, size_t size,
                                      s3store_error *err);
/* Encoders call this for every few bytes: where there is room it is a copy and nothing else. */
static inline s3store_status s3s_buffer_append(s3s_buffer *b, const void *data, size_t size,
                                               s3store_error *err)
{
    if (size == 0 || size > SIZE_MAX / 2 || size > b->capacity - b->size || size > b->max - b->size)
        return s3s_buffer_append_slow(b, data, size, err);
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return S3STORE_OK;
}
s3store_status s3s_buffer_append_text(s3s_buffer *b, const char *text, s3store_error *err);
s3store_status s3s_buffer_printf(s3s_buffer *b, s3store_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* NUL-terminates (not counted in size) and returns the text; NULL on failure. */
char *s3s_buffer_text(s3s_buffer *b, s3store_error *err);

/* A GET sink that fills the buffer: begin clears and reserves. */
s3store_sink s3s_buffer_sink(s3s_buffer *b);

/* Arena: many small things that live and die together. 16-byte aligned. */
typedef struct s3s_arena {
    s3s_env *env;
    struct s3s_arena_chunk *chunks;
    size_t used; /* bytes handed out */
} s3s_arena;
void s3s_arena_init(s3s_arena *a, s3s_env *env);
void s3s_arena_deinit(s3s_arena *a);
void s3s_arena_reset(s3s_arena *a); /* keeps one chunk */
void *s3s_arena_alloc(s3s_arena *a, size_t size);
void *s3s_arena_calloc(s3s_arena *a, size_t count, size_t size);
char *s3s_arena_strdup(s3s_arena *a, const char *text);
char *s3s_arena_strndup(s3s_arena *a, const char *text, size_t size);
char *s3s_arena_printf(s3s_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
