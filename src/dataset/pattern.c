/* dataset/pattern.c: parsing a pattern and matching keys; pattern_plan.c says what to LIST. */
#include "dataset/pattern.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "dataset/pattern_plan.h"
#include "dataset/quote.h"

/* What a message needs to say where it is. */
typedef struct place {
    const char *pattern;
    int index;
    size_t segment;
} place;

/* "pattern 1 "p": segment 2 "s": why". Numbered as the caller's list is after duplicates left it.
 * */
__attribute__((format(printf, 3, 4))) static s3store_status bad(const place *at, s3store_error *err,
                                                                 const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s3store_status status = s3s_vfail(err, S3STORE_INVALID_ARGUMENT, format, args);
    va_end(args);
    s3s_quoted pattern = s3s_quote_text(at->pattern);
    if (at->index >= 0)
        s3s_context(err, "pattern %d %s", at->index, pattern.text);
    else
        s3s_context(err, "pattern %s", pattern.text);
    return status;
}

/* from..to. Separators are found from left to right: "a...b" is from "a" to ".b". */
static s3store_status parse_range(const place *at, char *value, char *dots, s3s_segment *segment,
                                  s3store_error *err)
{
    s3s_quoted shown = s3s_quote_text(value);
    char *to = dots + 2;
    *dots = '\0';
    if (strstr(to, "..") != NULL)
        return bad(at, err, "the range %s of segment %zu has more than one '..'", shown.text,
                   at->segment);
    if (value[0] == '\0' && to[0] == '\0')
        return bad(at, err, "the range %s of segment %zu has neither a lower nor an upper bound",
                   shown.text, at->segment);
    if (strchr(value, '*') != NULL || strchr(to, '*') != NULL)
        return bad(at, err, "the range %s of segment %zu contains '*'", shown.text, at->segment);
    if (value[0] != '\0' && to[0] != '\0' && strcmp(value, to) > 0)
        return bad(at, err, "the range %s of segment %zu is reversed", shown.text, at->segment);
    segment->kind = S3S_SEGMENT_RANGE;
    segment->from = value;
    segment->to = to;
    return S3STORE_OK;
}

static s3store_status parse_value(const place *at, char *value, s3s_segment *segment,
                                  s3store_error *err)
{
    const char *refused = strpbrk(value, "?[]{}");
    if (refused != NULL)
        return bad(at, err, "segment %zu contains '%c': only '*' at the end of a value and "
                            "ranges 'from..to' are known",
                   at->segment, *refused);
    char *dots = strstr(value, "..");
    if (dots != NULL)
        return parse_range(at, value, dots, segment, err);

    char *star = strchr(value, '*');
    if (star != NULL && star[1] != '\0')
        return bad(at, err, "'*' may stand only once, at the end of the value; segment %zu has %s",
                   at->segment, s3s_quote_text(value).text);
    segment->kind = star != NULL ? S3S_SEGMENT_PREFIX : S3S_SEGMENT_EXACT;
    if (star != NULL)
        *star = '\0';
    segment->from = value;
    return S3STORE_OK;
}

static s3store_status parse_segment(const place *at, const char *name, char *text,
                                    s3s_segment *segment, s3store_error *err)
{
    size_t name_size = strlen(name);
    segment->name = name;
    segment->from = "";
    segment->to = "";
    segment->kind = S3S_SEGMENT_ANY;
    if (strcmp(text, "*") == 0)
        return S3STORE_OK;
    if (strncmp(text, name, name_size) != 0 || text[name_size] != '=')
        return bad(at, err, "segment %zu is %s; it must be '*' or begin with %s and '='",
                   at->segment, s3s_quote_text(text).text, s3s_quote_text(name).text);
    return parse_value(at, text + name_size + 1, segment, err);
}

static s3store_status parse_segments(const char *const *names, size_t name_count, place *at,
                                     s3s_pattern *out, s3store_error *err)
{
    size_t found = 1;
    for (const char *p = at->pattern; *p != '\0'; p++)
        found += *p == '/';
    if (found != name_count)
        return bad(at, err, "it has %zu segment%s; one for each of the %zu columns is needed, or "
                            "'*' alone for everything",
                   found, found == 1 ? "" : "s", name_count);

    out->segments = s3s_arena_calloc(&out->arena, name_count, sizeof *out->segments);
    char *text = s3s_arena_strdup(&out->arena, at->pattern);
    if (out->segments == NULL || text == NULL)
        return s3s_fail_memory(err, strlen(at->pattern) + name_count * sizeof *out->segments);
    for (size_t i = 0; i < name_count; i++) {
        char *end = text + strcspn(text, "/");
        *end = '\0';
        at->segment = i + 1;
        const char *name = s3s_arena_strdup(&out->arena, names[i]);
        if (name == NULL)
            return s3s_fail_memory(err, strlen(names[i]));
        s3store_status status = parse_segment(at, name, text, &out->segments[i], err);
        if (status != S3STORE_OK)
            return status;
        text = end + 1; /* behind the last one it is not read again */
    }
    out->count = name_count;
    return S3STORE_OK;
}

s3store_status s3s_pattern_parse(s3s_env *env, const char *const *names, size_t name_count,
                                 const char *text, int index, s3s_pattern *out,
                                 s3store_error *err)
{
    place at = {.pattern = text, .index = index};

    memset(out, 0, sizeof *out);
    out->list_prefix = "";
    s3s_arena_init(&out->arena, env);
    if (text == NULL)
        return bad(&at, err, "it is missing");
    if (text[0] == '\0' || strcmp(text, "*") == 0) {
        out->everything = true;
        return S3STORE_OK;
    }
    s3store_status status = parse_segments(names, name_count, &at, out, err);
    if (status == S3STORE_OK)
        status = s3s_pattern_plan(out, err);
    if (status != S3STORE_OK)
        s3s_pattern_deinit(out);
    return status;
}

void s3s_pattern_deinit(s3s_pattern *pattern)
{
    s3s_arena_deinit(&pattern->arena);
    /* Never NULL. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    memset(pattern, 0, sizeof *pattern);
    pattern->list_prefix = "";
}

/* ---- matching -------------------------------------------------------------------------------- */

static s3s_slice text_slice(const char *text)
{
    return (s3s_slice){text, strlen(text)};
}

static bool segment_matches(const s3s_segment *segment, s3s_slice text)
{
    if (segment->kind == S3S_SEGMENT_ANY)
        return true;
    size_t name_size = strlen(segment->name);
    if (text.size <= name_size || memcmp(text.data, segment->name, name_size) != 0 ||
        text.data[name_size] != '=')
        return false;

    s3s_slice value = {text.data + name_size + 1, text.size - name_size - 1};
    s3s_slice from = text_slice(segment->from);
    switch (segment->kind) {
    case S3S_SEGMENT_EXACT:
        return s3s_slice_compare(value, from) == 0;
    case S3S_SEGMENT_PREFIX:
        return value.size >= from.size && memcmp(value.data, from.data, from.size) == 0;
    default:
        return s3s_slice_compare(value, from) >= 0 &&
               (segment->to[0] == '\0' || s3s_slice_compare(value, text_slice(segment->to)) < 0);
    }
}

bool s3s_pattern_matches(const s3s_pattern *pattern, s3s_slice hive_key)
{
    if (pattern->everything)
        return true;
    const char *p = hive_key.data;
    size_t left = hive_key.size;
    for (size_t i = 0; i < pattern->count; i++) {
        const char *slash = left > 0 ? memchr(p, '/', left) : NULL;
        bool is_last = i + 1 == pattern->count;
        if ((slash == NULL) != is_last)
            return false;
        size_t size = is_last ? left : (size_t)(slash - p);
        if (!segment_matches(&pattern->segments[i], (s3s_slice){p, size}))
            return false;
        if (!is_last) {
            p += size + 1;
            left -= size + 1;
        }
    }
    return pattern->count > 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Exact duplicates leave, the first stays. seen: a power of two of slots, each a position + 1. */
static bool remember_text(const char *const *texts, size_t i, size_t *seen, size_t slots)
{
    size_t at = s3s_xxh64(texts[i], strlen(texts[i]), 0) & (slots - 1);
    for (; seen[at] != 0; at = (at + 1) & (slots - 1))
        if (strcmp(texts[seen[at] - 1], texts[i]) == 0)
            return false;
    seen[at] = i + 1;
    return true;
}

static s3store_status parse_distinct(s3s_env *env, const char *const *names, size_t name_count,
                                     const char *const *texts, size_t text_count, size_t *seen,
                                     size_t slots, s3s_patterns *out, s3store_error *err)
{
    for (size_t i = 0; i < text_count; i++) {
        if (texts[i] != NULL && !remember_text(texts, i, seen, slots))
            continue;
        s3store_status status = s3s_pattern_parse(env, names, name_count, texts[i],
                                                  (int)out->count, &out->items[out->count], err);
        if (status != S3STORE_OK)
            return status;
        out->count++;
    }
    return S3STORE_OK;
}

s3store_status s3s_patterns_parse(s3s_env *env, const char *const *names, size_t name_count,
                                  const char *const *texts, size_t text_count, s3s_patterns *out,
                                  s3store_error *err)
{
    memset(out, 0, sizeof *out);
    out->env = env;
    if (text_count == 0)
        return S3STORE_OK;
    if (text_count > S3S_PATTERNS_MAX)
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "%zu patterns are given; at most %d are allowed", text_count,
                        S3S_PATTERNS_MAX);
    size_t slots = 4;
    while (slots < 2 * text_count)
        slots *= 2;
    size_t *seen = s3s_calloc(env, slots, sizeof *seen);
    out->items = s3s_calloc(env, text_count, sizeof *out->items);
    s3store_status status;
    if (seen == NULL || out->items == NULL)
        status = s3s_fail_memory(err, slots * sizeof *seen + text_count * sizeof *out->items);
    else
        status =
            parse_distinct(env, names, name_count, texts, text_count, seen, slots, out, err);
    s3s_free(env, seen);
    if (status != S3STORE_OK)
        s3s_patterns_deinit(out);
    return status;
}

void s3s_patterns_deinit(s3s_patterns *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        s3s_pattern_deinit(&patterns->items[i]);
    s3s_free(patterns->env, patterns->items);
    memset(patterns, 0, sizeof *patterns);
}
