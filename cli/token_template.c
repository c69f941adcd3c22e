#include "token_template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/value.h"

static s3store_status fail(s3store_error *err, const char *format, const char *text, size_t size)
{
    memset(err, 0, sizeof *err);
    err->status = S3STORE_INVALID_ARGUMENT;
    snprintf(err->message, sizeof err->message, format, (int)size, text);
    return S3STORE_INVALID_ARGUMENT;
}

static s3store_status add_column(cli_text *out, const char *name, size_t size,
                                 const struct ArrowSchema *schema, const struct ArrowArray *rows,
                                 int64_t row, s3store_error *err)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *f = schema->children[i];
        if (strlen(f->name) != size || strncmp(f->name, name, size) != 0)
            continue;
        cli_value_fn write = cli_value_writer(f);
        if (write == NULL || cli_value_is_null(rows->children[i], row))
            return fail(err, "--token-template: column %.*s is null or has no text form", name,
                        size);
        write(out, f, rows->children[i], row, CLI_STYLE_PLAIN);
        return S3STORE_OK;
    }
    return fail(err, "--token-template: there is no column %.*s", name, size);
}

static s3store_status expand(const char *at, const struct ArrowSchema *schema,
                             const struct ArrowArray *rows, int64_t row, cli_text *out,
                             s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    out->size = 0;
    while (*at != '\0' && status == S3STORE_OK) {
        size_t plain = strcspn(at, "{}");
        cli_text_add(out, at, plain);
        at += plain;
        if (*at == '\0')
            break;
        size_t name = *at == '{' ? strcspn(at + 1, "{}") : 0;
        if (*at == '}' || at[1 + name] != '}')
            return fail(err, "--token-template: unbalanced braces at %.*s", at, strlen(at));
        status = add_column(out, at + 1, name, schema, rows, row, err);
        at += name + 2;
    }
    cli_text_add(out, "", 1);
    return status;
}

s3store_status cli_token_of(void *ctx, const char *partition, const struct ArrowSchema *schema,
                            const struct ArrowArray *rows, char *token, size_t token_size,
                            s3store_error *err)
{
    const cli_token_template *t = ctx;
    cli_text first = {0}, other = {0};
    s3store_error ignored;
    if (err == NULL)
        err = &ignored;
    int64_t end = rows->offset + rows->length;
    s3store_status status = expand(t->text, schema, rows, rows->offset, &first, err);
    for (int64_t row = rows->offset + 1; row < end && status == S3STORE_OK; row++) {
        status = expand(t->text, schema, rows, row, &other, err);
        if (status == S3STORE_OK && !other.failed && strcmp(first.data, other.data) != 0)
            status = fail(err, "--token-template: the rows of %.*s give different tokens",
                          partition, strlen(partition));
    }
    if (status == S3STORE_OK && (first.failed || other.failed)) {
        err->status = S3STORE_OUT_OF_MEMORY;
        status = S3STORE_OUT_OF_MEMORY;
    }
    if (status == S3STORE_OK && first.size > token_size)
        status = fail(err, "--token-template: the token is too long: %.*s", first.data, first.size);
    if (status == S3STORE_OK)
        memcpy(token, first.data, first.size);
    cli_text_free(&first);
    cli_text_free(&other);
    return status;
}
