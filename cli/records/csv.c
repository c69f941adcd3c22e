/* CSV with a header line (RFC 4180); libcsv parses. */
#include <stdlib.h>
#include <string.h>

#include <csv.h>

#include "records/lines.h"

struct cli_csv {
    cli_source *source;
    struct csv_parser parser;
    bool has_header;
    char **names;
    size_t name_count;
    /* the record under way */
    char *text;
    size_t text_size, text_capacity;
    size_t *starts;
    cli_value *values;
    size_t count, capacity;
    cli_record_fn fn;
    void *ctx;
    s3store_status failed;
    s3store_error *err;
};

static void fail(cli_csv *p, s3store_status status, const char *text)
{
    if (p->failed == S3STORE_OK)
        p->failed = cli_source_fail(p->source, status, p->err, "%s", text);
}

static void on_field(void *data, size_t size, void *ctx)
{
    cli_csv *p = ctx;
    if (p->failed != S3STORE_OK)
        return;
    if (p->count == p->capacity) {
        size_t n = p->capacity == 0 ? 32 : p->capacity * 2;
        void *a = realloc(p->starts, n * sizeof *p->starts);
        if (a != NULL)
            p->starts = a;
        void *b = realloc(p->values, n * sizeof *p->values);
        if (b != NULL)
            p->values = b;
        if (a == NULL || b == NULL) {
            fail(p, S3STORE_OUT_OF_MEMORY, "out of memory");
            return;
        }
        p->capacity = n;
    }
    if (p->text_capacity - p->text_size < size + 1) {
        size_t n = (p->text_capacity + size + 1) * 2;
        char *text = realloc(p->text, n);
        if (text == NULL) {
            fail(p, S3STORE_OUT_OF_MEMORY, "out of memory");
            return;
        }
        p->text = text;
        p->text_capacity = n;
    }
    p->starts[p->count] = p->text_size;
    p->values[p->count] =
        (cli_value){data == NULL ? CLI_TOKEN_NULL : CLI_TOKEN_TEXT, NULL, size};
    if (data != NULL)
        memcpy(p->text + p->text_size, data, size);
    p->text[p->text_size + size] = '\0';
    p->text_size += size + 1;
    p->count++;
}

static void take_header(cli_csv *p)
{
    p->names = calloc(p->count + 1, sizeof *p->names);
    if (p->names == NULL) {
        fail(p, S3STORE_OUT_OF_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        const char *name = p->text + p->starts[i];
        if (i == 0 && strncmp(name, "\xef\xbb\xbf", 3) == 0)
            name += 3; /* a byte order mark */
        if (name[0] == '\0') {
            p->failed = cli_source_fail(p->source, S3STORE_INVALID_ARGUMENT, p->err,
                                        "column %zu has no name", i + 1);
            return;
        }
        for (size_t k = 0; k < i; k++)
            if (strcmp(p->names[k], name) == 0) {
                p->failed = cli_source_fail(p->source, S3STORE_INVALID_ARGUMENT, p->err,
                                            "two columns are named \"%s\"", name);
                return;
            }
        p->names[i] = strdup(name);
        if (p->names[i] == NULL) {
            fail(p, S3STORE_OUT_OF_MEMORY, "out of memory");
            return;
        }
        p->name_count++;
    }
    p->has_header = true;
}

static void on_row(int end, void *ctx)
{
    cli_csv *p = ctx;
    (void)end;
    if (p->failed != S3STORE_OK)
        return;
    if (!p->has_header) {
        take_header(p);
    } else if (p->count != p->name_count) {
        p->failed = cli_source_fail(p->source, S3STORE_INVALID_ARGUMENT, p->err,
                                    "the row has %zu fields, the header has %zu", p->count,
                                    p->name_count);
    } else {
        for (size_t i = 0; i < p->count; i++)
            p->values[i].text = p->text + p->starts[i];
        p->failed = p->fn(p->ctx, (const char *const *)p->names, p->values, p->count, p->err);
    }
    p->count = 0;
    p->text_size = 0;
}

static int never_space(unsigned char c)
{
    (void)c;
    return 0;
}

s3store_status cli_csv_new(cli_source *source, cli_csv **out, s3store_error *err)
{
    cli_csv *p = calloc(1, sizeof *p);
    if (p == NULL || csv_init(&p->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL |
                                              CSV_EMPTY_IS_NULL) != 0) {
        free(p);
        return cli_source_fail(source, S3STORE_OUT_OF_MEMORY, err, "out of memory");
    }
    csv_set_space_func(&p->parser, never_space); /* spaces belong to the value */
    p->source = source;
    *out = p;
    return S3STORE_OK;
}

s3store_status cli_csv_next(cli_csv *p, cli_record_fn fn, void *ctx, s3store_error *err)
{
    p->fn = fn;
    p->ctx = ctx;
    p->err = err;
    p->failed = S3STORE_OK;
    s3store_status status = cli_source_next(p->source, true, err);
    if (status == S3STORE_END) {
        if (csv_fini(&p->parser, on_field, on_row, p) != 0)
            return cli_source_fail(p->source, S3STORE_INVALID_ARGUMENT, err,
                                   "the file ends inside a quoted field");
        return p->failed != S3STORE_OK ? p->failed : S3STORE_END;
    }
    if (status != S3STORE_OK)
        return status;
    if (csv_parse(&p->parser, p->source->line, p->source->line_size, on_field, on_row, p) !=
        p->source->line_size) {
        int code = csv_error(&p->parser);
        return cli_source_fail(p->source,
                               code == CSV_ENOMEM ? S3STORE_OUT_OF_MEMORY
                                                  : S3STORE_INVALID_ARGUMENT,
                               err, "%s",
                               code == CSV_EPARSE ? "a quote inside a field is not doubled"
                                                  : csv_strerror(code));
    }
    return p->failed;
}

void cli_csv_free(cli_csv *p)
{
    if (p == NULL)
        return;
    csv_free(&p->parser);
    for (size_t i = 0; i < p->name_count; i++)
        free(p->names[i]);
    free(p->names);
    free(p->text);
    free(p->starts);
    free(p->values);
    free(p);
}
