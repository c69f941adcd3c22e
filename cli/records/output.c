#include "records/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "records/value.h"

#define TABLE_SAMPLE_ROWS 1000
#define TABLE_CELL_MAX 48

typedef struct output {
    struct ArrowArrayStream *stream;
    struct ArrowSchema schema;
    cli_value_fn *writers;
    cli_format format;
    cli_text text;
    s3store_error *err;
    bool closed;
    int64_t rows;
    bool header_done;
    size_t *widths; /* of table columns, in characters; NULL = not known yet */
    struct ArrowArray *held; /* batches that wait until the widths are known */
    size_t held_count;
    int64_t held_rows;
} output;

static s3store_status stream_failed(output *o)
{
    memset(o->err, 0, sizeof *o->err);
    if (!s3store_stream_error(o->stream, o->err)) {
        const char *text = o->stream->get_last_error(o->stream);
        o->err->status = S3STORE_IO;
        snprintf(o->err->message, sizeof o->err->message, "%s", text != NULL ? text : "failed");
    }
    return o->err->status;
}

static s3store_status out_of_memory(output *o)
{
    memset(o->err, 0, sizeof *o->err);
    o->err->status = S3STORE_OUT_OF_MEMORY;
    snprintf(o->err->message, sizeof o->err->message, "out of memory for the output");
    return S3STORE_OUT_OF_MEMORY;
}

static s3store_status write_out(output *o)
{
    if (o->text.failed)
        return out_of_memory(o);
    if (o->text.size == 0)
        return S3STORE_OK;
    size_t n = fwrite(o->text.data, 1, o->text.size, stdout);
    bool ok = n == o->text.size && fflush(stdout) == 0;
    o->text.size = 0;
    if (ok)
        return S3STORE_OK;
    if (errno == EPIPE) {
        o->closed = true;
        return S3STORE_END;
    }
    memset(o->err, 0, sizeof *o->err);
    o->err->status = S3STORE_IO;
    snprintf(o->err->message, sizeof o->err->message, "cannot write to standard output: %s",
             strerror(errno));
    clearerr(stdout); /* told once */
    return S3STORE_IO;
}

static s3store_status open_output(output *o)
{
    if (o->stream->get_schema(o->stream, &o->schema) != 0)
        return stream_failed(o);
    o->writers = calloc((size_t)o->schema.n_children + 1, sizeof *o->writers);
    if (o->writers == NULL)
        return out_of_memory(o);
    for (int64_t i = 0; i < o->schema.n_children; i++) {
        o->writers[i] = cli_value_writer(o->schema.children[i]);
        if (o->writers[i] == NULL) {
            memset(o->err, 0, sizeof *o->err);
            o->err->status = S3STORE_UNSUPPORTED;
            snprintf(o->err->message, sizeof o->err->message,
                     "column %s: its type (%s) has no text form; leave it out with --columns",
                     o->schema.children[i]->name, o->schema.children[i]->format);
            return S3STORE_UNSUPPORTED;
        }
    }
    return S3STORE_OK;
}

/* ---- jsonl and csv ------------------------------------------------------------------------------------------- */

static void print_jsonl(output *o, const struct ArrowArray *batch)
{
    for (int64_t row = batch->offset; row < batch->offset + batch->length; row++) {
        for (int64_t i = 0; i < o->schema.n_children; i++) {
            const struct ArrowSchema *f = o->schema.children[i];
            cli_text_add(&o->text, i == 0 ? "{" : ",", 1);
            cli_text_json_string(&o->text, f->name, strlen(f->name));
            cli_text_add(&o->text, ":", 1);
            if (cli_value_is_null(batch->children[i], row))
                cli_text_add(&o->text, "null", 4);
            else
                o->writers[i](&o->text, f, batch->children[i], row, CLI_STYLE_JSON);
        }
        cli_text_add(&o->text, o->schema.n_children == 0 ? "{}\n" : "}\n",
                     o->schema.n_children == 0 ? 3 : 2);
    }
}

static void print_csv(output *o, const struct ArrowArray *batch)
{
    for (int64_t row = batch->offset; row < batch->offset + batch->length; row++) {
        for (int64_t i = 0; i < o->schema.n_children; i++) {
            if (i > 0)
                cli_text_add(&o->text, ",", 1);
            if (!cli_value_is_null(batch->children[i], row))
                o->writers[i](&o->text, o->schema.children[i], batch->children[i], row,
                              CLI_STYLE_CSV);
        }
        cli_text_add(&o->text, "\n", 1);
    }
}

static void csv_header(output *o)
{
    for (int64_t i = 0; i < o->schema.n_children; i++) {
        const char *name = o->schema.children[i]->name;
        bool quote = strpbrk(name, "\",\r\n") != NULL;
        cli_text_add_string(&o->text, i > 0 ? "," : "");
        if (quote)
            cli_text_add(&o->text, "\"", 1);
        for (; *name != '\0'; name++) {
            if (*name == '"')
                cli_text_add(&o->text, "\"", 1);
            cli_text_add(&o->text, name, 1);
        }
        if (quote)
            cli_text_add(&o->text, "\"", 1);
    }
    cli_text_add(&o->text, "\n", 1);
}

/* ---- table: widths from the first rows, later texts are cut to them -------------------------------------------- */

static size_t width_of(const char *text, size_t size)
{
    size_t width = 0;
    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

/* A cell as it is shown: control characters become blanks. */
static void make_cell(output *o, cli_text *cell, const struct ArrowArray *column, int64_t i,
                      int64_t row)
{
    cell->size = 0;
    if (!cli_value_is_null(column, row))
        o->writers[i](cell, o->schema.children[i], column, row, CLI_STYLE_PLAIN);
    for (size_t k = 0; k < cell->size; k++)
        if ((unsigned char)cell->data[k] < 0x20 || cell->data[k] == 0x7f)
            cell->data[k] = ' ';
}

/* A text that is too wide is cut at a character and marked. A number is never cut: it would be another. */
static void add_cell(output *o, const char *text, size_t size, size_t width, bool number, bool last)
{
    size_t shown = width_of(text, size);
    if (shown > width && !number) {
        size_t cut = 0;
        for (size_t kept = 0; kept + 1 < width; kept++)
            do
                cut++;
            while (cut < size && ((unsigned char)text[cut] & 0xc0) == 0x80);
        cli_text_add(&o->text, text, cut);
        cli_text_add_string(&o->text, "\xe2\x80\xa6");
        shown = width;
    } else if (!number) {
        cli_text_add(&o->text, text, size);
    }
    for (size_t i = shown; i < width && !(last && !number); i++)
        cli_text_add(&o->text, " ", 1);
    if (number)
        cli_text_add(&o->text, text, size);
    cli_text_add_string(&o->text, last ? "\n" : "  ");
}

static bool measure_table(output *o)
{
    cli_text cell = {0};
    o->widths = calloc((size_t)o->schema.n_children + 1, sizeof *o->widths);
    if (o->widths == NULL)
        return false;
    for (int64_t i = 0; i < o->schema.n_children; i++) {
        size_t width = width_of(o->schema.children[i]->name, strlen(o->schema.children[i]->name));
        int64_t measured = 0;
        for (size_t b = 0; b < o->held_count; b++) {
            const struct ArrowArray *batch = &o->held[b];
            for (int64_t row = 0; row < batch->length && measured < TABLE_SAMPLE_ROWS; row++) {
                make_cell(o, &cell, batch->children[i], i, batch->offset + row);
                size_t w = width_of(cell.data, cell.size);
                width = w > width ? w : width;
                measured++;
            }
        }
        o->widths[i] = width > TABLE_CELL_MAX ? TABLE_CELL_MAX : width;
    }
    cli_text_free(&cell);
    return true;
}

static void table_header(output *o)
{
    for (int64_t i = 0; i < o->schema.n_children; i++)
        add_cell(o, o->schema.children[i]->name, strlen(o->schema.children[i]->name), o->widths[i],
                 cli_type_is_number(o->schema.children[i]), i + 1 == o->schema.n_children);
    for (int64_t i = 0; i < o->schema.n_children; i++) {
        for (size_t k = 0; k < o->widths[i]; k++)
            cli_text_add(&o->text, "-", 1);
        cli_text_add_string(&o->text, i + 1 == o->schema.n_children ? "\n" : "  ");
    }
}

static s3store_status print_rows(output *o, const struct ArrowArray *batch)
{
    cli_text cell = {0};
    for (int64_t row = batch->offset; row < batch->offset + batch->length; row++)
        for (int64_t i = 0; i < o->schema.n_children; i++) {
            make_cell(o, &cell, batch->children[i], i, row);
            add_cell(o, cell.data != NULL ? cell.data : "", cell.size, o->widths[i],
                     cli_type_is_number(o->schema.children[i]), i + 1 == o->schema.n_children);
        }
    bool failed = cell.failed;
    cli_text_free(&cell);
    return failed ? out_of_memory(o) : S3STORE_OK;
}

/* The header, and the batches that its widths were taken from. */
static s3store_status begin_table(output *o)
{
    if (!measure_table(o))
        return out_of_memory(o);
    table_header(o);
    s3store_status status = S3STORE_OK;
    for (size_t b = 0; b < o->held_count && status == S3STORE_OK; b++)
        status = print_rows(o, &o->held[b]);
    return status;
}

/* Takes the batch over while too few rows for the widths are known. */
static s3store_status print_table(output *o, struct ArrowArray *batch)
{
    if (o->widths != NULL)
        return print_rows(o, batch);
    struct ArrowArray *held = realloc(o->held, (o->held_count + 1) * sizeof *held);
    if (held == NULL)
        return out_of_memory(o);
    o->held = held;
    o->held[o->held_count++] = *batch;
    o->held_rows += batch->length;
    batch->release = NULL;
    return o->held_rows < TABLE_SAMPLE_ROWS ? S3STORE_OK : begin_table(o);
}

/* ---- the loop ------------------------------------------------------------------------------------------------------ */

static s3store_status print_batch(output *o, struct ArrowArray *batch)
{
    if (!o->header_done && o->format == CLI_FORMAT_CSV)
        csv_header(o);
    o->header_done = true;
    if (o->format == CLI_FORMAT_TABLE) {
        s3store_status status = print_table(o, batch);
        if (status != S3STORE_OK)
            return status;
    } else if (o->format == CLI_FORMAT_CSV) {
        print_csv(o, batch);
    } else {
        print_jsonl(o, batch);
    }
    return write_out(o);
}

/* What is still to be printed when the last batch was seen. */
static s3store_status finish(output *o)
{
    s3store_status status = S3STORE_OK;
    if (!o->header_done && o->format == CLI_FORMAT_CSV)
        csv_header(o);
    if (o->format == CLI_FORMAT_TABLE && o->widths == NULL)
        status = begin_table(o);
    return status == S3STORE_OK ? write_out(o) : status;
}

static s3store_status print_all(output *o)
{
    s3store_status status = open_output(o);
    while (status == S3STORE_OK) {
        struct ArrowArray batch = {0};
        if (o->stream->get_next(o->stream, &batch) != 0)
            return stream_failed(o);
        if (batch.release == NULL) {
            status = finish(o);
            break;
        }
        int64_t rows = batch.length;
        status = print_batch(o, &batch);
        o->rows += status == S3STORE_OK ? rows : 0;
        if (batch.release != NULL)
            batch.release(&batch);
    }
    return status == S3STORE_END ? S3STORE_OK : status;
}

/* A Parquet file is complete only at its end: it is made aside, then copied. */
static s3store_status print_parquet(output *o)
{
    char path[4096], buffer[65536];
    const char *dir = getenv("TMPDIR");
    if (dir == NULL || dir[0] == '\0')
        dir = "/tmp";
    memset(o->err, 0, sizeof *o->err);
    if (isatty(STDOUT_FILENO)) {
        o->err->status = S3STORE_INVALID_ARGUMENT;
        snprintf(o->err->message, sizeof o->err->message,
                 "Parquet does not go to a terminal: redirect the output to a file");
        return o->err->status;
    }
    int fd = snprintf(path, sizeof path, "%s/s3store-output-XXXXXX", dir) < (int)sizeof path
                 ? mkostemp(path, O_CLOEXEC)
                 : -1;
    if (fd < 0) {
        o->err->status = S3STORE_IO;
        snprintf(o->err->message, sizeof o->err->message,
                 "cannot create a temporary file in %.900s: %s", dir, strerror(errno));
        return o->err->status;
    }
    close(fd);
    s3store_status status =
        s3store_parquet_write_file(path, o->stream, S3STORE_COMPRESSION_DEFAULT, o->err);
    FILE *file = status == S3STORE_OK ? fopen(path, "rb") : NULL;
    while (file != NULL && status == S3STORE_OK) {
        size_t n = fread(buffer, 1, sizeof buffer, file);
        if (n == 0)
            break;
        cli_text_add(&o->text, buffer, n);
        status = write_out(o);
    }
    if (file != NULL)
        fclose(file);
    unlink(path);
    return status == S3STORE_END ? S3STORE_OK : status;
}

s3store_status cli_output_stream(struct ArrowArrayStream *stream, cli_format format, bool *closed,
                                 int64_t *rows, s3store_error *err)
{
    output o = {.stream = stream, .format = format, .err = err};
    s3store_status status = format == CLI_FORMAT_PARQUET ? print_parquet(&o) : print_all(&o);
    if (closed != NULL)
        *closed = o.closed;
    if (rows != NULL)
        *rows = o.rows;
    if (o.schema.release != NULL)
        o.schema.release(&o.schema);
    if (stream->release != NULL)
        stream->release(stream);
    free(o.writers);
    free(o.widths);
    for (size_t i = 0; i < o.held_count; i++)
        o.held[i].release(&o.held[i]);
    free(o.held);
    cli_text_free(&o.text);
    return status;
}
