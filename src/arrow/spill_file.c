/* Batches in a file without a name: each is its size, then column by column the buffers as they are. */
#include "arrow/spill_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/tempfile.h"

#define SPILL_BATCH_MAX (UINT64_C(1) << 32) /* more than any batch that was written */
#define NO_BUFFER UINT64_MAX

static s3store_status io_failed(const char *dir, const char *what, int reason, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_IO, dir,
                        "cannot %s a temporary file in \"%s\": %s; what is larger than the memory "
                        "budget is kept there: give another directory (spill_dir, --spill-dir) or "
                        "more memory (memory_bytes, --memory)",
                        what, dir, strerror(reason));
}

s3store_status s3s_spill_file_open(s3s_spill_file *file, const char *dir, s3store_error *err)
{
    file->size = 0;
    file->fd = s3s_temp_file(dir);
    return file->fd >= 0 ? S3STORE_OK : io_failed(dir, "create", errno, err);
}

void s3s_spill_file_close(s3s_spill_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* ---- arrays as bytes ----------------------------------------------------------------------------- */

static bool has_large_offsets(s3s_type type)
{
    return type == S3S_TYPE_LARGE_STRING || type == S3S_TYPE_LARGE_BINARY ||
           type == S3S_TYPE_LARGE_LIST;
}

static bool is_list(s3s_type type)
{
    return type == S3S_TYPE_LIST || type == S3S_TYPE_LARGE_LIST || type == S3S_TYPE_MAP;
}

/* Sizes of an array's buffers; the number of them. */
static size_t buffer_sizes(const s3s_field *field, const struct ArrowArray *array, uint64_t sizes[3])
{
    uint64_t length = (uint64_t)array->length;
    sizes[0] = (length + 7) / 8;
    if (field->type == S3S_TYPE_NULL)
        return 0;
    if (field->type == S3S_TYPE_STRUCT)
        return 1;
    if (field->type == S3S_TYPE_BOOL) {
        sizes[1] = sizes[0];
        return 2;
    }
    bool bytes = s3s_type_is_bytes(field->type);
    if (!bytes && !is_list(field->type)) {
        sizes[1] = length * s3s_type_value_size(field);
        return 2;
    }
    bool large = has_large_offsets(field->type);
    const void *offsets = array->buffers[1];
    sizes[1] = offsets == NULL ? 0 : (length + 1) * (large ? 8 : 4);
    sizes[2] = 0;
    if (bytes && offsets != NULL)
        sizes[2] = large ? (uint64_t)((const int64_t *)offsets)[length]
                         : (uint64_t)((const int32_t *)offsets)[length];
    return bytes ? 3 : 2;
}

static s3store_status put_number(s3s_buffer *b, uint64_t number, s3store_error *err)
{
    return s3s_buffer_append(b, &number, sizeof number, err);
}

/* Schemas are at most 64 deep. */
static s3store_status put_array(s3s_buffer *b, const s3s_field *field,
                                const struct ArrowArray *array, s3store_error *err)
{
    uint64_t sizes[3];
    if (array->offset != 0)
        return s3s_fail(err, S3STORE_INTERNAL, "column \"%s\" to spill is a slice", field->name);
    size_t count = buffer_sizes(field, array, sizes);
    s3store_status status = put_number(b, (uint64_t)array->length, err);
    if (status == S3STORE_OK)
        status = put_number(b, (uint64_t)array->null_count, err);
    for (size_t i = 0; status == S3STORE_OK && i < count; i++) {
        bool none = array->buffers[i] == NULL;
        status = put_number(b, none ? NO_BUFFER : sizes[i], err);
        if (status == S3STORE_OK && !none)
            status = s3s_buffer_append(b, array->buffers[i], (size_t)sizes[i], err);
    }
    for (size_t i = 0; status == S3STORE_OK && i < field->child_count; i++)
        status = put_array(b, &field->children[i], array->children[i], err);
    return status;
}

s3store_status s3s_spill_file_append(s3s_spill_file *file, const char *dir, const void *bytes,
                                     size_t size, s3store_error *err)
{
    const uint8_t *data = bytes;
    while (size > 0) {
        ssize_t n = pwrite(file->fd, data, size, (off_t)file->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_failed(dir, "write", errno, err);
        data += n;
        size -= (size_t)n;
        file->size += (uint64_t)n;
    }
    return S3STORE_OK;
}

s3store_status s3s_spill_file_write(s3s_env *env, s3s_spill_file *file, const char *dir,
                                    const s3s_schema *schema, const struct ArrowArray *batch,
                                    s3store_error *err)
{
    s3s_buffer b;
    s3s_buffer_init(&b, env, (size_t)(SPILL_BATCH_MAX < SIZE_MAX ? SPILL_BATCH_MAX : SIZE_MAX / 2));
    s3store_status status = put_number(&b, 0, err);
    if (status == S3STORE_OK)
        status = put_number(&b, (uint64_t)batch->length, err);
    for (size_t i = 0; status == S3STORE_OK && i < schema->field_count; i++)
        status = put_array(&b, &schema->fields[i], batch->children[i], err);
    if (status == S3STORE_OK) {
        uint64_t size = b.size;
        memcpy(b.data, &size, sizeof size);
        status = s3s_spill_file_append(file, dir, b.data, b.size, err);
    }
    s3s_buffer_deinit(&b);
    return status;
}

/* ---- and back ------------------------------------------------------------------------------------ */

typedef struct reading {
    s3s_env *env;
    const char *dir;
    const uint8_t *data;
    size_t size, at;
} reading;

static s3store_status damaged(const char *dir, s3store_error *err)
{
    return s3s_fail_key(err, S3STORE_CORRUPT, dir,
                        "a temporary file in \"%s\" does not hold what was written to it", dir);
}

static s3store_status get_number(reading *r, uint64_t *out, s3store_error *err)
{
    if (r->size - r->at < sizeof *out)
        return damaged(r->dir, err);
    memcpy(out, r->data + r->at, sizeof *out);
    r->at += sizeof *out;
    return S3STORE_OK;
}

static s3store_status get_buffer(reading *r, void **out, s3store_error *err)
{
    uint64_t size = 0;
    s3store_status status = get_number(r, &size, err);
    if (status != S3STORE_OK || size == NO_BUFFER)
        return status;
    if (size > r->size - r->at)
        return damaged(r->dir, err);
    *out = s3s_alloc(r->env, (size_t)size + 1);
    if (*out == NULL)
        return s3s_fail_memory(err, (size_t)size);
    memcpy(*out, r->data + r->at, (size_t)size);
    r->at += (size_t)size;
    return S3STORE_OK;
}

static s3store_status get_array(reading *r, const s3s_field *field, struct ArrowArray *out,
                                s3store_error *err)
{
    void *buffers[3] = {NULL, NULL, NULL};
    uint64_t length = 0, null_count = 0, sizes[3];
    struct ArrowArray none = {.length = 0, .buffers = (const void *[3]){NULL, NULL, NULL}};
    size_t count = buffer_sizes(field, &none, sizes), made = 0;
    struct ArrowArray *children = s3s_calloc(r->env, field->child_count + 1, sizeof *children);
    s3store_status status =
        children == NULL ? s3s_fail_memory(err, sizeof *children) : get_number(r, &length, err);
    if (status == S3STORE_OK)
        status = get_number(r, &null_count, err);
    for (size_t i = 0; status == S3STORE_OK && i < count; i++)
        status = get_buffer(r, &buffers[i], err);
    for (; status == S3STORE_OK && made < field->child_count; made++)
        status = get_array(r, &field->children[made], &children[made], err);
    if (status == S3STORE_OK) { /* takes all of it over */
        status = s3s_array_make(r->env, field, (int64_t)length, (int64_t)null_count, buffers, count,
                                children, made, out, err);
    } else {
        for (size_t i = 0; i < count; i++) /* 3 at most */
            s3s_free(r->env, buffers[i]); /* NOLINT(clang-analyzer-core.CallAndMessage) */
        for (size_t i = 0; i < made; i++)
            s3s_array_release(&children[i]);
    }
    s3s_free(r->env, children);
    return status;
}

static s3store_status get_batch(reading *r, const s3s_schema *schema, struct ArrowArray *out,
                                s3store_error *err)
{
    uint64_t length = 0;
    size_t made = 0;
    struct ArrowArray *columns = s3s_calloc(r->env, schema->field_count + 1, sizeof *columns);
    s3store_status status =
        columns == NULL ? s3s_fail_memory(err, sizeof *columns) : get_number(r, &length, err);
    for (; status == S3STORE_OK && made < schema->field_count; made++)
        status = get_array(r, &schema->fields[made], &columns[made], err);
    if (status == S3STORE_OK) {
        status = s3s_batch_make(r->env, columns, made, (int64_t)length, out, err);
    } else {
        for (size_t i = 0; i < made; i++)
            s3s_array_release(&columns[i]);
    }
    s3s_free(r->env, columns);
    return status;
}

static s3store_status read_all(const s3s_spill_file *file, const char *dir, uint64_t at, void *data,
                               size_t size, s3store_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(file->fd, (uint8_t *)data + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_failed(dir, "read", errno, err);
        if (n == 0)
            return damaged(dir, err);
        done += (size_t)n;
    }
    return S3STORE_OK;
}

s3store_status s3s_spill_file_read(s3s_env *env, const s3s_spill_file *file, const char *dir,
                                   const s3s_schema *schema, uint64_t *at, struct ArrowArray *out,
                                   s3store_error *err)
{
    uint64_t size = 0;
    memset(out, 0, sizeof *out);
    if (*at >= file->size)
        return S3STORE_END;
    s3store_status status = read_all(file, dir, *at, &size, sizeof size, err);
    if (status != S3STORE_OK)
        return status;
    if (size < sizeof size || size > file->size - *at || size > SPILL_BATCH_MAX)
        return damaged(dir, err);
    uint8_t *data = s3s_alloc(env, (size_t)size);
    if (data == NULL)
        return s3s_fail_memory(err, (size_t)size);
    status = read_all(file, dir, *at, data, (size_t)size, err);
    reading r = {.env = env, .dir = dir, .data = data, .size = (size_t)size, .at = sizeof size};
    if (status == S3STORE_OK)
        status = get_batch(&r, schema, out, err);
    s3s_free(env, data);
    *at += size;
    return status;
}

void s3s_spill_file_discard(s3s_spill_file *file, uint64_t from, uint64_t to)
{
    if (to > from)
        (void)fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                        (off_t)(to - from));
}
