#include "unit/arrow/kit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"

int kit_setup(void **state)
{
    s3store_error err;
    s3s_env *env;
    assert_ok(s3s_env_new_real(&env, &err));
    *state = env;
    return 0;
}

int kit_teardown(void **state)
{
    s3s_env *env = *state;
    uint64_t live = s3s_env_live_allocs(env);
    s3s_env_release(env);
    if (live != 0)
        print_error("%" PRIu64 " allocations are still live\n", live);
    return live == 0 ? 0 : -1;
}

s3s_schema *kit_schema(s3s_env *env, const char *spec)
{
    s3store_error err;
    s3s_schema *schema;
    char text[2048];
    snprintf(text, sizeof text, "%s", spec);
    size_t count = 0;
    for (const char *p = text; *p != '\0'; p++)
        count += *p == ';';
    assert_ok(s3s_schema_new(env, *text != '\0' ? count + 1 : 0, &schema, &err));
    char *save = NULL;
    char *part = strtok_r(text, ";", &save);
    for (size_t i = 0; part != NULL; i++, part = strtok_r(NULL, ";", &save)) {
        char *type = strchr(part, ':');
        assert_non_null(type);
        *type++ = '\0';
        s3s_field *field = &schema->fields[i];
        field->name = s3s_arena_strdup(&schema->arena, part);
        size_t size = strlen(type);
        if (type[size - 1] == '?') {
            field->nullable = true;
            type[size - 1] = '\0';
        }
        if (s3s_field_from_text(&schema->arena, type, field) != S3S_TEXT_TYPE)
            fail_msg("no type %s", type);
    }
    return schema;
}

static s3store_status append(s3store_builder *b, const s3s_field *field, size_t column,
                             const char *text, s3store_error *err)
{
    if (strcmp(text, "null") == 0)
        return s3store_builder_append_null(b, column, err);
    switch (field->type) {
    case S3S_TYPE_BOOL:
        return s3store_builder_append_bool(b, column, strcmp(text, "true") == 0, err);
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
        return s3store_builder_append_double(b, column, strtod(text, NULL), err);
    case S3S_TYPE_UINT64:
        return s3store_builder_append_uint(b, column, strtoull(text, NULL, 10), err);
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
    case S3S_TYPE_BINARY:
    case S3S_TYPE_LARGE_BINARY:
    case S3S_TYPE_FIXED_BINARY:
        return s3store_builder_append_bytes(b, column, text, strlen(text), err);
    case S3S_TYPE_DECIMAL: {
        uint8_t bytes[32];
        int64_t value = strtoll(text, NULL, 10);
        memset(bytes, value < 0 ? 0xFF : 0, sizeof bytes);
        memcpy(bytes, &value, field->width < 8 ? (size_t)field->width : 8);
        return s3store_builder_append_bytes(b, column, bytes, (size_t)field->width, err);
    }
    default:
        return s3store_builder_append_int(b, column, strtoll(text, NULL, 10), err);
    }
}

/* A value as kit_text shows it: "[1,null]", "{a,[b,c]}", maps "[{k,1}]". Texts in nested values have none
 * of ",]}". Returns what follows it. */
static const char *append_text(s3store_builder *b, const s3s_field *field, size_t column,
                               const char *at)
{
    s3store_error err;
    char word[256];
    s3store_builder *child = s3store_builder_child(b, column);
    if (child == NULL || strncmp(at, "null", 4) == 0) {
        size_t size = strcspn(at, ",]}");
        assert_true(size < sizeof word);
        memcpy(word, at, size);
        word[size] = '\0';
        assert_ok(append(b, field, column, word, &err));
        return at + size;
    }
    bool map = field->type == S3S_TYPE_MAP;
    const s3s_field *inner = map ? &field->children[0] : field;
    char close = field->type == S3S_TYPE_STRUCT ? '}' : ']';
    assert_int_equal(*at, close == '}' ? '{' : '[');
    for (size_t i = 0; *++at != close;) {
        if (map)
            assert_int_equal(*at++, '{');
        at = append_text(child, &inner->children[i], i, at);
        i += close == '}';
        if (map) {
            assert_int_equal(*at, ',');
            at = append_text(child, &inner->children[1], 1, at + 1);
            assert_int_equal(*at++, '}');
        }
        if (*at == close)
            break;
        assert_int_equal(*at, ',');
    }
    assert_ok(s3store_builder_append_nested(b, column, &err));
    return at + 1;
}

void kit_batch(s3s_schema *schema, const char *const *rows, size_t row_count,
               struct ArrowArray *out)
{
    s3store_error err;
    s3store_builder *builder;
    assert_ok(s3s_builder_new(schema->env, schema, &builder, &err));
    for (size_t r = 0; r < row_count; r++) {
        char *text = strdup(rows[r]), *p = text; /* whatever its size: nothing is cut */
        assert_non_null(text);
        for (size_t c = 0; c < schema->field_count; c++) {
            char *end = strchr(p, '|');
            if (end != NULL)
                *end = '\0';
            if (schema->fields[c].child_count > 0)
                assert_int_equal(*append_text(builder, &schema->fields[c], c, p), '\0');
            else
                assert_ok(append(builder, &schema->fields[c], c, p, &err));
            p = end != NULL ? end + 1 : p + strlen(p);
        }
        free(text);
    }
    assert_ok(s3store_builder_finish(builder, out, &err));
    s3store_builder_free(builder);
}

/* ---- text ------------------------------------------------------------------------------------ */

static char text_buffer[65536];
static size_t text_size;

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text_buffer + text_size, sizeof text_buffer - text_size, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n < sizeof text_buffer - text_size);
    text_size += (size_t)n;
}

static void put_value(const s3s_column *c, int64_t i)
{
    s3s_column child;
    int64_t start;
    int64_t end;
    if (s3s_column_is_null(c, i)) {
        put("null");
        return;
    }
    switch (c->field->type) {
    case S3S_TYPE_BOOL:
        put("%s", s3s_column_bool(c, i) ? "true" : "false");
        return;
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
        put("%.17g", s3s_column_double(c, i));
        return;
    case S3S_TYPE_UINT64:
        put("%" PRIu64, (uint64_t)s3s_column_int(c, i));
        return;
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
    case S3S_TYPE_BINARY:
    case S3S_TYPE_LARGE_BINARY:
    case S3S_TYPE_FIXED_BINARY: {
        s3store_bytes bytes = s3s_column_bytes(c, i);
        put("%.*s", (int)bytes.size, (const char *)bytes.data);
        return;
    }
    case S3S_TYPE_DECIMAL: {
        int64_t value = 0;
        s3store_bytes bytes = s3s_column_bytes(c, i);
        if (bytes.size == 4)
            value = (int32_t)s3s_le32(bytes.data);
        else
            memcpy(&value, bytes.data, 8);
        put("%" PRId64, value);
        return;
    }
    case S3S_TYPE_LIST:
    case S3S_TYPE_LARGE_LIST:
    case S3S_TYPE_MAP:
        s3s_column_child(c, 0, &child);
        s3s_column_list(c, i, &start, &end);
        put("[");
        for (int64_t e = start; e < end; e++) {
            put("%s", e > start ? "," : "");
            put_value(&child, e);
        }
        put("]");
        return;
    case S3S_TYPE_STRUCT:
        put("{");
        for (size_t k = 0; k < c->field->child_count; k++) {
            s3s_column_child(c, k, &child);
            put("%s", k > 0 ? "," : "");
            put_value(&child, i);
        }
        put("}");
        return;
    default:
        put("%" PRId64, s3s_column_int(c, i));
        return;
    }
}

const char *kit_text(const s3s_schema *schema, const struct ArrowArray *batch)
{
    text_size = 0;
    text_buffer[0] = '\0';
    for (int64_t r = 0; r < batch->length; r++) {
        for (size_t c = 0; c < schema->field_count; c++) {
            s3s_column column;
            s3s_batch_column(schema, batch, c, &column);
            put("%s", c > 0 ? "|" : "");
            put_value(&column, r);
        }
        put("\n");
    }
    return text_buffer;
}

/* ---- nested ---------------------------------------------------------------------------------- */

static void *buffer_of(s3s_env *env, const void *data, size_t size)
{
    void *copy = s3s_alloc(env, size);
    assert_non_null(copy);
    memcpy(copy, data, size);
    return copy;
}

static void field_init(s3s_schema *schema, s3s_field *field, const char *name, s3s_type type,
                       bool nullable, size_t child_count)
{
    field->name = s3s_arena_strdup(&schema->arena, name);
    field->type = type;
    field->nullable = nullable;
    field->child_count = child_count;
    field->children = s3s_arena_calloc(&schema->arena, child_count, sizeof *field->children);
}

static void make(s3s_env *env, const s3s_field *field, int64_t length, int64_t nulls,
                 void *validity, void *b1, void *b2, struct ArrowArray *children,
                 struct ArrowArray *out)
{
    s3store_error err;
    void *buffers[3] = {validity, b1, b2};
    size_t count = field->type == S3S_TYPE_STRUCT ? 1
                   : s3s_type_is_bytes(field->type) ? 3
                                                    : 2;
    assert_ok(s3s_array_make(env, field, length, nulls, buffers, count, children,
                             field->child_count, out, &err));
}

/* Four rows:
 *   id int64        1          2       3            4
 *   l list<int32?>  [10,null]  null    []           [13]
 *   s struct<a string?, b list<string>>
 *                   {x,[p,q]}  {null,[]}  null      {zz,[r]}
 *   m map<string, int64?>
 *                   [{k1,1}]   []      [{k2,null},{k3,3}]  null
 */
void kit_nested(s3s_env *env, s3s_schema **out_schema, struct ArrowArray *out)
{
    s3store_error err;
    s3s_schema *s;
    assert_ok(s3s_schema_new(env, 4, &s, &err));
    field_init(s, &s->fields[0], "id", S3S_TYPE_INT64, false, 0);
    field_init(s, &s->fields[1], "l", S3S_TYPE_LIST, true, 1);
    field_init(s, &s->fields[1].children[0], "item", S3S_TYPE_INT32, true, 0);
    field_init(s, &s->fields[2], "s", S3S_TYPE_STRUCT, true, 2);
    field_init(s, &s->fields[2].children[0], "a", S3S_TYPE_STRING, true, 0);
    s3s_field *b = &s->fields[2].children[1];
    field_init(s, b, "b", S3S_TYPE_LARGE_LIST, false, 1);
    field_init(s, &b->children[0], "item", S3S_TYPE_STRING, false, 0);
    field_init(s, &s->fields[3], "m", S3S_TYPE_MAP, true, 1);
    s3s_field *entries = &s->fields[3].children[0];
    field_init(s, entries, "entries", S3S_TYPE_STRUCT, false, 2);
    field_init(s, &entries->children[0], "key", S3S_TYPE_STRING, false, 0);
    field_init(s, &entries->children[1], "value", S3S_TYPE_INT64, true, 0);

#define BUF(type, ...) buffer_of(env, (type[]){__VA_ARGS__}, sizeof((type[]){__VA_ARGS__}))
    struct ArrowArray columns[4];
    struct ArrowArray c[2];
    struct ArrowArray d[1];
    make(env, &s->fields[0], 4, 0, NULL, BUF(int64_t, 1, 2, 3, 4), NULL, NULL, &columns[0]);
    make(env, &s->fields[1].children[0], 3, 1, BUF(uint8_t, 0x5), BUF(int32_t, 10, 0, 13), NULL,
         NULL, &c[0]);
    make(env, &s->fields[1], 4, 1, BUF(uint8_t, 0xD), BUF(int32_t, 0, 2, 2, 2, 3), NULL, c,
         &columns[1]);
    make(env, &s->fields[2].children[0], 4, 2, BUF(uint8_t, 0x9), BUF(int32_t, 0, 1, 1, 1, 3),
         buffer_of(env, "xzz", 3), NULL, &c[0]);
    make(env, &b->children[0], 3, 0, NULL, BUF(int32_t, 0, 1, 2, 3), buffer_of(env, "pqr", 3),
         NULL, &d[0]);
    make(env, b, 4, 0, NULL, BUF(int64_t, 0, 2, 2, 2, 3), NULL, d, &c[1]);
    make(env, &s->fields[2], 4, 1, BUF(uint8_t, 0xB), NULL, NULL, c, &columns[2]);
    make(env, &entries->children[0], 3, 0, NULL, BUF(int32_t, 0, 2, 4, 6),
         buffer_of(env, "k1k2k3", 6), NULL, &c[0]);
    make(env, &entries->children[1], 3, 1, BUF(uint8_t, 0x5), BUF(int64_t, 1, 0, 3), NULL, NULL,
         &c[1]);
    make(env, entries, 3, 0, NULL, NULL, NULL, c, &d[0]);
    make(env, &s->fields[3], 4, 1, BUF(uint8_t, 0x7), BUF(int32_t, 0, 1, 1, 3, 3), NULL, d,
         &columns[3]);
#undef BUF
    assert_ok(s3s_batch_make(env, columns, 4, 4, out, &err));
    *out_schema = s;
}
