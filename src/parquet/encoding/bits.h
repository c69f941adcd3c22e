/* parquet/encoding/bits.h: packed integers, least significant bit first. */
#ifndef S3S_PARQUET_BITS_H
#define S3S_PARQUET_BITS_H

#include "base/bits.h"

/* Values [first, first + count) of a packed sequence of `width` bits each (0..32), whose bytes
 * end at data + size. The caller has checked that they lie inside. */
void s3s_unpack32(const uint8_t *data, size_t size, unsigned width, size_t first, size_t count,
                  uint32_t *out);
/* The same up to 64 bits. */
void s3s_unpack64(const uint8_t *data, size_t size, unsigned width, size_t first, size_t count,
                  uint64_t *out);
/* Packs count values (the last byte padded with 0) into s3s_bits_size(count * width) bytes. */
void s3s_pack32(const uint32_t *values, size_t count, unsigned width, uint8_t *out);
/* The same for a count that is a multiple of 32, of up to 64 bits. */
void s3s_pack64(const uint64_t *values, size_t count, unsigned width, uint8_t *out);

#endif
