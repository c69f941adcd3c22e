/* dataset/partspec.c: parsing "part[=column[:format]]" (partition.h). */
#include <string.h>

#include "base/error.h"
#include "base/timefmt.h"
#include "dataset/quote.h"
#include "dataset/valuetext.h"

static const struct {
    const char *name;
    s3s_format_kind kind;
} formats[] = {
    {"year", S3S_FORMAT_YEAR},
    {"month", S3S_FORMAT_MONTH},
    {"day", S3S_FORMAT_DAY},
    {"hour", S3S_FORMAT_HOUR},
    {"rfc3339", S3S_FORMAT_RFC3339},
};

static s3store_status bad_format(const char *text, const char *format, s3store_error *err)
{
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                    "%s: there is no format %s; there are year, month, day, hour, rfc3339, and text "
                    "with %%Y %%y %%m %%b %%B %%d %%e %%j %%a %%A %%H %%I %%p %%M %%S %%f %%L %%N",
                    s3s_quote_text(text).text, s3s_quote_text(format).text);
}

/* A trial with the first moment of 1970 finds unknown elements, and text that no key can hold. */
static s3store_status parse_format(s3s_arena *arena, const char *text, const char *format,
                                   s3s_part_spec *out, s3store_error *err)
{
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(format, formats[i].name) == 0) {
            out->format = formats[i].kind;
            return S3STORE_OK;
        }
    char trial[S3S_VALUE_TEXT_SIZE];
    if (strchr(format, '%') == NULL || !s3s_time_strftime(0, 0, format, trial, sizeof trial))
        return bad_format(text, format, err);
    s3store_status status = s3s_value_check(out->name, trial, strlen(trial), err);
    if (status != S3STORE_OK) {
        s3s_context(err, "%s", s3s_quote_text(text).text);
        return status;
    }
    out->format = S3S_FORMAT_STRFTIME;
    out->strftime = s3s_arena_strdup(arena, format);
    return out->strftime != NULL ? S3STORE_OK : s3s_fail_memory(err, strlen(format) + 1);
}

static const char *canonical(s3s_arena *arena, const s3s_part_spec *spec, const char *format)
{
    if (format != NULL)
        return s3s_arena_printf(arena, "%s=%s:%s", spec->name, spec->column, format);
    if (strcmp(spec->name, spec->column) != 0)
        return s3s_arena_printf(arena, "%s=%s", spec->name, spec->column);
    return spec->name;
}

s3store_status s3s_part_spec_parse(s3s_arena *arena, const char *text, s3s_part_spec *out,
                                   s3store_error *err)
{
    s3s_part_spec spec = {0};

    memset(out, 0, sizeof *out);
    if (text == NULL || text[0] == '\0')
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "a partition column is empty: give part[=column[:format]]");
    const char *equals = strchr(text, '=');
    const char *column = equals != NULL ? equals + 1 : text;
    size_t name_size = equals != NULL ? (size_t)(equals - text) : strlen(text);
    /* Names may contain ':', column names after '=' not: the first one begins the format, which may
     * itself contain more ("%H:%M"). */
    const char *colon = equals != NULL ? strchr(column, ':') : NULL;
    size_t column_size = colon != NULL ? (size_t)(colon - column) : strlen(column);
    const char *format = colon != NULL ? colon + 1 : NULL;

    if (name_size == 0 || column_size == 0)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "%s: the %s is empty; give part[=column[:format]]",
                        s3s_quote_text(text).text, name_size == 0 ? "part" : "column");
    spec.name = s3s_arena_strndup(arena, text, name_size);
    spec.column = s3s_arena_strndup(arena, column, column_size);
    if (spec.name == NULL || spec.column == NULL)
        return s3s_fail_memory(err, name_size + column_size);
    if (format != NULL) {
        s3store_status status = parse_format(arena, text, format, &spec, err);
        if (status != S3STORE_OK)
            return status;
    }
    spec.text = canonical(arena, &spec, format);
    if (spec.text == NULL)
        return s3s_fail_memory(err, strlen(text) + 1);
    *out = spec;
    return S3STORE_OK;
}

s3store_status s3s_part_specs_parse(s3s_arena *arena, const char *const *texts, size_t count,
                                    s3s_part_spec **out, s3store_error *err)
{
    const char *names[S3S_NAMES_MAX] = {0};

    *out = NULL;
    if (texts == NULL || count == 0 || count > S3S_NAMES_MAX)
        return s3s_names_check(names, count == 0 || texts == NULL ? 0 : count, "partition column",
                               err);
    s3s_part_spec *specs = s3s_arena_calloc(arena, count, sizeof *specs);
    if (specs == NULL)
        return s3s_fail_memory(err, count * sizeof *specs);
    for (size_t i = 0; i < count; i++) {
        s3store_status status = s3s_part_spec_parse(arena, texts[i], &specs[i], err);
        if (status != S3STORE_OK)
            return status;
        names[i] = specs[i].name;
    }
    s3store_status status = s3s_names_check(names, count, "partition column", err);
    if (status == S3STORE_OK)
        *out = specs;
    return status;
}

/* Both are there, or neither is. */
static bool same_text(const char *a, const char *b)
{
    return a == b || strcmp(a, b) == 0;
}

bool s3s_part_spec_equal(const s3s_part_spec *a, const s3s_part_spec *b)
{
    return same_text(a->name, b->name) && same_text(a->column, b->column) &&
           a->format == b->format && same_text(a->strftime, b->strftime);
}
