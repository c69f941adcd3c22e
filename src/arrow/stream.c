/* Streams of our own: a source of batches behind the ABI. */
#include <errno.h>

#include "arrow/internal.h"
#include "arrow/stream.h"
#include "base/error.h"

typedef struct stream_private {
    s3s_env *env;
    s3s_schema *schema;
    s3s_batch_source source;
    bool failed; /* for good: get_next repeats the error */
    bool ended;
    s3store_error error; /* of the last call that failed; status OK = none */
} stream_private;

static int errno_of(s3store_status status)
{
    switch (status) {
    case S3STORE_CANCELLED:
        return ECANCELED;
    case S3STORE_OUT_OF_MEMORY:
        return ENOMEM;
    case S3STORE_INVALID_ARGUMENT:
    case S3STORE_SCHEMA_MISMATCH:
        return EINVAL;
    default:
        return EIO;
    }
}

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    stream_private *p = stream->private_data;
    s3store_error error = {0};
    s3store_status status = s3s_schema_export(p->schema, out, &error);
    if (!p->failed)
        p->error = error;
    return status == S3STORE_OK ? 0 : errno_of(status);
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    stream_private *p = stream->private_data;
    memset(out, 0, sizeof *out);
    if (p->failed)
        return errno_of(p->error.status);
    if (p->ended)
        return 0;
    s3s_error_clear(&p->error);
    s3store_status status = p->source.next(p->source.impl, out, &p->error);
    if (status == S3STORE_OK)
        return 0;
    s3s_array_release(out);
    memset(out, 0, sizeof *out);
    if (status == S3STORE_END) {
        p->ended = true;
        s3s_error_clear(&p->error);
        return 0;
    }
    p->failed = true;
    p->error.status = status;
    return errno_of(status);
}

static const char *stream_get_last_error(struct ArrowArrayStream *stream)
{
    stream_private *p = stream->private_data;
    return p->error.status != S3STORE_OK ? p->error.message : NULL;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    stream_private *p = stream->private_data;
    s3s_env *env = p->env;
    if (p->source.free != NULL)
        p->source.free(p->source.impl);
    s3s_schema_release(p->schema);
    s3s_free(env, p);
    memset(stream, 0, sizeof *stream);
    s3s_env_drop(env);
}

s3store_status s3s_stream_make(s3s_env *env, s3s_schema *schema, s3s_batch_source source,
                               struct ArrowArrayStream *out, s3store_error *err)
{
    memset(out, 0, sizeof *out);
    stream_private *p = s3s_alloc(env, sizeof *p); /* most of it is an error's text */
    if (p == NULL) {
        if (source.free != NULL)
            source.free(source.impl);
        return s3s_fail_memory(err, sizeof *p);
    }
    p->env = s3s_env_hold(env);
    p->schema = s3s_schema_retain(schema);
    p->source = source;
    p->failed = p->ended = false;
    s3s_error_clear(&p->error);
    *out = (struct ArrowArrayStream){.get_schema = stream_get_schema,
                                     .get_next = stream_get_next,
                                     .get_last_error = stream_get_last_error,
                                     .release = stream_release,
                                     .private_data = p};
    return S3STORE_OK;
}

bool s3s_stream_is_ours(const struct ArrowArrayStream *stream)
{
    return stream != NULL && stream->release == stream_release;
}

s3s_schema *s3s_stream_schema(const struct ArrowArrayStream *stream)
{
    return ((const stream_private *)stream->private_data)->schema;
}

bool s3s_stream_is_valid(const struct ArrowArrayStream *stream)
{
    return ((const stream_private *)stream->private_data)->source.valid;
}

bool s3store_stream_error(const struct ArrowArrayStream *stream, s3store_error *out)
{
    if (!s3s_stream_is_ours(stream))
        return false;
    const stream_private *p = stream->private_data;
    if (p->error.status == S3STORE_OK)
        return false;
    if (out != NULL)
        *out = p->error;
    return true;
}
