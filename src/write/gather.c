/* The input piece by piece, in the types that the dataset has recorded.
 *
 * A piece is a bounded number of rows of one batch of the stream: what is held at a time is the
 * writer's choice, not the producer's.
 */
#include <stdio.h>
#include <string.h>

#include "arrow/stream.h"
#include "base/bytes.h"
#include "write/write_private.h"

#define PIECE_BYTES (4u * 1024 * 1024)
/* Besides its values: its size, and what grouping needs. */
#define HELD_ROW_BYTES (sizeof(uint32_t) + sizeof(s3s_row) + sizeof(uint32_t))

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

/* The input's schema as batches are converted from it, in memory of the writer's, not the input's: the
 * inserted-at column without values. */
static s3store_status source_schema(s3s_env *env, const s3s_schema *in, const char *inserted_at,
                                    s3s_schema **out, s3store_error *err)
{
    size_t at = inserted_at != NULL ? s3s_schema_find(in, inserted_at) : SIZE_MAX;
    s3s_schema *schema;
    s3store_status status = s3s_schema_new(env, in->field_count, &schema, err);
    *out = NULL;
    if (status != S3STORE_OK)
        return status;
    for (size_t i = 0; i < in->field_count; i++)
        if (!s3s_field_copy(&schema->arena, &in->fields[i], &schema->fields[i])) {
            s3s_schema_release(schema);
            return s3s_fail_memory(err, sizeof(s3s_field));
        }
    if (at != SIZE_MAX)
        schema->fields[at].type = S3S_TYPE_NULL;
    *out = schema;
    return S3STORE_OK;
}

static s3store_status require_column(const s3s_schema *in, const char *name, const char *what,
                                     s3store_error *err)
{
    char known[S3S_SCHEMA_NAMES_SIZE];
    if (s3s_schema_find(in, name) == SIZE_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the input has no column %s (or no value in it), which is the dataset's %s "
                        "column; it has: %s",
                        name, what, s3s_schema_names(in, known));
    return S3STORE_OK;
}

static s3store_status check_entity_type(const s3s_schema *in, const char *name, s3store_error *err)
{
    const s3s_field *f = &in->fields[s3s_schema_find(in, name)];
    char text[128];
    if (s3s_type_is_flat(f->type))
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_SCHEMA_MISMATCH,
                    "the entity column %s is %s: nested columns cannot be compared", name,
                    s3s_field_type_text(f, text, sizeof text));
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
    bool by_columns = options->partition == NULL && options->partition_of == NULL;
    for (size_t i = 0; i < settings->part_count && by_columns; i++) {
        const char *name = settings->parts[i].column;
        if (settings->inserted_at_column != NULL && strcmp(name, settings->inserted_at_column) == 0)
            continue;
        s3store_status status = require_column(in, name, "partition", err);
        if (status != S3STORE_OK)
            return status;
    }
    for (size_t i = 0; i < settings->entity_count; i++) {
        s3store_status status = require_column(in, settings->entity[i], "entity", err);
        if (status == S3STORE_OK)
            status = check_entity_type(in, settings->entity[i], err);
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

static s3store_status make_room(s3s_input *input, s3store_error *err)
{
    if (input->batch_count < input->batch_capacity)
        return S3STORE_OK;
    size_t capacity = input->batch_capacity == 0 ? 16 : input->batch_capacity * 2;
    struct ArrowArray *batches =
        s3s_realloc(input->env, input->batches, capacity * sizeof *batches);
    if (batches == NULL)
        return s3s_fail_memory(err, capacity * sizeof *batches);
    input->batches = batches;
    uint32_t **sizes = s3s_realloc(input->env, (void *)input->row_sizes, capacity * sizeof *sizes);
    if (sizes == NULL)
        return s3s_fail_memory(err, capacity * sizeof *sizes);
    input->row_sizes = sizes;
    input->batch_capacity = capacity;
    return S3STORE_OK;
}

/* A row that alone is more than the budget: nothing could be done with it. */
static s3store_status check_rows_fit(const s3s_input *input, const uint32_t *sizes, int64_t rows,
                                     s3store_error *err)
{
    uint64_t budget = input->writer->target->memory_bytes;
    for (int64_t i = 0; i < rows; i++)
        if (sizes[i] > budget || sizes[i] == UINT32_MAX)
            return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                            "row %lld of the input has %s%lu bytes, more than the memory budget of "
                            "%llu: raise memory_bytes (--memory)",
                            (long long)(input->row_count + i + 1),
                            sizes[i] == UINT32_MAX ? "at least " : "", (unsigned long)sizes[i],
                            (unsigned long long)budget);
    return S3STORE_OK;
}

/* Takes the batch over. */
static s3store_status keep_batch(s3s_input *input, struct ArrowArray *batch, s3store_error *err)
{
    s3store_status status = make_room(input, err);
    if (status != S3STORE_OK)
        return status;
    size_t size = (size_t)batch->length * sizeof(uint32_t);
    uint32_t *sizes = s3s_alloc(input->env, size);
    if (sizes == NULL)
        return s3s_fail_memory(err, size);
    s3s_row_sizes(input->schema, batch, input->skip, sizes);
    uint64_t bytes = s3s_batch_bytes(input->schema, batch);
    if (bytes > input->writer->target->memory_bytes)
        status = check_rows_fit(input, sizes, batch->length, err);
    if (status != S3STORE_OK) {
        s3s_free(input->env, sizes);
        return status;
    }
    input->row_sizes[input->batch_count] = sizes;
    input->batches[input->batch_count++] = *batch;
    input->row_count += batch->length;
    input->held_rows += batch->length;
    input->held_bytes += bytes + (uint64_t)batch->length * HELD_ROW_BYTES;
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

/* Batches of our own that are as they are to be need not be copied: nobody else has their memory. */
static bool is_ready(const s3s_input *input)
{
    return input->inserted_at == SIZE_MAX && s3s_stream_reader_is_valid(input->reader) &&
           s3s_batch_fits(input->source, input->schema);
}

/* whole: the piece may be taken over. */
static s3store_status take_piece(s3s_input *input, struct ArrowArray *piece, bool whole,
                                 s3store_error *err)
{
    struct ArrowArray converted = {0};
    char where[64] = "the input";
    if (input->row_count > 0)
        snprintf(where, sizeof where, "the input, batch that begins with row %lld",
                 (long long)input->row_count + 1);
    s3store_status status = S3STORE_OK;
    if (whole && is_ready(input)) {
        converted = *piece;
        piece->release = NULL;
    } else {
        status = s3s_batch_convert(input->env, input->source, piece, input->schema, where,
                                   &converted, err);
    }
    if (status == S3STORE_OK)
        status = fill_inserted_at(input, input->inserted_at_us, &converted, err);
    if (status == S3STORE_OK)
        status = check_keys(input, &input->writer->target->settings, &converted, err);
    if (status == S3STORE_OK)
        status = keep_batch(input, &converted, err);
    s3s_array_release(&converted);
    return status;
}

/* The next batch that has rows; END after the last. */
static s3store_status next_rows(s3s_input *input, struct ArrowArray *out, s3store_error *err)
{
    for (;;) {
        s3store_status status = s3s_call_check(input->env, input->call, err);
        if (status == S3STORE_OK)
            status = s3s_stream_reader_next(input->reader, out, err);
        if (status != S3STORE_OK || out->length > 0)
            return status;
        s3s_array_release(out);
    }
}

/* The inserted-at column, and the constant columns of a partition that the caller named. */
static s3store_status choose_skipped(s3s_input *input, s3store_error *err)
{
    const s3s_descriptor *settings = &input->writer->target->settings;
    bool named = input->options->partition != NULL;
    input->skip = s3s_calloc(input->env, input->schema->field_count + 1, sizeof *input->skip);
    if (input->skip == NULL)
        return s3s_fail_memory(err, input->schema->field_count);
    if (input->inserted_at != SIZE_MAX)
        input->skip[input->inserted_at] = true;
    for (size_t i = 0; named && i < settings->part_count; i++) {
        size_t at = s3s_schema_find(input->schema, settings->parts[i].column);
        if (at != SIZE_MAX && settings->parts[i].format == S3S_FORMAT_NONE)
            input->skip[at] = true;
    }
    return S3STORE_OK;
}

/* Those that the data files say more of. Admitting the schema keeps their positions. */
static s3store_status find_columns(s3s_input *input, s3store_error *err)
{
    const s3store_write_options *o = input->options;
    const s3s_schema *schema = input->schema;
    s3store_status status = s3s_schema_positions(input->env, schema, o->bloom_columns,
                                                 o->bloom_column_count, &input->blooms, err);
    if (status == S3STORE_OK)
        status = s3s_schema_positions(input->env, schema, o->sorting_columns,
                                      o->sorting_column_count, &input->sorting, err);
    for (size_t i = 0; status == S3STORE_OK && i < o->sorting_column_count; i++)
        if (!s3s_type_is_flat(schema->fields[input->sorting[i]].type))
            status = s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                              "rows cannot be sorted by column %s: it is nested",
                              o->sorting_columns[i]);
    return status;
}

/* What can be said of the schema alone, before the first row is converted. */
static s3store_status prepare(s3s_input *input, s3store_error *err)
{
    s3s_env *env = input->env;
    s3store_writer *writer = input->writer;
    const char *inserted_at = writer->target->settings.inserted_at_column;
    const s3s_schema *in = s3s_stream_reader_schema(input->reader);
    s3s_schema *recorded = NULL;
    uint32_t version;
    bool grown;
    s3store_status status = check_columns(writer, in, input->options, err);
    if (status == S3STORE_OK)
        status = s3s_target_schema(writer->target, input->call, false, &version, &recorded, err);
    if (status == S3STORE_OK)
        status = incoming_schema(env, in, recorded, inserted_at, &input->asked, err);
    if (status == S3STORE_OK)
        status = s3s_schema_evolve(env, recorded, input->asked, &input->schema, &grown, err);
    if (status == S3STORE_OK)
        status = source_schema(env, in, inserted_at, &input->source, err);
    if (status == S3STORE_OK && inserted_at != NULL)
        input->inserted_at = s3s_schema_find(input->schema, inserted_at);
    if (status == S3STORE_OK)
        status = choose_skipped(input, err);
    if (status == S3STORE_OK)
        status = find_columns(input, err);
    if (status == S3STORE_OK)
        input->row_width = s3s_row_width(input->schema);
    for (size_t i = 0; status == S3STORE_OK && i < input->schema->field_count; i++)
        input->has_nested |= input->schema->fields[i].child_count > 0;
    s3s_schema_release(recorded);
    return status;
}

/* Rows of a batch that are taken at a time. */
static int64_t piece_rows(const s3s_input *input, const struct ArrowArray *batch)
{
    uint64_t per_row = s3s_batch_bytes(s3s_stream_reader_schema(input->reader), batch) /
                           (uint64_t)batch->length +
                       1;
    uint64_t rows = PIECE_BYTES / per_row;
    return rows < 1 ? 1 : rows > UINT32_MAX / 2 ? UINT32_MAX / 2 : (int64_t)rows;
}

/* The next piece of the batch that pieces are taken from. */
static s3store_status slice_incoming(s3s_input *input, s3store_error *err)
{
    const struct ArrowArray *whole = s3s_shared_batch_get(input->incoming);
    struct ArrowArray slice = {0};
    int64_t rest = whole->length - input->incoming_at, rows = piece_rows(input, whole);
    if (rows > rest)
        rows = rest;
    s3store_status status = s3s_call_check(input->env, input->call, err);
    if (status == S3STORE_OK)
        status = s3s_batch_slice(input->incoming, input->incoming_at, rows, &slice, err);
    if (status == S3STORE_OK)
        status = take_piece(input, &slice, false, err);
    s3s_array_release(&slice);
    input->incoming_at += rows;
    if (status != S3STORE_OK || input->incoming_at >= whole->length) {
        s3s_shared_batch_release(input->incoming);
        input->incoming = NULL;
    }
    return status;
}

/* An input without rows is nothing to write, whatever its columns are. */
s3store_status s3s_input_next(s3s_input *input, s3store_error *err)
{
    struct ArrowArray batch = {0};
    if (input->incoming != NULL)
        return slice_incoming(input, err);
    s3store_status status = next_rows(input, &batch, err);
    if (status == S3STORE_END) { /* the producer's memory is free again */
        s3s_stream_reader_free(input->reader);
        input->reader = NULL;
    }
    if (status == S3STORE_OK && input->schema == NULL)
        status = prepare(input, err);
    if (status == S3STORE_OK && batch.length > piece_rows(input, &batch)) {
        input->incoming_at = 0;
        status = s3s_batch_share(input->env, &batch, &input->incoming, err);
        if (status == S3STORE_OK)
            status = slice_incoming(input, err);
    } else if (status == S3STORE_OK) {
        status = take_piece(input, &batch, true, err);
    }
    s3s_array_release(&batch);
    return status;
}

s3store_status s3s_input_open(s3store_writer *writer, struct ArrowArrayStream *stream,
                              const s3store_write_options *options, const s3store_call *call,
                              int64_t inserted_at_us, s3s_input *out, s3store_error *err)
{
    *out = (s3s_input){.env = writer->env,
                       .writer = writer,
                       .options = options,
                       .call = call,
                       .inserted_at_us = inserted_at_us,
                       .inserted_at = SIZE_MAX};
    return s3s_stream_reader_new(writer->env, stream, &out->reader, err);
}

void s3s_input_drop(s3s_input *input)
{
    for (size_t i = 0; i < input->batch_count; i++) {
        s3s_array_release(&input->batches[i]);
        s3s_free(input->env, input->row_sizes[i]);
    }
    input->batch_count = 0;
    input->held_rows = 0;
    input->held_bytes = 0;
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

/* Another writer was quicker and recorded other types than were seen when the first row came. What is
 * in the spill file is converted when it is read. */
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
    s3s_schema_release(input->spilled);
    input->spilled = input->schema;
    input->schema = s3s_schema_retain(types);
    return S3STORE_OK;
}

s3store_status s3s_input_admit(s3s_input *input, s3store_error *err)
{
    s3s_schema *admitted = NULL, *types = NULL;
    s3store_status status = s3s_target_admit_schema(input->writer->target, input->call,
                                                    input->asked, &admitted, err);
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
    if (input->env == NULL)
        return;
    s3s_input_drop(input);
    s3s_shared_batch_release(input->incoming);
    s3s_stream_reader_free(input->reader);
    s3s_free(input->env, input->batches);
    s3s_free(input->env, (void *)input->row_sizes);
    s3s_free(input->env, input->skip);
    s3s_free(input->env, input->blooms);
    s3s_free(input->env, input->sorting);
    s3s_schema_release(input->source);
    s3s_schema_release(input->asked);
    s3s_schema_release(input->schema);
    s3s_schema_release(input->spilled);
    memset(input, 0, sizeof *input);
}
