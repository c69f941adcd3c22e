/* cli/records/nested.c: the text of a JSON value into a nested column. The type leads: a struct takes an
 * object, a list an array, a map an object or an array of {"key":..., "value":...}. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "records/column.h"
#include "records/types.h"

#define FRAMES_MAX 130 /* types have at most 64 levels, two for a map */
#define RAW_DEPTH_MAX 64

typedef enum frame_kind {
    FRAME_STRUCT,
    FRAME_LIST,
    FRAME_MAP,     /* as an object */
    FRAME_ENTRIES, /* as an array of entries */
    FRAME_ENTRY,   /* like a struct of key and value */
} frame_kind;

/* A value that has begun. */
typedef struct frame {
    frame_kind kind;
    s3store_builder *builder; /* where it goes */
    size_t column;
    const struct ArrowSchema *type; /* its own; of an entry, that of a map's entries */
    s3store_builder *child;
    size_t member;       /* of a struct, which comes next; of a map, key or value */
    unsigned long count; /* elements so far */
    bool *seen;          /* members */
} frame;

typedef struct reading {
    yajl_handle handle;
    const char *text;
    s3store_builder *builder;
    size_t column;
    const struct ArrowSchema *type;
    frame frames[FRAMES_MAX];
    int depth;
    int raw; /* depth inside a value that is kept as its text, 0 = none */
    size_t raw_start;
    char *scratch; /* a scalar with its NUL */
    size_t scratch_size;
    s3store_error *err;
} reading;

/* ---- messages ------------------------------------------------------------------------------------------ */

/* Where it is, below the column: "b[3].c". */
static void put_path(const reading *r, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < r->depth && used + 1 < size; i++) {
        const frame *f = &r->frames[i];
        int n = 0;
        if (f->kind == FRAME_LIST || f->kind == FRAME_ENTRIES)
            n = snprintf(out + used, size - used, "[%lu]", f->count);
        else if (f->kind != FRAME_MAP && f->member < (size_t)f->type->n_children)
            n = snprintf(out + used, size - used, "%s%s", used > 0 ? "." : "",
                         f->type->children[f->member]->name);
        else if (f->kind == FRAME_MAP)
            n = snprintf(out + used, size - used, "%s%s", used > 0 ? "." : "",
                         f->member == 0 ? "key" : "value");
        used += n > 0 ? (size_t)n : 0;
    }
}

/* The path before what err says already. */
static int fail_placed(reading *r)
{
    char path[256], why[sizeof r->err->message];
    put_path(r, path, sizeof path);
    if (path[0] == '\0')
        return 0;
    memcpy(why, r->err->message, sizeof why);
    snprintf(r->err->message, sizeof r->err->message, "%s: %.760s", path, why);
    return 0;
}

static int fail(reading *r, s3store_status status, const char *format, const char *a, const char *b)
{
    memset(r->err, 0, sizeof *r->err);
    r->err->status = status;
    snprintf(r->err->message, sizeof r->err->message, format, a, b);
    return fail_placed(r);
}

static int out_of_memory(reading *r)
{
    return fail(r, S3STORE_OUT_OF_MEMORY, "out of memory", NULL, NULL);
}

static int wrong_kind(reading *r, const char *what, const struct ArrowSchema *type)
{
    char name[512];
    return fail(r, S3STORE_SCHEMA_MISMATCH, "%s is not of type %s", what,
                s3store_type_text(type, name, sizeof name));
}

/* ---- where a value goes ------------------------------------------------------------------------------- */

typedef struct place {
    s3store_builder *builder;
    size_t column;
    const struct ArrowSchema *type;
} place;

/* Of the value that begins now. false: only entries may. */
static bool next_place(const reading *r, place *out)
{
    if (r->depth == 0) {
        *out = (place){r->builder, r->column, r->type};
        return true;
    }
    const frame *f = &r->frames[r->depth - 1];
    const struct ArrowSchema *inner = f->kind == FRAME_MAP ? f->type->children[0] : f->type;
    size_t column = f->kind == FRAME_LIST ? 0 : f->kind == FRAME_MAP ? 1 : f->member;
    if (f->kind == FRAME_ENTRIES)
        return false;
    *out = (place){f->child, column, inner->children[column]};
    return true;
}

static void count_value(reading *r)
{
    if (r->depth > 0)
        r->frames[r->depth - 1].count++;
}

static int append(reading *r, const place *at, cli_token token, const char *text, size_t size)
{
    if (size + 1 > r->scratch_size) {
        char *grown = realloc(r->scratch, size + 1);
        if (grown == NULL)
            return out_of_memory(r);
        r->scratch = grown;
        r->scratch_size = size + 1;
    }
    memcpy(r->scratch, text, size);
    r->scratch[size] = '\0';
    cli_value value = {token, r->scratch, size};
    if (cli_append_value(at->builder, at->column, at->type, &value, r->err) != S3STORE_OK)
        return fail_placed(r);
    return 1;
}

static int add_scalar(reading *r, cli_token token, const char *text, size_t size)
{
    place at;
    if (r->raw > 0)
        return 1;
    if (!next_place(r, &at))
        return fail(r, S3STORE_SCHEMA_MISMATCH,
                    "an entry of a map must be {\"key\":..., \"value\":...}", NULL, NULL);
    int ok = append(r, &at, token, text, size);
    count_value(r);
    return ok;
}

/* ---- events -------------------------------------------------------------------------------------------- */

static int on_null(void *ctx)
{
    return add_scalar(ctx, CLI_TOKEN_NULL, "null", 4);
}

static int on_bool(void *ctx, int value)
{
    return add_scalar(ctx, CLI_TOKEN_BOOL, value ? "true" : "false", value ? 4 : 5);
}

static int on_number(void *ctx, const char *text, size_t size)
{
    return add_scalar(ctx, CLI_TOKEN_NUMBER, text, size);
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
    return add_scalar(ctx, CLI_TOKEN_STRING, (const char *)text, size);
}

static int push(reading *r, const place *at, frame_kind kind)
{
    const struct ArrowSchema *type = at->type;
    if (r->depth == FRAMES_MAX)
        return fail(r, S3STORE_LIMIT_EXCEEDED, "values are nested too deeply", NULL, NULL);
    frame f = {.kind = kind, .builder = at->builder, .column = at->column, .type = type};
    f.child = kind == FRAME_ENTRY ? at->builder : s3store_builder_child(at->builder, at->column);
    if (kind == FRAME_STRUCT || kind == FRAME_ENTRY) {
        f.seen = calloc((size_t)type->n_children + 1, sizeof *f.seen);
        if (f.seen == NULL)
            return out_of_memory(r);
        f.member = (size_t)type->n_children; /* none yet */
    }
    r->frames[r->depth++] = f;
    return 1;
}

static int open_value(reading *r, bool object)
{
    place at;
    if (r->raw > 0) {
        if (++r->raw > RAW_DEPTH_MAX)
            return fail(r, S3STORE_LIMIT_EXCEEDED, "values are nested too deeply", NULL, NULL);
        return 1;
    }
    if (!next_place(r, &at)) {
        frame *f = &r->frames[r->depth - 1];
        if (!object)
            return fail(r, S3STORE_SCHEMA_MISMATCH,
                        "an entry of a map must be {\"key\":..., \"value\":...}", NULL, NULL);
        return push(r, &(place){f->child, 0, f->type->children[0]}, FRAME_ENTRY);
    }
    cli_type kind = cli_type_of(at.type);
    if (kind == CLI_TYPE_STRING || kind == CLI_TYPE_JSON) {
        r->raw = 1;
        r->raw_start = yajl_get_bytes_consumed(r->handle) - 1;
        return 1;
    }
    const char *format = at.type->format;
    if (kind == CLI_TYPE_NESTED && format[1] == 'm')
        return push(r, &at, object ? FRAME_MAP : FRAME_ENTRIES);
    if (kind == CLI_TYPE_NESTED && object == (format[1] == 's'))
        return push(r, &at, object ? FRAME_STRUCT : FRAME_LIST);
    return wrong_kind(r, object ? "an object" : "an array", at.type);
}

static int on_open_object(void *ctx)
{
    return open_value(ctx, true);
}

static int on_open_array(void *ctx)
{
    return open_value(ctx, false);
}

static int on_key(void *ctx, const unsigned char *text, size_t size)
{
    reading *r = ctx;
    char shown[64];
    if (r->raw > 0)
        return 1;
    frame *f = &r->frames[r->depth - 1];
    if (f->kind == FRAME_MAP) {
        const struct ArrowSchema *key = f->type->children[0]->children[0];
        cli_token token = cli_type_of(key) == CLI_TYPE_STRING ? CLI_TOKEN_STRING : CLI_TOKEN_TEXT;
        f->member = 0;
        int ok = append(r, &(place){f->child, 0, key}, token, (const char *)text, size);
        f->member = 1;
        return ok;
    }
    size_t count = (size_t)f->type->n_children;
    size_t guess = f->member < count ? f->member + 1 : 0; /* members come in order, mostly */
    for (size_t k = 0; k < count; k++) {
        size_t i = (guess + k) % count;
        const char *name = f->type->children[i]->name;
        if (strlen(name) != size || memcmp(name, text, size) != 0)
            continue;
        f->member = i;
        if (f->seen[i])
            return fail(r, S3STORE_INVALID_ARGUMENT, "the member appears twice", NULL, NULL);
        f->seen[i] = true;
        return 1;
    }
    snprintf(shown, sizeof shown, "%.*s", size > 60 ? 60 : (int)size, (const char *)text);
    f->member = count;
    char name[400];
    return fail(r, S3STORE_SCHEMA_MISMATCH, "there is no member \"%s\" in %s", shown,
                s3store_type_text(f->type, name, sizeof name));
}

/* Members that the object lacks are null. */
static int finish_members(reading *r, frame *f)
{
    for (size_t i = 0; i < (size_t)f->type->n_children; i++) {
        f->member = i;
        if (f->seen[i])
            continue;
        if (f->kind == FRAME_ENTRY && i == 0)
            return fail(r, S3STORE_SCHEMA_MISMATCH, "an entry without a key", NULL, NULL);
        if (s3store_builder_append_null(f->child, i, r->err) != S3STORE_OK)
            return fail_placed(r);
    }
    return 1;
}

static int on_close(void *ctx)
{
    reading *r = ctx;
    if (r->raw > 0) {
        if (--r->raw > 0)
            return 1;
        size_t end = yajl_get_bytes_consumed(r->handle);
        return add_scalar(r, CLI_TOKEN_NESTED, r->text + r->raw_start, end - r->raw_start);
    }
    frame *f = &r->frames[r->depth - 1];
    int ok = f->kind == FRAME_STRUCT || f->kind == FRAME_ENTRY ? finish_members(r, f) : 1;
    if (ok && f->kind != FRAME_ENTRY &&
        s3store_builder_append_nested(f->builder, f->column, r->err) != S3STORE_OK)
        ok = fail_placed(r);
    if (!ok)
        return 0;
    free(f->seen);
    r->depth--;
    count_value(r);
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_open_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close,
    .yajl_start_array = on_open_array,
    .yajl_end_array = on_close,
};

s3store_status cli_append_nested(s3store_builder *builder, size_t column,
                                 const struct ArrowSchema *type, const cli_value *v,
                                 s3store_error *err)
{
    reading r = {.text = v->text, .builder = builder, .column = column, .type = type, .err = err};
    memset(err, 0, sizeof *err);
    r.handle = yajl_alloc(&callbacks, NULL, &r);
    if (r.handle == NULL) {
        (void)out_of_memory(&r);
        return S3STORE_OUT_OF_MEMORY;
    }
    yajl_status parsed = yajl_parse(r.handle, (const unsigned char *)v->text, v->size);
    if (parsed == yajl_status_ok)
        parsed = yajl_complete_parse(r.handle);
    if (parsed != yajl_status_ok && err->status == S3STORE_OK)
        (void)fail(&r, S3STORE_SCHEMA_MISMATCH, "it is not valid JSON, which a nested column takes%s%s",
                   "", "");
    yajl_free(r.handle);
    while (r.depth > 0)
        free(r.frames[--r.depth].seen);
    free(r.scratch);
    return err->status;
}
