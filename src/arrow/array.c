/* Arrays that hold their memory by count: each has one private block with its buffers' addresses
 * and its children; release may run on any thread, after everything else is gone. */
#include "arrow/internal.h"
#include "base/error.h"

typedef struct array_private {
    s3s_env *env;             /* retained; NULL = malloc */
    s3s_shared_batch *shared; /* owner of the buffers, retained; NULL = they are our own */
    size_t child_count;       /* as it was made: consumers own the public fields */
    const void *buffers[S3S_MAX_BUFFERS];
    struct ArrowArray children[]; /* followed by child_count pointers to them */
} array_private;

void s3s_array_release(struct ArrowArray *array)
{
    if (array != NULL && array->release != NULL)
        array->release(array);
}

static void release_array(struct ArrowArray *array)
{
    array_private *p = array->private_data;
    s3s_env *env = p->env;
    for (size_t i = 0; i < p->child_count; i++)
        s3s_array_release(&p->children[i]); /* no-op when it was moved out */
    if (p->shared == NULL)
        for (size_t i = 0; i < S3S_MAX_BUFFERS; i++)
            s3s_free(env, (void *)(uintptr_t)p->buffers[i]);
    s3s_shared_batch_release(p->shared);
    s3s_free(env, p);
    memset(array, 0, sizeof *array);
    s3s_env_drop(env);
}

s3s_env *s3s_array_env(const struct ArrowArray *array)
{
    return array->release == release_array ? ((const array_private *)array->private_data)->env
                                           : NULL;
}

s3store_status s3s_array_reserve(s3s_env *env, size_t buffer_count, size_t child_count,
                                 struct ArrowArray *out, s3store_error *err)
{
    size_t each = sizeof(struct ArrowArray) + sizeof(struct ArrowArray *);
    size_t size;
    memset(out, 0, sizeof *out);
    if (!s3s_mul(child_count, each, &size) || !s3s_add(size, sizeof(array_private), &size))
        return s3s_fail_memory(err, SIZE_MAX);
    array_private *p = s3s_calloc(env, 1, size);
    if (p == NULL)
        return s3s_fail_memory(err, size);
    struct ArrowArray **pointers = (struct ArrowArray **)(void *)&p->children[child_count];
    for (size_t i = 0; i < child_count; i++)
        pointers[i] = &p->children[i];
    p->env = s3s_env_hold(env);
    p->child_count = child_count;
    out->n_buffers = (int64_t)buffer_count;
    out->buffers = p->buffers;
    out->n_children = (int64_t)child_count;
    out->children = child_count > 0 ? pointers : NULL;
    out->release = release_array;
    out->private_data = p;
    return S3STORE_OK;
}

s3store_status s3s_array_reserve_shared(s3s_env *env, s3s_shared_batch *shared, size_t child_count,
                                        struct ArrowArray *out, s3store_error *err)
{
    s3store_status status = s3s_array_reserve(env, 0, child_count, out, err);
    if (status == S3STORE_OK)
        ((array_private *)out->private_data)->shared = shared;
    return status;
}

void s3s_array_set_buffer(struct ArrowArray *array, size_t i, void *buffer)
{
    ((array_private *)array->private_data)->buffers[i] = buffer;
}

s3store_status s3s_array_make(s3s_env *env, const s3s_field *field, int64_t length,
                              int64_t null_count, void **buffers, size_t buffer_count,
                              struct ArrowArray *children, size_t child_count,
                              struct ArrowArray *out, s3store_error *err)
{
    s3store_status status;
    memset(out, 0, sizeof *out);
    if (buffer_count != s3s_type_buffer_count(field->type) || child_count != field->child_count)
        status = s3s_fail(err, S3STORE_INTERNAL,
                          "column \"%.200s\" was put together from %zu buffers and %zu children",
                          field->name, buffer_count, child_count);
    else
        status = s3s_array_reserve(env, buffer_count, child_count, out, err);
    if (status != S3STORE_OK) {
        for (size_t i = 0; i < buffer_count; i++)
            s3s_free(env, buffers[i]);
        for (size_t i = 0; i < child_count; i++)
            s3s_array_release(&children[i]);
        return status;
    }
    out->length = length;
    out->null_count = null_count;
    for (size_t i = 0; i < buffer_count; i++)
        s3s_array_set_buffer(out, i, buffers[i]);
    for (size_t i = 0; i < child_count; i++) {
        *out->children[i] = children[i];
        children[i].release = NULL;
    }
    return S3STORE_OK;
}

s3store_status s3s_batch_make(s3s_env *env, struct ArrowArray *columns, size_t column_count,
                              int64_t length, struct ArrowArray *out, s3store_error *err)
{
    s3s_field top = {.name = "", .type = S3S_TYPE_STRUCT, .child_count = column_count};
    void *buffers[1] = {NULL};
    return s3s_array_make(env, &top, length, 0, buffers, 1, columns, column_count, out, err);
}

/* The buffers of `length` nulls of a type; the values are zeroed. */
static s3store_status null_buffers(s3s_env *env, const s3s_field *field, int64_t length,
                                   struct ArrowArray *out, s3store_error *err)
{
    size_t rows = (size_t)length;
    size_t sizes[S3S_MAX_BUFFERS] = {s3s_bits_size(rows), 0, 0};
    bool fits = true;
    switch (s3s_type_layout(field->type)) {
    case S3S_LAYOUT_BOOL:
        sizes[1] = s3s_bits_size(rows);
        break;
    case S3S_LAYOUT_FIXED:
        fits = s3s_mul(rows, s3s_type_value_size(field), &sizes[1]);
        break;
    case S3S_LAYOUT_BYTES:
    case S3S_LAYOUT_LIST:
        fits = s3s_mul(rows + 1, 4, &sizes[1]);
        break;
    case S3S_LAYOUT_LARGE_BYTES:
    case S3S_LAYOUT_LARGE_LIST:
        fits = s3s_mul(rows + 1, 8, &sizes[1]);
        break;
    default:
        break;
    }
    if (!fits)
        return s3s_fail_memory(err, SIZE_MAX);
    for (size_t i = 0; i < (size_t)out->n_buffers; i++) {
        /* At most S3S_MAX_BUFFERS. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
        void *buffer = s3s_calloc(env, 1, sizes[i]);
        if (buffer == NULL)
            return s3s_fail_memory(err, sizes[i]);
        s3s_array_set_buffer(out, i, buffer);
    }
    return S3STORE_OK;
}

s3store_status s3s_array_nulls(s3s_env *env, const s3s_field *field, int64_t length,
                               struct ArrowArray *out, s3store_error *err)
{
    s3store_status status = s3s_array_reserve(env, s3s_type_buffer_count(field->type),
                                              field->child_count, out, err);
    if (status != S3STORE_OK)
        return status;
    out->length = length;
    out->null_count = length;
    status = null_buffers(env, field, length, out, err);
    int64_t child_length = field->type == S3S_TYPE_STRUCT ? length : 0;
    for (size_t i = 0; i < field->child_count && status == S3STORE_OK; i++)
        status = s3s_array_nulls(env, &field->children[i], child_length, out->children[i], err);
    if (status != S3STORE_OK)
        s3s_array_release(out);
    return status;
}
