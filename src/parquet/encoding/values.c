/* parquet/encoding/values.c: the table of value encodings and their decoders. */
#include "parquet/encoding/values.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/kernels.h"

#define SCRATCH_MAX ((size_t)1 << 20) /* of strings joined in one call, unless one is longer */
#define LENGTH_BATCH 1024

typedef s3store_status (*begin_fn)(s3s_values *v, size_t size, s3store_error *err);
typedef s3store_status (*get_fn)(s3s_values *v, void *out, size_t count, size_t *got,
                                 s3store_error *err);

struct s3s_value_encoding {
    const char *name;
    uint32_t physicals; /* bit set of what it may hold */
    begin_fn begin;
    get_fn get;
};

static s3store_status ended(const s3s_values *v, s3store_error *err)
{
    return s3s_fail(err, S3STORE_CORRUPT, "%s values end before the last one", v->encoding->name);
}

/* ---- PLAIN ----------------------------------------------------------------------------------- */

static s3store_status plain_get(s3s_values *v, void *out, size_t count, size_t *got,
                                s3store_error *err);

static s3store_status plain_begin(s3s_values *v, size_t size, s3store_error *err)
{
    (void)v;
    (void)size;
    (void)err;
    return S3STORE_OK;
}

static s3store_status plain_bools(s3s_values *v, uint8_t *out, size_t count, s3store_error *err)
{
    size_t bits;
    if (!s3s_add(v->at, count, &bits) || s3s_bits_size(bits) > (size_t)(v->end - v->p))
        return ended(v, err);
    for (size_t i = 0; i < count; i++)
        out[i] = s3s_bit(v->p, v->at + i);
    return S3STORE_OK;
}

bool s3s_values_bits(s3s_values *v, size_t count, const uint8_t **bits, size_t *at)
{
    size_t end;
    if (v->physical != S3S_PQ_BOOLEAN || v->encoding->get != plain_get || count > v->left ||
        !s3s_add(v->at, count, &end) || s3s_bits_size(end) > (size_t)(v->end - v->p))
        return false;
    *bits = v->p;
    *at = v->at;
    v->at = end;
    v->left -= count;
    return true;
}

static s3store_status plain_bytes(s3s_values *v, s3store_bytes *out, size_t count,
                                  s3store_error *err)
{
    const uint8_t *p = v->p, *end = v->end;
    for (size_t i = 0; i < count; i++) {
        if ((size_t)(end - p) < 4)
            return ended(v, err);
        uint32_t size = s3s_le32(p);
        p += 4;
        if (size > (size_t)(end - p))
            return s3s_fail(err, S3STORE_CORRUPT,
                            "a value of %u bytes where %zu remain in the page", (unsigned)size,
                            (size_t)(end - p));
        out[i] = (s3store_bytes){.data = (const void *)p, .size = size};
        p += size;
    }
    v->p = p;
    return S3STORE_OK;
}

static s3store_status plain_get(s3s_values *v, void *out, size_t count, size_t *got,
                                s3store_error *err)
{
    *got = count;
    s3store_status status = S3STORE_OK;
    if (v->physical == S3S_PQ_BOOLEAN) {
        status = plain_bools(v, out, count, err);
    } else if (v->physical == S3S_PQ_BYTE_ARRAY) {
        status = plain_bytes(v, out, count, err);
    } else {
        if (count > (size_t)(v->end - v->p) / v->width)
            return ended(v, err);
        memcpy(out, v->p, count * v->width);
        v->p += count * v->width;
    }
    v->at += count;
    return status;
}

/* ---- dictionary indexes, and booleans as runs ------------------------------------------------ */

static s3store_status dictionary_begin(s3s_values *v, size_t size, s3store_error *err)
{
    if (size == 0) { /* a page of nulls: not even the width is there */
        s3s_hybrid_init(&v->hybrid, "dictionary indexes", 0, v->p, 0);
        return S3STORE_OK;
    }
    unsigned width = *v->p;
    if (width > 32)
        return s3s_fail(err, S3STORE_CORRUPT, "dictionary indexes of %u bits", width);
    s3s_hybrid_init(&v->hybrid, "dictionary indexes", width, v->p + 1, size - 1);
    return S3STORE_OK;
}

static void gather(const s3s_values *v, const s3s_kernels *kernels, size_t count, void *out)
{
    const void *values = v->dictionary->values.data;
    if (v->width == 4) {
        kernels->gather4(values, v->indexes, count, out);
    } else if (v->width == 8) {
        kernels->gather8(values, v->indexes, count, out);
    } else if (v->width == sizeof(s3store_bytes)) {
        const s3store_bytes *from = values;
        for (size_t i = 0; i < count; i++)
            ((s3store_bytes *)out)[i] = from[v->indexes[i]];
    } else {
        for (size_t i = 0; i < count; i++)
            memcpy((char *)out + i * v->width,
                   (const char *)values + v->indexes[i] * v->width, v->width);
    }
}

static s3store_status dictionary_get(s3s_values *v, void *out, size_t count, size_t *got,
                                     s3store_error *err)
{
    count = count < S3S_INDEX_BATCH ? count : S3S_INDEX_BATCH;
    *got = count;
    if (v->dictionary == NULL)
        return s3s_fail(err, S3STORE_CORRUPT, "dictionary indexes without a dictionary page");
    s3store_status status = s3s_hybrid_get(&v->hybrid, v->indexes, count, err);
    if (status != S3STORE_OK)
        return status;
    const s3s_kernels *kernels = s3s_kernels_now();
    uint32_t max = kernels->max(v->indexes, count);
    if (count > 0 && max >= v->dictionary->count)
        return s3s_fail(err, S3STORE_CORRUPT, "dictionary index %u of %zu entries", (unsigned)max,
                        v->dictionary->count);
    gather(v, kernels, count, out);
    return S3STORE_OK;
}

static s3store_status rle_begin(s3s_values *v, size_t size, s3store_error *err)
{
    if (size == 0) {
        s3s_hybrid_init(&v->hybrid, "RLE values", 1, v->p, 0);
        return S3STORE_OK;
    }
    if (size < 4 || s3s_le32(v->p) > size - 4)
        return s3s_fail(err, S3STORE_CORRUPT, "RLE values: a length beyond the page");
    s3s_hybrid_init(&v->hybrid, "RLE values", 1, v->p + 4, s3s_le32(v->p));
    return S3STORE_OK;
}

static s3store_status rle_get(s3s_values *v, void *out, size_t count, size_t *got,
                              s3store_error *err)
{
    count = count < S3S_INDEX_BATCH ? count : S3S_INDEX_BATCH;
    *got = count;
    s3store_status status = s3s_hybrid_get(&v->hybrid, v->indexes, count, err);
    for (size_t i = 0; status == S3STORE_OK && i < count; i++)
        ((uint8_t *)out)[i] = (uint8_t)v->indexes[i];
    return status;
}

/* ---- DELTA_BINARY_PACKED --------------------------------------------------------------------- */

static s3store_status delta_begin(s3s_values *v, size_t size, s3store_error *err)
{
    if (size == 0) { /* a page of nulls may have no header */
        v->delta = (s3s_delta){.mini_count = 0};
        return S3STORE_OK;
    }
    return s3s_delta_init(&v->delta, v->p, size, err);
}

static s3store_status delta_get(s3s_values *v, void *out, size_t count, size_t *got,
                                s3store_error *err)
{
    *got = count;
    if (v->physical == S3S_PQ_INT64)
        return s3s_delta_get(&v->delta, out, count, err);
    int64_t wide[LENGTH_BATCH];
    count = count < LENGTH_BATCH ? count : LENGTH_BATCH;
    *got = count;
    s3store_status status = s3s_delta_get(&v->delta, wide, count, err);
    for (size_t i = 0; status == S3STORE_OK && i < count; i++)
        ((int32_t *)out)[i] = (int32_t)(uint32_t)(uint64_t)wide[i]; /* arithmetic is modulo 2^32 */
    return status;
}

/* ---- DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes ------------------------------------ */

static s3store_status delta_length_begin(s3s_values *v, size_t size, s3store_error *err)
{
    s3store_status status = delta_begin(v, size, err);
    if (status == S3STORE_OK && size > 0)
        status = s3s_delta_end(&v->delta, &v->p, err);
    return status;
}

static s3store_status take_slice(s3s_values *v, int64_t size, s3store_bytes *out,
                                 s3store_error *err)
{
    if (size < 0 || (uint64_t)size > (uint64_t)(v->end - v->p))
        return s3s_fail(err, S3STORE_CORRUPT, "a value of %lld bytes where %zu remain in the page",
                        (long long)size, (size_t)(v->end - v->p));
    *out = (s3store_bytes){.data = (const void *)v->p, .size = (size_t)size};
    v->p += size;
    return S3STORE_OK;
}

static s3store_status delta_length_get(s3s_values *v, void *out, size_t count, size_t *got,
                                       s3store_error *err)
{
    int64_t sizes[LENGTH_BATCH];
    count = count < LENGTH_BATCH ? count : LENGTH_BATCH;
    *got = count;
    s3store_status status = s3s_delta_get(&v->delta, sizes, count, err);
    if (status != S3STORE_OK)
        return status;
    s3store_bytes *to = out;
    const uint8_t *p = v->p, *end = v->end;
    for (size_t i = 0; i < count; i++) {
        if (sizes[i] < 0 || sizes[i] > end - p) {
            v->p = p;
            return take_slice(v, sizes[i], &to[i], err); /* says what is wrong */
        }
        to[i] = (s3store_bytes){.data = (const void *)p, .size = (size_t)sizes[i]};
        p += sizes[i];
    }
    v->p = p;
    return S3STORE_OK;
}

/* ---- DELTA_BYTE_ARRAY: each value is a prefix of the one before, and a suffix ---------------- */

static s3store_status delta_bytes_begin(s3s_values *v, size_t size, s3store_error *err)
{
    v->previous = (s3store_bytes){.data = NULL, .size = 0};
    v->scratch.size = 0;
    s3store_status status = delta_begin(v, size, err);
    v->suffix = v->delta;
    if (status != S3STORE_OK || size == 0)
        return status;
    const uint8_t *at = NULL;
    status = s3s_delta_end(&v->delta, &at, err);
    if (status == S3STORE_OK)
        status = s3s_delta_init(&v->suffix, at, (size_t)(v->end - at), err);
    if (status == S3STORE_OK)
        status = s3s_delta_end(&v->suffix, &v->p, err);
    return status;
}

/* Moves the value before to the front of the scratch memory, so that the rest can be used again. */
static s3store_status rewind_scratch(s3s_values *v)
{
    size_t size = v->previous.size;
    if (size > 0)
        memmove(v->scratch.data, v->previous.data, size);
    v->previous.data = (const void *)v->scratch.data;
    v->scratch.size = size;
    return S3STORE_OK;
}

#define JOIN_AT_ONCE 32
_Static_assert(JOIN_AT_ONCE <= S3S_VALUES_SLACK, "joining copies beyond the slack");

/* Copies 32 bytes where that is enough and so many may be read. What `from` holds behind `size` may be
 * where `to` is, and does not count. */
static inline void copy_part(uint8_t *to, const uint8_t *from, size_t size, size_t readable)
{
    if (size > JOIN_AT_ONCE || readable < JOIN_AT_ONCE) {
        memcpy(to, from, size);
        return;
    }
    uint8_t part[JOIN_AT_ONCE];
    memcpy(part, from, sizeof part);
    memcpy(to, part, sizeof part);
}

/* How many of the next values are right and fit the room behind the value before; *total: their
 * bytes. The first is looked at whatever room there is. */
static s3store_status measure_joined(const s3s_values *v, const int64_t *prefixes,
                                     const int64_t *suffixes, size_t *count, size_t room,
                                     size_t *total, s3store_error *err)
{
    size_t before = v->previous.size, bytes = 0, i = 0;
    const uint8_t *p = v->p;
    for (; i < *count; i++) {
        bool prefix_fits = prefixes[i] >= 0 && (uint64_t)prefixes[i] <= before;
        bool suffix_fits = suffixes[i] >= 0 && suffixes[i] <= v->end - p;
        if (!prefix_fits || !suffix_fits)
            break;
        size_t size = (size_t)prefixes[i] + (size_t)suffixes[i];
        if (i > 0 && size > room - bytes)
            break;
        bytes += size;
        p += suffixes[i];
        before = size;
        if (bytes > room)
            break;
    }
    if (i == 0 && bytes == 0 && *count > 0) { /* the first one is damaged */
        if (prefixes[0] < 0 || (uint64_t)prefixes[0] > before)
            return s3s_fail(err, S3STORE_CORRUPT,
                            "a value repeats %lld bytes of one that has only %zu",
                            (long long)prefixes[0], before);
        if (suffixes[0] < 0 || suffixes[0] > v->end - p)
            return s3s_fail(err, S3STORE_CORRUPT,
                            "a value of %lld bytes where %zu remain in the page",
                            (long long)suffixes[0], (size_t)(v->end - p));
    }
    *count = i > 0 ? i : 1;
    *total = bytes;
    return S3STORE_OK;
}

static void join(s3s_values *v, const int64_t *prefixes, const int64_t *suffixes, size_t count,
                 s3store_bytes *out)
{
    uint8_t *to = v->scratch.data + v->scratch.size;
    const uint8_t *p = v->p, *before = (const uint8_t *)v->previous.data;
    for (size_t i = 0; i < count; i++) {
        size_t prefix = (size_t)prefixes[i], suffix = (size_t)suffixes[i];
        if (prefix > 0)
            copy_part(to, before, prefix, JOIN_AT_ONCE); /* the scratch memory has slack */
        copy_part(to + prefix, p, suffix, (size_t)(v->end - p));
        out[i] = (s3store_bytes){.data = (const void *)to, .size = prefix + suffix};
        before = to;
        to += prefix + suffix;
        p += suffix;
    }
    v->scratch.size = (size_t)(to - v->scratch.data);
    v->previous = out[count - 1];
    v->p = p;
}

/* The values share one scratch block, which must not move while they are handed out: a call ends where
 * it is full, and it grows only for the first value. */
static s3store_status delta_bytes_get(s3s_values *v, void *out, size_t count, size_t *got,
                                      s3store_error *err)
{
    int64_t prefixes[LENGTH_BATCH], suffixes[LENGTH_BATCH];
    s3s_delta prefix_before = v->delta, suffix_before = v->suffix;
    size_t n = count < LENGTH_BATCH ? count : LENGTH_BATCH, all = n, total = 0;
    s3store_status status = rewind_scratch(v);
    if (status == S3STORE_OK)
        status = s3s_delta_get(&v->delta, prefixes, n, err);
    if (status == S3STORE_OK)
        status = s3s_delta_get(&v->suffix, suffixes, n, err);
    if (status == S3STORE_OK)
        status = measure_joined(v, prefixes, suffixes, &n, SCRATCH_MAX, &total, err);
    if (status != S3STORE_OK)
        return status;
    size_t at = v->previous.size; /* lies at the front of the block */
    if (v->scratch.data == NULL || v->scratch.capacity - at < total + S3S_VALUES_SLACK)
        status = s3s_block_reserve(&v->scratch, total + S3S_VALUES_SLACK, err);
    if (status != S3STORE_OK)
        return status;
    v->previous = (s3store_bytes){.data = (const void *)v->scratch.data, .size = at};
    join(v, prefixes, suffixes, n, out);
    *got = n;
    if (n == all)
        return S3STORE_OK;
    v->delta = prefix_before; /* those that are left are looked at again */
    v->suffix = suffix_before;
    status = s3s_delta_get(&v->delta, prefixes, n, err);
    return status == S3STORE_OK ? s3s_delta_get(&v->suffix, suffixes, n, err) : status;
}

static s3store_status delta_fixed_get(s3s_values *v, void *out, size_t count, size_t *got,
                                      s3store_error *err)
{
    s3store_bytes values[LENGTH_BATCH];
    count = count < LENGTH_BATCH ? count : LENGTH_BATCH;
    s3store_status status = delta_bytes_get(v, values, count, got, err);
    for (size_t i = 0; status == S3STORE_OK && i < *got; i++) {
        if (values[i].size != v->width)
            return s3s_fail(err, S3STORE_CORRUPT, "a value of %zu bytes in a column of %zu",
                            values[i].size, v->width);
        memcpy((char *)out + i * v->width, values[i].data, v->width);
    }
    return status;
}

static s3store_status delta_byte_array_get(s3s_values *v, void *out, size_t count, size_t *got,
                                           s3store_error *err)
{
    if (v->physical == S3S_PQ_FIXED)
        return delta_fixed_get(v, out, count, got, err);
    return delta_bytes_get(v, out, count, got, err);
}

/* ---- BYTE_STREAM_SPLIT: first bytes of all values, then second bytes... ---------------------- */

static s3store_status split_begin(s3s_values *v, size_t size, s3store_error *err)
{
    if (v->width == 0 || size % v->width != 0)
        return s3s_fail(err, S3STORE_CORRUPT, "%zu bytes split into %zu streams", size, v->width);
    v->stride = size / v->width;
    return S3STORE_OK;
}

/* Inlined for the widths of numbers, so that a value is put together in a register. */
static inline __attribute__((always_inline)) void join_streams(const uint8_t *from, size_t stride,
                                                               size_t width, size_t count,
                                                               uint8_t *to)
{
    for (size_t i = 0; i < count; i++)
        for (size_t byte = 0; byte < width; byte++)
            to[i * width + byte] = from[byte * stride + i];
}

static s3store_status split_get(s3s_values *v, void *out, size_t count, size_t *got,
                                s3store_error *err)
{
    if (count > v->stride - v->at)
        return ended(v, err);
    const uint8_t *from = v->p + v->at;
    if (v->width == 4)
        join_streams(from, v->stride, 4, count, out);
    else if (v->width == 8)
        join_streams(from, v->stride, 8, count, out);
    else
        join_streams(from, v->stride, v->width, count, out);
    v->at += count;
    *got = count;
    return S3STORE_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define ANY ((1u << S3S_PQ_PHYSICAL_COUNT) - 1)
#define ONLY(physical) (1u << S3S_PQ_##physical)

static const struct s3s_value_encoding encodings[] = {
    [S3S_PQ_PLAIN] = {"PLAIN", ANY, plain_begin, plain_get},
    [S3S_PQ_PLAIN_DICTIONARY] = {"PLAIN_DICTIONARY", ANY, dictionary_begin, dictionary_get},
    [S3S_PQ_RLE] = {"RLE", ONLY(BOOLEAN), rle_begin, rle_get},
    [S3S_PQ_BIT_PACKED] = {"BIT_PACKED", 0, NULL, NULL}, /* of levels only */
    [S3S_PQ_DELTA_BINARY_PACKED] = {"DELTA_BINARY_PACKED", ONLY(INT32) | ONLY(INT64), delta_begin,
                                    delta_get},
    [S3S_PQ_DELTA_LENGTH_BYTE_ARRAY] = {"DELTA_LENGTH_BYTE_ARRAY", ONLY(BYTE_ARRAY),
                                        delta_length_begin, delta_length_get},
    [S3S_PQ_DELTA_BYTE_ARRAY] = {"DELTA_BYTE_ARRAY", ONLY(BYTE_ARRAY) | ONLY(FIXED),
                                 delta_bytes_begin, delta_byte_array_get},
    [S3S_PQ_RLE_DICTIONARY] = {"RLE_DICTIONARY", ANY, dictionary_begin, dictionary_get},
    [S3S_PQ_BYTE_STREAM_SPLIT] = {"BYTE_STREAM_SPLIT",
                                  ONLY(INT32) | ONLY(INT64) | ONLY(FLOAT) | ONLY(DOUBLE) |
                                      ONLY(FIXED),
                                  split_begin, split_get},
};

const char *s3s_encoding_name(int32_t encoding)
{
    if (encoding < 0 || (size_t)encoding >= sizeof encodings / sizeof *encodings ||
        encodings[encoding].name == NULL)
        return "?";
    return encodings[encoding].name;
}

const char *s3s_physical_name(int32_t physical)
{
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return physical >= 0 && physical < S3S_PQ_PHYSICAL_COUNT ? names[physical] : "?";
}

void s3s_values_init(s3s_values *v, s3s_env *env, s3s_budget *budget, s3s_physical physical,
                     size_t type_length)
{
    memset(v, 0, sizeof *v);
    v->physical = physical;
    v->width = s3s_physical_width(physical);
    if (physical == S3S_PQ_BOOLEAN)
        v->width = 1;
    else if (physical == S3S_PQ_BYTE_ARRAY)
        v->width = sizeof(s3store_bytes);
    else if (physical == S3S_PQ_FIXED)
        v->width = type_length;
    s3s_block_init(&v->scratch, env, budget);
}

void s3s_values_deinit(s3s_values *v)
{
    s3s_block_deinit(&v->scratch);
}

s3store_status s3s_values_begin(s3s_values *v, int32_t encoding, const uint8_t *data, size_t size,
                                size_t count, const s3s_dictionary *dictionary,
                                s3store_error *err)
{
    if (encoding < 0 || (size_t)encoding >= sizeof encodings / sizeof *encodings ||
        encodings[encoding].begin == NULL)
        return s3s_fail(err, S3STORE_UNSUPPORTED, "values in encoding %d", (int)encoding);
    v->encoding = &encodings[encoding];
    if ((v->encoding->physicals & (1u << v->physical)) == 0)
        return s3s_fail(err, S3STORE_CORRUPT, "%s values in encoding %s",
                        s3s_physical_name((int32_t)v->physical), v->encoding->name);
    v->p = data;
    v->end = data + size;
    v->left = count;
    v->at = 0;
    v->dictionary = dictionary;
    return v->encoding->begin(v, size, err);
}

s3store_status s3s_values_get(s3s_values *v, void *out, size_t count, size_t *got,
                              s3store_error *err)
{
    *got = 0;
    if (count == 0)
        return S3STORE_OK;
    if (count > v->left)
        return ended(v, err);
    s3store_status status = v->encoding->get(v, out, count, got, err);
    v->left -= *got;
    return status;
}
