#include "records/text_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "records/types.h"

#define BATCH_ROWS 65536
#define BATCH_BYTES (8u * 1024 * 1024)
#define COLUMNS_MAX 10000
#define PROGRESS_RECORDS 4096

typedef struct text_column {
    char *name;
    cli_inference inference;
    size_t target; /* in the schema, SIZE_MAX = only nulls */
} text_column;

/* A parser of either format. */
typedef struct parser {
    cli_jsonl *jsonl;
    cli_csv *csv;
} parser;

typedef struct text_input {
    cli_input_options options;
    cli_source *sources;
    size_t source_count;
    text_column *columns;
    size_t column_count, column_capacity;
    struct ArrowSchema schema;
    uint64_t record_count;
    /* streaming */
    s3store_builder *builder;
    size_t source_at;
    parser parser;
    uint64_t row_mark; /* to see which columns a record lacks */
    uint64_t *seen;    /* by schema column: the last record that had it */
    s3store_error err;
    bool failed;
} text_input;

static s3store_status out_of_memory(s3store_error *err)
{
    memset(err, 0, sizeof *err);
    err->status = S3STORE_OUT_OF_MEMORY;
    strcpy(err->message, "out of memory");
    return S3STORE_OUT_OF_MEMORY;
}

static s3store_status parser_open(const text_input *in, cli_source *source, parser *p,
                                  s3store_error *err)
{
    return in->options.format == CLI_FORMAT_CSV ? cli_csv_new(source, &p->csv, err)
                                                : cli_jsonl_new(source, &p->jsonl, err);
}

static s3store_status parser_next(parser *p, cli_record_fn fn, void *ctx, s3store_error *err)
{
    return p->csv != NULL ? cli_csv_next(p->csv, fn, ctx, err)
                          : cli_jsonl_next(p->jsonl, fn, ctx, err);
}

static void parser_close(parser *p)
{
    cli_csv_free(p->csv);
    cli_jsonl_free(p->jsonl);
    *p = (parser){0};
}

/* ---- first pass: columns and what their values have in common -------------------------------------------- */

/* Records mostly have the same members in the same order: guess, then search. */
static text_column *find_column(text_input *in, const char *name, size_t guess)
{
    if (guess < in->column_count && strcmp(in->columns[guess].name, name) == 0)
        return &in->columns[guess];
    for (size_t i = 0; i < in->column_count; i++)
        if (strcmp(in->columns[i].name, name) == 0)
            return &in->columns[i];
    return NULL;
}

static s3store_status infer_record(void *ctx, const char *const *names, const cli_value *values,
                                   size_t count, s3store_error *err)
{
    text_input *in = ctx;
    for (size_t i = 0; i < count; i++) {
        text_column *c = find_column(in, names[i], i);
        if (c == NULL) {
            if (in->column_count == COLUMNS_MAX)
                return cli_source_fail(&in->sources[in->source_at], S3STORE_LIMIT_EXCEEDED, err,
                                       "more than %d columns", COLUMNS_MAX);
            if (in->column_count == in->column_capacity) {
                size_t n = in->column_capacity == 0 ? 32 : in->column_capacity * 2;
                text_column *grown = realloc(in->columns, n * sizeof *grown);
                if (grown == NULL)
                    return out_of_memory(err);
                in->columns = grown;
                in->column_capacity = n;
            }
            c = &in->columns[in->column_count];
            *c = (text_column){.name = strdup(names[i]), .target = SIZE_MAX};
            if (c->name == NULL)
                return out_of_memory(err);
            in->column_count++;
        }
        cli_infer(&c->inference, &values[i]);
    }
    in->record_count++;
    if (in->options.progress != NULL && in->record_count % PROGRESS_RECORDS == 0)
        in->options.progress(in->options.progress_ctx, 0, in->record_count);
    return S3STORE_OK;
}

/* What nobody called JSON Lines must look like it: else the message would be about its syntax. */
static s3store_status check_guess(const cli_source *source, s3store_error *err)
{
    char first[4];
    size_t size = fread(first, 1, sizeof first, source->file);
    rewind(source->file);
    bool parquet = size == sizeof first && memcmp(first, "PAR1", sizeof first) == 0;
    if (size == 0 || (!parquet && memchr("{[ \t\r\n\xEF", first[0], 7) != NULL))
        return S3STORE_OK;
    return cli_source_fail(source, S3STORE_INVALID_ARGUMENT, err,
                           parquet ? "this is Parquet: say --format parquet"
                                   : "this is not JSON Lines, which begin with '{': say --format csv "
                                     "if it is CSV");
}

static s3store_status infer_all(text_input *in, s3store_error *err)
{
    for (in->source_at = 0; in->source_at < in->source_count; in->source_at++) {
        parser p = {0};
        s3store_status status = parser_open(in, &in->sources[in->source_at], &p, err);
        while (status == S3STORE_OK)
            status = parser_next(&p, infer_record, in, err);
        parser_close(&p);
        if (status != S3STORE_END)
            return status;
        status = cli_source_rewind(&in->sources[in->source_at], err);
        if (status != S3STORE_OK)
            return status;
    }
    in->source_at = 0;
    if (in->options.progress != NULL)
        in->options.progress(in->options.progress_ctx, 0, in->record_count);
    return S3STORE_OK;
}

/* ---- types: --types, then what is recorded unless the input widens it, then what was inferred ------------- */

static const struct ArrowSchema *recorded_column(const text_input *in, const char *name)
{
    const struct ArrowSchema *r = in->options.recorded;
    for (int64_t i = 0; r != NULL && r->release != NULL && i < r->n_children; i++)
        if (strcmp(r->children[i]->name, name) == 0)
            return r->children[i];
    return NULL;
}

/* Whether values of the inferred type need a wider one than is recorded. The dataset decides then; any
 * other difference is found where the first such value stands. */
static bool widens(const struct ArrowSchema *recorded, const cli_inference *inference)
{
    switch (cli_type_of(recorded)) {
    case CLI_TYPE_INT:
    case CLI_TYPE_UINT:
        return inference->type == CLI_TYPE_FLOAT ||
               (inference->type == CLI_TYPE_INT && recorded->format[0] != 'l' &&
                recorded->format[0] != 'L');
    case CLI_TYPE_TIMESTAMP:
        return inference->type == CLI_TYPE_TIMESTAMP && inference->nanos &&
               recorded->format[2] != 'n';
    default:
        return false;
    }
}

static s3store_status add_column(text_input *in, text_column *c, size_t *at, s3store_error *err)
{
    const char *type = NULL;
    for (size_t i = 0; i < in->options.type_count && type == NULL; i++) {
        char name[256];
        const char *wanted;
        s3store_status status =
            cli_type_parse(in->options.types[i], name, sizeof name, &wanted, err);
        if (status != S3STORE_OK)
            return status;
        if (strcmp(name, c->name) == 0)
            type = wanted;
    }
    const struct ArrowSchema *recorded = recorded_column(in, c->name);
    s3store_status status;
    if (type != NULL) {
        status = cli_type_add(&in->schema, c->name, type, err);
    } else if (recorded != NULL && !widens(recorded, &c->inference)) {
        status = cli_type_copy(&in->schema, c->name, recorded, true, err);
    } else {
        const char *format = cli_inferred_format(&c->inference);
        if (format == NULL)
            return S3STORE_OK; /* null everywhere: left out until its type is known */
        status = s3store_schema_add(&in->schema, c->name, format, true, err);
        if (status == S3STORE_OK && c->inference.type == CLI_TYPE_JSON)
            status = s3store_schema_set_extension(&in->schema, *at, "arrow.json", err);
    }
    if (status == S3STORE_OK)
        c->target = (*at)++;
    return status;
}

static s3store_status check_types_used(const text_input *in, s3store_error *err)
{
    for (size_t i = 0; i < in->options.type_count; i++) {
        char name[256];
        const char *type;
        bool found = false;
        s3store_status status = cli_type_parse(in->options.types[i], name, sizeof name, &type, err);
        if (status != S3STORE_OK)
            return status;
        for (size_t k = 0; k < in->column_count && !found; k++)
            found = strcmp(in->columns[k].name, name) == 0;
        if (!found && in->column_count > 0) {
            memset(err, 0, sizeof *err);
            err->status = S3STORE_INVALID_ARGUMENT;
            snprintf(err->message, sizeof err->message, "--types: the input has no column %s",
                     name);
            return err->status;
        }
    }
    return S3STORE_OK;
}

static s3store_status decide_schema(text_input *in, s3store_error *err)
{
    size_t at = 0;
    s3store_status status = check_types_used(in, err);
    if (status == S3STORE_OK)
        status = s3store_schema_new(in->column_count, &in->schema, err);
    for (size_t i = 0; i < in->column_count && status == S3STORE_OK; i++)
        status = add_column(in, &in->columns[i], &at, err);
    if (status == S3STORE_OK)
        in->seen = calloc(at + 1, sizeof *in->seen);
    if (status == S3STORE_OK && in->seen == NULL)
        status = out_of_memory(err);
    return status == S3STORE_OK ? s3store_builder_new(&in->schema, &in->builder, err) : status;
}

/* ---- second pass: the stream ---------------------------------------------------------------------------------- */

static s3store_status append_record(void *ctx, const char *const *names, const cli_value *values,
                                    size_t count, s3store_error *err)
{
    text_input *in = ctx;
    in->row_mark++;
    for (size_t i = 0; i < count; i++) {
        const text_column *c = find_column(in, names[i], i);
        if (c == NULL)
            return cli_source_fail(&in->sources[in->source_at], S3STORE_INVALID_ARGUMENT, err,
                                   "column %s appeared while the file was read: it changed",
                                   names[i]);
        if (c->target == SIZE_MAX)
            continue;
        s3store_error why = {0};
        s3store_status status = cli_append_value(
            in->builder, c->target, in->schema.children[c->target], &values[i], &why);
        if (status != S3STORE_OK)
            return cli_source_fail(&in->sources[in->source_at], status, err, "column %s: %s",
                                   names[i], why.message);
        in->seen[c->target] = in->row_mark;
    }
    for (int64_t i = 0; i < in->schema.n_children; i++)
        if (in->seen[i] != in->row_mark) {
            s3store_status status = s3store_builder_append_null(in->builder, (size_t)i, err);
            if (status != S3STORE_OK)
                return status;
        }
    return S3STORE_OK;
}

static s3store_status fill_batch(text_input *in, s3store_error *err)
{
    while (in->source_at < in->source_count &&
           s3store_builder_rows(in->builder) < BATCH_ROWS &&
           s3store_builder_bytes(in->builder) < BATCH_BYTES) {
        s3store_status status = S3STORE_OK;
        if (in->parser.csv == NULL && in->parser.jsonl == NULL)
            status = parser_open(in, &in->sources[in->source_at], &in->parser, err);
        if (status == S3STORE_OK)
            status = parser_next(&in->parser, append_record, in, err);
        if (status == S3STORE_END) {
            parser_close(&in->parser);
            in->source_at++;
        } else if (status != S3STORE_OK) {
            return status;
        }
    }
    return S3STORE_OK;
}

static void input_free(text_input *in)
{
    parser_close(&in->parser);
    for (size_t i = 0; i < in->source_count; i++)
        cli_source_close(&in->sources[i]);
    for (size_t i = 0; i < in->column_count; i++)
        free(in->columns[i].name);
    s3store_builder_free(in->builder);
    if (in->schema.release != NULL)
        in->schema.release(&in->schema);
    free(in->seen);
    free(in->columns);
    free(in->sources);
    free(in);
}

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    text_input *in = stream->private_data;
    s3store_status status = s3store_schema_new((size_t)in->schema.n_children, out, &in->err);
    for (int64_t i = 0; i < in->schema.n_children && status == S3STORE_OK; i++) {
        const struct ArrowSchema *c = in->schema.children[i];
        status = cli_type_copy(out, c->name, c, true, &in->err);
    }
    return status == S3STORE_OK ? 0 : ENOMEM;
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    text_input *in = stream->private_data;
    *out = (struct ArrowArray){0};
    if (in->failed)
        return EINVAL;
    s3store_status status = fill_batch(in, &in->err);
    if (status == S3STORE_OK && s3store_builder_rows(in->builder) > 0)
        status = s3store_builder_finish(in->builder, out, &in->err);
    in->failed = status != S3STORE_OK;
    if (!in->failed)
        return 0;
    return status == S3STORE_CANCELLED ? ECANCELED : status == S3STORE_IO ? EIO : EINVAL;
}

static const char *stream_error(struct ArrowArrayStream *stream)
{
    return ((text_input *)stream->private_data)->err.message;
}

static void stream_release(struct ArrowArrayStream *stream)
{
    input_free(stream->private_data);
    stream->release = NULL;
}

s3store_status cli_text_input_open(const char *const *paths, size_t path_count,
                                   const cli_input_options *options, struct ArrowArrayStream *out,
                                   s3store_error *err)
{
    text_input *in = calloc(1, sizeof *in);
    if (in == NULL)
        return out_of_memory(err);
    in->options = *options;
    in->sources = calloc(path_count, sizeof *in->sources);
    s3store_status status = in->sources == NULL ? out_of_memory(err) : S3STORE_OK;
    for (size_t i = 0; i < path_count && status == S3STORE_OK; i++) {
        in->source_count = i + 1;
        status = cli_source_open(paths[i], options, &in->sources[i], err);
    }
    if (status == S3STORE_OK && options->is_guess)
        status = check_guess(&in->sources[0], err);
    if (status == S3STORE_OK)
        status = infer_all(in, err);
    if (status == S3STORE_OK)
        status = decide_schema(in, err);
    if (status != S3STORE_OK) {
        input_free(in);
        return status;
    }
    *out = (struct ArrowArrayStream){.get_schema = stream_schema,
                                     .get_next = stream_next,
                                     .get_last_error = stream_error,
                                     .release = stream_release,
                                     .private_data = in};
    return S3STORE_OK;
}
