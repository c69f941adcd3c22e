/* Predicates over batches: each test gives a truth for every row in one loop over the column, "and",
 * "or" and "not" work on those. */
#include "scan/where.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/timefmt.h"

/* How the values of a column are compared. */
typedef enum form {
    FORM_NONE, /* only with null */
    FORM_BOOL,
    FORM_SIGNED,
    FORM_UNSIGNED,
    FORM_FLOAT,
    FORM_TEXT,
} form;

static form form_of(const s3s_field *f)
{
    switch (f->type) {
    case S3S_TYPE_BOOL:
        return FORM_BOOL;
    case S3S_TYPE_INT8:
    case S3S_TYPE_INT16:
    case S3S_TYPE_INT32:
    case S3S_TYPE_INT64:
    case S3S_TYPE_DATE32:
    case S3S_TYPE_DATE64:
    case S3S_TYPE_TIMESTAMP:
        return FORM_SIGNED;
    case S3S_TYPE_UINT8:
    case S3S_TYPE_UINT16:
    case S3S_TYPE_UINT32:
    case S3S_TYPE_UINT64:
        return FORM_UNSIGNED;
    case S3S_TYPE_FLOAT16:
    case S3S_TYPE_FLOAT:
    case S3S_TYPE_DOUBLE:
        return FORM_FLOAT;
    case S3S_TYPE_STRING:
    case S3S_TYPE_LARGE_STRING:
        return FORM_TEXT;
    default:
        return FORM_NONE;
    }
}

/* ---- binding --------------------------------------------------------------------------------- */

static s3store_status misfit(const where_literal *l, const s3s_field *f, const char *wanted,
                             s3store_error *err)
{
    char type[128];
    return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                    "where: at position %zu: column \"%s\" has type %s: compare it with %s",
                    l->position, f->name, s3s_field_type_text(f, type, sizeof type), wanted);
}

/* The host may have set a locale with another decimal point. */
static s3store_status parse_double(const char *text, double *out, s3store_error *err)
{
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return s3s_fail_memory(err, 1);
    *out = strtod_l(text, NULL, c);
    freelocale(c);
    return S3STORE_OK;
}

/* Digits without point and exponent, exactly: 19 and 20 digit integers are more than a double is. */
static bool parse_whole(const char *text, bool is_unsigned, where_literal *l)
{
    bool negative = *text == '-';
    uint64_t value = 0;
    text += *text == '-' || *text == '+';
    l->outside = 0;
    l->exact = true;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            if (text[strspn(text, "0123456789")] != '\0')
                return false;
            l->outside = negative ? -1 : 1;
            return true;
        }
    }
    if (is_unsigned)
        l->outside = negative && value > 0 ? -1 : 0;
    else if (value > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        l->outside = negative ? -1 : 1;
    l->integer = (int64_t)(negative ? 0 - value : value);
    return true;
}

static s3store_status bind_integer(where_literal *l, const s3s_field *f, s3store_error *err)
{
    bool is_unsigned = form_of(f) == FORM_UNSIGNED;
    if (l->kind != WHERE_NUMBER)
        return misfit(l, f, "a number", err);
    if (parse_whole(l->text, is_unsigned, l))
        return S3STORE_OK;
    double value = 0;
    s3store_status status = parse_double(l->text, &value, err);
    if (status != S3STORE_OK)
        return status;
    double whole = floor(value);
    double low = is_unsigned ? 0 : -0x1p63, high = is_unsigned ? 0x1p64 : 0x1p63;
    l->exact = whole == value;
    l->outside = whole < low ? -1 : whole >= high ? 1 : 0;
    if (l->outside == 0)
        l->integer = is_unsigned ? (int64_t)(uint64_t)whole : (int64_t)whole;
    return S3STORE_OK;
}

static bool parse_instant(const where_literal *l, bool has_zone, int64_t *seconds, int32_t *nanos)
{
    int32_t days;
    char zoned[80];
    *nanos = 0;
    if (s3s_date_parse(l->text, l->size, &days)) {
        *seconds = (int64_t)days * 86400;
        return true;
    }
    if (s3s_rfc3339_parse(l->text, l->size, seconds, nanos, NULL))
        return true;
    if (has_zone || l->size + 2 > sizeof zoned)
        return false;
    memcpy(zoned, l->text, l->size);
    memcpy(zoned + l->size, "Z", 2);
    return s3s_rfc3339_parse(zoned, l->size + 1, seconds, nanos, NULL);
}

static s3store_status bind_time(where_literal *l, const s3s_field *f, s3store_error *err)
{
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    static const char wanted[] = "a time like '2018-02-07T01:26:13Z' or a date like '2018-02-07'";
    int64_t seconds, units;
    int32_t nanos, days;
    l->outside = 0;
    l->exact = true;
    if (f->type != S3S_TYPE_TIMESTAMP) {
        if (l->kind != WHERE_TEXT || !s3s_date_parse(l->text, l->size, &days))
            return misfit(l, f, "a date like '2018-02-07'", err);
        l->integer = f->type == S3S_TYPE_DATE32 ? days : (int64_t)days * 86400000;
        return S3STORE_OK;
    }
    if (l->kind != WHERE_TEXT || !parse_instant(l, f->utc, &seconds, &nanos))
        return misfit(l, f, wanted, err);
    int64_t unit_nanos = 1000000000 / per_second[f->unit];
    l->exact = nanos % unit_nanos == 0;
    if (__builtin_mul_overflow(seconds, per_second[f->unit], &units) ||
        __builtin_add_overflow(units, nanos / unit_nanos, &units))
        l->outside = seconds < 0 ? -1 : 1;
    l->integer = units;
    return S3STORE_OK;
}

static s3store_status bind_literal(where_literal *l, const s3s_field *f, s3store_error *err)
{
    char type[128];
    s3store_status status = S3STORE_OK;
    switch (form_of(f)) {
    case FORM_BOOL:
        l->integer = l->truth;
        return l->kind == WHERE_BOOL ? S3STORE_OK : misfit(l, f, "true or false", err);
    case FORM_SIGNED:
    case FORM_UNSIGNED:
        return s3s_type_is_integer(f->type) ? bind_integer(l, f, err) : bind_time(l, f, err);
    case FORM_FLOAT:
        if (l->kind != WHERE_NUMBER)
            return misfit(l, f, "a number", err);
        status = parse_double(l->text, &l->number, err);
        if (f->type == S3S_TYPE_FLOAT) /* 0.1 is the float nearest to it */
            l->number = (double)(float)l->number;
        return status;
    case FORM_TEXT:
        return l->kind == WHERE_TEXT ? S3STORE_OK : misfit(l, f, "'text' in single quotes", err);
    default:
        if (f->type == S3S_TYPE_NULL) /* whatever it is compared with: unknown */
            return S3STORE_OK;
        return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                        "where: at position %zu: column \"%s\" has type %s, which can only be "
                        "tested with is null",
                        l->position, f->name, s3s_field_type_text(f, type, sizeof type));
    }
}

s3store_status s3s_where_bind(where *w, const s3s_schema *schema, s3store_error *err)
{
    for (size_t i = 0; i < w->column_count; i++) {
        w->columns[i].at = s3s_schema_find(schema, w->columns[i].name);
        if (w->columns[i].at == SIZE_MAX)
            return s3s_fail(err, S3STORE_INVALID_ARGUMENT,
                            "where: at position %zu: unknown column \"%s\"",
                            w->columns[i].position, w->columns[i].name);
    }
    for (size_t i = 0; i < w->step_count; i++) {
        const where_step *s = &w->steps[i];
        for (size_t k = 0; k < s->count; k++) {
            const s3s_field *f = &schema->fields[w->columns[s->column].at];
            s3store_status status = bind_literal(&w->literals[s->first + k], f, err);
            if (status != S3STORE_OK)
                return status;
        }
    }
    return S3STORE_OK;
}

/* ---- tests ----------------------------------------------------------------------------------- */

unsigned s3s_where_accepted(where_op op)
{
    static const uint8_t masks[] = {[WHERE_EQ] = 2, [WHERE_NE] = 5, [WHERE_LT] = 1,
                                    [WHERE_LE] = 3, [WHERE_GT] = 4, [WHERE_GE] = 6};
    return masks[op];
}

static inline uint8_t truth_of(unsigned mask, int order)
{
    return (mask >> (order + 1) & 1) ? WHERE_TRUE : WHERE_FALSE;
}

/* A value that equals the integer below a literal between two integers is below the literal. */
static inline int order_integer(bool is_unsigned, int64_t value, const where_literal *l)
{
    if (l->outside != 0)
        return -l->outside;
    bool below = is_unsigned ? (uint64_t)value < (uint64_t)l->integer : value < l->integer;
    if (below)
        return -1;
    return value != l->integer ? 1 : l->exact ? 0 : -1;
}

static int order_text(const s3s_column *c, int64_t i, const where_literal *l)
{
    s3store_bytes value = s3s_column_bytes(c, i);
    size_t common = value.size < l->size ? value.size : l->size;
    int order = common > 0 ? memcmp(value.data, l->text, common) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return value.size < l->size ? -1 : value.size > l->size;
}

/* Adds what one literal says: truth becomes true where it is true. Nulls are put right later. */
static void compare(const s3s_column *c, unsigned mask, const where_literal *l, uint8_t *truths)
{
    form how = form_of(c->field);
    for (int64_t i = 0; i < c->length; i++) {
        uint8_t truth = WHERE_FALSE;
        if (s3s_column_is_null(c, i))
            continue;
        if (how == FORM_TEXT) {
            truth = truth_of(mask, order_text(c, i, l));
        } else if (how == FORM_FLOAT) {
            double value = s3s_column_double(c, i);
            if (value != value) /* not a number: equal to nothing, in no order */
                truth = mask == s3s_where_accepted(WHERE_NE) ? WHERE_TRUE : WHERE_FALSE;
            else
                truth = truth_of(mask, value < l->number ? -1 : value > l->number);
        } else if (how == FORM_BOOL) {
            truth = truth_of(mask, (int)s3s_column_bool(c, i) - (int)l->integer);
        } else if (how != FORM_NONE) {
            truth = truth_of(mask, order_integer(how == FORM_UNSIGNED, s3s_column_int(c, i), l));
        }
        if (truth > truths[i])
            truths[i] = truth;
    }
}

static void run_test(const where *w, const where_step *s, const s3s_schema *schema,
                     const struct ArrowArray *batch, uint8_t *truths)
{
    s3s_column c;
    s3s_batch_column(schema, batch, w->columns[s->column].at, &c);
    memset(truths, WHERE_FALSE, (size_t)c.length);
    if (s->kind == WHERE_IS_NULL) {
        for (int64_t i = 0; i < c.length; i++)
            truths[i] = s3s_column_is_null(&c, i) != s->negated ? WHERE_TRUE : WHERE_FALSE;
        return;
    }
    unsigned mask = s3s_where_accepted(s->kind == WHERE_IN ? WHERE_EQ : s->op);
    for (size_t k = 0; k < s->count; k++)
        compare(&c, mask, &w->literals[s->first + k], truths);
    for (int64_t i = 0; s->negated && i < c.length; i++)
        truths[i] = WHERE_TRUE - truths[i];
    if (c.validity == NULL && c.field->type != S3S_TYPE_NULL)
        return;
    for (int64_t i = 0; i < c.length; i++) {
        if (s3s_column_is_null(&c, i))
            truths[i] = WHERE_UNKNOWN;
    }
}

static void join(where_kind kind, uint8_t *a, const uint8_t *b, size_t rows)
{
    if (kind == WHERE_AND) {
        for (size_t i = 0; i < rows; i++)
            a[i] = a[i] < b[i] ? a[i] : b[i];
    } else {
        for (size_t i = 0; i < rows; i++)
            a[i] = a[i] > b[i] ? a[i] : b[i];
    }
}

s3store_status s3s_where_evaluate(s3s_env *env, const where *w, const s3s_schema *schema,
                                  const struct ArrowArray *batch, uint8_t **truths,
                                  s3store_error *err)
{
    size_t rows = (size_t)batch->length, size = 0, top = 0;
    uint8_t *stack = NULL;
    *truths = NULL;
    if (s3s_mul(rows, w->depth, &size))
        stack = s3s_calloc(env, size + 1, 1);
    if (stack == NULL)
        return s3s_fail_memory(err, size);
    for (size_t i = 0; i < w->step_count; i++) {
        const where_step *s = &w->steps[i];
        uint8_t *last = stack + (top > 0 ? top - 1 : 0) * rows;
        if (s->kind == WHERE_NOT) {
            for (size_t r = 0; r < rows; r++)
                last[r] = WHERE_TRUE - last[r];
        } else if (s->kind == WHERE_AND || s->kind == WHERE_OR) {
            join(s->kind, last - rows, last, rows);
            top--;
        } else {
            run_test(w, s, schema, batch, stack + top * rows);
            top++;
        }
    }
    *truths = stack;
    return S3STORE_OK;
}
