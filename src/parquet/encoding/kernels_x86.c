/* parquet/encoding/kernels_x86.c: kernels in AVX2 and AVX-512. They are compiled for those whatever
 * the rest is compiled for, and run only where s3s_cpu_level() found them.
 */
#include "parquet/encoding/kernels_x86.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "base/bits.h"
#include "base/bytes.h"

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define AVX512 __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl")))

/* ---- packed integers ------------------------------------------------------------------------- */

/* Of eight values of up to 25 bits each lies in four neighbouring bytes: those are brought
 * together, shifted by what is left of the bit's place, and masked. */
#define WIDTH_MAX 25

#define FIRST(w, i) ((i) * (w) / 8 - ((i) < 4 ? 0 : (w) / 2))
#define BYTES(w, i) FIRST(w, i), FIRST(w, i) + 1, FIRST(w, i) + 2, FIRST(w, i) + 3
#define PLAN(w)                                                                                    \
    [w] = {{BYTES(w, 0), BYTES(w, 1), BYTES(w, 2), BYTES(w, 3), BYTES(w, 4), BYTES(w, 5),          \
            BYTES(w, 6), BYTES(w, 7)},                                                             \
           {0, (w) % 8, 2 * (w) % 8, 3 * (w) % 8, 4 * (w) % 8, 5 * (w) % 8, 6 * (w) % 8,           \
            7 * (w) % 8}}

static const struct unpack_plan {
    uint8_t bytes[32];  /* of the last four values: counted from byte width / 2 */
    uint32_t shifts[8];
} plans[WIDTH_MAX + 1] = {
    PLAN(1),  PLAN(2),  PLAN(3),  PLAN(4),  PLAN(5),  PLAN(6),  PLAN(7),  PLAN(8),  PLAN(9),
    PLAN(10), PLAN(11), PLAN(12), PLAN(13), PLAN(14), PLAN(15), PLAN(16), PLAN(17), PLAN(18),
    PLAN(19), PLAN(20), PLAN(21), PLAN(22), PLAN(23), PLAN(24), PLAN(25)};

AVX2 static size_t unpack_narrow(const uint8_t *p, const uint8_t *end, unsigned width,
                                 size_t groups, uint32_t *out)
{
    const __m256i bytes = _mm256_loadu_si256((const void *)plans[width].bytes);
    const __m256i shifts = _mm256_loadu_si256((const void *)plans[width].shifts);
    const __m256i mask = _mm256_set1_epi32((int)((UINT32_C(1) << width) - 1));
    size_t done = 0, high = width / 2;
    for (; done < groups && (size_t)(end - p) >= high + 16; done++, p += width, out += 8) {
        __m256i raw = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const void *)p)),
            _mm_loadu_si128((const void *)(p + high)), 1);
        raw = _mm256_srlv_epi32(_mm256_shuffle_epi8(raw, bytes), shifts);
        _mm256_storeu_si256((void *)out, _mm256_and_si256(raw, mask));
    }
    return done;
}

/* Wider values lie in eight bytes each: four of them at a time. */
AVX2 static size_t unpack_wide(const uint8_t *p, const uint8_t *end, unsigned width,
                               size_t groups, uint32_t *out)
{
    uint64_t mask = (UINT64_C(1) << width) - 1;
    size_t done = 0;
    for (; done < groups && (size_t)(end - p) >= width + 8u; done++, p += width, out += 8)
        for (unsigned i = 0; i < 8; i++)
            out[i] = (uint32_t)(s3s_le64(p + (i * width >> 3)) >> (i * width & 7) & mask);
    return done;
}

AVX2 static size_t unpack(const uint8_t *p, const uint8_t *end, unsigned width, size_t groups,
                          uint32_t *out)
{
    return width <= WIDTH_MAX ? unpack_narrow(p, end, width, groups, out)
                              : unpack_wide(p, end, width, groups, out);
}

/* ---- dictionaries ---------------------------------------------------------------------------- */

AVX2 static void gather4(const void *from, const uint32_t *indexes, size_t count, void *out)
{
    uint32_t *to = out;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i at = _mm256_loadu_si256((const void *)(indexes + i));
        _mm256_storeu_si256((void *)(to + i), _mm256_i32gather_epi32(from, at, 4));
    }
    for (; i < count; i++)
        to[i] = ((const uint32_t *)from)[indexes[i]];
}

AVX2 static void gather8(const void *from, const uint32_t *indexes, size_t count, void *out)
{
    uint64_t *to = out;
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        __m128i at = _mm_loadu_si128((const void *)(indexes + i));
        _mm256_storeu_si256((void *)(to + i), _mm256_i32gather_epi64(from, at, 8));
    }
    for (; i < count; i++)
        to[i] = ((const uint64_t *)from)[indexes[i]];
}

AVX2 static uint32_t max_of(const uint32_t *values, size_t count)
{
    uint32_t lanes[8], max = 0;
    __m256i most = _mm256_setzero_si256();
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        most = _mm256_max_epu32(most, _mm256_loadu_si256((const void *)(values + i)));
    _mm256_storeu_si256((void *)lanes, most);
    for (size_t k = 0; k < 8; k++)
        max = lanes[k] > max ? lanes[k] : max;
    for (; i < count; i++)
        max = values[i] > max ? values[i] : max;
    return max;
}

/* ---- nulls ----------------------------------------------------------------------------------- */

/* From the end, by 64 rows; within these from the end as well: a dense value never lies behind
 * its place. */
#define SPREAD(name, type, lanes, expand, store)                                                   \
    AVX512 static void name(void *values, const uint8_t *bits, size_t at, size_t count,            \
                            size_t ones)                                                           \
    {                                                                                              \
        type *v = values;                                                                          \
        for (size_t end = count; end > 0 && ones < end;) {                                         \
            size_t n = end % 64 != 0 ? end % 64 : 64, begin = end - n;                             \
            uint64_t valid = s3s_bits_load(bits, at + begin, n);                                   \
            for (size_t part = (n + lanes - 1) / lanes; part-- > 0;) {                             \
                size_t first = part * lanes, rows = n - first < lanes ? n - first : lanes;         \
                uint32_t mask = (uint32_t)(valid >> first) & ((1u << lanes) - 1);                  \
                ones -= (size_t)__builtin_popcount(mask);                                          \
                store(v + begin + first, (1u << rows) - 1, expand(mask, v + ones));                \
            }                                                                                      \
            end = begin;                                                                           \
        }                                                                                          \
    }

#define EXPAND4(mask, from) _mm512_maskz_expandloadu_epi32((__mmask16)(mask), from)
#define EXPAND8(mask, from) _mm512_maskz_expandloadu_epi64((__mmask8)(mask), from)
#define STORE4(to, mask, value) _mm512_mask_storeu_epi32(to, (__mmask16)(mask), value)
#define STORE8(to, mask, value) _mm512_mask_storeu_epi64(to, (__mmask8)(mask), value)

SPREAD(spread4_512, uint32_t, 16, EXPAND4, STORE4)
SPREAD(spread8_512, uint64_t, 8, EXPAND8, STORE8)

/* One bit after the other, where AVX-512 is not. */
#define SPREAD_SCALAR(name, type)                                                                  \
    AVX2 static void name(void *values, const uint8_t *bits, size_t at, size_t count, size_t ones) \
    {                                                                                              \
        type *v = values;                                                                          \
        for (size_t end = count; end > 0 && ones < end;) {                                         \
            size_t n = end % 64 != 0 ? end % 64 : 64, begin = end - n;                             \
            uint64_t valid = s3s_bits_load(bits, at + begin, n);                                   \
            for (size_t i = n; i-- > 0;) {                                                         \
                uint64_t bit = valid >> i & 1;                                                     \
                ones -= bit;                                                                       \
                v[begin + i] = (type)(v[ones] & (type)(0 - bit));                                  \
            }                                                                                      \
            end = begin;                                                                           \
        }                                                                                          \
    }

SPREAD_SCALAR(spread4, uint32_t)
SPREAD_SCALAR(spread8, uint64_t)

/* ---- booleans -------------------------------------------------------------------------------- */

AVX2 static void pack_bools(const uint8_t *values, size_t count, uint8_t *out)
{
    size_t i = 0;
    for (; i + 32 <= count; i += 32, out += 4) {
        __m256i v = _mm256_slli_epi16(_mm256_loadu_si256((const void *)(values + i)), 7);
        uint32_t bits = (uint32_t)_mm256_movemask_epi8(v);
        memcpy(out, &bits, sizeof bits);
    }
    for (; i < count; i += 8)
        *out++ = (uint8_t)_pext_u64(s3s_le64(values + i), UINT64_C(0x0101010101010101));
}

const s3s_kernels *s3s_kernels_x86(s3s_cpu level)
{
    static const s3s_kernels avx2 = {unpack, gather4, gather8, max_of, spread4, spread8,
                                     pack_bools};
    static const s3s_kernels avx512 = {unpack,      gather4,     gather8,   max_of,
                                       spread4_512, spread8_512, pack_bools};
    return level >= S3S_CPU_AVX512 ? &avx512 : &avx2;
}

#else

const s3s_kernels *s3s_kernels_x86(s3s_cpu level)
{
    (void)level;
    return NULL;
}

#endif
