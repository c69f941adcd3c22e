/* dataset/view_def.c: what a view is: from the caller, and as JSON (docs/FORMAT.md
 * "Self-description"). */
#include "dataset/view.h"

#include <string.h>

#include "arrow/builder.h"
#include "base/bytes.h"
#include "base/error.h"
#include "dataset/document.h"
#include "dataset/quote.h"
#include "dataset/valuetext.h"

#define VIEW_FORMAT 1
#define VIEW_DEF_SIZE_MAX 65536

void s3s_view_def_deinit(s3s_view_def *def)
{
    s3s_schema_release(def->record_schema);
    s3s_arena_deinit(&def->arena);
    *def = (s3s_view_def){0};
}

static void begin(s3s_view_def *def, s3s_env *env)
{
    *def = (s3s_view_def){.env = env};
    s3s_arena_init(&def->arena, env);
}

s3store_status s3s_view_name_check(const char *name, s3store_error *err)
{
    const char *why = NULL;
    if (name == NULL || name[0] == '\0')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "a view has no name");
    if (strchr(name, '/') != NULL)
        why = "it contains '/'";
    else if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        why = "it means a directory";
    else if (!s3s_utf8_valid(name, strlen(name)))
        why = "it is not UTF-8";
    for (const char *p = name; why == NULL && *p != '\0'; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            why = "it contains a control byte";
    if (why == NULL)
        return S3STORE_OK;
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT, "%s cannot be the name of a view: %s",
                    s3s_quote_text(name).text, why);
}

static s3store_status of_view(s3store_status status, const char *name, s3store_error *err)
{
    if (status != S3STORE_OK)
        s3s_context(err, "view %s", s3s_quote_text(name).text);
    return status;
}

/* Name and columns, however they were said. */
static s3store_status fill(s3s_view_def *def, const char *name, const char *const *columns,
                           size_t count, s3store_error *err)
{
    const char *names[S3S_NAMES_MAX] = {0};
    s3store_status status = s3s_view_name_check(name, err);
    if (status != S3STORE_OK)
        return status;
    if (columns == NULL || count == 0 || count > S3S_NAMES_MAX)
        return of_view(s3s_names_check(names, columns == NULL ? 0 : count, "view column", err),
                       name, err);
    def->name = s3s_arena_strdup(&def->arena, name);
    def->columns = s3s_arena_calloc(&def->arena, count, sizeof *def->columns);
    def->names = s3s_arena_calloc(&def->arena, count, sizeof *def->names);
    if (def->name == NULL || def->columns == NULL || def->names == NULL)
        return s3s_fail_memory(err, count * sizeof *def->columns);
    def->count = count;
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        status = s3s_part_spec_parse(&def->arena, columns[i], &def->columns[i], err);
        def->names[i] = def->columns[i].name;
    }
    if (status == S3STORE_OK)
        status = s3s_names_check(def->names, count, "view column", err);
    return of_view(status, name, err);
}

/* ---- from the caller ------------------------------------------------------------------------- */

static s3store_status fill_function(s3s_view_def *def, const s3store_view_def *given,
                                    s3store_error *err)
{
    for (size_t i = 0; i < def->count; i++)
        if (strcmp(def->columns[i].name, def->columns[i].text) != 0)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "view %s: its function makes the texts, so that the column %s can have "
                            "neither source nor format",
                            s3s_quote_text(def->name).text,
                            s3s_quote_text(def->columns[i].text).text);
    if (given->record_type == NULL)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "view %s has a function, but no record_type to call it with",
                        s3s_quote_text(def->name).text);
    def->of = given->of;
    def->of_ctx = given->of_ctx;
    def->record_type = *given->record_type;
    return s3s_record_schema(def->env, &def->record_type, &def->record_schema, err);
}

s3store_status s3s_view_def_make(s3s_env *env, const s3store_view_def *given, s3s_view_def *out,
                                 s3store_error *err)
{
    s3store_view_def own = {0};
    begin(out, env);
    if (given == NULL || given->size < offsetof(s3store_view_def, of) ||
        given->size > VIEW_DEF_SIZE_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "a view definition's size is not set (use S3STORE_VIEW_DEF_INIT)");
    for (size_t i = sizeof own; i < given->size; i++) /* of a newer header than this library's */
        if (((const unsigned char *)given)[i] != 0)
            return s3s_fail(err, S3STORE_UNSUPPORTED,
                            "a view definition says what this library does not know (byte %zu)", i);
    memcpy(&own, given, given->size < sizeof own ? given->size : sizeof own);
    s3store_status status = fill(out, own.name, own.columns, own.column_count, err);
    if (status == S3STORE_OK && own.of != NULL)
        status = fill_function(out, &own, err);
    if (status != S3STORE_OK)
        s3s_view_def_deinit(out);
    return status;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static s3store_status read_columns(const s3s_json *list, const char *key, const char **columns,
                                   size_t *count, s3store_error *err)
{
    *count = s3s_json_is_array(list) ? s3s_json_count(list) : 0;
    if (*count == 0 || *count > S3S_NAMES_MAX)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "%s: \"columns\" is not a list of 1 to %d columns", key,
                            S3S_NAMES_MAX);
    for (size_t i = 0; i < *count; i++) {
        columns[i] = s3s_json_text(s3s_json_at(list, i));
        if (columns[i] == NULL)
            return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                                "%s: element %zu of \"columns\" is not a text", key, i);
    }
    return S3STORE_OK;
}

static s3store_status read_members(s3s_view_def *def, const s3s_json *root, const char *key,
                                   s3store_error *err)
{
    const char *columns[S3S_NAMES_MAX] = {0};
    const char *name = s3s_json_text(s3s_json_get(root, "name"));
    size_t count;
    s3store_error inner = {0};
    if (name == NULL)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s: \"name\" is not a text", key);
    s3store_status status =
        read_columns(s3s_json_get(root, "columns"), key, columns, &count, err);
    if (status != S3STORE_OK)
        return status;
    status = fill(def, name, columns, count, &inner);
    if (status == S3STORE_OUT_OF_MEMORY)
        return s3s_fail(err, status, "%s", inner.message);
    return status == S3STORE_OK
               ? status
               : s3s_fail_key(err, S3STORE_BAD_CONFIG, key, "%s: %s", key, inner.message);
}

s3store_status s3s_view_def_parse(s3s_env *env, const char *text, size_t size, const char *key,
                                  s3s_view_def *out, s3store_error *err)
{
    s3s_json *root = NULL;
    begin(out, env);
    s3store_status status = s3s_document_open(text, size, key, VIEW_FORMAT, &root, err);
    if (status == S3STORE_OK)
        status = read_members(out, root, key, err);
    s3s_json_free(root);
    if (status != S3STORE_OK)
        s3s_view_def_deinit(out);
    return status;
}

s3store_status s3s_view_def_write(const s3s_view_def *def, s3s_buffer *out, s3store_error *err)
{
    s3s_json_writer w;
    s3s_json_begin(&w, out);
    s3s_json_open(&w, '{');
    s3s_json_name(&w, "format");
    s3s_json_put_int(&w, VIEW_FORMAT);
    s3s_json_name(&w, "name");
    s3s_json_put_text(&w, def->name);
    s3s_json_name(&w, "columns");
    s3s_json_open(&w, '[');
    for (size_t i = 0; i < def->count; i++)
        s3s_json_put_text(&w, def->columns[i].text);
    s3s_json_close(&w, ']');
    s3s_json_close(&w, '}');
    return s3s_json_end(&w, err);
}

/* ---- agreement ------------------------------------------------------------------------------- */

s3store_status s3s_view_def_agree(const s3s_view_def *recorded, const s3s_view_def *given,
                                  const char *key, s3store_error *err)
{
    s3s_name_list have = {0}, want = {0};
    bool same = recorded->count == given->count;
    if (given->of != NULL)
        return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                            "view %s is recorded by columns in %s, but a function was given for "
                            "it: use another name",
                            s3s_quote_text(given->name).text, key);
    for (size_t i = 0; same && i < given->count; i++)
        same = s3s_part_spec_equal(&recorded->columns[i], &given->columns[i]);
    if (same)
        return S3STORE_OK;
    for (size_t i = 0; i < recorded->count; i++)
        s3s_name_list_add(&have, recorded->columns[i].text);
    for (size_t i = 0; i < given->count; i++)
        s3s_name_list_add(&want, given->columns[i].text);
    return s3s_fail_key(err, S3STORE_BAD_CONFIG, key,
                        "view %s is \"%s\" in %s, but \"%s\" was given: it cannot be changed, use "
                        "another name",
                        s3s_quote_text(given->name).text, have.text, key, want.text);
}

s3store_status s3s_view_def_check(const s3s_view_def *def, const s3s_schema *schema,
                                  const char **missing, s3store_error *err)
{
    if (def->of != NULL)
        return S3STORE_OK;
    for (size_t i = 0; i < def->count; i++) {
        const s3s_part_spec *spec = &def->columns[i];
        size_t at = s3s_schema_find(schema, spec->column);
        s3s_text_form form;
        if (at == SIZE_MAX && missing != NULL) {
            *missing = spec->column;
            continue;
        }
        if (at == SIZE_MAX)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "view %s: there is no column %s, which its column %s is made from",
                            s3s_quote_text(def->name).text, s3s_quote_text(spec->column).text,
                            s3s_quote_text(spec->name).text);
        s3store_status status = s3s_text_form_init(&form, &schema->fields[at], spec, err);
        if (status != S3STORE_OK)
            return of_view(status, def->name, err);
    }
    return S3STORE_OK;
}
