/* parquet/sink.h: the Arrow buffers of one leaf while rows are decoded into them. */
#ifndef S3S_PARQUET_SINK_H
#define S3S_PARQUET_SINK_H

#include "arrow/array.h"
#include "parquet/encoding/bits.h"
#include "parquet/encoding/values.h"
#include "parquet/schema.h"

typedef struct s3s_sink {
    s3s_env *env;
    const s3s_leaf *leaf;
    s3s_block validity; /* used from the first null on */
    s3s_block offsets;  /* int32, rows + 1, of BYTES */
    s3s_block values;
    int64_t rows;
    int64_t nulls;
    bool has_validity;
} s3s_sink;

void s3s_sink_init(s3s_sink *sink, s3s_env *env, s3s_budget *budget, const s3s_leaf *leaf);
void s3s_sink_deinit(s3s_sink *sink);
uint64_t s3s_sink_bytes(const s3s_sink *sink);
/* Makes room in the bitmap for `more` rows; the first time all rows so far become valid. */
s3store_status s3s_sink_need_validity(s3s_sink *sink, size_t more, s3store_error *err);
/* After the bitmap of `count` new rows was written (or is not used): `ones` of them are valid
 * and lie dense at the end of values, which has room for count; spreads them and counts the rows
 * in. */
void s3s_sink_spread(s3s_sink *sink, size_t count, size_t ones);
/* The same for booleans, from one byte each (one more may be read). Room as s3s_sink_need_bits made
 * it. */
s3store_status s3s_sink_need_bits(s3s_sink *sink, size_t more, s3store_error *err);
void s3s_sink_put_bits(s3s_sink *sink, const uint8_t *values, size_t count);
/* Valid ones, from bits. */
void s3s_sink_copy_bits(s3s_sink *sink, const uint8_t *bits, size_t at, size_t count);
/* Takes the first `rows` rows out as an array; the others stay. */
s3store_status s3s_sink_take(s3s_sink *sink, int64_t rows, struct ArrowArray *out,
                             s3store_error *err);

#endif
