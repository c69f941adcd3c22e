/* json_writer.c: deterministic JSON text. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"

static void put(s3s_json_writer *w, const char *text, size_t size)
{
    if (w->failed == S3STORE_OK)
        w->failed = s3s_buffer_append(w->out, text, size, NULL);
}

static void put_newline(s3s_json_writer *w)
{
    put(w, "\n", 1);
    for (int i = 0; i < w->depth; i++)
        put(w, "  ", 2);
}

/* What stands before a value or a name: nothing after a name, else comma, line and indent. */
static void begin_item(s3s_json_writer *w)
{
    if (w->after_name) {
        w->after_name = false;
        return;
    }
    if (w->needs_comma)
        put(w, ",", 1);
    if (w->depth > 0)
        put_newline(w);
}

static void put_quoted(s3s_json_writer *w, const char *text)
{
    size_t size = strlen(text);
    if (!s3s_utf8_valid(text, size)) {
        if (w->failed == S3STORE_OK)
            w->failed = S3STORE_INVALID_ARGUMENT;
        return;
    }
    put(w, "\"", 1);
    size_t done = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(w, text + done, i - done);
        done = i + 1;
        char escape[8];
        const char *known = c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '"' ? "\\\"" : "\\\\";
        if (c < 0x20 && c != '\n' && c != '\t')
            snprintf(escape, sizeof escape, "\\u%04x", c);
        else
            snprintf(escape, sizeof escape, "%s", known);
        put(w, escape, strlen(escape));
    }
    put(w, text + done, size - done);
    put(w, "\"", 1);
}

void s3s_json_begin(s3s_json_writer *w, s3s_buffer *out)
{
    *w = (s3s_json_writer){.out = out};
}

void s3s_json_open(s3s_json_writer *w, char bracket)
{
    begin_item(w);
    put(w, &bracket, 1);
    w->depth++;
    w->needs_comma = false;
}

void s3s_json_close(s3s_json_writer *w, char bracket)
{
    w->depth--;
    if (w->needs_comma)
        put_newline(w);
    put(w, &bracket, 1);
    w->needs_comma = true;
}

void s3s_json_name(s3s_json_writer *w, const char *name)
{
    begin_item(w);
    put_quoted(w, name);
    put(w, ": ", 2);
    w->after_name = true;
    w->needs_comma = true;
}

void s3s_json_put_text(s3s_json_writer *w, const char *text)
{
    begin_item(w);
    put_quoted(w, text);
    w->needs_comma = true;
}

void s3s_json_put_int(s3s_json_writer *w, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, value);
    begin_item(w);
    put(w, text, (size_t)n);
    w->needs_comma = true;
}

void s3s_json_put_bool(s3s_json_writer *w, bool value)
{
    begin_item(w);
    put(w, value ? "true" : "false", value ? 4 : 5);
    w->needs_comma = true;
}

s3store_status s3s_json_end(s3s_json_writer *w, s3store_error *err)
{
    if (w->failed == S3STORE_OK && (w->depth != 0 || w->after_name))
        return s3s_fail(err, S3STORE_INTERNAL, "a JSON document was ended before it was complete");
    put(w, "\n", 1);
    switch (w->failed) {
    case S3STORE_OK:
        return S3STORE_OK;
    case S3STORE_OUT_OF_MEMORY:
        return s3s_fail(err, w->failed, "out of memory while writing a JSON document");
    case S3STORE_INVALID_ARGUMENT:
        return s3s_fail(err, w->failed, "a text for a JSON document is not valid UTF-8");
    default:
        return s3s_fail(err, w->failed,
                        "a JSON document would exceed its limit of %zu bytes", w->out->max);
    }
}
