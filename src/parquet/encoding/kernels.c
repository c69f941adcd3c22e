/* parquet/encoding/kernels.c: the portable kernels, and the choice. */
#include "parquet/encoding/kernels.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "base/cpu.h"
#include "parquet/encoding/kernels_x86.h"

/* ---- packed integers ------------------------------------------------------------------------- */

/* Eight values of a constant width: the compiler turns offsets and shifts into constants. Reads
 * up to 8 bytes past the last value's first byte. */
static inline __attribute__((always_inline)) void unpack8(const uint8_t *p, unsigned width,
                                                          uint32_t *out)
{
    uint64_t mask = (UINT64_C(1) << width) - 1;
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint32_t)(s3s_le64(p + (i * width >> 3)) >> (i * width & 7) & mask);
}

/* Groups of 8 while at least 8 bytes more are readable. */
#define UNPACK(width)                                                                              \
    case width:                                                                                    \
        for (; done < groups && (size_t)(end - p) >= width + 8; done++, p += width)                \
            unpack8(p, width, out + done * 8);                                                     \
        break;

static size_t unpack(const uint8_t *p, const uint8_t *end, unsigned w, size_t groups,
                     uint32_t *out)
{
    size_t done = 0;
    switch (w) {
        UNPACK(1) UNPACK(2) UNPACK(3) UNPACK(4) UNPACK(5) UNPACK(6) UNPACK(7) UNPACK(8)
        UNPACK(9) UNPACK(10) UNPACK(11) UNPACK(12) UNPACK(13) UNPACK(14) UNPACK(15) UNPACK(16)
        UNPACK(17) UNPACK(18) UNPACK(19) UNPACK(20) UNPACK(21) UNPACK(22) UNPACK(23) UNPACK(24)
        UNPACK(25) UNPACK(26) UNPACK(27) UNPACK(28) UNPACK(29) UNPACK(30) UNPACK(31) UNPACK(32)
    default:
        break;
    }
    return done;
}

/* ---- dictionaries ---------------------------------------------------------------------------- */

static void gather4(const void *from, const uint32_t *indexes, size_t count, void *out)
{
    const uint32_t *values = from;
    uint32_t *to = out;
    for (size_t i = 0; i < count; i++)
        to[i] = values[indexes[i]];
}

static void gather8(const void *from, const uint32_t *indexes, size_t count, void *out)
{
    const uint64_t *values = from;
    uint64_t *to = out;
    for (size_t i = 0; i < count; i++)
        to[i] = values[indexes[i]];
}

static uint32_t max_of(const uint32_t *values, size_t count)
{
    uint32_t max = 0;
    for (size_t i = 0; i < count; i++)
        max = values[i] > max ? values[i] : max;
    return max;
}

/* ---- nulls ----------------------------------------------------------------------------------- */

/* From the end, by 64 rows: a dense value never lies behind its place. */
#define SPREAD(name, type)                                                                         \
    static void name(void *values, const uint8_t *bits, size_t at, size_t count, size_t ones)      \
    {                                                                                              \
        type *v = values;                                                                          \
        for (size_t end = count; end > 0;) {                                                       \
            size_t n = end % 64 != 0 ? end % 64 : 64, begin = end - n;                             \
            uint64_t valid = s3s_bits_load(bits, at + begin, n);                                   \
            if (ones == end)                                                                       \
                return; /* all that is left is valid, and in its place */                          \
            if (valid == 0) {                                                                      \
                memset(v + begin, 0, n * sizeof *v);                                               \
            } else {                                                                               \
                for (size_t i = n; i-- > 0;) {                                                     \
                    uint64_t bit = valid >> i & 1;                                                 \
                    ones -= bit;                                                                   \
                    v[begin + i] = (type)(v[ones] & (type)(0 - bit));                              \
                }                                                                                  \
            }                                                                                      \
            end = begin;                                                                           \
        }                                                                                          \
    }

SPREAD(spread4, uint32_t)
SPREAD(spread8, uint64_t)

/* ---- booleans -------------------------------------------------------------------------------- */

/* Eight bytes of 0 or 1: the product collects their lowest bits in its highest byte. */
static void pack_bools(const uint8_t *values, size_t count, uint8_t *out)
{
    for (size_t i = 0; i < count; i += 8)
        *out++ = (uint8_t)(s3s_le64(values + i) * UINT64_C(0x0102040810204080) >> 56);
}

/* ---- the choice ------------------------------------------------------------------------------ */

const s3s_kernels *s3s_kernels_now(void)
{
    static const s3s_kernels portable = {unpack, gather4, gather8, max_of, spread4, spread8,
                                         pack_bools};
    s3s_cpu level = s3s_cpu_level();
    const s3s_kernels *faster = level > S3S_CPU_PORTABLE ? s3s_kernels_x86(level) : NULL;
    return faster != NULL ? faster : &portable;
}
