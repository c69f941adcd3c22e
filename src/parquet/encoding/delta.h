/* parquet/encoding/delta.h: DELTA_BINARY_PACKED: blocks of packed differences. */
#ifndef S3S_PARQUET_DELTA_H
#define S3S_PARQUET_DELTA_H

#include "base/buffer.h"

typedef struct s3s_delta {
    const uint8_t *p, *end;
    uint64_t left;      /* values not read yet, the first included */
    uint64_t last;      /* the value before; arithmetic wraps */
    uint64_t min_delta; /* of the block */
    size_t mini_count;  /* miniblocks of a block */
    size_t mini_values; /* values of a miniblock */
    size_t mini;        /* the current one; mini_count = the block is used up */
    const uint8_t *widths;
    const uint8_t *bits; /* of the current miniblock */
    unsigned width;
    size_t at, mini_left;
    bool first;
} s3s_delta;

/* Reads the header. */
s3store_status s3s_delta_init(s3s_delta *d, const uint8_t *data, size_t size, s3store_error *err);
/* Exactly count values, or CORRUPT. */
s3store_status s3s_delta_get(s3s_delta *d, int64_t *out, size_t count, s3store_error *err);
/* The first byte after all values of this sequence, from a decoder that was only initialised. */
s3store_status s3s_delta_end(const s3s_delta *d, const uint8_t **end, s3store_error *err);

/* ---- writing --------------------------------------------------------------------------------- */

/* Bytes that count values of 4 or 8 bytes take, or limit when that is not less. */
size_t s3s_delta_size(const void *values, size_t width, size_t count, size_t limit);
s3store_status s3s_delta_encode(const void *values, size_t width, size_t count, s3s_buffer *out,
                                s3store_error *err);

#endif
