#include "records/constants.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "records/column.h"
#include "records/types.h"

typedef struct constants {
    struct ArrowArrayStream inner;
    struct ArrowSchema added; /* the columns that are added */
    cli_value *values;
    size_t count;
    s3store_builder *builder;
    s3store_error err;
    bool own_error;
} constants;

/* Moves the children of two struct arrays, or two schemas, together. The combined parent owns the lists. */
typedef struct joined_array {
    struct ArrowArray left, right;
    struct ArrowArray **children;
} joined_array;

static void release_joined(struct ArrowArray *array)
{
    joined_array *j = array->private_data;
    j->left.release(&j->left);
    j->right.release(&j->right);
    free(j->children);
    free(j);
    array->release = NULL;
}

static int join(struct ArrowArray *left, struct ArrowArray *right, struct ArrowArray *out)
{
    static const void *no_validity[1];
    joined_array *j = calloc(1, sizeof *j);
    int64_t n = left->n_children + right->n_children;
    if (j != NULL)
        j->children = calloc((size_t)n, sizeof *j->children);
    if (j == NULL || j->children == NULL) {
        free(j);
        return ENOMEM;
    }
    j->left = *left;
    j->right = *right;
    memcpy(j->children, left->children, (size_t)left->n_children * sizeof *j->children);
    memcpy(j->children + left->n_children, right->children,
           (size_t)right->n_children * sizeof *j->children);
    *out = (struct ArrowArray){.length = left->length,
                               .n_buffers = 1,
                               .buffers = no_validity,
                               .n_children = n,
                               .children = j->children,
                               .release = release_joined,
                               .private_data = j};
    return 0;
}

static int constants_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    constants *c = stream->private_data;
    struct ArrowSchema in = {0};
    int code = c->inner.get_schema(&c->inner, &in);
    if (code != 0)
        return code;
    s3store_status status =
        s3store_schema_new((size_t)(in.n_children + c->added.n_children), out, &c->err);
    for (int64_t i = 0; i < in.n_children + c->added.n_children && status == S3STORE_OK; i++) {
        const struct ArrowSchema *f =
            i < in.n_children ? in.children[i] : c->added.children[i - in.n_children];
        status = cli_type_copy(out, f->name, f, true, &c->err);
    }
    in.release(&in);
    c->own_error = status != S3STORE_OK;
    return status == S3STORE_OK ? 0 : EINVAL;
}

static int constants_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    constants *c = stream->private_data;
    struct ArrowArray left = {0}, right = {0};
    *out = (struct ArrowArray){0};
    int code = c->inner.get_next(&c->inner, &left);
    if (code != 0 || left.release == NULL)
        return code;
    s3store_status status = S3STORE_OK;
    for (int64_t row = 0; row < left.length && status == S3STORE_OK; row++)
        for (size_t i = 0; i < c->count && status == S3STORE_OK; i++)
            status = cli_append_value(c->builder, i, c->added.children[i], &c->values[i], &c->err);
    if (status == S3STORE_OK)
        status = s3store_builder_finish(c->builder, &right, &c->err);
    c->own_error = status != S3STORE_OK;
    code = status == S3STORE_OK ? join(&left, &right, out) : EINVAL;
    if (code != 0) {
        left.release(&left);
        if (right.release != NULL)
            right.release(&right);
    }
    return code;
}

static const char *constants_error(struct ArrowArrayStream *stream)
{
    constants *c = stream->private_data;
    return c->own_error ? c->err.message : c->inner.get_last_error(&c->inner);
}

static void constants_free(constants *c)
{
    c->inner.release(&c->inner);
    if (c->added.release != NULL)
        c->added.release(&c->added);
    s3store_builder_free(c->builder);
    free(c->values);
    free(c);
}

static void constants_release(struct ArrowArrayStream *stream)
{
    constants_free(stream->private_data);
    stream->release = NULL;
}

static bool has_column(const struct ArrowSchema *schema, const char *name, const char **format)
{
    for (int64_t i = 0; schema != NULL && schema->release != NULL && i < schema->n_children; i++)
        if (strcmp(schema->children[i]->name, name) == 0) {
            *format = schema->children[i]->format;
            return true;
        }
    return false;
}

static s3store_status add_missing(const cli_input_options *options, const struct ArrowSchema *in,
                                  constants *c, s3store_error *err)
{
    s3store_status status = s3store_schema_new(options->constant_count, &c->added, err);
    for (size_t i = 0; i < options->constant_count && status == S3STORE_OK; i++) {
        const char *name = options->constant_names[i], *text = options->constant_values[i], *format;
        cli_value value = {CLI_TOKEN_TEXT, text, strlen(text)};
        cli_inference inference = {0};
        if (has_column(in, name, &format))
            continue;
        cli_infer(&inference, &value);
        if (!has_column(options->recorded, name, &format))
            format = cli_inferred_format(&inference);
        status = s3store_schema_add(&c->added, name, format, true, err);
        c->values[c->count++] = value;
    }
    return status == S3STORE_OK ? s3store_builder_new(&c->added, &c->builder, err) : status;
}

s3store_status cli_constants_add(const cli_input_options *options, struct ArrowArrayStream *stream,
                                 s3store_error *err)
{
    constants *c = calloc(1, sizeof *c);
    cli_value *values = calloc(options->constant_count, sizeof *values);
    if (c == NULL || values == NULL) {
        free(c);
        free(values);
        stream->release(stream);
        err->status = S3STORE_OUT_OF_MEMORY;
        return S3STORE_OUT_OF_MEMORY;
    }
    c->values = values;
    c->inner = *stream;
    stream->release = NULL;
    struct ArrowSchema in = {0};
    s3store_status status = S3STORE_OK;
    if (c->inner.get_schema(&c->inner, &in) != 0) {
        status = S3STORE_IO;
        err->status = status;
    } else {
        status = add_missing(options, &in, c, err);
        in.release(&in);
    }
    if (status != S3STORE_OK) {
        constants_free(c);
        return status;
    }
    *stream = (struct ArrowArrayStream){.get_schema = constants_schema,
                                        .get_next = constants_next,
                                        .get_last_error = constants_error,
                                        .release = constants_release,
                                        .private_data = c};
    return S3STORE_OK;
}
