/* parquet/stats.c: minima and maxima by the orders that the format defines for types.
 *
 * Floating point: NaN never counts; a zero minimum is written as -0, a zero maximum as +0, because
 * readers compare either way.
 */
#include "parquet/stats.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum { LANES = 8, TIES_MAX = 64 };

static s3store_status keep(s3s_buffer *bound, const void *data, size_t size, s3store_error *err)
{
    s3s_buffer_clear(bound);
    return s3s_buffer_append(bound, data, size, err);
}

/* One scan in lanes that do not wait for each other, then at most two stores; `is_number` leaves NaN
 * out. Of the two zeros either may win: fix_zero(). */
#define NUMBERS(name, type, is_number)                                                             \
    static s3store_status name(s3s_stats *stats, const void *values, size_t count,                 \
                               s3store_error *err)                                                 \
    {                                                                                              \
        const type *v = values;                                                                    \
        size_t i = 0;                                                                              \
        while (i < count && !(is_number))                                                          \
            i++;                                                                                   \
        if (i == count)                                                                            \
            return S3STORE_OK;                                                                     \
        type low[LANES], high[LANES];                                                              \
        for (size_t k = 0; k < LANES; k++)                                                         \
            low[k] = high[k] = v[i];                                                               \
        if (stats->any) {                                                                          \
            memcpy(&low[0], stats->min.data, sizeof low[0]);                                       \
            memcpy(&high[0], stats->max.data, sizeof high[0]);                                     \
        }                                                                                          \
        for (; i + LANES <= count; i += LANES)                                                     \
            for (size_t k = 0; k < LANES; k++) {                                                   \
                low[k] = v[i + k] < low[k] ? v[i + k] : low[k];                                    \
                high[k] = v[i + k] > high[k] ? v[i + k] : high[k];                                 \
            }                                                                                      \
        for (; i < count; i++) {                                                                   \
            low[0] = v[i] < low[0] ? v[i] : low[0];                                                \
            high[0] = v[i] > high[0] ? v[i] : high[0];                                             \
        }                                                                                          \
        for (size_t k = 1; k < LANES; k++) {                                                       \
            low[0] = low[k] < low[0] ? low[k] : low[0];                                            \
            high[0] = high[k] > high[0] ? high[k] : high[0];                                       \
        }                                                                                          \
        stats->any = true;                                                                         \
        s3store_status status = keep(&stats->min, &low[0], sizeof low[0], err);                    \
        return status == S3STORE_OK ? keep(&stats->max, &high[0], sizeof high[0], err) : status;   \
    }

NUMBERS(update_i32, int32_t, true)
NUMBERS(update_u32, uint32_t, true)
NUMBERS(update_i64, int64_t, true)
NUMBERS(update_u64, uint64_t, true)
NUMBERS(update_u8, uint8_t, true)
NUMBERS(update_float, float, !isnan(v[i]))
NUMBERS(update_double, double, !isnan(v[i]))

/* A key whose signed order is that of the float16 values. */
static int32_t half_key(uint16_t bits)
{
    return (bits & 0x8000) != 0 ? -(int32_t)(bits & 0x7fff) : (int32_t)bits;
}

static s3store_status update_half(s3s_stats *stats, const void *values, size_t count,
                                  s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    const uint8_t *v = values;
    for (size_t i = 0; i < count && status == S3STORE_OK; i++, v += 2) {
        uint16_t bits = s3s_le16(v);
        if ((bits & 0x7fff) > 0x7c00)
            continue;
        if (!stats->any || half_key(bits) < half_key(s3s_le16(stats->min.data)))
            status = keep(&stats->min, v, 2, err);
        if (status == S3STORE_OK &&
            (!stats->any || half_key(bits) > half_key(s3s_le16(stats->max.data))))
            status = keep(&stats->max, v, 2, err);
        stats->any = status == S3STORE_OK;
    }
    return status;
}

static int compare_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    size_t n = a_size < b_size ? a_size : b_size;
    int order = n > 0 ? memcmp(a, b, n) : 0;
    return order != 0 ? order : a_size < b_size ? -1 : a_size > b_size;
}

static int compare_spans(const s3store_bytes *a, const s3store_bytes *b)
{
    return compare_bytes((const uint8_t *)a->data, a->size, (const uint8_t *)b->data, b->size);
}

static s3store_status update_one(s3s_stats *stats, const uint8_t *data, size_t size, bool is_signed,
                                 s3store_error *err)
{
    s3store_status status = S3STORE_OK;
    int to_min = -1, to_max = 1;
    if (stats->any) {
        to_min = compare_bytes(data, size, stats->min.data, stats->min.size);
        to_max = compare_bytes(data, size, stats->max.data, stats->max.size);
        /* Big-endian two's complement: the signs decide first. */
        if (is_signed && ((data[0] ^ stats->min.data[0]) & 0x80) != 0)
            to_min = -to_min;
        if (is_signed && ((data[0] ^ stats->max.data[0]) & 0x80) != 0)
            to_max = -to_max;
    }
    if (to_min < 0)
        status = keep(&stats->min, data, size, err);
    if (to_max > 0 && status == S3STORE_OK)
        status = keep(&stats->max, data, size, err);
    stats->any = status == S3STORE_OK;
    return status;
}

/* Eight bytes behind `skip` others as a number that is ordered as they are; shorter strings end in
 * zeros. */
static inline uint64_t prefix_of(const uint8_t *data, size_t size, size_t skip)
{
    uint64_t prefix = 0;
    size_t left = size - skip;
    if (left >= 8)
        prefix = s3s_le64(data + skip);
    else if (left > 0 && size >= 8)
        prefix = s3s_le64(data + size - 8) >> (64 - 8 * left);
    else if (left > 0)
        memcpy(&prefix, data + skip, left);
    return __builtin_bswap64(prefix);
}

/* The least and the greatest value so far. Most others lie between them, and eight bytes tell: those
 * behind what the two have in common (`skip` bytes, 8 or more, or none). */
typedef struct bounds {
    s3store_bytes least, most;
    size_t skip;
    uint64_t low, high;
} bounds;

static void find_window(bounds *b)
{
    const uint8_t *x = b->least.data, *y = b->most.data;
    size_t n = b->least.size < b->most.size ? b->least.size : b->most.size, skip = 0;
    while (skip < n && x[skip] == y[skip])
        skip++;
    b->skip = skip = skip < 8 ? 0 : skip;
    b->low = prefix_of(x, b->least.size, skip);
    b->high = prefix_of(y, b->most.size, skip);
}

static bool shares(const bounds *b, const uint8_t *data)
{
    const uint8_t *least = b->least.data;
    size_t skip = b->skip;
    if (skip == 0)
        return true;
    for (size_t i = 0; i + 8 < skip; i += 8)
        if (s3s_le64(data + i) != s3s_le64(least + i))
            return false;
    return s3s_le64(data + skip - 8) == s3s_le64(least + skip - 8);
}

static void widen(bounds *b, s3store_bytes v)
{
    bool shared = v.size >= b->skip && shares(b, v.data);
    uint64_t at = shared ? prefix_of(v.data, v.size, b->skip) : 0;
    if (shared && at > b->low && at < b->high)
        return;
    bool below = shared && at != b->low ? at < b->low : compare_spans(&v, &b->least) < 0;
    bool above = shared && at != b->high ? at > b->high : compare_spans(&v, &b->most) > 0;
    if (below) {
        b->least = v;
        b->low = at;
    }
    if (above) {
        b->most = v;
        b->high = at;
    }
    if (!shared && (below || above))
        find_window(b);
}

/* By the first eight bytes, until those of many values have not told; then behind what all share. */
static s3store_status update_spans(s3s_stats *stats, const void *values, size_t count,
                                   s3store_error *err)
{
    const s3store_bytes *v = values, *least = v, *most = v;
    uint64_t low = prefix_of(v[0].data, v[0].size, 0), high = low;
    size_t i = 1, ties = 0;
    for (; i < count && ties < TIES_MAX; i++) {
        uint64_t prefix = prefix_of(v[i].data, v[i].size, 0);
        if (prefix > low && prefix < high)
            continue;
        ties += prefix == low || prefix == high;
        if (prefix < low || (prefix == low && compare_spans(&v[i], least) < 0)) {
            least = &v[i];
            low = prefix;
        }
        if (prefix > high || (prefix == high && compare_spans(&v[i], most) > 0)) {
            most = &v[i];
            high = prefix;
        }
    }
    bounds b = {.least = *least, .most = *most};
    if (i < count)
        find_window(&b);
    for (; i < count; i++)
        widen(&b, v[i]);
    bool one = b.most.data == b.least.data && b.most.size == b.least.size;
    s3store_status status = update_one(stats, b.least.data, b.least.size, false, err);
    return status == S3STORE_OK && !one
               ? update_one(stats, b.most.data, b.most.size, false, err)
               : status;
}

static s3store_status update_decimals(s3s_stats *stats, const void *values, size_t count,
                                      s3store_error *err)
{
    const s3store_bytes *v = values;
    s3store_status status = S3STORE_OK;
    for (size_t i = 0; i < count && status == S3STORE_OK; i++)
        status = update_one(stats, v[i].data, v[i].size, true, err);
    return status;
}

static const s3s_order order_i32 = {update_i32, 4}, order_u32 = {update_u32, 4},
                       order_i64 = {update_i64, 8}, order_u64 = {update_u64, 8},
                       order_bool = {update_u8, 1}, order_float = {update_float, 4},
                       order_double = {update_double, 8}, order_half = {update_half, 2},
                       order_bytes = {update_spans, 0}, order_decimal = {update_decimals, 0};

static const s3s_order *const orders[S3S_TYPE_COUNT] = {
    [S3S_TYPE_BOOL] = &order_bool,           [S3S_TYPE_INT8] = &order_i32,
    [S3S_TYPE_INT16] = &order_i32,           [S3S_TYPE_INT32] = &order_i32,
    [S3S_TYPE_INT64] = &order_i64,           [S3S_TYPE_UINT8] = &order_u32,
    [S3S_TYPE_UINT16] = &order_u32,          [S3S_TYPE_UINT32] = &order_u32,
    [S3S_TYPE_UINT64] = &order_u64,          [S3S_TYPE_FLOAT16] = &order_half,
    [S3S_TYPE_FLOAT] = &order_float,         [S3S_TYPE_DOUBLE] = &order_double,
    [S3S_TYPE_STRING] = &order_bytes,        [S3S_TYPE_LARGE_STRING] = &order_bytes,
    [S3S_TYPE_BINARY] = &order_bytes,        [S3S_TYPE_LARGE_BINARY] = &order_bytes,
    [S3S_TYPE_FIXED_BINARY] = &order_bytes,  [S3S_TYPE_DATE32] = &order_i32,
    [S3S_TYPE_DATE64] = &order_i32,          [S3S_TYPE_TIME32] = &order_i32,
    [S3S_TYPE_TIME64] = &order_i64,          [S3S_TYPE_TIMESTAMP] = &order_i64,
    [S3S_TYPE_DECIMAL] = &order_decimal,
};

void s3s_stats_init(s3s_stats *stats, s3s_env *env, const s3s_field *field)
{
    const s3s_order *order = orders[field->type];
    if (field->type == S3S_TYPE_DECIMAL && field->precision <= S3S_DECIMAL_INT64_DIGITS)
        order = field->precision <= S3S_DECIMAL_INT32_DIGITS ? &order_i32 : &order_i64;
    *stats = (s3s_stats){.order = order,
                         .is_text = field->type == S3S_TYPE_STRING ||
                                    field->type == S3S_TYPE_LARGE_STRING};
    s3s_buffer_init(&stats->min, env, SIZE_MAX);
    s3s_buffer_init(&stats->max, env, SIZE_MAX);
}

void s3s_stats_deinit(s3s_stats *stats)
{
    s3s_buffer_deinit(&stats->min);
    s3s_buffer_deinit(&stats->max);
}

void s3s_stats_clear(s3s_stats *stats)
{
    stats->any = false;
    s3s_buffer_clear(&stats->min);
    s3s_buffer_clear(&stats->max);
}

s3store_status s3s_stats_update(s3s_stats *stats, const void *values, size_t count,
                                s3store_error *err)
{
    if (stats->order == NULL || count == 0)
        return S3STORE_OK;
    return stats->order->update(stats, values, count, err);
}

s3store_status s3s_stats_merge(s3s_stats *stats, const s3s_stats *page, s3store_error *err)
{
    if (!page->any)
        return S3STORE_OK;
    if (stats->order->width == 0) {
        s3store_bytes both[] = {{.data = (const void *)page->min.data, .size = page->min.size},
                                {.data = (const void *)page->max.data, .size = page->max.size}};
        return s3s_stats_update(stats, both, 2, err);
    }
    s3store_status status = s3s_stats_update(stats, page->min.data, 1, err);
    return status == S3STORE_OK ? s3s_stats_update(stats, page->max.data, 1, err) : status;
}

/* Zero bounds of floats get the sign that includes both zeros. */
static void fix_zero(const s3s_stats *stats, s3s_thrift_binary *min, s3s_thrift_binary *max)
{
    static const uint8_t zeros[8] = {0};
    static const uint8_t negative[3][8] = {{0, 0x80}, {0, 0, 0, 0x80}, {0, 0, 0, 0, 0, 0, 0, 0x80}};
    const uint8_t *minus = stats->order == &order_half     ? negative[0]
                           : stats->order == &order_float  ? negative[1]
                           : stats->order == &order_double ? negative[2]
                                                           : NULL;
    size_t width = stats->order->width;
    if (minus == NULL)
        return;
    if (memcmp(min->data, zeros, width) == 0)
        min->data = minus;
    if (memcmp(max->data, minus, width) == 0)
        max->data = zeros;
}

void s3s_stats_describe(const s3s_stats *stats, int64_t null_count, s3s_pq_statistics *out)
{
    memset(out, 0, sizeof *out);
    S3S_PQ_SET(out, S3S_STATS_NULL_COUNT);
    out->null_count = null_count;
    if (!stats->any || stats->min.size > S3S_STATS_BYTES_MAX ||
        stats->max.size > S3S_STATS_BYTES_MAX)
        return;
    out->min_value = (s3s_thrift_binary){stats->min.data, stats->min.size};
    out->max_value = (s3s_thrift_binary){stats->max.data, stats->max.size};
    fix_zero(stats, &out->min_value, &out->max_value);
    S3S_PQ_SET(out, S3S_STATS_MIN_VALUE);
    S3S_PQ_SET(out, S3S_STATS_MAX_VALUE);
    out->is_min_value_exact = out->is_max_value_exact = true;
    S3S_PQ_SET(out, S3S_STATS_MIN_EXACT);
    S3S_PQ_SET(out, S3S_STATS_MAX_EXACT);
}

/* How much of a long minimum is kept: whole characters of text. */
static size_t cut_min(const s3s_stats *stats)
{
    size_t size = stats->min.size;
    if (size <= S3S_STATS_BYTES_MAX)
        return size;
    size = S3S_STATS_BYTES_MAX;
    while (stats->is_text && size > 0 && (stats->min.data[size] & 0xc0) == 0x80)
        size--;
    return size;
}

/* A long maximum is cut behind a byte that can be raised by one (in text: and stays a
 * character). */
static bool cut_max(const s3s_stats *stats, size_t *size)
{
    uint8_t limit = stats->is_text ? 0x7f : 0xff;
    *size = stats->max.size;
    if (*size <= S3S_STATS_BYTES_MAX)
        return false;
    for (size_t i = S3S_STATS_BYTES_MAX; i-- > 0;) {
        if (stats->max.data[i] < limit) {
            *size = i + 1;
            return true;
        }
    }
    return false;
}

bool s3s_stats_bounds(const s3s_stats *stats, s3s_arena *arena, s3s_thrift_binary *min,
                      s3s_thrift_binary *max, bool *failed)
{
    *failed = false;
    if (!stats->any)
        return false;
    *min = (s3s_thrift_binary){stats->min.data, cut_min(stats)};
    *max = (s3s_thrift_binary){stats->max.data, stats->max.size};
    bool raised = cut_max(stats, &max->size);
    fix_zero(stats, min, max);
    uint8_t *copy = s3s_arena_alloc(arena, min->size + max->size + 1);
    if (copy == NULL) {
        *failed = true;
        return false;
    }
    if (min->size > 0)
        memcpy(copy, min->data, min->size);
    if (max->size > 0)
        memcpy(copy + min->size, max->data, max->size);
    min->data = copy;
    max->data = copy + min->size;
    if (raised)
        copy[min->size + max->size - 1]++;
    return true;
}
