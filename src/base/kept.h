/* base/kept.h: large blocks that an env keeps when they are freed, for the next one who asks.
 *
 * Batches and pages come and go by the hundred thousand bytes. An allocator gives such memory back to
 * the kernel when it is freed, and the kernel clears each page again when it is touched: that took a
 * quarter of the time of reading. What is kept is bounded by a number of bytes that the owner of the
 * env sets; the oldest sizes make room for new ones.
 */
#ifndef S3S_BASE_KEPT_H
#define S3S_BASE_KEPT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define S3S_KEPT_MIN ((size_t)64 << 10) /* smaller blocks are the allocator's */
#define S3S_KEPT_MAX ((size_t)8 << 20)  /* so are larger ones */
#define S3S_KEPT_CLASSES 29 /* four between a power of two and the next, from least to most */

struct s3s_kept_block;

typedef struct s3s_kept {
    size_t max_bytes; /* set before threads run; 0 = nothing is kept */
    pthread_mutex_t mutex;
    struct {
        size_t bytes;
        unsigned victim; /* the class that makes room next */
        struct s3s_kept_block *classes[S3S_KEPT_CLASSES];
    } locked;
} s3s_kept;

/* Initialised by zeroes and a mutex. */
void s3s_kept_deinit(s3s_kept *kept);
/* A block of malloc that has room for size, or NULL: its content is anything. */
void *s3s_kept_take(s3s_kept *kept, size_t size);
/* Takes a block of malloc over, of so many usable bytes; false: it is still the caller's. */
bool s3s_kept_give(s3s_kept *kept, void *p, size_t usable);
/* What to ask malloc for, so that the block serves all requests of about that size later. */
size_t s3s_kept_round(size_t size);

#endif
