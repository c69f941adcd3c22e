/* dataset/view_rows.c: rows to the tuples of a view, by columns or by the caller's function. */
#include <string.h>

#include "arrow/builder.h"
#include "base/error.h"
#include "dataset/interning.h"
#include "dataset/quote.h"
#include "dataset/view.h"

#define BLOCK_RECORDS 256 /* converted at once */

/* ---- by a function --------------------------------------------------------------------------- */

/* The values of one row; what the caller's function fills. */
struct s3store_view_row {
    const s3s_view_def *def;
    char text[S3S_KEY_SIZE]; /* "c1=v1/c2=v2" so far */
    size_t size;
    size_t value_count;
    bool allow_unaddressable;
    s3store_status status; /* the first failure */
    s3store_error error;
};

void s3store_view_row_add(s3store_view_row *row, const void *data, size_t size)
{
    size_t i = row->value_count++;
    if (row->status != S3STORE_OK || i >= row->def->count)
        return;
    const char *name = row->def->names[i];
    size_t name_size = strlen(name);
    const char *value = data != NULL ? data : "";
    if (data == NULL)
        size = 0;
    row->status = s3s_value_check(name, value, size, &row->error);
    if (row->status == S3STORE_OK && !row->allow_unaddressable)
        row->status = s3s_value_addressable(name, value, size, &row->error);
    if (row->status != S3STORE_OK)
        return;
    size_t room = sizeof row->text - row->size, before = i > 0;
    if (size >= room || before + name_size + 1 + size >= room) {
        row->status = s3s_fail(&row->error, S3STORE_INVALID_ARGUMENT,
                               "its values exceed the %d bytes of a key", S3STORE_KEY_MAX_BYTES);
        return;
    }
    char *at = row->text + row->size;
    if (before > 0)
        *at++ = '/';
    memcpy(at, name, name_size);
    at[name_size] = '=';
    memcpy(at + name_size + 1, value, size);
    row->size += before + name_size + 1 + size;
}

typedef struct projecting {
    s3s_env *env;
    const s3s_view_def *def;
    s3s_tuples *out;
    s3s_text_set texts;
    size_t at; /* row of all batches */
    s3store_view_row *row;
} projecting;

static s3store_status take_tuple(projecting *p, s3store_error *err)
{
    s3s_slice text = {p->row->text, p->row->size};
    uint32_t id = s3s_text_set_find(&p->texts, text);
    if (id == S3S_NO_ID) {
        text.data = s3s_arena_strndup(&p->out->arena, text.data, text.size);
        if (text.data == NULL)
            return s3s_fail_memory(err, text.size);
        s3store_status status = s3s_text_set_add(&p->texts, text, &id, err);
        if (status != S3STORE_OK)
            return status;
    }
    p->out->ids[p->at] = id;
    return S3STORE_OK;
}

/* One record; a function that gives nothing leaves it out. */
static s3store_status project_record(projecting *p, const void *record, s3store_error *err)
{
    s3store_view_row *row = p->row;
    const s3s_view_def *def = p->def;
    s3store_error own = {0};
    row->size = row->value_count = 0;
    row->status = S3STORE_OK;
    s3store_status status = def->of(def->of_ctx, record, row, &own);
    if (status != S3STORE_OK && own.status != status) /* it said that, but not why */
        s3s_fail(&own, status, "the view's function failed: %s", s3store_status_text(status));
    if (status == S3STORE_OK && row->value_count == 0) {
        p->out->ids[p->at++] = S3S_NO_TUPLE;
        return S3STORE_OK;
    }
    if (status == S3STORE_OK && row->status != S3STORE_OK) {
        own = row->error;
        status = row->status;
    }
    if (status == S3STORE_OK && row->value_count != def->count)
        status = s3s_fail(&own, S3STORE_INVALID_ARGUMENT,
                          "the view's function gave %zu values for %zu columns", row->value_count,
                          def->count);
    if (status == S3STORE_OK)
        status = take_tuple(p, &own);
    if (status != S3STORE_OK) {
        s3s_context(&own, "row %zu", p->at + 1);
        s3s_fail_as(err, status, &own);
    }
    p->at++;
    return status;
}

static s3store_status project_records(projecting *p, const struct ArrowArray *batch,
                                      s3store_error *err)
{
    const s3store_record_type *type = &p->def->record_type;
    s3s_arena arena;
    s3store_status status = S3STORE_OK;
    uint8_t *records = s3s_calloc(p->env, BLOCK_RECORDS, type->record_size);
    if (records == NULL)
        return s3s_fail_memory(err, BLOCK_RECORDS * type->record_size);
    s3s_arena_init(&arena, p->env);
    for (int64_t at = 0; at < batch->length && status == S3STORE_OK; at += BLOCK_RECORDS) {
        int64_t left = batch->length - at;
        size_t n = left < BLOCK_RECORDS ? (size_t)left : BLOCK_RECORDS;
        memset(records, 0, n * type->record_size);
        s3s_arena_reset(&arena);
        status = s3s_batch_to_records(p->def->record_schema, batch, at, n, type, records, false,
                                      &arena, err);
        for (size_t i = 0; i < n && status == S3STORE_OK; i++)
            status = project_record(p, records + i * type->record_size, err);
    }
    s3s_arena_deinit(&arena);
    s3s_free(p->env, records);
    return status;
}

static s3store_status project_batches(projecting *p, const s3s_schema *schema,
                                      const struct ArrowArray *const *batches, size_t batch_count,
                                      s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    for (size_t b = 0; b < batch_count && status == S3STORE_OK; b++) {
        struct ArrowArray converted = {0};
        status = s3s_batch_convert(p->env, schema, batches[b], p->def->record_schema, "the rows",
                                   &converted, err);
        if (status == S3STORE_OK)
            status = project_records(p, &converted, err);
        s3s_array_release(&converted);
    }
    if (status != S3STORE_OK || p->texts.count == 0)
        return status;
    p->out->texts = s3s_calloc(p->env, p->texts.count, sizeof *p->out->texts);
    if (p->out->texts == NULL)
        return s3s_fail_memory(err, p->texts.count * sizeof *p->out->texts);
    for (size_t i = 0; i < p->texts.count; i++)
        p->out->texts[i] = p->texts.texts[i].data;
    p->out->count = p->texts.count;
    return S3STORE_OK;
}

static s3store_status by_function(s3s_env *env, const s3s_view_def *def, const s3s_schema *schema,
                                  const struct ArrowArray *const *batches, size_t batch_count,
                                  bool allow_unaddressable, s3s_tuples *out, s3store_error *err)
{
    projecting p = {.env = env, .def = def, .out = out, .texts.env = env};
    p.row = s3s_calloc(env, 1, sizeof *p.row);
    if (p.row == NULL)
        return s3s_fail_memory(err, sizeof *p.row);
    p.row->def = def;
    p.row->allow_unaddressable = allow_unaddressable;
    s3store_status status = project_batches(&p, schema, batches, batch_count, err);
    s3s_text_set_deinit(&p.texts);
    s3s_free(env, p.row);
    return status;
}

/* ---- both ------------------------------------------------------------------------------------ */

/* No row has a tuple, until some do. */
static s3store_status begin(s3s_env *env, const struct ArrowArray *const *batches,
                            size_t batch_count, s3s_tuples *out, s3store_error *err)
{
    memset(out, 0, sizeof *out);
    out->env = env;
    s3s_arena_init(&out->arena, env);
    for (size_t b = 0; b < batch_count; b++)
        out->row_count += (size_t)batches[b]->length;
    out->ids = s3s_alloc(env, out->row_count * sizeof *out->ids);
    if (out->ids == NULL)
        return s3s_fail_memory(err, out->row_count * sizeof *out->ids);
    memset(out->ids, 0xFF, out->row_count * sizeof *out->ids);
    return S3STORE_OK;
}

static bool lacks_column(const s3s_view_def *def, const s3s_schema *schema)
{
    for (size_t i = 0; i < def->count; i++)
        if (s3s_schema_find(schema, def->columns[i].column) == SIZE_MAX)
            return true;
    return false;
}

s3store_status s3s_view_project(s3s_env *env, const s3s_view_def *def, const s3s_schema *schema,
                                const struct ArrowArray *const *batches, size_t batch_count,
                                bool allow_unaddressable, s3s_tuples *out, s3store_error *err)
{
    s3store_status status;
    memset(out, 0, sizeof *out);
    if (def->of == NULL && !lacks_column(def, schema)) {
        status = s3s_tuple_batches(env, schema, batches, batch_count, def->columns, def->count,
                                   allow_unaddressable, "view column", out, err);
    } else {
        status = begin(env, batches, batch_count, out, err);
        if (status == S3STORE_OK && def->of != NULL)
            status = by_function(env, def, schema, batches, batch_count, allow_unaddressable, out,
                                 err);
    }
    if (status != S3STORE_OK) {
        s3s_tuples_deinit(out);
        s3s_context(err, "view %s", s3s_quote_text(def->name).text);
    }
    return status;
}
