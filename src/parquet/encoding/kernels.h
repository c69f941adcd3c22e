/* parquet/encoding/kernels.h: the innermost loops, portable and in the instructions of the machine:
 * the same results, byte for byte. s3s_cpu_level() chooses.
 */
#ifndef S3S_PARQUET_KERNELS_H
#define S3S_PARQUET_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct s3s_kernels {
    /* Up to `groups` groups of eight values of `width` (1..32) bits, in bytes that end at `end`.
     * Returns how many were done: not those for which too few bytes follow. */
    size_t (*unpack)(const uint8_t *p, const uint8_t *end, unsigned width, size_t groups,
                     uint32_t *out);
    /* out[i] = from[indexes[i]], of 4 and of 8 bytes. Indexes are below 2^31 and were checked. */
    void (*gather4)(const void *from, const uint32_t *indexes, size_t count, void *out);
    void (*gather8)(const void *from, const uint32_t *indexes, size_t count, void *out);
    /* The greatest of them, 0 of none. */
    uint32_t (*max)(const uint32_t *values, size_t count);
    /* Values that lie dense at the front of a block of count go where their bits (from bit `at`
     * on) are 1, zeros elsewhere. `ones` of the bits are. */
    void (*spread4)(void *values, const uint8_t *bits, size_t at, size_t count, size_t ones);
    void (*spread8)(void *values, const uint8_t *bits, size_t at, size_t count, size_t ones);
    /* Bits of bytes that are 0 or 1, into whole bytes (count is a multiple of 8). */
    void (*pack_bools)(const uint8_t *values, size_t count, uint8_t *out);
} s3s_kernels;

const s3s_kernels *s3s_kernels_now(void);

#endif
