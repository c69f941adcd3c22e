/* arena.c: many small things that live and die together. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/env_private.h"

#define ALIGNMENT 16
#define FIRST_CHUNK 4096
#define LARGEST_CHUNK (1024 * 1024)

/* The newest chunk is the one that is filled; older ones are full enough. */
struct s3s_arena_chunk {
    struct s3s_arena_chunk *next;
    size_t size; /* of the room behind the header */
    size_t used;
    size_t padding;
};
_Static_assert(sizeof(struct s3s_arena_chunk) % ALIGNMENT == 0, "payload is aligned");

static uint8_t *room_of(struct s3s_arena_chunk *chunk)
{
    return (uint8_t *)(chunk + 1);
}

void s3s_arena_init(s3s_arena *a, s3s_env *env)
{
    *a = (s3s_arena){.env = env};
}

void s3s_arena_deinit(s3s_arena *a)
{
    while (a->chunks != NULL) {
        struct s3s_arena_chunk *next = a->chunks->next;
        s3s_free(a->env, a->chunks);
        a->chunks = next;
    }
    a->used = 0;
}

void s3s_arena_reset(s3s_arena *a)
{
    struct s3s_arena_chunk *keep = a->chunks;
    if (keep == NULL)
        return;
    a->chunks = keep->next;
    s3s_arena_deinit(a);
    keep->next = NULL;
    keep->used = 0;
    a->chunks = keep;
}

static struct s3s_arena_chunk *add_chunk(s3s_arena *a, size_t wanted)
{
    size_t size = a->chunks == NULL ? FIRST_CHUNK : a->chunks->size * 2;
    if (size > LARGEST_CHUNK)
        size = LARGEST_CHUNK;
    if (size < wanted)
        size = wanted;
    size_t total;
    if (!s3s_add(size, sizeof(struct s3s_arena_chunk), &total))
        return NULL;
    struct s3s_arena_chunk *chunk = s3s_alloc(a->env, total);
    if (chunk == NULL)
        return NULL;
    *chunk = (struct s3s_arena_chunk){.size = size, .next = a->chunks};
    a->chunks = chunk;
    return chunk;
}

void *s3s_arena_alloc(s3s_arena *a, size_t size)
{
    size_t rounded;
    if (!s3s_add(size == 0 ? 1 : size, ALIGNMENT - 1, &rounded))
        return NULL;
    rounded &= ~(size_t)(ALIGNMENT - 1);
    if (a->env != NULL && atomic_load_explicit(&a->env->fail_arenas, memory_order_relaxed) &&
        s3s_env_must_fail(a->env, rounded))
        return NULL;
    struct s3s_arena_chunk *chunk = a->chunks;
    if (chunk == NULL || chunk->size - chunk->used < rounded) {
        chunk = add_chunk(a, rounded);
        if (chunk == NULL)
            return NULL;
    }
    void *p = room_of(chunk) + chunk->used;
    chunk->used += rounded;
    a->used += rounded;
    return p;
}

void *s3s_arena_calloc(s3s_arena *a, size_t count, size_t size)
{
    size_t total;
    if (!s3s_mul(count, size, &total))
        return NULL;
    void *p = s3s_arena_alloc(a, total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

char *s3s_arena_strdup(s3s_arena *a, const char *text)
{
    return s3s_arena_strndup(a, text, strlen(text));
}

char *s3s_arena_strndup(s3s_arena *a, const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    char *copy = s3s_arena_alloc(a, length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *s3s_arena_printf(s3s_arena *a, const char *format, ...)
{
    char small[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (n < 0)
        return NULL;
    if ((size_t)n < sizeof small)
        return s3s_arena_strndup(a, small, (size_t)n);
    char *text = s3s_arena_alloc(a, (size_t)n + 1);
    if (text == NULL)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}
