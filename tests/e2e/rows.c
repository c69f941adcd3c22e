/* Rows in and out, and as text. Reads Arrow arrays by the specification alone. */
#include "e2e/e2e.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- in ---------------------------------------------------------------------------------------------- */

s3store_status write_quakes(const dataset *d, const quake *rows, size_t count, const char *token,
                            s3store_write_result **out, s3store_error *err)
{
    s3store_write_result *own = NULL;
    s3store_write_options options = S3STORE_WRITE_OPTIONS_INIT;
    options.token = token;
    s3store_status status = s3store_write_records(d->writer, &quake_type, rows, count, &options,
                                                  out != NULL ? out : &own, err);
    if (out == NULL && status != S3STORE_OK)
        fail_msg("write: %s", err->message);
    s3store_write_result_free(own);
    return status;
}

void make_schema(const char *columns, struct ArrowSchema *out)
{
    s3store_error err;
    char text[1024], *at = text, *name;
    snprintf(text, sizeof text, "%s", columns);
    assert_ok(s3store_schema_new(32, out, &err));
    while ((name = strsep(&at, " ")) != NULL) {
        char *format = strchr(name, ':');
        assert_non_null(format);
        *format++ = '\0';
        if (strchr(format, '<') != NULL)
            assert_ok(s3store_schema_add_type(out, name, format, true, &err));
        else
            assert_ok(s3store_schema_add(out, name, format, true, &err));
    }
}

static void append_cell(s3store_builder *b, size_t column, const struct ArrowSchema *type,
                        const char *cell);

/* "[1,-]", "{a,[b]}", a map "[{k,1},{l,-}]"; '-' is null. Returns what follows. */
static const char *append_nested(s3store_builder *b, size_t column, const struct ArrowSchema *type,
                                 const char *at)
{
    s3store_error err;
    char word[128];
    bool map = strcmp(type->format, "+m") == 0, record = strcmp(type->format, "+s") == 0;
    const struct ArrowSchema *inner = map ? type->children[0] : type;
    s3store_builder *child = s3store_builder_child(b, column);
    if (child == NULL || *at == '-') {
        size_t size = strcspn(at, ",]}");
        assert_true(size < sizeof word);
        memcpy(word, at, size);
        word[size] = '\0';
        append_cell(b, column, type, word);
        return at + size;
    }
    assert_int_equal(*at++, record ? '{' : '[');
    for (size_t i = 0; *at != ']' && *at != '}'; i += record) {
        if (map)
            assert_int_equal(*at++, '{');
        at = append_nested(child, i, inner->children[i], at);
        if (map)
            at = append_nested(child, 1, inner->children[1], at + 1) + 1;
        at += *at == ',';
    }
    assert_ok(s3store_builder_append_nested(b, column, &err));
    return at + 1;
}

static void append_cell(s3store_builder *b, size_t column, const struct ArrowSchema *type,
                        const char *cell)
{
    s3store_error err;
    const char *format = type->format;
    if (format[0] == '+' && strcmp(cell, "-") != 0) {
        assert_int_equal(*append_nested(b, column, type, cell), '\0');
        return;
    }
    if (strcmp(cell, "-") == 0)
        assert_ok(s3store_builder_append_null(b, column, &err));
    else if (format[0] == 'u' || format[0] == 'z')
        assert_ok(s3store_builder_append_bytes(b, column, cell, strlen(cell), &err));
    else if (format[0] == 'g' || format[0] == 'f')
        assert_ok(s3store_builder_append_double(b, column, strtod(cell, NULL), &err));
    else if (format[0] == 'b')
        assert_ok(s3store_builder_append_bool(b, column, strcmp(cell, "true") == 0, &err));
    else if (format[0] == 'L')
        assert_ok(s3store_builder_append_uint(b, column, strtoull(cell, NULL, 10), &err));
    else
        assert_ok(s3store_builder_append_int(b, column, strtoll(cell, NULL, 10), &err));
}

void make_stream(const char *columns, const char *cells, struct ArrowArrayStream *out)
{
    s3store_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    s3store_builder *b;
    char text[4096], *rows = text, *row;
    make_schema(columns, &schema);
    assert_ok(s3store_builder_new(&schema, &b, &err));
    snprintf(text, sizeof text, "%s", cells);
    while ((row = strsep(&rows, ";")) != NULL) {
        for (int64_t c = 0; c < schema.n_children; c++) {
            char *cell = strsep(&row, " ");
            assert_non_null(cell);
            append_cell(b, (size_t)c, schema.children[c], cell);
        }
        assert_null(row);
    }
    assert_ok(s3store_builder_finish(b, &batch, &err));
    s3store_builder_free(b);
    assert_ok(s3store_stream_from_batches(&schema, &batch, 1, out, &err));
}

void write_cells(const dataset *d, const char *columns, const char *cells)
{
    s3store_error err;
    struct ArrowArrayStream stream;
    s3store_write_result *result;
    make_stream(columns, cells, &stream);
    assert_ok(s3store_write(d->writer, &stream, NULL, &result, &err));
    s3store_write_result_free(result);
}

void quake_stream(const quake *rows, size_t count, size_t batch_rows, struct ArrowArrayStream *out)
{
    s3store_error err;
    struct ArrowSchema schema;
    struct ArrowArray batches[16];
    size_t batch_count = 0;
    s3store_builder *b;
    make_schema("id:u time:tsu:UTC updated:tsu:UTC region:u mag:g", &schema);
    assert_ok(s3store_builder_new(&schema, &b, &err));
    for (size_t i = 0; i < count; i++) {
        const quake *q = &rows[i];
        assert_ok(s3store_builder_append_bytes(b, 0, q->id, strlen(q->id), &err));
        assert_ok(s3store_builder_append_int(b, 1, q->time, &err));
        assert_ok(s3store_builder_append_int(b, 2, q->updated, &err));
        assert_ok(s3store_builder_append_bytes(b, 3, q->region, strlen(q->region), &err));
        if (q->mag_is_null)
            assert_ok(s3store_builder_append_null(b, 4, &err));
        else
            assert_ok(s3store_builder_append_double(b, 4, q->mag, &err));
        if (s3store_builder_rows(b) == batch_rows || i + 1 == count) {
            assert_in_range(batch_count, 0, 15);
            assert_ok(s3store_builder_finish(b, &batches[batch_count++], &err));
        }
    }
    s3store_builder_free(b);
    assert_ok(s3store_stream_from_batches(&schema, batches, batch_count, out, &err));
}

/* ---- out --------------------------------------------------------------------------------------------- */

typedef struct text_buffer {
    char *data;
    size_t size, capacity;
    bool fixed; /* the caller's memory */
} text_buffer;

static void add(text_buffer *t, const void *data, size_t size)
{
    if (t->size + size + 1 > t->capacity) {
        assert_false(t->fixed);
        t->capacity = (t->size + size + 1) * 2;
        t->data = realloc(t->data, t->capacity);
        assert_non_null(t->data);
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

static bool is_null(const struct ArrowArray *a, int64_t row)
{
    const uint8_t *bits = a->n_buffers > 0 ? a->buffers[0] : NULL;
    int64_t i = a->offset + row;
    return bits != NULL && (bits[i / 8] >> (i % 8) & 1) == 0;
}

static int64_t integer_at(const struct ArrowSchema *f, const struct ArrowArray *a, int64_t i)
{
    switch (f->format[0]) {
    case 'c':
        return ((const int8_t *)a->buffers[1])[i];
    case 'C':
        return ((const uint8_t *)a->buffers[1])[i];
    case 's':
        return ((const int16_t *)a->buffers[1])[i];
    case 'S':
        return ((const uint16_t *)a->buffers[1])[i];
    case 'i':
        return ((const int32_t *)a->buffers[1])[i];
    case 'I':
        return ((const uint32_t *)a->buffers[1])[i];
    case 'l':
        return ((const int64_t *)a->buffers[1])[i];
    case 't':
        return strcmp(f->format, "tdD") == 0 ? ((const int32_t *)a->buffers[1])[i]
                                             : ((const int64_t *)a->buffers[1])[i];
    default:
        fail_msg("column %s: format %s", f->name, f->format);
        return 0;
    }
}

static void add_cell(text_buffer *t, const struct ArrowSchema *f, const struct ArrowArray *a,
                     int64_t row);

/* As append_nested takes it; i counts from the beginning of the buffers. */
static void add_nested(text_buffer *t, const struct ArrowSchema *f, const struct ArrowArray *a,
                       int64_t i)
{
    bool record = strcmp(f->format, "+s") == 0;
    add(t, record ? "{" : "[", 1);
    if (record) {
        for (int64_t c = 0; c < f->n_children; c++) {
            add(t, ",", c > 0);
            add_cell(t, f->children[c], a->children[c], i);
        }
    } else {
        const int32_t *offsets = a->buffers[1];
        assert_true(strcmp(f->format, "+l") == 0 || strcmp(f->format, "+m") == 0);
        for (int32_t k = offsets[i]; k < offsets[i + 1]; k++) {
            add(t, ",", k > offsets[i]);
            add_cell(t, f->children[0], a->children[0], k);
        }
    }
    add(t, record ? "}" : "]", 1);
}

static void add_cell(text_buffer *t, const struct ArrowSchema *f, const struct ArrowArray *a,
                     int64_t row)
{
    char text[64];
    int64_t i = a->offset + row;
    if (is_null(a, row)) {
        assert_true((f->flags & ARROW_FLAG_NULLABLE) != 0);
        add(t, "-", 1);
        return;
    }
    switch (f->format[0]) {
    case '+':
        add_nested(t, f, a, i);
        return;
    case 'u':
    case 'z': {
        const int32_t *offsets = a->buffers[1];
        add(t, (const char *)a->buffers[2] + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
        return;
    }
    case 'U':
    case 'Z': {
        const int64_t *offsets = a->buffers[1];
        add(t, (const char *)a->buffers[2] + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
        return;
    }
    case 'b':
        snprintf(text, sizeof text, "%s",
                 ((const uint8_t *)a->buffers[1])[i / 8] >> (i % 8) & 1 ? "true" : "false");
        break;
    case 'f':
        snprintf(text, sizeof text, "%.9g", (double)((const float *)a->buffers[1])[i]);
        break;
    case 'g':
        snprintf(text, sizeof text, "%.17g", ((const double *)a->buffers[1])[i]);
        break;
    case 'L':
        snprintf(text, sizeof text, "%" PRIu64, ((const uint64_t *)a->buffers[1])[i]);
        break;
    default:
        snprintf(text, sizeof text, "%" PRId64, integer_at(f, a, i));
    }
    add(t, text, strlen(text));
}

static s3store_status drain(struct ArrowArrayStream *stream, text_buffer *t, int64_t *rows,
                            s3store_error *err)
{
    struct ArrowSchema schema = {0};
    int code = stream->get_schema(stream, &schema);
    *rows = 0;
    while (code == 0) {
        struct ArrowArray batch = {0};
        code = stream->get_next(stream, &batch);
        if (code != 0 || batch.release == NULL)
            break;
        assert_int_equal(batch.n_children, schema.n_children);
        for (int64_t r = 0; t != NULL && r < batch.length; r++) {
            for (int64_t c = 0; c < batch.n_children; c++) {
                add(t, "|", c > 0);
                /* The columns of a struct are not shifted by its offset on their own. */
                add_cell(t, schema.children[c], batch.children[c], batch.offset + r);
            }
            add(t, ";", 1);
        }
        *rows += batch.length;
        batch.release(&batch);
    }
    if (schema.release != NULL)
        schema.release(&schema);
    memset(err, 0, sizeof *err);
    if (code != 0) {
        assert_true(s3store_stream_error(stream, err));
        assert_non_null(stream->get_last_error(stream));
    }
    stream->release(stream);
    return err->status;
}

const char *stream_text(struct ArrowArrayStream *stream)
{
    static text_buffer ring[4];
    static unsigned next;
    text_buffer *t = &ring[next++ % 4];
    s3store_error err;
    int64_t rows;
    t->size = 0;
    add(t, "", 0);
    if (drain(stream, t, &rows, &err) != S3STORE_OK)
        fail_msg("stream: %s", err.message);
    return t->data;
}

s3store_status stream_append(struct ArrowArrayStream *stream, char *text, size_t text_size,
                             s3store_error *err)
{
    text_buffer t = {.data = text, .size = strlen(text), .capacity = text_size, .fixed = true};
    int64_t rows;
    return drain(stream, &t, &rows, err);
}

s3store_status stream_count(struct ArrowArrayStream *stream, int64_t *rows, s3store_error *err)
{
    return drain(stream, NULL, rows, err);
}

s3store_status stream_status(struct ArrowArrayStream *stream, s3store_error *err)
{
    int64_t rows;
    return drain(stream, NULL, &rows, err);
}

int64_t stream_rows(struct ArrowArrayStream *stream)
{
    s3store_error err;
    int64_t rows;
    if (drain(stream, NULL, &rows, &err) != S3STORE_OK)
        fail_msg("stream: %s", err.message);
    return rows;
}

static void open_snapshot(const dataset *d, const char *pattern, const char *columns, bool history,
                          struct ArrowArrayStream *out)
{
    s3store_error err;
    char text[256], *at = text;
    const char *names[16];
    s3store_read_options options = S3STORE_READ_OPTIONS_INIT;
    options.patterns = &pattern;
    options.pattern_count = 1;
    options.history = history;
    if (columns != NULL) {
        snprintf(text, sizeof text, "%s", columns);
        while (at != NULL)
            names[options.column_count++] = strsep(&at, ",");
        options.columns = names;
    }
    assert_ok(s3store_read(d->reader, &options, out, &err));
}

const char *read_text(const dataset *d, const char *pattern, const char *columns, bool history)
{
    struct ArrowArrayStream stream;
    open_snapshot(d, pattern, columns, history, &stream);
    return stream_text(&stream);
}

int64_t count_rows(const dataset *d, const char *pattern, bool history)
{
    struct ArrowArrayStream stream;
    open_snapshot(d, pattern, NULL, history, &stream);
    return stream_rows(&stream);
}
