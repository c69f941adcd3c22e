/* Gathering nested rows: a struct passes the selection on, a list turns it into runs of
 * elements. */
#include "arrow/internal.h"
#include "base/error.h"

static void free_columns(s3s_env *env, struct ArrowArray *children, size_t count)
{
    for (size_t i = 0; children != NULL && i < count; i++)
        s3s_array_release(&children[i]);
    s3s_free(env, children);
}

/* Takes child i of all sources. */
static s3store_status take_child(const s3s_take *take, const s3s_field *field,
                                 const s3s_column *views, size_t i,
                                 const s3s_selection *selection, struct ArrowArray *out,
                                 s3store_error *err)
{
    s3s_column *below = s3s_calloc(take->env, take->source_count, sizeof *below);
    if (below == NULL)
        return s3s_fail_memory(err, take->source_count * sizeof *below);
    for (size_t s = 0; s < take->source_count; s++)
        s3s_column_child(&views[s], i, &below[s]);
    s3store_status status =
        s3s_take_column(take, &field->children[i], below, selection, out, err);
    s3s_free(take->env, below);
    return status;
}

s3store_status s3s_take_struct(const s3s_take *take, const s3s_field *field,
                               const s3s_column *views, const s3s_selection *selection,
                               struct ArrowArray *out, s3store_error *err)
{
    void *buffers[1] = {NULL};
    int64_t null_count = 0;
    memset(out, 0, sizeof *out);
    struct ArrowArray *children = s3s_calloc(take->env, field->child_count, sizeof *children);
    if (children == NULL)
        return s3s_fail_memory(err, field->child_count * sizeof *children);
    s3store_status status =
        s3s_take_validity(take, views, selection, &buffers[0], &null_count, err);
    for (size_t i = 0; i < field->child_count && status == S3STORE_OK; i++)
        status = take_child(take, field, views, i, selection, &children[i], err);
    if (status == S3STORE_OK)
        status = s3s_array_make(take->env, field, (int64_t)selection->count, null_count, buffers,
                                1, children, field->child_count, out, err);
    else
        s3s_free(take->env, buffers[0]);
    free_columns(take->env, children, field->child_count);
    return status;
}

/* ---- lists ----------------------------------------------------------------------------------- */

typedef struct run_list {
    s3s_env *env;
    s3s_run *runs;
    size_t count;
    size_t capacity;
    int64_t total; /* elements */
} run_list;

static bool add_run(run_list *list, uint32_t batch, int64_t start, int64_t length)
{
    s3s_run *last = list->count > 0 ? &list->runs[list->count - 1] : NULL;
    if (length == 0)
        return true;
    if (__builtin_add_overflow(list->total, length, &list->total))
        return false;
    if (last != NULL && last->batch == batch && last->start + last->length == start) {
        last->length += length;
        return true;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity != 0 ? 2 * list->capacity : 64;
        s3s_run *grown = s3s_realloc(list->env, list->runs, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        list->runs = grown;
        list->capacity = capacity;
    }
    list->runs[list->count++] = (s3s_run){batch, start, length};
    return true;
}

/* Appends the elements of one list and sets the offset behind it. */
static bool add_list(run_list *list, const s3s_column *views, bool wide, uint32_t batch,
                     int64_t row, void *offsets, size_t at)
{
    int64_t start;
    int64_t end;
    s3s_column_list(&views[batch], row, &start, &end);
    if (!add_run(list, batch, start, end - start))
        return false;
    if (wide)
        ((int64_t *)offsets)[at + 1] = list->total;
    else
        ((int32_t *)offsets)[at + 1] = (int32_t)(uint32_t)list->total;
    return true;
}

/* The elements of all selected lists; false when out of memory. */
static bool collect(run_list *list, const s3s_column *views, bool wide,
                    const s3s_selection *selection, void *offsets)
{
    size_t at = 0;
    memset(offsets, 0, wide ? 8 : 4);
    if (selection->rows != NULL) {
        for (; at < selection->count; at++)
            if (!add_list(list, views, wide, selection->rows[at].batch, selection->rows[at].row,
                          offsets, at))
                return false;
        return true;
    }
    for (size_t r = 0; r < selection->run_count; r++) {
        const s3s_run *run = &selection->runs[r];
        for (int64_t row = run->start; row < run->start + run->length; row++, at++)
            if (!add_list(list, views, wide, run->batch, row, offsets, at))
                return false;
    }
    return true;
}

static s3store_status take_elements(const s3s_take *take, const s3s_field *field,
                                    const s3s_column *views, const s3s_selection *selection,
                                    void **offsets, struct ArrowArray *child, s3store_error *err)
{
    bool wide = field->type == S3S_TYPE_LARGE_LIST;
    size_t size;
    run_list list = {.env = take->env};
    if (!s3s_mul(selection->count + 1, wide ? 8 : 4, &size))
        return s3s_fail_memory(err, SIZE_MAX);
    *offsets = s3s_alloc(take->env, size);
    s3store_status status;
    if (*offsets == NULL)
        return s3s_fail_memory(err, size);
    if (!collect(&list, views, wide, selection, *offsets)) {
        status = s3s_fail_memory(err, (list.capacity + 1) * 2 * sizeof(s3s_run));
    } else if (!wide && list.total > INT32_MAX) {
        status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                          "column \"%.200s\": %zu lists hold more elements than 32-bit offsets "
                          "reach: use smaller batches or its large type",
                          take->column, selection->count);
    } else {
        s3s_selection elements = {NULL, list.runs, list.count, (size_t)list.total};
        status = take_child(take, field, views, 0, &elements, child, err);
    }
    s3s_free(take->env, list.runs);
    return status;
}

s3store_status s3s_take_list(const s3s_take *take, const s3s_field *field,
                             const s3s_column *views, const s3s_selection *selection,
                             struct ArrowArray *out, s3store_error *err)
{
    void *buffers[2] = {NULL, NULL};
    int64_t null_count = 0;
    struct ArrowArray child = {0};
    memset(out, 0, sizeof *out);
    s3store_status status =
        s3s_take_validity(take, views, selection, &buffers[0], &null_count, err);
    if (status == S3STORE_OK)
        status = take_elements(take, field, views, selection, &buffers[1], &child, err);
    if (status == S3STORE_OK)
        return s3s_array_make(take->env, field, (int64_t)selection->count, null_count, buffers, 2,
                              &child, 1, out, err);
    s3s_free(take->env, buffers[0]);
    s3s_free(take->env, buffers[1]);
    s3s_array_release(&child);
    return status;
}
