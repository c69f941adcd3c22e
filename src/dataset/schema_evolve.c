/* dataset/schema_evolve.c: what data of one schema make of the recorded one. Types only: whether
 * every value fits (int64 into double) is checked where values are converted, s3s_batch_convert.
 */
#include "dataset/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_COLUMNS 10000
#define TYPE_TEXT_SIZE 256

/* ---- one column ----------------------------------------------------------------------------- */

/* Bits of an integer type, 0 for others. */
static int int_bits(s3s_type type)
{
    switch (type) {
    case S3S_TYPE_INT8:
    case S3S_TYPE_UINT8:
        return 8;
    case S3S_TYPE_INT16:
    case S3S_TYPE_UINT16:
        return 16;
    case S3S_TYPE_INT32:
    case S3S_TYPE_UINT32:
        return 32;
    case S3S_TYPE_INT64:
    case S3S_TYPE_UINT64:
        return 64;
    default:
        return 0;
    }
}

static bool is_unsigned(s3s_type type)
{
    return type >= S3S_TYPE_UINT8 && type <= S3S_TYPE_UINT64;
}

static s3s_type signed_of_bits(int bits)
{
    return bits <= 8    ? S3S_TYPE_INT8
           : bits <= 16 ? S3S_TYPE_INT16
           : bits <= 32 ? S3S_TYPE_INT32
                        : S3S_TYPE_INT64;
}

static bool is_float(s3s_type type)
{
    return type == S3S_TYPE_FLOAT16 || type == S3S_TYPE_FLOAT || type == S3S_TYPE_DOUBLE;
}

static bool is_text(s3s_type type)
{
    return type == S3S_TYPE_STRING || type == S3S_TYPE_LARGE_STRING;
}

static bool is_binary(s3s_type type)
{
    return type == S3S_TYPE_BINARY || type == S3S_TYPE_LARGE_BINARY;
}

/* Two integer types. Of 64 bits the recorded signedness stays: values are checked when
 * converted. */
static s3s_type join_integers(s3s_type have, s3s_type in)
{
    int have_bits = int_bits(have), in_bits = int_bits(in), bits;

    if (is_unsigned(have) == is_unsigned(in))
        return in_bits > have_bits ? in : have;
    if (have == S3S_TYPE_UINT64)
        return have;
    bits = 2 * (is_unsigned(have) ? have_bits : in_bits); /* what is unsigned needs a sign bit */
    if (bits < have_bits)
        bits = have_bits;
    if (bits < in_bits)
        bits = in_bits;
    return signed_of_bits(bits);
}

/* The smaller of float and double that holds both. Half floats take no integers. */
static s3s_type float_for_int(s3s_type integer, s3s_type floating)
{
    s3s_type needed = int_bits(integer) <= 16 ? S3S_TYPE_FLOAT : S3S_TYPE_DOUBLE;

    return needed > floating ? needed : floating;
}

/* The type that `have` becomes when `in` comes; false when they do not fit. */
static bool join(const s3s_field *have, const s3s_field *in, s3s_field *out)
{
    *out = *have;
    if (in->type == S3S_TYPE_NULL)
        return true;
    if (have->type == S3S_TYPE_NULL) {
        *out = *in;
        return true;
    }
    if (s3s_type_is_integer(have->type) && s3s_type_is_integer(in->type)) {
        out->type = join_integers(have->type, in->type);
        return true;
    }
    if (is_float(have->type) && (is_float(in->type) || s3s_type_is_integer(in->type))) {
        if (is_float(in->type) && in->type > have->type)
            out->type = in->type;
        if (have->type == S3S_TYPE_FLOAT16 && !is_float(in->type))
            out->type = float_for_int(in->type, have->type);
        return true;
    }
    if (s3s_type_is_integer(have->type) && is_float(in->type)) {
        out->type = float_for_int(have->type, in->type);
        return true;
    }
    if (have->type == S3S_TYPE_TIMESTAMP && in->type == S3S_TYPE_TIMESTAMP) {
        if (in->unit > have->unit)
            out->unit = in->unit;
        return have->utc == in->utc;
    }
    if (is_text(have->type) && is_text(in->type))
        return true;
    if (is_binary(have->type) && is_binary(in->type))
        return true;
    return s3s_field_same_type(have, in);
}

/* ---- the whole schema ----------------------------------------------------------------------- */

typedef struct named {
    const char *name;
    size_t at;
    bool recorded;
} named;

static int compare_named(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order != 0 ? order : (int)y->recorded - (int)x->recorded; /* recorded first */
}

/* For each incoming column the position of the recorded one of its name, or SIZE_MAX. */
static s3store_status match_columns(s3s_env *env, const s3s_schema *recorded, size_t recorded_count,
                                    const s3s_schema *incoming, size_t *at, s3store_error *err)
{
    size_t count = recorded_count + incoming->field_count;
    named *names = s3s_calloc(env, count, sizeof *names);
    s3store_status status = S3STORE_OK;

    if (names == NULL)
        return s3s_fail_memory(err, count * sizeof *names);
    for (size_t i = 0; i < recorded_count; i++)
        names[i] = (named){recorded->fields[i].name, i, true};
    for (size_t i = 0; i < incoming->field_count; i++)
        names[recorded_count + i] = (named){incoming->fields[i].name, i, false};
    qsort(names, count, sizeof *names, compare_named);
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        bool again = i > 0 && strcmp(names[i].name, names[i - 1].name) == 0;

        if (names[i].recorded)
            continue;
        if (again && !names[i - 1].recorded)
            status = s3s_fail(err, S3STORE_INVALID_ARGUMENT, "column \"%.200s\" is there twice",
                              names[i].name);
        at[names[i].at] = again ? names[i - 1].at : SIZE_MAX;
    }
    s3s_free(env, names);
    return status;
}

static s3store_status mismatch(const s3s_field *have, const s3s_field *in, s3store_error *err)
{
    char have_text[TYPE_TEXT_SIZE], in_text[TYPE_TEXT_SIZE];

    return s3s_fail(err, S3STORE_SCHEMA_MISMATCH,
                    "column \"%.200s\" is recorded as %s, but the data have %s", have->name,
                    s3s_field_type_text(have, have_text, sizeof have_text),
                    s3s_field_type_text(in, in_text, sizeof in_text));
}

/* Joins the matched columns into fields[0..recorded), appends the new ones. */
static s3store_status join_columns(const s3s_schema *incoming, const size_t *at,
                                   s3s_schema *result, size_t recorded_count, bool *grown,
                                   s3store_error *err)
{
    size_t next = recorded_count;

    for (size_t i = 0; i < incoming->field_count; i++) {
        const s3s_field *in = &incoming->fields[i];
        s3s_field *have = at[i] == SIZE_MAX ? NULL : &result->fields[at[i]];
        s3s_field joined;

        if (have == NULL) {
            if (in->type == S3S_TYPE_NULL)
                continue;
            have = &result->fields[next++];
            if (!s3s_field_copy(&result->arena, in, have))
                return s3s_fail_memory(err, strlen(in->name));
            /* fields holds what was counted. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
            have->nullable = true;
            *grown = true;
            continue;
        }
        if (!join(have, in, &joined))
            return mismatch(have, in, err);
        if (s3s_field_same_type(have, &joined))
            continue;
        const char *name = have->name;
        if (!s3s_field_copy(&result->arena, &joined, have))
            return s3s_fail_memory(err, sizeof joined);
        have->name = name;
        have->nullable = true;
        *grown = true;
    }
    result->field_count = next;
    return S3STORE_OK;
}

/* The usual case: the same columns in the same order. */
static bool changes_nothing(const s3s_schema *recorded, const s3s_schema *incoming)
{
    if (recorded == NULL || recorded->field_count != incoming->field_count)
        return false;
    for (size_t i = 0; i < recorded->field_count; i++) {
        const s3s_field *have = &recorded->fields[i], *in = &incoming->fields[i];
        if (!have->nullable || !s3s_field_same_type(have, in) || strcmp(have->name, in->name) != 0)
            return false;
    }
    return recorded->field_count <= MAX_COLUMNS;
}

s3store_status s3s_schema_evolve(s3s_env *env, const s3s_schema *recorded,
                                 const s3s_schema *incoming, s3s_schema **out, bool *grown,
                                 s3store_error *err)
{
    size_t recorded_count = recorded != NULL ? recorded->field_count : 0;
    size_t *at = NULL;
    s3s_schema *result = NULL;
    s3store_status status;

    *out = NULL;
    *grown = false;
    if (changes_nothing(recorded, incoming)) {
        *out = s3s_schema_retain((s3s_schema *)recorded); /* only counted */
        return S3STORE_OK;
    }
    if (recorded_count > MAX_COLUMNS || incoming->field_count > MAX_COLUMNS)
        return s3s_fail(err, S3STORE_LIMIT_EXCEEDED, "more than %d columns", MAX_COLUMNS);
    at = s3s_calloc(env, incoming->field_count, sizeof *at);
    if (at == NULL)
        return s3s_fail_memory(err, incoming->field_count * sizeof *at);
    status = match_columns(env, recorded, recorded_count, incoming, at, err);
    if (status == S3STORE_OK)
        status = s3s_schema_new(env, recorded_count + incoming->field_count, &result, err);
    for (size_t i = 0; status == S3STORE_OK && i < recorded_count; i++) {
        if (!s3s_field_copy(&result->arena, &recorded->fields[i], &result->fields[i]))
            status = s3s_fail_memory(err, sizeof result->fields[i]);
        result->fields[i].nullable = true;
    }
    if (status == S3STORE_OK)
        status = join_columns(incoming, at, result, recorded_count, grown, err);
    if (status == S3STORE_OK && result->field_count > MAX_COLUMNS)
        status = s3s_fail(err, S3STORE_LIMIT_EXCEEDED,
                          "the dataset would have more than %d columns", MAX_COLUMNS);
    s3s_free(env, at);
    if (status != S3STORE_OK) {
        s3s_schema_release(result);
        *grown = false;
        return status;
    }
    *out = result;
    return S3STORE_OK;
}
