/* A stream over batches that already exist. */
#include "arrow/internal.h"
#include "arrow/stream.h"
#include "base/error.h"

typedef struct batch_list {
    s3s_env *env;
    size_t next;
    size_t count;
    struct ArrowArray batches[];
} batch_list;

static s3store_status list_next(void *impl, struct ArrowArray *out, s3store_error *err)
{
    (void)err;
    batch_list *list = impl;
    if (list->next == list->count)
        return S3STORE_END;
    *out = list->batches[list->next];
    memset(&list->batches[list->next++], 0, sizeof *out);
    return S3STORE_OK;
}

static void list_free(void *impl)
{
    batch_list *list = impl;
    s3s_env *env = list->env;
    for (size_t i = list->next; i < list->count; i++)
        s3s_array_release(&list->batches[i]);
    s3s_free(env, list);
    s3s_env_drop(env);
}

/* Only the shape: values are checked by whoever consumes the stream. */
static s3store_status check_batches(const s3s_schema *schema, const struct ArrowArray *batches,
                                    size_t count, s3store_error *err)
{
    for (size_t i = 0; i < count; i++) {
        if (batches[i].release == NULL)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "batch %zu is already released", i);
        if (batches[i].n_children != (int64_t)schema->field_count)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "batch %zu has %lld columns, the schema %zu", i,
                            (long long)batches[i].n_children, schema->field_count);
    }
    return S3STORE_OK;
}

static s3store_status make_list(s3s_env *env, struct ArrowArray *batches, size_t count,
                                batch_list **out, s3store_error *err)
{
    size_t size;
    if (!s3s_mul(count, sizeof *batches, &size) || !s3s_add(size, sizeof(batch_list), &size))
        return s3s_fail_memory(err, SIZE_MAX);
    batch_list *list = s3s_calloc(env, 1, size);
    if (list == NULL)
        return s3s_fail_memory(err, size);
    list->env = s3s_env_hold(env);
    list->count = count;
    for (size_t i = 0; i < count; i++) {
        list->batches[i] = batches[i];
        memset(&batches[i], 0, sizeof batches[i]);
    }
    *out = list;
    return S3STORE_OK;
}

s3store_status s3store_stream_from_batches(struct ArrowSchema *schema, struct ArrowArray *batches,
                                           size_t batch_count, struct ArrowArrayStream *out,
                                           s3store_error *err)
{
    s3s_env *env = NULL;
    s3s_schema *imported = NULL;
    batch_list *list = NULL;
    s3store_status status;
    if (out != NULL)
        memset(out, 0, sizeof *out);
    if (out == NULL || schema == NULL || (batches == NULL && batch_count > 0)) {
        if (batches == NULL)
            batch_count = 0;
        status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                          "stream_from_batches: an argument is NULL");
    } else {
        status = s3s_env_new_real(&env, err);
        if (status == S3STORE_OK)
            status = s3s_schema_import(env, schema, &imported, err);
        if (status == S3STORE_OK)
            status = check_batches(imported, batches, batch_count, err);
        if (status == S3STORE_OK)
            status = make_list(env, batches, batch_count, &list, err);
        if (status == S3STORE_OK)
            status = s3s_stream_make(env, imported,
                                     (s3s_batch_source){list, list_next, list_free}, out, err);
    }
    for (size_t i = 0; i < batch_count; i++)
        s3s_array_release(&batches[i]);
    s3s_schema_abi_release(schema);
    s3s_schema_release(imported);
    s3s_env_drop(env);
    return status;
}
