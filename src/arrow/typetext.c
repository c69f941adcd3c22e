/* Types as people write them: messages, the command's --types, the recorded schema. */
#include <stdarg.h>
#include <stdio.h>

#include "arrow/internal.h"

static const char *const unit_names[] = {"s", "ms", "us", "ns"};

/* Names without parameters; with a hint they have a name of their own. The first of a type is
 * the one that is written, the others are read as well. */
typedef struct plain_name {
    const char *text;
    s3s_type type;
    s3s_hint hint;
} plain_name;

static const plain_name plain_names[] = {
    {"null", S3S_TYPE_NULL, S3S_HINT_NONE},
    {"bool", S3S_TYPE_BOOL, S3S_HINT_NONE},
    {"int8", S3S_TYPE_INT8, S3S_HINT_NONE},
    {"int16", S3S_TYPE_INT16, S3S_HINT_NONE},
    {"int32", S3S_TYPE_INT32, S3S_HINT_NONE},
    {"int64", S3S_TYPE_INT64, S3S_HINT_NONE},
    {"uint8", S3S_TYPE_UINT8, S3S_HINT_NONE},
    {"uint16", S3S_TYPE_UINT16, S3S_HINT_NONE},
    {"uint32", S3S_TYPE_UINT32, S3S_HINT_NONE},
    {"uint64", S3S_TYPE_UINT64, S3S_HINT_NONE},
    {"float16", S3S_TYPE_FLOAT16, S3S_HINT_NONE},
    {"float", S3S_TYPE_FLOAT, S3S_HINT_NONE},
    {"double", S3S_TYPE_DOUBLE, S3S_HINT_NONE},
    {"string", S3S_TYPE_STRING, S3S_HINT_NONE},
    {"json", S3S_TYPE_STRING, S3S_HINT_JSON},
    {"enum", S3S_TYPE_STRING, S3S_HINT_ENUM},
    {"large_string", S3S_TYPE_LARGE_STRING, S3S_HINT_NONE},
    {"large_json", S3S_TYPE_LARGE_STRING, S3S_HINT_JSON},
    {"large_enum", S3S_TYPE_LARGE_STRING, S3S_HINT_ENUM},
    {"binary", S3S_TYPE_BINARY, S3S_HINT_NONE},
    {"bson", S3S_TYPE_BINARY, S3S_HINT_BSON},
    {"large_binary", S3S_TYPE_LARGE_BINARY, S3S_HINT_NONE},
    {"large_bson", S3S_TYPE_LARGE_BINARY, S3S_HINT_BSON},
    {"uuid", S3S_TYPE_FIXED_BINARY, S3S_HINT_UUID},
    {"date", S3S_TYPE_DATE32, S3S_HINT_NONE},
    {"date32", S3S_TYPE_DATE32, S3S_HINT_NONE},
    {"date64", S3S_TYPE_DATE64, S3S_HINT_NONE},
    {"interval", S3S_TYPE_INTERVAL, S3S_HINT_NONE},
};

typedef struct unit_name {
    const char *text;
    s3s_unit unit;
} unit_name;

/* The command's short forms; all in UTC. */
static const unit_name timestamp_names[] = {
    {"timestamp", S3S_MICRO},    {"timestamp_s", S3S_SECOND},  {"timestamp_ms", S3S_MILLI},
    {"timestamp_us", S3S_MICRO}, {"timestamp_ns", S3S_NANO},
};

typedef struct decimal_name {
    const char *text;
    int32_t width;
    int32_t max_precision;
} decimal_name;

static const decimal_name decimal_names[] = {
    {"decimal", 16, 38},
    {"decimal32", 4, 9},
    {"decimal64", 8, 18},
    {"decimal128", 16, 38},
    {"decimal256", 32, 76},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- writing --------------------------------------------------------------------------------- */

typedef struct text_out {
    char *buffer;
    size_t size;
    size_t used;
} text_out;

__attribute__((format(printf, 2, 3))) static void put(text_out *out, const char *format, ...)
{
    if (out->used + 1 >= out->size)
        return; /* cut: the text is for people */
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(out->buffer + out->used, out->size - out->used, format, args);
    va_end(args);
    if (wanted > 0) {
        size_t room = out->size - out->used - 1;
        out->used += (size_t)wanted < room ? (size_t)wanted : room;
    }
}

static const char *plain_text(const s3s_field *field)
{
    for (size_t i = 0; i < COUNT(plain_names); i++)
        if (plain_names[i].type == field->type && plain_names[i].hint == field->hint &&
            (field->hint != S3S_HINT_UUID || field->width == 16))
            return plain_names[i].text;
    for (size_t i = 0; i < COUNT(plain_names); i++)
        if (plain_names[i].type == field->type && plain_names[i].hint == S3S_HINT_NONE)
            return plain_names[i].text;
    return NULL;
}

static const char *decimal_text(int32_t width)
{
    for (size_t i = 0; i < COUNT(decimal_names); i++)
        if (decimal_names[i].width == width)
            return decimal_names[i].text;
    return "decimal";
}

static void put_type(text_out *out, const s3s_field *field, bool in_map)
{
    const char *plain = plain_text(field);
    if (plain != NULL) {
        put(out, "%s", plain);
        return;
    }
    switch (field->type) {
    case S3S_TYPE_FIXED_BINARY:
        put(out, "fixed_binary(%d)", (int)field->width);
        return;
    case S3S_TYPE_TIME32:
    case S3S_TYPE_TIME64:
        put(out, "time(%s)", unit_names[field->unit]);
        return;
    case S3S_TYPE_TIMESTAMP:
        put(out, "timestamp(%s%s)", unit_names[field->unit], field->utc ? ", UTC" : "");
        return;
    case S3S_TYPE_DURATION:
        put(out, "duration(%s)", unit_names[field->unit]);
        return;
    case S3S_TYPE_DECIMAL:
        put(out, "%s(%d, %d)", decimal_text(field->width), (int)field->precision,
            (int)field->scale);
        return;
    default:
        break;
    }
    if (field->type == S3S_TYPE_MAP)
        put(out, "map<");
    else if (!in_map)
        put(out, "%s<", field->type == S3S_TYPE_STRUCT       ? "struct"
                        : field->type == S3S_TYPE_LARGE_LIST ? "large_list"
                                                             : "list");
    for (size_t i = 0; i < field->child_count; i++) {
        if (i > 0)
            put(out, ", ");
        if (field->type != S3S_TYPE_MAP && !in_map)
            put(out, "%s: ", field->children[i].name);
        put_type(out, &field->children[i], field->type == S3S_TYPE_MAP);
    }
    if (!in_map)
        put(out, ">");
}

const char *s3s_field_type_text(const s3s_field *field, char *buffer, size_t buffer_size)
{
    text_out out = {buffer, buffer_size, 0};
    if (buffer_size > 0)
        buffer[0] = '\0';
    put_type(&out, field, false);
    return buffer;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool unit_from_text(const char *text, size_t size, s3s_unit *unit)
{
    for (size_t i = 0; i < COUNT(unit_names); i++)
        if (strlen(unit_names[i]) == size && memcmp(unit_names[i], text, size) == 0) {
            *unit = (s3s_unit)i;
            return true;
        }
    return false;
}

/* Splits "name(a, b)" into the name's length and up to two arguments. */
typedef struct call_text {
    size_t name_size;
    const char *args[2];
    size_t sizes[2];
    size_t count;
} call_text;

static bool call_parse(const char *text, call_text *call)
{
    const char *open = strchr(text, '(');
    size_t size = strlen(text);
    if (open == NULL || open == text || text[size - 1] != ')')
        return false;
    call->name_size = (size_t)(open - text);
    call->count = 0;
    const char *p = open + 1;
    const char *end = text + size - 1;
    for (;;) {
        while (p < end && *p == ' ')
            p++;
        const char *last = p;
        while (last < end && *last != ',')
            last++;
        const char *trim = last;
        while (trim > p && trim[-1] == ' ')
            trim--;
        if (trim == p || call->count == 2)
            return false;
        call->args[call->count] = p;
        call->sizes[call->count++] = (size_t)(trim - p);
        if (last == end)
            return true;
        p = last + 1;
    }
}

static bool call_int(const call_text *call, size_t i, int64_t min, int64_t max, int32_t *out)
{
    int64_t value;
    if (!s3s_parse_i64(call->args[i], call->sizes[i], &value) || value < min || value > max)
        return false;
    *out = (int32_t)value;
    return true;
}

static bool call_is(const char *text, const call_text *call, const char *name)
{
    return strlen(name) == call->name_size && memcmp(text, name, call->name_size) == 0;
}

static bool decimal_from_call(const char *text, const call_text *call, s3s_field *field)
{
    for (size_t i = 0; i < COUNT(decimal_names); i++) {
        const decimal_name *d = &decimal_names[i];
        if (!call_is(text, call, d->text))
            continue;
        field->type = S3S_TYPE_DECIMAL;
        field->width = d->width;
        return call_int(call, 0, 1, d->max_precision, &field->precision) &&
               (call->count == 1 ||
                call_int(call, 1, -d->max_precision, d->max_precision, &field->scale));
    }
    return false;
}

static bool type_from_call(const char *text, const call_text *call, s3s_field *field)
{
    bool unit = unit_from_text(call->args[0], call->sizes[0], &field->unit);
    if (call_is(text, call, "timestamp")) {
        field->type = S3S_TYPE_TIMESTAMP;
        field->utc = call->count == 2;
        return unit && (call->count == 1 ||
                        (call->sizes[1] == 3 && memcmp(call->args[1], "UTC", 3) == 0));
    }
    if (call_is(text, call, "time")) {
        field->type = field->unit <= S3S_MILLI ? S3S_TYPE_TIME32 : S3S_TYPE_TIME64;
        return unit && call->count == 1;
    }
    if (call_is(text, call, "duration")) {
        field->type = S3S_TYPE_DURATION;
        return unit && call->count == 1;
    }
    field->unit = S3S_SECOND;
    if (call_is(text, call, "fixed_binary")) {
        field->type = S3S_TYPE_FIXED_BINARY;
        return call->count == 1 && call_int(call, 0, 1, 1 << 30, &field->width);
    }
    return decimal_from_call(text, call, field);
}

bool s3s_type_from_text(const char *text, s3s_field *field)
{
    s3s_field parsed = {.name = field->name, .nullable = field->nullable};
    call_text call;
    bool found = false;
    for (size_t i = 0; i < COUNT(plain_names) && !found; i++) {
        if (strcmp(plain_names[i].text, text) != 0)
            continue;
        parsed.type = plain_names[i].type;
        parsed.hint = plain_names[i].hint;
        parsed.width = parsed.hint == S3S_HINT_UUID ? 16 : 0;
        found = true;
    }
    for (size_t i = 0; i < COUNT(timestamp_names) && !found; i++) {
        if (strcmp(timestamp_names[i].text, text) != 0)
            continue;
        parsed.type = S3S_TYPE_TIMESTAMP;
        parsed.unit = timestamp_names[i].unit;
        parsed.utc = true;
        found = true;
    }
    if (!found)
        found = call_parse(text, &call) && type_from_call(text, &call, &parsed);
    if (found)
        *field = parsed;
    return found;
}

/* ---- reading nested types -------------------------------------------------------------------- */

typedef struct text_in {
    s3s_arena *arena;
    const char *at;
    s3s_text_result result; /* S3S_TEXT_TYPE while nothing is wrong */
} text_in;

static bool read_type(text_in *in, s3s_field *field, int depth);

static bool reading_fails(text_in *in, s3s_text_result result)
{
    in->result = result;
    return false;
}

/* A flat type: up to a comma or an angle bracket outside of parentheses. */
static bool read_flat(text_in *in, s3s_field *field)
{
    char word[64];
    size_t size = 0;
    int parens = 0;
    for (; in->at[size] != '\0'; size++) {
        char c = in->at[size];
        parens += (c == '(') - (c == ')');
        if (parens == 0 && (c == ',' || c == '>' || c == '<'))
            break;
    }
    size_t trimmed = size;
    while (trimmed > 0 && in->at[trimmed - 1] == ' ')
        trimmed--;
    if (trimmed >= sizeof word)
        return reading_fails(in, S3S_TEXT_NO_TYPE);
    memcpy(word, in->at, trimmed);
    word[trimmed] = '\0';
    in->at += size;
    return s3s_type_from_text(word, field) || reading_fails(in, S3S_TEXT_NO_TYPE);
}

/* "name: ", which a struct's members need and a list's elements may have. */
static bool read_name(text_in *in, bool needed, const char **name)
{
    size_t size = strcspn(in->at, ":,<>()");
    if (in->at[size] != ':')
        return !needed || reading_fails(in, S3S_TEXT_NO_TYPE);
    if (size == 0 || !s3s_utf8_valid(in->at, size))
        return reading_fails(in, S3S_TEXT_NO_TYPE);
    char *copy = s3s_arena_alloc(in->arena, size + 1);
    if (copy == NULL)
        return reading_fails(in, S3S_TEXT_NO_MEMORY);
    memcpy(copy, in->at, size);
    copy[size] = '\0';
    *name = copy;
    in->at += size + 1;
    return true;
}

/* Room for one more child. */
static s3s_field *add_child(text_in *in, s3s_field *field, size_t *capacity)
{
    if (field->child_count >= S3S_MAX_COLUMNS) {
        reading_fails(in, S3S_TEXT_NO_TYPE);
        return NULL;
    }
    if (field->child_count == *capacity) {
        size_t grown = *capacity == 0 ? 4 : *capacity * 2;
        s3s_field *children = s3s_arena_calloc(in->arena, grown, sizeof *children);
        if (children == NULL) {
            reading_fails(in, S3S_TEXT_NO_MEMORY);
            return NULL;
        }
        if (field->child_count > 0)
            memcpy(children, field->children, field->child_count * sizeof *children);
        field->children = children;
        *capacity = grown;
    }
    return &field->children[field->child_count++];
}

static bool check_members(text_in *in, const s3s_field *field)
{
    const char **names = s3s_alloc(in->arena->env, field->child_count * sizeof *names);
    if (names == NULL)
        return reading_fails(in, S3S_TEXT_NO_MEMORY);
    for (size_t i = 0; i < field->child_count; i++)
        names[i] = field->children[i].name;
    bool distinct = s3s_names_duplicate(names, field->child_count) == NULL;
    s3s_free(in->arena->env, names);
    return distinct || reading_fails(in, S3S_TEXT_NO_TYPE);
}

/* Key and value into the entries. */
static bool finish_map(text_in *in, s3s_field *field)
{
    s3s_field *entries = s3s_arena_calloc(in->arena, 1, sizeof *entries);
    if (field->child_count != 2)
        return reading_fails(in, S3S_TEXT_NO_TYPE);
    if (entries == NULL)
        return reading_fails(in, S3S_TEXT_NO_MEMORY);
    *entries = (s3s_field){.name = "entries", .type = S3S_TYPE_STRUCT, .child_count = 2,
                           .children = field->children};
    entries->children[0].name = "key";
    entries->children[0].nullable = false;
    entries->children[1].name = "value";
    field->children = entries;
    field->child_count = 1;
    return true;
}

/* Behind "<". */
static bool read_children(text_in *in, s3s_field *field, int depth)
{
    size_t capacity = 0;
    bool more = true;
    int below = field->type == S3S_TYPE_MAP ? depth + 2 : depth + 1;
    while (more) {
        const char *name = "item";
        s3s_field *child = add_child(in, field, &capacity);
        in->at += strspn(in->at, " ");
        if (child == NULL || (field->type != S3S_TYPE_MAP &&
                              !read_name(in, field->type == S3S_TYPE_STRUCT, &name)))
            return false;
        child->name = name;
        child->nullable = true;
        if (!read_type(in, child, below))
            return false;
        more = *in->at == ',';
        if (!more && *in->at != '>')
            return reading_fails(in, S3S_TEXT_NO_TYPE);
        in->at++;
    }
    if (field->type == S3S_TYPE_MAP)
        return finish_map(in, field);
    if (field->type == S3S_TYPE_STRUCT)
        return check_members(in, field);
    return field->child_count == 1 || reading_fails(in, S3S_TEXT_NO_TYPE);
}

/* Depth is bounded, so is this recursion. */
static bool read_type(text_in *in, s3s_field *field, int depth)
{
    static const struct {
        const char *text;
        s3s_type type;
    } names[] = {{"list<", S3S_TYPE_LIST},
                 {"large_list<", S3S_TYPE_LARGE_LIST},
                 {"struct<", S3S_TYPE_STRUCT},
                 {"map<", S3S_TYPE_MAP}};
    if (depth > S3S_MAX_DEPTH)
        return reading_fails(in, S3S_TEXT_NO_TYPE);
    in->at += strspn(in->at, " ");
    for (size_t i = 0; i < COUNT(names); i++) {
        size_t size = strlen(names[i].text);
        if (strncmp(in->at, names[i].text, size) != 0)
            continue;
        *field = (s3s_field){.name = field->name, .nullable = field->nullable,
                             .type = names[i].type};
        in->at += size;
        if (!read_children(in, field, depth))
            return false;
        in->at += strspn(in->at, " ");
        return true;
    }
    return read_flat(in, field);
}

s3s_text_result s3s_field_from_text(s3s_arena *arena, const char *text, s3s_field *field)
{
    text_in in = {arena, text, S3S_TEXT_TYPE};
    s3s_field parsed = {.name = field->name, .nullable = field->nullable};
    if (!read_type(&in, &parsed, 1))
        return in.result;
    if (*in.at != '\0')
        return S3S_TEXT_NO_TYPE;
    *field = parsed;
    return S3S_TEXT_TYPE;
}
