/* base/rope.h: bytes that only grow, in blocks: nothing moves when there are more of them, and a
 * block that somebody else has filled can become part of them.
 */
#ifndef S3S_BASE_ROPE_H
#define S3S_BASE_ROPE_H

#include "base/buffer.h"

typedef struct s3s_rope {
    s3s_env *env;
    s3s_buffer *blocks;
    size_t count, room; /* of blocks */
    size_t size;        /* bytes */
    size_t run;         /* of them, that were copied since a block was taken */
} s3s_rope;

void s3s_rope_init(s3s_rope *r, s3s_env *env);
void s3s_rope_deinit(s3s_rope *r);
void s3s_rope_clear(s3s_rope *r); /* keeps the largest of the small blocks */
s3store_status s3s_rope_append(s3s_rope *r, const void *data, size_t size, s3store_error *err);
/* Takes the bytes of `from`, which is empty then: its memory, or where little is used, a copy. */
s3store_status s3s_rope_take(s3s_rope *r, s3s_buffer *from, s3store_error *err);
/* All of `from`, which is empty then. */
s3store_status s3s_rope_join(s3s_rope *r, s3s_rope *from, s3store_error *err);
size_t s3s_rope_held_bytes(const s3s_rope *r);

#endif
