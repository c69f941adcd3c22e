/* parquet/encoding/hybrid_encode.c: writing the RLE / bit-packing hybrid. */
#include "parquet/encoding/hybrid.h"

#include <string.h>

#include "base/error.h"
#include "parquet/encoding/bits.h"

#define RUN_MIN 8 /* a shorter repetition is packed with its neighbours */

static s3store_status put_header(uint64_t header, s3s_buffer *out, s3store_error *err)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; header >= 0x80; header >>= 7)
        bytes[n++] = (uint8_t)(header | 0x80);
    bytes[n++] = (uint8_t)header;
    return s3s_buffer_append(out, bytes, n, err);
}

s3store_status s3s_hybrid_encode_run(uint32_t value, size_t count, unsigned width, s3s_buffer *out,
                                     s3store_error *err)
{
    s3store_status status = put_header((uint64_t)count << 1, out, err);
    if (status != S3STORE_OK)
        return status;
    return s3s_buffer_append(out, &value, (width + 7) / 8, err);
}

static s3store_status put_packed(const uint32_t *values, size_t count, unsigned width,
                                 s3s_buffer *out, s3store_error *err)
{
    size_t groups = (count + 7) / 8;
    s3store_status status = put_header((uint64_t)groups << 1 | 1, out, err);
    if (status != S3STORE_OK)
        return status;
    uint8_t *to = s3s_buffer_reserve(out, groups * width, err);
    if (to == NULL)
        return err != NULL ? err->status : S3STORE_OUT_OF_MEMORY;
    memset(to, 0, groups * width); /* padding of the last group */
    s3s_pack32(values, count, width, to);
    out->size += groups * width;
    return S3STORE_OK;
}

s3store_status s3s_hybrid_encode(const uint32_t *values, size_t count, unsigned width,
                                 s3s_buffer *out, s3store_error *err)
{
    size_t packed = 0; /* values[packed, i) wait for a packed run */
    size_t i = 0;
    s3store_status status = S3STORE_OK;
    while (i < count && status == S3STORE_OK) {
        size_t run = 1;
        while (i + run < count && values[i + run] == values[i])
            run++;
        /* Only the last packed run may end inside a group: fill it from this repetition. */
        size_t fill = (8 - (i - packed) % 8) % 8;
        if (run < RUN_MIN + fill) {
            i += run;
            continue;
        }
        i += fill;
        if (i > packed)
            status = put_packed(values + packed, i - packed, width, out, err);
        if (status == S3STORE_OK)
            status = s3s_hybrid_encode_run(values[i], run - fill, width, out, err);
        i += run - fill;
        packed = i;
    }
    if (status == S3STORE_OK && count > packed)
        status = put_packed(values + packed, count - packed, width, out, err);
    return status;
}
