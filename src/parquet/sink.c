/* parquet/sink.c: growing Arrow buffers, and cutting them into arrays. */
#include "parquet/sink.h"

#include "base/bytes.h"
#include "base/error.h"
#include "parquet/encoding/kernels.h"

void s3s_sink_init(s3s_sink *sink, s3s_env *env, s3s_budget *budget, const s3s_leaf *leaf)
{
    *sink = (s3s_sink){.env = env, .leaf = leaf};
    s3s_block_init(&sink->validity, env, budget);
    s3s_block_init(&sink->offsets, env, budget);
    s3s_block_init(&sink->values, env, budget);
}

void s3s_sink_deinit(s3s_sink *sink)
{
    s3s_block_deinit(&sink->validity);
    s3s_block_deinit(&sink->offsets);
    s3s_block_deinit(&sink->values);
    sink->rows = sink->nulls = 0;
    sink->has_validity = false;
}

uint64_t s3s_sink_bytes(const s3s_sink *sink)
{
    return (uint64_t)sink->validity.size + sink->offsets.size + sink->values.size;
}

/* Makes a bitmap of `bits` bits; its size counts whole bytes. */
static s3store_status grow_bits(s3s_block *block, size_t bits, s3store_error *err)
{
    size_t bytes = s3s_bits_size(bits);
    if (bytes <= block->size)
        return S3STORE_OK;
    s3store_status status = s3s_block_reserve(block, bytes - block->size, err);
    if (status != S3STORE_OK)
        return status;
    memset(block->data + block->size, 0, bytes - block->size);
    block->size = bytes;
    return S3STORE_OK;
}

s3store_status s3s_sink_need_validity(s3s_sink *sink, size_t more, s3store_error *err)
{
    s3store_status status = grow_bits(&sink->validity, (size_t)sink->rows + more, err);
    if (status == S3STORE_OK && !sink->has_validity) {
        s3s_bits_fill(sink->validity.data, 0, (size_t)sink->rows, true);
        sink->has_validity = true;
    }
    return status;
}

#define SPREAD(type)                                                                               \
    do {                                                                                           \
        type *at_ = (type *)(void *)base;                                                          \
        for (size_t i = count; i-- > 0 && k <= i;) {                                               \
            bool valid_ = s3s_bit(bits, (size_t)sink->rows + i);                                   \
            at_[i] = valid_ ? at_[--k] : 0;                                                        \
        }                                                                                          \
    } while (0)

static void spread_any(const s3s_sink *sink, uint8_t *base, size_t count, size_t k)
{
    const uint8_t *bits = sink->validity.data;
    size_t width = sink->leaf->out_width;
    for (size_t i = count; i-- > 0;) {
        if (s3s_bit(bits, (size_t)sink->rows + i))
            memmove(base + i * width, base + --k * width, width);
        else
            memset(base + i * width, 0, width);
    }
}

void s3s_sink_spread(s3s_sink *sink, size_t count, size_t ones)
{
    uint8_t *base = sink->values.data + sink->values.size;
    const uint8_t *bits = sink->validity.data;
    size_t k = ones;
    if (ones < count) {
        switch (sink->leaf->out_width) {
        case 1:
            SPREAD(uint8_t);
            break;
        case 2:
            SPREAD(uint16_t);
            break;
        case 4:
            s3s_kernels_now()->spread4(base, bits, (size_t)sink->rows, count, ones);
            break;
        case 8:
            s3s_kernels_now()->spread8(base, bits, (size_t)sink->rows, count, ones);
            break;
        default:
            spread_any(sink, base, count, ones);
        }
    }
    sink->values.size += count * sink->leaf->out_width;
    sink->rows += (int64_t)count;
    sink->nulls += (int64_t)(count - ones);
}

s3store_status s3s_sink_need_bits(s3s_sink *sink, size_t more, s3store_error *err)
{
    return grow_bits(&sink->values, (size_t)sink->rows + more, err);
}

/* Eight rows at a time where a byte of bits begins with them. */
static size_t put_bit_bytes(const s3s_sink *sink, const uint8_t *values, size_t at, size_t bytes)
{
    uint8_t *to = sink->values.data + at / 8;
    size_t k = 0;
    if (!sink->has_validity) {
        s3s_kernels_now()->pack_bools(values, bytes * 8, to);
        return bytes * 8;
    }
    for (size_t b = 0; b < bytes; b++) {
        unsigned valid = sink->validity.data[at / 8 + b], byte = 0;
        for (unsigned i = 0; i < 8; i++) {
            unsigned bit = valid >> i & 1;
            byte |= (values[k] & bit) << i;
            k += bit;
        }
        to[b] = (uint8_t)byte;
    }
    return k;
}

void s3s_sink_put_bits(s3s_sink *sink, const uint8_t *values, size_t count)
{
    uint8_t *to = sink->values.data;
    size_t k = 0;
    for (size_t i = 0; i < count;) {
        size_t at = (size_t)sink->rows + i;
        if ((at & 7) == 0 && count - i >= 8) {
            k += put_bit_bytes(sink, values + k, at, (count - i) / 8);
            i += (count - i) / 8 * 8;
            continue;
        }
        bool valid = !sink->has_validity || s3s_bit(sink->validity.data, at);
        uint8_t bit = valid ? values[k++] & 1 : 0;
        to[at >> 3] = (uint8_t)((to[at >> 3] & ~(1u << (at & 7))) | (unsigned)bit << (at & 7));
        i++;
    }
    sink->rows += (int64_t)count;
    sink->nulls += (int64_t)(count - k);
}

void s3s_sink_copy_bits(s3s_sink *sink, const uint8_t *bits, size_t at, size_t count)
{
    s3s_bits_copy(sink->values.data, (size_t)sink->rows, bits, at, count);
    sink->rows += (int64_t)count;
}

/* ---- taking rows out ------------------------------------------------------------------------- */

/* The tail of a bitmap from row `rows` on, in a new block. */
static s3store_status tail_bits(const s3s_block *from, size_t rows, size_t left, s3s_block *to,
                                s3store_error *err)
{
    s3store_status status = grow_bits(to, left, err);
    if (status == S3STORE_OK)
        s3s_bits_copy(to->data, 0, from->data, rows, left);
    return status;
}

static s3store_status tail_bytes(const s3s_block *from, size_t at, s3s_block *to,
                                 s3store_error *err)
{
    size_t size = from->size - at;
    s3store_status status = s3s_block_reserve(to, size, err);
    if (status == S3STORE_OK) {
        memcpy(to->data, from->data + at, size);
        to->size = size;
    }
    return status;
}

static s3store_status tail_offsets(s3s_sink *sink, size_t rows, s3s_sink *tail, s3store_error *err)
{
    const int32_t *from = (const void *)sink->offsets.data;
    int32_t base = from[rows];
    s3store_status status = tail_bytes(&sink->offsets, rows * 4, &tail->offsets, err);
    if (status == S3STORE_OK)
        status = tail_bytes(&sink->values, (size_t)base, &tail->values, err);
    if (status != S3STORE_OK)
        return status;
    int32_t *to = (void *)tail->offsets.data;
    for (size_t i = 0; i < tail->offsets.size / 4; i++)
        to[i] -= base;
    sink->offsets.size = (rows + 1) * 4;
    sink->values.size = (size_t)base;
    return S3STORE_OK;
}

/* Moves the rows from `rows` on into tail. */
static s3store_status split(s3s_sink *sink, size_t rows, s3s_sink *tail, s3store_error *err)
{
    size_t left = (size_t)sink->rows - rows;
    s3store_status status = S3STORE_OK;
    if (sink->has_validity) {
        status = tail_bits(&sink->validity, rows, left, &tail->validity, err);
        if (status != S3STORE_OK)
            return status;
        tail->nulls = (int64_t)(left - s3s_bits_count(tail->validity.data, 0, left));
        tail->has_validity = tail->nulls > 0;
        sink->validity.size = s3s_bits_size(rows);
    }
    if (sink->leaf->sink == S3S_SINK_BITS)
        status = tail_bits(&sink->values, rows, left, &tail->values, err);
    else if (sink->leaf->sink == S3S_SINK_BYTES)
        status = tail_offsets(sink, rows, tail, err);
    else if (sink->leaf->sink == S3S_SINK_FIXED)
        status = tail_bytes(&sink->values, rows * sink->leaf->out_width, &tail->values, err);
    if (status != S3STORE_OK)
        return status;
    if (sink->leaf->sink == S3S_SINK_FIXED)
        sink->values.size = rows * sink->leaf->out_width;
    if (sink->leaf->sink == S3S_SINK_BITS)
        sink->values.size = s3s_bits_size(rows);
    if (sink->leaf->sink == S3S_SINK_NULL)
        tail->nulls = (int64_t)left;
    tail->rows = (int64_t)left;
    sink->rows = (int64_t)rows;
    sink->nulls -= tail->nulls;
    return S3STORE_OK;
}

/* Bits past the last row are zero, so that equal columns are equal bytes. */
static void clear_padding(s3s_block *block, size_t rows)
{
    if (rows % 8 != 0)
        block->data[rows / 8] &= (uint8_t)((1u << (rows % 8)) - 1);
}

/* Consumers expect buffers to exist even when they are empty. */
static s3store_status fill_up(s3s_sink *sink, s3store_error *err)
{
    if (sink->leaf->sink == S3S_SINK_NULL)
        return S3STORE_OK;
    s3store_status status = S3STORE_OK;
    if (sink->values.data == NULL) /* not where the block is full: that would double it */
        status = s3s_block_reserve(&sink->values, 1, err);
    if (status == S3STORE_OK && sink->leaf->sink == S3S_SINK_BYTES && sink->offsets.size == 0) {
        status = s3s_block_reserve(&sink->offsets, 4, err);
        if (status == S3STORE_OK) {
            memset(sink->offsets.data, 0, 4);
            sink->offsets.size = 4;
        }
    }
    return status;
}

s3store_status s3s_sink_take(s3s_sink *sink, int64_t rows, struct ArrowArray *out,
                             s3store_error *err)
{
    s3s_sink tail;
    s3s_sink_init(&tail, sink->env, sink->values.budget, sink->leaf);
    s3store_status status = S3STORE_OK;
    if (rows < sink->rows)
        status = split(sink, (size_t)rows, &tail, err);
    if (status == S3STORE_OK)
        status = fill_up(sink, err);
    if (status != S3STORE_OK) {
        s3s_sink_deinit(&tail);
        return status;
    }
    void *buffers[3] = {NULL, NULL, NULL};
    size_t count = 0;
    if (sink->leaf->sink != S3S_SINK_NULL) {
        if (sink->has_validity && sink->nulls > 0) {
            clear_padding(&sink->validity, (size_t)rows);
            buffers[0] = s3s_block_detach(&sink->validity);
        }
        count = 1;
        if (sink->leaf->sink == S3S_SINK_BYTES)
            buffers[count++] = s3s_block_detach(&sink->offsets);
        if (sink->leaf->sink == S3S_SINK_BITS)
            clear_padding(&sink->values, (size_t)rows);
        buffers[count++] = s3s_block_detach(&sink->values);
    }
    status = s3s_array_make(sink->env, sink->leaf->field, rows, sink->nulls, buffers, count, NULL,
                            0, out, err);
    s3s_sink_deinit(sink);
    *sink = tail;
    return status;
}
