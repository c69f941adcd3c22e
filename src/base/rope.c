/* rope.c: blocks double up to a size that the env keeps when it is freed, and begin small again
 * behind one that was taken: where others come between, little room is left unused.
 */
#include "base/rope.h"

#include "base/error.h"

#define BLOCK_MIN ((size_t)512)
#define BLOCK_MAX ((size_t)1 << 20)
#define TAKEN_MIN ((size_t)16 << 10) /* less is copied: a block of its own would cost more */
#define KEPT_MAX ((size_t)64 << 10)

void s3s_rope_init(s3s_rope *r, s3s_env *env)
{
    *r = (s3s_rope){.env = env};
}

void s3s_rope_deinit(s3s_rope *r)
{
    while (r->count > 0)
        s3s_buffer_deinit(&r->blocks[--r->count]);
    s3s_free(r->env, r->blocks);
    s3s_rope_init(r, r->env);
}

static bool is_kept(const s3s_buffer *block)
{
    return block->capacity <= KEPT_MAX;
}

static void keep_one_block(s3s_rope *r)
{
    s3s_buffer kept;
    s3s_buffer_init(&kept, r->env, SIZE_MAX);
    while (r->count > 0) {
        s3s_buffer *b = &r->blocks[--r->count];
        if (b->capacity > kept.capacity && is_kept(b)) {
            s3s_buffer_deinit(&kept);
            kept = *b;
        } else {
            s3s_buffer_deinit(b);
        }
    }
    if (kept.capacity > 0)
        r->blocks[r->count++] = kept;
}

void s3s_rope_clear(s3s_rope *r)
{
    if (r->count > 1 || (r->count == 1 && !is_kept(r->blocks)))
        keep_one_block(r);
    r->size = r->run = 0;
    if (r->count > 0)
        s3s_buffer_clear(&r->blocks[0]);
}

/* false: no memory. */
static bool make_room(s3s_rope *r, size_t more, s3store_error *err)
{
    if (r->blocks != NULL && more <= r->room - r->count)
        return true;
    size_t room = r->room * 2 + more + 3;
    s3s_buffer *blocks = s3s_realloc(r->env, r->blocks, room * sizeof *blocks);
    if (blocks == NULL) {
        s3s_fail_memory(err, room * sizeof *blocks);
        return false;
    }
    r->blocks = blocks;
    r->room = room;
    return true;
}

s3store_status s3s_rope_append(s3s_rope *r, const void *data, size_t size, s3store_error *err)
{
    const uint8_t *from = data;
    s3s_buffer *last = r->count > 0 ? &r->blocks[r->count - 1] : NULL;
    size_t free_bytes = last != NULL ? last->capacity - last->size : 0;
    size_t first = size < free_bytes ? size : free_bytes, rest = size - first;
    if (rest > 0) { /* before anything is written: what fails changes nothing */
        size_t wanted = r->run < BLOCK_MIN ? BLOCK_MIN : r->run < BLOCK_MAX ? r->run : BLOCK_MAX;
        if (!make_room(r, 1, err))
            return S3STORE_OUT_OF_MEMORY;
        s3s_buffer *next = &r->blocks[r->count];
        s3s_buffer_init(next, r->env, SIZE_MAX);
        if (s3s_buffer_reserve(next, rest > wanted ? rest : wanted, err) == NULL)
            return S3STORE_OUT_OF_MEMORY;
        memcpy(next->data, from + first, rest);
        next->size = rest;
        last = r->count > 0 ? next - 1 : NULL; /* it may have moved */
        r->count++;
    }
    if (first > 0) {
        memcpy(last->data + last->size, from, first);
        last->size += first;
    }
    r->size += size;
    r->run += size;
    return S3STORE_OK;
}

s3store_status s3s_rope_take(s3s_rope *r, s3s_buffer *from, s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    if (from->size >= TAKEN_MIN && from->size >= from->capacity / 2) {
        if (!make_room(r, 1, err))
            return S3STORE_OUT_OF_MEMORY;
        r->blocks[r->count++] = *from;
        r->size += from->size;
        r->run = 0;
        s3s_buffer_init(from, from->env, from->max);
    } else {
        status = s3s_rope_append(r, from->data, from->size, err);
        if (status == S3STORE_OK)
            s3s_buffer_clear(from);
    }
    return status;
}

s3store_status s3s_rope_join(s3s_rope *r, s3s_rope *from, s3store_error *err)
{
    if (from->count == 0)
        return S3STORE_OK;
    if (!make_room(r, from->count, err))
        return S3STORE_OUT_OF_MEMORY;
    memcpy(r->blocks + r->count, from->blocks, from->count * sizeof *from->blocks);
    r->count += from->count;
    r->size += from->size;
    r->run = 0;
    from->count = from->size = from->run = 0;
    return S3STORE_OK;
}

size_t s3s_rope_held_bytes(const s3s_rope *r)
{
    size_t bytes = r->room * sizeof *r->blocks;
    for (size_t i = 0; i < r->count; i++)
        bytes += r->blocks[i].capacity;
    return bytes;
}
