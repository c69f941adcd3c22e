/* parquet/encoding/hybrid.h: the RLE / bit-packing hybrid of levels, dictionary indexes and
 * booleans: runs of one repeated value, and runs of packed groups of eight.
 */
#ifndef S3S_PARQUET_HYBRID_H
#define S3S_PARQUET_HYBRID_H

#include "base/buffer.h"

typedef struct s3s_hybrid {
    const uint8_t *p, *end;
    const char *what; /* "definition levels", for messages */
    unsigned width;
    /* the run that is being read */
    bool packed;
    uint32_t value;
    const uint8_t *bits;
    size_t at;   /* values of it that were read */
    size_t left; /* and that remain */
} s3s_hybrid;

/* width 0..32. */
void s3s_hybrid_init(s3s_hybrid *h, const char *what, unsigned width, const uint8_t *data,
                     size_t size);
/* Exactly count values, or CORRUPT. */
s3store_status s3s_hybrid_get(s3s_hybrid *h, uint32_t *out, size_t count, s3store_error *err);
/* Width 1: count bits into a bitmap, and how many of them are 1. */
s3store_status s3s_hybrid_get_bits(s3s_hybrid *h, uint8_t *bits, size_t at, size_t count,
                                   size_t *ones, s3store_error *err);
/* Is there a run of one value at least this long ahead (width 1: are all of them 1)? Lets a column
 * without nulls skip its bitmap. */
s3store_status s3s_hybrid_peek_run(s3s_hybrid *h, uint32_t *value, size_t *count,
                                   s3store_error *err);
void s3s_hybrid_skip_run(s3s_hybrid *h, size_t count);

/* Levels in the old BIT_PACKED encoding: no runs, most significant bit first. */
s3store_status s3s_bit_packed_get(const uint8_t *data, size_t size, unsigned width, size_t first,
                                  size_t count, uint32_t *out, s3store_error *err);

/* Appends the hybrid of count values. */
s3store_status s3s_hybrid_encode(const uint32_t *values, size_t count, unsigned width,
                                 s3s_buffer *out, s3store_error *err);
/* The same of bytes (width 0..8), and of bits (width 1). */
s3store_status s3s_hybrid_encode_bytes(const uint8_t *values, size_t count, unsigned width,
                                       s3s_buffer *out, s3store_error *err);
s3store_status s3s_hybrid_encode_bits(const uint8_t *bits, size_t count, s3s_buffer *out,
                                      s3store_error *err);
/* Appends one run of a repeated value. */
s3store_status s3s_hybrid_encode_run(uint32_t value, size_t count, unsigned width, s3s_buffer *out,
                                     s3store_error *err);

#endif
