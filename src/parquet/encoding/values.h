/* parquet/encoding/values.h: the values section of a page, by encoding, as dense physical values:
 *
 *   BOOLEAN                  one byte each, 0 or 1
 *   INT32, INT64, FLOAT...   as stored, little-endian
 *   FIXED                    its width
 *   BYTE_ARRAY               s3store_bytes that point into the page, the dictionary or scratch
 *                            memory of the decoder (until the next call)
 *
 * Nulls are not values: levels say where they go. Every encoding is a row of one table.
 */
#ifndef S3S_PARQUET_VALUES_H
#define S3S_PARQUET_VALUES_H

#include "parquet/encoding/delta.h"
#include "parquet/encoding/hybrid.h"
#include "parquet/format.h"
#include "parquet/memory.h"

/* Decoded dictionary values, dense. The page they point into is kept by the owner. */
typedef struct s3s_dictionary {
    s3s_block values;
    size_t count;
    bool utf8_valid; /* every entry is; set by who checks */
} s3s_dictionary;

#define S3S_INDEX_BATCH 1024
/* Bytes behind a joined string that may be read, as behind those that lie in pages. */
#define S3S_VALUES_SLACK 32

typedef struct s3s_values {
    const struct s3s_value_encoding *encoding;
    s3s_physical physical;
    size_t width; /* of a dense value in bytes */
    const uint8_t *p, *end;
    size_t left; /* values not read; what the page says at most */
    size_t at;   /* values read: PLAIN booleans, BYTE_STREAM_SPLIT */
    size_t stride;
    s3s_hybrid hybrid;
    s3s_delta delta;  /* values, lengths, or prefix lengths */
    s3s_delta suffix; /* DELTA_BYTE_ARRAY: lengths of the suffixes */
    s3s_block scratch;
    s3store_bytes previous;
    const s3s_dictionary *dictionary;
    uint32_t indexes[S3S_INDEX_BATCH];
} s3s_values;

/* Once for a column; the scratch memory is kept between pages. type_length: of FIXED. */
void s3s_values_init(s3s_values *v, s3s_env *env, s3s_budget *budget, s3s_physical physical,
                     size_t type_length);
void s3s_values_deinit(s3s_values *v);

/* Starts a page's values section. count: of its values, an upper bound where nulls are not counted
 * yet. dictionary: NULL = the column has none so far. */
s3store_status s3s_values_begin(s3s_values *v, int32_t encoding, const uint8_t *data, size_t size,
                                size_t count, const s3s_dictionary *dictionary,
                                s3store_error *err);
/* Reads up to count values (at least one when count > 0): *got. CORRUPT when the section ends. */
s3store_status s3s_values_get(s3s_values *v, void *out, size_t count, size_t *got,
                              s3store_error *err);

/* Passes over the next count booleans and tells where they lie as bits, if they do; false: they come
 * by s3s_values_get. */
bool s3s_values_bits(s3s_values *v, size_t count, const uint8_t **bits, size_t *at);

/* "PLAIN", "?" for numbers that are none. */
const char *s3s_encoding_name(int32_t encoding);
const char *s3s_physical_name(int32_t physical);

#endif
