/* parquet/encoders.h: who encodes full pages: whoever filled them, or threads of a pool while that
 * goes on; and what else can wait for a free thread.
 */
#ifndef S3S_PARQUET_ENCODERS_H
#define S3S_PARQUET_ENCODERS_H

#include "base/buffer.h"
#include "base/pool.h"
#include "base/sync.h"
#include "parquet/codec/codec.h"

/* What encoding a page needs to itself. */
typedef struct s3s_page_encoder {
    struct s3s_page_encoder *next;
    s3s_codec_state codec_state;
    s3s_buffer body;           /* of one page: levels and values */
    s3s_buffer header, packed; /* what becomes of it */
    s3s_buffer prefixes;       /* uint32_t, of strings: those they share with the one before; then
                                * the lengths of what is left */
} s3s_page_encoder;

/* A piece of work: `what` of `owner`. */
typedef s3store_status (*s3s_encoders_fn)(void *owner, void *what, s3store_error *err);

#define S3S_ENCODERS_RING 64

typedef struct s3s_encoders {
    s3s_env *env;
    bool shared; /* other threads take encoders, too: the mutex is needed */
    s3s_mutex mutex;
    struct {
        s3s_page_encoder *spare;
    } locked;
    s3s_pool *pool; /* NULL = one thread */
    size_t threads;
    s3s_queue *queue; /* NULL = nothing was pushed yet */
    size_t pushed; /* items of the queue */
    struct {
        s3s_encoders_fn fn;
        void *owner, *what;
    } ring[S3S_ENCODERS_RING]; /* of those that have not ended */
} s3s_encoders;

s3store_status s3s_encoders_init(s3s_encoders *e, s3s_env *env, s3store_error *err);
void s3s_encoders_deinit(s3s_encoders *e);
/* threads as in s3s_fan_options. Nothing may wait. */
void s3s_encoders_use_pool(s3s_encoders *e, s3s_pool *pool, size_t threads);
size_t s3s_encoders_held_bytes(s3s_encoders *e); /* while nobody uses it */

/* From any thread, once it is known that there are several; till then from one. NULL: no memory. */
void s3s_encoders_share(s3s_encoders *e);
s3s_page_encoder *s3s_encoders_take(s3s_encoders *e, s3store_error *err);
void s3s_encoders_give(s3s_encoders *e, s3s_page_encoder *encoder);

/* From the writer's thread, with a pool. *item: its number. At most S3S_ENCODERS_RING wait; then
 * this does, too. The failure of any item is returned as soon as it is known. */
s3store_status s3s_encoders_push(s3s_encoders *e, s3s_encoders_fn fn, void *owner, void *what,
                                 size_t *item, s3store_error *err);
s3store_status s3s_encoders_wait(s3s_encoders *e, size_t item, s3store_error *err);
/* Until at most `most` are left. */
s3store_status s3s_encoders_catch_up(s3s_encoders *e, size_t most, s3store_error *err);
bool s3s_encoders_has_ended(s3s_encoders *e, size_t item);
/* No item runs any more, and none will. */
void s3s_encoders_stop(s3s_encoders *e);

#endif
