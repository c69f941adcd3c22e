/* parquet/prune_bounds.c: predicates against the least and greatest value. Bounds and values are
 * brought to the Arrow form of the column's type and compared there.
 */
#include <math.h>

#include "base/bytes.h"
#include "parquet/prune.h"

#define VALUE_MAX 32 /* bytes of the widest fixed value that has an order: a decimal */

static bool is_float(s3s_type type)
{
    return type == S3S_TYPE_FLOAT16 || type == S3S_TYPE_FLOAT || type == S3S_TYPE_DOUBLE;
}

static bool has_order(const s3s_leaf *leaf)
{
    s3s_type type = leaf->field->type;
    return leaf->physical != S3S_PQ_INT96 && type != S3S_TYPE_INTERVAL && type != S3S_TYPE_NULL &&
           type != S3S_TYPE_DURATION && s3s_type_is_flat(type);
}

/* The deprecated bounds were compared signed, whatever the type. */
static bool old_order_holds(const s3s_leaf *leaf)
{
    s3s_type type = leaf->field->type;
    bool is_unsigned = type == S3S_TYPE_UINT8 || type == S3S_TYPE_UINT16 ||
                       type == S3S_TYPE_UINT32 || type == S3S_TYPE_UINT64;
    return !is_unsigned && (leaf->physical == S3S_PQ_INT32 || leaf->physical == S3S_PQ_INT64);
}

void s3s_bounds_of_statistics(const s3s_prune_term *term, const s3s_pq_statistics *s,
                              int64_t rows, s3s_bounds *out)
{
    const s3s_leaf *leaf = term->leaf;
    *out = (s3s_bounds){.rows = rows, .nulls = -1};
    if (S3S_PQ_HAS(s, S3S_STATS_NULL_COUNT) && s->null_count >= 0 && s->null_count <= rows)
        out->nulls = s->null_count;
    if (S3S_PQ_HAS(s, S3S_STATS_MIN_VALUE) && term->ordered)
        out->min = &s->min_value;
    else if (S3S_PQ_HAS(s, S3S_STATS_MIN) && old_order_holds(leaf))
        out->min = &s->min;
    if (S3S_PQ_HAS(s, S3S_STATS_MAX_VALUE) && term->ordered)
        out->max = &s->max_value;
    else if (S3S_PQ_HAS(s, S3S_STATS_MAX) && old_order_holds(leaf))
        out->max = &s->max;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static double to_double(s3s_type type, const uint8_t *data)
{
    float single;
    double value;
    if (type == S3S_TYPE_DOUBLE) {
        memcpy(&value, data, sizeof value);
        return value;
    }
    if (type == S3S_TYPE_FLOAT) {
        memcpy(&single, data, sizeof single);
        return (double)single;
    }
    unsigned bits = s3s_le16(data);
    int exponent = (int)(bits >> 10 & 31);
    double fraction = (double)(bits & 1023);
    if (exponent == 31)
        value = fraction > 0 ? NAN : HUGE_VAL;
    else
        value = exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25);
    return (bits & 0x8000) != 0 ? -value : value;
}

/* Little-endian two's complement (or unsigned) numbers of one width. */
static int compare_little(const uint8_t *a, const uint8_t *b, size_t width, bool is_signed)
{
    for (size_t i = width; i-- > 0;) {
        uint8_t flip = is_signed && i == width - 1 ? 0x80 : 0;
        uint8_t x = a[i] ^ flip, y = b[i] ^ flip;
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int compare_bytes(const s3store_bytes *a, const s3store_bytes *b)
{
    size_t n = a->size < b->size ? a->size : b->size;
    int order = n > 0 ? memcmp(a->data, b->data, n) : 0;
    return order != 0 ? order : a->size < b->size ? -1 : a->size > b->size;
}

static int compare(const s3s_leaf *leaf, const s3store_bytes *a, const s3store_bytes *b)
{
    s3s_type type = leaf->field->type;
    if (s3s_type_is_bytes(type) || type == S3S_TYPE_FIXED_BINARY)
        return compare_bytes(a, b);
    if (is_float(type)) {
        double x = to_double(type, (const void *)a->data);
        double y = to_double(type, (const void *)b->data);
        return x < y ? -1 : x > y;
    }
    bool is_unsigned = type == S3S_TYPE_UINT8 || type == S3S_TYPE_UINT16 ||
                       type == S3S_TYPE_UINT32 || type == S3S_TYPE_UINT64 ||
                       type == S3S_TYPE_BOOL;
    return compare_little((const void *)a->data, (const void *)b->data, a->size, !is_unsigned);
}

/* ---- bounds in Arrow form -------------------------------------------------------------------- */

static bool bound_value(const s3s_leaf *leaf, const s3s_thrift_binary *bound, uint8_t *room,
                        s3store_bytes *out)
{
    *out = (s3store_bytes){.data = (const void *)bound->data, .size = bound->size};
    s3s_type type = leaf->field->type;
    if (s3s_type_is_bytes(type) || type == S3S_TYPE_FIXED_BINARY)
        return true;
    size_t width = leaf->physical == S3S_PQ_BOOLEAN ? 1 : s3s_physical_width(leaf->physical);
    if (leaf->physical == S3S_PQ_FIXED)
        width = leaf->type_length;
    if (leaf->physical != S3S_PQ_BYTE_ARRAY && bound->size != width)
        return false;
    if (leaf->convert != NULL) {
        _Alignas(8) uint8_t aligned[8]; /* the footer's bytes lie anywhere */
        const void *in = leaf->physical == S3S_PQ_BYTE_ARRAY ? (const void *)out : bound->data;
        if (s3s_physical_width(leaf->physical) > 0 && width <= sizeof aligned)
            in = memcpy(aligned, bound->data, width);
        if (leaf->out_width > VALUE_MAX ||
            leaf->convert(leaf, in, 1, room, NULL) != S3STORE_OK)
            return false;
        *out = (s3store_bytes){.data = (const void *)room, .size = leaf->out_width};
    }
    return !is_float(type) || !isnan(to_double(type, (const void *)out->data));
}

/* Is the value one that the column could hold? */
static bool value_fits(const s3s_leaf *leaf, const s3store_bytes *value)
{
    s3s_type type = leaf->field->type;
    if (s3s_type_is_bytes(type) || type == S3S_TYPE_FIXED_BINARY)
        return true;
    size_t width = type == S3S_TYPE_BOOL ? 1 : s3s_type_value_size(leaf->field);
    return value->size == width &&
           (!is_float(type) || !isnan(to_double(type, (const void *)value->data)));
}

/* min and max may be NULL. NaN is in no statistics: it may lie above every maximum. */
static bool value_may_match(const s3s_prune_term *t, const s3store_bytes *value,
                            const s3store_bytes *min, const s3store_bytes *max)
{
    const s3s_leaf *leaf = t->leaf;
    bool nan = is_float(leaf->field->type);
    if (!value_fits(leaf, value))
        return true;
    switch (t->op) {
    case S3S_PREDICATE_EQ:
    case S3S_PREDICATE_IN:
        return !((min != NULL && compare(leaf, value, min) < 0) ||
                 (max != NULL && compare(leaf, value, max) > 0));
    case S3S_PREDICATE_NE:
        return nan || min == NULL || max == NULL || compare(leaf, value, min) != 0 ||
               compare(leaf, value, max) != 0;
    case S3S_PREDICATE_LT:
        return min == NULL || compare(leaf, min, value) < 0;
    case S3S_PREDICATE_LE:
        return min == NULL || compare(leaf, min, value) <= 0;
    case S3S_PREDICATE_GT:
        return nan || max == NULL || compare(leaf, max, value) > 0;
    case S3S_PREDICATE_GE:
        return nan || max == NULL || compare(leaf, max, value) >= 0;
    default:
        return true;
    }
}

bool s3s_bounds_may_match(const s3s_prune_term *t, const s3s_bounds *b)
{
    _Alignas(16) uint8_t min_room[VALUE_MAX], max_room[VALUE_MAX];
    s3store_bytes min, max;
    if (b->rows == 0)
        return false;
    if (t->op == S3S_PREDICATE_IS_NULL)
        return b->nulls != 0;
    if (b->nulls == b->rows)
        return false;
    if (t->op == S3S_PREDICATE_IS_NOT_NULL || !has_order(t->leaf))
        return true;
    bool has_min = b->min != NULL && bound_value(t->leaf, b->min, min_room, &min);
    bool has_max = b->max != NULL && bound_value(t->leaf, b->max, max_room, &max);
    for (size_t i = 0; i < t->value_count; i++)
        if (value_may_match(t, &t->values[i], has_min ? &min : NULL, has_max ? &max : NULL))
            return true;
    return false;
}
