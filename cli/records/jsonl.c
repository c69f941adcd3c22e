/* JSON Lines: one object a line; yajl parses, nested values are kept as their text. */
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "records/lines.h"

#define FIELDS_MAX 10000

typedef struct pending_value {
    cli_token token;
    size_t text_at, size; /* in the text area */
} pending_value;

struct cli_jsonl {
    cli_source *source;
    yajl_handle handle;
    int depth;            /* 1 = inside the record */
    size_t nested_start;  /* offset of a nested value's first byte in the line */
    bool complete;
    /* The record's names and values; their texts, each NUL-terminated, in one area. */
    char *text;
    size_t text_size, text_capacity;
    size_t *names;
    pending_value *values;
    const char **name_texts;
    cli_value *value_texts;
    size_t count, capacity;
    const char *problem; /* what a callback found wrong */
};

static bool add_text(cli_jsonl *p, const void *data, size_t size, size_t *at)
{
    if (p->text_capacity - p->text_size < size + 1) {
        size_t capacity = (p->text_capacity + size + 1) * 2;
        char *text = realloc(p->text, capacity);
        if (text == NULL) {
            p->problem = "out of memory";
            return false;
        }
        p->text = text;
        p->text_capacity = capacity;
    }
    *at = p->text_size;
    memcpy(p->text + p->text_size, data, size);
    p->text[p->text_size + size] = '\0';
    p->text_size += size + 1;
    return true;
}

static bool grow_fields(cli_jsonl *p)
{
    if (p->count < p->capacity)
        return true;
    if (p->capacity >= FIELDS_MAX) {
        p->problem = "too many members";
        return false;
    }
    size_t n = p->capacity == 0 ? 32 : p->capacity * 2;
    void *a = realloc(p->names, n * sizeof *p->names);
    if (a != NULL)
        p->names = a;
    void *b = realloc(p->values, n * sizeof *p->values);
    if (b != NULL)
        p->values = b;
    void *c = realloc(p->name_texts, n * sizeof *p->name_texts);
    if (c != NULL)
        p->name_texts = c;
    void *d = realloc(p->value_texts, n * sizeof *p->value_texts);
    if (d != NULL)
        p->value_texts = d;
    if (a == NULL || b == NULL || c == NULL || d == NULL) {
        p->problem = "out of memory";
        return false;
    }
    p->capacity = n;
    return true;
}

/* A scalar inside the record; deeper ones belong to a nested value's text. */
static int add_value(cli_jsonl *p, cli_token token, const void *data, size_t size)
{
    if (p->depth > 1)
        return 1;
    if (p->depth == 0) {
        p->problem = "the line is not a JSON object";
        return 0;
    }
    pending_value *v = &p->values[p->count];
    v->token = token;
    v->size = size;
    if (!add_text(p, data, size, &v->text_at))
        return 0;
    p->count++;
    return 1;
}

static int on_null(void *ctx)
{
    return add_value(ctx, CLI_TOKEN_NULL, "null", 4);
}

static int on_bool(void *ctx, int value)
{
    return value ? add_value(ctx, CLI_TOKEN_BOOL, "true", 4)
                 : add_value(ctx, CLI_TOKEN_BOOL, "false", 5);
}

static int on_number(void *ctx, const char *text, size_t size)
{
    return add_value(ctx, CLI_TOKEN_NUMBER, text, size);
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
    return add_value(ctx, CLI_TOKEN_STRING, text, size);
}

static int on_key(void *ctx, const unsigned char *text, size_t size)
{
    cli_jsonl *p = ctx;
    if (p->depth > 1)
        return 1;
    if (size == 0 || memchr(text, 0, size) != NULL) {
        p->problem = size == 0 ? "a member has an empty name" : "a member's name contains NUL";
        return 0;
    }
    return grow_fields(p) && add_text(p, text, size, &p->names[p->count]);
}

static int on_open(void *ctx)
{
    cli_jsonl *p = ctx;
    if (p->depth == 1)
        p->nested_start = yajl_get_bytes_consumed(p->handle) - 1;
    if (p->depth == 0 && p->complete) {
        p->problem = "more than one object on the line";
        return 0;
    }
    p->depth++;
    if (p->depth > 64) {
        p->problem = "values are nested too deeply";
        return 0;
    }
    return 1;
}

static int on_open_array(void *ctx)
{
    cli_jsonl *p = ctx;
    if (p->depth == 0) {
        p->problem = "the line is a JSON array; each line must be an object "
                     "(jq -c '.[]' makes them)";
        return 0;
    }
    return on_open(ctx);
}

static int on_close(void *ctx)
{
    cli_jsonl *p = ctx;
    p->depth--;
    if (p->depth == 0)
        p->complete = true;
    if (p->depth != 1)
        return 1;
    size_t end = yajl_get_bytes_consumed(p->handle);
    return add_value(p, CLI_TOKEN_NESTED, p->source->line + p->nested_start,
                     end - p->nested_start);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_open,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_open_array,
    .yajl_end_array = on_close,
};

s3store_status cli_jsonl_new(cli_source *source, cli_jsonl **out, s3store_error *err)
{
    *out = calloc(1, sizeof **out);
    if (*out != NULL) {
        (*out)->source = source;
        (*out)->handle = yajl_alloc(&callbacks, NULL, *out);
    }
    if (*out == NULL || (*out)->handle == NULL) {
        free(*out);
        *out = NULL;
        return cli_source_fail(source, S3STORE_OUT_OF_MEMORY, err, "out of memory");
    }
    yajl_config((*out)->handle, yajl_allow_multiple_values, 1);
    return S3STORE_OK;
}

void cli_jsonl_free(cli_jsonl *p)
{
    if (p == NULL)
        return;
    yajl_free(p->handle);
    free(p->text);
    free(p->names);
    free(p->values);
    free(p->name_texts);
    free(p->value_texts);
    free(p);
}

static s3store_status syntax_error(cli_jsonl *p, s3store_error *err)
{
    if (p->problem != NULL)
        return cli_source_fail(p->source, S3STORE_INVALID_ARGUMENT, err, "%s", p->problem);
    size_t column = yajl_get_bytes_consumed(p->handle) + 1;
    unsigned char *text = yajl_get_error(p->handle, 0, NULL, 0);
    size_t size = text != NULL ? strcspn((char *)text, "\n") : 0;
    cli_source_fail(p->source, S3STORE_INVALID_ARGUMENT, err, "column %zu: %.*s", column, (int)size,
                    text != NULL ? (char *)text : "");
    if (text != NULL)
        yajl_free_error(p->handle, text);
    return S3STORE_INVALID_ARGUMENT;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names twice in one object leave it open which value counts. */
static s3store_status check_distinct(cli_jsonl *p, s3store_error *err)
{
    const char *few[64];
    const char **sorted = p->count <= 64 ? few : malloc(p->count * sizeof *sorted);
    if (sorted == NULL)
        return cli_source_fail(p->source, S3STORE_OUT_OF_MEMORY, err, "out of memory");
    memcpy(sorted, p->name_texts, p->count * sizeof *sorted);
    qsort(sorted, p->count, sizeof *sorted, compare_texts);
    s3store_status status = S3STORE_OK;
    for (size_t i = 1; i < p->count && status == S3STORE_OK; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            status = cli_source_fail(p->source, S3STORE_INVALID_ARGUMENT, err,
                                     "the member \"%s\" appears twice", sorted[i]);
    if (sorted != few)
        free(sorted);
    return status;
}

s3store_status cli_jsonl_next(cli_jsonl *p, cli_record_fn fn, void *ctx, s3store_error *err)
{
    cli_source *s = p->source;
    s3store_status status = cli_source_next(s, false, err);
    if (status != S3STORE_OK)
        return status;
    if (strspn(s->line, " \t") == s->line_size)
        return S3STORE_OK; /* a blank line */
    p->count = 0;
    p->text_size = 0;
    p->complete = false;
    p->problem = NULL;
    /* The line's end separates values: a scalar at its end is only known to be over with it. */
    s->line[s->line_size] = '\n';
    yajl_status parsed =
        yajl_parse(p->handle, (const unsigned char *)s->line, s->line_size + 1);
    s->line[s->line_size] = '\0';
    if (parsed != yajl_status_ok)
        return syntax_error(p, err);
    if (p->depth != 0)
        return cli_source_fail(s, S3STORE_INVALID_ARGUMENT, err,
                               s->line_number == 1 ? "the object does not end on its line (jq -c . "
                                                     "makes one line of each)"
                                                   : "the object does not end on its line");
    for (size_t i = 0; i < p->count; i++) {
        p->name_texts[i] = p->text + p->names[i];
        p->value_texts[i] = (cli_value){p->values[i].token, p->text + p->values[i].text_at,
                                        p->values[i].size};
    }
    status = check_distinct(p, err);
    return status == S3STORE_OK ? fn(ctx, p->name_texts, p->value_texts, p->count, err) : status;
}
