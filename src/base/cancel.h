/* base/cancel.h: cancellation tokens with subscribers. */
#ifndef S3S_BASE_CANCEL_H
#define S3S_BASE_CANCEL_H

#include "base/env.h"

/* A token that is triggered with its parent (NULL = none) or by itself: for a pipeline that must be
 * able to stop its own requests. Free it before the parent. Public tokens come from
 * s3store_cancel_new; env NULL = malloc. */
s3store_status s3s_cancel_new(s3s_env *env, s3store_cancel *parent, s3store_cancel **out,
                              s3store_error *err);

/* Calls fn(ctx) once when the token is triggered (at once if it is already). fn must not block and
 * must not subscribe or unsubscribe. Embedded by the caller, no allocation. */
typedef struct s3s_cancel_sub {
    void (*fn)(void *ctx);
    void *ctx;
    struct s3s_cancel_sub *prev, *next;
    bool linked;
} s3s_cancel_sub;
void s3s_cancel_subscribe(s3store_cancel *cancel, s3s_cancel_sub *sub, void (*fn)(void *),
                          void *ctx);                                   /* cancel may be NULL */
void s3s_cancel_unsubscribe(s3store_cancel *cancel, s3s_cancel_sub *sub); /* fn is not running after */

#endif
