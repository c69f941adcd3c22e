/* crc32.c: CRC-32 of ISO 3309, eight bytes at a time, or by carry-less multiplication.
 *
 * The CRC is linear: the entry of a byte is the exclusive or of the entries of its bits. So a table
 * is written as its eight one-bit entries, and the compiler makes the other 248.
 */
#include "base/bytes.h"
#include "base/cpu.h"
#include "base/hash.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BIT(i, b, entry) ((((i) >> (b)) & 1u) * (entry))
#define E1(i, a, b, c, d, e, f, g, h)                                                              \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^     \
     BIT(i, 6, g) ^ BIT(i, 7, h))
#define E4(i, ...)                                                                                 \
    E1(i, __VA_ARGS__), E1((i) + 1u, __VA_ARGS__), E1((i) + 2u, __VA_ARGS__),                      \
        E1((i) + 3u, __VA_ARGS__)
#define E16(i, ...)                                                                                \
    E4(i, __VA_ARGS__), E4((i) + 4u, __VA_ARGS__), E4((i) + 8u, __VA_ARGS__),                      \
        E4((i) + 12u, __VA_ARGS__)
#define E64(i, ...)                                                                                \
    E16(i, __VA_ARGS__), E16((i) + 16u, __VA_ARGS__), E16((i) + 32u, __VA_ARGS__),                 \
        E16((i) + 48u, __VA_ARGS__)
#define TABLE(...)                                                                                 \
    {                                                                                              \
        E64(0u, __VA_ARGS__), E64(64u, __VA_ARGS__), E64(128u, __VA_ARGS__),                       \
            E64(192u, __VA_ARGS__)                                                                 \
    }

/* tables[k][b]: what byte b does to the CRC when k zero bytes follow it. */
static const uint32_t tables[8][256] = {
    TABLE(0x77073096u, 0xee0e612cu, 0x076dc419u, 0x0edb8832u,
          0x1db71064u, 0x3b6e20c8u, 0x76dc4190u, 0xedb88320u),
    TABLE(0x191b3141u, 0x32366282u, 0x646cc504u, 0xc8d98a08u,
          0x4ac21251u, 0x958424a2u, 0xf0794f05u, 0x3b83984bu),
    TABLE(0x01c26a37u, 0x0384d46eu, 0x0709a8dcu, 0x0e1351b8u,
          0x1c26a370u, 0x384d46e0u, 0x709a8dc0u, 0xe1351b80u),
    TABLE(0xb8bc6765u, 0xaa09c88bu, 0x8f629757u, 0xc5b428efu,
          0x5019579fu, 0xa032af3eu, 0x9b14583du, 0xed59b63bu),
    TABLE(0x3d6029b0u, 0x7ac05360u, 0xf580a6c0u, 0x30704bc1u,
          0x60e09782u, 0xc1c12f04u, 0x58f35849u, 0xb1e6b092u),
    TABLE(0xcb5cd3a5u, 0x4dc8a10bu, 0x9b914216u, 0xec53826du,
          0x03d6029bu, 0x07ac0536u, 0x0f580a6cu, 0x1eb014d8u),
    TABLE(0xa6770bb4u, 0x979f1129u, 0xf44f2413u, 0x33ef4e67u,
          0x67de9cceu, 0xcfbd399cu, 0x440b7579u, 0x8816eaf2u),
    TABLE(0xccaa009eu, 0x4225077du, 0x844a0efau, 0xd3e51bb5u,
          0x7cbb312bu, 0xf9766256u, 0x299dc2edu, 0x533b85dau),
};

/* crc: the state, which is the complement of the sum. */
static uint32_t by_tables(uint32_t crc, const uint8_t *p, size_t size)
{
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t low = s3s_le32(p) ^ crc;
        uint32_t high = s3s_le32(p + 4);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
              tables[4][low >> 24] ^ tables[3][high & 255] ^ tables[2][high >> 8 & 255] ^
              tables[1][high >> 16 & 255] ^ tables[0][high >> 24];
    }
    for (; size > 0; size--, p++)
        crc = crc >> 8 ^ tables[0][(crc ^ *p) & 255];
    return crc;
}

#if defined(__x86_64__)

#define FOLD_BYTES 64

/* 16 bytes stand for what they are worth `distance` bits further on: both halves times a power of x
 * modulo the polynomial, bit-reflected as the sum is. */
__attribute__((target("pclmul,sse4.2"))) static inline __m128i fold(__m128i x, __m128i by,
                                                                    __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(x, by, 0x00), high = _mm_clmulepi64_si128(x, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* size is at least FOLD_BYTES. Four lanes are folded over 512 bits each, then into one over 128;
 * the 16 bytes that remain have the remainder of all that they stand for. */
__attribute__((target("pclmul,sse4.2"))) static uint32_t by_folding(uint32_t crc, const uint8_t *p,
                                                                    size_t size)
{
    const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4); /* x^480, x^544 */
    const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0); /* x^96, x^160 */
    __m128i lane[4];
    for (size_t i = 0; i < 4; i++)
        lane[i] = _mm_loadu_si128((const void *)(p + 16 * i));
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)crc));
    for (p += FOLD_BYTES, size -= FOLD_BYTES; size >= FOLD_BYTES;
         p += FOLD_BYTES, size -= FOLD_BYTES)
        for (size_t i = 0; i < 4; i++)
            lane[i] = fold(lane[i], by_512, _mm_loadu_si128((const void *)(p + 16 * i)));
    __m128i all = lane[0];
    for (size_t i = 1; i < 4; i++)
        all = fold(all, by_128, lane[i]);
    for (; size >= 16; p += 16, size -= 16)
        all = fold(all, by_128, _mm_loadu_si128((const void *)p));
    uint8_t rest[16];
    _mm_storeu_si128((void *)rest, all);
    return by_tables(by_tables(0, rest, sizeof rest), p, size);
}

#define WIDE_BYTES 256
#define WIDE __attribute__((target("vpclmulqdq,pclmul,avx512f,avx512vl,avx512dq,sse4.2")))

WIDE static inline __m512i fold_wide(__m512i x, __m512i by, __m512i next)
{
    __m512i low = _mm512_clmulepi64_epi128(x, by, 0x00);
    __m512i high = _mm512_clmulepi64_epi128(x, by, 0x11);
    return _mm512_ternarylogic_epi64(low, high, next, 0x96); /* exclusive or of all three */
}

/* The same with 64 bytes in a lane. size is at least WIDE_BYTES; what is left of it goes on as above,
 * the last lane as its beginning. */
WIDE static uint32_t by_wide_folding(uint32_t crc, const uint8_t *p, size_t size)
{
    const __m512i by_2048 = _mm512_broadcast_i64x2(
        _mm_set_epi64x(0x1322d1430, 0x11542778a)); /* x^2016, x^2080 */
    const __m512i by_512 = _mm512_broadcast_i64x2(_mm_set_epi64x(0x1c6e41596, 0x154442bd4));
    __m512i lane[4];
    for (size_t i = 0; i < 4; i++)
        lane[i] = _mm512_loadu_si512(p + 64 * i);
    lane[0] = _mm512_xor_si512(lane[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
    for (p += WIDE_BYTES, size -= WIDE_BYTES; size >= WIDE_BYTES;
         p += WIDE_BYTES, size -= WIDE_BYTES)
        for (size_t i = 0; i < 4; i++)
            lane[i] = fold_wide(lane[i], by_2048, _mm512_loadu_si512(p + 64 * i));
    __m512i all = lane[0];
    for (size_t i = 1; i < 4; i++)
        all = fold_wide(all, by_512, lane[i]);
    uint8_t rest[FOLD_BYTES];
    _mm512_storeu_si512(rest, all);
    crc = by_folding(0, rest, sizeof rest);
    return size >= FOLD_BYTES ? by_folding(crc, p, size) : by_tables(crc, p, size);
}

#endif

uint32_t s3s_crc32(uint32_t crc, const void *data, size_t size)
{
#if defined(__x86_64__)
    if (size >= WIDE_BYTES && s3s_cpu_level() >= S3S_CPU_AVX512)
        return ~by_wide_folding(~crc, data, size);
    if (size >= FOLD_BYTES && s3s_cpu_level() >= S3S_CPU_AVX2)
        return ~by_folding(~crc, data, size);
#endif
    return ~by_tables(~crc, data, size);
}
