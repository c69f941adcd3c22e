/* What a predicate says of partitions. The parts of a partition key are made of columns, and the
 * dataset's descriptor says of which: so the key alone may tell that no row of a partition can
 * be wanted. Such a partition is not fetched, and where its name allows it, not even listed. This
 * never touches which version of an entity wins: whole partitions stay or go.
 *
 * Everything here may only leave out what is certainly not wanted. */
#include "scan/where.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/timefmt.h"
#include "scan/scan.h"

/* ---- how values of a part may compare with a literal -------------------------------------------- */

enum { BELOW = 1, EQUAL = 2, ABOVE = 4, ANY_ORDER = 7 }; /* as s3s_where_accepted has them */

static unsigned order_bit(int order)
{
    return order < 0 ? BELOW : order > 0 ? ABOVE : EQUAL;
}

static unsigned order_of_texts(s3s_slice value, const where_literal *l)
{
    size_t common = value.size < l->size ? value.size : l->size;
    int order = common > 0 ? memcmp(value.data, l->text, common) : 0;
    return order_bit(order != 0 ? order : value.size < l->size ? -1 : value.size > l->size);
}

typedef struct instant {
    int64_t seconds;
    int32_t nanos;
} instant;

static bool parse_instant(const char *text, size_t size, instant *out)
{
    int32_t days;
    out->nanos = 0;
    if (s3s_date_parse(text, size, &days)) {
        out->seconds = (int64_t)days * 86400;
        return true;
    }
    if (s3s_rfc3339_parse(text, size, &out->seconds, &out->nanos, NULL))
        return true;
    char zoned[80]; /* a time without zone */
    if (size + 2 > sizeof zoned)
        return false;
    memcpy(zoned, text, size);
    memcpy(zoned + size, "Z", 2);
    return s3s_rfc3339_parse(zoned, size + 1, &out->seconds, &out->nanos, NULL);
}

static int compare_instants(const instant *a, const instant *b)
{
    if (a->seconds != b->seconds)
        return a->seconds < b->seconds ? -1 : 1;
    return a->nanos < b->nanos ? -1 : a->nanos > b->nanos;
}

static bool is_digits(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return size > 0;
}

/* Of whole numbers as partition keys write them, without limits of size. */
static bool is_canonical(const char *text, size_t size)
{
    size_t sign = size > 0 && text[0] == '-';
    return is_digits(text + sign, size - sign) && (text[sign] != '0' || size == 1);
}

static unsigned order_of_numbers(s3s_slice value, const where_literal *l)
{
    if (!is_canonical(value.data, value.size) || !is_canonical(l->text, l->size))
        return ANY_ORDER;
    bool negative = value.data[0] == '-', other = l->text[0] == '-';
    if (negative != other)
        return negative ? BELOW : ABOVE;
    int order = value.size != l->size ? (value.size < l->size ? -1 : 1)
                                      : memcmp(value.data, l->text, value.size);
    return order_bit(negative ? -order : order);
}

/* Without format, the column may be of any type that has a text. */
static unsigned order_plain(s3s_slice value, const where_literal *l)
{
    instant a, b;
    if (l->kind == WHERE_NUMBER)
        return order_of_numbers(value, l);
    if (l->kind == WHERE_BOOL) {
        bool truth = value.size == 4 && memcmp(value.data, "true", 4) == 0;
        return truth || (value.size == 5 && memcmp(value.data, "false", 5) == 0)
                   ? order_bit((int)truth - (int)l->truth)
                   : ANY_ORDER;
    }
    unsigned orders = order_of_texts(value, l); /* if it is a string */
    if (!parse_instant(value.data, value.size, &a))
        return orders;
    if (!parse_instant(l->text, l->size, &b))
        return ANY_ORDER; /* refused once the type is known */
    return orders | order_bit(compare_instants(&a, &b));
}

static size_t format_size(s3s_format_kind format)
{
    switch (format) {
    case S3S_FORMAT_YEAR:
        return 4;
    case S3S_FORMAT_MONTH:
        return 7;
    case S3S_FORMAT_DAY:
        return 10;
    case S3S_FORMAT_HOUR:
        return 13;
    default:
        return 0;
    }
}

/* The text that a part with a format has for a literal; false = none that is known. */
static bool format_literal(s3s_format_kind format, const where_literal *l, char out[16])
{
    instant at;
    char text[64];
    size_t size = format_size(format);
    if (size == 0 || l->kind != WHERE_TEXT || !parse_instant(l->text, l->size, &at) ||
        s3s_rfc3339_format(at.seconds, 0, 0, text, sizeof text) < size || text[4] != '-' ||
        !is_digits(text, 4))
        return false;
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

/* Formats cut times: the texts order as the times do, and equal ones say nothing. */
static unsigned order_formatted(s3s_format_kind format, s3s_slice value, const where_literal *l)
{
    char text[16];
    if (!format_literal(format, l, text) || value.size != strlen(text) || !is_digits(value.data, 4))
        return ANY_ORDER;
    int order = memcmp(value.data, text, value.size);
    return order == 0 ? ANY_ORDER : order_bit(order);
}

/* ---- truths -------------------------------------------------------------------------------------- */

/* Which truths are possible. A column may be missing in a file, so unknown always is: it makes
 * nothing true. */
typedef struct truths {
    bool no, yes;
} truths;

static truths truths_of_part(const where *w, const where_step *s, const s3s_part_spec *part,
                             s3s_slice value)
{
    unsigned accepted = s3s_where_accepted(s->kind == WHERE_IN ? WHERE_EQ : s->op);
    truths out = {.no = true, .yes = false};
    for (size_t i = 0; i < s->count; i++) {
        const where_literal *l = &w->literals[s->first + i];
        unsigned orders = part->format == S3S_FORMAT_NONE
                              ? order_plain(value, l)
                              : order_formatted(part->format, value, l);
        out.yes = out.yes || (orders & accepted) != 0;
        out.no = out.no && (orders & ~accepted & ANY_ORDER) != 0;
    }
    return s->negated ? (truths){.no = out.yes, .yes = out.no} : out;
}

/* The value of part i, which is one of d's, in a key; false for keys of another shape. */
static bool value_of(const s3s_descriptor *d, const char *key, size_t i, s3s_slice *out)
{
    for (size_t at = 0;; at++) {
        size_t size = strcspn(key, "/"), name = strlen(d->parts[at].name);
        if (size <= name || memcmp(key, d->parts[at].name, name) != 0 || key[name] != '=')
            return false;
        if (at == i) {
            *out = (s3s_slice){.data = key + name + 1, .size = size - name - 1};
            return true;
        }
        if (key[size] != '/')
            return false;
        key += size + 1;
    }
}

static truths truths_of_step(const where *w, const where_step *s, const s3s_descriptor *d,
                             const char *key)
{
    truths out = {.no = true, .yes = true};
    s3s_slice value;
    for (size_t i = 0; s->kind != WHERE_IS_NULL && i < d->part_count; i++) {
        if (strcmp(d->parts[i].column, w->columns[s->column].name) != 0 ||
            !value_of(d, key, i, &value))
            continue;
        truths t = truths_of_part(w, s, &d->parts[i], value);
        out.no = out.no && t.no;
        out.yes = out.yes && t.yes;
    }
    return out;
}

static bool may_hold(const where *w, const s3s_descriptor *d, const char *key, truths *stack)
{
    size_t top = 0;
    for (size_t i = 0; i < w->step_count; i++) {
        const where_step *s = &w->steps[i];
        if (s->kind == WHERE_NOT) {
            truths t = stack[top - 1];
            stack[top - 1] = (truths){.no = t.yes, .yes = t.no};
        } else if (s->kind == WHERE_AND || s->kind == WHERE_OR) {
            truths b = stack[--top], *a = &stack[top - 1];
            *a = s->kind == WHERE_AND ? (truths){.no = a->no || b.no, .yes = a->yes && b.yes}
                                      : (truths){.no = a->no && b.no, .yes = a->yes || b.yes};
        } else {
            stack[top++] = truths_of_step(w, s, d, key);
        }
    }
    return stack[0].yes;
}

static bool tests_a_part(const where *w, const s3s_descriptor *d)
{
    for (size_t i = 0; i < w->column_count; i++) {
        for (size_t p = 0; p < d->part_count; p++) {
            if (strcmp(w->columns[i].name, d->parts[p].column) == 0)
                return true;
        }
    }
    return false;
}

s3store_status s3s_where_partitions(s3s_env *env, const where *w, const s3s_descriptor *d,
                                    s3s_file_set *set, s3store_error *err)
{
    if (!tests_a_part(w, d))
        return S3STORE_OK;
    truths *stack = s3s_calloc(env, w->depth + 1, sizeof *stack);
    if (stack == NULL)
        return s3s_fail_memory(err, w->depth * sizeof *stack);
    size_t kept = 0;
    set->file_count = 0;
    for (size_t i = 0; i < set->partition_count; i++) {
        const s3s_partition_files *p = &set->partitions[i];
        if (!may_hold(w, d, p->key, stack))
            continue;
        set->file_count += p->file_count;
        set->partitions[kept++] = *p;
    }
    set->partition_count = kept;
    s3s_free(env, stack);
    return S3STORE_OK;
}

/* ---- patterns ------------------------------------------------------------------------------------ */

#define VALUE_MAX 256  /* of the text of a value */
#define CHOICES_MAX 64 /* patterns that an "in" may become */

/* What is known of one part: one of several texts (a prefix each, with a '*'), or a range. */
typedef struct bound {
    const char **choices;
    size_t choice_count;
    const char *from, *to;
} bound;

/* Whether a pattern can hold the text, and in a range too. */
static bool is_plain(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && size < VALUE_MAX && strpbrk(text, "/?[]{}*") == NULL &&
           strstr(text, "..") == NULL && text[0] != '.' && text[size - 1] != '.';
}

/* The text of all values that equal a literal, with a '*' when they may go on. */
static const char *choice_of(s3s_arena *arena, const s3s_part_spec *part, const where_literal *l)
{
    instant at;
    int32_t days;
    char text[16];
    if (part->format != S3S_FORMAT_NONE)
        return format_literal(part->format, l, text) ? s3s_arena_strdup(arena, text) : NULL;
    if (l->kind == WHERE_BOOL)
        return l->truth ? "true" : "false";
    if (strlen(l->text) != l->size || !is_plain(l->text) ||
        (l->kind == WHERE_NUMBER && !is_canonical(l->text, l->size)))
        return NULL;
    if (l->kind == WHERE_NUMBER || !parse_instant(l->text, l->size, &at))
        return l->text;
    return s3s_date_parse(l->text, l->size, &days) ? s3s_arena_printf(arena, "%s*", l->text) : NULL;
}

/* A text that lies between those of values on both sides of a literal. above: not below any value
 * that is equal to it or begins like it. */
static const char *edge_of(s3s_arena *arena, const s3s_part_spec *part, const where_literal *l,
                           bool above)
{
    instant at;
    int32_t days;
    char text[VALUE_MAX];
    bool formatted = part->format != S3S_FORMAT_NONE;
    if (l->kind != WHERE_TEXT || strlen(l->text) != l->size || l->size >= sizeof text)
        return NULL;
    if (formatted ? !format_literal(part->format, l, text)
                  : parse_instant(l->text, l->size, &at) && !s3s_date_parse(l->text, l->size, &days))
        return NULL;
    if (!formatted)
        memcpy(text, l->text, l->size + 1);
    size_t size = strlen(text);
    if (size == 0 || (unsigned char)text[size - 1] >= 0x7e)
        return NULL;
    if (above)
        text[size - 1]++;
    return is_plain(text) ? s3s_arena_strdup(arena, text) : NULL;
}

static bool bound_choices(s3s_arena *arena, const where *w, const where_step *s,
                          const s3s_part_spec *part, bound *out)
{
    const char **choices = s3s_arena_calloc(arena, s->count + 1, sizeof *choices);
    if (choices == NULL || s->count > CHOICES_MAX || out->choice_count > 0)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        choices[i] = choice_of(arena, part, &w->literals[s->first + i]);
        if (choices[i] == NULL)
            return false;
    }
    out->choices = choices;
    out->choice_count = s->count;
    return true;
}

/* Adds what one conjunct says of a part. */
static void bound_part(s3s_arena *arena, const where *w, const where_step *s,
                       const s3s_part_spec *part, bound *out)
{
    if ((s->kind == WHERE_IN && !s->negated) || (s->kind == WHERE_COMPARE && s->op == WHERE_EQ)) {
        (void)bound_choices(arena, w, s, part, out);
        return;
    }
    if (s->kind != WHERE_COMPARE || s->op == WHERE_NE)
        return;
    const where_literal *l = &w->literals[s->first];
    bool cuts = part->format != S3S_FORMAT_NONE;
    if (s->op == WHERE_GE || s->op == WHERE_GT) {
        if (out->from == NULL)
            out->from = edge_of(arena, part, l, false);
    } else if (out->to == NULL) {
        out->to = edge_of(arena, part, l, cuts || s->op == WHERE_LE);
    }
}

/* The segment for a part, choice c of it. NULL = nothing is known. */
static const char *segment_of(s3s_arena *arena, const s3s_part_spec *part, const bound *b, size_t c)
{
    if (b->choice_count > 0)
        return s3s_arena_printf(arena, "%s=%s", part->name, b->choices[c]);
    if (b->from == NULL && b->to == NULL)
        return "*";
    const char *to = b->to;
    if (b->from != NULL && to != NULL && strcmp(b->from, to) > 0)
        to = b->from; /* nothing lies between: and that is what it says */
    return s3s_arena_printf(arena, "%s=%s..%s", part->name, b->from != NULL ? b->from : "",
                            to != NULL ? to : "");
}

/* A pattern with its free segments bound; the part `many` takes its choice c, others their first,
 * or stay free when they have several. */
static const char *bind_pattern(s3s_arena *arena, const s3s_descriptor *d, const char *pattern,
                                const bound *bounds, size_t many, size_t c)
{
    bool everything = pattern[0] == '\0' || strcmp(pattern, "*") == 0;
    const char *text = "", *at = everything ? NULL : pattern;
    for (size_t i = 0; text != NULL && i < d->part_count; i++) {
        size_t size = at != NULL ? strcspn(at, "/") : 0;
        bool is_free = at == NULL || (size == 1 && *at == '*');
        bool usable = i == many || bounds[i].choice_count <= 1;
        const char *segment = is_free && usable
                                  ? segment_of(arena, &d->parts[i], &bounds[i], i == many ? c : 0)
                              : is_free ? "*"
                                        : s3s_arena_printf(arena, "%.*s", (int)size, at);
        if (segment == NULL)
            return NULL;
        text = s3s_arena_printf(arena, "%s%s%s", text, i > 0 ? "/" : "", segment);
        if (at != NULL && at[size] == '/')
            at += size + 1;
    }
    return text;
}

s3store_status s3s_scan_narrow_patterns(s3store_target *target, s3s_arena *arena, const char *text,
                                        const char *const **patterns, size_t *count,
                                        s3store_error *err)
{
    const s3s_descriptor *d = &target->settings;
    where *w = NULL;
    s3s_patterns parsed = {0};
    if (text == NULL || !target->has_descriptor || d->part_count == 0)
        return S3STORE_OK;
    s3store_status status = s3s_where_parse(arena, text, &w, err);
    if (status == S3STORE_OK) /* what is wrong is said of what the caller gave */
        status = s3s_patterns_parse(target->env, target->part_names, d->part_count, *patterns,
                                    *count, &parsed, err);
    s3s_patterns_deinit(&parsed);
    if (status != S3STORE_OK || !tests_a_part(w, d))
        return status;
    bound *bounds = s3s_arena_calloc(arena, d->part_count, sizeof *bounds);
    if (bounds == NULL)
        return s3s_fail_memory(err, d->part_count * sizeof *bounds);
    for (size_t i = 0; i < w->step_count; i++) {
        const where_step *s = &w->steps[i];
        for (size_t p = 0; s->conjunct && p < d->part_count; p++) {
            if (strcmp(d->parts[p].column, w->columns[s->column].name) == 0)
                bound_part(arena, w, s, &d->parts[p], &bounds[p]);
        }
    }
    size_t many = 0; /* the first part with several choices becomes several patterns */
    while (many + 1 < d->part_count && bounds[many].choice_count <= 1)
        many++;
    size_t choices = bounds[many].choice_count > 1 ? bounds[many].choice_count : 1;
    const char **bound_patterns = s3s_arena_calloc(arena, *count * choices, sizeof *bound_patterns);
    if (bound_patterns == NULL)
        return s3s_fail_memory(err, *count * choices * sizeof *bound_patterns);
    for (size_t i = 0; i < *count * choices; i++) {
        bound_patterns[i] =
            bind_pattern(arena, d, (*patterns)[i / choices], bounds, many, i % choices);
        if (bound_patterns[i] == NULL)
            return s3s_fail_memory(err, VALUE_MAX);
    }
    *patterns = bound_patterns;
    *count *= choices;
    return S3STORE_OK;
}
