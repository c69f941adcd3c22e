#include "records/input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "records/column.h"
#include "records/constants.h"
#include "records/lines.h"
#include "records/text_input.h"

static bool ends_with(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);
    return n >= m && strcasecmp(text + n - m, suffix) == 0;
}

static cli_format format_by_name(const char *path)
{
    static const struct {
        const char *suffix;
        cli_format format;
    } rows[] = {{".jsonl", CLI_FORMAT_JSONL}, {".ndjson", CLI_FORMAT_JSONL},
                {".json", CLI_FORMAT_JSONL},  {".csv", CLI_FORMAT_CSV},
                {".parquet", CLI_FORMAT_PARQUET}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (ends_with(path, rows[i].suffix))
            return rows[i].format;
    return CLI_FORMAT_AUTO;
}

/* By the name of the first file that says it; standard input without --format is JSON Lines. */
static cli_format detect_format(const char *const *paths, size_t path_count, bool *is_guess)
{
    for (size_t i = 0; i < path_count; i++) {
        cli_format format = format_by_name(paths[i]);
        if (format != CLI_FORMAT_AUTO)
            return format;
    }
    *is_guess = true;
    return CLI_FORMAT_JSONL;
}

/* ---- Parquet files one after the other ------------------------------------------------------------------- */

typedef struct parquet_input {
    struct ArrowArrayStream *streams;
    size_t count, at;
} parquet_input;

static int parquet_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    parquet_input *in = stream->private_data;
    return in->streams[0].get_schema(&in->streams[0], out);
}

static int parquet_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    parquet_input *in = stream->private_data;
    *out = (struct ArrowArray){0};
    while (in->at < in->count) {
        int code = in->streams[in->at].get_next(&in->streams[in->at], out);
        if (code != 0 || out->release != NULL)
            return code;
        in->at++;
    }
    return 0;
}

static const char *parquet_error(struct ArrowArrayStream *stream)
{
    parquet_input *in = stream->private_data;
    size_t at = in->at < in->count ? in->at : 0;
    return in->streams[at].get_last_error(&in->streams[at]);
}

static void parquet_release(struct ArrowArrayStream *stream)
{
    parquet_input *in = stream->private_data;
    for (size_t i = 0; i < in->count; i++)
        if (in->streams[i].release != NULL)
            in->streams[i].release(&in->streams[i]);
    free(in->streams);
    free(in);
    stream->release = NULL;
}

/* With all that is nested in it. */
static bool same_column(const struct ArrowSchema *a, const struct ArrowSchema *b)
{
    if (strcmp(a->name, b->name) != 0 || strcmp(a->format, b->format) != 0 ||
        a->n_children != b->n_children)
        return false;
    for (int64_t i = 0; i < a->n_children; i++)
        if (!same_column(a->children[i], b->children[i]))
            return false;
    return true;
}

static bool same_columns(struct ArrowArrayStream *a, struct ArrowArrayStream *b)
{
    struct ArrowSchema x = {0}, y = {0};
    bool same = a->get_schema(a, &x) == 0 && b->get_schema(b, &y) == 0 &&
                x.n_children == y.n_children;
    for (int64_t i = 0; same && i < x.n_children; i++)
        same = same_column(x.children[i], y.children[i]);
    if (x.release != NULL)
        x.release(&x);
    if (y.release != NULL)
        y.release(&y);
    return same;
}

static s3store_status open_parquet(parquet_input *in, const char *path,
                                   const cli_input_options *options, s3store_error *err)
{
    cli_source source = {0};
    char name[64];
    const char *from = path;
    if (strcmp(path, "-") == 0) { /* a Parquet file is read from its end */
        s3store_status status = cli_source_open(path, options, &source, err);
        if (status != S3STORE_OK)
            return status;
        snprintf(name, sizeof name, "/proc/self/fd/%d", fileno(source.file));
        from = name;
    }
    s3store_parquet_options parquet = S3STORE_PARQUET_OPTIONS_INIT;
    parquet.memory_bytes = options->memory_bytes;
    s3store_status status = s3store_parquet_read(from, &parquet, &in->streams[in->count], err);
    cli_source_close(&source); /* what was spooled lives as long as the stream has it open */
    if (status != S3STORE_OK)
        return status;
    in->count++;
    if (in->count > 1 && !same_columns(&in->streams[0], &in->streams[in->count - 1])) {
        memset(err, 0, sizeof *err);
        err->status = S3STORE_SCHEMA_MISMATCH;
        snprintf(err->message, sizeof err->message,
                 "%.900s: its columns differ from those of the first file: write it by itself",
                 path);
        return err->status;
    }
    return S3STORE_OK;
}

static s3store_status parquet_input_open(const char *const *paths, size_t path_count,
                                         const cli_input_options *options,
                                         struct ArrowArrayStream *out, s3store_error *err)
{
    parquet_input *in = calloc(1, sizeof *in);
    if (in != NULL)
        in->streams = calloc(path_count, sizeof *in->streams);
    if (in == NULL || in->streams == NULL) {
        err->status = S3STORE_OUT_OF_MEMORY;
        free(in);
        return S3STORE_OUT_OF_MEMORY;
    }
    *out = (struct ArrowArrayStream){.get_schema = parquet_schema,
                                     .get_next = parquet_next,
                                     .get_last_error = parquet_error,
                                     .release = parquet_release,
                                     .private_data = in};
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < path_count && status == S3STORE_OK; i++)
        status = open_parquet(in, paths[i], options, err);
    if (status == S3STORE_OK && path_count > 1)
        return status;
    struct ArrowArrayStream only = {0};
    if (status == S3STORE_OK) {
        /* The library knows its own stream: it need not check its batches, nor copy them. */
        only = in->streams[0];
        in->streams[0].release = NULL;
    }
    out->release(out);
    *out = only;
    return status;
}

s3store_status cli_input_open(const char *const *paths, size_t path_count,
                              const cli_input_options *options, struct ArrowArrayStream *out,
                              s3store_error *err)
{
    static const char *const standard_input[] = {"-"};
    cli_input_options own = *options;
    if (path_count == 0) {
        paths = standard_input;
        path_count = 1;
    }
    if (own.format == CLI_FORMAT_AUTO)
        own.format = detect_format(paths, path_count, &own.is_guess);
    *out = (struct ArrowArrayStream){0};
    s3store_status status = own.format == CLI_FORMAT_PARQUET
                                ? parquet_input_open(paths, path_count, &own, out, err)
                                : cli_text_input_open(paths, path_count, &own, out, err);
    if (status == S3STORE_OK && own.constant_count > 0)
        status = cli_constants_add(&own, out, err);
    return status;
}
