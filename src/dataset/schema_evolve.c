/* dataset/schema_evolve.c: what data of one schema make of the recorded one. Types only: whether
 * every value fits (int64 into double) is checked where values are converted, s3s_batch_convert.
 */
#include "dataset/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define MAX_COLUMNS 10000
#define TYPE_TEXT_SIZE 256
#define PATH_SIZE 512

/* ---- one column ----------------------------------------------------------------------------- */

/* Bits of an integer type. */
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
    default:
        return 64;
    }
}

/* Of an integer type. */
static bool is_unsigned(s3s_type type)
{
    return type >= S3S_TYPE_UINT8;
}

/* 16 at least. */
static s3s_type signed_of_bits(int bits)
{
    return bits <= 16 ? S3S_TYPE_INT16 : bits <= 32 ? S3S_TYPE_INT32 : S3S_TYPE_INT64;
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

/* The type that `have` becomes when `in` comes, both flat and known; false when they do not fit. */
static bool join_flat(const s3s_field *have, const s3s_field *in, s3s_field *out)
{
    *out = *have;
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

/* ---- nested columns -------------------------------------------------------------------------- */

static bool is_list(s3s_type type)
{
    return type == S3S_TYPE_LIST || type == S3S_TYPE_LARGE_LIST;
}

/* Members whose type is not known are left out, as such columns are, where others remain. */
static void drop_unknown(s3s_field *field)
{
    size_t known = 0;

    for (size_t i = 0; i < field->child_count; i++)
        known += field->children[i].type != S3S_TYPE_NULL;
    if (known == 0 || known == field->child_count)
        return;
    known = 0;
    for (size_t i = 0; i < field->child_count; i++)
        if (field->children[i].type != S3S_TYPE_NULL)
            field->children[known++] = field->children[i];
    field->child_count = known;
}

/* The form that is recorded. Lists have offsets of 32 bits, and everything may be null but what Arrow
 * forbids: the entries of a map and their keys. The names of what is no member of a struct say nothing.
 * Depth is bounded. */
static void normalise(s3s_field *field)
{
    s3s_field *inner = field->type == S3S_TYPE_MAP ? &field->children[0] : field;

    field->nullable = true;
    if (field->type == S3S_TYPE_LARGE_LIST)
        field->type = S3S_TYPE_LIST;
    if (field->type == S3S_TYPE_STRUCT)
        drop_unknown(field);
    for (size_t i = 0; i < inner->child_count; i++)
        normalise(&inner->children[i]);
    if (field->type == S3S_TYPE_LIST)
        field->children[0].name = "item";
    if (field->type != S3S_TYPE_MAP)
        return;
    inner->nullable = false;
    inner->name = "entries";
    inner->children[0].nullable = false;
    inner->children[0].name = "key";
    inner->children[1].name = "value";
}

static bool is_normal(const s3s_field *field)
{
    if (!field->nullable || field->type == S3S_TYPE_LARGE_LIST)
        return false;
    const s3s_field *inner = field->type == S3S_TYPE_MAP ? &field->children[0] : field;
    for (size_t i = 0; i < inner->child_count; i++)
        if (inner != field && i == 0 ? inner->children[i].nullable
                                     : !is_normal(&inner->children[i]))
            return false;
    return inner == field || !inner->nullable;
}

/* Of one join. */
typedef struct evolver {
    s3s_env *env;
    s3s_arena *arena; /* the result's */
    bool grown;
    char path[PATH_SIZE]; /* of the field at hand, "a.b.item" */
    size_t path_size;
    s3store_error *err;
} evolver;

/* Returns what to go back to. */
static size_t enter(evolver *ev, const char *name)
{
    size_t before = ev->path_size;
    int n = snprintf(ev->path + before, PATH_SIZE - before, "%s%s", before > 0 ? "." : "", name);
    size_t room = PATH_SIZE - before - 1;
    ev->path_size += (size_t)n < room ? (size_t)n : room;
    return before;
}

static void leave(evolver *ev, size_t before)
{
    ev->path_size = before;
    ev->path[before] = '\0';
}

static s3store_status copy_normal(evolver *ev, const s3s_field *in, s3s_field *out)
{
    if (!s3s_field_copy(ev->arena, in, out))
        return s3s_fail_memory(ev->err, sizeof *in);
    normalise(out);
    return S3STORE_OK;
}

static s3store_status mismatch(evolver *ev, const s3s_field *have, const s3s_field *in)
{
    char have_text[TYPE_TEXT_SIZE], in_text[TYPE_TEXT_SIZE];

    return s3s_fail(ev->err, S3STORE_SCHEMA_MISMATCH,
                    "column \"%.200s\" is recorded as %s, but the data have %s", ev->path,
                    s3s_field_type_text(have, have_text, sizeof have_text),
                    s3s_field_type_text(in, in_text, sizeof in_text));
}

static s3store_status join_field(evolver *ev, const s3s_field *in, s3s_field *field);

static s3store_status join_below(evolver *ev, const char *name, const s3s_field *in,
                                 s3s_field *field)
{
    size_t before = enter(ev, name);
    s3store_status status = join_field(ev, in, field);

    leave(ev, before);
    return status;
}

/* ---- columns, and the members of structs: by name --------------------------------------------- */

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

/* For each incoming field the position of the recorded one of its name, or SIZE_MAX. */
static s3store_status match_fields(evolver *ev, const s3s_field *recorded, size_t recorded_count,
                                   const s3s_field *incoming, size_t incoming_count, size_t *at)
{
    size_t count = recorded_count + incoming_count;
    named *names = s3s_calloc(ev->env, count, sizeof *names);
    s3store_status status = S3STORE_OK;

    if (names == NULL)
        return s3s_fail_memory(ev->err, count * sizeof *names);
    for (size_t i = 0; i < recorded_count; i++)
        names[i] = (named){recorded[i].name, i, true};
    for (size_t i = 0; i < incoming_count; i++)
        names[recorded_count + i] = (named){incoming[i].name, i, false};
    qsort(names, count, sizeof *names, compare_named);
    for (size_t i = 0; i < count && status == S3STORE_OK; i++) {
        bool again = i > 0 && strcmp(names[i].name, names[i - 1].name) == 0;

        if (names[i].recorded)
            continue;
        if (again && !names[i - 1].recorded) {
            enter(ev, names[i].name);
            status = s3s_fail(ev->err, S3STORE_INVALID_ARGUMENT, "column \"%.200s\" is there twice",
                              ev->path);
        }
        at[names[i].at] = again ? names[i - 1].at : SIZE_MAX;
    }
    s3s_free(ev->env, names);
    return status;
}

/* Joins the incoming fields into fields[0..*count), which has room for all of them, and appends the new
 * ones. */
static s3store_status join_fields(evolver *ev, const s3s_field *incoming, size_t incoming_count,
                                  s3s_field *fields, size_t *count)
{
    size_t *at = s3s_calloc(ev->env, incoming_count, sizeof *at);
    size_t next = *count;
    s3store_status status;

    if (at == NULL)
        return s3s_fail_memory(ev->err, incoming_count * sizeof *at);
    status = match_fields(ev, fields, *count, incoming, incoming_count, at);
    for (size_t i = 0; i < incoming_count && status == S3STORE_OK; i++) {
        const s3s_field *in = &incoming[i];

        if (at[i] != SIZE_MAX) {
            status = join_below(ev, in->name, in, &fields[at[i]]);
        } else if (in->type != S3S_TYPE_NULL) {
            status = copy_normal(ev, in, &fields[next++]);
            ev->grown = true;
        }
    }
    s3s_free(ev->env, at);
    *count = next;
    if (status == S3STORE_OK && next > MAX_COLUMNS)
        status = s3s_fail(ev->err, S3STORE_LIMIT_EXCEEDED,
                          ev->path_size == 0 ? "the dataset would have more than %d columns"
                                             : "a struct would have more than %d members",
                          MAX_COLUMNS);
    return status;
}

static s3store_status join_struct(evolver *ev, const s3s_field *in, s3s_field *field)
{
    size_t room = field->child_count + in->child_count;
    s3s_field *members = s3s_arena_calloc(ev->arena, room, sizeof *members);

    if (members == NULL)
        return s3s_fail_memory(ev->err, room * sizeof *members);
    memcpy(members, field->children, field->child_count * sizeof *members);
    field->children = members;
    return join_fields(ev, in->children, in->child_count, members, &field->child_count);
}

/* `field` is the result's: in a form that can be recorded, and with children of its own. */
static s3store_status join_field(evolver *ev, const s3s_field *in, s3s_field *field)
{
    s3s_field joined;
    s3store_status status;

    if (in->type == S3S_TYPE_NULL)
        return S3STORE_OK;
    if (field->type == S3S_TYPE_NULL) {
        const char *name = field->name;

        status = copy_normal(ev, in, field);
        field->name = name;
        ev->grown = true;
        return status;
    }
    if (field->type == S3S_TYPE_STRUCT && in->type == S3S_TYPE_STRUCT)
        return join_struct(ev, in, field);
    if (field->type == S3S_TYPE_LIST && is_list(in->type))
        return join_below(ev, "item", &in->children[0], &field->children[0]);
    if (field->type == S3S_TYPE_MAP && in->type == S3S_TYPE_MAP) {
        s3s_field *entries = field->children[0].children;
        const s3s_field *others = in->children[0].children;

        status = join_below(ev, "key", &others[0], &entries[0]);
        return status == S3STORE_OK ? join_below(ev, "value", &others[1], &entries[1]) : status;
    }
    if (!s3s_type_is_flat(field->type) || !s3s_type_is_flat(in->type) ||
        !join_flat(field, in, &joined))
        return mismatch(ev, field, in);
    ev->grown = ev->grown || !s3s_field_same_type(field, &joined);
    joined.name = field->name;
    joined.nullable = field->nullable; /* the key of a map is not */
    *field = joined;
    return S3STORE_OK;
}

/* ---- the whole schema ----------------------------------------------------------------------- */

/* The usual case: the same columns in the same order. */
static bool changes_nothing(const s3s_schema *recorded, const s3s_schema *incoming)
{
    if (recorded == NULL || recorded->field_count != incoming->field_count)
        return false;
    for (size_t i = 0; i < recorded->field_count; i++) {
        const s3s_field *have = &recorded->fields[i], *in = &incoming->fields[i];
        if (!have->nullable || !s3s_field_same_type(have, in) || strcmp(have->name, in->name) != 0 ||
            (have->child_count > 0 && !is_normal(have)))
            return false;
    }
    return recorded->field_count <= MAX_COLUMNS;
}

s3store_status s3s_schema_evolve(s3s_env *env, const s3s_schema *recorded,
                                 const s3s_schema *incoming, s3s_schema **out, bool *grown,
                                 s3store_error *err)
{
    size_t recorded_count = recorded != NULL ? recorded->field_count : 0;
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
    status = s3s_schema_new(env, recorded_count + incoming->field_count, &result, err);
    if (status != S3STORE_OK)
        return status;
    evolver ev = {.env = env, .arena = &result->arena, .err = err};
    for (size_t i = 0; status == S3STORE_OK && i < recorded_count; i++)
        status = copy_normal(&ev, &recorded->fields[i], &result->fields[i]);
    if (status == S3STORE_OK) {
        result->field_count = recorded_count;
        status = join_fields(&ev, incoming->fields, incoming->field_count, result->fields,
                             &result->field_count);
    }
    if (status != S3STORE_OK) {
        s3s_schema_release(result);
        return status;
    }
    *grown = ev.grown;
    *out = result;
    return S3STORE_OK;
}
