/* parquet/format.h: the numbers of the file format.
 * https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
 */
#ifndef S3S_PARQUET_FORMAT_H
#define S3S_PARQUET_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define S3S_PQ_MAGIC "PAR1"
#define S3S_PQ_MAGIC_ENCRYPTED "PARE"
#define S3S_PQ_TAIL_SIZE 8 /* footer length and magic */

typedef enum s3s_physical {
    S3S_PQ_BOOLEAN = 0,
    S3S_PQ_INT32 = 1,
    S3S_PQ_INT64 = 2,
    S3S_PQ_INT96 = 3,
    S3S_PQ_FLOAT = 4,
    S3S_PQ_DOUBLE = 5,
    S3S_PQ_BYTE_ARRAY = 6,
    S3S_PQ_FIXED = 7, /* FIXED_LEN_BYTE_ARRAY */
    S3S_PQ_PHYSICAL_COUNT = 8,
} s3s_physical;

typedef enum s3s_repetition {
    S3S_PQ_REQUIRED = 0,
    S3S_PQ_OPTIONAL = 1,
    S3S_PQ_REPEATED = 2,
} s3s_repetition;

/* ConvertedType: what files said before logical types existed. */
typedef enum s3s_converted {
    S3S_PQ_UTF8 = 0,
    S3S_PQ_MAP = 1,
    S3S_PQ_MAP_KEY_VALUE = 2,
    S3S_PQ_LIST = 3,
    S3S_PQ_ENUM = 4,
    S3S_PQ_DECIMAL = 5,
    S3S_PQ_DATE = 6,
    S3S_PQ_TIME_MILLIS = 7,
    S3S_PQ_TIME_MICROS = 8,
    S3S_PQ_TIMESTAMP_MILLIS = 9,
    S3S_PQ_TIMESTAMP_MICROS = 10,
    S3S_PQ_UINT_8 = 11,
    S3S_PQ_UINT_16 = 12,
    S3S_PQ_UINT_32 = 13,
    S3S_PQ_UINT_64 = 14,
    S3S_PQ_INT_8 = 15,
    S3S_PQ_INT_16 = 16,
    S3S_PQ_INT_32 = 17,
    S3S_PQ_INT_64 = 18,
    S3S_PQ_JSON = 19,
    S3S_PQ_BSON = 20,
    S3S_PQ_INTERVAL = 21,
} s3s_converted;

typedef enum s3s_encoding {
    S3S_PQ_PLAIN = 0,
    S3S_PQ_PLAIN_DICTIONARY = 2,
    S3S_PQ_RLE = 3,
    S3S_PQ_BIT_PACKED = 4,
    S3S_PQ_DELTA_BINARY_PACKED = 5,
    S3S_PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    S3S_PQ_DELTA_BYTE_ARRAY = 7,
    S3S_PQ_RLE_DICTIONARY = 8,
    S3S_PQ_BYTE_STREAM_SPLIT = 9,
    S3S_PQ_ENCODING_COUNT,
} s3s_encoding;

typedef enum s3s_codec_id {
    S3S_PQ_UNCOMPRESSED = 0,
    S3S_PQ_SNAPPY = 1,
    S3S_PQ_GZIP = 2,
    S3S_PQ_LZO = 3,
    S3S_PQ_BROTLI = 4,
    S3S_PQ_LZ4 = 5, /* the old framing of Hadoop */
    S3S_PQ_ZSTD = 6,
    S3S_PQ_LZ4_RAW = 7,
} s3s_codec_id;

typedef enum s3s_page_type {
    S3S_PQ_DATA_PAGE = 0,
    S3S_PQ_INDEX_PAGE = 1,
    S3S_PQ_DICTIONARY_PAGE = 2,
    S3S_PQ_DATA_PAGE_V2 = 3,
} s3s_page_type;

/* Digits of a decimal that every integer of the type has room for. */
#define S3S_DECIMAL_INT32_DIGITS 9
#define S3S_DECIMAL_INT64_DIGITS 18

/* Bytes of one value, 0 for BOOLEAN (a bit), BYTE_ARRAY and FIXED (its type_length). */
static inline size_t s3s_physical_width(s3s_physical physical)
{
    static const uint8_t widths[S3S_PQ_PHYSICAL_COUNT] = {0, 4, 8, 12, 4, 8, 0, 0};
    return widths[physical];
}

#endif
