/* Drains the input into memory, in the types that the dataset has recorded.
 *
 * The whole input is held: it must fit the memory budget.
 */
#include <stdio.h>
#include <string.h>

#include "arrow/stream.h"
#include "base/bytes.h"
#include "write/write_private.h"

/* The type of the inserted-at column: as recorded, else whole microseconds or finer. Its values
 * in the input do not count. */
static void inserted_at_type(const s3s_schema *recorded, const s3s_field *in, s3s_field *out)
{
    size_t at = recorded != NULL ? s3s_schema_find(recorded, out->name) : SIZE_MAX;
    out->type = S3S_TYPE_TIMESTAMP;
    out->unit = in != NULL && in->type == S3S_TYPE_TIMESTAMP && in->unit == S3S_NANO ? S3S_NANO
                                                                                    : S3S_MICRO;
    out->utc = true;
    if (at != SIZE_MAX && recorded->fields[at].type == S3S_TYPE_TIMESTAMP) {
        out->unit = recorded->fields[at].unit;
        out->utc = recorded->fields[at].utc;
    }
}

static s3store_status check_inserted_at(const s3s_field *f, s3store_error *err)
{
    char text[128];
    if (f->type == S3S_TYPE_TIMESTAMP || f->type == S3S_TYPE_NULL)
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_SCHEMA_MISMATCH,
                    "the inserted-at column %s is %s in the input: it must be a timestamp", f->name,
                    s3s_field_type_text(f, text, sizeof text));
}

static s3store_status fill_incoming(const s3s_schema *in, const s3s_schema *recorded,
                                    const char *inserted_at, s3s_schema *schema,
                                    s3store_error *err)
{
    const s3s_field *given = NULL;
    for (size_t i = 0; i < in->field_count; i++) {
        const s3s_field *f = &in->fields[i];
        if (inserted_at != NULL && strcmp(f->name, inserted_at) == 0)
            given = f;
        else if (f->type == S3S_TYPE_NULL)
            continue;
        s3s_field *out = &schema->fields[schema->field_count++];
        if (!s3s_field_copy(&schema->arena, f, out))
            return s3s_fail_memory(err, sizeof *f);
        out->nullable = true;
        if (f != given)
            continue;
        s3store_status status = check_inserted_at(f, err);
        if (status != S3STORE_OK)
            return status;
        inserted_at_type(recorded, f, out);
    }
    if (inserted_at == NULL || given != NULL)
        return S3STORE_OK;
    s3s_field *out = &schema->fields[schema->field_count++];
    out->name = s3s_arena_strdup(&schema->arena, inserted_at);
    if (out->name == NULL)
        return s3s_fail_memory(err, strlen(inserted_at));
    out->nullable = true;
    inserted_at_type(recorded, NULL, out);
    return S3STORE_OK;
}

/* The schema as the dataset is to see it: without columns of unknown type, with the inserted-at
 * column, every column nullable. */
static s3store_status incoming_schema(s3s_env *env, const s3s_schema *in,
                                      const s3s_schema *recorded, const char *inserted_at,
                                      s3s_schema **out, s3store_error *err)
{
    s3s_schema *schema = NULL;
    s3store_status status = s3s_schema_new(env, in->field_count + 1, &schema, err);
    if (status != S3STORE_OK)
        return status;
    schema->field_count = 0;
    status = fill_incoming(in, recorded, inserted_at, schema, err);
    if (status != S3STORE_OK) {
        s3s_schema_release(schema);
        return status;
    }
    *out = schema;
    return S3STORE_OK;
}

/* The input's schema as batches are converted from it: the inserted-at column without values. */
static s3store_status source_schema(s3s_env *env, const s3s_schema *in, const char *inserted_at,
                                    s3s_schema **out, s3store_error *err)
{
    size_t at = inserted_at != NULL ? s3s_schema_find(in, inserted_at) : SIZE_MAX;
    size_t *all = s3s_alloc(env, in->field_count * sizeof *all);
    if (all == NULL)
        return s3s_fail_memory(err, in->field_count * sizeof *all);
    for (size_t i = 0; i < in->field_count; i++)
        all[i] = i;
    s3store_status status = s3s_schema_select(in, all, in->field_count, out, err);
    s3s_free(env, all);
    if (status == S3STORE_OK && at != SIZE_MAX)
        (*out)->fields[at].type = S3S_TYPE_NULL;
    return status;
}

static s3store_status require_column(const s3s_schema *in, const char *name, const char *what,
                                     s3store_error *err)
{
    if (s3s_schema_find(in, name) == SIZE_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the input has no column %s, which is the dataset's %s column", name, what);
    return S3STORE_OK;
}

static s3store_status check_version_type(const s3s_schema *in, const char *name,
                                         s3store_error *err)
{
    const s3s_field *f = &in->fields[s3s_schema_find(in, name)];
    if (s3s_type_is_integer(f->type) || f->type == S3S_TYPE_DATE32 ||
        f->type == S3S_TYPE_TIMESTAMP || f->type == S3S_TYPE_NULL)
        return S3STORE_OK;
    char text[128];
    return s3s_fail(err, S3STORE_SCHEMA_MISMATCH,
                    "the version column %s is %s: it must be an integer, date or timestamp", name,
                    s3s_field_type_text(f, text, sizeof text));
}

static s3store_status check_columns(const s3store_writer *writer, const s3s_schema *in,
                                    const s3store_write_options *options, s3store_error *err)
{
    const s3s_descriptor *settings = &writer->target->settings;
    for (size_t i = 0; i < settings->part_count && options->partition == NULL; i++) {
        const char *name = settings->parts[i].column;
        if (settings->inserted_at_column != NULL && strcmp(name, settings->inserted_at_column) == 0)
            continue;
        s3store_status status = require_column(in, name, "partition", err);
        if (status != S3STORE_OK)
            return status;
    }
    for (size_t i = 0; i < settings->entity_count; i++) {
        s3store_status status = require_column(in, settings->entity[i], "entity", err);
        if (status != S3STORE_OK)
            return status;
    }
    if (settings->version == NULL)
        return S3STORE_OK;
    s3store_status status = require_column(in, settings->version, "version", err);
    return status == S3STORE_OK ? check_version_type(in, settings->version, err) : status;
}

/* Entity and version columns may not be null: dedup would have nothing to go by. */
static s3store_status check_no_nulls(const s3s_input *input, const struct ArrowArray *batch,
                                     const char *name, const char *what, s3store_error *err)
{
    s3s_column c;
    s3s_batch_column(input->schema, batch, s3s_schema_find(input->schema, name), &c);
    if (c.validity == NULL)
        return S3STORE_OK;
    for (int64_t i = 0; i < c.length; i++)
        if (s3s_column_is_null(&c, i))
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "row %lld: the %s column %s is null",
                            (long long)(input->row_count + i + 1), what, name);
    return S3STORE_OK;
}

static s3store_status check_keys(const s3s_input *input, const s3s_descriptor *settings,
                                 const struct ArrowArray *batch, s3store_error *err)
{
    for (size_t i = 0; i < settings->entity_count; i++) {
        s3store_status status = check_no_nulls(input, batch, settings->entity[i], "entity", err);
        if (status != S3STORE_OK)
            return status;
    }
    return settings->version == NULL
               ? S3STORE_OK
               : check_no_nulls(input, batch, settings->version, "version", err);
}

static s3store_status keep_batch(s3s_input *input, struct ArrowArray *batch, s3store_error *err)
{
    if (input->batch_count == input->batch_capacity) {
        size_t capacity = input->batch_capacity == 0 ? 16 : input->batch_capacity * 2;
        struct ArrowArray *grown =
            s3s_realloc(input->env, input->batches, capacity * sizeof *grown);
        if (grown == NULL)
            return s3s_fail_memory(err, capacity * sizeof *grown);
        input->batches = grown;
        input->batch_capacity = capacity;
    }
    input->batches[input->batch_count++] = *batch;
    batch->release = NULL;
    return S3STORE_OK;
}

/* The insertion time into every row of a batch of ours. */
static s3store_status fill_inserted_at(const s3s_input *input, int64_t inserted_at_us,
                                       struct ArrowArray *rows, s3store_error *err)
{
    static const int64_t from_micros[] = {-1000000, -1000, 1, 1000};
    size_t at = input->inserted_at;
    if (at == SIZE_MAX)
        return S3STORE_OK;
    const s3s_field *field = &input->schema->fields[at];
    int64_t value = inserted_at_us, factor = from_micros[field->unit];
    if (factor < 0)
        value = value / -factor - (value % -factor < 0);
    else if (__builtin_mul_overflow(value, factor, &value))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the insertion time %lld us does not fit column %s",
                        (long long)inserted_at_us, field->name);
    int64_t *values = s3s_alloc(input->env, (size_t)rows->length * sizeof *values);
    if (values == NULL)
        return s3s_fail_memory(err, (size_t)rows->length * sizeof *values);
    for (int64_t i = 0; i < rows->length; i++)
        values[i] = value;
    void *buffers[2] = {NULL, values};
    struct ArrowArray column = {0};
    s3store_status status = s3s_array_make(input->env, field, rows->length, 0, buffers, 2, NULL, 0,
                                           &column, err);
    if (status != S3STORE_OK)
        return status;
    s3s_array_release(rows->children[at]);
    *rows->children[at] = column;
    return S3STORE_OK;
}

/* ---- the batches ----------------------------------------------------------------------------- */

typedef struct gathering {
    s3store_writer *writer;
    const s3store_call *call;
    int64_t inserted_at_us;
    s3s_stream_reader *reader;
    s3s_schema *source;
    s3s_input *input;
} gathering;

static s3store_status check_size(const gathering *g, int64_t rows, s3store_error *err)
{
    uint64_t budget = g->writer->target->memory_bytes;
    if (g->input->byte_count <= budget && rows <= UINT32_MAX &&
        g->input->batch_count < UINT32_MAX)
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                    "the input is larger than the memory budget of %llu bytes: write it in parts, "
                    "or raise memory_bytes (--memory)",
                    (unsigned long long)budget);
}

/* Takes one batch of the stream into the input, converted. */
static s3store_status take_batch(gathering *g, const struct ArrowArray *batch, s3store_error *err)
{
    s3s_input *input = g->input;
    struct ArrowArray converted = {0};
    char where[64] = "the input";
    if (input->row_count > 0)
        snprintf(where, sizeof where, "the input, batch that begins with row %lld",
                 (long long)input->row_count + 1);
    s3store_status status = s3s_batch_convert(g->writer->env, g->source, batch, input->schema,
                                              where, &converted, err);
    if (status != S3STORE_OK)
        return status;
    int64_t rows = converted.length;
    input->byte_count += s3s_batch_bytes(input->schema, &converted);
    status = check_size(g, rows, err);
    if (status == S3STORE_OK)
        status = fill_inserted_at(input, g->inserted_at_us, &converted, err);
    if (status == S3STORE_OK)
        status = check_keys(input, &g->writer->target->settings, &converted, err);
    if (status == S3STORE_OK)
        status = keep_batch(input, &converted, err);
    if (status == S3STORE_OK)
        input->row_count += rows;
    s3s_array_release(&converted);
    return status;
}

/* The next batch that has rows; END after the last. */
static s3store_status next_rows(const gathering *g, struct ArrowArray *out, s3store_error *err)
{
    for (;;) {
        s3store_status status = s3s_call_check(g->writer->env, g->call, err);
        if (status == S3STORE_OK)
            status = s3s_stream_reader_next(g->reader, out, err);
        if (status != S3STORE_OK || out->length > 0)
            return status;
        s3s_array_release(out);
    }
}

/* What can be said of the schema alone, before the first row is converted. */
static s3store_status prepare(gathering *g, const s3store_write_options *options,
                              s3store_error *err)
{
    s3s_env *env = g->writer->env;
    s3s_input *input = g->input;
    const char *inserted_at = g->writer->target->settings.inserted_at_column;
    const s3s_schema *in = s3s_stream_reader_schema(g->reader);
    s3s_schema *recorded = NULL;
    uint32_t version;
    bool grown;
    s3store_status status = check_columns(g->writer, in, options, err);
    if (status == S3STORE_OK)
        status = s3s_target_schema(g->writer->target, g->call, false, &version, &recorded, err);
    if (status == S3STORE_OK)
        status = incoming_schema(env, in, recorded, inserted_at, &input->incoming, err);
    if (status == S3STORE_OK)
        status = s3s_schema_evolve(env, recorded, input->incoming, &input->schema, &grown, err);
    if (status == S3STORE_OK)
        status = source_schema(env, in, inserted_at, &g->source, err);
    if (status == S3STORE_OK && inserted_at != NULL)
        input->inserted_at = s3s_schema_find(input->schema, inserted_at);
    s3s_schema_release(recorded);
    return status;
}

/* An input without rows is nothing to write, whatever its columns are. */
s3store_status s3s_input_gather(s3store_writer *writer, struct ArrowArrayStream *stream,
                                const s3store_write_options *options, const s3store_call *call,
                                int64_t inserted_at_us, s3s_input *out, s3store_error *err)
{
    struct ArrowArray batch = {0};
    gathering g = {
        .writer = writer, .call = call, .inserted_at_us = inserted_at_us, .input = out};
    memset(out, 0, sizeof *out);
    out->env = writer->env;
    out->inserted_at = SIZE_MAX;
    s3store_status status = s3s_stream_reader_new(writer->env, stream, &g.reader, err);
    if (status != S3STORE_OK)
        return status;
    status = next_rows(&g, &batch, err);
    if (status == S3STORE_OK)
        status = prepare(&g, options, err);
    while (status == S3STORE_OK) {
        status = take_batch(&g, &batch, err);
        s3s_array_release(&batch);
        if (status == S3STORE_OK)
            status = next_rows(&g, &batch, err);
    }
    if (status == S3STORE_END)
        status = S3STORE_OK;
    s3s_array_release(&batch);
    s3s_schema_release(g.source);
    s3s_stream_reader_free(g.reader);
    if (status != S3STORE_OK)
        s3s_input_deinit(out);
    return status;
}

/* ---- recording the schema -------------------------------------------------------------------- */

/* The columns of the input in the types of an admitted schema. NULL: they are the same. */
static s3store_status admitted_types(const s3s_input *input, const s3s_schema *admitted,
                                     s3s_schema **out, s3store_error *err)
{
    const s3s_schema *own = input->schema;
    size_t *columns = s3s_alloc(input->env, own->field_count * sizeof *columns);
    bool same = true;
    s3store_status status = S3STORE_OK;
    *out = NULL;
    if (columns == NULL)
        return s3s_fail_memory(err, own->field_count * sizeof *columns);
    for (size_t i = 0; i < own->field_count && status == S3STORE_OK; i++) {
        columns[i] = s3s_schema_find(admitted, own->fields[i].name);
        if (columns[i] == SIZE_MAX)
            status = s3s_fail(err, S3STORE_INTERNAL, "column %s was not admitted",
                              own->fields[i].name);
        else
            same = same && s3s_field_same_type(&own->fields[i], &admitted->fields[columns[i]]);
    }
    if (status == S3STORE_OK && !same)
        status = s3s_schema_select(admitted, columns, own->field_count, out, err);
    s3s_free(input->env, columns);
    return status;
}

/* Another writer was quicker and recorded other types than were seen when the input was
 * gathered. */
static s3store_status convert_again(s3s_input *input, s3s_schema *types, s3store_error *err)
{
    for (size_t i = 0; i < input->batch_count; i++) {
        struct ArrowArray converted = {0};
        s3store_status status = s3s_batch_convert(input->env, input->schema, &input->batches[i],
                                                  types, "the input", &converted, err);
        if (status != S3STORE_OK)
            return status;
        s3s_array_release(&input->batches[i]);
        input->batches[i] = converted;
    }
    s3s_schema_release(input->schema);
    input->schema = s3s_schema_retain(types);
    return S3STORE_OK;
}

s3store_status s3s_input_admit(s3store_writer *writer, const s3store_call *call, s3s_input *input,
                               s3store_error *err)
{
    s3s_schema *admitted = NULL, *types = NULL;
    s3store_status status =
        s3s_target_admit_schema(writer->target, call, input->incoming, &admitted, err);
    if (status == S3STORE_OK)
        status = admitted_types(input, admitted, &types, err);
    if (status == S3STORE_OK && types != NULL)
        status = convert_again(input, types, err);
    s3s_schema_release(types);
    s3s_schema_release(admitted);
    return status;
}

void s3s_input_deinit(s3s_input *input)
{
    for (size_t i = 0; i < input->batch_count; i++)
        s3s_array_release(&input->batches[i]);
    s3s_free(input->env, input->batches);
    s3s_schema_release(input->incoming);
    s3s_schema_release(input->schema);
    memset(input, 0, sizeof *input);
}
