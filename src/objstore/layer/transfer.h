/* objstore/layer/transfer.h: private to the transfer layer: its state, and what its files share. */
#ifndef S3S_OBJSTORE_LAYER_TRANSFER_H
#define S3S_OBJSTORE_LAYER_TRANSFER_H

#include "base/sync.h"
#include "objstore/objstore.h"

/* An abort that goes on after the call that began the upload has returned. */
typedef struct s3s_late_abort s3s_late_abort;

typedef struct s3s_transfer {
    s3s_env *env;
    const s3store_object_store *inner;
    s3s_pool *pool;
    s3s_transfer_options options;
    s3s_mutex mutex;
    struct {
        s3s_late_abort *aborts;
    } locked;
} s3s_transfer;

/* transfer_put.c */
s3store_status s3s_transfer_put(s3s_transfer *t, const s3store_call *call,
                                const s3store_put_request *request, s3store_put_reply *reply,
                                s3store_error *err);
/* Joins the aborts that have ended, or all of them. */
void s3s_transfer_reap(s3s_transfer *t, bool all);

/* transfer_get.c */
s3store_status s3s_transfer_get(s3s_transfer *t, const s3store_call *call,
                                const s3store_get_request *request, s3store_sink *sink,
                                s3store_object_info *info, s3store_error *err);

#endif
