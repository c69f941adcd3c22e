/* parquet/describe_text.c: how descriptions are spelled. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"
#include "parquet/describe.h"

void s3s_line_keep(s3s_lines *l, s3store_status status)
{
    if (l->status == S3STORE_OK)
        l->status = status;
}

static void add(s3s_lines *l, const char *text)
{
    if (l->status == S3STORE_OK)
        s3s_line_keep(l, s3s_buffer_append_text(&l->line, text, l->err));
}

/* A JSON string; bytes that are not UTF-8 become U+FFFD. */
static void add_string(s3s_lines *l, const uint8_t *data, size_t size)
{
    bool valid = s3s_utf8_valid(data, size);
    add(l, "\"");
    for (size_t i = 0; i < size && l->status == S3STORE_OK; i++) {
        char text[8];
        if (data[i] == '"' || data[i] == '\\')
            snprintf(text, sizeof text, "\\%c", data[i]);
        else if (data[i] < 0x20 || data[i] == 0x7f)
            snprintf(text, sizeof text, "\\u%04x", data[i]);
        else if (data[i] >= 0x80 && !valid)
            snprintf(text, sizeof text, "\\ufffd");
        else
            snprintf(text, sizeof text, "%c", data[i]);
        add(l, text);
    }
    add(l, "\"");
}

static bool is_plain(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] <= 0x20 || data[i] == '"' || data[i] == '=' || data[i] >= 0x7f)
            return false;
    return size > 0;
}

static void add_name(s3s_lines *l, const char *name)
{
    add(l, l->json ? ",\"" : " ");
    add(l, name);
    add(l, l->json ? "\":" : "=");
}

void s3s_line_begin(s3s_lines *l, unsigned indent, const char *kind)
{
    s3s_buffer_clear(&l->line);
    if (l->json) {
        add(l, "{\"kind\":\"");
        add(l, kind);
        add(l, "\"");
        return;
    }
    while (indent-- > 0)
        add(l, "  ");
    add(l, kind);
}

void s3s_line_text(s3s_lines *l, const char *name, const void *data, size_t size)
{
    add_name(l, name);
    if (l->json || !is_plain(data, size))
        add_string(l, data, size);
    else if (l->status == S3STORE_OK)
        s3s_line_keep(l, s3s_buffer_append(&l->line, data, size, l->err));
}

void s3s_line_word(s3s_lines *l, const char *name, const char *word)
{
    s3s_line_text(l, name, word, strlen(word));
}

void s3s_line_int(s3s_lines *l, const char *name, int64_t value)
{
    char text[24];
    add_name(l, name);
    snprintf(text, sizeof text, "%" PRId64, value);
    add(l, text);
}

void s3s_line_words(s3s_lines *l, const char *name, const char *const *words, size_t count)
{
    add_name(l, name);
    add(l, l->json ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        add(l, i == 0 ? "" : ",");
        add(l, l->json ? "\"" : "");
        add(l, words[i]);
        add(l, l->json ? "\"" : "");
    }
    add(l, l->json ? "]" : "");
}

static void send(s3s_lines *l)
{
    if (l->status == S3STORE_OK &&
        !l->sink.line(l->sink.ctx, (const char *)l->line.data, l->line.size))
        l->status = S3STORE_END;
}

void s3s_line_end(s3s_lines *l)
{
    add(l, l->json ? "}\n" : "\n");
    send(l);
}

void s3s_line_plain(s3s_lines *l, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c != '\0'; c++) /* names may hold anything */
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    s3s_buffer_clear(&l->line);
    add(l, text);
    add(l, "\n");
    send(l);
}

/* ---- types ----------------------------------------------------------------------------------- */

static const char *const logical_names[] = {
    [S3S_LOGICAL_STRING] = "STRING",   [S3S_LOGICAL_MAP] = "MAP",
    [S3S_LOGICAL_LIST] = "LIST",       [S3S_LOGICAL_ENUM] = "ENUM",
    [S3S_LOGICAL_DECIMAL] = "DECIMAL", [S3S_LOGICAL_DATE] = "DATE",
    [S3S_LOGICAL_TIME] = "TIME",       [S3S_LOGICAL_TIMESTAMP] = "TIMESTAMP",
    [S3S_LOGICAL_INTEGER] = "INTEGER", [S3S_LOGICAL_UNKNOWN] = "UNKNOWN",
    [S3S_LOGICAL_JSON] = "JSON",       [S3S_LOGICAL_BSON] = "BSON",
    [S3S_LOGICAL_UUID] = "UUID",       [S3S_LOGICAL_FLOAT16] = "FLOAT16"};

static const char *const converted_names[] = {
    "UTF8", "MAP", "MAP_KEY_VALUE", "LIST", "ENUM", "DECIMAL", "DATE", "TIME_MILLIS",
    "TIME_MICROS", "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS", "UINT_8", "UINT_16", "UINT_32",
    "UINT_64", "INT_8", "INT_16", "INT_32", "INT_64", "JSON", "BSON", "INTERVAL"};

static void time_text(const char *name, const s3s_pq_time_type *time, char *buffer, size_t size)
{
    const char *unit = S3S_PQ_HAS(&time->unit, S3S_UNIT_MILLIS)   ? "MILLIS"
                       : S3S_PQ_HAS(&time->unit, S3S_UNIT_MICROS) ? "MICROS"
                       : S3S_PQ_HAS(&time->unit, S3S_UNIT_NANOS)  ? "NANOS"
                                                                  : "?";
    snprintf(buffer, size, "%s(%s,%s)", name, unit, time->is_adjusted_to_utc ? "UTC" : "local");
}

const char *s3s_annotation_text(const s3s_pq_schema_element *e, char *buffer, size_t size)
{
    const s3s_pq_logical_type *logical = &e->logical;
    buffer[0] = '\0';
    if (S3S_PQ_HAS(e, S3S_ELEMENT_LOGICAL) && logical->has != 0) {
        unsigned kind = (unsigned)__builtin_ctzll(logical->has);
        const char *name = kind < sizeof logical_names / sizeof *logical_names
                               ? logical_names[kind]
                               : "?";
        if (kind == S3S_LOGICAL_DECIMAL)
            snprintf(buffer, size, "DECIMAL(%d,%d)", (int)logical->decimal.precision,
                     (int)logical->decimal.scale);
        else if (kind == S3S_LOGICAL_INTEGER)
            snprintf(buffer, size, "INTEGER(%d,%s)", logical->integer.bit_width,
                     logical->integer.is_signed ? "signed" : "unsigned");
        else if (kind == S3S_LOGICAL_TIME || kind == S3S_LOGICAL_TIMESTAMP)
            time_text(name, kind == S3S_LOGICAL_TIME ? &logical->time : &logical->timestamp,
                      buffer, size);
        else
            snprintf(buffer, size, "%s", name);
    } else if (S3S_PQ_HAS(e, S3S_ELEMENT_CONVERTED)) {
        if (e->converted == S3S_PQ_DECIMAL)
            snprintf(buffer, size, "DECIMAL(%d,%d)", (int)e->precision, (int)e->scale);
        else if (e->converted >= 0 &&
                 (size_t)e->converted < sizeof converted_names / sizeof *converted_names)
            snprintf(buffer, size, "%s", converted_names[e->converted]);
    }
    return buffer;
}

/* ---- bounds ---------------------------------------------------------------------------------- */

static s3store_status put_hex(const s3s_thrift_binary *bound, s3s_buffer *out, s3store_error *err)
{
    s3store_status status = s3s_buffer_append_text(out, "0x", err);
    for (size_t i = 0; i < bound->size && status == S3STORE_OK; i++)
        status = s3s_buffer_printf(out, err, "%02x", bound->data[i]);
    return status;
}

static s3store_status put_time(const s3s_field *field, int64_t value, s3s_buffer *out,
                               s3store_error *err)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    char text[S3STORE_TIME_TEXT_SIZE + 16];
    int64_t unit = per_second[field->unit], seconds = s3s_floor_div(value, unit);
    s3s_rfc3339_format(seconds, (int32_t)((value - seconds * unit) * (1000000000 / unit)), -1,
                       text, sizeof text);
    size_t size = strlen(text);
    if (!field->utc && size > 0 && text[size - 1] == 'Z')
        text[size - 1] = '\0';
    return s3s_buffer_append_text(out, text, err);
}

static s3store_status put_decimal(int64_t value, int32_t scale, s3s_buffer *out,
                                  s3store_error *err)
{
    uint64_t digits = value < 0 ? 0 - (uint64_t)value : (uint64_t)value, unit = 1;
    for (int32_t i = 0; i < scale && i < 19; i++)
        unit *= 10;
    if (scale <= 0)
        return s3s_buffer_printf(out, err, "%" PRId64, value);
    if (scale > 18)
        return s3s_buffer_printf(out, err, "%" PRId64 "E-%d", value, (int)scale);
    return s3s_buffer_printf(out, err, "%s%" PRIu64 ".%0*" PRIu64, value < 0 ? "-" : "",
                             digits / unit, (int)scale, digits % unit);
}

static s3store_status put_int(const s3s_leaf *leaf, int64_t value, s3s_buffer *out,
                              s3store_error *err)
{
    char text[S3STORE_TIME_TEXT_SIZE];
    switch (leaf->field->type) {
    case S3S_TYPE_UINT8:
    case S3S_TYPE_UINT16:
    case S3S_TYPE_UINT32:
        return s3s_buffer_printf(out, err, "%" PRIu32, (uint32_t)value);
    case S3S_TYPE_UINT64:
        return s3s_buffer_printf(out, err, "%" PRIu64, (uint64_t)value);
    case S3S_TYPE_DATE32:
        s3s_date_format((int32_t)value, text, sizeof text);
        return s3s_buffer_append_text(out, text, err);
    case S3S_TYPE_TIMESTAMP:
        return put_time(leaf->field, value, out, err);
    case S3S_TYPE_DECIMAL:
        return put_decimal(value, leaf->field->scale, out, err);
    default:
        return s3s_buffer_printf(out, err, "%" PRId64, value);
    }
}

static bool is_bound(const s3s_leaf *leaf, const s3s_thrift_binary *bound)
{
    size_t width = s3s_physical_width(leaf->physical);
    return bound->data != NULL && (width == 0 || bound->size == width) &&
           (leaf->physical != S3S_PQ_BOOLEAN || bound->size == 1);
}

s3store_status s3s_bound_text(const s3s_leaf *leaf, const s3s_thrift_binary *bound, bool *valid,
                              s3s_buffer *out, s3store_error *err)
{
    float single;
    double number;
    s3store_status status;
    s3s_buffer_clear(out);
    *valid = is_bound(leaf, bound);
    if (!*valid)
        return S3STORE_OK;
    switch (leaf->physical) {
    case S3S_PQ_BOOLEAN:
        status = s3s_buffer_append_text(out, bound->data[0] != 0 ? "true" : "false", err);
        break;
    case S3S_PQ_INT32:
        status = put_int(leaf, (int32_t)s3s_le32(bound->data), out, err);
        break;
    case S3S_PQ_INT64:
        status = put_int(leaf, (int64_t)s3s_le64(bound->data), out, err);
        break;
    case S3S_PQ_FLOAT:
        memcpy(&single, bound->data, sizeof single);
        status = s3s_buffer_printf(out, err, "%.9g", (double)single);
        break;
    case S3S_PQ_DOUBLE:
        memcpy(&number, bound->data, sizeof number);
        status = s3s_buffer_printf(out, err, "%.17g", number);
        break;
    default:
        status = leaf->field->type == S3S_TYPE_STRING
                     ? s3s_buffer_append(out, bound->data, bound->size, err)
                     : put_hex(bound, out, err);
        break;
    }
    return status;
}
