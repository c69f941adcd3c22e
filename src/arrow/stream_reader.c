/* Draining streams, of our own and of others. */
#include <errno.h>

#include "arrow/internal.h"
#include "arrow/stream.h"
#include "base/error.h"

struct s3s_stream_reader {
    s3s_env *env;
    struct ArrowArrayStream stream;
    s3s_schema *schema;
    uint64_t batches; /* delivered */
    bool ended;
    bool failed;
    bool valid; /* batches are as they must be */
    s3store_error error;
};

static s3store_status fail_stream(struct ArrowArrayStream *stream, int code, const char *what,
                                  s3store_error *err)
{
    s3store_error own;
    if (s3store_stream_error(stream, &own)) {
        if (err != NULL)
            *err = own;
        return own.status;
    }
    const char *text = stream->get_last_error != NULL ? stream->get_last_error(stream) : NULL;
    s3store_status status = code == ECANCELED ? S3STORE_CANCELLED
                            : code == ENOMEM  ? S3STORE_OUT_OF_MEMORY
                            : code == EINVAL  ? S3STORE_INVALID_ARGUMENT
                                              : S3STORE_IO;
    if (text != NULL && text[0] != '\0')
        return s3s_fail(err, status, "%.900s", text);
    return s3s_fail(err, status, "the input stream could not give its %s (errno %d)", what, code);
}

static s3store_status read_schema(s3s_stream_reader *reader, s3store_error *err)
{
    struct ArrowSchema schema = {0};
    if (s3s_stream_is_ours(&reader->stream)) { /* not through the ABI and back */
        reader->schema = s3s_schema_retain(s3s_stream_schema(&reader->stream));
        reader->valid = s3s_stream_is_valid(&reader->stream);
        return S3STORE_OK;
    }
    int code = reader->stream.get_schema(&reader->stream, &schema);
    if (code != 0)
        return fail_stream(&reader->stream, code, "schema", err);
    s3store_status status = s3s_schema_import(reader->env, &schema, &reader->schema, err);
    s3s_schema_abi_release(&schema);
    return status;
}

s3store_status s3s_stream_reader_new(s3s_env *env, struct ArrowArrayStream *stream,
                                     s3s_stream_reader **out, s3store_error *err)
{
    *out = NULL;
    if (stream == NULL || stream->release == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the Arrow stream is missing or already released");
    s3s_stream_reader *reader = s3s_alloc(env, sizeof *reader); /* most of it is an error's text */
    if (reader == NULL) {
        stream->release(stream);
        memset(stream, 0, sizeof *stream);
        return s3s_fail_memory(err, sizeof *reader);
    }
    memset(reader, 0, offsetof(s3s_stream_reader, error));
    s3s_error_clear(&reader->error);
    reader->env = s3s_env_hold(env);
    reader->stream = *stream;
    memset(stream, 0, sizeof *stream);
    s3store_status status = read_schema(reader, err);
    if (status != S3STORE_OK) {
        s3s_stream_reader_free(reader);
        return status;
    }
    *out = reader;
    return S3STORE_OK;
}

bool s3s_stream_reader_is_valid(const s3s_stream_reader *reader)
{
    return reader->valid;
}

const s3s_schema *s3s_stream_reader_schema(const s3s_stream_reader *reader)
{
    return reader->schema;
}

static s3store_status next_batch(s3s_stream_reader *reader, struct ArrowArray *out,
                                 s3store_error *err)
{
    int code = reader->stream.get_next(&reader->stream, out);
    if (code != 0) {
        memset(out, 0, sizeof *out); /* undefined after a failure */
        return fail_stream(&reader->stream, code, "next batch", err);
    }
    if (out->release == NULL) {
        reader->ended = true;
        return S3STORE_END;
    }
    s3store_status status =
        reader->valid ? S3STORE_OK : s3s_batch_validate(reader->schema, out, err);
    if (status == S3STORE_OK) {
        reader->batches++;
        return S3STORE_OK;
    }
    s3s_array_release(out);
    memset(out, 0, sizeof *out);
    s3s_context(err, "batch %llu of the Arrow stream", (unsigned long long)reader->batches);
    return status;
}

s3store_status s3s_stream_reader_next(s3s_stream_reader *reader, struct ArrowArray *out,
                                      s3store_error *err)
{
    memset(out, 0, sizeof *out);
    if (reader->ended)
        return S3STORE_END;
    if (!reader->failed) {
        s3s_error_clear(&reader->error);
        s3store_status status = next_batch(reader, out, &reader->error);
        if (status == S3STORE_OK || status == S3STORE_END)
            return status;
        reader->failed = true;
        reader->error.status = status;
    }
    if (err != NULL)
        *err = reader->error;
    return reader->error.status;
}

void s3s_stream_reader_free(s3s_stream_reader *reader)
{
    if (reader == NULL)
        return;
    s3s_env *env = reader->env;
    if (reader->stream.release != NULL)
        reader->stream.release(&reader->stream);
    s3s_schema_release(reader->schema);
    s3s_free(env, reader);
    s3s_env_drop(env);
}
