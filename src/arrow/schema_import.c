/* Schemas from the ABI, and its format strings. Whoever made the struct may be wrong or hostile:
 * depth and number of fields are bounded (children may be shared, so a small graph can unfold
 * into a huge tree), and nothing is believed that can be checked. */
#include <stdio.h>
#include <stdlib.h>

#include "arrow/internal.h"
#include "base/error.h"

typedef struct format_entry {
    const char *format;
    s3s_type type;
    s3s_unit unit;
} format_entry;

static const format_entry formats[] = {
    {"n", S3S_TYPE_NULL, 0},
    {"b", S3S_TYPE_BOOL, 0},
    {"c", S3S_TYPE_INT8, 0},
    {"s", S3S_TYPE_INT16, 0},
    {"i", S3S_TYPE_INT32, 0},
    {"l", S3S_TYPE_INT64, 0},
    {"C", S3S_TYPE_UINT8, 0},
    {"S", S3S_TYPE_UINT16, 0},
    {"I", S3S_TYPE_UINT32, 0},
    {"L", S3S_TYPE_UINT64, 0},
    {"e", S3S_TYPE_FLOAT16, 0},
    {"f", S3S_TYPE_FLOAT, 0},
    {"g", S3S_TYPE_DOUBLE, 0},
    {"u", S3S_TYPE_STRING, 0},
    {"U", S3S_TYPE_LARGE_STRING, 0},
    {"z", S3S_TYPE_BINARY, 0},
    {"Z", S3S_TYPE_LARGE_BINARY, 0},
    {"tdD", S3S_TYPE_DATE32, 0},
    {"tdm", S3S_TYPE_DATE64, S3S_MILLI},
    {"tts", S3S_TYPE_TIME32, S3S_SECOND},
    {"ttm", S3S_TYPE_TIME32, S3S_MILLI},
    {"ttu", S3S_TYPE_TIME64, S3S_MICRO},
    {"ttn", S3S_TYPE_TIME64, S3S_NANO},
    {"tDs", S3S_TYPE_DURATION, S3S_SECOND},
    {"tDm", S3S_TYPE_DURATION, S3S_MILLI},
    {"tDu", S3S_TYPE_DURATION, S3S_MICRO},
    {"tDn", S3S_TYPE_DURATION, S3S_NANO},
    {"tin", S3S_TYPE_INTERVAL, 0},
    {"+l", S3S_TYPE_LIST, 0},
    {"+L", S3S_TYPE_LARGE_LIST, 0},
    {"+s", S3S_TYPE_STRUCT, 0},
    {"+m", S3S_TYPE_MAP, 0},
};

static const struct {
    const char *prefix;
    const char *what;
} unsupported[] = {
    {"tiM", "intervals in months"},     {"tiD", "intervals in days and milliseconds"},
    {"vu", "string views"},             {"vz", "binary views"},
    {"+vl", "list views"},              {"+vL", "list views"},
    {"+w:", "lists of fixed size"},     {"+ud:", "unions"},
    {"+us:", "unions"},                 {"+r", "run-end encoding"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
static const char unit_letters[] = "smun";

/* ---- format strings -------------------------------------------------------------------------- */

/* The digits at *p as a number up to max; moves past them. */
static bool number_parse(const char **p, int32_t max, int32_t *out)
{
    const char *start = *p;
    if (**p == '-')
        (*p)++;
    while (**p >= '0' && **p <= '9')
        (*p)++;
    int64_t value;
    if ((size_t)(*p - start) > 11 || !s3s_parse_i64(start, (size_t)(*p - start), &value) ||
        value > max || value < -max)
        return false;
    *out = (int32_t)value;
    return true;
}

/* "d:precision,scale[,bits]" */
static bool decimal_parse(const char *p, s3s_field *field)
{
    int32_t bits = 128;
    field->type = S3S_TYPE_DECIMAL;
    if (!number_parse(&p, 76, &field->precision) || *p++ != ',' ||
        !number_parse(&p, 1000, &field->scale))
        return false;
    if (*p == ',') {
        p++;
        if (!number_parse(&p, 256, &bits))
            return false;
    }
    int32_t max = bits == 32 ? 9 : bits == 64 ? 18 : bits == 128 ? 38 : bits == 256 ? 76 : 0;
    field->width = bits / 8;
    return *p == '\0' && field->precision >= 1 && field->precision <= max;
}

bool s3s_format_parse(const char *format, s3s_field *field, const char **why)
{
    *why = NULL;
    for (size_t i = 0; i < COUNT(formats); i++)
        if (strcmp(formats[i].format, format) == 0) {
            field->type = formats[i].type;
            field->unit = formats[i].unit;
            return true;
        }
    if (s3s_starts_with(format, "ts") && format[2] != '\0' && format[3] == ':') {
        const char *letter = strchr(unit_letters, format[2]);
        if (letter == NULL)
            return false;
        field->type = S3S_TYPE_TIMESTAMP;
        field->unit = (s3s_unit)(letter - unit_letters);
        field->utc = format[4] != '\0'; /* any zone: the values count from the epoch in UTC */
        return true;
    }
    if (s3s_starts_with(format, "w:")) {
        const char *p = format + 2;
        field->type = S3S_TYPE_FIXED_BINARY;
        return number_parse(&p, 1 << 30, &field->width) && *p == '\0' && field->width >= 1;
    }
    if (s3s_starts_with(format, "d:"))
        return decimal_parse(format + 2, field);
    for (size_t i = 0; i < COUNT(unsupported); i++)
        if (s3s_starts_with(format, unsupported[i].prefix))
            *why = unsupported[i].what;
    return false;
}

const char *s3s_format_text(const s3s_field *field, char *buffer, size_t buffer_size)
{
    if (field->type == S3S_TYPE_TIMESTAMP) {
        snprintf(buffer, buffer_size, "ts%c:%s", unit_letters[field->unit],
                 field->utc ? "UTC" : "");
    } else if (field->type == S3S_TYPE_FIXED_BINARY) {
        snprintf(buffer, buffer_size, "w:%d", (int)field->width);
    } else if (field->type == S3S_TYPE_DECIMAL) {
        if (field->width == 16)
            snprintf(buffer, buffer_size, "d:%d,%d", (int)field->precision, (int)field->scale);
        else
            snprintf(buffer, buffer_size, "d:%d,%d,%d", (int)field->precision,
                     (int)field->scale, (int)field->width * 8);
    } else {
        bool by_unit = field->type == S3S_TYPE_TIME32 || field->type == S3S_TYPE_TIME64 ||
                       field->type == S3S_TYPE_DURATION;
        buffer[0] = '\0';
        for (size_t i = 0; i < COUNT(formats); i++)
            if (formats[i].type == field->type && (!by_unit || formats[i].unit == field->unit))
                snprintf(buffer, buffer_size, "%s", formats[i].format);
    }
    return buffer;
}

/* ---- metadata -------------------------------------------------------------------------------- */

static int32_t metadata_int(const char **p)
{
    int32_t value;
    memcpy(&value, *p, 4);
    *p += 4;
    return value;
}

/* The value of ARROW:extension:name, or size 0. The ABI gives no length of the whole: counts can
 * only be checked for sense. */
static s3store_bytes extension_name(const char *metadata)
{
    static const char key[] = "ARROW:extension:name";
    s3store_bytes none = {"", 0};
    if (metadata == NULL)
        return none;
    const char *p = metadata;
    int32_t count = metadata_int(&p);
    if (count > 10000)
        return none;
    for (int32_t i = 0; i < count; i++) {
        int32_t key_size = metadata_int(&p);
        if (key_size < 0)
            return none;
        const char *k = p;
        p += key_size;
        int32_t value_size = metadata_int(&p);
        if (value_size < 0)
            return none;
        if ((size_t)key_size == sizeof key - 1 && memcmp(k, key, sizeof key - 1) == 0)
            return (s3store_bytes){p, (size_t)value_size};
        p += value_size;
    }
    return none;
}

static bool bytes_are(s3store_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

/* A hint on a storage type that it does not belong to says nothing. */
static s3s_hint hint_of(const char *metadata, const s3s_field *field)
{
    s3store_bytes name = extension_name(metadata);
    bool binary = field->type == S3S_TYPE_BINARY || field->type == S3S_TYPE_LARGE_BINARY;
    if (bytes_are(name, "arrow.json") && s3s_type_is_text(field->type))
        return S3S_HINT_JSON;
    if (bytes_are(name, "s3store.enum") && s3s_type_is_text(field->type))
        return S3S_HINT_ENUM;
    if (bytes_are(name, "s3store.bson") && binary)
        return S3S_HINT_BSON;
    if (bytes_are(name, "arrow.uuid") && field->type == S3S_TYPE_FIXED_BINARY &&
        field->width == 16)
        return S3S_HINT_UUID;
    return S3S_HINT_NONE;
}

/* ---- the tree -------------------------------------------------------------------------------- */

typedef struct importer {
    s3s_arena *arena;
    size_t fields; /* seen so far */
    bool placed;   /* the message names the nested field that is wrong */
} importer;

static s3store_status import_children(importer *im, const struct ArrowSchema *in, int depth,
                                      bool named, s3s_field *fields, s3store_error *err);

static s3store_status import_type(const struct ArrowSchema *in, s3s_field *field,
                                  s3store_error *err)
{
    const char *why;
    if (in->format == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "it has no format");
    if (in->dictionary != NULL)
        return s3s_fail(err, S3STORE_UNSUPPORTED,
                        "it is dictionary-encoded: decode it before it is handed over");
    if (s3s_format_parse(in->format, field, &why))
        return S3STORE_OK;
    if (why != NULL)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "%s (format \"%.64s\") are not supported", why,
                        in->format);
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "format \"%.64s\" is not one of Arrow's",
                    in->format);
}

/* What the entries of a map look like is part of its layout. */
static s3store_status check_map(const s3s_field *field, s3store_error *err)
{
    const s3s_field *entries = &field->children[0];
    if (entries->type != S3S_TYPE_STRUCT || entries->child_count != 2)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "a map needs one struct child with a key and a value");
    if (entries->children[0].nullable)
        entries->children[0].nullable = false; /* some producers leave the flag on */
    return S3STORE_OK;
}

static s3store_status import_field(importer *im, const struct ArrowSchema *in, int depth,
                                   bool in_map, s3s_field *field, s3store_error *err)
{
    const char *name = in->name != NULL ? in->name : "";
    if (!s3s_utf8_valid(name, strlen(name)))
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "its name is not valid UTF-8");
    field->name = s3s_arena_strdup(im->arena, name);
    if (field->name == NULL)
        return s3s_fail_memory(err, strlen(name) + 1);
    field->nullable = (in->flags & ARROW_FLAG_NULLABLE) != 0;
    if (depth > S3S_MAX_DEPTH)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "columns are nested deeper than %d levels",
                        S3S_MAX_DEPTH);
    if (++im->fields > S3S_MAX_FIELDS)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "the schema has more than %d fields",
                        S3S_MAX_FIELDS);
    s3store_status status = import_type(in, field, err);
    if (status != S3STORE_OK)
        return status;
    field->hint = hint_of(in->metadata, field);
    int64_t wanted = field->type == S3S_TYPE_STRUCT ? in->n_children
                     : s3s_type_is_flat(field->type) ? 0
                                                     : 1;
    if (in->n_children != wanted || wanted < 0 || wanted > S3S_MAX_COLUMNS)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "format \"%.64s\" does not go with %lld children", in->format,
                        (long long)in->n_children);
    if (wanted == 0)
        return S3STORE_OK;
    field->child_count = (size_t)wanted;
    field->children = s3s_arena_calloc(im->arena, field->child_count, sizeof *field->children);
    if (field->children == NULL)
        return s3s_fail_memory(err, field->child_count * sizeof *field->children);
    status = import_children(im, in, depth + 1, field->type == S3S_TYPE_STRUCT && !in_map,
                             field->children, err);
    if (status == S3STORE_OK && field->type == S3S_TYPE_MAP)
        status = check_map(field, err);
    return status;
}

static s3store_status check_distinct(importer *im, const s3s_field *fields, size_t count,
                                     s3store_error *err)
{
    const char **names = s3s_alloc(im->arena->env, count * sizeof *names);
    if (names == NULL)
        return s3s_fail_memory(err, count * sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = fields[i].name;
    const char *twice = s3s_names_duplicate(names, count);
    s3s_free(im->arena->env, names);
    if (twice != NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the name \"%.200s\" occurs twice", twice);
    return S3STORE_OK;
}

/* named: members are told apart by name. Depth is bounded, so is this recursion. */
static s3store_status import_children(importer *im, const struct ArrowSchema *in, int depth,
                                      bool named, s3s_field *fields, s3store_error *err)
{
    size_t count = (size_t)in->n_children;
    if (in->children == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the list of its children is missing");
    bool in_map = in->format[0] == '+' && in->format[1] == 'm';
    for (size_t i = 0; i < count; i++) {
        const struct ArrowSchema *child = in->children[i];
        if (child == NULL || child->release == NULL)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "child %zu is missing or released", i);
        s3store_status status = import_field(im, child, depth, in_map, &fields[i], err);
        const char *name = fields[i].name != NULL ? fields[i].name : "?";
        if (status == S3STORE_OK)
            continue;
        if (depth == 1)
            s3s_context(err, "column \"%.200s\"", name);
        else if (!im->placed) /* the innermost one; not the whole way */
            s3s_context(err, "field \"%.200s\"", name);
        im->placed = im->placed || depth > 1;
        return status;
    }
    return named ? check_distinct(im, fields, count, err) : S3STORE_OK;
}

s3store_status s3s_schema_import(s3s_env *env, const struct ArrowSchema *in, s3s_schema **out,
                                 s3store_error *err)
{
    *out = NULL;
    if (in == NULL || in->release == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the Arrow schema is missing or released");
    if (in->format == NULL || strcmp(in->format, "+s") != 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "the Arrow schema must be a struct (\"+s\") whose children are the "
                        "columns, not \"%.64s\"",
                        in->format != NULL ? in->format : "");
    if (in->n_children < 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "the Arrow schema has %lld columns",
                        (long long)in->n_children);
    if (in->n_children > S3S_MAX_COLUMNS)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                        "the Arrow schema has %lld columns, more than %d",
                        (long long)in->n_children, S3S_MAX_COLUMNS);
    s3s_schema *schema;
    s3store_status status = s3s_schema_new(env, (size_t)in->n_children, &schema, err);
    if (status != S3STORE_OK)
        return status;
    importer im = {.arena = &schema->arena};
    if (schema->field_count > 0)
        status = import_children(&im, in, 1, true, schema->fields, err);
    if (status != S3STORE_OK) {
        s3s_schema_release(schema);
        return status;
    }
    *out = schema;
    return S3STORE_OK;
}
