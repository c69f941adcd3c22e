/* arrow/stream.h: making and draining ArrowArrayStreams. */
#ifndef S3S_ARROW_STREAM_H
#define S3S_ARROW_STREAM_H

#include "arrow/array.h"

/* A source of batches behind the ABI. next: fills out and returns OK, or END, or a failure
 * (which the stream keeps: every later call repeats it). free: once, when the stream is
 * released. */
typedef struct s3s_batch_source {
    void *impl;
    s3store_status (*next)(void *impl, struct ArrowArray *out, s3store_error *err);
    void (*free)(void *impl);
    bool valid; /* its batches need no validation, and own their memory: they may be kept */
} s3s_batch_source;

/* Takes source over, also on failure. schema is retained. get_next maps statuses to errno
 * values: CANCELLED ECANCELED, OUT_OF_MEMORY ENOMEM, INVALID_ARGUMENT and SCHEMA_MISMATCH
 * EINVAL, else EIO. */
s3store_status s3s_stream_make(s3s_env *env, s3s_schema *schema, s3s_batch_source source,
                               struct ArrowArrayStream *out, s3store_error *err);

/* A reader of any stream: imports its schema, validates each batch. The stream is moved in. A
 * stream of our own passes its error through whole; a foreign one gives its last error text,
 * with CANCELLED, OUT_OF_MEMORY or INVALID_ARGUMENT for ECANCELED, ENOMEM, EINVAL, else IO. */
typedef struct s3s_stream_reader s3s_stream_reader;
s3store_status s3s_stream_reader_new(s3s_env *env, struct ArrowArrayStream *stream,
                                     s3s_stream_reader **out, s3store_error *err);
const s3s_schema *s3s_stream_reader_schema(const s3s_stream_reader *reader);
bool s3s_stream_reader_is_valid(const s3s_stream_reader *reader); /* as its source says */
s3store_status s3s_stream_reader_next(s3s_stream_reader *reader, struct ArrowArray *out,
                                      s3store_error *err); /* END at the end */
void s3s_stream_reader_free(s3s_stream_reader *reader);

#endif
