/* kept.c: freed blocks by size. A block is filed under the largest class that it can serve, and asked
 * for under the smallest class that serves the request: what is found is never too small. */
#include "base/kept.h"

#include <stdlib.h>

typedef struct s3s_kept_block {
    struct s3s_kept_block *next;
    size_t usable;
} block;

/* Bytes of a class: 64, 80, 96, 112, 128, 160 KiB and so on. */
static size_t class_bytes(unsigned class)
{
    return (S3S_KEPT_MIN + S3S_KEPT_MIN / 4 * (class % 4)) << (class / 4);
}

/* The largest class of at most so many bytes; size is at least S3S_KEPT_MIN. */
static unsigned class_below(size_t size)
{
    unsigned class = 0;
    while (class + 1 < S3S_KEPT_CLASSES && class_bytes(class + 1) <= size)
        class++;
    return class;
}

static unsigned class_above(size_t size)
{
    unsigned class = class_below(size);
    return class_bytes(class) < size ? class + 1 : class;
}

size_t s3s_kept_round(size_t size)
{
    return size < S3S_KEPT_MIN || size > S3S_KEPT_MAX ? size : class_bytes(class_above(size));
}

void *s3s_kept_take(s3s_kept *kept, size_t size)
{
    if (size < S3S_KEPT_MIN || size > S3S_KEPT_MAX)
        return NULL;
    unsigned class = class_above(size);
    pthread_mutex_lock(&kept->mutex);
    block *b = kept->locked.classes[class];
    if (b != NULL) {
        kept->locked.classes[class] = b->next;
        kept->locked.bytes -= b->usable;
    }
    pthread_mutex_unlock(&kept->mutex);
    return b;
}

/* Blocks that must go, as a list. */
static block *make_room_locked(s3s_kept *kept, size_t size)
{
    block *gone = NULL;
    while (kept->locked.bytes > kept->max_bytes - size) {
        block **from = &kept->locked.classes[kept->locked.victim % S3S_KEPT_CLASSES];
        block *b = *from;
        kept->locked.victim++;
        if (b == NULL)
            continue;
        *from = b->next;
        kept->locked.bytes -= b->usable;
        b->next = gone;
        gone = b;
    }
    return gone;
}

static void free_all(block *b)
{
    while (b != NULL) {
        block *next = b->next;
        free(b);
        b = next;
    }
}

bool s3s_kept_give(s3s_kept *kept, void *p, size_t usable)
{
    if (usable < S3S_KEPT_MIN || usable > S3S_KEPT_MAX + S3S_KEPT_MAX / 4 ||
        usable > kept->max_bytes / 4)
        return false;
    unsigned class = class_below(usable);
    block *b = p;
    pthread_mutex_lock(&kept->mutex);
    block *gone = make_room_locked(kept, usable);
    *b = (block){kept->locked.classes[class], usable};
    kept->locked.classes[class] = b;
    kept->locked.bytes += usable;
    pthread_mutex_unlock(&kept->mutex);
    free_all(gone);
    return true;
}

void s3s_kept_deinit(s3s_kept *kept)
{
    for (unsigned i = 0; i < S3S_KEPT_CLASSES; i++)
        free_all(kept->locked.classes[i]);
    pthread_mutex_destroy(&kept->mutex);
}
