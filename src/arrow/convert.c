/* Batches into the shape of another schema. Values pass through blocks of int64 or double, so
 * that N source and M target types need N + M loops, each of which the compiler can vectorise. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "arrow/internal.h"
#include "base/error.h"

#define BLOCK 1024

/* Where in a column: itself, or what is nested below it. */
typedef struct level {
    const struct level *up;
    const char *name;       /* NULL: adds nothing to the path (the entries of a map) */
    const s3s_column *list; /* these are the elements of this one's lists; NULL: the same rows */
    bool is_compact;        /* offsets begin at 0, and nothing lies below nulls */
} level;

typedef struct convert {
    s3s_env *env;
    const char *where; /* file or batch, for messages */
    s3store_error *err;
    const level *at;
} convert;

#define PATH_SIZE 256

/* "a.b.item"; what does not fit is cut at its beginning: the end says more. */
static const char *path_text(const convert *cv, char path[PATH_SIZE])
{
    size_t from = PATH_SIZE - 1;
    path[from] = '\0';
    for (const level *l = cv->at; l != NULL; l = l->up) {
        size_t size = l->name != NULL ? strlen(l->name) : 0;
        if (size == 0)
            continue;
        bool dot = path[from] != '\0';
        if (size + dot > from)
            break;
        if (dot)
            path[--from] = '.';
        from -= size;
        memcpy(path + from, l->name, size);
    }
    return path + from;
}

/* The row of the batch that an element belongs to. */
static int64_t row_of(const convert *cv, int64_t row)
{
    for (const level *l = cv->at; l != NULL; l = l->up) {
        if (l->list == NULL)
            continue;
        int64_t low = 0, high = l->list->length; /* the last list that begins at or before it */
        while (high - low > 1) {
            int64_t middle = low + (high - low) / 2, start, end;
            s3s_column_range(l->list, l->list->field->type == S3S_TYPE_LARGE_LIST, middle, &start,
                             &end);
            if (start <= row)
                low = middle;
            else
                high = middle;
        }
        row = low;
    }
    return row;
}

static s3store_status fail_types(const convert *cv, const s3s_field *from, const s3s_field *to,
                                 const char *why)
{
    char a[128];
    char b[128];
    char path[PATH_SIZE];
    return s3s_fail(cv->err, S3STORE_SCHEMA_MISMATCH,
                    "%s: column \"%.200s\" is %s and cannot be read as %s%s", cv->where,
                    path_text(cv, path), s3s_field_type_text(from, a, sizeof a),
                    s3s_field_type_text(to, b, sizeof b), why);
}

static s3store_status fail_value(const convert *cv, const s3s_field *from, const s3s_field *to,
                                 int64_t row, const char *value)
{
    char a[128];
    char b[128];
    char path[PATH_SIZE];
    return s3s_fail(cv->err, S3STORE_SCHEMA_MISMATCH,
                    "%s: column \"%.200s\", row %lld: %s of type %s does not fit into %s",
                    cv->where, path_text(cv, path), (long long)row_of(cv, row), value,
                    s3s_field_type_text(from, a, sizeof a), s3s_field_type_text(to, b, sizeof b));
}

/* ---- blocks ---------------------------------------------------------------------------------- */

#define LOAD(type)                                                                                 \
    do {                                                                                           \
        const type *v = (const type *)c->values + c->offset + start;                               \
        for (size_t i = 0; i < count; i++)                                                         \
            block[i] = (int64_t)v[i];                                                              \
    } while (0)

/* Integers and timestamps; uint64 by its bits. */
static void load_ints(const s3s_column *c, int64_t start, size_t count, int64_t *block)
{
    switch (c->field->type) {
    case S3S_TYPE_INT8:
        LOAD(int8_t);
        break;
    case S3S_TYPE_INT16:
        LOAD(int16_t);
        break;
    case S3S_TYPE_INT32:
        LOAD(int32_t);
        break;
    case S3S_TYPE_UINT8:
        LOAD(uint8_t);
        break;
    case S3S_TYPE_UINT16:
        LOAD(uint16_t);
        break;
    case S3S_TYPE_UINT32:
        LOAD(uint32_t);
        break;
    default:
        LOAD(int64_t);
        break;
    }
}

#define STORE(type)                                                                                \
    do {                                                                                           \
        type *v = (type *)values + start;                                                          \
        for (size_t i = 0; i < count; i++)                                                         \
            v[i] = (type)block[i];                                                                 \
    } while (0)

static void store_ints(void *values, size_t width, int64_t start, size_t count,
                       const int64_t *block)
{
    switch (width) {
    case 2:
        STORE(int16_t);
        break;
    case 4:
        STORE(int32_t);
        break;
    default:
        STORE(int64_t);
        break;
    }
}

/* ---- what goes into what --------------------------------------------------------------------- */

static int int_bits(s3s_type type)
{
    static const uint8_t bits[] = {8, 16, 32, 64};
    return type >= S3S_TYPE_UINT8 ? bits[type - S3S_TYPE_UINT8] : bits[type - S3S_TYPE_INT8];
}

static bool is_unsigned(s3s_type type)
{
    return type >= S3S_TYPE_UINT8 && type <= S3S_TYPE_UINT64;
}

static bool widens_int(s3s_type from, s3s_type to)
{
    if (!s3s_type_is_integer(from) || !s3s_type_is_integer(to) || int_bits(to) <= int_bits(from))
        return false;
    return is_unsigned(from) || !is_unsigned(to);
}

/* 64 bits of the other sign: a dataset keeps the sign that it recorded first. Values are checked. */
static bool changes_sign(s3s_type from, s3s_type to)
{
    return (s3s_type_is_integer(from) && !is_unsigned(from) && to == S3S_TYPE_UINT64) ||
           (from == S3S_TYPE_UINT64 && to == S3S_TYPE_INT64);
}

static bool is_float(s3s_type type)
{
    return type >= S3S_TYPE_FLOAT16 && type <= S3S_TYPE_DOUBLE;
}

/* Checks each value that is not null. */
static s3store_status scale_block(const convert *cv, const s3s_column *c, const s3s_field *to,
                                  int64_t start, size_t count, int64_t factor, int64_t *block)
{
    for (size_t i = 0; i < count; i++) {
        int64_t scaled = 0;
        bool fits = !__builtin_mul_overflow(block[i], factor, &scaled);
        if (!fits && !s3s_column_is_null(c, start + (int64_t)i)) {
            char value[32];
            snprintf(value, sizeof value, "%lld", (long long)block[i]);
            return fail_value(cv, c->field, to, start + (int64_t)i, value);
        }
        block[i] = fits ? scaled : 0;
    }
    return S3STORE_OK;
}

/* Signed to uint64 and uint64 to int64: what has the top bit set does not fit the other. */
static s3store_status convert_signs(const convert *cv, const s3s_column *c, const s3s_field *to,
                                    void *values)
{
    int64_t block[BLOCK];
    for (int64_t start = 0; start < c->length; start += BLOCK) {
        size_t count = c->length - start < BLOCK ? (size_t)(c->length - start) : BLOCK;
        load_ints(c, start, count, block);
        for (size_t i = 0; i < count; i++) {
            int64_t row = start + (int64_t)i;
            if (block[i] >= 0)
                continue;
            if (!s3s_column_is_null(c, row)) {
                char value[32];
                snprintf(value, sizeof value, to->type == S3S_TYPE_UINT64 ? "%lld" : "%llu",
                         (long long)block[i]);
                return fail_value(cv, c->field, to, row, value);
            }
            block[i] = 0;
        }
        store_ints(values, 8, start, count, block);
    }
    return S3STORE_OK;
}

/* Integers and timestamps to wider ones; factor 1 or that between two units. */
static s3store_status convert_ints(const convert *cv, const s3s_column *c, const s3s_field *to,
                                   int64_t factor, void *values)
{
    int64_t block[BLOCK];
    size_t width = s3s_type_value_size(to);
    for (int64_t start = 0; start < c->length; start += BLOCK) {
        size_t count = c->length - start < BLOCK ? (size_t)(c->length - start) : BLOCK;
        load_ints(c, start, count, block);
        s3store_status status =
            factor == 1 ? S3STORE_OK : scale_block(cv, c, to, start, count, factor, block);
        if (status != S3STORE_OK)
            return status;
        store_ints(values, width, start, count, block);
    }
    return S3STORE_OK;
}

/* Up to here integers and doubles are the same numbers; above only some integers have a double, and
 * one that has enters the content hash differently (FORMAT "Content hash"): none is taken. */
#define INTEGER_MAX (UINT64_C(1) << DBL_MANT_DIG)

/* Whether an integer has an exact float with so many digits of mantissa: its bits without the
 * zeros at the end must fit. */
static bool exact_in(uint64_t magnitude, int digits)
{
    if (magnitude == 0)
        return true;
    if (magnitude > INTEGER_MAX)
        return false;
    int used = 64 - __builtin_clzll(magnitude) - __builtin_ctzll(magnitude);
    return used <= digits;
}

static s3store_status convert_int_to_float(const convert *cv, const s3s_column *c,
                                           const s3s_field *to, void *values)
{
    int64_t block[BLOCK];
    bool from_unsigned = c->field->type == S3S_TYPE_UINT64;
    int digits = to->type == S3S_TYPE_FLOAT ? FLT_MANT_DIG : DBL_MANT_DIG;
    for (int64_t start = 0; start < c->length; start += BLOCK) {
        size_t count = c->length - start < BLOCK ? (size_t)(c->length - start) : BLOCK;
        load_ints(c, start, count, block);
        for (size_t i = 0; i < count; i++) {
            int64_t row = start + (int64_t)i;
            uint64_t bits = (uint64_t)block[i];
            bool negative = !from_unsigned && block[i] < 0;
            uint64_t magnitude = negative ? 0 - bits : bits;
            if (!exact_in(magnitude, digits) && !s3s_column_is_null(c, row)) {
                char value[32];
                snprintf(value, sizeof value, "%s%llu", negative ? "-" : "",
                         (unsigned long long)magnitude);
                return fail_value(cv, c->field, to, row, value);
            }
            double number = negative ? -(double)magnitude : (double)magnitude;
            if (to->type == S3S_TYPE_FLOAT)
                ((float *)values)[row] = (float)number;
            else
                ((double *)values)[row] = number;
        }
    }
    return S3STORE_OK;
}

static void convert_floats(const s3s_column *c, const s3s_field *to, void *values)
{
    if (c->field->type == S3S_TYPE_FLOAT) {
        const float *v = (const float *)c->values + c->offset;
        for (int64_t i = 0; i < c->length; i++)
            ((double *)values)[i] = v[i];
        return;
    }
    for (int64_t i = 0; i < c->length; i++) {
        double value = s3s_column_double(c, i);
        if (to->type == S3S_TYPE_FLOAT)
            ((float *)values)[i] = (float)value;
        else
            ((double *)values)[i] = value;
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

typedef enum way {
    WAY_NONE = 0,
    WAY_COPY,
    WAY_NULLS,
    WAY_INTS,
    WAY_SIGNS, /* to 64 bits of the other sign */
    WAY_INT_TO_FLOAT,
    WAY_FLOATS,
    WAY_BYTES, /* other width of offsets */
    WAY_STRUCT,
    WAY_LIST, /* maps too */
} way;

static bool is_list(s3s_type type)
{
    return type == S3S_TYPE_LIST || type == S3S_TYPE_LARGE_LIST;
}

static way find_way(const s3s_field *from, const s3s_field *to, int64_t *factor)
{
    *factor = 1;
    if (s3s_field_same_type(from, to))
        return WAY_COPY;
    if (from->type == S3S_TYPE_NULL)
        return WAY_NULLS;
    if (widens_int(from->type, to->type))
        return WAY_INTS;
    if (changes_sign(from->type, to->type))
        return WAY_SIGNS;
    if (from->type == S3S_TYPE_TIMESTAMP && to->type == S3S_TYPE_TIMESTAMP &&
        from->utc == to->utc && to->unit > from->unit) {
        *factor = s3s_unit_per_second(to->unit) / s3s_unit_per_second(from->unit);
        return WAY_INTS;
    }
    if (s3s_type_is_integer(from->type) &&
        (to->type == S3S_TYPE_FLOAT || to->type == S3S_TYPE_DOUBLE))
        return WAY_INT_TO_FLOAT;
    if (is_float(from->type) && is_float(to->type) && to->type > from->type)
        return WAY_FLOATS;
    if (s3s_type_is_bytes(from->type) && s3s_type_is_bytes(to->type) &&
        s3s_type_is_text(from->type) == s3s_type_is_text(to->type))
        return WAY_BYTES;
    if (from->type == S3S_TYPE_STRUCT && to->type == S3S_TYPE_STRUCT)
        return WAY_STRUCT;
    if ((is_list(from->type) && is_list(to->type)) ||
        (from->type == S3S_TYPE_MAP && to->type == S3S_TYPE_MAP))
        return WAY_LIST;
    return WAY_NONE;
}

static s3store_status copy_validity(const convert *cv, const s3s_column *c, void **bits,
                                    int64_t *null_count)
{
    s3s_take take = {cv->env, c->field->name, 1};
    s3s_run all = {0, 0, c->length};
    s3s_selection selection = {NULL, &all, 1, (size_t)c->length};
    return s3s_take_validity(&take, c, &selection, bits, null_count, cv->err);
}

static s3store_status convert_fixed(const convert *cv, const s3s_column *c, const s3s_field *to,
                                    way how, int64_t factor, struct ArrowArray *out)
{
    void *buffers[2] = {NULL, NULL};
    int64_t null_count = 0;
    size_t size;
    s3store_status status = copy_validity(cv, c, &buffers[0], &null_count);
    if (status != S3STORE_OK)
        return status;
    if (!s3s_mul((size_t)c->length, s3s_type_value_size(to), &size))
        size = SIZE_MAX;
    buffers[1] = s3s_alloc(cv->env, size);
    if (buffers[1] == NULL)
        status = s3s_fail_memory(cv->err, size);
    else if (how == WAY_INTS)
        status = convert_ints(cv, c, to, factor, buffers[1]);
    else if (how == WAY_SIGNS)
        status = convert_signs(cv, c, to, buffers[1]);
    else if (how == WAY_INT_TO_FLOAT)
        status = convert_int_to_float(cv, c, to, buffers[1]);
    else
        convert_floats(c, to, buffers[1]);
    if (status == S3STORE_OK)
        return s3s_array_make(cv->env, to, c->length, null_count, buffers, 2, NULL, 0, out,
                              cv->err);
    s3s_free(cv->env, buffers[0]);
    s3s_free(cv->env, buffers[1]);
    return status;
}

static s3store_status fail_offsets(const convert *cv, int64_t total, const char *what)
{
    char path[PATH_SIZE];
    return s3s_fail(cv->err, S3STORE_LIMIT_EXCEEDED,
                    "%s: column \"%.200s\": %lld %s in one batch do not fit the 32-bit offsets of "
                    "its type: use smaller batches",
                    cv->where, path_text(cv, path), (long long)total, what);
}

/* Offsets of the target's width, from 0; nulls take no room. Returns the total. */
static int64_t convert_offsets(const s3s_column *c, bool to_wide, void *offsets)
{
    int64_t total = 0;
    for (int64_t i = 0; i <= c->length; i++) {
        if (i > 0)
            total += (int64_t)s3s_column_bytes(c, i - 1).size;
        if (to_wide)
            ((int64_t *)offsets)[i] = total;
        else
            ((int32_t *)offsets)[i] = (int32_t)(uint32_t)total;
    }
    return total;
}

static s3store_status convert_bytes(const convert *cv, const s3s_column *c, const s3s_field *to,
                                    struct ArrowArray *out)
{
    void *buffers[3] = {NULL, NULL, NULL};
    int64_t null_count = 0;
    int64_t total = 0;
    bool wide = s3s_type_layout(to->type) == S3S_LAYOUT_LARGE_BYTES;
    size_t size = ((size_t)c->length + 1) * (wide ? 8 : 4);
    s3store_status status = copy_validity(cv, c, &buffers[0], &null_count);
    if (status != S3STORE_OK)
        return status;
    buffers[1] = s3s_alloc(cv->env, size);
    if (buffers[1] == NULL) {
        status = s3s_fail_memory(cv->err, size);
    } else {
        total = convert_offsets(c, wide, buffers[1]);
        if (!wide && total > INT32_MAX)
            status = fail_offsets(cv, total, "bytes");
    }
    if (status == S3STORE_OK) {
        buffers[2] = s3s_alloc(cv->env, (size_t)total);
        if (buffers[2] == NULL)
            status = s3s_fail_memory(cv->err, (size_t)total);
    }
    if (status != S3STORE_OK) {
        for (size_t i = 0; i < 3; i++)
            s3s_free(cv->env, buffers[i]);
        return status;
    }
    uint8_t *p = buffers[2];
    for (int64_t i = 0; i < c->length; i++) {
        s3store_bytes value = s3s_column_bytes(c, i);
        memcpy(p, value.data, value.size);
        p += value.size;
    }
    return s3s_array_make(cv->env, to, c->length, null_count, buffers, 3, NULL, 0, out, cv->err);
}

/* ---- nested columns -------------------------------------------------------------------------- */

/* Recursion is as deep as the schema is, which is bounded. */
static s3store_status convert_column(const convert *cv, const s3s_column *c, const s3s_field *to,
                                     struct ArrowArray *out);

/* Nothing of what lies below a null may be looked at: the members of a null struct are null too.
 * *bits is the caller's, the view's until then. */
static s3store_status mask_child(const convert *cv, const s3s_column *parent, s3s_column *child,
                                 uint8_t **bits)
{
    *bits = NULL;
    if (parent->validity == NULL || child->field->type == S3S_TYPE_NULL)
        return S3STORE_OK;
    size_t size = s3s_bits_size((size_t)child->length);
    *bits = s3s_alloc(cv->env, size);
    if (*bits == NULL)
        return s3s_fail_memory(cv->err, size);
    for (size_t i = 0; i < size; i++) /* both begin at a byte: their arrays are our own */
        (*bits)[i] = parent->validity[i] & (child->validity != NULL ? child->validity[i] : 0xff);
    child->validity = *bits;
    return S3STORE_OK;
}

static s3store_status missing(const convert *cv, const s3s_field *to, int64_t length,
                              struct ArrowArray *out)
{
    char path[PATH_SIZE];
    if (to->nullable)
        return s3s_array_nulls(cv->env, to, length, out, cv->err);
    return s3s_fail(cv->err, S3STORE_SCHEMA_MISMATCH,
                    "%s: there is no column \"%.200s\", and it may not be null", cv->where,
                    path_text(cv, path));
}

static size_t find_member(const s3s_field *from, const char *name, size_t guess)
{
    if (guess < from->child_count && strcmp(from->children[guess].name, name) == 0)
        return guess;
    for (size_t i = 0; i < from->child_count; i++)
        if (strcmp(from->children[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

/* Member i of `to`; the two of a map's entries go by their places. */
static s3store_status convert_member(const convert *cv, const s3s_column *c, const s3s_field *to,
                                     size_t i, struct ArrowArray *out)
{
    static const char *const of_entries[] = {"key", "value"};
    bool entries = cv->at->name == NULL;
    const s3s_field *member = &to->children[i];
    level below = {.up = cv->at, .name = entries ? of_entries[i] : member->name,
                   .is_compact = c->validity == NULL};
    convert own = {cv->env, cv->where, cv->err, &below};
    size_t from = entries ? i : find_member(c->field, member->name, i);
    if (from == SIZE_MAX)
        return missing(&own, member, c->length, out);
    s3s_column child;
    uint8_t *bits;
    s3s_column_child(c, from, &child);
    s3store_status status = mask_child(cv, c, &child, &bits);
    if (status == S3STORE_OK)
        status = convert_column(&own, &child, member, out);
    s3s_free(cv->env, bits);
    return status;
}

static s3store_status convert_struct(const convert *cv, const s3s_column *c, const s3s_field *to,
                                     struct ArrowArray *out)
{
    void *validity[1] = {NULL};
    int64_t null_count = 0;
    struct ArrowArray *children = s3s_calloc(cv->env, to->child_count + 1, sizeof *children);
    if (children == NULL)
        return s3s_fail_memory(cv->err, to->child_count * sizeof *children);
    s3store_status status = copy_validity(cv, c, &validity[0], &null_count);
    for (size_t i = 0; i < to->child_count && status == S3STORE_OK; i++)
        status = convert_member(cv, c, to, i, &children[i]);
    if (status == S3STORE_OK)
        status = s3s_array_make(cv->env, to, c->length, null_count, validity, 1, children,
                                to->child_count, out, cv->err);
    else
        s3s_free(cv->env, validity[0]);
    for (size_t i = 0; i < to->child_count; i++)
        s3s_array_release(&children[i]);
    s3s_free(cv->env, children);
    return status;
}

/* The offsets of a compact list in the target's width. */
static s3store_status list_offsets(const convert *cv, const s3s_column *c, bool to_wide, void **out)
{
    bool wide = c->field->type == S3S_TYPE_LARGE_LIST;
    size_t size = ((size_t)c->length + 1) * (to_wide ? 8 : 4);
    int64_t start, end = 0;
    void *offsets = s3s_alloc(cv->env, size);
    if (offsets == NULL)
        return s3s_fail_memory(cv->err, size);
    for (int64_t i = 0; i <= c->length; i++) {
        if (i > 0)
            s3s_column_range(c, wide, i - 1, &start, &end);
        if (to_wide)
            ((int64_t *)offsets)[i] = end;
        else
            ((int32_t *)offsets)[i] = (int32_t)end;
    }
    *out = offsets;
    if (to_wide || end <= INT32_MAX)
        return S3STORE_OK;
    return fail_offsets(cv, end, "elements");
}

static s3store_status convert_list(const convert *cv, const s3s_column *c, const s3s_field *to,
                                   struct ArrowArray *out)
{
    void *buffers[2] = {NULL, NULL};
    int64_t null_count = 0;
    s3s_column items;
    struct ArrowArray child = {0};
    level below = {.up = cv->at, .name = to->type == S3S_TYPE_MAP ? NULL : "item", .list = c,
                   .is_compact = true};
    convert own = {cv->env, cv->where, cv->err, &below};
    s3store_status status = copy_validity(cv, c, &buffers[0], &null_count);
    if (status == S3STORE_OK)
        status = list_offsets(cv, c, to->type == S3S_TYPE_LARGE_LIST, &buffers[1]);
    if (status == S3STORE_OK) {
        s3s_column_child(c, 0, &items);
        status = convert_column(&own, &items, &to->children[0], &child);
    }
    if (status == S3STORE_OK)
        return s3s_array_make(cv->env, to, c->length, null_count, buffers, 2, &child, 1, out,
                              cv->err);
    s3s_free(cv->env, buffers[0]);
    s3s_free(cv->env, buffers[1]);
    return status;
}

/* Values below nulls, and elements that no list reaches, could fail to convert: they are dropped
 * first. */
static s3store_status convert_nested(const convert *cv, const s3s_column *c, const s3s_field *to,
                                     way how, struct ArrowArray *out)
{
    struct ArrowArray copy = {0};
    s3s_column view = *c;
    s3store_status status = S3STORE_OK;
    if (!cv->at->is_compact) {
        status = s3s_column_copy(cv->env, c, &copy, cv->err);
        if (status != S3STORE_OK)
            return status;
        s3s_column_view(c->field, &copy, 0, copy.length, &view);
    }
    status = how == WAY_STRUCT ? convert_struct(cv, &view, to, out)
                               : convert_list(cv, &view, to, out);
    s3s_array_release(&copy);
    return status;
}

/* ---- all columns ----------------------------------------------------------------------------- */

/* Those of the column itself; what is nested in it is looked at on its own. */
static s3store_status check_own_nulls(const convert *cv, const s3s_column *c, const s3s_field *to)
{
    char path[PATH_SIZE];
    if (to->nullable || (c->validity == NULL && c->field->type != S3S_TYPE_NULL))
        return S3STORE_OK;
    for (int64_t i = 0; i < c->length; i++)
        if (s3s_column_is_null(c, i))
            return s3s_fail(cv->err, S3STORE_SCHEMA_MISMATCH,
                            "%s: column \"%.200s\", row %lld: null in a column that is not nullable",
                            cv->where, path_text(cv, path), (long long)row_of(cv, i));
    return S3STORE_OK;
}

static s3store_status convert_column(const convert *cv, const s3s_column *c, const s3s_field *to,
                                     struct ArrowArray *out)
{
    int64_t factor;
    way how = find_way(c->field, to, &factor);
    if (how == WAY_NONE)
        return fail_types(cv, c->field, to, "");
    if (how == WAY_NULLS) {
        if (!to->nullable && c->length > 0)
            return fail_types(cv, c->field, to, ", which is not nullable");
        return s3s_array_nulls(cv->env, to, c->length, out, cv->err);
    }
    s3store_status status =
        how == WAY_COPY ? s3s_column_check_nulls(c, to, cv->where, S3STORE_SCHEMA_MISMATCH, cv->err)
                        : check_own_nulls(cv, c, to);
    if (status != S3STORE_OK)
        return status;
    if (how == WAY_COPY)
        return s3s_column_copy(cv->env, c, out, cv->err);
    if (how == WAY_BYTES)
        return convert_bytes(cv, c, to, out);
    if (how == WAY_STRUCT || how == WAY_LIST)
        return convert_nested(cv, c, to, how, out);
    return convert_fixed(cv, c, to, how, factor, out);
}

static s3store_status convert_named(const convert *cv, const s3s_schema *from,
                                    const struct ArrowArray *batch, const s3s_field *to,
                                    struct ArrowArray *out)
{
    level top = {.name = to->name};
    convert own = {cv->env, cv->where, cv->err, &top};
    size_t position = s3s_schema_find(from, to->name);
    if (position == SIZE_MAX)
        return missing(&own, to, batch->length, out);
    s3s_column column;
    s3s_batch_column(from, batch, position, &column);
    return convert_column(&own, &column, to, out);
}

s3store_status s3s_batch_convert(s3s_env *env, const s3s_schema *from,
                                 const struct ArrowArray *batch, const s3s_schema *to,
                                 const char *where, struct ArrowArray *out, s3store_error *err)
{
    convert cv = {env, where != NULL ? where : "batch", err, NULL};
    memset(out, 0, sizeof *out);
    struct ArrowArray *columns = s3s_calloc(env, to->field_count, sizeof *columns);
    if (columns == NULL)
        return s3s_fail_memory(err, to->field_count * sizeof *columns);
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < to->field_count && status == S3STORE_OK; i++)
        status = convert_named(&cv, from, batch, &to->fields[i], &columns[i]);
    if (status == S3STORE_OK)
        status = s3s_batch_make(env, columns, to->field_count, batch->length, out, err);
    for (size_t i = 0; i < to->field_count; i++)
        s3s_array_release(&columns[i]);
    s3s_free(env, columns);
    return status;
}

bool s3s_batch_fits(const s3s_schema *from, const s3s_schema *to)
{
    if (from->field_count != to->field_count)
        return false;
    for (size_t i = 0; i < from->field_count; i++) {
        const s3s_field *a = &from->fields[i], *b = &to->fields[i];
        if ((a->nullable && !b->nullable) || !s3s_field_same_type(a, b) ||
            (a->child_count > 0 && !s3s_field_nulls_fit(a, b)) || strcmp(a->name, b->name) != 0)
            return false;
    }
    return true;
}
