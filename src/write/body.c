/* The bytes of one data object, and the buffers and encoders that a writer keeps for the next ones. */
#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "write/write_private.h"
#include "metrics/metrics.h"

/* ---- the pool -------------------------------------------------------------------------------- */

/* Of one that is kept: what it has grown, it need not grow again for the next chunk. */
#define ENCODER_BYTES_MAX (4u << 20)

/* A buffer that is kept: its memory begins with this. */
typedef struct kept {
    struct kept *next;
    size_t capacity;
} kept;

static void take_from_pool(s3store_writer *writer, s3s_buffer *out)
{
    s3s_buffer_init(out, writer->env, SIZE_MAX);
    s3s_mutex_lock(&writer->locked.mutex);
    kept *k = writer->locked.pool;
    if (k != NULL) {
        writer->locked.pool = k->next;
        writer->locked.pool_bytes -= k->capacity;
        out->capacity = k->capacity;
        out->data = (uint8_t *)k;
    }
    s3s_mutex_unlock(&writer->locked.mutex);
}

/* Keeps the buffer where the cap allows it; else it is freed. */
static void give_to_pool(s3store_writer *writer, s3s_buffer *buffer)
{
    s3s_mutex_lock(&writer->locked.mutex);
    if (buffer->capacity >= sizeof(kept) &&
        writer->locked.pool_bytes + buffer->capacity <= writer->pool_max_bytes) {
        kept *k = (void *)buffer->data;
        *k = (kept){writer->locked.pool, buffer->capacity};
        writer->locked.pool = k;
        writer->locked.pool_bytes += k->capacity;
        buffer->data = NULL;
    } else if (buffer->data != NULL) {
        s3s_metric(s3s_env_metrics(writer->env), S3S_METRIC_ENCODE_BUF_DROPPED, (s3s_labels){0}, 1);
    }
    s3s_mutex_unlock(&writer->locked.mutex);
    s3s_buffer_deinit(buffer);
}

void s3s_body_pool_free(s3store_writer *writer)
{
    for (kept *k = writer->locked.pool; k != NULL;) {
        kept *next = k->next;
        s3s_free(writer->env, k);
        k = next;
    }
    writer->locked.pool = NULL;
    while (writer->locked.encoder_count > 0)
        s3s_datafile_encoder_free(writer->locked.encoders[--writer->locked.encoder_count]);
}

/* ---- encoders -------------------------------------------------------------------------------- */

/* What a small object costs is mostly the memory that its encoder asks for. */
s3store_status s3s_encoder_take(s3store_writer *writer, s3s_schema *schema,
                                const s3s_parquet_write_options *options, s3s_parquet_sink sink,
                                s3s_datafile_encoder **out, s3store_error *err)
{
    *out = NULL;
    s3s_mutex_lock(&writer->locked.mutex);
    for (size_t i = writer->locked.encoder_count; i-- > 0 && *out == NULL;) {
        if (!s3s_datafile_encoder_restart(writer->locked.encoders[i], schema, options, sink))
            continue;
        *out = writer->locked.encoders[i];
        writer->locked.pool_bytes -= writer->locked.encoder_bytes[i];
        size_t last = --writer->locked.encoder_count;
        writer->locked.encoders[i] = writer->locked.encoders[last];
        writer->locked.encoder_bytes[i] = writer->locked.encoder_bytes[last];
    }
    s3s_mutex_unlock(&writer->locked.mutex);
    return *out != NULL ? S3STORE_OK
                        : s3s_datafile_encoder_new(writer->env, schema, options, sink, out, err);
}

/* When there is no room for one more the oldest goes: schemas and options change. */
void s3s_encoder_give(s3store_writer *writer, s3s_datafile_encoder *encoder, bool finished)
{
    size_t bytes = finished ? s3s_datafile_encoder_held_bytes(encoder) : 0;
    s3s_datafile_encoder *dropped = encoder;
    if (encoder == NULL)
        return;
    s3s_mutex_lock(&writer->locked.mutex);
    size_t *count = &writer->locked.encoder_count;
    if (finished && bytes <= ENCODER_BYTES_MAX &&
        writer->locked.pool_bytes + bytes <= writer->pool_max_bytes) {
        dropped = NULL;
        if (*count == S3S_ENCODERS_KEPT) {
            dropped = writer->locked.encoders[0];
            writer->locked.pool_bytes -= writer->locked.encoder_bytes[0];
            --*count;
            for (size_t i = 0; i < *count; i++) {
                writer->locked.encoders[i] = writer->locked.encoders[i + 1];
                writer->locked.encoder_bytes[i] = writer->locked.encoder_bytes[i + 1];
            }
        }
        writer->locked.encoders[*count] = encoder;
        writer->locked.encoder_bytes[(*count)++] = bytes;
        writer->locked.pool_bytes += bytes;
    }
    s3s_mutex_unlock(&writer->locked.mutex);
    s3s_datafile_encoder_free(dropped);
}

/* ---- a body ---------------------------------------------------------------------------------- */

s3store_status s3s_body_open(s3s_body *body, s3store_writer *writer, bool in_memory,
                             s3store_error *err)
{
    memset(body, 0, sizeof *body);
    if (in_memory) {
        take_from_pool(writer, &body->buffer);
        return S3STORE_OK;
    }
    s3s_buffer_init(&body->buffer, writer->env, SIZE_MAX);
    body->dir = writer->target->spill_dir;
    body->file = s3s_calloc(writer->env, 1, sizeof *body->file);
    if (body->file == NULL)
        return s3s_fail_memory(err, sizeof *body->file);
    body->file->fd = -1;
    return s3s_spill_file_open(body->file, body->dir, err);
}

s3store_status s3s_body_write(void *ctx, const void *data, size_t size, s3store_error *err)
{
    s3s_body *body = ctx;
    return body->file == NULL ? s3s_buffer_append(&body->buffer, data, size, err)
                              : s3s_spill_file_append(body->file, body->dir, data, size, err);
}

/* A mapped file takes memory only as long as nobody else needs it. */
s3store_status s3s_body_close(s3s_body *body, s3store_error *err)
{
    if (body->file == NULL) {
        body->data = body->buffer.data;
        body->size = body->buffer.size;
        return S3STORE_OK;
    }
    size_t size = (size_t)body->file->size;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, body->file->fd, 0);
    if (map == MAP_FAILED)
        return s3s_fail_key(err, S3STORE_IO, body->dir,
                            "cannot map a temporary file of %zu bytes in \"%s\"", size, body->dir);
    (void)madvise(map, size, MADV_SEQUENTIAL);
    body->data = map;
    body->size = size;
    return S3STORE_OK;
}

void s3s_body_free(s3s_body *body, s3store_writer *writer)
{
    if (body->file != NULL) {
        if (body->data != NULL)
            munmap((void *)body->data, body->size);
        s3s_spill_file_close(body->file);
        s3s_free(writer->env, body->file);
    }
    if (body->buffer.env != NULL)
        give_to_pool(writer, &body->buffer);
    memset(body, 0, sizeof *body);
}
